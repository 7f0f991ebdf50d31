use std::sync::Arc;

use super::*;
use crate::cluster::StoredRecord;
use crate::task::observation::{
    ContainerObservation, ContainerState, Observation, Role, Stop, StoredOutcome, Terminated,
};
use crate::task::{Instance, Record, TaskKey};

const WINDOW: i64 = 3600;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn rules() -> Rules {
    let seconds = SignedDuration::from_secs;
    Rules {
        window: seconds(WINDOW),
        after_success: seconds(600),
        after_failure: seconds(86_400),
        sidecar_grace: seconds(10),
    }
}

/// A record of a task cancelled at 0: the shortest way to a stored outcome.
fn record() -> Record {
    let stop = Stop {
        cause: StopCause::Cancel,
        caller: String::new(),
        message: String::new(),
        time: at(0),
        grace_seconds: 0,
        pending: None,
    };
    let key = TaskKey::new("", "ns", "t", 1).unwrap();
    Record::unlaunched(&key, &Instance::default(), stop, SignedDuration::from_secs(WINDOW))
}

/// A finished task whose pod is there, ended at 0.
fn finished(state: State) -> View {
    let record = record();
    let mut outcome = record.outcome.outcome.clone();
    outcome.state = state;
    let outcome = Arc::new(StoredOutcome { text: outcome.to_text(), outcome });
    View {
        observation: Arc::new(Observation { uid: "u".into(), ..record.observation() }),
        state,
        pending: None,
        outcome: Some(outcome),
        ended: Some(at(0)),
        presence: Presence::Present,
        observed: at(0),
    }
}

fn with(view: View, change: impl FnOnce(&mut Observation)) -> View {
    let mut seen = Observation::clone(&view.observation);
    change(&mut seen);
    View { observation: Arc::new(seen), ..view }
}

fn recorded(seen: i64) -> Recorded {
    let stored = StoredRecord { name: "n".into(), uid: "r".into(), version: "1".into(), record: record() };
    Recorded { stored, seen: at(seen) }
}

fn next(view: &View, recorded: Option<&Recorded>, now: i64) -> Option<(i64, Act)> {
    let duty = duty(&Look { view, deadline: None, recorded }, &rules(), at(now));
    duty.map(|duty| (duty.at.as_second() - at(0).as_second(), duty.act))
}

#[test]
fn a_finished_pod_goes_in_steps() {
    let view = finished(State::Succeeded);
    assert_eq!(next(&view, None, 5), Some((600, Act::Retire)), "it is kept");
    assert_eq!(next(&view, None, 600), Some((600, Act::Record)), "its key must stay taken");
    assert_eq!(next(&view, Some(&recorded(601)), 602), Some((611, Act::Retire)), "the record settles");
    assert_eq!(next(&view, Some(&recorded(601)), 700), Some((700, Act::Retire)));
    let gone = View { presence: Presence::Gone, ..view };
    assert_eq!(next(&gone, Some(&recorded(601)), 700), Some((WINDOW, Act::Expire)));
}

#[test]
fn a_failed_pod_outlives_its_window_and_needs_no_record() {
    let view = finished(State::Failed);
    assert_eq!(next(&view, None, 5), Some((86_400, Act::Retire)));
    assert_eq!(next(&view, None, 86_400), Some((86_400, Act::Retire)));
}

#[test]
fn what_a_task_asked_for_counts_more() {
    let keep = with(finished(State::Succeeded), |o| o.policy.retention = Retention::Keep);
    assert_eq!(next(&keep, None, 1_000_000), None);
    let at_once = Retention::After { success: Some(0), failure: None };
    let at_once = with(finished(State::Succeeded), |o| o.policy.retention = at_once);
    assert_eq!(next(&at_once, None, 1), Some((1, Act::Record)));
    let released = with(keep, |o| o.released = Some(at(7)));
    assert_eq!(next(&released, None, 8), Some((8, Act::Record)));
}

#[test]
fn a_pod_that_others_delete_is_recorded_at_once() {
    let leaving = with(finished(State::Failed), |o| o.deletion = Some(at(3)));
    assert_eq!(next(&leaving, None, 3), Some((3, Act::Record)));
    assert_eq!(next(&leaving, Some(&recorded(4)), 5), None, "nothing of ours keeps it");
    let held = with(leaving, |o| o.has_finalizer = Holding::Held);
    assert_eq!(next(&held, Some(&recorded(4)), 5), Some((14, Act::Retire)));
    assert_eq!(next(&held, None, WINDOW), Some((WINDOW, Act::Retire)), "the key is not needed any more");
    let gone = View { presence: Presence::Gone, ..held };
    assert_eq!(next(&gone, None, 9), Some((9, Act::Record)));
    assert_eq!(next(&gone, None, WINDOW), None);
}

