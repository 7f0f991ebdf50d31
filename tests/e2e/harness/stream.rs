//! One LaunchTask or AttachTask stream, read message by message through the checks.

use std::pin::Pin;

use futures::{Stream, StreamExt as _};
use tonic::Status;

use super::check::{Checker, StartAt};
use super::collected::{Collected, End};
use super::v1::{self, attach_task_response, launch_task_response};
use super::wait;

/// A message of either stream.
#[derive(Debug)]
pub enum Message {
    Accepted(Box<v1::Accepted>),
    Event(Box<v1::Event>),
    Draining(v1::Draining),
    EndOfAvailable(v1::EndOfAvailable),
    Validated(v1::Validated),
}

impl From<v1::LaunchTaskResponse> for Message {
    fn from(response: v1::LaunchTaskResponse) -> Message {
        use launch_task_response::Message as M;
        match response.message.expect("a message is set") {
            M::Accepted(accepted) => Message::Accepted(accepted),
            M::Event(event) => Message::Event(Box::new(event)),
            M::Draining(draining) => Message::Draining(draining),
            M::Validated(validated) => Message::Validated(validated),
        }
    }
}

impl From<v1::AttachTaskResponse> for Message {
    fn from(response: v1::AttachTaskResponse) -> Message {
        use attach_task_response::Message as M;
        match response.message.expect("a message is set") {
            M::Accepted(accepted) => Message::Accepted(accepted),
            M::Event(event) => Message::Event(Box::new(event)),
            M::EndOfAvailable(end) => Message::EndOfAvailable(end),
            M::Draining(draining) => Message::Draining(draining),
        }
    }
}

type Messages = Pin<Box<dyn Stream<Item = Result<Message, Status>> + Send>>;

/// An open stream and what it has brought so far.
pub struct TaskStream {
    messages: Messages,
    checker: Checker,
    /// What came, of this stream and of those before it in its chain.
    pub seen: Collected,
}

impl TaskStream {
    /// Reads the first message, which must be Accepted.
    pub async fn open(mut messages: Messages, from: StartAt, before: Option<&Collected>) -> Result<TaskStream, Status> {
        let first = wait::guarded("the first message", messages.next()).await;
        let accepted = match first {
            Some(Ok(Message::Accepted(accepted))) => *accepted,
            Some(Ok(other)) => panic!("the first message is {other:?}, not Accepted"),
            Some(Err(status)) => return Err(status),
            None => panic!("the stream ended before its first message"),
        };
        let checker = Checker::new(from, &accepted, before);
        let seen = before.map_or_else(|| Collected::new(accepted.clone()), |before| before.resumed(accepted.clone()));
        Ok(TaskStream { messages, checker, seen })
    }

    /// The next event; none when the stream has ended (`seen.end` says how).
    pub async fn next(&mut self) -> Option<v1::Event> {
        loop {
            let message = wait::guarded("the next message", self.messages.next()).await;
            match message {
                Some(Ok(Message::Event(event))) => {
                    self.checker.event(&event);
                    self.seen.push((*event).clone());
                    return Some(*event);
                }
                Some(Ok(Message::Draining(_))) => self.seen.draining = true,
                Some(Ok(Message::EndOfAvailable(end))) => self.end_of_available(end),
                Some(Ok(other)) => panic!("{other:?} inside the stream"),
                Some(Err(status)) => return self.ended(End::Error(status)),
                None if self.seen.available.is_some() => return self.ended(End::Available),
                None => return self.ended(End::Ok),
            }
        }
    }

    fn end_of_available(&mut self, end: v1::EndOfAvailable) {
        assert!(!end.cursor.is_empty(), "EndOfAvailable has a cursor");
        assert!(self.seen.available.is_none(), "EndOfAvailable comes once");
        self.seen.available = Some(end);
    }

    fn ended(&mut self, end: End) -> Option<v1::Event> {
        self.seen.end = Some(end);
        None
    }

    /// Reads on until `done`; panics if the stream ends before.
    #[track_caller]
    pub fn until(&mut self, what: &str, done: impl Fn(&Collected) -> bool) -> impl Future<Output = &Collected> {
        let place = std::panic::Location::caller();
        async move {
            while !done(&self.seen) {
                if self.next().await.is_none() {
                    panic!("{place}: the stream ended before {what}:\n{}", self.seen);
                }
            }
            &self.seen
        }
    }

    /// Reads on until the log of the primary container has `text`.
    #[track_caller]
    pub fn until_line(&mut self, text: &str) -> impl Future<Output = &Collected> {
        let text = text.as_bytes().to_vec();
        self.until("the line came", move |seen| memchr::memmem::find(seen.log("main"), &text).is_some())
    }

    /// Reads to the end, however it ends.
    pub async fn drain(mut self) -> Collected {
        while self.next().await.is_some() {}
        self.seen
    }

    /// Reads to the end, which must be OK after a Termination.
    #[track_caller]
    pub fn collect(self) -> impl Future<Output = Collected> {
        let place = std::panic::Location::caller();
        async move {
            let seen = self.drain().await;
            let ok = matches!(seen.end, Some(End::Ok)) && seen.termination().is_some();
            assert!(ok, "{place}: not ended by a Termination and OK:\n{seen}");
            seen
        }
    }
}
