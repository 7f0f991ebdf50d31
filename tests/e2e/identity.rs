//! One key, one pod: whatever is repeated, at once or later.

use std::collections::HashSet;

use futures::future::join_all;
use tonic::Code;

use crate::harness::audit;
use crate::harness::collected::Collected;
use crate::harness::failure::failure;
use crate::harness::server::{FIRST_START, Server};
use crate::harness::spec::{Build as _, sh};
use crate::harness::v1::{self, AcceptedHow};
use crate::harness::{Ctx, run, wait};

#[test]
fn fifty_launches_at_once_make_one_pod() {
    run(async |t| {
        let mut clients = Vec::new();
        for _ in 0..5 {
            clients.push(Server::shared().connect().await);
        }
        let request = t.request("one", sh("seq 1 1000; sleep 1; echo end"));
        let launches = clients.iter().cycle().take(50).map(async |client| {
            let launched = client.launch(request.clone()).await;
            launched.unwrap_or_else(|status| panic!("{status:?}")).collect().await
        });
        let streams: Vec<Collected> = join_all(launches).await;

        let pods = t.cluster.list_pods().await;
        assert_eq!(pods.len(), 1, "one pod");
        let created = streams.iter().filter(|seen| seen.accepted.how() == AcceptedHow::Created).count();
        assert_eq!(created, 1, "one launch created it");
        let outcomes: HashSet<Vec<u8>> = streams.iter().map(Collected::outcome_bytes).collect();
        assert_eq!(outcomes.len(), 1, "the outcome is the same, byte for byte");
        let uids: HashSet<&str> = streams.iter().map(|seen| seen.pod().uid.as_str()).collect();
        assert_eq!(uids.into_iter().collect::<Vec<_>>(), [pods[0].metadata.uid.as_deref().unwrap_or_default()]);
        let first = streams[0].output().to_vec();
        for stream in &streams {
            stream.assert_succeeded(&first);
        }
        assert_one_creation(t).await;
    });
}

/// What the API server itself noted, where its audit log can be read.
async fn assert_one_creation(t: &Ctx) {
    let Some(log) = &t.backend.audit else {
        println!("note: no audit log: the pods were counted only");
        return;
    };
    let created = async || -> Result<usize, &str> {
        let entries = audit::of_podlaunch(log, *FIRST_START);
        let ours = entries
            .iter()
            .filter(|entry| entry.namespace() == t.namespace && entry.verb == "create" && entry.resource() == "pods");
        match ours.filter(|entry| entry.code() == 201).count() {
            0 => Err("the audit log is written a moment later"),
            count => Ok(count),
        }
    };
    assert_eq!(wait::until("the creation in the audit log", created).await, 1);
}

#[test]
fn a_launch_sent_twice_attaches() {
    run(async |t| {
        let request = t.request("twice", crate::harness::spec::until_stopped("exit 0"));
        let mut first = t.launch(request.clone()).await.expect("accepted");
        assert_eq!(first.seen.accepted.how(), AcceptedHow::Created);
        first.until_line("ready\n").await;
        let mut second = t.launch(request).await.expect("accepted");
        assert_eq!(second.seen.accepted.how(), AcceptedHow::Attached);
        assert_eq!(second.seen.pod().uid, first.seen.pod().uid);
        second.until_line("ready\n").await;
        t.cancel(first.seen.key(), "").await.expect("it can be cancelled");
        let (first, second) = (first.collect().await, second.collect().await);
        assert_eq!(first.outcome_bytes(), second.outcome_bytes());
        assert_eq!(first.output(), second.output());
    });
}

#[test]
fn a_finished_task_is_replayed() {
    run(async |t| {
        let request = t.request("again", sh("seq 1 100; exit 3"));
        let first = t.launch(request.clone()).await.expect("accepted").collect().await;
        let again = t.launch(request).await.expect("accepted").collect().await;
        assert_eq!(again.accepted.how(), AcceptedHow::Replayed);
        assert!(again.accepted.idempotent_until.is_some(), "{:?}", again.accepted);
        assert_eq!(again.outcome_bytes(), first.outcome_bytes());
        assert_eq!(again.output(), first.output());
        let task = again.accepted.task.as_ref().expect("Accepted.task is set");
        assert_eq!(task.outcome.as_ref(), Some(first.outcome()));
        assert_eq!(t.cluster.list_pods().await.len(), 1);
        // The same events have the same identity.
        let uids = |seen: &Collected| -> HashSet<String> {
            let states = seen.events.iter().filter(|event| {
                let body = event.body.as_ref();
                matches!(body, Some(v1::event::Body::ContainerChange(change))
                    if matches!(change.state, Some(v1::container_change::State::Terminated(_))))
            });
            states.map(|event| event.event_uid.clone()).collect()
        };
        assert_eq!(uids(&again), uids(&first));
    });
}

