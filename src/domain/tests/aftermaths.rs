//! What a scenario has follow an approval comes when its time has come, whatever the card does by itself.

use super::life::{AMOUNT_MINOR, Life};
use crate::domain::aftermath::{Aftermath, Follows, Later, RefundCourse};
use crate::domain::command::{Action, AuthorizationResponse as Response};
use crate::domain::decline::DeclineReason;
use crate::domain::dispute::{DisputeReason, DisputeStatus};
use crate::domain::event::Event;
use crate::domain::ids::RefundId;
use crate::domain::payment::RefundStatus;
use crate::domain::status::Status;
use crate::domain::submission::{CaptureMethod, Kind};

const HOUR_MS: u64 = 3_600_000;

fn then(later: Later) -> Response {
    Response::ApprovedThen(Aftermath { later, after_ms: HOUR_MS })
}

fn money(follows: Follows) -> Response {
    then(Later::Money(follows))
}

#[test]
fn what_follows_the_money_comes_when_its_time_has_come() {
    let reason = DisputeReason::ProductUnacceptable;
    for (follows, status) in [
        (Follows::Dispute(reason), Some(DisputeStatus::NeedsResponse)),
        (Follows::Inquiry(reason), Some(DisputeStatus::WarningNeedsResponse)),
        (Follows::Failure(reason), Some(DisputeStatus::Lost)),
        (Follows::FraudWarning, None),
    ] {
        let mut life = Life::charge(CaptureMethod::Automatic);
        life.answer(money(follows));
        assert_eq!(life.payment.state().status, Status::Succeeded);
        assert_eq!(life.payment.consequence_at(), Some(life.now.plus_ms(HOUR_MS)));
        let again = life.payment.refolded().expect("it folds");
        assert_eq!(again, life.payment, "a restart knows the same");
        while life.payment.consequence_at().is_some() {
            assert!(life.wait());
        }
        let state = life.payment.state();
        assert_eq!(state.disputes.first().map(|dispute| dispute.status), status, "{follows:?}");
        assert!(state.disputes.iter().all(|it| it.reason == reason && it.amount_minor == AMOUNT_MINOR));
        assert_eq!(state.warnings.len(), usize::from(status.is_none()));
    }
}

#[test]
fn with_manual_capture_it_follows_the_capture() {
    let mut life = Life::charge(CaptureMethod::Manual);
    life.answer(money(Follows::FraudWarning));
    assert_eq!(life.payment.state().foreseen_at, None, "no money, nothing that follows it");
    life.act(Action::Capture { amount_minor: None }).expect("admitted");
    life.answer(money(Follows::Inquiry(DisputeReason::General)));
    assert_eq!(life.payment.consequence_at(), Some(life.now.plus_ms(HOUR_MS)));
    while life.payment.consequence_at().is_some() {
        assert!(life.wait());
    }
    assert_eq!(life.payment.state().disputes[0].reason, DisputeReason::General);
}

#[test]
fn what_the_scenario_says_takes_the_place_of_what_the_card_does() {
    let mut life = Life::new(Kind::Charge, CaptureMethod::Manual, true, true, i64::MAX);
    life.answer(Response::Approved);
    life.act(Action::Capture { amount_minor: None }).expect("admitted");
    life.answer(Response::Approved);
    assert_eq!(life.payment.consequence_at(), None);

    let mut life = Life::paid_with("pm_card_refundFail");
    let refund = RefundId::from_bytes([1; 16]);
    life.act(Action::Refund { refund, amount_minor: None, detail: None }).expect("admitted");
    life.answer(then(Later::Refund(RefundCourse::Arrives)));
    assert_eq!(life.payment.state().refunds[0].status, RefundStatus::Pending);
}

#[test]
fn added_money_is_not_disputed() {
    let mut life = Life::new(Kind::TopUp, CaptureMethod::Automatic, true, true, i64::MAX);
    life.answer(money(Follows::Dispute(DisputeReason::General)));
    assert_eq!((life.payment.state().status, life.payment.state().foreseen_at), (Status::Succeeded, None));
}

#[test]
fn a_refund_takes_the_course_that_the_scenario_says() {
    let failed = RefundStatus::Failed(DeclineReason::ExpiredCard);
    for (course, first, last) in [
        (RefundCourse::Arrives, RefundStatus::Pending, RefundStatus::Succeeded),
        (RefundCourse::Fails, RefundStatus::Pending, failed),
        (RefundCourse::ComesBack, RefundStatus::Succeeded, failed),
    ] {
        let mut life = Life::charge(CaptureMethod::Automatic);
        life.answer(Response::Approved);
        let refund = RefundId::from_bytes([1; 16]);
        life.act(Action::Refund { refund, amount_minor: Some(400), detail: None }).expect("admitted");
        life.answer(then(Later::Refund(course)));
        assert_eq!(life.payment.state().refunds[0].status, first, "{course:?}");
        let due_at = life.now.plus_ms(HOUR_MS);
        while life.now < due_at {
            assert!(life.wait());
        }
        assert_eq!(life.payment.state().refunds[0].status, last, "{course:?}");
        let returned = if last == failed { 0 } else { 400 };
        assert_eq!(life.payment.refundable_minor(), AMOUNT_MINOR - returned);
        assert_eq!(life.payment.operations().count(), 0);
    }
}

#[test]
fn a_refund_that_was_to_fail_and_was_ended_by_hand_stays_so() {
    let mut life = Life::charge(CaptureMethod::Automatic);
    life.answer(Response::Approved);
    let refund = RefundId::from_bytes([1; 16]);
    life.act(Action::Refund { refund, amount_minor: None, detail: None }).expect("admitted");
    life.answer(then(Later::Refund(RefundCourse::Fails)));
    life.act(Action::EndRefund { refund, failed: None }).expect("a pending refund arrives");
    while life.wait() {}
    assert_eq!(life.payment.state().refunds[0].status, RefundStatus::Succeeded);
    let failed = |event: &Event| matches!(event, Event::RefundFailed { .. });
    assert!(!life.payment.history().iter().any(|recorded| failed(&recorded.event)));
}
