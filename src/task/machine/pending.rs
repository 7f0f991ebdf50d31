//! Why a task is not getting on: from the pod object, else from the last event that said so; and
//! since when.

use jiff::Timestamp;

use super::Row;
use crate::task::meta;
use crate::task::observation::{ContainerState, NeverStarted, Observation, PendingReason, Role};
use crate::task::reason::{self, Reason};
use crate::task::state::State;

/// For what a task waits, and since when without a break.
///
/// ```text
///   the object's own time (a condition's, the node's binding) ─▶ since
///   else the Event that says it, its first occurrence          ─▶ since, never before the last other reason
///   else when this row first saw it                            ─▶ since
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wait {
    pub reason: Reason,
    pub since: Timestamp,
    /// Since when nothing else was known to be in the way.
    unbroken: Timestamp,
}

/// Puts what is known now into the row.
pub(super) fn refresh(row: &mut Row, now: Timestamp) {
    if !matches!(row.base, State::Pending | State::Starting) {
        row.pending = None;
        row.hint = None;
        row.wait = None;
        return;
    }
    // What kept a pod from being bound says nothing once it is, and the other way round.
    let bound = row.observation.node.is_some();
    if row.hint.as_ref().is_some_and(|h| (h.reason == Reason::Unschedulable) == bound) {
        row.hint = None;
    }
    let found = by_object(&row.observation).or_else(|| row.hint.as_deref().cloned());
    row.pending = found.map(|mut p| {
        p.never_started = never_started(&row.observation);
        Box::new(p)
    });
    note_wait(row, now);
}

fn note_wait(row: &mut Row, now: Timestamp) {
    let o = &row.observation;
    let reason = row.pending.as_ref().map(|p| p.reason).or_else(|| normal_reason(o));
    row.wait = reason.map(|reason| match row.wait {
        Some(wait) if wait.reason == reason => wait,
        before => {
            let unbroken = match before {
                // The first look, after a start of the server too: the Events may know more.
                None => o.created.unwrap_or(now),
                Some(wait) if is_normal(wait.reason) => wait.unbroken,
                Some(_) => now,
            };
            Wait { reason, since: since(o, reason).unwrap_or(now), unbroken }
        }
    });
}

/// An Event that says what the task waits for knows since when: it outlives a restart of the server.
pub(super) fn note_first(row: &mut Row, reason: Reason, first: Option<Timestamp>) {
    let Some(wait) = row.wait.as_mut().filter(|wait| wait.reason == reason) else { return };
    if let Some(first) = first {
        wait.since = wait.since.min(first.max(wait.unbroken));
    }
}

fn is_normal(reason: Reason) -> bool {
    matches!(reason, Reason::Scheduling | Reason::ContainerCreating | Reason::PodInitializing)
}

/// Since when, where the pod object itself says it.
fn since(o: &Observation, reason: Reason) -> Option<Timestamp> {
    let condition = |kind, status| o.condition(kind).filter(|c| c.status == status).and_then(|c| c.since);
    match reason {
        Reason::Scheduling | Reason::Queued | Reason::Gated => o.created,
        Reason::Unschedulable | Reason::SchedulerError => condition("PodScheduled", "False"),
        Reason::ContainerCreating | Reason::PodInitializing => condition("PodScheduled", "True").or(o.start_time),
        _ => None,
    }
}

/// The normal step a task is at, as a reason.
fn normal_reason(o: &Observation) -> Option<Reason> {
    if o.node.is_none() {
        return Some(Reason::Scheduling);
    }
    reason::step(&normal_step(o)).or(Some(Reason::ContainerCreating))
}

/// What a stop recorded now must carry.
pub(super) fn for_stop(row: &Row) -> Option<PendingReason> {
    let unexplained = match row.base {
        State::Pending => Reason::ScheduleTimeout,
        State::Starting => Reason::StartupTimeout,
        _ => return None,
    };
    let o = &row.observation;
    let known = row.pending.as_deref().cloned();
    // A normal step is a reason only for whoever set it a limit.
    let step = normal_reason(o).filter(|reason| o.policy.timeouts.pending_grace(*reason).is_some());
    Some(known.unwrap_or_else(|| PendingReason {
        reason: step.unwrap_or(unexplained),
        kubernetes_reason: normal_step(o),
        kubernetes_message: String::new(),
        never_started: never_started(o),
    }))
}

/// Whether this version proves that the primary has not started: not bound, or shown as waiting
/// for its first run.
pub(super) fn never_started(o: &Observation) -> NeverStarted {
    let waiting = o
        .primary()
        .is_some_and(|c| matches!(c.state, ContainerState::Waiting { .. }) && c.restarts == 0 && c.last.is_none());
    if o.node.is_none() || waiting { NeverStarted::Proven } else { NeverStarted::Unknown }
}

fn by_object(o: &Observation) -> Option<PendingReason> {
    if o.node.is_none() { unbound(o) } else { bound(o) }
}

fn because(reason: Reason, word: &str, message: &str) -> PendingReason {
    PendingReason {
        reason,
        kubernetes_reason: word.into(),
        kubernetes_message: message.into(),
        never_started: NeverStarted::Unknown,
    }
}

fn unbound(o: &Observation) -> Option<PendingReason> {
    let condition = o.condition("PodScheduled").filter(|c| c.status == "False");
    let word = condition.and_then(|c| c.reason.as_deref()).unwrap_or_default();
    let message = condition.and_then(|c| c.message.as_deref()).unwrap_or_default();
    if o.gates.iter().any(|g| g == meta::GATE) {
        return Some(because(Reason::Queued, word, message));
    }
    if !o.gates.is_empty() {
        return Some(because(Reason::Gated, word, message));
    }
    // The condition stays SchedulingGated for a moment after the last gate was opened.
    let reason = reason::unscheduled(word).filter(|r| *r != Reason::Gated)?;
    Some(because(reason, word, message))
}

fn bound(o: &Observation) -> Option<PendingReason> {
    let before_primary = |role| matches!(role, Role::Init | Role::Sidecar);
    let early = o.containers.iter().filter(|c| before_primary(c.role));
    // Without the result's sidecar the primary does not start either.
    early.chain(o.result_sidecar.as_deref()).chain(o.primary()).find_map(|c| match &c.state {
        ContainerState::Waiting { reason, message } => Some(because(reason::waiting(reason)?, reason, message)),
        _ => None,
    })
}

/// Kubernetes' word for a step that is normal and only takes too long.
fn normal_step(o: &Observation) -> String {
    match o.primary().map(|c| &c.state) {
        Some(ContainerState::Waiting { reason, .. }) => reason.clone(),
        _ => String::new(),
    }
}
