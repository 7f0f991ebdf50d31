//! Reading an attempt's log: records in, the bytes `pods/log` answers out.
//!
//! ```text
//! AttemptLog::open → skip to the tail → 32 KiB pieces → records (since) → prefix, content, newline → limit → body
//!                                          │ end of file: rotated? next file · ended? done · follow? wait for progress
//! ```
//!
//! Only the current file is read; a follower that meets the end of a file put aside goes on with the then current one, so a
//! slow follower loses what was rotated twice meanwhile, as with a real kubelet. The file is read only when the body is polled.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use memchr::{memrchr, memrchr_iter};
use tokio::sync::watch;

use super::file::{AttemptLog, Progress};
use super::record::{SECOND_LEN, Tag, parse, second_text};
use crate::local::node::logs_api::{Follow, LinePrefix, LogQuery};

/// Bytes read from the file at once.
const PIECE: usize = 32 * 1024;

/// Which records of the log are wanted, and how they are shown.
#[derive(Clone, Copy, Debug)]
pub struct Selection {
    pub follow: Follow,
    pub prefix: LinePrefix,
    pub since: Option<[u8; SECOND_LEN]>,
    pub tail: Option<u64>,
    pub limit: Option<u64>,
}

impl From<&LogQuery> for Selection {
    fn from(query: &LogQuery) -> Selection {
        Selection {
            follow: query.follow,
            prefix: query.prefix,
            since: query.since.map(|at| second_text(at.as_second())),
            tail: query.tail_lines,
            limit: query.limit_bytes,
        }
    }
}

/// One open log.
pub struct Reader {
    log: Arc<AttemptLog>,
    progress: watch::Receiver<Progress>,
    file: File,
    generation: u64,
    selection: Selection,
    /// Bytes still allowed by `limitBytes`.
    left: u64,
    /// What was read of a record that is not complete yet.
    carry: Vec<u8>,
    /// The next record begins an output line. Shared by both streams, as in the kubelet.
    line_start: bool,
}

impl Reader {
    /// Opens the current file and skips to the tail.
    pub fn open(log: Arc<AttemptLog>, selection: Selection) -> io::Result<Reader> {
        let progress = log.progress();
        let (mut file, generation) = log.open()?;
        if let Some(tail) = selection.tail {
            let start = tail_start(&file, tail)?;
            file.seek(SeekFrom::Start(start))?;
        }
        Ok(Reader {
            log,
            progress,
            file,
            generation,
            selection,
            left: selection.limit.unwrap_or(u64::MAX),
            carry: Vec::new(),
            line_start: true,
        })
    }

    /// The next piece of the body; `None` at its end.
    pub async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            if self.left == 0 {
                return Ok(None);
            }
            // Taken before the read: what the writer did until then is in the file, so an end of file after it is final.
            let seen = *self.progress.borrow_and_update();
            if self.fill()? {
                let out = self.decode();
                if !out.is_empty() {
                    return Ok(Some(Bytes::from(out)));
                }
                continue;
            }
            if !self.wait_at_end(seen).await? {
                return Ok(None);
            }
        }
    }

    /// Everything that is stored now, at most the last `keep` bytes of it. For the termination message.
    pub fn read_last(&mut self, keep: usize) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        while self.fill()? {
            all.extend(self.decode());
            let surplus = all.len().saturating_sub(keep);
            all.drain(..surplus);
        }
        Ok(all)
    }

    /// At the end of the file: whether there is more to read, now or later.
    async fn wait_at_end(&mut self, seen: Progress) -> io::Result<bool> {
        if self.selection.follow == Follow::No {
            return Ok(false);
        }
        if seen.generation != self.generation {
            (self.file, self.generation) = self.log.open_after(self.generation)?;
            self.carry.clear();
            return Ok(true);
        }
        if seen.ended {
            return Ok(false);
        }
        Ok(self.progress.changed().await.is_ok())
    }

    /// Reads one piece behind the carried bytes; false at the end of the file.
    fn fill(&mut self) -> io::Result<bool> {
        let before = self.carry.len();
        self.carry.resize(before + PIECE, 0);
        let read = self.file.read(&mut self.carry[before..]);
        self.carry.truncate(before + *read.as_ref().unwrap_or(&0));
        Ok(read? > 0)
    }

    /// Turns the complete records read so far into output, and keeps the rest.
    fn decode(&mut self) -> Vec<u8> {
        let Some(last) = memrchr(b'\n', &self.carry) else {
            return Vec::new();
        };
        let rest = self.carry.split_off(last + 1);
        let records = std::mem::replace(&mut self.carry, rest);
        let mut out = Vec::with_capacity(records.len());
        for line in records[..last].split(|byte| *byte == b'\n') {
            self.show(line, &mut out);
        }
        let allowed = usize::try_from(self.left).unwrap_or(usize::MAX);
        out.truncate(allowed);
        self.left -= u64::try_from(out.len()).unwrap_or(self.left).min(self.left);
        out
    }

    fn show(&mut self, line: &[u8], out: &mut Vec<u8>) {
        let Some(record) = parse(line) else {
            return;
        };
        if self.selection.since.is_some_and(|second| !record.is_since(&second)) {
            return;
        }
        if self.line_start && self.selection.prefix == LinePrefix::Timestamp {
            record.write_prefix(out);
        }
        out.extend_from_slice(record.content);
        self.line_start = record.tag == Tag::Full;
        if self.line_start {
            out.push(b'\n');
        }
    }
}

/// Where the last `records` records of the file begin.
fn tail_start(file: &File, records: u64) -> io::Result<u64> {
    let size = file.metadata()?.len();
    if records == 0 {
        return Ok(size);
    }
    let mut block = vec![0; PIECE];
    let mut newlines = 0;
    let mut end = size;
    while end > 0 {
        let start = end.saturating_sub(u64::try_from(PIECE).unwrap_or(u64::MAX));
        let length = usize::try_from(end - start).unwrap_or(PIECE);
        let bytes = &mut block[..length];
        file.read_exact_at(bytes, start)?;
        for found in memrchr_iter(b'\n', bytes) {
            // The newline that ends the last record is the first one met; it begins nothing.
            if newlines == records {
                return Ok(start + u64::try_from(found).unwrap_or(0) + 1);
            }
            newlines += 1;
        }
        end = start;
    }
    Ok(0)
}
