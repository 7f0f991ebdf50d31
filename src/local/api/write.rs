//! How objects are created and changed: defaults, rules, and what of a write counts.
//!
//! Every check that depends on the stored object runs under the store's lock, so two writers cannot pass each other.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::decode;
use super::patch::{Patch, mistyped};
use super::pods::defaults;
use super::query::Effect;
use super::route::Target;
use super::status::{ApiError, FieldError};
use super::validate;
use crate::local::store::{self, Kind, Meta, Store, StoreError};

/// The largest stored object, as etcd has it.
const OBJECT_LIMIT: usize = 1_572_864;
/// How often a generated name is tried.
const NAME_TRIES: usize = 8;

/// Which part of an object a write is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All but the status.
    Main,
    /// The status and the metadata.
    Status,
}

/// Puts an object into the namespace of the path; one that names another is refused.
pub fn place(object: &mut Value, namespace: &str) -> Result<(), ApiError> {
    let named = object.namespace();
    if !named.is_empty() && named != namespace {
        let message = "the namespace of the provided object does not match the namespace sent on the request";
        return Err(ApiError::bad_request(message));
    }
    object["metadata"]["namespace"] = json!(namespace);
    Ok(())
}

/// Creates an object.
pub fn create(
    store: &Store,
    kind: Kind,
    namespace: &str,
    object: Value,
    effect: Effect,
) -> Result<Arc<Value>, ApiError> {
    if kind.is_namespaced() && store.get(Kind::Namespace, "", namespace).is_none() {
        return Err(ApiError::not_found(Kind::Namespace, namespace));
    }
    let prefix = object["metadata"]["generateName"].as_str().unwrap_or_default().to_owned();
    let generated = object.name().is_empty() && !prefix.is_empty();
    let tries = if generated { NAME_TRIES } else { 1 };
    let mut last = None;
    for _ in 0..tries {
        let mut candidate = object.clone();
        if generated {
            candidate["metadata"]["name"] = json!(format!("{prefix}{}", suffix()));
        }
        match create_named(store, kind, candidate, effect) {
            Err(error) if generated && error.is_already_exists() => last = Some(error),
            answer => return answer,
        }
    }
    Err(last.unwrap_or_else(|| ApiError::internal("no name was tried")))
}

fn suffix() -> String {
    // Kubernetes leaves out vowels and digits that could form words.
    const LETTERS: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let random = uuid::Uuid::new_v4();
    let bytes = random.as_bytes().iter().take(5);
    bytes.map(|b| char::from(LETTERS[usize::from(*b) % LETTERS.len()])).collect()
}

fn create_named(store: &Store, kind: Kind, mut object: Value, effect: Effect) -> Result<Arc<Value>, ApiError> {
    prepare(kind, &mut object);
    validate::created(kind, &object)?;
    check_size(&object)?;
    match effect {
        Effect::DryRun => Ok(Arc::new(store.create_dry(kind, object)?)),
        Effect::Store => {
            let stored = store.create(kind, object)?;
            if kind == Kind::Namespace {
                // It may exist already when a deleted namespace comes back; that is as good.
                let _ = store.create(Kind::ServiceAccount, store::default_service_account(stored.name()));
            }
            Ok(stored)
        }
    }
}

/// Fills what the caller may leave out and drops what is the server's to say.
fn prepare(kind: Kind, object: &mut Value) {
    match kind {
        Kind::Pod => {
            defaults::spec(object);
            defaults::status(object, Timestamp::now());
        }
        Kind::Namespace => {
            let name = object.name().to_owned();
            object["metadata"]["labels"]["kubernetes.io/metadata.name"] = json!(name);
            object["spec"] = json!({"finalizers": ["kubernetes"]});
            object["status"] = json!({"phase": "Active"});
        }
        Kind::Secret => fill_secret(object),
        _ => {}
    }
}

/// `stringData` becomes `data`.
fn fill_secret(secret: &mut Value) {
    let texts = secret.as_object_mut().and_then(|s| s.remove("stringData"));
    for (key, text) in texts.as_ref().and_then(Value::as_object).into_iter().flatten() {
        let bytes = text.as_str().unwrap_or_default().as_bytes();
        secret["data"][key] = json!(data_encoding::BASE64.encode(bytes));
    }
    if secret["type"].is_null() {
        secret["type"] = json!("Opaque");
    }
}

fn check_size(object: &Value) -> Result<(), ApiError> {
    match object.to_string().len() > OBJECT_LIMIT {
        true => Err(ApiError::internal("etcdserver: request is too large")),
        false => Ok(()),
    }
}

