//! The body of an upload, handed from the connection to the thread that reads rows.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use tokio::sync::mpsc;

use super::BYTES_MAX;

/// Chunks that may wait.
const CHUNKS: usize = 4;

/// A piece of the body, or word that it is whole.
enum Chunk {
    Bytes(Bytes),
    End,
}

/// The end that the connection fills. Dropped without [`Self::end`], the upload broke off.
pub struct Filling(mpsc::Sender<Chunk>);

impl Filling {
    /// Hands a chunk on, waiting for room. `false` once nobody reads any more.
    pub async fn push(&self, bytes: Bytes) -> bool {
        self.0.send(Chunk::Bytes(bytes)).await.is_ok()
    }

    /// Says that this was all.
    pub async fn end(self) {
        // Nobody there to hear it needs no telling.
        let _ = self.0.send(Chunk::End).await;
    }
}

/// The end that is read, on a thread that may block.
pub struct Body {
    chunks: mpsc::Receiver<Chunk>,
    current: Bytes,
    ended: bool,
    bytes: u64,
}

/// Both ends of an upload.
#[must_use]
pub fn body() -> (Filling, Body) {
    let (sender, chunks) = mpsc::channel(CHUNKS);
    (Filling(sender), Body { chunks, current: Bytes::new(), ended: false, bytes: 0 })
}

impl Read for Body {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.ended {
            match self.chunks.blocking_recv() {
                Some(Chunk::Bytes(bytes)) => self.current = bytes,
                Some(Chunk::End) => self.ended = true,
                None => {
                    let cause = "The upload broke off before its end.";
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, cause));
                }
            }
        }
        let count = into.len().min(self.current.len());
        for (slot, byte) in into.iter_mut().zip(self.current.iter()) {
            *slot = *byte;
        }
        self.current.advance(count);
        let more = u64::try_from(count).unwrap_or(u64::MAX);
        self.bytes = self.bytes.saturating_add(more);
        if self.bytes > BYTES_MAX {
            let mib = BYTES_MAX >> 20;
            let cause = format!(
                "The file is larger than {mib} MiB; the rest was not read: put it into another file."
            );
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, cause));
        }
        Ok(count)
    }
}
