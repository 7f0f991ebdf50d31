//! Recordings, and rows that are fed them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use podlaunch::pod::observe::observe_as;
use podlaunch::pod::slim::SlimPod;
use podlaunch::task::event::{Notice, Severity};
use podlaunch::task::observation::StoredOutcome;
use podlaunch::task::{Effect, Input, Observation, Outcome, Row, Step, TaskEvent, TaskEventBody, TaskKey, step};
use serde::Deserialize;
use serde_json::Value;

/// Recorded resourceVersions are spread, to leave room for the patches a replay makes.
pub const SPREAD: u64 = 10;

/// A line of a recording.
#[derive(Clone, Deserialize)]
pub struct Line {
    #[serde(rename = "type")]
    pub kind: String,
    pub object: Value,
    pub t: f64,
}

/// Both watches of a scenario.
#[derive(Clone)]
pub struct Scenario {
    pub name: String,
    pub pods: Vec<Line>,
    pub events: Vec<Line>,
}

impl Scenario {
    pub fn read(name: &str) -> Scenario {
        let (pods, events) = (lines(&format!("{name}.jsonl")), lines(&format!("{name}.events.jsonl")));
        Scenario { name: name.to_string(), pods, events }
    }
}

#[derive(Clone, Debug)]
pub enum Seen {
    Pod(Arc<Observation>),
    Deleted(Arc<Observation>),
    Notice(Option<Timestamp>, Notice),
}

/// One pod of a scenario with all that was seen of it, and when.
pub struct Recording {
    pub name: String,
    pub seen: Vec<(Timestamp, Seen)>,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

fn lines(file: &str) -> Vec<Line> {
    let text = std::fs::read_to_string(folder().join(file)).unwrap();
    text.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

fn scenarios() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| Some(name.strip_suffix(".jsonl")?.to_string()))
        .filter(|name| !name.ends_with(".events"))
        .collect();
    names.sort();
    names
}

fn read_pod(object: Value) -> Observation {
    let pod: SlimPod = serde_json::from_value(object).unwrap();
    let namespace = pod.metadata.namespace.clone().unwrap();
    let key = TaskKey::new("", namespace, pod.metadata.name.clone().unwrap(), 1).unwrap();
    let mut o = observe_as(&pod, key, "main").unwrap();
    assert!(o.primary().is_some(), "no container main");
    o.resource_version *= SPREAD;
    o
}

fn read_notice(object: &Value) -> (String, Option<Timestamp>, Notice) {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default().to_string();
    let path = text("/involvedObject/fieldPath");
    let container = path.split_once('{').and_then(|(_, rest)| rest.strip_suffix('}')).map(Into::into);
    let occurred = ["/lastTimestamp", "/eventTime"].iter().find_map(|p| text(p).parse().ok());
    let notice = Notice {
        reason: text("/reason"),
        message: text("/message"),
        severity: if text("/type") == "Warning" { Severity::Warning } else { Severity::Normal },
        first: text("/firstTimestamp").parse().ok(),
        count: object["count"].as_u64().unwrap_or(1) as u32,
        container,
        source: text("/reportingComponent"),
        version: text("/metadata/resourceVersion").parse().unwrap(),
    };
    (text("/involvedObject/uid"), occurred, notice)
}

/// The pods of a scenario, named `scenario`, `scenario#2` … in the order of their creation.
pub fn recordings(scenario: &str) -> Vec<Recording> {
    recordings_of(Scenario::read(scenario))
}

/// The same of one that was changed.
pub fn recordings_of(Scenario { name: scenario, pods: pod_lines, events }: Scenario) -> Vec<Recording> {
    let start: Timestamp = pod_lines[0].object["metadata"]["creationTimestamp"].as_str().unwrap().parse().unwrap();
    let at = |t: f64| start + SignedDuration::from_micros((t * 1e6) as i64);
    let mut order: Vec<String> = Vec::new();
    let mut pods: BTreeMap<String, Vec<(Timestamp, Seen)>> = BTreeMap::new();
    for line in pod_lines {
        let o = Arc::new(read_pod(line.object));
        if !pods.contains_key(&o.uid) {
            order.push(o.uid.clone());
        }
        let uid = o.uid.clone();
        let seen = if line.kind == "DELETED" { Seen::Deleted(o) } else { Seen::Pod(o) };
        pods.entry(uid).or_default().push((at(line.t), seen));
    }
    for line in events {
        if line.kind == "DELETED" {
            continue;
        }
        let (uid, occurred, notice) = read_notice(&line.object);
        // The taint controller's own events name no uid: nobody can say which pod they are about.
        let Some(entry) = pods.get_mut(&uid) else {
            assert!(uid.is_empty(), "{scenario}: an event about {uid}");
            continue;
        };
        entry.push((at(line.t), Seen::Notice(occurred, notice)));
    }
    let mut all = Vec::new();
    for (i, uid) in order.iter().enumerate() {
        let mut seen = pods.remove(uid).unwrap();
        // Stable: pods before events of the same time. An event cannot come before its pod here.
        seen.sort_by_key(|(t, s)| (*t, matches!(s, Seen::Notice(..))));
        let first_pod = seen.iter().position(|(_, s)| matches!(s, Seen::Pod(_))).unwrap();
        let first = seen.remove(first_pod);
        seen.insert(0, first);
        let name = if i == 0 { scenario.clone() } else { format!("{scenario}#{}", i + 1) };
        all.push(Recording { name, seen });
    }
    all
}

