//! Merges nobody wrote: any tree under any patch, directives of any kind in any place.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use super::merge::merge_pod;

/// Fields of pods with merge keys, sets, maps and plain lists below them, and every directive.
const FIELDS: [&str; 26] = [
    "metadata",
    "labels",
    "finalizers",
    "spec",
    "containers",
    "initContainers",
    "volumes",
    "env",
    "volumeMounts",
    "ports",
    "tolerations",
    "hostAliases",
    "topologySpreadConstraints",
    "securityContext",
    "command",
    "name",
    "mountPath",
    "containerPort",
    "$patch",
    "$retainKeys",
    "$setElementOrder/containers",
    "$setElementOrder/env",
    "$setElementOrder/finalizers",
    "$deleteFromPrimitiveList/finalizers",
    "$deleteFromPrimitiveList/containers",
    "other",
];

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!(1)),
        Just(json!(true)),
        select(&["a", "b", "delete", "replace", "merge", "name", ""][..]).prop_map(Value::from),
    ]
}

fn tree() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(
        6,
        64,
        5,
        |inner| prop_oneof![1 => vec(inner.clone(), 0..5).prop_map(Value::from), 2 => object(inner)],
    )
}

fn object(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    let fields = vec((select(&FIELDS[..]), inner), 0..6);
    fields.prop_map(|fields| Value::Object(fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect::<Map<_, _>>()))
}

/// A tree in which lists with merge keys are where pods have them.
fn pod() -> impl Strategy<Value = Value> {
    let directive = select(&["delete", "replace", "merge", "other"][..]);
    let element = (select(&["a", "b", "c"][..]), prop::option::weighted(0.2, directive.clone()), tree(), tree());
    let element = element.prop_map(|(name, patch, env, other)| {
        let mut element = json!({"name": name, "env": env, "other": other});
        if let Some(patch) = patch {
            element["$patch"] = patch.into();
        }
        element
    });
    let order = prop::option::weighted(0.3, vec(select(&["a", "b", "c", "d"][..]), 0..4));
    let names = vec(select(&["a", "b", "c"][..]), 0..4);
    (vec(element, 0..4), order, names.clone(), prop::option::weighted(0.3, names), tree()).prop_map(
        |(containers, order, finalizers, gone, other)| {
            let mut pod =
                json!({"metadata": {"finalizers": finalizers}, "spec": {"containers": containers, "x": other}});
            if let Some(order) = order {
                let order: Vec<Value> = order.into_iter().map(|name| json!({"name": name})).collect();
                pod["spec"]["$setElementOrder/containers"] = order.into();
            }
            if let Some(gone) = gone {
                pod["metadata"]["$deleteFromPrimitiveList/finalizers"] = json!(gone);
            }
            pod
        },
    )
}

fn is_directive(key: &str) -> bool {
    ["$patch", "$retainKeys", "$setElementOrder/", "$deleteFromPrimitiveList/"].iter().any(|name| key.starts_with(name))
}

/// Whether a directive is left anywhere.
fn has_directive(value: &Value) -> bool {
    match value {
        Value::Object(map) => map.iter().any(|(key, value)| is_directive(key) || has_directive(value)),
        Value::Array(items) => items.iter().any(has_directive),
        _ => false,
    }
}

/// A base as the product has it: merged over nothing.
fn merged(base: &Value) -> Option<Value> {
    merge_pod(Value::Null, base).ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn any_tree_under_any_patch(base in tree(), patch in tree()) {
        let _ = merge_pod(base.clone(), &patch);
        if let Some(base) = merged(&base) {
            let _ = merge_pod(base, &patch);
        }
    }

    #[test]
    fn over_nothing_no_directive_is_left(base in prop_oneof![tree(), pod()]) {
        if let Some(base) = merged(&base) {
            prop_assert!(!has_directive(&base), "{}", base);
        }
    }

    #[test]
    fn over_a_pod_no_directive_is_left(base in pod(), patch in prop_oneof![tree(), pod()]) {
        let Some(base) = merged(&base) else { return Ok(()) };
        if let Ok(merged) = merge_pod(base, &patch) {
            prop_assert!(!has_directive(&merged), "{}", merged);
        }
    }

    #[test]
    fn what_is_deleted_is_gone(base in pod(), name in select(&["a", "b", "c"][..])) {
        let Some(base) = merged(&base) else { return Ok(()) };
        let patch = json!({
            "metadata": {"$deleteFromPrimitiveList/finalizers": [name]},
            "spec": {"containers": [{"name": name, "$patch": "delete"}]},
        });
        let merged = merge_pod(base, &patch).unwrap();
        let named = |list: &Value| list.as_array().into_iter().flatten().filter(|one| one["name"] == name).count();
        prop_assert_eq!(named(&merged["spec"]["containers"]), 0);
        let finalizers = merged["metadata"]["finalizers"].as_array();
        prop_assert!(finalizers.is_none_or(|all| !all.iter().any(|one| one == name)));
    }

    #[test]
    fn an_order_is_kept(base in pod(), order in vec(select(&["a", "b", "c"][..]), 1..4)) {
        let Some(base) = merged(&base) else { return Ok(()) };
        let mut order = order;
        order.sort_unstable();
        order.dedup();
        order.reverse();
        let wanted: Vec<Value> = order.iter().map(|name| json!({"name": name})).collect();
        let patch = json!({"spec": {"$setElementOrder/containers": wanted, "containers": wanted}});
        let merged = merge_pod(base, &patch).unwrap();
        let places: Vec<usize> = order
            .iter()
            .map(|name| merged["spec"]["containers"].as_array().unwrap().iter().position(|one| one["name"] == *name).unwrap())
            .collect();
        prop_assert!(places.is_sorted(), "{:?}", places);
    }
}
