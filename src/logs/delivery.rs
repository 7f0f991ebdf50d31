//! What a chain of reads got of one container's log, for the `Termination`.
//!
//! ```text
//!  read to its end?  no ──▶ TRUNCATED(cause)
//!   │ yes (tail agreed)
//!  rotated, a gap, or a rotation not excluded? ──▶ UNVERIFIED(ROTATED)
//!  the pod deleted while it ran?  ──▶ UNVERIFIED(POD_DELETED)
//!   │ neither
//!  COMPLETE: all that the runtime stored since the first record readable at the first read
//! ```

use super::position::{Position, Rotation};
use super::tail::FirstLineCheck;

/// When a chain's first read was opened, relative to the container's run. A rotation before it cannot be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstRead {
    /// Before anything could have been rotated: the container had just started.
    AtStart,
    /// While the container was running.
    WhileRunning,
    /// After the container's end.
    AfterEnd,
}

/// How the last read of a log ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadEnd {
    /// The container ended and the log's last record is the last line sent.
    TailAgreed,
    /// The container ended and the file is empty or holds nothing of what was sent, also after a whole read.
    RotatedAway,
    /// The container never started: it has no log.
    NeverStarted,
    /// It was not read to its end.
    Cut(TruncatedCause),
}

/// Why a log was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TruncatedCause {
    /// The bound of the wait for logs passed.
    DrainTimeout,
    /// The node does not answer.
    NodeUnreachable,
    /// The pod object is gone, and the log with it.
    PodGone,
    /// The container's log was removed before it was read: deletion, eviction, disk pressure, a later restart.
    LogRemoved,
    /// Reading is refused, now and later.
    Refused,
    /// The container was started again, and again: a node keeps the log of the run before and of no other.
    Restarted,
}

/// Why lines may be missing unseen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnverifiedCause {
    /// The file was, or may have been, rotated while the chain read.
    Rotated,
    /// The pod was deleted or evicted while the container ran: its log goes with the container.
    PodDeleted,
}

/// What was got of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// All that the runtime stored since the first record readable at the first read.
    Complete,
    /// Read to the end; lines may be missing unseen, or are missing where a gap says so.
    Unverified(UnverifiedCause),
    /// Not read to its end.
    Truncated(TruncatedCause),
    /// Nobody asked for it.
    NotRequested,
}

/// The delivery of one container's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// What was got.
    pub verdict: Verdict,
    /// Whole lines sent by this chain, the last one without newline included.
    pub lines: u64,
    /// Bytes sent by this chain, newlines included, prefixes not.
    pub bytes: u64,
    /// Gaps sent by this chain.
    pub gaps: u64,
    /// The log's last line has no newline: what the program wrote, or the trace of a runtime that lost the rest.
    pub ended_mid_line: bool,
    /// When the first read was opened; absent where there was none.
    pub first_read_opened: Option<FirstRead>,
}

impl Delivery {
    /// Of a log nobody asked for.
    pub fn not_requested() -> Self {
        let verdict = Verdict::NotRequested;
        Delivery { verdict, lines: 0, bytes: 0, gaps: 0, ended_mid_line: false, first_read_opened: None }
    }
}

/// Gathers over a chain of reads what the verdict needs. Plain data: what it holds goes into the chain's cursors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DeliveryBuilder {
    /// When the chain's first read was opened.
    pub first_read: Option<FirstRead>,
    /// Gaps sent.
    pub gaps: u64,
    /// A deletion or disruption was seen before the container's end was read.
    pub deleted: bool,
    /// The last line was sent without newline.
    pub ended_mid_line: bool,
}

impl DeliveryBuilder {
    /// A read was opened; only the first of a chain counts.
    pub fn opened(&mut self, at: FirstRead) {
        self.first_read.get_or_insert(at);
    }

    /// A gap was sent.
    pub fn gap(&mut self) {
        self.gaps = self.gaps.saturating_add(1);
    }

    /// The pod was deleted, evicted or disrupted while the container ran.
    pub fn deleted(&mut self) {
        self.deleted = true;
    }

    /// The last line was sent and has no newline.
    pub fn ended_mid_line(&mut self) {
        self.ended_mid_line = true;
    }

    /// Whether a first-line check must be made before the verdict: it alone can tell that nothing was rotated away.
    /// `max_size`: the kubelet's `containerLogMaxSize` in bytes.
    pub fn needs_first_line_check(&self, position: &Position, end: ReadEnd, max_size: u64) -> bool {
        end == ReadEnd::TailAgreed
            && self.gaps == 0
            && position.rotation == Rotation::NotSeen
            && position.first.is_some()
            && position.rotation_possible(max_size)
    }

