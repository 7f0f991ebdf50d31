//! The short form: the part of a pod that most tasks need, typed.
//!
//! ```text
//! image, command, args, env … ──▶ the primary container ─┐
//! labels, volumes, init containers … ──▶ the pod ────────┴─ pod::short ──▶ patch over the manifest
//! ```
//!
//! An empty list or map is "not set": to remove what a manifest has, the manifest is the place.

use std::collections::BTreeMap;

use serde::Serialize;

use super::is_default;

/// The short form of a pod. Everything is optional; what is not set leaves the manifest as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ShortForm {
    /// Name of the container that the fields below describe: the primary one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_name: Option<String>,
    /// Image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// When the image is pulled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<PullPolicy>,
    /// Entrypoint; not run in a shell.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Arguments to the entrypoint.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Working directory, absolute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// Environment, in order: a later one may refer to an earlier one as `$(NAME)`.
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
    /// Labels of the pod.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations of the pod.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Labels a node must have.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints the pod tolerates; replaces the manifest's list, as Kubernetes merges it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// Service account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// Names of the secrets that open private registries.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub image_pull_secrets: Vec<String>,
    /// Priority class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority_class: Option<String>,
    /// Volumes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Volume>,
    /// Containers that run before the primary one, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub init_containers: Vec<InitContainer>,
}

impl ShortForm {
    /// Whether nothing is set.
    pub fn is_unset(&self) -> bool {
        is_default(self)
    }
}

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

/// A taint the pod tolerates, in Kubernetes' terms; unset is Kubernetes' default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Toleration {
    /// Key of the taint; unset with operator `Exists` is every key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// `Equal` or `Exists`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<String>,
    /// Value of the taint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`; unset is all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<String>,
    /// How long a NoExecute taint is tolerated, seconds; unset is for ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<i64>,
}

/// A volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Volume {
    /// Name that mounts refer to.
    pub name: String,
    /// What is in it.
    pub source: VolumeSource,
}

/// What a volume holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum VolumeSource {
    /// The keys of a secret as files.
    Secret {
        /// Name of the secret.
        name: String,
        /// Which keys, and where; empty is every key under its own name.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        items: Vec<KeyFile>,
        /// Mode of the files, 0 to 0o777; unset is 0o644.
        #[serde(skip_serializing_if = "Option::is_none")]
        default_mode: Option<u32>,
        /// Whether it must exist.
        #[serde(skip_serializing_if = "is_default")]
        presence: Presence,
    },
    /// The keys of a config map as files.
    ConfigMap {
        /// Name of the config map.
        name: String,
        /// Which keys, and where; empty is every key under its own name.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        items: Vec<KeyFile>,
        /// Mode of the files, 0 to 0o777; unset is 0o644.
        #[serde(skip_serializing_if = "Option::is_none")]
        default_mode: Option<u32>,
        /// Whether it must exist.
        #[serde(skip_serializing_if = "is_default")]
        presence: Presence,
    },
    /// An empty directory that lives as long as the pod.
    EmptyDir {
        /// `Memory` for a tmpfs; unset is the node's disk.
        #[serde(skip_serializing_if = "Option::is_none")]
        medium: Option<String>,
        /// Largest size, a quantity.
        #[serde(skip_serializing_if = "Option::is_none")]
        size_limit: Option<String>,
    },
    /// A persistent volume claim.
    PersistentVolumeClaim {
        /// Name of the claim.
        claim: String,
        /// Whether it can be written to.
        #[serde(skip_serializing_if = "is_default")]
        access: Access,
    },
    /// A path of the node.
    HostPath {
        /// Path on the node.
        path: String,
        /// Kubernetes' type: `Directory`, `DirectoryOrCreate`, `File` …; unset checks nothing.
        #[serde(skip_serializing_if = "Option::is_none")]
        kind: Option<String>,
    },
}

/// A key as a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct KeyFile {
    /// The key.
    pub key: String,
    /// Relative path of the file.
    pub path: String,
    /// Mode of the file, 0 to 0o777; unset is the volume's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
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
