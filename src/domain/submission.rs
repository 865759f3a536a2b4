//! Submissions: a payment as it was asked for. Immutable.

use serde::{Deserialize, Serialize};

use super::bank_account::BankAccount;
use super::ids::{AccountId, ClockId, CustomerId, PaymentId};
use super::instrument::Instrument;
use super::money::Money;
use super::payment_kind::PaymentKind;
use super::wallet::WalletId;

/// The four kinds of payment. One code path serves them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// *Charge a card*: a customer's card → the merchant's wallet.
    #[serde(rename = "c")]
    Charge,
    /// *Add money*: own card → own wallet.
    #[serde(rename = "t")]
    TopUp,
    /// *Send to a person*: own wallet → another user's wallet.
    #[serde(rename = "x")]
    Transfer {
        /// The receiving account.
        payee: AccountId,
    },
    /// *Pay out*: own wallet → a bank account.
    #[serde(rename = "p")]
    Payout {
        /// The receiving bank account.
        bank: BankAccount,
    },
}

impl Kind {
    /// The instrument that the kind determines; `None` where the caller brings one.
    #[must_use]
    pub const fn instrument(self) -> Option<Instrument> {
        match self {
            Self::Charge | Self::TopUp => None,
            Self::Transfer { .. } => Some(Instrument::Wallet),
            Self::Payout { bank } => Some(Instrument::Bank(bank)),
        }
    }

    /// The kind without its data.
    #[must_use]
    pub const fn payment_kind(self) -> PaymentKind {
        match self {
            Self::Charge => PaymentKind::Charge,
            Self::TopUp => PaymentKind::TopUp,
            Self::Transfer { .. } => PaymentKind::Transfer,
            Self::Payout { .. } => PaymentKind::Payout,
        }
    }

    /// The name in queries, documents and live updates.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.payment_kind().as_str()
    }

    /// Whether the money comes out of the submitter's wallet.
    #[must_use]
    pub const fn takes_from_wallet(self) -> bool {
        self.payment_kind().takes_from_wallet()
    }
}

/// When an authorized amount is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CaptureMethod {
    /// Together with the authorization.
    #[serde(rename = "a")]
    Automatic,
    /// By a later capture.
    #[serde(rename = "m")]
    Manual,
}

/// One of the two work queues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Lane {
    /// For payments that someone waits for.
    #[serde(rename = "i")]
    Interactive,
    /// For load runs and bulk uploads, which must not starve interactive work.
    #[serde(rename = "b")]
    Bulk,
}

/// An immutable submission. Serialised as an array: new fields go to the end and carry `#[serde(default)]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// The payment's id, made at the edge before anything is written.
    pub id: PaymentId,
    /// Who submitted it: merchant of a charge, owner of the wallet otherwise.
    pub owner: AccountId,
    /// One of the four kinds, with its recipient.
    pub kind: Kind,
    /// The amount asked for; amendments may change it.
    pub amount: Money,
    /// Automatic or manual capture; charges only.
    pub capture: CaptureMethod,
    /// The queue that its operations use.
    pub lane: Lane,
    /// Seeds the acquirer's draws for it.
    pub draw_key: u64,
    /// Free text.
    pub description: Option<String>,
    /// Free key–value pairs, in the order given.
    pub metadata: Vec<(String, String)>,
    /// The load run it belongs to; `None` for all other payments.
    pub run: Option<String>,
    /// The customer who pays, where one was named.
    #[serde(default)]
    pub customer: Option<CustomerId>,
    /// The clock it runs on: its customer's, else its account's. Set when it is decided. Most payments run on the wall clock, which
    /// takes no byte in their rows.
    #[serde(default, skip_serializing_if = "ClockId::is_wall")]
    pub clock: ClockId,
}

impl Submission {
    /// Bytes of its free text, which has no fixed size.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        let pair = std::mem::size_of::<(String, String)>();
        let metadata: usize = self.metadata.iter().map(|(key, value)| pair + key.len() + value.len()).sum();
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        metadata + text(&self.description) + text(&self.run)
    }

    /// The submitter's wallet in the payment's currency.
    #[must_use]
    pub const fn own_wallet(&self) -> WalletId {
        WalletId { owner: self.owner, currency: self.amount.currency }
    }

    /// The receiving user's wallet, for a transfer.
    #[must_use]
    pub const fn payee_wallet(&self) -> Option<WalletId> {
        match self.kind {
            Kind::Transfer { payee } => Some(WalletId { owner: payee, currency: self.amount.currency }),
            Kind::Charge | Kind::TopUp | Kind::Payout { .. } => None,
        }
    }

    /// Approximate bytes held in memory.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::capacity);
        let pair = |(key, value): &(String, String)| key.capacity() + value.capacity();
        size_of::<Self>()
            + text(&self.description)
            + text(&self.run)
            + self.metadata.capacity() * size_of::<(String, String)>()
            + self.metadata.iter().map(pair).sum::<usize>()
    }

    /// The id as the dialect shows it for this kind.
    #[must_use]
    pub fn public_id(&self) -> String {
        self.id.with_prefix(self.kind.payment_kind().id_prefix())
    }
}
