//! Unsent pieces → what goes out, in order, each with the position after it.
//!
//! ```text
//!  Whole ─▶ [data | line_ends | deltas]  full (64 KiB) ─▶ ready ─▶ pop_ready()
//!  First, Middle, Last ─▶ same, hash and tail run on      └─ else ─▶ take() cuts what there is
//! ```
//!
//! Line bytes are copied once, into the chunk's buffer. The last line's hash is only taken when a chunk is cut.

#[cfg(test)]
mod tests;

use std::{collections::VecDeque, mem};

use bytes::Bytes;
use jiff::Timestamp;

use super::{
    MAX_DATA, MAX_LINES,
    align::Aligned,
    hash,
    parser::{Part, Piece, Unfinished},
    position::{Counted, LineMark, Position, Rotation},
    stamp::nanos_between,
    tail::{LineTail, TailBody, TailCheck, first_line, tail_agrees},
};

/// Most lines for which room is made before they are there.
const LINES_AHEAD: usize = 1024;

/// Consecutive bytes of one container's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// As stored, newlines included; at most 64 KiB.
    pub data: Bytes,
    /// The offset just past each line that ends in `data`. Only the very last line of a log may lack its newline; where
    /// that line's bytes were all sent before, `data` is empty and one line ends at 0.
    pub line_ends: Vec<u32>,
    /// The stamp of the line the first byte belongs to, the node's clock.
    pub first_stamp: Timestamp,
    /// For each further line begun in `data`: its stamp in nanoseconds after `first_stamp`; may be negative.
    pub deltas: Vec<i64>,
    /// Number (from 1) of the line the first byte belongs to; absent where earlier lines were not all counted.
    pub first_line: Option<u64>,
    /// The bytes after the last line end are of a line that goes on in this container's next chunk.
    pub continues: bool,
}

/// Why lines may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapCause {
    /// The file was rotated and the last line sent is no longer in it.
    Rotated,
    /// The file was rotated and several of its lines equal the last one sent: the latest was taken for it.
    Ambiguous,
}

/// Lines of unknown number, possibly none, are missing here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Why.
    pub cause: GapCause,
    /// The stamp of the last line sent, whole or in part; the node's clock.
    pub last_stamp: Option<Timestamp>,
    /// The number of the last whole line sent, where it is known.
    pub last_line: Option<u64>,
    /// The line sent in part up to here will not be finished.
    pub cuts_line: bool,
}

/// One thing to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// Lines.
    Chunk(Chunk),
    /// Lines are missing here.
    Gap(Gap),
}

/// One thing to send and the position once it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// What to send.
    pub item: Item,
    /// Goes into the cursor that is sent with it.
    pub position: Position,
}

#[derive(Debug, Clone, Copy)]
struct Head {
    stamp: Timestamp,
    line: Option<u64>,
}

/// Where the bytes of the last whole line are, for its mark.
#[derive(Debug, Clone, Copy)]
enum LastLine {
    /// Marked in the position.
    Marked,
    /// In `data`, from this offset to the last line end.
    At(usize, Timestamp),
}

#[derive(Debug)]
struct OpenLine {
    mark: LineMark,
    tail: LineTail,
}

/// Collects unsent lines of one container run over all its reads.
///
/// After each feed the caller drains it: what is ready is at most what was fed plus one chunk.
#[derive(Debug)]
pub struct Batch {
    position: Position,
    data: Vec<u8>,
    line_ends: Vec<u32>,
    deltas: Vec<i64>,
    head: Option<Head>,
    last: LastLine,
    tail: Option<LineTail>,
    open: Option<OpenLine>,
    ready: VecDeque<Output>,
    /// Bytes that are about to come.
    expected: usize,
}

impl Batch {
    /// Goes on after `position`.
    pub fn new(position: Position) -> Self {
        let open = position.partial.map(|mark| OpenLine { mark, tail: LineTail::after(mark) });
        Batch {
            position,
            data: Vec::new(),
            line_ends: Vec::new(),
            deltas: Vec::new(),
            head: None,
            last: LastLine::Marked,
            tail: None,
            open,
            ready: VecDeque::new(),
            expected: 0,
        }
    }

    /// The position after everything pushed, taken or not.
    pub fn position(&self) -> Position {
        let mut position = self.position.clone();
        if let LastLine::At(start, stamp) = self.last {
            position.last = Some(LineMark::of(stamp, self.last_line(start)));
        }
        position.partial = self.open.as_ref().map(|open| open.mark);
        position
    }

