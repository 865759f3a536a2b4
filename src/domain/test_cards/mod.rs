//! The closed list of cards that are accepted, and what each does: the numbers and aliases that the dialect publishes
//! (docs.stripe.com/testing), and a few of Paystorm's own (`paystorm_…`).
//!
//! Data only; a file per table. A number outside the list is refused and never stored: it may be real. What happens after
//! a card's charge (disputes, refunds that fail) is named here and brought about in [`super::consequences`].

mod brands;
mod countries;
mod declines;
mod later;
mod risk;
mod secure;

use super::card_features::{Brand, Check, Checks, Funding, Risk};
use super::country::Country;
use super::decline::DeclineReason;

/// A consequence of a charge that succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consequence {
    /// A dispute with reason `fraudulent`.
    DisputeFraudulent,
    /// A dispute with reason `product_not_received`.
    DisputeNotReceived,
    /// Several disputes.
    MultipleDisputes,
    /// A dispute that Visa's Compelling Evidence 3.0 applies to.
    CompellingEvidenceDispute,
    /// A dispute about the network's own rules.
    ComplianceDispute,
    /// A dispute that can be answered automatically.
    SmartDispute,
    /// A dispute, unless the account takes part in a programme that prevents it.
    DisputePrevented,
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

/// How an earlier set-up affects a card that challenges its holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetUp {
    /// It challenges every time all the same.
    NoMatter,
    /// Once set up, it does not challenge off session.
    Spares,
    /// It counts as set up already.
    Done,
}

/// The behaviour of a test card, whatever the scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// Succeeds.
    Succeed,
    /// The issuer declines.
    Decline(DeclineReason),
    /// Declines only when a security code was sent.
    DeclineIfCvc,
    /// Attaches to a customer, then every charge declines.
    AttachThenDecline(DeclineReason),
    /// Blocked as fraudulent without asking the issuer.
    Blocked,
    /// 3-D Secure, then success or this decline.
    ThreeDSecure {
        /// The decline that follows a completed challenge, if any.
        then: Option<DeclineReason>,
        /// Whether an earlier set-up spares the challenge.
        set_up: SetUp,
    },
    /// 3-D Secure is required, and its lookup fails.
    ThreeDSecureLookupError,
    /// 3-D Secure only where the merchant requests it; the lookup then fails, or the cardholder is challenged.
    ThreeDSecureOnRequest {
        /// Whether the lookup fails.
        breaks: bool,
    },
    /// 3-D Secure without a challenge.
    Frictionless,
    /// Succeeds; something follows.
    SucceedThen(Consequence),
    /// This many first attempts fail technically, then it succeeds. Paystorm's own.
    TechnicalErrors(u16),
}

/// One entry of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TestCard {
    /// Stable number under which stored payments refer to it. Never reused.
    pub code: u16,
    /// The card number; empty for the cards that exist as aliases only.
    pub number: &'static str,
    /// The aliases without `pm_card_` or `tok_`, the plainest first; never empty.
    pub tokens: &'static [&'static str],
    /// The network.
    pub brand: Brand,
    /// The other network of a co-branded card, in the dialect's word.
    pub co_brand: Option<&'static str>,
    /// Where it was issued (ISO 3166-1, two letters).
    pub country: Country,
    /// How it is funded.
    pub funding: Funding,
    /// The issuer's verdict on the security code and address sent with it.
    pub checks: Checks,
    /// The risk level of its charges.
    pub risk: Risk,
    /// Its effect on payments.
    pub behaviour: Behaviour,
}

/// An entry with defaults for everything else.
const fn card(
    code: u16,
    number: &'static str,
    tokens: &'static [&'static str],
    brand: Brand,
    country: &'static str,
    behaviour: Behaviour,
) -> TestCard {
    TestCard {
        code,
        number,
        tokens,
        brand,
        co_brand: None,
        country: Country::in_table(country),
        funding: Funding::Credit,
        checks: Checks::PASS,
        risk: Risk::Normal,
        behaviour,
    }
}

/// These checks, with a security code that is wrong.
const fn cvc_fails(checks: Checks) -> Checks {
    Checks { cvc: Check::Fail, ..checks }
}

const TABLES: [&[TestCard]; 6] =
    [brands::CARDS, countries::CARDS, declines::CARDS, risk::CARDS, secure::CARDS, later::CARDS];

impl TestCard {
    /// Every card accepted, in the order of the tables.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        TABLES.into_iter().flatten()
    }

    /// The card with this number, spaces and hyphens already removed.
    #[must_use]
    pub fn by_number(number: &str) -> Option<&'static Self> {
        Self::all().find(|card| !card.number.is_empty() && card.number == number)
    }

    /// The card named by `pm_card_…` or `tok_…`.
    #[must_use]
    pub fn by_token(token: &str) -> Option<&'static Self> {
        let name = token.strip_prefix("pm_card_").or_else(|| token.strip_prefix("tok_"))?;
        Self::all().find(|card| card.tokens.contains(&name))
    }

    /// The text that its fingerprint is taken of: its number, or its plainest alias.
    #[must_use]
    pub fn named(&self) -> &'static str {
        if self.number.is_empty() { self.token() } else { self.number }
    }

    /// Whether it is one of the few that most people try, which have the low codes.
    #[must_use]
    pub const fn is_common(&self) -> bool {
        self.code < 100
    }

    /// The card stored under this code.
    #[must_use]
    pub fn by_code(code: u16) -> Option<&'static Self> {
        Self::all().find(|card| card.code == code)
    }

    /// The plainest of its aliases, without `pm_card_`.
    #[must_use]
    pub fn token(&self) -> &'static str {
        self.tokens.first().copied().unwrap_or_default()
    }

    /// Whether it stands for its country and nothing else.
    #[must_use]
    pub fn is_by_country(&self) -> bool {
        countries::CARDS.iter().any(|card| card.code == self.code)
    }

    /// Whether it is about risk or checks.
    #[must_use]
    pub fn is_about_risk(&self) -> bool {
        risk::CARDS.iter().any(|card| card.code == self.code)
    }
}
