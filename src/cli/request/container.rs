//! The primary container.

use std::collections::BTreeMap;

use super::volumes::Volumes;
use super::{map, twice, unless_default};
use crate::cli::args::{ContainerArgs, EnvSource, KeyUse, MessagePolicy, Pair, Port, PullPolicy, RunArgs, Text, User};
use crate::cli::failure::Failure;
use crate::proto::v1;

/// The resource that a plain number of `--gpu` asks for.
const GPU: &str = "nvidia.com/gpu";

pub(super) fn spec(args: &RunArgs, volumes: Volumes) -> Result<v1::ContainerSpec, Failure> {
    let flags = &args.container;
    let (command, words) = command(args);
    Ok(v1::ContainerSpec {
        image: args.image.clone().unwrap_or_default(),
        command,
        args: words,
        working_dir: flags.working_dir.clone().unwrap_or_default(),
        env: env(flags)?,
        env_from: flags.env_from.iter().map(env_from).collect(),
        volume_mounts: volumes.mounts,
        resources: resources(flags)?,
        image_pull_policy: match flags.image_pull_policy {
            None => v1::ImagePullPolicy::Unspecified,
            Some(PullPolicy::Always) => v1::ImagePullPolicy::Always,
            Some(PullPolicy::IfNotPresent) => v1::ImagePullPolicy::IfNotPresent,
            Some(PullPolicy::Never) => v1::ImagePullPolicy::Never,
        }
        .into(),
        ports: flags.port.iter().map(port).collect(),
        security_context: security_context(flags),
        termination_message_policy: match flags.termination_message_policy {
            None => String::new(),
            Some(MessagePolicy::File) => "File".to_owned(),
            Some(MessagePolicy::FallbackToLogs) => "FallbackToLogsOnError".to_owned(),
        },
        ..Default::default()
    })
}

/// Entrypoint and arguments: the words after `--` are both, unless a flag says where the entrypoint is.
fn command(args: &RunArgs) -> (Vec<String>, Vec<String>) {
    let (flags, words) = (&args.container, args.command.clone());
    if flags.keep_entrypoint || !flags.entrypoint.is_empty() {
        (flags.entrypoint.clone(), words)
    } else {
        (words, Vec::new())
    }
}

fn resources(flags: &ContainerArgs) -> Result<Option<v1::ResourceRequirements>, Failure> {
    let mut both = BTreeMap::new();
    if let Some(cpu) = &flags.cpu {
        both.insert("cpu".to_owned(), cpu.clone());
    }
    if let Some(memory) = &flags.memory {
        both.insert("memory".to_owned(), memory.clone());
    }
    if let Some(gpu) = &flags.gpu {
        let (resource, number) = gpu.split_once('=').unwrap_or((GPU, gpu));
        both.insert(resource.to_owned(), number.to_owned());
    }
    let over = |flag, pairs: &[Pair]| {
        let mut all = both.clone();
        all.extend(map(flag, pairs)?);
        Ok::<_, Failure>(all)
    };
    let requests = over("--requests", &flags.requests)?;
    let limits = over("--limits", &flags.limits)?;
    Ok(unless_default(v1::ResourceRequirements { requests, limits }))
}

/// References first, so that a value may refer to them as `$(NAME)`.
fn env(flags: &ContainerArgs) -> Result<Vec<v1::EnvVar>, Failure> {
    use v1::env_var::Source;
    let key = |name: &str, key: &str| v1::KeyRef { name: name.to_owned(), key: key.to_owned(), optional: false };
    let variable = |name: &str, source| v1::EnvVar { name: name.to_owned(), source: Some(source) };
    let mut env = Vec::new();
    for secret in &flags.secret_env {
        env.push(variable(&secret.name, Source::SecretKey(key(&secret.secret, &secret.key))));
    }
    for used in &flags.secret {
        if let KeyUse::Env { variable: name, name: secret, key: of } = used {
            env.push(variable(name, Source::SecretKey(key(secret, of))));
        }
    }
    for used in &flags.config_map {
        if let KeyUse::Env { variable: name, name: config_map, key: of } = used {
            env.push(variable(name, Source::ConfigMapKey(key(config_map, of))));
        }
    }
    for field in &flags.field_env {
        let source = if field.is_resource() {
            Source::ResourceField(v1::ResourceFieldRef { resource: field.field.clone(), ..Default::default() })
        } else {
            Source::FieldPath(field.field.clone())
        };
        env.push(variable(&field.variable, source));
    }
    env.extend(flags.env.iter().map(|pair| variable(&pair.key, Source::Value(pair.value.clone()))));
    for (index, variable) in env.iter().enumerate() {
        if env[..index].iter().any(|other| other.name == variable.name) {
            return Err(twice("--env", &variable.name));
        }
    }
    Ok(env)
}

fn env_from(source: &EnvSource) -> v1::EnvFromSource {
    use v1::env_from_source::Source;
    v1::EnvFromSource {
        source: Some(match source {
            EnvSource::Secret(name) => Source::Secret(name.clone()),
            EnvSource::ConfigMap(name) => Source::ConfigMap(name.clone()),
        }),
        ..Default::default()
    }
}

fn port(port: &Port) -> v1::ContainerPort {
    v1::ContainerPort { container_port: port.number.into(), name: port.name.clone(), protocol: port.protocol.clone() }
}

/// As given, or made of `--user` and `--privileged`, which exclude it.
fn security_context(flags: &ContainerArgs) -> String {
    if let Some(given) = &flags.container_security_context {
        return Text::given(given).to_owned();
    }
    let mut parts = Vec::new();
    if let Some(User { uid, gid }) = flags.user {
        parts.push(format!("\"runAsUser\":{uid}"));
        parts.extend(gid.map(|gid| format!("\"runAsGroup\":{gid}")));
    }
    if flags.privileged {
        parts.push("\"privileged\":true".to_owned());
    }
    if parts.is_empty() { String::new() } else { format!("{{{}}}", parts.join(",")) }
}
