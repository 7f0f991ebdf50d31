//! What the API server fills into a pod that does not say it.

use serde_json::{Map, Value, json};

use super::quantity::Quantity;
use crate::local::store::timestamp_seconds;

/// The message of a gated pod's PodScheduled condition.
const GATED_MESSAGE: &str = "Scheduling is blocked due to non-empty scheduling gates";

/// File mode of projected files: 0644.
const FILE_MODE: u32 = 420;

/// Fills the spec; idempotent. Fields of the wrong type are left to the typed check.
pub fn spec(pod: &mut Value) {
    if !pod["spec"].is_object() {
        pod["spec"] = Value::Object(Map::new());
    }
    let spec = &mut pod["spec"];
    for list in ["containers", "initContainers"] {
        for container in entries(spec, list) {
            fill_container(container);
        }
    }
    for volume in entries(spec, "volumes") {
        fill_volume(volume);
    }
    let account = spec["serviceAccountName"].as_str().or(spec["serviceAccount"].as_str()).unwrap_or("default");
    let account = account.to_owned();
    for (field, value) in [
        ("restartPolicy", json!("Always")),
        ("terminationGracePeriodSeconds", json!(30)),
        ("dnsPolicy", json!("ClusterFirst")),
        ("securityContext", json!({})),
        ("schedulerName", json!("default-scheduler")),
        ("priority", json!(0)),
        ("preemptionPolicy", json!("PreemptLowerPriority")),
        ("enableServiceLinks", json!(true)),
        ("serviceAccountName", json!(account)),
        ("serviceAccount", json!(account)),
    ] {
        default(spec, field, value);
    }
}

/// The status of a pod that was just created.
pub fn status(pod: &mut Value, now: jiff::Timestamp) {
    let mut status = json!({"phase": "Pending", "qosClass": qos_class(&pod["spec"])});
    let gates = pod["spec"]["schedulingGates"].as_array();
    if gates.is_some_and(|g| !g.is_empty()) {
        status["conditions"] = json!([{
            "type": "PodScheduled", "status": "False", "lastProbeTime": null,
            "lastTransitionTime": timestamp_seconds(now),
            "reason": "SchedulingGated", "message": GATED_MESSAGE,
        }]);
    }
    pod["status"] = status;
}

fn default(object: &mut Value, field: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        let slot = fields.entry(field).or_insert(Value::Null);
        if slot.is_null() {
            *slot = value;
        }
    }
}

fn fill_container(container: &mut Value) {
    let policy = pull_policy(container["image"].as_str().unwrap_or_default());
    default(container, "imagePullPolicy", json!(policy));
    default(container, "terminationMessagePath", json!("/dev/termination-log"));
    default(container, "terminationMessagePolicy", json!("File"));
    default(container, "resources", json!({}));
    let limits = container.pointer("/resources/limits").and_then(Value::as_object).cloned();
    if let (Some(limits), Some(resources)) = (limits, container.get_mut("resources")) {
        default(resources, "requests", json!({}));
        for (name, value) in limits {
            default(&mut resources["requests"], &name, value);
        }
    }
    for port in entries(container, "ports") {
        default(port, "protocol", json!("TCP"));
    }
    for env in entries(container, "env") {
        if let Some(field) = env.pointer_mut("/valueFrom/fieldRef") {
            default(field, "apiVersion", json!("v1"));
        }
    }
}

/// `Always` for no tag and `latest`, else `IfNotPresent`; a digest is never pulled again.
fn pull_policy(image: &str) -> &'static str {
    let name = image.rsplit('/').next().unwrap_or_default();
    match (name.contains('@'), name.split_once(':')) {
        (true, _) => "IfNotPresent",
        (false, None | Some((_, "latest"))) => "Always",
        (false, Some(_)) => "IfNotPresent",
    }
}

fn fill_volume(volume: &mut Value) {
    let Some(fields) = volume.as_object_mut() else {
        return;
    };
    if !fields.iter().any(|(key, value)| key != "name" && !value.is_null()) {
        fields.insert("emptyDir".to_owned(), json!({}));
    }
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        if let Some(source) = volume.get_mut(source) {
            default(source, "defaultMode", json!(FILE_MODE));
        }
    }
    if let Some(path) = volume.get_mut("hostPath") {
        default(path, "type", json!(""));
    }
    for item in volume.get_mut("downwardAPI").into_iter().flat_map(|d| entries(d, "items")) {
        if let Some(field) = item.get_mut("fieldRef") {
            default(field, "apiVersion", json!("v1"));
        }
    }
}

