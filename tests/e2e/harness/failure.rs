//! A gRPC error, decoded: code, `ErrorInfo.reason`, the fields that `BadRequest` names.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// The domain of every `ErrorInfo`.
const DOMAIN: &str = "podlaunch.dev";

/// What an error says.
#[derive(Debug)]
pub struct Failure {
    pub code: Code,
    pub message: String,
    /// `ErrorInfo.reason`; empty where there is none.
    pub reason: String,
    pub metadata: BTreeMap<String, String>,
    /// The fields of `BadRequest`, in its order.
    pub fields: Vec<String>,
    pub retry_after: Option<Duration>,
}

impl Failure {
    pub fn of(status: &Status) -> Failure {
        let details = status.get_error_details();
        let info = details.error_info();
        if let Some(info) = info {
            assert_eq!(info.domain, DOMAIN, "{status:?}");
        }
        let violations = details.bad_request().map(|bad| bad.field_violations.clone());
        Failure {
            code: status.code(),
            message: status.message().to_owned(),
            reason: info.map(|info| info.reason.clone()).unwrap_or_default(),
            metadata: info.map(|info| info.metadata.clone().into_iter().collect()).unwrap_or_default(),
            fields: violations.unwrap_or_default().into_iter().map(|violation| violation.field).collect(),
            retry_after: details.retry_info().and_then(|retry| retry.retry_delay),
        }
    }

    /// Panics unless code and reason are these.
    #[track_caller]
    pub fn expect(&self, code: Code, reason: &str) -> &Failure {
        assert_eq!((self.code, self.reason.as_str()), (code, reason), "{self}");
        self
    }

    /// Whether a field that begins with `prefix` is named, in `BadRequest` or in the metadata.
    pub fn names(&self, prefix: &str) -> bool {
        let in_metadata = self.metadata.get("field").is_some_and(|field| field.starts_with(prefix));
        in_metadata || self.fields.iter().any(|field| field.starts_with(prefix))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { code, reason, message, fields, metadata, .. } = self;
        write!(f, "{code:?} / {reason}: {message} (fields {fields:?}, metadata {metadata:?})")
    }
}

/// The error of a call that must fail.
#[track_caller]
pub fn failure<T>(result: Result<T, Status>) -> Failure {
    match result {
        Ok(_) => panic!("the call should have failed"),
        Err(status) => Failure::of(&status),
    }
}
