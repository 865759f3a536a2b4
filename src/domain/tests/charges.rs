//! Charges: one for each attempt that asked an issuer for money, with the amounts asked for, held and captured.

use super::life::{AMOUNT_MINOR, Life, card};
use crate::domain::charge::{Charge, ChargeOutcome};
use crate::domain::command::{Action, AuthorizationResponse as Response};
use crate::domain::decline::DeclineReason;
use crate::domain::event::{CancelReason, TechnicalError};
use crate::domain::ids::ChargeId;
use crate::domain::instrument::Presented;
use crate::domain::status::Status;
use crate::domain::submission::CaptureMethod;

const LOST: Response = Response::Declined(DeclineReason::LostCard);
const SECOND: ChargeId = ChargeId::from_bytes([2; 16]);

fn confirm(charge: ChargeId) -> Action {
    Action::Confirm { instrument: Some(card()), presented: Presented::default(), charge }
}

fn outcomes(life: &Life) -> Vec<(ChargeId, ChargeOutcome)> {
    life.payment.charges().map(|charge| (charge.id, charge.outcome)).collect()
}

fn first(life: &Life) -> ChargeId {
    ChargeId::of_payment(life.payment.id())
}

#[test]
fn a_second_attempt_is_a_second_charge() {
    let mut life = Life::charge(CaptureMethod::Automatic);
    assert!(outcomes(&life).is_empty(), "nobody was asked yet");
    life.answer(LOST);
    let declined = (first(&life), ChargeOutcome::Declined(DeclineReason::LostCard));
    assert_eq!(outcomes(&life), [declined]);
    life.act(confirm(SECOND)).expect("admitted");
    assert_eq!(outcomes(&life), [declined], "the second is not one yet");
    assert_eq!(life.payment.charge_of_last_attempt(), None);
    life.answer(Response::Approved);
    assert_eq!(outcomes(&life), [declined, (SECOND, ChargeOutcome::Taken)]);
    assert_eq!(life.payment.charge_taken().map(|charge| charge.captured_minor), Some(AMOUNT_MINOR));
    let methods: Vec<_> = life.payment.charges().map(|charge| charge.instrument.method()).collect();
    assert_eq!(methods, [None, Some(SECOND.method())], "another card is another payment method");
}

#[test]
fn a_technical_retry_keeps_its_charge() {
    let mut life = Life::charge(CaptureMethod::Automatic);
    life.answer(Response::TechnicalFailure(TechnicalError::Timeout));
    assert_eq!(outcomes(&life), [(first(&life), ChargeOutcome::Open)]);
    life.wait();
    life.park();
    assert_eq!(outcomes(&life), [(first(&life), ChargeOutcome::TechnicalFailure(TechnicalError::Timeout))]);
    life.act(Action::Replay).expect("admitted");
    assert_eq!(outcomes(&life), [(first(&life), ChargeOutcome::Open)]);
    life.answer(Response::Approved);
    assert_eq!(outcomes(&life), [(first(&life), ChargeOutcome::Taken)]);
}

#[test]
fn a_challenge_leaves_a_charge_only_once_it_is_completed() {
    for (passed, count) in [(None, 0), (Some(false), 0), (Some(true), 1)] {
        let mut life = Life::charge(CaptureMethod::Automatic);
        life.answer(Response::ActionRequired);
        match passed {
            Some(passed) => life.act(Action::CompleteAction { passed }).expect("admitted"),
            None => life.act(Action::Cancel { reason: CancelReason::Abandoned }).expect("admitted"),
        }
        life.answer(Response::Approved);
        let charges: Vec<&Charge> = life.payment.charges().collect();
        assert_eq!(charges.len(), count, "{passed:?}");
        assert!(charges.iter().all(|charge| charge.authenticated && charge.id == first(&life)));
    }
}

#[test]
fn what_is_held_is_captured_in_part_or_released() {
    let mut life = Life::charge(CaptureMethod::Manual);
    life.answer(Response::Approved);
    assert_eq!(life.payment.state().authorized_minor, AMOUNT_MINOR);
    assert_eq!(outcomes(&life), [(first(&life), ChargeOutcome::Held)]);
    let mut released = life.clone();
    life.act(Action::Capture { amount_minor: Some(400) }).expect("admitted");
    life.answer(Response::Approved);
    let taken = life.payment.charge_taken().expect("taken");
    assert_eq!((taken.amount_minor, taken.captured_minor), (AMOUNT_MINOR, 400));
    released.act(Action::Cancel { reason: CancelReason::Duplicate }).expect("admitted");
    released.answer(Response::Approved);
    assert_eq!(released.payment.state().status, Status::Canceled);
    assert_eq!(outcomes(&released), [(first(&released), ChargeOutcome::Released)]);
}
