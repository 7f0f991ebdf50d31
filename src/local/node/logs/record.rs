//! The container runtime's log format: one record per line, `<RFC 3339> <stdout|stderr> <P|F> <bytes>`.
//!
//! ```text
//! bytes of one stream → Splitter (lines, pieces of 16 KiB) → records in the file → parse → bytes for a reader
//! ```
//!
//! Pure: the clock is an argument. A `P` record is a piece of a line that goes on; an `F` record ends it. A last line without
//! newline stays a `P` record.

use jiff::Timestamp;
use memchr::memchr;

/// The longest content of one record, in bytes.
pub const MAX_RECORD: usize = 16 * 1024;

/// Length of a timestamp down to the second (`2026-01-01T00:00:00`).
pub const SECOND_LEN: usize = 19;

/// Length of a timestamp as readers get it: nine fraction digits and `Z`.
const STAMP_LEN: usize = 30;

/// Which of the two streams a record came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    fn label(self) -> &'static [u8] {
        match self {
            Stream::Stdout => b" stdout ",
            Stream::Stderr => b" stderr ",
        }
    }
}

/// Writes timestamps; keeps the text of the running second, which most records share.
#[derive(Default)]
pub struct Stamper {
    second: Option<(i64, [u8; SECOND_LEN])>,
}

impl Stamper {
    /// As RFC 3339 with trailing zeros of the fraction left out.
    pub fn write(&mut self, at: Timestamp, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.second_text(at.as_second()));
        let nanos = at.subsec_nanosecond().unsigned_abs();
        if nanos != 0 {
            let digits = fraction(nanos);
            let kept = digits.iter().rposition(|d| *d != b'0').map_or(0, |last| last + 1);
            out.push(b'.');
            out.extend_from_slice(&digits[..kept]);
        }
        out.push(b'Z');
    }

    fn second_text(&mut self, second: i64) -> [u8; SECOND_LEN] {
        if let Some((known, text)) = self.second
            && known == second
        {
            return text;
        }
        let text = second_text(second);
        self.second = Some((second, text));
        text
    }
}

/// `2026-01-01T00:00:00` of a Unix second. Two of them compare as their bytes do.
pub fn second_text(second: i64) -> [u8; SECOND_LEN] {
    let at = Timestamp::from_second(second).unwrap_or_default();
    let text = at.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let mut bytes = [b'0'; SECOND_LEN];
    for (to, from) in bytes.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    bytes
}

fn fraction(nanos: u32) -> [u8; 9] {
    let mut digits = [b'0'; 9];
    let mut rest = nanos;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
    digits
}

/// Cuts one stream into records.
pub struct Splitter {
    stream: Stream,
    /// The begun line; at most [`MAX_RECORD`] bytes between calls.
    pending: Vec<u8>,
}

impl Splitter {
    pub fn new(stream: Stream) -> Splitter {
        Splitter { stream, pending: Vec::new() }
    }

    /// Appends the records that `data` completes to `out`, each stamped by `clock` at that moment.
    pub fn push(&mut self, mut data: &[u8], stamper: &mut Stamper, clock: impl Fn() -> Timestamp, out: &mut Vec<u8>) {
        while let Some(end) = memchr(b'\n', data) {
            let (line, rest) = (&data[..end], &data[end + 1..]);
            if self.pending.is_empty() {
                self.line(line, stamper, &clock, out);
            } else {
                self.pending.extend_from_slice(line);
                let pending = std::mem::take(&mut self.pending);
                self.line(&pending, stamper, &clock, out);
                self.pending = recycle(pending);
            }
            data = rest;
        }
        self.pending.extend_from_slice(data);
        if self.pending.len() > MAX_RECORD {
            self.spill(stamper, &clock, out);
        }
    }

    /// The stream has ended: what is left becomes a `P` record.
    pub fn finish(&mut self, stamper: &mut Stamper, clock: impl Fn() -> Timestamp, out: &mut Vec<u8>) {
        let rest = std::mem::take(&mut self.pending);
        if !rest.is_empty() {
            self.record(b"P ", &rest, stamper, clock(), out);
        }
    }

