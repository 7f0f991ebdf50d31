//! Containers beside the primary: the task ends with the primary, whatever they do.
//!
//! A regular container that goes on is stopped (`podlaunch.dev/cleanup`); a native sidecar is Kubernetes' to stop.

use k8s_openapi::api::core::v1::Pod;

use crate::harness::collected::Collected;
use crate::harness::images::BUSYBOX;
use crate::harness::podlaunch::Podlaunch;
use crate::harness::server::{Server, unique_instance};
use crate::harness::spec::{Build as _, sh};
use crate::harness::v1::{self, CancelResult, Certainty, DeliveryVerdict, Reason, ResultKind, ResultState, TaskState};
use crate::harness::{Ctx, run, wait};

const CLEANUP: &str = "podlaunch.dev/cleanup";

/// What both containers see of the volume `shared`.
const SHARED: &str = r#""${PODLAUNCH_CONTAINER_ROOT-}/shared""#;

/// Says when it is up, and on SIGTERM runs `on_stop`. Ended by nothing else.
fn endless(on_stop: &str) -> String {
    format!("trap '{on_stop}' TERM; echo up; : > {SHARED}/up; sleep 600 & wait $!")
}

/// A task whose primary runs `main` as soon as the regular container `side` is up.
fn beside(main: &str, side: &str) -> v1::TaskSpec {
    let mounts = serde_json::json!([{"name": "shared", "mountPath": "/shared"}]);
    let manifest = serde_json::json!({
        "containers": [
            {"name": "main", "volumeMounts": mounts},
            {"name": "side", "image": BUSYBOX, "command": ["sh", "-c", side], "volumeMounts": mounts},
        ],
        "volumes": [{"name": "shared", "emptyDir": {}}],
    });
    let mut spec = sh(&after_side(main)).all_logs().grace(10);
    spec.manifest = manifest.to_string();
    spec.primary_container = "main".to_owned();
    spec
}

fn after_side(main: &str) -> String {
    format!("until [ -e {SHARED}/up ]; do sleep 0.1; done; {main}")
}

fn on_failure(spec: v1::TaskSpec) -> v1::TaskSpec {
    spec.pod(|pod| pod.restart_policy = v1::RestartPolicy::OnFailure.into())
}

/// A server that gives sidecars so long.
async fn server(grace: &str) -> (Server, Podlaunch) {
    let server = Server::start_with(&unique_instance(), &["--sidecar-grace", grace]);
    let client = server.connect().await;
    (server, client)
}

fn is_cleaned_up(pod: &Pod) -> bool {
    pod.metadata.annotations.as_ref().is_some_and(|annotations| annotations.contains_key(CLEANUP))
}

fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or_default()
}

/// The pod at its end.
async fn over(t: &Ctx, task: &Collected) -> Pod {
    t.cluster.watch_until(&task.pod().name, |pod| matches!(phase(pod), "Succeeded" | "Failed")).await
}

#[track_caller]
fn assert_complete(task: &Collected, container: &str, log: &[u8]) {
    assert_eq!(String::from_utf8_lossy(task.log(container)), String::from_utf8_lossy(log), "\n{task}");
    assert_eq!(task.delivery(container).verdict(), DeliveryVerdict::Complete, "\n{task}");
}

