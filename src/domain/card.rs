//! Test cards: the closed list of numbers and tokens that are accepted, what each does, and the reduction of a number
//! to what may be kept (brand, first six, last four, expiry, keyed fingerprint).
//!
//! A number outside the list is refused and never stored: it may be real. Numbers and outcomes are those the dialect
//! publishes (docs.stripe.com/testing). The security code is looked at once, here, and never kept.

use serde::{Deserialize, Serialize};

use super::decline::DeclineReason;

/// A card network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Brand {
    /// Visa.
    Visa,
    /// Mastercard.
    Mastercard,
    /// American Express.
    Amex,
    /// Discover.
    Discover,
    /// JCB.
    Jcb,
}

impl Brand {
    /// The dialect's name of the network.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Visa => "visa",
            Self::Mastercard => "mastercard",
            Self::Amex => "amex",
            Self::Discover => "discover",
            Self::Jcb => "jcb",
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
        }
    }
}

/// What happens after a charge with one of the "later trouble" cards has succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Later {
    /// A dispute with reason `fraudulent`.
    DisputeFraudulent,
    /// A dispute with reason `product_not_received`.
    DisputeNotReceived,
    /// An inquiry.
    Inquiry,
    /// An early fraud warning.
    FraudWarning,
    /// A refund is pending first, then succeeds.
    RefundPending,
    /// A refund succeeds first, then fails.
    RefundFails,
    /// The funds are available at once.
    InstantFunds,
}

/// What a test card does by itself, whatever the scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// Succeeds.
    Succeed,
    /// The issuer declines.
    Decline(DeclineReason),
    /// Declines only when a security code was sent.
    DeclineIfCvc,
    /// Attaches to a customer, then every charge declines.
    AttachThenDecline,
    /// Blocked as fraudulent without asking the issuer.
    Blocked,
    /// 3-D Secure, then success or this decline. `unless_set_up`: skipped on cards set up before.
    ThreeDSecure {
        /// The decline that follows a completed challenge, if any.
        then: Option<DeclineReason>,
        /// Whether an earlier set-up spares the challenge.
        unless_set_up: bool,
    },
    /// The 3-D Secure lookup itself breaks.
    ThreeDSecureLookupError,
    /// Succeeds; something follows.
    SucceedThen(Later),
    /// The acquirer breaks technically on this many first attempts, then succeeds. Paystorm's own.
    TechnicalErrors(u16),
}

/// One entry of the list of accepted cards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TestCard {
    /// Stable number under which stored payments refer to it. Never reused.
    pub code: u16,
    /// The card number; empty for the cards that exist as tokens only.
    pub number: &'static str,
    /// The dialect's alias after `pm_card_` (and `tok_`).
    pub token: &'static str,
    /// The network.
    pub brand: Brand,
    /// Whether it is a debit card.
    pub debit: bool,
    /// What it does.
    pub behaviour: Behaviour,
}

const fn card(
    code: u16,
    number: &'static str,
    token: &'static str,
    brand: Brand,
    behaviour: Behaviour,
) -> TestCard {
    TestCard { code, number, token, brand, debit: false, behaviour }
}

use Behaviour::{
    AttachThenDecline, Blocked, Decline, DeclineIfCvc, Succeed, SucceedThen, TechnicalErrors, ThreeDSecure,
    ThreeDSecureLookupError,
};
use Brand::{Amex, Discover, Jcb, Mastercard, Visa};

/// Every card accepted.
pub const TEST_CARDS: &[TestCard] = &[
    card(1, "4242424242424242", "visa", Visa, Succeed),
    TestCard { debit: true, ..card(2, "4000056655665556", "visa_debit", Visa, Succeed) },
    card(3, "5555555555554444", "mastercard", Mastercard, Succeed),
    card(4, "378282246310005", "amex", Amex, Succeed),
    card(5, "6011111111111117", "discover", Discover, Succeed),
    card(6, "3566002020360505", "jcb", Jcb, Succeed),
    card(10, "4000000000000002", "chargeDeclined", Visa, Decline(DeclineReason::GenericDecline)),
    card(
        11,
        "4000000000009995",
        "chargeDeclinedInsufficientFunds",
        Visa,
        Decline(DeclineReason::InsufficientFunds),
    ),
    card(12, "4000000000009987", "chargeDeclinedLostCard", Visa, Decline(DeclineReason::LostCard)),
    card(13, "4000000000009979", "chargeDeclinedStolenCard", Visa, Decline(DeclineReason::StolenCard)),
    card(
        14,
        "4000000000006975",
        "chargeDeclinedVelocityLimitExceeded",
        Visa,
        Decline(DeclineReason::CardVelocityExceeded),
    ),
    card(15, "4000000000000069", "chargeDeclinedExpiredCard", Visa, Decline(DeclineReason::ExpiredCard)),
    card(16, "4000000000000127", "chargeDeclinedIncorrectCvc", Visa, DeclineIfCvc),
    card(
        17,
        "4000000000000119",
        "chargeDeclinedProcessingError",
        Visa,
        Decline(DeclineReason::ProcessingError),
    ),
    card(18, "4000000000000341", "chargeCustomerFail", Visa, AttachThenDecline),
    card(19, "4100000000000019", "chargeDeclinedFraudulent", Visa, Blocked),
    card(
        30,
        "4000002500003155",
        "authenticationRequiredOnSetup",
        Visa,
        ThreeDSecure { then: None, unless_set_up: true },
    ),
    card(
        31,
        "4000002760003184",
        "authenticationRequired",
        Visa,
        ThreeDSecure { then: None, unless_set_up: false },
    ),
    card(
        32,
        "4000008260003178",
        "authenticationRequiredChargeDeclinedInsufficientFunds",
        Visa,
        ThreeDSecure { then: Some(DeclineReason::InsufficientFunds), unless_set_up: false },
    ),
    card(
        33,
        "4000008400001629",
        "threeDSecureRequiredChargeDeclined",
        Visa,
        ThreeDSecure { then: Some(DeclineReason::GenericDecline), unless_set_up: false },
    ),
    card(34, "4000008400001280", "threeDSecureRequiredProcessingError", Visa, ThreeDSecureLookupError),
    card(40, "4000000000000259", "createDispute", Visa, SucceedThen(Later::DisputeFraudulent)),
    card(
        41,
        "4000000000002685",
        "createDisputeProductNotReceived",
        Visa,
        SucceedThen(Later::DisputeNotReceived),
    ),
    card(42, "4000000000001976", "createDisputeInquiry", Visa, SucceedThen(Later::Inquiry)),
    card(43, "4000000000005423", "createIssuerFraudRecord", Visa, SucceedThen(Later::FraudWarning)),
    card(44, "4000000000007726", "pendingRefund", Visa, SucceedThen(Later::RefundPending)),
    card(45, "4000000000005126", "refundFail", Visa, SucceedThen(Later::RefundFails)),
    card(46, "4000000000000077", "bypassPending", Visa, SucceedThen(Later::InstantFunds)),
    card(60, "", "paystorm_technicalErrorTwice", Visa, TechnicalErrors(2)),
    card(61, "", "paystorm_technicalError", Visa, TechnicalErrors(u16::MAX)),
];

