//! What every list of a row's events must be.

use std::collections::{BTreeMap, BTreeSet};

use podlaunch::task::{State, TaskEvent, TaskEventBody};

/// What every list of events must be, whatever was dropped.
pub fn assert_legal(name: &str, events: &[TaskEvent]) {
    let mut uids = BTreeSet::new();
    let mut shown: Option<State> = None;
    let mut rank = 0;
    let mut runs: BTreeMap<&str, (u32, u8)> = BTreeMap::new();
    for (i, event) in events.iter().enumerate() {
        assert!(uids.insert(&event.uid), "{name}: {event:?} came twice");
        match &event.body {
            TaskEventBody::State(change) => {
                assert!(!change.state.is_terminal(), "{name}");
                if change.state == State::Unreachable {
                    assert!(shown.is_none() || change.previous == shown, "{name}: {change:?}");
                } else {
                    assert_eq!(change.previous, shown, "{name}: {change:?}");
                    assert!(change.state.rank() >= rank, "{name}: back to {change:?}");
                    rank = change.state.rank();
                }
                shown = Some(change.state);
            }
            TaskEventBody::Container(change) => {
                let at = (change.restart, change.phase.rank());
                let before = runs.insert(&change.container, at);
                assert!(before.is_none_or(|b| b <= at), "{name}: back to {change:?}");
            }
            TaskEventBody::Outcome(_) => assert_eq!(i, events.len() - 1, "{name}: the outcome was not the last event"),
            TaskEventBody::Notice(_) => {}
        }
    }
}
