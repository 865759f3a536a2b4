//! A batch decided in memory: commands one after another on what was loaded, each seeing what the ones before it did.
//! Pure; the writer runs it between the reads and the writes of a transaction, and the simulation runs it alone.

use std::collections::HashMap;
use std::sync::Arc;

use super::answer::EngineError;
use super::books::Books;
use super::clocked::{self, Clocks, Moment};
use super::journal::{self, JournalEntry, ResourceEntry};
use super::resources::Resources;
use crate::domain::amendment::{self, AmendPayment};
use crate::domain::announcement::{self, Announcement, AnnouncementId};
use crate::domain::clock::Clock;
use crate::domain::command::{Asked, Command, IdempotencyKey, OperatePayment, SubmitPayment};
use crate::domain::context::{Context, Events, Policy, no_such_customer};
use crate::domain::event::{Event, Recorded};
use crate::domain::ids::{AccountId, ClockId, IdMap, PaymentId};
use crate::domain::origin::Origin;
use crate::domain::payment::{Payment, WorkKey};
use crate::domain::rejection::{Rejection, RejectionKind};
use crate::domain::resource::{Body, Change, ChangeResource, Situation, States};
use crate::domain::subject::Subject;
use crate::domain::submission::{Kind, Submission};
use crate::domain::time::Timestamp;
use crate::domain::timed::Timed;
use crate::domain::{decide, operate, settlement};
use crate::store::{
    AnswerWrite, BatchKeys, BatchWrite, Beside, CustomerPaymentRecord, DetailRecord, EventSource,
    IdempotencyRecord, Loaded, PartKind, PartRecord, ReceiptRecord,
};

/// What one admitted command came to.
#[derive(Debug, Clone)]
pub struct Decided {
    /// What it touched, or what its recognised key refers to.
    pub subject: Subject,
    /// The version right after the command.
    pub version: u32,
    /// Whether an idempotency key was recognised.
    pub replayed: bool,
    /// What its caller is answered with.
    pub told: Told,
}

/// What a caller is answered with.
#[derive(Debug, Clone)]
pub enum Told {
    /// The payment after the batch.
    Payment(Arc<Payment>),
    /// The answer to a change of a resource; `None` if none was asked for.
    Resource(Option<Arc<[u8]>>),
    /// What the batch did not load: a payment, by its id.
    StoredPayment(PaymentId),
    /// The same: the answer that is kept for a key, by the key and its owner.
    StoredAnswer([u8; 32], AccountId),
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
        keys.resources.extend(command.resource());
        match command {
            Command::Submit(submit) => {
                keys.accounts.push(submit.submission.owner);
                keys.accounts.extend(submit.submission.payee_wallet().map(|wallet| wallet.owner));
                if submit.submission.kind.takes_from_wallet() {
                    keys.wallets.push(submit.submission.own_wallet());
                }
            }
            Command::Change(change) => {
                keys.accounts.push(change.actor);
                if let Change::Create { clock, body } = &change.change {
                    keys.clocks.push(*clock);
                    keys.clock_owners.extend(matches!(**body, Body::Clock(_)).then_some(change.actor));
                }
            }
            Command::Amend(amend) => keys.payments.push(amend.payment),
            Command::Operate(operate) => keys.payments.push(operate.payment),
            Command::Answer(answer) => keys.payments.push(answer.work.payment),
            Command::TimerDue(payment) => keys.payments.push(*payment),
        }
    }
    keys.payments.sort_unstable();
    keys.payments.dedup();
    keys.resources.sort_unstable();
    keys.resources.dedup();
    keys.idempotency.sort_unstable();
    keys.idempotency.dedup();
    keys
}

/// A payment during the batch. It is shared with those who know it from before until the first change.
struct Touched {
    payment: Arc<Payment>,
    fresh: bool,
    first_version: u32,
    work_before: Vec<WorkKey>,
    /// What stood of it in the rows by which time finds it, and whether an operation was parked.
    timed_before: Timed,
    parked_before: bool,
}