    /// The verdict. `first_line`: the result of the check, where one was made.
    pub fn finish(
        &self,
        position: &Position,
        end: ReadEnd,
        first_line: Option<FirstLineCheck>,
        max_size: u64,
    ) -> Delivery {
        Delivery {
            verdict: self.verdict(position, end, first_line, max_size),
            lines: position.lines,
            bytes: position.bytes,
            gaps: self.gaps,
            ended_mid_line: self.ended_mid_line,
            first_read_opened: self.first_read,
        }
    }

    fn verdict(&self, position: &Position, end: ReadEnd, first_line: Option<FirstLineCheck>, max_size: u64) -> Verdict {
        let rotated = self.gaps > 0
            || position.rotation == Rotation::Seen
            || match first_line {
                Some(check) => check != FirstLineCheck::Same,
                None => position.rotation_possible(max_size),
            };
        match end {
            ReadEnd::Cut(cause) => Verdict::Truncated(cause),
            ReadEnd::NeverStarted => Verdict::Complete,
            ReadEnd::RotatedAway => Verdict::Unverified(UnverifiedCause::Rotated),
            ReadEnd::TailAgreed if rotated => Verdict::Unverified(UnverifiedCause::Rotated),
            ReadEnd::TailAgreed if self.deleted => Verdict::Unverified(UnverifiedCause::PodDeleted),
            ReadEnd::TailAgreed => Verdict::Complete,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    const MAX: u64 = 10 << 20;

    fn read(bytes: u64) -> Position {
        let mut position = Position::start();
        position.advance(Timestamp::UNIX_EPOCH, b"a\n");
        Position { bytes, ..position }
    }

    #[test]
    fn the_verdict() {
        use {FirstLineCheck as Check, ReadEnd as End, UnverifiedCause::*, Verdict::*};
        let none = DeliveryBuilder::default();
        let gap = DeliveryBuilder { gaps: 1, ..none };
        let deleted = DeliveryBuilder { deleted: true, ..none };
        let cut = End::Cut(TruncatedCause::DrainTimeout);
        let table = [
            (none, read(2), End::TailAgreed, None, Complete),
            (none, read(MAX / 2), End::TailAgreed, None, Unverified(Rotated)),
            (none, read(MAX / 2), End::TailAgreed, Some(Check::Same), Complete),
            (none, read(MAX / 2), End::TailAgreed, Some(Check::Differs), Unverified(Rotated)),
            (none, read(MAX / 2), End::TailAgreed, Some(Check::Unreadable), Unverified(Rotated)),
            (none, read(2), End::RotatedAway, None, Unverified(Rotated)),
            (none, Position::start(), End::TailAgreed, None, Complete),
            (none, Position::unnumbered(), End::TailAgreed, None, Unverified(Rotated)),
            (none, Position::start(), End::NeverStarted, None, Complete),
            (gap, read(2), End::TailAgreed, Some(Check::Same), Unverified(Rotated)),
            (deleted, read(2), End::TailAgreed, None, Unverified(PodDeleted)),
            (deleted, read(2), cut, None, Truncated(TruncatedCause::DrainTimeout)),
            (gap, read(2), cut, None, Truncated(TruncatedCause::DrainTimeout)),
        ];
        for (i, (builder, position, end, check, expected)) in table.into_iter().enumerate() {
            assert_eq!(builder.finish(&position, end, check, MAX).verdict, expected, "row {i}");
        }
    }

    #[test]
    fn the_first_line_is_checked_only_where_it_can_tell_something() {
        let none = DeliveryBuilder::default();
        assert!(!none.needs_first_line_check(&read(2), ReadEnd::TailAgreed, MAX));
        assert!(none.needs_first_line_check(&read(MAX / 2), ReadEnd::TailAgreed, MAX));
        assert!(!none.needs_first_line_check(&read(MAX / 2), ReadEnd::RotatedAway, MAX));
        assert!(!none.needs_first_line_check(&Position::unnumbered(), ReadEnd::TailAgreed, MAX));
        let rotated = Position { rotation: Rotation::Seen, ..read(MAX) };
        assert!(!none.needs_first_line_check(&rotated, ReadEnd::TailAgreed, MAX));
        let gap = DeliveryBuilder { gaps: 1, ..none };
        assert!(!gap.needs_first_line_check(&read(MAX), ReadEnd::TailAgreed, MAX));
    }

    #[test]
    fn only_the_first_read_counts_and_the_rest_is_passed_on() {
        let mut builder = DeliveryBuilder::default();
        builder.opened(FirstRead::WhileRunning);
        builder.opened(FirstRead::AfterEnd);
        builder.gap();
        builder.ended_mid_line();
        let delivery = builder.finish(&read(7), ReadEnd::TailAgreed, None, MAX);
        assert_eq!(delivery.first_read_opened, Some(FirstRead::WhileRunning));
        assert_eq!((delivery.lines, delivery.bytes, delivery.gaps, delivery.ended_mid_line), (1, 7, 1, true));
    }
}