/// Spellings of tokens that name the same card as one in [`TEST_CARDS`].
const TOKEN_ALIASES: &[(&str, &str)] = &[
    ("visa_chargeDeclined", "chargeDeclined"),
    ("visa_chargeDeclinedInsufficientFunds", "chargeDeclinedInsufficientFunds"),
    ("visa_chargeDeclinedLostCard", "chargeDeclinedLostCard"),
    ("visa_chargeDeclinedStolenCard", "chargeDeclinedStolenCard"),
    ("visa_chargeDeclinedVelocityLimitExceeded", "chargeDeclinedVelocityLimitExceeded"),
    ("visa_chargeDeclinedExpiredCard", "chargeDeclinedExpiredCard"),
    ("visa_chargeDeclinedIncorrectCvc", "chargeDeclinedIncorrectCvc"),
    ("visa_chargeDeclinedProcessingError", "chargeDeclinedProcessingError"),
    ("visa_chargeDeclinedFraudulent", "chargeDeclinedFraudulent"),
    ("threeDSecure2Required", "authenticationRequired"),
    ("threeDSecureRequired", "authenticationRequired"),
    ("radarBlock", "chargeDeclinedFraudulent"),
];

impl TestCard {
    /// The card with this number, spaces and hyphens already removed.
    #[must_use]
    pub fn by_number(number: &str) -> Option<&'static Self> {
        TEST_CARDS.iter().find(|card| !card.number.is_empty() && card.number == number)
    }

    /// The card named by `pm_card_…` or `tok_…`.
    #[must_use]
    pub fn by_token(token: &str) -> Option<&'static Self> {
        let name = token.strip_prefix("pm_card_").or_else(|| token.strip_prefix("tok_"))?;
        let name = TOKEN_ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, target)| target);
        TEST_CARDS.iter().find(|card| card.token == name)
    }

    /// The card stored under this code.
    #[must_use]
    pub fn by_code(code: u16) -> Option<&'static Self> {
        TEST_CARDS.iter().find(|card| card.code == code)
    }
}

/// A card as it may be kept: enough to recognise it, not enough to use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Card {
    /// The entry of [`TEST_CARDS`] this is.
    pub code: u16,
    /// Month of expiry, 1–12.
    pub exp_month: u8,
    /// Year of expiry, four digits.
    pub exp_year: u16,
    /// Whether a security code was sent with it. The code itself is gone.
    pub cvc_sent: bool,
    /// Keyed hash of the number: equal for equal cards on one installation, useless elsewhere.
    pub fingerprint: u64,
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
        "Your card was declined. Only the published test card numbers are accepted here, because any other might be real."
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
        let cvc_len = if card.brand == Amex { 3..=4 } else { 3..=3 };
        if let Some(cvc) = details.cvc
            && !(cvc_len.contains(&cvc.len()) && cvc.bytes().all(|b| b.is_ascii_digit()))
        {
            return Err(CardError::InvalidCvc);
        }
        let cvc_sent = details.cvc.is_some();
        Ok(Self { code: card.code, exp_month, exp_year, cvc_sent, fingerprint: fingerprint(&number, key) })
    }

    /// The card a `pm_card_…` or `tok_…` alias stands for, valid for the next years.
    ///
    /// # Errors
    /// [`CardError::UnknownToken`] if there is no such alias.
    pub fn from_token(token: &str, key: &[u8; 32], today: YearMonth) -> Result<Self, CardError> {
        let card = TestCard::by_token(token).ok_or(CardError::UnknownToken)?;
        let exp_year =
            u16::try_from(today.year.saturating_add(2)).map_err(|_| CardError::InvalidExpiryYear)?;
        let named = if card.number.is_empty() { card.token } else { card.number };
        Ok(Self {
            code: card.code,
            exp_month: 12,
            exp_year,
            cvc_sent: true,
            fingerprint: fingerprint(named, key),
        })
    }

    /// The entry of the list, if this version of the program still has it.
    #[must_use]
    pub fn test_card(&self) -> Option<&'static TestCard> {
        TestCard::by_code(self.code)
    }

    /// The network.
    #[must_use]
    pub fn brand(&self) -> Brand {
        self.test_card().map_or(Visa, |card| card.brand)
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
