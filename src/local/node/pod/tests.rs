//! Phases and statuses, without processes.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::container::{Container, Ended, Role, State};
use super::status::{Deadline, Phase, RestartPolicy, Sandbox, View};

/// A pod's containers from a text such as `i:0 s:run m:wait`: init, sidecar or main, and its exit code or state.
fn containers(text: &str) -> Vec<Container> {
    text.split_whitespace().map(container).collect()
}

fn container(text: &str) -> Container {
    let (role, state) = text.split_once(':').unwrap();
    let role = match role {
        "i" => Role::Init,
        "s" => Role::Sidecar,
        _ => Role::Main,
    };
    let pod = json!({"spec": {"containers": [{"name": text, "image": "x"}]}});
    let mut container = Container::all(&pod).remove(0);
    container.role = role;
    let (state, last) = state.strip_suffix('+').map_or((state, None), |state| (state, Some(ended(1))));
    container.last = last;
    let since = Timestamp::UNIX_EPOCH;
    container.state = match state {
        "wait" => container.state.clone(),
        "start" => State::Starting { since },
        "run" => State::Running { since },
        code => State::Ended(ended(code.parse().unwrap())),
    };
    container
}

fn ended(exit_code: i32) -> Ended {
    Ended {
        exit_code,
        reason: "Error",
        message: String::new(),
        started: Timestamp::UNIX_EPOCH,
        finished: Timestamp::UNIX_EPOCH,
        id: "containerd://1".to_owned(),
    }
}

#[test]
fn phases_follow_the_containers() {
    use Phase::{Failed, Pending, Running, Succeeded};
    use RestartPolicy::{Always, Never, OnFailure};
    for (text, policy, expected) in [
        ("m:wait", Never, Pending),
        ("m:start", Never, Pending),
        ("m:run", Never, Running),
        ("m:0", Never, Succeeded),
        ("m:3", Never, Failed),
        ("m:128", Never, Failed),
        ("m:3", OnFailure, Running),
        ("m:0", OnFailure, Succeeded),
        ("m:0", Always, Running),
        ("m:wait+", OnFailure, Running),
        ("m:run m:wait", Never, Pending),
        ("m:3 m:run", Never, Running),
        ("m:3 m:0", Never, Failed),
        ("m:0 m:0", Never, Succeeded),
        ("i:run m:wait", Never, Pending),
        ("i:0 i:wait m:wait", Never, Pending),
        ("i:7 m:wait", Never, Failed),
        ("i:7 m:wait", OnFailure, Pending),
        ("s:wait m:wait", Never, Pending),
        ("s:run m:wait", Never, Pending),
        ("s:run m:run", Never, Running),
        ("s:run m:5", Never, Running),
        ("s:9 m:0", Never, Succeeded),
        ("s:9 m:run", Never, Running),
        ("s:0 m:5", Never, Failed),
    ] {
        assert_eq!(Phase::of(&containers(text), policy), expected, "{text} {policy:?}");
    }
}

fn merged(stored: &mut Value, containers: &[Container], posted: Phase, deadline: Deadline) {
    let view = View {
        containers,
        computed: Phase::of(containers, RestartPolicy::Never),
        posted,
        deadline,
        sandbox: Sandbox::Ready,
        started: Timestamp::UNIX_EPOCH,
        now: Timestamp::from_second(60).unwrap(),
    };
    view.merge(stored);
}

#[test]
fn conditions_of_others_and_unchanged_transitions_are_kept() {
    let disrupted = json!({"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"});
    let scheduled = json!({"type": "PodScheduled", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"});
    let mut pod = json!({"metadata": {"generation": 2}, "status": {"qosClass": "BestEffort", "conditions": [disrupted, scheduled]}});
    merged(&mut pod, &containers("m:run"), Phase::Running, Deadline::Open);
    let conditions = pod["status"]["conditions"].as_array().unwrap().clone();
    assert_eq!(conditions.len(), 6);
    assert_eq!(conditions[5], disrupted);
    assert_eq!(conditions[4]["lastTransitionTime"], "2026-01-01T00:00:00Z");
    assert_eq!(conditions[2]["lastTransitionTime"], "1970-01-01T00:01:00Z");
    assert_eq!(pod["status"]["qosClass"], "BestEffort");
    let once = pod.clone();
    merged(&mut pod, &containers("m:run"), Phase::Running, Deadline::Open);
    assert_eq!(pod, once, "the same state is no change");
}

#[test]
fn a_stored_terminal_phase_is_never_left() {
    let mut pod = json!({"metadata": {}, "status": {"phase": "Failed", "reason": "Evicted"}});
    merged(&mut pod, &containers("m:0"), Phase::Succeeded, Deadline::Exceeded);
    assert_eq!((&pod["status"]["phase"], &pod["status"]["reason"]), (&json!("Failed"), &json!("Evicted")));
    assert_eq!(pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"], 0);
}
