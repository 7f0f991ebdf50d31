//! Limits of memory and CPU, where this machine lets the test make control groups.

use super::*;
use crate::local::node::process::cgroup::{Limits, Places};

/// Whether these limits can be kept; says so where not.
fn can_keep(limits: Limits) -> bool {
    let lack = Places::find().lack(&limits);
    if let Some(what) = lack {
        println!("skipped: {what} cannot be kept here: no control groups can be made");
    }
    lack.is_none()
}

fn of_memory() -> Limits {
    Limits { memory: Some(32 << 20), cpu: None }
}

/// A container that may use 32 MiB.
fn limited(script: &str) -> Value {
    let mut container = sh("main", script);
    container["resources"] = json!({"limits": {"memory": "32Mi"}});
    json!({"containers": [container]})
}

/// Takes so many MiB, in its own process.
fn take(mebibytes: u32) -> String {
    format!("exec dd if=/dev/zero of=/dev/null bs={mebibytes}M count=1")
}

#[tokio::test]
async fn who_takes_too_much_memory_is_killed() {
    if !can_keep(of_memory()) {
        return;
    }
    let bed = Bed::new();
    let mut pod = bed.launch(limited(&take(200)));
    assert_eq!(line(&pod.until_phase("Failed").await), "Failed main=OOMKilled/137");
}

/// Without a limit, below it, and killed by itself: none of them ran out of memory.
#[tokio::test]
async fn who_does_not_is_not() {
    let bed = Bed::new();
    let mut pod = bed.launch_named("free", json!({}), json!({"containers": [sh("main", &take(64))]}));
    assert_eq!(line(&pod.until_phase("Succeeded").await), "Succeeded main=Completed/0");
    let mut pod = bed.launch_named("below", json!({}), limited(&take(4)));
    assert_eq!(line(&pod.until_phase("Succeeded").await), "Succeeded main=Completed/0");
    let mut pod = bed.launch_named("killed", json!({}), limited("kill -s KILL $$$$"));
    assert_eq!(line(&pod.until_phase("Failed").await), "Failed main=Error/137");
}

/// Its first process goes on: the reason says that something of it was killed, the exit code is its own.
#[tokio::test]
async fn a_child_that_takes_too_much() {
    if !can_keep(of_memory()) {
        return;
    }
    let bed = Bed::new();
    // Version 2 kills all of a group, as Kubernetes has it.
    let mut pod = bed.launch(limited(&format!("({}); exit 0", take(200))));
    let end = pod.until(|pod| matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))).await;
    assert_eq!(main_state(&end)["terminated"]["reason"], "OOMKilled", "{}", line(&end));
}

#[tokio::test]
async fn all_processes_of_a_container_are_in_its_group_and_go_with_it() {
    let limits = Limits { cpu: Some(500), ..of_memory() };
    if !can_keep(limits) {
        return;
    }
    let bed = Bed::new();
    let mut container =
        sh("main", "setsid sleep 600 >/dev/null 2>&1 </dev/null & echo $!; grep -c podlaunch-local- /proc/self/cgroup");
    container["resources"] = json!({"limits": {"memory": "32Mi", "cpu": "500m"}});
    let mut pod = bed.launch(json!({"containers": [container]}));
    pod.until_phase("Succeeded").await;
    let log = bed.log("main").await;
    let lines: Vec<&str> = log.lines().collect();
    let [left, groups] = lines[..] else { panic!("{log}") };
    assert!(groups.parse::<u32>().unwrap() >= 1, "{log}");
    // `setsid` may have forked: what counts is that nothing of it is left.
    let gone = !std::path::Path::new("/proc").join(left).join("exe").exists();
    assert!(gone, "a process outlives its container: {left}");
}

#[tokio::test]
async fn a_group_is_made_and_removed() {
    let limits = Limits { cpu: Some(250), ..of_memory() };
    if !can_keep(limits) {
        return;
    }
    let places = Places::find();
    assert!(places.make(&Limits::default()).unwrap().is_none(), "nothing to keep");
    let group = places.make(&limits).unwrap().expect("a group");
    assert!(!group.doors().unwrap().is_empty());
    assert!(!group.ran_out_of_memory());
    group.end().await;
    assert!(group.doors().is_err(), "it is gone");
}
