//! A history never outgrows its bound, and what is open can always be finished within it.

use proptest::prelude::*;

use super::life::{Life, card};
use crate::domain::aftermath::{Aftermath, Follows, Later, RefundCourse};
use crate::domain::command::{Action, AuthorizationResponse as Response};
use crate::domain::decline::DeclineReason;
use crate::domain::dispute::DisputeReason;
use crate::domain::event::{CancelReason, TechnicalError};
use crate::domain::ids::{ChargeId, RefundId};
use crate::domain::instrument::Presented;
use crate::domain::payment::HISTORY_MAX;
use crate::domain::room::kept;
use crate::domain::submission::CaptureMethod;

#[derive(Debug, Clone, Copy)]
enum Step {
    Act(Action),
    Answer(Response),
    Wait,
}

fn outcome() -> impl Strategy<Value = Response> {
    let declined = Response::Declined(DeclineReason::LostCard);
    let broken = Response::TechnicalFailure(TechnicalError::Timeout);
    let pending = Response::Pending { settles_after_ms: 10 };
    let later = prop::sample::select(vec![
        Later::Money(Follows::Dispute(DisputeReason::Fraudulent)),
        Later::Money(Follows::Inquiry(DisputeReason::General)),
        Later::Money(Follows::FraudWarning),
        Later::Money(Follows::Failure(DisputeReason::InsufficientFunds)),
        Later::Refund(RefundCourse::Arrives),
        Later::Refund(RefundCourse::Fails),
        Later::Refund(RefundCourse::ComesBack),
    ]);
    let then = (later, 0_u64..20).prop_map(|(later, after_ms)| Aftermath { later, after_ms });
    prop_oneof![
        2 => Just(Response::Approved),
        2 => then.prop_map(Response::ApprovedThen),
        2 => Just(declined),
        4 => Just(broken),
        1 => Just(Response::ActionRequired),
        1 => Just(pending),
    ]
}

fn step(cancels: bool) -> impl Strategy<Value = Step> {
    let refund = any::<[u8; 16]>().prop_map(|id| Action::Refund {
        refund: RefundId::from_bytes(id),
        amount_minor: Some(1),
        detail: None,
    });
    let action = prop_oneof![
        4 => refund,
        4 => Just(Action::Confirm { instrument: Some(card()), presented: Presented::default(), charge: ChargeId::from_bytes([8; 16]) }),
        3 => Just(Action::Capture { amount_minor: None }),
        3 => Just(Action::Replay),
        2 => any::<bool>().prop_map(|passed| Action::CompleteAction { passed }),
        u32::from(cancels) => Just(Action::Cancel { reason: CancelReason::Abandoned }),
    ];
    prop_oneof![4 => action.prop_map(Step::Act), 4 => outcome().prop_map(Step::Answer), 2 => Just(Step::Wait)]
}

fn run(life: &mut Life, step: Step) {
    match step {
        Step::Act(action) => {
            let _ = life.act(action);
        }
        Step::Answer(outcome) => {
            life.answer(outcome);
        }
        Step::Wait => {
            // Otherwise the authorization would lapse in every case after a few steps.
            if life.payment.due_at() != life.payment.capture_deadline() {
                life.wait();
            }
        }
    }
}

/// Fails everything that is open until it is parked, then ends the payment.
fn finish(life: &mut Life) {
    while life.answer(Response::TechnicalFailure(TechnicalError::Malformed))
        || life.payment.operations().any(|operation| operation.due_at().is_some())
    {
        if life.payment.queued_work().next().is_none() {
            life.wait();
        }
        assert!(life.payment.history().len() <= HISTORY_MAX);
    }
    if life.act(Action::Cancel { reason: CancelReason::Abandoned }).is_ok() {
        while life.answer(Response::TechnicalFailure(TechnicalError::Malformed)) {
            life.wait();
        }
    }
}

/// Each case is long: a few by default, as many as are asked for otherwise.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(48)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn no_sequence_outgrows_the_bound(
        manual: bool,
        steps in prop::collection::vec(step(false), 500..1_500),
    ) {
        let capture = if manual { CaptureMethod::Manual } else { CaptureMethod::Automatic };
        let mut life = Life::charge(capture);
        for step in steps {
            run(&mut life, step);
            let room = kept(&life.payment, life.policy.retry_delays_ms.len());
            prop_assert!(life.payment.history().len() + room <= HISTORY_MAX);
        }
        finish(&mut life);
        prop_assert!(life.payment.history().len() <= HISTORY_MAX);
    }

    #[test]
    fn answers_and_timers_need_no_more_room_than_was_reserved(
        manual: bool,
        steps in prop::collection::vec(step(true), 1..60),
    ) {
        let capture = if manual { CaptureMethod::Manual } else { CaptureMethod::Automatic };
        let mut life = Life::charge(capture);
        let retries = life.policy.retry_delays_ms.len();
        let need = |life: &Life| life.payment.history().len() + kept(&life.payment, retries);
        for step in steps {
            let before = need(&life);
            run(&mut life, step);
            if !matches!(step, Step::Act(_)) {
                prop_assert!(need(&life) <= before, "{step:?} after {:?}", life.payment.history());
            }
        }
    }
}

#[test]
fn many_pending_refunds_leave_room_to_finish_them_all() {
    let mut life = Life::charge(CaptureMethod::Automatic);
    life.answer(Response::Approved);
    let mut admitted = 0_u16;
    let refused = loop {
        let mut id = [0; 16];
        id[..2].copy_from_slice(&admitted.to_be_bytes());
        let refund = RefundId::from_bytes(id);
        match life.act(Action::Refund { refund, amount_minor: Some(1), detail: None }) {
            Ok(()) => admitted += 1,
            Err(refused) => break refused,
        }
    };
    assert_eq!(refused.code, "history_full");
    assert!(refused.message.contains("under way"), "{}", refused.message);
    assert!(admitted > 40, "{admitted}");
    // Every refund fails, is parked, is replayed and fails again.
    for _ in 0..2 {
        finish(&mut life);
        while life.act(Action::Replay).is_ok() {}
    }
    finish(&mut life);
    assert!(life.payment.history().len() <= HISTORY_MAX, "{}", life.payment.history().len());
}

#[test]
fn a_payment_with_a_full_history_can_still_be_canceled() {
    let mut life = Life::charge(CaptureMethod::Manual);
    life.answer(Response::Approved);
    while life.act(Action::Capture { amount_minor: None }).is_ok() {
        life.answer(Response::Declined(DeclineReason::LostCard));
    }
    life.act(Action::Cancel { reason: CancelReason::Abandoned }).expect("room was kept");
    life.answer(Response::Approved);
    assert!(life.payment.state().status.is_at_rest() && life.payment.state().canceled.is_some());
}

/// What was accepted outside has one event left, a refund two: it may still come back.
#[test]
fn what_is_pending_after_its_last_retry_needs_only_its_end() {
    let mut life = Life::charge(CaptureMethod::Automatic);
    let retries = life.policy.retry_delays_ms.len();
    for _ in 0..retries {
        life.answer(Response::TechnicalFailure(TechnicalError::Timeout));
        life.wait();
    }
    let before = life.payment.history().len() + kept(&life.payment, retries);
    life.answer(Response::Pending { settles_after_ms: 10 });
    assert!(life.payment.history().len() + kept(&life.payment, retries) <= before);
}
