use jiff::SignedDuration;

use super::*;
use crate::task::event::Severity;
use crate::task::key::TaskKey;
use crate::task::observation::{Condition, ContainerObservation, Holding, Role, Stop, StopCause, Terminated};
use crate::task::outcome::ResultState;
use crate::task::policy::{PendingGrace, StoredPolicy, Timeouts};
use crate::task::result::{MARK, ResultKind, ResultSource, SIDECAR};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn condition(kind: &str, status: &str, reason: Option<&str>, since: i64) -> Condition {
    let reason = reason.map(Into::into);
    Condition { kind: kind.into(), status: status.into(), reason, message: None, since: Some(at(since)) }
}

fn pod(state: ContainerState) -> Observation {
    let timeouts = Timeouts {
        schedule: Some(10),
        startup: Some(20),
        execution: Some(30),
        lost: Some(40),
        pending_graces: Vec::new(),
    };
    Observation {
        key: TaskKey::new("", "ns", "t", 1).unwrap(),
        pod_name: "t-x".into(),
        uid: "u-1".into(),
        resource_version: 1,
        generation: None,
        observed_generation: None,
        fingerprint: String::new(),
        labels: std::collections::BTreeMap::new(),
        attached_attempts: Vec::new(),
        primary: "main".into(),
        policy: StoredPolicy { timeouts, ..StoredPolicy::default() },
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
        phase: "Pending".into(),
        reason: None,
        message: None,
        start_time: Some(at(3)),
        conditions: vec![condition("PodScheduled", "True", None, 2)],
        containers: vec![ContainerObservation {
            name: "main".into(),
            role: Role::Primary,
            restarts: 0,
            container_id: None,
            image: "i".into(),
            image_id: None,
            state,
            last: None,
        }],
        literals: crate::task::Literals::default(),
        result_sidecar: None,
    }
}

fn unbound() -> Observation {
    Observation { node: None, conditions: Vec::new(), ..pod(ContainerState::Unset) }
}

fn waiting(reason: &str) -> ContainerState {
    ContainerState::Waiting { reason: reason.into(), message: format!("{reason}!") }
}

fn running() -> Observation {
    let mut o = pod(ContainerState::Running { started: Some(at(5)) });
    o.phase = "Running".into();
    o.conditions.push(condition("Ready", "True", None, 5));
    o.conditions.push(condition("ContainersReady", "True", None, 5));
    o
}

fn exit(code: i32) -> ContainerState {
    let (reason, message) = ("Error".into(), String::new());
    ContainerState::Terminated(Terminated {
        code,
        signal: None,
        reason,
        message,
        started: Some(at(5)),
        finished: Some(at(9)),
    })
}

/// A row fed version after version.
struct Fed {
    row: Row,
    version: u64,
    last: Step,
}

impl Fed {
    fn first(o: Observation) -> Fed {
        let (row, last) = Row::first(Arc::new(o), at(0));
        Fed { row, version: 1, last }
    }

    fn pod(self, mut o: Observation, second: i64) -> Fed {
        o.resource_version = self.version + 1;
        self.input(Input::Pod(Arc::new(o)), second)
    }

    fn input(self, input: Input, second: i64) -> Fed {
        let (row, last) = step(self.row, input, at(second));
        Fed { version: row.observation().resource_version, row, last }
    }

    fn told(&self) -> Vec<String> {
        let text = |e: &TaskEvent| match &e.body {
            TaskEventBody::State(s) => s.reason.map_or(s.state.to_string(), |r| format!("{}/{r}", s.state)),
            TaskEventBody::Container(c) => format!("{} {} {}", c.container, c.restart, c.phase.rank()),
            TaskEventBody::Notice(n) => format!("notice {}", n.reason),
            TaskEventBody::Outcome(o) => format!("outcome {}", o.outcome.state),
        };
        self.last.events.iter().map(text).collect()
    }
}

fn notice(reason: &str, message: &str, version: u64) -> Input {
    let notice = Notice {
        reason: reason.into(),
        message: message.into(),
        severity: Severity::Warning,
        first: None,
        count: 1,
        container: None,
        source: "kubelet".into(),
        version,
    };
    Input::Notice { occurred: Some(at(1)), notice }
}

fn patched(o: &Observation, outcome: Outcome) -> Observation {
    let text = outcome.to_text();
    Observation { outcome: Some(StoredOutcome { outcome, text }), ..o.clone() }
}

