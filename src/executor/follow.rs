//! One container run's log, from a position to its end, for one stream.
//!
//! ```text
//!  live:  follow from the position ─▶ lines ─▶ the body ends, breaks, is cut ─▶ again from the new position
//!           │ the watch shows the container's end
//!  drain: tailLines=1 at once; go on reading until the last line sent is that record (drain.rs)
//!           └─▶ verdict, LogEnd
//! ```
//!
//! The end of a body proves nothing, so only the watch ends `live`, and only the tail check ends
//! `drain`. A follower waits for its reader when the stream is full; the node's file is the buffer.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::debug;

use super::Executor;
use super::effects::Backoff;
use super::outlet::{Closed, Outlet};
use super::stream::{ContainerDelivery, Raw};
use super::table::{Entry, Presence, View};
use super::watches::chain;
use crate::cluster::{LogBody, LogRefusal, LogRequest, ReadMode, Run};
use crate::logs::{Batch, BodyReader, DeliveryBuilder, FirstRead, Opened, Position, Standing, TruncatedCause};
use crate::task::{ContainerState, State};

/// Own renewal, before the kubelet cuts a follow (after 4 h at the latest).
const RENEW: Duration = Duration::from_secs(3 * 3600 + 1800);
/// How long a follow may be idle while the last line sent is still searched in it.
const SEEK_IDLE: Duration = Duration::from_secs(2);
/// Age by the node's clock below which a container counts as just started: its log file cannot
/// have been rotated yet (the kubelet looks every 10 s).
const JUST_STARTED: i64 = 5;

/// Which log, and from where.
pub(super) struct Wanted {
    pub container: Arc<str>,
    pub restart: u32,
    pub from: From,
    pub builder: DeliveryBuilder,
}

/// From where a log is wanted.
pub(super) enum From {
    /// After this position.
    Position(Box<Position>),
    /// Only what is written from now on.
    Now,
}

/// Where a container run is, as the newest version of its pod shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunState {
    /// Not started, or not known to be.
    Waiting,
    /// Running.
    Running,
    /// Ended; its log does not change any more.
    Ended,
    /// A later run has taken its place.
    Replaced,
    /// The pod says nothing about it any more.
    Gone,
}

pub(super) struct Follower {
    pub executor: Executor,
    pub entry: Arc<Entry>,
    pub container: Arc<str>,
    pub restart: u32,
    pub outlet: Outlet,
    pub batch: Batch,
    pub builder: DeliveryBuilder,
    pub changed: watch::Receiver<u64>,
    /// When the last byte came, or the container's end was seen, whichever is later.
    pub progress: Instant,
    /// For a log wanted from now on, until its first line is sent: lines stamped before are not.
    start_after: Option<Timestamp>,
    /// Where now is has still to be found.
    pub now_pending: bool,
    /// The last line was not found by `sinceTime`: read the whole file.
    pub whole: Whole,
    /// When the wait for a container that outlives the outcome ends.
    give_up_at: Option<Instant>,
    /// It has ended so.
    pub gave_up: bool,
}

/// Whether the next read leaves `sinceTime` out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whole {
    Yes,
    No,
}

/// How reading a follow came to its end.
enum Live {
    /// The watch shows the container's end; the body may hold more.
    Ended(Box<OpenBody>),
    /// The body ended or broke; again.
    Again,
    /// The outcome has been known for long enough, and the container still runs.
    GaveUp,
}

/// A body with its reader.
pub(super) struct OpenBody {
    pub body: LogBody,
    pub reader: BodyReader,
}

impl Follower {
    pub fn new(executor: Executor, entry: Arc<Entry>, outlet: Outlet, wanted: Wanted) -> Follower {
        let changed = entry.subscribe();
        let (position, now_pending) = match wanted.from {
            From::Position(position) => (*position, false),
            From::Now => (Position::unnumbered(), true),
        };
        Follower {
            executor,
            entry,
            container: wanted.container,
            restart: wanted.restart,
            outlet,
            batch: Batch::new(position),
            builder: wanted.builder,
            changed,
            progress: Instant::now(),
            start_after: None,
            now_pending,
            whole: Whole::No,
            give_up_at: None,
            gave_up: false,
        }
    }

