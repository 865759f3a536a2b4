//! The rules of disputes: how one is opened, answered, closed, and how it ends by itself. Pure, like [`super::decide`]; what a
//! dispute does to money follows from its events ([`super::ledger`]).

use super::command::{Answered, Complaint, Raised, Verdict};
use super::context::{Context, Events};
use super::dispute::{
    Dispute, DisputeOutcome, DisputeStage, DisputeStatus, INQUIRY_MS, RESPONSE_MS, REVIEW_MS, fee_minor,
};
use super::event::Event;
use super::ids::DisputeId;
use super::money::Money;
use super::payment::Payment;
use super::rejection::{Rejection, RejectionKind};
use super::status::Status;
use super::submission::Kind;

/// Opens a dispute or an inquiry, or notes an early fraud warning.
///
/// # Errors
/// A [`Rejection`] if the payment has no money left that could be disputed.
pub(super) fn raise(
    context: &Context<'_>,
    payment: &Payment,
    complaint: &Complaint,
) -> Result<Events, Rejection> {
    let (state, kind) = (payment.state(), payment.submission().kind);
    if state.status != Status::Succeeded || kind != Kind::Charge {
        let message = format!(
            "This payment could not be disputed because it has a status of {}. Only a charge that has succeeded can be disputed.",
            state.status.as_str()
        );
        return Err(Rejection::new(RejectionKind::State, "payment_intent_unexpected_state", message));
    }
    if complaint.raised == Raised::FraudWarning {
        return Ok(vec![Event::FraudWarned { warning: complaint.dispute.warning() }]);
    }
    let (left_minor, currency) = (payment.disputable_minor(), payment.amount().currency);
    if left_minor == 0 {
        let (code, message) = match payment.refundable_minor() {
            0 => ("charge_already_refunded", "This charge has already been refunded."),
            _ => ("charge_disputed", "This charge has already been disputed."),
        };
        return Err(Rejection::new(RejectionKind::State, code, message));
    }
    let amount_minor = complaint.amount_minor.unwrap_or(left_minor);
    if amount_minor < 1 {
        let message = "This value must be greater than or equal to 1.";
        return Err(Rejection::invalid("amount", "parameter_invalid_integer", message));
    }
    if amount_minor > left_minor {
        let (asked, left) = (Money::new(amount_minor, currency), Money::new(left_minor, currency));
        let message =
            format!("The disputed amount ({asked}) is greater than what is left of the charge ({left}).");
        return Err(Rejection::invalid("amount", "amount_too_large", message));
    }
    Ok(vec![opened(context, payment, complaint, amount_minor)])
}

/// The event that opens a dispute of this amount.
pub(super) fn opened(
    context: &Context<'_>,
    payment: &Payment,
    complaint: &Complaint,
    amount_minor: i64,
) -> Event {
    let due_by = context.now.plus_ms(RESPONSE_MS);
    let (stage, fee_minor, ends_at) = match complaint.raised {
        Raised::Dispute => (DisputeStage::Chargeback, fee_minor(payment.amount().currency), due_by),
        Raised::Inquiry | Raised::FraudWarning => (DisputeStage::Inquiry, 0, context.now.plus_ms(INQUIRY_MS)),
    };
    let Complaint { dispute, reason, .. } = *complaint;
    Event::DisputeOpened { dispute, reason, stage, amount_minor, fee_minor, due_by, ends_at, owed_minor: 0 }
}

fn find(payment: &Payment, id: DisputeId) -> Result<&Dispute, Rejection> {
    payment.dispute(id).ok_or_else(|| Rejection::not_found("dispute", id))
}

fn closed(dispute: &Dispute) -> Rejection {
    let message = format!("This dispute is already closed: its status is {}.", dispute.status.as_str());
    Rejection::new(RejectionKind::State, "dispute_closed", message)
}

