//! The writer: one transaction per batch, retried while the store is briefly unavailable, settled when a commit's outcome
//! is unknown, and cut in two when something in it is refused, until the bad command stands alone.
//!
//! It spends a bounded time on a batch, whatever the store does: callers are answered with what is known, and the next batch
//! gets its turn.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::answering;
use super::batch::Batch;
use super::counters::{Counters, add};
use super::decide_batch::{self, DecidedBatch};
use super::envelope::CallerEnvelope;
use super::fates::Fates;
use super::journal::JournalEntry;
use super::replays::Replays;
use crate::background::registry::panic_message;
use crate::background::{TaskHandle, Tasks};
use crate::clock::Wall;
use crate::domain::command::PaymentCommand;
use crate::domain::context::Policy;
use crate::domain::ids::BatchId;
use crate::domain::ledger::Holdings;
use crate::domain::payment::Payment;
use crate::domain::time::Timestamp;
use crate::domain::wallet::WalletId;
use crate::store::{BatchWrite, Head, Known, Loaded, PipelineStore, StoreError};

/// Pauses between attempts while the store is unavailable; the last one repeats.
const RETRY_PAUSES_MS: [u64; 4] = [0, 50, 100, 200];
/// How long a batch is tried again, and how long an unknown commit is looked up.
const TRY_FOR: Duration = Duration::from_secs(2);

/// The sequencer's name among the tasks of the process.
const TASK: &str = "sequencer";

/// A batch right after its commit.
#[derive(Debug)]
pub struct Committed {
    /// Its position in the journal.
    pub seq: u64,
    /// When it was decided.
    pub at: Timestamp,
    /// When its commit returned.
    pub committed_at: Timestamp,
    /// The payments touched.
    pub changes: Vec<(JournalEntry, Arc<Payment>)>,
    /// Whether anything changed of what batches are decided by besides payments: a clock, or an account.
    pub settings_changed: bool,
}

/// Is notified of each commit of this process, in order. Must not block.
pub trait CommitListener: Send + Sync + 'static {
    /// Called once per batch, before its callers are answered.
    fn committed(&self, batch: Committed);
}

/// Runs batches against the store.
pub struct Writer {
    store: Arc<dyn PipelineStore>,
    policy: Policy,
    wall: Wall,
    listener: Arc<dyn CommitListener>,
    counters: Arc<Counters>,
    /// The most commands tried at once. It shrinks while the store does not manage what it is given in its time.
    at_once: usize,
    /// What was written by the last batches and need not be read again.
    known: Arc<Known>,
    replays: Replays,
    task: TaskHandle,
}

/// One attempt at a batch, as far as it came.
#[derive(Default)]
struct Attempt {
    /// Whether it came to be decided.
    reached: bool,
    fates: Fates,
    decided: DecidedBatch,
    /// What wallets hold after it.
    wallets: Vec<(WalletId, Holdings)>,
    rows: usize,
    settings_changed: bool,
}

/// How an attempt ended.
enum AttemptEnd {
    Committed(u64, Box<Attempt>),
    /// One of its commands is at fault, or else it alone.
    Refused(StoreError),
    /// Nothing was done.
    Away(StoreError),
    /// It may have been done.
    Unknown(StoreError),
}

impl Writer {
    /// A writer on this store. `listener` is notified of each commit.
    #[must_use]
    pub fn new(
        store: Arc<dyn PipelineStore>,
        policy: Policy,
        wall: Wall,
        listener: Arc<dyn CommitListener>,
        counters: Arc<Counters>,
    ) -> Self {
        let task = TaskHandle::unlisted(TASK, wall.clone());
        let replays = Replays::new(Arc::clone(&store));
        let (at_once, known) = (usize::MAX, Arc::default());
        Self { store, policy, wall, listener, counters, at_once, known, replays, task }
    }

    /// The same writer, listed among these tasks.
    #[must_use]
    pub fn listed(self, tasks: &Tasks) -> Self {
        Self { task: tasks.register(TASK), ..self }
    }

    /// Its entry among the tasks of the process.
    #[must_use]
    pub const fn task(&self) -> &TaskHandle {
        &self.task
    }

