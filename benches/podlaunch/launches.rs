//! Row `launches`: pods made a second, 32 at once.
//!
//! ```text
//! raw block:       POST, answer read               (beside it: one raw watch of these pods)
//! podlaunch block: LaunchTask until Accepted, the stream then read on   (beside it: podlaunch's own watches)
//! ```
//!
//! Pods that no node fits, so that only the API and podlaunch are measured. Blocks alternate; before the next one the
//! pods are deleted.

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
/// Pods of the block before the first that counts.
const WARM_UP: usize = 40;
/// Rest after a block: the cluster, and the server that sees its tasks' pods gone, finish what the block left them.
const REST: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Podlaunch,
    Raw,
}

/// One block.
#[derive(Debug, Clone, Serialize)]
struct Block {
    /// Pods a second.
    rate: f64,
    /// Milliseconds of each create or launch.
    each: Vec<f64>,
}

/// Measures.
pub async fn run(bench: &Bench, settings: &Settings) -> anyhow::Result<Row> {
    let watch = PodWatch::start(&bench.raw, RAW_SELECTOR).await?;
    for side in [Side::Raw, Side::Podlaunch] {
        block(bench, &watch, side, &format!("warm-{side:?}").to_lowercase(), WARM_UP).await?;
    }
    let (mut ours, mut raws) = (Vec::new(), Vec::new());
    for index in 0..settings.blocks {
        let mut sides = [Side::Raw, Side::Podlaunch];
        // Raw, podlaunch, podlaunch, raw …: what drifts is shared.
        sides.rotate_left(index % 2);
        for side in sides {
            let name = format!("launches-{index}-{side:?}").to_lowercase();
            let block = block(bench, &watch, side, &name, settings.launches).await?;
            match side {
                Side::Podlaunch => ours.push(block),
                Side::Raw => raws.push(block),
            }
        }
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

/// Makes the pods, then removes them.
async fn block(bench: &Bench, watch: &PodWatch, side: Side, name: &str, count: usize) -> anyhow::Result<Block> {
    let (block, pods) = match side {
        Side::Raw => {
            let made = create(bench, name, count).await?;
            watch.seen(&made.1).await?;
            made
        }
        Side::Podlaunch => launch(bench, name, count).await?,
    };
    stream::iter(&pods)
        .map(Ok::<_, anyhow::Error>)
        .try_for_each_concurrent(CONCURRENCY, |pod| bench.raw.delete(pod))
        .await?;
    tokio::time::sleep(REST).await;
    Ok(block)
}

async fn create(bench: &Bench, name: &str, count: usize) -> anyhow::Result<(Block, Vec<String>)> {
    let workload = Workload::unschedulable();
    let start = Instant::now();
    let made: Vec<(f64, String)> = stream::iter(0..count)
        .map(|index| {
            let name = format!("{name}-{index}");
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
    Ok(finish(start.elapsed(), made))
}

async fn launch(bench: &Bench, name: &str, count: usize) -> anyhow::Result<(Block, Vec<String>)> {
    let workload = Workload::unschedulable();
    // Reads the streams on; dropped, and with it the streams, before the pods are deleted.
    let mut readers = JoinSet::new();
    let start = Instant::now();
    let mut launches = stream::iter(0..count)
        .map(|index| {
            let request = workload.request(&bench.name, &format!("{name}/{index}"));
            let client = bench.podlaunch(index);
            async move {
                let start = Instant::now();
                let task = client.launch(request).await?;
                anyhow::Ok((millis(start.elapsed()), task))
            }
        })
        .buffer_unordered(CONCURRENCY);
    let mut made = Vec::with_capacity(count);
    while let Some((took, task)) = launches.try_next().await? {
        made.push((took, task.pod.clone()));
        readers.spawn(read_on(task));
    }
    Ok(finish(start.elapsed(), made))
}

async fn read_on(mut task: Task) {
    // Ends with the stream; what it says is of no interest here.
    while task.next().await.is_ok() {}
}

fn finish(took: Duration, made: Vec<(f64, String)>) -> (Block, Vec<String>) {
    let (each, pods): (Vec<f64>, Vec<String>) = made.into_iter().unzip();
    #[allow(clippy::cast_precision_loss, reason = "a count of pods")]
    let rate = pods.len() as f64 / took.as_secs_f64();
    (Block { rate, each }, pods)
}
