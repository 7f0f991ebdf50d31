//! A task's result: bytes that it gives back beside its log.
//!
//! ```text
//! TERMINATION_MESSAGE   primary ── termination message ─────────────────────▶ outcome (inline)
//!
//! FILE   primary ── file ─▶ volume ─▶ sidecar, told to stop by the kubelet when the task's own containers have ended
//!           sidecar ── termination message: Word (size, sha-256, short bytes) ─▶ outcome (inline, or stored)
//!           sidecar ── stdout: Frame (base64) ─▶ pods/log ─▶ FrameReader ─▶ GetTaskResult
//! ```
//!
//! The word is part of the pod's status, so the outcome stays a pure function of the pod. The frame is only believed
//! where it has the word's size and hash.

use serde::{Deserialize, Serialize};

mod frame;
mod word;

pub use frame::{FrameError, FrameReader};
pub use word::{Digest, Word};

/// Name of the sidecar's container and of the volume between it and the primary. Not a name for a task's own.
pub const SIDECAR: &str = "podlaunch-result";
/// Where a result file is looked for unless asked otherwise: where Airflow's tasks put it.
pub const DEFAULT_PATH: &str = "/airflow/xcom/return.json";
/// Longest path of a result file, bytes.
pub const MAX_PATH: usize = 4096;
/// Largest result that is taken unless asked otherwise, bytes.
pub const DEFAULT_MAX_BYTES: u64 = 1 << 20;
/// What every word and every line of the frame's own begins with.
pub const MARK: &str = "podlaunch-result/1";

/// Longest termination message of one container, bytes.
const MAX_MESSAGE: usize = 4096;
/// What the termination messages of all containers of a pod share, bytes.
const MAX_MESSAGES: usize = 12 * 1024;

/// The longest termination message that the kubelet keeps of each of a pod's `containers`.
pub fn message_share(containers: usize) -> usize {
    (MAX_MESSAGES / containers.max(1)).min(MAX_MESSAGE)
}

/// How a result is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ResultKind {
    /// The primary container's termination message.
    TerminationMessage,
    /// A file of the primary container.
    File,
}

/// Where a task's result is taken from. Part of the fingerprint and of the policy stored on the pod; what is the
/// default is left out of both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultSource {
    /// How it is given.
    pub kind: ResultKind,
    /// The file in the primary container; unset is [`DEFAULT_PATH`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The largest result that is taken, bytes; unset is [`DEFAULT_MAX_BYTES`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
}

impl ResultSource {
    /// The file.
    pub fn path(&self) -> &str {
        self.path.as_deref().unwrap_or(DEFAULT_PATH)
    }

    /// The largest result that is taken, bytes.
    pub fn max_bytes(&self) -> u64 {
        self.max_bytes.unwrap_or(DEFAULT_MAX_BYTES)
    }
}
