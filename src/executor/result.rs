//! The bytes of a task's result.
//!
//! ```text
//! outcome ─▶ INLINE ─▶ from the outcome
//!          ─▶ STORED ─▶ pods/log of the sidecar ─▶ FrameReader ─▶ bounded channel ─▶ api
//!                         │ cut, or not whole: read again, go on behind what was sent
//!                         └ gone ─▶ ResultUnavailable
//! ```

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, info};

use super::effects::Backoff;
use super::table::{Entry, Presence};
use super::watches::chain;
use super::{ExecError, Executor};
use crate::cluster::{ApiFailure, LogBody, LogRefusal, LogRequest, ReadMode, Run};
use crate::task::outcome::ResultState;
use crate::task::result::{Digest, FrameError, FrameReader, SIDECAR};
use crate::task::spec::SpecError;

/// Most bytes in one piece.
const PIECE: usize = 64 << 10;
/// Pieces between the read and the caller; bounds the memory of one that does not read.
const CHANNEL: usize = 4;
/// How often a log is read that breaks off or is not whole.
const TRIES: usize = 4;
/// How long a read may give nothing.
const IDLE_LIMIT: Duration = Duration::from_secs(30);

/// A result, about to be read.
pub struct OpenResult {
    /// Inline or Stored.
    pub state: ResultState,
    /// Size and hash of the whole.
    pub digest: Digest,
    /// The bytes from the offset on. Only when it has ended without an error are they what the digest says.
    pub data: BoxStream<'static, Result<Bytes, ExecError>>,
}

/// Why a read of the log did not bring the result.
enum Cut {
    /// The caller has gone.
    Closed,
    /// The caller stood still.
    Stalled,
    /// The read broke off.
    Broken(ApiFailure),
    /// What was read is not the result.
    Frame(FrameError),
}

impl Executor {
    /// Opens a finished task's result from byte `offset` on.
    pub async fn open_result(&self, entry: &Arc<Entry>, offset: u64) -> Result<OpenResult, ExecError> {
        let view = entry.view();
        let Some(stored) = view.outcome else { return Err(ExecError::TaskActive { key: entry.key.to_string() }) };
        let Some(result) = &stored.outcome.result else {
            return Err(ExecError::ResultUnavailable { state: None, why: "the task asked for none" });
        };
        let (state, digest) = match (result.state, result.digest()) {
            (state @ (ResultState::Inline | ResultState::Stored), Some(digest)) => (state, digest),
            (state, _) => return Err(unavailable(state)),
        };
        if offset > digest.size {
            let problem = format!("must be at most {}, the size of the result", digest.size);
            return Err(ExecError::Invalid(vec![SpecError::new("offset", problem)]));
        }
        let data = match result.data() {
            Some(data) => inline(data, offset),
            None if view.presence == Presence::Gone => return Err(unavailable(ResultState::Gone)),
            None => self.stored(entry, digest, offset).await?,
        };
        Ok(OpenResult { state, digest, data })
    }

    async fn stored(
        &self,
        entry: &Arc<Entry>,
        digest: Digest,
        offset: u64,
    ) -> Result<BoxStream<'static, Result<Bytes, ExecError>>, ExecError> {
        let place = self.take_place()?;
        let body = self.open_frame(entry).await?;
        let (sender, items) = mpsc::channel(CHANNEL);
        let read = Reading { executor: self.clone(), entry: entry.clone(), digest, sent: offset, sender };
        let reading = AbortOnDropHandle::new(self.inner.tasks.spawn(read.run(body)));
        let pieces = stream::unfold((items, place), |(mut items, place)| async move {
            let piece = items.recv().await?;
            Some((Ok(piece), (items, place)))
        });
        // How the read ended is known when its last piece is taken, also to a caller that stood still for too long.
        let end = stream::once(reading).filter_map(|ended| async move {
            ended.unwrap_or_else(|error| Err(ExecError::Internal(error.to_string()))).err().map(Err)
        });
        Ok(pieces.chain(end).boxed())
    }

    /// Opens the sidecar's log from its beginning.
    async fn open_frame(&self, entry: &Entry) -> Result<LogBody, ExecError> {
        let request = LogRequest {
            namespace: entry.key.namespace.clone(),
            pod: entry.pod.clone(),
            container: SIDECAR.to_owned(),
            run: Run::Current,
            mode: ReadMode::Read { since: None },
        };
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
        let mut tries = 0;
        loop {
            tries += 1;
            let failure = match self.inner.cluster.open_log(&request).await {
                Ok(body) => return Ok(body),
                Err(LogRefusal::Gone(_) | LogRefusal::NoPreviousRun(_)) => {
                    return Err(unavailable(ResultState::Gone));
                }
                Err(LogRefusal::NotYet(_)) => None,
                Err(LogRefusal::Unavailable(failure)) => Some(failure),
            };
            let final_word = failure.as_ref().is_some_and(|failure| !failure.is_retryable());
            if tries >= TRIES || final_word {
                return Err(failure.map_or_else(|| unavailable(ResultState::Gone), ExecError::ClusterUnavailable));
            }
            backoff.wait().await;
        }
    }
}

