use super::super::tests::{at, container, ended, pod, terminated, with};
use super::super::{Before, Certainty, decide, decide_gone, decide_vanished};
use super::*;
use crate::task::observation::{Condition, Stop, StopCause, Terminated};
use crate::task::reason::Reason;
use crate::task::state::State;

fn running() -> ContainerState {
    ContainerState::Running { started: Some(at(5)) }
}

/// The primary has ended with this code, and `side` still runs.
fn left(code: i32, reason: &str) -> Observation {
    with(ended("Running", terminated(code, reason)), |o| o.containers.push(container("side", Role::Other, running())))
}

fn on_failure(o: Observation) -> Observation {
    with(o, |o| o.restart_policy = "OnFailure".into())
}

fn side_is(o: Observation, role: Role, state: ContainerState) -> Observation {
    with(o, |o| o.containers[1] = container("side", role, state))
}

fn condition(o: &mut Observation, kind: &str, status: &str, reason: &str) {
    let (kind, status, reason) = (kind.into(), status.into(), Some(reason.into()));
    o.conditions.push(Condition { kind, status, reason, message: None, since: Some(at(12)) });
}

fn stop() -> Stop {
    let (caller, message) = Default::default();
    Stop { cause: StopCause::Cancel, caller, message, time: at(8), grace_seconds: 30, pending: None }
}

fn over(code: i32) -> ContainerState {
    ContainerState::Terminated(terminated(code, if code == 0 { "Completed" } else { "Error" }))
}

#[test]
fn what_is_left_over() {
    let waits = || ContainerState::Waiting { reason: "ImagePullBackOff".into(), message: String::new() };
    for (what, o) in [
        ("beside exit 0", left(0, "Completed")),
        ("beside exit 3", left(3, "Error")),
        ("beside a kill from inside", left(137, "OOMKilled")),
        ("beside a command that could not be started", left(128, "StartError")),
        ("under OnFailure, beside exit 0", on_failure(left(0, "Completed"))),
        ("not started yet", side_is(left(0, "Completed"), Role::Other, waits())),
        ("never seen", side_is(left(0, "Completed"), Role::Other, ContainerState::Unset)),
        ("to be started again", on_failure(side_is(left(0, "Completed"), Role::Other, over(3)))),
        ("a deadline that is far", with(left(137, "Error"), |o| o.active_deadline_seconds = Some(60))),
        (
            "decided, its deadline near",
            with(left(0, "Completed"), |o| {
                o.active_deadline_seconds = Some(9);
                o.outcome = Some(stored());
            }),
        ),
        ("unready", with(left(0, "Completed"), |o| condition(o, "ContainersReady", "False", "ContainersNotReady"))),
    ] {
        assert!(is_left_over(&o), "{what}");
    }
}

#[test]
fn what_is_not() {
    let done = |change: fn(&mut Observation)| with(left(137, "Error"), change);
    for (what, o) in [
        (
            "the primary runs",
            with(pod("Running", running()), |o| o.containers.push(container("side", Role::Other, running()))),
        ),
        ("the primary is started again", on_failure(left(3, "Error"))),
        ("alone", ended("Running", terminated(0, "Completed"))),
        ("a native sidecar", side_is(left(0, "Completed"), Role::Sidecar, running())),
        ("both have ended", side_is(left(0, "Completed"), Role::Other, over(3))),
        ("under OnFailure, both for good", on_failure(side_is(left(0, "Completed"), Role::Other, over(0)))),
        ("stopped", done(|o| o.stop = Some(stop()))),
        ("cleaned up", done(|o| o.cleanup = Some(at(20)))),
        ("deleted", done(|o| o.deletion = Some(at(20)))),
        ("disrupted", done(|o| condition(o, "DisruptionTarget", "True", "PreemptionByScheduler"))),
        ("evicted, its last container in its grace", done(|o| condition(o, "Ready", "False", "PodFailed"))),
        ("ended by the node", done(|o| condition(o, "ContainersReady", "False", "PodCompleted"))),
        ("failed", done(|o| o.phase = "Failed".into())),
        ("never bound", done(|o| o.node = None)),
        ("its deadline is here", done(|o| o.active_deadline_seconds = Some(9))),
    ] {
        assert!(!is_left_over(&o), "{what}");
    }
}

fn stored() -> crate::task::observation::StoredOutcome {
    let outcome = decide(&left(0, "Completed")).expect("decided");
    crate::task::observation::StoredOutcome { text: outcome.to_text(), outcome }
}

