//! Many streams, one read: who is near shares it, who is late catches up, who is slow drops out.

use std::time::Duration;

use super::world::{Reader, World, at, run};
use crate::executor::Start;
use crate::logs::Verdict;

fn world() -> World {
    let world = World::new();
    world.running(0, at(0));
    world
}

fn write(world: &World, lines: std::ops::Range<i64>) {
    for i in lines {
        world.node.write(at(i * 100), i.to_string().as_bytes());
    }
}

/// A line of about 1,000 bytes.
fn write_long(world: &World, lines: std::ops::Range<i64>) {
    for i in lines {
        world.node.write(at(i * 100), format!("{i:01000}").as_bytes());
    }
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|i| i.to_string()).collect()
}

async fn all_until(readers: &mut [Reader], lines: usize) {
    for reader in readers {
        reader.until(lines).await;
    }
}

async fn ends(readers: Vec<Reader>) -> Vec<super::world::Got> {
    let mut all = Vec::new();
    for reader in readers {
        all.push(reader.rest().await);
    }
    all
}

#[test]
fn fifty_streams_are_one_follow_and_one_last_look() {
    run(async {
        let world = world();
        let mut readers: Vec<_> = (0..50).map(|_| world.stream(Start::Beginning)).collect();
        write(&world, 0..5);
        all_until(&mut readers, 5).await;
        write(&world, 5..9);
        world.finish();
        for got in ends(readers).await {
            assert_eq!((got.text(0), got.verdict(0)), (numbers(0..9), Verdict::Complete));
            got.logs[&0].numbered_from(1);
        }
        assert_eq!(world.node.requests().len(), 2, "{:?}", world.node.requests());
        assert_eq!(world.executor.inner.logs.len(), 0, "nothing is left of it");
    });
}

