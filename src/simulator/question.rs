//! Questions to an acquirer: everything a reply may depend on, and nothing else. Authorizations and follow-ups are separate
//! types, as they have different answers.

use crate::domain::instrument::Instrument;
use crate::domain::money::Money;
use crate::domain::payment::{FollowUp, Operation, Payment};
use crate::domain::submission::Kind;

/// One attempt of one operation, as the outside sees it. `O` is the operation asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question<O> {
    /// The kind of payment, which determines the acquirer.
    pub kind: Kind,
    /// The operation's amount: the payment's, or the part to capture or refund.
    pub amount: Money,
    /// The payment's own amount in minor units. Routing goes by it: whoever authorized the whole captures and refunds the parts.
    pub payment_minor: i64,
    /// The attempt's instrument.
    pub instrument: Option<Instrument>,
    /// The operation asked for.
    pub operation: O,
    /// The operation's number within the payment.
    pub number: u16,
    /// The attempt, counted from 1.
    pub attempt: u16,
    /// Seeds the draws; from the submission.
    pub draw_key: u64,
}

/// Asks that the amount is taken or held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authorization {
    /// Whether the cardholder has completed 3-D Secure for it.
    pub authenticated: bool,
}

impl Question<Authorization> {
    /// The question that this authorization of this payment asks now.
    #[must_use]
    pub fn authorization(payment: &Payment, operation: &Operation) -> Self {
        let asked = Authorization { authenticated: payment.state().authenticated };
        Self::new(payment, operation, asked, payment.submission().amount.amount_minor)
    }
}

impl Question<FollowUp> {
    /// The question that this operation of this payment asks now.
    #[must_use]
    pub fn follow_up(payment: &Payment, operation: &Operation, follow_up: FollowUp) -> Self {
        let amount_minor = match follow_up {
            FollowUp::Void => payment.authorized().amount_minor,
            FollowUp::Capture { amount_minor } | FollowUp::Refund { amount_minor, .. } => amount_minor,
        };
        Self::new(payment, operation, follow_up, amount_minor)
    }
}

impl<O> Question<O> {
    fn new(payment: &Payment, operation: &Operation, asked: O, amount_minor: i64) -> Self {
        let submission = payment.submission();
        Self {
            kind: submission.kind,
            amount: Money::new(amount_minor, submission.amount.currency),
            payment_minor: submission.amount.amount_minor,
            instrument: payment.state().instrument,
            operation: asked,
            number: operation.number,
            attempt: operation.attempt,
            draw_key: submission.draw_key,
        }
    }
}
