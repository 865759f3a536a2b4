//! Mirrors payments into the search index, with one write per payment where possible.
//!
//! A payment that is under way is held back for a moment: most come to rest within it, and one document is written
//! instead of two. So is an amended one, since amendments often follow each other. What is still open after that is
//! written as it stands.

use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use super::batch::Batch;
use super::follower::{Reader, ReaderError};
use super::gap::Gap;
use super::mirror::{self, Mirror};
use crate::domain::card_numbers::masked;
use crate::domain::ids::{AccountId, IdMap, PaymentId};
use crate::domain::payment::Payment;
use crate::domain::stages::Stages;
use crate::domain::submission::Kind;
use crate::domain::time::Timestamp;
use crate::engine::counters::{Counters, add};
use crate::search::{AccountNames, Filling, PaymentDocument, SearchError, SearchIndex};
use crate::store::{Page, PipelineStore};

pub use super::rebuild::{catch_up, rebuild};

/// The name of the cursor and the lease.
pub const NAME: &str = "index";
/// How long a payment that is open, or was amended, is held back.
const SETTLE_WINDOW: Duration = Duration::from_millis(1_000);
const COMMIT_EVERY: Duration = Duration::from_millis(300);
/// With this many payments written since, a commit may wait longer: fewer, larger segments cost less to merge.
const BUSY_FROM: usize = 1_000;
const BUSY_COMMIT_EVERY: Duration = Duration::from_millis(1_000);
/// With more payments or bytes held back than this, everything is written.
const PENDING_MAX: usize = 20_000;
const HELD_BYTES_MAX: usize = 8 << 20;
/// Payments whose documents are made and applied at once, and about how many bytes they may hold.
const APPLY: Page = Page { rows_max: 1_000, bytes_max: 4 << 20 };

/// How long one tick may search the payments for changes missing in the journal.
const REPAIR_FOR: Duration = Duration::from_millis(50);

/// With this many payments ready, they are written before the next tick.
const READY_MAX: usize = 1_000;

/// A payment whose document has been committed, for the listener.
#[derive(Debug, Clone, Copy)]
pub struct Indexed {
    /// Which payment was indexed.
    pub payment: PaymentId,
    /// Its submitter.
    pub owner: AccountId,
    /// Its kind, which its public id shows.
    pub kind: Kind,
    /// When it was requested, in wall-clock time.
    pub asked_at: Timestamp,
    /// How long it took to come to its present rest, in microseconds.
    pub settled_us: u64,
    /// Whether the indexed version is the one that came to rest; else it has changed since.
    pub settles: bool,
}

impl Indexed {
    /// `None` for a payment that is under way: it is indexed again anyway.
    fn of(payment: &Payment) -> Option<Self> {
        let stages = payment.state().status.is_at_rest().then(|| Stages::of(payment))?;
        let submission = payment.submission();
        Some(Self {
            payment: submission.id,
            owner: submission.owner,
            kind: submission.kind,
            asked_at: payment.asked_at(),
            settled_us: stages.settled_us.unwrap_or(0),
            settles: payment.version() == stages.settled_version,
        })
    }
}

/// Receives the payments that have become searchable.
pub trait IndexListener: Send + Sync + 'static {
    /// Called once these are in the index, as they came to rest.
    fn indexed(&self, payments: &[Indexed]);
}

/// The reader that keeps the search index up to date.
pub struct Index {
    store: Arc<dyn PipelineStore>,
    search: Arc<dyn SearchIndex>,
    names: Arc<dyn AccountNames + Send + Sync>,
    listener: Arc<dyn IndexListener>,
    counters: Arc<Counters>,
    pending: IdMap<PaymentId, Pending>,
    /// Bytes that the payments in `pending` hold.
    held_bytes: usize,
    /// How many of them are written at once next.
    apply_rows: u32,
    /// Those of them that need not wait any longer; may hold duplicates.
    ready: Vec<PaymentId>,
    /// Taken from the journal up to here.
    read: u64,
    /// Applied and not yet committed: how many, and those at rest, for the listener.
    applied: usize,
    at_rest: Vec<Indexed>,
    /// A gap in the journal whose changes are being read from the payments. Nothing from there on is safe until they are.
    gap: Option<Gap>,
    /// Committed up to here.
    safe: u64,
    committed_at: Instant,
    mirror: Mirror,
}

struct Pending {
    /// The first batch of this payment that is not in the index.
    seq: u64,
    since: Instant,
    /// `None`: to be read from the store.
    payment: Option<Arc<Payment>>,
}

