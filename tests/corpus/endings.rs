//! The ways a pod ends or hangs, each with the field values that decided it.
//!
//! ```text
//!   recorded: corpus/<scenario>.jsonl ──────────────┐
//!   built: a recording with a change that the API's  ├─▶ replay ─▶ classification (expected.rs, or here)
//!          documentation describes, marked so       ─┘     └─▶ facts of the version it was decided from
//! ```
//!
//! The facts named for an ending must be those of the pod at the version its outcome was decided
//! from (of one that hangs: the last), and no two endings may have the same, nor may two have the
//! same history.

use std::collections::{BTreeMap, BTreeSet};

use podlaunch::task::reason::{self, Hint};
use serde_json::{Value, json};

use super::describe;
use super::expected::EXPECTED;
use super::replay::{Line, Replay, SPREAD, Scenario, recordings_of};

/// Where an ending is from.
enum From {
    /// `corpus/<name>.jsonl`.
    Recorded,
    /// One machine cannot make it happen: a recording, changed as documented.
    Built { base: &'static str, documented: &'static str, change: fn(&mut Scenario), gives: &'static str },
}

struct Ending {
    name: &'static str,
    from: From,
    /// `what=value`, as [`facts`] has them.
    decided_by: &'static [&'static str],
}

const fn r(name: &'static str, decided_by: &'static [&'static str]) -> Ending {
    Ending { name, from: From::Recorded, decided_by }
}

const fn b(
    name: &'static str,
    base: &'static str,
    documented: &'static str,
    change: fn(&mut Scenario),
    decided_by: &'static [&'static str],
    gives: &'static str,
) -> Ending {
    Ending { name, from: From::Built { base, documented, change, gives }, decided_by }
}

/// What a version of a pod says, as far as it can decide anything.
fn facts(pod: &Value) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    let mut put = |what: &str, value: String| facts.insert(what.to_string(), value);
    for absent in ["main", "DisruptionTarget", "PodScheduled"] {
        put(absent, "none".into());
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let status = &pod["status"];
    put("phase", text(&status["phase"]));
    put("reason", text(&status["reason"]));
    put("node", if pod["spec"]["nodeName"].is_string() { "bound" } else { "none" }.into());
    put("policy", text(&pod["spec"]["restartPolicy"]));
    let deleted = pod["metadata"]["deletionTimestamp"].is_string();
    put("deletion", if deleted { "yes" } else { "no" }.into());
    let held = pod["metadata"]["finalizers"].as_array().is_some_and(|f| f.iter().any(|f| f == "podlaunch.dev/outcome"));
    put("finalizer", if held { "yes" } else { "no" }.into());
    put("gated", if pod["spec"]["schedulingGates"].is_array() { "yes" } else { "no" }.into());
    let stop: Value =
        serde_json::from_str(&text(&pod["metadata"]["annotations"]["podlaunch.dev/stop"])).unwrap_or_default();
    put("stop", text(&stop["cause"]));
    for c in status["conditions"].as_array().into_iter().flatten() {
        let value = format!("{}/{}", text(&c["status"]), text(&c["reason"]));
        put(&text(&c["type"]), value);
    }
    let lists = ["initContainerStatuses", "containerStatuses"];
    for c in lists.iter().flat_map(|list| status[*list].as_array().into_iter().flatten()) {
        put(&text(&c["name"]), container(c));
        if let Some(count) = c["restartCount"].as_u64().filter(|count| *count > 0) {
            put(&format!("{}.restarts", text(&c["name"])), count.to_string());
        }
    }
    facts
}

fn container(status: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let state = &status["state"];
    if let Some(t) = state.get("terminated") {
        format!("terminated {}/{}", text(&t["reason"]), t["exitCode"])
    } else if let Some(w) = state.get("waiting") {
        format!("waiting {}", text(&w["reason"]))
    } else {
        "running".into()
    }
}

