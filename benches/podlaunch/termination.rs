//! Row `termination`: from the raw watch event that shows the container's end to the Termination at the client.
//!
//! ```text
//! podlaunch: task ends ─▶ raw watch event (0) … Termination arrives, all 200 lines delivered
//! raw:       pod ends  ─▶ raw watch event (0) ─┬▶ GET tailLines=1   ─┬▶ both answered
//!                                              └▶ PATCH under a test ┘
//! ```
//!
//! One at a time, in turn, each pair in the other order than the one before.

use std::time::Instant;

use serde::Serialize;
use serde_json::json;

use podlaunch::proto::v1::event::Body;

use crate::bench::Bench;
use crate::client::check_success;
use crate::raw::Patched;
use crate::report::{Row, latency_goal, latency_lines};
use crate::settings::{RowName, Settings};
use crate::stats::{Quantiles, millis};
use crate::watch::PodWatch;
use crate::workload::{SHORT_LINES, Workload};

/// Milliseconds the median may be above the raw client's.
const ALLOWED: f64 = 3.0;
/// Pairs before the first that counts: connections and caches.
const WARM_UP: usize = 2;
/// Bytes of an outcome as podlaunch stores it, about.
const OUTCOME_SIZE: usize = 1024;

/// Milliseconds after the raw watch's event.
#[derive(Debug, Clone, Serialize)]
struct Sample {
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
    /// Patches whose test failed, each repeated after a GET.
    repeated: usize,
}

/// Measures.
pub async fn run(bench: &Bench, settings: &Settings) -> anyhow::Result<Row> {
    let watch = PodWatch::start(&bench.raw, "").await?;
    let mut ours = Vec::new();
    let mut raws = Vec::new();
    for index in 0..WARM_UP + settings.tasks {
        let (our, raw) = if index % 2 == 0 {
            let our = task(bench, &watch, index).await?;
            (our, pod(bench, &watch, index).await?)
        } else {
            let raw = pod(bench, &watch, index).await?;
            (task(bench, &watch, index).await?, raw)
        };
        if index >= WARM_UP {
            ours.push(our);
            raws.push(raw);
        }
    }
    let podlaunch = Quantiles::of(&ours.iter().map(|sample| sample.termination).collect::<Vec<_>>())?;
    let raw = Quantiles::of(&raws.iter().map(|sample| sample.done).collect::<Vec<_>>())?;
    let (columns, lines) = latency_lines(&podlaunch, &raw);
    Ok(Row {
        row: RowName::Termination,
        title: format!("container's end on a raw watch → Termination at the client, ms (n = {})", podlaunch.n),
        columns,
        lines,
        goal: latency_goal(&podlaunch, &raw, ALLOWED),
        numbers: json!({"podlaunch": ours, "raw": raws}),
    })
}

async fn task(bench: &Bench, watch: &PodWatch, index: usize) -> anyhow::Result<Sample> {
    let request = Workload::short().request(&bench.name, &format!("termination/{index}"));
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
    check_success(&termination, SHORT_LINES)?;
    let ended = watch.ended(&task.pod).await?.at;
    Ok(Sample {
        container_change: change.map(|at| signed(ended, at)),
        log_end: end.map(|at| signed(ended, at)),
        termination: signed(ended, at),
    })
}

async fn pod(bench: &Bench, watch: &PodWatch, index: usize) -> anyhow::Result<RawSample> {
    let name = format!("termination-{index}");
    let value = "o".repeat(OUTCOME_SIZE);
    bench.raw.create(&Workload::short().pod(&name)).await?;
    let ended = watch.ended(&name).await?;
    let (line, repeated) =
        tokio::try_join!(bench.raw.last_line(&name), annotate(bench, &name, ended.version.clone(), &value))?;
    let done = millis(ended.at.elapsed());
    let expected = format!(" line {SHORT_LINES}\n");
    anyhow::ensure!(line.ends_with(expected.as_bytes()), "the last line of {name} is {line:?}");
    Ok(RawSample { done, repeated })
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
