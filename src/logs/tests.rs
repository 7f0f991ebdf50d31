//! The promises as properties: any log, any chunks, any cut, any cursor, rotation anywhere.

use jiff::Timestamp;
use proptest::{prelude::*, sample::Index};

use super::{
    kubelet::{Clock, File, Line, Newline, Tick, log, tick, tick_with_steps},
    stamp::floor_second,
    *,
};

const ERROR_TEXT: &[u8] = b"unable to retrieve container logs for containerd://0123";

/// A client that puts lines together again and checks the contract of what it gets.
#[derive(Debug, Clone, Default)]
pub(crate) struct Client {
    lines: Vec<(Option<u64>, Line)>,
    open: Option<(Option<u64>, Line)>,
    /// How many lines were there at each gap, and the line it cut.
    gaps: Vec<(usize, Option<Line>)>,
    raw: Vec<u8>,
}

impl Client {
    pub(crate) fn take(&mut self, item: &Item) {
        match item {
            Item::Chunk(chunk) => self.chunk(chunk),
            Item::Gap(gap) => {
                let cut = self.open.take().map(|(_, line)| line);
                assert_eq!(gap.cuts_line, cut.is_some());
                self.gaps.push((self.lines.len(), cut));
            }
        }
    }

    fn chunk(&mut self, chunk: &Chunk) {
        assert!(chunk.data.len() <= MAX_DATA && chunk.line_ends.len() <= MAX_LINES);
        assert!(!chunk.data.is_empty() || chunk.line_ends == [0]);
        self.raw.extend_from_slice(&chunk.data);
        let mut number = chunk.first_line;
        if let Some((open_number, open)) = &self.open {
            assert_eq!((*open_number, open.stamp), (chunk.first_line, chunk.first_stamp));
        }
        let mut deltas = chunk.deltas.iter();
        let mut first = true;
        let mut at = 0;
        let mut line = |this: &mut Client, end: usize, ends: bool| {
            let data = &chunk.data[at..end];
            at = end;
            let stamp = if std::mem::take(&mut first) {
                chunk.first_stamp
            } else {
                let nanos = chunk.first_stamp.as_nanosecond() + i128::from(*deltas.next().unwrap());
                Timestamp::from_nanosecond(nanos).unwrap()
            };
            let (_, open) = this.open.get_or_insert_with(|| (number, Line { stamp, data: Vec::new() }));
            open.data.extend_from_slice(data);
            if ends {
                this.lines.extend(this.open.take());
                number = number.map(|number| number + 1);
            }
        };
        for end in &chunk.line_ends {
            line(self, *end as usize, true);
        }
        let end = chunk.line_ends.last().map_or(0, |end| *end as usize);
        if end < chunk.data.len() {
            line(self, chunk.data.len(), false);
        }
        assert!(deltas.next().is_none());
        assert_eq!(chunk.continues, self.open.is_some());
    }

    pub(crate) fn numbered_from(&self, first: u64) {
        for (number, (found, _)) in (first..).zip(&self.lines) {
            assert_eq!(*found, Some(number));
        }
    }

    pub(crate) fn gaps(&self) -> usize {
        self.gaps.len()
    }

    /// How many lines were there at each gap.
    pub(crate) fn gap_places(&self) -> Vec<usize> {
        self.gaps.iter().map(|(at, _)| *at).collect()
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    pub(crate) fn unnumbered(&self) -> bool {
        self.lines.iter().all(|(number, _)| number.is_none())
    }

    pub(crate) fn lines(&self) -> Vec<Line> {
        self.lines.iter().map(|(_, line)| line.clone()).collect()
    }
}

/// One read in a chain.
#[derive(Debug, Clone)]
struct Read {
    /// Where the body is cut.
    cut: Option<Index>,
    /// An error text follows the cut (or the end).
    error: bool,
    /// Sizes of the chunks, in turn.
    chunks: Vec<usize>,
    /// The client keeps only so many outputs of this read and comes back with that cursor, to another replica.
    kept: Option<Index>,
    /// Chunks are taken as soon as there is anything, or when they are full.
    eager: bool,
}

fn read() -> impl Strategy<Value = Read> {
    let size = prop_oneof![1 => 1usize..4, 3 => 1usize..200, 3 => 1000usize..100_000];
    let chunks = prop::collection::vec(size, 1..8);
    (
        prop::option::weighted(0.8, any::<Index>()),
        prop::bool::weighted(0.2),
        chunks,
        prop::option::of(any::<Index>()),
        any::<bool>(),
    )
        .prop_map(|(cut, error, chunks, kept, eager)| Read { cut, error, chunks, kept, eager })
}

fn plain_read() -> Read {
    Read { cut: None, error: false, chunks: vec![30_000], kept: None, eager: false }
}

/// The follower as its contract asks for it, over a file that may change from read to read.
struct Chain {
    client: Client,
    batch: Batch,
    whole_next: bool,
    /// How the last body was opened.
    opened: Opened,
}

#[derive(Debug, PartialEq, Eq)]
enum Checked {
    Done,
    Again,
    Gone,
}

impl Chain {
    fn new(position: Position) -> Self {
        Chain { client: Client::default(), batch: Batch::new(position), whole_next: false, opened: Opened::Whole }
    }

