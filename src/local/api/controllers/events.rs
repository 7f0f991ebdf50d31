//! Events: writing the scheduler's, and removing old ones.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::local::store::{Kind, Meta, Store, timestamp_micro};

/// How long an event is kept, as Kubernetes' default is.
const AGE_LIMIT: SignedDuration = SignedDuration::from_hours(1);
/// Events kept at most; the oldest go first.
const KEPT: usize = 20_000;
const ROUND: Duration = Duration::from_secs(30);

/// `Normal` or `Warning`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    Normal,
    Warning,
}

/// Records an event about a pod. One that cannot be stored is dropped: events are hints.
pub fn record(store: &Store, pod: &Value, severity: Severity, reason: &str, action: &str, message: &str) {
    let now = Timestamp::now();
    let event = json!({
        "metadata": {"name": format!("{}.{:x}", pod.name(), now.as_nanosecond()), "namespace": pod.namespace()},
        "involvedObject": {
            "kind": "Pod", "apiVersion": "v1", "namespace": pod.namespace(), "name": pod.name(), "uid": pod.uid(),
            "resourceVersion": pod.resource_version(),
        },
        "reason": reason, "message": message, "action": action,
        "type": match severity { Severity::Normal => "Normal", Severity::Warning => "Warning" },
        "source": {}, "firstTimestamp": null, "lastTimestamp": null, "eventTime": timestamp_micro(now),
        "reportingComponent": "default-scheduler", "reportingInstance": "default-scheduler-local",
    });
    if let Err(error) = store.create(Kind::Event, event) {
        tracing::debug!(%error, pod = pod.name(), reason, "an event was not recorded");
    }
}

pub(super) async fn run(store: Store) {
    loop {
        tokio::time::sleep(ROUND).await;
        sweep(&store, Timestamp::now(), KEPT);
    }
}

/// Removes what is too old, and the oldest of what is too many.
fn sweep(store: &Store, now: Timestamp, kept: usize) {
    let (mut events, _) = store.list(Kind::Event, None);
    events.sort_by_key(|e| e.resource_version().parse::<u64>().unwrap_or(0));
    let excess = events.len().saturating_sub(kept);
    let too_old = |event: &Value| {
        let created = event["metadata"]["creationTimestamp"].as_str().and_then(|t| t.parse::<Timestamp>().ok());
        created.is_none_or(|at| now.duration_since(at) > AGE_LIMIT)
    };
    for (index, event) in events.iter().enumerate() {
        if index < excess || too_old(event) {
            // Gone already is as good.
            let _ = store.remove(Kind::Event, event.namespace(), event.name(), Some(event.uid()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_and_surplus_events_go() {
        let store = Store::new();
        for index in 0..5 {
            let pod = json!({"metadata": {"name": format!("p{index}"), "namespace": "default"}});
            record(&store, &pod, Severity::Normal, "R", "A", "m");
        }
        let left = || store.list(Kind::Event, None).0.len();
        sweep(&store, Timestamp::now(), 3);
        assert_eq!(left(), 3);
        let later = Timestamp::now().checked_add(SignedDuration::from_hours(2)).unwrap();
        sweep(&store, later, 3);
        assert_eq!(left(), 0);
    }
}
