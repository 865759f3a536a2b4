//! The HTTP API against a whole server, on both stacks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::binary::eventually;
use crate::support::server::{Server, Stack, on_both_stacks, with};

on_both_stacks!(
    charges_captures_refunds_and_wallets_over_http,
    one_key_makes_one_payment,
    every_test_card_answers_as_documented,
    refunds_are_found_and_listed,
    currencies_with_no_and_three_decimals,
    money_that_cannot_move,
    nobody_reaches_what_is_not_theirs,
);

const CHARGE: &str = "amount=1250&currency=eur&confirm=true&payment_method=pm_card_visa";

async fn charges_captures_refunds_and_wallets_over_http(server: Arc<Server>) {
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
    let balance = server.send("GET", "/v1/balance", "", &[("Stripe-Account", &child_id)]).await;
    assert_eq!((balance.status, &balance.body["available"][0]["amount"]), (200, &json!(500)));
    let (status, poor) =
        server.post("/v1/transfers", &format!("amount=999999&currency=eur&destination={child_id}")).await;
    assert_eq!((status, &poor["error"]["code"]), (400, &json!("balance_insufficient")));
    let (_, list) = server.get("/v1/payment_intents?limit=2").await;
    assert_eq!((list["data"].as_array().map(Vec::len), &list["has_more"]), (Some(2), &json!(true)));
}

async fn one_key_makes_one_payment(server: Arc<Server>) {
    let headers = [("Idempotency-Key", "order-1")];
    let sends = (0..50).map(|_| {
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            server.send("POST", "/v1/payment_intents", CHARGE, &[("Idempotency-Key", "order-1")]).await
        })
    });
    let mut ids = std::collections::BTreeSet::new();
    for send in sends.collect::<Vec<_>>() {
        let answer = send.await.expect("sent");
        match answer.status {
            200 => assert!(ids.insert(answer.body.to_string()) || ids.len() == 1, "{ids:?}"),
            status => assert_eq!(status, 409, "{answer:?}"),
        }
    }
    assert_eq!(ids.len(), 1, "{ids:?}");
    let again = server.send("POST", "/v1/payment_intents", CHARGE, &headers).await;
    assert!(again.status == 200 && again.replayed && ids.contains(&again.body.to_string()));
    let other = CHARGE.replace("1250", "1251");
    let other = server.send("POST", "/v1/payment_intents", &other, &headers).await;
    assert_eq!((other.status, other.text("/error/type")), (400, "idempotency_error"), "{other:?}");
    assert_eq!(server.get("/v1/balance").await.1["available"][0]["amount"], 1250);
}

/// A card by its number (sent with a security code) or alias, and what charging it answers: HTTP status, code and decline
/// code of the error; or the status of the payment intent.
const CARDS: &[(&str, u16, &str, &str)] = &[
    ("4242424242424242", 200, "succeeded", ""),
    ("4000056655665556", 200, "succeeded", ""),
    ("5555555555554444", 200, "succeeded", ""),
    ("378282246310005", 200, "succeeded", ""),
    ("6011111111111117", 200, "succeeded", ""),
    ("3566002020360505", 200, "succeeded", ""),
    ("4000000000000002", 402, "card_declined", "generic_decline"),
    ("4000000000009995", 402, "card_declined", "insufficient_funds"),
    ("4000000000009987", 402, "card_declined", "lost_card"),
    ("4000000000009979", 402, "card_declined", "stolen_card"),
    ("4000000000006975", 402, "card_declined", "card_velocity_exceeded"),
    ("4000000000000069", 402, "expired_card", ""),
    ("4000000000000127", 402, "incorrect_cvc", ""),
    ("4000000000000119", 402, "processing_error", ""),
    ("4242424242424241", 402, "incorrect_number", ""),
    ("4000000000000341", 402, "card_declined", "generic_decline"),
    ("4100000000000019", 402, "card_declined", "fraudulent"),
    ("4000002500003155", 200, "requires_action", ""),
    ("4000002760003184", 200, "requires_action", ""),
    ("4000008260003178", 200, "requires_action", ""),
    ("4000008400001629", 200, "requires_action", ""),
    ("4000008400001280", 402, "processing_error", ""),
    ("4000000000000259", 200, "succeeded", ""),
    ("4000000000002685", 200, "succeeded", ""),
    ("4000000000001976", 200, "succeeded", ""),
    ("4000000000005423", 200, "succeeded", ""),
    ("4000000000007726", 200, "succeeded", ""),
    ("4000000000005126", 200, "succeeded", ""),
    ("4000000000000077", 200, "succeeded", ""),
    ("pm_card_visa", 200, "succeeded", ""),
    ("pm_card_mastercard", 200, "succeeded", ""),
    ("pm_card_amex", 200, "succeeded", ""),
    ("tok_visa", 200, "succeeded", ""),
    ("pm_card_chargeDeclined", 402, "card_declined", "generic_decline"),
    ("pm_card_visa_chargeDeclinedInsufficientFunds", 402, "card_declined", "insufficient_funds"),
    // An alias stands for a card with its security code.
    ("pm_card_chargeDeclinedIncorrectCvc", 402, "incorrect_cvc", ""),
];

