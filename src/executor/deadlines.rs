//! Deadlines of all rows on one wheel: what stops a task when its time is up.
//!
//! A row tells its next deadline; the timekeeper sleeps until the earliest of all, asks the row
//! again, and stops the task when the deadline still holds. Missed ones (this process was down)
//! fire as soon as the row is there again. The pod's `activeDeadlineSeconds` is the backstop.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tracing::{Instrument, info, info_span, warn};

use super::Executor;
use super::stop::StopRequest;
use super::table::Entry;
use super::watches::chain;
use crate::task::machine::{Deadline, Input};
use crate::task::observation::StopCause;
use crate::task::outcome::decide_lost;

/// Longest sleep, and how often what is over is forgotten.
const HOUSEKEEPING: Duration = Duration::from_secs(60);
/// How long a deadline whose stop failed waits before it is tried again.
const RETRY: i64 = 10;

/// The wheel.
#[derive(Default)]
pub(super) struct Timekeeper {
    wheel: Mutex<Wheel>,
    earlier: Notify,
    /// uids of the tasks whose deadline is being acted on.
    acting: Mutex<HashSet<String>>,
    /// uids of the stopped pods being deleted.
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
    /// Sets, moves or clears the deadline of an entry.
    pub fn arm(&self, entry: &Arc<Entry>, deadline: Option<&Deadline>) {
        let mut wheel = self.wheel.lock();
        if let Some((at, _)) = wheel.armed.remove(&entry.uid) {
            wheel.due.remove(&(at, entry.uid.clone()));
        }
        let Some(deadline) = deadline else { return };
        wheel.due.insert((deadline.at, entry.uid.clone()));
        wheel.armed.insert(entry.uid.clone(), (deadline.at, Arc::downgrade(entry)));
        let is_first = wheel.due.first().is_some_and(|(_, uid)| *uid == entry.uid);
        drop(wheel);
        if is_first {
            self.earlier.notify_one();
        }
    }

    /// Whether the delete of a stopped pod is this caller's to do.
    pub fn begin_delete(&self, entry: &Entry) -> bool {
        self.deleting.lock().insert(entry.uid.clone())
    }

    /// The delete is done, or given up until the next reason for it.
    pub fn end_delete(&self, entry: &Entry) {
        self.deleting.lock().remove(&entry.uid);
    }

    /// Feeds the row a tick at `at`.
    pub fn recheck(&self, entry: &Arc<Entry>, at: Timestamp) {
        let known = self.wheel.lock().rechecks.insert((at, entry.uid.clone()), Arc::downgrade(entry));
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
                here.time_is_up(entry, now);
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

impl Executor {
    fn time_is_up(&self, entry: Arc<Entry>, now: Timestamp) {
        let Some(deadline) = entry.deadline() else { return };
        if deadline.at > now {
            return self.inner.timekeeper.arm(&entry, Some(&deadline));
        }
        if !self.inner.timekeeper.acting.lock().insert(entry.uid.clone()) {
            return;
        }
        let here = self.clone();
        let span = info_span!("deadline", task = %entry.key, pod_uid = %entry.uid, cause = ?deadline.cause);
        self.spawn(
            async move {
                info!("time is up");
                here.act_on(&entry, deadline.cause).await;
                here.inner.timekeeper.acting.lock().remove(&entry.uid);
            }
            .instrument(span),
        );
    }

    async fn act_on(&self, entry: &Arc<Entry>, cause: StopCause) {
        if cause == StopCause::LostTimeout {
            // The node never came back: the outcome is that it cannot be known.
            let outcome = decide_lost(&entry.view().observation);
            return self.store_outcome(entry, &outcome).await;
        }
        let request = StopRequest { cause, caller: String::new(), message: String::new(), grace_seconds: None };
        let Err(error) = self.stop(entry, &request).await else { return };
        warn!(error = %chain(&error), "the task could not be stopped; repeating");
        let again = Timestamp::from_second(Timestamp::now().as_second() + RETRY);
        if let (Ok(at), Some(deadline)) = (again, entry.deadline()) {
            self.inner.timekeeper.arm(entry, Some(&Deadline { at, cause: deadline.cause }));
        }
    }
}
