use std::sync::Arc;

use prost::Message as _;

use super::*;
use crate::pod::observe::observe_as;
use crate::task::observation::{Condition, NeverStarted, PendingReason, StoredOutcome};
use crate::task::outcome::Outcome;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn observation() -> Observation {
    let pod = serde_json::json!({
        "metadata": {
            "name": "t-x", "namespace": "jobs", "uid": "u-1", "resourceVersion": "7",
            "creationTimestamp": "2025-01-01T00:00:00Z",
            "annotations": {"podlaunch.dev/fingerprint": "v1:f"}
        },
        "spec": {"nodeName": "node-1", "restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]},
        "status": {
            "phase": "Pending",
            "conditions": [{"type": "PodScheduled", "status": "True", "lastTransitionTime": "2025-01-01T00:00:01Z"}],
            "containerStatuses": [{
                "name": "main", "image": "busybox", "imageID": "", "ready": false, "restartCount": 0,
                "state": {"waiting": {"reason": "ErrImagePull", "message": "no"}}
            }]
        }
    });
    let key = TaskKey::new("", "jobs", "t", 2).unwrap();
    observe_as(&serde_json::from_value(pod).unwrap(), key, "main").unwrap()
}

fn view(observation: Observation, state: State) -> View {
    View {
        observation: Arc::new(observation),
        state,
        pending: None,
        outcome: None,
        ended: None,
        presence: Presence::Present,
        observed: Timestamp::UNIX_EPOCH,
    }
}

fn terminated_state() -> Terminated {
    Terminated {
        code: 3,
        signal: None,
        reason: "Error".into(),
        message: "last words".into(),
        started: Some(time("2025-01-01T00:00:02Z")),
        finished: Some(time("2025-01-01T00:00:03Z")),
    }
}

#[test]
fn a_task_that_waits() {
    let pending = PendingReason {
        reason: Reason::ImagePullFailed,
        kubernetes_reason: "ErrImagePull".into(),
        kubernetes_message: "x".repeat(5000),
        never_started: NeverStarted::Proven,
    };
    let view = View { pending: Some(pending), ..view(observation(), State::Starting) };
    let task = task(&view.observation.key, "main", &view);
    assert_eq!(
        task.key,
        Some(v1::TaskKey { cluster: "main".into(), namespace: "jobs".into(), task_id: "t".into(), attempt: 2 })
    );
    assert_eq!(
        (task.state(), task.reason(), task.source()),
        (v1::TaskState::Starting, v1::Reason::ImagePullFailed, v1::TaskSource::Pod)
    );
    assert_eq!((task.kubernetes_reason.as_str(), task.kubernetes_message.len()), ("ErrImagePull", 4096));
    assert_eq!(task.fingerprint, "v1:f");
    let pod = task.pod.unwrap();
    assert_eq!((pod.name.as_str(), pod.uid.as_str(), pod.node_name.as_str()), ("t-x", "u-1", "node-1"));
    let times = task.times.unwrap();
    assert_eq!(times.created_time.unwrap().seconds + 1, times.scheduled_time.unwrap().seconds);
    assert_eq!((times.started_time, times.finished_time), (None, None));
    assert_eq!(task.containers.len(), 1);
    assert!(matches!(&task.containers[0].state, Some(v1::container_status::State::Waiting(w)) if w.message == "no"));
    assert_eq!(task.outcome, None);
}

#[test]
fn why_a_task_terminates() {
    let stop = |cause| Stop {
        cause,
        caller: "uid:1".into(),
        message: "enough".into(),
        time: time("2025-01-01T00:01:00Z"),
        grace_seconds: 5,
        pending: None,
    };
    let disruption = Condition {
        kind: "DisruptionTarget".into(),
        status: "True".into(),
        reason: Some("PreemptionByScheduler".into()),
        message: Some("preempted".into()),
        since: None,
    };
    let with_stop = |cause| Observation { stop: Some(stop(cause)), ..observation() };
    let cases = [
        (with_stop(StopCause::Cancel), v1::Reason::CancelledByCaller, "", v1::StopCause::Cancel),
        (with_stop(StopCause::ExecutionTimeout), v1::Reason::ExecutionTimeout, "", v1::StopCause::ExecutionTimeout),
        (with_stop(StopCause::Disconnected), v1::Reason::Disconnected, "", v1::StopCause::Disconnect),
        (
            Observation { conditions: vec![disruption], ..observation() },
            v1::Reason::Preempted,
            "PreemptionByScheduler",
            v1::StopCause::Unspecified,
        ),
        (observation(), v1::Reason::PodDeleted, "", v1::StopCause::Unspecified),
    ];
    for (seen, reason, word, cause) in cases {
        let view = view(seen, State::Terminating);
        let task = task(&view.observation.key, "main", &view);
        assert_eq!((task.reason(), task.kubernetes_reason.as_str()), (reason, word));
        assert_eq!(task.stop.as_ref().map_or(v1::StopCause::Unspecified, v1::StopInfo::cause), cause);
        if let Some(stop) = task.stop {
            assert_eq!(
                (stop.caller.as_str(), stop.reason.as_str(), stop.grace.unwrap().seconds),
                ("uid:1", "enough", 5)
            );
        }
    }
    let silent = view(observation(), State::Unreachable);
    assert_eq!(task(&silent.observation.key, "main", &silent).reason(), v1::Reason::NodeUnreachable);
}

/// As it is stored with a pod.
const STORED: &str = r#"{"state":"FAILED","reason":"OOM_KILLED","reason_version":1,"kubernetes_reason":"OOMKilled",
    "origin":"USER","retry_advice":"MAY_HAVE_SIDE_EFFECTS","certainty":"OBSERVED","exit_code":137,"signal":9,
    "oom_killed":true,"timeout":"EXECUTION_TIMEOUT","container":"main","containers":[
      {"name":"init","role":"INIT","restarts":1,"state":"terminated","reason":"Completed","exit_code":0},
      {"name":"main","role":"PRIMARY","restarts":0,"state":"terminated","reason":"OOMKilled","exit_code":137,
       "started":"2025-01-01T00:00:02Z","finished":"2025-01-01T00:00:03Z"},
      {"name":"side","role":"SIDECAR","restarts":0,"state":"running","started":"2025-01-01T00:00:01Z"},
      {"name":"more","role":"OTHER","restarts":0,"state":"waiting","reason":"ContainerCreating"},
      {"name":"none","role":"OTHER","restarts":0,"state":"unset"}],
    "times":{"created":"2025-01-01T00:00:00Z","started":"2025-01-01T00:00:02Z","finished":"2025-01-01T00:00:03Z"},
    "termination_message":"out of memory","pod":{"name":"t-x","uid":"u-1","resource_version":9,"node":"node-1"},
    "shortened":true}"#;

