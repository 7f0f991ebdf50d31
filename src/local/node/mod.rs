//! The node of the local cluster: a kubelet and container runtime in one, that runs containers as local process groups.
//!
//! ```text
//! Store (pods bound to the node) → agent → pod::Worker, one task each
//!                                             │ volumes, spec (image, env, argv)
//!                                             ▼
//!                                   process (spawner thread, groups, run) → logs → NodeLogs
//!                                             │
//!                                             └→ status and events → Store
//! ```
//!
//! It isolates nothing: processes share the machine's files, network and users. Limits of memory and CPU are enforced where
//! this process may make control groups, else it says once that they are not; security contexts and probes are not enforced.
//! Containers end with this process, however it ends.

mod agent;
pub mod clock;
mod config;
mod events;
mod faulty;
pub mod logs;
pub mod logs_api;
mod pod;
mod process;
mod spec;
mod volumes;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::fcntl::{Flock, FlockArg};
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::{oneshot, watch};
use tokio_util::task::AbortOnDropHandle;

pub use self::config::{NodeConfig, Timing};
pub use self::faulty::Faulty;
pub use self::logs::serve::LogServer;

use self::agent::Agent;
use self::clock::Clocks;
use self::logs::serve::{CutOff, Logs};
use self::logs_api::NodeLogs;
use self::process::cgroup::{Cgroup, Limits, Places};
use self::process::group::Groups;
use self::process::spawner::Spawner;
use crate::local::store::{Kind, NODE_NAME, Store};

/// How long [`Node::shutdown`] waits for killed processes.
const SHUTDOWN: Duration = Duration::from_secs(10);

