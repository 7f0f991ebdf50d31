//! What a container prints arrives byte for byte, in order, once, before the Termination.

use std::fmt::Write as _;

use crate::harness::collected::{Collected, assert_same};
use crate::harness::spec::{command, sh};
use crate::harness::{Ctx, images, run};

/// Runs `script`; what arrives is `expected`, and what the API server gives as the log.
async fn prints(t: &Ctx, script: &str, expected: &[u8]) -> Collected {
    let task = t.run(sh(script)).await;
    task.assert_succeeded(expected);
    assert_same(&t.cluster.raw_log(&task.pod().name).await, expected);
    task
}

#[test]
fn a_hundred_thousand_lines_at_full_speed() {
    run(async |t| {
        let mut expected = String::new();
        for line in 1..=100_000 {
            writeln!(expected, "{line}").expect("writing into memory");
        }
        let task = prints(t, "seq 1 100000", expected.as_bytes()).await;
        assert_eq!(task.delivery("main").lines, 100_000);
    });
}

/// The last record is a suffix of every line before it: that it was read proves nothing.
#[test]
fn an_empty_last_line_after_many() {
    run(async |t| {
        let mut expected = String::new();
        for line in 1..=200_000 {
            writeln!(expected, "{line}").expect("writing into memory");
        }
        expected.push('\n');
        let task = prints(t, "seq 1 200000; echo", expected.as_bytes()).await;
        assert_eq!(task.delivery("main").lines, 200_001);
    });
}

#[test]
fn long_lines() {
    run(async |t| {
        // Around the sizes at which a runtime splits (16 KiB) and a chunk ends (64 KiB).
        let sizes = [16_383, 16_384, 16_385, 65_535, 65_536, 65_537, 100_000];
        let list = sizes.map(|size| size.to_string()).join(" ");
        let script = format!("for n in {list}; do head -c $n /dev/zero | tr '\\000' x; echo; done; echo end");
        let mut expected = Vec::new();
        for size in sizes {
            expected.resize(expected.len() + size, b'x');
            expected.push(b'\n');
        }
        expected.extend_from_slice(b"end\n");
        let task = prints(t, &script, &expected).await;
        assert_eq!(task.delivery("main").lines, 8);
    });
}

#[test]
fn a_long_last_line_without_newline() {
    run(async |t| {
        let expected = [b"a\n".to_vec(), vec![b'x'; 100_000]].concat();
        let task = prints(t, "echo a; head -c 100000 /dev/zero | tr '\\000' x", &expected).await;
        assert!(task.delivery("main").ended_mid_line);
    });
}

#[test]
fn a_last_line_without_newline() {
    run(async |t| {
        let task = prints(t, r"printf 'one\ntwo'", b"one\ntwo").await;
        let delivery = task.delivery("main");
        assert!(delivery.ended_mid_line);
        assert_eq!(delivery.lines, 2);
    });
}

#[test]
fn any_bytes() {
    run(async |t| {
        let expected = b"a\0b\xff\xfe\n\xc3(\nlone\rreturn\x0b\x0c\n\xe2\x80\xa8\n\0\n";
        let script = r"printf 'a\000b\377\376\n\303(\nlone\rreturn\013\014\n\342\200\250\n\000\n'";
        prints(t, script, expected).await;
    });
}

/// What looks like a stamped line, or like Kubernetes' own error text, is a line like others.
#[test]
fn lines_that_look_like_something_else() {
    run(async |t| {
        let lines = "2025-01-01T00:00:00.000000000Z not a stamp\n\
                     2025-01-01T00:00:00.000000000Z stdout F not a record\n\
                     \u{20}leading space\n\
                     trailing space \n";
        let script = format!("printf '%s' '{lines}'");
        prints(t, &script, lines.as_bytes()).await;
    });
}

#[test]
fn empty_lines() {
    run(async |t| {
        let task = prints(t, r"printf '\n\n\na\n\n'", b"\n\n\na\n\n").await;
        assert_eq!(task.delivery("main").lines, 5);
    });
}

#[test]
fn nothing() {
    run(async |t| {
        let task = prints(t, ":", b"").await;
        assert_eq!(task.delivery("main").lines, 0);
        assert!(!task.delivery("main").ended_mid_line);
    });
}

#[test]
fn a_task_that_ends_at_once() {
    run(async |t| {
        let task = t.run(command(images::BUSYBOX, &["true"])).await;
        task.assert_succeeded(b"");
        let task = t.run(command(images::BUSYBOX, &["echo", "quick"])).await;
        task.assert_succeeded(b"quick\n");
    });
}

#[test]
fn both_streams_in_the_order_of_the_log() {
    run(async |t| {
        let task = t.run(sh("for i in 1 2 3 4 5; do echo out $i; echo err $i >&2; done")).await;
        let raw = t.cluster.raw_log(&task.pod().name).await;
        assert_eq!(raw.iter().filter(|byte| **byte == b'\n').count(), 10);
        task.assert_succeeded(&raw);
    });
}

/// Lines come while the task runs, not at its end.
#[test]
fn lines_come_at_once() {
    run(async |t| {
        let spec = crate::harness::spec::until_stopped("exit 0");
        let mut stream = t.start("slow", spec).await;
        stream.until_line("ready\n").await;
        assert!(stream.seen.termination().is_none());
        t.cancel(stream.seen.key(), "").await.expect("it can be cancelled");
        stream.collect().await;
    });
}

#[test]
fn many_tasks_at_once() {
    run(async |t| {
        let tasks = (1..=16).map(async |number| {
            let task = t.run(sh(&format!("seq {number}000 {number}999"))).await;
            let mut expected = String::new();
            for line in number * 1000..=number * 1000 + 999 {
                writeln!(expected, "{line}").expect("writing into memory");
            }
            task.assert_succeeded(expected.as_bytes());
        });
        futures::future::join_all(tasks).await;
    });
}
