//! Why a call failed → `google.rpc.Status`.
//!
//! ```text
//! Refusal (decode) ──┐
//! ExecError ─────────┼─▶ Fault { code, reason, message, fields, retry … } ──into_status(context)──▶ Status
//! feature missing ───┘                                    key, pod, scrubber ─┘     + ErrorInfo always
//! ```
//!
//! All texts are scrubbed of the request's literals and cut, so that an error fits the 8 KiB of
//! metadata that common gRPC libraries take.

use std::collections::HashMap;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use super::checks::{Refusal, Unavailable};
use super::encode::clip;
use super::scrub::Scrubber;
use crate::proto::v1;
use crate::proto::v1::ErrorReason;
use crate::task::spec::SpecError;

/// Domain of every ErrorInfo.
pub const DOMAIN: &str = "podlaunch.dev";
/// Longest message of an error, bytes.
const MAX_MESSAGE: usize = 1024;
/// Longest description of one violation, bytes.
const MAX_DESCRIPTION: usize = 512;
/// All field violations of an error, bytes.
const MAX_VIOLATIONS: usize = 2560;
/// Longest value of a metadata entry, bytes.
const MAX_METADATA: usize = 256;

/// The caller is not known. `what` says what it should show.
pub(super) fn unauthenticated(what: &str) -> Status {
    Fault::new(Code::Unauthenticated, ErrorReason::Unauthenticated, format!("the caller is not known: {what}"))
        .into_status(&Context::default())
}

/// What is known about the task an error is about.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// Its key as full as it is known.
    pub key: Option<v1::TaskKey>,
    /// Name of its pod.
    pub pod_name: Option<String>,
    /// uid of its pod.
    pub pod_uid: Option<String>,
    /// Literals that must not show.
    pub scrubber: Scrubber,
}

/// A resource an error names.
#[derive(Debug)]
pub(super) struct Resource {
    /// `Pod`, `Task`, `Namespace`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// What is with it.
    pub problem: String,
}

