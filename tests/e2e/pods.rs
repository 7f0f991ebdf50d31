//! The pods of `tests/pods` are taken by the API server, and what it would store is the same whichever way they are
//! given: manifest, template, short form, flags of `run`.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Api;
use kube::api::{ObjectMeta, PostParams};
use serde_json::{Map, Value};
use tonic::Status;

use crate::harness::cli::podlaunch;
use crate::harness::podlaunch::Podlaunch;
use crate::harness::process::{SCRATCH, unique};
use crate::harness::samples::{Sample, samples};
use crate::harness::server::{Server, unique_instance};
use crate::harness::v1::{self, launch_task_response::Message};
use crate::harness::{Ctx, run};

const TASK: &str = "sample";

#[test]
fn one_pod_through_manifest_template_short_form_and_flags() {
    run(async |t| {
        let samples = samples();
        accounts(t, &samples).await;
        let folder = SCRATCH.join(format!("pods-{}", unique()));
        std::fs::create_dir(&folder).expect("a folder");
        for sample in &samples {
            std::fs::write(folder.join(format!("{}.yaml", sample.name)), &sample.manifest).expect("a template");
        }
        let templates = folder.to_str().expect("a path in UTF-8");
        let server = Server::start_with(&unique_instance(), &["--templates", templates]);
        let client = server.connect().await;
        let (mut wrong, mut ways) = (Vec::new(), BTreeMap::new());
        for sample in &samples {
            for (way, answer) in all_ways(t, &server, &client, sample).await {
                *ways.entry(way).or_insert(0) += 1;
                wrong.extend(answer.err().map(|problem| format!("{}, {way}: {problem}", sample.name)));
            }
        }
        println!("{} pods: {ways:?}", samples.len());
        assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
        assert!(ways["manifest"] >= 25 && ways["template"] >= 25 && ways["short form"] >= 20 && ways["flags"] >= 10);
        assert!(t.cluster.list_pods().await.is_empty(), "nothing was launched");
    });
}

/// Each way, and what is wrong with it.
async fn all_ways(
    t: &Ctx,
    server: &Server,
    client: &Podlaunch,
    sample: &Sample,
) -> Vec<(&'static str, Result<(), String>)> {
    let by = async |spec| validated(client, t.request(TASK, spec)).await.map_err(|status| format!("{status:?}"));
    let manifest = match by(v1::TaskSpec { manifest: sample.manifest.clone(), ..Default::default() }).await {
        Ok(pod) => pod,
        Err(problem) => return vec![("manifest", Err(problem))],
    };
    let same = |pod: Result<Value, String>| {
        let pod = pod?;
        if pod == manifest { Ok(()) } else { Err(format!("\n{pod}\nby manifest:\n{manifest}")) }
    };
    let template = by(v1::TaskSpec { template: sample.name.clone(), ..Default::default() }).await;
    let mut ways = vec![("manifest", Ok(())), ("template", same(template))];
    if let Some(short) = &sample.short {
        ways.push(("short form", same(by(short.clone()).await)));
    }
    if let Some(flags) = &sample.flags {
        ways.push(("flags", same(by_flags(t, server, flags).await)));
    }
    ways
}

async fn validated(client: &Podlaunch, request: v1::LaunchTaskRequest) -> Result<Value, Status> {
    let request = v1::LaunchTaskRequest { validate_only: true, ..request };
    let mut answer = client.grpc.clone().launch_task(request).await?.into_inner();
    let first = answer.message().await?.and_then(|response| response.message);
    let Some(Message::Validated(validated)) = first else { panic!("not Validated: {first:?}") };
    Ok(comparable(&validated.pod_json))
}

async fn by_flags(t: &Ctx, server: &Server, flags: &[String]) -> Result<Value, String> {
    let own = ["run", "--endpoint", &server.endpoint, "--namespace", &t.namespace, "--task-id", TASK];
    let dry = ["--dry-run=server", "-o", "json"];
    let words: Vec<&str> = own.into_iter().chain(dry).chain(flags.iter().map(String::as_str)).collect();
    let called = podlaunch(&words).await;
    match called.code {
        Some(0) => Ok(comparable(&String::from_utf8_lossy(&called.stdout))),
        _ => Err(called.stderr),
    }
}

/// Without what no two pods have in common, what says how it was asked for, and the names of volumes: the flags name
/// them after what they are.
fn comparable(pod: &str) -> Value {
    let mut pod: Value = serde_json::from_str(pod).expect("JSON");
    let metadata = pod["metadata"].as_object_mut().expect("metadata");
    for field in ["uid", "creationTimestamp", "resourceVersion", "managedFields"] {
        metadata.remove(field);
    }
    let annotations = metadata["annotations"].as_object_mut().expect("annotations");
    for annotation in ["podlaunch.dev/fingerprint", "podlaunch.dev/template"] {
        annotations.remove(annotation);
    }
    let spec = pod["spec"].as_object_mut().expect("a spec");
    let names = names_by_mount(spec);
    let name = |value: &mut Value| {
        if let Some(name) = value.as_str().and_then(|name| names.get(name)) {
            *value = Value::from(name.as_str());
        }
    };
    mounts(spec).for_each(|mount| name(&mut mount["name"]));
    if let Some(Value::Array(volumes)) = spec.get_mut("volumes") {
        volumes.iter_mut().for_each(|volume| name(&mut volume["name"]));
        volumes.sort_by_key(|volume| volume["name"].to_string());
    }
    pod
}

fn mounts(spec: &mut Map<String, Value>) -> impl Iterator<Item = &mut Value> {
    let lists = spec.iter_mut().filter(|(field, _)| *field == "containers" || *field == "initContainers");
    let containers = lists.filter_map(|(_, list)| list.as_array_mut()).flatten();
    containers.filter_map(|container| container["volumeMounts"].as_array_mut()).flatten()
}

/// A number for each volume, in the order of their mounts.
fn names_by_mount(spec: &mut Map<String, Value>) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for mount in mounts(spec) {
        let name = mount["name"].as_str().expect("a mount has a name").to_owned();
        let next = format!("v{}", names.len());
        names.entry(name).or_insert(next);
    }
    names
}

/// Kubernetes refuses a pod whose service account is not there.
async fn accounts(t: &Ctx, samples: &[Sample]) {
    let pods: Vec<Value> = samples.iter().map(Sample::pod).collect();
    let wanted: BTreeSet<&str> = pods.iter().filter_map(|pod| pod["spec"]["serviceAccountName"].as_str()).collect();
    let api: Api<ServiceAccount> = Api::namespaced(t.cluster.client.clone(), &t.namespace);
    for name in wanted {
        let metadata = ObjectMeta { name: Some(name.to_owned()), ..Default::default() };
        let account = ServiceAccount { metadata, ..Default::default() };
        api.create(&PostParams::default(), &account).await.unwrap_or_else(|error| panic!("account {name}: {error}"));
    }
}
