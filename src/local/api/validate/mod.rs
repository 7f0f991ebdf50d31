//! Whether an object may be stored, field by field, in Kubernetes' own words.
//!
//! ```text
//! object → meta (all kinds) → pod | config (by kind) → [FieldError] → 422 with causes
//! ```
//!
//! Pure rules on JSON values; the objects' types were checked before (`decode`), so a field that is present has its type.

mod config;
mod container;
mod meta;
mod pod;
mod pod_update;
pub mod text;

use serde_json::Value;

use super::status::{ApiError, FieldError};
use crate::local::store::{Kind, Meta};

/// Checks an object that is to be created.
pub fn created(kind: Kind, object: &Value) -> Result<(), ApiError> {
    let mut errors = Vec::new();
    meta::new_metadata(kind, object, &mut errors);
    of_kind(kind, object, &mut errors);
    finish(kind, object.name(), &errors)
}

/// Checks a change of an object.
pub fn updated(kind: Kind, old: &Value, new: &Value) -> Result<(), ApiError> {
    let mut errors = Vec::new();
    meta::changed_metadata(old, new, &mut errors);
    match kind {
        Kind::Pod => pod_update::check(old, new, &mut errors),
        _ => of_kind(kind, new, &mut errors),
    }
    finish(kind, old.name(), &errors)
}

/// Checks a change made through `/status`: only the metadata has rules.
pub fn updated_status(kind: Kind, old: &Value, new: &Value) -> Result<(), ApiError> {
    let mut errors = Vec::new();
    meta::changed_metadata(old, new, &mut errors);
    finish(kind, old.name(), &errors)
}

fn of_kind(kind: Kind, object: &Value, errors: &mut Vec<FieldError>) {
    match kind {
        Kind::Pod => pod::check(object, errors),
        Kind::ConfigMap | Kind::Secret => config::check(kind, object, errors),
        _ => {}
    }
}

fn finish(kind: Kind, name: &str, errors: &[FieldError]) -> Result<(), ApiError> {
    match errors {
        [] => Ok(()),
        errors => Err(ApiError::invalid(kind, name, errors)),
    }
}

/// The entries of an array field; absent is empty.
fn items<'a>(parent: &'a Value, field: &str) -> impl Iterator<Item = (usize, &'a Value)> {
    parent[field].as_array().into_iter().flatten().enumerate()
}

/// A text field; absent is empty.
fn text_of<'a>(parent: &'a Value, field: &str) -> &'a str {
    parent[field].as_str().unwrap_or_default()
}

/// A field is set: present and not null.
fn is_set(parent: &Value, field: &str) -> bool {
    !parent[field].is_null()
}
