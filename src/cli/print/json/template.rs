//! A template as JSON.

use serde::Serialize;

use super::text;
use crate::proto::v1;

/// A template.
#[derive(Debug, Serialize)]
pub(crate) struct TemplateJson<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    content_hash: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'a str>,
    /// The template itself; a text only where the server sent no JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest: Option<serde_json::Value>,
}

impl<'a> TemplateJson<'a> {
    pub(crate) fn of(template: &'a v1::Template) -> Self {
        let manifest = text(&template.manifest).map(|json| serde_json::from_str(json).unwrap_or_else(|_| json.into()));
        Self {
            name: &template.name,
            description: text(&template.description),
            content_hash: &template.content_hash,
            origin: text(&template.origin),
            manifest,
        }
    }
}
