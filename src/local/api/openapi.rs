//! A minimal OpenAPI v3 document: which kinds can be patched, and with which parameters.
//!
//! kubectl asks it, before `create`, `apply` and server-side dry runs, whether the server checks fields itself (`fieldValidation`)
//! and knows `dryRun`; it then leaves the checking to the server. Schemas are not described.

use serde_json::{Map, Value, json};

use crate::local::store::Kind;

/// The media type of the older document in protobuf; kubectl asks for it with [`OLD_PROTOBUF_ASKED`], which is no valid content type.
pub const OLD_PROTOBUF: &str = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";

/// See [`OLD_PROTOBUF`].
pub const OLD_PROTOBUF_ASKED: &str = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";

/// `/openapi/v2` in protobuf: field 1, the version, and nothing else.
pub const OLD_DOCUMENT: &[u8] = b"\x0a\x032.0";

/// `/openapi/v2`: no definitions. kubectl asks it before it creates a `List`, and skips the kinds it does not find.
pub fn old_document() -> Value {
    let info = json!({"title": "podlaunch local cluster", "version": "v1.34.0"});
    json!({"swagger": "2.0", "info": info, "paths": {}, "definitions": {}})
}

/// `/openapi/v3`: where the documents are.
pub fn index() -> Value {
    let mut paths = Map::new();
    for version in versions() {
        let url = format!("/openapi/v3/{}", path_of(version));
        paths.insert(path_of(version), json!({"serverRelativeURL": url}));
    }
    json!({"paths": paths})
}

/// The document of `api/v1` or `apis/GROUP/v1`; `None` if there is no such version.
pub fn document(path: &str) -> Option<Value> {
    let version = versions().into_iter().find(|v| path_of(v) == path)?;
    let paths: Map<String, Value> = Kind::ALL
        .into_iter()
        .filter(|kind| kind.api_version() == version)
        .map(|kind| {
            let place = if kind.is_namespaced() { "namespaces/{namespace}/" } else { "" };
            (format!("/{path}/{place}{}/{{name}}", kind.plural()), json!({"patch": patch(kind)}))
        })
        .collect();
    Some(json!({
        "openapi": "3.0.0",
        "info": {"title": "podlaunch local cluster", "version": "v1.34.0"},
        "paths": paths,
        "components": {"schemas": {}},
    }))
}

fn versions() -> Vec<&'static str> {
    let mut found: Vec<&str> = Kind::ALL.into_iter().map(Kind::api_version).collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn path_of(version: &str) -> String {
    let root = if version.contains('/') { "apis" } else { "api" };
    format!("{root}/{version}")
}

fn patch(kind: Kind) -> Value {
    let parameter = |name: &str| json!({"name": name, "in": "query", "schema": {"type": "string"}});
    let parameters = ["dryRun", "fieldManager", "fieldValidation"].map(parameter);
    json!({
        "operationId": format!("patch{}", kind.name()),
        "parameters": parameters,
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": {"group": kind.group(), "version": "v1", "kind": kind.name()},
    })
}
