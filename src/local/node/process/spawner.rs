//! Starting processes, all from one thread that lives as long as the node.
//!
//! ```text
//! Spawner::spawn → bounded queue → spawner thread: fork, own group, exec → Process{child, group}
//!                                      │
//!                                      └ started first: the reaper (`sh`), its stdin held by this process alone
//! ```
//!
//! Nothing may outlive this process. Two nets catch its sudden death: the kernel kills each container's first process when the
//! thread that forked it ends (parent-death signals belong to threads, hence the one thread), and the reaper, which sees the
//! end of its stdin, kills the groups it was told of, grandchildren included.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::sync::Arc;

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::group::{Group, Groups};

/// Starts waiting for the thread.
const QUEUE: usize = 64;

/// Reads `+ GROUP` and `- GROUP` lines; at the end of input kills the groups that are left.
const REAPER: &str = r#"trap '' HUP INT TERM
g=' '
while read -r op id; do
  case $op in
    +) g="$g$id " ;;
    -) case $g in *" $id "*) g="${g%%" $id "*} ${g#*" $id "}" ;; esac ;;
  esac
done
for id in $g; do kill -s KILL -- "-$id"; done 2>/dev/null"#;

/// A started process, the leader of its own group.
pub struct Process {
    pub child: Child,
    pub group: Group,
}

struct Request {
    command: Command,
    doors: Vec<File>,
    reply: oneshot::Sender<io::Result<Process>>,
}

/// Starts processes. The thread ends when the last clone is dropped.
#[derive(Clone)]
pub struct Spawner {
    requests: mpsc::Sender<Request>,
    groups: Arc<Groups>,
}

impl Spawner {
    /// Starts the reaper and the thread; the receiver tells when the thread has ended. Must run inside a tokio runtime.
    pub fn start() -> io::Result<(Spawner, oneshot::Receiver<()>)> {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        let mut reaper = reaper()?;
        let groups = Groups::new(reaper.stdin.take());
        let (requests, queue) = mpsc::channel(QUEUE);
        let (ended_tx, ended) = oneshot::channel();
        let serving = Arc::clone(&groups);
        std::thread::Builder::new().name("local-spawner".to_owned()).spawn(move || {
            serve(queue, &runtime, &serving);
            serving.dismiss_reaper();
            if let Err(error) = reaper.wait() {
                tracing::warn!(%error, "the reaper process could not be waited for");
            }
            // Nobody waits after a plain drop of the node.
            let _ = ended_tx.send(());
        })?;
        Ok((Spawner { requests, groups }, ended))
    }

    /// Starts a process with an empty environment but for what the command sets, in the control groups of these doors.
    pub async fn spawn(&self, command: Command, doors: Vec<File>) -> io::Result<Process> {
        let (reply, answer) = oneshot::channel();
        let gone = || io::Error::other("the node is shutting down");
        self.requests.send(Request { command, doors, reply }).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// The groups of everything started here.
    pub fn groups(&self) -> &Arc<Groups> {
        &self.groups
    }
}

fn serve(mut queue: mpsc::Receiver<Request>, runtime: &Handle, groups: &Arc<Groups>) {
    // Children are registered with the runtime that waits for them.
    let _entered = runtime.enter();
    while let Some(Request { mut command, doors, reply }) = queue.blocking_recv() {
        command.process_group(0).kill_on_drop(true);
        before_exec(&mut command, doors);
        let process = command.spawn().and_then(|child| adopt(child, groups));
        // A caller that has gone drops the process, which kills it.
        let _ = reply.send(process);
    }
}

/// The leader's pid is the group's id. It is known as long as nobody has waited for the child.
fn adopt(child: Child, groups: &Arc<Groups>) -> io::Result<Process> {
    let leader = child.id().and_then(|pid| i32::try_from(pid).ok()).filter(|pid| *pid > 1);
    let leader = leader.ok_or_else(|| io::Error::other("the process ended before it was registered"))?;
    Ok(Process { group: groups.adopt(leader), child })
}

/// Binds the process's life to this thread's, and puts it into its control groups.
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "pre_exec is the only way to do this between fork and exec")]
fn before_exec(command: &mut Command, doors: Vec<File>) {
    let set = move || {
        nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
        doors.iter().try_for_each(super::cgroup::enter)
    };
    // SAFETY: runs between fork and exec and makes async-signal-safe system calls only; it neither allocates nor locks.
    unsafe {
        command.pre_exec(set);
    }
}

/// Other systems have no such signal, where only the reaper guards, and no control groups.
#[cfg(not(target_os = "linux"))]
fn before_exec(_command: &mut Command, _doors: Vec<File>) {}

/// In a group of its own, so that a signal to ours (Ctrl-C) does not reach it.
fn reaper() -> io::Result<std::process::Child> {
    std::process::Command::new("/bin/sh")
        .args(["-c", REAPER])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
}
