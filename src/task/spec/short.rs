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

use super::container::{EnvFrom, EnvVar, InitContainer, Mount, Port, PullPolicy, Resources};
use super::fragment::Fragment;
use super::is_default;
use super::volume::Volume;

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
    /// Ports.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<Port>,
    /// A SecurityContext.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub security_context: Option<Fragment>,
    /// `File` or `FallbackToLogsOnError`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub termination_message_policy: Option<String>,
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
    /// Where the pod may be placed, beside the node selector and tolerations.
    #[serde(skip_serializing_if = "is_default")]
    pub placement: Placement,
    /// How the pod meets the network.
    #[serde(skip_serializing_if = "is_default")]
    pub network: Network,
    /// A PodSecurityContext.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod_security_context: Option<Fragment>,
    /// Runtime class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime_class: Option<String>,
    /// Whether the service account's token is mounted; unset is as the account says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automount_token: Option<bool>,
}

impl ShortForm {
    /// Whether nothing is set.
    pub fn is_unset(&self) -> bool {
        is_default(self)
    }
}

/// Where a pod may be placed.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Placement {
    /// An Affinity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Fragment>,
    /// A list of TopologySpreadConstraint.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub topology_spread: Option<Fragment>,
    /// Name of the scheduler; unset is the cluster's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduler: Option<String>,
}

/// How a pod meets the network.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Network {
    /// Host name inside the pod; unset is the pod's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Subdomain of the host name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subdomain: Option<String>,
    /// Kubernetes' word: `ClusterFirst`, `Default` …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_policy: Option<String>,
    /// A PodDNSConfig.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dns_config: Option<Fragment>,
    /// More entries of `/etc/hosts`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub host_aliases: Vec<HostAlias>,
    /// Whether it uses the node's own network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_network: Option<bool>,
}

/// An entry of `/etc/hosts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HostAlias {
    /// The address.
    pub ip: String,
    /// Its names.
    pub hostnames: Vec<String>,
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
