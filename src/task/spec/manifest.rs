//! A pod manifest: YAML or JSON text to one pod template.
//!
//! ```text
//! text ≤ 512 KiB ──serde-saphyr──▶ JSON value ──shape──▶ { metadata?, spec }
//!                                                Pod | PodTemplate | PodTemplateSpec | PodSpec
//! ```
//!
//! Scalars mean what they mean to kubectl (YAML 1.1): a bare `yes`, `no`, `on`, `off`, `y`, `n` is
//! a boolean, `0644` and `0o644` are octal, `1_000` is 1000, a whole float such as `30.0` is an
//! integer. JSON is a subset and is read by the same parser. Anchors and merge keys work within a
//! bound; duplicate keys and a second document are errors. Fields that are not known here pass
//! through untouched.

use serde::Serialize;
use serde_json::{Map, Number, Value};
use serde_saphyr::{Error as YamlError, Options};

use super::SpecError;

/// Longest manifest text, bytes.
pub const MAX_MANIFEST_BYTES: usize = 512 * 1024;

const FIELD: &str = "spec.manifest";
/// Levels of nesting; a pod needs about 12.
const MAX_DEPTH: usize = 64;
/// Nodes that aliases may add: a pod that needs more is a bomb.
const MAX_ALIAS_EVENTS: usize = 50_000;

/// A parsed manifest: an object with `spec` and mostly `metadata`, in the shape of a
/// PodTemplateSpec. `apiVersion`, `kind` and `status` are gone.
#[derive(Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Manifest(Value);

/// Env literals stand in a manifest: what is printed for debugging leaves it out.
impl std::fmt::Debug for Manifest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Manifest(…)")
    }
}

impl Manifest {
    /// Parses one YAML or JSON document: a Pod, a PodTemplate, a PodTemplateSpec (`metadata` and
    /// `spec`, with or without `kind`) or a PodSpec (has `containers`).
    pub fn parse(text: &[u8]) -> Result<Manifest, SpecError> {
        if text.len() > MAX_MANIFEST_BYTES {
            return Err(refuse(format!("has {} bytes; at most {MAX_MANIFEST_BYTES} are allowed", text.len())));
        }
        let text = std::str::from_utf8(text).map_err(|_| refuse("is not UTF-8 text"))?;
        match document(FIELD, text)? {
            Some(document) => Manifest::from_value(document),
            None => Err(refuse("is empty; leave it out or give a pod")),
        }
    }

    /// Takes a manifest that is parsed already; the same shapes are accepted.
    pub fn from_value(mut document: Value) -> Result<Manifest, SpecError> {
        whole_floats_to_integers(&mut document);
        let Value::Object(object) = document else {
            return Err(refuse(format!("must be a mapping, not {}", kind_of(&document))));
        };
        let template = template_of(object)?;
        for part in ["metadata", "spec"] {
            if template.get(part).is_some_and(|value| !value.is_object() && !value.is_null()) {
                return Err(SpecError::new(format!("{FIELD}: {part}"), "must be a mapping"));
            }
        }
        Ok(Manifest(Value::Object(template)))
    }

    /// The template: an object with `metadata` and `spec`.
    pub fn template(&self) -> &Value {
        &self.0
    }
}

/// The one YAML or JSON document of `text`, whole floats as integers; none where there is nothing.
pub fn document(field: &str, text: &str) -> Result<Option<Value>, SpecError> {
    let parsed = serde_saphyr::from_multiple_with_options(text, options());
    let mut documents: Vec<Value> = parsed.map_err(|error| describe(field, &error))?;
    documents.retain(|document| !document.is_null());
    if documents.len() > 1 {
        return Err(SpecError::new(field, format!("has {} documents; it must be one", documents.len())));
    }
    let mut document = documents.pop();
    document.iter_mut().for_each(whole_floats_to_integers);
    Ok(document)
}

fn refuse(problem: impl Into<String>) -> SpecError {
    SpecError::new(FIELD, problem)
}

