//! Row `lines`: from the moment the node stored a line to its arrival.
//!
//! ```text
//! container, 20 lines/s ─▶ node (stamps each line) ─┬▶ podlaunch ─▶ LogChunk at the client
//!                                                   └▶ raw follow with timestamps
//! ```
//!
//! Both read the same container at the same time, and a line counts only if it was written after both had begun to
//! read. The stamp is the node's clock, the arrival this machine's: absolute figures mean something only where that
//! is one machine, the difference always does.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use podlaunch::proto::v1;
use podlaunch::proto::v1::event::Body;

use crate::bench::Bench;
use crate::client::{Task, check_success};
use crate::report::{Row, latency_goal, latency_lines};
use crate::settings::{RowName, Settings};
use crate::stats::Quantiles;
use crate::watch::PodWatch;
use crate::workload::{TICKS, Workload};

/// Milliseconds the median may be above the raw client's.
const ALLOWED: f64 = 2.0;

/// Nanoseconds since 1970: when it was stored, when it arrived.
#[derive(Debug, Clone, Copy)]
struct Line {
    stamp: i128,
    arrival: i128,
}

/// By the text of the line.
type Lines = BTreeMap<Bytes, Line>;

/// One line, both ways, milliseconds.
#[derive(Debug, Clone, Copy, Serialize)]
struct Sample {
    podlaunch: f64,
    raw: f64,
}

/// Measures.
pub async fn run(bench: &Bench, settings: &Settings) -> anyhow::Result<Row> {
    let watch = PodWatch::start(&bench.raw, "").await?;
    let mut samples = Vec::new();
    for index in 0..settings.follows {
        let request = Workload::ticking().request(&bench.name, &format!("lines/{index}"));
        let task = bench.podlaunch(0).launch(request).await?;
        let pod = task.pod.clone();
        let (ours, raw) = tokio::try_join!(read_task(task), read_raw(bench, &watch, &pod))?;
        samples.extend(pair(&ours, &raw)?);
    }
    let podlaunch = Quantiles::of(&samples.iter().map(|sample| sample.podlaunch).collect::<Vec<_>>())?;
    let raw = Quantiles::of(&samples.iter().map(|sample| sample.raw).collect::<Vec<_>>())?;
    let (columns, lines) = latency_lines(&podlaunch, &raw);
    Ok(Row {
        row: RowName::Lines,
        title: format!("line stored by the node → at the client, 20 lines/s, ms (n = {})", podlaunch.n),
        columns,
        lines,
        goal: latency_goal(&podlaunch, &raw, ALLOWED),
        numbers: json!({"lines": samples}),
    })
}

/// Lines both saw that were stored after both had begun.
fn pair(ours: &Lines, raw: &Lines) -> anyhow::Result<Vec<Sample>> {
    let first = |lines: &Lines| lines.values().map(|line| line.arrival).min().context("no line arrived");
    let begun = first(ours)?.max(first(raw)?);
    let mut samples = Vec::new();
    for (text, raw) in raw {
        let our = ours.get(text).with_context(|| format!("podlaunch did not deliver {text:?}"))?;
        anyhow::ensure!(our.stamp == raw.stamp, "{text:?} is stamped {} and {}", our.stamp, raw.stamp);
        if raw.stamp > begun {
            samples.push(Sample { podlaunch: latency(our), raw: latency(raw) });
        }
    }
    Ok(samples)
}

fn latency(line: &Line) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "a difference of a few milliseconds")]
    let nanoseconds = (line.arrival - line.stamp) as f64;
    nanoseconds / 1e6
}

async fn read_task(mut task: Task) -> anyhow::Result<Lines> {
    let mut lines = Lines::new();
    loop {
        let arrived = task.next().await?;
        match arrived.body {
            Body::LogChunk(chunk) => take_chunk(&chunk, nanoseconds(arrived.time)?, &mut lines)?,
            Body::Termination(termination) => {
                check_success(&termination, TICKS)?;
                return Ok(lines);
            }
            _ => {}
        }
    }
}

/// The lines here are short: each is whole within its chunk.
fn take_chunk(chunk: &v1::LogChunk, arrival: i128, lines: &mut Lines) -> anyhow::Result<()> {
    let first = chunk.first_time.as_ref().context("a chunk without first_time")?;
    let first = i128::from(first.seconds) * 1_000_000_000 + i128::from(first.nanos);
    let deltas = chunk.time_deltas.iter().map(|delta| i128::from(*delta));
    let mut from = 0;
    for (end, delta) in chunk.line_ends.iter().zip(std::iter::once(0).chain(deltas)) {
        let end = usize::try_from(*end)?;
        anyhow::ensure!(from < end && end <= chunk.data.len(), "line_ends do not fit the data");
        let text = chunk.data.slice(from..end);
        from = end;
        lines.insert(text, Line { stamp: first + delta, arrival });
    }
    Ok(())
}

async fn read_raw(bench: &Bench, watch: &PodWatch, pod: &str) -> anyhow::Result<Lines> {
    watch.started(pod).await?;
    let mut body = bench.raw_logs.follow(pod).await?;
    let mut lines = Lines::new();
    let mut rest = BytesMut::new();
    while let Some(chunk) = body.next().await {
        let chunk = chunk?;
        let arrival = nanoseconds(SystemTime::now())?;
        rest.extend_from_slice(&chunk);
        while let Some(end) = memchr::memchr(b'\n', &rest) {
            let mut line = rest.split_to(end + 1).freeze();
            let space = memchr::memchr(b' ', &line).context("a line without timestamp")?;
            let stamp: Timestamp = std::str::from_utf8(&line[..space])?.parse()?;
            lines.insert(line.split_off(space + 1), Line { stamp: stamp.as_nanosecond(), arrival });
        }
    }
    Ok(lines)
}

fn nanoseconds(time: SystemTime) -> anyhow::Result<i128> {
    Ok(i128::try_from(time.duration_since(UNIX_EPOCH)?.as_nanos())?)
}
