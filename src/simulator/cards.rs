//! What each magic card decides by itself, whatever is drawn.

use super::question::Question;
use crate::domain::card::{Behaviour, Later, TestCard};
use crate::domain::command::Outcome;
use crate::domain::decline::DeclineReason;
use crate::domain::event::TechnicalError;
use crate::domain::payment::OperationKind;

/// What a card has to say about a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: rates and rules decide.
    Open,
    /// This, after the usual time.
    Says(Outcome),
    /// This, at once: the issuer is not asked.
    AtOnce(Outcome),
}

/// What the card of this question says.
#[must_use]
pub fn verdict(question: &Question) -> Verdict {
    let card = question.card.and_then(|card| card.test_card().map(|known| (known, card.cvc_sent)));
    let Some((card, cvc_sent)) = card else {
        // A stored card that this version does not know any more.
        return Verdict::Says(Outcome::Declined(DeclineReason::GenericDecline));
    };
    match question.operation {
        OperationKind::Authorize => authorize(card, cvc_sent, question),
        OperationKind::Refund { .. } => refund(card),
        OperationKind::Capture { .. } | OperationKind::Void => Verdict::Open,
    }
}

fn authorize(card: &TestCard, cvc_sent: bool, question: &Question) -> Verdict {
    let declined = |reason| Verdict::Says(Outcome::Declined(reason));
    match card.behaviour {
        // What follows (disputes, warnings, slow refunds) belongs to the operations after this one.
        Behaviour::Succeed | Behaviour::SucceedThen(_) => Verdict::Open,
        Behaviour::Decline(reason) => declined(reason),
        Behaviour::DeclineIfCvc if cvc_sent => declined(DeclineReason::IncorrectCvc),
        Behaviour::DeclineIfCvc => Verdict::Open,
        Behaviour::AttachThenDecline => declined(DeclineReason::GenericDecline),
        Behaviour::Blocked => Verdict::AtOnce(Outcome::Declined(DeclineReason::Fraudulent)),
        // Nothing sets a card up yet, so that `unless_set_up` never spares the challenge.
        Behaviour::ThreeDSecure { .. } if !question.authenticated => Verdict::Says(Outcome::ActionRequired),
        Behaviour::ThreeDSecure { then: Some(reason), .. } => declined(reason),
        Behaviour::ThreeDSecure { then: None, .. } => Verdict::Open,
        Behaviour::ThreeDSecureLookupError => declined(DeclineReason::ProcessingError),
        Behaviour::TechnicalErrors(attempts) if question.attempt <= attempts => {
            Verdict::Says(Outcome::Broken(TechnicalError::Timeout))
        }
        Behaviour::TechnicalErrors(_) => Verdict::Open,
    }
}

fn refund(card: &TestCard) -> Verdict {
    match card.behaviour {
        // Room for refunds that are pending first or fail later: they need events of their own in the domain.
        Behaviour::SucceedThen(
            Later::RefundPending
            | Later::RefundFails
            | Later::DisputeFraudulent
            | Later::DisputeNotReceived
            | Later::Inquiry
            | Later::FraudWarning
            | Later::InstantFunds,
        )
        | Behaviour::Succeed
        | Behaviour::Decline(_)
        | Behaviour::DeclineIfCvc
        | Behaviour::AttachThenDecline
        | Behaviour::Blocked
        | Behaviour::ThreeDSecure { .. }
        | Behaviour::ThreeDSecureLookupError
        | Behaviour::TechnicalErrors(_) => Verdict::Open,
    }
}