/// Keeps what the merchant says about a dispute, and submits it.
///
/// # Errors
/// A [`Rejection`] if it is closed or was answered before, or if somebody else changed it meanwhile.
pub(super) fn answer(
    context: &Context<'_>,
    payment: &Payment,
    answer: &Answered,
) -> Result<Events, Rejection> {
    let dispute = find(payment, answer.dispute)?;
    if dispute.detail != answer.base {
        let message = "This dispute was changed by another request meanwhile. Try again.";
        return Err(Rejection::new(RejectionKind::Conflict, "lock_timeout", message));
    }
    if answer.evidence || answer.submit {
        if !dispute.status.is_open() {
            return Err(closed(dispute));
        }
        if !dispute.status.needs_response() {
            let message = "Evidence for this dispute has been submitted, and can no longer be changed.";
            return Err(Rejection::new(RejectionKind::State, "dispute_evidence_submitted", message));
        }
    }
    let submitted_until = answer.submit.then(|| context.now.plus_ms(REVIEW_MS));
    let noted = Event::DisputeNoted { dispute: dispute.id, detail: answer.detail, submitted_until };
    let verdict = answer.verdict.filter(|_| answer.submit);
    let decided = verdict.and_then(|verdict| decided(context, payment, dispute, verdict));
    Ok(std::iter::once(noted).chain(decided).collect())
}

/// What evidence that names its own outcome leads to.
fn decided(context: &Context<'_>, payment: &Payment, dispute: &Dispute, verdict: Verdict) -> Option<Event> {
    let close = |outcome| Some(Event::dispute_closed(dispute.id, outcome));
    match (dispute.stage, verdict) {
        (DisputeStage::Chargeback, Verdict::Wins) => close(DisputeOutcome::Won),
        (DisputeStage::Chargeback, Verdict::Loses) => close(DisputeOutcome::Lost),
        (DisputeStage::Chargeback, Verdict::Escalates) => None,
        (DisputeStage::Inquiry, Verdict::Wins | Verdict::Loses) => close(DisputeOutcome::InquiryClosed),
        (DisputeStage::Inquiry, Verdict::Escalates) => Some(escalated(context, payment, dispute)),
    }
}

/// An inquiry becomes a dispute of what is left by then.
fn escalated(context: &Context<'_>, payment: &Payment, dispute: &Dispute) -> Event {
    let amount_minor = dispute.amount_minor.min(payment.chargeable_back_minor());
    if amount_minor < 1 {
        return Event::dispute_closed(dispute.id, DisputeOutcome::InquiryClosed);
    }
    Event::DisputeEscalated {
        dispute: dispute.id,
        amount_minor,
        fee_minor: fee_minor(payment.amount().currency),
        due_by: context.now.plus_ms(RESPONSE_MS),
        owed_minor: 0,
    }
}

/// Gives a dispute up.
///
/// # Errors
/// A [`Rejection`] if it is closed already.
pub(super) fn close(payment: &Payment, id: DisputeId) -> Result<Events, Rejection> {
    let dispute = find(payment, id)?;
    if !dispute.status.is_open() {
        return Err(closed(dispute));
    }
    Ok(vec![Event::dispute_closed(id, dispute.ends_as())])
}

/// The disputes whose time is over.
pub(super) fn overdue<'a>(
    context: &Context<'_>,
    payment: &'a Payment,
) -> impl Iterator<Item = Event> + use<'a> {
    let now = context.now;
    let over = move |dispute: &&Dispute| dispute.due_at().is_some_and(|ends_at| ends_at <= now);
    let disputes = payment.state().disputes.iter().filter(over);
    disputes.map(|dispute| Event::dispute_closed(dispute.id, dispute.ends_as()))
}

/// Refuses a refund of money that a dispute has taken.
///
/// # Errors
/// A [`Rejection`] that says so.
pub(super) fn refundable(payment: &Payment) -> Result<(), Rejection> {
    let disputes = &payment.state().disputes;
    if !disputes.iter().any(Dispute::holds_money) {
        return Ok(());
    }
    let lost = disputes.iter().any(|dispute| dispute.status == DisputeStatus::Lost);
    let what = if lost { "has been charged back" } else { "is disputed" };
    let message = format!("This charge {what}: what the issuer took cannot be refunded as well.");
    Err(Rejection::new(RejectionKind::State, "charge_disputed", message))
}
