//! Strategic merge: maps merge, lists merge by key where Kubernetes' types say so, else they are replaced.
//!
//! Directives: `$patch: delete|replace|merge`, `$deleteFromPrimitiveList/FIELD`, `$setElementOrder/FIELD`, `$retainKeys`.

use serde_json::{Map, Value};

use crate::local::api::status::ApiError;

/// How a list is merged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lists {
    /// By the value of this field.
    ByKey(&'static str),
    /// As a set of plain values.
    Set,
    /// As a whole.
    Replace,
}

/// The strategy of a list, by its field's name and the name of the field it is in.
fn strategy(parent: &str, field: &str) -> Lists {
    match (parent, field) {
        (_, "containers" | "initContainers" | "ephemeralContainers") => Lists::ByKey("name"),
        ("spec", "volumes" | "imagePullSecrets" | "resourceClaims" | "schedulingGates") => Lists::ByKey("name"),
        ("spec", "hostAliases") => Lists::ByKey("ip"),
        ("spec", "topologySpreadConstraints") => Lists::ByKey("topologyKey"),
        ("containers" | "initContainers" | "ephemeralContainers", list) => match list {
            "env" => Lists::ByKey("name"),
            "volumeMounts" => Lists::ByKey("mountPath"),
            "volumeDevices" => Lists::ByKey("devicePath"),
            "ports" => Lists::ByKey("containerPort"),
            _ => Lists::Replace,
        },
        ("status", "conditions") => Lists::ByKey("type"),
        ("status", "podIPs" | "hostIPs") => Lists::ByKey("ip"),
        ("status", "addresses") => Lists::ByKey("type"),
        ("", "secrets" | "imagePullSecrets") => Lists::ByKey("name"),
        ("metadata", "ownerReferences") => Lists::ByKey("uid"),
        ("metadata", "finalizers") => Lists::Set,
        _ => Lists::Replace,
    }
}

/// Merges `patch` into `object`.
pub fn merge(object: Value, patch: &Value) -> Result<Value, ApiError> {
    merge_value(object, patch, "")
}

/// `place` is the name of the field whose value this is.
fn merge_value(object: Value, patch: &Value, place: &str) -> Result<Value, ApiError> {
    match patch {
        Value::Object(fields) => merge_map(object, fields, place),
        other => Ok(other.clone()),
    }
}

fn merge_map(object: Value, patch: &Map<String, Value>, place: &str) -> Result<Value, ApiError> {
    let mut fields = match (directive(patch)?, object) {
        (Directive::Delete, _) => return Ok(Value::Object(Map::new())),
        (Directive::Replace, _) => Map::new(),
        (Directive::Merge, Value::Object(fields)) => fields,
        (Directive::Merge, _) => Map::new(),
    };
    if let Some(kept) = patch.get("$retainKeys").and_then(Value::as_array) {
        fields.retain(|key, _| kept.iter().any(|k| k == key));
    }
    for (key, value) in patch {
        if let Some(list) = key.strip_prefix("$deleteFromPrimitiveList/") {
            remove_values(fields.get_mut(list), value);
        } else if key.starts_with('$') {
            continue;
        } else if value.is_null() {
            fields.remove(key);
        } else {
            let old = fields.remove(key).unwrap_or(Value::Null);
            let new = match value {
                Value::Array(items) => merge_list(old, items, strategy(place, key), key)?,
                other => merge_value(old, other, key)?,
            };
            fields.insert(key.clone(), new);
        }
    }
    for (key, order) in patch {
        if let Some(list) = key.strip_prefix("$setElementOrder/") {
            sort(fields.get_mut(list), order, strategy(place, list));
        }
    }
    Ok(Value::Object(fields))
}

enum Directive {
    Merge,
    Replace,
    Delete,
}

fn directive(patch: &Map<String, Value>) -> Result<Directive, ApiError> {
    match patch.get("$patch") {
        None => Ok(Directive::Merge),
        Some(Value::String(s)) if s == "merge" => Ok(Directive::Merge),
        Some(Value::String(s)) if s == "replace" => Ok(Directive::Replace),
        Some(Value::String(s)) if s == "delete" => Ok(Directive::Delete),
        Some(other) => Err(ApiError::internal(format!("unknown patch type found: {other}"))),
    }
}

fn remove_values(list: Option<&mut Value>, gone: &Value) {
    if let (Some(list), Some(gone)) = (list.and_then(Value::as_array_mut), gone.as_array()) {
        list.retain(|item| !gone.contains(item));
    }
}

fn merge_list(old: Value, patch: &[Value], how: Lists, field: &str) -> Result<Value, ApiError> {
    let old = match old {
        Value::Array(items) => items,
        _ => Vec::new(),
    };
    match how {
        Lists::Replace => Ok(Value::Array(patch.to_vec())),
        Lists::Set => {
            let mut merged = old;
            for item in patch {
                if !merged.contains(item) {
                    merged.push(item.clone());
                }
            }
            Ok(Value::Array(merged))
        }
        Lists::ByKey(key) => merge_by_key(old, patch, key, field),
    }
}

