//! What is told of a task's life, and what is told only once.

use super::*;

fn transcript(story: Story) -> Transcript {
    let mut transcript = Transcript::new(Colour::Plain, story);
    transcript.task = "default/hello#1".to_owned();
    transcript
}

fn event(body: Body) -> Update {
    Update::Event(v1::Event {
        occurred_time: Some(prost_types::Timestamp { seconds: 1_795_413_600, nanos: 0 }),
        body: Some(body),
        ..Default::default()
    })
}

fn state(state: v1::TaskState, reason: v1::Reason, words: (&str, &str)) -> Update {
    event(Body::StateChange(v1::StateChange {
        state: state.into(),
        reason: reason.into(),
        kubernetes_reason: words.0.to_owned(),
        kubernetes_message: words.1.to_owned(),
        ..Default::default()
    }))
}

fn notice(severity: v1::NoticeSeverity, reason: &str, message: &str) -> Update {
    event(Body::Notice(v1::PodNotice {
        kind: v1::NoticeKind::KubernetesEvent.into(),
        severity: severity.into(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        ..Default::default()
    }))
}

/// The lines, without time and task.
fn told(transcript: &mut Transcript, updates: &[Update]) -> Vec<String> {
    let lines = updates.iter().flat_map(|update| transcript.lines(update));
    let short =
        |line: String| line.strip_prefix("2026-11-23T06:00:00Z default/hello#1 ").map(str::to_owned).unwrap_or(line);
    lines.map(short).collect()
}

#[test]
fn why_a_task_waits_is_told_once_in_kubernetes_words() {
    use v1::NoticeSeverity::{Normal, Warning};
    use v1::{Reason as R, TaskState as S};
    let mut transcript = transcript(Story::Whole);
    let lines = told(
        &mut transcript,
        &[
            state(S::Pending, R::Scheduling, ("", "")),
            state(S::Pending, R::Unschedulable, ("Unschedulable", "0/1 nodes")),
            state(S::Pending, R::Unschedulable, ("Unschedulable", "0/1 nodes")),
            notice(Warning, "FailedScheduling", "0/1 nodes"),
            notice(Warning, "FailedScheduling", "0/1 nodes"),
            notice(Normal, "Scheduled", "assigned"),
            notice(Normal, "Pulling", "Pulling image \"i\""),
            state(S::Starting, R::ImagePullFailed, ("ErrImagePull", "not\nfound")),
            notice(Normal, "ErrImagePull", "not\nfound"),
        ],
    );
    assert_eq!(
        lines,
        [
            "PENDING SCHEDULING",
            "PENDING UNSCHEDULABLE Unschedulable: 0/1 nodes",
            "FailedScheduling: 0/1 nodes",
            "Pulling: Pulling image \"i\"",
            "STARTING IMAGE_PULL_FAILED ErrImagePull: not found",
        ]
    );
}

#[test]
fn once_it_runs_only_warnings_are_told() {
    use v1::NoticeSeverity::{Normal, Warning};
    let mut transcript = transcript(Story::Whole);
    let running = event(Body::StateChange(v1::StateChange {
        state: v1::TaskState::Running.into(),
        node_name: "node-1".to_owned(),
        ..Default::default()
    }));
    let lines = told(
        &mut transcript,
        &[running, notice(Normal, "Pulling", "a sidecar's image"), notice(Warning, "Unhealthy", "probe failed")],
    );
    assert_eq!(lines, ["RUNNING on node-1", "Unhealthy: probe failed"]);
}

#[test]
fn podlaunchs_own_remarks_say_what_they_are() {
    let mut transcript = transcript(Story::Whole);
    let second = event(Body::Notice(v1::PodNotice {
        kind: v1::NoticeKind::SecondStart.into(),
        message: "main started twice".to_owned(),
        ..Default::default()
    }));
    assert_eq!(told(&mut transcript, &[second]), ["SECOND_START main started twice"]);
}

#[test]
fn other_containers_failures_and_restarts_are_told() {
    use v1::container_change::State;
    let change = |role: v1::ContainerRole, restart, state| {
        event(Body::ContainerChange(v1::ContainerChange {
            container: "c".to_owned(),
            role: role.into(),
            restart,
            state: Some(state),
        }))
    };
    let ended = |code| {
        State::Terminated(v1::ContainerTerminated {
            exit_code: Some(code),
            reason: "Error".to_owned(),
            ..Default::default()
        })
    };
    let running = State::Running(v1::ContainerRunning::default());
    use v1::ContainerRole::{Init, Primary};
    let mut transcript = transcript(Story::Whole);
    let lines = told(
        &mut transcript,
        &[
            change(Init, 0, ended(0)),
            change(Init, 0, ended(4)),
            change(Primary, 0, running.clone()),
            change(Primary, 0, ended(1)),
            change(Primary, 1, running),
        ],
    );
    assert_eq!(lines, ["container c ended with exit code 4 Error", "container c was started again (restart 1)",]);
}

#[test]
fn of_logs_only_losses_are_told() {
    let end = v1::Termination {
        outcome: Some(v1::Outcome { state: v1::TaskState::Failed.into(), ..Default::default() }),
        delivery: Some(v1::Delivery {
            containers: vec![v1::ContainerDelivery {
                container: "main".to_owned(),
                verdict: v1::DeliveryVerdict::Truncated.into(),
                cause: v1::LogLossCause::Rotated.into(),
                ..Default::default()
            }],
        }),
    };
    let gap = v1::LogGap {
        container: "main".to_owned(),
        cause: v1::LogLossCause::Rotated.into(),
        lines: Some(3),
        ..Default::default()
    };
    let mut transcript = transcript(Story::Losses);
    let lines = told(
        &mut transcript,
        &[
            state(v1::TaskState::Running, v1::Reason::Unspecified, ("", "")),
            event(Body::LogGap(gap)),
            event(Body::Termination(Box::new(end))),
        ],
    );
    assert_eq!(
        lines,
        ["log of main: 3 lines missing here (ROTATED)", "log of main: TRUNCATED (ROTATED), 0 lines came",]
    );
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut transcript = transcript(Story::Whole);
    for number in 0..REMEMBERED * 3 {
        let update = notice(v1::NoticeSeverity::Warning, "R", &number.to_string());
        assert_eq!(transcript.lines(&update).len(), 1);
    }
    assert!(transcript.told.len() <= REMEMBERED);
}

#[test]
fn a_failure_repeats_the_warnings_and_says_where_to_look_on() {
    use v1::NoticeSeverity::{Normal, Warning};
    let ended = |state: v1::TaskState| {
        let mut transcript = transcript(Story::Whole);
        transcript.pod = Some(("jobs".to_owned(), "hello-pod".to_owned()));
        let notices: Vec<Update> =
            (0..7).map(|i| notice(Warning, "FailedMount", &format!("secret {i} not found"))).collect();
        told(&mut transcript, &notices);
        told(&mut transcript, &[notice(Normal, "Pulling", "image")]);
        let outcome = v1::Outcome { state: state.into(), ..Default::default() };
        told(
            &mut transcript,
            &[event(Body::Termination(Box::new(v1::Termination { outcome: Some(outcome), delivery: None })))],
        )
    };
    let failed = ended(v1::TaskState::Failed).join("\n");
    assert!(failed.contains("Kubernetes warned of:\n    FailedMount: secret 2 not found"), "{failed}");
    assert!(!failed.contains("secret 1") && failed.contains("secret 6") && !failed.contains("Pulling"), "{failed}");
    let hint = "look on: podlaunch get -o wide default/hello#1, kubectl -n jobs describe pod hello-pod";
    assert!(failed.ends_with(hint), "{failed}");
    for state in [v1::TaskState::Succeeded, v1::TaskState::Cancelled] {
        let quiet = ended(state).join("\n");
        assert!(!quiet.contains("warned") && !quiet.contains("look on"), "{quiet}");
    }
}
