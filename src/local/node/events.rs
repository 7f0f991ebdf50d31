//! The node's Events about one pod.
//!
//! ```text
//! Recorder::record → same type, reason, message, container as before? count + 1 of that Event : a new Event
//! ```
//!
//! Events are a courtesy: one that cannot be stored (a terminating namespace) is dropped.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::local::store::{Kind, Meta, NODE_NAME, Store, timestamp_seconds};

/// Different Events remembered per pod; beyond it a repetition becomes a new Event.
const REMEMBERED: usize = 64;

/// Makes names of Events unique within this process.
static SERIAL: AtomicU64 = AtomicU64::new(0);

/// Whether an Event tells of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Severity {
    Normal,
    Warning,
}

impl Severity {
    fn name(self) -> &'static str {
        match self {
            Severity::Normal => "Normal",
            Severity::Warning => "Warning",
        }
    }
}

/// What an Event says. `field` is the container's path in the pod (`spec.containers{main}`), empty for the pod itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Note {
    pub severity: Severity,
    pub reason: &'static str,
    pub message: String,
    pub field: String,
}

/// Records Events about one pod.
pub struct Recorder {
    store: Store,
    seen: HashMap<Note, String>,
}

impl Recorder {
    pub fn new(store: Store) -> Recorder {
        Recorder { store, seen: HashMap::new() }
    }

    /// Stores the Event, or counts it up.
    pub fn record(&mut self, pod: &Value, note: Note) {
        if let Some(name) = self.seen.get(&note)
            && self.count_up(pod.namespace(), name)
        {
            return;
        }
        let name = event_name(pod.name());
        let event = event(pod, &note, &name);
        if let Err(error) = self.store.create(Kind::Event, event) {
            tracing::debug!(%error, reason = note.reason, "an event was not stored");
            return;
        }
        if self.seen.len() >= REMEMBERED {
            self.seen.clear();
        }
        self.seen.insert(note, name);
    }

    fn count_up(&self, namespace: &str, name: &str) -> bool {
        let updated = self.store.update(Kind::Event, namespace, name, |event| {
            event["count"] = json!(event["count"].as_u64().unwrap_or(1) + 1);
            event["lastTimestamp"] = json!(timestamp_seconds(Timestamp::now()));
            Ok(())
        });
        updated.is_ok()
    }
}

fn event_name(pod: &str) -> String {
    let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
    let nanos = Timestamp::now().as_nanosecond();
    format!("{pod}.{:016x}", nanos.unsigned_abs().wrapping_add(u128::from(serial)))
}

fn event(pod: &Value, note: &Note, name: &str) -> Value {
    let now = timestamp_seconds(Timestamp::now());
    let mut involved = json!({
        "kind": "Pod", "namespace": pod.namespace(), "name": pod.name(), "uid": pod.uid(),
        "apiVersion": "v1", "resourceVersion": pod.resource_version(),
    });
    if !note.field.is_empty() {
        involved["fieldPath"] = json!(note.field);
    }
    json!({
        "metadata": {"name": name, "namespace": pod.namespace()},
        "involvedObject": involved,
        "reason": note.reason, "message": note.message, "type": note.severity.name(),
        "source": {"component": "kubelet", "host": NODE_NAME},
        "firstTimestamp": now, "lastTimestamp": now, "count": 1, "eventTime": null,
        "reportingComponent": "kubelet", "reportingInstance": NODE_NAME,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetitions_are_counted() {
        let store = Store::new();
        let pod = json!({"metadata": {"name": "p", "namespace": "default", "uid": "u", "resourceVersion": "7"}});
        let note = |message: &str| Note {
            severity: Severity::Warning,
            reason: "Failed",
            message: message.to_owned(),
            field: "spec.containers{main}".to_owned(),
        };
        let mut recorder = Recorder::new(store.clone());
        for message in ["a", "b", "a", "a"] {
            recorder.record(&pod, note(message));
        }
        let (events, _) = store.list(Kind::Event, Some("default"));
        let count = |message: &str| events.iter().find(|e| e["message"] == message).map(|e| e["count"].clone());
        assert_eq!((events.len(), count("a"), count("b")), (2, Some(json!(3)), Some(json!(1))));
        assert_eq!(events[0]["involvedObject"]["fieldPath"], "spec.containers{main}");
        assert_eq!(events[0]["involvedObject"]["uid"], "u");
    }
}
