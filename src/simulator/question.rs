//! What an acquirer is asked: everything a reply may depend on, and nothing else.

use crate::domain::ids::AccountId;
use crate::domain::instrument::Instrument;
use crate::domain::money::Money;
use crate::domain::payment::{Operation, OperationKind, Payment};
use crate::domain::submission::Kind;

/// One attempt of one operation, as the outside sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question {
    /// Whose payment it is.
    pub owner: AccountId,
    /// The kind of payment.
    pub kind: Kind,
    /// The amount the operation is about: that of the payment, or the part to capture or refund.
    pub amount: Money,
    /// What the attempt goes through.
    pub instrument: Option<Instrument>,
    /// Whether the cardholder has completed 3-D Secure for it.
    pub authenticated: bool,
    /// What is asked.
    pub operation: OperationKind,
    /// The operation's number within the payment.
    pub number: u16,
    /// The attempt, counted from 1.
    pub attempt: u16,
    /// What seeds the draws.
    pub draw_key: u64,
}

impl Question {
    /// The question that this operation of this payment asks now.
    #[must_use]
    pub fn new(payment: &Payment, operation: &Operation) -> Self {
        let submission = payment.submission();
        let amount_minor = match operation.kind {
            OperationKind::Authorize => submission.amount.amount_minor,
            OperationKind::Void => payment.authorized().amount_minor,
            OperationKind::Capture { amount_minor } | OperationKind::Refund { amount_minor, .. } => {
                amount_minor
            }
        };
        Self {
            owner: submission.owner,
            kind: submission.kind,
            amount: Money::new(amount_minor, submission.amount.currency),
            instrument: payment.state().instrument,
            authenticated: payment.state().authenticated,
            operation: operation.kind,
            number: operation.number,
            attempt: operation.attempt,
            draw_key: submission.draw_key,
        }
    }
}
