//! The process groups of the node: one per running container or hook.
//!
//! ```text
//! spawn → Groups::adopt → Group ── terminate, kill while its leader is not reaped ── close (kills the rest, forgets it)
//!                            └── told to the reaper process, which kills what is left when this process dies
//! ```

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use parking_lot::Mutex;
use tokio::sync::watch;

/// Where the reaper is told which groups live. Absent once it is gone.
pub type ReaperPipe = Mutex<Option<std::process::ChildStdin>>;

/// All live process groups of one node.
pub struct Groups {
    live: Mutex<Live>,
    count: watch::Sender<usize>,
    reaper: ReaperPipe,
}

#[derive(Default)]
struct Live {
    leaders: BTreeSet<i32>,
    closed: bool,
}

impl Groups {
    pub fn new(reaper: Option<std::process::ChildStdin>) -> Arc<Groups> {
        Arc::new(Groups { live: Mutex::new(Live::default()), count: watch::Sender::new(0), reaper: Mutex::new(reaper) })
    }

    /// Takes charge of a group. After [`Groups::kill_all`] it is killed at once.
    pub fn adopt(self: &Arc<Self>, leader: i32) -> Group {
        self.tell(format_args!("+ {leader}\n"));
        let mut live = self.live.lock();
        live.leaders.insert(leader);
        if live.closed {
            signal_group(leader, Signal::SIGKILL);
        }
        let count = live.leaders.len();
        drop(live);
        self.count.send_replace(count);
        Group { groups: Arc::clone(self), leader: Mutex::new(Some(leader)) }
    }

    /// Kills every group, and those that are still to come.
    pub fn kill_all(&self) {
        let mut live = self.live.lock();
        live.closed = true;
        live.leaders.iter().for_each(|leader| signal_group(*leader, Signal::SIGKILL));
    }

    /// How many groups live. Changes as they come and go.
    pub fn count(&self) -> watch::Receiver<usize> {
        self.count.subscribe()
    }

    /// Lets the reaper go; it kills what it still knows.
    pub fn dismiss_reaper(&self) {
        self.reaper.lock().take();
    }

    fn forget(&self, leader: i32) {
        let mut live = self.live.lock();
        live.leaders.remove(&leader);
        let count = live.leaders.len();
        drop(live);
        self.count.send_replace(count);
        self.tell(format_args!("- {leader}\n"));
    }

    fn tell(&self, line: std::fmt::Arguments<'_>) {
        let mut pipe = self.reaper.lock();
        let Some(reaper) = pipe.as_mut() else {
            return;
        };
        if let Err(error) = reaper.write_all(line.to_string().as_bytes()) {
            tracing::warn!(%error, "the reaper process is gone; a kill of this process may leave grandchildren behind");
            pipe.take();
        }
    }
}

/// One process group. Dropping it kills it.
pub struct Group {
    groups: Arc<Groups>,
    /// Empty once closed: the id may then belong to someone else.
    leader: Mutex<Option<i32>>,
}

impl Group {
    /// Asks the container to end: SIGTERM for its first process alone, as a container runtime sends it. What that process
    /// started is its own to end, and is killed when it has ended.
    pub fn terminate(&self) {
        if let Some(leader) = *self.leader.lock()
            && let Err(error) = kill(Pid::from_raw(leader), Signal::SIGTERM)
            && error != nix::errno::Errno::ESRCH
        {
            tracing::warn!(%error, leader, "a container could not be asked to end");
        }
    }

    /// Kills every process of the group.
    pub fn kill(&self) {
        if let Some(leader) = *self.leader.lock() {
            signal_group(leader, Signal::SIGKILL);
        }
    }

    /// Kills whoever is left and forgets the group.
    pub fn close(&self) {
        if let Some(leader) = self.leader.lock().take() {
            signal_group(leader, Signal::SIGKILL);
            self.groups.forget(leader);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.close();
    }
}

/// A group without processes is not an error: it has ended by itself.
fn signal_group(leader: i32, signal: Signal) {
    if let Err(error) = killpg(Pid::from_raw(leader), signal)
        && error != nix::errno::Errno::ESRCH
    {
        tracing::warn!(%error, leader, "a process group could not be signalled");
    }
}
