//! The plain sentence that a payment's page opens with. Pure.

use super::super::format;
use super::super::row::{Names, end_labels};
use super::Now;
use crate::domain::decline::DeclineReason;
use crate::domain::event::CancelReason;
use crate::domain::money::Money;
use crate::domain::payment::{FollowUp, Payment, Phase, RefundStatus};
use crate::domain::status::Status;
use crate::domain::submission::Kind;

/// A sentence, which may contain a moment that pages count down to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sentence {
    /// The text before the moment, or the whole sentence.
    pub text: String,
    /// The moment in words (`in 24 s`), and in milliseconds since the epoch if pages can count down to it.
    pub due: Option<(String, Option<i64>)>,
    /// The text after the moment.
    pub rest: String,
}

impl Sentence {
    fn with_due(text: &str, due: (String, Option<i64>), rest: String) -> Self {
        Self { text: text.to_owned(), due: Some(due), rest }
    }
}

impl std::fmt::Display for Sentence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let due = self.due.as_ref().map_or("", |(words, _)| words);
        write!(f, "{}{due}{}", self.text, self.rest)
    }
}

/// What happened to a payment, or what it waits for.
#[must_use]
pub fn sentence(payment: &Payment, names: &Names, now: Now) -> Sentence {
    let state = payment.state();
    match (state.status, state.operation.map(|operation| operation.phase)) {
        (Status::Queued, Some(Phase::Waiting { due_at })) => {
            let cause = state.technical.map_or("the last attempt broke", |cause| cause.words());
            let due = (format::until(now.wall, due_at), Some(due_at.millis()));
            Sentence::with_due("Will be tried again ", due, format!(": {cause}."))
        }
        (Status::Processing, Some(Phase::Pending { settles_at })) => {
            let text = "On its way: the other side accepted it and settles it ";
            let due = (format::until(now.own(), settles_at), now.countdown(settles_at));
            Sentence::with_due(text, due, ".".to_owned())
        }
        (_, _) => Sentence { text: settled(payment, names), ..Sentence::default() },
    }
}

/// The sentence for a payment that does not wait for a moment.
fn settled(payment: &Payment, names: &Names) -> String {
    let state = payment.state();
    let amount = payment.submission().amount;
    let [from, to] = end_labels(payment, names);
    let way = format!("from {from} to {to}");
    match state.status {
        Status::RequiresPaymentMethod => format!("Waiting for a card: {amount}, {way}."),
        Status::RequiresConfirmation => format!("Waiting to be confirmed: {amount}, {way}."),
        Status::Queued if state.cancel_requested.is_some() => {
            "Cancellation was asked for; an approval that still comes is given back.".to_owned()
        }
        Status::Queued => format!("In the queue: {amount}, {way}."),
        Status::Processing => format!("With the acquirer now: {amount}, {way}."),
        Status::RequiresAction => {
            "The issuer wants the cardholder to prove who they are (3-D Secure).".to_owned()
        }
        Status::RequiresCapture => authorised(payment),
        Status::Succeeded => succeeded(payment, &way),
        Status::Declined => declined(payment),
        Status::Failed => {
            let cause = state.technical.map_or("it broke technically", |cause| cause.words());
            let money = match payment.submission().kind.takes_from_wallet() {
                true => "The money is back in the wallet",
                false => "Nothing was charged",
            };
            format!("It failed: {cause}, and the retries are spent. {money}; it can be replayed.")
        }
        Status::Canceled => canceled(state.canceled),
    }
}

fn authorised(payment: &Payment) -> String {
    let state = payment.state();
    let amount = payment.submission().amount;
    match (&state.operation, state.capture_before, state.decline) {
        (Some(operation), _, _) => {
            format!("{amount} is held on the card; a {} is under way.", operation.kind.words())
        }
        (None, _, Some(reason)) => {
            format!("{amount} is held, but the capture was declined: {}.", reason.words())
        }
        (None, Some(before), None) => {
            format!("{amount} is held on the card. Capture it by {}.", format::day(before))
        }
        (None, None, None) => format!("{amount} is held on the card."),
    }
}

fn succeeded(payment: &Payment, way: &str) -> String {
    let (state, amount) = (payment.state(), payment.submission().amount);
    let received = Money::new(state.received_minor, amount.currency);
    let part = if received == amount { String::new() } else { format!(" of the {amount} authorised") };
    let back = sent_back(payment);
    format!("{received}{part} went {way}.{back}")
}

/// The refunded parts: those that arrived, those under way and those that are parked.
fn sent_back(payment: &Payment) -> String {
    let state = payment.state();
    let sum = |wanted| {
        let fits = state.refunds.iter().filter(|refund| refund.status == wanted);
        fits.map(|refund| refund.amount_minor).fold(0_i64, i64::saturating_add)
    };
    let parked =
        state.refund_operations.iter().map(|operation| match (operation.phase, operation.kind.follow_up()) {
            (Phase::Parked { .. }, Some(FollowUp::Refund { amount_minor, .. })) => amount_minor,
            (_, _) => 0,
        });
    let parked = parked.fold(0_i64, i64::saturating_add);
    let part = |minor: i64| match minor == state.received_minor {
        true => "All of it".to_owned(),
        false => format!("{} of it", Money::new(minor, payment.submission().amount.currency)),
    };
    [
        (sum(RefundStatus::Succeeded), "has been refunded"),
        (sum(RefundStatus::Pending) - parked, "is on its way back"),
        (parked, "is parked on its way back"),
    ]
    .into_iter()
    .filter(|(minor, _)| *minor > 0)
    .map(|(minor, what)| format!(" {} {what}.", part(minor)))
    .collect::<Vec<_>>()
    .concat()
}

fn declined(payment: &Payment) -> String {
    let state = payment.state();
    let reason = state.decline.unwrap_or(DeclineReason::GenericDecline);
    let words = reason.words();
    match (payment.submission().kind, state.started_at, reason) {
        (Kind::Transfer { .. } | Kind::Payout { .. }, None, _) => {
            format!("The wallet could not cover it: {words}.")
        }
        (Kind::Payout { .. }, Some(_), _) => {
            format!("The bank returned it: {words}. The money is back in the wallet.")
        }
        (Kind::Transfer { .. }, Some(_), _) => {
            format!("It was not delivered: {words}. The money is back in the wallet.")
        }
        // The bank did not decline these.
        (Kind::Charge | Kind::TopUp, _, DeclineReason::AuthenticationFailure) => {
            "3-D Secure failed: the cardholder did not prove who they are.".to_owned()
        }
        (Kind::Charge | Kind::TopUp, _, _) if payment.broke_at_lookup() => {
            "3-D Secure broke: the lookup of the card failed.".to_owned()
        }
        (Kind::Charge | Kind::TopUp, _, DeclineReason::Fraudulent) => {
            "It was blocked as fraudulent.".to_owned()
        }
        (Kind::Charge | Kind::TopUp, _, _) => format!("The bank declined: {words}."),
    }
}

fn canceled(reason: Option<CancelReason>) -> String {
    let why = match reason {
        None | Some(CancelReason::NotGiven) => "",
        Some(CancelReason::Duplicate) => ", as a duplicate",
        Some(CancelReason::Fraudulent) => ", as fraudulent",
        Some(CancelReason::RequestedByCustomer) => ", as the customer asked",
        Some(CancelReason::Abandoned) => ", given up",
        Some(CancelReason::Expired) => {
            return "The authorization expired before it was captured. Nothing is held any more.".to_owned();
        }
    };
    format!("It was canceled{why}. Nothing is held any more.")
}
