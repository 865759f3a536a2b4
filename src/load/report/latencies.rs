//! How latencies are summed up: percentiles, and how many took how long.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use crate::load::buckets::Buckets;
use crate::load::numbers::approximate;

/// Latencies in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Latencies {
    /// Half were faster.
    pub p50: f64,
    /// Nine in ten were faster.
    pub p90: f64,
    /// All but one in a hundred were faster.
    pub p99: f64,
    /// All but one in a thousand were faster.
    pub p999: f64,
    /// The slowest.
    pub max: f64,
    /// The mean.
    pub mean: f64,
    /// How many were measured.
    pub count: u64,
}

impl Latencies {
    /// Reads them off a histogram of microseconds.
    #[must_use]
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let ms = |us: u64| approximate(us) / 1_000.0;
        let at = |quantile| ms(histogram.value_at_quantile(quantile));
        Self {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: ms(histogram.max()),
            mean: histogram.mean() / 1_000.0,
            count: histogram.len(),
        }
    }
}

/// How many took between one time and another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// At least so many milliseconds.
    pub from_ms: f64,
    /// Less than so many.
    pub to_ms: f64,
    /// How many.
    pub count: u64,
}

/// How many took how long, in quarters of an octave, without what is empty at both ends.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shares(pub Vec<Share>);

impl Shares {
    /// Reads them off buckets.
    #[must_use]
    pub fn of(buckets: &Buckets) -> Self {
        let ms = |us: u64| approximate(us) / 1_000.0;
        let share = |bar: crate::load::buckets::Bar| Share {
            from_ms: ms(bar.from_us),
            to_ms: ms(bar.to_us),
            count: bar.count,
        };
        Self(buckets.bars().into_iter().map(share).collect())
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().map(|share| share.count).sum()
    }
}
