//! The three patch formats, on JSON values.
//!
//! ```text
//! Content-Type → Patch::parse (400/415) → Patch::apply(object) (422, 500) → the caller checks the result like an update
//! ```

mod strategic;

use http::{HeaderMap, header};
use serde_json::Value;

use super::status::{ApiError, FieldError};
use crate::local::store::Kind;

/// Operations in one JSON patch.
const MAX_OPERATIONS: usize = 10_000;

/// A parsed patch.
#[derive(Clone, Debug)]
pub enum Patch {
    Json(json_patch::Patch),
    Merge(Value),
    Strategic(Value),
}

impl Patch {
    /// Reads the body as its content type says.
    pub fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Patch, ApiError> {
        let given = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        match given.split(';').next().unwrap_or_default().trim() {
            "application/json-patch+json" => json_patch(body),
            "application/merge-patch+json" => map(body).map(Patch::Merge),
            "application/strategic-merge-patch+json" => map(body).map(Patch::Strategic),
            _ => Err(ApiError::unsupported_patch()),
        }
    }

    /// Changes the object, or leaves it in an unspecified state and says why not.
    pub fn apply(&self, object: &mut Value) -> Result<(), ApiError> {
        match self {
            Patch::Json(patch) => json_patch::patch(object, patch).map_err(|_| ApiError::patch_rejected()),
            Patch::Merge(patch) => {
                json_patch::merge(object, patch);
                Ok(())
            }
            Patch::Strategic(patch) => {
                let merged = strategic::merge(object.take(), patch)?;
                *object = merged;
                Ok(())
            }
        }
    }
}

fn undecodable(why: &str) -> ApiError {
    ApiError::bad_request(format!("error decoding patch: {why}"))
}

fn map(body: &[u8]) -> Result<Value, ApiError> {
    let patch: Value = serde_json::from_slice(body).map_err(|e| undecodable(&e.to_string()))?;
    match patch.is_object() {
        true => Ok(patch),
        false => Err(undecodable("the patch is not a JSON object")),
    }
}

fn json_patch(body: &[u8]) -> Result<Patch, ApiError> {
    let patch: Value = serde_json::from_slice(body).map_err(|e| undecodable(&e.to_string()))?;
    let Some(operations) = patch.as_array() else {
        return Err(undecodable("the patch is not a JSON array of operations"));
    };
    if operations.len() > MAX_OPERATIONS {
        return Err(ApiError::too_large(MAX_OPERATIONS));
    }
    // An operation that is none is refused like one that fails: so Kubernetes does.
    serde_json::from_value(patch).map(Patch::Json).map_err(|_| ApiError::patch_rejected())
}

/// A patched object whose fields have the wrong types.
pub fn mistyped(kind: Kind, name: &str, why: &str) -> ApiError {
    let value = Value::from(format!("the patched {}", kind.name()));
    ApiError::invalid(kind, name, &[FieldError::invalid("patch", &value, why)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use serde_json::json;

    fn patched(content_type: &'static str, patch: &Value, mut object: Value) -> Result<Value, ApiError> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        Patch::parse(&headers, patch.to_string().as_bytes())?.apply(&mut object)?;
        Ok(object)
    }

    #[test]
    fn json_patches_fail_without_saying_why() {
        let object = json!({"metadata": {"uid": "u", "annotations": {"a": "b"}}});
        let apply = |patch: Value| patched("application/json-patch+json", &patch, object.clone());
        for patch in [
            json!([{"op": "test", "path": "/metadata/uid", "value": "x"}]),
            json!([{"op": "remove", "path": "/metadata/annotations/x"}]),
            json!([{"op": "replace", "path": "/metadata/annotations/x", "value": 1}]),
            json!([{"op": "add", "path": "/metadata/labels/x", "value": 1}]),
            json!([{"op": "nope", "path": "/a"}]),
        ] {
            assert_eq!(apply(patch.clone()), Err(ApiError::patch_rejected()), "{patch}");
        }
        let patch = json!([{"op": "test", "path": "/metadata/uid", "value": "u"}, {"op": "add", "path": "/metadata/annotations/x~1y", "value": "z"}]);
        assert_eq!(apply(patch).unwrap()["metadata"]["annotations"], json!({"a": "b", "x/y": "z"}));
        assert_eq!(apply(json!({})).unwrap_err().to_status()["code"], 400);
    }

    #[test]
    fn merge_patches_remove_by_null() {
        let object = json!({"a": {"b": 1, "c": [1]}});
        let result = patched("application/merge-patch+json", &json!({"a": {"b": null, "c": [2]}}), object.clone());
        assert_eq!(result.unwrap(), json!({"a": {"c": [2]}}));
        assert_eq!(
            patched("application/merge-patch+json", &json!([]), object.clone()).unwrap_err().to_status()["code"],
            400
        );
        assert_eq!(patched("text/plain", &json!({}), object).unwrap_err().to_status()["code"], 415);
    }
}
