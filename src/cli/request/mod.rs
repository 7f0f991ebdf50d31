//! The flags of `run` as a request. Pure: the task's id and the manifest's text are arguments.
//!
//! ```text
//! RunArgs ─┬─ container.rs ─▶ ContainerSpec   env, resources, security
//!          ├─ volumes.rs ───▶ volumes of the pod, mounts of the containers
//!          └─ pod.rs ───────▶ PodOptions      init containers, placement, network
//! ```

mod container;
mod pod;
mod volumes;

use std::collections::BTreeMap;
use std::time::Duration;

use super::args::{
    AfterwardsArgs, DryRun, Grace, Pair, ResultFrom, RunArgs, RunOutputArgs, RunResultArgs, Switch, TimeoutArgs,
};
use super::failure::Failure;
use super::print::lines::Marks;
use crate::proto::v1;

/// The request to launch what the flags say.
pub(super) fn launch(args: &RunArgs, task_id: String, manifest: String) -> Result<v1::LaunchTaskRequest, Failure> {
    let volumes = volumes::of(&args.container);
    let pod = pod::options(&args.pod, &volumes)?;
    let container = container::spec(args, volumes)?;
    let timeouts = timeouts(&args.timeouts);
    Ok(v1::LaunchTaskRequest {
        key: Some(v1::TaskKey {
            cluster: args.identity.cluster.clone(),
            namespace: args.identity.namespace.clone(),
            task_id,
            attempt: args.identity.attempt.get(),
        }),
        spec: Some(v1::TaskSpec {
            template: args.template.clone(),
            manifest,
            // Parts that say nothing are left out: they are not part of what a repeated launch is compared with.
            container: unless_default(container),
            pod: unless_default(pod),
            primary_container: args.container.container.clone().unwrap_or_default(),
            timeouts: unless_default(timeouts),
            logs: logs(&args.output, args.container.container.as_deref())?,
            result: result(&args.result)?,
            retention: retention(&args.afterwards),
        }),
        disconnect_policy: args.afterwards.cancel_after.map(|after| v1::DisconnectPolicy {
            mode: v1::DisconnectMode::CancelAfter.into(),
            cancel_after: Some(proto_duration(after)),
        }),
        wait_for_quota: args.timeouts.wait_for_quota.map(proto_duration),
        validate_only: args.output.validate_only || args.output.dry_run == Some(DryRun::Server),
        ..Default::default()
    })
}

fn retention(flags: &AfterwardsArgs) -> Option<v1::RetentionPolicy> {
    unless_default(v1::RetentionPolicy {
        after_success: flags.retain_success.map(proto_duration),
        after_failure: flags.retain_failure.map(proto_duration),
        keep: flags.keep,
    })
}

/// How the lines of the logs that were asked for are marked.
pub(super) fn marks(request: &v1::LaunchTaskRequest) -> Marks {
    let several = request
        .spec
        .as_ref()
        .and_then(|spec| spec.logs.as_ref())
        .is_some_and(|logs| logs.mode() == v1::LogContainers::All || logs.containers.len() > 1);
    Marks { container: if several { Switch::On } else { Switch::Off }, time: Switch::Off }
}

fn unless_default<T: Default + PartialEq>(value: T) -> Option<T> {
    (value != T::default()).then_some(value)
}

fn map(flag: &'static str, pairs: &[Pair]) -> Result<BTreeMap<String, String>, Failure> {
    let mut map = BTreeMap::new();
    for pair in pairs {
        if map.insert(pair.key.clone(), pair.value.clone()).is_some() {
            return Err(twice(flag, &pair.key));
        }
    }
    Ok(map)
}

fn twice(flag: &'static str, key: &str) -> Failure {
    Failure::Flag { flag, problem: format!("`{key}` is given twice: leave one out") }
}

fn timeouts(flags: &TimeoutArgs) -> v1::Timeouts {
    v1::Timeouts {
        schedule: flags.schedule_timeout.map(proto_duration),
        startup: flags.startup_timeout.map(proto_duration),
        execution: flags.execution_timeout.map(proto_duration),
        termination_grace: flags.grace.map(proto_duration),
        pending_graces: flags.pending_grace.iter().map(pending_grace).collect(),
        ..Default::default()
    }
}

fn pending_grace(grace: &Grace) -> v1::PendingGrace {
    v1::PendingGrace { reason: grace.reason.into(), grace: Some(proto_duration(grace.time)) }
}

fn result(flags: &RunResultArgs) -> Result<Option<v1::ResultSource>, Failure> {
    let from = match (flags.result, &flags.result_file) {
        (Some(ResultFrom::Message), Some(_)) => {
            let problem = "a termination message is no file: leave out one of both".to_owned();
            return Err(Failure::Flag { flag: "--result-file", problem });
        }
        (_, Some(_)) => Some(ResultFrom::File),
        (from, None) => from,
    };
    let kind = match (from, flags.result_max_size) {
        (Some(ResultFrom::Message), _) => v1::ResultKind::TerminationMessage,
        (Some(ResultFrom::File), _) => v1::ResultKind::File,
        (None, None) => return Ok(None),
        (None, Some(_)) => {
            let problem = "the task has no result: add --result or --result-file".to_owned();
            return Err(Failure::Flag { flag: "--result-max-size", problem });
        }
    };
    Ok(Some(v1::ResultSource {
        kind: kind.into(),
        path: flags.result_file.clone().unwrap_or_default(),
        max_bytes: flags.result_max_size.unwrap_or_default(),
    }))
}

fn logs(flags: &RunOutputArgs, primary: Option<&str>) -> Result<Option<v1::LogSelection>, Failure> {
    let selection = |mode: v1::LogContainers, containers| Ok(Some(v1::LogSelection { mode: mode.into(), containers }));
    if flags.no_logs {
        return selection(v1::LogContainers::None, Vec::new());
    }
    match flags.logs_of.as_slice() {
        [one] if one == "primary" => return Ok(None),
        [one] if one == "all" => return selection(v1::LogContainers::All, Vec::new()),
        _ => {}
    }
    let mut names = Vec::new();
    for name in &flags.logs_of {
        names.push(match (name.as_str(), primary) {
            ("primary", Some(primary)) => primary.to_owned(),
            ("primary", None) => {
                return Err(Failure::Flag {
                    flag: "--logs-of",
                    problem: "beside other names say which container is the primary one: its own \
                              name instead of `primary`"
                        .to_owned(),
                });
            }
            ("all", _) => {
                return Err(Failure::Flag {
                    flag: "--logs-of",
                    problem: "`all` stands alone: leave the other names out".to_owned(),
                });
            }
            (name, _) => name.to_owned(),
        });
    }
    selection(v1::LogContainers::Named, names)
}

/// A span for the contract. One beyond its range (10,000 years) is cut: the server refuses it by its own limit.
pub(super) fn proto_duration(span: Duration) -> prost_types::Duration {
    prost_types::Duration::try_from(span).unwrap_or(prost_types::Duration { seconds: i64::MAX, nanos: 0 })
}

#[cfg(test)]
mod tests;
