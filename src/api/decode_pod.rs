//! The short form: ContainerSpec and PodOptions → [`ShortForm`].
//!
//! ```text
//! ContainerSpec ─┬─ primary ────────▶ ShortForm's container fields
//!                └─ init_containers ─▶ InitContainer
//! PodOptions ──────────────────────▶ ShortForm's pod fields; volumes ─▶ decode_volume.rs
//! ```
//!
//! A field marked "extended" in the contract that is set needs feature `short_form_extended`.

use super::checks::{Checks, set};
use super::decode_volume;
use super::time::whole_seconds;
use crate::proto::v1;
use crate::task::spec::{
    Access, EnvFrom, EnvFromSource, EnvSource, EnvVar, InitContainer, InitKind, Literal, Mount, Presence, PullPolicy,
    Resources, ShortForm, Toleration,
};

/// The feature of fields marked "extended".
pub(super) const EXTENDED: &str = "short_form_extended";
/// Longest image, bytes.
const MAX_IMAGE: usize = 1024;

/// Reads both parts of the short form.
pub(super) fn short_form(
    checks: &mut Checks,
    primary: Option<v1::ContainerSpec>,
    pod: Option<v1::PodOptions>,
) -> ShortForm {
    let main = container(checks, "spec.container", primary.unwrap_or_default());
    let short = ShortForm {
        container_name: set(main.name),
        image: main.image,
        image_pull_policy: main.image_pull_policy,
        command: main.command,
        args: main.args,
        working_dir: main.working_dir,
        env: main.env,
        env_from: main.env_from,
        resources: main.resources,
        mounts: main.mounts,
        ..ShortForm::default()
    };
    match pod {
        None => short,
        Some(pod) => {
            check_extended(checks, &pod);
            with_pod(checks, short, pod)
        }
    }
}

fn with_pod(checks: &mut Checks, short: ShortForm, pod: v1::PodOptions) -> ShortForm {
    let tolerations = pod.tolerations.into_iter().enumerate();
    let volumes = pod.volumes.into_iter().enumerate();
    let inits = pod.init_containers.into_iter().enumerate();
    for (i, name) in pod.image_pull_secrets.iter().enumerate() {
        checks.required(|| format!("spec.pod.image_pull_secrets[{i}]"), name);
    }
    ShortForm {
        labels: pod.labels,
        annotations: pod.annotations,
        node_selector: pod.node_selector,
        tolerations: tolerations.map(|(i, t)| toleration(checks, i, t)).collect(),
        service_account: set(pod.service_account_name),
        image_pull_secrets: pod.image_pull_secrets,
        priority_class: set(pod.priority_class_name),
        volumes: volumes.filter_map(|(i, v)| decode_volume::volume(checks, i, v)).collect(),
        init_containers: inits.map(|(i, init)| init_container(checks, i, init)).collect(),
        ..short
    }
}

fn check_extended(checks: &mut Checks, pod: &v1::PodOptions) {
    let set = [
        ("sidecars", !pod.sidecars.is_empty()),
        ("automount_service_account_token", pod.automount_service_account_token.is_some()),
        ("affinity", !pod.affinity.is_empty()),
        ("topology_spread_constraints", !pod.topology_spread_constraints.is_empty()),
        ("security_context", !pod.security_context.is_empty()),
        ("runtime_class_name", !pod.runtime_class_name.is_empty()),
        ("scheduler_name", !pod.scheduler_name.is_empty()),
        ("hostname", !pod.hostname.is_empty()),
        ("subdomain", !pod.subdomain.is_empty()),
        ("dns_policy", !pod.dns_policy.is_empty()),
        ("dns_config", !pod.dns_config.is_empty()),
        ("host_aliases", !pod.host_aliases.is_empty()),
        ("host_network", pod.host_network.is_some()),
    ];
    for (name, _) in set.into_iter().filter(|(_, is_set)| *is_set) {
        checks.needs(format!("spec.pod.{name}"), EXTENDED);
    }
}

fn init_container(checks: &mut Checks, index: usize, init: v1::ContainerSpec) -> InitContainer {
    let path = format!("spec.pod.init_containers[{index}]");
    checks.required(|| format!("{path}.name"), &init.name);
    container(checks, &path, init)
}

