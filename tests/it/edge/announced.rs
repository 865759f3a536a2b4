//! WebSockets that announce, or send in parts, more than any message may have: closed before it is taken, and cheap however
//! many do it at once.

use std::sync::Arc;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::GUARD;
use super::frames::{CONTINUE, TEXT, closed, head, open, open_at};
use crate::support::binary::{Kind, on};
use crate::support::server::{Server, Stack, with};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_announces_too_much_is_closed_before_it_is_taken() {
    with(Stack::Embedded, |_| {}, announced).await;
}

/// Sends these bytes over and over until the connection breaks; how many went.
async fn flood(line: &mut TcpStream, bytes: &[u8], at_most: usize) -> usize {
    let mut taken = 0;
    let writing = async {
        while taken < at_most && line.write_all(bytes).await.is_ok() {
            taken += bytes.len();
        }
    };
    timeout(GUARD, writing).await.expect("an end in time");
    taken
}

async fn announced(server: Arc<Server>) {
    for length in [1_u64 << 62, (1 << 63) - 1, 1 << 40, 2 << 20] {
        let mut line = open(&server).await;
        // What the system buffers for us is not the server's doing: little of it.
        socket2::SockRef::from(&line).set_send_buffer_size(64 << 10).expect("a socket");
        line.write_all(&head(0x80 | TEXT, length)).await.expect("sent");
        let taken = flood(&mut line, &[b'a'; 16 << 10], 64 << 20).await;
        assert!(taken < 2 << 20, "{length}: {taken} bytes were taken");
        // A client that only listens receives the reason.
        let mut line = open(&server).await;
        line.write_all(&head(0x80 | TEXT, length)).await.expect("sent");
        assert_eq!(closed(&mut line).await, Some(1009), "{length}");
    }
    // The same in parts: none too long by itself, together too much.
    for part in [1_usize, 100, 16 << 10] {
        let mut line = open(&server).await;
        let bytes = |opcode| [head(opcode, part as u64), vec![b' '; part]].concat();
        line.write_all(&bytes(TEXT)).await.expect("sent");
        let many = bytes(CONTINUE).repeat((16_usize << 10).div_ceil(part));
        let taken = flood(&mut line, &many, 64 << 20).await;
        assert!(taken < 40 << 20, "in parts of {part}: {taken}");
    }
    // Nothing of it did the server any harm.
    assert_eq!(server.get("/v1/balance").await.0, 200);
}

/// Memory that a process holds, or held at most, in KiB: a line of what the system says of it.
fn kib(pid: u32, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the system knows it");
    let value = status
        .lines()
        .find_map(|text| text.strip_prefix(line))
        .and_then(|text| text.split_whitespace().nth(1));
    value.and_then(|value| value.parse().ok()).expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_at_once_cost_little() {
    on(Kind::Embedded, |stack| async move {
        let key = stack.api_key().await;
        let server = stack.serve().await;
        let address = server.url.trim_start_matches("http://").to_owned();
        let before = kib(server.pid(), "VmHWM");
        let attack = async |_| {
            let mut line = open_at(&address, &key).await;
            line.write_all(&head(0x80 | TEXT, 1 << 62)).await.expect("sent");
            flood(&mut line, &[b'a'; 64 << 10], 64 << 20).await
        };
        let taken: usize = futures_util::future::join_all((0..100).map(attack)).await.into_iter().sum();
        let peak = kib(server.pid(), "VmHWM");
        assert!(taken < 100 * (8 << 20), "{taken} bytes were taken");
        assert!(peak.saturating_sub(before) <= 100 << 10, "{before} KiB before, {peak} KiB at most");
        server.stop().await;
    })
    .await;
}
