//! One task per pod of the node: a kubelet's pod worker.
//!
//! ```text
//! Feed (newest object, gone) ┐                ┌ mount volumes, start what is due        (start)
//! process exits, hook notes  ├→ step ────────→┤ stop, restart, end the pod              (stop)
//! timers, changed secrets    ┘                └ post the status if it differs           (status)
//! ```
//!
//! Level-triggered: every step looks at everything, so it does not matter which event woke it. The task owns the pod's
//! containers: dropping it kills them.

pub mod container;
mod image;
mod start;
pub mod status;
mod stop;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, sleep_until};

use self::container::{Container, Delay, Due, Ended, Role, State};
use self::status::{Deadline, Phase, RestartPolicy, Sandbox, View};
use self::stop::Stop;
use super::Shared;
use super::clock::{Changes, NodeClock};
use super::events::{self, Recorder, Severity};
use super::process::run::{Finished, Note};
use crate::local::store::{Kind, Meta, StoreError};

/// Hook notes that wait for the pod's task.
const NOTES: usize = 16;

/// What a pod's task is told about its pod.
#[derive(Clone)]
pub struct Feed {
    /// The newest object.
    pub pod: Arc<Value>,
    /// The object is no longer stored.
    pub gone: bool,
}

/// Runs one pod.
pub struct Worker {
    node: Arc<Shared>,
    feed: watch::Receiver<Feed>,
    pod: Arc<Value>,
    policy: RestartPolicy,
    containers: Vec<Container>,
    runs: JoinSet<Finished>,
    /// Which container a task of `runs` belongs to.
    run_of: HashMap<Id, usize>,
    notes: mpsc::Receiver<(usize, Note)>,
    tell: mpsc::Sender<(usize, Note)>,
    config_changes: watch::Receiver<u64>,
    recorder: Recorder,
    directory: PathBuf,
    clock: NodeClock,
    clock_changes: Changes,
    started: Timestamp,
    /// When volumes are tried; Never once they are there.
    mount_due: Due,
    mount_delay: Delay,
    sandbox: Sandbox,
    stop: Option<Stop>,
    /// The phase last posted.
    phase: Phase,
    /// When the terminal phase may be posted.
    release: Option<Instant>,
}

impl Worker {
    /// A task for the pod that `feed` shows.
    pub fn new(node: Arc<Shared>, mut feed: watch::Receiver<Feed>) -> Worker {
        let pod = Arc::clone(&feed.borrow_and_update().pod);
        let (tell, notes) = mpsc::channel(NOTES);
        let known = pod["status"]["startTime"].as_str().and_then(|time| time.parse().ok());
        let clock = node.clocks.of(pod.namespace());
        Worker {
            policy: RestartPolicy::of(&pod),
            containers: Container::all(&pod),
            runs: JoinSet::new(),
            run_of: HashMap::new(),
            notes,
            tell,
            config_changes: node.config_changes.subscribe(),
            recorder: Recorder::new(node.store.clone()),
            directory: node.config.root.join("pods").join(pod.uid()),
            started: known.unwrap_or_else(|| clock.second()),
            clock_changes: node.clocks.changes(),
            clock,
            mount_due: Due::Now,
            mount_delay: Delay::default(),
            sandbox: Sandbox::Absent,
            stop: None,
            phase: Phase::Pending,
            release: None,
            feed,
            pod,
            node,
        }
    }

    /// Runs the pod until its object is gone and nothing of it is left.
    pub async fn run(mut self) {
        if matches!(self.pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed")) {
            return;
        }
        self.post();
        loop {
            // A node that is cut off learns nothing and tells nothing, and its containers run on, as long as there is
            // a pod at all.
            let cut_off = self.node.is_cut_off(self.pod.uid()) && !self.feed.borrow().gone;
            if !cut_off {
                self.look();
                match self.stop {
                    Some(_) => self.drive_stop(),
                    None => self.drive().await,
                }
                self.post();
                self.settle();
            }
            let wake = if cut_off { None } else { self.next_wake() };
            if self.is_over() || !self.wait(wake).await {
                break;
            }
        }
        self.clean_up();
    }

    /// Starts what is to be started.
    async fn drive(&mut self) {
        if !self.mount() {
            return;
        }
        if self.is_work_done() {
            self.containers.iter_mut().for_each(|container| container.due = Due::Never);
            self.stop_sidecars(self.grace());
            return;
        }
        for index in 0..self.containers.len() {
            self.advance(index).await;
            let container = &self.containers[index];
            if container.role != Role::Main && !container.is_initialized() {
                break;
            }
        }
        if self.is_work_done() {
            self.stop_sidecars(self.grace());
        }
    }

    async fn advance(&mut self, index: usize) {
        let container = &mut self.containers[index];
        let restarts = |ended: &Ended, container: &Container| self.policy.restarts(container, ended);
        let wanted = match &container.state {
            State::Waiting { .. } => true,
            State::Ended(ended) => restarts(ended, container),
            State::Starting { .. } | State::Running { .. } => false,
        };
        if wanted && container.due.is_due() {
            container.due = Due::Never;
            self.start(index).await;
        }
    }

