//! Cards: the reduction of what a client sends to what may be kept (an entry of the list of test cards, expiry, a keyed
//! fingerprint, and what was sent along), and the words for what a card is.
//!
//! The list itself is [`super::test_cards`]. The security code and the address are looked at once, here and at the edge,
//! and never kept with the card.

use serde::{Deserialize, Serialize};

use super::test_cards::TestCard;

pub use super::card_features::{Brand, Check, Checks, Funding, Risk};

/// What came with a card when it was presented, beside the security code. Stored only where there is something to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Presented {
    flags: u8,
    /// Names what belongs to this attempt and is kept in the store, such as billing details and the address to return to;
    /// zero if there is nothing.
    pub detail: u64,
}

impl Presented {
    /// A postal code.
    pub const POSTAL: Self = Self::flag(1);
    /// The first line of an address.
    pub const LINE1: Self = Self::flag(2);
    /// The cardholder is not there (`off_session`).
    pub const OFF_SESSION: Self = Self::flag(4);
    /// The charge is to fail where the cardholder would have to be asked (`error_on_requires_action`).
    pub const NO_ACTION: Self = Self::flag(8);
    /// The merchant requests 3-D Secure where the card leaves it open.
    pub const REQUEST_3DS: Self = Self::flag(16);

    const fn flag(flags: u8) -> Self {
        Self { flags, detail: 0 }
    }

    /// Whether nothing came.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.flags == 0 && self.detail == 0
    }

    /// Whether all that `other` flags came.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.flags & other.flags == other.flags
    }

    /// This and what `other` flags.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self { flags: self.flags | other.flags, ..self }
    }

    /// This, with the name of its detail.
    #[must_use]
    pub const fn naming(self, detail: u64) -> Self {
        Self { detail, ..self }
    }

    /// `other` if it came.
    #[must_use]
    pub const fn when(came: bool, other: Self) -> Self {
        if came { other } else { Self::flag(0) }
    }

    /// The form over which a request's hash is taken.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 9] {
        let mut bytes = [self.flags; 9];
        for (slot, byte) in bytes.iter_mut().skip(1).zip(self.detail.to_be_bytes()) {
            *slot = byte;
        }
        bytes
    }
}

/// A card as it may be kept: enough to recognise it, not enough to use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Card {
    /// The entry of the list of test cards this is.
    pub code: u16,
    /// Month of expiry, 1–12.
    pub exp_month: u8,
    /// Year of expiry, four digits.
    pub exp_year: u16,
    /// Whether a security code was sent with it. The code itself is gone.
    pub cvc_sent: bool,
    /// Keyed hash of the number: equal for equal cards on one installation, useless elsewhere.
    pub fingerprint: u64,
    /// What else came with it.
    #[serde(default, skip_serializing_if = "Presented::is_empty")]
    pub presented: Presented,
}

/// Card details as a client sends them. Held in memory only until [`Card::reduce`].
pub struct CardDetails<'a> {
    /// The number, with or without spaces or hyphens.
    pub number: &'a str,
    /// Month of expiry.
    pub exp_month: i64,
    /// Year of expiry.
    pub exp_year: i64,
    /// The security code, if one was sent.
    pub cvc: Option<&'a str>,
}

/// Why card details were not accepted. Nothing about the number is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CardError {
    /// The check digit is wrong.
    #[error("Your card number is incorrect.")]
    IncorrectNumber,
    /// Well-formed, but not in the list.
    #[error(
        "Your card was declined: its number is not on Paystorm's list of test cards. Numbers that might be real are not accepted."
    )]
    NotATestCard,
    /// Not a month, or a past date.
    #[error("Your card's expiration month is invalid.")]
    InvalidExpiryMonth,
    /// A year that is past or not four digits.
    #[error("Your card's expiration year is invalid.")]
    InvalidExpiryYear,
    /// Not three or four digits.
    #[error("Your card's security code is invalid.")]
    InvalidCvc,
    /// An alias that is not offered.
    #[error("No such PaymentMethod. Use a test card token such as pm_card_visa.")]
    UnknownToken,
}

impl CardError {
    /// The dialect's error code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::IncorrectNumber => "incorrect_number",
            Self::NotATestCard => "card_declined",
            Self::InvalidExpiryMonth => "invalid_expiry_month",
            Self::InvalidExpiryYear => "invalid_expiry_year",
            Self::InvalidCvc => "invalid_cvc",
            Self::UnknownToken => "resource_missing",
        }
    }

    /// The field at fault, below the card.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::IncorrectNumber | Self::NotATestCard => "number",
            Self::InvalidExpiryMonth => "exp_month",
            Self::InvalidExpiryYear => "exp_year",
            Self::InvalidCvc => "cvc",
            Self::UnknownToken => "payment_method",
        }
    }
}

/// A year and month, for the expiry check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct YearMonth {
    /// The year, four digits.
    pub year: i64,
    /// The month, 1–12.
    pub month: i64,
}

