//! The simulated outside world: card acquirers, the bank, and the internal acquirer of transfers.
//!
//! Pure and seeded: no I/O, no async, no clock. It depends on `domain` and `setting` alone. A reply is a function of (seed,
//! scenario revision, acquirer, draw key, operation, attempt) and of the question itself, to which the time belongs at which the
//! attempt entered the queue. Nothing else may influence what an acquirer replies, or a run could not be replayed. Who is asked, and
//! after what wait, is decided by a [`Gate`], which is somebody else's: state and time are there.
//!
//! - [`question`]: the question to an acquirer, taken from a payment and one of its operations.
//! - [`draw`]: the keyed hash that turns a question into uniform numbers.
//! - [`latency`]: how long an answer takes.
//! - [`cards`]: the outcomes that magic cards determine by themselves.
//! - [`scenario`]: acquirers, rules and windows of time as data, read from a file.
//! - [`acquirer`]: one acquirer; [`terms`], [`faults`]: how it answers an attempt at a time; [`reply`]: its answer.
//! - [`routing`]: which acquirer of a scenario takes a payment; [`world`]: all that answers an account.
//! - [`breaker`], [`capacity`]: state machines for a gate: a circuit breaker, and the queue in front of an acquirer.

pub mod acquirer;
pub mod breaker;
pub mod capacity;
pub mod cards;
pub mod draw;
pub mod faults;
pub mod latency;
pub mod question;
pub mod reply;
pub mod routing;
pub mod scenario;
pub mod settings;
pub mod terms;
pub mod world;

#[cfg(test)]
mod tests;

pub use acquirer::{Acquirer, Asked};
pub use breaker::{Breaker, BreakerRules, Permit, Position};
pub use capacity::{Capacity, Queue};
pub use question::{Authorization, Question};
pub use reply::{Reply, Response, Stray};
pub use scenario::{Scenario, ScenarioErrors};
pub use settings::SimulatorSettings;
pub use world::{Entry, Gate, World};
