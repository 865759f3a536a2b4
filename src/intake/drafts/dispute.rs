//! Reads disputes: what a cardholder complains of, and what the merchant says about it.

use super::metadata::metadata_patch;
use crate::domain::command::{Answered, Complaint, Raised, Verdict};
use crate::domain::decline::DeclineReason;
use crate::domain::dispute::DisputeReason;
use crate::domain::ids::{DisputeId, RefundId};
use crate::intake::details::{DisputeDetail, Named};
use crate::intake::error::InputError;
use crate::intake::params::Params;

/// The evidence of the dialect; the files among it are not offered.
pub const EVIDENCE: [(&str, bool); 27] = [
    ("access_activity_log", true),
    ("billing_address", true),
    ("cancellation_policy", false),
    ("cancellation_policy_disclosure", true),
    ("cancellation_rebuttal", true),
    ("customer_communication", false),
    ("customer_email_address", true),
    ("customer_name", true),
    ("customer_purchase_ip", true),
    ("customer_signature", false),
    ("duplicate_charge_documentation", false),
    ("duplicate_charge_explanation", true),
    ("duplicate_charge_id", true),
    ("product_description", true),
    ("receipt", false),
    ("refund_policy", false),
    ("refund_policy_disclosure", true),
    ("refund_refusal_explanation", true),
    ("service_date", true),
    ("service_documentation", false),
    ("shipping_address", true),
    ("shipping_carrier", true),
    ("shipping_date", true),
    ("shipping_documentation", false),
    ("shipping_tracking_number", true),
    ("uncategorized_file", false),
    ("uncategorized_text", true),
];

/// The text whose content may decide a dispute.
const DECIDING: &str = "uncategorized_text";
/// The most characters of all evidence of a dispute.
const EVIDENCE_CHARS_MAX: usize = 150_000;

/// The dispute that is answered, as it was read.
#[derive(Debug, Clone)]
pub struct Answering {
    /// Its id.
    pub dispute: DisputeId,
    /// The name of the detail in force.
    pub base: u64,
    /// That detail.
    pub detail: DisputeDetail,
}

/// What was read.
pub(super) struct Answer {
    pub answered: Answered,
    /// All that is kept from then on.
    pub detail: Option<Named>,
    /// What was asked for, as bytes.
    pub asked: Vec<u8>,
}

/// Reads `evidence`, `metadata` and `submit`.
pub(super) fn answer(params: &mut Params<'_>, before: &Answering) -> Result<Answer, InputError> {
    let asked = params.form();
    let submit = params.boolean("submit")?;
    let patch = metadata_patch(params)?;
    let invalid = |rejection: crate::domain::rejection::Rejection| {
        InputError::new("metadata", "metadata_invalid", rejection.message)
    };
    let metadata = patch.applied_to(&before.detail.metadata).map_err(invalid)?;
    let given = evidence(params)?;
    let mut after = DisputeDetail { evidence: before.detail.evidence.clone(), metadata };
    for (name, text) in &given {
        after.evidence.retain(|(known, _)| known != name);
        if !text.is_empty() {
            after.evidence.push((name.clone(), text.clone()));
        }
    }
    if after.evidence.iter().map(|(_, text)| text.chars().count()).sum::<usize>() > EVIDENCE_CHARS_MAX {
        let message =
            format!("The evidence of a dispute can have at most {EVIDENCE_CHARS_MAX} characters in all.");
        return Err(InputError::new("evidence", "evidence_too_long", message));
    }
    // Metadata alone submits nothing, unless it is asked for.
    let submits = submit.unwrap_or(!given.is_empty()) && !after.evidence.is_empty();
    let verdict = after.evidence(DECIDING).and_then(Verdict::of_evidence);
    let detail = after.named(before.dispute);
    let answered = Answered {
        dispute: before.dispute,
        base: before.base,
        detail: detail.as_ref().map_or(0, |(name, _)| *name),
        evidence: !given.is_empty(),
        submit: submits,
        verdict,
    };
    Ok(Answer { answered, detail, asked })
}

fn evidence(params: &mut Params<'_>) -> Result<Vec<(String, String)>, InputError> {
    let given = params.map("evidence")?;
    for (name, _) in &given {
        match EVIDENCE.iter().find(|(known, _)| known == name) {
            Some((_, true)) => {}
            Some((_, false)) => {
                let message =
                    format!("Paystorm keeps no files, so evidence[{name}] is not offered. Leave it out.");
                return Err(InputError::new(format!("evidence[{name}]"), "parameter_not_offered", message));
            }
            None => {
                let message = format!("Received unknown parameter: evidence[{name}]");
                return Err(InputError::new(format!("evidence[{name}]"), "parameter_unknown", message));
            }
        }
    }
    Ok(given)
}

/// Reads `reason` and `type` of a new dispute.
pub(super) fn complaint(params: &mut Params<'_>, amount_minor: Option<i64>) -> Result<Complaint, InputError> {
    let reason = match params.text("reason")? {
        None => DisputeReason::Fraudulent,
        Some(text) => DisputeReason::parse(&text).ok_or_else(|| {
            InputError::not_one_of("reason", &DisputeReason::ALL.map(DisputeReason::as_str))
        })?,
    };
    let raised = match params.text("type")? {
        None => Raised::Dispute,
        Some(text) => Raised::parse(&text)
            .ok_or_else(|| InputError::not_one_of("type", &Raised::ALL.map(Raised::as_str)))?,
    };
    Ok(Complaint { dispute: DisputeId::generate(), raised, reason, amount_minor })
}

/// Reads `dispute`.
pub(super) fn id(params: &mut Params<'_>) -> Result<DisputeId, InputError> {
    let text = params.text("dispute")?.ok_or_else(|| InputError::missing("dispute"))?;
    text.parse().map_err(|_| unknown("dispute"))
}

/// Reads `refund`.
pub(super) fn refund(params: &mut Params<'_>) -> Result<RefundId, InputError> {
    let text = params.text("refund")?.ok_or_else(|| InputError::missing("refund"))?;
    text.parse().map_err(|_| unknown("refund"))
}

fn unknown(param: &str) -> InputError {
    InputError::new(param, "resource_missing", format!("No such {param}."))
}

/// Reads `failure_reason` of a refund: the dialect's words.
pub(super) fn failure_reason(params: &mut Params<'_>) -> Result<DeclineReason, InputError> {
    const WORDS: [(&str, DeclineReason); 3] = [
        ("expired_or_canceled_card", DeclineReason::ExpiredCard),
        ("lost_or_stolen_card", DeclineReason::LostCard),
        ("insufficient_funds", DeclineReason::InsufficientFunds),
    ];
    let Some(text) = params.text("failure_reason")? else { return Ok(DeclineReason::ExpiredCard) };
    let found = WORDS.into_iter().find(|(word, _)| *word == text);
    found
        .map(|(_, reason)| reason)
        .ok_or_else(|| InputError::not_one_of("failure_reason", &WORDS.map(|(word, _)| word)))
}
