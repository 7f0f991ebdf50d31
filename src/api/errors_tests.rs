use std::time::Duration;

use super::*;
use crate::api::checks::TooLarge;
use crate::api::exec_errors::{self, Call};
use crate::executor::ExecError;
use crate::executor::{ApiFailure, Denial};
use crate::task::TaskKey;
use crate::task::cursor::CursorError;
use crate::task::spec::{EnvSource, EnvVar, Literal, TaskSpec};

fn context() -> Context {
    let key = v1::TaskKey { cluster: "main".into(), namespace: "n".into(), task_id: "t".into(), attempt: 2 };
    Context { key: Some(key), pod_name: Some("t-x".into()), pod_uid: None, scrubber: Scrubber::default() }
}

fn status(error: &ExecError, call: Call) -> Status {
    exec_errors::fault(error, call).into_status(&context())
}

fn refused(code: u16) -> ExecError {
    ExecError::ClusterUnavailable(ApiFailure::Refused { code, reason: "Because".into(), message: "no".into() })
}

/// Every error: code, reason, seconds of RetryInfo.
fn table() -> Vec<(ExecError, Code, &'static str, Option<u64>)> {
    let field = || vec![SpecError::new("spec.container.image", "is required")];
    let s = String::from;
    let failure = || ApiFailure::Server { code: 503, message: s("busy") };
    vec![
        (ExecError::Invalid(field()), Code::InvalidArgument, "INVALID_REQUEST", None),
        (TaskKey::new("", "n", "", 1).unwrap_err().into(), Code::InvalidArgument, "INVALID_REQUEST", None),
        (ExecError::SpecRejected { message: s("no"), fields: field() }, Code::InvalidArgument, "SPEC_REJECTED", None),
        (ExecError::TooLarge { message: s("big") }, Code::InvalidArgument, "REQUEST_TOO_LARGE", None),
        (
            ExecError::SpecMismatch { key: s("n/t#2"), existing: s("v1:a"), requested: s("v1:b") },
            Code::AlreadyExists,
            "TASK_SPEC_MISMATCH",
            None,
        ),
        (ExecError::OtherInstance { pod: s("n/p"), why: s("label") }, Code::AlreadyExists, "OTHER_INSTANCE", None),
        (ExecError::PodTerminating { pod: s("n/p") }, Code::FailedPrecondition, "POD_TERMINATING", Some(2)),
        (ExecError::TaskUnknown { key: s("n/t#2") }, Code::NotFound, "TASK_UNKNOWN", None),
        (ExecError::ClusterUnknown { cluster: s("x") }, Code::InvalidArgument, "CLUSTER_UNKNOWN", None),
        (
            ExecError::NamespaceMissing { namespace: s("n"), message: s("no") },
            Code::FailedPrecondition,
            "NAMESPACE_NOT_FOUND",
            None,
        ),
        (ExecError::Forbidden(Denial::Quota(s("exceeded quota"))), Code::ResourceExhausted, "QUOTA_EXCEEDED", Some(10)),
        (
            ExecError::Forbidden(Denial::ServiceAccount(s("x"))),
            Code::FailedPrecondition,
            "SERVICE_ACCOUNT_NOT_FOUND",
            Some(2),
        ),
        (
            ExecError::Forbidden(Denial::NamespaceTerminating(s("x"))),
            Code::FailedPrecondition,
            "NAMESPACE_TERMINATING",
            None,
        ),
        (ExecError::Forbidden(Denial::Admission(s("x"))), Code::FailedPrecondition, "ADMISSION_DENIED", None),
        (ExecError::Forbidden(Denial::Rbac(s("x"))), Code::PermissionDenied, "FORBIDDEN_BY_CLUSTER", None),
        (
            ExecError::RateLimited { after: Duration::from_secs(7), message: s("slow") },
            Code::ResourceExhausted,
            "RATE_LIMITED",
            Some(7),
        ),
        (ExecError::LaunchUnknown(None), Code::Unavailable, "LAUNCH_UNKNOWN", Some(1)),
        (ExecError::LaunchUnknown(Some(failure())), Code::Unavailable, "LAUNCH_UNKNOWN", Some(1)),
        (ExecError::ClusterUnavailable(ApiFailure::Timeout), Code::Unavailable, "CLUSTER_UNAVAILABLE", Some(1)),
        (ExecError::ClusterUnavailable(failure()), Code::Unavailable, "CLUSTER_UNAVAILABLE", Some(1)),
        (
            ExecError::ClusterUnavailable(ApiFailure::Throttled { after: Duration::from_secs(9), message: s("x") }),
            Code::ResourceExhausted,
            "RATE_LIMITED",
            Some(9),
        ),
        (refused(403), Code::PermissionDenied, "FORBIDDEN_BY_CLUSTER", None),
        (refused(409), Code::Aborted, "CONFLICT", None),
        (refused(422), Code::Internal, "INTERNAL", None),
        (ExecError::WatchStale { namespace: s("n") }, Code::Unavailable, "WATCH_STALE", Some(1)),
        (ExecError::Cursor(CursorError::Foreign), Code::InvalidArgument, "CURSOR_FOREIGN", None),
        (ExecError::Cursor(CursorError::Unsupported), Code::InvalidArgument, "CURSOR_UNSUPPORTED", None),
        (ExecError::Cursor(CursorError::Invalid), Code::InvalidArgument, "CURSOR_INVALID", None),
        (ExecError::TooManyStreams { limit: 5 }, Code::ResourceExhausted, "LIMIT_EXCEEDED", Some(5)),
        (ExecError::ReaderTooSlow(Duration::from_secs(60)), Code::Aborted, "READER_TOO_SLOW", Some(1)),
        (ExecError::ShuttingDown, Code::Unavailable, "SHUTTING_DOWN", None),
        (ExecError::Internal(s("bug")), Code::Internal, "INTERNAL", None),
    ]
}

