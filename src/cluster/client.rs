//! Connections to the API server.
//!
//! kube's own client speaks HTTP/1.1 and sets no keep-alive; here each connection is HTTP/2 (by
//! ALPN, HTTP/1.1 where a proxy offers no more) with pings, so that a silently dropped peer is
//! noticed. Log follows have connections of their own: the API server admits 100 streams on one,
//! and a full one would block every other call.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use hyper_rustls::FixedServerNameResolver;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::{Body, Client, ConfigExt};
use kube::config::{KubeConfigOptions, Kubeconfig};
use parking_lot::Mutex;
use rustls::pki_types::ServerName;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::ServiceBuilder;

use super::answer::ApiFailure;
use crate::task::Instance;

/// Longest wait for the head of any answer but a watch's or a follow's.
pub(super) const UNARY_TIMEOUT: Duration = Duration::from_secs(20);
/// Streams on one log connection; kube-apiserver's limit is 100.
const STREAMS_PER_CONNECTION: usize = 90;
/// Most log connections, so most open follows are 90 times this.
const MAX_LOG_CONNECTIONS: usize = 256;
/// Largest answer read into memory (a pod is at most 1.5 MiB in etcd).
const MAX_ANSWER: usize = 8 << 20;
/// Receive window of one stream: what a stalled follow may hold here.
const STREAM_WINDOW: u32 = 256 << 10;
/// Receive window of a connection: more than its streams' together, so that none starves another.
const CONNECTION_WINDOW: u32 = 32 << 20;
/// How soon a silent peer is noticed.
#[derive(Debug, Clone, Copy)]
struct Pings {
    every: Duration,
    timeout: Duration,
}

const PINGS: Pings = Pings { every: Duration::from_secs(20), timeout: Duration::from_secs(10) };
/// Of the watches a launch or the keeper relies on: silence is noticed within 8 s, less than the 10 s for which a
/// record is there before its pod's name is free.
const ALERT_PINGS: Pings = Pings { every: Duration::from_secs(4), timeout: Duration::from_secs(4) };

/// Where the cluster is.
#[derive(Debug, Clone, Default)]
pub struct ClusterConfig {
    /// A kubeconfig file; else `KUBECONFIG`, `~/.kube/config`, the in-cluster account.
    pub kubeconfig: Option<PathBuf>,
    /// A context of the kubeconfig; else its current one.
    pub context: Option<String>,
    /// The instance, for the user agent: the API server's audit log then tells whose requests are whose.
    pub instance: Instance,
}

