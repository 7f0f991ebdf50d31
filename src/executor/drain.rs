//! The end of a log: what the last record is, and whether it was sent.
//!
//! ```text
//! tailLines=1 ─▶ equal to the last line sent ─▶ done
//!     │ not yet: go on with the open follow while it gives bytes, then a read from the position
//!     │ nothing new by `sinceTime`, or a record from before: once more, the whole file
//!     │ empty, or the whole file gives nothing new ─▶ done, rotated away
//!     └ not readable ─▶ again with back-off, at most `log_wait` after the last line
//! ```
//!
//! The follow's own end is not waited for: it comes up to a second after the container's.

use std::time::Duration;

use bytes::Bytes;
use tracing::debug;

use super::effects::Backoff;
use super::feed::{Deleted, Ending, LastRead};
use super::follow::{Flush, Follower, ReadOnce, Whole};
use super::open_body::{FollowMode, OpenBody};
use super::run_state::RunState;
use super::start::{Begin, HEAD_BYTES};
use super::watches::chain;
use crate::cluster::{LogRefusal, ReadMode, Run};
use crate::logs::{
    Delivery, DeliveryBuilder, FirstLineCheck, FirstRead, Position, ReadEnd, Rotation, Standing, TailBody, TailCheck,
    Trailing, TruncatedCause, Unfinished, first_line_check, is_known_error_text,
};
use crate::task::{ContainerState, Observation};

/// How long an open follow may give nothing before a read from the position takes its place.
const FOLLOW_IDLE: Duration = Duration::from_millis(250);
/// The same where the log has no newline at its end: the rest of the line is here already.
const PARTIAL_IDLE: Duration = Duration::from_millis(15);
/// Longest the kubelet lets a follow of an ended container wait, and some.
const FOLLOW_END: Duration = Duration::from_secs(3);
/// How often a whole read may give nothing new before the log counts as rotated away: what the
/// runtime stores last may lag behind the container's end for a moment.
const WHOLE_READS: u32 = 3;
/// How often the file's first line is asked for, where the verdict hangs on it.
const HEAD_READS: u32 = 5;

/// How far the end of a log is known.
enum End {
    /// It is.
    Known(ReadEnd),
    /// There is more to read.
    NotYet,
    /// The whole file must be read to know.
    ReadWhole,
}

impl Follower {
    /// Reads the rest of the log of a container that has ended.
    pub async fn drain(&mut self, open: Option<Box<OpenBody>>) -> LastRead {
        let end = self.drained(open).await;
        let position = self.batch.position();
        let first_line = self.first_line_check(&position, end).await;
        LastRead { end, deleted: self.deleted, first_line, position }
    }

    async fn drained(&mut self, open: Option<Box<OpenBody>>) -> ReadEnd {
        let view = self.view();
        self.progress = tokio::time::Instant::now();
        if never_started(&view.observation, &self.container) {
            return ReadEnd::NeverStarted;
        }
        if self.gave_up {
            return ReadEnd::Cut(self.why_given_up());
        }
        let removed = self.is_removed();
        let gone = self.state() == RunState::Gone && open.is_some();
        if removed || gone {
            self.deleted = Deleted::Yes;
        }
        let end = match open {
            Some(open) if removed || gone => self.follow_out(*open).await,
            Some(open) => self.finish_follow(*open).await,
            None => None,
        };
        match end {
            Some(end) => end,
            None => self.read_to_the_end().await,
        }
    }

    /// Whether the kubelet removes this container, and its log with it, as soon as it has ended.
    fn is_removed(&self) -> bool {
        self.state() == RunState::Ended && removed_with_pod(&self.view().observation)
    }

