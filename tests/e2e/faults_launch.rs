//! One key, one pod, whatever the API server answers: the answer table of a launch, each row made to happen.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use tonic::Code;

use crate::harness::failure::{Failure, failure};
use crate::harness::faults::{self, Faults, Rule};
use crate::harness::podlaunch::Podlaunch;
use crate::harness::server::{Server, faulty_instance};
use crate::harness::spec::{Build as _, seconds, sh, until_stopped};
use crate::harness::v1::AcceptedHow;
use crate::harness::{Ctx, run};

/// A rule for the next creates of pods.
fn create(action: serde_json::Value) -> Rule {
    Rule::on("create", "pods", action)
}

fn answer(answer: serde_json::Value, effect: &str) -> serde_json::Value {
    json!({"do": "answer", "answer": answer, "effect": effect})
}

/// Launches through a fault that has to come, and gives what the launch came to.
async fn launch(t: &Ctx, client: &Podlaunch, faults: &Faults, id: &str, rule: Rule) -> Result<AcceptedHow, Failure> {
    // A pod's name is its task's id, a dash, and a hash.
    faults.plan(id, rule.named(&format!("{id}-*"))).await;
    let launched = client.launch(t.request(id, sh("echo once"))).await;
    let how = match launched {
        Ok(stream) => {
            let how = stream.seen.accepted.how();
            stream.collect().await.assert_succeeded(b"once\n");
            Ok(how)
        }
        Err(status) => Err(Failure::of(&status)),
    };
    assert!(faults.fired(id).await >= 1, "{id} did not happen");
    how
}

/// What may have been done is asked for again, until it is known.
#[test]
fn an_unknown_answer_is_asked_for_again() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        // A connection that ends takes other requests with it, so not those of other tests.
        let server = Server::start(&faulty_instance());
        let client = server.connect().await;
        let sever = |effect: &str, by: &str| json!({"do": "sever", "effect": effect, "by": by});
        let cases = [
            ("lost-reply", sever("done", "connection"), AcceptedHow::Attached),
            ("reset", sever("none", "connection"), AcceptedHow::Created),
            ("lost-stream", sever("done", "stream"), AcceptedHow::Attached),
            ("stream-reset", sever("none", "stream"), AcceptedHow::Created),
            ("cut-reply", json!({"do": "cut", "after": 100, "by": "stream"}), AcceptedHow::Attached),
            ("short-reply", json!({"do": "end", "after": 100}), AcceptedHow::Attached),
            ("with-500", answer(json!("internal"), "done"), AcceptedHow::Attached),
            ("without-500", answer(json!("internal"), "none"), AcceptedHow::Created),
            ("with-503", answer(json!("unavailable"), "done"), AcceptedHow::Attached),
            ("with-504", answer(json!("timeout"), "done"), AcceptedHow::Attached),
            ("without-504", answer(json!("timeout"), "none"), AcceptedHow::Created),
            ("with-502", answer(json!("bad_gateway"), "done"), AcceptedHow::Attached),
            ("quota-conflict", answer(json!("quota_conflict"), "none"), AcceptedHow::Created),
            ("webhook-down", answer(json!("webhook_down"), "none"), AcceptedHow::Created),
            ("too-many", answer(json!({"too_many_requests": {"retry_after": 1}}), "none"), AcceptedHow::Created),
            ("account-late", answer(json!("service_account"), "none"), AcceptedHow::Created),
        ];
        let one = async |(id, action, expected): &(&str, serde_json::Value, AcceptedHow)| {
            let how = launch(t, &client, &faults, id, create(action.clone()).times(1)).await;
            let how = how.unwrap_or_else(|failure| panic!("{id}: {failure}"));
            // The task may be over by then.
            let how = if how == AcceptedHow::Replayed { AcceptedHow::Attached } else { how };
            assert_eq!(how, *expected, "{id}");
        };
        // What ends a connection would end the others' requests with it.
        let (connection, rest) = cases.split_at(2);
        for case in connection {
            one(case).await;
        }
        join_all(rest.iter().map(one)).await;
        assert_eq!(t.cluster.list_pods().await.len(), cases.len(), "one pod each");
    });
}

