//! Simulates the clients: they submit, operate, try again with the same key, and remember the answers.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::Sabotage;
use super::chance::Chance;
use super::clocks;
use super::operations::{self, Expect, KeyedOperations};
use super::resources::{self, Customers};
use crate::domain::amendment::{AmendPayment, PaymentPatch};
use crate::domain::bank_account::BankAccount;
use crate::domain::card::{Card, YearMonth};
use crate::domain::command::{
    Action, Answered, Complaint, IdempotencyKey, OperatePayment, PaymentCommand, Raised, SubmitPayment,
    Verdict,
};
use crate::domain::currency::Currency;
use crate::domain::decline::DeclineReason;
use crate::domain::dispute::DisputeReason;
use crate::domain::event::CancelReason;
use crate::domain::idempotency::{KeySecret, RequestKey};
use crate::domain::ids::{AccountId, ChargeId, ClockId, DisputeId, PaymentId, RefundId, RequestId};
use crate::domain::instrument::Presented;
use crate::domain::metadata::MetadataPatch;
use crate::domain::money::Money;
use crate::domain::origin::Origin;
use crate::domain::payment::Payment;
use crate::domain::submission::{CaptureMethod, Kind, Lane, Submission};
use crate::engine::{Engine, EngineError};
use crate::intake::settled;
use crate::readers::live::LiveHub;

/// What the clients remember; outlives the server.
#[derive(Default)]
pub struct Book {
    made: u64,
    /// Acknowledged payments with the highest version in any answer.
    pub acked: BTreeMap<PaymentId, u32>,
    /// Ids for which an answer said that nothing was done.
    pub denied: Vec<PaymentId>,
    /// Idempotency keys: what was asked, under which ids, and what was answered.
    pub keys: BTreeMap<u64, Keyed>,
    /// Idempotency keys of operations.
    pub operations: KeyedOperations,
    /// Test clocks that someone made or wanted to.
    pub clocks: Vec<ClockId>,
    /// Customers, and the keys of their changes.
    pub customers: Customers,
    /// Disputes and refunds of payments, as they were last shown.
    pub parts: BTreeMap<PaymentId, Parts>,
    /// States of payments that someone was shown.
    pub shown: Vec<(PaymentId, u32)>,
    /// Answers that must not have been given.
    pub wrong: Vec<String>,
    /// What happened, for the reader of a failure.
    pub log: Vec<String>,
}

/// Parts of a payment that someone may do something about.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    disputes: Vec<(DisputeId, u64)>,
    refunds: Vec<RefundId>,
}

impl Parts {
    fn of(payment: &Payment) -> Self {
        let state = payment.state();
        Self {
            disputes: state.disputes.iter().map(|dispute| (dispute.id, dispute.detail)).collect(),
            refunds: state.refunds.iter().map(|refund| refund.id).collect(),
        }
    }
}

/// The story of one idempotency key.
pub struct Keyed {
    pub request: SubmitPayment,
    pub ids: Vec<PaymentId>,
    pub answers: Vec<PaymentId>,
}

const TOKENS: &[&str] = &[
    "pm_card_visa",
    "pm_card_visa",
    "pm_card_visa",
    "pm_card_chargeDeclined",
    "pm_card_authenticationRequired",
    "pm_card_createDispute",
    "pm_card_createMultipleDisputes",
    "pm_card_createDisputeInquiry",
    "pm_card_pendingRefund",
    "pm_card_refundFail",
    "pm_card_paystorm_technicalErrorTwice",
    "pm_card_paystorm_technicalError",
];

fn card(chance: &Chance) -> Card {
    let token = chance.pick(TOKENS).expect("a card");
    Card::from_token(token, &[7; 32], YearMonth { year: 2026, month: 1 }).expect("a known token")
}

/// A person, with what they can reach.
#[derive(Clone)]
pub struct Person {
    pub engine: Engine,
    pub hub: Arc<LiveHub>,
    pub book: Arc<Mutex<Book>>,
    pub chance: Chance,
    pub sabotage: Sabotage,
}

