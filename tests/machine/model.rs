//! Random lives of a pod, as scheduler, kubelet and controllers write them.
//!
//! Every life here is one that Kubernetes can write: a terminal phase stays, a container under
//! restartPolicy Never does not go back, `ContainerStatusUnknown` may amend what was never located.
//! What the watch then leaves out is the world's business.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use podlaunch::pod::observe::observe_as;
use podlaunch::task::event::{Notice, Severity};
use podlaunch::task::observation::{Condition, Holding, Stop, StopCause};
use podlaunch::task::{ContainerState, Observation, TaskKey, Terminated};
use proptest::prelude::*;
use serde_json::json;

use super::replay::Seen;

/// What happens to a pod from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Nothing,
    Deleted,
    ForceDeleted,
    Disrupted(&'static str),
    Collected,
    CollectedThenBack,
    DeadlinePassed,
    StoppedByUs(StopCause),
    NodeSilentAndBack,
    NodeSilentThenTainted,
    EvictedByNode,
    LostByNode,
}

const FATES: &[Fate] = &[
    Fate::Nothing,
    Fate::Deleted,
    Fate::ForceDeleted,
    Fate::Disrupted("EvictionByEvictionAPI"),
    Fate::Disrupted("PreemptionByScheduler"),
    Fate::Collected,
    Fate::CollectedThenBack,
    Fate::DeadlinePassed,
    Fate::StoppedByUs(StopCause::Cancel),
    Fate::StoppedByUs(StopCause::StartupTimeout),
    Fate::NodeSilentAndBack,
    Fate::NodeSilentThenTainted,
    Fate::EvictedByNode,
    Fate::LostByNode,
];

#[derive(Debug, Clone, Copy)]
enum Extra {
    None,
    Init { code: i32 },
    Sidecar,
    Other,
}

