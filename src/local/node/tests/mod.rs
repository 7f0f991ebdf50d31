//! The node against the store, with real processes.

mod corpus;
mod life;
mod limits;
mod logs;
mod orphans;
mod start;
mod stop;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::logs_api::{Attempt, Follow, LinePrefix, LogQuery, LogRefusal};
use super::{Node, NodeConfig};
use crate::local::store::{Change, Changed, Kind, Store};

/// Longest wait for anything in these tests.
const PATIENCE: Duration = Duration::from_secs(20);

/// A store, its node, and the directory below both.
struct Bed {
    store: Store,
    node: Node,
    dir: tempfile::TempDir,
}

impl Bed {
    fn new() -> Bed {
        Bed::with(|_| {})
    }

    /// With short delays, and what `change` does to the configuration.
    fn with(change: impl FnOnce(&mut NodeConfig)) -> Bed {
        let dir = tempfile::tempdir().unwrap();
        let mut config = NodeConfig::new(dir.path().join("node"));
        let timing = &mut config.timing;
        timing.restart_delay = Duration::from_millis(50);
        timing.crash_back_off.first = Duration::from_millis(200);
        timing.pull_back_off.first = Duration::from_millis(300);
        timing.pull_settle = Duration::from_millis(50);
        timing.min_grace = Duration::from_millis(100);
        change(&mut config);
        let store = Store::new();
        let node = Node::start(store.clone(), config).unwrap();
        Bed { store, node, dir }
    }

    /// Creates a bound pod and begins to watch it.
    fn launch(&self, spec: Value) -> Watch {
        self.launch_named("p", json!({}), spec)
    }

    fn launch_named(&self, name: &str, metadata: Value, mut spec: Value) -> Watch {
        let mut pod = json!({"metadata": metadata, "status": {"phase": "Pending"}});
        pod["metadata"]["name"] = json!(name);
        pod["metadata"]["namespace"] = json!("default");
        let defaults = json!({"nodeName": "local", "restartPolicy": "Never", "terminationGracePeriodSeconds": 1});
        for (key, value) in defaults.as_object().unwrap() {
            if spec[key].is_null() {
                spec[key] = value.clone();
            }
        }
        pod["spec"] = spec;
        let pods = self.store.subscribe(Kind::Pod, None).unwrap();
        self.store.create(Kind::Pod, pod).unwrap();
        Watch { name: name.to_owned(), pods, seen: Vec::new() }
    }

    /// A pod of one container `main` that runs a shell script.
    fn sh(&self, script: &str) -> Watch {
        self.launch(json!({"containers": [sh("main", script)]}))
    }

    /// Asks for deletion as the API server does.
    fn delete(&self, name: &str, grace: i64) {
        let marked = self.store.update(Kind::Pod, "default", name, |pod| {
            pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            pod["metadata"]["deletionGracePeriodSeconds"] = json!(grace);
            Ok(())
        });
        marked.unwrap();
    }

    /// `reason message xCOUNT` of every Event, in the order of their first times.
    fn events(&self) -> Vec<String> {
        let (events, _) = self.store.list(Kind::Event, Some("default"));
        let mut events: Vec<Arc<Value>> = events;
        events.sort_by_key(|event| event["metadata"]["name"].as_str().unwrap().to_owned());
        let text = |event: &Arc<Value>| {
            let part = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
            format!("{} {}", part("reason"), part("message"))
        };
        events.iter().map(text).collect()
    }

    fn query(&self, container: &str) -> LogQuery {
        LogQuery {
            namespace: "default".into(),
            pod: "p".into(),
            container: container.into(),
            follow: Follow::No,
            attempt: Attempt::Current,
            since: None,
            tail_lines: None,
            limit_bytes: None,
            prefix: LinePrefix::None,
        }
    }

    async fn read(&self, query: LogQuery) -> Result<String, LogRefusal> {
        let mut body = self.node.logs().open(query).await?;
        let mut all = Vec::new();
        while let Some(piece) = timeout(PATIENCE, body.next()).await.unwrap() {
            all.extend_from_slice(&piece.unwrap());
        }
        Ok(String::from_utf8(all).unwrap())
    }

    async fn log(&self, container: &str) -> String {
        self.read(self.query(container)).await.unwrap()
    }
}

fn sh(name: &str, script: &str) -> Value {
    json!({"name": name, "image": "busybox:1", "command": ["sh", "-c", script]})
}

/// Everything that happened to one pod.
struct Watch {
    name: String,
    pods: crate::local::store::Subscription,
    seen: Vec<Value>,
}

impl Watch {
    /// The next change of the pod.
    async fn next(&mut self) -> Changed {
        loop {
            let change = timeout(PATIENCE, self.pods.next()).await;
            let change = change.unwrap_or_else(|_| panic!("nothing more came after {:#?}", self.history()));
            let change = change.unwrap().unwrap();
            if change.object["metadata"]["name"] == self.name.as_str() {
                self.seen.push(Value::clone(&change.object));
                return change;
            }
        }
    }

    /// The first object that satisfies the condition.
    async fn until(&mut self, condition: impl Fn(&Value) -> bool) -> Value {
        loop {
            let change = self.next().await;
            if condition(&change.object) {
                return Value::clone(&change.object);
            }
        }
    }

    async fn until_phase(&mut self, phase: &str) -> Value {
        self.until(|pod| pod["status"]["phase"] == phase).await
    }

    async fn until_running(&mut self) -> Value {
        self.until(|pod| !main_state(pod)["running"].is_null()).await
    }

    async fn until_removed(&mut self) {
        while self.next().await.change != Change::Deleted {}
    }

    /// Phase and container states of every version, repetitions left out.
    fn history(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.seen.iter().map(line).collect();
        lines.dedup();
        lines
    }
}

fn line(pod: &Value) -> String {
    let states = |list: &str| {
        let list = pod["status"][list].as_array().cloned().unwrap_or_default();
        list.iter().map(|c| format!(" {}={}", c["name"].as_str().unwrap(), state(&c["state"]))).collect::<String>()
    };
    let phase = pod["status"]["phase"].as_str().unwrap_or("none");
    format!("{phase}{}{}", states("initContainerStatuses"), states("containerStatuses"))
}

fn state(state: &Value) -> String {
    if let Some(reason) = state["waiting"]["reason"].as_str() {
        return reason.to_owned();
    }
    if !state["running"].is_null() {
        return "running".to_owned();
    }
    let ended = &state["terminated"];
    format!("{}/{}", ended["reason"].as_str().unwrap_or("?"), ended["exitCode"])
}

fn main_state(pod: &Value) -> &Value {
    &pod["status"]["containerStatuses"][0]["state"]
}

/// `STATUS reason message` of a condition.
fn condition(pod: &Value, kind: &str) -> String {
    let conditions = pod["status"]["conditions"].as_array().unwrap();
    let found = conditions.iter().find(|c| c["type"] == kind).unwrap();
    let part = |field: &str| found[field].as_str().unwrap_or_default();
    format!("{} {} {}", part("status"), part("reason"), part("message")).trim_end().to_owned()
}
