//! Ends sockets: the reason, the close frame, and how long the client may take to read it.

use std::time::Duration;

use futures_util::SinkExt as _;
use futures_util::stream::{SplitSink, SplitStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::tungstenite::error::{Error as Fault, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::heads::Wrong;
use super::transport::{Socket, Wire};
use crate::web::state::WebState;

/// How long a write may make no progress.
pub(super) const WRITE_DEADLINE: Duration = Duration::from_secs(5);
/// How long a client that was too slow may take to read what is on its way, the close frame last.
const SLOW_CLOSE_DEADLINE: Duration = Duration::from_secs(120);

/// Why a socket ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The client left or the transport broke, so no close frame is sent.
    Gone,
    /// Send a close frame with this code and reason.
    Close(CloseCode, &'static str),
}

/// Waits until the server stops: a stopping server does not wait for slow clients. With [`CloseCode::Away`] it never returns,
/// since that close is the stop's own.
pub(super) async fn stopped(state: &WebState, code: CloseCode) {
    state.shutdown.cancelled().await;
    if code == CloseCode::Away {
        std::future::pending::<()>().await;
    }
}

/// Sends the close frame, and waits as long as the client can be expected to read it.
pub(super) async fn close(
    mut sink: SplitSink<Socket, Frame>,
    stream: SplitStream<Socket>,
    wire: &Wire,
    code: CloseCode,
    why: &'static str,
) {
    let deadline = if code == CloseCode::Again { SLOW_CLOSE_DEADLINE } else { WRITE_DEADLINE };
    let last = Frame::Close(Some(CloseFrame { code, reason: why.into() }));
    let sent = timeout(deadline, sink.send(last)).await;
    let still_sends =
        matches!(code, CloseCode::Protocol | CloseCode::Unsupported | CloseCode::Invalid | CloseCode::Size);
    match sink.reunite(stream) {
        Ok(socket) if still_sends && sent.is_ok() => wire.cut_off(socket.into_inner()).await,
        Ok(_) | Err(_) => {}
    }
}

/// How a socket ends after a read error.
pub(super) fn end_of(fault: &Fault) -> End {
    match fault {
        Fault::Capacity(_) => too_large(),
        Fault::Utf8(_) => End::Close(CloseCode::Invalid, "text must be UTF-8"),
        Fault::Protocol(ProtocolError::ResetWithoutClosingHandshake) => End::Gone,
        Fault::Protocol(_) => no_protocol(),
        Fault::Io(error) => match Wrong::of(error) {
            Some(Wrong::Protocol) => no_protocol(),
            Some(Wrong::Binary) => no_text(),
            None => End::Gone,
        },
        _ => End::Gone,
    }
}

const fn no_protocol() -> End {
    End::Close(CloseCode::Protocol, "this is not the WebSocket protocol")
}

pub(super) const fn no_text() -> End {
    End::Close(CloseCode::Unsupported, "frames are text")
}

pub(super) const fn too_large() -> End {
    End::Close(CloseCode::Size, "the frame is too large")
}
