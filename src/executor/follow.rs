//! One upstream read of a container run's log, from a position to its end, into a feed.
//!
//! ```text
//!  live:  follow from the position ─▶ lines ─▶ the body ends, breaks, is cut ─▶ again from the new position
//!           │    └ silent after a resume: is there a record that `sinceTime` hides? then read the whole file
//!           │ the watch shows the container's end
//!  drain: tailLines=1 at once; go on reading until the last line sent is that record (drain.rs)
//!           └─▶ end
//! ```
//!
//! The end of a body proves nothing, so only the watch ends `live`, and only the tail check ends
//! `drain`. Reading waits when the foremost stream is full; the node's file is the buffer.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;
use tracing::debug;

use super::Executor;
use super::effects::Backoff;
use super::feed::{Deleted, Ending, FeedEnd, Shared};
use super::open_body::{FollowMode, OpenBody, Piece};
use super::run_state::{RunState, run_state};
use super::start::{Begin, LogFrom};
use super::stream::Until;
use super::table::{Entry, View};
use super::watches::chain;
use crate::cluster::ReadMode;
use crate::logs::{Batch, Opened, Position, Standing, TailCheck, TruncatedCause};
use crate::task::State;
use crate::task::outcome::is_left_over;

/// Own renewal, before the kubelet cuts a follow (after 4 h at the latest).
const RENEW: Duration = Duration::from_secs(3 * 3600 + 1800);
/// How long a follow may be idle while the last line sent is still searched in it.
const SEEK_IDLE: Duration = Duration::from_secs(2);
/// Silences after which a resumed follow is compared with the log's last record; the last is repeated.
const SILENCES: [u64; 5] = [1, 5, 25, 125, 300];
/// Longest wait for a container that outlives the outcome: a manifest's grace may be any number.
const LONGEST_WAIT: Duration = Duration::from_secs(366 * 24 * 3600);
/// Reads that end, before a follow is opened beside another's.
const CATCH_UP_READS: u32 = 3;
/// How long after each of them its reader may join the others.
const CATCH_UP_PAUSE: Duration = Duration::from_millis(100);

/// What is to be read.
pub(super) struct Task {
    pub container: Arc<str>,
    pub restart: u32,
    pub from: LogFrom,
    /// At which nothing of this read was sent yet.
    pub position: Position,
    pub until: Until,
    pub first: First,
}

/// How reading begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    /// With a follow.
    Follow,
    /// With a read that ends: others follow this log already, and can be joined then.
    CatchUp,
}

pub(super) struct Follower {
    pub executor: Executor,
    pub entry: Arc<Entry>,
    pub container: Arc<str>,
    pub restart: u32,
    pub sink: Arc<Shared>,
    pub batch: Batch,
    pub begin: Begin,
    pub deleted: Deleted,
    until: Until,
    first: First,
    changed: watch::Receiver<u64>,
    /// When the last line came, or the container's end was seen, whichever is later.
    pub progress: Instant,
    /// The last line was not found by `sinceTime`: read the whole file.
    pub whole: Whole,
    /// Since when it is not known which run the node would read.
    pub unsure_since: Option<Instant>,
    /// How many reads were opened.
    pub opens: u32,
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

/// What came of a follow for a while.
enum Came {
    Chunk(Piece),
    News,
    GiveUp,
    Nothing,
}

/// Tells the seats of a feed when its reader ends without a word.
struct LastWord(Arc<Shared>);

impl Drop for LastWord {
    fn drop(&mut self) {
        // Only the first end counts.
        self.0.end(FeedEnd::Failed);
    }
}

impl Follower {
    pub fn new(executor: Executor, entry: Arc<Entry>, sink: Arc<Shared>, task: Task) -> Follower {
        let changed = entry.subscribe();
        Follower {
            executor,
            entry,
            container: task.container,
            restart: task.restart,
            sink,
            batch: Batch::new(task.position),
            begin: task.from.into(),
            deleted: Deleted::No,
            until: task.until,
            first: task.first,
            changed,
            progress: Instant::now(),
            whole: Whole::No,
            unsure_since: None,
            opens: 0,
            give_up_at: None,
            gave_up: false,
        }
    }

