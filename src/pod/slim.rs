//! The part of a pod object that podlaunch reads: a small fraction of it, leniently.
//!
//! ```text
//!   API server's JSON ──serde──▶ SlimPod ──observe──▶ Observation
//! ```
//!
//! Lenient: an unknown field is skipped, a missing or null one is its default, a stamp that cannot
//! be parsed is no stamp. One odd pod must never end the watch of all.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;

/// A pod, as far as podlaunch reads it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SlimPod {
    /// metadata, without managedFields and owners.
    #[serde(deserialize_with = "slim_meta")]
    pub metadata: ObjectMeta,
    /// spec.
    #[serde(deserialize_with = "nullable")]
    pub spec: SlimSpec,
    /// status.
    #[serde(deserialize_with = "nullable")]
    pub status: SlimStatus,
}

/// spec.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SlimSpec {
    /// nodeName.
    pub node_name: Option<String>,
    /// restartPolicy.
    pub restart_policy: Option<String>,
    /// activeDeadlineSeconds.
    pub active_deadline_seconds: Option<i64>,
    /// terminationGracePeriodSeconds.
    pub termination_grace_period_seconds: Option<i64>,
    /// schedulingGates.
    #[serde(deserialize_with = "nullable")]
    pub scheduling_gates: Vec<SlimGate>,
    /// initContainers.
    #[serde(deserialize_with = "nullable")]
    pub init_containers: Vec<SlimContainer>,
    /// containers.
    #[serde(deserialize_with = "nullable")]
    pub containers: Vec<SlimContainer>,
}

/// spec.schedulingGates[].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct SlimGate {
    /// name.
    pub name: String,
}

/// spec.containers[].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SlimContainer {
    /// name.
    pub name: String,
    /// image.
    pub image: Option<String>,
    /// restartPolicy; `Always` on an init container makes it a sidecar.
    pub restart_policy: Option<String>,
    /// env.
    #[serde(deserialize_with = "nullable")]
    pub env: Vec<SlimEnv>,
}

/// spec.containers[].env[], for its literal value alone: Kubernetes' messages may quote it.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct SlimEnv {
    /// value.
    pub value: Option<String>,
}

impl std::fmt::Debug for SlimEnv {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SlimEnv(_)")
    }
}

/// status.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SlimStatus {
    /// observedGeneration.
    pub observed_generation: Option<i64>,
    /// phase.
    pub phase: Option<String>,
    /// reason.
    pub reason: Option<String>,
    /// message.
    pub message: Option<String>,
    /// startTime (node's clock).
    #[serde(deserialize_with = "stamp")]
    pub start_time: Option<Timestamp>,
    /// conditions.
    #[serde(deserialize_with = "nullable")]
    pub conditions: Vec<SlimCondition>,
    /// initContainerStatuses.
    #[serde(deserialize_with = "nullable")]
    pub init_container_statuses: Vec<SlimContainerStatus>,
    /// containerStatuses.
    #[serde(deserialize_with = "nullable")]
    pub container_statuses: Vec<SlimContainerStatus>,
}

/// status.conditions[].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SlimCondition {
    /// type.
    #[serde(rename = "type")]
    pub kind: String,
    /// status.
    pub status: String,
    /// reason.
    pub reason: Option<String>,
    /// message.
    pub message: Option<String>,
    /// lastTransitionTime (its writer's clock).
    #[serde(deserialize_with = "stamp")]
    pub last_transition_time: Option<Timestamp>,
}

/// status.containerStatuses[].
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SlimContainerStatus {
    /// name.
    pub name: String,
    /// restartCount.
    pub restart_count: i64,
    /// image.
    pub image: Option<String>,
    /// imageID.
    #[serde(rename = "imageID")]
    pub image_id: Option<String>,
    /// containerID.
    #[serde(rename = "containerID")]
    pub container_id: Option<String>,
    /// state.
    #[serde(deserialize_with = "nullable")]
    pub state: SlimState,
    /// lastState.
    #[serde(deserialize_with = "nullable")]
    pub last_state: SlimState,
}

/// state and lastState of a container: at most one is there.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct SlimState {
    /// waiting.
    pub waiting: Option<SlimWaiting>,
    /// running.
    pub running: Option<SlimRunning>,
    /// terminated.
    pub terminated: Option<SlimTerminated>,
}

/// state.waiting.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct SlimWaiting {
    /// reason.
    pub reason: Option<String>,
    /// message.
    pub message: Option<String>,
}

/// state.running.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SlimRunning {
    /// startedAt (node's clock).
    #[serde(deserialize_with = "stamp")]
    pub started_at: Option<Timestamp>,
}

/// state.terminated.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SlimTerminated {
    /// exitCode.
    pub exit_code: i32,
    /// signal.
    pub signal: Option<i32>,
    /// reason.
    pub reason: Option<String>,
    /// message.
    pub message: Option<String>,
    /// startedAt (node's clock); the runtime's zero, 1970, is none.
    #[serde(deserialize_with = "stamp")]
    pub started_at: Option<Timestamp>,
    /// finishedAt (node's clock).
    #[serde(deserialize_with = "stamp")]
    pub finished_at: Option<Timestamp>,
}

/// metadata, as far as it is read. Parsed apart, so that managedFields cost no memory.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct SlimMeta {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    #[serde(deserialize_with = "stamp")]
    creation_timestamp: Option<Timestamp>,
    #[serde(deserialize_with = "stamp")]
    deletion_timestamp: Option<Timestamp>,
    deletion_grace_period_seconds: Option<i64>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    finalizers: Option<Vec<String>>,
}

fn slim_meta<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    let meta = Option::<SlimMeta>::deserialize(deserializer)?.unwrap_or_default();
    Ok(ObjectMeta {
        name: meta.name,
        namespace: meta.namespace,
        uid: meta.uid,
        resource_version: meta.resource_version,
        generation: meta.generation,
        creation_timestamp: meta.creation_timestamp.map(Time),
        deletion_timestamp: meta.deletion_timestamp.map(Time),
        deletion_grace_period_seconds: meta.deletion_grace_period_seconds,
        labels: meta.labels,
        annotations: meta.annotations,
        finalizers: meta.finalizers,
        ..ObjectMeta::default()
    })
}

fn nullable<'de, T: Deserialize<'de> + Default, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

fn stamp<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let text = Option::<std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
    Ok(text.and_then(|t| t.parse::<Timestamp>().ok()).filter(|t| *t != Timestamp::UNIX_EPOCH))
}
