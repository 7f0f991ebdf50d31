//! A node's logs and the API in front of them, as a model: what is stored, what the kubelet would answer, and faults.
//!
//! ```text
//!  write, rotate, end, restart ─▶ runs: records, files ─▶ GET pods/log (follow, sinceTime, tailLines, limitBytes, previous)
//!  cut, fail, hold ─────────────────────────────────────────┘ each request is noted
//! ```

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt as _};
use http::{Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use jiff::Timestamp;
use kube::client::Body;
use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::watch;

use crate::logs::RECORD_LIMIT;
use crate::logs::kubelet::{File, Newline, Record, render};

/// How long a follow outlives its container.
const FOLLOW_END: Duration = Duration::from_millis(1010);

type Answer = Response<UnsyncBoxBody<Bytes, std::io::Error>>;

/// What is wrong with the bodies of logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The body ends after so many bytes, as if that were all.
    Ends(usize),
    /// It breaks after so many bytes.
    Breaks(usize),
    /// After so many bytes comes a text of the kubelet, and the end.
    Tells(usize),
    /// 500 instead of a body.
    Refuses,
}

pub const ERROR_TEXT: &str = "unable to retrieve container logs for containerd://0123";

/// One run's log.
#[derive(Debug, Default, Clone)]
pub struct RunLog {
    pub records: Vec<Record>,
    /// Where each file begins; the last is the current one.
    files: Vec<usize>,
    ended: bool,
}

#[derive(Default)]
struct State {
    runs: Vec<RunLog>,
    /// What the kubelet calls the current run.
    current: usize,
    faults: Vec<Fault>,
    /// How many looks at the file's beginning are refused.
    hidden_heads: u32,
    /// Follows opened before this number are cut.
    cut: u64,
    opened: u64,
    down: bool,
    removed: bool,
    piece: usize,
}

/// The model.
pub struct Node {
    state: Mutex<State>,
    changed: watch::Sender<u64>,
    requests: Mutex<Vec<String>>,
    uid: Mutex<String>,
    taken: AtomicUsize,
    open: AtomicUsize,
}

impl Node {
    pub fn new(uid: &str) -> Arc<Node> {
        let runs = vec![RunLog { files: vec![0], ..RunLog::default() }];
        let state = State { runs, piece: 4096, ..State::default() };
        Arc::new(Node {
            state: Mutex::new(state),
            changed: watch::Sender::new(0),
            requests: Mutex::default(),
            uid: Mutex::new(uid.to_owned()),
            taken: AtomicUsize::new(0),
            open: AtomicUsize::new(0),
        })
    }

