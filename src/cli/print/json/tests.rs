//! Golden lines: the shapes that programs read.

use bytes::Bytes;
use serde_json::{Value, json};

use super::*;
use v1::event::Body;

fn value(value: &impl Serialize) -> Value {
    let line = line(value);
    assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1, "one line");
    serde_json::from_slice(&line).expect("JSON")
}

fn event(body: Body) -> Value {
    let event = v1::Event {
        key: Some(v1::TaskKey {
            cluster: "here".to_owned(),
            namespace: "default".to_owned(),
            task_id: "hello".to_owned(),
            attempt: 2,
        }),
        pod_uid: "u".to_owned(),
        cursor: Bytes::from_static(&[0xfb, 0xff]),
        stream_sequence: 3,
        event_uid: "e".to_owned(),
        occurred_time: Some(prost_types::Timestamp { seconds: 1_795_413_600, nanos: 0 }),
        body: Some(body),
        ..Default::default()
    };
    value(&EventJson::of(&event).expect("a known body"))
}

#[test]
fn a_state_change() {
    let change = v1::StateChange {
        state: v1::TaskState::Pending.into(),
        previous: v1::TaskState::Pending.into(),
        reason: v1::Reason::Unschedulable.into(),
        kubernetes_reason: "Unschedulable".to_owned(),
        kubernetes_message: "0/1 nodes".to_owned(),
        ..Default::default()
    };
    assert_eq!(
        event(Body::StateChange(change)),
        json!({
            "type": "state_change",
            "key": {"cluster": "here", "namespace": "default", "task_id": "hello", "attempt": 2},
            "state": "PENDING",
            "previous": "PENDING",
            "reason": "UNSCHEDULABLE",
            "kubernetes_reason": "Unschedulable",
            "kubernetes_message": "0/1 nodes",
            "occurred_time": "2026-11-23T06:00:00Z",
            "pod_uid": "u",
            "event_uid": "e",
            "stream_sequence": 3,
            "cursor": "+/8=",
        })
    );
}

#[test]
fn a_log_chunk_is_text_or_base64() {
    let chunk = |data: &'static [u8]| {
        event(Body::LogChunk(v1::LogChunk {
            container: "main".to_owned(),
            first_line: Some(7),
            data: Bytes::from_static(data),
            line_ends: vec![2],
            ..Default::default()
        }))
    };
    let text = chunk("é\n\u{0}\u{2028}".as_bytes());
    assert_eq!(text["type"], "log_chunk");
    assert_eq!(text["text"], "é\n\u{0}\u{2028}");
    assert_eq!(text["first_line"], 7);
    assert_eq!(text["line_ends"], json!([2]));
    assert!(text.get("base64").is_none());
    let bytes = chunk(b"\xff\n");
    assert_eq!(bytes["base64"], "/wo=");
    assert!(bytes.get("text").is_none());
}

#[test]
fn a_termination() {
    let end = v1::Termination {
        outcome: Some(v1::Outcome {
            state: v1::TaskState::Failed.into(),
            reason: v1::Reason::OomKilled.into(),
            reason_version: 1,
            exit_code: Some(137),
            oom_killed: true,
            termination_message: Bytes::from_static(b"bye"),
            stop: Some(v1::StopInfo {
                cause: v1::StopCause::Cancel.into(),
                grace: Some(prost_types::Duration { seconds: 1, nanos: 500_000_000 }),
                ..Default::default()
            }),
            ..Default::default()
        }),
        delivery: Some(v1::Delivery {
            containers: vec![v1::ContainerDelivery {
                container: "main".to_owned(),
                verdict: v1::DeliveryVerdict::Truncated.into(),
                cause: v1::LogLossCause::Rotated.into(),
                lines: 5,
                ..Default::default()
            }],
        }),
    };
    let json = event(Body::Termination(Box::new(end)));
    assert_eq!(json["type"], "termination");
    assert_eq!(
        json["outcome"],
        json!({
            "state": "FAILED",
            "reason": "OOM_KILLED",
            "reason_version": 1,
            "exit_code": 137,
            "oom_killed": true,
            "termination_message": {"text": "bye"},
            "stop": {"cause": "CANCEL", "grace_seconds": 1.5},
        })
    );
    assert_eq!(json["delivery"][0]["verdict"], "TRUNCATED");
    assert_eq!(json["delivery"][0]["cause"], "ROTATED");
}

#[test]
fn the_other_bodies_say_their_type() {
    let running = v1::container_change::State::Running(v1::ContainerRunning::default());
    let bodies = [
        (Body::ContainerChange(v1::ContainerChange { state: Some(running), ..Default::default() }), "container_change"),
        (Body::LogGap(v1::LogGap::default()), "log_gap"),
        (Body::LogEnd(v1::LogEnd::default()), "log_end"),
        (Body::Notice(v1::PodNotice::default()), "notice"),
    ];
    for (body, name) in bodies {
        let json = event(body);
        assert_eq!(json["type"], name);
        if name == "container_change" {
            assert_eq!(json["running"], json!({}));
        }
    }
    let newer = v1::Event::default();
    assert!(EventJson::of(&newer).is_none());
}

#[test]
fn a_dry_run_holds_the_pod_as_json() {
    let validated = |pod_json: &str| {
        value(&ValidatedJson::of(&v1::Validated { pod_json: pod_json.to_owned(), ..Default::default() }))
    };
    assert_eq!(validated("{\n \"a\": 1\n}")["pod"], json!({"a": 1}));
    assert!(validated("no JSON").get("pod").is_none());
    assert_eq!(pretty("{\"a\":1}"), "{\n  \"a\": 1\n}\n");
    assert_eq!(pretty("no JSON"), "no JSON");
}

#[test]
fn a_task_and_a_server() {
    let task = v1::Task {
        state: v1::TaskState::Running.into(),
        labels: [("a".to_owned(), "b".to_owned())].into(),
        containers: vec![v1::ContainerStatus {
            name: "main".to_owned(),
            role: v1::ContainerRole::Primary.into(),
            ..Default::default()
        }],
        ..Default::default()
    };
    assert_eq!(
        value(&TaskJson::of(&task)),
        json!({
            "state": "RUNNING",
            "labels": {"a": "b"},
            "containers": [{"name": "main", "role": "PRIMARY", "restart": 0}],
        })
    );
    let info = v1::GetServerInfoResponse {
        version: "0.1.0".to_owned(),
        features: vec![v1::Feature {
            name: "launch".to_owned(),
            state: v1::FeatureState::Available.into(),
            ..Default::default()
        }],
        ..Default::default()
    };
    let json = value(&InfoJson::of(&info));
    assert_eq!(json["features"], json!([{"name": "launch", "state": "AVAILABLE"}]));
}
