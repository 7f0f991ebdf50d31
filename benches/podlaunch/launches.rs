//! Row `launches`: pods made a second, 32 at once.
//!
//! ```text
//! raw block:       POST, answer read               (beside it: one raw watch of these pods)
//! podlaunch block: LaunchTask until Accepted, the stream then read on   (beside it: podlaunch's own watches)
//! ```
//!
//! Pods that go to no node, so that only the API and podlaunch are measured. Within a block the two sides take turns,
//! a slice of pods each, so that whatever else the machine does falls on both; after it all pods are deleted.

use std::ops::Range;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use serde_json::json;
use tokio::task::JoinSet;

use crate::bench::Bench;
use crate::client::Task;
use crate::report::{Goal, Line, Row};
use crate::settings::{RowName, Settings};
use crate::stats::{Quantiles, millis};
use crate::watch::PodWatch;
use crate::workload::{RAW_SELECTOR, Workload};

const CONCURRENCY: usize = 32;
/// The least ratio of launches to raw creates.
const WANTED: f64 = 0.95;
/// Pods of a side's turn.
const SLICE: usize = 100;
/// Pods a side of the block before the first that counts.
const WARM_UP: usize = 40;
/// Rest after a block: the cluster, and the server that sees its tasks' pods gone, finish what the block left them.
const REST: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Podlaunch,
    Raw,
}

/// One side of a block.
#[derive(Debug, Clone, Serialize)]
struct Block {
    /// Pods a second.
    rate: f64,
    /// Milliseconds of each create or launch.
    each: Vec<f64>,
}

/// What one side has made so far in a block.
#[derive(Debug, Default)]
struct Made {
    took: Duration,
    each: Vec<f64>,
    pods: Vec<String>,
}

impl Made {
    fn add(&mut self, took: Duration, slice: Vec<(f64, String)>) {
        self.took += took;
        for (each, pod) in slice {
            self.each.push(each);
            self.pods.push(pod);
        }
    }

    fn block(self) -> Block {
        #[allow(clippy::cast_precision_loss, reason = "a count of pods")]
        let rate = self.pods.len() as f64 / self.took.as_secs_f64();
        Block { rate, each: self.each }
    }
}

/// Measures.
pub async fn run(bench: &Bench, settings: &Settings) -> anyhow::Result<Row> {
    let watch = PodWatch::start(&bench.raw, RAW_SELECTOR).await?;
    block(bench, &watch, 0, WARM_UP).await?;
    let (mut ours, mut raws) = (Vec::new(), Vec::new());
    for index in 1..=settings.blocks {
        let (our, raw) = block(bench, &watch, index, settings.launches).await?;
        ours.push(our);
        raws.push(raw);
    }
    row(settings, &ours, &raws)
}

fn row(settings: &Settings, ours: &[Block], raws: &[Block]) -> anyhow::Result<Row> {
    let median = |blocks: &[Block]| Quantiles::of(&blocks.iter().map(|block| block.rate).collect::<Vec<_>>());
    let each = |blocks: &[Block]| Quantiles::of(&blocks.iter().flat_map(|b| b.each.clone()).collect::<Vec<_>>());
    let (our, raw) = (median(ours)?.p50, median(raws)?.p50);
    let line = |name: &str, blocks: &[Block], rate: f64| {
        let latency = each(blocks)?;
        let mut figures = vec![rate, latency.p50, latency.p99];
        figures.extend(blocks.iter().map(|block| block.rate));
        anyhow::Ok(Line { name: name.to_owned(), figures })
    };
    let lines = vec![line("podlaunch", ours, our)?, line("raw", raws, raw)?];
    let ratios = lines[0].figures.iter().zip(&lines[1].figures).map(|(our, raw)| our / raw);
    let ratios = Line { name: "ratio".to_owned(), figures: ratios.collect() };
    let mut columns = vec!["per s".to_owned(), "p50 ms".to_owned(), "p99 ms".to_owned()];
    columns.extend((1..=ours.len()).map(|index| format!("block {index}")));
    Ok(Row {
        row: RowName::Launches,
        title: format!(
            "launches a second, {CONCURRENCY} at once, medians of {} blocks of {} pods a side",
            settings.blocks, settings.launches
        ),
        columns,
        lines: lines.into_iter().chain([ratios]).collect(),
        goal: Goal {
            statement: format!("{:.3} of the raw rate, at least {WANTED}", our / raw),
            met: our / raw >= WANTED,
        },
        numbers: json!({"podlaunch": ours, "raw": raws}),
    })
}

/// Makes the pods, slice by slice in turn, then removes them. Podlaunch's part first, then the raw client's.
async fn block(bench: &Bench, watch: &PodWatch, index: usize, count: usize) -> anyhow::Result<(Block, Block)> {
    let (mut ours, mut raw) = (Made::default(), Made::default());
    // Read the streams on.
    let mut readers = JoinSet::new();
    for (turn, from) in (0..count).step_by(SLICE).enumerate() {
        let slice = from..count.min(from + SLICE);
        let mut sides = [Side::Raw, Side::Podlaunch];
        // Raw, podlaunch, podlaunch, raw …: what drifts is shared.
        sides.rotate_left((index + turn) % 2);
        for side in sides {
            match side {
                Side::Raw => create(bench, index, slice.clone(), &mut raw).await?,
                Side::Podlaunch => launch(bench, index, slice.clone(), &mut ours, &mut readers).await?,
            }
        }
    }
    watch.seen(&raw.pods).await?;
    // The streams end with their readers.
    readers.shutdown().await;
    stream::iter(ours.pods.iter().chain(&raw.pods))
        .map(Ok::<_, anyhow::Error>)
        .try_for_each_concurrent(CONCURRENCY, |pod| bench.raw.delete(pod))
        .await?;
    tokio::time::sleep(REST).await;
    Ok((ours.block(), raw.block()))
}

async fn create(bench: &Bench, block: usize, slice: Range<usize>, made: &mut Made) -> anyhow::Result<()> {
    let workload = Workload::unschedulable();
    let start = Instant::now();
    let pods = stream::iter(slice)
        .map(|index| {
            let name = format!("launches-{block}-raw-{index}");
            let pod = workload.pod(&name);
            async move {
                let start = Instant::now();
                bench.raw.create(&pod).await?;
                anyhow::Ok((millis(start.elapsed()), name))
            }
        })
        .buffer_unordered(CONCURRENCY)
        .try_collect()
        .await?;
    made.add(start.elapsed(), pods);
    Ok(())
}

async fn launch(
    bench: &Bench,
    block: usize,
    slice: Range<usize>,
    made: &mut Made,
    readers: &mut JoinSet<()>,
) -> anyhow::Result<()> {
    let workload = Workload::unschedulable();
    let start = Instant::now();
    let mut launches = stream::iter(slice)
        .map(|index| {
            let request = workload.request(&bench.name, &format!("launches/{block}/{index}"));
            let client = bench.podlaunch(index);
            async move {
                let start = Instant::now();
                let task = client.launch(request).await?;
                anyhow::Ok((millis(start.elapsed()), task))
            }
        })
        .buffer_unordered(CONCURRENCY);
    let mut pods = Vec::new();
    while let Some((took, task)) = launches.try_next().await? {
        pods.push((took, task.pod.clone()));
        readers.spawn(read_on(task));
    }
    made.add(start.elapsed(), pods);
    Ok(())
}

async fn read_on(mut task: Task) {
    // Ends with the stream; what it says is of no interest here.
    while task.next().await.is_ok() {}
}
