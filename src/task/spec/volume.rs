//! The volumes of the short form.

use serde::Serialize;

use super::container::{Access, Presence};
use super::is_default;

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
    /// Several sources in one directory.
    Projected {
        /// The sources; a later one wins where two have the same path.
        sources: Vec<ProjectedSource>,
        /// Mode of the files, 0 to 0o777; unset is 0o644.
        #[serde(skip_serializing_if = "Option::is_none")]
        default_mode: Option<u32>,
    },
    /// Fields of the pod as files.
    DownwardApi {
        /// The files.
        items: Vec<DownwardFile>,
        /// Mode of the files, 0 to 0o777; unset is 0o644.
        #[serde(skip_serializing_if = "Option::is_none")]
        default_mode: Option<u32>,
    },
}

/// One source of a projected volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProjectedSource {
    /// Keys of a secret.
    Secret {
        /// Name of the secret.
        name: String,
        /// Which keys, and where; empty is every key under its own name.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        items: Vec<KeyFile>,
        /// Whether it must exist.
        #[serde(skip_serializing_if = "is_default")]
        presence: Presence,
    },
    /// Keys of a config map.
    ConfigMap {
        /// Name of the config map.
        name: String,
        /// Which keys, and where; empty is every key under its own name.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        items: Vec<KeyFile>,
        /// Whether it must exist.
        #[serde(skip_serializing_if = "is_default")]
        presence: Presence,
    },
    /// Fields of the pod.
    DownwardApi {
        /// The files.
        items: Vec<DownwardFile>,
    },
    /// A token of the pod's service account, which Kubernetes renews.
    ServiceAccountToken {
        /// Relative path of the file.
        path: String,
        /// Whom it is for; unset is the API server.
        #[serde(skip_serializing_if = "Option::is_none")]
        audience: Option<String>,
        /// For how long it is good, seconds; unset is an hour.
        #[serde(skip_serializing_if = "Option::is_none")]
        expiration_seconds: Option<i64>,
    },
}

/// A field of the pod as a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DownwardFile {
    /// Relative path of the file.
    pub path: String,
    /// What is in it.
    pub source: DownwardSource,
    /// Mode of the file, 0 to 0o777; unset is the volume's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<u32>,
}

/// What a [`DownwardFile`] holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DownwardSource {
    /// A field of the pod, such as `metadata.labels`.
    Field {
        /// Path of the field.
        path: String,
    },
    /// A resource request or limit of a container.
    Resource {
        /// The resource, such as `limits.cpu`.
        resource: String,
        /// The container.
        container: String,
        /// The unit it is expressed in; unset is 1.
        #[serde(skip_serializing_if = "Option::is_none")]
        divisor: Option<String>,
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