    /// Nothing more will be started: an init container has failed for good, or every main container has ended for good.
    fn is_work_done(&self) -> bool {
        let is_final = |c: &Container| c.ended().is_some_and(|ended| !self.policy.restarts(c, ended));
        let mut inits = self.containers.iter().filter(|c| c.role == Role::Init);
        let mut mains = self.containers.iter().filter(|c| c.role == Role::Main);
        inits.any(|c| is_final(c) && !c.is_initialized()) || mains.all(is_final)
    }

    /// Waits for something to happen; false when the node is shutting down.
    async fn wait(&mut self, wake: Option<Instant>) -> bool {
        let asleep = async {
            match wake {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let heeds_config = self.heeds_config();
        tokio::select! {
            changed = self.feed.changed() => return changed.is_ok(),
            Some(ended) = self.runs.join_next_with_id() => self.on_end(ended),
            Some((index, note)) = self.notes.recv() => self.on_note(index, note),
            changed = self.config_changes.changed(), if heeds_config => {
                self.retry_config();
                return changed.is_ok();
            }
            // What is due is looked at anew.
            changed = self.clock_changes.changed() => return changed.is_ok(),
            () = asleep => {}
        }
        true
    }

    fn next_wake(&self) -> Option<Instant> {
        let own = [self.deadline_at(), self.release.filter(|_| !self.phase.is_terminal()), self.stop_wake()];
        let dues = self.containers.iter().map(|c| &c.due).chain([&self.mount_due]);
        let dues = dues.filter(|due| **due != Due::Now && self.stop.is_none()).filter_map(|due| due.at());
        own.into_iter().flatten().chain(dues).min()
    }

    fn on_end(&mut self, ended: Result<(Id, Finished), tokio::task::JoinError>) {
        let (id, finished) = match ended {
            Ok((id, finished)) => (id, finished),
            Err(error) => {
                tracing::error!(%error, "the task of a container failed");
                let finished =
                    Finished { exit_code: 255, reason: "Error", at: self.clock.now(), message: String::new() };
                (error.id(), finished)
            }
        };
        let Some(index) = self.run_of.remove(&id) else {
            return;
        };
        let container = &mut self.containers[index];
        let (State::Starting { since } | State::Running { since }) = container.state else {
            return;
        };
        container.stop = None;
        container.state = State::Ended(Ended {
            exit_code: finished.exit_code,
            reason: finished.reason,
            message: finished.message,
            started: since,
            finished: finished.at,
            id: container.id.clone(),
        });
        self.plan_restart(index);
    }

    fn on_note(&mut self, index: usize, note: Note) {
        match note {
            Note::PostStartDone => {
                let container = &mut self.containers[index];
                if let State::Starting { since } = container.state {
                    container.state = State::Running { since };
                }
            }
            Note::PostStartFailed => {
                self.event(Some(index), Severity::Warning, "FailedPostStartHook", "PostStartHook failed");
                self.event(Some(index), Severity::Normal, "Killing", "FailedPostStartHook");
                let kill_at = Instant::now() + self.grace();
                self.order_stop(index, kill_at, stop::Telling::Silent);
            }
            Note::PreStopFailed => {
                self.event(Some(index), Severity::Warning, "FailedPreStopHook", "PreStopHook failed")
            }
        }
    }

    /// Posts the status if it differs from the stored one.
    fn post(&mut self) {
        let (computed, posted) = self.phases();
        let view = View {
            containers: &self.containers,
            computed,
            posted,
            deadline: self.deadline(),
            sandbox: if posted.is_terminal() { Sandbox::Absent } else { self.sandbox },
            started: self.started,
            now: self.clock.now(),
        };
        let uid = self.pod.uid();
        let updated = self.node.store.update(Kind::Pod, self.pod.namespace(), self.pod.name(), |pod| {
            if pod.uid() != uid {
                return Err(StoreError::Aborted);
            }
            view.merge(pod);
            Ok(())
        });
        self.phase = posted;
        if let Err(error) = updated {
            tracing::debug!(%error, pod = self.pod.name(), "a status was not posted");
        }
    }

    /// The phase the conditions speak of, and the one to post.
    fn phases(&mut self) -> (Phase, Phase) {
        if let Some(stop) = &self.stop {
            return self.phases_of_stopped(stop);
        }
        let computed = Phase::of(&self.containers, self.policy);
        if !computed.is_terminal() {
            return (computed, computed);
        }
        let now = Instant::now();
        let release = *self.release.get_or_insert(now + self.node.config.timing.terminal_gap);
        let posted = if release <= now { computed } else { self.phase };
        (computed, posted)
    }

    fn deadline(&self) -> Deadline {
        self.stop.as_ref().map_or(Deadline::Open, |stop| stop.deadline)
    }

    fn event(&mut self, index: Option<usize>, severity: Severity, reason: &'static str, message: impl Into<String>) {
        let field = index.map(|index| self.containers[index].field());
        let note = events::Note { severity, reason, message: message.into(), field: field.unwrap_or_default() };
        self.recorder.record(&self.pod, note);
    }

    /// Removes what the pod left on disk.
    fn clean_up(&mut self) {
        self.remove_logs();
        if let Err(error) = std::fs::remove_dir_all(&self.directory)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, pod = self.pod.name(), "a pod's directory could not be removed");
        }
    }

    fn remove_logs(&mut self) {
        for container in &self.containers {
            let last = container.last.iter().map(|last| last.id.as_str());
            last.chain([container.id.as_str()]).for_each(|id| self.node.logs.remove(id));
        }
    }
}
