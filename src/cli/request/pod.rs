//! The pod around the primary container.

use super::volumes::Volumes;
use super::{map, proto_duration};
use crate::cli::args::{HelperFlag, HostEntry, Pair, PodArgs, Restart, Switch, Text, Toleration};
use crate::cli::failure::Failure;
use crate::proto::v1;

pub(super) fn options(flags: &PodArgs, volumes: &Volumes) -> Result<v1::PodOptions, Failure> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let given = |text: &Option<Text>| text.as_ref().map(|text| text.given().to_owned()).unwrap_or_default();
    Ok(v1::PodOptions {
        labels: map("--label", &flags.label)?,
        annotations: map("--annotation", &flags.annotation)?,
        restart_policy: match flags.restart {
            None => v1::RestartPolicy::Unspecified,
            Some(Restart::Never) => v1::RestartPolicy::Never,
            Some(Restart::OnFailure) => v1::RestartPolicy::OnFailure,
        }
        .into(),
        volumes: volumes.volumes.clone(),
        init_containers: flags.init.iter().map(|helper| container(helper, volumes)).collect(),
        sidecars: flags.sidecar.iter().map(|helper| container(helper, volumes)).collect(),
        node_selector: map("--node-selector", &flags.node_selector)?,
        tolerations: flags.toleration.iter().map(toleration).collect(),
        service_account_name: text(&flags.service_account),
        automount_service_account_token: flags.automount_token.map(Switch::is_on),
        image_pull_secrets: flags.pull_secret.clone(),
        priority_class_name: text(&flags.priority_class),
        affinity: given(&flags.affinity),
        topology_spread_constraints: given(&flags.topology_spread),
        security_context: given(&flags.security_context),
        runtime_class_name: text(&flags.runtime_class),
        scheduler_name: text(&flags.scheduler),
        hostname: text(&flags.hostname),
        subdomain: text(&flags.subdomain),
        dns_policy: text(&flags.dns_policy),
        dns_config: given(&flags.dns_config),
        host_aliases: host_aliases(&flags.add_host),
        host_network: flags.host_network.then_some(true),
    })
}

fn container(helper: &HelperFlag, volumes: &Volumes) -> v1::ContainerSpec {
    v1::ContainerSpec {
        name: helper.name.clone(),
        image: helper.image.clone(),
        env: helper.env.iter().map(variable).collect(),
        command: helper.command.clone(),
        volume_mounts: volumes.shared.clone(),
        ..Default::default()
    }
}

fn variable(pair: &Pair) -> v1::EnvVar {
    v1::EnvVar { name: pair.key.clone(), source: Some(v1::env_var::Source::Value(pair.value.clone())) }
}

fn toleration(flag: &Toleration) -> v1::Toleration {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    v1::Toleration {
        key: text(&flag.key),
        operator: if flag.value.is_some() { "Equal" } else { "Exists" }.to_owned(),
        value: text(&flag.value),
        effect: text(&flag.effect),
        toleration_period: flag.period.map(proto_duration),
    }
}

/// One entry for each address, in the order of the flags.
fn host_aliases(entries: &[HostEntry]) -> Vec<v1::HostAlias> {
    let mut aliases: Vec<v1::HostAlias> = Vec::new();
    for entry in entries {
        let ip = entry.ip.to_string();
        match aliases.iter_mut().find(|alias| alias.ip == ip) {
            Some(alias) => alias.hostnames.push(entry.name.clone()),
            None => aliases.push(v1::HostAlias { ip, hostnames: vec![entry.name.clone()] }),
        }
    }
    aliases
}
