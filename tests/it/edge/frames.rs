//! WebSockets that break the protocol, frame by frame: each ends with the code that says what was wrong.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::GUARD;
use crate::support::server::{Server, Stack, with};

pub const TEXT: u8 = 1;
pub const CONTINUE: u8 = 0;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// A frame from the server: its opcode and what it holds.
pub type Frame = (u8, Vec<u8>);

/// The head of a masked frame that says that so many bytes follow. The mask is of zeros.
pub fn head(first: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    match length {
        0..126 => bytes.push(0x80 | length as u8),
        126..0x1_0000 => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&length.to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes
}

/// A masked frame, the last of its message.
pub fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    [head(0x80 | opcode, payload.len() as u64), payload.to_vec()].concat()
}

/// A masked frame after which others of its message follow.
fn part(opcode: u8, payload: &[u8]) -> Vec<u8> {
    [head(opcode, payload.len() as u64), payload.to_vec()].concat()
}

/// Opens a socket by hand.
pub async fn open(server: &Server) -> TcpStream {
    open_at(&server.address, &server.key).await
}

/// Opens a socket to a server at this address with this key.
pub async fn open_at(address: &str, key: &str) -> TcpStream {
    let request = format!(
        "GET /ws HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        address, key
    );
    let mut line = TcpStream::connect(address).await.expect("connected");
    line.write_all(request.as_bytes()).await.expect("sent");
    let mut answered = Vec::new();
    while !answered.ends_with(b"\r\n\r\n") {
        answered.push(timeout(GUARD, line.read_u8()).await.expect("in time").expect("an answer"));
    }
    let answered = String::from_utf8_lossy(&answered).into_owned();
    assert!(answered.starts_with("HTTP/1.1 101 "), "{answered}");
    assert!(answered.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{answered}");
    line
}

/// The next frame from the server; `None` at the end.
pub async fn next(line: &mut TcpStream) -> Option<Frame> {
    let read = async {
        let first = line.read_u8().await.ok()?;
        let length = match line.read_u8().await.ok()? {
            126 => u64::from(line.read_u16().await.ok()?),
            127 => line.read_u64().await.ok()?,
            length => u64::from(length),
        };
        let mut payload = vec![0; length as usize];
        line.read_exact(&mut payload).await.ok()?;
        Some((first & 0x0f, payload))
    };
    timeout(GUARD, read).await.expect("a frame or the end in time")
}

/// The code with which the server closes; `None` if it says nothing.
pub async fn closed(line: &mut TcpStream) -> Option<u16> {
    while let Some((opcode, payload)) = next(line).await {
        if opcode == CLOSE {
            // And then it is over.
            assert_eq!(next(line).await, None);
            return payload.first_chunk().map(|code| u16::from_be_bytes(*code));
        }
    }
    None
}

/// The next frame that is not the server's ping.
async fn received(line: &mut TcpStream) -> Option<Frame> {
    loop {
        match next(line).await {
            Some((PING, _)) => {}
            other => return other,
        }
    }
}

async fn answer(line: &mut TcpStream) -> Value {
    match received(line).await {
        Some((TEXT, payload)) => serde_json::from_slice(&payload).expect("JSON"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_breaks_the_protocol_is_reported() {
    with(Stack::Embedded, |_| {}, protocol).await;
}

async fn protocol(server: Arc<Server>) {
    let close = |code: u16, why: &[u8]| frame(CLOSE, &[code.to_be_bytes().as_slice(), why].concat());
    let cases: Vec<(&str, Vec<u8>, u16)> = vec![
        ("unmasked", b"\x81\x02{}".to_vec(), 1002),
        ("the first reserved bit", frame(0x40 | TEXT, b"{}"), 1002),
        ("the second reserved bit", frame(0x20 | TEXT, b"{}"), 1002),
        ("the third reserved bit", frame(0x10 | TEXT, b"{}"), 1002),
        ("an unknown data frame", frame(3, b"{}"), 1002),
        ("an unknown control frame", frame(11, b""), 1002),
        ("a continuation of nothing", frame(CONTINUE, b"{}"), 1002),
        ("a part that continues nothing", part(CONTINUE, b"{}"), 1002),
        ("a message within another", [part(TEXT, b"{"), frame(TEXT, b"}")].concat(), 1002),
        ("a part of another message", [part(TEXT, b"{"), part(BINARY, b"}")].concat(), 1002),
        ("a ping in parts", part(PING, b"a"), 1002),
        ("a ping of 126 bytes", frame(PING, &[b'a'; 126]), 1002),
        ("a pong of 70,000 bytes", frame(PONG, &vec![b'a'; 70_000]), 1002),
        ("a close of one byte", frame(CLOSE, b"a"), 1002),
        ("a close with a code that no frame may have", close(1005, b""), 1002),
        ("a close with a code below all", close(999, b""), 1002),
        ("a close whose reason is no text", close(1000, b"\xff"), 1007),
        ("text that is none", frame(TEXT, b"{\"type\":\"\xff\"}"), 1007),
        ("text that is none in parts", [part(TEXT, b"\xc3"), frame(CONTINUE, b"\x28")].concat(), 1007),
        ("text that breaks off in a character", frame(TEXT, b"\xe2\x82"), 1007),
        ("bytes", frame(BINARY, b"{}"), 1003),
        ("a frame above its bound", frame(TEXT, &[b' '; 16_385]), 1009),
        (
            "no batch, and above its bound",
            frame(TEXT, format!("{{\"type\":\"ping\",\"run\":\"{}\"}}", "a".repeat(20_000)).as_bytes()),
            1009,
        ),
        ("a frame above every bound", head(0x80 | TEXT, (1 << 20) + 1), 1009),
        ("the longest length there is", head(0x80 | TEXT, u64::MAX), 1009),
        ("a close", close(1000, b"bye"), 1000),
        ("a close of one's own", close(4_000, b""), 4_000),
    ];
    for (what, bytes, code) in cases {
        let mut line = open(&server).await;
        line.write_all(&bytes).await.expect("sent");
        assert_eq!(closed(&mut line).await, Some(code), "{what}");
    }
    // What is allowed.
    let mut line = open(&server).await;
    let parts = [
        part(TEXT, b"{\"type\":"),
        frame(PING, &[b'a'; 125]),
        part(CONTINUE, b""),
        frame(CONTINUE, b"\"ping\",\"id\":7}"),
    ];
    line.write_all(&parts.concat()).await.expect("sent");
    assert_eq!(received(&mut line).await, Some((PONG, vec![b'a'; 125])));
    assert_eq!(answer(&mut line).await, json!({"type": "pong", "id": 7}));
    line.write_all(&frame(CLOSE, b"")).await.expect("sent");
    assert_eq!(received(&mut line).await, Some((CLOSE, Vec::new())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_head_shows_is_refused_before_its_payload() {
    with(Stack::Embedded, |_| {}, wrong_heads).await;
}

/// A frame's head that announces so many bytes, none of which follow.
async fn wrong_heads(server: Arc<Server>) {
    let unmasked = |first: u8, length: u64| {
        let mut bytes = head(first, length);
        bytes.truncate(bytes.len() - 4);
        bytes[1] &= 0x7f;
        bytes
    };
    let cases: Vec<(&str, Vec<u8>, u16)> = vec![
        ("unmasked", unmasked(0x80 | TEXT, 5), 1002),
        ("unmasked and long", unmasked(0x80 | TEXT, 1 << 20), 1002),
        ("unmasked and beyond every bound", unmasked(0x80 | TEXT, 1 << 62), 1002),
        ("an unmasked ping", unmasked(0x80 | PING, 1), 1002),
        ("an unmasked part", [part(TEXT, b"{"), unmasked(CONTINUE, 9)].concat(), 1002),
        ("two bytes and no more", unmasked(0x80 | TEXT, 70_000)[..2].to_vec(), 1002),
        ("a reserved bit", head(0xc0 | TEXT, 1 << 20), 1002),
        ("an unknown kind", head(0x83, 1 << 20), 1002),
        ("a part of nothing", head(0x80 | CONTINUE, 1 << 20), 1002),
        ("a message within another", [part(TEXT, b"{"), head(0x80 | TEXT, 1 << 20)].concat(), 1002),
        ("a long ping", head(0x80 | PING, 1 << 20), 1002),
        ("a ping in parts", head(PING, 100), 1002),
        ("bytes", head(0x80 | BINARY, 1 << 20), 1003),
    ];
    for (what, bytes, code) in cases {
        let mut line = open(&server).await;
        line.write_all(&bytes).await.expect("sent");
        assert_eq!(closed(&mut line).await, Some(code), "{what}");
    }
    // What came before it is answered.
    let mut line = open(&server).await;
    let bytes = [frame(TEXT, b"{\"type\":\"ping\",\"id\":7}"), unmasked(0x80 | TEXT, 70_000)].concat();
    line.write_all(&bytes).await.expect("sent");
    assert_eq!(answer(&mut line).await, json!({"type": "pong", "id": 7}));
    assert_eq!(closed(&mut line).await, Some(1002));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_on_sockets_is_bounded_for_all_of_them() {
    let little = |settings: &mut paystorm::config::Settings| settings.server.socket_memory_bytes = 100_000;
    with(Stack::Embedded, little, bounded_together).await;
}

async fn bounded_together(server: Arc<Server>) {
    let payment =
        json!({"kind": "charge", "amount": 100, "currency": "eur", "payment_method": "pm_card_visa"});
    let batch = |count: usize| json!({"type": "payment.submit_batch", "id": "b", "payments": vec![payment.clone(); count]});
    let mut line = open(&server).await;
    let mut ask = async |message: &Value| {
        line.write_all(&frame(TEXT, message.to_string().as_bytes())).await.expect("sent");
        answer(&mut line).await
    };
    let refused = ask(&batch(200)).await;
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!("b"), &json!("rate_limit")), "{refused}");
    for _ in 0..5 {
        // Room is given back with each answer.
        let done = ask(&batch(60)).await;
        assert_eq!(done["results"].as_array().map(Vec::len), Some(60), "{done}");
    }
    assert_eq!(server.get("/v1/payment_intents?limit=100").await.1["has_more"], true);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_is_wrong_gets_an_error_of_its_own() {
    with(Stack::Embedded, |_| {}, wrong_batches).await;
}

async fn wrong_batches(server: Arc<Server>) {
    let payment = json!({"kind": "charge", "amount": 100, "currency": "eur", "payment_method": "pm_card_visa", "lane": "bulk"});
    let batch = |count: usize| json!({"type": "payment.submit_batch", "id": "b", "payments": vec![payment.clone(); count]});
    let mut line = open(&server).await;
    let mut ask = async |message: &str| {
        line.write_all(&frame(TEXT, message.as_bytes())).await.expect("sent");
        answer(&mut line).await
    };
    let refused = ask(&batch(1_001).to_string()).await;
    assert_eq!((&refused["type"], &refused["id"]), (&json!("error"), &json!("b")), "{refused}");
    assert_eq!(refused["error"]["code"], "parameter_invalid_list");
    // One that is long and wrong in another way.
    let mut strange = batch(1_000);
    strange["colour"] = json!("red");
    let refused = ask(&strange.to_string()).await;
    assert_eq!(
        (&refused["id"], &refused["error"]["code"]),
        (&json!("b"), &json!("body_invalid")),
        "{refused}"
    );
    // And the socket goes on.
    let done = ask(&batch(1_000).to_string()).await;
    assert_eq!(done["results"].as_array().map(Vec::len), Some(1_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_may_name_our_own_origin() {
    with(
        Stack::Embedded,
        |_| {},
        |server| async move {
            let key = format!("Bearer {}", server.key);
            for (origin, expected) in [
                (server.url.as_str(), 101),
                (&server.url.replace("127.0.0.1", "localhost"), 101),
                ("https://evil.example", 403),
                ("null", 403),
            ] {
                let request = server.upgrade(&[("authorization", &key), ("origin", origin)]);
                let status = match tokio_tungstenite::connect_async(request).await {
                    Ok((_, response)) => response.status().as_u16(),
                    Err(tokio_tungstenite::tungstenite::Error::Http(response)) => response.status().as_u16(),
                    Err(error) => panic!("{error}"),
                };
                assert_eq!(status, expected, "{origin}");
            }
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_is_too_slow_learns_so_once_it_reads() {
    with(Stack::Embedded, |_| {}, too_slow).await;
}

async fn too_slow(server: Arc<Server>) {
    let mut line = open(&server).await;
    socket2::SockRef::from(&line).set_recv_buffer_size(64 << 10).expect("a socket");
    // Little to send, much to read: a hundred times a thousand rejections.
    let batch = frame(
        TEXT,
        json!({"type": "payment.submit_batch", "payments": vec![json!({}); 1_000]}).to_string().as_bytes(),
    );
    let mut sent = 0;
    while sent < 200
        && timeout(Duration::from_secs(2), line.write_all(&batch)).await.is_ok_and(|sent| sent.is_ok())
    {
        sent += 1;
    }
    assert!(sent > 10, "{sent}");
    // Three times as long as the server has patience for.
    tokio::time::sleep(Duration::from_secs(16)).await;
    assert_eq!(closed_or_reset(&mut line).await, Some(1013));
}

/// As [`closed`]; after the close frame the connection may end as it likes, for the server did not read all that was sent.
async fn closed_or_reset(line: &mut TcpStream) -> Option<u16> {
    while let Some((opcode, payload)) = next(line).await {
        if opcode == CLOSE {
            return payload.first_chunk().map(|code| u16::from_be_bytes(*code));
        }
    }
    None
}
