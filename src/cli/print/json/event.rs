//! The messages of a task's stream, as JSON: one object each, told apart by `type`.

use serde::Serialize;

use super::outcome::{DeliveryJson, OutcomeJson};
use super::task::{RunningJson, TaskJson, TerminatedJson, WaitingJson};
use super::{KeyJson, PodJson, Word, Written, base64, text, time, word};
use crate::proto::v1;
use v1::event::Body;

/// What all events have, and the one thing that happened.
#[derive(Debug, Serialize)]
pub(crate) struct EventJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<KeyJson<'a>>,
    #[serde(flatten)]
    body: BodyJson<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    occurred_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pod_uid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_uid: Option<&'a str>,
    stream_sequence: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

impl<'a> EventJson<'a> {
    /// None for an event without a body, or with one newer than this client.
    pub(crate) fn of(event: &'a v1::Event) -> Option<Self> {
        let body = match event.body.as_ref()? {
            Body::StateChange(change) => BodyJson::StateChange(StateChangeJson::of(change)),
            Body::ContainerChange(change) => BodyJson::ContainerChange(ContainerChangeJson::of(change)),
            Body::LogChunk(chunk) => BodyJson::LogChunk(LogChunkJson::of(chunk)),
            Body::LogGap(gap) => BodyJson::LogGap(LogGapJson::of(gap)),
            Body::LogEnd(end) => BodyJson::LogEnd(LogEndJson::of(end)),
            Body::Notice(notice) => BodyJson::Notice(NoticeJson::of(notice)),
            Body::Termination(end) => BodyJson::Termination(Box::new(TerminationJson::of(end))),
        };
        Some(Self {
            key: KeyJson::maybe(event.key.as_ref()),
            body,
            occurred_time: time(event.occurred_time.as_ref()),
            observed_time: time(event.observed_time.as_ref()),
            pod_uid: text(&event.pod_uid),
            event_uid: text(&event.event_uid),
            stream_sequence: event.stream_sequence,
            cursor: base64(&event.cursor),
        })
    }
}

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum BodyJson<'a> {
    StateChange(StateChangeJson<'a>),
    ContainerChange(ContainerChangeJson<'a>),
    LogChunk(LogChunkJson<'a>),
    LogGap(LogGapJson<'a>),
    LogEnd(LogEndJson<'a>),
    Notice(NoticeJson<'a>),
    Termination(Box<TerminationJson<'a>>),
}

/// The task's state changed, or what it waits for.
#[derive(Debug, Serialize)]
struct StateChangeJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    kubernetes_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kubernetes_message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue_position: Option<u32>,
}

impl<'a> StateChangeJson<'a> {
    fn of(change: &'a v1::StateChange) -> Self {
        Self {
            state: word::<v1::TaskState>(change.state),
            previous: word::<v1::TaskState>(change.previous),
            reason: word::<v1::Reason>(change.reason),
            kubernetes_reason: text(&change.kubernetes_reason),
            kubernetes_message: text(&change.kubernetes_message),
            node_name: text(&change.node_name),
            queue_position: change.queue_position,
        }
    }
}

/// A container's state changed.
#[derive(Debug, Serialize)]
struct ContainerChangeJson<'a> {
    container: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Word,
    restart: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<WaitingJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    running: Option<RunningJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    terminated: Option<TerminatedJson<'a>>,
}

impl<'a> ContainerChangeJson<'a> {
    fn of(change: &'a v1::ContainerChange) -> Self {
        use v1::container_change::State;
        let (mut waiting, mut running, mut terminated) = (None, None, None);
        match &change.state {
            Some(State::Waiting(state)) => waiting = Some(WaitingJson::of(state)),
            Some(State::Running(state)) => running = Some(RunningJson::of(state)),
            Some(State::Terminated(state)) => terminated = Some(TerminatedJson::of(state)),
            None => {}
        }
        Self {
            container: &change.container,
            role: word::<v1::ContainerRole>(change.role),
            restart: change.restart,
            waiting,
            running,
            terminated,
        }
    }
}

/// Log lines.
#[derive(Debug, Serialize)]
struct LogChunkJson<'a> {
    container: &'a str,
    restart: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_line: Option<u64>,
    #[serde(flatten)]
    written: Written<'a>,
    line_ends: &'a [u32],
    #[serde(skip_serializing_if = "Option::is_none")]
    first_time: Option<String>,
    time_deltas: &'a [i64],
    continues: bool,
}

impl<'a> LogChunkJson<'a> {
    fn of(chunk: &'a v1::LogChunk) -> Self {
        Self {
            container: &chunk.container,
            restart: chunk.restart,
            stream: word::<v1::LogStream>(chunk.stream),
            first_line: chunk.first_line,
            written: Written::of(&chunk.data),
            line_ends: &chunk.line_ends,
            first_time: time(chunk.first_time.as_ref()),
            time_deltas: &chunk.time_deltas,
            continues: chunk.continues,
        }
    }
}

/// Log lines are missing.
#[derive(Debug, Serialize)]
struct LogGapJson<'a> {
    container: &'a str,
    restart: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before_time: Option<String>,
}

impl<'a> LogGapJson<'a> {
    fn of(gap: &'a v1::LogGap) -> Self {
        Self {
            container: &gap.container,
            restart: gap.restart,
            cause: word::<v1::LogLossCause>(gap.cause),
            lines: gap.lines,
            after_time: time(gap.after_time.as_ref()),
            before_time: time(gap.before_time.as_ref()),
        }
    }
}

/// A log is at its end.
#[derive(Debug, Serialize)]
struct LogEndJson<'a> {
    container: &'a str,
    restart: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    delivery: Option<DeliveryJson<'a>>,
}

impl<'a> LogEndJson<'a> {
    fn of(end: &'a v1::LogEnd) -> Self {
        Self { container: &end.container, restart: end.restart, delivery: end.delivery.as_ref().map(DeliveryJson::of) }
    }
}

/// A remark.
#[derive(Debug, Serialize)]
struct NoticeJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    component: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<&'a str>,
    count: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_time: Option<String>,
}

