//! What stands around the calls: server info, health, reflection.

use futures::StreamExt as _;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::harness::failure::failure;
use crate::harness::server::{Server, unique_instance};
use crate::harness::spec::{duration, sh, until_stopped};
use crate::harness::v1::AttachTaskRequest;
use crate::harness::{run, wait};

const SERVICE: &str = "podlaunch.v1.PodlaunchService";

#[test]
fn server_info() {
    run(async |t| {
        let info = t.info().await;
        assert_eq!(info.version, env!("CARGO_PKG_VERSION"));
        assert_eq!(info.instance, Server::shared().instance);
        assert!(info.time.is_some());
        assert!(info.reason_version >= 1);
        let window = info.idempotency_window.as_ref().map(duration);
        assert_eq!(window.map(|window| window.as_secs()), Some(3600));
        assert_eq!(info.clusters.len(), 1);
        let cluster = &info.clusters[0];
        assert!(!cluster.name.is_empty());
        assert!(cluster.scopes.iter().any(|scope| scope.fresh), "{cluster:?}");
        let limits = info.limits.expect("limits are set");
        assert_eq!(limits.max_request_bytes, 1 << 20);
        assert_eq!(limits.max_manifest_bytes, 512 << 10);
        assert_eq!(limits.max_chunk_bytes, 64 << 10);
        assert!(limits.log_wait.is_some() && limits.stall_limit.is_some(), "{limits:?}");
    });
}

/// A stream beyond the limit is refused before anything is made, and finds a place when another has ended.
#[test]
fn more_streams_than_there_are_places_for() {
    run(async |t| {
        let server = Server::start_with(&unique_instance(), &["--max-streams", "1"]);
        let podlaunch = server.connect().await;
        let first = podlaunch.launch(t.request("first", until_stopped("exit 0"))).await.expect("accepted");
        let refused = failure(podlaunch.launch(t.request("second", sh("true"))).await);
        refused.expect(Code::ResourceExhausted, "LIMIT_EXCEEDED");
        assert_eq!(refused.metadata.get("limit").map(String::as_str), Some("max_streams"), "{refused}");
        let key = first.seen.key();
        let attach = AttachTaskRequest { key: Some(key.clone()), ..Default::default() };
        failure(podlaunch.attach(attach).await).expect(Code::ResourceExhausted, "LIMIT_EXCEEDED");
        assert_eq!(t.cluster.list_pods().await.len(), 1);
        podlaunch.cancel(key, "").await.expect("it can be cancelled");
        first.collect().await;
        let second = wait::until("a place", async || podlaunch.launch(t.request("second", sh("true"))).await).await;
        second.collect().await.assert_succeeded(b"");
    });
}

#[test]
fn health() {
    run(async |_| {
        let mut health = HealthClient::new(Server::shared().channel().await);
        for service in ["", SERVICE] {
            let request = HealthCheckRequest { service: service.to_owned() };
            let answer = health.check(request).await.expect("it answers").into_inner();
            assert_eq!(answer.status(), ServingStatus::Serving, "{service:?}");
        }
        let request = HealthCheckRequest { service: "no.such.Service".to_owned() };
        let error = health.check(request).await.expect_err("an unknown service");
        assert_eq!(error.code(), Code::NotFound);
    });
}

#[test]
fn reflection() {
    run(async |_| {
        let mut reflection = ServerReflectionClient::new(Server::shared().channel().await);
        let request = |message| ServerReflectionRequest { host: String::new(), message_request: Some(message) };
        let requests = [
            request(MessageRequest::ListServices(String::new())),
            request(MessageRequest::FileContainingSymbol(SERVICE.to_owned())),
        ];
        let answers = reflection.server_reflection_info(tokio_stream::iter(requests)).await;
        let mut answers = answers.expect("reflection is served").into_inner();
        let mut next = async || {
            let answer = wait::guarded("an answer", answers.next()).await.expect("an answer");
            answer.expect("no error").message_response.expect("a message")
        };
        let MessageResponse::ListServicesResponse(list) = next().await else {
            panic!("no list of services");
        };
        let names: Vec<&str> = list.service.iter().map(|service| service.name.as_str()).collect();
        assert!(names.contains(&SERVICE), "{names:?}");
        let MessageResponse::FileDescriptorResponse(files) = next().await else {
            panic!("no descriptor");
        };
        assert!(!files.file_descriptor_proto.is_empty());
    });
}
