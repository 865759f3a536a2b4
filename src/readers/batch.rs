//! Batches as readers of the journal see them: one entry per payment touched.

use std::sync::Arc;

use crate::domain::event::{Event, Recorded};
use crate::domain::ids::{AccountId, PaymentId};
use crate::domain::payment::{Payment, WorkKey};
use crate::domain::submission::Lane;
use crate::domain::time::Timestamp;

/// One payment's part of a batch.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Which payment was touched.
    pub payment_id: PaymentId,
    /// Its submitter.
    pub owner: AccountId,
    /// The account that receives it; transfers only.
    pub payee: Option<AccountId>,
    /// The queue its operations use.
    pub lane: Lane,
    /// The load run it belongs to.
    pub run: Option<String>,
    /// The version of the first of `events`.
    pub first_version: u32,
    /// What happened, in order.
    pub events: Vec<Recorded>,
    /// The work that this batch put into the queue.
    pub work: Vec<WorkKey>,
    /// Whether the payment has work in the queue; `None` if this batch did not change that.
    pub open: Option<bool>,
    /// The payment after the batch, if this process committed it; otherwise a reader that needs it reads the store.
    pub payment: Option<Arc<Payment>>,
}

/// A committed batch.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Its position in the journal.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// When its commit returned, if this process committed it.
    pub committed_at: Option<Timestamp>,
    /// One entry per payment touched.
    pub entries: Vec<Entry>,
    /// About how many bytes it holds in memory, payments included.
    pub bytes: usize,
}

impl Batch {
    /// Builds a batch and measures its `bytes`.
    #[must_use]
    pub fn new(seq: u64, at: Timestamp, committed_at: Option<Timestamp>, entries: Vec<Entry>) -> Self {
        let bytes = size_of::<Self>() + entries.iter().map(Entry::memory_bytes).sum::<usize>();
        Self { seq, at, committed_at, entries, bytes }
    }
}

impl Entry {
    /// The payment's version after this batch.
    #[must_use]
    pub fn last_version(&self) -> u32 {
        let further = u32::try_from(self.events.len().saturating_sub(1)).unwrap_or(u32::MAX);
        self.first_version.saturating_add(further)
    }

    /// Whether nothing but amendments happened: the payment itself did not move on.
    #[must_use]
    pub fn only_amends(&self) -> bool {
        !self.events.is_empty()
            && self.events.iter().all(|recorded| matches!(recorded.event, Event::Amended { .. }))
    }

    fn memory_bytes(&self) -> usize {
        size_of::<Self>()
            + self.run.as_ref().map_or(0, String::capacity)
            + self.events.capacity() * size_of::<Recorded>()
            + self.work.capacity() * size_of::<WorkKey>()
            + self.payment.as_ref().map_or(0, |payment| payment.memory_bytes())
    }
}
