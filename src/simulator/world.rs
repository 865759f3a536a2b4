//! The world outside: all acquirers that answer an account's payments.
//!
//! Immutable once it is built. Which account has which world is for whoever asks.

use super::acquirer::{Acquirer, Asked};
use super::capacity::Capacity;
use super::draw::Draws;
use super::latency::Latency;
use super::question::{Authorization, Question};
use super::reply::{Reply, Response as _};
use super::routing::Routing;
use super::scenario::{Facts, Scenario};
use super::settings::SimulatorSettings;
use crate::domain::command::{AuthorizationResponse, FollowUpResponse};
use crate::domain::event::TechnicalError;
use crate::domain::payment::FollowUp;
use crate::domain::submission::Kind;

/// What draws start from besides the seed. The number of a scenario's revision is no part of it: an edit changes only the answers
/// that it is about, and the same file gives the same answers on any server.
pub const FIRST_REVISION: u64 = 1;

/// An attempt that has taken so long is given up instead of asking yet another acquirer, in microseconds. The work of an attempt must
/// be done before a broker takes it back, which some do after half an hour.
const FAILOVER_US_MAX: u64 = 300_000_000;

/// Who can be asked now. The world itself knows no time and remembers nothing.
pub trait Gate {
    /// An attempt comes to an acquirer that can do so much.
    fn enter(&mut self, acquirer: &Acquirer, capacity: Option<Capacity>) -> Entry;

    /// It fails there, or does not; of the last acquirer that was entered and was not closed.
    fn answered(&mut self, failed: bool);
}

/// What an attempt finds at an acquirer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// Its turn comes after so long.
    Open {
        /// In microseconds.
        wait_us: u64,
    },
    /// Too many wait already: it is refused.
    Full,
    /// The breaker keeps it away: the acquirer is not asked.
    Closed,
}

/// Everyone can be asked at once.
struct AlwaysOpen;

impl Gate for AlwaysOpen {
    fn enter(&mut self, _: &Acquirer, _: Option<Capacity>) -> Entry {
        Entry::Open { wait_us: 0 }
    }

    fn answered(&mut self, _: bool) {}
}

/// The outside world as the settings or a scenario describe it.
#[derive(Debug, Clone)]
pub struct World {
    /// The acquirers of a scenario; they come first.
    routing: Option<Routing>,
    usual: Acquirers,
    /// Whether the next acquirer is asked where one fails technically.
    failover: bool,
    asks_for_holder: bool,
}

/// One acquirer for each kind of payment.
#[derive(Debug, Clone)]
struct Acquirers {
    cards: Acquirer,
    internal: Acquirer,
    bank: Acquirer,
}

impl Acquirers {
    fn new(settings: &SimulatorSettings) -> Self {
        let draws = Draws::new(settings.seed, FIRST_REVISION);
        let latency = settings.latency();
        let fault_rate = settings.technical_error_rate;
        Self {
            cards: Acquirer::cards("default", draws, latency.clone(), fault_rate),
            internal: Acquirer::internal("internal", draws, Latency::NONE),
            bank: Acquirer::bank("bank", draws, latency, fault_rate, settings.payout_settle_ms),
        }
        .in_slots_from(0)
    }

    /// The same in this scenario, which does not reach inside: transfers ask nobody else.
    fn under(self, Scenario { rules, windows, acquirers, .. }: &Scenario) -> Self {
        let (cards, bank) = (self.cards.under(rules, windows), self.bank.under(rules, windows));
        Self { cards, bank, internal: self.internal }.in_slots_from(acquirers.len())
    }

