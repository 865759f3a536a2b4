//! Finds all open work that was queued before a moment, in the table and in the journal beyond the cursor.
//!
//! The two never report the same operation: of the table those count that were queued before the first batch beyond the
//! cursor, and that batch's wall-clock time separates them. The reader may go on during a search: it writes a row before
//! its cursor passes, so what it takes from the journal is in the table, which is read last. If a row of the journal is
//! missing or cannot be read, all payments are read instead.

use std::collections::{HashMap, VecDeque};

use super::super::follower::ReaderError;
use super::{NAME, end_of};
use crate::domain::ids::PaymentId;
use crate::domain::payment::{Operation, Payment, WorkKey};
use crate::domain::submission::Lane;
use crate::domain::time::Timestamp;
use crate::engine::journal;
use crate::store::{Page, PipelineStore};

/// Payments read at once, and about how many bytes they may hold.
const PAGE: Page = Page { rows_max: 512, bytes_max: 4 << 20 };
/// Journal rows read at once.
const ROWS_MAX: u32 = 8;

/// Operations of one payment that are in the queue.
#[derive(Debug)]
pub struct Found {
    /// The payment.
    pub payment: PaymentId,
    /// The attempts under way.
    pub work: Vec<WorkKey>,
}

/// A search, and how far it has come.
#[derive(Debug)]
pub struct Search {
    lane: Lane,
    /// Only work queued before this is looked for.
    before: Timestamp,
    /// Where the cursor stood, as a moment.
    beyond: Timestamp,
    /// The journal's head when the search began.
    head: u64,
    stage: Stage,
    /// What the journal opened, not checked yet.
    opened: VecDeque<(PaymentId, Vec<WorkKey>)>,
    rows: u32,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    /// The journal after this position; `None` once it was read.
    Journal(Option<u64>),
    /// Rows of the table after this one.
    Table(Option<PaymentId>),
    /// All payments after this one.
    Payments(Option<PaymentId>),
}

impl Search {
    /// Begins to look for work that was put into a lane's queue before a moment.
    ///
    /// # Errors
    /// The store's.
    pub async fn begin(
        store: &dyn PipelineStore,
        lane: Lane,
        before: Timestamp,
    ) -> Result<Self, ReaderError> {
        let cursor = store.cursor_get(NAME).await?;
        let beyond = end_of(store, cursor).await?;
        let head = store.head().await?;
        let (stage, opened) = (Stage::Journal(Some(cursor)), VecDeque::new());
        Ok(Self { lane, before, beyond, head, stage, opened, rows: PAGE.first() })
    }

    /// The next payments with such work; `None` once all were found.
    ///
    /// # Errors
    /// The store's; the same come again then.
    pub async fn next(&mut self, store: &dyn PipelineStore) -> Result<Option<Vec<Found>>, ReaderError> {
        loop {
            match self.stage {
                Stage::Journal(_) if !self.opened.is_empty() => {
                    return self.still_queued(store).await.map(Some);
                }
                Stage::Journal(Some(after)) => self.read(store, after).await?,
                Stage::Journal(None) => self.stage = Stage::Table(None),
                Stage::Table(after) => {
                    let page = store.work_open(after, self.rows).await?;
                    let Some(last) = page.last() else { return Ok(None) };
                    self.stage = Stage::Table(Some(last.id()));
                    return Ok(Some(self.found(&page, self.beyond.min(self.before))));
                }
                Stage::Payments(after) => {
                    let page = store.payment_scan(after, self.rows).await?;
                    let Some(last) = page.last() else { return Ok(None) };
                    self.stage = Stage::Payments(Some(last.id()));
                    return Ok(Some(self.found(&page, self.before)));
                }
            }
        }
    }

    fn found(&mut self, page: &[Payment], before: Timestamp) -> Vec<Found> {
        self.rows = PAGE.next(page.iter().map(Payment::memory_bytes));
        let ours = page.iter().filter(|payment| payment.submission().lane == self.lane);
        let waits = |operation: &Operation| operation.queued_at < before;
        ours.filter_map(|payment| queued(payment, waits)).collect()
    }

    /// Reads on in the journal, until a batch is too late.
    async fn read(&mut self, store: &dyn PipelineStore, mut after: u64) -> Result<(), ReaderError> {
        let rows = store.journal_read(after, ROWS_MAX).await?;
        if rows.is_empty() {
            let whole = after >= self.head;
            self.stage = if whole { Stage::Journal(None) } else { Stage::Payments(None) };
            return Ok(());
        }
        for row in rows {
            let follows = row.seq == after.saturating_add(1);
            if follows && row.at >= self.before {
                self.stage = Stage::Journal(None);
                return Ok(());
            }
            let entries = follows.then(|| journal::decode_changes(&row.body));
            let Some(Ok(entries)) = entries else {
                self.opened.clear();
                self.stage = Stage::Payments(None);
                return Ok(());
            };
            after = row.seq;
            for entry in entries.into_iter().filter(|entry| entry.lane == self.lane) {
                let key = |(operation, attempt)| WorkKey { payment: entry.payment, operation, attempt };
                let work: Vec<WorkKey> = entry.work.iter().copied().map(key).collect();
                if !work.is_empty() {
                    self.opened.push_back((entry.payment, work));
                }
            }
        }
        self.stage = Stage::Journal(Some(after));
        Ok(())
    }

    /// Of what the journal opened, the next that is still in the queue.
    async fn still_queued(&mut self, store: &dyn PipelineStore) -> Result<Vec<Found>, ReaderError> {
        let count = usize::try_from(self.rows).unwrap_or(usize::MAX).min(self.opened.len());
        let mut ids: Vec<PaymentId> = self.opened.iter().take(count).map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids.dedup();
        let payments = store.payment_get(&ids).await?;
        if !payments.is_empty() {
            self.rows = PAGE.next(payments.iter().map(Payment::memory_bytes));
        }
        let payments: HashMap<PaymentId, Payment> =
            payments.into_iter().map(|payment| (payment.id(), payment)).collect();
        let opened = self.opened.drain(..count);
        let still = |(id, work): (PaymentId, Vec<WorkKey>)| {
            let payment = payments.get(&id)?;
            queued(payment, |operation| work.contains(&payment.work_of(operation)))
        };
        Ok(opened.filter_map(still).collect())
    }
}

fn queued(payment: &Payment, wanted: impl Fn(&Operation) -> bool) -> Option<Found> {
    let work: Vec<WorkKey> = payment
        .queued_operations()
        .filter(|operation| wanted(operation))
        .map(|operation| payment.work_of(operation))
        .collect();
    (!work.is_empty()).then(|| Found { payment: payment.id(), work })
}
