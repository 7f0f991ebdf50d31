//! Tasks as callers see them: key, pod, state, containers, times.
//!
//! ```text
//! Entry ──view()──▶ View ─┬─ observation ─▶ key, pod, containers, times, stop
//!                         ├─ state, why ──▶ state, reason, Kubernetes' words
//!                         └─ outcome ─────▶ encode_outcome.rs
//! ```

use jiff::Timestamp;

use super::encode_outcome;
use super::time::{seconds, timestamp};
use crate::executor::{Entry, Executor, How, Presence, View};
use crate::proto::v1;
use crate::task::observation::{Role, Stop, StopCause};
use crate::task::outcome::{MAX_MESSAGE, MAX_WORD};
use crate::task::reason::disruption;
use crate::task::{ContainerObservation, ContainerState, Observation, Reason, State, TaskKey, Terminated};

/// Longest message of Kubernetes that is passed on, bytes.
const MAX_KUBERNETES_MESSAGE: usize = 4096;

/// What every answer about this executor's tasks needs.
#[derive(Clone, Copy)]
pub(super) struct Encoder<'a> {
    /// The cluster's name as callers see it.
    pub cluster: &'a str,
    /// Whose tasks.
    pub executor: &'a Executor,
}

/// How a stream met its task.
#[derive(Debug, Clone, Copy)]
pub(super) struct Met {
    /// Created, attached or replayed.
    pub how: How,
    /// The attempt that was asked for, or that 0 resolved to.
    pub requested_attempt: u32,
}

impl Encoder<'_> {
    /// The first message of a stream.
    pub fn accepted(&self, entry: &Entry, met: Met, cursor: bytes::Bytes) -> v1::Accepted {
        let view = entry.view();
        let how = match met.how {
            How::Created => v1::AcceptedHow::Created,
            How::Attached => v1::AcceptedHow::Attached,
            How::Replayed => v1::AcceptedHow::Replayed,
        };
        v1::Accepted {
            key: Some(key(&entry.key, self.cluster)),
            requested_attempt: met.requested_attempt,
            pod: Some(pod(&view.observation)),
            how: how.into(),
            idempotent_until: self.idempotent_until(entry),
            task: Some(self.task_of(entry, &view)),
            cursor,
        }
    }

    /// A task as it is now.
    pub fn task(&self, entry: &Entry) -> v1::Task {
        self.task_of(entry, &entry.view())
    }

    fn task_of(&self, entry: &Entry, view: &View) -> v1::Task {
        v1::Task {
            idempotent_until: self.idempotent_until(entry),
            pod_expiry_time: self.executor.pod_expiry(entry).map(timestamp),
            ..task(&entry.key, self.cluster, view)
        }
    }

    fn idempotent_until(&self, entry: &Entry) -> Option<prost_types::Timestamp> {
        self.executor.idempotent_until(entry).map(timestamp)
    }
}

/// A task but for the end of its idempotency window.
fn task(task_key: &TaskKey, cluster: &str, view: &View) -> v1::Task {
    let seen = &view.observation;
    let why = why(view);
    let outcome = view.outcome.as_ref();
    let source = match view.presence {
        Presence::Present => v1::TaskSource::Pod,
        Presence::Gone => v1::TaskSource::Record,
    };
    v1::Task {
        key: Some(key(task_key, cluster)),
        pod: Some(pod(seen)),
        state: state(view.state).into(),
        reason: why.reason.map_or(v1::Reason::Unspecified, reason).into(),
        kubernetes_reason: clip(why.word, MAX_WORD).to_owned(),
        kubernetes_message: clip(why.message, MAX_KUBERNETES_MESSAGE).to_owned(),
        containers: seen.containers.iter().map(container).collect(),
        outcome: outcome.map(|stored| encode_outcome::outcome(stored)),
        times: Some(outcome.map_or_else(|| times(seen), |stored| encode_outcome::times(&stored.outcome.times))),
        stop: seen.stop.as_ref().map(stop),
        labels: seen.labels.clone(),
        attached_attempts: seen.attached_attempts.clone(),
        observed_time: Some(timestamp(view.observed)),
        fingerprint: seen.fingerprint.clone(),
        source: source.into(),
        ..v1::Task::default()
    }
}

