//! Streams that begin with the last lines of a log, or at a time.

use crate::harness::run;
use crate::harness::spec::{sh, until_stopped};
use crate::harness::v1::attach_task_request::StartAt;
use crate::harness::v1::event::Body;
use crate::harness::v1::{self, DeliveryVerdict, StreamUntil};

fn asked(key: v1::TaskKey, start: StartAt, until: StreamUntil) -> v1::AttachTaskRequest {
    v1::AttachTaskRequest { key: Some(key), start_at: Some(start), until: until.into(), ..Default::default() }
}

#[test]
fn the_last_lines_then_on() {
    run(async |t| {
        let task = "trap 'echo after; exit 0' TERM; seq 1 100; sleep 600 & wait $!";
        let mut first = t.start("long", sh(task)).await;
        first.until_line("100\n").await;
        let key = first.seen.key();
        let mut late = Vec::new();
        for (lines, output) in [(3, "98\n99\n100\nafter\n"), (0, "after\n"), (1000, "1\n")] {
            let request = asked(key.clone(), StartAt::TailLines(lines), StreamUntil::Termination);
            let mut stream = t.attach(request).await.expect("it is known");
            if lines > 0 {
                stream.until_line("100\n").await;
            }
            late.push((stream, output));
        }
        // What the one that wants only new lines has to find out first.
        let seen = t.attach(asked(key.clone(), StartAt::TailLines(1), StreamUntil::Available)).await;
        assert_eq!(seen.expect("it is known").drain().await.output(), b"100\n");
        t.cancel(key, "").await.expect("it can be cancelled");
        let whole = first.collect().await;
        for (stream, output) in late {
            let got = stream.collect().await;
            let text = String::from_utf8_lossy(got.output()).into_owned();
            assert!(text == output || (output == "1\n" && got.output() == whole.output()), "{text:?}");
            assert_eq!(got.delivery("main").verdict(), DeliveryVerdict::Complete, "{got}");
            assert_eq!(got.outcome_bytes(), whole.outcome_bytes());
        }
    });
}

#[test]
fn from_a_time_on() {
    run(async |t| {
        let first = t.run(sh("for i in 1 2 3 4 5; do echo $i; sleep 0.3; done")).await;
        let stamp = first.bodies().find_map(|body| match body {
            Body::LogChunk(chunk) if chunk.first_line == Some(3) => chunk.first_time,
            _ => None,
        });
        // On a slow machine several lines come in one chunk; then there is no stamp to ask by.
        let Some(stamp) = stamp else { return println!("skipped: the third line did not come by itself") };
        for until in [StreamUntil::Available, StreamUntil::Termination] {
            let request = asked(first.key(), StartAt::SinceTime(stamp), until);
            let late = t.attach(request).await.expect("it is known").drain().await;
            assert_eq!(late.output(), b"3\n4\n5\n", "{late}");
            assert_eq!(late.delivery("main").verdict(), DeliveryVerdict::Complete, "{late}");
        }
        let future = prost_types::Timestamp { seconds: stamp.seconds + 3600, nanos: 0 };
        let request = asked(first.key(), StartAt::SinceTime(future), StreamUntil::Termination);
        let none = t.attach(request).await.expect("it is known").drain().await;
        assert_eq!(none.output(), b"");
        assert_eq!(none.delivery("main").verdict(), DeliveryVerdict::Complete, "{none}");
    });
}

/// Cut after each event: the rest comes, once.
#[test]
fn their_cursors_resume() {
    run(async |t| {
        let mut first = t.start("long", until_stopped("echo after; exit 0")).await;
        first.until_line("ready\n").await;
        let key = first.seen.key();
        let request = asked(key.clone(), StartAt::TailLines(5), StreamUntil::Available);
        let before = t.attach(request).await.expect("it is known").drain().await;
        assert_eq!(before.output(), b"ready\n");
        t.cancel(key, "").await.expect("it can be cancelled");
        let whole = t.resume(&before).await.expect("its cursor is good").collect().await;
        assert_eq!(whole.output(), b"ready\nafter\n");
        assert_eq!(whole.outcome_bytes(), first.collect().await.outcome_bytes());
    });
}
