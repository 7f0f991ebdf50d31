//! What is to be done for a task without a caller, and when: a pure function of what is known of it.
//!
//! ```text
//! no outcome ─▶ its own limits ─▶ Stop, DeclareLost
//! primary ended, others go on ─▶ their grace ─▶ CleanUp
//! outcome    ─▶ pod there ─▶ kept until its retention ends, it is released, or somebody else deletes it
//!            │     then: Record (while the key must stay taken) ─ 10 s ─▶ Retire: finalizer off, DELETE
//!            └─ pod gone ─▶ Record at once where there is none ─▶ Expire at the window's end
//! ```
//!
//! The keeper performs it (`tend.rs`). Each act is idempotent and leaves a state from which the same function gives the
//! next one, so a keeper may die after any of them.

use jiff::{SignedDuration, Timestamp};

use super::table::{Presence, Recorded, View};
use crate::task::machine::Deadline;
use crate::task::observation::{Holding, StopCause};
use crate::task::outcome;
use crate::task::policy::Retention;
use crate::task::state::State;

/// How long a record is there before its pod's name is free: longer than any replica trusts a silent watch.
pub(super) const RECORD_SETTLES: SignedDuration = SignedDuration::from_secs(10);

/// The server's part of the rules.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// For how long a key stays taken after the end.
    pub window: SignedDuration,
    /// For how long a pod is kept after success.
    pub after_success: SignedDuration,
    /// For how long after any other end.
    pub after_failure: SignedDuration,
    /// How long other containers may go on after the primary.
    pub sidecar_grace: SignedDuration,
}

/// One thing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// Stop the task for this cause.
    Stop(StopCause),
    /// Stop what goes on after the primary container has ended.
    CleanUp,
    /// Its node never came back: the outcome cannot be known.
    DeclareLost,
    /// Write the outcome record.
    Record,
    /// Let the pod go: take our finalizer off, and delete it unless somebody else did.
    Retire,
    /// Delete the outcome record.
    Expire,
}

/// What is next, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Duty {
    /// When (podlaunch's clock).
    pub at: Timestamp,
    /// What.
    pub act: Act,
}

/// All that is known of a task.
pub(super) struct Look<'a> {
    pub view: &'a View,
    pub deadline: Option<Deadline>,
    pub recorded: Option<&'a Recorded>,
}

/// What is next for a task.
pub(super) fn duty(look: &Look<'_>, rules: &Rules, now: Timestamp) -> Option<Duty> {
    if look.view.outcome.is_none() {
        return match look.view.presence {
            Presence::Present => with_left_over(of_active(look), look, rules, now),
            // The record that decides its outcome is being written.
            Presence::Gone => None,
        };
    }
    match look.view.presence {
        Presence::Gone => of_gone(look, rules, now),
        Presence::Present => with_left_over(of_finished(look, rules, now), look, rules, now),
    }
}

/// What is due of a task's own goes before the end of what is left over: should that fail for good, the task is still
/// recorded and retired.
fn with_left_over(own: Option<Duty>, look: &Look<'_>, rules: &Rules, now: Timestamp) -> Option<Duty> {
    own.filter(|own| own.at <= now).or_else(|| earliest([own, left_over(look, rules)]))
}

fn earliest(duties: [Option<Duty>; 2]) -> Option<Duty> {
    duties.into_iter().flatten().min_by_key(|duty| duty.at)
}

/// Other containers go on after the primary, in a pod that nobody else ends.
fn left_over(look: &Look<'_>, rules: &Rules) -> Option<Duty> {
    let seen = &look.view.observation;
    if !outcome::is_left_over(seen) {
        return None;
    }
    // Counted from when it was decided, by a clock of our own; before that, from the node's word.
    let since = look.view.ended.or_else(|| outcome::left_over_since(seen)).unwrap_or(look.view.observed);
    let must = outcome::must_have_gone_on(seen);
    // A node's clock may be behind, and what it has still to tell must not be hidden.
    let since = if must > SignedDuration::ZERO { since.max(look.view.observed) } else { since };
    let grace = rules.sidecar_grace.max(must);
    Some(Duty { at: since.checked_add(grace).ok()?, act: Act::CleanUp })
}

fn of_active(look: &Look<'_>) -> Option<Duty> {
    let own = look.deadline.map(|deadline| {
        let act = match deadline.cause {
            StopCause::LostTimeout => Act::DeclareLost,
            cause => Act::Stop(cause),
        };
        Duty { at: deadline.at, act }
    });
    let seen = &look.view.observation;
    let ended = seen.phase_is_terminal() || seen.primary_ended().is_some();
    let stopping = seen.stop.is_some() || seen.deletion.is_some() || ended;
    let left = seen.attached_until.filter(|_| !stopping && seen.policy.cancel_after.is_some());
    let left = left.map(|at| Duty { at, act: Act::Stop(StopCause::Disconnected) });
    earliest([own, left])
}

fn of_gone(look: &Look<'_>, rules: &Rules, now: Timestamp) -> Option<Duty> {
    match look.recorded {
        Some(recorded) => Some(Duty { at: recorded.stored.record.task.expires, act: Act::Expire }),
        None => key_is_needed(look, rules, now).then_some(Duty { at: now, act: Act::Record }),
    }
}

fn of_finished(look: &Look<'_>, rules: &Rules, now: Timestamp) -> Option<Duty> {
    let seen = &look.view.observation;
    let leaving = seen.deletion.is_some();
    let at = if leaving || seen.released.is_some() { now } else { kept_until(look, rules)? };
    if at > now {
        return Some(Duty { at, act: Act::Retire });
    }
    let holds = seen.has_finalizer == Holding::Held;
    match look.recorded {
        None if key_is_needed(look, rules, now) => Some(Duty { at: now, act: Act::Record }),
        // Others delete it, and nothing of ours keeps it.
        _ if leaving && !holds => None,
        Some(recorded) => {
            let free = recorded.seen.checked_add(RECORD_SETTLES).unwrap_or(now);
            Some(Duty { at: free.max(now), act: Act::Retire })
        }
        None => Some(Duty { at: now, act: Act::Retire }),
    }
}

/// When the pod's retention ends; `None`: when its caller says so.
pub(super) fn kept_until(look: &Look<'_>, rules: &Rules) -> Option<Timestamp> {
    let outcome = look.view.outcome.as_ref()?;
    let succeeded = outcome.outcome.state == State::Succeeded;
    let asked = match (&look.view.observation.policy.retention, succeeded) {
        (Retention::Keep, _) => return None,
        (Retention::Server, _) => None,
        (Retention::After { success, .. }, true) => *success,
        (Retention::After { failure, .. }, false) => *failure,
    };
    let default = if succeeded { rules.after_success } else { rules.after_failure };
    look.view.ended?.checked_add(asked.map_or(default, SignedDuration::from_secs)).ok()
}

/// Whether the key must stay taken at `now`.
fn key_is_needed(look: &Look<'_>, rules: &Rules, now: Timestamp) -> bool {
    let ended = look.view.ended.unwrap_or(now);
    ended.checked_add(rules.window).is_ok_and(|until| now < until)
}

#[cfg(test)]
#[path = "duty_tests.rs"]
mod tests;
