//! Answers to callers whose key was recognised: they need another look into the store, which nobody else waits for.
//!
//! Bounded in bytes: a payment may be large, and many keys may be recognised at once.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

use super::answer::{Changed, Done, EngineError, Outcome as Answer};
use super::decide_batch::{Decided, Told};
use super::envelope::Envelope;
use crate::domain::ids::PaymentId;
use crate::domain::payment::Payment;
use crate::store::{Page, Store, StoreError};

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

    /// Answers these with what their keys refer to.
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

async fn answer_all(store: &dyn Store, replays: Vec<(Envelope, Decided)>, seq: u64) {
    let mut payments = Vec::new();
    for (envelope, decided) in replays {
        match decided.told {
            Told::StoredPayment(id) => payments.push((envelope, decided, id)),
            Told::StoredAnswer(key, owner) => {
                let answer = store.answer_get(&key, owner).await.unwrap_or_else(unread);
                // What is kept with the key goes with the key: only a store that lost it does not have it.
                let told = answer.map(|answer| done(&decided, Told::Resource(Some(answer.into())), seq));
                envelope.answer(told.flatten().ok_or(EngineError::Unavailable { maybe_done: true }));
            }
            Told::Payment(_) | Told::Resource(_) => {
                let told = done(&decided, decided.told.clone(), seq);
                envelope.answer(told.ok_or(EngineError::Unavailable { maybe_done: true }));
            }
        }
    }
    answer_payments(store, payments, seq).await;
}

async fn answer_payments(store: &dyn Store, mut replays: Vec<(Envelope, Decided, PaymentId)>, seq: u64) {
    let mut rows = PAGE.first();
    while !replays.is_empty() {
        let count = usize::try_from(rows).unwrap_or(usize::MAX).min(replays.len());
        let page: Vec<_> = replays.drain(..count).collect();
        let ids: Vec<PaymentId> = page.iter().map(|(_, _, id)| *id).collect();
        let found: Vec<Arc<Payment>> =
            store.payment_get(&ids).await.unwrap_or_else(unread).into_iter().map(Arc::new).collect();
        rows = PAGE.next(found.iter().map(|payment| payment.memory_bytes()));
        for (envelope, decided, id) in page {
            let payment = found.iter().find(|payment| payment.id() == id);
            let told = payment.and_then(|payment| done(&decided, Told::Payment(Arc::clone(payment)), seq));
            envelope.answer(told.ok_or(EngineError::Unavailable { maybe_done: true }));
        }
    }
}

/// The store's adapter logs that it is away, or that it is damaged.
fn unread<T: Default>(error: StoreError) -> T {
    tracing::debug!(error = %error, "what recognised keys refer to could not be read");
    T::default()
}

/// What a caller hears; `None` where the store has to be asked once more.
pub(super) fn done(decided: &Decided, told: Told, seq: u64) -> Option<Answer> {
    let Decided { subject, version, replayed, .. } = *decided;
    match told {
        Told::Payment(payment) => Some(Answer::Payment(Done { payment, version, replayed, seq })),
        Told::Resource(answer) => Some(Answer::Resource(Changed { subject, version, answer, replayed, seq })),
        Told::StoredPayment(_) | Told::StoredAnswer(..) => None,
    }
}
