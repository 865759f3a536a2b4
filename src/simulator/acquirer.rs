//! One simulated acquirer: answers a question, and says how long the answer takes.

use super::cards::{self, CardDecision};
use super::draw::{Draw, DrawKey, Draws, Slot};
use super::latency::Latency;
use super::question::{Authorization, Question};
use super::scenario::{AcquirerSpec, Facts, Rules, Shares, Verdict};
use crate::domain::command::{AuthorizationResponse, FollowUpResponse};
use crate::domain::event::TechnicalError;
use crate::domain::payment::{FollowUp, OperationName};
use crate::domain::submission::Kind;

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
    faults: Faults,
    /// Of the authorizations that nothing else decides; what the shares leave is approved.
    outcomes: Shares<Verdict>,
    /// How long its answer is waited for; `None` is for ever.
    timeout_us: Option<u64>,
    /// How long after its acceptance a payout arrives.
    settles_after_ms: u64,
    rules: Rules,
}

/// How often, and how, attempts fail technically.
#[derive(Debug, Clone)]
enum Faults {
    /// At this rate, in the usual ways.
    Rate(f64),
    /// In these ways, each at a rate of its own.
    Shares(Shares<TechnicalError>),
}

/// What a question becomes whose answer is not waited for any longer.
const TIMEOUT: Verdict = Verdict::Failed(TechnicalError::Timeout);

impl Acquirer {
    /// A card acquirer whose attempts fail technically at `fault_rate` (0 to 1) unless the card decides by itself.
    #[must_use]
    pub fn cards(name: &str, draws: Draws, latency: Latency, fault_rate: f64) -> Self {
        Self::plain(name, draws, latency, fault_rate, 0)
    }

    /// The acquirer of transfers between wallets. Never fails technically.
    #[must_use]
    pub fn internal(name: &str, draws: Draws, latency: Latency) -> Self {
        Self::plain(name, draws, latency, 0.0, 0)
    }

    /// A bank that accepts payouts and settles them after `settles_after_ms`. The outcome depends on the receiving account at
    /// that time.
    #[must_use]
    pub fn bank(name: &str, draws: Draws, latency: Latency, fault_rate: f64, settles_after_ms: u64) -> Self {
        Self::plain(name, draws, latency, fault_rate, settles_after_ms)
    }

    /// One that approves, as far as it does not fail.
    fn plain(name: &str, draws: Draws, latency: Latency, fault_rate: f64, settles_after_ms: u64) -> Self {
        Self {
            name: name.to_owned(),
            draws,
            latency,
            faults: Faults::Rate(fault_rate),
            outcomes: Shares::default(),
            timeout_us: None,
            settles_after_ms,
            rules: Rules::default(),
        }
    }

    /// An acquirer of a scenario. Where that says nothing about its latency, it is the `usual` one.
    #[must_use]
    pub fn described(spec: &AcquirerSpec, draws: Draws, usual: &Latency, settles_after_ms: u64) -> Self {
        Self {
            name: spec.name.clone(),
            draws,
            latency: spec.latency.as_ref().unwrap_or(usual).clone(),
            faults: Faults::Shares(spec.errors.clone()),
            outcomes: spec.outcomes.clone(),
            timeout_us: spec.timeout_us,
            settles_after_ms,
            rules: Rules::default(),
        }
    }

    /// The same acquirer, with rules that change its answers.
    #[must_use]
    pub fn under(self, rules: &Rules) -> Self {
        Self { rules: rules.clone(), ..self }
    }

    /// Its name, which is part of the seed of its draws.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Asks for an authorization. The same question always gets the same reply.
    #[must_use]
    pub fn authorize(&self, question: &Question<Authorization>) -> Reply<AuthorizationResponse> {
        let decision = match question.kind {
            Kind::Charge | Kind::TopUp => cards::authorization(question),
            Kind::Transfer { .. } | Kind::Payout { .. } => CardDecision::Undecided,
        };
        let response = |verdict: Verdict| match (verdict, question.kind) {
            (Verdict::Failed(cause), _) => AuthorizationResponse::TechnicalFailure(cause),
            (Verdict::Declined(reason), _) => AuthorizationResponse::Declined(reason),
            (Verdict::Approved, Kind::Payout { .. }) => {
                AuthorizationResponse::Pending { settles_after_ms: self.settles_after_ms }
            }
            (Verdict::Approved, Kind::Charge | Kind::TopUp | Kind::Transfer { .. }) => {
                AuthorizationResponse::Approved
            }
        };
        let drawn = |draw: &Draw| {
            let failed = self.technical_error(draw).map(Verdict::Failed);
            failed.or_else(|| self.outcomes.pick(draw.uniform(Slot::Outcome))).unwrap_or(Verdict::Approved)
        };
        self.reply(question, OperationName::Authorize, decision, response, drawn)
    }

