//! The simplest possible store, for batches decided one after another, and everything that must hold of it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::sequences::{Act, Batch, Step};
use crate::domain::account::{AccountFacts, AccountTerms};
use crate::domain::bank_account::BankAccount;
use crate::domain::card::{Card, YearMonth};
use crate::domain::charge::ChargeOutcome;
use crate::domain::command::{
    Action, Answered, Asked, AuthorizationAnswer, AuthorizationResponse as Response, Complaint,
    FollowUpAnswer, IdempotencyKey, OperatePayment, PaymentCommand, SubmitPayment, SystemCommand,
};
use crate::domain::context::Policy;
use crate::domain::currency::Currency;
use crate::domain::decline::DeclineReason;
use crate::domain::dispute::DisputeReason;
use crate::domain::event::{CancelReason, Event, Recorded};
use crate::domain::idempotency::{KeySecret, RequestKey};
use crate::domain::ids::{AccountId, ChargeId, ClockId, DisputeId, PartId, PaymentId, RefundId};
use crate::domain::instrument::{Instrument, Presented};
use crate::domain::ledger::{Holdings, LedgerAccount, Movement, effects};
use crate::domain::money::Money;
use crate::domain::payment::{Payment, RefundStatus, WorkKey};
use crate::domain::submission::{CaptureMethod, Kind, Lane, Submission};
use crate::domain::tests::life::to_follow_up;
use crate::domain::time::Timestamp;
use crate::domain::wallet::WalletId;
use crate::engine::decide_batch::{CallerCommand, Commands, DecidedBatch, decide_batch, keys_of};
use crate::engine::journal;
use crate::store::{IdempotencyRecord, Loaded, PartKind, PartRecord};

fn reduced(key: &str, request: &[u8]) -> IdempotencyKey {
    IdempotencyKey::new(&RequestKey::Text(key.to_owned()), request, &KeySecret::derive(&[7; 32]))
}

/// What a step comes to.
enum Command {
    Caller(PaymentCommand),
    System(SystemCommand),
}

#[derive(Default)]
pub struct World {
    now_ms: u64,
    batches: i64,
    made: u128,
    payments: BTreeMap<PaymentId, Payment>,
    wallets: BTreeMap<WalletId, Holdings>,
    /// What wallets were made to owe, so that something is there to be repaid.
    planted: BTreeMap<WalletId, i64>,
    /// What accounts were created with.
    terms: AccountTerms,
    /// Whether charges come with all kinds of cards, by their amounts; otherwise with one that just succeeds.
    all_cards: bool,
    movements: BTreeMap<(PaymentId, u32, u8), Movement>,
    idempotency: HashMap<([u8; 32], AccountId), IdempotencyRecord>,
    parts: BTreeMap<PartId, PartRecord>,
    /// What the journal says of each payment.
    journaled: HashMap<PaymentId, Vec<Recorded>>,
    /// Payments with work in the queue, as a reader of the journal follows them.
    open: HashSet<PaymentId>,
    due: HashMap<PaymentId, Timestamp>,
    parked: HashMap<PaymentId, AccountId>,
}

fn account(n: u8) -> AccountId {
    AccountId::from_bytes([n + 1; 16])
}

fn policy() -> Policy {
    Policy { retry_delays_ms: vec![1_000, 2_000], authorization_ttl_ms: 600_000 }
}

impl World {
    /// Whether the journal says that the payment made as the `number`th has work in the queue.
    pub fn is_open(&self, number: u128) -> bool {
        self.open.contains(&PaymentId::from_bytes(number.to_be_bytes()))
    }

    /// An empty world whose accounts were created with these terms.
    pub fn on(terms: AccountTerms) -> Self {
        Self { terms, ..Self::default() }
    }

    /// An empty world in which some cards bring about more.
    pub fn with_all_cards() -> Self {
        Self { all_cards: true, ..Self::default() }
    }

