//! The WebSocket of a whole server: who is let in, what is submitted and received, and how sockets end.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use paystorm::config::Settings;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::support::server::{Server, Stack, on_both_stacks, with};

on_both_stacks!(submits_and_receives, cookies_let_in_until_they_sign_out, shows_only_what_is_theirs);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

async fn by_key(server: &Server, key: &str) -> Socket {
    let request = server.upgrade(&[("authorization", &format!("Bearer {key}"))]);
    connect_async(request).await.expect("let in").0
}

async fn send(socket: &mut Socket, value: Value) {
    socket.send(Message::text(value.to_string())).await.expect("sent");
}

/// The next frame that is JSON; `Err` with the code once the socket was closed.
async fn next(socket: &mut Socket) -> Result<Value, Option<CloseCode>> {
    loop {
        let frame = tokio::time::timeout(Duration::from_secs(30), socket.next()).await.expect("in time");
        match frame {
            Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).expect("JSON")),
            Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code)),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Err(None),
        }
    }
}

async fn closed(socket: &mut Socket) -> Option<CloseCode> {
    loop {
        if let Err(code) = next(socket).await {
            return code;
        }
    }
}

fn batch(run: &str, numbers: std::ops::Range<i64>) -> Value {
    let payment = |n: i64| {
        json!({"kind": "charge", "amount": 100 + n, "currency": "eur", "run": run, "lane": "bulk",
            "card": {"number": "4242424242424242", "exp_month": 12, "exp_year": 2040, "cvc": "123"},
            "idempotency_key": format!("{run}-{n:06}")})
    };
    let payments: Vec<Value> = numbers.map(payment).collect();
    json!({"type": "payment.submit_batch", "id": "b", "payments": payments})
}

async fn submits_and_receives(server: Arc<Server>) {
    let mut socket = by_key(&server, &server.key).await;
    send(&mut socket, json!({"type": "subscribe", "id": 1, "topic": "run", "run": "r1"})).await;
    let mut frame = batch("r1", 0..500);
    let bad = json!({"kind": "charge", "amount": 0, "currency": "eur"});
    frame["payments"].as_array_mut().expect("payments").push(bad);
    send(&mut socket, frame).await;
    let (mut succeeded, mut acked) = (0, false);
    while succeeded < 500 || !acked {
        let frame = next(&mut socket).await.expect("open");
        match frame["type"].as_str() {
            Some("ack") if frame["id"] == "b" => {
                let results = frame["results"].as_array().expect("results");
                assert_eq!(results.len(), 501);
                assert_eq!(results[3]["payment"]["amount"], 103);
                assert_eq!(results[500]["error"]["param"], "amount");
                acked = true;
            }
            Some("payment.updated") => {
                let rows = frame["rows"].as_array().expect("rows");
                succeeded += rows.iter().filter(|row| row["status"] == "succeeded").count();
            }
            _ => assert_eq!(frame["subscription"], 1, "{frame}"),
        }
    }
}

async fn cookies_let_in_until_they_sign_out(server: Arc<Server>) {
    let cookie = server.sign_in("shop@example.org").await;
    let csrf = server.csrf(&cookie).await;
    let browser = [("origin", server.url.as_str()), ("cookie", cookie.as_str())];
    let (mut socket, answer) = connect_async(server.upgrade(&browser)).await.expect("let in");
    assert_eq!(answer.headers()["paystorm-protocol"], paystorm::web::ws::PROTOCOL_VERSION);
    send(&mut socket, json!({"type": "ping", "id": "a"})).await;
    assert_eq!(next(&mut socket).await, Ok(json!({"type": "pong", "id": "a"})));
    let out = server.post_form("/sign-out", &cookie, &[("origin", &server.url)], &[("csrf", &csrf)]).await;
    assert_eq!(out.status(), 303);
    assert_eq!(closed(&mut socket).await, Some(CloseCode::Policy));
    for (headers, expected) in [
        (vec![], 401),
        (vec![("authorization", "Bearer sk_test_wrong")], 401),
        (vec![("origin", "https://evil.example")], 403),
        (vec![("origin", server.url.as_str())], 401),
        // Signed out.
        (browser.to_vec(), 401),
    ] {
        match connect_async(server.upgrade(&headers)).await {
            Err(Error::Http(response)) => assert_eq!(response.status(), expected, "{headers:?}"),
            other => panic!("{headers:?}: {:?}", other.map(|_| ())),
        }
    }
}

