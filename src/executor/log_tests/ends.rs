//! Bodies that end early, clocks that are set back, files that are rotated, and the end of a log.

use std::time::Duration;

use super::node::{ERROR_TEXT, Fault};
use super::world::{World, at, run};
use crate::executor::{Settings, Start};
use crate::logs::kubelet::Newline;
use crate::logs::{FirstRead, TruncatedCause, UnverifiedCause, Verdict};
use crate::task::{Observation, State};

fn world() -> World {
    let world = World::new();
    world.running(0, at(0));
    world
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|i| i.to_string()).collect()
}

/// One line a second from `from` on.
fn write(world: &World, lines: std::ops::Range<u32>, from: i64) {
    for (step, line) in (0..).zip(lines) {
        world.node.write(at(from + step * 1000), line.to_string().as_bytes());
    }
}

#[test]
fn a_log_is_followed_once_and_its_end_is_one_more_read() {
    run(async {
        let world = world();
        let mut reader = world.stream(Start::Beginning);
        write(&world, 0..3, 0);
        reader.until(3).await;
        write(&world, 3..5, 3000);
        world.finish();
        let got = reader.rest().await;
        assert_eq!(got.text(0), numbers(0..5));
        assert_eq!((got.verdict(0), got.terminations.len()), (Verdict::Complete, 1));
        let base = "container=main&timestamps=true";
        assert_eq!(world.node.requests(), [format!("{base}&follow=true"), format!("{base}&tailLines=1")]);
    });
}

/// However a body ends while the container runs: it is read on from the last line.
#[test]
fn every_early_end_is_read_on() {
    let faults =
        [Fault::Ends(0), Fault::Ends(45), Fault::Breaks(45), Fault::Tells(45), Fault::Tells(64), Fault::Refuses];
    for fault in faults {
        run(async {
            let world = world();
            write(&world, 0..4, 0);
            world.node.fault_next(&[fault, fault, fault]);
            let mut reader = world.stream(Start::Beginning);
            reader.until(4).await;
            write(&world, 4..6, 4000);
            reader.until(6).await;
            assert!(world.node.follows() >= 4, "{fault:?}: {:?}", world.node.requests());
            world.finish();
            let got = reader.rest().await;
            assert_eq!((got.text(0), got.gaps(0)), (numbers(0..6), 0), "{fault:?}");
            assert_eq!(got.verdict(0), Verdict::Complete, "{fault:?}");
        });
    }
}

#[test]
fn a_follow_is_renewed_before_the_kubelet_cuts_it() {
    run(async {
        let world = world();
        write(&world, 0..1, 0);
        let mut reader = world.stream(Start::Beginning);
        reader.until(1).await;
        tokio::time::sleep(Duration::from_secs(3 * 3600 + 1700)).await;
        assert_eq!(world.node.follows(), 1);
        tokio::time::sleep(Duration::from_secs(200)).await;
        assert_eq!(world.node.follows(), 2);
        write(&world, 1..2, 13_000_000);
        world.finish();
        assert_eq!(reader.rest().await.text(0), numbers(0..2));
    });
}

/// `sinceTime` hides what is stamped before it: only the last record shows that something is there.
#[test]
fn a_clock_set_back_while_nobody_reads_is_seen_soon() {
    run(async {
        let world = world();
        write(&world, 0..3, 100_000);
        let mut reader = world.stream(Start::Beginning);
        reader.until(3).await;
        world.node.set_down(true);
        tokio::time::sleep(Duration::from_secs(5)).await;
        write(&world, 3..6, 10_000);
        world.node.set_down(false);
        // They come while the container runs, not only at its end.
        reader.until(6).await;
        world.finish();
        let got = reader.rest().await;
        assert_eq!((got.text(0), got.gaps(0), got.verdict(0)), (numbers(0..6), 0, Verdict::Complete));
    });
}

#[test]
fn a_clock_set_back_below_a_resumed_follow_is_seen_after_a_silence() {
    run(async {
        let world = world();
        write(&world, 0..3, 100_000);
        let mut reader = world.stream(Start::Beginning);
        reader.until(3).await;
        world.node.cut_all();
        tokio::time::sleep(Duration::from_secs(1200)).await;
        let before = world.node.requests().len();
        write(&world, 3..6, 10_000);
        reader.until(6).await;
        assert!(world.node.requests().len() <= before + 3, "{:?}", world.node.requests());
        world.finish();
        assert_eq!(reader.rest().await.text(0), numbers(0..6));
    });
}

/// Asking for the last record is no poll: the silences between become long.
#[test]
fn a_silent_log_is_hardly_asked_for() {
    run(async {
        let world = world();
        write(&world, 0..3, 100_000);
        let mut reader = world.stream(Start::Beginning);
        reader.until(3).await;
        world.node.cut_all();
        tokio::time::sleep(Duration::from_secs(3000)).await;
        let tails = world.node.requests().iter().filter(|query| query.contains("tailLines")).count();
        assert!(tails <= 14, "{tails} in 50 minutes");
    });
}

