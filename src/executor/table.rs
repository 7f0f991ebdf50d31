//! The table: one row per pod of ours, and the list of its events.
//!
//! A row lives behind a mutex held only for the length of one `step`; readers hold an
//! [`Entry`] and are woken by a version counter. Whatever is learnt about a pod, from the watch or
//! from the answer of a request, goes through [`Entry::feed`], which orders by resourceVersion.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::disconnect::Listeners;
use super::watches::chain;
use crate::cluster::StoredRecord;
use crate::task::machine::{Deadline, Effect, Input, Row, step};
use crate::task::observation::{Observation, PendingReason, StoredOutcome};
use crate::task::{State, TaskEvent, TaskEventBody, TaskKey};

/// Most notices kept of one task; the oldest make room.
const MAX_NOTICES: usize = 64;

/// A pod of ours, by name.
type PodName = (String, String);

/// All rows of this executor: pods of ours, and tasks of which only the outcome record is left.
#[derive(Default)]
pub(super) struct Table {
    rows: Mutex<Rows>,
}

#[derive(Default)]
struct Rows {
    by_pod: HashMap<PodName, Arc<Entry>>,
    /// Namespace and task id → the entries of all attempts that are in `by_pod`.
    by_task: HashMap<(String, String), Vec<Arc<Entry>>>,
}

impl Rows {
    fn get(&self, namespace: &str, pod: &str) -> Option<&Arc<Entry>> {
        self.by_pod.get(&(namespace.to_string(), pod.to_string()))
    }

    /// Puts an entry in the place of what had its name.
    fn put(&mut self, entry: Arc<Entry>) {
        let name = (entry.key.namespace.clone(), entry.pod.clone());
        if let Some(older) = self.by_pod.insert(name, entry.clone()) {
            self.forget_task(&older);
        }
        self.by_task.entry((entry.key.namespace.clone(), entry.key.task_id.clone())).or_default().push(entry);
    }

    fn remove(&mut self, entry: &Arc<Entry>) {
        let name = (entry.key.namespace.clone(), entry.pod.clone());
        if self.by_pod.get(&name).is_some_and(|there| Arc::ptr_eq(there, entry)) {
            self.by_pod.remove(&name);
            self.forget_task(entry);
        }
    }

    fn forget_task(&mut self, entry: &Arc<Entry>) {
        let task = (entry.key.namespace.clone(), entry.key.task_id.clone());
        let Some(attempts) = self.by_task.get_mut(&task) else { return };
        attempts.retain(|other| !Arc::ptr_eq(other, entry));
        if attempts.is_empty() {
            self.by_task.remove(&task);
        }
    }
}

/// One task: its row and its events. Shared by the watches, effects and streams.
pub struct Entry {
    /// The task.
    pub key: TaskKey,
    /// Name of its pod.
    pub pod: String,
    /// uid of its pod; empty where there never was one.
    pub uid: String,
    /// What this replica made it of.
    made_of: MadeOf,
    /// Who listens to it here.
    pub(super) listeners: Listeners,
    inner: Mutex<Inner>,
    version: watch::Sender<u64>,
}

/// What an entry was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MadeOf {
    /// A version of its pod.
    Pod,
    /// A record alone: whether the pod is there was not known.
    Record,
}

/// The outcome record of an entry.
#[derive(Debug)]
pub(super) struct Recorded {
    /// As it is stored.
    pub stored: StoredRecord,
    /// When this replica first saw it (podlaunch's clock).
    pub seen: Timestamp,
}

/// Where a record went.
pub(super) enum RecordFed {
    /// To the entry of its pod, or to one made for it.
    Entry(Arc<Entry>, Fed),
    /// Nowhere: another pod has the name.
    OtherPod(Arc<Entry>),
}

struct Inner {
    /// Always there; taken only while `step` runs, under the lock.
    row: Option<Row>,
    events: Vec<Numbered>,
    next_number: u64,
    gone_since: Option<Timestamp>,
    observed: Timestamp,
    record: Option<Arc<Recorded>>,
}

/// An event and its place in this entry's list, dense from 1. The place is this replica's own and
/// never leaves it; it lets a reader go on although old notices are dropped from the list.
#[derive(Clone)]
pub(super) struct Numbered {
    pub number: u64,
    pub event: Arc<TaskEvent>,
}

