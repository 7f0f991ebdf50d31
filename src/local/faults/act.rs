//! Things that happen to a cluster at once: to its store, its node, its log files.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::local::api::pods::delete as pod_delete;
use crate::local::node::Faulty;
use crate::local::node::logs::clock::Skew;
use crate::local::node::logs::file::Keep;
use crate::local::store::{Kind, Meta, Store, StoreError, timestamp_seconds};

/// An act.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub enum Act {
    /// Watches cannot resume from before now any more (410); those that are open go on.
    Compact,
    /// A container's log is rotated whatever its size. `keep: last_line`: as if that had been just before its last line
    /// was written.
    RotateLog {
        namespace: String,
        pod: String,
        container: String,
        #[serde(default)]
        keep: Keep,
    },
    /// From now on a container's lines are stamped otherwise: `offset_ms` from the true time, cut to `tick_us` (equal
    /// stamps), every second one `swing_us` earlier (inverted stamps).
    SkewLog {
        namespace: String,
        pod: String,
        container: String,
        #[serde(default)]
        offset_ms: i64,
        #[serde(default)]
        tick_us: i64,
        #[serde(default)]
        swing_us: i64,
    },
    /// The node's clock is set to `offset_ms` from the true time, as all pods of the namespace have it: their container
    /// times, log stamps and deadlines. Waits last as long as they did.
    SetClock { namespace: String, offset_ms: i64 },
    /// The pod's node is not heard of any more: its containers run on, its status stands still, its logs cannot be read.
    NodeLost { namespace: String, pod: String },
    /// The node is back, and with it the true status.
    NodeBack { namespace: String, pod: String },
    /// Somebody ends the pod, and says so in DisruptionTarget.
    Disrupt { namespace: String, pod: String, by: Disruption },
    /// The object goes at once whatever its containers do (DELETE with grace 0); a finalizer holds it.
    ForceDelete { namespace: String, pod: String },
}

/// Who ends a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disruption {
    /// The eviction API.
    Eviction,
    /// A NoExecute taint of its node.
    Taint,
    /// A pod of a higher priority.
    Preemption,
    /// Its node is gone: phase Failed at once, container statuses as they were, deleted with grace 0.
    PodGc,
}

impl Disruption {
    /// Reason and message of the condition.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Disruption::Eviction => ("EvictionByEvictionAPI", "Eviction API: evicting"),
            Disruption::Taint => ("DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint"),
            Disruption::Preemption => {
                ("PreemptionByScheduler", "default-scheduler: preempting to accommodate a higher priority pod")
            }
            Disruption::PodGc => ("DeletionByPodGC", "PodGC: node no longer exists"),
        }
    }
}

impl Act {
    /// Does it, or says why it cannot be done.
    pub fn perform(&self, store: &Store, node: &Faulty) -> Result<(), String> {
        match self {
            Act::Compact => store.compact(),
            Act::RotateLog { namespace, pod, container, keep } => {
                node.log(namespace, pod, container)?.rotate_now(*keep).map_err(|error| error.to_string())?;
            }
            Act::SkewLog { namespace, pod, container, offset_ms, tick_us, swing_us } => {
                let micros = SignedDuration::from_micros;
                let (offset, tick, swing) =
                    (SignedDuration::from_millis(*offset_ms), micros(*tick_us), micros(*swing_us));
                node.log(namespace, pod, container)?.skew(Skew { offset, tick, swing });
            }
            Act::SetClock { namespace, offset_ms } => {
                node.set_clock(namespace, SignedDuration::from_millis(*offset_ms));
            }
            Act::NodeLost { namespace, pod } => {
                node.cut_off(&uid_of(store, namespace, pod)?)?;
                change(store, namespace, pod, |pod| set_ready(pod, "False"))?;
            }
            Act::NodeBack { namespace, pod } => {
                node.restore(&uid_of(store, namespace, pod)?)?;
                // A change wakes the agent, which then writes the true status.
                change(store, namespace, pod, |pod| set_ready(pod, "True"))?;
            }
            Act::Disrupt { namespace, pod, by } => disrupt(store, namespace, pod, *by)?,
            Act::ForceDelete { namespace, pod } => {
                change(store, namespace, pod, |pod| pod_delete::mark(pod, Some(0), Timestamp::now()))?;
            }
        }
        Ok(())
    }
}

fn disrupt(store: &Store, namespace: &str, pod: &str, by: Disruption) -> Result<(), String> {
    let (reason, message) = by.words();
    change(store, namespace, pod, |pod| {
        pod_delete::mark_disrupted(pod, reason, message, Timestamp::now());
        if by == Disruption::PodGc && !matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed")) {
            pod["status"]["phase"] = json!("Failed");
        }
    })?;
    let grace = (by == Disruption::PodGc).then_some(0);
    change(store, namespace, pod, |pod| pod_delete::mark(pod, grace, Timestamp::now()))
}

/// As the node life-cycle controller writes it: without a reason, and ContainersReady as it was.
fn set_ready(pod: &mut Value, status: &str) {
    let conditions = pod["status"]["conditions"].as_array_mut().into_iter().flatten();
    for ready in conditions.filter(|condition| condition["type"] == "Ready") {
        if let Some(ready) = ready.as_object_mut() {
            ready.insert("status".to_owned(), json!(status));
            ready.insert("lastTransitionTime".to_owned(), json!(timestamp_seconds(Timestamp::now())));
            ready.remove("reason");
            ready.remove("message");
        }
    }
}

fn uid_of(store: &Store, namespace: &str, pod: &str) -> Result<String, String> {
    let found = store.get(Kind::Pod, namespace, pod);
    found.map(|pod| pod.uid().to_owned()).ok_or_else(|| format!("there is no pod {namespace}/{pod}"))
}

fn change(store: &Store, namespace: &str, pod: &str, edit: impl FnOnce(&mut Value)) -> Result<(), String> {
    let written = store.update(Kind::Pod, namespace, pod, |pod| {
        edit(pod);
        Ok::<(), StoreError>(())
    });
    written.map(drop).map_err(|error| error.to_string())
}