#[test]
fn a_task_nobody_listens_to_is_stopped() {
    let active = with(View { outcome: None, ended: None, ..finished(State::Running) }, |o| {
        (o.stop, o.attached_until, o.policy.cancel_after) = (None, Some(at(80)), Some(60));
    });
    let disconnected = Act::Stop(StopCause::Disconnected);
    assert_eq!(next(&active, None, 10), Some((80, disconnected)));
    let deadline = Some(Deadline { at: at(30), cause: StopCause::ExecutionTimeout });
    let first = duty(&Look { view: &active, deadline, recorded: None }, &rules(), at(10)).unwrap();
    assert_eq!((first.at, first.act), (at(30), Act::Stop(StopCause::ExecutionTimeout)));
    let lost = Some(Deadline { at: at(20), cause: StopCause::LostTimeout });
    let first = duty(&Look { view: &active, deadline: lost, recorded: None }, &rules(), at(10)).unwrap();
    assert_eq!(first.act, Act::DeclareLost);
    let detached = with(active.clone(), |o| o.policy.cancel_after = None);
    assert_eq!(next(&detached, None, 90), None);
    let stopping = with(active, |o| o.deletion = Some(at(5)));
    assert_eq!(next(&stopping, None, 90), None);
    // A pod that is gone undecided waits for the record that decides it.
    let gone = View { outcome: None, presence: Presence::Gone, ..finished(State::Running) };
    assert_eq!(next(&gone, None, 90), None);
}

/// A pod of which `main` has ended at -1 by the node's clock, and `side` still runs.
fn left_over(o: &mut Observation) {
    let container = |name: &str, role, state| ContainerObservation {
        name: name.into(),
        role,
        restarts: 0,
        container_id: None,
        image: String::new(),
        image_id: None,
        state,
        last: None,
    };
    let end = Terminated {
        code: 137,
        signal: None,
        reason: "Error".into(),
        message: String::new(),
        started: Some(at(-5)),
        finished: Some(at(-1)),
    };
    (o.stop, o.deletion, o.cleanup, o.outcome) = (None, None, None, None);
    (o.phase, o.reason, o.node) = ("Running".into(), None, Some("n".into()));
    o.grace_seconds = 2;
    (o.restart_policy, o.primary) = ("Never".into(), "main".into());
    o.containers = vec![
        container("main", Role::Primary, ContainerState::Terminated(end)),
        container("side", Role::Other, ContainerState::Running { started: Some(at(-5)) }),
    ];
}

#[test]
fn what_goes_on_after_the_primary_is_cleaned_up() {
    let undecided = with(View { outcome: None, ended: None, ..finished(State::Running) }, left_over);
    assert_eq!(next(&undecided, None, 3), Some((10, Act::CleanUp)), "since it was seen");
    let slow = with(undecided.clone(), |o| o.grace_seconds = 30);
    assert_eq!(next(&slow, None, 3), Some((35, Act::CleanUp)), "a kill may have been the pod's");
    let behind = View { observed: at(20), ..slow };
    assert_eq!(next(&behind, None, 3), Some((55, Act::CleanUp)), "the node's clock may be behind");
    let nobody = with(undecided.clone(), |o| {
        (o.policy.cancel_after, o.attached_until) = (Some(60), Some(at(1)));
    });
    assert_eq!(next(&nobody, None, 3), Some((10, Act::CleanUp)), "there is nothing to cancel");
    let lost = Some(Deadline { at: at(4), cause: StopCause::LostTimeout });
    let first = duty(&Look { view: &undecided, deadline: lost, recorded: None }, &rules(), at(3));
    assert_eq!(first.map(|duty| duty.act), Some(Act::DeclareLost));

    let decided = with(finished(State::Succeeded), left_over);
    assert_eq!(next(&decided, None, 3), Some((10, Act::CleanUp)), "by podlaunch's clock");
    assert_eq!(next(&decided, None, 30), Some((10, Act::CleanUp)), "the keeper was away");
    assert_eq!(next(&decided, None, 700), Some((700, Act::Record)), "what cannot be cleaned up goes with the pod");
    let kept = with(decided.clone(), |o| o.policy.retention = Retention::Keep);
    assert_eq!(next(&kept, None, 3), Some((10, Act::CleanUp)));
    let cleaned = with(decided.clone(), |o| o.cleanup = Some(at(11)));
    assert_eq!(next(&cleaned, None, 12), Some((600, Act::Retire)), "once");
    let released = with(decided, |o| o.released = Some(at(2)));
    assert_eq!(next(&released, None, 3), Some((3, Act::Record)), "the pod goes before");
}
