//! Kubernetes' strategic merge patch for pods, on JSON values.
//!
//! ```text
//! base ─┐                   ┌─ maps:  key by key; null removes; $patch, $retainKeys
//!       ├─ merge, by field ─┼─ lists: by merge key where the field has one, else replaced;
//! patch ┘                   │         $patch: delete | replace, $setElementOrder/<list>,
//!                           │         $deleteFromPrimitiveList/<list>
//!                           └─ other: replaced
//! ```
//!
//! The result is what `kubectl patch --type=strategic` gives, new elements of a merged list before
//! the old ones included. Deliberate differences: fields that are not known here merge as maps and
//! replace as lists where kubectl refuses them; `$patch: merge` is allowed and changes nothing;
//! `$patch: replace` of a map that is not there sets it, where kubectl drops it; a directive of the
//! wrong type is refused, where kubectl ignores some; and neither a directive nor a null of the
//! patch ever reaches the result.

use serde_json::{Map, Value};

use super::merge_list::{merge_list, order_list, remove_scalars};

pub(super) const PATCH: &str = "$patch";
const RETAIN_KEYS: &str = "$retainKeys";
const SET_ORDER: &str = "$setElementOrder/";
const DELETE_FROM: &str = "$deleteFromPrimitiveList/";

/// A patch that cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct MergeError {
    /// Where in the pod, such as `spec.containers`.
    pub path: String,
    /// What is wrong.
    pub problem: String,
}

/// Merges `patch` over `base`, both in the shape of a pod (`metadata`, `spec`).
pub fn merge_pod(base: Value, patch: &Value) -> Result<Value, MergeError> {
    let base = match base {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    let Value::Object(patch) = patch else {
        return Err(refuse("", "a patch must be a mapping"));
    };
    merge_map(base, patch, Kind::Pod, "").map(Value::Object)
}

/// What a map is, as far as the fields below it merge in a special way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Pod,
    Meta,
    Spec,
    Container,
    Volume,
    EphemeralVolume,
    ClaimTemplate,
    Other,
}

/// How a list merges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListRule {
    /// The patch's list takes the place of the other.
    Replace,
    /// A set of scalars: both, each once.
    Set,
    /// A list of maps: element by element, known by this key.
    Keyed(&'static str),
}

impl Kind {
    /// The kind of what is under `field`, and how it merges if it is a list: the `patchStrategy`
    /// and `patchMergeKey` of the Kubernetes API.
    pub(super) fn field(self, field: &str) -> (Kind, ListRule) {
        use ListRule::{Keyed, Replace, Set};
        match (self, field) {
            (Kind::Pod | Kind::ClaimTemplate, "metadata") => (Kind::Meta, Replace),
            (Kind::Pod, "spec") => (Kind::Spec, Replace),
            (Kind::Meta, "finalizers") => (Kind::Other, Set),
            (Kind::Meta, "ownerReferences") => (Kind::Other, Keyed("uid")),
            (Kind::Spec, "containers" | "initContainers" | "ephemeralContainers") => (Kind::Container, Keyed("name")),
            (Kind::Spec, "volumes") => (Kind::Volume, Keyed("name")),
            (Kind::Spec, "imagePullSecrets" | "resourceClaims" | "schedulingGates") => (Kind::Other, Keyed("name")),
            (Kind::Spec, "hostAliases") => (Kind::Other, Keyed("ip")),
            (Kind::Spec, "topologySpreadConstraints") => (Kind::Other, Keyed("topologyKey")),
            (Kind::Container, "env") => (Kind::Other, Keyed("name")),
            (Kind::Container, "ports") => (Kind::Other, Keyed("containerPort")),
            (Kind::Container, "volumeMounts") => (Kind::Other, Keyed("mountPath")),
            (Kind::Container, "volumeDevices") => (Kind::Other, Keyed("devicePath")),
            (Kind::Volume, "ephemeral") => (Kind::EphemeralVolume, Replace),
            (Kind::EphemeralVolume, "volumeClaimTemplate") => (Kind::ClaimTemplate, Replace),
            _ => (Kind::Other, Replace),
        }
    }
}

