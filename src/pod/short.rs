//! The short form as a strategic merge patch over the manifest.
//!
//! ```text
//! ShortForm + name of the primary container ──▶ { metadata: {labels, annotations},
//!                                                 spec: { containers: [primary], initContainers, volumes … } }
//! ```
//!
//! What the short form sets replaces what the manifest has under the same merge key as a whole: a
//! variable that was a secret reference becomes a plain value, not both. `$retainKeys` says so.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::short_volume::volume;
use crate::task::spec::{
    Access, EnvFrom, EnvFromSource, EnvSource, EnvVar, Fragment, InitContainer, InitKind, Mount, Network, Placement,
    Port, Presence, PullPolicy, Resources, ShortForm, SpecError, TaskSpec, Toleration,
};

/// Name of the primary container where nothing names it.
pub const DEFAULT_PRIMARY: &str = "main";
/// Kubernetes' annotation that names the container tools look at.
pub const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// Name of the primary container: named by the request, by the pod's default-container
/// annotation, the only container, or [`DEFAULT_PRIMARY`] where there is none yet.
pub fn primary_name(spec: &TaskSpec, base: &Value) -> Result<String, SpecError> {
    let annotated = || {
        let short = spec.short.annotations.get(DEFAULT_CONTAINER).map(String::as_str);
        short.or_else(|| base["metadata"]["annotations"][DEFAULT_CONTAINER].as_str())
    };
    let named = spec.primary.as_deref().or(spec.short.container_name.as_deref()).or_else(annotated);
    if let Some(name) = named {
        return Ok(name.to_owned());
    }
    let names: Vec<&str> = base["spec"]["containers"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|container| container["name"].as_str())
        .collect();
    match names[..] {
        [] => Ok(DEFAULT_PRIMARY.to_owned()),
        [only] => Ok(only.to_owned()),
        _ => Err(SpecError::new(
            "spec.primary_container",
            format!("must name the container whose exit is the task's: the pod has {}", names.join(", ")),
        )),
    }
}

/// The patch; `primary` is the container that the container fields go to. Without any of them the
/// patch has no containers.
pub fn patch(short: &ShortForm, primary: &str) -> Value {
    let mut metadata = Map::new();
    put_map(&mut metadata, "labels", &short.labels);
    put_map(&mut metadata, "annotations", &short.annotations);

    let mut spec = Map::new();
    let mut main = container(&Parts::of(short));
    if !main.is_empty() {
        main.insert("name".into(), primary.into());
        spec.insert("containers".into(), json!([main]));
    }
    put_list(&mut spec, "initContainers", short.init_containers.iter().map(init_container));
    put_list(&mut spec, "volumes", short.volumes.iter().map(volume));
    put_map(&mut spec, "nodeSelector", &short.node_selector);
    put_list(&mut spec, "tolerations", short.tolerations.iter().map(toleration));
    put_text(&mut spec, "serviceAccountName", short.service_account.as_deref());
    put_list(&mut spec, "imagePullSecrets", short.image_pull_secrets.iter().map(|name| json!({"name": name})));
    put_text(&mut spec, "priorityClassName", short.priority_class.as_deref());
    put_text(&mut spec, "runtimeClassName", short.runtime_class.as_deref());
    put_flag(&mut spec, "automountServiceAccountToken", short.automount_token);
    put_fragment(&mut spec, "securityContext", short.pod_security_context.as_ref());
    placement(&mut spec, &short.placement);
    network(&mut spec, &short.network);

    let mut out = Map::new();
    put_object(&mut out, "metadata", metadata);
    put_object(&mut out, "spec", spec);
    Value::Object(out)
}

/// The patch with the primary container in it, even if only its name is known.
pub fn patch_with_container(short: &ShortForm, primary: &str) -> Value {
    let mut patch = patch(short, primary);
    if patch["spec"]["containers"].is_null() {
        patch["spec"]["containers"] = json!([{"name": primary}]);
    }
    patch
}

fn placement(spec: &mut Map<String, Value>, placement: &Placement) {
    put_fragment(spec, "affinity", placement.affinity.as_ref());
    put_fragment(spec, "topologySpreadConstraints", placement.topology_spread.as_ref());
    put_text(spec, "schedulerName", placement.scheduler.as_deref());
}

