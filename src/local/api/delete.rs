//! How objects are deleted: options, preconditions, grace, and what holds them.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::decode::Encoding;
use super::pods::delete as pod_delete;
use super::protobuf;
use super::query::{Effect, Query};
use super::status::{ApiError, FieldError};
use crate::local::store::{self, Kind, Meta, Store, StoreError};

/// What a deletion asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteOptions {
    grace: Option<i64>,
    uid: Option<String>,
    resource_version: Option<String>,
    effect: Effect,
}

impl DeleteOptions {
    /// From the query and a body that may be empty.
    pub fn read(query: &Query, encoding: Encoding, body: &[u8]) -> Result<DeleteOptions, ApiError> {
        let unreadable = || ApiError::bad_request("the body of the request is no DeleteOptions");
        let options = match encoding {
            _ if body.is_empty() => Value::Null,
            Encoding::Json => serde_json::from_slice(body).map_err(|_| unreadable())?,
            Encoding::Protobuf => protobuf::delete_options(body).ok_or_else(unreadable)?,
        };
        DeleteOptions::of(query, &options)
    }

    /// From the query and DeleteOptions as JSON; the body's values count more.
    pub fn of(query: &Query, options: &Value) -> Result<DeleteOptions, ApiError> {
        let policy = options["propagationPolicy"].as_str().or(query.get("propagationPolicy"));
        let known = ["Foreground", "Background", "Orphan"];
        if let Some(policy) = policy.filter(|p| !p.is_empty() && !known.contains(p)) {
            let supported = ["Foreground", "Background", "Orphan", "nil"];
            let error = FieldError::unsupported("propagationPolicy", &json!(policy), &supported);
            return Err(ApiError::invalid_as("meta.k8s.io", "DeleteOptions", "", &[error]));
        }
        let text = |v: &Value| v.as_str().map(str::to_owned);
        let mut effect = query.effect("DeleteOptions")?;
        if options["dryRun"].as_array().is_some_and(|d| d.iter().any(|v| v == "All")) {
            effect = Effect::DryRun;
        }
        Ok(DeleteOptions {
            grace: options["gracePeriodSeconds"].as_i64().or(query.integer("gracePeriodSeconds")?),
            uid: text(&options["preconditions"]["uid"]),
            resource_version: text(&options["preconditions"]["resourceVersion"]),
            effect,
        })
    }

    fn check(&self, kind: Kind, object: &Value) -> Result<(), ApiError> {
        let name = object.name();
        let differs = |asked: &Option<String>, found: &str| asked.as_deref().filter(|a| *a != found).map(str::to_owned);
        if let Some(uid) = differs(&self.uid, object.uid()) {
            let found = object.uid();
            let why = format!(
                "the UID in the precondition ({uid}) does not match the UID in record ({found}). The object might have been deleted and then recreated"
            );
            return Err(ApiError::precondition(kind, name, &why));
        }
        if let Some(version) = differs(&self.resource_version, object.resource_version()) {
            let found = object.resource_version();
            let why = format!(
                "the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record ({found}). The object might have been modified"
            );
            return Err(ApiError::precondition(kind, name, &why));
        }
        Ok(())
    }
}

/// Deletes an object: pods with grace, namespaces by their controller, all else at once. Finalizers hold any of them.
pub fn delete(
    store: &Store,
    kind: Kind,
    namespace: &str,
    name: &str,
    options: &DeleteOptions,
) -> Result<Arc<Value>, ApiError> {
    if kind == Kind::Namespace && matches!(name, "default" | "kube-system") {
        return Err(ApiError::protected_namespace(name));
    }
    let now = Timestamp::now();
    mark(store, kind, namespace, name, options, |object| match kind {
        Kind::Pod => pod_delete::mark(object, options.grace, now),
        Kind::Namespace if object.is_deleting() => {}
        Kind::Namespace => {
            store::mark_deleted(object, now, 0);
            object["status"]["phase"] = json!("Terminating");
        }
        _ if object.is_deleting() => {}
        _ => store::mark_deleted(object, now, 0),
    })
}

/// Marks a pod as disrupted by eviction, then deletes it.
pub fn evict(store: &Store, namespace: &str, name: &str, options: &DeleteOptions) -> Result<(), ApiError> {
    let now = Timestamp::now();
    let terminal = |pod: &Value| matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
    mark(store, Kind::Pod, namespace, name, options, |pod| {
        if !pod.is_deleting() && !terminal(pod) {
            pod_delete::mark_evicted(pod, now);
        }
    })?;
    mark(store, Kind::Pod, namespace, name, options, |pod| pod_delete::mark(pod, options.grace, now)).map(drop)
}

fn mark(
    store: &Store,
    kind: Kind,
    namespace: &str,
    name: &str,
    options: &DeleteOptions,
    edit: impl FnOnce(&mut Value),
) -> Result<Arc<Value>, ApiError> {
    if options.effect == Effect::DryRun {
        let Some(mut object) = store.get(kind, namespace, name).map(|o| Value::clone(&o)) else {
            return Err(ApiError::not_found(kind, name));
        };
        options.check(kind, &object)?;
        edit(&mut object);
        return Ok(Arc::new(object));
    }
    let mut refused = None;
    let written = store.update(kind, namespace, name, |object| match options.check(kind, object) {
        Ok(()) => {
            edit(object);
            Ok(())
        }
        Err(error) => {
            refused = Some(error);
            Err(StoreError::Aborted)
        }
    });
    match (written, refused) {
        (_, Some(error)) => Err(error),
        (written, None) => Ok(written?),
    }
}
