//! Pods: create, get, patch under a test, delete under preconditions.

use bytes::Bytes;
use http::{HeaderMap, Request};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ListMeta;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::{ApiFailure, CreateAnswer, PatchAnswer, create_answer, failure};
use super::client::Cluster;
use crate::pod::slim::SlimPod;
use crate::task::{Instance, meta};

/// Pods in one page of a list: with 20 KB each far below what one answer may have.
const PAGE: usize = 200;

/// A page of a list.
#[derive(Deserialize)]
struct ObjectList<T> {
    metadata: ListMeta,
    items: Vec<T>,
}

/// Whether a create is only tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DryRun {
    /// Validated and admitted by the API server, not stored.
    Yes,
    /// Stored.
    No,
}

/// One operation of a JSON patch (RFC 6902).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum PatchOp {
    /// Fails the whole patch unless the value is this.
    Test {
        /// JSON pointer.
        path: String,
        /// Value.
        value: Value,
    },
    /// Sets or replaces.
    Add {
        /// JSON pointer.
        path: String,
        /// Value.
        value: Value,
    },
    /// Removes.
    Remove {
        /// JSON pointer.
        path: String,
    },
}

impl PatchOp {
    /// The pod must still be this one.
    pub fn test_uid(uid: &str) -> PatchOp {
        PatchOp::Test { path: "/metadata/uid".into(), value: json!(uid) }
    }

    /// The pod must still be at this version.
    pub fn test_version(version: u64) -> PatchOp {
        PatchOp::Test { path: "/metadata/resourceVersion".into(), value: json!(version.to_string()) }
    }

    /// Takes our finalizer off this very pod, if it stands at this place of the list.
    pub fn remove_finalizer(uid: &str, at: usize) -> [PatchOp; 3] {
        let path = format!("/metadata/finalizers/{at}");
        let held = PatchOp::Test { path: path.clone(), value: json!(meta::FINALIZER) };
        [PatchOp::test_uid(uid), held, PatchOp::Remove { path }]
    }

    /// Sets an annotation; the pod has at least one already (ours).
    pub fn annotate(key: &str, value: &str) -> PatchOp {
        let key = key.replace('~', "~0").replace('/', "~1");
        PatchOp::Add { path: format!("/metadata/annotations/{key}"), value: json!(value) }
    }
}

/// A delete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteRequest {
    /// The pod must be this one.
    pub uid: String,
    /// Grace in seconds; none is the pod's own.
    pub grace_seconds: Option<i64>,
}

impl Cluster {
    /// One POST; never repeated here.
    pub async fn create_pod(&self, namespace: &str, pod: &Bytes, dry_run: DryRun) -> CreateAnswer {
        let request = match create(namespace, pod, dry_run) {
            Ok(request) => request,
            Err(answer) => return answer,
        };
        match self.call(request).await {
            Ok(answer) => create_answer(&answer),
            Err(failure) => CreateAnswer::Unknown(failure),
        }
    }

    /// One POST that is only tried: the answer, the pod as it would be stored, and what was warned of.
    pub async fn try_pod(&self, namespace: &str, pod: &Bytes) -> TriedPod {
        let request = match create(namespace, pod, DryRun::Yes) {
            Ok(request) => request,
            Err(answer) => return TriedPod { answer, pod: None, warnings: Vec::new() },
        };
        match self.call(request).await {
            Ok(answer) => {
                let stored = answer.status.is_success().then(|| serde_json::from_slice(&answer.body).ok()).flatten();
                TriedPod { pod: stored, warnings: warnings(&answer.headers), answer: create_answer(&answer) }
            }
            Err(failure) => TriedPod { answer: CreateAnswer::Unknown(failure), pod: None, warnings: Vec::new() },
        }
    }

    /// The API server's version, such as `v1.34.4`.
    pub async fn version(&self) -> Result<String, ApiFailure> {
        let answer = self.call(build(Request::get("/version"), Bytes::new())?).await?;
        if !answer.status.is_success() {
            return Err(failure(&answer));
        }
        let version: Value = serde_json::from_slice(&answer.body).map_err(ApiFailure::Unreadable)?;
        Ok(version["gitVersion"].as_str().unwrap_or_default().to_owned())
    }

    /// A quorum read of one pod.
    pub async fn get_pod(&self, namespace: &str, name: &str) -> Result<Option<SlimPod>, ApiFailure> {
        let request = build(Request::get(pod_path(namespace, name)), Bytes::new())?;
        let answer = self.call(request).await?;
        if answer.status.is_success() {
            return serde_json::from_slice(&answer.body).map(Some).map_err(ApiFailure::Unreadable);
        }
        match failure(&answer) {
            ApiFailure::NotFound { .. } => Ok(None),
            other => Err(other),
        }
    }

