//! The fates of a batch's envelopes when it is decided: taken up, too late, or left for the next batch.

use super::batch::Batch;
use super::decide_batch::{CallerCommand, Commands};
use super::envelope::CallerEnvelope;
use crate::store::Loaded;

/// What was done with a caller's envelope when its batch was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Taken,
    /// Nobody waits for it any more.
    Late,
    /// Its payment or resource was left out: the others were enough for one batch.
    Next,
}

/// What was done with a batch's envelopes, in order.
#[derive(Default)]
pub(super) struct Fates {
    /// Whether each of the system's was taken; the others are for the next batch.
    pub system: Vec<bool>,
    pub callers: Vec<Fate>,
}

impl Fates {
    /// Takes all of a batch.
    pub fn all(batch: &Batch) -> Self {
        Self { system: vec![true; batch.system.len()], callers: vec![Fate::Taken; batch.callers.len()] }
    }

    /// Takes up what is still wanted, and was loaded.
    pub fn of(batch: &Batch, loaded: &Loaded) -> Self {
        let left_out = &loaded.left_out;
        let system = batch.system.iter().map(|envelope| !left_out.contains(&envelope.command.subject()));
        let caller = |envelope: &CallerEnvelope| {
            let command = command_of(envelope);
            if !left_out.is_empty() && command.subjects().any(|subject| left_out.contains(&subject)) {
                Fate::Next
            } else if envelope.take() {
                Fate::Taken
            } else {
                Fate::Late
            }
        };
        Self { system: system.collect(), callers: batch.callers.iter().map(caller).collect() }
    }

    /// The commands of a batch that were taken.
    pub fn commands<'a>(&self, batch: &'a Batch) -> Commands<'a> {
        let system = batch.system.iter().zip(&self.system).filter(|(_, taken)| **taken);
        let callers = batch.callers.iter().zip(&self.callers).filter(|(_, fate)| **fate == Fate::Taken);
        Commands {
            system: system.map(|(envelope, _)| &envelope.command).collect(),
            callers: callers.map(|(envelope, _)| command_of(envelope)).collect(),
        }
    }
}

fn command_of(envelope: &CallerEnvelope) -> CallerCommand<'_> {
    match envelope {
        CallerEnvelope::Payment(envelope) => CallerCommand::Payment(&envelope.asked),
        CallerEnvelope::Change(envelope) => CallerCommand::Change(&envelope.asked),
    }
}
