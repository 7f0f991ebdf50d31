//! A pod object becomes an [`Observation`], if it is one of ours.
//!
//! ```text
//!   label instance, schema, task id, attempt ─▶ TaskKey ─▶ pod_name(instance) == metadata.name ?
//!   fingerprint well-formed ?  primary container there ?      │no
//!                    │yes                                     ▼
//!                    ▼                                     NotOurs (left alone, counted, logged once)
//!               Observation
//! ```
//!
//! Labels alone prove nothing: they are copied with the rest of a manifest. The name is a hash of
//! instance and key, so a copy has another one.
//!
//! Kubernetes' messages leave here without the literal values of the pod's environment. What a
//! process printed (its termination message) is left as it is.

use jiff::Timestamp;
use std::collections::BTreeMap;

use super::slim::{SlimCondition, SlimContainer, SlimContainerStatus, SlimPod, SlimState, SlimTerminated};
use crate::task::key::{Instance, TaskKey};
use crate::task::literals::Literals;
use crate::task::meta;
use crate::task::observation::{
    Condition, ContainerObservation, ContainerState, Holding, Observation, Role, StoredOutcome, Terminated,
};
use crate::task::outcome::Outcome;
use crate::task::policy::StoredPolicy;
use crate::task::result::{self, ResultKind};

/// Why a pod is not one of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotOurs {
    /// It carries no instance label.
    #[error("it has no label {}", meta::LABEL_INSTANCE)]
    Unlabelled,
    /// Another instance's.
    #[error("it belongs to instance {0:?}")]
    OtherInstance(String),
    /// Written by a version whose annotations this one does not understand.
    #[error("its annotation {key} is {0:?}; this version understands {known:?}", key = meta::SCHEMA_KEY, known = meta::SCHEMA)]
    UnsupportedSchema(String),
    /// Its labels and annotations name a task whose pod has another name: copied labels.
    #[error("its name is not that of the task its annotations name: they were copied")]
    CopiedLabels,
    /// A label or annotation of ours is missing or not what podlaunch writes.
    #[error("{0} is missing or not what podlaunch writes")]
    Malformed(&'static str),
}

/// Reads a pod of the only cluster. See [`observe_in`].
pub fn observe(pod: &SlimPod, instance: &Instance) -> Result<Observation, NotOurs> {
    observe_in(pod, instance, "")
}

/// Reads a pod of `cluster`; an error is the reason why it is not ours.
pub fn observe_in(pod: &SlimPod, instance: &Instance, cluster: &str) -> Result<Observation, NotOurs> {
    let key = key_of(pod, instance, cluster)?;
    let primary = match annotation(pod, meta::PRIMARY) {
        Some(name) => name.to_string(),
        None => pod.spec.containers.first().map(|c| c.name.clone()).unwrap_or_default(),
    };
    if !pod.spec.containers.iter().any(|c| c.name == primary) {
        return Err(NotOurs::Malformed(meta::PRIMARY));
    }
    observe_as(pod, key, &primary)
}

