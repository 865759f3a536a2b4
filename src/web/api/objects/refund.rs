//! Refunds.

use serde::Serialize;

use super::Metadata;
use crate::domain::payment::{Payment, Refund, RefundStatus};
use crate::web::api::details::RefundDetail;

/// A refund.
#[derive(Debug, Clone, Serialize)]
pub struct RefundObject {
    id: String,
    object: &'static str,
    amount: i64,
    charge: String,
    created: i64,
    currency: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<&'static str>,
    metadata: Metadata,
    payment_intent: String,
    reason: Option<String>,
    status: &'static str,
}

impl RefundObject {
    /// The object of this refund of that payment.
    #[must_use]
    pub fn of(payment: &Payment, refund: &Refund, detail: Option<&RefundDetail>) -> Self {
        Self {
            id: refund.id.to_string(),
            object: "refund",
            amount: refund.amount_minor,
            charge: payment.id().with_prefix("ch_"),
            created: refund.created_at.seconds(),
            currency: payment.submission().amount.currency.lower(),
            failure_reason: match refund.status {
                RefundStatus::Failed(_) => Some("expired_or_canceled_card"),
                RefundStatus::Pending | RefundStatus::Succeeded => None,
            },
            metadata: Metadata(detail.map(|detail| detail.metadata.clone()).unwrap_or_default()),
            payment_intent: payment.submission().public_id(),
            reason: detail.and_then(|detail| detail.reason.clone()),
            status: refund.status.as_str(),
        }
    }
}
