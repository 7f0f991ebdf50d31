//! One task's row: what its pod's versions, deletion and Events mean for those who watch it.
//!
//! ```text
//!   Pod(version) ──┐   newer? ─▶ state ─▶ containers ─▶ outcome stored? ─▶ decidable?
//!   Gone(last)   ──┤                │          │               │               │
//!   Notice       ──┼─▶ step ────────┴──────────┴───────────────┘               │
//!   Tick         ──┘        │            events, in order                      ▼
//!                           └──────────────────────────────────▶ effects: StoreOutcome …
//! ```
//!
//! Invariants:
//! - Versions of one uid are taken in the order of their resourceVersion; an older or equal one is
//!   no news. Another uid is another task's pod: it must not be fed here, and is ignored.
//! - States only go forward, except from UNREACHABLE back to the state before. What is skipped is
//!   not made up. A new reason for PENDING or STARTING is a
//!   [`StateChange`](super::event::StateChange) of that same state.
//! - An event's uid is a hash of the pod's uid and the event's content: no uid is given twice by a
//!   row, and every replica gives the same event the same one.
//! - The outcome is the last event, and there is one.
//!
//! A row keeps what the next step needs and no events: those are the caller's to keep.

use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

use super::event::{Notice, TaskEvent, TaskEventBody};
use super::observation::{ContainerState, NeverStarted, Observation, PendingReason, StoredOutcome};
use super::outcome::{self, Before, Outcome};
use super::reason::Reason;
use super::state::State;

mod containers;
mod deadline;
mod notices;
mod pending;
mod progress;
#[cfg(test)]
mod tests;
pub mod uid;

pub use deadline::Deadline;
pub use notices::{CHILD_OOM_KILLED, OURS, SECOND_START};

/// What happened to a task's pod.
#[derive(Debug, Clone)]
pub enum Input {
    /// A version of the pod.
    Pod(Arc<Observation>),
    /// The pod object is gone: its last version as the watch showed it, if the watch did. Without
    /// it the caller has looked the pod up and it was not there.
    Gone(Option<Arc<Observation>>),
    /// A Kubernetes event about the pod. Feed lists in the order of `notice.version`.
    Notice {
        /// When it last happened, by its reporter's clock.
        occurred: Option<Timestamp>,
        /// The event.
        notice: Notice,
    },
    /// An outcome record of this pod exists, and says this.
    Recorded(Arc<StoredOutcome>),
    /// Time has passed: what [`Effect::Recheck`] asked for.
    Tick,
}

/// What follows from an input.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Step {
    /// In the order in which every stream carries them.
    pub events: Vec<TaskEvent>,
    /// What the caller is to do.
    pub effects: Vec<Effect>,
}

/// What the caller is to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Store this as the outcome: one patch that tests uid and resourceVersion. The patched pod is
    /// fed back as [`Input::Pod`]; when the test fails, the pod that is there now.
    StoreOutcome(Box<Outcome>),
    /// The pod is gone and its outcome was not seen to be stored: create the outcome record with this one. Whatever
    /// record is there afterwards is fed back as [`Input::Recorded`].
    StoreRecord {
        /// The outcome as far as this replica can tell.
        outcome: Box<Outcome>,
        /// How the end was learnt of.
        end: End,
    },
    /// Feed [`Input::Tick`] at this time (podlaunch's clock).
    Recheck {
        /// When.
        at: Timestamp,
    },
}

/// How the end of a pod was learnt of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The watch showed its last version: nobody knows more.
    Watched,
    /// It was not there any more: another replica may have seen how it ended, and its word counts more.
    Missed,
}

/// How long after its grace the end of a container is waited for, seconds.
const END_DUE_SECONDS: i64 = 30;

/// One task as far as it is known.
#[derive(Debug, Clone)]
pub struct Row {
    observation: Arc<Observation>,
    /// As callers see it.
    state: State,
    /// The furthest of PENDING, STARTING, RUNNING, TERMINATING.
    base: State,
    /// Since when the node is silent, while it is.
    silent_since: Option<Timestamp>,
    /// What the task waits for, by the pod object or else by an event.
    pending: Option<Box<PendingReason>>,
    /// What an event said it waits for.
    hint: Option<Box<PendingReason>>,
    /// What it waits for, normal steps included, and since when.
    wait: Option<pending::Wait>,
    /// What an Event told that the object may never tell.
    told_before: Before,
    /// What came before the present version.
    carried: Before,
    /// Reasons already told for `base`.
    told: Vec<Reason>,
    /// How far each container was told, in the order of the observation.
    marks: Vec<containers::Mark>,
    /// The earliest start of the primary that is known (node's clock).
    started: Option<Timestamp>,
    outcome: Option<Arc<StoredOutcome>>,
    presence: Presence,
    notice_version: u64,
    /// Until when the end of a container of a pod already failed by its deadline, or the word on a result file, is
    /// waited for.
    end_due: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presence {
    There,
    Gone,
}

impl Row {
    /// The row of a pod seen for the first time: new, or after a restart or relist.
    pub fn first(observation: Arc<Observation>, now: Timestamp) -> (Row, Step) {
        let mut row = Row::blank(observation);
        let mut step = Step::default();
        row.show(None, now, &mut step);
        row.settle(Before::Unknown, now, &mut step);
        (row, step)
    }

