//! What one version of a pod object says, reduced to what the rules need.
//!
//! `pod::observe` makes it from the object; the state machine and the outcome read nothing else.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::key::TaskKey;
use super::literals::Literals;
use super::outcome::Outcome;
use super::policy::StoredPolicy;
use super::reason::Reason;

/// One version of a pod of ours.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// The task this pod is.
    pub key: TaskKey,
    /// Name of the pod object.
    pub pod_name: String,
    /// uid of the pod object: another uid under the same name is another pod.
    pub uid: String,
    /// resourceVersion as a number; orders the versions of one uid.
    pub resource_version: u64,
    /// metadata.generation: every change of the spec, and a deletion, raises it.
    pub generation: Option<i64>,
    /// status.observedGeneration: the generation that the node's last report is about.
    pub observed_generation: Option<i64>,
    /// Fingerprint of the spec it was launched with.
    pub fingerprint: String,
    /// Labels, ours included.
    pub labels: BTreeMap<String, String>,
    /// Later attempts that attached to this pod instead of making one of their own, ascending.
    pub attached_attempts: Vec<u32>,
    /// Name of the primary container.
    pub primary: String,
    /// Timeouts and log selection stored at launch.
    pub policy: StoredPolicy,
    /// W3C traceparent of the launch.
    pub traceparent: Option<String>,
    /// creationTimestamp (API server's clock).
    pub created: Option<Timestamp>,
    /// deletionTimestamp (API server's clock, in the future by the grace).
    pub deletion: Option<Timestamp>,
    /// deletionGracePeriodSeconds.
    pub deletion_grace: Option<i64>,
    /// Whether our finalizer is on it.
    pub has_finalizer: Holding,
    /// Our recorded stop.
    pub stop: Option<Stop>,
    /// The stored outcome, with its exact text.
    pub outcome: Option<StoredOutcome>,
    /// When the outcome was stored (podlaunch's clock).
    pub ended: Option<Timestamp>,
    /// When a caller released the finished task (podlaunch's clock).
    pub released: Option<Timestamp>,
    /// When podlaunch stopped what went on after the primary container had ended (podlaunch's clock). The patch that
    /// stops it writes it, on a version that shows nothing else that ends the pod.
    pub cleanup: Option<Timestamp>,
    /// Until when the task counts as listened to (podlaunch's clock); only with a disconnect policy.
    pub attached_until: Option<Timestamp>,
    /// Node it is bound to.
    pub node: Option<String>,
    /// Names of its scheduling gates.
    pub gates: Vec<String>,
    /// spec.restartPolicy.
    pub restart_policy: String,
    /// spec.activeDeadlineSeconds.
    pub active_deadline_seconds: Option<i64>,
    /// spec.terminationGracePeriodSeconds.
    pub grace_seconds: i64,
    /// status.phase: Pending, Running, Succeeded, Failed, Unknown.
    pub phase: String,
    /// status.reason (Evicted, DeadlineExceeded, OutOfcpu …).
    pub reason: Option<String>,
    /// status.message.
    pub message: Option<String>,
    /// status.startTime (node's clock, whole seconds).
    pub start_time: Option<Timestamp>,
    /// status.conditions.
    pub conditions: Vec<Condition>,
    /// Init containers, sidecars and containers, in the spec's order (init first), without the one for the result.
    pub containers: Vec<ContainerObservation>,
    /// Literal values of its environment, to be kept out of what Events say; none once the outcome
    /// is stored. The messages in here are without them already.
    pub literals: Literals,
    /// The sidecar that podlaunch added for the result file. It is none of the task's own.
    pub result_sidecar: Option<Box<ContainerObservation>>,
}

/// Whether the pod carries our finalizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holding {
    /// It does.
    Held,
    /// It does not.
    Free,
}

/// A stored outcome: the parsed form and the bytes every reader gets.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredOutcome {
    /// Parsed.
    pub outcome: Outcome,
    /// The annotation's text, byte for byte.
    pub text: String,
}

/// A pod condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// type: PodScheduled, Ready, ContainersReady, DisruptionTarget …
    pub kind: String,
    /// status: True, False, Unknown.
    pub status: String,
    /// reason.
    pub reason: Option<String>,
    /// message.
    pub message: Option<String>,
    /// lastTransitionTime (its writer's clock, whole seconds).
    pub since: Option<Timestamp>,
}

/// What a container is in its pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Role {
    /// An init container that must end before the others start.
    Init,
    /// An init container with restartPolicy Always: a native sidecar.
    Sidecar,
    /// The container whose exit is the task's.
    Primary,
    /// Any other container.
    Other,
}

/// One container of the pod as its status shows it; a container without a status yet is
/// [`ContainerState::Unset`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerObservation {
    /// Name.
    pub name: String,
    /// What it is in the pod.
    pub role: Role,
    /// restartCount.
    pub restarts: u32,
    /// containerID, empty strings dropped.
    pub container_id: Option<String>,
    /// image as the status has it, else as the spec has it.
    pub image: String,
    /// imageID, empty strings dropped.
    pub image_id: Option<String>,
    /// state.
    pub state: ContainerState,
    /// lastState.terminated.
    pub last: Option<Terminated>,
}

