//! A pod's status from the states of its containers. Pure.
//!
//! ```text
//! containers, restart policy → phase ─┬→ conditions (of the computed phase) ─┐
//!                                     └→ posted phase (held back) ───────────┼→ merge into the stored status
//! containers ───────────────────────────→ containerStatuses ─────────────────┘
//! ```
//!
//! As with a kubelet, a container's end shows in one update, with Ready=False for the reason of the phase to come, and the
//! terminal phase in a later one. A terminal phase in the store is never left again; conditions of others are kept.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::container::{Container, Ended, Role, State};
use crate::local::node::spec::env::array;
use crate::local::node::spec::fields::NODE_IP;
use crate::local::store::timestamp_seconds;

/// `restartPolicy` of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartPolicy {
    Always,
    OnFailure,
    Never,
}

impl RestartPolicy {
    pub fn of(pod: &Value) -> RestartPolicy {
        match pod["spec"]["restartPolicy"].as_str() {
            Some("Never") => RestartPolicy::Never,
            Some("OnFailure") => RestartPolicy::OnFailure,
            _ => RestartPolicy::Always,
        }
    }

    /// Whether a container that ended so is started again.
    pub fn restarts(self, container: &Container, ended: &Ended) -> bool {
        match (container.role, self) {
            (Role::Sidecar, _) => true,
            (Role::Init, RestartPolicy::Never) | (Role::Main, RestartPolicy::Never) => false,
            (Role::Init, _) | (Role::Main, RestartPolicy::OnFailure) => ended.exit_code != 0,
            (Role::Main, RestartPolicy::Always) => true,
        }
    }
}

/// `status.phase`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Pending,
    Running,
    Succeeded,
    Failed,
}

impl Phase {
    pub fn name(self) -> &'static str {
        match self {
            Phase::Pending => "Pending",
            Phase::Running => "Running",
            Phase::Succeeded => "Succeeded",
            Phase::Failed => "Failed",
        }
    }

    pub fn is_terminal(self) -> bool {
        matches!(self, Phase::Succeeded | Phase::Failed)
    }

    /// The phase the containers make. `policy` is Never for a pod that is being ended, whatever its own says.
    pub fn of(containers: &[Container], policy: RestartPolicy) -> Phase {
        let inits = || containers.iter().filter(|c| c.role == Role::Init);
        let failed = |c: &Container| c.ended().is_some_and(|e| e.exit_code != 0 && !policy.restarts(c, e));
        if inits().any(failed) {
            return Phase::Failed;
        }
        let mains = || containers.iter().filter(|c| c.role == Role::Main);
        let begun = mains().any(|c| c.is_active() || c.ended().is_some() || c.last.is_some());
        let pending_init = containers.iter().any(|c| c.role != Role::Main && !c.is_initialized());
        if pending_init && !begun {
            return Phase::Pending;
        }
        if mains().any(|c| !c.is_running() && c.ended().is_none() && c.last.is_none()) {
            return Phase::Pending;
        }
        Phase::of_begun(containers, policy)
    }

    /// Every main container has started at least once.
    fn of_begun(containers: &[Container], policy: RestartPolicy) -> Phase {
        if containers.iter().any(|c| c.role != Role::Init && c.is_active()) {
            return Phase::Running;
        }
        let mut mains = containers.iter().filter(|c| c.role == Role::Main);
        let ended = |c: &Container| c.ended().filter(|e| !policy.restarts(c, e)).map(|e| e.exit_code);
        let codes: Option<Vec<i32>> = mains.by_ref().map(ended).collect();
        match codes {
            None => Phase::Running,
            Some(codes) if codes.iter().all(|code| *code == 0) => Phase::Succeeded,
            Some(_) => Phase::Failed,
        }
    }
}

/// `status.reason` and `status.message` of a pod that outlived its deadline.
pub const DEADLINE_REASON: &str = "DeadlineExceeded";
pub const DEADLINE_MESSAGE: &str = "Pod was active on the node longer than the specified deadline";

