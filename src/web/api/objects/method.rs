//! Payment methods, and the card inside them and in charges.

use serde::Serialize;

use super::Metadata;
use crate::domain::card::{Card, Check, CheckResults};
use crate::domain::charge::Charge;
use crate::domain::country::Country;
use crate::domain::instrument::PresentedCard;
use crate::domain::payment::Payment;
use crate::domain::test_cards::Behaviour;
use crate::intake::details::BillingDetails;

/// The issuer's checks of what was sent along with the card; null for what was not sent.
#[derive(Debug, Clone, Serialize)]
struct ChecksObject {
    address_line1_check: Option<&'static str>,
    address_postal_code_check: Option<&'static str>,
    cvc_check: Option<&'static str>,
}

impl ChecksObject {
    fn of(results: CheckResults) -> Self {
        Self {
            address_line1_check: results.line1.map(Check::as_str),
            address_postal_code_check: results.postal.map(Check::as_str),
            cvc_check: results.cvc.map(Check::as_str),
        }
    }
}

#[derive(Debug, Clone, Serialize)]
struct Networks {
    available: Vec<&'static str>,
    preferred: Option<&'static str>,
}

#[derive(Debug, Clone, Serialize)]
struct ThreeDSecureUsage {
    supported: bool,
}

/// A card as a payment method shows it.
#[derive(Debug, Clone, Serialize)]
pub struct CardObject {
    brand: &'static str,
    checks: ChecksObject,
    country: Country,
    display_brand: &'static str,
    exp_month: u8,
    exp_year: u16,
    fingerprint: String,
    funding: &'static str,
    generated_from: Option<String>,
    last4: String,
    networks: Networks,
    three_d_secure_usage: ThreeDSecureUsage,
    wallet: Option<String>,
}

impl CardObject {
    /// Has no wallet and no preferred network: Paystorm knows neither.
    #[must_use]
    pub fn of(card: &Card) -> Self {
        let brand = card.brand.as_str();
        let co_brand = card.test_card().and_then(|known| known.co_brand);
        Self {
            brand,
            checks: ChecksObject::of(card.checks),
            country: card.country,
            display_brand: match co_brand {
                Some("eftpos_au") => "eftpos_australia",
                Some(other) => other,
                None => card.brand.displayed(),
            },
            exp_month: card.exp_month,
            exp_year: card.exp_year,
            fingerprint: format!("{:016x}", card.fingerprint),
            funding: card.funding.as_str(),
            generated_from: None,
            last4: card.last4(),
            networks: Networks {
                available: co_brand.into_iter().chain(std::iter::once(brand)).collect(),
                preferred: None,
            },
            three_d_secure_usage: ThreeDSecureUsage { supported: brand != "amex" },
            wallet: None,
        }
    }
}

/// How the cardholder was authenticated.
#[derive(Debug, Clone, Serialize)]
pub struct ThreeDSecure {
    authentication_flow: &'static str,
    result: &'static str,
    version: &'static str,
}

/// A card as a charge shows it.
#[derive(Debug, Clone, Serialize)]
pub struct ChargedCard {
    amount_authorized: Option<i64>,
    brand: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    capture_before: Option<i64>,
    checks: ChecksObject,
    country: Country,
    exp_month: u8,
    exp_year: u16,
    fingerprint: String,
    funding: &'static str,
    installments: Option<String>,
    last4: String,
    mandate: Option<String>,
    network: &'static str,
    three_d_secure: Option<ThreeDSecure>,
    wallet: Option<String>,
}

impl ChargedCard {
    /// The card of this charge.
    #[must_use]
    pub fn of(charge: &Charge, card: &Card) -> Self {
        let CardObject { brand, checks, country, exp_month, exp_year, fingerprint, funding, last4, .. } =
            CardObject::of(card);
        let authorized = charge.capture_before.is_some() || charge.captured_minor > 0;
        let frictionless =
            card.test_card().is_some_and(|known| matches!(known.behaviour, Behaviour::Frictionless));
        let flow = if frictionless { "frictionless" } else { "challenge" };
        Self {
            amount_authorized: authorized.then_some(charge.amount_minor),
            brand,
            capture_before: charge.capture_before.map(|at| at.seconds()),
            checks,
            country,
            exp_month,
            exp_year,
            fingerprint,
            funding,
            installments: None,
            last4,
            mandate: None,
            network: brand,
            three_d_secure: (charge.authenticated || frictionless).then_some(ThreeDSecure {
                authentication_flow: flow,
                result: "authenticated",
                version: "2.2.0",
            }),
            wallet: None,
        }
    }
}

/// The id of the payment method behind a payment's card; made from the payment's own bits for the card it came with.
#[must_use]
pub fn method_id(payment: &Payment, card: &PresentedCard) -> String {
    card.presented.method.map_or_else(|| payment.id().with_prefix("pm_"), |method| method.to_string())
}

/// A payment method. Field names and meanings are those of docs.stripe.com/api/payment_methods/object.
#[derive(Debug, Clone, Serialize)]
pub struct PaymentMethod {
    id: String,
    object: &'static str,
    allow_redisplay: &'static str,
    billing_details: BillingDetails,
    #[serde(rename = "type")]
    method_type: &'static str,
    card: CardObject,
    created: i64,
    livemode: bool,
    customer: Option<String>,
    metadata: Metadata,
}

impl PaymentMethod {
    /// The payment method behind a payment's card.
    #[must_use]
    pub fn of(payment: &Payment, card: &PresentedCard, billing: Option<&BillingDetails>) -> Self {
        Self {
            id: method_id(payment, card),
            object: "payment_method",
            allow_redisplay: "unspecified",
            billing_details: billing.cloned().unwrap_or_default(),
            method_type: "card",
            card: CardObject::of(&card.card),
            created: card.presented.method.map_or(payment.created_at(), |method| method.made_at()).seconds(),
            livemode: false,
            customer: None,
            metadata: Metadata::default(),
        }
    }
}
