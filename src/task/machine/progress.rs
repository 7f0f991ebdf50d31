//! PENDING → STARTING → RUNNING → TERMINATING, and the silence of a node beside them.

use jiff::{SignedDuration, Timestamp};

use super::{Row, pending, uid};
use crate::task::event::{StateChange, TaskEvent, TaskEventBody};
use crate::task::observation::{ContainerState, Observation, PendingReason, Stop, StopCause};
use crate::task::outcome::deletion_requested;
use crate::task::reason::{self, Reason};
use crate::task::state::State;

/// How long past the end of its grace a deletion may take before the node counts as silent.
const DELETION_SLACK: SignedDuration = SignedDuration::from_secs(60);

/// Moves the row to where the observation has it.
pub(super) fn advance(row: &mut Row, first: bool, now: Timestamp, events: &mut Vec<TaskEvent>) {
    let o = std::sync::Arc::clone(&row.observation);
    let reached = reached(&o);
    let moved = first || reached.rank() > row.base.rank();
    if moved {
        row.base = reached;
        row.told.clear();
    }
    pending::refresh(row, now);
    let mut tell = Tell { o: &o, now, events };
    if moved {
        tell.base(row, first);
    } else {
        tell.new_reason(row);
    }
    tell.silence(row, moved);
}

/// Tells a reason that became known without the pod having changed.
pub(super) fn explain(row: &mut Row, now: Timestamp, events: &mut Vec<TaskEvent>) {
    let o = std::sync::Arc::clone(&row.observation);
    pending::refresh(row, now);
    Tell { o: &o, now, events }.new_reason(row);
}

/// When to look again, because time alone may make the node silent.
pub(super) fn recheck_at(o: &Observation, now: Timestamp) -> Option<Timestamp> {
    overdue_at(o).filter(|at| *at > now)
}

struct Tell<'a> {
    o: &'a Observation,
    now: Timestamp,
    events: &'a mut Vec<TaskEvent>,
}

impl Tell<'_> {
    fn base(&mut self, row: &mut Row, first: bool) {
        let previous = (!first).then_some(row.state);
        row.state = row.base;
        let why = why(row);
        if let (State::Pending | State::Starting, Some(why)) = (row.base, &why) {
            row.told.push(why.reason);
        }
        let uid = uid::state(&self.o.uid, row.base, why.as_ref().map(|w| w.reason));
        self.push(uid, occurred(row), row.base, previous, why);
    }

    fn new_reason(&mut self, row: &mut Row) {
        let waiting = matches!(row.state, State::Pending | State::Starting);
        let Some(why) = row.pending.as_deref().filter(|w| waiting && !row.told.contains(&w.reason)).cloned() else {
            return;
        };
        row.told.push(why.reason);
        let uid = uid::state(&self.o.uid, row.state, Some(why.reason));
        self.push(uid, None, row.state, Some(row.state), Some(Why::from(why)));
    }

    /// UNREACHABLE lies over the base state and may come and go.
    fn silence(&mut self, row: &mut Row, moved: bool) {
        let silent = silent_since(self.o, self.now);
        match (silent, row.silent_since) {
            (Some(since), None) => row.silent_since = Some(since),
            (None, Some(since)) => {
                row.silent_since = None;
                let ended = self.o.phase_is_terminal() || self.o.primary_terminated().is_some();
                if !moved && !ended && row.state == State::Unreachable {
                    row.state = row.base;
                    let uid = uid::silence(&self.o.uid, row.base, row.base, since);
                    self.push(uid, None, row.base, Some(State::Unreachable), why(row));
                }
            }
            _ => {}
        }
        if let Some(since) = row.silent_since
            && row.state != State::Unreachable
        {
            row.state = State::Unreachable;
            let uid = uid::silence(&self.o.uid, State::Unreachable, row.base, since);
            let why = Why { reason: Reason::NodeUnreachable, ..ready_words(self.o) };
            self.push(uid, Some(since), State::Unreachable, Some(row.base), Some(why));
        }
    }

    fn push(
        &mut self,
        uid: String,
        occurred: Option<Timestamp>,
        state: State,
        previous: Option<State>,
        why: Option<Why>,
    ) {
        let (reason, kubernetes_reason, kubernetes_message) = match why {
            Some(why) => (Some(why.reason), why.word, why.message),
            None => (None, String::new(), String::new()),
        };
        let node = self.o.node.clone();
        let change = StateChange { state, previous, reason, kubernetes_reason, kubernetes_message, node };
        self.events.push(TaskEvent { uid, occurred, observed: self.now, body: TaskEventBody::State(change) });
    }
}

/// The state the object shows, silence left aside.
fn reached(o: &Observation) -> State {
    if o.stop.is_some() || deletion_counts(o) {
        State::Terminating
    } else if primary_has_started(o) {
        State::Running
    } else if o.node.is_some() {
        State::Starting
    } else {
        State::Pending
    }
}