    fn blank(observation: Arc<Observation>) -> Row {
        Row {
            state: State::Pending,
            base: State::Pending,
            silent_since: None,
            pending: None,
            hint: None,
            wait: None,
            told_before: Before::Unknown,
            carried: Before::Unknown,
            told: Vec::new(),
            marks: vec![containers::Mark::default(); observation.containers.len()],
            started: None,
            outcome: None,
            presence: Presence::There,
            notice_version: 0,
            end_due: None,
            observation,
        }
    }

    /// The row of a task of which only the outcome record is left: it replays the outcome and nothing else.
    pub fn recorded(observation: Arc<Observation>, stored: Arc<StoredOutcome>, now: Timestamp) -> (Row, Step) {
        let mut row = Row { presence: Presence::Gone, ..Row::blank(observation) };
        let mut step = Step::default();
        row.finish(stored, now, &mut step);
        (row, step)
    }

    /// The last version of the pod.
    pub fn observation(&self) -> &Arc<Observation> {
        &self.observation
    }

    /// Where the task is; the outcome's state once it is stored.
    pub fn state(&self) -> State {
        self.outcome.as_ref().map_or(self.state, |stored| stored.outcome.state)
    }

    /// What a PENDING or STARTING task waits for, if that is known and not a normal step.
    pub fn pending(&self) -> Option<&PendingReason> {
        self.pending.as_deref()
    }

    /// The outcome, once it is stored or the pod is gone.
    pub fn outcome(&self) -> Option<&Arc<StoredOutcome>> {
        self.outcome.as_ref()
    }

    /// Whether the pod object is gone.
    pub fn is_gone(&self) -> bool {
        self.presence == Presence::Gone
    }

    /// When the task runs into a limit of its own, and which; the earliest if there are several.
    pub fn deadline(&self) -> Option<Deadline> {
        deadline::of(self)
    }

    /// What a stop recorded now must carry: why the task is still waiting, and whether the pod
    /// proves that its primary never started. None once it has.
    pub fn pending_for_stop(&self) -> Option<PendingReason> {
        pending::for_stop(self)
    }

    fn observe(&mut self, next: Arc<Observation>, now: Timestamp, step: &mut Step) {
        if next.uid != self.observation.uid || next.resource_version <= self.observation.resource_version {
            return;
        }
        let before = self.before();
        self.carried = before;
        let previous = std::mem::replace(&mut self.observation, next);
        self.show(Some(&previous), now, step);
        self.settle(before, now, step);
    }

    /// Events that the present version gives.
    fn show(&mut self, previous: Option<&Observation>, now: Timestamp, step: &mut Step) {
        if self.outcome.is_some() {
            return;
        }
        self.note_start();
        progress::advance(self, previous.is_none(), now, &mut step.events);
        containers::advance(self, previous, now, &mut step.events);
    }

    /// The outcome, if there is one, and what is to be done.
    fn settle(&mut self, before: Before, now: Timestamp, step: &mut Step) {
        if let Some(stored) = self.observation.outcome.clone() {
            self.finish(Arc::new(stored), now, step);
        }
        if self.outcome.is_some() {
            return;
        }
        if let Some(outcome) = outcome::decide_after(&self.observation, before) {
            step.effects.push(Effect::StoreOutcome(Box::new(outcome)));
        } else if outcome::end_is_due(&self.observation) || outcome::result_is_due(&self.observation) {
            let wait = SignedDuration::from_secs(self.observation.grace_seconds.saturating_add(END_DUE_SECONDS));
            let at = *self.end_due.get_or_insert(now.saturating_add(wait).unwrap_or(now));
            step.effects.push(Effect::Recheck { at });
        } else if let Some(at) = progress::recheck_at(&self.observation, now) {
            step.effects.push(Effect::Recheck { at });
        }
    }

