//! Which run of a container the node's word "current" means.
//!
//! The node picks the log by its own status, which is ahead of the watch: between the restart of a container and the
//! event that tells of it, *current* is already the next run. Its lines must not be taken for those of the run before.
//! Only a container that may be started again needs the question, and `previous=true` answers it, asked after the
//! read was opened:
//!
//! ```text
//!  run 0:  no previous run ─▶ current was run 0        there is one ─▶ that one is run 0
//!  run r:  its last record is before run r's start ─▶ it is run r-1, current was run r
//!          it is a second later or more ─▶ it is run r
//!          in the same second, empty or unreadable ─▶ the first record of current in the second of run r's start, or
//!          else no news of a restart for a while
//! ```
//!
//! A run that is read as the previous one is taken only where the last line sent is found in it.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use tokio::time::Instant;

use super::follow::Follower;
use super::table::{Presence, View};
use crate::cluster::{LogRefusal, LogRequest, ReadMode, Run};
use crate::logs::{TailBody, first_stamp};
use crate::task::observation::Role;
use crate::task::{ContainerObservation, ContainerState};

/// With nothing else to tell by: how long a restart would take to be told. A restart is seldom told later than in one
/// second; a second restart of a container comes after ten.
const NO_NEWS: Duration = Duration::from_secs(10);
/// Bytes read for the stamp of a first record.
const STAMP_BYTES: u64 = 256;

impl Follower {
    fn seen<'a>(&self, view: &'a View) -> Option<&'a ContainerObservation> {
        view.observation.containers.iter().find(|c| *c.name == *self.container)
    }

    /// Whether the node may have started the container again without our knowing.
    fn may_be_replaced(&self, view: &View) -> bool {
        let restarts = view.observation.restart_policy == "OnFailure"
            || self.seen(view).is_some_and(|container| container.role == Role::Sidecar);
        restarts && !view.observation.phase_is_terminal()
    }

    /// How the API names this run as far as the watch has told: the run the status shows, and the one before it unless
    /// the container waits for its restart (then that word means another run).
    fn told_run(&self, view: &View) -> Option<Run> {
        let seen = self.seen(view)?;
        let waiting = matches!(seen.state, ContainerState::Waiting { .. });
        match seen.restarts.checked_sub(self.restart)? {
            0 => Some(Run::Current),
            1 if !waiting => Some(Run::Previous),
            _ => None,
        }
    }

    fn request(&self, run: Run, mode: ReadMode) -> LogRequest {
        LogRequest {
            namespace: self.entry.key.namespace.clone(),
            pod: self.entry.pod.clone(),
            container: self.container.to_string(),
            run,
            mode,
        }
    }

    /// Reads a part of this run's log with `get`, and says by which name the run was read.
    pub async fn of_this_run<T, F>(
        &mut self,
        mode: ReadMode,
        get: impl Fn(LogRequest) -> F,
    ) -> Result<(Run, T), LogRefusal>
    where
        F: Future<Output = Result<T, LogRefusal>>,
    {
        let view = self.view();
        // The API knows logs by name, which may be another pod's by now.
        if view.presence == Presence::Gone {
            return Err(LogRefusal::Gone("the pod is gone".into()));
        }
        let Some(run) = self.told_run(&view) else {
            return Err(LogRefusal::Gone("a later run of the container has taken its place".into()));
        };
        let read = get(self.request(run, mode)).await.map_err(previous_is_gone)?;
        if run == Run::Previous || !self.may_be_replaced(&view) {
            return Ok((run, read));
        }
        match self.shown_run(&view).await? {
            Run::Current => Ok((run, read)),
            Run::Previous => {
                let read = get(self.request(Run::Previous, mode)).await.map_err(previous_is_gone)?;
                Ok((Run::Previous, read))
            }
        }
    }

    /// Reads a short part of the log whole.
    pub async fn read_short(&mut self, mode: ReadMode) -> Result<Bytes, LogRefusal> {
        let cluster = self.executor.cluster().clone();
        let body = self.of_this_run(mode, |request| {
            let cluster = cluster.clone();
            async move { cluster.read_log(&request).await }
        });
        Ok(body.await?.1)
    }

    /// A read of the last record that needs nothing of this, where the run cannot be another one.
    pub fn tail_beside(&self) -> Option<impl Future<Output = Result<Bytes, LogRefusal>> + Send + use<>> {
        let view = self.view();
        let sure = view.presence == Presence::Present && !self.may_be_replaced(&view);
        let run = self.told_run(&view).filter(|_| sure)?;
        let request = self.request(run, ReadMode::LastRecord);
        let cluster = self.executor.cluster().clone();
        Some(async move { cluster.read_log(&request).await })
    }

    /// By which name the node knows this run now, which the watch shows as the newest one.
    async fn shown_run(&mut self, view: &View) -> Result<Run, LogRefusal> {
        let previous = self.executor.cluster().read_log(&self.request(Run::Previous, ReadMode::LastRecord)).await;
        let started = self.seen(view).and_then(started).map(Timestamp::as_second);
        let known = match (previous, started) {
            (Err(LogRefusal::NoPreviousRun(_)), _) if self.restart == 0 => Some(Run::Current),
            (Ok(_), _) if self.restart == 0 => Some(Run::Previous),
            (Ok(body), Some(started)) => by_stamp(&body, started),
            (Ok(_), None) | (Err(LogRefusal::NoPreviousRun(_)), _) => None,
            (Err(refusal), _) => return Err(refusal),
        };
        let known = match (known, started) {
            (None, Some(started)) if self.current_begins_at(started).await? => Some(Run::Current),
            (known, _) => known,
        };
        match known {
            Some(run) => {
                self.unsure_since = None;
                Ok(run)
            }
            None => self.without_news(),
        }
    }

    /// Whether the first record of the current run is of the second in which this run was started: a later run cannot
    /// have been started in it.
    async fn current_begins_at(&self, started: i64) -> Result<bool, LogRefusal> {
        let head = self.request(Run::Current, ReadMode::Head { bytes: STAMP_BYTES });
        let head = self.executor.cluster().read_log(&head).await?;
        Ok(first_stamp(&head).is_some_and(|stamp| stamp.as_second() <= started))
    }

    fn without_news(&mut self) -> Result<Run, LogRefusal> {
        let since = *self.unsure_since.get_or_insert_with(Instant::now);
        if since.elapsed() >= NO_NEWS {
            self.unsure_since = None;
            return Ok(Run::Current);
        }
        Err(LogRefusal::NotYet("the container may have been started again meanwhile".into()))
    }
}

