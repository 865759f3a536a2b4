//! Text that is none: bytes that are not UTF-8, and control characters, on every entrance.

use std::sync::Arc;

use serde_json::json;

use super::ask;
use crate::support::server::{Server, Stack, with};
use crate::support::socket::Socket;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_text_is_refused() {
    with(Stack::Embedded, |_| {}, no_text).await;
}

async fn no_text(server: Arc<Server>) {
    let session = server.sign_in("shop@example.org").await;
    let (key, cookie) = (format!("Authorization: Bearer {}", server.key), format!("Cookie: {session}"));
    for wrong in ["%ff", "%C3%28", "%ED%A0%80", "%c0%af", "a%80b", "%F8%A1%A1%A1%A1"] {
        for address in [
            format!("/v1/payment_intents/{wrong}"),
            format!("/v1/payment_intents?starting_after={wrong}"),
            format!("/v1/payment_intents/search?query={wrong}"),
            format!("/v1/{wrong}"),
            format!("/payments/{wrong}"),
            format!("/payments?q={wrong}"),
            format!("/payments.csv?q={wrong}"),
            format!("/wallets/{wrong}"),
            format!("/static/x/{wrong}"),
            format!("/sign-in?next=/{wrong}"),
            format!("/requests?path={wrong}"),
            format!("/healthz?{wrong}=1"),
        ] {
            let raw = ask(&server, &format!("GET {address}"), &[&key, &cookie], b"").await;
            assert_eq!(raw.status, 400, "{address}");
            assert_eq!(raw.text().contains("url_invalid"), address.starts_with("/v1/"), "{address}");
        }
    }
    let origin = format!("Origin: {}", server.url);
    for body in [&b"a=%ff"[..], b"a%ff=1", b"a=\xff", b"description=caf%E9"] {
        let length = format!("Content-Length: {}", body.len());
        for (line, who) in [
            ("POST /v1/payment_intents", &key),
            ("POST /v1/refunds", &key),
            ("POST /keys", &cookie),
            ("POST /pay", &cookie),
            ("POST /sign-in", &origin),
        ] {
            let kind = "Content-Type: application/x-www-form-urlencoded";
            let raw = ask(&server, line, &[who, &origin, &length, kind], body).await;
            assert_eq!(raw.status, 400, "{line} {body:?}");
        }
    }
    // Headers that mean something.
    let form = b"amount=100&currency=eur";
    let length = format!("Content-Length: {}", form.len());
    let mut head = format!(
        "POST /v1/payment_intents HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{key}\r\n{length}\r\nIdempotency-Key: caf",
        server.address
    )
    .into_bytes();
    head.extend_from_slice(b"\xe9\r\n\r\n");
    head.extend_from_slice(form);
    let raw = super::answer(&mut super::sent(&server, &head).await).await;
    assert!(raw.status == 400 && raw.text().contains("idempotency_key"), "{}", raw.text());
    assert_eq!(server.get("/v1/payment_intents").await.1["data"].as_array().map(Vec::len), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn control_characters_are_refused_where_text_is_taken() {
    with(Stack::Embedded, |_| {}, controls).await;
}

async fn controls(server: Arc<Server>) {
    let charge = "amount=100&currency=eur&payment_method=pm_card_visa";
    for control in ["%00", "%07", "%08", "%09", "%0A", "%0D", "%1B", "%7F", "%C2%85", "%C2%9B"] {
        for (path, form, param) in [
            ("/v1/payment_intents", format!("{charge}&description=a{control}b"), "description"),
            ("/v1/payment_intents", format!("{charge}&metadata[order]=a{control}b"), "metadata[order]"),
            ("/v1/payment_intents", format!("{charge}&metadata[a{control}b]=1"), "metadata[ab]"),
            (
                "/v1/payment_intents",
                format!("{charge}&payment_method_data[billing_details][name]=a{control}b"),
                "payment_method_data[billing_details][name]",
            ),
            (
                "/v1/payment_intents",
                format!("{charge}&confirm=true&return_url=https://a.example/{control}"),
                "return_url",
            ),
            (
                "/v1/refunds",
                format!("payment_intent=pi_{}&metadata[a{control}b]=1", "0".repeat(22)),
                "metadata[ab]",
            ),
            ("/v1/refunds", format!("payment_intent=pi_{}&reason=a{control}b", "0".repeat(22)), "reason"),
            ("/v1/payment_intents", format!("{charge}&run=a{control}b"), "run"),
            (
                "/v1/transfers",
                format!("amount=1&currency=eur&destination=a{control}b@example.org"),
                "destination",
            ),
            ("/v1/test_helpers/accounts", format!("name=a{control}b"), "name"),
        ] {
            let answer = server.send("POST", path, &form, &[]).await;
            assert_eq!(
                (answer.status, answer.text("/error/param")),
                (400, param),
                "{control} {}",
                answer.body
            );
        }
        let (status, body) =
            server.get(&format!("/v1/payment_intents/search?query=description:%22a{control}b%22")).await;
        assert_eq!((status, &body["error"]["param"]), (400, &json!("query")), "{control}");
    }
    let json = r#"{"amount":100,"currency":"eur","metadata":{"order":"a\u0000b"}}"#;
    let answer = server.send("POST", "/v1/payment_intents", json, &[]).await;
    assert_eq!(answer.error().3, "metadata[order]");

    let mut socket = Socket::open(&server.url, &server.key).await;
    let payment = json!({"kind": "charge", "amount": 100, "currency": "eur", "payment_method": "pm_card_visa",
        "description": "a\u{1b}b"});
    socket.tell(&json!({"type": "payment.submit", "id": 1, "payment": payment}).to_string()).await;
    assert_eq!(socket.next("error").await["error"]["param"], "description");

    let session = server.sign_in("shop@example.org").await;
    let csrf = server.csrf(&session).await;
    let origin = [("origin", server.url.as_str())];
    for (path, fields) in [
        ("/keys", vec![("name", "a\u{7}b")]),
        (
            "/pay",
            vec![
                ("kind", "charge"),
                ("amount", "1"),
                ("currency", "eur"),
                ("payment_method", "pm_card_visa"),
                ("description", "a\u{0}b"),
            ],
        ),
        ("/register", vec![("email", "a\u{0}b@example.org"), ("password", crate::support::server::PASSWORD)]),
        ("/register", vec![("email", "ab@example.org"), ("password", "a password\u{0} of some length")]),
        (
            "/register",
            vec![
                ("email", "ab@example.org"),
                ("password", crate::support::server::PASSWORD),
                ("name", "a\u{1}b"),
            ],
        ),
    ] {
        let fields = [&[("csrf", csrf.as_str())], fields.as_slice()].concat();
        let response = server.post_form(path, &session, &origin, &fields).await;
        assert_eq!(response.status(), 400, "{path} {fields:?}");
    }
    let form = crate::support::broken_upload::form_with_file(
        &csrf,
        "key,amount,currency,payment_method,description\nk1,1.00,eur,pm_card_visa,a\u{7}b\nk2,1.00,eur,pm_card_visa,ab\n",
    );
    let import = server
        .http
        .post(format!("{}/payments/import", server.url))
        .header("cookie", &session)
        .header("origin", &server.url)
        .header("accept", "application/json")
        .header(
            "content-type",
            format!("multipart/form-data; boundary={}", crate::support::broken_upload::BOUNDARY),
        )
        .body(form);
    let import: serde_json::Value = import.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!((&import["accepted"], &import["refused"]), (&json!(1), &json!(1)), "{import}");
    assert_eq!(server.get("/v1/payment_intents").await.1["data"].as_array().map(Vec::len), Some(1));
}
