//! The calls against an executor whose API server is a function in this process.

use std::collections::VecDeque;

use futures::StreamExt as _;
use http_body_util::BodyExt as _;
use kube::client::Body;
use serde_json::{Value, json};
use tonic::Code;
use tonic_types::StatusExt as _;

use super::*;
use crate::executor::Cluster;
use crate::executor::Settings;

const SECRET: &str = "hunter2-secret";

/// An API server that takes every pod, except that a dry run is refused with the pod's own words.
async fn answer(request: http::Request<Body>) -> Result<http::Response<Body>, std::convert::Infallible> {
    let (head, body) = request.into_parts();
    let query = head.uri.query().unwrap_or_default().to_owned();
    if query.contains("watch=") {
        return std::future::pending().await;
    }
    let sent = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let is_list = head.uri.path().ends_with("/pods") || head.uri.path().ends_with("/events");
    let (code, answer) = match head.method {
        http::Method::POST if query.contains("dryRun=All") => {
            let message = format!("Pod is invalid: spec.containers[0].env[0].value: Invalid value: {SECRET:?}: no");
            (422, json!({"kind": "Status", "status": "Failure", "reason": "Invalid", "message": message, "code": 422}))
        }
        http::Method::POST => (201, created(&sent)),
        http::Method::GET if is_list => (200, json!({"metadata": {"resourceVersion": "1"}, "items": []})),
        _ => (404, json!({"kind": "Status", "status": "Failure", "reason": "NotFound", "message": "no", "code": 404})),
    };
    let body = Body::from(answer.to_string().into_bytes());
    Ok(http::Response::builder().status(code).body(body).unwrap())
}

fn created(sent: &[u8]) -> Value {
    let mut pod: Value = serde_json::from_slice(sent).unwrap();
    pod["metadata"]["uid"] = json!("0000000a-0000-0000-0000-000000000001");
    pod["metadata"]["resourceVersion"] = json!("5");
    pod["metadata"]["creationTimestamp"] = json!("2025-01-01T00:00:00Z");
    pod["status"] = json!({"phase": "Pending"});
    pod
}

fn api() -> Api {
    let client = kube::Client::new(tower::service_fn(answer), "jobs");
    let executor = Executor::start(Cluster::from_client(client), Settings::default());
    Api::new(executor, ServerInfo { cluster: "main".into(), ..ServerInfo::default() })
}

fn key(task_id: &str, attempt: u32) -> Option<v1::TaskKey> {
    Some(v1::TaskKey { task_id: task_id.into(), attempt, ..Default::default() })
}

fn launch(task_id: &str, attempt: u32) -> v1::LaunchTaskRequest {
    let env = vec![v1::EnvVar { name: "A".into(), source: Some(v1::env_var::Source::Value(SECRET.into())) }];
    let container = v1::ContainerSpec { image: "busybox".into(), env, ..Default::default() };
    let spec = v1::TaskSpec { container: Some(container), ..Default::default() };
    v1::LaunchTaskRequest { key: key(task_id, attempt), spec: Some(spec), ..Default::default() }
}

fn reason(status: &Status) -> String {
    status.get_details_error_info().unwrap().reason
}

fn refusal<T>(result: Result<Response<T>, Status>) -> Status {
    match result {
        Ok(_) => panic!("it was not refused"),
        Err(status) => status,
    }
}

async fn accepted(api: &Api, request: v1::LaunchTaskRequest) -> v1::Accepted {
    let mut replies = api.launch_task(Request::new(request)).await.unwrap().into_inner();
    match replies.next().await.unwrap().unwrap().message {
        Some(v1::launch_task_response::Message::Accepted(accepted)) => *accepted,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_launch_creates_and_a_second_one_attaches() {
    let api = api();
    let first = accepted(&api, launch("t", 1)).await;
    assert_eq!((first.how(), first.requested_attempt), (v1::AcceptedHow::Created, 1));
    let full = v1::TaskKey { cluster: "main".into(), namespace: "jobs".into(), task_id: "t".into(), attempt: 1 };
    assert_eq!(first.key.as_ref(), Some(&full));
    let task = first.task.unwrap();
    assert_eq!((task.state(), task.fingerprint.len()), (v1::TaskState::Pending, 3 + 64));
    assert!(!first.cursor.is_empty());
    let second = accepted(&api, launch("t", 1)).await;
    assert_eq!((second.how(), second.pod), (v1::AcceptedHow::Attached, first.pod));

    let mut other = launch("t", 1);
    other.spec.as_mut().unwrap().container.as_mut().unwrap().args = vec!["x".into()];
    let status = refusal(api.launch_task(Request::new(other)).await);
    assert_eq!((status.code(), reason(&status).as_str()), (Code::AlreadyExists, "TASK_SPEC_MISMATCH"));
    let status = refusal(api.launch_task(Request::new(launch("t", 2))).await);
    assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "PREVIOUS_ATTEMPT_ACTIVE"));
    assert!(status.get_details_retry_info().is_none());
    api.executor.shutdown().await;
}

