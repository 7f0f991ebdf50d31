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

use jiff::Timestamp;

use super::{
    RECORD_LIMIT,
    batch::GapCause,
    parser::{Parsed, Part, Piece},
    position::{Counted, FirstLine, LineMark, Position, steps_back},
    stamp::floor_second,
    tail::LineTail,
};

/// Most bytes held behind a candidate, each piece counted with [`PIECE_COST`].
const HOLD_LIMIT: usize = 256 * 1024;
const PIECE_COST: usize = 32;

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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AnchorKind {
    Line,
    /// The beginning of a line.
    Beginning,
}

/// How many lines came: all, those in the window, those not in its first second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    all: u64,
    count: u64,
    later: u64,
}

/// A line that may be the anchor, read up to here.
#[derive(Debug)]
struct Probe {
    read: LineMark,
    tail: LineTail,
}

#[derive(Debug)]
struct Candidate {
    counts: Counts,
    tail: Option<LineTail>,
}

#[derive(Debug, Default)]
struct Held {
    data: Vec<u8>,
    pieces: Vec<(Timestamp, Part, usize)>,
}

impl Held {
    fn push(&mut self, piece: Piece<'_>) {
        self.data.extend_from_slice(piece.data);
        self.pieces.push((piece.stamp, piece.part, piece.data.len()));
    }

    fn cost(&self) -> usize {
        self.data.len() + self.pieces.len() * PIECE_COST
    }
}

/// Aligns one body.
#[derive(Debug)]
pub struct Aligner {
    opened: Opened,
    state: State,
    anchor: LineMark,
    kind: AnchorKind,
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

/// What a probe says after one more piece.
enum Probed<'a> {
    /// No probe, or not enough read.
    Undecided,
    /// Not the anchor.
    Other,
    /// The anchor; where only the line's beginning was sent, with what follows that in this piece.
    Anchor(Option<Piece<'a>>),
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
            anchor,
            kind: if position.partial.is_some() { AnchorKind::Beginning } else { AnchorKind::Line },
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
            state: State::From(time),
            anchor: LineMark::of(Timestamp::MIN, b""),
            kind: AnchorKind::Line,
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
            State::First(..) => {
                out(Aligned::Rotated);
                self.state = State::Searching;
            }
            _ => {}
        }
        let passed = match self.kind {
            AnchorKind::Line => self.within,
            AnchorKind::Beginning => self.before,
        };
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

    /// The anchor is known by its number.
    fn expect(&mut self, number: u64, wanted: u64, stamp: Timestamp) {
        if number == wanted && stamp == self.anchor.stamp {
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
        } else if stamp == self.anchor.stamp {
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
        self.opened == Opened::Whole && self.within.all == 1 && self.anchor.len > RECORD_LIMIT as u64
    }

    fn start_probe(&mut self) {
        let stamp = self.anchor.stamp;
        self.probe = Some(Probe { read: LineMark::of(stamp, b""), tail: LineTail::new(stamp) });
    }

    /// A piece of a line before, at or behind a candidate.
    fn examine(&mut self, piece: Piece<'_>, out: &mut impl FnMut(Aligned<'_>)) {
        let searching = self.state == State::Searching;
        match self.probed(piece) {
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
            Probed::Other | Probed::Undecided if self.candidate.is_some() || self.overdue != Overdue::No => self.hold(piece, out),
            Probed::Other | Probed::Undecided => {}
        }
    }

