//! The exit status of the client commands: one table.
//!
//! ```text
//! Outcome.state  SUCCEEDED → 0    FAILED → its exit code, else 126    CANCELLED → 130    DISRUPTED, LOST → 75
//! no outcome     podlaunch failed → 125    left by a second Ctrl-C → 130    stdout closed → 141
//! ```

use std::process::ExitCode;

use crate::proto::v1;

/// The exit status of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExitStatus(u8);

impl ExitStatus {
    /// All is well; the task succeeded.
    pub const SUCCESS: Self = Self(0);
    /// The cluster took the task away, or its outcome cannot be known: another attempt may do (EX_TEMPFAIL).
    pub const DISRUPTED: Self = Self(75);
    /// podlaunch itself failed: no connection, a refused request, an unreadable file.
    pub const PODLAUNCH_FAILED: Self = Self(125);
    /// The task failed without an exit code of its own: it never started, or a timeout ended it before.
    pub const NO_EXIT_CODE: Self = Self(126);
    /// The task was cancelled, or a second Ctrl-C left it (128 + SIGINT).
    pub const CANCELLED: Self = Self(130);
    /// Nobody reads stdout any more (128 + SIGPIPE).
    pub const OUTPUT_CLOSED: Self = Self(141);

    /// The status that tells this outcome.
    #[must_use]
    pub fn of_outcome(outcome: &v1::Outcome) -> Self {
        match outcome.state() {
            v1::TaskState::Succeeded => Self::SUCCESS,
            v1::TaskState::Cancelled => Self::CANCELLED,
            v1::TaskState::Disrupted | v1::TaskState::Lost => Self::DISRUPTED,
            v1::TaskState::Failed => outcome
                .exit_code
                .and_then(|code| u8::try_from(code).ok())
                // A task that ended with 0 when a timeout stopped it has failed all the same.
                .filter(|code| *code != 0)
                .map_or(Self::NO_EXIT_CODE, Self),
            // Not an end that this client knows: it must not look like success.
            _ => Self::PODLAUNCH_FAILED,
        }
    }

    /// The number.
    #[must_use]
    pub fn code(self) -> u8 {
        self.0
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use v1::TaskState;

    #[test]
    fn the_table() {
        let cases = [
            (TaskState::Succeeded, Some(0), 0),
            (TaskState::Succeeded, None, 0),
            (TaskState::Failed, Some(1), 1),
            (TaskState::Failed, Some(255), 255),
            (TaskState::Failed, Some(143), 143),
            (TaskState::Failed, Some(0), 126),
            (TaskState::Failed, Some(256), 126),
            (TaskState::Failed, Some(-1), 126),
            (TaskState::Failed, None, 126),
            (TaskState::Cancelled, Some(0), 130),
            (TaskState::Cancelled, Some(7), 130),
            (TaskState::Cancelled, None, 130),
            (TaskState::Disrupted, Some(143), 75),
            (TaskState::Disrupted, None, 75),
            (TaskState::Lost, None, 75),
            (TaskState::Running, Some(0), 125),
            (TaskState::Unspecified, Some(0), 125),
        ];
        for (state, exit_code, expected) in cases {
            let outcome = v1::Outcome { state: state.into(), exit_code, ..Default::default() };
            assert_eq!(ExitStatus::of_outcome(&outcome).code(), expected, "{state:?} {exit_code:?}");
        }
        let newer = v1::Outcome { state: 1000, exit_code: Some(0), ..Default::default() };
        assert_eq!(ExitStatus::of_outcome(&newer).code(), 125);
    }
}
