//! What tests may do to a node behind everybody's back.

use std::sync::Arc;

use jiff::SignedDuration;
use serde_json::Value;

use super::clock::Clocks;
use super::logs::file::AttemptLog;
use super::logs::serve::{CutOff, Logs};
use super::spec::env::array;
use crate::local::store::{Kind, Store};

/// A handle for faults of the node. Clones share it.
#[derive(Clone)]
pub struct Faulty {
    store: Store,
    logs: Arc<Logs>,
    cut_off: Arc<CutOff>,
    clocks: Arc<Clocks>,
}

impl Faulty {
    pub(super) fn new(store: Store, logs: Arc<Logs>, cut_off: Arc<CutOff>, clocks: Arc<Clocks>) -> Faulty {
        Faulty { store, logs, cut_off, clocks }
    }

    /// Sets the node's clock, as the pods of this namespace have it.
    pub fn set_clock(&self, namespace: &str, offset: SignedDuration) {
        self.clocks.set(namespace, offset);
    }

    /// The node of this pod is not heard of from now on.
    pub fn cut_off(&self, uid: &str) -> Result<(), String> {
        match self.cut_off.lock().insert(uid.to_owned()) {
            true => Ok(()),
            false => Err("the pod's node is lost already".to_owned()),
        }
    }

    /// The node of this pod is back. Its task sees it with the next change of the pod.
    pub fn restore(&self, uid: &str) -> Result<(), String> {
        match self.cut_off.lock().remove(uid) {
            true => Ok(()),
            false => Err("the pod's node was not lost".to_owned()),
        }
    }

    /// The log of a container's current attempt, as its pod's status names it.
    pub fn log(&self, namespace: &str, pod: &str, container: &str) -> Result<Arc<AttemptLog>, String> {
        let found = self.store.get(Kind::Pod, namespace, pod);
        let found = found.ok_or_else(|| format!("there is no pod {namespace}/{pod}"))?;
        let status = &found["status"];
        let mut statuses = array(&status["containerStatuses"]).chain(array(&status["initContainerStatuses"]));
        let id = statuses.find(|one| one["name"] == container).and_then(id_of);
        let id = id.ok_or_else(|| format!("container {container} of pod {namespace}/{pod} has not started"))?;
        self.logs.get(id).ok_or_else(|| format!("the log of container {container} is removed"))
    }
}

fn id_of(status: &Value) -> Option<&str> {
    status["containerID"].as_str().filter(|id| !id.is_empty())
}
