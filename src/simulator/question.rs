//! Questions to an acquirer: everything a reply may depend on, and nothing else. Authorizations and follow-ups are separate
//! types, as they have different answers.

use crate::domain::forced::{self, Verdict};
use crate::domain::holder::Holder;
use crate::domain::ids::CustomerId;
use crate::domain::instrument::Instrument;
use crate::domain::money::Money;
use crate::domain::payment::{FollowUp, Operation, Payment};
use crate::domain::submission::Kind;
use crate::domain::time::Timestamp;

/// One attempt of one operation, as the outside sees it. `O` is the operation asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Question<'p, O> {
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
    /// The customer who pays, where one was named.
    pub customer: Option<CustomerId>,
    /// The payment's metadata.
    pub metadata: &'p [(String, String)],
    /// The cardholder's name, where it is known: only a scenario that asks for it has it looked up.
    pub holder: Option<&'p str>,
    /// The cardholder's e-mail address, else that for a receipt, as far as they are known.
    pub email: Option<&'p str>,
    /// When the attempt entered the queue, by the wall clock.
    pub queued_at: Timestamp,
    /// When the scenario that answers came into force, by the same clock.
    pub in_force_since: Timestamp,
}

/// Asks that the amount is taken or held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authorization {
    /// Whether the cardholder has completed 3-D Secure for it.
    pub authenticated: bool,
}

impl<'p> Question<'p, Authorization> {
    /// The question that this authorization of this payment asks now, under a scenario in force since a time of the wall clock.
    #[must_use]
    pub fn authorization(payment: &'p Payment, operation: &Operation, in_force_since: Timestamp) -> Self {
        let asked = Authorization { authenticated: payment.state().authenticated };
        let amount_minor = payment.submission().amount.amount_minor;
        Self::new(payment, operation, asked, amount_minor, in_force_since)
    }
}

impl<'p> Question<'p, FollowUp> {
    /// The question that this operation of this payment asks now, under a scenario in force since a time of the wall clock.
    #[must_use]
    pub fn follow_up(
        payment: &'p Payment,
        operation: &Operation,
        follow_up: FollowUp,
        in_force_since: Timestamp,
    ) -> Self {
        let amount_minor = match follow_up {
            FollowUp::Void => payment.authorized().amount_minor,
            FollowUp::Capture { amount_minor } | FollowUp::Refund { amount_minor, .. } => amount_minor,
        };
        Self::new(payment, operation, follow_up, amount_minor, in_force_since)
    }
}

impl<'p, O> Question<'p, O> {
    /// How long the scenario had been in force when the attempt entered the queue, in microseconds; 0 if it came into force later.
    #[must_use]
    pub fn in_force_us(&self) -> u64 {
        self.queued_at.micros_since(self.in_force_since)
    }

    /// The same question, by this cardholder.
    #[must_use]
    pub fn of_holder(self, holder: Option<&'p Holder>) -> Self {
        let Some(Holder { name, email }) = holder else { return self };
        Self { holder: name.as_deref(), email: email.as_deref().or(self.email), ..self }
    }

    /// The outcome that the payment asks for itself.
    #[must_use]
    pub fn forced(&self) -> Option<Verdict> {
        forced::forced(self.metadata)?.of_attempt(self.attempt)
    }

    fn new(
        payment: &'p Payment,
        operation: &Operation,
        asked: O,
        amount_minor: i64,
        in_force_since: Timestamp,
    ) -> Self {
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
            customer: payment.customer(),
            metadata: payment.metadata(),
            holder: None,
            email: payment.amended().and_then(|terms| terms.receipt_email.as_deref()),
            queued_at: operation.queued_at,
            in_force_since,
        }
    }
}
