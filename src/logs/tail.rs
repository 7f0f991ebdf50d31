//! Was the log read to its end? `tailLines=1` counts *records*: for a line over 16 KiB it returns the last record only,
//! under that record's own stamp. Its last newline-terminated or open line is compared with the last line read.

use jiff::Timestamp;
use memchr::memrchr;

use super::{
    RECORD_LIMIT,
    position::{FirstLine, LineMark, steps_back},
    stamp::parse_prefix,
};

/// A record's content and its newline.
const KEPT: usize = RECORD_LIMIT + 1;

/// The end of the last line read: at most 16 KiB and a newline. Kept in memory, never in a cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineTail {
    stamp: Timestamp,
    len: u64,
    bytes: Vec<u8>,
}

impl LineTail {
    /// A line of which nothing was read yet.
    pub fn new(stamp: Timestamp) -> Self {
        LineTail { stamp, len: 0, bytes: Vec::new() }
    }

    /// A whole line, newline included where it has one.
    pub fn of(stamp: Timestamp, line: &[u8]) -> Self {
        let mut tail = LineTail::new(stamp);
        tail.push(line);
        tail
    }

    /// A line of which `mark` was read by somebody else: its bytes are not known.
    pub(super) fn after(mark: LineMark) -> Self {
        LineTail { stamp: mark.stamp, len: mark.len, bytes: Vec::new() }
    }

    /// The next bytes of the line.
    pub fn push(&mut self, data: &[u8]) {
        self.len = self.len.saturating_add(data.len() as u64);
        let data = &data[data.len().saturating_sub(KEPT)..];
        let surplus = (self.bytes.len() + data.len()).saturating_sub(KEPT);
        self.bytes.drain(..surplus.min(self.bytes.len()));
        self.bytes.extend_from_slice(data);
    }

    fn is_terminated(&self) -> bool {
        self.bytes.last() == Some(&b'\n')
    }

    fn content_len(&self) -> u64 {
        self.len - u64::from(self.is_terminated())
    }
}

/// The body of a read with `tailLines=1&timestamps=true`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TailBody<'a> {
    /// No record: nothing was ever written, or the file was rotated and nothing was written since.
    Empty,
    /// The last record.
    Record {
        /// The record's own stamp, the node's clock.
        stamp: Timestamp,
        /// Newline included where it has one.
        data: &'a [u8],
    },
    /// Something else, likely a text of the kubelet: the log cannot be read.
    Unreadable(&'a [u8]),
}

impl<'a> TailBody<'a> {
    /// Reads the body. Where more was written meanwhile its last line counts.
    pub fn parse(body: &'a [u8]) -> Self {
        let end = body.len().saturating_sub(1);
        let start = memrchr(b'\n', &body[..end]).map_or(0, |newline| newline + 1);
        let line = &body[start..];
        match parse_prefix(line) {
            _ if body.is_empty() => TailBody::Empty,
            Some((stamp, content)) => TailBody::Record { stamp, data: &line[content..] },
            None => TailBody::Unreadable(line),
        }
    }

    /// Compares where no line was sent, or none since a gap; `high` is the latest stamp sent before it.
    pub(super) fn agrees_behind_gap(&self, high: Option<Timestamp>) -> TailCheck {
        match (*self, high) {
            (TailBody::Empty, Some(_)) => TailCheck::EmptyAfterRotation,
            (TailBody::Record { stamp, .. }, Some(high)) if stamp <= high => TailCheck::Foreign,
            _ => tail_agrees(None, self),
        }
    }

    /// Compares with a last line of which only the mark is known: what it cannot show must be read again.
    pub(super) fn agrees_with_mark(&self, mark: LineMark) -> TailCheck {
        match *self {
            TailBody::Record { stamp, data } if LineMark::of(stamp, data) == mark => TailCheck::Equal,
            _ => tail_agrees(Some(&LineTail::after(mark)), self),
        }
    }
}

