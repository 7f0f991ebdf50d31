//! Bytes of one log body → pieces of lines.
//!
//! ```text
//!  chunk ─▶ [carry: the line not yet ended] ─▶ memchr '\n' ─▶ prefix? ─▶ Piece{stamp, part, data}
//!                       │ > 64 KiB + 4 KiB                     └ none ─▶ Fragment (dropped)
//!                       └▶ first 64 KiB as a piece             end of the body ─▶ Trailing
//! ```
//!
//! The pieces depend on the body alone, never on where its chunks end.

use jiff::Timestamp;
use memchr::memchr;

use super::{MAX_DATA, error_text::is_known_error_text, stamp::StampReader};

/// An unfinished long line keeps this much back, so an error text that ends the body right behind it is not handed on.
const HELD_BACK: usize = 4 * 1024;
/// The longest prefix: 29 bytes of time, `+hh:mm` and a space.
const LONGEST_PREFIX: usize = 36;
/// How much of bytes without a stamp is kept for [`Trailing`].
const TEXT_KEPT: usize = 4 * 1024;

/// Which part of its line a [`Piece`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// A whole line, newline included.
    Whole,
    /// The beginning of a line over 64 KiB.
    First,
    /// Neither begins nor ends its line.
    Middle,
    /// The end of a line begun earlier, newline included.
    Last,
    /// The body ended within this line, which begins here.
    OpenWhole,
    /// The body ended within this line, which began earlier.
    OpenRest,
}

impl Part {
    /// Whether the line begins with this piece.
    #[inline]
    pub fn begins(self) -> bool {
        matches!(self, Part::Whole | Part::First | Part::OpenWhole)
    }

    /// Whether the piece ends with the line's newline.
    #[inline]
    pub fn ends(self) -> bool {
        matches!(self, Part::Whole | Part::Last)
    }

    /// Whether the body ended within the line.
    #[inline]
    pub fn is_open(self) -> bool {
        matches!(self, Part::OpenWhole | Part::OpenRest)
    }

    /// The same piece without its first bytes.
    pub(super) fn without_beginning(self) -> Part {
        match self {
            Part::Whole => Part::Last,
            Part::First => Part::Middle,
            Part::OpenWhole => Part::OpenRest,
            other => other,
        }
    }
}

/// Bytes of one line, at most 64 KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The line's stamp (that of its first record), the node's clock.
    pub stamp: Timestamp,
    /// Which part of the line.
    pub part: Part,
    /// As stored, newline included, prefix not.
    pub data: &'a [u8],
}

/// What [`Parser::feed`] finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed<'a> {
    /// Bytes of a line.
    Piece(Piece<'a>),
    /// Bytes up to a newline that began without a stamp: the rest of a line whose first record `sinceTime` filtered.
    Fragment,
}

/// A line without newline at the end of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// The line's stamp, the node's clock.
    pub stamp: Timestamp,
    /// `OpenWhole`, or `OpenRest` where earlier pieces were handed on.
    pub part: Part,
    /// What was not handed on, at most 68 KiB. An error text may be glued to its end.
    pub data: Vec<u8>,
}

/// What is left when a body has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trailing {
    /// The body ended with a newline, or is empty.
    Nothing,
    /// A line without newline: the log's last line if the container ended and [`super::tail_agrees`]; otherwise the
    /// read was cut here and the line comes again with the next one.
    Partial(Unfinished),
    /// A known text of the kubelet (its first 4 KiB): not part of the log.
    ErrorText(Vec<u8>),
    /// Other bytes without a stamp (the first 4 KiB): a prefix cut short, the open end of a line whose beginning was
    /// filtered, or an unknown text. Never part of a line.
    Unstamped(Vec<u8>),
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// `carry` begins at the line's first byte, prefix included.
    AtStart,
    /// The prefix and at least one piece of the line were handed on.
    InLine(Timestamp),
    /// Over 64 KiB without a stamp; `carry` keeps their beginning.
    InFragment,
}

/// Splits one body. Holds at most 68 KiB and one chunk.
#[derive(Debug, Clone)]
pub struct Parser {
    stamps: StampReader,
    carry: Vec<u8>,
    state: State,
}

impl Default for Parser {
    fn default() -> Self {
        Parser::new()
    }
}

impl Parser {
    /// A parser at the beginning of a body.
    pub fn new() -> Self {
        Parser { stamps: StampReader::new(), carry: Vec::new(), state: State::AtStart }
    }

