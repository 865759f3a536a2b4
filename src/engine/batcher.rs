//! Natural batching: whatever arrives while the previous commit is in flight makes the next batch. No timer: a lone
//! command is never delayed, and a flood costs one commit per hundreds.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use tokio::sync::mpsc;

use super::envelope::Envelope;
use super::handle::Engine;
use super::settings::EngineSettings;
use super::vitals;
use super::writer::Writer;

/// The most bytes of commands decided in one transaction. It bounds how long others wait for a batch of large ones.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// The receiving ends of the lanes.
#[derive(Debug)]
pub struct Lanes {
    submissions: mpsc::Receiver<Envelope>,
    answers: mpsc::Receiver<Envelope>,
}

/// A handle and the lanes it feeds.
#[must_use]
pub fn lanes(settings: &EngineSettings) -> (Engine, Lanes) {
    let (submissions_in, submissions) = mpsc::channel(settings.intake_capacity.max(1));
    let (answers_in, answers) = mpsc::channel(settings.answer_capacity.max(1));
    (Engine::new(submissions_in, answers_in, settings), Lanes { submissions, answers })
}

/// What has been taken for the next batch.
struct Batch {
    envelopes: Vec<Envelope>,
    bytes: usize,
    max: usize,
}

impl Lanes {
    /// Waits for something to do and takes up to `max` of it, answers and timers first. `None` once every handle is
    /// gone and everything handed in has been taken.
    pub async fn collect(&mut self, max: usize) -> Option<Vec<Envelope>> {
        let first = tokio::select! {
            biased;
            first = self.answers.recv() => match first {
                Some(envelope) => Some(envelope),
                // No more answers can come; what is left are submissions.
                None => self.submissions.recv().await,
            },
            first = self.submissions.recv() => match first {
                Some(envelope) => Some(envelope),
                None => self.answers.recv().await,
            },
        };
        let mut batch = Batch { envelopes: Vec::new(), bytes: 0, max };
        batch.add(first?);
        batch.take_ready(&mut self.answers);
        batch.take_ready(&mut self.submissions);
        Some(batch.envelopes)
    }
}

impl Batch {
    fn add(&mut self, envelope: Envelope) {
        self.bytes += envelope.asked.bytes();
        self.envelopes.push(envelope);
    }

    fn take_ready(&mut self, lane: &mut mpsc::Receiver<Envelope>) {
        while self.envelopes.len() < self.max && self.bytes < BATCH_BYTES_MAX {
            match lane.try_recv() {
                // Nobody waits for it any more.
                Ok(envelope) if envelope.is_withdrawn() => {}
                Ok(envelope) => self.add(envelope),
                Err(_) => return,
            }
        }
    }
}

/// Runs the line until every handle is gone, then returns: everything handed in has been answered. A batch over which
/// the writer panics is lost to its callers, who hear that it may have been done, and to nobody else.
pub async fn run(mut lanes: Lanes, mut writer: Writer, batch_max: usize) {
    while let Some(batch) = lanes.collect(batch_max.max(1)).await {
        if let Err(panic) = AssertUnwindSafe(writer.run(batch)).catch_unwind().await {
            writer.vital().stumbled(&vitals::words(panic.as_ref()));
        }
    }
    writer.finish().await;
    tracing::info!("the writer has answered everything and stops");
}