/// The state a batch is decided on.
struct World<'a> {
    policy: &'a Policy,
    /// When it is decided.
    wall: Timestamp,
    touched: IdMap<PaymentId, Touched>,
    /// Payments that cannot be read. Nothing is decided about them, and everything about the others.
    damaged: HashMap<PaymentId, String>,
    resources: Resources,
    clocks: Clocks,
    /// How many clocks the accounts have that make one.
    clock_counts: HashMap<AccountId, u32>,
    /// Payments in the order in which the batch first touched them.
    order: Vec<PaymentId>,
    books: Books,
    idempotency: IdMap<([u8; 32], AccountId), IdempotencyRecord>,
    fresh_idempotency: Vec<IdempotencyRecord>,
    answers: HashMap<([u8; 32], AccountId), Arc<[u8]>>,
    /// What amendments say.
    details: Vec<DetailRecord>,
    /// Payments that have been given a customer.
    customer_payments: Vec<CustomerPaymentRecord>,
    /// Which requests asked for what, and what resources were.
    sources: Vec<EventSource>,
    /// What is announced of resources.
    events: Vec<(AccountId, Announcement)>,
    defect: Option<String>,
}

/// Decides `commands` in order.
#[must_use]
pub fn decide_batch(commands: &[&Asked], loaded: Loaded, policy: &Policy, wall: Timestamp) -> DecidedBatch {
    let mut touched: IdMap<PaymentId, Touched> = IdMap::default();
    touched.reserve(loaded.payments.len() + commands.len());
    touched.extend(loaded.payments.into_iter().map(|(id, payment)| (id, Touched::loaded(payment))));
    let mut idempotency = loaded.idempotency;
    idempotency.reserve(commands.len());
    let mut world = World {
        policy,
        wall,
        touched,
        damaged: loaded.damaged,
        resources: Resources::new(loaded.resources, loaded.damaged_resources),
        clocks: Clocks::new(loaded.clocks),
        clock_counts: loaded.clock_counts,
        order: Vec::with_capacity(commands.len()),
        books: Books::open(loaded.accounts, loaded.wallets),
        idempotency,
        fresh_idempotency: Vec::with_capacity(commands.len()),
        answers: HashMap::new(),
        details: Vec::new(),
        customer_payments: Vec::new(),
        sources: Vec::new(),
        events: Vec::new(),
        defect: None,
    };
    let decisions: Vec<Result<Outcome, EngineError>> =
        commands.iter().map(|command| world.decide(command)).collect();
    world.finish(decisions)
}

/// Asks a rule, which may look at the books and the resources as they are now.
fn deciding<T>(
    known: Known<'_>,
    Moment { at, wall }: Moment,
    policy: &Policy,
    rule: impl FnOnce(&Context<'_>) -> T,
) -> T {
    let Known { books, resources, clocks } = known;
    let (wallet, account) = (|id| books.wallet(id), |id| books.account(id));
    let clock_of = |id| clocks.get((books, resources), id, books.account(id).clock);
    let time_of = |id| clock_of(id).map_or(wall, |clock| clock.at(wall));
    let (time_of, resource) = (&time_of, &|subject| resources.get(subject));
    rule(&Context { now: at, wall, policy, wallet: &wallet, account: &account, time_of, resource })
}

/// What rules may look at besides the payment.
#[derive(Clone, Copy)]
struct Known<'a> {
    books: &'a Books,
    resources: &'a Resources,
    clocks: &'a Clocks,
}

/// What a decision refers to until the batch is complete.
struct Outcome {
    subject: Subject,
    version: u32,
    replayed: bool,
    answer: Answered,
}

/// How the caller is answered, as far as that is known before the batch is complete.
enum Answered {
    /// With the payment as it is then.
    Payment(PaymentId),
    /// With this, or with nothing.
    Resource(Option<Arc<[u8]>>),
    /// With what is kept for the key.
    Stored([u8; 32], AccountId),
}

impl Outcome {
    fn payment(id: PaymentId, version: u32) -> Self {
        Self { subject: id.into(), version, replayed: false, answer: Answered::Payment(id) }
    }
}

impl Touched {
    fn loaded(payment: Arc<Payment>) -> Self {
        let (first_version, work_before) = (payment.version() + 1, payment.queued_work().collect());
        let (timed_before, parked_before) = (Timed::of(&payment, payment.clock()), payment.is_parked());
        Self { payment, fresh: false, first_version, work_before, timed_before, parked_before }
    }