/// The Events about the pod that say something, as facts `event=reason`.
fn told(scenario: &Scenario, uid: &str, until: f64) -> BTreeSet<String> {
    let about = |line: &&Line| line.object["involvedObject"]["uid"] == uid && line.t <= until;
    let says = |line: &Line| {
        let (word, message) = (line.object["reason"].as_str()?, line.object["message"].as_str()?);
        let hint = matches!(reason::notice(word, message), Hint::Waits(_));
        (hint || matches!(word, "FailedPostStartHook" | "Evicted" | "Unhealthy")).then(|| format!("event={word}"))
    };
    scenario.events.iter().filter(about).filter_map(says).collect()
}

struct Found {
    outcome: String,
    transitions: String,
    /// `what=value` of the version that decided, and of the Events before it.
    facts: BTreeSet<String>,
    /// The same of all versions, one after the other.
    history: Vec<BTreeSet<String>>,
}

fn find(ending: &Ending) -> Found {
    let (file, index) = ending.name.split_once('#').map_or((ending.name, 1), |(f, i)| (f, i.parse().unwrap()));
    let scenario = match &ending.from {
        From::Recorded => Scenario::read(file),
        From::Built { base, change, .. } => {
            let mut scenario = Scenario::read(base);
            change(&mut scenario);
            scenario
        }
    };
    let recording = recordings_of(scenario.clone()).remove(index - 1);
    let replay = Replay::of(&recording.seen);
    let uid = replay.row.as_ref().unwrap().observation().uid.clone();
    let versions: Vec<&Line> = scenario.pods.iter().filter(|l| l.object["metadata"]["uid"] == uid.as_str()).collect();
    let pairs = |line: &&Line| {
        let mut pairs: BTreeSet<String> = facts(&line.object).iter().map(|(k, v)| format!("{k}={v}")).collect();
        pairs.insert(format!("object={}", if line.kind == "DELETED" { "gone" } else { "there" }));
        pairs
    };
    let outcome = replay.outcomes().first().map(|stored| stored.outcome.clone());
    let decided = outcome.as_ref().map(|o| o.pod.resource_version / SPREAD);
    let version = |line: &&&Line| line.object["metadata"]["resourceVersion"].as_str().unwrap().parse().ok() == decided;
    let at = versions.iter().find(version).or(versions.last()).unwrap();
    let until = if outcome.is_some() { at.t } else { f64::MAX };
    let mut facts = pairs(at);
    facts.extend(told(&scenario, &uid, until));
    let mut history: Vec<BTreeSet<String>> = versions.iter().map(pairs).collect();
    history.push(told(&scenario, &uid, f64::MAX));
    let outcome = outcome.as_ref().map(describe).unwrap_or_default();
    Found { outcome, transitions: replay.transitions(), facts, history }
}