    /// With the follow still open: reads on until the last record was sent. `None`: a read must.
    async fn finish_follow(&mut self, mut open: OpenBody) -> Option<ReadEnd> {
        let tail = self.read_short(ReadMode::LastRecord).await.ok()?;
        loop {
            if open.reader.standing() == Standing::Aligned || self.batch.is_at_start() {
                match self.tail_check(None, &tail) {
                    TailCheck::Equal => return Some(ReadEnd::TailAgreed),
                    TailCheck::EmptyAfterRotation => return Some(ReadEnd::RotatedAway),
                    // A record that is a suffix of the last line sent (an empty last line is one of
                    // every line) proves nothing yet.
                    TailCheck::Suffix | TailCheck::Behind | TailCheck::Foreign | TailCheck::Unreadable => {}
                }
            }
            let idle = if tail.last() == Some(&b'\n') { FOLLOW_IDLE } else { PARTIAL_IDLE };
            match tokio::time::timeout(idle, open.next()).await {
                Ok(Some(Ok(chunk))) => {
                    if self.take_in(&mut open, chunk).await == Standing::ReadWhole {
                        self.note_standing(Standing::ReadWhole);
                        return None;
                    }
                }
                Ok(Some(Err(_)) | None) | Err(_) => break,
            }
        }
        let end = open.reader.finish(&mut self.batch);
        self.send_ready(Flush::All).await;
        self.note_standing(end.standing);
        let trailing = match end.trailing {
            Trailing::Partial(unfinished) => Some(unfinished),
            _ => None,
        };
        match self.check_end(trailing, &tail).await {
            End::Known(end) => Some(end),
            End::NotYet => None,
            End::ReadWhole => {
                self.whole = Whole::Yes;
                None
            }
        }
    }

    /// Whether everything was sent, with the unfinished last line of a body if there is one.
    async fn check_end(&mut self, trailing: Option<Unfinished>, tail: &Bytes) -> End {
        match self.tail_check(trailing.as_ref(), tail) {
            TailCheck::Equal => {
                if let Some(line) = trailing {
                    self.batch.push_unterminated(&line);
                    self.send_as(Flush::All, Ending::MidLine).await;
                }
                End::Known(ReadEnd::TailAgreed)
            }
            TailCheck::EmptyAfterRotation => End::Known(ReadEnd::RotatedAway),
            TailCheck::Suffix | TailCheck::Foreign => End::ReadWhole,
            TailCheck::Behind | TailCheck::Unreadable => End::NotYet,
        }
    }

    /// Compares the last record with the last line sent; where none was sent, with where reading was to begin.
    pub fn tail_check(&self, trailing: Option<&Unfinished>, tail: &[u8]) -> TailCheck {
        match (&self.begin, TailBody::parse(tail)) {
            (Begin::At(from), TailBody::Record { stamp, .. })
                if self.batch.is_at_start() && trailing.is_none() && stamp < *from =>
            {
                TailCheck::Equal
            }
            _ => self.batch.tail_check(trailing, tail),
        }
    }

    /// Reads from the position until the tail agrees, it cannot, or the wait is over.
    async fn read_to_the_end(&mut self) -> ReadEnd {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
        let mut whole_reads = 0;
        loop {
            let (whole, before) = (self.whole, self.batch.position());
            let (read, tail) = self.read_and_tail().await;
            let gone = match (read, tail) {
                (ReadOnce::Whole { trailing }, Ok(tail)) => {
                    let brought = self.batch.position() != before || trailing.is_some();
                    let found = self.tail_check(None, &tail);
                    if found == TailCheck::Suffix && whole == Whole::Yes && !brought {
                        return ReadEnd::TailAgreed;
                    }
                    self.whole = match self.check_end(trailing, &tail).await {
                        End::Known(end) => return end,
                        // By `sinceTime` a read that brings nothing may hide something.
                        End::NotYet if brought => Whole::No,
                        End::NotYet | End::ReadWhole => Whole::Yes,
                    };
                    // A frozen file that was read whole and still does not end as it should holds
                    // nothing of what was sent.
                    let in_vain = whole == Whole::Yes && !brought && found != TailCheck::Unreadable;
                    whole_reads += u32::from(in_vain);
                    if whole_reads >= WHOLE_READS {
                        return ReadEnd::RotatedAway;
                    }
                    None
                }
                (ReadOnce::Gone, _) | (ReadOnce::Whole { .. }, Err(LogRefusal::Gone(_))) => Some(match self.state() {
                    RunState::Replaced => TruncatedCause::Restarted,
                    _ => TruncatedCause::LogRemoved,
                }),
                // The end of a body proves nothing: only a log without any record is known to be another one.
                (ReadOnce::NotFound, Ok(tail)) if self.tail_check(None, &tail) == TailCheck::EmptyAfterRotation => {
                    return ReadEnd::RotatedAway;
                }
                (ReadOnce::Whole { .. } | ReadOnce::NotFound | ReadOnce::Again, _) => None,
            };
            let gone = if self.state() == RunState::Gone { Some(TruncatedCause::PodGone) } else { gone };
            if let Some(cause) = gone {
                return ReadEnd::Cut(cause);
            }
            if self.waited_too_long() {
                return ReadEnd::Cut(TruncatedCause::DrainTimeout);
            }
            self.pause(&mut backoff).await;
        }
    }

