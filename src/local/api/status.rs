//! Refusals as Kubernetes words them: a `Status` object with code, reason, message and details.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

use crate::local::store::{Deleting, Kind, StoreError};

/// An error answer. Its `Display` is the message of the Status.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiError {
    code: StatusCode,
    reason: &'static str,
    message: String,
    details: Option<Value>,
    retry_after: Option<u32>,
}

/// One field a caller got wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    reason: &'static str,
    message: String,
    field: String,
}

impl FieldError {
    fn new(reason: &'static str, field: impl Into<String>, message: String) -> FieldError {
        FieldError { reason, message, field: field.into() }
    }

    pub fn required(field: impl Into<String>, detail: &str) -> FieldError {
        let message = match detail {
            "" => "Required value".to_owned(),
            detail => format!("Required value: {detail}"),
        };
        FieldError::new("FieldValueRequired", field, message)
    }

    /// `value` is shown as JSON (strings quoted).
    pub fn invalid(field: impl Into<String>, value: &Value, detail: &str) -> FieldError {
        FieldError::new("FieldValueInvalid", field, format!("Invalid value: {value}: {detail}"))
    }

    pub fn duplicate(field: impl Into<String>, value: &str) -> FieldError {
        FieldError::new("FieldValueDuplicate", field, format!("Duplicate value: {}", json!(value)))
    }

    pub fn forbidden(field: impl Into<String>, detail: &str) -> FieldError {
        FieldError::new("FieldValueForbidden", field, format!("Forbidden: {detail}"))
    }

    pub fn missing(field: impl Into<String>, value: &str) -> FieldError {
        FieldError::new("FieldValueNotFound", field, format!("Not found: {}", json!(value)))
    }

    pub fn too_long(field: impl Into<String>, limit: usize) -> FieldError {
        let message = format!("Too long: may not be more than {limit} bytes");
        FieldError::new("FieldValueTooLong", field, message)
    }

    pub fn unsupported(field: impl Into<String>, value: &Value, supported: &[&str]) -> FieldError {
        let list: Vec<String> = supported.iter().map(|s| json!(s).to_string()).collect();
        let message = format!("Unsupported value: {value}: supported values: {}", list.join(", "));
        FieldError::new("FieldValueNotSupported", field, message)
    }

    fn sentence(&self) -> String {
        match self.field.as_str() {
            "" => self.message.clone(),
            field => format!("{field}: {}", self.message),
        }
    }
}

impl ApiError {
    pub fn new(code: StatusCode, reason: &'static str, message: impl Into<String>) -> ApiError {
        ApiError { code, reason, message: message.into(), details: None, retry_after: None }
    }

    fn with_details(mut self, details: Value) -> ApiError {
        self.details = Some(details);
        self
    }

    pub fn bad_request(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    /// A 500 without a reason.
    pub fn internal(message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "", message)
    }

    pub fn no_such_resource() -> ApiError {
        let message = "the server could not find the requested resource";
        ApiError::new(StatusCode::NOT_FOUND, "NotFound", message).with_details(json!({}))
    }

