//! Hands the body of an upload from the connection to the thread that reads rows.

use std::io::{self, Read};

use bytes::{Buf, Bytes};
use tokio::sync::mpsc;

use super::BYTES_MAX;

/// The most chunks that wait to be read.
const CHUNKS: usize = 4;

/// A piece of the body, or its end.
enum Chunk {
    Bytes(Bytes),
    End,
}

/// The side that the connection writes. Dropping it without [`Self::end`] means that the upload broke off.
pub struct Filling(mpsc::Sender<Chunk>);

impl Filling {
    /// Passes on a chunk, waiting for room. `false` once nobody reads.
    pub async fn push(&self, bytes: Bytes) -> bool {
        self.0.send(Chunk::Bytes(bytes)).await.is_ok()
    }

    /// Marks the end of the body.
    pub async fn end(self) {
        // It fails only if nobody reads, and then nothing needs to be done.
        let _ = self.0.send(Chunk::End).await;
    }
}

/// The side that is read. Reading blocks its thread.
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
