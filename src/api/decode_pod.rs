//! The short form: ContainerSpec and PodOptions → [`ShortForm`].
//!
//! ```text
//! ContainerSpec ─┬─ primary ────────▶ ShortForm's container fields
//!                └─ init_containers ─▶ InitContainer
//! PodOptions ──────────────────────▶ ShortForm's pod fields; volumes ─▶ decode_volume.rs
//! ```
//!
//! Parts of a pod that come as text are parsed here; what they mean, Kubernetes says.

use super::checks::{Checks, set};
use super::decode_volume;
use super::time::whole_seconds;
use crate::proto::v1;
use crate::task::spec::{
    Access, EnvFrom, EnvFromSource, EnvSource, EnvVar, Fragment, FragmentShape, HostAlias, InitContainer, InitKind,
    Literal, Mount, Network, Placement, Port, Presence, PullPolicy, Resources, ShortForm, Toleration,
};

/// Longest image, bytes.
const MAX_IMAGE: usize = 1024;
/// Most ports of a container, and most entries of `/etc/hosts`.
const MAX_LISTED: usize = 64;
/// Longest name of a port, bytes.
const MAX_PORT_NAME: usize = 15;

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
        ports: main.ports,
        security_context: main.security_context,
        termination_message_policy: main.termination_message_policy,
        ..ShortForm::default()
    };
    match pod {
        None => short,
        Some(pod) => with_pod(checks, short, pod),
    }
}

fn with_pod(checks: &mut Checks, short: ShortForm, pod: v1::PodOptions) -> ShortForm {
    let tolerations = pod.tolerations.into_iter().enumerate();
    let volumes = pod.volumes.into_iter().enumerate();
    let mut init_containers = Vec::with_capacity(pod.init_containers.len() + pod.sidecars.len());
    for (list, kind, containers) in [
        ("init_containers", InitKind::RunToCompletion, pod.init_containers),
        ("sidecars", InitKind::Sidecar, pod.sidecars),
    ] {
        for (i, container) in containers.into_iter().enumerate() {
            init_containers.push(init_container(checks, &format!("spec.pod.{list}[{i}]"), kind, container));
        }
    }
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
        init_containers,
        placement: Placement {
            affinity: fragment(checks, "spec.pod.affinity", &pod.affinity, FragmentShape::Mapping),
            topology_spread: fragment(
                checks,
                "spec.pod.topology_spread_constraints",
                &pod.topology_spread_constraints,
                FragmentShape::List,
            ),
            scheduler: set(pod.scheduler_name),
        },
        network: Network {
            hostname: set(pod.hostname),
            subdomain: set(pod.subdomain),
            dns_policy: set(pod.dns_policy),
            dns_config: fragment(checks, "spec.pod.dns_config", &pod.dns_config, FragmentShape::Mapping),
            host_aliases: host_aliases(checks, pod.host_aliases),
            host_network: pod.host_network,
        },
        pod_security_context: fragment(
            checks,
            "spec.pod.security_context",
            &pod.security_context,
            FragmentShape::Mapping,
        ),
        runtime_class: set(pod.runtime_class_name),
        automount_token: pod.automount_service_account_token,
        ..short
    }
}

fn init_container(checks: &mut Checks, path: &str, kind: InitKind, init: v1::ContainerSpec) -> InitContainer {
    checks.required(|| format!("{path}.name"), &init.name);
    InitContainer { kind, ..container(checks, path, init) }
}

/// A part of a pod given as text; none where it is not set, or wrong.
fn fragment(checks: &mut Checks, field: &str, text: &str, shape: FragmentShape) -> Option<Fragment> {
    if text.is_empty() {
        return None;
    }
    Fragment::parse(field, text, shape).map_err(|error| checks.wrong(error.field, error.problem)).ok()
}

/// `list` has at most [`MAX_LISTED`] entries.
fn check_count<T>(checks: &mut Checks, field: impl FnOnce() -> String, list: &[T]) {
    if list.len() > MAX_LISTED {
        checks.wrong(field(), format!("has {} entries; at most {MAX_LISTED} are allowed", list.len()));
    }
}

fn host_aliases(checks: &mut Checks, aliases: Vec<v1::HostAlias>) -> Vec<HostAlias> {
    check_count(checks, || "spec.pod.host_aliases".into(), &aliases);
    let mut out = Vec::with_capacity(aliases.len());
    for (i, alias) in aliases.into_iter().enumerate() {
        let path = format!("spec.pod.host_aliases[{i}]");
        checks.required(|| format!("{path}.ip"), &alias.ip);
        if alias.hostnames.is_empty() || alias.hostnames.len() > MAX_LISTED {
            checks.wrong(format!("{path}.hostnames"), format!("must have 1 to {MAX_LISTED} names"));
        }
        out.push(HostAlias { ip: alias.ip, hostnames: alias.hostnames });
    }
    out
}

fn port(checks: &mut Checks, path: &str, port: v1::ContainerPort) -> Port {
    if !(1..=65_535).contains(&port.container_port) {
        checks.wrong(format!("{path}.container_port"), "must be between 1 and 65535");
    }
    checks.at_most(|| format!("{path}.name"), &port.name, MAX_PORT_NAME);
    Port { number: port.container_port, name: set(port.name), protocol: set(port.protocol) }
}

/// Any container of the short form; the primary's fields are those of an init container too.
fn container(checks: &mut Checks, path: &str, spec: v1::ContainerSpec) -> InitContainer {
    check_count(checks, || format!("{path}.ports"), &spec.ports);
    let context = format!("{path}.security_context");
    checks.at_most(|| format!("{path}.image"), &spec.image, MAX_IMAGE);
    let image_pull_policy = match spec.image_pull_policy() {
        v1::ImagePullPolicy::Unspecified => None,
        v1::ImagePullPolicy::Always => Some(PullPolicy::Always),
        v1::ImagePullPolicy::IfNotPresent => Some(PullPolicy::IfNotPresent),
        v1::ImagePullPolicy::Never => Some(PullPolicy::Never),
    };
    let env_from = spec.env_from.into_iter().enumerate();
    let mounts = spec.volume_mounts.into_iter().enumerate();
    let ports = spec.ports.into_iter().enumerate();
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
        ports: ports.map(|(i, p)| port(checks, &format!("{path}.ports[{i}]"), p)).collect(),
        security_context: fragment(checks, &context, &spec.security_context, FragmentShape::Mapping),
        termination_message_policy: set(spec.termination_message_policy),
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
