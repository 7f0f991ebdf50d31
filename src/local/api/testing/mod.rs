//! The server as its clients see it: raw HTTP through the router, and kube's client over it.

mod damage;
mod kinds;
mod pods;
mod watches;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use http::{Request, Response, header};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::Api;
use super::controllers::Controllers;
use crate::local::node::logs_api::{LogBody, LogQuery, LogRefusal, NodeLogs};
use crate::local::store::{Kind, Meta, Store, StoreError};

/// Logs that answer with the query they got.
struct EchoLogs;

impl NodeLogs for EchoLogs {
    fn open(&self, query: LogQuery) -> BoxFuture<'static, Result<LogBody, LogRefusal>> {
        Box::pin(async move {
            if query.container == "waiting" {
                return Err(LogRefusal::BadRequest(
                    "container \"waiting\" in pod \"p\" is waiting to start: ContainerCreating".to_owned(),
                ));
            }
            let text = format!("{} {:?} {:?}\n", query.container, query.follow, query.tail_lines);
            let body: LogBody = futures::stream::iter([Ok(Bytes::from(text))]).boxed();
            Ok(body)
        })
    }
}

/// A server of one test, with its controllers.
pub struct Server {
    pub store: Store,
    pub api: Api,
    pub stop: CancellationToken,
    _controllers: Controllers,
}

impl Server {
    pub fn new() -> Server {
        Server::with_store(Store::new())
    }

    pub fn with_store(store: Store) -> Server {
        let stop = CancellationToken::new();
        Server {
            api: Api::new(store.clone(), Arc::new(EchoLogs), stop.clone()),
            _controllers: Controllers::start(&store),
            store,
            stop,
        }
    }

    pub fn client(&self) -> kube::Client {
        kube::Client::new(self.api.router(), "default")
    }

    pub async fn send(&self, method: &str, path: &str, content_type: &str, body: String) -> Response<Body> {
        let request = Request::builder().method(method).uri(path).header(header::CONTENT_TYPE, content_type);
        let request = request.body(Body::from(body)).unwrap();
        self.api.router().oneshot(request).await.unwrap()
    }

    /// Status code and JSON body.
    pub async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        read(self.send(method, path, "application/json", text).await).await
    }

    pub async fn patch(&self, format: &str, path: &str, patch: Value) -> (u16, Value) {
        let content_type = format!("application/{format}+json");
        read(self.send("PATCH", path, &content_type, patch.to_string()).await).await
    }

    pub async fn create_pod(&self, pod: Value) -> Value {
        let (code, pod) = self.call("POST", PODS, pod).await;
        assert_eq!(code, 201, "{pod}");
        pod
    }

    /// Waits until the pod satisfies the condition.
    pub async fn pod_when(&self, name: &str, condition: impl Fn(&Value) -> bool) -> Arc<Value> {
        let mut changes = self.store.subscribe(Kind::Pod, None).unwrap();
        let wait = async {
            loop {
                match self.store.get(Kind::Pod, "default", name) {
                    Some(pod) if condition(&pod) => return pod,
                    _ => drop(changes.next().await.unwrap().unwrap()),
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), wait).await.expect("the condition was not met in time")
    }

    /// Waits until the scheduler has bound the pod.
    pub async fn bound(&self, name: &str) -> Arc<Value> {
        self.pod_when(name, |pod| pod["spec"]["nodeName"] == "local").await
    }

    /// Does what the node agent does at a pod's end.
    pub fn finish(&self, name: &str, phase: &str) -> Result<Arc<Value>, StoreError> {
        self.store.update(Kind::Pod, "default", name, |pod| {
            pod["status"]["phase"] = json!(phase);
            if pod.is_deleting() {
                pod["metadata"]["deletionGracePeriodSeconds"] = json!(0);
            }
            Ok(())
        })
    }
}

pub const PODS: &str = "/api/v1/namespaces/default/pods";

pub fn pod(name: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"app": "x"}}, "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 2,
        "containers": [{"name": "main", "image": "busybox:1", "command": ["true"]}]}})
}

/// A pod that stays unbound.
pub fn gated(name: &str) -> Value {
    let mut pod = pod(name);
    pod["spec"]["schedulingGates"] = json!([{"name": "x.io/q"}, {"name": "y.io/q"}]);
    pod["spec"]["activeDeadlineSeconds"] = json!(100);
    pod
}

pub async fn read(response: Response<Body>) -> (u16, Value) {
    let code = response.status().as_u16();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let value = serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes)));
    (code, value)
}

/// An open watch, event by event.
pub struct Events {
    body: axum::body::BodyDataStream,
    buffer: Vec<u8>,
}

impl Events {
    pub async fn open(server: &Server, path: &str) -> Events {
        let response = server.send("GET", path, "", String::new()).await;
        assert_eq!(response.status(), 200);
        Events { body: response.into_body().into_data_stream(), buffer: Vec::new() }
    }

    /// The next event, or `None` at the end.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.buffer.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            let chunk = tokio::time::timeout(Duration::from_secs(10), self.body.next());
            let chunk = chunk.await.expect("no event in time")?;
            self.buffer.extend_from_slice(&chunk.unwrap());
        }
    }

    /// The next event that is no bookmark: its type and the object's name.
    pub async fn change(&mut self) -> Option<(String, String)> {
        loop {
            let event = self.next().await?;
            if event["type"] != "BOOKMARK" {
                let name = event["object"]["metadata"]["name"].as_str().unwrap_or_default().to_owned();
                return Some((event["type"].as_str().unwrap().to_owned(), name));
            }
        }
    }
}