/// Why a node cannot start. None goes away by itself.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    #[error("the state directory cannot be used; choose another one for the local cluster")]
    Directory(#[source] io::Error),
    #[error("the state directory is used by another local cluster; choose another one or stop that cluster")]
    InUse,
    #[error("the local cluster cannot start processes")]
    Spawner(#[source] io::Error),
}

/// What the node's tasks share.
struct Shared {
    store: Store,
    config: NodeConfig,
    spawner: Spawner,
    logs: Arc<Logs>,
    cut_off: Arc<CutOff>,
    clocks: Arc<Clocks>,
    /// Counts changes of secrets and config maps.
    config_changes: watch::Sender<u64>,
    /// Images of which it was said that the host's programs stand for them.
    host_images: Mutex<BTreeSet<String>>,
    /// Where limits of containers can be kept.
    limits: Places,
    /// That they cannot be was said.
    lack_told: AtomicBool,
}

impl Shared {
    /// Whether a test has cut the pod's node off.
    fn is_cut_off(&self, uid: &str) -> bool {
        self.cut_off.lock().contains(uid)
    }

    fn config_changed(&self) {
        self.config_changes.send_modify(|changes| *changes += 1);
    }

    /// Says once per image that it is not mapped.
    fn say_host_path(&self, image: &str) {
        if self.host_images.lock().insert(image.to_owned()) {
            tracing::info!(
                image,
                "this image is not mapped to a directory: its programs are looked up in the host's PATH"
            );
        }
    }
}

impl Shared {
    /// What keeps a container's limits; says once that they cannot be kept.
    fn limit(&self, limits: &Limits) -> Option<Arc<Cgroup>> {
        if let Some(what) = self.limits.lack(limits)
            && !self.lack_told.swap(true, Ordering::Relaxed)
        {
            tracing::warn!("{what} are not enforced: this process may not make control groups below its own");
        }
        match self.limits.make(limits) {
            Ok(made) => made.map(Arc::new),
            Err(error) => {
                tracing::warn!(%error, "the limits of a container are not enforced: its control group could not be made");
                None
            }
        }
    }
}

/// A running node. Dropping it kills every container; [`Node::shutdown`] also waits for their ends.
pub struct Node {
    agent: Option<AbortOnDropHandle<()>>,
    groups: Arc<Groups>,
    server: Arc<LogServer>,
    faulty: Faulty,
    spawner_ended: Option<oneshot::Receiver<()>>,
    /// Held as long as the state directory is used.
    _lock: Flock<File>,
}

impl Node {
    /// Starts the node's agent. Must run inside a tokio runtime, which has to live as long as the node.
    pub fn start(store: Store, config: NodeConfig) -> Result<Node, NodeError> {
        let (config, lock) = claim(config)?;
        let (spawner, spawner_ended) = Spawner::start().map_err(NodeError::Spawner)?;
        let groups = Arc::clone(spawner.groups());
        let logs = Arc::new(Logs::default());
        let cut_off = Arc::new(CutOff::default());
        let clocks = Arc::new(Clocks::default());
        report_capacity(&store);
        let shared = Arc::new(Shared {
            store: store.clone(),
            config,
            spawner,
            logs: Arc::clone(&logs),
            cut_off: Arc::clone(&cut_off),
            clocks: Arc::clone(&clocks),
            config_changes: watch::Sender::new(0),
            host_images: Mutex::default(),
            limits: Places::find(),
            lack_told: AtomicBool::new(false),
        });
        Ok(Node {
            agent: Some(AbortOnDropHandle::new(tokio::spawn(Agent::new(shared).run()))),
            groups,
            faulty: Faulty::new(store.clone(), Arc::clone(&logs), Arc::clone(&cut_off), clocks),
            server: Arc::new(LogServer::new(store, logs, cut_off)),
            spawner_ended: Some(spawner_ended),
            _lock: lock,
        })
    }

    /// Who serves the logs of this node's containers.
    pub fn logs(&self) -> Arc<dyn NodeLogs> {
        Arc::clone(&self.server) as Arc<dyn NodeLogs>
    }

    /// What tests may do to the node.
    pub fn faulty(&self) -> Faulty {
        self.faulty.clone()
    }

    /// Kills every container and waits until all of them, and the node's helpers, have ended. The pods' statuses are left as
    /// they are. Bounded by 10 s.
    pub async fn shutdown(mut self) {
        self.groups.kill_all();
        let mut live = self.groups.count();
        let all_ended = live.wait_for(|count| *count == 0);
        if tokio::time::timeout(SHUTDOWN, all_ended).await.is_err() {
            tracing::warn!("some containers were killed but have not ended");
        }
        if let Some(agent) = self.agent.take() {
            agent.abort();
            // Ends cancelled, by the line above.
            let _ = agent.await;
        }
        if let Some(ended) = self.spawner_ended.take()
            && tokio::time::timeout(SHUTDOWN, ended).await.is_err()
        {
            tracing::warn!("the thread that starts processes has not ended");
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.groups.kill_all();
    }
}

/// Takes the state directory for this node and empties it. Paths are made absolute: processes have other directories.
fn claim(mut config: NodeConfig) -> Result<(NodeConfig, Flock<File>), NodeError> {
    fs::create_dir_all(&config.root).map_err(NodeError::Directory)?;
    config.root = fs::canonicalize(&config.root).map_err(NodeError::Directory)?;
    for directory in config.images.values_mut() {
        *directory = std::path::absolute(&directory).map_err(NodeError::Directory)?;
    }
    let file = File::create(config.root.join("lock")).map_err(NodeError::Directory)?;
    let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| match error {
        nix::errno::Errno::EWOULDBLOCK => NodeError::InUse,
        other => NodeError::Directory(other.into()),
    })?;
    match fs::remove_dir_all(config.root.join("pods")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(NodeError::Directory(error)),
        _ => Ok((config, lock)),
    }
}

/// Adds the machine's memory to the Node object, for `resourceFieldRef`. Without it limits read as 0.
fn report_capacity(store: &Store) {
    let Some(memory) = memory() else {
        return;
    };
    let updated = store.update(Kind::Node, "", NODE_NAME, |node| {
        for field in ["capacity", "allocatable"] {
            node["status"][field]["memory"] = json!(memory);
        }
        Ok(())
    });
    if let Err(error) = updated {
        tracing::warn!(%error, "the node's memory is not shown");
    }
}

/// The machine's memory as a quantity.
fn memory() -> Option<String> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    Some(format!("{}Ki", line.split_whitespace().next()?))
}
