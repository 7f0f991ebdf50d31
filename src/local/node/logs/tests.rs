//! Writer and reader together, without containers.

use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;

use super::file::{AttemptLog, Rotation, pump};
use super::read::{Reader, Selection};
use super::record::{Splitter, Stream, second_text};
use crate::local::node::clock::NodeClock;
use crate::local::node::logs_api::{Follow, LinePrefix};

const ALL: Selection = Selection { follow: Follow::No, prefix: LinePrefix::None, since: None, tail: None, limit: None };

fn log(max_size: u64) -> (tempfile::TempDir, Arc<AttemptLog>) {
    let dir = tempfile::tempdir().unwrap();
    let rotation = Rotation { max_size, max_files: 3 };
    let log = AttemptLog::create(dir.path().join("main/0.log"), rotation, NodeClock::default()).unwrap();
    (dir, log)
}

async fn read(log: &Arc<AttemptLog>, selection: Selection) -> Vec<u8> {
    let mut reader = Reader::open(Arc::clone(log), selection).unwrap();
    let mut all = Vec::new();
    while let Some(piece) = reader.next().await.unwrap() {
        all.extend_from_slice(&piece);
    }
    all
}

fn write(log: &AttemptLog, data: &[u8]) {
    let mut splitter = Splitter::new(Stream::Stdout);
    log.append(&mut splitter, data);
    log.finish(&mut splitter);
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn what_was_written_is_read() {
    let (_dir, log) = log(u64::MAX);
    write(&log, b"a\nb\r\nno newline");
    assert_eq!(text(read(&log, ALL).await), "a\nb\nno newline");
}

#[tokio::test]
async fn pieces_of_a_line_are_joined_under_the_first_stamp() {
    let (_dir, log) = log(u64::MAX);
    let mut line = vec![b'x'; 100_000];
    line.push(b'\n');
    write(&log, &line);
    assert_eq!(read(&log, ALL).await, line);
    let stamped = read(&log, Selection { prefix: LinePrefix::Timestamp, ..ALL }).await;
    assert_eq!(stamped.len(), line.len() + 31);
    assert_eq!(stamped[29..31], *b"Z ");
}

#[tokio::test]
async fn the_tail_counts_records() {
    let (_dir, log) = log(u64::MAX);
    let mut line = vec![b'x'; 16_385];
    line.push(b'\n');
    write(&log, b"first\n");
    write(&log, &line);
    let tail = |n| Selection { tail: Some(n), prefix: LinePrefix::Timestamp, ..ALL };
    assert_eq!(read(&log, tail(0)).await.len(), 0);
    assert_eq!(read(&log, tail(1)).await.len(), 31 + 2);
    assert_eq!(read(&log, tail(2)).await.len(), 31 + 16_386);
    assert_eq!(read(&log, tail(3)).await.len(), 31 + 16_386 + 31 + 6);
    assert_eq!(read(&log, tail(99)).await.len(), 31 + 16_386 + 31 + 6);
}

#[tokio::test]
async fn the_tail_is_found_across_blocks() {
    let (_dir, log) = log(u64::MAX);
    let lines: Vec<String> = (0..20_000).map(|i| format!("{i}\n")).collect();
    write(&log, lines.concat().as_bytes());
    for wanted in [1, 700, 5_000, 19_999, 20_000] {
        let tail = u64::try_from(wanted).ok();
        assert_eq!(text(read(&log, Selection { tail, ..ALL }).await), lines[20_000 - wanted..].concat());
    }
}

#[tokio::test]
async fn the_limit_counts_prefixes_and_cuts_mid_line() {
    let (_dir, log) = log(u64::MAX);
    write(&log, b"hello\nworld\n");
    let limited = Selection { limit: Some(33), prefix: LinePrefix::Timestamp, ..ALL };
    assert!(text(read(&log, limited).await).ends_with("Z he"));
    let limited = Selection { limit: Some(8), follow: Follow::Yes, ..ALL };
    assert_eq!(text(read(&log, limited).await), "hello\nwo");
}

#[tokio::test]
async fn since_leaves_out_older_records() {
    let (_dir, log) = log(u64::MAX);
    write(&log, b"now\n");
    let second = Timestamp::now().as_second();
    let since = |s| Selection { since: Some(second_text(s)), ..ALL };
    assert_eq!(text(read(&log, since(second - 1)).await), "now\n");
    assert_eq!(text(read(&log, since(second + 2)).await), "");
}

#[tokio::test]
async fn a_follow_gets_lines_as_they_come_and_ends_with_the_container() {
    let (_dir, log) = log(u64::MAX);
    let mut reader = Reader::open(Arc::clone(&log), Selection { follow: Follow::Yes, ..ALL }).unwrap();
    for _ in 0..3 {
        write(&log, b"line\n");
        assert_eq!(reader.next().await.unwrap(), Some(Bytes::from("line\n")));
    }
    write(&log, b"last\n");
    log.end();
    assert_eq!(reader.next().await.unwrap(), Some(Bytes::from("last\n")));
    assert_eq!(reader.next().await.unwrap(), None);
}

#[tokio::test]
async fn rotation_empties_what_can_be_read_and_keeps_followers() {
    let (dir, log) = log(10);
    let mut reader = Reader::open(Arc::clone(&log), Selection { follow: Follow::Yes, ..ALL }).unwrap();
    let mut seen = Vec::new();
    for i in 0..5 {
        write(&log, format!("{i}\n").as_bytes());
        seen.extend_from_slice(&reader.next().await.unwrap().unwrap());
        log.rotate_if_due();
    }
    assert_eq!(text(seen), "0\n1\n2\n3\n4\n");
    assert_eq!(text(read(&log, ALL).await), "");
    assert_eq!(std::fs::read_dir(dir.path().join("main")).unwrap().count(), 3);
    log.end();
    assert_eq!(reader.next().await.unwrap(), None);
}

#[tokio::test]
async fn a_follower_that_is_too_slow_loses_whole_files() {
    let (_dir, log) = log(10);
    let mut reader = Reader::open(Arc::clone(&log), Selection { follow: Follow::Yes, ..ALL }).unwrap();
    for line in ["first\n", "second\n", "third\n"] {
        write(&log, line.as_bytes());
        if line != "third\n" {
            log.rotate_if_due();
        }
    }
    log.end();
    let mut seen = Vec::new();
    while let Some(piece) = reader.next().await.unwrap() {
        seen.extend_from_slice(&piece);
    }
    assert_eq!(text(seen), "first\nthird\n");
}

#[tokio::test]
async fn a_burst_passes_through_a_pipe_whole() {
    let (_dir, log) = log(u64::MAX);
    let lines: String = (0..200_000).map(|i| format!("{i}\n")).collect();
    pump(lines.as_bytes(), Stream::Stderr, Arc::clone(&log)).await;
    assert!(text(read(&log, ALL).await) == lines);
}
