//! Who calls, and the trace a call belongs to.
//!
//! ```text
//! metadata traceparent ──W3C shape──▶ Traceparent ─▶ the pod's annotation, the span's trace_id
//! peer ──caller()──▶ "uid:1000" (Unix socket) | "10.0.0.7" (TCP) | "anonymous"
//! ```
//!
//! A malformed traceparent is as good as none, as W3C asks; it is never an error of the call.

use tonic::Request;

use super::auth::Caller;
use tonic::metadata::MetadataMap;
use tracing::Span;

/// A checked W3C `traceparent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traceparent(String);

impl Traceparent {
    /// Checks the shape `version-traceid-parentid-flags` in lower-case hex; ids that are all zero
    /// and version `ff` are invalid. A later version may carry more behind it.
    pub fn parse(text: &str) -> Option<Traceparent> {
        let mut parts = text.splitn(5, '-');
        let version = parts.next().filter(|p| is_hex(p, 2) && *p != "ff")?;
        parts.next().filter(|p| is_hex(p, 32) && !is_zero(p))?;
        parts.next().filter(|p| is_hex(p, 16) && !is_zero(p))?;
        parts.next().filter(|p| is_hex(p, 2))?;
        let has_more = parts.next().is_some();
        if (version == "00" && has_more) || text.len() > MAX_TRACEPARENT || !text.bytes().all(|b| b.is_ascii_graphic())
        {
            return None;
        }
        Some(Traceparent(text.to_owned()))
    }

    /// From a call's metadata.
    pub fn of(metadata: &MetadataMap) -> Option<Traceparent> {
        Traceparent::parse(metadata.get("traceparent")?.to_str().ok()?)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its trace id, 32 hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        self.0.get(3..35).unwrap_or_default()
    }
}

/// Longest traceparent that is kept, bytes; version 00 has 55.
const MAX_TRACEPARENT: usize = 256;

fn is_hex(text: &str, len: usize) -> bool {
    text.len() == len && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_zero(text: &str) -> bool {
    text.bytes().all(|b| b == b'0')
}

/// The caller's name, as the gate of its listener told it.
pub fn caller<T>(request: &Request<T>) -> String {
    request.extensions().get::<Caller>().map_or_else(|| "anonymous".to_owned(), |caller| caller.0.clone())
}

/// The span of one call. `key` and `pod_uid` are recorded once they are known.
pub(super) fn span(method: &'static str, trace: Option<&Traceparent>) -> Span {
    let span = tracing::info_span!(
        "call",
        method,
        key = tracing::field::Empty,
        pod_uid = tracing::field::Empty,
        trace_id = tracing::field::Empty
    );
    if let Some(trace) = trace {
        span.record("trace_id", trace.trace_id());
    }
    span
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    #[test]
    fn the_w3c_shape() {
        for (text, valid) in [
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true),
            ("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", true),
            ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", true),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", false),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-", false),
            ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false),
            ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false),
            ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", false),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", false),
            ("00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01", false),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", false),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1", false),
            ("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-a\nb", false),
            ("ä0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", false),
            ("", false),
        ] {
            let parsed = Traceparent::parse(text);
            assert_eq!(parsed.is_some(), valid, "{text:?}");
            if let Some(trace) = parsed {
                assert_eq!((trace.as_str(), trace.trace_id()), (text, ID));
            }
        }
    }

    #[test]
    fn metadata_and_callers() {
        let mut request = Request::new(());
        assert_eq!(Traceparent::of(request.metadata()), None);
        assert_eq!(caller(&request), "anonymous");
        let text = format!("00-{ID}-00f067aa0ba902b7-00");
        request.metadata_mut().insert("traceparent", text.parse().unwrap());
        assert_eq!(Traceparent::of(request.metadata()).unwrap().as_str(), text);
        request.extensions_mut().insert(Caller("uid:7".to_owned()));
        assert_eq!(caller(&request), "uid:7");
    }
}
