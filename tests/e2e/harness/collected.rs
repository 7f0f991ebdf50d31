//! What a chain of streams brought, and how to ask it.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use tonic::Status;

use super::v1::event::Body;
use super::v1::{self, Reason, TaskState};

/// How a stream ended.
#[derive(Debug, Clone)]
pub enum End {
    /// OK.
    Ok,
    /// OK after EndOfAvailable.
    Available,
    /// An error.
    Error(Status),
}

/// What came over one stream, or over several joined by cursors.
#[derive(Debug, Clone)]
pub struct Collected {
    /// Of the last stream.
    pub accepted: v1::Accepted,
    pub events: Vec<v1::Event>,
    /// The bytes of each container and restart.
    pub logs: BTreeMap<(String, u32), Vec<u8>>,
    pub draining: bool,
    pub available: Option<v1::EndOfAvailable>,
    pub end: Option<End>,
}

impl Collected {
    pub fn new(accepted: v1::Accepted) -> Collected {
        Collected { accepted, events: Vec::new(), logs: BTreeMap::new(), draining: false, available: None, end: None }
    }

    /// The same chain, with one more stream opened.
    pub fn resumed(&self, accepted: v1::Accepted) -> Collected {
        Collected { accepted, draining: false, available: None, end: None, ..self.clone() }
    }

    pub fn push(&mut self, event: v1::Event) {
        if let Some(Body::LogChunk(chunk)) = &event.body {
            let log = self.logs.entry((chunk.container.clone(), chunk.restart)).or_default();
            log.extend_from_slice(&chunk.data);
        }
        self.events.push(event);
    }

    /// Where to go on from.
    pub fn last_cursor(&self) -> Bytes {
        let event = self.events.last().map(|event| event.cursor.clone());
        let available = self.available.as_ref().map(|end| end.cursor.clone());
        available.or(event).unwrap_or_else(|| self.accepted.cursor.clone())
    }

    pub fn key(&self) -> v1::TaskKey {
        self.accepted.key.clone().expect("Accepted.key is set")
    }

    pub fn pod(&self) -> &v1::PodRef {
        self.accepted.pod.as_ref().expect("Accepted.pod is set")
    }

    /// The log of a container's first run.
    pub fn log(&self, container: &str) -> &[u8] {
        self.logs.get(&(container.to_owned(), 0)).map_or(&[], Vec::as_slice)
    }

    /// The log of the primary container, which the tests call `main`.
    pub fn output(&self) -> &[u8] {
        self.log("main")
    }

    pub fn bodies(&self) -> impl Iterator<Item = &Body> {
        self.events.iter().filter_map(|event| event.body.as_ref())
    }

    pub fn state_changes(&self) -> impl Iterator<Item = &v1::StateChange> {
        self.bodies().filter_map(|body| match body {
            Body::StateChange(change) => Some(change),
            _ => None,
        })
    }

    pub fn container_changes(&self) -> impl Iterator<Item = &v1::ContainerChange> {
        self.bodies().filter_map(|body| match body {
            Body::ContainerChange(change) => Some(change),
            _ => None,
        })
    }

    pub fn notices(&self) -> impl Iterator<Item = &v1::PodNotice> {
        self.bodies().filter_map(|body| match body {
            Body::Notice(notice) => Some(notice),
            _ => None,
        })
    }

    /// The last state that was shown.
    pub fn state(&self) -> TaskState {
        self.state_changes().last().map_or(TaskState::Unspecified, v1::StateChange::state)
    }

    /// Whether a StateChange showed this reason.
    pub fn showed(&self, reason: Reason) -> bool {
        self.state_changes().any(|change| change.reason() == reason)
    }

    pub fn termination(&self) -> Option<&v1::Termination> {
        self.bodies().find_map(|body| match body {
            Body::Termination(termination) => Some(&**termination),
            _ => None,
        })
    }

    /// The outcome, which must be there.
    #[track_caller]
    pub fn outcome(&self) -> &v1::Outcome {
        let termination = self.termination();
        let outcome = termination.and_then(|termination| termination.outcome.as_ref());
        outcome.unwrap_or_else(|| panic!("no outcome:\n{self}"))
    }

