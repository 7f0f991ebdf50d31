//! Tasks that are ended from outside: cancelled, timed out, taken away.

use std::fmt::Write as _;

use crate::harness::collected::assert_same;
use crate::harness::run;
use crate::harness::spec::{Build as _, seconds, sh, until_stopped};
use crate::harness::v1::{self, CancelResult, Reason, RetryAdvice, TaskState, TimeoutKind};

/// Pod and log outlive the stop; every line written after SIGTERM arrives.
#[test]
fn a_cancelled_task_says_its_last_words() {
    run(async |t| {
        let handler = "i=0; while [ $i -lt 200 ]; do i=$((i+1)); echo goodbye $i; done; exit 7";
        let mut stream = t.start("talker", until_stopped(handler)).await;
        stream.until_line("ready\n").await;
        let key = stream.seen.key();
        let answer = t.cancel(key.clone(), "no longer wanted").await.expect("it can be cancelled");
        assert_eq!(answer.result(), CancelResult::Stopping);
        let stop = answer.task.expect("CancelTaskResponse.task is set").stop;
        assert_eq!(stop.expect("Task.stop is set").reason, "no longer wanted");

        let task = stream.collect().await;
        let outcome = task.assert_ended(TaskState::Cancelled, Reason::CancelledByCaller);
        task.assert_exit_code(7);
        assert_eq!(outcome.origin(), v1::Origin::Caller);
        let stop = outcome.stop.as_ref().expect("Outcome.stop is set");
        assert_eq!((stop.cause(), stop.reason.as_str()), (v1::StopCause::Cancel, "no longer wanted"));
        assert_eq!(task.state(), TaskState::Terminating);

        let mut expected = "ready\n".to_owned();
        for line in 1..=200 {
            writeln!(expected, "goodbye {line}").expect("writing into memory");
        }
        task.assert_output(expected.as_bytes());
        let pod = &task.pod().name;
        assert_same(&t.cluster.raw_log(pod).await, expected.as_bytes());
        let uid = t.cluster.pod(pod).await.metadata.uid;
        assert_eq!(uid.as_deref(), Some(task.pod().uid.as_str()));

        let answer = t.cancel(key, "again").await.expect("a cancel is idempotent");
        assert_eq!(answer.result(), CancelResult::AlreadyFinished);
        let outcome = answer.task.and_then(|task| task.outcome);
        assert_eq!(outcome.as_ref(), Some(task.outcome()));
    });
}

#[test]
fn a_second_cancel_changes_nothing() {
    run(async |t| {
        // It takes the stop, and goes on for as long as its grace.
        let mut stream = t.start("stubborn", until_stopped("echo stopping; sleep 3; exit 0")).await;
        stream.until_line("ready\n").await;
        let key = stream.seen.key();
        t.cancel(key.clone(), "first").await.expect("it can be cancelled");
        let answer = t.cancel(key, "second").await.expect("a cancel is idempotent");
        assert_eq!(answer.result(), CancelResult::AlreadyStopping);
        let task = stream.collect().await;
        let outcome = task.assert_ended(TaskState::Cancelled, Reason::CancelledByCaller);
        task.assert_exit_code(0);
        assert_eq!(outcome.stop.as_ref().map(|stop| stop.reason.as_str()), Some("first"));
    });
}

#[test]
fn a_task_that_ignores_the_stop_is_killed() {
    run(async |t| {
        let spec = sh("trap '' TERM; echo ready; while :; do sleep 1; done").grace(1);
        let mut stream = t.start("deaf", spec).await;
        stream.until_line("ready\n").await;
        t.cancel(stream.seen.key(), "").await.expect("it can be cancelled");
        let task = stream.collect().await;
        task.assert_ended(TaskState::Cancelled, Reason::CancelledByCaller);
        task.assert_exit_code(137);
        task.assert_output(b"ready\n");
    });
}

#[test]
fn a_task_without_a_node_is_cancelled() {
    run(async |t| {
        let mut stream = t.start("nowhere", sh("true").nowhere()).await;
        stream.until("why it waits is shown", |seen| seen.showed(Reason::Unschedulable)).await;
        t.cancel(stream.seen.key(), "").await.expect("it can be cancelled");
        let task = stream.collect().await;
        task.assert_ended(TaskState::Cancelled, Reason::CancelledByCaller);
        task.assert_never_started();
    });
}

#[test]
fn a_finished_task_keeps_its_outcome() {
    run(async |t| {
        let task = t.run(sh("exit 0")).await;
        let answer = t.cancel(task.key(), "too late").await.expect("it answers");
        assert_eq!(answer.result(), CancelResult::AlreadyFinished);
        let known = answer.task.expect("CancelTaskResponse.task is set");
        assert_eq!(known.outcome.as_ref(), Some(task.outcome()));
        assert_eq!(known.stop, None);
    });
}

#[test]
fn an_unknown_task_cannot_be_cancelled() {
    run(async |t| {
        let failure = crate::harness::failure::failure(t.cancel(t.key("nobody"), "").await);
        failure.expect(tonic::Code::NotFound, "TASK_UNKNOWN");
    });
}

#[test]
fn the_execution_timeout() {
    run(async |t| {
        let spec =
            until_stopped("echo told to stop; exit 9").timeouts(|timeouts| timeouts.execution = Some(seconds(2)));
        let task = t.start("endless", spec).await.collect().await;
        let outcome = task.assert_ended(TaskState::Failed, Reason::ExecutionTimeout);
        assert_eq!(outcome.timeout(), TimeoutKind::Execution);
        task.assert_exit_code(9);
        assert_eq!(outcome.retry_advice(), RetryAdvice::MayHaveSideEffects);
        assert_eq!(outcome.stop.as_ref().map(v1::StopInfo::cause), Some(v1::StopCause::ExecutionTimeout));
        task.assert_output(b"ready\ntold to stop\n");
    });
}

/// Somebody deletes the pod, and its process dies of it: neither a failure nor a success of the task.
#[test]
fn a_pod_deleted_by_somebody_else() {
    run(async |t| {
        let mut stream = t.start("victim", until_stopped("exit 143").grace(5)).await;
        stream.until_line("ready\n").await;
        t.cluster.delete_pod(&stream.seen.pod().name).await;
        let task = stream.collect().await;
        let outcome = task.assert_ended(TaskState::Disrupted, Reason::PodDeleted);
        assert_eq!(outcome.origin(), v1::Origin::Cluster);
        assert_eq!(outcome.retry_advice(), RetryAdvice::MayHaveSideEffects);
        assert_eq!(task.output(), b"ready\n");
        let delivery = task.delivery("main");
        assert_ne!(delivery.verdict(), v1::DeliveryVerdict::Complete, "the log went with the pod: {delivery:?}");
    });
}

/// The same where it had not started.
#[test]
fn a_pod_deleted_before_it_had_a_node() {
    run(async |t| {
        let mut stream = t.start("unborn", sh("true").nowhere()).await;
        stream.until("why it waits is shown", |seen| seen.showed(Reason::Unschedulable)).await;
        t.cluster.delete_pod(&stream.seen.pod().name).await;
        let task = stream.collect().await;
        let outcome = task.assert_ended(TaskState::Disrupted, Reason::PodDeleted);
        assert_eq!(outcome.exit_code, None);
    });
}