    pub fn client(self: &Arc<Node>) -> kube::Client {
        let node = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let (node, uri) = (node.clone(), request.uri().clone());
            async move { Ok::<_, Infallible>(node.answer(&uri).await) }
        });
        kube::Client::new(service, "ns")
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let done = change(&mut self.state.lock());
        self.changed.send_modify(|version| *version += 1);
        done
    }

    /// The newest run writes a line.
    pub fn write(&self, stamp: Timestamp, content: &[u8]) {
        self.write_as(stamp, content, Newline::Yes);
    }

    pub fn write_as(&self, stamp: Timestamp, content: &[u8], newline: Newline) {
        self.write_stamped(&[stamp], content, newline);
    }

    /// A line whose records have these stamps.
    pub fn write_stamped(&self, stamps: &[Timestamp], content: &[u8], newline: Newline) {
        self.change(|state| {
            let run = state.runs.last_mut().unwrap();
            let mut file = File { records: std::mem::take(&mut run.records) };
            let mut stamps = stamps.iter().copied();
            let mut last = None;
            file.write(content, RECORD_LIMIT, newline, || {
                last = stamps.next().or(last);
                last.unwrap()
            });
            run.records = file.records;
        });
    }

    /// The newest run's file is put aside.
    pub fn rotate(&self) {
        self.change(|state| {
            let run = state.runs.last_mut().unwrap();
            run.files.push(run.records.len());
        });
    }

    pub fn end(&self) {
        self.change(|state| state.runs.last_mut().unwrap().ended = true);
    }

    /// The kubelet starts the container again, and knows it.
    pub fn restart(&self) {
        self.change(|state| {
            state.runs.last_mut().unwrap().ended = true;
            state.runs.push(RunLog { files: vec![0], ..RunLog::default() });
            state.current = state.runs.len() - 1;
        });
    }

    /// All open bodies end now.
    pub fn cut_all(&self) {
        self.change(|state| state.cut = state.opened);
    }

    /// The next bodies, in this order.
    pub fn fault_next(&self, faults: &[Fault]) {
        self.change(|state| state.faults = faults.iter().rev().copied().collect());
    }

    /// The next looks at the file's beginning are refused.
    pub fn hide_heads(&self, count: u32) {
        self.change(|state| state.hidden_heads = count);
    }

    pub fn set_down(&self, down: bool) {
        self.change(|state| state.down = down);
        if down {
            self.cut_all();
        }
    }

    /// The containers are removed, and their logs.
    pub fn remove(&self) {
        self.change(|state| state.removed = true);
    }

    pub fn set_uid(&self, uid: &str) {
        *self.uid.lock() = uid.to_owned();
    }

    pub fn set_piece(&self, piece: usize) {
        self.change(|state| state.piece = piece.max(1));
    }

    /// What a run's current file holds, and all it ever wrote.
    pub fn logs(&self, run: usize) -> (File, File) {
        let state = self.state.lock();
        let run = &state.runs[run];
        let all = File { records: run.records.clone() };
        (all.part(*run.files.last().unwrap()..run.records.len()), all)
    }

    pub fn rotations(&self, run: usize) -> usize {
        self.state.lock().runs[run].files.len() - 1
    }

    /// The queries of the log requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().clone()
    }

    pub fn follows(&self) -> usize {
        self.requests().iter().filter(|query| query.contains("follow=true")).count()
    }

    /// Bytes of bodies that were taken.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Bodies that are open.
    pub fn open_bodies(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    async fn answer(self: Arc<Node>, uri: &http::Uri) -> Answer {
        let path = uri.path();
        if !path.ends_with("/log") {
            if uri.query().is_some() {
                return std::future::pending().await;
            }
            let metadata = json!({"name": "t-x", "namespace": "ns", "uid": *self.uid.lock()});
            return whole(StatusCode::OK, &json!({"metadata": metadata, "spec": {}, "status": {}}).to_string());
        }
        let query = uri.query().unwrap_or_default().to_owned();
        self.requests.lock().push(query.clone());
        self.log(&Query::of(&query))
    }

    fn log(self: Arc<Node>, query: &Query) -> Answer {
        let mut state = self.state.lock();
        if state.down {
            return refused(500, "dial tcp: connect: connection refused", "");
        }
        if state.removed {
            return whole(StatusCode::OK, ERROR_TEXT);
        }
        let run = match (query.previous, state.current) {
            (false, current) => current,
            (true, 0) => return refused(400, "previous terminated container \"main\" in pod \"t-x\" not found", ""),
            (true, current) => current - 1,
        };
        // Faults are for the bodies of logs, not for the short reads that ask about them.
        let short = query.tail.is_some() || query.limit.is_some();
        let fault = if short { None } else { state.faults.pop() };
        let head = query.limit.is_some() && query.tail.is_none();
        let hidden = head && state.hidden_heads > 0;
        state.hidden_heads -= u32::from(hidden);
        if fault == Some(Fault::Refuses) || hidden {
            return refused(500, "a fault", "");
        }
        state.opened += 1;
        let (number, piece) = (state.opened, state.piece);
        let log = &state.runs[run];
        let generation = log.files.len() - 1;
        let start = log.files[generation];
        let start = query.tail.map_or(start, |tail| log.records.len().saturating_sub(tail).max(start));
        drop(state);
        self.open.fetch_add(1, Ordering::Relaxed);
        let body = LogBody {
            changed: self.changed.subscribe(),
            node: self,
            number,
            run,
            generation,
            at: start,
            at_line_start: true,
            since: query.since,
            follow: query.follow,
            left: query.limit.unwrap_or(usize::MAX),
            fault,
            piece,
            pending: Vec::new(),
        };
        let frames = stream::unfold(body, |mut body| async move {
            let piece = body.next().await?;
            Some((piece.map(http_body::Frame::data), body))
        });
        let mut response = Response::new(StreamBody::new(frames.boxed()).boxed_unsync());
        *response.status_mut() = StatusCode::OK;
        response
    }
}

#[derive(Default)]
struct Query {
    follow: bool,
    previous: bool,
    since: Option<i64>,
    tail: Option<usize>,
    limit: Option<usize>,
}

