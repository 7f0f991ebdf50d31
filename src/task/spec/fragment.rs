//! A part of a pod given as text inside the short form, such as an affinity.

use serde::Serialize;
use serde_json::Value;

use super::SpecError;
use super::manifest;

/// Longest text of a fragment, bytes.
pub const MAX_FRAGMENT_BYTES: usize = 64 * 1024;

/// What a fragment must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FragmentShape {
    /// A mapping, such as a SecurityContext.
    Mapping,
    /// A list of mappings, such as topology spread constraints.
    List,
}

/// A parsed part of a pod. What it means, Kubernetes says.
#[derive(Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Fragment(Value);

/// As a manifest: nothing of it is printed for debugging.
impl std::fmt::Debug for Fragment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fragment(…)")
    }
}

impl Fragment {
    /// Parses one YAML or JSON document of this shape; `field` is named where it is wrong.
    pub fn parse(field: &str, text: &str, shape: FragmentShape) -> Result<Fragment, SpecError> {
        if text.len() > MAX_FRAGMENT_BYTES {
            let problem = format!("has {} bytes; at most {MAX_FRAGMENT_BYTES} are allowed", text.len());
            return Err(SpecError::new(field, problem));
        }
        let value = manifest::document(field, text)?
            .ok_or_else(|| SpecError::new(field, "is empty; leave it out or say what it is to be"))?;
        match (shape, &value) {
            (FragmentShape::Mapping, Value::Object(_)) => Ok(Fragment(value)),
            (FragmentShape::List, Value::Array(items)) if items.iter().all(Value::is_object) => Ok(Fragment(value)),
            (FragmentShape::Mapping, _) => Err(SpecError::new(field, "must be a mapping")),
            (FragmentShape::List, _) => Err(SpecError::new(field, "must be a list of mappings")),
        }
    }

    /// The part, in the shape the pod has it.
    pub fn value(&self) -> &Value {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn yaml_and_json_mean_the_same() {
        let parse = |text| Fragment::parse("f", text, FragmentShape::Mapping).unwrap();
        assert_eq!(
            parse("runAsUser: 1000 # me\nrunAsNonRoot: yes").value(),
            &json!({"runAsUser": 1000, "runAsNonRoot": true})
        );
        assert_eq!(parse("{\"runAsUser\": 1000.0}").value(), &json!({"runAsUser": 1000}));
        let list = Fragment::parse("f", "- topologyKey: zone\n  maxSkew: 1\n", FragmentShape::List).unwrap();
        assert_eq!(list.value(), &json!([{"topologyKey": "zone", "maxSkew": 1}]));
        assert_eq!(format!("{list:?}"), "Fragment(…)");
    }

    #[test]
    fn what_is_no_such_part_is_refused_by_its_field() {
        let long = format!("a: {}", "x".repeat(MAX_FRAGMENT_BYTES));
        for (text, shape, problem) in [
            ("[]", FragmentShape::Mapping, "must be a mapping"),
            ("a", FragmentShape::Mapping, "must be a mapping"),
            ("{}", FragmentShape::List, "must be a list of mappings"),
            ("[a]", FragmentShape::List, "must be a list of mappings"),
            (" ", FragmentShape::Mapping, "is empty"),
            ("a: 1\na: 2", FragmentShape::Mapping, "twice"),
            ("a: 1\n---\nb: 2", FragmentShape::Mapping, "2 documents"),
            ("a: [", FragmentShape::Mapping, "is not valid YAML or JSON"),
            (&long, FragmentShape::Mapping, "at most 65536"),
        ] {
            let error = Fragment::parse("spec.pod.affinity", text, shape).unwrap_err();
            assert_eq!(error.field, "spec.pod.affinity");
            assert!(error.problem.contains(problem), "{error} instead of {problem}");
        }
    }
}
