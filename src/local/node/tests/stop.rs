//! Deletion, deadlines, and the end of the node itself.

use super::*;

const HANDLER: &str = "trap 'echo bye; exit $CODE' TERM; echo up; while :; do sleep 0.02; done";

fn stubborn() -> Value {
    sh("main", "trap '' TERM; echo up; while :; do sleep 0.02; done")
}

fn handler(code: i32) -> Value {
    let mut main = sh("main", HANDLER);
    main["env"] = json!([{"name": "CODE", "value": code.to_string()}]);
    main
}

/// Waits until the container has set its trap.
async fn until_up(bed: &Bed) {
    let mut query = bed.query("main");
    query.follow = Follow::Yes;
    let mut body = bed.node.logs().open(query).await.unwrap();
    timeout(PATIENCE, body.next()).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_deleted_pod_is_asked_to_end_and_then_removed() {
    for (code, end) in [(0, "Succeeded main=Completed/0"), (3, "Failed main=Error/3")] {
        let bed = Bed::new();
        let mut pod = bed.launch(json!({"containers": [handler(code)]}));
        pod.until_running().await;
        until_up(&bed).await;
        bed.delete("p", 30);
        pod.until_removed().await;
        assert_eq!(pod.history()[2..], ["Running main=running", end], "one update holds exit code and phase");
        assert_eq!(bed.events().last().unwrap(), "Killing Stopping container main");
        let last = pod.seen.last().unwrap();
        assert_eq!(last["metadata"]["deletionGracePeriodSeconds"], 0);
    }
}

#[tokio::test]
async fn one_that_does_not_listen_is_killed_after_its_grace() {
    let bed = Bed::new();
    let mut pod = bed.launch(json!({"containers": [stubborn()]}));
    pod.until_running().await;
    until_up(&bed).await;
    bed.delete("p", 1);
    let before = tokio::time::Instant::now();
    let killed = pod.until_phase("Failed").await;
    assert!(before.elapsed() >= Duration::from_millis(990), "{:?}", before.elapsed());
    assert_eq!(line(&killed), "Failed main=Error/137");
}

#[tokio::test]
async fn a_second_deletion_can_shorten_the_grace() {
    let bed = Bed::new();
    let mut pod = bed.launch(json!({"containers": [stubborn()]}));
    pod.until_running().await;
    until_up(&bed).await;
    bed.delete("p", 3600);
    pod.until(|pod| pod["metadata"]["deletionGracePeriodSeconds"] == 3600).await;
    bed.delete("p", 1);
    pod.until_removed().await;
    assert_eq!(pod.history().last().unwrap(), "Failed main=Error/137");
}

#[tokio::test]
async fn a_held_pod_loses_its_log_but_not_its_status() {
    let bed = Bed::new();
    let held = json!({"finalizers": ["podlaunch.dev/outcome"]});
    let mut pod = bed.launch_named("p", held, json!({"containers": [handler(3)]}));
    pod.until_running().await;
    until_up(&bed).await;
    let mut follow = bed.query("main");
    follow.follow = Follow::Yes;
    let mut open = bed.node.logs().open(follow).await.unwrap();
    bed.delete("p", 30);
    let held = pod.until(|pod| pod["metadata"]["deletionGracePeriodSeconds"] == 0).await;
    assert_eq!(line(&held), "Failed main=Error/3");
    let id = main_state(&held)["terminated"]["containerID"].as_str().unwrap();
    assert_eq!(bed.log("main").await, format!("unable to retrieve container logs for {id}"));
    let mut lines = Vec::new();
    while let Some(piece) = timeout(PATIENCE, open.next()).await.unwrap() {
        lines.extend_from_slice(&piece.unwrap());
    }
    assert_eq!(lines, b"up\nbye\n");
    let released = bed.store.update(Kind::Pod, "default", "p", |pod| {
        pod["metadata"]["finalizers"] = json!([]);
        Ok(())
    });
    released.unwrap();
    pod.until_removed().await;
}

#[tokio::test]
async fn a_pod_that_was_terminal_keeps_its_log_while_it_is_held() {
    let bed = Bed::new();
    let held = json!({"finalizers": ["podlaunch.dev/outcome"]});
    let mut pod = bed.launch_named("p", held, json!({"containers": [sh("main", "echo kept")]}));
    pod.until_phase("Succeeded").await;
    bed.delete("p", 0);
    pod.until(|pod| pod["metadata"]["deletionGracePeriodSeconds"] == 0).await;
    assert_eq!(bed.log("main").await, "kept\n");
}

#[tokio::test]
async fn a_pod_deleted_before_it_started_never_ran() {
    let bed = Bed::new();
    let held = json!({"finalizers": ["podlaunch.dev/outcome"]});
    let spec = json!({"containers": [{"name": "main", "image": "registry.invalid/x", "command": ["true"]}]});
    let mut pod = bed.launch_named("p", held, spec);
    pod.until(|pod| state(main_state(pod)) == "ErrImagePull").await;
    bed.delete("p", 1);
    let done = pod.until_phase("Failed").await;
    assert_eq!(
        main_state(&done)["terminated"],
        json!({"exitCode": 137, "reason": "ContainerStatusUnknown", "startedAt": null, "finishedAt": null,
            "message": "The container could not be located when the pod was terminated"})
    );
    assert_eq!(condition(&done, "Ready"), "False ContainersNotReady containers with unready status: [main]");
    let refusal = bed.read(bed.query("main")).await.unwrap_err();
    assert_eq!(refusal, LogRefusal::BadRequest("container \"main\" in pod \"p\" is terminated".into()));
    pod.until(|pod| pod["metadata"]["deletionGracePeriodSeconds"] == 0).await;
}

#[tokio::test]
async fn deleted_while_an_init_container_runs() {
    let bed = Bed::new();
    let mut init = stubborn();
    init["name"] = json!("init");
    let mut pod = bed.launch(json!({"initContainers": [init], "containers": [sh("main", "true")]}));
    pod.until(|pod| line(pod).contains("init=running")).await;
    bed.delete("p", 1);
    pod.until_removed().await;
    let last = pod.history().pop().unwrap();
    assert!(
        last == "Failed init=Error/137 main=PodInitializing" || last == "Failed init=Error/143 main=PodInitializing"
    );
}

#[tokio::test]
async fn a_force_deleted_pods_process_ends_after_its_object() {
    let bed = Bed::new();
    let mut pod = bed.launch(json!({"containers": [handler(3)]}));
    pod.until_running().await;
    until_up(&bed).await;
    let mut follow = bed.query("main");
    follow.follow = Follow::Yes;
    let mut open = bed.node.logs().open(follow).await.unwrap();
    bed.store.remove(Kind::Pod, "default", "p", None).unwrap();
    let mut lines = Vec::new();
    while let Some(piece) = timeout(PATIENCE, open.next()).await.unwrap() {
        lines.extend_from_slice(&piece.unwrap());
    }
    assert_eq!(lines, b"up\nbye\n");
    assert_eq!(pod.history().last().unwrap(), "Running main=running");
}

#[tokio::test]
async fn a_lowered_deadline_stops_the_pod() {
    for (code, end) in [(3, "Failed main=Error/3"), (0, "Failed main=Completed/0")] {
        let bed = Bed::new();
        let mut pod = bed.launch(json!({"containers": [handler(code)]}));
        pod.until_running().await;
        until_up(&bed).await;
        let lowered = bed.store.update(Kind::Pod, "default", "p", |pod| {
            pod["spec"]["activeDeadlineSeconds"] = json!(1);
            Ok(())
        });
        lowered.unwrap();
        let told = pod.until(|pod| condition(pod, "Ready") == "False PodFailed").await;
        assert_eq!(line(&told), "Running main=running");
        let done = pod.until_phase("Failed").await;
        assert_eq!(line(&done), end);
        assert_eq!(done["status"]["reason"], "DeadlineExceeded");
        assert_eq!(done["status"]["message"], "Pod was active on the node longer than the specified deadline");
        assert!(bed.log("main").await.ends_with("bye\n"));
        let events = bed.events();
        assert_eq!(
            events[events.len() - 2..],
            [
                "DeadlineExceeded Pod was active on the node longer than the specified deadline",
                "Killing Stopping container main"
            ]
        );
    }
}

#[tokio::test]
async fn a_deadline_before_the_start_is_told_first_and_amended_later() {
    let bed = Bed::new();
    let mut pod = bed.launch(json!({"activeDeadlineSeconds": 1,
        "containers": [{"name": "main", "image": "registry.invalid/x", "command": ["true"]}]}));
    let failed = pod.until_phase("Failed").await;
    assert_eq!(failed["status"]["reason"], "DeadlineExceeded");
    assert!(!main_state(&failed)["waiting"].is_null());
    let amended = pod.until(|pod| main_state(pod)["waiting"].is_null()).await;
    assert_eq!(line(&amended), "Failed main=ContainerStatusUnknown/137");
}

#[tokio::test]
async fn a_pre_stop_hook_runs_before_the_signal() {
    let bed = Bed::new();
    let mut main = handler(0);
    main["lifecycle"] = json!({"preStop": {"exec": {"command": ["sh", "-c", "echo hooked > hook"]}}});
    main["command"][2] = json!("trap 'cat hook; exit 0' TERM; echo up; while :; do sleep 0.02; done");
    let mut pod = bed.launch(json!({"activeDeadlineSeconds": 1, "containers": [main]}));
    pod.until_phase("Failed").await;
    assert_eq!(bed.log("main").await, "up\nhooked\n");
}

#[tokio::test]
async fn shutdown_kills_every_container() {
    let bed = Bed::new();
    let mut pod =
        bed.launch(json!({"containers": [sh("main", "sleep 1000 & echo $!; wait"), stubborn_named("other")]}));
    pod.until_running().await;
    let mut query = bed.query("main");
    query.follow = Follow::Yes;
    let mut body = bed.node.logs().open(query).await.unwrap();
    let first = timeout(PATIENCE, body.next()).await.unwrap().unwrap().unwrap();
    let child = String::from_utf8(first.to_vec()).unwrap();
    bed.node.shutdown().await;
    let state = std::fs::read_to_string(format!("/proc/{}/stat", child.trim())).unwrap_or_default();
    assert!(state.is_empty() || state.contains(") Z "), "{state}");
}

fn stubborn_named(name: &str) -> Value {
    let mut container = stubborn();
    container["name"] = json!(name);
    container
}

#[tokio::test]
async fn a_state_directory_has_one_node() {
    let bed = Bed::new();
    let again = Node::start(Store::new(), NodeConfig::new(bed.dir.path().join("node")));
    assert!(matches!(again.err(), Some(crate::local::node::NodeError::InUse)));
}