/// Whether the pod has outlived its `activeDeadlineSeconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    Open,
    Exceeded,
}

/// Whether the pod's sandbox (network, directories) is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sandbox {
    Absent,
    Ready,
}

/// Everything a status is made of.
pub struct View<'a> {
    pub containers: &'a [Container],
    /// The phase the conditions speak of.
    pub computed: Phase,
    /// The phase to post.
    pub posted: Phase,
    pub deadline: Deadline,
    pub sandbox: Sandbox,
    pub started: Timestamp,
    pub now: Timestamp,
}

impl View<'_> {
    /// Writes the status into the stored pod.
    pub fn merge(&self, pod: &mut Value) {
        let generation = pod["metadata"]["generation"].as_i64();
        if !pod["status"].is_object() {
            pod["status"] = Value::Object(Map::new());
        }
        let status = &mut pod["status"];
        if let Some(generation) = generation {
            status["observedGeneration"] = json!(generation);
        }
        if !matches!(status["phase"].as_str(), Some("Succeeded" | "Failed")) {
            self.merge_phase(status);
        }
        status["conditions"] = self.conditions(&status["conditions"], generation);
        status["hostIP"] = json!(NODE_IP);
        status["hostIPs"] = json!([{"ip": NODE_IP}]);
        status["startTime"] = json!(timestamp_seconds(self.started));
        if self.sandbox == Sandbox::Ready || self.containers.iter().any(|c| !c.id.is_empty()) {
            status["podIP"] = json!(NODE_IP);
            status["podIPs"] = json!([{"ip": NODE_IP}]);
        }
        let inits = self.statuses(|c| c.role != Role::Main);
        if !inits.is_empty() {
            status["initContainerStatuses"] = Value::Array(inits);
        }
        status["containerStatuses"] = Value::Array(self.statuses(|c| c.role == Role::Main));
    }

    fn merge_phase(&self, status: &mut Value) {
        status["phase"] = json!(self.posted.name());
        if self.deadline == Deadline::Exceeded && self.posted.is_terminal() {
            status["reason"] = json!(DEADLINE_REASON);
            status["message"] = json!(DEADLINE_MESSAGE);
        }
    }

    fn statuses(&self, wanted: impl Fn(&Container) -> bool) -> Vec<Value> {
        self.containers.iter().filter(|c| wanted(c)).map(container_status).collect()
    }

    fn conditions(&self, stored: &Value, generation: Option<i64>) -> Value {
        let mut conditions = vec![
            self.sandbox_condition(),
            self.initialized(),
            self.ready("Ready"),
            self.ready("ContainersReady"),
            Condition::of("PodScheduled", true),
        ]
        .into_iter()
        .map(|condition| condition.write(stored, generation, self.now))
        .collect::<Vec<_>>();
        let own = |kind: &Value| conditions.iter().any(|c| c["type"] == *kind);
        let others: Vec<Value> = array(stored).filter(|c| !own(&c["type"])).cloned().collect();
        conditions.extend(others);
        Value::Array(conditions)
    }

    fn sandbox_condition(&self) -> Condition {
        Condition::of("PodReadyToStartContainers", self.sandbox == Sandbox::Ready)
    }

    fn initialized(&self) -> Condition {
        let missing = self.names(|c| c.role != Role::Main && !c.is_initialized());
        match missing.is_empty() {
            true => Condition {
                reason: if self.computed == Phase::Succeeded { "PodCompleted" } else { "" },
                ..Condition::of("Initialized", true)
            },
            false => Condition {
                reason: "ContainersNotInitialized",
                message: format!("containers with incomplete status: [{missing}]"),
                ..Condition::of("Initialized", false)
            },
        }
    }

    fn ready(&self, kind: &'static str) -> Condition {
        let unready = || self.names(|c| c.role != Role::Init && !c.is_ready());
        let (reason, message) = match self.computed {
            Phase::Succeeded => ("PodCompleted", String::new()),
            Phase::Failed => ("PodFailed", String::new()),
            _ => match unready() {
                names if names.is_empty() => return Condition::of(kind, true),
                names => ("ContainersNotReady", format!("containers with unready status: [{names}]")),
            },
        };
        Condition { reason, message, ..Condition::of(kind, false) }
    }

    fn names(&self, wanted: impl Fn(&Container) -> bool) -> String {
        let names = self.containers.iter().filter(|c| wanted(c)).map(|c| c.name.as_str());
        names.collect::<Vec<_>>().join(" ")
    }
}

