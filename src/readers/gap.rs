//! Finds among the payments what unreadable journal rows changed. A torn row still has its time, and all events of a
//! batch carry their batch's wall-clock time.
//!
//! It goes through all payments, a page at a time, since they cannot be looked up by when they changed. That is slow, and
//! rare.

use std::collections::BTreeSet;

use super::follower::ReaderError;
use crate::domain::ids::PaymentId;
use crate::domain::payment::Payment;
use crate::domain::time::Timestamp;
use crate::store::{JournalRecord, Page, PipelineStore};

/// Payments read at once.
const PAGE: Page = Page { rows_max: 1_000, bytes_max: 4 << 20 };
/// Journal rows read at once.
const ROWS_MAX: u32 = 64;
/// With more torn rows than this, every payment is taken.
const TIMES_MAX: usize = 1_024;

/// A gap in the journal, and how far the search has come.
#[derive(Debug)]
pub struct Gap {
    /// The first position that is missing.
    seq: u64,
    /// When the missing batches were decided; `None` if that is not known for all of them.
    times: Option<BTreeSet<Timestamp>>,
    after: Option<PaymentId>,
    rows: u32,
}

impl Gap {
    fn new(seq: u64) -> Self {
        Self { seq, times: Some(BTreeSet::new()), after: None, rows: PAGE.first() }
    }

    /// The gap after `read` and before `next`; `None` if nothing is missing.
    ///
    /// # Errors
    /// The store's.
    pub async fn between(
        store: &dyn PipelineStore,
        read: u64,
        next: u64,
    ) -> Result<Option<Self>, ReaderError> {
        let missing = next.saturating_sub(read).saturating_sub(1);
        if missing == 0 {
            return Ok(None);
        }
        let (mut gap, mut known, mut after) = (Self::new(read + 1), 0, read);
        loop {
            let records = store.journal_read(after, ROWS_MAX).await?;
            let inside: Vec<&JournalRecord> = records.iter().filter(|record| record.seq < next).collect();
            let Some(last) = inside.last() else { break };
            after = last.seq;
            known += u64::try_from(inside.len()).unwrap_or(u64::MAX);
            inside.iter().for_each(|record| gap.note_time(record.at));
        }
        if known < missing {
            // A row that is gone altogether does not show its time.
            gap.times = None;
        }
        Ok(Some(gap))
    }

    /// The gap of one row that could not be read.
    #[must_use]
    pub fn at(record: &JournalRecord) -> Self {
        let mut gap = Self::new(record.seq);
        gap.note_time(record.at);
        gap
    }

    fn note_time(&mut self, at: Timestamp) {
        if let Some(times) = &mut self.times {
            times.insert(at);
            if times.len() > TIMES_MAX {
                self.times = None;
            }
        }
    }

    /// The first position that is missing.
    #[must_use]
    pub const fn seq(&self) -> u64 {
        self.seq
    }

    /// Adds another gap to this one; the search starts again.
    #[must_use]
    pub fn and(self, other: Option<Self>) -> Self {
        let Some(other) = other else { return self };
        let mut both = Self::new(self.seq.min(other.seq));
        match (self.times, other.times) {
            (Some(one), Some(two)) => one.into_iter().chain(two).for_each(|at| both.note_time(at)),
            (_, _) => both.times = None,
        }
        both
    }

    /// The next payments that the missing batches may have changed; `None` once all were read.
    ///
    /// # Errors
    /// The store's; the same page comes again then.
    pub async fn next(&mut self, store: &dyn PipelineStore) -> Result<Option<Vec<Payment>>, ReaderError> {
        let page = store.payment_scan(self.after, self.rows).await?;
        let Some(last) = page.last() else { return Ok(None) };
        self.after = Some(last.id());
        self.rows = PAGE.next(page.iter().map(Payment::memory_bytes));
        Ok(Some(page.into_iter().filter(|payment| self.may_have_changed(payment)).collect()))
    }

    fn may_have_changed(&self, payment: &Payment) -> bool {
        let Some(times) = &self.times else { return true };
        payment.history().iter().any(|event| times.contains(&event.wall))
    }
}
