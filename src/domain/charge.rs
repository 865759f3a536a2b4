//! Charges: what each attempt of a payment asked an issuer for, and what came of it.
//!
//! One attempt has one charge, however often it is tried again for technical reasons. Until an issuer was asked for money
//! there is none: a challenge that nobody answered leaves no charge.

use super::decline::DeclineReason;
use super::event::{Event, TechnicalError};
use super::ids::ChargeId;
use super::instrument::Instrument;
use super::test_cards::Behaviour;
use super::time::Timestamp;

/// What came of a charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChargeOutcome {
    /// Nothing final yet.
    Open,
    /// The issuer holds the amount.
    Held,
    /// All of it, or a part, was taken.
    Taken,
    /// The issuer said no, or was not to be asked.
    Declined(DeclineReason),
    /// Its retries are spent.
    TechnicalFailure(TechnicalError),
    /// Called off; nothing is held any more.
    Released,
}

/// The charge of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Charge {
    /// Its id.
    pub id: ChargeId,
    /// What the attempt goes through.
    pub instrument: Instrument,
    /// What is held, or was asked for, in minor units.
    pub amount_minor: i64,
    /// When the attempt was opened.
    pub created_at: Timestamp,
    /// Whether the cardholder completed 3-D Secure.
    pub authenticated: bool,
    /// When what is held lapses, where it waits for a capture.
    pub capture_before: Option<Timestamp>,
    /// What was taken, in minor units.
    pub captured_minor: i64,
    /// What came of it.
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

    /// Whether there is a charge: an issuer was asked for money.
    #[must_use]
    pub const fn exists(&self) -> bool {
        self.asked
    }

    /// Whether the card's lookup for 3-D Secure broke, so that no issuer was asked.
    #[must_use]
    pub fn broke_at_lookup(&self) -> bool {
        let behaviour = self.instrument.card().and_then(|card| card.test_card()).map(|card| card.behaviour);
        let breaks = matches!(
            behaviour,
            Some(Behaviour::ThreeDSecureLookupError | Behaviour::ThreeDSecureOnRequest { breaks: true })
        );
        breaks && self.outcome == ChargeOutcome::Declined(DeclineReason::ProcessingError)
    }

    /// The effect of an event of the payment on the charge of its last attempt.
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
                // While the cardholder is asked, nothing was asked of the issuer yet.
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
            | Event::OperationReplayed { .. } => {}
        }
    }
}
