//! Command line and environment → what is run, how often, where.

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, bail};
use serde::Serialize;

/// One row of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RowName {
    /// Container ended → Termination, the whole log read after the end.
    Termination,
    /// The same of a task whose log was being followed.
    Followed,
    /// Launches a second.
    Launches,
    /// Line written → at the client.
    Lines,
}

impl RowName {
    const ALL: [RowName; 4] = [RowName::Termination, RowName::Followed, RowName::Launches, RowName::Lines];

    /// As on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            RowName::Termination => "termination",
            RowName::Followed => "followed",
            RowName::Launches => "launches",
            RowName::Lines => "lines",
        }
    }
}

/// What is run.
#[derive(Debug, Clone, Serialize)]
pub struct Settings {
    /// A real cluster; none: the embedded one.
    pub kubeconfig: Option<PathBuf>,
    /// `serve --container-log-max-size`.
    pub log_max_size: String,
    /// Tasks, and as many raw pods, of each of rows `termination` and `followed`; fewer where that takes too long.
    pub tasks: usize,
    /// Pods a side of each block of row `launches`.
    pub launches: usize,
    /// Blocks of row `launches`.
    pub blocks: usize,
    /// Tasks followed in row `lines`.
    pub follows: usize,
    /// Which rows.
    pub rows: Vec<RowName>,
}

impl Settings {
    /// `None` where it was not `cargo bench` that started this.
    pub fn from_process() -> anyhow::Result<Option<Settings>> {
        let mut rows = Vec::new();
        let mut asked = false;
        for argument in std::env::args().skip(1) {
            if argument == "--bench" {
                asked = true;
                continue;
            }
            let row = RowName::ALL.into_iter().find(|row| row.as_str() == argument);
            rows.push(
                row.with_context(|| format!("{argument:?} is no row: write termination, followed, launches or lines"))?,
            );
        }
        if !asked {
            return Ok(None);
        }
        if rows.is_empty() {
            rows.extend(RowName::ALL);
        }
        let kubeconfig = std::env::var_os("PODLAUNCH_BENCH_KUBECONFIG").filter(|path| !path.is_empty());
        Ok(Some(Settings {
            kubeconfig: kubeconfig.map(PathBuf::from),
            log_max_size: variable("PODLAUNCH_BENCH_LOG_MAX_SIZE", "10Mi".to_owned())?,
            tasks: count("PODLAUNCH_BENCH_TASKS", 40)?,
            launches: count("PODLAUNCH_BENCH_LAUNCHES", 300)?,
            blocks: count("PODLAUNCH_BENCH_BLOCKS", 5)?,
            follows: count("PODLAUNCH_BENCH_FOLLOWS", 3)?,
            rows,
        }))
    }
}

fn count(name: &str, default: usize) -> anyhow::Result<usize> {
    let count = variable(name, default)?;
    if count == 0 {
        bail!("{name}: at least 1");
    }
    Ok(count)
}

fn variable<T: FromStr>(name: &str, default: T) -> anyhow::Result<T> {
    match std::env::var(name) {
        Ok(text) if !text.is_empty() => match text.parse() {
            Ok(value) => Ok(value),
            Err(_) => bail!("{name}: {text:?} is not understood"),
        },
        _ => Ok(default),
    }
}
