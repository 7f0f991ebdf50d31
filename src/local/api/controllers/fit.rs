//! Whether a pod fits the node. Pure.
//!
//! Node selector, required node affinity, and each container's requests against the node's allocatable. What other pods use is not
//! counted: the node runs processes and overcommits.

use serde_json::Value;

use crate::local::api::pods::quantity::Quantity;
use crate::local::store::Meta;

/// Why the pod does not fit, as the scheduler's message says it; `None`: it fits.
pub fn misfit(pod: &Value, node: &Value) -> Option<String> {
    let spec = &pod["spec"];
    if !selected(spec, node) {
        return Some("node(s) didn't match Pod's node affinity/selector".to_owned());
    }
    if node["spec"]["unschedulable"] == true {
        return Some("node(s) were unschedulable".to_owned());
    }
    insufficient(spec, &node["status"]["allocatable"]).map(|name| format!("Insufficient {name}"))
}

/// The whole message for one node.
pub fn message(why: &str) -> String {
    format!(
        "0/1 nodes are available: 1 {why}. no new claims to deallocate, preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."
    )
}

fn selected(spec: &Value, node: &Value) -> bool {
    let labels = &node["metadata"]["labels"];
    let by_selector = spec["nodeSelector"].as_object().into_iter().flatten().all(|(key, value)| labels[key] == *value);
    let required = &spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    let terms = required["nodeSelectorTerms"].as_array();
    by_selector && terms.is_none_or(|terms| terms.iter().any(|term| term_matches(term, node)))
}

fn term_matches(term: &Value, node: &Value) -> bool {
    let list = |field: &str| term[field].as_array().cloned().unwrap_or_default();
    let (expressions, fields) = (list("matchExpressions"), list("matchFields"));
    // A term without requirements matches nothing.
    let any = !expressions.is_empty() || !fields.is_empty();
    let labels = &node["metadata"]["labels"];
    any && expressions.iter().all(|e| requirement(e, labels[e["key"].as_str().unwrap_or_default()].as_str()))
        && fields.iter().all(|e| e["key"] == "metadata.name" && requirement(e, Some(node.name())))
}

fn requirement(requirement: &Value, value: Option<&str>) -> bool {
    let values: Vec<&str> = requirement["values"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let compare = |ordering: std::cmp::Ordering| {
        let number = |text: Option<&str>| text.and_then(|t| t.parse::<i64>().ok());
        match (number(value), number(values.first().copied())) {
            (Some(found), Some(limit)) => found.cmp(&limit) == ordering,
            _ => false,
        }
    };
    match requirement["operator"].as_str().unwrap_or_default() {
        "In" => value.is_some_and(|v| values.contains(&v)),
        "NotIn" => value.is_none_or(|v| !values.contains(&v)),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        "Gt" => compare(std::cmp::Ordering::Greater),
        "Lt" => compare(std::cmp::Ordering::Less),
        _ => false,
    }
}

/// The first resource the node does not have enough of. Resources the node says nothing of are missing if they are extended ones.
fn insufficient(spec: &Value, allocatable: &Value) -> Option<String> {
    let mut names: Vec<&String> = Vec::new();
    for container in spec["containers"].as_array().into_iter().flatten() {
        names.extend(container["resources"]["requests"].as_object().into_iter().flatten().map(|(name, _)| name));
    }
    names.sort();
    names.dedup();
    let found = names.into_iter().find(|name| {
        let asked =
            spec["containers"].as_array().into_iter().flatten().map(|c| &c["resources"]["requests"][name.as_str()]);
        let asked = asked.filter_map(|v| v.as_str().and_then(Quantity::parse)).fold(Quantity::ZERO, Quantity::plus);
        match allocatable[name.as_str()].as_str().and_then(Quantity::parse) {
            Some(there) => asked > there,
            None => name.contains('/') && asked > Quantity::ZERO,
        }
    });
    found.cloned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pods_fit_or_say_why_not() {
        let node = json!({"metadata": {"name": "local", "labels": {"os": "linux", "n": "5"}},
            "status": {"allocatable": {"cpu": "2"}}});
        let selector = Some("node(s) didn't match Pod's node affinity/selector".to_owned());
        let cpu = |cpu: &str| json!({"containers": [{"resources": {"requests": {"cpu": cpu}}}]});
        let affinity = |expression: Value| {
            json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
                {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}}}})
        };
        for (spec, expected) in [
            (json!({}), None),
            (json!({"nodeSelector": {"os": "linux"}}), None),
            (json!({"nodeSelector": {"os": "plan9"}}), selector.clone()),
            (affinity(json!({"key": "os", "operator": "In", "values": ["linux"]})), None),
            (affinity(json!({"key": "n", "operator": "Gt", "values": ["4"]})), None),
            (affinity(json!({"key": "n", "operator": "Lt", "values": ["4"]})), selector.clone()),
            (affinity(json!({"key": "os", "operator": "DoesNotExist"})), selector),
            (cpu("2000m"), None),
            (cpu("100"), Some("Insufficient cpu".to_owned())),
            (
                json!({"containers": [{"resources": {"requests": {"example.com/gpu": "1"}}}]}),
                Some("Insufficient example.com/gpu".to_owned()),
            ),
        ] {
            assert_eq!(misfit(&json!({"spec": spec}), &node), expected, "{spec}");
        }
    }
}
