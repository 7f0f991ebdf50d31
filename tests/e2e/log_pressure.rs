//! Readers that stand still, and many readers of one log (G7).
//!
//! The sizes are small; with `PODLAUNCH_E2E_FULL=1` they are those that the guarantee names.

use std::time::Duration;

use crate::harness::collected::{Collected, End};
use crate::harness::ctx::Ctx;
use crate::harness::failure::Failure;
use crate::harness::podlaunch::Podlaunch;
use crate::harness::server::{Server, unique_instance};
use crate::harness::spec::{sh, until_stopped};
use crate::harness::v1::{self, DeliveryVerdict};
use crate::harness::{run, run_long, wait};

/// Number of the line before the first.
const BASE: u64 = 100_000_000;

struct Size {
    /// Lines of 100 bytes.
    lines: u64,
    /// How long the reader stands still.
    still: Duration,
    /// How much more memory the server may take meanwhile, bytes: less than all the lines would need.
    allowed: u64,
}

fn size(t: &Ctx) -> Size {
    // The embedded node rotates at 10 MiB, and what is rotated away is not ours to keep.
    let full = t.backend.is_real() && std::env::var_os("PODLAUNCH_E2E_FULL").is_some_and(|full| full == "1");
    match full {
        true => Size { lines: 1_000_000, still: Duration::from_secs(50), allowed: 8 << 20 },
        false => Size { lines: 60_000, still: Duration::from_secs(3), allowed: 4 << 20 },
    }
}

/// Numbered lines of 100 bytes, then `then`.
fn writer(lines: u64, then: &str) -> String {
    let fill = "x".repeat(89);
    format!("seq {} {} | sed 's/$/ {fill}/'; echo written; {then}", BASE + 1, BASE + lines)
}

fn expect_all(got: &Collected, lines: u64) {
    let output = got.output();
    let numbers = output.split(|byte| *byte == b'\n').filter(|line| line.len() == 99);
    let mut next = BASE + 1;
    for line in numbers {
        assert_eq!(&line[..9], next.to_string().as_bytes());
        next += 1;
    }
    assert_eq!(next, BASE + lines + 1);
    assert_eq!(output.len() as u64, lines * 100 + 8);
    assert_eq!(got.delivery("main").gaps, 0);
}

/// Resident memory of a process, bytes.
fn resident(pid: i32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("its memory");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") * 1024
}

async fn reaches_running(t: &Ctx, podlaunch: &Podlaunch, name: &str) -> Collected {
    let launched = podlaunch.launch(t.request(name, sh("echo here"))).await.expect("accepted");
    launched.collect().await
}

/// Its own connection, as every reader that stands still should have, or windows to match.
#[test]
fn a_reader_that_stands_still_costs_nobody() {
    run_long(async |t| {
        let Size { lines, still, allowed } = size(t);
        let server = Server::start(&unique_instance());
        let other = server.connect().await;
        reaches_running(t, &other, "warm").await;

        let loud = t.request("loud", sh(&writer(lines, "sleep 600")));
        let launched = server.connect().await.launch(loud).await.expect("accepted");
        let (key, pod) = (launched.seen.key(), launched.seen.pod().name.clone());
        drop(launched);
        wait::until("the log to be written", async || match t.cluster.last_line(&pod).await {
            line if line == b"written\n" => Ok(()),
            line => Err(String::from_utf8_lossy(&line).into_owned()),
        })
        .await;
        let before = resident(server.process.id());
        let anew = v1::AttachTaskRequest { key: Some(key), ..Default::default() };
        let mut stream = server.connect().await.attach(anew).await.expect("it is known");
        stream.until_line("100000001 ").await;
        // Nobody reads it meanwhile; others are served as ever.
        let began = tokio::time::Instant::now();
        let mut served = 0;
        while began.elapsed() < still {
            served += 1;
            let task = reaches_running(t, &other, &format!("other-{served}")).await;
            task.assert_output(b"here\n");
            assert!(task.container_changes().count() > 0);
        }
        assert!(served > 0);
        let grown = resident(server.process.id()).saturating_sub(before);
        println!("{served} tasks beside it; memory grew by {grown} bytes");
        assert!(grown <= allowed, "memory grew by {grown} bytes");

        // All of it is written: what is left to read is the node's file.
        other.cancel(stream.seen.key(), "").await.expect("it can be cancelled");
        expect_all(&stream.collect().await, lines);
    });
}

#[test]
fn who_stands_still_for_too_long_is_told_and_resumes() {
    run(async |t| {
        let Size { lines, .. } = size(t);
        let server = Server::start_with(&unique_instance(), &["--stall-limit", "2s"]);
        let podlaunch = server.connect().await;
        let mut stream = podlaunch.launch(t.request("loud", sh(&writer(lines, "true")))).await.expect("accepted");
        stream.until_line("100000001 ").await;
        // Longer than the limit, and the server says so once what is on its way was read.
        tokio::time::sleep(Duration::from_secs(6)).await;
        let first = stream.drain().await;
        let Some(End::Error(status)) = &first.end else { panic!("not ended:\n{first}") };
        Failure::of(status).expect(tonic::Code::Aborted, "READER_TOO_SLOW");
        assert!((first.output().len() as u64) < lines * 100);
        let whole = podlaunch.resume(&first).await.expect("its cursor is good").collect().await;
        expect_all(&whole, lines);
    });
}

/// Fifty streams of one task are one follow of its log: the API server was asked as often as for one.
#[test]
fn fifty_readers_are_one_follow() {
    run(async |t| {
        let server = Server::start(&unique_instance());
        let podlaunch = server.connect().await;
        let mut first = podlaunch.launch(t.request("shared", until_stopped("echo after; exit 0"))).await.expect("ok");
        first.until_line("ready\n").await;
        let key = first.seen.key();
        let mut readers = vec![first];
        for _ in 1..50 {
            let request = v1::AttachTaskRequest { key: Some(key.clone()), ..Default::default() };
            let mut reader = podlaunch.attach(request).await.expect("it is known");
            reader.until_line("ready\n").await;
            readers.push(reader);
        }
        podlaunch.cancel(key, "").await.expect("it can be cancelled");
        for reader in readers {
            let got = reader.collect().await;
            assert_eq!(got.output(), b"ready\nafter\n");
            assert_eq!(got.delivery("main").verdict(), DeliveryVerdict::Complete);
        }
        let Some(audit) = &t.backend.audit else { return println!("skipped: no audit log to count in") };
        let asked = crate::harness::audit::of_podlaunch(audit, jiff::Timestamp::UNIX_EPOCH);
        let logs: Vec<_> =
            asked.iter().filter(|e| e.namespace() == t.namespace && e.resource() == "pods/log").collect();
        let follows = logs.iter().filter(|entry| entry.uri.contains("follow=true")).count();
        println!("{} requests for the log, {follows} of them follows", logs.len());
        assert_eq!(follows, 1);
    });
}
