//! One API server and three replicas of podlaunch that watch one pod through it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use podlaunch::task::observation::{Holding, StoredOutcome};
use podlaunch::task::{
    ContainerPhase, Effect, Input, Observation, Outcome, Row, State, Step, TaskEvent, TaskEventBody, step,
};

use super::legal::assert_legal;
use super::replay::Seen;

const REPLICAS: usize = 3;

/// One thing that happens.
#[derive(Debug, Clone, Copy)]
pub enum Op {
    /// The pod's life goes on by one version.
    Live,
    /// A replica's watch shows the next of what there is.
    Watch(usize),
    /// A replica's watch was away: the next but a few, those between never seen.
    Skip(usize, usize),
    /// A replica is shown something old once more.
    Repeat(usize, usize),
    /// A replica starts anew, from the object as it is.
    Restart(usize),
    /// A replica does what its row asked for, now.
    Perform(usize),
    /// A replica looks the pod up by name.
    LookUp(usize),
    /// A replica's clock reaches what its row asked to be told.
    Tick(usize),
}

impl Op {
    pub fn of(op: u8, replica: u8, arg: u8) -> Op {
        let (replica, arg) = (usize::from(replica) % REPLICAS, usize::from(arg));
        match op % 16 {
            0..=4 => Op::Live,
            5..=8 => Op::Watch(replica),
            9 => Op::Skip(replica, arg % 6),
            10 => Op::Repeat(replica, arg),
            11 => Op::Restart(replica),
            12 | 13 => Op::Perform(replica),
            14 => Op::LookUp(replica),
            _ => Op::Tick(replica),
        }
    }
}

/// What a row asked for.
enum Store {
    OnPod(Outcome),
    Record(Outcome),
}

#[derive(Default)]
struct Replica {
    row: Option<Row>,
    /// What it has told since it started.
    told: Vec<TaskEvent>,
    /// Place in the server's log of what its watch shows next.
    next: usize,
    to_store: Option<Store>,
    /// It was told that a pod without a finalizer is gone, and never saw the outcome that was stored on it.
    blind: bool,
    tick: Option<Timestamp>,
}

pub struct World {
    name: String,
    /// Versions and Events to come.
    life: VecDeque<(Timestamp, Seen)>,
    /// What the server has said, in order.
    log: Vec<(Timestamp, Seen)>,
    now: Timestamp,
    /// The outcome on the pod.
    pub stored: Option<StoredOutcome>,
    /// The outcome record: the first one to be created stays.
    record: Option<Arc<StoredOutcome>>,
    replicas: Vec<Replica>,
    /// uid of every event → what it says, and back.
    says: BTreeMap<String, String>,
    uids: BTreeMap<String, String>,
    pub restarts: u64,
    pub races: u64,
    pub skips: u64,
}

impl World {
    pub fn new(name: &str, life: Vec<(Timestamp, Seen)>) -> World {
        let now = life.first().map_or(Timestamp::UNIX_EPOCH, |(t, _)| *t);
        World {
            name: name.to_string(),
            life: life.into(),
            log: Vec::new(),
            now,
            stored: None,
            record: None,
            replicas: (0..REPLICAS).map(|_| Replica::default()).collect(),
            says: BTreeMap::new(),
            uids: BTreeMap::new(),
            restarts: 0,
            races: 0,
            skips: 0,
        }
    }

