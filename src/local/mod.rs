//! The embedded single-machine cluster: a small Kubernetes API server and a node agent, in one process.
//!
//! ```text
//! kube::Client ── Router (in process) ──┐
//! kubectl ── TLS, token (serve_tls) ────┴─ (faults) ─ api ── Store ── scheduler, namespace and event controllers
//!                                           │       │
//!                                       NodeLogs    └── node agent: each container a local process group
//! ```
//!
//! **What it is not: isolation.** Containers are processes of this user on this machine: they see its files, its network and each
//! other. It is for development and tests. There are no images (names are mapped to folders), no scheduling beyond one node, no RBAC,
//! quota or admission, no probes, exec, server-side apply, custom resources or persistent volumes. Nothing outlives the process.

pub mod api;
pub mod faults;
pub mod node;
pub mod serve;
pub mod store;

use std::path::PathBuf;

use axum::Router;
use tokio_util::sync::CancellationToken;

use api::Api;
use api::controllers::Controllers;
use faults::Faults;
use node::{Node, NodeConfig, NodeError, Timing};
pub use serve::serve_tls;
use store::Store;

/// What a local cluster is started with.
#[derive(Clone, Debug)]
pub struct LocalConfig {
    /// Image names and the folders whose `bin` is the only PATH of their containers; of equal names the last counts. Other images
    /// use the machine's PATH.
    pub images: Vec<(String, PathBuf)>,
    /// Where volumes and logs lie; one cluster at a time uses it.
    pub root: PathBuf,
    /// Bytes of one container's log file before it is rotated.
    pub log_max_size: u64,
    /// The node agent's delays.
    pub timing: Timing,
}

impl LocalConfig {
    /// No images, logs rotated at 10 MiB as the kubelet's default is.
    pub fn new(root: impl Into<PathBuf>) -> LocalConfig {
        LocalConfig { images: Vec::new(), root: root.into(), log_max_size: 10 << 20, timing: Timing::default() }
    }

    fn into_node(self) -> NodeConfig {
        let mut node = NodeConfig::new(self.root);
        node.images = self.images.into_iter().collect();
        node.log_max_size = self.log_max_size;
        node.timing = self.timing;
        node
    }
}

/// Why a local cluster could not be started. Not worth a retry.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    #[error("the node agent could not be started")]
    Node(#[from] NodeError),
}

/// A running cluster. Its containers end with it: call [`LocalCluster::shutdown`], or drop it and they are killed.
pub struct LocalCluster {
    api: Api,
    node: Node,
    controllers: Controllers,
    stop: CancellationToken,
}

impl LocalCluster {
    /// Starts it. Needs a tokio runtime.
    pub fn start(config: LocalConfig) -> Result<LocalCluster, LocalError> {
        let store = Store::new();
        let node = Node::start(store.clone(), config.into_node())?;
        let stop = CancellationToken::new();
        let api = Api::new(store.clone(), node.logs(), stop.clone());
        let controllers = Controllers::start(&store);
        Ok(LocalCluster { api, node, controllers, stop })
    }

    /// The API server: a service for `kube::Client::new` or for [`serve_tls`]. Clones share the cluster.
    pub fn router(&self) -> Router {
        self.api.router()
    }

    /// The API server with faults on demand in front of it (see [`faults`]): for tests.
    pub fn faulty_router(&self) -> Router {
        Faults::new(self.api.store().clone(), self.node.faulty()).wrap(self.api.router())
    }

    /// Ends watches and log bodies, then the controllers, then every container.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.controllers.shutdown().await;
        self.node.shutdown().await;
    }
}

#[cfg(test)]
mod tests;
