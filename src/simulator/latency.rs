//! Latency of answers: fixed, uniform, lognormal or along percentiles, drawn for each attempt.

use super::draw::{Draw, Slot};

/// The longest latency that can be asked for, in milliseconds.
pub(super) const MS_MAX: f64 = 600_000.0;
/// The largest standard deviation of the logarithm of a latency that can be asked for.
pub(super) const SIGMA_MAX: f64 = 5.0;
/// The longest time of a lognormal law that does not say, in milliseconds.
pub(super) const LONGEST_MS: f64 = 30_000.0;

/// A latency law.
#[derive(Debug, Clone, PartialEq)]
pub struct Latency {
    law: Law,
    cap_us: f64,
}

#[derive(Debug, Clone, PartialEq)]
enum Law {
    Fixed { us: f64 },
    Uniform { shortest_us: f64, longest_us: f64 },
    LogNormal { median_us: f64, sigma: f64 },
    Percentiles(Vec<Percentile>),
}

/// A point of a law that is known by its percentiles: this share of all answers takes no longer than this.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Percentile {
    /// The share, 0 to 1.
    pub share: f64,
    /// The latency, in milliseconds.
    pub ms: f64,
}

impl Latency {
    /// No time at all.
    pub const NONE: Self = Self { law: Law::Fixed { us: 0.0 }, cap_us: 0.0 };

    /// The same for every answer.
    #[must_use]
    pub fn fixed(ms: f64) -> Self {
        let us = (ms * 1_000.0).max(0.0);
        Self { law: Law::Fixed { us }, cap_us: us }
    }

    /// Anything between two bounds, each as likely as any other.
    #[must_use]
    pub fn uniform(shortest_ms: f64, longest_ms: f64) -> Self {
        let (shortest_us, longest_us) = (shortest_ms * 1_000.0, longest_ms * 1_000.0);
        Self { law: Law::Uniform { shortest_us, longest_us }, cap_us: longest_us }
    }

    /// Lognormal: half of all answers are faster than `median_ms`, and the logarithm has the standard deviation
    /// `sigma`. Nothing takes longer than `cap_ms`. A median of zero means no time at all.
    #[must_use]
    pub fn log_normal(median_ms: f64, sigma: f64, cap_ms: f64) -> Self {
        if median_ms <= 0.0 {
            return Self::NONE;
        }
        Self { law: Law::LogNormal { median_us: median_ms * 1_000.0, sigma }, cap_us: cap_ms * 1_000.0 }
    }

    /// Along these percentiles, in ascending order, with straight lines between them. The first line begins at no time at all
    /// unless the first point has a share of 0; nothing takes longer than the last point.
    #[must_use]
    pub fn percentiles(points: Vec<Percentile>) -> Self {
        let cap_us = points.last().map_or(0.0, |longest| longest.ms * 1_000.0);
        Self { law: Law::Percentiles(points), cap_us }
    }

    /// The latency drawn for this attempt, in microseconds.
    #[must_use]
    pub fn draw_us(&self, draw: &Draw) -> u64 {
        self.draw_times_us(draw, 1.0)
    }

    /// The latency drawn for this attempt, multiplied by this, in microseconds.
    pub(super) fn draw_times_us(&self, draw: &Draw, factor: f64) -> u64 {
        let us = match &self.law {
            Law::Fixed { us } => *us,
            Law::Uniform { shortest_us, longest_us } => {
                shortest_us + (longest_us - shortest_us) * draw.uniform(Slot::Latency)
            }
            Law::LogNormal { median_us, sigma } => {
                median_us * (sigma * draw.normal(Slot::Latency, Slot::LatencyAngle)).exp()
            }
            Law::Percentiles(points) => quantile_ms(points, draw.uniform(Slot::Latency)) * 1_000.0,
        };
        whole_us(us.clamp(0.0, self.cap_us) * factor)
    }
}

/// The time that this share of all answers does not exceed.
fn quantile_ms(points: &[Percentile], share: f64) -> f64 {
    let mut below = Percentile { share: 0.0, ms: 0.0 };
    for above in points {
        if share <= above.share {
            // Shares are strictly between 0 and 1, so that the two points are never the same.
            let part = (share - below.share) / (above.share - below.share);
            return below.ms + (above.ms - below.ms) * part;
        }
        below = *above;
    }
    below.ms
}

/// Milliseconds in whole microseconds.
pub(super) fn micros(ms: f64) -> u64 {
    whole_us((ms * 1_000.0).max(0.0))
}

/// The nearest whole number to one that is not negative.
pub(super) fn whole_us(us: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded, and not negative")]
    let whole = us.round() as u64;
    whole
}
