//! Any log, any faults, any streams: each line once and in order, and nothing missing that is not told.
//!
//! A script is played on the model while several streams read, stand still, break off and resume by their cursors, with
//! the logs hidden for a while or not. Each line carries its number, so what a stream got is compared with what was
//! written.

use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;

use super::node::Fault;
use super::world::{Got, Reader, World, at, run};
use crate::executor::{ExecError, Filter, Settings, Start, Until};
use crate::logs::Verdict;
use crate::logs::kubelet::{Clock, Newline, Tick, tick, tick_with_steps};
use crate::task::LogSelection;

/// Above it a file is rotated, and podlaunch is told so.
const MAX_SIZE: u64 = 4000;
/// What a stored record takes beside its content.
const HEADER: usize = 48;

#[derive(Debug, Clone)]
enum Step {
    Write(Vec<u8>, Vec<Tick>),
    /// If the file is large enough.
    Rotate,
    Cut,
    Faults(Vec<Fault>),
    Down,
    Up,
    Wait(u64),
    Open,
    Read(usize, usize),
    Resume(usize),
    Hidden(usize),
    Drop(usize),
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        (0usize..3000).prop_map(Fault::Ends),
        (0usize..3000).prop_map(Fault::Breaks),
        (0usize..3000).prop_map(Fault::Tells),
        Just(Fault::Refuses),
    ]
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    let any_bytes = prop::collection::vec(any::<u8>(), 0..80).prop_map(|mut bytes| {
        bytes.retain(|byte| *byte != b'\n');
        bytes
    });
    prop_oneof![
        8 => Just(Vec::new()),
        4 => any_bytes,
        1 => Just(b"\0\xff\xfe\r".to_vec()),
        1 => (15_000usize..70_000).prop_map(|len| vec![b'x'; len]),
    ]
}

fn steps(ticks: BoxedStrategy<Tick>) -> impl Strategy<Value = Vec<Step>> {
    let write =
        (content(), prop::collection::vec(ticks, 1..3)).prop_map(|(content, ticks)| Step::Write(content, ticks));
    let reader = 0usize..4;
    let step = prop_oneof![
        30 => write,
        3 => Just(Step::Rotate),
        3 => Just(Step::Cut),
        2 => prop::collection::vec(fault(), 1..4).prop_map(Step::Faults),
        1 => Just(Step::Down),
        2 => Just(Step::Up),
        8 => (1u64..8000).prop_map(Step::Wait),
        4 => Just(Step::Open),
        8 => (reader.clone(), 1usize..12).prop_map(|(reader, lines)| Step::Read(reader, lines)),
        4 => reader.clone().prop_map(Step::Resume),
        1 => reader.clone().prop_map(Step::Hidden),
        1 => reader.prop_map(Step::Drop),
    ];
    prop::collection::vec(step, 5..90)
}

struct Play {
    world: World,
    clock: Clock,
    written: usize,
    readers: Vec<Reader>,
}

impl Play {
    fn new() -> Play {
        let world = World::with(Settings { container_log_max_size: MAX_SIZE, ..Settings::default() });
        world.node.set_piece(700);
        world.running(0, at(0));
        Play { world, clock: Clock::new(), written: 0, readers: Vec::new() }
    }

    fn write(&mut self, content: &[u8], ticks: &[Tick]) {
        let line = [format!("<{}>", self.written).as_bytes(), content].concat();
        self.written += 1;
        let mut ticks = ticks.iter();
        let stamps: Vec<Timestamp> = (0..line.len().div_ceil(crate::logs::RECORD_LIMIT).max(1))
            .enumerate()
            .map(|(record, _)| match ticks.next() {
                // Such a line cannot be read by `sinceTime` in one piece.
                Some(Tick::SetBack(_)) | None if record > 0 => self.clock.next(&Tick::On(1000)),
                tick => self.clock.next(tick.unwrap_or(&Tick::On(1000))),
            })
            .collect();
        self.world.node.write_stamped(&stamps, &line, Newline::Yes);
    }

    fn rotate(&mut self) {
        let (file, _) = self.world.node.logs(0);
        let size: usize = file.records.iter().map(|record| record.data.len() + HEADER).sum();
        if size as u64 >= MAX_SIZE {
            self.world.node.rotate();
        }
    }

