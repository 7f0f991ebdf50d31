//! Stopping a task: one patch that records the cause and stops the pod.
//!
//! ```text
//! PATCH test uid, test resourceVersion (the primary has not terminated at that version)
//!       add annotation podlaunch.dev/stop, add spec.activeDeadlineSeconds = 1
//!   applied      ─▶ asked grace below the pod's: DELETE with it
//!                   not bound, or not ended grace + 30 s later: DELETE under the uid (see_to_stop)
//!   test failed  ─▶ GET, again: terminated meanwhile ─▶ no stop is recorded
//! ```
//!
//! The kubelet then sends SIGTERM, waits the pod's grace and kills; pod, exit codes and log stay.
//!
//! What goes on after the primary has ended is stopped in the same way, with annotation podlaunch.dev/cleanup instead:
//! that is no stop of the task, whose outcome is the primary's.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tracing::{info, warn};

use super::duty::Act;
use super::effects::Backoff;
use super::table::{Entry, Presence};
use super::{ExecError, Executor};
use crate::cluster::{DeleteRequest, PatchAnswer, PatchOp};
use crate::task::meta;
use crate::task::observation::{Observation, Stop, StopCause};
use crate::task::outcome::is_left_over;

/// Most tries against a pod that keeps changing.
const TRIES: usize = 20;
/// How long after its grace a stop must show, before the pod is deleted.
const CONFIRM_SECONDS: i64 = 30;
/// Most tries to delete what was stopped.
const DELETE_TRIES: usize = 10;

/// Who wants a task stopped, and why.
#[derive(Debug, Clone)]
pub struct StopRequest {
    /// Why.
    pub cause: StopCause,
    /// The caller as the API knew it; empty for a timeout.
    pub caller: String,
    /// The caller's words.
    pub message: String,
    /// Grace in seconds; none is the pod's own.
    pub grace_seconds: Option<i64>,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// The stop is recorded by this call.
    Recorded,
    /// A stop was recorded before.
    Already,
    /// The primary container had ended before: its outcome stands.
    Ended,
    /// The limit that was to be enforced does not hold any more.
    NotDue,
}

impl Executor {
    /// Stops a task. Idempotent.
    pub async fn stop(&self, entry: &Arc<Entry>, request: &StopRequest) -> Result<Stopped, ExecError> {
        let mut backoff = Backoff::new(Duration::from_millis(5), Duration::from_secs(1));
        for _ in 0..TRIES {
            let view = entry.view();
            let seen = view.observation;
            if view.outcome.is_some() || view.presence == Presence::Gone || has_ended(&seen) {
                return Ok(Stopped::Ended);
            }
            if seen.stop.is_some() {
                // Whoever recorded it may have died before the delete that belongs to it.
                self.delete_if_needed(entry, request).await?;
                return Ok(Stopped::Already);
            }
            let ops = self.stop_ops(entry, &seen, request);
            let answer = self.inner.cluster.patch_pod(&entry.key.namespace, &entry.pod, &ops).await;
            match answer.map_err(ExecError::ClusterUnavailable)? {
                PatchAnswer::Applied(pod) => {
                    info!(task = %entry.key, pod_uid = %entry.uid, cause = ?request.cause, "stop recorded");
                    self.feed_pod(&pod);
                    self.delete_if_needed(entry, request).await?;
                    return Ok(Stopped::Recorded);
                }
                PatchAnswer::TestFailed => {
                    self.reread(entry).await.map_err(ExecError::ClusterUnavailable)?;
                    if !self.is_still_due(entry, request.cause) {
                        return Ok(Stopped::NotDue);
                    }
                    backoff.wait().await;
                }
                PatchAnswer::Gone => self.confirm_gone(entry).await,
            }
        }
        Err(ExecError::Internal("the pod changed at every try to stop it".into()))
    }

    /// Whoever recorded a stop may have died before what belongs to it: a pod without a node is
    /// deleted, and one whose stop does not show in time too. Called with every new version.
    pub(super) fn see_to_stop(&self, entry: &Arc<Entry>) {
        let view = entry.view();
        let seen = &view.observation;
        let Some(stop) = &seen.stop else { return };
        if view.outcome.is_some() || view.presence == Presence::Gone || seen.deletion.is_some() || has_ended(seen) {
            return;
        }
        let wait = stop.grace_seconds.max(seen.grace_seconds).saturating_add(CONFIRM_SECONDS);
        let due = stop.time.as_second().saturating_add(wait);
        if seen.node.is_some() && Timestamp::now().as_second() < due {
            if let Ok(at) = Timestamp::from_second(due) {
                self.inner.timekeeper.recheck(entry, at);
            }
            return;
        }
        if !self.inner.timekeeper.begin_delete(entry) {
            return;
        }
        let (here, entry) = (self.clone(), entry.clone());
        self.spawn(async move {
            let delete = DeleteRequest { uid: entry.uid.clone(), grace_seconds: None };
            if let Err(error) = here.delete(&entry, &delete).await {
                warn!(task = %entry.key, error = %entry.chain(&error), "the stopped pod could not be deleted");
            }
            here.inner.timekeeper.end_delete(&entry);
        });
    }

