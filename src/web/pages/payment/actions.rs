//! The actions on a payment's page. Every action is always listed; one that does not apply is disabled and says why. The reasons
//! mirror `domain::operate`, which has the last word. Pure.

use crate::domain::command::Raised;
use crate::domain::dispute::{Dispute, DisputeReason};
use crate::domain::money::Money;
use crate::domain::payment::{FollowUp, Operation, Payment, Phase};
use crate::domain::status::Status;
use crate::domain::submission::Kind;
use crate::domain::time::Timestamp;
use crate::intake::Verb;

/// The amount field of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AmountField {
    /// Its initial value, as a decimal.
    pub value: String,
    /// The highest amount allowed, with symbol and code.
    pub at_most: String,
    /// The currency code, lower-case.
    pub currency: String,
}

/// An action as a form with one button.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionForm {
    /// The operation.
    pub verb: Verb,
    /// The words on the button.
    pub label: &'static str,
    /// The answer to 3-D Secure; `None` for other actions.
    pub passed: Option<bool>,
    /// The amount field, if the action has one and is enabled.
    pub amount: Option<AmountField>,
    /// What the issuer may do and say, for a dispute that is enabled: names and words.
    pub complaints: Option<Complaints>,
    /// Why it is disabled; `None` if it is enabled.
    pub disabled: Option<String>,
}

/// The choices of a dispute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaints {
    /// What the issuer does.
    pub raised: [(&'static str, &'static str); 3],
    /// What the cardholder complains of.
    pub reasons: Vec<(&'static str, &'static str)>,
}

impl Complaints {
    fn all() -> Self {
        // The usual one first.
        let mut reasons = DisputeReason::ALL;
        reasons.sort_by_key(|reason| *reason != DisputeReason::Fraudulent);
        Self {
            raised: Raised::ALL.map(|raised| {
                let words = match raised {
                    Raised::Dispute => "Dispute",
                    Raised::Inquiry => "Inquiry",
                    Raised::FraudWarning => "Fraud warning",
                };
                (raised.as_str(), words)
            }),
            reasons: reasons.iter().map(|reason| (reason.as_str(), reason.words())).collect(),
        }
    }
}

impl ActionForm {
    fn new(verb: Verb, label: &'static str, disabled: Option<String>) -> Self {
        let complaints = (verb == Verb::Dispute && disabled.is_none()).then(Complaints::all);
        Self { verb, label, passed: None, amount: None, complaints, disabled }
    }

    fn with_amount(mut self, amount: Money) -> Self {
        self.amount = self.disabled.is_none().then(|| AmountField {
            value: amount.decimal(),
            at_most: amount.to_string(),
            currency: amount.currency.lower(),
        });
        self
    }

    fn passed(mut self, passed: bool) -> Self {
        self.passed = Some(passed);
        self
    }
}

/// A button beside a refund or a dispute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartForm {
    /// The operation in the form's address.
    pub operation: &'static str,
    /// The field that names the part.
    pub part: &'static str,
    /// The evidence that it submits; empty if it submits none.
    pub evidence: &'static str,
    /// The words on the button.
    pub label: &'static str,
    /// Whether the page's script may send it over the WebSocket.
    pub by_socket: bool,
}

impl PartForm {
    /// Lets a pending refund arrive.
    pub const SUCCEED_REFUND: Self = Self::of(Verb::SucceedRefund, "refund", "Let it arrive");
    /// Lets a refund fail.
    pub const FAIL_REFUND: Self = Self::of(Verb::FailRefund, "refund", "Let it fail");
    /// Gives a dispute up.
    pub const GIVE_UP: Self = Self::of(Verb::CloseDispute, "dispute", "Give it up");
    /// Submits evidence that wins a dispute.
    pub const WIN: Self = Self::answer("winning_evidence", "Win it");
    /// Submits evidence that loses a dispute.
    pub const LOSE: Self = Self::answer("losing_evidence", "Lose it");

    const fn of(verb: Verb, part: &'static str, label: &'static str) -> Self {
        Self { operation: verb.as_str(), part, evidence: "", label, by_socket: true }
    }

    /// Answers need what was said before, and go through the page's own handler.
    const fn answer(evidence: &'static str, label: &'static str) -> Self {
        Self { operation: ANSWER_DISPUTE, part: "dispute", evidence, label, by_socket: false }
    }
}

/// The action with which a merchant answers a dispute; it needs what was said before, and so is no [`Verb`].
pub const ANSWER_DISPUTE: &str = "answer_dispute";

