use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use super::*;
use crate::executor::{ContainerDelivery, GapCause, LogGap};
use crate::logs::{Chunk, Delivery, FirstRead, TruncatedCause, UnverifiedCause, Verdict};
use crate::task::observation::{Role, Terminated};
use crate::task::{Reason, State, TaskEvent};

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn encoded(body: StreamBody) -> v1::Event {
    let stream_event = StreamEvent {
        cursor: Bytes::from_static(b"c"),
        sequence: 4,
        uid: "uid".into(),
        occurred: Some(time("2025-01-01T00:00:00.5Z")),
        observed: time("2025-01-01T00:00:01Z"),
        body,
    };
    event(&TaskKey::new("", "n", "t", 1).unwrap(), "main", "pod-uid", stream_event)
}

fn task(body: TaskEventBody) -> Body {
    let event = TaskEvent { uid: "uid".into(), occurred: None, observed: Timestamp::UNIX_EPOCH, body };
    encoded(StreamBody::Task(Arc::new(event))).body.unwrap()
}

#[test]
fn the_envelope() {
    let change = StateChange {
        state: State::Pending,
        previous: None,
        reason: Some(Reason::Unschedulable),
        kubernetes_reason: "Unschedulable".into(),
        kubernetes_message: "0/1 nodes".into(),
        node: None,
    };
    let event = TaskEvent {
        uid: "x".into(),
        occurred: None,
        observed: Timestamp::UNIX_EPOCH,
        body: TaskEventBody::State(change),
    };
    let event = encoded(StreamBody::Task(Arc::new(event)));
    let key = event.key.unwrap();
    assert_eq!((key.cluster.as_str(), key.task_id.as_str(), event.pod_uid.as_str()), ("main", "t", "pod-uid"));
    assert_eq!((&event.cursor[..], event.stream_sequence, event.event_uid.as_str()), (&b"c"[..], 4, "uid"));
    assert_eq!(event.occurred_time.unwrap().nanos, 500_000_000);
    assert!(event.observed_time.is_some() && !event.redelivered);
    let Some(Body::StateChange(change)) = event.body else { panic!("{:?}", event.body) };
    assert_eq!(
        (change.state(), change.previous(), change.reason()),
        (v1::TaskState::Pending, v1::TaskState::Unspecified, v1::Reason::Unschedulable)
    );
    assert_eq!(
        (change.kubernetes_reason.as_str(), change.kubernetes_message.as_str(), change.node_name.as_str()),
        ("Unschedulable", "0/1 nodes", "")
    );
}

#[test]
fn container_changes() {
    let end = Terminated {
        code: 3,
        signal: None,
        reason: "Error".into(),
        message: String::new(),
        started: None,
        finished: None,
    };
    let started = Some(time("2025-01-01T00:00:00Z"));
    for phase in [
        ContainerPhase::Waiting { reason: "ImagePullBackOff".into(), message: "m".into(), classified: None },
        ContainerPhase::Running { started },
        ContainerPhase::Terminated(end),
    ] {
        let rank = phase.rank();
        let change = ContainerChange { container: "a".into(), kind: Role::Sidecar, restart: 2, phase, image_id: None };
        let Body::ContainerChange(change) = task(TaskEventBody::Container(change)) else { panic!() };
        assert_eq!((change.container.as_str(), change.role(), change.restart), ("a", v1::ContainerRole::Sidecar, 2));
        match change.state.unwrap() {
            v1::container_change::State::Waiting(w) => assert_eq!((rank, w.reason.as_str()), (1, "ImagePullBackOff")),
            v1::container_change::State::Running(r) => assert_eq!((rank, r.started_time.is_some()), (2, true)),
            v1::container_change::State::Terminated(t) => assert_eq!((rank, t.exit_code), (3, Some(3))),
        }
    }
}

#[test]
fn notices() {
    for (source, reason, kind, component) in [
        ("kubelet", "Pulling", v1::NoticeKind::KubernetesEvent, "kubelet"),
        ("kubelet", "SecondStart", v1::NoticeKind::KubernetesEvent, "kubelet"),
        ("podlaunch", "SecondStart", v1::NoticeKind::SecondStart, ""),
        ("podlaunch", "ChildOOMKilled", v1::NoticeKind::ChildOomKilled, ""),
    ] {
        let notice = Notice {
            reason: reason.into(),
            message: "m".into(),
            severity: Severity::Warning,
            first: None,
            count: 0,
            container: Some("main".into()),
            source: source.into(),
            version: 1,
        };
        let Body::Notice(notice) = task(TaskEventBody::Notice(notice)) else { panic!() };
        assert_eq!((notice.kind(), notice.component.as_str(), notice.count), (kind, component, 1), "{reason}");
        assert_eq!((notice.severity(), notice.container.as_str()), (v1::NoticeSeverity::Warning, "main"));
    }
}

