//! Finds payments with work in the queue, without a row for each of them.
//!
//! The journal says what each batch put into the queue, and which payments it left with nothing there. So open work is
//! found in the journal beyond a cursor, or in the table `open_work`: the reader remembers what the journal opened, and
//! for what stays open for some seconds it writes a row before its cursor passes the position at which that was opened.
//! Rows and cursor are written in one transaction. Nothing depends on what the reader remembers: the next holder of the
//! lease begins at the cursor, and a search ([`search::Search`]) reads table and journal.
//!
//! A row says only that the payment had open work at the cursor's position. What that is, and since when, is in the
//! payment itself: an operation keeps the wall-clock time at which it was queued, and these times are in the order of the
//! journal.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::batch::Batch;
use super::follower::{Reader, ReaderError};
use crate::domain::ids::{InstanceId, PaymentId};
use crate::domain::payment::Payment;
use crate::domain::time::Timestamp;
use crate::engine::open_payments;
use crate::store::{Beside, Page, PipelineStore, Projected, StoreResult};

mod count;
mod memory;
pub mod search;

pub use count::count;
use memory::Memory;

/// The name of its cursor and lease.
pub const NAME: &str = open_payments::READER;

/// Work that is open for this long gets a row: long before a redrive looks for lost work, and longer than nearly all
/// answers take.
pub const STAYS: Duration = Duration::from_secs(5);
/// Payments that are remembered; with more, all of them get rows.
const REMEMBERED_MAX: usize = 65_536;
/// Rows written in one transaction, during which the sequencer waits.
const ROWS_MAX: usize = 2_000;
/// Payments read at once while rows are rebuilt.
const PAGE: Page = Page { rows_max: 1_000, bytes_max: 4 << 20 };

/// The reader that keeps the table `open_work`.
pub struct OpenWork {
    store: Arc<dyn PipelineStore>,
    instance: InstanceId,
    /// Taken up to here.
    read: u64,
    /// The cursor in the store.
    saved: u64,
    /// What is open beyond the cursor.
    memory: Memory,
    /// Payments that have a row and nothing in the queue any more.
    closed: BTreeSet<PaymentId>,
    /// A row of the journal could not be read: the payments show what it did.
    torn: bool,
}

impl OpenWork {
    /// A reader on this store, for this instance.
    #[must_use]
    pub fn new(store: Arc<dyn PipelineStore>, instance: InstanceId) -> Self {
        let (memory, closed) = (Memory::default(), BTreeSet::new());
        Self { store, instance, read: 0, saved: 0, memory, closed, torn: false }
    }

    fn take(&mut self, batch: &Batch) {
        for entry in &batch.entries {
            let payment = entry.payment_id;
            // Where nothing changed, what was open has a row or is remembered, whatever else was queued.
            if entry.open == Some(true) {
                self.memory.open(payment, batch.seq);
            } else if entry.open == Some(false) && !self.memory.close(payment) {
                // It was opened before the cursor's position, and has a row.
                self.closed.insert(payment);
            }
        }
        self.read = batch.seq;
    }

    /// Writes rows for what was opened up to a position and is still open, and moves the cursor as far as nothing is left
    /// out.
    async fn keep(&mut self, upto: u64) -> Result<(), ReaderError> {
        while let Some(cut) = self.memory.cut(upto, ROWS_MAX) {
            let put = self.memory.take(cut);
            self.write(put).await?;
        }
        let closed = self.closed.len();
        if self.passable() > self.saved || closed > ROWS_MAX { self.write(Vec::new()).await } else { Ok(()) }
    }

    /// How far the cursor may move: to just before the first position remembered.
    fn passable(&self) -> u64 {
        self.memory.first_place().map_or(self.read, |first| first.saturating_sub(1))
    }

    async fn write(&mut self, put: Vec<PaymentId>) -> Result<(), ReaderError> {
        // Opened again since: the row is right.
        for id in &put {
            self.closed.remove(id);
        }
        let mut closed = std::mem::take(&mut self.closed).into_iter();
        loop {
            let remove: Vec<PaymentId> = closed.by_ref().take(ROWS_MAX).collect();
            if closed.len() == 0 {
                return self.project(self.passable(), Beside { put, remove }).await;
            }
            self.project(self.saved, Beside { put: Vec::new(), remove }).await?;
        }
    }