    fn line(&self, line: &[u8], stamper: &mut Stamper, clock: &impl Fn() -> Timestamp, out: &mut Vec<u8>) {
        let mut line = line.strip_suffix(b"\r").unwrap_or(line);
        while line.len() > MAX_RECORD {
            let (piece, rest) = line.split_at(MAX_RECORD);
            self.record(b"P ", piece, stamper, clock(), out);
            line = rest;
        }
        self.record(b"F ", line, stamper, clock(), out);
    }

    fn spill(&mut self, stamper: &mut Stamper, clock: &impl Fn() -> Timestamp, out: &mut Vec<u8>) {
        let pending = std::mem::take(&mut self.pending);
        let mut rest = pending.as_slice();
        while rest.len() > MAX_RECORD {
            let (piece, tail) = rest.split_at(MAX_RECORD);
            self.record(b"P ", piece, stamper, clock(), out);
            rest = tail;
        }
        self.pending = rest.to_vec();
    }

    fn record(&self, tag: &[u8], content: &[u8], stamper: &mut Stamper, at: Timestamp, out: &mut Vec<u8>) {
        stamper.write(at, out);
        out.extend_from_slice(self.stream.label());
        out.extend_from_slice(tag);
        out.extend_from_slice(content);
        out.push(b'\n');
    }
}

/// The buffer for the next begun line; a large one is given back to the allocator.
fn recycle(mut used: Vec<u8>) -> Vec<u8> {
    if used.capacity() > MAX_RECORD {
        return Vec::new();
    }
    used.clear();
    used
}

/// Whether a record ends its line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    Partial,
    Full,
}

/// One record of a log file, without its newline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    pub stamp: &'a [u8],
    pub tag: Tag,
    pub content: &'a [u8],
}

impl Record<'_> {
    /// Whether the record is stamped at or after the second, given as [`second_text`].
    pub fn is_since(&self, second: &[u8; SECOND_LEN]) -> bool {
        self.stamp.get(..SECOND_LEN).is_some_and(|stamp| stamp >= second.as_slice())
    }

    /// The stamp with nine fraction digits, and the space after it.
    pub fn write_prefix(&self, out: &mut Vec<u8>) {
        let second = self.stamp.get(..SECOND_LEN).unwrap_or(self.stamp);
        let tail = self.stamp.get(SECOND_LEN..).unwrap_or_default();
        let digits = tail.strip_prefix(b".").unwrap_or_default();
        let digits = digits.strip_suffix(b"Z").unwrap_or(digits);
        let start = out.len();
        out.extend_from_slice(second);
        out.push(b'.');
        out.extend_from_slice(digits);
        out.resize(start + STAMP_LEN - 1, b'0');
        out.extend_from_slice(b"Z ");
    }
}