#[test]
fn another_spec_under_the_same_key_is_refused() {
    run(async |t| {
        let first = t.run_as("mine", sh("true")).await;
        let other = t.request("mine", sh("true").env("A", "b"));
        let failure = failure(t.launch(other).await);
        failure.expect(Code::AlreadyExists, "TASK_SPEC_MISMATCH");
        assert_eq!(failure.metadata.get("task_id").map(String::as_str), Some("mine"), "{failure}");
        assert_eq!(t.cluster.list_pods().await.len(), 1);
        let known = t.get(first.key()).await.expect("it is as it was");
        assert_eq!(known.outcome.as_ref(), Some(first.outcome()));
    });
}

/// Key order and comments of a manifest do not make another spec.
#[test]
fn the_same_manifest_written_otherwise_is_the_same_spec() {
    run(async |t| {
        let written = |manifest: &str| {
            let spec = v1::TaskSpec { manifest: manifest.to_owned(), ..Default::default() };
            t.request("same", spec)
        };
        let yaml = "spec:\n  containers:\n  - name: main # the one\n    image: busybox:1\n    command: [echo, hi]\n";
        let json = r#"{"spec": {"containers": [{"command": ["echo", "hi"], "image": "busybox:1", "name": "main"}]}}"#;
        let first = t.launch(written(yaml)).await.expect("accepted").collect().await;
        let second = t.launch(written(json)).await.expect("accepted").collect().await;
        assert_eq!(first.pod().uid, second.pod().uid);
        second.assert_succeeded(b"hi\n");
    });
}

#[test]
fn another_attempt_is_another_pod() {
    run(async |t| {
        let first = t.run_as("retried", sh("exit 1")).await;
        let mut request = t.request("retried", sh("exit 0"));
        request.key.get_or_insert_default().attempt = 2;
        let second = t.launch(request).await.expect("accepted").collect().await;
        assert_ne!(first.pod().name, second.pod().name);
        assert_eq!(second.key().attempt, 2);
        let mut latest = t.key("retried");
        latest.attempt = 0;
        let known = t.get(latest).await.expect("the highest is known");
        assert_eq!(known.key, second.accepted.key);
    });
}

#[test]
fn a_second_attempt_beside_an_active_one_is_refused() {
    run(async |t| {
        let mut stream = t.start("busy", crate::harness::spec::until_stopped("exit 0")).await;
        stream.until_line("ready\n").await;
        let mut request = t.request("busy", sh("true"));
        request.key.get_or_insert_default().attempt = 2;
        let failure = failure(t.launch(request).await);
        failure.expect(Code::FailedPrecondition, "PREVIOUS_ATTEMPT_ACTIVE");
        assert_eq!(t.cluster.list_pods().await.len(), 1);
    });
}

/// Somebody else's pod under the deterministic name, with our labels copied, is left alone (G8).
#[test]
fn a_pod_with_copied_labels_is_not_ours() {
    run(async |t| {
        let mine = t.run_as("copied", sh("true")).await;
        let mut copy = t.cluster.pod(&mine.pod().name).await;
        copy.metadata = kube::api::ObjectMeta {
            name: Some("copy".to_owned()),
            labels: copy.metadata.labels,
            annotations: copy.metadata.annotations,
            ..Default::default()
        };
        copy.status = None;
        if let Some(spec) = &mut copy.spec {
            spec.node_name = None;
        }
        let made = t.cluster.pods().create(&kube::api::PostParams::default(), &copy).await;
        made.expect("the copy can be created");
        let again = t.attach_anew(mine.key()).await.expect("it is known").collect().await;
        assert_eq!(again.pod().uid, mine.pod().uid);
        assert_eq!(again.outcome_bytes(), mine.outcome_bytes());
        let copy = t.cluster.pod("copy").await;
        assert_eq!(copy.metadata.deletion_timestamp, None, "it is left alone");
    });
}
