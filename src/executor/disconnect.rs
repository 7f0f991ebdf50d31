//! The disconnect policy: a caller's lease in the cluster.
//!
//! ```text
//! stream of a task with CANCEL_AFTER d opens ─▶ this replica renews `podlaunch.dev/attached-until` every d/3
//! last such stream here closes ─▶ it is not renewed any more ─▶ passed, by any keeper's clock ─▶ Stop(DISCONNECTED)
//! ```
//!
//! Any number of replicas may renew it; the task is stopped when none has for d.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tracing::{Instrument, debug, info_span, warn};

use super::Executor;
use super::table::{Entry, Presence};
use crate::cluster::{PatchAnswer, PatchOp};
use crate::task::meta;

/// How soon a renewal that failed is repeated.
const AGAIN: Duration = Duration::from_secs(2);

/// Who listens to a task on this replica.
#[derive(Default)]
pub(super) struct Listeners {
    count: AtomicUsize,
    renewing: AtomicBool,
}

/// One listener; dropping it takes it away.
pub(super) struct Listening {
    entry: Arc<Entry>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.entry.listeners.count.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Executor {
    /// A stream of the task is open from now on.
    pub(super) fn listen(&self, entry: &Arc<Entry>) -> Listening {
        entry.listeners.count.fetch_add(1, Ordering::AcqRel);
        let view = entry.view();
        if view.observation.policy.cancel_after.is_some() && view.outcome.is_none() {
            self.start_renewing(entry);
        }
        Listening { entry: entry.clone() }
    }

    fn start_renewing(&self, entry: &Arc<Entry>) {
        if entry.listeners.renewing.swap(true, Ordering::AcqRel) {
            return;
        }
        let (here, entry) = (self.clone(), entry.clone());
        let span = info_span!("listen", task = %entry.key, pod_uid = %entry.uid);
        self.spawn(
            async move {
                here.renew_while_heard(&entry).await;
                entry.listeners.renewing.store(false, Ordering::Release);
                // One that came between the last look and now found the renewal still on its way.
                if entry.listeners.count.load(Ordering::Acquire) > 0 && is_active(&entry) {
                    here.start_renewing(&entry);
                }
            }
            .instrument(span),
        );
    }

    async fn renew_while_heard(&self, entry: &Arc<Entry>) {
        let policy = entry.view().observation.policy.clone();
        let Some(every) = policy.renew_every() else { return };
        while entry.listeners.count.load(Ordering::Acquire) > 0 && is_active(entry) {
            let now = Timestamp::now();
            let Some(until) = policy.attached_until(now) else { return };
            let due = entry.view().observation.attached_until.is_none_or(|known| is_older(known, until, every));
            let wait = if due && !self.renew(entry, until).await {
                AGAIN
            } else {
                Duration::from_secs(u64::try_from(every).unwrap_or(1))
            };
            tokio::time::sleep(wait).await;
        }
    }

    async fn renew(&self, entry: &Arc<Entry>, until: Timestamp) -> bool {
        let ops = [PatchOp::test_uid(&entry.uid), PatchOp::annotate(meta::ATTACHED_UNTIL, &until.to_string())];
        match self.inner.cluster.patch_pod(&entry.key.namespace, &entry.pod, &ops).await {
            Ok(PatchAnswer::Applied(pod)) => {
                self.feed_pod(&pod);
                true
            }
            Ok(PatchAnswer::TestFailed | PatchAnswer::Gone) => {
                debug!("the pod is gone: nothing to renew");
                true
            }
            Err(error) => {
                warn!(error = %entry.chain(&error), "that the task is listened to could not be stored; repeating");
                false
            }
        }
    }
}

/// Whether a stored time is not fresh any more: another replica may have renewed it a moment ago.
fn is_older(known: Timestamp, until: Timestamp, every: i64) -> bool {
    known.checked_add(SignedDuration::from_secs(every / 2)).is_ok_and(|at| at <= until)
}

fn is_active(entry: &Entry) -> bool {
    let view = entry.view();
    view.outcome.is_none() && view.presence == Presence::Present
}