impl Query {
    fn of(text: &str) -> Query {
        let mut query = Query::default();
        for (name, value) in text.split('&').filter_map(|part| part.split_once('=')) {
            match name {
                "follow" => query.follow = value == "true",
                "previous" => query.previous = value == "true",
                // The API server hands on whole seconds.
                "sinceTime" => query.since = Some(value.parse::<Timestamp>().unwrap().as_second()),
                "tailLines" => query.tail = Some(value.parse().unwrap()),
                "limitBytes" => query.limit = Some(value.parse().unwrap()),
                _ => {}
            }
        }
        query
    }
}

struct LogBody {
    node: Arc<Node>,
    changed: watch::Receiver<u64>,
    number: u64,
    run: usize,
    generation: usize,
    at: usize,
    at_line_start: bool,
    since: Option<i64>,
    follow: bool,
    left: usize,
    fault: Option<Fault>,
    piece: usize,
    pending: Vec<u8>,
}

type Piece = Result<Bytes, std::io::Error>;

impl LogBody {
    async fn next(&mut self) -> Option<Piece> {
        loop {
            if !self.pending.is_empty() {
                return self.piece();
            }
            if self.left == 0 {
                return None;
            }
            self.changed.borrow_and_update();
            match self.read() {
                Found::Bytes(bytes) => self.pending = bytes,
                Found::End => {
                    if self.follow && self.fault.is_none() {
                        tokio::time::sleep(FOLLOW_END).await;
                    }
                    return self.last();
                }
                Found::Cut => return None,
                Found::Nothing => {
                    let _ = self.changed.changed().await;
                }
            }
        }
    }

    fn read(&mut self) -> Found {
        let state = self.node.state.lock();
        if self.number <= state.cut {
            return Found::Cut;
        }
        let log = &state.runs[self.run];
        loop {
            let end = log.files.get(self.generation + 1).copied().unwrap_or(log.records.len());
            let bytes = render(&log.records[self.at..end], self.since, &mut self.at_line_start);
            self.at = end;
            if !bytes.is_empty() {
                return Found::Bytes(bytes);
            }
            if !self.follow {
                return Found::End;
            }
            let newest = log.files.len() - 1;
            if self.generation < newest {
                self.generation = newest;
                self.at = log.files[newest];
                continue;
            }
            return if log.ended { Found::End } else { Found::Nothing };
        }
    }

    fn piece(&mut self) -> Option<Piece> {
        let allowed = match self.fault {
            Some(Fault::Ends(bytes) | Fault::Breaks(bytes) | Fault::Tells(bytes)) => bytes,
            Some(Fault::Refuses) | None => usize::MAX,
        };
        let len = self.pending.len().min(self.piece).min(self.left).min(allowed);
        if len == 0 {
            self.pending.clear();
            return self.last();
        }
        let rest = self.pending.split_off(len);
        let piece = std::mem::replace(&mut self.pending, rest);
        self.left -= len;
        self.node.taken.fetch_add(len, Ordering::Relaxed);
        match &mut self.fault {
            Some(Fault::Ends(bytes) | Fault::Breaks(bytes) | Fault::Tells(bytes)) => *bytes -= len,
            Some(Fault::Refuses) | None => {}
        }
        Some(Ok(piece.into()))
    }

    /// The fault's own end.
    fn last(&mut self) -> Option<Piece> {
        self.left = 0;
        match self.fault.take() {
            Some(Fault::Breaks(_)) => Some(Err(std::io::Error::other("reset"))),
            Some(Fault::Tells(_)) => Some(Ok(Bytes::from_static(ERROR_TEXT.as_bytes()))),
            Some(Fault::Ends(_) | Fault::Refuses) | None => None,
        }
    }
}

impl Drop for LogBody {
    fn drop(&mut self) {
        self.node.open.fetch_sub(1, Ordering::Relaxed);
    }
}

enum Found {
    Bytes(Vec<u8>),
    Nothing,
    End,
    Cut,
}

fn whole(status: StatusCode, body: &str) -> Answer {
    let mut response = Response::new(
        Full::new(Bytes::copy_from_slice(body.as_bytes())).map_err(|never| match never {}).boxed_unsync(),
    );
    *response.status_mut() = status;
    response
}

fn refused(code: u16, message: &str, kind: &str) -> Answer {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "code": code, "details": {"kind": kind},
    });
    whole(StatusCode::from_u16(code).unwrap(), &status.to_string())
}