/// How long someone waits for an outcome.
const PATIENCE: Duration = Duration::from_secs(2);

impl Person {
    /// One thing that one person does now.
    pub async fn act(self) {
        if self.chance.percent(15) {
            return resources::act(self).await;
        }
        if self.chance.percent(8) {
            return clocks::act(self).await;
        }
        let (command, expect) = choose(&mut self.book.lock(), &self.chance);
        let waiter = self.hub.wait_for_rest(command.payment());
        let origin = self.chance.percent(50).then(|| self.book.lock().origin(&self.chance));
        let outcome = self.engine.execute(command.clone().asked_by(origin)).await;
        let done = outcome.as_ref().ok().map(|done| (Arc::clone(&done.payment), done.version));
        self.book.lock().note(&command, expect, outcome.map(|done| (done.payment.id(), done.version)));
        let (Some((payment, version)), Some(waiter)) = (done, waiter) else { return };
        self.show(&payment, version, false);
        let settled = waiter.until(move |payment| settled::is_settled(payment, version));
        if let Ok(Some(payment)) = tokio::time::timeout(PATIENCE, settled).await {
            self.show(&payment, version, true);
        }
    }

    /// Notes the state that an answer shows: as the edge chooses it, or as it must not.
    fn show(&self, payment: &Arc<Payment>, version: u32, settled: bool) {
        let shown = match (self.sabotage == Sabotage::MiddleVersion, settled) {
            (true, true) => (version..=payment.version()).find(|then| {
                payment.at_version(*then).is_some_and(|then| settled::is_settled(&then, version))
            }),
            (true, false) => Some(version),
            (false, true) => settled::first_settled(payment, version).map(|then| then.version()),
            (false, false) => Some(settled::as_committed(payment, version).version()),
        };
        let mut book = self.book.lock();
        book.parts.insert(payment.id(), Parts::of(payment));
        book.shown.extend(shown.map(|version| (payment.id(), version)));
    }
}

/// Someone cancels a payment, perhaps as the second to do so, which then changes nothing.
pub async fn cancel(
    engine: Engine,
    book: Arc<Mutex<Book>>,
    chance: Chance,
    payment: PaymentId,
    actor: AccountId,
) {
    chance.delay().await;
    let action = Action::Cancel { reason: CancelReason::RequestedByCustomer };
    let request = OperatePayment { payment, actor, action, idempotency: None };
    let keyed = chance.percent(50);
    let request = if keyed { operations::keyed(&mut book.lock(), request) } else { request };
    let command = PaymentCommand::Operate(request);
    let outcome = engine.execute(command.clone()).await;
    book.lock().note(&command, Expect::Anything, outcome.map(|done| (done.payment.id(), done.version)));
}

fn choose(book: &mut Book, chance: &Chance) -> (PaymentCommand, Expect) {
    let known: Vec<PaymentId> = book.acked.keys().copied().collect();
    let command = match (chance.below(12), chance.pick(&known)) {
        (0, Some(payment)) => amend(book, chance, *payment),
        (1..4, Some(payment)) => operate(book, chance, *payment),
        (4, _) if !book.keys.is_empty() => again(book, chance),
        (5..7, _) if !book.operations.is_empty() => {
            let (request, expect) = operations::again(book, chance);
            return (PaymentCommand::Operate(request), expect);
        }
        (_, _) => submit(book, chance),
    };
    (command, Expect::Anything)
}

pub fn account(n: u64) -> AccountId {
    AccountId::from_bytes([u8::try_from(n + 1).expect("a small number"); 16])
}

impl Book {
    /// Ids in the order of their creation, as real ones are.
    pub fn id(&mut self, chance: &Chance) -> [u8; 16] {
        self.made += 1;
        ((u128::from(self.made) << 64) | u128::from(chance.next())).to_be_bytes()
    }

    /// A request, no two alike.
    pub fn origin(&mut self, chance: &Chance) -> Box<Origin> {
        let key = chance.percent(50).then(|| format!("key {}", self.made).into_boxed_str());
        Box::new(Origin { request: RequestId::from_bytes(self.id(chance)), key })
    }

