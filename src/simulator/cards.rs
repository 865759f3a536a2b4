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
    let presented = question.instrument.as_ref().and_then(Instrument::presented_card);
    let Some((card, test_card)) = presented.and_then(|used| Some((used, used.card.test_card()?))) else {
        // A stored card that this version does not know any more.
        return Verdict::Says(Outcome::Declined(DeclineReason::GenericDecline));
    };
    match question.operation {
        OperationKind::Authorize => authorize(card, test_card, question),
        // Refunds that are pending first or fail later need events of their own in the domain.
        OperationKind::Refund { .. } | OperationKind::Capture { .. } | OperationKind::Void => Verdict::Open,
    }
}

fn authorize(card: &PresentedCard, test_card: &TestCard, question: &Question) -> Verdict {
    let declined = |reason| Verdict::Says(Outcome::Declined(reason));
    match test_card.behaviour {
        // What follows (disputes, warnings, slow refunds) belongs to the operations after this one.
        Behaviour::Succeed | Behaviour::Frictionless | Behaviour::SucceedThen(_) => Verdict::Open,
        Behaviour::Decline(reason) | Behaviour::AttachThenDecline(reason) => declined(reason),
        Behaviour::DeclineIfCvc if card.card.checks.cvc.is_some() => declined(DeclineReason::IncorrectCvc),
        Behaviour::DeclineIfCvc => Verdict::Open,
        Behaviour::Blocked => Verdict::AtOnce(Outcome::Declined(DeclineReason::Fraudulent)),
        Behaviour::ThreeDSecure { then, set_up } => {
            let spared = set_up == SetUp::Done && card.presented.has(Presented::OFF_SESSION);
            match then {
                _ if !question.authenticated && !spared => Verdict::Says(challenge(card)),
                Some(reason) => declined(reason),
                None => Verdict::Open,
            }
        }
        Behaviour::ThreeDSecureLookupError => declined(DeclineReason::ProcessingError),
        Behaviour::ThreeDSecureOnRequest { breaks } => {
            match card.presented.has(Presented::REQUEST_3DS) && !question.authenticated {
                true if breaks => declined(DeclineReason::ProcessingError),
                true => Verdict::Says(challenge(card)),
                false => Verdict::Open,
            }
        }
        Behaviour::TechnicalErrors(attempts) if question.attempt <= attempts => {
            Verdict::Says(Outcome::Broken(TechnicalError::Timeout))
        }
        Behaviour::TechnicalErrors(_) => Verdict::Open,
    }
}

/// The challenge, or the decline where nobody can or may be asked. Nothing sets a card up yet, so that only those that
/// come set up are ever spared.
fn challenge(card: &PresentedCard) -> Outcome {
    let nobody = card.presented.has(Presented::OFF_SESSION) || card.presented.has(Presented::NO_ACTION);
    if nobody { Outcome::Declined(DeclineReason::AuthenticationRequired) } else { Outcome::ActionRequired }
}
