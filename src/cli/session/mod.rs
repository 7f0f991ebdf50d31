//! A task's events as one sequence, over as many streams as it takes.
//!
//! ```text
//!            ┌────────── repeat the same LaunchTask until Accepted ◀──┐
//! LaunchTask ┴▶ Accepted ─▶ Event … ─▶ Termination: done              │ no Accepted seen
//!                  │ cursor   │ cursor                                │
//!                  └──────────┴── stream broken, or ended too early ──┤
//!                                 ▼ wait: 100 ms … 5 s, RetryInfo     │
//!                              AttachTask(last cursor) ───────────────┘
//! ```
//!
//! A code alone never means an outcome: once headers came, whatever ends a stream before its end, the attach decides
//! whether the task can still be had. Nothing comes twice: each stream starts at the cursor of the last event given
//! out. A replica that is draining is read to the end of its stream: it may still have the Termination.

mod live;
pub(super) mod retry;
#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use tonic::Status;

use self::live::{Live, Message};
use self::retry::{Backoff, CallEnd, judge, never_connected};
use super::connect::Transport;
use super::failure::Failure;
use crate::proto::v1;
use v1::podlaunch_service_client::PodlaunchServiceClient;

/// The client of the service.
pub(super) type Client = PodlaunchServiceClient<Transport>;

/// For how long a server that was never reached is waited for: a wrong address shall not take minutes to show.
const FIRST_CONTACT: Duration = Duration::from_secs(10);
/// A stream that was open for so long was progress, even if nothing happened to its task.
const STEADY: Duration = Duration::from_secs(10);
/// For how long a stream of a draining replica is read on before another is opened beside it.
const DRAINING: Duration = Duration::from_secs(60);

/// The call a session begins with.
#[derive(Debug, Clone)]
pub(super) enum Opening {
    Launch(Box<v1::LaunchTaskRequest>),
    Attach(Box<v1::AttachTaskRequest>),
}

/// What a session gives out.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time, nearly always an event: a box would only add an allocation to each"
)]
pub(super) enum Update {
    /// The task is there. First, and once.
    Accepted(Box<v1::Accepted>),
    /// Something happened to it.
    Event(v1::Event),
    /// With until AVAILABLE: that was all. The last update.
    EndOfAvailable(v1::EndOfAvailable),
    /// The answer to a dry run. The last update.
    Validated(v1::Validated),
    /// The stream broke, or a call failed, and will be repeated.
    Retrying(Retrying),
    /// A stream is open again.
    Resumed,
}

/// Why and when a call is repeated.
#[derive(Debug)]
pub(super) struct Retrying {
    /// How the stream or call ended.
    pub(super) status: Status,
    /// How long is waited now.
    pub(super) delay: Duration,
    /// How many tries in a row have failed, this one included.
    pub(super) tries: u32,
}

/// A sequence of failures without progress between.
#[derive(Debug)]
struct Trouble {
    since: Instant,
    tries: u32,
    backoff: Backoff,
}

/// The events of one task.
pub(super) struct Session {
    client: Client,
    opening: Opening,
    retry_for: Duration,
    /// Key and last cursor, from the first Accepted on.
    resume: Option<(v1::TaskKey, Bytes)>,
    live: Option<(Live, Instant)>,
    trouble: Option<Trouble>,
    wait: Duration,
    reached: Reached,
    draining_until: Option<Instant>,
    finished: Finished,
}

/// Whether a server has ever been reached.
#[derive(Debug, PartialEq, Eq)]
enum Reached {
    Never,
    Once,
}

/// Whether the last update has been given out.
#[derive(Debug, PartialEq, Eq)]
enum Finished {
    No,
    Yes,
}

impl Session {
    /// Nothing is sent before the first [`next`](Self::next). Gives up after `retry_for` without progress.
    pub(super) fn new(client: Client, opening: Opening, retry_for: Duration) -> Self {
        Self {
            client,
            opening,
            retry_for,
            resume: None,
            live: None,
            trouble: None,
            wait: Duration::ZERO,
            reached: Reached::Never,
            draining_until: None,
            finished: Finished::No,
        }
    }

    /// The next update; none after the last. Not cancel-safe: keep the future until it is ready.
    pub(super) async fn next(&mut self) -> Result<Option<Update>, Failure> {
        while self.finished == Finished::No {
            if !self.wait.is_zero() {
                tokio::time::sleep(std::mem::take(&mut self.wait)).await;
            }
            let Some((live, _)) = &mut self.live else {
                match self.open().await {
                    Ok(live) => {
                        self.reached = Reached::Once;
                        self.live = Some((live, Instant::now()));
                        continue;
                    }
                    Err(status) => return self.call_failed(status).map(Some),
                }
            };
            let drained = sleep_until(self.draining_until);
            let message = tokio::select! {
                message = live.next() => message,
                () = drained => Err(Status::unavailable("the replica has drained")),
            };
            let update = match message {
                Ok(Some(message)) => self.take(message),
                Ok(None) => self.broken(Status::unavailable("the stream ended before the task"))?,
                Err(status) => self.broken(status)?,
            };
            if update.is_some() {
                return Ok(update);
            }
        }
        Ok(None)
    }

