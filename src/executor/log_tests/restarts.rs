//! Containers that are started again: a line belongs to the run that wrote it, however late the watch is.

use std::time::Duration;

use super::world::{World, at, run};
use crate::executor::Start;
use crate::logs::Verdict;

fn world() -> World {
    let world = World::new();
    world.set_policy("OnFailure");
    world
}

fn texts(lines: &[&str]) -> Vec<String> {
    lines.iter().map(ToString::to_string).collect()
}

/// The node has begun the second run; the watch still says that the first one runs, or has just ended.
#[test]
fn a_line_is_never_booked_to_the_run_before() {
    // Whether the first run was read before, and whether the watch tells of its end before its log is read.
    for (read_before, told_end) in [(false, false), (false, true), (true, false), (true, true)] {
        run(async {
            let world = world();
            world.running(0, at(0));
            world.node.write(at(500), b"first");
            let mut reader = world.stream(Start::Beginning);
            if read_before {
                reader.until(1).await;
            }
            world.node.set_down(true);
            world.node.write(at(1500), b"last of 0");
            world.node.restart();
            world.node.write(at(2500), b"first of 1");
            world.node.set_down(false);
            if told_end {
                world.ended(0, at(0), at(2000));
            }
            reader.read_for(Duration::from_secs(5)).await;
            assert!(!reader.got.text(0).contains(&"first of 1".to_owned()), "{:?}", reader.got.text(0));
            world.running(1, at(2000));
            reader.until(3).await;
            world.node.end();
            world.ended(1, at(2000), at(3000));
            world.over();
            let got = reader.rest().await;
            assert_eq!(got.text(0), texts(&["first", "last of 0"]), "{read_before} {told_end}");
            assert_eq!(got.text(1), texts(&["first of 1"]), "{read_before} {told_end}");
            assert_eq!((got.gaps(0), got.verdict(0)), (0, Verdict::Complete), "{read_before} {told_end}");
        });
    }
}

/// In its back-off a container is waiting, and its last run is both the current and the previous one.
#[test]
fn a_run_is_read_in_the_back_off() {
    run(async {
        let world = world();
        world.running(0, at(0));
        world.node.write(at(500), b"0");
        let mut reader = world.stream(Start::Beginning);
        reader.until(1).await;
        world.node.restart();
        world.ended(0, at(0), at(1000));
        world.running(1, at(2000));
        world.node.write(at(2500), b"1");
        reader.until(2).await;
        world.node.end();
        world.ended(1, at(2000), at(3000));
        world.over();
        let got = reader.rest().await;
        assert_eq!((got.text(0), got.text(1)), (texts(&["0"]), texts(&["1"])));
    });
}

/// Two restarts on: what is the previous run now is another one.
#[test]
fn a_run_two_restarts_back_is_gone() {
    run(async {
        let world = world();
        world.running(0, at(0));
        world.node.write(at(500), b"0");
        let mut reader = world.stream(Start::Beginning);
        reader.until(1).await;
        world.node.set_down(true);
        world.node.write(at(600), b"lost");
        world.node.restart();
        world.node.write(at(12_500), b"1");
        world.node.restart();
        world.node.write(at(24_500), b"2");
        world.node.set_down(false);
        // The watch is a restart behind.
        world.ended(0, at(0), at(1000));
        world.running(1, at(12_000));
        reader.read_for(Duration::from_secs(3)).await;
        world.running(2, at(24_000));
        world.node.end();
        world.ended(2, at(24_000), at(25_000));
        world.over();
        let got = reader.rest().await;
        assert_eq!(got.text(0), texts(&["0"]));
        assert!(matches!(got.verdict(0), Verdict::Truncated(_)), "{:?}", got.verdict(0));
        assert!(got.text(1).iter().all(|line| line == "1"), "{:?}", got.text(1));
        assert_eq!(got.text(2), texts(&["2"]));
    });
}

/// Who sees a container for the first time after its third restart says what went before, once in a chain.
#[test]
fn runs_that_nobody_saw_are_said_to_be_lost() {
    use crate::logs::TruncatedCause::Restarted;
    run(async {
        let world = world();
        for second in [10, 20, 30] {
            world.node.write(at(second * 1000 - 500), b"unseen");
            world.node.restart();
        }
        world.node.write(at(30_500), b"3");
        world.ended(2, at(20_000), at(29_600));
        world.running(3, at(30_000));
        let mut reader = world.stream(Start::Beginning);
        reader.until(2).await;
        let other = world.replica();
        let mut reader = other.resume(reader);
        reader.read_for(Duration::from_secs(3)).await;
        world.node.end();
        world.ended(3, at(30_000), at(31_000));
        world.over();
        let got = world.resume(reader).rest().await;
        let lost: Vec<usize> = (0..4).map(|restart| got.gaps(restart)).collect();
        assert_eq!(lost, [1, 1, 0, 0]);
        assert_eq!((got.text(2), got.text(3)), (texts(&["unseen"]), texts(&["3"])));
        let verdicts: Vec<_> =
            got.terminations[0].iter().map(|run| run.delivery.map(|d| (d.verdict, d.gaps))).collect();
        let gone = Some((Verdict::Truncated(Restarted), 1));
        let complete = Some((Verdict::Complete, 0));
        assert_eq!(verdicts, [gone, gone, complete, complete]);
    });
}

/// The stream broke when the log of a run was begun and the next run was told of; the next server never saw either.
#[test]
fn a_run_that_was_begun_and_not_ended_is_said_to_be_lost() {
    use crate::logs::TruncatedCause::Restarted;
    run(async {
        let world = world();
        world.running(0, at(0));
        world.node.write(at(500), b"0");
        let mut reader = world.stream(Start::Beginning);
        reader.until(1).await;
        world.node.set_down(true);
        world.node.restart();
        world.ended(0, at(0), at(1000));
        world.running(1, at(12_000));
        reader.read_for(Duration::from_secs(3)).await;
        for (restart, line) in [(2, b"2"), (3, b"3")] {
            world.node.restart();
            world.node.write(at(restart * 12_000 + 500), line);
        }
        world.node.set_down(false);
        world.ended(2, at(24_000), at(25_000));
        world.running(3, at(36_000));
        let other = world.replica();
        let reader = other.resume(reader);
        other.node.end();
        other.ended(3, at(36_000), at(37_000));
        other.over();
        let got = reader.rest().await;
        assert_eq!([0, 1, 2, 3].map(|restart| got.gaps(restart)), [1, 1, 0, 0]);
        assert_eq!((got.text(0), got.text(2), got.text(3)), (texts(&["0"]), texts(&["2"]), texts(&["3"])));
        let ends = got.terminations[0].iter().map(|run| run.delivery.map(|delivery| delivery.verdict));
        let gone = Some(Verdict::Truncated(Restarted));
        assert_eq!(ends.collect::<Vec<_>>(), [gone, gone, Some(Verdict::Complete), Some(Verdict::Complete)]);
    });
}

/// A task that is not started again costs no questions.
#[test]
fn never_asks_nothing() {
    run(async {
        let world = World::new();
        world.running(0, at(0));
        world.node.write(at(500), b"0");
        let mut reader = world.stream(Start::Beginning);
        reader.until(1).await;
        world.node.cut_all();
        world.node.write(at(900), b"1");
        reader.until(2).await;
        world.finish();
        reader.rest().await;
        assert!(world.node.requests().iter().all(|query| !query.contains("previous")));
    });
}
