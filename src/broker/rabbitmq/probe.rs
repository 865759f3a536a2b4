//! Checks whether an unreachable server is back, at the cost of one TCP connection and eight bytes, so that a long pause between
//! attempts to connect does not outlast the outage.
//!
//! A server that answers but cannot be used (a wrong password, a missing virtual host) is asked less often, since each probe is a
//! line in its log.

use std::time::Duration;

use lapin::uri::{AMQPScheme, AMQPUri};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

/// How often a server that does not answer is asked.
const EVERY: Duration = Duration::from_secs(1);
/// How long one that answers is left alone at most. Only another attempt shows whether it has been fixed.
const RETRY_WITHIN: Duration = Duration::from_secs(4);
/// One that takes longer does not answer.
const WITHIN: Duration = Duration::from_secs(1);
/// The first bytes of every AMQP 0-9-1 connection.
const HEADER: [u8; 8] = *b"AMQP\x00\x00\x09\x01";

/// Waits for the pause; returns `true` before its end if the server did not answer and then did.
pub(super) async fn wait(uri: &AMQPUri, pause: Duration) -> bool {
    let until = Instant::now() + pause;
    let left = || until.saturating_duration_since(Instant::now());
    if answers(uri).await {
        sleep(left().min(RETRY_WITHIN)).await;
        return false;
    }
    loop {
        sleep(left().min(EVERY)).await;
        if answers(uri).await {
            return true;
        }
        if left().is_zero() {
            return false;
        }
    }
}

/// Whether a server accepts connections there and begins to speak. One that has been stopped accepts and says nothing.
async fn answers(uri: &AMQPUri) -> bool {
    matches!(timeout(WITHIN, greet(uri)).await, Ok(Ok(())))
}

async fn greet(uri: &AMQPUri) -> std::io::Result<()> {
    let address = (uri.authority.host.as_str(), uri.authority.port);
    let mut stream = TcpStream::connect(address).await?;
    match uri.scheme {
        AMQPScheme::AMQP => {
            stream.write_all(&HEADER).await?;
            stream.read_u8().await.map(drop)
        }
        // It speaks after a handshake that costs more than this is worth.
        AMQPScheme::AMQPS => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    fn uri(port: u16) -> AMQPUri {
        format!("amqp://guest:guest@127.0.0.1:{port}/%2f").parse().unwrap()
    }

    /// Accepts connections; greets only if asked to.
    async fn server(greets: bool) -> (u16, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let task = tokio::spawn(async move {
            let mut held = Vec::new();
            while let Ok((mut socket, _)) = listener.accept().await {
                if greets {
                    socket.write_all(&[1]).await.unwrap();
                }
                held.push(socket);
            }
        });
        (port, task)
    }

    #[tokio::test]
    async fn a_server_that_comes_back_ends_the_pause() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let waiting = tokio::spawn(async move { wait(&uri(port), Duration::from_secs(600)).await });
        sleep(Duration::from_millis(200)).await;
        assert!(!waiting.is_finished());
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut header = [0; 8];
        socket.read_exact(&mut header).await.unwrap();
        assert_eq!(header, HEADER);
        socket.write_all(&[1]).await.unwrap();
        // Only a guard: the pause itself is ten minutes.
        assert!(timeout(Duration::from_secs(60), waiting).await.unwrap().unwrap());
    }

    #[tokio::test]
    async fn one_that_answers_is_left_alone_and_one_that_hangs_is_not_taken_for_back() {
        for greets in [true, false] {
            let (port, task) = server(greets).await;
            assert!(!wait(&uri(port), Duration::from_millis(50)).await, "greets: {greets}");
            task.abort();
        }
    }
}
