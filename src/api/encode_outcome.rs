//! A stored outcome → the message: a pure function of what is stored, so that every replica and
//! every replay gives the same bytes.

use super::encode::{clip, reason, role, running, state, stop, waiting};
use super::time::timestamp;
use crate::proto::v1;
use crate::task::observation::{StopCause, StoredOutcome};
use crate::task::outcome::{
    Certainty, ContainerSummary, MAX_KUBERNETES_MESSAGE, MAX_MESSAGE, MAX_WORD, Origin, ResultState, RetryAdvice,
    TaskResult, Times,
};

/// The outcome as callers get it.
pub(super) fn outcome(stored: &StoredOutcome) -> v1::Outcome {
    let outcome = &stored.outcome;
    v1::Outcome {
        state: state(outcome.state).into(),
        reason: reason(outcome.reason).into(),
        reason_version: outcome.reason_version,
        kubernetes_reason: clip(&outcome.kubernetes_reason, MAX_WORD).to_owned(),
        kubernetes_message: clip(&outcome.kubernetes_message, MAX_KUBERNETES_MESSAGE).to_owned(),
        origin: origin(outcome.origin).into(),
        retry_advice: retry_advice(outcome.retry_advice).into(),
        certainty: certainty(outcome.certainty).into(),
        exit_code: outcome.exit_code,
        signal: outcome.signal,
        oom_killed: outcome.oom_killed,
        container: outcome.container.clone(),
        containers: outcome.containers.iter().map(container).collect(),
        times: Some(times(&outcome.times)),
        result: outcome.result.as_ref().map(result),
        termination_message: clip(&outcome.termination_message, MAX_MESSAGE).as_bytes().to_vec().into(),
        timeout: outcome.timeout.map_or(v1::TimeoutKind::Unspecified, timeout).into(),
        stop: outcome.stop.as_ref().map(stop),
        node_name: outcome.pod.node.clone(),
        shortened: outcome.shortened,
    }
}

/// The times of an outcome.
pub(super) fn times(times: &Times) -> v1::TaskTimes {
    v1::TaskTimes {
        created_time: times.created.map(timestamp),
        scheduled_time: times.scheduled.map(timestamp),
        started_time: times.started.map(timestamp),
        finished_time: times.finished.map(timestamp),
    }
}

fn result(result: &TaskResult) -> v1::TaskResult {
    v1::TaskResult {
        state: result_state(result.state).into(),
        data: result.data().unwrap_or_default().into(),
        size_bytes: result.size(),
        sha256: result.digest().map(|digest| digest.sha256.to_vec()).unwrap_or_default().into(),
    }
}

/// How a result was had.
pub(super) fn result_state(state: ResultState) -> v1::ResultState {
    match state {
        ResultState::Inline => v1::ResultState::Inline,
        ResultState::Stored => v1::ResultState::Stored,
        ResultState::Missing => v1::ResultState::Missing,
        ResultState::TooLarge => v1::ResultState::TooLarge,
        ResultState::Gone => v1::ResultState::Gone,
        ResultState::Unreadable => v1::ResultState::Unreadable,
    }
}

fn container(summary: &ContainerSummary) -> v1::ContainerStatus {
    use v1::container_status::State as Out;
    let state = match summary.state.as_str() {
        "waiting" => Some(Out::Waiting(waiting(&summary.reason, ""))),
        "running" => Some(Out::Running(running(summary.started))),
        "terminated" => Some(Out::Terminated(v1::ContainerTerminated {
            exit_code: summary.exit_code,
            reason: clip(&summary.reason, MAX_WORD).to_owned(),
            started_time: summary.started.map(timestamp),
            finished_time: summary.finished.map(timestamp),
            ..v1::ContainerTerminated::default()
        })),
        _ => None,
    };
    v1::ContainerStatus {
        name: summary.name.clone(),
        role: role(summary.role).into(),
        restart: summary.restarts,
        state,
        ..v1::ContainerStatus::default()
    }
}

fn origin(origin: Origin) -> v1::Origin {
    match origin {
        Origin::User => v1::Origin::User,
        Origin::Caller => v1::Origin::Caller,
        Origin::Cluster => v1::Origin::Cluster,
        Origin::Executor => v1::Origin::Executor,
        Origin::Unknown => v1::Origin::Unknown,
    }
}

fn retry_advice(advice: RetryAdvice) -> v1::RetryAdvice {
    match advice {
        RetryAdvice::None => v1::RetryAdvice::Unspecified,
        RetryAdvice::SafeNeverStarted => v1::RetryAdvice::SafeNeverStarted,
        RetryAdvice::MayHaveSideEffects => v1::RetryAdvice::MayHaveSideEffects,
        RetryAdvice::Useless => v1::RetryAdvice::Useless,
    }
}

fn certainty(certainty: Certainty) -> v1::Certainty {
    match certainty {
        Certainty::Observed => v1::Certainty::Observed,
        Certainty::Inferred => v1::Certainty::Inferred,
        Certainty::MayStillBeRunning => v1::Certainty::MayStillBeRunning,
    }
}

fn timeout(cause: StopCause) -> v1::TimeoutKind {
    match cause {
        StopCause::ScheduleTimeout => v1::TimeoutKind::Schedule,
        StopCause::StartupTimeout => v1::TimeoutKind::Startup,
        StopCause::ExecutionTimeout => v1::TimeoutKind::Execution,
        StopCause::LostTimeout => v1::TimeoutKind::Lost,
        StopCause::Cancel | StopCause::Disconnected => v1::TimeoutKind::Unspecified,
    }
}
