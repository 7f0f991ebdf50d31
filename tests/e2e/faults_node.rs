//! Nodes that are lost and come back, and clusters that take pods away, as the recorded histories show them, on demand.

use serde_json::json;

use crate::harness::collected::Collected;
use crate::harness::faults::{self, Faults, Gate};
use crate::harness::server::{Server, unique_instance};
use crate::harness::spec::{Build as _, seconds, sh, until_stopped};
use crate::harness::v1::{self, Certainty, DeliveryVerdict, Origin, Reason, TaskState};
use crate::harness::{Ctx, run, wait};

/// A node that is lost is not the end; what ended meanwhile is told as it was when it is back.
#[test]
fn a_node_that_comes_back() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        let gate = Gate::new();
        let mut stream = t.start("task", sh(&format!("echo one; {}; echo two; exit 7", gate.wait()))).await;
        stream.until_line("one\n").await;
        let pod = stream.seen.pod().name.clone();
        faults.act_on(&pod, json!({"act": "node_lost"})).await;
        stream.until("it is unreachable", |seen| seen.state() == TaskState::Unreachable).await;
        gate.open();
        faults.act_on(&pod, json!({"act": "node_back"})).await;
        let task = stream.collect().await;
        task.assert_exit_code(7);
        task.assert_output(b"one\ntwo\n");
    });
}

/// A node that stays away: LOST after the time the task gives it, and nothing is made up.
#[test]
fn a_node_that_stays_away() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        let spec = until_stopped("exit 0").timeouts(|timeouts| timeouts.lost = Some(seconds(60)));
        let mut stream = t.start("task", spec).await;
        stream.until_line("ready\n").await;
        let pod = stream.seen.pod().name.clone();
        faults.act_on(&pod, json!({"act": "node_lost"})).await;
        stream.until("it is unreachable", |seen| seen.state() == TaskState::Unreachable).await;
        // The node's object goes: PodGC ends the pod, although its container is running as far as anybody knows.
        faults.act_on(&pod, json!({"act": "disrupt", "by": "pod_gc"})).await;
        let task = stream.collect().await;
        let outcome = task.outcome();
        assert!(matches!(outcome.state(), TaskState::Lost | TaskState::Disrupted), "{outcome:?}");
        assert_eq!(outcome.exit_code, None, "{outcome:?}");
        assert_eq!(outcome.origin(), Origin::Cluster, "{outcome:?}");
        assert_ne!(outcome.certainty(), Certainty::Observed, "{outcome:?}");
        assert_ne!(task.delivery("main").verdict(), DeliveryVerdict::Complete);
    });
}

async fn disrupted(faults: &Faults, t: &Ctx, by: &str, on_stop: &str) -> Collected {
    let mut stream = t.start(&format!("by-{}", by.replace('_', "-")), until_stopped(on_stop)).await;
    stream.until_line("ready\n").await;
    faults.act_on(&stream.seen.pod().name, json!({"act": "disrupt", "by": by})).await;
    stream.collect().await
}

/// Whoever takes a pod away is named; its own last words and exit code are told.
#[test]
fn pods_that_are_taken_away() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        let cases =
            [("eviction", Reason::ApiEvicted), ("taint", Reason::TaintEvicted), ("preemption", Reason::Preempted)];
        let all = cases.map(async |(by, reason)| {
            let task = disrupted(&faults, t, by, "echo bye; exit 3").await;
            let outcome = task.outcome();
            assert_eq!((outcome.state(), outcome.reason()), (TaskState::Disrupted, reason), "{by}: {outcome:?}");
            assert_eq!(outcome.origin(), Origin::Cluster, "{by}: {outcome:?}");
            assert_eq!(outcome.exit_code, Some(3), "{by}: {outcome:?}");
            assert_eq!(task.output(), b"ready\nbye\n", "{by}");
        });
        futures::future::join_all(all).await;
    });
}

