//! The rules: pure `decide(state, command, now) → events`. Nothing here changes anything.
//!
//! Each function returns the events to apply, in order; an empty list means that the command is stale and changes
//! nothing (an old message, a timer that fired twice). Preconditions that the caller must know about are rejections. What a
//! caller may ask of an existing payment is in [`super::operate`].

use super::command::{Answer, Outcome, SubmitPayment};
use super::context::{Context, Events, NO_SUCH_PAYEE, lapsed, payable};
use super::decline::DeclineReason;
use super::event::{CancelReason, Event, TechnicalError};
use super::payment::{Operation, OperationKind, Payment, Phase};
use super::rejection::{Rejection, RejectionKind};
use super::submission::{CaptureMethod, Kind};
use super::time::Timestamp;

/// Decides a new payment.
///
/// # Errors
/// A [`Rejection`] that names the parameter at fault; nothing is created then.
pub fn submit(context: &Context<'_>, command: &SubmitPayment) -> Result<Events, Rejection> {
    let submission = &command.submission;
    if context.closed(submission.owner) {
        let message = "This account is closed: it makes no payments any more.";
        return Err(Rejection::new(RejectionKind::State, "account_closed", message));
    }
    payable(submission.amount, "amount")?;
    if let Some(customer) = submission.customer {
        context.must_own(submission.owner, customer)?;
    }
    if let Kind::Transfer { payee } = submission.kind
        && context.closed(payee)
    {
        return Err(Rejection::invalid("destination", "resource_missing", NO_SUCH_PAYEE));
    }
    if let Kind::Transfer { payee } = submission.kind
        && payee == submission.owner
    {
        return Err(Rejection::invalid(
            "destination",
            "transfer_to_self",
            "You cannot send money to yourself.",
        ));
    }
    let takes_from_wallet = submission.kind.takes_from_wallet();
    if takes_from_wallet && !command.confirm {
        // The amount is reserved on admission, and nowhere later.
        let message = "Only a charge can be created without being confirmed.";
        return Err(Rejection::invalid("confirm", "parameter_invalid_boolean", message));
    }
    let instrument = submission.kind.instrument().or(command.instrument);
    if command.confirm && instrument.is_none() {
        let message = "You cannot confirm this payment because it is missing a payment method.";
        return Err(Rejection::invalid("payment_method", "payment_intent_unexpected_state", message));
    }
    let affordable = context.affordable(submission.own_wallet(), submission.amount.amount_minor);
    let reserved = takes_from_wallet && affordable;
    let mut events = vec![Event::Created { instrument, confirmed: command.confirm, reserved }];
    if takes_from_wallet && !affordable {
        events.push(Event::declined(DeclineReason::InsufficientFunds));
    }
    Ok(events)
}

/// Decides an acquirer's answer. Empty for an answer to anything but the attempt that is in flight.
#[must_use]
pub fn answer(context: &Context<'_>, payment: &Payment, answer: &Answer) -> Events {
    let Some(operation) = payment.operation(answer.work.operation) else {
        return Vec::new();
    };
    if operation.attempt != answer.work.attempt || operation.phase != Phase::Queued {
        return Vec::new();
    }
    if let Some(lapsed) = lapsed(payment, context.now) {
        return vec![lapsed];
    }
    match operation.kind {
        OperationKind::Authorize => authorization_answer(context, payment, operation, answer),
        OperationKind::Capture { .. } | OperationKind::Void | OperationKind::Refund { .. } => {
            later_answer(context, payment, operation, answer.outcome)
        }
    }
}

fn authorization_answer(
    context: &Context<'_>,
    payment: &Payment,
    operation: &Operation,
    answer: &Answer,
) -> Events {
    let started = Event::Started { at: answer.started_at };
    let submission = payment.submission();
    let wish = payment.state().cancel_requested.or_else(|| given_up(context, payment));
    let outcome = match (answer.outcome, wish) {
        (Outcome::Approved, Some(reason)) if submission.kind.takes_from_wallet() => Event::canceled(reason),
        // An approval that still comes is voided.
        (Outcome::Approved, Some(reason)) => {
            return vec![started, authorized(context, payment), Event::VoidQueued { reason }];
        }
        (_, Some(reason)) => Event::canceled(reason),
        (Outcome::Approved, None) => match (submission.kind, submission.capture) {
            (Kind::Charge, CaptureMethod::Manual) => authorized(context, payment),
            (Kind::Transfer { payee }, _) if context.closed(payee) => undeliverable(),
            (Kind::Charge, CaptureMethod::Automatic)
            | (Kind::TopUp | Kind::Transfer { .. } | Kind::Payout { .. }, _) => Event::SUCCEEDED,
        },
        (Outcome::Declined(reason), None) => Event::declined(reason),
        (Outcome::ActionRequired, None) => Event::ActionRequired {},
        (Outcome::Pending { settles_after_ms }, None) => {
            Event::Pending { settles_at: context.now.plus_ms(settles_after_ms) }
        }
        (Outcome::TechnicalFailure(cause), None) => match next_retry(context, operation) {
            Some(due_at) => Event::RetryScheduled { due_at, cause },
            None => Event::failed(cause),
        },
    };
    vec![started, outcome]
}

