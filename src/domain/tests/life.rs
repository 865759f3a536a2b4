//! A payment driven through its life by the rules themselves, for tests.

use std::sync::Arc;

use crate::domain::account::{AccountFacts, AccountTerms};
use crate::domain::amendment::{self, AmendPayment, PaymentPatch};
use crate::domain::card::{Card, YearMonth};
use crate::domain::command::{
    Action, AuthorizationAnswer, AuthorizationResponse as Response, FollowUpAnswer, FollowUpResponse,
    OperatePayment, SubmitPayment,
};
use crate::domain::context::{Context, Policy};
use crate::domain::currency::Currency;
use crate::domain::event::{Event, Recorded, TechnicalError};
use crate::domain::ids::{AccountId, ChargeId, ClockId, PaymentId};
use crate::domain::instrument::{Instrument, Presented};
use crate::domain::ledger::Holdings;
use crate::domain::money::Money;
use crate::domain::payment::{Payment, WorkKey};
use crate::domain::rejection::Rejection;
use crate::domain::submission::{CaptureMethod, Kind, Lane, Submission};
use crate::domain::time::Timestamp;
use crate::domain::wallet::WalletId;
use crate::domain::{decide, operate, settlement};

pub const AMOUNT_MINOR: i64 = 1_000;

/// A payment, the time and the settings.
#[derive(Debug, Clone)]
pub struct Life {
    pub payment: Payment,
    /// The time of the payment's clock.
    pub now: Timestamp,
    /// Wall-clock time, independent of `now`.
    pub wall: Timestamp,
    pub policy: Policy,
    /// The account that is closed.
    pub closed: Option<AccountId>,
    /// The terms of every account.
    pub terms: AccountTerms,
    /// What every wallet holds.
    pub held: Holdings,
}

/// The matching response to a capture, void or refund; a malformed answer where there is none.
pub fn to_follow_up(response: Response) -> FollowUpResponse {
    match response {
        Response::Approved | Response::Pending { .. } => FollowUpResponse::Approved,
        Response::ApprovedThen(aftermath) => FollowUpResponse::ApprovedThen(aftermath),
        Response::Declined(reason) => FollowUpResponse::Declined(reason),
        Response::ActionRequired => FollowUpResponse::TechnicalFailure(TechnicalError::Malformed),
        Response::TechnicalFailure(cause) => FollowUpResponse::TechnicalFailure(cause),
    }
}

pub fn card() -> Instrument {
    card_of("pm_card_visa")
}

pub fn card_of(token: &str) -> Instrument {
    Card::from_token(token, &[7; 32], YearMonth { year: 2026, month: 1 }).expect("a test card").into()
}

impl Life {
    /// A new payment; `confirm` and `with_card` matter to charges alone.
    pub fn new(kind: Kind, capture: CaptureMethod, with_card: bool, confirm: bool, balance: i64) -> Self {
        let now = Timestamp::from_micros(1_769_817_600_000_000);
        let submission = Submission {
            id: PaymentId::from_bytes([1; 16]),
            owner: AccountId::from_bytes([2; 16]),
            kind,
            amount: Money::new(AMOUNT_MINOR, Currency::EUR),
            capture,
            lane: Lane::Interactive,
            draw_key: 1,
            description: None,
            metadata: Vec::new(),
            run: None,
            customer: None,
            clock: ClockId::WALL,
        };
        let instrument = (with_card && !kind.takes_from_wallet()).then(card);
        let policy = Policy::default();
        let command =
            SubmitPayment { submission: submission.clone(), instrument, confirm, idempotency: None };
        let held = Holdings { balance_minor: balance, ..Holdings::default() };
        let facts = |_| AccountFacts::default();
        let context = Context {
            now,
            wall: now,
            policy: &policy,
            wallet: &|_| held,
            account: &facts,
            time_of: &|_| now,
            resource: &|_| None,
        };
        let opening = decide::submit(&context, &command).expect("admitted");
        let created = Recorded::on_wall(now, opening.created);
        let payment = Payment::open(Arc::new(submission), created).expect("opens");
        let held = Holdings { balance_minor: i64::MAX, ..Holdings::default() };
        let terms = AccountTerms::default();
        let mut life = Self { payment, now, wall: now, policy, closed: None, terms, held };
        life.apply(opening.declined.into_iter().collect());
        life
    }

    /// A charge that was confirmed with a card.
    pub fn charge(capture: CaptureMethod) -> Self {
        Self::new(Kind::Charge, capture, true, true, i64::MAX)
    }

