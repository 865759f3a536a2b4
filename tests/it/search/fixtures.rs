//! Payments to search for, built through the domain as the writer would.

use std::sync::Arc;

use paystorm::domain::bank_account::BankAccount;
use paystorm::domain::card::{Card, YearMonth};
use paystorm::domain::decline::DeclineReason;
use paystorm::domain::event::{CancelReason, Event, Recorded, TechnicalError};
use paystorm::domain::ids::{AccountId, ClockId, PaymentId, RefundId};
use paystorm::domain::money::Money;
use paystorm::domain::payment::Payment;
use paystorm::domain::submission::{CaptureMethod, Kind, Lane, Submission};
use paystorm::domain::time::Timestamp;

/// 2026-01-31T00:00:00Z in microseconds.
pub const DAY: i64 = 1_769_817_600_000_000;
const SECOND: i64 = 1_000_000;

/// An account that is the same in every run.
pub fn account(number: u8) -> AccountId {
    AccountId::from_bytes([number; 16])
}

/// The payment number `number`; ids are ordered as numbers are, and hold no time.
pub fn payment_id(number: u64) -> PaymentId {
    PaymentId::from_bytes(
        (0x0190_0000_0000_4000_8000_0000_0000_0000_u128 + (u128::from(number) << 64)).to_be_bytes(),
    )
}

/// A payment under construction.
#[derive(Clone)]
pub struct Draft {
    pub submission: Submission,
    created: Timestamp,
    card: Option<Card>,
    events: Vec<Event>,
}

/// A charge of `owner`, succeeded by default, created `number` seconds after [`DAY`].
pub fn charge(number: u64, owner: AccountId, amount_minor: i64, currency: &str) -> Draft {
    let created = DAY + i64::try_from(number).unwrap() * SECOND;
    let submission = Submission {
        id: payment_id(number),
        owner,
        kind: Kind::Charge,
        amount: Money::new(amount_minor, currency.parse().unwrap()),
        capture: CaptureMethod::Automatic,
        lane: Lane::Interactive,
        draw_key: number,
        description: None,
        metadata: vec![],
        run: None,
        customer: None,
        clock: ClockId::WALL,
    };
    Draft { submission, created: Timestamp::from_micros(created), card: None, events: vec![] }
        .card("pm_card_visa")
        .succeeded()
}

impl Draft {
    pub fn kind(mut self, kind: Kind) -> Self {
        self.submission.kind = kind;
        if kind.takes_from_wallet() {
            self.card = None;
        }
        self
    }

    pub fn transfer(self, payee: AccountId) -> Self {
        self.kind(Kind::Transfer { payee })
    }

    pub fn payout(self) -> Self {
        self.kind(Kind::Payout { bank: BankAccount::Valid })
    }

    pub fn created(mut self, micros: i64) -> Self {
        self.created = Timestamp::from_micros(micros);
        self
    }

    pub fn description(mut self, text: &str) -> Self {
        self.submission.description = Some(text.to_owned());
        self
    }

    pub fn metadata(mut self, key: &str, value: &str) -> Self {
        self.submission.metadata.push((key.to_owned(), value.to_owned()));
        self
    }

    pub fn run(mut self, name: &str) -> Self {
        self.submission.run = Some(name.to_owned());
        self
    }

    pub fn card(mut self, token: &str) -> Self {
        self.card = Some(Card::from_token(token, &[7; 32], YearMonth { year: 2026, month: 1 }).unwrap());
        self
    }

    fn outcome(mut self, event: Event) -> Self {
        self.events = vec![Event::Started { at: self.created }, event];
        self
    }

    pub fn succeeded(self) -> Self {
        self.outcome(Event::SUCCEEDED)
    }

    pub fn declined(self, reason: DeclineReason) -> Self {
        self.outcome(Event::declined(reason))
    }

    pub fn failed(self) -> Self {
        self.outcome(Event::failed(TechnicalError::Timeout))
    }

    pub fn queued(mut self) -> Self {
        self.events.clear();
        self
    }

    pub fn canceled(mut self) -> Self {
        self.events = vec![Event::canceled(CancelReason::Abandoned)];
        self
    }

