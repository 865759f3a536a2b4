//! Stages: right for common histories, and without gaps for any history.

use std::sync::Arc;

use proptest::prelude::*;

use super::stored;
use crate::domain::currency::Currency;
use crate::domain::event::{CancelReason, Event, Recorded, TechnicalError};
use crate::domain::ids::{AccountId, ChargeId, ClockId, PaymentId, RefundId};
use crate::domain::instrument::Instrument;
use crate::domain::money::Money;
use crate::domain::payment::Payment;
use crate::domain::stages::Stages;
use crate::domain::submission::{CaptureMethod, Kind, Lane, Submission};
use crate::domain::time::Timestamp;

pub(super) fn at(us: i64) -> Timestamp {
    Timestamp::from_micros(1_767_225_600_000_000 + us)
}

/// A charge that was accepted after 900 µs.
fn payment(confirmed: bool) -> Payment {
    opened(Kind::Charge, confirmed, false)
}

/// A payment of 12.50 that was accepted after 900 µs.
pub(super) fn opened(kind: Kind, confirmed: bool, reserved: bool) -> Payment {
    let submission = Submission {
        id: PaymentId::numbered(at(0), 1),
        owner: AccountId::from_bytes([2; 16]),
        kind,
        amount: Money::new(1_250, Currency::EUR),
        capture: CaptureMethod::Automatic,
        lane: Lane::Interactive,
        draw_key: 1,
        description: None,
        metadata: Vec::new(),
        run: None,
        customer: None,
        clock: ClockId::WALL,
    };
    let instrument = kind.instrument();
    let created = Event::Created { instrument, confirmed, reserved };
    Payment::open(Arc::new(submission), Recorded::on_wall(at(900), created)).unwrap()
}

fn after(payment: &mut Payment, events: &[(i64, Event)]) -> Stages {
    for (us, event) in events {
        payment.apply(Recorded::on_wall(at(*us), *event)).unwrap();
    }
    Stages::of(payment)
}

pub(super) fn started(us: i64) -> Event {
    Event::Started { at: at(us) }
}

/// A charge confirmed by an event of its own, at the time of its creation.
fn confirmed() -> Payment {
    let mut payment = payment(false);
    payment
        .apply(Recorded::on_wall(
            at(900),
            Event::Confirmed { instrument: Instrument::Wallet, charge: ChargeId::from_bytes([8; 16]) },
        ))
        .unwrap();
    payment
}

