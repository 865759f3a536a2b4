//! One simulated acquirer: answers a question, and says how long the answer takes.

use super::breaker::BreakerRules;
use super::cards::{self, CardDecision};
use super::draw::{Draw, DrawKey, Draws};
use super::faults::Faults;
use super::latency::Latency;
use super::question::{Authorization, Question};
use super::reply::{Reply, Response, Stray};
use super::scenario::{AcquirerSpec, Facts, Rules, Shares, Verdict, Windows};
use super::terms::{QUEUE_MAX, Terms};
use crate::domain::command::{AuthorizationResponse, FollowUpResponse};
use crate::domain::event::TechnicalError;
use crate::domain::forced::Fault;
use crate::domain::payment::{FollowUp, OperationName};
use crate::domain::submission::Kind;

/// One of the simulated acquirers.
#[derive(Debug, Clone)]
pub struct Acquirer {
    name: String,
    slot: usize,
    draws: Draws,
    latency: Latency,
    faults: Faults,
    /// Of the authorizations that nothing else decides; what the shares leave is approved.
    outcomes: Shares<Verdict>,
    /// How long its answer is waited for; `None` is for ever.
    timeout_us: Option<u64>,
    /// How long after its acceptance a payout arrives.
    settles_after_ms: u64,
    capacity_per_s: Option<f64>,
    queue_max: u32,
    breaker: Option<BreakerRules>,
    rules: Rules,
    windows: Windows,
}

/// What can be asked of an acquirer.
pub trait Asked: Sized {
    /// What is answered to it.
    type Response: Response;

    /// The operation's name.
    fn name(&self) -> OperationName;

    /// Whether its cardholder can be asked to authenticate, and has not done so yet.
    fn can_challenge(question: &Question<'_, Self>) -> bool;

    /// Asks for it on these terms. The same question always gets the same reply.
    fn ask(
        acquirer: &Acquirer,
        question: &Question<'_, Self>,
        facts: &Facts<'_>,
        terms: &Terms<'_>,
    ) -> Reply<Self::Response>;
}

/// What a question is answered, as long as it is not known in what words.
struct Answering<'a, R, W> {
    draw: &'a Draw,
    terms: &'a Terms<'a>,
    latency_us: u64,
    decision: CardDecision<R>,
    /// What is answered that nothing forces.
    outcome: Verdict,
    words: W,
}

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
            slot: 0,
            draws,
            latency,
            faults: Faults::Rate(fault_rate),
            outcomes: Shares::default(),
            timeout_us: None,
            settles_after_ms,
            capacity_per_s: None,
            queue_max: QUEUE_MAX,
            breaker: None,
            rules: Rules::default(),
            windows: Windows::default(),
        }
    }

    /// An acquirer of a scenario. Where that says nothing about its latency, it is the `usual` one.
    #[must_use]
    pub fn described(spec: &AcquirerSpec, draws: Draws, usual: &Latency, settles_after_ms: u64) -> Self {
        Self {
            name: spec.name.clone(),
            slot: 0,
            draws,
            latency: spec.latency.as_ref().unwrap_or(usual).clone(),
            faults: Faults::Shares(spec.errors.clone()),
            outcomes: spec.outcomes.clone(),
            timeout_us: spec.timeout_us,
            settles_after_ms,
            capacity_per_s: spec.capacity_per_s,
            queue_max: spec.queue_max.unwrap_or(QUEUE_MAX),
            breaker: spec.breaker,
            rules: Rules::default(),
            windows: Windows::default(),
        }
    }

    /// The same acquirer, with rules and windows that change its answers.
    #[must_use]
    pub fn under(self, rules: &Rules, windows: &Windows) -> Self {
        Self { rules: rules.clone(), windows: windows.about(&self.name), ..self }
    }

    /// The same acquirer, in this place among those of its world.
    #[must_use]
    pub fn in_slot(self, slot: usize) -> Self {
        Self { slot, ..self }
    }

    /// Its name, which is part of the seed of its draws.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its place among the acquirers of its world, counted from 0.
    #[must_use]
    pub const fn slot(&self) -> usize {
        self.slot
    }

    /// When its breaker opens and closes; `None` if it has none.
    #[must_use]
    pub const fn breaker(&self) -> Option<BreakerRules> {
        self.breaker
    }

    /// Whether a queue can build up in front of it, at whatever time.
    #[must_use]
    pub fn has_capacity(&self) -> bool {
        self.capacity_per_s.is_some() || self.windows.limit_capacity()
    }

    /// The terms on which it answers an attempt that entered the queue when its scenario had been in force for so long.
    #[must_use]
    pub fn terms(&self, facts: &Facts<'_>, in_force_us: u64) -> Terms<'_> {
        let Self { latency, timeout_us, faults, outcomes, capacity_per_s, queue_max, .. } = self;
        let mut terms = Terms::new(latency, *timeout_us, faults, outcomes, *capacity_per_s, *queue_max);
        for (change, passed) in self.windows.in_force(facts, in_force_us) {
            terms.change(change, passed);
        }
        terms
    }

    /// The reply that the payment asks for, else the one that a rule forces, else the card's own, else the one that is drawn.
    fn reply<O: Asked>(
        &self,
        question: &Question<'_, O>,
        (facts, terms): (&Facts<'_>, &Terms<'_>),
        decision: CardDecision<O::Response>,
        words: impl Fn(Verdict) -> O::Response,
        outcome: impl FnOnce(&Draw) -> Verdict,
    ) -> Reply<O::Response> {
        let operation = question.operation.name();
        let draw = self.draw(question, operation, question.attempt);
        let card_decides = !matches!(decision, CardDecision::Undecided);
        let of_all_attempts = || self.draw(question, operation, 0);
        let rule = self.rules.first(facts, card_decides, &draw, of_all_attempts);
        let delay_us = rule.map_or(0, |rule| rule.delay_us);
        // Whoever has authenticated, or cannot, is not asked to by the payment either.
        let asked = question.forced();
        let asked = asked.filter(|verdict| *verdict != Verdict::ActionRequired || facts.can_challenge());
        let forced = asked.or_else(|| rule?.verdict(question.attempt));
        if let (None, CardDecision::Immediate(response)) = (forced, decision) {
            return Reply::once(delay_us, response);
        }
        let latency_us = terms.latency_us(&draw, delay_us);
        let outcome = outcome(&draw);
        let reply = Answering { draw: &draw, terms, latency_us, decision, outcome, words }.reply(forced);
        match rule.and_then(|rule| rule.then) {
            Some(aftermath) => reply.then(aftermath),
            None => reply,
        }
    }

    fn draw<O>(&self, question: &Question<'_, O>, operation: OperationName, attempt: u16) -> Draw {
        self.draws.draw(&DrawKey {
            acquirer: &self.name,
            draw_key: question.draw_key,
            operation: operation.as_str(),
            number: question.number,
            attempt,
        })
    }
}

