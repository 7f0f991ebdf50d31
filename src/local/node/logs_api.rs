//! The seam between the API server and the node agent for `GET …/pods/NAME/log`.
//!
//! ```text
//! HTTP query → api::logs (checks, 422/400 of the query, container named) → NodeLogs::open → body chunks → HTTP
//! ```
//!
//! The API server owns what Kubernetes' API server decides (bad query values, unknown or unnamed container, missing pod, a pod
//! that is not bound); the node agent owns what the kubelet decides (waiting containers, previous attempts, the bytes).

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use jiff::Timestamp;

/// Whether the answer stays open and goes on with what the container writes later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follow {
    /// Lines as they come, until the container attempt ends.
    Yes,
    /// What is stored now.
    No,
}

/// Which attempt of the container is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// The one that runs, or the last one that ran.
    Current,
    /// The one before the current one (`previous=true`).
    Previous,
}

/// Whether each line begins with its timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinePrefix {
    /// 30 characters of RFC 3339 with nine fraction digits and `Z`, then one space (`timestamps=true`).
    Timestamp,
    /// The bytes as written.
    None,
}

/// What a `pods/log` request asks for, its values already checked.
#[derive(Clone, Debug)]
pub struct LogQuery {
    /// The pod's namespace.
    pub namespace: String,
    /// The pod's name; logs are found by name, not by uid, as the kubelet does.
    pub pod: String,
    /// The container's name; always one of the pod's.
    pub container: String,
    /// Stay open or not.
    pub follow: Follow,
    /// Current or previous attempt.
    pub attempt: Attempt,
    /// Only records stamped at or after this instant (node clock); already cut to whole seconds.
    pub since: Option<Timestamp>,
    /// Only the last so many stored records, counted before `since` is applied. 0 is legal: nothing that is stored.
    pub tail_lines: Option<u64>,
    /// The answer ends after so many bytes, prefixes included, in mid-line if need be. At least 1.
    pub limit_bytes: Option<u64>,
    /// Timestamps before the lines or not.
    pub prefix: LinePrefix,
}

/// The log's bytes. An error ends the HTTP body without its last chunk.
pub type LogBody = BoxStream<'static, std::io::Result<Bytes>>;

/// Why a log cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogRefusal {
    /// The pod is not on a node: HTTP 204 without a body.
    #[error("the pod is not bound to a node")]
    NotScheduled,
    /// HTTP 400 with this message, e.g. `container "main" in pod "p" is waiting to start: ContainerCreating`.
    #[error("{0}")]
    BadRequest(String),
    /// HTTP 404 of kind `pods/log` (the node does not know the pod yet), with this message.
    #[error("{0}")]
    NotFound(String),
    /// HTTP 500 with this message: the node cannot be reached.
    #[error("{0}")]
    Unreachable(String),
}

/// Who serves container logs: the node agent.
pub trait NodeLogs: Send + Sync {
    /// Opens the log, or says why it cannot be read. Never waits for the container to start.
    fn open(&self, query: LogQuery) -> BoxFuture<'static, Result<LogBody, LogRefusal>>;
}
