//! The list of attempts to charge a card, each with its outcome. Pure.

use super::super::format;
use crate::domain::charge::{Charge, ChargeOutcome};
use crate::domain::decline::DeclineReason;
use crate::domain::payment::Payment;
use crate::domain::status::Status;

/// One attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptLine {
    /// The id of its charge, if it reached one.
    pub id: Option<String>,
    /// The card's network and last digits.
    pub instrument: String,
    /// Its outcome so far, in words.
    pub outcome: String,
    /// When it began, in full.
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
        // No issuer declined it.
        ChargeOutcome::Declined(reason @ DeclineReason::AuthenticationFailure) => reason.words().to_owned(),
        ChargeOutcome::Declined(reason) => format!("declined: {}", reason.words()),
        ChargeOutcome::TechnicalFailure(cause) => format!("failed: {}", cause.words()),
        ChargeOutcome::Released => "canceled".to_owned(),
    }
}
