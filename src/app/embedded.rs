//! The embedded cluster, as a process of its own and inside this one.

use std::path::{Path, PathBuf};

use futures::StreamExt;
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tonic::transport::{Channel, Endpoint};
use tracing::{info, warn};

use super::auth::Local;
use super::serve;
use crate::api::{Gate, ServerInfo};
use crate::cli::args::{LocalArgs, LocalImage, Switch};
use crate::cluster::Cluster;
use crate::executor::{Executor, Readiness, Settings};
use crate::local::{LocalCluster, LocalConfig};

/// Bytes in flight between client and server in one process.
const PIPE: usize = 1 << 20;

/// An embedded cluster in this process.
pub(super) struct Embedded {
    local: LocalCluster,
    folder: Folder,
}

/// Where its state is.
enum Folder {
    /// Ours: removed at the end.
    Temporary(PathBuf),
    /// The user's: kept.
    Given(PathBuf),
}

impl Folder {
    fn new(given: Option<PathBuf>) -> std::io::Result<Folder> {
        match given {
            Some(path) => {
                std::fs::create_dir_all(&path)?;
                Ok(Folder::Given(path))
            }
            None => {
                let path = std::env::temp_dir().join(format!("podlaunch-{}", uuid::Uuid::new_v4().simple()));
                std::fs::create_dir(&path)?;
                Ok(Folder::Temporary(path))
            }
        }
    }

    fn path(&self) -> &Path {
        match self {
            Folder::Temporary(path) | Folder::Given(path) => path,
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Folder::Temporary(path) = self
            && let Err(error) = std::fs::remove_dir_all(&*path)
        {
            warn!(folder = %path.display(), %error, "the temporary folder could not be removed");
        }
    }
}

impl Embedded {
    pub async fn start(images: Vec<LocalImage>, folder: Option<PathBuf>) -> anyhow::Result<Embedded> {
        let folder = Folder::new(folder)?;
        let mut config = LocalConfig::new(folder.path());
        config.images = images.into_iter().map(|image| (image.name, image.dir)).collect();
        let local = LocalCluster::start(config)?;
        Ok(Embedded { local, folder })
    }

    /// A client that reaches it without a socket.
    pub fn cluster(&self) -> Cluster {
        Cluster::from_client(kube::Client::new(self.local.router(), "default"))
    }

    pub async fn shutdown(self) {
        self.local.shutdown().await;
        drop(self.folder);
    }
}

/// `podlaunch local`: serves it to kubectl and tests until a signal.
#[allow(clippy::print_stdout, reason = "the kubeconfig's path is this command's output")]
pub(super) async fn run(args: LocalArgs) -> anyhow::Result<()> {
    let embedded = Embedded::start(args.local_image, args.dir).await?;
    let listener = tokio::net::TcpListener::bind(args.listen).await?;
    let stop = CancellationToken::new();
    let router = if args.faults { embedded.local.faulty_router() } else { embedded.local.router() };
    let server = crate::local::serve_tls(router, listener, embedded.folder.path(), stop.clone())?;
    info!(address = %server.address(), "the embedded cluster is up: no isolation, for development only");
    println!("{}", server.kubeconfig().display());
    serve::signal().await?;
    stop.cancel();
    server.stopped().await;
    embedded.shutdown().await;
    Ok(())
}

/// Cluster, executor, server and a channel to it, all in this process.
pub(super) struct InProcess {
    embedded: Embedded,
    executor: Executor,
    channel: Channel,
    server: AbortOnDropHandle<()>,
    stop: CancellationToken,
}

impl InProcess {
    pub async fn start(images: Vec<LocalImage>) -> anyhow::Result<InProcess> {
        let embedded = Embedded::start(images, None).await?;
        let executor = Executor::start(embedded.cluster(), Settings::default());
        executor.readiness(Readiness::Ready).await;
        let health = serve::health(&executor);
        let routes = serve::routes(&executor, ServerInfo::default(), Switch::Off, Gate::new(Local), health);
        let (connections, incoming) = mpsc::channel::<DuplexStream>(4);
        let incoming = tokio_stream::wrappers::ReceiverStream::new(incoming).map(Ok::<_, std::io::Error>);
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let server = AbortOnDropHandle::new(tokio::spawn(async move {
            let served = serve::server().add_routes(routes).serve_with_incoming_shutdown(incoming, stopped.cancelled());
            if let Err(error) = served.await {
                warn!(error = %format!("{:#}", anyhow::Error::new(error)), "the in-process server ended");
            }
        }));
        let channel = Endpoint::from_static("http://in-process").connect_with_connector_lazy(tower::service_fn(
            move |_: http::Uri| {
                let connections = connections.clone();
                async move {
                    let (ours, theirs) = tokio::io::duplex(PIPE);
                    connections.send(theirs).await.map_err(std::io::Error::other)?;
                    Ok::<_, std::io::Error>(TokioIo::new(ours))
                }
            },
        ));
        Ok(InProcess { embedded, executor, channel, server, stop })
    }

    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    pub async fn shutdown(self) {
        self.executor.drain();
        self.stop.cancel();
        drop(self.server);
        self.executor.shutdown().await;
        self.embedded.shutdown().await;
    }
}
