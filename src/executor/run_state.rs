//! Where one run of a container is, as far as the watch has told.

use super::table::{Presence, View};
use crate::task::ContainerState;

/// Where a container run is, as the newest version of its pod shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunState {
    /// Not started, or not known to be.
    Waiting,
    /// Running.
    Running,
    /// Ended; its log does not change any more.
    Ended,
    /// A later run has taken its place.
    Replaced,
    /// The pod says nothing about it any more.
    Gone,
}

/// Where a container run is.
pub(super) fn run_state(view: &View, container: &str, restart: u32) -> RunState {
    let Some(seen) = view.observation.containers.iter().find(|c| c.name == container) else {
        return RunState::Gone;
    };
    if seen.restarts > restart {
        return RunState::Replaced;
    }
    match (&seen.state, view.presence) {
        (ContainerState::Terminated(_), _) => RunState::Ended,
        (_, Presence::Gone) => RunState::Gone,
        (ContainerState::Running { .. }, Presence::Present) if view.observation.phase_is_terminal() => RunState::Gone,
        (ContainerState::Running { .. }, Presence::Present) => RunState::Running,
        // It waits for its restart, and its count is still that of the run that has ended.
        (ContainerState::Waiting { .. }, Presence::Present) if seen.last.is_some() => RunState::Ended,
        (ContainerState::Waiting { .. } | ContainerState::Unset, Presence::Present) => RunState::Waiting,
    }
}