#[test]
fn old_versions_and_other_pods_are_no_news() {
    let fed = Fed::first(running());
    let again = Arc::clone(fed.row.observation());
    let fed = fed.input(Input::Pod(again), 1);
    assert_eq!(fed.last, Step::default());
    let other = Observation { uid: "u-2".into(), resource_version: 99, ..pod(exit(0)) };
    let fed = fed.input(Input::Pod(Arc::new(other.clone())), 1).input(Input::Gone(Some(Arc::new(other))), 1);
    assert_eq!((fed.last.clone(), fed.row.is_gone(), fed.row.state()), (Step::default(), false, State::Running));
}

#[test]
fn an_outcome_is_asked_for_once_a_version_and_told_once() {
    let done = pod(exit(3));
    let fed = Fed::first(running()).pod(done.clone(), 9);
    assert_eq!(fed.told(), ["main 0 3"]);
    let [Effect::StoreOutcome(outcome)] = &fed.last.effects[..] else { panic!("{:?}", fed.last.effects) };
    let outcome = Outcome::clone(outcome);
    // The patch failed its test: the pod that is there now is decided anew.
    let mut fed = fed.pod(done.clone(), 10);
    assert!(matches!(fed.last.effects[..], [Effect::StoreOutcome(_)]) && fed.last.events.is_empty());
    fed = fed.pod(patched(&done, outcome.clone()), 11);
    assert_eq!((fed.told(), fed.last.effects.clone()), (vec!["outcome FAILED".to_string()], vec![]));
    assert_eq!(fed.row.outcome().unwrap().text, outcome.to_text());
    // Whatever comes later: nothing is told, another text does not count.
    let other = Outcome { exit_code: Some(4), ..outcome.clone() };
    let mut later = patched(&done, other);
    (later.deletion, later.deletion_grace) = (Some(at(20)), Some(0));
    fed = fed.pod(later.clone(), 20).input(notice("Killing", "", 9), 20);
    assert!(fed.last.events.is_empty());
    fed = fed.input(Input::Gone(None), 21);
    assert!(fed.last.events.is_empty() && fed.row.is_gone());
    assert_eq!(fed.row.outcome().unwrap().outcome, outcome);
}

fn stored(outcome: &Outcome) -> Arc<StoredOutcome> {
    Arc::new(StoredOutcome { outcome: outcome.clone(), text: outcome.to_text() })
}

fn to_record(fed: &Fed) -> Outcome {
    let [Effect::StoreRecord { outcome, .. }] = &fed.last.effects[..] else { panic!("{:?}", fed.last.effects) };
    Outcome::clone(outcome)
}

#[test]
fn the_outcome_of_a_pod_that_is_gone_is_decided_by_its_record() {
    let fed = Fed::first(running()).input(Input::Gone(None), 9);
    assert!(fed.told().is_empty() && fed.row.outcome().is_none());
    let mine = to_record(&fed);
    assert_eq!(mine.state, State::Lost);
    // Another replica saw more and was first: its word counts.
    let theirs = Outcome { exit_code: Some(7), state: State::Failed, ..mine.clone() };
    let fed = fed.input(Input::Recorded(stored(&theirs)), 10);
    assert_eq!((fed.told(), fed.row.state()), (vec!["outcome FAILED".to_string()], State::Failed));
    let fed = fed.input(Input::Recorded(stored(&mine)), 11);
    assert!(fed.last.events.is_empty() && fed.row.outcome().unwrap().outcome == theirs);
}

#[test]
fn a_record_alone_replays_its_outcome_and_nothing_else() {
    let last = Observation { resource_version: 9, phase: "Failed".into(), ..pod(exit(3)) };
    let outcome = outcome::decide(&last).unwrap();
    let (row, step) = Row::recorded(Arc::new(last), stored(&outcome), at(9));
    assert!(row.is_gone() && row.deadline().is_none());
    assert!(matches!(&step.events[..], [TaskEvent { body: TaskEventBody::Outcome(_), .. }]) && step.effects.is_empty());
}

#[test]
fn a_pod_that_is_gone_is_told_to_its_last_version() {
    let last = Observation { resource_version: 9, phase: "Failed".into(), ..pod(exit(3)) };
    let fed = Fed::first(running()).input(Input::Gone(Some(Arc::new(last.clone()))), 9);
    assert_eq!((fed.told(), to_record(&fed).state), (vec!["main 0 3".to_string()], State::Failed));
    // The last version carries an outcome: it counts.
    let cancelled = Outcome { state: State::Cancelled, ..outcome::decide(&last).unwrap() };
    let fed = Fed::first(running()).input(Input::Gone(Some(Arc::new(patched(&last, cancelled)))), 9);
    assert_eq!(fed.told(), ["main 0 3", "outcome CANCELLED"]);
}