    /// Makes every wallet owe this much, like a dispute that finds an empty wallet.
    pub fn plant_owed(&mut self, minor: i64) {
        for n in 0..3 {
            let wallet = WalletId { owner: account(n), currency: Currency::EUR };
            self.wallets.entry(wallet).or_default().owed_minor += minor;
            *self.planted.entry(wallet).or_default() += minor;
        }
    }

    /// What each wallet holds.
    pub fn wallets(&self) -> impl Iterator<Item = &Holdings> {
        self.wallets.values()
    }

    pub fn payments(&self) -> impl Iterator<Item = &Payment> {
        self.payments.values()
    }

    /// The wall-clock time of the batch: no two have the same, however little time passes.
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_700_000_000_000_000 + self.batches).plus_ms(self.now_ms)
    }

    /// Decides a batch on what its keys name, exactly as a store would load it, and keeps what it writes.
    pub fn run(&mut self, batch: &Batch) {
        self.now_ms += batch.advance_ms;
        self.batches += 1;
        // What this batch submits can be named by its later steps as well.
        let mut known: Vec<PaymentId> = self.payments.keys().copied().collect();
        let (mut system, mut callers) = (Vec::new(), Vec::new());
        for step in &batch.steps {
            match self.command(step, &known) {
                Some(Command::Caller(command)) => {
                    if let PaymentCommand::Submit(submit) = &command {
                        known.push(submit.submission.id);
                    }
                    callers.push(Asked::from(command));
                }
                Some(Command::System(command)) => system.push(command),
                None => {}
            }
        }
        let commands = Commands {
            system: system.iter().collect(),
            callers: callers.iter().map(CallerCommand::Payment).collect(),
        };
        let loaded = self.load(&commands);
        let decided = decide_batch(&commands, loaded, &policy(), self.now());
        assert_eq!(decided.defect, None);
        assert_eq!((decided.system.len(), decided.payments.len()), (system.len(), callers.len()));
        self.keep(decided);
        self.check_sums();
        self.check_beside();
    }

    fn load(&self, commands: &Commands<'_>) -> Loaded {
        let keys = keys_of(commands);
        let mut loaded = Loaded::default();
        let mut wallets = keys.wallets;
        for payment in keys.payments.iter().filter_map(|id| self.payments.get(id)) {
            wallets.push(payment.submission().own_wallet());
            wallets.extend(payment.submission().payee_wallet());
            loaded.payments.insert(payment.id(), Arc::new(payment.clone()));
        }
        let held = wallets.iter().filter_map(|wallet| Some((*wallet, *self.wallets.get(wallet)?)));
        loaded.wallets.extend(held);
        let facts = AccountFacts { closed: false, terms: self.terms, clock: ClockId::WALL, scenario: None };
        loaded.accounts.extend((0..10).map(|n| (account(n), facts)));
        let known = self.idempotency.iter().filter(|((key, _), _)| keys.idempotency.contains(key));
        loaded.idempotency.extend(known.map(|(key, record)| (*key, *record)));
        loaded
    }

    fn keep(&mut self, decided: DecidedBatch) {
        for payment in &decided.write.inserts {
            let before = self.payments.insert(payment.id(), Payment::clone(payment));
            assert!(before.is_none(), "inserted twice");
        }
        for payment in &decided.write.updates {
            let ends = payment.version();
            let before = self.payments.insert(payment.id(), Payment::clone(payment));
            let before = before.expect("updated what is there").version();
            assert!(before < ends);
            assert_eq!(payment.end_of_batch(before), before, "the batch before still ends where it ended");
            assert!((before + 1..=ends).all(|version| payment.end_of_batch(version) == ends), "{payment:?}");
        }
        for id in &decided.write.due.remove {
            assert!(self.due.remove(id).is_some(), "removed without need");
        }
        for id in &decided.write.parked.remove {
            assert!(self.parked.remove(id).is_some(), "removed without need");
        }
        for (id, clock, at) in &decided.write.due.put {
            assert!(clock.is_wall());
            assert_ne!(self.due.insert(*id, *at), Some(*at), "written without need");
        }
        for (id, owner) in &decided.write.parked.put {
            assert!(self.parked.insert(*id, *owner).is_none(), "written without need");
        }
        let places: BTreeSet<u32> = decided.write.movements.iter().map(|write| write.place).collect();
        assert!((0..).zip(&places).all(|(wanted, place)| wanted == *place), "{places:?}");
        assert_eq!(places.len(), decided.write.movements.len(), "each has a place of its own");
        for write in &decided.write.movements {
            let before = self.movements.insert((write.payment, write.version, write.n), write.movement);
            assert!(before.is_none() && write.movement.amount_minor > 0, "{write:?}");
        }
        for part in decided.write.parts {
            assert!(self.parts.insert(part.id, part).is_none(), "{part:?} twice");
        }
        self.wallets.extend(decided.write.wallets);
        let remembers = !decided.write.idempotency.is_empty();
        for record in decided.write.idempotency {
            assert!(self.idempotency.insert((record.key, record.owner), record).is_none());
        }
        assert_eq!(decided.write.journal.is_some(), remembers || !decided.changes.is_empty());
        for entry in
            decided.write.journal.iter().flat_map(|body| journal::decode(body).expect("readable").payments)
        {
            let journaled = self.journaled.entry(entry.payment).or_default();
            assert_eq!(journaled.len() + 1, usize::try_from(entry.first_version).unwrap());
            journaled.extend(entry.events);
            let work: Vec<_> = self.payments[&entry.payment].queued_work().collect();
            let key = |(operation, attempt)| WorkKey { payment: entry.payment, operation, attempt };
            let changed = match entry.open {
                Some(true) => self.open.insert(entry.payment),
                Some(false) => self.open.remove(&entry.payment),
                None => true,
            };
            assert!(changed, "reported where nothing changed");
            assert!(
                entry.work.into_iter().all(|fresh| work.contains(&key(fresh))),
                "dispatches what is open"
            );
        }
    }

    /// Holds after every batch: the journal alone says which payments have work in the queue. What is due and what is parked has rows
    /// beside the payments, and nothing else has.
    fn check_beside(&self) {
        let due = self.payments().filter_map(|payment| Some((payment.id(), payment.due_at()?)));
        assert_eq!(self.due, due.collect());
        let parked = self.payments().filter(|payment| payment.is_parked());
        assert_eq!(self.parked, parked.map(|payment| (payment.id(), payment.owner())).collect());
        let open = self.payments().filter(|payment| payment.queued_work().next().is_some());
        assert_eq!(self.open, open.map(Payment::id).collect());
    }

    /// Holds after every batch.
    fn check_sums(&self) {
        let mut sums: BTreeMap<LedgerAccount, i64> = BTreeMap::new();
        for movement in self.movements.values() {
            for account in [movement.debit, movement.credit] {
                *sums.entry(account).or_default() += movement.change_of(account);
            }
        }
        assert_eq!(sums.values().sum::<i64>(), 0, "the books balance");
        for (wallet, held) in &self.wallets {
            let sum = |account| sums.get(&account).copied().unwrap_or(0);
            assert!(held.balance_minor >= 0 && held.owed_minor >= 0, "{wallet:?} is at {held:?}");
            let repaid_first = held.owed_minor == 0 || held.balance_minor == 0;
            assert!(repaid_first || !self.planted.is_empty(), "{wallet:?} is at {held:?}");
            assert_eq!(sum(LedgerAccount::Wallet(*wallet)), held.balance_minor);
            let planted = self.planted.get(wallet).copied().unwrap_or(0);
            assert_eq!(planted - sum(LedgerAccount::Receivable(*wallet)), held.owed_minor);
            let of_wallet = self.payments().filter(|payment| payment.submission().own_wallet() == *wallet);
            let pending: i64 = of_wallet.map(|payment| payment.state().pending_minor).sum();
            assert_eq!(pending, held.pending_minor, "what is pending is what payments wait for");
        }
        let held = |payment: &Payment| {
            let state = payment.state();
            let own = if state.reserved { payment.submission().amount.amount_minor } else { 0 };
            let pending = state.refunds.iter().filter(|refund| refund.status == RefundStatus::Pending);
            own + pending.map(|refund| refund.amount_minor).sum::<i64>()
        };
        let in_transit = sums.get(&LedgerAccount::InTransit).copied().unwrap_or(0);
        assert_eq!(in_transit, self.payments().map(held).sum::<i64>(), "in transit is what is reserved");
    }

    /// Holds at the end; costs more to check.
    pub fn check(&self) {
        let mut expected = BTreeMap::new();
        for payment in self.payments() {
            let folded = payment.refolded();
            assert_eq!(folded.as_ref(), Ok(payment), "folding the history gives the payment");
            assert_eq!(self.journaled[&payment.id()], payment.history(), "the journal has the history");
            assert!(payment.chargeable_back_minor() >= 0, "more was refunded and disputed than received");
            let charged = payment.submission().amount.amount_minor;
            assert!((0..=charged).contains(&payment.state().received_minor));
            let numbers: std::collections::HashSet<u16> = payment.operations().map(|o| o.number).collect();
            assert_eq!(numbers.len(), payment.operations().count());
            expected.extend(movements_of(payment));
            check_charges(payment);
        }
        let parts: BTreeMap<_, _> = self.payments().flat_map(parts_of).map(|part| (part.id, part)).collect();
        assert_eq!(self.parts, parts, "refunds and later charges have their rows, and nothing else has");
        assert_eq!(self.movements, expected, "the movements are those of the histories");
        for record in self.idempotency.values() {
            let payment = &self.payments[&record.subject.payment().expect("a payment")];
            assert!((1..=payment.version()).contains(&record.version));
        }
    }

    fn next_id(&mut self) -> u128 {
        self.made += 1;
        self.made
    }

    /// The step as a command; `None` if it names a payment where there is none.
    fn command(&mut self, step: &Step, known: &[PaymentId]) -> Option<Command> {
        let pick = |number: usize| known.get(number.checked_rem(known.len())?).copied();
        Some(match step.clone() {
            Step::Submit { .. } => self.submission(step)?,
            Step::Operate { payment, stranger, action, key } => {
                let payment = pick(payment)?;
                let owner = self.payments.get(&payment).map_or(account(0), Payment::owner);
                let actor = if stranger { account(9) } else { owner };
                let action = self.action(action, payment);
                let idempotency = key.map(|key| reduced(&key.to_string(), b"operate"));
                Command::Caller(PaymentCommand::Operate(OperatePayment {
                    payment,
                    actor,
                    action,
                    idempotency,
                }))
            }
            Step::Answer { payment, operation, stale, outcome } => {
                Command::System(self.answer(pick(payment)?, operation, stale, outcome))
            }
            Step::Timer { payment } => Command::System(SystemCommand::TimerDue(pick(payment)?)),
        })
    }

    fn submission(&mut self, step: &Step) -> Option<Command> {
        let Step::Submit { owner, kind, amount_minor, card, manual, confirm, key } = step.clone() else {
            return None;
        };
        let kind = match kind {
            0 => Kind::Charge,
            1 => Kind::TopUp,
            2 => Kind::Transfer { payee: account((owner + 1) % 3) },
            3 => Kind::Payout { bank: BankAccount::ALL[usize::from(manual)].0 },
            _ => Kind::Transfer { payee: account(owner) },
        };
        let submission = Submission {
            id: PaymentId::from_bytes(self.next_id().to_be_bytes()),
            owner: account(owner),
            kind,
            amount: Money::new(amount_minor, Currency::EUR),
            capture: if manual { CaptureMethod::Manual } else { CaptureMethod::Automatic },
            lane: Lane::Bulk,
            draw_key: 0,
            description: None,
            metadata: Vec::new(),
            run: None,
            customer: None,
            clock: ClockId::WALL,
        };
        let idempotency = key.map(|key| reduced(&key.to_string(), &amount_minor.to_be_bytes()));
        let instrument = card.then(|| self.card(amount_minor)).filter(|_| !kind.takes_from_wallet());
        let submit = SubmitPayment { submission, instrument, confirm, idempotency };
        Some(Command::Caller(PaymentCommand::Submit(Box::new(submit))))
    }

    fn card(&self, amount_minor: i64) -> Instrument {
        let token = match amount_minor % 9 {
            1 => "pm_card_createDispute",
            2 => "pm_card_createMultipleDisputes",
            3 => "pm_card_createDisputeInquiry",
            4 => "pm_card_createIssuerFraudRecord",
            5 => "pm_card_pendingRefund",
            6 => "pm_card_refundFail",
            _ => "pm_card_visa",
        };
        if self.all_cards { from_token(token) } else { visa() }
    }

    fn action(&mut self, act: Act, payment: PaymentId) -> Action {
        let state = self.payments.get(&payment).map(Payment::state);
        let newest = state.and_then(|state| state.disputes.last());
        let open = state.and_then(|state| state.disputes.iter().find(|dispute| dispute.status.is_open()));
        let nothing = || DisputeId::from_bytes([0; 16]);
        match act {
            Act::Dispute(raised, amount_minor) => Action::Dispute(Complaint {
                dispute: DisputeId::from_bytes(self.next_id().to_be_bytes()),
                raised,
                reason: DisputeReason::Fraudulent,
                amount_minor,
            }),
            Act::Answer(verdict) => Action::AnswerDispute(Answered {
                dispute: newest.map_or_else(nothing, |dispute| dispute.id),
                base: newest.map_or(0, |dispute| dispute.detail),
                detail: newest.map_or(0, |dispute| dispute.detail + 1),
                evidence: verdict.is_some(),
                submit: verdict.is_some(),
                verdict,
            }),
            Act::CloseDispute => Action::CloseDispute { dispute: open.map_or_else(nothing, |it| it.id) },
            Act::EndRefund(failed) => {
                let refund = state.and_then(|state| state.refunds.last());
                let refund = refund.map_or(RefundId::from_bytes([0; 16]), |refund| refund.id);
                Action::EndRefund { refund, failed }
            }
            Act::Confirm { card } => Action::Confirm {
                instrument: card.then(visa),
                presented: Presented::default(),
                charge: ChargeId::from_bytes(self.next_id().to_be_bytes()),
            },
            Act::Capture(amount_minor) => Action::Capture { amount_minor },
            Act::Cancel => Action::Cancel { reason: CancelReason::RequestedByCustomer },
            Act::Refund(amount_minor) => Action::Refund {
                refund: RefundId::from_bytes(self.next_id().to_be_bytes()),
                amount_minor,
                detail: None,
            },
            Act::CompleteAction(passed) => Action::CompleteAction { passed },
            Act::Replay => Action::Replay,
        }
    }

    fn answer(&self, payment: PaymentId, operation: usize, stale: bool, response: Response) -> SystemCommand {
        let open: Vec<WorkKey> = self.payments.get(&payment).iter().flat_map(|p| p.queued_work()).collect();
        let first = WorkKey { payment, operation: 1, attempt: 1 };
        let mut work = open.get(operation.checked_rem(open.len()).unwrap_or(0)).copied().unwrap_or(first);
        if stale {
            work.attempt = work.attempt.saturating_sub(1);
        }
        let operation = self.payments.get(&payment).and_then(|payment| payment.operation(work.operation));
        match operation.and_then(|operation| operation.kind.follow_up()) {
            Some(_) => FollowUpAnswer { work, response: to_follow_up(response) }.into(),
            None => AuthorizationAnswer { work, started_at: self.now(), response }.into(),
        }
    }
}