/// Something of a [`Fault`] beside its message.
#[derive(Debug)]
pub(super) enum Extra {
    /// RetryInfo.
    Retry(Duration),
    /// BadRequest.
    Fields(Vec<SpecError>),
    /// ResourceInfo.
    Resource(Resource),
    /// QuotaFailure of this subject.
    Quota(String),
    /// PreconditionFailure of this type and subject.
    Precondition(&'static str, String),
    /// An entry of ErrorInfo.metadata.
    Metadata(&'static str, String),
}

/// A failed call.
#[derive(Debug)]
pub(super) struct Fault {
    code: Code,
    reason: ErrorReason,
    message: String,
    extras: Vec<Extra>,
}

impl Fault {
    /// A fault without details.
    pub fn new(code: Code, reason: ErrorReason, message: impl Into<String>) -> Fault {
        Fault { code, reason, message: message.into(), extras: Vec::new() }
    }

    /// With one more detail.
    pub fn with(mut self, extra: Extra) -> Fault {
        self.extras.push(extra);
        self
    }

    /// A call that this version does not have.
    pub fn call_unavailable(feature: &str) -> Fault {
        let message = format!("this server does not have feature {feature} yet; GetServerInfo lists what it has");
        Fault::new(Code::Unimplemented, ErrorReason::FeatureUnavailable, message)
            .with(Extra::Metadata("feature", feature.to_owned()))
    }

    /// The status, with what is known about the task.
    pub fn into_status(self, context: &Context) -> Status {
        let clean = |text: &str, most: usize| clip(&context.scrubber.scrub(text), most).to_owned();
        let message = clean(&self.message, MAX_MESSAGE);
        let mut details = ErrorDetails::new();
        let mut metadata = known(context);
        for extra in self.extras {
            match extra {
                Extra::Retry(after) => {
                    details.set_retry_info(Some(after));
                }
                Extra::Fields(fields) => {
                    if let Some(first) = fields.first() {
                        metadata.entry("field".to_owned()).or_insert_with(|| clean(&first.field, MAX_METADATA));
                    }
                    details.set_bad_request(violations(&fields, &clean));
                }
                Extra::Resource(resource) => {
                    let (name, problem) =
                        (clean(&resource.name, MAX_DESCRIPTION), clean(&resource.problem, MAX_DESCRIPTION));
                    details.set_resource_info(resource.kind, name, "", problem);
                }
                Extra::Quota(subject) => {
                    details.add_quota_failure_violation(subject, clip(&message, MAX_DESCRIPTION));
                }
                Extra::Precondition(kind, subject) => {
                    details.add_precondition_failure_violation(kind, subject, clip(&message, MAX_DESCRIPTION));
                }
                Extra::Metadata(name, value) => {
                    metadata.insert(name.to_owned(), clean(&value, MAX_METADATA));
                }
            }
        }
        details.set_error_info(reason_name(self.reason), DOMAIN, metadata);
        Status::with_error_details(self.code, message, details)
    }
}

/// The name of a reason as ErrorInfo has it.
pub(super) fn reason_name(reason: ErrorReason) -> &'static str {
    let name = reason.as_str_name();
    name.strip_prefix("ERROR_REASON_").unwrap_or(name)
}

fn known(context: &Context) -> HashMap<String, String> {
    let mut metadata = HashMap::new();
    let mut put = |name: &str, value: &str| {
        if !value.is_empty() {
            metadata.insert(name.to_owned(), clip(value, MAX_METADATA).to_owned());
        }
    };
    if let Some(key) = &context.key {
        put("cluster", &key.cluster);
        put("namespace", &key.namespace);
        put("task_id", &key.task_id);
        if key.attempt > 0 {
            put("attempt", &key.attempt.to_string());
        }
    }
    put("pod_name", context.pod_name.as_deref().unwrap_or_default());
    put("pod_uid", context.pod_uid.as_deref().unwrap_or_default());
    metadata
}

/// As many violations as fit; the last one says how many do not.
fn violations(fields: &[SpecError], clean: &impl Fn(&str, usize) -> String) -> Vec<FieldViolation> {
    let mut out = Vec::new();
    let mut bytes = 0;
    for (i, error) in fields.iter().enumerate() {
        let field = clean(&error.field, MAX_DESCRIPTION);
        let problem = clean(&error.problem, MAX_DESCRIPTION);
        bytes += field.len() + problem.len();
        if bytes > MAX_VIOLATIONS {
            out.push(FieldViolation::new(field, format!("and {} more fields are wrong", fields.len() - i)));
            break;
        }
        out.push(FieldViolation::new(field, problem));
    }
    out
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Fault {
        match refusal {
            Refusal::FeatureUnknown(asked) => {
                let message = format!("feature {:?} is not known to this server; use a newer one", asked.feature);
                Fault::new(Code::Unimplemented, ErrorReason::FeatureUnknown, message)
                    .with(Extra::Metadata("feature", asked.feature))
                    .with(Extra::Fields(vec![SpecError::new(asked.field, "is not known to this server")]))
            }
            Refusal::FeatureUnavailable(asked) => unavailable(asked),
            Refusal::TooLarge(found) => {
                let what = if found.field.is_empty() { "the request" } else { found.field };
                let problem = format!("has {} bytes; at most {} are allowed", found.has, found.most);
                let fault =
                    Fault::new(Code::InvalidArgument, ErrorReason::RequestTooLarge, format!("{what} {problem}"))
                        .with(Extra::Metadata("limit", found.limit.to_owned()));
                match found.field {
                    "" => fault,
                    field => fault.with(Extra::Fields(vec![SpecError::new(field, problem)])),
                }
            }
            Refusal::ClusterUnknown { cluster } => super::exec_errors::cluster_unknown(&cluster),
            Refusal::Invalid(fields) => invalid(fields),
        }
    }
}

fn unavailable(asked: Vec<Unavailable>) -> Fault {
    let listed = asked.iter().take(3).map(|part| format!("{} (feature {})", part.field, part.feature));
    let more = if asked.len() > 3 { format!(" and {} more", asked.len() - 3) } else { String::new() };
    let message = format!(
        "this server does not have what the request asks for yet: {}{more}",
        listed.collect::<Vec<_>>().join(", ")
    );
    let feature = asked.first().map(|part| part.feature.clone()).unwrap_or_default();
    let fields = asked.into_iter().map(|part| {
        SpecError::new(part.field, format!("needs feature {}, which this server does not have yet", part.feature))
    });
    Fault::new(Code::Unimplemented, ErrorReason::FeatureUnavailable, message)
        .with(Extra::Metadata("feature", feature))
        .with(Extra::Fields(fields.collect()))
}

/// Fields that are wrong.
pub(super) fn invalid(fields: Vec<SpecError>) -> Fault {
    let listed = fields.iter().take(3).map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let more = if fields.len() > 3 { format!("; and {} more", fields.len() - 3) } else { String::new() };
    let message = format!("the request is invalid: {listed}{more}");
    Fault::new(Code::InvalidArgument, ErrorReason::InvalidRequest, message).with(Extra::Fields(fields))
}

#[cfg(test)]
#[path = "errors_tests.rs"]
mod tests;
