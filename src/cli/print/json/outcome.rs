//! How a task ended, as JSON.

use serde::Serialize;

use super::task::{ContainerJson, StopJson, TimesJson};
use super::{Word, Written, base64, is_false, text, word};
use crate::proto::v1;

/// An outcome.
#[derive(Debug, Serialize)]
pub(super) struct OutcomeJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Word,
    reason_version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    kubernetes_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kubernetes_message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_advice: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    certainty: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<i32>,
    oom_killed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    container: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    containers: Vec<ContainerJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    times: Option<TimesJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<ResultJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    termination_message: Option<Written<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<StopJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node_name: Option<&'a str>,
    #[serde(skip_serializing_if = "is_false")]
    shortened: bool,
}

impl<'a> OutcomeJson<'a> {
    pub(super) fn of(outcome: &'a v1::Outcome) -> Self {
        Self {
            state: word::<v1::TaskState>(outcome.state),
            reason: word::<v1::Reason>(outcome.reason),
            reason_version: outcome.reason_version,
            kubernetes_reason: text(&outcome.kubernetes_reason),
            kubernetes_message: text(&outcome.kubernetes_message),
            origin: word::<v1::Origin>(outcome.origin),
            retry_advice: word::<v1::RetryAdvice>(outcome.retry_advice),
            certainty: word::<v1::Certainty>(outcome.certainty),
            exit_code: outcome.exit_code,
            signal: outcome.signal,
            oom_killed: outcome.oom_killed,
            container: text(&outcome.container),
            containers: outcome.containers.iter().map(ContainerJson::of).collect(),
            times: outcome.times.as_ref().map(TimesJson::of),
            result: outcome.result.as_ref().map(ResultJson::of),
            termination_message: Written::unless_empty(&outcome.termination_message),
            timeout: word::<v1::TimeoutKind>(outcome.timeout),
            stop: outcome.stop.as_ref().map(StopJson::of),
            node_name: text(&outcome.node_name),
            shortened: outcome.shortened,
        }
    }
}

/// What a task gave back.
#[derive(Debug, Serialize)]
pub(super) struct ResultJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Written<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

impl<'a> ResultJson<'a> {
    fn of(result: &'a v1::TaskResult) -> Self {
        Self {
            state: word::<v1::ResultState>(result.state),
            data: (result.state() == v1::ResultState::Inline).then(|| Written::of(&result.data)),
            size_bytes: result.size_bytes,
            sha256: base64(&result.sha256),
        }
    }
}

/// What a chain of streams got of one log.
#[derive(Debug, Serialize)]
pub(super) struct DeliveryJson<'a> {
    container: &'a str,
    restart: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    cause: Word,
    lines: u64,
    bytes: u64,
    gaps: u32,
    ended_mid_line: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_read: Word,
}

impl<'a> DeliveryJson<'a> {
    pub(super) fn of(delivery: &'a v1::ContainerDelivery) -> Self {
        Self {
            container: &delivery.container,
            restart: delivery.restart,
            verdict: word::<v1::DeliveryVerdict>(delivery.verdict),
            cause: word::<v1::LogLossCause>(delivery.cause),
            lines: delivery.lines,
            bytes: delivery.bytes,
            gaps: delivery.gaps,
            ended_mid_line: delivery.ended_mid_line,
            first_read: word::<v1::FirstRead>(delivery.first_read),
        }
    }
}
