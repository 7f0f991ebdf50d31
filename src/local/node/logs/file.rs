//! The log file of one container attempt: one writer, any number of readers.
//!
//! ```text
//! stdout pipe → pump ┐ (each its own Splitter)
//!                    ├→ AttemptLog::append: stamp, format, write → progress (watch) → readers
//! stderr pipe → pump ┘            │ over the size, at the check: rename, new file
//! ```
//!
//! Invariants: the file holds whole records only; a renamed file is never written again; `ended` is set after the last byte is
//! in the file. Records are stamped under the writer's lock, so file order is stamp order as long as the clock does not step.
//! Writes go to the page cache in pieces of one pipe read, short enough to be made from an async task.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use memchr::memrchr;
use parking_lot::Mutex;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::watch;

use super::clock::{LogClock, Skew};
use super::record::{Splitter, Stamper, Stream};
use crate::local::node::clock::NodeClock;

/// Bytes taken from a pipe at once.
const PIPE_READ: usize = 16 * 1024;

/// When a log file is put aside.
#[derive(Clone, Copy, Debug)]
pub struct Rotation {
    /// Size in bytes from which the file is rotated.
    pub max_size: u64,
    /// Files kept, the current one included. At least 1.
    pub max_files: usize,
}

/// What the new file begins with when a log is rotated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// Nothing.
    #[default]
    Nothing,
    /// The last record, as if it had been written just after the rotation.
    LastLine,
}

/// How far the writer is. Readers wait for it to change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes written over all files.
    pub written: u64,
    /// Files put aside so far.
    pub generation: u64,
    /// Nothing more will be written.
    pub ended: bool,
}

/// The log of one container attempt.
pub struct AttemptLog {
    path: PathBuf,
    rotation: Rotation,
    out: Mutex<Output>,
    progress: watch::Sender<Progress>,
}

struct Output {
    file: File,
    size: u64,
    generation: u64,
    /// Bytes at the beginning of the current file that readers of the one before have read there.
    carried: u64,
    aside: VecDeque<PathBuf>,
    stamper: Stamper,
    clock: LogClock,
    buffer: Vec<u8>,
    failed: bool,
}