    /// Takes the next bytes of the body, which may end anywhere. Lines are handed to `out` when their newline is here,
    /// lines over 64 KiB earlier, in pieces.
    pub fn feed(&mut self, chunk: &[u8], out: &mut impl FnMut(Parsed<'_>)) {
        let mut rest = chunk;
        if !self.is_between_lines() {
            let Some(end) = memchr(b'\n', rest) else {
                self.keep(rest, out);
                return;
            };
            let (line_end, after) = rest.split_at(end + 1);
            self.end_carried(line_end, out);
            rest = after;
        }
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', rest) {
            self.whole(&rest[start..=end], out);
            start = end + 1;
        }
        if start < rest.len() {
            self.keep(&rest[start..], out);
        }
    }

    /// What is left after the body's last byte.
    pub fn finish(self) -> Trailing {
        let Parser { mut stamps, mut carry, state } = self;
        match state {
            State::InLine(stamp) => Trailing::Partial(Unfinished { stamp, part: Part::OpenRest, data: carry }),
            State::AtStart if carry.is_empty() => Trailing::Nothing,
            State::AtStart | State::InFragment => match stamps.prefix(&carry) {
                Some((stamp, content)) => {
                    carry.drain(..content);
                    Trailing::Partial(Unfinished { stamp, part: Part::OpenWhole, data: carry })
                }
                None => {
                    carry.truncate(TEXT_KEPT);
                    if is_known_error_text(&carry) { Trailing::ErrorText(carry) } else { Trailing::Unstamped(carry) }
                }
            },
        }
    }

    fn is_between_lines(&self) -> bool {
        self.carry.is_empty() && matches!(self.state, State::AtStart)
    }

