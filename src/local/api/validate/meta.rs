//! The rules of `metadata`, the same for every kind.

use serde_json::{Value, json};

use super::text::{dns_label, dns_subdomain, label_key, label_value, path_segment};
use crate::local::api::status::FieldError;
use crate::local::store::{Kind, Meta};

/// All annotations of an object together.
const ANNOTATIONS_LIMIT: usize = 256 * 1024;

/// Checks a new object's metadata.
pub fn new_metadata(kind: Kind, object: &Value, errors: &mut Vec<FieldError>) {
    let name = object.name();
    let checked = match kind {
        Kind::Namespace => dns_label(name),
        Kind::Event => path_segment(name),
        _ => dns_subdomain(name),
    };
    if name.is_empty() {
        errors.push(FieldError::required("metadata.name", "name or generateName is required"));
    } else if let Err(why) = checked {
        errors.push(FieldError::invalid("metadata.name", &json!(name), &why));
    }
    maps(object, errors);
}

/// Checks changed metadata. Name, namespace, uid and times are the store's to keep.
pub fn changed_metadata(old: &Value, new: &Value, errors: &mut Vec<FieldError>) {
    maps(new, errors);
    if !old.is_deleting() {
        return;
    }
    let before = old.finalizers();
    let added: Vec<&str> = new.finalizers().into_iter().filter(|f| !before.contains(f)).collect();
    if !added.is_empty() {
        let list: Vec<String> = added.iter().map(|f| json!(f).to_string()).collect();
        let detail = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
            list.join(", ")
        );
        errors.push(FieldError::forbidden("metadata.finalizers", &detail));
    }
}

fn maps(object: &Value, errors: &mut Vec<FieldError>) {
    let meta = &object["metadata"];
    labels("metadata.labels", &meta["labels"], errors);
    let mut size = 0;
    for (key, value) in meta["annotations"].as_object().into_iter().flatten() {
        size += key.len() + value.as_str().map_or(0, str::len);
        // The case of an annotation's key does not matter.
        if let Err(why) = label_key(&key.to_lowercase()) {
            errors.push(FieldError::invalid("metadata.annotations", &json!(key), &why));
        }
    }
    if size > ANNOTATIONS_LIMIT {
        errors.push(FieldError::too_long("metadata.annotations", ANNOTATIONS_LIMIT));
    }
    for (index, finalizer) in object.finalizers().iter().enumerate() {
        finalizer_name(index, finalizer, errors);
    }
}

/// Checks a map of labels (also a node selector).
pub fn labels(field: &str, map: &Value, errors: &mut Vec<FieldError>) {
    for (key, value) in map.as_object().into_iter().flatten() {
        if let Err(why) = label_key(key) {
            errors.push(FieldError::invalid(field, &json!(key), &why));
        }
        let value = value.as_str().unwrap_or_default();
        if let Err(why) = label_value(value) {
            errors.push(FieldError::invalid(field, &json!(value), &why));
        }
    }
}

fn finalizer_name(index: usize, name: &str, errors: &mut Vec<FieldError>) {
    let field = format!("metadata.finalizers[{index}]");
    let standard = ["orphan", "foregroundDeletion", "kubernetes"];
    if let Err(why) = label_key(name) {
        errors.push(FieldError::invalid(field, &json!(name), &why));
    } else if !name.contains('/') && !standard.contains(&name) {
        let why = "name is neither a standard finalizer name nor is it fully qualified";
        errors.push(FieldError::invalid(field, &json!(name), why));
    }
}
