//! The rules of one container's log: numbers dense, offsets true, sums right.

use super::StartAt;
use crate::harness::v1;

/// The largest chunk.
const MAX_CHUNK: usize = 64 * 1024;

/// One run of a container.
#[derive(Debug)]
pub struct Log {
    /// Number that the next chunk must have; none where lines are not all counted.
    next_line: Option<u64>,
    /// Whether numbers must be there: false until the first chunk of a chain that began at a cursor, and after gaps.
    numbered: Numbered,
    /// The next byte continues a line.
    open: bool,
    /// The last line had no newline and does not go on.
    closed: bool,
    ended: bool,
    lines: u64,
    bytes: u64,
    gaps: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Numbered {
    Always,
    Never,
    Unknown,
}

impl Log {
    pub fn new(start: StartAt) -> Log {
        Log {
            next_line: (start == StartAt::Beginning).then_some(1),
            numbered: match start {
                StartAt::Beginning => Numbered::Always,
                StartAt::Now => Numbered::Never,
                StartAt::Cursor | StartAt::Within => Numbered::Unknown,
            },
            open: false,
            closed: false,
            ended: false,
            lines: 0,
            bytes: 0,
            gaps: 0,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    pub fn chunk(&mut self, chunk: &v1::LogChunk) {
        let data = &chunk.data;
        assert!(!self.ended, "a chunk after LogEnd");
        assert!(!self.closed, "a chunk after the last line");
        assert!((1..=MAX_CHUNK).contains(&data.len()), "a chunk of {} bytes", data.len());
        assert!(chunk.first_time.is_some(), "first_time is set");
        self.number(chunk);

        let ends: Vec<u32> =
            memchr::memchr_iter(b'\n', data).map(|at| u32::try_from(at + 1).expect("64 KiB at most")).collect();
        assert_eq!(chunk.line_ends, ends, "line_ends are the newlines");
        let rest = data.len() - ends.last().map_or(0, |end| *end as usize);
        assert!(rest > 0 || !chunk.continues, "continues without a begun line");
        let parts = ends.len() + usize::from(rest > 0);
        assert_eq!(chunk.time_deltas.len(), parts - 1, "a stamp for each further line");

        let complete = ends.len() as u64;
        self.next_line = self.next_line.map(|line| line + complete);
        self.lines += complete;
        self.bytes += data.len() as u64;
        self.open = chunk.continues;
        self.closed = rest > 0 && !chunk.continues;
        self.lines += u64::from(self.closed);
    }

    fn number(&mut self, chunk: &v1::LogChunk) {
        match self.numbered {
            Numbered::Always => assert_eq!(chunk.first_line, self.next_line, "line numbers are dense"),
            Numbered::Never => assert_eq!(chunk.first_line, None, "lines are not all counted"),
            Numbered::Unknown => {
                self.next_line = chunk.first_line;
                self.numbered = match chunk.first_line {
                    Some(_) => Numbered::Always,
                    None => Numbered::Never,
                };
            }
        }
    }

    pub fn gap(&mut self, gap: &v1::LogGap) {
        assert_ne!(gap.cause(), v1::LogLossCause::Unspecified, "{gap:?}");
        self.gaps += 1;
        self.open = false;
        self.next_line = self.next_line.zip(gap.lines).map(|(line, lost)| line + lost);
        if self.next_line.is_none() {
            self.numbered = Numbered::Never;
        }
    }

    pub fn end(&mut self) {
        assert!(!self.ended, "LogEnd comes once");
        assert!(!self.open, "LogEnd inside a line that was to go on");
        self.ended = true;
    }

    /// The Termination's sums are those of what came.
    pub fn adds_up(&self, delivery: &v1::ContainerDelivery) {
        let came = (self.lines, self.bytes, self.gaps);
        assert_eq!((delivery.lines, delivery.bytes, delivery.gaps), came, "{delivery:?}");
        assert_eq!(delivery.ended_mid_line, self.closed, "{delivery:?}");
    }
}
