//! Charges: the result of each attempt.

use serde::Serialize;

use super::method::{ChargedCard, method_id};
use super::{Expand, Expandable, Metadata, Null, PaymentIntent, Presenter, RETRIES_SPENT};
use crate::domain::card::Card;
use crate::domain::charge::{Charge, ChargeOutcome};
use crate::domain::contact::Shipping;
use crate::domain::decline::DeclineReason;
use crate::domain::payment::Payment;
use crate::domain::statement::LineId;
use crate::domain::test_cards::Behaviour;
use crate::intake::details::{Attempts, BillingDetails};

#[derive(Debug, Clone, Serialize)]
struct MethodDetails {
    #[serde(rename = "type")]
    method_type: &'static str,
    card: ChargedCard,
}

/// The decision of the issuer, the network and the risk check.
#[derive(Debug, Clone, Serialize)]
struct OutcomeObject {
    network_decline_code: Option<&'static str>,
    network_status: &'static str,
    reason: Option<&'static str>,
    risk_level: &'static str,
    risk_score: u8,
    seller_message: &'static str,
    #[serde(rename = "type")]
    outcome_type: &'static str,
}

impl OutcomeObject {
    /// `None` while there is no answer yet.
    fn of(charge: &Charge) -> Option<Self> {
        let known = charge.instrument.card().and_then(Card::test_card)?;
        let blocked = matches!(known.behaviour, Behaviour::Blocked);
        let (outcome_type, network_status, reason, seller_message) = match charge.outcome {
            ChargeOutcome::Open | ChargeOutcome::Released => return None,
            ChargeOutcome::Held | ChargeOutcome::Taken => {
                ("authorized", "approved_by_network", None, "Payment complete.")
            }
            ChargeOutcome::Declined(DeclineReason::Fraudulent) if blocked => {
                let message = "The charge was blocked before the issuer was asked.";
                ("blocked", "not_sent_to_network", Some("highest_risk_level"), message)
            }
            ChargeOutcome::Declined(reason) => {
                let message = "The issuer did not accept the charge.";
                ("issuer_declined", "declined_by_network", Some(reason.decline_code()), message)
            }
            ChargeOutcome::TechnicalFailure(_) => ("invalid", "not_sent_to_network", None, RETRIES_SPENT),
        };
        let network_decline_code = match charge.outcome {
            ChargeOutcome::Declined(reason) if outcome_type == "issuer_declined" => reason.network_code(),
            ChargeOutcome::Open
            | ChargeOutcome::Held
            | ChargeOutcome::Taken
            | ChargeOutcome::Declined(_)
            | ChargeOutcome::TechnicalFailure(_)
            | ChargeOutcome::Released => None,
        };
        Some(Self {
            network_decline_code,
            network_status,
            reason,
            risk_level: known.risk.as_str(),
            risk_score: known.risk.score(),
            seller_message,
            outcome_type,
        })
    }
}

/// The properties of a charge to show in full instead of by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChargeExpand {
    /// `payment_intent`.
    pub payment_intent: bool,
}

/// A charge. Field names and meanings are those of docs.stripe.com/api/charges/object.
#[derive(Debug, Clone, Serialize)]
pub struct ChargeObject {
    id: String,
    object: &'static str,
    amount: i64,
    amount_captured: i64,
    amount_refunded: i64,
    balance_transaction: Option<String>,
    billing_details: BillingDetails,
    captured: bool,
    created: i64,
    currency: String,
    customer: Option<String>,
    description: Option<String>,
    disputed: bool,
    failure_code: Option<&'static str>,
    failure_message: Option<&'static str>,
    livemode: bool,
    metadata: Metadata,
    outcome: Option<OutcomeObject>,
    paid: bool,
    payment_intent: Expandable<PaymentIntent>,
    payment_method: Option<String>,
    payment_method_details: Option<MethodDetails>,
    receipt_email: Option<String>,
    refunded: bool,
    shipping: Option<Shipping>,
    statement_descriptor: Option<String>,
    statement_descriptor_suffix: Option<String>,
    status: &'static str,
    #[serde(flatten)]
    null: Null,
}

