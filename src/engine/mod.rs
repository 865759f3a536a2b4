//! The sequencer, the single writer: every change is a command, decided and committed in batches.
//!
//! May depend on `domain`, the store's port, and `background` and `lease` for what runs beside the sequencer. Must not know who asks
//! (web, worker, timers) or who reads the journal.
//!
//! - [`handle`]: what senders of commands hold: a bounded lane for callers, one for the system, and answers out.
//! - [`answer`]: the answers to them.
//! - [`envelope`]: a command and its answer on their way; `batch`: those that are decided together.
//! - [`batcher`]: collects what arrives while the previous commit is in flight.
//! - [`writer`]: one transaction per batch; unknown commits, bisection. `fates` says which envelopes of a batch are taken up,
//!   `answering` answers them, `replays` those whose key was recognised.
//! - [`counters`]: what was done since the start.
//! - [`decide_batch`]: a batch decided in memory, pure.
//! - [`journal`]: the encoding of what readers follow.
//! - [`gate`]: refuses submissions while statements are behind.
//! - [`keys`]: forgets old idempotency keys.
//! - [`open_payments`]: payments with open work, for the worker.
//! - [`worker_pause`]: pauses and resumes the workers of all processes.
//! - [`timers`]: turns `due_at` into commands.

pub mod answer;
mod answering;
mod batch;
pub mod batcher;
pub mod counters;
pub mod decide_batch;
pub mod envelope;
mod fates;
pub mod gate;
pub mod handle;
pub mod journal;
pub mod keys;
pub mod open_payments;
mod replays;
pub mod set_aside;
pub mod settings;
pub mod timers;
pub mod worker_pause;
pub mod writer;

#[cfg(test)]
mod tests;

pub use answer::{Acknowledged, Changed, Done, EngineError, SystemError};
pub use counters::Counters;
pub use envelope::{Reply, SystemReply};
pub use handle::Engine;
pub use open_payments::OpenPayments;
pub use settings::EngineSettings;
pub use worker_pause::{WorkSwitch, Workers};
