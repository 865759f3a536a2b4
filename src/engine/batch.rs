//! Batches: commands decided together, those of the system before those of callers, each in order of arrival.

use super::envelope::{CallerEnvelope, SystemEnvelope};
use crate::domain::command::SystemCommand;

/// Commands with what it takes to answer them.
#[derive(Debug, Default)]
pub struct Batch {
    /// The system's, decided first.
    pub system: Vec<SystemEnvelope>,
    /// The callers', in order of arrival.
    pub callers: Vec<CallerEnvelope>,
}

impl Batch {
    /// How many commands there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.system.len() + self.callers.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.system.is_empty() && self.callers.is_empty()
    }

    /// Keeps the first `at` commands and returns the others.
    #[must_use]
    pub fn split_off(&mut self, at: usize) -> Self {
        let system = self.system.split_off(at.min(self.system.len()));
        let callers = self.callers.split_off(at.saturating_sub(self.system.len()).min(self.callers.len()));
        Self { system, callers }
    }
}

/// A batch that is being collected, up to a number of commands and of bytes.
#[derive(Debug)]
pub(super) struct Collecting {
    batch: Batch,
    bytes: usize,
    commands_max: usize,
    bytes_max: usize,
}

impl Collecting {
    pub fn new(commands_max: usize, bytes_max: usize) -> Self {
        Self { batch: Batch::default(), bytes: 0, commands_max, bytes_max }
    }

    pub fn is_full(&self) -> bool {
        self.batch.len() >= self.commands_max || self.bytes >= self.bytes_max
    }

    pub fn add_system(&mut self, envelope: SystemEnvelope) {
        self.bytes += SystemCommand::BYTES;
        self.batch.system.push(envelope);
    }

    pub fn add_caller(&mut self, envelope: CallerEnvelope) {
        self.bytes += envelope.bytes();
        self.batch.callers.push(envelope);
    }

    pub fn finish(self) -> Batch {
        self.batch
    }
}
