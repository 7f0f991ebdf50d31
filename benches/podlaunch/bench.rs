//! All that a run needs: cluster, server, a namespace, both clients.
//!
//! Owns them; [`Bench::stop`] ends them in order: server, namespace, embedded cluster.

use std::time::Duration;

use anyhow::Context;
use tonic::transport::Channel;

use crate::backend::{Cluster, Server};
use crate::client::Podlaunch;
use crate::raw::Raw;
use crate::settings::Settings;
use crate::workload::Workload;

/// How long a new namespace may take until it admits pods (its service account is made by a controller).
const ADMIT_LIMIT: Duration = Duration::from_secs(20);
const ADMIT_EVERY: Duration = Duration::from_millis(50);
/// Streams on one gRPC connection: fewer than the server's limit.
const STREAMS_PER_CONNECTION: usize = 500;

/// A run's fixture.
pub struct Bench {
    /// Name of the namespace, and of the podlaunch instance.
    pub name: String,
    /// For unary calls and watches.
    pub raw: Raw,
    /// For log follows: as in podlaunch, a connection of their own.
    pub raw_logs: Raw,
    /// Connections to the server.
    channels: Vec<Channel>,
    cluster: Cluster,
    server: Server,
}

impl Bench {
    /// Starts everything and waits until it is ready.
    pub async fn start(settings: &Settings) -> anyhow::Result<Bench> {
        let name = format!("bench-{:08x}", uuid::Uuid::new_v4().as_fields().0);
        let cluster = Cluster::start(settings).await?;
        let raw = Raw::connect(&cluster.kubeconfig, &name).await?;
        raw.create_namespace().await?;
        match Bench::start_in(&name, &cluster, &raw, settings).await {
            Ok((server, channels, raw_logs)) => Ok(Bench { name, raw, raw_logs, channels, cluster, server }),
            Err(error) => {
                remove(&raw).await;
                cluster.stop().await;
                Err(error)
            }
        }
    }

    async fn start_in(
        name: &str,
        cluster: &Cluster,
        raw: &Raw,
        settings: &Settings,
    ) -> anyhow::Result<(Server, Vec<Channel>, Raw)> {
        admits(raw).await?;
        let raw_logs = Raw::connect(&cluster.kubeconfig, name).await?;
        let mut server = Server::start(cluster, name, settings)?;
        let mut channels = Vec::new();
        for _ in 0..settings.launches.div_ceil(STREAMS_PER_CONNECTION) {
            channels.push(server.connect().await?);
        }
        Ok((server, channels, raw_logs))
    }

    /// The client for the `index`th of many streams that are open at once.
    pub fn podlaunch(&self, index: usize) -> Podlaunch {
        Podlaunch::new(self.channels[(index / STREAMS_PER_CONNECTION) % self.channels.len()].clone())
    }

    /// `embedded` or `real`.
    pub fn backend(&self) -> &'static str {
        self.cluster.kind()
    }

    /// Where the processes wrote their logs.
    pub fn logs(&self) -> String {
        let logs = [Some(self.server.log()), self.cluster.log()];
        let logs = logs.into_iter().flatten().map(|path| path.display().to_string());
        logs.collect::<Vec<_>>().join(", ")
    }

    /// Ends everything. What cannot be removed is said and left.
    pub async fn stop(self) {
        drop(self.channels);
        self.server.stop().await;
        remove(&self.raw).await;
        self.cluster.stop().await;
    }
}

async fn remove(raw: &Raw) {
    if let Err(error) = raw.delete_namespace().await {
        eprintln!("bench: the namespace is left behind: {error:#}");
    }
}

async fn admits(raw: &Raw) -> anyhow::Result<()> {
    let pod = Workload::burst().pod("admitted");
    let wait = async {
        loop {
            let status = raw.admits(&pod).await?;
            if status.is_success() {
                return anyhow::Ok(());
            }
            anyhow::ensure!(status == http::StatusCode::FORBIDDEN, "the namespace admits no pods: {status}");
            tokio::time::sleep(ADMIT_EVERY).await;
        }
    };
    tokio::time::timeout(ADMIT_LIMIT, wait).await.context("the namespace does not admit pods")?
}
