//! Ending a pod: deletion, deadline, leftover sidecars.
//!
//! ```text
//! deletionTimestamp · activeDeadlineSeconds · object gone
//!       │
//!       ▼
//! mains and init containers: Killing, preStop, SIGTERM … SIGKILL at kill_at
//!       │ all ended
//!       ▼
//! sidecars, last one first
//!       │ all ended
//!       ▼
//! exit codes and terminal phase in one update → (deleted) logs removed, grace 0 → the store removes the object
//! ```

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::time::Instant;

use super::Worker;
use super::container::{Container, Due, Role, State};
use super::status::{DEADLINE_MESSAGE, DEADLINE_REASON, Deadline, Phase, RestartPolicy};
use crate::local::node::events::Severity;
use crate::local::store::{Kind, Meta, StoreError, timestamp_seconds};

/// The end of a pod, in progress.
pub(super) struct Stop {
    pub(super) deadline: Deadline,
    deletion: Deletion,
    kill_at: Instant,
    /// When containers that never started are written off.
    lose_at: Option<Instant>,
    /// When the logs of a deleted pod are removed.
    remove_at: Option<Instant>,
}

/// How far the deletion of the object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deletion {
    /// It is not being deleted.
    No,
    /// A deletionTimestamp is set.
    Asked,
    /// Everything of the pod is removed.
    Done,
    /// The object is gone.
    Gone,
}

/// Whether stopping a container is told as an Event of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Telling {
    Event,
    Silent,
}

impl Worker {
    /// Takes in the newest object, and whether the pod is to end.
    pub(super) fn look(&mut self) {
        let feed = self.feed.borrow_and_update().clone();
        self.pod = feed.pod;
        let deletion = self.stop.as_ref().map_or(Deletion::No, |stop| stop.deletion);
        if self.phase.is_terminal() && deletion == Deletion::No {
            self.look_at_finished(feed.gone);
            return;
        }
        if feed.gone {
            self.stop_for(Deletion::Gone, self.deletion_grace());
        } else if self.pod.is_deleting() {
            self.stop_for(Deletion::Asked, self.deletion_grace());
        }
        if self.deadline_at().is_some_and(|at| at <= Instant::now()) {
            self.event(None, Severity::Normal, DEADLINE_REASON, DEADLINE_MESSAGE);
            let grace = self.grace();
            self.stop_with(grace).deadline = Deadline::Exceeded;
        }
    }

    /// A pod that was terminal before its deletion keeps its logs until it is gone.
    fn look_at_finished(&mut self, gone: bool) {
        if gone {
            self.stop_for(Deletion::Gone, Duration::ZERO);
        } else if self.pod.is_deleting() && !self.pod.is_final() {
            self.finish_deletion();
        }
    }

    fn stop_for(&mut self, deletion: Deletion, grace: Duration) {
        let stop = self.stop_with(grace);
        if stop.deletion != Deletion::Done || deletion == Deletion::Gone {
            stop.deletion = deletion;
        }
    }

    /// The stop in progress, begun if need be; never longer than before.
    fn stop_with(&mut self, grace: Duration) -> &mut Stop {
        let kill_at = Instant::now() + grace;
        self.containers.iter_mut().for_each(|container| container.due = Due::Never);
        let stop = self.stop.get_or_insert(Stop {
            deadline: Deadline::Open,
            deletion: Deletion::No,
            kill_at,
            lose_at: None,
            remove_at: None,
        });
        stop.kill_at = stop.kill_at.min(kill_at);
        stop
    }

    /// Orders containers to stop, in their order.
    pub(super) fn drive_stop(&mut self) {
        let Some(stop) = &self.stop else {
            return;
        };
        let kill_at = stop.kill_at;
        let first: Vec<usize> = self.active(|c| c.role != Role::Sidecar).collect();
        for index in &first {
            self.order_stop(*index, kill_at, Telling::Event);
        }
        if first.is_empty() {
            self.stop_sidecars(kill_at.saturating_duration_since(Instant::now()));
        }
        // A deadline is told first, then what it cost; a deletion tells both at once.
        if self.deadline() == Deadline::Open && self.active(|_| true).next().is_none() {
            self.write_off();
        }
    }

    /// Stops the last sidecar that runs. The one before it follows when that has ended.
    pub(super) fn stop_sidecars(&mut self, grace: Duration) {
        let last = self.active(|c| c.role == Role::Sidecar).last();
        let Some(index) = last else {
            return;
        };
        let grace = grace.max(self.node.config.timing.min_grace);
        self.order_stop(index, Instant::now() + grace, Telling::Event);
    }

    /// Orders a container to stop; a later order can only make it stop earlier.
    pub(super) fn order_stop(&mut self, index: usize, kill_at: Instant, telling: Telling) {
        let container = &self.containers[index];
        let Some(sender) = &container.stop else {
            return;
        };
        let before = *sender.borrow();
        if before.is_none_or(|before| kill_at < before) {
            sender.send_replace(Some(kill_at));
        }
        if before.is_none() && telling == Telling::Event {
            let message = format!("Stopping container {}", container.name);
            self.event(Some(index), Severity::Normal, "Killing", message);
        }
    }

