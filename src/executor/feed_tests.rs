use jiff::Timestamp;

use super::*;
use crate::executor::group::Groups;
use crate::logs::{Batch, Part, Piece};

fn outputs(count: u32) -> Vec<Output> {
    let mut batch = Batch::new(Position::start());
    let mut all = Vec::new();
    for i in 0..count {
        let stamp = Timestamp::from_second(1_800_000_000 + i64::from(i)).unwrap();
        batch.push(Piece { stamp, part: Part::Whole, data: format!("{i:032000}\n").as_bytes() });
        all.extend(batch.take());
    }
    all
}

/// A feed whose reader pushes these as it may.
fn feed(count: u32) -> Seat {
    let group = Arc::new(Groups::default()).group(("u".into(), "main".into(), 0));
    Feed::open(&group, Position::start(), |shared| {
        AbortOnDropHandle::new(tokio::spawn(async move {
            for output in outputs(count) {
                shared.push(output, Ending::No).await;
            }
            shared.end(FeedEnd::Available);
        }))
    })
}

async fn settle() {
    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
}

fn kept(seat: &Seat) -> usize {
    seat.feed.shared.state.lock().cost
}

async fn take(seat: &mut Seat, count: u32) {
    for i in 0..count {
        assert!(matches!(seat.next().await, Next::Item { .. }), "item {i}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_foremost_sets_the_pace() {
    let mut seat = feed(20);
    settle().await;
    assert!(kept(&seat) < AHEAD + 40_000, "{}", kept(&seat));
    take(&mut seat, 20).await;
    assert!(matches!(seat.next().await, Next::End(FeedEnd::Available)));
    assert_eq!(kept(&seat), 0);
}

#[tokio::test(start_paused = true)]
async fn who_is_too_far_behind_is_told_and_holds_up_nobody() {
    let mut seat = feed(40);
    let (mut slow, _) = seat.feed.join(&Position::start()).expect("the beginning is kept");
    take(&mut seat, 40).await;
    assert!(kept(&seat) <= KEPT);
    assert!(matches!(slow.next().await, Next::TooFar));
    drop(slow);
    assert_eq!(kept(&seat), 0, "nothing is kept for nobody");
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_fails_is_told() {
    let group = Arc::new(Groups::default()).group(("u".into(), "main".into(), 0));
    let mut seat = Feed::open(&group, Position::start(), |shared| {
        AbortOnDropHandle::new(tokio::spawn(async move { shared.end(FeedEnd::Failed) }))
    });
    assert!(matches!(seat.next().await, Next::End(FeedEnd::Failed)));
    assert!(seat.feed.join(&Position::start()).is_none(), "nobody joins what has failed");
}
