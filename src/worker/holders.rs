//! Who the cardholders of some payments are. Read from the store only where a scenario's answers depend on it: for a few payments at
//! once, by their keys, from rows that are written before the payment and never change.
//!
//! May depend on the store's port and `domain`.

use std::sync::Arc;

use super::worlds::Worlds;
use crate::domain::holder::Holder;
use crate::domain::ids::{IdMap, PaymentId};
use crate::domain::payment::Payment;
use crate::store::{PipelineStore, StoreResult};

/// The cardholders of payments, as far as they are needed and known.
#[derive(Debug, Default)]
pub(super) struct Holders(IdMap<PaymentId, Holder>);

impl Holders {
    /// Reads those that the worlds of these payments ask for.
    ///
    /// # Errors
    /// The store's.
    pub(super) async fn read<'p>(
        store: &dyn PipelineStore,
        worlds: &Worlds,
        payments: impl Iterator<Item = &'p Arc<Payment>>,
    ) -> StoreResult<Self> {
        let keys: Vec<([u8; 16], u64)> = payments
            .filter(|payment| are_asked_for(worlds, payment))
            .filter_map(|payment| Some((*payment.id().as_bytes(), payment.state().instrument?.detail()?)))
            .collect();
        if keys.is_empty() {
            return Ok(Self::default());
        }
        let found = store.detail_get(&keys).await?;
        let holder = |body: &[u8], subject| Some((PaymentId::from_bytes(subject), Holder::of_detail(body)?));
        Ok(Self(found.iter().filter_map(|record| holder(&record.body, record.subject)).collect()))
    }

    /// The cardholder of this payment.
    pub(super) fn of(&self, payment: &Payment) -> Option<&Holder> {
        self.0.get(&payment.id())
    }
}

fn are_asked_for(worlds: &Worlds, payment: &Payment) -> bool {
    payment.operations().any(|operation| {
        let world = worlds.of(payment.owner(), operation.scenario);
        world.is_some_and(|world| world.is_ok_and(|outside| outside.asks_for_holder()))
    })
}
