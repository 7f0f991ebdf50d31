//! Events, tasks and server info as JSON, one object a line.
//!
//! The shapes follow the contract: field names as in the proto files, enum values without their prefix, times in RFC
//! 3339, spans in seconds, what is unset left out. Bytes that a container wrote are `text` where they are UTF-8, else
//! `base64`; cursors are base64. More fields may come: ignore those you do not know.

mod event;
mod info;
mod outcome;
mod task;
mod template;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use data_encoding::BASE64;
use serde::Serialize;

use super::names::{Named, said};
use super::text::exact;
use crate::proto::v1;

pub(crate) use event::{EventJson, ValidatedJson, accepted, end_of_available};
pub(crate) use info::InfoJson;
pub(crate) use task::{CancelledJson, TaskJson};
pub(crate) use template::TemplateJson;

/// One line of JSON, newline included.
pub(crate) fn line(value: &impl Serialize) -> Vec<u8> {
    // The types here have string keys only and no failing `Serialize`; an error would be a fault in this module, and
    // is shown as what it is.
    let mut line = serde_json::to_vec(value)
        .unwrap_or_else(|error| format!("{{\"type\":\"error\",\"message\":\"{error:?}\"}}").into());
    line.push(b'\n');
    line
}

/// JSON of the server's as YAML that Kubernetes' tools read; as it came where it is no JSON.
pub(crate) fn yaml(json: &str) -> String {
    match serde_json::from_str::<serde_json::Value>(json) {
        Ok(value) => to_yaml(&value),
        Err(_) => format!("{json}\n"),
    }
}

/// YAML, newline included.
pub(crate) fn to_yaml(value: &impl Serialize) -> String {
    // As for `line`: it does not fail on what is here.
    let mut text = serde_saphyr::to_string(value).unwrap_or_else(|error| format!("error: {error:?}"));
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

type Word = Option<Cow<'static, str>>;

fn word<E: Named>(value: i32) -> Word {
    said::<E>(value)
}

fn text(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn time(time: Option<&prost_types::Timestamp>) -> Option<String> {
    time.and_then(exact)
}

/// A span in seconds.
fn span(span: Option<&prost_types::Duration>) -> Option<f64> {
    span.map(|span| {
        // Exact up to 2^53 s; the contract has no longer ones.
        span.seconds as f64 + f64::from(span.nanos) / 1e9
    })
}

fn base64(bytes: &[u8]) -> Option<String> {
    (!bytes.is_empty()).then(|| BASE64.encode(bytes))
}

/// Bytes that a container wrote.
#[derive(Debug, Serialize)]
struct Written<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

impl<'a> Written<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self { text: Some(text), base64: None },
            Err(_) => Self { text: None, base64: Some(BASE64.encode(bytes)) },
        }
    }

    fn unless_empty(bytes: &'a [u8]) -> Option<Self> {
        (!bytes.is_empty()).then(|| Self::of(bytes))
    }
}

/// A task's key.
#[derive(Debug, Serialize)]
pub(crate) struct KeyJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'a str>,
    namespace: &'a str,
    task_id: &'a str,
    attempt: u32,
}

impl<'a> KeyJson<'a> {
    pub(crate) fn of(key: &'a v1::TaskKey) -> Self {
        Self { cluster: text(&key.cluster), namespace: &key.namespace, task_id: &key.task_id, attempt: key.attempt }
    }

    fn maybe(key: Option<&'a v1::TaskKey>) -> Option<Self> {
        key.map(Self::of)
    }
}

/// A pod.
#[derive(Debug, Serialize)]
struct PodJson<'a> {
    namespace: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    uid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node_name: Option<&'a str>,
}

impl<'a> PodJson<'a> {
    fn maybe(pod: Option<&'a v1::PodRef>) -> Option<Self> {
        pod.map(|pod| Self {
            namespace: &pod.namespace,
            name: &pod.name,
            uid: text(&pod.uid),
            node_name: text(&pod.node_name),
        })
    }
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// JSON for people: indented, with a newline. A text that is no JSON stays as it is.
pub(crate) fn pretty(json: &str) -> String {
    let pretty = serde_json::from_str::<serde_json::Value>(json).and_then(|value| serde_json::to_string_pretty(&value));
    match pretty {
        Ok(pretty) => format!("{pretty}\n"),
        Err(_) => json.to_owned(),
    }
}
