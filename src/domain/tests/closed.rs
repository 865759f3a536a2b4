//! No money of anybody else's reaches an account that is closed, whatever was under way for it.

use super::life::{AMOUNT_MINOR, Life};
use crate::domain::bank_account::BankAccount;
use crate::domain::command::{Action, Outcome};
use crate::domain::decline::DeclineReason;
use crate::domain::event::{CancelReason, TechnicalError};
use crate::domain::ids::AccountId;
use crate::domain::ledger::{LedgerAccount, effects};
use crate::domain::payment::Payment;
use crate::domain::status::Status;
use crate::domain::submission::{CaptureMethod, Kind};
use crate::domain::wallet::WalletId;

const PAYEE: AccountId = AccountId::from_bytes([9; 16]);

/// What the payment has done to this account's wallet so far, in minor units.
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
fn a_transfer_whose_payee_has_gone_comes_back() {
    for settles_after_ms in [None, Some(5)] {
        let mut life = transfer();
        if let Some(settles_after_ms) = settles_after_ms {
            life.answer(Outcome::Pending { settles_after_ms });
        }
        life.closed = Some(PAYEE);
        if !life.answer(Outcome::Approved) {
            assert!(life.wait());
        }
        let state = life.payment.state();
        assert_eq!((state.status, state.decline), (Status::Declined, Some(DeclineReason::AccountClosed)));
        assert_eq!((received(&life, PAYEE), received(&life, life.payment.owner())), (0, 0));
    }
}

#[test]
fn what_would_fill_the_wallet_of_an_account_that_has_gone_is_called_off() {
    for kind in [Kind::Charge, Kind::TopUp] {
        for outcome in
            [Outcome::Approved, Outcome::ActionRequired, Outcome::TechnicalFailure(TechnicalError::Timeout)]
        {
            let mut life = Life::new(kind, CaptureMethod::Automatic, true, true, 0);
            life.closed = Some(life.payment.owner());
            life.answer(outcome);
            // What was approved is given back to the card.
            while life.answer(Outcome::Approved) {}
            let state = life.payment.state();
            assert_eq!((state.status, state.canceled), (Status::Canceled, Some(CancelReason::Abandoned)));
            assert_eq!(received(&life, life.payment.owner()), 0, "{kind:?} {outcome:?}");
        }
        let mut life = Life::new(kind, CaptureMethod::Automatic, true, true, 0);
        life.answer(Outcome::Pending { settles_after_ms: 5 });
        life.closed = Some(life.payment.owner());
        assert!(life.wait());
        assert_eq!(life.payment.state().status, Status::Canceled);
        assert_eq!(received(&life, life.payment.owner()), 0);
    }
}

#[test]
fn a_capture_for_an_account_that_has_gone_releases_what_is_held() {
    let mut life = Life::charge(CaptureMethod::Manual);
    life.answer(Outcome::Approved);
    life.act(Action::Capture { amount_minor: None }).expect("admitted");
    life.closed = Some(life.payment.owner());
    life.answer(Outcome::Approved);
    assert_eq!(life.payment.state().status, Status::Canceled);
    assert_eq!(received(&life, life.payment.owner()), 0);
}

#[test]
fn what_an_account_gave_away_goes_on_when_it_has_gone() {
    let mut life = transfer();
    life.closed = Some(life.payment.owner());
    life.answer(Outcome::Approved);
    assert_eq!(life.payment.state().status, Status::Succeeded);
    assert_eq!(received(&life, PAYEE), AMOUNT_MINOR);
    let payout = Kind::Payout { bank: BankAccount::Valid };
    let mut life = Life::new(payout, CaptureMethod::Automatic, false, true, AMOUNT_MINOR);
    life.closed = Some(life.payment.owner());
    life.answer(Outcome::Approved);
    assert_eq!(life.payment.state().status, Status::Succeeded);
}
