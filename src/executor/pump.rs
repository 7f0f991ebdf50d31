//! The events of one task into one stream, and the followers of its logs.
//!
//! A container's follower starts after the event that shows that the container started was sent;
//! the Termination is sent after every follower has ended. That is the whole order there is.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::task::{Id, JoinError, JoinSet};

use super::outlet::{Closed, Outlet};
use super::reader::{LogReader, Wanted};
use super::run_state::{RunState, run_state};
use super::start::LogFrom;
use super::stream::{ContainerDelivery, Filter, Raw, Show, Start, Until};
use super::table::{Entry, View};
use super::{ExecError, Executor};
use crate::logs::{Delivery, DeliveryBuilder, Position, ReadEnd, TruncatedCause};
use crate::task::cursor::{LogMark, LogStart};
use crate::task::event::{ContainerChange, ContainerPhase};
use crate::task::{ContainerObservation, ContainerState, Cursor, LogSelection, TaskEvent, TaskEventBody};

/// A container run.
type RunKey = (Arc<str>, u32);
type FollowEnd = Result<Option<ContainerDelivery>, Closed>;

pub(super) struct Pump {
    executor: Executor,
    entry: Arc<Entry>,
    cursor: Cursor,
    outlet: Outlet,
    until: Until,
    filter: Filter,
    logs: LogSelection,
    /// Number of the last row event dealt with.
    after: u64,
    /// Whether this stream is the first of its chain: then events up to this number were before its start.
    before_start: Option<u64>,
    followers: JoinSet<FollowEnd>,
    runs: HashMap<RunKey, Followed>,
    running: HashMap<Id, RunKey>,
    termination: Option<Arc<TaskEvent>>,
}

/// What a caller asked of a stream.
pub(super) struct Plan {
    pub start: Start,
    pub until: Until,
    pub filter: Filter,
}

/// What became of a container run's log in this stream.
enum Followed {
    InProgress,
    Done(ContainerDelivery),
    /// Sent as far as it went; no verdict.
    Partly,
}

/// Of how many runs before one that was seen it is told, one by one, that their logs are lost. A container that is
/// started again and again would otherwise fill the cursors.
const MOST_UNSEEN: u32 = 8;

impl Pump {
    pub fn new(executor: Executor, entry: Arc<Entry>, cursor: Cursor, outlet: Outlet, plan: Plan) -> Pump {
        let Plan { start, until, filter } = plan;
        let before_start = match start {
            Start::After(_) => None,
            Start::Beginning | Start::Now | Start::Tail(_) | Start::Since(_) => {
                Some(entry.events_after(0).last().map_or(0, |last| last.number))
            }
        };
        let logs = filter.logs.clone().unwrap_or_else(|| entry.view().observation.policy.logs.clone());
        Pump {
            executor,
            entry,
            cursor,
            outlet,
            until,
            filter,
            logs,
            after: 0,
            before_start,
            followers: JoinSet::new(),
            runs: HashMap::new(),
            running: HashMap::new(),
            termination: None,
        }
    }

    /// Runs to the stream's end. A closed stream ends everything started here.
    pub async fn run(mut self) {
        // Closed: nobody listens any more, or the stream tells why by itself.
        let _ = self.pump().await;
    }

    async fn pump(&mut self) -> Result<(), Closed> {
        let mut changed = self.entry.subscribe();
        let draining = self.executor.inner.draining.clone();
        loop {
            changed.borrow_and_update();
            self.send_events().await?;
            if self.followers.is_empty() {
                if let Some(event) = self.termination.take() {
                    let delivery = self.delivery();
                    return self.outlet.send(Raw::Termination { event, delivery }).await;
                }
                if self.until == Until::Available {
                    return self.outlet.send(Raw::EndOfAvailable).await;
                }
            }
            tokio::select! {
                // The entry, and with it the sender, lives as long as this pump.
                _ = changed.changed() => {}
                Some(ended) = self.followers.join_next_with_id() => self.follower_ended(ended).await?,
                () = draining.cancelled() => return self.outlet.send(Raw::Draining).await,
                () = self.outlet.closed() => return Err(Closed),
            }
        }
    }

    async fn follower_ended(&mut self, ended: Result<(Id, FollowEnd), JoinError>) -> Result<(), Closed> {
        match ended {
            Ok((id, end)) => {
                let followed = match end? {
                    Some(delivery) => Followed::Done(delivery),
                    None => Followed::Partly,
                };
                if let Some(run) = self.running.remove(&id) {
                    self.runs.insert(run, followed);
                }
                Ok(())
            }
            Err(error) => {
                let error = ExecError::Internal(format!("a log follower failed: {error}"));
                self.outlet.send(Raw::Failed(error)).await?;
                Err(Closed)
            }
        }
    }

