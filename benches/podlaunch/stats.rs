//! Quantiles of samples.

use serde::Serialize;

/// Quantiles by nearest rank: each is a value that was measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quantiles {
    /// How many samples.
    pub n: usize,
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 99th percentile.
    pub p99: f64,
}

impl Quantiles {
    /// Of at least one sample.
    pub fn of(samples: &[f64]) -> anyhow::Result<Quantiles> {
        anyhow::ensure!(!samples.is_empty(), "nothing was measured");
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        Ok(Quantiles { n: sorted.len(), p50: at(&sorted, 50), p90: at(&sorted, 90), p99: at(&sorted, 99) })
    }
}

/// The smallest sample that at least `percent` of all are not above.
fn at(sorted: &[f64], percent: usize) -> f64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted[rank - 1]
}

/// Milliseconds of a duration.
pub fn millis(duration: std::time::Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
