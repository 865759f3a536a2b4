//! Answers callers whose key was recognised: that needs another read of the store, which nobody else waits for.
//!
//! Bounded in bytes: a payment may be large, and many keys may be recognised at once.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::answer::{Changed, Done, EngineError};
use super::envelope::{ChangeEnvelope, PaymentEnvelope};
use crate::domain::ids::{AccountId, PaymentId};
use crate::domain::payment::Payment;
use crate::domain::subject::Subject;
use crate::store::{Page, PipelineStore, StoreError};

/// Payments that are read at once, and about how many bytes they may hold.
const PAGE: Page = Page { rows_max: 256, bytes_max: 1 << 20 };
/// How many such reads there are at once.
const READS_MAX: usize = 4;

/// A recognised key of a command about a payment, which is still to be read.
pub(super) struct ReplayedPayment {
    pub envelope: PaymentEnvelope,
    pub id: PaymentId,
    pub version: u32,
}

/// A recognised key of a change, whose answer is still to be read.
pub(super) struct ReplayedChange {
    pub envelope: ChangeEnvelope,
    pub subject: Subject,
    pub version: u32,
    /// The key and its owner.
    pub kept_for: ([u8; 32], AccountId),
}

/// What is still to be read of a batch.
#[derive(Default)]
pub(super) struct Unread {
    pub payments: Vec<ReplayedPayment>,
    pub changes: Vec<ReplayedChange>,
}

/// The answers that are under way.
pub(super) struct Replays {
    store: Arc<dyn PipelineStore>,
    tasks: TaskTracker,
    reads: Arc<Semaphore>,
}

impl Replays {
    pub fn new(store: Arc<dyn PipelineStore>) -> Self {
        Self { store, tasks: TaskTracker::new(), reads: Arc::new(Semaphore::new(READS_MAX)) }
    }

    /// Answers these with what their keys refer to.
    pub fn answer(&self, unread: Unread, seq: u64) {
        if unread.payments.is_empty() && unread.changes.is_empty() {
            return;
        }
        let (store, reads) = (Arc::clone(&self.store), Arc::clone(&self.reads));
        self.tasks.spawn(async move {
            // It is never closed; if it were, they would be answered all the same.
            let _turn = reads.acquire_owned().await;
            answer_changes(store.as_ref(), unread.changes, seq).await;
            answer_payments(store.as_ref(), unread.payments, seq).await;
        });
    }

    /// Waits for the last answers.
    pub async fn finish(self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

async fn answer_changes(store: &dyn PipelineStore, replays: Vec<ReplayedChange>, seq: u64) {
    for ReplayedChange { envelope, subject, version, kept_for: (key, owner) } in replays {
        let answer = store.answer_get(&key, owner).await.unwrap_or_else(unread);
        let changed =
            |answer: Vec<u8>| Changed { subject, version, answer: Some(answer.into()), replayed: true, seq };
        // What is kept with the key goes with the key: only a store that lost it does not have it.
        envelope.answer(answer.map(changed).ok_or(EngineError::Unavailable { maybe_done: true }));
    }
}

async fn answer_payments(store: &dyn PipelineStore, mut replays: Vec<ReplayedPayment>, seq: u64) {
    let mut rows = PAGE.first();
    while !replays.is_empty() {
        let count = usize::try_from(rows).unwrap_or(usize::MAX).min(replays.len());
        let page: Vec<_> = replays.drain(..count).collect();
        let ids: Vec<PaymentId> = page.iter().map(|replay| replay.id).collect();
        let found: Vec<Arc<Payment>> =
            store.payment_get(&ids).await.unwrap_or_else(unread).into_iter().map(Arc::new).collect();
        rows = PAGE.next(found.iter().map(|payment| payment.memory_bytes()));
        for ReplayedPayment { envelope, id, version } in page {
            let payment = found.iter().find(|payment| payment.id() == id).map(Arc::clone);
            let done = payment.map(|payment| Done { payment, version, replayed: true, seq });
            envelope.answer(done.ok_or(EngineError::Unavailable { maybe_done: true }));
        }
    }
}

/// The store's adapter logs that it is unavailable or damaged.
fn unread<T: Default>(error: StoreError) -> T {
    tracing::debug!(error = %error, "what recognised keys refer to could not be read");
    T::default()
}
