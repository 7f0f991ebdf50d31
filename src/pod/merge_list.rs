//! How two lists become one in a strategic merge.
//!
//! ```text
//! old, patch ──$patch: delete, replace──▶ old' ──by key: merge or append──▶ all ──order──▶ merged
//! ```
//!
//! Order: what the patch names stands in the patch's order, the rest in the old order, and the two
//! are woven together so that the old order holds between elements that were there before. An
//! element that is new stands before the first one of the rest.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::merge::{Kind, ListRule, MergeError, PATCH, clean, merge_map, refuse};

/// Merges `patch` into `old`; `rule` is not [`ListRule::Replace`].
pub(super) fn merge_list(
    old: Vec<Value>,
    patch: &[Value],
    kind: Kind,
    rule: ListRule,
    path: &str,
) -> Result<Vec<Value>, MergeError> {
    let ListRule::Keyed(key) = rule else {
        return Ok(merge_set(old, patch));
    };
    let (old, elements) = apply_list_directives(old, patch, key, path)?;
    let mut merged = old.clone();
    let mut places = Index::of(&merged, rule);
    for element in &elements {
        let Value::Object(map) = element else {
            return Err(refuse(path, "must be a list of mappings"));
        };
        let id = id(element, rule).ok_or_else(|| no_key(path, key))?;
        match places.0.get(&id).and_then(|place| merged.get_mut(*place)) {
            Some(item) => {
                if let Value::Object(base) = item.take() {
                    *item = Value::Object(merge_map(base, map, kind, path)?);
                }
            }
            None => {
                places.0.insert(id, merged.len());
                merged.extend(clean(element));
            }
        }
    }
    Ok(weave(merged, &elements, &old, rule))
}

fn no_key(path: &str, key: &str) -> MergeError {
    refuse(path, format!("every element of this list needs {key}: elements are merged by it"))
}

fn merge_set(old: Vec<Value>, patch: &[Value]) -> Vec<Value> {
    let mut seen = HashSet::new();
    let both = old.iter().chain(patch);
    let merged = both.filter(|item| seen.insert(item.to_string())).cloned().collect();
    weave(merged, patch, &old, ListRule::Set)
}

/// Carries out `$patch` of elements: the old list without what they delete, and the elements left.
fn apply_list_directives(
    mut old: Vec<Value>,
    patch: &[Value],
    key: &'static str,
    path: &str,
) -> Result<(Vec<Value>, Vec<Value>), MergeError> {
    let mut elements = Vec::with_capacity(patch.len());
    let mut replaced = false;
    let mut deleted = HashSet::new();
    for element in patch {
        match element.get(PATCH).map(Value::as_str) {
            None | Some(Some("merge")) => elements.push(element.clone()),
            Some(Some("delete")) => {
                deleted.insert(element.get(key).ok_or_else(|| no_key(path, key))?.to_string());
            }
            Some(Some("replace")) => replaced = true,
            Some(_) => return Err(refuse(path, "$patch of an element must be merge, delete or replace")),
        }
    }
    if !deleted.is_empty() {
        old.retain(|item| item.get(key).is_none_or(|id| !deleted.contains(&id.to_string())));
    }
    // Under "replace" the rest of the patch is the list.
    Ok(if replaced { (elements.iter().filter_map(clean).collect(), Vec::new()) } else { (old, elements) })
}

/// `$setElementOrder`: puts `merged` in the order asked for; what it does not name keeps the order
/// it had `before`.
pub(super) fn order_list(
    merged: Vec<Value>,
    before: &[Value],
    order: &Value,
    patch: Option<&Value>,
    rule: ListRule,
    path: &str,
) -> Result<Value, MergeError> {
    let Some(order) = order.as_array() else {
        return Err(refuse(path, "$setElementOrder must be a list"));
    };
    if let ListRule::Keyed(key) = rule
        && order.iter().any(|item| item.get(key).is_none())
    {
        return Err(no_key(path, key));
    }
    let patch = patch.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let mut rest = order.iter();
    for element in patch.iter().filter(|element| element.get(PATCH).is_none()) {
        if !rest.any(|item| id(item, rule) == id(element, rule)) {
            return Err(refuse(path, "$setElementOrder must name the elements of the patch, in their order"));
        }
    }
    Ok(Value::Array(weave(merged, order, before, rule)))
}

/// `$deleteFromPrimitiveList`: the old list, where there is one, without these scalars.
pub(super) fn remove_scalars(old: Option<Value>, scalars: &Value, path: &str) -> Result<Option<Value>, MergeError> {
    let Some(scalars) = scalars.as_array() else {
        return Err(refuse(path, "$deleteFromPrimitiveList must be a list"));
    };
    Ok(match old {
        Some(Value::Array(mut items)) => {
            items.retain(|item| !scalars.contains(item));
            Some(Value::Array(items))
        }
        other => other,
    })
}

/// Where each element of a list stands, by its merge key or by itself. A map, because a manifest
/// may hold thousands of elements.
struct Index(HashMap<String, usize>);

impl Index {
    fn of(list: &[Value], rule: ListRule) -> Self {
        let mut places = HashMap::with_capacity(list.len());
        for (place, item) in list.iter().enumerate() {
            if let Some(id) = id(item, rule) {
                places.entry(id).or_insert(place);
            }
        }
        Index(places)
    }

    fn get(&self, item: &Value, rule: ListRule) -> Option<usize> {
        self.0.get(&id(item, rule)?).copied()
    }
}

/// What an element is known by, as JSON text: `1` and `"1"` differ.
fn id(item: &Value, rule: ListRule) -> Option<String> {
    match rule {
        ListRule::Keyed(key) => item.get(key).map(Value::to_string),
        ListRule::Set | ListRule::Replace => Some(item.to_string()),
    }
}

/// Orders `merged`: see the module.
fn weave(merged: Vec<Value>, patch_order: &[Value], old_order: &[Value], rule: ListRule) -> Vec<Value> {
    let (in_patch, in_old) = (Index::of(patch_order, rule), Index::of(old_order, rule));
    let mut out = Vec::with_capacity(merged.len());
    let (mut named, mut rest): (Vec<Value>, Vec<Value>) =
        merged.into_iter().partition(|item| in_patch.get(item, rule).is_some());
    named.sort_by_cached_key(|item| in_patch.get(item, rule));
    rest.sort_by_cached_key(|item| in_old.get(item, rule));
    let mut rest = rest.into_iter().map(|item| (in_old.get(&item, rule), item)).peekable();
    for new in named {
        if let Some(place) = in_old.get(&new, rule) {
            while let Some((_, old)) = rest.next_if(|(old, _)| old.is_some_and(|old| old < place)) {
                out.push(old);
            }
        }
        out.push(new);
    }
    out.extend(rest.map(|(_, item)| item));
    out
}