/// What waiting cannot change is told at once, as what it is.
#[test]
fn a_refusal_is_told_as_what_it_is() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        let cases = [
            ("quota", "quota", Code::ResourceExhausted, "QUOTA_EXCEEDED", true),
            ("limit-range", "limit_range", Code::FailedPrecondition, "ADMISSION_DENIED", false),
            ("needs-requests", "quota_needs_requests", Code::FailedPrecondition, "ADMISSION_DENIED", false),
            ("priority", "priority_class", Code::FailedPrecondition, "ADMISSION_DENIED", false),
            ("security", "pod_security", Code::FailedPrecondition, "ADMISSION_DENIED", false),
            ("webhook", "webhook", Code::FailedPrecondition, "ADMISSION_DENIED", false),
            ("terminating", "namespace_terminating", Code::FailedPrecondition, "NAMESPACE_TERMINATING", false),
            ("missing", "namespace_missing", Code::FailedPrecondition, "NAMESPACE_NOT_FOUND", false),
            ("rbac", "rbac", Code::PermissionDenied, "FORBIDDEN_BY_CLUSTER", false),
            ("large", "too_large", Code::InvalidArgument, "REQUEST_TOO_LARGE", false),
            ("store-large", "etcd_too_large", Code::InvalidArgument, "REQUEST_TOO_LARGE", false),
        ];
        let all = cases.iter().map(async |(id, refusal, code, reason, retry)| {
            let rule = create(answer(json!(refusal), "none"));
            let failure = launch(t, t, &faults, id, rule).await.expect_err(id);
            failure.expect(*code, reason);
            assert_eq!(failure.retry_after.is_some(), *retry, "{failure}");
            assert_eq!(faults.fired(id).await, 1, "{id} is not asked for again");
        });
        join_all(all).await;
        assert!(t.cluster.list_pods().await.is_empty());
    });
}

/// A service account that stays missing is waited for, but not for long.
#[test]
fn a_service_account_that_stays_missing() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        let rule = create(answer(json!("service_account"), "none"));
        let failure = launch(t, t, &faults, "account", rule).await.expect_err("there is none");
        failure.expect(Code::FailedPrecondition, "SERVICE_ACCOUNT_NOT_FOUND");
        assert!(failure.retry_after.is_some(), "{failure}");
        assert!(faults.fired("account").await >= 3, "it was waited for");
    });
}

/// Quota and terminating namespaces are looked at before the name is: the pod may be there all the same.
#[test]
fn a_403_that_hides_the_pod_that_is_there() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        let instance = faulty_instance();
        let first = Server::start(&instance);
        let seeing = first.connect().await;
        // What the second server does not see it has to ask for.
        faults.plan("deaf", Rule::on("watch", "pods", json!({"do": "silence"})).by_instance(&instance)).await;
        let second = Server::start(&instance);
        let deaf = second.connect().await;
        faults.until_fired("deaf", 1).await;
        let refusals = ["quota", "namespace_terminating", "webhook", "rbac"];
        for refusal in refusals {
            let id = refusal.replace('_', "-");
            let request = t.request(&id, until_stopped("exit 0"));
            let made = seeing.launch(request.clone()).await.expect("accepted");
            assert_eq!(made.seen.accepted.how(), AcceptedHow::Created);
            faults.plan(&id, create(answer(json!(refusal), "none")).named(&format!("{id}-*"))).await;
            let found = deaf.launch(request).await.unwrap_or_else(|status| panic!("{refusal}: {status:?}"));
            assert_eq!(faults.fired(&id).await, 1, "{refusal}");
            assert_eq!(found.seen.accepted.how(), AcceptedHow::Attached, "{refusal}");
            assert_eq!(found.seen.pod().uid, made.seen.pod().uid, "{refusal}");
            seeing.cancel(made.seen.key(), "").await.expect("it can be cancelled");
        }
        assert_eq!(t.cluster.list_pods().await.len(), refusals.len());
    });
}