fn network(spec: &mut Map<String, Value>, network: &Network) {
    put_text(spec, "hostname", network.hostname.as_deref());
    put_text(spec, "subdomain", network.subdomain.as_deref());
    put_text(spec, "dnsPolicy", network.dns_policy.as_deref());
    put_fragment(spec, "dnsConfig", network.dns_config.as_ref());
    let aliases = network.host_aliases.iter();
    put_list(spec, "hostAliases", aliases.map(|alias| json!({"ip": alias.ip, "hostnames": alias.hostnames})));
    put_flag(spec, "hostNetwork", network.host_network);
}

/// What the primary container and an init container have in common.
struct Parts<'a> {
    image: Option<&'a str>,
    pull: Option<PullPolicy>,
    command: &'a [String],
    args: &'a [String],
    working_dir: Option<&'a str>,
    env: &'a [EnvVar],
    env_from: &'a [EnvFrom],
    resources: &'a Resources,
    mounts: &'a [Mount],
    ports: &'a [Port],
    security_context: Option<&'a Fragment>,
    termination_message_policy: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(short: &'a ShortForm) -> Self {
        Parts {
            image: short.image.as_deref(),
            pull: short.image_pull_policy,
            command: &short.command,
            args: &short.args,
            working_dir: short.working_dir.as_deref(),
            env: &short.env,
            env_from: &short.env_from,
            resources: &short.resources,
            mounts: &short.mounts,
            ports: &short.ports,
            security_context: short.security_context.as_ref(),
            termination_message_policy: short.termination_message_policy.as_deref(),
        }
    }

    fn of_init(init: &'a InitContainer) -> Self {
        Parts {
            image: init.image.as_deref(),
            pull: init.image_pull_policy,
            command: &init.command,
            args: &init.args,
            working_dir: init.working_dir.as_deref(),
            env: &init.env,
            env_from: &init.env_from,
            resources: &init.resources,
            mounts: &init.mounts,
            ports: &init.ports,
            security_context: init.security_context.as_ref(),
            termination_message_policy: init.termination_message_policy.as_deref(),
        }
    }
}

fn container(parts: &Parts<'_>) -> Map<String, Value> {
    let mut out = Map::new();
    put_text(&mut out, "image", parts.image);
    put_text(&mut out, "imagePullPolicy", parts.pull.map(PullPolicy::as_str));
    put_list(&mut out, "command", parts.command.iter().map(|s| Value::from(s.as_str())));
    put_list(&mut out, "args", parts.args.iter().map(|s| Value::from(s.as_str())));
    put_text(&mut out, "workingDir", parts.working_dir);
    put_list(&mut out, "env", parts.env.iter().map(variable));
    put_list(&mut out, "envFrom", parts.env_from.iter().map(env_from));
    let mut resources = Map::new();
    put_map(&mut resources, "requests", &parts.resources.requests);
    put_map(&mut resources, "limits", &parts.resources.limits);
    put_object(&mut out, "resources", resources);
    put_list(&mut out, "volumeMounts", parts.mounts.iter().map(mount));
    put_list(&mut out, "ports", parts.ports.iter().map(port));
    put_fragment(&mut out, "securityContext", parts.security_context);
    put_text(&mut out, "terminationMessagePolicy", parts.termination_message_policy);
    out
}

fn init_container(init: &InitContainer) -> Value {
    let mut out = container(&Parts::of_init(init));
    out.insert("name".into(), init.name.as_str().into());
    if init.kind == InitKind::Sidecar {
        out.insert("restartPolicy".into(), "Always".into());
    }
    Value::Object(out)
}

fn variable(var: &EnvVar) -> Value {
    let from = |source: Value| {
        let mut source = source;
        source["$patch"] = "replace".into();
        json!({"name": var.name, "valueFrom": source})
    };
    let out = match &var.source {
        EnvSource::Value(text) => json!({"name": var.name, "value": text.0}),
        EnvSource::Secret { name, key, presence } => from(json!({"secretKeyRef": key_ref(name, key, *presence)})),
        EnvSource::ConfigMap { name, key, presence } => from(json!({"configMapKeyRef": key_ref(name, key, *presence)})),
        EnvSource::Field { path } => from(json!({"fieldRef": {"fieldPath": path}})),
        EnvSource::Resource { resource, container, divisor } => {
            from(json!({"resourceFieldRef": resource_ref(resource, container.as_deref(), divisor.as_deref())}))
        }
    };
    as_a_whole(out)
}

