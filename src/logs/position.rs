//! How far a log was sent: plain data that goes into cursors.
//!
//! A read is taken up again with `sinceTime`, which the API server cuts to whole seconds. The *window* is the time from
//! such a second on; the position knows how many of the lines sent lie in it, so the last line sent has a number in the
//! body of that read.
//!
//! ```text
//!            window()          high
//!  ──────────┼──────┼─────────●──▶ stamps        count = lines sent with stamp ≥ window()
//!            │      window()+1                   later = those with stamp ≥ window() + 1
//!            └ floor(high − SLACK)
//! ```
//!
//! The slack lets lines that are stored a little out of order (stdout and stderr are stamped before they are written one
//! after the other) not fall out of the window. A clock set back further leaves the last line below the window; then
//! `since()` is `None` and the whole file is read, until the clock has passed `high` again.

use jiff::{SignedDuration, Timestamp};

use super::{
    RECORD_LIMIT, hash,
    parser::Piece,
    stamp::{floor_second, nanos_between},
};

/// How far lines may be stored out of order without being taken for a clock set back. Observed: below 1 ms.
pub(super) const SLACK: SignedDuration = SignedDuration::from_millis(100);

/// How much of a file's first line identifies it; a read with `limitBytes=1024` holds it.
const FIRST_LINE_KEPT: usize = 512;

/// What a stored record costs in a file besides its content: time, stream, tag, spaces, newline.
const RECORD_HEADER: u64 = 48;

/// Identifies a line, or the part of it that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineMark {
    /// The line's stamp, the node's clock.
    pub stamp: Timestamp,
    /// FNV-1a 64 of the bytes sent, newline included; stable over versions.
    pub hash: u64,
    /// Bytes sent, newline included.
    pub len: u64,
}

impl LineMark {
    /// The mark of a line, or of its first bytes.
    pub fn of(stamp: Timestamp, data: &[u8]) -> Self {
        LineMark { stamp, hash: hash::of(data), len: data.len() as u64 }
    }

    /// The mark after `data` was sent too.
    pub(super) fn extended(self, data: &[u8]) -> Self {
        LineMark { hash: hash::extend(self.hash, data), len: self.len.saturating_add(data.len() as u64), ..self }
    }
}

/// Identifies a file by its first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstLine {
    /// The line's stamp, the node's clock.
    pub stamp: Timestamp,
    /// FNV-1a 64 of the line's first 512 bytes (newline included where it is among them).
    pub hash: u64,
}

impl FirstLine {
    /// `data`: the line, or at least its first 512 bytes.
    pub fn of(stamp: Timestamp, data: &[u8]) -> Self {
        FirstLine { stamp, hash: hash::of(&data[..data.len().min(FIRST_LINE_KEPT)]) }
    }

    /// Whether a body that was cut within `piece` may be that of the file, as far as it goes.
    pub(super) fn may_begin(self, piece: Piece<'_>) -> bool {
        piece.part.is_open() && piece.data.len() < FIRST_LINE_KEPT && piece.stamp == self.stamp
    }
}

/// What [`Position::lines`] counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// From the log's first line: `lines` is the number of the last line sent.
    FromFirst,
    /// Earlier lines were not all sent (a start in the middle, or a gap of unknown size).
    Unknown {
        /// `count` is exact once the window begins at or after this unix second; `i64::MAX` until a line was sent.
        exact_from: i64,
    },
}

/// Whether the file was seen to be another one than at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotation {
    /// Nothing shows a rotation.
    NotSeen,
    /// The file's first line is another one now.
    Seen,
}

/// How far the log of one container run (pod uid, container, restart) was sent. A decoded cursor may hold any values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Whole lines sent.
    pub lines: u64,
    /// Whether `lines` counts from the log's first line.
    pub counted: Counted,
    /// Bytes sent: newlines and pieces of unfinished lines included, prefixes not.
    pub bytes: u64,
    /// The latest stamp of any line sent, or begun to be sent.
    pub high: Option<Timestamp>,
    /// Whole lines sent whose stamp is at or after the window's start.
    pub count: u64,
    /// Those of them at or after the window's second second.
    pub later: u64,
    /// The last whole line sent; absent also right behind a gap.
    pub last: Option<LineMark>,
    /// What was sent of the line after it.
    pub partial: Option<LineMark>,
    /// The first line of the file, where it was seen.
    pub first: Option<FirstLine>,
    /// Whether a rotation was seen.
    pub rotation: Rotation,
}