/// Each attempt has one charge, which there is once an issuer was asked; at most one took money, as much as arrived.
fn check_charges(payment: &Payment) {
    let mut attempts: Vec<(ChargeId, bool)> = Vec::new();
    for recorded in payment.history() {
        match recorded.event {
            Event::Created { confirmed: true, instrument: Some(Instrument::Card(_)), .. } => {
                attempts.push((ChargeId::of_payment(payment.id()), false));
            }
            Event::Confirmed { charge, .. } => attempts.push((charge, false)),
            Event::ActionRequired {}
            | Event::Declined { reason: DeclineReason::AuthenticationFailure, .. } => {
                attempts.iter_mut().next_back().into_iter().for_each(|attempt| attempt.1 = false);
            }
            Event::Authorized { .. }
            | Event::Succeeded { .. }
            | Event::Declined { .. }
            | Event::Pending { .. }
            | Event::RetryScheduled { .. }
            | Event::Failed { .. } => {
                attempts.iter_mut().next_back().into_iter().for_each(|attempt| attempt.1 = true);
            }
            _ => {}
        }
    }
    let charges = &payment.state().charges;
    let found: Vec<_> = charges.iter().map(|charge| (charge.id, charge.exists())).collect();
    assert_eq!(found, attempts, "{payment:?}");
    let mut ids: Vec<_> = charges.iter().map(|charge| charge.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), charges.len(), "a charge of its own for each attempt");
    let taken: Vec<_> = charges.iter().filter(|charge| charge.outcome == ChargeOutcome::Taken).collect();
    assert!(taken.len() <= 1, "{charges:?}");
    if !payment.submission().kind.takes_from_wallet() {
        let minor = taken.first().map_or(0, |charge| charge.captured_minor);
        assert_eq!(minor, payment.state().received_minor, "{payment:?}");
    }
}

