//! Keeps a caller's literal values out of what is written about a task.
//!
//! ```text
//! TaskSpec ──of──▶ every literal env value of 4 bytes or more, short form and manifest,
//!                  as it is and as Kubernetes quotes it
//! an error's text ──scrub──▶ the same with *** for each of them
//! ```
//!
//! The API server's refusals echo values; what is shorter than 4 bytes would hit ordinary words.

use std::sync::Arc;

use serde_json::Value;

use crate::task::spec::{EnvSource, EnvVar, TaskSpec};

/// Shortest literal that is looked for, bytes.
const SHORTEST: usize = 4;
/// What stands for a literal.
const MASK: &str = "***";

/// Literals of one request. Cheap to clone; never shows what it holds.
#[derive(Clone, Default)]
pub struct Scrubber {
    /// The longest first, so that one which contains another leaves nothing of itself.
    literals: Arc<[String]>,
}

impl std::fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scrubber({})", self.literals.len())
    }
}

impl Scrubber {
    /// All literal env values of `spec`.
    pub fn of(spec: &TaskSpec) -> Scrubber {
        let mut literals = Vec::new();
        let short = &spec.short;
        let inits = short.init_containers.iter().map(|init| init.env.as_slice());
        for env in std::iter::once(short.env.as_slice()).chain(inits) {
            literals.extend(env.iter().filter_map(literal));
        }
        if let Some(manifest) = &spec.manifest {
            of_manifest(manifest.template(), &mut literals);
        }
        Scrubber::from_literals(literals)
    }

    fn from_literals(found: Vec<&str>) -> Scrubber {
        let long = found.into_iter().filter(|text| text.len() >= SHORTEST);
        let mut literals: Vec<String> = long.flat_map(spellings).collect();
        literals.sort_unstable_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        literals.dedup();
        Scrubber { literals: literals.into() }
    }

    /// `text` without any of the literals.
    pub fn scrub(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for literal in self.literals.iter() {
            if clean.contains(literal.as_str()) {
                clean = clean.replace(literal.as_str(), MASK);
            }
        }
        clean
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

/// A literal as it is, as JSON and as Go's `%q` write it, without the quotes.
fn spellings(literal: &str) -> Vec<String> {
    let mut all = vec![literal.to_owned(), go_quoted(literal)];
    if let Ok(json) = serde_json::to_string(literal) {
        let inner = json.strip_prefix('"').and_then(|json| json.strip_suffix('"'));
        all.extend(inner.map(str::to_owned));
    }
    all.dedup();
    all
}

fn go_quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{7}' => out.push_str("\\a"),
            '\u{8}' => out.push_str("\\b"),
            '\u{b}' => out.push_str("\\v"),
            '\u{c}' => out.push_str("\\f"),
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
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
        let scrubber = Scrubber::of(&spec);
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

    #[test]
    fn nothing_to_hide_changes_nothing() {
        assert_eq!(Scrubber::default().scrub("as it is"), "as it is");
    }
}