#[test]
fn every_error_has_code_reason_and_retry_as_the_contract_says() {
    for (error, code, reason, retry) in table() {
        let status = status(&error, Call::Launch);
        assert_eq!(status.code(), code, "{error:?}");
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), (reason, "podlaunch.dev"), "{error:?}");
        assert!(ErrorReason::from_str_name(&format!("ERROR_REASON_{reason}")).is_some(), "{reason}");
        let after = details.retry_info().and_then(|retry| retry.retry_delay).map(|delay| delay.as_secs());
        assert_eq!(after, retry, "{error:?}");
        for (name, value) in
            [("cluster", "main"), ("namespace", "n"), ("task_id", "t"), ("attempt", "2"), ("pod_name", "t-x")]
        {
            assert_eq!(info.metadata.get(name).map(String::as_str), Some(value), "{error:?}");
        }
        assert!(!status.message().is_empty());
    }
}

#[test]
fn a_namespace_not_served_is_a_precondition_only_in_a_launch() {
    let error = ExecError::NamespaceNotServed { namespace: "n".into() };
    for (call, code) in [(Call::Launch, Code::FailedPrecondition), (Call::Other, Code::NotFound)] {
        let status = status(&error, call);
        assert_eq!(status.code(), code);
        assert_eq!(status.get_details_error_info().unwrap().reason, "NAMESPACE_NOT_SERVED");
    }
}

