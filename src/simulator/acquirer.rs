//! One acquirer: asked a question, gives an outcome and the time it takes.

use super::cards::{CardDecision, card_decision};
use super::draw::{Draw, DrawKey, Draws, Slot};
use super::latency::Latency;
use super::question::Question;
use crate::domain::command::Outcome;
use crate::domain::event::TechnicalError;
use crate::domain::payment::OperationKind;

/// What an acquirer says, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    /// How long the answer takes, in microseconds. The caller waits; nothing here does.
    pub latency_us: u64,
    /// The answer.
    pub outcome: Outcome,
}

/// One of the simulated acquirers.
#[derive(Debug, Clone)]
pub struct Acquirer {
    name: String,
    draws: Draws,
    latency: Latency,
    fault_rate: f64,
    kind: AcquirerKind,
}

#[derive(Debug, Clone, Copy)]
enum AcquirerKind {
    /// Magic cards first, then approval.
    Cards,
    /// Approves.
    Internal,
    /// Accepts, and settles later.
    Bank { settles_after_ms: u64 },
}

impl Acquirer {
    /// A card acquirer whose attempts break technically at `fault_rate` (0 to 1) unless the card decides by itself.
    #[must_use]
    pub fn cards(name: &str, draws: Draws, latency: Latency, fault_rate: f64) -> Self {
        Self { name: name.to_owned(), draws, latency, fault_rate, kind: AcquirerKind::Cards }
    }

    /// The acquirer of transfers inside the house. Never breaks.
    #[must_use]
    pub fn internal(name: &str, draws: Draws, latency: Latency) -> Self {
        Self { name: name.to_owned(), draws, latency, fault_rate: 0.0, kind: AcquirerKind::Internal }
    }

    /// A bank that accepts payouts and settles them after `settles_after_ms`; what it settles to is its account's
    /// matter when the time comes.
    #[must_use]
    pub fn bank(name: &str, draws: Draws, latency: Latency, fault_rate: f64, settles_after_ms: u64) -> Self {
        Self {
            name: name.to_owned(),
            draws,
            latency,
            fault_rate,
            kind: AcquirerKind::Bank { settles_after_ms },
        }
    }

    /// Its name: part of what seeds its draws.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Asks. The same question always gets the same reply.
    #[must_use]
    pub fn ask(&self, question: &Question) -> Reply {
        let draw = self.draws.draw(&DrawKey {
            acquirer: &self.name,
            draw_key: question.draw_key,
            operation: question.operation.name(),
            number: question.number,
            attempt: question.attempt,
        });
        let said = match self.kind {
            AcquirerKind::Cards => card_decision(question),
            AcquirerKind::Internal | AcquirerKind::Bank { .. } => CardDecision::Undecided,
        };
        match said {
            CardDecision::Immediate(outcome) => Reply { latency_us: 0, outcome },
            CardDecision::Fixed(outcome) => Reply { latency_us: self.latency.draw_us(&draw), outcome },
            CardDecision::Undecided => {
                Reply { latency_us: self.latency.draw_us(&draw), outcome: self.drawn(question, &draw) }
            }
        }
    }

    fn drawn(&self, question: &Question, draw: &Draw) -> Outcome {
        if draw.happens(Slot::Fault, self.fault_rate) {
            return Outcome::TechnicalFailure(fault_kind(draw.uniform(Slot::FaultKind)));
        }
        match (self.kind, question.operation) {
            (AcquirerKind::Bank { settles_after_ms }, OperationKind::Authorize) => {
                Outcome::Pending { settles_after_ms }
            }
            (AcquirerKind::Bank { .. } | AcquirerKind::Cards | AcquirerKind::Internal, _) => {
                Outcome::Approved
            }
        }
    }
}

/// Half of all technical errors are timeouts; the rest is shared evenly.
const fn fault_kind(uniform: f64) -> TechnicalError {
    if uniform < 0.5 {
        TechnicalError::Timeout
    } else if uniform < 0.75 {
        TechnicalError::Unavailable
    } else {
        TechnicalError::Malformed
    }
}
