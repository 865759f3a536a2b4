//! Hands every committed batch to the live hub, whichever instance committed it. Each instance runs its own live reader
//! from its start on. It stores no cursor, but its position survives failed reads: what was committed in between is
//! published afterwards. If the journal itself has a gap (it was pruned), the hub says so, and browsers resync.

use std::sync::Arc;

use async_trait::async_trait;

use super::batch::Batch;
use super::follower::{Reader, ReaderError};
use super::live::LiveHub;
use crate::domain::ids::PaymentId;
use crate::store::PipelineStore;

/// Publishes committed batches to the hub.
pub struct LiveReader {
    store: Arc<dyn PipelineStore>,
    hub: Arc<LiveHub>,
    /// Published up to here; `None` before it first began.
    position: Option<u64>,
}

impl LiveReader {
    /// A reader that feeds this hub.
    #[must_use]
    pub fn new(store: Arc<dyn PipelineStore>, hub: Arc<LiveHub>) -> Self {
        Self { store, hub, position: None }
    }

    /// The batch with the payments that someone watches loaded, where another instance committed it.
    async fn complete(&self, batch: &Arc<Batch>) -> Result<Arc<Batch>, ReaderError> {
        let missing: Vec<PaymentId> = batch
            .entries
            .iter()
            .filter(|entry| entry.payment.is_none() && self.hub.wants(entry))
            .map(|entry| entry.payment_id)
            .collect();
        if missing.is_empty() {
            return Ok(Arc::clone(batch));
        }
        let mut complete = Batch::clone(batch);
        for payment in self.store.payment_get(&missing).await?.into_iter().map(Arc::new) {
            let same = complete.entries.iter_mut().filter(|entry| entry.payment_id == payment.id());
            same.for_each(|entry| entry.payment = Some(Arc::clone(&payment)));
        }
        Ok(Arc::new(complete))
    }
}

#[async_trait]
impl Reader for LiveReader {
    fn name(&self) -> &'static str {
        "live"
    }

    async fn begin(&mut self, stored: u64, _head: u64) -> Result<u64, ReaderError> {
        Ok(*self.position.get_or_insert(stored))
    }

    async fn apply(&mut self, batches: &[Arc<Batch>]) -> Result<(), ReaderError> {
        for batch in batches {
            let batch = self.complete(batch).await?;
            if let Err(error) = self.hub.prepare(&batch).await {
                tracing::debug!(error = %error, "names could not be read; rows show ids");
            }
            if self.position.is_some_and(|position| batch.seq != position + 1) {
                tracing::warn!(
                    after = self.position,
                    seq = batch.seq,
                    "batches are missing in the journal; pages resync"
                );
                self.hub.missed();
            }
            self.hub.publish(&batch);
            self.position = Some(batch.seq);
        }
        Ok(())
    }

    async fn pass_over(&mut self, upto: u64) -> Result<(), ReaderError> {
        self.hub.missed();
        self.position = Some(upto);
        Ok(())
    }

    fn safe(&self) -> u64 {
        self.position.unwrap_or(0)
    }
}