#[test]
fn details_fit_the_error() {
    let quota = status(&ExecError::Forbidden(Denial::Quota("exceeded quota: q".into())), Call::Launch);
    assert!(quota.get_details_quota_failure().unwrap().violations[0].description.contains("exceeded quota: q"));
    let admission = status(&ExecError::Forbidden(Denial::Admission("LimitRange".into())), Call::Launch);
    assert_eq!(admission.get_details_precondition_failure().unwrap().violations[0].r#type, "ADMISSION");
    let other = status(&ExecError::OtherInstance { pod: "n/p".into(), why: "w".into() }, Call::Launch);
    assert_eq!(other.get_details_resource_info().unwrap().resource_name, "n/p");
    let missing = ExecError::NamespaceMissing { namespace: "n".into(), message: "no".into() };
    let bad = status(&missing, Call::Launch).get_details_bad_request().unwrap();
    assert_eq!(bad.field_violations[0].field, "key.namespace");
    let info = status(&refused(403), Call::Other).get_details_error_info().unwrap();
    assert_eq!(
        (info.metadata["kubernetes_code"].as_str(), info.metadata["kubernetes_reason"].as_str()),
        ("403", "Because")
    );
    let previous = status(&ExecError::PreviousActive { key: "n/t#1".into() }, Call::Launch);
    assert_eq!(previous.code(), Code::FailedPrecondition);
    assert_eq!(previous.get_details_error_info().unwrap().reason, "PREVIOUS_ATTEMPT_ACTIVE");
    assert!(previous.get_details_retry_info().is_none());
    assert_eq!(previous.get_details_resource_info().unwrap().resource_name, "n/t#1");
}

#[test]
fn refusals() {
    let part = |field: &str, feature: &str| Unavailable { field: field.into(), feature: feature.into() };
    let large = |field| TooLarge { field, limit: "max_manifest_bytes", most: 1, has: 2 };
    type Case = (Refusal, Code, &'static str, Option<&'static str>, (&'static str, &'static str));
    let cases: Vec<Case> = vec![
        (
            Refusal::FeatureUnknown(part("required_features[0]", "x")),
            Code::Unimplemented,
            "FEATURE_UNKNOWN",
            Some("required_features[0]"),
            ("feature", "x"),
        ),
        (
            Refusal::FeatureUnavailable(vec![part("spec.template", "templates"), part("spec.result", "task_results")]),
            Code::Unimplemented,
            "FEATURE_UNAVAILABLE",
            Some("spec.template"),
            ("feature", "templates"),
        ),
        (
            Refusal::TooLarge(large("spec.manifest")),
            Code::InvalidArgument,
            "REQUEST_TOO_LARGE",
            Some("spec.manifest"),
            ("limit", "max_manifest_bytes"),
        ),
        (
            Refusal::TooLarge(large("")),
            Code::InvalidArgument,
            "REQUEST_TOO_LARGE",
            None,
            ("limit", "max_manifest_bytes"),
        ),
        (
            Refusal::ClusterUnknown { cluster: "x".into() },
            Code::InvalidArgument,
            "CLUSTER_UNKNOWN",
            Some("key.cluster"),
            ("field", "key.cluster"),
        ),
        (
            Refusal::Invalid(vec![SpecError::new("key", "is required")]),
            Code::InvalidArgument,
            "INVALID_REQUEST",
            Some("key"),
            ("field", "key"),
        ),
    ];
    for (refusal, code, reason, field, (name, value)) in cases {
        let text = format!("{refusal:?}");
        let status = Fault::from(refusal).into_status(&Context::default());
        let info = status.get_details_error_info().unwrap();
        assert_eq!((status.code(), info.reason.as_str()), (code, reason), "{text}");
        assert_eq!(info.metadata.get(name).map(String::as_str), Some(value), "{text}");
        let first = status.get_details_bad_request().map(|bad| bad.field_violations[0].field.clone());
        assert_eq!(first.as_deref(), field, "{text}");
    }
    let call = Fault::call_unavailable("watch_tasks").into_status(&Context::default());
    assert_eq!(call.code(), Code::Unimplemented);
    assert_eq!(call.get_details_error_info().unwrap().metadata["feature"], "watch_tasks");
}

#[test]
fn no_literal_of_the_request_is_in_a_status() {
    let secret = "hunter2-secret";
    let mut spec = TaskSpec::default();
    spec.short.env.push(EnvVar { name: "A".into(), source: EnvSource::Value(Literal(secret.into())) });
    let context = Context { scrubber: Scrubber::of(&spec, None), ..context() };
    let s = || format!("Invalid value: {secret:?}");
    let errors = [
        ExecError::SpecRejected { message: s(), fields: vec![SpecError::new(s(), s())] },
        ExecError::Forbidden(Denial::Quota(s())),
        ExecError::Forbidden(Denial::Admission(s())),
        ExecError::OtherInstance { pod: s(), why: s() },
        ExecError::ClusterUnavailable(ApiFailure::Refused { code: 403, reason: s(), message: s() }),
        ExecError::Internal(s()),
    ];
    for error in errors {
        let status = exec_errors::fault(&error, Call::Launch).into_status(&context);
        assert!(status.message().contains("***"), "{}", status.message());
        assert!(!status.message().contains(secret));
        assert!(!String::from_utf8_lossy(status.details()).contains(secret), "{error:?}");
        assert!(!format!("{status:?}").contains(secret));
    }
}

#[test]
fn an_error_stays_within_what_clients_take() {
    let fields = (0..1000).map(|i| SpecError::new(format!("spec.container.env[{i}].name"), "ä".repeat(2000))).collect();
    let key = v1::TaskKey { task_id: "t".repeat(253), namespace: "n".repeat(63), ..Default::default() };
    let context = Context { key: Some(key), ..context() };
    let error = ExecError::SpecRejected { message: "x".repeat(100_000), fields };
    let status = exec_errors::fault(&error, Call::Launch).into_status(&context);
    assert!(status.message().len() + status.details().len() * 4 / 3 < 8 * 1024);
    let violations = status.get_details_bad_request().unwrap().field_violations;
    assert!(violations.len() > 2 && violations.len() < 1000);
    assert!(violations.last().unwrap().description.contains("more fields are wrong"));
}
