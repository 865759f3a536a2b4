//! The rules for a caller's operations on an existing payment: pure, like [`super::decide`]. What is final stays final, and
//! each rejection says why.

use super::command::{Action, OperatePayment};
use super::context::{Context, Events, lapsed, payable};
use super::decline::DeclineReason;
use super::disputes;
use super::event::{CancelReason, Event};
use super::ids::RefundId;
use super::instrument::Instrument;
use super::money::Money;
use super::payment::{FollowUp, HISTORY_MAX, Operation, OperationKind, Payment, Phase, RefundStatus};
use super::rejection::{Rejection, RejectionKind};
use super::room;
use super::status::Status;
use super::submission::Kind;

/// Decides an operation on an existing payment.
///
/// # Errors
/// A [`Rejection`] if the payment is not the actor's, or is in a state in which this cannot be done.
pub fn operate(
    context: &Context<'_>,
    payment: &Payment,
    command: &OperatePayment,
) -> Result<Events, Rejection> {
    if payment.owner() != command.actor {
        return Err(Rejection::not_found("payment", payment.submission().public_id()).with_param("intent"));
    }
    let events = match command.action {
        Action::Confirm { instrument, presented, charge } => {
            // A card that the caller brings is a new payment method; the previous one stays as it is.
            let brought = instrument.map(|instrument| instrument.as_method(charge.method()));
            confirm(payment, brought).map(|instrument| {
                vec![Event::Confirmed { instrument: instrument.presented_again(presented), charge }]
            })
        }
        Action::Capture { amount_minor } => capture(context, payment, amount_minor),
        Action::Cancel { reason } => cancel(context, payment, reason),
        Action::Refund { refund, amount_minor, detail } => refunded_minor(context, payment, amount_minor)
            .map(|amount_minor| vec![Event::RefundQueued { refund, amount_minor, detail }]),
        Action::CompleteAction { passed } => complete_action(payment, passed),
        Action::Replay => replay(context, payment),
        Action::EndRefund { refund, failed } => end_refund(payment, refund, failed),
        Action::Dispute(complaint) => disputes::raise(context, payment, &complaint),
        Action::AnswerDispute(answer) => disputes::answer(context, payment, &answer),
        Action::CloseDispute { dispute } => disputes::close(payment, dispute),
    }?;
    if room::admits(context, payment, &events) { Ok(events) } else { Err(history_full(payment)) }
}

fn history_full(payment: &Payment) -> Rejection {
    let wait = if payment.operations().next().is_some() {
        " Room is kept for what is still under way; try again once that has finished."
    } else {
        ""
    };
    let message = format!("This payment has reached its limit of {HISTORY_MAX} events.{wait}");
    Rejection::new(RejectionKind::State, "history_full", message)
}

fn unexpected_state(payment: &Payment, verb: &str, why: &str) -> Rejection {
    let status = payment.state().status;
    let message =
        format!("This payment could not be {verb} because it has a status of {}. {why}", status.as_str());
    Rejection::new(RejectionKind::State, "payment_intent_unexpected_state", message)
}

/// The rejection where an operation on what is held is under way or parked.
fn operation_open(operation: &Operation) -> Rejection {
    let (kind, code, what) = match operation.phase {
        Phase::Parked { .. } => {
            (RejectionKind::State, "operation_parked", "is parked. Replay it, or cancel the payment.")
        }
        Phase::Queued | Phase::Waiting { .. } | Phase::Pending { .. } => {
            (RejectionKind::Conflict, "lock_timeout", "is still in progress. Try again once it has finished.")
        }
    };
    Rejection::new(kind, code, format!("The {} of this payment {what}", operation.kind.words()))
}

/// The instrument of a confirmed attempt: the one brought, or the one known already. After a decline a new one is required.
fn confirm(payment: &Payment, brought: Option<Instrument>) -> Result<Instrument, Rejection> {
    let from_card = !payment.submission().kind.takes_from_wallet();
    let missing = || {
        let message = "You cannot confirm this payment because it is missing a payment method.";
        Rejection::invalid("payment_method", "payment_intent_unexpected_state", message)
    };
    match payment.state().status {
        Status::RequiresConfirmation => brought.or(payment.state().instrument).ok_or_else(missing),
        Status::RequiresPaymentMethod | Status::Declined if from_card => brought.ok_or_else(missing),
        Status::Failed => {
            Err(unexpected_state(payment, "confirmed", "Its authorization is parked: replay it."))
        }
        Status::Declined => Err(unexpected_state(payment, "confirmed", came_to_nothing(payment))),
        Status::RequiresPaymentMethod
        | Status::Queued
        | Status::Processing
        | Status::RequiresAction
        | Status::RequiresCapture
        | Status::Succeeded
        | Status::Canceled => {
            let wanted =
                "Only a payment that waits for a payment method or for confirmation can be confirmed.";
            Err(unexpected_state(payment, "confirmed", wanted))
        }
    }
}