pub fn all_recordings() -> Vec<Recording> {
    scenarios().iter().flat_map(|s| recordings(s)).collect()
}

/// A row that is fed a recording, with the patches that follow performed.
#[derive(Default)]
pub struct Replay {
    pub row: Option<Row>,
    pub stored: Option<StoredOutcome>,
    pub events: Vec<TaskEvent>,
    recheck: Option<Timestamp>,
}

impl Replay {
    pub fn of(seen: &[(Timestamp, Seen)]) -> Replay {
        let mut replay = Replay::default();
        for (now, seen) in seen {
            replay.feed(*now, seen);
        }
        replay
    }

    pub fn feed(&mut self, now: Timestamp, seen: &Seen) {
        while let Some(at) = self.recheck.filter(|at| *at < now) {
            self.recheck = None;
            self.input(at, Input::Tick);
        }
        let input = match seen {
            Seen::Pod(o) => Input::Pod(self.patched(o)),
            Seen::Deleted(o) => Input::Gone(Some(self.patched(o))),
            Seen::Notice(occurred, notice) => Input::Notice { occurred: *occurred, notice: notice.clone() },
        };
        self.input(now, input);
    }

    fn patched(&self, o: &Arc<Observation>) -> Arc<Observation> {
        let mut o = Observation::clone(o);
        o.outcome = self.stored.clone();
        Arc::new(o)
    }

    pub fn input(&mut self, now: Timestamp, input: Input) {
        let done = match (self.row.take(), input) {
            (Some(row), input) => step(row, input, now),
            (None, Input::Pod(o)) => Row::first(o, now),
            (None, Input::Gone(Some(o))) => {
                let (row, mut first) = Row::first(Arc::clone(&o), now);
                let (row, gone) = step(row, Input::Gone(Some(o)), now);
                first.events.extend(gone.events);
                first.effects = gone.effects;
                (row, first)
            }
            (None, _) => return,
        };
        self.took(now, done);
    }

    fn took(&mut self, now: Timestamp, (row, step): (Row, Step)) {
        self.row = Some(row);
        self.events.extend(step.events);
        for effect in step.effects {
            match effect {
                Effect::StoreOutcome(outcome) => self.store(now, *outcome),
                Effect::StoreRecord { outcome, .. } => self.record(now, *outcome),
                Effect::Recheck { at } => self.recheck = Some(at),
            }
        }
    }

    fn store(&mut self, now: Timestamp, outcome: Outcome) {
        assert!(self.stored.is_none(), "stored twice");
        let text = outcome.to_text();
        assert_eq!(Outcome::from_text(&text).unwrap(), outcome);
        self.stored = Some(StoredOutcome { outcome, text });
        let mut o = Observation::clone(&self.patched(self.row.as_ref().unwrap().observation()));
        o.resource_version += 1;
        self.input(now, Input::Pod(Arc::new(o)));
    }

    fn record(&mut self, now: Timestamp, outcome: Outcome) {
        assert!(self.stored.is_none(), "a record decides only what was not stored");
        let text = outcome.to_text();
        self.stored = Some(StoredOutcome { outcome, text });
        self.input(now, Input::Recorded(Arc::new(self.stored.clone().unwrap())));
    }

    pub fn outcomes(&self) -> Vec<&StoredOutcome> {
        self.events
            .iter()
            .filter_map(|e| match &e.body {
                TaskEventBody::Outcome(stored) => Some(&**stored),
                _ => None,
            })
            .collect()
    }

    /// `STATE` or `STATE/REASON`, in order.
    pub fn transitions(&self) -> String {
        let texts = self.events.iter().filter_map(|e| match &e.body {
            TaskEventBody::State(change) => Some(match change.reason {
                Some(reason) => format!("{}/{reason}", change.state),
                None => change.state.to_string(),
            }),
            _ => None,
        });
        texts.collect::<Vec<_>>().join(" ")
    }
}
