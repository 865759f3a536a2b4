//! Finds the payments that messages name: from memory where this process queued them, else from the store in one query.

use std::sync::Arc;

use crate::domain::ids::{IdMap, PaymentId};
use crate::domain::payment::{Payment, Phase, WorkKey};
use crate::engine::OpenPayments;
use crate::store::{PipelineStore, StoreResult};

/// Memory first, then the store.
pub struct PaymentLookup {
    store: Arc<dyn PipelineStore>,
    recent: Arc<dyn OpenPayments>,
}

impl PaymentLookup {
    /// A look-up in this memory and this store.
    #[must_use]
    pub fn new(store: Arc<dyn PipelineStore>, recent: Arc<dyn OpenPayments>) -> Self {
        Self { store, recent }
    }

    /// The store behind it.
    #[must_use]
    pub fn store(&self) -> Arc<dyn PipelineStore> {
        Arc::clone(&self.store)
    }

    /// The payments that this work is about; unknown ones are left out. What memory has counts only where it has this
    /// very attempt in the queue: another process may have gone further, and then the store is asked.
    ///
    /// # Errors
    /// The store's.
    pub async fn get(
        &self,
        work: impl Iterator<Item = WorkKey>,
    ) -> StoreResult<IdMap<PaymentId, Arc<Payment>>> {
        let mut found: IdMap<PaymentId, Arc<Payment>> = IdMap::default();
        found.reserve(work.size_hint().0);
        let mut missing = Vec::new();
        for key in work {
            match self.recent.open_payment(key.payment).filter(|payment| is_queued(payment, key)) {
                Some(payment) => {
                    found.insert(key.payment, payment);
                }
                None => missing.push(key.payment),
            }
        }
        if !missing.is_empty() {
            missing.sort_unstable();
            missing.dedup();
            for payment in self.store.payment_get(&missing).await? {
                found.insert(payment.id(), Arc::new(payment));
            }
        }
        Ok(found)
    }
}

/// Whether this attempt of this operation is what the payment waits for.
pub(super) fn is_queued(payment: &Payment, key: WorkKey) -> bool {
    payment
        .operation(key.operation)
        .is_some_and(|operation| operation.attempt == key.attempt && operation.phase == Phase::Queued)
}
