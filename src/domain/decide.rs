//! The rules, as pure functions `decide(state, command, now) → events`. Nothing here changes anything.
//!
//! Each function returns the events to apply, in order; an empty list means that the command is stale and changes
//! nothing (an old message, a timer that fired twice). Preconditions that the caller must know about are rejections. What a
//! caller may ask of an existing payment is decided in [`super::operate`].

use super::aftermath::Aftermath;
use super::command::{
    AuthorizationAnswer, AuthorizationResponse, FollowUpAnswer, FollowUpResponse, SubmitPayment,
};
use super::consequences;
use super::context::{Context, Events, NO_SUCH_PAYEE, lapsed, payable};
use super::decline::DeclineReason;
use super::disputes;
use super::event::{CancelReason, Event};
use super::payment::{FollowUp, Operation, OperationKind, Payment, Phase, WorkKey};
use super::rejection::{Rejection, RejectionKind};
use super::submission::{CaptureMethod, Kind};
use super::time::Timestamp;

/// The events of a new payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opening {
    /// [`Event::Created`].
    pub created: Event,
    /// The decline that follows at once, where the wallet it is to leave cannot cover it.
    pub declined: Option<Event>,
}

/// Decides a new payment.
///
/// # Errors
/// A [`Rejection`] that names the parameter at fault; nothing is created then.
pub fn submit(context: &Context<'_>, command: &SubmitPayment) -> Result<Opening, Rejection> {
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
    Ok(Opening {
        created: Event::Created { instrument, confirmed: command.confirm, reserved },
        declined: (takes_from_wallet && !affordable)
            .then_some(Event::declined(DeclineReason::InsufficientFunds)),
    })
}

/// Decides an acquirer's answer to an authorization. Empty unless it answers the attempt in flight.
#[must_use]
pub fn authorization_answered(
    context: &Context<'_>,
    payment: &Payment,
    answer: &AuthorizationAnswer,
) -> Events {
    let in_flight = in_flight(payment, answer.work);
    let Some(operation) = in_flight.filter(|operation| operation.kind == OperationKind::Authorization) else {
        return Vec::new();
    };
    if let Some(lapsed) = lapsed(payment, context.now) {
        return vec![lapsed];
    }
    let started = Event::Started { at: answer.started_at };
    let canceled = payment.state().cancel_requested.or_else(|| given_up(context, payment));
    let from_wallet = payment.submission().kind.takes_from_wallet();
    let outcome = match (answer.response, canceled) {
        (AuthorizationResponse::Approved | AuthorizationResponse::ApprovedThen(_), Some(reason))
            if from_wallet =>
        {
            Event::canceled(reason)
        }
        // An approval that arrives after all is voided.
        (AuthorizationResponse::Approved | AuthorizationResponse::ApprovedThen(_), Some(reason)) => {
            return vec![started, authorized(context, payment), Event::VoidQueued { reason }];
        }
        (_, Some(reason)) => Event::canceled(reason),
        (AuthorizationResponse::Approved | AuthorizationResponse::ApprovedThen(_), None) => {
            approved(context, payment)
        }
        (AuthorizationResponse::Declined(reason), None) => Event::declined(reason),
        (AuthorizationResponse::ActionRequired, None) => Event::ActionRequired {},
        (AuthorizationResponse::Pending { settles_after_ms }, None) => {
            Event::Pending { settles_at: context.now.plus_ms(settles_after_ms) }
        }
        (AuthorizationResponse::TechnicalFailure(cause), None) => match next_retry(context, operation) {
            Some(due_at) => Event::RetryScheduled { due_at, cause },
            None => Event::failed(cause),
        },
    };
    let aftermath = answer.response.aftermath();
    std::iter::once(started).chain(consequences::noted(context, payment, outcome, aftermath)).collect()
}

/// Decides an acquirer's answer to a capture, void or refund. Empty unless it answers the attempt in flight.
#[must_use]
pub fn follow_up_answered(context: &Context<'_>, payment: &Payment, answer: &FollowUpAnswer) -> Events {
    let in_flight = in_flight(payment, answer.work);
    let Some((operation, follow_up)) =
        in_flight.and_then(|operation| Some((operation, operation.kind.follow_up()?)))
    else {
        return Vec::new();
    };
    if let Some(lapsed) = lapsed(payment, context.now) {
        return vec![lapsed];
    }
    let (number, aftermath) = (operation.number, answer.response.aftermath());
    let event = match answer.response {
        FollowUpResponse::Approved | FollowUpResponse::ApprovedThen(_) => {
            follow_up_approved(context, payment, follow_up, aftermath)
        }
        FollowUpResponse::Declined(reason) => follow_up_declined(follow_up, reason),
        FollowUpResponse::TechnicalFailure(cause) => match next_retry(context, operation) {
            Some(due_at) => Event::OperationRetryScheduled { operation: number, due_at, cause },
            None => Event::OperationParked { operation: number, cause },
        },
    };
    consequences::noted(context, payment, event, aftermath).collect()
}

