//! Reads operations on existing payments.

use super::attempt::Attempt;
use super::canonical::Canonical;
use super::card::{Given, card_of};
use super::dispute::{self, Answering};
use super::{idempotency, text};
use crate::domain::command::{Action, IdempotencyKey, OperatePayment};
use crate::domain::event::CancelReason;
use crate::domain::idempotency::{KeySecret, RequestKey};
use crate::domain::ids::{AccountId, ChargeId, PartId, PaymentId, RefundId};
use crate::domain::instrument::{Instrument, Presented};
use crate::domain::listed::listed;
use crate::intake::details::{Named, RefundDetail};
use crate::intake::error::InputError;
use crate::intake::params::Params;
use crate::intake::rules::InputContext;

listed! {
    /// The operations that callers can ask for.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Verb {
        /// Release the payment to be processed.
        Confirm,
        /// Take all or part of the authorised amount.
        Capture,
        /// End it before money moves, or void its authorisation.
        Cancel,
        /// Give all or part of the money back.
        Refund,
        /// The cardholder answered the challenge.
        CompleteAction,
        /// Try a parked operation again.
        Replay,
        /// Dispute the charge, as its cardholder or issuer would.
        Dispute,
        /// Give a dispute up.
        CloseDispute,
        /// Let a pending refund arrive.
        SucceedRefund,
        /// Let a refund fail, also one that has arrived.
        FailRefund,
    }
}

impl Verb {
    /// The name on the WebSocket, in forms and in the demo's script.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Capture => "capture",
            Self::Cancel => "cancel",
            Self::Refund => "refund",
            Self::CompleteAction => "complete_action",
            Self::Replay => "replay",
            Self::Dispute => "dispute",
            Self::CloseDispute => "close_dispute",
            Self::SucceedRefund => "succeed_refund",
            Self::FailRefund => "fail_refund",
        }
    }

    /// The verb with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.as_str() == name)
    }

    /// Whether it may be of a part of the amount, and so takes one as a parameter.
    #[must_use]
    pub const fn takes_amount(self) -> bool {
        match self {
            Self::Capture | Self::Refund | Self::Dispute => true,
            Self::Confirm
            | Self::Cancel
            | Self::CompleteAction
            | Self::Replay
            | Self::CloseDispute
            | Self::SucceedRefund
            | Self::FailRefund => false,
        }
    }
}

/// An operation, read and checked as far as is possible without the store.
#[derive(Debug, Clone)]
pub struct OperationDraft {
    action: Action,
    /// Further bytes of the request's form.
    extra: Vec<u8>,
    card: Given,
    /// Kept beside the payment or its refund.
    detail: Option<Named>,
    /// The idempotency key: read from the parameters, or set by an entrance that has its own.
    pub key: Option<RequestKey>,
    key_secret: KeySecret,
}

impl OperationDraft {
    /// Reads the parameters of this operation. `amount` is the name of the parameter with the amount, where the verb takes one.
    ///
    /// # Errors
    /// [`InputError`] names the parameter at fault.
    pub fn read(
        params: &mut Params<'_>,
        verb: Verb,
        amount: &str,
        context: &InputContext<'_>,
    ) -> Result<Self, InputError> {
        let card = if verb == Verb::Confirm { card_of(params, context)? } else { Given::default() };
        let amount_minor = if verb.takes_amount() { amount_minor(params, amount)? } else { None };
        let action = match verb {
            Verb::Confirm => Action::Confirm {
                instrument: card.card.map(Instrument::Card),
                presented: Presented::default(),
                charge: ChargeId::generate(),
            },
            Verb::Capture => Action::Capture { amount_minor },
            Verb::Cancel => Action::Cancel { reason: cancel_reason(params)? },
            Verb::Refund => Action::Refund { refund: RefundId::generate(), amount_minor, detail: Some(0) },
            Verb::CompleteAction => {
                Action::CompleteAction { passed: params.boolean("passed")?.unwrap_or(true) }
            }
            Verb::Replay => Action::Replay,
            Verb::Dispute => Action::Dispute(dispute::complaint(params, amount_minor)?),
            Verb::CloseDispute => Action::CloseDispute { dispute: dispute::id(params)? },
            Verb::SucceedRefund => Action::EndRefund { refund: dispute::refund(params)?, failed: None },
            Verb::FailRefund => Action::EndRefund {
                refund: dispute::refund(params)?,
                failed: Some(dispute::failure_reason(params)?),
            },
        };
        text::check_params(params, context.rules)?;
        let key = idempotency::key(params)?;
        Ok(Self { action, extra: Vec::new(), card, detail: None, key, key_secret: context.rules.key_secret })
    }

    /// Reads what the merchant says about a dispute, and adds it to what was said before.
    ///
    /// # Errors
    /// [`InputError`] names the parameter at fault.
    pub fn answer(
        params: &mut Params<'_>,
        before: &Answering,
        context: &InputContext<'_>,
    ) -> Result<Self, InputError> {
        text::check_params(params, context.rules)?;
        let key = idempotency::key(params)?;
        let dispute::Answer { answered, detail, asked } = dispute::answer(params, before)?;
        let action = Action::AnswerDispute(answered);
        let key_secret = context.rules.key_secret;
        Ok(Self { action, extra: asked, card: Given::default(), detail, key, key_secret })
    }

    /// Adds what is known of a confirmed attempt beside the card. Other operations ignore it.
    pub fn present(&mut self, attempt: &Attempt) {
        if let Action::Confirm { presented, .. } = &mut self.action {
            (*presented, self.detail) = attempt.named();
        }
    }

