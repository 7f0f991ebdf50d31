//! The form in which objects are answered: whole, their metadata only, or as rows of a table (what `kubectl get` asks for).

use http::{HeaderMap, header};
use serde_json::{Value, json};

use super::table;
use crate::local::store::Kind;

/// The form a caller prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    Whole,
    Metadata,
    Table(RowObject),
}

/// What comes with a table's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowObject {
    None,
    Metadata,
    Whole,
}

impl View {
    /// Reads `Accept`: the first form that is served counts.
    pub fn from_request(headers: &HeaderMap, include: Option<&str>) -> View {
        let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            if parts.next() != Some("application/json") {
                continue;
            }
            let form = parts.clone().find_map(|p| p.strip_prefix("as="));
            let current = parts.find_map(|p| p.strip_prefix("v=")).is_none_or(|v| v == "v1");
            match form {
                None => return View::Whole,
                Some("Table") if current => return View::Table(row_object(include)),
                Some("PartialObjectMetadata" | "PartialObjectMetadataList") if current => return View::Metadata,
                Some(_) => {}
            }
        }
        View::Whole
    }

    /// One object in this form; `None`: as it is.
    pub fn of_one(self, kind: Kind, object: &Value) -> Option<Value> {
        match self {
            View::Whole => None,
            View::Metadata => Some(metadata(object)),
            View::Table(row) => {
                let meta = json!({"resourceVersion": object["metadata"]["resourceVersion"]});
                Some(table::table(kind, [object], &meta, row))
            }
        }
    }

    /// A list in this form; `meta` is the list's own metadata.
    pub fn of_list<'a>(self, kind: Kind, objects: impl IntoIterator<Item = &'a Value>, meta: &Value) -> Value {
        match self {
            View::Table(row) => table::table(kind, objects, meta, row),
            View::Metadata => json!({
                "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": meta,
                "items": objects.into_iter().map(metadata).collect::<Vec<_>>(),
            }),
            View::Whole => json!({
                "kind": format!("{}List", kind.name()), "apiVersion": kind.api_version(), "metadata": meta,
                "items": objects.into_iter().map(untyped).collect::<Vec<_>>(),
            }),
        }
    }
}

fn row_object(include: Option<&str>) -> RowObject {
    match include {
        Some("None") => RowObject::None,
        Some("Object") => RowObject::Whole,
        _ => RowObject::Metadata,
    }
}

/// The metadata of an object alone.
pub fn metadata(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}

/// The items of a list carry no kind of their own.
fn untyped(object: &Value) -> Value {
    let mut item = object.clone();
    if let Some(fields) = item.as_object_mut() {
        fields.remove("kind");
        fields.remove("apiVersion");
    }
    item
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn the_first_served_form_counts() {
        let view = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            View::from_request(&headers, None)
        };
        let kubectl = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";
        assert_eq!(view(kubectl), View::Table(RowObject::Metadata));
        assert_eq!(view("application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json"), View::Whole);
        assert_eq!(view("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"), View::Metadata);
        assert_eq!(view("*/*"), View::Whole);
    }
}