    async fn step(&mut self, step: &Step) {
        match step {
            Step::Write(content, ticks) => self.write(content, ticks),
            Step::Rotate => self.rotate(),
            Step::Cut => self.world.node.cut_all(),
            Step::Faults(faults) => self.world.node.fault_next(faults),
            Step::Down => self.world.node.set_down(true),
            Step::Up => self.world.node.set_down(false),
            Step::Wait(millis) => tokio::time::sleep(Duration::from_millis(*millis)).await,
            Step::Open if self.readers.len() < 4 => self.readers.push(self.world.stream(Start::Beginning)),
            Step::Open => {}
            Step::Read(reader, lines) => {
                if let Some(reader) = self.readers.get_mut(*reader) {
                    let wanted = reader.got.lines() + lines;
                    let reading = async { while reader.got.lines() < wanted && reader.step().await {} };
                    let _ = tokio::time::timeout(Duration::from_millis(300), reading).await;
                }
            }
            Step::Resume(reader) => self.resume(*reader, None).await,
            Step::Hidden(reader) => {
                self.resume(*reader, Some(LogSelection::None)).await;
                if let Some(reader) = self.readers.get_mut(*reader) {
                    reader.read_for(Duration::from_millis(50)).await;
                }
                self.resume(*reader, None).await;
            }
            Step::Drop(reader) if *reader < self.readers.len() => drop(self.readers.swap_remove(*reader)),
            Step::Drop(_) => {}
        }
    }

    async fn resume(&mut self, at: usize, logs: Option<LogSelection>) {
        if at < self.readers.len() {
            let reader = self.readers.remove(at);
            let filter = Filter { logs, ..Filter::default() };
            self.readers.insert(at, self.world.resume_with(reader, filter));
        }
    }

    /// The container ends, and every stream is read to its end.
    async fn end(mut self) -> (World, Vec<Got>) {
        self.world.node.set_down(false);
        self.world.node.fault_next(&[]);
        self.world.finish();
        if self.readers.is_empty() {
            self.readers.push(self.world.stream_until(Start::Beginning, Until::Termination));
        }
        let mut all = Vec::new();
        for mut reader in self.readers.drain(..) {
            loop {
                while reader.step().await {}
                match reader.got.error.take() {
                    Some(ExecError::ReaderTooSlow(_)) => reader = self.world.resume(reader),
                    Some(other) => panic!("{other:?}"),
                    None => break,
                }
            }
            all.push(reader.got);
        }
        (self.world, all)
    }
}

fn id(line: &[u8]) -> usize {
    let text = String::from_utf8_lossy(&line[..line.len().min(12)]).into_owned();
    text[1..text.find('>').unwrap()].parse().unwrap()
}

fn check(world: &World, got: &Got) {
    assert_eq!(got.terminations.len(), 1);
    let (file, all) = world.node.logs(0);
    let written = all.lines();
    let delivery = got.delivery(0);
    let client = got.logs.get(&0).cloned().unwrap_or_default();
    let lines = client.lines();
    let gaps = client.gap_places();
    let mut next = None;
    for (place, line) in lines.iter().enumerate() {
        // A rotation within a line leaves its end as a line of its own: not one that was written.
        if !line.data.starts_with(b"<") {
            assert!(world.node.rotations(0) > 0, "not a line: {line:?}");
            continue;
        }
        let id = id(&line.data);
        assert_eq!(*line, written[id], "line {id}");
        match next {
            Some(next) if id < next => panic!("line {id} after {}", next - 1),
            Some(next) if id > next => {
                let told = gaps.contains(&place) || delivery.verdict != Verdict::Complete;
                assert!(told, "lines {next}..{id} are missing untold: {delivery:?}");
            }
            _ => {}
        }
        next = Some(id + 1);
    }
    assert!(gaps.is_empty() || delivery.verdict != Verdict::Complete, "{delivery:?}");
    if delivery.verdict == Verdict::Complete && !file.records.is_empty() {
        assert_eq!(next.unwrap_or(0), written.len(), "complete, but the end is missing");
    }
    if world.node.rotations(0) == 0 {
        assert_eq!((lines.len(), gaps.len(), delivery.verdict), (written.len(), 0, Verdict::Complete));
        client.numbered_from(1);
    }
}

fn play(steps: &[Step]) {
    run(async {
        let mut play = Play::new();
        for step in steps {
            play.step(step).await;
        }
        let (world, all) = play.end().await;
        for got in &all {
            check(&world, got);
        }
    });
}

fn config() -> ProptestConfig {
    // `PODLAUNCH_SPLIT_CASES=10000` to search for longer.
    let asked = std::env::var("PODLAUNCH_SPLIT_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig { cases: asked.unwrap_or(150), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_split_gives_every_line_once(steps in steps(tick().boxed())) {
        play(&steps);
    }

    /// The same where the clock is set back, also while nobody reads.
    #[test]
    fn with_a_clock_that_is_set_back(steps in steps(tick_with_steps().boxed())) {
        play(&steps);
    }
}
