//! Disputes as the dialect shows them.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::charge::{ChargeExpand, ChargeObject};
use super::{BalanceTransaction, Expand, Expandable, Metadata, PaymentIntent, Presenter};
use crate::domain::dispute::{Dispute, DisputeStage};
use crate::domain::payment::Payment;
use crate::domain::statement::{self, LinePlace};
use crate::intake::EVIDENCE;
use crate::intake::details::{Attempts, DisputeDetail};

/// The properties of a dispute to show in full instead of by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DisputeExpand {
    /// `charge`.
    pub charge: bool,
    /// `payment_intent`.
    pub payment_intent: bool,
}

/// An object without members.
#[derive(Debug, Clone, Copy, Serialize)]
struct Nothing {}

/// All evidence of the dialect; what was not given is null.
#[derive(Debug, Clone)]
struct Evidence(Vec<(String, String)>);

impl Serialize for Evidence {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(EVIDENCE.len() + 1))?;
        for (name, _) in EVIDENCE {
            let given = self.0.iter().find(|(known, _)| known == name).map(|(_, text)| text);
            map.serialize_entry(name, &given)?;
        }
        map.serialize_entry("enhanced_evidence", &Nothing {})?;
        map.end()
    }
}

#[derive(Debug, Clone, Serialize)]
struct EvidenceDetails {
    due_by: i64,
    enhanced_eligibility: Nothing,
    has_evidence: bool,
    past_due: bool,
    submission_count: u16,
}

#[derive(Debug, Clone, Serialize)]
struct CardDetails {
    brand: &'static str,
    case_type: &'static str,
    network_reason_code: Option<&'static str>,
}

#[derive(Debug, Clone, Serialize)]
struct MethodDetails {
    card: CardDetails,
    #[serde(rename = "type")]
    method_type: &'static str,
}

/// A dispute. Field names and meanings are those of docs.stripe.com/api/disputes/object.
#[derive(Debug, Clone, Serialize)]
pub struct DisputeObject {
    id: String,
    object: &'static str,
    amount: i64,
    balance_transactions: Vec<BalanceTransaction>,
    charge: Option<Expandable<ChargeObject>>,
    created: i64,
    currency: String,
    enhanced_eligibility_types: [&'static str; 0],
    evidence: Evidence,
    evidence_details: EvidenceDetails,
    is_charge_refundable: bool,
    livemode: bool,
    metadata: Metadata,
    payment_intent: Expandable<PaymentIntent>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_method_details: Option<MethodDetails>,
    reason: &'static str,
    status: &'static str,
}

impl DisputeObject {
    /// The object of one of this payment's disputes. `attempts` is needed only for expanded properties.
    #[must_use]
    pub fn of(
        payment: &Payment,
        dispute: &Dispute,
        detail: Option<&DisputeDetail>,
        attempts: &Attempts,
        expand: DisputeExpand,
        presenter: Presenter<'_>,
    ) -> Self {
        let evidence = detail.map(|detail| detail.evidence.clone()).unwrap_or_default();
        let inquiry = dispute.stage == DisputeStage::Inquiry;
        let card = |brand| CardDetails {
            brand,
            case_type: if inquiry { "inquiry" } else { "chargeback" },
            network_reason_code: None,
        };
        let brand = payment.state().card().map(|card| card.brand.as_str());
        Self {
            id: dispute.id.to_string(),
            object: "dispute",
            amount: dispute.amount_minor,
            balance_transactions: lines(payment, dispute, presenter),
            charge: payment.charge_taken().map(|charge| {
                Expandable::new(expand.charge, charge.id.to_string(), || {
                    ChargeObject::of(payment, charge, attempts, ChargeExpand::default(), presenter)
                })
            }),
            created: dispute.created_at.seconds(),
            currency: payment.submission().amount.currency.lower(),
            enhanced_eligibility_types: [],
            evidence_details: EvidenceDetails {
                due_by: dispute.due_by.seconds(),
                enhanced_eligibility: Nothing {},
                has_evidence: !evidence.is_empty(),
                // Nothing is taken past the deadline.
                past_due: false,
                submission_count: dispute.submissions,
            },
            evidence: Evidence(evidence),
            is_charge_refundable: inquiry && dispute.status.is_open() && payment.refundable_minor() > 0,
            livemode: false,
            metadata: Metadata(detail.map(|detail| detail.metadata.clone()).unwrap_or_default()),
            payment_intent: Expandable::new(expand.payment_intent, payment.submission().public_id(), || {
                PaymentIntent::of(payment, Expand::default(), presenter, attempts)
            }),
            payment_method_details: brand
                .map(|brand| MethodDetails { card: card(brand), method_type: "card" }),
            reason: dispute.reason.as_str(),
            status: dispute.status.as_str(),
        }
    }
}

/// The lines of the owner's statement with which the dispute's money left and came back. Lean accounts have no statement.
fn lines(payment: &Payment, dispute: &Dispute, presenter: Presenter<'_>) -> Vec<BalanceTransaction> {
    let lean = presenter.directory.cached(payment.owner()).is_some_and(|profile| profile.lean);
    if lean || dispute.fee_minor == 0 {
        return Vec::new();
    }
    let drafts = statement::drafts(payment, 1..payment.version().saturating_add(1));
    let lines = drafts.iter().map(|draft| draft.at(LinePlace { seq: 0, place: 0 }));
    lines
        .filter(|line| line.part == Some(dispute.id.into()))
        .map(|line| BalanceTransaction::of(&line, Some(payment), line.available_at))
        .collect()
}