/// A quota is waited for when asked, and then no longer than that.
#[test]
fn a_wait_for_quota() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        let waiting = |id: &str, wait: i64| {
            let mut request = t.request(id, sh("echo once").timeouts(|t| t.schedule = Some(seconds(100))));
            request.wait_for_quota = Some(seconds(wait));
            request
        };
        let quota = || create(answer(json!("quota"), "none"));
        faults.plan("passes", quota().named("passes-*").times(4)).await;
        let task = t.launch(waiting("passes", 60)).await.expect("quota came free").collect().await;
        task.assert_succeeded(b"once\n");
        assert_eq!(task.accepted.how(), AcceptedHow::Created);
        assert_eq!(faults.fired("passes").await, 4);

        faults.plan("stays", quota().named("stays-*")).await;
        let failure = failure(t.launch(waiting("stays", 4)).await);
        failure.expect(Code::ResourceExhausted, "QUOTA_EXCEEDED");
        assert!(failure.retry_after.is_some(), "{failure}");
        assert!(faults.fired("stays").await >= 3, "it was tried again");
        assert_eq!(t.cluster.list_pods().await.len(), 1);
    });
}

/// The wait counts in the schedule timeout: what is left of it is what the pod gets.
#[test]
fn a_wait_for_quota_is_part_of_the_schedule_timeout() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        faults.plan("quota", create(answer(json!("quota"), "none"))).await;
        let spec = sh("true").nowhere().timeouts(|t| t.schedule = Some(seconds(1000)));
        let mut request = t.request("waits", spec);
        request.wait_for_quota = Some(seconds(60));
        let client = t.podlaunch.clone();
        let launch = tokio::spawn(async move { client.launch(request).await });
        faults.until_fired("quota", 6).await;
        faults.remove("quota").await;
        let stream = launch.await.expect("it does not panic").expect("accepted");
        let pod = t.cluster.pod(&stream.seen.pod().name).await;
        let annotations = pod.metadata.annotations.unwrap_or_default();
        let policy: serde_json::Value = serde_json::from_str(&annotations["podlaunch.dev/policy"]).expect("JSON");
        let left = policy["timeouts"]["schedule"].as_i64().expect("it is there");
        // Six times with back-off take 1.5 s at least.
        assert!((900..1000).contains(&left), "{left} s are left");
        t.cancel(stream.seen.key(), "").await.expect("it can be cancelled");
        stream.collect().await;
    });
}

/// The name is taken by a pod that goes: not ours to attach to as a running one, and the name comes free.
#[test]
fn a_409_of_a_pod_that_is_being_deleted() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        let held = create(answer(
            json!({"custom": {"status": 409, "headers": {"content-type": "application/json"},
                "body": r#"{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","message":"object is being deleted: pods \"p\" already exists","reason":"AlreadyExists","details":{"name":"p","kind":"pods"},"code":409}"#}}),
            "none",
        ));
        // Gone when it is looked for: asked for again, and created.
        launch(t, t, &faults, "deleting", held.times(2)).await.unwrap_or_else(|failure| panic!("{failure}"));
        assert_eq!(faults.fired("deleting").await, 2);
        assert_eq!(t.cluster.list_pods().await.len(), 1);
    });
}

/// What no answer tells the watch does.
#[test]
fn a_pod_that_no_answer_tells_of() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        faults.plan("unknown", create(answer(json!("internal"), "done"))).await;
        let request = t.request("unknown", sh("echo once"));
        // The watch shows the pod, so it is not asked for for ever.
        let task = t.launch(request.clone()).await.expect("the pod is there").collect().await;
        task.assert_succeeded(b"once\n");
        let again = t.launch(request).await.expect("the pod is there").collect().await;
        assert_eq!(again.accepted.how(), AcceptedHow::Replayed);
        assert_eq!(t.cluster.list_pods().await.len(), 1);
    });
}

