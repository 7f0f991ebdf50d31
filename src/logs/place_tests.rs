//! Readers of one log that meet: never at different places, and what one reads serves the other as its own.

use proptest::{prelude::*, sample::Index};

use super::{
    kubelet::{Clock, File, Line, Newline, Tick, log, tick_with_steps},
    tests::Client,
    *,
};

/// How a reader began.
#[derive(Debug, Clone, Copy)]
enum Start {
    /// At the log's first line.
    First,
    /// Before this line.
    At(usize),
}

fn start() -> impl Strategy<Value = (Option<Index>, Index)> {
    (prop::option::of(any::<Index>()), any::<Index>())
}

/// A reader of `lines` from its start to a place: where, and its position.
fn reader(lines: &[Line], (start, end): &(Option<Index>, Index)) -> (Start, usize, Position) {
    let start = match start {
        None => Start::First,
        Some(at) => Start::At(at.index(lines.len() + 1)),
    };
    let (from, position) = match start {
        Start::First => (0, Position::start()),
        Start::At(at) => (at, Position::unnumbered()),
    };
    let place = from + end.index(lines.len() - from + 1);
    (start, place, advanced(position, &lines[from..place]))
}

fn advanced(position: Position, lines: &[Line]) -> Position {
    let mut batch = Batch::new(position);
    for line in lines {
        batch.push(Piece { stamp: line.stamp, part: Part::Whole, data: &line.data });
        while batch.pop_ready().is_some() {}
    }
    batch.position()
}

/// Few different lines, often of equal stamp: as hard to tell apart as can be.
fn twins() -> impl Strategy<Value = Vec<Line>> {
    let tick = prop_oneof![
        4 => Just(Tick::On(0)),
        2 => Just(Tick::On(-1_000)),
        2 => Just(Tick::On(400_000_000)),
        1 => Just(Tick::On(1_000_000_000)),
        1 => Just(Tick::SetBack(1)),
    ];
    prop::collection::vec((prop_oneof![Just("a"), Just("")], tick), 0..40).prop_map(|lines| {
        let mut clock = Clock::new();
        let mut file = File::default();
        for (content, tick) in lines {
            file.write(content.as_bytes(), RECORD_LIMIT, Newline::Yes, || clock.next(&tick));
        }
        file.lines()
    })
}

fn whole_lines(file: &File) -> Vec<Line> {
    file.lines().into_iter().filter(|line| line.data.ends_with(b"\n")).collect()
}

/// What a reader gets of `lines`, cut into items as they may be.
fn items(position: Position, lines: &[Line], cuts: &[bool]) -> Vec<Output> {
    let mut batch = Batch::new(position);
    let mut outputs = Vec::new();
    for (line, cut) in lines.iter().zip(cuts.iter().cycle()) {
        batch.push(Piece { stamp: line.stamp, part: Part::Whole, data: &line.data });
        while let Some(output) = if *cut { batch.take() } else { batch.pop_ready() } {
            outputs.push(output);
        }
    }
    outputs.extend(std::iter::from_fn(|| batch.take()));
    outputs
}

/// The same, each with the position before it.
fn with_places(start: Position, outputs: Vec<Output>) -> Vec<(Position, Output)> {
    let mut before = start;
    let places = outputs.into_iter().map(|output| (std::mem::replace(&mut before, output.position.clone()), output));
    places.collect()
}

