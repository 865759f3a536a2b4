//! The answers to senders of commands: a payment or a changed resource for callers, a version for the system.

use std::sync::Arc;

use crate::domain::payment::Payment;
use crate::domain::rejection::Rejection;
use crate::domain::subject::Subject;

/// What an admitted command about a payment came to, sent after its commit.
#[derive(Debug, Clone)]
pub struct Done {
    /// The payment as it is after the command (or, for a replayed key, as it is now).
    pub payment: Arc<Payment>,
    /// The version right after the command; for a replayed key, right after the original one.
    pub version: u32,
    /// Whether an idempotency key was recognised and nothing was done again.
    pub replayed: bool,
    /// The batch's position in the journal; zero when nothing was written.
    pub seq: u64,
}

/// What an admitted change of a plain resource came to, sent after its commit.
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
    /// The batch's position in the journal; zero when nothing was written.
    pub seq: u64,
}

/// Confirms that a command of the system was decided, sent after its commit. A stale one has changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledged {
    /// The version of what it is about, right after it.
    pub version: u32,
    /// The batch's position in the journal; zero when nothing was written.
    pub seq: u64,
}

/// Why a caller's command came to nothing.
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

/// Why a command of the system came to nothing. None of them is refused.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SystemError {
    /// Nothing has this id.
    #[error("there is no {0}")]
    Missing(Subject),
    /// As [`EngineError::Damaged`].
    #[error("what is stored about this cannot be worked with: {0}")]
    Damaged(String),
    /// The store is not available, or the process is stopping. It may have been done all the same; sent again, it does no harm.
    #[error("the store is not available")]
    Unavailable,
}
