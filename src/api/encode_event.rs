//! Events of a stream → the message.
//!
//! ```text
//! StreamEvent { cursor, sequence, uid, times, body } ─▶ Event
//!   body: Task ─▶ StateChange | ContainerChange | PodNotice      Chunk ─▶ encode_log.rs
//!         Termination ─▶ Outcome (encode_outcome.rs) + Delivery (encode_log.rs)
//! ```

use super::encode::{clip, key, reason, role, running, state, terminated, waiting};
use super::encode_log;
use super::encode_outcome;
use super::time::timestamp;
use crate::executor::{StreamBody, StreamEvent};
use crate::proto::v1;
use crate::proto::v1::event::Body;
use crate::task::TaskKey;
use crate::task::event::{ContainerChange, ContainerPhase, Notice, Severity, StateChange, TaskEventBody};
use crate::task::outcome::MAX_WORD;

/// Longest message of Kubernetes, bytes.
const MAX_MESSAGE: usize = 4096;
/// Who a remark of podlaunch's own is from.
const OURS: &str = "podlaunch";

/// An event of the task `task_key`, whose pod has `pod_uid`.
pub(super) fn event(task_key: &TaskKey, cluster: &str, pod_uid: &str, event: StreamEvent) -> v1::Event {
    v1::Event {
        key: Some(key(task_key, cluster)),
        pod_uid: pod_uid.to_owned(),
        cursor: event.cursor,
        stream_sequence: event.sequence,
        event_uid: event.uid,
        occurred_time: event.occurred.map(timestamp),
        observed_time: Some(timestamp(event.observed)),
        redelivered: false,
        body: Some(body(event.body)),
    }
}

fn body(body: StreamBody) -> Body {
    match body {
        StreamBody::Task(event) => match &event.body {
            TaskEventBody::State(change) => Body::StateChange(state_change(change)),
            TaskEventBody::Container(change) => Body::ContainerChange(container_change(change)),
            TaskEventBody::Notice(remark) => Body::Notice(notice(remark)),
            // A stream gives outcomes as terminations; this keeps one from being lost all the same.
            TaskEventBody::Outcome(stored) => Body::Termination(Box::new(v1::Termination {
                outcome: Some(encode_outcome::outcome(stored)),
                delivery: Some(v1::Delivery::default()),
            })),
        },
        StreamBody::Chunk { container, restart, chunk } => Body::LogChunk(encode_log::chunk(container, restart, chunk)),
        StreamBody::Gap { container, restart, gap } => Body::LogGap(encode_log::gap(container, restart, &gap)),
        StreamBody::LogEnd(end) => Body::LogEnd(v1::LogEnd {
            container: end.container.clone(),
            restart: end.restart,
            delivery: Some(encode_log::container_delivery(&end)),
        }),
        StreamBody::Termination { outcome, delivery } => Body::Termination(Box::new(v1::Termination {
            outcome: Some(encode_outcome::outcome(&outcome)),
            delivery: Some(encode_log::delivery(&delivery)),
        })),
    }
}

fn state_change(change: &StateChange) -> v1::StateChange {
    v1::StateChange {
        state: state(change.state).into(),
        previous: change.previous.map_or(v1::TaskState::Unspecified, state).into(),
        reason: change.reason.map_or(v1::Reason::Unspecified, reason).into(),
        kubernetes_reason: clip(&change.kubernetes_reason, MAX_WORD).to_owned(),
        kubernetes_message: clip(&change.kubernetes_message, MAX_MESSAGE).to_owned(),
        node_name: change.node.clone().unwrap_or_default(),
        queue_position: None,
    }
}

fn container_change(change: &ContainerChange) -> v1::ContainerChange {
    use v1::container_change::State as Out;
    let phase = match &change.phase {
        ContainerPhase::Waiting { reason, message, .. } => Out::Waiting(waiting(reason, message)),
        ContainerPhase::Running { started } => Out::Running(running(*started)),
        ContainerPhase::Terminated(end) => Out::Terminated(terminated(end, None)),
    };
    v1::ContainerChange {
        container: change.container.clone(),
        role: role(change.kind).into(),
        restart: change.restart,
        state: Some(phase),
    }
}

fn notice(notice: &Notice) -> v1::PodNotice {
    let is_ours = notice.source == OURS;
    let kind = match notice.reason.as_str() {
        "SecondStart" if is_ours => v1::NoticeKind::SecondStart,
        "ChildOOMKilled" if is_ours => v1::NoticeKind::ChildOomKilled,
        _ if is_ours => v1::NoticeKind::Unspecified,
        _ => v1::NoticeKind::KubernetesEvent,
    };
    let severity = match notice.severity {
        Severity::Normal => v1::NoticeSeverity::Normal,
        Severity::Warning => v1::NoticeSeverity::Warning,
    };
    v1::PodNotice {
        kind: kind.into(),
        severity: severity.into(),
        reason: clip(&notice.reason, MAX_WORD).to_owned(),
        message: clip(&notice.message, MAX_MESSAGE).to_owned(),
        component: if is_ours { String::new() } else { notice.source.clone() },
        container: notice.container.clone().unwrap_or_default(),
        count: notice.count.max(1),
        first_time: notice.first.map(timestamp),
    }
}

#[cfg(test)]
#[path = "encode_event_tests.rs"]
mod tests;
