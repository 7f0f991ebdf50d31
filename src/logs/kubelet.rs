//! A model of what a kubelet makes of a stored log, for the tests: records, the filter, the prefixes.

use jiff::Timestamp;
use proptest::prelude::*;

use super::{RECORD_LIMIT, stamp::nanos_between};

/// One stored record; `full` = tag F, its line ends with it.
#[derive(Clone)]
pub(crate) struct Record {
    pub stamp: Timestamp,
    pub full: bool,
    pub data: Vec<u8>,
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let line = Line { stamp: self.stamp, data: self.data.clone() };
        write!(f, "{line:?} {}", if self.full { 'F' } else { 'P' })
    }
}

/// A line as the kubelet joins it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub stamp: Timestamp,
    pub data: Vec<u8>,
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let head = String::from_utf8_lossy(&self.data[..self.data.len().min(24)]).into_owned();
        write!(f, "{} {:?} ({} B)", self.stamp, head, self.data.len())
    }
}

/// The readable file.
#[derive(Debug, Clone, Default)]
pub(crate) struct File {
    pub records: Vec<Record>,
}

impl File {
    pub fn part(&self, range: std::ops::Range<usize>) -> File {
        File { records: self.records[range].to_vec() }
    }

    /// `GET …/log?timestamps=true`, with `sinceTime` cut to seconds.
    pub fn body(&self, since: Option<i64>) -> Vec<u8> {
        render(&self.records, since, &mut true)
    }

    /// `tailLines=n`: the last n records, the first of them with a prefix wherever its line began.
    pub fn tail(&self, n: usize) -> Vec<u8> {
        let start = self.records.len().saturating_sub(n);
        self.part(start..self.records.len()).body(None)
    }

    /// `limitBytes=1024`.
    pub fn beginning(&self) -> Vec<u8> {
        let mut body = self.body(None);
        body.truncate(1024);
        body
    }

    pub fn lines(&self) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        let mut at_line_start = true;
        for record in &self.records {
            if at_line_start {
                lines.push(Line { stamp: record.stamp, data: Vec::new() });
            }
            let line = lines.last_mut().unwrap();
            line.data.extend_from_slice(&record.data);
            if record.full {
                line.data.push(b'\n');
            }
            at_line_start = record.full;
        }
        lines
    }

    /// A line becomes records of at most `limit` bytes, each stamped by the next of `stamps`.
    pub fn write(&mut self, content: &[u8], limit: usize, newline: Newline, mut stamp: impl FnMut() -> Timestamp) {
        let count = content.len().div_ceil(limit).max(1);
        for i in 0..count {
            let data = content[i * limit..content.len().min((i + 1) * limit)].to_vec();
            let full = i + 1 == count && newline == Newline::Yes;
            self.records.push(Record { stamp: stamp(), full, data });
        }
    }
}