impl Index {
    /// An index reader over this store and index.
    #[must_use]
    pub fn new(
        store: Arc<dyn PipelineStore>,
        search: Arc<dyn SearchIndex>,
        names: Arc<dyn AccountNames + Send + Sync>,
        listener: Arc<dyn IndexListener>,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            store,
            search,
            names,
            listener,
            counters,
            pending: IdMap::default(),
            held_bytes: 0,
            apply_rows: APPLY.first(),
            ready: Vec::new(),
            read: 0,
            applied: 0,
            at_rest: Vec::new(),
            gap: None,
            safe: 0,
            committed_at: Instant::now(),
            mirror: Mirror::default(),
        }
    }

    fn note(&mut self, batch: &Batch) {
        let since = Instant::now();
        for entry in &batch.entries {
            let pending = self.pending.entry(entry.payment_id).or_insert_with(|| Pending {
                seq: batch.seq,
                since,
                payment: None,
            });
            self.held_bytes -= bytes_of(pending.payment.as_ref());
            self.held_bytes += bytes_of(entry.payment.as_ref());
            pending.payment.clone_from(&entry.payment);
            let rests = entry.payment.as_ref().is_none_or(|payment| payment.operations().next().is_none());
            if rests && !entry.only_amends() {
                self.ready.push(entry.payment_id);
            }
        }
        self.read = batch.seq;
    }

    /// Notes a gap between the batch taken last and `next`.
    async fn note_gap(&mut self, next: u64) -> Result<(), ReaderError> {
        if let Some(gap) = Gap::between(self.store.as_ref(), self.read, next).await? {
            tracing::warn!(
                after = self.read,
                before = next,
                "the journal has a gap; search reads the payments"
            );
            self.gap = Some(gap.and(self.gap.take()));
        }
        Ok(())
    }

    /// Looks through the next payments for what a gap may have changed.
    async fn repair_gap(&mut self) -> Result<(), ReaderError> {
        let until = Instant::now() + REPAIR_FOR;
        while let Some(gap) = &mut self.gap
            && Instant::now() < until
        {
            let seq = gap.seq();
            let Some(found) = gap.next(self.store.as_ref()).await? else {
                tracing::info!(from = seq, "changes missing in the journal were read from the payments");
                self.gap = None;
                break;
            };
            for payment in found.into_iter().map(Arc::new) {
                self.ready.push(payment.id());
                let (since, bytes) = (Instant::now(), payment.memory_bytes());
                // One that is already pending is as new, or is read from the store anyway.
                if let Entry::Vacant(vacant) = self.pending.entry(payment.id()) {
                    vacant.insert(Pending { seq, since, payment: Some(payment) });
                    self.held_bytes += bytes;
                }
            }
            self.write_ready().await?;
        }
        Ok(())
    }

    fn holds_too_much(&self) -> bool {
        self.pending.len() > PENDING_MAX || self.held_bytes > HELD_BYTES_MAX
    }

    /// Marks what has waited long enough as ready; all of it if too much is held back.
    fn sweep(&mut self) {
        let (now, all) = (Instant::now(), self.holds_too_much());
        let due = |pending: &Pending| all || now.duration_since(pending.since) >= SETTLE_WINDOW;
        self.ready.extend(self.pending.iter().filter(|(_, pending)| due(pending)).map(|(id, _)| *id));
    }

    async fn write_ready(&mut self) -> Result<(), ReaderError> {
        let mut ids = std::mem::take(&mut self.ready);
        ids.sort_unstable();
        ids.dedup();
        let mut rest = ids.as_slice();
        while !rest.is_empty() {
            let rows = usize::try_from(self.apply_rows).unwrap_or(usize::MAX).min(rest.len());
            let (now, later) = rest.split_at(rows);
            self.write(now).await?;
            rest = later;
        }
        Ok(())
    }

    async fn write(&mut self, ids: &[PaymentId]) -> Result<(), ReaderError> {
        let mut payments: Vec<Arc<Payment>> =
            ids.iter().filter_map(|id| self.pending.get(id)?.payment.clone()).collect();
        let unknown: Vec<PaymentId> = ids
            .iter()
            .filter(|id| self.pending.get(id).is_some_and(|pending| pending.payment.is_none()))
            .copied()
            .collect();
        payments.extend(self.store.payment_get(&unknown).await?.into_iter().map(Arc::new));
        let documents: Vec<PaymentDocument> =
            payments.iter().flat_map(|payment| PaymentDocument::of(payment, self.names.as_ref())).collect();
        match self.search.apply(&documents).await {
            Ok(_) => add(&self.counters.documents, documents.len()),
            // The index took the others and will never take these: `verify` and the log name them.
            Err(SearchError::Rejected(rejected)) => {
                for document in rejected {
                    tracing::error!(document = %document.key, reason = %masked(&document.reason), "the index refused a document");
                }
            }
            Err(error) => return Err(error.into()),
        }
        for pending in ids.iter().filter_map(|id| self.pending.remove(id)) {
            self.held_bytes -= bytes_of(pending.payment.as_ref());
        }
        self.applied += payments.len();
        self.at_rest.extend(payments.iter().filter_map(|payment| Indexed::of(payment)));
        self.apply_rows = APPLY.next(payments.iter().map(|payment| payment.memory_bytes()));
        Ok(())
    }

    /// Whether the store was emptied, replaced or restored since the index was written.
    async fn mirrors_another_past(&self, head: u64) -> Result<bool, ReaderError> {
        let difference = mirror::difference(self.store.as_ref(), self.search.as_ref(), head).await?;
        if let Some(why) = &difference {
            tracing::warn!(why, "the search index does not mirror this store and is rebuilt from it");
            // The serving index holds payments that never existed here: search does not answer until it is replaced.
            self.search.note_filling(Filling::default());
        }
        Ok(difference.is_some())
    }

    async fn commit_due(&mut self) -> Result<(), ReaderError> {
        let every = if self.applied < BUSY_FROM { COMMIT_EVERY } else { BUSY_COMMIT_EVERY };
        if self.committed_at.elapsed() < every { Ok(()) } else { self.commit().await }
    }

    async fn commit(&mut self) -> Result<(), ReaderError> {
        // Below the first batch that is not wholly in the index.
        let waiting = self.pending.values().map(|pending| pending.seq);
        let position = waiting.chain(self.gap.as_ref().map(Gap::seq)).min().map_or(self.read, |seq| seq - 1);
        if self.applied == 0 && position == self.safe {
            return Ok(());
        }
        self.mirror.note_now_and_then(self.store.as_ref(), self.search.as_ref(), position).await?;
        self.search.commit(position).await?;
        self.committed_at = Instant::now();
        self.safe = position;
        self.applied = 0;
        self.listener.indexed(&std::mem::take(&mut self.at_rest));
        Ok(())
    }
}