/// The outcome is the primary's, also when Kubernetes calls the pod failed; the Termination has all logs.
#[test]
fn a_regular_container_that_never_ends() {
    run(async |t| {
        let (_server, client) = server("1s").await;
        let cases = [
            ("succeeds", "echo done", TaskState::Succeeded, Reason::Completed, 0),
            ("fails", "echo done; exit 3", TaskState::Failed, Reason::ExitCode, 3),
            // It might have been killed with its pod: that it was not is known when the pod has to be ended.
            ("killed", "echo done; exit 137", TaskState::Failed, Reason::ExitCode, 137),
        ];
        let tasks = cases.map(async |(name, main, state, reason, code)| {
            let request = t.request(name, beside(main, &endless("echo told; exit 0")));
            let task = client.launch(request).await.expect("accepted").collect().await;
            let outcome = task.assert_ended(state, reason);
            task.assert_exit_code(code);
            assert_eq!((outcome.certainty(), outcome.timeout()), (Certainty::Observed, v1::TimeoutKind::Unspecified));
            assert_eq!(outcome.stop, None, "it was not stopped");
            assert!(!task.state_changes().any(|change| change.state() == TaskState::Terminating), "\n{task}");
            assert_complete(&task, "main", b"done\n");
            assert_complete(&task, "side", b"up\ntold\n");

            let pod = over(t, &task).await;
            assert!(is_cleaned_up(&pod), "{name}");
            assert_eq!(
                (phase(&pod), pod.status.as_ref().and_then(|s| s.reason.as_deref())),
                ("Failed", Some("DeadlineExceeded"))
            );
            let again = v1::AttachTaskRequest { key: Some(task.key()), ..Default::default() };
            let again = client.attach(again).await.expect("it is known").collect().await;
            assert_eq!(again.outcome_bytes(), task.outcome_bytes(), "{name}");
        });
        futures::future::join_all(tasks).await;
    });
}

/// Whoever does not ask for the sidecar's log does not wait for it.
#[test]
fn its_log_is_not_waited_for_unasked() {
    run(async |t| {
        let (_server, client) = server("1h").await;
        let mut spec = beside("echo done", &endless("exit 0"));
        spec.logs = None;
        let task = client.launch(t.request("task", spec)).await.expect("accepted").collect().await;
        task.assert_succeeded(b"done\n");
        let pod = t.cluster.pod(&task.pod().name).await;
        assert!(!is_cleaned_up(&pod));
        assert_eq!(phase(&pod), "Running");
    });
}

/// One that ends by itself within the grace is left to.
#[test]
fn a_regular_container_that_ends_by_itself() {
    run(async |t| {
        let (_server, client) = server("1h").await;
        let side = format!("echo up; : > {SHARED}/up; sleep 2; echo over");
        let tasks = [("soon", beside("echo done", &side)), ("on-failure", on_failure(beside("echo done", &side)))];
        let tasks = tasks.map(async |(name, spec)| {
            let task = client.launch(t.request(name, spec)).await.expect("accepted").collect().await;
            task.assert_ended(TaskState::Succeeded, Reason::Completed);
            assert_complete(&task, "side", b"up\nover\n");
            let pod = over(t, &task).await;
            assert!(!is_cleaned_up(&pod));
            assert_eq!(phase(&pod), "Succeeded");
        });
        futures::future::join_all(tasks).await;
    });
}

/// Under OnFailure exit code 0 is for good, and any other is not.
#[test]
fn beside_a_primary_that_is_started_again() {
    run(async |t| {
        let (_server, client) = server("1s").await;
        let main = format!("[ -e {SHARED}/again ] && echo second && exit 0; : > {SHARED}/again; echo first; exit 4");
        let spec = on_failure(beside(&main, &endless("echo told; exit 0")));
        let task = client.launch(t.request("task", spec)).await.expect("accepted").collect().await;
        task.assert_ended(TaskState::Succeeded, Reason::Completed);
        task.assert_exit_code(0);
        let runs = [0, 1].map(|restart| task.logs.get(&("main".to_owned(), restart)).cloned().unwrap_or_default());
        assert_eq!(runs, [b"first\n".to_vec(), b"second\n".to_vec()], "\n{task}");
        assert_complete(&task, "side", b"up\ntold\n");
    });
}

