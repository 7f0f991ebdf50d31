//! The table: one row per pod of ours, and the list of its events.
//!
//! A row lives behind a mutex held only for the length of one `step`; readers hold an
//! [`Entry`] and are woken by a version counter. Whatever is learnt about a pod, from the watch or
//! from the answer of a request, goes through [`Entry::feed`], which orders by resourceVersion.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::task::machine::{Deadline, Effect, Input, Row, step};
use crate::task::observation::{Observation, PendingReason, StoredOutcome};
use crate::task::{State, TaskEvent, TaskEventBody, TaskKey};

/// Most notices kept of one task; the oldest make room.
const MAX_NOTICES: usize = 64;

/// A pod of ours, by name.
type PodName = (String, String);

/// All rows of this executor.
#[derive(Default)]
pub(super) struct Table {
    rows: Mutex<HashMap<PodName, Arc<Entry>>>,
}

/// One task: its row and its events. Shared by the watches, effects and streams.
pub struct Entry {
    /// The task.
    pub key: TaskKey,
    /// Name of its pod.
    pub pod: String,
    /// uid of its pod.
    pub uid: String,
    inner: Mutex<Inner>,
    version: watch::Sender<u64>,
}

struct Inner {
    /// Always there; taken only while `step` runs, under the lock.
    row: Option<Row>,
    events: Vec<Numbered>,
    next_number: u64,
    gone_since: Option<Timestamp>,
    observed: Timestamp,
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
pub(super) struct Fed {
    pub effects: Vec<Effect>,
    pub deadline: Option<Deadline>,
}

impl Table {
    pub fn get(&self, namespace: &str, pod: &str) -> Option<Arc<Entry>> {
        self.rows.lock().get(&(namespace.to_string(), pod.to_string())).cloned()
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
        rows.values().filter(|e| e.key.namespace == namespace && e.key.task_id == task_id).cloned().collect()
    }

    /// All entries of one part of the scope.
    pub fn of_part(&self, part: Option<&str>) -> Vec<Arc<Entry>> {
        let rows = self.rows.lock();
        rows.values().filter(|e| part.is_none_or(|ns| e.key.namespace == ns)).cloned().collect()
    }

    /// Feeds a version of a pod to its entry, making one where there is none. Another uid under
    /// the name is another pod: the older pod's entry is told that it is gone and is replaced.
    pub fn feed(&self, observation: Arc<Observation>, now: Timestamp) -> (FedEntry, Option<FedEntry>) {
        let name = (observation.key.namespace.clone(), observation.pod_name.clone());
        let mut rows = self.rows.lock();
        let mut replaced = None;
        if let Some(entry) = rows.get(&name) {
            if entry.uid == observation.uid {
                let entry = entry.clone();
                drop(rows);
                let fed = entry.feed(Input::Pod(observation), now);
                return ((entry, fed), None);
            }
            if entry.view().observation.resource_version > observation.resource_version {
                // A late answer about a pod that had the name before.
                let entry = entry.clone();
                return ((entry, Fed { effects: Vec::new(), deadline: None }), None);
            }
            let older = entry.clone();
            let fed = older.feed(Input::Gone(None), now);
            replaced = Some((older, fed));
        }
        let (entry, fed) = Entry::first(observation, now);
        let entry = Arc::new(entry);
        rows.insert(name, entry.clone());
        ((entry, fed), replaced)
    }

    /// Drops entries whose pod has been gone since before `before`.
    pub fn forget(&self, before: Timestamp) {
        self.rows.lock().retain(|_, entry| entry.inner.lock().gone_since.is_none_or(|since| since > before));
    }
}

impl Entry {
    fn first(observation: Arc<Observation>, now: Timestamp) -> (Entry, Fed) {
        let (row, step) = Row::first(observation.clone(), now);
        let fed = Fed { effects: step.effects, deadline: row.deadline() };
        let mut inner = Inner { row: Some(row), events: Vec::new(), next_number: 1, gone_since: None, observed: now };
        inner.append(step.events);
        let entry = Entry {
            key: observation.key.clone(),
            pod: observation.pod_name.clone(),
            uid: observation.uid.clone(),
            inner: Mutex::new(inner),
            version: watch::Sender::new(1),
        };
        (entry, fed)
    }

    /// Feeds one input to the row.
    pub(super) fn feed(&self, input: Input, now: Timestamp) -> Fed {
        let mut inner = self.inner.lock();
        if matches!(input, Input::Gone(_)) && inner.gone_since.is_none() {
            inner.gone_since = Some(now);
        }
        let Some(row) = inner.row.take() else {
            return Fed { effects: Vec::new(), deadline: None };
        };
        let (row, step) = step(row, input, now);
        let deadline = row.deadline();
        inner.observed = now;
        inner.row = Some(row);
        let changed = !step.events.is_empty();
        inner.append(step.events);
        drop(inner);
        if changed {
            self.version.send_modify(|v| *v += 1);
        }
        Fed { effects: step.effects, deadline }
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
            presence: if row.is_gone() { Presence::Gone } else { Presence::Present },
            observed: inner.observed,
        }
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
