//! What callers of the engine hold: bounded lanes in, answers out.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::domain::command::Command;
use crate::domain::payment::Payment;
use crate::domain::refusal::Refusal;

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
    /// What is stored about the payment cannot be read, or a rule broke on it. Nothing changed, and trying again will not
    /// help.
    #[error("what is stored about this payment cannot be worked with: {0}")]
    Damaged(String),
    /// The process is stopping. Nothing changed.
    #[error("the server is stopping")]
    Stopping,
}

/// The receiving end of one answer.
pub type Reply = oneshot::Receiver<Result<Done, EngineError>>;

/// A command on its way to the writer.
#[derive(Debug)]
pub struct Envelope {
    /// What to decide.
    pub command: Command,
    /// Where the outcome goes; a caller that went away is no reason not to do it.
    pub reply: oneshot::Sender<Result<Done, EngineError>>,
}

/// A handle on the engine. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Engine {
    submissions: mpsc::Sender<Envelope>,
    answers: mpsc::Sender<Envelope>,
}

impl Engine {
    /// A handle that feeds these lanes.
    #[must_use]
    pub const fn new(submissions: mpsc::Sender<Envelope>, answers: mpsc::Sender<Envelope>) -> Self {
        Self { submissions, answers }
    }

    /// Hands a submission or an operation in without waiting for room.
    ///
    /// # Errors
    /// [`EngineError::Busy`] past the bound of the intake, [`EngineError::Stopping`] on the way down.
    pub fn submit(&self, command: Command) -> Result<Reply, EngineError> {
        let (reply, receiver) = oneshot::channel();
        match self.submissions.try_send(Envelope { command, reply }) {
            Ok(()) => Ok(receiver),
            Err(mpsc::error::TrySendError::Full(_)) => Err(EngineError::Busy),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(EngineError::Stopping),
        }
    }

    /// Hands a submission or an operation in and waits for its outcome.
    ///
    /// # Errors
    /// As [`Self::submit`], and whatever the writer says.
    pub async fn execute(&self, command: Command) -> Result<Done, EngineError> {
        self.submit(command)?.await.unwrap_or(Err(EngineError::Stopping))
    }

    /// Hands an answer or a timer in, waiting for room: what is already under way is never refused.
    ///
    /// # Errors
    /// [`EngineError::Stopping`] once the engine has stopped.
    pub async fn answer(&self, command: Command) -> Result<Reply, EngineError> {
        let (reply, receiver) = oneshot::channel();
        self.answers.send(Envelope { command, reply }).await.map_err(|_| EngineError::Stopping)?;
        Ok(receiver)
    }

    /// How many more submissions the intake has room for.
    #[must_use]
    pub fn room(&self) -> usize {
        self.submissions.capacity()
    }
}