/// The operation whose current attempt is this one, if it is with the acquirer.
fn in_flight(payment: &Payment, work: WorkKey) -> Option<&Operation> {
    let operation = payment.operation(work.operation)?;
    (operation.attempt == work.attempt && operation.phase == Phase::Queued).then_some(operation)
}

/// The event for an approved authorization that nobody wants canceled.
fn approved(context: &Context<'_>, payment: &Payment) -> Event {
    let submission = payment.submission();
    match (submission.kind, submission.capture) {
        (Kind::Charge, CaptureMethod::Manual) => authorized(context, payment),
        (Kind::Transfer { payee }, _) if context.closed(payee) => undeliverable(),
        (Kind::Charge, CaptureMethod::Automatic)
        | (Kind::TopUp | Kind::Transfer { .. } | Kind::Payout { .. }, _) => Event::SUCCEEDED,
    }
}

/// Why a payment that would fill the wallet of a closed account ends: the money would have no owner, so the payment is
/// canceled as if the owner had asked for that.
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

/// When the next attempt is due, by the wall clock; `None` when the retries are spent.
fn next_retry(context: &Context<'_>, operation: &Operation) -> Option<Timestamp> {
    let used = usize::from(operation.retries_used());
    context.policy.retry_delays_ms.get(used).map(|delay_ms| context.wall.plus_ms(*delay_ms))
}

/// The event for an approved follow-up. A capture for a closed account releases what was held.
fn follow_up_approved(
    context: &Context<'_>,
    payment: &Payment,
    follow_up: FollowUp,
    aftermath: Option<Aftermath>,
) -> Event {
    match follow_up {
        FollowUp::Capture { amount_minor } => {
            given_up(context, payment).map_or_else(|| Event::captured(amount_minor), Event::canceled)
        }
        FollowUp::Refund { refund, .. } => consequences::refund_approved(context, payment, refund, aftermath),
        FollowUp::Void => Event::Voided {},
    }
}

const fn follow_up_declined(follow_up: FollowUp, reason: DeclineReason) -> Event {
    match follow_up {
        FollowUp::Capture { .. } => Event::CaptureDeclined { reason },
        FollowUp::Refund { refund, .. } => Event::refund_failed(refund, reason),
        // An issuer that refuses to release has nothing left to hold.
        FollowUp::Void => Event::Voided {},
    }
}

/// Decides whatever is due now: retries, settlements, expiries, money that becomes available, refunds that come back, disputes.
/// Empty if nothing is.
#[must_use]
pub fn timer_due(context: &Context<'_>, payment: &Payment) -> Events {
    if let Some(lapsed) = lapsed(payment, context.now) {
        return vec![lapsed];
    }
    let state = payment.state();
    let mut events = Events::new();
    let main = state.operation.as_ref();
    let main = main.and_then(|operation| main_operation_due(context, payment, operation));
    events.extend(main.into_iter().flat_map(|event| consequences::noted(context, payment, event, None)));
    events.extend(payment.settles_at().filter(|at| *at <= context.now).map(|_| Event::Available {}));
    events.extend(
        state.refund_operations.iter().filter_map(|operation| refund_due(context, payment, operation)),
    );
    events.extend(consequences::returned(context, payment));
    events.extend(disputes::overdue(context, payment));
    events.extend(consequences::due(context, payment));
    events
}

fn refund_due(context: &Context<'_>, payment: &Payment, operation: &Operation) -> Option<Event> {
    match (operation.phase, operation.kind.follow_up()) {
        (Phase::Waiting { due_at }, _) if due_at <= context.wall => {
            Some(Event::OperationRequeued { operation: operation.number })
        }
        (Phase::Pending { settles_at }, Some(FollowUp::Refund { refund, .. }))
            if settles_at <= context.now =>
        {
            Some(consequences::pending_refund_ends(payment, refund))
        }
        (Phase::Waiting { .. } | Phase::Pending { .. } | Phase::Queued | Phase::Parked { .. }, _) => None,
    }
}

fn main_operation_due(context: &Context<'_>, payment: &Payment, operation: &Operation) -> Option<Event> {
    match operation.phase {
        Phase::Waiting { due_at } if due_at <= context.wall => Some(match operation.kind {
            OperationKind::Authorization => Event::Requeued {},
            OperationKind::FollowUp(_) => Event::OperationRequeued { operation: operation.number },
        }),
        Phase::Pending { settles_at } if settles_at <= context.now => Some(match payment.submission().kind {
            Kind::Transfer { payee } if context.closed(payee) => undeliverable(),
            // The bank notices that an account is closed only when it tries to credit it.
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