    /// Follows to the end and sends LogEnd.
    pub async fn run_to_the_end(mut self) -> Result<ContainerDelivery, Closed> {
        let open = self.live().await?;
        let delivery = self.drain(open).await?;
        let end = ContainerDelivery {
            container: self.container.to_string(),
            restart: self.restart,
            delivery: Some(delivery),
        };
        let position = Box::new(self.batch.position());
        self.outlet.send(Raw::LogEnd { end: end.clone(), position, builder: self.builder }).await?;
        Ok(end)
    }

    /// Sends what there is now. A container that has ended is read to its end, with LogEnd.
    pub async fn what_there_is(mut self) -> Result<Option<ContainerDelivery>, Closed> {
        if self.state() != RunState::Running {
            return self.run_to_the_end().await.map(Some);
        }
        if self.now_pending {
            return Ok(None);
        }
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        for _ in 0..5 {
            match self.read_once().await? {
                ReadOnce::Whole { .. } | ReadOnce::Gone => return Ok(None),
                ReadOnce::Again => {}
            }
            backoff.wait().await;
        }
        Ok(None)
    }

    async fn live(&mut self) -> Result<Option<Box<OpenBody>>, Closed> {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
        loop {
            match self.state() {
                RunState::Running => {}
                RunState::Waiting if !self.outcome_is_known() => {}
                _ => return Ok(None),
            }
            if self.give_up_at().is_some_and(|at| at <= Instant::now()) {
                self.gave_up = true;
                return Ok(None);
            }
            if self.now_pending {
                self.find_now().await;
            }
            match self.open(FollowMode::Follow).await {
                Ok(open) => {
                    let before = self.batch.position().bytes;
                    match self.read_live(open).await? {
                        Live::Ended(open) => return Ok(Some(open)),
                        Live::GaveUp => {
                            self.gave_up = true;
                            return Ok(None);
                        }
                        Live::Again if self.batch.position().bytes > before => {
                            backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
                        }
                        Live::Again => {}
                    }
                }
                Err(refusal) => {
                    debug!(container = %self.container, why = %chain(&refusal), "the log is not readable now")
                }
            }
            self.pause(&mut backoff).await;
        }
    }

    /// Waits for the back-off, or for news of the pod.
    pub async fn pause(&mut self, backoff: &mut Backoff) {
        tokio::select! {
            () = backoff.wait() => {}
            // The entry, and with it the sender, lives as long as this follower.
            _ = self.changed.changed() => {}
        }
    }

    async fn read_live(&mut self, mut open: OpenBody) -> Result<Live, Closed> {
        let opened = Instant::now();
        loop {
            let seeking = open.reader.standing() == Standing::Seeking && !self.batch.position().is_empty();
            let idle = if seeking { SEEK_IDLE } else { RENEW.saturating_sub(opened.elapsed()) };
            let give_up = self.give_up_at();
            tokio::select! {
                chunk = open.body.next() => match chunk {
                    Some(Ok(chunk)) => {
                        if self.take_in(&mut open, chunk).await? == Standing::ReadWhole {
                            self.whole = Whole::Yes;
                            return Ok(Live::Again);
                        }
                    }
                    Some(Err(error)) => {
                        debug!(container = %self.container, error = %chain(&error), "the follow broke");
                        return self.leave(open).await;
                    }
                    None => return self.leave(open).await,
                },
                _ = self.changed.changed() => {
                    if self.state() != RunState::Running {
                        return Ok(Live::Ended(Box::new(open)));
                    }
                }
                () = tokio::time::sleep_until(give_up.unwrap_or_else(Instant::now)), if give_up.is_some() => {
                    self.send_ready(Flush::All).await?;
                    return Ok(Live::GaveUp);
                }
                () = tokio::time::sleep(idle) => {
                    if !seeking {
                        return self.leave(open).await;
                    }
                    if open.reader.give_up(&mut self.batch) == Standing::ReadWhole {
                        self.whole = Whole::Yes;
                        return Ok(Live::Again);
                    }
                    self.send_ready(Flush::All).await?;
                }
            }
        }
    }