#[tokio::test]
async fn an_attach_goes_on_from_a_cursor() {
    let api = api();
    let first = accepted(&api, launch("t", 1)).await;
    accepted(&api, launch("u", 1)).await;
    let attach = |task_id: &str, start_at| {
        let request = v1::AttachTaskRequest { key: key(task_id, 0), start_at, until: 2, ..Default::default() };
        api.attach_task(Request::new(request))
    };
    let cursor = |bytes| Some(v1::attach_task_request::StartAt::Cursor(bytes));
    let replies = attach("t", cursor(first.cursor.clone())).await.unwrap().into_inner();
    let messages: VecDeque<_> = replies.map(|reply| reply.unwrap().message.unwrap()).collect().await;
    use v1::attach_task_response::Message;
    assert!(
        matches!(&messages[0], Message::Accepted(a) if a.how() == v1::AcceptedHow::Attached && a.requested_attempt == 1)
    );
    let sequences: Vec<u64> = messages
        .iter()
        .filter_map(|message| match message {
            Message::Event(event) => Some(event.stream_sequence),
            _ => None,
        })
        .collect();
    assert!(!sequences.is_empty());
    assert_eq!(sequences, (1..=sequences.len() as u64).collect::<Vec<_>>());
    let Some(Message::EndOfAvailable(end)) = messages.back() else { panic!("{messages:?}") };
    assert_eq!(end.state(), v1::TaskState::Pending);
    let again = attach("t", cursor(end.cursor.clone())).await.unwrap().into_inner();
    assert_eq!(again.count().await, 2, "what was sent does not come again");

    for (task_id, bytes, expected) in
        [("u", first.cursor.clone(), "CURSOR_FOREIGN"), ("t", bytes::Bytes::from_static(b"x"), "CURSOR_INVALID")]
    {
        let status = refusal(attach(task_id, cursor(bytes)).await);
        assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, expected));
    }
    let named = v1::LogSelection { mode: 4, containers: vec!["nobody".into()] };
    let filter = Some(v1::EventFilter { logs: Some(named), ..Default::default() });
    let request = v1::AttachTaskRequest { key: key("t", 1), filter, ..Default::default() };
    let status = refusal(api.attach_task(Request::new(request)).await);
    assert_eq!(status.get_details_bad_request().unwrap().field_violations[0].field, "filter.logs.containers[0]");
    api.executor.shutdown().await;
}

#[tokio::test]
async fn a_refused_pod_shows_no_literal_of_the_request() {
    let api = api();
    let request = v1::LaunchTaskRequest { validate_only: true, ..launch("t", 1) };
    let status = refusal(api.launch_task(Request::new(request)).await);
    assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "SPEC_REJECTED"));
    assert!(status.message().contains("***") && !status.message().contains(SECRET), "{}", status.message());
    assert!(!String::from_utf8_lossy(status.details()).contains(SECRET));
    api.executor.shutdown().await;
}

#[tokio::test]
async fn what_is_not_there_is_said_with_reason_and_key() {
    let api = api();
    let status = refusal(api.get_task(Request::new(v1::GetTaskRequest { key: key("none", 3) })).await);
    assert_eq!((status.code(), reason(&status).as_str()), (Code::NotFound, "TASK_UNKNOWN"));
    let info = status.get_details_error_info().unwrap();
    assert_eq!((info.metadata["task_id"].as_str(), info.metadata["attempt"].as_str()), ("none", "3"));
    let cancel = v1::CancelTaskRequest { key: key("none", 0), ..Default::default() };
    assert_eq!(reason(&refusal(api.cancel_task(Request::new(cancel)).await)), "TASK_UNKNOWN");
    let status = refusal(api.launch_task(Request::new(v1::LaunchTaskRequest::default())).await);
    assert_eq!(status.get_details_bad_request().unwrap().field_violations.len(), 2);
    let status = refusal(api.watch_tasks(Request::new(v1::WatchTasksRequest::default())).await);
    assert_eq!((status.code(), reason(&status).as_str()), (Code::Unimplemented, "FEATURE_UNAVAILABLE"));
    assert_eq!(status.get_details_error_info().unwrap().metadata["feature"], "watch_tasks");
    api.executor.shutdown().await;
}

#[tokio::test]
async fn server_info_tells_what_this_is() {
    let api = api();
    let info = api.get_server_info(Request::new(v1::GetServerInfoRequest {})).await.unwrap().into_inner();
    assert_eq!((info.instance.as_str(), info.version.as_str()), ("default", env!("CARGO_PKG_VERSION")));
    assert_eq!((info.clusters[0].name.as_str(), info.clusters[0].default_namespace.as_str()), ("main", "jobs"));
    assert_eq!(info.clusters[0].deletion_coverage(), v1::DeletionCoverage::WhileWatching);
    let states: Vec<_> =
        info.features.iter().filter(|f| f.name == "launch" || f.name == "archive").map(v1::Feature::state).collect();
    assert_eq!(states, [v1::FeatureState::Available, v1::FeatureState::Absent]);
    api.executor.shutdown().await;
}
