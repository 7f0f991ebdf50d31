//! A task whose pod is told by the test and whose logs are the model's, and what its streams get.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use jiff::Timestamp;
use parking_lot::Mutex;

use super::node::Node;
use crate::cluster::Cluster;
use crate::executor::table::Entry;
use crate::executor::{
    ContainerDelivery, ExecError, Executor, Filter, Settings, Start, StreamBody, StreamItem, StreamPlace, TaskStream,
    Until,
};
use crate::logs::tests::Client;
use crate::logs::{Delivery, Gap, Item, Verdict};
use crate::task::machine::{Effect, Input};
use crate::task::observation::{ContainerObservation, Holding, Role, StoredOutcome, Terminated};
use crate::task::policy::StoredPolicy;
use crate::task::{ContainerState, Observation, Outcome, TaskKey};

/// Longest wait of the model's time for anything.
const PATIENCE: Duration = Duration::from_secs(3600);
const UID: &str = "00982a4d-e42a-428d-8b40-201b8302f0f1";

/// A second of the node's clock, and nanoseconds.
pub fn at(millis: i64) -> Timestamp {
    Timestamp::from_nanosecond(1_700_000_000_000_000_000 + i128::from(millis) * 1_000_000).unwrap()
}

pub struct World {
    pub node: Arc<Node>,
    pub executor: Executor,
    pub entry: Arc<Entry>,
    newest: Mutex<Observation>,
    outcome: Mutex<Option<Outcome>>,
}

/// Runs a test in time that passes by itself when nothing else happens.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(test)
}

impl World {
    pub fn new() -> World {
        World::with(Settings::default())
    }

    pub fn with(settings: Settings) -> World {
        let node = Node::new(UID);
        let executor = Executor::idle(Cluster::from_client(node.client()), settings);
        let newest = pod();
        let ((entry, _), _) = executor.inner.table.feed(Arc::new(newest.clone()), Timestamp::now());
        World { node, executor, entry, newest: Mutex::new(newest), outcome: Mutex::default() }
    }

    /// Another replica on the same cluster.
    pub fn replica(&self) -> World {
        let settings = self.executor.settings().clone();
        let executor = Executor::idle(Cluster::from_client(self.node.client()), settings);
        let newest = self.newest.lock().clone();
        let ((entry, _), _) = executor.inner.table.feed(Arc::new(newest.clone()), Timestamp::now());
        World { node: self.node.clone(), executor, entry, newest: Mutex::new(newest), outcome: Mutex::default() }
    }

    /// The watch tells a new version of the pod.
    pub fn tell(&self, change: impl FnOnce(&mut Observation)) {
        let mut newest = self.newest.lock();
        change(&mut newest);
        newest.resource_version += 1;
        let fed = self.entry.feed(Input::Pod(Arc::new(newest.clone())), Timestamp::now());
        for effect in fed.effects {
            if let Effect::StoreOutcome(outcome) = effect {
                *self.outcome.lock() = Some(*outcome);
            }
        }
    }

    pub fn set_policy(&self, restart_policy: &str) {
        self.tell(|pod| pod.restart_policy = restart_policy.into());
    }

    /// The container runs, started at this second.
    pub fn running(&self, restart: u32, started: Timestamp) {
        self.tell(|pod| {
            pod.phase = "Running".into();
            let main = &mut pod.containers[0];
            if let ContainerState::Terminated(last) = &main.state {
                main.last = Some(last.clone());
            }
            main.restarts = restart;
            main.state = ContainerState::Running { started: Some(started) };
        });
    }

    /// The container has ended.
    pub fn ended(&self, restart: u32, started: Timestamp, finished: Timestamp) {
        self.tell(|pod| {
            let main = &mut pod.containers[0];
            main.restarts = restart;
            let (started, finished) = (Some(started), Some(finished));
            let (code, reason, message) = (1, "Error".into(), String::new());
            main.state =
                ContainerState::Terminated(Terminated { code, signal: None, reason, message, started, finished });
        });
    }

    /// The pod is Failed, and the outcome is stored.
    pub fn over(&self) {
        self.tell(|pod| pod.phase = "Failed".into());
        let outcome = self.outcome.lock().take().expect("the row has decided");
        let text = outcome.to_text();
        self.tell(|pod| pod.outcome = Some(StoredOutcome { outcome, text }));
    }

    /// The node's and the watch's end of the only run, and the pod's.
    pub fn finish(&self) {
        self.node.end();
        self.ended(0, at(0), at(100_000));
        self.over();
    }

    pub fn stream(&self, start: Start) -> Reader {
        self.stream_until(start, Until::Termination)
    }

    fn place(&self) -> StreamPlace {
        self.executor.take_place().unwrap()
    }

    pub fn stream_until(&self, start: Start, until: Until) -> Reader {
        let stream = self.executor.stream(self.place(), &self.entry, start, until, Filter::default());
        Reader { cursor: stream.cursor().to_vec(), stream, got: Got::default() }
    }

    /// Goes on where a reader was.
    pub fn resume(&self, before: Reader) -> Reader {
        self.resume_with(before, Filter::default())
    }

