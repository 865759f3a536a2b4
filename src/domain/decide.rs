//! The rules: pure `decide(state, command, now) → events`. Nothing here changes anything.
//!
//! Each function returns the events to apply, in order; an empty list means that the command is stale and changes
//! nothing (an old message, a timer that fired twice). Preconditions that the caller must know about are refusals.

use super::command::{Action, Answer, OperatePayment, Outcome, SubmitPayment};
use super::decline::DeclineReason;
use super::event::{CancelReason, Event, TechnicalError};
use super::ids::RefundId;
use super::ledger::WalletId;
use super::money::{AMOUNT_MAX_MINOR, Money};
use super::payment::{HISTORY_MAX, Operation, OperationKind, Payment, Phase};
use super::refusal::{Refusal, RefusalKind};
use super::status::Status;
use super::submission::{CaptureMethod, Kind};
use super::time::Timestamp;

/// The settings that decisions depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Delay before each retry of a technical error, in milliseconds; their number is the number of retries.
    pub retry_delays_ms: Vec<u64>,
    /// How long an authorisation may wait for its capture, in milliseconds.
    pub authorization_ttl_ms: u64,
}

impl Default for Policy {
    fn default() -> Self {
        Self { retry_delays_ms: vec![1_000, 5_000, 25_000], authorization_ttl_ms: 7 * 24 * 3_600 * 1_000 }
    }
}

/// What a decision may look at besides the payment.
pub struct Context<'a> {
    /// The time of the batch.
    pub now: Timestamp,
    /// The settings.
    pub policy: &'a Policy,
    /// The balance of a wallet in minor units; zero for one that does not exist yet.
    pub balance: &'a dyn Fn(WalletId) -> i64,
}

/// A list of events; a decision has one to three.
pub type Events = Vec<Event>;

/// Decides a new payment.
///
/// # Errors
/// A [`Refusal`] that names the parameter at fault; nothing is created then.
pub fn submit(context: &Context<'_>, command: &SubmitPayment) -> Result<Events, Refusal> {
    let submission = &command.submission;
    amount_in_range(submission.amount)?;
    if let Kind::Transfer { payee } = submission.kind
        && payee == submission.owner
    {
        return Err(Refusal::invalid(
            "destination",
            "transfer_to_self",
            "You cannot send money to yourself.",
        ));
    }
    let takes_from_wallet = submission.kind.takes_from_wallet();
    if takes_from_wallet && !command.confirm {
        // The amount is reserved on admission, and nowhere later.
        let message = "Only a charge can be created without being confirmed.";
        return Err(Refusal::invalid("confirm", "parameter_invalid_boolean", message));
    }
    if command.confirm && command.card.is_none() && !takes_from_wallet {
        let message = "You cannot confirm this payment because it is missing a payment method.";
        return Err(Refusal::invalid("payment_method", "payment_intent_unexpected_state", message));
    }
    let affordable = (context.balance)(submission.own_wallet()) >= submission.amount.amount_minor;
    let reserved = takes_from_wallet && affordable;
    let mut events = vec![Event::Created { card: command.card, confirmed: command.confirm, reserved }];
    if takes_from_wallet && !affordable {
        events.push(Event::Declined { reason: DeclineReason::InsufficientFunds });
    }
    Ok(events)
}

fn amount_in_range(amount: Money) -> Result<(), Refusal> {
    match amount.amount_minor {
        ..=0 => Err(Refusal::invalid(
            "amount",
            "parameter_invalid_integer",
            "This value must be greater than or equal to 1.",
        )),
        1..=AMOUNT_MAX_MINOR => Ok(()),
        _ => Err(Refusal::invalid(
            "amount",
            "amount_too_large",
            format!("Amount must be no more than {}", Money::new(AMOUNT_MAX_MINOR, amount.currency)),
        )),
    }
}

