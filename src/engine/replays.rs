//! Answers to callers whose key was recognised: they need another look into the store, which nobody else waits for.
//!
//! Bounded in bytes: a payment may be large, and many keys may be recognised at once.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::decide_batch::Decided;
use super::envelope::Envelope;
use super::handle::EngineError;
use super::writer::done;
use crate::domain::ids::PaymentId;
use crate::domain::payment::Payment;
use crate::store::{Page, Store};

/// Payments that are read at once, and about how many bytes they may hold.
const PAGE: Page = Page { rows_max: 256, bytes_max: 1 << 20 };
/// How many such reads there are at once.
const READS_MAX: usize = 4;

/// The answers that are under way.
pub(super) struct Replays {
    store: Arc<dyn Store>,
    tasks: TaskTracker,
    reads: Arc<Semaphore>,
}

impl Replays {
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, tasks: TaskTracker::new(), reads: Arc::new(Semaphore::new(READS_MAX)) }
    }

    /// Answers these with the payments that their keys refer to.
    pub fn answer(&self, replays: Vec<(Envelope, Decided)>, seq: u64) {
        if replays.is_empty() {
            return;
        }
        let (store, reads) = (Arc::clone(&self.store), Arc::clone(&self.reads));
        self.tasks.spawn(async move {
            // It is never closed; if it were, they would be answered all the same.
            let _turn = reads.acquire_owned().await;
            answer_all(store.as_ref(), replays, seq).await;
        });
    }

    /// Waits for the last answers.
    pub async fn finish(self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

async fn answer_all(store: &dyn Store, mut replays: Vec<(Envelope, Decided)>, seq: u64) {
    let mut rows = PAGE.first();
    while !replays.is_empty() {
        let count = usize::try_from(rows).unwrap_or(usize::MAX).min(replays.len());
        let page: Vec<(Envelope, Decided)> = replays.drain(..count).collect();
        let ids: Vec<PaymentId> = page.iter().map(|(_, decided)| decided.payment_id).collect();
        let found: Vec<Arc<Payment>> = match store.payment_get(&ids).await {
            Ok(payments) => payments.into_iter().map(Arc::new).collect(),
            Err(error) => {
                // The store's adapter logs that it is away, or that it is damaged.
                tracing::debug!(error = %error, "payments of recognised keys could not be read");
                Vec::new()
            }
        };
        rows = PAGE.next(found.iter().map(|payment| payment.memory_bytes()));
        for (envelope, decided) in page {
            let payment = found.iter().find(|payment| payment.id() == decided.payment_id);
            let done = payment.map(|payment| done(&decided, Arc::clone(payment), seq));
            envelope.answer(done.ok_or(EngineError::Unavailable { maybe_done: true }));
        }
    }
}
