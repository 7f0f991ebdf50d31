//! `fieldRef` and `resourceFieldRef`: the pod's own fields as text.

use serde_json::Value;

use super::quantity::{ratio, thousandths};

/// Host and pod share the machine's loopback.
pub const NODE_IP: &str = "127.0.0.1";

/// The value of a downward API field path; `None` when there is no such path.
pub fn field(pod: &Value, path: &str) -> Option<String> {
    let meta = &pod["metadata"];
    if let Some((map, key)) = subscript(path) {
        let known = matches!(map, "metadata.labels" | "metadata.annotations");
        let map = map.strip_prefix("metadata.").filter(|_| known)?;
        return Some(meta[map][key].as_str().unwrap_or_default().to_owned());
    }
    let text = |value: &Value| Some(value.as_str().unwrap_or_default().to_owned());
    match path {
        "metadata.name" => text(&meta["name"]),
        "metadata.namespace" => text(&meta["namespace"]),
        "metadata.uid" => text(&meta["uid"]),
        "metadata.labels" => Some(listing(&meta["labels"])),
        "metadata.annotations" => Some(listing(&meta["annotations"])),
        "spec.nodeName" => text(&pod["spec"]["nodeName"]),
        "spec.serviceAccountName" => text(&pod["spec"]["serviceAccountName"]),
        "status.hostIP" | "status.hostIPs" | "status.podIP" | "status.podIPs" => Some(NODE_IP.to_owned()),
        _ => None,
    }
}

/// The value of a `resourceFieldRef` of `container`. A limit that is not set is what the node has (`allocatable`).
pub fn resource(container: &Value, allocatable: &Value, reference: &Value) -> Option<String> {
    let path = reference["resource"].as_str()?;
    let (kind, name) = path.split_once('.')?;
    let own = container["resources"][kind][name].as_str();
    let amount = match kind {
        "limits" => own.or_else(|| allocatable[name].as_str()),
        "requests" => own,
        _ => return None,
    };
    let amount = thousandths(amount.unwrap_or("0"))?;
    let divisor = reference["divisor"].as_str().and_then(thousandths).filter(|d| *d > 0);
    Some(ratio(amount, divisor.unwrap_or(1000)).to_string())
}

/// `path['key']` as its two parts.
fn subscript(path: &str) -> Option<(&str, &str)> {
    let (map, key) = path.split_once("['")?;
    Some((map, key.strip_suffix("']")?))
}

/// One `key="value"` a line, sorted, values quoted as Go quotes strings.
fn listing(map: &Value) -> String {
    let entries = map.as_object().into_iter().flatten();
    let mut lines: Vec<String> = entries
        .map(|(key, value)| format!("{key}={}\n", Value::String(value.as_str().unwrap_or_default().to_owned())))
        .collect();
    lines.sort();
    lines.concat()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_read() {
        let pod = json!({"metadata": {"name": "p", "uid": "u", "labels": {"b": "2", "a/x": "say \"1\""}},
            "spec": {"nodeName": "local"}});
        for (path, expected) in [
            ("metadata.name", Some("p")),
            ("metadata.uid", Some("u")),
            ("metadata.labels['a/x']", Some("say \"1\"")),
            ("metadata.labels['none']", Some("")),
            ("metadata.labels", Some("a/x=\"say \\\"1\\\"\"\nb=\"2\"\n")),
            ("spec.nodeName", Some("local")),
            ("status.podIP", Some(NODE_IP)),
            ("status.phase", None),
            ("spec.containers['a']", None),
        ] {
            assert_eq!(field(&pod, path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn resources_are_read() {
        let container = json!({"resources": {"limits": {"cpu": "500m"}, "requests": {"memory": "1Gi"}}});
        let node = json!({"cpu": "2", "memory": "4Gi"});
        for (path, divisor, expected) in [
            ("limits.cpu", "0", Some("1")),
            ("limits.cpu", "1m", Some("500")),
            ("limits.memory", "1Mi", Some("4096")),
            ("requests.memory", "1Mi", Some("1024")),
            ("requests.cpu", "1", Some("0")),
            ("else.cpu", "1", None),
        ] {
            let reference = json!({"resource": path, "divisor": divisor});
            assert_eq!(resource(&container, &node, &reference).as_deref(), expected, "{path}");
        }
    }
}