/// What is left for a reader at `own` of what another reads, where they meet.
fn joined(items: &[(Position, Output)], own: &Position) -> Option<Vec<(Position, Output)>> {
    for (at, (before, output)) in items.iter().enumerate() {
        if before.is_at(own) {
            return Some(items[at..].to_vec());
        }
        if let Some(rest) = output.split_at(before, own) {
            let mut left = vec![(own.clone(), rest)];
            left.extend_from_slice(&items[at + 1..]);
            return Some(left);
        }
    }
    None
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    /// However alike the lines are: readers that meet have sent the log up to the same one.
    #[test]
    fn readers_meet_at_one_place_only(lines in twins(), one in start(), other in start()) {
        let (_, place, position) = reader(&lines, &one);
        let (_, other_place, other) = reader(&lines, &other);
        if position.is_at(&other) {
            prop_assert_eq!(place, other_place);
            prop_assert!(other.is_at(&position));
        }
    }

    /// Readers from the first line always meet, at any line of what the other reads.
    #[test]
    fn counted_readers_always_meet(file in log(tick_with_steps().boxed()), place in any::<Index>(), cuts in prop::collection::vec(any::<bool>(), 1..6)) {
        let lines = whole_lines(&file);
        let place = place.index(lines.len() + 1);
        let own = advanced(Position::start(), &lines[..place]);
        let items = with_places(Position::start(), items(Position::start(), &lines, &cuts));
        // Long lines come in several items; between their pieces nobody joins.
        prop_assert!(place == lines.len() || joined(&items, &own).is_some(), "{own:?}");
    }

    /// Who goes on with what another reads gets what it would have read, in its own numbers.
    #[test]
    fn what_one_reads_serves_the_other(lines in prop_oneof![twins(), log(tick_with_steps().boxed()).prop_map(|file| whole_lines(&file))], one in start(), other in start(), cuts in prop::collection::vec(any::<bool>(), 1..6)) {
        let (began, place, own) = reader(&lines, &one);
        let (_, other_place, other) = reader(&lines, &other);
        let items = with_places(other.clone(), items(other, &lines[other_place..], &cuts));
        let Some(rest) = joined(&items, &own) else { return Ok(()) };
        let mut client = Client::default();
        let mut position = own.clone();
        for (from, output) in &rest {
            let output = output.renumbered(from, &position);
            client.take(&output.item);
            position = output.position;
        }
        prop_assert_eq!(client.lines(), &lines[place..]);
        let alone = advanced(own.clone(), &lines[place..]);
        prop_assert_eq!((position.lines, position.bytes, position.counted), (alone.lines, alone.bytes, alone.counted));
        prop_assert_eq!((position.last, position.high, position.first), (alone.last, alone.high, alone.first));
        prop_assert_eq!(position.since(), alone.since());
        if alone.exact_count().is_some() && alone.since().is_some() {
            prop_assert_eq!((position.count, position.later), (alone.count, alone.later));
        }
        match began {
            Start::First => client.numbered_from(place as u64 + 1),
            Start::At(_) => prop_assert!(client.lines().is_empty() || client.unnumbered()),
        }
    }
}

/// A reader that began in the middle and one from the first line meet once two seconds have passed.
#[test]
fn readers_that_began_apart_meet_when_the_count_is_exact() {
    let mut file = File::default();
    let mut clock = Clock::new();
    for i in 0..40u32 {
        file.write(i.to_string().as_bytes(), RECORD_LIMIT, Newline::Yes, || clock.next(&Tick::On(200_000_000)));
    }
    let lines = file.lines();
    let counted = |place: usize| advanced(Position::start(), &lines[..place]);
    let tail = |place: usize| advanced(Position::unnumbered(), &lines[10..place]);
    assert!(!tail(11).is_at(&counted(11)), "another line of its second may not have been sent");
    assert!(tail(30).is_at(&counted(30)));
    assert!(!tail(30).is_at(&counted(31)));
}

/// Between the pieces of a line only readers with the same number meet.
#[test]
fn within_a_line() {
    let stamp: jiff::Timestamp = "2026-07-30T12:00:00.5Z".parse().unwrap();
    let mut batch = Batch::new(Position::start());
    batch.push(Piece { stamp, part: Part::First, data: &[b'x'; MAX_DATA] });
    let open = batch.position();
    assert!(open.is_at(&open));
    let mut numbered = open.clone();
    numbered.lines = 1;
    assert!(!open.is_at(&numbered));
    let unnumbered = Position { counted: Counted::Unknown { exact_from: i64::MIN }, ..open.clone() };
    assert!(!open.is_at(&unnumbered) && !unnumbered.is_at(&open) && !unnumbered.is_at(&unnumbered));
}
