//! Collects pods nobody else ends.
//!
//! Pods being deleted that were never bound have no node agent to end them: they become Failed. Of terminal pods only so many are
//! kept: the oldest beyond that are deleted.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::local::api::pods::delete as pod_delete;
use crate::local::store::{Kind, Meta, Store, StoreError};

/// Terminal pods kept, as Kubernetes' default is.
const TERMINAL_KEPT: usize = 12_500;
const ROUND: Duration = Duration::from_secs(5);

pub(super) async fn run(store: Store) {
    loop {
        tokio::time::sleep(ROUND).await;
        collect(&store, TERMINAL_KEPT);
    }
}

fn is_terminal(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

fn is_orphan(pod: &Value) -> bool {
    let unbound = pod["spec"]["nodeName"].as_str().is_none_or(str::is_empty);
    pod.is_deleting() && unbound && !is_terminal(pod)
}

fn collect(store: &Store, kept: usize) {
    let (pods, _) = store.list(Kind::Pod, None);
    for pod in pods.iter().filter(|p| is_orphan(p)) {
        write(store, pod, |current| {
            if is_orphan(current) {
                current["status"]["phase"] = json!("Failed");
                current["status"]["observedGeneration"] = current["metadata"]["generation"].clone();
            }
        });
    }
    let mut over: Vec<_> = pods.iter().filter(|p| is_terminal(p) && !p.is_deleting()).collect();
    let excess = over.len().saturating_sub(kept);
    over.sort_by_key(|p| p["metadata"]["creationTimestamp"].as_str().unwrap_or_default().to_owned());
    for pod in over.into_iter().take(excess) {
        write(store, pod, |current| pod_delete::mark(current, Some(0), Timestamp::now()));
    }
}

/// Changes the pod unless another has its name by now; gone already is as good.
fn write(store: &Store, pod: &Value, change: impl FnOnce(&mut Value)) {
    let _ = store.update(Kind::Pod, pod.namespace(), pod.name(), |current| {
        if current.uid() != pod.uid() {
            return Err(StoreError::Aborted);
        }
        change(current);
        Ok(())
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(store: &Store, name: &str, phase: &str, finalizers: &[&str]) {
        let pod = json!({"metadata": {"name": name, "namespace": "default", "finalizers": finalizers}, "status": {"phase": phase}});
        store.create(Kind::Pod, pod).unwrap();
    }

    #[test]
    fn an_unbound_pod_held_by_a_finalizer_fails() {
        let store = Store::new();
        create(&store, "p", "Pending", &["a.io/b"]);
        let get = || store.get(Kind::Pod, "default", "p").unwrap();
        collect(&store, 9);
        assert_eq!(get()["status"]["phase"], "Pending", "it is not being deleted");
        store.remove(Kind::Pod, "default", "p", None).unwrap();
        collect(&store, 9);
        assert_eq!(get()["status"], json!({"phase": "Failed", "observedGeneration": 1}));
    }

    #[test]
    fn surplus_terminal_pods_go() {
        let store = Store::new();
        for (name, phase) in [("a", "Failed"), ("b", "Succeeded"), ("c", "Running"), ("d", "Failed")] {
            create(&store, name, phase, &[]);
        }
        collect(&store, 2);
        let left: Vec<String> = store.list(Kind::Pod, None).0.iter().map(|p| p.name().to_owned()).collect();
        assert_eq!(left.len(), 3);
        assert!(left.contains(&"c".to_owned()));
    }
}
