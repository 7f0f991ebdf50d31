//! Replays what a real Kubernetes' watch said, scenario by scenario, through `observe` and `step`.
//!
//! ```text
//!   corpus/<scenario>.jsonl         ADDED, MODIFIED, DELETED ─┐ in time order
//!   corpus/<scenario>.events.jsonl  Events about the pod ─────┴─▶ Row ─▶ transitions, one outcome
//! ```
//!
//! A `StoreOutcome` effect is performed at once: the pod comes back with the annotation, and so do
//! all its later versions. Recorded resourceVersions are spread, to leave room for that patch.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)] // a test fails by panicking, and tells what it skipped

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use podlaunch::task::cursor::Cursor;
use podlaunch::task::observation::{NeverStarted, PendingReason, Stop, StopCause};
use podlaunch::task::outcome::decide;
use podlaunch::task::{
    ContainerPhase, ContainerState, Input, Observation, Outcome, Reason, RetryAdvice, State, TaskEvent, TaskEventBody,
    Terminated,
};
use proptest::prelude::*;

#[path = "corpus/endings.rs"]
mod endings;
#[path = "corpus/expected.rs"]
mod expected;
#[path = "corpus/legal.rs"]
mod legal;
#[path = "corpus/replay.rs"]
mod replay;
use expected::EXPECTED;
use legal::assert_legal;
use replay::{Recording, Replay, Seen, all_recordings, recordings};

fn text_of<T: serde::Serialize>(value: T) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap().to_string()
}

fn describe(o: &Outcome) -> String {
    let exit = o.exit_code.map_or("-".to_string(), |code| code.to_string());
    let (origin, advice, sure) = (text_of(o.origin), text_of(o.retry_advice), text_of(o.certainty));
    format!("{} {} {origin} {advice} {sure} {exit}", o.state, o.reason)
}

