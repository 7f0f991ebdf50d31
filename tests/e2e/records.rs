//! A key outlives its pod: by the outcome record, over retention, deletion by others, releases and restarts.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Api;
use kube::api::ListParams;
use tonic::Code;

use crate::harness::collected::Collected;
use crate::harness::failure::failure;
use crate::harness::server::{Server, faulty_instance, unique_instance};
use crate::harness::spec::{Build as _, seconds, sh, until_stopped};
use crate::harness::v1::{self, AcceptedHow, Reason, TaskSource, TaskState};
use crate::harness::{Ctx, run, wait};

/// Attaches with the cursor of the Termination: it comes again.
fn from_its_end(task: &Collected) -> v1::AttachTaskRequest {
    let cursor = v1::attach_task_request::StartAt::Cursor(task.last_cursor());
    v1::AttachTaskRequest { key: Some(task.key()), start_at: Some(cursor), ..Default::default() }
}

/// Waits until the pod object of a task is gone.
async fn pod_gone(t: &Ctx, pod: &str) {
    wait::until("the pod to be gone", async || match t.cluster.pods().get_opt(pod).await {
        Ok(None) => Ok(()),
        Ok(Some(_)) => Err("it is there".to_owned()),
        Err(error) => Err(error.to_string()),
    })
    .await;
}

/// The records of an instance, in whichever namespace.
async fn records(t: &Ctx, instance: &str) -> Vec<String> {
    let api: Api<ConfigMap> = Api::all(t.cluster.client.clone());
    let selector = format!("podlaunch.dev/record,podlaunch.dev/instance={instance}");
    let list = api.list(&ListParams::default().labels(&selector)).await.expect("records can be listed");
    list.items.into_iter().filter_map(|map| map.metadata.name).collect()
}

/// The same launch again, on every server: the same outcome, and no pod.
async fn replays(t: &Ctx, servers: &[&Server], request: &v1::LaunchTaskRequest, first: &Collected) {
    for server in servers {
        let client = server.connect().await;
        let again = client.launch(request.clone()).await.expect("accepted").collect().await;
        assert_eq!(again.accepted.how(), AcceptedHow::Replayed);
        assert_eq!(again.outcome_bytes(), first.outcome_bytes());
        assert_eq!(again.pod().uid, first.pod().uid);
        let attached = v1::AttachTaskRequest { key: Some(first.key()), ..Default::default() };
        let attached = client.attach(attached).await.expect("it is known").collect().await;
        assert_eq!(attached.outcome_bytes(), first.outcome_bytes());
        let resumed = client.attach(from_its_end(first)).await.expect("its cursor is good").collect().await;
        assert_eq!(resumed.outcome_bytes(), first.outcome_bytes());
        let task = client.get(first.key()).await.expect("it is known");
        assert_eq!(task.source(), TaskSource::Record);
        assert_eq!(task.outcome.as_ref(), Some(first.outcome()));
        let cancelled = client.cancel(first.key(), "").await.expect("it has ended");
        assert_eq!(cancelled.result(), v1::CancelResult::AlreadyFinished);
    }
    assert!(t.cluster.list_pods().await.is_empty(), "another pod was made");
}

#[test]
fn a_key_outlives_the_retention_of_its_pod() {
    run(async |t| {
        let instance = unique_instance();
        let server = Server::start_with(&instance, &["--retain-success", "1s"]);
        let request = t.request("kept", sh("echo one; echo two"));
        let first = server.connect().await.launch(request.clone()).await.expect("accepted").collect().await;
        first.assert_succeeded(b"one\ntwo\n");
        pod_gone(t, &first.pod().name).await;
        assert_eq!(records(t, &instance).await, [first.pod().name.clone()]);
        let second = Server::start(&instance);
        replays(t, &[&server, &second], &request, &first).await;

        // Of the log nothing is left, and the verdict says so.
        let attached = v1::AttachTaskRequest { key: Some(first.key()), ..Default::default() };
        let alone = second.connect().await.attach(attached).await.expect("it is known").collect().await;
        assert_eq!(alone.delivery("main").verdict(), v1::DeliveryVerdict::Truncated);
        // A chain that had it all keeps its verdict.
        let resumed = second.connect().await.attach(from_its_end(&first)).await;
        let resumed = resumed.expect("its cursor is good").collect().await;
        assert_eq!(resumed.delivery("main").verdict(), v1::DeliveryVerdict::Complete);

        let mut other = t.request("kept", sh("echo three"));
        failure(second.connect().await.launch(other.clone()).await).expect(Code::AlreadyExists, "TASK_SPEC_MISMATCH");
        other.key.get_or_insert_default().attempt = 2;
        second.connect().await.launch(other).await.expect("another attempt").collect().await;
    });
}

