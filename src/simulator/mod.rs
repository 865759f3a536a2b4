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
//! - [`acquirer`]: one acquirer; [`routing`]: which one of a scenario takes a payment; [`world`]: all that answers an account.

pub mod acquirer;
pub mod cards;
pub mod draw;
pub mod latency;
pub mod question;
pub mod routing;
pub mod scenario;
pub mod settings;
pub mod world;

#[cfg(test)]
mod tests;

pub use acquirer::{Acquirer, Reply};
pub use question::{Authorization, Question};
pub use scenario::{Scenario, ScenarioErrors};
pub use settings::SimulatorSettings;
pub use world::World;
