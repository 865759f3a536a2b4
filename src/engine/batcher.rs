//! Natural batching: whatever arrives while the previous commit is in flight makes the next batch. No timer: a lone
//! command is never delayed, and a flood costs one commit per hundreds.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use tokio::sync::mpsc;

use super::batch::{Batch, Collecting};
use super::envelope::{CallerEnvelope, SystemEnvelope};
use super::handle::Engine;
use super::settings::EngineSettings;
use super::writer::Writer;
use crate::background::registry::panic_message;

/// The most bytes of commands decided in one transaction. It bounds how long others wait for a batch of large ones.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// The receiving ends of the lanes.
#[derive(Debug)]
pub struct Lanes {
    callers: mpsc::Receiver<CallerEnvelope>,
    system: mpsc::Receiver<SystemEnvelope>,
}

/// A handle and the lanes it feeds.
#[must_use]
pub fn lanes(settings: &EngineSettings) -> (Engine, Lanes) {
    let (callers_in, callers) = mpsc::channel(settings.intake_capacity.max(1));
    let (system_in, system) = mpsc::channel(settings.answer_capacity.max(1));
    (Engine::new(callers_in, system_in, settings), Lanes { callers, system })
}

impl Lanes {
    /// Waits for something to do and takes up to `max` of it, the system's first. `None` once every handle is gone and
    /// everything handed in has been taken.
    pub async fn collect(&mut self, max: usize) -> Option<Batch> {
        let mut batch = Collecting::new(max, BATCH_BYTES_MAX);
        self.first(&mut batch).await?;
        while !batch.is_full()
            && let Ok(envelope) = self.system.try_recv()
        {
            batch.add_system(envelope);
        }
        while !batch.is_full()
            && let Ok(envelope) = self.callers.try_recv()
        {
            // Nobody waits any more for one that is withdrawn.
            if !envelope.is_withdrawn() {
                batch.add_caller(envelope);
            }
        }
        Some(batch.finish())
    }

    /// Waits for the first command: of whichever lane has one, or of the other when one is closed.
    async fn first(&mut self, batch: &mut Collecting) -> Option<()> {
        tokio::select! {
            biased;
            first = self.system.recv() => match first {
                Some(envelope) => batch.add_system(envelope),
                None => batch.add_caller(self.callers.recv().await?),
            },
            first = self.callers.recv() => match first {
                Some(envelope) => batch.add_caller(envelope),
                None => batch.add_system(self.system.recv().await?),
            },
        }
        Some(())
    }
}

/// Runs the sequencer until every handle is gone and everything handed in has been answered. If the writer panics over a
/// batch, only its callers are affected: they are answered that it may have been done.
pub async fn run(mut lanes: Lanes, mut writer: Writer, batch_max: usize) {
    while let Some(batch) = lanes.collect(batch_max.max(1)).await {
        if let Err(panic) = AssertUnwindSafe(writer.run(batch)).catch_unwind().await {
            writer.task().survived(&panic_message(panic.as_ref()));
        }
    }
    writer.finish().await;
    tracing::info!("the writer has answered everything and stops");
}
