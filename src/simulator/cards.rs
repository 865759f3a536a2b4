//! What each magic card decides by itself, whatever is drawn.

use super::question::Question;
use crate::domain::command::Outcome;
use crate::domain::decline::DeclineReason;
use crate::domain::event::TechnicalError;
use crate::domain::instrument::{Instrument, Presented, PresentedCard};
use crate::domain::payment::OperationKind;
use crate::domain::test_cards::{Behaviour, SetUp, TestCard};

/// What a card has to say about a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardDecision {
    /// Nothing: rates and rules decide.
    Undecided,
    /// This, after the usual time.
    Fixed(Outcome),
    /// This, at once: the issuer is not asked.
    Immediate(Outcome),
}

/// What the card of this question says.
#[must_use]
pub fn card_decision(question: &Question) -> CardDecision {
    let presented = question.instrument.as_ref().and_then(Instrument::presented_card);
    let Some((card, test_card)) = presented.and_then(|used| Some((used, used.card.test_card()?))) else {
        // A stored card that this version does not know any more.
        return CardDecision::Fixed(Outcome::Declined(DeclineReason::GenericDecline));
    };
    match question.operation {
        OperationKind::Authorize => authorize(card, test_card, question),
        // Refunds that are pending first or fail later need events of their own in the domain.
        OperationKind::Refund { .. } | OperationKind::Capture { .. } | OperationKind::Void => {
            CardDecision::Undecided
        }
    }
}

fn authorize(card: &PresentedCard, test_card: &TestCard, question: &Question) -> CardDecision {
    let declined = |reason| CardDecision::Fixed(Outcome::Declined(reason));
    match test_card.behaviour {
        // What follows (disputes, warnings, slow refunds) belongs to the operations after this one.
        Behaviour::Succeed | Behaviour::Frictionless | Behaviour::SucceedThen(_) => CardDecision::Undecided,
        Behaviour::Decline(reason) | Behaviour::AttachThenDecline(reason) => declined(reason),
        Behaviour::DeclineIfCvc if card.card.checks.cvc.is_some() => declined(DeclineReason::IncorrectCvc),
        Behaviour::DeclineIfCvc => CardDecision::Undecided,
        Behaviour::Blocked => CardDecision::Immediate(Outcome::Declined(DeclineReason::Fraudulent)),
        Behaviour::ThreeDSecure { then, set_up } => {
            let spared = set_up == SetUp::Done && card.presented.has(Presented::OFF_SESSION);
            match then {
                _ if !question.authenticated && !spared => CardDecision::Fixed(challenge(card)),
                Some(reason) => declined(reason),
                None => CardDecision::Undecided,
            }
        }
        Behaviour::ThreeDSecureLookupError => declined(DeclineReason::ProcessingError),
        Behaviour::ThreeDSecureOnRequest { breaks } => {
            match card.presented.has(Presented::REQUEST_3DS) && !question.authenticated {
                true if breaks => declined(DeclineReason::ProcessingError),
                true => CardDecision::Fixed(challenge(card)),
                false => CardDecision::Undecided,
            }
        }
        Behaviour::TechnicalErrors(attempts) if question.attempt <= attempts => {
            CardDecision::Fixed(Outcome::TechnicalFailure(TechnicalError::Timeout))
        }
        Behaviour::TechnicalErrors(_) => CardDecision::Undecided,
    }
}

/// The challenge, or the decline where nobody can or may be asked. Nothing sets a card up yet, so that only those that
/// come set up are ever spared.
fn challenge(card: &PresentedCard) -> Outcome {
    let nobody = card.presented.has(Presented::OFF_SESSION) || card.presented.has(Presented::NO_ACTION);
    if nobody { Outcome::Declined(DeclineReason::AuthenticationRequired) } else { Outcome::ActionRequired }
}
