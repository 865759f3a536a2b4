//! Features of a card in the dialect's words: its network, its funding, its issuer's checks, its risk.

use serde::{Deserialize, Serialize};

/// A card network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Brand {
    /// Visa.
    #[serde(rename = "v")]
    Visa,
    /// Mastercard.
    #[serde(rename = "m")]
    Mastercard,
    /// American Express.
    #[serde(rename = "a")]
    Amex,
    /// Discover.
    #[serde(rename = "d")]
    Discover,
    /// JCB.
    #[serde(rename = "j")]
    Jcb,
    /// Diners Club.
    #[serde(rename = "i")]
    Diners,
    /// China UnionPay.
    #[serde(rename = "u")]
    UnionPay,
    /// Carnet, for which the dialect has no name.
    #[serde(rename = "c")]
    Carnet,
}

impl Brand {
    /// Every network.
    pub const ALL: [Self; 8] = [
        Self::Visa,
        Self::Mastercard,
        Self::Amex,
        Self::Discover,
        Self::Jcb,
        Self::Diners,
        Self::UnionPay,
        Self::Carnet,
    ];

    /// The dialect's name of the network.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Visa => "visa",
            Self::Mastercard => "mastercard",
            Self::Amex => "amex",
            Self::Discover => "discover",
            Self::Jcb => "jcb",
            Self::Diners => "diners",
            Self::UnionPay => "unionpay",
            Self::Carnet => "unknown",
        }
    }

    /// The dialect's name of the network for display, which differs for some.
    #[must_use]
    pub const fn displayed(self) -> &'static str {
        match self {
            Self::Amex => "american_express",
            Self::Diners => "diners_club",
            Self::UnionPay => "union_pay",
            Self::Carnet => "other",
            Self::Visa | Self::Mastercard | Self::Discover | Self::Jcb => self.as_str(),
        }
    }

    /// The name as people write it.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Visa => "Visa",
            Self::Mastercard => "Mastercard",
            Self::Amex => "Amex",
            Self::Discover => "Discover",
            Self::Jcb => "JCB",
            Self::Diners => "Diners Club",
            Self::UnionPay => "UnionPay",
            Self::Carnet => "Carnet",
        }
    }
}

/// The funding of a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Funding {
    /// Paid back later.
    #[serde(rename = "c")]
    Credit,
    /// Taken from an account at once.
    #[serde(rename = "d")]
    Debit,
    /// Loaded in advance.
    #[serde(rename = "p")]
    Prepaid,
}

impl Funding {
    /// The dialect's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Credit => "credit",
            Self::Debit => "debit",
            Self::Prepaid => "prepaid",
        }
    }
}

/// An issuer's verdict on a detail it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Check {
    /// The detail is right.
    Pass,
    /// The detail is wrong.
    Fail,
    /// The issuer does not check it.
    Unavailable,
}

impl Check {
    /// The dialect's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Unavailable => "unavailable",
        }
    }
}

/// An issuer's verdict on each detail, were it sent with a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checks {
    /// The security code.
    pub cvc: Check,
    /// The first line of the address.
    pub line1: Check,
    /// The postal code.
    pub postal: Check,
}

impl Checks {
    /// Everything is right.
    pub const PASS: Self = Self { cvc: Check::Pass, line1: Check::Pass, postal: Check::Pass };
}

/// An issuer's verdicts on the details sent with a card; `None` for what was not sent. Stored in one byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(from = "u8", into = "u8")]
pub struct CheckResults {
    /// The security code.
    pub cvc: Option<Check>,
    /// The first line of the address.
    pub line1: Option<Check>,
    /// The postal code.
    pub postal: Option<Check>,
}

impl From<CheckResults> for u8 {
    fn from(results: CheckResults) -> Self {
        let bits = |check: Option<Check>| match check {
            None => 0,
            Some(Check::Pass) => 1,
            Some(Check::Fail) => 2,
            Some(Check::Unavailable) => 3,
        };
        bits(results.cvc) | bits(results.line1) << 2 | bits(results.postal) << 4
    }
}

impl From<u8> for CheckResults {
    fn from(byte: u8) -> Self {
        let check = |bits: u8| match bits & 3 {
            1 => Some(Check::Pass),
            2 => Some(Check::Fail),
            3 => Some(Check::Unavailable),
            _ => None,
        };
        Self { cvc: check(byte), line1: check(byte >> 2), postal: check(byte >> 4) }
    }
}

/// The risk of a charge, assessed before the issuer is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Risk {
    /// Like most charges.
    Normal,
    /// Worth a review; charged all the same.
    Elevated,
    /// Most likely fraud; blocked.
    Highest,
}

impl Risk {
    /// The dialect's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Elevated => "elevated",
            Self::Highest => "highest",
        }
    }

    /// A score from 0 to 99 within the dialect's bounds of the level (elevated from 65, highest from 75).
    #[must_use]
    pub const fn score(self) -> u8 {
        match self {
            Self::Normal => 20,
            Self::Elevated => 70,
            Self::Highest => 90,
        }
    }
}
