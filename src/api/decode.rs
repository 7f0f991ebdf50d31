//! Requests → what the executor takes, or everything that is wrong with them.
//!
//! ```text
//! LaunchTaskRequest ─▶ LaunchCall     key ─▶ defaults filled in, each field checked
//! AttachTaskRequest ─▶ AttachCall     spec ─▶ decode_spec.rs
//! CancelTaskRequest ─▶ CancelCall     parts of later versions ─▶ FEATURE_UNAVAILABLE
//! DeleteTaskRequest ─▶ DeleteCall
//! GetTaskRequest ────▶ KeyQuery
//! ```
//!
//! An enum value that is not known counts as its `_UNSPECIFIED`.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use prost::Message as _;

use super::checks::{Checks, Refusal, TooLarge};
use super::decode_spec;
use super::info::{FeatureStatus, MAX_REQUEST_BYTES, feature};
use super::time::{from_timestamp, whole_seconds};
use super::trace::Traceparent;
use crate::executor::{Filter, IfPreviousActive, Launch, Show, Until};
use crate::proto::v1;
use crate::task::key::Attempt;
use crate::task::policy::{MAX_TIMEOUT_SECONDS, MIN_CANCEL_AFTER_SECONDS};
use crate::task::{LogSelection, TaskKey, TaskSpec};

/// Most `required_features`.
const MAX_REQUIRED_FEATURES: usize = 32;
/// Longest grace of a cancel, seconds.
const MAX_CANCEL_GRACE: i64 = 3600;
/// Longest reason of a cancel, bytes.
const MAX_CANCEL_REASON: usize = 1024;
/// Longest uid, bytes.
const MAX_UID: usize = 64;
/// Longest wait for quota, seconds.
pub(super) const MAX_QUOTA_WAIT: i64 = 60;
/// Most lines of a start at the tail.
const MAX_TAIL_LINES: u32 = 1_000_000;
/// Most containers named in a choice of logs.
const MAX_LOG_NAMES: usize = 64;

/// What stands for the parts of a key that a caller leaves out.
#[derive(Debug, Clone, Copy)]
pub struct Defaults<'a> {
    /// Name of the only cluster.
    pub cluster: &'a str,
    /// Namespace of keys that name none.
    pub namespace: &'a str,
}

/// A key as a caller may ask for it. Its cluster is the only one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyQuery {
    /// Namespace.
    pub namespace: String,
    /// The task.
    pub task_id: String,
    /// Which attempt.
    pub attempt: Attempt,
}

/// A checked LaunchTask.
#[derive(Debug)]
pub struct LaunchCall {
    /// What to launch.
    pub launch: Launch,
    /// Whether to do it.
    pub mode: LaunchMode,
}

/// Whether a launch is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaunchMode {
    /// It is.
    Run,
    /// The API server is only asked whether it would take the pod.
    Validate,
}

/// A checked AttachTask.
#[derive(Debug)]
pub struct AttachCall {
    /// The task.
    pub key: KeyQuery,
    /// Where to start.
    pub start: StartAt,
    /// When to end.
    pub until: Until,
    /// What to send.
    pub filter: Filter,
}

/// Where an attach starts; the cursor is not read yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartAt {
    /// At the beginning.
    Beginning,
    /// From now on.
    Now,
    /// At the beginning; of each log its last lines.
    Tail(u32),
    /// At the beginning; of each log the lines stamped at or after this.
    Since(Timestamp),
    /// After this cursor.
    Cursor(Bytes),
}

/// A checked GetTaskResult.
#[derive(Debug)]
pub struct ResultCall {
    /// The task.
    pub key: KeyQuery,
    /// From this byte on.
    pub offset: u64,
}

/// A checked CancelTask.
#[derive(Debug)]
pub struct CancelCall {
    /// The task.
    pub key: KeyQuery,
    /// Grace in seconds; none is the pod's own.
    pub grace_seconds: Option<i64>,
    /// The caller's words.
    pub reason: String,
    /// What to do where there is no such task.
    pub missing: Missing,
}

