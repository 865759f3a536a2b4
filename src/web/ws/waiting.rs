//! Holds the commands of one socket that wait for their commit: bounded in number and in bytes, and in bytes over all
//! sockets.

use std::collections::VecDeque;

use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;

use super::budget::Room;

/// The most messages of one socket that wait at once.
const MESSAGES_MAX: usize = 64;
/// Once they take up this much memory, in bytes, nothing more is read from their socket; the last message may exceed it.
const BYTES_MAX: usize = 1 << 20;

/// The answer to a message, and the message's room.
#[derive(Debug)]
pub(super) struct Answer {
    pub frame: String,
    pub room: Room,
}

/// The commands that a socket waits for, and the answers not yet written.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    undecided: FuturesUnordered<LocalBoxFuture<'static, Answer>>,
    /// Answers that became ready while another frame was being written.
    ready: VecDeque<Answer>,
    bytes: usize,
}

impl Waiting {
    /// Whether another message may be read.
    pub(super) fn has_room(&self) -> bool {
        self.undecided.len() + self.ready.len() < MESSAGES_MAX && self.bytes < BYTES_MAX
    }

    pub(super) fn is_empty(&self) -> bool {
        self.undecided.is_empty() && self.ready.is_empty()
    }

    /// Adds a command; `frame` becomes its answer.
    pub(super) fn add(&mut self, frame: impl Future<Output = String> + 'static, room: Room) {
        self.bytes += room.bytes();
        self.undecided.push(Box::pin(async move { Answer { frame: frame.await, room } }));
    }

    /// The next answer; `None` if nothing waits.
    pub(super) async fn next(&mut self) -> Option<Answer> {
        match self.ready.pop_front() {
            Some(answer) => Some(answer),
            None => self.undecided.next().await,
        }
    }

    /// Whether [`Self::make`] would wait for something.
    pub(super) fn is_deciding(&self) -> bool {
        !self.undecided.is_empty()
    }

    /// Builds the next answer as soon as its commands are committed, so that their payments are not held while the client is
    /// slow to read.
    pub(super) async fn make(&mut self) {
        if let Some(answer) = self.undecided.next().await {
            self.ready.push_back(answer);
        }
    }

    /// Frees the room of an answer that was written.
    pub(super) fn written(&mut self, room: Room) {
        self.bytes = self.bytes.saturating_sub(room.bytes());
        drop(room);
    }
}

#[cfg(test)]
mod tests {
    use super::super::budget::Budget;
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
        // Once an answer is written, there is room again, on this socket and on others.
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