    /// One read from the position, and the last record: both at once where nothing can change between them.
    async fn read_and_tail(&mut self) -> (ReadOnce, Result<Bytes, LogRefusal>) {
        match self.tail_beside() {
            Some(tail) => tokio::join!(self.read_once(), tail),
            None => (self.read_once().await, self.read_short(ReadMode::LastRecord).await),
        }
    }

    /// One read, not followed, from the position to the end there is now.
    pub async fn read_once(&mut self) -> ReadOnce {
        let mut open = match self.open(FollowMode::Read).await {
            Ok(open) => open,
            Err(LogRefusal::Gone(why)) => {
                debug!(container = %self.container, why, "the log is gone");
                return ReadOnce::Gone;
            }
            Err(refusal) => {
                debug!(container = %self.container, why = %chain(&refusal), "the log is not readable now");
                return ReadOnce::Again;
            }
        };
        // A run that is read as the previous one, and in which the last line sent is not: another run's.
        let foreign = if open.run == Run::Previous { ReadOnce::Gone } else { ReadOnce::Again };
        let complete = loop {
            let wait = self.executor.settings().log_wait;
            match tokio::time::timeout(wait, open.next()).await {
                Ok(Some(Ok(chunk))) => {
                    if self.take_in(&mut open, chunk).await == Standing::ReadWhole {
                        let was_whole = open.is_whole();
                        self.note_standing(Standing::ReadWhole);
                        return if was_whole { foreign } else { ReadOnce::Again };
                    }
                }
                Ok(Some(Err(_))) | Err(_) => break false,
                Ok(None) => break true,
            }
        };
        let (was_whole, run) = (open.is_whole(), open.run);
        let end = open.reader.finish(&mut self.batch);
        self.send_ready(Flush::All).await;
        self.note_standing(end.standing);
        match (end.standing, end.trailing) {
            _ if !complete => ReadOnce::Again,
            (Standing::Aligned, Trailing::Partial(line)) => ReadOnce::Whole { trailing: Some(line) },
            (Standing::Aligned, Trailing::Nothing) => ReadOnce::Whole { trailing: None },
            // The containers of a pod that is deleted are removed for good.
            (_, Trailing::ErrorText(text)) if self.is_removed() && is_known_error_text(&text) => ReadOnce::Gone,
            (Standing::Seeking, Trailing::Nothing) if was_whole && run == Run::Current => ReadOnce::NotFound,
            (Standing::Seeking | Standing::ReadWhole, Trailing::Nothing) if was_whole => foreign,
            (Standing::Seeking, Trailing::Nothing) => {
                self.whole = Whole::Yes;
                ReadOnce::Again
            }
            _ => ReadOnce::Again,
        }
    }