/// The entries of an array field; reading it never adds it.
fn entries<'a>(parent: &'a mut Value, field: &str) -> impl Iterator<Item = &'a mut Value> + use<'a> {
    parent.get_mut(field).and_then(Value::as_array_mut).into_iter().flatten()
}

fn qos_class(spec: &Value) -> &'static str {
    let containers =
        ["containers", "initContainers"].into_iter().flat_map(|l| spec[l].as_array().into_iter().flatten());
    let (mut any, mut all) = (false, true);
    for container in containers {
        let resources = &container["resources"];
        for name in ["cpu", "memory"] {
            let read =
                |list: &str| resources[list][name].as_str().and_then(Quantity::parse).filter(|q| *q > Quantity::ZERO);
            let (limit, request) = (read("limits"), read("requests"));
            any |= limit.is_some() || request.is_some();
            all &= limit.is_some() && limit == request;
        }
    }
    match (any, all) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}

/// Every quantity of a pod.
fn quantities(pod: &mut Value, visit: &mut dyn FnMut(&mut Value)) {
    let Some(spec) = pod.get_mut("spec") else {
        return;
    };
    for list in ["containers", "initContainers"] {
        for container in entries(spec, list) {
            for part in ["limits", "requests"] {
                let map = container.get_mut("resources").and_then(|r| r.get_mut(part));
                for value in map.and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
                    visit(value);
                }
            }
        }
    }
    for volume in entries(spec, "volumes") {
        if let Some(limit) = volume.pointer_mut("/emptyDir/sizeLimit") {
            visit(limit);
        }
    }
}

/// Writes quantities given as numbers as text, as Kubernetes keeps them.
pub fn quantities_to_text(pod: &mut Value) {
    if !pod.is_object() {
        return;
    }
    quantities(pod, &mut |value| {
        if value.is_number() {
            *value = json!(value.to_string());
        }
    });
}

/// The first quantity that is none.
pub fn bad_quantity(pod: &mut Value) -> Option<String> {
    if !pod.is_object() {
        return None;
    }
    let mut bad = None;
    quantities(pod, &mut |value| {
        if let Some(text) = value.as_str()
            && Quantity::parse(text).is_none()
        {
            bad.get_or_insert_with(|| text.to_owned());
        }
    });
    bad
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_decide_the_pull_policy() {
        for (image, expected) in [
            ("busybox", "Always"),
            ("busybox:latest", "Always"),
            ("busybox:1", "IfNotPresent"),
            ("localhost:5000/x", "Always"),
            ("localhost:5000/x:2", "IfNotPresent"),
            ("x@sha256:00", "IfNotPresent"),
        ] {
            assert_eq!(pull_policy(image), expected, "{image}");
        }
    }

    #[test]
    fn resources_decide_the_class() {
        let spec = |resources: Value| json!({"containers": [{"resources": resources}]});
        let full = json!({"cpu": "1", "memory": "1Gi"});
        for (resources, expected) in [
            (json!({}), "BestEffort"),
            (json!({"requests": {"cpu": "1"}}), "Burstable"),
            (json!({"requests": full, "limits": full}), "Guaranteed"),
            (json!({"requests": {"cpu": "1000m", "memory": "1024Mi"}, "limits": full}), "Guaranteed"),
        ] {
            assert_eq!(qos_class(&spec(resources.clone())), expected, "{resources}");
        }
    }

    #[test]
    fn filling_twice_changes_nothing() {
        let mut pod = json!({"spec": {"volumes": [{"name": "v"}, {"name": "s", "secret": {"secretName": "x"}}],
            "containers": [{"name": "m", "image": "busybox", "resources": {"limits": {"cpu": "1"}}}]}});
        spec(&mut pod);
        assert_eq!(pod["spec"]["volumes"][0]["emptyDir"], json!({}));
        assert_eq!(pod["spec"]["volumes"][1]["secret"]["defaultMode"], 420);
        assert_eq!(pod["spec"]["containers"][0]["resources"]["requests"]["cpu"], "1");
        let once = pod.clone();
        spec(&mut pod);
        assert_eq!(pod, once);
    }
}