#[test]
fn every_ending_is_decided_by_the_fields_it_names() {
    let mut wrong = Vec::new();
    let mut by: BTreeMap<&[&str], &str> = BTreeMap::new();
    let mut histories: BTreeMap<Vec<BTreeSet<String>>, &str> = BTreeMap::new();
    for ending in ENDINGS {
        let found = find(ending);
        let missing: Vec<_> = ending.decided_by.iter().filter(|fact| !found.facts.contains(**fact)).collect();
        if !missing.is_empty() || ending.decided_by.is_empty() {
            wrong.push(format!("{}: {missing:?} not in {:?}", ending.name, found.facts));
        }
        match &ending.from {
            From::Recorded => {
                let e = EXPECTED.iter().find(|e| e.name == ending.name).unwrap_or_else(|| panic!("{}", ending.name));
                assert_eq!((found.transitions.as_str(), found.outcome.as_str()), (e.transitions, e.outcome));
            }
            From::Built { gives, documented, .. } => {
                assert!(!documented.is_empty());
                let gave = if found.outcome.is_empty() { &found.transitions } else { &found.outcome };
                if gave != gives {
                    wrong.push(format!("{} gives {gave:?}, not {gives:?}", ending.name));
                }
            }
        }
        if let Some(other) = by.insert(ending.decided_by, ending.name) {
            wrong.push(format!("{} is decided by the same as {other}", ending.name));
        }
        if let Some(other) = histories.insert(found.history, ending.name) {
            wrong.push(format!("{} has the history of {other}", ending.name));
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    let recorded = ENDINGS.iter().filter(|e| matches!(e.from, From::Recorded)).count();
    println!("{} endings: {recorded} recorded, {} built", ENDINGS.len(), ENDINGS.len() - recorded);
    assert!(recorded >= 45 && ENDINGS.len() >= 60, "{recorded} of {}", ENDINGS.len());
}

fn last(s: &mut Scenario) -> &mut Value {
    &mut s.pods.last_mut().unwrap().object
}

/// The pod of `s` ends so, instead of as it did.
fn status(s: &mut Scenario, reason: &str, message: &str) {
    let pod = last(s);
    pod["status"]["phase"] = "Failed".into();
    pod["status"]["reason"] = reason.into();
    pod["status"]["message"] = message.into();
}

fn condition(s: &mut Scenario, kind: &str, state: &str, reason: &str) {
    let pod = last(s);
    let since = "2026-11-23T04:07:00Z";
    let condition = json!({"type": kind, "status": state, "reason": reason, "message": "as documented", "lastTransitionTime": since});
    match &mut pod["status"]["conditions"] {
        Value::Array(conditions) => {
            conditions.retain(|c| c["type"] != kind);
            conditions.push(condition);
        }
        other => *other = json!([condition]),
    }
}

/// All versions after the container was first shown as something else than waiting are dropped,
/// and the last one shows this state.
fn main_waits(s: &mut Scenario, word: &str) {
    let state = json!({"waiting": {"reason": word, "message": "as documented"}});
    s.pods.retain(|l| l.object["status"]["containerStatuses"][0]["state"].get("terminated").is_none());
    last(s)["status"]["containerStatuses"][0]["state"] = state;
    s.events.clear();
}

fn main_ended(s: &mut Scenario, reason: &str, code: i32, started: Value) {
    let container = &mut last(s)["status"]["containerStatuses"][0];
    let finished = started.clone();
    container["state"] =
        json!({"terminated": {"reason": reason, "exitCode": code, "startedAt": started, "finishedAt": finished}});
    // The end is seen with the phase only.
    let n = s.pods.len();
    s.pods.retain({
        let mut i = 0;
        move |l| {
            i += 1;
            i == n || l.object["status"]["containerStatuses"][0]["state"].get("terminated").is_none()
        }
    });
    s.events.clear();
}

#[rustfmt::skip]
const ENDINGS: &[Ending] = &[
    // By itself.
    r("true", &["main=terminated Completed/0", "deletion=no", "policy=Never"]),
    r("exit-3", &["main=terminated Error/3", "deletion=no", "reason="]),
    r("exit-137", &["main=terminated Error/137", "phase=Failed", "deletion=no", "reason="]),
    r("exit-139", &["main=terminated Error/139", "phase=Failed"]),
    r("exit-255", &["main=terminated Error/255", "phase=Failed"]),
    r("oom", &["main=terminated OOMKilled/137", "phase=Failed"]),
    r("oom-child-exit0", &["main=terminated OOMKilled/0"]),
    r("start-error", &["main=terminated StartError/128", "phase=Pending", "policy=Never"]),
    r("init-fail", &["init=terminated Error/7", "main=waiting PodInitializing", "phase=Failed"]),
    r("init-oom", &["init=terminated OOMKilled/137", "main=waiting PodInitializing", "phase=Failed"]),
    r("init-start-error", &["init=terminated StartError/128", "main=waiting PodInitializing", "phase=Failed"]),
    r("poststart-fail", &["main=terminated Error/137", "event=FailedPostStartHook"]),
    r("startup-probe-fails", &["main=terminated Error/137", "event=Unhealthy"]),
    r("other-fails-first", &["main=terminated Completed/0", "side=terminated Error/9"]),
    r("other-runs-on", &["main=terminated Error/3", "side=running"]),
    r("two-containers-main-first", &["main=terminated Error/3", "other=running"]),
    r("sidecar", &["main=terminated Error/5", "side=running"]),
    r("sidecar-crashing", &["main=terminated Completed/0", "side.restarts=1"]),
    r("onfailure-succeeds", &["main=terminated Completed/0", "main.restarts=1", "policy=OnFailure", "phase=Succeeded"]),
    // A deadline of the pod's own.
    r("deadline", &["reason=DeadlineExceeded", "main=terminated Error/137", "stop="]),
    r("deadline-trap", &["reason=DeadlineExceeded", "main=terminated Completed/0", "stop="]),
    r("deadline-pulling", &["reason=DeadlineExceeded", "main=waiting ImagePullBackOff", "stop="]),
    r("deadline-in-init", &["reason=DeadlineExceeded", "main=waiting PodInitializing", "init=terminated Error/137"]),
    r("deadline-onfailure", &["reason=DeadlineExceeded", "main=waiting CrashLoopBackOff", "main.restarts=1"]),
    // podlaunch's stop.
    r("stop-exit0", &["stop=CANCEL", "main=terminated Completed/0"]),
    r("stop-exit3", &["stop=EXECUTION_TIMEOUT", "main=terminated Error/3"]),
    r("stop-killed", &["stop=CANCEL", "main=terminated Error/137"]),
    r("stop-pulling", &["stop=STARTUP_TIMEOUT", "main=waiting ImagePullBackOff"]),
    r("stop-pulling-cancel", &["stop=CANCEL", "main=waiting ImagePullBackOff"]),
    // The node refuses it.
    r("admission-outofcpu", &["reason=OutOfcpu", "phase=Failed"]),
    r("admission-nodeaffinity", &["reason=NodeAffinity", "phase=Failed"]),
    r("admission-nodeports#2", &["reason=NodePorts", "phase=Failed"]),
    r("admission-sysctl", &["reason=SysctlForbidden", "phase=Failed"]),
    r("admission-os", &["reason=PodOSNotSupported", "phase=Failed"]),
    // Taken away.
    r("evicted-killed", &["reason=Evicted", "main=terminated Error/137"]),
    r("evicted-exit0", &["event=Evicted", "main=terminated Completed/0", "phase=Succeeded"]),
    r("evict-killed", &["DisruptionTarget=True/EvictionByEvictionAPI", "main=terminated Error/137"]),
    r("evict-exit0", &["DisruptionTarget=True/EvictionByEvictionAPI", "main=terminated Completed/0"]),
    r("evict-finalizer-exit3", &["DisruptionTarget=True/EvictionByEvictionAPI", "main=terminated Error/3"]),
    r("preemption", &["DisruptionTarget=True/PreemptionByScheduler", "main=terminated Error/143", "finalizer=no"]),
    r("taint-noexecute", &["DisruptionTarget=True/DeletionByTaintManager", "main=terminated Completed/0", "phase=Succeeded"]),
    r("delete-grace2-killed", &["deletion=yes", "main=terminated Error/137", "DisruptionTarget=none", "finalizer=no"]),
    r("delete-grace2-handler-exit3", &["deletion=yes", "main=terminated Error/3", "stop=", "DisruptionTarget=none"]),
    r("delete-grace2-handler-exit0", &["deletion=yes", "main=terminated Completed/0", "DisruptionTarget=none"]),
    r("delete-imagepullbackoff", &["deletion=yes", "main=terminated ContainerStatusUnknown/137"]),
    r("delete-in-init-finalizer", &["deletion=yes", "init=terminated Error/137", "main=waiting PodInitializing"]),
    r("delete-unscheduled", &["deletion=yes", "node=none", "object=there"]),
    r("delete-terminal", &["main=terminated Completed/0", "phase=Pending", "finalizer=no"]),
    r("force-delete", &["main=running", "object=gone", "phase=Running"]),
    r("force-delete-finalizer", &["deletion=yes", "main=terminated Error/137", "finalizer=yes"]),
    r("node-lost", &["DisruptionTarget=True/DeletionByTaintManager", "deletion=yes", "main=terminated Completed/0"]),
    r("node-lost-finalizer", &["DisruptionTarget=True/DeletionByTaintManager", "main=terminated Error/3"]),
    r("node-deleted-finalizer", &["DisruptionTarget=True/DeletionByPodGC", "main=running", "Ready=False/"]),
    r("node-never-there", &["DisruptionTarget=True/DeletionByPodGC", "main=none", "node=bound"]),
    // It waits for ever.
    r("errimagepull", &["main=waiting ErrImagePull"]),
    r("errimagenever", &["main=waiting ErrImageNeverPull"]),
    r("invalid-image-name", &["main=waiting InvalidImageName"]),
    r("missing-secret-key", &["main=waiting CreateContainerConfigError"]),
    r("missing-configmap-volume", &["main=waiting ContainerCreating", "event=FailedMount"]),
    r("runtime-class-without-handler", &["main=waiting ContainerCreating", "event=FailedCreatePodSandBox"]),
    r("seccomp-missing", &["main=waiting CreateContainerError"]),
    r("onfailure-start-error", &["main=waiting RunContainerError", "policy=OnFailure"]),
    r("onfailure-retry", &["main=terminated Error/1", "main.restarts=2", "policy=OnFailure"]),
    r("init-crash-loop", &["init=terminated Error/5", "init.restarts=2", "policy=OnFailure"]),
    r("init-hangs", &["init=running", "main=waiting PodInitializing"]),
    r("sidecar-unpullable", &["side=waiting ErrImagePull", "main=waiting PodInitializing"]),
    r("unschedulable-cpu", &["PodScheduled=False/Unschedulable", "node=none"]),
    r("no-such-scheduler", &["PodScheduled=none", "node=none"]),

    // Built.
    b("gated-for-ever", "scheduling-gate", "PodSchedulingReadiness: a gated pod is not looked at; the recording, cut",
      |s| s.pods.truncate(1),
      &["gated=yes", "PodScheduled=False/SchedulingGated"], "PENDING/GATED"),
    b("preempted-by-node", "exit-137", "kubelet preemption of a pod for a critical one: status.reason Preempting, DisruptionTarget TerminationByKubelet",
      |s| { status(s, "Preempting", "Preempted in order to admit critical pod"); condition(s, "DisruptionTarget", "True", "TerminationByKubelet"); },
      &["reason=Preempting", "DisruptionTarget=True/TerminationByKubelet"],
      "DISRUPTED PREEMPTED_BY_NODE CLUSTER MAY_HAVE_SIDE_EFFECTS OBSERVED 137"),
    b("node-pressure", "exit-137", "node-pressure eviction: status.reason Evicted, DisruptionTarget TerminationByKubelet",
      |s| { status(s, "Evicted", "The node was low on resource: memory."); condition(s, "DisruptionTarget", "True", "TerminationByKubelet"); },
      &["reason=Evicted", "DisruptionTarget=True/TerminationByKubelet"],
      "DISRUPTED EVICTED CLUSTER MAY_HAVE_SIDE_EFFECTS OBSERVED 137"),
    b("node-shutdown", "exit-137", "graceful node shutdown: status.reason Terminated, DisruptionTarget TerminationByKubelet",
      |s| { status(s, "Terminated", "Pod was terminated in response to imminent node shutdown."); condition(s, "DisruptionTarget", "True", "TerminationByKubelet"); },
      &["reason=Terminated", "DisruptionTarget=True/TerminationByKubelet", "main=terminated Error/137"],
      "DISRUPTED NODE_SHUTDOWN CLUSTER MAY_HAVE_SIDE_EFFECTS OBSERVED 137"),
    b("node-shutdown-exit0", "deadline-trap", "the same of a container that exits 0",
      |s| { status(s, "Terminated", "Pod was terminated in response to imminent node shutdown."); condition(s, "DisruptionTarget", "True", "TerminationByKubelet"); },
      &["reason=Terminated", "main=terminated Completed/0"],
      "SUCCEEDED COMPLETED_DURING_DISRUPTION USER MAY_HAVE_SIDE_EFFECTS INFERRED 0"),
    b("node-shutting-down", "admission-nodeaffinity", "a node that shuts down refuses pods: status.reason NodeShutdown",
      |s| status(s, "NodeShutdown", "Pod was rejected as the node is shutting down."),
      &["reason=NodeShutdown", "main=none"], "DISRUPTED NODE_SHUTDOWN CLUSTER SAFE_NEVER_STARTED OBSERVED -"),
    b("admission-topology", "admission-nodeaffinity", "Topology Manager: status.reason TopologyAffinityError",
      |s| status(s, "TopologyAffinityError", "Resources cannot be allocated with Topology locality"),
      &["reason=TopologyAffinityError"], "DISRUPTED ADMISSION_REJECTED_BY_NODE CLUSTER SAFE_NEVER_STARTED OBSERVED -"),
    b("admission-devices", "admission-nodeaffinity", "device plugins: status.reason UnexpectedAdmissionError",
      |s| status(s, "UnexpectedAdmissionError", "Allocate failed due to requested number of devices unavailable"),
      &["reason=UnexpectedAdmissionError"], "DISRUPTED ADMISSION_REJECTED_BY_NODE CLUSTER SAFE_NEVER_STARTED OBSERVED -"),
    b("admission-pods", "admission-nodeaffinity", "status.reason OutOf<resource> of any resource",
      |s| status(s, "OutOfpods", "Node didn't have enough resource: pods"),
      &["reason=OutOfpods"], "DISRUPTED ADMISSION_REJECTED_BY_NODE CLUSTER SAFE_NEVER_STARTED OBSERVED -"),
    b("admission-apparmor", "admission-nodeaffinity", "status.reason AppArmor: the node cannot enforce the profile",
      |s| status(s, "AppArmor", "Cannot enforce AppArmor: AppArmor is not enabled on the host"),
      &["reason=AppArmor"], "DISRUPTED ADMISSION_REJECTED_BY_NODE CLUSTER SAFE_NEVER_STARTED OBSERVED -"),
    b("admission-predicate", "admission-nodeaffinity", "status.reason is the name of any predicate of the scheduler's",
      |s| status(s, "NewPredicate", "Predicate NewPredicate failed"),
      &["reason=NewPredicate", "main=none"], "DISRUPTED ADMISSION_REJECTED_BY_NODE CLUSTER SAFE_NEVER_STARTED OBSERVED -"),
    b("node-lost-reason", "exit-137", "util/node.go NodeUnreachablePodReason: status.reason NodeLost",
      |s| status(s, "NodeLost", "Node which was running the pod is unresponsive"),
      &["reason=NodeLost"], "DISRUPTED NODE_LOST CLUSTER MAY_HAVE_SIDE_EFFECTS OBSERVED 137"),
    b("disrupted-by-another", "evict-killed", "the reasons of DisruptionTarget are open",
      |s| for line in &mut s.pods {
          let text = line.object.to_string().replace("EvictionByEvictionAPI", "DeletionByNewController");
          line.object = serde_json::from_str(&text).unwrap();
      },
      &["DisruptionTarget=True/DeletionByNewController"], "DISRUPTED DISRUPTED_OTHER CLUSTER MAY_HAVE_SIDE_EFFECTS OBSERVED 137"),
    b("status-unknown", "exit-137", "status_manager.go: a container the node no longer knows is terminated ContainerStatusUnknown/137 without times",
      |s| main_ended(s, "ContainerStatusUnknown", 137, Value::Null),
      &["main=terminated ContainerStatusUnknown/137", "deletion=no"], "LOST CONTAINER_STATUS_UNKNOWN CLUSTER MAY_HAVE_SIDE_EFFECTS INFERRED -"),
    b("runtime-lost-track", "exit-137", "containerd restart.go, events.go: Unknown/255 of a task that was lost",
      |s| main_ended(s, "Unknown", 255, "2026-11-23T04:07:07Z".into()),
      &["main=terminated Unknown/255"], "LOST EXIT_CODE_UNKNOWN CLUSTER MAY_HAVE_SIDE_EFFECTS INFERRED -"),
    b("cannot-run", "start-error", "ContainerCannotRun of runtimes before containerd",
      |s| main_ended(s, "ContainerCannotRun", 127, Value::Null),
      &["main=terminated ContainerCannotRun/127"], "FAILED RUN_CONTAINER_ERROR USER SAFE_NEVER_STARTED OBSERVED -"),
    b("other-failed-before", "other-runs-on", "a pod fails by another container before the primary one could start",
      |s| {
          main_waits(s, "ContainerCreating");
          status(s, "", "");
          last(s)["status"]["containerStatuses"][1]["state"] = json!({"terminated": {"reason": "Error", "exitCode": 1}});
      },
      &["main=waiting ContainerCreating", "side=terminated Error/1", "phase=Failed"], "FAILED SIDECAR_FAILED USER SAFE_NEVER_STARTED INFERRED -"),
    b("failed-without-a-word", "admission-nodeaffinity", "a phase that anybody with the right may write",
      |s| status(s, "", ""),
      &["phase=Failed", "reason=", "main=none", "DisruptionTarget=none"], "LOST UNKNOWN UNKNOWN MAY_HAVE_SIDE_EFFECTS INFERRED -"),
    b("succeeded-without-a-word", "admission-nodeaffinity", "a phase that anybody with the right may write",
      |s| { status(s, "", ""); last(s)["status"]["phase"] = "Succeeded".into(); },
      &["phase=Succeeded", "main=none"], "SUCCEEDED COMPLETED USER NONE INFERRED -"),
    b("disconnected", "stop-exit0", "podlaunch's own stop by a disconnect policy",
      |s| for line in &mut s.pods {
          let text = line.object.to_string().replace("\\\"CANCEL\\\"", "\\\"DISCONNECTED\\\"");
          line.object = serde_json::from_str(&text).unwrap();
      },
      &["stop=DISCONNECTED", "main=terminated Completed/0"], "CANCELLED DISCONNECTED CALLER MAY_HAVE_SIDE_EFFECTS OBSERVED 0"),
    b("schedule-timeout", "delete-unscheduled", "podlaunch's own stop of a pod without a node is a delete",
      |s| {
          let pending = json!({"reason": "UNSCHEDULABLE", "kubernetes_reason": "Unschedulable", "kubernetes_message": "0/1 nodes", "never_started": "PROVEN"});
          let stop = json!({"cause": "SCHEDULE_TIMEOUT", "time": "2026-11-23T04:07:30Z", "grace_seconds": 2, "pending": pending}).to_string();
          for line in s.pods.iter_mut().filter(|l| l.object["metadata"]["deletionTimestamp"].is_string()) {
              line.object["metadata"]["annotations"] = json!({"podlaunch.dev/stop": stop});
          }
      },
      &["stop=SCHEDULE_TIMEOUT", "node=none"], "FAILED UNSCHEDULABLE CLUSTER SAFE_NEVER_STARTED OBSERVED -"),
    b("registry-unavailable", "errimagepull", "cri-api/pkg/errors RegistryUnavailable", |s| main_waits(s, "RegistryUnavailable"),
      &["main=waiting RegistryUnavailable"], "PENDING STARTING STARTING/IMAGE_PULL_FAILED STARTING/IMAGE_REGISTRY_UNAVAILABLE"),
    b("signature-invalid", "errimagepull", "cri-api/pkg/errors SignatureValidationFailed", |s| main_waits(s, "SignatureValidationFailed"),
      &["main=waiting SignatureValidationFailed"], "PENDING STARTING STARTING/IMAGE_PULL_FAILED STARTING/IMAGE_SIGNATURE_INVALID"),
    b("image-inspect", "errimagepull", "kubelet/images/types.go ImageInspectError", |s| main_waits(s, "ImageInspectError"),
      &["main=waiting ImageInspectError"], "PENDING STARTING STARTING/IMAGE_PULL_FAILED STARTING/IMAGE_INSPECT_ERROR"),
    b("image-other", "errimagepull", "the waiting reasons are open", |s| main_waits(s, "ErrImageSomethingNew"),
      &["main=waiting ErrImageSomethingNew"], "PENDING STARTING STARTING/IMAGE_PULL_FAILED STARTING/IMAGE_OTHER"),
    b("waits-for-something-new", "errimagepull", "the waiting reasons are open", |s| main_waits(s, "SomethingNew"),
      &["main=waiting SomethingNew"], "PENDING STARTING STARTING/IMAGE_PULL_FAILED STARTING/UNKNOWN"),
    b("scheduler-error", "unschedulable-cpu", "core/v1 PodReasonSchedulerError", |s| { s.events.clear(); condition(s, "PodScheduled", "False", "SchedulerError"); },
      &["PodScheduled=False/SchedulerError"], "PENDING PENDING/SCHEDULER_ERROR"),
];
