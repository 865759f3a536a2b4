//! The world outside: all acquirers that answer an account's payments.
//!
//! Immutable once it is built. Which account has which world is for whoever asks.

use super::acquirer::{Acquirer, Reply};
use super::draw::Draws;
use super::latency::Latency;
use super::question::{Authorization, Question};
use super::routing::Routing;
use super::scenario::{Rules, Scenario};
use super::settings::SimulatorSettings;
use crate::domain::command::{AuthorizationResponse, FollowUpResponse};
use crate::domain::payment::FollowUp;
use crate::domain::submission::Kind;

/// What draws start from besides the seed. The number of a scenario's revision is no part of it: an edit changes only the answers
/// that it is about, and the same file gives the same answers on any server.
pub const FIRST_REVISION: u64 = 1;

/// The outside world as the settings or a scenario describe it.
#[derive(Debug, Clone)]
pub struct World {
    /// The acquirers of a scenario; they come first.
    routing: Option<Routing>,
    usual: Acquirers,
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
    }

    /// The same under these rules, which do not reach inside: transfers ask nobody else.
    fn under(self, rules: &Rules) -> Self {
        Self { cards: self.cards.under(rules), bank: self.bank.under(rules), internal: self.internal }
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
        Self { routing: None, usual: Acquirers::new(settings) }
    }

    /// The world of a scenario. What its acquirers do not take goes to those of the settings, under its rules.
    #[must_use]
    pub fn with_scenario(settings: &SimulatorSettings, scenario: &Scenario) -> Self {
        let seed = scenario.seed.unwrap_or(settings.seed);
        let settings = SimulatorSettings { seed, ..settings.clone() };
        let draws = Draws::new(seed, FIRST_REVISION);
        let usual = settings.latency();
        let routing = Routing::new(&scenario.acquirers, draws, |spec| {
            Acquirer::described(spec, draws, &usual, settings.payout_settle_ms).under(&scenario.rules)
        });
        Self { routing: Some(routing), usual: Acquirers::new(&settings).under(&scenario.rules) }
    }

    /// The acquirer that answers this question.
    #[must_use]
    pub fn route<O>(&self, question: &Question<O>) -> &Acquirer {
        let routed = self.routing.as_ref().and_then(|routing| routing.acquirer(question));
        routed.unwrap_or_else(|| self.usual.route(question.kind))
    }

    /// Asks for an authorization.
    #[must_use]
    pub fn authorize(&self, question: &Question<Authorization>) -> Reply<AuthorizationResponse> {
        self.route(question).authorize(question)
    }

    /// Asks for a capture, void or refund.
    #[must_use]
    pub fn follow_up(&self, question: &Question<FollowUp>) -> Reply<FollowUpResponse> {
        self.route(question).follow_up(question)
    }
}
