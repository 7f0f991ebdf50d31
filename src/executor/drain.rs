//! The end of a log: what the last record is, and whether it was sent.
//!
//! ```text
//! tailLines=1 ─▶ equal to the last line sent ─▶ done
//!     │ not yet: go on with the open follow while it gives bytes, then a read from the position
//!     │ empty or foreign after a rotation ─▶ done, unverified
//!     └ not readable ─▶ again with back-off, at most `log_wait` after the last byte
//! ```
//!
//! The follow's own end is not waited for: it comes up to a second after the container's.

use std::time::Duration;

use bytes::Bytes;
use tracing::debug;

use super::effects::Backoff;
use super::follow::{Flush, FollowMode, Follower, OpenBody, ReadOnce, RunState, Whole};
use super::outlet::Closed;
use super::watches::chain;
use crate::cluster::{LogRefusal, ReadMode};
use crate::logs::{Delivery, FirstRead, ReadEnd, Standing, TailCheck, Trailing, TruncatedCause, first_line_check};
use crate::task::Observation;

/// How long an open follow may give nothing before a read from the position takes its place.
const FOLLOW_IDLE: Duration = Duration::from_millis(250);
/// The same where the log has no newline at its end: the rest of the line is here already.
const PARTIAL_IDLE: Duration = Duration::from_millis(15);
/// Longest the kubelet lets a follow of an ended container wait, and some.
const FOLLOW_END: Duration = Duration::from_secs(3);
/// Bytes read for the first-line check.
const HEAD: u64 = 1024;

impl Follower {
    /// Reads the rest of the log of a container that has ended, and gives the verdict.
    pub async fn drain(&mut self, open: Option<Box<OpenBody>>) -> Result<Delivery, Closed> {
        let view = self.view();
        self.progress = tokio::time::Instant::now();
        if never_started(&view.observation, &self.container) {
            return Ok(self.verdict(ReadEnd::NeverStarted).await);
        }
        if self.gave_up {
            return Ok(self.verdict(ReadEnd::Cut(self.why_given_up())).await);
        }
        let removed = self.state() == RunState::Ended && removed_with_pod(&view.observation);
        if removed || (self.state() == RunState::Gone && open.is_some()) {
            self.builder.deleted();
            if let Some(open) = open {
                let end = self.follow_out(*open).await?;
                return Ok(self.verdict(end).await);
            }
        } else if let Some(open) = open
            && let Some(end) = self.finish_follow(*open).await?
        {
            return Ok(self.verdict(end).await);
        }
        if self.now_pending {
            self.find_now().await;
        }
        let end = self.read_to_the_end().await?;
        Ok(self.verdict(end).await)
    }

    /// With the follow still open: reads on until the last record was sent. `None`: a read must.
    async fn finish_follow(&mut self, mut open: OpenBody) -> Result<Option<ReadEnd>, Closed> {
        let Ok(tail) = self.tail().await else { return Ok(None) };
        loop {
            if open.reader.standing() == Standing::Aligned || self.batch.position().is_empty() {
                match self.batch.tail_check(None, &tail) {
                    TailCheck::Equal => return Ok(Some(ReadEnd::TailAgreed)),
                    TailCheck::EmptyAfterRotation => return Ok(Some(ReadEnd::RotatedAway)),
                    // A record that is a suffix of the last line sent (an empty last line is one of
                    // every line) proves nothing yet.
                    TailCheck::Suffix | TailCheck::Behind | TailCheck::Foreign | TailCheck::Unreadable => {}
                }
            }
            let idle = if tail.last() == Some(&b'\n') { FOLLOW_IDLE } else { PARTIAL_IDLE };
            match tokio::time::timeout(idle, open.body.next()).await {
                Ok(Some(Ok(chunk))) => {
                    if self.take_in(&mut open, chunk).await? == Standing::ReadWhole {
                        self.note_standing(Standing::ReadWhole);
                        return Ok(None);
                    }
                }
                Ok(Some(Err(_)) | None) | Err(_) => break,
            }
        }
        let end = open.reader.finish(&mut self.batch);
        self.send_ready(Flush::All).await?;
        self.note_standing(end.standing);
        let trailing = match end.trailing {
            Trailing::Partial(unfinished) => Some(unfinished),
            _ => None,
        };
        self.check_end(trailing, &tail).await
    }

    /// Whether everything was sent, with the unfinished last line of a body if there is one.
    async fn check_end(
        &mut self,
        trailing: Option<crate::logs::Unfinished>,
        tail: &Bytes,
    ) -> Result<Option<ReadEnd>, Closed> {
        match self.batch.tail_check(trailing.as_ref(), tail) {
            TailCheck::Equal => {
                if let Some(line) = trailing {
                    self.batch.push_unterminated(&line);
                    self.builder.ended_mid_line();
                    self.send_ready(Flush::All).await?;
                }
                Ok(Some(ReadEnd::TailAgreed))
            }
            TailCheck::EmptyAfterRotation => Ok(Some(ReadEnd::RotatedAway)),
            TailCheck::Suffix => {
                self.whole = Whole::Yes;
                Ok(None)
            }
            TailCheck::Behind | TailCheck::Foreign | TailCheck::Unreadable => Ok(None),
        }
    }

