//! Nodes that are lost and come back, and clusters that take pods away, as the recorded histories show them, on demand.

use serde_json::json;

use crate::harness::collected::Collected;
use crate::harness::faults::{self, Faults, Gate};
use crate::harness::spec::{Build as _, seconds, sh, until_stopped};
use crate::harness::v1::{Certainty, DeliveryVerdict, Origin, Reason, TaskState};
use crate::harness::{Ctx, run};

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
