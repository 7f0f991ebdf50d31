//! What may still change in a pod's `spec`.
//!
//! Images, `activeDeadlineSeconds` (downwards), removal of scheduling gates, added tolerations, a negative grace period to 1, and a
//! narrower `nodeSelector` while gated. All else is one `Forbidden` on `spec`.

use serde_json::{Value, json};

use super::{container, items, pod, text_of};
use crate::local::api::status::FieldError;

const IMMUTABLE: &str = "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// Compares two versions of a pod, both with their defaults filled in.
pub fn check(old: &Value, new: &Value, errors: &mut Vec<FieldError>) {
    let (before, after) = (&old["spec"], &new["spec"]);
    for list in ["containers", "initContainers"] {
        if items(before, list).count() != items(after, list).count() {
            let why = format!(
                "pod updates may not add or remove {}",
                if list == "containers" { "containers" } else { "init containers" }
            );
            errors.push(FieldError::forbidden(format!("spec.{list}"), &why));
            return;
        }
        for (index, entry) in items(after, list) {
            container::image(entry, &format!("spec.{list}[{index}]"), errors);
        }
    }
    deadline(before, after, errors);
    gates(before, after, errors);
    if errors.is_empty() && !same(before, &with_allowed_undone(before, after, errors)) && errors.is_empty() {
        errors.push(FieldError::forbidden("spec", IMMUTABLE));
    }
}

fn deadline(before: &Value, after: &Value, errors: &mut Vec<FieldError>) {
    let field = "spec.activeDeadlineSeconds";
    pod::active_deadline(after, errors);
    let (old, new) = (before["activeDeadlineSeconds"].as_i64(), after["activeDeadlineSeconds"].as_i64());
    match (old, new) {
        (Some(old), Some(new)) if new > old => {
            let why = "must be less than or equal to previous value";
            errors.push(FieldError::invalid(field, &json!(new), why));
        }
        (Some(_), None) => {
            let why = "must not update from a positive integer to nil value";
            errors.push(FieldError::invalid(field, &Value::Null, why));
        }
        _ => {}
    }
}

fn gates(before: &Value, after: &Value, errors: &mut Vec<FieldError>) {
    let known: Vec<&str> = items(before, "schedulingGates").map(|(_, g)| text_of(g, "name")).collect();
    for (index, gate) in items(after, "schedulingGates") {
        let name = text_of(gate, "name");
        if !known.contains(&name) {
            let why = format!("only deletion is allowed, but found new scheduling gate '{name}'");
            errors.push(FieldError::forbidden(format!("spec.schedulingGates[{index}].name"), &why));
        }
    }
}

/// The new spec with every permitted change taken back.
fn with_allowed_undone(before: &Value, after: &Value, errors: &mut Vec<FieldError>) -> Value {
    let mut undone = after.clone();
    for list in ["containers", "initContainers"] {
        for (index, entry) in items(before, list) {
            undone[list][index]["image"] = entry["image"].clone();
        }
    }
    undone["activeDeadlineSeconds"] = before["activeDeadlineSeconds"].clone();
    undone["schedulingGates"] = before["schedulingGates"].clone();
    let old_grace = before["terminationGracePeriodSeconds"].as_i64();
    if old_grace.is_some_and(|g| g < 0) && after["terminationGracePeriodSeconds"] == 1 {
        undone["terminationGracePeriodSeconds"] = before["terminationGracePeriodSeconds"].clone();
    }
    if keeps_all(&before["tolerations"], &after["tolerations"]) {
        undone["tolerations"] = before["tolerations"].clone();
    } else {
        let why = "existing toleration can not be modified except its tolerationSeconds";
        errors.push(FieldError::forbidden("spec.tolerations", why));
    }
    if items(before, "schedulingGates").next().is_some() && narrows(&before["nodeSelector"], &after["nodeSelector"]) {
        undone["nodeSelector"] = before["nodeSelector"].clone();
    }
    undone
}

fn keeps_all(before: &Value, after: &Value) -> bool {
    let identity = |t: &Value| ["key", "operator", "value", "effect"].map(|f| text_of(t, f).to_owned());
    let after: Vec<_> = after.as_array().into_iter().flatten().map(identity).collect();
    before.as_array().into_iter().flatten().all(|t| after.contains(&identity(t)))
}

fn narrows(before: &Value, after: &Value) -> bool {
    before.as_object().into_iter().flatten().all(|(key, value)| after[key] == *value)
}

/// Equal, where absent, null and empty are the same.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(x), Value::Object(y)) => {
            let keys = x.keys().chain(y.keys());
            keys.into_iter().all(|key| same(&a[key], &b[key]))
        }
        (Value::Array(x), Value::Array(y)) => x.len() == y.len() && x.iter().zip(y).all(|(v, w)| same(v, w)),
        _ => a == b || (is_empty(a) && is_empty(b)),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.values().all(is_empty),
        Value::String(text) => text.is_empty(),
        _ => false,
    }
}
