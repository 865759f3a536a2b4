//! Checks whether the search index mirrors this store and its history.
//!
//! A store can be emptied, replaced, or restored to an earlier day while the index beside it stays as it was; search
//! would then find payments that never existed, permanently. So every few seconds the index notes which store it mirrors
//! and a position in its journal; what came after that position shows in the payments that changed last.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::follower::ReaderError;
use crate::domain::ids::{BatchId, InstallationId, PaymentId};
use crate::search::{Mirrored, SearchIndex};
use crate::store::PipelineStore;

/// The key under which a store keeps its installation's id.
const INSTALLATION: &str = "installation";
/// How often a position is noted in the index: it costs a read of the journal.
const EVERY: Duration = Duration::from_secs(5);
/// How many of the payments that changed last are compared.
const NEWEST: usize = 64;

/// Notes in the index which history it mirrors.
#[derive(Debug, Default)]
pub struct Mirror {
    noted_at: Option<Instant>,
}

impl Mirror {
    /// Notes that everything up to `position` is in the index, unless that was done a moment ago.
    ///
    /// # Errors
    /// The store's.
    pub async fn note_now_and_then(
        &mut self,
        store: &dyn PipelineStore,
        search: &dyn SearchIndex,
        position: u64,
    ) -> Result<(), ReaderError> {
        if self.noted_at.is_none_or(|at| at.elapsed() >= EVERY) {
            note(store, search, position).await?;
            self.noted_at = Some(Instant::now());
        }
        Ok(())
    }
}

/// Notes in the index that it mirrors this store up to `position`.
///
/// # Errors
/// The store's.
pub async fn note(
    store: &dyn PipelineStore,
    search: &dyn SearchIndex,
    position: u64,
) -> Result<(), ReaderError> {
    let installation = installation(store).await?;
    let batch = match position {
        0 => Some(BatchId::from_bytes([0; 16])),
        _ => batch_at(store, position).await?,
    };
    // A position whose row is past retention proves nothing; the one noted before it stays.
    if let Some(batch) = batch {
        search.note_mirrored(Mirrored { installation, seq: position, batch });
    }
    Ok(())
}

/// Why the index does not mirror this store's history; `None` if it does, as far as can be seen.
///
/// # Errors
/// If the store or the index cannot be read.
pub async fn difference(
    store: &dyn PipelineStore,
    search: &dyn SearchIndex,
    head: u64,
) -> Result<Option<String>, ReaderError> {
    if let Some(mirrored) = search.mirrored().await? {
        if mirrored.installation != installation(store).await? {
            return Ok(Some("it mirrors another store".to_owned()));
        }
        let seq = mirrored.seq;
        if seq > head {
            return Ok(Some(format!("it has come to position {seq}, the store only to {head}")));
        }
        let batch = batch_at(store, seq).await?;
        if batch.is_some_and(|batch| batch != mirrored.batch) {
            return Ok(Some(format!("the store has another batch at position {seq}")));
        }
    }
    let newest = search.newest(NEWEST).await?;
    let ids: Vec<PaymentId> = newest.iter().map(|(id, _)| *id).collect();
    // Read after the index: what is committed in between only makes the store newer.
    let payments = if ids.is_empty() { Vec::new() } else { store.payment_get(&ids).await? };
    let known: HashMap<PaymentId, u64> =
        payments.iter().map(|payment| (payment.id(), u64::from(payment.version()))).collect();
    let ahead = newest.iter().find(|(id, version)| known.get(id).is_none_or(|known| known < version));
    Ok(ahead.map(|(id, version)| format!("the store does not have version {version} of {id}")))
}

/// The id of the store's installation.
async fn installation(store: &dyn PipelineStore) -> Result<InstallationId, ReaderError> {
    let kept = store.installation_set_once(INSTALLATION, InstallationId::generate().as_bytes()).await?;
    InstallationId::from_slice(&kept)
        .ok_or_else(|| ReaderError::Broken("the name of this installation does not have 16 bytes".to_owned()))
}

/// The batch at this position; `None` if its row is past retention.
async fn batch_at(store: &dyn PipelineStore, seq: u64) -> Result<Option<BatchId>, ReaderError> {
    let Some(before) = seq.checked_sub(1) else { return Ok(None) };
    let row = store.journal_read(before, 1).await?.into_iter().next();
    Ok(row.filter(|row| row.seq == seq).map(|row| row.batch))
}