async fn every_test_card_answers_as_documented(server: Arc<Server>) {
    let mut wrong = Vec::new();
    for (card, status, code, decline_code) in CARDS {
        let method = match card.starts_with(|c: char| c.is_ascii_digit()) {
            true => format!("card[number]={card}&card[exp_month]=12&card[exp_year]=2040&card[cvc]=123"),
            false => format!("payment_method={card}"),
        };
        let form = format!("amount=1250&currency=eur&confirm=true&{method}");
        let answer = server.send("POST", "/v1/payment_intents", &form, &[]).await;
        let said = match answer.status {
            200 => answer.text("/status"),
            _ => answer.text("/error/code"),
        };
        let kind = answer.text("/error/type");
        let fits = (answer.status, said, answer.text("/error/decline_code"))
            == (*status, *code, *decline_code)
            && (kind == "card_error") == (*status == 402);
        if !fits {
            wrong.push(format!("{card}: {} {}", answer.status, answer.body));
        }
        // Nothing of the number but its end may come back.
        if card.len() > 12 && answer.body.to_string().contains(&card[..12]) && !card.starts_with("pm_") {
            wrong.push(format!("{card} is repeated"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn refunds_are_found_and_listed(server: Arc<Server>) {
    let mut made = Vec::new();
    for _ in 0..2 {
        let (_, intent) = server.post("/v1/payment_intents", CHARGE).await;
        let id = intent["id"].as_str().expect("an id").to_owned();
        for amount in [100, 200] {
            let form = format!("payment_intent={id}&amount={amount}");
            let (status, refund) = server.post("/v1/refunds", &form).await;
            assert_eq!((status, &refund["status"]), (200, &json!("succeeded")), "{refund}");
            made.push((refund["id"].as_str().expect("an id").to_owned(), id.clone(), amount));
        }
    }
    made.reverse();
    let listed = |body: &Value| -> Vec<(String, String, i64)> {
        let text = |one: &Value, name: &str| one[name].as_str().unwrap_or_default().to_owned();
        let one =
            |one: &Value| (text(one, "id"), text(one, "payment_intent"), one["amount"].as_i64().unwrap_or(0));
        body["data"].as_array().expect("a list").iter().map(one).collect()
    };
    // At once and from the store: the search index need not have them yet.
    let (_, all) = server.get("/v1/refunds").await;
    assert_eq!(listed(&all), made);
    let (_, first) = server.get("/v1/refunds?limit=3").await;
    assert_eq!((listed(&first).as_slice(), &first["has_more"]), (&made[..3], &json!(true)));
    let (_, rest) = server.get(&format!("/v1/refunds?limit=3&starting_after={}", made[2].0)).await;
    assert_eq!((listed(&rest).as_slice(), &rest["has_more"]), (&made[3..], &json!(false)));
    let (_, one) = server.get(&format!("/v1/refunds?payment_intent={}&limit=1", made[2].1)).await;
    assert_eq!((listed(&one).as_slice(), &one["has_more"]), (&made[2..3], &json!(true)));
    for (id, intent, amount) in &made {
        let (_, refund) = server.get(&format!("/v1/refunds/{id}")).await;
        assert_eq!((&refund["payment_intent"], &refund["amount"]), (&json!(intent), &json!(amount)));
    }
    let over =
        server.send("POST", "/v1/refunds", &format!("payment_intent={}&amount=951", made[0].1), &[]).await;
    assert_eq!(over.status, 400, "{over:?}");
    let rest = server.send("POST", "/v1/refunds", &format!("payment_intent={}", made[0].1), &[]).await;
    assert_eq!((rest.status, &rest.body["amount"]), (200, &json!(950)), "{rest:?}");
    let none = server.send("POST", "/v1/refunds", &format!("payment_intent={}", made[0].1), &[]).await;
    assert_eq!((none.status, none.text("/error/code")), (400, "charge_already_refunded"), "{none:?}");
}

async fn currencies_with_no_and_three_decimals(server: Arc<Server>) {
    let cookie = server.sign_in("shop@example.org").await;
    for (currency, amount, refunded, shown) in
        [("jpy", 1250, 250, "¥1250 JPY"), ("kwd", 1250, 250, "1.250 KWD"), ("eur", 1250, 250, "€12.50 EUR")]
    {
        let form = format!("amount={amount}&currency={currency}&confirm=true&payment_method=pm_card_visa");
        let (status, intent) = server.post("/v1/payment_intents", &form).await;
        assert_eq!((status, &intent["amount_received"]), (200, &json!(amount)), "{intent}");
        let id = intent["id"].as_str().expect("an id");
        let (status, _) = server.post("/v1/refunds", &format!("payment_intent={id}&amount={refunded}")).await;
        assert_eq!(status, 200);
        let (_, balance) = server.get("/v1/balance").await;
        let available = balance["available"].as_array().expect("balances");
        let own = available.iter().find(|one| one["currency"] == currency).expect("one of this currency");
        assert_eq!(own["amount"], json!(amount - refunded));
        let (status, page) = server.page(&format!("/payments/{id}"), &cookie).await;
        assert!(status == 200 && page.contains(shown), "{shown} is not on the page of {id}");
    }
}

async fn money_that_cannot_move(server: Arc<Server>) {
    server.post("/v1/payment_intents", CHARGE).await;
    let cases = [
        (
            "/v1/transfers",
            "amount=1251&currency=eur&destination=eve@example.org",
            (400, "balance_insufficient", ""),
        ),
        ("/v1/payouts", "amount=1251&currency=eur", (400, "balance_insufficient", "")),
        // What is there is euros.
        (
            "/v1/transfers",
            "amount=1&currency=usd&destination=eve@example.org",
            (400, "balance_insufficient", ""),
        ),
        (
            "/v1/transfers",
            "amount=1&currency=eur&destination=shop@example.org",
            (400, "transfer_to_self", "destination"),
        ),
        (
            "/v1/transfers",
            "amount=1&currency=eur&destination=nobody@example.org",
            (400, "resource_missing", "destination"),
        ),
        (
            "/v1/transfers",
            "amount=100000000&currency=eur&destination=eve@example.org",
            (400, "amount_too_large", "amount"),
        ),
        (
            "/v1/topups",
            "amount=100000000&currency=eur&payment_method=pm_card_visa",
            (400, "amount_too_large", "amount"),
        ),
    ];
    for (path, form, expected) in cases {
        let answer = server.send("POST", path, form, &[]).await;
        let (status, _, code, param) = answer.error();
        assert_eq!((status, code, param), expected, "{path} {form}: {answer:?}");
    }
    assert_eq!(server.get("/v1/balance").await.1["available"][0]["amount"], 1250);
    let (status, all) =
        server.post("/v1/transfers", "amount=1250&currency=eur&destination=eve@example.org").await;
    assert_eq!(status, 200, "{all}");
    let eve = server.send_as(&server.other_key, "GET", "/v1/balance", "", &[]).await;
    assert_eq!(eve.body["available"][0]["amount"], 1250);
}

async fn nobody_reaches_what_is_not_theirs(server: Arc<Server>) {
    let id = |body: &Value| body["id"].as_str().expect("an id").to_owned();
    let held = id(&server.post("/v1/payment_intents", &format!("{CHARGE}&capture_method=manual")).await.1);
    let paid = id(&server.post("/v1/payment_intents", CHARGE).await.1);
    let open = id(&server.post("/v1/payment_intents", "amount=100&currency=eur").await.1);
    let refund = id(&server.post("/v1/refunds", &format!("payment_intent={paid}&amount=50")).await.1);
    let topup = id(&server.post("/v1/topups", "amount=500&currency=eur&payment_method=pm_card_visa").await.1);
    let transfer =
        id(&server.post("/v1/transfers", "amount=5&currency=eur&destination=eve@example.org").await.1);
    let payout = id(&server.post("/v1/payouts", "amount=5&currency=eur").await.1);
    let child = id(&server.post("/v1/test_helpers/accounts", "name=Ada").await.1);
    let cases = [
        ("GET", format!("/v1/payment_intents/{paid}"), String::new()),
        ("POST", format!("/v1/payment_intents/{open}/confirm"), "payment_method=pm_card_visa".to_owned()),
        ("POST", format!("/v1/payment_intents/{held}/capture"), String::new()),
        ("POST", format!("/v1/payment_intents/{held}/cancel"), String::new()),
        ("POST", "/v1/refunds".to_owned(), format!("payment_intent={paid}")),
        ("POST", "/v1/refunds".to_owned(), format!("charge={}", paid.replace("pi_", "ch_"))),
        ("GET", format!("/v1/refunds/{refund}"), String::new()),
        ("GET", format!("/v1/refunds?payment_intent={paid}"), String::new()),
        ("GET", format!("/v1/topups/{topup}"), String::new()),
        ("GET", format!("/v1/transfers/{transfer}"), String::new()),
        ("GET", format!("/v1/payouts/{payout}"), String::new()),
        ("DELETE", format!("/v1/test_helpers/accounts/{child}"), String::new()),
    ];
    let eve = |method: &'static str, path: String, form: String, header: Option<String>| {
        let server = Arc::clone(&server);
        async move {
            let header: Vec<(&str, &str)> =
                header.iter().map(|value| ("stripe-account", value.as_str())).collect();
            server.send_as(&server.other_key, method, &path, &form, &header).await
        }
    };
    for (method, path, form) in cases {
        let answer = eve(method, path.clone(), form, None).await;
        assert_eq!(
            (answer.status, answer.text("/error/code")),
            (404, "resource_missing"),
            "{method} {path}: {answer:?}"
        );
    }
    let charge = format!("charge={}", paid.replace("pi_", "ch_"));
    for (method, path, form) in
        [("GET", format!("/v1/refunds?{charge}"), String::new()), ("POST", "/v1/refunds".to_owned(), charge)]
    {
        let answer = eve(method, path, form, None).await;
        assert_eq!((answer.status, answer.text("/error/param")), (404, "charge"), "{answer:?}");
    }
    for path in ["payment_intents", "refunds", "topups", "transfers", "payouts", "test_helpers/accounts"] {
        let list = eve("GET", format!("/v1/{path}"), String::new(), None).await;
        assert_eq!((list.status, &list.body["data"]), (200, &json!([])), "{path}");
    }
    // Not even the search index, however long one waits.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let found =
        eve("GET", "/v1/payment_intents/search?query=amount%3E0".to_owned(), String::new(), None).await;
    assert_eq!((found.status, &found.body["data"]), (200, &json!([])), "{found:?}");
    let acting = eve("GET", "/v1/balance".to_owned(), String::new(), Some(child)).await;
    assert_eq!(acting.status, 403, "{acting:?}");
    for key in ["sk_test_wrong", "", "x"] {
        let answer = server.send_as(key, "GET", "/v1/balance", "", &[]).await;
        assert_eq!(answer.status, 401);
    }
    // Pages of someone else's payments do not exist either.
    let cookie = server.sign_in("eve@example.org").await;
    let csrf = server.csrf(&cookie).await;
    for path in
        [format!("/payments/{paid}"), format!("/payments/{paid}/row"), format!("/payments/{paid}/challenge")]
    {
        assert_eq!(server.page(&path, &cookie).await.0, 404, "{path}");
    }
    let form = [("csrf", csrf.as_str()), ("idempotency_key", "k")];
    for operation in ["refund", "cancel", "capture"] {
        let path = format!("/payments/{paid}/{operation}");
        let response = server.post_form(&path, &cookie, &[("origin", &server.url)], &form).await;
        assert_eq!(response.status(), 404, "{path}");
    }
    // What is theirs is as it was.
    assert_eq!(server.get(&format!("/v1/payment_intents/{held}")).await.1["status"], "requires_capture");
    assert_eq!(
        server.get(&format!("/v1/refunds?payment_intent={paid}")).await.1["data"].as_array().map(Vec::len),
        Some(1)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_want_to_wait_need_not() {
    let slow = |settings: &mut paystorm::config::Settings| {
        settings.simulator.latency_median_ms = 1_500.0;
        settings.simulator.latency_sigma = 0.0;
    };
    with(Stack::Embedded, slow, prefer).await;
}

async fn prefer(server: Arc<Server>) {
    // Their answers show that they did not wait: neither had settled, which takes a second and a half.
    let none = server.send("POST", "/v1/payment_intents", CHARGE, &[("Prefer", "respond-async")]).await;
    assert_eq!((none.status, none.text("/status")), (202, "processing"), "{none:?}");
    let some = server.send("POST", "/v1/payment_intents", CHARGE, &[("Prefer", "wait=0")]).await;
    assert_eq!((some.status, some.text("/status")), (200, "processing"), "{some:?}");
    let all = server.send("POST", "/v1/payment_intents", CHARGE, &[("Prefer", "wait=9")]).await;
    assert_eq!((all.status, all.text("/status")), (200, "succeeded"), "{all:?}");
    let began = Instant::now();
    let id = none.text("/id");
    while server.get(&format!("/v1/payment_intents/{id}")).await.1["status"] != "succeeded" {
        assert!(began.elapsed() < Duration::from_secs(60), "it never settles");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// An approval that comes after a requested cancellation is voided; the caller is answered with the end of it, the first time and
/// every time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_cancel_is_answered_that_it_is_canceled() {
    let slow = |settings: &mut paystorm::config::Settings| {
        settings.simulator.latency_median_ms = 1_000.0;
        settings.simulator.latency_sigma = 0.0;
    };
    with(Stack::Embedded, slow, |server| async move {
        let made = server.send("POST", "/v1/payment_intents", CHARGE, &[("Prefer", "respond-async")]).await;
        let cancel = format!("/v1/payment_intents/{}/cancel", made.text("/id"));
        let key = [("Idempotency-Key", "cancel-1")];
        let canceled = server.send("POST", &cancel, "", &key).await;
        // With a machine too slow to cancel within a second, the charge has succeeded and there is nothing to see.
        if canceled.status == 200 {
            assert_eq!(canceled.text("/status"), "canceled", "{canceled:?}");
            let again = server.send("POST", &cancel, "", &key).await;
            assert_eq!((again.status, &again.body), (200, &canceled.body));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_have_a_bound_that_is_set() {
    let small = |settings: &mut paystorm::config::Settings| settings.server.body_max_bytes = 2_048;
    with(Stack::Embedded, small, |server| async move {
        let fits = format!("amount=100&currency=eur&description={}", "x".repeat(900));
        assert_eq!(server.post("/v1/payment_intents", &fits).await.0, 200);
        let large = format!("amount=100&currency=eur&description={}", "x".repeat(3_000));
        let answer = server.send("POST", "/v1/payment_intents", &large, &[]).await;
        assert_eq!((answer.status, answer.text("/error/code")), (413, "body_too_large"), "{answer:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_and_metrics_tell_the_truth() {
    with(Stack::Embedded, |_| {}, health).await;
    let quiet = |settings: &mut paystorm::config::Settings| settings.telemetry.metrics = false;
    with(Stack::Embedded, quiet, |server| async move {
        assert_eq!(server.page("/metrics", "").await.0, 404);
    })
    .await;
}

async fn health(server: Arc<Server>) {
    assert_eq!(server.page("/healthz", "").await, (200, "ok\n".to_owned()));
    let all = json!({"ready": true, "store": {"ok": true}, "broker": {"ok": true}, "search": {"ok": true}, "tasks": {"ok": true}});
    // A moment after its start a server still builds its index.
    eventually("everything is ready", async || {
        let (status, ready) = server.page("/readyz", "").await;
        status == 200 && serde_json::from_str::<Value>(&ready).expect("JSON") == all
    })
    .await;
    server.post("/v1/payment_intents", CHARGE).await;
    let (status, metrics) = server.page("/metrics", "").await;
    assert_eq!(status, 200);
    let value = |name: &str| -> f64 {
        let line = metrics.lines().find(|line| line.starts_with(&format!("{name} ")));
        let line = line.unwrap_or_else(|| panic!("{name} is missing in:\n{metrics}"));
        line.rsplit(' ').next().and_then(|value| value.parse().ok()).expect("a number")
    };
    assert_eq!(value("paystorm_payments_total"), 1.0);
    assert_eq!(value("paystorm_work_published_total"), 1.0);
    assert_eq!(value("paystorm_commits_total"), 2.0);
    assert!(value("paystorm_rows_written_total") <= 5.0 + 2.0, "five rows and two of the journal at most");
    assert!(value(r#"paystorm_http_requests_total{class="2xx"}"#) >= 3.0);
    assert_eq!(value("paystorm_websockets"), 0.0);
    let totals = metrics.lines().filter(|line| line.starts_with("# TYPE ") && line.contains("_total "));
    assert!(
        totals.clone().count() >= 8 && totals.clone().all(|line| line.ends_with(" counter")),
        "{metrics}"
    );
    for secret in [&server.key, "4242424242424242"] {
        assert!(!metrics.contains(secret));
    }
}
