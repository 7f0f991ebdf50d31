//! What one version of the pod proves about the primary container, before any cause is weighed.

use jiff::{SignedDuration, Timestamp};

use crate::task::observation::{
    Condition, ContainerObservation, ContainerState, NeverStarted, Observation, Terminated,
};
use crate::task::reason::Reason;

/// What a replica saw before the version it decides from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// The primary was `waiting` in the version right before, and never seen otherwise.
    PrimaryWaiting,
    /// An Event says that the primary's postStart hook failed. The object never says it.
    HookFailed,
    /// An Event says that the node is taking the pod away, for this reason. The object does not say
    /// it where the primary then exits 0.
    TakenAway(Reason),
    /// Nothing that counts.
    Unknown,
}

/// How much the last version says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// The node has said its last: a terminal phase, or an exit.
    Final,
    /// The object went away after this version.
    LastSeen,
    /// The object went away some time after this version.
    Stale,
}

/// Whether the primary container ever started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Started {
    /// It did.
    Yes,
    /// Stored data proves that it did not.
    Never,
    /// Not known.
    Unknown,
}

/// What one version proves.
pub(super) struct Facts<'a> {
    /// The primary's end: its state, or that of its last run while it waits for the next.
    pub end: Option<&'a Terminated>,
    /// Whether it ever started.
    pub started: Started,
    /// Whether it is shown as running.
    pub running: bool,
    /// What was known before.
    pub before: Before,
}

impl<'a> Facts<'a> {
    pub(super) fn of(o: &'a Observation, before: Before, word: Word) -> Self {
        let primary = o.primary();
        Facts {
            // A run that failed under OnFailure may have been followed by another, unless the node said its last.
            end: primary.and_then(end_of).filter(|t| word == Word::Final || o.restart_policy == "Never" || t.code == 0),
            started: started(o, before, word),
            running: primary.is_some_and(|c| matches!(c.state, ContainerState::Running { .. })),
            before,
        }
    }

    /// Whether the primary's postStart hook is known to have failed in its only run.
    pub(super) fn hook_failed(&self, o: &Observation) -> bool {
        self.before == Before::HookFailed && o.primary().is_some_and(|c| c.restarts == 0)
    }

    /// The exit code, where a process really ended with it.
    pub(super) fn exit_code(&self) -> Option<i32> {
        self.end.and_then(Terminated::exit_code)
    }
}

fn end_of(c: &ContainerObservation) -> Option<&Terminated> {
    match &c.state {
        ContainerState::Terminated(t) => Some(t),
        ContainerState::Waiting { .. } => c.last.as_ref(),
        ContainerState::Running { .. } | ContainerState::Unset => None,
    }
}

/// Whether an end is the container's own and no kill: an exit code below 128, or a command that could not be started.
pub(super) fn is_own_exit(end: &Terminated) -> bool {
    end.exit_code().is_some_and(|code| (0..128).contains(&code)) || is_start_error(end)
}

/// Whether the runtime refused to start it: no process of the image ever ran.
pub(super) fn is_start_error(t: &Terminated) -> bool {
    matches!(t.reason.as_str(), "StartError" | "ContainerCannotRun")
}

/// A pod that was never bound never started anything; one that is being deleted cannot be bound
/// any more, and its DELETED event shows its last version.
fn never_bound(o: &Observation, word: Word) -> bool {
    o.node.is_none() && (word != Word::Stale || o.deletion.is_some())
}

fn started(o: &Observation, before: Before, word: Word) -> Started {
    if never_bound(o, word) {
        return Started::Never;
    }
    let Some(c) = o.primary() else { return without_status(o, word) };
    if c.restarts > 0 || c.last.is_some() {
        return Started::Yes;
    }
    match &c.state {
        ContainerState::Running { .. } => Started::Yes,
        ContainerState::Terminated(t) if is_start_error(t) => Started::Never,
        ContainerState::Terminated(t) if t.exit_code().is_some() || t.started.is_some() => Started::Yes,
        ContainerState::Terminated(_) => seen_waiting(o, before),
        // Only the node's own last word counts: garbage collection ends pods of lost nodes, whose
        // `waiting` may be long out of date.
        ContainerState::Waiting { .. } if word == Word::Final && !ended_without_node(o) => Started::Never,
        ContainerState::Waiting { .. } => seen_waiting_at_stop(o, word),
        ContainerState::Unset => without_status(o, word),
    }
}

