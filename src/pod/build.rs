//! The pod of a task: what is POSTed.
//!
//! ```text
//! {} ◀─merge─ template ◀─merge─ manifest ◀─merge─ short form ◀─ what is enforced ──check──▶ ◀─ our own fields ──▶ Pod
//!                                  └─ name of the primary container ─┘
//! ```
//!
//! Decisions a caller sees:
//! - `metadata.name` and `generateName` of a manifest are dropped: the name follows from the key.
//!   So are `status` and what only the API server sets (uid, resourceVersion …), so that a pod
//!   printed by kubectl is a manifest.
//! - `metadata.namespace` may be there if it is the key's.
//! - `app.kubernetes.io/managed-by` is always podlaunch.
//! - `activeDeadlineSeconds` is the lower of the manifest's and the sum of the timeouts.
//! - `restartPolicy` is Never unless OnFailure is asked for; Always is refused.
//! - A result given as a file adds a sidecar and mostly a volume (`result`).
//! - Labels, annotations, finalizers and scheduling gates below `podlaunch.dev/` are refused.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::enforce::{Enforced, enforce};
use super::fields::FieldMap;
use super::merge::{MergeError, merge_pod};
use super::result::{self, ResultSettings};
use super::short::{self, primary_name};
use super::template::Template;
use super::validate::{check_manifest, check_pod, check_spec};
use crate::task::fingerprint::Fingerprint;
use crate::task::key::{Instance, TaskKey};
use crate::task::meta;
use crate::task::policy::{StoredPolicy, Timeouts};
use crate::task::spec::{SpecError, TaskSpec};

/// Metadata that a manifest may carry and that is not taken over.
const DROPPED_METADATA: [&str; 10] = [
    "name",
    "generateName",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
    "managedFields",
];

/// Whether the pod gets our finalizer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finalizer {
    /// It does: its status stays until the outcome is recorded.
    On,
    /// It does not.
    Off,
}

/// Everything a pod is made of.
#[derive(Debug, Clone, Copy)]
pub struct Launch<'a> {
    /// This installation.
    pub instance: &'a Instance,
    /// The task.
    pub key: &'a TaskKey,
    /// What to run.
    pub spec: &'a TaskSpec,
    /// The template that `spec` names.
    pub template: Option<&'a Template>,
    /// What is enforced in every namespace.
    pub enforced: &'a Enforced,
    /// Fingerprint of `spec`.
    pub fingerprint: &'a Fingerprint,
    /// W3C traceparent of the launch.
    pub traceparent: Option<&'a str>,
    /// Whether the pod gets our finalizer.
    pub finalizer: Finalizer,
    /// Startup timeout where the spec sets none, seconds. Stored on the pod, not fingerprinted.
    pub default_startup_seconds: Option<i64>,
    /// Seconds this launch has waited for quota already: they count in the schedule timeout, which is stored with
    /// what is left of it, at least 1 s.
    pub waited_seconds: i64,
    /// How result files are taken.
    pub result: &'a ResultSettings,
    /// Seconds without a listener after which the task is stopped.
    pub cancel_after: Option<i64>,
    /// podlaunch's clock.
    pub now: Timestamp,
}

/// Why there is no pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Fields are wrong; never empty.
    Invalid(Vec<SpecError>),
    /// Fields contradict what the server enforces; never empty.
    Policy(Vec<SpecError>),
}

impl From<Vec<SpecError>> for Refused {
    fn from(fields: Vec<SpecError>) -> Refused {
        Refused::Invalid(fields)
    }
}

/// Builds the pod, or says everything that is wrong with the request.
pub fn build(launch: &Launch<'_>) -> Result<Value, Refused> {
    let spec = launch.spec;
    settle(check_spec(spec))?;
    settle(spec.result.as_ref().map(|source| result::check(source, launch.result)).unwrap_or_default())?;
    let template = launch.template.map(|template| template.manifest.template());
    let empty = json!({});
    let manifest = spec.manifest.as_ref().map_or(&empty, |manifest| manifest.template());
    let mut base = merge_pod(Value::Null, template.unwrap_or(&empty)).map_err(|error| in_part("template", error))?;
    base = merge_pod(base, manifest).map_err(|error| in_part("manifest", error))?;
    settle(check_manifest(&base, &launch.key.namespace))?;
    let primary = primary_name(spec, &base).map_err(|error| vec![error])?;
    let patch = short_patch(spec, &base, &primary);
    let mut pod = merge_pod(base, &patch).map_err(|error| in_part("manifest", error))?;
    settle(check_pod(spec, template, &pod, &primary))?;
    result::add(&mut pod, (spec, template), &primary, launch.result)?;
    pod = enforce_all(launch, pod, manifest, &primary)?;
    settle(check_pod(spec, template, &pod, &primary))?;
    if let Value::Object(pod) = &mut pod {
        own_metadata(pod, launch, &primary)?;
        own_spec(pod, launch);
    }
    Ok(pod)
}