/// How a log's last record compares with the last line read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TailCheck {
    /// The log was read to its end.
    Equal,
    /// The record is a suffix of the last line read, but not as long as a runtime's split of that line gives, or it is
    /// earlier: its last record, or a new short line. Read the whole file once; if nothing new comes, it is `Equal`.
    Suffix,
    /// There is more to read: read from the position.
    Behind,
    /// The file is empty though lines were read: it was rotated. Nothing more can be read.
    EmptyAfterRotation,
    /// A record well before the last line read: the clock was set back, or the file was rotated. Read the whole file;
    /// if nothing new comes, it was rotated.
    Foreign,
    /// The log cannot be read (any more).
    Unreadable,
}

impl TailCheck {
    /// The same, known that the last line was not read to its end.
    pub(super) fn not_yet(self) -> Self {
        match self {
            TailCheck::Equal | TailCheck::Suffix => TailCheck::Behind,
            other => other,
        }
    }
}

/// Compares the last line read (`None`: no line was read) with the log's last record.
pub fn tail_agrees(sent: Option<&LineTail>, last: &TailBody<'_>) -> TailCheck {
    match (sent, *last) {
        (_, TailBody::Unreadable(_)) => TailCheck::Unreadable,
        (None, TailBody::Empty) => TailCheck::Equal,
        (None, TailBody::Record { .. }) => TailCheck::Behind,
        (Some(_), TailBody::Empty) => TailCheck::EmptyAfterRotation,
        (Some(sent), TailBody::Record { stamp, data }) => compare(sent, stamp, data),
    }
}

fn compare(sent: &LineTail, stamp: Timestamp, record: &[u8]) -> TailCheck {
    if stamp == sent.stamp && record.len() as u64 == sent.len && record == sent.bytes {
        return TailCheck::Equal;
    }
    if !sent.bytes.ends_with(record) || record.len() as u64 >= sent.len || record.is_empty() {
        return if steps_back(sent.stamp, stamp) { TailCheck::Foreign } else { TailCheck::Behind };
    }
    let content = sent.content_len();
    let split = content.saturating_sub(1) % RECORD_LIMIT as u64 + 1;
    let found = record.len() as u64 - u64::from(sent.is_terminated());
    let as_split = content > RECORD_LIMIT as u64 && found == split && stamp >= sent.stamp;
    if as_split { TailCheck::Equal } else { TailCheck::Suffix }
}

/// Whether a file still begins as it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstLineCheck {
    /// The same first line: never rotated.
    Same,
    /// Another first line, or none: rotated.
    Differs,
    /// The body shows no first line: nothing is known.
    Unreadable,
}

/// Compares a file's beginning with the first line seen. `body` is that of a read with
/// `limitBytes=1024&timestamps=true`.
pub fn first_line_check(first: FirstLine, body: &[u8]) -> FirstLineCheck {
    if body.is_empty() {
        return FirstLineCheck::Differs;
    }
    match first_line(body) {
        Some(found) if found == first => FirstLineCheck::Same,
        Some(_) => FirstLineCheck::Differs,
        None => FirstLineCheck::Unreadable,
    }
}

/// The stamp of the first record in `body`; the node's clock. `None` where there is none.
pub fn first_stamp(body: &[u8]) -> Option<Timestamp> {
    parse_prefix(body).map(|(stamp, _)| stamp)
}