    fn open(&mut self, file: &File) -> (BodyReader, Vec<u8>) {
        let position = self.batch.position();
        let since = position.since().filter(|_| !self.whole_next);
        self.opened = if since.is_some() { Opened::Since } else { Opened::Whole };
        (BodyReader::new(&position, self.opened), file.body(since))
    }

    fn read(&mut self, file: &File, read: &Read) -> Option<BodyEnd> {
        let (reader, body) = self.open(file);
        self.read_body(reader, body, read)
    }

    /// Returns how the body ended, unless the client went away meanwhile.
    fn read_body(&mut self, mut reader: BodyReader, mut body: Vec<u8>, read: &Read) -> Option<BodyEnd> {
        if let Some(cut) = read.cut {
            body.truncate(cut.index(body.len() + 1));
        }
        if read.error {
            body.extend_from_slice(ERROR_TEXT);
        }
        let mut outputs = Vec::new();
        let mut rest = &body[..];
        for size in read.chunks.iter().cycle() {
            if rest.is_empty() || reader.standing() == Standing::ReadWhole {
                break;
            }
            let (chunk, after) = rest.split_at((*size).min(rest.len()));
            rest = after;
            reader.feed(chunk, &mut self.batch);
            drain(&mut self.batch, read.eager, &mut outputs);
            assert!(!read.eager || self.batch.is_drained());
        }
        let end = reader.finish(&mut self.batch);
        drain(&mut self.batch, true, &mut outputs);
        self.whole_next = end.standing == Standing::ReadWhole;
        match read.kept {
            Some(kept) if !outputs.is_empty() => {
                outputs.truncate(kept.index(outputs.len()) + 1);
                self.deliver(&outputs);
                self.batch = Batch::new(outputs.last().unwrap().position.clone());
                None
            }
            _ => {
                self.deliver(&outputs);
                Some(end)
            }
        }
    }

    fn deliver(&mut self, outputs: &[Output]) {
        for output in outputs {
            self.client.take(&output.item);
        }
    }

    /// What the follower does at the container's end, after a read.
    fn check(&mut self, file: &File, end: &BodyEnd, brought: bool) -> Checked {
        let trailing = match &end.trailing {
            Trailing::Partial(line) => Some(line),
            _ => None,
        };
        match self.batch.tail_check(trailing, &file.tail(1)) {
            TailCheck::Equal => {}
            TailCheck::Suffix if !brought && self.opened == Opened::Whole && end.standing == Standing::Aligned => {}
            TailCheck::EmptyAfterRotation => return Checked::Gone,
            TailCheck::Foreign | TailCheck::Suffix => {
                self.whole_next = true;
                return Checked::Again;
            }
            _ => return Checked::Again,
        }
        if let Some(line) = trailing {
            self.batch.push_unterminated(line);
        }
        let mut outputs = Vec::new();
        drain(&mut self.batch, true, &mut outputs);
        self.deliver(&outputs);
        Checked::Done
    }

