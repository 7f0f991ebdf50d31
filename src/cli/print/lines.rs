//! A task's log lines as they go to stdout.
//!
//! ```text
//! LogChunk ─▶ Raw      its bytes, nothing else
//!          └▶ Marked   each line begins with its time, its container, or both
//! ```
//!
//! Marked, a long line that arrives in pieces stays one line, unless another container's line comes between: then it
//! is broken there and goes on in a new line of its own container.

use anstyle::{AnsiColor, Style};
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use super::text::{DIM, nanoseconds, styled, timestamp};
use crate::cli::args::Switch;
use crate::cli::io::Colour;
use crate::proto::v1;

/// What each line begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Marks {
    /// The container's name.
    pub(crate) container: Switch,
    /// When the node stored the line.
    pub(crate) time: Switch,
}

impl Marks {
    /// Lines as they are.
    pub(crate) const NONE: Self = Self { container: Switch::Off, time: Switch::Off };
}

/// The colours of containers, told apart as in stern: each has the same one in every run.
const COLOURS: [Style; 6] = [
    AnsiColor::Cyan.on_default(),
    AnsiColor::Green.on_default(),
    AnsiColor::Magenta.on_default(),
    AnsiColor::Yellow.on_default(),
    AnsiColor::Blue.on_default(),
    AnsiColor::Red.on_default(),
];

fn colour_of(container: &str) -> Style {
    let place = crc32fast::hash(container.as_bytes()) as usize % COLOURS.len();
    COLOURS.get(place).copied().unwrap_or_default()
}

/// Makes bytes for stdout of log chunks.
#[derive(Debug)]
pub(crate) struct Lines {
    marks: Marks,
    colour: Colour,
    /// Container and restart that wrote last and have not ended their line.
    unfinished: Option<(String, u32)>,
}

impl Lines {
    pub(crate) fn new(marks: Marks, colour: Colour) -> Self {
        Self { marks, colour, unfinished: None }
    }

    /// The bytes to write for this chunk.
    pub(crate) fn render(&mut self, chunk: &v1::LogChunk) -> Bytes {
        if self.marks == Marks::NONE {
            return chunk.data.clone();
        }
        let source = (chunk.container.clone(), chunk.restart);
        let mut out = Vec::with_capacity(chunk.data.len() + chunk.data.len() / 2);
        let goes_on = self.unfinished.as_ref() == Some(&source);
        if self.unfinished.is_some() && !goes_on {
            out.push(b'\n');
        }
        let mut times = Times::of(chunk);
        for (index, line) in chunk.data.split_inclusive(|byte| *byte == b'\n').enumerate() {
            if index > 0 {
                times.advance();
            }
            if index > 0 || !goes_on {
                self.mark(&mut out, &chunk.container, times.current);
            }
            out.extend_from_slice(line);
        }
        self.unfinished = (!out.ends_with(b"\n")).then_some(source);
        out.into()
    }

    fn mark(&self, out: &mut Vec<u8>, container: &str, time: Option<Timestamp>) {
        if let (true, Some(time)) = (self.marks.time.is_on(), time) {
            out.extend_from_slice(styled(self.colour, DIM, &nanoseconds(time)).as_bytes());
            out.push(b' ');
        }
        if self.marks.container.is_on() {
            out.extend_from_slice(styled(self.colour, colour_of(container), container).as_bytes());
            out.extend_from_slice(b" | ");
        }
    }
}

/// The stamps of the lines of a chunk, one after the other.
struct Times<'a> {
    first: Option<Timestamp>,
    deltas: std::slice::Iter<'a, i64>,
    current: Option<Timestamp>,
}

impl<'a> Times<'a> {
    fn of(chunk: &'a v1::LogChunk) -> Self {
        let first = chunk.first_time.as_ref().and_then(timestamp);
        Self { first, deltas: chunk.time_deltas.iter(), current: first }
    }