    /// Asks for a capture, void or refund. The same question always gets the same reply.
    #[must_use]
    pub fn follow_up(&self, question: &Question<FollowUp>) -> Reply<FollowUpResponse> {
        let decision = match question.kind {
            Kind::Charge | Kind::TopUp => cards::follow_up(question),
            Kind::Transfer { .. } | Kind::Payout { .. } => CardDecision::Undecided,
        };
        let response = |verdict: Verdict| match verdict {
            Verdict::Failed(cause) => FollowUpResponse::TechnicalFailure(cause),
            Verdict::Declined(reason) => FollowUpResponse::Declined(reason),
            Verdict::Approved => FollowUpResponse::Approved,
        };
        let drawn = |draw: &Draw| self.technical_error(draw).map_or(Verdict::Approved, Verdict::Failed);
        self.reply(question, question.operation.name(), decision, response, drawn)
    }

    /// The reply that a rule forces, else the card's own, else the one that is drawn.
    fn reply<O, R>(
        &self,
        question: &Question<O>,
        operation: OperationName,
        decision: CardDecision<R>,
        response: impl Fn(Verdict) -> R,
        drawn: impl FnOnce(&Draw) -> Verdict,
    ) -> Reply<R> {
        let draw = self.draw(question, operation, question.attempt);
        let card_decides = !matches!(decision, CardDecision::Undecided);
        let of_all_attempts = || self.draw(question, operation, 0);
        let facts = Facts::of_operation(question, operation);
        let rule = self.rules.first(&facts, card_decides, &draw, of_all_attempts);
        let delay_us = rule.map_or(0, |rule| rule.delay_us);
        let forced = rule.and_then(|rule| rule.verdict(question.attempt));
        let latency_us = || self.latency.draw_us(&draw).saturating_add(delay_us);
        match (forced, decision) {
            (Some(verdict), _) => self.in_time(latency_us(), verdict, response),
            (None, CardDecision::Undecided) => self.in_time(latency_us(), drawn(&draw), response),
            // A card that decides by itself does so in time.
            (None, CardDecision::Fixed(response)) => {
                let latency_us = latency_us();
                let latency_us = self.timeout_us.map_or(latency_us, |timeout_us| timeout_us.min(latency_us));
                Reply { latency_us, response }
            }
            (None, CardDecision::Immediate(response)) => Reply { latency_us: delay_us, response },
        }
    }

    /// The verdict if it comes in time, else a timeout. One that is a timeout by itself takes as long as is waited.
    fn in_time<R>(&self, latency_us: u64, verdict: Verdict, response: impl Fn(Verdict) -> R) -> Reply<R> {
        match self.timeout_us {
            Some(timeout_us) if latency_us > timeout_us || verdict == TIMEOUT => {
                Reply { latency_us: timeout_us, response: response(TIMEOUT) }
            }
            Some(_) | None => Reply { latency_us, response: response(verdict) },
        }
    }

    fn draw<O>(&self, question: &Question<O>, operation: OperationName, attempt: u16) -> Draw {
        self.draws.draw(&DrawKey {
            acquirer: &self.name,
            draw_key: question.draw_key,
            operation: operation.as_str(),
            number: question.number,
            attempt,
        })
    }

    /// How the attempt fails technically, if it does.
    fn technical_error(&self, draw: &Draw) -> Option<TechnicalError> {
        match &self.faults {
            Faults::Rate(rate) => {
                draw.happens(Slot::Fault, *rate).then(|| fault_kind(draw.uniform(Slot::FaultKind)))
            }
            Faults::Shares(shares) => shares.pick(draw.uniform(Slot::Fault)),
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
