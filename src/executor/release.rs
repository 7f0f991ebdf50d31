//! Releasing a finished task, and cancelling one that was never launched.
//!
//! ```text
//! DeleteTask ─▶ PATCH annotation podlaunch.dev/released ─▶ the keeper: record ─ 10 s ─▶ pod deleted
//! CancelTask(allow_missing), no such task ─▶ POST a CANCELLED record ─▶ look for a pod made meanwhile ─▶ stop it
//! ```
//!
//! Whoever launches after the record is written finds it; whoever launched before is found by the look; and each
//! replica that sees both the record and a pod of the same key stops the pod.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tracing::info;

use super::effects::Backoff;
use super::stop::{StopRequest, Stopped};
use super::table::{Entry, Presence};
use super::{ExecError, Executor};
use crate::cluster::{PatchAnswer, PatchOp};
use crate::task::observation::Stop;
use crate::task::{Record, TaskKey, meta};

/// Most tries against a pod that keeps changing.
const TRIES: usize = 5;

/// What a cancel of a task that may be missing came to.
pub enum Cancelled {
    /// The task was there.
    Stopped(Arc<Entry>, Stopped),
    /// It was not; its key now holds a CANCELLED outcome.
    Recorded(Arc<Entry>),
}

impl Executor {
    /// Releases a finished task before its retention ends. Idempotent.
    pub async fn release(&self, entry: &Arc<Entry>, pod_uid: &str) -> Result<(), ExecError> {
        if !pod_uid.is_empty() && pod_uid != entry.uid {
            return Err(ExecError::PodUidMismatch { key: entry.key.to_string(), uid: entry.uid.clone() });
        }
        let mut backoff = Backoff::new(Duration::from_millis(20), Duration::from_secs(1));
        for _ in 0..TRIES {
            let view = entry.view();
            if view.outcome.is_none() {
                return Err(ExecError::TaskActive { key: entry.key.to_string() });
            }
            if view.presence == Presence::Gone || view.observation.released.is_some() {
                return Ok(());
            }
            let now = Timestamp::now().to_string();
            let ops = [PatchOp::test_uid(&entry.uid), PatchOp::annotate(meta::RELEASED, &now)];
            let answer = self.inner.cluster.patch_pod(&entry.key.namespace, &entry.pod, &ops).await;
            match answer.map_err(ExecError::ClusterUnavailable)? {
                PatchAnswer::Applied(pod) => {
                    info!(task = %entry.key, pod_uid = %entry.uid, "released");
                    self.feed_pod(&pod);
                    return Ok(());
                }
                PatchAnswer::TestFailed => self.reread(entry).await.map_err(ExecError::ClusterUnavailable)?,
                PatchAnswer::Gone => self.confirm_gone(entry).await,
            }
            backoff.wait().await;
        }
        Err(ExecError::Internal("the pod changed at every try to release it".into()))
    }

    /// Stops a task; where there is none, its key gets a CANCELLED outcome that a later or concurrent launch replays.
    pub async fn cancel_or_record(&self, key: &TaskKey, request: &StopRequest) -> Result<Cancelled, ExecError> {
        let name = key.pod_name(&self.inner.settings.instance);
        let lock = self.inner.launching.lock(&format!("{}/{name}", key.namespace));
        let _one_at_a_time = lock.lock().await;
        match self.find(key).await {
            Ok(entry) => {
                let stopped = self.stop(&entry, request).await?;
                return Ok(Cancelled::Stopped(entry, stopped));
            }
            Err(ExecError::TaskUnknown { .. }) => {}
            Err(error) => return Err(error),
        }
        let stop = Stop {
            cause: request.cause,
            caller: request.caller.clone(),
            message: request.message.clone(),
            time: Timestamp::now(),
            grace_seconds: request.grace_seconds.unwrap_or_default(),
            pending: None,
        };
        let record = Record::unlaunched(key, &self.inner.settings.instance, stop, self.window());
        let stored = self.write_record(&record).await.map_err(ExecError::ClusterUnavailable)?;
        let recorded = self.feed_record(&stored);
        // A launch elsewhere may have made its pod before it could see the record.
        if let Some(entry) = self.look_up(&key.namespace, &name).await? {
            let stopped = self.stop(&entry, request).await?;
            return Ok(Cancelled::Stopped(entry, stopped));
        }
        match recorded {
            Some(entry) if !stored.record.was_launched() => Ok(Cancelled::Recorded(entry)),
            Some(entry) => Ok(Cancelled::Stopped(entry, Stopped::Ended)),
            None => Err(ExecError::Internal("the record belongs to another pod of the same key".into())),
        }
    }
}
