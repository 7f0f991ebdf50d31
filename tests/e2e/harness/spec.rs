//! Builders of task specs.

use std::collections::BTreeMap;
use std::time::Duration;

use super::images;
use super::v1;

/// A task of one container `main` that runs `script` by `sh`. Told to stop, it has 2 s.
pub fn sh(script: &str) -> v1::TaskSpec {
    command(images::BUSYBOX, &["sh", "-c", script])
}

/// A task of one container `main`.
pub fn command(image: &str, command: &[&str]) -> v1::TaskSpec {
    v1::TaskSpec {
        container: Some(v1::ContainerSpec {
            image: image.to_owned(),
            command: command.iter().map(ToString::to_string).collect(),
            ..Default::default()
        }),
        timeouts: Some(v1::Timeouts { termination_grace: Some(seconds(2)), ..Default::default() }),
        ..Default::default()
    }
}

/// A task that only a stop ends: prints `ready`, waits, and on SIGTERM runs `on_stop`.
pub fn until_stopped(on_stop: &str) -> v1::TaskSpec {
    let quoted = on_stop.replace('\'', r"'\''");
    sh(&format!("trap '{quoted}' TERM; echo ready; sleep 600 & wait $!")).grace(10)
}

/// Whole seconds as the contract has them.
pub fn seconds(seconds: i64) -> prost_types::Duration {
    prost_types::Duration { seconds, nanos: 0 }
}

/// A duration of the contract as one of ours.
pub fn duration(duration: &prost_types::Duration) -> Duration {
    Duration::try_from(*duration).expect("a duration that is not negative")
}

/// Chained changes of a spec.
pub trait Build: Sized {
    fn container(self, change: impl FnOnce(&mut v1::ContainerSpec)) -> Self;
    fn pod(self, change: impl FnOnce(&mut v1::PodOptions)) -> Self;
    fn timeouts(self, change: impl FnOnce(&mut v1::Timeouts)) -> Self;

    /// Seconds from SIGTERM to SIGKILL.
    fn grace(self, grace: i64) -> Self {
        self.timeouts(|timeouts| timeouts.termination_grace = Some(seconds(grace)))
    }

    fn env(self, name: &str, value: &str) -> Self {
        self.env_from(name, v1::env_var::Source::Value(value.to_owned()))
    }

    fn env_from(self, name: &str, source: v1::env_var::Source) -> Self {
        let variable = v1::EnvVar { name: name.to_owned(), source: Some(source) };
        self.container(|container| container.env.push(variable))
    }

    /// No node has such a label.
    fn nowhere(self) -> Self {
        let label = ("podlaunch-e2e/no-such-node".to_owned(), "yes".to_owned());
        self.pod(|pod| pod.node_selector.extend([label]))
    }

    fn init(self, name: &str, script: &str) -> Self {
        let container = v1::ContainerSpec {
            name: name.to_owned(),
            image: images::BUSYBOX.to_owned(),
            command: vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()],
            ..Default::default()
        };
        self.pod(|pod| pod.init_containers.push(container))
    }

    fn limit_memory(self, quantity: &str) -> Self {
        let limits = BTreeMap::from([("memory".to_owned(), quantity.to_owned())]);
        self.container(|container| {
            container.resources = Some(v1::ResourceRequirements { limits, ..Default::default() });
        })
    }

    /// Streams carry the logs of all containers.
    fn all_logs(self) -> Self;
}

impl Build for v1::TaskSpec {
    fn container(mut self, change: impl FnOnce(&mut v1::ContainerSpec)) -> Self {
        change(self.container.get_or_insert_default());
        self
    }

    fn pod(mut self, change: impl FnOnce(&mut v1::PodOptions)) -> Self {
        change(self.pod.get_or_insert_default());
        self
    }

    fn timeouts(mut self, change: impl FnOnce(&mut v1::Timeouts)) -> Self {
        change(self.timeouts.get_or_insert_default());
        self
    }

    fn all_logs(mut self) -> Self {
        self.logs = Some(v1::LogSelection { mode: v1::LogContainers::All.into(), ..Default::default() });
        self
    }
}