    /// Adds what is kept beside a refund. Other operations ignore it.
    pub fn describe(&mut self, with: &RefundDetail) {
        if let Action::Refund { refund, detail, .. } = &mut self.action
            && let Some(named) = with.named(*refund)
        {
            *detail = Some(named.0);
            self.detail = Some(named);
        }
    }

    /// The detail, to be written before the command is handed in.
    pub(in crate::intake) const fn take_detail(&mut self) -> Option<Named> {
        self.detail.take()
    }

    /// Whether it is a confirmation with a card.
    #[must_use]
    pub const fn brings_card(&self) -> bool {
        matches!(self.action, Action::Confirm { instrument: Some(_), .. })
    }

    /// The part that its detail is kept of; `None` for the payment itself.
    #[must_use]
    pub(in crate::intake) fn described_part(&self) -> Option<PartId> {
        match self.action {
            Action::Refund { refund, .. } => Some(refund.into()),
            Action::AnswerDispute(answer) => Some(answer.dispute.into()),
            Action::Confirm { .. }
            | Action::Capture { .. }
            | Action::Cancel { .. }
            | Action::CompleteAction { .. }
            | Action::Replay
            | Action::EndRefund { .. }
            | Action::Dispute(_)
            | Action::CloseDispute { .. } => None,
        }
    }

    /// Adds further parameters to the form, so that the same key with other parameters is noticed.
    #[must_use]
    pub fn asking_also(mut self, extra: &[u8]) -> Self {
        self.extra.extend_from_slice(extra);
        self
    }

    /// Why it cannot be done now, although it may have been done before.
    #[must_use]
    pub(in crate::intake) const fn obstacle(&self) -> Option<&InputError> {
        self.card.lapsed.as_ref()
    }

    /// Its idempotency key as it is stored.
    #[must_use]
    pub(in crate::intake) fn stored_key(&self) -> Option<[u8; 32]> {
        self.key.as_ref().map(|key| IdempotencyKey::new(key, &[], &self.key_secret).key)
    }

    /// The command on that payment, as asked by `actor`. Callers check [`Self::obstacle`] first.
    #[must_use]
    pub(in crate::intake) fn into_command(self, payment: PaymentId, actor: AccountId) -> OperatePayment {
        let action = self.action;
        let mut form = canonical(payment, &action, &self.card);
        form.extend_from_slice(&self.extra);
        let idempotency = self.key.map(|key| IdempotencyKey::new(&key, &form, &self.key_secret));
        OperatePayment { payment, actor, action, idempotency }
    }
}

fn amount_minor(params: &mut Params<'_>, name: &str) -> Result<Option<i64>, InputError> {
    match params.integer(name)? {
        Some(..=0) => {
            let message = "Invalid positive integer: this value must be greater than or equal to 1.";
            Err(InputError::new(name, "parameter_invalid_integer", message))
        }
        amount => Ok(amount),
    }
}

fn cancel_reason(params: &mut Params<'_>) -> Result<CancelReason, InputError> {
    let name = if params.has("reason") { "reason" } else { "cancellation_reason" };
    match params.text(name)? {
        None => Ok(CancelReason::NotGiven),
        Some(text) => CancelReason::parse(&text).ok_or_else(|| {
            let message = "Invalid cancellation reason: must be one of duplicate, fraudulent, requested_by_customer or abandoned.";
            InputError::new(name, "parameter_invalid_enum", message)
        }),
    }
}

/// The form over which the idempotency hash is taken. The new id of a refund or dispute is not part of what was asked. Hashes are stored,
/// so the words here stay what they are even if a verb is renamed.
fn canonical(payment: PaymentId, action: &Action, card: &Given) -> Vec<u8> {
    let amount = |minor: &Option<i64>| minor.map(i64::to_be_bytes);
    let form = Canonical::default().field("operate").field(payment.as_bytes());
    match action {
        Action::Confirm { presented, .. } => {
            let form = form.field("confirm").card(card);
            // An absent field leaves the form as it was before the field existed, so older hashes still match.
            if presented.is_empty() { form } else { form.field(presented.to_bytes()) }
        }
        Action::Capture { amount_minor } => form.field("capture").optional(amount(amount_minor)),
        Action::Cancel { reason } => form.field("cancel").field(reason.as_str()),
        Action::Refund { amount_minor, .. } => form.field("refund").optional(amount(amount_minor)),
        Action::CompleteAction { passed } => form.field("complete_action").field([u8::from(*passed)]),
        Action::Replay => form.field("replay"),
        Action::EndRefund { refund, failed } => {
            let form = form.field("end_refund").field(refund.as_bytes());
            form.optional(failed.map(|reason| reason.decline_code()))
        }
        Action::Dispute(complaint) => {
            let form =
                form.field("dispute").field(complaint.raised.as_str()).field(complaint.reason.as_str());
            form.optional(amount(&complaint.amount_minor))
        }
        // What was said is part of the form as it was sent.
        Action::AnswerDispute(answer) => form.field("answer_dispute").field(answer.dispute.as_bytes()),
        Action::CloseDispute { dispute } => form.field("close_dispute").field(dispute.as_bytes()),
    }
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::Verb;

    #[test]
    fn verbs_read_back() {
        for verb in Verb::ALL {
            assert_eq!(Verb::parse(verb.as_str()), Some(verb));
        }
        assert_eq!(Verb::parse("void"), None);
    }
}
