//! A batch decided in memory: commands one after another on what was loaded, each seeing what the ones before it did.
//! Pure; the writer runs it between the reads and the writes of a transaction, and the simulation runs it alone.
//!
//! - `batch_keys`: what has to be loaded.
//! - `state`: what was loaded, as the commands so far have left it; `touched` one payment of it, `resources` the plain
//!   resources, `books` the money, `clocked` the time, `idempotency` the keys.
//! - `system`, `payments`, `changes`: the commands, by kind. - `decision`: their outcomes.
//! - `write`: the rows and the journal.

mod batch_keys;
mod books;
mod changes;
mod clocked;
mod decision;
mod idempotency;
mod payments;
mod resources;
mod state;
mod system;
mod touched;
mod write;

use std::sync::Arc;

use super::answer::{EngineError, SystemError};
use super::journal::JournalEntry;
use crate::domain::command::{Asked, SystemCommand};
use crate::domain::context::Policy;
use crate::domain::payment::Payment;
use crate::domain::resource::ChangeResource;
use crate::domain::time::Timestamp;
use crate::store::{BatchWrite, Loaded};

pub use batch_keys::keys_of;
use decision::PaymentDecision;
pub use decision::{ChangeAnswer, DecidedChange, DecidedPayment};
use state::BatchState;

/// The commands of a batch: the system's are decided before those of callers, each in their order.
#[derive(Debug, Clone, Default)]
pub struct Commands<'a> {
    /// The system's, decided first.
    pub system: Vec<&'a SystemCommand>,
    /// The callers', in order of arrival.
    pub callers: Vec<CallerCommand<'a>>,
}

/// A caller's command.
#[derive(Debug, Clone, Copy)]
pub enum CallerCommand<'a> {
    /// About a payment.
    Payment(&'a Asked),
    /// About a plain resource.
    Change(&'a Asked<ChangeResource>),
}

/// A batch as decided: what to write, what to answer, what readers will see.
#[derive(Debug, Default)]
pub struct DecidedBatch {
    /// The rows.
    pub write: BatchWrite,
    /// One for each command of the system, in their order: the version of its subject right after it.
    pub system: Vec<Result<u32, SystemError>>,
    /// One for each command of a caller about a payment, in their order.
    pub payments: Vec<Result<DecidedPayment, EngineError>>,
    /// One for each change of a plain resource, in their order.
    pub resources: Vec<Result<DecidedChange, EngineError>>,
    /// The payments touched, with their journal entries.
    pub changes: Vec<(JournalEntry, Arc<Payment>)>,
    /// A rule broke on a stored state: nothing of this batch may be written.
    pub defect: Option<String>,
}

impl DecidedBatch {
    /// How many commands were decided.
    #[must_use]
    pub fn len(&self) -> usize {
        self.system.len() + self.payments.len() + self.resources.len()
    }

    /// Whether there was no command.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Decides `commands` in order.
#[must_use]
pub fn decide_batch(
    commands: &Commands<'_>,
    loaded: Loaded,
    policy: &Policy,
    wall: Timestamp,
) -> DecidedBatch {
    let count = commands.system.len() + commands.callers.len();
    let mut state = BatchState::new(loaded, count, policy, wall);
    let system = commands.system.iter().map(|command| state.decide_system(command)).collect();
    let mut payments: Vec<Result<PaymentDecision, EngineError>> = Vec::with_capacity(commands.callers.len());
    let mut resources = Vec::new();
    for command in &commands.callers {
        match command {
            CallerCommand::Payment(asked) => payments.push(state.decide_payment(asked)),
            CallerCommand::Change(asked) => resources.push(state.decide_change(asked)),
        }
    }
    let finished = state.finish();
    let complete = |decision: PaymentDecision| decision.complete(&finished.payments);
    let payments = payments.into_iter().map(|decision| decision.map(complete)).collect();
    let (write, changes, defect) = (finished.write, finished.changes, finished.defect);
    DecidedBatch { write, system, payments, resources, changes, defect }
}
