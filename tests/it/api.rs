//! The HTTP API and the WebSocket, against a whole embedded server.

use std::path::Path;
use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use paystorm::accounts::Accounts;
use paystorm::app::App;
use paystorm::config::Settings;
use paystorm::store::sqlite::SqliteStore;
use paystorm::store::{Store, StoreSettings};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_util::sync::CancellationToken;

struct Server {
    url: String,
    address: String,
    key: String,
    http: reqwest::Client,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
    _dir: tempfile::TempDir,
}

async fn user(dir: &Path, email: &str) -> String {
    let store = SqliteStore::open(dir, &StoreSettings::default()).await.expect("SQLite opens");
    store.migrate().await.expect("SQLite migrates");
    let accounts = Accounts::new(Arc::new(store)).expect("hashing works");
    let id = accounts.register(email, "a password of some length", "").await.expect("registered");
    accounts.key_create(id, "test").await.expect("key").secret
}

async fn server() -> Server {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let key = user(dir.path(), "shop@example.org").await;
    let mut settings = Settings { data_dir: dir.path().to_owned(), ..Settings::default() };
    settings.server.bind = "127.0.0.1:0".to_owned();
    settings.simulator.latency_median_ms = 0.0;
    let app = App::build(settings).await.expect("the application starts");
    let address = app.address().expect("it listens").to_string();
    let stop = CancellationToken::new();
    let task = tokio::spawn(app.run_until(stop.clone()));
    Server {
        url: format!("http://{address}"),
        address,
        key,
        http: reqwest::Client::new(),
        stop,
        task,
        _dir: dir,
    }
}

impl Server {
    async fn send(
        &self,
        method: &str,
        path: &str,
        form: &str,
        headers: &[(&str, &str)],
    ) -> (u16, Value, bool) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        let mut request = self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.key);
        if !form.is_empty() {
            let json = form.starts_with(['{', '[']);
            let kind = if json { "application/json" } else { "application/x-www-form-urlencoded" };
            request = request.header("content-type", kind).body(form.to_owned());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        assert!(response.headers().contains_key("request-id"));
        let replayed = response.headers().contains_key("idempotent-replayed");
        (status, response.json().await.unwrap_or(Value::Null), replayed)
    }

    async fn post(&self, path: &str, form: &str) -> (u16, Value) {
        let (status, body, _) = self.send("POST", path, form, &[]).await;
        (status, body)
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let (status, body, _) = self.send("GET", path, "", &[]).await;
        (status, body)
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("it ends").expect("in order");
    }
}

const CHARGE: &str = "amount=1250&currency=eur&confirm=true&payment_method=pm_card_visa";