fn unavailable(state: ResultState) -> ExecError {
    let why = match state {
        ResultState::Missing => "the task wrote none",
        ResultState::TooLarge => {
            "it is larger than the task's limit, or than Kubernetes keeps of a termination message"
        }
        ResultState::Unreadable => "it is no file, or its owner does not let the sidecar read it",
        ResultState::Gone | ResultState::Inline | ResultState::Stored => "it is gone with the pod or its log",
    };
    ExecError::ResultUnavailable { state: Some(state), why }
}

fn inline(data: Vec<u8>, offset: u64) -> BoxStream<'static, Result<Bytes, ExecError>> {
    let from = usize::try_from(offset).unwrap_or(usize::MAX).min(data.len());
    let rest = Bytes::from(data).slice(from..);
    stream::iter((!rest.is_empty()).then_some(Ok(rest))).boxed()
}

/// One caller's read of a stored result.
struct Reading {
    executor: Executor,
    entry: Arc<Entry>,
    digest: Digest,
    /// Where in the result the next byte to send is.
    sent: u64,
    sender: mpsc::Sender<Bytes>,
}

impl Reading {
    async fn run(mut self, first: LogBody) -> Result<(), ExecError> {
        let stopping = self.executor.inner.stopping.clone();
        let ended = tokio::select! {
            () = stopping.cancelled() => Err(ExecError::ShuttingDown),
            ended = self.read(first) => ended,
        };
        if let Err(error) = &ended {
            info!(task = %self.entry.key, error = %chain(error), sent = self.sent, "the result was not sent whole");
        }
        ended
    }

    /// Reads until everything was sent; again from the log's beginning where a read breaks off.
    async fn read(&mut self, first: LogBody) -> Result<(), ExecError> {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
        let mut body = first;
        for tries in 1.. {
            let cut = match self.read_once(body).await {
                Ok(()) | Err(Cut::Closed) => return Ok(()),
                Err(cut) => cut,
            };
            let error = match cut {
                Cut::Stalled | Cut::Closed => return Err(ExecError::ReaderTooSlow(self.executor.stall_limit())),
                Cut::Broken(failure) => {
                    debug!(task = %self.entry.key, error = %chain(&failure), "the result's log broke off");
                    ExecError::ClusterUnavailable(failure)
                }
                Cut::Frame(error) => {
                    debug!(task = %self.entry.key, %error, "the result's log was not whole");
                    unavailable(ResultState::Gone)
                }
            };
            if tries >= TRIES {
                return Err(error);
            }
            backoff.wait().await;
            body = self.executor.open_frame(&self.entry).await?;
        }
        Ok(())
    }

    async fn read_once(&mut self, mut body: LogBody) -> Result<(), Cut> {
        let mut reader = FrameReader::new(self.digest);
        let (mut at, mut found) = (0, Vec::new());
        while !reader.is_complete() {
            let next = tokio::time::timeout(IDLE_LIMIT, body.next()).await;
            let chunk = match next.map_err(|_| Cut::Broken(ApiFailure::Timeout))? {
                Some(chunk) => chunk.map_err(Cut::Broken)?,
                None => return reader.finish().map_err(Cut::Frame),
            };
            reader.feed(&chunk, &mut found).map_err(Cut::Frame)?;
            let known = usize::try_from(self.sent - at.min(self.sent)).unwrap_or(usize::MAX).min(found.len());
            at += found.len() as u64;
            for piece in found[known..].chunks(PIECE) {
                self.send(piece).await?;
            }
            found.clear();
        }
        Ok(())
    }

    async fn send(&mut self, piece: &[u8]) -> Result<(), Cut> {
        use mpsc::error::SendTimeoutError;
        let patience = self.executor.stall_limit();
        match self.sender.send_timeout(Bytes::copy_from_slice(piece), patience).await {
            Ok(()) => {
                self.sent += piece.len() as u64;
                Ok(())
            }
            Err(SendTimeoutError::Timeout(_)) => Err(Cut::Stalled),
            Err(SendTimeoutError::Closed(_)) => Err(Cut::Closed),
        }
    }
}
