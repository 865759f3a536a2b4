//! The simulated outside world: card acquirers, the bank, and the internal acquirer of transfers.
//!
//! Pure and seeded: no I/O, no async, no clock. It depends on `domain` and `setting` alone. A reply is a function of (seed,
//! scenario revision, acquirer, draw key, operation, attempt) and of the question itself. Nothing else may influence it, least of
//! all queueing, or a run could not be replayed.
//!
//! - [`question`]: the question to an acquirer, taken from a payment and one of its operations.
//! - [`draw`]: the keyed hash that turns a question into uniform numbers.
//! - [`latency`]: how long an answer takes.
//! - [`cards`]: the outcomes that magic cards determine by themselves.
//! - [`scenario`]: acquirers and rules as data, read from a file.
//! - [`acquirer`]: one acquirer; [`routing`]: which one of a scenario takes a payment; [`Simulator`] holds them all.

pub mod acquirer;
pub mod cards;
pub mod draw;
pub mod latency;
pub mod question;
pub mod routing;
pub mod scenario;
pub mod settings;

#[cfg(test)]
mod tests;

pub use acquirer::{Acquirer, Reply};
pub use question::{Authorization, Question};
pub use scenario::{Scenario, ScenarioErrors};
pub use settings::SimulatorSettings;

use std::collections::HashMap;

use crate::domain::command::{AuthorizationResponse, FollowUpResponse};
use crate::domain::ids::AccountId;
use crate::domain::payment::FollowUp;
use crate::domain::submission::Kind;
use draw::Draws;
use latency::Latency;
use routing::Routing;
use scenario::Rules;

/// The outside world of every account.
#[derive(Debug, Clone)]
pub struct Simulator {
    /// The acquirers of a scenario; they come first.
    routing: Option<Routing>,
    common: Acquirers,
    of_account: HashMap<AccountId, Acquirers>,
}

/// One acquirer for each route.
#[derive(Debug, Clone)]
struct Acquirers {
    cards: Acquirer,
    internal: Acquirer,
    bank: Acquirer,
}

/// The scenario revision in force when none was ever set.
pub const FIRST_REVISION: u64 = 1;

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

impl Simulator {
    /// A world with the same acquirers for every account.
    #[must_use]
    pub fn new(settings: &SimulatorSettings) -> Self {
        Self { routing: None, common: Acquirers::new(settings), of_account: HashMap::new() }
    }

    /// The world of a scenario, for every account. What its acquirers do not take goes to those of the settings, under its rules.
    #[must_use]
    pub fn with_scenario(settings: &SimulatorSettings, scenario: &Scenario) -> Self {
        let seed = scenario.seed.unwrap_or(settings.seed);
        let settings = SimulatorSettings { seed, ..settings.clone() };
        let draws = Draws::new(seed, FIRST_REVISION);
        let usual = settings.latency();
        let routing = Routing::new(&scenario.acquirers, draws, |spec| {
            Acquirer::described(spec, draws, &usual, settings.payout_settle_ms).under(&scenario.rules)
        });
        let common = Acquirers::new(&settings).under(&scenario.rules);
        Self { routing: Some(routing), common, of_account: HashMap::new() }
    }

    /// Gives these accounts acquirers of their own, where no scenario says who answers.
    #[must_use]
    pub fn with_accounts<'a>(
        mut self,
        settings: impl IntoIterator<Item = &'a (AccountId, SimulatorSettings)>,
    ) -> Self {
        let own = settings.into_iter().map(|(account, settings)| (*account, Acquirers::new(settings)));
        self.of_account.extend(own);
        self
    }

    /// The acquirer that answers this question.
    #[must_use]
    pub fn route<O>(&self, question: &Question<O>) -> &Acquirer {
        let routed = self.routing.as_ref().and_then(|routing| routing.acquirer(question));
        routed.unwrap_or_else(|| {
            self.of_account.get(&question.owner).unwrap_or(&self.common).route(question.kind)
        })
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