/// Decides an operation on an existing payment.
///
/// # Errors
/// A [`Refusal`] if the payment is not the actor's, or is in a state in which this cannot be done.
pub fn operate(
    context: &Context<'_>,
    payment: &Payment,
    command: &OperatePayment,
) -> Result<Events, Refusal> {
    if payment.owner() != command.actor {
        return Err(Refusal::not_found("payment", payment.submission().public_id()).with_param("intent"));
    }
    // Room for the events that finishing what is open will add.
    if payment.history().len() + 16 > HISTORY_MAX {
        return Err(Refusal::new(
            RefusalKind::State,
            "history_full",
            "This payment has reached its limit of events.",
        ));
    }
    match command.action {
        Action::Confirm { card } => {
            confirm(payment, card.is_some()).map(|()| vec![Event::Confirmed { card }])
        }
        Action::Capture { amount_minor } => capture(payment, amount_minor),
        Action::Cancel { reason } => cancel(payment, reason),
        Action::Refund { refund, amount_minor } => refund_events(context, payment, refund, amount_minor),
        Action::CompleteAction { passed } => complete_action(payment, passed),
        Action::Replay => replay(context, payment),
    }
}

fn unexpected_state(payment: &Payment, verb: &str, wanted: &str) -> Refusal {
    let status = payment.state().status;
    let message =
        format!("This payment could not be {verb} because it has a status of {}. {wanted}", status.as_str());
    Refusal::new(RefusalKind::State, "payment_intent_unexpected_state", message)
}

fn operation_in_flight() -> Refusal {
    let message = "Another operation on this payment is still in progress. Try again once it has finished.";
    Refusal::new(RefusalKind::Conflict, "lock_timeout", message)
}

fn confirm(payment: &Payment, brings_card: bool) -> Result<(), Refusal> {
    let wanted = "Only a payment that waits for a payment method or for confirmation can be confirmed.";
    let from_card = !payment.submission().kind.takes_from_wallet();
    match payment.state().status {
        Status::RequiresConfirmation => Ok(()),
        Status::RequiresPaymentMethod | Status::Declined if from_card && brings_card => Ok(()),
        Status::RequiresPaymentMethod | Status::Declined if from_card => {
            let message = "You cannot confirm this payment because it is missing a payment method.";
            Err(Refusal::invalid("payment_method", "payment_intent_unexpected_state", message))
        }
        Status::RequiresPaymentMethod
        | Status::Declined
        | Status::Queued
        | Status::Processing
        | Status::RequiresAction
        | Status::RequiresCapture
        | Status::Succeeded
        | Status::Failed
        | Status::Canceled => Err(unexpected_state(payment, "confirmed", wanted)),
    }
}

fn capture(payment: &Payment, amount_minor: Option<i64>) -> Result<Events, Refusal> {
    let state = payment.state();
    if state.status != Status::RequiresCapture {
        let wanted = "Only a payment with a status of requires_capture can be captured.";
        return Err(unexpected_state(payment, "captured", wanted));
    }
    if state.operation.is_some() {
        return Err(operation_in_flight());
    }
    let whole = payment.submission().amount;
    let amount_minor = amount_minor.unwrap_or(whole.amount_minor);
    if !(1..=whole.amount_minor).contains(&amount_minor) {
        let message = format!("The amount to capture must be between 1 and the {whole} that was authorised.");
        return Err(Refusal::invalid("amount_to_capture", "amount_too_large", message));
    }
    Ok(vec![Event::CaptureQueued { amount_minor }])
}

fn cancel(payment: &Payment, reason: CancelReason) -> Result<Events, Refusal> {
    let state = payment.state();
    match (state.status, &state.operation) {
        (Status::RequiresPaymentMethod | Status::RequiresConfirmation | Status::RequiresAction, _)
        | (Status::Declined | Status::Failed, _) => Ok(vec![Event::Canceled { reason }]),
        // Nothing is in flight between two attempts.
        (Status::Queued, Some(Operation { phase: Phase::Waiting { .. }, .. })) => {
            Ok(vec![Event::Canceled { reason }])
        }
        (Status::Queued, _) if state.cancel_wish.is_some() => Ok(Vec::new()),
        (Status::Queued, _) => Ok(vec![Event::CancelRequested { reason }]),
        (Status::RequiresCapture, None) => Ok(vec![Event::VoidQueued { reason }]),
        (Status::RequiresCapture, Some(_)) => Err(operation_in_flight()),
        (Status::Processing | Status::Succeeded | Status::Canceled, _) => {
            let wanted = "A payment that has succeeded is refunded instead.";
            Err(unexpected_state(payment, "canceled", wanted))
        }
    }
}

