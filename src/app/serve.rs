//! `podlaunch serve`, and the gRPC server that `--local` runs in process.
//!
//! ```text
//! SIGTERM, SIGINT ─▶ health NOT_SERVING, streams end with Draining ─▶ listeners close,
//!                    open calls get `--drain` to end ─▶ executor stops ─▶ exit
//! ```

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Server;
use tonic::transport::server::Connected;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tracing::{info, warn};

use super::auth::{Local, Network, Strangers, Tokens};
use super::connections::{Limited, Places};
use super::embedded;
use super::listen::{Bound, Security, bind, group};
use super::templates;
use super::tls::{self, ClientCertificate, TlsFiles};
use crate::api::{self, Gate, ServerInfo};
use crate::cli::args::{Pair, SecurityArgs, ServeArgs, ServeResultArgs, Switch};
use crate::cluster::{Cluster, ClusterConfig, Scope};
use crate::executor::{Executor, Readiness, RetentionDefaults, Settings, Templates};
use crate::pod::build::Finalizer;
use crate::pod::result::ResultSettings;
use crate::proto;
use crate::task::Instance;

/// Most calls open at once on one connection. More than the streams a client should share one for.
const STREAMS_PER_CONNECTION: u32 = 1000;
/// Longest wait for the cluster's version at start.
const VERSION_LIMIT: Duration = Duration::from_secs(2);
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// The health service as tonic-health makes it.
pub(super) type HealthService = HealthServer<tonic_health::server::HealthService>;

/// Runs until a signal.
pub(super) async fn run(args: ServeArgs) -> anyhow::Result<()> {
    let (templates, template_files) = templates::read(&args.templates)?;
    let settings = Settings { templates, ..settings(&args)? };
    let (security, network) = security(&args.security)?;
    let mut bound = Vec::new();
    for listen in &args.listen {
        bound.push(bind(listen, &security).await?);
    }
    let embedded = match args.cluster.local {
        true => Some(embedded::Embedded::start(args.cluster.local_image.clone(), None).await?),
        false => None,
    };
    let cluster = match &embedded {
        Some(embedded) => embedded.cluster(),
        None => {
            let config = ClusterConfig {
                kubeconfig: args.cluster.kubeconfig.clone(),
                context: args.cluster.context.clone(),
                instance: settings.instance.clone(),
            };
            Cluster::connect(&config).await?
        }
    };
    let executor = Executor::start(cluster, settings);
    templates::follow(&executor, template_files, &args.templates).await;
    let info = server_info(executor.cluster()).await;
    let health = health(&executor);
    let gates = Gates { local: Gate::new(Local), network: Gate::new(network) };
    let make = |gate: &Gate| routes(&executor, info.clone(), args.reflection, gate.clone(), health.clone());
    let stop = CancellationToken::new();
    let max_connections = usize::try_from(args.limits.max_connections)?;
    let mut servers = JoinSet::new();
    for listener in bound {
        let routes = match listener {
            Bound::Tls(..) => make(&gates.network),
            Bound::Tcp(..) | Bound::Unix(..) => make(&gates.local),
        };
        spawn_server(&mut servers, listener, routes, max_connections, stop.clone());
    }
    let signalled = signal().await?;
    info!(signal = signalled, "shutting down");
    executor.drain();
    stop.cancel();
    let ended = tokio::time::timeout(args.limits.drain, async { while servers.join_next().await.is_some() {} }).await;
    if ended.is_err() {
        warn!("calls were still open after the drain time and are cut");
    }
    servers.shutdown().await;
    executor.shutdown().await;
    if let Some(embedded) = embedded {
        embedded.shutdown().await;
    }
    Ok(())
}

/// What `GetServerInfo` says of this process; the cluster's version only if it answers soon.
async fn server_info(cluster: &Cluster) -> ServerInfo {
    let version = tokio::time::timeout(VERSION_LIMIT, cluster.version()).await;
    let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    ServerInfo {
        replica: host.unwrap_or_default(),
        kubernetes_version: version.ok().and_then(Result::ok).unwrap_or_default(),
        ..ServerInfo::default()
    }
}

/// A name for this process that no other has.
fn replica() -> String {
    let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    format!("{host}_{}", uuid::Uuid::new_v4())
}

fn settings(args: &ServeArgs) -> anyhow::Result<Settings> {
    let limits = &args.limits;
    let scope = match args.cluster.namespace.is_empty() {
        true => Scope::Cluster,
        false => Scope::Namespaces(args.cluster.namespace.clone()),
    };
    let startup = limits.startup_timeout().map(|d| i64::try_from(d.as_secs())).transpose()?;
    Ok(Settings {
        instance: Instance::new(args.cluster.instance.clone())?,
        scope,
        finalizer: if args.cluster.finalizer.is_on() { Finalizer::On } else { Finalizer::Off },
        container_log_max_size: limits.container_log_max_size,
        log_wait: limits.log_wait,
        sidecar_grace: limits.sidecar_grace,
        default_startup_seconds: startup,
        result: result_settings(&args.result)?,
        idempotency_window: limits.idempotency_window,
        retention: RetentionDefaults { after_success: limits.retain_success, after_failure: limits.retain_failure },
        record_namespace: args.cluster.record_namespace.clone(),
        replica: replica(),
        stall_limit: limits.stall_limit,
        max_streams: usize::try_from(limits.max_streams)?,
        templates: Templates::default(),
    })
}

