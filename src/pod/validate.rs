//! What is checked before a pod is sent: what the API server would not refuse, what it would
//! refuse without saying which field of *our* request is meant, and what would break our own rules.
//!
//! ```text
//! check_spec (the request) ─▶ check_manifest (template and manifest) ─▶ check_pod (after the merge)
//!                                        everything else: the API server's 422 ─▶ fields::our_field
//! ```
//!
//! Each check collects what it finds. No problem repeats an env literal.

use std::collections::BTreeSet;

pub use super::fields::our_field;
use super::syntax;
pub use super::validate_pod::{check_manifest, check_pod, check_template};
use crate::task::meta;
use crate::task::policy::{MAX_GRACE_SECONDS, MAX_PENDING_GRACES, MAX_TIMEOUT_SECONDS, PendingGrace};
use crate::task::reason::Waiting;
use crate::task::spec::{EnvFrom, EnvVar, InitContainer, InitKind, Mount, Resources, ShortForm, SpecError, TaskSpec};

/// All annotations of the short form, keys and values, bytes.
pub const MAX_ANNOTATION_BYTES: usize = 128 * 1024;
/// Shortest lost timeout, seconds.
pub const MIN_LOST_SECONDS: i64 = 60;

/// Collects violations.
#[derive(Default)]
pub(super) struct Found(pub(super) Vec<SpecError>);

impl Found {
    pub(super) fn add(&mut self, field: impl Into<String>, problem: impl Into<String>) {
        self.0.push(SpecError::new(field, problem));
    }

    pub(super) fn check(&mut self, field: impl Into<String>, result: Result<(), String>) {
        if let Err(problem) = result {
            self.add(field, problem);
        }
    }

    pub(super) fn unique<'a>(&mut self, names: impl Iterator<Item = (String, &'a str)>) {
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

pub(super) fn reserved(key: &str) -> Result<(), String> {
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

#[cfg(test)]
#[path = "validate_tests.rs"]
mod tests;
