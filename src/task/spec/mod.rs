//! What is to run: the task spec, parsed and typed.
//!
//! ```text
//! request ──api──▶ TaskSpec { template, manifest, short form, primary, timeouts, grace, restart policy, logs }
//!                     │  manifest text ──Manifest::parse──▶ one pod template as JSON
//!                     ├─▶ fingerprint   (what counts is what serializes here)
//!                     └─▶ pod::build    (template, manifest, short form, what is enforced, our own fields)
//! ```
//!
//! Every field that is not set is left out when a spec is serialized, so that a field added to a
//! later version changes no fingerprint of a spec that does not use it. **The serialized names and
//! shapes are part of the fingerprint: renaming one makes every running task a mismatch.**

mod container;
mod fragment;
mod manifest;
mod short;
mod volume;

use serde::Serialize;

pub use container::{
    Access, EnvFrom, EnvFromSource, EnvSource, EnvVar, InitContainer, InitKind, Literal, Mount, Port, Presence,
    PullPolicy, Resources,
};
pub use fragment::{Fragment, FragmentShape, MAX_FRAGMENT_BYTES};
pub use manifest::{MAX_MANIFEST_BYTES, Manifest, document as parse_document};
pub use short::{HostAlias, Network, Placement, ShortForm, Toleration};
pub use volume::{DownwardFile, DownwardSource, KeyFile, ProjectedSource, Volume, VolumeSource};

use super::policy::{LogSelection, Retention, Timeouts};
use super::result::ResultSource;

/// One thing that is wrong in a request. A field is named as the contract names it
/// (`spec.container.image`), one inside the manifest by its Kubernetes path behind a colon
/// (`spec.manifest: spec.containers[0].image`).
///
/// Never holds a value the caller sent as an env literal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct SpecError {
    /// The field of the request.
    pub field: String,
    /// What is wrong and what is allowed.
    pub problem: String,
}

impl SpecError {
    /// A violation of `field`.
    pub fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        SpecError { field: field.into(), problem: problem.into() }
    }
}

/// The restart policy of a task's pod. `Always` never ends and does not exist here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum RestartPolicy {
    /// A failed container stays failed: the default.
    Never,
    /// The kubelet restarts failed containers; the task runs on over restarts.
    OnFailure,
}

impl RestartPolicy {
    /// Kubernetes' word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            RestartPolicy::Never => "Never",
            RestartPolicy::OnFailure => "OnFailure",
        }
    }
}

/// What is to run.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct TaskSpec {
    /// Name of the server's template, below the manifest. It enters the fingerprint by its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// The pod manifest, below the short form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Manifest>,
    /// The short form, merged over the manifest.
    #[serde(skip_serializing_if = "ShortForm::is_unset")]
    pub short: ShortForm,
    /// Name of the container whose exit is the task's; inferred where the pod leaves no choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary: Option<String>,
    /// Timeouts.
    #[serde(skip_serializing_if = "is_default")]
    pub timeouts: Timeouts,
    /// Seconds between SIGTERM and SIGKILL; unset is the manifest's, else Kubernetes' 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub termination_grace_seconds: Option<i64>,
    /// Restart policy; unset is the manifest's, else Never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_policy: Option<RestartPolicy>,
    /// Where the result is taken from; unset: it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<ResultSource>,
    /// Which logs are delivered. Changes nothing about what runs, so it is not serialized.
    #[serde(skip)]
    pub logs: LogSelection,
    /// For how long pod and log are kept after the end. Changes nothing about what runs either.
    #[serde(skip)]
    pub retention: Retention,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