/// The first line of the file whose beginning is `body`, cut or not.
pub(super) fn first_line(body: &[u8]) -> Option<FirstLine> {
    let (stamp, content) = parse_prefix(body)?;
    let rest = &body[content..];
    let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |newline| newline + 1);
    Some(FirstLine::of(stamp, &rest[..end]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(nanos: i64) -> Timestamp {
        Timestamp::from_nanosecond(1_800_000_000_000_000_000 + i128::from(nanos)).unwrap()
    }

    fn record(nanos: i64, data: &[u8]) -> Vec<u8> {
        let stamp = at(nanos);
        let mut body =
            format!("{}.{:09}Z ", stamp.strftime("%Y-%m-%dT%H:%M:%S"), stamp.subsec_nanosecond()).into_bytes();
        body.extend_from_slice(data);
        body
    }

    #[test]
    fn a_last_record_is_compared() {
        let long: Vec<u8> = (0..40_000u32).map(|i| b'a' + (i % 23) as u8).chain([b'\n']).collect();
        let split = &long[2 * RECORD_LIMIT..];
        let second = 1_000_000_000;
        let table: [(&[u8], Vec<u8>, TailCheck); 16] = [
            (b"a\n", record(0, b"a\n"), TailCheck::Equal),
            (b"a", record(0, b"a"), TailCheck::Equal),
            (b"\n", record(0, b"\n"), TailCheck::Equal),
            (b"a", record(0, b"a\n"), TailCheck::Behind),
            (b"a\n", record(1, b"a\n"), TailCheck::Behind),
            (b"a\n", record(0, b"b\n"), TailCheck::Behind),
            (b"a\n", record(-1000, b"b\n"), TailCheck::Behind),
            (b"a\n", record(-second, b"b\n"), TailCheck::Foreign),
            (b"ab\n", record(5, b"b\n"), TailCheck::Suffix),
            (b"ab\n", record(-second, b"\n"), TailCheck::Suffix),
            (&long, record(3000, split), TailCheck::Equal),
            (&long, record(-3000, split), TailCheck::Suffix),
            (&long, record(3000, &split[1..]), TailCheck::Suffix),
            (&long, record(3000, b"x\n"), TailCheck::Behind),
            (b"a\n", Vec::new(), TailCheck::EmptyAfterRotation),
            (b"a\n", b"unable to retrieve container logs for containerd://0".to_vec(), TailCheck::Unreadable),
        ];
        for (line, body, expected) in table {
            let sent = LineTail::of(at(0), line);
            assert_eq!(
                tail_agrees(Some(&sent), &TailBody::parse(&body)),
                expected,
                "{:?}",
                body.escape_ascii().to_string()
            );
        }
        assert_eq!(tail_agrees(None, &TailBody::parse(b"")), TailCheck::Equal);
        assert_eq!(tail_agrees(None, &TailBody::parse(&record(0, b"a\n"))), TailCheck::Behind);
    }

    #[test]
    fn of_several_lines_the_last_counts() {
        let mut body = record(0, b"a\n");
        body.extend_from_slice(&record(1, b"b"));
        assert_eq!(TailBody::parse(&body), TailBody::Record { stamp: at(1), data: b"b" });
        body.extend_from_slice(b"\nrpc error: code = Unavailable");
        assert_eq!(TailBody::parse(&body), TailBody::Unreadable(b"rpc error: code = Unavailable"));
    }

    #[test]
    fn a_mark_alone_tells_equal_but_for_long_lines() {
        let mark = LineMark::of(at(0), b"a\n");
        assert_eq!(TailBody::parse(&record(0, b"a\n")).agrees_with_mark(mark), TailCheck::Equal);
        assert_eq!(TailBody::parse(&record(0, b"b\n")).agrees_with_mark(mark), TailCheck::Behind);
        assert_eq!(TailBody::parse(b"").agrees_with_mark(mark), TailCheck::EmptyAfterRotation);
    }

    #[test]
    fn a_tail_keeps_the_end_however_it_comes() {
        let line: Vec<u8> = (0..50_000u32).map(|i| (i % 251) as u8).collect();
        for size in [1, 7, 16_000, 16_385, 50_000] {
            let mut tail = LineTail::new(at(0));
            line.chunks(size).for_each(|data| tail.push(data));
            assert_eq!(tail, LineTail::of(at(0), &line));
            assert_eq!((tail.len, tail.bytes.len()), (50_000, KEPT));
        }
    }

    #[test]
    fn the_first_line_tells_a_rotation() {
        let first = FirstLine::of(at(0), b"a\n");
        let long = vec![b'x'; 3000];
        let mut cut = record(0, &long);
        cut.truncate(1024);
        assert_eq!(first_line_check(FirstLine::of(at(0), &long), &cut), FirstLineCheck::Same);
        let mut body = record(0, b"a\n");
        body.extend_from_slice(&record(1, b"b\n"));
        assert_eq!(first_line_check(first, &body), FirstLineCheck::Same);
        assert_eq!(first_line_check(first, &record(1, b"a\n")), FirstLineCheck::Differs);
        assert_eq!(first_line_check(first, &record(0, b"b\n")), FirstLineCheck::Differs);
        assert_eq!(first_line_check(first, b""), FirstLineCheck::Differs);
        assert_eq!(first_line_check(first, b"rpc error: x"), FirstLineCheck::Unreadable);
    }
}
