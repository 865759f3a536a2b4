//! Operations on a payment: every kind, every place it can be in and every action, against a table written by hand. What is
//! final stays final.

use super::life::{AMOUNT_MINOR, Life, card};
use crate::domain::bank_account::BankAccount;
use crate::domain::command::{Action, AuthorizationResponse as Response};
use crate::domain::decline::DeclineReason;
use crate::domain::event::{CancelReason, Event};
use crate::domain::ids::{AccountId, ChargeId, RefundId};
use crate::domain::instrument::Presented;
use crate::domain::payment::{FollowUp, OperationKind, Phase, RefundStatus};
use crate::domain::status::Status;
use crate::domain::submission::{CaptureMethod, Kind};
use crate::domain::time::Timestamp;

const CHARGE: Kind = Kind::Charge;
const TOP_UP: Kind = Kind::TopUp;
const PAYOUT: Kind = Kind::Payout { bank: BankAccount::Valid };

fn transfer() -> Kind {
    Kind::Transfer { payee: AccountId::from_bytes([9; 16]) }
}

pub fn kinds() -> [Kind; 4] {
    [CHARGE, TOP_UP, transfer(), PAYOUT]
}

const ACTIONS: [&str; 8] = [
    "confirm",
    "confirm with a card",
    "capture",
    "cancel",
    "refund",
    "pass 3-D Secure",
    "fail 3-D Secure",
    "replay",
];

fn action(name: &str) -> Action {
    match name {
        "confirm" => Action::Confirm {
            instrument: None,
            presented: Presented::default(),
            charge: ChargeId::from_bytes([8; 16]),
        },
        "confirm with a card" => Action::Confirm {
            instrument: Some(card()),
            presented: Presented::default(),
            charge: ChargeId::from_bytes([8; 16]),
        },
        "capture" => Action::Capture { amount_minor: None },
        "cancel" => Action::Cancel { reason: CancelReason::Duplicate },
        "refund" => {
            Action::Refund { refund: RefundId::from_bytes([4; 16]), amount_minor: None, detail: None }
        }
        "pass 3-D Secure" => Action::CompleteAction { passed: true },
        "fail 3-D Secure" => Action::CompleteAction { passed: false },
        "replay" => Action::Replay,
        other => panic!("{other} is no action"),
    }
}

const REASON: DeclineReason = DeclineReason::LostCard;

fn confirmed(kind: Kind) -> Life {
    Life::new(kind, CaptureMethod::Automatic, true, true, i64::MAX)
}

fn answered(kind: Kind, outcome: Response) -> Life {
    let mut life = confirmed(kind);
    life.answer(outcome);
    life
}

fn held() -> Life {
    let mut life = Life::charge(CaptureMethod::Manual);
    life.answer(Response::Approved);
    life
}

fn held_then(action_name: &str) -> Life {
    let mut life = held();
    life.act(action(action_name)).expect("admitted");
    life
}

fn parked(mut life: Life) -> Life {
    life.park();
    life
}

/// Every place a payment of this kind can be in, by name.
pub fn places(kind: Kind) -> Vec<(&'static str, Life)> {
    let mut canceled = confirmed(kind);
    canceled.act(action("cancel")).expect("requested");
    let cancel_requested = canceled.clone();
    canceled.answer(Response::Declined(REASON));
    let mut waiting = confirmed(kind);
    waiting.answer(Response::TechnicalFailure(crate::domain::event::TechnicalError::Timeout));
    let mut places = vec![
        ("queued", confirmed(kind)),
        ("queued, cancel asked for", cancel_requested),
        ("between attempts", waiting),
        ("pending outside", answered(kind, Response::Pending { settles_after_ms: 1_000 })),
        ("succeeded", answered(kind, Response::Approved)),
        ("declined", answered(kind, Response::Declined(REASON))),
        ("failed", parked(confirmed(kind))),
        ("canceled", canceled),
    ];
    if kind.takes_from_wallet() {
        let broke = Life::new(kind, CaptureMethod::Automatic, false, true, 0);
        places.push(("declined by the wallet", broke));
        return places;
    }
    places.push(("3-D Secure asked for", answered(kind, Response::ActionRequired)));
    if kind == CHARGE {
        let charge = |with_card, confirm| Life::new(kind, CaptureMethod::Automatic, with_card, confirm, 0);
        let mut refunded = answered(kind, Response::Approved);
        refunded.act(action("refund")).expect("admitted");
        let refunding = refunded.clone();
        refunded.answer(Response::Approved);
        let mut expired = held();
        expired.now = expired.payment.capture_deadline().expect("held");
        places.extend([
            ("without a card", charge(false, false)),
            ("not confirmed", charge(true, false)),
            ("authorized", held()),
            ("authorized, deadline passed", expired),
            ("capture queued", held_then("capture")),
            ("capture parked", parked(held_then("capture"))),
            ("release queued", held_then("cancel")),
            ("release parked", parked(held_then("cancel"))),
            ("refund queued", refunding.clone()),
            ("refund parked", parked(refunding)),
            ("refunded", refunded),
        ]);
    }
    places
}

/// The actions admitted in a place; everything else is refused.
fn admitted(kind: Kind, place: &str) -> &'static [&'static str] {
    let from_wallet = kind.takes_from_wallet();
    match place {
        "queued" | "queued, cancel asked for" | "between attempts" | "release queued" => match place {
            "release queued" => &[],
            _ => &["cancel"],
        },
        "pending outside" | "canceled" | "declined by the wallet" | "refunded" | "capture queued" => &[],
        "succeeded" if kind == CHARGE => &["refund"],
        "succeeded" => &[],
        // A payout or a transfer that came back is over; after a card another one can be tried.
        "declined" if from_wallet => &[],
        "declined" => &["confirm with a card", "cancel"],
        "failed" => &["cancel", "replay"],
        "3-D Secure asked for" => &["cancel", "pass 3-D Secure", "fail 3-D Secure"],
        "without a card" => &["confirm with a card", "cancel"],
        "not confirmed" => &["confirm", "confirm with a card", "cancel"],
        "authorized" => &["capture", "cancel"],
        "authorized, deadline passed" => &["cancel"],
        "capture parked" | "release parked" => &["cancel", "replay"],
        "refund queued" => &[],
        "refund parked" => &["replay"],
        other => panic!("{other} is not in the table"),
    }
}

