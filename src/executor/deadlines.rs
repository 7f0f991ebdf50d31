//! One wheel for all rows: when something is due for a task.
//!
//! What is due is a function of the row (`duty.rs`); the timekeeper sleeps until the earliest of all and asks again
//! (`tend.rs`). What was missed (this process was down, or not the keeper) is due as soon as the row is there again.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Executor;
use super::table::Entry;
use crate::task::machine::Input;

/// Longest sleep, and how often what is over is forgotten.
const HOUSEKEEPING: Duration = Duration::from_secs(60);

/// The wheel.
#[derive(Default)]
pub(super) struct Timekeeper {
    wheel: Mutex<Wheel>,
    earlier: Notify,
    /// Tasks for which something is being done.
    acting: Mutex<HashSet<String>>,
    /// Tasks whose stopped pod is being deleted.
    deleting: Mutex<HashSet<String>>,
}

#[derive(Default)]
struct Wheel {
    due: BTreeSet<(Timestamp, String)>,
    armed: HashMap<String, (Timestamp, Weak<Entry>)>,
    /// Rows that want to be told the time, no matter what happens before.
    rechecks: BTreeMap<(Timestamp, String), Weak<Entry>>,
}

impl Timekeeper {
    /// Sets, moves or clears when something is due for an entry.
    pub fn arm(&self, entry: &Arc<Entry>, at: Option<Timestamp>) {
        let id = entry.id();
        let mut wheel = self.wheel.lock();
        if let Some((at, _)) = wheel.armed.remove(&id) {
            wheel.due.remove(&(at, id.clone()));
        }
        let Some(at) = at else { return };
        wheel.due.insert((at, id.clone()));
        wheel.armed.insert(id.clone(), (at, Arc::downgrade(entry)));
        let is_first = wheel.due.first().is_some_and(|(_, first)| *first == id);
        drop(wheel);
        if is_first {
            self.earlier.notify_one();
        }
    }

    /// Whether what is due is this caller's to do.
    pub fn begin(&self, entry: &Entry) -> bool {
        self.acting.lock().insert(entry.id())
    }

    /// It is done, or given up until the next time.
    pub fn end(&self, entry: &Entry) {
        self.acting.lock().remove(&entry.id());
    }

    /// Whether the delete of a stopped pod is this caller's to do.
    pub fn begin_delete(&self, entry: &Entry) -> bool {
        self.deleting.lock().insert(entry.id())
    }

    /// The delete is done, or given up until the next reason for it.
    pub fn end_delete(&self, entry: &Entry) {
        self.deleting.lock().remove(&entry.id());
    }

    /// Feeds the row a tick at `at`.
    pub fn recheck(&self, entry: &Arc<Entry>, at: Timestamp) {
        let known = self.wheel.lock().rechecks.insert((at, entry.id()), Arc::downgrade(entry));
        if known.is_none() {
            self.earlier.notify_one();
        }
    }

    fn take_rechecks(&self, now: Timestamp) -> (Vec<Arc<Entry>>, Option<Timestamp>) {
        let mut wheel = self.wheel.lock();
        let mut due = Vec::new();
        while let Some(first) = wheel.rechecks.first_entry() {
            if first.key().0 > now {
                let next = first.key().0;
                return (due, Some(next));
            }
            due.extend(first.remove().upgrade());
        }
        (due, None)
    }

    /// Takes the entries that are due, and tells when the next one is.
    fn take_due(&self, now: Timestamp) -> (Vec<Arc<Entry>>, Option<Timestamp>) {
        let mut wheel = self.wheel.lock();
        let mut due = Vec::new();
        while let Some((at, uid)) = wheel.due.first().cloned() {
            if at > now {
                return (due, Some(at));
            }
            wheel.due.remove(&(at, uid.clone()));
            if let Some((_, entry)) = wheel.armed.remove(&uid) {
                due.extend(entry.upgrade());
            }
        }
        (due, None)
    }
}

/// Starts the timekeeper's task.
pub(super) fn start(executor: &Executor) {
    let here = executor.clone();
    executor.spawn(async move {
        let mut cleaned = tokio::time::Instant::now();
        loop {
            let now = Timestamp::now();
            let (rechecks, next_recheck) = here.inner.timekeeper.take_rechecks(now);
            for entry in rechecks {
                here.feed(&entry, Input::Tick);
            }
            let (due, next_due) = here.inner.timekeeper.take_due(now);
            for entry in due {
                here.tend(entry, now);
            }
            if cleaned.elapsed() >= HOUSEKEEPING {
                here.forget_old();
                cleaned = tokio::time::Instant::now();
            }
            let next = next_recheck.into_iter().chain(next_due).min();
            let sleep = next.map_or(HOUSEKEEPING, |at| until(now, at).min(HOUSEKEEPING));
            tokio::select! {
                () = tokio::time::sleep(sleep) => {}
                () = here.inner.timekeeper.earlier.notified() => {}
            }
        }
    });
}

fn until(now: Timestamp, at: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO)
}
