//! What the node answers to `pods/log`.
//!
//! ```text
//! LogQuery → pod in the store → container status (as posted) → container id → AttemptLog → body
//!                                        │ waiting, never started …              │ removed
//!                                        ▼                                       ▼
//!                                  LogRefusal (400)              200 "unable to retrieve container logs …"
//! ```
//!
//! The *posted* status decides, so a log becomes readable with the status update that shows the container, not earlier.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, StreamExt};
use parking_lot::Mutex;
use serde_json::Value;

use super::file::AttemptLog;
use super::read::{Reader, Selection};
use crate::local::node::logs_api::{Attempt, LogBody, LogQuery, LogRefusal, NodeLogs};
use crate::local::store::{Kind, Meta, Store};

/// The logs that exist, by container id (`containerd://…`).
#[derive(Default)]
pub struct Logs(Mutex<HashMap<String, Arc<AttemptLog>>>);

/// The uids of pods whose node is not heard of: a fault of tests.
pub type CutOff = Mutex<BTreeSet<String>>;

impl Logs {
    /// Makes a log readable.
    pub fn insert(&self, container_id: &str, log: Arc<AttemptLog>) {
        self.0.lock().insert(container_id.to_owned(), log);
    }

    /// The container is removed, and its log with it.
    pub fn remove(&self, container_id: &str) {
        let removed = self.0.lock().remove(container_id);
        if let Some(log) = removed {
            log.remove();
        }
    }

    pub(in crate::local::node) fn get(&self, container_id: &str) -> Option<Arc<AttemptLog>> {
        self.0.lock().get(container_id).cloned()
    }
}

/// Serves the logs of the node's containers.
pub struct LogServer {
    store: Store,
    logs: Arc<Logs>,
    cut_off: Arc<CutOff>,
}

impl LogServer {
    pub fn new(store: Store, logs: Arc<Logs>, cut_off: Arc<CutOff>) -> LogServer {
        LogServer { store, logs, cut_off }
    }

    fn answer(&self, query: &LogQuery) -> Result<LogBody, LogRefusal> {
        let pod = self.store.get(Kind::Pod, &query.namespace, &query.pod);
        let pod = pod.ok_or_else(|| LogRefusal::NotFound(format!("pods \"{}\" not found", query.pod)))?;
        if pod["spec"]["nodeName"].as_str().unwrap_or_default().is_empty() {
            return Err(LogRefusal::NotScheduled);
        }
        if self.cut_off.lock().contains(pod.uid()) {
            return Err(LogRefusal::Unreachable(unreachable(query)));
        }
        let id = readable(&pod, query).map_err(LogRefusal::BadRequest)?;
        match self.logs.get(&id) {
            Some(log) => Ok(body(log, Selection::from(query))),
            None => Ok(text(format!("unable to retrieve container logs for {id}"))),
        }
    }
}

impl NodeLogs for LogServer {
    fn open(&self, query: LogQuery) -> BoxFuture<'static, Result<LogBody, LogRefusal>> {
        let answer = self.answer(&query);
        Box::pin(async move { answer })
    }
}

fn unreachable(query: &LogQuery) -> String {
    let LogQuery { namespace, pod, container, .. } = query;
    let url = format!("https://127.0.0.1:10250/containerLogs/{namespace}/{pod}/{container}");
    format!("Get \"{url}\": dial tcp 127.0.0.1:10250: connect: connection refused")
}

fn body(log: Arc<AttemptLog>, selection: Selection) -> LogBody {
    match Reader::open(log, selection) {
        Ok(reader) => pieces(reader),
        Err(error) => stream::once(async move { Err(error) }).boxed(),
    }
}

fn pieces(reader: Reader) -> LogBody {
    stream::unfold(Some(reader), |reader| async move {
        let mut reader = reader?;
        match reader.next().await {
            Ok(None) => None,
            Ok(Some(piece)) => Some((Ok(piece), Some(reader))),
            Err(error) => Some((Err(error), None)),
        }
    })
    .boxed()
}

fn text(message: String) -> LogBody {
    stream::once(async move { io::Result::Ok(Bytes::from(message)) }).boxed()
}

