//! What callers of the engine hold: bounded lanes in, answers out.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};

use super::answer::{Changed, Done, EngineError};
use super::envelope::{Envelope, Patience, Reply, envelope};
use super::gate::Gate;
use super::settings::EngineSettings;
use crate::domain::command::Asked;
use crate::domain::resource::ChangeResource;

/// A handle on the engine. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Engine {
    submissions: mpsc::Sender<Envelope>,
    answers: mpsc::Sender<Envelope>,
    /// Bytes of submissions that may still come in.
    room: Arc<Semaphore>,
    answer_within: Duration,
    gate: Option<Arc<Gate>>,
}

impl Engine {
    /// A handle that feeds these lanes.
    #[must_use]
    pub fn new(
        submissions: mpsc::Sender<Envelope>,
        answers: mpsc::Sender<Envelope>,
        settings: &EngineSettings,
    ) -> Self {
        let bytes = settings.intake_memory_bytes.min(Semaphore::MAX_PERMITS);
        let answer_within = Duration::from_millis(settings.answer_within_ms);
        Self { submissions, answers, room: Arc::new(Semaphore::new(bytes)), answer_within, gate: None }
    }

    /// The same, behind a gate.
    #[must_use]
    pub fn behind(self, gate: Arc<Gate>) -> Self {
        Self { gate: Some(gate), ..self }
    }

    /// Hands a submission or an operation in without waiting for room.
    ///
    /// # Errors
    /// [`EngineError::Busy`] past a bound of the intake, [`EngineError::Stopping`] on the way down.
    pub fn submit(&self, asked: impl Into<Asked>) -> Result<Reply, EngineError> {
        let asked = asked.into();
        if self.gate.as_ref().is_some_and(|gate| !gate.admits(&asked.command)) {
            return Err(EngineError::Busy);
        }
        let bytes = u32::try_from(asked.bytes()).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.room).try_acquire_many_owned(bytes).map_err(|_| EngineError::Busy)?;
        let (envelope, reply) = envelope(asked, Patience::of_caller(self.answer_within), Some(room));
        match self.submissions.try_send(envelope) {
            Ok(()) => Ok(reply),
            Err(mpsc::error::TrySendError::Full(_)) => Err(EngineError::Busy),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(EngineError::Stopping),
        }
    }

    /// Hands a submission or an operation in and waits for its outcome.
    ///
    /// # Errors
    /// As [`Self::submit`], and whatever the writer says.
    pub async fn execute(&self, asked: impl Into<Asked>) -> Result<Done, EngineError> {
        self.submit(asked)?.outcome().await
    }

    /// Hands a change of a plain resource in and waits for its outcome.
    ///
    /// # Errors
    /// As [`Self::submit`], and whatever the writer says.
    pub async fn change(&self, change: impl Into<Asked>) -> Result<Changed, EngineError> {
        self.submit(change)?.told().await?.resource()
    }

    /// Hands an answer or a timer in, waiting for room: what is already under way is never refused.
    ///
    /// # Errors
    /// [`EngineError::Stopping`] once the engine has stopped.
    pub async fn answer(&self, asked: impl Into<Asked>) -> Result<Reply, EngineError> {
        let (envelope, reply) = envelope(asked.into(), Patience::Endless, None);
        self.answers.send(envelope).await.map_err(|_| EngineError::Stopping)?;
        Ok(reply)
    }

    /// Hands in what the program itself changes of a plain resource, waiting for room, and waits for its outcome.
    ///
    /// # Errors
    /// As [`Self::answer`], and whatever the writer says.
    pub async fn change_later(&self, change: ChangeResource) -> Result<Changed, EngineError> {
        self.answer(change).await?.told().await?.resource()
    }

    /// How many more submissions the intake has room for.
    #[must_use]
    pub fn room(&self) -> usize {
        self.submissions.capacity()
    }
}
