//! Instruments: what an attempt takes the money from or sends it to, as it was at that moment. An attempt keeps its own
//! copy, whatever later happens to the payment method it came from.

use serde::{Deserialize, Serialize};

use super::bank_account::BankAccount;
use super::card::Card;
use super::ids::MethodId;

/// What came with a card when it was presented, beside its number and security code. Stored only if not empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Presented {
    flags: u8,
    /// Names the stored row that belongs to this attempt, such as billing details and the return URL; zero if there is none.
    pub detail: u64,
    /// Its payment method; `None` for the one that came with the payment itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<MethodId>,
}

impl Presented {
    /// A postal code.
    pub const POSTAL: Self = Self::flag(1);
    /// The first line of an address.
    pub const LINE1: Self = Self::flag(2);
    /// The cardholder is not there (`off_session`).
    pub const OFF_SESSION: Self = Self::flag(4);
    /// The charge must fail where the cardholder would have to be challenged (`error_on_requires_action`).
    pub const NO_ACTION: Self = Self::flag(8);
    /// The merchant requests 3-D Secure where the card does not require it.
    pub const REQUEST_3DS: Self = Self::flag(16);

    const fn flag(flags: u8) -> Self {
        Self { flags, detail: 0, method: None }
    }

    /// Whether nothing came.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.flags == 0 && self.detail == 0 && self.method.is_none()
    }

    /// Whether all flags of `other` are set.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.flags & other.flags == other.flags
    }

    /// This with the flags of `other` added.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self { flags: self.flags | other.flags, ..self }
    }

    /// This with the name of its detail.
    #[must_use]
    pub const fn naming(self, detail: u64) -> Self {
        Self { detail, ..self }
    }

    /// This as the payment method with this id.
    #[must_use]
    pub const fn with_method(self, method: MethodId) -> Self {
        Self { method: Some(method), ..self }
    }

    /// `other` if `came`, else nothing.
    #[must_use]
    pub const fn when(came: bool, other: Self) -> Self {
        if came { other } else { Self::flag(0) }
    }

    /// Flags and detail in the form that goes into a request's hash.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 9] {
        let mut bytes = [self.flags; 9];
        for (slot, byte) in bytes.iter_mut().skip(1).zip(self.detail.to_be_bytes()) {
            *slot = byte;
        }
        bytes
    }
}

/// A card as it was presented for an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PresentedCard {
    /// The card itself.
    pub card: Card,
    /// What came with it.
    #[serde(default, skip_serializing_if = "Presented::is_empty")]
    pub presented: Presented,
}

impl PresentedCard {
    /// The card as presented for another attempt. An address that came with it before still counts; whether its holder is
    /// present is stated again.
    #[must_use]
    pub fn presented_again(self, presented: Presented) -> Self {
        let detail = if presented.detail == 0 { self.presented.detail } else { presented.detail };
        let method = presented.method.or(self.presented.method);
        let (postal, line1) = (presented.has(Presented::POSTAL), presented.has(Presented::LINE1));
        Self {
            card: self.card.with_address(postal, line1),
            presented: Presented { detail, method, ..presented },
        }
    }
}

impl From<Card> for PresentedCard {
    fn from(card: Card) -> Self {
        Self { card, presented: Presented::default() }
    }
}

/// What an attempt takes the money from or sends it to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Instrument {
    /// A card, with what came with it.
    #[serde(rename = "c")]
    Card(PresentedCard),
    /// A bank account that receives a payout.
    #[serde(rename = "b")]
    Bank(BankAccount),
    /// The submitter's wallet, for transfers.
    #[serde(rename = "w")]
    Wallet,
}

impl Instrument {
    /// The card as it was presented, if it is one.
    #[must_use]
    pub const fn presented_card(&self) -> Option<&PresentedCard> {
        match self {
            Self::Card(presented) => Some(presented),
            Self::Bank(_) | Self::Wallet => None,
        }
    }

    /// The card, if it is one.
    #[must_use]
    pub fn card(&self) -> Option<&Card> {
        self.presented_card().map(|presented| &presented.card)
    }

    /// Its payment method; `None` for the one that came with the payment itself.
    #[must_use]
    pub fn method(&self) -> Option<MethodId> {
        self.presented_card().and_then(|card| card.presented.method)
    }

    /// Names the row stored beside the attempt; `None` if there is none.
    #[must_use]
    pub fn detail(&self) -> Option<u64> {
        self.presented_card().map(|card| card.presented.detail).filter(|detail| *detail != 0)
    }

    /// As presented for another attempt; only cards carry anything.
    #[must_use]
    pub fn presented_again(self, presented: Presented) -> Self {
        match self {
            Self::Card(card) => Self::Card(card.presented_again(presented)),
            Self::Bank(_) | Self::Wallet => self,
        }
    }

    /// As this payment method, unless it is one already. Only cards become payment methods.
    #[must_use]
    pub fn as_method(self, method: MethodId) -> Self {
        match self {
            Self::Card(PresentedCard { card, presented }) => {
                let method = presented.method.unwrap_or(method);
                Self::Card(PresentedCard { card, presented: presented.with_method(method) })
            }
            Self::Bank(_) | Self::Wallet => self,
        }
    }

    /// Its name on pages.
    #[must_use]
    pub fn label(&self) -> String {
        match self {
            Self::Card(presented) => presented.card.label(),
            Self::Bank(bank) => bank.label(),
            Self::Wallet => "Wallet".to_owned(),
        }
    }
}

impl From<Card> for Instrument {
    fn from(card: Card) -> Self {
        Self::Card(card.into())
    }
}