fn chunk(data: &'static [u8], line_ends: &[u32]) -> v1::LogChunk {
    let chunk = Chunk {
        data: Bytes::from_static(data),
        line_ends: line_ends.to_vec(),
        first_stamp: time("2025-01-01T00:00:00.000000001Z"),
        deltas: vec![-5, 7],
        first_line: Some(9),
        continues: false,
    };
    match encoded(StreamBody::Chunk { container: "a".into(), restart: 1, chunk }).body {
        Some(Body::LogChunk(chunk)) => chunk,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_chunk_lists_only_lines_that_have_their_newline() {
    for (data, ends, listed) in [
        (&b"a\nb\n"[..], &[2, 4][..], &[2, 4][..]),
        (b"a\nb", &[2, 3], &[2]),
        (b"a\nb", &[2], &[2]),
        (b"", &[0], &[]),
        (b"abc", &[], &[]),
    ] {
        let chunk = chunk(data, ends);
        assert_eq!((&chunk.data[..], &chunk.line_ends[..]), (data, listed));
    }
    let chunk = chunk(b"a\n", &[2]);
    assert_eq!((chunk.container.as_str(), chunk.restart, chunk.stream()), ("a", 1, v1::LogStream::Unspecified));
    assert_eq!((chunk.first_line, &chunk.time_deltas[..], chunk.continues), (Some(9), &[-5, 7][..], false));
    assert_eq!(chunk.first_time.unwrap().nanos, 1);
}

#[test]
fn gaps() {
    for (cause, expected) in
        [(GapCause::Rotated, v1::LogLossCause::Rotated), (GapCause::Restarted, v1::LogLossCause::Restarted)]
    {
        let after = Some(time("2025-01-01T00:00:00Z"));
        let body = StreamBody::Gap { container: "a".into(), restart: 3, gap: LogGap { cause, after } };
        let Some(Body::LogGap(gap)) = encoded(body).body else { panic!() };
        assert_eq!((gap.cause(), gap.restart, gap.lines, gap.after_time.is_some()), (expected, 3, None, true));
    }
}

#[test]
fn verdicts() {
    use v1::DeliveryVerdict as V;
    use v1::LogLossCause as C;
    for (verdict, expected, cause) in [
        (Verdict::Complete, V::Complete, C::Unspecified),
        (Verdict::NotRequested, V::NotRequested, C::Unspecified),
        (Verdict::Unverified(UnverifiedCause::Rotated), V::Unverified, C::Rotated),
        (Verdict::Unverified(UnverifiedCause::PodDeleted), V::Unverified, C::PodDeleted),
        (Verdict::Truncated(TruncatedCause::DrainTimeout), V::Truncated, C::WaitExceeded),
        (Verdict::Truncated(TruncatedCause::NodeUnreachable), V::Truncated, C::NodeUnreachable),
        (Verdict::Truncated(TruncatedCause::PodGone), V::Truncated, C::PodDeleted),
        (Verdict::Truncated(TruncatedCause::LogRemoved), V::Truncated, C::ContainerRemoved),
        (Verdict::Truncated(TruncatedCause::Refused), V::Truncated, C::Forbidden),
        (Verdict::Truncated(TruncatedCause::Restarted), V::Truncated, C::Restarted),
    ] {
        let delivery = Delivery {
            verdict,
            lines: 3,
            bytes: 40,
            gaps: u64::MAX,
            ended_mid_line: true,
            first_read_opened: Some(FirstRead::WhileRunning),
        };
        let end = ContainerDelivery { container: "a".into(), restart: 1, delivery: Some(delivery) };
        let Some(Body::LogEnd(end)) = encoded(StreamBody::LogEnd(end)).body else { panic!() };
        let delivery = end.delivery.unwrap();
        assert_eq!((delivery.verdict(), delivery.cause()), (expected, cause));
        assert_eq!((delivery.lines, delivery.bytes, delivery.gaps), (3, 40, u32::MAX));
        assert_eq!((delivery.ended_mid_line, delivery.first_read()), (true, v1::FirstRead::WhileRunning));
        assert_eq!((end.container.as_str(), delivery.restart), ("a", 1));
    }
    let end = ContainerDelivery { container: "a".into(), restart: 0, delivery: None };
    let unknown = encode_log::container_delivery(&end);
    assert_eq!((unknown.verdict(), unknown.cause(), unknown.lines), (V::Unverified, C::Unknown, 0));
}
