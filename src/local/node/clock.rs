//! The node's clock. For tests it can be set, for the pods of one namespace: what the node stamps, and when it holds a
//! deadline to have passed, follows at once.
//!
//! ```text
//! Clocks (offset of each namespace) ─▶ NodeClock of a pod ─▶ startTime, container times, conditions, log stamps
//!             └── change ─▶ the pod's worker looks at its deadline again
//! ```
//!
//! Waits, such as a grace period or a back-off, last as long as they did; they are not measured by this clock.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// That a clock was set.
pub type Changes = watch::Receiver<HashMap<String, SignedDuration>>;

/// How far the clock is off for each namespace.
#[derive(Debug, Default)]
pub struct Clocks(watch::Sender<HashMap<String, SignedDuration>>);

impl Clocks {
    /// Sets the clock for the pods of a namespace to so far from the true time.
    pub fn set(&self, namespace: &str, offset: SignedDuration) {
        self.0.send_modify(|offsets| {
            offsets.insert(namespace.to_owned(), offset);
        });
    }

    /// Sees every change.
    pub fn changes(&self) -> Changes {
        self.0.subscribe()
    }

    /// The clock for a namespace's pods.
    pub fn of(self: &Arc<Clocks>, namespace: &str) -> NodeClock {
        NodeClock { clocks: Some(Arc::clone(self)), namespace: namespace.into() }
    }
}

/// The clock by which a pod's times are told. The default is right.
#[derive(Clone, Debug, Default)]
pub struct NodeClock {
    clocks: Option<Arc<Clocks>>,
    namespace: Arc<str>,
}

impl NodeClock {
    /// The time it shows.
    pub fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        let Some(clocks) = &self.clocks else { return now };
        let offset = clocks.0.borrow().get(&*self.namespace).copied();
        offset.and_then(|offset| now.checked_add(offset).ok()).unwrap_or(now)
    }

    /// The same, cut to the second.
    pub fn second(&self) -> Timestamp {
        Timestamp::from_second(self.now().as_second()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_set_for_one_namespace() {
        let clocks = Arc::new(Clocks::default());
        let (ours, others) = (clocks.of("ours"), clocks.of("others"));
        let hour = SignedDuration::from_hours(1);
        clocks.set("ours", hour);
        let now = Timestamp::now();
        assert!(ours.now() >= now + hour && others.now() < now + hour);
        clocks.set("ours", -hour);
        assert!(ours.now() < now && ours.second() <= ours.now());
        clocks.set("ours", SignedDuration::MAX);
        assert!(ours.now() < now + hour, "what no clock can show is not shown");
    }
}