fn previous_is_gone(refusal: LogRefusal) -> LogRefusal {
    match refusal {
        LogRefusal::NoPreviousRun(message) => LogRefusal::Gone(message),
        other => other,
    }
}

/// When the newest run was started, whole seconds of the node's clock.
fn started(seen: &ContainerObservation) -> Option<Timestamp> {
    match (&seen.state, &seen.last) {
        (ContainerState::Running { started }, _) => *started,
        (ContainerState::Terminated(terminated), _) => terminated.started,
        (ContainerState::Waiting { .. } | ContainerState::Unset, Some(last)) => last.started,
        (ContainerState::Waiting { .. } | ContainerState::Unset, None) => None,
    }
}

/// What the last record of the previous run says, when this run was started in the second `started`.
fn by_stamp(body: &[u8], started: i64) -> Option<Run> {
    match TailBody::parse(body) {
        TailBody::Record { stamp, .. } if stamp.as_second() < started => Some(Run::Current),
        TailBody::Record { stamp, .. } if stamp.as_second() > started => Some(Run::Previous),
        TailBody::Record { .. } | TailBody::Empty | TailBody::Unreadable(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_previous_run_is_known_by_its_last_stamp() {
        let record = |second: &str| format!("2026-01-01T00:00:{second}.500000000Z x\n").into_bytes();
        let started = "2026-01-01T00:00:10Z".parse::<Timestamp>().unwrap().as_second();
        assert_eq!(by_stamp(&record("09"), started), Some(Run::Current));
        assert_eq!(by_stamp(&record("11"), started), Some(Run::Previous));
        assert_eq!(by_stamp(&record("10"), started), None);
        assert_eq!(by_stamp(b"", started), None);
        assert_eq!(by_stamp(b"unable to retrieve container logs for x", started), None);
    }
}