    /// Whether nothing was pushed yet, here or before.
    pub fn is_at_start(&self) -> bool {
        self.position.is_empty()
    }

    /// The next full chunk or gap. What is not full stays and grows.
    pub fn pop_ready(&mut self) -> Option<Output> {
        self.ready.pop_front()
    }

    /// The next thing to send, full or not: for when nothing more is there to be read at once.
    pub fn take(&mut self) -> Option<Output> {
        if self.ready.is_empty() {
            self.cut();
        }
        self.ready.pop_front()
    }

    /// Whether nothing waits to be taken.
    pub fn is_drained(&self) -> bool {
        self.ready.is_empty() && self.head.is_none()
    }

    /// Bytes waiting to be taken.
    pub fn waiting(&self) -> usize {
        let ready = self.ready.iter().map(|output| match &output.item {
            Item::Chunk(chunk) => chunk.data.len(),
            Item::Gap(_) => 0,
        });
        ready.sum::<usize>() + self.data.len()
    }

    /// Adds bytes of a line that were not sent before.
    #[inline]
    pub fn push(&mut self, piece: Piece<'_>) {
        match piece.part {
            Part::Whole if piece.data.len() <= MAX_DATA => self.push_whole(piece.stamp, piece.data),
            _ => self.push_part(piece),
        }
    }

    /// Adds the log's last line, which has no newline. To be called only when the container has ended and the tail
    /// agrees with it: no line can follow.
    pub fn push_unterminated(&mut self, line: &Unfinished) {
        if line.part == Part::OpenWhole && line.data.is_empty() {
            return;
        }
        self.push(Piece { stamp: line.stamp, part: line.part, data: &line.data });
        self.end_line(line.stamp);
    }

    /// Whether everything read is everything there is. `body` is that of a read with `tailLines=1&timestamps=true`,
    /// `trailing` the unfinished line at the end of the last body, if there was one.
    pub fn tail_check(&self, trailing: Option<&Unfinished>, body: &[u8]) -> TailCheck {
        let body = TailBody::parse(body);
        if let Some(line) = trailing {
            let tail = self.open_tail(line);
            return tail_agrees(Some(&tail), &body);
        }
        if let Some(open) = &self.open {
            return tail_agrees(Some(&open.tail), &body).not_yet();
        }
        match (self.last, &self.tail, self.position.last) {
            (LastLine::At(start, stamp), ..) => tail_agrees(Some(&LineTail::of(stamp, self.last_line(start))), &body),
            (LastLine::Marked, Some(tail), _) => tail_agrees(Some(tail), &body),
            (LastLine::Marked, None, Some(mark)) => body.agrees_with_mark(mark),
            (LastLine::Marked, None, None) => body.agrees_behind_gap(self.position.high),
        }
    }

    /// Remembers the file's first line for a chain that did not begin with it, so a later check can exclude a rotation.
    /// `body` is that of a read with `limitBytes=1024&timestamps=true`, made before the chain's first line is sent.
    pub fn note_first_line(&mut self, body: &[u8]) {
        if self.position.first.is_none() {
            self.position.first = first_line(body);
        }
    }

    /// Room for this many bytes is made at once with the next line.
    pub(super) fn expect(&mut self, bytes: usize) {
        self.expected = bytes.min(MAX_DATA);
    }

    /// Takes what an aligner lets through.
    #[inline]
    pub(super) fn apply(&mut self, step: Aligned<'_>) {
        match step {
            Aligned::Piece(piece) => self.push(piece),
            Aligned::Found { counts, tail } => {
                if let Some((count, later)) = counts {
                    self.position.recount(count, later);
                }
                if tail.is_some() {
                    self.tail = tail;
                }
            }
            Aligned::Rotated => self.position.rotation = Rotation::Seen,
            Aligned::Gap(cause) => self.gap(cause),
        }
    }

    #[inline]
    fn push_whole(&mut self, stamp: Timestamp, line: &[u8]) {
        self.make_room(line.len());
        self.begin(stamp, line);
        self.last = LastLine::At(self.data.len(), stamp);
        self.data.extend_from_slice(line);
        self.line_ends.push(self.data.len() as u32);
        self.position.tally(stamp, line.len() as u64);
    }