    /// Starts reading; dropping the handle ends it.
    pub fn start(self) -> AbortOnDropHandle<()> {
        let tasks = self.executor.inner.tasks.clone();
        AbortOnDropHandle::new(tasks.spawn(self.run()))
    }

    async fn run(mut self) {
        let last_word = LastWord(self.sink.clone());
        let end = match self.until {
            Until::Termination => FeedEnd::Read(self.up_to_the_end().await),
            Until::Available => self.what_there_is().await,
        };
        last_word.0.end(end);
    }

    async fn up_to_the_end(&mut self) -> super::feed::LastRead {
        let open = self.live().await;
        self.drain(open).await
    }

    /// Reads what there is now. A container that has ended is read to its end.
    async fn what_there_is(&mut self) -> FeedEnd {
        if self.state() != RunState::Running {
            return FeedEnd::Read(self.up_to_the_end().await);
        }
        if matches!(self.begin, Begin::Wanted(LogFrom::Now)) {
            return FeedEnd::Available;
        }
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        for _ in 0..5 {
            match self.read_once().await {
                ReadOnce::Whole { .. } | ReadOnce::Gone => break,
                ReadOnce::Again | ReadOnce::NotFound => backoff.wait().await,
            }
        }
        FeedEnd::Available
    }

    async fn live(&mut self) -> Option<Box<OpenBody>> {
        if self.first == First::CatchUp {
            self.catch_up().await;
        }
        let first_wait = Duration::from_millis(50);
        let mut backoff = Backoff::new(first_wait, Duration::from_secs(5));
        loop {
            match self.state() {
                RunState::Running => {}
                RunState::Waiting if !self.outcome_is_known() => {}
                _ => return None,
            }
            if self.give_up_at().is_some_and(|at| at <= Instant::now()) {
                self.gave_up = true;
                return None;
            }
            match self.open(FollowMode::Follow).await {
                Ok(open) => {
                    let before = self.batch.position().bytes;
                    match self.read_live(open).await {
                        Live::Ended(open) => return Some(open),
                        Live::GaveUp => {
                            self.gave_up = true;
                            return None;
                        }
                        Live::Again if self.batch.position().bytes > before => {
                            backoff = Backoff::new(first_wait, Duration::from_secs(5));
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

    /// Reads what there is; whoever listens then has a moment to join others at the same place, and
    /// this ends.
    async fn catch_up(&mut self) {
        for _ in 0..CATCH_UP_READS {
            if self.state() != RunState::Running || !matches!(self.read_once().await, ReadOnce::Whole { .. }) {
                return;
            }
            tokio::time::sleep(CATCH_UP_PAUSE).await;
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

    async fn read_live(&mut self, mut open: OpenBody) -> Live {
        let opened = Instant::now();
        let mut silences = SILENCES.iter().map(|seconds| Duration::from_secs(*seconds));
        let mut silence = silences.next();
        loop {
            let seeking = open.reader.standing() == Standing::Seeking && !self.batch.is_at_start();
            let renewal = RENEW.saturating_sub(opened.elapsed());
            let idle = match (seeking, open.opened) {
                (true, _) => SEEK_IDLE,
                (false, Opened::Since) => silence.unwrap_or(RENEW).min(renewal),
                (false, Opened::Whole) => renewal,
            };
            match self.wait_for(&mut open, idle).await {
                Came::Chunk(Some(Ok(chunk))) => {
                    if self.take_in(&mut open, chunk).await == Standing::ReadWhole {
                        self.whole = Whole::Yes;
                        return Live::Again;
                    }
                }
                Came::Chunk(Some(Err(error))) => {
                    debug!(container = %self.container, error = %chain(&error), "the follow broke");
                    return self.leave(open).await;
                }
                Came::Chunk(None) => return self.leave(open).await,
                Came::News if self.state() == RunState::Running => {}
                Came::News => return Live::Ended(Box::new(open)),
                Came::GiveUp => {
                    self.send_ready(Flush::All).await;
                    return Live::GaveUp;
                }
                Came::Nothing if seeking => {
                    if open.reader.give_up(&mut self.batch) == Standing::ReadWhole {
                        self.whole = Whole::Yes;
                        return Live::Again;
                    }
                    self.send_ready(Flush::All).await;
                }
                Came::Nothing if opened.elapsed() >= RENEW => return self.leave(open).await,
                Came::Nothing => {
                    silence = silences.next().or(silence);
                    if self.hides_a_record().await {
                        self.whole = Whole::Yes;
                        return self.leave_for_whole(open).await;
                    }
                }
            }
        }
    }

    async fn wait_for(&mut self, open: &mut OpenBody, idle: Duration) -> Came {
        let give_up = self.give_up_at();
        tokio::select! {
            chunk = open.next() => Came::Chunk(chunk),
            _ = self.changed.changed() => Came::News,
            () = tokio::time::sleep_until(give_up.unwrap_or_else(Instant::now)), if give_up.is_some() => Came::GiveUp,
            () = tokio::time::sleep(idle) => Came::Nothing,
        }
    }

    /// Whether the log's last record is one that `sinceTime` keeps from this follow: the node's clock was set back.
    async fn hides_a_record(&mut self) -> bool {
        match self.read_short(ReadMode::LastRecord).await {
            Ok(tail) => self.tail_check(None, &tail) == TailCheck::Foreign,
            Err(_) => false,
        }
    }

    /// A body that ended before the container did: its unfinished last line is not a line yet.
    async fn leave(&mut self, open: OpenBody) -> Live {
        let end = open.reader.finish(&mut self.batch);
        self.send_ready(Flush::All).await;
        self.note_standing(end.standing);
        Live::Again
    }

    async fn leave_for_whole(&mut self, open: OpenBody) -> Live {
        let again = self.leave(open).await;
        self.whole = Whole::Yes;
        again
    }

    pub fn note_standing(&mut self, standing: Standing) {
        self.whole = if standing == Standing::ReadWhole { Whole::Yes } else { Whole::No };
    }

    /// Feeds a chunk and whatever else is there at once; sends what became whole lines.
    pub async fn take_in(&mut self, open: &mut OpenBody, chunk: bytes::Bytes) -> Standing {
        let mut chunk = chunk;
        loop {
            let standing = open.reader.feed(&chunk, &mut self.batch);
            if standing == Standing::ReadWhole {
                self.send_ready(Flush::All).await;
                return standing;
            }
            self.send_ready(Flush::Full).await;
            match open.at_once() {
                Some(next) => chunk = next,
                None => break,
            }
        }
        self.send_ready(Flush::All).await;
        open.reader.standing()
    }

    pub async fn send_ready(&mut self, flush: Flush) {
        self.send_as(flush, Ending::No).await;
    }

    pub async fn send_as(&mut self, flush: Flush, ending: Ending) {
        loop {
            let next = match flush {
                Flush::Full => self.batch.pop_ready(),
                Flush::All => self.batch.take(),
            };
            let Some(output) = next else { return };
            self.sink.push(output, ending).await;
            self.progress = Instant::now();
        }
    }

    /// Once the outcome is known, a container that still runs is waited for as long as it may take to end, and
    /// `log_wait` longer.
    fn give_up_at(&mut self) -> Option<Instant> {
        if self.give_up_at.is_none() && self.outcome_is_known() {
            let wait = self.time_to_end().saturating_add(self.executor.settings().log_wait);
            self.give_up_at = Some(Instant::now() + wait.min(LONGEST_WAIT));
        }
        self.give_up_at
    }

    /// The pod's grace.
    pub fn grace(&self) -> Duration {
        Duration::from_secs(u64::try_from(self.view().observation.grace_seconds).unwrap_or_default())
    }

    /// How long the kubelet gives the containers that outlive the outcome.
    fn time_to_end(&self) -> Duration {
        let view = self.view();
        if view.outcome.is_some_and(|stored| stored.outcome.state == State::Lost) {
            return Duration::ZERO;
        }
        let grace = self.grace();
        match is_left_over(&view.observation) {
            true => self.executor.settings().sidecar_grace.saturating_add(grace),
            false => grace,
        }
    }

    /// Why a container that still runs is not waited for any more.
    pub fn why_given_up(&self) -> TruncatedCause {
        match self.view().outcome.map(|stored| stored.outcome.state) {
            Some(State::Lost) => TruncatedCause::NodeUnreachable,
            _ => TruncatedCause::DrainTimeout,
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
    /// It ended, opened without `sinceTime`, before the last line sent: cut, or another file.
    NotFound,
    /// Not readable now, broken, or to be read again whole.
    Again,
    /// The log is not there any more.
    Gone,
}
