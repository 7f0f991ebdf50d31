//! What the server serves, for clients that ask: `/version`, `/api`, `/apis`, plain and aggregated.

use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, Method, StatusCode, header};
use serde_json::{Value, json};

use super::openapi;
use super::route::Route;
use super::status::{ApiError, json_response};
use crate::local::store::{Kind, SERVER_VERSION};

const VERBS: [&str; 8] = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];

/// Answers a discovery route.
pub fn answer(route: &Route, request: &Request) -> Result<Response, ApiError> {
    if request.method() != Method::GET {
        return Err(ApiError::method_not_allowed());
    }
    let aggregated = wants_aggregated(request.headers());
    let body = match route {
        Route::Version => version(),
        Route::CoreVersions if aggregated => aggregated_list(&[""]),
        Route::Groups if aggregated => aggregated_list(&groups()),
        Route::CoreVersions => json!({"kind": "APIVersions", "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1"}]}),
        Route::Groups => {
            let groups: Vec<Value> = groups().iter().map(|g| group(g)).collect();
            json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
        }
        Route::Group(name) => {
            let mut body = group(name);
            body["kind"] = json!("APIGroup");
            body["apiVersion"] = json!("v1");
            body
        }
        Route::Resources(name) => resources(name),
        Route::OldOpenApi if accepts(request.headers(), &[openapi::OLD_PROTOBUF, openapi::OLD_PROTOBUF_ASKED]) => {
            let kind = [(header::CONTENT_TYPE, openapi::OLD_PROTOBUF)];
            return Ok((StatusCode::OK, kind, openapi::OLD_DOCUMENT).into_response());
        }
        Route::OldOpenApi => openapi::old_document(),
        Route::OpenApi => openapi::index(),
        Route::OpenApiDocument(path) => openapi::document(path).ok_or_else(ApiError::no_such_resource)?,
        Route::Health | Route::Resource(_) | Route::NoResource | Route::NoPath => {
            return Err(ApiError::no_such_resource());
        }
    };
    let mut response = json_response(StatusCode::OK, &body);
    if body["kind"] == "APIGroupDiscoveryList" {
        let kind = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
        let value = http::HeaderValue::from_static(kind);
        response.headers_mut().insert(header::CONTENT_TYPE, value);
    }
    Ok(response)
}

fn version() -> Value {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    json!({
        "major": "1", "minor": "34", "gitVersion": SERVER_VERSION,
        "gitCommit": "", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "", "compiler": "rustc", "platform": format!("{}/{arch}", std::env::consts::OS),
    })
}

fn accepts(headers: &HeaderMap, media_types: &[&str]) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    accept.split(',').any(|range| media_types.contains(&range.trim()))
}

fn wants_aggregated(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    accept.split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        parts.clone().any(|p| p == "as=APIGroupDiscoveryList") && parts.any(|p| p == "v=v2")
    })
}

/// The named groups there are.
fn groups() -> Vec<&'static str> {
    let mut found: Vec<&str> = Kind::ALL.into_iter().map(Kind::group).filter(|g| !g.is_empty()).collect();
    found.dedup();
    found
}

fn group(name: &str) -> Value {
    let version = json!({"groupVersion": format!("{name}/v1"), "version": "v1"});
    json!({"name": name, "versions": [version], "preferredVersion": version})
}

fn kinds_of(group: &str) -> impl Iterator<Item = Kind> {
    Kind::ALL.into_iter().filter(move |k| k.group() == group)
}

/// A subresource: its name, the group and version of its own kind if another, the kind, the verbs.
type Subresource = (&'static str, Option<(&'static str, &'static str)>, &'static str, &'static [&'static str]);

fn subresources(kind: Kind) -> &'static [Subresource] {
    const STATUS: &[&str] = &["get", "patch", "update"];
    match kind {
        Kind::Pod => &[
            ("eviction", Some(("policy", "v1")), "Eviction", &["create"]),
            ("log", None, "Pod", &["get"]),
            ("status", None, "Pod", STATUS),
        ],
        Kind::Namespace => &[("finalize", None, "Namespace", &["update"]), ("status", None, "Namespace", STATUS)],
        Kind::Node => &[("status", None, "Node", STATUS)],
        _ => &[],
    }
}

fn verbs(kind: Kind) -> Vec<&'static str> {
    let skipped = |v: &&str| !(kind == Kind::Namespace && *v == "deletecollection");
    VERBS.into_iter().filter(skipped).collect()
}

fn resources(group: &str) -> Value {
    let mut list = Vec::new();
    for kind in kinds_of(group) {
        let mut entry = json!({
            "name": kind.plural(), "singularName": kind.singular(), "namespaced": kind.is_namespaced(),
            "kind": kind.name(), "verbs": verbs(kind),
        });
        if !kind.short_names().is_empty() {
            entry["shortNames"] = json!(kind.short_names());
        }
        if kind == Kind::Pod {
            entry["categories"] = json!(["all"]);
        }
        list.push(entry);
        for (name, foreign, sub_kind, verbs) in subresources(kind) {
            let mut entry = json!({
                "name": format!("{}/{name}", kind.plural()), "singularName": "", "namespaced": kind.is_namespaced(),
                "kind": sub_kind, "verbs": verbs,
            });
            if let Some((group, version)) = foreign {
                entry["group"] = json!(group);
                entry["version"] = json!(version);
            }
            list.push(entry);
        }
    }
    let version = if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") };
    json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": list})
}

fn aggregated_list(groups: &[&str]) -> Value {
    let items: Vec<Value> = groups
        .iter()
        .map(|group| {
            let resources: Vec<Value> = kinds_of(group).map(aggregated).collect();
            let meta = if group.is_empty() { json!({}) } else { json!({"name": group}) };
            json!({"metadata": meta, "versions": [{"version": "v1", "resources": resources, "freshness": "Current"}]})
        })
        .collect();
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items})
}

fn aggregated(kind: Kind) -> Value {
    let response_kind = |kind: Kind| json!({"group": kind.group(), "version": "v1", "kind": kind.name()});
    let mut entry = json!({
        "resource": kind.plural(), "responseKind": response_kind(kind),
        "scope": if kind.is_namespaced() { "Namespaced" } else { "Cluster" },
        "singularResource": kind.singular(), "verbs": verbs(kind),
    });
    if !kind.short_names().is_empty() {
        entry["shortNames"] = json!(kind.short_names());
    }
    if kind == Kind::Pod {
        entry["categories"] = json!(["all"]);
    }
    let subresources: Vec<Value> = subresources(kind)
        .iter()
        .map(|(name, foreign, sub_kind, verbs)| {
            let (group, version) = foreign.unwrap_or((kind.group(), "v1"));
            let response = json!({"group": group, "version": version, "kind": sub_kind});
            json!({"subresource": name, "responseKind": response, "verbs": verbs})
        })
        .collect();
    if !subresources.is_empty() {
        entry["subresources"] = json!(subresources);
    }
    entry
}