    /// Applies an event, and books what it does to money.
    fn add(
        &mut self,
        event: Event,
        moment: Moment,
        policy: &Policy,
        books: &mut Books,
        (resources, clocks): (&Resources, &Clocks),
    ) -> Result<(), String> {
        let settle = |context: &Context<'_>| settlement::settled(context, &self.payment, event);
        let event = deciding(Known { books, resources, clocks }, moment, policy, settle);
        let version = self.payment.version() + 1;
        books.book(&self.payment, &event, version).map_err(|error| error.to_string())?;
        let Moment { at, wall } = moment;
        Arc::make_mut(&mut self.payment)
            .apply(Recorded { at, wall, event })
            .map_err(|error| error.to_string())
    }

    fn version(&self) -> u32 {
        self.payment.version()
    }

    fn is_changed(&self) -> bool {
        self.payment.version() >= self.first_version
    }

    /// Notes what becomes of the rows that stand only where there is something to say. `clock` is the one that the payment goes by
    /// now.
    fn note_beside(&self, clock: ClockId, write: &mut BatchWrite) {
        let (payment, id) = (&self.payment, self.payment.id());
        clocked::note(self.timed_before, payment, clock, write);
        match (self.parked_before, payment.is_parked()) {
            (false, true) => write.parked.put.push((id, payment.owner())),
            (true, false) => write.parked.remove.push(id),
            (true, true) | (false, false) => {}
        }
    }
}

