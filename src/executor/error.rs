//! Everything a call can be refused for, with what to do about it.

use std::time::Duration;

use crate::cluster::{ApiFailure, Denial};
use crate::pod::template::Catalog;
use crate::task::KeyError;
use crate::task::cursor::CursorError;
use crate::task::outcome::ResultState;
use crate::task::spec::SpecError;

/// Why a call did not do what was asked. [`ExecError::retry_after`] tells whether repeating helps.
#[derive(Debug, thiserror::Error)]
pub enum ExecError {
    /// Fields of the request are wrong.
    #[error("the request is invalid: {}", summary(.0))]
    Invalid(Vec<SpecError>),
    /// A field of the key is wrong.
    #[error("the request is invalid: {}: {}", .0.field, .0.problem)]
    Key(#[from] KeyError),
    /// The server has no template of this name.
    #[error("the server has no template {name:?}; it has: {known}")]
    TemplateUnknown {
        /// As asked.
        name: String,
        /// The names there are, as many as fit.
        known: String,
    },
    /// Fields contradict what the server enforces in the namespace.
    #[error("the request contradicts what this server enforces: {}", summary(.0))]
    PolicyViolated(Vec<SpecError>),
    /// The API server refused the pod (400, 422).
    #[error("Kubernetes refused the pod: {message}")]
    SpecRejected {
        /// Its words.
        message: String,
        /// The fields it named, as fields of the request.
        fields: Vec<SpecError>,
    },
    /// The pod is larger than Kubernetes stores.
    #[error("the pod is larger than Kubernetes stores: {message}; move large values into a ConfigMap or an image")]
    TooLarge {
        /// Kubernetes' words.
        message: String,
    },
    /// The key is taken by another spec.
    #[error("task {key} was launched with another spec; use another task id, or the next attempt")]
    SpecMismatch {
        /// The key.
        key: String,
        /// Fingerprint of the task there.
        existing: String,
        /// Fingerprint of this request.
        requested: String,
    },
    /// The pod name is taken by a pod this instance did not make.
    #[error("pod {pod} exists and is not of this instance: {why}")]
    OtherInstance {
        /// namespace/name.
        pod: String,
        /// What does not agree.
        why: String,
    },
    /// The pod of this key is being deleted; its name is free afterwards.
    #[error("pod {pod} is being deleted; repeat when it is gone")]
    PodTerminating {
        /// namespace/name.
        pod: String,
    },
    /// No such task.
    #[error("task {key} is not known: it was never launched, or its pod and record are gone")]
    TaskUnknown {
        /// The key.
        key: String,
    },
    /// The task has ended and was released: its pod and record are gone.
    #[error("task {key} has ended and was released; what is asked for is gone")]
    TaskReleased {
        /// The key.
        key: String,
    },
    /// The task is not finished.
    #[error("task {key} is not finished; wait for its end, or cancel it, then repeat")]
    TaskActive {
        /// The key.
        key: String,
    },
    /// The pod has another uid than the one asked for.
    #[error("the pod of task {key} has uid {uid}, not the one asked for")]
    PodUidMismatch {
        /// The key.
        key: String,
        /// The uid it has.
        uid: String,
    },
    /// No such cluster.
    #[error("cluster {cluster:?} is not known; leave it empty for the only one")]
    ClusterUnknown {
        /// As asked.
        cluster: String,
    },
    /// The namespace is outside of what this server serves.
    #[error("namespace {namespace} is not served here; GetServerInfo lists those that are")]
    NamespaceNotServed {
        /// As asked.
        namespace: String,
    },
    /// The namespace does not exist.
    #[error("namespace {namespace} does not exist: {message}")]
    NamespaceMissing {
        /// As asked.
        namespace: String,
        /// Kubernetes' words.
        message: String,
    },
    /// A 403 of the API server.
    #[error("Kubernetes forbids the pod: {}", words(.0))]
    Forbidden(Denial),
    /// Kubernetes asked to wait.
    #[error("Kubernetes asks to slow down: {message}")]
    RateLimited {
        /// When to repeat.
        after: Duration,
        /// Its words.
        message: String,
    },
    /// Whether the pod exists is not known: repeat the same launch.
    #[error("whether the pod was created is not known; repeat the launch with the same key and spec")]
    LaunchUnknown(#[source] Option<ApiFailure>),
    /// The API server cannot be asked now.
    #[error("the cluster cannot be reached now")]
    ClusterUnavailable(#[source] ApiFailure),
    /// An earlier attempt of the task is not finished.
    #[error("task {key} is not finished; launch again when it has ended, or cancel it, or set if_previous_active")]
    PreviousActive {
        /// The earlier attempt.
        key: String,
    },
    /// What this server knows of the namespace is not fresh.
    #[error("the watch of namespace {namespace} is not up yet; repeat")]
    WatchStale {
        /// As asked.
        namespace: String,
    },
    /// The cursor cannot be used.
    #[error("{0}")]
    Cursor(#[from] CursorError),
    /// There is no result, or none to be had.
    #[error("the task's result is not to be had: {why}")]
    ResultUnavailable {
        /// How the outcome has it; unset where none was asked for.
        state: Option<ResultState>,
        /// Why.
        why: &'static str,
    },
    /// More open streams than allowed.
    #[error("the server has its limit of {limit} open streams; repeat later or on another replica")]
    TooManyStreams {
        /// The limit.
        limit: usize,
    },
    /// The stream's reader stood still for too long.
    #[error("the stream was not read for {0:?}; attach again with the last cursor")]
    ReaderTooSlow(Duration),
    /// The server is shutting down.
    #[error("the server is shutting down; repeat on another replica or in a moment")]
    ShuttingDown,
    /// A bug.
    #[error("internal error: {0}")]
    Internal(String),
}

/// Most templates that are named where one is not known.
const KNOWN_TEMPLATES: usize = 20;

impl ExecError {
    /// No template of this name is in the catalog.
    pub fn template_unknown(name: &str, catalog: &Catalog) -> ExecError {
        let known: Vec<&str> = catalog.names().take(KNOWN_TEMPLATES).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        ExecError::TemplateUnknown { name: name.to_owned(), known }
    }

    /// What it is, in a word, without anybody else's words.
    pub fn kind(&self) -> &'static str {
        match self {
            ExecError::LaunchUnknown(_) => "its result is unknown",
            ExecError::RateLimited { .. } => "the API server asks to slow down",
            ExecError::Forbidden(Denial::ServiceAccount(_)) => "the service account is not there yet",
            ExecError::Forbidden(Denial::Quota(_)) => "the quota is used up",
            ExecError::PodTerminating { .. } => "the pod of this name is going",
            _ => "it was refused",
        }
    }

    /// When repeating the same call can help, after how long.
    pub fn retry_after(&self) -> Option<Duration> {
        let second = Duration::from_secs(1);
        match self {
            ExecError::PodTerminating { .. } => Some(Duration::from_secs(2)),
            ExecError::Forbidden(Denial::Quota(_)) => Some(Duration::from_secs(10)),
            ExecError::Forbidden(Denial::ServiceAccount(_)) => Some(Duration::from_secs(2)),
            ExecError::RateLimited { after, .. } => Some(*after),
            ExecError::LaunchUnknown(_) | ExecError::ClusterUnavailable(_) | ExecError::WatchStale { .. } => {
                Some(second)
            }
            ExecError::TooManyStreams { .. } => Some(Duration::from_secs(5)),
            ExecError::ReaderTooSlow(_) | ExecError::ShuttingDown => Some(second),
            _ => None,
        }
    }
}

fn summary(errors: &[SpecError]) -> String {
    let first = errors.iter().take(3).map(|e| format!("{}: {}", e.field, e.problem));
    let mut text = first.collect::<Vec<_>>().join("; ");
    if errors.len() > 3 {
        text.push_str(&format!("; and {} more", errors.len() - 3));
    }
    text
}

fn words(denial: &Denial) -> &str {
    match denial {
        Denial::Quota(m)
        | Denial::ServiceAccount(m)
        | Denial::NamespaceTerminating(m)
        | Denial::Admission(m)
        | Denial::Rbac(m) => m,
    }
}
