//! Rows `termination` and `followed`: from the raw watch event that shows the container's end to the Termination at the
//! client.
//!
//! ```text
//! podlaunch: task ends ─▶ raw watch event (0) … Termination arrives, all 200 lines delivered
//! raw:       pod ends  ─▶ raw watch event (0) ─┬▶ GET tailLines=1   ─┬▶ both answered
//!                                              └▶ PATCH under a test ┘
//! ```
//!
//! One at a time, in turn, each pair in the other order than the one before.
//!
//! `termination`: the task has ended before a node says that it runs, so all of its log is read after its end; the raw
//! client reads the last line only. `followed`: the log is being followed, and its end is left.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json;

use podlaunch::proto::v1::event::Body;

use crate::bench::Bench;
use crate::client::check_success;
use crate::raw::Patched;
use crate::report::{Line, Row, latency_goal, latency_lines};
use crate::settings::{RowName, Settings};
use crate::stats::{Quantiles, millis};
use crate::watch::PodWatch;
use crate::workload::{SHORT_LINES, Workload};

/// Milliseconds the median may be above the raw client's.
const ALLOWED: f64 = 3.0;
/// Pairs before the first that counts: connections and caches.
const WARM_UP: usize = 2;
/// After this long no further pair is begun, once there are [`LEAST`].
const LIMIT: Duration = Duration::from_secs(60);
const LEAST: usize = 10;
/// Bytes of an outcome as podlaunch stores it, about.
const OUTCOME_SIZE: usize = 1024;

/// What kind of task ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One that is too short to be followed.
    Burst,
    /// One that is followed.
    Followed,
}

impl Kind {
    fn workload(self) -> Workload {
        match self {
            Kind::Burst => Workload::burst(),
            Kind::Followed => Workload::lingering(),
        }
    }

    fn row(self) -> RowName {
        match self {
            Kind::Burst => RowName::Termination,
            Kind::Followed => RowName::Followed,
        }
    }

    /// Of the tasks and pods.
    fn name(self) -> &'static str {
        self.row().as_str()
    }
}

/// Milliseconds after the raw watch's event.
#[derive(Debug, Clone, Serialize)]
struct Sample {
    /// When the log was first read, relative to the container's life.
    first_read: &'static str,
    /// When the client saw the container's end; negative: before the raw watch did.
    container_change: Option<f64>,
    /// When the last line had been sent.
    log_end: Option<f64>,
    /// When the Termination came.
    termination: f64,
}

#[derive(Debug, Clone, Serialize)]
struct RawSample {
    done: f64,
    /// A read of the whole log by itself, for comparison: what a log that was not followed costs at least.
    whole_log: f64,
    /// Patches whose test failed, each repeated after a GET.
    repeated: usize,
}

/// Measures.
pub async fn run(bench: &Bench, settings: &Settings, kind: Kind) -> anyhow::Result<Row> {
    let watch = PodWatch::start(&bench.raw, "").await?;
    let mut ours = Vec::new();
    let mut raws = Vec::new();
    let begun = Instant::now();
    for index in 0..WARM_UP + settings.tasks {
        if ours.len() >= LEAST && begun.elapsed() > LIMIT {
            break;
        }
        let (our, raw) = if index % 2 == 0 {
            let our = task(bench, &watch, kind, index).await?;
            (our, pod(bench, &watch, kind, index).await?)
        } else {
            let raw = pod(bench, &watch, kind, index).await?;
            (task(bench, &watch, kind, index).await?, raw)
        };
        if index >= WARM_UP {
            ours.push(our);
            raws.push(raw);
        }
    }
    let podlaunch = Quantiles::of(&ours.iter().map(|sample| sample.termination).collect::<Vec<_>>())?;
    let raw = Quantiles::of(&raws.iter().map(|sample| sample.done).collect::<Vec<_>>())?;
    let n = podlaunch.n;
    let whole = Quantiles::of(&raws.iter().map(|sample| sample.whole_log).collect::<Vec<_>>())?;
    let (columns, mut lines) = latency_lines(&podlaunch, &raw);
    lines.push(Line { name: "(raw read of all lines)".to_owned(), figures: vec![whole.p50, whole.p90, whole.p99] });
    Ok(Row {
        row: kind.row(),
        title: format!("{}: container's end on a raw watch → Termination at the client, ms (n = {n})", kind.name()),
        columns,
        lines,
        goal: latency_goal(&podlaunch, &raw, ALLOWED),
        numbers: json!({"podlaunch": ours, "raw": raws}),
    })
}

async fn task(bench: &Bench, watch: &PodWatch, kind: Kind, index: usize) -> anyhow::Result<Sample> {
    let request = kind.workload().request(&bench.name, &format!("{}/{index}", kind.name()));
    let mut task = bench.podlaunch(0).launch(request).await?;
    let (mut change, mut end) = (None, None);
    let (at, termination) = loop {
        let arrived = task.next().await?;
        match arrived.body {
            Body::ContainerChange(_) => change = Some(arrived.at),
            Body::LogEnd(_) => end = Some(arrived.at),
            Body::Termination(termination) => break (arrived.at, termination),
            _ => {}
        }
    };
    let first_read = check_success(&termination, SHORT_LINES)?.as_str_name();
    let ended = watch.ended(&task.pod).await?.at;
    Ok(Sample {
        first_read,
        container_change: change.map(|at| signed(ended, at)),
        log_end: end.map(|at| signed(ended, at)),
        termination: signed(ended, at),
    })
}

async fn pod(bench: &Bench, watch: &PodWatch, kind: Kind, index: usize) -> anyhow::Result<RawSample> {
    let name = format!("{}-{index}", kind.name());
    let value = "o".repeat(OUTCOME_SIZE);
    bench.raw.create(&kind.workload().pod(&name)).await?;
    let ended = watch.ended(&name).await?;
    let (line, repeated) =
        tokio::try_join!(bench.raw.last_line(&name), annotate(bench, &name, ended.version.clone(), &value))?;
    let done = millis(ended.at.elapsed());
    let expected = format!(" line {SHORT_LINES}\n");
    anyhow::ensure!(line.ends_with(expected.as_bytes()), "the last line of {name} is {line:?}");
    let start = Instant::now();
    bench.raw.whole_log(&name).await?;
    Ok(RawSample { done, whole_log: millis(start.elapsed()), repeated })
}

async fn annotate(bench: &Bench, name: &str, mut version: String, value: &str) -> anyhow::Result<usize> {
    let mut repeated = 0;
    while bench.raw.annotate(name, &version, value).await? == Patched::TestFailed {
        repeated += 1;
        version = bench.raw.version(name).await?;
    }
    Ok(repeated)
}

fn signed(from: Instant, to: Instant) -> f64 {
    match to.checked_duration_since(from) {
        Some(after) => millis(after),
        None => -millis(from.duration_since(to)),
    }
}
