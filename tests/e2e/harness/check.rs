//! What holds for every stream, checked on every stream that any test reads.
//!
//! Accepted ─▶ per event: sequence, identity, cursor ─▶ by kind: states in order, lines after their container's start,
//! bytes and line numbers consistent ─▶ Termination: last, once, and its delivery adds up.

mod log;

use std::collections::{BTreeMap, HashSet};

use log::Log;

use super::collected::Collected;
use super::v1::event::Body;
use super::v1::{self, TaskState};

/// Where a stream starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartAt {
    Beginning,
    Cursor,
    Now,
    /// As the beginning for all but logs.
    Within,
}

impl StartAt {
    pub fn of(request: &v1::AttachTaskRequest) -> StartAt {
        use v1::attach_task_request::StartAt as Asked;
        match &request.start_at {
            Some(Asked::Cursor(_)) => StartAt::Cursor,
            Some(Asked::Start(start)) if *start == v1::StreamStart::Now as i32 => StartAt::Now,
            Some(Asked::TailLines(_) | Asked::SinceTime(_)) => StartAt::Within,
            _ => StartAt::Beginning,
        }
    }
}

/// The largest cursor: 1 KiB and 48 B a container.
fn max_cursor(containers: usize) -> usize {
    1024 + 48 * containers.max(1)
}

/// Follows one chain of streams.
#[derive(Debug)]
pub struct Checker {
    key: v1::TaskKey,
    pod_uid: String,
    start: StartAt,
    sequence: u64,
    state: Option<TaskState>,
    before_unreachable: Option<TaskState>,
    uids: HashSet<String>,
    /// Notices may come again in a later stream of the chain, not in the same.
    notices: HashSet<String>,
    started: HashSet<(String, u32)>,
    logs: BTreeMap<(String, u32), Log>,
    terminated: bool,
}

impl Checker {
    /// A checker for a stream that `accepted` opened, after what the streams `before` it in its chain brought.
    pub fn new(start: StartAt, accepted: &v1::Accepted, before: Option<&Collected>) -> Checker {
        assert!(!accepted.cursor.is_empty(), "Accepted.cursor is set");
        let key = accepted.key.clone().expect("Accepted.key is set");
        assert!(key.attempt > 0 && !key.namespace.is_empty() && !key.cluster.is_empty(), "{key:?} is full");
        let task = accepted.task.as_ref().expect("Accepted.task is set");
        assert_eq!(task.key.as_ref(), Some(&key), "Accepted.task.key");
        let pod = accepted.pod.as_ref().expect("Accepted.pod is set");
        assert!(pod.name.len() <= 63, "{pod:?}");
        let outcome = task.outcome.as_ref();
        let never_launched = outcome.is_some_and(|outcome| outcome.stop.is_some() && outcome.containers.is_empty());
        assert!(!pod.uid.is_empty() || never_launched, "{pod:?}");
        assert_ne!(accepted.how(), v1::AcceptedHow::Unspecified);
        let mut checker = Checker {
            key,
            pod_uid: pod.uid.clone(),
            start,
            sequence: 0,
            state: None,
            before_unreachable: None,
            uids: HashSet::new(),
            notices: HashSet::new(),
            started: HashSet::new(),
            logs: BTreeMap::new(),
            terminated: false,
        };
        for event in before.map_or(&[][..], |before| &before.events) {
            checker.sequence = event.stream_sequence.saturating_sub(1);
            checker.event(event);
        }
        checker.sequence = 0;
        checker.notices.clear();
        checker.start = if before.is_some() { StartAt::Beginning } else { start };
        checker
    }

    /// Whether all that came before in this chain is known.
    fn whole_chain_is_known(&self) -> bool {
        self.start == StartAt::Beginning
    }

    /// Checks the next event.
    pub fn event(&mut self, event: &v1::Event) {
        assert!(!self.terminated, "an event after the Termination: {event:?}");
        self.sequence += 1;
        assert_eq!(event.stream_sequence, self.sequence, "the sequence is dense: {event:?}");
        assert_eq!(event.key.as_ref(), Some(&self.key), "{event:?}");
        assert_eq!(event.pod_uid, self.pod_uid, "{event:?}");
        assert!(event.observed_time.is_some(), "observed_time is set: {event:?}");
        assert!(!event.cursor.is_empty(), "an event without cursor: {event:?}");
        assert!(event.cursor.len() <= max_cursor(self.started.len()), "{} bytes of cursor", event.cursor.len());
        let body = event.body.as_ref().unwrap_or_else(|| panic!("an event without body: {event:?}"));
        self.identity(event, body);
        match body {
            Body::StateChange(change) => self.state_change(change),
            Body::ContainerChange(change) => self.container_change(change),
            Body::LogChunk(chunk) => self.chunk(chunk),
            Body::LogGap(gap) => self.log(&gap.container, gap.restart).gap(gap),
            Body::LogEnd(end) => self.log_end(end),
            Body::Notice(notice) => check_notice(notice),
            Body::Termination(termination) => self.termination(termination),
        }
    }

    fn identity(&mut self, event: &v1::Event, body: &Body) {
        let uid = &event.event_uid;
        let named = matches!(body, Body::StateChange(_) | Body::ContainerChange(_) | Body::Termination(_));
        if matches!(body, Body::LogChunk(_)) {
            assert!(uid.is_empty(), "a chunk has no uid: {uid}");
        } else if named {
            assert!(!uid.is_empty() && uid.len() <= 64 && uid.is_ascii(), "{uid:?} of {event:?}");
        }
        if !uid.is_empty() {
            let seen = if matches!(body, Body::Notice(_)) { &mut self.notices } else { &mut self.uids };
            assert!(seen.insert(uid.clone()), "the uid {uid} came twice: {event:?}");
        }
    }