impl Position {
    /// Before a log's first line.
    pub fn start() -> Self {
        Position {
            lines: 0,
            counted: Counted::FromFirst,
            bytes: 0,
            high: None,
            count: 0,
            later: 0,
            last: None,
            partial: None,
            first: None,
            rotation: Rotation::NotSeen,
        }
    }

    /// Somewhere in a log: for a start at its tail, at a time, or now.
    pub fn unnumbered() -> Self {
        Position { counted: Counted::Unknown { exact_from: i64::MAX }, ..Position::start() }
    }

    /// Whether nothing was sent yet.
    pub fn is_empty(&self) -> bool {
        self.high.is_none()
    }

    /// The unix second for `sinceTime` with which the next read finds the last line sent; `None`: read the whole file
    /// (nothing was sent, or the clock was set back before the last line).
    pub fn since(&self) -> Option<i64> {
        let window = self.window()?;
        let anchor = self.anchor()?.stamp;
        (window_of(anchor) >= window).then_some(window)
    }

    /// Counts a whole line (newline included, unless it is the log's last) as sent. Whatever was sent of it in pieces
    /// is in `partial` and is not counted twice.
    pub fn advance(&mut self, stamp: Timestamp, line: &[u8]) {
        self.see_first(stamp, line);
        let sent = self.partial.take().map_or(0, |partial| partial.len);
        self.bytes = self.bytes.saturating_sub(sent);
        self.tally(stamp, line.len() as u64);
        self.last = Some(LineMark::of(stamp, line));
    }

    /// Whether a rotation cannot be excluded: see [`rotation_possible`]. Of a log whose beginning was not read nothing
    /// can be excluded.
    pub fn rotation_possible(&self, max_size: u64) -> bool {
        self.counted != Counted::FromFirst
            || self.rotation == Rotation::Seen
            || rotation_possible(self.bytes, self.lines, max_size)
    }

    /// The number of the line that is sent next, from 1.
    #[inline]
    pub fn next_line(&self) -> Option<u64> {
        match self.counted {
            Counted::FromFirst => Some(self.lines.saturating_add(1)),
            Counted::Unknown { .. } => None,
        }
    }

    /// What the next read must find: the line begun, else the last one.
    pub(super) fn anchor(&self) -> Option<LineMark> {
        self.partial.or(self.last)
    }

    /// The unix second at which the window begins.
    pub(super) fn window(&self) -> Option<i64> {
        self.high.map(window_of)
    }

    /// The number of the last whole line sent among the records of a read from `since()`, where it is known.
    pub(super) fn exact_count(&self) -> Option<u64> {
        match self.counted {
            Counted::FromFirst => Some(self.count),
            Counted::Unknown { exact_from } => (self.window()? >= exact_from).then_some(self.count),
        }
    }

    /// Remembers the file's first line, if this is it.
    #[inline]
    pub(super) fn see_first(&mut self, stamp: Timestamp, data: &[u8]) {
        if self.first.is_none() && self.lines == 0 && self.counted == Counted::FromFirst {
            self.first = Some(FirstLine::of(stamp, data));
        }
    }

    /// Counts one whole line. `last` and `partial` are the caller's.
    #[inline]
    pub(super) fn tally(&mut self, stamp: Timestamp, len: u64) {
        self.raise(stamp);
        self.lines = self.lines.saturating_add(1);
        self.bytes = self.bytes.saturating_add(len);
        let window = self.high.map_or(i64::MIN, window_of);
        let second = floor_second(stamp);
        self.count = self.count.saturating_add(u64::from(second >= window));
        self.later = self.later.saturating_add(u64::from(second > window));
    }

    /// A line of this stamp was begun: the window follows.
    #[inline]
    pub(super) fn raise(&mut self, stamp: Timestamp) {
        let high = self.high.unwrap_or(stamp);
        if stamp > high {
            let (old, new) = (window_of(high), window_of(stamp));
            if new > old {
                // Nothing sent so far can lie two windows on: that would have moved the window before.
                self.count = if new == old.saturating_add(1) { self.later } else { 0 };
                self.later = 0;
            }
        }
        let high = high.max(stamp);
        self.high = Some(high);
        if let Counted::Unknown { exact_from } = &mut self.counted
            && *exact_from == i64::MAX
        {
            // Lines that were not sent may lie in the second of `high` and, slightly out of order, in the next.
            *exact_from = window_of(high).saturating_add(2);
        }
    }

    /// The last line sent was found as record `count` of the window: a rotation may have taken earlier ones.
    pub(super) fn recount(&mut self, count: u64, later: u64) {
        self.count = count;
        self.later = later;
        if let Counted::Unknown { exact_from } = &mut self.counted {
            *exact_from = i64::MIN;
        }
    }

