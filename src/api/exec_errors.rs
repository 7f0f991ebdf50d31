//! The executor's errors → faults: code, reason, and what to do, as the contract says for each.

use std::time::Duration;

use tonic::Code;

use super::encode_outcome::result_state;
use super::errors::{Extra, Fault, Resource, invalid};
use crate::executor::ExecError;
use crate::executor::{ApiFailure, Denial};
use crate::proto::v1::ErrorReason;
use crate::task::cursor::CursorError;
use crate::task::spec::SpecError;

/// Which kind of call failed, where the contract tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    /// LaunchTask.
    Launch,
    /// Any other.
    Other,
}

/// The fault of an executor's error.
pub(super) fn fault(error: &ExecError, call: Call) -> Fault {
    let fault = kind(error, call);
    // At a shutdown another replica answers at once: there is nothing to wait for.
    let after = error.retry_after().filter(|_| !matches!(error, ExecError::ShuttingDown));
    match (after, error) {
        // These have their own answer to whether repeating helps.
        (_, ExecError::ClusterUnavailable(_)) | (None, _) => fault,
        (Some(after), _) => fault.with(Extra::Retry(after)),
    }
}

fn kind(error: &ExecError, call: Call) -> Fault {
    let new = |code, reason| Fault::new(code, reason, error.to_string());
    match error {
        ExecError::Invalid(fields) => invalid(fields.clone()),
        ExecError::Key(wrong) => invalid(vec![SpecError::new(wrong.field, wrong.problem.clone())]),
        ExecError::TemplateUnknown { name, .. } => new(Code::InvalidArgument, ErrorReason::TemplateUnknown)
            .with(resource("Template", name, "is not known to this server"))
            .with(Extra::Fields(vec![SpecError::new("spec.template", "names no template of this server")])),
        ExecError::PolicyViolated(fields) => {
            new(Code::InvalidArgument, ErrorReason::PolicyViolated).with(Extra::Fields(fields.clone()))
        }
        ExecError::SpecRejected { fields, .. } => {
            new(Code::InvalidArgument, ErrorReason::SpecRejected).with(Extra::Fields(fields.clone()))
        }
        ExecError::TooLarge { .. } => new(Code::InvalidArgument, ErrorReason::RequestTooLarge)
            .with(Extra::Metadata("limit", "kubernetes_object_size".to_owned())),
        ExecError::SpecMismatch { key, existing, requested } => new(Code::AlreadyExists, ErrorReason::TaskSpecMismatch)
            .with(resource("Task", key, &format!("has fingerprint {existing}, this request {requested}"))),
        ExecError::OtherInstance { pod, why } => {
            new(Code::AlreadyExists, ErrorReason::OtherInstance).with(resource("Pod", pod, why))
        }
        ExecError::PodTerminating { pod } => {
            new(Code::FailedPrecondition, ErrorReason::PodTerminating).with(resource("Pod", pod, "is being deleted"))
        }
        ExecError::TaskUnknown { key } => {
            new(Code::NotFound, ErrorReason::TaskUnknown).with(resource("Task", key, "is not known"))
        }
        ExecError::TaskReleased { key } => {
            new(Code::NotFound, ErrorReason::TaskReleased).with(resource("Task", key, "has ended and was released"))
        }
        ExecError::TaskActive { key } => {
            new(Code::FailedPrecondition, ErrorReason::TaskActive).with(resource("Task", key, "is not finished"))
        }
        ExecError::PodUidMismatch { key, uid } => new(Code::FailedPrecondition, ErrorReason::PodUidMismatch)
            .with(resource("Task", key, &format!("its pod has uid {uid}"))),
        ExecError::ClusterUnknown { cluster } => cluster_unknown(cluster),
        ExecError::NamespaceNotServed { namespace } => {
            let code = if call == Call::Launch { Code::FailedPrecondition } else { Code::NotFound };
            new(code, ErrorReason::NamespaceNotServed).with(resource("Namespace", namespace, "is not served here"))
        }
        ExecError::NamespaceMissing { .. } => new(Code::FailedPrecondition, ErrorReason::NamespaceNotFound)
            .with(Extra::Fields(vec![SpecError::new("key.namespace", "does not exist in the cluster")])),
        ExecError::Forbidden(denial) => denied(denial, error),
        ExecError::RateLimited { .. } => new(Code::ResourceExhausted, ErrorReason::RateLimited),
        ExecError::LaunchUnknown(failure) => {
            let fault = new(Code::Unavailable, ErrorReason::LaunchUnknown);
            failure.as_ref().map_or_else(Vec::new, kubernetes).into_iter().fold(fault, Fault::with)
        }
        ExecError::ClusterUnavailable(failure) => api_failure(error, failure),
        // Nothing says when it will be finished, so there is no RetryInfo.
        ExecError::PreviousActive { key } => new(Code::FailedPrecondition, ErrorReason::PreviousAttemptActive)
            .with(resource("Task", key, "is not finished")),
        ExecError::ResultUnavailable { state, .. } => {
            let told = state.map(|state| result_state(state).as_str_name().to_owned());
            let told = told.map(|name| Extra::Metadata("result_state", name));
            told.into_iter().fold(new(Code::NotFound, ErrorReason::ResultUnavailable), Fault::with)
        }
        ExecError::WatchStale { .. } => new(Code::Unavailable, ErrorReason::WatchStale),
        ExecError::Cursor(wrong) => cursor(wrong),
        ExecError::TooManyStreams { .. } => new(Code::ResourceExhausted, ErrorReason::LimitExceeded)
            .with(Extra::Metadata("limit", "max_streams".to_owned()))
            .with(Extra::Quota("max_streams".to_owned())),
        ExecError::ReaderTooSlow(_) => {
            new(Code::Aborted, ErrorReason::ReaderTooSlow).with(Extra::Metadata("limit", "stall_limit".to_owned()))
        }
        ExecError::ShuttingDown => new(Code::Unavailable, ErrorReason::ShuttingDown),
        ExecError::Internal(_) => new(Code::Internal, ErrorReason::Internal),
    }
}

