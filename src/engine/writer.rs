//! The writer: one transaction per batch, retried while the store is away for a moment, settled when a commit's outcome
//! is unknown, and cut in two when something in it is refused, until the bad command stands alone.
//!
//! It spends a bounded time on a batch, whatever the store does: those who wait are told what is known, and the next
//! batch gets its turn.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::answer::EngineError;
use super::counters::{Counters, add};
use super::decide_batch::{self, DecidedBatch};
use super::envelope::Envelope;
use super::journal::JournalEntry;
use super::replays::{Replays, done};
use super::vitals::{self, Vital, Vitals};
use crate::clock::Wall;
use crate::domain::command::{Asked, Command};
use crate::domain::context::Policy;
use crate::domain::ids::BatchId;
use crate::domain::ledger::Holdings;
use crate::domain::payment::Payment;
use crate::domain::time::Timestamp;
use crate::domain::wallet::WalletId;
use crate::store::{BatchWrite, Head, Known, Loaded, Store, StoreError};

/// Pauses between attempts while the store is away, the last one again and again.
const RETRY_PAUSES_MS: [u64; 4] = [0, 50, 100, 200];
/// How long a batch is tried again, and how long an unknown commit is looked up.
const TRY_FOR: Duration = Duration::from_secs(2);

/// The name of the line among the tasks of the process.
const TASK: &str = "line";

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
    /// Whether anything changed of what batches are decided by besides payments: a clock, or an account.
    pub settings_changed: bool,
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
    wall: Wall,
    listener: Arc<dyn CommitListener>,
    counters: Arc<Counters>,
    /// The most commands tried at once. It shrinks while the store does not manage what it is given in its time.
    at_once: usize,
    /// What was written by the last batches and need not be read again.
    known: Arc<Known>,
    replays: Replays,
    vital: Vital,
}

/// What was done with an envelope when its batch was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Taken,
    /// Nobody waits for it any more.
    Late,
    /// Its payment or resource was left out: the others were enough for one batch.
    Next,
}

/// One attempt at a batch, as far as it came.
#[derive(Default)]
struct Attempt {
    /// What was done with the batch's envelopes, in order; empty if none was looked at.
    fates: Vec<Fate>,
    decided: DecidedBatch,
    /// What wallets hold after it.
    wallets: Vec<(WalletId, Holdings)>,
    rows: usize,
    settings_changed: bool,
}

/// What became of a batch.
enum Outcome {
    Committed(u64, Box<Attempt>),
    /// One of its commands is at fault, or else it alone.
    Refused(StoreError),
    /// Nothing was done.
    Away(StoreError),
    /// It may have been done.
    Unknown(StoreError),
}

