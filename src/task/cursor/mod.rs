//! Where a chain of streams is: given out with every event, given back to go on.
//!
//! ```text
//!   events sent ──passed()──▶ Cursor ──encode──▶ opaque bytes, to the client
//!   log lines sent ─log_mut()─▶  ▲                     │
//!                                └──────decode─────────┘ (any replica, any time, any bytes)
//!   row's events ──unsent()──▶ what is still to be sent;  wants() ──▶ and of what comes later
//! ```
//!
//! A cursor is no index into a list: replicas have seen different parts of what happened. It holds
//! how far each thing got — the rank of the state, restart and phase of each container, the
//! position in each log — and, where several events share such a place, hashes of those passed. An
//! event that cannot be told from one already passed is not sent: a missing one is legal, a second
//! one is not. What a filter hid was not passed, and keeps its old place.
//!
//! It holds no secret and grants nothing.

use std::borrow::Borrow;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::event::{ContainerChange, ContainerPhase, Notice, StateChange, TaskEvent, TaskEventBody};
use super::key::{Instance, TaskKey};
use super::state::State;
use crate::logs::{DeliveryBuilder, Position, Verdict};

mod codec;
#[cfg(test)]
mod tests;
mod wire;

/// Longest encoding that is decoded, bytes.
pub const MAX_CURSOR: usize = 64 * 1024;
/// Most containers and most logs in a cursor.
pub const MAX_ENTRIES: usize = 512;
/// Most events remembered by hash that share the state's place.
const MAX_STATE_PASSED: usize = 24;
/// Most waiting events remembered by hash, for one container.
const MAX_WAITING_PASSED: usize = 8;
/// Most remarks of podlaunch's own that are remembered.
const MAX_REMARKS: usize = 16;
const PHASE_WAITING: u8 = 1;

/// A cursor that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CursorError {
    /// Not what podlaunch gave out.
    #[error("the cursor is damaged; give back the bytes of an event's cursor unchanged")]
    Invalid,
    /// Given out by a newer version.
    #[error(
        "the cursor was given out by a newer version of podlaunch; attach to a server of that version, or without a cursor"
    )]
    Unsupported,
    /// Of another task, or of another pod of the same name.
    #[error("the cursor belongs to another task; attach without a cursor")]
    Foreign,
}

/// How far a chain of streams got.
#[derive(Debug, Clone, PartialEq)]
pub struct Cursor {
    /// Hash of instance and key, see [`binding`].
    pub binding: u64,
    /// uid of the pod.
    pub pod_uid: String,
    state: StateMark,
    containers: Vec<ContainerMark>,
    logs: Vec<LogMark>,
    notice_version: u64,
    remarks: Vec<u64>,
    /// Whether the outcome was passed.
    ended: bool,
    /// From where logs are sent of which nothing was sent yet.
    log_start: LogStart,
}

/// From where a chain of streams was asked to send the logs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogStart {
    /// From the first line.
    #[default]
    Beginning,
    /// Of what there was when it was asked for, the last lines; all that came later.
    Tail {
        /// Lines of each log; 0 for none.
        lines: u32,
        /// When it was asked for (podlaunch's clock).
        asked: Timestamp,
    },
    /// From the first line stamped at or after this (node's clock).
    Since(Timestamp),
}

#[derive(Debug, Clone, Default, PartialEq)]
struct StateMark {
    /// Rank of the state, UNREACHABLE left aside; 0 before the first.
    base: u8,
    /// Hashes of the state events passed at this rank.
    passed: Vec<u64>,
    /// There were more of them: no further event of this rank can be told to be new.
    full: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct ContainerMark {
    /// Hash of the container's name.
    name: u64,
    restart: u32,
    /// Rank of the phase.
    rank: u8,
    /// Hashes of the waiting events passed in this run.
    passed: Vec<u32>,
    full: bool,
}

/// How far the log of one run of a container was sent.
#[derive(Debug, Clone, PartialEq)]
pub struct LogMark {
    container: u64,
    /// restartCount of the run.
    pub restart: u32,
    /// Up to where its lines were sent.
    pub position: Position,
    /// The verdict so far.
    pub delivery: DeliveryBuilder,
    /// The verdict, once the log's end was sent.
    pub ended: Option<Verdict>,
}

/// The hash that binds a cursor to a task: of the pod's deterministic name, which is made of
/// instance and key.
pub fn binding(key: &TaskKey, instance: &Instance) -> u64 {
    first_eight(&Sha256::digest(key.pod_name(instance).as_bytes()))
}

impl Cursor {
    /// Before the first event of a task's pod.
    pub fn start(binding: u64, pod_uid: impl Into<String>) -> Self {
        Cursor {
            binding,
            pod_uid: pod_uid.into(),
            state: StateMark::default(),
            containers: Vec::new(),
            logs: Vec::new(),
            notice_version: 0,
            remarks: Vec::new(),
            ended: false,
            log_start: LogStart::Beginning,
        }
    }