    /// The same with another filter.
    pub fn resume_with(&self, before: Reader, filter: Filter) -> Reader {
        let cursor = self.executor.read_cursor(&self.entry, &before.cursor).unwrap();
        let start = Start::After(Box::new(cursor));
        let stream = self.executor.stream(self.place(), &self.entry, start, Until::Termination, filter);
        Reader { cursor: before.cursor, stream, got: before.got }
    }
}

/// What one chain of streams got.
#[derive(Default)]
pub struct Got {
    pub logs: BTreeMap<u32, Client>,
    pub ends: Vec<ContainerDelivery>,
    pub terminations: Vec<Vec<ContainerDelivery>>,
    pub events: usize,
    pub error: Option<ExecError>,
    pub available: bool,
}

impl Got {
    /// The lines of a run as text.
    pub fn text(&self, restart: u32) -> Vec<String> {
        let lines = self.logs.get(&restart).map(Client::lines).unwrap_or_default();
        lines.iter().map(|line| String::from_utf8_lossy(&line.data).trim_end_matches('\n').to_owned()).collect()
    }

    pub fn lines(&self) -> usize {
        self.logs.values().map(|client| client.lines().len()).sum()
    }

    pub fn gaps(&self, restart: u32) -> usize {
        self.logs.get(&restart).map_or(0, Client::gaps)
    }

    pub fn delivery(&self, restart: u32) -> Delivery {
        let found = self.ends.iter().find(|end| end.restart == restart);
        found.and_then(|end| end.delivery).expect("the log's end came")
    }

    pub fn verdict(&self, restart: u32) -> Verdict {
        self.delivery(restart).verdict
    }
}

/// A stream and what it got.
pub struct Reader {
    stream: TaskStream,
    pub cursor: Vec<u8>,
    pub got: Got,
}

impl Reader {
    /// The next item; false at the stream's end.
    pub async fn step(&mut self) -> bool {
        let next = tokio::time::timeout(PATIENCE, self.stream.next()).await.expect("something comes within an hour");
        let Some(item) = next else { return false };
        match item {
            Ok(StreamItem::Event(event)) => {
                self.cursor = event.cursor.to_vec();
                self.take(event.body);
            }
            Ok(StreamItem::EndOfAvailable { cursor }) => {
                self.cursor = cursor.to_vec();
                self.got.available = true;
            }
            Ok(StreamItem::Draining) => {}
            Err(error) => self.got.error = Some(error),
        }
        true
    }

    fn take(&mut self, body: StreamBody) {
        assert!(self.got.terminations.is_empty(), "nothing comes after the termination");
        match body {
            StreamBody::Task(_) => self.got.events += 1,
            StreamBody::Chunk { restart, chunk, .. } => {
                assert!(self.got.ends.iter().all(|end| end.restart != restart), "a line after the log's end");
                self.got.logs.entry(restart).or_default().take(&Item::Chunk(chunk));
            }
            StreamBody::Gap { restart, gap, .. } => {
                let client = self.got.logs.entry(restart).or_default();
                let cuts_line = client.is_open();
                let (cause, last_stamp, last_line) = (crate::logs::GapCause::Rotated, gap.after, None);
                client.take(&Item::Gap(Gap { cause, last_stamp, last_line, cuts_line }));
            }
            StreamBody::LogEnd(end) => self.got.ends.push(end),
            StreamBody::Termination { delivery, .. } => self.got.terminations.push(delivery),
        }
    }

    /// Reads until `lines` lines are there.
    pub async fn until(&mut self, lines: usize) {
        while self.got.lines() < lines {
            assert!(self.step().await, "the stream ended at {} of {lines} lines", self.got.lines());
        }
    }

    /// Reads for a while of the model's time.
    pub async fn read_for(&mut self, time: Duration) {
        let _ = tokio::time::timeout(time, async { while self.step().await {} }).await;
    }

    /// Reads to the stream's end.
    pub async fn rest(mut self) -> Got {
        while self.step().await {}
        self.got
    }
}

fn pod() -> Observation {
    Observation {
        key: TaskKey::new("", "ns", "t", 1).unwrap(),
        pod_name: "t-x".into(),
        uid: UID.into(),
        resource_version: 1,
        generation: None,
        literals: Default::default(),
        result_sidecar: None,
        attached_until: None,
        ended: None,
        released: Default::default(),
        cleanup: None,
        observed_generation: None,
        fingerprint: String::new(),
        labels: BTreeMap::new(),
        attached_attempts: Vec::new(),
        primary: "main".into(),
        policy: StoredPolicy::default(),
        traceparent: None,
        created: Some(at(0)),
        deletion: None,
        deletion_grace: None,
        has_finalizer: Holding::Free,
        stop: None,
        outcome: None,
        node: Some("n".into()),
        gates: Vec::new(),
        restart_policy: "Never".into(),
        active_deadline_seconds: None,
        grace_seconds: 2,
        phase: "Pending".into(),
        reason: None,
        message: None,
        start_time: Some(at(0)),
        conditions: Vec::new(),
        containers: vec![ContainerObservation {
            name: "main".into(),
            role: Role::Primary,
            restarts: 0,
            container_id: None,
            image: "i".into(),
            image_id: None,
            state: ContainerState::Waiting { reason: "ContainerCreating".into(), message: String::new() },
            last: None,
        }],
    }
}
