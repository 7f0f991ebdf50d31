//! One container attempt from its start to its end.
//!
//! ```text
//! Process ─┬─ stdout, stderr → pumps → AttemptLog
//!          ├─ postStart hook → Note
//!          ├─ stop order → preStop hook → SIGTERM → (kill_at) SIGKILL
//!          └─ exit of the main process → rest of the group killed → pumps drained → log ended → message → Finished
//! ```
//!
//! Whoever drops the future kills the group. All output is in the log before [`Finished`] exists.

use std::fs::File;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout, timeout_at};

use super::cgroup::Cgroup;
use super::hook::{Hook, Setting};
use super::spawner::{Process, Spawner};
use crate::local::node::clock::NodeClock;
use crate::local::node::logs::file::{AttemptLog, pump};
use crate::local::node::logs::read::{Reader, Selection};
use crate::local::node::logs::record::Stream;
use crate::local::node::logs_api::{Follow, LinePrefix};

/// How long output is awaited from processes that left the group but kept its pipes.
const DRAIN: Duration = Duration::from_secs(2);

/// Longest termination message taken from its file, in bytes.
const MESSAGE_MAX: u64 = 4096;

/// Of the log, at most so many records and bytes become a termination message.
const FALLBACK_RECORDS: u64 = 80;
const FALLBACK_BYTES: usize = 2048;

/// What a container attempt is made of.
pub struct Attempt {
    /// The container's place in its pod, told with each note.
    pub index: usize,
    pub process: Process,
    pub log: Arc<AttemptLog>,
    /// By which its end is told.
    pub clock: NodeClock,
    /// How often the log's size is checked.
    pub rotate_every: Duration,
    pub spawner: Spawner,
    pub setting: Setting,
    pub post_start: Option<Hook>,
    pub pre_stop: Option<Hook>,
    pub message: MessageSource,
}

/// Where the termination message comes from.
#[derive(Clone, Debug)]
pub struct MessageSource {
    pub file: PathBuf,
    pub policy: MessagePolicy,
}

/// `terminationMessagePolicy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessagePolicy {
    File,
    FallbackToLogsOnError,
}

/// What happens to an attempt before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    PostStartDone,
    PostStartFailed,
    PreStopFailed,
}

/// When a container is to be killed at the latest; `None` while it may run.
pub type StopOrder = Option<Instant>;

/// How an attempt ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// 128 + n for signal n.
    pub exit_code: i32,
    /// `Completed`, `Error` or `OOMKilled`.
    pub reason: &'static str,
    pub at: Timestamp,
    pub message: String,
}

/// Runs the attempt to its end. `stop` orders it to stop (an order may be moved to an earlier time); `tell` gets what happens
/// on the way.
pub async fn run(attempt: Attempt, stop: watch::Receiver<StopOrder>, tell: mpsc::Sender<(usize, Note)>) -> Finished {
    let Attempt { mut process, log, .. } = attempt;
    let mut pumps = JoinSet::new();
    if let Some(pipe) = process.child.stdout.take() {
        pumps.spawn(pump(pipe, Stream::Stdout, Arc::clone(&log)));
    }
    if let Some(pipe) = process.child.stderr.take() {
        pumps.spawn(pump(pipe, Stream::Stderr, Arc::clone(&log)));
    }
    let Process { child, group } = &mut process;
    let hooks = Hooks { spawner: &attempt.spawner, setting: &attempt.setting, index: attempt.index, tell: &tell };
    let background = async {
        tokio::join!(
            hooks.after_start(attempt.post_start.as_ref()),
            hooks.stop_when_ordered(attempt.pre_stop.as_ref(), stop, group),
            rotate(&log, attempt.rotate_every),
        )
    };
    let status = tokio::select! {
        status = child.wait() => status,
        _ = background => child.wait().await,
    };
    let at = attempt.clock.now();
    group.close();
    // A process that left the group may hold the pipes for ever; what it writes later is nobody's.
    let _ = timeout(DRAIN, async { while pumps.join_next().await.is_some() {} }).await;
    pumps.shutdown().await;
    log.end();
    let exit_code = status.map_or(255, exit_code);
    let reason = reason(exit_code, attempt.setting.cgroup.as_deref()).await;
    Finished { exit_code, reason, at, message: message(&attempt.message, exit_code, &log) }
}