fn without_status(o: &Observation, word: Word) -> Started {
    let silent = o.containers.iter().all(|c| c.state == ContainerState::Unset);
    if word == Word::Final && o.phase == "Failed" && silent && o.reason.is_some() && !ended_without_node(o) {
        return Started::Never;
    }
    seen_waiting_at_stop(o, word)
}

/// A container that could not be located when the pod ended, and was `waiting` when last seen:
/// by us, or by whoever recorded our stop. A node that was told to end the pod would have located one
/// it had started; one that lost it by itself (a reboot) may have run it unseen.
fn seen_waiting(o: &Observation, before: Before) -> Started {
    let told_to_end = o.deletion.is_some() || o.stop.is_some() || o.reason.is_some() || disruption_target(o).is_some();
    match before {
        Before::PrimaryWaiting if told_to_end => Started::Never,
        _ => seen_waiting_at_stop(o, Word::Final),
    }
}

fn seen_waiting_at_stop(o: &Observation, word: Word) -> Started {
    let pending = o.stop.as_ref().and_then(|s| s.pending.as_ref());
    match pending {
        Some(p) if word == Word::Final && p.never_started == NeverStarted::Proven => Started::Never,
        _ => Started::Unknown,
    }
}

/// Whether the pod was ended by the control plane for a node that is gone.
fn ended_without_node(o: &Observation) -> bool {
    disruption_target(o).is_some_and(|c| c.reason.as_deref() == Some("DeletionByPodGC"))
}

/// Condition DisruptionTarget, where it is True.
pub(super) fn disruption_target(o: &Observation) -> Option<&Condition> {
    o.condition("DisruptionTarget").filter(|c| c.status == "True")
}

/// When the deletion was asked for. Exact while the grace is in deletionTimestamp; kubelet's last
/// step, and a forced deletion, set it anew with grace 0.
pub(crate) fn deletion_requested(o: &Observation) -> Option<Timestamp> {
    o.deletion?.checked_sub(SignedDuration::from_secs(o.deletion_grace.unwrap_or(0))).ok()
}

/// How much earlier than something from outside an end must be to count as the task's own. A node's
/// clock may be behind; generous where the code looks like a kill.
const EXIT_SLACK: SignedDuration = SignedDuration::ZERO;
const KILLED_SLACK: SignedDuration = SignedDuration::from_secs(60);

/// Whether the primary's end was reported before `disrupted`: then that had nothing to do with it.
pub(super) fn ended_before(o: &Observation, facts: &Facts<'_>, disrupted: Timestamp) -> bool {
    let slack = if facts.exit_code().is_some_and(|code| code < 128) { EXIT_SLACK } else { KILLED_SLACK };
    reported_end(o, facts).and_then(|end| end.checked_add(slack).ok()).is_some_and(|end| end < disrupted)
}

/// Whether the primary's end was reported before the pod was deleted.
pub(super) fn ended_before_deletion(o: &Observation, facts: &Facts<'_>) -> bool {
    let Some(requested) = deletion_requested(o) else { return true };
    if o.deletion_grace.unwrap_or(0) > 0 {
        return ended_before(o, facts, requested);
    }
    // A deletion raises the generation: a last report about an earlier one did not know of it.
    let unaware = o.observed_generation.zip(o.generation).is_some_and(|(observed, now)| observed < now);
    if o.phase_is_terminal() && unaware && facts.exit_code().is_some() {
        return true;
    }
    // With grace 0 it may be kubelet's last step, seconds after the deletion was asked for.
    reported_end(o, facts).and_then(|end| end.checked_add(KILLED_SLACK).ok()).is_some_and(|end| end < requested)
}

/// When the primary had ended and it was reported (ContainersReady turned False).
fn reported_end(o: &Observation, facts: &Facts<'_>) -> Option<Timestamp> {
    facts.exit_code()?;
    let finished = facts.end?.finished?;
    let reported = o.condition("ContainersReady").filter(|c| c.status == "False").and_then(|c| c.since);
    Some(reported.map_or(finished, |r| r.max(finished)))
}
