//! Pieces of work: what each arrival is, and what is sent for it.

use crate::domain::currency::Currency;
use crate::domain::ids::{PaymentId, RefundId};

/// One piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Add money to a wallet.
    TopUp,
    /// Charge a card.
    Charge,
    /// Move money between wallets.
    Transfer,
    /// Send money from a wallet to a bank account.
    Payout,
    /// Give a charge back.
    Refund(Charged),
    /// Answer the challenge of a charge for its cardholder. Belongs to the charge, and is counted with it.
    Answer {
        /// The charge.
        payment: PaymentId,
        /// Whether the cardholder passes.
        passed: bool,
    },
}

/// A charge that has succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charged {
    /// Its payment.
    pub payment: PaymentId,
    /// The account it belongs to, as an index.
    pub account: u32,
    /// Its version when it had succeeded.
    pub version: u32,
    /// Its amount, in minor units.
    pub amount_minor: u64,
    /// Its currency.
    pub currency: Currency,
}

impl Work {
    /// The name in reports, which is that of its kind where it makes a payment.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TopUp => "topup",
            Self::Charge => "charge",
            Self::Transfer => "transfer",
            Self::Payout => "payout",
            Self::Refund(_) => "refund",
            Self::Answer { .. } => "challenge",
        }
    }

    /// Whether the server acknowledges it by a payment that it makes.
    #[must_use]
    pub const fn makes_payment(self) -> bool {
        match self {
            Self::TopUp | Self::Charge | Self::Transfer | Self::Payout => true,
            Self::Refund(_) | Self::Answer { .. } => false,
        }
    }

    /// Where its payment is read over HTTP.
    #[must_use]
    pub fn path(self, payment: PaymentId) -> String {
        match self {
            Self::Charge | Self::Refund(_) | Self::Answer { .. } => format!("/v1/payment_intents/{payment}"),
            Self::TopUp => format!("/v1/topups/{}", payment.with_prefix("tu_")),
            Self::Transfer => format!("/v1/transfers/{}", payment.with_prefix("tr_")),
            Self::Payout => format!("/v1/payouts/{}", payment.with_prefix("po_")),
        }
    }
}

/// A piece of work on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// Its index in the plan.
    pub index: u64,
    /// Its intended start, in microseconds since the start of the run.
    pub intended_us: u64,
    /// What it is.
    pub work: Work,
    /// The account it acts for, as an index.
    pub account: u32,
    /// How much, in minor units.
    pub amount_minor: u64,
    /// In which currency.
    pub currency: Currency,
    /// The id that the server gave a refund, if it said so.
    pub refund: Option<RefundId>,
}