/// Why a declined payment out of a wallet is over: there is no other card to try.
fn came_to_nothing(payment: &Payment) -> &'static str {
    match (payment.submission().kind, payment.state().started_at) {
        (_, None) => {
            "Your wallet could not cover it, and nothing left your wallet. Submit a new one instead."
        }
        (Kind::Payout { .. }, Some(_)) => {
            "The bank returned it, and the money is back in your wallet. Submit a new one instead."
        }
        (Kind::Charge | Kind::TopUp | Kind::Transfer { .. }, Some(_)) => {
            "It was not delivered, and the money is back in your wallet. Submit a new one instead."
        }
    }
}

fn expired(context: &Context<'_>, payment: &Payment) -> Result<(), Rejection> {
    let message = "This payment can no longer be captured: its authorization has expired.";
    match lapsed(payment, context.now) {
        None => Ok(()),
        Some(_) => Err(Rejection::new(RejectionKind::State, "charge_expired_for_capture", message)),
    }
}

fn capture(context: &Context<'_>, payment: &Payment, amount_minor: Option<i64>) -> Result<Events, Rejection> {
    let state = payment.state();
    if state.status != Status::RequiresCapture {
        let wanted = "Only a payment with a status of requires_capture can be captured.";
        return Err(unexpected_state(payment, "captured", wanted));
    }
    expired(context, payment)?;
    if let Some(operation) = &state.operation {
        return Err(operation_open(operation));
    }
    let whole = payment.authorized();
    let amount_minor = amount_minor.unwrap_or(whole.amount_minor);
    if !(1..=whole.amount_minor).contains(&amount_minor) {
        let message = format!("The amount to capture must be between 1 and the {whole} that was authorised.");
        return Err(Rejection::invalid("amount_to_capture", "amount_too_large", message));
    }
    if amount_minor != whole.amount_minor {
        payable(Money::new(amount_minor, whole.currency), "amount_to_capture")?;
    }
    Ok(vec![Event::CaptureQueued { amount_minor }])
}

fn cancel(context: &Context<'_>, payment: &Payment, reason: CancelReason) -> Result<Events, Rejection> {
    let state = payment.state();
    let kind = payment.submission().kind;
    let refused = |why| Err(unexpected_state(payment, "canceled", why));
    match (state.status, &state.operation) {
        (Status::Declined, _) if kind.takes_from_wallet() => refused(came_to_nothing(payment)),
        (Status::RequiresPaymentMethod | Status::RequiresConfirmation | Status::RequiresAction, _)
        | (Status::Declined | Status::Failed, _) => Ok(vec![Event::canceled(reason)]),
        // Nothing is in flight between two attempts.
        (Status::Queued, Some(Operation { phase: Phase::Waiting { .. }, .. })) => {
            Ok(vec![Event::canceled(reason)])
        }
        (Status::Queued, _) if state.cancel_requested.is_some() => Ok(Vec::new()),
        (Status::Queued, _) => Ok(vec![Event::CancelRequested { reason }]),
        (Status::RequiresCapture, operation) => cancel_held(context, payment, operation.as_ref(), reason),
        (Status::Processing, _) => refused("The other side has accepted it already."),
        (Status::Succeeded, _) if kind == Kind::Charge => {
            refused("A payment that has succeeded is refunded instead.")
        }
        (Status::Succeeded, _) => refused("The money has arrived."),
        (Status::Canceled, _) => refused("It was canceled before."),
    }
}

/// Releases what is held. A parked operation is no obstacle: its retries are spent.
fn cancel_held(
    context: &Context<'_>,
    payment: &Payment,
    operation: Option<&Operation>,
    reason: CancelReason,
) -> Result<Events, Rejection> {
    if lapsed(payment, context.now).is_some() {
        // Nothing is left to release.
        return Ok(vec![Event::canceled(reason)]);
    }
    match operation.map(|operation| (operation, operation.phase)) {
        None | Some((_, Phase::Parked { .. })) => Ok(vec![Event::VoidQueued { reason }]),
        Some((operation, Phase::Queued | Phase::Waiting { .. } | Phase::Pending { .. })) => {
            Err(operation_open(operation))
        }
    }
}