impl Writer {
    /// A writer on this store. `listener` hears of each commit.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        policy: Policy,
        wall: Wall,
        listener: Arc<dyn CommitListener>,
        counters: Arc<Counters>,
    ) -> Self {
        let vital = Vitals::new(wall.clone()).task(TASK);
        let replays = Replays::new(Arc::clone(&store));
        let (at_once, known) = (usize::MAX, Arc::default());
        Self { store, policy, wall, listener, counters, at_once, known, replays, vital }
    }

    /// The same writer, whose failures are told there.
    #[must_use]
    pub fn watched(self, vitals: &Vitals) -> Self {
        Self { vital: vitals.task(TASK), ..self }
    }

    /// Where failures are told.
    #[must_use]
    pub const fn vital(&self) -> &Vital {
        &self.vital
    }

    /// Decides and commits a batch, and answers its callers. Never fails: what cannot be done is told to the callers.
    pub async fn run(&mut self, batch: Vec<Envelope>) {
        // A stack instead of recursion: parts of a batch, the earlier one on top.
        let mut stack = vec![(batch, Instant::now() + TRY_FOR, 0)];
        while let Some((batch, until, tries)) = stack.pop() {
            let mut batch = still_wanted(batch);
            if batch.is_empty() {
                continue;
            }
            if batch.len() > self.at_once {
                let later = batch.split_off(self.at_once);
                stack.push((later, until, tries));
            }
            match self.attempt(&batch).await {
                Outcome::Committed(seq, attempt) => {
                    let all = batch.len();
                    let mut next = self.complete(seq, *attempt, batch);
                    if next.len() == all && all > 1 {
                        // Each waits for something that was left out for the others' sake: fewer at once need less.
                        stack.push((next.split_off(all / 2), Instant::now() + TRY_FOR, 0));
                    }
                    stack.push((next, Instant::now() + TRY_FOR, 0));
                }
                Outcome::Refused(error) if batch.len() > 1 => {
                    tracing::warn!(batch.len = batch.len(), error = %error, "a batch was refused and is cut in two");
                    let later = batch.split_off(batch.len() / 2);
                    stack.push((later, until, tries));
                    stack.push((batch, until, tries));
                }
                Outcome::Away(error) if Instant::now() < until => {
                    tracing::debug!(error = %error, "the store is away, trying again");
                    pause(RETRY_PAUSES_MS.get(tries).or(RETRY_PAUSES_MS.last())).await;
                    stack.push((batch, until, tries + 1));
                }
                Outcome::Refused(error) | Outcome::Away(error) | Outcome::Unknown(error) => {
                    if error.is_transient() {
                        tracing::debug!(batch.len = batch.len(), error = %error, "a batch could not be committed");
                    } else {
                        tracing::error!(batch.len = batch.len(), error = %error, "a command could not be committed");
                    }
                    give_up(batch, Some(error));
                }
            }
        }
    }

    /// Waits for the last answers.
    pub async fn finish(self) {
        self.replays.finish().await;
    }

    /// Tries the batch once. Unless it was committed or that is not known, its envelopes wait again afterwards.
    async fn attempt(&mut self, batch: &[Envelope]) -> Outcome {
        let id = BatchId::generate();
        // Whatever does not come to a good end leaves in doubt what stands in the store: then nothing is known any more.
        let known = std::mem::take(&mut self.known);
        let mut keys = decide_batch::keys_of(batch.iter().map(|envelope| &envelope.asked.command));
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
        // Before anything is begun, and no more trusted than deciding is.
        let Ok(wall) = catch_unwind(AssertUnwindSafe(|| decided_at(batch, self.wall.now()))) else {
            return Outcome::Refused(StoreError::Refused("the clock could not be read".to_owned()));
        };
        let outcome = match self.store.line_execute(id, wall, &keys, &mut decide).await {
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
                return Outcome::Committed(seq, Box::new(attempt));
            }
            Err(error @ StoreError::CommitUnknown { .. }) => return Outcome::Unknown(error),
            Err(error) => error,
        };
        batch.iter().for_each(Envelope::give_back);
        if !error.is_transient() {
            return Outcome::Refused(error);
        }
        if !attempt.fates.is_empty() {
            // It was reached, and did not come to an end.
            self.at_once = (batch.len() / 2).max(1);
        }
        Outcome::Away(error)
    }

    /// Decides what is still wanted of a batch. A panic is a defect like any other: the batch is not written, and cut in two
    /// until the command at fault stands alone.
    fn decide(&self, batch: &[Envelope], now: Timestamp, loaded: Loaded) -> Attempt {
        let fate = |envelope: &Envelope| {
            if is_left_out(&envelope.asked.command, &loaded) {
                Fate::Next
            } else if envelope.take() {
                Fate::Taken
            } else {
                Fate::Late
            }
        };
        let fates: Vec<Fate> = batch.iter().map(fate).collect();
        let wanted = batch.iter().zip(&fates).filter(|(_, fate)| **fate == Fate::Taken);
        let commands: Vec<&Asked> = wanted.map(|(envelope, _)| &envelope.asked).collect();
        let decide = || decide_batch::decide_batch(&commands, loaded, &self.policy, now);
        let decided = catch_unwind(AssertUnwindSafe(decide)).unwrap_or_else(|panic| {
            let defect = Some(format!("deciding a batch: {}", vitals::words(panic.as_ref())));
            DecidedBatch { defect, ..DecidedBatch::default() }
        });
        let (wallets, rows) = (decided.write.wallets.clone(), decided.write.rows());
        let settings_changed = decided.write.changes_settings();
        Attempt { fates, decided, wallets, rows, settings_changed }
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
        add(&self.counters.commands, attempt.decided.decisions.len());
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

    /// Answers a batch's callers. Returns what was left for the next one.
    fn complete(&self, seq: u64, attempt: Attempt, batch: Vec<Envelope>) -> Vec<Envelope> {
        let Attempt { fates, decided, settings_changed, .. } = attempt;
        if seq > 0 {
            self.store.aside().take_back(decided.changes.iter().map(|(entry, _)| entry.payment));
            let fresh = |(entry, _): &&(JournalEntry, Arc<Payment>)| entry.first_version == 1;
            add(&self.counters.payments, decided.changes.iter().filter(fresh).count());
            let changes = decided.changes;
            let at = changes.first().map_or_else(|| self.wall.now(), |(_, payment)| payment.wall());
            let committed_at = self.wall.now();
            self.listener.committed(Committed { seq, at, committed_at, changes, settings_changed });
        }
        let mut decisions = decided.decisions.into_iter();
        let (mut missing, mut next) = (Vec::new(), Vec::new());
        for (envelope, fate) in batch.into_iter().zip(fates) {
            let decision = match fate {
                Fate::Taken => decisions.next(),
                Fate::Late => None,
                Fate::Next => {
                    next.push(envelope);
                    continue;
                }
            };
            match decision {
                None => envelope.answer(Err(EngineError::Unavailable { maybe_done: false })),
                Some(Err(error)) => envelope.answer(Err(error)),
                Some(Ok(decided)) => match done(&decided, decided.told.clone(), seq) {
                    Some(done) => envelope.answer(Ok(done)),
                    None => missing.push((envelope, decided)),
                },
            }
        }
        self.replays.answer(missing, seq);
        next
    }
}