    /// Decides and commits a batch, and answers it. Never fails: what cannot be done is answered so.
    pub async fn run(&mut self, batch: Batch) {
        // A stack instead of recursion: parts of a batch, the earlier one on top.
        let mut stack = vec![(batch, Instant::now() + TRY_FOR, 0)];
        while let Some((batch, until, tries)) = stack.pop() {
            let mut batch = answering::still_wanted(batch);
            if batch.is_empty() {
                continue;
            }
            if batch.len() > self.at_once {
                let later = batch.split_off(self.at_once);
                stack.push((later, until, tries));
            }
            match self.attempt(&batch).await {
                AttemptEnd::Committed(seq, attempt) => {
                    let all = batch.len();
                    let mut next = self.complete(seq, *attempt, batch);
                    if next.len() == all && all > 1 {
                        // Each waits for something that was left out for the others' sake: fewer at once need less.
                        stack.push((next.split_off(all / 2), Instant::now() + TRY_FOR, 0));
                    }
                    stack.push((next, Instant::now() + TRY_FOR, 0));
                }
                AttemptEnd::Refused(error) if batch.len() > 1 => {
                    tracing::warn!(batch.len = batch.len(), error = %error, "a batch was refused and is cut in two");
                    let later = batch.split_off(batch.len() / 2);
                    stack.push((later, until, tries));
                    stack.push((batch, until, tries));
                }
                AttemptEnd::Away(error) if Instant::now() < until => {
                    tracing::debug!(error = %error, "the store is unavailable, trying again");
                    pause(RETRY_PAUSES_MS.get(tries).or(RETRY_PAUSES_MS.last())).await;
                    stack.push((batch, until, tries + 1));
                }
                AttemptEnd::Refused(error) | AttemptEnd::Away(error) | AttemptEnd::Unknown(error) => {
                    if error.is_transient() {
                        tracing::debug!(batch.len = batch.len(), error = %error, "a batch could not be committed");
                    } else {
                        tracing::error!(batch.len = batch.len(), error = %error, "a command could not be committed");
                    }
                    answering::give_up(batch, Some(error));
                }
            }
        }
    }

    /// Waits for the last answers.
    pub async fn finish(self) {
        self.replays.finish().await;
    }

    /// Tries the batch once. Unless it was committed or that is not known, its envelopes wait again afterwards.
    async fn attempt(&mut self, batch: &Batch) -> AttemptEnd {
        let id = BatchId::generate();
        // Unless the attempt succeeds, what the store holds is in doubt: then nothing is known any more.
        let known = std::mem::take(&mut self.known);
        let mut keys = decide_batch::keys_of(&Fates::all(batch).commands(batch));
        keys.known = Some(Arc::clone(&known));
        let mut attempt = Attempt::default();
        let mut decide = |head: Head, loaded| {
            attempt = self.decide(batch, head.wall, loaded);
            if attempt.decided.defect.is_some() {
                BatchWrite::default()
            } else {
                std::mem::take(&mut attempt.decided.write)
            }
        };
        // Read before anything begins, and guarded against panics as deciding is.
        let Ok(wall) = catch_unwind(AssertUnwindSafe(|| decided_at(batch, self.wall.now()))) else {
            return AttemptEnd::Refused(StoreError::Refused("the clock could not be read".to_owned()));
        };
        let outcome = match self.store.commit_batch(id, wall, &keys, &mut decide).await {
            Ok(seq) => {
                drop(keys);
                self.known = known;
                Ok(seq)
            }
            Err(StoreError::CommitUnknown { seq, cause }) => {
                tracing::debug!(seq, cause, "the outcome of a commit is unknown, looking it up");
                self.settle_unknown(seq, id, cause).await
            }
            Err(error) => Err(error),
        };
        let outcome = match (outcome, attempt.decided.defect.take()) {
            (Ok(_), Some(defect)) => Err(StoreError::Refused(defect)),
            (outcome, _) => outcome,
        };
        let error = match outcome {
            Ok(seq) => {
                self.at_once = self.at_once.saturating_mul(2);
                self.count(seq, &attempt);
                self.remember(seq, &attempt);
                return AttemptEnd::Committed(seq, Box::new(attempt));
            }
            Err(error @ StoreError::CommitUnknown { .. }) => return AttemptEnd::Unknown(error),
            Err(error) => error,
        };
        batch.callers.iter().for_each(CallerEnvelope::give_back);
        if !error.is_transient() {
            return AttemptEnd::Refused(error);
        }
        if attempt.reached {
            // It did not come to an end.
            self.at_once = (batch.len() / 2).max(1);
        }
        AttemptEnd::Away(error)
    }

