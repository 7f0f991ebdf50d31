//! Reading and filling `metadata`, and the objects every store begins with.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Kind, StoreError};

/// The version the cluster says it is.
pub(in crate::local) const SERVER_VERSION: &str = "v1.34.0+podlaunch-local";

/// What the store and its users read from an object's metadata. Absent or mistyped fields read as empty.
pub trait Meta {
    fn name(&self) -> &str;
    fn namespace(&self) -> &str;
    fn uid(&self) -> &str;
    fn resource_version(&self) -> &str;
    /// Finalizers that still hold the object.
    fn finalizers(&self) -> Vec<&str>;
    /// A deletionTimestamp is set.
    fn is_deleting(&self) -> bool;
    /// A deletionTimestamp is set and no grace is left.
    fn is_final(&self) -> bool;
    /// Nothing holds the object any more (for a namespace: no `spec.finalizers` either): it has to go.
    fn is_due(&self) -> bool;
    /// The uid precondition of a deletion.
    fn check_uid(&self, kind: Kind, wanted: Option<&str>) -> Result<(), StoreError>;
}

impl Meta for Value {
    fn name(&self) -> &str {
        text(self, "name")
    }

    fn namespace(&self) -> &str {
        text(self, "namespace")
    }

    fn uid(&self) -> &str {
        text(self, "uid")
    }

    fn resource_version(&self) -> &str {
        text(self, "resourceVersion")
    }

    fn finalizers(&self) -> Vec<&str> {
        let list = self.pointer("/metadata/finalizers").and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    fn is_deleting(&self) -> bool {
        self.pointer("/metadata/deletionTimestamp").is_some_and(|t| !t.is_null())
    }

    fn is_final(&self) -> bool {
        let grace = self.pointer("/metadata/deletionGracePeriodSeconds");
        self.is_deleting() && grace.and_then(Value::as_i64).unwrap_or(0) == 0
    }

    fn is_due(&self) -> bool {
        let claims = &self["spec"]["finalizers"];
        let claimed = self["kind"] == "Namespace" && claims.as_array().is_some_and(|c| !c.is_empty());
        self.is_final() && self.finalizers().is_empty() && !claimed
    }

    fn check_uid(&self, kind: Kind, wanted: Option<&str>) -> Result<(), StoreError> {
        match wanted {
            Some(uid) if uid != self.uid() => Err(StoreError::Conflict {
                kind,
                name: self.name().to_owned(),
                message: format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {}", self.uid()),
            }),
            _ => Ok(()),
        }
    }
}

fn text<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or_default()
}

/// As `metav1.Time` is written: RFC 3339 in whole seconds (cut, not rounded), `Z`.
pub fn timestamp_seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// As `metav1.MicroTime` is written: six fraction digits, `Z`.
pub fn timestamp_micro(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

/// A new object with what the server gives it; the resourceVersion comes with the write.
pub(super) fn born(kind: Kind, mut object: Value, now: Timestamp) -> Value {
    if !object.is_object() {
        object = Value::Object(Map::new());
    }
    object["kind"] = json!(kind.name());
    object["apiVersion"] = json!(kind.api_version());
    let meta = &mut object["metadata"];
    meta["uid"] = json!(uuid::Uuid::new_v4().to_string());
    meta["creationTimestamp"] = json!(timestamp_seconds(now));
    if kind == Kind::Pod {
        meta["generation"] = json!(1);
    }
    if let Some(meta) = meta.as_object_mut() {
        for unset in ["resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"] {
            meta.remove(unset);
        }
    }
    object
}

/// What no update may change.
pub(super) fn keep_identity(old: &Value, new: &mut Value) {
    if !new.is_object() {
        *new = old.clone();
    }
    for field in ["kind", "apiVersion"] {
        new[field] = old[field].clone();
    }
    if !new["metadata"].is_object() {
        new["metadata"] = Value::Object(Map::new());
    }
    for field in ["name", "namespace", "uid", "creationTimestamp", "resourceVersion"] {
        match old["metadata"].get(field) {
            Some(value) => new["metadata"][field] = value.clone(),
            None => {
                if let Some(meta) = new["metadata"].as_object_mut() {
                    meta.remove(field);
                }
            }
        }
    }
}

/// Sets the deletion marks: the object is to be gone `grace` seconds after `now`.
pub(in crate::local) fn mark_deleted(object: &mut Value, now: Timestamp, grace: i64) {
    let at = now.checked_add(jiff::SignedDuration::from_secs(grace.max(0))).unwrap_or(now);
    object["metadata"]["deletionTimestamp"] = json!(timestamp_seconds(at));
    object["metadata"]["deletionGracePeriodSeconds"] = json!(grace.max(0));
}

pub(super) fn namespace(name: &str) -> Value {
    json!({
        "metadata": {"name": name, "labels": {"kubernetes.io/metadata.name": name}},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Active"},
    })
}

pub(in crate::local) fn default_service_account(namespace: &str) -> Value {
    json!({"metadata": {"name": "default", "namespace": namespace}})
}

/// The one node. Its capacity is the machine's number of processors; the node agent may refine it.
pub(super) fn node(name: &str) -> Value {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let capacity = json!({"cpu": cpus.to_string(), "pods": "110"});
    let now = timestamp_seconds(Timestamp::now());
    json!({
        "metadata": {"name": name, "labels": {
            "kubernetes.io/hostname": name,
            "kubernetes.io/os": "linux",
            "kubernetes.io/arch": architecture(),
        }},
        "spec": {},
        "status": {
            "capacity": capacity,
            "allocatable": capacity,
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady",
                "message": "kubelet is posting ready status", "lastHeartbeatTime": now, "lastTransitionTime": now}],
            "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "Hostname", "address": name}],
            "nodeInfo": {"architecture": architecture(), "operatingSystem": std::env::consts::OS,
                "kubeletVersion": SERVER_VERSION},
        },
    })
}

fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
