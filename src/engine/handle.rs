//! The handle that senders of commands hold: bounded lanes in, answers out. Callers have one lane, the system another.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::answer::{Acknowledged, Changed, Done, EngineError, SystemError};
use super::envelope::{CallerEnvelope, Patience, Reply, SystemEnvelope, SystemReply, of_caller, of_system};
use super::gate::Gate;
use super::settings::EngineSettings;
use crate::domain::clock::DriveClock;
use crate::domain::command::{Asked, SystemCommand};
use crate::domain::resource::ChangeResource;

/// A handle on the engine. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Engine {
    callers: mpsc::Sender<CallerEnvelope>,
    system: mpsc::Sender<SystemEnvelope>,
    /// Bytes of callers' commands that may still come in.
    room: Arc<Semaphore>,
    answer_within: Duration,
    gate: Option<Arc<Gate>>,
}

impl Engine {
    /// A handle that feeds these lanes.
    #[must_use]
    pub fn new(
        callers: mpsc::Sender<CallerEnvelope>,
        system: mpsc::Sender<SystemEnvelope>,
        settings: &EngineSettings,
    ) -> Self {
        let bytes = settings.intake_memory_bytes.min(Semaphore::MAX_PERMITS);
        let answer_within = Duration::from_millis(settings.answer_within_ms);
        Self { callers, system, room: Arc::new(Semaphore::new(bytes)), answer_within, gate: None }
    }

    /// The same, behind a gate.
    #[must_use]
    pub fn behind(self, gate: Arc<Gate>) -> Self {
        Self { gate: Some(gate), ..self }
    }

    /// Hands in a caller's command about a payment without waiting for room.
    ///
    /// # Errors
    /// [`EngineError::Busy`] past a bound of the intake, [`EngineError::Stopping`] during shutdown.
    pub fn submit(&self, asked: impl Into<Asked>) -> Result<Reply, EngineError> {
        let asked = asked.into();
        if self.gate.as_ref().is_some_and(|gate| !gate.admits(&asked.command)) {
            return Err(EngineError::Busy);
        }
        let room = self.take_room(asked.bytes())?;
        let (envelope, reply) = of_caller(asked, Patience::of_caller(self.answer_within), room);
        self.send(CallerEnvelope::Payment(envelope))?;
        Ok(reply)
    }

    /// Hands in a caller's command about a payment and waits for its outcome.
    ///
    /// # Errors
    /// As [`Self::submit`], and what the writer answers.
    pub async fn execute(&self, asked: impl Into<Asked>) -> Result<Done, EngineError> {
        self.submit(asked)?.outcome().await
    }

    /// Hands in a caller's change of a plain resource without waiting for room, and waits for its outcome.
    ///
    /// # Errors
    /// As [`Self::submit`], and what the writer answers.
    pub async fn change(&self, change: impl Into<Asked<ChangeResource>>) -> Result<Changed, EngineError> {
        let asked = change.into();
        let room = self.take_room(asked.bytes())?;
        let (envelope, reply) = of_caller(asked, Patience::of_caller(self.answer_within), room);
        self.send(CallerEnvelope::Change(envelope))?;
        reply.outcome().await
    }

    /// Hands in a command of the system, waiting for room: what is already under way is never refused.
    ///
    /// # Errors
    /// [`SystemError::Unavailable`] once the engine has stopped.
    pub async fn answer(&self, command: impl Into<SystemCommand>) -> Result<SystemReply, SystemError> {
        let (envelope, reply) = of_system(command.into());
        self.system.send(envelope).await.map_err(|_| SystemError::Unavailable)?;
        Ok(reply)
    }

    /// Hands in the program's own step of a clock, waiting for room, and waits for its outcome.
    ///
    /// # Errors
    /// As [`Self::answer`], and what the writer answers.
    pub async fn drive_clock(&self, drive: DriveClock) -> Result<Acknowledged, SystemError> {
        self.answer(SystemCommand::DriveClock(drive)).await?.outcome().await
    }

    /// How many more commands of callers the intake has room for.
    #[must_use]
    pub fn room(&self) -> usize {
        self.callers.capacity()
    }

    /// A share of the intake's memory.
    fn take_room(&self, bytes: usize) -> Result<OwnedSemaphorePermit, EngineError> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        Arc::clone(&self.room).try_acquire_many_owned(bytes).map_err(|_| EngineError::Busy)
    }

    fn send(&self, envelope: CallerEnvelope) -> Result<(), EngineError> {
        self.callers.try_send(envelope).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => EngineError::Busy,
            mpsc::error::TrySendError::Closed(_) => EngineError::Stopping,
        })
    }
}