    /// Decides what is still wanted of a batch. A panic is a defect like any other: the batch is not written, and cut in two
    /// until the command at fault stands alone.
    fn decide(&self, batch: &Batch, now: Timestamp, loaded: Loaded) -> Attempt {
        let fates = Fates::of(batch, &loaded);
        let commands = fates.commands(batch);
        let decide = || decide_batch::decide_batch(&commands, loaded, &self.policy, now);
        let decided = catch_unwind(AssertUnwindSafe(decide)).unwrap_or_else(|panic| {
            let defect = Some(format!("deciding a batch: {}", panic_message(panic.as_ref())));
            DecidedBatch { defect, ..DecidedBatch::default() }
        });
        let (wallets, rows) = (decided.write.wallets.clone(), decided.write.rows());
        let settings_changed = decided.write.changes_settings();
        Attempt { reached: true, fates, decided, wallets, rows, settings_changed }
    }

    /// Keeps what a committed batch has written.
    fn remember(&mut self, seq: u64, attempt: &Attempt) {
        if seq == 0 {
            return;
        }
        let mut known = std::mem::take(&mut self.known);
        // The store gives it back before it answers.
        if let Some(known) = Arc::get_mut(&mut known) {
            let payments = attempt.decided.changes.iter().map(|(_, payment)| payment);
            known.committed(seq, payments, &attempt.wallets);
        }
        self.known = known;
    }

    fn count(&self, seq: u64, attempt: &Attempt) {
        add(&self.counters.commands, attempt.decided.len());
        if seq > 0 {
            self.counters.commits.inc();
            add(&self.counters.rows, attempt.rows);
        }
    }

    /// Finds out whether an unknown commit took place. `Unavailable` means that it did not, so the batch may run again.
    async fn settle_unknown(&self, seq: u64, id: BatchId, cause: String) -> Result<u64, StoreError> {
        let until = Instant::now() + TRY_FOR;
        for tries in 0.. {
            match self.store.batch_committed(seq, id).await {
                Ok(true) => return Ok(seq),
                Ok(false) => return Err(StoreError::Unavailable(cause)),
                Err(error) => tracing::debug!(seq, error = %error, "could not look the batch up"),
            }
            if Instant::now() >= until {
                break;
            }
            pause(RETRY_PAUSES_MS.get(tries).or(RETRY_PAUSES_MS.last())).await;
        }
        Err(StoreError::CommitUnknown { seq, cause })
    }

    /// Answers a batch. Returns what was left for the next one.
    fn complete(&self, seq: u64, attempt: Attempt, batch: Batch) -> Batch {
        let Attempt { fates, mut decided, settings_changed, .. } = attempt;
        if seq > 0 {
            self.notify(seq, std::mem::take(&mut decided.changes), settings_changed);
        }
        let (next, unread) = answering::answer(batch, fates, decided, seq);
        self.replays.answer(unread, seq);
        next
    }

    /// Notifies the listener of a commit.
    fn notify(&self, seq: u64, changes: Vec<(JournalEntry, Arc<Payment>)>, settings_changed: bool) {
        self.store.aside().take_back(changes.iter().map(|(entry, _)| entry.payment));
        let fresh = |(entry, _): &&(JournalEntry, Arc<Payment>)| entry.first_version == 1;
        add(&self.counters.payments, changes.iter().filter(fresh).count());
        let at = changes.first().map_or_else(|| self.wall.now(), |(_, payment)| payment.wall());
        let committed_at = self.wall.now();
        self.listener.committed(Committed { seq, at, committed_at, changes, settings_changed });
    }
}

/// The wall-clock time that this process proposes for a batch: never before the times in the ids that it admits, by which lists
/// narrow down.
fn decided_at(batch: &Batch, now: Timestamp) -> Timestamp {
    let made = batch.callers.iter().filter_map(|envelope| match envelope {
        CallerEnvelope::Payment(envelope) => match &envelope.asked.command {
            PaymentCommand::Submit(submit) => submit.submission.id.generated_at(),
            PaymentCommand::Operate(_) | PaymentCommand::Amend(_) => None,
        },
        CallerEnvelope::Change(_) => None,
    });
    made.fold(now, Timestamp::max)
}

async fn pause(ms: Option<&u64>) {
    if let Some(ms) = ms.filter(|ms| **ms > 0) {
        tokio::time::sleep(Duration::from_millis(*ms)).await;
    }
}