    /// The container's end was due by now.
    fn give_up_on_end(&mut self, now: Timestamp, step: &mut Step) {
        let due = outcome::end_is_due(&self.observation) || outcome::result_is_due(&self.observation);
        if due && self.end_due.is_some_and(|at| at <= now) {
            let outcome = outcome::decide_overdue(&self.observation, Before::Unknown);
            step.effects.push(Effect::StoreOutcome(Box::new(outcome)));
        }
    }

    fn finish(&mut self, stored: Arc<StoredOutcome>, now: Timestamp, step: &mut Step) {
        if self.outcome.is_some() {
            return;
        }
        let occurred = stored.outcome.times.finished;
        let body = TaskEventBody::Outcome(Arc::clone(&stored));
        // A task that was never launched has no pod uid; its name is as good.
        let o = &self.observation;
        let pod = if o.uid.is_empty() { &o.pod_name } else { &o.uid };
        step.events.push(TaskEvent { uid: uid::outcome(pod), occurred, observed: now, body });
        self.outcome = Some(stored);
        self.pending = None;
        self.hint = None;
        self.wait = None;
        self.told = Vec::new();
        self.marks = Vec::new();
        if !self.observation.literals.is_empty() {
            // Kept to clean messages with, and there are none to come.
            let literals = super::Literals::default();
            self.observation = Arc::new(Observation { literals, ..Observation::clone(&self.observation) });
        }
    }

    fn go(&mut self, last: Option<Arc<Observation>>, now: Timestamp, step: &mut Step) {
        if last.as_ref().is_some_and(|l| l.uid != self.observation.uid) {
            return;
        }
        self.presence = Presence::Gone;
        let before = self.before();
        let watched = last.filter(|l| l.resource_version >= self.observation.resource_version);
        let end = if watched.is_some() { End::Watched } else { End::Missed };
        if let Some(last) = watched {
            let previous = std::mem::replace(&mut self.observation, last);
            self.show(Some(&previous), now, step);
        }
        match self.observation.outcome.clone() {
            Some(stored) => self.finish(Arc::new(stored), now, step),
            None if self.outcome.is_none() => {
                let how = match end {
                    End::Watched => outcome::decide_gone,
                    End::Missed => outcome::decide_vanished,
                };
                let outcome = Box::new(how(&self.observation, before));
                step.effects.push(Effect::StoreRecord { outcome, end });
            }
            None => {}
        }
    }

    /// What is known of the primary before the next version. That it was waiting holds on over
    /// versions which only say that it cannot be located: the patch that stores an outcome may lose
    /// its race against one of them.
    fn before(&self) -> Before {
        let waiting = |s: &ContainerState| matches!(s, ContainerState::Waiting { .. });
        match self.observation.primary() {
            _ if self.told_before != Before::Unknown => self.told_before,
            Some(c) if waiting(&c.state) && pending::never_started(&self.observation) == NeverStarted::Proven => {
                Before::PrimaryWaiting
            }
            Some(c) if matches!(&c.state, ContainerState::Terminated(t) if t.is_unlocated()) => self.carried,
            _ => Before::Unknown,
        }
    }

    fn note_start(&mut self) {
        let Some(c) = self.observation.primary() else { return };
        let now = match &c.state {
            ContainerState::Running { started } => *started,
            ContainerState::Terminated(t) => t.started,
            ContainerState::Waiting { .. } | ContainerState::Unset => None,
        };
        let earlier = c.last.as_ref().and_then(|t| t.started);
        self.started = [self.started, now, earlier].into_iter().flatten().min();
    }
}

/// One input. The row comes back with what follows from it.
pub fn step(mut row: Row, input: Input, now: Timestamp) -> (Row, Step) {
    let mut step = Step::default();
    match input {
        Input::Recorded(stored) => row.finish(stored, now, &mut step),
        _ if row.is_gone() => {}
        Input::Pod(next) => row.observe(next, now, &mut step),
        Input::Gone(last) => row.go(last, now, &mut step),
        Input::Notice { occurred, notice } if row.outcome.is_none() => {
            notices::take(&mut row, occurred, notice, now, &mut step.events);
        }
        Input::Tick if row.outcome.is_none() => {
            progress::advance(&mut row, false, now, &mut step.events);
            row.give_up_on_end(now, &mut step);
            if let Some(at) = progress::recheck_at(&row.observation, now) {
                step.effects.push(Effect::Recheck { at });
            }
        }
        Input::Notice { .. } | Input::Tick => {}
    }
    (row, step)
}
