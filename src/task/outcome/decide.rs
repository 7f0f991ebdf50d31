//! When an outcome can be decided, and from what.
//!
//! A container's end is on the watch one to four seconds before the pod's terminal phase. An own
//! exit (code < 128) that nothing else can explain is decided at once, and so is a command that the
//! runtime could not start: no kill looks like that. A kill waits for the phase, since the deadline,
//! eviction or deletion behind a 137 or 143 shows only there. Where other containers go on, that phase comes only when
//! podlaunch ends them (`leftover.rs`); that it did says as much as the phase would.

use jiff::SignedDuration;

use super::cause::{self, Verdict, advice};
use super::facts::{Before, Facts, Word, disruption_target, is_own_exit};
use super::leftover::is_left_over;
use super::result;
use super::{ContainerSummary, Outcome, PodVersion, REASON_VERSION, Times};
use crate::task::observation::{ContainerObservation, ContainerState, Observation, StopCause, Terminated};

/// The outcome, where this version of the pod decides one. None: not yet.
pub fn decide(o: &Observation) -> Option<Outcome> {
    decide_after(o, Before::Unknown)
}

/// As [`decide`], by a replica that knows what came before. It matters where the object leaves
/// something out: a container that kubelet could not locate any more never started if it was
/// `waiting` before; only an Event tells of a failed postStart hook, and of an eviction that the
/// container took with exit code 0.
pub fn decide_after(o: &Observation, before: Before) -> Option<Outcome> {
    let at_end = o.phase_is_terminal() && !end_is_due(o);
    let taken_away = matches!(before, Before::TakenAway(_));
    let own_end = exit_says_all(o) && !taken_away && result::is_settled(o);
    if !(at_end || own_end || never_to_be_bound(o)) {
        return None;
    }
    Some(decide_overdue(o, before))
}

/// As [`decide_after`], of a pod whose container's end was due and did not come.
pub fn decide_overdue(o: &Observation, before: Before) -> Outcome {
    let facts = Facts::of(o, before, Word::Final);
    build(o, &facts, cause::at_end(o, &facts))
}

/// Whether the primary's own exit says all, and only the word on its result file is still to come: the sidecar is
/// stopped last, when nothing else goes on.
pub fn result_is_due(o: &Observation) -> bool {
    !o.phase_is_terminal() && exit_says_all(o) && !result::is_settled(o) && !is_left_over(o)
}

/// kubelet may post the terminal phase of a pod that reached its deadline while its container (or the result's
/// sidecar) still runs through its grace; the true end follows. A pod that something else failed (pod garbage
/// collection, a lost node) has no such end to come.
pub fn end_is_due(o: &Observation) -> bool {
    let mut last = o.primary().into_iter().chain(o.result_sidecar.as_deref());
    last.any(|c| matches!(c.state, ContainerState::Running { .. }))
        && o.phase_is_terminal()
        && o.reason.as_deref() == Some("DeadlineExceeded")
        && o.deletion.is_none()
        && disruption_target(o).is_none()
}

/// The outcome of a pod that is gone; `o` is the version its DELETED event showed.
pub fn decide_gone(o: &Observation, before: Before) -> Outcome {
    gone(o, before, Word::LastSeen)
}

/// The outcome of a pod that is gone; `o` is the last version seen, and its end was not watched.
pub fn decide_vanished(o: &Observation, before: Before) -> Outcome {
    gone(o, before, Word::Stale)
}

fn gone(o: &Observation, before: Before, word: Word) -> Outcome {
    if let Some(outcome) = decide_after(o, before) {
        return outcome;
    }
    let facts = Facts::of(o, before, word);
    build(o, &facts, cause::vanished(o, &facts))
}

/// The outcome of a pod whose node was silent for the task's lost timeout; or was silent when the pod was deleted by
/// force, which then says what it says of a pod without finalizer.
pub fn decide_lost(o: &Observation) -> Outcome {
    if o.is_force_deleted() {
        return decide_gone(o, Before::Unknown);
    }
    let facts = Facts::of(o, Before::Unknown, Word::Stale);
    build(o, &facts, cause::lost(o, &facts))
}

/// Whether the primary's own exit leaves nothing to wait for.
fn exit_says_all(o: &Observation) -> bool {
    let Some(end) = o.primary_ended() else { return false };
    if o.cleanup.is_some() {
        return true;
    }
    is_own_exit(end)
        && o.restart_policy == "Never"
        && o.deletion.is_none()
        && o.stop.is_none()
        && o.reason.is_none()
        && disruption_target(o).is_none()
        && !deadline_may_have_fired(o, end)
}

