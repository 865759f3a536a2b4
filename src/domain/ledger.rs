//! The double-entry ledger: accounts, movements and the effect each event has.
//!
//! One movement per row, `(debit, credit, amount)`, so the books balance by construction. Wallets are what Paystorm owes
//! their users, so a credit raises a wallet and a debit lowers it. The effect of an event is a pure function of the
//! payment before it and the event itself: the auditor recomputes the ledger from the histories with the same function.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::currency::Currency;
use super::event::Event;
use super::ids::AccountId;
use super::payment::Payment;
use super::submission::Kind;

/// A user's wallet in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WalletId {
    /// Whose it is.
    pub owner: AccountId,
    /// What it holds.
    pub currency: Currency,
}

impl WalletId {
    /// The store's key: 16 bytes of owner, 3 letters of currency. One column, so that an `IN` list stays cheap.
    #[must_use]
    pub fn to_key(self) -> Vec<u8> {
        [self.owner.as_bytes().as_slice(), self.currency.as_bytes().as_slice()].concat()
    }

    /// Reads [`Self::to_key`] back.
    #[must_use]
    pub fn from_key(key: &[u8]) -> Option<Self> {
        let (owner, currency) = key.split_at_checked(16)?;
        let currency = std::str::from_utf8(currency).ok()?.parse().ok()?;
        Some(Self { owner: AccountId::from_slice(owner)?, currency })
    }
}

/// An account of the ledger. Only wallets and receivables have a stored balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LedgerAccount {
    /// A user's money.
    Wallet(WalletId),
    /// What a user owes after a dispute or late failure that the wallet could not cover.
    Receivable(WalletId),
    /// Left a wallet, not yet arrived outside.
    InTransit,
    /// The card acquirers.
    Acquirer,
    /// The banks that payouts go to.
    Bank,
    /// Fees earned.
    Fees,
}

impl LedgerAccount {
    /// The store's key: readable words for the outside, 19 bytes for a wallet, 20 for a receivable.
    #[must_use]
    pub fn to_key(self) -> Vec<u8> {
        match self {
            Self::Wallet(wallet) => wallet.to_key(),
            Self::Receivable(wallet) => [b"r".as_slice(), wallet.to_key().as_slice()].concat(),
            Self::InTransit => b"in_transit".to_vec(),
            Self::Acquirer => b"acquirer".to_vec(),
            Self::Bank => b"bank".to_vec(),
            Self::Fees => b"fees".to_vec(),
        }
    }

    /// Reads [`Self::to_key`] back.
    #[must_use]
    pub fn from_key(key: &[u8]) -> Option<Self> {
        match key {
            b"in_transit" => Some(Self::InTransit),
            b"acquirer" => Some(Self::Acquirer),
            b"bank" => Some(Self::Bank),
            b"fees" => Some(Self::Fees),
            [b'r', rest @ ..] if key.len() == 20 => WalletId::from_key(rest).map(Self::Receivable),
            _ => WalletId::from_key(key).map(Self::Wallet),
        }
    }
}

impl fmt::Display for LedgerAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wallet(wallet) => write!(f, "wallet:{}:{}", wallet.owner, wallet.currency),
            Self::Receivable(wallet) => write!(f, "receivable:{}:{}", wallet.owner, wallet.currency),
            Self::InTransit => f.write_str("in_transit"),
            Self::Acquirer => f.write_str("acquirer"),
            Self::Bank => f.write_str("bank"),
            Self::Fees => f.write_str("fees"),
        }
    }
}

/// One movement of money. Both sides are in `currency`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Movement {
    /// The account debited: a wallet gets poorer.
    pub debit: LedgerAccount,
    /// The account credited: a wallet gets richer.
    pub credit: LedgerAccount,
    /// How much, in minor units; always positive.
    pub amount_minor: i64,
    /// The currency of both sides.
    pub currency: Currency,
}

impl Movement {
    /// By how much this movement changes the balance of `account`.
    #[must_use]
    pub fn change_of(&self, account: LedgerAccount) -> i64 {
        let credit = if self.credit == account { self.amount_minor } else { 0 };
        let debit = if self.debit == account { self.amount_minor } else { 0 };
        credit - debit
    }
}

/// The movement that `event` causes on the payment as it is *before* the event; at most one.
#[must_use]
pub fn effect(payment: &Payment, event: &Event) -> Option<Movement> {
    let submission = payment.submission();
    let currency = submission.amount.currency;
    let wallet = |owner| LedgerAccount::Wallet(WalletId { owner, currency });
    let own = wallet(submission.owner);
    let whole = submission.amount.amount_minor;
    let movement = |debit, credit, amount_minor| Some(Movement { debit, credit, amount_minor, currency });
    let reserve =
        |reserved: bool| if reserved { movement(own, LedgerAccount::InTransit, whole) } else { None };
    let give_back =
        || if payment.state().reserved { movement(LedgerAccount::InTransit, own, whole) } else { None };
    match event {
        Event::Created { reserved, .. } | Event::Replayed { reserved, .. } => reserve(*reserved),
        Event::Succeeded { .. } => match submission.kind {
            Kind::Charge | Kind::TopUp => movement(LedgerAccount::Acquirer, own, whole),
            Kind::Transfer { payee } => movement(LedgerAccount::InTransit, wallet(payee), whole),
            Kind::Payout { .. } => movement(LedgerAccount::InTransit, LedgerAccount::Bank, whole),
        },
        Event::Captured { amount_minor } => movement(LedgerAccount::Acquirer, own, *amount_minor),
        Event::Declined { .. } | Event::Failed { .. } | Event::Canceled { .. } => give_back(),
        Event::RefundQueued { amount_minor, .. } => movement(own, LedgerAccount::InTransit, *amount_minor),
        Event::RefundSucceeded { refund } => payment
            .refund(*refund)
            .and_then(|r| movement(LedgerAccount::InTransit, LedgerAccount::Acquirer, r.amount_minor)),
        Event::RefundFailed { refund, .. } => {
            payment.refund(*refund).and_then(|r| movement(LedgerAccount::InTransit, own, r.amount_minor))
        }
        Event::Confirmed { .. }
        | Event::Started { .. }
        | Event::ActionRequired { .. }
        | Event::ActionCompleted { .. }
        | Event::Authorized { .. }
        | Event::Pending { .. }
        | Event::RetryScheduled { .. }
        | Event::Requeued { .. }
        | Event::CancelRequested { .. }
        | Event::CaptureQueued { .. }
        | Event::CaptureDeclined { .. }
        | Event::VoidQueued { .. }
        | Event::Voided { .. }
        | Event::OperationRetryScheduled { .. }
        | Event::OperationRequeued { .. }
        | Event::OperationParked { .. }
        | Event::OperationReplayed { .. } => None,
    }
}
