//! Amendments: what a caller changes about a payment after it was submitted. Pure.
//!
//! The event is small; all text is stored in a row beside the payment, complete as of that version. So any version needs
//! only the submission or one row.

use super::amounts;
use super::contact::Shipping;
use super::context::{Context, payable};
use super::customer::Field;
use super::event::Event;
use super::idempotency::IdempotencyKey;
use super::ids::{AccountId, CustomerId, PaymentId};
use super::metadata::{self, MetadataPatch};
use super::money::Money;
use super::payment::Payment;
use super::rejection::{Rejection, RejectionKind};
use super::status::Status;
use super::submission::Kind;
use super::terms::Terms;

/// The most amendments of one payment. They are counted separately from other events, so that they never prevent a refund
/// or a cancellation.
pub const AMENDMENTS_MAX: usize = 100;

/// A caller's changes to a payment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PaymentPatch {
    /// The new amount in minor units; refused once the payment is confirmed.
    pub amount_minor: Option<i64>,
    /// Free text.
    pub description: Field<String>,
    /// Pairs to set or remove.
    pub metadata: MetadataPatch,
    /// The customer; cannot be replaced once set.
    pub customer: Option<CustomerId>,
    /// The address for a receipt.
    pub receipt_email: Field<String>,
    /// Where the goods are sent.
    pub shipping: Field<Shipping>,
    /// The text on the cardholder's statement.
    pub statement_descriptor: Field<String>,
    /// The text after the account's own name there.
    pub statement_descriptor_suffix: Field<String>,
}

impl PaymentPatch {
    /// Approximate bytes of its text.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        let texts = [
            &self.description,
            &self.receipt_email,
            &self.statement_descriptor,
            &self.statement_descriptor_suffix,
        ];
        texts.into_iter().flatten().flatten().map(String::len).sum::<usize>()
            + metadata::text_bytes(&self.metadata.pairs)
            + self.shipping.iter().flatten().map(Shipping::text_bytes).sum::<usize>()
    }

    fn applied_to(&self, terms: &Terms) -> Result<Terms, Rejection> {
        let text = |field: &Field<String>, now: &Option<String>| field.clone().unwrap_or_else(|| now.clone());
        Ok(Terms {
            description: text(&self.description, &terms.description),
            metadata: self.metadata.applied_to(&terms.metadata)?,
            customer: self.customer.or(terms.customer),
            receipt_email: text(&self.receipt_email, &terms.receipt_email),
            shipping: self.shipping.clone().unwrap_or_else(|| terms.shipping.clone()),
            statement_descriptor: text(&self.statement_descriptor, &terms.statement_descriptor),
            statement_descriptor_suffix: text(
                &self.statement_descriptor_suffix,
                &terms.statement_descriptor_suffix,
            ),
        })
    }
}

/// Amend a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AmendPayment {
    /// The payment to amend.
    pub payment: PaymentId,
    /// Who asks; anyone but the owner gets "no such payment".
    pub actor: AccountId,
    /// The changes.
    pub patch: PaymentPatch,
    /// The caller's idempotency key.
    pub idempotency: Option<IdempotencyKey>,
}

/// An amendment as decided: the event, and the terms it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amendment {
    /// The event that records it.
    pub event: Event,
    /// The payment's terms from then on, if they change.
    pub terms: Option<Terms>,
}

/// Decides an amendment. `None` if nothing changes.
///
/// # Errors
/// A [`Rejection`] if the payment is not the actor's, or is in a state in which this cannot be changed any more.
pub fn amend(
    context: &Context<'_>,
    payment: &Payment,
    command: &AmendPayment,
) -> Result<Option<Amendment>, Rejection> {
    let (patch, submission) = (&command.patch, payment.submission());
    let charge = match submission.kind {
        Kind::Charge => true,
        Kind::TopUp | Kind::Transfer { .. } | Kind::Payout { .. } => false,
    };
    if payment.owner() != command.actor || !charge {
        return Err(Rejection::not_found("payment_intent", submission.public_id()).with_param("intent"));
    }
    let before = payment.terms();
    let terms = patch.applied_to(&before)?;
    let amount =
        Money::new(patch.amount_minor.unwrap_or(payment.amount().amount_minor), payment.amount().currency);
    let changed = [
        ("amount", amount != payment.amount()),
        ("customer", terms.customer != before.customer),
        ("statement_descriptor", terms.statement_descriptor != before.statement_descriptor),
        (
            "statement_descriptor_suffix",
            terms.statement_descriptor_suffix != before.statement_descriptor_suffix,
        ),
    ];
    if let Some((param, _)) = changed.into_iter().find(|(_, changed)| *changed)
        && !before_confirmation(payment.state().status)
    {
        return Err(too_late(payment, param));
    }
    if amount != payment.amount() {
        payable(amount, "amount")?;
        let wrong = |problem: amounts::AmountProblem| {
            Rejection::invalid("amount", problem.code(), problem.to_string())
        };
        amounts::check_charge(amount).map_err(wrong)?;
    }
    if let Some(customer) = patch.customer {
        if before.customer.is_some_and(|set| set != customer) {
            let message = "This payment has a customer already, who cannot be exchanged for another.";
            return Err(Rejection::invalid("customer", "payment_intent_unexpected_state", message));
        }
        // A payment's clock is fixed when it is created.
        if context.must_own(payment.owner(), customer)?.clock != payment.clock() {
            let message = "This customer goes by another test clock than the payment.";
            return Err(Rejection::invalid("customer", "payment_intent_unexpected_state", message));
        }
    }
    let event = Event::Amended {
        amount_minor: (amount != payment.amount()).then_some(amount.amount_minor),
        terms: (terms != before).then(|| Terms::fingerprint(&terms.to_bytes())),
    };
    if amount == payment.amount() && terms == before {
        return Ok(None);
    }
    if payment.amendments() >= AMENDMENTS_MAX {
        let message = format!(
            "This payment has been updated {AMENDMENTS_MAX} times, the most that is allowed. It can still be captured, canceled and refunded."
        );
        return Err(Rejection::new(RejectionKind::State, "payment_intent_update_limit", message));
    }
    Ok(Some(Amendment { event, terms: (terms != before).then_some(terms) }))
}

/// Whether nothing has been taken or held yet, so that the amount can still change.
const fn before_confirmation(status: Status) -> bool {
    match status {
        Status::RequiresPaymentMethod
        | Status::RequiresConfirmation
        | Status::RequiresAction
        | Status::Declined => true,
        Status::Queued
        | Status::Processing
        | Status::RequiresCapture
        | Status::Succeeded
        | Status::Failed
        | Status::Canceled => false,
    }
}

fn too_late(payment: &Payment, param: &str) -> Rejection {
    let status = payment.state().status.dialect();
    let message = format!(
        "This PaymentIntent's {param} could not be updated because it has a status of {status}. You may only update the {param} of a \
         PaymentIntent with one of the following statuses: requires_payment_method, requires_confirmation, requires_action."
    );
    Rejection::new(RejectionKind::State, "payment_intent_unexpected_state", message).with_param(param)
}