/// The state of a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContainerState {
    /// No status written yet.
    Unset,
    /// waiting.
    Waiting {
        /// reason.
        reason: String,
        /// message.
        message: String,
    },
    /// running.
    Running {
        /// startedAt (node's clock, whole seconds).
        started: Option<Timestamp>,
    },
    /// terminated.
    Terminated(Terminated),
}

/// state.terminated of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terminated {
    /// exitCode as written; see [`Terminated::exit_code`] for whether it is one.
    pub code: i32,
    /// signal, where the runtime sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// reason: Completed, Error, OOMKilled, StartError, ContainerStatusUnknown …
    #[serde(default)]
    pub reason: String,
    /// message: the termination message, or the runtime's words.
    #[serde(default)]
    pub message: String,
    /// startedAt (node's clock, whole seconds); absent and 1970 mean it never started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<Timestamp>,
    /// finishedAt (node's clock, whole seconds).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<Timestamp>,
}

impl Terminated {
    /// The exit code, where a process really ended with it. `ContainerStatusUnknown` (137),
    /// `Unknown` (255) and `StartError` (128) are written by kubelet or runtime without an exit.
    pub fn exit_code(&self) -> Option<i32> {
        match self.reason.as_str() {
            "ContainerStatusUnknown" | "StartError" | "ContainerCannotRun" => None,
            "Unknown" if self.code == 255 => None,
            _ => Some(self.code),
        }
    }

    /// Whether the node could not say how it ended, or whether it ever started.
    pub fn is_unlocated(&self) -> bool {
        self.reason == "ContainerStatusUnknown"
    }

    /// Whether the message is the runtime's or the kubelet's, and not what a process printed.
    pub fn message_is_kubernetes(&self) -> bool {
        self.exit_code().is_none()
    }
}

/// Why a task was stopped by us; the cause of [`Stop`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum StopCause {
    /// A caller cancelled it.
    Cancel,
    /// It was not bound to a node in time.
    ScheduleTimeout,
    /// Its primary container did not start in time.
    StartupTimeout,
    /// Its primary container ran too long.
    ExecutionTimeout,
    /// Its caller's stream was gone for longer than its disconnect policy allows.
    Disconnected,
    /// Its node was unreachable for longer than its lost timeout.
    LostTimeout,
}

/// A recorded stop: annotation `podlaunch.dev/stop`. Written in the same patch that stops the
/// pod and only while the primary container has not terminated, so it proves that it came first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// Cause.
    pub cause: StopCause,
    /// Who asked, as the API knew them; empty for a timeout.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub caller: String,
    /// The caller's words, at most 1 KiB.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// When it was recorded (podlaunch's clock).
    pub time: Timestamp,
    /// Grace asked for, seconds.
    pub grace_seconds: i64,
    /// Why the task was still pending when it was stopped: then this is the outcome's reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingReason>,
}

/// Why a task is pending: from waiting states, conditions and Pod events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingReason {
    /// Our reason.
    pub reason: Reason,
    /// Kubernetes' reason, verbatim (ErrImagePull, Unschedulable, FailedMount …).
    pub kubernetes_reason: String,
    /// Kubernetes' message, verbatim.
    pub kubernetes_message: String,
    /// Whether stored data proves that the primary container never started.
    pub never_started: NeverStarted,
}

/// Whether stored data proves that the primary container never started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NeverStarted {
    /// Proven.
    Proven,
    /// Not known.
    Unknown,
}

impl Observation {
    /// The primary container.
    pub fn primary(&self) -> Option<&ContainerObservation> {
        self.containers.iter().find(|c| c.name == self.primary && c.role == Role::Primary)
    }

    /// The primary container's end, where it is not running now. Under OnFailure it may be started again.
    pub fn primary_terminated(&self) -> Option<&Terminated> {
        match &self.primary()?.state {
            ContainerState::Terminated(t) => Some(t),
            _ => None,
        }
    }

    /// The primary container's end, where its pod does not start it again.
    pub fn primary_ended(&self) -> Option<&Terminated> {
        self.primary_terminated().filter(|end| self.ends_for_good(end))
    }

    /// Whether a regular container that ended so is not started again.
    pub fn ends_for_good(&self, end: &Terminated) -> bool {
        match self.restart_policy.as_str() {
            "Never" => true,
            "OnFailure" => end.code == 0,
            _ => false,
        }
    }

    /// A condition by type.
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions.iter().find(|c| c.kind == kind)
    }

    /// The highest attempt this pod stands for.
    pub fn highest_attempt(&self) -> u32 {
        self.attached_attempts.last().copied().unwrap_or_default().max(self.key.attempt)
    }

    /// Whether somebody deleted it by force, and what keeps the object is a finalizer alone: its node is not waited for.
    pub fn is_force_deleted(&self) -> bool {
        self.deletion.is_some() && self.deletion_grace == Some(0) && !self.phase_is_terminal()
    }

    /// Whether the phase is Succeeded or Failed.
    pub fn phase_is_terminal(&self) -> bool {
        matches!(self.phase.as_str(), "Succeeded" | "Failed")
    }
}