/// Every action on a payment that the viewer owns.
#[must_use]
pub fn actions(payment: &Payment, now: Timestamp) -> Vec<ActionForm> {
    let amount = payment.submission().amount;
    let left = Money::new(payment.refundable_minor(), amount.currency);
    let disputable = Money::new(payment.disputable_minor(), amount.currency);
    let challenge = challenge_reason(payment);
    let mut all = vec![
        ActionForm::new(Verb::Capture, "Capture", capture_reason(payment, now)).with_amount(amount),
        ActionForm::new(Verb::Refund, "Refund", refund_reason(payment)).with_amount(left),
        ActionForm::new(Verb::Cancel, "Cancel", cancel_reason(payment, now)),
        ActionForm::new(Verb::CompleteAction, "Complete 3-D Secure", challenge.clone()).passed(true),
        ActionForm::new(Verb::CompleteAction, "Fail 3-D Secure", challenge).passed(false),
        ActionForm::new(Verb::Replay, "Replay", replay_reason(payment, now)),
        ActionForm::new(Verb::Dispute, "Dispute", dispute_reason(payment)).with_amount(disputable),
    ];
    // Enabled actions come first; within each group they follow a payment's life.
    all.sort_by_key(|action| action.disabled.is_some());
    all
}

fn open_reason(operation: &Operation) -> String {
    let what = operation.kind.words();
    match operation.phase {
        Phase::Parked { .. } => format!("the {what} is parked: replay it or cancel"),
        Phase::Queued | Phase::Waiting { .. } | Phase::Pending { .. } => format!("a {what} is under way"),
    }
}

/// Whether the authorisation has expired, even if the timer has not fired yet.
fn lapsed(payment: &Payment, now: Timestamp) -> bool {
    payment.capture_deadline().is_some_and(|deadline| deadline <= now)
}

fn capture_reason(payment: &Payment, now: Timestamp) -> Option<String> {
    let state = payment.state();
    match (state.status, &state.operation) {
        (Status::RequiresCapture, _) if lapsed(payment, now) => {
            Some("the authorization has expired".to_owned())
        }
        (Status::RequiresCapture, None) => None,
        (Status::RequiresCapture, Some(operation)) => Some(open_reason(operation)),
        (_, _) => Some("only an authorised payment is captured".to_owned()),
    }
}

fn refund_reason(payment: &Payment) -> Option<String> {
    match (payment.submission().kind, payment.state().status, payment.refundable_minor()) {
        (Kind::Charge, Status::Succeeded, _) if payment.state().disputes.iter().any(Dispute::holds_money) => {
            Some("it is disputed".to_owned())
        }
        (Kind::Charge, Status::Succeeded, 0) => Some("all of it is refunded".to_owned()),
        (Kind::Charge, Status::Succeeded, _) => None,
        (Kind::Charge, _, _) => Some("only after it has succeeded".to_owned()),
        (Kind::TopUp | Kind::Transfer { .. } | Kind::Payout { .. }, _, _) => {
            Some("only charges are refunded".to_owned())
        }
    }
}

fn dispute_reason(payment: &Payment) -> Option<String> {
    match (payment.submission().kind, payment.state().status, payment.disputable_minor()) {
        (Kind::Charge, Status::Succeeded, 0) => Some("nothing of it is left to dispute".to_owned()),
        (Kind::Charge, Status::Succeeded, _) => None,
        (Kind::Charge, _, _) => Some("only after it has succeeded".to_owned()),
        (Kind::TopUp | Kind::Transfer { .. } | Kind::Payout { .. }, _, _) => {
            Some("only charges are disputed".to_owned())
        }
    }
}

fn cancel_reason(payment: &Payment, now: Timestamp) -> Option<String> {
    let state = payment.state();
    let kind = payment.submission().kind;
    match (state.status, &state.operation) {
        (Status::RequiresCapture, Some(operation))
            if !lapsed(payment, now) && !matches!(operation.phase, Phase::Parked { .. }) =>
        {
            Some(open_reason(operation))
        }
        (Status::Declined, _) if kind.takes_from_wallet() => Some(match state.started_at {
            Some(_) => "it is over: the money is back in your wallet".to_owned(),
            None => "it is over: nothing left your wallet".to_owned(),
        }),
        (Status::Queued, _) if state.cancel_requested.is_some() => Some("already asked for".to_owned()),
        (
            Status::RequiresPaymentMethod
            | Status::RequiresConfirmation
            | Status::RequiresAction
            | Status::RequiresCapture
            | Status::Queued
            | Status::Declined
            | Status::Failed,
            _,
        ) => None,
        (Status::Processing, _) => Some("the other side has accepted it".to_owned()),
        (Status::Succeeded, _) if kind == Kind::Charge => {
            Some("it has succeeded: refund it instead".to_owned())
        }
        (Status::Succeeded, _) => Some("it has succeeded".to_owned()),
        (Status::Canceled, _) => Some("already canceled".to_owned()),
    }
}

fn challenge_reason(payment: &Payment) -> Option<String> {
    let waits = payment.state().status == Status::RequiresAction;
    (!waits).then(|| "it does not wait for 3-D Secure".to_owned())
}

fn replay_reason(payment: &Payment, now: Timestamp) -> Option<String> {
    let capture =
        |operation: &Operation| matches!(operation.kind.follow_up(), Some(FollowUp::Capture { .. }));
    if payment.state().operation.as_ref().is_some_and(capture) && lapsed(payment, now) {
        return Some("the authorization has expired".to_owned());
    }
    (!payment.is_parked()).then(|| "no operation is parked".to_owned())
}