pub(super) fn refuse(path: &str, problem: impl Into<String>) -> MergeError {
    MergeError { path: path.to_owned(), problem: problem.into() }
}

fn join(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

/// Merges one map; `path` is where it is, for errors.
pub(super) fn merge_map(
    base: Map<String, Value>,
    patch: &Map<String, Value>,
    kind: Kind,
    path: &str,
) -> Result<Map<String, Value>, MergeError> {
    match patch.get(PATCH).map(|directive| directive.as_str()) {
        None | Some(Some("merge")) => {}
        Some(Some("replace")) => return Ok(clean_map(patch)),
        Some(Some("delete")) => return Ok(Map::new()),
        Some(_) => return Err(refuse(path, "$patch must be merge, replace or delete")),
    }
    let mut merged = retain_keys(base, patch, path)?;
    for (key, value) in patch {
        let (field, change) = match key.as_str() {
            PATCH | RETAIN_KEYS => continue,
            key => directive(key, value, patch),
        };
        let Some(change) = change else { continue };
        let old = merged.remove(field);
        if let Some(new) = merge_field(old, change, kind.field(field), &join(path, field))? {
            merged.insert(field.to_owned(), new);
        }
    }
    Ok(merged)
}

/// What one entry of a patch asks of a field.
#[derive(Clone, Copy)]
enum Change<'a> {
    Merge(&'a Value),
    Order { order: &'a Value, list: Option<&'a Value> },
    RemoveScalars(&'a Value),
}

/// The field an entry of a patch is about, and the change. A list that has an order beside it is
/// changed together with it, once.
fn directive<'a>(key: &'a str, value: &'a Value, patch: &'a Map<String, Value>) -> (&'a str, Option<Change<'a>>) {
    if let Some(field) = key.strip_prefix(SET_ORDER) {
        return (field, Some(Change::Order { order: value, list: patch.get(field) }));
    }
    if let Some(field) = key.strip_prefix(DELETE_FROM) {
        return (field, Some(Change::RemoveScalars(value)));
    }
    let ordered = patch.contains_key(&format!("{SET_ORDER}{key}"));
    (key, (!ordered).then_some(Change::Merge(value)))
}

fn merge_field(
    old: Option<Value>,
    change: Change<'_>,
    (kind, rule): (Kind, ListRule),
    path: &str,
) -> Result<Option<Value>, MergeError> {
    match change {
        Change::Merge(value) => merge_value(old, value, (kind, rule), path),
        Change::RemoveScalars(scalars) => remove_scalars(old, scalars, path),
        Change::Order { order, list } => {
            let before: Vec<Value> = old.as_ref().and_then(Value::as_array).cloned().unwrap_or_default();
            let merged = match list {
                Some(list) => merge_value(old, list, (kind, rule), path)?,
                None => old,
            };
            match merged {
                Some(Value::Array(merged)) => order_list(merged, &before, order, list, rule, path).map(Some),
                other => Ok(other),
            }
        }
    }
}

fn merge_value(
    old: Option<Value>,
    value: &Value,
    (kind, rule): (Kind, ListRule),
    path: &str,
) -> Result<Option<Value>, MergeError> {
    match (old, value) {
        (_, Value::Null) => Ok(None),
        (Some(Value::Object(old)), Value::Object(patch)) => {
            merge_map(old, patch, kind, path).map(|map| Some(Value::Object(map)))
        }
        (Some(Value::Array(old)), Value::Array(patch)) if rule != ListRule::Replace => {
            merge_list(old, patch, kind, rule, path).map(|list| Some(Value::Array(list)))
        }
        (_, new) => Ok(clean(new)),
    }
}

/// `$retainKeys` of a patch: drops what is not named; everything the patch sets must be named.
fn retain_keys(
    mut base: Map<String, Value>,
    patch: &Map<String, Value>,
    path: &str,
) -> Result<Map<String, Value>, MergeError> {
    let Some(retain) = patch.get(RETAIN_KEYS) else { return Ok(base) };
    let Some(retain) = retain.as_array() else {
        return Err(refuse(path, "$retainKeys must be a list of keys"));
    };
    let kept = |key: &str| retain.iter().any(|k| k.as_str() == Some(key));
    let all_named = patch.iter().all(|(key, value)| value.is_null() || key.starts_with('$') || kept(key));
    if !all_named {
        return Err(refuse(path, "$retainKeys must name every key that the patch sets"));
    }
    base.retain(|key, _| kept(key));
    Ok(base)
}

/// A value of a patch as it enters the result where nothing was before: without directives and
/// nulls; `None` where it says only "delete".
pub(super) fn clean(value: &Value) -> Option<Value> {
    match value {
        Value::Object(map) if deletes(map) => None,
        Value::Object(map) => Some(Value::Object(clean_map(map))),
        Value::Array(items) => {
            Some(Value::Array(items.iter().filter(|i| i.get(PATCH).is_none()).filter_map(clean).collect()))
        }
        other => Some(other.clone()),
    }
}

fn clean_map(map: &Map<String, Value>) -> Map<String, Value> {
    let kept = map.iter().filter(|(key, value)| !is_directive(key) && !value.is_null());
    kept.filter_map(|(key, value)| Some((key.clone(), clean(value)?))).collect()
}

fn deletes(map: &Map<String, Value>) -> bool {
    map.get(PATCH).and_then(Value::as_str) == Some("delete")
}

fn is_directive(key: &str) -> bool {
    key == PATCH || key == RETAIN_KEYS || key.starts_with(SET_ORDER) || key.starts_with(DELETE_FROM)
}

#[cfg(test)]
mod tests {
    use proptest::collection::{btree_map, btree_set, vec};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// What `kubectl patch --local --type=strategic` 1.34 makes of each, recorded by
    /// `testdata/record_strategic_merge.py`; `ours` and `ours_error` are where we differ on purpose.
    const GOLDEN: &str = include_str!("testdata/strategic_merge.jsonl");

    #[test]
    fn merges_as_kubectl_does() {
        for case in GOLDEN.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
            let result = merge_pod(case["base"].clone(), &case["patch"]);
            if let Some(problem) = case.get("ours_error").and_then(Value::as_str) {
                assert_eq!(result.unwrap_err().problem, problem, "{}", case["name"]);
                continue;
            }
            match case.get("ours").or(case.get("merged")) {
                Some(expected) => assert_eq!(result.as_ref(), Ok(expected), "{}", case["name"]),
                None => assert!(result.is_err(), "{}: {:?} instead of {}", case["name"], result, case["error"]),
            }
        }
    }

    #[test]
    fn fields_that_are_not_known_merge_as_maps_and_replace_as_lists() {
        let base = json!({"spec": {"new": {"a": 1, "list": [{"name": "x"}]}}});
        let patch = json!({"spec": {"new": {"b": 2, "list": [{"name": "y"}]}}});
        assert_eq!(
            merge_pod(base, &patch).unwrap(),
            json!({"spec": {"new": {"a": 1, "b": 2, "list": [{"name": "y"}]}}})
        );
    }

    #[test]
    fn errors_name_the_place() {
        let base = json!({"spec": {"containers": [{"name": "a", "env": [{"name": "A"}]}]}});
        let patch = json!({"spec": {"containers": [{"name": "a", "env": [{"value": "x"}]}]}});
        assert_eq!(merge_pod(base, &patch).unwrap_err().path, "spec.containers.env");
    }

    #[test]
    fn a_patch_over_nothing_is_the_patch_without_its_directives() {
        let patch = json!({"metadata": {"labels": {"a": null, "b": "c"}}, "spec": {
            "$retainKeys": ["containers"], "$setElementOrder/containers": [{"name": "a"}],
            "containers": [{"name": "a", "env": [{"$patch": "replace"}, {"name": "A", "value": ""}]}]}});
        let expected = json!({"metadata": {"labels": {"b": "c"}}, "spec": {
            "containers": [{"name": "a", "env": [{"name": "A", "value": ""}]}]}});
        assert_eq!(merge_pod(Value::Null, &patch).unwrap(), expected);
        assert_eq!(merge_pod(expected.clone(), &json!({})).unwrap(), expected);
        assert_eq!(merge_pod(expected.clone(), &expected).unwrap(), expected);
    }

    /// Pods of few names, so that elements meet. A scalar or variable twice in one list is left out:
    /// over nothing it stays twice, as kubectl leaves it.
    fn pods() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![Just(json!(1)), Just(json!("x")), Just(json!(null)), Just(json!({"k": 1}))];
        let env = btree_map("[ab]", scalar.clone(), 0..3)
            .prop_map(|env| env.into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect());
        let container = ("[abc]", scalar.clone(), prop::option::of(env.prop_map(Value::Array)))
            .prop_map(|(name, image, env)| json!({"name": name, "image": image, "env": env}));
        let finalizers = prop::option::of(btree_set("[ab]", 0..3));
        (vec(container, 0..4), scalar, finalizers).prop_map(|(containers, other, finalizers)| {
            json!({"metadata": {"finalizers": finalizers}, "spec": {"containers": containers, "other": other}})
        })
    }

    proptest! {
        #[test]
        fn merging_again_changes_nothing(base in pods(), patch in pods()) {
            let base = merge_pod(Value::Null, &base).unwrap();
            let once = merge_pod(base, &patch).unwrap();
            prop_assert_eq!(merge_pod(once.clone(), &patch).unwrap(), once);
        }

        #[test]
        fn an_empty_patch_changes_nothing(base in pods()) {
            let base = merge_pod(Value::Null, &base).unwrap();
            prop_assert_eq!(merge_pod(base.clone(), &json!({})).unwrap(), base.clone());
            prop_assert_eq!(merge_pod(base.clone(), &json!({"metadata": {}, "spec": {}})).unwrap(), base);
        }

        #[test]
        fn every_name_of_the_patch_is_in_the_result_once(base in pods(), patch in pods()) {
            let base = merge_pod(Value::Null, &json!({"spec": {"containers": []}})).and_then(|b| merge_pod(b, &base)).unwrap();
            let merged = merge_pod(base, &patch).unwrap();
            let mut names: Vec<&Value> = merged["spec"]["containers"].as_array().unwrap().iter().map(|c| &c["name"]).collect();
            for container in patch["spec"]["containers"].as_array().unwrap() {
                prop_assert!(names.contains(&&container["name"]));
            }
            let all = names.len();
            names.sort_by_key(|name| name.to_string());
            names.dedup();
            prop_assert_eq!(names.len(), all);
        }
    }

    /// A manifest at the size limit must not cost seconds.
    #[test]
    fn long_lists_merge_in_linear_time() {
        let list = |prefix: &str| -> Vec<Value> {
            (0..30_000).map(|i| json!({"name": format!("{prefix}{i}"), "value": ""})).collect()
        };
        let pod = |env: Vec<Value>| json!({"spec": {"containers": [{"name": "a", "env": env}]}});
        let start = std::time::Instant::now();
        let merged = merge_pod(pod(list("A")), &pod(list("B"))).unwrap();
        assert_eq!(merged["spec"]["containers"][0]["env"].as_array().unwrap().len(), 60_000);
        assert!(start.elapsed() < std::time::Duration::from_secs(20), "{:?}", start.elapsed());
    }
}