fn key_ref(name: &str, key: &str, presence: Presence) -> Value {
    let mut out = json!({"name": name, "key": key});
    mark_optional(&mut out, presence);
    out
}

pub(super) fn resource_ref(resource: &str, container: Option<&str>, divisor: Option<&str>) -> Value {
    let mut out = Map::from_iter([("resource".to_owned(), Value::from(resource))]);
    put_text(&mut out, "containerName", container);
    put_text(&mut out, "divisor", divisor);
    Value::Object(out)
}

fn env_from(from: &EnvFrom) -> Value {
    let (field, name) = match &from.source {
        EnvFromSource::Secret(name) => ("secretRef", name),
        EnvFromSource::ConfigMap(name) => ("configMapRef", name),
    };
    let mut source = json!({"name": name});
    mark_optional(&mut source, from.presence);
    let mut out = Map::new();
    put_text(&mut out, "prefix", from.prefix.as_deref());
    out.insert(field.into(), source);
    Value::Object(out)
}

fn mount(mount: &Mount) -> Value {
    let mut out = json!({"name": mount.volume, "mountPath": mount.path});
    if let Some(sub_path) = &mount.sub_path {
        out["subPath"] = sub_path.as_str().into();
    }
    if mount.access == Access::ReadOnly {
        out["readOnly"] = true.into();
    }
    as_a_whole(out)
}

fn port(port: &Port) -> Value {
    let mut out = Map::from_iter([("containerPort".to_owned(), Value::from(port.number))]);
    put_text(&mut out, "name", port.name.as_deref());
    put_text(&mut out, "protocol", port.protocol.as_deref());
    as_a_whole(Value::Object(out))
}

fn toleration(toleration: &Toleration) -> Value {
    let mut out = Map::new();
    put_text(&mut out, "key", toleration.key.as_deref());
    put_text(&mut out, "operator", toleration.operator.as_deref());
    put_text(&mut out, "value", toleration.value.as_deref());
    put_text(&mut out, "effect", toleration.effect.as_deref());
    if let Some(seconds) = toleration.seconds {
        out.insert("tolerationSeconds".into(), seconds.into());
    }
    Value::Object(out)
}

pub(super) fn mark_optional(out: &mut Value, presence: Presence) {
    if presence == Presence::Optional {
        out["optional"] = true.into();
    }
}

/// An element of a merged list that replaces the one of the same key instead of adding to it.
pub(super) fn as_a_whole(mut element: Value) -> Value {
    if let Value::Object(map) = &mut element {
        let keys: Vec<Value> = map.keys().map(|key| Value::from(key.as_str())).collect();
        map.insert("$retainKeys".into(), Value::Array(keys));
    }
    element
}

pub(super) fn put_text(out: &mut Map<String, Value>, field: &str, text: Option<&str>) {
    if let Some(text) = text {
        out.insert(field.into(), text.into());
    }
}

fn put_flag(out: &mut Map<String, Value>, field: &str, flag: Option<bool>) {
    if let Some(flag) = flag {
        out.insert(field.into(), flag.into());
    }
}

fn put_fragment(out: &mut Map<String, Value>, field: &str, fragment: Option<&Fragment>) {
    if let Some(fragment) = fragment {
        out.insert(field.into(), fragment.value().clone());
    }
}

fn put_map(out: &mut Map<String, Value>, field: &str, map: &BTreeMap<String, String>) {
    let map = map.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect();
    put_object(out, field, map);
}

fn put_object(out: &mut Map<String, Value>, field: &str, map: Map<String, Value>) {
    if !map.is_empty() {
        out.insert(field.into(), Value::Object(map));
    }
}

pub(super) fn put_list(out: &mut Map<String, Value>, field: &str, items: impl Iterator<Item = Value>) {
    let items: Vec<Value> = items.collect();
    if !items.is_empty() {
        out.insert(field.into(), Value::Array(items));
    }
}