    /// The outcome as it goes over the wire.
    #[track_caller]
    pub fn outcome_bytes(&self) -> Vec<u8> {
        prost::Message::encode_to_vec(self.outcome())
    }

    /// What the Termination says about the log of a container's first run.
    #[track_caller]
    pub fn delivery(&self, container: &str) -> &v1::ContainerDelivery {
        self.termination()
            .and_then(|termination| termination.delivery.as_ref())
            .and_then(|delivery| {
                let mut all = delivery.containers.iter();
                all.find(|one| one.container == container && one.restart == 0)
            })
            .unwrap_or_else(|| panic!("no delivery of {container}:\n{self}"))
    }

    /// Panics unless state and reason of the outcome are these.
    #[track_caller]
    pub fn assert_ended(&self, state: TaskState, reason: Reason) -> &v1::Outcome {
        let outcome = self.outcome();
        assert_eq!((outcome.state(), outcome.reason()), (state, reason), "\n{self}");
        outcome
    }

    /// Panics unless the outcome says that the primary container never ran.
    #[track_caller]
    pub fn assert_never_started(&self) {
        let outcome = self.outcome();
        assert_eq!(outcome.retry_advice(), v1::RetryAdvice::SafeNeverStarted, "\n{self}");
        assert_eq!(outcome.exit_code, None, "a code that Kubernetes makes up is none\n{self}");
        assert_eq!(self.output(), b"", "no line is invented\n{self}");
    }

    /// Panics unless the outcome has this exit code.
    #[track_caller]
    pub fn assert_exit_code(&self, code: i32) {
        assert_eq!(self.outcome().exit_code, Some(code), "\n{self}");
    }

    /// Panics unless the primary container's log is exactly `expected`, and delivered COMPLETE.
    #[track_caller]
    pub fn assert_output(&self, expected: &[u8]) {
        assert_same(self.output(), expected);
        let delivery = self.delivery("main");
        let verdict = delivery.verdict();
        assert_eq!(verdict, v1::DeliveryVerdict::Complete, "{delivery:?}");
    }

    /// Panics unless it SUCCEEDED with exit code 0 and exactly this output.
    #[track_caller]
    pub fn assert_succeeded(&self, expected: &[u8]) {
        let outcome = self.assert_ended(TaskState::Succeeded, Reason::Completed);
        assert_eq!(outcome.exit_code, Some(0), "\n{self}");
        assert_eq!(outcome.certainty(), v1::Certainty::Observed);
        self.assert_output(expected);
    }
}

/// Equality of large outputs: on failure names the first difference instead of printing all.
#[track_caller]
pub fn assert_same(found: &[u8], expected: &[u8]) {
    if found == expected {
        return;
    }
    let at = found.iter().zip(expected).take_while(|(a, b)| a == b).count();
    let around = |bytes: &[u8]| {
        let window = &bytes[at.saturating_sub(20)..bytes.len().min(at + 60)];
        String::from_utf8_lossy(window).into_owned()
    };
    panic!(
        "differs at byte {at}: {} bytes found, {} expected\n   found: …{:?}…\nexpected: …{:?}…",
        found.len(),
        expected.len(),
        around(found),
        around(expected),
    );
}

/// One line an event, for failed tests.
impl fmt::Display for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  accepted {:?} {:?}", self.accepted.how(), self.accepted.pod)?;
        for event in self.events.iter().rev().take(40).rev() {
            match &event.body {
                Some(Body::LogChunk(chunk)) => {
                    let (line, bytes) = (chunk.first_line, chunk.data.len());
                    writeln!(
                        f,
                        "  {} chunk of {} from line {line:?}, {bytes} bytes",
                        event.stream_sequence, chunk.container
                    )?;
                }
                other => writeln!(f, "  {} {other:?}", event.stream_sequence)?,
            }
        }
        write!(f, "  end {:?}", self.end)
    }
}
