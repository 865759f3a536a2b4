//! Reads the terms of payments at versions that a later amendment has replaced.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::domain::payment::Payment;
use crate::store::{Store, StoreError, StoreResult};

/// Reads the terms of these payments, each at its version. Asks the store only about terms that have not been read.
///
/// # Errors
/// The store's; [`StoreError::Damaged`] where an amendment is missing or cannot be read.
pub async fn read<'a>(
    store: &dyn Store,
    payments: impl IntoIterator<Item = &'a mut Payment>,
) -> StoreResult<()> {
    let unread = |payment: &'a mut Payment| payment.unread_terms().map(|(version, _)| (version, payment));
    let unread: Vec<(u32, &mut Payment)> = payments.into_iter().filter_map(unread).collect();
    if unread.is_empty() {
        return Ok(());
    }
    let key = |version: u32, payment: &Payment| (*payment.id().as_bytes(), u64::from(version));
    let keys: BTreeSet<_> = unread.iter().map(|(version, payment)| key(*version, payment)).collect();
    let found = store.detail_get(&keys.into_iter().collect::<Vec<_>>()).await?;
    let terms = found.iter().filter_map(|record| Some(((record.subject, record.id), record.terms()?)));
    let terms: HashMap<_, _> = terms.map(|(key, terms)| (key, Arc::new(terms))).collect();
    for (version, payment) in unread {
        // Written together with the event: it can only be missing if the store lost it.
        let lost = || StoreError::Damaged(format!("payment {}: what version {version} says", payment.id()));
        let terms = terms.get(&key(version, payment)).map(Arc::clone).ok_or_else(lost)?;
        payment.read_terms(version, terms);
    }
    Ok(())
}
