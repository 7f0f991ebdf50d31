//! Bodies nobody wrote: any bytes, and such as look like a log for a while. No panic, no byte made up, whatever the
//! chunks and whatever the position that is read on from.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::tests::Client;
use super::*;

/// What bodies are made of, and what it breaks off in.
fn part() -> impl Strategy<Value = Vec<u8>> {
    let stamps = [
        "2026-01-02T03:04:05.000000006Z ",
        "2026-01-02T03:04:05.100000006Z ",
        "2026-01-02T03:04:06.5+02:00 ",
        "2026-01-02T03:04:06Z ",
        "1969-12-31T23:59:59.999999999Z ",
        "9999-12-31T23:59:59.999999999Z ",
        "2026-02-30T03:04:05Z ",
        "2026-01-02T03:04:05.",
        "2026-01-02T03:04:61.000000000Z ",
    ];
    let texts = [
        "\n",
        "\n\n",
        "\r\n",
        "hello\n",
        "no newline",
        "unable to retrieve container logs for containerd://0123",
        "failed to try resolving symlinks in path",
        "{\"kind\":\"Status\",\"code\":500}",
        "\u{0}\u{feff}",
    ];
    prop_oneof![
        4 => select(stamps.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        4 => select(texts.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        2 => vec(any::<u8>(), 0..40),
        1 => (any::<u8>(), 0usize..200_000).prop_map(|(byte, length)| vec![byte; length]),
    ]
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    vec(part(), 0..24).prop_map(|parts| parts.concat())
}

fn chunks() -> impl Strategy<Value = Vec<usize>> {
    vec(prop_oneof![1usize..4, 1usize..300, 1000usize..90_000], 1..6)
}

fn opened() -> impl Strategy<Value = Opened> {
    select(vec![Opened::Whole, Opened::Since])
}

fn pieces(body: &[u8], sizes: &[usize], mut each: impl FnMut(&[u8])) {
    let mut rest = body;
    for size in sizes.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (chunk, after) = rest.split_at((*size).min(rest.len()));
        each(chunk);
        rest = after;
    }
}

fn drain(batch: &mut Batch, outputs: &mut Vec<Output>) {
    while let Some(output) = batch.take() {
        outputs.push(output);
    }
}

/// Reads a body on from the batch's position; all that came of it.
fn read(batch: &mut Batch, body: &[u8], sizes: &[usize], opened: Opened) -> (BodyEnd, Vec<Output>) {
    let mut reader = BodyReader::new(&batch.position(), opened);
    let mut outputs = Vec::new();
    pieces(body, sizes, |chunk| {
        if reader.standing() != Standing::ReadWhole {
            reader.feed(chunk, batch);
            drain(batch, &mut outputs);
        }
    });
    let end = reader.finish(batch);
    drain(batch, &mut outputs);
    (end, outputs)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_body_of_any_bytes(body in body(), sizes in chunks()) {
        let parse = |sizes: &[usize]| {
            let (mut parser, mut found) = (Parser::new(), Vec::new());
            pieces(&body, sizes, |chunk| parser.feed(chunk, &mut |parsed| found.push(match parsed {
                Parsed::Piece(piece) => Some((piece.stamp, piece.part, piece.data.to_vec())),
                Parsed::Fragment => None,
            })));
            (found, parser.finish())
        };
        let (found, trailing) = parse(&sizes);
        prop_assert!((&found, &trailing) == (&parse(&[1_000_000]).0, &parse(&[1_000_000]).1));
        let sizes: Vec<usize> = found.iter().flatten().map(|(_, _, data)| data.len()).collect();
        prop_assert!(sizes.iter().all(|size| *size <= MAX_DATA) && sizes.iter().sum::<usize>() <= body.len());
        // Each piece is a part of the body, in its order.
        let mut from = 0;
        for (_, _, data) in found.iter().flatten() {
            let at = memchr::memmem::find(&body[from..], data).map(|at| from + at);
            prop_assert!(at.is_some(), "made up");
            from = at.unwrap_or(from) + data.len();
        }
    }

    /// Two bodies that have nothing to do with each other, and then the end: what comes is a chain of chunks and gaps.
    #[test]
    fn reads_of_any_bodies(first in body(), second in body(), tail in body(), sizes in chunks(), opened in opened()) {
        let (mut client, mut batch) = (Client::default(), Batch::new(Position::start()));
        for (body, opened) in [(&first, Opened::Whole), (&second, opened), (&first, opened)] {
            let (end, outputs) = read(&mut batch, body, &sizes, opened);
            outputs.iter().for_each(|output| client.take(&output.item));
            let open = match &end.trailing { Trailing::Partial(line) => Some(line), _ => None };
            let _ = batch.tail_check(open, &tail);
            prop_assert!(batch.is_drained());
        }
        let _ = TailBody::parse(&tail);
        let _ = first_stamp(&tail);
        if let Some(first) = batch.position().first {
            let _ = first_line_check(first, &tail);
        }
    }

    #[test]
    fn a_prefix_is_never_longer_than_its_line(line in body()) {
        if let Some((_, content)) = parse_prefix(&line) {
            prop_assert!(content <= line.len());
        }
    }
}
