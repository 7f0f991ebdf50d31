//! The keeper: the one replica that does what happens without a caller.
//!
//! ```text
//!  watch of the Lease ─┬─ absent or given back ─▶ POST or PUT under its resourceVersion ─▶ held
//!                      ├─ not renewed for its duration ─▶ GET: still the same ─▶ PUT ─▶ held
//!                      └─ another's renewals are seen, and nothing is asked
//!  held ─ renewed every 5 s ─▶ not renewed for 12 s, or lost to another ─▶ not held
//! ```
//!
//! The Lease only keeps replicas from doing the same work: every act is idempotent under a uid, so two keepers for a
//! moment do no harm. Where Leases may not be used, each replica is a keeper.

use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::Executor;
use super::watches::chain;
use crate::cluster::{ApiFailure, LeaseAnswer, LeaseClaim, LeaseItem, watch_lease};

/// For how long a lease is good without a renewal.
const DURATION: Duration = Duration::from_secs(15);
/// How often its holder renews it.
const RENEW: Duration = Duration::from_secs(5);
/// A holder that could not renew it for so long is none: earlier than others may take it.
const GIVE_UP: Duration = Duration::from_secs(12);
/// How long after a failed claim it is tried again.
const AGAIN: Duration = Duration::from_secs(2);
/// The same where leases are refused for good.
const REFUSED_AGAIN: Duration = Duration::from_secs(300);
/// Longest wait at shutdown for the lease to be given back.
const RELEASE_LIMIT: Duration = Duration::from_secs(2);

/// Whether this replica is the keeper.
pub(super) struct Keeper {
    held: watch::Sender<bool>,
    lease: Mutex<Option<Box<Lease>>>,
}

impl Default for Keeper {
    fn default() -> Self {
        Keeper { held: watch::Sender::new(false), lease: Mutex::new(None) }
    }
}

impl Keeper {
    /// Whether it is now.
    pub fn is_held(&self) -> bool {
        *self.held.borrow()
    }

    fn set(&self, held: bool) -> bool {
        self.held.send_if_modified(|now| std::mem::replace(now, held) != held)
    }
}

/// What the holder's loop knows.
struct Seat {
    /// The lease as last seen; `None`: there is none.
    lease: Option<Box<Lease>>,
    /// When its last change was seen.
    changed: Instant,
    /// When our last renewal was answered.
    renewed: Option<Instant>,
    /// When it is looked at again.
    next: Instant,
}

/// Starts the keeper's task.
pub(super) fn start(executor: &Executor) {
    let here = executor.clone();
    executor.spawn(async move { here.keep().await });
}

impl Executor {
    fn lease_name(&self) -> String {
        format!("podlaunch-{}", self.inner.settings.instance.as_str())
    }

    async fn keep(&self) {
        let items = watch_lease(&self.inner.cluster, self.record_namespace(), &self.lease_name());
        let mut items = std::pin::pin!(items);
        let now = Instant::now();
        // Nothing is claimed before the watch has said what there is.
        let mut seat = Seat { lease: None, changed: now, renewed: None, next: now + DURATION };
        loop {
            tokio::select! {
                item = items.next() => match item {
                    Some(item) => self.lease_seen(item, &mut seat),
                    None => return,
                },
                () = tokio::time::sleep_until(seat.next) => self.claim(&mut seat).await,
            }
        }
    }

    fn lease_seen(&self, item: LeaseItem, seat: &mut Seat) {
        let now = Instant::now();
        match item {
            LeaseItem::There(lease) => self.lease_is(lease, seat),
            LeaseItem::Absent => {
                seat.lease = None;
                self.stop_keeping(seat);
                seat.next = now;
            }
            LeaseItem::Failed(error) if is_refused(&error) => self.keep_without(seat),
            // It is read before it is taken, so what the watch misses meanwhile does no harm.
            LeaseItem::Failed(error) => debug!(error = %chain(&error), "the watch of the lease failed; repeating"),
        }
    }

    /// What the lease is now, by the watch or by a read.
    fn lease_is(&self, lease: Box<Lease>, seat: &mut Seat) {
        let known = seat.lease.as_deref().map_or(0, version);
        if version(&lease) < known {
            return;
        }
        let now = Instant::now();
        if version(&lease) > known {
            seat.changed = now;
        }
        let is_mine = holder(&lease) == self.inner.settings.replica;
        let is_free = holder(&lease).is_empty();
        seat.lease = Some(lease);
        if is_mine && seat.renewed.is_some() {
            return;
        }
        self.stop_keeping(seat);
        seat.next = if is_free || is_mine { now } else { seat.changed + DURATION };
    }

