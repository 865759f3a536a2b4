//! A WebSocket over the body of a request and that of its answer.
//!
//! Frames are read by `tungstenite`, which looks at the length that a frame announces before it takes any of it, and holds no
//! more of a message than it may have, however many fragments it comes in. Whatever else a frame's head shows to be wrong is
//! seen before it (`heads`).

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

/// What may be on its way to a reader besides the frame that is being written, in bytes.
const OUTGOING_MAX: usize = 128 << 10;
/// What is read from the other side at once, in bytes.
const READ_BYTES: usize = 16 << 10;
/// What is still taken from one that broke the protocol while it reads why, in bytes.
const DRAINED_MAX: usize = 64 << 10;
/// How long that may take.
const DRAINED_WITHIN: Duration = Duration::from_secs(1);

type Incoming = StreamReader<MapErr<Payload, fn(PayloadError) -> io::Error>, Bytes>;
type Io = Join<Watched<Incoming>, Outgoing>;

/// A socket that was let in.
pub(super) type Socket = WebSocketStream<Io>;

/// What is known of a socket's connection from outside.
#[derive(Debug, Clone)]
pub(super) struct Wire {
    /// When bytes were last taken from us.
    moved_at: Rc<Cell<Instant>>,
    /// Whether the answer's body ends by breaking, so that the connection is dropped at once.
    cut: Rc<Cell<bool>>,
}

impl Wire {
    /// A write begins.
    pub(super) fn begin(&self) {
        self.moved_at.set(Instant::now());
    }

    /// For how long the other side has taken nothing.
    pub(super) fn still_for(&self) -> Duration {
        self.moved_at.get().elapsed()
    }

    /// Drops the connection of one that may go on sending whatever it is told. It gets a moment to read the last frame: what
    /// arrives meanwhile is taken, up to a bound, since unread bytes would turn the end into a reset.
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

/// The way to the other side.
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

/// The body of the answer.
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

/// Answers the opening of a socket whose messages may have so many bytes.
///
/// # Errors
/// 400 and 426 for what is no opening of a WebSocket.
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

/// The answer to what does not open a WebSocket.
pub(super) fn no_opening() -> ApiError {
    ApiError::invalid("upgrade_required", "This is a WebSocket.")
}