    fn probed<'a>(&mut self, piece: Piece<'a>) -> Probed<'a> {
        let Some(probe) = &mut self.probe else { return Probed::Undecided };
        let complete = piece.part.ends() || piece.part.is_open();
        let probed = match self.kind {
            AnchorKind::Line => {
                probe.read = probe.read.extended(piece.data);
                probe.tail.push(piece.data);
                match complete {
                    true if probe.read == self.anchor => Probed::Anchor(None),
                    true => Probed::Other,
                    false => Probed::Undecided,
                }
            }
            AnchorKind::Beginning => {
                let missing = usize::try_from(self.anchor.len - probe.read.len).unwrap_or(usize::MAX);
                let (sent, rest) = piece.data.split_at(missing.min(piece.data.len()));
                probe.read = probe.read.extended(sent);
                match (probe.read == self.anchor, probe.read.len == self.anchor.len || complete) {
                    (true, _) => Probed::Anchor(behind(piece, rest)),
                    (false, true) => Probed::Other,
                    (false, false) => Probed::Undecided,
                }
            }
        };
        if !matches!(probed, Probed::Undecided) && self.kind == AnchorKind::Beginning {
            self.probe = None;
        }
        probed
    }

    fn found_here(&mut self) -> Candidate {
        let tail = self.probe.take().map(|probe| probe.tail);
        match self.kind {
            AnchorKind::Line => Candidate { counts: self.within, tail },
            AnchorKind::Beginning => Candidate { counts: self.before, tail: None },
        }
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
        if self.ambiguous && (self.kind == AnchorKind::Beginning || self.opened == Opened::Since) {
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
        self.previous = self.anchor.stamp;
    }

    /// The anchor is not in this body: what is held is new, and what comes.
    fn lose(&mut self, out: &mut impl FnMut(Aligned<'_>)) {
        match self.opened {
            Opened::Since => self.fail(),
            Opened::Whole => {
                out(Aligned::Gap(GapCause::Rotated));
                self.state = State::Passing;
                self.release(out);
            }
        }
    }

    fn release(&mut self, out: &mut impl FnMut(Aligned<'_>)) {
        let held = std::mem::take(&mut self.held);
        let mut at = 0;
        for (stamp, part, len) in held.pieces {
            if self.state == State::Passing {
                self.pass(Piece { stamp, part, data: &held.data[at..at + len] }, out);
            }
            at += len;
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

/// What of a piece follows the sent beginning of its line.
fn behind<'a>(piece: Piece<'a>, data: &'a [u8]) -> Option<Piece<'a>> {
    let rest = Piece { part: piece.part.without_beginning(), data, ..piece };
    (rest.part != Part::Middle || !data.is_empty()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap()
    }

    /// A position in a log begun in the middle, after one line.
    fn after(millis: i64, line: &[u8]) -> Position {
        let mut position = Position::unnumbered();
        position.advance(at(millis), line);
        position
    }

    fn push(aligner: &mut Aligner, millis: i64, data: &[u8]) -> Vec<String> {
        let mut steps = Vec::new();
        let piece = Piece { stamp: at(millis), part: Part::Whole, data };
        aligner.push(Parsed::Piece(piece), &mut |step| steps.push(told(&step)));
        steps
    }

    fn give_up(aligner: &mut Aligner) -> (Standing, Vec<String>) {
        let mut steps = Vec::new();
        (aligner.give_up(&mut |step| steps.push(told(&step))), steps)
    }

    fn told(step: &Aligned<'_>) -> String {
        match step {
            Aligned::Piece(piece) => String::from_utf8_lossy(&piece.data[..piece.data.len().min(4)]).trim_end().to_owned(),
            Aligned::Found { counts, .. } => format!("found {counts:?}"),
            Aligned::Rotated => "rotated".to_owned(),
            Aligned::Gap(cause) => format!("gap {cause:?}"),
        }
    }

    #[test]
    fn lines_behind_a_candidate_are_held_until_it_is_certain() {
        let mut aligner = Aligner::resume(&after(500, b"b\n"), Opened::Since);
        assert!(push(&mut aligner, 400, b"a\n").is_empty());
        assert!(push(&mut aligner, 500, b"b\n").is_empty());
        assert!(push(&mut aligner, 499, b"c\n").is_empty());
        assert_eq!(aligner.standing(), Standing::Seeking);
        assert_eq!(push(&mut aligner, 501, b"d\n"), ["found Some((2, 0))", "c", "d"]);
        assert_eq!(aligner.standing(), Standing::Aligned);
    }

    #[test]
    fn an_idle_follow_releases_what_is_held() {
        let mut aligner = Aligner::resume(&after(500, b"b\n"), Opened::Since);
        push(&mut aligner, 500, b"b\n");
        push(&mut aligner, 499, b"c\n");
        assert_eq!(give_up(&mut aligner), (Standing::Aligned, vec!["found None".to_owned(), "c".to_owned()]));
    }

    #[test]
    fn what_is_held_is_bounded() {
        let line = vec![b'x'; 60_000];
        for (opened, candidate) in [(Opened::Since, true), (Opened::Whole, true), (Opened::Whole, false)] {
            let mut aligner = Aligner::resume(&after(500, b"b\n"), opened);
            // Without a candidate lines are held only behind one that is clearly later than all sent.
            push(&mut aligner, if candidate { 500 } else { 900 }, if candidate { b"b\n" } else { b"y\n" });
            let mut steps = Vec::new();
            for _ in 0..6 {
                steps.extend(push(&mut aligner, 490, &line));
                assert!(aligner.held.cost() <= HOLD_LIMIT);
            }
            let first = if candidate { vec!["found None"] } else { vec!["gap Rotated", "y"] };
            assert_eq!(steps[..first.len()], first);
            assert_eq!(steps.len(), first.len() + 6);
        }
    }

    #[test]
    fn equal_lines_in_a_rotated_file_make_a_gap() {
        let mut aligner = Aligner::resume(&after(500, b"b\n"), Opened::Whole);
        push(&mut aligner, 500, b"b\n");
        push(&mut aligner, 500, b"b\n");
        assert_eq!(push(&mut aligner, 600, b"c\n"), ["found Some((2, 0))", "gap Ambiguous", "c"]);
        let mut aligner = Aligner::resume(&after(500, b"b\n"), Opened::Since);
        push(&mut aligner, 500, b"b\n");
        push(&mut aligner, 500, b"b\n");
        assert!(push(&mut aligner, 600, b"c\n").is_empty());
        assert_eq!(give_up(&mut aligner), (Standing::ReadWhole, vec![]));
    }

    #[test]
    fn a_filtered_body_that_steps_back_is_abandoned() {
        let mut position = Position::start();
        position.advance(at(500), b"a\n");
        let mut aligner = Aligner::resume(&position, Opened::Since);
        assert_eq!(push(&mut aligner, 500, b"a\n"), ["found Some((1, 0))"]);
        assert_eq!(push(&mut aligner, 900, b"b\n"), ["b"]);
        assert_eq!(push(&mut aligner, 850, b"c\n"), ["c"]);
        assert!(push(&mut aligner, 700, b"d\n").is_empty());
        assert_eq!(aligner.standing(), Standing::ReadWhole);

        let mut aligner = Aligner::resume(&position, Opened::Since);
        aligner.push(Parsed::Fragment, &mut |_| panic!("nothing is let through"));
        push(&mut aligner, 500, b"a\n");
        assert_eq!(aligner.standing(), Standing::Aligned);
        aligner.push(Parsed::Fragment, &mut |_| panic!("nothing is let through"));
        assert_eq!(aligner.standing(), Standing::ReadWhole);
    }

    #[test]
    fn by_number_where_the_file_was_never_rotated() {
        let mut position = Position::start();
        position.advance(at(900), b"a\n");
        position.advance(at(100), b"a\n");
        let mut aligner = Aligner::resume(&position, Opened::Whole);
        assert!(push(&mut aligner, 900, b"a\n").is_empty());
        assert_eq!(push(&mut aligner, 100, b"a\n"), ["found Some((2, 0))"]);
        assert_eq!(push(&mut aligner, 100, b"a\n"), ["a"]);
        let mut aligner = Aligner::resume(&position, Opened::Whole);
        push(&mut aligner, 900, b"a\n");
        assert_eq!(give_up(&mut aligner), (Standing::Seeking, vec![]), "cut before the position: nothing is known");
    }

    #[test]
    fn a_rotated_file_without_the_last_line_makes_a_gap() {
        let mut position = Position::start();
        position.advance(at(500), b"a\n");
        let mut aligner = Aligner::resume(&position, Opened::Whole);
        assert_eq!(push(&mut aligner, 450, b"w\n"), ["rotated"]);
        assert!(push(&mut aligner, 490, b"x\n").is_empty());
        assert_eq!(push(&mut aligner, 501, b"y\n"), ["gap Rotated", "y"]);
        assert_eq!(push(&mut aligner, 490, b"z\n"), ["z"]);
        let mut aligner = Aligner::resume(&position, Opened::Since);
        assert!(push(&mut aligner, 501, b"y\n").is_empty());
        assert_eq!(aligner.standing(), Standing::ReadWhole);
    }
}
