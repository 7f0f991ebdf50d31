//! Logs whose files are rotated while they are read: nothing twice, nothing out of order, nothing missing untold (G3).
//!
//! On the embedded cluster the test rotates; a real kubelet must be configured to do so (`containerLogMaxSize: 100Ki`),
//! or the test is skipped and says so. `PODLAUNCH_E2E_FULL=1` writes 20 MB.

use std::time::Duration;

use serde_json::json;

use crate::harness::collected::Collected;
use crate::harness::ctx::Ctx;
use crate::harness::faults;
use crate::harness::podlaunch::Podlaunch;
use crate::harness::run;
use crate::harness::server::{Server, unique_instance};
use crate::harness::spec::sh;
use crate::harness::stream::TaskStream;
use crate::harness::v1::event::Body;
use crate::harness::v1::{self, DeliveryVerdict, FirstRead};

/// The size from which a file is rotated, as podlaunch is told.
const MAX_SIZE: &str = "100Ki";
/// Number of the line before the first.
const BASE: u64 = 100_000_000;
/// Lines of 100 bytes that are written at once.
const BLOCK: u64 = 2_000;

/// A real kubelet looks every few seconds, so there the writer must go on for a while.
fn blocks(t: &Ctx) -> u64 {
    let full = std::env::var_os("PODLAUNCH_E2E_FULL").is_some_and(|full| full == "1");
    match (full, t.backend.is_real()) {
        (true, _) => 100,
        (false, true) => 60,
        (false, false) => 15,
    }
}

/// Numbered lines of 100 bytes: one, time for the readers to begin with it, then blocks.
fn writer(blocks: u64) -> String {
    let fill = "x".repeat(89);
    let write = |from: &str, to: &str| format!("seq $(({BASE} + {from})) $(({BASE} + {to})) | sed 's/$/ {fill}/'");
    let (one, block) = (write("1", "1"), write(&format!("b * {BLOCK} + 2"), &format!("b * {BLOCK} + {BLOCK} + 1")));
    format!("{one}; sleep 3; b=0; while [ $b -lt {blocks} ]; do {block}; b=$((b + 1)); sleep 0.3; done")
}

/// Whether the nodes rotate at that size: of a real cluster the run's environment says so.
fn node_rotates(t: &Ctx) -> bool {
    let rotates = !t.backend.is_real() || std::env::var("PODLAUNCH_E2E_LOG_MAX_SIZE").as_deref() == Ok(MAX_SIZE);
    if !rotates {
        println!("skipped: PODLAUNCH_E2E_LOG_MAX_SIZE does not say that the node rotates logs at {MAX_SIZE}");
    }
    rotates
}

/// What came of a log: line numbers, and where a gap was told.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Line(u64),
    Gap,
}

fn parts(got: &Collected) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut open: Vec<u8> = Vec::new();
    for body in got.bodies() {
        match body {
            Body::LogChunk(chunk) => {
                open.extend_from_slice(&chunk.data);
                while let Some(end) = memchr::memchr(b'\n', &open) {
                    let line: Vec<u8> = open.drain(..=end).collect();
                    parts.extend(number(&line).map(Part::Line));
                }
            }
            Body::LogGap(_) => {
                open.clear();
                parts.push(Part::Gap);
            }
            _ => {}
        }
    }
    parts
}

/// A whole line's number. A rotation may leave the end of a line as a line of its own.
fn number(line: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(line.get(..9)?).ok()?;
    (line.len() == 100).then(|| text.parse::<u64>().ok().map(|number| number - BASE))?
}

