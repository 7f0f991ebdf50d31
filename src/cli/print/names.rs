//! Enum values in the contract's words, without their type's prefix: `TASK_STATE_RUNNING` → `RUNNING`.
//!
//! Enums are open: a value newer than this client is shown as its number.

use std::borrow::Cow;

use crate::proto::v1;

/// An enum of the contract.
pub(crate) trait Named: TryFrom<i32> {
    /// What its values' names begin with.
    const PREFIX: &'static str;

    /// The name as the contract has it.
    fn full_name(&self) -> &'static str;
}

macro_rules! named {
    ($($kind:ident $prefix:literal),* $(,)?) => {
        $(impl Named for v1::$kind {
            const PREFIX: &'static str = $prefix;

            fn full_name(&self) -> &'static str {
                self.as_str_name()
            }
        })*
    };
}

named! {
    TaskState "TASK_STATE_",
    Reason "REASON_",
    Origin "ORIGIN_",
    RetryAdvice "RETRY_ADVICE_",
    Certainty "CERTAINTY_",
    TimeoutKind "TIMEOUT_KIND_",
    StopCause "STOP_CAUSE_",
    ContainerRole "CONTAINER_ROLE_",
    NoticeKind "NOTICE_KIND_",
    NoticeSeverity "NOTICE_SEVERITY_",
    LogStream "LOG_STREAM_",
    LogLossCause "LOG_LOSS_CAUSE_",
    DeliveryVerdict "DELIVERY_VERDICT_",
    FirstRead "FIRST_READ_",
    AcceptedHow "ACCEPTED_HOW_",
    CancelResult "CANCEL_RESULT_",
    TaskSource "TASK_SOURCE_",
    FeatureState "FEATURE_STATE_",
    DeletionCoverage "DELETION_COVERAGE_",
    ResultState "RESULT_STATE_",
}

/// The value's name without prefix; the number where this client does not know it.
pub(crate) fn name<E: Named>(value: i32) -> Cow<'static, str> {
    match E::try_from(value) {
        Ok(known) => {
            let full = known.full_name();
            Cow::Borrowed(full.strip_prefix(E::PREFIX).unwrap_or(full))
        }
        Err(_) => Cow::Owned(value.to_string()),
    }
}

/// As [`name`]; none where nothing is said.
pub(crate) fn said<E: Named>(value: i32) -> Option<Cow<'static, str>> {
    (value != 0).then(|| name::<E>(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_no_prefix_and_unknown_values_are_numbers() {
        assert_eq!(name::<v1::TaskState>(3), "RUNNING");
        assert_eq!(name::<v1::TaskState>(0), "UNSPECIFIED");
        assert_eq!(name::<v1::Reason>(20), "START_ERROR");
        assert_eq!(name::<v1::Reason>(12345), "12345");
        assert_eq!(said::<v1::Reason>(0), None);
        assert_eq!(said::<v1::NoticeSeverity>(2).as_deref(), Some("WARNING"));
    }
}
