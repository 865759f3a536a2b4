//! A batch decided in memory: commands one after another on what was loaded, each seeing what the ones before it did.
//! Pure; the writer runs it between the reads and the writes of a transaction, and the simulation runs it alone.

use std::collections::HashMap;
use std::sync::Arc;

use super::books::Books;
use super::handle::EngineError;
use super::journal::{self, JournalEntry};
use crate::domain::command::{Command, IdempotencyKey, SubmitPayment};
use crate::domain::credit;
use crate::domain::decide::{self, Context, Policy};
use crate::domain::event::{Event, Recorded};
use crate::domain::ids::{AccountId, PaymentId};
use crate::domain::payment::{Payment, WorkKey};
use crate::domain::refusal::{Refusal, RefusalKind};
use crate::domain::submission::Kind;
use crate::domain::time::Timestamp;
use crate::store::{
    BatchKeys, BatchWrite, Beside, IdempotencyRecord, Loaded, PartKind, PartRecord, ReceiptRecord,
};

/// What one admitted command came to.
#[derive(Debug, Clone)]
pub struct Decided {
    /// The payment it touched, or that its recognised key refers to.
    pub payment_id: PaymentId,
    /// The payment after the batch; `None` for a recognised key whose payment the batch did not load.
    pub payment: Option<Arc<Payment>>,
    /// The version right after the command.
    pub version: u32,
    /// Whether an idempotency key was recognised.
    pub replayed: bool,
}

/// What one command came to.
pub type Decision = Result<Decided, EngineError>;

/// A batch as decided: what to write, what to tell, what readers will see.
#[derive(Debug, Default)]
pub struct DecidedBatch {
    /// The rows.
    pub write: BatchWrite,
    /// One decision per command, in order. `seq` is filled in after the commit.
    pub decisions: Vec<Decision>,
    /// The payments touched, with their journal entries.
    pub changes: Vec<(JournalEntry, Arc<Payment>)>,
    /// A rule broke on a stored state: nothing of this batch may be written.
    pub defect: Option<String>,
}

/// The keys that deciding these commands needs loaded.
#[must_use]
pub fn keys_of<'a>(commands: impl Iterator<Item = &'a Command>) -> BatchKeys {
    let mut keys = BatchKeys::default();
    for command in commands {
        keys.idempotency.extend(command.idempotency().map(|key| key.key));
        match command {
            Command::Submit(submit) => {
                keys.accounts.push(submit.submission.owner);
                keys.accounts.extend(submit.submission.payee_wallet().map(|wallet| wallet.owner));
                if submit.submission.kind.takes_from_wallet() {
                    keys.wallets.push(submit.submission.own_wallet());
                }
            }
            Command::Operate(_) | Command::Answer(_) | Command::TimerDue(_) => {
                keys.payments.push(command.payment())
            }
        }
    }
    keys.payments.sort_unstable();
    keys.payments.dedup();
    keys.idempotency.sort_unstable();
    keys.idempotency.dedup();
    keys
}

/// A payment during the batch.
struct Touched {
    payment: Payment,
    fresh: bool,
    first_version: u32,
    work_before: Vec<WorkKey>,
    /// When something was due of it, and whether an operation was parked.
    due_before: Option<Timestamp>,
    parked_before: bool,
}

/// The state a batch is decided on.
struct World<'a> {
    policy: &'a Policy,
    /// When it is decided.
    wall: Timestamp,
    touched: HashMap<PaymentId, Touched>,
    /// Payments that cannot be read. Nothing is decided about them, and everything about the others.
    damaged: HashMap<PaymentId, String>,
    /// Payments in the order in which the batch first touched them.
    order: Vec<PaymentId>,
    books: Books,
    idempotency: HashMap<([u8; 32], AccountId), IdempotencyRecord>,
    fresh_idempotency: Vec<IdempotencyRecord>,
    defect: Option<String>,
}

/// Decides `commands` in order.
#[must_use]
pub fn decide_batch(commands: &[&Command], loaded: Loaded, policy: &Policy, wall: Timestamp) -> DecidedBatch {
    let touched = loaded.payments.into_iter().map(|(id, payment)| (id, Touched::loaded(payment))).collect();
    let mut world = World {
        policy,
        wall,
        touched,
        damaged: loaded.damaged,
        order: Vec::new(),
        books: Books::open(loaded.accounts, loaded.wallets),
        idempotency: loaded.idempotency,
        fresh_idempotency: Vec::new(),
        defect: None,
    };
    let decisions: Vec<Result<Outcome, EngineError>> =
        commands.iter().map(|command| world.decide(command)).collect();
    world.finish(decisions)
}

