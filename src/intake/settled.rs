//! Decides when a command has an outcome and which state of the payment its answer shows. Pure.

use std::sync::Arc;

use crate::domain::announcement::dispute_of;
use crate::domain::event::Event;
use crate::domain::ids::{PartId, RefundId};
use crate::domain::payment::{Operation, Payment, Phase};

/// The refund that the command that led to `version` created.
pub(super) fn refund_at(payment: &Payment, version: u32) -> Option<RefundId> {
    let at = usize::try_from(version).ok()?.checked_sub(1)?;
    match payment.history().get(at).map(|recorded| recorded.event) {
        Some(Event::RefundQueued { refund, .. }) => Some(refund),
        Some(_) | None => None,
    }
}

/// The dispute that the command that led to `version` is about, or the warning that it raised.
pub(super) fn dispute_at(payment: &Payment, version: u32) -> Option<PartId> {
    let at = usize::try_from(version).ok()?.checked_sub(1)?;
    let event = payment.history().get(at)?.event;
    match event {
        Event::FraudWarned { warning } => Some(warning.into()),
        _ => dispute_of(&event).map(PartId::from),
    }
}

/// The operation of the command that led to `version`, if a payment can have several of its kind at once.
fn refunding_at(payment: &Payment, version: u32) -> Option<u16> {
    let at = usize::try_from(version).ok()?.checked_sub(1)?;
    match payment.history().get(at).map(|recorded| recorded.event) {
        Some(Event::OperationReplayed { operation }) => Some(operation),
        // This event opened it, so its number is the number of operations at that version.
        Some(Event::RefundQueued { .. }) => Some(payment.at_version(version)?.state().operations),
        Some(_) | None => None,
    }
}

/// Whether the command that led to `version` has an outcome in this state of the payment.
#[must_use]
pub fn is_settled(payment: &Payment, version: u32) -> bool {
    if payment.version() < version {
        return false;
    }
    let at = usize::try_from(version).ok().and_then(|version| version.checked_sub(1));
    let event = at.and_then(|at| payment.history().get(at)).map(|recorded| recorded.event);
    // An amendment is done once it is committed, whatever else is under way.
    if matches!(event, Some(Event::Amended { .. })) {
        return true;
    }
    let under_way = |operation: &Operation| match operation.phase {
        // What is pending outside may take days; it is answered as it stands.
        Phase::Pending { .. } | Phase::Parked { .. } => false,
        Phase::Queued | Phase::Waiting { .. } => true,
    };
    match refunding_at(payment, version) {
        Some(number) => !payment.operation(number).is_some_and(under_way),
        None => match &payment.state().operation {
            None => payment.state().status.is_at_rest(),
            Some(operation) => !under_way(operation),
        },
    }
}

/// The payment at the first end of a batch, from `version` on, that has an outcome: the first answer, and that of every
/// repetition. A state within a batch (such as an authorisation that the same batch goes on to void) never became visible
/// and is nobody's answer.
#[must_use]
pub fn first_settled(payment: &Arc<Payment>, version: u32) -> Option<Arc<Payment>> {
    payment
        .first_at_end_of_batch(version, |then| is_settled(then, version))
        .map(|then| if then.version() == payment.version() { Arc::clone(payment) } else { Arc::new(then) })
}

