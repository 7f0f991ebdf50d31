//! The keeper dies before or after each of its steps, and another replica goes on.

use futures::future::join_all;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::ListParams;
use serde_json::json;

use crate::harness::faults::{self, Faults, Rule};
use crate::harness::server::{Server, faulty_instance};
use crate::harness::spec::sh;
use crate::harness::v1::AcceptedHow;
use crate::harness::{Ctx, run, wait};

/// A request of the keeper, and what the key is for afterwards.
struct Step {
    name: &'static str,
    verb: &'static str,
    resource: &'static str,
    /// Requests of the same kind before it.
    skip: u64,
    window: &'static str,
    /// How a launch is answered when all is done.
    then: AcceptedHow,
}

const fn step(name: &'static str, verb: &'static str, resource: &'static str, skip: u64) -> Step {
    Step { name, verb, resource, skip, window: "1h", then: AcceptedHow::Replayed }
}

const STEPS: [Step; 4] = [
    step("record", "create", "configmaps", 0),
    // The first patch stores the outcome.
    step("finalizer", "patch", "pods", 1),
    step("pod", "delete", "pods", 0),
    Step { window: "5s", then: AcceptedHow::Created, ..step("expiry", "delete", "configmaps", 0) },
];

#[test]
fn it_is_killed_at_each_of_its_steps() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        let cases = STEPS.iter().flat_map(|step| ["none", "done"].map(|effect| (step, effect)));
        join_all(cases.map(|(step, effect)| killed_at(t, &faults, step, effect))).await;
    });
}

async fn killed_at(t: &Ctx, faults: &Faults, step: &Step, effect: &str) {
    let name = format!("{}-{effect}", step.name);
    let instance = faulty_instance();
    let flags = ["--finalizer", "on", "--retain-success", "1s", "--idempotency-window", step.window];
    let first = Server::start_with(&instance, &flags);
    let client = first.connect().await;
    let rule = Rule::on(step.verb, step.resource, json!({"do": "hold", "effect": effect}));
    faults.plan(&name, rule.skip(step.skip).times(1).by_instance(&instance)).await;
    let request = t.request(&name, sh("echo x"));
    let task = client.launch(request.clone()).await.expect("accepted").collect().await;
    faults.until_fired(&name, 1).await;
    println!("{name}: killed");
    first.kill();
    faults.remove(&name).await;

    let second = Server::start_with(&instance, &flags);
    let client = second.connect().await;
    wait::until("the pod to be gone", async || match t.cluster.pods().get_opt(&task.pod().name).await {
        Ok(None) => Ok(()),
        Ok(Some(_)) => Err(format!("{name}: it is there")),
        Err(error) => Err(error.to_string()),
    })
    .await;
    let records = usize::from(step.then == AcceptedHow::Replayed);
    wait::until("the records to be as they should", async || match records_of(t, &instance).await {
        found if found == records => Ok(()),
        found => Err(format!("{name}: {found}")),
    })
    .await;
    let again = client.launch(request).await.expect("accepted");
    assert_eq!(again.seen.accepted.how(), step.then, "{name}");
    let again = again.collect().await;
    if step.then == AcceptedHow::Replayed {
        assert_eq!(again.outcome_bytes(), task.outcome_bytes(), "{name}");
    }
    println!("{name}: another went on");
}

async fn records_of(t: &Ctx, instance: &str) -> usize {
    let api: Api<ConfigMap> = Api::all(t.cluster.client.clone());
    let selector = format!("podlaunch.dev/record,podlaunch.dev/instance={instance}");
    let list = api.list(&ListParams::default().labels(&selector)).await.expect("records can be listed");
    list.items.len()
}
