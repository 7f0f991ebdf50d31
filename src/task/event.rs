//! What a caller is told about a task, in the order of [`super::machine`].
//!
//! An event's identity is a hash of the pod's uid and its content, never an index: a replay on
//! another replica gives the same event the same `uid`.

use jiff::Timestamp;

use super::observation::{Role, Terminated};
use std::sync::Arc;

use super::observation::StoredOutcome;
use super::reason::Reason;
use super::state::State;

/// One event of a task's row, without lines of logs (those belong to a stream).
#[derive(Debug, Clone, PartialEq)]
pub struct TaskEvent {
    /// Identity: 16 bytes of sha-256 over pod uid and content, base32.
    pub uid: String,
    /// When it happened, by the clock of whoever reported it.
    pub occurred: Option<Timestamp>,
    /// When this replica saw it (podlaunch's clock).
    pub observed: Timestamp,
    /// What happened.
    pub body: TaskEventBody,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskEventBody {
    /// The task went to a non-terminal state.
    State(StateChange),
    /// A container went to another phase.
    Container(ContainerChange),
    /// A Kubernetes event worth showing.
    Notice(Notice),
    /// The outcome is stored: what a stream's Termination carries.
    Outcome(Arc<StoredOutcome>),
}

/// The task went to a non-terminal state, or its reason for being there changed.
#[derive(Debug, Clone, PartialEq)]
pub struct StateChange {
    /// Where it is now.
    pub state: State,
    /// Where it was; none for the first.
    pub previous: Option<State>,
    /// Why, where there is a why (pending reason, stop cause, disruption).
    pub reason: Option<Reason>,
    /// Kubernetes' reason, verbatim.
    pub kubernetes_reason: String,
    /// Kubernetes' message, verbatim.
    pub kubernetes_message: String,
    /// Node, once bound.
    pub node: Option<String>,
}

/// Which kind a container is, as callers see it.
pub type ContainerKind = Role;

/// A container's phase.
#[derive(Debug, Clone, PartialEq)]
pub enum ContainerPhase {
    /// waiting.
    Waiting {
        /// Kubernetes' reason.
        reason: String,
        /// Kubernetes' message.
        message: String,
        /// Our reading of it, where it is not a normal step.
        classified: Option<Reason>,
    },
    /// running.
    Running {
        /// startedAt (node).
        started: Option<Timestamp>,
    },
    /// terminated.
    Terminated(Terminated),
}

impl ContainerPhase {
    /// Order within one restart.
    pub fn rank(&self) -> u8 {
        match self {
            ContainerPhase::Waiting { .. } => 1,
            ContainerPhase::Running { .. } => 2,
            ContainerPhase::Terminated(_) => 3,
        }
    }
}

/// A container went to another phase.
#[derive(Debug, Clone, PartialEq)]
pub struct ContainerChange {
    /// Container.
    pub container: String,
    /// What it is in the pod.
    pub kind: ContainerKind,
    /// restartCount this is about.
    pub restart: u32,
    /// The phase.
    pub phase: ContainerPhase,
    /// imageID, once known.
    pub image_id: Option<String>,
}

/// A Kubernetes event worth showing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Kubernetes' reason: FailedScheduling, Pulling, Pulled, BackOff, FailedMount …
    pub reason: String,
    /// Kubernetes' message, verbatim.
    pub message: String,
    /// Whether Kubernetes calls it a warning.
    pub severity: Severity,
    /// When it was first seen, by its reporter's clock.
    pub first: Option<Timestamp>,
    /// How often it has been seen, as Kubernetes counts.
    pub count: u32,
    /// Container it is about, from `involvedObject.fieldPath`.
    pub container: Option<String>,
    /// Who reported it (kubelet, default-scheduler …).
    pub source: String,
    /// resourceVersion of the Event object: orders notices over replicas.
    pub version: u64,
}

/// Type of a Kubernetes event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Normal.
    Normal,
    /// Warning.
    Warning,
}