/// A file's result is taken when the pod is ended.
#[test]
fn a_result_beside_a_regular_container() {
    run(async |t| {
        let (_server, client) = server("1s").await;
        let main = r#"printf '{"rows": 3}' > "${PODLAUNCH_CONTAINER_ROOT-}/airflow/xcom/return.json""#;
        let mut spec = beside(main, &endless("exit 0")).grace(30);
        spec.result = Some(v1::ResultSource { kind: ResultKind::File.into(), ..Default::default() });
        let task = client.launch(t.request("task", spec)).await.expect("accepted").collect().await;
        let outcome = task.assert_ended(TaskState::Succeeded, Reason::Completed);
        let result = outcome.result.as_ref().expect("a result");
        assert_eq!((result.state(), result.data.as_ref()), (ResultState::Inline, &br#"{"rows": 3}"#[..]), "\n{task}");
    });
}

/// The keeper goes when there is something to stop: the next one does it. A cancel meanwhile changes nothing.
#[test]
fn another_keeper_stops_what_goes_on() {
    run(async |t| {
        let flags = ["--sidecar-grace", "10s"];
        let mut server = Server::start_with(&unique_instance(), &flags);
        let client = server.connect().await;
        let spec = beside("echo done; exit 137", &endless("echo told; exit 0"));
        let mut stream = client.launch(t.request("task", spec)).await.expect("accepted");
        let ended = |seen: &Collected| {
            let mut changes = seen.container_changes().filter(|change| change.container == "main");
            changes.any(|change| matches!(change.state, Some(v1::container_change::State::Terminated(_))))
        };
        stream.until("the primary has ended", ended).await;
        let answer = client.cancel(stream.seen.key(), "too late").await.expect("it is answered");
        assert_ne!(answer.result(), CancelResult::Stopping, "its primary had ended");
        server.kill();
        let before = stream.drain().await;
        server.start_again();
        let task = server.connect().await.resume(&before).await.expect("it is known").collect().await;
        task.assert_ended(TaskState::Failed, Reason::ExitCode);
        task.assert_exit_code(137);
        assert_complete(&task, "side", b"up\ntold\n");
        assert!(is_cleaned_up(&over(t, &task).await));
    });
}

/// A native sidecar takes its time to stop: the outcome is there before, its last line before the Termination.
#[test]
fn a_native_sidecar_does_not_delay_the_outcome() {
    run(async |t| {
        let side = endless("echo told; sleep 5; echo over; exit 0");
        let mut spec = beside("echo done", "").grace(20);
        let mounts = serde_json::json!([{"name": "shared", "mountPath": "/shared"}]);
        let manifest = serde_json::json!({
            "containers": [{"name": "main", "volumeMounts": mounts}],
            "initContainers": [{"name": "side", "image": BUSYBOX, "command": ["sh", "-c", side],
                                "restartPolicy": "Always", "volumeMounts": mounts}],
            "volumes": [{"name": "shared", "emptyDir": {}}],
        });
        spec.manifest = manifest.to_string();
        let mut stream = t.start("task", spec).await;
        stream.until_line("done\n").await;
        let key = stream.seen.key();
        let task = wait::until("the outcome", async || {
            let task = t.get(key.clone()).await.map_err(|status| status.to_string())?;
            if task.outcome.is_some() { Ok(task) } else { Err(format!("{:?}", task.state())) }
        })
        .await;
        let outcome = task.outcome.as_ref().expect("it is there");
        assert_eq!((outcome.state(), outcome.exit_code), (TaskState::Succeeded, Some(0)));
        let side = outcome.containers.iter().find(|status| status.name == "side").expect("it is listed");
        let still_runs = matches!(side.state, Some(v1::container_status::State::Running(_)));
        assert!(still_runs, "the outcome did not wait for it: {side:?}");

        let task = stream.collect().await;
        assert_eq!(Some(task.outcome()), Some(outcome));
        assert_complete(&task, "main", b"done\n");
        assert_complete(&task, "side", b"up\ntold\nover\n");
        assert!(!is_cleaned_up(&over(t, &task).await), "Kubernetes ends it");
    });
}
