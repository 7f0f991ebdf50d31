//! The aligner's steps, one by one.

use super::*;
use crate::logs::parser::Part;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000 + millis).unwrap()
}

/// A position in a log begun in the middle, after one line.
fn after(millis: i64, line: &[u8]) -> Position {
    let mut position = Position::unnumbered();
    position.advance(at(millis), line);
    position
}

fn push(aligner: &mut Aligner, millis: i64, data: &[u8]) -> Vec<String> {
    let mut steps = Vec::new();
    let piece = Piece { stamp: at(millis), part: Part::Whole, data };
    aligner.push(Parsed::Piece(piece), &mut |step| steps.push(told(&step)));
    steps
}

fn give_up(aligner: &mut Aligner) -> (Standing, Vec<String>) {
    let mut steps = Vec::new();
    (aligner.give_up(&mut |step| steps.push(told(&step))), steps)
}

fn told(step: &Aligned<'_>) -> String {
    match step {
        Aligned::Piece(piece) => String::from_utf8_lossy(&piece.data[..piece.data.len().min(4)]).trim_end().to_owned(),
        Aligned::Found { counts, .. } => format!("found {counts:?}"),
        Aligned::Rotated => "rotated".to_owned(),
        Aligned::Gap(cause) => format!("gap {cause:?}"),
    }
}

#[test]
fn lines_behind_a_candidate_are_held_until_it_is_certain() {
    let mut aligner = Aligner::resume(&after(500, b"b\n"), Opened::Since);
    assert!(push(&mut aligner, 400, b"a\n").is_empty());
    assert!(push(&mut aligner, 500, b"b\n").is_empty());
    assert!(push(&mut aligner, 499, b"c\n").is_empty());
    assert_eq!(aligner.standing(), Standing::Seeking);
    assert_eq!(push(&mut aligner, 501, b"d\n"), ["found Some((2, 0))", "c", "d"]);
    assert_eq!(aligner.standing(), Standing::Aligned);
}

#[test]
fn an_idle_follow_releases_what_is_held() {
    let mut aligner = Aligner::resume(&after(500, b"b\n"), Opened::Since);
    push(&mut aligner, 500, b"b\n");
    push(&mut aligner, 499, b"c\n");
    assert_eq!(give_up(&mut aligner), (Standing::Aligned, vec!["found None".to_owned(), "c".to_owned()]));
}

#[test]
fn what_is_held_is_bounded() {
    let line = vec![b'x'; 60_000];
    for (opened, candidate) in [(Opened::Since, true), (Opened::Whole, true), (Opened::Whole, false)] {
        let mut aligner = Aligner::resume(&after(500, b"b\n"), opened);
        // Without a candidate lines are held only behind one that is clearly later than all sent.
        push(&mut aligner, if candidate { 500 } else { 900 }, if candidate { b"b\n" } else { b"y\n" });
        let mut steps = Vec::new();
        for _ in 0..6 {
            steps.extend(push(&mut aligner, 490, &line));
            assert!(aligner.held.cost() <= HOLD_LIMIT);
        }
        let first = if candidate { vec!["found None"] } else { vec!["gap Rotated", "y"] };
        assert_eq!(steps[..first.len()], first);
        assert_eq!(steps.len(), first.len() + 6);
    }
}

#[test]
fn equal_lines_in_a_rotated_file_make_a_gap() {
    let mut aligner = Aligner::resume(&after(500, b"b\n"), Opened::Whole);
    push(&mut aligner, 500, b"b\n");
    push(&mut aligner, 500, b"b\n");
    assert_eq!(push(&mut aligner, 600, b"c\n"), ["found Some((2, 0))", "gap Ambiguous", "c"]);
    let mut aligner = Aligner::resume(&after(500, b"b\n"), Opened::Since);
    push(&mut aligner, 500, b"b\n");
    push(&mut aligner, 500, b"b\n");
    assert!(push(&mut aligner, 600, b"c\n").is_empty());
    assert_eq!(give_up(&mut aligner), (Standing::ReadWhole, vec![]));
}

#[test]
fn a_filtered_body_that_steps_back_is_abandoned() {
    let mut position = Position::start();
    position.advance(at(500), b"a\n");
    let mut aligner = Aligner::resume(&position, Opened::Since);
    assert_eq!(push(&mut aligner, 500, b"a\n"), ["found Some((1, 0))"]);
    assert_eq!(push(&mut aligner, 900, b"b\n"), ["b"]);
    assert_eq!(push(&mut aligner, 850, b"c\n"), ["c"]);
    assert!(push(&mut aligner, 700, b"d\n").is_empty());
    assert_eq!(aligner.standing(), Standing::ReadWhole);

    let mut aligner = Aligner::resume(&position, Opened::Since);
    aligner.push(Parsed::Fragment, &mut |_| panic!("nothing is let through"));
    push(&mut aligner, 500, b"a\n");
    assert_eq!(aligner.standing(), Standing::Aligned);
    aligner.push(Parsed::Fragment, &mut |_| panic!("nothing is let through"));
    assert_eq!(aligner.standing(), Standing::ReadWhole);
}

