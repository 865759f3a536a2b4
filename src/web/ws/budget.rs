//! The memory that commands on all sockets may take up while they wait.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::web::error::ApiError;

/// What waiting for one result takes up besides what was sent, and its row in the answer, in bytes, near enough.
const RESULT_BYTES: usize = 1 << 10;

/// Memory that everything together may take up that waits on sockets.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Semaphore>);

impl Budget {
    /// So many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS))))
    }

    /// Room for a message of so many bytes that asks for so many results.
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

/// Room that a message has until its answer is written.
#[derive(Debug)]
pub(super) struct Room {
    bytes: usize,
    _taken: OwnedSemaphorePermit,
}

impl Room {
    /// How large it is.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }
}