/// What a cancel does where there is no such task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// It is an error.
    Refused,
    /// The key gets a CANCELLED outcome.
    Recorded,
}

/// A checked DeleteTask.
#[derive(Debug)]
pub struct DeleteCall {
    /// The task; its attempt is said.
    pub key: KeyQuery,
    /// The uid its pod must have; empty for any.
    pub pod_uid: String,
}

/// Whether attempt 0 stands for the highest known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Latest {
    Allowed,
    Refused,
}

/// Reads a launch.
pub fn launch(
    request: v1::LaunchTaskRequest,
    defaults: Defaults<'_>,
    trace: Option<&Traceparent>,
) -> Result<LaunchCall, Refusal> {
    let mut checks = Checks::default();
    check_size(&mut checks, request.encoded_len());
    check_features(&mut checks, &request.required_features);
    let wait = request.wait_for_quota.as_ref();
    let wait = whole_seconds(&mut checks, || "wait_for_quota".into(), wait, 0..=MAX_QUOTA_WAIT);
    let wait_for_quota = Duration::from_secs(wait.and_then(|seconds| seconds.try_into().ok()).unwrap_or(0));
    let cancel_after = disconnect_policy(&mut checks, request.disconnect_policy.as_ref());
    let previous = match request.if_previous_active() {
        v1::PreviousActivePolicy::Unspecified | v1::PreviousActivePolicy::Refuse => IfPreviousActive::Refuse,
        v1::PreviousActivePolicy::Attach => IfPreviousActive::Attach,
        v1::PreviousActivePolicy::Allow => IfPreviousActive::Allow,
    };
    let key = key(&mut checks, request.key, defaults, Latest::Refused);
    let spec = match request.spec {
        Some(spec) => decode_spec::spec(&mut checks, spec),
        None => {
            checks.wrong("spec", "is required");
            TaskSpec::default()
        }
    };
    let key =
        TaskKey { cluster: String::new(), namespace: key.namespace, task_id: key.task_id, attempt: exact(key.attempt) };
    let mode = if request.validate_only { LaunchMode::Validate } else { LaunchMode::Run };
    let traceparent = trace.map(|trace| trace.as_str().to_owned());
    let if_previous_active = previous;
    let launch = Launch { key, spec, traceparent, if_previous_active, wait_for_quota, cancel_after };
    checks.settle(LaunchCall { launch, mode })
}

/// The attempt of a key that was checked to name one.
fn exact(attempt: Attempt) -> u32 {
    match attempt {
        Attempt::Latest => 0,
        Attempt::Exactly(attempt) => attempt,
    }
}

fn check_size(checks: &mut Checks, has: usize) {
    if has > MAX_REQUEST_BYTES {
        checks.too_large(TooLarge { field: "", limit: "max_request_bytes", most: MAX_REQUEST_BYTES, has });
    }
}

fn check_features(checks: &mut Checks, required: &[String]) {
    if required.len() > MAX_REQUIRED_FEATURES {
        checks
            .wrong("required_features", format!("has {}; at most {MAX_REQUIRED_FEATURES} are allowed", required.len()));
    }
    for (i, name) in required.iter().enumerate().take(MAX_REQUIRED_FEATURES) {
        let field = format!("required_features[{i}]");
        match feature(name) {
            None => checks.unknown_feature(field, name),
            Some(feature) if feature.status == FeatureStatus::Absent => checks.needs(field, name),
            Some(_) => {}
        }
    }
}

