//! A pod of many containers that all write much: every line of each arrives, in its order.
//!
//! The counts are small; with `PODLAUNCH_E2E_FULL=1` on a real cluster they are those that are promised, and its nodes
//! must not rotate that early (`containerLogMaxSize`).

use std::time::Instant;

use crate::harness::images::BUSYBOX;
use crate::harness::spec::Build as _;
use crate::harness::v1::{self, DeliveryVerdict, Reason, TaskState};
use crate::harness::{Ctx, run_long};

/// Regular containers, the primary among them.
const CONTAINERS: usize = 10;
const INITS: usize = 3;

fn lines(t: &Ctx) -> u32 {
    // The embedded node rotates at 10 MiB, and what is rotated away is not ours to keep.
    let full = t.backend.is_real() && std::env::var_os("PODLAUNCH_E2E_FULL").is_some_and(|full| full == "1");
    if full { 100_000 } else { 2_000 }
}

fn names() -> (Vec<String>, Vec<String>) {
    let inits = (0..INITS).map(|i| format!("init-{i}")).collect();
    let mut containers: Vec<String> = (1..CONTAINERS).map(|i| format!("other-{i}")).collect();
    containers.push("main".to_owned());
    (inits, containers)
}

/// Numbered lines with the container's name; about 60 bytes each.
fn writer(name: &str, lines: u32) -> serde_json::Value {
    let fill = "x".repeat(40);
    let script = format!("seq 1 {lines} | sed 's/^/{name} /; s/$/ {fill}/'");
    serde_json::json!({"name": name, "image": BUSYBOX, "command": ["sh", "-c", script]})
}

fn written(name: &str, lines: u32) -> Vec<u8> {
    let fill = "x".repeat(40);
    (1..=lines).flat_map(|line| format!("{name} {line} {fill}\n").into_bytes()).collect()
}

#[test]
fn ten_containers_and_three_init_containers() {
    run_long(async |t| {
        let lines = lines(t);
        let (inits, containers) = names();
        let all = |names: &[String]| names.iter().map(|name| writer(name, lines)).collect::<Vec<_>>();
        let manifest = serde_json::json!({"initContainers": all(&inits), "containers": all(&containers)});
        let mut spec = v1::TaskSpec { manifest: manifest.to_string(), ..Default::default() }.all_logs().grace(5);
        spec.primary_container = "main".to_owned();
        let began = Instant::now();
        let task = t.run(spec).await;
        let took = began.elapsed();
        task.assert_ended(TaskState::Succeeded, Reason::Completed);
        let mut bytes = 0;
        for name in inits.iter().chain(&containers) {
            let log = task.log(name);
            crate::harness::collected::assert_same(log, &written(name, lines));
            let delivery = task.delivery(name);
            assert_eq!((delivery.verdict(), delivery.lines), (DeliveryVerdict::Complete, u64::from(lines)), "{name}");
            bytes += log.len();
        }
        println!("{} containers, {lines} lines each, {bytes} bytes, {took:?}", inits.len() + containers.len());
    });
}