    async fn project(&mut self, upto: u64, open_work: Beside<PaymentId>) -> Result<(), ReaderError> {
        let projected = Projected { open_work, ..Projected::default() };
        if !self.store.project(NAME, self.instance, self.saved, upto, &projected).await? {
            return Err(ReaderError::Expected("the lease or the cursor is not ours any more".to_owned()));
        }
        self.saved = upto;
        Ok(())
    }

    /// Rebuilds all rows from the payments, as they were at a position. It goes through all of them: slow, and rare.
    async fn rebuild(&mut self, upto: u64) -> Result<(), ReaderError> {
        tracing::info!(upto, "rows of open work are rebuilt from the payments");
        let end = end_of(self.store.as_ref(), upto).await?;
        let (mut after, mut rows) = (None, PAGE.first());
        loop {
            let page = self.store.work_open(after, rows).await?;
            let Some(last) = page.last() else { break };
            (after, rows) = (Some(last.id()), PAGE.next(page.iter().map(Payment::memory_bytes)));
            let remove = page.iter().filter(|payment| !was_open(payment, end)).map(Payment::id).collect();
            self.project(self.saved, Beside { put: Vec::new(), remove }).await?;
        }
        let (mut after, mut rows) = (None, PAGE.first());
        loop {
            let page = self.store.payment_scan(after, rows).await?;
            let Some(last) = page.last() else { break };
            (after, rows) = (Some(last.id()), PAGE.next(page.iter().map(Payment::memory_bytes)));
            let put: Vec<PaymentId> =
                page.iter().filter(|payment| was_open(payment, end)).map(Payment::id).collect();
            if !put.is_empty() {
                self.project(self.saved, Beside { put, remove: Vec::new() }).await?;
            }
        }
        (self.read, self.torn) = (upto, false);
        self.project(upto, Beside::default()).await
    }

    fn torn(&mut self) -> Result<(), ReaderError> {
        self.torn = true;
        Err(ReaderError::Expected("a row of the journal cannot be read; open work is rebuilt".to_owned()))
    }
}

/// The moment at which the batch at a position ends: what it or an earlier batch queued came before, all else after. If
/// the journal no longer shows what follows, the moment may be later.
///
/// # Errors
/// The store's.
pub async fn end_of(store: &dyn PipelineStore, seq: u64) -> StoreResult<Timestamp> {
    // In this order: if nothing follows by then, the position was the last one before as well.
    let last = store.head_wall().await?;
    Ok(store.journal_time(seq).await?.unwrap_or_else(|| last.next()))
}

/// Whether a payment had work in the queue at the end of a batch.
fn was_open(payment: &Payment, before: Timestamp) -> bool {
    if payment.wall() < before {
        return payment.queued_work().next().is_some();
    }
    let earlier = payment.history().iter().take_while(|recorded| recorded.wall < before).count();
    let then = payment.at_version(u32::try_from(earlier).unwrap_or(u32::MAX));
    then.is_some_and(|then| then.queued_work().next().is_some())
}

#[async_trait]
impl Reader for OpenWork {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn begin(&mut self, stored: u64, head: u64) -> Result<u64, ReaderError> {
        self.memory = Memory::default();
        self.closed.clear();
        (self.saved, self.read) = (stored, stored);
        let next =
            if stored < head { self.store.journal_read(stored, 1).await?.into_iter().next() } else { None };
        let follows = stored == head || next.is_some_and(|row| row.seq == stored.saturating_add(1));
        if self.torn || !follows {
            self.rebuild(head).await?;
        }
        Ok(self.read)
    }

    async fn apply(&mut self, batches: &[Arc<Batch>]) -> Result<(), ReaderError> {
        for batch in batches {
            if batch.seq != self.read.saturating_add(1) {
                return self.torn();
            }
            self.take(batch);
        }
        if self.memory.len().max(self.closed.len()) > REMEMBERED_MAX {
            self.keep(self.read).await?;
        }
        Ok(())
    }

    async fn pass_over(&mut self, _upto: u64) -> Result<(), ReaderError> {
        self.torn()
    }

    async fn tick(&mut self) -> Result<(), ReaderError> {
        let stays = self.memory.opened_before(STAYS).unwrap_or(0);
        self.keep(stays).await
    }

    async fn finish(&mut self) -> Result<(), ReaderError> {
        self.keep(self.read).await
    }

    /// Nothing: the cursor is written together with the rows.
    fn safe(&self) -> u64 {
        0
    }
}
