//! `GET pods/log`: a body of raw bytes, in the pieces the API server sends.
//!
//! The body is handed on chunk by chunk and nothing is buffered here: who stops polling stops
//! the read, and the node's file is the buffer. `sinceTime` is always a whole second, because the
//! API server drops a fraction (and would skip lines if it were rounded up).

use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use http::Request;
use http_body_util::BodyExt;
use jiff::Timestamp;
use kube::client::Body;
use tokio::sync::OwnedSemaphorePermit;

use super::answer::{ApiFailure, LogRefusal, failure};
use super::client::{Answer, Cluster, UNARY_TIMEOUT};

/// Most bytes of an error answer that are read.
const MAX_ERROR: usize = 64 << 10;

/// Which part of a log is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadMode {
    /// From this second (or the first record) on, and what is written from now on.
    Follow {
        /// Unix second; records stamped earlier are left out.
        since: Option<i64>,
    },
    /// From this second (or the first record) to the end there is now.
    Read {
        /// Unix second; records stamped earlier are left out.
        since: Option<i64>,
    },
    /// The last record only.
    LastRecord,
    /// The beginning of the last records.
    Tail {
        /// Records: a line over 16 KiB is several.
        lines: u32,
        /// Bytes, the timestamp prefixes included.
        bytes: u64,
    },
    /// At most this many bytes from the first record on.
    Head {
        /// Bytes, the timestamp prefixes included.
        bytes: u64,
    },
}

/// Which run of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// The one the status shows.
    Current,
    /// The one before.
    Previous,
}

/// A log to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRequest {
    /// Namespace.
    pub namespace: String,
    /// Pod name. The API knows logs by name only: the caller compares uids before and after.
    pub pod: String,
    /// Container.
    pub container: String,
    /// Which run of it.
    pub run: Run,
    /// Which part.
    pub mode: ReadMode,
}

impl LogRequest {
    fn path(&self) -> String {
        let LogRequest { namespace, pod, container, run, mode } = self;
        let mut path = format!("/api/v1/namespaces/{namespace}/pods/{pod}/log?container={container}&timestamps=true");
        if *run == Run::Previous {
            path.push_str("&previous=true");
        }
        let since = match mode {
            ReadMode::Follow { since } => {
                path.push_str("&follow=true");
                *since
            }
            ReadMode::Read { since } => *since,
            ReadMode::LastRecord => {
                path.push_str("&tailLines=1");
                None
            }
            ReadMode::Tail { lines, bytes } => {
                path.push_str(&format!("&tailLines={lines}&limitBytes={bytes}"));
                None
            }
            ReadMode::Head { bytes } => {
                path.push_str(&format!("&limitBytes={bytes}"));
                None
            }
        };
        if let Some(stamp) = since.and_then(|second| Timestamp::from_second(second).ok()) {
            path.push_str(&format!("&sinceTime={stamp}"));
        }
        path
    }
}

/// A log body being read. Dropping it ends the read.
pub struct LogBody {
    stream: BoxStream<'static, Result<Bytes, ApiFailure>>,
    _permit: Option<OwnedSemaphorePermit>,
}

impl LogBody {
    /// The next chunk as it arrived; `None` at the end of the body, which proves nothing about
    /// the end of the log. Cancel-safe.
    pub async fn next(&mut self) -> Option<Result<Bytes, ApiFailure>> {
        self.stream.next().await
    }
}

impl Cluster {
    /// Opens a log for reading.
    pub async fn open_log(&self, request: &LogRequest) -> Result<LogBody, LogRefusal> {
        let place = self.log_client().await.map_err(LogRefusal::Unavailable)?;
        let http = Request::get(request.path())
            .body(Body::empty())
            .map_err(|e| LogRefusal::Unavailable(ApiFailure::Transport(Box::new(e))))?;
        let answer = tokio::time::timeout(UNARY_TIMEOUT, place.client.send(http))
            .await
            .map_err(|_| LogRefusal::Unavailable(ApiFailure::Timeout))?
            .map_err(|e| LogRefusal::Unavailable(ApiFailure::transport(e)))?;
        if answer.status() == http::StatusCode::NO_CONTENT {
            return Err(LogRefusal::NotYet("the pod is not bound to a node".into()));
        }
        if !answer.status().is_success() {
            return Err(refusal(answer).await);
        }
        let stream = answer.into_body().into_data_stream().map(|chunk| chunk.map_err(ApiFailure::transport_of));
        Ok(LogBody { stream: stream.boxed(), _permit: place.into_permit() })
    }

    /// Reads a short part of a log whole ([`ReadMode::LastRecord`], [`ReadMode::Head`]).
    pub async fn read_log(&self, request: &LogRequest) -> Result<Bytes, LogRefusal> {
        let http = Request::get(request.path())
            .body(Bytes::new())
            .map_err(|e| LogRefusal::Unavailable(ApiFailure::Transport(Box::new(e))))?;
        let answer = self.call(http).await.map_err(LogRefusal::Unavailable)?;
        match answer.status.as_u16() {
            204 => Err(LogRefusal::NotYet("the pod is not bound to a node".into())),
            200..=299 => Ok(answer.body),
            _ => Err(classify(failure(&answer))),
        }
    }
}

async fn refusal(answer: http::Response<Body>) -> LogRefusal {
    let (head, body) = answer.into_parts();
    let body = http_body_util::Limited::new(body, MAX_ERROR).collect();
    let body = match tokio::time::timeout(UNARY_TIMEOUT, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) => return LogRefusal::Unavailable(ApiFailure::body(error)),
        Err(_) => return LogRefusal::Unavailable(ApiFailure::Timeout),
    };
    classify(failure(&Answer { status: head.status, headers: head.headers, body }))
}

/// A 404 of kind `pods/log` is a kubelet that does not know the pod yet (it has just started);
/// only kind `pods` says that the pod is gone.
fn classify(failure: ApiFailure) -> LogRefusal {
    match failure {
        ApiFailure::NotFound { message, kind } if kind == "pods" => LogRefusal::Gone(message),
        ApiFailure::Refused { code: 400, message, .. } if message.contains("is waiting to start") => {
            LogRefusal::NotYet(message)
        }
        ApiFailure::Refused { code: 400, message, .. } if message.ends_with("is terminated") => {
            LogRefusal::Gone(message)
        }
        ApiFailure::Refused { code: 400, message, .. } if message.contains("previous terminated container") => {
            LogRefusal::NoPreviousRun(message)
        }
        other => LogRefusal::Unavailable(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        let request =
            |run, mode| LogRequest { namespace: "n".into(), pod: "p".into(), container: "c".into(), run, mode };
        let base = "/api/v1/namespaces/n/pods/p/log?container=c&timestamps=true";
        let rows = [
            (Run::Current, ReadMode::Follow { since: None }, "&follow=true"),
            (Run::Current, ReadMode::Follow { since: Some(1) }, "&follow=true&sinceTime=1970-01-01T00:00:01Z"),
            (Run::Previous, ReadMode::Read { since: None }, "&previous=true"),
            (Run::Current, ReadMode::LastRecord, "&tailLines=1"),
            (Run::Current, ReadMode::Tail { lines: 3, bytes: 9 }, "&tailLines=3&limitBytes=9"),
            (Run::Current, ReadMode::Head { bytes: 9 }, "&limitBytes=9"),
        ];
        for (run, mode, rest) in rows {
            assert_eq!(request(run, mode).path(), format!("{base}{rest}"));
        }
    }
}