/// Seconds without a listener after which the task is stopped.
fn disconnect_policy(checks: &mut Checks, policy: Option<&v1::DisconnectPolicy>) -> Option<i64> {
    use v1::DisconnectMode;
    let policy = policy?;
    let field = || "disconnect_policy.cancel_after".to_owned();
    match policy.mode() {
        DisconnectMode::CancelAfter if policy.cancel_after.is_none() => {
            checks.wrong(field(), "is required with mode CANCEL_AFTER");
            None
        }
        DisconnectMode::CancelAfter => {
            let allowed = MIN_CANCEL_AFTER_SECONDS..=MAX_TIMEOUT_SECONDS;
            whole_seconds(checks, field, policy.cancel_after.as_ref(), allowed)
        }
        DisconnectMode::Unspecified | DisconnectMode::Detach => {
            if policy.cancel_after.is_some() {
                checks.wrong(field(), "is only allowed with mode CANCEL_AFTER");
            }
            None
        }
    }
}

/// Reads an attach.
pub fn attach(request: v1::AttachTaskRequest, defaults: Defaults<'_>) -> Result<AttachCall, Refusal> {
    use v1::attach_task_request::StartAt as Asked;
    let mut checks = Checks::default();
    check_size(&mut checks, request.encoded_len());
    let until = match request.until() {
        v1::StreamUntil::Available => Until::Available,
        v1::StreamUntil::Unspecified | v1::StreamUntil::Termination => Until::Termination,
    };
    let key = key(&mut checks, request.key, defaults, Latest::Allowed);
    let start = match request.start_at {
        None => StartAt::Beginning,
        Some(Asked::Cursor(cursor)) => StartAt::Cursor(cursor),
        Some(Asked::Start(start)) => match v1::StreamStart::try_from(start) {
            Ok(v1::StreamStart::Now) => StartAt::Now,
            _ => StartAt::Beginning,
        },
        Some(Asked::TailLines(lines)) => {
            if lines > MAX_TAIL_LINES {
                checks.wrong("tail_lines", format!("is {lines}; at most {MAX_TAIL_LINES} are allowed"));
            }
            StartAt::Tail(lines)
        }
        Some(Asked::SinceTime(time)) => match from_timestamp(&time) {
            Some(time) => StartAt::Since(time),
            None => {
                checks.wrong("since_time", "is not a time between the years 1 and 9999 with 0 to 999,999,999 ns");
                StartAt::Beginning
            }
        },
    };
    if !request.consumer.is_empty() {
        checks.needs("consumer", "acknowledge_events");
    }
    let filter = request.filter.map_or_else(Filter::default, |asked| filter(&mut checks, asked));
    checks.settle(AttachCall { key, start, until, filter })
}

fn filter(checks: &mut Checks, asked: v1::EventFilter) -> Filter {
    let mut out = Filter { only: asked.containers, ..Filter::default() };
    let mut logs_shown = asked.kinds.is_empty();
    if !asked.kinds.is_empty() {
        (out.states, out.containers, out.notices) = (Show::No, Show::No, Show::No);
    }
    for (i, kind) in asked.kinds.into_iter().enumerate() {
        match v1::EventKind::try_from(kind) {
            Ok(v1::EventKind::StateChange) => out.states = Show::Yes,
            Ok(v1::EventKind::ContainerChange) => out.containers = Show::Yes,
            Ok(v1::EventKind::Notice) => out.notices = Show::Yes,
            Ok(v1::EventKind::Log) => logs_shown = true,
            Ok(v1::EventKind::Unspecified) | Err(_) => {
                checks.wrong(format!("filter.kinds[{i}]"), "must be a kind of event this server knows");
            }
        }
    }
    let logs = asked.logs.map(|logs| log_selection(checks, "filter.logs", logs));
    out.logs = if logs_shown { logs } else { Some(LogSelection::None) };
    out
}

