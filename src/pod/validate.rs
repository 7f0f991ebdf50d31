//! What is checked before a pod is sent: what the API server would not refuse, what it would
//! refuse without saying which field of *our* request is meant, and what would break our own rules.
//!
//! ```text
//! check_spec (the request) ─▶ check_manifest (its pod) ─▶ check_pod (after the merge)
//!                                        everything else: the API server's 422 ─▶ fields::our_field
//! ```
//!
//! Each check collects what it finds. No problem repeats an env literal.

use std::collections::BTreeSet;

use serde_json::Value;

use super::fields::FieldMap;
pub use super::fields::our_field;
use super::syntax;
use crate::task::meta;
use crate::task::policy::{MAX_GRACE_SECONDS, MAX_PENDING_GRACES, MAX_TIMEOUT_SECONDS, PendingGrace};
use crate::task::reason::Waiting;
use crate::task::spec::{EnvFrom, EnvVar, InitContainer, InitKind, Mount, Resources, ShortForm, SpecError, TaskSpec};

/// All annotations of the short form, keys and values, bytes.
pub const MAX_ANNOTATION_BYTES: usize = 128 * 1024;
/// Shortest lost timeout, seconds.
pub const MIN_LOST_SECONDS: i64 = 60;

const MANIFEST: &str = "spec.manifest";

/// Collects violations.
#[derive(Default)]
struct Found(Vec<SpecError>);

impl Found {
    fn add(&mut self, field: impl Into<String>, problem: impl Into<String>) {
        self.0.push(SpecError::new(field, problem));
    }

    fn check(&mut self, field: impl Into<String>, result: Result<(), String>) {
        if let Err(problem) = result {
            self.add(field, problem);
        }
    }

    fn unique<'a>(&mut self, names: impl Iterator<Item = (String, &'a str)>) {
        let mut seen = BTreeSet::new();
        for (field, name) in names {
            if !seen.insert(name) {
                self.add(field, "is there twice; it must be unique");
            }
        }
    }
}

/// Checks the request itself: ranges, names, syntax.
pub fn check_spec(spec: &TaskSpec) -> Vec<SpecError> {
    let mut found = Found::default();
    check_timeouts(spec, &mut found);
    let short = &spec.short;
    for (field, name) in [("spec.primary_container", &spec.primary), ("spec.container.name", &short.container_name)] {
        if let Some(name) = name {
            found.check(field, syntax::dns_label(name));
        }
    }
    if let (Some(primary), Some(name)) = (&spec.primary, &short.container_name)
        && primary != name
    {
        found.add("spec.container.name", "must be spec.primary_container: the short form describes that container");
    }
    check_short(short, &mut found);
    found.0
}

fn check_timeouts(spec: &TaskSpec, found: &mut Found) {
    let timeouts = &spec.timeouts;
    for (field, seconds, least, most) in [
        ("schedule", timeouts.schedule, 1, MAX_TIMEOUT_SECONDS),
        ("startup", timeouts.startup, 1, MAX_TIMEOUT_SECONDS),
        ("execution", timeouts.execution, 1, MAX_TIMEOUT_SECONDS),
        ("lost", timeouts.lost, MIN_LOST_SECONDS, MAX_TIMEOUT_SECONDS),
        ("termination_grace", spec.termination_grace_seconds, 1, MAX_GRACE_SECONDS),
    ] {
        if seconds.is_some_and(|seconds| seconds < least || seconds > most) {
            found.add(format!("spec.timeouts.{field}"), format!("must be between {least} s and {most} s"));
        }
    }
    check_graces(&timeouts.pending_graces, found);
}

