//! Room in a history: a payment's history is bounded, so whatever opens an operation leaves room for finishing everything
//! that is open then, and for ending the payment itself. Answers and timers therefore never meet a full history.

use super::context::{Context, Events};
use super::event::Recorded;
use super::payment::{HISTORY_MAX, Operation, OperationKind, Payment, Phase};
use super::status::Status;

/// Whether the history has room for these events and for what must be able to follow them. What needs no more than was
/// kept for it is always admitted.
#[must_use]
pub(super) fn admits(context: &Context<'_>, payment: &Payment, events: &Events) -> bool {
    let retries = context.policy.retry_delays_ms.len();
    let before = moving(payment).saturating_add(kept(payment, retries));
    // Far from the end, which is where nearly every payment stays, nothing has to be tried out.
    if before.saturating_add(opening_max(retries)) <= HISTORY_MAX {
        return true;
    }
    let mut after = payment.clone();
    for event in events {
        if after.apply(Recorded { at: context.now, wall: context.wall, event: *event }).is_err() {
            // Not legal: for the caller to find when it applies them.
            return true;
        }
    }
    moving(&after).saturating_add(kept(&after, retries)) <= HISTORY_MAX.max(before)
}

/// How many events moved the payment. Amendments are bounded by themselves.
fn moving(payment: &Payment) -> usize {
    payment.history().len().saturating_sub(payment.amendments())
}

/// How many events finishing everything that is open, and ending the payment, may still take.
#[must_use]
pub(super) fn kept(payment: &Payment, retries: usize) -> usize {
    let open: usize = payment.operations().map(|operation| finishing(operation, retries)).sum();
    open.saturating_add(ending(payment, retries)).saturating_add(settling(payment))
}

/// Money that has arrived, or may yet, becoming available.
fn settling(payment: &Payment) -> usize {
    match payment.state().status {
        Status::Succeeded => usize::from(payment.settles_at().is_some()),
        Status::Canceled => 0,
        Status::RequiresPaymentMethod
        | Status::RequiresConfirmation
        | Status::Queued
        | Status::Processing
        | Status::RequiresAction
        | Status::RequiresCapture
        | Status::Declined
        | Status::Failed => 1,
    }
}

/// No single operation takes more than this.
const fn opening_max(retries: usize) -> usize {
    8 + 8 * retries
}

/// An operation that was just queued, until it has its answer or is parked.
const fn asking(kind: OperationKind, retries: usize) -> usize {
    match kind {
        // Started, accepted outside, settled; for each retry: started, broken, queued again.
        OperationKind::Authorize => 3 + 3 * retries,
        OperationKind::Capture { .. } | OperationKind::Void | OperationKind::Refund { .. } => 1 + 2 * retries,
    }
}

fn finishing(operation: &Operation, retries: usize) -> usize {
    let left = retries.saturating_sub(usize::from(operation.retries_used()));
    let asked = match operation.phase {
        Phase::Queued => asking(operation.kind, left),
        Phase::Waiting { .. } => 1 + asking(operation.kind, left.saturating_sub(1)),
        Phase::Pending { .. } => 1,
        Phase::Parked { .. } => 0,
    };
    // A refund has no end but its own: one replay is kept for it. Anything else ends with the payment.
    let replay = match operation.kind {
        OperationKind::Refund { .. } if operation.first_attempt == 1 => 1 + asking(operation.kind, retries),
        OperationKind::Refund { .. }
        | OperationKind::Authorize
        | OperationKind::Capture { .. }
        | OperationKind::Void => 0,
    };
    asked + replay
}

/// Canceling the payment from where it is.
fn ending(payment: &Payment, retries: usize) -> usize {
    let state = payment.state();
    // The release of what is held, and the deadline if that is parked.
    let release = 1 + asking(OperationKind::Void, retries) + 1;
    match state.status {
        Status::Queued | Status::Processing => usize::from(state.cancel_requested.is_none()) + release,
        Status::RequiresCapture => match state.operation.map(|operation| operation.kind) {
            Some(OperationKind::Void) => 1,
            Some(OperationKind::Authorize | OperationKind::Capture { .. } | OperationKind::Refund { .. })
            | None => release,
        },
        Status::RequiresPaymentMethod
        | Status::RequiresConfirmation
        | Status::RequiresAction
        | Status::Declined
        | Status::Failed => 1,
        Status::Succeeded | Status::Canceled => 0,
    }
}