#[test]
fn by_number_where_the_file_was_never_rotated() {
    let mut position = Position::start();
    position.advance(at(900), b"a\n");
    position.advance(at(100), b"a\n");
    let mut aligner = Aligner::resume(&position, Opened::Whole);
    assert!(push(&mut aligner, 900, b"a\n").is_empty());
    assert_eq!(push(&mut aligner, 100, b"a\n"), ["found Some((2, 0))"]);
    assert_eq!(push(&mut aligner, 100, b"a\n"), ["a"]);
    let mut aligner = Aligner::resume(&position, Opened::Whole);
    push(&mut aligner, 900, b"a\n");
    assert_eq!(give_up(&mut aligner), (Standing::Seeking, vec![]), "cut before the position: nothing is known");
}

#[test]
fn a_rotated_file_without_the_last_line_makes_a_gap() {
    let mut position = Position::start();
    position.advance(at(500), b"a\n");
    let mut aligner = Aligner::resume(&position, Opened::Whole);
    assert_eq!(push(&mut aligner, 450, b"w\n"), ["rotated"]);
    assert!(push(&mut aligner, 490, b"x\n").is_empty());
    assert_eq!(push(&mut aligner, 501, b"y\n"), ["gap Rotated", "y"]);
    assert_eq!(push(&mut aligner, 490, b"z\n"), ["z"]);
    let mut aligner = Aligner::resume(&position, Opened::Since);
    assert!(push(&mut aligner, 501, b"y\n").is_empty());
    assert_eq!(aligner.standing(), Standing::ReadWhole);
}

/// The same line with its first bytes sent, wherever they were cut.
fn within(mut position: Position, millis: i64, sent: &[u8]) -> Position {
    position.raise(at(millis));
    position.partial = Some(LineMark::of(at(millis), sent));
    position
}

#[test]
fn of_a_line_sent_in_part_the_rest_is_let_through() {
    let mut start = Position::start();
    start.advance(at(500), b"a\n");
    for opened in [Opened::Since, Opened::Whole] {
        let mut aligner = Aligner::resume(&within(start.clone(), 600, b"bc"), opened);
        push(&mut aligner, 500, b"a\n");
        let mut pieces = Vec::new();
        for (part, data) in [(Part::First, &b"b"[..]), (Part::Middle, b"cd"), (Part::Last, b"e\n")] {
            let piece = Piece { stamp: at(600), part, data };
            aligner.push(Parsed::Piece(piece), &mut |step| {
                if let Aligned::Piece(piece) = step {
                    pieces.push((piece.part, piece.data.to_vec()));
                }
            });
        }
        assert_eq!(pieces, [(Part::Middle, b"d".to_vec()), (Part::Last, b"e\n".to_vec())]);
    }
}

#[test]
fn the_rest_is_held_while_the_search_goes_on() {
    let position = within(after(500, b"a\n"), 600, b"bc");
    let mut aligner = Aligner::resume(&position, Opened::Since);
    assert!(push(&mut aligner, 600, b"bx\n").is_empty());
    assert!(push(&mut aligner, 600, b"bcd\n").is_empty());
    assert!(push(&mut aligner, 599, b"e\n").is_empty());
    assert_eq!(push(&mut aligner, 601, b"f\n"), ["found Some((1, 0))", "d", "e", "f"]);
}

#[test]
fn a_line_that_begins_otherwise_is_not_the_one() {
    let position = within(Position::start(), 600, b"bc");
    for data in [&b"bx\n"[..], b"b\n"] {
        let mut aligner = Aligner::resume(&position, Opened::Since);
        assert!(push(&mut aligner, 600, data).is_empty());
        assert_eq!(aligner.standing(), Standing::ReadWhole);
    }
}

#[test]
fn an_open_line_sent_to_its_end_is_still_reported() {
    let mut aligner = Aligner::resume(&within(Position::start(), 600, b"bc"), Opened::Since);
    let mut pieces = Vec::new();
    let piece = Piece { stamp: at(600), part: Part::OpenWhole, data: b"bc" };
    aligner.push(Parsed::Piece(piece), &mut |step| {
        if let Aligned::Piece(piece) = step {
            pieces.push((piece.part, piece.data.len()));
        }
    });
    assert_eq!(pieces, [(Part::OpenRest, 0)]);
}

/// A whole body that is cut within the file's first line shows nothing: neither another file nor the same one.
#[test]
fn a_first_line_cut_short_is_no_rotation() {
    let mut position = Position::start();
    position.advance(at(0), b"first line\n");
    position.advance(at(500), b"b\n");
    for (stamp, data, expected) in [
        (0, &b"first"[..], vec![]),
        (0, b"", vec![]),
        (0, b"another", vec![]),
        (1, b"first", vec!["rotated".to_owned()]),
    ] {
        let mut aligner = Aligner::resume(&position, Opened::Whole);
        let mut steps = Vec::new();
        let piece = Piece { stamp: at(stamp), part: Part::OpenWhole, data };
        aligner.push(Parsed::Piece(piece), &mut |step| steps.push(told(&step)));
        assert_eq!(steps, expected, "{stamp} {data:?}");
        assert_eq!(give_up(&mut aligner), (Standing::Seeking, vec![]), "{stamp} {data:?}");
    }
}
