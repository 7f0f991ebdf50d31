//! podlaunch beside a raw client of the Kubernetes API, in the same run, interleaved, on the same cluster.
//!
//! ```text
//! cargo bench --bench podlaunch [-- ROW…]          ROW: termination, followed, launches, lines (default: all)
//!
//! cluster (given, or `podlaunch local`) ◀── podlaunch serve ◀── gRPC over a Unix socket ◀─┐
//!          ▲                                                                               ├─ this process
//!          └──────────── raw client (HTTP/2), raw watch of the namespace ◀─────────────────┘
//! ```
//!
//! Each row states a goal relative to the raw client; the exit code does not depend on it, as the figures are a
//! report and not a test. What fails is a run that could not measure: a task that did not succeed, a line that did not
//! arrive. Only differences and ratios mean something: both sides share the machine with the cluster.
//!
//! Environment:
//! - `PODLAUNCH_BENCH_KUBECONFIG`: the cluster; unset or empty: an embedded one, started for the run
//! - `PODLAUNCH_BENCH_LOG_MAX_SIZE`: the kubelet's containerLogMaxSize there (default 10Mi)
//! - `PODLAUNCH_BENCH_TASKS` (40), `PODLAUNCH_BENCH_LAUNCHES` (300), `PODLAUNCH_BENCH_BLOCKS` (5),
//!   `PODLAUNCH_BENCH_FOLLOWS` (3): how many. Three minutes or so in all, less on the embedded cluster
//!
//! Result: a table on stdout, every single number in `target/bench/podlaunch.json`. Makes a namespace of its own and
//! deletes it at the end.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a report for whoever runs it")]

#[path = "podlaunch/backend.rs"]
mod backend;
#[path = "podlaunch/bench.rs"]
mod bench;
#[path = "podlaunch/client.rs"]
mod client;
#[path = "podlaunch/launches.rs"]
mod launches;
#[path = "podlaunch/lines.rs"]
mod lines;
#[path = "podlaunch/process.rs"]
mod process;
#[path = "podlaunch/raw.rs"]
mod raw;
#[path = "podlaunch/report.rs"]
mod report;
#[path = "podlaunch/settings.rs"]
mod settings;
#[path = "podlaunch/stats.rs"]
mod stats;
#[path = "podlaunch/termination.rs"]
mod termination;
#[path = "podlaunch/watch.rs"]
mod watch;
#[path = "podlaunch/workload.rs"]
mod workload;

use std::process::ExitCode;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use bench::Bench;
use report::{Report, Row};
use settings::{RowName, Settings};
use termination::Kind;

fn main() -> ExitCode {
    let settings = match Settings::from_process() {
        Ok(Some(settings)) => settings,
        // `cargo test --all-targets` runs it too, and wants no figures.
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => return failed(&error),
    };
    // The first provider installed is the process's; a second call would only say so.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.into()),
    };
    match runtime.block_on(run(&settings)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("bench: {error:#}");
    ExitCode::FAILURE
}

/// Whatever happens in between, namespace and processes are cleaned up.
async fn run(settings: &Settings) -> anyhow::Result<()> {
    let bench = Bench::start(settings).await?;
    let measured = tokio::select! {
        rows = measure(&bench, settings) => rows,
        interrupted = interrupted() => Err(interrupted),
    };
    let report = measured.map(|rows| Report::new(&bench, settings, rows));
    let logs = bench.logs();
    bench.stop().await;
    let report = report.with_context(|| format!("see {logs}"))?;
    print!("{report}");
    let path = report.write()?;
    println!("\nall numbers: {}", path.display());
    Ok(())
}

async fn measure(bench: &Bench, settings: &Settings) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for name in &settings.rows {
        eprintln!("bench: {} …", name.as_str());
        let row = match name {
            RowName::Termination => termination::run(bench, settings, Kind::Burst).await,
            RowName::Followed => termination::run(bench, settings, Kind::Followed).await,
            RowName::Launches => launches::run(bench, settings).await,
            RowName::Lines => lines::run(bench, settings).await,
        };
        rows.push(row.with_context(|| format!("row {}", name.as_str()))?);
    }
    Ok(rows)
}

async fn interrupted() -> anyhow::Error {
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => return error.into(),
    };
    tokio::select! {
        _ = terminate.recv() => anyhow::anyhow!("SIGTERM"),
        _ = tokio::signal::ctrl_c() => anyhow::anyhow!("interrupted"),
    }
}
