//! Templates: what many tasks have in common, kept by the server and named by a launch.
//!
//! ```text
//! NAME.yaml, NAME.json ──Template::parse──▶ Template { manifest, hash } ─┐
//!   (a directory, or the keys of ConfigMaps)                             ├─▶ Catalog ──by name──▶ build
//!                                                                        ┘
//! ```
//!
//! A template is a manifest: merged first, below the launch's own manifest and short form. A new version of it changes
//! the pods of later launches and no fingerprint.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::syntax;
use super::validate::check_template;
use crate::task::fingerprint::content_hash;
use crate::task::meta;
use crate::task::spec::{Manifest, SpecError};

/// Most templates of a server.
pub const MAX_TEMPLATES: usize = 1000;
/// Longest description that is kept, bytes.
const MAX_DESCRIPTION: usize = 1024;

/// A template.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    /// Its name.
    pub name: String,
    /// What it is for; may be empty.
    pub description: String,
    /// Hash of its content, spelling aside.
    pub hash: String,
    /// Where it came from, for people: a file or a ConfigMap.
    pub origin: String,
    /// What it is.
    pub manifest: Manifest,
}

/// A template that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template {name} of {origin}: {problem}")]
pub struct TemplateError {
    /// Its name.
    pub name: String,
    /// Where it came from.
    pub origin: String,
    /// What is wrong, and where.
    pub problem: String,
}

impl Template {
    /// Reads a template and checks what can be checked without a launch.
    pub fn parse(name: &str, text: &[u8], origin: &str) -> Result<Template, TemplateError> {
        let refuse = |problem: String| TemplateError { name: name.to_owned(), origin: origin.to_owned(), problem };
        syntax::template_name(name).map_err(|problem| refuse(format!("its name {problem}")))?;
        let manifest = Manifest::parse(text).map_err(|error| refuse(template_words(&error)))?;
        let (manifest, description) = take_description(manifest).map_err(|error| refuse(template_words(&error)))?;
        let wrong = check_template(manifest.template());
        if !wrong.is_empty() {
            return Err(refuse(wrong.iter().map(template_words).collect::<Vec<_>>().join("; ")));
        }
        let hash = content_hash(manifest.template());
        Ok(Template { name: name.to_owned(), description, hash, origin: origin.to_owned(), manifest })
    }

    /// What is kept on a pod: name and content.
    pub fn stamp(&self) -> String {
        format!("{}@{}", self.name, self.hash)
    }
}

/// The template's name that a file or a key of a ConfigMap stands for; none for other files.
pub fn name_of_file(file: &str) -> Option<&str> {
    [".yaml", ".yml", ".json"].into_iter().find_map(|ending| file.strip_suffix(ending)).filter(|name| !name.is_empty())
}

fn template_words(error: &SpecError) -> String {
    match error.field.strip_prefix("spec.manifest") {
        Some("") => error.problem.clone(),
        Some(place) => format!("{} {}", place.trim_start_matches(": "), error.problem),
        None => error.to_string(),
    }
}

/// The template without its description, which is no pod's annotation.
fn take_description(manifest: Manifest) -> Result<(Manifest, String), SpecError> {
    let mut template = manifest.template().clone();
    let annotations = template.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut);
    let Some(Value::String(text)) = annotations.and_then(|map| map.remove(meta::DESCRIPTION)) else {
        return Ok((manifest, String::new()));
    };
    let short =
        text.char_indices().take_while(|(at, c)| at + c.len_utf8() <= MAX_DESCRIPTION).map(|(_, c)| c).collect();
    Ok((Manifest::from_value(template)?, short))
}

/// Templates by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Catalog(BTreeMap<String, Arc<Template>>);

impl Catalog {
    /// The template of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Template>> {
        self.0.get(name)
    }

    /// Adds a template; false where there are too many.
    pub fn insert(&mut self, template: Arc<Template>) -> Result<(), TemplateError> {
        if self.0.len() >= MAX_TEMPLATES && !self.0.contains_key(&template.name) {
            let problem = format!("is one more than the {MAX_TEMPLATES} that a server takes");
            return Err(TemplateError { name: template.name.clone(), origin: template.origin.clone(), problem });
        }
        self.0.insert(template.name.clone(), template);
        Ok(())
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Template>> {
        self.0.values()
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// These and those of `other` that are not among them.
    #[must_use]
    pub fn over(&self, other: &Catalog) -> Catalog {
        let mut all = other.0.clone();
        all.extend(self.0.iter().map(|(name, template)| (name.clone(), template.clone())));
        Catalog(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Template, TemplateError> {
        Template::parse("gpu", text.as_bytes(), "gpu.yaml")
    }

    #[test]
    fn a_template_is_a_manifest_with_a_description() {
        let text = "metadata:\n  annotations: {podlaunch.dev/description: for training, a: b}\nspec: {nodeSelector: {gpu: yes!}}";
        let template = parse(text).unwrap();
        assert_eq!(template.description, "for training");
        assert_eq!(template.manifest.template()["metadata"]["annotations"], serde_json::json!({"a": "b"}));
        assert!(template.stamp().starts_with("gpu@sha256:") && template.stamp().len() == 4 + 7 + 64);
        // Spelling and description do not count, content does.
        let same =
            parse("{\"spec\":{\"nodeSelector\":{\"gpu\":\"yes!\"}},\"metadata\":{\"annotations\":{\"a\":\"b\"}}}");
        assert_eq!(same.unwrap().hash, template.hash);
        assert_ne!(parse("spec: {}").unwrap().hash, template.hash);
    }

    #[test]
    fn what_cannot_be_used_says_where() {
        for (text, problem) in [
            ("spec: [", "is not valid YAML"),
            ("kind: Deployment\nspec: {}", "kind is \"Deployment\""),
            ("metadata: {namespace: a}\nspec: {}", "metadata.namespace must be absent"),
            ("metadata: {labels: {podlaunch.dev/x: a}}\nspec: {}", "metadata.labels has the key"),
            ("spec: {containers: [{image: a}]}", "spec.containers[0].name must be there"),
            ("spec: {restartPolicy: Always}", "spec.restartPolicy must be Never or OnFailure"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.starts_with("template gpu of gpu.yaml: ") && error.contains(problem), "{error}");
        }
        assert!(Template::parse("a b", b"spec: {}", "x").is_err());
    }

    #[test]
    fn names_of_files() {
        for (file, name) in
            [("a.yaml", Some("a")), ("a.b.json", Some("a.b")), ("a.yml", Some("a")), (".yaml", None), ("a.txt", None)]
        {
            assert_eq!(name_of_file(file), name, "{file}");
        }
    }

    #[test]
    fn a_catalog_has_an_end_and_an_order_of_sources() {
        let template = |name: &str, text: &str| Arc::new(Template::parse(name, text.as_bytes(), "x").unwrap());
        let mut files = Catalog::default();
        files.insert(template("a", "spec: {}")).unwrap();
        let mut maps = Catalog::default();
        maps.insert(template("a", "spec: {priority: 1}")).unwrap();
        maps.insert(template("b", "spec: {}")).unwrap();
        let all = files.over(&maps);
        assert_eq!(all.names().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(all.get("a"), files.get("a"));
        for i in 0..MAX_TEMPLATES - 1 {
            files.insert(template(&format!("t{i}"), "spec: {}")).unwrap();
        }
        assert!(files.insert(template("one-more", "spec: {}")).is_err());
        assert!(files.insert(template("a", "spec: {priority: 2}")).is_ok(), "it replaces one");
    }
}