    /// The same in slots from this one on.
    fn in_slots_from(self, slot: usize) -> Self {
        Self {
            cards: self.cards.in_slot(slot),
            bank: self.bank.in_slot(slot + 1),
            internal: self.internal.in_slot(slot + 2),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Acquirer> {
        [&self.cards, &self.bank, &self.internal].into_iter()
    }

    const fn route(&self, kind: Kind) -> &Acquirer {
        match kind {
            Kind::Charge | Kind::TopUp => &self.cards,
            Kind::Transfer { .. } => &self.internal,
            Kind::Payout { .. } => &self.bank,
        }
    }
}

impl World {
    /// A world with the one acquirer that the settings describe.
    #[must_use]
    pub fn new(settings: &SimulatorSettings) -> Self {
        Self { routing: None, usual: Acquirers::new(settings), failover: false, asks_for_holder: false }
    }

    /// The world of a scenario. What its acquirers do not take goes to those of the settings, under its rules and in its windows.
    #[must_use]
    pub fn with_scenario(settings: &SimulatorSettings, scenario: &Scenario) -> Self {
        let seed = scenario.seed.unwrap_or(settings.seed);
        let settings = SimulatorSettings { seed, ..settings.clone() };
        let draws = Draws::new(seed, FIRST_REVISION);
        let usual = settings.latency();
        let routing = Routing::new(&scenario.acquirers, draws, |spec| {
            Acquirer::described(spec, draws, &usual, settings.payout_settle_ms)
                .under(&scenario.rules, &scenario.windows)
        });
        let usual = Acquirers::new(&settings).under(scenario);
        let asks_for_holder = scenario.rules.ask_for_holder() || scenario.windows.ask_for_holder();
        Self { routing: Some(routing), usual, failover: scenario.failover, asks_for_holder }
    }

    /// Whether any answer depends on who the cardholder is, so that questions must say so.
    #[must_use]
    pub const fn asks_for_holder(&self) -> bool {
        self.asks_for_holder
    }

    /// Whether a scenario describes it, and not the settings.
    #[must_use]
    pub const fn is_described(&self) -> bool {
        self.routing.is_some()
    }

    /// The acquirer that answers this question, as long as it does not fail.
    #[must_use]
    pub fn route<O>(&self, question: &Question<'_, O>) -> &Acquirer {
        self.candidates(question).next().unwrap_or_else(|| self.usual.route(question.kind))
    }

    /// Asks for an authorization, with room everywhere.
    #[must_use]
    pub fn authorize(&self, question: &Question<'_, Authorization>) -> Reply<AuthorizationResponse> {
        self.ask(question, &mut AlwaysOpen)
    }

    /// Asks for a capture, void or refund, with room everywhere.
    #[must_use]
    pub fn follow_up(&self, question: &Question<'_, FollowUp>) -> Reply<FollowUpResponse> {
        self.ask(question, &mut AlwaysOpen)
    }

    /// Asks whoever takes the question, and where that fails technically and the scenario says so, the next one. The gate decides who
    /// can be asked now; with the same decisions the reply is always the same.
    pub fn ask<O: Asked>(&self, question: &Question<'_, O>, gate: &mut impl Gate) -> Reply<O::Response> {
        let facts = Facts::of_operation(question, question.operation.name(), O::can_challenge(question));
        let asked_max = if self.failover { usize::MAX } else { 1 };
        // Stays so where nobody at all is asked.
        let mut reply = Reply::once(0, O::Response::failed(TechnicalError::BreakerOpen));
        for acquirer in self.candidates(question).take(asked_max) {
            let terms = acquirer.terms(&facts, question.in_force_us());
            let next = match gate.enter(acquirer, terms.capacity()) {
                Entry::Closed => continue,
                Entry::Full => Reply::once(0, O::Response::failed(TechnicalError::QueueFull)),
                Entry::Open { wait_us } => O::ask(acquirer, question, &facts, &terms).later(wait_us),
            };
            let failed = next.response.failure().is_some();
            gate.answered(failed);
            reply = reply.followed_by(next);
            if !failed || reply.latency_us > FAILOVER_US_MAX {
                break;
            }
        }
        reply
    }

    /// All acquirers, in the order of their slots.
    pub fn acquirers(&self) -> impl Iterator<Item = &Acquirer> {
        let mut described: Vec<&Acquirer> = self.routing.iter().flat_map(Routing::all).collect();
        described.sort_by_key(|acquirer| acquirer.slot());
        described.into_iter().chain(self.usual.all())
    }

    /// Those that may be asked, in their order.
    fn candidates<O>(&self, question: &Question<'_, O>) -> impl Iterator<Item = &Acquirer> {
        let described = self.routing.iter().flat_map(|routing| routing.acquirers(question));
        let mut described = described.peekable();
        // What no acquirer of the scenario takes is for that of the settings, which stands in for nobody.
        let usual = described.peek().is_none().then(|| self.usual.route(question.kind));
        described.chain(usual)
    }
}
