//! How a task ended: a pure function of the pod object at one resourceVersion.
//!
//! The outcome is *decided by a write*: whoever sees a decidable pod stores [`Outcome::to_text`]
//! as annotation under a test of uid and resourceVersion. From then on that text is the outcome,
//! whatever is written to the pod later; every reader, replica and replay gets the same bytes.
//!
//! ```text
//!   Observation ─▶ facts (how did the primary end, did it ever start?)
//!               ─▶ decide (is it decidable? stop > disruption > init > OOM > exit > sidecar > inference)
//!               ─▶ Outcome ─▶ to_text ≤ 8 KiB ─▶ the annotation ─▶ from_text
//! ```

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::observation::{Role, Stop, StopCause};
use super::reason::Reason;
use super::state::State;

mod cause;
mod codec;
mod decide;
mod facts;
mod leftover;
mod result;
#[cfg(test)]
mod tests;
mod unlaunched;

pub use codec::{MAX_TEXT, OutcomeError};
pub use decide::{
    decide, decide_after, decide_gone, decide_lost, decide_overdue, decide_vanished, end_is_due, result_is_due,
};
pub use facts::Before;
pub(crate) use facts::deletion_requested;
pub use leftover::{is_left_over, left_over_since, must_have_gone_on};
pub use result::{ResultState, TaskResult};
pub use unlaunched::unlaunched;

/// Version of the list of reasons; raised when a value is added.
pub const REASON_VERSION: u32 = 1;
/// Longest inline result and termination message kept, bytes.
pub const MAX_MESSAGE: usize = 4096;
/// Longest Kubernetes message kept in an outcome, bytes.
pub const MAX_KUBERNETES_MESSAGE: usize = 1024;
/// Longest Kubernetes reason and caller's name kept in an outcome, bytes.
pub const MAX_WORD: usize = 256;
/// Most containers kept in an outcome; beyond, those that decided nothing are left out.
pub const MAX_CONTAINERS: usize = 32;

/// Whose doing an ending is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Origin {
    /// The task's own code, image or configuration.
    User,
    /// The caller: a cancel, a timeout it asked for.
    Caller,
    /// The cluster: eviction, preemption, a lost node.
    Cluster,
    /// podlaunch itself.
    Executor,
    /// Not known.
    Unknown,
}

/// Whether another attempt makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RetryAdvice {
    /// Nothing to advise: it succeeded.
    None,
    /// Stored data proves that the primary container never started.
    SafeNeverStarted,
    /// It ran, or may have.
    MayHaveSideEffects,
    /// It would end the same way again.
    Useless,
}

/// How sure the outcome is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Certainty {
    /// The object said so.
    Observed,
    /// Concluded from what the object said.
    Inferred,
    /// The process may still be running somewhere.
    MayStillBeRunning,
}

/// How and why a task ended. Field names and enum texts are part of the stored format:
/// add, never rename.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// A terminal state.
    pub state: State,
    /// The one reason.
    pub reason: Reason,
    /// [`REASON_VERSION`] of the writer.
    pub reason_version: u32,
    /// Kubernetes' reason, verbatim.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kubernetes_reason: String,
    /// Kubernetes' message, verbatim, cut at [`MAX_KUBERNETES_MESSAGE`] bytes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub kubernetes_message: String,
    /// Whose doing.
    pub origin: Origin,
    /// Whether to run it again.
    pub retry_advice: RetryAdvice,
    /// How sure.
    pub certainty: Certainty,
    /// The primary's exit code, only where a process really ended with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal that ended the primary, where the runtime says so: a code above 128 may be the
    /// program's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// Whether the runtime reported an OOM kill in the primary, or in the init container that failed.
    #[serde(default)]
    pub oom_killed: bool,
    /// The timeout that ended it, if one did, beside the reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<StopCause>,
    /// The recorded stop that came first, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// The container that decided: the primary, or the init container or sidecar that failed.
    /// Empty: none did.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub container: String,
    /// All containers as they were in the object it was decided from.
    #[serde(default)]
    pub containers: Vec<ContainerSummary>,
    /// When things happened.
    pub times: Times,
    /// What the task gave back; unset: none was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<TaskResult>,
    /// The termination message of [`Outcome::container`] (≤ 4 KiB); empty where it is the result.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub termination_message: String,
    /// The pod it was decided from.
    pub pod: PodVersion,
    /// Something was left out to stay within [`MAX_TEXT`].
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub shortened: bool,
}

/// A container in an outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerSummary {
    /// Name.
    pub name: String,
    /// What it is in the pod.
    pub role: Role,
    /// restartCount.
    pub restarts: u32,
    /// `waiting`, `running`, `terminated` or `unset`.
    pub state: String,
    /// Reason of that state.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Exit code, where terminated with a real one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// startedAt (node's clock).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// finishedAt (node's clock).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
}

/// When things happened; see each field for its clock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// creationTimestamp (API server).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// PodScheduled turned True (API server).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<Timestamp>,
    /// The primary's startedAt (node, whole seconds).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// The primary's finishedAt (node, whole seconds).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
}

/// Which version of which pod an outcome was decided from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodVersion {
    /// Name.
    pub name: String,
    /// uid.
    pub uid: String,
    /// resourceVersion it was decided from.
    pub resource_version: u64,
    /// Node, if bound.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub node: String,
}
