//! The batches this process committed lately, in memory, so that its own readers need not ask the store for them.
//!
//! Bounded by bytes: what does not fit is read from the journal. Also the payments with open work, by id, so that a
//! worker finds the payment a message names without a query.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::batch::{Batch, Entry};
use crate::domain::ids::PaymentId;
use crate::domain::payment::{Payment, WorkKey};
use crate::domain::time::Timestamp;
use crate::engine::OpenPayments;
use crate::engine::journal::JournalEntry;
use crate::engine::writer::{CommitListener, Committed};

/// What one entry is reckoned to hold in memory. A payment with its history is 700–1,200 bytes.
const ENTRY_BYTES: usize = 1_536;
/// Payments with open work that are remembered; a worker reads the others from the store.
const OPEN_MAX: usize = 65_536;

/// Recent batches, and the head of the line as far as this process knows it.
pub struct Ring {
    recent: Mutex<Recent>,
    head: AtomicU64,
    /// Wakes those who wait for the head, in the order in which they came: a simulation can repeat that.
    head_moved: Notify,
    /// The earliest `due_at` committed since the timers last looked, in microseconds.
    earliest_due: watch::Sender<i64>,
    entries_max: usize,
}

#[derive(Default)]
struct Recent {
    batches: VecDeque<Arc<Batch>>,
    entries: usize,
    open: HashMap<PaymentId, Arc<Payment>>,
}

impl Ring {
    /// A ring that holds about `bytes`, on a line whose head is at `head`.
    #[must_use]
    pub fn new(bytes: usize, head: u64) -> Self {
        Self {
            recent: Mutex::new(Recent::default()),
            head: AtomicU64::new(head),
            head_moved: Notify::new(),
            earliest_due: watch::Sender::new(i64::MAX),
            entries_max: (bytes / ENTRY_BYTES).max(1),
        }
    }

    /// The batch at `seq`, if this process committed it not long ago.
    #[must_use]
    pub fn get(&self, seq: u64) -> Option<Arc<Batch>> {
        let recent = self.recent.lock();
        // Nearly always contiguous, since nearly always one process writes; else a search in order.
        let at = recent.batches.binary_search_by_key(&seq, |batch| batch.seq).ok()?;
        recent.batches.get(at).cloned()
    }

    /// The head of the line as far as this process knows it.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    /// Waits until the head is beyond `seq`, and returns it. Safe to cancel.
    pub async fn head_past(&self, seq: u64) -> u64 {
        loop {
            let mut moved = std::pin::pin!(self.head_moved.notified());
            // Before looking, so that nothing is missed in between.
            moved.as_mut().enable();
            let head = self.head();
            if head > seq {
                return head;
            }
            moved.await;
        }
    }

    /// The earliest `due_at` committed lately, for the timers.
    #[must_use]
    pub fn earliest_due(&self) -> watch::Receiver<i64> {
        self.earliest_due.subscribe()
    }

    /// Another process has committed up to `seq`.
    pub fn note_head(&self, seq: u64) {
        if self.head.fetch_max(seq, Ordering::AcqRel) < seq {
            self.head_moved.notify_waiters();
        }
    }
}

impl OpenPayments for Ring {
    fn open_payment(&self, id: PaymentId) -> Option<Arc<Payment>> {
        self.recent.lock().open.get(&id).cloned()
    }
}

impl CommitListener for Ring {
    fn committed(&self, batch: Committed) {
        let seq = batch.seq;
        let earliest = batch.changes.iter().filter_map(|(_, payment)| payment.due_at()).min();
        self.recent.lock().push(Arc::new(Batch::from(batch)), self.entries_max);
        self.note_head(seq);
        if let Some(earliest) = earliest.map(Timestamp::micros) {
            // Told every time: the timers look for themselves what is due first.
            self.earliest_due.send_replace(earliest);
        }
    }
}

impl Recent {
    fn push(&mut self, batch: Arc<Batch>, entries_max: usize) {
        for entry in &batch.entries {
            let Some(payment) = &entry.payment else {
                continue;
            };
            if payment.queued_work().next().is_none() {
                self.open.remove(&entry.payment_id);
            } else if self.open.len() < OPEN_MAX || self.open.contains_key(&entry.payment_id) {
                self.open.insert(entry.payment_id, Arc::clone(payment));
            }
        }
        self.entries += batch.entries.len();
        self.batches.push_back(batch);
        while self.entries > entries_max
            && let Some(oldest) = self.batches.pop_front()
        {
            self.entries -= oldest.entries.len();
        }
    }
}

impl From<Committed> for Batch {
    fn from(committed: Committed) -> Self {
        let entries =
            committed.changes.into_iter().map(|(entry, payment)| Entry::new(entry, Some(payment))).collect();
        Self { seq: committed.seq, at: committed.at, committed_at: Some(committed.committed_at), entries }
    }
}

impl Entry {
    /// An entry of the journal, with the payment where it is at hand.
    #[must_use]
    pub fn new(entry: JournalEntry, payment: Option<Arc<Payment>>) -> Self {
        let JournalEntry { payment: payment_id, owner, payee, lane, run, first_version, events, work } =
            entry;
        let key = |(operation, attempt)| WorkKey { payment: payment_id, operation, attempt };
        let work = work.into_iter().map(key).collect();
        Self { payment_id, owner, payee, lane, run, first_version, events, work, payment }
    }
}