impl<R: Response, W: Fn(Verdict) -> R> Answering<'_, R, W> {
    /// The answer if it comes in time, else a timeout.
    fn reply(&self, forced: Option<Verdict>) -> Reply<R> {
        let latency_us = self.latency_us;
        let verdict = match (forced, self.decision) {
            (Some(verdict), _) => verdict,
            // A card that decides by itself does so in time.
            (None, CardDecision::Fixed(response) | CardDecision::Immediate(response)) => {
                let timeout_us = self.terms.timeout_us().unwrap_or(latency_us);
                return Reply::once(timeout_us.min(latency_us), response);
            }
            (None, CardDecision::Undecided) => {
                self.terms.fault(self.draw).map_or(self.outcome, Verdict::Faulty)
            }
        };
        let timed_out =
            Reply::once(self.terms.timeout_us().unwrap_or(latency_us), R::failed(TechnicalError::Timeout));
        let stray = Some(Stray { after_us: latency_us, response: self.real() });
        match verdict {
            Verdict::Faulty(Fault::Error(TechnicalError::Timeout)) => timed_out,
            Verdict::Faulty(Fault::Late) => Reply { stray, ..timed_out },
            _ if timed_out.latency_us < latency_us => timed_out,
            Verdict::Faulty(Fault::Duplicate) => Reply { latency_us, response: self.real(), stray },
            Verdict::Faulty(Fault::Error(cause)) => Reply::once(latency_us, R::failed(cause)),
            Verdict::Approved | Verdict::Declined(_) | Verdict::ActionRequired => {
                Reply::once(latency_us, (self.words)(verdict))
            }
        }
    }

    /// What is answered where only the way of the answer is faulty.
    fn real(&self) -> R {
        match self.decision {
            CardDecision::Fixed(response) | CardDecision::Immediate(response) => response,
            CardDecision::Undecided => (self.words)(self.outcome),
        }
    }
}

impl Asked for Authorization {
    type Response = AuthorizationResponse;

    fn name(&self) -> OperationName {
        OperationName::Authorize
    }

    fn can_challenge(question: &Question<'_, Self>) -> bool {
        let by_card = question.instrument.as_ref().is_some_and(|instrument| instrument.card().is_some());
        by_card && !question.operation.authenticated
    }

    fn ask(
        acquirer: &Acquirer,
        question: &Question<'_, Self>,
        facts: &Facts<'_>,
        terms: &Terms<'_>,
    ) -> Reply<AuthorizationResponse> {
        let decision = match question.kind {
            Kind::Charge | Kind::TopUp => cards::authorization(question),
            Kind::Transfer { .. } | Kind::Payout { .. } => CardDecision::Undecided,
        };
        let words = |verdict: Verdict| match (verdict, question.kind) {
            (Verdict::Declined(reason), _) => AuthorizationResponse::Declined(reason),
            (Verdict::ActionRequired, _) if facts.can_challenge() => cards::challenged(question),
            (Verdict::Approved | Verdict::ActionRequired | Verdict::Faulty(_), Kind::Payout { .. }) => {
                AuthorizationResponse::Pending { settles_after_ms: acquirer.settles_after_ms }
            }
            (
                Verdict::Approved | Verdict::ActionRequired | Verdict::Faulty(_),
                Kind::Charge | Kind::TopUp | Kind::Transfer { .. },
            ) => AuthorizationResponse::Approved,
        };
        acquirer.reply(question, (facts, terms), decision, words, |draw| terms.outcome(draw))
    }
}

impl Asked for FollowUp {
    type Response = FollowUpResponse;

    fn name(&self) -> OperationName {
        FollowUp::name(self)
    }

    fn can_challenge(_: &Question<'_, Self>) -> bool {
        false
    }

    fn ask(
        acquirer: &Acquirer,
        question: &Question<'_, Self>,
        facts: &Facts<'_>,
        terms: &Terms<'_>,
    ) -> Reply<FollowUpResponse> {
        let decision = match question.kind {
            Kind::Charge | Kind::TopUp => cards::follow_up(question),
            Kind::Transfer { .. } | Kind::Payout { .. } => CardDecision::Undecided,
        };
        let words = |verdict: Verdict| match verdict {
            Verdict::Declined(reason) => FollowUpResponse::Declined(reason),
            Verdict::Approved | Verdict::ActionRequired | Verdict::Faulty(_) => FollowUpResponse::Approved,
        };
        acquirer.reply(question, (facts, terms), decision, words, |_| Verdict::Approved)
    }
}