#[tokio::test(flavor = "multi_thread")]
async fn charges_captures_refunds_and_wallets_over_http() {
    let server = server().await;
    let (status, intent) = server
        .post("/v1/payment_intents", &format!("{CHARGE}&metadata[order]=42&expand[]=latest_charge"))
        .await;
    assert_eq!((status, &intent["status"]), (200, &json!("succeeded")), "{intent}");
    assert_eq!(intent["amount_received"], 1250);
    assert_eq!(intent["latest_charge"]["payment_method_details"]["card"]["last4"], "4242");
    assert_eq!(intent["metadata"], json!({"order": "42"}));
    let id = intent["id"].as_str().expect("an id").to_owned();
    assert_eq!(server.get(&format!("/v1/payment_intents/{id}")).await.1["status"], "succeeded");

    let (status, refund) = server.post("/v1/refunds", &format!("payment_intent={id}&amount=250")).await;
    assert_eq!((status, &refund["status"]), (200, &json!("succeeded")), "{refund}");
    let refund_id = refund["id"].as_str().expect("an id");
    assert_eq!(server.get(&format!("/v1/refunds/{refund_id}")).await.1["amount"], 250);
    let (_, refunds) = server.get(&format!("/v1/refunds?payment_intent={id}")).await;
    assert_eq!(refunds["data"].as_array().map(Vec::len), Some(1));

    let (status, declined) = server.post("/v1/payment_intents", "amount=1250&currency=eur&confirm=true&payment_method=pm_card_visa_chargeDeclinedInsufficientFunds").await;
    assert_eq!(status, 402, "{declined}");
    assert_eq!(declined["error"]["code"], "card_declined");
    assert_eq!(declined["error"]["decline_code"], "insufficient_funds");
    assert_eq!(declined["error"]["payment_intent"]["status"], "requires_payment_method");

    let (_, held) = server.post("/v1/payment_intents", &format!("{CHARGE}&capture_method=manual")).await;
    assert_eq!(held["status"], "requires_capture");
    let (status, captured) = server
        .post(
            &format!("/v1/payment_intents/{}/capture", held["id"].as_str().expect("id")),
            "amount_to_capture=1000",
        )
        .await;
    assert_eq!(
        (status, &captured["status"], &captured["amount_received"]),
        (200, &json!("succeeded"), &json!(1000))
    );

    assert_eq!(server.get("/v1/balance").await.1["available"][0]["amount"], 2000);
    let (status, child) = server.post("/v1/test_helpers/accounts", "name=Ada").await;
    assert_eq!(status, 200);
    let child_id = child["id"].as_str().expect("an id").to_owned();
    assert!(child["secret_key"].as_str().expect("a key").starts_with("sk_test_"));
    let (status, transfer) =
        server.post("/v1/transfers", &format!("amount=500&currency=eur&destination={child_id}")).await;
    assert_eq!(status, 200, "{transfer}");
    assert_eq!(transfer["paystorm"]["status"], "succeeded");
    let (status, balance, _) = server.send("GET", "/v1/balance", "", &[("Stripe-Account", &child_id)]).await;
    assert_eq!((status, &balance["available"][0]["amount"]), (200, &json!(500)));
    let (status, poor) =
        server.post("/v1/transfers", &format!("amount=999999&currency=eur&destination={child_id}")).await;
    assert_eq!((status, &poor["error"]["code"]), (400, &json!("balance_insufficient")));
    let (_, list) = server.get("/v1/payment_intents?limit=2").await;
    assert_eq!((list["data"].as_array().map(Vec::len), &list["has_more"]), (Some(2), &json!(true)));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_makes_one_payment() {
    let server = Arc::new(server().await);
    let headers = [("Idempotency-Key", "order-1")];
    let sends = (0..50).map(|_| {
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            server.send("POST", "/v1/payment_intents", CHARGE, &[("Idempotency-Key", "order-1")]).await
        })
    });
    let mut ids = std::collections::BTreeSet::new();
    for send in sends.collect::<Vec<_>>() {
        let (status, body, _) = send.await.expect("sent");
        match status {
            200 => assert!(ids.insert(body.to_string()) || ids.len() == 1, "{ids:?}"),
            status => assert_eq!(status, 409, "{body}"),
        }
    }
    assert_eq!(ids.len(), 1, "{ids:?}");
    let (status, body, replayed) = server.send("POST", "/v1/payment_intents", CHARGE, &headers).await;
    assert!(status == 200 && replayed && ids.contains(&body.to_string()));
    let (status, body, _) =
        server.send("POST", "/v1/payment_intents", &CHARGE.replace("1250", "1251"), &headers).await;
    assert_eq!((status, &body["error"]["type"]), (400, &json!("idempotency_error")), "{body}");
    assert_eq!(server.get("/v1/balance").await.1["available"][0]["amount"], 1250);
    Arc::into_inner(server).expect("alone").stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_websocket_submits_and_tells() {
    let server = server().await;
    let mut request = format!("ws://{}/ws", server.address).into_client_request().expect("a request");
    request
        .headers_mut()
        .insert("authorization", format!("Bearer {}", server.key).parse().expect("a header"));
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.expect("let in");
    let send = |value: Value| Message::text(value.to_string());
    socket
        .send(send(json!({"type": "subscribe", "id": 1, "topic": "run", "run": "r1"})))
        .await
        .expect("sent");
    let payment = |n: i64| {
        json!({"kind": "charge", "amount": 100 + n, "currency": "eur", "run": "r1", "lane": "bulk",
        "card": {"number": "4242424242424242", "exp_month": 12, "exp_year": 2040, "cvc": "123"}, "idempotency_key": format!("r1-{n:06}")})
    };
    let mut payments: Vec<Value> = (0..500).map(payment).collect();
    payments.push(json!({"kind": "charge", "amount": 0, "currency": "eur"}));
    socket
        .send(send(json!({"type": "payment.submit_batch", "id": "b", "payments": payments})))
        .await
        .expect("sent");
    let (mut succeeded, mut acked) = (0, false);
    while succeeded < 500 || !acked {
        let frame =
            tokio::time::timeout(std::time::Duration::from_secs(20), socket.next()).await.expect("in time");
        let Some(Ok(Message::Text(text))) = frame else { continue };
        let frame: Value = serde_json::from_str(&text).expect("JSON");
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
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_are_let_in_by_key_or_own_origin_only() {
    let server = server().await;
    for (headers, expected) in [
        (vec![], 401),
        (vec![("authorization", "Bearer sk_test_wrong")], 401),
        (vec![("origin", "https://evil.example")], 403),
        (vec![("origin", server.url.as_str())], 401),
    ] {
        let mut request = format!("ws://{}/ws", server.address).into_client_request().expect("a request");
        for (name, value) in headers {
            request.headers_mut().insert(name, value.parse().expect("a header"));
        }
        match tokio_tungstenite::connect_async(request).await {
            Err(tokio_tungstenite::tungstenite::Error::Http(response)) => {
                assert_eq!(response.status(), expected)
            }
            other => panic!("{:?}", other.map(|_| ())),
        }
    }
    server.stop().await;
}

/// What is wrong, how it is sent, and what comes back: status, type, code, parameter. `docs/bad-input.md` is made of it.
const BAD_INPUT: &[(&str, &str, &str, (u16, &str, &str, &str))] = &[
    (
        "No amount",
        "POST /v1/payment_intents",
        "currency=eur",
        (400, "invalid_request_error", "parameter_missing", "amount"),
    ),
    (
        "An amount of zero",
        "POST /v1/payment_intents",
        "amount=0&currency=eur",
        (400, "invalid_request_error", "parameter_invalid_integer", "amount"),
    ),
    (
        "A negative amount",
        "POST /v1/payment_intents",
        "amount=-5&currency=eur",
        (400, "invalid_request_error", "parameter_invalid_integer", "amount"),
    ),
    (
        "An amount with decimals",
        "POST /v1/payment_intents",
        "amount=12.50&currency=eur",
        (400, "invalid_request_error", "parameter_invalid_integer", "amount"),
    ),
    (
        "An amount beyond 64 bits",
        "POST /v1/payment_intents",
        r#"{"amount":1e30,"currency":"eur"}"#,
        (400, "invalid_request_error", "parameter_invalid_integer", "amount"),
    ),
    (
        "An amount beyond the limit",
        "POST /v1/payment_intents",
        "amount=100000000&currency=eur",
        (400, "invalid_request_error", "amount_too_large", "amount"),
    ),
    (
        "No currency",
        "POST /v1/payment_intents",
        "amount=100",
        (400, "invalid_request_error", "parameter_missing", "currency"),
    ),
    (
        "An unknown currency",
        "POST /v1/payment_intents",
        "amount=100&currency=xxx",
        (400, "invalid_request_error", "parameter_invalid_currency", "currency"),
    ),
    (
        "An unknown parameter",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&amout=1",
        (400, "invalid_request_error", "parameter_unknown", "amout"),
    ),
    (
        "A parameter that is not offered",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&customer=cus_1",
        (400, "invalid_request_error", "parameter_not_offered", "customer"),
    ),
    (
        "Confirmed without a card",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&confirm=true",
        (400, "invalid_request_error", "payment_intent_unexpected_state", "payment_method"),
    ),
    (
        "An unknown alias",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&payment_method=pm_card_nope",
        (400, "invalid_request_error", "resource_missing", "payment_method"),
    ),
    (
        "A number that fails the check digit",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&card[number]=4242424242424241&card[exp_month]=12&card[exp_year]=2040",
        (402, "card_error", "incorrect_number", "card[number]"),
    ),
    (
        "A number that may be a real card",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&card[number]=4111111111111111&card[exp_month]=12&card[exp_year]=2040",
        (402, "card_error", "card_declined", "card[number]"),
    ),
    (
        "A thirteenth month",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&card[number]=4242424242424242&card[exp_month]=13&card[exp_year]=2040",
        (402, "card_error", "invalid_expiry_month", "card[exp_month]"),
    ),
    (
        "A year that is past",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&card[number]=4242424242424242&card[exp_month]=1&card[exp_year]=2001",
        (402, "card_error", "invalid_expiry_year", "card[exp_year]"),
    ),
    (
        "A two-digit security code",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&card[number]=4242424242424242&card[exp_month]=1&card[exp_year]=2040&card[cvc]=12",
        (402, "card_error", "invalid_cvc", "card[cvc]"),
    ),
    (
        "Two cards at once",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&payment_method=pm_card_visa&card[number]=4242424242424242",
        (400, "invalid_request_error", "parameters_exclusive", "card"),
    ),
    (
        "A capture method that does not exist",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&capture_method=later",
        (400, "invalid_request_error", "parameter_invalid_enum", "capture_method"),
    ),
    (
        "A boolean that is none",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&confirm=yes",
        (400, "invalid_request_error", "parameter_invalid_boolean", "confirm"),
    ),
    (
        "Metadata without a key",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&metadata=x",
        (400, "invalid_request_error", "parameter_invalid_string", "metadata"),
    ),
    (
        "JSON that breaks off",
        "POST /v1/payment_intents",
        r#"{"amount":100"#,
        (400, "invalid_request_error", "body_invalid", ""),
    ),
    ("A JSON list", "POST /v1/payment_intents", "[1]", (400, "invalid_request_error", "body_invalid", "")),
    (
        "A property that cannot be expanded",
        "POST /v1/payment_intents",
        "amount=100&currency=eur&expand[]=customer",
        (400, "invalid_request_error", "property_not_expandable", "expand"),
    ),
    (
        "An id that does not exist",
        "GET /v1/payment_intents/pi_nope",
        "",
        (404, "invalid_request_error", "resource_missing", "id"),
    ),
    (
        "A path that is not offered",
        "GET /v1/subscriptions",
        "",
        (404, "invalid_request_error", "url_unrecognized", ""),
    ),
    (
        "A limit out of bounds",
        "GET /v1/payment_intents?limit=101",
        "",
        (400, "invalid_request_error", "parameter_invalid_integer", "limit"),
    ),
    (
        "Two cursors",
        "GET /v1/payment_intents?starting_after=pi_0000000000000000000000&ending_before=pi_0000000000000000000000",
        "",
        (400, "invalid_request_error", "parameters_exclusive", "ending_before"),
    ),
    (
        "A search that cannot be read",
        "GET /v1/payment_intents/search?query=amount%3E%3E",
        "",
        (400, "invalid_request_error", "search_query_invalid", "query"),
    ),
    (
        "A transfer to nobody",
        "POST /v1/transfers",
        "amount=100&currency=eur&destination=nobody@example.org",
        (400, "invalid_request_error", "resource_missing", "destination"),
    ),
    (
        "A transfer to oneself",
        "POST /v1/transfers",
        "amount=100&currency=eur&destination=shop@example.org",
        (400, "invalid_request_error", "transfer_to_self", "destination"),
    ),
    (
        "A bank account that is no test account",
        "POST /v1/payouts",
        "amount=100&currency=eur&bank_account=1",
        (400, "invalid_request_error", "bank_account_unknown", "bank_account"),
    ),
    (
        "Added money without a card",
        "POST /v1/topups",
        "amount=100&currency=eur",
        (400, "invalid_request_error", "parameter_missing", "payment_method"),
    ),
    (
        "A refund of nothing",
        "POST /v1/refunds",
        "amount=100",
        (400, "invalid_request_error", "parameter_missing", "payment_intent"),
    ),
    (
        "Too many accounts",
        "POST /v1/test_helpers/accounts",
        "count=10001",
        (400, "invalid_request_error", "parameter_invalid_integer", "count"),
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_answered_as_documented() {
    let server = server().await;
    let mut table = String::from(
        "# Bad input\n\nMade from the test cases by `UPDATE_DOCS=1 cargo test --test it bad_input`; not written by hand.\n\n| what | sent | body | status | type | code | param |\n|---|---|---|---|---|---|---|\n",
    );
    let mut wrong = Vec::new();
    for (what, target, body, expected) in BAD_INPUT {
        let (method, path) = target.split_once(' ').expect("method and path");
        let (status, answer) = match method {
            "GET" => server.get(path).await,
            _ => server.post(path, body).await,
        };
        let text = |name: &str| answer["error"][name].as_str().unwrap_or_default().to_owned();
        let (kind, code, param) = (text("type"), text("code"), text("param"));
        if (status, kind.as_str(), code.as_str(), param.as_str()) != *expected {
            wrong.push(format!("{what}: {status} {answer}"));
        }
        let (status, kind, code, param) = expected;
        table.push_str(&format!(
            "| {what} | `{target}` | `{body}` | {status} | {kind} | {code} | {param} |\n"
        ));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/bad-input.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, &table).expect("written");
    }
    assert_eq!(std::fs::read_to_string(&file).unwrap_or_default(), table, "run with UPDATE_DOCS=1");
    server.stop().await;
}
