//! Charges: what came of the last attempt.

use serde::Serialize;

use super::method::ChargedCard;
use super::{Metadata, Null};
use crate::domain::card::Card;
use crate::domain::decline::DeclineReason;
use crate::domain::payment::Payment;
use crate::domain::status::Status;
use crate::domain::test_cards::Behaviour;
use crate::web::api::details::BillingDetails;

#[derive(Debug, Clone, Serialize)]
struct MethodDetails {
    #[serde(rename = "type")]
    method_type: &'static str,
    card: ChargedCard,
}

/// How the attempt was judged.
#[derive(Debug, Clone, Serialize)]
struct ChargeOutcome {
    network_decline_code: Option<&'static str>,
    network_status: &'static str,
    reason: Option<&'static str>,
    risk_level: &'static str,
    risk_score: u8,
    seller_message: &'static str,
    #[serde(rename = "type")]
    outcome_type: &'static str,
}

impl ChargeOutcome {
    /// `None` while there is no answer yet.
    fn of(payment: &Payment) -> Option<Self> {
        let state = payment.state();
        let known = state.card().and_then(Card::test_card);
        let risk = known.map(|known| known.risk)?;
        let blocked = known.is_some_and(|known| matches!(known.behaviour, Behaviour::Blocked));
        let reason = match (state.status, state.decline) {
            (Status::Succeeded | Status::RequiresCapture, _) => None,
            (Status::Declined | Status::Canceled, Some(reason)) => Some(reason),
            _ => return None,
        };
        let (outcome_type, network_status, reason, seller_message) = match reason {
            None => ("authorized", "approved_by_network", None, "Payment complete."),
            Some(DeclineReason::Fraudulent) if blocked => {
                let message = "The charge was blocked before the issuer was asked.";
                ("blocked", "not_sent_to_network", Some("highest_risk_level"), message)
            }
            Some(reason) => {
                let message = "The issuer did not accept the charge.";
                ("issuer_declined", "declined_by_network", Some(reason.decline_code()), message)
            }
        };
        Some(Self {
            network_decline_code: state
                .decline
                .filter(|_| outcome_type == "issuer_declined")
                .and_then(DeclineReason::network_code),
            network_status,
            reason,
            risk_level: risk.as_str(),
            risk_score: risk.score(),
            seller_message,
            outcome_type,
        })
    }
}

/// A charge: what came of the last attempt.
#[derive(Debug, Clone, Serialize)]
pub struct Charge {
    id: String,
    object: &'static str,
    amount: i64,
    amount_captured: i64,
    amount_refunded: i64,
    billing_details: BillingDetails,
    captured: bool,
    created: i64,
    currency: String,
    description: Option<String>,
    disputed: bool,
    failure_code: Option<&'static str>,
    failure_message: Option<&'static str>,
    livemode: bool,
    metadata: Metadata,
    outcome: Option<ChargeOutcome>,
    paid: bool,
    payment_intent: String,
    payment_method: Option<String>,
    payment_method_details: Option<MethodDetails>,
    refunded: bool,
    status: &'static str,
    #[serde(flatten)]
    null: Null,
}

const NULL: Null = Null(&[
    "application",
    "application_fee",
    "application_fee_amount",
    "balance_transaction",
    "calculated_statement_descriptor",
    "customer",
    "failure_balance_transaction",
    "on_behalf_of",
    "receipt_email",
    "receipt_number",
    "receipt_url",
    "review",
    "shipping",
    "source",
    "source_transfer",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_data",
    "transfer_group",
]);

/// The id of the charge that the last attempt came to. None before a worker took it up, and none where it ended at 3-D Secure.
#[must_use]
pub fn charge_id(payment: &Payment) -> Option<String> {
    let began = payment.state().started_at.filter(|_| !payment.ended_at_authentication());
    began.map(|_| payment.id().with_prefix("ch_"))
}

impl Charge {
    /// The charge of this payment.
    #[must_use]
    pub fn of(payment: &Payment, billing: Option<&BillingDetails>) -> Self {
        let (submission, state) = (payment.submission(), payment.state());
        let held = matches!(state.status, Status::Succeeded | Status::RequiresCapture);
        // What a capture was declined for is no failure of what is held.
        let failure = state.decline.filter(|_| !held);
        let refunded_minor = payment.refunded_minor();
        Self {
            id: payment.id().with_prefix("ch_"),
            object: "charge",
            amount: payment.authorized().amount_minor,
            amount_captured: state.received_minor,
            amount_refunded: refunded_minor,
            billing_details: billing.cloned().unwrap_or_default(),
            captured: state.status == Status::Succeeded,
            created: state.queued_at.unwrap_or(payment.created_at()).seconds(),
            currency: submission.amount.currency.lower(),
            description: submission.description.clone(),
            disputed: false,
            failure_code: failure.map(DeclineReason::code),
            failure_message: failure.map(DeclineReason::message),
            livemode: false,
            metadata: Metadata(submission.metadata.clone()),
            outcome: ChargeOutcome::of(payment),
            paid: held,
            payment_intent: submission.public_id(),
            payment_method: state.card().map(|_| payment.id().with_prefix("pm_")),
            payment_method_details: state
                .card()
                .map(|card| MethodDetails { method_type: "card", card: ChargedCard::of(payment, card) }),
            refunded: refunded_minor > 0 && payment.refundable_minor() == 0,
            status: match (held, state.status.is_at_rest()) {
                (true, _) => "succeeded",
                (false, true) => "failed",
                (false, false) => "pending",
            },
            null: NULL,
        }
    }
}
