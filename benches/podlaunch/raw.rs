//! A client of the Kubernetes API that does only what is measured: no cache, no table, no retry.
//!
//! One HTTP/2 connection, as podlaunch has for its own calls, so that the protocol is not the difference.

use std::path::Path;

use anyhow::{Context, bail};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::{Body, Client, ConfigExt};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::{Value, json};
use tower::ServiceBuilder;

use crate::workload::CONTAINER;

const ANNOTATION: &str = "/metadata/annotations/bench.podlaunch.dev~1outcome";

/// A body as it arrives.
pub type Chunks = BoxStream<'static, anyhow::Result<Bytes>>;

/// What became of a patch under a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patched {
    /// It is stored.
    Applied,
    /// The pod had changed meanwhile.
    TestFailed,
}

/// A connection to one namespace.
#[derive(Clone)]
pub struct Raw {
    client: Client,
    namespace: String,
}

impl Raw {
    /// A connection of its own; nothing is sent yet.
    pub async fn connect(kubeconfig: &Path, namespace: &str) -> anyhow::Result<Raw> {
        let file = Kubeconfig::read_from(kubeconfig).with_context(|| format!("{}", kubeconfig.display()))?;
        let config = kube::Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
        Ok(Raw { client: http2(&config)?, namespace: namespace.to_owned() })
    }

    /// Makes the namespace.
    pub async fn create_namespace(&self) -> anyhow::Result<()> {
        let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}});
        self.expect(Method::POST, "/api/v1/namespaces", &body).await.map(drop)
    }

    /// Asks for the namespace to be removed with all that is in it.
    pub async fn delete_namespace(&self) -> anyhow::Result<()> {
        let path = format!("/api/v1/namespaces/{}", self.namespace);
        self.expect(Method::DELETE, &path, &json!({})).await.map(drop)
    }

    /// Whether a pod would be admitted.
    pub async fn admits(&self, pod: &Value) -> anyhow::Result<StatusCode> {
        let (status, _) = self.exchange(Method::POST, &format!("{}?dryRun=All", self.pods()), pod).await?;
        Ok(status)
    }

    /// POST of a pod.
    pub async fn create(&self, pod: &Value) -> anyhow::Result<()> {
        self.expect(Method::POST, &self.pods(), pod).await.map(drop)
    }

    /// DELETE with grace 0; a pod that is gone is fine.
    pub async fn delete(&self, name: &str) -> anyhow::Result<()> {
        let path = format!("{}/{name}", self.pods());
        let (status, body) = self.exchange(Method::DELETE, &path, &json!({"gracePeriodSeconds": 0})).await?;
        if status.is_success() || status == StatusCode::NOT_FOUND {
            return Ok(());
        }
        bail!("DELETE {path}: {status} {}", text(&body))
    }

    /// The last record of the container's log.
    pub async fn last_line(&self, name: &str) -> anyhow::Result<Bytes> {
        let path = format!("{}/{name}/log?container={CONTAINER}&timestamps=true&tailLines=1", self.pods());
        self.expect(Method::GET, &path, &Value::Null).await
    }

    /// The container's log.
    pub async fn whole_log(&self, name: &str) -> anyhow::Result<Bytes> {
        let path = format!("{}/{name}/log?container={CONTAINER}&timestamps=true", self.pods());
        self.expect(Method::GET, &path, &Value::Null).await
    }

    /// Stores an annotation if the pod still is at `version`.
    pub async fn annotate(&self, name: &str, version: &str, value: &str) -> anyhow::Result<Patched> {
        let path = format!("{}/{name}", self.pods());
        let patch = json!([
            {"op": "test", "path": "/metadata/resourceVersion", "value": version},
            {"op": "add", "path": ANNOTATION, "value": value},
        ]);
        let (status, body) = self.exchange(Method::PATCH, &path, &patch).await?;
        match status {
            status if status.is_success() => Ok(Patched::Applied),
            StatusCode::UNPROCESSABLE_ENTITY | StatusCode::CONFLICT => Ok(Patched::TestFailed),
            status => bail!("PATCH {path}: {status} {}", text(&body)),
        }
    }

    /// The resourceVersion a pod has now.
    pub async fn version(&self, name: &str) -> anyhow::Result<String> {
        let pod = self.expect(Method::GET, &format!("{}/{name}", self.pods()), &Value::Null).await?;
        version_of(&pod)
    }

    /// Follows the container's log from its first line on.
    pub async fn follow(&self, name: &str) -> anyhow::Result<Chunks> {
        self.open(&format!("{}/{name}/log?container={CONTAINER}&timestamps=true&follow=true", self.pods())).await
    }

    /// The resourceVersion from which a watch goes on after now.
    pub async fn list_version(&self) -> anyhow::Result<String> {
        let list = self.expect(Method::GET, &format!("{}?limit=1", self.pods()), &Value::Null).await?;
        version_of(&list)
    }

    /// Watches the pods that a label selector names (all: an empty one) from a version on.
    pub async fn watch(&self, labels: &str, version: &str) -> anyhow::Result<Chunks> {
        let query = format!("watch=true&timeoutSeconds=3600&resourceVersion={version}&labelSelector={labels}");
        self.open(&format!("{}?{query}", self.pods())).await
    }

    fn pods(&self) -> String {
        format!("/api/v1/namespaces/{}/pods", self.namespace)
    }

    async fn open(&self, path: &str) -> anyhow::Result<Chunks> {
        let answer = self.send(Method::GET, path, &Value::Null).await?;
        let status = answer.status();
        if status != StatusCode::OK {
            let body = answer.into_body().collect().await?.to_bytes();
            bail!("GET {path}: {status} {}", text(&body));
        }
        Ok(answer.into_body().into_data_stream().map(|chunk| chunk.context("the body broke")).boxed())
    }

    async fn expect(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Bytes> {
        let (status, answer) = self.exchange(method.clone(), path, body).await?;
        if !status.is_success() {
            bail!("{method} {path}: {status} {}", text(&answer));
        }
        Ok(answer)
    }

    async fn exchange(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<(StatusCode, Bytes)> {
        let answer = self.send(method, path, body).await?;
        let status = answer.status();
        Ok((status, answer.into_body().collect().await?.to_bytes()))
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Response<Body>> {
        let content = if method == Method::PATCH { "application/json-patch+json" } else { "application/json" };
        let mut request = Request::builder().method(&method).uri(path);
        let body = match body {
            Value::Null => Body::empty(),
            body => {
                request = request.header(http::header::CONTENT_TYPE, content);
                Body::from(serde_json::to_vec(body)?)
            }
        };
        self.client.send(request.body(body)?).await.with_context(|| format!("{method} {path}"))
    }
}

fn version_of(object: &[u8]) -> anyhow::Result<String> {
    let object: Value = serde_json::from_slice(object)?;
    let version = object["metadata"]["resourceVersion"].as_str().context("an object without resourceVersion")?;
    Ok(version.to_owned())
}

fn text(body: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(body)
}

fn http2(config: &kube::Config) -> anyhow::Result<Client> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    let https = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(config.rustls_client_config()?)
        .https_or_http()
        .enable_http1()
        .enable_http2()
        .wrap_connector(tcp);
    let hyper = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .build(https);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(tower::BoxError::from)
        .service(hyper);
    Ok(Client::new(service, config.default_namespace.clone()))
}