    fn note(
        &mut self,
        command: &PaymentCommand,
        expect: Expect,
        outcome: Result<(PaymentId, u32), EngineError>,
    ) {
        if let PaymentCommand::Operate(operate) = command
            && expect != Expect::Rejection
            && let (Ok(answer), Some(story)) = (&outcome, operations::story(&mut self.operations, operate))
        {
            story.answers.push(*answer);
        }
        match (expect, &outcome) {
            (Expect::TheSame, Err(EngineError::Refused(rejection))) => {
                self.wrong.push(format!("{command:?} was done under its key, and then refused: {rejection}"));
            }
            (Expect::Rejection, Ok(answer)) => {
                self.wrong
                    .push(format!("{command:?} took another request's key and was answered {answer:?}"));
            }
            (_, _) => {}
        }
        let key = match command {
            PaymentCommand::Submit(submit) => {
                self.keys.values_mut().find(|keyed| keyed.ids.contains(&submit.submission.id))
            }
            PaymentCommand::Operate(_) | PaymentCommand::Amend(_) => None,
        };
        let name = match command {
            PaymentCommand::Submit(submit) => {
                format!("{:?} {}", submit.submission.kind, submit.submission.id)
            }
            PaymentCommand::Operate(operate) => format!("{:?} {}", operate.action, operate.payment),
            PaymentCommand::Amend(amend) => format!("{:?} {}", amend.patch, amend.payment),
        };
        self.log.push(format!("{name}: {outcome:?}"));
        match outcome {
            Ok((payment, version)) => {
                let highest = self.acked.entry(payment).or_default();
                *highest = version.max(*highest);
                key.into_iter().for_each(|keyed| keyed.answers.push(payment));
            }
            Err(
                EngineError::Refused(_)
                | EngineError::Busy
                | EngineError::Damaged(_)
                | EngineError::Unavailable { maybe_done: false },
            ) => {
                if let PaymentCommand::Submit(submit) = command {
                    self.denied.push(submit.submission.id);
                }
            }
            Err(EngineError::Unavailable { maybe_done: true } | EngineError::Stopping) => {}
        }
    }
}

fn submit(book: &mut Book, chance: &Chance) -> PaymentCommand {
    let owner = chance.below(3);
    let kind = match chance.below(10) {
        0..4 => Kind::Charge,
        4..6 => Kind::TopUp,
        6..8 => Kind::Transfer { payee: account((owner + 1) % 3) },
        8 => Kind::Payout { bank: BankAccount::Valid },
        _ => Kind::Payout { bank: BankAccount::Closed },
    };
    let manual = kind == Kind::Charge && chance.percent(30);
    let submission = Submission {
        id: PaymentId::from_bytes(book.id(chance)),
        owner: account(owner),
        kind,
        amount: Money::new(1 + i64::try_from(chance.below(300)).expect("small"), Currency::EUR),
        capture: if manual { CaptureMethod::Manual } else { CaptureMethod::Automatic },
        lane: if chance.percent(30) { Lane::Bulk } else { Lane::Interactive },
        draw_key: chance.next(),
        description: None,
        metadata: Vec::new(),
        run: None,
        customer: book.customers.any(chance).filter(|_| kind == Kind::Charge && chance.percent(30)),
        clock: ClockId::WALL,
    };
    let instrument = (!kind.takes_from_wallet()).then(|| card(chance).into());
    let confirm = kind != Kind::Charge || chance.percent(90);
    let number = book.keys.len() as u64;
    let idempotency = chance.percent(50).then(|| key(&format!("key-{number}"), number));
    let request = SubmitPayment { submission, instrument, confirm, idempotency };
    if idempotency.is_some() {
        let ids = vec![request.submission.id];
        book.keys.insert(number, Keyed { request: request.clone(), ids, answers: Vec::new() });
    }
    PaymentCommand::Submit(Box::new(request))
}

