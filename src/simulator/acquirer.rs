//! One simulated acquirer: answers a question, and says how long the answer takes.

use super::cards::{self, CardDecision};
use super::draw::{Draw, DrawKey, Draws, Slot};
use super::latency::Latency;
use super::question::{Authorization, Question};
use crate::domain::command::{AuthorizationResponse, FollowUpResponse};
use crate::domain::event::TechnicalError;
use crate::domain::payment::{FollowUp, OperationKind};

/// An acquirer's answer and its latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply<R> {
    /// How long the answer takes, in microseconds. The caller waits; nothing here does.
    pub latency_us: u64,
    /// The outcome of the attempt.
    pub response: R,
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
    /// Magic cards decide first; everything else is approved.
    Cards,
    /// Always approves.
    Internal,
    /// Accepts; settles later.
    Bank { settles_after_ms: u64 },
}

impl Acquirer {
    /// A card acquirer whose attempts fail technically at `fault_rate` (0 to 1) unless the card decides by itself.
    #[must_use]
    pub fn cards(name: &str, draws: Draws, latency: Latency, fault_rate: f64) -> Self {
        Self { name: name.to_owned(), draws, latency, fault_rate, kind: AcquirerKind::Cards }
    }

    /// The acquirer of transfers between wallets. Never fails technically.
    #[must_use]
    pub fn internal(name: &str, draws: Draws, latency: Latency) -> Self {
        Self { name: name.to_owned(), draws, latency, fault_rate: 0.0, kind: AcquirerKind::Internal }
    }

    /// A bank that accepts payouts and settles them after `settles_after_ms`. The outcome depends on the receiving account at
    /// that time.
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

    /// Its name, which is part of the seed of its draws.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Asks for an authorization. The same question always gets the same reply.
    #[must_use]
    pub fn authorize(&self, question: &Question<Authorization>) -> Reply<AuthorizationResponse> {
        let decision = match self.kind {
            AcquirerKind::Cards => cards::authorization(question),
            AcquirerKind::Internal | AcquirerKind::Bank { .. } => CardDecision::Undecided,
        };
        let draw = self.draw(question, OperationKind::Authorization.name());
        self.reply(decision, &draw, || match (self.technical_error(&draw), self.kind) {
            (Some(cause), _) => AuthorizationResponse::TechnicalFailure(cause),
            (None, AcquirerKind::Bank { settles_after_ms }) => {
                AuthorizationResponse::Pending { settles_after_ms }
            }
            (None, AcquirerKind::Cards | AcquirerKind::Internal) => AuthorizationResponse::Approved,
        })
    }

    /// Asks for a capture, void or refund. The same question always gets the same reply.
    #[must_use]
    pub fn follow_up(&self, question: &Question<FollowUp>) -> Reply<FollowUpResponse> {
        let decision = match self.kind {
            AcquirerKind::Cards => cards::follow_up(question),
            AcquirerKind::Internal | AcquirerKind::Bank { .. } => CardDecision::Undecided,
        };
        let draw = self.draw(question, question.operation.name());
        self.reply(decision, &draw, || {
            self.technical_error(&draw).map_or(FollowUpResponse::Approved, FollowUpResponse::TechnicalFailure)
        })
    }

    fn draw<O>(&self, question: &Question<O>, operation: &str) -> Draw {
        self.draws.draw(&DrawKey {
            acquirer: &self.name,
            draw_key: question.draw_key,
            operation,
            number: question.number,
            attempt: question.attempt,
        })
    }

    fn reply<R>(&self, decision: CardDecision<R>, draw: &Draw, drawn: impl FnOnce() -> R) -> Reply<R> {
        match decision {
            CardDecision::Immediate(response) => Reply { latency_us: 0, response },
            CardDecision::Fixed(response) => Reply { latency_us: self.latency.draw_us(draw), response },
            CardDecision::Undecided => Reply { latency_us: self.latency.draw_us(draw), response: drawn() },
        }
    }

    /// How the attempt fails technically, if it does.
    fn technical_error(&self, draw: &Draw) -> Option<TechnicalError> {
        draw.happens(Slot::Fault, self.fault_rate).then(|| fault_kind(draw.uniform(Slot::FaultKind)))
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
