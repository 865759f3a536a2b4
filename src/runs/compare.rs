//! Two runs side by side, with their differences in percent.

use super::error::RunError;
use super::record::Record;
use crate::load::Report;

/// A figure of two runs.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Compared {
    /// What it is.
    pub label: &'static str,
    /// Its unit.
    pub unit: &'static str,
    /// In the first run.
    pub a: f64,
    /// In the second.
    pub b: f64,
    /// By how much the second is above the first, in percent; `None` if the first is nothing.
    pub percent: Option<f64>,
    /// Whether more of it is better; `None` where it is neither.
    pub more_is_better: Option<bool>,
}

type Figure = (&'static str, &'static str, Option<bool>, fn(&Report) -> f64);

const FIGURES: &[Figure] = &[
    ("Offered", "/s", None, |r| r.offered_per_s),
    ("Accepted", "/s", Some(true), |r| r.accepted_per_s),
    ("Completed", "/s", Some(true), |r| r.completed_per_s),
    ("Accept p50", "ms", Some(false), |r| r.accept_ms.p50),
    ("Accept p99", "ms", Some(false), |r| r.accept_ms.p99),
    ("Settle p50", "ms", Some(false), |r| r.settle_ms.p50),
    ("Settle p90", "ms", Some(false), |r| r.settle_ms.p90),
    ("Settle p99", "ms", Some(false), |r| r.settle_ms.p99),
    ("Settle p99.9", "ms", Some(false), |r| r.settle_ms.p999),
    ("Settle max", "ms", Some(false), |r| r.settle_ms.max),
    ("Acquirer p50", "ms", None, |r| r.acquirer_ms.p50),
    ("Overhead p50", "ms", Some(false), |r| r.overhead_ms.p50),
    ("Overhead p99", "ms", Some(false), |r| r.overhead_ms.p99),
    ("Sent", "", None, |r| count(r.sent)),
    ("Refused", "", Some(false), |r| count(r.errors)),
    ("Sent late", "", Some(false), |r| count(r.late)),
    ("Open at the end", "", Some(false), |r| count(r.open)),
    ("Succeeded", "%", Some(true), |r| share(r, "succeeded")),
    ("Declined", "%", None, |r| share(r, "declined")),
    ("Failed", "%", Some(false), |r| share(r, "failed")),
];

#[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "counts of a run are exact")]
fn count(count: u64) -> f64 {
    count as f64
}

fn share(report: &Report, outcome: &str) -> f64 {
    let found = report.outcomes.get(outcome).copied().unwrap_or(0);
    count(found) / count(report.completed.max(1)) * 100.0
}

/// The figures of two runs.
///
/// # Errors
/// [`RunError::NotNow`] if one of them has no report, as searches have none.
pub fn compare(a: &Record, b: &Record) -> Result<Vec<Compared>, RunError> {
    let (Some(one), Some(other)) = (&a.report, &b.report) else {
        return Err(RunError::NotNow(
            "Only runs that have a report can be compared, and searches have none.",
        ));
    };
    let compared = |(label, unit, more_is_better, figure): &Figure| {
        let (a, b) = (figure(one), figure(other));
        let percent = (a != 0.0).then(|| (b - a) / a * 100.0);
        Compared { label, unit, a, b, percent, more_is_better: *more_is_better }
    };
    Ok(FIGURES.iter().map(compared).filter(|figure| figure.a != 0.0 || figure.b != 0.0).collect())
}
