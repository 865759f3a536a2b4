//! Charges: what each attempt of a payment asked an issuer for, and the outcome.
//!
//! One attempt has one charge, however often it is retried for technical reasons. The charge exists only once an issuer was
//! asked for money: an unanswered challenge leaves none.

use super::decline::DeclineReason;
use super::event::{Event, TechnicalError};
use super::ids::ChargeId;
use super::instrument::Instrument;
use super::test_cards::Behaviour;
use super::time::Timestamp;

/// The outcome of a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChargeOutcome {
    /// Nothing final yet.
    Open,
    /// The issuer holds the amount.
    Held,
    /// The amount, or a part of it, was captured.
    Taken,
    /// Declined by the issuer, or blocked before it was asked.
    Declined(DeclineReason),
    /// Failed technically, with all retries spent.
    TechnicalFailure(TechnicalError),
    /// Canceled; nothing is held any more.
    Released,
}

/// The charge of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Charge {
    /// For the first attempt, the payment's own bits; see [`ChargeId::of_payment`].
    pub id: ChargeId,
    /// The attempt's instrument; always a card.
    pub instrument: Instrument,
    /// The amount held or asked for, in minor units.
    pub amount_minor: i64,
    /// When the attempt was opened.
    pub created_at: Timestamp,
    /// Whether the cardholder completed 3-D Secure.
    pub authenticated: bool,
    /// When the authorization lapses; `None` if nothing was held for a capture.
    pub capture_before: Option<Timestamp>,
    /// The amount captured, in minor units; zero until then.
    pub captured_minor: i64,
    /// Where the charge stands.
    pub outcome: ChargeOutcome,
    /// Whether an issuer was asked for money.
    asked: bool,
}

impl Charge {
    pub(super) const fn open(
        id: ChargeId,
        instrument: Instrument,
        amount_minor: i64,
        created_at: Timestamp,
    ) -> Self {
        Self {
            id,
            instrument,
            amount_minor,
            created_at,
            authenticated: false,
            capture_before: None,
            captured_minor: 0,
            outcome: ChargeOutcome::Open,
            asked: false,
        }
    }

    /// Whether the attempt came to a charge: an issuer was asked for money.
    #[must_use]
    pub const fn exists(&self) -> bool {
        self.asked
    }

    /// Whether the card's 3-D Secure lookup failed, so that no issuer was asked.
    #[must_use]
    pub fn broke_at_lookup(&self) -> bool {
        let behaviour = self.instrument.card().and_then(|card| card.test_card()).map(|card| card.behaviour);
        let breaks = matches!(
            behaviour,
            Some(Behaviour::ThreeDSecureLookupError | Behaviour::ThreeDSecureOnRequest { breaks: true })
        );
        breaks && self.outcome == ChargeOutcome::Declined(DeclineReason::ProcessingError)
    }

    /// Applies an event of the payment to the charge of its last attempt.
    pub(super) fn apply(&mut self, event: &Event, whole_minor: i64) {
        match *event {
            Event::ActionRequired {} => self.asked = false,
            Event::ActionCompleted {} => self.authenticated = true,
            Event::Authorized { amount_minor, capture_before } => {
                self.asked = true;
                self.outcome = ChargeOutcome::Held;
                self.amount_minor = amount_minor;
                self.capture_before = Some(capture_before);
            }
            Event::Succeeded { .. } => {
                self.asked = true;
                self.outcome = ChargeOutcome::Taken;
                self.captured_minor = whole_minor;
            }
            Event::Declined { reason, .. } => {
                self.outcome = ChargeOutcome::Declined(reason);
                self.asked = reason != DeclineReason::AuthenticationFailure && !self.broke_at_lookup();
            }
            Event::Pending { .. } | Event::RetryScheduled { .. } => self.asked = true,
            Event::Failed { cause, .. } => {
                self.asked = true;
                self.outcome = ChargeOutcome::TechnicalFailure(cause);
            }
            Event::Replayed { .. } => self.outcome = ChargeOutcome::Open,
            Event::Captured { amount_minor, .. } => {
                self.outcome = ChargeOutcome::Taken;
                self.captured_minor = amount_minor;
            }
            Event::Canceled { .. } | Event::Voided {} => match self.outcome {
                ChargeOutcome::Open | ChargeOutcome::Held | ChargeOutcome::TechnicalFailure(_) => {
                    self.outcome = ChargeOutcome::Released;
                }
                ChargeOutcome::Declined(_) | ChargeOutcome::Taken | ChargeOutcome::Released => {}
            },
            Event::Amended { amount_minor: Some(amount_minor), .. } => {
                // While the cardholder is challenged, the issuer has not been asked yet.
                if self.outcome == ChargeOutcome::Open {
                    self.amount_minor = amount_minor;
                }
            }
            Event::Amended { amount_minor: None, .. }
            | Event::Created { .. }
            | Event::Confirmed { .. }
            | Event::Started { .. }
            | Event::Requeued {}
            | Event::CancelRequested { .. }
            | Event::CaptureQueued { .. }
            | Event::CaptureDeclined { .. }
            | Event::VoidQueued { .. }
            | Event::Available {}
            | Event::RefundQueued { .. }
            | Event::RefundSucceeded { .. }
            | Event::RefundFailed { .. }
            | Event::OperationRetryScheduled { .. }
            | Event::OperationRequeued { .. }
            | Event::OperationParked { .. }
            | Event::OperationReplayed { .. }
            | Event::RefundPending { .. }
            | Event::Foreseen { .. }
            | Event::DisputeOpened { .. }
            | Event::DisputeNoted { .. }
            | Event::DisputeEscalated { .. }
            | Event::DisputeClosed { .. }
            | Event::FraudWarned { .. } => {}
        }
    }
}
