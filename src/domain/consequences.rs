//! What follows a charge or a refund by itself, because of the card that was used or because the scenario says so: disputes,
//! warnings, refunds that are slow or come back. What the scenario says takes the place of what the card does. Pure; each is noted in the history when it becomes certain, and happens when its time has come.

use super::aftermath::{Aftermath, Follows, Later, RefundCourse};
use super::command::{Complaint, Raised};
use super::context::{Context, Events};
use super::decline::DeclineReason;
use super::dispute::{DisputeOutcome, DisputeReason};
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

/// The room that the consequences of money that has not arrived yet may need: any scenario may bring about some.
#[must_use]
pub(super) fn room(payment: &Payment) -> usize {
    if payment.submission().kind == Kind::Charge { EVENTS_MAX } else { 0 }
}

/// The event, and the note of what follows it: what the answer says, else what the card does.
pub(super) fn noted(
    context: &Context<'_>,
    payment: &Payment,
    event: Event,
    aftermath: Option<Aftermath>,
) -> impl Iterator<Item = Event> + use<> {
    let brings_money = matches!(event, Event::Succeeded { .. } | Event::Captured { .. });
    let charge = payment.submission().kind == Kind::Charge;
    let said = aftermath.and_then(|aftermath| match aftermath.later {
        Later::Money(follows) => Some((Some(follows), aftermath.after_ms)),
        Later::Refund(_) => None,
    });
    let follows = said.or_else(|| after_money(payment).map(|_| (None, DISPUTED_AFTER_MS)));
    let foreseen = follows.filter(|_| brings_money && charge);
    let now = context.now;
    let foreseen =
        foreseen.map(move |(follows, after_ms)| Event::Foreseen { at: now.plus_ms(after_ms), follows });
    std::iter::once(event).chain(foreseen)
}

/// What follows the money, now that its time has come.
pub(super) fn due(context: &Context<'_>, payment: &Payment) -> Events {
    let time_has_come = payment.consequence_at().is_some_and(|at| at <= context.now);
    if !time_has_come {
        return Events::new();
    }
    if let Some(follows) = payment.state().foreseen {
        return as_said(context, payment, follows);
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

/// What the scenario said would follow the money.
fn as_said(context: &Context<'_>, payment: &Payment, follows: Follows) -> Events {
    let dispute = id(context, payment, 0);
    let (raised, reason) = match follows {
        Follows::FraudWarning => return vec![Event::FraudWarned { warning: dispute.warning() }],
        Follows::Inquiry(reason) => (Raised::Inquiry, reason),
        Follows::Dispute(reason) | Follows::Failure(reason) => (Raised::Dispute, reason),
    };
    let complaint = Complaint { dispute, raised, reason, amount_minor: None };
    let opened = disputes::opened(context, payment, &complaint, payment.disputable_minor());
    let lost = Event::dispute_closed(dispute, DisputeOutcome::Lost);
    std::iter::once(opened).chain(matches!(follows, Follows::Failure(_)).then_some(lost)).collect()
}

/// The id of a dispute that nobody asked for: made from the payment's own, so that no randomness is needed.
fn id(context: &Context<'_>, payment: &Payment, n: u64) -> DisputeId {
    let bits = u128::from_be_bytes(*payment.id().as_bytes()) & u128::from(u64::MAX);
    let number = u64::try_from(bits).unwrap_or_default().wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let before = u64::try_from(payment.state().disputes.len()).unwrap_or_default();
    DisputeId::numbered(context.wall, number.wrapping_add(before).wrapping_add(n))
}

/// The answer to a refund that was approved: some scenarios and cards make it wait, fail, or come back later.
pub(super) fn refund_approved(
    context: &Context<'_>,
    payment: &Payment,
    refund: RefundId,
    aftermath: Option<Aftermath>,
) -> Event {
    let said = aftermath.and_then(|aftermath| match aftermath.later {
        Later::Refund(course) => Some((course, aftermath.after_ms)),
        Later::Money(_) => None,
    });
    let by_card = || match of(payment)? {
        Consequence::RefundPending => Some((RefundCourse::Arrives, REFUND_AFTER_MS)),
        Consequence::RefundFails => Some((RefundCourse::ComesBack, REFUND_AFTER_MS)),
        _ => None,
    };
    let Some((course, after_ms)) = said.or_else(by_card) else { return Event::refund_succeeded(refund) };
    let later = context.now.plus_ms(after_ms);
    match course {
        RefundCourse::Arrives => Event::RefundPending { refund, settles_at: later, fails: false },
        RefundCourse::Fails => Event::RefundPending { refund, settles_at: later, fails: true },
        RefundCourse::ComesBack => Event::RefundSucceeded { refund, fails_at: Some(later) },
    }
}

/// The end of a refund that was pending, now that its time has come.
pub(super) fn pending_refund_ends(payment: &Payment, refund: RefundId) -> Event {
    match payment.refund(refund).is_some_and(|refund| refund.fails_pending) {
        true => Event::refund_failed(refund, COMES_BACK),
        false => Event::refund_succeeded(refund),
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