    /// Renews the lease, or takes it if its holder is silent.
    async fn claim(&self, seat: &mut Seat) {
        let others = seat
            .lease
            .as_deref()
            .is_some_and(|lease| !holder(lease).is_empty() && holder(lease) != self.inner.settings.replica);
        if others && !self.is_silent(seat).await {
            return;
        }
        let name = self.lease_name();
        let claim = LeaseClaim {
            namespace: self.record_namespace(),
            name: &name,
            holder: &self.inner.settings.replica,
            duration_seconds: i32::try_from(DURATION.as_secs()).unwrap_or(i32::MAX),
            now: Timestamp::now(),
        };
        let answer = self.inner.cluster.claim_lease(&claim, seat.lease.as_deref()).await;
        let now = Instant::now();
        match answer {
            Ok(LeaseAnswer::Held(lease)) => {
                *self.inner.keeper.lease.lock() = Some(lease.clone());
                seat.lease = Some(lease);
                (seat.changed, seat.renewed, seat.next) = (now, Some(now), now + RENEW);
                if self.inner.keeper.set(true) {
                    info!(replica = self.inner.settings.replica, "this replica is the keeper");
                    self.tend_all();
                }
            }
            Ok(LeaseAnswer::Lost) => {
                self.stop_keeping(seat);
                seat.next = now + AGAIN;
                self.read_lease(seat).await;
            }
            Err(error) => self.not_written(&error, seat),
        }
    }

    fn not_written(&self, error: &ApiFailure, seat: &mut Seat) {
        if matches!(error, ApiFailure::Refused { code: 401 | 403, .. }) {
            return self.keep_without(seat);
        }
        warn!(error = %chain(error), "the lease could not be written; repeating");
        if seat.renewed.is_some_and(|at| at.elapsed() >= GIVE_UP) {
            self.stop_keeping(seat);
        }
        seat.next = Instant::now() + AGAIN;
    }

    /// Whether the other's lease is still what it was a duration ago.
    async fn is_silent(&self, seat: &mut Seat) -> bool {
        let before = seat.lease.as_deref().map_or(0, version);
        seat.next = Instant::now() + AGAIN;
        self.read_lease(seat).await && seat.lease.as_deref().map_or(0, version) == before
    }

    /// Reads the lease; false where that was not possible.
    async fn read_lease(&self, seat: &mut Seat) -> bool {
        match self.inner.cluster.get_lease(self.record_namespace(), &self.lease_name()).await {
            Ok(Some(lease)) => self.lease_is(lease, seat),
            Ok(None) => {
                seat.lease = None;
                seat.next = Instant::now();
            }
            Err(error) => {
                debug!(error = %chain(&error), "the lease could not be read; repeating");
                return false;
            }
        }
        true
    }

    fn stop_keeping(&self, seat: &mut Seat) {
        seat.renewed = None;
        *self.inner.keeper.lease.lock() = None;
        if self.inner.keeper.set(false) {
            info!("this replica is not the keeper any more");
        }
    }

    /// Better two who do it than none.
    fn keep_without(&self, seat: &mut Seat) {
        seat.next = Instant::now() + REFUSED_AGAIN;
        if self.inner.keeper.set(true) {
            warn!(
                namespace = self.record_namespace(),
                "leases are refused to this account: this replica keeps without one, as every other does"
            );
            self.tend_all();
        }
    }

    /// Gives the lease back, so that another replica takes it at once.
    pub(super) async fn release_lease(&self) {
        let Some(lease) = self.inner.keeper.lease.lock().take() else { return };
        let name = self.lease_name();
        let claim = LeaseClaim {
            namespace: self.record_namespace(),
            name: &name,
            holder: "",
            duration_seconds: 1,
            now: Timestamp::now(),
        };
        let given = self.inner.cluster.claim_lease(&claim, Some(&lease));
        // Whoever waits for it takes it after its duration, if this fails.
        if let Ok(Err(error)) = tokio::time::timeout(RELEASE_LIMIT, given).await {
            debug!(error = %chain(&error), "the lease could not be given back");
        }
    }
}

fn version(lease: &Lease) -> u64 {
    lease.metadata.resource_version.as_deref().and_then(|version| version.parse().ok()).unwrap_or_default()
}

fn holder(lease: &Lease) -> &str {
    lease.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref()).unwrap_or_default()
}

fn is_refused(error: &kube::runtime::watcher::Error) -> bool {
    use kube::runtime::watcher::Error;
    let source = match error {
        Error::InitialListFailed(source) | Error::WatchStartFailed(source) | Error::WatchFailed(source) => source,
        _ => return false,
    };
    matches!(source, kube::Error::Api(status) if matches!(status.code, 401 | 403))
}