    /// A limit may have been kept in the version that was not seen: the container has started, a listener is back.
    fn is_still_due(&self, entry: &Entry, cause: StopCause) -> bool {
        let view = entry.view();
        let seen = &view.observation;
        let settled = view.outcome.is_some() || view.presence == Presence::Gone || seen.stop.is_some();
        if cause == StopCause::Cancel || settled || has_ended(seen) {
            return true;
        }
        let now = Timestamp::now();
        self.next_duty(entry, now).is_some_and(|duty| duty.act == Act::Stop(cause) && duty.at <= now)
    }

    /// Stops what goes on after the primary container has ended. The pod goes with its retention, whatever comes of it.
    pub(super) async fn clean_up(&self, entry: &Arc<Entry>) -> Result<(), ExecError> {
        let mut backoff = Backoff::new(Duration::from_millis(5), Duration::from_secs(1));
        for _ in 0..TRIES {
            let view = entry.view();
            let seen = view.observation;
            if view.presence == Presence::Gone || !is_left_over(&seen) {
                return Ok(());
            }
            let [test_uid, test_version, end] = end_ops(entry, &seen);
            let ops = [test_uid, test_version, PatchOp::annotate(meta::CLEANUP, &Timestamp::now().to_string()), end];
            let answer = self.inner.cluster.patch_pod(&entry.key.namespace, &entry.pod, &ops).await;
            match answer.map_err(ExecError::ClusterUnavailable)? {
                PatchAnswer::Applied(pod) => {
                    info!("containers that went on after the primary are stopped");
                    self.feed_pod(&pod);
                    return Ok(());
                }
                PatchAnswer::TestFailed => {
                    self.reread(entry).await.map_err(ExecError::ClusterUnavailable)?;
                    backoff.wait().await;
                }
                PatchAnswer::Gone => self.confirm_gone(entry).await,
            }
        }
        Err(ExecError::Internal("the pod changed at every try to end what was left of it".into()))
    }

    fn stop_ops(&self, entry: &Entry, seen: &Observation, request: &StopRequest) -> [PatchOp; 4] {
        let stop = Stop {
            cause: request.cause,
            caller: request.caller.clone(),
            message: request.message.clone(),
            time: Timestamp::now(),
            // Longer than the pod's own counts as the pod's own.
            grace_seconds: request.grace_seconds.map_or(seen.grace_seconds, |asked| asked.min(seen.grace_seconds)),
            pending: entry.pending_for_stop(),
        };
        let text = serde_json::to_string(&stop).unwrap_or_default();
        let [test_uid, test_version, end] = end_ops(entry, seen);
        [test_uid, test_version, PatchOp::annotate(meta::STOP, &text), end]
    }

    /// The deadline knows no grace but the pod's. (A pod without a node is [`Self::see_to_stop`]'s.)
    async fn delete_if_needed(&self, entry: &Arc<Entry>, request: &StopRequest) -> Result<(), ExecError> {
        let seen = entry.view().observation;
        match request.grace_seconds.filter(|asked| *asked < seen.grace_seconds && seen.node.is_some()) {
            Some(shorter) => {
                self.delete(entry, &DeleteRequest { uid: entry.uid.clone(), grace_seconds: Some(shorter) }).await
            }
            None => Ok(()),
        }
    }

    async fn delete(&self, entry: &Entry, delete: &DeleteRequest) -> Result<(), ExecError> {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(2));
        let mut tries = 0;
        loop {
            tries += 1;
            match self.inner.cluster.delete_pod(&entry.key.namespace, &entry.pod, delete).await {
                Ok(()) => return Ok(()),
                Err(error) if tries < DELETE_TRIES && error.is_retryable() => {
                    warn!(task = %entry.key, error = %entry.chain(&error), "the stopped pod could not be deleted; repeating");
                    backoff.wait().await;
                }
                Err(error) => return Err(ExecError::ClusterUnavailable(error)),
            }
        }
    }
}

/// The pod at this version, and the deadline that ends it.
fn end_ops(entry: &Entry, seen: &Observation) -> [PatchOp; 3] {
    [
        PatchOp::test_uid(&entry.uid),
        PatchOp::test_version(seen.resource_version),
        PatchOp::Add { path: "/spec/activeDeadlineSeconds".into(), value: json!(1) },
    ]
}

fn has_ended(seen: &Observation) -> bool {
    seen.phase_is_terminal() || seen.primary_ended().is_some()
}
