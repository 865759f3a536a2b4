//! Commands of one socket that wait for their commits: bounded in number and in bytes, since one message may hold a thousand
//! large payments. Past either bound nothing more is read from the socket.

use std::future::Future;

use futures_util::StreamExt as _;
use futures_util::future::LocalBoxFuture;
use futures_util::stream::FuturesUnordered;

/// Messages that may wait at once.
const MESSAGES_MAX: usize = 64;
/// About how many bytes they and their answers may hold. One message more is begun than fits.
const BYTES_MAX: usize = 1 << 20;
/// What a command holds besides its text, until its answer is written.
const COMMAND_BYTES: usize = 1_024;

/// The commands that wait.
#[derive(Default)]
pub(super) struct Backlog {
    waiting: FuturesUnordered<LocalBoxFuture<'static, (String, usize)>>,
    bytes: usize,
}

impl Backlog {
    /// Whether another message may be read.
    pub fn has_room(&self) -> bool {
        self.waiting.len() < MESSAGES_MAX && self.bytes < BYTES_MAX
    }

    /// Whether nobody waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Waits for the answer to a message of so many bytes with so many commands.
    pub fn push(
        &mut self,
        text_bytes: usize,
        commands: usize,
        answer: impl Future<Output = String> + 'static,
    ) {
        let bytes = text_bytes.saturating_add(commands.saturating_mul(COMMAND_BYTES));
        self.bytes = self.bytes.saturating_add(bytes);
        self.waiting.push(Box::pin(async move { (answer.await, bytes) }));
    }

    /// The next answer to be written; `None` if nobody waits.
    pub async fn next(&mut self) -> Option<String> {
        let (answer, bytes) = self.waiting.next().await?;
        self.bytes = self.bytes.saturating_sub(bytes);
        Some(answer)
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn few_large_messages_fill_it_as_well_as_many_small_ones() {
        let mut small = Backlog::default();
        while small.has_room() {
            small.push(200, 1, pending());
        }
        assert_eq!(small.waiting.len(), MESSAGES_MAX);
        let mut large = Backlog::default();
        while large.has_room() {
            large.push(300 << 10, 1_000, ready("done".to_owned()));
        }
        assert_eq!(large.waiting.len(), 1, "a thousand payments of 300 bytes");
        assert_eq!(large.next().await.as_deref(), Some("done"));
        assert!(large.has_room() && large.is_empty() && large.bytes == 0);
    }
}
