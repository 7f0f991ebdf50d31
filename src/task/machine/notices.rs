//! Kubernetes' events about the pod, and remarks of podlaunch's own.

use jiff::Timestamp;

use super::{Row, pending, progress, uid};
use crate::task::event::{Notice, Severity, TaskEvent, TaskEventBody};
use crate::task::observation::{
    ContainerObservation, ContainerState, NeverStarted, Observation, PendingReason, Role, Terminated,
};
use crate::task::outcome::Before;
use crate::task::reason::{self, Hint, Reason};
use crate::task::state::State;

/// `Notice::source` of podlaunch's own remarks.
pub const OURS: &str = "podlaunch";
/// A container was started once more although it should run only once.
pub const SECOND_START: &str = "SecondStart";
/// A process was killed for want of memory, but the container ended with exit code 0.
pub const CHILD_OOM_KILLED: &str = "ChildOOMKilled";

/// Kubernetes' word for a failed postStart hook.
const HOOK_FAILED: &str = "FailedPostStartHook";
const KUBELET: &str = "kubelet";

pub(super) fn take(
    row: &mut Row,
    occurred: Option<Timestamp>,
    mut notice: Notice,
    now: Timestamp,
    events: &mut Vec<TaskEvent>,
) {
    if notice.version <= row.notice_version {
        return;
    }
    row.notice_version = notice.version;
    // Read as Kubernetes wrote it, told without the literals.
    let mut hint = hint(row, &notice);
    row.observation.literals.clean(&mut notice.message);
    if let Some(Some(waits)) = &mut hint {
        waits.kubernetes_message.clone_from(&notice.message);
    }
    note_told(row, &notice);
    let first = notice.first;
    if is_worth_showing(&notice) {
        let uid = uid::notice(&row.observation.uid, &notice);
        let body = TaskEventBody::Notice(notice);
        events.push(TaskEvent { uid, occurred, observed: now, body });
    }
    let Some(hint) = hint else { return };
    let waits = hint.as_ref().map(|waits| waits.reason);
    row.hint = hint;
    progress::explain(row, now, events);
    if let Some(reason) = waits {
        pending::note_first(row, reason, first);
    }
}

/// What only an Event tells: that a postStart hook failed (the object shows a kill like any other),
/// and that the node takes the pod away (the object does not, where the primary then exits 0).
fn note_told(row: &mut Row, notice: &Notice) {
    let away = reason::pod_level(&notice.reason).filter(|r| matches!(r, Reason::Evicted | Reason::PreemptedByNode));
    if let Some(reason) = away.filter(|_| notice.container.is_none() && notice.source == KUBELET) {
        row.told_before = Before::TakenAway(reason);
    }
    let hook = notice.reason == HOOK_FAILED && notice.container.as_deref() == Some(&row.observation.primary);
    if hook && row.told_before == Before::Unknown {
        row.told_before = Before::HookFailed;
    }
}

/// What the event makes of the row's hint; None where it says nothing about it.
fn hint(row: &Row, notice: &Notice) -> Option<Option<Box<PendingReason>>> {
    if !matches!(row.base, State::Pending | State::Starting) || !concerns_start(&row.observation, notice) {
        return None;
    }
    match reason::notice(&notice.reason, &notice.message) {
        Hint::Silent => None,
        Hint::Clears => Some(None),
        Hint::Waits(reason) => Some(Some(Box::new(PendingReason {
            reason,
            kubernetes_reason: notice.reason.clone(),
            kubernetes_message: notice.message.clone(),
            never_started: NeverStarted::Unknown,
        }))),
    }
}

/// Another regular container's trouble does not keep the primary from starting.
fn concerns_start(o: &Observation, notice: &Notice) -> bool {
    let Some(name) = &notice.container else { return true };
    !o.containers.iter().any(|c| c.name == *name && c.role == Role::Other)
}

/// Repeated ones are shown at their first, second, fourth, eighth … occurrence: kubelet repeats
/// some every few seconds for ever.
fn is_worth_showing(notice: &Notice) -> bool {
    notice.count <= 1 || notice.count.is_power_of_two()
}

/// What the object shows beside states and phases.
pub(super) fn remarks(o: &Observation, previous: Option<&Observation>, now: Timestamp, events: &mut Vec<TaskEvent>) {
    let Some(c) = o.primary() else { return };
    let before = previous.and_then(Observation::primary);
    if o.restart_policy == "Never" && started_again(c, before) {
        let occurrence = format!("{} {}", c.restarts, c.container_id.as_deref().unwrap_or_default());
        let message = "the container was started once more although its pod is not to restart it";
        events.push(remark(o, SECOND_START, message, &occurrence, now));
    }
    let killed = |c: &ContainerObservation| matches!(&c.state, ContainerState::Terminated(t) if t.reason == "OOMKilled" && t.code == 0);
    if killed(c) && !before.is_some_and(killed) {
        let message =
            "a process in the container was killed for want of memory; the container itself ended with exit code 0";
        events.push(remark(o, CHILD_OOM_KILLED, message, &c.restarts.to_string(), now));
    }
}

fn started_again(c: &ContainerObservation, before: Option<&ContainerObservation>) -> bool {
    match before {
        None => c.restarts > 0,
        Some(b) => {
            let other = b.container_id.is_some() && c.container_id.is_some() && b.container_id != c.container_id;
            // A node that lost a container counts that as a restart, and starts nothing.
            let lost = matches!(c.state, ContainerState::Waiting { .. })
                && c.last.as_ref().is_none_or(Terminated::is_unlocated);
            other || (c.restarts > b.restarts && !lost)
        }
    }
}

fn remark(o: &Observation, word: &str, message: &str, occurrence: &str, now: Timestamp) -> TaskEvent {
    let notice = Notice {
        reason: word.into(),
        message: message.into(),
        severity: Severity::Warning,
        first: None,
        count: 1,
        container: Some(o.primary.clone()),
        source: OURS.into(),
        version: 0,
    };
    let uid = uid::remark(&o.uid, word, &o.primary, occurrence);
    TaskEvent { uid, occurred: None, observed: now, body: TaskEventBody::Notice(notice) }
}