    /// All pods of an instance in one part of the scope.
    pub async fn list_pods(&self, part: Option<&str>, instance: &Instance) -> Result<Vec<SlimPod>, ApiFailure> {
        let namespace = part.map_or(String::new(), |namespace| format!("/namespaces/{namespace}"));
        let selector = format!("{}%3D{}", meta::LABEL_INSTANCE.replace('/', "%2F"), instance.as_str());
        let base = format!("/api/v1{namespace}/pods?limit={PAGE}&labelSelector={selector}");
        let mut pods = Vec::new();
        let mut page = String::new();
        loop {
            let answer = self.call(build(Request::get(format!("{base}{page}")), Bytes::new())?).await?;
            if !answer.status.is_success() {
                return Err(failure(&answer));
            }
            let list: ObjectList<SlimPod> = serde_json::from_slice(&answer.body).map_err(ApiFailure::Unreadable)?;
            pods.extend(list.items);
            match list.metadata.continue_.filter(|next| !next.is_empty()) {
                // The token is base64 in the URL's own alphabet, but for its padding.
                Some(next) => page = format!("&continue={}", next.replace('=', "%3D").replace('+', "%2B")),
                None => return Ok(pods),
            }
        }
    }

    /// A JSON patch; 422 means that a test failed.
    pub async fn patch_pod(&self, namespace: &str, name: &str, ops: &[PatchOp]) -> Result<PatchAnswer, ApiFailure> {
        let body = serde_json::to_vec(ops).map_err(ApiFailure::Unreadable)?;
        let request =
            Request::patch(pod_path(namespace, name)).header(http::header::CONTENT_TYPE, "application/json-patch+json");
        let answer = self.call(build(request, body.into())?).await?;
        if answer.status.is_success() {
            let pod = serde_json::from_slice(&answer.body).map_err(ApiFailure::Unreadable)?;
            return Ok(PatchAnswer::Applied(Box::new(pod)));
        }
        match failure(&answer) {
            ApiFailure::NotFound { .. } => Ok(PatchAnswer::Gone),
            ApiFailure::Refused { code: 422 | 409, .. } => Ok(PatchAnswer::TestFailed),
            other => Err(other),
        }
    }

    /// Deletes this very pod; a pod already gone, or another one under the name, is fine.
    pub async fn delete_pod(&self, namespace: &str, name: &str, delete: &DeleteRequest) -> Result<(), ApiFailure> {
        let mut body = json!({
            "kind": "DeleteOptions", "apiVersion": "v1",
            "preconditions": {"uid": delete.uid},
        });
        if let Some(grace) = delete.grace_seconds {
            body["gracePeriodSeconds"] = json!(grace);
        }
        let body = serde_json::to_vec(&body).map_err(ApiFailure::Unreadable)?;
        let request = Request::delete(pod_path(namespace, name)).header(http::header::CONTENT_TYPE, "application/json");
        let answer = self.call(build(request, body.into())?).await?;
        if answer.status.is_success() {
            return Ok(());
        }
        match failure(&answer) {
            ApiFailure::NotFound { .. } | ApiFailure::Refused { code: 409, .. } => Ok(()),
            other => Err(other),
        }
    }
}

/// What came of a POST that was only tried.
#[derive(Debug)]
pub struct TriedPod {
    /// The answer as of any create.
    pub answer: CreateAnswer,
    /// The pod as it would be stored, JSON; none unless it was taken.
    pub pod: Option<Value>,
    /// Texts of the `Warning` headers.
    pub warnings: Vec<String>,
}

fn create(namespace: &str, pod: &Bytes, dry_run: DryRun) -> Result<Request<Bytes>, CreateAnswer> {
    let query = match dry_run {
        DryRun::Yes => "?dryRun=All",
        DryRun::No => "",
    };
    let request = Request::post(format!("/api/v1/namespaces/{namespace}/pods{query}"))
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(pod.clone());
    request
        .map_err(|_| CreateAnswer::Invalid { message: "the namespace cannot be part of a URL".into(), causes: vec![] })
}

/// Most warnings that are kept.
const MAX_WARNINGS: usize = 32;

/// The texts of `Warning: 299 - "text"` headers.
fn warnings(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(http::header::WARNING).iter().take(MAX_WARNINGS);
    values.filter_map(|value| quoted(value.as_bytes())).collect()
}

/// What is between the first two quotes, `\\` taking the next character as it is.
fn quoted(value: &[u8]) -> Option<String> {
    let mut bytes = value.iter().skip_while(|byte| **byte != b'"').skip(1);
    let mut text = Vec::new();
    loop {
        match bytes.next()? {
            b'"' => return Some(String::from_utf8_lossy(&text).into_owned()),
            b'\\' => text.push(*bytes.next()?),
            byte => text.push(*byte),
        }
    }
}

fn pod_path(namespace: &str, name: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/pods/{name}")
}

fn build(builder: http::request::Builder, body: Bytes) -> Result<Request<Bytes>, ApiFailure> {
    builder.body(body).map_err(|error| ApiFailure::Transport(Box::new(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_as_the_api_server_writes_them() {
        let mut headers = HeaderMap::new();
        for value in [
            r#"299 - "spec.nodeSelector[x]: deprecated since v1.14; use \"y\" instead""#,
            r#"299 - "would violate PodSecurity \\ all""#,
            "299 - no quotes",
            r#"299 - "not closed"#,
        ] {
            headers.append(http::header::WARNING, value.parse().unwrap());
        }
        let expected =
            [r#"spec.nodeSelector[x]: deprecated since v1.14; use "y" instead"#, r"would violate PodSecurity \ all"];
        assert_eq!(warnings(&headers), expected);
        for _ in 0..50 {
            headers.append(http::header::WARNING, r#"299 - "again""#.parse().unwrap());
        }
        assert!(warnings(&headers).len() <= MAX_WARNINGS);
    }
}
