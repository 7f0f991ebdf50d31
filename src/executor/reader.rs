//! A container run's log in one stream: from the stream's place to the log's end, through a feed of its own or another's.
//!
//! ```text
//!  place kept by a feed? ─ yes ─▶ join it ─────────────┐
//!      └ no ─▶ open one (follow.rs)                    ▼
//!                 ▲                 next ─▶ in this stream's own numbers ─▶ outlet
//!                 └── too far behind ◀──┤
//!                                       ├─ all taken, and an older feed keeps the place ─▶ move there
//!                                       └─ end ─▶ verdict, LogEnd
//! ```
//!
//! Whoever is slow waits here, with its place: the feed goes on with the others.

use std::sync::Arc;

use super::drain::verdict;
use super::feed::{Ending, Fed, Feed, FeedEnd, LastRead, Next, Seat};
use super::follow::{First, Follower, Task};
use super::group::{Group, Joined};
use super::outlet::{Closed, Outlet};
use super::start::LogFrom;
use super::stream::{ContainerDelivery, Raw, Until};
use super::table::Entry;
use super::{ExecError, Executor};
use crate::logs::{DeliveryBuilder, Item, Output, Position, ReadEnd, TruncatedCause};

/// Which log, and from where.
pub(super) struct Wanted {
    pub container: Arc<str>,
    pub restart: u32,
    pub from: LogFrom,
    pub builder: DeliveryBuilder,
    pub until: Until,
}

/// Reads one log for one stream.
pub(super) struct LogReader {
    executor: Executor,
    entry: Arc<Entry>,
    outlet: Outlet,
    group: Arc<Group>,
    container: Arc<str>,
    restart: u32,
    /// From where, until something was sent.
    from: LogFrom,
    position: Position,
    builder: DeliveryBuilder,
    until: Until,
}

impl LogReader {
    pub fn new(executor: Executor, entry: Arc<Entry>, outlet: Outlet, wanted: Wanted) -> LogReader {
        let Wanted { container, restart, from, builder, until } = wanted;
        let group = executor.inner.logs.group((entry.uid.clone(), container.clone(), restart));
        let position = from.position();
        LogReader { executor, entry, outlet, group, container, restart, from, position, builder, until }
    }

    /// Sends the log and its LogEnd. `None` where only what there was was asked for, and the log goes on.
    pub async fn run(mut self) -> Result<Option<ContainerDelivery>, Closed> {
        let mut moved = self.group.subscribe();
        let mut seat = self.first_seat().await?;
        loop {
            moved.borrow_and_update();
            if let Some(joined) = self.better_seat(&seat) {
                seat = self.take_seat(joined).await?;
            }
            tokio::select! {
                next = seat.next() => match next {
                    Next::Item { fed, from } => self.send(&seat, &fed, &from).await?,
                    Next::TooFar => {
                        self.keep_begin(&seat);
                        seat = self.open_seat();
                    }
                    Next::End(FeedEnd::Read(last)) => return self.finish(&seat, last).await.map(Some),
                    Next::End(FeedEnd::Available) => return Ok(None),
                    Next::End(FeedEnd::Failed) => {
                        let error = ExecError::Internal("the reader of a log failed".into());
                        self.outlet.send(Raw::Failed(error)).await?;
                        return Err(Closed);
                    }
                },
                // The sender lives as long as the group, which is held here.
                _ = moved.changed() => {}
            }
        }
    }

    async fn first_seat(&mut self) -> Result<Seat, Closed> {
        let may_join = self.until == Until::Termination && self.from.is_position();
        match may_join.then(|| self.group.join(&self.position, None)).flatten() {
            Some(joined) => self.take_seat(joined).await,
            None => Ok(self.open_seat()),
        }
    }

    /// A seat in an older feed, once all of this one is taken.
    fn better_seat(&self, seat: &Seat) -> Option<Joined> {
        let may_move = self.until == Until::Termination && self.group.is_shared() && seat.is_drained();
        may_move.then(|| self.group.join(&self.position, Some(seat.feed_id()))).flatten()
    }

    async fn take_seat(&mut self, (mut seat, rest): Joined) -> Result<Seat, Closed> {
        if let Some(rest) = rest {
            let from = seat.at().clone();
            self.send(&seat, &Fed { output: rest.clone(), ending: Ending::No }, &from).await?;
            seat.took_rest(&rest);
        }
        Ok(seat)
    }

    /// A read of its own.
    fn open_seat(&self) -> Seat {
        // Of a log that others read already, what is there comes by a read that ends: then the stream can join them.
        let task = Task {
            container: self.container.clone(),
            restart: self.restart,
            from: self.from.clone(),
            position: self.position.clone(),
            until: self.until,
            first: if self.group.has_others() { First::CatchUp } else { First::Follow },
        };
        Feed::open(&self.group, self.position.clone(), |shared| {
            Follower::new(self.executor.clone(), self.entry.clone(), shared, task).start()
        })
    }

    /// What was found of where to begin holds for the next read too.
    fn keep_begin(&mut self, seat: &Seat) {
        if let (false, Some(stamp)) = (self.from.is_position(), seat.begins_at()) {
            self.from = LogFrom::Since(stamp);
        }
    }

    async fn send(&mut self, seat: &Seat, fed: &Fed, from: &Position) -> Result<(), Closed> {
        if let Some(at) = seat.first_read() {
            self.builder.opened(at);
        }
        let output: Output = fed.output.renumbered(from, &self.position);
        if matches!(output.item, Item::Gap(_)) {
            self.builder.gap();
        }
        if fed.ending == Ending::MidLine {
            self.builder.ended_mid_line();
        }
        self.position = output.position.clone();
        self.from = LogFrom::Position(Box::new(self.position.clone()));
        let (container, builder) = (self.container.clone(), self.builder);
        self.outlet.send(Raw::Log { container, restart: self.restart, output: Box::new(output), builder }).await
    }

    async fn finish(mut self, seat: &Seat, last: LastRead) -> Result<ContainerDelivery, Closed> {
        if let Some(at) = seat.first_read() {
            self.builder.opened(at);
        }
        if last.end == ReadEnd::Cut(TruncatedCause::Restarted) {
            self.builder.gap();
            let after = self.position.last.map(|last| last.stamp);
            let gap = Raw::RestartGap { container: self.container.clone(), restart: self.restart, after };
            self.outlet.send(gap).await?;
        }
        let max_size = self.executor.settings().container_log_max_size;
        let delivery = verdict(&mut self.builder, &self.position, &last, max_size);
        let container = self.container.to_string();
        let end = ContainerDelivery { container, restart: self.restart, delivery: Some(delivery) };
        let position = Box::new(self.position);
        self.outlet.send(Raw::LogEnd { end: end.clone(), position, builder: self.builder }).await?;
        Ok(end)
    }
}
