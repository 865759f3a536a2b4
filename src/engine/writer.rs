//! The writer: one transaction per batch, retried while the store is away for a moment, settled when a commit's outcome
//! is unknown, and cut in two when something in it is refused, until the bad command stands alone.

use std::sync::Arc;
use std::time::Duration;

use super::counters::Counters;
use super::decide_batch::{self, Decided, DecidedBatch};
use super::handle::{Done, EngineError, Envelope};
use super::journal::JournalEntry;
use crate::domain::command::Command;
use crate::domain::decide::Policy;
use crate::domain::ids::{BatchId, PaymentId};
use crate::domain::payment::Payment;
use crate::domain::time::Timestamp;
use crate::store::{BatchWrite, Store, StoreError};

/// Pauses between attempts while the store is away; their sum is how long a caller waits before being told.
const RETRY_PAUSES_MS: [u64; 5] = [0, 50, 150, 400, 900];

/// The clock, injected so that a simulation can hold it.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A batch right after its commit.
#[derive(Debug)]
pub struct Committed {
    /// Its place in the line.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// When its commit returned.
    pub committed_at: Timestamp,
    /// The payments touched.
    pub changes: Vec<(JournalEntry, Arc<Payment>)>,
}

/// Hears of each commit of this process, in order. Must not block.
pub trait CommitListener: Send + Sync + 'static {
    /// Called once per batch, before its callers are answered.
    fn committed(&self, batch: Committed);
}

/// Runs batches against the store.
pub struct Writer {
    store: Arc<dyn Store>,
    policy: Policy,
    clock: Clock,
    listener: Arc<dyn CommitListener>,
    counters: Arc<Counters>,
}

