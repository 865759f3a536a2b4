//! Tests of the hub: order, sampling, slow subscribers, visibility, waiting.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::queue::{LeftOut, Queue, Step};
use super::waiter::Waiters;
use super::*;
use crate::domain::ids::{ChargeId, ClockId, PaymentId};
use crate::domain::instrument::Instrument;
use crate::domain::time::Timestamp;

const GOES_ON: Step = Step { first: false, rests: false };
const RESTS: Step = Step { first: true, rests: true };

fn row(text: &str) -> Arc<str> {
    Arc::from(text)
}

fn texts(queue: &mut Queue, max: usize) -> Vec<String> {
    queue.take(max).rows.iter().map(ToString::to_string).collect()
}

#[test]
fn every_row_arrives_in_order_without_a_rate() {
    let now = Instant::now();
    let mut queue = Queue::new(0, now);
    let payment = PaymentId::generate();
    for version in 1..=5_000 {
        queue.push(payment, GOES_ON, &row(&version.to_string()), now);
    }
    let got: Vec<String> =
        std::iter::from_fn(|| Some(texts(&mut queue, 500)).filter(|rows| !rows.is_empty()))
            .flatten()
            .collect();
    assert_eq!(got.len(), 5_000);
    assert!(got.iter().zip(1..).all(|(text, version)| *text == version.to_string()));
}

#[test]
fn a_sampled_subscription_keeps_its_rate_and_counts_what_it_skips() {
    let start = Instant::now();
    let mut queue = Queue::new(10, start);
    let (mut shown, mut skipped) = (0, 0);
    for millisecond in 0..10_000_u64 {
        queue.push(PaymentId::generate(), RESTS, &row("r"), start + Duration::from_millis(millisecond));
        let taken = queue.take(500);
        shown += taken.rows.len();
        skipped += taken.skipped.payments;
    }
    assert!((100..=111).contains(&shown), "{shown}");
    assert!(skipped + 100 >= 10_000 - shown as u64, "{skipped}");
}

#[test]
fn the_end_of_a_burst_is_reported_though_no_row_is_left() {
    let now = Instant::now();
    let mut queue = Queue::new(2, now);
    for _ in 0..5 {
        queue.push(PaymentId::generate(), RESTS, &row("r"), now);
    }
    assert!(!queue.has_left_out(), "the rows that wait will report it");
    let taken = queue.take(10);
    assert_eq!((taken.rows.len(), taken.skipped), (2, LeftOut { rows: 3, payments: 3 }));
    assert!(!queue.has_left_out());
    queue.push(PaymentId::generate(), RESTS, &row("r"), now);
    assert!(queue.has_left_out());
    queue.push(PaymentId::generate(), GOES_ON, &row("r"), now);
    let none = LeftOut::default();
    let reported = (queue.take(10).skipped, queue.take_left_out(), queue.take_left_out());
    assert_eq!(reported, (none, LeftOut { rows: 2, payments: 1 }, none));
}

#[test]
fn what_is_shown_comes_to_its_end_whatever_the_rate() {
    let now = Instant::now();
    let mut queue = Queue::new(1, now);
    let (shown, other) = (PaymentId::generate(), PaymentId::generate());
    queue.push(shown, GOES_ON, &row("queued"), now);
    queue.push(other, GOES_ON, &row("not shown"), now);
    queue.push(shown, RESTS, &row("succeeded"), now);
    let taken = queue.take(10);
    assert_eq!(taken.rows.iter().map(AsRef::as_ref).collect::<Vec<&str>>(), ["queued", "succeeded"]);
    assert_eq!(taken.skipped, LeftOut { rows: 1, payments: 0 });
    assert!(!queue.hint(other, "pi_x", Hint::Processing { attempt: 1 }), "no hints about what is not shown");
}

#[test]
fn a_slow_reader_gets_the_latest_row_per_payment() {
    let now = Instant::now();
    let mut queue = Queue::new(0, now);
    let payments: Vec<PaymentId> = (0..100).map(|_| PaymentId::generate()).collect();
    let mut last = 0;
    for round in 0..1_000 {
        for payment in &payments {
            queue.push(*payment, GOES_ON, &row(&round.to_string()), now);
        }
        last = round;
    }
    let taken = queue.take(100_000);
    assert_eq!(taken.rows.len(), 100);
    assert!(taken.rows.iter().all(|row| **row == *last.to_string()));
    assert!(!taken.resync);
    queue.push(PaymentId::generate(), GOES_ON, &row("next"), now);
    assert_eq!(texts(&mut queue, 10), ["next"], "it has caught up");
}

#[test]
fn a_reader_too_far_behind_has_to_read_again_and_memory_is_bounded() {
    let now = Instant::now();
    let mut queue = Queue::new(0, now);
    for _ in 0..=ALL_ROWS_MAX + 10 * COALESCED_MAX {
        queue.push(PaymentId::generate(), GOES_ON, &row("r"), now);
    }
    let taken = queue.take(100_000);
    assert!(taken.resync && taken.rows.len() <= COALESCED_MAX);
    assert!(!queue.take(10).resync, "once");
}