#[test]
fn why_it_is_pending_is_told_once_for_each_reason() {
    let mut fed = Fed::first(unbound());
    assert_eq!(fed.told(), ["PENDING"]);
    fed = fed.input(notice("FailedScheduling", "0/1 nodes", 3), 1);
    assert_eq!(fed.told(), ["notice FailedScheduling", "PENDING/UNSCHEDULABLE"]);
    assert_eq!(fed.row.pending().unwrap().kubernetes_message, "0/1 nodes");
    let unschedulable =
        || Observation { conditions: vec![condition("PodScheduled", "False", Some("Unschedulable"), 1)], ..unbound() };
    fed = fed.pod(unschedulable(), 2);
    assert_eq!((fed.told().len(), fed.row.pending().unwrap().kubernetes_reason.as_str()), (0, "Unschedulable"));
    fed = fed.pod(pod(ContainerState::Unset), 3);
    assert_eq!((fed.told(), fed.row.pending()), (vec!["STARTING".to_string()], None));
    fed = fed.input(notice("Failed", "Failed to pull image \"x\": no", 4), 3);
    assert_eq!(fed.told(), ["notice Failed", "STARTING/IMAGE_PULL_FAILED"]);
    for (reason, told) in [
        ("ErrImagePull", vec!["main 0 1"]),
        ("ImagePullBackOff", vec!["main 0 1"]),
        ("ErrImagePull", vec![]),
        ("CreateContainerConfigError", vec!["STARTING/CREATE_CONTAINER_CONFIG_ERROR", "main 0 1"]),
        ("ErrImagePull", vec![]),
    ] {
        fed = fed.pod(pod(waiting(reason)), 4);
        assert_eq!(fed.told(), told, "{reason}");
        assert_eq!(fed.row.pending().unwrap().kubernetes_message, format!("{reason}!"));
    }
    // A replayed list of events is no news.
    fed = fed.input(notice("Failed", "Failed to pull image \"x\": no", 4), 5);
    assert_eq!(fed.last, Step::default());
    fed = fed.pod(running(), 6);
    assert_eq!((fed.told(), fed.row.pending()), (vec!["RUNNING".to_string(), "main 0 2".into()], None));
    assert!(fed.row.pending_for_stop().is_none());
}

#[test]
fn a_gated_task_is_queued() {
    let gated = |gate: &str| Observation {
        gates: vec![gate.into()],
        conditions: vec![condition("PodScheduled", "False", Some("SchedulingGated"), 0)],
        ..unbound()
    };
    assert_eq!(Fed::first(gated("podlaunch.dev/queue")).told(), ["PENDING/QUEUED"]);
    assert_eq!(Fed::first(gated("other")).told(), ["PENDING/GATED"]);
    let opened = Observation { gates: Vec::new(), ..gated("") };
    assert_eq!(Fed::first(opened).told(), ["PENDING"]);
}

#[test]
fn what_a_stop_carries() {
    let of = |o: Observation| Fed::first(o).row.pending_for_stop().unwrap();
    let found = |p: PendingReason| (p.reason, p.kubernetes_reason, p.never_started);
    use NeverStarted::{Proven, Unknown};
    assert_eq!(found(of(unbound())), (Reason::ScheduleTimeout, String::new(), Proven));
    assert_eq!(found(of(pod(ContainerState::Unset))), (Reason::StartupTimeout, String::new(), Unknown));
    let creating = pod(waiting("ContainerCreating"));
    assert_eq!(found(of(creating)), (Reason::StartupTimeout, "ContainerCreating".into(), Proven));
    let pull = of(pod(waiting("ErrImagePull")));
    assert_eq!(found(pull), (Reason::ImagePullFailed, "ErrImagePull".into(), Proven));
}