fn resource(kind: &'static str, name: &str, problem: &str) -> Extra {
    Extra::Resource(Resource { kind, name: name.to_owned(), problem: problem.to_owned() })
}

fn denied(denial: &Denial, error: &ExecError) -> Fault {
    let new = |code, reason| Fault::new(code, reason, error.to_string()).with(code_of(403));
    match denial {
        Denial::Quota(_) => {
            new(Code::ResourceExhausted, ErrorReason::QuotaExceeded).with(Extra::Quota("ResourceQuota".to_owned()))
        }
        Denial::ServiceAccount(_) => new(Code::FailedPrecondition, ErrorReason::ServiceAccountNotFound),
        Denial::NamespaceTerminating(_) => new(Code::FailedPrecondition, ErrorReason::NamespaceTerminating),
        Denial::Admission(_) => new(Code::FailedPrecondition, ErrorReason::AdmissionDenied)
            .with(Extra::Precondition("ADMISSION", "Pod".to_owned())),
        Denial::Rbac(_) => new(Code::PermissionDenied, ErrorReason::ForbiddenByCluster),
    }
}

/// The API server failed or refused; only what may pass is UNAVAILABLE.
fn api_failure(error: &ExecError, failure: &ApiFailure) -> Fault {
    let words = failure.to_string();
    let message = format!("{error}: {words}");
    let second = Extra::Retry(Duration::from_secs(1));
    let fault = match failure {
        ApiFailure::Timeout | ApiFailure::Transport(_) | ApiFailure::Server { .. } => {
            Fault::new(Code::Unavailable, ErrorReason::ClusterUnavailable, message).with(second)
        }
        ApiFailure::Throttled { after, .. } => {
            Fault::new(Code::ResourceExhausted, ErrorReason::RateLimited, words).with(Extra::Retry(*after))
        }
        ApiFailure::Refused { code: 401 | 403, .. } => {
            Fault::new(Code::PermissionDenied, ErrorReason::ForbiddenByCluster, words)
        }
        ApiFailure::Refused { code: 409, .. } => Fault::new(Code::Aborted, ErrorReason::Conflict, words),
        ApiFailure::NotFound { .. } | ApiFailure::Refused { .. } | ApiFailure::Unreadable(_) => {
            Fault::new(Code::Internal, ErrorReason::Internal, words)
        }
    };
    kubernetes(failure).into_iter().fold(fault, Fault::with)
}

/// What Kubernetes said, as metadata.
fn kubernetes(failure: &ApiFailure) -> Vec<Extra> {
    match failure {
        ApiFailure::Server { code, .. } => vec![code_of(*code)],
        ApiFailure::Throttled { .. } => vec![code_of(429)],
        ApiFailure::NotFound { .. } => vec![code_of(404)],
        ApiFailure::Refused { code, reason, .. } if reason.is_empty() => vec![code_of(*code)],
        ApiFailure::Refused { code, reason, .. } => {
            vec![code_of(*code), Extra::Metadata("kubernetes_reason", reason.clone())]
        }
        ApiFailure::Timeout | ApiFailure::Transport(_) | ApiFailure::Unreadable(_) => Vec::new(),
    }
}

fn code_of(code: u16) -> Extra {
    Extra::Metadata("kubernetes_code", code.to_string())
}

/// There is no such cluster.
pub(super) fn cluster_unknown(cluster: &str) -> Fault {
    let message = format!("cluster {cluster:?} is not known; leave it empty for the only one");
    let field = SpecError::new("key.cluster", "is not a cluster of this server; leave it empty for the only one");
    Fault::new(Code::InvalidArgument, ErrorReason::ClusterUnknown, message).with(Extra::Fields(vec![field]))
}

/// A cursor that cannot be used.
pub(super) fn cursor(error: &CursorError) -> Fault {
    let reason = match error {
        CursorError::Foreign => ErrorReason::CursorForeign,
        CursorError::Unsupported => ErrorReason::CursorUnsupported,
        CursorError::Invalid => ErrorReason::CursorInvalid,
    };
    let field = SpecError::new("cursor", error.to_string());
    Fault::new(Code::InvalidArgument, reason, error.to_string()).with(Extra::Fields(vec![field]))
}

/// Containers named in a filter that the pod does not have.
pub(super) fn no_such_container(index: usize, has: &[&str]) -> Fault {
    let field = format!("filter.logs.containers[{index}]");
    invalid(vec![SpecError::new(field, format!("is not a container of the pod; it has: {}", has.join(", ")))])
}