/// Why a task is in a state that is not terminal.
#[derive(Default)]
struct Why<'a> {
    reason: Option<Reason>,
    word: &'a str,
    message: &'a str,
}

fn why(view: &View) -> Why<'_> {
    match view.state {
        State::Pending | State::Starting => view.pending.as_ref().map_or_else(Why::default, |pending| Why {
            reason: Some(pending.reason),
            word: &pending.kubernetes_reason,
            message: &pending.kubernetes_message,
        }),
        State::Terminating => why_terminating(&view.observation),
        State::Unreachable => Why { reason: Some(Reason::NodeUnreachable), ..Why::default() },
        _ => Why::default(),
    }
}

fn why_terminating(seen: &Observation) -> Why<'_> {
    if let Some(stop) = &seen.stop {
        let (word, message) =
            stop.pending.as_ref().map_or(("", ""), |p| (p.kubernetes_reason.as_str(), p.kubernetes_message.as_str()));
        return Why { reason: Some(stop_reason(stop.cause)), word, message };
    }
    match seen.condition("DisruptionTarget").filter(|condition| condition.status == "True") {
        Some(condition) => {
            let word = condition.reason.as_deref().unwrap_or_default();
            Why { reason: Some(disruption(word)), word, message: condition.message.as_deref().unwrap_or_default() }
        }
        None => Why {
            reason: Some(Reason::PodDeleted),
            word: seen.reason.as_deref().unwrap_or_default(),
            message: seen.message.as_deref().unwrap_or_default(),
        },
    }
}

fn stop_reason(cause: StopCause) -> Reason {
    match cause {
        StopCause::Cancel => Reason::CancelledByCaller,
        StopCause::Disconnected => Reason::Disconnected,
        StopCause::ScheduleTimeout => Reason::ScheduleTimeout,
        StopCause::StartupTimeout => Reason::StartupTimeout,
        StopCause::ExecutionTimeout => Reason::ExecutionTimeout,
        StopCause::LostTimeout => Reason::LostTimeout,
    }
}

/// A key in full; `cluster` is the name of the only one.
pub(super) fn key(key: &TaskKey, cluster: &str) -> v1::TaskKey {
    v1::TaskKey {
        cluster: if key.cluster.is_empty() { cluster.to_owned() } else { key.cluster.clone() },
        namespace: key.namespace.clone(),
        task_id: key.task_id.clone(),
        attempt: key.attempt,
    }
}

fn pod(seen: &Observation) -> v1::PodRef {
    v1::PodRef {
        namespace: seen.key.namespace.clone(),
        name: seen.pod_name.clone(),
        uid: seen.uid.clone(),
        node_name: seen.node.clone().unwrap_or_default(),
    }
}

/// The times the pod shows of a task that has no outcome yet.
fn times(seen: &Observation) -> v1::TaskTimes {
    let scheduled = seen.condition("PodScheduled").filter(|condition| condition.status == "True");
    let (started, finished) = match seen.primary().map(|primary| &primary.state) {
        Some(ContainerState::Running { started }) => (*started, None),
        Some(ContainerState::Terminated(end)) => (happened(end.started), happened(end.finished)),
        Some(ContainerState::Waiting { .. } | ContainerState::Unset) | None => (None, None),
    };
    v1::TaskTimes {
        created_time: seen.created.map(timestamp),
        scheduled_time: scheduled.and_then(|condition| condition.since).map(timestamp),
        started_time: started.map(timestamp),
        finished_time: finished.map(timestamp),
    }
}

/// Kubernetes writes 1970 where something never happened.
fn happened(time: Option<Timestamp>) -> Option<Timestamp> {
    time.filter(|time| time.as_second() > 0)
}

