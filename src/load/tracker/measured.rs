//! What was counted and measured of a run.

use std::collections::BTreeMap;
use std::ops::Range;

use hdrhistogram::Histogram;

use super::seen::Seen;
use crate::domain::status::Status;
use crate::load::buckets::{Buckets, LATENCY_MAX_US};
use crate::load::report::{Latencies, Report, Shares};
use crate::load::series::Series;
use crate::load::work::{Pending, Work};

/// Causes and codes distinguished; those beyond are counted as others.
const NAMES_MAX: usize = 200;

/// Latencies of one kind.
#[derive(Debug)]
struct Latency {
    exact: Histogram<u64>,
    buckets: Buckets,
}

impl Latency {
    fn new() -> anyhow::Result<Self> {
        Ok(Self { exact: Histogram::new_with_bounds(1, LATENCY_MAX_US, 3)?, buckets: Buckets::default() })
    }

    fn record(&mut self, us: u64) {
        self.exact.saturating_record(us.max(1));
        self.buckets.record(us.max(1));
    }
}

/// What was counted and measured.
#[derive(Debug)]
pub struct Measured {
    /// What is intended to start within it is measured, in microseconds since the start.
    pub window: Range<u64>,
    /// The whole run, second by second.
    pub series: Series,
    accept: Latency,
    settle: Latency,
    acquirer: Latency,
    overhead: Latency,
    kinds: BTreeMap<&'static str, u64>,
    outcomes: BTreeMap<&'static str, u64>,
    causes: BTreeMap<String, u64>,
    errors: BTreeMap<String, u64>,
    first_error: Option<String>,
}

impl Measured {
    /// Measures what is intended to start within this window.
    ///
    /// # Errors
    /// If a histogram cannot be made, which fixed bounds rule out.
    pub fn new(window: Range<u64>) -> anyhow::Result<Self> {
        Ok(Self {
            window,
            series: Series::default(),
            accept: Latency::new()?,
            settle: Latency::new()?,
            acquirer: Latency::new()?,
            overhead: Latency::new()?,
            kinds: BTreeMap::new(),
            outcomes: BTreeMap::new(),
            causes: BTreeMap::new(),
            errors: BTreeMap::new(),
            first_error: None,
        })
    }

    /// Whether this belongs to what is measured.
    #[must_use]
    pub fn holds(&self, pending: &Pending) -> bool {
        self.window.contains(&pending.intended_us)
    }

    /// Something measured was acknowledged so long after its intended start.
    pub fn accepted(&mut self, pending: &Pending, accept_us: u64) {
        *self.kinds.entry(pending.work.name()).or_default() += 1;
        self.accept.record(accept_us);
    }

    /// Something was refused.
    pub fn refused(&mut self, pending: &Pending, code: &str, message: &str) {
        count(&mut self.errors, code);
        let named = || format!("{} {}: {code}: {message}", pending.work.name(), pending.index);
        self.first_error.get_or_insert_with(named);
    }

    /// Something measured came to rest so long after its intended start, the time of its cardholder not counted.
    pub fn settled(&mut self, pending: &Pending, seen: &Seen, settle_us: u64, asked: bool) {
        *self.outcomes.entry(seen.status.as_str()).or_default() += 1;
        match (&seen.decline, seen.status) {
            (Some(code), Status::Declined | Status::Failed) => {
                count(&mut self.causes, &format!("{}: {code}", seen.status.as_str()));
            }
            (None, Status::Failed) => count(&mut self.causes, "failed: technical error"),
            (None, Status::Declined) => count(&mut self.causes, "declined: code not seen"),
            _ => {}
        }
        self.settle.record(settle_us);
        // Where earlier attempts or people took part of the time, what is left says nothing about anybody.
        let plain = seen.other_us == 0 && !asked && seen.is_exact();
        match (pending.work, seen.acquirer_us) {
            (Work::Charge | Work::TopUp | Work::Payout | Work::Transfer, Some(acquirer_us)) if plain => {
                self.acquirer.record(acquirer_us);
                self.overhead.record(settle_us.saturating_sub(acquirer_us));
            }
            // Nobody outside is asked.
            (Work::Transfer, None) if plain => self.overhead.record(settle_us),
            _ => {}
        }
    }

    /// The first refusal in words.
    #[must_use]
    pub fn first_error(&self) -> Option<String> {
        self.first_error.clone()
    }

    /// The latencies measured so far, until accepted and until settled.
    #[must_use]
    pub fn latencies(&self) -> (Latencies, Latencies) {
        (Latencies::of(&self.accept.exact), Latencies::of(&self.settle.exact))
    }

    /// What payments have come to rest as so far.
    #[must_use]
    pub fn outcomes(&self) -> BTreeMap<String, u64> {
        self.outcomes.iter().map(|(status, count)| ((*status).to_owned(), *count)).collect()
    }

    /// Fills in what was counted and measured, up to this moment.
    pub fn fill(&self, report: &mut Report, now_us: u64) {
        report.accept_ms = Latencies::of(&self.accept.exact);
        report.settle_ms = Latencies::of(&self.settle.exact);
        report.acquirer_ms = Latencies::of(&self.acquirer.exact);
        report.overhead_ms = Latencies::of(&self.overhead.exact);
        report.accept_distribution = Shares::of(&self.accept.buckets);
        report.settle_distribution = Shares::of(&self.settle.buckets);
        report.acquirer_distribution = Shares::of(&self.acquirer.buckets);
        report.kinds = self.kinds.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect();
        report.outcomes = self.outcomes();
        report.causes = self.causes.clone();
        report.errors_by_code = self.errors.clone();
        report.first_error = self.first_error.clone();
        report.series = self.series.points(now_us, 0);
    }
}

fn count(names: &mut BTreeMap<String, u64>, name: &str) {
    let name = if names.len() < NAMES_MAX || names.contains_key(name) { name } else { "others" };
    match names.get_mut(name) {
        Some(count) => *count += 1,
        None => {
            names.insert(name.to_owned(), 1);
        }
    }
}