#[test]
fn a_silent_node_is_unreachable_until_it_is_back_or_lost() {
    let silent = |since| {
        let mut o = running();
        o.conditions[1] = condition("Ready", "False", None, since);
        o
    };
    let mut fed = Fed::first(running()).pod(silent(100), 101);
    assert_eq!(fed.told(), ["UNREACHABLE/NODE_UNREACHABLE"]);
    let uid = fed.last.events[0].uid.clone();
    // The execution timeout comes first, then a stop is recorded and only the lost timeout is left.
    assert_eq!(fed.row.deadline(), Some(Deadline { at: at(35), cause: StopCause::ExecutionTimeout }));
    let mut o = silent(100);
    o.policy.timeouts.execution = None;
    fed = fed.pod(o, 102);
    assert_eq!(fed.row.deadline(), Some(Deadline { at: at(140), cause: StopCause::LostTimeout }));
    fed = fed.pod(running(), 110);
    assert_eq!((fed.told(), fed.row.state()), (vec!["RUNNING".to_string()], State::Running));
    assert_ne!(fed.last.events[0].uid, Fed::first(running()).last.events[0].uid, "a return is another event");
    fed = fed.pod(silent(200), 201);
    assert_ne!(fed.last.events[0].uid, uid, "another silence is another event");
    assert_eq!(Fed::first(silent(200)).last.events[1].uid, fed.last.events[0].uid, "the same one is the same");
    // kubelet itself says not ready: it reports.
    let mut o = running();
    o.conditions[1] = condition("Ready", "False", Some("ContainersNotReady"), 210);
    fed = fed.pod(o, 211);
    assert_eq!(fed.told(), ["RUNNING"]);
}

#[test]
fn a_silent_nodes_pod_that_is_deleted_by_force_is_not_waited_for() {
    let deleted = |grace| {
        let mut o = running();
        o.conditions[1] = condition("Ready", "False", None, 100);
        (o.deletion, o.deletion_grace) = (Some(at(110 + grace)), Some(grace));
        o
    };
    let fed = Fed::first(running()).pod(deleted(30), 111);
    assert_eq!(fed.row.deadline(), Some(Deadline { at: at(140), cause: StopCause::LostTimeout }));
    let fed = fed.pod(deleted(0), 112);
    assert_eq!(fed.row.deadline(), Some(Deadline { at: at(100), cause: StopCause::LostTimeout }));
    // While the node reports it will say how the container ended.
    let mut reporting = running();
    (reporting.deletion, reporting.deletion_grace) = (Some(at(110)), Some(0));
    assert_eq!(Fed::first(reporting).row.deadline(), None);
}

#[test]
fn an_overdue_deletion_is_a_silent_node() {
    let mut o = running();
    (o.deletion, o.deletion_grace) = (Some(at(50)), Some(20));
    let fed = Fed::first(running()).pod(o.clone(), 31);
    assert_eq!(
        (fed.told(), fed.last.effects.clone()),
        (vec!["TERMINATING/POD_DELETED".to_string()], vec![Effect::Recheck { at: at(110) }])
    );
    assert_eq!(fed.row.deadline(), None);
    let fed = fed.input(Input::Tick, 109);
    assert!(fed.last.events.is_empty());
    let fed = fed.input(Input::Tick, 110);
    assert_eq!(fed.told(), ["UNREACHABLE/NODE_UNREACHABLE"]);
    assert_eq!(fed.row.deadline(), Some(Deadline { at: at(150), cause: StopCause::LostTimeout }));
    // A forced deletion still has the pod's own grace.
    o.deletion_grace = Some(0);
    let fed = Fed::first(o);
    assert_eq!(fed.last.effects, [Effect::Recheck { at: at(50) + SignedDuration::from_secs(30 + 60) }]);
}

#[test]
fn deadlines_follow_the_state() {
    let deadline = |o: Observation| Fed::first(o).row.deadline().map(|d| (d.at, d.cause));
    assert_eq!(deadline(unbound()), Some((at(10), StopCause::ScheduleTimeout)));
    assert_eq!(deadline(pod(waiting("x"))), Some((at(22), StopCause::StartupTimeout)));
    assert_eq!(deadline(running()), Some((at(35), StopCause::ExecutionTimeout)));
    assert_eq!(deadline(pod(exit(3))), None);
    let stop = Stop {
        cause: StopCause::Cancel,
        caller: String::new(),
        message: String::new(),
        time: at(9),
        grace_seconds: 1,
        pending: None,
    };
    assert_eq!(deadline(Observation { stop: Some(stop), ..running() }), None);
    let mut restarted =
        Observation { restart_policy: "OnFailure".into(), ..pod(ContainerState::Running { started: Some(at(15)) }) };
    restarted.containers[0].restarts = 1;
    let ContainerState::Terminated(last) = exit(1) else { return };
    restarted.containers[0].last = Some(last);
    assert_eq!(deadline(restarted), Some((at(35), StopCause::ExecutionTimeout)), "from the first start");
}

