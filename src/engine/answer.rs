//! What callers of the engine are answered.

use std::sync::Arc;

use crate::domain::payment::Payment;
use crate::domain::rejection::Rejection;
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

    pub(super) fn resource(self) -> Result<Changed, EngineError> {
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
    Refused(#[from] Rejection),
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
