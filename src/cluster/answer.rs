//! What the API server answered, as values.
//!
//! ```text
//! status + body ──▶ CreateAnswer   201 │ 409 exists │ 409 being deleted │ refused for good │ unknown: ask again
//!               ──▶ PatchAnswer    applied │ test failed │ gone
//!               ──▶ ApiFailure     transport, timeout, throttled, server error (retryable) │ refused (permanent)
//! ```

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;

use super::client::{Answer, ConnectError};
use crate::pod::slim::SlimPod;

/// A request that did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum ApiFailure {
    /// No answer in time; what it did is unknown.
    #[error("the API server did not answer in time")]
    Timeout,
    /// The connection failed; what the request did is unknown.
    #[error("the connection to the API server failed")]
    Transport(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Too many requests: nothing was done.
    #[error("the API server asks to slow down: {message}")]
    Throttled {
        /// When it wants to be asked again.
        after: Duration,
        /// Its words.
        message: String,
    },
    /// 5xx: what the request did is unknown.
    #[error("the API server failed with {code}: {message}")]
    Server {
        /// HTTP status.
        code: u16,
        /// Its words.
        message: String,
    },
    /// No such object.
    #[error("{message}")]
    NotFound {
        /// Its words.
        message: String,
        /// `details.kind`: pods, pods/log, namespaces …
        kind: String,
    },
    /// Refused for good.
    #[error("the API server refused: {message}")]
    Refused {
        /// HTTP status.
        code: u16,
        /// `reason` of the Status.
        reason: String,
        /// Its words.
        message: String,
    },
    /// An answer that cannot be read.
    #[error("the API server's answer cannot be read")]
    Unreadable(#[source] serde_json::Error),
}

impl ApiFailure {
    pub(super) fn transport(error: kube::Error) -> ApiFailure {
        ApiFailure::Transport(Box::new(error))
    }

    pub(super) fn body(error: Box<dyn std::error::Error + Send + Sync>) -> ApiFailure {
        ApiFailure::Transport(error)
    }

    pub(super) fn transport_of(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ApiFailure {
        ApiFailure::Transport(error.into())
    }

    pub(super) fn connect(error: ConnectError) -> ApiFailure {
        ApiFailure::Transport(Box::new(error))
    }

    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            ApiFailure::Timeout | ApiFailure::Transport(_) | ApiFailure::Throttled { .. } => true,
            ApiFailure::Server { .. } => true,
            ApiFailure::NotFound { .. } | ApiFailure::Refused { .. } | ApiFailure::Unreadable(_) => false,
        }
    }
}

/// The answer to a create.
#[derive(Debug)]
pub enum CreateAnswer {
    /// Created by this request.
    Created(Box<SlimPod>),
    /// The name is taken.
    Exists,
    /// The name is taken by a pod that is being deleted.
    ExistsDeleting,
    /// 403: the existing pod, if there is one, must be looked for first; quota and
    /// terminating-namespace admission run before the existence check.
    Forbidden(Denial),
    /// 400 or 422: the spec is wrong.
    Invalid {
        /// Kubernetes' words.
        message: String,
        /// The fields it named.
        causes: Vec<FieldCause>,
    },
    /// 404: the namespace does not exist.
    NamespaceMissing(String),
    /// The request is larger than the API server or its store takes.
    TooLarge(String),
    /// Asked to wait; nothing was done.
    Throttled(Duration, String),
    /// 401, 405 …: the server itself is not welcome.
    Refused(ApiFailure),
    /// Timeout, reset, 5xx: it may have been done. Send the same again.
    Unknown(ApiFailure),
}

/// Why a create was forbidden, by Kubernetes' words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denial {
    /// A ResourceQuota is full.
    Quota(String),
    /// The service account does not exist (also for milliseconds after its namespace is made).
    ServiceAccount(String),
    /// The namespace is being deleted.
    NamespaceTerminating(String),
    /// LimitRange, a quota that demands requests, PriorityClass, PodSecurity, a webhook: admission.
    Admission(String),
    /// RBAC: podlaunch may not create pods there.
    Rbac(String),
}

/// A field the API server named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldCause {
    /// Path in the pod, as Kubernetes writes it.
    pub field: String,
    /// Its words.
    pub message: String,
}

