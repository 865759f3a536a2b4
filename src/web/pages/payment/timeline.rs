//! The timeline of a payment, and its open operations. Pure.

use super::super::format;
use super::Now;
use crate::domain::decline::DeclineReason;
use crate::domain::dispute::{DisputeOutcome, DisputeStage};
use crate::domain::event::{CancelReason, Event, Recorded};
use crate::domain::money::Money;
use crate::domain::payment::{Payment, Phase};
use crate::domain::submission::Kind;
use crate::domain::time::Timestamp;

/// One line of the timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineItem {
    /// The event's name, for classes and tests.
    pub name: &'static str,
    /// The version the payment had after it.
    pub version: usize,
    /// What happened, in words.
    pub text: String,
    /// The time since the request, `+84 ms`, on the payment's test clock if it has one. The end's equals the journey's total.
    pub offset: String,
    /// The time in full.
    pub at_full: String,
    /// The time since the previous line.
    pub step: String,
    /// The time in ISO 8601.
    pub at_iso: String,
}

/// When an event happened on the wall clock; `Started` happened before it was recorded.
fn happened_at(recorded: &Recorded) -> Timestamp {
    match recorded.event {
        Event::Started { at } => at,
        _ => recorded.wall,
    }
}

/// The timeline, oldest first.
#[must_use]
pub fn timeline(payment: &Payment) -> Vec<TimelineItem> {
    let asked_at = payment.asked_at();
    let mut latest = asked_at;
    let item = |(n, recorded): (usize, &Recorded)| {
        // A worker's clock may be slightly off, but a timeline never runs backwards.
        let before = latest;
        latest = latest.max(happened_at(recorded));
        let at = latest;
        let (shown, since) = match payment.clock().is_wall() {
            true => (at, at.micros_since(asked_at)),
            false => (recorded.at, recorded.at.micros_since(payment.created_at())),
        };
        TimelineItem {
            name: recorded.event.name(),
            version: n + 1,
            text: text(payment, &recorded.event),
            offset: if since == 0 && shown != at {
                "+0 s".to_owned()
            } else {
                format!("+{}", format::duration(since))
            },
            at_full: format::absolute(shown),
            step: format::duration(at.micros_since(before)),
            at_iso: format::iso(shown),
        }
    };
    payment.history().iter().enumerate().map(item).collect()
}

fn text(payment: &Payment, event: &Event) -> String {
    let currency = payment.submission().amount.currency;
    let money = |minor: i64| Money::new(minor, currency);
    let refund = |id| {
        payment.refund(id).map_or_else(String::new, |refund| format!(" of {}", money(refund.amount_minor)))
    };
    match *event {
        Event::Created { confirmed: true, .. } => "Accepted and queued".to_owned(),
        Event::Created { confirmed: false, .. } => "Accepted, not yet confirmed".to_owned(),
        Event::Confirmed { instrument, .. } => format!("Confirmed with {} and queued", instrument.label()),
        Event::Started { .. } => "A worker asked the acquirer".to_owned(),
        Event::ActionRequired {} => "The issuer asked for 3-D Secure".to_owned(),
        Event::ActionCompleted {} => "3-D Secure completed; queued again".to_owned(),
        Event::Authorized { capture_before, .. } => {
            format!("Authorised until {}", format::day(capture_before))
        }
        Event::Succeeded { .. } => "Succeeded".to_owned(),
        Event::Declined { reason: reason @ DeclineReason::AuthenticationFailure, .. } => {
            // No issuer declined it.
            reason.words().to_owned()
        }
        Event::Declined { reason: DeclineReason::ProcessingError, .. } if payment.broke_at_lookup() => {
            "3-D Secure lookup failed".to_owned()
        }
        Event::Declined { reason, .. } => match payment.submission().kind {
            Kind::Payout { .. } if payment.state().started_at.is_some() => {
                format!("Returned by the bank: {}", reason.words())
            }
            Kind::Charge | Kind::TopUp | Kind::Transfer { .. } | Kind::Payout { .. } => {
                format!("Declined: {}", reason.words())
            }
        },
        Event::Pending { .. } => "Accepted outside, settles later".to_owned(),
        Event::RetryScheduled { cause, .. } => format!("Broke: {}; another attempt follows", cause.words()),
        Event::Requeued {} => "Queued for the next attempt".to_owned(),
        Event::Failed { cause, .. } => format!("Failed: {}; parked", cause.words()),
        Event::Replayed { .. } => "Replayed by hand; queued".to_owned(),
        Event::CancelRequested { .. } => "Cancellation asked for".to_owned(),
        Event::Canceled { reason: CancelReason::Expired, .. } => "Authorization expired".to_owned(),
        Event::Canceled { .. } => "Canceled".to_owned(),
        Event::CaptureQueued { amount_minor } => format!("Capture of {} queued", money(amount_minor)),
        Event::Captured { amount_minor, .. } => format!("Captured {}", money(amount_minor)),
        Event::Available {} => "Funds available".to_owned(),
        Event::CaptureDeclined { reason } => format!("Capture declined: {}", reason.words()),
        Event::VoidQueued { .. } => "Release of the authorisation queued".to_owned(),
        Event::Voided {} => "Authorisation released".to_owned(),
        Event::RefundQueued { amount_minor, .. } => format!("Refund of {} queued", money(amount_minor)),
        Event::RefundPending { refund: id, settles_at, .. } => {
            format!("Refund{} accepted, arrives {}", refund(id), format::day(settles_at))
        }
        Event::RefundSucceeded { refund: id, .. } => format!("Refund{} arrived", refund(id)),
        Event::RefundFailed { refund: id, reason, .. }
            if payment.refund(id).is_some_and(|refund| refund.came_back) =>
        {
            format!("Refund{} came back: {}", refund(id), reason.words())
        }
        Event::RefundFailed { refund: id, reason, .. } => {
            format!("Refund{} failed: {}", refund(id), reason.words())
        }
        Event::OperationRetryScheduled { cause, operation, .. } => {
            format!("Operation {operation} broke: {}; another attempt follows", cause.words())
        }
        Event::OperationRequeued { operation } => {
            format!("Operation {operation} queued for the next attempt")
        }
        Event::OperationParked { operation, cause } => {
            format!("Operation {operation} parked: {}", cause.words())
        }
        Event::OperationReplayed { operation } => format!("Operation {operation} replayed by hand"),
        Event::Amended { amount_minor: Some(minor), .. } => {
            format!("Updated; the amount is {}", money(minor))
        }
        Event::Amended { amount_minor: None, .. } => "Updated".to_owned(),
        Event::Foreseen { follows: None, .. } => "This test card causes something more".to_owned(),
        Event::Foreseen { follows: Some(follows), .. } => {
            format!("The scenario has {} follow", follows.words())
        }
        Event::DisputeOpened { .. }
        | Event::DisputeNoted { .. }
        | Event::DisputeEscalated { .. }
        | Event::DisputeClosed { .. }
        | Event::FraudWarned { .. } => of_dispute(payment, event),
    }
}