    /// A body that ended before the container did: its unfinished last line is not a line yet.
    async fn leave(&mut self, open: OpenBody) -> Result<Live, Closed> {
        let end = open.reader.finish(&mut self.batch);
        self.send_ready(Flush::All).await?;
        self.note_standing(end.standing);
        Ok(Live::Again)
    }

    pub fn note_standing(&mut self, standing: Standing) {
        self.whole = if standing == Standing::ReadWhole { Whole::Yes } else { Whole::No };
    }

    /// Feeds a chunk and whatever else is there at once; sends what became whole lines.
    pub async fn take_in(&mut self, open: &mut OpenBody, chunk: bytes::Bytes) -> Result<Standing, Closed> {
        let mut chunk = chunk;
        loop {
            let standing = open.reader.feed(&chunk, &mut self.batch);
            self.progress = Instant::now();
            if standing == Standing::ReadWhole {
                self.send_ready(Flush::All).await?;
                return Ok(standing);
            }
            self.send_ready(Flush::Full).await?;
            match open.body.next().now_or_never() {
                Some(Some(Ok(next))) => chunk = next,
                // An end or an error found here is found again by the next call.
                _ => break,
            }
        }
        self.send_ready(Flush::All).await?;
        Ok(open.reader.standing())
    }

    pub async fn send_ready(&mut self, flush: Flush) -> Result<(), Closed> {
        loop {
            let next = match flush {
                Flush::Full => self.batch.pop_ready(),
                Flush::All => self.batch.take(),
            };
            let Some(output) = next else { return Ok(()) };
            if matches!(output.item, crate::logs::Item::Gap(_)) {
                self.builder.gap();
            }
            let container = self.container.clone();
            let builder = self.builder;
            let raw = Raw::Log { container, restart: self.restart, output: Box::new(output), builder };
            self.outlet.send(raw).await?;
            self.progress = Instant::now();
        }
    }

    /// Opens a read from the position.
    pub async fn open(&mut self, mode: FollowMode) -> Result<OpenBody, LogRefusal> {
        let position = self.batch.position();
        let since = match (self.whole, self.start_after) {
            (Whole::Yes, _) => None,
            (Whole::No, Some(after)) if position.is_empty() => Some(after.as_second()),
            (Whole::No, _) => position.since(),
        };
        let mode = match mode {
            FollowMode::Follow => ReadMode::Follow { since },
            FollowMode::Read => ReadMode::Read { since },
        };
        let at = self.first_read();
        let body = self.executor.cluster().open_log(&self.request(mode)?).await?;
        self.builder.opened(at);
        let opened = if since.is_some() { Opened::Since } else { Opened::Whole };
        let reader = match self.start_after.filter(|_| position.is_empty()) {
            Some(after) => BodyReader::starting_at(after, opened),
            None => BodyReader::new(&position, opened),
        };
        Ok(OpenBody { body, reader })
    }

    /// Once the outcome is known, a container that still runs is waited for this long and no longer.
    fn give_up_at(&mut self) -> Option<Instant> {
        if self.give_up_at.is_none() && self.outcome_is_known() {
            self.give_up_at = Some(Instant::now() + self.executor.settings().log_wait);
        }
        self.give_up_at
    }

    /// Why a container that still runs is not waited for any more.
    pub fn why_given_up(&self) -> TruncatedCause {
        match self.view().outcome.map(|stored| stored.outcome.state) {
            Some(State::Lost) => TruncatedCause::NodeUnreachable,
            _ => TruncatedCause::DrainTimeout,
        }
    }

    /// Whether the API still has this run's log: of the run the status shows, and of the one before
    /// it unless the container waits for its restart (then that word means another run).
    fn run(&self) -> Option<Run> {
        let view = self.view();
        let seen = view.observation.containers.iter().find(|c| *c.name == *self.container)?;
        let waiting = matches!(seen.state, ContainerState::Waiting { .. });
        match seen.restarts.checked_sub(self.restart)? {
            0 => Some(Run::Current),
            1 if !waiting => Some(Run::Previous),
            _ => None,
        }
    }