fn settle(errors: Vec<SpecError>) -> Result<(), Vec<SpecError>> {
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

/// Merges what the server enforces over the pod, unless what the launch itself asks for contradicts it.
fn enforce_all(launch: &Launch<'_>, mut pod: Value, manifest: &Value, primary: &str) -> Result<Value, Refused> {
    let mut patches = launch.enforced.of(&launch.key.namespace).peekable();
    if patches.peek().is_none() {
        return Ok(pod);
    }
    let asked = merge_pod(Value::Null, manifest)
        .and_then(|base| merge_pod(base, &short::patch(&launch.spec.short, primary)))
        .map_err(|error| in_part("manifest", error))?;
    let asked = FieldMap::of_primary(launch.spec, None, &asked, primary);
    for patch in patches {
        pod = enforce(pod, patch, &asked).map_err(Refused::Policy)?;
    }
    Ok(pod)
}

/// The short form is well formed by its types, so a merge fails for what the manifest or the template has.
fn in_part(part: &str, error: MergeError) -> Vec<SpecError> {
    let field = if error.path.is_empty() { format!("spec.{part}") } else { format!("spec.{part}: {}", error.path) };
    vec![SpecError::new(field, error.problem)]
}

/// The patch of the short form. Where the manifest has no containers either, the primary one is in
/// it even if nothing is known of it: then what is missing is said about that container.
fn short_patch(spec: &TaskSpec, base: &Value, primary: &str) -> Value {
    match base["spec"]["containers"].as_array() {
        Some(containers) if !containers.is_empty() => short::patch(&spec.short, primary),
        _ => short::patch_with_container(&spec.short, primary),
    }
}

/// Takes an object out to be changed and put back; anything else there was refused before.
fn take_object(parent: &mut Map<String, Value>, field: &str) -> Map<String, Value> {
    match parent.remove(field) {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

fn own_metadata(pod: &mut Map<String, Value>, launch: &Launch<'_>, primary: &str) -> Result<(), Vec<SpecError>> {
    pod.insert("apiVersion".into(), "v1".into());
    pod.insert("kind".into(), "Pod".into());
    pod.remove("status");
    let mut metadata = take_object(pod, "metadata");
    for field in DROPPED_METADATA {
        metadata.remove(field);
    }
    metadata.insert("name".into(), launch.key.pod_name(launch.instance).into());
    metadata.insert("namespace".into(), launch.key.namespace.as_str().into());
    let mut labels = take_object(&mut metadata, "labels");
    labels.insert(meta::LABEL_INSTANCE.into(), launch.instance.as_str().into());
    labels.insert(meta::LABEL_TASK.into(), launch.key.task_label().into());
    labels.insert(meta::LABEL_ATTEMPT.into(), launch.key.attempt.to_string().into());
    labels.insert(meta::LABEL_MANAGED_BY.into(), meta::MANAGED_BY.into());
    metadata.insert("labels".into(), Value::Object(labels));
    let mut annotations = take_object(&mut metadata, "annotations");
    own_annotations(&mut annotations, launch, primary)?;
    metadata.insert("annotations".into(), Value::Object(annotations));
    if launch.finalizer == Finalizer::On {
        match metadata.entry("finalizers").or_insert_with(|| json!([])) {
            Value::Array(finalizers) => finalizers.push(meta::FINALIZER.into()),
            other => *other = json!([meta::FINALIZER]),
        }
    }
    pod.insert("metadata".into(), Value::Object(metadata));
    Ok(())
}

fn own_annotations(
    annotations: &mut Map<String, Value>,
    launch: &Launch<'_>,
    primary: &str,
) -> Result<(), Vec<SpecError>> {
    let stored = policy(launch);
    let policy = serde_json::to_string(&stored)
        .map_err(|_| vec![SpecError::new("spec.timeouts", "cannot be stored as JSON")])?;
    annotations.insert(meta::SCHEMA_KEY.into(), meta::SCHEMA.into());
    annotations.insert(meta::TASK_ID.into(), launch.key.task_id.as_str().into());
    annotations.insert(meta::FINGERPRINT.into(), launch.fingerprint.as_str().into());
    annotations.insert(meta::PRIMARY.into(), primary.into());
    if let Some(template) = launch.template {
        annotations.insert(meta::TEMPLATE.into(), template.stamp().into());
    }
    annotations.insert(meta::POLICY.into(), policy.into());
    if let Some(until) = stored.attached_until(launch.now) {
        annotations.insert(meta::ATTACHED_UNTIL.into(), until.to_string().into());
    }
    if let Some(traceparent) = launch.traceparent {
        annotations.insert(meta::TRACEPARENT.into(), traceparent.into());
    }
    Ok(())
}

/// What is stored on the pod: the spec's timeouts with the server's default filled in and the wait for quota taken off.
fn policy(launch: &Launch<'_>) -> StoredPolicy {
    let left = |schedule: i64| schedule.saturating_sub(launch.waited_seconds).max(1);
    let timeouts = Timeouts {
        schedule: launch.spec.timeouts.schedule.map(left),
        startup: launch.spec.timeouts.startup.or(launch.default_startup_seconds),
        ..launch.spec.timeouts.clone()
    };
    StoredPolicy {
        timeouts,
        logs: launch.spec.logs.clone(),
        result: launch.spec.result.clone(),
        retention: launch.spec.retention.clone(),
        cancel_after: launch.cancel_after,
    }
}

fn own_spec(pod: &mut Map<String, Value>, launch: &Launch<'_>) {
    let mut spec = take_object(pod, "spec");
    match launch.spec.restart_policy {
        Some(policy) => {
            spec.insert("restartPolicy".into(), policy.as_str().into());
        }
        None => {
            spec.entry("restartPolicy").or_insert_with(|| "Never".into());
        }
    }
    if let Some(grace) = launch.spec.termination_grace_seconds {
        spec.insert("terminationGracePeriodSeconds".into(), grace.into());
    }
    if let Some(backstop) = policy(launch).timeouts.backstop() {
        let own = spec.get("activeDeadlineSeconds").and_then(Value::as_i64);
        spec.insert("activeDeadlineSeconds".into(), own.map_or(backstop, |own| own.min(backstop)).into());
    }
    for list in ["containers", "initContainers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten();
        for container in containers.filter_map(Value::as_object_mut) {
            container.entry("terminationMessagePolicy").or_insert_with(|| "FallbackToLogsOnError".into());
        }
    }
    pod.insert("spec".into(), Value::Object(spec));
}

#[cfg(test)]
#[path = "build_tests.rs"]
pub(in crate::pod) mod tests;
