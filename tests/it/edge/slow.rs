//! Heads of requests that come too slowly: the first of a connection, and each after it.

use std::sync::Arc;
use std::time::Duration;

use paystorm::config::Settings;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{GUARD, sent};
use crate::support::server::{Server, Stack, with};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_head_may_come_indefinitely() {
    let hasty = |settings: &mut Settings| settings.server.head_wait_ms = 700;
    with(Stack::Embedded, hasty, slow_heads).await;
}

/// Sends bytes one by one, as slowly as an attacker, until the connection ends; what was answered.
async fn drip(line: &mut TcpStream, bytes: &[u8]) -> String {
    let (mut reader, mut writer) = line.split();
    let mut answered = Vec::new();
    let writing = async {
        for byte in bytes.iter().cycle() {
            if writer.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        std::future::pending::<()>().await;
    };
    let reading = async {
        let _ = reader.read_to_end(&mut answered).await;
    };
    let both = async {
        tokio::select! { () = writing => {}, () = reading => {} }
    };
    timeout(GUARD, both).await.expect("given up in time");
    String::from_utf8_lossy(&answered).into_owned()
}

/// Reads one answer and leaves the connection as it is.
async fn one_answer(line: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = async {
        loop {
            bytes.push(line.read_u8().await.expect("an answer"));
            let text = String::from_utf8_lossy(&bytes);
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.to_ascii_lowercase();
                let length = length.split_once("content-length: ").and_then(|(_, rest)| rest.lines().next());
                if length.and_then(|length| length.parse().ok()) == Some(body.len()) {
                    break;
                }
            }
        }
    };
    timeout(GUARD, read).await.expect("an answer in time");
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn slow_heads(server: Arc<Server>) {
    let whole = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
    // The first.
    let mut line = sent(&server, b"GET /healthz HTTP/1.1\r\nX: ").await;
    let answered = drip(&mut line, b"a").await;
    assert!(answered.starts_with("HTTP/1.1 408 "), "{answered}");
    // The second, and the first after one with a body or one that was refused.
    let body = "amount=100&currency=eur";
    let post = format!(
        "POST /v1/payment_intents HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{body}",
        server.address,
        server.key,
        body.len()
    );
    let missing = whole.replace("/healthz", "/nothing");
    for (first, status) in [(&whole, 200), (&post, 200), (&missing, 404)] {
        for begun in ["", "G", "GET /healthz HTTP/1.1\r\nX-Slow: "] {
            let mut line = sent(&server, first.as_bytes()).await;
            let answered = one_answer(&mut line).await;
            assert!(answered.starts_with(&format!("HTTP/1.1 {status} ")), "{answered}");
            line.write_all(begun.as_bytes()).await.expect("sent");
            let answered = if begun.is_empty() {
                // Nothing at all.
                let mut rest = Vec::new();
                let ended = timeout(GUARD, line.read_to_end(&mut rest)).await.expect("an end in time");
                ended.expect("closed in order");
                String::from_utf8_lossy(&rest).into_owned()
            } else {
                drip(&mut line, b"a").await
            };
            assert!(answered.starts_with("HTTP/1.1 408 "), "after {status}, {begun:?}: {answered:?}");
        }
    }
    // Begun together with the first.
    let mut line = sent(&server, format!("{whole}GET /healthz HTTP/1.1\r\nX-Slow: ").as_bytes()).await;
    let answered = drip(&mut line, b"a").await;
    assert!(answered.starts_with("HTTP/1.1 200 ") && answered.contains("HTTP/1.1 408 "), "{answered}");
    // Many that take turns with the slow ones are served.
    let mut line = sent(&server, whole.repeat(20).as_bytes()).await;
    for _ in 0..20 {
        assert!(one_answer(&mut line).await.starts_with("HTTP/1.1 200 "));
    }
}