/// A consistent look at an entry.
#[derive(Debug, Clone)]
pub struct View {
    /// The newest version of its pod.
    pub observation: Arc<Observation>,
    /// Where the task is; a terminal state once the outcome is stored.
    pub state: State,
    /// Why it is pending.
    pub pending: Option<PendingReason>,
    /// The stored outcome.
    pub outcome: Option<Arc<StoredOutcome>>,
    /// When the outcome was stored (podlaunch's clock).
    pub ended: Option<Timestamp>,
    /// Whether the pod object is gone.
    pub presence: Presence,
    /// When anything was last learnt about it (podlaunch's clock).
    pub observed: Timestamp,
}

/// Whether the pod object still exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It does.
    Present,
    /// It does not.
    Gone,
}

/// An entry and what its feed asks for.
pub(super) type FedEntry = (Arc<Entry>, Fed);

/// What a feed asks the caller to do.
#[derive(Default)]
pub(super) struct Fed {
    pub effects: Vec<Effect>,
}

impl Table {
    pub fn get(&self, namespace: &str, pod: &str) -> Option<Arc<Entry>> {
        self.rows.lock().get(namespace, pod).cloned()
    }

    /// The highest attempt of a task.
    pub fn latest(&self, namespace: &str, task_id: &str) -> Option<Arc<Entry>> {
        let of_task = self.of_task(namespace, task_id);
        of_task.into_iter().max_by_key(|e| e.view().observation.highest_attempt())
    }

    /// The entry a later attempt has attached to.
    pub fn attached(&self, namespace: &str, task_id: &str, attempt: u32) -> Option<Arc<Entry>> {
        if attempt < 2 {
            return None;
        }
        self.of_task(namespace, task_id).into_iter().find(|e| e.view().observation.attached_attempts.contains(&attempt))
    }

    /// The highest attempt before `attempt` that has not ended.
    pub fn active_before(&self, namespace: &str, task_id: &str, attempt: u32) -> Option<Arc<Entry>> {
        if attempt < 2 {
            return None;
        }
        let is_active = |e: &Arc<Entry>| {
            let view = e.view();
            e.key.attempt < attempt && view.outcome.is_none() && view.presence == Presence::Present
        };
        self.of_task(namespace, task_id).into_iter().filter(is_active).max_by_key(|e| e.key.attempt)
    }

    fn of_task(&self, namespace: &str, task_id: &str) -> Vec<Arc<Entry>> {
        let rows = self.rows.lock();
        rows.by_task.get(&(namespace.to_string(), task_id.to_string())).cloned().unwrap_or_default()
    }

    /// All entries.
    pub fn all(&self) -> Vec<Arc<Entry>> {
        self.rows.lock().by_pod.values().cloned().collect()
    }

    /// All entries of one part of the scope.
    pub fn of_part(&self, part: Option<&str>) -> Vec<Arc<Entry>> {
        let rows = self.rows.lock();
        rows.by_pod.values().filter(|e| part.is_none_or(|ns| e.key.namespace == ns)).cloned().collect()
    }

    /// Feeds a version of a pod to its entry, making one where there is none. Another uid under
    /// the name is another pod: the older pod's entry is told that it is gone and is replaced.
    pub fn feed(&self, observation: Arc<Observation>, now: Timestamp) -> (FedEntry, Option<FedEntry>) {
        let mut rows = self.rows.lock();
        let mut replaced = None;
        if let Some(entry) = rows.get(&observation.key.namespace, &observation.pod_name) {
            if entry.uid == observation.uid && entry.made_of == MadeOf::Record {
                // The record was listed before the pod, which is still there.
                let record = entry.recorded();
                let (entry, fed) = Entry::first(observation, now);
                entry.inner.lock().record = record;
                let entry = Arc::new(entry);
                rows.put(entry.clone());
                return ((entry, fed), None);
            }
            if entry.uid == observation.uid {
                let entry = entry.clone();
                drop(rows);
                let fed = entry.feed(Input::Pod(observation), now);
                return ((entry, fed), None);
            }
            if entry.view().observation.resource_version > observation.resource_version {
                // A late answer about a pod that had the name before.
                let entry = entry.clone();
                return ((entry, Fed::default()), None);
            }
            let older = entry.clone();
            let fed = older.feed(Input::Gone(None), now);
            replaced = Some((older, fed));
        }
        let (entry, fed) = Entry::first(observation, now);
        let entry = Arc::new(entry);
        rows.put(entry.clone());
        ((entry, fed), replaced)
    }