fn check_graces(graces: &[PendingGrace], found: &mut Found) {
    let field = "spec.timeouts.pending_graces";
    if graces.len() > MAX_PENDING_GRACES {
        found.add(field, format!("has {} entries; at most {MAX_PENDING_GRACES} are allowed", graces.len()));
    }
    for (i, grace) in graces.iter().enumerate() {
        if graces[..i].iter().any(|other| other.reason == grace.reason) {
            found.add(field, format!("has {} more than once", grace.reason));
        }
        if grace.reason.waiting() == Waiting::Ends {
            found.add(field, format!("has {}, for which no task waits", grace.reason));
        }
        if !(0..=MAX_TIMEOUT_SECONDS).contains(&grace.seconds) {
            found.add(field, format!("must be between 0 s and {MAX_TIMEOUT_SECONDS} s"));
        }
    }
}

fn check_short(short: &ShortForm, found: &mut Found) {
    let parts = Parts {
        image: short.image.as_deref(),
        env: &short.env,
        env_from: &short.env_from,
        resources: &short.resources,
        mounts: &short.mounts,
    };
    check_container("spec.container", &parts, found);
    check_metadata(short, found);
    for (key, value) in &short.node_selector {
        found.check("spec.pod.node_selector", syntax::label_key(key).and_then(|()| syntax::label_value(key, value)));
    }
    found.unique(
        short.volumes.iter().enumerate().map(|(i, v)| (format!("spec.pod.volumes[{i}].name"), v.name.as_str())),
    );
    for (i, volume) in short.volumes.iter().enumerate() {
        found.check(format!("spec.pod.volumes[{i}].name"), syntax::dns_label(&volume.name));
    }
    let secrets = short.image_pull_secrets.iter().enumerate();
    found.unique(secrets.map(|(i, name)| (format!("spec.pod.image_pull_secrets[{i}]"), name.as_str())));
    let inits = init_paths(&short.init_containers);
    found.unique(inits.iter().map(|(path, init)| (format!("{path}.name"), init.name.as_str())));
    for (path, init) in inits {
        found.check(format!("{path}.name"), syntax::dns_label(&init.name));
        let parts = Parts {
            image: init.image.as_deref(),
            env: &init.env,
            env_from: &init.env_from,
            resources: &init.resources,
            mounts: &init.mounts,
        };
        check_container(&path, &parts, found);
    }
}

/// The init containers with the paths they have in the request, where sidecars are a list of
/// their own.
pub(super) fn init_paths(inits: &[InitContainer]) -> Vec<(String, &InitContainer)> {
    let (mut init, mut sidecar) = (0, 0);
    let path = |init_container: &InitContainer| {
        let (list, count) = match init_container.kind {
            InitKind::RunToCompletion => ("init_containers", &mut init),
            InitKind::Sidecar => ("sidecars", &mut sidecar),
        };
        *count += 1;
        format!("spec.pod.{list}[{}]", *count - 1)
    };
    inits.iter().map(path).zip(inits).collect()
}

fn check_metadata(short: &ShortForm, found: &mut Found) {
    for (key, value) in &short.labels {
        found.check("spec.pod.labels", reserved(key));
        found.check("spec.pod.labels", syntax::label_key(key).and_then(|()| syntax::label_value(key, value)));
    }
    for key in short.annotations.keys() {
        found.check("spec.pod.annotations", reserved(key).and_then(|()| syntax::label_key(key)));
    }
    let bytes: usize = short.annotations.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > MAX_ANNOTATION_BYTES {
        found.add("spec.pod.annotations", format!("have {bytes} bytes; at most {MAX_ANNOTATION_BYTES} are allowed"));
    }
}

fn reserved(key: &str) -> Result<(), String> {
    if key.starts_with(meta::PREFIX) {
        return Err(format!("has the key {key:?}: what is below {} is set by podlaunch alone", meta::PREFIX));
    }
    Ok(())
}

struct Parts<'a> {
    image: Option<&'a str>,
    env: &'a [EnvVar],
    env_from: &'a [EnvFrom],
    resources: &'a Resources,
    mounts: &'a [Mount],
}

