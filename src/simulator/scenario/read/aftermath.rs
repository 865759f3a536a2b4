//! `then = { … }`: what follows an approval.

use super::field::Field;
use super::section::Section;
use crate::domain::aftermath::{Aftermath, Follows, Later, RefundCourse};
use crate::domain::consequences::{DISPUTED_AFTER_MS, REFUND_AFTER_MS};
use crate::domain::dispute::DisputeReason;
use crate::domain::payment::OperationName;
use crate::simulator::scenario::Conditions;

/// The keys of `then`.
pub(super) const KEYS: [&str; 6] =
    ["dispute", "inquiry", "early_fraud_warning", "late_failure", "refund", "after"];
/// What may follow.
const WHAT: [&str; 5] = ["dispute", "inquiry", "early_fraud_warning", "late_failure", "refund"];

/// What may become of refunds.
pub(super) const COURSES: [(&str, RefundCourse); 3] = [
    ("pending", RefundCourse::Arrives),
    ("pending_then_fails", RefundCourse::Fails),
    ("comes_back", RefundCourse::ComesBack),
];

/// What follows the approvals of a rule with these conditions.
pub(super) fn aftermath(field: &Field<'_>, when: &Conditions) -> Option<Aftermath> {
    let section = Section::of(field, &KEYS)?;
    let Some((key, what)) = section.only_one(&WHAT) else {
        section.refuse("needs dispute, inquiry, early_fraud_warning, late_failure or refund");
        return None;
    };
    let later = match key {
        "dispute" => reason(&what).map(|reason| Later::Money(Follows::Dispute(reason))),
        "inquiry" => reason(&what).map(|reason| Later::Money(Follows::Inquiry(reason))),
        "late_failure" => reason(&what).map(|reason| Later::Money(Follows::Failure(reason))),
        "refund" => what.word("course of refunds", &COURSES).map(Later::Refund),
        _ => warning(&what).map(Later::Money),
    }?;
    let usual_ms = match later {
        Later::Money(_) => DISPUTED_AFTER_MS,
        Later::Refund(_) => REFUND_AFTER_MS,
    };
    if !when.operations.is_empty() && !when.operations.iter().any(|operation| brings(later, *operation)) {
        what.refuse(match later {
            Later::Money(_) => "follows money, which neither a refund nor a void brings; see match.operation",
            Later::Refund(_) => "follows refunds, which match.operation leaves out",
        });
    }
    let after_us = section.get("after").map_or(Some(usual_ms * 1_000), |after| after.duration_us());
    Some(Aftermath { later, after_ms: after_us?.div_ceil(1_000) })
}

fn reason(field: &Field<'_>) -> Option<DisputeReason> {
    field.word("reason", &DisputeReason::ALL.map(|reason| (reason.as_str(), reason)))
}

fn warning(field: &Field<'_>) -> Option<Follows> {
    let warns = field.boolean()?;
    if !warns {
        field.refuse("must be true; leave it out otherwise");
    }
    warns.then_some(Follows::FraudWarning)
}

/// Whether such a thing can follow this operation.
const fn brings(later: Later, operation: OperationName) -> bool {
    match operation {
        OperationName::Authorize | OperationName::Capture => matches!(later, Later::Money(_)),
        OperationName::Refund => matches!(later, Later::Refund(_)),
        OperationName::Void => false,
    }
}
