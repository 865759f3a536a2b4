//! Refunds as the dialect shows them.

use serde::Serialize;

use super::charge::{ChargeExpand, ChargeObject};
use super::{Expand, Expandable, Metadata, Null, PaymentIntent, Presenter};
use crate::domain::decline::DeclineReason;
use crate::domain::payment::{Payment, Refund, RefundStatus};
use crate::domain::statement::LineId;
use crate::intake::details::{Attempts, RefundDetail};

/// The properties of a refund to show in full instead of by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RefundExpand {
    /// `charge`.
    pub charge: bool,
    /// `payment_intent`.
    pub payment_intent: bool,
}

impl RefundExpand {
    /// What it adds to the form of a request. Empty by default.
    #[must_use]
    pub const fn asked(self) -> &'static [u8] {
        match (self.charge, self.payment_intent) {
            (false, false) => b"",
            (true, false) => b"expand charge",
            (false, true) => b"expand payment_intent",
            (true, true) => b"expand charge, payment_intent",
        }
    }
}

/// A refund. Field names and meanings are those of docs.stripe.com/api/refunds/object.
#[derive(Debug, Clone, Serialize)]
pub struct RefundObject {
    id: String,
    object: &'static str,
    amount: i64,
    balance_transaction: Option<String>,
    charge: Option<Expandable<ChargeObject>>,
    created: i64,
    currency: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_balance_transaction: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<&'static str>,
    metadata: Metadata,
    payment_intent: Expandable<PaymentIntent>,
    reason: Option<String>,
    status: &'static str,
    #[serde(flatten)]
    null: Null,
}

const NULL: Null = Null(&["receipt_number", "source_transfer_reversal", "transfer_reversal"]);

impl RefundObject {
    /// The object of one of this payment's refunds. `attempts` is needed only for expanded properties.
    #[must_use]
    pub fn of(
        payment: &Payment,
        refund: &Refund,
        detail: Option<&RefundDetail>,
        attempts: &Attempts,
        expand: RefundExpand,
        presenter: Presenter<'_>,
    ) -> Self {
        Self {
            id: refund.id.to_string(),
            object: "refund",
            amount: refund.amount_minor,
            balance_transaction: presenter.line(payment.owner(), LineId::of_refund(payment, refund.id)),
            charge: payment.charge_taken().map(|charge| {
                Expandable::new(expand.charge, charge.id.to_string(), || {
                    ChargeObject::of(payment, charge, attempts, ChargeExpand::default(), presenter)
                })
            }),
            created: refund.created_at.seconds(),
            currency: payment.submission().amount.currency.lower(),
            failure_balance_transaction: presenter
                .line(payment.owner(), LineId::of_failed_refund(payment, refund.id)),
            failure_reason: match refund.status {
                RefundStatus::Failed(reason) => Some(failure_reason(reason)),
                RefundStatus::Pending | RefundStatus::Succeeded => None,
            },
            metadata: Metadata(detail.map(|detail| detail.metadata.clone()).unwrap_or_default()),
            payment_intent: Expandable::new(expand.payment_intent, payment.submission().public_id(), || {
                PaymentIntent::of(payment, Expand::default(), presenter, attempts)
            }),
            reason: detail.and_then(|detail| detail.reason.clone()),
            status: refund.status.as_str(),
            null: NULL,
        }
    }
}

/// The dialect's `failure_reason`, which has few words.
const fn failure_reason(reason: DeclineReason) -> &'static str {
    match reason {
        DeclineReason::LostCard | DeclineReason::StolenCard => "lost_or_stolen_card",
        DeclineReason::InsufficientFunds => "insufficient_funds",
        DeclineReason::GenericDecline
        | DeclineReason::CardVelocityExceeded
        | DeclineReason::ExpiredCard
        | DeclineReason::IncorrectCvc
        | DeclineReason::ProcessingError
        | DeclineReason::Fraudulent
        | DeclineReason::AuthenticationFailure
        | DeclineReason::AuthenticationRequired
        | DeclineReason::AccountClosed => "expired_or_canceled_card",
    }
}
