//! Bodies that never end, that come a byte at a time, and that are packed.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{GUARD, answer, ask, sent};
use crate::support::broken_upload::{BOUNDARY, form_with_file};
use crate::support::server::{Server, Stack, with};

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("packed");
    encoder.finish().expect("packed")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packed_bodies_are_read_or_refused() {
    with(Stack::Embedded, |_| {}, packed_bodies).await;
}

async fn packed_bodies(server: Arc<Server>) {
    let key = format!("Authorization: Bearer {}", server.key);
    let post = async |encoding: &str, body: &[u8]| {
        let length = format!("Content-Length: {}", body.len());
        let kind = "Content-Type: application/x-www-form-urlencoded";
        let encoding = format!("Content-Encoding: {encoding}");
        ask(&server, "POST /v1/payment_intents", &[&key, &length, kind, &encoding], body).await
    };
    let form = b"amount=1250&currency=eur&description=packed";
    for encoding in ["gzip", "x-gzip", "GZIP"] {
        let raw = post(encoding, &packed(form)).await;
        assert!(raw.status == 200 && raw.text().contains("packed"), "{}", raw.text());
    }
    assert_eq!(post("identity", form).await.status, 200);
    for encoding in ["br", "deflate", "zstd", "gzip, gzip", "x"] {
        let raw = post(encoding, form).await;
        assert!(raw.status == 415 && raw.text().contains("content_encoding_invalid"), "{}", raw.text());
        assert_eq!(raw.header("accept-encoding"), Some("gzip"));
    }
    // A kilobyte for each megabyte that it would become.
    let bomb = packed(&vec![b'a'; 64 << 20]);
    assert!(bomb.len() < 1 << 20);
    let raw = post("gzip", &bomb).await;
    assert!(raw.status == 413 && raw.text().contains("body_too_large"), "{}", raw.text());
    assert_eq!(post("gzip", form).await.status, 400);

    // Forms of the pages come the same way; a file is read while it arrives and is not unpacked.
    let session = server.sign_in("shop@example.org").await;
    let csrf = server.csrf(&session).await;
    let (cookie, origin) = (format!("Cookie: {session}"), format!("Origin: {}", server.url));
    let fields = packed(format!("csrf={csrf}&name=till").as_bytes());
    let length = format!("Content-Length: {}", fields.len());
    let raw =
        ask(&server, "POST /keys", &[&cookie, &origin, &length, "Content-Encoding: gzip"], &fields).await;
    assert!(raw.status == 200 && raw.text().contains("till"), "{}", raw.status);
    let file = packed(form_with_file(&csrf, "key,amount,currency\n").as_bytes());
    let length = format!("Content-Length: {}", file.len());
    let kind = format!("Content-Type: multipart/form-data; boundary={BOUNDARY}");
    let headers = [cookie.as_str(), &origin, &length, &kind, "Content-Encoding: gzip"];
    assert_eq!(ask(&server, "POST /payments/import", &headers, &file).await.status, 415);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_never_end_are_given_up() {
    let hasty = |settings: &mut paystorm::config::Settings| settings.server.body_wait_ms = 300;
    with(Stack::Embedded, hasty, never_ending).await;
}

/// Writes chunks until the connection breaks, as fast as it takes them or with pauses.
async fn writes(line: &mut TcpStream, chunk: &[u8], pause: Duration) -> u64 {
    let (mut reader, mut writer) = line.split();
    let mut taken = 0;
    let write = async {
        while writer.write_all(chunk).await.is_ok() {
            taken += chunk.len() as u64;
            tokio::time::sleep(pause).await;
        }
    };
    let read = async {
        let mut bytes = [0; 4_096];
        while matches!(reader.read(&mut bytes).await, Ok(1..)) {}
        // Closed on the other side; the writer notices, or nobody takes anything any more.
        tokio::time::sleep(Duration::from_secs(5)).await;
    };
    tokio::select! { () = write => {}, () = read => {} }
    taken
}

async fn never_ending(server: Arc<Server>) {
    let session = server.sign_in("shop@example.org").await;
    let csrf = server.csrf(&session).await;
    let head = |line: &str, more: &str| {
        let (host, url, key) = (&server.address, &server.url, &server.key);
        format!(
            "{line} HTTP/1.1\r\nHost: {host}\r\nOrigin: {url}\r\nAuthorization: Bearer {key}\r\nCookie: {session}\r\n{more}\r\n\r\n"
        )
    };
    let (form, long) = ("Content-Type: application/x-www-form-urlencoded\r\n", "Content-Length: 1000000");
    // Slowly: each byte in time, the whole never.
    for line in ["POST /v1/payment_intents", "POST /v1/refunds", "POST /sign-in", "POST /pay", "POST /keys"] {
        for end in [long, "Transfer-Encoding: chunked"] {
            let mut line = sent(&server, head(line, &format!("{form}{end}")).as_bytes()).await;
            let raw = {
                let (mut reader, mut writer) = line.split();
                let mut bytes = Vec::new();
                let drip = async {
                    let byte: &[u8] = if end == long { b"a" } else { b"1\r\na\r\n" };
                    while writer.write_all(byte).await.is_ok() {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                    std::future::pending::<()>().await;
                };
                let read = async {
                    let _ = reader.read_to_end(&mut bytes).await;
                };
                let both = async {
                    tokio::select! { () = drip => {}, () = read => {} }
                };
                timeout(GUARD, both).await.expect("given up in time");
                String::from_utf8_lossy(&bytes).into_owned()
            };
            assert!(raw.starts_with("HTTP/1.1 408 "), "{end}: {raw}");
        }
    }
    // Not at all.
    let mut silent =
        sent(&server, head("POST /v1/payment_intents", &format!("{form}{long}")).as_bytes()).await;
    assert_eq!(answer(&mut silent).await.status, 408);
    // A file that stands still in its middle.
    let kind = format!("Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n{long}");
    let part = form_with_file(&csrf, "key,amount,currency\nk1,1.00,eur\n");
    let part = part.split("\r\n--edge--").next().unwrap_or_default();
    let upload = head("POST /payments/import", &kind) + part;
    assert_eq!(answer(&mut sent(&server, upload.as_bytes()).await).await.status, 408);
    // Where nobody reads the body, it is not read on indefinitely only to be thrown away.
    for line in
        ["GET /healthz", "GET /v1/balance", "GET /nothing", "POST /v1/nothing", "PUT /keys", "GET /ws"]
    {
        let mut line = sent(&server, head(line, "Transfer-Encoding: chunked").as_bytes()).await;
        let chunk = [b"8000\r\n".to_vec(), vec![b'a'; 0x8000], b"\r\n".to_vec()].concat();
        timeout(GUARD, writes(&mut line, &chunk, Duration::from_millis(1))).await.expect("an end in time");
    }
}