fn bytes_of(payment: Option<&Arc<Payment>>) -> usize {
    payment.map_or(0, |payment| payment.memory_bytes())
}

impl From<SearchError> for ReaderError {
    fn from(error: SearchError) -> Self {
        match error {
            // The adapter has already noted these.
            SearchError::Unavailable(_)
            | SearchError::Backpressure
            | SearchError::Internal(_)
            | SearchError::Filling(_)
            | SearchError::Busy
            | SearchError::Closed => Self::Expected(error.to_string()),
            SearchError::Rejected(_) | SearchError::BadRequest(_) => Self::Broken(error.to_string()),
        }
    }
}

#[async_trait]
impl Reader for Index {
    fn name(&self) -> &'static str {
        NAME
    }

    async fn begin(&mut self, stored: u64, head: u64) -> Result<u64, ReaderError> {
        self.pending.clear();
        self.held_bytes = 0;
        self.ready.clear();
        self.applied = 0;
        self.at_rest.clear();
        self.gap = None;
        self.mirror = Mirror::default();
        if self.search.needs_rebuild() || self.mirrors_another_past(head).await? {
            // Batches committed during the rebuild are read from the journal afterwards.
            let names: &(dyn AccountNames + Send + Sync) = self.names.as_ref();
            let (documents, position) = rebuild(self.store.as_ref(), self.search.as_ref(), names).await?;
            tracing::info!(documents, "the search index was built from the store");
            (self.read, self.safe) = (position, position);
            return Ok(position);
        }
        // An index on this machine's disk knows best how far it got.
        let committed = self.search.committed_position().await?;
        self.read = committed.unwrap_or(stored);
        self.safe = self.read;
        Ok(self.read)
    }

    async fn apply(&mut self, batches: &[Arc<Batch>]) -> Result<(), ReaderError> {
        for batch in batches {
            self.note_gap(batch.seq).await?;
            self.note(batch);
        }
        if self.holds_too_much() {
            self.sweep();
        }
        if self.ready.len() >= READY_MAX || self.holds_too_much() {
            self.write_ready().await?;
        }
        self.commit_due().await
    }

    async fn pass_over(&mut self, upto: u64) -> Result<(), ReaderError> {
        self.note_gap(upto + 1).await?;
        self.read = upto;
        Ok(())
    }

    async fn tick(&mut self) -> Result<(), ReaderError> {
        if self.search.needs_rebuild() {
            return Err(ReaderError::Expected("the index is to be rebuilt".to_owned()));
        }
        self.repair_gap().await?;
        self.sweep();
        self.write_ready().await?;
        self.commit_due().await
    }

    async fn finish(&mut self) -> Result<(), ReaderError> {
        self.ready.extend(self.pending.keys());
        self.write_ready().await?;
        if self.gap.is_none() {
            mirror::note(self.store.as_ref(), self.search.as_ref(), self.read).await?;
        }
        self.commit().await
    }

    fn tick_every(&self) -> Duration {
        Duration::from_millis(100)
    }

    fn safe(&self) -> u64 {
        self.safe
    }
}