fn check_container(path: &str, parts: &Parts<'_>, found: &mut Found) {
    if let Some(image) = parts.image {
        found.check(format!("{path}.image"), syntax::image(image));
    }
    found.unique(parts.env.iter().enumerate().map(|(i, var)| (format!("{path}.env[{i}].name"), var.name.as_str())));
    for (i, var) in parts.env.iter().enumerate() {
        found.check(format!("{path}.env[{i}].name"), syntax::env_name(&var.name));
    }
    for (i, from) in parts.env_from.iter().enumerate() {
        if let Some(prefix) = &from.prefix {
            found.check(format!("{path}.env_from[{i}].prefix"), syntax::env_name(prefix));
        }
    }
    for (list, quantities) in [("requests", &parts.resources.requests), ("limits", &parts.resources.limits)] {
        for (name, quantity) in quantities {
            found.check(format!("{path}.resources.{list}[{name}]"), syntax::quantity(quantity));
        }
    }
    let mounts = parts.mounts.iter().enumerate();
    found.unique(mounts.map(|(i, mount)| (format!("{path}.volume_mounts[{i}].mount_path"), mount.path.as_str())));
    for (i, mount) in parts.mounts.iter().enumerate() {
        if !mount.path.starts_with('/') {
            found.add(format!("{path}.volume_mounts[{i}].mount_path"), "must be an absolute path");
        }
    }
}

/// Checks the manifest alone, before the short form is merged over it; `namespace` is the key's.
pub fn check_manifest(base: &Value, namespace: &str) -> Vec<SpecError> {
    let mut found = Found::default();
    let metadata = &base["metadata"];
    match &metadata["namespace"] {
        Value::Null => {}
        Value::String(own) if own == namespace => {}
        _ => found.add(at("metadata.namespace"), format!("must be {namespace}, the key's, or absent")),
    }
    for field in ["labels", "annotations"] {
        let path = format!("metadata.{field}");
        check_text_map(&path, &metadata[field], &mut found);
        for key in metadata[field].as_object().into_iter().flat_map(|map| map.keys()) {
            found.check(at(&path), reserved(key));
        }
    }
    for (path, list) in
        [("metadata.finalizers", &metadata["finalizers"]), ("spec.schedulingGates", &base["spec"]["schedulingGates"])]
    {
        for (i, item) in list.as_array().into_iter().flatten().enumerate() {
            let name = item.as_str().or_else(|| item["name"].as_str());
            found.check(at(&format!("{path}[{i}]")), name.map_or(Ok(()), reserved));
        }
    }
    if !metadata["finalizers"].is_null() && !metadata["finalizers"].is_array() {
        found.add(at("metadata.finalizers"), "must be a list");
    }
    check_text_map("spec.nodeSelector", &base["spec"]["nodeSelector"], &mut found);
    for list in ["containers", "initContainers", "volumes"] {
        check_named_list(&format!("spec.{list}"), &base["spec"][list], &mut found);
    }
    for list in ["containers", "initContainers"] {
        for (i, container) in base["spec"][list].as_array().into_iter().flatten().enumerate() {
            check_container_text(&format!("spec.{list}[{i}]"), container, &mut found);
        }
    }
    found.0
}

fn at(pod_field: &str) -> String {
    format!("{MANIFEST}: {pod_field}")
}

fn check_text_map(path: &str, value: &Value, found: &mut Found) {
    match value {
        Value::Null => {}
        Value::Object(map) => {
            for (key, value) in map {
                check_text(&format!("{path}[{key}]"), value, found);
            }
        }
        _ => found.add(at(path), "must be a mapping"),
    }
}

/// A bare `yes`, `on` or `1.10` in YAML is a boolean or a number where Kubernetes wants text.
fn check_text(path: &str, value: &Value, found: &mut Found) {
    let kind = match value {
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        _ => return,
    };
    found.add(at(path), format!("is {kind} and must be text: put it in quotes"));
}

