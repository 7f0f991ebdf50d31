//! One upstream read of a container run's log, shared by the streams that are at the same place in it.
//!
//! ```text
//!  Follower (the only reader of the node) ── push ──▶ Feed [item][item][item] ◀── next ── Seat of a stream
//!      │ waits while the foremost seat is AHEAD bytes behind     │                └────── Seat of another
//!      └ ends with the last seat                                 └ more than KEPT behind: TooFar, the stream reads
//!                                                                  by itself and comes back when it has caught up
//! ```
//!
//! The foremost reader sets the pace, so one that is slow holds up nobody, and one that is alone is read for no faster
//! than it takes. What all have taken is not kept, except while another read of the same log is open: then its readers
//! may come over, and need a place to come to.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio_util::task::AbortOnDropHandle;

use super::group::Group;
use crate::logs::{FirstLineCheck, FirstRead, Item, Output, Position, ReadEnd};

/// How far the node is read ahead of the foremost reader, bytes of memory.
const AHEAD: usize = 64 << 10;
/// How far a reader may be behind, bytes of memory.
const KEPT: usize = 512 << 10;
/// What an item takes beside its lines.
const ITEM_COST: usize = 256;
/// What a line takes beside its bytes: its end and its stamp.
const LINE_COST: usize = 12;

/// Whether an item ends the log without a newline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// It does.
    MidLine,
    /// It does not.
    No,
}

/// Something to send.
#[derive(Debug)]
pub(super) struct Fed {
    pub output: Output,
    pub ending: Ending,
}

/// How the read of a log came to its end.
#[derive(Debug, Clone)]
pub(super) enum FeedEnd {
    /// At the log's end, or as near as could be had.
    Read(LastRead),
    /// What there was is read; the log goes on.
    Available,
    /// The reader failed.
    Failed,
}

/// What is known at the end of a log.
#[derive(Debug, Clone)]
pub(super) struct LastRead {
    pub end: ReadEnd,
    /// Whether the pod was deleted while the container ran.
    pub deleted: Deleted,
    /// The result of the first-line check, where one was made, and the position it was made for.
    pub first_line: Option<FirstLineCheck>,
    pub position: Position,
}

/// Whether the pod was deleted or disrupted while the container ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deleted {
    Yes,
    No,
}

/// What a seat gets.
#[derive(Debug)]
pub(super) enum Next {
    /// The next item; `from`: the feed's position before it.
    Item { fed: Arc<Fed>, from: Position },
    /// No more comes.
    End(FeedEnd),
    /// What comes next for this reader is not kept any more.
    TooFar,
}

/// The part that the reader of the node writes and the seats read.
pub(super) struct Shared {
    state: Mutex<State>,
    version: watch::Sender<u64>,
    room: Notify,
    group: Arc<Group>,
}

struct State {
    items: VecDeque<(Arc<Fed>, usize)>,
    /// Number of the first of them, from 0.
    first: u64,
    /// Before the first of them.
    before: Position,
    /// What they take.
    cost: usize,
    /// The number each seat takes next.
    seats: Vec<(u64, u64)>,
    next_seat: u64,
    first_read: Option<FirstRead>,
    /// Where reading began, where that had to be found.
    begins_at: Option<Timestamp>,
    end: Option<FeedEnd>,
}

/// One upstream read. Its reader ends with the last `Arc` of it.
pub(super) struct Feed {
    /// Ascending: of two reads at the same place the older one goes on.
    pub id: u64,
    pub shared: Arc<Shared>,
    _reader: AbortOnDropHandle<()>,
}

/// A stream's place in a feed.
pub(super) struct Seat {
    feed: Arc<Feed>,
    id: u64,
    version: watch::Receiver<u64>,
    /// The feed's position there.
    at: Position,
}

impl State {
    fn next_number(&self) -> u64 {
        self.first + self.items.len() as u64
    }

    fn item(&self, number: u64) -> Option<&Arc<Fed>> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.items.get(at).map(|(fed, _)| fed)
    }

    /// What the foremost reader has not taken.
    fn ahead(&self) -> usize {
        let foremost = self.seats.iter().map(|(_, next)| *next).max().unwrap_or(self.first).max(self.first);
        let taken = usize::try_from(foremost - self.first).unwrap_or(usize::MAX);
        self.items.iter().skip(taken).map(|(_, cost)| cost).sum()
    }

    /// Forgets what nobody needs, and what is too much.
    fn trim(&mut self, keep: Keep) {
        let last = self.seats.iter().map(|(_, next)| *next).min().unwrap_or(self.first);
        while let Some((_, cost)) = self.items.front() {
            let unread = self.first >= last || keep == Keep::ForOthers;
            if unread && self.cost <= KEPT {
                return;
            }
            self.cost -= cost;
            if let Some((fed, _)) = self.items.pop_front() {
                self.before = fed.output.position.clone();
                self.first += 1;
            }
        }
        // An idle feed holds no buffer.
        self.items.shrink_to_fit();
    }

    fn sit(&mut self, next: u64) -> u64 {
        self.next_seat += 1;
        self.seats.push((self.next_seat, next));
        self.next_seat
    }
}

/// Whether items that all have taken are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keep {
    ForOthers,
    No,
}

impl Shared {
    fn new(group: Arc<Group>, before: Position) -> Shared {
        let state = State {
            items: VecDeque::new(),
            first: 0,
            before,
            cost: 0,
            seats: Vec::new(),
            next_seat: 0,
            first_read: None,
            begins_at: None,
            end: None,
        };
        Shared { state: Mutex::new(state), version: watch::Sender::new(0), room: Notify::new(), group }
    }

