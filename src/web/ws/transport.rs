//! A WebSocket over the body of a request and the body of its answer.
//!
//! Frames are read by `tungstenite`, which checks the announced length of a frame before it reads the frame, and never holds
//! more of a message than is allowed, however many fragments it has. Other errors in a frame's head are found earlier, by
//! `heads`.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_http::body::{BodyStream, MessageBody as _};
use actix_http::ws::{HandshakeError, handshake};
use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Payload};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream::{MapErr, Stream, TryStreamExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWrite, DuplexStream, Join, duplex, join};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_util::io::{ReaderStream, StreamReader};

use super::heads::Watched;
use crate::web::error::{ApiError, ErrorType};

/// How much may be on its way to a client besides the frame being written, in bytes.
const OUTGOING_MAX: usize = 128 << 10;
/// The most bytes taken from the outgoing pipe, or read from the client, at once.
const READ_BYTES: usize = 16 << 10;
/// How much is still read from a client that violated the protocol while it reads the close frame, in bytes.
const DRAINED_MAX: usize = 64 << 10;
/// How long that reading may take.
const DRAINED_WITHIN: Duration = Duration::from_secs(1);

type Incoming = StreamReader<MapErr<Payload, fn(PayloadError) -> io::Error>, Bytes>;
type Io = Join<Watched<Incoming>, Outgoing>;

/// An admitted socket.
pub(super) type Socket = WebSocketStream<Io>;

/// Observes and ends a socket's connection from outside the library.
#[derive(Debug, Clone)]
pub(super) struct Wire {
    /// When the client last took bytes, or the current write began.
    moved_at: Rc<Cell<Instant>>,
    /// Whether the answer's body ends with an error, so that the connection is dropped at once.
    cut: Rc<Cell<bool>>,
}

impl Wire {
    /// A write begins.
    pub(super) fn begin(&self) {
        self.moved_at.set(Instant::now());
    }

    /// How long the client has taken nothing.
    pub(super) fn still_for(&self) -> Duration {
        self.moved_at.get().elapsed()
    }

    /// Drops the connection of a client that may ignore the close frame and keep sending. It gets a moment to read that frame.
    /// Until then, what arrives is read, up to a bound, since unread bytes would turn the close into a reset.
    pub(super) async fn cut_off(&self, io: Io) {
        let (incoming, _outgoing) = io.into_inner();
        let mut incoming = incoming.into_inner();
        let drain = async {
            let mut bytes = [0; 1_024];
            let mut taken = 0;
            while let Ok(count @ 1..) = incoming.read(&mut bytes).await {
                taken += count;
                if taken > DRAINED_MAX {
                    std::future::pending::<()>().await;
                }
            }
        };
        let _ = timeout(DRAINED_WITHIN, drain).await;
        self.cut.set(true);
    }
}

/// The writing half of a socket.
pub(super) struct Outgoing {
    pipe: DuplexStream,
    wire: Wire,
}

impl AsyncWrite for Outgoing {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.pipe).poll_write(cx, bytes);
        if written.is_ready() {
            self.wire.begin();
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_shutdown(cx)
    }
}

/// The body of the answer: what was written to [`Outgoing`].
struct Outflow {
    pipe: ReaderStream<DuplexStream>,
    wire: Wire,
}

impl Stream for Outflow {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match Pin::new(&mut self.pipe).poll_next(cx) {
            Poll::Ready(None) if self.wire.cut.replace(false) => {
                Poll::Ready(Some(Err(io::ErrorKind::ConnectionAborted.into())))
            }
            other => other,
        }
    }
}

/// Answers the opening handshake of a socket whose messages may have up to `bytes_max` bytes.
///
/// # Errors
/// 400 or 426 if the request is not a valid handshake.
pub(super) async fn open(
    request: &HttpRequest,
    body: Payload,
    bytes_max: usize,
) -> Result<(HttpResponse, Socket, Wire), ApiError> {
    let mut response = handshake(request.head()).map_err(refused)?;
    let wire = Wire { moved_at: Rc::new(Cell::new(Instant::now())), cut: Rc::default() };
    let (ours, theirs) = duplex(OUTGOING_MAX);
    let pipe = ReaderStream::with_capacity(theirs, READ_BYTES);
    let outflow = BodyStream::new(Outflow { pipe, wire: wire.clone() });
    let response = response.message_body(outflow.boxed()).map_err(|_| ApiError::internal())?;
    let broken: fn(PayloadError) -> io::Error = io::Error::other;
    let incoming = StreamReader::new(body.map_err(broken));
    let io = join(Watched::new(incoming), Outgoing { pipe: ours, wire: wire.clone() });
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BYTES)
        .write_buffer_size(0)
        .max_message_size(Some(bytes_max))
        .max_frame_size(Some(bytes_max));
    let socket = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
    Ok((response.into(), socket, wire))
}

fn refused(error: HandshakeError) -> ApiError {
    match error {
        HandshakeError::UnsupportedVersion => {
            let (status, kind) = (StatusCode::UPGRADE_REQUIRED, ErrorType::InvalidRequestError);
            ApiError::new(status, kind, "upgrade_required", "Only version 13 of WebSockets is spoken here.")
        }
        HandshakeError::GetMethodRequired
        | HandshakeError::NoWebsocketUpgrade
        | HandshakeError::NoConnectionUpgrade
        | HandshakeError::NoVersionHeader
        | HandshakeError::BadWebsocketKey => no_opening(),
    }
}

/// The answer to a request that does not open a WebSocket.
pub(super) fn no_opening() -> ApiError {
    ApiError::invalid("upgrade_required", "This is a WebSocket.")
}
