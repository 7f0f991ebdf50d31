//! The open reads of each log: who reads it already, and whom a stream can join.
//!
//! ```text
//!  (pod uid, container, restart) ─▶ Group [Feed 3] [Feed 7]
//!     a new stream at a place that one of them keeps: joins it        (the oldest that does)
//!     else it opens a read of its own, which is then one of them
//!     a stream that has taken all of its feed moves to an older one that keeps its place
//! ```
//!
//! Moves go to older reads only, so they end, and the reads of streams that are near each other become one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use parking_lot::Mutex;
use tokio::sync::watch;

use super::feed::{Seat, WeakFeed};
use crate::logs::{Output, Position};

/// Which log.
pub(super) type LogKey = (String, Arc<str>, u32);

/// All logs that are being read.
#[derive(Default)]
pub(super) struct Groups {
    groups: Mutex<HashMap<LogKey, Weak<Group>>>,
}

/// The reads of one log.
pub(super) struct Group {
    key: LogKey,
    groups: Weak<Groups>,
    feeds: Mutex<Vec<WeakFeed>>,
    count: AtomicUsize,
    last_id: AtomicU64,
    moved: watch::Sender<u64>,
}

/// A seat in another's feed, with what comes first where the place was within an item.
pub(super) type Joined = (Seat, Option<Output>);

impl Groups {
    /// The reads of a log.
    pub fn group(self: &Arc<Groups>, key: LogKey) -> Arc<Group> {
        let mut groups = self.groups.lock();
        if let Some(group) = groups.get(&key).and_then(Weak::upgrade) {
            return group;
        }
        let group = Arc::new(Group {
            key: key.clone(),
            groups: Arc::downgrade(self),
            feeds: Mutex::default(),
            count: AtomicUsize::new(0),
            last_id: AtomicU64::new(0),
            moved: watch::Sender::new(0),
        });
        groups.insert(key, Arc::downgrade(&group));
        group
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.groups.lock().len()
    }
}

impl Group {
    /// The next feed's number.
    pub fn next_id(&self) -> u64 {
        self.last_id.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Another read is open.
    pub fn add(&self, feed: WeakFeed) {
        let mut feeds = self.feeds.lock();
        feeds.retain(|feed| feed.strong_count() > 0);
        feeds.push(feed);
        self.count.store(feeds.len(), Ordering::Release);
    }

    /// Whether there may be more than one read.
    pub fn is_shared(&self) -> bool {
        self.count.load(Ordering::Acquire) > 1
    }

    /// A seat for a reader at `position` in a feed older than `than` (any, where there is none).
    pub fn join(&self, position: &Position, than: Option<u64>) -> Option<Joined> {
        let feeds: Vec<_> = {
            let mut feeds = self.feeds.lock();
            feeds.retain(|feed| feed.strong_count() > 0);
            self.count.store(feeds.len(), Ordering::Release);
            feeds.iter().filter_map(Weak::upgrade).collect()
        };
        // They are in the order of their numbers.
        let older = feeds.iter().filter(|feed| than.is_none_or(|than| feed.id < than));
        older.into_iter().find_map(|feed| feed.join(position))
    }

    /// Whether a read is open.
    pub fn has_others(&self) -> bool {
        self.feeds.lock().iter().any(|feed| feed.strong_count() > 0)
    }

    /// A feed has moved on.
    pub fn moved(&self) {
        if self.is_shared() {
            self.moved.send_modify(|version| *version += 1);
        }
    }

    /// Wakes when a feed has moved on, where there is more than one.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.moved.subscribe()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let Some(groups) = self.groups.upgrade() else { return };
        let mut groups = groups.groups.lock();
        // Another one may have taken its place meanwhile.
        if groups.get(&self.key).is_some_and(|group| group.strong_count() == 0) {
            groups.remove(&self.key);
        }
    }
}
