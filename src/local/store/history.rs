//! The recent changes of one kind, and readers of them.
//!
//! ```text
//! write under the lock → Ring::push (bounded; the oldest falls out) → wake → Subscription::next copies a batch
//! ```
//!
//! A reader has no queue of its own: it holds a position in the ring. One that is slower than the ring is told so
//! ([`StoreError::TooOld`]) and has to list again, exactly as with a real API server's watch cache.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::watch;

use super::{Kind, Store, StoreError};

/// Changes copied out of the ring at once.
const BATCH: usize = 64;

/// What happened to an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    Added,
    Modified,
    Deleted,
}

/// One change of one object.
#[derive(Clone, Debug)]
pub struct Changed {
    pub change: Change,
    /// The object after the change; for [`Change::Deleted`] the last state, with the version of the deletion.
    pub object: Arc<Value>,
    /// The object before the change; tells a selective reader whether the object was in its view.
    pub previous: Option<Arc<Value>>,
    pub resource_version: u64,
}

/// The bounded history of one kind. Versions in it rise strictly.
pub(super) struct Ring {
    changes: VecDeque<Changed>,
    limit: usize,
    /// The newest version that fell out; 0 while nothing did.
    forgotten: u64,
    /// New readers from before this version are refused, although those that are open go on.
    compacted: u64,
    wake: watch::Sender<u64>,
}

impl Ring {
    pub(super) fn new(limit: usize) -> Ring {
        Ring { changes: VecDeque::new(), limit: limit.max(1), forgotten: 0, compacted: 0, wake: watch::Sender::new(0) }
    }

    pub(super) fn push(&mut self, changed: Changed) {
        let version = changed.resource_version;
        self.changes.push_back(changed);
        while self.changes.len() > self.limit {
            if let Some(old) = self.changes.pop_front() {
                self.forgotten = old.resource_version;
            }
        }
        self.wake.send_replace(version);
    }

    /// Up to [`BATCH`] changes after `after`.
    fn batch(&self, after: u64, into: &mut VecDeque<Changed>) -> Result<(), StoreError> {
        self.check(after)?;
        let start = self.changes.partition_point(|c| c.resource_version <= after);
        into.extend(self.changes.range(start..).take(BATCH).cloned());
        Ok(())
    }

    /// Lets nobody begin from before `version` any more.
    pub(super) fn compact(&mut self, version: u64) {
        self.compacted = version;
    }

    /// Whether a new reader may begin after this version.
    pub(super) fn admit(&self, after: u64) -> Result<(), StoreError> {
        if after < self.compacted {
            return Err(StoreError::TooOld { asked: after, oldest: self.compacted });
        }
        self.check(after)
    }

    fn check(&self, after: u64) -> Result<(), StoreError> {
        if after < self.forgotten {
            return Err(StoreError::TooOld { asked: after, oldest: self.forgotten });
        }
        Ok(())
    }

    pub(super) fn has_after(&self, after: u64) -> bool {
        self.changes.back().is_some_and(|c| c.resource_version > after)
    }

    pub(super) fn waker(&self) -> watch::Receiver<u64> {
        self.wake.subscribe()
    }
}

/// A reader of one kind's changes. Dropping it costs nothing and leaves nothing behind.
pub struct Subscription {
    store: Store,
    kind: Kind,
    /// The last version handed out (or asked for): everything after it is still to come.
    position: u64,
    ready: VecDeque<Changed>,
    wake: watch::Receiver<u64>,
    failed: bool,
}

impl Subscription {
    pub(super) fn new(store: Store, kind: Kind, position: u64, wake: watch::Receiver<u64>) -> Subscription {
        Subscription { store, kind, position, ready: VecDeque::new(), wake, failed: false }
    }

    /// The newest version of the store when everything up to it was handed out; `None` while changes wait to be read.
    pub fn caught_up(&self) -> Option<u64> {
        if !self.ready.is_empty() {
            return None;
        }
        self.store.quiet_since(self.kind, self.position)
    }

    /// A change that was already read with the last batch, without waiting.
    pub fn ready(&mut self) -> Option<Changed> {
        let changed = self.ready.pop_front()?;
        self.position = changed.resource_version;
        Some(changed)
    }

    /// The next change, waiting for it. `None` after an error was reported. Safe to drop and call again.
    pub async fn next(&mut self) -> Option<Result<Changed, StoreError>> {
        loop {
            if let Some(changed) = self.ready() {
                return Some(Ok(changed));
            }
            if self.failed {
                return None;
            }
            self.wake.borrow_and_update();
            let read = self.store.with_ring(self.kind, |ring| ring.batch(self.position, &mut self.ready));
            if let Err(error) = read {
                self.failed = true;
                return Some(Err(error));
            }
            if self.ready.is_empty() && self.wake.changed().await.is_err() {
                return None;
            }
        }
    }
}
