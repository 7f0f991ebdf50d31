//! TaskSpec: the message → the task's own type.
//!
//! ```text
//! template ─────────────────────────▶ its name
//! manifest text ──Manifest::parse──▶ manifest          ranges, names and quantities are checked
//! container, pod ──decode_pod.rs──▶ short form          where the pod is built
//! timeouts, logs, primary ──▶ themselves
//! ```
//!
//! Here is checked what the types cannot hold: what is required, contradicts itself, or is of a
//! later version.

use super::checks::{Checks, TooLarge, set};
use super::decode::log_selection;
use super::decode_pod;
use super::time::whole_seconds;
use crate::proto::v1;
use crate::task::policy::PendingGrace;
use crate::task::result::{DEFAULT_MAX_BYTES, DEFAULT_PATH};
use crate::task::spec::{MAX_MANIFEST_BYTES, Manifest, RestartPolicy, TaskSpec};
use crate::task::{LogSelection, Reason, ResultKind, ResultSource, Retention, Timeouts};

/// Longest timeout of the contract, seconds (365 days).
const MAX_TIMEOUT: i64 = 365 * 24 * 3600;
/// Shortest lost timeout, seconds.
const MIN_LOST: i64 = 60;

/// Reads a spec.
pub(super) fn spec(checks: &mut Checks, spec: v1::TaskSpec) -> TaskSpec {
    let has_image = spec.container.as_ref().is_some_and(|container| !container.image.is_empty());
    if spec.template.is_empty() && spec.manifest.is_empty() && !has_image {
        checks.wrong("spec.container.image", "is required where there is neither spec.template nor spec.manifest");
    }
    let manifest = manifest(checks, &spec.manifest);
    let (timeouts, termination_grace_seconds) = timeouts(checks, spec.timeouts.as_ref());
    let logs = spec.logs.map_or(LogSelection::default(), |logs| log_selection(checks, "spec.logs", logs));
    let retention = retention(checks, spec.retention.as_ref());
    let restart_policy = spec.pod.as_ref().and_then(restart_policy);
    let result = spec.result.map(result_source);
    let short = decode_pod::short_form(checks, spec.container, spec.pod);
    TaskSpec {
        template: template(checks, spec.template),
        manifest,
        short,
        primary: set(spec.primary_container),
        timeouts,
        termination_grace_seconds,
        restart_policy,
        result,
        logs,
        retention,
    }
}

/// Longest name of a template, bytes.
const MAX_TEMPLATE_NAME: usize = 63;

fn template(checks: &mut Checks, name: String) -> Option<String> {
    checks.at_most(|| "spec.template".into(), &name, MAX_TEMPLATE_NAME);
    set(name)
}

fn manifest(checks: &mut Checks, text: &str) -> Option<Manifest> {
    if text.is_empty() {
        return None;
    }
    if text.len() > MAX_MANIFEST_BYTES {
        let (most, has) = (MAX_MANIFEST_BYTES, text.len());
        checks.too_large(TooLarge { field: "spec.manifest", limit: "max_manifest_bytes", most, has });
        return None;
    }
    match Manifest::parse(text.as_bytes()) {
        Ok(manifest) => Some(manifest),
        Err(error) => {
            checks.wrong(error.field, error.problem);
            None
        }
    }
}

/// The timeouts, and the termination grace, which is part of the pod itself.
fn timeouts(checks: &mut Checks, asked: Option<&v1::Timeouts>) -> (Timeouts, Option<i64>) {
    let Some(asked) = asked else { return (Timeouts::default(), None) };
    let mut read = |name: &str, duration: &Option<prost_types::Duration>, least: i64| {
        whole_seconds(checks, || format!("spec.timeouts.{name}"), duration.as_ref(), least..=MAX_TIMEOUT)
    };
    let timeouts = Timeouts {
        schedule: read("schedule", &asked.schedule, 1),
        startup: read("startup", &asked.startup, 1),
        execution: read("execution", &asked.execution, 1),
        lost: read("lost", &asked.lost, MIN_LOST),
        pending_graces: Vec::new(),
    };
    let termination_grace = read("termination_grace", &asked.termination_grace, 1);
    (Timeouts { pending_graces: pending_graces(checks, &asked.pending_graces), ..timeouts }, termination_grace)
}

/// Sorted, so that their order is not part of the fingerprint.
fn pending_graces(checks: &mut Checks, asked: &[v1::PendingGrace]) -> Vec<PendingGrace> {
    let mut graces = Vec::new();
    for (i, grace) in asked.iter().enumerate() {
        let field = || format!("spec.timeouts.pending_graces[{i}]");
        let reason = v1::Reason::try_from(grace.reason).ok().filter(|reason| *reason != v1::Reason::Unspecified);
        if reason.is_none() {
            checks.wrong(
                format!("{}.reason", field()),
                "is required, and must be one that GetServerInfo.reason_version has",
            );
        }
        if grace.grace.is_none() {
            checks.wrong(format!("{}.grace", field()), "is required; 0 s ends the task when the reason is seen");
        }
        let seconds = whole_seconds(checks, || format!("{}.grace", field()), grace.grace.as_ref(), 0..=MAX_TIMEOUT);
        if let (Some(reason), Some(seconds)) = (reason, seconds) {
            let name = reason.as_str_name();
            graces.push(PendingGrace { reason: Reason::parse(name.strip_prefix("REASON_").unwrap_or(name)), seconds });
        }
    }
    graces.sort_by_key(|grace| grace.reason);
    graces
}

/// What is the default is not set: it is no part of the fingerprint.
fn result_source(source: v1::ResultSource) -> ResultSource {
    let kind = match source.kind() {
        v1::ResultKind::File => ResultKind::File,
        v1::ResultKind::TerminationMessage | v1::ResultKind::Unspecified => ResultKind::TerminationMessage,
    };
    let path = set(source.path).filter(|path| kind != ResultKind::File || path != DEFAULT_PATH);
    let max_bytes = Some(source.max_bytes).filter(|most| *most != 0 && *most != DEFAULT_MAX_BYTES);
    ResultSource { kind, path, max_bytes }
}

fn retention(checks: &mut Checks, asked: Option<&v1::RetentionPolicy>) -> Retention {
    let Some(asked) = asked else { return Retention::Server };
    let mut read = |name: &str, duration: &Option<prost_types::Duration>| {
        if asked.keep && duration.is_some() {
            checks.wrong(format!("spec.retention.{name}"), "must be unset with keep");
            return None;
        }
        whole_seconds(checks, || format!("spec.retention.{name}"), duration.as_ref(), 0..=MAX_TIMEOUT)
    };
    let (success, failure) = (read("after_success", &asked.after_success), read("after_failure", &asked.after_failure));
    match asked.keep {
        true => Retention::Keep,
        false => Retention::After { success, failure },
    }
}

fn restart_policy(pod: &v1::PodOptions) -> Option<RestartPolicy> {
    match pod.restart_policy() {
        v1::RestartPolicy::Unspecified => None,
        v1::RestartPolicy::Never => Some(RestartPolicy::Never),
        v1::RestartPolicy::OnFailure => Some(RestartPolicy::OnFailure),
    }
}
