//! The checks of every stream catch what they are for: streams that are wrong in one way each.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;

use crate::harness::check::{Checker, StartAt};
use crate::harness::v1::{self, TaskState, event::Body};

fn key() -> v1::TaskKey {
    v1::TaskKey { cluster: "default".to_owned(), namespace: "n".to_owned(), task_id: "t".to_owned(), attempt: 1 }
}

fn accepted() -> v1::Accepted {
    v1::Accepted {
        key: Some(key()),
        pod: Some(v1::PodRef {
            namespace: "n".to_owned(),
            name: "p".to_owned(),
            uid: "u".to_owned(),
            node_name: String::new(),
        }),
        how: v1::AcceptedHow::Created.into(),
        task: Some(v1::Task { key: Some(key()), ..Default::default() }),
        cursor: Bytes::from_static(b"c"),
        ..Default::default()
    }
}

fn event(sequence: u64, uid: &str, body: Body) -> v1::Event {
    v1::Event {
        key: Some(key()),
        pod_uid: "u".to_owned(),
        cursor: Bytes::from_static(b"c"),
        stream_sequence: sequence,
        event_uid: uid.to_owned(),
        observed_time: Some(prost_types::Timestamp::default()),
        body: Some(body),
        ..Default::default()
    }
}

fn state(state: TaskState, previous: TaskState) -> Body {
    Body::StateChange(v1::StateChange { state: state.into(), previous: previous.into(), ..Default::default() })
}

fn running() -> Body {
    Body::ContainerChange(v1::ContainerChange {
        container: "main".to_owned(),
        role: v1::ContainerRole::Primary.into(),
        state: Some(v1::container_change::State::Running(v1::ContainerRunning::default())),
        ..Default::default()
    })
}

fn chunk(first_line: u64, data: &'static [u8], line_ends: &[u32], continues: bool) -> Body {
    let begun = line_ends.len() + usize::from(line_ends.last().map_or(0, |end| *end as usize) < data.len());
    Body::LogChunk(v1::LogChunk {
        container: "main".to_owned(),
        first_line: Some(first_line),
        data: Bytes::from_static(data),
        line_ends: line_ends.to_vec(),
        first_time: Some(prost_types::Timestamp::default()),
        time_deltas: vec![0; begun - 1],
        continues,
        ..Default::default()
    })
}

fn termination(lines: u64, bytes: u64) -> Body {
    let delivery = v1::ContainerDelivery {
        container: "main".to_owned(),
        verdict: v1::DeliveryVerdict::Complete.into(),
        lines,
        bytes,
        ..Default::default()
    };
    let outcome = v1::Outcome {
        state: TaskState::Succeeded.into(),
        reason: v1::Reason::Completed.into(),
        reason_version: 1,
        origin: v1::Origin::User.into(),
        certainty: v1::Certainty::Observed.into(),
        times: Some(v1::TaskTimes {
            created_time: Some(prost_types::Timestamp::default()),
            finished_time: Some(prost_types::Timestamp::default()),
            ..Default::default()
        }),
        ..Default::default()
    };
    Body::Termination(Box::new(v1::Termination {
        outcome: Some(outcome),
        delivery: Some(v1::Delivery { containers: vec![delivery] }),
    }))
}

/// Whether the checks let these events pass.
fn passes(events: &[v1::Event]) -> bool {
    let check = || {
        let mut checker = Checker::new(StartAt::Beginning, &accepted(), None);
        events.iter().for_each(|event| checker.event(event));
    };
    catch_unwind(AssertUnwindSafe(check)).is_ok()
}

/// Numbers the bodies and gives those that need one a uid.
fn stream(bodies: Vec<Body>) -> Vec<v1::Event> {
    (1..)
        .zip(bodies)
        .map(|(number, body)| {
            let uid = match body {
                Body::LogChunk(_) => String::new(),
                _ => format!("uid-{number}"),
            };
            event(number, &uid, body)
        })
        .collect()
}

#[test]
fn a_right_stream_passes() {
    let events = stream(vec![
        state(TaskState::Pending, TaskState::Unspecified),
        state(TaskState::Unreachable, TaskState::Pending),
        state(TaskState::Pending, TaskState::Unreachable),
        state(TaskState::Running, TaskState::Pending),
        running(),
        chunk(1, b"a\nb", &[2], true),
        chunk(2, b"c\n\n", &[2, 3], false),
        termination(3, 6),
    ]);
    assert!(passes(&events));
}

#[test]
fn wrong_streams_do_not_pass() {
    let first = || state(TaskState::Running, TaskState::Unspecified);
    let cases: Vec<(&str, Vec<v1::Event>)> = vec![
        ("a hole in the sequence", vec![event(2, "a", first())]),
        ("a uid twice", vec![event(1, "a", first()), event(2, "a", running())]),
        ("no uid", vec![event(1, "", first())]),
        ("backwards", stream(vec![first(), state(TaskState::Starting, TaskState::Running)])),
        ("another previous state", stream(vec![first(), state(TaskState::Terminating, TaskState::Starting)])),
        ("into a terminal state", stream(vec![first(), state(TaskState::Failed, TaskState::Running)])),
        ("a line before the start", stream(vec![first(), chunk(1, b"a\n", &[2], false)])),
        ("a line missing", stream(vec![running(), chunk(2, b"a\n", &[2], false)])),
        ("a line twice", stream(vec![running(), chunk(1, b"a\n", &[2], false), chunk(1, b"a\n", &[2], false)])),
        ("a wrong line end", stream(vec![running(), chunk(1, b"a\nb\n", &[4], false)])),
        ("continues nothing", stream(vec![running(), chunk(1, b"a\n", &[2], true)])),
        ("a line after the last one", stream(vec![running(), chunk(1, b"a", &[], false), chunk(1, b"b", &[], false)])),
        ("after the end", stream(vec![termination(0, 0), first()])),
        ("sums of lines", stream(vec![running(), chunk(1, b"a\n", &[2], false), termination(2, 2)])),
        ("an unsaid last line", stream(vec![running(), chunk(1, b"a", &[], false), termination(1, 1)])),
        ("sums of bytes", stream(vec![running(), chunk(1, b"a\n", &[2], false), termination(1, 1)])),
    ];
    for (name, events) in cases {
        assert!(!passes(&events), "{name} passes");
    }
}