/// Late ones read what was there by a read that ends, then share the follow.
#[test]
fn late_streams_catch_up_and_join() {
    run(async {
        let world = world();
        write(&world, 0..100);
        let mut readers = vec![world.stream(Start::Beginning)];
        all_until(&mut readers, 100).await;
        for i in 0..10 {
            write(&world, 100 + i..101 + i);
            readers.push(world.stream(Start::Beginning));
            all_until(&mut readers, usize::try_from(101 + i).unwrap()).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        write(&world, 110..120);
        all_until(&mut readers, 120).await;
        world.finish();
        for got in ends(readers).await {
            assert_eq!((got.text(0), got.verdict(0)), (numbers(0..120), Verdict::Complete));
            got.logs[&0].numbered_from(1);
        }
        assert_eq!(world.node.follows(), 1, "{:?}", world.node.requests());
    });
}

/// Streams that began within the log meet one that began with it once their counts are exact, some seconds on. What
/// that one's read knows of the file then serves them.
#[test]
fn streams_of_the_last_lines_join_one_of_all() {
    run(async {
        let world = world();
        write(&world, 0..10);
        let mut whole = world.stream(Start::Beginning);
        whole.until(10).await;
        let mut late = [world.stream(Start::Tail(3)), world.stream(Start::Now)];
        late[0].until(3).await;
        for i in 1..6 {
            tokio::time::sleep(Duration::from_secs(2)).await;
            world.node.write(at(i * 3000), format!("late {i}").as_bytes());
            whole.until(usize::try_from(10 + i).unwrap()).await;
            late[0].until(usize::try_from(3 + i).unwrap()).await;
            late[1].until(usize::try_from(i).unwrap()).await;
        }
        let before = world.node.requests().len();
        world.finish();
        for (reader, lines) in late.into_iter().zip([8, 5]) {
            let got = reader.rest().await;
            assert_eq!((got.text(0).len(), got.verdict(0)), (lines, Verdict::Complete));
        }
        drop(whole);
        let last = world.node.requests().split_off(before);
        assert_eq!(last, ["container=main&timestamps=true&tailLines=1"], "they are in one read");
    });
}

/// A stream that is not read: the others get all, and it gets all later, from the node's file.
#[test]
fn a_slow_stream_drops_out_and_comes_back() {
    run(async {
        let world = world();
        let slow = world.stream(Start::Beginning);
        let mut fast = vec![world.stream(Start::Beginning), world.stream(Start::Beginning)];
        for block in 0..30 {
            write_long(&world, block * 100..block * 100 + 100);
            all_until(&mut fast, usize::try_from(block * 100 + 100).unwrap()).await;
        }
        assert_eq!(world.node.follows(), 1);
        // It reads again, before its patience is over.
        let mut readers = fast;
        readers.push(slow);
        all_until(&mut readers, 3000).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let before = world.node.follows();
        write_long(&world, 3000..3010);
        all_until(&mut readers, 3010).await;
        assert_eq!(world.node.follows(), before);
        world.finish();
        for got in ends(readers).await {
            assert_eq!((got.text(0).len(), got.gaps(0), got.verdict(0)), (3010, 0, Verdict::Complete));
            got.logs[&0].numbered_from(1);
        }
        let tails = world.node.requests().iter().filter(|query| query.contains("tailLines=1")).count();
        assert_eq!(tails, 1, "all were in one read at the end: {:?}", world.node.requests());
    });
}

/// Nobody is read for faster than the fastest takes.
#[test]
fn a_lone_stream_that_stands_still_stops_the_read() {
    run(async {
        let world = world();
        world.node.set_piece(32 << 10);
        write_long(&world, 0..20_000);
        let mut reader = world.stream(Start::Beginning);
        tokio::time::sleep(Duration::from_secs(30)).await;
        let taken = world.node.taken();
        assert!(taken < 1 << 20, "{taken} bytes were read for a stream that takes none");
        reader.until(20_000).await;
        world.finish();
        let got = reader.rest().await;
        assert_eq!((got.text(0).len(), got.gaps(0)), (20_000, 0));
    });
}

#[test]
fn a_stream_that_stands_still_for_too_long_ends_and_resumes() {
    run(async {
        let world = world();
        world.node.set_piece(32 << 10);
        write_long(&world, 0..5_000);
        let mut reader = world.stream(Start::Beginning);
        reader.until(10).await;
        tokio::time::sleep(Duration::from_secs(100)).await;
        while reader.step().await {}
        assert!(
            matches!(reader.got.error, Some(crate::executor::ExecError::ReaderTooSlow(_))),
            "{:?}",
            reader.got.error
        );
        assert!(reader.got.lines() < 5_000);
        let mut reader = world.resume(reader);
        reader.until(5_000).await;
        world.finish();
        let got = reader.rest().await;
        assert_eq!((got.text(0).len(), got.gaps(0), got.verdict(0)), (5_000, 0, Verdict::Complete));
        got.logs[&0].numbered_from(1);
    });
}

/// Streams that began in the middle share too, once their place is known to be the same.
#[test]
fn streams_from_the_tail_join_after_a_while() {
    run(async {
        let world = world();
        write(&world, 0..50);
        let mut readers = vec![world.stream(Start::Beginning)];
        all_until(&mut readers, 50).await;
        let mut tails: Vec<_> = (0..5).map(|_| world.stream(Start::Tail(10))).collect();
        all_until(&mut tails, 10).await;
        for i in 50..100 {
            write(&world, i..i + 1);
            all_until(&mut tails, usize::try_from(i - 39).unwrap()).await;
            all_until(&mut readers, usize::try_from(i + 1).unwrap()).await;
        }
        world.node.cut_all();
        let before = world.node.follows();
        write(&world, 100..110);
        all_until(&mut tails, 70).await;
        all_until(&mut readers, 110).await;
        assert_eq!(world.node.follows(), before + 1, "one read is taken up again, for all");
        world.finish();
        for got in ends(tails).await {
            assert_eq!(got.text(0), numbers(40..110));
            assert!(got.logs[&0].unnumbered());
        }
        for got in ends(readers).await {
            assert_eq!(got.text(0), numbers(0..110));
            got.logs[&0].numbered_from(1);
        }
    });
}

/// The last one to leave ends the read.
#[test]
fn a_read_ends_with_its_last_stream() {
    run(async {
        let world = world();
        let first = world.stream(Start::Beginning);
        let mut second = world.stream(Start::Beginning);
        write(&world, 0..5);
        second.until(5).await;
        drop(first);
        write(&world, 5..10);
        second.until(10).await;
        assert_eq!(world.node.follows(), 1);
        drop(second);
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert_eq!((world.executor.inner.logs.len(), world.node.open_bodies()), (0, 0));
    });
}
