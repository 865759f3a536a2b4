//! Rebuilds the search index from the store, in a generation beside the one that serves.

use std::time::Duration;

use super::follower::ReaderError;
use super::gap::Gap;
use super::mirror;
use crate::domain::payment::Payment;
use crate::engine::journal;
use crate::search::{AccountNames, Filling, Generation, PaymentDocument, SearchIndex};
use crate::store::{Page, PipelineStore};

/// Payments read, made into documents and applied at once.
const PAGE: Page = Page { rows_max: 1_000, bytes_max: 4 << 20 };
const CATCH_UP_PAGE: u32 = 64;
/// Payments applied at once where their size is not known beforehand.
const APPLY_MAX: usize = 250;
/// Counting payments must not hold up filling the index.
const COUNT_WITHIN: Duration = Duration::from_secs(2);

/// Rebuilds the index from the store while the old one serves. Returns how many documents it has, and the position after
/// which the journal has to be read again.
///
/// # Errors
/// If the store or the index fails; the old index goes on serving then.
pub async fn rebuild(
    store: &dyn PipelineStore,
    search: &dyn SearchIndex,
    names: &(dyn AccountNames + Send + Sync),
) -> Result<(usize, u64), ReaderError> {
    let position = store.head().await?;
    let generation = search.begin_generation().await?;
    let count = match fill(store, search, names, generation.as_ref()).await {
        Ok(count) => count,
        Err(error) => {
            // Otherwise each attempt would leave its files behind, on a full disk for example.
            generation.abandon().await;
            return Err(error);
        }
    };
    mirror::note(store, search, position).await?;
    generation.finish(position).await?;
    Ok((count, position))
}

/// Applies every payment there is to a new generation.
async fn fill(
    store: &dyn PipelineStore,
    search: &dyn SearchIndex,
    names: &(dyn AccountNames + Send + Sync),
    generation: &dyn Generation,
) -> Result<usize, ReaderError> {
    // Only where someone waits for it: counting is not free.
    let waited_for = search.filling().borrow().is_some();
    let mut filling = Filling { payments: 0, of: if waited_for { payments(store).await } else { None } };
    let (mut after, mut count) = (None, 0);
    let mut rows = PAGE.first();
    loop {
        if waited_for {
            search.note_filling(filling);
        }
        let page = store.payment_scan(after, rows).await?;
        let Some(last) = page.last() else { return Ok(count) };
        rows = PAGE.next(page.iter().map(Payment::memory_bytes));
        after = Some(last.id());
        let documents: Vec<PaymentDocument> =
            page.iter().flat_map(|payment| PaymentDocument::of(payment, names)).collect();
        generation.apply(&documents).await?;
        count += documents.len();
        filling.payments += u64::try_from(page.len()).unwrap_or(0);
    }
}

/// How many payments there are, if the store can count them quickly.
async fn payments(store: &dyn PipelineStore) -> Option<u64> {
    let counting = async { store.snapshot().await?.counts().await };
    let counts = tokio::time::timeout(COUNT_WITHIN, counting).await.ok()?.ok()?;
    Some(counts.payments)
}

/// Applies what was committed after `position`, for a rebuild beside a server whose own reader wrote it to the old
/// generation. Returns the head it has reached.
///
/// # Errors
/// If the store or the index fails.
pub async fn catch_up(
    store: &dyn PipelineStore,
    search: &dyn SearchIndex,
    names: &(dyn AccountNames + Send + Sync),
    mut position: u64,
) -> Result<u64, ReaderError> {
    let mut gap: Option<Gap> = None;
    loop {
        let records = store.journal_read(position, CATCH_UP_PAGE).await?;
        let Some(last) = records.last() else {
            // What the unreadable rows have changed.
            while let Some(missing) = &mut gap
                && let Some(found) = missing.next(store).await?
            {
                apply(search, names, &found).await?;
            }
            mirror::note(store, search, position).await?;
            search.commit(position).await?;
            return Ok(position);
        };
        position = last.seq;
        let mut touched = Vec::new();
        for record in &records {
            match journal::decode_changes(&record.body) {
                Ok(entries) => touched.extend(entries.iter().map(|entry| entry.payment)),
                Err(_) => gap = Some(Gap::at(record).and(gap.take())),
            }
        }
        touched.sort_unstable();
        touched.dedup();
        for chunk in touched.chunks(APPLY_MAX) {
            apply(search, names, &store.payment_get(chunk).await?).await?;
        }
    }
}

async fn apply(
    search: &dyn SearchIndex,
    names: &(dyn AccountNames + Send + Sync),
    payments: &[Payment],
) -> Result<(), ReaderError> {
    let documents: Vec<PaymentDocument> =
        payments.iter().flat_map(|payment| PaymentDocument::of(payment, names)).collect();
    search.apply(&documents).await?;
    Ok(())
}
