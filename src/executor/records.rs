//! Outcome records: watched into the table, written where a key must outlive its pod.
//!
//! ```text
//! watch ─▶ There ─▶ the entry of its pod has a record, or an entry is made that replays the outcome
//!       └▶ Deleted ─▶ forgotten
//! write ─▶ POST ─ 409 ─▶ GET: of the same pod ─▶ that one counts;  of an earlier one ─▶ PUT in its place
//! ```
//!
//! A launch relies on the watch for what is *not* there only while the watch is known to be alive; otherwise it reads
//! the record by name first.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;
use tracing::{info, warn};

use super::duty::RECORD_SETTLES;
use super::effects::Backoff;
use super::stop::StopRequest;
use super::table::{Entry, Presence, RecordFed};
use super::watches::chain;
use super::{ExecError, Executor};
use crate::cluster::{ApiFailure, RecordAnswer, RecordItem, StoredRecord, watch_records};
use crate::task::machine::{End, Input};
use crate::task::observation::{StopCause, StoredOutcome};
use crate::task::{Outcome, Record};

/// After a failure the watch is believed again when it has been quiet for longer than its longest back-off.
const QUIET: Duration = Duration::from_secs(35);
/// Most tries against a record that others write at the same time.
const TRIES: usize = 20;

/// What is known of the watch of records.
#[derive(Default)]
pub(super) struct Records {
    watch: Mutex<Watch>,
}

#[derive(Default)]
struct Watch {
    listed: bool,
    failed: Option<Instant>,
    refused: bool,
    unreadable: bool,
}

impl Records {
    /// Whether a record that the table does not have is not there, give or take what is written this moment.
    pub fn are_complete(&self) -> bool {
        let watch = self.watch.lock();
        watch.listed && watch.failed.is_none_or(|at| at.elapsed() >= QUIET)
    }

    fn note(&self, item: &RecordItem) {
        let mut watch = self.watch.lock();
        match item {
            RecordItem::Failed(_) => watch.failed = Some(Instant::now()),
            RecordItem::ListDone => *watch = Watch { listed: true, ..Watch::default() },
            RecordItem::Restarted => watch.listed = false,
            RecordItem::There(_) | RecordItem::Deleted(_) => {
                if watch.listed {
                    watch.failed = None;
                }
            }
            RecordItem::Foreign { .. } => {}
        }
    }

    /// Whether reading one was refused, and they were not listed since: there is none to be asked for.
    pub fn are_unreadable(&self) -> bool {
        self.watch.lock().unreadable
    }

    /// Records are refused to this account; true the first time.
    fn refuse(&self) -> bool {
        !std::mem::replace(&mut self.watch.lock().refused, true)
    }
}

/// Starts the watch's task.
pub(super) fn start(executor: &Executor) {
    let here = executor.clone();
    let settings = &executor.inner.settings;
    let items = watch_records(&executor.inner.cluster, executor.record_namespace(), &settings.instance);
    executor.spawn(async move {
        let mut items = std::pin::pin!(items);
        let mut listed: HashSet<String> = HashSet::new();
        while let Some(item) = items.next().await {
            here.record_seen(&item, &mut listed);
            here.inner.records.note(&item);
        }
    });
}

impl Executor {
    fn record_seen(&self, item: &RecordItem, listed: &mut HashSet<String>) {
        match item {
            RecordItem::Restarted => listed.clear(),
            RecordItem::There(stored) => {
                listed.insert(stored.name.clone());
                self.feed_record(stored);
            }
            RecordItem::ListDone => {
                info!(records = listed.len(), "records listed");
                for stored in self.inner.table.recorded_but(listed) {
                    self.inner.table.drop_record(&stored);
                }
                listed.clear();
            }
            RecordItem::Deleted(stored) => self.inner.table.drop_record(stored),
            RecordItem::Foreign { name, why } => warn!(record = name, why, "a ConfigMap with our label is no record"),
            RecordItem::Failed(error) => warn!(error = %chain(error), "the watch of records failed; repeating"),
        }
    }

    /// Feeds a record to the table; the entry it belongs to now, if that is not another pod's.
    pub(super) fn feed_record(&self, stored: &StoredRecord) -> Option<Arc<Entry>> {
        match self.inner.table.feed_record(stored, Timestamp::now()) {
            RecordFed::Entry(entry, fed) => {
                self.perform(&entry, fed);
                Some(entry)
            }
            RecordFed::OtherPod(entry) => {
                if !stored.record.was_launched() {
                    self.stop_as_recorded(&entry, &stored.record);
                }
                None
            }
        }
    }