/// The clock was set back, and the container has ended before anybody read on.
#[test]
fn lines_of_before_the_last_one_are_read_at_the_end_too() {
    run(async {
        let world = world();
        write(&world, 0..3, 100_000);
        let mut reader = world.stream(Start::Beginning);
        reader.until(3).await;
        world.node.set_down(true);
        write(&world, 3..6, 10_000);
        world.node.end();
        world.ended(0, at(0), at(20_000));
        tokio::time::sleep(Duration::from_secs(3)).await;
        world.node.set_down(false);
        world.over();
        let got = reader.rest().await;
        assert_eq!((got.text(0), got.gaps(0), got.verdict(0)), (numbers(0..6), 0, Verdict::Complete));
    });
}

#[test]
fn a_last_line_without_newline_comes_and_is_told() {
    run(async {
        let world = world();
        write(&world, 0..2, 0);
        let mut reader = world.stream(Start::Beginning);
        reader.until(2).await;
        world.node.write_as(at(2500), b"2", Newline::No);
        world.finish();
        let got = reader.rest().await;
        assert_eq!(got.text(0), numbers(0..3));
        assert!(got.delivery(0).ended_mid_line);
        assert_eq!(got.verdict(0), Verdict::Complete);
    });
}

/// The file is put aside while nobody reads: what went with it is a gap, and no verdict calls the log complete.
#[test]
fn a_rotation_between_reads_is_a_gap() {
    run(async {
        let world = world();
        write(&world, 0..3, 0);
        let mut reader = world.stream(Start::Beginning);
        reader.until(3).await;
        world.node.set_down(true);
        write(&world, 3..5, 10_000);
        world.node.rotate();
        write(&world, 5..8, 20_000);
        world.node.set_down(false);
        reader.until(6).await;
        world.finish();
        let got = reader.rest().await;
        assert_eq!((got.text(0), got.gaps(0)), (["0", "1", "2", "5", "6", "7"].map(String::from).to_vec(), 1));
        assert_eq!(got.verdict(0), Verdict::Unverified(UnverifiedCause::Rotated));
    });
}

#[test]
fn an_empty_file_after_a_rotation_ends_the_log_unverified() {
    run(async {
        let world = world();
        write(&world, 0..3, 0);
        let mut reader = world.stream(Start::Beginning);
        reader.until(3).await;
        world.node.set_down(true);
        write(&world, 3..5, 10_000);
        world.node.rotate();
        world.node.set_down(false);
        tokio::time::sleep(Duration::from_secs(10)).await;
        world.finish();
        let got = reader.rest().await;
        assert_eq!(got.text(0), numbers(0..3));
        assert_eq!(got.verdict(0), Verdict::Unverified(UnverifiedCause::Rotated));
    });
}

/// The same where no follow is open at the end: nothing is waited for.
#[test]
fn an_empty_file_that_is_first_seen_at_the_end() {
    run(async {
        let world = world();
        write(&world, 0..3, 0);
        let mut reader = world.stream(Start::Beginning);
        reader.until(3).await;
        world.node.set_down(true);
        world.node.rotate();
        world.node.end();
        world.ended(0, at(0), at(4000));
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.node.set_down(false);
        let began = tokio::time::Instant::now();
        world.over();
        let got = reader.rest().await;
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        assert_eq!((got.text(0), got.verdict(0)), (numbers(0..3), Verdict::Unverified(UnverifiedCause::Rotated)));
    });
}

/// Of a log that is longer than half a file only its first line can tell that it was never rotated.
#[test]
fn a_long_log_is_complete_only_if_it_still_begins_as_it_did() {
    for rotated in [false, true] {
        run(async {
            let world = World::with(Settings { container_log_max_size: 400, ..Settings::default() });
            world.running(0, at(0));
            write(&world, 0..3, 0);
            let mut reader = world.stream(Start::Beginning);
            reader.until(3).await;
            if rotated {
                world.node.rotate();
            }
            write(&world, 3..10, 3000);
            reader.until(10).await;
            world.finish();
            let got = reader.rest().await;
            assert_eq!(got.text(0), numbers(0..10));
            let expected = if rotated { Verdict::Unverified(UnverifiedCause::Rotated) } else { Verdict::Complete };
            assert_eq!(got.verdict(0), expected);
        });
    }
}

/// A log that cannot be read does not hide the outcome for ever.
#[test]
fn the_wait_for_a_log_is_bounded() {
    run(async {
        let world = world();
        write(&world, 0..2, 0);
        let mut reader = world.stream(Start::Beginning);
        reader.until(2).await;
        world.node.set_down(true);
        write(&world, 2..4, 2000);
        let began = tokio::time::Instant::now();
        world.finish();
        let got = reader.rest().await;
        assert!(began.elapsed() < Duration::from_secs(60));
        assert_eq!(got.verdict(0), Verdict::Truncated(TruncatedCause::DrainTimeout));
        assert_eq!((got.terminations.len(), got.text(0)), (1, numbers(0..2)));
    });
}

