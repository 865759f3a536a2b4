//! A WebSocket client for tests: asks, waits for frames, sees how the other side closes.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

const GUARD: Duration = Duration::from_secs(60);

/// An open socket.
pub struct Socket(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    /// Opens a socket to a server (`http://…`) with an API key.
    pub async fn open(server: &str, key: &str) -> Self {
        Self::with(server, &[("authorization", &format!("Bearer {key}"))]).await
    }

    /// Opens a socket to a server with these headers.
    pub async fn with(server: &str, headers: &[(&'static str, &str)]) -> Self {
        let url = format!("{}/ws", server.replacen("http", "ws", 1));
        let mut request = url.into_client_request().expect("an address");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header"));
        }
        Self(connect_async(request).await.expect("a socket").0)
    }

    /// Sends a frame and returns the answer with its id, which must be no error.
    pub async fn ask(&mut self, frame: Value) -> Value {
        let answer = self.ask_anyway(frame).await;
        assert_ne!(answer["type"], "error", "{answer}");
        answer
    }

    /// Sends a frame and returns the answer with its id, whatever it is.
    pub async fn ask_anyway(&mut self, frame: Value) -> Value {
        self.0.send(Message::text(frame.to_string())).await.expect("sent");
        loop {
            let answer = self.frame().await;
            if answer["id"] == frame["id"] {
                return answer;
            }
        }
    }

    /// Sends a frame, whatever it is, and waits for nothing.
    pub async fn tell(&mut self, frame: &str) {
        self.0.send(Message::text(frame)).await.expect("sent");
    }

    /// The next frame of this type.
    pub async fn next(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.frame().await;
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    async fn frame(&mut self) -> Value {
        loop {
            match timeout(GUARD, self.0.next()).await.expect("a frame in time") {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).expect("JSON"),
                Some(Ok(Message::Close(why))) => panic!("the socket was closed: {why:?}"),
                Some(Ok(_)) => {}
                ended => panic!("the socket ended: {ended:?}"),
            }
        }
    }

    /// Reads to the end; what the server said when it closed.
    pub async fn closed(mut self) -> Option<CloseFrame> {
        loop {
            match timeout(GUARD, self.0.next()).await.expect("an end in time") {
                Some(Ok(Message::Close(why))) => return why,
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    }
}