    /// Conditions' phase and posted phase of a pod that is being ended.
    pub(super) fn phases_of_stopped(&self, stop: &Stop) -> (Phase, Phase) {
        let own = Phase::of(&self.containers, RestartPolicy::Never);
        let computed = match stop.deadline {
            Deadline::Exceeded => Phase::Failed,
            Deadline::Open => own,
        };
        if self.active(|_| true).next().is_some() {
            return (computed, self.phase);
        }
        // What never started has not succeeded.
        let posted = if computed.is_terminal() { computed } else { Phase::Failed };
        (computed, posted)
    }

    /// What follows the end of all containers.
    pub(super) fn settle(&mut self) {
        let over = self.active(|_| true).next().is_none() && self.phase.is_terminal();
        let timing = self.node.config.timing;
        let now = Instant::now();
        let Some(stop) = self.stop.as_mut().filter(|_| over) else {
            return;
        };
        let lose_at = *stop.lose_at.get_or_insert(now + timing.terminal_gap);
        let remove_at = match stop.deletion {
            Deletion::Asked => Some(*stop.remove_at.get_or_insert(now + timing.removal_gap)),
            _ => None,
        };
        if lose_at <= now && self.write_off() {
            self.post();
        }
        if remove_at.is_some_and(|at| at <= now) {
            self.remove_logs();
            self.finish_deletion();
        }
    }

    /// Marks the containers that never started; false when there are none (left).
    fn write_off(&mut self) -> bool {
        let initialized = self.containers.iter().all(|c| c.role == Role::Main || c.is_initialized());
        let waits = |c: &Container| matches!(c.state, State::Waiting { .. }) && c.last.is_none() && !c.lost;
        // Of init containers, the first is always taken to have been tried.
        let first_init = self.containers.first().is_some_and(|c| c.role != Role::Main);
        let mut found = false;
        for (index, container) in self.containers.iter_mut().enumerate() {
            let tried = match container.role {
                Role::Main => initialized,
                Role::Init | Role::Sidecar => first_init && index == 0,
            };
            if tried && waits(container) {
                container.lost = true;
                found = true;
            }
        }
        found
    }

    /// Takes the grace period away: the object goes unless finalizers hold it.
    fn finish_deletion(&mut self) {
        if let Some(stop) = &mut self.stop {
            stop.deletion = Deletion::Done;
            stop.remove_at = None;
        }
        let uid = self.pod.uid();
        let updated = self.node.store.update(Kind::Pod, self.pod.namespace(), self.pod.name(), |pod| {
            if pod.uid() != uid {
                return Err(StoreError::Aborted);
            }
            if !pod.is_final() {
                pod["metadata"]["deletionTimestamp"] = json!(timestamp_seconds(Timestamp::now()));
                pod["metadata"]["deletionGracePeriodSeconds"] = json!(0);
            }
            Ok(())
        });
        if let Err(error) = updated {
            tracing::debug!(%error, pod = self.pod.name(), "a deletion was not completed");
        }
    }

    /// The object is gone and no process is left.
    pub(super) fn is_over(&self) -> bool {
        let gone = self.stop.as_ref().is_some_and(|stop| stop.deletion == Deletion::Gone);
        gone && self.active(|_| true).next().is_none()
    }

    /// When the stop needs the next look.
    pub(super) fn stop_wake(&self) -> Option<Instant> {
        let stop = self.stop.as_ref()?;
        let lose_at = stop.lose_at.filter(|at| *at > Instant::now());
        lose_at.into_iter().chain(stop.remove_at).min()
    }

    /// When the pod's deadline passes, while that matters.
    pub(super) fn deadline_at(&self) -> Option<Instant> {
        let ended = self.phase.is_terminal() || Phase::of(&self.containers, self.policy).is_terminal();
        let over = ended || self.deadline() == Deadline::Exceeded;
        let seconds = self.pod["spec"]["activeDeadlineSeconds"].as_i64()?;
        let at = self.started.checked_add(SignedDuration::from_secs(seconds)).ok()?;
        let left = at.duration_since(self.clock.now());
        let left = Duration::try_from(left).unwrap_or_default();
        (!over).then(|| Instant::now() + left)
    }

    /// The pod's own grace period.
    pub(super) fn grace(&self) -> Duration {
        self.at_least(self.pod["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap_or(30))
    }

    fn deletion_grace(&self) -> Duration {
        let asked = self.pod["metadata"]["deletionGracePeriodSeconds"].as_u64();
        asked.map_or_else(|| self.grace(), |seconds| self.at_least(seconds))
    }

    fn at_least(&self, seconds: u64) -> Duration {
        Duration::from_secs(seconds).max(self.node.config.timing.min_grace)
    }

    fn active(&self, wanted: impl Fn(&Container) -> bool) -> impl Iterator<Item = usize> + '_ {
        let wanted = self.containers.iter().map(|c| c.is_active() && wanted(c)).collect::<Vec<_>>();
        wanted.into_iter().enumerate().filter(|(_, wanted)| *wanted).map(|(index, _)| index)
    }
}
