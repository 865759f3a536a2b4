//! What is sent and repeated in an error, a header or a page about it: no longer than need be, and never as many digits as a card
//! number has, be it one or a slip of the finger away from one.

use std::sync::Arc;

use serde_json::json;

use super::ask;
use crate::support::server::{Server, Stack, with};
use crate::support::socket::Socket;

/// A number that is none of the published ones, and one with a wrong check digit.
const NUMBERS: [&str; 2] = ["4111111111111111", "5105105105105101"];
/// More than anyone has to read of what they sent.
const LONG: usize = 1_500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_repeated_that_may_be_a_card_number() {
    with(Stack::Embedded, |_| {}, repeated).await;
}

fn has_number(text: &str) -> bool {
    let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    NUMBERS.iter().any(|number| digits.contains(number))
}

async fn repeated(server: Arc<Server>) {
    let (key, length) = (format!("Authorization: Bearer {}", server.key), "Content-Length: 0");
    for number in NUMBERS {
        let spaced = format!("{} {} {} {}", &number[..4], &number[4..8], &number[8..12], &number[12..]);
        for sent in [number.to_owned(), spaced.replace(' ', "-"), spaced.replace(' ', "%20")] {
            for address in [
                format!("GET /v1/payment_intents/{sent}"),
                format!("GET /v1/payment_intents/pi_{sent}"),
                format!("GET /v1/payment_intents?starting_after={sent}"),
                format!("GET /v1/payment_intents?ending_before=pi_{sent}"),
                format!("GET /v1/payment_intents?limit={sent}"),
                format!("GET /v1/payment_intents?created={sent}x"),
                format!("GET /v1/payment_intents?{sent}=1"),
                format!("GET /v1/payment_intents?created[{sent}]=1"),
                format!("GET /v1/payment_intents?expand[]={sent}"),
                format!("GET /v1/payment_intents/search?query=amount:{sent}x"),
                format!("GET /v1/payment_intents/search?query=%22{sent}%22:1"),
                format!("GET /v1/payment_intents/search?query=f{sent}:1"),
                format!("GET /v1/payment_intents/search?query=status:%22{sent}%22"),
                format!("GET /v1/payment_intents/search?query=a&page={sent}"),
                format!("GET /v1/refunds?starting_after=re_{sent}"),
                format!("GET /v1/refunds?ending_before={sent}"),
                format!("GET /v1/refunds?payment_intent={sent}"),
                format!("GET /v1/refunds?charge=ch_{sent}"),
                format!("GET /v1/refunds/{sent}"),
                format!("GET /v1/topups/{sent}"),
                format!("GET /v1/topups?starting_after=tu_{sent}"),
                format!("GET /v1/transfers?starting_after=tr_{sent}"),
                format!("GET /v1/payouts?ending_before=po_{sent}"),
                format!("GET /v1/test_helpers/accounts?starting_after=acct_{sent}"),
                format!("DELETE /v1/test_helpers/accounts/{sent}"),
                format!("GET /v1/{sent}"),
                format!("{} /v1/payment_intents", sent.replace("%20", "-")),
                format!("{} /v1/nothing", sent.replace("%20", "-")),
            ] {
                let raw = ask(&server, &address, &[&key, length], b"").await;
                assert!(raw.status < 500, "{address}: {}", raw.status);
                let text = format!("{}{}", raw.head, raw.text());
                assert!(!has_number(&text), "{address}: {text}");
            }
        }
        let charge = "amount=100&currency=eur";
        for (path, form) in [
            ("/v1/payment_intents", format!("amount={number}&currency=eur")),
            ("/v1/payment_intents", format!("amount=100&currency={number}")),
            ("/v1/payment_intents", format!("{charge}&confirm={number}")),
            ("/v1/payment_intents", format!("{charge}&{number}=1")),
            ("/v1/payment_intents", format!("{charge}&x[{number}]=1")),
            ("/v1/payment_intents", format!("{charge}&metadata[a][{number}]=1")),
            ("/v1/payment_intents", format!("{charge}&metadata[{number}%00]=1")),
            ("/v1/payment_intents", format!("{charge}&payment_method={number}")),
            ("/v1/payment_intents", format!("{charge}&payment_method=pm_card_{number}")),
            ("/v1/payment_intents", format!("{charge}&{number}=")),
            ("/v1/payment_intents", format!("{charge}&capture_method={number}")),
            ("/v1/payment_intents", format!("{charge}&expand[]={number}")),
            ("/v1/refunds", format!("payment_intent={number}")),
            ("/v1/refunds", format!("charge={number}&reason={number}")),
            ("/v1/transfers", format!("{charge}&destination={number}")),
            ("/v1/transfers", format!("{charge}&destination=acct_{number}")),
            ("/v1/payouts", format!("{charge}&bank_account={number}")),
            ("/v1/test_helpers/accounts", format!("count={number}")),
        ] {
            let answer = server.send("POST", path, &form, &[]).await;
            assert!((400..500).contains(&answer.status), "{path} {form}: {answer:?}");
            assert!(!has_number(&answer.body.to_string()), "{path} {form}: {}", answer.body);
        }
        let json = json!({"amount": 100, "currency": "eur", "metadata": {number: 1.5}}).to_string();
        let answer = server.send("POST", "/v1/payment_intents", &json, &[]).await;
        assert!(answer.status == 400 && !has_number(&answer.body.to_string()), "{answer:?}");

        let mut socket = Socket::open(&server.url, &server.key).await;
        for frame in [
            json!({"type": number}),
            json!({"type": "subscribe", "topic": number}),
            json!({"type": "subscribe", "topic": "payment", "payment_id": number}),
            json!({"type": "operation.submit", "payment_id": number, "operation": "refund"}),
            json!({"type": "operation.submit", "payment_id": "pi_nope", "operation": number}),
            json!({"type": "payment.submit", "account": number, "payment": {}}),
            json!({"type": "payment.submit", "payment": {"kind": number}}),
            json!({"type": "payment.submit", "payment": {"kind": "charge", number: 1}}),
        ] {
            socket.tell(&frame.to_string()).await;
            let error = socket.next("error").await;
            assert!(!has_number(&error.to_string()), "{frame}: {error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_repeated_is_short() {
    with(Stack::Embedded, |_| {}, short).await;
}

async fn short(server: Arc<Server>) {
    let long = "x".repeat(20_000);
    for path in [
        format!("/v1/payment_intents/{long}"),
        format!("/v1/payment_intents?starting_after={long}"),
        format!("/v1/payment_intents?limit={long}"),
        format!("/v1/payment_intents?{long}=1"),
        format!("/v1/payment_intents/search?query={}:1", &long[..900]),
        format!("/v1/refunds/{long}"),
        format!("/v1/{long}"),
    ] {
        let answer = server.send("GET", &path, "", &[]).await;
        let text = answer.body.to_string();
        assert!((400..500).contains(&answer.status) && text.len() < LONG, "{} {text}", answer.status);
    }
    let charge = "amount=100&currency=eur";
    for form in [
        format!("{charge}&{long}=1"),
        format!("{charge}&{long}="),
        format!("{charge}&metadata[{long}]=1"),
        format!("{charge}&metadata[{long}][x]=1"),
        format!("{charge}&metadata[{long}%00]=1"),
        format!("{charge}&description={long}"),
        format!("{charge}&confirm={long}"),
        format!("{charge}&payment_method={long}"),
        format!("amount={long}&currency=eur"),
        format!("amount=100&currency={long}"),
    ] {
        let answer = server.send("POST", "/v1/payment_intents", &form, &[]).await;
        let text = answer.body.to_string();
        assert!((400..500).contains(&answer.status) && text.len() < LONG, "{} {text}", answer.status);
    }
    let json = format!(r#"{{"amount":100,"currency":"eur","metadata":{{"{long}":1.5}}}}"#);
    let text = server.send("POST", "/v1/payment_intents", &json, &[]).await.body.to_string();
    assert!(text.len() < LONG, "{text}");
}
