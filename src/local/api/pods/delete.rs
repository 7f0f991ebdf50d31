//! How a pod is deleted.
//!
//! ```text
//! not bound, or terminal: grace 0 → gone at once (or held by finalizers)
//! bound and alive:        deletionTimestamp = now + grace → the node agent stops it, then sets grace 0 → gone
//! ```

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::local::store::{Meta, mark_deleted, timestamp_seconds};

/// Marks the pod as to be deleted. `asked` is the caller's grace in seconds; a pod already being deleted only ever gets less.
pub fn mark(pod: &mut Value, asked: Option<i64>, now: Timestamp) {
    let grace = grace(pod, asked);
    if pod.is_deleting() {
        let left = pod["metadata"]["deletionGracePeriodSeconds"].as_i64().unwrap_or(0);
        if left == 0 || grace >= left {
            return;
        }
    }
    mark_deleted(pod, now, grace);
    let generation = pod["metadata"]["generation"].as_i64().unwrap_or(1);
    pod["metadata"]["generation"] = json!(generation + 1);
}

fn grace(pod: &Value, asked: Option<i64>) -> i64 {
    let bound = pod["spec"]["nodeName"].as_str().is_some_and(|n| !n.is_empty());
    let terminal = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    if !bound || terminal {
        return 0;
    }
    let own = pod["spec"]["terminationGracePeriodSeconds"].as_i64().unwrap_or(30);
    match asked.unwrap_or(own) {
        negative if negative < 0 => 1,
        seconds => seconds,
    }
}

/// What the eviction API writes before it deletes.
pub fn mark_evicted(pod: &mut Value, now: Timestamp) {
    mark_disrupted(pod, "EvictionByEvictionAPI", "Eviction API: evicting", now);
}

/// Says that the cluster takes the pod away.
pub fn mark_disrupted(pod: &mut Value, reason: &str, message: &str, now: Timestamp) {
    let condition = json!({
        "type": "DisruptionTarget", "status": "True", "lastProbeTime": null,
        "lastTransitionTime": timestamp_seconds(now),
        "reason": reason, "message": message,
    });
    if !pod["status"]["conditions"].is_array() {
        pod["status"]["conditions"] = json!([]);
    }
    if let Some(conditions) = pod["status"]["conditions"].as_array_mut() {
        conditions.retain(|c| c["type"] != "DisruptionTarget");
        conditions.push(condition);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(phase: &str, node: &str) -> Value {
        json!({"metadata": {"generation": 1}, "spec": {"nodeName": node, "terminationGracePeriodSeconds": 5}, "status": {"phase": phase}})
    }

    #[test]
    fn the_grace_follows_the_pods_state() {
        for (phase, node, asked, expected) in [
            ("Running", "local", None, 5),
            ("Running", "local", Some(2), 2),
            ("Running", "local", Some(0), 0),
            ("Running", "local", Some(-1), 1),
            ("Pending", "", Some(9), 0),
            ("Failed", "local", Some(9), 0),
        ] {
            let mut pod = pod(phase, node);
            mark(&mut pod, asked, Timestamp::UNIX_EPOCH);
            assert_eq!(pod["metadata"]["deletionGracePeriodSeconds"], expected, "{phase} {node} {asked:?}");
            assert_eq!(pod["metadata"]["generation"], 2);
        }
    }

    #[test]
    fn a_second_deletion_only_shortens() {
        let mut pod = pod("Running", "local");
        mark(&mut pod, None, Timestamp::UNIX_EPOCH);
        let first = pod.clone();
        mark(&mut pod, Some(60), Timestamp::UNIX_EPOCH);
        assert_eq!(pod, first);
        mark(&mut pod, Some(1), Timestamp::UNIX_EPOCH);
        assert_eq!(pod["metadata"]["deletionTimestamp"], "1970-01-01T00:00:01Z");
    }
}