/// Reads a pod as that of `key`, whatever its labels say; `primary` names its primary container.
pub fn observe_as(pod: &SlimPod, key: TaskKey, primary: &str) -> Result<Observation, NotOurs> {
    let m = &pod.metadata;
    let json = |name| annotation(pod, name).map(str::as_bytes);
    let outcome = annotation(pod, meta::OUTCOME).and_then(stored);
    let literals = literals(pod, &key);
    let clean = |text: &Option<String>| filled(text).map(|text| literals.scrub(&text));
    let policy: StoredPolicy = json(meta::POLICY).and_then(|p| serde_json::from_slice(p).ok()).unwrap_or_default();
    let (containers, result_sidecar) = split(containers(pod, primary, &literals), &policy);
    Ok(Observation {
        pod_name: m.name.clone().unwrap_or_default(),
        uid: m.uid.clone().filter(|uid| !uid.is_empty()).ok_or(NotOurs::Malformed("metadata.uid"))?,
        resource_version: resource_version(pod)?,
        generation: m.generation,
        observed_generation: pod.status.observed_generation,
        fingerprint: annotation(pod, meta::FINGERPRINT).unwrap_or_default().into(),
        labels: m.labels.clone().unwrap_or_default(),
        attached_attempts: annotation(pod, meta::ATTACHED_ATTEMPTS).map(attempts).unwrap_or_default(),
        primary: primary.into(),
        policy,
        traceparent: annotation(pod, meta::TRACEPARENT).map(Into::into),
        created: m.creation_timestamp.as_ref().map(|t| t.0),
        deletion: m.deletion_timestamp.as_ref().map(|t| t.0),
        deletion_grace: m.deletion_grace_period_seconds,
        has_finalizer: holding(pod),
        stop: json(meta::STOP).and_then(|s| serde_json::from_slice(s).ok()),
        literals: if outcome.is_some() { Literals::default() } else { literals.clone() },
        outcome,
        ended: stamp(pod, meta::ENDED),
        released: stamp(pod, meta::RELEASED),
        cleanup: stamp(pod, meta::CLEANUP),
        attached_until: stamp(pod, meta::ATTACHED_UNTIL),
        node: filled(&pod.spec.node_name),
        gates: pod.spec.scheduling_gates.iter().map(|g| g.name.clone()).collect(),
        restart_policy: filled(&pod.spec.restart_policy).unwrap_or_else(|| "Always".into()),
        active_deadline_seconds: pod.spec.active_deadline_seconds,
        grace_seconds: pod.spec.termination_grace_period_seconds.unwrap_or(30),
        phase: filled(&pod.status.phase).unwrap_or_else(|| "Pending".into()),
        reason: filled(&pod.status.reason),
        message: clean(&pod.status.message),
        start_time: pod.status.start_time,
        conditions: pod.status.conditions.iter().map(|c| condition(c, &literals)).collect(),
        containers,
        result_sidecar,
        key,
    })
}

/// What Kubernetes' messages about this pod must not tell. Names that podlaunch writes anyway are
/// no secrets: a message without the container's name explains nothing.
fn literals(pod: &SlimPod, key: &TaskKey) -> Literals {
    let all = || pod.spec.init_containers.iter().chain(&pod.spec.containers);
    let mut public = vec![key.namespace.as_str(), key.task_id.as_str()];
    public.extend(pod.metadata.name.as_deref());
    public.extend(pod.spec.node_name.as_deref());
    public.extend(all().flat_map(|c| std::iter::once(c.name.as_str()).chain(c.image.as_deref())));
    Literals::of(all().flat_map(|c| &c.env).filter_map(|env| env.value.as_deref()), &public)
}

/// An annotation that is a time; what is none counts as absent.
fn stamp(pod: &SlimPod, name: &str) -> Option<Timestamp> {
    annotation(pod, name)?.parse().ok()
}

/// Numbers between commas; what is none is left out.
fn attempts(text: &str) -> Vec<u32> {
    let mut attempts: Vec<u32> = text.split(',').filter_map(|n| n.trim().parse().ok()).collect();
    attempts.sort_unstable();
    attempts.dedup();
    attempts
}

fn key_of(pod: &SlimPod, instance: &Instance, cluster: &str) -> Result<TaskKey, NotOurs> {
    let label = |name: &str| text(&pod.metadata.labels, name);
    let owner = label(meta::LABEL_INSTANCE).ok_or(NotOurs::Unlabelled)?;
    if owner != instance.as_str() {
        return Err(NotOurs::OtherInstance(owner.into()));
    }
    let schema = annotation(pod, meta::SCHEMA_KEY).unwrap_or_default();
    if schema != meta::SCHEMA {
        return Err(NotOurs::UnsupportedSchema(schema.into()));
    }
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let id = annotation(pod, meta::TASK_ID).ok_or(NotOurs::Malformed(meta::TASK_ID))?;
    let attempt = label(meta::LABEL_ATTEMPT).and_then(|a| a.parse().ok());
    let attempt = attempt.ok_or(NotOurs::Malformed(meta::LABEL_ATTEMPT))?;
    let key = TaskKey::new(cluster, namespace, id, attempt).map_err(|_| NotOurs::Malformed(meta::TASK_ID))?;
    if pod.metadata.name.as_deref() != Some(key.pod_name(instance).as_str()) {
        return Err(NotOurs::CopiedLabels);
    }
    if !annotation(pod, meta::FINGERPRINT).is_some_and(is_fingerprint) {
        return Err(NotOurs::Malformed(meta::FINGERPRINT));
    }
    Ok(key)
}

