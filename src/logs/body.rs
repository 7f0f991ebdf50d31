//! One response body: parser and aligner joined, feeding a batch.

use jiff::Timestamp;

use super::{
    align::{Aligned, Aligner, Lost, Opened, Standing},
    batch::Batch,
    parser::{Parsed, Parser, Piece, Trailing, Unfinished},
    position::Position,
};

/// Reads one body of `GET pods/log?timestamps=true`.
///
/// ```text
/// new(batch.position(), opened) ─▶ feed(chunk)… ─▶ finish()
///                                   │ ReadWhole: drop it, read again without sinceTime
///                                   └ idle follow: give_up()
/// ```
#[derive(Debug)]
pub struct BodyReader {
    parser: Parser,
    aligner: Aligner,
}

/// How a body ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyEnd {
    /// `Seeking`: it ended before the last line sent; nothing is known, read again.
    pub standing: Standing,
    /// The bytes behind the last newline, as far as they were not sent. `Partial` only with `Aligned`.
    pub trailing: Trailing,
}

impl BodyReader {
    /// For a body that goes on after `position`, which must be the batch's.
    pub fn new(position: &Position, opened: Opened) -> Self {
        BodyReader { parser: Parser::new(), aligner: Aligner::resume(position, opened) }
    }

    /// The same for a body that may be of another run: where the last line sent is not in it, the standing is
    /// `ReadWhole` also of a whole body, and nothing of it comes.
    pub fn strict(position: &Position, opened: Opened) -> Self {
        BodyReader { parser: Parser::new(), aligner: Aligner::resume(position, opened).or_else(Lost::Foreign) }
    }

    /// For a first body of which only the lines from the first one stamped at or after `time` (the node's clock) are
    /// wanted; opened with `sinceTime` = [`super::start_second`], or whole.
    pub fn starting_at(time: Timestamp, opened: Opened) -> Self {
        BodyReader { parser: Parser::new(), aligner: Aligner::starting_at(time, opened) }
    }

    /// Takes the next bytes. New lines go into `batch`, which is to be drained before the next call.
    pub fn feed(&mut self, chunk: &[u8], batch: &mut Batch) -> Standing {
        batch.expect(chunk.len());
        let aligner = &mut self.aligner;
        self.parser.feed(chunk, &mut |parsed| aligner.push(parsed, &mut |step| batch.apply(step)));
        aligner.standing()
    }

    /// A follow has sent what there was and is idle: lines held by the search are released, or the search is given up.
    /// Only to be called while the standing is `Seeking`, after long enough for the first bytes to arrive.
    pub fn give_up(&mut self, batch: &mut Batch) -> Standing {
        self.aligner.give_up(&mut |step| batch.apply(step))
    }

    /// How far the alignment is.
    pub fn standing(&self) -> Standing {
        self.aligner.standing()
    }

    /// The body ended, clean or not.
    pub fn finish(self, batch: &mut Batch) -> BodyEnd {
        let BodyReader { parser, mut aligner } = self;
        let mut open = None;
        let mut sink = |step: Aligned<'_>| match step {
            Aligned::Piece(piece) if piece.part.is_open() => {
                open = Some(Unfinished { stamp: piece.stamp, part: piece.part, data: piece.data.to_vec() });
            }
            step => batch.apply(step),
        };
        let trailing = match parser.finish() {
            Trailing::Partial(Unfinished { stamp, part, data }) => {
                aligner.push(Parsed::Piece(Piece { stamp, part, data: &data }), &mut sink);
                None
            }
            other => Some(other),
        };
        let standing = aligner.give_up(&mut sink);
        let trailing = trailing.unwrap_or_else(|| open.map_or(Trailing::Nothing, Trailing::Partial));
        BodyEnd { standing, trailing }
    }
}
