//! A task and a server as aligned text for people.

use super::names::name;
use super::report;
use super::text::{bytes, exact, key, kubernetes, sanitize, seconds, span, state_style, styled, why};
use crate::cli::io::Colour;
use crate::proto::v1;

/// Names and values, aligned.
#[derive(Default)]
struct Fields(Vec<(&'static str, String)>);

impl Fields {
    /// Leaves out what has no value.
    fn add(&mut self, name: &'static str, value: impl Into<String>) {
        let value = value.into();
        if !value.is_empty() {
            self.0.push((name, value));
        }
    }

    fn render(self) -> String {
        let width = self.0.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        self.0.iter().map(|(name, value)| format!("{name:width$}  {value}\n")).collect()
    }
}

/// A task.
pub(crate) fn task(task: &v1::Task, colour: Colour) -> String {
    let mut fields = Fields::default();
    fields.add("Task", task.key.as_ref().map(key).unwrap_or_default());
    let state = name::<v1::TaskState>(task.state);
    let why = match task.outcome {
        Some(_) => String::new(),
        None => why(task.reason, &task.kubernetes_reason, &task.kubernetes_message),
    };
    let state = styled(colour, state_style(task.state()), &state);
    fields.add("State", format!("{state} {why}").trim_end());
    if let Some(position) = task.queue_position {
        fields.add("Queue", format!("{position} before it"));
    }
    if let Some(pod) = &task.pod {
        fields.add("Pod", sanitize(&format!("{}/{}", pod.namespace, pod.name)));
        fields.add("Node", sanitize(&pod.node_name));
    }
    if let Some(outcome) = &task.outcome {
        ending(outcome, colour, &mut fields);
    } else if let Some(stop) = &task.stop {
        let grace = stop.grace.as_ref().map(span).unwrap_or_default();
        let cause = name::<v1::StopCause>(stop.cause);
        fields.add("Stop", format!("{cause}, grace {grace} {}", sanitize(&stop.reason)).trim_end());
    }
    times(task, &mut fields);
    let labels: Vec<_> = task.labels.iter().map(|(key, value)| sanitize(&format!("{key}={value}"))).collect();
    fields.add("Labels", labels.join(" "));
    let mut text = fields.render();
    text.push_str(&containers(&task.containers));
    text
}

/// What only `-o wide` shows: how the task is stored, and what its containers are made of.
pub(crate) fn more(task: &v1::Task) -> String {
    let mut fields = Fields::default();
    if let Some(pod) = &task.pod {
        fields.add("Pod uid", sanitize(&pod.uid));
    }
    fields.add("Fingerprint", sanitize(&task.fingerprint));
    let attempts: Vec<_> = task.attached_attempts.iter().map(ToString::to_string).collect();
    fields.add("Attached attempts", attempts.join(" "));
    fields.add("Known from", name::<v1::TaskSource>(task.source));
    fields.add("Seen", seconds(task.observed_time.as_ref()));
    for container in &task.containers {
        fields.add("Image", sanitize(&format!("{}: {} {}", container.name, container.image, container.image_id)));
    }
    format!("\n{}", fields.render())
}

fn ending(outcome: &v1::Outcome, colour: Colour, fields: &mut Fields) {
    let end = v1::Termination { outcome: Some(outcome.clone()), delivery: None };
    let (summary, details) = report::termination(&end, colour);
    fields.add("Outcome", summary);
    for detail in details {
        fields.add("", detail);
    }
}

fn times(task: &v1::Task, fields: &mut Fields) {
    let mut add = |name, time: Option<&prost_types::Timestamp>| {
        if time.is_some() {
            fields.add(name, seconds(time));
        }
    };
    if let Some(times) = &task.times {
        add("Created", times.created_time.as_ref());
        add("Scheduled", times.scheduled_time.as_ref());
        add("Started", times.started_time.as_ref());
        add("Finished", times.finished_time.as_ref());
    }
    add("Kept until", task.pod_expiry_time.as_ref());
    add("Key taken until", task.idempotent_until.as_ref());
}

fn containers(containers: &[v1::ContainerStatus]) -> String {
    if containers.is_empty() {
        return String::new();
    }
    let mut rows = vec![["CONTAINER", "ROLE", "RESTARTS", "STATE"].map(str::to_owned)];
    rows.extend(containers.iter().map(|status| {
        [
            sanitize(&status.name),
            name::<v1::ContainerRole>(status.role).to_lowercase(),
            status.restart.to_string(),
            container_state(status),
        ]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2)];
    let mut text = "\n".to_owned();
    for [name, role, restarts, state] in &rows {
        text.push_str(&format!(
            "{name:a$}  {role:b$}  {restarts:c$}  {state}\n",
            a = widths[0],
            b = widths[1],
            c = widths[2]
        ));
    }
    text
}

fn container_state(status: &v1::ContainerStatus) -> String {
    use v1::container_status::State;
    match &status.state {
        None => "not reported yet".to_owned(),
        Some(State::Waiting(waiting)) => {
            format!("waiting {}", kubernetes(&waiting.reason, &waiting.message))
        }
        Some(State::Running(running)) => {
            format!("running since {}", seconds(running.started_time.as_ref()))
        }
        Some(State::Terminated(end)) => {
            let code = end.exit_code.map_or_else(String::new, |code| format!("exit code {code} "));
            format!("ended {code}{}", sanitize(&end.reason))
        }
    }
}

/// Templates, a line each.
pub(crate) fn templates(templates: &[v1::Template]) -> String {
    if templates.is_empty() {
        return "the server has no templates: see `podlaunch serve --templates`\n".to_owned();
    }
    let mut rows = vec![["NAME", "CONTENT", "FROM", "DESCRIPTION"].map(str::to_owned)];
    rows.extend(templates.iter().map(|template| {
        let hash = template.content_hash.trim_start_matches("sha256:");
        let short = hash.get(..12).unwrap_or(hash);
        [&template.name, short, &template.origin, &template.description].map(sanitize)
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let (a, b, c) = (width(0), width(1), width(2));
    let line = |[name, hash, origin, text]: &[String; 4]| format!("{name:a$}  {hash:b$}  {origin:c$}  {text}");
    rows.iter().map(|row| format!("{}\n", line(row).trim_end())).collect()
}

/// A server.
pub(crate) fn info(info: &v1::GetServerInfoResponse) -> String {
    let mut fields = Fields::default();
    fields.add("Version", sanitize(&info.version));
    fields.add("Instance", sanitize(&info.instance));
    fields.add("Replica", sanitize(&info.replica));
    fields.add("Time", info.time.as_ref().and_then(exact).unwrap_or_default());
    for cluster in &info.clusters {
        cluster_fields(cluster, &mut fields);
    }
    let mut time = |name, value: Option<&prost_types::Duration>| {
        fields.add(name, value.map(span).unwrap_or_default());
    };
    let retention = info.retention.as_ref();
    time("Idempotency window", info.idempotency_window.as_ref());
    time("Startup timeout", info.default_startup_timeout.as_ref());
    time("Kept after success", retention.and_then(|kept| kept.after_success.as_ref()));
    time("Kept after failure", retention.and_then(|kept| kept.after_failure.as_ref()));
    if let Some(limits) = &info.limits {
        time("Wait for logs", limits.log_wait.as_ref());
        time("Grace of sidecars", limits.sidecar_grace.as_ref());
        time("Stalled reader", limits.stall_limit.as_ref());
        fields.add("Request at most", bytes(limits.max_request_bytes));
        fields.add("Manifest at most", bytes(limits.max_manifest_bytes));
        if limits.max_streams > 0 {
            fields.add("Streams at most", limits.max_streams.to_string());
        }
    }
    features(info, &mut fields);
    fields.render()
}

fn cluster_fields(cluster: &v1::ClusterInfo, fields: &mut Fields) {
    let version = match cluster.kubernetes_version.as_str() {
        "" => "version not known",
        version => version,
    };
    fields.add("Cluster", sanitize(&format!("{} ({version})", cluster.name)));
    for scope in &cluster.scopes {
        let part = match scope.namespace.as_str() {
            "" => "whole cluster",
            namespace => namespace,
        };
        let fresh = if scope.fresh { "fresh" } else { "stale" };
        fields.add("  Scope", format!("{}: {fresh}", sanitize(part)));
    }
    fields.add("  Log rotation at", bytes(cluster.container_log_max_bytes));
    fields.add("  Deletion coverage", name::<v1::DeletionCoverage>(cluster.deletion_coverage));
}

fn features(info: &v1::GetServerInfoResponse, fields: &mut Fields) {
    let of = |wanted: v1::FeatureState| {
        let names: Vec<_> = info
            .features
            .iter()
            .filter(|feature| feature.state() == wanted)
            .map(|feature| sanitize(&feature.name))
            .collect();
        names.join(" ")
    };
    fields.add("Features", of(v1::FeatureState::Available));
    fields.add("Switched off", of(v1::FeatureState::Disabled));
    fields.add("Not there yet", of(v1::FeatureState::Absent));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_aligned_and_says_what_it_waits_for() {
        let task = v1::Task {
            key: Some(v1::TaskKey {
                namespace: "default".to_owned(),
                task_id: "hello".to_owned(),
                attempt: 1,
                ..Default::default()
            }),
            state: v1::TaskState::Pending.into(),
            reason: v1::Reason::Unschedulable.into(),
            kubernetes_reason: "Unschedulable".to_owned(),
            kubernetes_message: "0/1 nodes are available".to_owned(),
            containers: vec![v1::ContainerStatus {
                name: "main".to_owned(),
                role: v1::ContainerRole::Primary.into(),
                ..Default::default()
            }],
            ..Default::default()
        };
        assert_eq!(
            super::task(&task, Colour::Plain),
            "Task   default/hello#1\n\
             State  PENDING UNSCHEDULABLE Unschedulable: 0/1 nodes are available\n\
             \n\
             CONTAINER  ROLE     RESTARTS  STATE\n\
             main       primary  0         not reported yet\n"
        );
    }

    #[test]
    fn an_outcome_is_shown_with_its_details() {
        let task = v1::Task {
            state: v1::TaskState::Failed.into(),
            outcome: Some(v1::Outcome {
                state: v1::TaskState::Failed.into(),
                reason: v1::Reason::ExitCode.into(),
                exit_code: Some(3),
                ..Default::default()
            }),
            ..Default::default()
        };
        assert_eq!(
            super::task(&task, Colour::Plain),
            "State    FAILED\nOutcome  FAILED EXIT_CODE\n         exit code: 3\n"
        );
    }

    #[test]
    fn features_are_told_by_state() {
        let feature = |name: &str, state: v1::FeatureState| v1::Feature {
            name: name.to_owned(),
            state: state.into(),
            ..Default::default()
        };
        let text = info(&v1::GetServerInfoResponse {
            version: "0.1.0".to_owned(),
            features: vec![
                feature("launch", v1::FeatureState::Available),
                feature("templates", v1::FeatureState::Absent),
            ],
            ..Default::default()
        });
        assert_eq!(text, "Version        0.1.0\nFeatures       launch\nNot there yet  templates\n");
    }
}