    /// Reads from the position until the tail agrees, it cannot, or the wait is over.
    async fn read_to_the_end(&mut self) -> Result<ReadEnd, Closed> {
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
        let mut foreign = 0;
        loop {
            let mut gone = None;
            let (whole, before) = (self.whole, self.batch.position().bytes);
            // The file does not change any more: both reads at once.
            let tail = self.tail_beside();
            let (read, tail) = tokio::join!(self.read_once(), tail);
            match read? {
                ReadOnce::Whole { trailing } => match tail {
                    Ok(tail) => {
                        let nothing_new = trailing.is_none() && self.batch.position().bytes == before;
                        let suffix = self.batch.tail_check(None, &tail) == TailCheck::Suffix;
                        if suffix && whole == Whole::Yes && nothing_new {
                            return Ok(ReadEnd::TailAgreed);
                        }
                        if let Some(end) = self.check_end(trailing, &tail).await? {
                            return Ok(end);
                        }
                        // A frozen file that was read whole and still does not end as it should
                        // holds nothing of what was sent.
                        foreign += u32::from(!suffix);
                        if foreign >= 3 {
                            return Ok(ReadEnd::RotatedAway);
                        }
                    }
                    Err(LogRefusal::Gone(_)) => gone = Some(TruncatedCause::LogRemoved),
                    Err(_) => {}
                },
                ReadOnce::Gone => gone = Some(TruncatedCause::LogRemoved),
                ReadOnce::Again => {}
            }
            if self.state() == RunState::Gone {
                gone = Some(TruncatedCause::PodGone);
            }
            if let Some(cause) = gone {
                return Ok(ReadEnd::Cut(cause));
            }
            if self.waited_too_long() {
                return Ok(ReadEnd::Cut(TruncatedCause::DrainTimeout));
            }
            self.pause(&mut backoff).await;
        }
    }

    /// One read, not followed, from the position to the end there is now.
    pub async fn read_once(&mut self) -> Result<ReadOnce, Closed> {
        let mut open = match self.open(FollowMode::Read).await {
            Ok(open) => open,
            Err(LogRefusal::Gone(why)) => {
                debug!(container = %self.container, why, "the log is gone");
                return Ok(ReadOnce::Gone);
            }
            Err(refusal) => {
                debug!(container = %self.container, why = %chain(&refusal), "the log is not readable now");
                return Ok(ReadOnce::Again);
            }
        };
        loop {
            let wait = self.executor.settings().log_wait;
            match tokio::time::timeout(wait, open.body.next()).await {
                Ok(Some(Ok(chunk))) => {
                    if self.take_in(&mut open, chunk).await? == Standing::ReadWhole {
                        self.note_standing(Standing::ReadWhole);
                        return Ok(ReadOnce::Again);
                    }
                }
                Ok(Some(Err(_))) | Err(_) => {
                    let end = open.reader.finish(&mut self.batch);
                    self.send_ready(Flush::All).await?;
                    self.note_standing(end.standing);
                    return Ok(ReadOnce::Again);
                }
                Ok(None) => break,
            }
        }
        let end = open.reader.finish(&mut self.batch);
        self.send_ready(Flush::All).await?;
        self.note_standing(end.standing);
        Ok(match (end.standing, end.trailing) {
            (Standing::Aligned, Trailing::Partial(line)) => ReadOnce::Whole { trailing: Some(line) },
            (Standing::Aligned, Trailing::Nothing) => ReadOnce::Whole { trailing: None },
            _ => ReadOnce::Again,
        })
    }

    /// The log of a pod deleted while it ran goes with its containers: the open follow is all
    /// there is, and its own clean end the best there is to know.
    async fn follow_out(&mut self, mut open: OpenBody) -> Result<ReadEnd, Closed> {
        // A pod deleted by force is gone at once; its process, and the follow, go on through its grace.
        let grace = u64::try_from(self.view().observation.grace_seconds).unwrap_or_default();
        let limit = FOLLOW_END + Duration::from_secs(grace);
        let ended = loop {
            match tokio::time::timeout(limit, open.body.next()).await {
                Ok(Some(Ok(chunk))) => {
                    if self.take_in(&mut open, chunk).await? == Standing::ReadWhole {
                        break false;
                    }
                }
                Ok(None) => break true,
                Ok(Some(Err(_))) | Err(_) => break false,
            }
        };
        let end = open.reader.finish(&mut self.batch);
        let clean = ended && end.standing == Standing::Aligned;
        if clean && let Trailing::Partial(line) = end.trailing {
            self.batch.push_unterminated(&line);
            self.builder.ended_mid_line();
        }
        self.send_ready(Flush::All).await?;
        Ok(if clean { ReadEnd::TailAgreed } else { ReadEnd::Cut(TruncatedCause::LogRemoved) })
    }

    /// The last record, read while something else is.
    fn tail_beside(&self) -> impl Future<Output = Result<Bytes, LogRefusal>> + Send + use<> {
        let request = self.request(ReadMode::LastRecord);
        let cluster = self.executor.cluster().clone();
        async move { cluster.read_log(&request?).await }
    }

    async fn tail(&mut self) -> Result<Bytes, LogRefusal> {
        self.read_short(ReadMode::LastRecord).await
    }

    async fn verdict(&mut self, end: ReadEnd) -> Delivery {
        if self.builder.first_read.is_none() {
            self.builder.opened(FirstRead::AfterEnd);
        }
        let position = self.batch.position();
        let max_size = self.executor.settings().container_log_max_size;
        let mut check = None;
        if self.builder.needs_first_line_check(&position, end, max_size)
            && let Some(first) = position.first
            && let Ok(head) = self.read_short(ReadMode::Head { bytes: HEAD }).await
        {
            check = Some(first_line_check(first, &head));
        }
        self.builder.finish(&position, end, check, max_size)
    }
}

/// Whether the container ended without ever having run.
fn never_started(seen: &Observation, container: &str) -> bool {
    use crate::task::ContainerState;
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