    fn advance(&mut self) {
        self.current = match (self.first, self.deltas.next()) {
            (Some(first), Some(delta)) => first.checked_add(SignedDuration::from_nanos(*delta)).ok(),
            _ => None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTAINER: Marks = Marks { container: Switch::On, time: Switch::Off };

    fn chunk(container: &str, data: &'static [u8]) -> v1::LogChunk {
        v1::LogChunk { container: container.to_owned(), data: Bytes::from_static(data), ..Default::default() }
    }

    fn render(marks: Marks, chunks: &[v1::LogChunk]) -> Vec<u8> {
        let mut lines = Lines::new(marks, Colour::Plain);
        chunks.iter().flat_map(|chunk| lines.render(chunk)).collect()
    }

    #[test]
    fn raw_is_byte_for_byte() {
        let all: Vec<u8> = (0..=255).collect();
        let data = Bytes::from(all.clone());
        let one = v1::LogChunk { data, ..Default::default() };
        assert_eq!(render(Marks::NONE, &[one, chunk("b", b"no end")]), [&all[..], b"no end"].concat());
    }

    #[test]
    fn each_line_begins_with_its_container() {
        let text = render(CONTAINER, &[chunk("a", b"1\n\n2\n"), chunk("b", b"x\n")]);
        assert_eq!(text, b"a | 1\na | \na | 2\nb | x\n");
    }

    #[test]
    fn a_line_in_pieces_is_marked_once() {
        let text = render(CONTAINER, &[chunk("a", b"begin "), chunk("a", b"middle "), chunk("a", b"end\nnext\n")]);
        assert_eq!(text, b"a | begin middle end\na | next\n");
    }

    #[test]
    fn a_line_that_another_container_breaks_goes_on_marked() {
        let text = render(CONTAINER, &[chunk("a", b"begin "), chunk("b", b"x\n"), chunk("a", b"end\n")]);
        assert_eq!(text, b"a | begin \nb | x\na | end\n");
        let mut again = chunk("a", b"second run\n");
        again.restart = 1;
        let text = render(CONTAINER, &[chunk("a", b"killed in mid-line"), again]);
        assert_eq!(text, b"a | killed in mid-line\na | second run\n");
    }

    #[test]
    fn stamps_are_those_of_each_line() {
        let mut first = chunk("a", b"1\n2\n3 ");
        first.first_time = Some(prost_types::Timestamp { seconds: 60, nanos: 5 });
        first.time_deltas = vec![1_000_000_000, -5];
        let mut second = chunk("a", b"more\n4\n");
        second.first_time = Some(prost_types::Timestamp { seconds: 60, nanos: 0 });
        second.time_deltas = vec![7];
        let marks = Marks { container: Switch::Off, time: Switch::On };
        let text = render(marks, &[first, second]);
        assert_eq!(
            String::from_utf8_lossy(&text),
            "1970-01-01T00:01:00.000000005Z 1\n\
             1970-01-01T00:01:01.000000005Z 2\n\
             1970-01-01T00:01:00.000000000Z 3 more\n\
             1970-01-01T00:01:00.000000007Z 4\n"
        );
    }

    #[test]
    fn a_line_without_stamp_has_none() {
        let marks = Marks { container: Switch::On, time: Switch::On };
        assert_eq!(render(marks, &[chunk("a", b"1\n")]), b"a | 1\n");
    }

    #[test]
    fn a_container_has_its_own_colour_and_its_lines_have_none() {
        let mut lines = Lines::new(CONTAINER, Colour::Ansi);
        let rendered = lines.render(&chunk("main", b"a\nb\n"));
        let text = String::from_utf8_lossy(&rendered).into_owned();
        let mark = styled(Colour::Ansi, colour_of("main"), "main");
        assert_eq!(text, format!("{mark} | a\n{mark} | b\n"));
        assert!(mark.starts_with("\u{1b}["));
        let colours: std::collections::BTreeSet<String> =
            ["main", "proxy", "init", "side", "git-sync"].iter().map(|name| format!("{}", colour_of(name))).collect();
        assert!(colours.len() > 2, "{colours:?}");
    }
}
