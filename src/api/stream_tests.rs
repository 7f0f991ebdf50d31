use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::*;
use crate::task::event::{StateChange, TaskEvent, TaskEventBody};
use crate::task::observation::StoredOutcome;

type Item = Result<StreamItem, ExecError>;

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn event(body: StreamBody) -> Item {
    let observed = Timestamp::UNIX_EPOCH;
    let event = StreamEvent {
        cursor: Bytes::from_static(b"c"),
        sequence: 1,
        uid: String::new(),
        occurred: None,
        observed,
        body,
    };
    Ok(StreamItem::Event(Box::new(event)))
}

fn change() -> Item {
    let change = StateChange {
        state: State::Running,
        previous: None,
        reason: None,
        kubernetes_reason: String::new(),
        kubernetes_message: String::new(),
        node: None,
    };
    let body = TaskEventBody::State(change);
    event(StreamBody::Task(Arc::new(TaskEvent {
        uid: String::new(),
        occurred: None,
        observed: Timestamp::UNIX_EPOCH,
        body,
    })))
}

fn termination() -> Item {
    let text = r#"{"state":"SUCCEEDED","reason":"COMPLETED","reason_version":1,"origin":"USER","retry_advice":"NONE",
        "certainty":"OBSERVED","times":{},"pod":{"name":"p","uid":"u","resource_version":1}}"#;
    let outcome = serde_json::from_str(text).unwrap();
    let outcome = Arc::new(StoredOutcome { outcome, text: text.into() });
    event(StreamBody::Termination { outcome, delivery: Vec::new() })
}

fn about() -> About {
    About {
        key: TaskKey::new("", "n", "t", 1).unwrap(),
        cluster: "main".into(),
        pod_uid: "u".into(),
        state: Box::new(|| State::Running),
        context: Context::default(),
        span: Span::none(),
    }
}

fn replies<M: Reply + Unpin>(items: Vec<Item>) -> Vec<Result<M, Status>> {
    let replies = Replies::of(M::accepted(v1::Accepted::default()), stream::iter(items), about());
    block_on(replies.collect())
}

fn name(reply: &Result<v1::AttachTaskResponse, Status>) -> String {
    use v1::attach_task_response::Message;
    match reply {
        Ok(reply) => match reply.message.as_ref().unwrap() {
            Message::Accepted(_) => "accepted".into(),
            Message::Event(event) if matches!(event.body, Some(v1::event::Body::Termination(_))) => {
                "termination".into()
            }
            Message::Event(_) => "event".into(),
            Message::EndOfAvailable(_) => "end".into(),
            Message::Draining(_) => "draining".into(),
        },
        Err(status) => status.get_details_error_info().unwrap().reason,
    }
}

#[test]
fn how_streams_end() {
    let end = || Ok(StreamItem::EndOfAvailable { cursor: Bytes::from_static(b"c") });
    let table: Vec<(Vec<Item>, &[&str])> = vec![
        (vec![change(), termination()], &["accepted", "event", "termination"]),
        // Nothing comes after the Termination, whatever the executor says.
        (vec![termination(), end(), change()], &["accepted", "termination"]),
        (vec![change(), end()], &["accepted", "event", "end"]),
        (vec![Ok(StreamItem::Draining), Err(ExecError::ShuttingDown)], &["accepted", "draining", "SHUTTING_DOWN"]),
        (vec![Ok(StreamItem::Draining), termination()], &["accepted", "draining", "termination"]),
        (vec![Ok(StreamItem::Draining)], &["accepted", "draining", "SHUTTING_DOWN"]),
        // Never OK without a last word.
        (vec![change()], &["accepted", "event", "SHUTTING_DOWN"]),
        (vec![], &["accepted", "SHUTTING_DOWN"]),
        (
            vec![Err(ExecError::ReaderTooSlow(std::time::Duration::from_secs(60))), change()],
            &["accepted", "READER_TOO_SLOW"],
        ),
    ];
    for (items, expected) in table {
        let got: Vec<String> = replies(items).iter().map(name).collect();
        assert_eq!(got, expected);
    }
}

#[test]
fn the_end_of_what_is_available_has_cursor_and_state() {
    let items = vec![Ok(StreamItem::EndOfAvailable { cursor: Bytes::from_static(b"here") })];
    let last = replies::<v1::AttachTaskResponse>(items).pop().unwrap().unwrap();
    let Some(v1::attach_task_response::Message::EndOfAvailable(end)) = last.message else { panic!() };
    assert_eq!((&end.cursor[..], end.state()), (&b"here"[..], v1::TaskState::Running));
}

#[test]
fn a_launch_stream_does_not_end_before_its_termination() {
    let items = vec![Ok(StreamItem::EndOfAvailable { cursor: Bytes::new() })];
    let last = replies::<v1::LaunchTaskResponse>(items).pop().unwrap().unwrap_err();
    assert_eq!(last.code(), Code::Internal);
    let all = replies::<v1::LaunchTaskResponse>(vec![termination()]);
    assert_eq!((all.len(), all.iter().filter(|reply| reply.is_ok()).count()), (2, 2));
}

#[test]
fn one_message_and_no_more() {
    let message: v1::LaunchTaskResponse = v1::launch_task_response::Message::Validated(v1::Validated::default()).into();
    let only: Replies<_, stream::Empty<Item>> = Replies::only(message);
    let all: Vec<_> = block_on(only.collect());
    assert_eq!(all.len(), 1);
    assert!(all[0].is_ok());
}
