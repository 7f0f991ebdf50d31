use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::task::key::TaskKey;
use crate::task::observation::{
    Condition, ContainerObservation, ContainerState, Holding, NeverStarted, Observation, PendingReason, Terminated,
};
use crate::task::policy::StoredPolicy;

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub(super) fn terminated(code: i32, reason: &str) -> Terminated {
    Terminated {
        code,
        signal: None,
        reason: reason.into(),
        message: String::new(),
        started: Some(at(5)),
        finished: Some(at(10)),
    }
}

fn unknown() -> Terminated {
    Terminated { started: None, finished: None, ..terminated(137, "ContainerStatusUnknown") }
}

pub(super) fn container(name: &str, role: Role, state: ContainerState) -> ContainerObservation {
    ContainerObservation {
        name: name.into(),
        role,
        restarts: 0,
        container_id: None,
        image: "i".into(),
        image_id: None,
        state,
        last: None,
    }
}

pub(super) fn waiting() -> ContainerState {
    ContainerState::Waiting { reason: "ContainerCreating".into(), message: String::new() }
}

/// A bound pod whose primary is in `state`.
pub(super) fn pod(phase: &str, state: ContainerState) -> Observation {
    Observation {
        key: TaskKey::new("", "ns", "t", 1).unwrap(),
        pod_name: "t-x".into(),
        uid: "u-1".into(),
        resource_version: 7,
        generation: None,
        observed_generation: None,
        fingerprint: String::new(),
        labels: std::collections::BTreeMap::new(),
        attached_attempts: Vec::new(),
        primary: "main".into(),
        policy: StoredPolicy::default(),
        traceparent: None,
        created: Some(at(0)),
        deletion: None,
        deletion_grace: None,
        has_finalizer: Holding::Free,
        stop: None,
        outcome: None,
        ended: None,
        released: None,
        cleanup: None,
        attached_until: None,
        node: Some("n".into()),
        gates: Vec::new(),
        restart_policy: "Never".into(),
        active_deadline_seconds: None,
        grace_seconds: 30,
        phase: phase.into(),
        reason: None,
        message: None,
        start_time: Some(at(1)),
        conditions: Vec::new(),
        containers: vec![container("main", Role::Primary, state)],
        literals: crate::task::Literals::default(),
        result_sidecar: None,
    }
}

pub(super) fn ended(phase: &str, t: Terminated) -> Observation {
    pod(phase, ContainerState::Terminated(t))
}

pub(super) fn with(mut o: Observation, change: impl FnOnce(&mut Observation)) -> Observation {
    change(&mut o);
    o
}

fn disrupted(o: &mut Observation, reason: &str, second: i64) {
    o.conditions.push(Condition {
        kind: "DisruptionTarget".into(),
        status: "True".into(),
        reason: Some(reason.into()),
        message: Some("words".into()),
        since: Some(at(second)),
    });
}

fn deleted(o: &mut Observation, second: i64, grace: i64) {
    (o.deletion, o.deletion_grace) = (Some(at(second + grace)), Some(grace));
}

fn stopped(o: &mut Observation, cause: StopCause, never_started: Option<NeverStarted>) {
    let pending = never_started.map(|never_started| PendingReason {
        reason: Reason::ImagePullFailed,
        kubernetes_reason: "ErrImagePull".into(),
        kubernetes_message: "no such image".into(),
        never_started,
    });
    let (caller, message) = Default::default();
    o.stop = Some(Stop { cause, caller, message, time: at(8), grace_seconds: 30, pending });
}

/// State, reason, origin, advice, certainty, exit code.
fn short(o: &Outcome) -> String {
    let text = |v: serde_json::Value| v.as_str().unwrap().to_string();
    let json = serde_json::to_value(o).unwrap();
    let exit = o.exit_code.map_or("-".to_string(), |c| c.to_string());
    let [origin, advice, sure] = ["origin", "retry_advice", "certainty"].map(|k| text(json[k].clone()));
    format!("{} {} {origin} {advice} {sure} {exit}", o.state, o.reason)
}