    async fn send_events(&mut self) -> Result<(), Closed> {
        let events = self.entry.events_after(self.after);
        // Of what was there before the stream, a list says more than each event by itself.
        let of_before: Option<HashSet<usize>> = (self.after == 0).then(|| {
            let bodies: Vec<_> = events.iter().map(|n| &*n.event).collect();
            self.cursor.unsent(&bodies).into_iter().collect()
        });
        for (at, numbered) in events.into_iter().enumerate() {
            self.after = numbered.number;
            let event = numbered.event;
            if let TaskEventBody::Outcome(_) = &event.body {
                // A cursor that has seen the Termination gets it again: a stream never ends
                // without it.
                self.termination = Some(event);
                continue;
            }
            let unsent = match &of_before {
                Some(unsent) => unsent.contains(&at),
                None => self.cursor.wants(&event),
            };
            if unsent && self.shows(&event) {
                self.outlet.send(Raw::Event(event.clone())).await?;
            }
            if let TaskEventBody::Container(change) = &event.body {
                self.follow_if_started(change, numbered.number).await?;
            }
        }
        Ok(())
    }

    fn shows(&self, event: &TaskEvent) -> bool {
        let named = |container: &str| self.filter.only.is_empty() || self.filter.only.iter().any(|n| n == container);
        match &event.body {
            TaskEventBody::State(_) => self.filter.states == Show::Yes,
            TaskEventBody::Container(change) => self.filter.containers == Show::Yes && named(&change.container),
            TaskEventBody::Notice(_) => self.filter.notices == Show::Yes,
            TaskEventBody::Outcome(_) => true,
        }
    }

    /// Starts the follower of a container run that has started, once.
    async fn follow_if_started(&mut self, change: &ContainerChange, number: u64) -> Result<(), Closed> {
        if matches!(change.phase, ContainerPhase::Waiting { .. }) {
            return Ok(());
        }
        let run: RunKey = (change.container.as_str().into(), change.restart);
        let view = self.entry.view();
        if !self.logs.includes(&run.0, &view.observation.primary) {
            return Ok(());
        }
        for earlier in run.1.saturating_sub(MOST_UNSEEN)..run.1 {
            self.account_for_unseen((run.0.clone(), earlier)).await?;
        }
        if self.was_ended_before(&run) {
            return Ok(());
        }
        // Of the runs of a container a node keeps the log of the last two.
        let newest = view.observation.containers.iter().find(|c| *c.name == *run.0).map_or(0, |c| c.restarts);
        if newest > run.1 + 1 && run_state(&view, &run.0, run.1) == RunState::Replaced {
            return self.tell_lost(run).await;
        }
        let from = self.log_from(&run, number, &view);
        // What a container wrote before it ended is not from now on.
        if matches!(from, LogFrom::Now) && run_state(&view, &run.0, run.1) != RunState::Running {
            self.runs.insert(run, Followed::Partly);
            return Ok(());
        }
        self.start_reader(run, from);
        Ok(())
    }

    /// A run before one that was seen: what an earlier stream of this chain got of it. The node shows the run before the
    /// last for as long as it keeps its log, so one that this replica never saw is lost.
    async fn account_for_unseen(&mut self, run: RunKey) -> Result<(), Closed> {
        // One before the last that was told of is due where its log was begun, and the stream broke before its end.
        let begun = self.cursor.log(&run.0, run.1).is_some();
        let is_due = self.cursor.log_start() == LogStart::Beginning && (begun || run.1 >= self.cursor.reached(&run.0));
        if !self.was_ended_before(&run) && is_due {
            self.tell_lost(run).await?;
        }
        Ok(())
    }

    /// Whether nothing of a run's log is to come: it is dealt with here, or its end was sent by an earlier stream of
    /// this chain.
    fn was_ended_before(&mut self, run: &RunKey) -> bool {
        if self.runs.contains_key(run) {
            return true;
        }
        let Some(delivery) = self.cursor.log(&run.0, run.1).and_then(ended) else { return false };
        let done = ContainerDelivery { container: run.0.to_string(), restart: run.1, delivery: Some(delivery) };
        self.runs.insert(run.clone(), Followed::Done(done));
        true
    }

    async fn tell_lost(&mut self, run: RunKey) -> Result<(), Closed> {
        let mark = self.cursor.log(&run.0, run.1);
        let mut builder = mark.map(|mark| mark.delivery).unwrap_or_default();
        builder.gap();
        let position = mark.map_or_else(Position::start, |mark| mark.position.clone());
        let delivery = builder.finish(&position, ReadEnd::Cut(TruncatedCause::Restarted), None, u64::MAX);
        let after = position.last.map(|last| last.stamp);
        self.outlet.send(Raw::RestartGap { container: run.0.clone(), restart: run.1, after }).await?;
        let end = ContainerDelivery { container: run.0.to_string(), restart: run.1, delivery: Some(delivery) };
        self.outlet.send(Raw::LogEnd { end: end.clone(), position: Box::new(position), builder }).await?;
        self.runs.insert(run, Followed::Done(end));
        Ok(())
    }

