//! Bounds the memory that waiting commands take up on all sockets together.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::web::error::ApiError;

/// Roughly what waiting for one result takes up beside the message itself, with its row in the answer, in bytes.
const RESULT_BYTES: usize = 1 << 10;

/// The memory for everything that waits on sockets. Clones share it.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Semaphore>);

impl Budget {
    /// A budget of this many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }

    /// Takes room for a message of this size that asks for this many results.
    ///
    /// # Errors
    /// 429 if there is none left.
    pub(super) fn room(&self, bytes: usize, results: usize) -> Result<Room, ApiError> {
        let bytes = bytes.saturating_add(results.max(1).saturating_mul(RESULT_BYTES));
        let taken =
            Arc::clone(&self.0).try_acquire_many_owned(u32::try_from(bytes).unwrap_or(u32::MAX)).map_err(
                |_| {
                    ApiError::busy(
                        "Too much waits for its outcome on WebSockets. Try again in a moment; nothing was changed.",
                    )
                },
            )?;
        Ok(Room { bytes, _taken: taken })
    }
}

/// The room of a message, held until its answer is written.
#[derive(Debug)]
pub(super) struct Room {
    bytes: usize,
    _taken: OwnedSemaphorePermit,
}

impl Room {
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}
