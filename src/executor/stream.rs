//! A caller's stream: what it has seen already, what there is, what comes.
//!
//! ```text
//! pump.rs ── row events, in order ─────┐
//! reader.rs ── a container's log ──────┼─▶ bounded channel ─▶ TaskStream ─▶ cursor, sequence ─▶ api
//! reader.rs ── another container's ────┘
//!     └ feed.rs: shared with the streams at the same place ◀─ follow.rs: one read from the node
//! ```
//!
//! Only [`TaskStream`] knows the cursor: what it hands out, it has counted. A full channel stops
//! pump and followers, and with them the reads from the API server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::task::AbortOnDropHandle;

use super::disconnect::Listening;
use super::outlet::Outlet;
use super::pump::{Plan, Pump};
use super::table::Entry;
use super::{ExecError, Executor};
use crate::logs;
use crate::task::cursor::{LogStart, binding};
use crate::task::event::{TaskEvent, TaskEventBody};
use crate::task::observation::StoredOutcome;
use crate::task::{Cursor, LogSelection, TaskKey};

/// Items between the pump and the reader; with 64 KiB chunks this bounds a stalled stream's memory.
const CHANNEL: usize = 4;

/// Where a stream starts.
#[derive(Debug, Clone)]
pub enum Start {
    /// At the first event.
    Beginning,
    /// At what happens from now on.
    Now,
    /// At the first event; of each log there is, its last lines.
    Tail(u32),
    /// At the first event; of each log, the lines stamped at or after this (node's clock).
    Since(Timestamp),
    /// After what this cursor has seen.
    After(Box<Cursor>),
}

/// When a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// After the Termination.
    Termination,
    /// When everything there is now was sent; after a Termination, if the task has ended.
    Available,
}

/// What a stream carries beside the Termination, which is never left out.
#[derive(Debug, Clone)]
pub struct Filter {
    /// State changes.
    pub states: Show,
    /// Container changes.
    pub containers: Show,
    /// Kubernetes events.
    pub notices: Show,
    /// Which logs; `None` takes the task's own selection.
    pub logs: Option<LogSelection>,
    /// Container changes of these only; empty for all.
    pub only: Vec<String>,
}

/// Whether a kind of event is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// It is.
    Yes,
    /// It is not; the cursor keeps its place.
    No,
}

impl Default for Filter {
    fn default() -> Self {
        Filter { states: Show::Yes, containers: Show::Yes, notices: Show::Yes, logs: None, only: Vec::new() }
    }
}

/// One item of a stream.
#[derive(Debug, Clone)]
pub enum StreamItem {
    /// An event.
    Event(Box<StreamEvent>),
    /// Everything there was at the start has been sent; the stream ends after this.
    EndOfAvailable {
        /// Where to go on.
        cursor: Bytes,
    },
    /// The server is shutting down; the stream ends after this.
    Draining,
}

/// An event with its place in this stream.
#[derive(Debug, Clone)]
pub struct StreamEvent {
    /// Where to go on after this event.
    pub cursor: Bytes,
    /// Dense from 1 in this stream.
    pub sequence: u64,
    /// Identity over replays; empty for log chunks, which are known by container, restart and line.
    pub uid: String,
    /// When it happened, by its reporter's clock.
    pub occurred: Option<Timestamp>,
    /// When this replica saw it.
    pub observed: Timestamp,
    /// What.
    pub body: StreamBody,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum StreamBody {
    /// A state change, container change or notice; never an outcome.
    Task(Arc<TaskEvent>),
    /// Lines of a log.
    Chunk {
        /// Container.
        container: String,
        /// restartCount.
        restart: u32,
        /// The lines.
        chunk: logs::Chunk,
    },
    /// Lines are missing here.
    Gap {
        /// Container.
        container: String,
        /// restartCount.
        restart: u32,
        /// Why, and between which lines.
        gap: LogGap,
    },
    /// A container's log has ended for this stream.
    LogEnd(ContainerDelivery),
    /// The end.
    Termination {
        /// The outcome as stored.
        outcome: Arc<StoredOutcome>,
        /// What this chain of streams got of each container's log.
        delivery: Vec<ContainerDelivery>,
    },
}

/// A hole in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogGap {
    /// Why.
    pub cause: GapCause,
    /// Stamp of the last line before it.
    pub after: Option<Timestamp>,
}

/// Why lines are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapCause {
    /// The node rotated the file.
    Rotated,
    /// The container was restarted and the node no longer has the earlier log.
    Restarted,
}