/// The wall of a batch as this process would have it: never before the ids that it admits, which lists narrow down by.
fn decided_at(batch: &[Envelope], now: Timestamp) -> Timestamp {
    let made = batch.iter().filter_map(|envelope| match &envelope.asked.command {
        Command::Submit(submit) => submit.submission.id.generated_at(),
        Command::Operate(_)
        | Command::Amend(_)
        | Command::Answer(_)
        | Command::TimerDue(_)
        | Command::Change(_) => None,
    });
    made.fold(now, Timestamp::max)
}

/// What is left of a batch when those who no longer wait have been told so.
fn still_wanted(batch: Vec<Envelope>) -> Vec<Envelope> {
    let (withdrawn, wanted) = batch.into_iter().partition(Envelope::is_withdrawn);
    give_up(withdrawn, None);
    wanted
}

/// Tells everyone what is known of a command that has no outcome.
fn give_up(batch: Vec<Envelope>, error: Option<StoreError>) {
    for envelope in batch {
        let told = match &error {
            Some(StoreError::Refused(cause) | StoreError::Damaged(cause) | StoreError::OtherForm(cause)) => {
                EngineError::Damaged(cause.clone())
            }
            Some(
                StoreError::CommitUnknown { .. } | StoreError::Unavailable(_) | StoreError::Unanswered(_),
            )
            | None => EngineError::Unavailable { maybe_done: envelope.is_taken() },
        };
        envelope.answer(Err(told));
    }
}

/// Whether something that the command is about was not loaded.
fn is_left_out(command: &Command, loaded: &Loaded) -> bool {
    !loaded.left_out.is_empty()
        && std::iter::once(command.subject())
            .chain(command.resource())
            .any(|subject| loaded.left_out.contains(&subject))
}

async fn pause(ms: Option<&u64>) {
    if let Some(ms) = ms.filter(|ms| **ms > 0) {
        tokio::time::sleep(Duration::from_millis(*ms)).await;
    }
}