fn refund_events(
    context: &Context<'_>,
    payment: &Payment,
    refund: RefundId,
    amount_minor: Option<i64>,
) -> Result<Events, Refusal> {
    if payment.state().status != Status::Succeeded || payment.submission().kind != Kind::Charge {
        let wanted = "Only a charge that has succeeded can be refunded.";
        return Err(unexpected_state(payment, "refunded", wanted));
    }
    let left_minor = payment.refundable_minor();
    let currency = payment.submission().amount.currency;
    if left_minor == 0 {
        let message = "This charge has already been refunded.";
        return Err(Refusal::new(RefusalKind::State, "charge_already_refunded", message));
    }
    let amount_minor = amount_minor.unwrap_or(left_minor);
    if amount_minor < 1 {
        let message = "This value must be greater than or equal to 1.";
        return Err(Refusal::invalid("amount", "parameter_invalid_integer", message));
    }
    if amount_minor > left_minor {
        let (asked, left) = (Money::new(amount_minor, currency), Money::new(left_minor, currency));
        let message = format!("Refund amount ({asked}) is greater than unrefunded amount on charge ({left})");
        return Err(Refusal::invalid("amount", "amount_too_large", message));
    }
    if (context.balance)(payment.submission().own_wallet()) < amount_minor {
        let message = format!("Your {currency} wallet cannot cover this refund. Add money first.");
        return Err(Refusal::new(RefusalKind::Funds, "balance_insufficient", message));
    }
    Ok(vec![Event::RefundQueued { refund, amount_minor }])
}

fn complete_action(payment: &Payment, passed: bool) -> Result<Events, Refusal> {
    match (payment.state().status, passed) {
        (Status::RequiresAction, true) => Ok(vec![Event::ActionCompleted {}]),
        (Status::RequiresAction, false) => {
            Ok(vec![Event::Declined { reason: DeclineReason::AuthenticationFailure }])
        }
        (_, _) => Err(unexpected_state(payment, "authenticated", "It does not wait for 3-D Secure.")),
    }
}

fn replay(context: &Context<'_>, payment: &Payment) -> Result<Events, Refusal> {
    let parked = payment.operations().find(|operation| matches!(operation.phase, Phase::Parked { .. }));
    let Some(operation) = parked else {
        return Err(Refusal::new(
            RefusalKind::State,
            "nothing_parked",
            "No operation of this payment is parked.",
        ));
    };
    if payment.state().status != Status::Failed {
        return Ok(vec![Event::OperationReplayed { operation: operation.number }]);
    }
    let submission = payment.submission();
    let reserved = submission.kind.takes_from_wallet();
    if reserved && (context.balance)(submission.own_wallet()) < submission.amount.amount_minor {
        let message =
            format!("Your {} wallet cannot cover this payment any more.", submission.amount.currency);
        return Err(Refusal::new(RefusalKind::Funds, "balance_insufficient", message));
    }
    Ok(vec![Event::Replayed { reserved }])
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
    let outcome = match (answer.outcome, payment.state().cancel_wish) {
        (Outcome::Approved, Some(reason)) if submission.kind.takes_from_wallet() => {
            Event::Canceled { reason }
        }
        // An approval that still comes is voided.
        (Outcome::Approved, Some(reason)) => {
            return vec![started, authorized(context), Event::VoidQueued { reason }];
        }
        (_, Some(reason)) => Event::Canceled { reason },
        (Outcome::Approved, None) => match (submission.kind, submission.capture) {
            (Kind::Charge, CaptureMethod::Manual) => authorized(context),
            (Kind::Charge, CaptureMethod::Automatic)
            | (Kind::TopUp | Kind::Transfer { .. } | Kind::Payout { .. }, _) => Event::Succeeded {},
        },
        (Outcome::Declined(reason), None) => Event::Declined { reason },
        (Outcome::ActionRequired, None) => Event::ActionRequired {},
        (Outcome::Pending { settles_after_ms }, None) => {
            Event::Pending { settles_at: context.now.plus_ms(settles_after_ms) }
        }
        (Outcome::Broken(cause), None) => match next_retry(context, operation) {
            Some(due_at) => Event::RetryScheduled { due_at, cause },
            None => Event::Failed { cause },
        },
    };
    vec![started, outcome]
}