/// A deletion after the outcome is housekeeping.
fn deletion_counts(o: &Observation) -> bool {
    let ended_by_it = |s: &crate::task::observation::StoredOutcome| {
        s.outcome.state == State::Disrupted || s.outcome.reason == Reason::CompletedDuringDisruption
    };
    o.deletion.is_some() && o.outcome.as_ref().is_none_or(ended_by_it)
}

fn primary_has_started(o: &Observation) -> bool {
    let Some(c) = o.primary() else { return false };
    match &c.state {
        ContainerState::Running { .. } => true,
        ContainerState::Terminated(t) => t.exit_code().is_some() || t.started.is_some() || c.last.is_some(),
        ContainerState::Waiting { .. } | ContainerState::Unset => c.last.is_some(),
    }
}

/// Why the task is where it is.
struct Why {
    reason: Reason,
    word: String,
    message: String,
}

impl From<PendingReason> for Why {
    fn from(p: PendingReason) -> Self {
        Why { reason: p.reason, word: p.kubernetes_reason, message: p.kubernetes_message }
    }
}

fn why(row: &Row) -> Option<Why> {
    match row.base {
        State::Pending | State::Starting => row.pending.as_deref().cloned().map(Why::from),
        State::Terminating => Some(why_terminating(&row.observation)),
        _ => None,
    }
}

fn why_terminating(o: &Observation) -> Why {
    if let Some(stop) = &o.stop {
        return why_stopped(stop);
    }
    let text = |t: &Option<String>| t.clone().unwrap_or_default();
    match o.condition("DisruptionTarget").filter(|c| c.status == "True") {
        Some(c) => {
            let word = text(&c.reason);
            Why { reason: reason::disruption(&word), word, message: text(&c.message) }
        }
        None => Why { reason: Reason::PodDeleted, word: text(&o.reason), message: text(&o.message) },
    }
}

fn why_stopped(stop: &Stop) -> Why {
    let reason = match stop.cause {
        StopCause::Cancel => Reason::CancelledByCaller,
        StopCause::Disconnected => Reason::Disconnected,
        StopCause::ScheduleTimeout => Reason::ScheduleTimeout,
        StopCause::StartupTimeout => Reason::StartupTimeout,
        StopCause::ExecutionTimeout => Reason::ExecutionTimeout,
        StopCause::LostTimeout => Reason::LostTimeout,
    };
    let words = stop.pending.as_ref().map(|p| (p.kubernetes_reason.clone(), p.kubernetes_message.clone()));
    let (word, message) = words.unwrap_or_default();
    Why { reason, word, message }
}

fn ready_words(o: &Observation) -> Why {
    let ready = o.condition("Ready");
    let text = |t: Option<&String>| t.cloned().unwrap_or_default();
    Why {
        reason: Reason::NodeUnreachable,
        word: text(ready.and_then(|c| c.reason.as_ref())),
        message: text(ready.and_then(|c| c.message.as_ref())),
    }
}

fn occurred(row: &Row) -> Option<Timestamp> {
    let o = &row.observation;
    match row.base {
        State::Pending => o.created,
        State::Starting => o.condition("PodScheduled").filter(|c| c.status == "True").and_then(|c| c.since),
        State::Running => row.started,
        State::Terminating => o.stop.as_ref().map(|s| s.time).or_else(|| deletion_requested(o)),
        _ => None,
    }
}

/// Since when the node is silent, if it is.
fn silent_since(o: &Observation, now: Timestamp) -> Option<Timestamp> {
    if o.phase_is_terminal() || o.node.is_none() {
        return None;
    }
    not_reporting(o, now).or_else(|| overdue_at(o).filter(|at| *at <= now))
}

/// The node controller sets Ready to False without a reason (or Unknown, NodeStatusUnknown) and
/// leaves ContainersReady alone; kubelet would have set both.
fn not_reporting(o: &Observation, now: Timestamp) -> Option<Timestamp> {
    let ready = o.condition("Ready")?;
    let by_controller = matches!(ready.reason.as_deref(), None | Some("" | "NodeStatusUnknown"));
    let containers_ready = o.condition("ContainersReady").is_some_and(|c| c.status == "True");
    let silent = matches!(ready.status.as_str(), "False" | "Unknown") && by_controller && containers_ready;
    silent.then(|| ready.since.unwrap_or(now))
}

/// When a deletion is overdue: its grace (a forced one still has the pod's) and a minute after it
/// was asked for.
fn overdue_at(o: &Observation) -> Option<Timestamp> {
    let grace = o.deletion_grace.unwrap_or(0).max(if o.deletion_grace == Some(0) { o.grace_seconds } else { 0 });
    let due = deletion_requested(o)?.checked_add(SignedDuration::from_secs(grace)).ok()?;
    let open = o.node.is_some() && !o.phase_is_terminal();
    due.checked_add(DELETION_SLACK).ok().filter(|_| open)
}
