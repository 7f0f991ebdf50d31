//! A pod as one row of `kubectl get pods`.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::local::api::table::since;
use crate::local::store::Meta;

/// The cells of the row.
pub fn cells(pod: &Value, now: Timestamp) -> Vec<Value> {
    let status = &pod["status"];
    let or_none = |v: &Value| json!(v.as_str().filter(|s| !s.is_empty()).unwrap_or("<none>"));
    let summary = Summary::of(pod);
    vec![
        json!(pod.name()),
        json!(format!("{}/{}", summary.ready, summary.total)),
        json!(summary.reason),
        json!(summary.restarts(now)),
        json!(since(&pod["metadata"]["creationTimestamp"], now)),
        or_none(&status["podIP"]),
        or_none(&pod["spec"]["nodeName"]),
        or_none(&status["nominatedNodeName"]),
        json!("<none>"),
    ]
}

/// What is counted over the containers.
struct Summary {
    reason: String,
    ready: usize,
    total: usize,
    restarts: i64,
    last_restart: Option<Value>,
}

impl Summary {
    fn of(pod: &Value) -> Summary {
        let (spec, status) = (&pod["spec"], &pod["status"]);
        let mut summary = Summary {
            reason: text(&status["reason"], text(&status["phase"], "Unknown")).to_owned(),
            ready: 0,
            total: list(spec, "containers").count(),
            restarts: 0,
            last_restart: None,
        };
        let conditions = || list(status, "conditions");
        if conditions().any(|c| c["type"] == "PodScheduled" && c["reason"] == "SchedulingGated") {
            summary.reason = "SchedulingGated".to_owned();
        }
        let initializing = summary.init_containers(spec, status);
        let initialized = conditions().any(|c| c["type"] == "Initialized" && c["status"] == "True");
        if !initializing || initialized {
            summary.containers(status, conditions().any(|c| c["type"] == "Ready" && c["status"] == "True"));
        }
        let terminal = matches!(status["phase"].as_str(), Some("Succeeded" | "Failed"));
        if pod.is_deleting() && status["reason"] == "NodeLost" {
            summary.reason = "Unknown".to_owned();
        } else if pod.is_deleting() && !terminal {
            summary.reason = "Terminating".to_owned();
        }
        summary
    }

    /// True while init containers still have to end.
    fn init_containers(&mut self, spec: &Value, status: &Value) -> bool {
        let sidecar =
            |name: &Value| list(spec, "initContainers").any(|c| c["name"] == *name && c["restartPolicy"] == "Always");
        let total = list(spec, "initContainers").count();
        self.total += list(spec, "initContainers").filter(|c| c["restartPolicy"] == "Always").count();
        for (index, container) in list(status, "initContainerStatuses").enumerate() {
            self.count_restarts(container);
            let terminated = &container["state"]["terminated"];
            if terminated.is_object() && terminated["exitCode"] == 0 {
                continue;
            }
            if sidecar(&container["name"]) && container["started"] == true {
                self.ready += usize::from(container["ready"] == true);
                continue;
            }
            let waiting = text(&container["state"]["waiting"]["reason"], "");
            self.reason = match (terminated.is_object(), waiting) {
                (true, _) => format!("Init:{}", ended(terminated)),
                (false, reason) if !reason.is_empty() && reason != "PodInitializing" => format!("Init:{reason}"),
                (false, _) => format!("Init:{index}/{total}"),
            };
            return true;
        }
        false
    }

    fn containers(&mut self, status: &Value, pod_ready: bool) {
        let mut running = false;
        let statuses: Vec<&Value> = list(status, "containerStatuses").collect();
        for container in statuses.into_iter().rev() {
            self.count_restarts(container);
            let state = &container["state"];
            let waiting = text(&state["waiting"]["reason"], "");
            if !waiting.is_empty() {
                self.reason = waiting.to_owned();
            } else if state["terminated"].is_object() {
                self.reason = ended(&state["terminated"]);
            } else if container["ready"] == true && state["running"].is_object() {
                running = true;
                self.ready += 1;
            }
        }
        if self.reason == "Completed" && running {
            self.reason = if pod_ready { "Running" } else { "NotReady" }.to_owned();
        }
    }

    fn count_restarts(&mut self, container: &Value) {
        self.restarts += container["restartCount"].as_i64().unwrap_or(0);
        let finished = &container["lastState"]["terminated"]["finishedAt"];
        if finished.as_str() > self.last_restart.as_ref().and_then(Value::as_str) {
            self.last_restart = Some(finished.clone());
        }
    }

    fn restarts(&self, now: Timestamp) -> String {
        match &self.last_restart {
            Some(at) if self.restarts > 0 => format!("{} ({} ago)", self.restarts, since(at, now)),
            _ => self.restarts.to_string(),
        }
    }
}

fn ended(terminated: &Value) -> String {
    let (reason, signal) = (text(&terminated["reason"], ""), terminated["signal"].as_i64().unwrap_or(0));
    match (reason, signal) {
        ("", 0) => format!("ExitCode:{}", terminated["exitCode"]),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

fn list<'a>(parent: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    parent[field].as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, otherwise: &'a str) -> &'a str {
    value.as_str().filter(|s| !s.is_empty()).unwrap_or(otherwise)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(pod: Value) -> (String, String, String) {
        let cells = cells(&pod, Timestamp::UNIX_EPOCH);
        let text = |i: usize| cells[i].as_str().unwrap().to_owned();
        (text(1), text(2), text(3))
    }

    fn pod(status: Value) -> Value {
        json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "main"}]}, "status": status})
    }

    #[test]
    fn rows_read_as_kubectl_prints_them() {
        let state = |state: Value| json!({"phase": "Running", "containerStatuses": [{"name": "main", "ready": true, "restartCount": 0, "state": state}]});
        let cases = [
            (json!({"phase": "Pending"}), "0/1", "Pending"),
            (
                json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "reason": "SchedulingGated"}]}),
                "0/1",
                "SchedulingGated",
            ),
            (state(json!({"running": {}})), "1/1", "Running"),
            (state(json!({"waiting": {"reason": "ErrImagePull"}})), "0/1", "ErrImagePull"),
            (state(json!({"terminated": {"exitCode": 0, "reason": "Completed"}})), "0/1", "Completed"),
            (state(json!({"terminated": {"exitCode": 3}})), "0/1", "ExitCode:3"),
            (json!({"phase": "Failed", "reason": "Evicted"}), "0/1", "Evicted"),
        ];
        for (status, ready, reason) in cases {
            assert_eq!(shown(pod(status.clone())), (ready.to_owned(), reason.to_owned(), "0".to_owned()), "{status}");
        }
    }

    #[test]
    fn init_containers_and_deletion_show() {
        let mut pod = pod(
            json!({"phase": "Pending", "initContainerStatuses": [{"name": "i", "restartCount": 2, "state": {"running": {}},
            "lastState": {"terminated": {"finishedAt": "1969-12-31T23:59:00Z"}}}]}),
        );
        pod["spec"]["initContainers"] = json!([{"name": "i"}]);
        assert_eq!(shown(pod.clone()), ("0/1".to_owned(), "Init:0/1".to_owned(), "2 (60s ago)".to_owned()));
        pod["metadata"]["deletionTimestamp"] = json!("1970-01-01T00:00:00Z");
        assert_eq!(shown(pod).1, "Terminating");
    }
}
