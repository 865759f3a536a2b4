//! Counts payments with work in the queue, for display.

use std::collections::HashMap;

use super::NAME;
use crate::domain::ids::PaymentId;
use crate::domain::time::Timestamp;
use crate::engine::journal;
use crate::store::{PipelineStore, StoreResult};

/// Journal rows read at once, and in all: past it the reader is far behind, and what it has not read is not counted.
const ROWS_MAX: u32 = 32;
const ROWS_IN_ALL: u32 = 1_024;

/// How much work is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Open {
    /// Payments with work in the queue. One whose row is about to be written or removed may be counted too, for about a
    /// second.
    pub payments: u64,
    /// Since when the oldest of them waits; `None` if nothing waits.
    pub oldest: Option<Timestamp>,
}

/// Counts rows of the table, and what the journal beyond the cursor has opened and not closed.
///
/// # Errors
/// The store's.
pub async fn count(store: &dyn PipelineStore) -> StoreResult<Open> {
    let mut after = store.cursor_get(NAME).await?;
    let rows = store.work_open_count().await?;
    // Ids are in the order of time.
    let first = store.work_open(None, 1).await?;
    let oldest = first.first().and_then(|payment| payment.queued_operations().map(|one| one.queued_at).min());
    let mut opened: HashMap<PaymentId, Timestamp> = HashMap::new();
    for _ in 0..ROWS_IN_ALL / ROWS_MAX {
        let page = store.journal_read(after, ROWS_MAX).await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        for row in page {
            // The readers of the journal report what cannot be read.
            for entry in journal::decode_changes(&row.body).unwrap_or_default() {
                match entry.open {
                    Some(true) => opened.insert(entry.payment, row.at),
                    Some(false) => opened.remove(&entry.payment),
                    None => None,
                };
            }
        }
    }
    let payments = rows.saturating_add(opened.len().try_into().unwrap_or(u64::MAX));
    Ok(Open { payments, oldest: oldest.into_iter().chain(opened.into_values()).min() })
}