    /// The same for a chain that was asked to send the logs from there.
    #[must_use]
    pub fn with_log_start(self, log_start: LogStart) -> Self {
        Cursor { log_start, ..self }
    }

    /// From where logs are sent of which nothing was sent yet.
    pub fn log_start(&self) -> LogStart {
        self.log_start
    }

    /// The opaque form: at most 1 KiB and 48 bytes for each container, as long as each has one log
    /// being read. Beyond that, hashes of passed events and the logs' first lines are left out.
    pub fn encode(&self) -> Vec<u8> {
        codec::encode(self)
    }

    /// Reads the opaque form; `binding` is that of the task it is used for.
    pub fn decode(bytes: &[u8], binding: u64) -> Result<Cursor, CursorError> {
        codec::decode(bytes, binding)
    }

    /// Refuses a cursor of another pod under the same name.
    pub fn check_pod(&self, uid: &str) -> Result<(), CursorError> {
        if self.pod_uid == uid { Ok(()) } else { Err(CursorError::Foreign) }
    }

    /// Whether the outcome was passed: nothing follows.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Indices of what is still to be sent of a row's events, which are in order.
    pub fn unsent<E: Borrow<TaskEvent>>(&self, events: &[E]) -> Vec<usize> {
        let known = |event: &TaskEvent| {
            matches!(event.body, TaskEventBody::State(_)) && self.state.passed.contains(&hash(&event.uid))
        };
        // What lies before a state that was passed is old news, whoever saw it.
        let old = events.iter().rposition(|e| known(e.borrow()));
        let is_old = |i: usize, event: &TaskEvent| {
            matches!(event.body, TaskEventBody::State(_)) && old.is_some_and(|old| i <= old)
        };
        let indices = events.iter().map(Borrow::borrow).enumerate();
        indices.filter(|(i, e)| self.wants(e) && !is_old(*i, e)).map(|(i, _)| i).collect()
    }

    /// Whether an event is still to be sent. For an event that happens while a stream is open; for
    /// what a row has kept see [`Cursor::unsent`].
    pub fn wants(&self, event: &TaskEvent) -> bool {
        if self.ended {
            return false;
        }
        match &event.body {
            TaskEventBody::State(change) => self.state.wants(change, &event.uid),
            TaskEventBody::Container(change) => self.wants_container(change, &event.uid),
            TaskEventBody::Notice(notice) => self.wants_notice(notice, &event.uid),
            TaskEventBody::Outcome(_) => true,
        }
    }

    /// An event was sent.
    pub fn passed(&mut self, event: &TaskEvent) {
        match &event.body {
            TaskEventBody::State(change) => self.state.pass(change, &event.uid),
            TaskEventBody::Container(change) => self.pass_container(change, &event.uid),
            TaskEventBody::Notice(notice) if notice.version == 0 => {
                if self.remarks.len() < MAX_REMARKS {
                    self.remarks.push(hash(&event.uid));
                }
            }
            TaskEventBody::Notice(notice) => self.notice_version = self.notice_version.max(notice.version),
            TaskEventBody::Outcome(_) => self.ended = true,
        }
    }

    /// The state the chain was told last, UNREACHABLE left aside.
    pub fn last_state(&self) -> Option<State> {
        State::of_rank(self.state.base)
    }

    /// How far a log was sent.
    pub fn log(&self, container: &str, restart: u32) -> Option<&LogMark> {
        let container = name_hash(container);
        self.logs.iter().find(|l| l.container == container && l.restart == restart)
    }

