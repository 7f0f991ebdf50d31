//! What a step asks for, done: storing an outcome.
//!
//! ```text
//! StoreOutcome ─▶ PATCH test uid, test resourceVersion, add annotation
//!                   applied ─▶ feed the answer: the annotation is there ─▶ the row ends
//!                   test failed ─▶ GET, feed: the row decides anew from the newer version
//!                   gone ─▶ feed: the row concludes from its last version
//!                   refused for good ─▶ a record beside the pod
//!                   else ─▶ again with back-off, while the executor runs
//! ```

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tracing::{Instrument, debug, info, info_span, warn};

use super::Executor;
use super::records::is_refused;
use super::table::{Entry, Fed, Presence};
use crate::cluster::{ApiFailure, PatchAnswer, PatchOp};
use crate::task::machine::{Effect, End, Input};
use crate::task::{Outcome, meta};

const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const LONGEST_BACKOFF: Duration = Duration::from_secs(10);
/// How long the watch's word on a deletion is waited for.
const GONE_LIMIT: Duration = Duration::from_secs(5);

/// Doubles up to a limit.
pub(super) struct Backoff {
    next: Duration,
    longest: Duration,
}

impl Backoff {
    pub fn new(first: Duration, longest: Duration) -> Backoff {
        Backoff { next: first, longest }
    }

    pub async fn wait(&mut self) {
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 2).min(self.longest);
    }
}

impl Executor {
    /// Starts what a step asked for and arms the next deadline.
    pub(super) fn perform(&self, entry: &Arc<Entry>, fed: Fed) {
        self.arm(entry);
        self.see_to_stop(entry);
        for effect in fed.effects {
            let (here, task) = (self.clone(), entry.clone());
            let span = info_span!("effect", task = %entry.key, pod_uid = %entry.uid);
            match effect {
                Effect::Recheck { at } => self.inner.timekeeper.recheck(entry, at),
                Effect::StoreOutcome(outcome) => {
                    self.spawn(async move { here.store_outcome(&task, &outcome).await }.instrument(span));
                }
                Effect::StoreRecord { outcome, end } => {
                    self.spawn(async move { here.store_record(&task, &outcome, end).await }.instrument(span));
                }
            }
        }
    }

    pub(super) async fn store_outcome(&self, entry: &Arc<Entry>, outcome: &Outcome) {
        let text = outcome.to_text();
        let version = outcome.pod.resource_version;
        let ops = [
            PatchOp::test_uid(&entry.uid),
            PatchOp::test_version(version),
            PatchOp::annotate(meta::OUTCOME, &text),
            PatchOp::annotate(meta::ENDED, &Timestamp::now().to_string()),
        ];
        let mut backoff = Backoff::new(FIRST_BACKOFF, LONGEST_BACKOFF);
        loop {
            // A newer version was decided on meanwhile, or another replica was first.
            let view = entry.view();
            if view.outcome.is_some() || view.observation.resource_version > version {
                return;
            }
            match self.inner.cluster.patch_pod(&entry.key.namespace, &entry.pod, &ops).await {
                Ok(PatchAnswer::Applied(pod)) => {
                    info!(state = %outcome.state, reason = outcome.reason.as_str(), "outcome stored");
                    self.feed_pod(&pod);
                    return;
                }
                Ok(PatchAnswer::TestFailed) => {
                    debug!("the pod changed before its outcome was stored; deciding anew");
                    if self.reread(entry).await.is_ok() && entry.view().observation.resource_version > version {
                        return;
                    }
                }
                Ok(PatchAnswer::Gone) => return self.confirm_gone(entry).await,
                Err(error) if is_refused(&error) => {
                    warn!(error = %entry.chain(&error), "the pod refuses its outcome: it is recorded beside it");
                    return self.store_record(entry, outcome, End::Watched).await;
                }
                Err(error) => warn!(error = %entry.chain(&error), "the outcome could not be stored; repeating"),
            }
            backoff.wait().await;
        }
    }

    /// Reads the pod by name and feeds it; another pod under the name means that this one is gone.
    pub(super) async fn reread(&self, entry: &Arc<Entry>) -> Result<(), ApiFailure> {
        match self.inner.cluster.get_pod(&entry.key.namespace, &entry.pod).await? {
            Some(pod) => {
                self.feed_pod(&pod);
            }
            None => self.confirm_gone(entry).await,
        }
        Ok(())
    }

    /// An answer says that the pod is gone. The watch is about to show its last version, which says
    /// more; only if it does not, the row concludes from what it has.
    pub(super) async fn confirm_gone(&self, entry: &Arc<Entry>) {
        let mut changed = entry.subscribe();
        let told = async {
            while entry.view().presence == Presence::Present {
                if changed.changed().await.is_err() {
                    return;
                }
            }
        };
        if tokio::time::timeout(GONE_LIMIT, told).await.is_err() {
            self.feed(entry, Input::Gone(None));
        }
    }

    pub(super) async fn remove_finalizer(&self, entry: &Arc<Entry>) {
        let mut backoff = Backoff::new(FIRST_BACKOFF, LONGEST_BACKOFF);
        let mut at = 0;
        loop {
            let ops = PatchOp::remove_finalizer(&entry.uid, at);
            match self.inner.cluster.patch_pod(&entry.key.namespace, &entry.pod, &ops).await {
                Ok(PatchAnswer::Applied(pod)) => {
                    self.feed_pod(&pod);
                    return;
                }
                Ok(PatchAnswer::Gone) => return self.confirm_gone(entry).await,
                Ok(PatchAnswer::TestFailed) => match self.finalizer_at(entry).await {
                    Ok(Some(found)) => at = found,
                    Ok(None) => return,
                    Err(error) => {
                        warn!(error = %entry.chain(&error), "the finalizer could not be looked up; repeating")
                    }
                },
                Err(error) => warn!(error = %entry.chain(&error), "the finalizer could not be removed; repeating"),
            }
            backoff.wait().await;
        }
    }

    /// Where our finalizer stands in the list; `None` where it, or the pod, is gone.
    async fn finalizer_at(&self, entry: &Arc<Entry>) -> Result<Option<usize>, ApiFailure> {
        let pod = self.inner.cluster.get_pod(&entry.key.namespace, &entry.pod).await?;
        let Some(pod) = pod.filter(|p| p.metadata.uid.as_deref() == Some(&entry.uid)) else {
            self.confirm_gone(entry).await;
            return Ok(None);
        };
        let finalizers = pod.metadata.finalizers.unwrap_or_default();
        Ok(finalizers.iter().position(|f| f == meta::FINALIZER))
    }

    /// Drops what the idempotency window no longer covers.
    pub(super) fn forget_old(&self) {
        let window = i64::try_from(self.inner.settings.idempotency_window.as_secs()).unwrap_or(i64::MAX);
        let now = Timestamp::now();
        if let Ok(before) = Timestamp::from_second(now.as_second().saturating_sub(window)) {
            self.inner.table.forget(before);
        }
    }
}