fn stored() -> StoredOutcome {
    let outcome: Outcome = serde_json::from_str(STORED).unwrap();
    StoredOutcome { outcome, text: STORED.into() }
}

#[test]
fn an_outcome_is_a_function_of_what_is_stored() {
    use v1::container_status::State as Out;
    let outcome = encode_outcome::outcome(&stored());
    assert_eq!(outcome.encode_to_vec(), encode_outcome::outcome(&stored()).encode_to_vec());
    assert_eq!(
        (outcome.state(), outcome.reason(), outcome.reason_version),
        (v1::TaskState::Failed, v1::Reason::OomKilled, 1)
    );
    assert_eq!((outcome.origin(), outcome.certainty()), (v1::Origin::User, v1::Certainty::Observed));
    assert_eq!(outcome.retry_advice(), v1::RetryAdvice::MayHaveSideEffects);
    assert_eq!((outcome.exit_code, outcome.signal, outcome.oom_killed), (Some(137), Some(9), true));
    assert_eq!((outcome.timeout(), outcome.shortened), (v1::TimeoutKind::Execution, true));
    assert_eq!((outcome.container.as_str(), outcome.node_name.as_str()), ("main", "node-1"));
    assert_eq!(&outcome.termination_message[..], b"out of memory");
    let roles: Vec<_> = outcome.containers.iter().map(v1::ContainerStatus::role).collect();
    use v1::ContainerRole::{Init, Primary, Regular, Sidecar};
    assert_eq!(roles, [Init, Primary, Sidecar, Regular, Regular]);
    assert!(matches!(&outcome.containers[0].state, Some(Out::Terminated(t)) if t.exit_code == Some(0)));
    assert!(
        matches!(&outcome.containers[1].state, Some(Out::Terminated(t)) if t.reason == "OOMKilled" && t.message.is_empty())
    );
    assert!(matches!(&outcome.containers[2].state, Some(Out::Running(r)) if r.started_time.is_some()));
    assert!(matches!(&outcome.containers[3].state, Some(Out::Waiting(w)) if w.reason == "ContainerCreating"));
    assert_eq!(outcome.containers[4].state, None);
    assert!(outcome.containers.iter().all(|c| c.last_terminated.is_none() && c.image.is_empty()));
    assert_eq!(outcome.times.unwrap().started_time.unwrap().seconds, time("2025-01-01T00:00:02Z").as_second());
}

#[test]
fn a_finished_task_takes_its_times_from_the_outcome() {
    let mut view = view(observation(), State::Failed);
    view.outcome = Some(Arc::new(stored()));
    view.presence = Presence::Gone;
    let task = task(&view.observation.key, "main", &view);
    assert_eq!(
        (task.state(), task.reason(), task.source()),
        (v1::TaskState::Failed, v1::Reason::Unspecified, v1::TaskSource::Record)
    );
    let outcome = task.outcome.unwrap();
    assert_eq!(task.times, outcome.times);
    assert_eq!(outcome.state(), v1::TaskState::Failed);
}

#[test]
fn every_reason_has_its_own_value() {
    for ours in Reason::ALL {
        let theirs = reason(*ours);
        assert_eq!(theirs.as_str_name(), format!("REASON_{ours}"));
    }
    assert_eq!(Reason::ALL.len() + 1, (0..=200).filter(|n| v1::Reason::try_from(*n).is_ok()).count());
}

#[test]
fn ends_that_never_were_have_no_code_and_no_time() {
    let end = terminated(&terminated_state(), Some("containerd://a"));
    assert_eq!(
        (end.exit_code, end.container_id.as_str(), &end.message[..]),
        (Some(3), "containerd://a", &b"last words"[..])
    );
    let unknown =
        Terminated { code: 137, reason: "ContainerStatusUnknown".into(), started: None, ..terminated_state() };
    assert_eq!(terminated(&unknown, None).exit_code, None);
    let never = Terminated { started: Some(Timestamp::UNIX_EPOCH), ..terminated_state() };
    assert_eq!(terminated(&never, None).started_time, None);
}

#[test]
fn clipping_keeps_characters_whole() {
    for (text, most, expected) in [("abc", 5, "abc"), ("abc", 2, "ab"), ("aä", 2, "a"), ("ä", 1, ""), ("", 0, "")] {
        assert_eq!(clip(text, most), expected);
    }
}
