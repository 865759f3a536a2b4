//! Clients that close one side once they have sent all, and clients that go without a word. The first are answered, and of
//! neither anything stays behind.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use super::{GUARD, answer, sent};
use crate::support::server::{Server, Stack, with};
use crate::support::socket::Socket;

/// Slow enough for clients to leave while they are waited for.
fn slow(settings: &mut paystorm::config::Settings) {
    settings.simulator.latency_median_ms = 700.0;
    settings.simulator.latency_sigma = 0.0;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_has_sent_all_is_answered() {
    with(Stack::Embedded, slow, half_closed).await;
}

fn charge(server: &Server) -> String {
    let body = "amount=1250&currency=eur&payment_method=pm_card_visa&confirm=true";
    format!(
        "POST /v1/payment_intents HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        server.address,
        server.key,
        body.len()
    )
}

async fn half_closed(server: Arc<Server>) {
    let mut line = sent(&server, charge(&server).as_bytes()).await;
    line.shutdown().await.expect("one side closed");
    let raw = answer(&mut line).await;
    assert!(raw.status == 200 && raw.text().contains("succeeded"), "{} {}", raw.head, raw.text());
    // Two in a row on one connection.
    let mut line = sent(&server, charge(&server).repeat(2).as_bytes()).await;
    line.shutdown().await.expect("one side closed");
    let text = answer(&mut line).await.text();
    assert!(text.contains("HTTP/1.1 200 OK"), "the second answer: {text}");
    drop(line);
    nothing_is_left(&server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_stays_of_a_client_that_vanishes() {
    with(Stack::Embedded, slow, vanishing).await;
}

async fn vanishing(server: Arc<Server>) {
    let mut lines = Vec::new();
    for n in 0..30 {
        let mut line = sent(&server, charge(&server).as_bytes()).await;
        match n % 3 {
            0 => {}
            1 => line.shutdown().await.expect("one side closed"),
            _ => reset(&line),
        }
        lines.push(line);
    }
    // Some before they were answered.
    lines.truncate(5);
    let mut sockets = Vec::new();
    for _ in 0..10 {
        sockets.push(Socket::open(&server.url, &server.key).await);
    }
    // Half of a request, and half of a WebSocket's frame.
    sent(&server, b"POST /v1/payment_intents HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\namount").await;
    sent(&server, b"GET /v1/balance HTTP/1.1\r\nHo").await;
    drop((lines, sockets));
    nothing_is_left(&server).await;
}

/// Ends a connection at once instead of closing it.
fn reset(line: &TcpStream) {
    socket2::SockRef::from(line).set_linger(Some(Duration::ZERO)).expect("a socket");
}

/// Waits until the system knows of no connection to this server and the server of no WebSocket.
async fn nothing_is_left(server: &Server) {
    let started = tokio::time::Instant::now();
    loop {
        let left = connections(server);
        let metrics = reqwest::get(format!("{}/metrics", server.url)).await.expect("an answer");
        let metrics = metrics.text().await.expect("text");
        let sockets = metrics.lines().find(|line| line.starts_with("paystorm_websockets "));
        if left.is_empty() && sockets == Some("paystorm_websockets 0") {
            return;
        }
        assert!(started.elapsed() < GUARD, "still there: {left:?}, {sockets:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The server's ends of connections that their clients have closed (CLOSE_WAIT is 08), from the system's own list.
fn connections(server: &Server) -> Vec<String> {
    let port =
        server.address.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok()).expect("a port");
    let list = std::fs::read_to_string("/proc/net/tcp").expect("the system's list");
    let own = format!(":{port:04X}");
    let left = list.lines().filter(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, state) = (fields.next().unwrap_or_default(), fields.nth(1).unwrap_or_default());
        local.ends_with(&own) && state == "08"
    });
    left.map(str::to_owned).collect()
}
