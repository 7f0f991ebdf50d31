//! One open stream, of either call, as one kind of message.

use tonic::{Status, Streaming};

use crate::proto::v1;
use v1::{attach_task_response as attach, launch_task_response as launch};

/// A message of a LaunchTask or AttachTask stream.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time, nearly always an event: a box would only add an allocation to each"
)]
pub(super) enum Message {
    Accepted(Box<v1::Accepted>),
    Event(v1::Event),
    EndOfAvailable(v1::EndOfAvailable),
    Validated(v1::Validated),
    Draining,
    /// Newer than this client: ignored.
    Unknown,
}

/// An open stream.
pub(super) enum Live {
    Launch(Streaming<v1::LaunchTaskResponse>),
    Attach(Streaming<v1::AttachTaskResponse>),
}

impl Live {
    /// The next message; none at the end of the stream.
    pub(super) async fn next(&mut self) -> Result<Option<Message>, Status> {
        Ok(match self {
            Self::Launch(stream) => stream.message().await?.map(Message::from),
            Self::Attach(stream) => stream.message().await?.map(Message::from),
        })
    }
}

impl From<v1::LaunchTaskResponse> for Message {
    fn from(response: v1::LaunchTaskResponse) -> Self {
        match response.message {
            Some(launch::Message::Accepted(accepted)) => Self::Accepted(accepted),
            Some(launch::Message::Event(event)) => Self::Event(event),
            Some(launch::Message::Draining(_)) => Self::Draining,
            Some(launch::Message::Validated(validated)) => Self::Validated(validated),
            None => Self::Unknown,
        }
    }
}

impl From<v1::AttachTaskResponse> for Message {
    fn from(response: v1::AttachTaskResponse) -> Self {
        match response.message {
            Some(attach::Message::Accepted(accepted)) => Self::Accepted(accepted),
            Some(attach::Message::Event(event)) => Self::Event(event),
            Some(attach::Message::EndOfAvailable(end)) => Self::EndOfAvailable(end),
            Some(attach::Message::Draining(_)) => Self::Draining,
            None => Self::Unknown,
        }
    }
}
