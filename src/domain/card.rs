//! Cards: reduces what a client sends to what may be stored (network, first six and last four digits, expiry, funding,
//! country, checks, a keyed fingerprint).
//!
//! A card's behaviour comes from the list of test cards alone ([`super::test_cards`]). The security code and the address are
//! looked at once, here and at the edge, and never stored with the card.

use serde::{Deserialize, Serialize};

use super::country::Country;
use super::test_cards::TestCard;

pub use super::card_features::{Brand, Check, CheckResults, Checks, Funding, Risk};

/// A card as it may be stored: enough to recognise it, not enough to use it. Its behaviour is looked up in the list of test
/// cards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Card {
    /// Its code in the list of test cards.
    pub listed: u16,
    /// The network.
    pub brand: Brand,
    /// The first six digits of its number.
    first6: u32,
    /// The last four digits.
    last4: u16,
    /// Month of expiry, 1–12.
    pub exp_month: u8,
    /// Year of expiry, four digits.
    pub exp_year: u16,
    /// How it is funded.
    pub funding: Funding,
    /// Where it was issued.
    pub country: Country,
    /// The issuer's verdicts on the details sent with it. The details themselves are not kept.
    pub checks: CheckResults,
    /// Keyed hash of the number: equal for equal cards on one installation, useless elsewhere.
    pub fingerprint: u64,
}

/// The first six digits of cards that exist as tokens only.
const FIRST6_OF_ALIASES: u32 = 400_000;

/// Card details as a client sends them. Held in memory only until [`Card::reduce`].
pub struct CardDetails<'a> {
    /// The number, with or without spaces or hyphens.
    pub number: &'a str,
    /// Month of expiry, unchecked.
    pub exp_month: i64,
    /// Year of expiry, unchecked.
    pub exp_year: i64,
    /// The security code, if one was sent.
    pub cvc: Option<&'a str>,
}

/// Why card details were refused. Never repeats any of the number.
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
    /// Checks what a client sent and keeps what may be stored. `key` is the installation's fingerprint key, `today` the current
    /// month.
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
        let checks = CheckResults { cvc: details.cvc.map(|_| card.checks.cvc), ..CheckResults::default() };
        Ok(Self::listed(card, exp_month, exp_year, checks, fingerprint(&number, key)))
    }

    /// The card that a `pm_card_…` or `tok_…` alias stands for. It expires in December of the year after next.
    ///
    /// # Errors
    /// [`CardError::UnknownToken`] if there is no such alias.
    pub fn from_token(token: &str, key: &[u8; 32], today: YearMonth) -> Result<Self, CardError> {
        let card = TestCard::by_token(token).ok_or(CardError::UnknownToken)?;
        let exp_year =
            u16::try_from(today.year.saturating_add(2)).map_err(|_| CardError::InvalidExpiryYear)?;
        // An alias stands for a card with its security code, and with an address if the card tests address checks.
        let about = |check| Some(check).filter(|check| *check != Check::Pass);
        let checks = CheckResults {
            cvc: Some(card.checks.cvc),
            line1: about(card.checks.line1),
            postal: about(card.checks.postal),
        };
        Ok(Self::listed(card, 12, exp_year, checks, fingerprint(card.named(), key)))
    }

    /// The card of an entry in the list.
    fn listed(card: &TestCard, exp_month: u8, exp_year: u16, checks: CheckResults, fingerprint: u64) -> Self {
        let digits = |digits: Option<&str>| digits.and_then(|digits| digits.parse().ok());
        let last4 = card.number.len().checked_sub(4).and_then(|at| card.number.get(at..));
        Self {
            listed: card.code,
            brand: card.brand,
            first6: digits(card.number.get(..6)).unwrap_or(FIRST6_OF_ALIASES),
            last4: digits(last4).and_then(|digits| u16::try_from(digits).ok()).unwrap_or(0),
            exp_month,
            exp_year,
            funding: card.funding,
            country: card.country,
            checks,
            fingerprint,
        }
    }

    /// The card after these parts of its holder's address were sent with it as well.
    #[must_use]
    pub fn with_address(self, postal: bool, line1: bool) -> Self {
        let known = self.test_card().map(|card| card.checks);
        let result = |sent: bool, check: Option<Check>| check.filter(|_| sent);
        let checks = CheckResults {
            postal: result(postal, known.map(|known| known.postal)).or(self.checks.postal),
            line1: result(line1, known.map(|known| known.line1)).or(self.checks.line1),
            ..self.checks
        };
        Self { checks, ..self }
    }

    /// Its entry in the list; `None` if this version of the program no longer has it.
    #[must_use]
    pub fn test_card(&self) -> Option<&'static TestCard> {
        TestCard::by_code(self.listed)
    }

    /// Whether its fingerprint was made with this key; `None` if it is no longer in the list.
    #[must_use]
    pub fn is_under(&self, key: &[u8; 32]) -> Option<bool> {
        self.test_card().map(|card| fingerprint(card.named(), key) == self.fingerprint)
    }

    /// The last four digits; `0000` for cards that exist as tokens only.
    #[must_use]
    pub fn last4(&self) -> String {
        format!("{:04}", self.last4)
    }

    /// The first six digits; `400000` for cards that exist as tokens only.
    #[must_use]
    pub fn first6(&self) -> String {
        format!("{:06}", self.first6)
    }

    /// `Visa •••• 4242`.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{} •••• {:04}", self.brand.label(), self.last4)
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