#[test]
fn coalescing_survives_taking_in_parts() {
    let now = Instant::now();
    let mut queue = Queue::new(5, now);
    let payments: Vec<PaymentId> = (0..1_000).map(|_| PaymentId::generate()).collect();
    let mut all = Queue::new(0, now);
    for round in 0..70 {
        for payment in &payments {
            all.push(*payment, GOES_ON, &row(&round.to_string()), now);
        }
    }
    assert_eq!(all.take(600).rows.len(), 600);
    for payment in &payments {
        all.push(*payment, RESTS, &row("end"), now);
    }
    let rest = all.take(10_000);
    assert_eq!(rest.rows.iter().filter(|row| &***row == "end").count(), 1_000, "nobody's end is lost");
    queue.push(PaymentId::generate(), RESTS, &row("r"), now);
    assert_eq!(queue.take(1).rows.len(), 1);
}

#[test]
fn waiters_are_counted_down_when_dropped() {
    let waiters = Arc::new(Waiters::default());
    let payment = PaymentId::generate();
    let waiter = waiters.register(payment).unwrap();
    assert!(waiters.waits_for(payment));
    drop(waiter);
    assert!(waiters.is_empty() && !waiters.waits_for(payment));
}

fn payment() -> Payment {
    let submission = crate::domain::submission::Submission {
        id: PaymentId::generate(),
        owner: AccountId::generate(),
        kind: crate::domain::submission::Kind::Charge,
        amount: crate::domain::money::Money::new(5, crate::domain::currency::Currency::EUR),
        capture: crate::domain::submission::CaptureMethod::Automatic,
        lane: crate::domain::submission::Lane::Bulk,
        draw_key: 0,
        description: None,
        metadata: Vec::new(),
        run: None,
        customer: None,
        clock: ClockId::WALL,
    };
    let event = Event::Created { instrument: None, confirmed: false, reserved: false };
    let at = Timestamp::from_micros(2);
    Payment::open(Arc::new(submission), crate::domain::event::Recorded::on_wall(at, event)).unwrap()
}

#[tokio::test]
async fn a_wait_holds_a_payment_only_once_it_is_what_was_waited_for() {
    let waiters = Arc::new(Waiters::default());
    let mut payment = payment();
    let waiter = waiters.register(payment.id()).unwrap();
    let settled = |payment: &Payment| payment.version() >= 2;
    waiters.show(&Arc::new(payment.clone()));
    assert!(waiter.holds_payment(), "nobody has said yet what is waited for");
    let mut wait = std::pin::pin!(waiter.until(settled));
    assert!(futures_util::poll!(&mut wait).is_pending());
    assert!(!waiter.holds_payment());
    waiters.show(&Arc::new(payment.clone()));
    assert!(!waiter.holds_payment());
    let at = Timestamp::from_micros(3);
    let event = Event::Confirmed { instrument: Instrument::Wallet, charge: ChargeId::from_bytes([8; 16]) };
    payment.apply(crate::domain::event::Recorded::on_wall(at, event)).unwrap();
    waiters.show(&Arc::new(payment.clone()));
    assert_eq!(wait.await.map(|payment| payment.version()), Some(2));
}

#[tokio::test]
async fn a_waiter_learns_that_something_was_missed() {
    let waiters = Arc::new(Waiters::default());
    let waiter = waiters.register(PaymentId::generate()).unwrap();
    waiters.miss();
    assert!(waiter.until(|_| true).await.is_none());
    let mut wait = std::pin::pin!(waiter.until(|_| true));
    assert!(futures_util::poll!(&mut wait).is_pending(), "once");
}

#[test]
fn a_queue_is_bounded_by_what_its_rows_hold() {
    let now = Instant::now();
    let long = row(&"r".repeat(10_000));
    let mut queue = Queue::new(0, now);
    let payments: Vec<PaymentId> = (0..100).map(|_| PaymentId::generate()).collect();
    for _ in 0..100 {
        for payment in &payments {
            queue.push(*payment, GOES_ON, &long, now);
            assert!(queue.bytes() <= queue::ROWS_BYTES_MAX, "{}", queue.bytes());
        }
    }
    let mut taken = Vec::new();
    while let Some(rows) = Some(queue.take(500).rows).filter(|rows| !rows.is_empty()) {
        let bytes: usize = rows.iter().map(|row| row.len()).sum();
        assert!(bytes <= queue::TAKEN_BYTES_MAX, "{bytes} in one frame");
        taken.extend(rows);
    }
    assert_eq!((taken.len(), queue.bytes()), (100, 0), "the latest of each");
    // One row that is longer than a frame still comes.
    queue.push(payments[0], GOES_ON, &row(&"r".repeat(200_000)), now);
    assert_eq!(queue.take(500).rows.len(), 1);
}