    pub fn request(&self, mode: ReadMode) -> Result<LogRequest, LogRefusal> {
        // The API knows logs by name, which may be another pod's by now.
        if self.view().presence == Presence::Gone {
            return Err(LogRefusal::Gone("the pod is gone".into()));
        }
        let Some(run) = self.run() else {
            return Err(LogRefusal::Gone("a later run of the container has taken its place".into()));
        };
        Ok(LogRequest {
            namespace: self.entry.key.namespace.clone(),
            pod: self.entry.pod.clone(),
            container: self.container.to_string(),
            run,
            mode,
        })
    }

    /// Reads a short part of the log whole.
    pub async fn read_short(&self, mode: ReadMode) -> Result<bytes::Bytes, LogRefusal> {
        self.executor.cluster().read_log(&self.request(mode)?).await
    }

    /// For a log wanted from now on: the last record there is now is the last one left out.
    pub async fn find_now(&mut self) {
        match self.read_short(ReadMode::LastRecord).await {
            Ok(body) => {
                self.now_pending = false;
                self.start_after = crate::logs::parse_prefix(&body).and_then(|(stamp, _)| just_after(stamp));
            }
            Err(refusal) => {
                debug!(container = %self.container, why = %chain(&refusal), "the log's end is not known yet")
            }
        }
    }

    pub fn view(&self) -> View {
        self.entry.view()
    }

    pub fn state(&self) -> RunState {
        run_state(&self.view(), &self.container, self.restart)
    }

    pub fn outcome_is_known(&self) -> bool {
        self.view().outcome.is_some()
    }

    pub fn waited_too_long(&self) -> bool {
        self.progress.elapsed() > self.executor.settings().log_wait
    }

    fn first_read(&self) -> FirstRead {
        let view = self.view();
        let container = view.observation.containers.iter().find(|c| *c.name == *self.container);
        match container.map(|c| &c.state) {
            Some(ContainerState::Running { started: Some(at) })
                if Timestamp::now().as_second() - at.as_second() <= JUST_STARTED =>
            {
                FirstRead::AtStart
            }
            Some(ContainerState::Running { .. }) => FirstRead::WhileRunning,
            _ => FirstRead::AfterEnd,
        }
    }
}

/// Which kind of read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FollowMode {
    Follow,
    Read,
}

/// What is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flush {
    /// Full chunks only: more is there to be read at once.
    Full,
    /// Everything.
    All,
}

/// What one read came to.
pub(super) enum ReadOnce {
    /// It was read to its end; `trailing` is the unfinished last line.
    Whole { trailing: Option<crate::logs::Unfinished> },
    /// Not readable now, broken, or to be read again whole.
    Again,
    /// The log is not there any more.
    Gone,
}

fn just_after(stamp: Timestamp) -> Option<Timestamp> {
    Timestamp::from_nanosecond(stamp.as_nanosecond() + 1).ok()
}

/// Where a container run is.
pub(super) fn run_state(view: &View, container: &str, restart: u32) -> RunState {
    let Some(seen) = view.observation.containers.iter().find(|c| c.name == container) else {
        return RunState::Gone;
    };
    if seen.restarts > restart {
        return RunState::Replaced;
    }
    match (&seen.state, view.presence) {
        (ContainerState::Terminated(_), _) => RunState::Ended,
        (_, Presence::Gone) => RunState::Gone,
        (ContainerState::Running { .. }, Presence::Present) if view.observation.phase_is_terminal() => RunState::Gone,
        (ContainerState::Running { .. }, Presence::Present) => RunState::Running,
        // It waits for its restart, and its count is still that of the run that has ended.
        (ContainerState::Waiting { .. }, Presence::Present) if seen.last.is_some() => RunState::Ended,
        (ContainerState::Waiting { .. } | ContainerState::Unset, Presence::Present) => RunState::Waiting,
    }
}
