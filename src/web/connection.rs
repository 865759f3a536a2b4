//! A client connection with a time limit for every request's head. The HTTP library limits only the first; here each later
//! one has a limit too, counted from the end of the previous answer.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// The answer to a head that takes too long, the same as the library gives to the first.
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Whose turn it is on a connection: ours to answer or the client's to send. Shared with the requests on it.
#[derive(Debug, Clone)]
pub struct Turns(Rc<Turn>);

#[derive(Debug)]
struct Turn {
    /// The number of requests being answered.
    open: Cell<u32>,
    /// Since when no request is being answered.
    since: Cell<Instant>,
}

impl Turns {
    fn new() -> Self {
        Self(Rc::new(Turn { open: Cell::new(0), since: Cell::new(Instant::now()) }))
    }

    /// A request has begun; dropping the returned guard ends its answer.
    #[must_use]
    pub fn begin(&self) -> Ours {
        self.0.open.set(self.0.open.get().saturating_add(1));
        Ours(self.clone())
    }

    /// Since when the client could have sent a request but has not; `None` if it is our turn.
    fn theirs_since(&self) -> Option<Instant> {
        (self.0.open.get() == 0).then(|| self.0.since.get())
    }

    fn theirs_from_now(&self) {
        self.0.since.set(Instant::now());
    }
}

/// Guards our turn: a request is being answered until this is dropped.
#[derive(Debug)]
pub struct Ours(Turns);

impl Drop for Ours {
    fn drop(&mut self) {
        let turn = &self.0.0;
        turn.open.set(turn.open.get().saturating_sub(1));
        self.0.theirs_from_now();
    }
}

/// A connection that closes when the next request's head is late.
#[derive(Debug)]
pub struct Connection<T> {
    io: T,
    turns: Turns,
    /// How long the client may take to send the head of its next request.
    head_within: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    /// Whether written bytes are waiting for the client to take them.
    untaken: bool,
}

impl<T> Connection<T> {
    /// A connection on which each request's head must arrive within `head_within`.
    pub fn new(io: T, head_within: Duration) -> Self {
        Self { io, turns: Turns::new(), head_within, timer: None, untaken: false }
    }

    /// The underlying stream.
    pub const fn io(&self) -> &T {
        &self.io
    }

    /// To be shared with the connection's requests.
    pub const fn turns(&self) -> &Turns {
        &self.turns
    }

    /// Whether the next request's head is late. The timer is reset only when it fires, not for each request.
    fn is_overdue(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(since) = self.turns.theirs_since().filter(|_| !self.untaken) else { return false };
        let due = since + self.head_within;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        while timer.as_mut().poll(cx).is_ready() {
            if due <= Instant::now() {
                return true;
            }
            timer.as_mut().reset(due);
        }
        false
    }

    /// Something was written, or could not be.
    fn wrote(&mut self, result: &Poll<io::Result<usize>>) {
        self.untaken = result.is_pending();
        if result.is_ready() && self.turns.theirs_since().is_some() {
            self.turns.theirs_from_now();
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncRead for Connection<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_overdue(cx) {
            // Sent only if it can be sent at once; then the stream ends as if the client had left.
            let _ = Pin::new(&mut self.io).poll_write(cx, TOO_SLOW);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Connection<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.wrote(&result);
        result
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.wrote(&result);
        result
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_shutdown(cx))?;
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
    use tokio::time::{advance, timeout};

    use super::*;

    const WITHIN: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn a_head_that_comes_byte_by_byte_times_out_on_every_request() {
        let (ours, mut theirs) = duplex(1 << 10);
        let mut connection = Connection::new(ours, WITHIN);
        let mut byte = [0];
        for _ in 0..3 {
            // Slow, but in time.
            for _ in 0..9 {
                theirs.write_all(b"G").await.unwrap();
                assert_eq!(connection.read(&mut byte).await.unwrap(), 1);
                advance(Duration::from_secs(1)).await;
            }
            // The time that we take to answer does not count.
            let ours = connection.turns().begin();
            advance(Duration::from_secs(60)).await;
            assert!(timeout(Duration::from_secs(60), connection.read(&mut byte)).await.is_err());
            drop(ours);
        }
        let started = Instant::now();
        loop {
            theirs.write_all(b"G").await.unwrap();
            if connection.read(&mut byte).await.unwrap() == 0 {
                break;
            }
            advance(Duration::from_secs(1)).await;
        }
        assert_eq!(started.elapsed().as_secs(), WITHIN.as_secs());
        let mut answer = [0; 12];
        theirs.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 408");
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_client_times_out_and_one_that_still_reads_does_not() {
        let (ours, mut theirs) = duplex(16);
        let mut connection = Connection::new(ours, WITHIN);
        let mut byte = [0];
        let answering = connection.turns().begin();
        connection.write_all(&[b'a'; 16]).await.unwrap();
        drop(answering);
        // The rest of a finished answer that the client has not taken yet.
        for _ in 0..5 {
            assert!(timeout(Duration::from_secs(1), connection.write_all(b"b")).await.is_err());
            assert!(timeout(WITHIN * 2, connection.read(&mut byte)).await.is_err());
            assert_eq!(theirs.read(&mut byte).await.unwrap(), 1);
            connection.write_all(b"b").await.unwrap();
        }
        let started = Instant::now();
        assert_eq!(connection.read(&mut byte).await.unwrap(), 0);
        assert_eq!(started.elapsed(), WITHIN);
    }
}
