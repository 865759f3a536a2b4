//! A closed account receives no one else's money, whatever was under way for it.

use super::life::{AMOUNT_MINOR, Life};
use crate::domain::bank_account::BankAccount;
use crate::domain::command::{Action, AuthorizationResponse as Response};
use crate::domain::decline::DeclineReason;
use crate::domain::event::{CancelReason, TechnicalError};
use crate::domain::ids::AccountId;
use crate::domain::ledger::{LedgerAccount, effects};
use crate::domain::payment::Payment;
use crate::domain::status::Status;
use crate::domain::submission::{CaptureMethod, Kind};
use crate::domain::wallet::WalletId;

const PAYEE: AccountId = AccountId::from_bytes([9; 16]);

/// By how much the payment has changed this account's wallet so far, in minor units.
fn received(life: &Life, owner: AccountId) -> i64 {
    let (history, submission) = (life.payment.history(), life.payment.submission());
    let wallet = LedgerAccount::Wallet(WalletId { owner, currency: submission.amount.currency });
    let (first, rest) = history.split_first().expect("it was created");
    let mut before = Payment::open(std::sync::Arc::clone(submission), *first).expect("opens");
    let change_of = |before: &Payment, event| -> i64 {
        effects(before, event).iter().map(|movement| movement.change_of(wallet)).sum()
    };
    let mut change = change_of(&before, &first.event);
    for recorded in rest {
        change += change_of(&before, &recorded.event);
        before.apply(*recorded).expect("legal");
    }
    change
}

fn transfer() -> Life {
    Life::new(Kind::Transfer { payee: PAYEE }, CaptureMethod::Automatic, false, true, AMOUNT_MINOR)
}

#[test]
fn a_transfer_to_a_closed_account_comes_back() {
    for settles_after_ms in [None, Some(5)] {
        let mut life = transfer();
        if let Some(settles_after_ms) = settles_after_ms {
            life.answer(Response::Pending { settles_after_ms });
        }
        life.closed = Some(PAYEE);
        if !life.answer(Response::Approved) {
            assert!(life.wait());
        }
        let state = life.payment.state();
        assert_eq!((state.status, state.decline), (Status::Declined, Some(DeclineReason::AccountClosed)));
        assert_eq!((received(&life, PAYEE), received(&life, life.payment.owner())), (0, 0));
    }
}

#[test]
fn payments_that_would_fill_the_wallet_of_a_closed_account_are_canceled() {
    for kind in [Kind::Charge, Kind::TopUp] {
        for outcome in [
            Response::Approved,
            Response::ActionRequired,
            Response::TechnicalFailure(TechnicalError::Timeout),
        ] {
            let mut life = Life::new(kind, CaptureMethod::Automatic, true, true, 0);
            life.closed = Some(life.payment.owner());
            life.answer(outcome);
            // An approved amount is released to the card.
            while life.answer(Response::Approved) {}
            let state = life.payment.state();
            assert_eq!((state.status, state.canceled), (Status::Canceled, Some(CancelReason::Abandoned)));
            assert_eq!(received(&life, life.payment.owner()), 0, "{kind:?} {outcome:?}");
        }
        let mut life = Life::new(kind, CaptureMethod::Automatic, true, true, 0);
        life.answer(Response::Pending { settles_after_ms: 5 });
        life.closed = Some(life.payment.owner());
        assert!(life.wait());
        assert_eq!(life.payment.state().status, Status::Canceled);
        assert_eq!(received(&life, life.payment.owner()), 0);
    }
}

#[test]
fn a_capture_for_a_closed_account_releases_what_is_held() {
    let mut life = Life::charge(CaptureMethod::Manual);
    life.answer(Response::Approved);
    life.act(Action::Capture { amount_minor: None }).expect("admitted");
    life.closed = Some(life.payment.owner());
    life.answer(Response::Approved);
    assert_eq!(life.payment.state().status, Status::Canceled);
    assert_eq!(received(&life, life.payment.owner()), 0);
}

#[test]
fn payments_out_of_a_closed_account_go_on() {
    let mut life = transfer();
    life.closed = Some(life.payment.owner());
    life.answer(Response::Approved);
    assert_eq!(life.payment.state().status, Status::Succeeded);
    assert_eq!(received(&life, PAYEE), AMOUNT_MINOR);
    let payout = Kind::Payout { bank: BankAccount::Valid };
    let mut life = Life::new(payout, CaptureMethod::Automatic, false, true, AMOUNT_MINOR);
    life.closed = Some(life.payment.owner());
    life.answer(Response::Approved);
    assert_eq!(life.payment.state().status, Status::Succeeded);
}
