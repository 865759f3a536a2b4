//! The plain sentence that a payment's page opens with. Pure.

use super::super::format;
use super::super::row::{Names, from_label, refunded, to_label};
use crate::domain::event::CancelReason;
use crate::domain::payment::{Payment, Phase};
use crate::domain::status::Status;
use crate::domain::submission::Kind;
use crate::domain::time::Timestamp;

/// What happened, or what it waits for, in one sentence.
#[must_use]
pub fn sentence(payment: &Payment, names: &Names, now: Timestamp) -> String {
    let state = payment.state();
    let amount = payment.submission().amount;
    let way = format!("from {} to {}", from_label(payment, names), to_label(payment, names));
    match state.status {
        Status::RequiresPaymentMethod => format!("Waiting for a card: {amount}, {way}."),
        Status::RequiresConfirmation => format!("Waiting for the word to go: {amount}, {way}."),
        Status::Queued => queued(payment, now).unwrap_or_else(|| format!("In the queue: {amount}, {way}.")),
        Status::Processing => match state.operation.map(|operation| operation.phase) {
            Some(Phase::Pending { settles_at }) => {
                format!(
                    "On its way: the other side accepted it and settles it {}.",
                    format::until(now, settles_at)
                )
            }
            _ => format!("With the acquirer now: {amount}, {way}."),
        },
        Status::RequiresAction => {
            "The issuer wants the cardholder to prove who they are (3-D Secure).".to_owned()
        }
        Status::RequiresCapture => authorised(payment),
        Status::Succeeded => succeeded(payment, &way),
        Status::Declined => declined(payment),
        Status::Failed => {
            let cause = state.technical.map_or("it broke technically", |cause| cause.words());
            format!("It failed: {cause}, and the retries are spent. Nothing was charged; it can be replayed.")
        }
        Status::Canceled => canceled(state.canceled),
    }
}

fn queued(payment: &Payment, now: Timestamp) -> Option<String> {
    let state = payment.state();
    match state.operation?.phase {
        Phase::Waiting { due_at } => {
            let cause = state.technical.map_or("the last attempt broke", |cause| cause.words());
            Some(format!("Will be tried again {}: {cause}.", format::until(now, due_at)))
        }
        Phase::Queued if state.cancel_wish.is_some() => {
            Some("Cancellation was asked for; an approval that still comes is given back.".to_owned())
        }
        Phase::Queued | Phase::Pending { .. } | Phase::Parked { .. } => None,
    }
}

fn authorised(payment: &Payment) -> String {
    let state = payment.state();
    let amount = payment.submission().amount;
    match (&state.operation, state.capture_before, state.decline) {
        (Some(operation), _, _) => {
            format!("{amount} is held on the card; a {} is under way.", operation.kind.name())
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
    let received = crate::domain::money::Money::new(state.received_minor, amount.currency);
    let part = if received == amount { String::new() } else { format!(" of the {amount} authorised") };
    let back = match (refunded(payment), payment.refundable_minor()) {
        (None, _) => String::new(),
        (Some(_), 0) => " All of it has been refunded.".to_owned(),
        (Some(refunded), _) => format!(" {refunded} of it has been refunded."),
    };
    format!("{received}{part} went {way}.{back}")
}

fn declined(payment: &Payment) -> String {
    let words = payment.state().decline.map_or("no reason given", |reason| reason.words());
    let who = match (payment.submission().kind, payment.state().started_at) {
        (Kind::Transfer { .. } | Kind::Payout { .. }, None) => "The wallet could not cover it",
        (Kind::Transfer { .. } | Kind::Payout { .. } | Kind::Charge | Kind::TopUp, _) => "The bank declined",
    };
    format!("{who}: {words}.")
}

fn canceled(reason: Option<CancelReason>) -> String {
    let why = match reason {
        None => "",
        Some(CancelReason::Duplicate) => ", as a duplicate",
        Some(CancelReason::Fraudulent) => ", as fraudulent",
        Some(CancelReason::RequestedByCustomer) => ", as the customer asked",
        Some(CancelReason::Abandoned) => ", given up",
        Some(CancelReason::Expired) => " by itself: it was not captured in time",
    };
    format!("It was canceled{why}. Nothing is held any more.")
}
