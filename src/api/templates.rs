//! The server's templates as the contract shows them.

use crate::executor::{ExecError, Templates};
use crate::pod::template::Template;
use crate::proto::v1;

/// All templates by name, without their text; with a name, that one with it.
pub(super) fn list(templates: &Templates, name: &str) -> Result<v1::ListTemplatesResponse, ExecError> {
    let catalog = templates.catalog();
    if name.is_empty() {
        return Ok(v1::ListTemplatesResponse { templates: catalog.iter().map(|template| encode(template)).collect() });
    }
    let template = catalog.get(name).ok_or_else(|| ExecError::template_unknown(name, &catalog))?;
    let whole = v1::Template { manifest: template.manifest.template().to_string(), ..encode(template) };
    Ok(v1::ListTemplatesResponse { templates: vec![whole] })
}

fn encode(template: &Template) -> v1::Template {
    v1::Template {
        name: template.name.clone(),
        description: template.description.clone(),
        content_hash: template.hash.clone(),
        origin: template.origin.clone(),
        manifest: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::executor::TemplateSource;
    use crate::pod::template::Catalog;

    #[test]
    fn the_list_is_short_and_one_is_whole() {
        let templates = Templates::default();
        let mut catalog = Catalog::default();
        for name in ["b", "a"] {
            let text = b"metadata: {annotations: {podlaunch.dev/description: what for}}\nspec: {priority: 1}";
            catalog.insert(Arc::new(Template::parse(name, text, "dir/x.yaml").unwrap())).unwrap();
        }
        templates.set(TemplateSource::Files, catalog);
        let all = list(&templates, "").unwrap().templates;
        let names: Vec<_> =
            all.iter().map(|t| (t.name.as_str(), t.description.as_str(), t.manifest.as_str())).collect();
        assert_eq!(names, [("a", "what for", ""), ("b", "what for", "")]);
        let one = list(&templates, "b").unwrap().templates;
        assert_eq!(one[0].manifest, r#"{"metadata":{"annotations":{}},"spec":{"priority":1}}"#);
        assert!(one[0].content_hash.starts_with("sha256:") && one[0].origin == "dir/x.yaml");
        let unknown = list(&templates, "c").unwrap_err().to_string();
        assert!(unknown.contains(r#"no template "c"; it has: a, b"#), "{unknown}");
    }
}