    /// Authorised, and captured in part.
    pub fn captured(mut self, amount_minor: i64) -> Self {
        self.submission.capture = CaptureMethod::Manual;
        let at = self.created;
        self.events = vec![
            Event::Started { at },
            Event::Authorized {
                amount_minor: self.submission.amount.amount_minor,
                capture_before: at.plus_ms(86_400_000),
            },
            Event::CaptureQueued { amount_minor },
            Event::captured(amount_minor),
        ];
        self
    }

    /// Begins to refund an amount.
    pub fn refunding(mut self, refund: RefundId, amount_minor: i64) -> Self {
        self.events.push(Event::RefundQueued { refund, amount_minor, detail: None });
        self
    }

    /// Refunds an amount.
    pub fn refunded(self, refund: RefundId, amount_minor: i64) -> Self {
        let mut this = self.refunding(refund, amount_minor);
        this.events.push(Event::refund_succeeded(refund));
        this
    }

    /// Folds it, one second per event.
    pub fn build(&self) -> Payment {
        let start = self.created;
        let reserved = self.submission.kind.takes_from_wallet();
        let instrument = self.submission.kind.instrument().or(self.card.map(Into::into));
        let created = Event::Created { instrument, confirmed: true, reserved };
        let events = std::iter::once(created).chain(self.events.iter().copied());
        let history: Vec<Recorded> = events
            .enumerate()
            .map(|(at, event)| Recorded::on_wall(start.plus_ms(1_000 * u64::try_from(at).unwrap()), event))
            .collect();
        Payment::fold(Arc::new(self.submission.clone()), &history).unwrap()
    }
}

/// Payments whose money is only partly in one place: one captured in part, one partly refunded and about to be more, a payout under way.
pub fn in_part(owner: AccountId) -> Vec<Payment> {
    let refund = |number: u8| RefundId::from_bytes([number; 16]);
    let drafts = [
        charge(17, owner, 5_000, "chf").captured(2_000).refunded(refund(11), 300),
        charge(18, owner, 6_000, "chf").refunded(refund(12), 1_000).refunding(refund(13), 500),
        charge(19, owner, 7_000, "chf").payout().queued(),
    ];
    drafts.iter().map(Draft::build).collect()
}

/// A small shop's payments; every example of docs/search.md finds some of them or of [`in_part`].
pub fn shop(owner: AccountId, friend: AccountId) -> Vec<Payment> {
    let refund = RefundId::from_bytes([9; 16]);
    let before = DAY - 3_600 * SECOND;
    let drafts = [
        charge(1, owner, 450, "eur").description("Coffee and cake").metadata("order", "42"),
        charge(2, owner, 1_250, "eur")
            .description("Iced tea, large")
            .metadata("order", "43")
            .metadata("shop", "North"),
        charge(3, owner, 1_250, "usd").card("pm_card_mastercard").description("10\" pizza *special*"),
        charge(4, owner, 9_900, "eur").card("pm_card_chargeDeclined").declined(DeclineReason::GenericDecline),
        charge(5, owner, 300, "eur").declined(DeclineReason::InsufficientFunds).run("Spring"),
        charge(6, owner, 5_000, "jpy").failed().description("coffee MACHINE").created(before),
        charge(7, owner, 777, "eur").queued().metadata("order", "A_b*c?d\\e"),
        charge(8, owner, 2_000, "gbp").refunded(refund, 2_000).description("Sencha 日本 tea"),
        charge(9, owner, 2_000, "gbp").refunded(RefundId::from_bytes([10; 16]), 500),
        charge(10, owner, 100, "eur").canceled().created(DAY + 86_400 * SECOND),
        charge(11, owner, 1_500, "eur")
            .transfer(friend)
            .description("for lunch")
            .metadata("secret", "sender only"),
        charge(12, friend, 2_500, "eur").transfer(owner).description("private note"),
        charge(13, owner, 4_000, "eur").payout(),
        charge(14, friend, 450, "eur").description("Coffee of someone else"),
        charge(15, friend, 900, "eur").transfer(owner).queued(),
        charge(16, owner, 1_250, "eur").kind(Kind::TopUp).created(DAY + 2 * SECOND),
    ];
    drafts.iter().map(Draft::build).collect()
}