/// `v1:` and a sha-256 in lower-case hex.
fn is_fingerprint(text: &str) -> bool {
    let hex = |digest: &str| digest.len() == 64 && digest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    text.strip_prefix("v1:").is_some_and(hex)
}

fn resource_version(pod: &SlimPod) -> Result<u64, NotOurs> {
    let text = pod.metadata.resource_version.as_deref().unwrap_or_default();
    text.parse().map_err(|_| NotOurs::Malformed("metadata.resourceVersion"))
}

fn annotation<'a>(pod: &'a SlimPod, name: &str) -> Option<&'a str> {
    text(&pod.metadata.annotations, name)
}

fn text<'a>(map: &'a Option<BTreeMap<String, String>>, name: &str) -> Option<&'a str> {
    map.as_ref()?.get(name).map(String::as_str)
}

fn filled(text: &Option<String>) -> Option<String> {
    text.clone().filter(|t| !t.is_empty())
}

/// What cannot be read as an outcome is none: the task gets one that can.
fn stored(text: &str) -> Option<StoredOutcome> {
    let outcome = Outcome::from_text(text).ok()?;
    Some(StoredOutcome { outcome, text: text.into() })
}

fn holding(pod: &SlimPod) -> Holding {
    let held = pod.metadata.finalizers.iter().flatten().any(|f| f == meta::FINALIZER);
    if held { Holding::Held } else { Holding::Free }
}

fn condition(c: &SlimCondition, literals: &Literals) -> Condition {
    Condition {
        kind: c.kind.clone(),
        status: c.status.clone(),
        reason: filled(&c.reason),
        message: filled(&c.message).map(|text| literals.scrub(&text)),
        since: c.last_transition_time,
    }
}

fn containers(pod: &SlimPod, primary: &str, literals: &Literals) -> Vec<ContainerObservation> {
    let init = pod.spec.init_containers.iter().map(|c| {
        let sidecar = c.restart_policy.as_deref() == Some("Always");
        (c, if sidecar { Role::Sidecar } else { Role::Init }, &pod.status.init_container_statuses)
    });
    let regular = pod
        .spec
        .containers
        .iter()
        .map(|c| (c, if c.name == primary { Role::Primary } else { Role::Other }, &pod.status.container_statuses));
    init.chain(regular)
        .map(|(c, role, statuses)| container(c, role, statuses.iter().find(|s| s.name == c.name), literals))
        .collect()
}

/// The task's own containers, and the one podlaunch added for the result.
fn split(
    mut containers: Vec<ContainerObservation>,
    policy: &StoredPolicy,
) -> (Vec<ContainerObservation>, Option<Box<ContainerObservation>>) {
    let by_file = policy.result.as_ref().is_some_and(|source| source.kind == ResultKind::File);
    let ours = |c: &ContainerObservation| by_file && c.role == Role::Sidecar && c.name == result::SIDECAR;
    let place = containers.iter().position(ours);
    let sidecar = place.map(|place| Box::new(containers.remove(place)));
    (containers, sidecar)
}

fn container(
    spec: &SlimContainer,
    role: Role,
    status: Option<&SlimContainerStatus>,
    literals: &Literals,
) -> ContainerObservation {
    let image = status.and_then(|s| filled(&s.image)).or_else(|| filled(&spec.image)).unwrap_or_default();
    ContainerObservation {
        name: spec.name.clone(),
        role,
        restarts: status.map_or(0, |s| u32::try_from(s.restart_count).unwrap_or(0)),
        container_id: status.and_then(|s| filled(&s.container_id)),
        image,
        image_id: status.and_then(|s| filled(&s.image_id)),
        state: status.map_or(ContainerState::Unset, |s| state(&s.state, literals)),
        last: status.and_then(|s| s.last_state.terminated.as_ref()).map(|t| terminated(t, literals)),
    }
}