fn merge_by_key(old: Vec<Value>, patch: &[Value], key: &str, field: &str) -> Result<Value, ApiError> {
    let replaces = patch.iter().any(|item| item["$patch"] == "replace");
    let mut merged = if replaces { Vec::new() } else { old };
    for item in patch {
        let Some(fields) = item.as_object() else {
            return Err(ApiError::internal(format!("an element of the list {field} is not a map")));
        };
        if replaces && item["$patch"] == "replace" && fields.len() == 1 {
            continue;
        }
        let Some(wanted) = fields.get(key).filter(|v| !v.is_null()) else {
            return Err(ApiError::internal(format!("map: {item} does not contain declared merge key: {key}")));
        };
        let place = merged.iter().position(|m| m[key] == *wanted);
        if item["$patch"] == "delete" {
            merged.retain(|m| m[key] != *wanted);
        } else if let Some(place) = place {
            merged[place] = merge_value(merged[place].take(), item, field)?;
        } else {
            merged.push(merge_value(Value::Null, item, field)?);
        }
    }
    Ok(Value::Array(merged))
}

/// Brings the listed elements into the listed order; the others keep their places after those before them.
fn sort(list: Option<&mut Value>, order: &Value, how: Lists) {
    let (Some(items), Some(order)) = (list.and_then(Value::as_array_mut), order.as_array()) else {
        return;
    };
    let rank = |item: &Value| {
        order.iter().position(|wanted| match how {
            Lists::ByKey(key) => wanted[key] == item[key],
            Lists::Set | Lists::Replace => wanted == item,
        })
    };
    let mut last = 0;
    let mut ranked: Vec<(usize, Value)> = Vec::with_capacity(items.len());
    for item in items.drain(..) {
        let place = rank(&item).unwrap_or(last);
        last = place;
        ranked.push((place, item));
    }
    ranked.sort_by_key(|(place, _)| *place);
    items.extend(ranked.into_iter().map(|(_, item)| item));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod() -> Value {
        json!({"metadata": {"labels": {"a": "b"}, "finalizers": ["x/y"]}, "spec": {
            "tolerations": [{"key": "k"}],
            "volumes": [{"name": "v", "emptyDir": {}}],
            "containers": [{"name": "main", "image": "i", "args": ["1"], "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}]}})
    }

    fn merged(patch: Value) -> Value {
        merge(pod(), &patch).unwrap()
    }

    #[test]
    fn lists_merge_by_their_keys() {
        let result = merged(json!({"spec": {"containers": [
            {"name": "main", "image": "j", "env": [{"name": "A", "value": "9"}, {"name": "C", "value": "3"}, {"name": "B", "$patch": "delete"}]},
            {"name": "side", "image": "k"}]}}));
        assert_eq!(
            result["spec"]["containers"],
            json!([{"name": "main", "image": "j", "args": ["1"], "env": [{"name": "A", "value": "9"}, {"name": "C", "value": "3"}]},
                {"name": "side", "image": "k"}])
        );
        assert_eq!(
            merged(json!({"spec": {"containers": [{"name": "main", "args": ["2"]}]}}))["spec"]["containers"][0]["args"],
            json!(["2"])
        );
        assert_eq!(
            merged(json!({"spec": {"tolerations": [{"key": "z"}]}}))["spec"]["tolerations"],
            json!([{"key": "z"}])
        );
    }

    #[test]
    fn sets_and_directives() {
        let set = merged(json!({"metadata": {"finalizers": ["z/w", "x/y"]}}));
        assert_eq!(set["metadata"]["finalizers"], json!(["x/y", "z/w"]));
        let removed =
            merged(json!({"metadata": {"$deleteFromPrimitiveList/finalizers": ["x/y"], "labels": {"a": null}}}));
        assert_eq!(removed["metadata"], json!({"finalizers": [], "labels": {}}));
        let replaced = merged(json!({"metadata": {"labels": {"$patch": "replace", "c": "d"}}}));
        assert_eq!(replaced["metadata"]["labels"], json!({"c": "d"}));
        let retained = merged(
            json!({"spec": {"volumes": [{"name": "v", "$retainKeys": ["name", "hostPath"], "hostPath": {"path": "/"}}]}}),
        );
        assert_eq!(retained["spec"]["volumes"], json!([{"name": "v", "hostPath": {"path": "/"}}]));
        let list = merged(json!({"spec": {"containers": [{"$patch": "replace"}, {"name": "new", "image": "n"}]}}));
        assert_eq!(list["spec"]["containers"], json!([{"name": "new", "image": "n"}]));
    }

    #[test]
    fn an_order_is_kept() {
        let patch = json!({"spec": {"$setElementOrder/containers": [{"name": "first"}, {"name": "main"}], "containers": [{"name": "first", "image": "f"}]}});
        let names: Vec<_> =
            merged(patch)["spec"]["containers"].as_array().unwrap().iter().map(|c| c["name"].clone()).collect();
        assert_eq!(names, ["first", "main"]);
    }

    #[test]
    fn a_merge_key_is_needed() {
        let refused = merge(pod(), &json!({"spec": {"containers": [{"image": "x"}]}})).unwrap_err();
        assert_eq!(refused.to_status()["code"], 500);
        assert!(refused.to_string().ends_with("does not contain declared merge key: name"));
    }
}