/// Why no connection could be set up.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The kubeconfig cannot be read or used.
    #[error("the kubeconfig {path} cannot be used")]
    Kubeconfig {
        /// Its path.
        path: String,
        /// Why.
        #[source]
        source: kube::config::KubeconfigError,
    },
    /// Neither a kubeconfig nor an in-cluster account.
    #[error(
        "no cluster is configured: set --kubeconfig or KUBECONFIG, run inside a cluster, or use --local for the embedded one"
    )]
    NotConfigured(#[source] kube::config::InferConfigError),
    /// Credentials or certificates do not work together.
    #[error("the credentials of the cluster configuration cannot be used")]
    Credentials(#[source] kube::Error),
    /// `tls-server-name` is no name of a host.
    #[error("tls-server-name {0:?} of the kubeconfig is no DNS name or IP address")]
    ServerName(String, #[source] rustls::pki_types::InvalidDnsNameError),
}

/// A connection to one cluster. Cheap to clone.
#[derive(Clone)]
pub struct Cluster {
    unary: Client,
    alert: Client,
    pool: Arc<LogPool>,
    default_namespace: String,
}

impl Cluster {
    /// Connects as configured; nothing is sent yet.
    pub async fn connect(config: &ClusterConfig) -> Result<Cluster, ConnectError> {
        let mut kube = load(config).await?;
        kube.headers.push((http::header::USER_AGENT, user_agent(&config.instance)));
        let unary = http2_client(&kube, PINGS)?;
        let alert = http2_client(&kube, ALERT_PINGS)?;
        let namespace = kube.default_namespace.clone();
        let pool = LogPool::new(Source::Config(Box::new(kube)));
        Ok(Cluster { unary, alert, pool: Arc::new(pool), default_namespace: namespace })
    }

    /// Uses a client that needs no connections, for a cluster in this process.
    pub fn from_client(client: Client) -> Cluster {
        let default_namespace = client.default_namespace().to_string();
        let pool = Arc::new(LogPool::new(Source::Client(client.clone())));
        Cluster { unary: client.clone(), alert: client, pool, default_namespace }
    }

    /// The namespace of the kubeconfig's context, else `default`.
    pub fn default_namespace(&self) -> &str {
        &self.default_namespace
    }

    pub(super) fn client(&self) -> Client {
        self.unary.clone()
    }

    /// On a connection whose silence is noticed within seconds.
    pub(super) fn alert_client(&self) -> Client {
        self.alert.clone()
    }

    pub(super) async fn log_client(&self) -> Result<LogClient, ApiFailure> {
        self.pool.acquire().await
    }

    /// One request, its whole answer, within [`UNARY_TIMEOUT`].
    pub(super) async fn call(&self, request: Request<Bytes>) -> Result<Answer, ApiFailure> {
        let (parts, body) = request.into_parts();
        let request = Request::from_parts(parts, Body::from(body));
        let exchange = async {
            let answer = self.unary.send(request).await.map_err(ApiFailure::transport)?;
            let (head, body) = answer.into_parts();
            let body = http_body_util::Limited::new(body, MAX_ANSWER);
            let body = body.collect().await.map_err(ApiFailure::body)?.to_bytes();
            Ok(Answer { status: head.status, headers: head.headers, body })
        };
        tokio::time::timeout(UNARY_TIMEOUT, exchange).await.map_err(|_| ApiFailure::Timeout)?
    }
}

/// A whole answer.
pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

async fn load(config: &ClusterConfig) -> Result<kube::Config, ConnectError> {
    let options = KubeConfigOptions { context: config.context.clone(), ..Default::default() };
    match (&config.kubeconfig, &config.context) {
        (Some(path), _) => {
            let at = |source| ConnectError::Kubeconfig { path: path.display().to_string(), source };
            let file = Kubeconfig::read_from(path).map_err(at)?;
            kube::Config::from_custom_kubeconfig(file, &options).await.map_err(at)
        }
        (None, Some(context)) => kube::Config::from_kubeconfig(&options)
            .await
            .map_err(|source| ConnectError::Kubeconfig { path: format!("(context {context})"), source }),
        (None, None) => kube::Config::infer().await.map_err(ConnectError::NotConfigured),
    }
}

fn user_agent(instance: &Instance) -> http::HeaderValue {
    let plain = concat!("podlaunch/", env!("CARGO_PKG_VERSION"));
    http::HeaderValue::from_str(&format!("{plain} instance/{}", instance.as_str()))
        .unwrap_or(http::HeaderValue::from_static(plain))
}

fn http2_client(config: &kube::Config, pings: Pings) -> Result<Client, ConnectError> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(Duration::from_secs(30)));
    tcp.set_connect_timeout(Some(Duration::from_secs(10)));
    let tls = config.rustls_client_config().map_err(ConnectError::Credentials)?;
    let mut https = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
    if let Some(name) = &config.tls_server_name {
        let name = ServerName::try_from(name.clone()).map_err(|error| ConnectError::ServerName(name.clone(), error))?;
        https = https.with_server_name_resolver(FixedServerNameResolver::new(name));
    }
    let https = https.enable_http1().enable_http2().wrap_connector(tcp);
    let hyper = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
        .timer(TokioTimer::new())
        .pool_timer(TokioTimer::new())
        .http2_keep_alive_interval(pings.every)
        .http2_keep_alive_timeout(pings.timeout)
        .http2_keep_alive_while_idle(true)
        .http2_initial_stream_window_size(STREAM_WINDOW)
        .http2_initial_connection_window_size(CONNECTION_WINDOW)
        .build(https);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer().map_err(ConnectError::Credentials)?)
        .layer(config.extra_headers_layer().map_err(ConnectError::Credentials)?)
        .map_err(tower::BoxError::from)
        .service(hyper);
    Ok(Client::new(service, config.default_namespace.clone()))
}

enum Source {
    Config(Box<kube::Config>),
    Client(Client),
}

/// Log connections, grown on demand; a connection is kept for the next follow.
struct LogPool {
    source: Source,
    connections: Mutex<Vec<(Client, Arc<Semaphore>)>>,
}

/// A place on a log connection; dropping it gives the place back.
pub(super) struct LogClient {
    pub client: Client,
    permit: Option<OwnedSemaphorePermit>,
}

impl LogClient {
    /// The permit, to be kept as long as the body is read.
    pub fn into_permit(self) -> Option<OwnedSemaphorePermit> {
        self.permit
    }
}

impl LogPool {
    fn new(source: Source) -> LogPool {
        LogPool { source, connections: Mutex::new(Vec::new()) }
    }

    async fn acquire(&self) -> Result<LogClient, ApiFailure> {
        let config = match &self.source {
            Source::Client(client) => return Ok(LogClient { client: client.clone(), permit: None }),
            Source::Config(config) => config,
        };
        let (client, wait) = {
            let mut connections = self.connections.lock();
            for (client, permits) in connections.iter() {
                if let Ok(permit) = permits.clone().try_acquire_owned() {
                    return Ok(LogClient { client: client.clone(), permit: Some(permit) });
                }
            }
            if connections.len() < MAX_LOG_CONNECTIONS {
                let client = http2_client(config, PINGS).map_err(ApiFailure::connect)?;
                connections.push((client, Arc::new(Semaphore::new(STREAMS_PER_CONNECTION))));
            }
            let at = connections.len() - 1;
            (connections[at].0.clone(), connections[at].1.clone())
        };
        let permit = tokio::time::timeout(UNARY_TIMEOUT, wait.acquire_owned()).await;
        let permit = permit.map_err(|_| ApiFailure::Timeout)?.map_err(|_| ApiFailure::Timeout)?;
        Ok(LogClient { client, permit: Some(permit) })
    }
}