    /// Reads until the tail agrees.
    fn drain_to_end(&mut self, file: &File) -> Checked {
        for _ in 0..6 {
            let before = self.batch.position();
            if let Some(end) = self.read(file, &plain_read()) {
                let brought = self.batch.position() != before;
                match self.check(file, &end, brought) {
                    Checked::Again => {}
                    done => return done,
                }
            }
        }
        Checked::Again
    }
}

fn drain(batch: &mut Batch, all: bool, outputs: &mut Vec<Output>) {
    while let Some(output) = if all { batch.take() } else { batch.pop_ready() } {
        outputs.push(output);
    }
}

/// Reads a log in any number of cut reads, then to its end.
fn read_through(file: &File, reads: &[Read]) -> Chain {
    let mut chain = Chain::new(Position::start());
    for read in reads {
        chain.read(file, read);
    }
    assert_eq!(chain.drain_to_end(file), Checked::Done);
    chain
}

fn check_complete(file: &File, chain: &Chain) {
    let lines = file.lines();
    assert_eq!(chain.client.lines(), lines);
    assert!(chain.client.gaps.is_empty());
    chain.client.numbered_from(1);
    assert!(chain.client.open.is_none());
    let raw: Vec<u8> = lines.iter().flat_map(|line| line.data.clone()).collect();
    assert!(chain.client.raw == raw);
    let position = chain.batch.position();
    if let Some(first) = position.first {
        assert_eq!(first_line_check(first, &file.beginning()), FirstLineCheck::Same);
    }
    assert_eq!((position.lines, position.bytes), (lines.len() as u64, raw.len() as u64));
}

/// Counts by the definition, against the position's running counts.
fn check_counts(sent: &[Line], position: &Position) {
    let Some(window) = position.window() else { return };
    let count = |from: i64| sent.iter().filter(|line| floor_second(line.stamp) >= from).count() as u64;
    assert_eq!((position.count, position.later), (count(window), count(window + 1)));
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(200))]

    /// The same pieces whatever the chunks, and they are the lines.
    #[test]
    fn chunks_do_not_matter(file in log(tick().boxed()), chunks in prop::collection::vec(1usize..40_000, 1..6), error: bool, cut: Option<Index>) {
        let mut body = file.body(None);
        if let Some(cut) = cut {
            body.truncate(cut.index(body.len() + 1));
        }
        if error {
            body.extend_from_slice(ERROR_TEXT);
        }
        let parse = |chunks: &[usize]| {
            let mut parser = Parser::new();
            let mut found: Vec<(Timestamp, Part, Vec<u8>)> = Vec::new();
            let mut rest = &body[..];
            for size in chunks.iter().cycle() {
                if rest.is_empty() { break }
                let (chunk, after) = rest.split_at((*size).min(rest.len()));
                parser.feed(chunk, &mut |parsed| match parsed {
                    Parsed::Piece(piece) => found.push((piece.stamp, piece.part, piece.data.to_vec())),
                    Parsed::Fragment => panic!("a fragment in a whole file"),
                });
                rest = after;
            }
            (found, parser.finish())
        };
        let (pieces, trailing) = parse(&chunks);
        prop_assert!((pieces.clone(), trailing.clone()) == parse(&[body.len().max(1)]));
        prop_assert!((pieces.clone(), trailing.clone()) == parse(&[1]));
        prop_assert!(pieces.iter().all(|(_, _, data)| data.len() <= MAX_DATA));
        prop_assert!(pieces.iter().all(|(_, _, data)| !data.ends_with(ERROR_TEXT)));
        // Put together they are the beginning of the log; all of it where nothing was cut.
        let mut lines: Vec<Line> = Vec::new();
        for (stamp, part, data) in &pieces {
            if part.begins() { lines.push(Line { stamp: *stamp, data: Vec::new() }) }
            prop_assert_eq!(lines.last().unwrap().stamp, *stamp);
            lines.last_mut().unwrap().data.extend_from_slice(data);
        }
        if let (Trailing::Partial(line), false) = (&trailing, error) {
            if line.part == Part::OpenWhole { lines.push(Line { stamp: line.stamp, data: Vec::new() }) }
            lines.last_mut().unwrap().data.extend_from_slice(&line.data);
        }
        let all = file.lines();
        for (i, (line, original)) in lines.iter().zip(&all).enumerate() {
            prop_assert_eq!(line.stamp, original.stamp);
            prop_assert!(line.data == original.data || (i + 1 == lines.len() && original.data.starts_with(&line.data)));
        }
        if cut.is_none() && !error {
            prop_assert_eq!(lines, all);
        }
    }

    /// Any cuts, any cursors, error texts: every line once, in order, with its number.
    #[test]
    fn nothing_twice_nothing_lost(file in log(tick().boxed()), reads in prop::collection::vec(read(), 0..6)) {
        let chain = read_through(&file, &reads);
        check_complete(&file, &chain);
        check_counts(&file.lines(), &chain.batch.position());
    }

    /// The same with a clock that is set back, any number of times.
    #[test]
    fn a_clock_set_back_loses_nothing(file in log(tick_with_steps().boxed()), reads in prop::collection::vec(read(), 0..6)) {
        let chain = read_through(&file, &reads);
        check_complete(&file, &chain);
    }

    /// A log that grows between the reads.
    #[test]
    fn a_growing_log(file in log(tick_with_steps().boxed()), reads in prop::collection::vec((read(), any::<Index>()), 0..6)) {
        let mut chain = Chain::new(Position::start());
        let mut ends: Vec<usize> = reads.iter().map(|(_, end)| end.index(file.records.len() + 1)).collect();
        ends.sort_unstable();
        for ((read, _), end) in reads.iter().zip(ends) {
            chain.read(&file.part(0..end), read);
        }
        prop_assert_eq!(chain.drain_to_end(&file), Checked::Done);
        check_complete(&file, &chain);
    }

    /// A chain that begins with the last n records or at a time sends each later line once.
    #[test]
    fn a_start_in_the_middle(file in numbered_log(), n in 1usize..10, reads in prop::collection::vec(read(), 0..5), first in read()) {
        let mut chain = Chain::new(Position::unnumbered());
        let reader = BodyReader::new(&chain.batch.position(), Opened::Whole);
        let tail = file.tail(n);
        let wanted = File { records: file.records[file.records.len().saturating_sub(n)..].to_vec() }.lines();
        chain.read_body(reader, tail, &first);
        if chain.batch.position().is_empty() {
            return Ok(());
        }
        for read in &reads {
            chain.read(&file, read);
        }
        let done = chain.drain_to_end(&file);
        let got = chain.client.lines();
        // A start within a line gives its end under the stamp of a later record: it cannot be found again by stamp.
        let cut_start = file.records.len() > n && !file.records[file.records.len() - n - 1].full;
        if chain.client.gaps.is_empty() && !cut_start {
            prop_assert_eq!(done, Checked::Done);
            prop_assert_eq!(got, wanted);
        } else {
            let mut rest = wanted.iter();
            prop_assert!(got.iter().all(|line| rest.any(|original| original == line)), "{got:?} of {wanted:?}");
        }
        prop_assert!(chain.client.lines.iter().all(|(number, _)| number.is_none()));
    }

    #[test]
    fn a_start_at_a_time(file in numbered_log(), at in any::<Index>(), back in 0i64..3_000_000_000, first in read(), reads in prop::collection::vec(read(), 0..4)) {
        prop_assume!(!file.records.is_empty());
        let stamp = file.records[at.index(file.records.len())].stamp;
        let time = Timestamp::from_nanosecond(stamp.as_nanosecond() - i128::from(back)).unwrap();
        let mut chain = Chain::new(Position::unnumbered());
        let reader = BodyReader::starting_at(time, Opened::Since);
        chain.read_body(reader, file.body(Some(start_second(time))), &first);
        if chain.batch.position().is_empty() {
            return Ok(());
        }
        for read in &reads {
            chain.read(&file, read);
        }
        let done = chain.drain_to_end(&file);
        let lines = file.lines();
        let from = lines.iter().position(|line| line.stamp >= time).unwrap_or(lines.len());
        // Text that looks like a stamp may begin the rest of a filtered line; then nothing exact can be said.
        prop_assume!(chain.client.lines.first().is_none_or(|(_, line)| *line == lines[from]));
        if chain.client.gaps.is_empty() {
            prop_assert_eq!(done, Checked::Done);
            prop_assert_eq!(chain.client.lines(), &lines[from..]);
        }
    }

    /// Positions by the definition: `advance` and a batch agree, and the counts are what they are said to be.
    #[test]
    fn positions_count_what_they_say(file in log(tick_with_steps().boxed()), upto in any::<Index>()) {
        let lines = file.lines();
        let upto = upto.index(lines.len() + 1);
        let mut position = Position::start();
        let mut batch = Batch::new(Position::start());
        for line in &lines[..upto] {
            position.advance(line.stamp, &line.data);
            let part = if line.data.ends_with(b"\n") { Part::Whole } else { Part::OpenWhole };
            let piece = Piece { stamp: line.stamp, part, data: &line.data };
            if part == Part::Whole {
                batch.push(piece);
            } else {
                batch.push_unterminated(&Unfinished { stamp: line.stamp, part, data: line.data.clone() });
            }
        }
        prop_assert_eq!(&position, &batch.position());
        check_counts(&lines[..upto], &position);
        if let (Some(second), Some(last)) = (position.since(), position.last) {
            prop_assert!(second <= floor_second(last.stamp));
        }
    }
}