/// Every line at most once and in order; what is missing is told by a gap or by the verdict.
fn check(got: &Collected, lines: u64) -> usize {
    let delivery = got.delivery("main");
    let parts = parts(got);
    let gaps = parts.iter().filter(|part| **part == Part::Gap).count();
    let mut last: Option<u64> = None;
    let mut told = false;
    let mut untold = 0;
    for part in &parts {
        let Part::Line(number) = part else {
            told = true;
            continue;
        };
        if let Some(last) = last {
            assert!(*number > last, "line {number} after {last}");
            untold += if told { 0 } else { number - last - 1 };
        }
        (last, told) = (Some(*number), false);
    }
    let ended = last == Some(lines);
    println!("{} parts, {gaps} gaps, {untold} lines missing without one: {delivery:?}", parts.len());
    if untold > 0 || gaps > 0 || !ended {
        assert_ne!(delivery.verdict(), DeliveryVerdict::Complete, "{delivery:?}");
    }
    gaps
}

/// How often a reader is away. Not for ever: the end of a rotated log takes longer than it stays.
const BREAKS: u32 = 6;

/// Reads a while, is away a while, and so on; then to the end.
async fn with_breaks(podlaunch: &Podlaunch, mut stream: TaskStream) -> Collected {
    for _ in 0..BREAKS {
        let reading =
            tokio::time::timeout(Duration::from_millis(400), async { while stream.next().await.is_some() {} });
        if reading.await.is_ok() {
            return stream.seen;
        }
        let seen = stream.seen.clone();
        drop(stream);
        tokio::time::sleep(Duration::from_millis(700)).await;
        stream = podlaunch.resume(&seen).await.expect("its cursor is good");
    }
    stream.collect().await
}

/// Watches the file, and on the embedded cluster rotates it, until the task is over. How often it began anew.
async fn rotations(t: &Ctx, podlaunch: &Podlaunch, key: &v1::TaskKey, pod: &str) -> usize {
    let faults = if t.backend.is_real() { None } else { faults::of(t) };
    let (mut seen, mut first) = (0, Vec::new());
    loop {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let now = t.cluster.raw_log(pod).await;
        let begins = now.get(..9).unwrap_or_default().to_vec();
        if !first.is_empty() && !begins.is_empty() && begins != first {
            seen += 1;
        }
        if !begins.is_empty() {
            first = begins;
        }
        if podlaunch.get(key.clone()).await.expect("it is known").outcome.is_some() {
            return seen;
        }
        if let (Some(faults), true) = (&faults, now.len() > 100 << 10) {
            faults.act_on_log(pod, json!({"act": "rotate_log"})).await;
        }
    }
}

#[test]
fn what_is_missing_is_told() {
    run(async |t| {
        if !node_rotates(t) {
            return;
        }
        let lines = blocks(t) * BLOCK + 1;
        let server = Server::start_with(&unique_instance(), &["--container-log-max-size", MAX_SIZE]);
        let podlaunch = server.connect().await;
        let mut live = podlaunch.launch(t.request("rotated", sh(&writer(blocks(t))))).await.expect("accepted");
        live.until_line("100000001 ").await;
        let (key, pod) = (live.seen.key(), live.seen.pod().name.clone());
        let anew = v1::AttachTaskRequest { key: Some(key.clone()), ..Default::default() };
        let broken = server.connect().await.attach(anew.clone()).await.expect("it is known");
        let (live, broken, rotations) =
            tokio::join!(live.collect(), with_breaks(&podlaunch, broken), rotations(t, &podlaunch, &key, &pod));
        println!("{rotations} rotations were seen");
        assert!(rotations >= 3, "only {rotations} rotations");
        for got in [&live, &broken] {
            check(got, lines);
            // The log can be read all the time: what is missing was rotated away, not waited for in vain.
            assert_ne!(got.delivery("main").cause(), v1::LogLossCause::WaitExceeded, "{:?}", got.delivery("main"));
        }
        assert_eq!(broken.outcome_bytes(), live.outcome_bytes());

        // Read afterwards: what the file still holds, and when the first read was opened.
        let held = t.cluster.raw_log(&pod).await;
        let after = podlaunch.attach(anew).await.expect("it is known").collect().await;
        assert_eq!(after.output(), held);
        assert_eq!(after.delivery("main").first_read(), FirstRead::AfterEnd);
        let numbers = parts(&after);
        assert!(!numbers.contains(&Part::Gap), "nothing was sent before that could be missed");
    });
}
