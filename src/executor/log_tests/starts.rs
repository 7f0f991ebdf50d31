//! Streams that begin in the middle of a log, and their cursors.

use super::world::{World, at, run};
use crate::executor::{Start, Until};
use crate::logs::{UnverifiedCause, Verdict};

fn world() -> World {
    let world = World::new();
    world.running(0, at(0));
    for i in 0..10 {
        write(&world, i);
    }
    world
}

/// Line i, at second i.
fn write(world: &World, i: i64) {
    world.node.write(at(i * 1000 + 250), i.to_string().as_bytes());
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|i| i.to_string()).collect()
}

#[test]
fn from_the_last_lines_from_a_time_and_from_now() {
    let since = at(4_000);
    for (start, first) in
        [(Start::Tail(3), 7), (Start::Tail(100), 0), (Start::Tail(0), 10), (Start::Now, 10), (Start::Since(since), 4)]
    {
        run(async {
            let world = world();
            let mut reader = world.stream(start.clone());
            reader.until(10 - first).await;
            // Where nothing comes, the place must have been found before more is written.
            reader.read_for(std::time::Duration::from_secs(1)).await;
            write(&world, 10);
            write(&world, 11);
            reader.until(12 - first).await;
            world.finish();
            let got = reader.rest().await;
            assert_eq!(got.text(0), numbers(u32::try_from(first).unwrap()..12), "{start:?}");
            assert!(got.logs[&0].unnumbered(), "{start:?}");
            assert_eq!((got.gaps(0), got.verdict(0)), (0, Verdict::Complete), "{start:?}");
            assert_eq!(got.delivery(0).lines, 12 - first as u64, "{start:?}");
        });
    }
}

#[test]
fn of_a_log_that_has_ended() {
    let table = [
        (Start::Tail(3), numbers(7..10)),
        (Start::Tail(99), numbers(0..10)),
        (Start::Since(at(4_000)), numbers(4..10)),
        (Start::Since(at(99_000)), numbers(0..0)),
    ];
    for (start, lines) in table {
        run(async {
            let world = world();
            world.finish();
            for until in [Until::Termination, Until::Available] {
                let got = world.stream_until(start.clone(), until).rest().await;
                assert_eq!(got.text(0), lines, "{start:?}");
                assert_eq!(got.verdict(0), Verdict::Complete, "{start:?}");
            }
        });
    }
}

#[test]
fn an_empty_log_is_sent_from_its_beginning() {
    for start in [Start::Tail(3), Start::Now, Start::Since(at(0))] {
        run(async {
            let world = World::new();
            world.running(0, at(0));
            let mut reader = world.stream(start.clone());
            reader.read_for(std::time::Duration::from_secs(1)).await;
            for i in 0..5 {
                write(&world, i);
            }
            reader.until(5).await;
            world.finish();
            assert_eq!(reader.rest().await.text(0), numbers(0..5), "{start:?}");
        });
    }
}

/// The file is rotated after such a stream began: it cannot say that it got everything.
#[test]
fn a_rotation_after_the_start_is_seen_in_the_verdict() {
    run(async {
        let world = world();
        let mut reader = world.stream(Start::Tail(3));
        reader.until(3).await;
        world.node.rotate();
        write(&world, 10);
        reader.until(4).await;
        world.finish();
        let got = reader.rest().await;
        assert_eq!(got.text(0), numbers(7..11));
        assert_eq!(got.verdict(0), Verdict::Unverified(UnverifiedCause::Rotated));
    });
}

/// The verdict hangs on one short read: it is asked for again, within bounds.
#[test]
fn a_refused_look_at_the_first_line_is_repeated() {
    for (refused, verdict) in [(3, Verdict::Complete), (50, Verdict::Unverified(UnverifiedCause::Rotated))] {
        run(async {
            let world = world();
            let mut reader = world.stream(Start::Tail(3));
            reader.until(3).await;
            world.node.hide_heads(refused);
            world.finish();
            assert_eq!(reader.rest().await.verdict(0), verdict, "{refused}");
        });
    }
}

/// A container that starts after the attach is sent from its first line, with numbers.
#[test]
fn a_run_that_starts_later_is_sent_whole() {
    for start in [Start::Tail(1), Start::Now] {
        run(async {
            let world = World::new();
            let mut reader = world.stream(start.clone());
            reader.read_for(std::time::Duration::from_secs(1)).await;
            for i in 0..5 {
                write(&world, i);
            }
            world.running(0, at(0));
            reader.until(5).await;
            world.finish();
            let got = reader.rest().await;
            assert_eq!(got.text(0), numbers(0..5), "{start:?}");
            got.logs[&0].numbered_from(1);
        });
    }
}

/// Resumed after any number of lines, also none, on another replica: every line from the start on, once.
#[test]
fn cursors_of_such_streams_resume() {
    for (start, first) in [(Start::Tail(3), 7), (Start::Since(at(4_000)), 4), (Start::Now, 10)] {
        for cut in 0..4 {
            run(async {
                let world = world();
                let mut reader = world.stream(start.clone());
                reader.until(cut.min(10 - first)).await;
                if cut > 0 {
                    reader.read_for(std::time::Duration::from_secs(1)).await;
                }
                for i in 10..14 {
                    // A cursor that has seen no line knows only when its stream was opened, by podlaunch's clock.
                    let stamp = jiff::Timestamp::now().max(at(i * 1000 + 250));
                    world.node.write(stamp, i.to_string().as_bytes());
                }
                // Of a chain that has got no line yet, "the last" are those of the moment it is taken up again.
                let first = if cut == 0 && matches!(start, Start::Tail(_)) { 10 } else { first };
                let replica = world.replica();
                let before = reader.got.lines();
                let mut reader = replica.resume(reader);
                reader.until(14 - first).await;
                assert!(reader.got.lines() > before);
                replica.finish();
                let got = reader.rest().await;
                assert_eq!(got.text(0), numbers(u32::try_from(first).unwrap()..14), "{start:?} cut after {cut}");
                assert_eq!(got.gaps(0), 0);
                assert_eq!(got.terminations.len(), 1);
            });
        }
    }
}

/// The events of before are not sent by a stream that goes on from now.
#[test]
fn a_start_at_now_has_seen_what_was_before() {
    run(async {
        let world = world();
        let reader = world.stream(Start::Now);
        let replica = world.replica();
        let mut reader = replica.resume(reader);
        reader.read_for(std::time::Duration::from_secs(1)).await;
        assert_eq!(reader.got.events, 0);
    });
}