const NULL: Null = Null(&[
    "application",
    "application_fee",
    "application_fee_amount",
    "calculated_statement_descriptor",
    "failure_balance_transaction",
    "on_behalf_of",
    "receipt_number",
    "receipt_url",
    "review",
    "source",
    "source_transfer",
    "transfer_data",
    "transfer_group",
]);

impl ChargeObject {
    /// The object of one of this payment's charges. `attempts` holds the details of the payment's attempts.
    #[must_use]
    pub fn of(
        payment: &Payment,
        charge: &Charge,
        attempts: &Attempts,
        expand: ChargeExpand,
        presenter: Presenter<'_>,
    ) -> Self {
        let (submission, terms) = (payment.submission(), payment.amended());
        let billing = attempts.of_charge(payment, charge).and_then(|detail| detail.billing.clone());
        let taken = charge.outcome == ChargeOutcome::Taken;
        let (failure_code, failure_message) = failure(charge.outcome).unzip();
        let refunded_minor = if taken { payment.refunded_minor() } else { 0 };
        let card = charge.instrument.presented_card();
        Self {
            id: charge.id.to_string(),
            object: "charge",
            amount: charge.amount_minor,
            amount_captured: charge.captured_minor,
            amount_refunded: refunded_minor,
            balance_transaction: taken
                .then(|| presenter.line(payment.owner(), LineId::of_charge(payment)))
                .flatten(),
            billing_details: billing.unwrap_or_default(),
            captured: taken,
            created: charge.created_at.seconds(),
            currency: submission.amount.currency.lower(),
            customer: submission.customer.map(|customer| customer.to_string()),
            description: submission.description.clone(),
            disputed: taken && !payment.state().disputes.is_empty(),
            failure_code,
            failure_message,
            livemode: false,
            metadata: Metadata(submission.metadata.clone()),
            outcome: OutcomeObject::of(charge),
            paid: taken || charge.outcome == ChargeOutcome::Held,
            payment_intent: Expandable::new(expand.payment_intent, submission.public_id(), || {
                PaymentIntent::of(payment, Expand::default(), presenter, attempts)
            }),
            payment_method: card.map(|card| method_id(payment, card)),
            payment_method_details: card
                .map(|card| MethodDetails { method_type: "card", card: ChargedCard::of(charge, &card.card) }),
            receipt_email: terms.and_then(|terms| terms.receipt_email.clone()),
            shipping: terms.and_then(|terms| terms.shipping.clone()),
            statement_descriptor: terms.and_then(|terms| terms.statement_descriptor.clone()),
            statement_descriptor_suffix: terms.and_then(|terms| terms.statement_descriptor_suffix.clone()),
            refunded: refunded_minor > 0 && payment.refundable_minor() == 0,
            status: status(charge.outcome),
            null: NULL,
        }
    }
}

const fn status(outcome: ChargeOutcome) -> &'static str {
    match outcome {
        ChargeOutcome::Open => "pending",
        ChargeOutcome::Held | ChargeOutcome::Taken => "succeeded",
        ChargeOutcome::Declined(_) | ChargeOutcome::TechnicalFailure(_) | ChargeOutcome::Released => "failed",
    }
}

/// The code and message of a failed charge.
fn failure(outcome: ChargeOutcome) -> Option<(&'static str, &'static str)> {
    match outcome {
        ChargeOutcome::Declined(reason) => Some((reason.code(), reason.message())),
        ChargeOutcome::TechnicalFailure(_) => Some((DeclineReason::ProcessingError.code(), RETRIES_SPENT)),
        ChargeOutcome::Open | ChargeOutcome::Held | ChargeOutcome::Taken | ChargeOutcome::Released => None,
    }
}