fn authorized(context: &Context<'_>) -> Event {
    Event::Authorized { capture_before: context.now.plus_ms(context.policy.authorization_ttl_ms) }
}

/// When the next attempt is due, or `None` when the retries are spent.
fn next_retry(context: &Context<'_>, operation: &Operation) -> Option<Timestamp> {
    let used = usize::from(operation.retries_used());
    context.policy.retry_delays_ms.get(used).map(|delay_ms| context.now.plus_ms(*delay_ms))
}

fn later_answer(context: &Context<'_>, payment: &Payment, operation: &Operation, outcome: Outcome) -> Events {
    let number = operation.number;
    let cause = match outcome {
        Outcome::Approved | Outcome::Pending { .. } => return vec![approved(payment, operation.kind)],
        Outcome::Declined(reason) => return vec![declined(payment, operation.kind, reason)],
        Outcome::Broken(cause) => cause,
        // No acquirer asks for a challenge here; treat it as an answer that makes no sense.
        Outcome::ActionRequired => TechnicalError::Malformed,
    };
    vec![match next_retry(context, operation) {
        Some(due_at) => Event::OperationRetryScheduled { operation: number, due_at, cause },
        None => Event::OperationParked { operation: number, cause },
    }]
}

fn approved(payment: &Payment, kind: OperationKind) -> Event {
    match kind {
        OperationKind::Capture { amount_minor } => Event::Captured { amount_minor },
        OperationKind::Refund { refund, .. } => Event::RefundSucceeded { refund },
        OperationKind::Void => Event::Voided {},
        // Not reached: authorisations are decided apart. Harmless, since it is what approval means.
        OperationKind::Authorize => {
            Event::Captured { amount_minor: payment.submission().amount.amount_minor }
        }
    }
}

fn declined(payment: &Payment, kind: OperationKind, reason: DeclineReason) -> Event {
    match kind {
        OperationKind::Refund { refund, .. } => Event::RefundFailed { refund, reason },
        // An issuer that refuses to release has nothing left to hold.
        OperationKind::Void => approved(payment, kind),
        OperationKind::Capture { .. } | OperationKind::Authorize => Event::CaptureDeclined { reason },
    }
}

/// Decides what the clock brings: retries, settlements, expiries due by now. Empty if nothing is due.
#[must_use]
pub fn timer_due(context: &Context<'_>, payment: &Payment) -> Events {
    let state = payment.state();
    let due = |at: Timestamp| at <= context.now;
    let mut events = Events::new();
    match &state.operation {
        Some(operation) => events.extend(main_operation_due(payment, operation, due)),
        None if state.status == Status::RequiresCapture && state.capture_before.is_some_and(due) => {
            events.push(Event::Canceled { reason: CancelReason::Expired });
        }
        None => {}
    }
    for operation in &state.refund_operations {
        if let Phase::Waiting { due_at } = operation.phase
            && due(due_at)
        {
            events.push(Event::OperationRequeued { operation: operation.number });
        }
    }
    events
}

fn main_operation_due(
    payment: &Payment,
    operation: &Operation,
    due: impl Fn(Timestamp) -> bool,
) -> Option<Event> {
    match operation.phase {
        Phase::Waiting { due_at } if due(due_at) => Some(match operation.kind {
            OperationKind::Authorize => Event::Requeued {},
            OperationKind::Capture { .. } | OperationKind::Void | OperationKind::Refund { .. } => {
                Event::OperationRequeued { operation: operation.number }
            }
        }),
        Phase::Pending { settles_at } if due(settles_at) => Some(match payment.submission().kind {
            // The bank's last word on an account that is closed comes when it tries to credit it.
            Kind::Payout { bank: super::submission::BankAccount::Closed } => {
                Event::Declined { reason: DeclineReason::AccountClosed }
            }
            Kind::Payout { .. } | Kind::Charge | Kind::TopUp | Kind::Transfer { .. } => Event::Succeeded {},
        }),
        Phase::Waiting { .. } | Phase::Pending { .. } | Phase::Queued | Phase::Parked { .. } => None,
    }
}