#[test]
fn after_its_window_a_key_is_free() {
    run(async |t| {
        // Its key makes two pods, as it must: not for the rules of the whole run.
        let instance = faulty_instance();
        let flags = ["--retain-success", "1s", "--idempotency-window", "4s"];
        let server = Server::start_with(&instance, &flags);
        let client = server.connect().await;
        let request = t.request("again", sh("echo x"));
        let first = client.launch(request.clone()).await.expect("accepted").collect().await;
        pod_gone(t, &first.pod().name).await;
        wait::until("the record to expire", async || match records(t, &instance).await {
            none if none.is_empty() => Ok(()),
            some => Err(format!("{some:?}")),
        })
        .await;
        failure(client.attach(from_its_end(&first)).await).expect(Code::NotFound, "TASK_RELEASED");
        failure(client.get(first.key()).await).expect(Code::NotFound, "TASK_UNKNOWN");
        let second = client.launch(request).await.expect("accepted").collect().await;
        assert_eq!(second.accepted.how(), AcceptedHow::Created);
        assert_ne!(second.pod().uid, first.pod().uid);
    });
}

#[test]
fn a_finished_pod_that_others_delete_leaves_its_record() {
    run(async |t| {
        for finalizer in ["off", "on"] {
            let instance = unique_instance();
            let server = Server::start_with(&instance, &["--finalizer", finalizer]);
            let request = t.request(&format!("deleted-{finalizer}"), sh("echo x; exit 3"));
            let first = server.connect().await.launch(request.clone()).await.expect("accepted").collect().await;
            first.assert_exit_code(3);
            t.cluster.delete_pod(&first.pod().name).await;
            pod_gone(t, &first.pod().name).await;
            wait::until("the record", async || match records(t, &instance).await {
                none if none.is_empty() => Err("there is none"),
                _ => Ok(()),
            })
            .await;
            let second = Server::start(&instance);
            replays(t, &[&server, &second], &request, &first).await;
        }
    });
}

/// The finalizer keeps what happened while nobody was there.
#[test]
fn deletion_while_no_server_runs() {
    run(async |t| {
        let instance = unique_instance();
        let first = Server::start_with(&instance, &["--finalizer", "on"]);
        let request = t.request("alone", sh("echo x; exit 4"));
        let task = first.connect().await.launch(request.clone()).await.expect("accepted").collect().await;
        let running = t.request("stopped", until_stopped("exit 5"));
        let mut stream = first.connect().await.launch(running.clone()).await.expect("accepted");
        stream.until_line("ready\n").await;
        first.kill();
        let before = stream.drain().await;
        t.cluster.delete_pod(&task.pod().name).await;
        t.cluster.delete_pod(&before.pod().name).await;
        t.cluster.watch_until(&before.pod().name, |pod| phase(pod) == "Failed").await;

        let second = Server::start_with(&instance, &["--finalizer", "on"]);
        let client = second.connect().await;
        let ended = client.resume(&before).await.expect("its cursor is good").collect().await;
        ended.assert_ended(TaskState::Disrupted, Reason::PodDeleted);
        ended.assert_exit_code(5);
        for pod in [&task.pod().name, &before.pod().name] {
            pod_gone(t, pod).await;
        }
        replays(t, &[&second], &request, &task).await;
        let again = client.launch(running).await.expect("accepted").collect().await;
        assert_eq!(again.outcome_bytes(), ended.outcome_bytes());
        assert_eq!(again.accepted.how(), AcceptedHow::Replayed);
    });
}