/// The same request with the same key, as a new submission: the edge makes a new id each time.
fn again(book: &mut Book, chance: &Chance) -> PaymentCommand {
    let id = PaymentId::from_bytes(book.id(chance));
    let number = chance.below(book.keys.len() as u64);
    let keyed = book.keys.get_mut(&number).expect("keys are numbered");
    keyed.ids.push(id);
    let mut request = keyed.request.clone();
    request.submission.id = id;
    PaymentCommand::Submit(Box::new(request))
}

/// A key with this name for a request that is this number.
pub fn key(name: &str, request: u64) -> IdempotencyKey {
    let name = RequestKey::Text(name.to_owned());
    IdempotencyKey::new(&name, &request.to_be_bytes(), &KeySecret::derive(&[7; 32]))
}

fn amend(book: &Book, chance: &Chance, payment: PaymentId) -> PaymentCommand {
    let pairs = vec![(format!("k{}", chance.below(3)), format!("{}", chance.below(3)))];
    let patch = PaymentPatch {
        amount_minor: chance.percent(20).then(|| 1 + i64::try_from(chance.below(300)).expect("small")),
        description: chance.percent(50).then(|| Some(format!("text {}", chance.below(100)))),
        metadata: MetadataPatch { clear: chance.percent(10), pairs },
        customer: book.customers.any(chance).filter(|_| chance.percent(20)),
        ..PaymentPatch::default()
    };
    let actor = account(chance.below(3));
    PaymentCommand::Amend(Box::new(AmendPayment { payment, actor, patch, idempotency: None }))
}

fn operate(book: &mut Book, chance: &Chance, payment: PaymentId) -> PaymentCommand {
    let action = match chance.below(10) {
        8..10 => after_the_fact(book, chance, payment),
        0..3 => Action::Refund {
            refund: RefundId::from_bytes(book.id(chance)),
            amount_minor: chance.percent(60).then(|| 1 + i64::try_from(chance.below(60)).expect("small")),
            detail: None,
        },
        3 => Action::Cancel { reason: CancelReason::RequestedByCustomer },
        4 => Action::Capture { amount_minor: None },
        5 => Action::CompleteAction { passed: chance.percent(80) },
        6 => Action::Replay,
        _ => Action::Confirm {
            instrument: chance.percent(70).then(|| card(chance).into()),
            presented: Presented::default(),
            charge: ChargeId::from_bytes(book.id(chance)),
        },
    };
    let actor = account(chance.below(3));
    let request = OperatePayment { payment, actor, action, idempotency: None };
    PaymentCommand::Operate(if chance.percent(50) { operations::keyed(book, request) } else { request })
}

/// What a bank or an issuer does to a payment long after it succeeded, and what its merchant says to that. The client
/// remembers no disputes or refunds: it takes one that the payment is known to have.
fn after_the_fact(book: &mut Book, chance: &Chance, payment: PaymentId) -> Action {
    let parts = book.parts.get(&payment).cloned().unwrap_or_default();
    let failed = chance.percent(60).then_some(DeclineReason::ExpiredCard);
    match (chance.below(4), chance.pick(&parts.disputes), chance.pick(&parts.refunds)) {
        (0, Some((dispute, _)), _) => Action::CloseDispute { dispute: *dispute },
        (1 | 2, Some((dispute, detail)), _) => Action::AnswerDispute(Answered {
            dispute: *dispute,
            base: *detail,
            detail: *detail,
            evidence: true,
            submit: chance.percent(80),
            verdict: chance
                .pick(&[Verdict::Wins, Verdict::Wins, Verdict::Loses, Verdict::Escalates])
                .copied(),
        }),
        (3, _, Some(refund)) => Action::EndRefund { refund: *refund, failed },
        _ => Action::Dispute(Complaint {
            dispute: DisputeId::from_bytes(book.id(chance)),
            raised: *chance.pick(&Raised::ALL).expect("three"),
            reason: *chance.pick(&DisputeReason::ALL).expect("some"),
            amount_minor: chance.percent(50).then(|| 1 + i64::try_from(chance.below(60)).expect("small")),
        }),
    }
}