    /// The task was cancelled before its pod was made, by a launch that did not know yet.
    pub(super) fn stop_as_recorded(&self, entry: &Arc<Entry>, record: &Record) {
        let Some(stop) = record.outcome.outcome.stop.clone() else { return };
        if record.task.expires <= Timestamp::now() {
            return;
        }
        let (here, entry) = (self.clone(), entry.clone());
        self.spawn(async move {
            let request = StopRequest {
                cause: StopCause::Cancel,
                caller: stop.caller,
                message: stop.message,
                grace_seconds: None,
            };
            let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(10));
            while let Err(error) = here.stop(&entry, &request).await {
                warn!(task = %entry.key, error = %entry.chain(&error), "a task cancelled before its launch could not be stopped; repeating");
                backoff.wait().await;
            }
        });
    }

    /// Looks for a record by name, where the watch cannot be relied on or the answer must be certain.
    pub(super) async fn look_up_record(&self, name: &str) -> Result<Option<Arc<Entry>>, ExecError> {
        let settings = &self.inner.settings;
        match self.inner.cluster.get_record(self.record_namespace(), &settings.instance, name).await {
            Ok(Some(stored)) => Ok(self.feed_record(&stored)),
            Ok(None) => Ok(None),
            Err(error) if is_refused(&error) => {
                self.records_refused(&error);
                let for_good = matches!(error, ApiFailure::Refused { code: 403, .. } | ApiFailure::NotFound { .. });
                self.inner.records.watch.lock().unreadable |= for_good;
                Ok(None)
            }
            Err(error) => Err(ExecError::ClusterUnavailable(error)),
        }
    }

    /// The record of an entry whose outcome is known.
    pub(super) fn record_of(&self, entry: &Entry) -> Option<Record> {
        let view = entry.view();
        let outcome = StoredOutcome::clone(view.outcome.as_deref()?);
        Some(Record::of(&view.observation, outcome, self.window(), view.ended.unwrap_or_else(Timestamp::now)))
    }

    /// Writes a record, or finds the one that is there already for the same pod, and feeds it.
    pub(super) async fn put_record(&self, record: &Record) -> Result<(), ApiFailure> {
        let stored = self.write_record(record).await?;
        info!(task = %record.key(), pod_uid = record.task.pod_uid, "outcome recorded");
        self.feed_record(&stored);
        Ok(())
    }

    pub(super) async fn write_record(&self, record: &Record) -> Result<StoredRecord, ApiFailure> {
        let (cluster, instance) = (&self.inner.cluster, &self.inner.settings.instance);
        let namespace = self.record_namespace();
        let name = record.key().pod_name(instance);
        let mut backoff = Backoff::new(Duration::from_millis(10), Duration::from_secs(1));
        for _ in 0..TRIES {
            if let RecordAnswer::Stored(stored) = cluster.create_record(namespace, instance, record).await? {
                return Ok(*stored);
            }
            if let Some(there) = cluster.get_record(namespace, instance, &name).await? {
                if counts(&there.record, record, Timestamp::now()) {
                    return Ok(there);
                }
                if let RecordAnswer::Stored(stored) =
                    cluster.replace_record(namespace, instance, record, &there).await?
                {
                    return Ok(*stored);
                }
            }
            backoff.wait().await;
        }
        Err(ApiFailure::Timeout)
    }

    /// Decides the outcome of a pod that is gone: by the first record written.
    pub(super) async fn store_record(&self, entry: &Arc<Entry>, outcome: &Outcome, end: End) {
        if end == End::Missed {
            self.leave_it_to_others(entry).await;
        }
        let stored = StoredOutcome { text: outcome.to_text(), outcome: outcome.clone() };
        let seen = entry.view().observation;
        let record = Record::of(&seen, stored.clone(), self.window(), Timestamp::now());
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(10));
        while entry.view().outcome.is_none() {
            match self.write_record(&record).await {
                Ok(there) => {
                    info!(state = %there.record.outcome.outcome.state, "outcome recorded; the pod is gone");
                    // The name may be another pod's by now: then the record is not this entry's in the table.
                    if self.feed_record(&there).is_none_or(|fed| !Arc::ptr_eq(&fed, entry)) {
                        self.feed(entry, Input::Recorded(Arc::new(there.record.outcome.clone())));
                    }
                    return;
                }
                Err(error) if is_refused(&error) => {
                    self.records_refused(&error);
                    return self.feed(entry, Input::Recorded(Arc::new(stored)));
                }
                Err(error) => warn!(error = %entry.chain(&error), "the outcome could not be recorded; repeating"),
            }
            backoff.wait().await;
        }
    }

    /// Gives a replica that saw how the pod ended, or stored its outcome, the time to record that.
    async fn leave_it_to_others(&self, entry: &Entry) {
        let mut changed = entry.subscribe();
        let recorded = async { while entry.view().outcome.is_none() && changed.changed().await.is_ok() {} };
        // If nobody does, what this replica knows is all there is.
        let _ = tokio::time::timeout(RECORD_SETTLES.unsigned_abs(), recorded).await;
    }

    /// Says once that keys do not outlive their pods here.
    pub(super) fn records_refused(&self, error: &ApiFailure) {
        if self.inner.records.refuse() {
            warn!(
                namespace = self.record_namespace(),
                error = %chain(error),
                "outcome records cannot be used: a key does not outlive its pod; grant configmaps get, list, watch, create, update, delete"
            );
        }
    }

    /// Deletes a record whose time is over.
    pub(super) async fn expire_record(&self, entry: &Arc<Entry>) -> Result<(), ApiFailure> {
        let Some(recorded) = entry.recorded() else { return Ok(()) };
        self.inner.cluster.delete_record(self.record_namespace(), &recorded.stored).await?;
        self.inner.table.drop_record(&recorded.stored);
        Ok(())
    }

    pub(super) fn window(&self) -> SignedDuration {
        SignedDuration::try_from(self.inner.settings.idempotency_window).unwrap_or(SignedDuration::MAX)
    }
}

/// Whether the record that is there stands, so that `wanted` is not written.
fn counts(there: &Record, wanted: &Record, now: Timestamp) -> bool {
    if wanted.was_launched() {
        return there.task.pod_uid == wanted.task.pod_uid;
    }
    // A cancel of what was never launched: whatever holds the key counts, while it does.
    there.task.expires > now
}

/// Whether records are refused for good.
pub(super) fn is_refused(error: &ApiFailure) -> bool {
    match error {
        ApiFailure::Refused { .. } => true,
        // The namespace of the records does not exist.
        ApiFailure::NotFound { .. } => true,
        _ => false,
    }
}

/// Whether an entry still stands for its key at `now`: not if only a record is left whose time is over.
pub(super) fn holds_key(entry: &Entry, now: Timestamp) -> bool {
    entry.view().presence == Presence::Present || entry.recorded().is_none_or(|r| r.stored.record.task.expires > now)
}