/// Replaces an object by a whole new one.
pub fn replace(
    store: &Store,
    target: &Target,
    name: &str,
    object: &Value,
    part: Part,
    effect: Effect,
) -> Result<Arc<Value>, ApiError> {
    check_name(object, name)?;
    change(store, target, name, part, effect, |stored| {
        let uid = object.uid();
        if !uid.is_empty() && uid != stored.uid() {
            let found = stored.uid();
            let detail = format!("Precondition failed: UID in precondition: {uid}, UID in object meta: {found}");
            return Err(ApiError::conflict(target.kind, name, &detail));
        }
        *stored = object.clone();
        Ok(())
    })
}

/// Patches an object.
pub fn patch(
    store: &Store,
    target: &Target,
    name: &str,
    patch: &Patch,
    part: Part,
    effect: Effect,
) -> Result<Arc<Value>, ApiError> {
    change(store, target, name, part, effect, |stored| {
        let uid = stored.uid().to_owned();
        patch.apply(stored)?;
        decode::typed(target.kind, stored).map_err(|why| mistyped(target.kind, name, &why.to_string()))?;
        check_name(stored, name)?;
        if stored.uid() != uid {
            let error = FieldError::invalid("metadata.uid", &stored["metadata"]["uid"], "field is immutable");
            return Err(ApiError::invalid(target.kind, name, &[error]));
        }
        Ok(())
    })
}

fn check_name(object: &Value, name: &str) -> Result<(), ApiError> {
    match object.name() {
        same if same == name => Ok(()),
        other => Err(ApiError::bad_request(format!(
            "the name of the object ({other}) does not match the name on the URL ({name})"
        ))),
    }
}

/// Runs `edit` on the stored object and stores what of the result counts, if the rules allow it.
fn change(
    store: &Store,
    target: &Target,
    name: &str,
    part: Part,
    effect: Effect,
    edit: impl FnOnce(&mut Value) -> Result<(), ApiError>,
) -> Result<Arc<Value>, ApiError> {
    let (kind, namespace) = (target.kind, target.namespace.as_deref().unwrap_or_default());
    if effect == Effect::DryRun {
        let Some(mut object) = store.get(kind, namespace, name).map(|o| Value::clone(&o)) else {
            return Err(ApiError::not_found(kind, name));
        };
        edit_checked(kind, part, &mut object, edit)?;
        return Ok(Arc::new(object));
    }
    let mut refused = None;
    let written = store.update(kind, namespace, name, |object| {
        edit_checked(kind, part, object, edit).map_err(|error| {
            refused = Some(error);
            StoreError::Aborted
        })
    });
    match (written, refused) {
        (_, Some(error)) => Err(error),
        (written, None) => Ok(written?),
    }
}

fn edit_checked(
    kind: Kind,
    part: Part,
    object: &mut Value,
    edit: impl FnOnce(&mut Value) -> Result<(), ApiError>,
) -> Result<(), ApiError> {
    let old = object.clone();
    edit(object)?;
    let version = object.resource_version();
    if !version.is_empty() && version != old.resource_version() {
        return Err(ApiError::modified(kind, old.name()));
    }
    keep_others(kind, part, &old, object);
    match part {
        Part::Status => validate::updated_status(kind, &old, object)?,
        Part::Main => {
            if kind == Kind::Pod {
                defaults::spec(object);
            }
            if kind == Kind::Secret {
                fill_secret(object);
            }
            validate::updated(kind, &old, object)?;
        }
    }
    if kind == Kind::Pod && object["spec"] != old["spec"] {
        let generation = old["metadata"]["generation"].as_i64().unwrap_or(1);
        object["metadata"]["generation"] = json!(generation + 1);
    }
    check_size(object)
}

/// Takes back what this part of the object does not govern.
fn keep_others(kind: Kind, part: Part, old: &Value, new: &mut Value) {
    for field in
        ["resourceVersion", "uid", "generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds"]
    {
        restore(&old["metadata"], &mut new["metadata"], field);
    }
    match (kind, part) {
        (Kind::Pod | Kind::Namespace | Kind::Node, Part::Main) => restore(old, new, "status"),
        (_, Part::Status) => restore(old, new, "spec"),
        _ => {}
    }
}

fn restore(old: &Value, new: &mut Value, field: &str) {
    match (old.get(field), new.as_object_mut()) {
        (Some(value), Some(fields)) => {
            fields.insert(field.to_owned(), value.clone());
        }
        (None, Some(fields)) => {
            fields.remove(field);
        }
        (_, None) => {}
    }
}