    /// A piece of a long line.
    fn push_part(&mut self, piece: Piece<'_>) {
        let mut begins = piece.part.begins() || self.open.is_none();
        for data in piece.data.chunks(MAX_DATA) {
            self.make_room(data.len());
            if mem::take(&mut begins) {
                self.begin(piece.stamp, data);
                self.position.raise(piece.stamp);
                let mark = LineMark { stamp: piece.stamp, hash: hash::EMPTY, len: 0 };
                self.open = Some(OpenLine { mark, tail: LineTail::after(mark) });
            } else {
                self.go_on(piece.stamp);
            }
            if let Some(open) = &mut self.open {
                open.mark = open.mark.extended(data);
                open.tail.push(data);
            }
            self.data.extend_from_slice(data);
            self.position.bytes = self.position.bytes.saturating_add(data.len() as u64);
        }
        if piece.part.ends() {
            self.end_line(piece.stamp);
        }
    }

    /// The open line ends here.
    fn end_line(&mut self, stamp: Timestamp) {
        self.go_on(stamp);
        let Some(open) = self.open.take() else { return };
        self.line_ends.push(self.data.len() as u32);
        self.position.tally(stamp, 0);
        self.position.last = Some(open.mark);
        self.tail = Some(open.tail);
        self.last = LastLine::Marked;
    }

    /// A line begins at the end of `data`.
    #[inline]
    fn begin(&mut self, stamp: Timestamp, line: &[u8]) {
        match self.head {
            None => self.head = Some(Head { stamp, line: self.position.next_line() }),
            Some(head) => self.deltas.push(nanos_between(head.stamp, stamp)),
        }
        self.position.see_first(stamp, line);
    }

    /// The open line goes on at the end of `data`.
    fn go_on(&mut self, stamp: Timestamp) {
        if self.head.is_none() {
            self.head = Some(Head { stamp, line: self.position.next_line() });
        }
    }

    #[inline]
    fn make_room(&mut self, len: usize) {
        if self.data.len() + len > MAX_DATA || self.line_ends.len() >= MAX_LINES {
            self.cut();
        }
        if self.data.capacity() == 0 {
            self.data.reserve(self.expected.max(len));
        }
    }

    /// Marks the last whole line while its bytes are in `data`.
    fn settle_last(&mut self) {
        if let LastLine::At(start, stamp) = self.last {
            let line = self.last_line(start);
            let (mark, tail) = (LineMark::of(stamp, line), LineTail::of(stamp, line));
            self.position.last = Some(mark);
            self.tail = Some(tail);
            self.last = LastLine::Marked;
        }
    }

    fn last_line(&self, start: usize) -> &[u8] {
        let end = self.line_ends.last().map_or(start, |end| *end as usize);
        self.data.get(start..end).unwrap_or_default()
    }

    /// What is in `data` becomes a chunk.
    fn cut(&mut self) {
        let Some(head) = self.head.take() else { return };
        self.settle_last();
        self.position.partial = self.open.as_ref().map(|open| open.mark);
        let lines = self.line_ends.len().min(LINES_AHEAD);
        let ahead = if self.data.len() * 2 > MAX_DATA { lines } else { 0 };
        let chunk = Chunk {
            // The buffer goes with the chunk: an idle follower holds none.
            data: Bytes::from(mem::take(&mut self.data)),
            line_ends: mem::replace(&mut self.line_ends, Vec::with_capacity(ahead)),
            first_stamp: head.stamp,
            deltas: mem::replace(&mut self.deltas, Vec::with_capacity(ahead)),
            first_line: head.line,
            continues: self.open.is_some(),
        };
        self.ready.push_back(Output { item: Item::Chunk(chunk), position: self.position.clone() });
    }

    fn gap(&mut self, cause: GapCause) {
        self.cut();
        let counted = self.position.counted == Counted::FromFirst;
        let gap = Gap {
            cause,
            last_stamp: self.position.anchor().map(|mark| mark.stamp),
            last_line: counted.then_some(self.position.lines),
            cuts_line: self.open.take().is_some(),
        };
        match cause {
            GapCause::Rotated => {
                self.position.lose_anchor();
                self.tail = None;
            }
            GapCause::Ambiguous => self.position.lose_count(),
        }
        self.ready.push_back(Output { item: Item::Gap(gap), position: self.position.clone() });
    }

    /// The tail of the line that `rest` would end.
    fn open_tail(&self, rest: &Unfinished) -> LineTail {
        let mut tail = match &self.open {
            Some(open) if rest.part == Part::OpenRest => open.tail.clone(),
            _ => LineTail::new(rest.stamp),
        };
        tail.push(&rest.data);
        tail
    }
}