/// The parts that a history names, each of which has a row.
fn parts_of(payment: &Payment) -> Vec<PartRecord> {
    let charged = payment.submission().kind == Kind::Charge;
    let part = |id: PartId, kind, created| {
        Some(PartRecord { id, owner: payment.owner(), created, payment: payment.id(), kind })
    };
    let parts = payment.history().iter().filter_map(|recorded| match recorded.event {
        Event::RefundQueued { refund, .. } => part(refund.into(), PartKind::Refund, recorded.at),
        Event::Confirmed { charge, .. } if charged => part(charge.into(), PartKind::Charge, recorded.at),
        Event::DisputeOpened { dispute, .. } => part(dispute.into(), PartKind::Dispute, recorded.at),
        Event::FraudWarned { warning } => part(warning.into(), PartKind::FraudWarning, recorded.at),
        _ => None,
    });
    parts.collect()
}

fn visa() -> Instrument {
    from_token("pm_card_visa")
}

fn from_token(token: &str) -> Instrument {
    Card::from_token(token, &[7; 32], YearMonth { year: 2026, month: 1 }).expect("a known token").into()
}

/// The movements that a history demands, by version and number.
fn movements_of(payment: &Payment) -> Vec<((PaymentId, u32, u8), Movement)> {
    let (first, rest) = payment.history().split_first().expect("a history has a beginning");
    let mut before =
        Payment::open(Arc::clone(payment.submitted()), *first).expect("a history begins with its creation");
    let of = |before: &Payment, version, event| {
        let numbered = (0..).zip(effects(before, event));
        numbered.map(|(n, movement)| ((payment.id(), version, n), movement)).collect::<Vec<_>>()
    };
    let mut movements = of(&before, 1, &first.event);
    for recorded in rest {
        movements.extend(of(&before, before.version() + 1, &recorded.event));
        before.apply(*recorded).expect("a legal history");
    }
    movements
}