/// What this chain of streams got of one container run's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerDelivery {
    /// Container.
    pub container: String,
    /// restartCount.
    pub restart: u32,
    /// Verdict and counts; `None` where the log was not asked for.
    pub delivery: Option<logs::Delivery>,
}

/// What pump and followers send.
pub(super) enum Raw {
    Event(Arc<TaskEvent>),
    Log { container: Arc<str>, restart: u32, output: Box<logs::Output>, builder: logs::DeliveryBuilder },
    RestartGap { container: Arc<str>, restart: u32, after: Option<Timestamp> },
    LogEnd { end: ContainerDelivery, position: Box<logs::Position>, builder: logs::DeliveryBuilder },
    Termination { event: Arc<TaskEvent>, delivery: Vec<ContainerDelivery> },
    EndOfAvailable,
    Draining,
    Failed(ExecError),
}

/// A stream of a task's events. Dropping it ends everything it started.
pub struct TaskStream {
    items: mpsc::Receiver<Raw>,
    cursor: Cursor,
    sequence: u64,
    ended: bool,
    stalled: Arc<AtomicBool>,
    stall_limit: Duration,
    _pump: AbortOnDropHandle<()>,
    _place: StreamPlace,
    _listening: Listening,
}

/// One place; free again when this is dropped.
pub struct StreamPlace(#[expect(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl Executor {
    /// A place among the streams that may be open at once. A launch takes it before it makes its pod.
    pub fn take_place(&self) -> Result<StreamPlace, ExecError> {
        let limit = self.inner.settings.max_streams;
        let place = self.inner.streams.clone().try_acquire_owned();
        place.map(StreamPlace).map_err(|_| ExecError::TooManyStreams { limit })
    }

    /// Opens a stream of a task's events.
    pub fn stream(
        &self,
        place: StreamPlace,
        entry: &Arc<Entry>,
        start: Start,
        until: Until,
        filter: Filter,
    ) -> TaskStream {
        let cursor = match &start {
            Start::After(cursor) => (**cursor).clone(),
            Start::Beginning => self.fresh_cursor(entry),
            Start::Now => self.cursor_of_now(entry),
            Start::Tail(lines) => {
                self.fresh_cursor(entry).with_log_start(LogStart::Tail { lines: *lines, asked: Timestamp::now() })
            }
            Start::Since(time) => self.fresh_cursor(entry).with_log_start(LogStart::Since(*time)),
        };
        let (sender, items) = mpsc::channel(CHANNEL);
        let stalled = Arc::new(AtomicBool::new(false));
        let outlet = Outlet::new(sender, self.stall_limit(), stalled.clone());
        let pump = Pump::new(self.clone(), entry.clone(), cursor.clone(), outlet, Plan { start, until, filter });
        let pump = AbortOnDropHandle::new(self.inner.tasks.spawn(pump.run()));
        let stall_limit = self.stall_limit();
        let listening = self.listen(entry);
        TaskStream {
            items,
            cursor,
            sequence: 0,
            ended: false,
            stalled,
            stall_limit,
            _pump: pump,
            _place: place,
            _listening: listening,
        }
    }

    /// Reads a cursor that a caller gave back, for this task.
    pub fn read_cursor(&self, entry: &Entry, bytes: &[u8]) -> Result<Cursor, ExecError> {
        let cursor = Cursor::decode(bytes, binding(&entry.key, &self.inner.settings.instance))?;
        cursor.check_pod(&entry.uid)?;
        Ok(cursor)
    }

    /// Whether a cursor was given out for this task, whichever its pod.
    pub fn is_of(&self, cursor: &[u8], key: &TaskKey) -> bool {
        Cursor::decode(cursor, binding(key, &self.inner.settings.instance)).is_ok()
    }

    /// The cursor before a task's first event.
    pub fn fresh_cursor(&self, entry: &Entry) -> Cursor {
        Cursor::start(binding(&entry.key, &self.inner.settings.instance), entry.uid.clone())
    }

    /// The cursor after all that has happened, and all that was written, up to now.
    fn cursor_of_now(&self, entry: &Entry) -> Cursor {
        let start = LogStart::Tail { lines: 0, asked: Timestamp::now() };
        let mut cursor = self.fresh_cursor(entry).with_log_start(start);
        for numbered in entry.events_after(0) {
            // The outcome is not left out: a stream never ends without it.
            if !matches!(numbered.event.body, TaskEventBody::Outcome(_)) {
                cursor.passed(&numbered.event);
            }
        }
        cursor
    }

    /// Longest time a stream may stand still.
    pub(super) fn stall_limit(&self) -> Duration {
        self.inner.settings.stall_limit
    }
}

