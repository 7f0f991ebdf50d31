//! What a path means.
//!
//! ```text
//! /api/v1/namespaces/NS/pods/NAME/log → Route::Resource(Target{Pod, NS, NAME, "log"})
//! ```
//!
//! One pure function instead of a routing table, so that an unknown path, an unknown resource and a wrong method each get the
//! answer Kubernetes gives.

use crate::local::store::Kind;

/// A resource (or a collection of it) a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub kind: Kind,
    pub namespace: Option<String>,
    pub name: Option<String>,
    pub subresource: Option<String>,
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    Version,
    Health,
    /// `/api`
    CoreVersions,
    /// `/apis`
    Groups,
    /// `/apis/GROUP`
    Group(String),
    /// `/api/v1` or `/apis/GROUP/VERSION`; the core group is "".
    Resources(String),
    Resource(Target),
    /// `/openapi/v2`
    OldOpenApi,
    /// `/openapi/v3`
    OpenApi,
    /// `/openapi/v3/…`: the rest of the path.
    OpenApiDocument(String),
    /// A Kubernetes path of something that is not served: 404 as a Status.
    NoResource,
    /// No Kubernetes path: 404 in plain text.
    NoPath,
}

/// Reads a path (percent-decoding is not needed: Kubernetes names have no reserved characters).
pub fn route(path: &str) -> Route {
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
    match parts.as_slice() {
        ["version"] => Route::Version,
        ["healthz" | "livez" | "readyz", ..] => Route::Health,
        ["api"] => Route::CoreVersions,
        ["apis"] => Route::Groups,
        ["api", "v1"] => Route::Resources(String::new()),
        ["api", "v1", rest @ ..] => resource("", rest),
        ["api", ..] => Route::NoResource,
        ["apis", group] if is_group(group) => Route::Group((*group).to_owned()),
        ["apis", group, "v1"] if is_group(group) => Route::Resources((*group).to_owned()),
        ["apis", group, "v1", rest @ ..] if is_group(group) => resource(group, rest),
        ["openapi", "v2"] => Route::OldOpenApi,
        ["openapi", "v3"] => Route::OpenApi,
        ["openapi", "v3", rest @ ..] => Route::OpenApiDocument(rest.join("/")),
        _ => Route::NoPath,
    }
}

fn is_group(name: &str) -> bool {
    !name.is_empty() && Kind::ALL.iter().any(|k| k.group() == name)
}

fn resource(group: &str, parts: &[&str]) -> Route {
    let find = |plural: &str| Kind::ALL.into_iter().find(|k| k.group() == group && k.plural() == plural);
    let target = match parts {
        ["namespaces", name, "status" | "finalize"] => {
            let subresource = parts.last().map(|s| (*s).to_owned());
            return done(Kind::Namespace, None, Some(name), subresource);
        }
        ["namespaces", namespace, plural, rest @ ..] => (find(plural), Some(*namespace), rest),
        [plural, rest @ ..] => (find(plural), None, rest),
        [] => return Route::NoResource,
    };
    let (Some(kind), namespace, rest) = target else {
        return Route::NoResource;
    };
    let fits = match (kind.is_namespaced(), namespace) {
        (true, Some(_)) | (false, None) => rest.len() <= 2,
        // Over all namespaces there are collections only.
        (true, None) => rest.is_empty(),
        (false, Some(_)) => false,
    };
    if !fits {
        return Route::NoResource;
    }
    done(kind, namespace, rest.first().copied(), rest.get(1).map(|s| (*s).to_owned()))
}

fn done(kind: Kind, namespace: Option<&str>, name: Option<&str>, subresource: Option<String>) -> Route {
    Route::Resource(Target {
        kind,
        namespace: namespace.map(str::to_owned),
        name: name.map(str::to_owned),
        subresource,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_what_kubernetes_says() {
        let cases = [
            ("/api/v1/pods", Some((Kind::Pod, None, None, None))),
            ("/api/v1/namespaces/a/pods", Some((Kind::Pod, Some("a"), None, None))),
            ("/api/v1/namespaces/a/pods/p/log", Some((Kind::Pod, Some("a"), Some("p"), Some("log")))),
            ("/api/v1/namespaces/a", Some((Kind::Namespace, None, Some("a"), None))),
            ("/api/v1/namespaces/a/finalize", Some((Kind::Namespace, None, Some("a"), Some("finalize")))),
            ("/api/v1/nodes/local", Some((Kind::Node, None, Some("local"), None))),
            ("/apis/coordination.k8s.io/v1/namespaces/a/leases/l", Some((Kind::Lease, Some("a"), Some("l"), None))),
            ("/api/v1/leases", None),
            ("/api/v1/namespaces/a/nodes", None),
            ("/api/v1/pods/p", None),
            ("/api/v1/namespaces/a/pods/p/log/x", None),
            ("/api/v2", None),
        ];
        for (path, expected) in cases {
            let expected = match expected {
                None => Route::NoResource,
                Some((kind, ns, name, sub)) => done(kind, ns, name, sub.map(str::to_owned)),
            };
            assert_eq!(route(path), expected, "{path}");
        }
        assert_eq!(route("/nope"), Route::NoPath);
        assert_eq!(route("/apis/nope"), Route::NoPath);
        assert_eq!(route("/readyz/ping"), Route::Health);
    }
}
