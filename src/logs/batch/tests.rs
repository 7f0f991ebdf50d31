//! Chunks, gaps and positions, one by one.

use super::*;

fn at(nanos: i64) -> Timestamp {
    Timestamp::from_nanosecond(1_800_000_000_000_000_000 + i128::from(nanos)).unwrap()
}

fn whole(nanos: i64, data: &[u8]) -> Piece<'_> {
    Piece { stamp: at(nanos), part: Part::Whole, data }
}

fn chunk(output: Option<Output>) -> Chunk {
    match output.unwrap().item {
        Item::Chunk(chunk) => chunk,
        Item::Gap(gap) => panic!("{gap:?}"),
    }
}

#[test]
fn lines_share_a_chunk_until_it_is_taken() {
    let mut batch = Batch::new(Position::start());
    batch.push(whole(10, b"a\n"));
    batch.push(whole(7, b"\n"));
    assert!(batch.pop_ready().is_none());
    let expected = Chunk {
        data: Bytes::from_static(b"a\n\n"),
        line_ends: vec![2, 3],
        first_stamp: at(10),
        deltas: vec![-3],
        first_line: Some(1),
        continues: false,
    };
    assert_eq!(chunk(batch.take()), expected);
    assert!(batch.take().is_none());
    batch.push(whole(11, b"b\n"));
    assert_eq!(chunk(batch.take()).first_line, Some(3));
}

#[test]
fn a_line_that_does_not_fit_begins_a_chunk() {
    let mut batch = Batch::new(Position::start());
    let line = vec![b'x'; MAX_DATA - 1];
    batch.push(whole(0, &line));
    batch.push(whole(1, b"\n"));
    batch.push(whole(2, b"a\n"));
    assert_eq!(chunk(batch.pop_ready()).data.len(), MAX_DATA);
    assert!(batch.pop_ready().is_none());
    assert_eq!(batch.waiting(), 2);
}

#[test]
fn a_long_line_comes_in_pieces_and_shares_its_last_chunk() {
    let mut batch = Batch::new(Position::start());
    let data = vec![b'x'; MAX_DATA];
    batch.push(whole(0, b"a\n"));
    batch.push(Piece { stamp: at(5), part: Part::First, data: &data });
    assert_eq!(batch.pop_ready().unwrap().position.partial, None);
    let first = batch.take().unwrap();
    assert_eq!(first.position.partial, Some(LineMark::of(at(5), &data)));
    assert_eq!((first.position.lines, first.position.bytes), (1, 2 + MAX_DATA as u64));
    let first = chunk(Some(first));
    assert_eq!((first.first_line, first.line_ends.len(), first.continues), (Some(2), 0, true));
    batch.push(Piece { stamp: at(5), part: Part::Last, data: b"y\n" });
    batch.push(whole(9, b"b\n"));
    let last = chunk(batch.take());
    assert_eq!((&last.data[..], &last.line_ends[..], last.first_line), (&b"y\nb\n"[..], &[2, 4][..], Some(2)));
    assert_eq!((last.first_stamp, &last.deltas[..], last.continues), (at(5), &[4][..], false));
    let mut line = data;
    line.extend_from_slice(b"y\n");
    let mut expected = Position::start();
    expected.advance(at(0), b"a\n");
    expected.advance(at(5), &line);
    expected.advance(at(9), b"b\n");
    assert_eq!(batch.position(), expected);
}

#[test]
fn a_gap_comes_in_order_and_ends_the_count() {
    let mut batch = Batch::new(Position::start());
    batch.push(whole(0, b"a\n"));
    batch.push(Piece { stamp: at(1), part: Part::First, data: b"begun" });
    batch.apply(Aligned::Gap(GapCause::Rotated));
    batch.push(whole(5, b"b\n"));
    assert!(chunk(batch.take()).continues);
    let gap = batch.take().unwrap();
    let expected = Gap { cause: GapCause::Rotated, last_stamp: Some(at(1)), last_line: Some(1), cuts_line: true };
    assert_eq!(gap.item, Item::Gap(expected));
    assert_eq!(gap.position.partial, None);
    let next = chunk(batch.take());
    assert_eq!((&next.data[..], next.first_line), (&b"b\n"[..], None));
}

#[test]
fn the_last_line_may_lack_its_newline() {
    let mut batch = Batch::new(Position::start());
    let data = vec![b'x'; MAX_DATA];
    batch.push(Piece { stamp: at(0), part: Part::First, data: &data });
    batch.take();
    let nothing = Unfinished { stamp: at(0), part: Part::OpenRest, data: Vec::new() };
    batch.push_unterminated(&nothing);
    let end = chunk(batch.take());
    assert_eq!((end.data.len(), &end.line_ends[..], end.continues), (0, &[0][..], false));
    assert_eq!(batch.position().last, Some(LineMark::of(at(0), &data)));
}

#[test]
fn an_idle_batch_holds_no_buffer() {
    let mut batch = Batch::new(Position::start());
    batch.expect(MAX_DATA);
    batch.push(whole(0, b"a\n"));
    batch.take();
    assert_eq!((batch.data.capacity(), batch.line_ends.capacity(), batch.deltas.capacity()), (0, 0, 0));
}

#[test]
fn a_line_finished_by_another_replica_is_compared_by_its_end() {
    let line: Vec<u8> = (0..90_000u32).map(|i| b'a' + (i % 23) as u8).chain([b'\n']).collect();
    let mut first = Batch::new(Position::start());
    first.push(Piece { stamp: at(0), part: Part::First, data: &line[..MAX_DATA] });
    let mut second = Batch::new(first.take().unwrap().position);
    let last_record = b"2027-01-15T08:00:00.000000500Z ";
    let body = [last_record, &line[90_000 - 90_000 % 16_384..]].concat();
    assert_eq!(second.tail_check(None, &body), TailCheck::Behind);
    second.push(Piece { stamp: at(0), part: Part::Last, data: &line[MAX_DATA..] });
    assert_eq!(second.tail_check(None, &body), TailCheck::Equal);
    let chunk = chunk(second.take());
    assert_eq!((chunk.first_line, chunk.line_ends.len(), chunk.continues), (Some(1), 1, false));
    assert_eq!(second.position().last, Some(LineMark::of(at(0), &line)));
    assert_eq!(second.position().bytes, line.len() as u64);
}

#[test]
fn behind_a_gap_only_later_lines_are_new() {
    let mut batch = Batch::new(Position::start());
    batch.push(whole(0, b"a\n"));
    batch.apply(Aligned::Gap(GapCause::Rotated));
    let position = batch.position();
    assert_eq!((position.last, position.since(), position.is_empty()), (None, None, false));
    assert_eq!(position.resumes_after(), Some(at(100_000_000)));
    assert_eq!(batch.tail_check(None, b""), TailCheck::EmptyAfterRotation);
    assert_eq!(batch.tail_check(None, b"2027-01-15T08:00:00.000000000Z a\n"), TailCheck::Foreign);
    assert_eq!(batch.tail_check(None, b"2027-01-15T08:00:00.000000001Z b\n"), TailCheck::Behind);
}