fn check_named_list(path: &str, value: &Value, found: &mut Found) {
    let items = match value {
        Value::Null => return,
        Value::Array(items) => items,
        _ => return found.add(at(path), "must be a list"),
    };
    for (i, item) in items.iter().enumerate() {
        if !item["name"].is_string() {
            found.add(at(&format!("{path}[{i}].name")), "must be there and be text");
        }
    }
    found.unique(
        items
            .iter()
            .enumerate()
            .filter_map(|(i, item)| Some((at(&format!("{path}[{i}].name")), item["name"].as_str()?))),
    );
}

fn check_container_text(path: &str, container: &Value, found: &mut Found) {
    for list in ["command", "args"] {
        for (i, item) in container[list].as_array().into_iter().flatten().enumerate() {
            check_text(&format!("{path}.{list}[{i}]"), item, found);
        }
    }
    for (i, variable) in container["env"].as_array().into_iter().flatten().enumerate() {
        check_text(&format!("{path}.env[{i}].value"), &variable["value"], found);
        check_text(&format!("{path}.env[{i}].name"), &variable["name"], found);
    }
}

/// Checks the merged pod: its containers, and what would make its end another than the task's.
pub fn check_pod(spec: &TaskSpec, pod: &Value, primary: &str) -> Vec<SpecError> {
    let mut found = Found::default();
    let fields = FieldMap::new(spec, pod);
    if spec.restart_policy.is_none() {
        match pod["spec"]["restartPolicy"].as_str() {
            None | Some("Never" | "OnFailure") => {}
            Some(_) => found.add(at("spec.restartPolicy"), "must be Never or OnFailure: a task's pod must end"),
        }
    }
    check_images(pod, &fields, &mut found);
    check_restarts(pod, &fields, &mut found);
    let names: Vec<&str> = names_of(pod, "containers").collect();
    if !names.contains(&primary) {
        let by_short = spec.primary.is_none() && spec.short.container_name.is_some();
        let field = if by_short { "spec.container.name" } else { "spec.primary_container" };
        found.add(field, format!("is {primary}, and the pod has no such container; it has: {}", names.join(", ")));
    }
    let ordinary: BTreeSet<&str> = names.into_iter().collect();
    for (i, name) in names_of(pod, "initContainers").enumerate() {
        if ordinary.contains(name) {
            let field = fields.our_field(&format!("spec.initContainers[{i}].name"));
            found.add(field, "is also the name of an ordinary container; it must be unique");
        }
    }
    found.0
}

fn names_of<'a>(pod: &'a Value, list: &str) -> impl Iterator<Item = &'a str> {
    pod["spec"][list].as_array().into_iter().flatten().filter_map(|container| container["name"].as_str())
}

fn check_images(pod: &Value, fields: &FieldMap<'_>, found: &mut Found) {
    for list in ["containers", "initContainers"] {
        for (i, container) in pod["spec"][list].as_array().into_iter().flatten().enumerate() {
            if container["image"].as_str().is_none_or(str::is_empty) {
                found.add(fields.our_field(&format!("spec.{list}[{i}].image")), "is required");
            }
        }
    }
}

fn check_restarts(pod: &Value, fields: &FieldMap<'_>, found: &mut Found) {
    for list in ["containers", "initContainers"] {
        for (i, container) in pod["spec"][list].as_array().into_iter().flatten().enumerate() {
            let path = format!("spec.{list}[{i}]");
            let sidecar = list == "initContainers" && container["restartPolicy"] == "Always";
            if !container["restartPolicy"].is_null() && !sidecar {
                let problem = "is not allowed: a restart of one container would make its exit not final; \
                               only an init container may have Always (a sidecar)";
                found.add(fields.our_field(&format!("{path}.restartPolicy")), problem);
            }
            if container["restartPolicyRules"].as_array().is_some_and(|rules| !rules.is_empty()) {
                let problem = "are not allowed: a restart of one container would make its exit not final";
                found.add(fields.our_field(&format!("{path}.restartPolicyRules")), problem);
            }
        }
    }
}

#[cfg(test)]
#[path = "validate_tests.rs"]
mod tests;