/// Reads a choice of logs at `path`.
pub(super) fn log_selection(checks: &mut Checks, path: &str, asked: v1::LogSelection) -> LogSelection {
    use v1::LogContainers;
    let names = asked.containers.len();
    let mode = match asked.mode() {
        LogContainers::Unspecified if names > 0 => LogContainers::Named,
        LogContainers::Unspecified => LogContainers::Primary,
        mode => mode,
    };
    if mode == LogContainers::Named {
        if names == 0 || names > MAX_LOG_NAMES {
            checks.wrong(format!("{path}.containers"), format!("must have 1 to {MAX_LOG_NAMES} names with mode NAMED"));
        }
        for (i, name) in asked.containers.iter().enumerate() {
            checks.required(|| format!("{path}.containers[{i}]"), name);
        }
    } else if names > 0 {
        checks.wrong(format!("{path}.containers"), "is only allowed with mode NAMED");
    }
    match mode {
        LogContainers::All => LogSelection::All,
        LogContainers::None => LogSelection::None,
        LogContainers::Named => LogSelection::Named(asked.containers),
        LogContainers::Primary | LogContainers::Unspecified => LogSelection::Primary,
    }
}

/// Reads a get.
pub fn get(request: v1::GetTaskRequest, defaults: Defaults<'_>) -> Result<KeyQuery, Refusal> {
    let mut checks = Checks::default();
    let key = key(&mut checks, request.key, defaults, Latest::Allowed);
    checks.settle(key)
}

/// Reads a request for a result.
pub fn result(request: v1::GetTaskResultRequest, defaults: Defaults<'_>) -> Result<ResultCall, Refusal> {
    let mut checks = Checks::default();
    let key = key(&mut checks, request.key, defaults, Latest::Allowed);
    checks.settle(ResultCall { key, offset: request.offset })
}

/// Reads a cancel.
pub fn cancel(request: v1::CancelTaskRequest, defaults: Defaults<'_>) -> Result<CancelCall, Refusal> {
    let mut checks = Checks::default();
    let key = key(&mut checks, request.key, defaults, Latest::Allowed);
    let missing = if request.allow_missing { Missing::Recorded } else { Missing::Refused };
    if missing == Missing::Recorded && key.attempt == Attempt::Latest {
        checks.wrong("key.attempt", "must be at least 1 with allow_missing");
    }
    let grace_seconds = whole_seconds(&mut checks, || "grace".into(), request.grace.as_ref(), 0..=MAX_CANCEL_GRACE);
    checks.at_most(|| "reason".into(), &request.reason, MAX_CANCEL_REASON);
    checks.settle(CancelCall { key, grace_seconds, reason: request.reason, missing })
}

/// Reads a delete.
pub fn delete(request: v1::DeleteTaskRequest, defaults: Defaults<'_>) -> Result<DeleteCall, Refusal> {
    let mut checks = Checks::default();
    let key = key(&mut checks, request.key, defaults, Latest::Refused);
    checks.at_most(|| "pod_uid".into(), &request.pod_uid, MAX_UID);
    checks.settle(DeleteCall { key, pod_uid: request.pod_uid })
}

/// Reads a key; every field of it that is wrong is named.
fn key(checks: &mut Checks, key: Option<v1::TaskKey>, defaults: Defaults<'_>, latest: Latest) -> KeyQuery {
    let Some(key) = key else {
        checks.wrong("key", "is required");
        return KeyQuery { namespace: String::new(), task_id: String::new(), attempt: Attempt::Latest };
    };
    if !key.cluster.is_empty() && key.cluster != defaults.cluster {
        checks.unknown_cluster(&key.cluster);
    }
    let namespace = if key.namespace.is_empty() { defaults.namespace.to_owned() } else { key.namespace };
    let attempt = match (key.attempt, latest) {
        (0, Latest::Allowed) => Attempt::Latest,
        (attempt, _) => Attempt::Exactly(attempt),
    };
    // The rule tells the first wrong field; here each is asked for by itself.
    let probes = [
        TaskKey::new("", namespace.as_str(), "a", 1),
        TaskKey::new("", "a", key.task_id.as_str(), 1),
        TaskKey::new("", "a", "a", if attempt == Attempt::Latest { 1 } else { key.attempt }),
    ];
    for error in probes.into_iter().filter_map(Result::err) {
        checks.wrong(error.field, error.problem);
    }
    KeyQuery { namespace, task_id: key.task_id, attempt }
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
