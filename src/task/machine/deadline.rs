//! When a task runs into a limit of its own.

use jiff::{SignedDuration, Timestamp};

use super::Row;
use crate::task::observation::StopCause;
use crate::task::policy::DEFAULT_LOST_SECONDS;
use crate::task::state::State;

/// A limit and when it passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// When. Counted from stamps of the API server (created, bound) or the node (started), so off
    /// by what their clocks are off.
    pub at: Timestamp,
    /// What then is the cause of the stop; [`StopCause::LostTimeout`] stores
    /// [`decide_lost`](crate::task::outcome::decide_lost) instead of stopping anything.
    pub cause: StopCause,
}

pub(super) fn of(row: &Row) -> Option<Deadline> {
    let o = &row.observation;
    let ended = o.primary_ended().is_some();
    if row.is_gone() || row.outcome.is_some() || o.phase_is_terminal() {
        return None;
    }
    let stopping = o.stop.is_some() || o.deletion.is_some() || ended;
    let own = if stopping { [None, None] } else { [of_state(row), of_waiting(row)] };
    own.into_iter().chain([lost(row)]).flatten().min_by_key(|d| d.at)
}

fn of_state(row: &Row) -> Option<Deadline> {
    let o = &row.observation;
    let timeouts = &o.policy.timeouts;
    match row.base {
        State::Pending => after(o.created, timeouts.schedule, StopCause::ScheduleTimeout),
        State::Starting => {
            let bound = o.condition("PodScheduled").filter(|c| c.status == "True").and_then(|c| c.since);
            after(bound.or(o.start_time).or(o.created), timeouts.startup, StopCause::StartupTimeout)
        }
        State::Running => after(row.started.or(o.start_time), timeouts.execution, StopCause::ExecutionTimeout),
        _ => None,
    }
}

/// The grace of what it waits for: a shorter end to waiting, within the timeout of its state.
fn of_waiting(row: &Row) -> Option<Deadline> {
    let wait = row.wait?;
    let grace = row.observation.policy.timeouts.pending_grace(wait.reason)?;
    let cause = if row.base == State::Pending { StopCause::ScheduleTimeout } else { StopCause::StartupTimeout };
    after(Some(wait.since), Some(grace), cause)
}

/// Whoever deletes a silent node's pod by force says that the node is not waited for.
fn lost(row: &Row) -> Option<Deadline> {
    let o = &row.observation;
    let seconds = o.policy.timeouts.lost.unwrap_or(DEFAULT_LOST_SECONDS);
    let seconds = if o.is_force_deleted() { 0 } else { seconds };
    after(row.silent_since, Some(seconds), StopCause::LostTimeout)
}

fn after(from: Option<Timestamp>, seconds: Option<i64>, cause: StopCause) -> Option<Deadline> {
    let at = from?.checked_add(SignedDuration::from_secs(seconds?)).ok()?;
    Some(Deadline { at, cause })
}