fn state(s: &SlimState, literals: &Literals) -> ContainerState {
    if let Some(t) = &s.terminated {
        ContainerState::Terminated(terminated(t, literals))
    } else if let Some(r) = &s.running {
        ContainerState::Running { started: r.started_at }
    } else if let Some(w) = &s.waiting {
        ContainerState::Waiting {
            reason: w.reason.clone().unwrap_or_default(),
            message: literals.scrub(w.message.as_deref().unwrap_or_default()),
        }
    } else {
        ContainerState::Unset
    }
}

fn terminated(t: &SlimTerminated, literals: &Literals) -> Terminated {
    let real = |at: Option<Timestamp>| at.filter(|at| *at > Timestamp::UNIX_EPOCH);
    let mut end = Terminated {
        code: t.exit_code,
        signal: t.signal,
        reason: t.reason.clone().unwrap_or_default(),
        message: t.message.clone().unwrap_or_default(),
        started: real(t.started_at),
        finished: real(t.finished_at),
    };
    if end.message_is_kubernetes() {
        literals.clean(&mut end.message);
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ours() -> serde_json::Value {
        let instance = Instance::default();
        let key = TaskKey::new("", "ns", "a/b", 2).unwrap();
        serde_json::json!({
            "metadata": {
                "name": key.pod_name(&instance), "namespace": "ns", "uid": "u", "resourceVersion": "7",
                "managedFields": [{"manager": "x", "fieldsV1": {"f:a": {}}}],
                "finalizers": ["podlaunch.dev/outcome"], "creationTimestamp": "not a time",
                "labels": {"podlaunch.dev/instance": "default", "podlaunch.dev/attempt": "2"},
                "annotations": {
                    "podlaunch.dev/schema": "1", "podlaunch.dev/task-id": "a/b",
                    "podlaunch.dev/fingerprint": format!("v1:{}", "0".repeat(64)),
                    "podlaunch.dev/primary": "main", "podlaunch.dev/stop": "not json",
                },
            },
            "spec": {"containers": [{"name": "main", "image": "i"}], "initContainers": null, "new": {"a": 1}},
            "status": {"conditions": null, "containerStatuses": [
                {"name": "main", "state": {"terminated": {"exitCode": 128, "reason": "StartError",
                    "startedAt": "1970-01-01T00:00:00Z", "finishedAt": null}}, "lastState": {}}
            ]},
        })
    }

    fn read(value: serde_json::Value) -> Result<Observation, NotOurs> {
        observe(&serde_json::from_value(value).unwrap(), &Instance::default())
    }

    #[test]
    fn reads_ours_leniently() {
        let o = read(ours()).unwrap();
        assert_eq!((o.key.task_id.as_str(), o.key.attempt, o.resource_version), ("a/b", 2, 7));
        assert_eq!(o.has_finalizer, Holding::Held);
        assert_eq!((o.created, o.stop.as_ref()), (None, None));
        let t = o.primary_terminated().unwrap();
        assert_eq!((t.started, t.exit_code(), o.containers.len()), (None, None, 1));
    }

    /// G9: what Kubernetes says of the pod tells no literal of its environment; what a process
    /// printed is told as it was printed.
    #[test]
    fn messages_tell_no_literals() {
        let planted = "hunter2-planted";
        let tells = |text: &str| format!("{text} says {planted}");
        let mut pod = ours();
        pod["spec"]["containers"][0]["env"] = serde_json::json!([{"name": "A", "value": planted}, {"name": "B", "valueFrom": {}}, {"name": "C", "value": "main"}]);
        pod["status"]["message"] = tells("status").into();
        pod["status"]["conditions"] =
            serde_json::json!([{"type": "Ready", "status": "False", "message": tells("main")}]);
        let status = |state: serde_json::Value| serde_json::json!([{"name": "main", "state": state}]);
        for (state, printed) in [
            (serde_json::json!({"waiting": {"reason": "CreateContainerError", "message": tells("main")}}), false),
            (
                serde_json::json!({"terminated": {"exitCode": 128, "reason": "StartError", "message": tells("main")}}),
                false,
            ),
            (serde_json::json!({"terminated": {"exitCode": 1, "reason": "Error", "message": tells("main")}}), true),
        ] {
            pod["status"]["containerStatuses"] = status(state);
            let o = read(pod.clone()).unwrap();
            let shown = format!("{o:?}");
            assert_eq!(shown.contains(planted), printed, "{shown}");
            assert!(shown.contains("main says"), "a container's name is no secret: {shown}");
            assert_eq!(o.literals.scrub(&tells("event")), "event says ***");
        }
        let stored = r#"{"state":"FAILED","reason":"EXIT_CODE","reason_version":1,"origin":"USER","retry_advice":"USELESS","certainty":"OBSERVED","times":{},"pod":{"name":"p","uid":"u","resource_version":1}}"#;
        pod["metadata"]["annotations"]["podlaunch.dev/outcome"] = stored.into();
        let o = read(pod).unwrap();
        assert!(o.outcome.is_some() && o.literals.is_empty(), "not kept once there is an outcome");
    }

    #[test]
    fn the_sidecar_of_a_result_is_none_of_the_tasks_own() {
        let with = |policy: &str, name: &str| {
            let mut pod = ours();
            pod["metadata"]["annotations"]["podlaunch.dev/policy"] = policy.into();
            pod["spec"]["initContainers"] = serde_json::json!([{"name": name, "restartPolicy": "Always"}]);
            let o = read(pod).unwrap();
            (o.containers.len(), o.result_sidecar.map(|c| c.name))
        };
        let file = r#"{"result":{"kind":"FILE"}}"#;
        assert_eq!(with(file, "podlaunch-result"), (1, Some("podlaunch-result".to_owned())));
        assert_eq!(with(file, "another"), (2, None));
        assert_eq!(with(r#"{"result":{"kind":"TERMINATION_MESSAGE"}}"#, "podlaunch-result"), (2, None));
        assert_eq!(with("{}", "podlaunch-result"), (2, None));
    }

    #[test]
    fn what_is_not_ours_says_why() {
        let with = |path: &str, value: serde_json::Value| {
            let mut pod = ours();
            *pod.pointer_mut(path).unwrap() = value;
            read(pod).unwrap_err()
        };
        let label = "/metadata/labels/podlaunch.dev~1instance";
        assert_eq!(with("/metadata/labels", serde_json::json!(null)), NotOurs::Unlabelled);
        assert_eq!(with(label, "other".into()), NotOurs::OtherInstance("other".into()));
        let schema = "/metadata/annotations/podlaunch.dev~1schema";
        assert_eq!(with(schema, "2".into()), NotOurs::UnsupportedSchema("2".into()));
        assert_eq!(with("/metadata/name", "copy".into()), NotOurs::CopiedLabels);
        assert_eq!(with("/metadata/namespace", "elsewhere".into()), NotOurs::CopiedLabels);
        let id = "/metadata/annotations/podlaunch.dev~1task-id";
        assert_eq!(with(id, "other".into()), NotOurs::CopiedLabels);
        let fingerprint = "/metadata/annotations/podlaunch.dev~1fingerprint";
        assert_eq!(with(fingerprint, "v1:short".into()), NotOurs::Malformed(meta::FINGERPRINT));
        let primary = "/metadata/annotations/podlaunch.dev~1primary";
        assert_eq!(with(primary, "gone".into()), NotOurs::Malformed(meta::PRIMARY));
        assert_eq!(with("/metadata/uid", "".into()), NotOurs::Malformed("metadata.uid"));
        let version = "/metadata/resourceVersion";
        assert_eq!(with(version, "x".into()), NotOurs::Malformed("metadata.resourceVersion"));
    }
}
