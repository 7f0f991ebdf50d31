//! Is this line the one that was sent last? Read piece by piece; and a store for what lies behind a line that may be it.

use jiff::Timestamp;

use crate::logs::{
    parser::{Part, Piece},
    position::LineMark,
    tail::LineTail,
};

/// What a held piece takes besides its bytes.
const PIECE_COST: usize = 32;

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    /// The last line sent.
    Line(LineMark),
    /// The line of which this beginning was sent.
    Beginning(LineMark),
}

impl Anchor {
    pub(super) fn mark(&self) -> LineMark {
        match self {
            Anchor::Line(mark) | Anchor::Beginning(mark) => *mark,
        }
    }
}

/// What a probe says after one more piece.
pub(super) enum Probed<'a> {
    /// Not enough read.
    Undecided,
    /// Not the anchor.
    Other,
    /// The anchor; where only the line's beginning was sent, with what follows that in this piece.
    Anchor(Option<Piece<'a>>),
}

/// A line with the anchor's stamp, read up to here.
#[derive(Debug)]
pub(super) struct Probe {
    anchor: Anchor,
    read: LineMark,
    tail: LineTail,
    decided: bool,
}

impl Probe {
    pub(super) fn new(anchor: Anchor) -> Self {
        let stamp = anchor.mark().stamp;
        Probe { anchor, read: LineMark::of(stamp, b""), tail: LineTail::new(stamp), decided: false }
    }

    /// The line's next piece.
    pub(super) fn feed<'a>(&mut self, piece: Piece<'a>) -> Probed<'a> {
        if self.decided {
            return Probed::Undecided;
        }
        let complete = piece.part.ends() || piece.part.is_open();
        let probed = match self.anchor {
            Anchor::Line(mark) => {
                self.read = self.read.extended(piece.data);
                self.tail.push(piece.data);
                match (complete, self.read == mark) {
                    (true, true) => Probed::Anchor(None),
                    (true, false) => Probed::Other,
                    (false, _) => Probed::Undecided,
                }
            }
            Anchor::Beginning(mark) => {
                let missing = usize::try_from(mark.len - self.read.len).unwrap_or(usize::MAX);
                let (sent, rest) = piece.data.split_at(missing.min(piece.data.len()));
                self.read = self.read.extended(sent);
                match (self.read == mark, self.read.len == mark.len || complete) {
                    (true, _) => Probed::Anchor(behind(piece, rest)),
                    (false, true) => Probed::Other,
                    (false, false) => Probed::Undecided,
                }
            }
        };
        self.decided = !matches!(probed, Probed::Undecided);
        probed
    }

    /// The end of the line, where the whole line was read.
    pub(super) fn into_tail(self) -> Option<LineTail> {
        matches!(self.anchor, Anchor::Line(_)).then_some(self.tail)
    }
}

/// What of a piece follows the sent beginning of its line.
fn behind<'a>(piece: Piece<'a>, data: &'a [u8]) -> Option<Piece<'a>> {
    let rest = Piece { part: piece.part.without_beginning(), data, ..piece };
    (rest.part != Part::Middle || !data.is_empty()).then_some(rest)
}

/// Pieces in order.
#[derive(Debug, Default)]
pub(super) struct Held {
    data: Vec<u8>,
    pieces: Vec<(Timestamp, Part, usize)>,
}

impl Held {
    pub(super) fn push(&mut self, piece: Piece<'_>) {
        self.data.extend_from_slice(piece.data);
        self.pieces.push((piece.stamp, piece.part, piece.data.len()));
    }

    /// Bytes of memory, about.
    pub(super) fn cost(&self) -> usize {
        self.data.len() + self.pieces.len() * PIECE_COST
    }

    pub(super) fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        let mut rest = &self.data[..];
        self.pieces.iter().map(move |(stamp, part, len)| {
            let (data, after) = rest.split_at(*len);
            rest = after;
            Piece { stamp: *stamp, part: *part, data }
        })
    }
}
