//! The rules of a new pod's `spec`.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::container::{self, one_of};
use super::text::{dns_label, dns_subdomain, label_key};
use super::{is_set, items, meta, text_of};
use crate::local::api::status::FieldError;

/// Upper end of `activeDeadlineSeconds`.
const MAX_SECONDS: i64 = 2_147_483_647;

/// What a volume can be made from.
const VOLUME_SOURCES: [&str; 12] = [
    "emptyDir",
    "secret",
    "configMap",
    "downwardAPI",
    "projected",
    "hostPath",
    "persistentVolumeClaim",
    "ephemeral",
    "csi",
    "nfs",
    "image",
    "iscsi",
];

pub fn check(pod: &Value, errors: &mut Vec<FieldError>) {
    let spec = &pod["spec"];
    let volumes = volumes(spec, errors);
    containers(spec, &volumes, errors);
    one_of(spec, "spec", "restartPolicy", &["Always", "OnFailure", "Never"], errors);
    let policies = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
    one_of(spec, "spec", "dnsPolicy", &policies, errors);
    active_deadline(spec, errors);
    meta::labels("spec.nodeSelector", &spec["nodeSelector"], errors);
    scheduling_gates(spec, errors);
    names(spec, errors);
    tolerations(spec, errors);
    let gated = items(spec, "schedulingGates").next().is_some();
    if gated && is_set(spec, "nodeName") {
        let why = "cannot be set until all schedulingGates have been cleared";
        errors.push(FieldError::forbidden("spec.nodeName", why));
    }
}

/// `activeDeadlineSeconds`, where set.
pub fn active_deadline(spec: &Value, errors: &mut Vec<FieldError>) {
    let seconds = &spec["activeDeadlineSeconds"];
    if seconds.as_i64().is_some_and(|s| !(1..=MAX_SECONDS).contains(&s)) {
        let why = format!("must be between 1 and {MAX_SECONDS}, inclusive");
        errors.push(FieldError::invalid("spec.activeDeadlineSeconds", seconds, &why));
    }
}

fn volumes<'a>(spec: &'a Value, errors: &mut Vec<FieldError>) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for (index, volume) in items(spec, "volumes") {
        let path = format!("spec.volumes[{index}]");
        let name = text_of(volume, "name");
        if name.is_empty() {
            errors.push(FieldError::required(format!("{path}.name"), ""));
        } else if let Err(why) = dns_label(name) {
            errors.push(FieldError::invalid(format!("{path}.name"), &json!(name), &why));
        } else if seen.contains(&name) {
            errors.push(FieldError::duplicate(format!("{path}.name"), name));
        } else {
            seen.push(name);
        }
        volume_source(volume, &path, errors);
    }
    seen
}

fn volume_source(volume: &Value, path: &str, errors: &mut Vec<FieldError>) {
    let set = VOLUME_SOURCES.into_iter().filter(|s| is_set(volume, s));
    for extra in set.skip(1) {
        let why = "may not specify more than 1 volume type";
        errors.push(FieldError::forbidden(format!("{path}.{extra}"), why));
    }
    for (source, field) in [("secret", "secretName"), ("configMap", "name"), ("hostPath", "path")] {
        if is_set(volume, source) && text_of(&volume[source], field).is_empty() {
            errors.push(FieldError::required(format!("{path}.{source}.{field}"), ""));
        }
    }
}

fn containers(spec: &Value, volumes: &[&str], errors: &mut Vec<FieldError>) {
    if items(spec, "containers").next().is_none() {
        errors.push(FieldError::required("spec.containers", ""));
    }
    let mut seen = HashSet::new();
    for list in ["containers", "initContainers"] {
        for (index, entry) in items(spec, list) {
            let path = format!("spec.{list}[{index}]");
            let valid = container::name(entry, &path, errors);
            let name = text_of(entry, "name");
            if valid && !seen.insert(name) {
                errors.push(FieldError::duplicate(format!("{path}.name"), name));
            }
            container::check(entry, &path, volumes, errors);
            if list == "initContainers" {
                one_of(entry, &path, "restartPolicy", &["Always"], errors);
            }
        }
    }
}

fn scheduling_gates(spec: &Value, errors: &mut Vec<FieldError>) {
    let mut seen = HashSet::new();
    for (index, gate) in items(spec, "schedulingGates") {
        let field = format!("spec.schedulingGates[{index}]");
        let name = text_of(gate, "name");
        if let Err(why) = label_key(name) {
            errors.push(FieldError::invalid(field.as_str(), &json!(name), &why));
        }
        if !seen.insert(name) {
            errors.push(FieldError::duplicate(field, name));
        }
    }
}

fn names(spec: &Value, errors: &mut Vec<FieldError>) {
    for (field, check) in [
        ("nodeName", dns_subdomain as fn(&str) -> Result<(), String>),
        ("serviceAccountName", dns_subdomain),
        ("hostname", dns_label),
        ("subdomain", dns_label),
    ] {
        let name = text_of(spec, field);
        if name.is_empty() {
            continue;
        }
        if let Err(why) = check(name) {
            errors.push(FieldError::invalid(format!("spec.{field}"), &json!(name), &why));
        }
    }
}

fn tolerations(spec: &Value, errors: &mut Vec<FieldError>) {
    for (index, toleration) in items(spec, "tolerations") {
        let path = format!("spec.tolerations[{index}]");
        let operator = text_of(toleration, "operator");
        if text_of(toleration, "key").is_empty() && operator != "Exists" {
            let why = "operator must be Exists when `key` is empty, which means \"match all values and all keys\"";
            errors.push(FieldError::invalid(format!("{path}.operator"), &json!(operator), why));
        }
        match operator {
            "" | "Equal" => {}
            "Exists" if text_of(toleration, "value").is_empty() => {}
            "Exists" => {
                let why = "value must be empty when `operator` is 'Exists'";
                errors.push(FieldError::invalid(format!("{path}.operator"), &toleration["value"], why));
            }
            other => {
                let error = FieldError::unsupported(format!("{path}.operator"), &json!(other), &["Equal", "Exists"]);
                errors.push(error);
            }
        }
        let effects = ["NoSchedule", "PreferNoSchedule", "NoExecute", ""];
        one_of(toleration, &path, "effect", &effects, errors);
    }
}
