//! The one ordered line: every change is a command, decided and committed in batches.
//!
//! May depend on `domain` and the store's port. Must not know who asks (web, worker, timers) or who reads the journal.
//!
//! - [`handle`]: what callers hold: bounded lanes in, answers out.
//! - [`answer`]: what they are answered.
//! - [`envelope`]: a command and its answer on their way.
//! - [`batcher`]: collects what arrives while the previous commit is in flight.
//! - [`writer`]: one transaction per batch; unknown commits, bisection.
//! - [`counters`]: what was done since the start.
//! - [`decide_batch`]: a batch decided in memory, pure.
//! - [`journal`]: the encoding of what readers follow.
//! - [`keys`]: forgets old idempotency keys.
//! - [`open`]: payments with open work, for the worker.
//! - `resources`: the plain resources of a batch.
//! - `replays`: answers to callers whose key was recognised.
//! - [`worker_pause`]: pauses and resumes the workers of all processes.
//! - [`timers`]: turns `due_at` into commands.
//! - [`vitals`]: whether the tasks of this process are alive.

pub mod answer;
pub mod batcher;
mod books;
mod clocked;
pub mod counters;
pub mod decide_batch;
pub mod envelope;
pub mod gate;
pub mod handle;
pub mod journal;
pub mod keys;
pub mod open;
mod replays;
mod resources;
pub mod settings;
pub mod timers;
pub mod vitals;
pub mod worker_pause;
pub mod writer;

#[cfg(test)]
mod tests;

pub use answer::{Changed, Done, EngineError};
pub use counters::Counters;
pub use envelope::Reply;
pub use handle::Engine;
pub use open::OpenPayments;
pub use settings::EngineSettings;
pub use vitals::Vitals;
pub use worker_pause::{WorkSwitch, Workers};
