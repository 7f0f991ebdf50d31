//! The clock that stamps a container's log. It can be made wrong, for tests.

use jiff::{SignedDuration, Timestamp};

use crate::local::node::clock::NodeClock;

/// How wrong a log's clock is. The default is not at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Skew {
    /// How far it is off the node's.
    pub offset: SignedDuration,
    /// What stamps are cut to multiples of: lines within one have equal stamps.
    pub tick: SignedDuration,
    /// How much earlier every second line is stamped.
    pub swing: SignedDuration,
}

/// A log's clock.
#[derive(Debug, Default)]
pub struct LogClock {
    node: NodeClock,
    skew: Skew,
    /// Whether the next stamp is one of those that swing.
    swung: std::cell::Cell<bool>,
}

impl LogClock {
    /// One that shows what the node's does, until it is set.
    pub fn of(node: NodeClock) -> LogClock {
        LogClock { node, ..LogClock::default() }
    }

    pub fn set(&mut self, skew: Skew) {
        self.skew = skew;
        self.swung.set(false);
    }

    /// The time it shows.
    pub fn now(&self) -> Timestamp {
        let now = self.node.now();
        if self.skew == Skew::default() {
            return now;
        }
        let swing = if self.swung.replace(!self.swung.get()) { self.skew.swing } else { SignedDuration::ZERO };
        let off = now.checked_add(self.skew.offset).and_then(|at| at.checked_sub(swing));
        cut(off.unwrap_or(now), self.skew.tick.as_nanos())
    }
}

fn cut(at: Timestamp, tick: i128) -> Timestamp {
    if tick <= 0 {
        return at;
    }
    let nanos = at.as_nanosecond();
    Timestamp::from_nanosecond(nanos - nanos.rem_euclid(tick)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skewed_clock() {
        let second = SignedDuration::from_secs(1);
        let mut clock = LogClock::default();
        clock.set(Skew { offset: second * -3600, tick: second, swing: SignedDuration::ZERO });
        let (before, at, after) = (Timestamp::now(), clock.now(), Timestamp::now());
        assert_eq!(at.subsec_nanosecond(), 0);
        assert!(before - second * 3601 <= at && at <= after - second * 3600, "{at}");

        clock.set(Skew { swing: second * 60, ..Skew::default() });
        let stamps = [clock.now(), clock.now(), clock.now()];
        assert!(stamps[1] < stamps[0] && stamps[0] <= stamps[2], "{stamps:?}");
    }
}