#[test]
fn nothing_comes_twice_though_the_node_takes_back_what_it_said() {
    let mut fed = Fed::first(pod(waiting("ContainerCreating"))).pod(running(), 5);
    assert_eq!(fed.told(), ["RUNNING", "main 0 2"]);
    fed = fed.pod(pod(waiting("ContainerCreating")), 6).pod(running(), 7);
    assert_eq!(fed.told(), Vec::<String>::new());
    assert_eq!(fed.row.state(), State::Running);
}

#[test]
fn a_second_start_under_never_is_remarked() {
    let mut again = running();
    again.containers[0].restarts = 1;
    let fed = Fed::first(running()).pod(again, 6);
    assert_eq!(fed.told(), ["main 1 2", "notice SecondStart"]);
    // As a node writes it of an evicted pod whose container it removed first: nothing is started.
    let mut lost = pod(waiting("ContainerCreating"));
    lost.containers[0].restarts = 1;
    let ContainerState::Terminated(last) = exit(137) else { return };
    lost.containers[0].last = Some(Terminated { reason: "ContainerStatusUnknown".into(), ..last });
    let fed = Fed::first(running()).pod(lost, 6);
    assert!(!fed.told().contains(&"notice SecondStart".to_owned()), "{:?}", fed.told());
}

#[test]
fn repeated_notices_thin_out() {
    let counted = |count: u32| match notice("BackOff", "again", u64::from(count)) {
        Input::Notice { occurred, notice } => Input::Notice { occurred, notice: Notice { count, ..notice } },
        other => other,
    };
    let mut fed = Fed::first(running());
    let mut told = Vec::new();
    for count in 1..=20 {
        fed = fed.input(counted(count), 6);
        told.extend(fed.last.events.iter().map(|_| count));
    }
    assert_eq!(told, [1, 2, 4, 8, 16]);
}

fn graced(mut o: Observation, reason: Reason, seconds: i64) -> Observation {
    o.policy.timeouts = Timeouts { pending_graces: vec![PendingGrace { reason, seconds }], ..Timeouts::default() };
    o
}

fn first_seen(reason: &str, message: &str, version: u64, first: i64) -> Input {
    match notice(reason, message, version) {
        Input::Notice { occurred, notice } => {
            Input::Notice { occurred, notice: Notice { first: Some(at(first)), ..notice } }
        }
        other => other,
    }
}

#[test]
fn a_reason_may_have_a_grace_of_its_own() {
    let due = |fed: &Fed| fed.row.deadline().map(|d| (d.at, d.cause));
    let pulling = |o: Observation| graced(o, Reason::ImagePullFailed, 30);
    let mut fed = Fed::first(pulling(pod(waiting("ContainerCreating"))));
    assert_eq!(due(&fed), None, "it waits for something else");
    fed = fed.input(first_seen("Failed", "Failed to pull image \"x\": no", 4, 6), 7);
    assert_eq!(due(&fed), Some((at(36), StopCause::StartupTimeout)), "from the Event's first occurrence");
    fed = fed.pod(pulling(pod(waiting("ErrImagePull"))), 9).pod(pulling(pod(waiting("ImagePullBackOff"))), 15);
    assert_eq!(due(&fed), Some((at(36), StopCause::StartupTimeout)), "two words of one reason");
    // Something else in between is a break: it counts anew, whatever an old Event says.
    fed = fed.pod(pulling(pod(waiting("CreateContainerConfigError"))), 20);
    assert_eq!(due(&fed), None);
    fed = fed.pod(pulling(pod(waiting("ErrImagePull"))), 25);
    fed = fed.input(first_seen("Failed", "Failed to pull image \"x\": no", 9, 6), 26);
    assert_eq!(due(&fed), Some((at(55), StopCause::StartupTimeout)));
    let stop = fed.row.pending_for_stop().unwrap();
    assert_eq!((stop.reason, stop.kubernetes_message.as_str()), (Reason::ImagePullFailed, "ErrImagePull!"));
    fed = fed.pod(pulling(running()), 27);
    assert_eq!(due(&fed), None);
}