    /// Feeds a record to the entry of its pod, or makes an entry that replays it. A pod that is there counts more than
    /// the record of another, and a later record more than an earlier one.
    pub fn feed_record(&self, stored: &StoredRecord, now: Timestamp) -> RecordFed {
        let record = &stored.record;
        let mut rows = self.rows.lock();
        if let Some(entry) = rows.get(&record.task.namespace, &stored.name).cloned() {
            if entry.uid == record.task.pod_uid {
                drop(rows);
                entry.keep_record(stored, now);
                let fed = entry.feed(Input::Recorded(Arc::new(record.outcome.clone())), now);
                return RecordFed::Entry(entry, fed);
            }
            let view = entry.view();
            if view.presence == Presence::Present || view.ended.is_some_and(|ended| ended > record.task.ended) {
                return RecordFed::OtherPod(entry);
            }
        }
        let entry = Arc::new(Entry::recorded_only(stored, now));
        rows.put(entry.clone());
        RecordFed::Entry(entry, Fed::default())
    }

    /// A record is gone: its entry goes too, unless the pod is there.
    pub fn drop_record(&self, stored: &StoredRecord) {
        let mut rows = self.rows.lock();
        let Some(entry) = rows.get(&stored.record.task.namespace, &stored.name).cloned() else { return };
        let mut inner = entry.inner.lock();
        if inner.record.as_ref().is_none_or(|known| known.stored.uid != stored.uid) {
            return;
        }
        inner.record = None;
        let gone = inner.row.as_ref().is_none_or(Row::is_gone);
        drop(inner);
        if gone {
            rows.remove(&entry);
        }
    }

    /// The records that are known and not among `listed`.
    pub fn recorded_but(&self, listed: &HashSet<String>) -> Vec<StoredRecord> {
        let records = self.all().into_iter().filter_map(|entry| entry.recorded());
        records.map(|recorded| recorded.stored.clone()).filter(|stored| !listed.contains(&stored.name)).collect()
    }

    /// Drops entries without a record whose pod has been gone since before `before`.
    pub fn forget(&self, before: Timestamp) {
        let mut rows = self.rows.lock();
        let is_over = |entry: &Arc<Entry>| {
            let inner = entry.inner.lock();
            inner.record.is_none() && inner.gone_since.is_some_and(|since| since <= before)
        };
        let over: Vec<_> = rows.by_pod.values().filter(|entry| is_over(entry)).cloned().collect();
        for entry in over {
            rows.remove(&entry);
        }
    }
}

impl Entry {
    fn first(observation: Arc<Observation>, now: Timestamp) -> (Entry, Fed) {
        let (row, step) = Row::first(observation.clone(), now);
        let mut inner = Inner::of(row, now);
        inner.append(step.events);
        (Entry::new(&observation, inner, MadeOf::Pod), Fed { effects: step.effects })
    }

    fn recorded_only(stored: &StoredRecord, now: Timestamp) -> Entry {
        let observation = Arc::new(stored.record.observation());
        let (row, step) = Row::recorded(observation.clone(), Arc::new(stored.record.outcome.clone()), now);
        let mut inner = Inner::of(row, now);
        inner.gone_since = Some(now);
        inner.record = Some(Arc::new(Recorded { stored: stored.clone(), seen: now }));
        inner.append(step.events);
        Entry::new(&observation, inner, MadeOf::Record)
    }

    fn new(observation: &Observation, inner: Inner, made_of: MadeOf) -> Entry {
        Entry {
            key: observation.key.clone(),
            pod: observation.pod_name.clone(),
            uid: observation.uid.clone(),
            made_of,
            listeners: Listeners::default(),
            inner: Mutex::new(inner),
            version: watch::Sender::new(1),
        }
    }

