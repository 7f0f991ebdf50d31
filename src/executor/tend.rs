//! Performs what is due for a task without a caller, if this replica is the keeper.
//!
//! ```text
//! every feed ─▶ arm the wheel with the next duty ─▶ due ─▶ keeper? ─▶ act ─▶ arm again
//!                                                       └─ not: when it becomes the keeper, all rows are looked at
//! ```

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tracing::{Instrument, info_span, warn};

use super::duty::{Act, Duty, Look, Rules, duty, kept_until};
use super::records::is_refused;
use super::stop::StopRequest;
use super::table::{Entry, Presence};
use super::{ExecError, Executor};
use crate::cluster::{ApiFailure, DeleteRequest};
use crate::task::outcome::decide_lost;

/// How long an act that failed, or whose effect does not show yet, waits before it is looked at again.
const RETRY: SignedDuration = SignedDuration::from_secs(10);
/// How long the effect of an act is waited for.
const SHOWS: Duration = Duration::from_secs(5);

/// Why an act was not done.
#[derive(Debug, thiserror::Error)]
enum TendError {
    #[error(transparent)]
    Cluster(#[from] ApiFailure),
    #[error(transparent)]
    Stop(#[from] ExecError),
}

/// How an act went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    Well,
    Failed,
}

impl Executor {
    /// The rules of this server.
    pub(super) fn rules(&self) -> Rules {
        let settings = &self.inner.settings;
        let seconds = |duration| SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
        Rules {
            window: self.window(),
            after_success: seconds(settings.retention.after_success),
            after_failure: seconds(settings.retention.after_failure),
            sidecar_grace: seconds(settings.sidecar_grace),
        }
    }

    /// When a finished task's pod goes, if nobody releases it before.
    pub fn pod_expiry(&self, entry: &Entry) -> Option<Timestamp> {
        let view = entry.view();
        if view.presence == Presence::Gone {
            return None;
        }
        kept_until(&Look { view: &view, deadline: None, recorded: None }, &self.rules())
    }

    pub(super) fn next_duty(&self, entry: &Entry, now: Timestamp) -> Option<Duty> {
        let (view, recorded) = (entry.view(), entry.recorded());
        let look = Look { view: &view, deadline: entry.deadline(), recorded: recorded.as_deref() };
        duty(&look, &self.rules(), now)
    }

    /// Sets the wheel for what is next.
    pub(super) fn arm(&self, entry: &Arc<Entry>) {
        let next = self.next_duty(entry, Timestamp::now());
        self.inner.timekeeper.arm(entry, next.map(|duty| duty.at));
    }

    /// Looks at every task: this replica has become the keeper.
    pub(super) fn tend_all(&self) {
        for entry in self.inner.table.all() {
            self.arm(&entry);
        }
    }

    /// The wheel says that something is due.
    pub(super) fn tend(&self, entry: Arc<Entry>, now: Timestamp) {
        let Some(duty) = self.next_duty(&entry, now) else { return };
        if duty.at > now {
            return self.inner.timekeeper.arm(&entry, Some(duty.at));
        }
        if !self.inner.keeper.is_held() || !self.inner.timekeeper.begin(&entry) {
            return;
        }
        let here = self.clone();
        let span = info_span!("tend", task = %entry.key, pod_uid = %entry.uid, act = ?duty.act);
        self.spawn(
            async move {
                let done = here.perform_act(&entry, duty.act).await;
                here.inner.timekeeper.end(&entry);
                let done = match done {
                    Ok(()) => Done::Well,
                    Err(error) => {
                        warn!(error = %entry.chain(&error), "not done; repeating");
                        Done::Failed
                    }
                };
                here.arm_after(&entry, duty.act, done);
            }
            .instrument(span),
        );
    }

    /// The same act again at once would be asked for in vain: its effect is still to be seen.
    fn arm_after(&self, entry: &Arc<Entry>, act: Act, done: Done) {
        let now = Timestamp::now();
        match self.next_duty(entry, now) {
            Some(next) if next.act == act && (next.at <= now || done == Done::Failed) => {
                let again = now.checked_add(RETRY).unwrap_or(Timestamp::MAX);
                self.inner.timekeeper.arm(entry, Some(again));
            }
            next => self.inner.timekeeper.arm(entry, next.map(|duty| duty.at)),
        }
    }

    async fn perform_act(&self, entry: &Arc<Entry>, act: Act) -> Result<(), TendError> {
        match act {
            Act::Stop(cause) => {
                let request = StopRequest { cause, caller: String::new(), message: String::new(), grace_seconds: None };
                self.stop(entry, &request).await?;
            }
            Act::CleanUp => self.clean_up(entry).await?,
            Act::DeclareLost => self.store_outcome(entry, &decide_lost(&entry.view().observation)).await,
            Act::Record => self.record(entry).await?,
            Act::Retire => self.retire(entry).await?,
            Act::Expire => self.expire_record(entry).await?,
        }
        Ok(())
    }

    async fn record(&self, entry: &Arc<Entry>) -> Result<(), ApiFailure> {
        let Some(record) = self.record_of(entry) else { return Ok(()) };
        match self.put_record(&record).await {
            Err(error) if is_refused(&error) => {
                self.records_refused(&error);
                // Nothing can be kept of it: a finalizer held for that would only be in the way.
                if entry.view().observation.deletion.is_some() {
                    self.remove_finalizer(entry).await;
                }
                Err(error)
            }
            other => other,
        }
    }

    /// Lets the pod go. Its record is there and has settled, or its key is not needed any more.
    async fn retire(&self, entry: &Arc<Entry>) -> Result<(), ApiFailure> {
        let seen = entry.view().observation;
        if seen.has_finalizer == crate::task::observation::Holding::Held {
            self.remove_finalizer(entry).await;
        }
        if entry.view().observation.deletion.is_some() || entry.view().presence == Presence::Gone {
            return Ok(());
        }
        let delete = DeleteRequest { uid: entry.uid.clone(), grace_seconds: None };
        self.inner.cluster.delete_pod(&entry.key.namespace, &entry.pod, &delete).await?;
        let mut changed = entry.subscribe();
        let gone = async { while entry.view().presence == Presence::Present && changed.changed().await.is_ok() {} };
        match tokio::time::timeout(SHOWS, gone).await {
            Ok(()) => Ok(()),
            // The watch has not shown it, or never will.
            Err(_) => self.reread(entry).await,
        }
    }
}