/// A server that starts later counts from what Kubernetes has stored, where it has.
#[test]
fn a_grace_outlives_the_server() {
    let due = |fed: &Fed| fed.row.deadline().map(|d| d.at);
    let late = |o: Observation| Fed { row: Row::first(Arc::new(o), at(100)).0, version: 1, last: Step::default() };
    let mut no_node = graced(unbound(), Reason::Unschedulable, 30);
    no_node.conditions = vec![condition("PodScheduled", "False", Some("Unschedulable"), 3)];
    assert_eq!(due(&late(no_node)), Some(at(33)));
    assert_eq!(due(&late(graced(unbound(), Reason::Scheduling, 30))), Some(at(30)));
    let creating = graced(pod(waiting("ContainerCreating")), Reason::ContainerCreating, 30);
    assert_eq!(due(&late(creating)), Some(at(32)), "from its binding");
    let mount = late(graced(pod(waiting("ContainerCreating")), Reason::VolumeMountFailed, 30));
    assert_eq!(due(&mount), None);
    let mount = mount.input(first_seen("FailedMount", "no such secret", 4, 8), 101);
    assert_eq!(due(&mount), Some(at(38)), "from the Event");
    let pull = late(graced(pod(waiting("ErrImagePull")), Reason::ImagePullFailed, 0));
    assert_eq!(due(&pull), Some(at(100)), "nothing is stored: from when it was first seen");
    assert_eq!(due(&pull.input(first_seen("BackOff", "Back-off pulling image \"x\"", 4, 50), 101)), Some(at(50)));
}

/// A limit for a step that is normal makes that step the reason.
#[test]
fn a_normal_step_with_a_grace_is_the_reason() {
    let row = Fed::first(graced(pod(waiting("PodInitializing")), Reason::PodInitializing, 5)).row;
    let stop = row.pending_for_stop().unwrap();
    assert_eq!((stop.reason, stop.never_started), (Reason::PodInitializing, NeverStarted::Proven));
    let row = Fed::first(graced(unbound(), Reason::Scheduling, 5)).row;
    assert_eq!(row.pending_for_stop().unwrap().reason, Reason::Scheduling);
    assert_eq!(row.deadline().unwrap().cause, StopCause::ScheduleTimeout);
}

#[test]
fn an_event_tells_no_literal_of_the_environment() {
    let planted = |mut o: Observation| {
        o.literals = crate::task::Literals::of(["hunter2"].into_iter(), &[]);
        o
    };
    let fed = Fed::first(planted(pod(waiting("ContainerCreating"))));
    let fed = fed.input(notice("FailedMount", "no hunter2 here", 4), 2);
    let shown = format!("{:?} {:?}", fed.last, fed.row.pending());
    assert!(!shown.contains("hunter2") && shown.contains("no *** here"), "{shown}");
    // It is read before it is cleaned.
    let image = Fed::first(Observation {
        literals: crate::task::Literals::of(["pull image"].into_iter(), &[]),
        ..pod(waiting("ContainerCreating"))
    });
    let image = image.input(notice("Failed", "Failed to pull image \"x\"", 4), 2);
    assert_eq!(image.row.pending().map(|p| p.reason), Some(Reason::ImagePullFailed));
    let gone = fed.input(Input::Gone(None), 3);
    let record = stored(&to_record(&gone));
    let ended = gone.input(Input::Recorded(record), 4);
    assert!(ended.row.observation().literals.is_empty(), "kept until the outcome only");
}

/// The object shows a kill like any other; only the Event tells why.
#[test]
fn a_failed_post_start_hook() {
    let killed = || Observation { phase: "Failed".into(), ..pod(exit(137)) };
    let outcome = |fed: &Fed| match &fed.last.effects[..] {
        [Effect::StoreOutcome(outcome)] => Outcome::clone(outcome),
        other => panic!("{other:?}"),
    };
    let hook = |container: &str| match notice("FailedPostStartHook", "PostStartHook failed", 4) {
        Input::Notice { occurred, notice } => {
            Input::Notice { occurred, notice: Notice { container: Some(container.into()), ..notice } }
        }
        other => other,
    };
    for (container, reason) in [("main", Reason::PostStartHookFailed), ("other", Reason::ExitCode)] {
        let fed = Fed::first(pod(waiting("ContainerCreating"))).input(hook(container), 2).pod(killed(), 5);
        let outcome = outcome(&fed);
        assert_eq!(
            (outcome.reason, outcome.exit_code, outcome.state),
            (reason, Some(137), State::Failed),
            "{container}"
        );
        assert_eq!(outcome.retry_advice, outcome::RetryAdvice::MayHaveSideEffects);
    }
}