#[test]
fn decidable_at_the_primarys_own_end_if_nothing_else_can_explain_it() {
    let exits = |code| ended("Running", terminated(code, "Error"));
    let start_error = || ended("Pending", terminated(128, "StartError"));
    for (what, o, decidable) in [
        ("exit 0", exits(0), true),
        ("exit 127", exits(127), true),
        ("killed", exits(137), false),
        ("128", exits(128), false),
        ("unknown", ended("Running", unknown()), false),
        ("start error", ended("Pending", terminated(128, "StartError")), true),
        ("start error while deleted", with(start_error(), |o| deleted(o, 20, 5)), false),
        ("start error under a stop", with(start_error(), |o| stopped(o, StopCause::Cancel, None)), false),
        ("start error at the deadline", with(start_error(), |o| o.active_deadline_seconds = Some(10)), false),
        ("start error to be repeated", with(start_error(), |o| o.restart_policy = "OnFailure".into()), false),
        ("running", pod("Running", ContainerState::Running { started: None }), false),
        ("OnFailure", with(exits(3), |o| o.restart_policy = "OnFailure".into()), false),
        ("deleted", with(exits(0), |o| deleted(o, 20, 5)), false),
        ("stopped", with(exits(0), |o| stopped(o, StopCause::Cancel, None)), false),
        ("disrupted", with(exits(0), |o| disrupted(o, "EvictionByEvictionAPI", 20)), false),
        ("pod reason", with(exits(0), |o| o.reason = Some("Evicted".into())), false),
        // Ended 9 s after the pod's start, by stamps cut to seconds.
        ("deadline far", with(exits(0), |o| o.active_deadline_seconds = Some(11)), true),
        ("deadline near", with(exits(0), |o| o.active_deadline_seconds = Some(10)), false),
        ("no start", with(exits(0), |o| (o.active_deadline_seconds, o.start_time) = (Some(99), None)), false),
        ("terminal", ended("Failed", terminated(137, "Error")), true),
        ("unbound", with(pod("Pending", ContainerState::Unset), |o| o.node = None), false),
        (
            "unbound and deleted",
            with(pod("Pending", ContainerState::Unset), |o| {
                o.node = None;
                deleted(o, 1, 0);
            }),
            true,
        ),
    ] {
        assert_eq!(decide(&o).is_some(), decidable, "{what}");
    }
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table")]
fn precedence() {
    let killed = || ended("Failed", terminated(137, "Error"));
    let done = || ended("Succeeded", terminated(0, "Completed"));
    let cases = [
        (
            "stop over disruption",
            with(killed(), |o| {
                stopped(o, StopCause::Cancel, None);
                disrupted(o, "DeletionByPodGC", 9);
            }),
            "CANCELLED CANCELLED_BY_CALLER CALLER MAY_HAVE_SIDE_EFFECTS OBSERVED 137",
        ),
        (
            "exit 0 under a cancel",
            with(done(), |o| stopped(o, StopCause::Cancel, None)),
            "CANCELLED CANCELLED_BY_CALLER CALLER MAY_HAVE_SIDE_EFFECTS OBSERVED 0",
        ),
        (
            "exit 0 under a timeout",
            with(done(), |o| stopped(o, StopCause::ExecutionTimeout, None)),
            "FAILED EXECUTION_TIMEOUT CALLER MAY_HAVE_SIDE_EFFECTS OBSERVED 0",
        ),
        (
            "disconnected",
            with(killed(), |o| stopped(o, StopCause::Disconnected, None)),
            "CANCELLED DISCONNECTED CALLER MAY_HAVE_SIDE_EFFECTS OBSERVED 137",
        ),
        (
            "stop of a pull",
            with(ended("Failed", unknown()), |o| stopped(o, StopCause::StartupTimeout, Some(NeverStarted::Proven))),
            "FAILED IMAGE_PULL_FAILED USER SAFE_NEVER_STARTED OBSERVED -",
        ),
        (
            "stop of a pull that just got through",
            with(killed(), |o| stopped(o, StopCause::StartupTimeout, Some(NeverStarted::Proven))),
            "FAILED IMAGE_PULL_FAILED USER MAY_HAVE_SIDE_EFFECTS OBSERVED 137",
        ),
        (
            "stop, nothing known",
            with(ended("Failed", unknown()), |o| stopped(o, StopCause::StartupTimeout, None)),
            "FAILED STARTUP_TIMEOUT CALLER MAY_HAVE_SIDE_EFFECTS INFERRED -",
        ),
        (
            "cancel while waiting",
            with(pod("Failed", waiting()), |o| stopped(o, StopCause::Cancel, None)),
            "CANCELLED CANCELLED_BY_CALLER CALLER SAFE_NEVER_STARTED OBSERVED -",
        ),
        (
            "evicted by kubelet",
            with(killed(), |o| {
                o.reason = Some("Evicted".into());
                disrupted(o, "TerminationByKubelet", 60);
            }),
            "DISRUPTED EVICTED CLUSTER MAY_HAVE_SIDE_EFFECTS OBSERVED 137",
        ),
        (
            "critical pod",
            with(killed(), |o| {
                o.reason = Some("Preempting".into());
                disrupted(o, "TerminationByKubelet", 9);
            }),
            "DISRUPTED PREEMPTED_BY_NODE CLUSTER MAY_HAVE_SIDE_EFFECTS OBSERVED 137",
        ),
        (
            "node shutdown",
            with(killed(), |o| o.reason = Some("Terminated".into())),
            "DISRUPTED NODE_SHUTDOWN CLUSTER MAY_HAVE_SIDE_EFFECTS OBSERVED 137",
        ),
        (
            "new kind of disruption",
            with(killed(), |o| disrupted(o, "SomethingNew", 9)),
            "DISRUPTED DISRUPTED_OTHER CLUSTER MAY_HAVE_SIDE_EFFECTS OBSERVED 137",
        ),
        (
            "disruption that came after",
            with(ended("Failed", terminated(3, "Error")), |o| disrupted(o, "EvictionByEvictionAPI", 11)),
            "FAILED EXIT_CODE USER MAY_HAVE_SIDE_EFFECTS OBSERVED 3",
        ),
        (
            "kill with the node's clock behind",
            with(killed(), |o| disrupted(o, "EvictionByEvictionAPI", 40)),
            "DISRUPTED API_EVICTED CLUSTER MAY_HAVE_SIDE_EFFECTS OBSERVED 137",
        ),
        (
            "disrupted and unknown",
            with(ended("Failed", unknown()), |o| disrupted(o, "DeletionByTaintManager", 9)),
            "DISRUPTED TAINT_EVICTED CLUSTER MAY_HAVE_SIDE_EFFECTS INFERRED -",
        ),
        (
            "node gone",
            with(pod("Failed", ContainerState::Running { started: Some(at(5)) }), |o| {
                disrupted(o, "DeletionByPodGC", 9)
            }),
            "LOST NODE_LOST CLUSTER MAY_HAVE_SIDE_EFFECTS MAY_STILL_BE_RUNNING -",
        ),
        (
            "node gone, waiting is out of date",
            with(pod("Failed", waiting()), |o| disrupted(o, "DeletionByPodGC", 9)),
            "DISRUPTED POD_GC CLUSTER MAY_HAVE_SIDE_EFFECTS INFERRED -",
        ),
        (
            "deadline",
            with(killed(), |o| o.reason = Some("DeadlineExceeded".into())),
            "FAILED DEADLINE_EXCEEDED CALLER MAY_HAVE_SIDE_EFFECTS OBSERVED 137",
        ),
        (
            "refused by the node",
            with(pod("Failed", ContainerState::Unset), |o| o.reason = Some("NewPredicate".into())),
            "DISRUPTED ADMISSION_REJECTED_BY_NODE CLUSTER SAFE_NEVER_STARTED OBSERVED -",
        ),
        (
            "refused by a node that shuts down",
            with(pod("Failed", ContainerState::Unset), |o| o.reason = Some("NodeShutdown".into())),
            "DISRUPTED NODE_SHUTDOWN CLUSTER SAFE_NEVER_STARTED OBSERVED -",
        ),
        (
            "init",
            with(pod("Failed", waiting()), |o| {
                o.containers.insert(0, container("i", Role::Init, ContainerState::Terminated(terminated(7, "Error"))))
            }),
            "FAILED INIT_CONTAINER_FAILED USER SAFE_NEVER_STARTED OBSERVED -",
        ),
        ("OOM", ended("Failed", terminated(1, "OOMKilled")), "FAILED OOM_KILLED USER MAY_HAVE_SIDE_EFFECTS OBSERVED 1"),
        ("child OOM", ended("Succeeded", terminated(0, "OOMKilled")), "SUCCEEDED COMPLETED USER NONE OBSERVED 0"),
        (
            "sidecar beside exit 0",
            with(ended("Failed", terminated(0, "Completed")), |o| {
                o.containers.push(container("s", Role::Other, ContainerState::Terminated(terminated(1, "Error"))))
            }),
            "SUCCEEDED COMPLETED USER NONE OBSERVED 0",
        ),
        (
            "sidecar, primary never started",
            with(pod("Failed", waiting()), |o| {
                o.containers.push(container("s", Role::Other, ContainerState::Terminated(terminated(1, "Error"))))
            }),
            "FAILED SIDECAR_FAILED USER SAFE_NEVER_STARTED INFERRED -",
        ),
        (
            "runtime lost track",
            ended("Failed", terminated(255, "Unknown")),
            "LOST EXIT_CODE_UNKNOWN CLUSTER MAY_HAVE_SIDE_EFFECTS INFERRED -",
        ),
        (
            "exit 255",
            ended("Failed", terminated(255, "Error")),
            "FAILED EXIT_CODE USER MAY_HAVE_SIDE_EFFECTS OBSERVED 255",
        ),
        (
            "status unknown",
            ended("Failed", unknown()),
            "LOST CONTAINER_STATUS_UNKNOWN CLUSTER MAY_HAVE_SIDE_EFFECTS INFERRED -",
        ),
        (
            "start error",
            ended("Failed", terminated(128, "StartError")),
            "FAILED START_ERROR USER SAFE_NEVER_STARTED OBSERVED -",
        ),
        (
            "succeeded without a status",
            pod("Succeeded", ContainerState::Unset),
            "SUCCEEDED COMPLETED USER NONE INFERRED -",
        ),
        (
            "failed without a status",
            pod("Failed", ContainerState::Unset),
            "LOST UNKNOWN UNKNOWN MAY_HAVE_SIDE_EFFECTS INFERRED -",
        ),
    ];
    for (what, o, expected) in cases {
        assert_eq!(short(&decide(&o).unwrap()), expected, "{what}");
    }
}

#[test]
fn a_restarted_container_has_started() {
    let restarting = |phase: &str| {
        with(pod(phase, ContainerState::Waiting { reason: "CrashLoopBackOff".into(), message: String::new() }), |o| {
            o.restart_policy = "OnFailure".into();
            o.containers[0].last = Some(terminated(1, "Error"));
            stopped(o, StopCause::Cancel, Some(NeverStarted::Unknown));
        })
    };
    assert_eq!(
        short(&decide(&restarting("Failed")).unwrap()),
        "CANCELLED CANCELLED_BY_CALLER CALLER MAY_HAVE_SIDE_EFFECTS OBSERVED 1"
    );
    assert!(decide(&restarting("Running")).is_none());
}

#[test]
fn who_saw_it_waiting_knows_that_it_never_started() {
    let lost = ended("Failed", unknown());
    let told = with(lost.clone(), |o| deleted(o, 9, 2));
    let advice = |o: &Observation, before| decide_after(o, before).unwrap().retry_advice;
    assert_eq!(advice(&told, Before::PrimaryWaiting), RetryAdvice::SafeNeverStarted);
    assert_eq!(advice(&told, Before::Unknown), RetryAdvice::MayHaveSideEffects);
    // Nobody told the node to end it: it may have run it and lost it.
    assert_eq!(advice(&lost, Before::PrimaryWaiting), RetryAdvice::MayHaveSideEffects);
}

/// What only an Event tells.
#[test]
fn events_explain_what_the_object_leaves_out() {
    let evicted = Before::TakenAway(Reason::Evicted);
    let done = |phase: &str| ended(phase, terminated(0, "Completed"));
    assert!(decide_after(&done("Running"), evicted).is_none(), "the phase may still say more");
    for (what, o, before, expected) in [
        (
            "exit 0 under an eviction",
            done("Succeeded"),
            evicted,
            "SUCCEEDED COMPLETED_DURING_DISRUPTION USER MAY_HAVE_SIDE_EFFECTS INFERRED 0",
        ),
        (
            "killed under an eviction that the object does not show",
            ended("Failed", terminated(137, "Error")),
            evicted,
            "DISRUPTED EVICTED CLUSTER MAY_HAVE_SIDE_EFFECTS OBSERVED 137",
        ),
        (
            "hook",
            ended("Failed", terminated(137, "Error")),
            Before::HookFailed,
            "FAILED POST_START_HOOK_FAILED USER MAY_HAVE_SIDE_EFFECTS INFERRED 137",
        ),
        (
            "hook of a run before",
            with(ended("Failed", terminated(4, "Error")), |o| o.containers[0].restarts = 1),
            Before::HookFailed,
            "FAILED EXIT_CODE USER MAY_HAVE_SIDE_EFFECTS OBSERVED 4",
        ),
    ] {
        assert_eq!(short(&decide_after(&o, before).unwrap()), expected, "{what}");
    }
}

#[test]
fn the_backstop_is_the_execution_timeout() {
    let o = with(ended("Failed", terminated(137, "Error")), |o| {
        o.reason = Some("DeadlineExceeded".into());
        o.active_deadline_seconds = Some(70);
        (o.policy.timeouts.startup, o.policy.timeouts.execution) = (Some(10), Some(60));
    });
    let outcome = decide(&o).unwrap();
    assert_eq!(short(&outcome), "FAILED EXECUTION_TIMEOUT CALLER MAY_HAVE_SIDE_EFFECTS INFERRED 137");
    assert_eq!(outcome.timeout, Some(StopCause::ExecutionTimeout));
    assert_eq!(outcome.kubernetes_reason, "DeadlineExceeded");
}

#[test]
fn a_pod_that_is_gone() {
    let running = || pod("Running", ContainerState::Running { started: Some(at(5)) });
    let unbound = || with(pod("Pending", ContainerState::Unset), |o| o.node = None);
    let lost = "LOST POD_VANISHED CLUSTER MAY_HAVE_SIDE_EFFECTS MAY_STILL_BE_RUNNING -";
    for (what, o, gone, vanished) in [
        ("running", with(running(), |o| deleted(o, 9, 0)), lost, lost),
        (
            "unbound",
            with(unbound(), |o| deleted(o, 9, 0)),
            "DISRUPTED POD_DELETED CLUSTER SAFE_NEVER_STARTED OBSERVED -",
            "DISRUPTED POD_DELETED CLUSTER SAFE_NEVER_STARTED OBSERVED -",
        ),
        ("unbound when last seen", unbound(), "DISRUPTED POD_DELETED CLUSTER SAFE_NEVER_STARTED OBSERVED -", lost),
        ("waiting", with(pod("Pending", waiting()), |o| deleted(o, 9, 2)), lost, lost),
        (
            "ended, phase not yet",
            with(ended("Running", terminated(143, "Error")), |o| deleted(o, 9, 2)),
            "DISRUPTED POD_DELETED CLUSTER MAY_HAVE_SIDE_EFFECTS OBSERVED 143",
            "DISRUPTED POD_DELETED CLUSTER MAY_HAVE_SIDE_EFFECTS OBSERVED 143",
        ),
        (
            "killed, nothing known",
            ended("Running", terminated(137, "Error")),
            "DISRUPTED POD_VANISHED CLUSTER MAY_HAVE_SIDE_EFFECTS INFERRED 137",
            "DISRUPTED POD_VANISHED CLUSTER MAY_HAVE_SIDE_EFFECTS INFERRED 137",
        ),
        (
            "between two runs",
            with(ended("Running", terminated(1, "Error")), |o| o.restart_policy = "OnFailure".into()),
            lost,
            lost,
        ),
        (
            "done, phase not yet",
            with(ended("Running", terminated(0, "Completed")), |o| deleted(o, 9, 2)),
            "SUCCEEDED COMPLETED_DURING_DISRUPTION USER MAY_HAVE_SIDE_EFFECTS INFERRED 0",
            "SUCCEEDED COMPLETED_DURING_DISRUPTION USER MAY_HAVE_SIDE_EFFECTS INFERRED 0",
        ),
        (
            "terminal",
            ended("Succeeded", terminated(0, "Completed")),
            "SUCCEEDED COMPLETED USER NONE OBSERVED 0",
            "SUCCEEDED COMPLETED USER NONE OBSERVED 0",
        ),
        (
            "cancelled",
            with(running(), |o| stopped(o, StopCause::Cancel, None)),
            "CANCELLED CANCELLED_BY_CALLER CALLER MAY_HAVE_SIDE_EFFECTS MAY_STILL_BE_RUNNING -",
            "CANCELLED CANCELLED_BY_CALLER CALLER MAY_HAVE_SIDE_EFFECTS MAY_STILL_BE_RUNNING -",
        ),
        (
            "cancelled before it was bound",
            with(unbound(), |o| stopped(o, StopCause::Cancel, Some(NeverStarted::Proven))),
            "CANCELLED CANCELLED_BY_CALLER CALLER SAFE_NEVER_STARTED OBSERVED -",
            "CANCELLED CANCELLED_BY_CALLER CALLER MAY_HAVE_SIDE_EFFECTS INFERRED -",
        ),
        (
            "startup timeout",
            with(pod("Pending", waiting()), |o| stopped(o, StopCause::StartupTimeout, Some(NeverStarted::Proven))),
            "FAILED IMAGE_PULL_FAILED USER MAY_HAVE_SIDE_EFFECTS INFERRED -",
            "FAILED IMAGE_PULL_FAILED USER MAY_HAVE_SIDE_EFFECTS INFERRED -",
        ),
    ] {
        assert_eq!(short(&decide_gone(&o, Before::Unknown)), gone, "{what}, watched");
        assert_eq!(short(&decide_vanished(&o, Before::Unknown)), vanished, "{what}, not watched");
    }
}

#[test]
fn a_silent_node() {
    let o = pod("Running", ContainerState::Running { started: Some(at(5)) });
    let lost = decide_lost(&o);
    assert_eq!(short(&lost), "LOST LOST_TIMEOUT CLUSTER MAY_HAVE_SIDE_EFFECTS MAY_STILL_BE_RUNNING -");
    assert_eq!(lost.timeout, Some(StopCause::LostTimeout));
    let killed = with(ended("Running", terminated(137, "Error")), |o| deleted(o, 9, 2));
    assert_eq!(short(&decide_lost(&killed)), "DISRUPTED POD_DELETED CLUSTER MAY_HAVE_SIDE_EFFECTS OBSERVED 137");
    let forced = with(o.clone(), |o| deleted(o, 9, 0));
    assert_eq!(decide_lost(&forced), decide_gone(&forced, Before::Unknown), "as without a finalizer");
    let cancelled = decide_lost(&with(o, |o| stopped(o, StopCause::Cancel, None)));
    assert_eq!(short(&cancelled), "CANCELLED CANCELLED_BY_CALLER CALLER MAY_HAVE_SIDE_EFFECTS MAY_STILL_BE_RUNNING -");
}

#[test]
fn the_stored_form_never_changes() {
    // Golden: these bytes are in clusters.
    let o = with(ended("Failed", Terminated { message: "boom\n".into(), ..terminated(3, "Error") }), |o| {
        o.containers.push(container("side", Role::Sidecar, ContainerState::Running { started: Some(at(4)) }));
    });
    let text = concat!(
        r#"{"state":"FAILED","reason":"EXIT_CODE","reason_version":1,"kubernetes_reason":"Error","origin":"USER","#,
        r#""retry_advice":"MAY_HAVE_SIDE_EFFECTS","certainty":"OBSERVED","exit_code":3,"oom_killed":false,"#,
        r#""container":"main","containers":[{"name":"main","role":"PRIMARY","restarts":0,"state":"terminated","#,
        r#""reason":"Error","exit_code":3,"started":"2027-01-15T08:00:05Z","finished":"2027-01-15T08:00:10Z"},"#,
        r#"{"name":"side","role":"SIDECAR","restarts":0,"state":"running","started":"2027-01-15T08:00:04Z"}],"#,
        r#""times":{"created":"2027-01-15T08:00:00Z","started":"2027-01-15T08:00:05Z","finished":"2027-01-15T08:00:10Z"},"#,
        r#""termination_message":"boom\n","pod":{"name":"t-x","uid":"u-1","resource_version":7,"node":"n"}}"#,
    );
    let outcome = decide(&o).unwrap();
    assert_eq!(outcome.to_text(), text);
    assert_eq!(Outcome::from_text(text).unwrap(), outcome);
}

#[test]
fn what_is_no_outcome_is_refused_and_what_is_newer_is_read() {
    let text = decide(&ended("Failed", terminated(3, "Error"))).unwrap().to_text();
    let newer = text.replace("\"EXIT_CODE\"", "\"NEWER\"").replacen('{', "{\"newer\":1,", 1);
    assert_eq!(Outcome::from_text(&newer).unwrap().reason, Reason::Unknown);
    assert!(matches!(Outcome::from_text("{}"), Err(OutcomeError::Malformed(_))));
    assert!(matches!(Outcome::from_text(&text.replace("FAILED", "RUNNING")), Err(OutcomeError::NotTerminal(_))));
    assert!(matches!(Outcome::from_text(&" ".repeat(1 << 20)), Err(OutcomeError::TooLong(_))));
}

#[test]
fn the_containers_that_decided_are_kept() {
    let o = with(pod("Failed", waiting()), |o| {
        for i in 0..40 {
            o.containers.push(container(&format!("other-{i}"), Role::Other, ContainerState::Unset));
        }
        o.containers.push(container("init", Role::Init, ContainerState::Terminated(terminated(7, "Error"))));
    });
    let outcome = decide(&o).unwrap();
    assert!(outcome.shortened && outcome.containers.len() == MAX_CONTAINERS);
    for name in ["main", "init"] {
        assert!(outcome.containers.iter().any(|c| c.name == name), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever the pod says, the stored form is at most 8 KiB and reads back as it was.
    #[test]
    fn the_stored_form_has_a_bound(
        messages in proptest::collection::vec("(\\PC|[\\x00-\\x1f\"\\\\]){0,3000}", 5),
        count in 0usize..200,
        long in 0usize..250,
        stop in any::<bool>(),
    ) {
        let o = with(ended("Failed", Terminated { message: messages[0].clone(), ..terminated(3, &messages[1]) }), |o| {
            o.pod_name = "p".repeat(long);
            o.reason = Some(messages[1].clone());
            o.message = Some(messages[2].clone());
            disrupted(o, &messages[2], 9);
            for i in 0..count {
                let state = ContainerState::Terminated(terminated(1, &messages[i % 5]));
                o.containers.push(container(&format!("{i:063}"), Role::Other, state));
            }
            if stop {
                stopped(o, StopCause::StartupTimeout, Some(NeverStarted::Proven));
            }
            if let Some(s) = &mut o.stop {
                (s.caller, s.message) = (messages[3].clone(), messages[4].clone());
                if let Some(p) = &mut s.pending {
                    (p.kubernetes_reason, p.kubernetes_message) = (messages[1].clone(), messages[2].clone());
                }
            }
        });
        let outcome = decide(&o).unwrap();
        let text = outcome.to_text();
        prop_assert!(text.len() <= MAX_TEXT, "{}", text.len());
        prop_assert_eq!(&Outcome::from_text(&text).unwrap(), &outcome);
        prop_assert_eq!(decide(&o).unwrap().to_text(), text);
    }

    #[test]
    fn reading_never_panics(text in "\\PC{0,200}") {
        let _ = Outcome::from_text(&text);
    }
}

#[test]
fn the_end_of_a_container_past_its_deadline_is_waited_for() {
    let failed = |state| {
        let mut o = Observation { reason: Some("DeadlineExceeded".into()), ..pod("Failed", state) };
        stopped(&mut o, StopCause::Cancel, None);
        o
    };
    let early = failed(ContainerState::Running { started: Some(at(1)) });
    assert_eq!(decide(&early), None);
    let late = decide(&failed(ContainerState::Terminated(terminated(0, "Completed")))).expect("the end came");
    assert_eq!((late.state, late.exit_code, late.certainty), (State::Cancelled, Some(0), Certainty::Observed));
    // What else fails a pod has no container's end to come.
    let collected = Observation { reason: None, ..early.clone() };
    assert!(decide(&collected).is_some());
    let overdue = decide_overdue(&early, Before::Unknown);
    assert_eq!((overdue.exit_code, overdue.certainty), (None, Certainty::MayStillBeRunning));
}