/// Accepted, in the queue, with the acquirer, the end; and all other time.
type Summary = (u64, Option<u64>, Option<u64>, Option<u64>, Vec<(&'static str, u64)>);

fn summary(stages: &Stages) -> Summary {
    let (queue, acquirer) = (stages.in_queue_us(), stages.with_acquirer_us());
    (stages.accepted_us, queue, acquirer, stages.settled_us, stages.other_time().collect())
}

#[test]
fn a_challenge_that_waited_is_neither_acceptance_nor_processing() {
    let mut charge = confirmed();
    let first = [(500_000, started(1_000)), (500_000, Event::ActionRequired {})];
    let stages = after(&mut charge, &first);
    assert_eq!(summary(&stages), (900, Some(100), Some(499_000), Some(500_000), vec![]));
    assert_eq!(stages.settled_version, 4);
    let again = after(&mut charge, &[(990_000_000, Event::ActionCompleted {})]);
    assert_eq!((again.settled_us, again.queued_us, again.started_us), (None, Some(990_000_000), None));
    let end = [(990_700_000, started(990_002_000)), (990_700_000, Event::SUCCEEDED)];
    let stages = after(&mut charge, &end);
    let other_time =
        vec![("waiting for someone to act", 989_500_000), ("on earlier attempts and pauses", 499_100)];
    assert_eq!(summary(&stages), (900, Some(2_000), Some(698_000), Some(990_700_000), other_time));
}

#[test]
fn the_wait_for_a_capture_is_not_with_the_acquirer() {
    let mut charge = confirmed();
    let capture_before = at(1_000_000_000_000);
    let held =
        [(500_000, started(1_000)), (500_000, Event::Authorized { amount_minor: 1_250, capture_before })];
    let stages = after(&mut charge, &held);
    assert_eq!(summary(&stages), (900, Some(100), Some(499_000), Some(500_000), vec![]));
    let queued = after(&mut charge, &[(900_500_000, Event::CaptureQueued { amount_minor: 500 })]);
    assert_eq!(summary(&queued), summary(&stages), "it rests until the capture is done");
    let stages = after(&mut charge, &[(900_900_000, Event::captured(500))]);
    let other_time = vec![("waiting for someone to act", 900_000_000), ("for the capture", 400_000)];
    assert_eq!(summary(&stages), (900, Some(100), Some(499_000), Some(900_900_000), other_time));
    // What comes after the end does not move it.
    let refund = RefundId::from_bytes([1; 16]);
    let later =
        after(&mut charge, &[(950_000_000, Event::RefundQueued { refund, amount_minor: 1, detail: None })]);
    assert_eq!(summary(&later), summary(&stages));
}

#[test]
fn a_retry_shows_its_last_attempt() {
    let mut charge = confirmed();
    let cause = TechnicalError::Timeout;
    let broke =
        [(500_000, started(1_000)), (500_000, Event::RetryScheduled { due_at: at(1_500_000), cause })];
    let waiting = after(&mut charge, &broke);
    assert_eq!((waiting.retry_at, waiting.since), (Some(at(1_500_000)), at(500_000)));
    assert_eq!(waiting.settled_us, None);
    let queued = after(&mut charge, &[(1_501_000, Event::Requeued {})]);
    assert_eq!((queued.retry_at, queued.queued_us, queued.started_us), (None, Some(1_501_000), None));
    let stages = after(&mut charge, &[(1_600_000, started(1_520_000)), (1_600_000, Event::failed(cause))]);
    let other_time = vec![("on earlier attempts and pauses", 1_500_100)];
    assert_eq!(summary(&stages), (900, Some(19_000), Some(80_000), Some(1_600_000), other_time));
}

#[test]
fn an_unconfirmed_payment_has_only_been_accepted() {
    assert_eq!(summary(&Stages::of(&payment(false))), (900, None, None, None, vec![]));
    let mut charge = payment(false);
    let canceled = Event::canceled(CancelReason::Abandoned);
    let stages = after(&mut charge, &[(5_000_900, canceled)]);
    assert_eq!(
        summary(&stages),
        (900, None, None, Some(5_000_900), vec![("waiting for someone to act", 5_000_000)])
    );
}

/// All events that can follow creation, except a worker's start and another amount, which the rules admit only before confirmation.
pub(super) fn events() -> Vec<Event> {
    let mut all = stored::events(at(0).micros(), 5, 2);
    all.retain(|event| {
        !matches!(
            event,
            Event::Created { .. } | Event::Started { .. } | Event::Amended { amount_minor: Some(_), .. }
        )
    });
    all
}

proptest! {
    /// Whatever happened, and even if clocks disagree a little, the parts add up to the whole.
    #[test]
    fn the_parts_add_up(steps in prop::collection::vec((0_usize..64, 0_i64..1_000_000, -500_i64..500_000), 0..60)) {
        let mut charge = payment(false);
        let (all, mut now) = (events(), 900);
        for (pick, pause, work) in steps {
            now += pause;
            // Half of the picks are worker starts, so that histories go on.
            let event = all.get(pick).copied().unwrap_or(started(now + work));
            if charge.apply(Recorded::on_wall(at(now), event)).is_err() {
                continue;
            }
            let stages = Stages::of(&charge);
            let parts = [Some(stages.accepted_us), stages.in_queue_us(), stages.with_acquirer_us()];
            let other_time: u64 = stages.other_time().map(|(_, us)| us).sum();
            if let Some(settled_us) = stages.settled_us {
                prop_assert_eq!(parts.into_iter().flatten().sum::<u64>() + other_time, settled_us);
            } else {
                prop_assert_eq!(other_time, 0);
            }
        }
    }
}
