//! Looks up the payments that rows of other kinds name, together.

use std::collections::HashMap;

use crate::domain::ids::PaymentId;
use crate::store::{AuditPayment, Snapshot, StoreError};

/// The payments with these ids; unknown ones are left out. An id may be given more than once.
///
/// # Errors
/// The store's.
pub async fn payments_named(
    snapshot: &mut dyn Snapshot,
    ids: impl Iterator<Item = PaymentId>,
) -> Result<HashMap<PaymentId, AuditPayment>, StoreError> {
    let mut ids: Vec<PaymentId> = ids.collect();
    // In the order of the table, each once.
    ids.sort_unstable();
    ids.dedup();
    let found = snapshot.payments_by_id(&ids).await?;
    Ok(found.into_iter().map(|payment| (payment.id, payment)).collect())
}