/// Asks a rule, which may look at the books as they are now.
fn deciding<T>(books: &Books, wall: Timestamp, policy: &Policy, rule: impl FnOnce(&Context<'_>) -> T) -> T {
    let (wallet, account) = (|id| books.wallet(id), |id| books.account(id));
    rule(&Context { now: wall, wall, policy, wallet: &wallet, account: &account })
}

/// What a decision refers to until the batch is complete.
struct Outcome {
    payment: PaymentId,
    version: u32,
    replayed: bool,
}

impl Touched {
    fn loaded(payment: Payment) -> Self {
        let (first_version, work_before) = (payment.version() + 1, payment.queued_work().collect());
        let (due_before, parked_before) = (payment.due_at(), payment.is_parked());
        Self { payment, fresh: false, first_version, work_before, due_before, parked_before }
    }

    /// Applies an event, and books what it does to money.
    fn add(
        &mut self,
        event: Event,
        wall: Timestamp,
        policy: &Policy,
        books: &mut Books,
    ) -> Result<(), String> {
        let event = deciding(books, wall, policy, |context| credit::settled(context, &self.payment, event));
        let version = self.payment.version() + 1;
        books.book(&self.payment, &event, version).map_err(|error| error.to_string())?;
        self.payment.apply(Recorded::on_wall(wall, event)).map_err(|error| error.to_string())
    }

    fn is_changed(&self) -> bool {
        self.payment.version() >= self.first_version
    }

    /// Notes what becomes of the rows that stand only where there is something to say.
    fn note_beside(&self, write: &mut BatchWrite) {
        let (payment, id) = (&self.payment, self.payment.id());
        match (self.due_before, payment.due_at()) {
            (before, Some(after)) if before != Some(after) => write.due.put.push((id, after)),
            (Some(_), None) => write.due.remove.push(id),
            (Some(_) | None, _) => {}
        }
        let opened = payment.queued_work().next().is_some();
        let stays = payment.queued_work().any(|work| self.work_before.contains(&work));
        match (opened, stays) {
            (true, true) => {}
            (true, false) => write.open_work.put.push(id),
            (false, _) if !self.work_before.is_empty() => write.open_work.remove.push(id),
            (false, _) => {}
        }
        match (self.parked_before, payment.is_parked()) {
            (false, true) => write.parked.put.push((id, payment.owner())),
            (true, false) => write.parked.remove.push(id),
            (true, true) | (false, false) => {}
        }
    }
}

impl World<'_> {
    fn decide(&mut self, command: &Command) -> Result<Outcome, EngineError> {
        let owner = match command {
            Command::Submit(submit) => submit.submission.owner,
            Command::Operate(operate) => operate.actor,
            // Nobody was asked yet about a payment of this very batch, and its wallets are not loaded.
            Command::Answer(_) | Command::TimerDue(_) if self.is_fresh(command.payment()) => {
                return self.apply(command.payment(), std::iter::empty());
            }
            Command::Answer(answer) => {
                return self.advance(answer.work.payment, |c, p| Ok(decide::answer(c, p, answer)));
            }
            Command::TimerDue(id) => return self.advance(*id, |c, p| Ok(decide::timer_due(c, p))),
        };
        if let Some(key) = command.idempotency()
            && let Some(record) = self.idempotency.get(&(key.key, owner))
        {
            return replay(key, record);
        }
        let outcome = match command {
            Command::Submit(submit) => self.submit(submit)?,
            Command::Operate(operate) => {
                self.advance(operate.payment, |context, payment| decide::operate(context, payment, operate))?
            }
            Command::Answer(_) | Command::TimerDue(_) => return Err(self.broke("an answer with a caller")),
        };
        if let Some(key) = command.idempotency() {
            self.remember(key, owner, &outcome);
        }
        Ok(outcome)
    }

    fn is_fresh(&self, id: PaymentId) -> bool {
        self.touched.get(&id).is_some_and(|touched| touched.fresh)
    }

    fn submit(&mut self, submit: &SubmitPayment) -> Result<Outcome, EngineError> {
        let id = submit.submission.id;
        if self.touched.contains_key(&id) {
            return Err(
                Refusal::new(RefusalKind::Conflict, "resource_already_exists", "This id is taken.").into()
            );
        }
        let rule = |context: &Context<'_>| decide::submit(context, submit);
        let mut events = deciding(&self.books, self.wall, self.policy, rule)?.into_iter();
        let Some(created) = events.next() else {
            return Err(self.broke("a submission without events"));
        };
        let recorded = Recorded::on_wall(self.wall, created);
        let payment = Payment::open(Arc::new(submit.submission.clone()), recorded)
            .map_err(|error| self.broke(error))?;
        self.books.book(&payment, &created, 1).map_err(|error| self.broke(error))?;
        let touched = Touched {
            payment,
            fresh: true,
            first_version: 1,
            work_before: Vec::new(),
            due_before: None,
            parked_before: false,
        };
        self.touched.insert(id, touched);
        self.order.push(id);
        self.apply(id, events)
    }

    /// Decides on an existing payment and applies what comes of it.
    fn advance(
        &mut self,
        id: PaymentId,
        rule: impl FnOnce(&Context<'_>, &Payment) -> Result<decide::Events, Refusal>,
    ) -> Result<Outcome, EngineError> {
        let events = {
            if let Some(cause) = self.damaged.get(&id) {
                return Err(EngineError::Damaged(cause.clone()));
            }
            let touched = self
                .touched
                .get(&id)
                .ok_or_else(|| Refusal::not_found("payment", id).with_param("intent"))?;
            deciding(&self.books, self.wall, self.policy, |context| rule(context, &touched.payment))?
        };
        if !events.is_empty() && self.touched.get(&id).is_some_and(|touched| !touched.is_changed()) {
            self.order.push(id);
        }
        self.apply(id, events.into_iter())
    }

    fn apply(
        &mut self,
        id: PaymentId,
        mut events: impl Iterator<Item = Event>,
    ) -> Result<Outcome, EngineError> {
        let Some(touched) = self.touched.get_mut(&id) else {
            return Err(self.broke("a payment that vanished"));
        };
        let books = &mut self.books;
        let applied = events.try_for_each(|event| touched.add(event, self.wall, self.policy, books));
        let version = touched.payment.version();
        applied.map_err(|cause| self.broke(cause))?;
        Ok(Outcome { payment: id, version, replayed: false })
    }

    /// Notes that a rule broke: the batch is not written, and the writer looks for the command at fault.
    fn broke(&mut self, what: impl std::fmt::Display) -> EngineError {
        self.defect.get_or_insert_with(|| what.to_string());
        EngineError::Unavailable { maybe_done: false }
    }

    fn remember(&mut self, key: &IdempotencyKey, owner: AccountId, outcome: &Outcome) {
        let record = IdempotencyRecord {
            key: key.key,
            owner,
            request: key.request,
            payment: outcome.payment,
            version: outcome.version,
            at: self.wall,
        };
        self.idempotency.insert((key.key, owner), record);
        self.fresh_idempotency.push(record);
    }

    /// Of the idempotency rows that are written, by payment.
    fn fingerprints(&self) -> HashMap<PaymentId, Vec<u64>> {
        let mut keys: HashMap<PaymentId, Vec<u64>> = HashMap::new();
        for record in &self.fresh_idempotency {
            keys.entry(record.payment).or_default().push(record.fingerprint());
        }
        keys
    }

    fn finish(mut self, decisions: Vec<Result<Outcome, EngineError>>) -> DecidedBatch {
        let mut batch = DecidedBatch { defect: self.defect.take(), ..DecidedBatch::default() };
        let mut payments: HashMap<PaymentId, Arc<Payment>> = HashMap::with_capacity(self.touched.len());
        let mut keys = self.fingerprints();
        for id in &self.order {
            let Some(touched) = self.touched.remove(id) else {
                continue;
            };
            touched.note_beside(&mut batch.write);
            let payment = Arc::new(touched.payment);
            if touched.fresh {
                batch.write.inserts.push(Arc::clone(&payment));
            } else {
                batch.write.updates.push(Arc::clone(&payment));
            }
            let mut entry = entry_of(&payment, touched.first_version, &touched.work_before);
            entry.keys = keys.remove(id).unwrap_or_default();
            batch.write.parts.extend(parts_of(&payment, &entry));
            batch.write.receipts.extend(receipt_of(&entry));
            batch.changes.push((entry, Arc::clone(&payment)));
            payments.insert(*id, payment);
        }
        let mut remembered = Vec::new();
        for (id, touched) in self.touched {
            // Nothing changed, and a key was remembered: the journal vouches for that as well.
            if let Some(keys) = keys.remove(&id) {
                let entry = entry_of(&touched.payment, touched.first_version, &touched.work_before);
                remembered.push(JournalEntry { keys, ..entry });
            }
            payments.insert(id, Arc::new(touched.payment));
        }
        remembered.sort_unstable_by_key(|entry| entry.payment);
        // In the order of the keys: neighbours share pages.
        batch.write.inserts.sort_unstable_by_key(|payment| payment.id());
        batch.write.updates.sort_unstable_by_key(|payment| payment.id());
        sort(&mut batch.write.due);
        sort(&mut batch.write.open_work);
        sort(&mut batch.write.parked);
        batch.write.parts.sort_unstable();
        batch.write.receipts.sort_unstable();
        self.fresh_idempotency.sort_unstable_by_key(|record| (record.key, record.owner));
        batch.write.idempotency = self.fresh_idempotency;
        self.books.close(&mut batch.write);
        batch.write.at = self.wall;
        batch.decisions = decisions
            .into_iter()
            .map(|decision| decision.map(|outcome| outcome.decided(&payments)))
            .collect();
        // A batch that only remembers keys takes a place in the line as well: without a row of the journal nobody could tell
        // whether an unknown commit of it took place.
        if !batch.changes.is_empty() || !batch.write.idempotency.is_empty() {
            let changes = batch.changes.iter().map(|(entry, _)| entry);
            let entries: Vec<&JournalEntry> = changes.chain(&remembered).collect();
            match journal::encode(&entries) {
                Ok(body) => batch.write.journal = Some(body),
                Err(error) => batch.defect = Some(error.to_string()),
            }
        }
        batch
    }
}

/// In the order of the keys: neighbours share pages.
fn sort<T: Ord>(beside: &mut Beside<T>) {
    beside.put.sort_unstable();
    beside.remove.sort_unstable();
}

fn entry_of(payment: &Payment, first_version: u32, work_before: &[WorkKey]) -> JournalEntry {
    let submission = payment.submission();
    let skip = usize::try_from(first_version.saturating_sub(1)).unwrap_or(usize::MAX);
    let fresh = |work: &WorkKey| !work_before.contains(work);
    JournalEntry {
        payment: submission.id,
        owner: submission.owner,
        payee: submission.payee_wallet().map(|wallet| wallet.owner),
        lane: submission.lane,
        run: submission.run.clone(),
        first_version,
        events: payment.history().iter().skip(skip).copied().collect(),
        work: payment.queued_work().filter(fresh).map(|work| (work.operation, work.attempt)).collect(),
        keys: Vec::new(),
    }
}

/// The parts of a payment that these events admitted: refunds, and charges of attempts after the one it was created with.
fn parts_of(payment: &Payment, entry: &JournalEntry) -> impl Iterator<Item = PartRecord> {
    let charged = payment.submission().kind == Kind::Charge;
    let part =
        |id, kind, created| PartRecord { id, owner: entry.owner, created, payment: entry.payment, kind };
    entry.events.iter().filter_map(move |recorded| match recorded.event {
        Event::RefundQueued { refund, .. } => Some(part(refund.into(), PartKind::Refund, recorded.at)),
        Event::Confirmed { charge, .. } if charged => {
            Some(part(charge.into(), PartKind::Charge, recorded.at))
        }
        _ => None,
    })
}

/// The receipt of a transfer that has arrived at someone else's.
fn receipt_of(entry: &JournalEntry) -> Option<ReceiptRecord> {
    let payee = entry.payee.filter(|payee| *payee != entry.owner)?;
    let arrived = entry.events.iter().any(|recorded| matches!(recorded.event, Event::Succeeded { .. }));
    arrived.then_some(ReceiptRecord { payee, payment: entry.payment })
}

fn replay(key: &IdempotencyKey, record: &IdempotencyRecord) -> Result<Outcome, EngineError> {
    if record.request != key.request {
        let message = "Keys for idempotent requests can only be used with the same parameters they were first used with.";
        return Err(Refusal::new(RefusalKind::Idempotency, "idempotency_key_reused", message).into());
    }
    Ok(Outcome { payment: record.payment, version: record.version, replayed: true })
}

impl Outcome {
    fn decided(self, payments: &HashMap<PaymentId, Arc<Payment>>) -> Decided {
        let payment = payments.get(&self.payment).map(Arc::clone);
        Decided { payment_id: self.payment, payment, version: self.version, replayed: self.replayed }
    }
}