/// Exit 0 under a disruption is a success that says so.
#[test]
fn a_success_while_taken_away() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        let task = disrupted(&faults, t, "eviction", "echo bye; exit 0").await;
        task.assert_ended(TaskState::Succeeded, Reason::CompletedDuringDisruption);
        task.assert_exit_code(0);
    });
}

/// A task whose server is gone for hours does not run on for ever: the node ends it by the deadline in its pod, and the
/// next server says that its time was over.
#[test]
fn a_backstop_that_passes_while_no_server_runs() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        let server = Server::start(&unique_instance());
        let spec = sh("echo one; trap 'echo stopped; exit 5' TERM; while :; do sleep 0.1; done");
        let spec = spec.timeouts(|timeouts| {
            timeouts.schedule = Some(seconds(600));
            timeouts.startup = Some(seconds(600));
            timeouts.execution = Some(seconds(3600));
        });
        let mut stream = server.connect().await.launch(t.request("task", spec)).await.expect("accepted");
        stream.until_line("one\n").await;
        server.kill();
        let before = stream.drain().await;
        let pod = before.pod().name.clone();
        let phase = async || t.cluster.pod(&pod).await.status.and_then(|status| status.phase).unwrap_or_default();
        // The three may take 80 minutes in all.
        set_clock(&faults, t, 60 * 60 * 1000).await;
        assert_eq!(phase().await, "Running");
        set_clock(&faults, t, 90 * 60 * 1000).await;
        wait::until("the node to end it", async || match phase().await {
            phase if phase == "Failed" => Ok(()),
            phase => Err(phase),
        })
        .await;
        let next = Server::start(&server.instance);
        let task = next.connect().await.resume(&before).await.expect("its cursor is good").collect().await;
        let outcome = task.assert_ended(TaskState::Failed, Reason::ExecutionTimeout);
        assert_eq!(outcome.exit_code, Some(5), "{outcome:?}");
        assert_eq!(task.output(), b"one\nstopped\n");
    });
}

/// A node whose clock is a day ahead, and is then set back: nothing is lost, nothing comes twice, and the times are the
/// node's.
#[test]
fn a_node_whose_clock_is_wrong() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        let day = 24 * 60 * 60 * 1000;
        set_clock(&faults, t, day).await;
        let gate = Gate::new();
        let mut stream = t.start("task", sh(&format!("seq 1 10; {}; seq 11 20", gate.wait()))).await;
        stream.until_line("10\n").await;
        set_clock(&faults, t, -day).await;
        gate.open();
        let task = stream.collect().await;
        task.assert_succeeded((1..=20).map(|line| format!("{line}\n")).collect::<String>().as_bytes());
        let again = v1::AttachTaskRequest { key: Some(task.key()), ..Default::default() };
        let again = t.attach(again).await.expect("it is known").collect().await;
        assert_eq!(again.output(), task.output());
        assert_eq!(again.outcome_bytes(), task.outcome_bytes());
        let times = task.outcome().times.expect("times");
        let (started, ended) = (times.started_time.expect("a start"), times.finished_time.expect("an end"));
        assert!(started.seconds - ended.seconds > 24 * 60 * 60, "{started:?} {ended:?}");
    });
}

async fn set_clock(faults: &Faults, t: &Ctx, offset_ms: i64) {
    faults.act(json!({"act": "set_clock", "namespace": t.namespace, "offset_ms": offset_ms})).await;
}

/// An object that goes at once, whatever its process does.
#[test]
fn a_pod_that_is_force_deleted() {
    run(async |t| {
        let Some(faults) = faults::of(t) else { return };
        let mut stream = t.start("task", until_stopped("exit 0")).await;
        stream.until_line("ready\n").await;
        faults.act_on(&stream.seen.pod().name, json!({"act": "force_delete"})).await;
        let task = stream.collect().await;
        let outcome = task.outcome();
        assert!(matches!(outcome.state(), TaskState::Lost | TaskState::Disrupted), "{outcome:?}");
        assert_eq!(outcome.exit_code, None, "{outcome:?}");
        assert_ne!(outcome.certainty(), Certainty::Observed, "{outcome:?}");
    });
}