/// What happened about a dispute.
fn of_dispute(payment: &Payment, event: &Event) -> String {
    let money = |minor: i64| Money::new(minor, payment.submission().amount.currency);
    let owed =
        |minor: i64| if minor > 0 { format!("; {} of it are owed", money(minor)) } else { String::new() };
    match *event {
        Event::DisputeOpened { stage: DisputeStage::Inquiry, amount_minor, reason, .. } => {
            format!("Inquiry about {}: {}", money(amount_minor), reason.words())
        }
        Event::DisputeOpened { amount_minor, fee_minor, reason, owed_minor, .. } => format!(
            "Disputed: {}. {} and a fee of {} taken{}",
            reason.words(),
            money(amount_minor),
            money(fee_minor),
            owed(owed_minor)
        ),
        Event::DisputeNoted { submitted_until: Some(_), .. } => "Evidence submitted".to_owned(),
        Event::DisputeNoted { .. } => "Dispute updated".to_owned(),
        Event::DisputeEscalated { amount_minor, fee_minor, owed_minor, .. } => format!(
            "The inquiry became a dispute: {} and a fee of {} taken{}",
            money(amount_minor),
            money(fee_minor),
            owed(owed_minor)
        ),
        Event::DisputeClosed { dispute, outcome, .. } => match outcome {
            DisputeOutcome::Won => {
                let amount_minor = payment.dispute(dispute).map_or(0, |dispute| dispute.amount_minor);
                format!("Dispute won: {} came back", money(amount_minor))
            }
            DisputeOutcome::Lost => "Dispute lost".to_owned(),
            DisputeOutcome::InquiryClosed => "Inquiry closed".to_owned(),
        },
        _ => "The issuer warned of fraud".to_owned(),
    }
}

/// An operation that is still open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenOperation {
    /// The kind: `authorisation`, `capture`, `release`, `refund`.
    pub name: &'static str,
    /// Its number within the payment.
    pub number: u16,
    /// The attempt under way.
    pub attempt: u16,
    /// Its phase, in words.
    pub phase: String,
    /// The moment to count down to, in milliseconds since the epoch; `None` if there is none.
    pub due_ms: Option<i64>,
}

/// The operations of a payment that are still open.
#[must_use]
pub fn open_operations(payment: &Payment, now: Now) -> Vec<OpenOperation> {
    let open = |operation: &crate::domain::payment::Operation| OpenOperation {
        name: operation.kind.words(),
        number: operation.number,
        attempt: operation.attempt,
        phase: match operation.phase {
            Phase::Queued => "in the queue or with the acquirer".to_owned(),
            Phase::Waiting { due_at } => format!("next attempt {}", format::until(now.wall, due_at)),
            Phase::Pending { settles_at } => format!("settles {}", format::until(now.own(), settles_at)),
            Phase::Parked { cause } => format!("parked: {}", cause.words()),
        },
        due_ms: match operation.phase {
            Phase::Waiting { due_at } => Some(due_at.millis()),
            Phase::Pending { settles_at } => now.countdown(settles_at),
            Phase::Queued | Phase::Parked { .. } => None,
        },
    };
    payment.operations().map(open).collect()
}
