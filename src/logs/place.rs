//! Several readers of one log: whether two are at the same place, and what one has read, in another's numbers.
//!
//! ```text
//!   a read:     ──[ item ]──●──[   item   ]──●──▶        places: before and after each item
//!   a reader at a place ────┘        │                   is_at: the same line, by number or by exact count
//!   a reader within an item ─────────┘                   split_at: the item's rest, where the number is known
//!   its own lines, bytes, first line, gaps ─ carried ─▶ its own position after the item
//! ```
//!
//! A reader goes on with what another reads only where both have sent the same lines up to the same one. The marks of
//! the last lines (stamp, length, hash) must be equal, and because two lines may be equal in all of that, their number
//! must be too: from the log's first line, or, of readers that began in the middle, in the window of seconds that a
//! resume counts in ([`Position::exact_count`]). Where neither is known they do not meet.

use super::{
    batch::{Chunk, Gap, Item, Output},
    position::{Counted, FirstLine, LineMark, Position, Rotation},
};

impl Position {
    /// Whether readers at the two positions have sent the log up to the same line, so that what follows for one follows
    /// for the other.
    pub fn is_at(&self, other: &Position) -> bool {
        let both_counted = self.counted == Counted::FromFirst && other.counted == Counted::FromFirst;
        let same_first = self.first == other.first && (self.first.is_some() || self.lines == 0);
        if both_counted && same_first {
            return self.lines == other.lines && self.last == other.last && self.partial == other.partial;
        }
        let whole_lines = self.partial.is_none() && other.partial.is_none();
        let same_last = self.last.is_some() && self.last == other.last && self.high == other.high;
        // The count is of lines in the window: it tells places apart where the last line is one of them.
        let in_window = self.since().is_some();
        let same_count =
            self.exact_count().is_some() && self.exact_count() == other.exact_count() && self.later == other.later;
        whole_lines && same_last && in_window && same_count
    }

    /// This position after it was sent what took another reader, who was at the same place, from `from` to `to`.
    pub fn carried(&self, from: &Position, to: &Position, item: &Item) -> Position {
        let counted = match (item, self.counted) {
            (Item::Gap(_), _) => to.counted,
            // Right behind a gap all go on with the same count.
            (_, Counted::Unknown { exact_from: i64::MAX }) => to.counted,
            (_, own) => own,
        };
        let seen_here = to.rotation == Rotation::Seen && from.rotation == Rotation::NotSeen;
        Position {
            lines: self.lines.saturating_add(to.lines.saturating_sub(from.lines)),
            bytes: self.bytes.saturating_add(to.bytes.saturating_sub(from.bytes)),
            counted,
            first: if self.first == from.first { to.first } else { self.first },
            rotation: if seen_here { Rotation::Seen } else { self.rotation },
            ..to.clone()
        }
    }
}

impl Output {
    /// The same in the numbers of a reader who was at `own` where the one who read it was at `from`.
    pub fn renumbered(&self, from: &Position, own: &Position) -> Output {
        let position = own.carried(from, &self.position, &self.item);
        let item = match &self.item {
            Item::Chunk(chunk) => Item::Chunk(Chunk { first_line: own.next_line(), ..chunk.clone() }),
            Item::Gap(gap) => {
                let last_line = (own.counted == Counted::FromFirst).then_some(own.lines);
                Item::Gap(Gap { last_line, ..*gap })
            }
        };
        Output { item, position }
    }

    /// What of it is still to be sent to a reader at `place`, a line's end within it; `before`: the position before it.
    /// `None` where `place` is not known to be in it.
    pub fn split_at(&self, before: &Position, place: &Position) -> Option<Output> {
        let Item::Chunk(chunk) = &self.item else { return None };
        let counted = before.counted == Counted::FromFirst && place.counted == Counted::FromFirst;
        if !counted || place.partial.is_some() {
            return None;
        }
        let sent = usize::try_from(place.lines.checked_sub(before.lines)?).ok()?;
        let last = chunk.line(sent.checked_sub(1)?)?;
        let last = match before.partial.filter(|_| sent == 1) {
            Some(begun) => begun.extended(last.data),
            None => LineMark::of(last.stamp, last.data),
        };
        let first = before.first.or_else(|| chunk.line(0).map(|line| FirstLine::of(line.stamp, line.data)));
        if place.first != first || place.last != Some(last) {
            return None;
        }
        Some(Output { item: Item::Chunk(chunk.without_lines(sent, place)?), position: self.position.clone() })
    }
}

/// A whole line in a chunk.
struct LineIn<'a> {
    stamp: jiff::Timestamp,
    data: &'a [u8],
}

impl Chunk {
    /// The stamp of the line with this index among those begun here.
    fn stamp(&self, index: usize) -> Option<jiff::Timestamp> {
        let Some(further) = index.checked_sub(1) else { return Some(self.first_stamp) };
        let nanos = self.first_stamp.as_nanosecond() + i128::from(*self.deltas.get(further)?);
        jiff::Timestamp::from_nanosecond(nanos).ok()
    }

    fn line(&self, index: usize) -> Option<LineIn<'_>> {
        let start = index.checked_sub(1).map_or(Some(0), |before| self.line_ends.get(before).copied())?;
        let data = self.data.get(start as usize..*self.line_ends.get(index)? as usize)?;
        Some(LineIn { stamp: self.stamp(index)?, data })
    }

    /// The rest behind the first `count` lines; nothing where they are all of it.
    fn without_lines(&self, count: usize, place: &Position) -> Option<Chunk> {
        let cut = *self.line_ends.get(count.checked_sub(1)?)?;
        if cut as usize >= self.data.len() {
            return None;
        }
        let first_stamp = self.stamp(count)?;
        let skipped = *self.deltas.get(count - 1)?;
        Some(Chunk {
            data: self.data.slice(cut as usize..),
            line_ends: self.line_ends.get(count..)?.iter().map(|end| end - cut).collect(),
            first_stamp,
            deltas: self.deltas.get(count..)?.iter().map(|delta| delta - skipped).collect(),
            first_line: place.next_line(),
            continues: self.continues,
        })
    }
}
