//! From a request body to an object whose fields have the right types.
//!
//! ```text
//! bytes ≤ 3 MiB → JSON → kind and apiVersion agree → quantities as text → typed check → unknown fields pruned and named
//! ```

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, header};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Namespace, Node, Pod, Secret, ServiceAccount};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::pods::defaults::{bad_quantity, quantities_to_text};
use super::protobuf;
use super::query::FieldValidation;
use super::status::ApiError;
use crate::local::store::Kind;

/// The largest request body.
pub const BODY_LIMIT: usize = 3 * 1024 * 1024;

/// Fields of newer servers than the typed check knows; kept as they are.
const NEWER_FIELDS: [&str; 6] =
    ["hostnameOverride", "fileKeyRef", "restartPolicyRules", "schedulingGroup", "evictionResponders", "podCertificate"];

/// Unknown fields named in one answer.
const NAMED_AT_MOST: usize = 100;

/// Reads a whole body, at most [`BODY_LIMIT`].
pub async fn body(body: Body) -> Result<Bytes, ApiError> {
    match axum::body::to_bytes(body, BODY_LIMIT).await {
        Ok(bytes) => Ok(bytes),
        Err(error) if is_over_limit(&error) => Err(ApiError::too_large(BODY_LIMIT)),
        Err(error) => Err(ApiError::bad_request(format!("error reading the request body: {error}"))),
    }
}

fn is_over_limit(error: &axum::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if inner.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        source = inner.source();
    }
    false
}

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    Json,
    Protobuf,
}

impl Encoding {
    /// As the content type says; a missing one counts as JSON.
    pub fn of(headers: &HeaderMap) -> Result<Encoding, ApiError> {
        let given = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        match given.split(';').next().unwrap_or_default().trim() {
            "" | "application/json" | "*/*" => Ok(Encoding::Json),
            protobuf::MEDIA_TYPE => Ok(Encoding::Protobuf),
            _ => Err(ApiError::unsupported_body()),
        }
    }
}

/// Reads an object of `kind`; also the names of the fields that were dropped as unknown.
pub fn object(
    kind: Kind,
    encoding: Encoding,
    bytes: &[u8],
    validation: FieldValidation,
) -> Result<(Value, Vec<String>), ApiError> {
    let mut object = match encoding {
        Encoding::Json => json(kind, bytes)?,
        Encoding::Protobuf => protobuf::object(kind, bytes).ok_or_else(ApiError::unsupported_body)?,
    };
    let given = object["kind"].as_str().unwrap_or(kind.name());
    let version = object["apiVersion"].as_str().unwrap_or(kind.api_version());
    if given != kind.name() || version != kind.api_version() {
        return Err(cannot_handle(kind, &format!("it is a {given} of {version}")));
    }
    let unknown = typed(kind, &mut object)?;
    if validation == FieldValidation::Strict && !unknown.is_empty() {
        let list: Vec<String> = unknown.iter().map(|f| format!("unknown field \"{f}\"")).collect();
        return Err(cannot_handle(kind, &format!("strict decoding error: {}", list.join(", "))));
    }
    Ok((object, unknown))
}

fn json(kind: Kind, bytes: &[u8]) -> Result<Value, ApiError> {
    let unrecognised = |why: &str| {
        let kind = kind.name();
        ApiError::bad_request(format!(
            "the object provided is unrecognized (must be of type {kind}): couldn't get version/kind; json parse error: {why}"
        ))
    };
    let object: Value = serde_json::from_slice(bytes).map_err(|e| unrecognised(&e.to_string()))?;
    match object.is_object() {
        true => Ok(object),
        false => Err(unrecognised("not an object")),
    }
}

fn cannot_handle(kind: Kind, why: &str) -> ApiError {
    let version = kind.api_version().rsplit('/').next().unwrap_or_default();
    let kind = kind.name();
    ApiError::bad_request(format!("{kind} in version \"{version}\" cannot be handled as a {kind}: {why}"))
}