#[test]
fn it_counts_from_the_later_of_end_and_report() {
    assert_eq!(left_over_since(&left(0, "Completed")), Some(at(10)));
    let reported = with(left(0, "Completed"), |o| condition(o, "ContainersReady", "False", "ContainersNotReady"));
    assert_eq!(left_over_since(&reported), Some(at(12)));
    let unlocated = Terminated { finished: None, ..terminated(137, "ContainerStatusUnknown") };
    assert_eq!(
        left_over_since(&with(left(0, ""), |o| o.containers[0].state = ContainerState::Terminated(unlocated))),
        None
    );
    assert_eq!(left_over_since(&on_failure(left(3, "Error"))), None);
}

/// What may have been a kill of the pod is waited for; an own exit, and what is decided, is not.
#[test]
fn a_kill_may_have_been_the_pods() {
    let seconds = |o: &Observation| must_have_gone_on(o).as_secs();
    assert_eq!([(137, "Error"), (143, "Error"), (137, "OOMKilled")].map(|(c, r)| seconds(&left(c, r))), [35; 3]);
    assert_eq!([(0, "Completed"), (3, "Error"), (128, "StartError")].map(|(c, r)| seconds(&left(c, r))), [0; 3]);
    assert_eq!(seconds(&with(left(137, "ContainerStatusUnknown"), |o| o.grace_seconds = 2)), 7);
    assert_eq!(seconds(&with(left(143, "Error"), |o| o.outcome = Some(stored()))), 0);
    assert_eq!(seconds(&on_failure(left(143, "Error"))), 0, "it is started again");
}

type Ending = (State, Reason, Option<i32>, Certainty);

/// What follows a cleanup, whatever it is: the deadline that ends the pod, a deletion, an eviction, nothing.
fn afterwards(o: &Observation) -> Vec<Observation> {
    let ended = |o: &Observation, reason: &str| {
        with(o.clone(), |o| {
            (o.phase, o.reason) = ("Failed".into(), Some(reason.into()));
            o.containers[1].state = over(137);
        })
    };
    let deleted = with(o.clone(), |o| (o.deletion, o.deletion_grace) = (Some(at(21)), Some(1)));
    let taken = with(deleted.clone(), |o| condition(o, "DisruptionTarget", "True", "EvictionByEvictionAPI"));
    vec![o.clone(), ended(o, "DeadlineExceeded"), ended(o, "Evicted"), ended(&deleted, "DeadlineExceeded"), taken]
}

#[test]
fn a_cleanup_never_enters_the_outcome() {
    use Certainty::Observed;
    for (code, word, expected) in [
        (0, "Completed", (State::Succeeded, Reason::Completed, Some(0), Observed)),
        (3, "Error", (State::Failed, Reason::ExitCode, Some(3), Observed)),
        (137, "Error", (State::Failed, Reason::ExitCode, Some(137), Observed)),
        (137, "OOMKilled", (State::Failed, Reason::OomKilled, Some(137), Observed)),
    ] {
        let left = left(code, word);
        // What a kill was comes only with the phase, so without a cleanup it is never known.
        assert_eq!(decide(&left).is_some(), code < 128, "{code}");
        for policy in ["Never", "OnFailure"] {
            let cleaned = with(left.clone(), |o| (o.restart_policy, o.cleanup) = (policy.into(), Some(at(20))));
            if cleaned.primary_ended().is_none() {
                continue;
            }
            for o in afterwards(&cleaned) {
                let of = |outcome: super::super::Outcome| -> Ending {
                    (outcome.state, outcome.reason, outcome.exit_code, outcome.certainty)
                };
                assert_eq!(decide(&o).map(of), Some(expected), "{o:?}");
                assert_eq!(of(decide_gone(&o, Before::Unknown)), expected, "{o:?}");
                assert_eq!(of(decide_vanished(&o, Before::Unknown)), expected, "{o:?}");
                assert_eq!(decide(&o).and_then(|outcome| outcome.timeout), None);
            }
        }
    }
}

/// Without one, the deadline is what ended the pod.
#[test]
fn a_deadline_without_a_cleanup_counts() {
    let o = with(left(137, "Error"), |o| (o.phase, o.reason) = ("Failed".into(), Some("DeadlineExceeded".into())));
    assert_eq!(decide(&o).map(|outcome| outcome.reason), Some(Reason::DeadlineExceeded));
}
