//! The simulated outside world: card acquirers, the bank, and the internal acquirer of transfers.
//!
//! Pure and seeded: no I/O, no async, no clock. It depends on `domain` alone. A reply is a function of (seed, scenario
//! revision, acquirer, draw key, operation, attempt) and of what the question itself says; nothing else may enter,
//! least of all queueing, or a run could not be replayed.
//!
//! - [`question`]: what an acquirer is asked, taken from a payment and one of its operations.
//! - [`draw`]: the keyed hash that turns a question into uniform numbers.
//! - [`latency`]: how long an answer takes.
//! - [`cards`]: what each magic card decides by itself.
//! - [`acquirer`]: one acquirer; [`Simulator`] knows them all and which is asked for what.

pub mod acquirer;
pub mod cards;
pub mod draw;
pub mod latency;
pub mod question;
pub mod settings;

#[cfg(test)]
mod tests;

pub use acquirer::{Acquirer, Reply};
pub use question::Question;
pub use settings::SimulatorSettings;

use std::collections::HashMap;

use crate::domain::ids::AccountId;
use crate::domain::submission::Kind;
use draw::Draws;
use latency::Latency;

/// The outside world of every account.
#[derive(Debug, Clone)]
pub struct Simulator {
    common: World,
    of_account: HashMap<AccountId, World>,
}

/// Every acquirer there is, and which answers what.
#[derive(Debug, Clone)]
struct World {
    cards: Acquirer,
    internal: Acquirer,
    bank: Acquirer,
}

/// The revision of the scenario in force when none was ever set.
pub const FIRST_REVISION: u64 = 1;

impl World {
    /// The plain world: one card acquirer, one bank, and the internal acquirer.
    fn new(settings: &SimulatorSettings) -> Self {
        let draws = Draws::new(settings.seed, FIRST_REVISION);
        let latency = settings.latency();
        let fault_rate = settings.technical_error_rate;
        Self {
            cards: Acquirer::cards("default", draws, latency, fault_rate),
            internal: Acquirer::internal("internal", draws, Latency::NONE),
            bank: Acquirer::bank("bank", draws, latency, fault_rate, settings.payout_settle_ms),
        }
    }

    const fn route(&self, question: &Question) -> &Acquirer {
        match question.kind {
            Kind::Charge | Kind::TopUp => &self.cards,
            Kind::Transfer { .. } => &self.internal,
            Kind::Payout { .. } => &self.bank,
        }
    }
}

impl Simulator {
    /// The same world for everyone.
    #[must_use]
    pub fn new(settings: &SimulatorSettings) -> Self {
        Self { common: World::new(settings), of_account: HashMap::new() }
    }

    /// With worlds of their own for these accounts.
    #[must_use]
    pub fn with_accounts<'a>(
        mut self,
        worlds: impl IntoIterator<Item = &'a (AccountId, SimulatorSettings)>,
    ) -> Self {
        let own = worlds.into_iter().map(|(account, settings)| (*account, World::new(settings)));
        self.of_account.extend(own);
        self
    }

    /// The acquirer that answers this question.
    #[must_use]
    pub fn route(&self, question: &Question) -> &Acquirer {
        self.of_account.get(&question.owner).unwrap_or(&self.common).route(question)
    }

    /// Asks the one that answers this question.
    #[must_use]
    pub fn ask(&self, question: &Question) -> Reply {
        self.route(question).ask(question)
    }
}