    /// The log of a pod deleted while it ran goes with its containers: the open follow is nearly all
    /// there is, and its own clean end the best there is to know. `None` where it broke: there may be a moment to read on.
    async fn follow_out(&mut self, mut open: OpenBody) -> Option<ReadEnd> {
        // A pod deleted by force is gone at once; its process, and the follow, go on through its grace.
        let limit = FOLLOW_END.saturating_add(self.grace());
        let ended = loop {
            match tokio::time::timeout(limit, open.next()).await {
                Ok(Some(Ok(chunk))) => {
                    if self.take_in(&mut open, chunk).await == Standing::ReadWhole {
                        break false;
                    }
                }
                Ok(None) => break true,
                Ok(Some(Err(_))) => break false,
                // The process outlives its pod.
                Err(_) => return Some(ReadEnd::Cut(TruncatedCause::LogRemoved)),
            }
        };
        let end = open.reader.finish(&mut self.batch);
        self.note_standing(end.standing);
        if !ended || end.standing != Standing::Aligned {
            self.send_ready(Flush::All).await;
            return None;
        }
        let ending = match end.trailing {
            Trailing::Partial(line) => {
                self.batch.push_unterminated(&line);
                Ending::MidLine
            }
            _ => Ending::No,
        };
        self.send_as(Flush::All, ending).await;
        Some(ReadEnd::TailAgreed)
    }

    /// Whether the file still begins as it did, where only that can tell that nothing was rotated away.
    async fn first_line_check(&mut self, position: &Position, end: ReadEnd) -> Option<FirstLineCheck> {
        let max_size = self.executor.settings().container_log_max_size;
        let first = position.first?;
        if !DeliveryBuilder::default().needs_first_line_check(position, end, max_size) {
            return None;
        }
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
        let mut check = None;
        for _ in 0..HEAD_READS {
            match self.read_short(ReadMode::Head { bytes: HEAD_BYTES }).await {
                Ok(head) => check = Some(first_line_check(first, &head)),
                Err(LogRefusal::Gone(_)) => break,
                Err(refusal) => {
                    debug!(container = %self.container, why = %chain(&refusal), "no look at the first line")
                }
            }
            if check.is_some_and(|check| check != FirstLineCheck::Unreadable) || self.waited_too_long() {
                break;
            }
            self.pause(&mut backoff).await;
        }
        check
    }
}

/// The verdict for a stream at `position` when the read it joined has ended so.
pub(super) fn verdict(builder: &mut DeliveryBuilder, position: &Position, last: &LastRead, max_size: u64) -> Delivery {
    if builder.first_read.is_none() {
        builder.opened(FirstRead::AfterEnd);
    }
    if last.deleted == Deleted::Yes {
        builder.deleted();
    }
    // Of a log of which nothing was sent the read's own first line is the stream's.
    let first = if position.is_empty() { last.position.first } else { position.first };
    let check = match (first, last.position.first) {
        // A read that had the beginning, and so little that nothing was rotated, needs no check: it is one.
        (Some(own), Some(read)) if own == read && !last.position.rotation_possible(max_size) => {
            Some(FirstLineCheck::Same)
        }
        (Some(own), Some(read)) if own == read => last.first_line,
        // It began with another file than the read did.
        (Some(_), Some(_)) if position.rotation == Rotation::NotSeen => {
            last.first_line.map(|_| FirstLineCheck::Differs)
        }
        _ => None,
    };
    builder.finish(position, last.end, check, max_size)
}

/// Whether the container ended without ever having run.
fn never_started(seen: &Observation, container: &str) -> bool {
    let Some(seen) = seen.containers.iter().find(|c| c.name == container) else { return true };
    match &seen.state {
        ContainerState::Terminated(t) => {
            t.exit_code().is_none() && t.started.is_none_or(|at| at.as_second() == 0) && seen.last.is_none()
        }
        ContainerState::Waiting { .. } | ContainerState::Unset => seen.last.is_none(),
        ContainerState::Running { .. } => false,
    }
}

/// Whether the kubelet removes the containers, and their logs, as soon as they have ended.
fn removed_with_pod(seen: &Observation) -> bool {
    seen.deletion.is_some() || seen.condition("DisruptionTarget").is_some_and(|c| c.status == "True")
}
