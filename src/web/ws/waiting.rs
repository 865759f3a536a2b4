//! Commands of one socket that wait for their outcome: bounded in number and in bytes, and in bytes over all sockets.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::web::error::ApiError;

/// Messages of one socket that may wait at once.
const MESSAGES_MAX: usize = 64;
/// What they may take up in memory before nothing more is read from their socket, in bytes; the last one may pass it.
const BYTES_MAX: usize = 1 << 20;
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

/// What a message is answered with, and its room.
#[derive(Debug)]
pub(super) struct Answer {
    pub frame: String,
    pub room: Room,
}

/// What a socket waits for.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    undecided: FuturesUnordered<LocalBoxFuture<'static, Answer>>,
    /// Answers that were made while another frame was written.
    made: VecDeque<Answer>,
    bytes: usize,
}

impl Waiting {
    /// Whether another message may be read.
    pub(super) fn has_room(&self) -> bool {
        self.undecided.len() + self.made.len() < MESSAGES_MAX && self.bytes < BYTES_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.undecided.is_empty() && self.made.is_empty()
    }

    /// Waits for this as well.
    pub(super) fn add(&mut self, frame: impl Future<Output = String> + 'static, room: Room) {
        self.bytes += room.bytes;
        self.undecided.push(Box::pin(async move { Answer { frame: frame.await, room } }));
    }

    /// The next answer; `None` if nothing waits.
    pub(super) async fn next(&mut self) -> Option<Answer> {
        match self.made.pop_front() {
            Some(answer) => Some(answer),
            None => self.undecided.next().await,
        }
    }

    /// Whether [`Self::make`] would wait for something.
    pub(super) fn is_deciding(&self) -> bool {
        !self.undecided.is_empty()
    }

    /// Makes an answer as soon as there is something to tell, so that the payments it is about are held no longer while the other
    /// side is slow to read.
    pub(super) async fn make(&mut self) {
        if let Some(answer) = self.undecided.next().await {
            self.made.push_back(answer);
        }
    }

    /// An answer is written.
    pub(super) fn written(&mut self, room: Room) {
        self.bytes = self.bytes.saturating_sub(room.bytes);
        drop(room);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_waits_is_bounded_for_each_socket_and_for_all() {
        let budget = Budget::new(20 << 20);
        let (mut one, mut other) = (Waiting::default(), Waiting::default());
        one.add(async { String::new() }, budget.room(300 << 10, 1_000).unwrap());
        assert!(!one.has_room(), "a thousand payments of 300 bytes");
        for _ in 0..MESSAGES_MAX {
            assert!(other.has_room());
            other.add(async { "answer".to_owned() }, budget.room(100, 0).unwrap());
        }
        assert!(!other.has_room());
        while let Ok(room) = budget.room(1 << 20, 1_000) {
            one.add(async { String::new() }, room);
        }
        let refused = budget.room(1 << 20, 1_000).unwrap_err();
        assert_eq!((refused.status.as_u16(), refused.code), (429, Some("rate_limit")));
        // Once an answer is written, there is room again, for itself and for others.
        other.make().await;
        assert!(!other.has_room());
        let Answer { frame, room } = other.next().await.unwrap();
        assert_eq!(frame, "answer");
        other.written(room);
        assert!(other.has_room());
        drop(one);
        assert!(budget.room(1 << 20, 1_000).is_ok());
    }
}