/// A task with a result file whose sidecar is in `sidecar`.
fn with_file(state: ContainerState, sidecar: ContainerState) -> Observation {
    let mut o = pod(state);
    let source = ResultSource { kind: ResultKind::File, path: None, max_bytes: None };
    (o.policy.result, o.policy.timeouts) = (Some(source), Timeouts::default());
    let sidecar =
        ContainerObservation { state: sidecar, name: SIDECAR.into(), role: Role::Sidecar, ..o.containers[0].clone() };
    o.result_sidecar = Some(Box::new(sidecar));
    o
}

#[test]
fn the_word_on_a_result_file_is_waited_for_and_not_for_ever() {
    let side = || ContainerState::Running { started: Some(at(4)) };
    let open = Fed::first(with_file(ContainerState::Running { started: Some(at(5)) }, side()));
    let ended = open.pod(with_file(exit(0), side()), 10);
    // The pod's grace and half a minute.
    assert_eq!(ended.last.effects, [Effect::Recheck { at: at(70) }]);
    let stored = |fed: &Fed| match &fed.last.effects[..] {
        [Effect::StoreOutcome(outcome)] => outcome.result.as_ref().map(|result| result.state),
        other => panic!("{other:?}"),
    };
    let again = ended.pod(with_file(exit(0), side()), 60);
    assert_eq!(again.last.effects, [Effect::Recheck { at: at(70) }], "later news does not put it off");
    let late = again.input(Input::Tick, 70);
    assert_eq!(stored(&late), Some(ResultState::Gone));

    let ended = Fed::first(with_file(exit(0), side()));
    let word = ContainerState::Terminated(Terminated {
        code: 0,
        signal: None,
        reason: "Completed".into(),
        message: format!("{MARK} missing\n"),
        started: Some(at(4)),
        finished: Some(at(11)),
    });
    let told = ended.pod(with_file(exit(0), word), 12);
    assert_eq!(stored(&told), Some(ResultState::Missing));
}

#[test]
fn a_sidecar_that_cannot_start_is_what_the_task_waits_for() {
    let fed = Fed::first(with_file(waiting("PodInitializing"), waiting("ImagePullBackOff")));
    let pending = fed.row.pending().expect("a reason");
    assert_eq!((pending.reason, pending.kubernetes_reason.as_str()), (Reason::ImagePullFailed, "ImagePullBackOff"));
    let of_task = |event: &TaskEvent| matches!(&event.body, TaskEventBody::Container(c) if c.container != "main");
    assert!(!fed.last.events.iter().any(of_task), "it is none of the task's own");
}

/// The patch that stores an outcome may lose its race against a version that says nothing new, and
/// the pod may then be gone: what was known before holds.
#[test]
fn that_it_never_started_is_not_forgotten_over_a_lost_race() {
    let unlocated = || {
        let ContainerState::Terminated(end) = exit(137) else { panic!() };
        let end = Terminated { reason: "ContainerStatusUnknown".into(), started: None, finished: None, ..end };
        let mut o = Observation { phase: "Failed".into(), ..pod(ContainerState::Terminated(end)) };
        (o.deletion, o.deletion_grace) = (Some(at(9)), Some(2));
        o
    };
    let advice = |fed: &Fed| match &fed.last.effects[..] {
        [Effect::StoreOutcome(outcome)] => outcome.retry_advice,
        other => panic!("{other:?}"),
    };
    let mut fed = Fed::first(pod(waiting("ErrImagePull"))).pod(unlocated(), 10);
    assert_eq!(advice(&fed), outcome::RetryAdvice::SafeNeverStarted);
    fed = fed.pod(unlocated(), 11);
    assert_eq!(advice(&fed), outcome::RetryAdvice::SafeNeverStarted);
    // One that never saw it waiting cannot know.
    let late = Fed::first(unlocated()).pod(unlocated(), 11);
    assert_eq!(advice(&late), outcome::RetryAdvice::MayHaveSideEffects);
    let mut last = unlocated();
    last.resource_version = 99;
    let gone = fed.input(Input::Gone(Some(Arc::new(last))), 12);
    assert_eq!(to_record(&gone).retry_advice, outcome::RetryAdvice::SafeNeverStarted);
}