struct Condition {
    kind: &'static str,
    status: &'static str,
    reason: &'static str,
    message: String,
}

impl Condition {
    fn of(kind: &'static str, holds: bool) -> Condition {
        Condition { kind, status: if holds { "True" } else { "False" }, reason: "", message: String::new() }
    }

    fn write(self, stored: &Value, generation: Option<i64>, now: Timestamp) -> Value {
        let before = array(stored).find(|c| c["type"] == self.kind && c["status"] == self.status);
        let since = before.and_then(|c| c["lastTransitionTime"].as_str()).map(str::to_owned);
        let mut condition = json!({
            "type": self.kind, "status": self.status, "lastProbeTime": null,
            "lastTransitionTime": since.unwrap_or_else(|| timestamp_seconds(now)),
        });
        if let Some(generation) = generation {
            condition["observedGeneration"] = json!(generation);
        }
        if !self.reason.is_empty() {
            condition["reason"] = json!(self.reason);
        }
        if !self.message.is_empty() {
            condition["message"] = json!(self.message);
        }
        condition
    }
}

fn container_status(container: &Container) -> Value {
    let image = container.spec["image"].as_str().unwrap_or_default();
    let begun = !container.id.is_empty();
    let mut status = json!({
        "name": container.name,
        "state": state(container),
        "lastState": {},
        "ready": container.is_ready(),
        "started": container.is_running(),
        "restartCount": container.restarts,
        "image": image,
        "imageID": if begun { format!("local://{image}") } else { String::new() },
    });
    if let Some(last) = &container.last {
        status["lastState"] = json!({"terminated": terminated(last)});
    }
    if begun {
        status["containerID"] = json!(container.id);
        status["resources"] = container.spec["resources"].as_object().cloned().unwrap_or_default().into();
    }
    let mounts: Vec<Value> = array(&container.spec["volumeMounts"]).map(mount_status).collect();
    if !mounts.is_empty() {
        status["volumeMounts"] = Value::Array(mounts);
    }
    status
}

fn mount_status(mount: &Value) -> Value {
    let mut status = json!({"name": mount["name"], "mountPath": mount["mountPath"]});
    if mount["readOnly"] == true {
        status["readOnly"] = json!(true);
        status["recursiveReadOnly"] = json!("Disabled");
    }
    status
}

fn state(container: &Container) -> Value {
    if container.lost {
        return json!({"terminated": {
            "exitCode": 137, "reason": "ContainerStatusUnknown", "startedAt": null, "finishedAt": null,
            "message": "The container could not be located when the pod was terminated",
        }});
    }
    match &container.state {
        State::Waiting { reason, message } if message.is_empty() => json!({"waiting": {"reason": reason}}),
        State::Waiting { reason, message } => json!({"waiting": {"reason": reason, "message": message}}),
        State::Starting { .. } => json!({"waiting": {"reason": "ContainerCreating"}}),
        State::Running { since } => json!({"running": {"startedAt": timestamp_seconds(*since)}}),
        State::Ended(ended) => json!({"terminated": terminated(ended)}),
    }
}

fn terminated(ended: &Ended) -> Value {
    let mut terminated = json!({
        "exitCode": ended.exit_code, "reason": ended.reason, "containerID": ended.id,
        "startedAt": timestamp_seconds(ended.started), "finishedAt": timestamp_seconds(ended.finished),
    });
    if !ended.message.is_empty() {
        terminated["message"] = json!(ended.message);
    }
    terminated
}