/// The same launches through two servers at once, with replies lost at random.
#[test]
fn duplicates_through_two_servers_with_lost_replies() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        let instance = faulty_instance();
        let servers = [Server::start(&instance), Server::start(&instance)];
        let clients = [servers[0].connect().await, servers[1].connect().await];
        let lost = create(json!({"do": "sever", "effect": "done", "by": "stream"}));
        faults.plan("lost", lost.probability(0.4)).await;
        faults.plan("503", create(answer(json!("unavailable"), "done")).probability(0.3)).await;
        let tasks = 12;
        let launches = (0..tasks).flat_map(|task| (0..4).map(move |copy| (task, copy)));
        let all = launches.map(async |(task, copy)| {
            let request = t.request(&format!("many-{task}"), sh(&format!("echo {task}")));
            let client = &clients[copy % 2];
            loop {
                match client.launch(request.clone()).await {
                    Ok(stream) => break (task, stream.collect().await),
                    // Unknown: to be repeated with the same key and spec.
                    Err(status) if status.code() == Code::Unavailable => {}
                    Err(status) => panic!("{status:?}"),
                }
            }
        });
        let mut created = 0;
        let mut outcomes = std::collections::BTreeMap::new();
        for (task, seen) in join_all(all).await {
            seen.assert_succeeded(format!("{task}\n").as_bytes());
            created += usize::from(seen.accepted.how() == AcceptedHow::Created);
            let outcome = outcomes.entry(task).or_insert_with(|| seen.outcome_bytes());
            assert_eq!(*outcome, seen.outcome_bytes(), "one outcome for task {task}");
        }
        assert_eq!(t.cluster.list_pods().await.len(), tasks, "one pod each");
        assert!(created <= tasks, "{created} launches say that they created a pod");
        let fired = (faults.fired("lost").await, faults.fired("503").await);
        assert!(fired.0 + fired.1 >= 4, "faults hardly came: {fired:?}");
    });
}

/// Two servers launch the same key at the same moment: the second is made to see nothing of the first.
#[test]
fn two_servers_at_the_same_moment() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        let instance = faulty_instance();
        let servers = [Server::start(&instance), Server::start(&instance)];
        let clients = [servers[0].connect().await, servers[1].connect().await];
        // Both POSTs are held before they are done, so neither server can know of a pod.
        faults.plan("together", create(json!({"do": "hold"})).times(2)).await;
        let request = t.request("same", sh("echo once"));
        let launches = clients.map(|client| {
            let request = request.clone();
            tokio::spawn(async move { client.launch(request).await.expect("accepted").collect().await })
        });
        faults.until_fired("together", 2).await;
        faults.remove("together").await;
        let mut hows = Vec::new();
        for launch in launches {
            let seen = launch.await.expect("it does not panic");
            seen.assert_succeeded(b"once\n");
            hows.push(seen.accepted.how());
        }
        assert_eq!(hows.iter().filter(|how| **how == AcceptedHow::Created).count(), 1, "{hows:?}");
        assert_eq!(t.cluster.list_pods().await.len(), 1);
    });
}

/// A delay of the answer is no reason to ask twice.
#[test]
fn a_slow_answer_is_waited_for() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        faults.plan("slow", create(json!({"do": "pass"})).delayed(Duration::from_secs(3))).await;
        let how = {
            let stream = t.launch(t.request("slow", sh("true"))).await.expect("accepted");
            let how = stream.seen.accepted.how();
            stream.collect().await;
            how
        };
        assert_eq!(how, AcceptedHow::Created);
        assert_eq!(faults.matched("slow").await, 1, "one POST");
    });
}
