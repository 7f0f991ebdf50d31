//! What a node agent is configured with.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::logs::file::Rotation;

/// How a node is set up.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// Directory of the node's state. Used by one node at a time; its `pods` directory is emptied at start.
    pub root: PathBuf,
    /// Image name → directory whose `bin` is the image's only PATH.
    pub images: BTreeMap<String, PathBuf>,
    /// Size in bytes from which a container's log is rotated.
    pub log_max_size: u64,
    /// Log files kept per container attempt, the current one included; at least 1. Only the current one can be read.
    pub log_max_files: usize,
    /// Delays. The defaults are a kubelet's, or shorter where a kubelet's only add latency.
    pub timing: Timing,
}

impl NodeConfig {
    /// The defaults: no images mapped, logs rotated at 10 MiB, five files.
    pub fn new(root: impl Into<PathBuf>) -> NodeConfig {
        NodeConfig {
            root: root.into(),
            images: BTreeMap::new(),
            log_max_size: 10 << 20,
            log_max_files: 5,
            timing: Timing::default(),
        }
    }

    pub(super) fn rotation(&self) -> Rotation {
        Rotation { max_size: self.log_max_size, max_files: self.log_max_files }
    }
}

/// The node's delays.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// From the update with the last container's end to the one with the terminal phase (a kubelet takes about 1.1 s).
    pub terminal_gap: Duration,
    /// From a deleted pod's terminal phase to the removal of its logs and of the object (a kubelet takes about 0.8 s).
    pub removal_gap: Duration,
    /// How often log sizes are checked.
    pub rotate_check: Duration,
    /// Before a container's first restart.
    pub restart_delay: Duration,
    /// Before each further restart. Begins anew once a container ran for twice the limit.
    pub crash_back_off: BackOff,
    /// Before an image that could not be pulled is tried again.
    pub pull_back_off: BackOff,
    /// Between a failed pull and the status ImagePullBackOff.
    pub pull_settle: Duration,
    /// Before a container whose configuration was incomplete is tried again although no secret or config map changed.
    pub config_retry: Duration,
    /// Before a volume that could not be set up is tried again.
    pub mount_back_off: BackOff,
    /// The least time between SIGTERM and SIGKILL.
    pub min_grace: Duration,
}

/// Delays that double.
#[derive(Clone, Copy, Debug)]
pub struct BackOff {
    pub first: Duration,
    pub limit: Duration,
}

impl Default for Timing {
    fn default() -> Timing {
        let back_off =
            |first, limit| BackOff { first: Duration::from_millis(first), limit: Duration::from_secs(limit) };
        Timing {
            terminal_gap: Duration::from_millis(50),
            removal_gap: Duration::from_millis(250),
            rotate_check: Duration::from_secs(10),
            restart_delay: Duration::from_secs(1),
            crash_back_off: back_off(10_000, 300),
            pull_back_off: back_off(10_000, 300),
            pull_settle: Duration::from_secs(1),
            config_retry: Duration::from_secs(10),
            mount_back_off: back_off(500, 122),
            min_grace: Duration::from_secs(2),
        }
    }
}