fn phase(pod: &k8s_openapi::api::core::v1::Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

#[test]
fn a_task_is_released_once_it_has_ended() {
    run(async |t| {
        let instance = unique_instance();
        let server = Server::start(&instance);
        let client = server.connect().await;
        let delete = async |pod_uid: &str, key: v1::TaskKey| {
            let request = v1::DeleteTaskRequest { key: Some(key), pod_uid: pod_uid.to_owned() };
            client.grpc.clone().delete_task(request).await
        };
        let request = t.request("released", until_stopped("exit 0"));
        let mut stream = client.launch(request.clone()).await.expect("accepted");
        stream.until_line("ready\n").await;
        let key = stream.seen.key();
        failure(delete("", key.clone()).await).expect(Code::FailedPrecondition, "TASK_ACTIVE");
        client.cancel(key.clone(), "enough").await.expect("it can be cancelled");
        let ended = stream.collect().await;
        failure(delete("another", key.clone()).await).expect(Code::FailedPrecondition, "POD_UID_MISMATCH");
        failure(delete("", t.key("nobody")).await).expect(Code::NotFound, "TASK_UNKNOWN");
        let released = delete(&ended.pod().uid, key.clone()).await.expect("it has ended").into_inner();
        assert!(released.idempotent_until.is_some());
        delete("", key.clone()).await.expect("released before");
        pod_gone(t, &ended.pod().name).await;
        delete("", key).await.expect("released before");
        replays(t, &[&server], &request, &ended).await;
    });
}

#[test]
fn a_cancel_before_the_launch_holds() {
    run(async |t| {
        let cancel = v1::CancelTaskRequest {
            key: Some(t.key("early")),
            reason: "not today".to_owned(),
            allow_missing: true,
            ..Default::default()
        };
        let answer = t.grpc.clone().cancel_task(cancel.clone()).await.expect("recorded").into_inner();
        assert_eq!(answer.result(), v1::CancelResult::Recorded);
        let again = t.grpc.clone().cancel_task(cancel).await.expect("recorded").into_inner();
        assert_eq!(again.result(), v1::CancelResult::AlreadyFinished);
        let task = t.run_as("early", sh("echo never")).await;
        assert_eq!(task.accepted.how(), AcceptedHow::Replayed);
        let outcome = task.assert_ended(TaskState::Cancelled, Reason::CancelledByCaller);
        assert_eq!(outcome.stop.as_ref().map(|stop| stop.reason.as_str()), Some("not today"));
        assert_eq!(task.pod().uid, "");
        assert!(t.cluster.list_pods().await.is_empty());
    });
}

/// Launch and cancel of the same keys at once, on two servers: whoever is first, the task ends cancelled.
#[test]
fn a_cancel_beside_the_launch_holds() {
    run(async |t| {
        // Such a cancel looks for the pod that a launch may have made meanwhile: not for the rules of the whole run.
        let instance = faulty_instance();
        let servers = (Server::start(&instance), Server::start(&instance));
        let (left, right) = (servers.0.connect().await, servers.1.connect().await);
        let one = async |number: usize| {
            let id = format!("beside-{number}");
            let cancel = v1::CancelTaskRequest { key: Some(t.key(&id)), allow_missing: true, ..Default::default() };
            let mut grpc = right.grpc.clone();
            let request = t.request(&id, until_stopped("exit 0").grace(1));
            let (launched, cancelled) = tokio::join!(left.launch(request), grpc.cancel_task(cancel));
            cancelled.expect("it counts in any case");
            let task = launched.expect("accepted").collect().await;
            task.assert_ended(TaskState::Cancelled, Reason::CancelledByCaller);
            !task.pod().uid.is_empty()
        };
        let pods = futures::future::join_all((0..12).map(one)).await;
        println!("{} of {} had a pod", pods.iter().filter(|had| **had).count(), pods.len());
    });
}

/// A task whose callers are gone is stopped; one whose caller moves to another server is not.
#[test]
fn disconnect_policies() {
    run(async |t| {
        let instance = unique_instance();
        let first = Server::start(&instance);
        let second = Server::start(&instance);
        let request = |id: &str| {
            let mut request = t.request(id, until_stopped("exit 0"));
            let mode = v1::DisconnectMode::CancelAfter.into();
            request.disconnect_policy = Some(v1::DisconnectPolicy { mode, cancel_after: Some(seconds(60)) });
            request
        };
        let client = first.connect().await;
        let mut moving = client.launch(request("moving")).await.expect("accepted");
        moving.until_line("ready\n").await;
        let mut left = client.launch(request("left")).await.expect("accepted");
        left.until_line("ready\n").await;
        let left = left.seen.key();
        let mut killed = client.launch(request("killed")).await.expect("accepted");
        killed.until_line("ready\n").await;
        drop(client);
        // The server of all three goes; one client goes on elsewhere.
        first.kill();
        let (moved, killed) = (moving.drain().await, killed.drain().await);
        let other = second.connect().await;
        let mut moved = other.resume(&moved).await.expect("its cursor is good");
        // Looked at through the cluster: a stream of ours would be a listener.
        for key in [&left, &killed.key()] {
            let stopped = wait::until("the task nobody listens to to end", async || {
                let task = other.get(key.clone()).await.map_err(|status| status.to_string())?;
                task.outcome.ok_or_else(|| "it has not ended".to_owned())
            })
            .await;
            assert_eq!((stopped.state(), stopped.reason()), (TaskState::Cancelled, Reason::Disconnected));
        }
        assert!(moved.seen.termination().is_none(), "its caller was there all the time");
        let pod = t.cluster.pod(&moved.seen.pod().name).await;
        assert!(!pod.metadata.annotations.unwrap_or_default().contains_key("podlaunch.dev/stop"));
        other.cancel(moved.seen.key(), "").await.expect("it can be cancelled");
        let moved = moved.until("its end", |seen| seen.termination().is_some()).await;
        assert_eq!(moved.outcome().reason(), Reason::CancelledByCaller);
    });
}

/// What the keeper leaves behind, the next one does: deadlines, retention, records.
#[test]
fn another_keeper_goes_on() {
    run(async |t| {
        let instance = unique_instance();
        let first = Server::start_with(&instance, &["--retain-success", "1s"]);
        let client = first.connect().await;
        let done = client.launch(t.request("done", sh("true"))).await.expect("accepted").collect().await;
        let spec = until_stopped("exit 0").timeouts(|timeouts| timeouts.execution = Some(seconds(3)));
        let mut bounded = client.launch(t.request("bounded", spec)).await.expect("accepted");
        bounded.until_line("ready\n").await;
        let second = Server::start_with(&instance, &["--retain-success", "1s"]);
        let other = second.connect().await;
        first.kill();
        let bounded = bounded.drain().await;
        let ended = other.resume(&bounded).await.expect("its cursor is good").collect().await;
        ended.assert_ended(TaskState::Failed, Reason::ExecutionTimeout);
        pod_gone(t, &done.pod().name).await;
        replays_record(&other, &done).await;
    });
}

async fn replays_record(client: &crate::harness::podlaunch::Podlaunch, first: &Collected) {
    let attached = v1::AttachTaskRequest { key: Some(first.key()), ..Default::default() };
    let again = client.attach(attached).await.expect("it is known").collect().await;
    assert_eq!(again.outcome_bytes(), first.outcome_bytes());
}

/// A pod with the labels and annotations of one of ours, outcome included, under another name: never touched (G8).
#[test]
fn a_copy_of_a_pod_is_left_alone() {
    run(async |t| {
        let instance = unique_instance();
        let server = Server::start_with(&instance, &["--retain-success", "2s"]);
        let client = server.connect().await;
        let task = client.launch(t.request("original", sh("true"))).await.expect("accepted").collect().await;
        let mut copy = t.cluster.pod(&task.pod().name).await;
        let metadata = std::mem::take(&mut copy.metadata);
        copy.metadata.name = Some("copy".to_owned());
        copy.metadata.labels = metadata.labels;
        copy.metadata.annotations = metadata.annotations;
        copy.status = None;
        if let Some(spec) = &mut copy.spec {
            spec.node_name = None;
        }
        t.cluster.pods().create(&Default::default(), &copy).await.expect("a copy");
        pod_gone(t, &task.pod().name).await;
        // What was done to the original would be done to the copy at the same time or before.
        let copy = t.cluster.pod("copy").await;
        assert!(copy.metadata.deletion_timestamp.is_none(), "{:?}", copy.metadata);
        let latest = v1::TaskKey { attempt: 0, ..task.key() };
        let task = client.get(latest).await.expect("its record is there");
        assert_eq!(task.source(), TaskSource::Record);
    });
}
