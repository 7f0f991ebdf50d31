//! Where a new body goes on: finds the last line sent in it and lets through only what follows.
//!
//! ```text
//!  opened with sinceTime:  Counting ── record number `count` is the line ──▶ Passing
//!                             └─ is not ──▶ Failed: read the whole file
//!  (count not known, or rotated: Searching, below)
//!
//!  the whole file:  First ── the known first line ──▶ Numbering ── line number `lines` is it ──▶ Passing
//!                     └─ another, or not known ──▶ Searching ── found, then a line later than all sent ──▶ Passing
//!                                                     └─ such a line, and not found ──▶ Gap ──▶ Passing
//! ```
//!
//! No line twice: what was sent is a beginning of the log. A line with a stamp later than any sent one is not part of
//! it, and so nothing after it is: from the first such line on everything is sent after a gap, and a search ends there.
//! Where the chain began in the middle, that line may also lie before the beginning: it counts when it is later by more
//! than lines are stored out of order, and (the clock may have been set back) the search goes on for another 256 KiB, or
//! to the end of the body, before it is given up. Lines behind a candidate, or behind such a line, are
//! held, at most 256 KiB.
//!
//! After a `sinceTime` read was aligned, a line that steps back, or one without its beginning, shows that the filter may
//! hide lines: the body is abandoned and the whole file read.

mod probe;
#[cfg(test)]
mod tests;

use jiff::Timestamp;

use self::probe::{Anchor, Held, Probe, Probed};
use super::{
    RECORD_LIMIT,
    batch::GapCause,
    parser::{Parsed, Piece},
    position::{Counted, FirstLine, LineMark, Position, steps_back},
    stamp::floor_second,
    tail::LineTail,
};

/// Most bytes held, each piece counted with what its place takes.
const HOLD_LIMIT: usize = 256 * 1024;

/// How a body was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// With `sinceTime` = [`Position::since`].
    Since,
    /// Without it.
    Whole,
}

/// How far the alignment of a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The last line sent did not come yet. At the end of a body: the read ended before it (it was cut, or the file is
    /// a new one that holds nothing later yet): nothing is known, read again.
    Seeking,
    /// What comes is new.
    Aligned,
    /// This body cannot be used further: drop it and read the whole file from the batch's position.
    ReadWhole,
}

/// What an [`Aligner`] lets through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aligned<'a> {
    /// Bytes that were not sent yet.
    Piece(Piece<'a>),
    /// The last line sent was found.
    Found {
        /// Its number among the file's lines in the window, and how many of those are not in the window's first second;
        /// absent where another line could still be it.
        counts: Option<(u64, u64)>,
        /// Its end, where it was read.
        tail: Option<LineTail>,
    },
    /// The file is not the one the log began with.
    Rotated,
    /// Lines may be missing here.
    Gap(GapCause),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Drops what comes before the first line at or after this time.
    From(Timestamp),
    /// Before the file's first line, which is known; then `Numbering`.
    First(FirstLine, u64),
    /// The anchor is the line with this number, or the one after it where only its beginning was sent.
    Numbering(u64),
    /// The same for lines in the window.
    Counting(u64),
    Searching,
    Passing,
    Failed,
}

/// How many lines came: all, those in the window, those not in its first second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    all: u64,
    count: u64,
    later: u64,
}

#[derive(Debug)]
struct Candidate {
    counts: Counts,
    tail: Option<LineTail>,
}

/// What it means that the last line sent is not in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The file was rotated: what it holds follows after a gap.
    Gap,
    /// It may be the log of another run of the container: nothing of it is let through.
    Foreign,
}

/// Aligns one body.
#[derive(Debug)]
pub struct Aligner {
    opened: Opened,
    lost: Lost,
    state: State,
    anchor: Anchor,
    high: Timestamp,
    window: i64,
    /// Lines begun before the current one, and with it.
    before: Counts,
    within: Counts,
    probe: Option<Probe>,
    candidate: Option<Candidate>,
    /// More than one line could be the anchor.
    ambiguous: bool,
    /// All lines before the anchor were sent, or are earlier than `high`.
    from_first: bool,
    /// Whether a line later than all sent came, and the anchor not before it.
    overdue: Overdue,
    held: Held,
    /// The stamp of the last line let through.
    previous: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Overdue {
    No,
    Perhaps,
    Yes,
}

/// Why a candidate is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Proof {
    /// Its number, or a line later than all sent came behind it: no other line can be the anchor.
    Later,
    /// Nothing came, or too much is held.
    Silence,
}

impl Aligner {
    /// Goes on after `position` in a body opened as said. A position at which nothing was sent lets everything through.
    pub fn resume(position: &Position, opened: Opened) -> Self {
        let (Some(anchor), Some(high)) = (position.anchor(), position.high) else {
            return Aligner::starting_at(position.resumes_after().unwrap_or(Timestamp::MIN), opened);
        };
        let state = match (opened, position.first, position.next_line()) {
            (Opened::Since, ..) => position.exact_count().map_or(State::Searching, State::Counting),
            (Opened::Whole, Some(first), Some(_)) => State::First(first, position.lines),
            (Opened::Whole, ..) => State::Searching,
        };
        Aligner {
            state,
            anchor: if position.partial.is_some() { Anchor::Beginning(anchor) } else { Anchor::Line(anchor) },
            high,
            window: position.window().unwrap_or(i64::MIN),
            from_first: position.counted == Counted::FromFirst,
            ..Aligner::starting_at(Timestamp::MIN, opened)
        }
    }