/// kubelet compares its clock with the pod's start; both stamps are cut to whole seconds.
pub(super) fn deadline_may_have_fired(o: &Observation, end: &Terminated) -> bool {
    let Some(deadline) = o.active_deadline_seconds else { return false };
    let (Some(start), Some(finished)) = (o.start_time, end.finished) else { return true };
    finished.duration_since(start) + SignedDuration::from_secs(1) >= SignedDuration::from_secs(deadline)
}

/// The API server refuses to bind a pod that is being deleted, so this one never starts. Held by
/// a finalizer it may stay without a terminal phase for ever.
fn never_to_be_bound(o: &Observation) -> bool {
    o.node.is_none() && o.deletion.is_some()
}

fn build(o: &Observation, facts: &Facts<'_>, verdict: Verdict) -> Outcome {
    let decider = o.containers.iter().find(|c| c.name == verdict.container);
    let decider_end = match decider {
        Some(c) if c.name == o.primary => facts.end,
        Some(c) => terminated(c).or(c.last.as_ref()),
        // Nobody's end decided; what a program said when it was stopped is still worth having.
        None => facts.end.filter(|t| t.exit_code().is_some()),
    };
    let result = result::of(o, facts);
    let is_result = result.as_ref().is_some_and(|r| r.is_message(o, decider_end));
    let oom = |t: Option<&Terminated>| t.is_some_and(|t| t.reason == "OOMKilled");
    let (kubernetes_reason, kubernetes_message) = verdict.words.clone();
    Outcome {
        state: verdict.state,
        reason: verdict.reason,
        reason_version: REASON_VERSION,
        kubernetes_reason,
        kubernetes_message,
        origin: verdict.reason.origin(),
        retry_advice: advice(&verdict, facts.started),
        certainty: verdict.certainty,
        exit_code: facts.exit_code(),
        signal: facts.end.and_then(|t| t.signal).filter(|signal| *signal != 0),
        oom_killed: oom(facts.end) || oom(decider_end),
        timeout: verdict.timeout.or_else(|| timeout_of(o)),
        stop: o.stop.clone(),
        container: verdict.container,
        containers: o.containers.iter().map(summary).collect(),
        times: times(o, facts),
        termination_message: decider_end.filter(|_| !is_result).map(|t| t.message.clone()).unwrap_or_default(),
        result,
        pod: PodVersion {
            name: o.pod_name.clone(),
            uid: o.uid.clone(),
            resource_version: o.resource_version,
            node: o.node.clone().unwrap_or_default(),
        },
        shortened: false,
    }
    .within_limits()
}

fn timeout_of(o: &Observation) -> Option<StopCause> {
    let cause = o.stop.as_ref()?.cause;
    (!matches!(cause, StopCause::Cancel | StopCause::Disconnected)).then_some(cause)
}

fn terminated(c: &ContainerObservation) -> Option<&Terminated> {
    match &c.state {
        ContainerState::Terminated(t) => Some(t),
        _ => None,
    }
}

fn summary(c: &ContainerObservation) -> ContainerSummary {
    let (state, reason, exit_code, started, finished) = match &c.state {
        ContainerState::Unset => ("unset", "", None, None, None),
        ContainerState::Waiting { reason, .. } => ("waiting", reason.as_str(), None, None, None),
        ContainerState::Running { started } => ("running", "", None, *started, None),
        ContainerState::Terminated(t) => ("terminated", t.reason.as_str(), t.exit_code(), t.started, t.finished),
    };
    ContainerSummary {
        name: c.name.clone(),
        role: c.role,
        restarts: c.restarts,
        state: state.into(),
        reason: reason.into(),
        exit_code,
        started,
        finished,
    }
}

fn times(o: &Observation, facts: &Facts<'_>) -> Times {
    let running = o.primary().and_then(|c| match &c.state {
        ContainerState::Running { started } => *started,
        _ => None,
    });
    Times {
        created: o.created,
        scheduled: o.condition("PodScheduled").filter(|c| c.status == "True").and_then(|c| c.since),
        started: running.or_else(|| facts.end.and_then(|t| t.started)),
        finished: facts.end.and_then(|t| t.finished),
    }
}
