//! What is checked of the manifest, of a template and of the merged pod; see [`super::validate`].

use std::collections::BTreeSet;

use serde_json::Value;

use super::fields::FieldMap;
use super::validate::{Found, reserved};
use crate::task::spec::{SpecError, TaskSpec};

const MANIFEST: &str = "spec.manifest";

/// Checks the manifest alone, before the short form is merged over it; `namespace` is the key's.
pub fn check_manifest(base: &Value, namespace: &str) -> Vec<SpecError> {
    let mut found = Found::default();
    let metadata = &base["metadata"];
    match &metadata["namespace"] {
        Value::Null => {}
        Value::String(own) if own == namespace => {}
        _ => found.add(at("metadata.namespace"), format!("must be {namespace}, the key's, or absent")),
    }
    for field in ["labels", "annotations"] {
        let path = format!("metadata.{field}");
        check_text_map(&path, &metadata[field], &mut found);
        for key in metadata[field].as_object().into_iter().flat_map(|map| map.keys()) {
            found.check(at(&path), reserved(key));
        }
    }
    for (path, list) in
        [("metadata.finalizers", &metadata["finalizers"]), ("spec.schedulingGates", &base["spec"]["schedulingGates"])]
    {
        for (i, item) in list.as_array().into_iter().flatten().enumerate() {
            let name = item.as_str().or_else(|| item["name"].as_str());
            found.check(at(&format!("{path}[{i}]")), name.map_or(Ok(()), reserved));
        }
    }
    if !metadata["finalizers"].is_null() && !metadata["finalizers"].is_array() {
        found.add(at("metadata.finalizers"), "must be a list");
    }
    check_text_map("spec.nodeSelector", &base["spec"]["nodeSelector"], &mut found);
    for list in ["containers", "initContainers", "volumes"] {
        check_named_list(&format!("spec.{list}"), &base["spec"][list], &mut found);
    }
    for list in ["containers", "initContainers"] {
        for (i, container) in base["spec"][list].as_array().into_iter().flatten().enumerate() {
            check_container_text(&format!("spec.{list}[{i}]"), container, &mut found);
        }
    }
    found.0
}

/// Checks a template by itself, before any launch: as a manifest, and what no launch can mend.
pub fn check_template(template: &Value) -> Vec<SpecError> {
    let mut found = Found::default();
    if !template["metadata"]["namespace"].is_null() {
        found.add(at("metadata.namespace"), "must be absent: a template serves every namespace");
    }
    check_restart_policy(template, || at("spec.restartPolicy"), &mut found);
    let own = template["metadata"]["namespace"].as_str().unwrap_or_default();
    found.0.extend(check_manifest(template, own));
    found.0
}

fn at(pod_field: &str) -> String {
    format!("{MANIFEST}: {pod_field}")
}

fn check_text_map(path: &str, value: &Value, found: &mut Found) {
    match value {
        Value::Null => {}
        Value::Object(map) => {
            for (key, value) in map {
                check_text(&format!("{path}[{key}]"), value, found);
            }
        }
        _ => found.add(at(path), "must be a mapping"),
    }
}

/// A bare `yes`, `on` or `1.10` in YAML is a boolean or a number where Kubernetes wants text.
fn check_text(path: &str, value: &Value, found: &mut Found) {
    let kind = match value {
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        _ => return,
    };
    found.add(at(path), format!("is {kind} and must be text: put it in quotes"));
}

fn check_named_list(path: &str, value: &Value, found: &mut Found) {
    let items = match value {
        Value::Null => return,
        Value::Array(items) => items,
        _ => return found.add(at(path), "must be a list"),
    };
    for (i, item) in items.iter().enumerate() {
        if !item["name"].is_string() {
            found.add(at(&format!("{path}[{i}].name")), "must be there and be text");
        }
    }
    found.unique(
        items
            .iter()
            .enumerate()
            .filter_map(|(i, item)| Some((at(&format!("{path}[{i}].name")), item["name"].as_str()?))),
    );
}

fn check_container_text(path: &str, container: &Value, found: &mut Found) {
    for list in ["command", "args"] {
        for (i, item) in container[list].as_array().into_iter().flatten().enumerate() {
            check_text(&format!("{path}.{list}[{i}]"), item, found);
        }
    }
    for (i, variable) in container["env"].as_array().into_iter().flatten().enumerate() {
        check_text(&format!("{path}.env[{i}].value"), &variable["value"], found);
        check_text(&format!("{path}.env[{i}].name"), &variable["name"], found);
    }
}

/// Checks the merged pod: its containers, and what would make its end another than the task's.
pub fn check_pod(spec: &TaskSpec, template: Option<&Value>, pod: &Value, primary: &str) -> Vec<SpecError> {
    let mut found = Found::default();
    let fields = FieldMap::of_primary(spec, template, pod, primary);
    if spec.restart_policy.is_none() {
        check_restart_policy(pod, || fields.our_field("spec.restartPolicy"), &mut found);
    }
    check_images(pod, &fields, &mut found);
    check_restarts(pod, &fields, &mut found);
    let names: Vec<&str> = names_of(pod, "containers").collect();
    if !names.contains(&primary) {
        let by_short = spec.primary.is_none() && spec.short.container_name.is_some();
        let field = if by_short { "spec.container.name" } else { "spec.primary_container" };
        found.add(field, format!("is {primary}, and the pod has no such container; it has: {}", names.join(", ")));
    }
    let ordinary: BTreeSet<&str> = names.into_iter().collect();
    for (i, name) in names_of(pod, "initContainers").enumerate() {
        if ordinary.contains(name) {
            let field = fields.our_field(&format!("spec.initContainers[{i}].name"));
            found.add(field, "is also the name of an ordinary container; it must be unique");
        }
    }
    found.0
}

fn check_restart_policy(pod: &Value, field: impl FnOnce() -> String, found: &mut Found) {
    let policy = &pod["spec"]["restartPolicy"];
    match policy.as_str() {
        Some("Never" | "OnFailure") => {}
        None if policy.is_null() => {}
        _ => found.add(field(), "must be Never or OnFailure: a task's pod must end"),
    }
}

fn names_of<'a>(pod: &'a Value, list: &str) -> impl Iterator<Item = &'a str> {
    pod["spec"][list].as_array().into_iter().flatten().filter_map(|container| container["name"].as_str())
}

fn check_images(pod: &Value, fields: &FieldMap<'_>, found: &mut Found) {
    for list in ["containers", "initContainers"] {
        for (i, container) in pod["spec"][list].as_array().into_iter().flatten().enumerate() {
            if container["image"].as_str().is_none_or(str::is_empty) {
                found.add(fields.our_field(&format!("spec.{list}[{i}].image")), "is required");
            }
        }
    }
}

fn check_restarts(pod: &Value, fields: &FieldMap<'_>, found: &mut Found) {
    for list in ["containers", "initContainers"] {
        for (i, container) in pod["spec"][list].as_array().into_iter().flatten().enumerate() {
            let path = format!("spec.{list}[{i}]");
            let sidecar = list == "initContainers" && container["restartPolicy"] == "Always";
            if !container["restartPolicy"].is_null() && !sidecar {
                let problem = "is not allowed: a restart of one container would make its exit not final; \
                               only an init container may have Always (a sidecar)";
                found.add(fields.our_field(&format!("{path}.restartPolicy")), problem);
            }
            if container["restartPolicyRules"].as_array().is_some_and(|rules| !rules.is_empty()) {
                let problem = "are not allowed: a restart of one container would make its exit not final";
                found.add(fields.our_field(&format!("{path}.restartPolicyRules")), problem);
            }
        }
    }
}