/// The id of the container whose log is asked for, or why there is none.
fn readable(pod: &Value, query: &LogQuery) -> Result<String, String> {
    let who = format!("container \"{}\" in pod \"{}\"", query.container, query.pod);
    let status = status_of(pod, &query.container).ok_or_else(|| match is_declared(pod, &query.container) {
        true => format!("{who} is waiting to start: ContainerCreating"),
        false => format!("{who} is not available"),
    })?;
    let last = id_of(&status["lastState"]["terminated"]);
    if query.attempt == Attempt::Previous {
        return last.ok_or_else(|| format!("previous terminated {who} not found"));
    }
    let state = &status["state"];
    if !state["running"].is_null() {
        return id_of(status).ok_or_else(|| format!("{who} is not available"));
    }
    if !state["terminated"].is_null() {
        let own = id_of(&state["terminated"]);
        return own.or(last).ok_or_else(|| format!("{who} is terminated"));
    }
    match (last, state["waiting"]["reason"].as_str()) {
        (Some(id), _) => Ok(id),
        (None, Some("ErrImagePull" | "ImagePullBackOff" | "InvalidImageName")) => {
            Err(format!("{who} is waiting to start: image can't be pulled"))
        }
        (None, Some(reason)) => Err(format!("{who} is waiting to start: {reason}")),
        (None, None) => Err(format!("{who} is waiting to start - no logs yet")),
    }
}

fn status_of<'a>(pod: &'a Value, container: &str) -> Option<&'a Value> {
    named(&pod["status"]["containerStatuses"], container)
        .or_else(|| named(&pod["status"]["initContainerStatuses"], container))
}

fn is_declared(pod: &Value, container: &str) -> bool {
    named(&pod["spec"]["containers"], container).is_some() || named(&pod["spec"]["initContainers"], container).is_some()
}

fn named<'a>(list: &'a Value, name: &str) -> Option<&'a Value> {
    list.as_array()?.iter().find(|entry| entry["name"] == name)
}

fn id_of(status: &Value) -> Option<String> {
    let id = status["containerID"].as_str()?;
    (!id.is_empty()).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::local::node::logs_api::{Follow, LinePrefix};

    fn query(container: &str, attempt: Attempt) -> LogQuery {
        LogQuery {
            namespace: "default".into(),
            pod: "p".into(),
            container: container.into(),
            follow: Follow::No,
            attempt,
            since: None,
            tail_lines: None,
            limit_bytes: None,
            prefix: LinePrefix::None,
        }
    }

    fn pod(state: Value, last: Value) -> Value {
        let id = state["running"].is_object().then_some("containerd://now");
        json!({"spec": {"containers": [{"name": "main"}, {"name": "late"}]},
            "status": {"containerStatuses": [{"name": "main", "state": state, "lastState": last, "containerID": id}]}})
    }

    #[test]
    fn refusals_are_the_kubelets_words() {
        let waiting = |reason: &str| pod(json!({"waiting": {"reason": reason}}), json!({}));
        let gone = pod(json!({"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown"}}), json!({}));
        let cases = [
            (
                waiting("ContainerCreating"),
                "main",
                "container \"main\" in pod \"p\" is waiting to start: ContainerCreating",
            ),
            (
                waiting("ImagePullBackOff"),
                "main",
                "container \"main\" in pod \"p\" is waiting to start: image can't be pulled",
            ),
            (
                waiting("PodInitializing"),
                "late",
                "container \"late\" in pod \"p\" is waiting to start: ContainerCreating",
            ),
            (waiting("PodInitializing"), "zz", "container \"zz\" in pod \"p\" is not available"),
            (gone, "main", "container \"main\" in pod \"p\" is terminated"),
        ];
        for (pod, container, expected) in cases {
            assert_eq!(readable(&pod, &query(container, Attempt::Current)).unwrap_err(), expected);
        }
    }

    #[test]
    fn the_attempt_decides_which_container_is_read() {
        let last = json!({"terminated": {"exitCode": 1, "containerID": "containerd://before"}});
        let running = pod(json!({"running": {}}), last.clone());
        let waiting = pod(json!({"waiting": {"reason": "CrashLoopBackOff"}}), last);
        let first = pod(json!({"running": {}}), json!({}));
        assert_eq!(readable(&running, &query("main", Attempt::Current)).unwrap(), "containerd://now");
        assert_eq!(readable(&running, &query("main", Attempt::Previous)).unwrap(), "containerd://before");
        assert_eq!(readable(&waiting, &query("main", Attempt::Current)).unwrap(), "containerd://before");
        assert_eq!(
            readable(&first, &query("main", Attempt::Previous)).unwrap_err(),
            "previous terminated container \"main\" in pod \"p\" not found"
        );
    }
}
