//! Keeps a caller's literal values out of what is written about a request.
//!
//! ```text
//! TaskSpec ──of──▶ every literal env value, short form and manifest ──▶ Literals (task/literals.rs)
//! an error's text ──scrub──▶ the same with *** for each of them
//! ```
//!
//! What Kubernetes says of a pod later is scrubbed where it is observed (pod/observe.rs).

use serde_json::Value;

use crate::task::Literals;
use crate::task::spec::{EnvSource, EnvVar, TaskSpec};

/// Literals of one request. Cheap to clone; never shows what it holds.
#[derive(Debug, Clone, Default)]
pub struct Scrubber {
    literals: Literals,
}

impl Scrubber {
    /// All literal env values of `spec` and of the template it names.
    pub fn of(spec: &TaskSpec, template: Option<&Value>) -> Scrubber {
        let mut found = Vec::new();
        let short = &spec.short;
        let inits = short.init_containers.iter().map(|init| init.env.as_slice());
        for env in std::iter::once(short.env.as_slice()).chain(inits) {
            found.extend(env.iter().filter_map(literal));
        }
        if let Some(manifest) = &spec.manifest {
            of_manifest(manifest.template(), &mut found);
        }
        if let Some(template) = template {
            of_manifest(template, &mut found);
        }
        Scrubber { literals: Literals::of(found.into_iter(), &[]) }
    }

    /// `text` without any of the literals.
    pub fn scrub(&self, text: &str) -> String {
        self.literals.scrub(text)
    }
}

impl From<Literals> for Scrubber {
    fn from(literals: Literals) -> Scrubber {
        Scrubber { literals }
    }
}

fn literal(var: &EnvVar) -> Option<&str> {
    match &var.source {
        EnvSource::Value(value) => Some(&value.0),
        _ => None,
    }
}

/// Every `env: [{value: …}]` at any depth, so that no kind of container is forgotten.
fn of_manifest<'a>(value: &'a Value, literals: &mut Vec<&'a str>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                if let ("env", Value::Array(env)) = (key.as_str(), value) {
                    literals.extend(env.iter().filter_map(|var| var["value"].as_str()));
                }
                of_manifest(value, literals);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| of_manifest(item, literals)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::spec::{InitContainer, Literal, Manifest, ShortForm};

    fn env(name: &str, value: &str) -> EnvVar {
        EnvVar { name: name.into(), source: EnvSource::Value(Literal(value.into())) }
    }

    #[test]
    fn every_literal_of_a_spec_is_masked() {
        let manifest = "containers: [{name: a, env: [{name: X, value: in-manifest}, {name: Y, value: abc}]}]\n\
                        initContainers: [{name: b, env: [{name: X, value: in-init}]}]";
        let spec = TaskSpec {
            manifest: Some(Manifest::parse(manifest.as_bytes()).unwrap()),
            short: ShortForm {
                env: vec![env("A", "hunter2"), env("B", "hunter2-longer"), env("C", "line\none \"x\"")],
                init_containers: vec![InitContainer { env: vec![env("D", "deep-secret")], ..InitContainer::default() }],
                ..ShortForm::default()
            },
            ..TaskSpec::default()
        };
        let scrubber = Scrubber::of(&spec, None);
        for (text, clean) in [
            ("Invalid value: \"hunter2\": no", "Invalid value: \"***\": no"),
            ("a hunter2-longer b", "a *** b"),
            ("a in-manifest b in-init c", "a *** b *** c"),
            ("x deep-secret", "x ***"),
            ("raw line\none \"x\" end", "raw *** end"),
            ("quoted \"line\\none \\\"x\\\"\" end", "quoted \"***\" end"),
            ("abc stays: too short", "abc stays: too short"),
        ] {
            assert_eq!(scrubber.scrub(text), clean);
        }
        assert!(!format!("{scrubber:?}").contains("hunter2"));
    }
}