impl World<'_> {
    fn decide(&mut self, asked: &Asked) -> Result<Outcome, EngineError> {
        let command = &asked.command;
        let owner = match command {
            Command::Submit(submit) => submit.submission.owner,
            Command::Operate(operate) => operate.actor,
            Command::Change(change) => change.actor,
            Command::Amend(amend) => amend.actor,
            Command::Answer(answer) => {
                return self.advance_known(answer.work.payment, |c, p| decide::answer(c, p, answer));
            }
            Command::TimerDue(id) => return self.timer_due(*id),
        };
        if let Some(key) = command.idempotency()
            && let Some(record) = self.idempotency.get(&(key.key, owner))
        {
            return self.replay(key, record);
        }
        let before = asked.origin.as_ref().and_then(|_| self.touched.get(&command.payment()?));
        let before = before.map_or(0, Touched::version);
        let outcome = match command {
            Command::Submit(submit) => self.submit(submit)?,
            Command::Operate(operate) => self.operate(operate)?,
            Command::Change(change) => self.change(change, asked.origin.as_deref())?,
            Command::Amend(amend) => self.amend(amend)?,
            Command::Answer(_) | Command::TimerDue(_) => return Err(self.broke("an answer with a caller")),
        };
        if let Some(key) = command.idempotency() {
            self.remember(key, owner, &outcome);
        }
        if let Some(origin) = &asked.origin {
            self.note_source(owner, origin, &outcome, before.saturating_add(1));
        }
        Ok(outcome)
    }

    /// Notes which request asked for the events of a payment from this version on, if there are any and its account is told
    /// of events.
    fn note_source(&mut self, owner: AccountId, origin: &Origin, outcome: &Outcome, first_version: u32) {
        let Some(touched) = outcome.subject.payment().and_then(|id| self.touched.get(&id)) else { return };
        let place = usize::try_from(first_version.saturating_sub(1)).unwrap_or(usize::MAX);
        let Some(first) = touched.payment.history().get(place) else { return };
        if !self.books.account(owner).terms.lean {
            self.sources.push(EventSource {
                owner,
                at: first.at,
                subject: outcome.subject,
                version: first_version,
                wall: first.wall,
                origin: Some(origin.clone()),
                states: None,
            });
        }
    }

    /// What the outside or the time says of a payment. Nobody was asked yet about one of this very batch, and its wallets are
    /// not loaded.
    fn advance_known(
        &mut self,
        id: PaymentId,
        rule: impl FnOnce(&Context<'_>, &Payment) -> Events,
    ) -> Result<Outcome, EngineError> {
        match self.touched.get(&id) {
            Some(touched) if touched.fresh => self.unchanged(id),
            Some(_) | None => {
                let moment = self.moment_of(id);
                self.advance(id, moment, |context, payment| Ok(rule(context, payment)))
            }
        }
    }

    /// What a payment's time has brought.
    fn timer_due(&mut self, id: PaymentId) -> Result<Outcome, EngineError> {
        match self.touched.get(&id) {
            Some(touched) if touched.fresh => self.unchanged(id),
            Some(Touched { payment, .. }) => {
                let moment = clocked::moment_due(self.clock_of(payment), payment, self.wall);
                self.advance(id, moment, |context, payment| Ok(decide::timer_due(context, payment)))
            }
            None => self.advance(id, self.moment_of(id), |_, _| Ok(Vec::new())),
        }
    }

    /// What a caller asks of a payment, which must wait while the payment's clock is on its way.
    fn operate(&mut self, operate: &OperatePayment) -> Result<Outcome, EngineError> {
        self.clock_ready(operate.payment, operate.actor)?;
        let moment = self.moment_of(operate.payment);
        self.advance(operate.payment, moment, |context, payment| operate::operate(context, payment, operate))
    }

    /// Refuses what its owner asks of a payment while its clock is on its way.
    fn clock_ready(&self, id: PaymentId, actor: AccountId) -> Result<(), Rejection> {
        let touched = self.touched.get(&id).filter(|touched| touched.payment.owner() == actor);
        touched.and_then(|touched| self.clock_of(&touched.payment)).map_or(Ok(()), Clock::ready)
    }

    /// The clock that a payment goes by, unless that is the wall.
    fn clock_of(&self, payment: &Payment) -> Option<&Clock> {
        self.clocks.get((&self.books, &self.resources), payment.owner(), payment.clock())
    }

    fn moment_of(&self, id: PaymentId) -> Moment {
        let payment = self.touched.get(&id).map(|touched| touched.payment.as_ref());
        clocked::moment(payment.and_then(|payment| self.clock_of(payment)), payment, self.wall)
    }

    /// Decides what is said of a payment from now on.
    fn amend(&mut self, amend: &AmendPayment) -> Result<Outcome, EngineError> {
        let id = amend.payment;
        if let Some(customer) = amend.patch.customer {
            self.readable(customer.into())?;
        }
        self.clock_ready(id, amend.actor)?;
        let moment = self.moment_of(id);
        let (mut terms, customer) =
            (None, self.touched.get(&id).and_then(|touched| touched.payment.customer()));
        let outcome = self.advance(id, moment, |context, payment| {
            let amendment = amendment::amend(context, payment, amend)?;
            terms = amendment.as_ref().and_then(|amendment| amendment.terms.clone());
            Ok(amendment.into_iter().map(|amendment| amendment.event).collect())
        })?;
        let Some(terms) = terms else { return Ok(outcome) };
        self.details.push(DetailRecord {
            subject: *id.as_bytes(),
            id: u64::from(outcome.version),
            body: terms.to_bytes(),
        });
        if let Some(named) = terms.customer.filter(|named| Some(*named) != customer) {
            self.customer_payments.push(CustomerPaymentRecord { customer: named, payment: id });
        }
        if let Some(touched) = self.touched.get_mut(&id) {
            Arc::make_mut(&mut touched.payment).read_terms(outcome.version, Arc::new(terms));
        }
        Ok(outcome)
    }

    /// Decides about a plain resource.
    fn change(&mut self, change: &ChangeResource, origin: Option<&Origin>) -> Result<Outcome, EngineError> {
        self.readable(change.subject)?;
        let id = match (&change.change, self.resources.get(change.subject)) {
            (Change::Create { clock, .. }, _) => *clock,
            (Change::Update(_) | Change::Delete, found) => found.map_or(ClockId::WALL, |found| found.clock),
        };
        self.readable(id.into())?;
        let clock = self.clock_named(change.actor, id)?;
        let on = Situation {
            now: clocked::moment(clock, None, self.wall).at,
            wall: self.wall,
            gone: !id.is_wall() && clock.is_none(),
            count: self.clock_counts.get(&change.actor).copied().unwrap_or(0),
            closed: self.books.account(change.actor).closed,
            current: None,
        };
        let at = on.now;
        let changed = self.resources.change(on, change)?;
        if let Some(states) = changed.states {
            self.announce(change, (at, changed.version), states, origin);
        }
        if change.subject.clock().is_some()
            && let Change::Create { .. } = change.change
        {
            *self.clock_counts.entry(change.actor).or_default() += 1;
        }
        let answer = Answered::Resource(changed.answer);
        Ok(Outcome { subject: change.subject, version: changed.version, replayed: false, answer })
    }

    /// Notes what a change tells the resource's owner, and what is kept beside it: nothing else tells of it afterwards. Lean and
    /// closed accounts are told of nothing.
    fn announce(
        &mut self,
        change: &ChangeResource,
        (at, version): (Timestamp, u32),
        states: States,
        origin: Option<&Origin>,
    ) {
        let (owner, subject, wall) = (change.actor, change.subject, self.wall);
        let facts = self.books.account(owner);
        let kind = announcement::of_change(states.before.as_ref(), states.after.as_ref());
        let Some(kind) = kind.filter(|_| !facts.closed && !facts.terms.lean) else { return };
        let id = AnnouncementId { subject, version, n: 0 };
        self.events.push((owner, Announcement { at, id, kind, wall }));
        let (origin, states) = (origin.cloned(), Some(states));
        self.sources.push(EventSource { owner, at, subject, version, wall, origin, states });
    }

    /// Nothing is decided on a resource that cannot be read.
    fn readable(&self, resource: Subject) -> Result<(), EngineError> {
        match self.resources.damage(resource) {
            Some(cause) => Err(EngineError::Damaged(cause.clone())),
            None => Ok(()),
        }
    }

    fn submit(&mut self, submit: &SubmitPayment) -> Result<Outcome, EngineError> {
        let id = submit.submission.id;
        if self.touched.contains_key(&id) {
            return Err(Rejection::new(
                RejectionKind::Conflict,
                "resource_already_exists",
                "This id is taken.",
            )
            .into());
        }
        if let Some(customer) = submit.submission.customer {
            self.readable(customer.into())?;
        }
        let owner = submit.submission.owner;
        let named = clocked::of_submission(&self.books, &self.resources, &submit.submission);
        self.readable(named.into())?;
        let clock = self.clock_named(owner, named)?;
        if clock.is_none()
            && !named.is_wall()
            && let Some(customer) = submit.submission.customer
        {
            return Err(no_such_customer(customer).into());
        }
        let moment = clocked::moment(clock, None, self.wall);
        let clock = if clock.is_some() { named } else { ClockId::WALL };
        let mut events = self.ask(moment, |context| decide::submit(context, submit))?.into_iter();
        let Some(created) = events.next() else {
            return Err(self.broke("a submission without events"));
        };
        let recorded = Recorded { at: moment.at, wall: moment.wall, event: created };
        let submission = Submission { clock, ..submit.submission.clone() };
        let payment = Payment::open(Arc::new(submission), recorded).map_err(|error| self.broke(error))?;
        self.books.book(&payment, &created, 1).map_err(|error| self.broke(error))?;
        let touched = Touched {
            payment: Arc::new(payment),
            fresh: true,
            first_version: 1,
            work_before: Vec::new(),
            timed_before: Timed::default(),
            parked_before: false,
        };
        self.touched.insert(id, touched);
        self.order.push(id);
        self.apply(id, moment, events)
    }

    /// The clock that a caller's new or changed thing goes by; `None` for the wall, and for one that is gone.
    ///
    /// # Errors
    /// While it is being advanced.
    fn clock_named(&self, owner: AccountId, id: ClockId) -> Result<Option<&Clock>, Rejection> {
        let clock = self.clocks.get((&self.books, &self.resources), owner, id);
        clock.map(|clock| clock.ready().map(|()| clock)).transpose()
    }

    /// Asks a rule, with what the batch knows by now.
    fn ask<T>(&self, moment: Moment, rule: impl FnOnce(&Context<'_>) -> T) -> T {
        let Self { books, resources, clocks, .. } = self;
        deciding(Known { books, resources, clocks }, moment, self.policy, rule)
    }

    /// Decides on an existing payment and applies what comes of it.
    fn advance(
        &mut self,
        id: PaymentId,
        moment: Moment,
        rule: impl FnOnce(&Context<'_>, &Payment) -> Result<Events, Rejection>,
    ) -> Result<Outcome, EngineError> {
        let events = {
            if let Some(cause) = self.damaged.get(&id) {
                return Err(EngineError::Damaged(cause.clone()));
            }
            let touched = self
                .touched
                .get(&id)
                .ok_or_else(|| Rejection::not_found("payment", id).with_param("intent"))?;
            self.readable(touched.payment.clock().into())?;
            self.ask(moment, |context| rule(context, &touched.payment))?
        };
        if !events.is_empty() && self.touched.get(&id).is_some_and(|touched| !touched.is_changed()) {
            self.order.push(id);
        }
        self.apply(id, moment, events.into_iter())
    }

    /// A command that is stale changes nothing.
    fn unchanged(&mut self, id: PaymentId) -> Result<Outcome, EngineError> {
        let version = self.touched.get(&id).map_or(0, |touched| touched.payment.version());
        Ok(Outcome::payment(id, version))
    }

    fn apply(
        &mut self,
        id: PaymentId,
        moment: Moment,
        mut events: impl Iterator<Item = Event>,
    ) -> Result<Outcome, EngineError> {
        let Some(touched) = self.touched.get_mut(&id) else {
            return Err(self.broke("a payment that vanished"));
        };
        let (books, beside) = (&mut self.books, (&self.resources, &self.clocks));
        let applied = events.try_for_each(|event| touched.add(event, moment, self.policy, books, beside));
        let version = touched.payment.version();
        applied.map_err(|cause| self.broke(cause))?;
        Ok(Outcome::payment(id, version))
    }

    /// Notes that a rule broke: the batch is not written, and the writer looks for the command at fault.
    fn broke(&mut self, what: impl std::fmt::Display) -> EngineError {
        self.defect.get_or_insert_with(|| what.to_string());
        EngineError::Unavailable { maybe_done: false }
    }

    fn remember(&mut self, key: &IdempotencyKey, owner: AccountId, outcome: &Outcome) {
        let place = (key.key, owner);
        let answer = match &outcome.answer {
            Answered::Resource(Some(body)) => {
                self.answers.insert(place, Arc::clone(body));
                Some(AnswerWrite::name(body))
            }
            Answered::Payment(_) | Answered::Resource(None) | Answered::Stored(..) => None,
        };
        let record = IdempotencyRecord {
            key: key.key,
            owner,
            request: key.request,
            subject: outcome.subject,
            version: outcome.version,
            answer,
            at: self.wall,
        };
        self.idempotency.insert(place, record);
        self.fresh_idempotency.push(record);
    }

    fn replay(&self, key: &IdempotencyKey, record: &IdempotencyRecord) -> Result<Outcome, EngineError> {
        if record.request != key.request {
            let message = "Keys for idempotent requests can only be used with the same parameters they were first used with.";
            return Err(Rejection::new(RejectionKind::Idempotency, "idempotency_key_reused", message).into());
        }
        let place = (record.key, record.owner);
        let answer = match (record.subject.payment(), record.answer, self.answers.get(&place)) {
            (Some(payment), _, _) => Answered::Payment(payment),
            (None, None, _) => Answered::Resource(None),
            (None, Some(_), Some(answer)) => Answered::Resource(Some(Arc::clone(answer))),
            (None, Some(_), None) => Answered::Stored(record.key, record.owner),
        };
        Ok(Outcome { subject: record.subject, version: record.version, replayed: true, answer })
    }

    /// Of the idempotency rows that are written, by subject.
    fn fingerprints(&self) -> IdMap<Subject, Vec<u64>> {
        let mut keys: IdMap<Subject, Vec<u64>> = IdMap::default();
        keys.reserve(self.fresh_idempotency.len());
        for record in &self.fresh_idempotency {
            keys.entry(record.subject).or_default().push(record.fingerprint());
        }
        keys
    }

    fn finish(mut self, decisions: Vec<Result<Outcome, EngineError>>) -> DecidedBatch {
        let mut batch = DecidedBatch { defect: self.defect.take(), ..DecidedBatch::default() };
        let mut payments: IdMap<PaymentId, Arc<Payment>> = IdMap::default();
        payments.reserve(self.touched.len());
        let mut keys = self.fingerprints();
        for id in &self.order {
            let Some(touched) = self.touched.remove(id) else {
                continue;
            };
            let clock = self.clock_of(&touched.payment).map_or(ClockId::WALL, |_| touched.payment.clock());
            touched.note_beside(clock, &mut batch.write);
            let payment = touched.payment;
            if touched.fresh {
                let customer = payment.submitted().customer;
                let of = |customer| CustomerPaymentRecord { customer, payment: *id };
                self.customer_payments.extend(customer.map(of));
                batch.write.inserts.push(Arc::clone(&payment));
            } else {
                batch.write.updates.push(Arc::clone(&payment));
            }
            let mut entry = entry_of(&payment, touched.first_version, &touched.work_before);
            entry.keys = keys.remove(&Subject::from(*id)).unwrap_or_default();
            batch.write.parts.extend(parts_of(&payment, &entry));
            batch.write.receipts.extend(receipt_of(&entry));
            batch.changes.push((entry, Arc::clone(&payment)));
            payments.insert(*id, payment);
        }
        let mut remembered = Vec::new();
        for (id, touched) in self.touched {
            // Nothing changed, and a key was remembered: the journal vouches for that as well.
            if let Some(keys) = keys.remove(&Subject::from(id)) {
                let entry = entry_of(&touched.payment, touched.first_version, &touched.work_before);
                remembered.push(JournalEntry { keys, ..entry });
            }
            payments.insert(id, touched.payment);
        }
        remembered.sort_unstable_by_key(|entry| entry.payment);
        // In the order of the keys: neighbours share pages.
        batch.write.inserts.sort_unstable_by_key(|payment| payment.id());
        batch.write.updates.sort_unstable_by_key(|payment| payment.id());
        sort(&mut batch.write.due);
        sort(&mut batch.write.busy);
        sort(&mut batch.write.parked);
        batch.write.parts.sort_unstable();
        batch.write.receipts.sort_unstable();
        self.customer_payments.sort_unstable();
        batch.write.customer_payments = self.customer_payments;
        self.details.sort_unstable_by_key(|detail| (detail.subject, detail.id));
        batch.write.details = self.details;
        self.sources.sort_unstable_by_key(EventSource::place);
        batch.write.sources = self.sources;
        self.events.sort_unstable();
        batch.write.events = self.events;
        self.fresh_idempotency.sort_unstable_by_key(|record| (record.key, record.owner));
        batch.write.idempotency = self.fresh_idempotency;
        batch.write.answers = answers_of(self.answers);
        let resources: Vec<ResourceEntry>;
        (batch.write.resources, resources) = self.resources.finish(&mut keys);
        batch.write.clocks = batch.write.resources.iter().filter_map(|one| clocked::awake(one)).collect();
        self.books.close(&mut batch.write);
        batch.write.at = self.wall;
        batch.decisions = decisions
            .into_iter()
            .map(|decision| decision.map(|outcome| outcome.decided(&payments)))
            .collect();
        // A batch that only remembers keys takes a place in the line as well: without a row of the journal nobody could tell
        // whether an unknown commit of it took place.
        if !batch.changes.is_empty() || !resources.is_empty() || !remembered.is_empty() {
            let changes = batch.changes.iter().map(|(entry, _)| entry);
            let entries: Vec<&JournalEntry> = changes.chain(&remembered).collect();
            match journal::encode(&entries, &resources) {
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
    let is_open = payment.queued_work().next().is_some();
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
        open: (work_before.is_empty() == is_open).then_some(is_open),
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

/// In the order of the keys: neighbours share pages.
fn answers_of(answers: HashMap<([u8; 32], AccountId), Arc<[u8]>>) -> Vec<AnswerWrite> {
    let answer = |((key, owner), body)| AnswerWrite { key, owner, body };
    let mut answers: Vec<AnswerWrite> = answers.into_iter().map(answer).collect();
    answers.sort_unstable_by_key(|answer| (answer.key, answer.owner));
    answers
}

impl Outcome {
    fn decided(self, payments: &IdMap<PaymentId, Arc<Payment>>) -> Decided {
        let told = match self.answer {
            Answered::Payment(id) => match payments.get(&id) {
                Some(payment) => Told::Payment(Arc::clone(payment)),
                None => Told::StoredPayment(id),
            },
            Answered::Resource(answer) => Told::Resource(answer),
            Answered::Stored(key, owner) => Told::StoredAnswer(key, owner),
        };
        Decided { subject: self.subject, version: self.version, replayed: self.replayed, told }
    }
}