/// Any container of the short form; the primary's fields are those of an init container too.
fn container(checks: &mut Checks, path: &str, spec: v1::ContainerSpec) -> InitContainer {
    if !spec.ports.is_empty() {
        checks.needs(format!("{path}.ports"), EXTENDED);
    }
    if !spec.security_context.is_empty() {
        checks.needs(format!("{path}.security_context"), EXTENDED);
    }
    checks.at_most(|| format!("{path}.image"), &spec.image, MAX_IMAGE);
    let image_pull_policy = match spec.image_pull_policy() {
        v1::ImagePullPolicy::Unspecified => None,
        v1::ImagePullPolicy::Always => Some(PullPolicy::Always),
        v1::ImagePullPolicy::IfNotPresent => Some(PullPolicy::IfNotPresent),
        v1::ImagePullPolicy::Never => Some(PullPolicy::Never),
    };
    let env_from = spec.env_from.into_iter().enumerate();
    let mounts = spec.volume_mounts.into_iter().enumerate();
    let resources = spec.resources.unwrap_or_default();
    InitContainer {
        name: spec.name,
        kind: InitKind::RunToCompletion,
        image: set(spec.image),
        image_pull_policy,
        command: spec.command,
        args: spec.args,
        working_dir: set(spec.working_dir),
        env: env(checks, path, spec.env),
        env_from: env_from.filter_map(|(i, from)| env_source(checks, &format!("{path}.env_from[{i}]"), from)).collect(),
        resources: Resources { requests: resources.requests, limits: resources.limits },
        mounts: mounts.map(|(i, m)| mount(checks, &format!("{path}.volume_mounts[{i}]"), m)).collect(),
    }
}

fn env(checks: &mut Checks, path: &str, vars: Vec<v1::EnvVar>) -> Vec<EnvVar> {
    let mut out = Vec::with_capacity(vars.len());
    for (i, var) in vars.into_iter().enumerate() {
        let path = format!("{path}.env[{i}]");
        checks.required(|| format!("{path}.name"), &var.name);
        let source = env_value(checks, &path, var.source);
        out.push(EnvVar { name: var.name, source });
    }
    out
}

fn env_value(checks: &mut Checks, path: &str, source: Option<v1::env_var::Source>) -> EnvSource {
    use v1::env_var::Source;
    match source {
        None => EnvSource::Value(Literal(String::new())),
        Some(Source::Value(value)) => EnvSource::Value(Literal(value)),
        Some(Source::SecretKey(at)) => {
            let (name, key, presence) = key_ref(checks, &format!("{path}.secret_key"), at);
            EnvSource::Secret { name, key, presence }
        }
        Some(Source::ConfigMapKey(at)) => {
            let (name, key, presence) = key_ref(checks, &format!("{path}.config_map_key"), at);
            EnvSource::ConfigMap { name, key, presence }
        }
        Some(Source::FieldPath(field)) => {
            checks.required(|| format!("{path}.field_path"), &field);
            EnvSource::Field { path: field }
        }
        Some(Source::ResourceField(field)) => {
            checks.required(|| format!("{path}.resource_field.resource"), &field.resource);
            EnvSource::Resource {
                resource: field.resource,
                container: set(field.container_name),
                divisor: set(field.divisor),
            }
        }
    }
}

fn key_ref(checks: &mut Checks, path: &str, at: v1::KeyRef) -> (String, String, Presence) {
    checks.required(|| format!("{path}.name"), &at.name);
    checks.required(|| format!("{path}.key"), &at.key);
    (at.name, at.key, presence(at.optional))
}

/// The contract's `optional` as the type the rules use.
pub(super) fn presence(optional: bool) -> Presence {
    if optional { Presence::Optional } else { Presence::Required }
}

fn env_source(checks: &mut Checks, path: &str, from: v1::EnvFromSource) -> Option<EnvFrom> {
    use v1::env_from_source::Source;
    let source = match from.source {
        Some(Source::Secret(name)) => {
            checks.required(|| format!("{path}.secret"), &name);
            EnvFromSource::Secret(name)
        }
        Some(Source::ConfigMap(name)) => {
            checks.required(|| format!("{path}.config_map"), &name);
            EnvFromSource::ConfigMap(name)
        }
        None => {
            checks.wrong(path, "must name a secret or a config_map");
            return None;
        }
    };
    Some(EnvFrom { source, prefix: set(from.prefix), presence: presence(from.optional) })
}

fn mount(checks: &mut Checks, path: &str, mount: v1::VolumeMount) -> Mount {
    checks.required(|| format!("{path}.name"), &mount.name);
    checks.required(|| format!("{path}.mount_path"), &mount.mount_path);
    Mount {
        volume: mount.name,
        path: mount.mount_path,
        sub_path: set(mount.sub_path),
        access: if mount.read_only { Access::ReadOnly } else { Access::ReadWrite },
    }
}

fn toleration(checks: &mut Checks, index: usize, toleration: v1::Toleration) -> Toleration {
    let field = || format!("spec.pod.tolerations[{index}].toleration_period");
    Toleration {
        seconds: whole_seconds(checks, field, toleration.toleration_period.as_ref(), 0..=i64::MAX),
        key: set(toleration.key),
        operator: set(toleration.operator),
        value: set(toleration.value),
        effect: set(toleration.effect),
    }
}
