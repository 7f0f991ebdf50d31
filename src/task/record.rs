//! The outcome record: what is left of a task when its pod object is gone.
//!
//! ```text
//!   Observation + stored outcome ──Record::of──▶ Record ──encode──▶ ConfigMap of the pod's name
//!   cancel of a task never launched ─unlaunched─▶  │
//!                                                  └──decode──▶ observation() ──▶ a row that replays the outcome
//! ```
//!
//! It holds the key from the pod's end to the end of the idempotency window. Where the pod went before its outcome was
//! stored, creating the record *is* the decision: the first one written counts.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::key::{Instance, TaskKey};
use super::literals::Literals;
use super::meta;
use super::observation::{
    ContainerObservation, ContainerState, Holding, Observation, Role, Stop, StoredOutcome, Terminated,
};
use super::outcome::{ContainerSummary, Outcome, OutcomeError, unlaunched};
use super::policy::{LogSelection, StoredPolicy};

/// Key of the outcome in the ConfigMap's data.
pub const OUTCOME_KEY: &str = "outcome";
/// Key of the rest.
pub const RECORD_KEY: &str = "record";
/// Longest labels kept, bytes; beyond, none are.
const MAX_LABELS: usize = 4 * 1024;

/// A ConfigMap that is no record of ours.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Data without one of the keys.
    #[error("the record has no {0:?}")]
    Missing(&'static str),
    /// Not the JSON of a record.
    #[error("the record cannot be read")]
    Malformed(#[source] serde_json::Error),
    /// Its outcome cannot be read.
    #[error("the record's outcome cannot be read")]
    Outcome(#[source] OutcomeError),
    /// Its key names another object.
    #[error("the record's name is not that of the task it names")]
    CopiedName,
}

/// What is kept of a finished task.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// All but the outcome.
    pub task: RecordedTask,
    /// The outcome, byte for byte as it was stored.
    pub outcome: StoredOutcome,
}

/// A record but for its outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedTask {
    /// Namespace of the pod; the record itself may be elsewhere.
    pub namespace: String,
    /// The caller's task id.
    pub task_id: String,
    /// The attempt the pod was launched as.
    pub attempt: u32,
    /// uid of the pod; empty where there never was one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub pod_uid: String,
    /// resourceVersion of the pod when it was recorded.
    #[serde(default)]
    pub resource_version: u64,
    /// Fingerprint of the spec; empty where there never was a pod: then every spec is the same.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fingerprint: String,
    /// Later attempts that attached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attached_attempts: Vec<u32>,
    /// Name of the primary container.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub primary: String,
    /// Which logs its streams carried.
    #[serde(default)]
    pub logs: LogSelection,
    /// The pod's labels, ours left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// W3C traceparent of the launch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// When the task ended (podlaunch's clock).
    pub ended: Timestamp,
    /// Until when the key stays taken (podlaunch's clock).
    pub expires: Timestamp,
}

impl Record {
    /// The record of a task that had a pod. `now` stands for the end where none was stored.
    pub fn of(seen: &Observation, outcome: StoredOutcome, window: SignedDuration, now: Timestamp) -> Record {
        let ended = seen.ended.unwrap_or(now);
        let labels: BTreeMap<_, _> = seen
            .labels
            .iter()
            .filter(|(name, _)| !name.starts_with(meta::PREFIX))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let size: usize = labels.iter().map(|(name, value)| name.len() + value.len()).sum();
        let task = RecordedTask {
            namespace: seen.key.namespace.clone(),
            task_id: seen.key.task_id.clone(),
            attempt: seen.key.attempt,
            pod_uid: seen.uid.clone(),
            resource_version: seen.resource_version,
            fingerprint: seen.fingerprint.clone(),
            attached_attempts: seen.attached_attempts.clone(),
            primary: seen.primary.clone(),
            logs: seen.policy.logs.clone(),
            labels: if size <= MAX_LABELS { labels } else { BTreeMap::new() },
            traceparent: seen.traceparent.clone(),
            ended,
            expires: ended.checked_add(window).unwrap_or(Timestamp::MAX),
        };
        Record { task, outcome }
    }

    /// The record of a task that was cancelled before any launch: whoever launches it gets this outcome.
    pub fn unlaunched(key: &TaskKey, instance: &Instance, stop: Stop, window: SignedDuration) -> Record {
        let ended = stop.time;
        let outcome = unlaunched(key.pod_name(instance), stop);
        let task = RecordedTask {
            namespace: key.namespace.clone(),
            task_id: key.task_id.clone(),
            attempt: key.attempt,
            pod_uid: String::new(),
            resource_version: 0,
            fingerprint: String::new(),
            attached_attempts: Vec::new(),
            primary: String::new(),
            logs: LogSelection::default(),
            labels: BTreeMap::new(),
            traceparent: None,
            ended,
            expires: ended.checked_add(window).unwrap_or(Timestamp::MAX),
        };
        Record { task, outcome: StoredOutcome { text: outcome.to_text(), outcome } }
    }

    /// The ConfigMap's data.
    pub fn encode(&self) -> BTreeMap<String, String> {
        // Plain fields and string keys: nothing in it can fail to be written as JSON.
        let task = serde_json::to_string(&self.task).unwrap_or_default();
        [(OUTCOME_KEY.into(), self.outcome.text.clone()), (RECORD_KEY.into(), task)].into()
    }