fn result_settings(args: &ServeResultArgs) -> anyhow::Result<ResultSettings> {
    let quantities = |pairs: &[Pair]| pairs.iter().map(|pair| (pair.key.clone(), pair.value.clone())).collect();
    anyhow::ensure!(args.max_result_size > 0, "--max-result-size must be at least 1");
    Ok(ResultSettings {
        image: args.result_image.clone(),
        requests: quantities(&args.result_request),
        limits: quantities(&args.result_limit),
        max_bytes: args.max_result_size,
    })
}

/// Who may call: over loopback and sockets, and over the network.
struct Gates {
    local: Gate,
    network: Gate,
}

fn security(args: &SecurityArgs) -> anyhow::Result<(Security, Network)> {
    let tokens = args.token_file.clone().map(Tokens::read).transpose()?;
    let strangers = if args.allow_unauthenticated { Strangers::Served } else { Strangers::Refused };
    let optional = tokens.is_some() || strangers == Strangers::Served;
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(cert), Some(key)) => Some(Arc::new(tls::reloading(TlsFiles {
            cert: cert.clone(),
            key: key.clone(),
            client_ca: args.tls_client_ca.clone(),
            client_certificate: if optional { ClientCertificate::Optional } else { ClientCertificate::Required },
        })?)),
        _ => None,
    };
    let security = Security {
        tls,
        knows_callers: args.tls_client_ca.is_some() || optional,
        socket_group: args.socket_group.as_deref().map(group).transpose()?,
    };
    Ok((security, Network { tokens, strangers }))
}

/// The health service: serving while a part of the scope is fresh and no shutdown has begun.
pub(super) fn health(executor: &Executor) -> HealthService {
    let reporter = tonic_health::server::HealthReporter::new();
    let health = HealthServer::new(tonic_health::server::HealthService::from_health_reporter(reporter.clone()));
    let watched = executor.clone();
    // Owned by the executor's tracker: it ends with the executor.
    executor.run(async move {
        loop {
            let ready = watched.is_ready() && !watched.is_draining();
            let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
            reporter.set_service_status("", status).await;
            reporter.set_service_status(api::Service::NAME, status).await;
            let next = if ready { Readiness::NotReady } else { Readiness::Ready };
            tokio::select! {
                () = watched.readiness(next) => {}
                () = watched.drain_begun(), if !watched.is_draining() => {}
            }
        }
    });
    health
}

/// The services: the contract and reflection behind the gate; health is open, for probes.
pub(super) fn routes(
    executor: &Executor,
    info: ServerInfo,
    reflection: Switch,
    gate: Gate,
    health: HealthService,
) -> Routes {
    let mut routes = Routes::new(health).add_service(api::service(executor.clone(), info, gate.clone()));
    if reflection.is_on() {
        let v1 = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .build_v1();
        match v1 {
            Ok(service) => routes = routes.add_service(InterceptedService::new(service, gate)),
            Err(error) => warn!(%error, "reflection is not served: the descriptor set cannot be read"),
        }
    }
    routes
}

/// A server as every listener has it.
pub(super) fn server() -> Server {
    Server::builder()
        .http2_keepalive_interval(Some(PING_EVERY))
        .http2_keepalive_timeout(Some(PING_TIMEOUT))
        .max_concurrent_streams(Some(STREAMS_PER_CONNECTION))
        .tcp_nodelay(true)
}

/// Serves one listener until `stop`, with places for `max` connections.
fn spawn_server(servers: &mut JoinSet<()>, bound: Bound, routes: Routes, max: usize, stop: CancellationToken) {
    match bound {
        Bound::Tcp(incoming, address) => {
            let address = address.to_string();
            info!(address, "listening");
            servers.spawn(async move {
                let incoming = Limited::new(incoming, Places::new(address.clone(), max));
                log_end(&address, serve(routes, incoming, stop).await);
            });
        }
        Bound::Tls(listener, tls) => {
            let address = tls::address(&listener).map(|a| a.to_string()).unwrap_or_default();
            info!(address, "listening with TLS");
            servers.spawn(async move {
                let (connections, incoming) = mpsc::channel(tls::QUEUE);
                let incoming = tokio_stream::wrappers::ReceiverStream::new(incoming);
                let places = Places::new(address.clone(), max);
                let accepting = AbortOnDropHandle::new(tokio::spawn(tls::accept(listener, tls, places, connections)));
                log_end(&address, serve(routes, incoming, stop).await);
                drop(accepting);
            });
        }
        Bound::Unix(listener, file) => {
            let path = listener.local_addr().ok();
            let path = path.and_then(|a| a.as_pathname().map(|p| p.display().to_string())).unwrap_or_default();
            let address = format!("unix:{path}");
            info!(address, "listening");
            servers.spawn(async move {
                let incoming = tokio_stream::wrappers::UnixListenerStream::new(listener);
                let incoming = Limited::new(incoming, Places::new(address.clone(), max));
                log_end(&address, serve(routes, incoming, stop).await);
                drop(file);
            });
        }
    }
}

async fn serve<I, C>(routes: Routes, incoming: I, stop: CancellationToken) -> Result<(), tonic::transport::Error>
where
    I: Stream<Item = std::io::Result<C>>,
    C: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
{
    server().add_routes(routes).serve_with_incoming_shutdown(incoming, stop.cancelled()).await
}

fn log_end(address: &str, served: Result<(), tonic::transport::Error>) {
    if let Err(error) = served {
        warn!(address, error = %format!("{:#}", anyhow::Error::new(error)), "a listener ended");
    }
}

pub(super) async fn signal() -> std::io::Result<&'static str> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    })
}
