//! What callers of the engine hold: bounded lanes in, answers out.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};

use super::envelope::{Envelope, Patience, Reply, envelope};
use super::gate::Gate;
use super::settings::EngineSettings;
use crate::domain::command::Asked;
use crate::domain::payment::Payment;
use crate::domain::refusal::Refusal;
use crate::domain::resource::ChangeResource;
use crate::domain::subject::Subject;

/// The outcome of an admitted command, told after its commit.
#[derive(Debug, Clone)]
pub struct Done {
    /// The payment as it is after the command (or, for a replayed key, as it is now).
    pub payment: Arc<Payment>,
    /// The version right after the command; for a replayed key, right after the original one.
    pub version: u32,
    /// Whether an idempotency key was recognised and nothing was done again.
    pub replayed: bool,
    /// The batch's place in the journal; zero when nothing was written.
    pub seq: u64,
}

/// The outcome of an admitted change of a plain resource, told after its commit.
#[derive(Debug, Clone)]
pub struct Changed {
    /// Which resource it was; for a replayed key, the original one.
    pub subject: Subject,
    /// Its version right after; for a replayed key, right after the original change.
    pub version: u32,
    /// What is answered, byte for byte the same for a replayed key; `None` if the command asked for no answer.
    pub answer: Option<Arc<[u8]>>,
    /// Whether an idempotency key was recognised and nothing was done again.
    pub replayed: bool,
    /// The batch's place in the journal; zero when nothing was written.
    pub seq: u64,
}

/// The outcome of any admitted command.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Of one about a payment.
    Payment(Done),
    /// Of one about a plain resource.
    Resource(Changed),
}

impl Outcome {
    /// That of a command about a payment.
    ///
    /// # Errors
    /// It was about something else, which only a defect can cause.
    pub fn payment(self) -> Result<Done, EngineError> {
        match self {
            Self::Payment(done) => Ok(done),
            Self::Resource(changed) => {
                Err(EngineError::Damaged(format!("{} is no payment", changed.subject)))
            }
        }
    }

    fn resource(self) -> Result<Changed, EngineError> {
        match self {
            Self::Resource(changed) => Ok(changed),
            Self::Payment(done) => Err(EngineError::Damaged(format!("{} is a payment", done.payment.id()))),
        }
    }
}

/// Why a command has no outcome.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// The rules said no; nothing changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The intake is full: try again after a moment. Nothing changed.
    #[error("the intake is full, try again in a moment")]
    Busy,
    /// The store is not available; nothing changed, or it is not known whether (`maybe_done`).
    #[error("the store is not available")]
    Unavailable {
        /// Whether the command may have been committed all the same.
        maybe_done: bool,
    },
    /// What is stored about the subject cannot be read, or a rule broke on it. Nothing changed, and trying again will not
    /// help.
    #[error("what is stored about this cannot be worked with: {0}")]
    Damaged(String),
    /// The process is stopping. Nothing changed.
    #[error("the server is stopping")]
    Stopping,
}

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