    pub fn run(&mut self, ops: &[Op]) {
        for op in ops {
            self.apply(*op);
        }
        // Then everything comes to rest.
        for _ in 0..4 {
            while self.live() {}
            for r in 0..REPLICAS {
                while self.replicas[r].next < self.log.len() {
                    self.watch(r, 0);
                }
                self.perform(r);
                self.tick(r);
            }
        }
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Live => {
                self.live();
            }
            Op::Watch(r) => self.watch(r, 0),
            Op::Skip(r, n) => self.watch(r, n),
            Op::Repeat(r, n) => self.repeat(r, n),
            Op::Restart(r) => self.restart(r),
            Op::Perform(r) => self.perform(r),
            Op::LookUp(r) => self.look_up(r),
            Op::Tick(r) => self.tick(r),
        }
    }

    /// The object as it is; none before its creation and after its end.
    fn object(&self) -> Option<Arc<Observation>> {
        self.log.iter().rev().find_map(|(_, seen)| match seen {
            Seen::Pod(o) => Some(Some(o.clone())),
            Seen::Deleted(_) => Some(None),
            Seen::Notice(..) => None,
        })?
    }

    fn patched(&self, o: &Arc<Observation>) -> Arc<Observation> {
        let mut o = Observation::clone(o);
        o.outcome = self.stored.clone();
        Arc::new(o)
    }

    fn live(&mut self) -> bool {
        let Some((_, next)) = self.life.front() else { return false };
        // Our finalizer keeps the object until its outcome is stored.
        if matches!(next, Seen::Deleted(o) if o.has_finalizer == Holding::Held) && self.stored.is_none() {
            return false;
        }
        let Some((t, next)) = self.life.pop_front() else { return false };
        self.now = self.now.max(t);
        let seen = match next {
            Seen::Pod(o) => Seen::Pod(self.patched(&o)),
            Seen::Deleted(o) => {
                // Whoever takes our finalizer off has written the record before.
                if o.has_finalizer == Holding::Held {
                    self.record = self.stored.clone().map(Arc::new);
                }
                Seen::Deleted(self.patched(&o))
            }
            notice @ Seen::Notice(..) => notice,
        };
        self.log.push((self.now, seen));
        true
    }

    fn watch(&mut self, r: usize, skip: usize) {
        let from = self.replicas[r].next;
        if from >= self.log.len() {
            return;
        }
        let at = (from + skip).min(self.log.len() - 1);
        self.skips += (at - from) as u64;
        self.replicas[r].next = at + 1;
        // A relist does not show the end of what is gone: it is looked up.
        if skip > 0 && self.log[from..=at].iter().any(|(_, s)| matches!(s, Seen::Deleted(_))) {
            return self.input(r, Input::Gone(None));
        }
        let seen = self.log[at].1.clone();
        // A watch that was away begins with the pod as it is by then, whatever comes next.
        let pod = self.log[from..at].iter().rev().find(|(_, s)| matches!(s, Seen::Pod(_))).map(|(_, s)| s.clone());
        if let (Some(pod), Seen::Notice(..)) = (pod, &seen) {
            self.show(r, &pod);
        }
        self.show(r, &seen);
    }

    fn show(&mut self, r: usize, seen: &Seen) {
        match seen {
            Seen::Pod(o) => self.input(r, Input::Pod(o.clone())),
            Seen::Deleted(o) => self.input(r, Input::Gone(Some(o.clone()))),
            Seen::Notice(occurred, notice) => {
                self.input(r, Input::Notice { occurred: *occurred, notice: notice.clone() });
            }
        }
    }

    fn repeat(&mut self, r: usize, n: usize) {
        let shown = self.replicas[r].next;
        if shown == 0 || self.replicas[r].row.is_none() {
            return;
        }
        let seen = self.log[n % shown].1.clone();
        if matches!(seen, Seen::Pod(_) | Seen::Notice(..)) {
            self.show(r, &seen);
        }
    }

    fn restart(&mut self, r: usize) {
        self.restarts += 1;
        self.check_told(r);
        self.replicas[r] = Replica { next: self.log.len(), ..Replica::default() };
        if let Some(o) = self.object() {
            self.input(r, Input::Pod(o));
        }
        // The Events that are still there are listed too.
        let notices: Vec<Seen> =
            self.log.iter().map(|(_, s)| s.clone()).filter(|s| matches!(s, Seen::Notice(..))).collect();
        for notice in notices {
            self.show(r, &notice);
        }
    }

    fn look_up(&mut self, r: usize) {
        match self.object() {
            Some(o) => self.input(r, Input::Pod(o)),
            None if self.log.is_empty() => {}
            None => self.input(r, Input::Gone(None)),
        }
    }

    fn tick(&mut self, r: usize) {
        if let Some(at) = self.replicas[r].tick.take() {
            self.now = self.now.max(at);
            self.input(r, Input::Tick);
        }
    }

    fn perform(&mut self, r: usize) {
        match self.replicas[r].to_store.take() {
            Some(Store::OnPod(outcome)) => self.store(r, outcome),
            Some(Store::Record(outcome)) => {
                let mine = StoredOutcome { text: outcome.to_text(), outcome };
                let record = self.record.get_or_insert_with(|| Arc::new(mine)).clone();
                self.input(r, Input::Recorded(record));
            }
            None => {}
        }
    }

    /// The patch of an outcome: it tests the version the outcome was decided from.
    fn store(&mut self, r: usize, outcome: Outcome) {
        let text = outcome.to_text();
        assert_eq!(Outcome::from_text(&text).unwrap(), outcome, "{}", self.name);
        match self.object() {
            Some(o) if o.resource_version == outcome.pod.resource_version => {
                assert!(self.stored.is_none(), "{}: stored twice", self.name);
                self.stored = Some(StoredOutcome { outcome, text });
                let mut o = Observation::clone(&self.patched(&o));
                o.resource_version += 1;
                let o = Arc::new(o);
                self.log.push((self.now, Seen::Pod(o.clone())));
                self.input(r, Input::Pod(o));
            }
            Some(o) => {
                self.races += 1;
                self.input(r, Input::Pod(o));
            }
            None => self.input(r, Input::Gone(None)),
        }
    }

    fn input(&mut self, r: usize, input: Input) {
        let replica = &mut self.replicas[r];
        let unseen = |row: &Row| row.outcome().is_none() && row.observation().has_finalizer == Holding::Free;
        replica.blind |= matches!(input, Input::Gone(None)) && replica.row.as_ref().is_some_and(unseen);
        let (row, step) = match (replica.row.take(), input) {
            (Some(row), input) => step(row, input, self.now),
            (None, Input::Pod(o)) => Row::first(o, self.now),
            // It never knew the pod.
            (None, _) => return,
        };
        replica.row = Some(row);
        self.took(r, step);
    }

    fn took(&mut self, r: usize, step: Step) {
        for effect in step.effects {
            match effect {
                Effect::StoreOutcome(outcome) => self.replicas[r].to_store = Some(Store::OnPod(*outcome)),
                Effect::StoreRecord { outcome, .. } => self.replicas[r].to_store = Some(Store::Record(*outcome)),
                Effect::Recheck { at } => self.replicas[r].tick = Some(at),
            }
        }
        for event in step.events {
            self.note(&event);
            self.replicas[r].told.push(event);
        }
    }

    /// One uid says one thing, and one thing has one uid, on all replicas at all times.
    fn note(&mut self, event: &TaskEvent) {
        let says = says(event);
        let before = self.says.entry(event.uid.clone()).or_insert_with(|| says.clone());
        assert_eq!(*before, says, "{}: one uid for two events", self.name);
        // A silence and the return from it are told apart by when it began, which is not in what they say.
        let silence =
            |s: &podlaunch::task::StateChange| s.state == State::Unreachable || s.previous == Some(State::Unreachable);
        if !matches!(&event.body, TaskEventBody::State(s) if silence(s)) {
            let uid = self.uids.entry(says.clone()).or_insert_with(|| event.uid.clone());
            assert_eq!(*uid, event.uid, "{}: two uids for {says}", self.name);
        }
    }

    fn check_told(&self, r: usize) {
        let replica = &self.replicas[r];
        assert_legal(&self.name, &replica.told);
        let Some(row) = &replica.row else { return };
        let outcomes = replica.told.iter().filter(|e| matches!(e.body, TaskEventBody::Outcome(_))).count();
        assert_eq!(outcomes, usize::from(row.outcome().is_some()), "{}", self.name);
        assert_eq!(row.state().is_terminal(), row.outcome().is_some(), "{}", self.name);
    }

    /// After [`Self::run`]. `ends`: whether this life has an end.
    pub fn check(&self, ends: bool) {
        for (r, replica) in self.replicas.iter().enumerate() {
            self.check_told(r);
            let Some(row) = &replica.row else { continue };
            assert!(
                row.outcome().is_some() || !ends,
                "{}: replica {r} tells no outcome:\n{:?}",
                self.name,
                row.observation()
            );
            // What is stored on the pod counts, else the record.
            let stored = self.stored.as_ref().filter(|_| !replica.blind);
            let truth = stored.or(self.record.as_deref().filter(|_| self.stored.is_none()));
            if let (Some(told), Some(stored)) = (row.outcome(), truth) {
                assert_eq!(told.text, stored.text, "{}: replica {r} tells another outcome", self.name);
                assert_eq!(row.deadline(), None);
            }
            assert!(self.stored.is_none() || row.outcome().is_some(), "{}: replica {r} is silent", self.name);
        }
    }
}

/// What an event says, without when.
fn says(event: &TaskEvent) -> String {
    match &event.body {
        TaskEventBody::State(s) => match s.state {
            State::Pending | State::Starting => format!("{} {:?}", s.state, s.reason),
            _ => s.state.to_string(),
        },
        TaskEventBody::Container(c) => match &c.phase {
            ContainerPhase::Waiting { reason, .. } => format!("{} {} waiting {reason}", c.container, c.restart),
            ContainerPhase::Running { .. } => format!("{} {} running", c.container, c.restart),
            ContainerPhase::Terminated(t) => format!("{} {} ended {} {}", c.container, c.restart, t.reason, t.code),
        },
        TaskEventBody::Notice(n) => format!("notice {} {} {}", n.version, n.reason, n.source),
        TaskEventBody::Outcome(_) => "outcome".into(),
    }
}