    /// Lets everything through from the first line stamped at or after `time` (the node's clock).
    pub fn starting_at(time: Timestamp, opened: Opened) -> Self {
        Aligner {
            opened,
            lost: Lost::Gap,
            state: State::From(time),
            anchor: Anchor::Line(LineMark::of(Timestamp::MIN, b"")),
            high: Timestamp::MIN,
            window: i64::MIN,
            before: Counts::default(),
            within: Counts::default(),
            probe: None,
            candidate: None,
            ambiguous: false,
            from_first: false,
            overdue: Overdue::No,
            held: Held::default(),
            previous: Timestamp::MIN,
        }
    }

    /// The same, with what it means if the last line sent does not come.
    #[must_use]
    pub fn or_else(self, lost: Lost) -> Self {
        Aligner { lost, ..self }
    }

    /// How far the alignment is.
    pub fn standing(&self) -> Standing {
        match self.state {
            State::Passing | State::From(_) => Standing::Aligned,
            State::Failed => Standing::ReadWhole,
            _ => Standing::Seeking,
        }
    }

    /// Takes what the parser found next.
    #[inline]
    pub fn push(&mut self, parsed: Parsed<'_>, out: &mut impl FnMut(Aligned<'_>)) {
        match parsed {
            Parsed::Piece(piece) if self.state == State::Passing => self.pass(piece, out),
            Parsed::Piece(piece) => self.seek(piece, out),
            // Within new lines only a filter makes fragments: it hid the beginning of this one.
            Parsed::Fragment if self.state == State::Passing && self.opened == Opened::Since => self.fail(),
            Parsed::Fragment => {}
        }
    }

    /// Nothing more comes (now): the body ended, or a follow is idle. What is held is released or the search given up.
    pub fn give_up(&mut self, out: &mut impl FnMut(Aligned<'_>)) -> Standing {
        let settled = self.state == State::Searching && self.settle(Proof::Silence, out);
        match self.state {
            State::Counting(_) => self.fail(),
            State::Searching if settled => {}
            State::Searching if self.overdue == Overdue::Yes || self.opened == Opened::Since => self.lose(out),
            _ => {}
        }
        self.standing()
    }

    #[inline]
    fn pass(&mut self, piece: Piece<'_>, out: &mut impl FnMut(Aligned<'_>)) {
        if piece.part.begins() {
            if self.opened == Opened::Since && steps_back(self.previous, piece.stamp) {
                self.fail();
                return;
            }
            self.previous = piece.stamp;
        }
        out(Aligned::Piece(piece));
    }

    fn seek(&mut self, piece: Piece<'_>, out: &mut impl FnMut(Aligned<'_>)) {
        if piece.part.begins() {
            self.begin(piece, out);
        }
        match self.state {
            State::Passing => self.pass(piece, out),
            State::Numbering(_) | State::Counting(_) | State::Searching => self.examine(piece, out),
            State::From(_) | State::First(..) | State::Failed => {}
        }
    }

    /// A line begins before the last line sent was found.
    fn begin(&mut self, piece: Piece<'_>, out: &mut impl FnMut(Aligned<'_>)) {
        self.probe = None;
        self.count(piece.stamp);
        match self.state {
            State::From(time) if piece.stamp >= time => self.state = State::Passing,
            State::First(first, lines) if FirstLine::of(piece.stamp, piece.data) == first => {
                self.state = State::Numbering(lines);
            }
            // Cut within its first line: which file it is, this body does not show.
            State::First(first, _) if first.may_begin(piece) => {}
            State::First(..) => {
                out(Aligned::Rotated);
                self.state = State::Searching;
            }
            _ => {}
        }
        let passed = self.passed();
        match self.state {
            State::Numbering(lines) => self.expect(passed.all, lines, piece.stamp),
            State::Counting(count) => self.expect(passed.count, count, piece.stamp),
            _ => {}
        }
        if self.state == State::Searching {
            self.search(piece.stamp, out);
        }
    }

    fn count(&mut self, stamp: Timestamp) {
        let second = floor_second(stamp);
        self.before = self.within;
        self.within.all += 1;
        self.within.count += u64::from(second >= self.window);
        self.within.later += u64::from(second > self.window);
    }

    /// The lines up to the last whole line sent, if the current line is the anchor.
    fn passed(&self) -> Counts {
        match self.anchor {
            Anchor::Line(_) => self.within,
            Anchor::Beginning(_) => self.before,
        }
    }

    /// The anchor is known by its number.
    fn expect(&mut self, number: u64, wanted: u64, stamp: Timestamp) {
        if number == wanted && stamp == self.anchor.mark().stamp {
            self.start_probe();
        } else if number >= wanted {
            self.miss();
        }
    }

    /// The anchor is known by its stamp and bytes.
    fn search(&mut self, stamp: Timestamp, out: &mut impl FnMut(Aligned<'_>)) {
        if stamp > self.high {
            if !self.settle(Proof::Later, out) && !self.may_be_rest() {
                self.pass_by(stamp, out);
            }
        } else if stamp == self.anchor.mark().stamp {
            self.start_probe();
        }
    }

    /// A line later than all sent, and the anchor did not come.
    fn pass_by(&mut self, stamp: Timestamp, out: &mut impl FnMut(Aligned<'_>)) {
        let clearly = steps_back(stamp, self.high);
        let is_first = self.within.all == 1;
        match (self.from_first, clearly) {
            // The file's first line may be the rest of an earlier line, under the stamp of a later record.
            (true, false) if is_first => self.overdue = Overdue::Perhaps,
            (true, _) => self.lose(out),
            (false, true) => self.overdue = Overdue::Yes,
            (false, false) => {}
        }
    }

    /// Whether the current line may be the rest of the last line sent: a rotation between the records of a line leaves
    /// its end, with a stamp of its own, as the first line of the new file. Such a line is dropped.
    fn may_be_rest(&self) -> bool {
        self.opened == Opened::Whole && self.within.all == 1 && self.anchor.mark().len > RECORD_LIMIT as u64
    }

    fn start_probe(&mut self) {
        self.probe = Some(Probe::new(self.anchor));
    }

    /// A piece of a line before, at or behind a candidate.
    fn examine(&mut self, piece: Piece<'_>, out: &mut impl FnMut(Aligned<'_>)) {
        let searching = self.state == State::Searching;
        match self.probe.as_mut().map_or(Probed::Undecided, |probe| probe.feed(piece)) {
            Probed::Anchor(rest) if searching => {
                self.ambiguous |= self.candidate.is_some();
                self.candidate = Some(self.found_here());
                self.overdue = Overdue::No;
                self.held = Held::default();
                if let Some(rest) = rest {
                    self.held.push(rest);
                }
            }
            Probed::Anchor(rest) => {
                let candidate = self.found_here();
                self.found(candidate, Proof::Later, out);
                if let Some(rest) = rest {
                    self.pass(rest, out);
                }
            }
            Probed::Other if !searching => self.miss(),
            Probed::Other | Probed::Undecided if self.candidate.is_some() || self.overdue != Overdue::No => {
                self.hold(piece, out)
            }
            Probed::Other | Probed::Undecided => {}
        }
    }

    fn found_here(&mut self) -> Candidate {
        let tail = self.probe.take().and_then(Probe::into_tail);
        Candidate { counts: self.passed(), tail }
    }

    fn hold(&mut self, piece: Piece<'_>, out: &mut impl FnMut(Aligned<'_>)) {
        self.held.push(piece);
        if self.held.cost() > HOLD_LIMIT && !self.settle(Proof::Silence, out) {
            self.lose(out);
        }
    }

    /// Takes the candidate, if there is one that can be taken, and releases what is held behind it.
    fn settle(&mut self, proof: Proof, out: &mut impl FnMut(Aligned<'_>)) -> bool {
        let Some(candidate) = self.candidate.take() else { return false };
        if self.ambiguous && (matches!(self.anchor, Anchor::Beginning(_)) || self.opened == Opened::Since) {
            self.held = Held::default();
            return false;
        }
        self.found(candidate, proof, out);
        if self.ambiguous {
            out(Aligned::Gap(GapCause::Ambiguous));
        }
        self.release(out);
        true
    }

    fn found(&mut self, candidate: Candidate, proof: Proof, out: &mut impl FnMut(Aligned<'_>)) {
        let Counts { count, later, .. } = candidate.counts;
        let counts = (proof == Proof::Later).then_some((count, later));
        out(Aligned::Found { counts, tail: candidate.tail });
        self.state = State::Passing;
        self.previous = self.anchor.mark().stamp;
    }

    /// The anchor is not in this body: what is held is new, and what comes.
    fn lose(&mut self, out: &mut impl FnMut(Aligned<'_>)) {
        match (self.opened, self.lost) {
            (Opened::Since, _) | (_, Lost::Foreign) => self.fail(),
            (Opened::Whole, Lost::Gap) => {
                out(Aligned::Gap(GapCause::Rotated));
                self.state = State::Passing;
                self.release(out);
            }
        }
    }

    fn release(&mut self, out: &mut impl FnMut(Aligned<'_>)) {
        let held = std::mem::take(&mut self.held);
        for piece in held.pieces() {
            if self.state == State::Passing {
                self.pass(piece, out);
            }
        }
    }

    /// The line whose number is the anchor's is not the anchor.
    fn miss(&mut self) {
        self.probe = None;
        match self.opened {
            Opened::Since => self.fail(),
            Opened::Whole => self.state = State::Searching,
        }
    }

    fn fail(&mut self) {
        self.state = State::Failed;
        self.probe = None;
        self.candidate = None;
        self.held = Held::default();
    }
}