    /// A charge with this card that has succeeded.
    pub fn paid_with(token: &str) -> Self {
        let mut life = Self::new(Kind::Charge, CaptureMethod::Automatic, false, false, i64::MAX);
        life.act(Action::Confirm {
            instrument: Some(card_of(token)),
            presented: Presented::default(),
            charge: ChargeId::from_bytes([8; 16]),
        })
        .expect("admitted");
        life.answer(Response::Approved);
        life
    }

    fn apply(&mut self, events: Vec<Event>) {
        for event in events {
            let (account, held, time_of) = (|id| self.account(id), |_| self.held, |_| self.now);
            let event = settlement::settled(&self.context(&account, (&held, &time_of)), &self.payment, event);
            let recorded = Recorded { at: self.now, wall: self.wall, event, scenario: None };
            self.payment.apply(recorded).expect("what is decided is legal");
        }
    }

    fn context<'a>(
        &'a self,
        account: &'a dyn Fn(AccountId) -> AccountFacts,
        (wallet, time_of): (&'a dyn Fn(WalletId) -> Holdings, &'a dyn Fn(AccountId) -> Timestamp),
    ) -> Context<'a> {
        let Self { now, wall, policy, .. } = self;
        Context { now: *now, wall: *wall, policy, wallet, account, time_of, resource: &|_| None }
    }

    fn account(&self, id: AccountId) -> AccountFacts {
        AccountFacts {
            closed: self.closed == Some(id),
            terms: self.terms,
            clock: ClockId::WALL,
            scenario: None,
        }
    }

    pub fn decide(&self, action: Action) -> Result<Vec<Event>, Rejection> {
        let account = |id| self.account(id);
        let (held, time_of) = (|_| self.held, |_| self.now);
        let context = self.context(&account, (&held, &time_of));
        let (payment, actor) = (self.payment.id(), self.payment.owner());
        operate::operate(
            &context,
            &self.payment,
            &OperatePayment { payment, actor, action, idempotency: None },
        )
    }

    pub fn act(&mut self, action: Action) -> Result<(), Rejection> {
        let events = self.decide(action)?;
        self.apply(events);
        Ok(())
    }

    /// Amends the payment as its owner. `Ok(false)` if nothing changes.
    pub fn amend(&mut self, patch: PaymentPatch) -> Result<bool, Rejection> {
        let account = |id| self.account(id);
        let (held, time_of) = (|_| self.held, |_| self.now);
        let context = self.context(&account, (&held, &time_of));
        let (payment, actor) = (self.payment.id(), self.payment.owner());
        let command = AmendPayment { payment, actor, patch, idempotency: None };
        let Some(amendment) = amendment::amend(&context, &self.payment, &command)? else { return Ok(false) };
        self.apply(vec![amendment.event]);
        if let Some(terms) = amendment.terms {
            let version = self.payment.version();
            self.payment.read_terms(version, Arc::new(terms));
        }
        Ok(true)
    }

    /// Answers the first operation in the queue; `false` if the queue is empty.
    pub fn answer(&mut self, response: Response) -> bool {
        let Some(work) = self.payment.queued_work().next() else { return false };
        self.answer_to(work, response);
        true
    }

    pub fn answer_to(&mut self, work: WorkKey, response: Response) {
        let account = |id| self.account(id);
        let (held, time_of) = (|_| self.held, |_| self.now);
        let context = self.context(&account, (&held, &time_of));
        let operation = self.payment.operation(work.operation);
        let events = match operation.and_then(|operation| operation.kind.follow_up()) {
            Some(_) => {
                let answer = FollowUpAnswer { work, response: to_follow_up(response) };
                decide::follow_up_answered(&context, &self.payment, &answer)
            }
            None => {
                let answer = AuthorizationAnswer { work, started_at: self.wall, response };
                decide::authorization_answered(&context, &self.payment, &answer)
            }
        };
        self.apply(events);
    }

    /// Lets time pass until something is due, and decides it. `false` if nothing ever is.
    pub fn wait(&mut self) -> bool {
        let Some(due_at) = self.payment.due_at() else { return false };
        (self.now, self.wall) = (self.now.max(due_at), self.wall.max(due_at));
        self.tick();
        true
    }

    pub fn tick(&mut self) {
        let account = |id| self.account(id);
        let (held, time_of) = (|_| self.held, |_| self.now);
        let context = self.context(&account, (&held, &time_of));
        let events = decide::timer_due(&context, &self.payment);
        self.apply(events);
    }

    /// Fails the operation in the queue until its retries are spent.
    pub fn park(&mut self) {
        for _ in 0..=self.policy.retry_delays_ms.len() {
            assert!(
                self.answer(Response::TechnicalFailure(TechnicalError::Timeout)),
                "something is in the queue"
            );
            if self.payment.is_parked() {
                return;
            }
            assert!(self.wait());
        }
        panic!("it should be parked by now: {:?}", self.payment.history());
    }
}
