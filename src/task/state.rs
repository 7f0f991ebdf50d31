//! The states of a task and their order.

use serde::{Deserialize, Serialize};

/// Where a task is. A launch that never becomes a pod is an error of the call, not a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// The pod exists and is not bound to a node.
    Pending,
    /// Bound: image pull, mounts, init containers.
    Starting,
    /// The primary container has started.
    Running,
    /// Our stop is recorded, or the pod has a deletionTimestamp.
    Terminating,
    /// The node does not report. Not terminal; the state before may return.
    Unreachable,
    /// The primary container exited 0.
    Succeeded,
    /// The task failed, by itself or by a timeout.
    Failed,
    /// A caller stopped it.
    Cancelled,
    /// The cluster took it away.
    Disrupted,
    /// The outcome cannot be known.
    Lost,
}

impl State {
    /// Order of progress; a task never goes to a lower rank, except from
    /// [`State::Unreachable`] back to where it was.
    pub fn rank(self) -> u8 {
        match self {
            State::Pending => 1,
            State::Starting => 2,
            State::Running => 3,
            State::Unreachable => 4,
            State::Terminating => 5,
            State::Succeeded | State::Failed | State::Cancelled | State::Disrupted | State::Lost => 10,
        }
    }

    /// The state of a rank that only one state has.
    pub fn of_rank(rank: u8) -> Option<State> {
        use State::{Pending, Running, Starting, Terminating, Unreachable};
        [Pending, Starting, Running, Unreachable, Terminating].into_iter().find(|state| state.rank() == rank)
    }

    /// Whether nothing follows.
    pub fn is_terminal(self) -> bool {
        self.rank() >= 10
    }

    /// The name callers see, without the enum's prefix.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Pending => "PENDING",
            State::Starting => "STARTING",
            State::Running => "RUNNING",
            State::Terminating => "TERMINATING",
            State::Unreachable => "UNREACHABLE",
            State::Succeeded => "SUCCEEDED",
            State::Failed => "FAILED",
            State::Cancelled => "CANCELLED",
            State::Disrupted => "DISRUPTED",
            State::Lost => "LOST",
        }
    }
}

impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