    /// From where a log is sent whose container was seen to run by the event of this number.
    fn log_from(&self, run: &RunKey, number: u64, view: &View) -> LogFrom {
        if let Some(mark) = self.cursor.log(&run.0, run.1) {
            return LogFrom::Position(Box::new(mark.position.clone()));
        }
        let beginning = || LogFrom::Position(Box::new(Position::start()));
        match (self.cursor.log_start(), self.before_start) {
            (LogStart::Beginning, _) => beginning(),
            (LogStart::Since(time), _) => LogFrom::Since(time),
            (LogStart::Tail { .. }, Some(before)) if number > before => beginning(),
            (LogStart::Tail { lines: 0, .. }, Some(_)) => LogFrom::Now,
            (LogStart::Tail { lines, .. }, Some(_)) => LogFrom::Tail { lines, and_since: None },
            // Nothing of it was sent by the streams before, so what was written since they were asked for is due.
            (LogStart::Tail { asked, .. }, None) if started_after(view, run, asked) => beginning(),
            (LogStart::Tail { lines: 0, asked }, None) => LogFrom::Since(asked),
            (LogStart::Tail { lines, asked }, None) => LogFrom::Tail { lines, and_since: Some(asked) },
        }
    }

    fn start_reader(&mut self, run: RunKey, from: LogFrom) {
        let builder = self.cursor.log(&run.0, run.1).map(|mark| mark.delivery).unwrap_or_default();
        let wanted = Wanted { container: run.0.clone(), restart: run.1, from, builder, until: self.until };
        let reader = LogReader::new(self.executor.clone(), self.entry.clone(), self.outlet.clone(), wanted);
        let handle = self.followers.spawn(reader.run());
        self.running.insert(handle.id(), run.clone());
        self.runs.insert(run, Followed::InProgress);
    }

    /// The verdict of every container run of the pod, in the spec's order.
    fn delivery(&self) -> Vec<ContainerDelivery> {
        let seen = self.entry.view().observation;
        let mut all = Vec::new();
        for container in &seen.containers {
            let mut runs: Vec<_> = self.runs.iter().filter(|(run, _)| *run.0 == *container.name).collect();
            runs.sort_by_key(|(run, _)| run.1);
            let wanted = self.logs.includes(&container.name, &seen.primary);
            if runs.is_empty() {
                let mark = self.cursor.log(&container.name, container.restarts);
                let delivery = match (wanted, has_started(container)) {
                    (false, _) => Some(Delivery::not_requested()),
                    (true, false) => Some(nothing_to_read()),
                    // Only a record is left of it: what came before is all there is.
                    (true, true) => mark.and_then(ended).or_else(|| Some(gone(mark))),
                };
                all.push(ContainerDelivery {
                    container: container.name.clone(),
                    restart: container.restarts,
                    delivery,
                });
            }
            for ((name, restart), followed) in runs {
                let delivery = match followed {
                    Followed::Done(done) => done.delivery,
                    Followed::InProgress | Followed::Partly => None,
                };
                all.push(ContainerDelivery { container: name.to_string(), restart: *restart, delivery });
            }
        }
        all
    }
}

/// Whether a run of a container was started after `asked`, as far as the node's clock tells.
fn started_after(view: &View, run: &RunKey, asked: jiff::Timestamp) -> bool {
    let seen = view.observation.containers.iter().find(|c| *c.name == *run.0 && c.restarts == run.1);
    let started = seen.and_then(|seen| match &seen.state {
        ContainerState::Running { started } => *started,
        ContainerState::Terminated(terminated) => terminated.started,
        ContainerState::Waiting { .. } | ContainerState::Unset => None,
    });
    started.is_some_and(|started| started > asked)
}

/// The delivery of a log whose end an earlier stream of the chain has sent.
fn ended(mark: &LogMark) -> Option<Delivery> {
    Some(Delivery {
        verdict: mark.ended?,
        lines: mark.position.lines,
        bytes: mark.position.bytes,
        gaps: mark.delivery.gaps,
        ended_mid_line: mark.delivery.ended_mid_line,
        first_read_opened: mark.delivery.first_read,
    })
}

fn has_started(container: &ContainerObservation) -> bool {
    match &container.state {
        ContainerState::Running { .. } => true,
        ContainerState::Terminated(end) => {
            end.exit_code().is_some() || end.started.is_some_and(|at| at.as_second() > 0)
        }
        ContainerState::Waiting { .. } | ContainerState::Unset => container.last.is_some(),
    }
}

/// The delivery of a log that went with its pod.
fn gone(mark: Option<&LogMark>) -> Delivery {
    let builder = mark.map(|m| m.delivery).unwrap_or_default();
    let position = mark.map_or_else(Position::start, |m| m.position.clone());
    builder.finish(&position, ReadEnd::Cut(TruncatedCause::PodGone), None, u64::MAX)
}

/// The delivery of a container that never started: there was nothing to read, and all of it came.
fn nothing_to_read() -> Delivery {
    let builder = DeliveryBuilder::default();
    builder.finish(&Position::start(), ReadEnd::NeverStarted, None, u64::MAX)
}