/// The payment as the batch that brought `version` left it.
#[must_use]
pub fn as_committed(payment: &Arc<Payment>, version: u32) -> Arc<Payment> {
    let end = payment.end_of_batch(version);
    if payment.version() == end {
        return Arc::clone(payment);
    }
    payment.at_version(end).map_or_else(|| Arc::clone(payment), Arc::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::command::{Action, AuthorizationResponse as Answered};
    use crate::domain::currency::Currency;
    use crate::domain::event::{CancelReason, Recorded};
    use crate::domain::ids::{AccountId, ChargeId, ClockId, PaymentId};
    use crate::domain::instrument::Instrument;
    use crate::domain::money::Money;
    use crate::domain::status::Status;
    use crate::domain::submission::{CaptureMethod, Kind, Lane, Submission};
    use crate::domain::tests::life::Life;
    use crate::domain::time::Timestamp;

    /// A charge with these batches after the one that created it.
    fn charge(batches: &[&[Event]]) -> Arc<Payment> {
        let submission = Submission {
            id: PaymentId::generate(),
            owner: AccountId::generate(),
            kind: Kind::Charge,
            amount: Money::new(500, Currency::EUR),
            capture: CaptureMethod::Manual,
            lane: Lane::Interactive,
            draw_key: 0,
            description: None,
            metadata: Vec::new(),
            run: None,
            customer: None,
            clock: ClockId::WALL,
        };
        let event = Event::Created { instrument: None, confirmed: false, reserved: false };
        let mut payment =
            Payment::open(Arc::new(submission), Recorded::on_wall(Timestamp::from_micros(2), event)).unwrap();
        for (n, events) in (3..).zip(batches) {
            for event in *events {
                payment.apply(Recorded::on_wall(Timestamp::from_micros(n), *event)).unwrap();
            }
        }
        Arc::new(payment)
    }

    const GO: &[Event] =
        &[Event::Confirmed { instrument: Instrument::Wallet, charge: ChargeId::from_bytes([8; 16]) }];
    const WISH: &[Event] = &[Event::CancelRequested { reason: CancelReason::RequestedByCustomer }];
    const STARTED: Event = Event::Started { at: Timestamp::from_micros(4) };
    const AUTHORIZED: Event =
        Event::Authorized { amount_minor: 500, capture_before: Timestamp::from_micros(1_000_000) };
    const VOID: Event = Event::VoidQueued { reason: CancelReason::RequestedByCustomer };
    const CAPTURE: Event = Event::CaptureQueued { amount_minor: 500 };

    /// The answer to the command that led to `version`, and to every repetition of its key: status and version.
    fn answer_to(batches: &[&[Event]], version: u32) -> Option<(Status, u32)> {
        let payment = charge(batches);
        first_settled(&payment, version).map(|payment| (payment.state().status, payment.version()))
    }

    #[test]
    fn a_cancel_that_met_an_approval_is_answered_once_the_void_is_done() {
        let answered = &[STARTED, AUTHORIZED, VOID];
        assert_eq!(
            answer_to(&[GO, WISH, answered], 3),
            None,
            "held for a moment within a batch, and never seen so"
        );
        let voided = &[Event::Voided {}];
        assert_eq!(answer_to(&[GO, WISH, answered, voided], 3), Some((Status::Canceled, 7)));
        // The caller who confirmed it is not shown the authorisation either.
        assert_eq!(answer_to(&[GO, WISH, answered, voided], 2), Some((Status::Canceled, 7)));
        let under_way = charge(&[GO, WISH, answered]);
        assert_eq!(as_committed(&under_way, 4).version(), 6, "with no waiting, what was committed");
        assert_eq!(under_way.state().settled_at, None);
        assert_eq!(crate::domain::stages::Stages::of(&under_way).settled_us, None);
    }

    #[test]
    fn commands_that_share_a_batch_are_answered_with_its_end() {
        let together = &[STARTED, AUTHORIZED, CAPTURE];
        assert_eq!(answer_to(&[GO, together], 2), None);
        let captured = &[Event::captured(500)];
        assert_eq!(answer_to(&[GO, together, captured], 2), Some((Status::Succeeded, 6)));
        // Apart, each has its own end, now and at every repetition.
        let apart: &[&[Event]] = &[GO, &[STARTED, AUTHORIZED], &[CAPTURE], captured];
        assert_eq!(answer_to(apart, 2), Some((Status::RequiresCapture, 4)));
        assert_eq!(answer_to(apart, 5), Some((Status::Succeeded, 6)));
    }

    #[test]
    fn refunds_of_one_batch_are_each_answered_with_its_end() {
        let (one, two) = (RefundId::generate(), RefundId::generate());
        let queued = |refund| Event::RefundQueued { refund, amount_minor: 100, detail: None };
        let refunds = &[queued(one), queued(two)];
        let done = &[Event::refund_succeeded(one)];
        let paid: &[&[Event]] = &[GO, &[STARTED, Event::SUCCEEDED], refunds, done];
        assert_eq!(answer_to(paid, 5), Some((Status::Succeeded, 7)));
        assert_eq!(answer_to(paid, 6), None, "the second is still under way");
        assert_eq!(as_committed(&charge(paid), 5).version(), 6);
    }

    fn refund(life: &mut Life, n: u8) -> u32 {
        let refund = RefundId::from_bytes([n; 16]);
        life.act(Action::Refund { refund, amount_minor: Some(1), detail: None }).expect("admitted");
        life.payment.version()
    }

    #[test]
    fn a_parked_refund_settles_no_other() {
        let mut life = Life::charge(CaptureMethod::Automatic);
        life.answer(Answered::Approved);
        let first = refund(&mut life, 1);
        life.park();
        let second = refund(&mut life, 2);
        assert!(is_settled(&life.payment, first), "its retries are spent");
        assert!(!is_settled(&life.payment, second), "it has only just been queued");
        life.answer(Answered::Approved);
        assert!(is_settled(&life.payment, second));
    }

    #[test]
    fn a_replayed_refund_is_settled_when_it_is() {
        let mut life = Life::charge(CaptureMethod::Automatic);
        life.answer(Answered::Approved);
        refund(&mut life, 1);
        life.park();
        life.act(Action::Replay).expect("admitted");
        let replayed = life.payment.version();
        assert!(!is_settled(&life.payment, replayed), "the payment rests, the refund does not");
        life.answer(Answered::Approved);
        assert!(is_settled(&life.payment, replayed));
    }
}
