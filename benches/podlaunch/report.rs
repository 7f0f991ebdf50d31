//! Rows → a table for people, JSON for programs.

use std::fmt;
use std::path::PathBuf;

use anyhow::Context;
use serde::Serialize;
use serde_json::Value;

use crate::bench::Bench;
use crate::process;
use crate::settings::{RowName, Settings};

/// One line of the table.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// Whose figures: `podlaunch`, `raw`, or what they make together.
    pub name: String,
    /// One for each column.
    pub figures: Vec<f64>,
}

/// Whether the goal was reached.
#[derive(Debug, Clone, Serialize)]
pub struct Goal {
    /// What is to hold, with the figure measured.
    pub statement: String,
    /// Whether it does.
    pub met: bool,
}

/// A row of the report.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Which.
    pub row: RowName,
    /// What was measured, its unit, how often.
    pub title: String,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// The figures.
    pub lines: Vec<Line>,
    /// The goal.
    pub goal: Goal,
    /// Every single number.
    pub numbers: Value,
}

/// All of a run.
#[derive(Debug, Serialize)]
pub struct Report {
    version: &'static str,
    backend: &'static str,
    instance: String,
    cpus: usize,
    settings: Settings,
    rows: Vec<Row>,
}

impl Report {
    /// Of these rows.
    pub fn new(bench: &Bench, settings: &Settings, rows: Vec<Row>) -> Report {
        Report {
            version: env!("CARGO_PKG_VERSION"),
            backend: bench.backend(),
            instance: bench.name.clone(),
            cpus: std::thread::available_parallelism().map_or(0, usize::from),
            settings: settings.clone(),
            rows,
        }
    }

    /// Writes the JSON; answers where.
    pub fn write(&self) -> anyhow::Result<PathBuf> {
        let path = process::folder()?.join("podlaunch.json");
        std::fs::write(&path, serde_json::to_vec_pretty(self)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(path)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "podlaunch {} beside a raw client, {} cluster, {} CPUs", self.version, self.backend, self.cpus)?;
        for row in &self.rows {
            writeln!(f, "\n{}", row.title)?;
            write!(f, "  {:<24}", "")?;
            row.columns.iter().try_for_each(|column| write!(f, "{column:>10}"))?;
            writeln!(f)?;
            for line in &row.lines {
                write!(f, "  {:<24}", line.name)?;
                line.figures.iter().try_for_each(|figure| write!(f, "{figure:>10.2}"))?;
                writeln!(f)?;
            }
        }
        writeln!(f)?;
        for row in &self.rows {
            let verdict = if row.goal.met { "goal met" } else { "goal not met" };
            writeln!(f, "{verdict}: {}: {}", row.row.as_str(), row.goal.statement)?;
        }
        Ok(())
    }
}

/// The two sides' quantiles of a latency and their difference.
pub fn latency_lines(podlaunch: &crate::stats::Quantiles, raw: &crate::stats::Quantiles) -> (Vec<String>, Vec<Line>) {
    let line = |name: &str, figures: [f64; 3]| Line { name: name.to_owned(), figures: figures.to_vec() };
    let (p, r) = (podlaunch, raw);
    let lines = vec![
        line("podlaunch", [p.p50, p.p90, p.p99]),
        line("raw", [r.p50, r.p90, r.p99]),
        line("difference", [p.p50 - r.p50, p.p90 - r.p90, p.p99 - r.p99]),
    ];
    (["p50", "p90", "p99"].map(str::to_owned).to_vec(), lines)
}

/// A goal of a latency: at the median at most `allowed` ms above the raw client.
pub fn latency_goal(podlaunch: &crate::stats::Quantiles, raw: &crate::stats::Quantiles, allowed: f64) -> Goal {
    let difference = podlaunch.p50 - raw.p50;
    Goal {
        statement: format!("p50 {difference:+.2} ms against raw, at most {allowed:+.0} ms"),
        met: difference <= allowed,
    }
}
