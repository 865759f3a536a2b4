//! Magic cards: the outcomes that each determines by itself, whatever is drawn.

use super::question::{Authorization, Question};
use crate::domain::command::{AuthorizationResponse, FollowUpResponse};
use crate::domain::decline::DeclineReason;
use crate::domain::event::TechnicalError;
use crate::domain::instrument::{Instrument, Presented, PresentedCard};
use crate::domain::payment::FollowUp;
use crate::domain::test_cards::{Behaviour, SetUp, TestCard};

/// A card's own decision on a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardDecision<R> {
    /// None: rates and rules decide.
    Undecided,
    /// This response, after the usual latency.
    Fixed(R),
    /// This response at once: the issuer is not asked.
    Immediate(R),
}

/// The decision of the question's card on an authorization.
#[must_use]
pub fn authorization(question: &Question<'_, Authorization>) -> CardDecision<AuthorizationResponse> {
    match test_card(question) {
        Some((card, test_card)) => authorize(card, test_card, question),
        None => CardDecision::Fixed(AuthorizationResponse::Declined(DeclineReason::GenericDecline)),
    }
}

/// The decision of the question's card on a follow-up.
#[must_use]
pub fn follow_up(question: &Question<'_, FollowUp>) -> CardDecision<FollowUpResponse> {
    match test_card(question) {
        // Refunds that are pending first or fail later are approved; the rest is the domain's.
        Some(_) => CardDecision::Undecided,
        None => CardDecision::Fixed(FollowUpResponse::Declined(DeclineReason::GenericDecline)),
    }
}

/// The response of an issuer that wants the cardholder of this question authenticated.
#[must_use]
pub fn challenged(question: &Question<'_, Authorization>) -> AuthorizationResponse {
    let presented = question.instrument.as_ref().and_then(Instrument::presented_card);
    presented.map_or(AuthorizationResponse::Approved, challenge)
}

/// The card of a question; `None` for a stored card that this version no longer lists.
fn test_card<'q, O>(question: &'q Question<'_, O>) -> Option<(&'q PresentedCard, &'static TestCard)> {
    let presented = question.instrument.as_ref().and_then(Instrument::presented_card)?;
    Some((presented, presented.card.test_card()?))
}

fn authorize(
    card: &PresentedCard,
    test_card: &TestCard,
    question: &Question<'_, Authorization>,
) -> CardDecision<AuthorizationResponse> {
    let declined = |reason| CardDecision::Fixed(AuthorizationResponse::Declined(reason));
    match test_card.behaviour {
        // Consequences (disputes, warnings, slow refunds) belong to later operations.
        Behaviour::Succeed | Behaviour::Frictionless | Behaviour::SucceedThen(_) => CardDecision::Undecided,
        Behaviour::Decline(reason) | Behaviour::AttachThenDecline(reason) => declined(reason),
        Behaviour::DeclineIfCvc if card.card.checks.cvc.is_some() => declined(DeclineReason::IncorrectCvc),
        Behaviour::DeclineIfCvc => CardDecision::Undecided,
        Behaviour::Blocked => {
            CardDecision::Immediate(AuthorizationResponse::Declined(DeclineReason::Fraudulent))
        }
        Behaviour::ThreeDSecure { then, set_up } => {
            let spared = set_up == SetUp::Done && card.presented.has(Presented::OFF_SESSION);
            match then {
                _ if !question.operation.authenticated && !spared => CardDecision::Fixed(challenge(card)),
                Some(reason) => declined(reason),
                None => CardDecision::Undecided,
            }
        }
        Behaviour::ThreeDSecureLookupError => declined(DeclineReason::ProcessingError),
        Behaviour::ThreeDSecureOnRequest { breaks } => {
            match card.presented.has(Presented::REQUEST_3DS) && !question.operation.authenticated {
                true if breaks => declined(DeclineReason::ProcessingError),
                true => CardDecision::Fixed(challenge(card)),
                false => CardDecision::Undecided,
            }
        }
        Behaviour::TechnicalErrors(attempts) if question.attempt <= attempts => {
            CardDecision::Fixed(AuthorizationResponse::TechnicalFailure(TechnicalError::Timeout))
        }
        Behaviour::TechnicalErrors(_) => CardDecision::Undecided,
    }
}

/// The challenge, or the decline where nobody can or may be challenged. Nothing sets a card up yet, so only cards that come
/// set up are ever spared.
fn challenge(card: &PresentedCard) -> AuthorizationResponse {
    let nobody = card.presented.has(Presented::OFF_SESSION) || card.presented.has(Presented::NO_ACTION);
    if nobody {
        AuthorizationResponse::Declined(DeclineReason::AuthenticationRequired)
    } else {
        AuthorizationResponse::ActionRequired
    }
}
