//! Natural batching: whatever arrives while the previous commit is in flight makes the next batch. No timer: a lone
//! command is never delayed, and a flood costs one commit per hundreds.

use tokio::sync::mpsc;

use super::handle::{Engine, Envelope};
use super::settings::EngineSettings;
use super::writer::Writer;

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
    (Engine::new(submissions_in, answers_in), Lanes { submissions, answers })
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
        let mut batch = vec![first?];
        take_ready(&mut self.answers, &mut batch, max);
        take_ready(&mut self.submissions, &mut batch, max);
        Some(batch)
    }
}

fn take_ready(lane: &mut mpsc::Receiver<Envelope>, batch: &mut Vec<Envelope>, max: usize) {
    while batch.len() < max {
        match lane.try_recv() {
            Ok(envelope) => batch.push(envelope),
            Err(_) => return,
        }
    }
}

/// Runs the line until every handle is gone, then returns: everything handed in has been answered.
pub async fn run(mut lanes: Lanes, writer: Writer, batch_max: usize) {
    while let Some(batch) = lanes.collect(batch_max.max(1)).await {
        writer.run(batch).await;
    }
    tracing::info!("the writer has answered everything and stops");
}