impl<'a> NoticeJson<'a> {
    fn of(notice: &'a v1::PodNotice) -> Self {
        Self {
            kind: word::<v1::NoticeKind>(notice.kind),
            severity: word::<v1::NoticeSeverity>(notice.severity),
            reason: text(&notice.reason),
            message: text(&notice.message),
            component: text(&notice.component),
            container: text(&notice.container),
            count: notice.count,
            first_time: time(notice.first_time.as_ref()),
        }
    }
}

/// The end.
#[derive(Debug, Serialize)]
struct TerminationJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<OutcomeJson<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    delivery: Vec<DeliveryJson<'a>>,
}

impl<'a> TerminationJson<'a> {
    fn of(end: &'a v1::Termination) -> Self {
        let delivery = end.delivery.iter().flat_map(|delivery| &delivery.containers);
        Self { outcome: end.outcome.as_ref().map(OutcomeJson::of), delivery: delivery.map(DeliveryJson::of).collect() }
    }
}

/// The first message of a stream.
#[derive(Debug, Serialize)]
struct AcceptedJson<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<KeyJson<'a>>,
    requested_attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    how: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    pod: Option<PodJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotent_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<TaskJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// The first message of a stream.
pub(crate) fn accepted(accepted: &v1::Accepted) -> impl Serialize + '_ {
    AcceptedJson {
        r#type: "accepted",
        key: KeyJson::maybe(accepted.key.as_ref()),
        requested_attempt: accepted.requested_attempt,
        how: word::<v1::AcceptedHow>(accepted.how),
        pod: PodJson::maybe(accepted.pod.as_ref()),
        idempotent_until: time(accepted.idempotent_until.as_ref()),
        task: accepted.task.as_ref().map(TaskJson::of),
        cursor: base64(&accepted.cursor),
    }
}

/// All that was available has been sent.
#[derive(Debug, Serialize)]
struct EndJson {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
}

/// All that was available has been sent; the task is not finished.
pub(crate) fn end_of_available(end: &v1::EndOfAvailable) -> impl Serialize {
    EndJson { r#type: "end_of_available", state: word::<v1::TaskState>(end.state), cursor: base64(&end.cursor) }
}

/// The answer to a dry run.
#[derive(Debug, Serialize)]
pub(crate) struct ValidatedJson<'a> {
    r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<KeyJson<'a>>,
    pod_name: &'a str,
    fingerprint: &'a str,
    warnings: &'a [String],
    /// The pod as JSON, not as a string of JSON; none where the server's text is no JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pod: Option<serde_json::Value>,
}

impl<'a> ValidatedJson<'a> {
    pub(crate) fn of(validated: &'a v1::Validated) -> Self {
        // Through a `Value`: a line of output must not contain the line breaks of somebody's pretty-printing.
        let pod = serde_json::from_str::<serde_json::Value>(&validated.pod_json).ok();
        Self {
            r#type: "validated",
            key: KeyJson::maybe(validated.key.as_ref()),
            pod_name: &validated.pod_name,
            fingerprint: &validated.fingerprint,
            warnings: &validated.warnings,
            pod,
        }
    }
}