#[test]
fn every_scenario_gives_its_transitions_and_one_outcome() {
    let mut wrong = Vec::new();
    let mut names = BTreeSet::new();
    for recording in all_recordings() {
        let replay = Replay::of(&recording.seen);
        assert_legal(&recording.name, &replay.events);
        let outcomes: Vec<String> = replay.outcomes().iter().map(|s| describe(&s.outcome)).collect();
        let found = (replay.transitions(), outcomes.join(" | "));
        if let Some(e) = EXPECTED.iter().find(|e| e.name == recording.name)
            && (e.transitions, e.outcome) == (found.0.as_str(), found.1.as_str())
        {
            names.insert(e.name);
            continue;
        }
        wrong.push(format!(
            "    Expected {{ name: {:?}, transitions: {:?}, outcome: {:?} }},",
            recording.name, found.0, found.1
        ));
    }
    assert!(wrong.is_empty(), "{} differ; found:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(names.len(), EXPECTED.len(), "an expectation without a recording");
    assert!(names.len() >= 95);
}

#[test]
fn a_stored_outcome_stands_whatever_comes_later() {
    let mut later = 0;
    for recording in all_recordings() {
        let mut replay = Replay::default();
        for (now, seen) in &recording.seen {
            let told = replay.events.len();
            let stored = replay.stored.clone();
            replay.feed(*now, seen);
            if let Some(stored) = stored {
                let row = replay.row.as_ref().unwrap();
                assert_eq!(row.outcome().map(|o| &o.text), Some(&stored.text), "{}", recording.name);
                assert_eq!(row.state(), stored.outcome.state);
                assert_eq!(row.deadline(), None);
                assert_eq!(replay.events.len(), told, "{}: told after the outcome", recording.name);
                later += 1;
            }
        }
    }
    assert!(later > 60, "{later}");
}

/// The object of a lost node says "running" at its terminal phase and something else later: what
/// is decided first stands, but the two versions differ.
const DECIDED_EARLY: &[&str] = &["node-deleted-finalizer"];

#[test]
fn a_terminal_pod_seen_first_has_the_same_state() {
    let mut terminal = 0;
    for recording in all_recordings() {
        let whole = Replay::of(&recording.seen);
        for entry in &recording.seen {
            let (Seen::Pod(o) | Seen::Deleted(o)) = &entry.1 else { continue };
            let alone = Replay::of(std::slice::from_ref(entry));
            assert_legal(&recording.name, &alone.events);
            let Some(found) = alone.outcomes().first().map(|s| s.outcome.state) else {
                assert!(!o.phase_is_terminal(), "{}: {o:?} is not decidable", recording.name);
                continue;
            };
            let whole = &whole.outcomes()[0].outcome;
            if !DECIDED_EARLY.contains(&recording.name.as_str()) {
                assert_eq!(found, whole.state, "{} at {}", recording.name, o.resource_version);
            }
            terminal += 1;
        }
    }
    assert!(terminal > 100);
}

/// The same events have the same identity, whoever tells them: a replica that saw everything, or
/// one that saw a single version.
#[test]
fn an_event_has_one_uid_on_every_replica() {
    for recording in all_recordings() {
        let whole = Replay::of(&recording.seen);
        let content = |e: &TaskEvent| match &e.body {
            TaskEventBody::Container(c) => Some(format!("{} {} {:?}", c.container, c.restart, c.phase)),
            TaskEventBody::State(s) if s.state == State::Running && s.previous != Some(State::Unreachable) => {
                Some(s.state.to_string())
            }
            TaskEventBody::Outcome(_) => Some("outcome".into()),
            _ => None,
        };
        let known: BTreeMap<String, &str> =
            whole.events.iter().filter_map(|e| Some((content(e)?, e.uid.as_str()))).collect();
        for entry in &recording.seen {
            for event in Replay::of(std::slice::from_ref(entry)).events {
                let Some(uid) = content(&event).and_then(|c| known.get(&c).copied()) else { continue };
                assert_eq!(event.uid, uid, "{}: {event:?}", recording.name);
            }
        }
    }
}

/// Scenarios that wait for ever: our stop ends them, and what they waited for is the reason. The
/// pod then shows its container first as waiting, a moment later as not to be located.
#[test]
fn a_startup_timeout_has_the_reason_it_was_waiting_for() {
    for (name, reason, words, advice) in [
        ("errimagepull", Reason::ImagePullFailed, "registry.example/nope:1", RetryAdvice::SafeNeverStarted),
        ("errimagenever", Reason::ImageNeverPull, "pull policy of Never", RetryAdvice::SafeNeverStarted),
        ("invalid-image-name", Reason::ImageNameInvalid, "UPPER/Bad:1:2", RetryAdvice::Useless),
        (
            "missing-secret-key",
            Reason::CreateContainerConfigError,
            "secret \"nosuch\" not found",
            RetryAdvice::SafeNeverStarted,
        ),
        ("run-as-non-root", Reason::CreateContainerConfigError, "runAsNonRoot", RetryAdvice::SafeNeverStarted),
        ("missing-configmap-volume", Reason::VolumeMountFailed, "configmap", RetryAdvice::SafeNeverStarted),
        ("recreate-same-name#2", Reason::StartupTimeout, "", RetryAdvice::SafeNeverStarted),
    ] {
        let recordings = recordings(name.trim_end_matches("#2"));
        let recording = recordings.iter().find(|r| r.name == name).unwrap();
        let mut replay = Replay::of(&recording.seen);
        let (now, _) = recording.seen.last().unwrap();
        let row = replay.row.as_ref().unwrap();
        let pending = row.pending_for_stop().unwrap();
        assert_eq!((pending.reason, pending.never_started), (reason, NeverStarted::Proven), "{name}");
        let mut waiting = Observation::clone(row.observation());
        waiting.stop = Some(stop(StopCause::StartupTimeout, *now, Some(pending)));
        waiting.resource_version += 1;
        replay.input(*now, Input::Pod(Arc::new(waiting.clone())));
        let mut failed = waiting;
        failed.resource_version += 1;
        failed.phase = "Failed".into();
        failed.reason = Some("DeadlineExceeded".into());
        let mut unknown = failed.clone();
        container_status_unknown(&mut unknown);
        let [first, amended] = [decide(&failed).unwrap(), decide(&unknown).unwrap()];
        for o in [&first, &amended] {
            assert_eq!((o.state, o.reason, o.retry_advice), (State::Failed, reason, advice), "{name}");
            assert_eq!((o.timeout, o.exit_code), (Some(StopCause::StartupTimeout), None));
            assert!(o.kubernetes_message.contains(words), "{name}: {}", o.kubernetes_message);
        }
        let besides = |o: &Outcome| Outcome { containers: Vec::new(), ..o.clone() };
        assert_eq!(besides(&first), besides(&amended), "{name}");
        replay.input(*now, Input::Pod(Arc::new(failed)));
        assert_eq!(replay.outcomes()[0].outcome, first);
        assert!(replay.transitions().ends_with("TERMINATING/STARTUP_TIMEOUT"));
    }
}

#[test]
fn a_schedule_timeout_has_the_reason_it_was_waiting_for() {
    for name in ["unschedulable-cpu", "unschedulable-selector"] {
        let recording = &recordings(name)[0];
        let (now, _) = recording.seen.last().unwrap();
        for cause in [StopCause::ScheduleTimeout, StopCause::Cancel] {
            let mut replay = Replay::of(&recording.seen);
            let row = replay.row.as_ref().unwrap();
            let mut stopped = Observation::clone(row.observation());
            stopped.stop = Some(stop(cause, *now, row.pending_for_stop()));
            stopped.resource_version += 1;
            replay.input(*now, Input::Pod(Arc::new(stopped.clone())));
            // Not bound: it is deleted, and gone at once.
            stopped.resource_version += 1;
            (stopped.deletion, stopped.deletion_grace) = (Some(*now), Some(0));
            replay.input(*now, Input::Gone(Some(Arc::new(stopped))));
            let o = &replay.outcomes()[0].outcome;
            let (state, reason) = match cause {
                StopCause::Cancel => (State::Cancelled, Reason::CancelledByCaller),
                _ => (State::Failed, Reason::Unschedulable),
            };
            assert_eq!((o.state, o.reason), (state, reason), "{name}");
            assert_eq!(o.retry_advice, RetryAdvice::SafeNeverStarted);
            assert_eq!(o.timeout.is_some(), cause == StopCause::ScheduleTimeout);
        }
    }
}

#[test]
fn the_words_of_kubernetes_are_in_the_outcome() {
    let outcome = |name: &str| Replay::of(&recordings(name)[0].seen).outcomes()[0].outcome.clone();
    let start = outcome("start-error");
    assert_eq!((start.kubernetes_reason.as_str(), start.container.as_str()), ("StartError", "main"));
    assert!(start.kubernetes_message.contains("no such file or directory"), "{}", start.kubernetes_message);
    assert_eq!((start.times.started, start.exit_code, start.signal), (None, None, None));
    assert_eq!(outcome("termination-message").termination_message, "result\n");
    assert_eq!(outcome("termination-message-fallback").termination_message, "a line\nboom\n");
    assert_eq!(outcome("init-fail").container, "init");
    assert!(outcome("oom").oom_killed && outcome("oom-child-exit0").oom_killed);
    assert_eq!(outcome("evict-killed").kubernetes_message, "Eviction API: evicting");
    assert_eq!(outcome("admission-outofcpu").kubernetes_reason, "OutOfcpu");
    assert_eq!(outcome("deadline").kubernetes_reason, "DeadlineExceeded");
    let child = Replay::of(&recordings("oom-child-exit0")[0].seen);
    let remark = |e: &TaskEvent| matches!(&e.body, TaskEventBody::Notice(n) if n.reason == "ChildOOMKilled");
    assert_eq!(child.events.iter().filter(|e| remark(e)).count(), 1);
}

#[test]
fn restarts_are_told_once_each_and_coalesced_ones_too() {
    let recording = &recordings("onfailure-retry")[0];
    let told = |seen: &[(Timestamp, Seen)]| {
        let texts = Replay::of(seen).events.into_iter().filter_map(|e| match e.body {
            TaskEventBody::Container(c) => Some(match c.phase {
                ContainerPhase::Waiting { reason, .. } => format!("{} {reason}", c.restart),
                ContainerPhase::Running { .. } => format!("{} running", c.restart),
                ContainerPhase::Terminated(t) => format!("{} exit {}", c.restart, t.code),
            }),
            _ => None,
        });
        texts.collect::<Vec<_>>()
    };
    let whole = ["0 ContainerCreating", "0 running", "0 exit 1", "1 exit 1", "2 CrashLoopBackOff", "2 exit 1"];
    assert_eq!(told(&recording.seen), whole);
    let pods: Vec<_> = recording.seen.iter().filter(|(_, s)| matches!(s, Seen::Pod(_))).cloned().collect();
    assert_eq!(told(&pods[pods.len() - 1..]), ["1 exit 1", "2 exit 1"]);
    assert_eq!(told(&[pods[0].clone(), pods[5].clone()]), ["0 exit 1", "1 exit 1"]);
}

fn stop(cause: StopCause, time: Timestamp, pending: Option<PendingReason>) -> Stop {
    Stop { cause, caller: String::new(), message: String::new(), time, grace_seconds: 2, pending }
}

fn container_status_unknown(o: &mut Observation) {
    for c in &mut o.containers {
        c.state = ContainerState::Terminated(Terminated {
            code: 137,
            signal: None,
            reason: "ContainerStatusUnknown".into(),
            message: "The container could not be located when the pod was terminated".into(),
            started: None,
            finished: None,
        });
    }
}

/// A recording and a choice of what a watch that was away now and then saw of it.
fn coalesced() -> impl Strategy<Value = (usize, Vec<bool>, Vec<bool>, usize)> {
    let choice = || proptest::collection::vec(any::<bool>(), 40);
    (0usize..1000, choice(), choice(), 0usize..60)
}

fn thin(seen: &[(Timestamp, Seen)], keep: &[bool]) -> Vec<(Timestamp, Seen)> {
    let last_pod = seen.iter().rposition(|(_, s)| !matches!(s, Seen::Notice(..)));
    let kept = |i: usize| Some(i) == last_pod || keep[i % keep.len()];
    let mut thin: Vec<_> = (0..seen.len()).filter(|i| kept(*i)).map(|i| seen[i].clone()).collect();
    // An event about a pod that is not known yet is nobody's.
    let first = thin.iter().position(|(_, s)| !matches!(s, Seen::Notice(..))).unwrap();
    thin.drain(..first);
    thin
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_missed_there_is_one_outcome((which, keep, _, _) in coalesced()) {
        let all = &*ALL;
        let recording = &all[which % all.len()];
        let replay = Replay::of(&thin(&recording.seen, &keep));
        assert_legal(&recording.name, &replay.events);
        let whole = EXPECTED.iter().find(|e| e.name == recording.name).unwrap();
        let outcomes = replay.outcomes();
        prop_assert_eq!(outcomes.len(), usize::from(!whole.outcome.is_empty()), "{}", &recording.name);
        if let Some(stored) = outcomes.first() && !DECIDED_EARLY.contains(&recording.name.as_str()) {
            prop_assert_eq!(stored.outcome.state.as_str(), whole.outcome.split(' ').next().unwrap(), "{}", &recording.name);
        }
    }

    /// A stream is cut anywhere, its cursor given to another replica that saw other parts: nothing
    /// comes twice, no state goes back, and the outcome comes.
    #[test]
    fn a_stream_goes_on_at_any_replica((which, here, there, cut) in coalesced()) {
        let all = &*ALL;
        let recording = &all[which % all.len()];
        let [a, b] = [&here, &there].map(|keep| Replay::of(&thin(&recording.seen, keep)));
        let mut cursor = Cursor::start(7, recording.name.clone());
        let mut sent: Vec<&TaskEvent> = Vec::new();
        for event in a.events.iter().take(cut % (a.events.len() + 1)) {
            cursor.passed(event);
            sent.push(event);
        }
        let mut cursor = Cursor::decode(&cursor.encode(), 7).unwrap();
        // What is there already, then the rest as it comes.
        let there = cut % (b.events.len() + 1);
        for i in cursor.unsent(&b.events[..there]) {
            cursor.passed(&b.events[i]);
            sent.push(&b.events[i]);
        }
        for event in &b.events[there..] {
            if cursor.wants(event) {
                cursor.passed(event);
                sent.push(event);
            }
        }
        let mut uids = BTreeSet::new();
        let mut rank = 0;
        for event in &sent {
            prop_assert!(uids.insert(&event.uid), "{}: {:?} came twice", &recording.name, event);
            if let TaskEventBody::State(change) = &event.body && change.state != State::Unreachable {
                prop_assert!(change.state.rank() >= rank, "{}: back to {:?}", &recording.name, change);
                rank = change.state.rank();
            }
        }
        let outcomes = sent.iter().filter(|e| matches!(e.body, TaskEventBody::Outcome(_))).count();
        prop_assert_eq!(outcomes, b.outcomes().len().max(a.outcomes().len()).min(1));
        prop_assert!(cursor.unsent(&b.events).is_empty());
    }
}

static ALL: LazyLock<Vec<Recording>> = LazyLock::new(all_recordings);