    fn keep_record(&self, stored: &StoredRecord, now: Timestamp) {
        let mut inner = self.inner.lock();
        let seen = inner.record.as_ref().filter(|known| known.stored.uid == stored.uid).map_or(now, |known| known.seen);
        inner.record = Some(Arc::new(Recorded { stored: stored.clone(), seen }));
    }

    /// Its outcome record, if there is one.
    pub(super) fn recorded(&self) -> Option<Arc<Recorded>> {
        self.inner.lock().record.clone()
    }

    /// What tells it from every other entry, also from one of another pod under the same name.
    pub(super) fn id(&self) -> String {
        if self.uid.is_empty() { format!("{}/{}", self.key.namespace, self.pod) } else { self.uid.clone() }
    }

    /// Feeds one input to the row.
    pub(super) fn feed(&self, input: Input, now: Timestamp) -> Fed {
        let mut inner = self.inner.lock();
        if matches!(input, Input::Gone(_)) && inner.gone_since.is_none() {
            inner.gone_since = Some(now);
        }
        let Some(row) = inner.row.take() else { return Fed::default() };
        let (row, step) = step(row, input, now);
        inner.observed = now;
        inner.row = Some(row);
        let changed = !step.events.is_empty();
        inner.append(step.events);
        drop(inner);
        if changed {
            self.version.send_modify(|v| *v += 1);
        }
        Fed { effects: step.effects }
    }

    /// A consistent look.
    pub fn view(&self) -> View {
        let inner = self.inner.lock();
        // The row is only absent while `feed` holds the lock.
        let row = inner.row.as_ref().expect("the row is put back before the lock is released");
        View {
            observation: row.observation().clone(),
            state: row.state(),
            pending: row.pending().cloned(),
            outcome: row.outcome().cloned(),
            ended: row.outcome().and_then(|_| inner.ended(row)),
            presence: if row.is_gone() { Presence::Gone } else { Presence::Present },
            observed: inner.observed,
        }
    }

    /// An error and what caused it, for the log: Kubernetes' words, a webhook's too, without literals of the
    /// pod's environment.
    pub(super) fn chain(&self, error: &(dyn std::error::Error + 'static)) -> String {
        self.view().observation.literals.scrub(&chain(error))
    }

    /// The reason a stop should carry, where the task is still pending.
    pub(super) fn pending_for_stop(&self) -> Option<PendingReason> {
        self.inner.lock().row.as_ref().and_then(Row::pending_for_stop)
    }

    /// The next deadline.
    pub(super) fn deadline(&self) -> Option<Deadline> {
        self.inner.lock().row.as_ref().and_then(Row::deadline)
    }

    /// The events after place `after` (0 for all), in order.
    pub(super) fn events_after(&self, after: u64) -> Vec<Numbered> {
        let inner = self.inner.lock();
        let from = inner.events.partition_point(|n| n.number <= after);
        inner.events[from..].to_vec()
    }

    /// Wakes at every new event.
    pub(super) fn subscribe(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }
}

impl Inner {
    fn of(row: Row, now: Timestamp) -> Inner {
        Inner { row: Some(row), events: Vec::new(), next_number: 1, gone_since: None, observed: now, record: None }
    }

    /// When the task ended: as stored, else as its containers say, else since when the pod is gone.
    fn ended(&self, row: &Row) -> Option<Timestamp> {
        let stored = row.observation().ended.or(self.record.as_ref().map(|known| known.stored.record.task.ended));
        let times = row.outcome().map(|outcome| &outcome.outcome.times);
        stored.or_else(|| times.and_then(|times| times.finished)).or(self.gone_since)
    }

    fn append(&mut self, events: Vec<TaskEvent>) {
        for event in events {
            self.events.push(Numbered { number: self.next_number, event: Arc::new(event) });
            self.next_number += 1;
        }
        let is_notice = |n: &Numbered| matches!(n.event.body, TaskEventBody::Notice(_));
        let mut excess = self.events.iter().filter(|n| is_notice(n)).count().saturating_sub(MAX_NOTICES);
        self.events.retain(|n| {
            let drop_it = excess > 0 && is_notice(n);
            excess -= usize::from(drop_it);
            !drop_it
        });
    }
}