impl Writer {
    /// A writer on this store. `listener` hears of each commit.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        policy: Policy,
        clock: Clock,
        listener: Arc<dyn CommitListener>,
        counters: Arc<Counters>,
    ) -> Self {
        Self { store, policy, clock, listener, counters }
    }

    /// Decides and commits a batch, and answers its callers. Never fails: what cannot be done is told to the callers.
    pub async fn run(&self, batch: Vec<Envelope>) {
        // A stack instead of recursion: halves of a refused batch, the earlier one on top.
        let mut stack = vec![batch];
        while let Some(mut batch) = stack.pop() {
            match self.attempt(&batch).await {
                Ok((seq, decided)) => self.complete(seq, decided, batch).await,
                Err(error) if !error.is_transient() && batch.len() > 1 => {
                    tracing::warn!(batch.len = batch.len(), error = %error, "a batch was refused and is cut in two");
                    let later = batch.split_off(batch.len() / 2);
                    stack.push(later);
                    stack.push(batch);
                }
                Err(error) => {
                    if error.is_transient() {
                        tracing::debug!(batch.len = batch.len(), error = %error, "a batch could not be committed");
                    } else {
                        tracing::error!(batch.len = batch.len(), error = %error, "a command could not be committed");
                    }
                    let told = told(error);
                    for envelope in batch {
                        // A caller that went away does not want to know.
                        let _ = envelope.reply.send(Err(told.clone()));
                    }
                }
            }
        }
    }

    /// Commits the batch, trying again while the store is away for a moment.
    async fn attempt(&self, batch: &[Envelope]) -> Result<(u64, DecidedBatch), StoreError> {
        let commands: Vec<&Command> = batch.iter().map(|envelope| &envelope.command).collect();
        let mut last = StoreError::Unavailable("not tried".to_owned());
        for pause_ms in RETRY_PAUSES_MS {
            pause(pause_ms).await;
            match self.transaction(&commands).await {
                Ok(done) => return Ok(done),
                // Only what certainly did not happen may run again.
                Err(error @ StoreError::Unavailable(_)) => {
                    tracing::debug!(error = %error, "the store is away, trying again");
                    last = error;
                }
                Err(
                    error @ (StoreError::CommitUnknown { .. }
                    | StoreError::Refused(_)
                    | StoreError::Damaged(_)),
                ) => {
                    return Err(error);
                }
            }
        }
        Err(last)
    }

    async fn transaction(&self, commands: &[&Command]) -> Result<(u64, DecidedBatch), StoreError> {
        let id = BatchId::generate();
        let keys = decide_batch::keys_of(commands.iter().copied());
        let mut decided = DecidedBatch::default();
        let mut rows = 0;
        let mut decide = |_seq: u64, loaded| {
            decided = decide_batch::decide_batch(commands, loaded, &self.policy, (self.clock)());
            rows = decided.write.rows();
            if decided.defect.is_some() { BatchWrite::default() } else { std::mem::take(&mut decided.write) }
        };
        let outcome = self.store.line_execute(id, &keys, &mut decide).await;
        let seq = match outcome {
            Ok(seq) => seq,
            Err(StoreError::CommitUnknown { seq, cause }) => {
                tracing::debug!(seq, cause, "the outcome of a commit is unknown, looking it up");
                self.settle_unknown(seq, id, cause).await?
            }
            Err(error) => return Err(error),
        };
        match decided.defect.take() {
            Some(defect) => Err(StoreError::Refused(defect)),
            None => {
                self.count(seq, commands, rows);
                Ok((seq, decided))
            }
        }
    }

    fn count(&self, seq: u64, commands: &[&Command], rows: usize) {
        self.counters.commands.add(commands.len());
        if seq > 0 {
            self.counters.commits.add(1);
            self.counters.rows.add(rows);
        }
    }

    /// Finds out whether an unknown commit took place. `Unavailable` means that it did not, so the batch may run again.
    async fn settle_unknown(&self, seq: u64, id: BatchId, cause: String) -> Result<u64, StoreError> {
        for pause_ms in [0, 50, 200, 500, 1_000, 2_000, 2_000, 2_000, 2_000] {
            pause(pause_ms).await;
            match self.store.batch_committed(seq, id).await {
                Ok(true) => return Ok(seq),
                Ok(false) => return Err(StoreError::Unavailable(cause)),
                Err(error) => tracing::debug!(seq, error = %error, "could not look the batch up"),
            }
        }
        Err(StoreError::CommitUnknown { seq, cause })
    }

    async fn complete(&self, seq: u64, decided: DecidedBatch, batch: Vec<Envelope>) {
        if seq > 0 {
            self.store.aside().take_back(decided.changes.iter().map(|(entry, _)| entry.payment));
            let fresh = |(entry, _): &&(JournalEntry, Arc<Payment>)| entry.first_version == 1;
            self.counters.payments.add(decided.changes.iter().filter(fresh).count());
            let changes = decided.changes;
            let at =
                changes.first().map_or_else(|| (self.clock)(), |(_, payment)| payment.state().updated_at);
            self.listener.committed(Committed { seq, at, committed_at: (self.clock)(), changes });
        }
        let missing: Vec<PaymentId> = decided
            .decisions
            .iter()
            .flatten()
            .filter(|decided| decided.payment.is_none())
            .map(|decided| decided.payment_id)
            .collect();
        let found = if missing.is_empty() { Vec::new() } else { self.fetch(&missing).await };
        for (envelope, decision) in batch.into_iter().zip(decided.decisions) {
            let answer = decision.and_then(|decided| done(decided, seq, &found));
            let _ = envelope.reply.send(answer);
        }
    }

    /// Payments that recognised idempotency keys refer to.
    async fn fetch(&self, ids: &[PaymentId]) -> Vec<Arc<Payment>> {
        match self.store.payment_get(ids).await {
            Ok(payments) => payments.into_iter().map(Arc::new).collect(),
            Err(error) => {
                tracing::warn!(error = %error, "payments of recognised keys could not be read");
                Vec::new()
            }
        }
    }
}

fn done(decided: Decided, seq: u64, found: &[Arc<Payment>]) -> Result<Done, EngineError> {
    let Decided { payment_id, payment, version, replayed } = decided;
    payment
        .or_else(|| found.iter().find(|payment| payment.id() == payment_id).cloned())
        .map(|payment| Done { payment, version, replayed, seq })
        .ok_or(EngineError::Unavailable { maybe_done: true })
}

/// What callers are told when nothing came of a batch that cannot be cut any further.
fn told(error: StoreError) -> EngineError {
    match error {
        StoreError::Refused(cause) | StoreError::Damaged(cause) => EngineError::Damaged(cause),
        StoreError::CommitUnknown { .. } => EngineError::Unavailable { maybe_done: true },
        StoreError::Unavailable(_) => EngineError::Unavailable { maybe_done: false },
    }
}

async fn pause(ms: u64) {
    if ms > 0 {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}