/// The records from `since` (unix seconds) on as the kubelet writes them; `at_line_start` is kept from part to part.
pub(crate) fn render(records: &[Record], since: Option<i64>, at_line_start: &mut bool) -> Vec<u8> {
    let since = since.map(|second| Timestamp::new(second, 0).unwrap());
    let mut body = Vec::new();
    for record in records {
        if since.is_none_or(|since| record.stamp >= since) {
            if *at_line_start {
                body.extend_from_slice(prefix(record.stamp).as_bytes());
            }
            body.extend_from_slice(&record.data);
            if record.full {
                body.push(b'\n');
            }
        }
        *at_line_start = record.full;
    }
    body
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Newline {
    Yes,
    No,
}

fn prefix(stamp: Timestamp) -> String {
    format!("{}.{:09}Z ", stamp.strftime("%Y-%m-%dT%H:%M:%S"), stamp.subsec_nanosecond())
}

/// How the clock goes on from the latest stamp so far, in nanoseconds.
#[derive(Debug, Clone)]
pub(crate) enum Tick {
    On(i64),
    /// Set back for good: what follows stays before all that was.
    SetBack(i64),
}

pub(crate) fn tick() -> impl Strategy<Value = Tick> {
    prop_oneof![
        3 => Just(Tick::On(0)),
        4 => (1i64..2_000_000).prop_map(Tick::On),
        3 => (-80_000_000i64..0).prop_map(Tick::On),
        3 => (1i64..900_000_000).prop_map(Tick::On),
        1 => (900_000_000i64..9_000_000_000).prop_map(Tick::On),
    ]
}

pub(crate) fn tick_with_steps() -> impl Strategy<Value = Tick> {
    prop_oneof![12 => tick(), 1 => (1_000_000_000i64..5_000_000_000).prop_map(Tick::SetBack)]
}

/// A clock driven by ticks. Between two `SetBack`s it moves within [start, …), rising apart from small inversions.
#[derive(Debug, Clone)]
pub(crate) struct Clock {
    high: Timestamp,
    low: Timestamp,
}

impl Clock {
    pub fn new() -> Self {
        let start = "2026-07-30T23:59:58.7Z".parse().unwrap();
        Clock { high: start, low: start }
    }

    pub fn next(&mut self, tick: &Tick) -> Timestamp {
        let stamp = match tick {
            Tick::On(nanos) => add(self.high, *nanos),
            Tick::SetBack(nanos) => {
                // Far enough that the lines after it do not reach the lines before it.
                let stamp = add(self.low, -nanos - 1_000_000_000_000);
                self.high = stamp;
                stamp
            }
        };
        self.high = self.high.max(stamp);
        self.low = self.low.min(stamp);
        stamp
    }
}

fn add(stamp: Timestamp, nanos: i64) -> Timestamp {
    let at = Timestamp::from_nanosecond(stamp.as_nanosecond() + i128::from(nanos)).unwrap();
    assert_eq!(nanos_between(stamp, at), nanos);
    at
}

/// Any line content, without its newline.
pub(crate) fn content() -> impl Strategy<Value = Vec<u8>> {
    let around = |n: usize| (n - 2..n + 3, any::<u8>()).prop_map(|(n, seed)| filler(n, seed));
    prop_oneof![
        4 => Just(Vec::new()),
        10 => "[ab]{1,2}".prop_map(String::into_bytes),
        6 => prop::collection::vec(any::<u8>(), 0..60).prop_map(without_newline),
        2 => Just(b"\0\xff\xfe\r".to_vec()),
        3 => Just(b"2026-07-30T23:59:58.700000000Z a".to_vec()),
        2 => Just(b"unable to retrieve container logs for x".to_vec()),
        1 => around(RECORD_LIMIT),
        1 => around(2 * RECORD_LIMIT),
        1 => around(65_536),
        1 => around(65_536 + 4096),
        1 => (16_000usize..200_000, any::<u8>()).prop_map(|(n, seed)| filler(n, seed)),
    ]
}

fn without_newline(mut data: Vec<u8>) -> Vec<u8> {
    data.retain(|byte| *byte != b'\n');
    data
}

/// Bytes without a short period, so an offset that is wrong shows.
fn filler(len: usize, seed: u8) -> Vec<u8> {
    let mut data = Vec::with_capacity(len + 8);
    let mut i = usize::from(seed);
    while data.len() < len {
        data.extend_from_slice(format!("{i},").as_bytes());
        i += 1;
    }
    data.truncate(len);
    data
}

/// Any log. Records are mostly split as containerd does, sometimes much shorter, as other runtimes may.
pub(crate) fn log(ticks: BoxedStrategy<Tick>) -> impl Strategy<Value = File> {
    let limit = prop_oneof![9 => Just(RECORD_LIMIT), 1 => 1usize..40];
    let line = (content(), limit, prop::collection::vec(ticks, 1..4));
    let newline = prop_oneof![3 => Just(Newline::Yes), 1 => Just(Newline::No)];
    (prop::collection::vec(line, 0..24), newline).prop_map(|(lines, last)| {
        let mut clock = Clock::new();
        let mut file = File::default();
        let count = lines.len();
        for (i, (content, limit, ticks)) in lines.into_iter().enumerate() {
            let newline = if i + 1 == count && !content.is_empty() { last } else { Newline::Yes };
            let limit = if content.len() > 1000 { RECORD_LIMIT } else { limit };
            let mut ticks = ticks.iter();
            // Within a line the clock is not set back: such a line cannot be read by sinceTime in one piece.
            file.write(&content, limit, newline, || clock.next(ticks.next().unwrap_or(&Tick::On(1000))));
        }
        file
    })
}
