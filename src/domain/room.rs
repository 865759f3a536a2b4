//! Room in a history: a payment's history is bounded, so whatever opens an operation leaves room for finishing everything
//! then open, and for ending the payment itself. Answers and timers therefore never find a full history.

use super::consequences;
use super::context::{Context, Events};
use super::dispute::Dispute;
use super::event::Recorded;
use super::payment::{FollowUp, HISTORY_MAX, Operation, OperationKind, Payment, Phase};
use super::status::Status;

/// Whether the history has room for these events and for everything that must be able to follow them. Events that need no
/// more than the room already reserved are always admitted.
#[must_use]
pub(super) fn admits(context: &Context<'_>, payment: &Payment, events: &Events) -> bool {
    let retries = context.policy.retry_delays_ms.len();
    let before = moving(payment).saturating_add(kept(payment, retries));
    // Nearly every payment stays far from the bound; nothing has to be tried out then.
    if before.saturating_add(opening_max(retries)) <= HISTORY_MAX {
        return true;
    }
    let mut after = payment.clone();
    for event in events {
        let recorded = Recorded { at: context.now, wall: context.wall, event: *event, scenario: None };
        if after.apply(recorded).is_err() {
            // Not legal; the caller finds out when it applies them.
            return true;
        }
    }
    moving(&after).saturating_add(kept(&after, retries)) <= HISTORY_MAX.max(before)
}

/// The number of events other than amendments, which have a bound of their own.
fn moving(payment: &Payment) -> usize {
    payment.history().len().saturating_sub(payment.amendments())
}

/// The most events that finishing everything open, and ending the payment, may still take.
#[must_use]
pub(super) fn kept(payment: &Payment, retries: usize) -> usize {
    let open: usize = payment.operations().map(|operation| finishing(operation, retries)).sum();
    open.saturating_add(ending(payment, retries))
        .saturating_add(settling(payment))
        .saturating_add(later(payment))
}

/// The events that end disputes, bring back refunds, and follow the card that was used.
fn later(payment: &Payment) -> usize {
    let state = payment.state();
    let foreseen = match state.status {
        // Its note is written already.
        Status::Succeeded => state.foreseen_at.map_or(0, |_| consequences::EVENTS_MAX.saturating_sub(1)),
        Status::Canceled => 0,
        Status::RequiresPaymentMethod
        | Status::RequiresConfirmation
        | Status::Queued
        | Status::Processing
        | Status::RequiresAction
        | Status::RequiresCapture
        | Status::Declined
        | Status::Failed => consequences::room(payment),
    };
    let disputes = state.disputes.iter().filter_map(Dispute::due_at).count();
    let refunds = state.refunds.iter().filter(|refund| refund.comes_back_at().is_some()).count();
    foreseen.saturating_add(disputes).saturating_add(refunds)
}

/// The event for money that becomes available, if money has arrived or still may.
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

/// An upper bound for what opening any single operation takes.
const fn opening_max(retries: usize) -> usize {
    16 + 8 * retries
}

/// The events of a newly queued operation until it has its answer or is parked.
const fn asking(kind: OperationKind, retries: usize) -> usize {
    match kind {
        // Started, accepted outside, settled; for each retry: started, failed, requeued.
        OperationKind::Authorization => 3 + 3 * retries,
        // A refund may be pending, succeed, and come back.
        OperationKind::FollowUp(FollowUp::Refund { .. }) => 3 + 2 * retries,
        OperationKind::FollowUp(_) => 1 + 2 * retries,
    }
}

/// The events of an operation that the acquirer has accepted and not settled yet.
const fn accepted(kind: OperationKind) -> usize {
    match kind {
        // A refund may succeed and come back.
        OperationKind::FollowUp(FollowUp::Refund { .. }) => 2,
        OperationKind::Authorization | OperationKind::FollowUp(_) => 1,
    }
}

fn finishing(operation: &Operation, retries: usize) -> usize {
    let left = retries.saturating_sub(usize::from(operation.retries_used()));
    let asked = match operation.phase {
        Phase::Queued => asking(operation.kind, left),
        Phase::Waiting { .. } => 1 + asking(operation.kind, left.saturating_sub(1)),
        Phase::Pending { .. } => accepted(operation.kind),
        Phase::Parked { .. } => 0,
    };
    // Ending the payment does not end a refund, so one replay is reserved for it. Anything else ends with the payment.
    let replay = match operation.kind {
        OperationKind::FollowUp(FollowUp::Refund { .. }) if operation.first_attempt == 1 => {
            1 + asking(operation.kind, retries)
        }
        OperationKind::Authorization | OperationKind::FollowUp(_) => 0,
    };
    asked + replay
}

/// The events of canceling the payment from where it is.
fn ending(payment: &Payment, retries: usize) -> usize {
    let state = payment.state();
    // The release of what is held, and the deadline if that is parked.
    let release = 1 + asking(OperationKind::FollowUp(FollowUp::Void), retries) + 1;
    match state.status {
        Status::Queued | Status::Processing => usize::from(state.cancel_requested.is_none()) + release,
        Status::RequiresCapture => match state.operation.map(|operation| operation.kind) {
            Some(OperationKind::FollowUp(FollowUp::Void)) => 1,
            Some(OperationKind::Authorization | OperationKind::FollowUp(_)) | None => release,
        },
        Status::RequiresPaymentMethod
        | Status::RequiresConfirmation
        | Status::RequiresAction
        | Status::Declined
        | Status::Failed => 1,
        Status::Succeeded | Status::Canceled => 0,
    }
}
