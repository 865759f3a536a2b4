//! The double-entry ledger: accounts, movements, and the effects of each event.
//!
//! One movement per row, `(debit, credit, amount)`, so the books balance by construction. Wallets are what Paystorm owes
//! their users, so a credit raises a wallet and a debit lowers it. The effects of an event are a pure function of the event
//! and the payment before it; the auditor recomputes the ledger from the histories with the same function.

use std::fmt;

use arrayvec::ArrayVec;

use super::credit::Credit;
use super::currency::Currency;
use super::dispute::{DisputeOutcome, DisputeStage};
use super::event::Event;
use super::payment::{Payment, RefundStatus};
use super::submission::Kind;
use super::wallet::{LedgerKey, WalletId, joined};

/// An account of the ledger. Only wallets and receivables have a stored balance: two columns of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LedgerAccount {
    /// A user's money.
    Wallet(WalletId),
    /// What a user owes after a dispute or late failure that the wallet could not cover.
    Receivable(WalletId),
    /// Money that has left a wallet and not yet arrived.
    InTransit,
    /// The card acquirers.
    Acquirer,
    /// The banks that payouts go to.
    Bank,
    /// Fees earned.
    Fees,
}

impl LedgerAccount {
    /// The store's key: 19 bytes for a wallet, 20 for a receivable, a readable word for the others.
    #[must_use]
    pub fn to_key(self) -> LedgerKey {
        match self {
            Self::Wallet(wallet) => wallet.to_key(),
            Self::Receivable(wallet) => joined([b"r", wallet.to_key().as_slice()]),
            Self::InTransit => joined([b"in_transit"]),
            Self::Acquirer => joined([b"acquirer"]),
            Self::Bank => joined([b"bank"]),
            Self::Fees => joined([b"fees"]),
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
    /// In minor units; always positive.
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

/// A wallet's balance, and what its owner owes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Holdings {
    /// The balance, in minor units; never negative.
    pub balance_minor: i64,
    /// What a dispute or late failure could not take, in minor units; repaid first from any credit.
    pub owed_minor: i64,
    /// The part of the balance that has not settled yet, in minor units.
    pub pending_minor: i64,
}

impl Holdings {
    /// What can be paid out, in minor units. Negative where a refund took more than has settled.
    #[must_use]
    pub const fn available_minor(&self) -> i64 {
        self.balance_minor.saturating_sub(self.pending_minor)
    }

    /// The balance less what is owed; negative where the owner owes more than the balance.
    #[must_use]
    pub const fn net_minor(&self) -> i64 {
        self.balance_minor.saturating_sub(self.owed_minor)
    }

    /// After a change of this wallet's account or of its owner's debt; `None` on overflow.
    #[must_use]
    pub fn moved(self, account: LedgerAccount, change_minor: i64) -> Option<Self> {
        match account {
            LedgerAccount::Wallet(_) => {
                Some(Self { balance_minor: self.balance_minor.checked_add(change_minor)?, ..self })
            }
            // What a user owes is an asset: a credit lowers it.
            LedgerAccount::Receivable(_) => {
                Some(Self { owed_minor: self.owed_minor.checked_sub(change_minor)?, ..self })
            }
            LedgerAccount::InTransit
            | LedgerAccount::Acquirer
            | LedgerAccount::Bank
            | LedgerAccount::Fees => Some(self),
        }
    }
}

/// The most movements that one event causes: a credit to the wallet, what is repaid, and the fee; or a dispute's amount and fee, one of
/// them divided between the wallet and its owner's debt.
pub const EFFECTS_MAX: usize = 3;

/// The movements that one event causes, in order.
pub type Effects = ArrayVec<Movement, EFFECTS_MAX>;

/// The wallet that `event` brings money to, and the gross amount. `payment` is as it is *before* the event.
#[must_use]
pub fn credited(payment: &Payment, event: &Event) -> Option<(WalletId, i64)> {
    let submission = payment.submission();
    let (own, whole) = (submission.own_wallet(), submission.amount.amount_minor);
    match event {
        Event::Succeeded { .. } => match submission.kind {
            Kind::Charge | Kind::TopUp => Some((own, whole)),
            Kind::Transfer { payee } => Some((WalletId { owner: payee, ..own }, whole)),
            Kind::Payout { .. } => None,
        },
        Event::Captured { amount_minor, .. } => Some((own, *amount_minor)),
        Event::Declined { .. } | Event::Failed { .. } | Event::Canceled { .. } => {
            payment.state().reserved.then_some((own, whole))
        }
        Event::RefundFailed { refund, .. } => {
            payment.refund(*refund).map(|refund| (own, refund.amount_minor))
        }
        Event::DisputeClosed { dispute, outcome: DisputeOutcome::Won, .. } => {
            payment.dispute(*dispute).filter(|dispute| dispute.holds_money()).map(|it| (own, it.amount_minor))
        }
        Event::DisputeClosed { outcome: DisputeOutcome::Lost | DisputeOutcome::InquiryClosed, .. }
        | Event::RefundPending { .. }
        | Event::Foreseen { .. }
        | Event::DisputeOpened { .. }
        | Event::DisputeNoted { .. }
        | Event::DisputeEscalated { .. }
        | Event::FraudWarned { .. }
        | Event::Created { .. }
        | Event::Replayed { .. }
        | Event::Confirmed { .. }
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
        | Event::Available { .. }
        | Event::RefundQueued { .. }
        | Event::RefundSucceeded { .. }
        | Event::OperationRetryScheduled { .. }
        | Event::OperationRequeued { .. }
        | Event::OperationParked { .. }
        | Event::OperationReplayed { .. }
        | Event::Amended { .. } => None,
    }
}

/// What a dispute takes from the submitter's wallet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// For the issuer, in minor units.
    pub amount_minor: i64,
    /// The fee, in minor units.
    pub fee_minor: i64,
    /// The part of both that the wallet did not hold, in minor units.
    pub owed_minor: i64,
}

impl Taken {
    /// Amount and fee.
    #[must_use]
    pub const fn whole_minor(&self) -> i64 {
        self.amount_minor.saturating_add(self.fee_minor)
    }
}

/// What `event` takes because of a dispute; `None` for inquiries and all other events.
#[must_use]
pub const fn taken(event: &Event) -> Option<Taken> {
    match *event {
        Event::DisputeOpened {
            stage: DisputeStage::Chargeback, amount_minor, fee_minor, owed_minor, ..
        }
        | Event::DisputeEscalated { amount_minor, fee_minor, owed_minor, .. } => {
            Some(Taken { amount_minor, fee_minor, owed_minor })
        }
        _ => None,
    }
}

/// How the money that the event brings was split.
fn split(event: &Event) -> Credit {
    match *event {
        Event::Succeeded { credit } | Event::Captured { credit, .. } => credit,
        Event::Declined { repaid_minor, .. }
        | Event::Failed { repaid_minor, .. }
        | Event::Canceled { repaid_minor, .. }
        | Event::RefundFailed { repaid_minor, .. }
        | Event::DisputeClosed { repaid_minor, .. } => Credit { repaid_minor, ..Credit::default() },
        _ => Credit::default(),
    }
}

/// The movements that `event` causes on the payment as it is *before* the event.
#[must_use]
pub fn effects(payment: &Payment, event: &Event) -> Effects {
    let submission = payment.submission();
    let currency = submission.amount.currency;
    let own = LedgerAccount::Wallet(submission.own_wallet());
    let whole = submission.amount.amount_minor;
    let mut effects = Effects::new();
    let mut movement = |debit, credit, amount_minor: i64| {
        if amount_minor != 0 && !effects.is_full() {
            effects.push(Movement { debit, credit, amount_minor, currency });
        }
    };
    if let Some((wallet, gross_minor)) = credited(payment, event) {
        let (from, into, taken) = (source(payment, event), LedgerAccount::Wallet(wallet), split(event));
        movement(from, into, gross_minor.saturating_sub(taken.repaid_minor));
        movement(from, LedgerAccount::Receivable(wallet), taken.repaid_minor);
        movement(into, LedgerAccount::Fees, taken.fee_minor);
        return effects;
    }
    if let Some(taken) = taken(event) {
        // The issuer is served first: only what is left of the wallet pays the fee.
        let debt = LedgerAccount::Receivable(submission.own_wallet());
        let held_minor = taken.whole_minor().saturating_sub(taken.owed_minor);
        let amount_held_minor = held_minor.min(taken.amount_minor);
        let fee_held_minor = held_minor.saturating_sub(amount_held_minor);
        movement(own, LedgerAccount::Acquirer, amount_held_minor);
        movement(debt, LedgerAccount::Acquirer, taken.amount_minor.saturating_sub(amount_held_minor));
        movement(own, LedgerAccount::Fees, fee_held_minor);
        movement(debt, LedgerAccount::Fees, taken.fee_minor.saturating_sub(fee_held_minor));
        return effects;
    }
    match event {
        Event::Created { reserved: true, .. } | Event::Replayed { reserved: true } => {
            movement(own, LedgerAccount::InTransit, whole);
        }
        // Only a payout: all other kinds bring their money to a wallet.
        Event::Succeeded { .. } => movement(LedgerAccount::InTransit, LedgerAccount::Bank, whole),
        Event::RefundQueued { amount_minor, .. } => movement(own, LedgerAccount::InTransit, *amount_minor),
        Event::RefundSucceeded { refund, .. } => {
            let amount_minor = payment.refund(*refund).map_or(0, |refund| refund.amount_minor);
            movement(LedgerAccount::InTransit, LedgerAccount::Acquirer, amount_minor);
        }
        _ => {}
    }
    effects
}

/// Where money that reaches a wallet comes from: card payments from the acquirer, anything else from transit.
fn source(payment: &Payment, event: &Event) -> LedgerAccount {
    let paid_by_card = matches!(payment.submission().kind, Kind::Charge | Kind::TopUp);
    match event {
        Event::Captured { .. } | Event::DisputeClosed { .. } => LedgerAccount::Acquirer,
        // What had reached the card comes back from there.
        Event::RefundFailed { refund, .. }
            if payment.refund(*refund).is_some_and(|it| it.status == RefundStatus::Succeeded) =>
        {
            LedgerAccount::Acquirer
        }
        Event::Succeeded { .. } if paid_by_card => LedgerAccount::Acquirer,
        _ => LedgerAccount::InTransit,
    }
}

/// By how much `event` changes the unsettled part of the submitter's wallet.
#[must_use]
pub fn pending_change(payment: &Payment, event: &Event) -> i64 {
    match event {
        Event::Available {} => payment.state().pending_minor.saturating_neg(),
        _ => credited(payment, event).map_or(0, |(_, gross_minor)| {
            let split = split(event);
            split.available_at.map_or(0, |_| split.kept_minor(gross_minor))
        }),
    }
}
