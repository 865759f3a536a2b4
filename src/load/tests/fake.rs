//! A server that is a few lines long and misbehaves on command.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use clap::Parser;
use futures_util::{SinkExt as _, StreamExt as _};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio_tungstenite::tungstenite::Message;

use crate::domain::ids::{AccountId, PaymentId, RefundId};
use crate::load::LoadArgs;

/// A server that accepts everything, settles it at once, and remembers what it was asked.
pub struct Fake {
    pub address: std::net::SocketAddr,
    pub payments: Mutex<HashMap<String, Value>>,
    pub frames: Mutex<Vec<Value>>,
    pub rows: broadcast::Sender<Value>,
    /// Sockets are cut after this many more batches, before they are answered.
    pub cut_after: AtomicU64,
    /// Nothing is read while this is set.
    pub stalled: AtomicBool,
    /// Updates are not sent.
    pub silent: AtomicBool,
    /// Amounts are shown wrong by so much.
    pub wrong_by: AtomicU64,
    /// Payments settle one after another, so far apart, instead of at once.
    pub settles_every_us: AtomicU64,
    /// When the last one settles.
    pub settles_at: Mutex<Option<std::time::Instant>>,
    /// Accounts that were closed.
    pub closed: AtomicU64,
}

impl Fake {
    pub async fn start() -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Arc::new(Self {
            address: listener.local_addr().unwrap(),
            payments: Mutex::default(),
            frames: Mutex::default(),
            rows: broadcast::channel(100_000).0,
            cut_after: AtomicU64::new(u64::MAX),
            stalled: AtomicBool::new(false),
            silent: AtomicBool::new(false),
            wrong_by: AtomicU64::new(0),
            settles_every_us: AtomicU64::new(0),
            settles_at: Mutex::new(None),
            closed: AtomicU64::new(0),
        });
        let serving = Arc::clone(&fake);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&serving).connection(stream));
            }
        });
        fake
    }

    async fn connection(self: Arc<Self>, mut stream: TcpStream) {
        let mut head = [0_u8; 8];
        stream.peek(&mut head).await.unwrap();
        if head.starts_with(b"GET /ws") {
            self.socket(stream).await;
        } else {
            let mut buffer = vec![0_u8; 65_536];
            while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                let request = String::from_utf8_lossy(&buffer[..read]).into_owned();
                let (head, body) = request.split_once("\r\n\r\n").unwrap();
                let body = self.http(head, &serde_json::from_str(body).unwrap_or(Value::Null));
                let text = body.to_string();
                let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{text}", text.len());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        }
    }

    fn http(&self, head: &str, body: &Value) -> Value {
        if head.starts_with("POST /v1/test_helpers/accounts") {
            let count = body["count"].as_u64().unwrap();
            let one = |_| json!({"id": AccountId::generate().to_string(), "object": "account"});
            return match count {
                1 => one(0),
                _ => json!({"object": "list", "data": (0..count).map(one).collect::<Vec<_>>()}),
            };
        }
        if let Some(id) = head.strip_prefix("DELETE /v1/test_helpers/accounts/") {
            self.closed.fetch_add(1, Ordering::Relaxed);
            return json!({"id": id.split(' ').next(), "object": "account", "deleted": true});
        }
        if head.starts_with("GET /v1/refunds?payment_intent=") {
            let id = head.split(['=', '&', ' ']).nth(2).unwrap();
            return json!({"object": "list", "data": [self.object(id)]});
        }
        if head.starts_with("GET /v1/refunds/re_") {
            return json!({"id": "re_0", "object": "refund", "status": "succeeded"});
        }
        if head.starts_with("GET /v1/") {
            return self.object(head.split(['/', ' ']).nth(4).unwrap());
        }
        if head.starts_with("POST /v1/test_helpers/payment_intents/") {
            let id = head.split('/').nth(4).unwrap();
            self.challenge_answered(id, body["passed"].as_bool().unwrap());
            return json!({"id": id, "object": "payment_intent", "status": "processing"});
        }
        if head.starts_with("POST /v1/refunds") {
            // Nobody is notified when it is done.
            return json!({"id": RefundId::generate().to_string(), "object": "refund", "status": "pending"});
        }
        let name = head.lines().find_map(|line| line.strip_prefix("idempotency-key: ")).unwrap();
        assert!(head.contains("prefer: respond-async"), "{head}");
        let mut body = body.clone();
        body["idempotency_key"] = json!(name);
        let row = self.submit(&body);
        json!({"id": row["id"], "object": "payment_intent", "status": "processing"})
    }

    fn submit(&self, payment: &Value) -> Value {
        let key = payment["idempotency_key"].as_str().unwrap().to_owned();
        let mut payments = self.payments.lock();
        let known = payments.get(&key).cloned();
        let row = known.unwrap_or_else(|| {
            json!({"id": PaymentId::generate().to_string(), "status": "queued", "version": 1, "from": "Visa •••• 4242"})
        });
        let mut settled = row.clone();
        settled["amount"] = payment["amount"].clone();
        settled["currency"] = payment["currency"].clone();
        settled["version"] = json!(3);
        match payment["payment_method"].as_str() {
            Some("pm_card_threeDSecure2Required") => settled["status"] = json!("requires_action"),
            Some("pm_card_chargeDeclinedLostCard") => {
                settled["status"] = json!("declined");
                settled["decline"] =
                    json!({"code": "card_declined", "decline_code": "lost_card", "words": "lost"});
            }
            _ => settled["status"] = json!("succeeded"),
        }
        settled["started_us"] = json!(1_000);
        settled["answered_us"] = json!(1_400);
        payments.insert(key, settled.clone());
        if !self.silent.load(Ordering::Relaxed) {
            self.show(settled);
        }
        row
    }

    /// Sends a row to those who watch, once its turn comes.
    fn show(&self, row: Value) {
        let rows = self.rows.clone();
        let apart = Duration::from_micros(self.settles_every_us.load(Ordering::Relaxed));
        if apart.is_zero() {
            // Nobody may be watching.
            let _ = rows.send(row);
            return;
        }
        let now = std::time::Instant::now();
        let mut last = self.settles_at.lock();
        let at = last.map_or(now, |last| last.max(now)) + apart;
        *last = Some(at);
        tokio::spawn(async move {
            tokio::time::sleep_until(at.into()).await;
            let _ = rows.send(row);
        });
    }

    /// A payment as the API shows it.
    fn object(&self, id: &str) -> Value {
        let payments = self.payments.lock();
        let of = |row: &&Value| row["id"].as_str().unwrap().split('_').nth(1) == id.split('_').nth(1);
        let Some(row) = payments.values().find(of) else { return json!({}) };
        let status = match row["status"].as_str().unwrap() {
            "declined" => "requires_payment_method",
            other => other,
        };
        let amount = row["amount"].as_u64().unwrap() + self.wrong_by.load(Ordering::Relaxed);
        json!({"id": id, "amount": amount, "currency": row["currency"], "status": status})
    }

    /// The cardholder has answered: it succeeds, or is declined.
    fn challenge_answered(&self, id: &str, passed: bool) {
        let mut payments = self.payments.lock();
        let row = payments.values_mut().find(|row| row["id"] == id).unwrap();
        assert_eq!(row["status"], "requires_action");
        row["status"] = json!(if passed { "succeeded" } else { "declined" });
        row["version"] = json!(6);
        let _ = self.rows.send(row.clone());
    }

    async fn socket(&self, stream: TcpStream) {
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        let mut rows = None::<broadcast::Receiver<Value>>;
        loop {
            while self.stalled.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let update = async {
                match rows.as_mut() {
                    Some(rows) => rows.recv().await.unwrap(),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                row = update => {
                    let text = json!({"type": "payment.updated", "subscription": 1, "rows": [row], "skipped": 0}).to_string();
                    if socket.send(Message::text(text)).await.is_err() { return }
                }
                message = socket.next() => {
                    let Some(Ok(Message::Text(text))) = message else { return };
                    let frame: Value = serde_json::from_str(&text).unwrap();
                    let id = frame["id"].clone();
                    let answer = match frame["type"].as_str().unwrap() {
                        "subscribe" => {
                            rows = Some(self.rows.subscribe());
                            json!({"type": "ack", "id": id, "subscription": 1})
                        }
                        "payment.submit_batch" => {
                            let rows: Vec<Value> = frame["payments"].as_array().unwrap().iter()
                                .map(|payment| json!({"payment": self.submit(payment)})).collect();
                            json!({"type": "ack", "id": id, "results": rows})
                        }
                        "operation.submit" if frame["operation"] == "complete_action" => {
                            let payment = frame["payment_id"].as_str().unwrap();
                            assert!(frame["idempotency_key"].as_str().unwrap().ends_with("-answer"));
                            self.challenge_answered(payment, frame["passed"].as_bool().unwrap());
                            json!({"type": "ack", "id": id, "payment": {"id": payment, "status": "queued", "version": 4}})
                        }
                        "operation.submit" => {
                            let row = json!({"id": frame["payment_id"], "status": "succeeded", "version": 4});
                            let mut done = row.clone();
                            done["version"] = json!(5);
                            let _ = self.rows.send(done);
                            json!({"type": "ack", "id": id, "payment": row})
                        }
                        other => panic!("{other}"),
                    };
                    let is_batch = frame["type"] == "payment.submit_batch";
                    self.frames.lock().push(frame);
                    if is_batch && self.cut_after.fetch_sub(1, Ordering::Relaxed) == 0 { return }
                    if socket.send(Message::text(answer.to_string())).await.is_err() { return }
                }
            }
        }
    }

    /// The flags of a run against it.
    pub fn args(&self, rest: &str) -> LoadArgs {
        #[derive(Parser)]
        struct Line {
            #[command(flatten)]
            args: LoadArgs,
        }
        let line = format!("load --target http://{} --key sk --no-progress --seed 1 {rest}", self.address);
        Line::try_parse_from(line.split_whitespace()).unwrap_or_else(|error| panic!("{error}")).args
    }
}
