//! From where a log is wanted, and how that place is found.
//!
//! ```text
//!  Position ─────────────────────────────────────────────▶ behind the last line sent
//!  Now      ─ tailLines=1: the stamp of the last record ─▶ later than that
//!  Tail(n)  ─ tailLines=n: the stamp of the first of them ▶ from that on
//!  Since(t) ─────────────────────────────────────────────▶ from that on
//! ```
//!
//! The place is a stamp, so that a read that breaks before its first line begins at the same one again. Beside it the
//! file's first line is read: without it no later check could exclude that the file was rotated meanwhile.

use jiff::Timestamp;

use super::follow::Follower;
use crate::cluster::{LogRefusal, ReadMode};
use crate::logs::{Position, first_stamp};

/// Bytes read for the stamp of a first record.
const STAMP_BYTES: u64 = 256;
/// Bytes read for the file's first line.
pub(super) const HEAD_BYTES: u64 = 1024;

/// From where a log is wanted.
#[derive(Debug, Clone)]
pub(super) enum LogFrom {
    /// After this position.
    Position(Box<Position>),
    /// Only what is written from now on.
    Now,
    /// The last lines, but at least those stamped at or after `and_since`.
    Tail { lines: u32, and_since: Option<Timestamp> },
    /// The lines from the first one stamped at or after this; clock: node.
    Since(Timestamp),
}

impl LogFrom {
    /// The position at which nothing was sent yet.
    pub fn position(&self) -> Position {
        match self {
            LogFrom::Position(position) => (**position).clone(),
            LogFrom::Now | LogFrom::Tail { .. } | LogFrom::Since(_) => Position::unnumbered(),
        }
    }

    /// Whether it is a place in the log, not yet to be found.
    pub fn is_position(&self) -> bool {
        matches!(self, LogFrom::Position(_))
    }
}

/// Where reading begins.
#[derive(Debug, Clone)]
pub(super) enum Begin {
    /// Still to be found.
    Wanted(LogFrom),
    /// At the position.
    AtPosition,
    /// At the first line stamped at or after this.
    At(Timestamp),
}

impl From<LogFrom> for Begin {
    fn from(from: LogFrom) -> Begin {
        match from {
            LogFrom::Position(_) => Begin::AtPosition,
            wanted => Begin::Wanted(wanted),
        }
    }
}

impl Follower {
    /// Finds where to begin, once.
    pub async fn find_begin(&mut self) -> Result<(), LogRefusal> {
        let Begin::Wanted(from) = &self.begin else { return Ok(()) };
        let from = from.clone();
        let head = self.read_short(ReadMode::Head { bytes: HEAD_BYTES }).await?;
        let begin = match from {
            LogFrom::Position(_) => Begin::AtPosition,
            LogFrom::Since(time) => Begin::At(time),
            LogFrom::Now => {
                let last = self.read_short(ReadMode::LastRecord).await?;
                match first_stamp(&last) {
                    Some(stamp) => Begin::At(just_after(stamp)),
                    None => Begin::AtPosition,
                }
            }
            LogFrom::Tail { lines, and_since } => {
                let first = self.read_short(ReadMode::Tail { lines, bytes: STAMP_BYTES }).await?;
                match (first_stamp(&first), and_since) {
                    (Some(stamp), Some(since)) => Begin::At(stamp.min(since)),
                    (Some(stamp), None) => Begin::At(stamp),
                    (None, _) => Begin::AtPosition,
                }
            }
        };
        self.batch.note_first_line(&head);
        if let Begin::At(stamp) = begin {
            self.sink.begins_at(stamp);
        }
        self.begin = begin;
        Ok(())
    }
}

fn just_after(stamp: Timestamp) -> Timestamp {
    Timestamp::from_nanosecond(stamp.as_nanosecond() + 1).unwrap_or(stamp)
}
