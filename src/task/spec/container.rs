//! The containers of the short form: what a primary and an init container have in common.

use std::collections::BTreeMap;

use serde::Serialize;

use super::fragment::Fragment;
use super::is_default;

/// When the kubelet pulls an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum PullPolicy {
    /// Before every start.
    Always,
    /// When the node does not have it.
    IfNotPresent,
    /// Not at all.
    Never,
}

impl PullPolicy {
    /// Kubernetes' word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            PullPolicy::Always => "Always",
            PullPolicy::IfNotPresent => "IfNotPresent",
            PullPolicy::Never => "Never",
        }
    }
}

/// Whether what is referred to must exist for the container to start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// It must.
    #[default]
    Required,
    /// It need not; then the variable or the files are absent.
    Optional,
}

/// Whether a mount can be written to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// It can, as far as the volume allows.
    #[default]
    ReadWrite,
    /// It cannot.
    ReadOnly,
}

/// One environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EnvVar {
    /// Name.
    pub name: String,
    /// Where its value comes from.
    #[serde(flatten)]
    pub source: EnvSource,
}

/// A text that is never printed for debugging.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Literal(pub String);

impl std::fmt::Debug for Literal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Literal(…)")
    }
}

/// Where the value of a variable comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EnvSource {
    /// This text. It never appears in what is written about a task.
    Value(Literal),
    /// A key of a secret.
    Secret {
        /// Name of the secret.
        name: String,
        /// Key in it.
        key: String,
        /// Whether it must exist.
        #[serde(skip_serializing_if = "is_default")]
        presence: Presence,
    },
    /// A key of a config map.
    ConfigMap {
        /// Name of the config map.
        name: String,
        /// Key in it.
        key: String,
        /// Whether it must exist.
        #[serde(skip_serializing_if = "is_default")]
        presence: Presence,
    },
    /// A field of the pod, such as `metadata.name` or `status.podIP`.
    Field {
        /// Path of the field.
        path: String,
    },
    /// A resource request or limit of a container.
    Resource {
        /// The resource, such as `limits.cpu`.
        resource: String,
        /// The container; unset is the one with the variable.
        #[serde(skip_serializing_if = "Option::is_none")]
        container: Option<String>,
        /// The unit it is expressed in; unset is 1.
        #[serde(skip_serializing_if = "Option::is_none")]
        divisor: Option<String>,
    },
}

/// An object whose every key becomes a variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EnvFrom {
    /// The object.
    pub source: EnvFromSource,
    /// Put before each key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Whether it must exist.
    #[serde(skip_serializing_if = "is_default")]
    pub presence: Presence,
}

/// The object of an [`EnvFrom`], by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EnvFromSource {
    /// A secret.
    Secret(String),
    /// A config map.
    ConfigMap(String),
}

/// Requests and limits: resource name to Kubernetes quantity (`cpu: 500m`, `memory: 1Gi`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Resources {
    /// What is set aside.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub requests: BTreeMap<String, String>,
    /// What may be used at most.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, String>,
}

/// A port of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Port {
    /// Its number, 1 to 65535.
    pub number: u32,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// `TCP`, `UDP` or `SCTP`; unset is TCP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
}

/// Where a volume appears in a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mount {
    /// Name of the volume.
    pub volume: String,
    /// Path in the container.
    pub path: String,
    /// Path in the volume; unset is its root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_path: Option<String>,
    /// Whether it can be written to.
    #[serde(skip_serializing_if = "is_default")]
    pub access: Access,
}

/// A container that starts before the primary one.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct InitContainer {
    /// Name.
    pub name: String,
    /// Whether it must end first or runs beside the primary one.
    #[serde(skip_serializing_if = "is_default")]
    pub kind: InitKind,
    /// Image; unset is the one the manifest has for this container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// When the image is pulled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<PullPolicy>,
    /// Entrypoint.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Working directory, absolute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// Environment, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvVar>,
    /// Secrets and config maps whose every key becomes a variable.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env_from: Vec<EnvFrom>,
    /// Requests and limits.
    #[serde(skip_serializing_if = "is_default")]
    pub resources: Resources,
    /// Where volumes are mounted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mounts: Vec<Mount>,
    /// Ports.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<Port>,
    /// A SecurityContext.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_context: Option<Fragment>,
    /// `File` or `FallbackToLogsOnError`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub termination_message_policy: Option<String>,
}

/// What an init container is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum InitKind {
    /// Must end with exit 0 before the next one starts.
    #[default]
    RunToCompletion,
    /// A native sidecar: runs until the ordinary containers have ended.
    Sidecar,
}
