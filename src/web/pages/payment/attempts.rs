//! The attempts of a payment: what each went through, and what came of it.

use super::super::format;
use crate::domain::charge::{Charge, ChargeOutcome};
use crate::domain::decline::DeclineReason;
use crate::domain::payment::Payment;
use crate::domain::status::Status;

/// An attempt in the list of attempts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptLine {
    /// The id of its charge, if it came to one.
    pub id: Option<String>,
    /// The card.
    pub instrument: String,
    /// What came of it.
    pub outcome: String,
    /// When it began.
    pub at_full: String,
}

/// Every attempt, oldest first.
#[must_use]
pub fn attempts(payment: &Payment) -> Vec<AttemptLine> {
    let line = |charge: &Charge| AttemptLine {
        id: charge.exists().then(|| charge.id.to_string()),
        instrument: charge.instrument.label(),
        outcome: outcome(payment, charge),
        at_full: format::absolute(charge.created_at),
    };
    payment.state().charges.iter().map(line).collect()
}

fn outcome(payment: &Payment, charge: &Charge) -> String {
    match charge.outcome {
        ChargeOutcome::Open if payment.state().status == Status::RequiresAction => {
            "waits for 3-D Secure".to_owned()
        }
        ChargeOutcome::Open => "under way".to_owned(),
        ChargeOutcome::Held => "authorised".to_owned(),
        ChargeOutcome::Taken => "succeeded".to_owned(),
        ChargeOutcome::Declined(_) if charge.broke_at_lookup() => "3-D Secure lookup failed".to_owned(),
        // Nobody declined it.
        ChargeOutcome::Declined(reason @ DeclineReason::AuthenticationFailure) => reason.words().to_owned(),
        ChargeOutcome::Declined(reason) => format!("declined: {}", reason.words()),
        ChargeOutcome::TechnicalFailure(cause) => format!("failed: {}", cause.words()),
        ChargeOutcome::Released => "canceled".to_owned(),
    }
}