/// A log whose lines all differ: line i consists of `<i>`, over and over.
fn numbered_log() -> impl Strategy<Value = File> {
    let repeat = prop_oneof![12 => 1usize..4, 1 => 3000usize..50_000];
    prop::collection::vec((repeat, tick()), 1..40).prop_map(|lines| {
        let mut clock = Clock::new();
        let mut file = File::default();
        for (i, (repeat, tick)) in lines.iter().enumerate() {
            let content = format!("<{i}>").repeat(*repeat);
            let mut ticks = std::iter::once(tick);
            let stamp = || clock.next(ticks.next().unwrap_or(&Tick::On(1000)));
            file.write(content.as_bytes(), RECORD_LIMIT, Newline::Yes, stamp);
        }
        file
    })
}

fn id(line: &Line) -> Option<usize> {
    let text = String::from_utf8_lossy(&line.data).into_owned();
    let start = text.find('<')? + 1;
    let len = text[start..].find('>')?;
    text[start..start + len].parse().ok()
}

proptest! {
    #![proptest_config(config(800))]

    /// The file grows and loses its beginning at any record between the reads. No line twice, none out of order, and
    /// lines are missing only where a gap was sent, or behind an end that was not agreed on.
    #[test]
    fn rotation_anywhere(file in numbered_log(), reads in prop::collection::vec((read(), any::<Index>(), any::<Index>()), 1..6), last in any::<Index>()) {
        let total = file.records.len();
        let mut chain = Chain::new(Position::start());
        let (mut start, mut end) = (0, 0);
        for (read, starts, ends) in &reads {
            end += ends.index(total - end + 1);
            chain.read(&file.part(start..end), read);
            start += starts.index(end - start + 1);
        }
        let rotated = file.part(start + last.index(total - start + 1)..total);
        let done = chain.drain_to_end(&rotated);
        let client = &chain.client;
        // Numbers count from the first line readable at the first read.
        let missed = client.lines.first().and_then(|(_, first)| id(first)).unwrap_or(0);
        let mut next = 0;
        let mut ids = Vec::new();
        for (i, (number, line)) in client.lines.iter().enumerate() {
            for (_, cut) in client.gaps.iter().filter(|(at, _)| *at == i) {
                next = next.max(cut.as_ref().and_then(id).map_or(next, |id| id + 1));
            }
            let Some(id) = id(line) else { continue };
            let gap = client.gaps.iter().any(|(at, _)| *at == i);
            prop_assert!(id == next || (id > next && (gap || i == 0)), "line {id} after {next} without a gap: {client:?}");
            if let Some(number) = number {
                prop_assert_eq!(*number as usize, id + 1 - missed);
            }
            ids.push(id);
            next = id + 1;
        }
        prop_assert!(ids.windows(2).all(|pair| pair[0] < pair[1]), "{ids:?}");
        if done == Checked::Done {
            let lines = file.lines().len();
            prop_assert!(next == lines || rotated.records.is_empty(), "ended at {next} of {lines}: {:?} {:?}", client, rotated.lines());
        }
        let never_rotated = rotated.records.len() == total;
        if never_rotated {
            prop_assert_eq!(done, Checked::Done);
            check_complete(&file, &chain);
        }
    }

    /// Foreign bytes and foreign positions do no harm.
    #[test]
    fn anything_is_survived(body in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\n')], 0..300), stamps in prop::collection::vec(-5i64..5, 5), numbers in prop::collection::vec(prop_oneof![0u64..4, any::<u64>()], 6), since: bool, from_first: bool) {
        let stamp = |i: usize| Timestamp::from_second(stamps[i] * 1_000_000_000).unwrap();
        let position = Position {
            lines: numbers[0],
            counted: if from_first { Counted::FromFirst } else { Counted::Unknown { exact_from: stamps[4] } },
            bytes: numbers[1],
            high: Some(stamp(0)),
            count: numbers[2],
            later: numbers[3],
            last: Some(LineMark { stamp: stamp(1), hash: 0, len: numbers[4] }),
            partial: since.then(|| LineMark { stamp: stamp(2), hash: 0, len: numbers[5] }),
            first: Some(FirstLine { stamp: stamp(3), hash: 0 }),
            rotation: Rotation::NotSeen,
        };
        let opened = if since { Opened::Since } else { Opened::Whole };
        let mut batch = Batch::new(position.clone());
        let mut reader = BodyReader::new(&position, opened);
        let mut text = File::default();
        for at in 0..3 {
            text.write(b"x", 1, Newline::Yes, || stamp(at));
        }
        reader.feed(&text.body(None), &mut batch);
        reader.feed(&body, &mut batch);
        let end = reader.finish(&mut batch);
        let _ = batch.tail_check(None, &body);
        let _ = position.rotation_possible(numbers[0]);
        if let Trailing::Partial(line) = &end.trailing {
            batch.push_unterminated(line);
        }
        while batch.take().is_some() {}
    }
}