/// Why a payment that would fill the wallet of an account closed meanwhile ends without it: nobody is there any more whose
/// it could be, so that it is called off as if its owner had asked for that.
fn given_up(context: &Context<'_>, payment: &Payment) -> Option<CancelReason> {
    let fills_wallet = match payment.submission().kind {
        Kind::Charge | Kind::TopUp => true,
        Kind::Transfer { .. } | Kind::Payout { .. } => false,
    };
    (fills_wallet && context.closed(payment.owner())).then_some(CancelReason::Abandoned)
}

/// The end of a transfer whose payee's account is closed.
const fn undeliverable() -> Event {
    Event::declined(DeclineReason::AccountClosed)
}

/// The whole amount, held from now on.
fn authorized(context: &Context<'_>, payment: &Payment) -> Event {
    Event::Authorized {
        amount_minor: payment.submission().amount.amount_minor,
        capture_before: context.now.plus_ms(context.policy.authorization_ttl_ms),
    }
}

/// When the next attempt is due by the wall, or `None` when the retries are spent.
fn next_retry(context: &Context<'_>, operation: &Operation) -> Option<Timestamp> {
    let used = usize::from(operation.retries_used());
    context.policy.retry_delays_ms.get(used).map(|delay_ms| context.wall.plus_ms(*delay_ms))
}

fn later_answer(context: &Context<'_>, payment: &Payment, operation: &Operation, outcome: Outcome) -> Events {
    let number = operation.number;
    let cause = match outcome {
        Outcome::Approved | Outcome::Pending { .. } => {
            return vec![approved_later(context, payment, operation.kind)];
        }
        Outcome::Declined(reason) => return vec![declined(payment, operation.kind, reason)],
        Outcome::TechnicalFailure(cause) => cause,
        // No acquirer asks for a challenge here; treat it as an answer that makes no sense.
        Outcome::ActionRequired => TechnicalError::Malformed,
    };
    vec![match next_retry(context, operation) {
        Some(due_at) => Event::OperationRetryScheduled { operation: number, due_at, cause },
        None => Event::OperationParked { operation: number, cause },
    }]
}

/// What the approval of a capture, void or refund comes to. A capture for an account that is closed releases what was held.
fn approved_later(context: &Context<'_>, payment: &Payment, kind: OperationKind) -> Event {
    match (kind, given_up(context, payment)) {
        (OperationKind::Capture { .. }, Some(reason)) => Event::canceled(reason),
        (_, _) => approved(payment, kind),
    }
}

fn approved(payment: &Payment, kind: OperationKind) -> Event {
    match kind {
        OperationKind::Capture { amount_minor } => Event::captured(amount_minor),
        OperationKind::Refund { refund, .. } => Event::RefundSucceeded { refund },
        OperationKind::Void => Event::Voided {},
        // Not reached: authorisations are decided apart. Harmless, since it is what approval means.
        OperationKind::Authorize => Event::captured(payment.authorized().amount_minor),
    }
}

fn declined(payment: &Payment, kind: OperationKind, reason: DeclineReason) -> Event {
    match kind {
        OperationKind::Refund { refund, .. } => Event::refund_failed(refund, reason),
        // An issuer that refuses to release has nothing left to hold.
        OperationKind::Void => approved(payment, kind),
        OperationKind::Capture { .. } | OperationKind::Authorize => Event::CaptureDeclined { reason },
    }
}

/// Decides what the clock brings: retries, settlements, expiries, money that becomes available by now. Empty if nothing is due.
#[must_use]
pub fn timer_due(context: &Context<'_>, payment: &Payment) -> Events {
    if let Some(lapsed) = lapsed(payment, context.now) {
        return vec![lapsed];
    }
    let state = payment.state();
    let mut events = Events::new();
    let main = state.operation.as_ref();
    events.extend(main.and_then(|operation| main_operation_due(context, payment, operation)));
    events.extend(payment.settles_at().filter(|at| *at <= context.now).map(|_| Event::Available {}));
    for operation in &state.refund_operations {
        if let Phase::Waiting { due_at } = operation.phase
            && due_at <= context.wall
        {
            events.push(Event::OperationRequeued { operation: operation.number });
        }
    }
    events
}

fn main_operation_due(context: &Context<'_>, payment: &Payment, operation: &Operation) -> Option<Event> {
    match operation.phase {
        Phase::Waiting { due_at } if due_at <= context.wall => Some(match operation.kind {
            OperationKind::Authorize => Event::Requeued {},
            OperationKind::Capture { .. } | OperationKind::Void | OperationKind::Refund { .. } => {
                Event::OperationRequeued { operation: operation.number }
            }
        }),
        Phase::Pending { settles_at } if settles_at <= context.now => Some(match payment.submission().kind {
            Kind::Transfer { payee } if context.closed(payee) => undeliverable(),
            // The bank's last word on an account that is closed comes when it tries to credit it.
            Kind::Payout { bank: super::bank_account::BankAccount::Closed } => {
                Event::declined(DeclineReason::AccountClosed)
            }
            Kind::Charge | Kind::TopUp | Kind::Transfer { .. } | Kind::Payout { .. } => {
                given_up(context, payment).map_or(Event::SUCCEEDED, Event::canceled)
            }
        }),
        Phase::Waiting { .. } | Phase::Pending { .. } | Phase::Queued | Phase::Parked { .. } => None,
    }
}
