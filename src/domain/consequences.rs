//! What follows a charge or a refund by itself because of the card that was used: disputes, warnings, refunds that are slow or
//! come back. Pure; each is noted in the history when it becomes certain, and happens when its time has come.

use super::command::{Complaint, Raised};
use super::context::{Context, Events};
use super::decline::DeclineReason;
use super::dispute::DisputeReason;
use super::disputes;
use super::event::Event;
use super::ids::{DisputeId, RefundId};
use super::instrument::Instrument;
use super::payment::Payment;
use super::submission::Kind;
use super::test_cards::{Behaviour, Consequence};

/// How long after the money a dispute comes, by the payment's clock.
pub const DISPUTED_AFTER_MS: u64 = 1_000;
/// How long a slow refund is pending, and how long after it succeeded one comes back, by the payment's clock.
pub const REFUND_AFTER_MS: u64 = 5_000;
/// Why a refund comes back later.
pub const COMES_BACK: DeclineReason = DeclineReason::ExpiredCard;

/// The most events that a consequence and its end may take: its note, two disputes and their ends.
pub(super) const EVENTS_MAX: usize = 5;

/// What follows payments with this one's card.
#[must_use]
pub fn of(payment: &Payment) -> Option<Consequence> {
    let card = payment.state().instrument.as_ref().and_then(Instrument::card)?;
    match card.test_card()?.behaviour {
        Behaviour::SucceedThen(consequence) => Some(consequence),
        _ => None,
    }
}

/// What follows the money of this payment, if something does.
fn after_money(payment: &Payment) -> Option<Consequence> {
    let charge = payment.submission().kind == Kind::Charge;
    of(payment).filter(|consequence| charge && complaints(*consequence) > 0)
}

/// How many complaints follow.
const fn complaints(consequence: Consequence) -> i64 {
    match consequence {
        Consequence::MultipleDisputes => 2,
        Consequence::DisputeFraudulent
        | Consequence::DisputeNotReceived
        | Consequence::CompellingEvidenceDispute
        | Consequence::ComplianceDispute
        | Consequence::SmartDispute
        | Consequence::DisputePrevented
        | Consequence::Inquiry
        | Consequence::FraudWarning => 1,
        Consequence::RefundPending | Consequence::RefundFails | Consequence::InstantFunds => 0,
    }
}

/// The room that the consequences of money that has not arrived yet may need.
#[must_use]
pub(super) fn room(payment: &Payment) -> usize {
    after_money(payment).map_or(0, |_| EVENTS_MAX)
}

/// The event, and the note of what follows it.
pub(super) fn noted(
    context: &Context<'_>,
    payment: &Payment,
    event: Event,
) -> impl Iterator<Item = Event> + use<> {
    let brings_money = matches!(event, Event::Succeeded { .. } | Event::Captured { .. });
    let follows = after_money(payment).filter(|_| brings_money);
    let at = context.now.plus_ms(DISPUTED_AFTER_MS);
    std::iter::once(event).chain(follows.map(|_| Event::Foreseen { at }))
}

/// What follows the money, now that its time has come.
pub(super) fn due(context: &Context<'_>, payment: &Payment) -> Events {
    let time_has_come = payment.consequence_at().is_some_and(|at| at <= context.now);
    if !time_has_come {
        return Events::new();
    }
    // A card that is no longer listed was foreseen all the same.
    let consequence = after_money(payment).unwrap_or(Consequence::DisputeFraudulent);
    let (raised, reason) = match consequence {
        Consequence::FraudWarning => (Raised::FraudWarning, DisputeReason::Fraudulent),
        Consequence::Inquiry => (Raised::Inquiry, DisputeReason::General),
        Consequence::DisputeNotReceived => (Raised::Dispute, DisputeReason::ProductNotReceived),
        Consequence::ComplianceDispute => (Raised::Dispute, DisputeReason::Noncompliant),
        Consequence::DisputeFraudulent
        | Consequence::MultipleDisputes
        | Consequence::CompellingEvidenceDispute
        | Consequence::SmartDispute
        | Consequence::DisputePrevented
        | Consequence::RefundPending
        | Consequence::RefundFails
        | Consequence::InstantFunds => (Raised::Dispute, DisputeReason::Fraudulent),
    };
    let complaint = |n| Complaint { dispute: id(context, payment, n), raised, reason, amount_minor: None };
    if raised == Raised::FraudWarning {
        return vec![Event::FraudWarned { warning: complaint(0).dispute.warning() }];
    }
    let (mut left_minor, count) = (payment.disputable_minor(), complaints(consequence));
    let mut events = Events::new();
    for n in 0..count {
        let share_minor = if n + 1 == count { left_minor } else { left_minor.saturating_add(1) / 2 };
        if share_minor > 0 {
            events.push(disputes::opened(context, payment, &complaint(n.unsigned_abs()), share_minor));
        }
        left_minor = left_minor.saturating_sub(share_minor);
    }
    events
}

/// The id of a dispute that nobody asked for: made from the payment's own, so that no randomness is needed.
fn id(context: &Context<'_>, payment: &Payment, n: u64) -> DisputeId {
    let bits = u128::from_be_bytes(*payment.id().as_bytes()) & u128::from(u64::MAX);
    let number = u64::try_from(bits).unwrap_or_default().wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let before = u64::try_from(payment.state().disputes.len()).unwrap_or_default();
    DisputeId::numbered(context.wall, number.wrapping_add(before).wrapping_add(n))
}

/// The answer to a refund that was approved: some cards make it wait, or come back later.
pub(super) fn refund_approved(context: &Context<'_>, payment: &Payment, refund: RefundId) -> Event {
    let later = context.now.plus_ms(REFUND_AFTER_MS);
    match of(payment) {
        Some(Consequence::RefundPending) => Event::RefundPending { refund, settles_at: later },
        Some(Consequence::RefundFails) => Event::RefundSucceeded { refund, fails_at: Some(later) },
        Some(_) | None => Event::refund_succeeded(refund),
    }
}

/// The refunds that come back now.
pub(super) fn returned<'a>(
    context: &Context<'_>,
    payment: &'a Payment,
) -> impl Iterator<Item = Event> + use<'a> {
    let now = context.now;
    let refunds = payment.state().refunds.iter();
    let back = refunds.filter(move |refund| refund.comes_back_at().is_some_and(|at| at <= now));
    back.map(|refund| Event::refund_failed(refund.id, COMES_BACK))
}
