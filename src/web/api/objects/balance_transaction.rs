//! Balance transactions: the lines of a statement as the dialect shows them.

use serde::Serialize;

use super::Null;
use crate::domain::payment::Payment;
use crate::domain::statement::{LineKind, Side, StatementLine};
use crate::domain::time::Timestamp;

/// A fee deducted from a line.
#[derive(Debug, Clone, Serialize)]
struct FeeDetail {
    amount: i64,
    application: Option<String>,
    currency: String,
    description: &'static str,
    #[serde(rename = "type")]
    fee_type: &'static str,
}

/// A statement line. Field names and meanings are those of docs.stripe.com/api/balance_transactions/object.
#[derive(Debug, Clone, Serialize)]
pub struct BalanceTransaction {
    id: String,
    object: &'static str,
    amount: i64,
    available_on: i64,
    balance_type: &'static str,
    created: i64,
    currency: String,
    description: Option<String>,
    fee: i64,
    fee_details: Vec<FeeDetail>,
    net: i64,
    reporting_category: &'static str,
    source: String,
    status: &'static str,
    #[serde(rename = "type")]
    line_type: &'static str,
    #[serde(flatten)]
    null: Null,
}

impl BalanceTransaction {
    /// `payment` is the one behind the line; `None` if it is gone.
    #[must_use]
    pub fn of(line: &StatementLine, payment: Option<&Payment>, now: Timestamp) -> Self {
        let currency = line.wallet.currency.lower();
        let fee = FeeDetail {
            amount: line.fee_minor,
            application: None,
            currency: currency.clone(),
            description: match line.kind {
                LineKind::Dispute => "Dispute fee",
                _ => "Processing fees",
            },
            fee_type: "stripe_fee",
        };
        // The recipient of a transfer must not see the sender's description.
        let own = payment.filter(|_| line.id.side == Side::Submitter);
        Self {
            id: line.id.to_string(),
            object: "balance_transaction",
            amount: line.gross_minor,
            available_on: line.available_at.seconds(),
            balance_type: "payments",
            created: line.at.seconds(),
            currency,
            description: own.and_then(|payment| payment.submission().description.clone()),
            fee: line.fee_minor,
            fee_details: if line.fee_minor == 0 { Vec::new() } else { vec![fee] },
            net: line.net_minor(),
            reporting_category: line.kind.category(),
            source: Self::source_of(line),
            status: if line.available_at <= now { "available" } else { "pending" },
            line_type: line.kind.dialect(),
            null: Null(&["exchange_rate"]),
        }
    }

    /// The id of the object that caused the line.
    #[must_use]
    pub fn source_of(line: &StatementLine) -> String {
        let payment = |prefix: &str| line.id.payment.with_prefix(prefix);
        match (line.kind, line.part) {
            (LineKind::Charge, Some(part)) => part.with_prefix("ch_"),
            (LineKind::Dispute | LineKind::DisputeReversal, Some(part)) => part.with_prefix("du_"),
            (_, Some(part)) => part.with_prefix("re_"),
            (
                LineKind::Charge
                | LineKind::Refund
                | LineKind::RefundFailure
                | LineKind::Dispute
                | LineKind::DisputeReversal,
                None,
            ) => payment("ch_"),
            (LineKind::Payment, None) => payment("py_"),
            (LineKind::TopUp, None) => payment("tu_"),
            (LineKind::Transfer | LineKind::TransferFailure | LineKind::TransferCancel, None) => {
                payment("tr_")
            }
            (LineKind::Payout | LineKind::PayoutFailure | LineKind::PayoutCancel, None) => payment("po_"),
        }
    }
}