/// Reads one line of a log file; `None` when it is not a record.
pub fn parse(line: &[u8]) -> Option<Record<'_>> {
    let stamp_end = memchr(b' ', line)?;
    let (stamp, rest) = (&line[..stamp_end], &line[stamp_end + 1..]);
    let stream_end = memchr(b' ', rest)?;
    let rest = &rest[stream_end + 1..];
    let tag = match rest.first()? {
        b'P' => Tag::Partial,
        b'F' => Tag::Full,
        _ => return None,
    };
    Some(Record { stamp, tag, content: rest.get(2..).unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn split(chunks: &[&[u8]]) -> Vec<u8> {
        let (mut splitter, mut stamper, mut out) = (Splitter::new(Stream::Stdout), Stamper::default(), Vec::new());
        let clock = || at("2026-01-02T03:04:05.5Z");
        for chunk in chunks {
            splitter.push(chunk, &mut stamper, clock, &mut out);
        }
        splitter.finish(&mut stamper, clock, &mut out);
        out
    }

    fn contents(file: &[u8]) -> Vec<(Tag, Vec<u8>)> {
        let lines = file.split_inclusive(|b| *b == b'\n');
        lines
            .map(|line| {
                let record = parse(&line[..line.len() - 1]).unwrap();
                (record.tag, record.content.to_vec())
            })
            .collect()
    }

    #[test]
    fn a_record_is_written_as_the_runtime_writes_it() {
        assert_eq!(split(&[b"hello\n"]), b"2026-01-02T03:04:05.5Z stdout F hello\n");
        assert_eq!(split(&[b"half"]), b"2026-01-02T03:04:05.5Z stdout P half\n");
    }

    #[test]
    fn stamps_lose_trailing_zeros_in_the_file_and_get_them_back_for_readers() {
        for (given, stored, shown) in [
            ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000000000Z "),
            ("2026-01-02T03:04:05.25Z", "2026-01-02T03:04:05.25Z", "2026-01-02T03:04:05.250000000Z "),
            ("2026-01-02T03:04:05.000000001Z", "2026-01-02T03:04:05.000000001Z", "2026-01-02T03:04:05.000000001Z "),
        ] {
            let mut out = Vec::new();
            Stamper::default().write(at(given), &mut out);
            assert_eq!(String::from_utf8(out.clone()).unwrap(), stored);
            let record = Record { stamp: &out, tag: Tag::Full, content: b"" };
            let mut prefix = Vec::new();
            record.write_prefix(&mut prefix);
            assert_eq!(String::from_utf8(prefix).unwrap(), shown);
        }
    }

    #[test]
    fn lines_over_the_limit_become_pieces() {
        for (length, pieces) in [(MAX_RECORD, 1), (MAX_RECORD + 1, 2), (100_000, 7)] {
            let mut line = vec![b'x'; length];
            line.push(b'\n');
            let records = contents(&split(&[&line]));
            assert_eq!(records.len(), pieces, "{length}");
            assert!(records[..pieces - 1].iter().all(|(tag, c)| *tag == Tag::Partial && c.len() == MAX_RECORD));
            assert_eq!(records[pieces - 1].0, Tag::Full);
        }
    }

    #[test]
    fn only_the_return_before_a_newline_is_dropped() {
        let records = contents(&split(&[b"a\r\nb\rc\n\n\x00\xff\n"]));
        let expected: [&[u8]; 4] = [b"a", b"b\rc", b"", b"\x00\xff"];
        assert_eq!(records.iter().map(|(_, c)| c.as_slice()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn since_compares_whole_seconds() {
        let record = Record { stamp: b"2026-01-02T03:04:05.1Z", tag: Tag::Full, content: b"" };
        assert!(record.is_since(&second_text(at("2026-01-02T03:04:05Z").as_second())));
        assert!(!record.is_since(&second_text(at("2026-01-02T03:04:06Z").as_second())));
    }

    #[test]
    fn what_is_not_a_record_is_refused() {
        for line in [&b""[..], b"x", b"x y", b"x stdout Q z"] {
            assert_eq!(parse(line), None);
        }
    }

    proptest! {
        #[test]
        fn the_records_hold_the_bytes_however_they_arrive(
            text in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'a'), Just(0xff)], 0..200),
            cuts in proptest::collection::vec(0usize..200, 0..5),
        ) {
            let mut chunks = Vec::new();
            let mut sorted: Vec<usize> = cuts.into_iter().map(|c| c.min(text.len())).collect();
            sorted.sort_unstable();
            let mut from = 0;
            for cut in sorted {
                chunks.push(&text[from..cut]);
                from = cut;
            }
            chunks.push(&text[from..]);
            let file = split(&chunks);
            let mut read = Vec::new();
            for (tag, content) in contents(&file) {
                read.extend_from_slice(&content);
                if tag == Tag::Full {
                    read.push(b'\n');
                }
            }
            prop_assert_eq!(read, text);
        }
    }
}
