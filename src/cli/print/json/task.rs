//! A task as it is now, as JSON.

use std::collections::BTreeMap;

use serde::Serialize;

use super::outcome::OutcomeJson;
use super::{KeyJson, PodJson, Word, Written, span, text, time, word};
use crate::proto::v1;

/// A task.
#[derive(Debug, Serialize)]
pub(crate) struct TaskJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<KeyJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pod: Option<PodJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    kubernetes_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kubernetes_message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue_position: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    containers: Vec<ContainerJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<OutcomeJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    times: Option<TimesJson>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<StopJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    attached_attempts: Vec<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    pod_expiry_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotent_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_time: Option<String>,
}

impl<'a> TaskJson<'a> {
    pub(crate) fn of(task: &'a v1::Task) -> Self {
        Self {
            key: KeyJson::maybe(task.key.as_ref()),
            pod: PodJson::maybe(task.pod.as_ref()),
            state: word::<v1::TaskState>(task.state),
            reason: word::<v1::Reason>(task.reason),
            kubernetes_reason: text(&task.kubernetes_reason),
            kubernetes_message: text(&task.kubernetes_message),
            queue_position: task.queue_position,
            containers: task.containers.iter().map(ContainerJson::of).collect(),
            outcome: task.outcome.as_ref().map(OutcomeJson::of),
            times: task.times.as_ref().map(TimesJson::of),
            labels: &task.labels,
            stop: task.stop.as_ref().map(StopJson::of),
            fingerprint: text(&task.fingerprint),
            attached_attempts: task.attached_attempts.clone(),
            source: word::<v1::TaskSource>(task.source),
            pod_expiry_time: time(task.pod_expiry_time.as_ref()),
            idempotent_until: time(task.idempotent_until.as_ref()),
            observed_time: time(task.observed_time.as_ref()),
        }
    }
}

/// The answer to a cancel.
#[derive(Debug, Serialize)]
pub(crate) struct CancelledJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<TaskJson<'a>>,
}

impl<'a> CancelledJson<'a> {
    pub(crate) fn of(answer: &'a v1::CancelTaskResponse) -> Self {
        Self { result: word::<v1::CancelResult>(answer.result), task: answer.task.as_ref().map(TaskJson::of) }
    }
}

/// When what happened.
#[derive(Debug, Serialize)]
pub(super) struct TimesJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    created_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduled_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_time: Option<String>,
}

impl TimesJson {
    pub(super) fn of(times: &v1::TaskTimes) -> Self {
        Self {
            created_time: time(times.created_time.as_ref()),
            scheduled_time: time(times.scheduled_time.as_ref()),
            started_time: time(times.started_time.as_ref()),
            finished_time: time(times.finished_time.as_ref()),
        }
    }
}

/// A recorded stop.
#[derive(Debug, Serialize)]
pub(super) struct StopJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    caller: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grace_seconds: Option<f64>,
}

impl<'a> StopJson<'a> {
    pub(super) fn of(stop: &'a v1::StopInfo) -> Self {
        Self {
            cause: word::<v1::StopCause>(stop.cause),
            caller: text(&stop.caller),
            reason: text(&stop.reason),
            time: time(stop.time.as_ref()),
            grace_seconds: span(stop.grace.as_ref()),
        }
    }
}

/// A container.
#[derive(Debug, Serialize)]
pub(super) struct ContainerJson<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Word,
    restart: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<WaitingJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    running: Option<RunningJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    terminated: Option<TerminatedJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_terminated: Option<TerminatedJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    image_id: Option<&'a str>,
}

impl<'a> ContainerJson<'a> {
    pub(super) fn of(status: &'a v1::ContainerStatus) -> Self {
        use v1::container_status::State;
        let (mut waiting, mut running, mut terminated) = (None, None, None);
        match &status.state {
            Some(State::Waiting(state)) => waiting = Some(WaitingJson::of(state)),
            Some(State::Running(state)) => running = Some(RunningJson::of(state)),
            Some(State::Terminated(state)) => terminated = Some(TerminatedJson::of(state)),
            None => {}
        }
        Self {
            name: &status.name,
            role: word::<v1::ContainerRole>(status.role),
            restart: status.restart,
            waiting,
            running,
            terminated,
            last_terminated: status.last_terminated.as_ref().map(TerminatedJson::of),
            image: text(&status.image),
            image_id: text(&status.image_id),
        }
    }
}

/// A container that does not run.
#[derive(Debug, Serialize)]
pub(super) struct WaitingJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

impl<'a> WaitingJson<'a> {
    pub(super) fn of(waiting: &'a v1::ContainerWaiting) -> Self {
        Self { reason: text(&waiting.reason), message: text(&waiting.message) }
    }
}

/// A container that runs.
#[derive(Debug, Serialize)]
pub(super) struct RunningJson {
    #[serde(skip_serializing_if = "Option::is_none")]
    started_time: Option<String>,
}

impl RunningJson {
    pub(super) fn of(running: &v1::ContainerRunning) -> Self {
        Self { started_time: time(running.started_time.as_ref()) }
    }
}

/// A container that has ended.
#[derive(Debug, Serialize)]
pub(super) struct TerminatedJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Written<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container_id: Option<&'a str>,
}

impl<'a> TerminatedJson<'a> {
    pub(super) fn of(terminated: &'a v1::ContainerTerminated) -> Self {
        Self {
            exit_code: terminated.exit_code,
            signal: terminated.signal,
            reason: text(&terminated.reason),
            message: Written::unless_empty(&terminated.message),
            started_time: time(terminated.started_time.as_ref()),
            finished_time: time(terminated.finished_time.as_ref()),
            container_id: text(&terminated.container_id),
        }
    }
}