fn options() -> Options {
    let mut options = Options::default();
    options.legacy_octal_numbers = true;
    options.with_snippet = false;
    options.alias_limits.max_total_replayed_events = MAX_ALIAS_EVENTS;
    if let Some(budget) = options.budget.as_mut() {
        budget.max_depth = MAX_DEPTH;
        budget.max_documents = 16;
    }
    options
}

/// Words for a parser error. Only what cannot hold a scalar of the caller's is quoted: env
/// literals stand in a manifest.
fn describe(field: &str, error: &YamlError) -> SpecError {
    let place = error.location().filter(|l| l.line() > 0);
    let at = place.map_or_else(String::new, |l| format!(" at line {}, column {}", l.line(), l.column()));
    let problem = match error.without_snippet() {
        YamlError::AliasError { error, .. } => return describe(field, error),
        YamlError::DuplicateMappingKey { key: Some(key), .. } => format!("has the key {key:?} twice in one mapping"),
        YamlError::DuplicateMappingKey { .. } => "has a key twice in one mapping".to_owned(),
        YamlError::NonFiniteFloat { .. } => "has a number that is not finite".to_owned(),
        YamlError::NullIntoString { .. } => "has a key that is null; quote it".to_owned(),
        YamlError::Budget { .. }
        | YamlError::AliasReplayLimitExceeded { .. }
        | YamlError::AliasReplayStackDepthExceeded { .. } => "is nested or expands too far".to_owned(),
        _ => "is not valid YAML or JSON".to_owned(),
    };
    SpecError::new(field, format!("{problem}{at}"))
}

fn template_of(mut object: Map<String, Value>) -> Result<Map<String, Value>, SpecError> {
    let kind = match object.remove("kind") {
        None | Some(Value::Null) => None,
        Some(Value::String(kind)) => Some(kind),
        Some(_) => return Err(SpecError::new(format!("{FIELD}: kind"), "must be a string")),
    };
    let api_version = object.remove("apiVersion");
    if api_version.as_ref().is_some_and(|version| !version.is_null() && version.as_str() != Some("v1")) {
        return Err(SpecError::new(format!("{FIELD}: apiVersion"), "must be v1 or absent"));
    }
    match kind.as_deref() {
        Some("PodTemplate") => match object.remove("template") {
            Some(Value::Object(template)) => Ok(template),
            _ => Err(SpecError::new(format!("{FIELD}: template"), "must be a mapping with metadata and spec")),
        },
        Some("Pod" | "PodTemplateSpec") => with_spec(object),
        None if object.contains_key("containers") && !object.contains_key("spec") => {
            Ok(Map::from_iter([("spec".to_owned(), Value::Object(object))]))
        }
        None => with_spec(object),
        Some(other) => Err(SpecError::new(
            format!("{FIELD}: kind"),
            format!("is {}; it must be Pod, PodTemplate, PodTemplateSpec or absent", shorten(other)),
        )),
    }
}

fn with_spec(mut object: Map<String, Value>) -> Result<Map<String, Value>, SpecError> {
    object.remove("status");
    if !object.contains_key("spec") && !object.contains_key("metadata") {
        return Err(refuse("has neither spec nor containers: it is not a Pod, PodTemplateSpec or PodSpec"));
    }
    Ok(object)
}

/// YAML and JSON writers that know only floats write `30.0` for 30; Kubernetes' JSON decoder takes
/// no such integer, and kubectl sends 30.
fn whole_floats_to_integers(value: &mut Value) {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Object(map) => map.values_mut().for_each(whole_floats_to_integers),
        Value::Array(items) => items.iter_mut().for_each(whole_floats_to_integers),
        Value::Number(number) => {
            if let (true, Some(float)) = (number.is_f64(), number.as_f64())
                && float.fract() == 0.0
                && float.abs() <= EXACT
            {
                *number = Number::from(float as i64);
            }
        }
        _ => {}
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}

fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(64).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