impl TaskStream {
    /// The cursor after what was handed out so far.
    pub fn cursor(&self) -> Bytes {
        self.cursor.encode().into()
    }

    fn event(&mut self, uid: String, occurred: Option<Timestamp>, observed: Timestamp, body: StreamBody) -> StreamItem {
        self.sequence += 1;
        let cursor = self.cursor();
        StreamItem::Event(Box::new(StreamEvent { cursor, sequence: self.sequence, uid, occurred, observed, body }))
    }

    /// The first state this replica saw has none before it; in a chain there was one.
    fn continued(&self, event: Arc<TaskEvent>) -> Arc<TaskEvent> {
        let TaskEventBody::State(change) = &event.body else { return event };
        match (change.previous, self.cursor.last_state()) {
            (None, Some(last)) => {
                let mut change = change.clone();
                change.previous = Some(last);
                Arc::new(TaskEvent { body: TaskEventBody::State(change), ..TaskEvent::clone(&event) })
            }
            _ => event,
        }
    }

    fn item(&mut self, raw: Raw) -> Result<StreamItem, ExecError> {
        let now = Timestamp::now();
        Ok(match raw {
            Raw::Event(event) => {
                let event = self.continued(event);
                self.cursor.passed(&event);
                self.event(event.uid.clone(), event.occurred, event.observed, StreamBody::Task(event))
            }
            Raw::Log { container, restart, output, builder } => {
                if let Some(mark) = self.cursor.log_mut(&container, restart, logs::Position::start) {
                    mark.position = output.position;
                    mark.delivery = builder;
                }
                let container = container.to_string();
                match output.item {
                    logs::Item::Chunk(chunk) => {
                        let stamp = Some(chunk.first_stamp);
                        self.event(String::new(), stamp, now, StreamBody::Chunk { container, restart, chunk })
                    }
                    logs::Item::Gap(gap) => {
                        let gap = LogGap { cause: GapCause::Rotated, after: gap.last_stamp };
                        self.event(String::new(), None, now, StreamBody::Gap { container, restart, gap })
                    }
                }
            }
            Raw::RestartGap { container, restart, after } => {
                if let Some(mark) = self.cursor.log_mut(&container, restart, logs::Position::start) {
                    mark.delivery.gap();
                }
                let gap = LogGap { cause: GapCause::Restarted, after };
                let body = StreamBody::Gap { container: container.to_string(), restart, gap };
                self.event(String::new(), None, now, body)
            }
            Raw::LogEnd { end, position, builder } => {
                if let Some(mark) = self.cursor.log_mut(&end.container, end.restart, logs::Position::start) {
                    mark.position = *position;
                    mark.delivery = builder;
                    mark.ended = end.delivery.map(|d| d.verdict);
                }
                self.event(String::new(), None, now, StreamBody::LogEnd(end))
            }
            Raw::Termination { event, delivery } => {
                self.ended = true;
                self.cursor.passed(&event);
                let TaskEventBody::Outcome(outcome) = &event.body else {
                    return Err(ExecError::Internal("a termination without an outcome".into()));
                };
                let body = StreamBody::Termination { outcome: outcome.clone(), delivery };
                self.event(event.uid.clone(), event.occurred, event.observed, body)
            }
            Raw::EndOfAvailable => {
                self.ended = true;
                StreamItem::EndOfAvailable { cursor: self.cursor() }
            }
            Raw::Draining => StreamItem::Draining,
            Raw::Failed(error) => return Err(error),
        })
    }
}

impl Stream for TaskStream {
    type Item = Result<StreamItem, ExecError>;

    fn poll_next(mut self: std::pin::Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        match std::task::ready!(this.items.poll_recv(cx)) {
            Some(raw) => {
                let item = this.item(raw);
                this.ended |= item.is_err();
                Poll::Ready(Some(item))
            }
            None if this.ended => Poll::Ready(None),
            // A pump that ended without a last word was told to stop, or its reader stood still.
            None => {
                this.ended = true;
                let stalled = this.stalled.load(Ordering::Acquire);
                let why = if stalled { ExecError::ReaderTooSlow(this.stall_limit) } else { ExecError::ShuttingDown };
                Poll::Ready(Some(Err(why)))
            }
        }
    }
}
