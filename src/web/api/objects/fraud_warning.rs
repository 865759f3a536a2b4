//! Early fraud warnings as the dialect shows them.

use serde::Serialize;

use crate::domain::payment::{FraudWarning, Payment};

/// An early fraud warning. Field names and meanings are those of docs.stripe.com/api/radar/early_fraud_warnings/object.
#[derive(Debug, Clone, Serialize)]
pub struct FraudWarningObject {
    id: String,
    object: &'static str,
    actionable: bool,
    charge: Option<String>,
    created: i64,
    fraud_type: &'static str,
    livemode: bool,
    payment_intent: String,
}

impl FraudWarningObject {
    /// The object of one of this payment's warnings.
    #[must_use]
    pub fn of(payment: &Payment, warning: &FraudWarning) -> Self {
        Self {
            id: warning.id.to_string(),
            object: "radar.early_fraud_warning",
            // A refund still averts a dispute, until there is one or nothing is left.
            actionable: payment.state().disputes.is_empty() && payment.refundable_minor() > 0,
            charge: payment.charge_taken().map(|charge| charge.id.to_string()),
            created: warning.created_at.seconds(),
            fraud_type: "unauthorized_use_of_card",
            livemode: false,
            payment_intent: payment.submission().public_id(),
        }
    }
}