/// The last word of the container's control group, and its end. As container runtimes have it, a process that was
/// killed for the limit counts whatever the exit code is.
async fn reason(exit_code: i32, cgroup: Option<&Cgroup>) -> &'static str {
    let out_of_memory = match cgroup {
        Some(cgroup) => {
            let ran_out = cgroup.ran_out_of_memory();
            cgroup.end().await;
            ran_out
        }
        None => false,
    };
    match exit_code {
        _ if out_of_memory => "OOMKilled",
        0 => "Completed",
        _ => "Error",
    }
}

/// As a shell and every container runtime count it.
fn exit_code(status: ExitStatus) -> i32 {
    match (status.code(), status.signal()) {
        (Some(code), _) => code,
        (None, Some(signal)) => 128 + signal,
        (None, None) => 255,
    }
}

struct Hooks<'a> {
    spawner: &'a Spawner,
    setting: &'a Setting,
    index: usize,
    tell: &'a mpsc::Sender<(usize, Note)>,
}

impl Hooks<'_> {
    async fn after_start(&self, hook: Option<&Hook>) {
        let Some(hook) = hook else {
            return;
        };
        let note = match hook.run(self.spawner, self.setting).await {
            Ok(()) => Note::PostStartDone,
            Err(_) => Note::PostStartFailed,
        };
        // The pod's task is gone only when this one is about to be dropped too.
        let _ = self.tell.send((self.index, note)).await;
    }

    /// Ends when everything was sent that can be sent; the process's end is awaited elsewhere.
    async fn stop_when_ordered(
        &self,
        hook: Option<&Hook>,
        mut stop: watch::Receiver<StopOrder>,
        group: &super::group::Group,
    ) {
        let ordered = stop.wait_for(Option::is_some).await.map(|order| *order);
        let Ok(Some(kill_at)) = ordered else {
            return group.kill();
        };
        if let Some(hook) = hook
            && let Ok(Err(_)) = timeout_at(kill_at, hook.run(self.spawner, self.setting)).await
        {
            let _ = self.tell.send((self.index, Note::PreStopFailed)).await;
        }
        group.terminate();
        loop {
            let kill_at = stop.borrow_and_update().unwrap_or(kill_at);
            tokio::select! {
                () = sleep_until(kill_at) => break,
                changed = stop.changed() => if changed.is_err() { break },
            }
        }
        group.kill();
    }
}

async fn rotate(log: &AttemptLog, every: Duration) {
    let mut ticks = interval(every.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        log.rotate_if_due();
    }
}

/// The termination message: the file's text, or the end of the log where the policy says so.
fn message(source: &MessageSource, exit_code: i32, log: &Arc<AttemptLog>) -> String {
    let mut text = Vec::new();
    // A file that was removed by the container is an empty one.
    if let Ok(file) = File::open(&source.file)
        && let Err(error) = file.take(MESSAGE_MAX).read_to_end(&mut text)
    {
        tracing::warn!(%error, "a termination message could not be read");
    }
    let fallback = source.policy == MessagePolicy::FallbackToLogsOnError && exit_code != 0;
    if text.is_empty() && fallback {
        text = end_of_log(log).unwrap_or_default();
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn end_of_log(log: &Arc<AttemptLog>) -> std::io::Result<Vec<u8>> {
    let selection = Selection {
        follow: Follow::No,
        prefix: LinePrefix::None,
        since: None,
        tail: Some(FALLBACK_RECORDS),
        limit: None,
    };
    Reader::open(Arc::clone(log), selection)?.read_last(FALLBACK_BYTES)
}