    /// How far a log was sent, to be moved on; a log that was not begun starts at `from`. None
    /// where a cursor can hold no further log.
    pub fn log_mut(&mut self, container: &str, restart: u32, from: impl FnOnce() -> Position) -> Option<&mut LogMark> {
        let container = name_hash(container);
        let known = self.logs.iter().position(|l| l.container == container && l.restart == restart);
        if let Some(at) = known {
            return self.logs.get_mut(at);
        }
        if self.logs.len() == MAX_ENTRIES {
            return None;
        }
        let (position, delivery) = (from(), DeliveryBuilder::default());
        self.logs.push(LogMark { container, restart, position, delivery, ended: None });
        self.logs.last_mut()
    }

    /// The run of a container that its last event was about: those before it were dealt with.
    pub fn reached(&self, container: &str) -> u32 {
        let name = name_hash(container);
        self.containers.iter().find(|m| m.name == name).map_or(0, |m| m.restart)
    }

    fn wants_container(&self, change: &ContainerChange, uid: &str) -> bool {
        let name = name_hash(&change.container);
        let Some(mark) = self.containers.iter().find(|m| m.name == name) else {
            return self.containers.len() < MAX_ENTRIES;
        };
        match (change.restart, change.phase.rank()).cmp(&(mark.restart, mark.rank)) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Greater => true,
            // Only a waiting container says several things in one place.
            std::cmp::Ordering::Equal => {
                mark.rank == PHASE_WAITING && !mark.full && !mark.passed.contains(&short(hash(uid)))
            }
        }
    }

    fn pass_container(&mut self, change: &ContainerChange, uid: &str) {
        let name = name_hash(&change.container);
        let at = (change.restart, change.phase.rank());
        let known = self.containers.iter().position(|m| m.name == name);
        let known = known.unwrap_or_else(|| {
            self.containers.push(ContainerMark { name, restart: at.0, rank: at.1, passed: Vec::new(), full: false });
            self.containers.len() - 1
        });
        let mark = &mut self.containers[known];
        if at < (mark.restart, mark.rank) {
            return;
        }
        if at > (mark.restart, mark.rank) {
            (mark.restart, mark.rank) = at;
            (mark.passed, mark.full) = (Vec::new(), false);
        }
        if !matches!(change.phase, ContainerPhase::Waiting { .. }) {
            return;
        }
        if mark.passed.len() < MAX_WAITING_PASSED {
            mark.passed.push(short(hash(uid)));
        } else {
            mark.full = true;
        }
    }

    fn wants_notice(&self, notice: &Notice, uid: &str) -> bool {
        if notice.version == 0 {
            return self.remarks.len() < MAX_REMARKS && !self.remarks.contains(&hash(uid));
        }
        notice.version > self.notice_version
    }
}

impl StateMark {
    fn wants(&self, change: &StateChange, uid: &str) -> bool {
        let base = base(change);
        base > self.base || (base == self.base && !self.full && !self.passed.contains(&hash(uid)))
    }

    fn pass(&mut self, change: &StateChange, uid: &str) {
        let base = base(change);
        if base > self.base {
            *self = StateMark { base, ..StateMark::default() };
        }
        if base < self.base {
            return;
        }
        if self.passed.len() < MAX_STATE_PASSED {
            self.passed.push(hash(uid));
        } else {
            self.full = true;
        }
    }
}

/// The rank of the state under a silence: UNREACHABLE may come and go at any of them.
fn base(change: &StateChange) -> u8 {
    match (change.state, change.previous) {
        (State::Unreachable, Some(before)) => before.rank(),
        (State::Unreachable, None) => State::Pending.rank(),
        (state, _) => state.rank(),
    }
}

fn first_eight(digest: &[u8]) -> u64 {
    digest.iter().take(8).fold(0, |hash, byte| (hash << 8) | u64::from(*byte))
}

fn hash(uid: &str) -> u64 {
    first_eight(&Sha256::digest(uid.as_bytes()))
}

/// 48 bits: enough for the containers of one pod.
fn name_hash(name: &str) -> u64 {
    hash(name) >> 16
}

fn short(hash: u64) -> u32 {
    (hash >> 32) as u32
}