/// The amount that a refund of this much, or of whatever is left, gives back.
fn refunded_minor(
    context: &Context<'_>,
    payment: &Payment,
    amount_minor: Option<i64>,
) -> Result<i64, Rejection> {
    if payment.state().status != Status::Succeeded || payment.submission().kind != Kind::Charge {
        let wanted = "Only a charge that has succeeded can be refunded.";
        return Err(unexpected_state(payment, "refunded", wanted));
    }
    disputes::refundable(payment)?;
    let left_minor = payment.refundable_minor();
    let currency = payment.submission().amount.currency;
    if left_minor == 0 {
        let message = "This charge has already been refunded.";
        return Err(Rejection::new(RejectionKind::State, "charge_already_refunded", message));
    }
    let amount_minor = amount_minor.unwrap_or(left_minor);
    if amount_minor < 1 {
        let message = "This value must be greater than or equal to 1.";
        return Err(Rejection::invalid("amount", "parameter_invalid_integer", message));
    }
    if amount_minor > left_minor {
        let (asked, left) = (Money::new(amount_minor, currency), Money::new(left_minor, currency));
        let message = format!("Refund amount ({asked}) is greater than unrefunded amount on charge ({left})");
        return Err(Rejection::invalid("amount", "amount_too_large", message));
    }
    if amount_minor != left_minor {
        payable(Money::new(amount_minor, currency), "amount")?;
    }
    if (context.wallet)(payment.submission().own_wallet()).balance_minor < amount_minor {
        let message = format!("Your {currency} wallet cannot cover this refund. Add money first.");
        return Err(Rejection::new(RejectionKind::Funds, "balance_insufficient", message));
    }
    Ok(amount_minor)
}

/// Ends a refund as its bank would. One that has arrived may still come back.
fn end_refund(payment: &Payment, id: RefundId, failed: Option<DeclineReason>) -> Result<Events, Rejection> {
    let refund = payment.refund(id).ok_or_else(|| Rejection::not_found("refund", id))?;
    let event = match (refund.status, failed) {
        (RefundStatus::Pending, None) => Event::refund_succeeded(id),
        (RefundStatus::Pending | RefundStatus::Succeeded, Some(reason)) => Event::refund_failed(id, reason),
        (RefundStatus::Succeeded, None) | (RefundStatus::Failed(_), _) => {
            let message = format!("This refund has already {}.", refund.status.as_str());
            return Err(Rejection::new(RejectionKind::State, "refund_unexpected_state", message));
        }
    };
    Ok(vec![event])
}

fn complete_action(payment: &Payment, passed: bool) -> Result<Events, Rejection> {
    match (payment.state().status, passed) {
        (Status::RequiresAction, true) => Ok(vec![Event::ActionCompleted {}]),
        (Status::RequiresAction, false) => Ok(vec![Event::declined(DeclineReason::AuthenticationFailure)]),
        (_, _) => Err(unexpected_state(payment, "authenticated", "It does not wait for 3-D Secure.")),
    }
}

fn replay(context: &Context<'_>, payment: &Payment) -> Result<Events, Rejection> {
    let parked = payment.operations().find(|operation| matches!(operation.phase, Phase::Parked { .. }));
    let Some(operation) = parked else {
        let message = "No operation of this payment is parked.";
        return Err(Rejection::new(RejectionKind::State, "nothing_parked", message));
    };
    match operation.kind {
        OperationKind::Authorization => replay_authorization(context, payment),
        OperationKind::FollowUp(follow_up) => {
            match follow_up {
                FollowUp::Capture { .. } => expired(context, payment)?,
                FollowUp::Void | FollowUp::Refund { .. } => {}
            }
            Ok(vec![Event::OperationReplayed { operation: operation.number }])
        }
    }
}

fn replay_authorization(context: &Context<'_>, payment: &Payment) -> Result<Events, Rejection> {
    let submission = payment.submission();
    let reserved = submission.kind.takes_from_wallet();
    if reserved && !context.affordable(submission.own_wallet(), submission.amount.amount_minor) {
        let message =
            format!("Your {} wallet cannot cover this payment any more.", submission.amount.currency);
        return Err(Rejection::new(RejectionKind::Funds, "balance_insufficient", message));
    }
    Ok(vec![Event::Replayed { reserved }])
}
