//! Credits: fees, repayments and settlement of money that reaches a wallet.

use proptest::prelude::*;

use super::life::{AMOUNT_MINOR, Life};
use crate::domain::account::{AccountTerms, FeePlan};
use crate::domain::bank_account::BankAccount;
use crate::domain::command::AuthorizationResponse as Response;
use crate::domain::decline::DeclineReason;
use crate::domain::event::Event;
use crate::domain::ids::AccountId;
use crate::domain::ledger::{Holdings, LedgerAccount, effects};
use crate::domain::submission::{CaptureMethod, Kind};

const PAYEE: AccountId = AccountId::from_bytes([9; 16]);

fn fee(basis_points: u16, fixed_minor: i64) -> FeePlan {
    FeePlan { basis_points, fixed_minor }
}

#[test]
fn fees_are_rounded_to_the_nearest_and_never_more_than_the_charge() {
    for (plan, gross, wanted) in [
        (fee(0, 0), 1_000, 0),
        (fee(290, 30), 1_000, 59),
        (fee(290, 30), 1_250, 66),
        (fee(1, 0), 4_999, 0),
        (fee(1, 0), 5_000, 1),
        (fee(0, 30), 20, 20),
        (fee(10_000, 30), 500, 500),
        (fee(10_000, FeePlan::FIXED_MINOR_MAX), i64::MAX, i64::MAX),
    ] {
        assert_eq!(plan.fee_minor(gross), wanted, "{plan:?} of {gross}");
    }
}

proptest! {
    /// The fee is kept back, then what is owed is repaid, and the rest stays; nothing is lost on the way.
    #[test]
    fn a_credit_is_split_without_loss(
        kind in prop::sample::select(vec![Kind::Charge, Kind::TopUp, Kind::Transfer { payee: PAYEE }]),
        basis_points in 0..=10_000_u16,
        fixed_minor in 0..2_000_i64,
        owed_minor in prop_oneof![Just(0), 0..3_000_i64],
        payout_delay_days in 0..3_u16,
    ) {
        let mut life = Life::new(kind, CaptureMethod::Automatic, true, true, i64::MAX);
        life.terms = AccountTerms { fee: fee(basis_points, fixed_minor), payout_delay_days, ..AccountTerms::default() };
        life.held = Holdings { owed_minor, ..Holdings::default() };
        let before = life.payment.clone();
        life.answer(Response::Approved);
        let event = life.payment.history().last().expect("an event").event;
        let Event::Succeeded { credit } = event else { panic!("{event:?}") };
        let charged = kind == Kind::Charge;
        let fee_minor = if charged { life.terms.fee.fee_minor(AMOUNT_MINOR) } else { 0 };
        let repaid_minor = owed_minor.min(AMOUNT_MINOR - fee_minor);
        prop_assert_eq!((credit.fee_minor, credit.repaid_minor), (fee_minor, repaid_minor));
        let started = before.at_version(before.version()).expect("a version");
        let moved = effects(&started, &event);
        let payee = life.payment.submission().payee_wallet();
        let wallet = payee.unwrap_or_else(|| life.payment.submission().own_wallet());
        let change = |account| moved.iter().map(|movement| movement.change_of(account)).sum::<i64>();
        prop_assert_eq!(change(LedgerAccount::Wallet(wallet)), AMOUNT_MINOR - fee_minor - repaid_minor);
        prop_assert_eq!(change(LedgerAccount::Receivable(wallet)), repaid_minor);
        prop_assert_eq!(change(LedgerAccount::Fees), fee_minor);
        prop_assert!(moved.iter().all(|movement| movement.amount_minor > 0));
        let kept = AMOUNT_MINOR - fee_minor - repaid_minor;
        let waits = charged && payout_delay_days > 0 && kept > 0;
        prop_assert_eq!(life.payment.state().pending_minor, if waits { kept } else { 0 });
        prop_assert_eq!(life.payment.due_at(), credit.available_at);
        prop_assert_eq!(life.payment.settles_at().is_some(), waits);
    }
}

#[test]
fn returned_money_repays_as_well() {
    let mut life = Life::new(
        Kind::Payout { bank: BankAccount::Valid },
        CaptureMethod::Automatic,
        false,
        true,
        AMOUNT_MINOR,
    );
    life.held = Holdings { owed_minor: 300, ..Holdings::default() };
    life.answer(Response::Declined(DeclineReason::GenericDecline));
    let event = life.payment.history().last().expect("an event").event;
    assert!(matches!(event, Event::Declined { repaid_minor: 300, .. }), "{event:?}");
}

#[test]
fn a_charge_becomes_available_at_the_beginning_of_a_day_and_once() {
    let mut life = Life::charge(CaptureMethod::Manual);
    life.terms.payout_delay_days = 2;
    assert!(life.answer(Response::Approved));
    life.act(crate::domain::command::Action::Capture { amount_minor: Some(400) }).expect("captured");
    assert!(life.answer(Response::Approved));
    let available_at = life.payment.settles_at().expect("it waits");
    assert_eq!(available_at.seconds() % 86_400, 0);
    assert_eq!(life.payment.state().pending_minor, 400);
    assert!(life.wait());
    assert_eq!((life.payment.state().pending_minor, life.payment.settles_at()), (0, None));
    assert_eq!(life.payment.state().available_at, Some(available_at));
    assert!(!life.wait(), "once");
}
