//! A server that has one task, keeps to the contract's cursors, and breaks its streams as told.
//!
//! ```text
//! execute / Session ─▶ Channel ─▶ in-memory pipe ─▶ relay (cut here) ─▶ tonic server ─▶ Fake
//! ```
//!
//! A cursor is the number of events before it, so that whatever a broken connection swallowed is sent again, and a
//! client that resumed at the wrong place would see an event twice or not at all.

mod io;
mod service;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tonic::Status;
use tonic::transport::{Channel, Endpoint, Server};

use crate::proto::v1;
use v1::podlaunch_service_server::PodlaunchServiceServer;

pub(crate) use io::Terminal;

/// What happens to one stream. The numbers are events sent before.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// No headers.
    Refuse(Status),
    /// The stream ends with this.
    End(usize, Status),
    /// The stream ends with OK too early.
    EndOk(usize),
    /// The connection breaks, perhaps before the events have arrived.
    Cut(usize),
    /// The replica says that it drains, sends this many more, and ends with UNAVAILABLE.
    Drain(usize, usize),
    /// Goes on when the task is cancelled.
    UntilCancelled(usize),
}

/// A call as it was received.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Call {
    Launch(Box<v1::LaunchTaskRequest>),
    Attach(v1::AttachTaskRequest),
    Cancel(v1::CancelTaskRequest),
}

/// The server.
#[derive(Default)]
pub(crate) struct Fake {
    /// The task's events; the last is the Termination.
    pub(crate) events: Vec<v1::Event>,
    /// For each stream, in order; then no more faults.
    pub(crate) faults: Mutex<VecDeque<Fault>>,
    /// How often connecting fails before it succeeds.
    pub(crate) refusals: AtomicU32,
    /// Answers of CancelTask other than success, in order.
    pub(crate) cancel_errors: Mutex<VecDeque<Status>>,
    pub(crate) calls: Mutex<Vec<Call>>,
    pub(crate) cancelled: Notify,
    /// Streams that have been opened, headers sent.
    pub(crate) opened: Notify,
    pub(crate) cut: Notify,
    /// What the task gave back.
    pub(crate) result: Vec<u8>,
    /// For each stream of a result: after how many bytes of it which error.
    pub(crate) result_faults: Mutex<VecDeque<(usize, Status)>>,
    pub(crate) result_damage: Option<Damage>,
    /// From where results were asked for.
    pub(crate) offsets: Mutex<Vec<u64>>,
}

/// What is wrong with a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Damage {
    /// A byte is another.
    Changed,
    /// The last byte is missing.
    Short,
}

impl Fake {
    pub(crate) fn new(events: Vec<v1::Event>, faults: impl IntoIterator<Item = Fault>) -> Arc<Self> {
        Arc::new(Self { events, faults: Mutex::new(faults.into_iter().collect()), ..Default::default() })
    }

    /// What CancelTask calls there were.
    pub(crate) fn cancels(&self) -> Vec<v1::CancelTaskRequest> {
        let calls = self.calls.lock();
        let cancels = calls.iter().filter_map(|call| match call {
            Call::Cancel(request) => Some(request.clone()),
            _ => None,
        });
        cancels.collect()
    }
}

/// A running server and the way to it; ends when dropped.
pub(crate) struct Running {
    pub(crate) channel: Channel,
    _tasks: JoinSet<()>,
}

/// The service, to be served over whatever a test wants.
pub(crate) fn service(fake: &Arc<Fake>) -> PodlaunchServiceServer<impl v1::podlaunch_service_server::PodlaunchService> {
    PodlaunchServiceServer::new(service::Service(fake.clone()))
}

/// Starts the server in this runtime.
pub(crate) fn start(fake: &Arc<Fake>) -> Running {
    let (connections, incoming) = mpsc::channel::<tokio::io::DuplexStream>(4);
    let mut tasks = JoinSet::new();
    let service = service(fake);
    tasks.spawn(async move {
        let incoming = tokio_stream::wrappers::ReceiverStream::new(incoming);
        let incoming = futures::StreamExt::map(incoming, Ok::<_, std::io::Error>);
        let server = Server::builder().add_service(service);
        server.serve_with_incoming(incoming).await.expect("the server runs");
    });
    let fake = fake.clone();
    let connector = tower::service_fn(move |_: http::Uri| connect(fake.clone(), connections.clone()));
    let channel = Endpoint::from_static("http://fake:1").connect_with_connector_lazy(connector);
    Running { channel, _tasks: tasks }
}

async fn connect(
    fake: Arc<Fake>,
    connections: mpsc::Sender<tokio::io::DuplexStream>,
) -> std::io::Result<TokioIo<tokio::io::DuplexStream>> {
    let refuse = |left: u32| left.checked_sub(1);
    if fake.refusals.fetch_update(Ordering::SeqCst, Ordering::SeqCst, refuse).is_ok() {
        return Err(std::io::ErrorKind::ConnectionRefused.into());
    }
    let (client, mut near) = tokio::io::duplex(1 << 16);
    let (mut far, server) = tokio::io::duplex(1 << 16);
    if connections.send(server).await.is_err() {
        return Err(std::io::ErrorKind::ConnectionRefused.into());
    }
    // Ends with its connection, whose ends the channel and the server own.
    tokio::spawn(async move {
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
            () = fake.cut.notified() => {}
        }
    });
    Ok(TokioIo::new(client))
}

pub(crate) fn key() -> v1::TaskKey {
    v1::TaskKey { cluster: "here".to_owned(), namespace: "default".to_owned(), task_id: "hello".to_owned(), attempt: 1 }
}

/// Gives each body its cursor.
pub(crate) fn events(bodies: impl IntoIterator<Item = v1::event::Body>) -> Vec<v1::Event> {
    let number = |(index, body)| v1::Event {
        key: Some(key()),
        cursor: cursor(index + 1),
        occurred_time: Some(prost_types::Timestamp { seconds: 1_795_413_600, nanos: 0 }),
        body: Some(body),
        ..Default::default()
    };
    bodies.into_iter().enumerate().map(number).collect()
}

pub(crate) fn cursor(events: usize) -> Bytes {
    Bytes::from(format!("after {events}"))
}

fn position(cursor: &[u8]) -> usize {
    let text = std::str::from_utf8(cursor).expect("a cursor of ours");
    let number = text.strip_prefix("after ").expect("a cursor of ours");
    number.parse().expect("a cursor of ours")
}

pub(crate) fn state(state: v1::TaskState) -> v1::event::Body {
    v1::event::Body::StateChange(v1::StateChange {
        state: state.into(),
        node_name: "node-1".to_owned(),
        ..Default::default()
    })
}

pub(crate) fn log(container: &str, data: impl Into<Bytes>) -> v1::event::Body {
    v1::event::Body::LogChunk(v1::LogChunk { container: container.to_owned(), data: data.into(), ..Default::default() })
}

pub(crate) fn end(state: v1::TaskState, exit_code: Option<i32>) -> v1::event::Body {
    let reason = match state {
        v1::TaskState::Succeeded => v1::Reason::Completed,
        v1::TaskState::Cancelled => v1::Reason::CancelledByCaller,
        _ => v1::Reason::ExitCode,
    };
    v1::event::Body::Termination(Box::new(v1::Termination {
        outcome: Some(v1::Outcome { state: state.into(), reason: reason.into(), exit_code, ..Default::default() }),
        delivery: None,
    }))
}
