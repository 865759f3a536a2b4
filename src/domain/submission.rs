//! What was asked for when a payment was submitted. Immutable from then on.

use serde::{Deserialize, Serialize};

use super::bank_account::BankAccount;
use super::ids::{AccountId, ClockId, CustomerId, PaymentId};
use super::instrument::Instrument;
use super::money::Money;
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
        /// Who receives it.
        payee: AccountId,
    },
    /// *Pay out*: own wallet → a bank account.
    #[serde(rename = "p")]
    Payout {
        /// Where it goes.
        bank: BankAccount,
    },
}

/// What [`Kind::to_code`] says of a transfer.
pub const TRANSFER_CODE: i16 = 3;

impl Kind {
    /// The instrument of a kind that leaves no choice; `None` where the caller brings one.
    #[must_use]
    pub const fn instrument(self) -> Option<Instrument> {
        match self {
            Self::Charge | Self::TopUp => None,
            Self::Transfer { .. } => Some(Instrument::Wallet),
            Self::Payout { bank } => Some(Instrument::Bank(bank)),
        }
    }

    /// The name in queries, documents and live updates.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Charge => "charge",
            Self::TopUp => "topup",
            Self::Transfer { .. } => "transfer",
            Self::Payout { .. } => "payout",
        }
    }

    /// The prefix under which the dialect shows such a payment's id.
    #[must_use]
    pub const fn id_prefix(&self) -> &'static str {
        match self {
            Self::Charge => "pi_",
            Self::TopUp => "tu_",
            Self::Transfer { .. } => "tr_",
            Self::Payout { .. } => "po_",
        }
    }

    /// The number stored in the database. Never renumbered.
    #[must_use]
    pub const fn to_code(&self) -> i16 {
        match self {
            Self::Charge => 1,
            Self::TopUp => 2,
            Self::Transfer { .. } => TRANSFER_CODE,
            Self::Payout { .. } => 4,
        }
    }

    /// Whether the money comes out of the submitter's wallet.
    #[must_use]
    pub const fn takes_from_wallet(&self) -> bool {
        match self {
            Self::Charge | Self::TopUp => false,
            Self::Transfer { .. } | Self::Payout { .. } => true,
        }
    }
}

/// When an authorised amount is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum CaptureMethod {
    /// Together with the authorisation.
    #[serde(rename = "a")]
    Automatic,
    /// By a later capture.
    #[serde(rename = "m")]
    Manual,
}

/// Which of the two work queues an operation travels in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Lane {
    /// Someone waits for it.
    #[serde(rename = "i")]
    Interactive,
    /// A load run or a bulk upload; must not starve the person clicking.
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
    /// Which of the four.
    pub kind: Kind,
    /// How much.
    pub amount: Money,
    /// Automatic or manual capture; charges only.
    pub capture: CaptureMethod,
    /// Which queue its operations use.
    pub lane: Lane,
    /// What seeds the acquirer's draws for it.
    pub draw_key: u64,
    /// Free text.
    pub description: Option<String>,
    /// Free key–value pairs, in the order given.
    pub metadata: Vec<(String, String)>,
    /// The load run it belongs to.
    pub run: Option<String>,
    /// The customer it is taken from.
    #[serde(default)]
    pub customer: Option<CustomerId>,
    /// The clock it goes by: its customer's, else its account's. Set when it is decided. Most go by the wall, and their rows have no
    /// byte for it.
    #[serde(default, skip_serializing_if = "ClockId::is_wall")]
    pub clock: ClockId,
}

impl Submission {
    /// The bytes of what is free text in it, and has no fixed size.
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

    /// About how many bytes it holds in memory.
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
        self.id.with_prefix(self.kind.id_prefix())
    }
}
