//! The circumstances of a request: its origin, and how long its caller waits.

use std::time::Duration;

use crate::domain::origin::Origin;

/// How long to wait for the outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wait {
    /// Answer as soon as the command is committed.
    #[default]
    No,
    /// Answer with the outcome, or with `processing` after this long.
    UpTo(Duration),
}

/// How a request is handed in, apart from what it asks for.
#[derive(Debug, Default)]
pub struct Call {
    /// The API request it came from, where the account's events name it.
    pub origin: Option<Box<Origin>>,
    /// How long [`Intake::outcome`](super::Intake::outcome) waits.
    pub wait: Wait,
    /// Whether it is handed in again while the engine is full or the store is unavailable. For callers that have time and
    /// whose requests carry idempotency keys, so that a second attempt does no harm.
    pub persistent: bool,
}

impl Call {
    /// A call that waits like this and has nothing else to say.
    #[must_use]
    pub fn waiting(wait: Wait) -> Self {
        Self { wait, ..Self::default() }
    }
}
