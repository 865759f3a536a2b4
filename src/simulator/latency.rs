//! Latency of answers: a fixed or lognormal time, drawn for each attempt.

use super::draw::{Draw, Slot};

/// A latency law.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Latency {
    law: Law,
    cap_us: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Law {
    Fixed { us: f64 },
    LogNormal { median_us: f64, sigma: f64 },
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

    /// Lognormal: half of all answers are faster than `median_ms`, and the logarithm has the standard deviation
    /// `sigma`. Nothing takes longer than `cap_ms`. A median of zero means no time at all.
    #[must_use]
    pub fn log_normal(median_ms: f64, sigma: f64, cap_ms: f64) -> Self {
        if median_ms <= 0.0 {
            return Self::NONE;
        }
        Self { law: Law::LogNormal { median_us: median_ms * 1_000.0, sigma }, cap_us: cap_ms * 1_000.0 }
    }

    /// The latency drawn for this attempt, in microseconds.
    #[must_use]
    pub fn draw_us(&self, draw: &Draw) -> u64 {
        let us = match self.law {
            Law::Fixed { us } => us,
            Law::LogNormal { median_us, sigma } => {
                median_us * (sigma * draw.normal(Slot::Latency, Slot::LatencyAngle)).exp()
            }
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and the cap")]
        let whole = us.clamp(0.0, self.cap_us).round() as u64;
        whole
    }
}