/// Checks the types of all known fields, drops unknown ones and nulls, and returns the paths of the unknown.
pub fn typed(kind: Kind, object: &mut Value) -> Result<Vec<String>, ApiError> {
    if kind == Kind::Pod {
        quantities_to_text(object);
        if bad_quantity(object).is_some() {
            let rule = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";
            return Err(cannot_handle(kind, rule));
        }
    }
    let known = match kind {
        Kind::Pod => known_part::<Pod>(object),
        Kind::Event => known_part::<Event>(object),
        Kind::Namespace => known_part::<Namespace>(object),
        Kind::Node => known_part::<Node>(object),
        Kind::Secret => known_part::<Secret>(object),
        Kind::ConfigMap => known_part::<ConfigMap>(object),
        Kind::Lease => known_part::<Lease>(object),
        Kind::ServiceAccount => known_part::<ServiceAccount>(object),
    };
    let known = known.map_err(|why| cannot_handle(kind, &why))?;
    let mut unknown = Vec::new();
    prune(object, &known, "", &mut unknown);
    unknown.truncate(NAMED_AT_MOST);
    Ok(unknown)
}

fn known_part<T: DeserializeOwned + Serialize>(object: &Value) -> Result<Value, String> {
    let typed = T::deserialize(object).map_err(|e| e.to_string())?;
    serde_json::to_value(typed).map_err(|e| e.to_string())
}

fn prune(object: &mut Value, known: &Value, path: &str, unknown: &mut Vec<String>) {
    match object {
        Value::Object(fields) => fields.retain(|key, value| {
            if value.is_null() {
                return false;
            }
            let here = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match known.get(key) {
                Some(inner) => prune(value, inner, &here, unknown),
                None if NEWER_FIELDS.contains(&key.as_str()) => {}
                // Type markers are added on the way out; they are not fields of the type.
                None if path.is_empty() && matches!(key.as_str(), "kind" | "apiVersion") => {}
                None => {
                    unknown.push(here);
                    return false;
                }
            }
            true
        }),
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                if let Some(inner) = known.get(index) {
                    prune(item, inner, &format!("{path}[{index}]"), unknown);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(body: &Value, validation: FieldValidation) -> Result<(Value, Vec<String>), ApiError> {
        object(Kind::Pod, Encoding::Json, body.to_string().as_bytes(), validation)
    }

    #[test]
    fn unknown_fields_are_pruned_or_refused() {
        let body = json!({"metadata": {"name": "p", "labels": {"any": "x"}, "annotations": null},
            "spec": {"nosuch": 1, "hostnameOverride": "h", "containers": [{"name": "m", "image": "i", "bad": {"a": 1}}]}});
        let (pod, unknown) = read(&body, FieldValidation::Warn).unwrap();
        assert_eq!(unknown, ["spec.containers[0].bad", "spec.nosuch"]);
        assert_eq!(
            pod,
            json!({"metadata": {"name": "p", "labels": {"any": "x"}},
                "spec": {"hostnameOverride": "h", "containers": [{"name": "m", "image": "i"}]}})
        );
        let body = json!({"metadata": {"name": "p"}, "spec": {"nosuch": 1}});
        assert_eq!(
            read(&body, FieldValidation::Strict).unwrap_err().to_string(),
            "Pod in version \"v1\" cannot be handled as a Pod: strict decoding error: unknown field \"spec.nosuch\""
        );
    }

    #[test]
    fn wrong_types_are_400() {
        for spec in
            [json!({"containers": "x"}), json!({"containers": [{"resources": {"limits": {"cpu": "abc"}}}]}), json!("x")]
        {
            let refused = read(&json!({"metadata": {"name": "p"}, "spec": spec}), FieldValidation::Ignore).unwrap_err();
            assert_eq!(refused.to_status()["code"], 400, "{spec}");
        }
        for body in ["[]", "x", r#"{"kind":"Secret","apiVersion":"v1"}"#] {
            assert!(object(Kind::Pod, Encoding::Json, body.as_bytes(), FieldValidation::Ignore).is_err(), "{body}");
        }
    }

    #[test]
    fn numbers_are_read_as_quantities() {
        let body = json!({"metadata": {"name": "p"}, "spec": {"containers": [{"name": "m", "image": "i", "resources": {"limits": {"cpu": 2}}}]}});
        let (pod, _) = read(&body, FieldValidation::Strict).unwrap();
        assert_eq!(pod["spec"]["containers"][0]["resources"]["limits"]["cpu"], "2");
    }
}
