//! Whether the index mirrors this store, and the past that this store has.
//!
//! A store can be emptied, exchanged, or put back to an earlier day while the index beside it stays as it was; then documents of
//! payments that never were would be found for ever. So the index keeps whose past it mirrors and a place in it, every few
//! seconds; what came after that place shows in the payments that changed last.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::follower::ReaderError;
use crate::domain::ids::{BatchId, InstallationId, PaymentId};
use crate::search::{Mirrored, SearchIndex};
use crate::store::Store;

/// Under which name a store keeps whose it is.
const INSTALLATION: &str = "installation";
/// How often the index is told a place: it costs a read of the journal.
const EVERY: Duration = Duration::from_secs(5);
/// How many of the payments that changed last are compared.
const NEWEST: usize = 64;

/// Tells the index which past it mirrors.
#[derive(Debug, Default)]
pub struct Mirror {
    told_at: Option<Instant>,
}

impl Mirror {
    /// Tells it that everything up to `position` is in the index, unless that was done a moment ago.
    ///
    /// # Errors
    /// The store's.
    pub async fn tell_now_and_then(
        &mut self,
        store: &dyn Store,
        search: &dyn SearchIndex,
        position: u64,
    ) -> Result<(), ReaderError> {
        if self.told_at.is_none_or(|at| at.elapsed() >= EVERY) {
            tell(store, search, position).await?;
            self.told_at = Some(Instant::now());
        }
        Ok(())
    }
}

/// Tells the index that it mirrors this store up to `position`.
///
/// # Errors
/// The store's.
pub async fn tell(store: &dyn Store, search: &dyn SearchIndex, position: u64) -> Result<(), ReaderError> {
    let installation = installation(store).await?;
    let batch = match position {
        0 => Some(BatchId::from_bytes([0; 16])),
        _ => batch_at(store, position).await?,
    };
    // A place whose row is past retention tells nothing; the one before it stays.
    if let Some(batch) = batch {
        search.note_mirrored(Mirrored { installation, seq: position, batch });
    }
    Ok(())
}

/// Why the index mirrors another past than this store's; `None` if it mirrors this one, as far as can be told.
///
/// # Errors
/// If the store or the index cannot be read.
pub async fn difference(
    store: &dyn Store,
    search: &dyn SearchIndex,
    head: u64,
) -> Result<Option<String>, ReaderError> {
    if let Some(mirrored) = search.mirrored().await? {
        if mirrored.installation != installation(store).await? {
            return Ok(Some("it mirrors another store".to_owned()));
        }
        let seq = mirrored.seq;
        if seq > head {
            return Ok(Some(format!("it has come to place {seq}, the store only to {head}")));
        }
        let batch = batch_at(store, seq).await?;
        if batch.is_some_and(|batch| batch != mirrored.batch) {
            return Ok(Some(format!("the store has another batch at place {seq}")));
        }
    }
    let newest = search.newest(NEWEST).await?;
    let ids: Vec<PaymentId> = newest.iter().map(|(id, _)| *id).collect();
    // Read after the index was: what is committed meanwhile only makes it younger.
    let payments = if ids.is_empty() { Vec::new() } else { store.payment_get(&ids).await? };
    let known: HashMap<PaymentId, u64> =
        payments.iter().map(|payment| (payment.id(), u64::from(payment.version()))).collect();
    let ahead = newest.iter().find(|(id, version)| known.get(id).is_none_or(|known| known < version));
    Ok(ahead.map(|(id, version)| format!("the store does not have version {version} of {id}")))
}

/// Whose store this is.
async fn installation(store: &dyn Store) -> Result<InstallationId, ReaderError> {
    let kept = store.installation_set_once(INSTALLATION, InstallationId::generate().as_bytes()).await?;
    InstallationId::from_slice(&kept)
        .ok_or_else(|| ReaderError::Broken("the name of this installation does not have 16 bytes".to_owned()))
}

/// Which batch has this place; `None` if its row is past retention.
async fn batch_at(store: &dyn Store, seq: u64) -> Result<Option<BatchId>, ReaderError> {
    let Some(before) = seq.checked_sub(1) else { return Ok(None) };
    let row = store.journal_read(before, 1).await?.into_iter().next();
    Ok(row.filter(|row| row.seq == seq).map(|row| row.batch))
}