    async fn open(&mut self) -> Result<Live, Status> {
        match (&self.resume, &self.opening) {
            (None, Opening::Launch(request)) => {
                let response = self.client.launch_task(request.as_ref().clone()).await?;
                Ok(Live::Launch(response.into_inner()))
            }
            (None, Opening::Attach(request)) => self.attach(request.as_ref().clone()).await,
            (Some((key, cursor)), opening) => {
                let request = resumed(key.clone(), cursor.clone(), opening);
                self.attach(request).await
            }
        }
    }

    async fn attach(&mut self, request: v1::AttachTaskRequest) -> Result<Live, Status> {
        let response = self.client.attach_task(request).await?;
        Ok(Live::Attach(response.into_inner()))
    }

    /// Notes what a message means for resuming, and gives out what is for the user.
    fn take(&mut self, message: Message) -> Option<Update> {
        match message {
            Message::Accepted(accepted) => self.accepted(accepted),
            Message::Event(event) => {
                self.trouble = None;
                if let Some((_, cursor)) = &mut self.resume
                    && !event.cursor.is_empty()
                {
                    cursor.clone_from(&event.cursor);
                }
                if let Some(v1::event::Body::Termination(_)) = &event.body {
                    self.finish();
                }
                Some(Update::Event(event))
            }
            Message::EndOfAvailable(end) => {
                self.finish();
                Some(Update::EndOfAvailable(end))
            }
            Message::Validated(validated) => {
                self.finish();
                Some(Update::Validated(validated))
            }
            Message::Draining => {
                self.draining_until.get_or_insert(Instant::now() + DRAINING);
                None
            }
            Message::Unknown => None,
        }
    }

    fn accepted(&mut self, accepted: Box<v1::Accepted>) -> Option<Update> {
        if self.resume.is_none() {
            let key = accepted.key.clone().unwrap_or_else(|| self.asked_key());
            self.resume = Some((key, accepted.cursor.clone()));
            return Some(Update::Accepted(accepted));
        }
        self.trouble.is_some().then_some(Update::Resumed)
    }

    fn asked_key(&self) -> v1::TaskKey {
        let key = match &self.opening {
            Opening::Launch(request) => &request.key,
            Opening::Attach(request) => &request.key,
        };
        key.clone().unwrap_or_default()
    }

    fn finish(&mut self) {
        self.finished = Finished::Yes;
        self.live = None;
    }

    /// A stream that was open is no more: whatever the code, attach.
    fn broken(&mut self, status: Status) -> Result<Option<Update>, Failure> {
        let opened = self.live.take().map(|(_, opened)| opened);
        if opened.is_some_and(|opened| opened.elapsed() >= STEADY) {
            self.trouble = None;
        }
        if self.draining_until.take().is_some() {
            // Announced: another replica is there. Should it not be, the next failure waits.
            return Ok(None);
        }
        let asked = match judge(&status) {
            CallEnd::Repeat(asked) => asked,
            CallEnd::Final => Duration::ZERO,
        };
        self.retry(status, asked).map(Some)
    }

    /// A call failed before its headers: the code says whether to repeat it.
    fn call_failed(&mut self, status: Status) -> Result<Update, Failure> {
        if !never_connected(&status) {
            self.reached = Reached::Once;
        }
        match judge(&status) {
            CallEnd::Repeat(asked) => self.retry(status, asked),
            CallEnd::Final => Err(status.into()),
        }
    }

    fn retry(&mut self, status: Status, asked: Duration) -> Result<Update, Failure> {
        let allowed = match self.reached {
            Reached::Never => self.retry_for.min(FIRST_CONTACT),
            Reached::Once => self.retry_for,
        };
        let trouble =
            self.trouble.get_or_insert_with(|| Trouble { since: Instant::now(), tries: 0, backoff: Backoff::new() });
        let passed = trouble.since.elapsed();
        if passed >= allowed {
            return Err(Failure::GaveUp { seconds: passed.as_secs(), status: Box::new(status) });
        }
        trouble.tries += 1;
        // One more try just when the time is over, rather than none for having to wait too long.
        self.wait = trouble.backoff.step(asked).min(allowed - passed);
        Ok(Update::Retrying(Retrying { status, delay: self.wait, tries: trouble.tries }))
    }
}

/// The request that goes on after `cursor` as `opening` began.
fn resumed(key: v1::TaskKey, cursor: Bytes, opening: &Opening) -> v1::AttachTaskRequest {
    use v1::attach_task_request::StartAt;
    let first = match opening {
        Opening::Launch(_) => v1::AttachTaskRequest::default(),
        Opening::Attach(request) => request.as_ref().clone(),
    };
    v1::AttachTaskRequest {
        key: Some(key),
        start_at: if cursor.is_empty() { first.start_at } else { Some(StartAt::Cursor(cursor)) },
        ..first
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