    /// A line that lies in one chunk.
    #[inline]
    fn whole(&mut self, line: &[u8], out: &mut impl FnMut(Parsed<'_>)) {
        match self.stamps.prefix(line) {
            Some((stamp, content)) if line.len() - content <= MAX_DATA => {
                out(Parsed::Piece(Piece { stamp, part: Part::Whole, data: &line[content..] }));
            }
            Some((stamp, content)) => pieces(stamp, Part::First, &line[content..], out),
            None => out(Parsed::Fragment),
        }
    }

    /// The carried line ends with `line_end`.
    fn end_carried(&mut self, line_end: &[u8], out: &mut impl FnMut(Parsed<'_>)) {
        let mut carry = std::mem::take(&mut self.carry);
        match std::mem::replace(&mut self.state, State::AtStart) {
            State::AtStart => {
                carry.extend_from_slice(line_end);
                self.whole(&carry, out);
            }
            State::InLine(stamp) => {
                carry.extend_from_slice(line_end);
                pieces(stamp, Part::Middle, &carry, out);
            }
            State::InFragment => out(Parsed::Fragment),
        }
        // Kept for the next line, unless a long one made it large: thousands of followers idle with it.
        if carry.capacity() <= HELD_BACK {
            carry.clear();
            self.carry = carry;
        }
    }

    /// Bytes of a line whose newline is not here yet.
    fn keep(&mut self, data: &[u8], out: &mut impl FnMut(Parsed<'_>)) {
        if matches!(self.state, State::InFragment) {
            return;
        }
        self.carry.extend_from_slice(data);
        if matches!(self.state, State::AtStart) {
            if self.carry.len() < MAX_DATA + HELD_BACK + LONGEST_PREFIX {
                return;
            }
            match self.stamps.prefix(&self.carry) {
                Some((stamp, content)) => {
                    self.carry.drain(..content);
                    self.hand_on(stamp, Part::First, out);
                }
                None => {
                    self.carry.truncate(TEXT_KEPT);
                    self.carry.shrink_to_fit();
                    self.state = State::InFragment;
                }
            }
        } else if let State::InLine(stamp) = self.state {
            self.hand_on(stamp, Part::Middle, out);
        }
    }

    /// Hands on what of the carried, unfinished line need not be held back.
    fn hand_on(&mut self, stamp: Timestamp, mut part: Part, out: &mut impl FnMut(Parsed<'_>)) {
        let mut at = 0;
        while self.carry.len() - at >= MAX_DATA + HELD_BACK {
            out(Parsed::Piece(Piece { stamp, part, data: &self.carry[at..at + MAX_DATA] }));
            at += MAX_DATA;
            part = Part::Middle;
        }
        self.carry.drain(..at);
        self.state = State::InLine(stamp);
    }
}

/// The last bytes of a long line, in pieces; `part` is that of the first one.
fn pieces(stamp: Timestamp, mut part: Part, data: &[u8], out: &mut impl FnMut(Parsed<'_>)) {
    let mut rest = data;
    while rest.len() > MAX_DATA {
        let (data, after) = rest.split_at(MAX_DATA);
        out(Parsed::Piece(Piece { stamp, part, data }));
        part = Part::Middle;
        rest = after;
    }
    out(Parsed::Piece(Piece { stamp, part: Part::Last, data: rest }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(body: &[u8]) -> (Vec<String>, Trailing) {
        let mut parser = Parser::new();
        let mut found = Vec::new();
        parser.feed(body, &mut |parsed| {
            found.push(match parsed {
                Parsed::Piece(piece) => format!("{:?} {}", piece.part, piece.data.escape_ascii()),
                Parsed::Fragment => "fragment".to_owned(),
            });
        });
        (found, parser.finish())
    }

    const STAMP: &str = "2026-07-30T12:34:56.000000001Z ";

    #[test]
    fn lines_fragments_and_texts() {
        let text = |text: &str| text.as_bytes().to_vec();
        let partial = |data: &str| {
            let stamp = "2026-07-30T12:34:56.000000001Z".parse().unwrap();
            Trailing::Partial(Unfinished { stamp, part: Part::OpenWhole, data: text(data) })
        };
        let known = "unable to retrieve container logs for containerd://0";
        let table: [(String, &[&str], Trailing); 8] = [
            (String::new(), &[], Trailing::Nothing),
            (format!("{STAMP}a\n{STAMP}\n"), &["Whole a\\n", "Whole \\n"], Trailing::Nothing),
            (format!("rest\n{STAMP}a\n"), &["fragment", "Whole a\\n"], Trailing::Nothing),
            (format!("{STAMP}a\n{STAMP}b"), &["Whole a\\n"], partial("b")),
            (format!("{STAMP}a\n{known}"), &["Whole a\\n"], Trailing::ErrorText(text(known))),
            (format!("{STAMP}a\n2026-07-30T12"), &["Whole a\\n"], Trailing::Unstamped(text("2026-07-30T12"))),
            (format!("{STAMP}a\nError: x\nmore"), &["Whole a\\n", "fragment"], Trailing::Unstamped(text("more"))),
            (format!("{STAMP}{known}"), &[], partial(known)),
        ];
        for (body, found, trailing) in table {
            let found: Vec<String> = found.iter().map(|text| (*text).to_owned()).collect();
            assert_eq!(parsed(body.as_bytes()), (found, trailing), "{body}");
        }
    }

    #[test]
    fn a_long_fragment_is_not_kept() {
        let mut parser = Parser::new();
        for _ in 0..100 {
            parser.feed(&[b'x'; 10_000], &mut |_| panic!("nothing was found yet"));
            assert!(parser.carry.len() < MAX_DATA + HELD_BACK + 10_000 + LONGEST_PREFIX);
        }
        let mut found = 0;
        parser.feed(b"\n", &mut |parsed| {
            assert_eq!(parsed, Parsed::Fragment);
            found += 1;
        });
        assert_eq!((found, parser.finish()), (1, Trailing::Nothing));
    }

    #[test]
    fn an_idle_parser_holds_no_long_buffer() {
        let mut parser = Parser::new();
        parser.feed(STAMP.as_bytes(), &mut |_| {});
        parser.feed(&vec![b'x'; 300_000], &mut |_| {});
        parser.feed(b"\n", &mut |_| {});
        assert!(parser.carry.capacity() <= HELD_BACK);
    }

    #[test]
    fn a_text_glued_to_a_long_line_is_not_handed_on() {
        let text = "rpc error: code = Unavailable";
        for len in [MAX_DATA - 10, MAX_DATA, MAX_DATA + 10, 3 * MAX_DATA] {
            let body = [STAMP.as_bytes(), &vec![b'x'; len], text.as_bytes()].concat();
            let (found, trailing) = parsed(&body);
            assert!(found.iter().all(|piece| !piece.contains("rpc")));
            let Trailing::Partial(line) = trailing else { panic!("{trailing:?}") };
            assert!(line.data.ends_with(text.as_bytes()));
        }
    }
}
