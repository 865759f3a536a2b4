//! What the line and its readers have done since the start: plain counters, read by the metrics page and by tests that
//! hold the design's budgets (rows, messages and documents per payment).

use std::sync::atomic::{AtomicU64, Ordering};

/// A counter that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds to it.
    pub fn add(&self, count: usize) {
        self.0.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Its value.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counters of one process.
#[derive(Debug, Default)]
pub struct Counters {
    /// Transactions of the line that wrote something.
    pub commits: Counter,
    /// Commands decided in them.
    pub commands: Counter,
    /// New payments committed.
    pub payments: Counter,
    /// Rows inserted or updated by the line, the journal's own left out.
    pub rows: Counter,
    /// Messages put into the work queue.
    pub messages: Counter,
    /// Operations that the belt put into the work queue once more: any but few mean that messages get lost.
    pub belted: Counter,
    /// Documents written to the search index.
    pub documents: Counter,
}
