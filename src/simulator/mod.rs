//! The simulated outside world: card acquirers, the bank, and the internal acquirer of transfers.
//!
//! Pure and seeded: no I/O, no async, no clock. It depends on `domain` alone. A reply is a function of (seed, scenario
//! revision, acquirer, draw key, operation, attempt) and of the question itself. Nothing else may influence it, least of
//! all queueing, or a run could not be replayed.
//!
//! - [`question`]: the question to an acquirer, taken from a payment and one of its operations.
//! - [`draw`]: the keyed hash that turns a question into uniform numbers.
//! - [`latency`]: how long an answer takes.
//! - [`cards`]: the outcomes that magic cards determine by themselves.
//! - [`acquirer`]: one acquirer; [`Simulator`] holds them all and routes questions to them.

pub mod acquirer;
pub mod cards;
pub mod draw;
pub mod latency;
pub mod question;
pub mod settings;

#[cfg(test)]
mod tests;

pub use acquirer::{Acquirer, Reply};
pub use question::{Authorization, Question};
pub use settings::SimulatorSettings;

use std::collections::HashMap;

use crate::domain::command::{AuthorizationResponse, FollowUpResponse};
use crate::domain::ids::AccountId;
use crate::domain::payment::FollowUp;
use crate::domain::submission::Kind;
use draw::Draws;
use latency::Latency;

/// The outside world of every account.
#[derive(Debug, Clone)]
pub struct Simulator {
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
            cards: Acquirer::cards("default", draws, latency, fault_rate),
            internal: Acquirer::internal("internal", draws, Latency::NONE),
            bank: Acquirer::bank("bank", draws, latency, fault_rate, settings.payout_settle_ms),
        }
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
        Self { common: Acquirers::new(settings), of_account: HashMap::new() }
    }

    /// Gives these accounts acquirers of their own.
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
        self.of_account.get(&question.owner).unwrap_or(&self.common).route(question.kind)
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