    pub fn method_not_allowed() -> ApiError {
        let message = "the server does not allow this method on the requested resource";
        ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message).with_details(json!({}))
    }

    pub fn not_found(kind: Kind, name: &str) -> ApiError {
        let message = format!("{} {} not found", kind.qualified(), json!(name));
        ApiError::new(StatusCode::NOT_FOUND, "NotFound", message).with_details(details(kind, name))
    }

    /// What the kubelet's 404 becomes on its way through the API server.
    pub fn log_not_found(pod: &str) -> ApiError {
        let message = format!("the server could not find the requested resource ( pods/log {pod})");
        ApiError::new(StatusCode::NOT_FOUND, "NotFound", message).with_details(json!({"name": pod, "kind": "pods/log"}))
    }

    pub fn conflict(kind: Kind, name: &str, detail: &str) -> ApiError {
        let message = format!("Operation cannot be fulfilled on {} {}: {detail}", kind.qualified(), json!(name));
        ApiError::new(StatusCode::CONFLICT, "Conflict", message).with_details(details(kind, name))
    }

    pub fn modified(kind: Kind, name: &str) -> ApiError {
        let detail = "the object has been modified; please apply your changes to the latest version and try again";
        ApiError::conflict(kind, name, detail)
    }

    /// A failed precondition of a deletion; Kubernetes names the kind here, not the resource.
    pub fn precondition(kind: Kind, name: &str, detail: &str) -> ApiError {
        let message = format!("Operation cannot be fulfilled on {} {}: {detail}", kind.name(), json!(name));
        let mut about = details(kind, name);
        about["kind"] = json!(kind.name());
        ApiError::new(StatusCode::CONFLICT, "Conflict", message).with_details(about)
    }

    pub fn invalid(kind: Kind, name: &str, errors: &[FieldError]) -> ApiError {
        ApiError::invalid_as(kind.group(), kind.name(), name, errors)
    }

    /// 422 with one cause for each field; `errors` is not empty.
    pub fn invalid_as(group: &str, kind: &str, name: &str, errors: &[FieldError]) -> ApiError {
        let sentences: Vec<String> = errors.iter().map(FieldError::sentence).collect();
        let list = match sentences.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let qualified = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
        let causes = errors.iter().map(|e| json!({"reason": e.reason, "message": e.message, "field": e.field}));
        let mut about = Map::new();
        for (key, value) in [("name", name), ("group", group), ("kind", kind)] {
            if !value.is_empty() {
                about.insert(key.to_owned(), json!(value));
            }
        }
        about.insert("causes".to_owned(), causes.collect());
        let message = format!("{qualified} {} is invalid: {list}", json!(name));
        ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message).with_details(Value::Object(about))
    }

    /// A JSON patch whose test failed or whose path does not exist: Kubernetes does not say which.
    pub fn patch_rejected() -> ApiError {
        let message = "the server rejected our request due to an error in our request";
        ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message).with_details(json!({}))
    }

    pub fn too_large(limit: usize) -> ApiError {
        let message = format!("Request entity too large: limit is {limit}");
        ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", message)
    }

    pub fn unsupported_body() -> ApiError {
        let message =
            "the body of the request was in an unknown format - accepted media types include: application/json";
        ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message)
    }

    pub fn unsupported_patch() -> ApiError {
        let message = "415: Unsupported Media Type";
        ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message).with_details(json!({}))
    }

    /// 410, or the ERROR event of a watch: list again.
    pub fn expired(asked: u64, oldest: u64) -> ApiError {
        let message = format!("too old resource version: {asked} ({oldest})");
        ApiError::new(StatusCode::GONE, "Expired", message)
    }

    /// A resourceVersion that does not exist yet.
    pub fn version_too_large(asked: u64, current: u64) -> ApiError {
        let cause = json!({"reason": "ResourceVersionTooLarge", "message": "Too large resource version"});
        let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
        let error = ApiError::new(StatusCode::GATEWAY_TIMEOUT, "Timeout", message);
        error.with_details(json!({"causes": [cause], "retryAfterSeconds": 1}))
    }

    /// More open watches and log follows than the server holds.
    pub fn too_many_streams() -> ApiError {
        let message = "the server has received too many requests and has asked us to try again later";
        let mut error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message);
        error.retry_after = Some(1);
        error.with_details(json!({"retryAfterSeconds": 1}))
    }

    pub fn protected_namespace(name: &str) -> ApiError {
        let message = format!("namespaces {} is forbidden: this namespace may not be deleted", json!(name));
        ApiError::new(StatusCode::FORBIDDEN, "Forbidden", message).with_details(details(Kind::Namespace, name))
    }

    pub fn is_not_found(&self) -> bool {
        self.reason == "NotFound"
    }

    pub fn is_already_exists(&self) -> bool {
        self.reason == "AlreadyExists"
    }

    pub fn unauthorized() -> ApiError {
        ApiError::new(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized")
    }

    fn already_exists(kind: Kind, name: &str, deleting: Deleting) -> ApiError {
        let prefix = match deleting {
            Deleting::Yes => "object is being deleted: ",
            Deleting::No => "",
        };
        let message = format!("{prefix}{} {} already exists", kind.qualified(), json!(name));
        ApiError::new(StatusCode::CONFLICT, "AlreadyExists", message).with_details(details(kind, name))
    }

    fn terminating(kind: Kind, name: &str, namespace: &str) -> ApiError {
        let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
        let message = format!("{} {} is forbidden: {why}", kind.qualified(), json!(name));
        let mut about = details(kind, name);
        let cause = format!("namespace {namespace} is being terminated");
        about["causes"] = json!([{"reason": "NamespaceTerminating", "message": cause, "field": "metadata.namespace"}]);
        ApiError::new(StatusCode::FORBIDDEN, "Forbidden", message).with_details(about)
    }

    /// The `Status` object.
    pub fn to_status(&self) -> Value {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "code": self.code.as_u16(),
        });
        if !self.reason.is_empty() {
            status["reason"] = json!(self.reason);
        }
        if let Some(details) = &self.details {
            status["details"] = details.clone();
        }
        status
    }
}

fn details(kind: Kind, name: &str) -> Value {
    match kind.group() {
        "" => json!({"name": name, "kind": kind.plural()}),
        group => json!({"name": name, "group": group, "kind": kind.plural()}),
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> ApiError {
        match error {
            StoreError::NotFound { kind, name } => ApiError::not_found(kind, &name),
            StoreError::AlreadyExists { kind, name, deleting } => ApiError::already_exists(kind, &name, deleting),
            StoreError::Conflict { kind, name, message } => ApiError::conflict(kind, &name, &message),
            StoreError::NamespaceMissing { namespace } => ApiError::not_found(Kind::Namespace, &namespace),
            StoreError::NamespaceTerminating { kind, name, namespace } => {
                ApiError::terminating(kind, &name, &namespace)
            }
            StoreError::TooOld { asked, oldest } => ApiError::expired(asked, oldest),
            StoreError::Full { .. } => ApiError::internal("etcdserver: mvcc: database space exceeded"),
            other @ (StoreError::Incomplete { .. } | StoreError::Aborted) => ApiError::internal(other.to_string()),
        }
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ApiError {}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = json_response(self.code, &self.to_status());
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// A JSON answer.
pub fn json_response(code: StatusCode, body: &Value) -> Response {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache, private")];
    (code, headers, body.to_string()).into_response()
}