    /// Reads a ConfigMap of `name`.
    pub fn decode(name: &str, data: &BTreeMap<String, String>, instance: &Instance) -> Result<Record, RecordError> {
        let text = |key| data.get(key).ok_or(RecordError::Missing(key));
        let task: RecordedTask = serde_json::from_str(text(RECORD_KEY)?).map_err(RecordError::Malformed)?;
        let text = text(OUTCOME_KEY)?.clone();
        let outcome = Outcome::from_text(&text).map_err(RecordError::Outcome)?;
        let record = Record { task, outcome: StoredOutcome { outcome, text } };
        if record.key().pod_name(instance) != name {
            return Err(RecordError::CopiedName);
        }
        Ok(record)
    }

    /// The task.
    pub fn key(&self) -> TaskKey {
        TaskKey {
            cluster: String::new(),
            namespace: self.task.namespace.clone(),
            task_id: self.task.task_id.clone(),
            attempt: self.task.attempt,
        }
    }

    /// Whether a pod of this task ever was.
    pub fn was_launched(&self) -> bool {
        !self.task.pod_uid.is_empty()
    }

    /// What the task's last pod version would say now: the containers as the outcome has them.
    pub fn observation(&self) -> Observation {
        let (task, outcome) = (&self.task, &self.outcome.outcome);
        Observation {
            key: self.key(),
            pod_name: outcome.pod.name.clone(),
            uid: task.pod_uid.clone(),
            resource_version: task.resource_version,
            generation: None,
            observed_generation: None,
            fingerprint: task.fingerprint.clone(),
            labels: task.labels.clone(),
            attached_attempts: task.attached_attempts.clone(),
            primary: task.primary.clone(),
            policy: StoredPolicy { logs: task.logs.clone(), ..StoredPolicy::default() },
            traceparent: task.traceparent.clone(),
            created: outcome.times.created,
            deletion: None,
            deletion_grace: None,
            literals: Literals::default(),
            result_sidecar: None,
            has_finalizer: Holding::Free,
            stop: outcome.stop.clone(),
            outcome: Some(self.outcome.clone()),
            ended: Some(task.ended),
            released: None,
            cleanup: None,
            attached_until: None,
            node: Some(outcome.pod.node.clone()).filter(|node| !node.is_empty()),
            gates: Vec::new(),
            restart_policy: "Never".into(),
            active_deadline_seconds: None,
            grace_seconds: 0,
            phase: String::new(),
            reason: None,
            message: None,
            start_time: None,
            conditions: Vec::new(),
            containers: outcome.containers.iter().map(|c| container(c, &task.primary)).collect(),
        }
    }
}

fn container(summary: &ContainerSummary, primary: &str) -> ContainerObservation {
    let state = match summary.state.as_str() {
        "waiting" => ContainerState::Waiting { reason: summary.reason.clone(), message: String::new() },
        "running" => ContainerState::Running { started: summary.started },
        "terminated" => ContainerState::Terminated(Terminated {
            code: summary.exit_code.unwrap_or_default(),
            signal: None,
            reason: summary.reason.clone(),
            message: String::new(),
            started: summary.started,
            finished: summary.finished,
        }),
        _ => ContainerState::Unset,
    };
    ContainerObservation {
        name: summary.name.clone(),
        role: if summary.name == primary { Role::Primary } else { summary.role },
        restarts: summary.restarts,
        container_id: None,
        image: String::new(),
        image_id: None,
        state,
        last: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::observation::StopCause;

    fn key() -> TaskKey {
        TaskKey::new("", "ns", "a/b", 2).unwrap()
    }

    fn unlaunched_record() -> Record {
        let time: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let stop = Stop {
            cause: StopCause::Cancel,
            caller: "me".into(),
            message: "no more".into(),
            time,
            grace_seconds: 0,
            pending: None,
        };
        Record::unlaunched(&key(), &Instance::default(), stop, SignedDuration::from_secs(3600))
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let record = unlaunched_record();
        let name = key().pod_name(&Instance::default());
        let read = Record::decode(&name, &record.encode(), &Instance::default()).unwrap();
        assert_eq!(read, record);
        assert_eq!(read.task.expires.to_string(), "2026-01-01T01:00:00Z");
        assert!(!read.was_launched());
        let seen = read.observation();
        assert_eq!((seen.pod_name.as_str(), seen.uid.as_str()), (name.as_str(), ""));
        assert_eq!(seen.outcome, Some(record.outcome));
    }

    #[test]
    fn what_is_no_record_is_refused() {
        let instance = Instance::default();
        let name = key().pod_name(&instance);
        let data = unlaunched_record().encode();
        let spoilt = |key: &str, value: &str| {
            let mut data = data.clone();
            data.insert(key.into(), value.into());
            Record::decode(&name, &data, &instance)
        };
        let without = |key: &str| {
            let mut data = data.clone();
            data.remove(key);
            Record::decode(&name, &data, &instance)
        };
        assert!(matches!(without(OUTCOME_KEY), Err(RecordError::Missing(OUTCOME_KEY))));
        assert!(matches!(without(RECORD_KEY), Err(RecordError::Missing(RECORD_KEY))));
        assert!(matches!(spoilt(RECORD_KEY, "{}"), Err(RecordError::Malformed(_))));
        assert!(matches!(spoilt(OUTCOME_KEY, "{}"), Err(RecordError::Outcome(_))));
        assert!(matches!(Record::decode("copied", &data, &instance), Err(RecordError::CopiedName)));
        let other = Instance::new("other").unwrap();
        assert!(matches!(Record::decode(&name, &data, &other), Err(RecordError::CopiedName)));
    }
}