/// A sidecar has its pod's grace to end, and is read to its end.
#[test]
fn a_container_that_outlives_the_outcome_is_waited_for_while_it_may() {
    for (takes, verdict) in [(80, Verdict::Complete), (100, Verdict::Truncated(TruncatedCause::DrainTimeout))] {
        run(async {
            let world = world();
            write(&world, 0..2, 0);
            let mut reader = world.stream(Start::Beginning);
            reader.until(2).await;
            world.tell(|pod| {
                pod.grace_seconds = 60;
                let ended = Observation { phase: "Failed".into(), ..pod.clone() };
                let mut outcome = crate::task::outcome::decide(&ended).expect("a failed pod has an outcome");
                outcome.state = State::Failed;
                let text = outcome.to_text();
                pod.outcome = Some(crate::task::observation::StoredOutcome { outcome, text });
            });
            reader.read_for(Duration::from_secs(takes)).await;
            let end = i64::try_from(takes).unwrap() * 1000;
            write(&world, 2..3, end);
            world.node.end();
            world.ended(0, at(0), at(end));
            let got = reader.rest().await;
            assert_eq!((got.terminations.len(), got.verdict(0)), (1, verdict), "{takes} s");
        });
    }
}

#[test]
fn a_container_that_outlives_its_lost_task_is_not_waited_for() {
    run(async {
        let world = world();
        write(&world, 0..2, 0);
        let mut reader = world.stream(Start::Beginning);
        reader.until(2).await;
        world.tell(|pod| pod.phase = "Failed".into());
        world.tell(|pod| {
            let mut outcome = crate::task::outcome::decide(pod).expect("a failed pod has an outcome");
            outcome.state = State::Lost;
            let text = outcome.to_text();
            pod.outcome = Some(crate::task::observation::StoredOutcome { outcome, text });
        });
        let got = reader.rest().await;
        assert_eq!(got.terminations.len(), 1);
        assert!(matches!(got.verdict(0), Verdict::Truncated(_)), "{:?}", got.verdict(0));
    });
}

/// The containers of a deleted pod go 0.8 s after their end: the open follow has the last lines, and breaking it leaves
/// nothing to wait for.
#[test]
fn the_log_of_a_deleted_pod() {
    for broken in [false, true] {
        run(async {
            let world = world();
            write(&world, 0..2, 0);
            let mut reader = world.stream(Start::Beginning);
            reader.until(2).await;
            world.tell(|pod| pod.deletion = Some(at(5000)));
            write(&world, 2..4, 2000);
            if broken {
                reader.until(4).await;
                world.node.remove();
                world.node.cut_all();
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            world.node.end();
            world.ended(0, at(0), at(4000));
            let began = tokio::time::Instant::now();
            world.over();
            let got = reader.rest().await;
            assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
            assert_eq!(got.text(0), numbers(0..4));
            let expected = match broken {
                false => Verdict::Unverified(UnverifiedCause::PodDeleted),
                true => Verdict::Truncated(TruncatedCause::LogRemoved),
            };
            assert_eq!(got.verdict(0), expected);
        });
    }
}

#[test]
fn the_verdict_says_that_the_first_read_came_after_the_end() {
    run(async {
        let world = world();
        write(&world, 0..3, 0);
        world.node.rotate();
        write(&world, 3..5, 3000);
        world.finish();
        let got = world.stream(Start::Beginning).rest().await;
        assert_eq!(got.text(0), numbers(3..5));
        assert_eq!(got.delivery(0).first_read_opened, Some(FirstRead::AfterEnd));
    });
}

#[test]
fn a_text_of_the_kubelet_is_no_line() {
    run(async {
        let world = world();
        write(&world, 0..2, 0);
        let mut reader = world.stream(Start::Beginning);
        reader.until(2).await;
        world.node.remove();
        world.node.cut_all();
        world.finish();
        let got = reader.rest().await;
        assert!(!got.text(0).iter().any(|line| line.contains(ERROR_TEXT)));
        assert!(matches!(got.verdict(0), Verdict::Truncated(_)));
    });
}

/// The kubelet may not reach the runtime for a moment, also after the container's end: its text does not end the log.
#[test]
fn a_text_of_the_kubelet_is_no_end() {
    run(async {
        let world = world();
        write(&world, 0..5, 0);
        world.finish();
        world.node.fault_next(&[Fault::Tells(0), Fault::Tells(0)]);
        let got = world.stream(Start::Beginning).rest().await;
        assert_eq!((got.text(0), got.verdict(0)), (numbers(0..5), Verdict::Complete));
    });
}

/// The pod was replaced by another one of its name while nobody read.
#[test]
fn another_pod_of_the_name_is_not_read() {
    run(async {
        let world = world();
        write(&world, 0..2, 0);
        let mut reader = world.stream(Start::Beginning);
        reader.until(2).await;
        world.node.set_down(true);
        world.node.restart();
        write(&world, 7..9, 9000);
        world.node.set_uid("another");
        world.node.set_down(false);
        reader.read_for(Duration::from_secs(20)).await;
        assert_eq!(reader.got.text(0), numbers(0..2));
    });
}