    fn keep(&self) -> Keep {
        if self.group.is_shared() { Keep::ForOthers } else { Keep::No }
    }

    /// Waits until the foremost reader has taken enough, then adds an item.
    pub async fn push(&self, output: Output, ending: Ending) {
        loop {
            let room = self.room.notified();
            if self.state.lock().ahead() < AHEAD {
                break;
            }
            room.await;
        }
        let cost = cost(&output);
        let keep = self.keep();
        let mut state = self.state.lock();
        state.items.push_back((Arc::new(Fed { output, ending }), cost));
        state.cost += cost;
        state.trim(keep);
        drop(state);
        self.tell();
    }

    /// A read was opened; the first counts.
    pub fn opened(&self, at: FirstRead) {
        self.state.lock().first_read.get_or_insert(at);
    }

    /// The place where reading begins was found.
    pub fn begins_at(&self, stamp: Timestamp) {
        self.state.lock().begins_at = Some(stamp);
    }

    /// No more comes.
    pub fn end(&self, end: FeedEnd) {
        self.state.lock().end.get_or_insert(end);
        self.tell();
    }

    fn tell(&self) {
        self.version.send_modify(|version| *version += 1);
        self.group.moved();
    }
}

impl Feed {
    /// A feed whose reader is started by `start`, with a seat at its beginning.
    pub fn open(
        group: &Arc<Group>,
        before: Position,
        start: impl FnOnce(Arc<Shared>) -> AbortOnDropHandle<()>,
    ) -> Seat {
        let shared = Arc::new(Shared::new(group.clone(), before.clone()));
        // The seat comes before the reader, or what it reads first would be kept for nobody.
        let (id, version) = (shared.state.lock().sit(0), shared.version.subscribe());
        let reader = start(shared.clone());
        let feed = Arc::new(Feed { id: group.next_id(), shared, _reader: reader });
        group.add(Arc::downgrade(&feed));
        Seat { feed, id, version, at: before }
    }

    /// A seat for a reader at `position`, if that is a place in what is kept; and what it gets first, where its place is
    /// within an item.
    pub fn join(self: &Arc<Feed>, position: &Position) -> Option<(Seat, Option<Output>)> {
        let mut state = self.shared.state.lock();
        if matches!(state.end, Some(FeedEnd::Available | FeedEnd::Failed)) {
            return None;
        }
        let mut before = state.before.clone();
        let mut found = before.is_at(position).then_some((state.first, before.clone(), None));
        for (number, (fed, _)) in (state.first..).zip(&state.items) {
            if found.is_some() {
                break;
            }
            let after = &fed.output.position;
            if after.is_at(position) {
                found = Some((number + 1, after.clone(), None));
            } else if let Some(rest) = fed.output.split_at(&before, position) {
                found = Some((number + 1, position.clone(), Some(rest)));
            }
            before = after.clone();
        }
        let (next, at, rest) = found?;
        let id = state.sit(next);
        drop(state);
        Some((Seat { feed: self.clone(), id, version: self.shared.version.subscribe(), at }, rest))
    }
}

impl Seat {
    /// Which feed it is in.
    pub fn feed_id(&self) -> u64 {
        self.feed.id
    }

    /// The feed's position at this place.
    pub fn at(&self) -> &Position {
        &self.at
    }

    /// The rest of an item was taken: the place is behind that item.
    pub fn took_rest(&mut self, rest: &Output) {
        self.at = rest.position.clone();
    }

    /// When the feed's first read was opened.
    pub fn first_read(&self) -> Option<FirstRead> {
        self.feed.shared.state.lock().first_read
    }

    /// The stamp from which the feed was read, where that had to be found.
    pub fn begins_at(&self) -> Option<Timestamp> {
        self.feed.shared.state.lock().begins_at
    }

    /// Whether everything that was read is taken, and more may come.
    pub fn is_drained(&self) -> bool {
        let state = self.feed.shared.state.lock();
        let next = state.seats.iter().find(|(id, _)| *id == self.id).map(|(_, next)| *next);
        next == Some(state.next_number()) && state.end.is_none()
    }

    /// What comes next. Cancel-safe.
    pub async fn next(&mut self) -> Next {
        loop {
            self.version.borrow_and_update();
            if let Some(next) = self.take() {
                return next;
            }
            // The sender is in the feed, which this seat holds.
            let _ = self.version.changed().await;
        }
    }

    fn take(&mut self) -> Option<Next> {
        let shared = &self.feed.shared;
        let keep = shared.keep();
        let mut state = shared.state.lock();
        let at = state.seats.iter().position(|(id, _)| *id == self.id)?;
        let number = state.seats[at].1;
        if number < state.first {
            return Some(Next::TooFar);
        }
        let Some(fed) = state.item(number).cloned() else { return state.end.clone().map(Next::End) };
        state.seats[at].1 += 1;
        state.trim(keep);
        drop(state);
        shared.room.notify_one();
        let from = std::mem::replace(&mut self.at, fed.output.position.clone());
        Some(Next::Item { fed, from })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let shared = &self.feed.shared;
        let keep = shared.keep();
        let mut state = shared.state.lock();
        state.seats.retain(|(id, _)| *id != self.id);
        state.trim(keep);
        drop(state);
        shared.room.notify_one();
    }
}

/// A feed that may be gone.
pub(super) type WeakFeed = Weak<Feed>;

fn cost(output: &Output) -> usize {
    let lines = match &output.item {
        Item::Chunk(chunk) => chunk.data.len() + chunk.line_ends.len() * LINE_COST,
        Item::Gap(_) => 0,
    };
    lines + ITEM_COST
}

#[cfg(test)]
#[path = "feed_tests.rs"]
mod tests;