    /// Lines of unknown number are missing after the last one sent; a line begun will not be finished. `high` stays:
    /// it is the bound of all that was sent.
    pub(super) fn lose_count(&mut self) {
        self.counted = Counted::Unknown { exact_from: i64::MAX };
        self.partial = None;
    }

    /// The same, and the last line sent is not in the file any more.
    pub(super) fn lose_anchor(&mut self) {
        self.lose_count();
        self.last = None;
        self.rotation = Rotation::Seen;
    }

    /// Right behind a gap: only a line stamped later than this is known to be new.
    pub(super) fn resumes_after(&self) -> Option<Timestamp> {
        let high = self.high.filter(|_| self.anchor().is_none())?;
        Some(high.saturating_add(SLACK).unwrap_or(high))
    }
}

/// The unix second for `sinceTime` with which a chain's first read holds every line from `time` (the node's clock) on,
/// also those stored a little out of order.
pub fn start_second(time: Timestamp) -> i64 {
    window_of(time)
}

/// The unix second in which the window begins when `high` is the latest stamp.
#[inline]
fn window_of(high: Timestamp) -> i64 {
    let within = high.subsec_nanosecond();
    let slack = SLACK.subsec_nanos();
    if within >= slack { high.as_second() } else { floor_second(high.saturating_sub(SLACK).unwrap_or(high)) }
}

/// Whether `stamp` shows a clock set back after `previous`, not just two streams stored out of order.
#[inline]
pub(super) fn steps_back(previous: Timestamp, stamp: Timestamp) -> bool {
    stamp < previous && nanos_between(stamp, previous) > i64::from(SLACK.subsec_nanos())
}

/// Whether the file may have been rotated while this much of it was read: the stored records (each with 48 bytes of
/// header) reach half of `max_size`, the kubelet's `containerLogMaxSize` in bytes. Below that it was not, and no request
/// needs to be made to know it.
pub fn rotation_possible(bytes: u64, lines: u64, max_size: u64) -> bool {
    let records = lines.saturating_add(bytes / RECORD_LIMIT as u64);
    bytes.saturating_add(records.saturating_mul(RECORD_HEADER)) >= max_size / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(stamps: &[&str]) -> Position {
        let mut position = Position::start();
        for stamp in stamps {
            position.advance(stamp.parse().unwrap(), b"a\n");
        }
        position
    }

    #[test]
    fn since_is_the_second_in_which_the_last_line_can_be_found() {
        let second = |text: &str| Some(text.parse::<Timestamp>().unwrap().as_second());
        let table: [(&[&str], Option<i64>, u64); 7] = [
            (&[], None, 0),
            (&["2026-01-01T00:00:05.5Z"], second("2026-01-01T00:00:05Z"), 1),
            (&["2026-01-01T00:00:04.99Z", "2026-01-01T00:00:05.05Z"], second("2026-01-01T00:00:04Z"), 2),
            (&["2026-01-01T00:00:04.99Z", "2026-01-01T00:00:05.10Z"], second("2026-01-01T00:00:05Z"), 1),
            (&["2026-01-01T00:00:05.11Z", "2026-01-01T00:00:05.02Z"], None, 2),
            (&["2026-01-01T00:00:05.5Z", "2026-01-01T00:00:02Z"], None, 1),
            (
                &["2026-01-01T00:00:05.5Z", "2026-01-01T00:00:02Z", "2026-01-01T00:00:06.5Z"],
                second("2026-01-01T00:00:06Z"),
                1,
            ),
        ];
        for (stamps, since, count) in table {
            let position = position(stamps);
            assert_eq!((position.since(), position.count), (since, count), "{stamps:?}");
        }
    }

    #[test]
    fn a_rotation_is_possible_from_half_the_size_on() {
        assert!(!rotation_possible(0, 0, 10));
        assert!(rotation_possible(5, 0, 10));
        // 1,000 lines, 6 of them possibly split once: 1,006 records of 48 bytes more.
        let stored = 100_000 + 1006 * 48;
        assert!(!rotation_possible(100_000, 1000, 2 * stored + 2));
        assert!(rotation_possible(100_000, 1000, 2 * stored));
        assert!(rotation_possible(u64::MAX, u64::MAX, u64::MAX));
        assert!(Position::unnumbered().rotation_possible(10 << 20));
        assert!(!Position::start().rotation_possible(10 << 20));
    }

    #[test]
    fn the_slack_is_below_a_second() {
        // The running counts know two seconds only.
        assert!(SLACK.as_secs() == 0 && SLACK.subsec_nanos() > 0);
    }
}
