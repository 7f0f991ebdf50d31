//! A task's stream → the messages of LaunchTask and AttachTask.
//!
//! ```text
//! first message (Accepted, Validated) ─▶ then, of the executor's stream:
//!   Event ─▶ Event; a Termination is the last, then OK
//!   EndOfAvailable ─▶ the same, then OK
//!   Draining ─▶ the same; then what the stream ends with, at the latest UNAVAILABLE / SHUTTING_DOWN
//!   an error ─▶ its status          an end without a last word ─▶ never OK: SHUTTING_DOWN
//! ```
//!
//! Dropping it drops the executor's stream and with it all that was started for it; the task goes on.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as Poller, Poll, ready};

use bytes::Bytes;
use futures::Stream;
use jiff::Timestamp;
use tonic::Status;
use tracing::{Span, info};

use super::encode;
use super::encode_event;
use super::errors::Context;
use super::exec_errors::{Call, fault};
use super::time::timestamp;
use crate::executor::{ExecError, StreamBody, StreamEvent, StreamItem, TaskStream};
use crate::proto::v1;
use crate::task::{State, TaskKey};

/// A message of a stream of one task.
pub trait Reply: Sized {
    /// The first.
    fn accepted(accepted: v1::Accepted) -> Self;
    /// Something happened.
    fn event(event: v1::Event) -> Self;
    /// The replica is about to go.
    fn draining(draining: v1::Draining) -> Self;
    /// That was all there is; none where a stream has no such message.
    fn end_of_available(end: v1::EndOfAvailable) -> Option<Self>;
}

impl Reply for v1::LaunchTaskResponse {
    fn accepted(accepted: v1::Accepted) -> Self {
        v1::launch_task_response::Message::Accepted(Box::new(accepted)).into()
    }

    fn event(event: v1::Event) -> Self {
        v1::launch_task_response::Message::Event(event).into()
    }

    fn draining(draining: v1::Draining) -> Self {
        v1::launch_task_response::Message::Draining(draining).into()
    }

    fn end_of_available(_: v1::EndOfAvailable) -> Option<Self> {
        None
    }
}

impl From<v1::launch_task_response::Message> for v1::LaunchTaskResponse {
    fn from(message: v1::launch_task_response::Message) -> Self {
        v1::LaunchTaskResponse { message: Some(message) }
    }
}

impl Reply for v1::AttachTaskResponse {
    fn accepted(accepted: v1::Accepted) -> Self {
        v1::attach_task_response::Message::Accepted(Box::new(accepted)).into()
    }

    fn event(event: v1::Event) -> Self {
        v1::attach_task_response::Message::Event(event).into()
    }

    fn draining(draining: v1::Draining) -> Self {
        v1::attach_task_response::Message::Draining(draining).into()
    }

    fn end_of_available(end: v1::EndOfAvailable) -> Option<Self> {
        Some(v1::attach_task_response::Message::EndOfAvailable(end).into())
    }
}

impl From<v1::attach_task_response::Message> for v1::AttachTaskResponse {
    fn from(message: v1::attach_task_response::Message) -> Self {
        v1::AttachTaskResponse { message: Some(message) }
    }
}

/// Of which task a stream is.
pub(super) struct About {
    /// The pod's own key.
    pub key: TaskKey,
    /// Name of the cluster as callers see it.
    pub cluster: Arc<str>,
    /// uid of the pod.
    pub pod_uid: String,
    /// The task's state at this moment.
    pub state: Box<dyn Fn() -> State + Send + Sync>,
    /// For errors.
    pub context: Context,
    /// The span of the call.
    pub span: Span,
}

/// The response stream of LaunchTask and AttachTask.
pub struct Replies<M, S = TaskStream> {
    first: Option<M>,
    rest: Option<Rest<S>>,
}

struct Rest<S> {
    stream: S,
    about: About,
}

impl<M, S> Replies<M, S> {
    /// One message, then OK.
    pub(super) fn only(message: M) -> Self {
        Replies { first: Some(message), rest: None }
    }

    /// `first`, then the stream.
    pub(super) fn of(first: M, stream: S, about: About) -> Self {
        Replies { first: Some(first), rest: Some(Rest { stream, about }) }
    }
}

impl<M, S> Stream for Replies<M, S>
where
    M: Reply + Unpin,
    S: Stream<Item = Result<StreamItem, ExecError>> + Unpin,
{
    type Item = Result<M, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Poller<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        if let Some(first) = this.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        let Some(rest) = &mut this.rest else { return Poll::Ready(None) };
        let next = ready!(Pin::new(&mut rest.stream).poll_next(cx));
        let (reply, then) = rest.about.reply(next);
        if then == Then::End {
            this.rest = None;
        }
        Poll::Ready(Some(reply))
    }
}

/// Whether a stream goes on after a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Then {
    GoOn,
    End,
}

impl About {
    fn reply<M: Reply>(&self, next: Option<Result<StreamItem, ExecError>>) -> (Result<M, Status>, Then) {
        match next {
            Some(Ok(StreamItem::Event(event))) => self.event(*event),
            Some(Ok(StreamItem::EndOfAvailable { cursor })) => (self.end_of_available(cursor), Then::End),
            Some(Ok(StreamItem::Draining)) => {
                let end_time = Some(timestamp(Timestamp::now()));
                (Ok(M::draining(v1::Draining { end_time })), Then::GoOn)
            }
            Some(Err(error)) => (Err(self.failed(&error)), Then::End),
            None => (Err(self.failed(&ExecError::ShuttingDown)), Then::End),
        }
    }

    fn event<M: Reply>(&self, event: StreamEvent) -> (Result<M, Status>, Then) {
        let then = if matches!(event.body, StreamBody::Termination { .. }) { Then::End } else { Then::GoOn };
        (Ok(M::event(encode_event::event(&self.key, &self.cluster, &self.pod_uid, event))), then)
    }

    fn end_of_available<M: Reply>(&self, cursor: Bytes) -> Result<M, Status> {
        let end = v1::EndOfAvailable { cursor, state: encode::state((self.state)()).into() };
        M::end_of_available(end).ok_or_else(|| {
            self.failed(&ExecError::Internal("a stream until the termination ended before it".to_owned()))
        })
    }

    fn failed(&self, error: &ExecError) -> Status {
        let status = fault(error, Call::Other).into_status(&self.context);
        self.span.in_scope(|| info!(code = ?status.code(), message = status.message(), "stream ended"));
        status
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