/// The answer to a JSON patch under a test.
#[derive(Debug)]
pub enum PatchAnswer {
    /// Applied; the object as it is now.
    Applied(Box<SlimPod>),
    /// The test failed, or a path was absent (the API server does not tell which).
    TestFailed,
    /// No such pod.
    Gone,
}

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LogRefusal {
    /// The container has not started, or its pod is not bound.
    #[error("the container has no log yet: {0}")]
    NotYet(String),
    /// The node knows no run of the container before the current one.
    #[error("there is no earlier run: {0}")]
    NoPreviousRun(String),
    /// No such pod any more, or its log was removed.
    #[error("the log is gone: {0}")]
    Gone(String),
    /// The node or the way to it is not there now.
    #[error("the log cannot be read now")]
    Unavailable(#[source] ApiFailure),
}

pub(super) fn status_of(answer: &Answer) -> Status {
    serde_json::from_slice::<Status>(&answer.body).unwrap_or_else(|_| Status {
        message: Some(String::from_utf8_lossy(&answer.body).trim().chars().take(2048).collect()),
        ..Status::default()
    })
}

fn details_kind(status: &Status) -> String {
    status.details.as_ref().and_then(|d| d.kind.clone()).unwrap_or_default()
}

fn message_of(status: &Status) -> String {
    status.message.clone().unwrap_or_default()
}

fn retry_after(answer: &Answer) -> Duration {
    let seconds = answer.headers.get(http::header::RETRY_AFTER).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    Duration::from_secs(seconds.unwrap_or(1).clamp(1, 60))
}

/// What any answer ≥ 400 means, where nothing more special is known.
pub(super) fn failure(answer: &Answer) -> ApiFailure {
    let status = status_of(answer);
    let message = message_of(&status);
    match answer.status.as_u16() {
        404 => ApiFailure::NotFound { message, kind: details_kind(&status) },
        429 => ApiFailure::Throttled { after: retry_after(answer), message },
        code if code >= 500 => ApiFailure::Server { code, message },
        code => ApiFailure::Refused { code, reason: status.reason.clone().unwrap_or_default(), message },
    }
}

pub(super) fn create_answer(answer: &Answer) -> CreateAnswer {
    let status = status_of(answer);
    let message = message_of(&status);
    match answer.status.as_u16() {
        200..=299 => match serde_json::from_slice(&answer.body) {
            Ok(pod) => CreateAnswer::Created(Box::new(pod)),
            Err(error) => CreateAnswer::Unknown(ApiFailure::Unreadable(error)),
        },
        409 if message.starts_with("object is being deleted") => CreateAnswer::ExistsDeleting,
        409 if status.reason.as_deref() == Some("AlreadyExists") => CreateAnswer::Exists,
        // A Conflict while creating comes from admission (quota updates) and passes.
        409 => CreateAnswer::Unknown(failure(answer)),
        403 => CreateAnswer::Forbidden(denial(&status, message)),
        400 | 422 => CreateAnswer::Invalid { message, causes: causes(&status) },
        404 if details_kind(&status) == "namespaces" => CreateAnswer::NamespaceMissing(message),
        413 => CreateAnswer::TooLarge(message),
        500 if message.contains("request is too large") => CreateAnswer::TooLarge(message),
        429 => CreateAnswer::Throttled(retry_after(answer), message),
        code if code >= 500 => CreateAnswer::Unknown(failure(answer)),
        _ => CreateAnswer::Refused(failure(answer)),
    }
}

fn causes(status: &Status) -> Vec<FieldCause> {
    let causes = status.details.as_ref().and_then(|d| d.causes.as_ref());
    causes
        .into_iter()
        .flatten()
        .map(|c| FieldCause {
            field: c.field.clone().unwrap_or_default(),
            message: c.message.clone().unwrap_or_default(),
        })
        .collect()
}

fn denial(status: &Status, message: String) -> Denial {
    let terminating = status.details.as_ref().and_then(|d| d.causes.as_ref()).into_iter().flatten();
    if terminating.into_iter().any(|c| c.reason.as_deref() == Some("NamespaceTerminating")) {
        return Denial::NamespaceTerminating(message);
    }
    // `failed quota: … must specify requests.cpu` does not pass by waiting: that is admission.
    if message.contains("exceeded quota") {
        return Denial::Quota(message);
    }
    if message.contains("error looking up service account") {
        return Denial::ServiceAccount(message);
    }
    // RBAC words: `pods is forbidden: User "x" cannot create resource "pods" in API group …`
    if message.contains(" cannot create resource ") {
        return Denial::Rbac(message);
    }
    Denial::Admission(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(code: u16, body: &str) -> Answer {
        Answer {
            status: http::StatusCode::from_u16(code).unwrap(),
            headers: http::HeaderMap::new(),
            body: body.to_string().into(),
        }
    }

    fn status(code: u16, reason: &str, message: &str, details: &str) -> Answer {
        let message = serde_json::to_string(message).unwrap();
        answer(
            code,
            &format!(
                r#"{{"kind":"Status","apiVersion":"v1","metadata":{{}},"status":"Failure","message":{message},"reason":"{reason}","details":{details},"code":{code}}}"#
            ),
        )
    }

    fn name(a: &CreateAnswer) -> String {
        match a {
            CreateAnswer::Created(_) => "created".into(),
            CreateAnswer::Exists => "exists".into(),
            CreateAnswer::ExistsDeleting => "deleting".into(),
            CreateAnswer::Forbidden(Denial::Quota(_)) => "quota".into(),
            CreateAnswer::Forbidden(Denial::ServiceAccount(_)) => "service account".into(),
            CreateAnswer::Forbidden(Denial::NamespaceTerminating(_)) => "namespace terminating".into(),
            CreateAnswer::Forbidden(Denial::Admission(_)) => "admission".into(),
            CreateAnswer::Forbidden(Denial::Rbac(_)) => "rbac".into(),
            CreateAnswer::Invalid { causes, .. } => format!("invalid {}", causes.len()),
            CreateAnswer::NamespaceMissing(_) => "namespace missing".into(),
            CreateAnswer::TooLarge(_) => "too large".into(),
            CreateAnswer::Throttled(..) => "throttled".into(),
            CreateAnswer::Refused(_) => "refused".into(),
            CreateAnswer::Unknown(_) => "unknown".into(),
        }
    }

    /// The words are those of a real API server 1.34.
    #[test]
    #[allow(clippy::too_many_lines, reason = "a table")]
    fn the_answer_table_of_a_create() {
        let pod = r#"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","namespace":"n","uid":"u","resourceVersion":"7"},"spec":{"containers":[{"name":"main","image":"i"}]},"status":{"phase":"Pending"}}"#;
        let invalid = r#"{"name":"a","kind":"Pod","causes":[{"reason":"FieldValueRequired","message":"Required value","field":"spec.containers[0].image"}]}"#;
        let rows = [
            (answer(201, pod), "created"),
            (status(409, "AlreadyExists", r#"pods "d" already exists"#, "{}"), "exists"),
            (status(409, "AlreadyExists", r#"object is being deleted: pods "p" already exists"#, "{}"), "deleting"),
            (status(409, "Conflict", "Operation cannot be fulfilled on resourcequotas", "{}"), "unknown"),
            (
                status(
                    403,
                    "Forbidden",
                    r#"pods "e" is forbidden: exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1"#,
                    "{}",
                ),
                "quota",
            ),
            (
                status(
                    403,
                    "Forbidden",
                    "pods \"e\" is forbidden: failed quota: q2: must specify requests.cpu for: main",
                    "{}",
                ),
                "admission",
            ),
            (
                status(
                    403,
                    "Forbidden",
                    r#"pods "e" is forbidden: error looking up service account s-q/none: serviceaccount "none" not found"#,
                    "{}",
                ),
                "service account",
            ),
            (
                status(
                    403,
                    "Forbidden",
                    "unable to create new content in namespace x because it is being terminated",
                    r#"{"causes":[{"reason":"NamespaceTerminating","message":"namespace x is being terminated","field":"metadata.namespace"}]}"#,
                ),
                "namespace terminating",
            ),
            (
                status(403, "Forbidden", r#"pods "e" is forbidden: no PriorityClass with name none was found"#, "{}"),
                "admission",
            ),
            (
                status(
                    403,
                    "Forbidden",
                    r#"pods is forbidden: User "u" cannot create resource "pods" in API group "" in the namespace "n""#,
                    "{}",
                ),
                "rbac",
            ),
            (
                status(422, "Invalid", r#"Pod "a" is invalid: spec.containers[0].image: Required value"#, invalid),
                "invalid 1",
            ),
            (status(400, "BadRequest", "json: cannot unmarshal", "{}"), "invalid 0"),
            (
                status(404, "NotFound", r#"namespaces "x" not found"#, r#"{"name":"x","kind":"namespaces"}"#),
                "namespace missing",
            ),
            (status(413, "RequestEntityTooLarge", "limit is 3145728", "{}"), "too large"),
            (
                answer(
                    500,
                    r#"{"kind":"Status","status":"Failure","message":"etcdserver: request is too large","code":500}"#,
                ),
                "too large",
            ),
            (answer(500, "boom"), "unknown"),
            (answer(504, "{}"), "unknown"),
            (answer(429, "Too many requests, please try again later."), "throttled"),
            (status(401, "Unauthorized", "Unauthorized", "{}"), "refused"),
        ];
        for (row, want) in rows {
            assert_eq!(name(&create_answer(&row)), want, "{}", String::from_utf8_lossy(&row.body));
        }
    }
}
