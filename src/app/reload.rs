//! Values made of files that are read again when they change: certificates, tokens.
//!
//! ```text
//! get ─▶ looked within LOOK_EVERY? ─ yes ─▶ the value
//!          │ no: the files' stamps
//!          ├ as before ─▶ the value
//!          └ others ─▶ load ─┬ good: the new value from now on
//!                            └ not: the last good one, tried again at the next look
//! ```

use std::error::Error;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tracing::{info, warn};

/// How often files are looked at, at most: only by those who ask for the value.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// A value made of files, made again when one of them changes. While the changed ones cannot be used the last good
/// value stays.
pub(super) struct Reloading<T> {
    what: &'static str,
    paths: Vec<PathBuf>,
    load: Box<dyn Fn() -> anyhow::Result<T> + Send + Sync>,
    look_every: Duration,
    state: Mutex<State<T>>,
}

struct State<T> {
    value: Arc<T>,
    stamps: Vec<Option<Stamp>>,
    looked: Instant,
}

/// Tells a file from what it was: also where another was put in its place with the same time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    modified: (i64, i64),
    length: u64,
}

impl<T> Reloading<T> {
    /// The value that `load` makes of `paths` now; `what` names them in the log.
    pub fn new<E: Error + Send + Sync + 'static>(
        what: &'static str,
        paths: Vec<PathBuf>,
        load: impl Fn() -> Result<T, E> + Send + Sync + 'static,
    ) -> Result<Reloading<T>, E> {
        // Before the files are read: a change in between is seen at the next look.
        let stamps = stamps(&paths);
        let value = Arc::new(load()?);
        let load = Box::new(move || load().map_err(anyhow::Error::new));
        let state = Mutex::new(State { value, stamps, looked: Instant::now() });
        Ok(Reloading { what, paths, load, look_every: LOOK_EVERY, state })
    }

    /// The value of the files as they were at the last look.
    pub fn get(&self) -> Arc<T> {
        let mut state = self.state.lock();
        if state.looked.elapsed() >= self.look_every {
            state.looked = Instant::now();
            self.look(&mut state);
        }
        state.value.clone()
    }

    fn look(&self, state: &mut State<T>) {
        let stamps = stamps(&self.paths);
        if stamps == state.stamps {
            return;
        }
        match (self.load)() {
            Ok(value) => {
                info!(files = ?self.paths, "the changed {} were read again", self.what);
                state.value = Arc::new(value);
                state.stamps = stamps;
            }
            Err(error) => warn!(error = %format!("{error:#}"), "the changed {} cannot be used yet", self.what),
        }
    }
}

pub(super) fn stamps(paths: &[PathBuf]) -> Vec<Option<Stamp>> {
    let stamp = |path: &PathBuf| {
        let found = std::fs::metadata(path).ok()?;
        let modified = (found.mtime(), found.mtime_nsec());
        Some(Stamp { inode: found.ino(), modified, length: found.len() })
    };
    paths.iter().map(stamp).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// The number in a file; looks at it whenever it is asked.
    fn number(path: PathBuf, loads: Arc<AtomicU32>) -> Reloading<u32> {
        let file = path.clone();
        let load = move || {
            loads.fetch_add(1, Ordering::Relaxed);
            std::fs::read_to_string(&file).unwrap_or_default().trim().parse::<u32>()
        };
        let mut made = Reloading::new("numbers", vec![path], load).unwrap();
        made.look_every = Duration::ZERO;
        made
    }

    #[test]
    fn a_changed_file_is_read_once_and_a_bad_one_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("n");
        let put = |text: &str| {
            // As config maps and certificate tools do it: another file in its place.
            std::fs::write(dir.path().join("new"), text).unwrap();
            std::fs::rename(dir.path().join("new"), &path).unwrap();
        };
        put("1");
        let loads = Arc::new(AtomicU32::new(0));
        let reloading = number(path.clone(), loads.clone());
        assert_eq!((*reloading.get(), *reloading.get(), loads.load(Ordering::Relaxed)), (1, 1, 1));
        put("2");
        assert_eq!((*reloading.get(), *reloading.get(), loads.load(Ordering::Relaxed)), (2, 2, 2));
        put("two");
        assert_eq!((*reloading.get(), *reloading.get()), (2, 2));
        std::fs::remove_file(&path).unwrap();
        assert_eq!(*reloading.get(), 2);
        put("3");
        assert_eq!(*reloading.get(), 3);
    }

    #[test]
    fn files_are_not_looked_at_for_each_question() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("n");
        std::fs::write(&path, "1").unwrap();
        let mut reloading = number(path.clone(), Arc::default());
        reloading.look_every = Duration::from_secs(3600);
        std::fs::write(&path, "12").unwrap();
        assert_eq!(*reloading.get(), 1);
    }

    #[test]
    fn what_cannot_be_used_at_the_start_is_an_error() {
        let load = || "x".parse::<u32>();
        assert!(Reloading::new("numbers", Vec::new(), load).is_err());
    }
}
