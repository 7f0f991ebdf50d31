//! The rules of config maps and secrets: keys, total size, immutability of their keys' syntax.

use serde_json::{Value, json};

use super::text::config_key;
use crate::local::api::status::FieldError;
use crate::local::store::Kind;

/// All keys and values together.
const SIZE_LIMIT: usize = 1024 * 1024;

pub fn check(kind: Kind, object: &Value, errors: &mut Vec<FieldError>) {
    let mut size = 0;
    for field in ["data", "binaryData"] {
        for (key, value) in object[field].as_object().into_iter().flatten() {
            let length = value.as_str().map_or(0, str::len);
            let encoded = kind == Kind::Secret || field == "binaryData";
            size += if encoded { length / 4 * 3 } else { length };
            if let Err(why) = config_key(key) {
                errors.push(FieldError::invalid(format!("{field}[{key}]"), &json!(key), &why));
            }
        }
    }
    if size > SIZE_LIMIT {
        let field = if kind == Kind::Secret { "data" } else { "" };
        errors.push(FieldError::too_long(field, SIZE_LIMIT));
    }
}
