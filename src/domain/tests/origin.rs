//! Causes: the request that led to each version.

use super::life::Life;
use crate::domain::command::{Action, AuthorizationResponse as Response};
use crate::domain::event::{CancelReason, Event};
use crate::domain::ids::RefundId;
use crate::domain::origin::causes;
use crate::domain::submission::{CaptureMethod, Kind};

/// The causes of the last version that has this kind of event.
fn of(life: &Life, fits: impl Fn(&Event) -> bool) -> Vec<u32> {
    let history = (1..).zip(life.payment.history());
    let (version, _) = history.filter(|(_, recorded)| fits(&recorded.event)).last().expect("it happened");
    causes(&life.payment, version).to_vec()
}

#[test]
fn an_answer_is_caused_by_the_request_it_answers() {
    let mut life = Life::charge(CaptureMethod::Manual);
    // However often it was tried.
    life.answer(Response::TechnicalFailure(crate::domain::event::TechnicalError::Timeout));
    assert!(life.wait());
    life.answer(Response::Approved);
    let authorized = life.payment.version();
    assert_eq!(of(&life, |event| matches!(event, Event::Authorized { .. })), [authorized, 1]);
    assert_eq!(of(&life, |event| matches!(event, Event::Requeued {})).len(), 1, "nobody asked for it");
    life.act(Action::Capture { amount_minor: None }).expect("admitted");
    let capture = life.payment.version();
    life.answer(Response::Approved);
    assert_eq!(of(&life, |event| matches!(event, Event::Captured { .. })), [capture + 1, capture]);
    let refund =
        |n| Action::Refund { refund: RefundId::from_bytes([n; 16]), amount_minor: Some(1), detail: None };
    life.act(refund(1)).expect("admitted");
    let first = life.payment.version();
    life.act(refund(2)).expect("admitted");
    life.answer(Response::Approved);
    let done = |event: &Event| matches!(event, Event::RefundSucceeded { .. });
    assert_eq!(of(&life, done), [first + 2, first], "not by the other refund");
    life.answer(Response::Approved);
    assert_eq!(of(&life, done), [first + 3, first + 1]);
}

#[test]
fn timers_have_no_cause() {
    let mut life = Life::charge(CaptureMethod::Manual);
    life.answer(Response::Approved);
    assert!(life.wait());
    let lapsed = life.payment.version();
    assert_eq!(of(&life, |event| matches!(event, Event::Canceled { .. })), [lapsed]);
    let mut life = Life::new(Kind::TopUp, CaptureMethod::Automatic, true, true, i64::MAX);
    life.answer(Response::Pending { settles_after_ms: 1_000 });
    let pending = life.payment.version();
    assert_eq!(of(&life, |event| matches!(event, Event::Pending { .. })), [pending, 1]);
    assert!(life.wait());
    assert_eq!(of(&life, |event| matches!(event, Event::Succeeded { .. })), [pending + 1]);
}

#[test]
fn a_requested_cancellation_is_caused_by_its_request() {
    let reason = CancelReason::RequestedByCustomer;
    let mut life = Life::charge(CaptureMethod::Manual);
    life.act(Action::Cancel { reason }).expect("admitted");
    let requested = life.payment.version();
    life.answer(Response::Approved);
    life.answer(Response::Approved);
    let voided = life.payment.version();
    assert_eq!(of(&life, |event| matches!(event, Event::Voided {})), [voided, voided - 1, requested]);
    let mut life = Life::charge(CaptureMethod::Automatic);
    life.act(Action::Cancel { reason }).expect("admitted");
    life.answer(Response::Declined(crate::domain::decline::DeclineReason::InsufficientFunds));
    let canceled = life.payment.version();
    assert_eq!(of(&life, |event| matches!(event, Event::Canceled { .. })), [canceled, requested]);
}
