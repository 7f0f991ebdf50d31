//! `podlaunch serve`, and the gRPC server that `--local` runs in process.
//!
//! ```text
//! SIGTERM, SIGINT ─▶ health NOT_SERVING, streams end with Draining ─▶ listeners close,
//!                    open calls get `--drain` to end ─▶ executor stops ─▶ exit
//! ```

use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic_health::ServingStatus;
use tracing::{info, warn};

use super::embedded;
use super::listen::{Bound, bind};
use crate::api::{self, ServerInfo};
use crate::cli::args::{ServeArgs, Switch};
use crate::cluster::{Cluster, ClusterConfig, Scope};
use crate::executor::{Executor, Readiness, Settings};
use crate::pod::build::Finalizer;
use crate::proto;
use crate::task::Instance;

/// Most calls open at once on one connection. More than the streams a client should share one for.
const STREAMS_PER_CONNECTION: u32 = 1000;
/// Longest wait for the cluster's version at start.
const VERSION_LIMIT: Duration = Duration::from_secs(2);
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs until a signal.
pub(super) async fn run(args: ServeArgs) -> anyhow::Result<()> {
    let settings = settings(&args)?;
    let mut bound = Vec::new();
    for listen in &args.listen {
        bound.push(bind(listen).await?);
    }
    let embedded = match args.cluster.local {
        true => Some(embedded::Embedded::start(args.cluster.local_image.clone(), None).await?),
        false => None,
    };
    let cluster = match &embedded {
        Some(embedded) => embedded.cluster(),
        None => {
            let config =
                ClusterConfig { kubeconfig: args.cluster.kubeconfig.clone(), context: args.cluster.context.clone() };
            Cluster::connect(&config).await?
        }
    };
    let executor = Executor::start(cluster, settings);
    let info = server_info(executor.cluster()).await;
    let routes = routes(&executor, info, args.reflection);
    let stop = CancellationToken::new();
    let mut servers = JoinSet::new();
    for listener in bound {
        spawn_server(&mut servers, listener, routes.clone(), stop.clone());
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
        default_startup_seconds: startup,
        idempotency_window: limits.idempotency_window,
        stall_limit: limits.stall_limit,
        max_streams: usize::try_from(limits.max_streams)?,
    })
}

/// The services: the contract, health, reflection.
pub(super) fn routes(executor: &Executor, info: ServerInfo, reflection: Switch) -> Routes {
    let (reporter, health) = tonic_health::server::health_reporter();
    let watched = executor.clone();
    // Owned by the executor's tracker: it ends with the executor.
    executor.run(async move {
        let name = <proto::v1::podlaunch_service_server::PodlaunchServiceServer<api::Api> as tonic::server::NamedService>::NAME;
        loop {
            let ready = watched.is_ready() && !watched.is_draining();
            let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
            reporter.set_service_status("", status).await;
            reporter.set_service_status(name, status).await;
            let next = if ready { Readiness::NotReady } else { Readiness::Ready };
            tokio::select! {
                () = watched.readiness(next) => {}
                () = watched.drain_begun(), if !watched.is_draining() => {}
            }
        }
    });
    let mut routes = Routes::new(health).add_service(api::service(executor.clone(), info));
    if reflection.is_on() {
        let v1 = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .build_v1();
        match v1 {
            Ok(service) => routes = routes.add_service(service),
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

fn spawn_server(servers: &mut JoinSet<()>, bound: Bound, routes: Routes, stop: CancellationToken) {
    match bound {
        Bound::Tcp(incoming, address) => {
            info!(%address, "listening");
            servers.spawn(async move {
                let served = server().add_routes(routes).serve_with_incoming_shutdown(incoming, stop.cancelled()).await;
                log_end(&format!("{address}"), served);
            });
        }
        Bound::Unix(listener, file) => {
            let address = listener.local_addr().ok();
            let path = address.and_then(|a| a.as_pathname().map(|p| p.display().to_string())).unwrap_or_default();
            info!(address = %format!("unix:{path}"), "listening");
            servers.spawn(async move {
                let incoming = tokio_stream::wrappers::UnixListenerStream::new(listener);
                let served = server().add_routes(routes).serve_with_incoming_shutdown(incoming, stop.cancelled()).await;
                log_end(&path, served);
                drop(file);
            });
        }
    }
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