/// A life, before it is lived.
#[derive(Debug, Clone)]
pub struct Plan {
    extra: Extra,
    on_failure: bool,
    gated: bool,
    unschedulable: bool,
    pull_failures: u8,
    /// Ends of the runs of the primary; under Never the first counts.
    runs: Vec<(i32, &'static str)>,
    /// When what comes from outside comes.
    stage: u8,
    fate: Fate,
    /// How a container takes a kill.
    killed: (i32, &'static str),
    finalizer: bool,
    /// What is beside the primary goes on, until podlaunch ends it.
    leftover: bool,
}

const ENDS: &[(i32, &str)] = &[
    (0, "Completed"),
    (3, "Error"),
    (137, "Error"),
    (143, "Error"),
    (137, "OOMKilled"),
    (0, "OOMKilled"),
    (128, "StartError"),
];

pub fn plan() -> impl Strategy<Value = Plan> {
    let extra = prop_oneof![
        3 => Just(Extra::None),
        1 => Just(Extra::Init { code: 0 }),
        1 => Just(Extra::Init { code: 7 }),
        1 => Just(Extra::Sidecar),
        1 => Just(Extra::Other),
    ];
    let end = || (0..ENDS.len()).prop_map(|i| ENDS[i]);
    let outside = (0u8..8, (0..FATES.len()).prop_map(|i| FATES[i]), (0usize..4).prop_map(|i| ENDS[i]));
    let before = (any::<bool>(), any::<bool>(), any::<bool>(), 0u8..3);
    let after = (any::<bool>(), any::<bool>());
    (extra, before, proptest::collection::vec(end(), 1..4), outside, after).prop_map(
        |(extra, (on_failure, gated, unschedulable, pull_failures), runs, (stage, fate, killed), after)| Plan {
            extra,
            on_failure,
            gated,
            unschedulable,
            pull_failures,
            runs,
            stage,
            fate,
            killed,
            finalizer: after.0,
            leftover: after.1 && matches!(extra, Extra::Other),
        },
    )
}

/// Lives it: all that the API server says of the pod, in order. Always ends.
pub fn life(plan: &Plan) -> Vec<(Timestamp, Seen)> {
    let mut life = Life::new(plan);
    if !life.lived(plan) {
        // Ended by itself: somebody deletes it later.
        life.delete(0);
        life.gone();
    }
    life.seen
}

/// How the primary had ended before podlaunch ended what was left over, if it did.
pub fn end_before_cleanup(life: &[(Timestamp, Seen)]) -> Option<Terminated> {
    life.iter().find_map(|(_, seen)| match seen {
        Seen::Pod(o) if o.cleanup.is_some() => o.primary_ended().cloned(),
        _ => None,
    })
}

struct Life {
    o: Observation,
    now: Timestamp,
    stage: u8,
    versions: u64,
    seen: Vec<(Timestamp, Seen)>,
}

type Ended = bool;

impl Life {
    fn new(plan: &Plan) -> Life {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let mut o = base(plan, now);
        o.has_finalizer = if plan.finalizer { Holding::Held } else { Holding::Free };
        if plan.gated {
            o.gates = vec!["example.org/hold".into()];
        }
        Life { o, now, stage: 0, versions: 0, seen: Vec::new() }
    }

    fn post(&mut self) {
        self.now += SignedDuration::from_secs(1);
        self.versions += 10;
        self.o.resource_version = self.versions;
        self.seen.push((self.now, Seen::Pod(Arc::new(self.o.clone()))));
    }

    fn gone(&mut self) {
        self.versions += 10;
        self.o.resource_version = self.versions;
        self.seen.push((self.now, Seen::Deleted(Arc::new(self.o.clone()))));
    }

    fn tell(&mut self, reason: &str, message: &str) {
        let notice = Notice {
            reason: reason.into(),
            message: message.into(),
            severity: Severity::Warning,
            first: Some(self.now),
            count: 1,
            container: None,
            source: "kubelet".into(),
            version: self.versions + 1,
        };
        self.seen.push((self.now, Seen::Notice(Some(self.now), notice)));
    }

    fn condition(&mut self, kind: &str, status: &str, reason: Option<&str>) {
        let since = Some(self.now);
        self.o.conditions.retain(|c| c.kind != kind);
        let (kind, status, reason) = (kind.into(), status.into(), reason.map(Into::into));
        self.o.conditions.push(Condition { kind, status, reason, message: None, since });
    }

    fn set(&mut self, name: &str, state: ContainerState) {
        if let Some(c) = self.o.containers.iter_mut().find(|c| c.name == name) {
            c.state = state;
        }
    }

    fn ended(&self, (code, reason): (i32, &str)) -> ContainerState {
        let started = self.now - SignedDuration::from_secs(2);
        let real = reason != "StartError";
        ContainerState::Terminated(Terminated {
            code,
            signal: None,
            reason: reason.into(),
            message: String::new(),
            started: real.then_some(started),
            finished: Some(self.now),
        })
    }

    /// Posts, and then comes the fate, if this is its time.
    fn reach(&mut self, plan: &Plan) -> Ended {
        self.post();
        self.stage += 1;
        self.stage - 1 == plan.stage && self.meet(plan)
    }

    fn lived(&mut self, plan: &Plan) -> Ended {
        self.before_node(plan) || self.before_start(plan) || self.running(plan)
    }

    fn before_node(&mut self, plan: &Plan) -> Ended {
        if plan.gated {
            self.condition("PodScheduled", "False", Some("SchedulingGated"));
        }
        if self.reach(plan) {
            return true;
        }
        self.o.gates.clear();
        if plan.unschedulable {
            self.condition("PodScheduled", "False", Some("Unschedulable"));
            self.tell("FailedScheduling", "0/1 nodes are available");
            if self.reach(plan) {
                return true;
            }
        }
        self.o.node = Some("node-1".into());
        self.condition("PodScheduled", "True", None);
        self.reach(plan)
    }

    fn before_start(&mut self, plan: &Plan) -> Ended {
        let waiting = |word: &str| ContainerState::Waiting { reason: word.into(), message: String::new() };
        let names: Vec<String> = self.o.containers.iter().map(|c| c.name.clone()).collect();
        for name in &names {
            self.set(name, waiting("ContainerCreating"));
        }
        self.o.start_time = Some(self.now);
        self.condition("Ready", "False", Some("ContainersNotReady"));
        self.condition("ContainersReady", "False", Some("ContainersNotReady"));
        if self.reach(plan) {
            return true;
        }
        for i in 0..plan.pull_failures {
            self.tell("Failed", "Failed to pull image \"x\": no");
            self.set("main", waiting(if i % 2 == 0 { "ErrImagePull" } else { "ImagePullBackOff" }));
            if self.reach(plan) {
                return true;
            }
        }
        match plan.extra {
            Extra::Init { code } => {
                self.set("extra", ContainerState::Running { started: Some(self.now) });
                if self.reach(plan) {
                    return true;
                }
                let end = self.ended((code, if code == 0 { "Completed" } else { "Error" }));
                self.set("extra", end);
                self.post();
                if code != 0 {
                    self.o.phase = "Failed".into();
                    self.post();
                    return self.afterwards();
                }
            }
            Extra::Sidecar | Extra::Other => self.set("extra", ContainerState::Running { started: Some(self.now) }),
            Extra::None => {}
        }
        false
    }

    fn running(&mut self, plan: &Plan) -> Ended {
        let runs = if plan.on_failure { plan.runs.len() } else { 1 };
        for (i, run) in plan.runs.iter().take(runs).enumerate() {
            if run.1 != "StartError" {
                self.o.phase = "Running".into();
                self.set("main", ContainerState::Running { started: Some(self.now) });
                self.condition("Ready", "True", None);
                self.condition("ContainersReady", "True", None);
                if self.reach(plan) {
                    return true;
                }
            }
            let end = self.ended(*run);
            self.set("main", end.clone());
            let over = if plan.leftover { "ContainersNotReady" } else { "PodFailed" };
            self.condition("Ready", "False", Some(over));
            self.condition("ContainersReady", "False", Some(over));
            if self.reach(plan) {
                return true;
            }
            if run.0 == 0 {
                break;
            }
            if i + 1 < runs {
                self.restart(end);
            }
        }
        match plan.leftover && self.o.primary_ended().is_some() {
            true => self.cleaned_up(plan),
            false => self.phase_of_main(),
        }
        self.post();
        self.afterwards()
    }

    /// podlaunch ends what goes on after the primary: the kubelet's words are those of a deadline.
    fn cleaned_up(&mut self, plan: &Plan) {
        self.post();
        self.o.cleanup = Some(self.now);
        self.o.active_deadline_seconds = Some(1);
        self.post();
        let end = self.ended(plan.killed);
        self.set("extra", end);
        self.condition("Ready", "False", Some("PodFailed"));
        self.condition("ContainersReady", "False", Some("PodFailed"));
        self.post();
        self.o.phase = "Failed".into();
        self.o.reason = Some("DeadlineExceeded".into());
    }

    fn restart(&mut self, end: ContainerState) {
        let waits = ContainerState::Waiting { reason: "CrashLoopBackOff".into(), message: String::new() };
        if let (Some(c), ContainerState::Terminated(t)) = (self.o.containers.iter_mut().find(|c| c.name == "main"), end)
        {
            c.last = Some(t);
            c.state = waits;
        }
        self.post();
        if let Some(c) = self.o.containers.iter_mut().find(|c| c.name == "main") {
            c.restarts += 1;
        }
    }

    fn phase_of_main(&mut self) {
        let zero = self.o.primary_terminated().is_some_and(|t| t.code == 0);
        self.set("extra", self.ended((0, "Completed")));
        self.o.phase = if zero { "Succeeded" } else { "Failed" }.into();
    }

    /// A pod that has ended is deleted.
    fn afterwards(&mut self) -> Ended {
        self.delete(0);
        self.gone();
        true
    }

    fn meet(&mut self, plan: &Plan) -> Ended {
        match plan.fate {
            Fate::Nothing => false,
            Fate::Deleted => self.deleted(plan, 2),
            Fate::ForceDeleted => self.force_deleted(plan),
            Fate::Disrupted(reason) => {
                self.condition("DisruptionTarget", "True", Some(reason));
                self.post();
                self.deleted(plan, 2)
            }
            Fate::Collected => self.collected(),
            Fate::CollectedThenBack => self.collected_then_back(plan),
            Fate::DeadlinePassed => self.deadline(plan),
            Fate::StoppedByUs(cause) => self.stopped(plan, cause),
            Fate::NodeSilentAndBack => self.silent_and_back(),
            Fate::NodeSilentThenTainted => self.silent_then_tainted(plan),
            Fate::EvictedByNode => self.evicted(plan),
            Fate::LostByNode => self.lost(),
        }
    }

    fn delete(&mut self, grace: i64) {
        self.o.deletion = Some(self.now + SignedDuration::from_secs(grace));
        self.o.deletion_grace = Some(grace);
        self.post();
    }

    /// The kubelet ends the pod and says how.
    fn killed(&mut self, plan: &Plan) {
        let names: Vec<String> = self.o.containers.iter().map(|c| c.name.clone()).collect();
        for name in names {
            let state = self.o.containers.iter().find(|c| c.name == name).map(|c| c.state.clone());
            let end = match state {
                Some(ContainerState::Running { .. }) => self.ended(plan.killed),
                Some(ContainerState::Terminated(t)) => ContainerState::Terminated(t),
                _ => self.unknown(),
            };
            self.set(&name, end);
        }
        let zero = self.o.primary_terminated().is_some_and(|t| t.code == 0);
        self.condition("ContainersReady", "False", Some("PodFailed"));
        self.condition("Ready", "False", Some("PodFailed"));
        self.o.phase = if zero { "Succeeded" } else { "Failed" }.into();
    }

    fn unknown(&self) -> ContainerState {
        ContainerState::Terminated(Terminated {
            code: 137,
            signal: None,
            reason: "ContainerStatusUnknown".into(),
            message: "The container could not be located when the pod was terminated".into(),
            started: None,
            finished: None,
        })
    }

    fn deleted(&mut self, plan: &Plan, grace: i64) -> Ended {
        if self.o.node.is_none() {
            self.delete(0);
            if self.o.has_finalizer == Holding::Held {
                self.o.phase = "Failed".into();
                self.post();
            }
            self.gone();
            return true;
        }
        self.delete(grace);
        self.post();
        self.killed(plan);
        self.post();
        self.delete(0);
        self.gone();
        true
    }

    fn force_deleted(&mut self, plan: &Plan) -> Ended {
        self.delete(0);
        if self.o.has_finalizer == Holding::Held && self.o.node.is_some() {
            self.killed(plan);
            self.post();
        }
        self.gone();
        true
    }

    fn collected(&mut self) -> Ended {
        self.condition("DisruptionTarget", "True", Some("DeletionByPodGC"));
        self.o.phase = "Failed".into();
        self.post();
        self.delete(0);
        self.gone();
        true
    }

    /// The node comes back and says how it really was; the phase stays.
    fn collected_then_back(&mut self, plan: &Plan) -> Ended {
        self.condition("DisruptionTarget", "True", Some("DeletionByPodGC"));
        self.o.phase = "Failed".into();
        self.post();
        self.delete(0);
        self.killed(plan);
        self.o.phase = "Failed".into();
        self.post();
        self.gone();
        true
    }

    fn deadline(&mut self, plan: &Plan) -> Ended {
        if self.o.node.is_none() {
            return false;
        }
        self.o.active_deadline_seconds = Some(1);
        self.tell("DeadlineExceeded", "Pod was active on the node longer than the specified deadline");
        self.o.reason = Some("DeadlineExceeded".into());
        // First the phase, a moment later what became of the containers.
        self.o.phase = "Failed".into();
        self.post();
        self.killed(plan);
        self.o.phase = "Failed".into();
        self.post();
        self.afterwards()
    }

    fn stopped(&mut self, plan: &Plan, cause: StopCause) -> Ended {
        if self.o.phase_is_terminal() || self.o.restart_policy == "Never" && self.o.primary_terminated().is_some() {
            return false;
        }
        let time = self.now;
        let (caller, message) = Default::default();
        self.o.stop = Some(Stop { cause, caller, message, time, grace_seconds: 2, pending: None });
        self.post();
        if self.o.node.is_none() { self.deleted(plan, 0) } else { self.deadline(plan) }
    }

    fn silent(&mut self) -> bool {
        let running = self.o.condition("ContainersReady").is_some_and(|c| c.status == "True");
        if running {
            self.condition("Ready", "False", None);
            self.tell("NodeNotReady", "Node is not ready");
            self.post();
        }
        running
    }

    fn silent_and_back(&mut self) -> Ended {
        if self.silent() {
            self.condition("Ready", "True", None);
            self.post();
        }
        false
    }

    fn silent_then_tainted(&mut self, plan: &Plan) -> Ended {
        if !self.silent() {
            return false;
        }
        self.condition("DisruptionTarget", "True", Some("DeletionByTaintManager"));
        self.post();
        self.deleted(plan, 2)
    }

    fn evicted(&mut self, plan: &Plan) -> Ended {
        if self.o.node.is_none() {
            return false;
        }
        self.tell("Evicted", "The node was low on resource: memory.");
        self.killed(plan);
        if self.o.phase == "Failed" {
            self.o.reason = Some("Evicted".into());
        }
        self.post();
        self.afterwards()
    }

    /// A node that was restarted and no longer knows the container.
    fn lost(&mut self) -> Ended {
        if self.o.node.is_none() || self.o.primary_terminated().is_some() {
            return false;
        }
        let unknown = self.unknown();
        self.set("main", unknown);
        self.o.phase = "Failed".into();
        self.post();
        self.afterwards()
    }
}

fn base(plan: &Plan, now: Timestamp) -> Observation {
    let extra = json!([{"name": "extra", "image": "i"}]);
    let sidecar = json!([{"name": "extra", "image": "i", "restartPolicy": "Always"}]);
    let (init, other) = match plan.extra {
        Extra::None => (json!([]), json!([])),
        Extra::Init { .. } => (extra, json!([])),
        Extra::Sidecar => (sidecar, json!([])),
        Extra::Other => (json!([]), extra),
    };
    let mut containers = vec![json!({"name": "main", "image": "i"})];
    containers.extend(other.as_array().cloned().unwrap_or_default());
    let policy = if plan.on_failure { "OnFailure" } else { "Never" };
    let pod = json!({
        "metadata": {"name": "p", "namespace": "ns", "uid": "u-1", "resourceVersion": "1", "creationTimestamp": now.to_string()},
        "spec": {"restartPolicy": policy, "terminationGracePeriodSeconds": 2, "containers": containers, "initContainers": init},
        "status": {"phase": "Pending"},
    });
    let key = TaskKey::new("", "ns", "p", 1).unwrap();
    observe_as(&serde_json::from_value(pod).unwrap(), key, "main").unwrap()
}
