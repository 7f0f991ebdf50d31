//! Binds pods to the one node.
//!
//! ```text
//! pod changed → unbound, not gated (its condition was set at creation), not ending, ours? → fit::misfit
//!                 fits:  nodeName + PodScheduled=True in one write, Event Scheduled
//!                 not:   PodScheduled=False/Unschedulable, Event FailedScheduling (once while the reason stays)
//! node changed → every waiting pod again
//! ```

use jiff::Timestamp;
use serde_json::{Value, json};

use super::events::{Severity, record};
use super::fit;
use crate::local::store::{Change, Changed, Kind, Meta, NODE_NAME, Store, StoreError, Subscription, timestamp_seconds};

/// Runs until dropped; after falling behind it looks at every pod again.
pub(super) async fn run(store: Store) {
    loop {
        // Subscribed before listing: what changes in between comes twice, which does no harm.
        let (Ok(pods), Ok(nodes)) = (store.subscribe(Kind::Pod, None), store.subscribe(Kind::Node, None)) else {
            return;
        };
        schedule_all(&store);
        if follow(&store, pods, nodes).await.is_none() {
            return;
        }
    }
}

/// Handles changes until the history was lost (`Some`) or the store is gone (`None`).
async fn follow(store: &Store, mut pods: Subscription, mut nodes: Subscription) -> Option<()> {
    loop {
        tokio::select! {
            changed = pods.next() => match changed? {
                Ok(Changed { change: Change::Deleted, .. }) => {}
                Ok(changed) => schedule(store, &changed.object),
                Err(_) => return Some(()),
            },
            changed = nodes.next() => match changed? {
                Ok(changed) if is_news(&changed) => schedule_all(store),
                Ok(_) => {}
                Err(_) => return Some(()),
            },
        }
    }
}

/// Heartbeats change nothing for the scheduler.
fn is_news(changed: &Changed) -> bool {
    let relevant = |node: &Value| json!([node["metadata"]["labels"], node["spec"], node["status"]["allocatable"]]);
    changed.previous.as_deref().map(relevant) != Some(relevant(&changed.object))
}

fn schedule_all(store: &Store) {
    for pod in store.list(Kind::Pod, None).0 {
        schedule(store, &pod);
    }
}

fn is_waiting(pod: &Value) -> bool {
    let unbound = pod["spec"]["nodeName"].as_str().is_none_or(str::is_empty);
    let ours = pod["spec"]["schedulerName"].as_str().is_none_or(|s| s == "default-scheduler");
    let over = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    let gated = pod["spec"]["schedulingGates"].as_array().is_some_and(|g| !g.is_empty());
    unbound && ours && !gated && !over && !pod.is_deleting()
}

fn schedule(store: &Store, pod: &Value) {
    if !is_waiting(pod) {
        return;
    }
    let Some(node) = store.get(Kind::Node, "", NODE_NAME) else {
        return;
    };
    let verdict = Verdict::of(pod, &node);
    let written = store.update(Kind::Pod, pod.namespace(), pod.name(), |current| {
        // What was read may be old: the pod is decided on as it is now, or left to the change that is still to come.
        if current.uid() != pod.uid() || !is_waiting(current) || Verdict::of(current, &node) != verdict {
            return Err(StoreError::Aborted);
        }
        verdict.write(current);
        Ok(())
    });
    match written {
        Ok(now) if now.resource_version() != pod.resource_version() => verdict.tell(store, pod),
        Ok(_) | Err(_) => {}
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Verdict {
    Fits,
    Misfit(String),
}

impl Verdict {
    fn of(pod: &Value, node: &Value) -> Verdict {
        match fit::misfit(pod, node) {
            None => Verdict::Fits,
            Some(why) => Verdict::Misfit(fit::message(&why)),
        }
    }

    fn write(&self, pod: &mut Value) {
        match self {
            Verdict::Misfit(message) => condition(pod, "False", Some(("Unschedulable", message))),
            Verdict::Fits => {
                pod["spec"]["nodeName"] = json!(NODE_NAME);
                condition(pod, "True", None);
            }
        }
    }

    fn tell(&self, store: &Store, pod: &Value) {
        match self {
            Verdict::Misfit(message) => {
                record(store, pod, Severity::Warning, "FailedScheduling", "Scheduling", message);
            }
            Verdict::Fits => {
                let message = format!("Successfully assigned {}/{} to {NODE_NAME}", pod.namespace(), pod.name());
                record(store, pod, Severity::Normal, "Scheduled", "Binding", &message);
            }
        }
    }
}

/// Sets PodScheduled; its transition time changes with its status only.
fn condition(pod: &mut Value, status: &str, why: Option<(&str, &str)>) {
    let now = timestamp_seconds(Timestamp::now());
    let generation = pod["metadata"]["generation"].clone();
    if !pod["status"]["conditions"].is_array() {
        pod["status"]["conditions"] = json!([]);
    }
    let Some(conditions) = pod["status"]["conditions"].as_array_mut() else {
        return;
    };
    let place = conditions.iter().position(|c| c["type"] == "PodScheduled");
    let since =
        place.map(|i| &conditions[i]).filter(|c| c["status"] == status).map(|c| c["lastTransitionTime"].clone());
    let mut new = json!({
        "type": "PodScheduled", "status": status, "lastProbeTime": null,
        "lastTransitionTime": since.unwrap_or_else(|| json!(now)),
    });
    if let Some((reason, message)) = why {
        new["observedGeneration"] = generation;
        new["reason"] = json!(reason);
        new["message"] = json!(message);
    }
    match place {
        Some(index) => conditions[index] = new,
        None => conditions.push(new),
    }
}