impl Card {
    /// Checks what a client sent and keeps what may be kept. `key` is the installation's fingerprint key, `today` the
    /// current month.
    ///
    /// # Errors
    /// [`CardError`] names the field; nothing is kept.
    pub fn reduce(details: &CardDetails<'_>, key: &[u8; 32], today: YearMonth) -> Result<Self, CardError> {
        let number: String = details.number.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        if !(12..=19).contains(&number.len()) || !luhn(&number) {
            return Err(CardError::IncorrectNumber);
        }
        let card = TestCard::by_number(&number).ok_or(CardError::NotATestCard)?;
        let (exp_month, exp_year) = expiry(details.exp_month, details.exp_year, today)?;
        let cvc_len = if card.brand == Brand::Amex { 3..=4 } else { 3..=3 };
        if let Some(cvc) = details.cvc
            && !(cvc_len.contains(&cvc.len()) && cvc.bytes().all(|b| b.is_ascii_digit()))
        {
            return Err(CardError::InvalidCvc);
        }
        let cvc_sent = details.cvc.is_some();
        let fingerprint = fingerprint(&number, key);
        Ok(Self {
            code: card.code,
            exp_month,
            exp_year,
            cvc_sent,
            fingerprint,
            presented: Presented::default(),
        })
    }

    /// The card a `pm_card_…` or `tok_…` alias stands for, valid for the next years.
    ///
    /// # Errors
    /// [`CardError::UnknownToken`] if there is no such alias.
    pub fn from_token(token: &str, key: &[u8; 32], today: YearMonth) -> Result<Self, CardError> {
        let card = TestCard::by_token(token).ok_or(CardError::UnknownToken)?;
        let exp_year =
            u16::try_from(today.year.saturating_add(2)).map_err(|_| CardError::InvalidExpiryYear)?;
        // An alias stands for a card with its security code, and with the address where the card is about that.
        let presented = Presented::when(card.checks.postal != Check::Pass, Presented::POSTAL)
            .with(Presented::when(card.checks.line1 != Check::Pass, Presented::LINE1));
        Ok(Self {
            code: card.code,
            exp_month: 12,
            exp_year,
            cvc_sent: true,
            fingerprint: fingerprint(card.named(), key),
            presented,
        })
    }

    /// The card as it is presented for another attempt: the address that came with it before still counts, whether its
    /// holder is there is said anew.
    #[must_use]
    pub const fn presented_again(self, presented: Presented) -> Self {
        let kept = Presented::POSTAL.with(Presented::LINE1);
        let flags = presented.flags | (self.presented.flags & kept.flags);
        let detail = if presented.detail == 0 { self.presented.detail } else { presented.detail };
        Self { presented: Presented { flags, detail }, ..self }
    }

    /// The entry of the list, if this version of the program still has it.
    #[must_use]
    pub fn test_card(&self) -> Option<&'static TestCard> {
        TestCard::by_code(self.code)
    }

    /// Whether it was reduced with this key; `None` if this version of the program does not have it in its list.
    #[must_use]
    pub fn is_under(&self, key: &[u8; 32]) -> Option<bool> {
        self.test_card().map(|card| fingerprint(card.named(), key) == self.fingerprint)
    }

    /// The network.
    #[must_use]
    pub fn brand(&self) -> Brand {
        self.test_card().map_or(Brand::Visa, |card| card.brand)
    }

    /// The last four digits; `0000` for cards that exist as tokens only.
    #[must_use]
    pub fn last4(&self) -> &'static str {
        self.test_card()
            .and_then(|card| card.number.len().checked_sub(4).and_then(|at| card.number.get(at..)))
            .unwrap_or("0000")
    }

    /// The first six digits; `400000` for cards that exist as tokens only.
    #[must_use]
    pub fn first6(&self) -> &'static str {
        self.test_card().and_then(|card| card.number.get(..6)).unwrap_or("400000")
    }

    /// `Visa •••• 4242`.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{} •••• {}", self.brand().label(), self.last4())
    }
}

fn expiry(month: i64, year: i64, today: YearMonth) -> Result<(u8, u16), CardError> {
    let exp_month =
        u8::try_from(month).ok().filter(|m| (1..=12).contains(m)).ok_or(CardError::InvalidExpiryMonth)?;
    let year_ok =
        (1000..=9999).contains(&year) && year >= today.year && year <= today.year.saturating_add(50);
    let exp_year = u16::try_from(year).ok().filter(|_| year_ok).ok_or(CardError::InvalidExpiryYear)?;
    if (YearMonth { year, month }) < today {
        return Err(CardError::InvalidExpiryMonth);
    }
    Ok((exp_month, exp_year))
}

fn fingerprint(number: &str, key: &[u8; 32]) -> u64 {
    let hash = blake3::keyed_hash(key, number.as_bytes());
    hash.as_bytes().iter().take(8).fold(0, |value, byte| (value << 8) | u64::from(*byte))
}

/// The Luhn check digit (ISO/IEC 7812-1, annex B).
#[must_use]
pub fn luhn(number: &str) -> bool {
    let mut sum = 0_u32;
    for (position, byte) in number.bytes().rev().enumerate() {
        if !byte.is_ascii_digit() {
            return false;
        }
        let digit = u32::from(byte - b'0');
        sum += match (position % 2, digit) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => digit * 2 - 9,
            (_, digit) => digit * 2,
        };
    }
    sum.is_multiple_of(10) && !number.is_empty()
}
