//! The objects for money in and out of wallets: top-ups, transfers, payouts.

use serde::Serialize;

use super::{Extension, Metadata, Null, RETRIES_SPENT};
use crate::domain::bank_account::BankAccount;
use crate::domain::ids::AccountId;
use crate::domain::payment::Payment;
use crate::domain::status::Status;
use crate::domain::submission::Kind;

/// The fields that all three share.
#[derive(Debug, Clone, Serialize)]
struct Common {
    amount: i64,
    created: i64,
    currency: String,
    description: Option<String>,
    livemode: bool,
    metadata: Metadata,
}

impl Common {
    fn of(payment: &Payment) -> Self {
        let submission = payment.submission();
        Self {
            amount: submission.amount.amount_minor,
            created: payment.created_at().seconds(),
            currency: submission.amount.currency.lower(),
            description: submission.description.clone(),
            livemode: false,
            metadata: Metadata(submission.metadata.clone()),
        }
    }
}

/// The dialect's status. Its word for success differs between resources and is passed as `succeeded`.
const fn stage(status: Status, succeeded: &'static str) -> &'static str {
    match status {
        Status::RequiresPaymentMethod
        | Status::RequiresConfirmation
        | Status::Queued
        | Status::Processing
        | Status::RequiresAction
        | Status::RequiresCapture => "pending",
        Status::Succeeded => succeeded,
        Status::Declined | Status::Failed => "failed",
        Status::Canceled => "canceled",
    }
}

fn failure(payment: &Payment) -> (Option<&'static str>, Option<&'static str>) {
    let state = payment.state();
    match (state.decline, state.status) {
        (Some(reason), _) if payment.submission().kind.takes_from_wallet() => {
            let to_bank = matches!(payment.submission().kind, Kind::Payout { .. });
            (Some(reason.wallet_code()), Some(reason.wallet_message(to_bank)))
        }
        (Some(reason), _) => (Some(reason.code()), Some(reason.message())),
        (None, Status::Failed) => (Some("processing_error"), Some(RETRIES_SPENT)),
        (None, _) => (None, None),
    }
}

/// The status that the dialect shows for a top-up.
pub(super) const fn topup_status(status: Status) -> &'static str {
    stage(status, "succeeded")
}

/// The status that the dialect shows for a payout.
pub(super) const fn payout_status(status: Status) -> &'static str {
    match status {
        Status::Processing => "in_transit",
        Status::RequiresPaymentMethod
        | Status::RequiresConfirmation
        | Status::Queued
        | Status::RequiresAction
        | Status::RequiresCapture
        | Status::Succeeded
        | Status::Declined
        | Status::Failed
        | Status::Canceled => stage(status, "paid"),
    }
}

/// Money added to a wallet.
#[derive(Debug, Clone, Serialize)]
pub struct TopUp {
    id: String,
    object: &'static str,
    #[serde(flatten)]
    common: Common,
    failure_code: Option<&'static str>,
    failure_message: Option<&'static str>,
    status: &'static str,
    #[serde(flatten)]
    null: Null,
    paystorm: Extension,
}

impl TopUp {
    pub(super) fn of(payment: &Payment) -> Self {
        let (failure_code, failure_message) = failure(payment);
        Self {
            id: payment.submission().public_id(),
            object: "topup",
            common: Common::of(payment),
            failure_code,
            failure_message,
            status: topup_status(payment.state().status),
            null: Null(&[
                "balance_transaction",
                "expected_availability_date",
                "source",
                "statement_descriptor",
                "transfer_group",
            ]),
            paystorm: Extension::of(payment),
        }
    }
}

/// Money sent to a person.
#[derive(Debug, Clone, Serialize)]
pub struct Transfer {
    id: String,
    object: &'static str,
    #[serde(flatten)]
    common: Common,
    amount_reversed: i64,
    destination: String,
    reversed: bool,
    source_type: &'static str,
    #[serde(flatten)]
    null: Null,
    paystorm: Extension,
}

impl Transfer {
    pub(super) fn of(payment: &Payment, payee: AccountId) -> Self {
        Self {
            id: payment.submission().public_id(),
            object: "transfer",
            common: Common::of(payment),
            amount_reversed: 0,
            destination: payee.to_string(),
            reversed: false,
            source_type: "card",
            null: Null(&[
                "balance_transaction",
                "destination_payment",
                "source_transaction",
                "transfer_group",
            ]),
            paystorm: Extension::of(payment),
        }
    }
}

/// Money paid out to a bank account.
#[derive(Debug, Clone, Serialize)]
pub struct Payout {
    id: String,
    object: &'static str,
    #[serde(flatten)]
    common: Common,
    arrival_date: i64,
    automatic: bool,
    destination: String,
    failure_code: Option<&'static str>,
    failure_message: Option<&'static str>,
    method: &'static str,
    source_type: &'static str,
    status: &'static str,
    #[serde(rename = "type")]
    payout_type: &'static str,
    #[serde(flatten)]
    null: Null,
    paystorm: Extension,
}

impl Payout {
    pub(super) fn of(payment: &Payment, bank: BankAccount) -> Self {
        let (failure_code, failure_message) = failure(payment);
        let state = payment.state();
        let due_at = payment.due_at().or(state.settled_at).unwrap_or(state.updated_at);
        Self {
            id: payment.submission().public_id(),
            object: "payout",
            common: Common::of(payment),
            arrival_date: due_at.seconds(),
            automatic: false,
            destination: format!("ba_test_{}", bank.last4()),
            failure_code,
            failure_message,
            method: "standard",
            source_type: "card",
            status: payout_status(state.status),
            payout_type: "bank_account",
            null: Null(&[
                "application_fee",
                "application_fee_amount",
                "balance_transaction",
                "failure_balance_transaction",
                "original_payout",
                "payout_method",
                "reversed_by",
                "statement_descriptor",
                "trace_id",
            ]),
            paystorm: Extension::of(payment),
        }
    }
}