async fn shows_only_what_is_theirs(server: Arc<Server>) {
    let mut eve = by_key(&server, &server.other_key).await;
    send(&mut eve, json!({"type": "subscribe", "id": 1, "topic": "payments"})).await;
    send(&mut eve, json!({"type": "subscribe", "id": 2, "topic": "run", "run": "r1"})).await;
    for id in [1, 2] {
        assert_eq!(next(&mut eve).await.expect("open")["id"], id);
    }
    let (_, charge) = server
        .post("/v1/payment_intents", "amount=1250&currency=eur&confirm=true&payment_method=pm_card_visa")
        .await;
    let id = charge["id"].as_str().expect("an id");
    send(&mut eve, json!({"type": "subscribe", "id": 3, "topic": "payment", "payment_id": id})).await;
    let refused = next(&mut eve).await.expect("open");
    assert_eq!(
        (&refused["type"], &refused["error"]["code"]),
        (&json!("error"), &json!("resource_missing")),
        "{refused}"
    );
    for operation in ["confirm", "capture", "cancel", "refund", "complete_action", "replay"] {
        let mut message =
            json!({"type": "operation.submit", "id": 4, "payment_id": id, "operation": operation});
        if operation == "complete_action" {
            message["passed"] = json!(true);
        }
        send(&mut eve, message).await;
        let refused = next(&mut eve).await.expect("open");
        assert_eq!(refused["error"]["code"], "resource_missing", "{operation}: {refused}");
    }
    // A transfer to her is hers to see, without what its sender noted.
    let form = "amount=500&currency=eur&destination=eve@example.org&description=secret&metadata[a]=secret";
    assert_eq!(server.post("/v1/transfers", form).await.0, 200);
    loop {
        let frame = next(&mut eve).await.expect("open");
        assert!(!frame.to_string().contains("secret"), "{frame}");
        let Some(rows) = frame["rows"].as_array() else { continue };
        assert!(rows.iter().all(|row| row["kind"] == "transfer" && row["amount"] == 500), "{frame}");
        if rows.iter().any(|row| row["status"] == "succeeded") {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bounds_of_sockets_are_those_of_the_settings() {
    let tight = |settings: &mut Settings| {
        settings.server.ping_ms = 200;
        settings.server.silence_ms = 3_000;
        settings.server.frame_max_bytes = 1_024;
        settings.server.batch_frame_max_bytes = 4_096;
    };
    with(Stack::Embedded, tight, bounds).await;
}

async fn bounds(server: Arc<Server>) {
    // A frame above its bound ends the socket; a batch may be larger, up to its own.
    let ping = |chars: usize| json!({"type": "ping", "id": "x", "run": "x".repeat(chars)});
    for (message, expected) in
        [(ping(500), None), (ping(1_100), Some(CloseCode::Size)), (ping(9_000), Some(CloseCode::Size))]
    {
        let mut socket = by_key(&server, &server.key).await;
        send(&mut socket, message).await;
        match next(&mut socket).await {
            Ok(frame) => assert!(expected.is_none() && frame["type"] == "pong", "{frame}"),
            Err(code) => assert_eq!(code, expected),
        }
    }
    let mut socket = by_key(&server, &server.key).await;
    send(&mut socket, batch("r", 0..8)).await;
    assert_eq!(next(&mut socket).await.expect("open")["results"].as_array().map(Vec::len), Some(8));
    // A client that answers pings stays, for longer than silence is tolerated.
    let until = tokio::time::Instant::now() + Duration::from_millis(4_500);
    while let Ok(frame) = tokio::time::timeout_at(until, socket.next()).await {
        assert!(matches!(frame, Some(Ok(Message::Ping(_) | Message::Text(_)))), "{frame:?}");
    }
    // One that does not is closed. Read below the protocol, which would answer, late, into a connection that is gone.
    let MaybeTlsStream::Plain(stream) = socket.get_mut() else { panic!("plain") };
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut bytes)).await;
    read.expect("closed in time").expect("read to its end");
    let code = u16::from(CloseCode::Policy).to_be_bytes();
    let says_why = bytes.windows(4).any(|frame| frame[0] == 0x88 && frame[2..] == code);
    assert!(says_why, "a close frame with its code: {bytes:x?}");
}

/// One reader sleeps while another follows everything: the sleeper is sent `resync` or closed, the other misses nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_holds_up_nobody() {
    with(Stack::Embedded, |_| {}, slow_reader).await;
}

async fn slow_reader(server: Arc<Server>) {
    const PAYMENTS: i64 = 20_000;
    let (mut fast, mut slow, mut sender) = (
        by_key(&server, &server.key).await,
        by_key(&server, &server.key).await,
        by_key(&server, &server.key).await,
    );
    let watch = json!({"type": "subscribe", "id": 1, "topic": "run", "run": "r"});
    send(&mut fast, watch.clone()).await;
    // A rate that leaves nothing out, with the shorter queue of sampled subscriptions.
    let mut sampled = watch;
    sampled["max_per_second"] = json!(1_000_000);
    send(&mut slow, sampled).await;
    assert_eq!(next(&mut slow).await.expect("open")["type"], "ack");
    let submit = async {
        for start in (0..PAYMENTS).step_by(1_000) {
            send(&mut sender, batch("r", start..start + 1_000)).await;
            assert_eq!(next(&mut sender).await.expect("open")["type"], "ack");
        }
    };
    let follow = async {
        let mut settled = BTreeSet::new();
        while (settled.len() as i64) < PAYMENTS {
            let frame = next(&mut fast).await.expect("open");
            assert_ne!(frame["type"], "resync");
            let rows = frame["rows"].as_array().into_iter().flatten();
            let done = rows.filter(|row| row["status"] == "succeeded");
            settled.extend(done.filter_map(|row| row["id"].as_str().map(str::to_owned)));
        }
    };
    tokio::join!(submit, follow);
    // The sleeper wakes. How far it fell behind depends on what the system buffers: either it is sent `resync`, or it
    // was closed as too slow (docs/websocket.md, "Slow readers").
    let wake = async {
        loop {
            match next(&mut slow).await {
                Ok(frame) if frame["type"] == "resync" => return None,
                Ok(_) => {}
                Err(code) => return code,
            }
        }
    };
    let ended =
        tokio::time::timeout(Duration::from_secs(60), wake).await.expect("answered or closed in time");
    assert!(matches!(ended, None | Some(CloseCode::Again)), "{ended:?}");
}