    fn state_change(&mut self, change: &v1::StateChange) {
        let state = change.state();
        assert!(rank(state).is_some() || state == TaskState::Unreachable, "{change:?} is into a terminal state");
        if let Some(before) = self.state {
            assert_eq!(change.previous(), before, "{change:?}");
            assert!(self.legal(before, state), "{before:?} to {state:?} is not legal");
        } else if self.whole_chain_is_known() {
            assert_eq!(change.previous(), TaskState::Unspecified, "the first state: {change:?}");
        }
        if state == TaskState::Unreachable && self.state != Some(state) {
            self.before_unreachable = self.state;
        }
        self.state = Some(state);
    }

    fn legal(&self, from: TaskState, to: TaskState) -> bool {
        match (rank(from), rank(to)) {
            (Some(from), Some(to)) => from <= to,
            (None, Some(to)) => self.before_unreachable.and_then(rank).is_none_or(|before| before <= to),
            (_, None) => true,
        }
    }

    fn container_change(&mut self, change: &v1::ContainerChange) {
        use v1::container_change::State;
        assert!(!change.container.is_empty(), "{change:?}");
        assert_ne!(change.role(), v1::ContainerRole::Unspecified, "{change:?}");
        let state = change.state.as_ref().unwrap_or_else(|| panic!("{change:?} has no state"));
        if matches!(state, State::Running(_) | State::Terminated(_)) {
            self.started.insert((change.container.clone(), change.restart));
        }
    }

    fn chunk(&mut self, chunk: &v1::LogChunk) {
        let run = (chunk.container.clone(), chunk.restart);
        if self.whole_chain_is_known() {
            let shown = self.started.contains(&run);
            assert!(shown, "a line of {run:?} before the event that shows its start");
        }
        self.log(&chunk.container, chunk.restart).chunk(chunk);
    }

    fn log_end(&mut self, end: &v1::LogEnd) {
        let delivery = end.delivery.clone().expect("LogEnd.delivery is set");
        assert_eq!((&delivery.container, delivery.restart), (&end.container, end.restart));
        self.log(&end.container, end.restart).end();
    }

    fn log(&mut self, container: &str, restart: u32) -> &mut Log {
        let start = self.start;
        self.logs.entry((container.to_owned(), restart)).or_insert_with(|| Log::new(start))
    }

    fn termination(&mut self, termination: &v1::Termination) {
        self.terminated = true;
        check_outcome(termination.outcome.as_ref().expect("Termination.outcome is set"));
        let delivery = termination.delivery.as_ref().expect("Termination.delivery is set");
        let mut known = HashSet::new();
        for one in &delivery.containers {
            let run = (one.container.clone(), one.restart);
            assert!(known.insert(run.clone()), "{run:?} is twice in the delivery");
            assert_ne!(one.verdict(), v1::DeliveryVerdict::Unspecified, "{one:?}");
            let complete = one.verdict() == v1::DeliveryVerdict::Complete;
            let faultless = one.cause() == v1::LogLossCause::Unspecified && one.gaps == 0;
            assert!(!complete || faultless, "COMPLETE with a fault: {one:?}");
            if self.whole_chain_is_known() {
                let log = self.logs.entry(run).or_insert_with(|| Log::new(StartAt::Beginning));
                log.adds_up(one);
            }
        }
        for (run, log) in &self.logs {
            assert!(known.contains(run) || log.is_empty(), "{run:?} is not in the delivery");
        }
    }
}

fn check_notice(notice: &v1::PodNotice) {
    assert_ne!(notice.kind(), v1::NoticeKind::Unspecified, "{notice:?}");
    assert!(notice.count >= 1, "{notice:?}");
}

fn check_outcome(outcome: &v1::Outcome) {
    let terminal =
        [TaskState::Succeeded, TaskState::Failed, TaskState::Cancelled, TaskState::Disrupted, TaskState::Lost];
    assert!(terminal.contains(&outcome.state()), "{outcome:?}");
    assert_ne!(outcome.reason(), v1::Reason::Unspecified, "{outcome:?}");
    assert_ne!(outcome.origin(), v1::Origin::Unspecified, "{outcome:?}");
    assert_ne!(outcome.certainty(), v1::Certainty::Unspecified, "{outcome:?}");
    assert!(outcome.reason_version >= 1, "{outcome:?}");
    let advised = outcome.retry_advice() != v1::RetryAdvice::Unspecified;
    // Exit 0 while it was taken away may not have been the end of its work.
    assert_eq!(advised, outcome.reason() != v1::Reason::Completed, "{outcome:?}");
    let times = outcome.times.as_ref().expect("Outcome.times is set");
    // What was cancelled before any launch has no times but its stop's.
    let never_launched = outcome.stop.is_some() && outcome.containers.is_empty();
    assert!(times.created_time.is_some() || never_launched, "{times:?}");
    let size = prost::Message::encoded_len(outcome);
    assert!(size <= 8 * 1024, "an outcome of {size} bytes");
}

/// Order of the states that are neither terminal nor UNREACHABLE.
fn rank(state: TaskState) -> Option<u8> {
    match state {
        TaskState::Pending => Some(1),
        TaskState::Starting => Some(2),
        TaskState::Running => Some(3),
        TaskState::Terminating => Some(4),
        _ => None,
    }
}