fn container(seen: &ContainerObservation) -> v1::ContainerStatus {
    use v1::container_status::State as Out;
    let state = match &seen.state {
        ContainerState::Unset => None,
        ContainerState::Waiting { reason, message } => Some(Out::Waiting(waiting(reason, message))),
        ContainerState::Running { started } => Some(Out::Running(running(*started))),
        ContainerState::Terminated(end) => Some(Out::Terminated(terminated(end, seen.container_id.as_deref()))),
    };
    v1::ContainerStatus {
        name: seen.name.clone(),
        role: role(seen.role).into(),
        restart: seen.restarts,
        last_terminated: seen.last.as_ref().map(|end| terminated(end, None)),
        image: seen.image.clone(),
        image_id: seen.image_id.clone().unwrap_or_default(),
        state,
    }
}

/// A container that waits.
pub(super) fn waiting(reason: &str, message: &str) -> v1::ContainerWaiting {
    v1::ContainerWaiting {
        reason: clip(reason, MAX_WORD).to_owned(),
        message: clip(message, MAX_KUBERNETES_MESSAGE).to_owned(),
    }
}

/// A container that runs.
pub(super) fn running(started: Option<Timestamp>) -> v1::ContainerRunning {
    v1::ContainerRunning { started_time: happened(started).map(timestamp) }
}

/// A container's end.
pub(super) fn terminated(end: &Terminated, container_id: Option<&str>) -> v1::ContainerTerminated {
    v1::ContainerTerminated {
        exit_code: end.exit_code(),
        signal: end.signal,
        reason: clip(&end.reason, MAX_WORD).to_owned(),
        message: clip(&end.message, MAX_MESSAGE).as_bytes().to_vec().into(),
        started_time: happened(end.started).map(timestamp),
        finished_time: happened(end.finished).map(timestamp),
        container_id: container_id.unwrap_or_default().to_owned(),
    }
}

/// A recorded stop.
pub(super) fn stop(stop: &Stop) -> v1::StopInfo {
    v1::StopInfo {
        cause: stop_cause(stop.cause).into(),
        caller: stop.caller.clone(),
        reason: stop.message.clone(),
        time: Some(timestamp(stop.time)),
        grace: Some(seconds(stop.grace_seconds)),
    }
}

fn stop_cause(cause: StopCause) -> v1::StopCause {
    match cause {
        StopCause::Cancel => v1::StopCause::Cancel,
        StopCause::ScheduleTimeout => v1::StopCause::ScheduleTimeout,
        StopCause::StartupTimeout => v1::StopCause::StartupTimeout,
        StopCause::ExecutionTimeout => v1::StopCause::ExecutionTimeout,
        StopCause::Disconnected => v1::StopCause::Disconnect,
        // Not a stop in the contract: the task is LOST, and Outcome.timeout says by which timeout.
        StopCause::LostTimeout => v1::StopCause::Unspecified,
    }
}

/// What a container is for.
pub(super) fn role(role: Role) -> v1::ContainerRole {
    match role {
        Role::Init => v1::ContainerRole::Init,
        Role::Sidecar => v1::ContainerRole::Sidecar,
        Role::Primary => v1::ContainerRole::Primary,
        Role::Other => v1::ContainerRole::Regular,
    }
}

/// A state.
pub(super) fn state(state: State) -> v1::TaskState {
    match state {
        State::Pending => v1::TaskState::Pending,
        State::Starting => v1::TaskState::Starting,
        State::Running => v1::TaskState::Running,
        State::Terminating => v1::TaskState::Terminating,
        State::Unreachable => v1::TaskState::Unreachable,
        State::Succeeded => v1::TaskState::Succeeded,
        State::Failed => v1::TaskState::Failed,
        State::Cancelled => v1::TaskState::Cancelled,
        State::Disrupted => v1::TaskState::Disrupted,
        State::Lost => v1::TaskState::Lost,
    }
}

/// A reason; the two lists have the same names.
pub(super) fn reason(reason: Reason) -> v1::Reason {
    v1::Reason::from_str_name(&format!("REASON_{reason}")).unwrap_or(v1::Reason::Unknown)
}

/// The beginning of `text`, at most `most` bytes, cut between characters.
pub(super) fn clip(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(0)]
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