#[test]
fn every_kind_in_every_place_admits_what_the_table_says() {
    let mut seen = std::collections::HashSet::new();
    for kind in kinds() {
        for (place, life) in places(kind) {
            seen.insert(life.payment.state().status);
            for name in ACTIONS {
                let decided = life.decide(action(name));
                let wanted = admitted(kind, place).contains(&name);
                assert_eq!(decided.is_ok(), wanted, "{name}, {} {place}: {decided:?}", kind.as_str());
            }
        }
    }
    assert_eq!(seen.len(), Status::ALL.len(), "every status is in the table: {seen:?}");
}

#[test]
fn a_refusal_says_why() {
    let message = |life: &Life, name| life.decide(action(name)).expect_err("refused").message;
    let returned = answered(PAYOUT, Response::Declined(DeclineReason::AccountClosed));
    assert!(
        message(&returned, "cancel").contains("The bank returned it"),
        "{}",
        message(&returned, "cancel")
    );
    let sent = answered(PAYOUT, Response::Pending { settles_after_ms: 1 });
    assert!(message(&sent, "cancel").contains("accepted it already"));
    let arrived = answered(transfer(), Response::Approved);
    assert!(message(&arrived, "cancel").contains("has arrived"), "a transfer cannot be refunded");
    assert!(message(&answered(CHARGE, Response::Approved), "cancel").contains("refunded instead"));
    assert!(message(&parked(confirmed(CHARGE)), "confirm").contains("replay it"));
    assert!(message(&parked(held_then("capture")), "capture").contains("is parked"));
    assert!(message(&held_then("capture"), "cancel").contains("still in progress"));
}

#[test]
fn what_is_parked_blocks_neither_cancel_nor_expiry() {
    for first in ["capture", "cancel"] {
        let parked = parked(held_then(first));
        let mut canceled = parked.clone();
        canceled.act(action("cancel")).expect("admitted");
        let operation = canceled.payment.state().operation.expect("a release");
        assert_eq!(
            (operation.kind, operation.phase),
            (OperationKind::FollowUp(FollowUp::Void), Phase::Queued)
        );
        canceled.answer(Response::Approved);
        assert_eq!(canceled.payment.state().status, Status::Canceled);
        let mut expired = parked.clone();
        let deadline = parked.payment.capture_deadline();
        assert!(deadline.is_some() && parked.payment.due_at() == deadline, "{first}");
        assert!(expired.wait());
        assert_eq!(expired.payment.state().status, Status::Canceled);
        let reason = if first == "cancel" { CancelReason::Duplicate } else { CancelReason::Expired };
        assert_eq!(expired.payment.state().canceled, Some(reason));
        assert_eq!(expired.payment.operations().count(), 0);
    }
}

#[test]
fn a_capture_is_held_against_its_deadline() {
    let mut late = held();
    late.now = late.payment.capture_deadline().expect("held");
    let refused = late.decide(action("capture")).expect_err("before the timer has fired");
    assert_eq!(refused.code, "charge_expired_for_capture");
    let mut in_time = held();
    in_time.now = Timestamp::from_micros(late.now.micros() - 1_000);
    in_time.act(action("capture")).expect("one millisecond before");
    let work = in_time.payment.queued_work().next().expect("queued");
    let mut answered = in_time.clone();
    answered.answer_to(work, Response::Approved);
    assert_eq!(answered.payment.state().status, Status::Succeeded);
    // The same answer a moment later, with and without the timer before it.
    for timer_first in [true, false] {
        let mut life = in_time.clone();
        life.now = late.now;
        if timer_first {
            life.tick();
        }
        life.answer_to(work, Response::Approved);
        assert_eq!(life.payment.state().status, Status::Canceled, "{timer_first}");
        assert_eq!(life.payment.state().canceled, Some(CancelReason::Expired));
        assert_eq!(life.payment.state().received_minor, 0);
    }
}

#[test]
fn a_capture_after_one_that_was_declined_forgets_why() {
    let mut life = held_then("capture");
    life.answer(Response::Declined(REASON));
    assert_eq!(life.payment.state().decline, Some(REASON));
    life.act(action("capture")).expect("the authorization stands");
    life.answer(Response::Approved);
    assert_eq!((life.payment.state().decline, life.payment.state().status), (None, Status::Succeeded));
}

#[test]
fn one_parked_refund_leaves_the_others_alone() {
    let mut life = answered(CHARGE, Response::Approved);
    for n in [5, 6] {
        let (refund, amount_minor) = (RefundId::from_bytes([n; 16]), Some(AMOUNT_MINOR / 4));
        life.act(Action::Refund { refund, amount_minor, detail: None }).expect("admitted");
    }
    let second = life.payment.queued_work().nth(1).expect("queued");
    life.park();
    life.answer_to(second, Response::Approved);
    let statuses: Vec<RefundStatus> =
        life.payment.state().refunds.iter().map(|refund| refund.status).collect();
    assert_eq!(statuses, [RefundStatus::Pending, RefundStatus::Succeeded]);
    assert!(
        life.payment.history().iter().any(|recorded| matches!(recorded.event, Event::OperationParked { .. }))
    );
}