impl AttemptLog {
    /// Creates the file and the directories above it.
    pub fn create(path: PathBuf, rotation: Rotation, clock: NodeClock) -> io::Result<Arc<AttemptLog>> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let out = Output {
            file: File::create(&path)?,
            size: 0,
            generation: 0,
            carried: 0,
            aside: VecDeque::new(),
            stamper: Stamper::default(),
            clock: LogClock::of(clock),
            buffer: Vec::new(),
            failed: false,
        };
        Ok(Arc::new(AttemptLog {
            path,
            rotation,
            out: Mutex::new(out),
            progress: watch::Sender::new(Progress::default()),
        }))
    }

    /// Writes the records that `data` completes.
    pub fn append(&self, splitter: &mut Splitter, data: &[u8]) {
        self.write(|stamper, clock, buffer| splitter.push(data, stamper, || clock.now(), buffer));
    }

    /// One of the two streams has ended.
    pub fn finish(&self, splitter: &mut Splitter) {
        self.write(|stamper, clock, buffer| splitter.finish(stamper, || clock.now(), buffer));
    }

    /// Both streams have ended; readers end once they have read everything.
    pub fn end(&self) {
        self.progress.send_modify(|progress| progress.ended = true);
    }

    /// Puts the file aside if it has reached its size.
    pub fn rotate_if_due(&self) {
        let due = self.out.lock().size >= self.rotation.max_size;
        if due && let Err(error) = self.rotate_now(Keep::Nothing) {
            tracing::warn!(%error, "a container's log could not be rotated");
        }
    }

    /// Puts the file aside.
    pub fn rotate_now(&self, keep: Keep) -> io::Result<()> {
        let mut out = self.out.lock();
        let carried = match keep {
            Keep::Nothing => Vec::new(),
            Keep::LastLine => last_record(&fs::read(&self.path)?).to_vec(),
        };
        self.rotate(&mut out)?;
        out.file.write_all(&carried)?;
        out.carried = u64::try_from(carried.len()).unwrap_or(0);
        out.size = out.carried;
        let generation = out.generation;
        drop(out);
        self.progress.send_modify(|progress| progress.generation = generation);
        Ok(())
    }

    /// Makes the clock wrong from now on.
    pub fn skew(&self, skew: Skew) {
        self.out.lock().clock.set(skew);
    }

    /// The current file, opened for reading, and its generation.
    pub fn open(&self) -> io::Result<(File, u64)> {
        let out = self.out.lock();
        Ok((File::open(&self.path)?, out.generation))
    }

    /// The same for a reader that comes from the file of `before`: what was carried over from there is skipped.
    pub fn open_after(&self, before: u64) -> io::Result<(File, u64)> {
        let out = self.out.lock();
        let mut file = File::open(&self.path)?;
        if out.generation == before + 1 {
            file.seek(SeekFrom::Start(out.carried))?;
        }
        Ok((file, out.generation))
    }

    /// Tells of every step of the writer.
    pub fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// Removes the files. Readers that have them open read on.
    pub fn remove(&self) {
        let mut out = self.out.lock();
        out.aside.drain(..).for_each(|path| remove_file(&path));
        remove_file(&self.path);
    }

    fn write(&self, format: impl FnOnce(&mut Stamper, &LogClock, &mut Vec<u8>)) {
        let mut out = self.out.lock();
        let Output { stamper, clock, buffer, .. } = &mut *out;
        format(stamper, clock, buffer);
        if buffer.is_empty() {
            return;
        }
        let buffer = std::mem::take(&mut out.buffer);
        let length = u64::try_from(buffer.len()).unwrap_or(u64::MAX);
        if let Err(error) = out.file.write_all(&buffer) {
            out.note_failure(&error);
        }
        out.size += length;
        out.buffer = buffer;
        out.buffer.clear();
        self.progress.send_modify(|progress| progress.written += length);
    }

    fn rotate(&self, out: &mut Output) -> io::Result<()> {
        let stamp = Timestamp::now().strftime("%Y%m%d-%H%M%S.%9f");
        let mut aside = self.path.clone().into_os_string();
        aside.push(format!(".{stamp}-{}", out.generation));
        let aside = PathBuf::from(aside);
        fs::rename(&self.path, &aside)?;
        out.file = File::create(&self.path)?;
        out.size = 0;
        out.generation += 1;
        out.aside.push_back(aside);
        while out.aside.len() >= self.rotation.max_files.max(1) {
            if let Some(oldest) = out.aside.pop_front() {
                remove_file(&oldest);
            }
        }
        Ok(())
    }
}

impl Output {
    /// A full disk must not stop the container: its output is dropped, and that is said once.
    fn note_failure(&mut self, error: &io::Error) {
        if !self.failed {
            self.failed = true;
            tracing::warn!(%error, "a container's log could not be written; its output is lost");
        }
    }
}

/// The last record of a file, with its newline; a file holds whole records only.
fn last_record(file: &[u8]) -> &[u8] {
    let body = file.strip_suffix(b"\n").unwrap_or(file);
    &file[memrchr(b'\n', body).map_or(0, |end| end + 1)..]
}

fn remove_file(path: &Path) {
    match fs::remove_file(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(%error, "a container's log file could not be removed"),
    }
}

/// Moves one stream of a container into its log until the stream ends.
pub async fn pump(mut pipe: impl AsyncRead + Unpin, stream: Stream, log: Arc<AttemptLog>) {
    let mut splitter = Splitter::new(stream);
    let mut data = vec![0; PIPE_READ];
    loop {
        match pipe.read(&mut data).await {
            Ok(0) => break,
            Ok(length) => log.append(&mut splitter, &data[..length]),
            Err(error) => {
                tracing::warn!(%error, "a container's output could not be read");
                break;
            }
        }
    }
    log.finish(&mut splitter);
}
