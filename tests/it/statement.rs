//! Statements of wallets, over HTTP and in the store, on both stacks.

use std::sync::Arc;

use paystorm::domain::ids::InstanceId;
use paystorm::domain::statement::{READER, StatementLine};
use paystorm::domain::time::Timestamp;
use paystorm::store::{Projected, Store};
use serde_json::{Value, json};

use crate::support::binary::{Kind, eventually, on};
use crate::support::server::{Server, on_both_stacks};
use crate::support::stores::both;

on_both_stacks!(
    a_statement_has_a_line_for_every_way_in_which_money_moves,
    lists_are_narrowed_and_paged,
    lean_accounts_have_no_statement,
    a_statement_is_rebuilt_the_same,
    a_page_and_a_file_show_the_balance_after_each_line,
);

const CHARGE: &str = "currency=eur&confirm=true&payment_method=pm_card_visa";

/// A throw-away account and its key.
async fn account(server: &Server, terms: &str) -> (String, String) {
    let (status, made) = server.post("/v1/test_helpers/accounts", terms).await;
    assert_eq!(status, 200, "{made}");
    let text = |name: &str| made[name].as_str().expect("text").to_owned();
    (text("id"), text("secret_key"))
}

async fn post(server: &Server, key: &str, path: &str, form: &str) -> Value {
    let answer = server.send_as(key, "POST", path, form, &[]).await;
    assert_eq!(answer.status, 200, "{path}: {answer:?}");
    answer.body
}

/// A list; never behind.
async fn list(server: &Server, key: &str, query: &str) -> Vec<Value> {
    let path = format!("/v1/balance_transactions{query}");
    let answer = server.send_as(key, "GET", &path, "", &[]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(!answer.behind, "{answer:?}");
    answer.body["data"].as_array().cloned().expect("a list")
}

fn of<'a>(lines: &'a [Value], name: &str) -> Vec<&'a Value> {
    lines.iter().map(|line| &line[name]).collect()
}

async fn a_statement_has_a_line_for_every_way_in_which_money_moves(server: Arc<Server>) {
    let terms = "name=Shop&fee_basis_points=290&fee_fixed=30&payout_delay_days=2";
    let (_, key) = account(&server, terms).await;
    let (payee, payees_key) = account(&server, "name=Payee").await;
    post(&server, &key, "/v1/topups", "amount=5000&currency=eur&payment_method=pm_card_visa").await;
    let charge =
        post(&server, &key, "/v1/payment_intents", &format!("amount=10000&description=coffee&{CHARGE}"))
            .await;
    let held = format!("amount=2000&capture_method=manual&{CHARGE}");
    let held = post(&server, &key, "/v1/payment_intents", &held).await;
    let capture = format!("/v1/payment_intents/{}/capture", held["id"].as_str().expect("id"));
    post(&server, &key, &capture, "amount_to_capture=1000").await;
    let to = format!("amount=700&currency=eur&destination={payee}");
    let sent = post(&server, &key, "/v1/transfers", &to).await;
    let intent = charge["id"].as_str().expect("id");
    let refund = post(&server, &key, "/v1/refunds", &format!("payment_intent={intent}&amount=400")).await;
    let lines = list(&server, &key, "").await;
    let kinds = ["refund", "transfer", "charge", "charge", "topup"].map(|name| json!(name));
    assert_eq!(of(&lines, "type"), kinds.iter().collect::<Vec<_>>());
    assert_eq!(
        of(&lines, "amount"),
        [-400, -700, 1_000, 10_000, 5_000].map(|n| json!(n)).iter().collect::<Vec<_>>()
    );
    assert_eq!(of(&lines, "fee"), [0, 0, 59, 320, 0].map(|n| json!(n)).iter().collect::<Vec<_>>());
    assert_eq!(
        of(&lines, "net"),
        [-400, -700, 941, 9_680, 5_000].map(|n| json!(n)).iter().collect::<Vec<_>>()
    );
    // What is pending is what charges brought, and payouts cannot take it.
    let balance = server.send_as(&key, "GET", "/v1/balance", "", &[]).await.body;
    assert_eq!(balance["pending"][0]["amount"], 9_680 + 941, "{balance}");
    assert_eq!(balance["available"][0]["amount"], 5_000 - 700 - 400, "{balance}");
    let more = server.send_as(&key, "POST", "/v1/payouts", "amount=3901&currency=eur", &[]).await;
    assert_eq!(more.body["error"]["code"], "balance_insufficient", "{more:?}");
    let paid = post(&server, &key, "/v1/payouts", "amount=3900&currency=eur").await;
    let newest = list(&server, &key, "?limit=1").await.remove(0);
    assert_eq!((&newest["type"], &newest["source"]), (&json!("payout"), &paid["id"]));
    // The exact shape, and one by its id.
    let line = &lines[3];
    let id = line["id"].as_str().expect("id");
    let one = server.send_as(&key, "GET", &format!("/v1/balance_transactions/{id}"), "", &[]).await;
    assert_eq!(&one.body, line, "{one:?}");
    let created = line["created"].as_i64().expect("created");
    let wanted = json!({
        "id": id,
        "object": "balance_transaction",
        "amount": 10_000,
        "available_on": (created / 86_400 + 2) * 86_400,
        "balance_type": "payments",
        "created": created,
        "currency": "eur",
        "description": "coffee",
        "exchange_rate": null,
        "fee": 320,
        "fee_details": [{
            "amount": 320,
            "application": null,
            "currency": "eur",
            "description": "Processing fees",
            "type": "stripe_fee",
        }],
        "net": 9_680,
        "reporting_category": "charge",
        "source": charge["latest_charge"],
        "status": "pending",
        "type": "charge",
    });
    assert_eq!(line, &wanted);
    assert_eq!((&lines[0]["source"], &lines[1]["source"]), (&refund["id"], &sent["id"]));
    // Charges and refunds name their lines, by which each line is found; what has brought no money has none.
    let shown = async |path: &str| {
        server.send_as(&key, "GET", path, "", &[]).await.body["balance_transaction"].clone()
    };
    let charged = charge["latest_charge"].as_str().expect("a charge");
    let refunded = refund["id"].as_str().expect("id");
    assert_eq!(refund["balance_transaction"], lines[0]["id"]);
    for (path, line) in [(format!("/v1/charges/{charged}"), 3), (format!("/v1/refunds/{refunded}"), 0)] {
        assert_eq!(shown(&path).await, lines[line]["id"], "{path}");
    }
    for (source, line) in [(charged, 3), (refunded, 0)] {
        assert_eq!(
            list(&server, &key, &format!("?source={source}")).await,
            [lines[line].clone()],
            "{source}"
        );
    }
    let waiting = format!("amount=2000&capture_method=manual&{CHARGE}");
    let waiting = post(&server, &key, "/v1/payment_intents", &waiting).await;
    let waiting = waiting["latest_charge"].as_str().expect("a charge");
    assert_eq!(shown(&format!("/v1/charges/{waiting}")).await, json!(null));
    // The payee's side of the transfer is another line, without the sender's words.
    let theirs = list(&server, &payees_key, "").await;
    assert_eq!(theirs.len(), 1, "{theirs:?}");
    assert_eq!((&theirs[0]["type"], &theirs[0]["net"]), (&json!("payment"), &json!(700)));
    assert!(theirs[0]["source"].as_str().expect("source").starts_with("py_"));
    let id = theirs[0]["id"].as_str().expect("id");
    let foreign = server.send_as(&key, "GET", &format!("/v1/balance_transactions/{id}"), "", &[]).await;
    assert_eq!(foreign.error().0, 404, "{foreign:?}");
}

async fn lists_are_narrowed_and_paged(server: Arc<Server>) {
    let (_, key) = account(&server, "name=Shop").await;
    let mut charges = Vec::new();
    for n in 0..5 {
        let currency = if n % 2 == 0 { "eur" } else { "usd" };
        let form =
            format!("amount={}&currency={currency}&confirm=true&payment_method=pm_card_visa", 1_000 + n);
        charges.push(post(&server, &key, "/v1/payment_intents", &form).await);
    }
    let intent = charges[0]["id"].as_str().expect("id");
    post(&server, &key, "/v1/refunds", &format!("payment_intent={intent}&amount=300")).await;
    let all = list(&server, &key, "?limit=100").await;
    let amounts: Vec<_> = all.iter().filter_map(|line| line["amount"].as_i64()).collect();
    assert_eq!(amounts, [-300, 1_004, 1_003, 1_002, 1_001, 1_000]);
    let ids = |lines: &[Value]| -> Vec<String> {
        lines.iter().filter_map(|line| line["id"].as_str()).map(str::to_owned).collect()
    };
    let all_ids = ids(&all);
    // Page by page, forwards and back, across currencies.
    let mut seen = Vec::new();
    let mut query = "?limit=2".to_owned();
    loop {
        let page = list(&server, &key, &query).await;
        let Some(last) = ids(&page).pop() else { break };
        seen.extend(ids(&page));
        query = format!("?limit=2&starting_after={last}");
    }
    assert_eq!(seen, all_ids);
    let newer = list(&server, &key, &format!("?limit=2&ending_before={}", all_ids[4])).await;
    assert_eq!(ids(&newer), all_ids[2..4]);
    let usd = list(&server, &key, "?currency=usd").await;
    assert_eq!(ids(&usd), [all_ids[2].clone(), all_ids[4].clone()]);
    assert_eq!(ids(&list(&server, &key, "?type=refund").await), all_ids[..1]);
    let source = all[1]["source"].as_str().expect("source");
    assert_eq!(ids(&list(&server, &key, &format!("?source={source}")).await), all_ids[1..2]);
    let created = all[5]["created"].as_i64().expect("created");
    assert!(list(&server, &key, &format!("?created[lt]={created}")).await.is_empty());
    assert_eq!(list(&server, &key, &format!("?created[gte]={created}")).await.len(), 6);
    for (query, param) in [
        ("type=gift", "type"),
        ("payout=po_1", "payout"),
        ("starting_after=txn_1", "starting_after"),
        ("currency=xxx", "currency"),
        ("colour=red", "colour"),
    ] {
        let path = format!("/v1/balance_transactions?{query}");
        let refused = server.send_as(&key, "GET", &path, "", &[]).await;
        assert_eq!((refused.error().0, refused.error().3), (400, param), "{refused:?}");
    }
}

async fn lean_accounts_have_no_statement(server: Arc<Server>) {
    let (payee, key) = account(&server, "name=Lean&lean=true").await;
    let charge = post(&server, &key, "/v1/payment_intents", &format!("amount=1000&{CHARGE}")).await;
    let charge = format!("/v1/charges/{}", charge["latest_charge"].as_str().expect("a charge"));
    assert_eq!(server.send_as(&key, "GET", &charge, "", &[]).await.body["balance_transaction"], json!(null));
    assert!(list(&server, &key, "").await.is_empty());
    let (_, full) = account(&server, "name=Full").await;
    post(&server, &full, "/v1/payment_intents", &format!("amount=1000&{CHARGE}")).await;
    let to = format!("amount=700&currency=eur&destination={payee}");
    post(&server, &full, "/v1/transfers", &to).await;
    assert_eq!(list(&server, &full, "").await.len(), 2, "what a full account sends to a lean one is a line");
    assert!(list(&server, &key, "").await.is_empty());
    let balance = server.send_as(&key, "GET", "/v1/balance", "", &[]).await.body;
    assert_eq!(balance["available"][0]["amount"], 1_700);
}

async fn lines(store: &dyn Store) -> Vec<StatementLine> {
    let mut snapshot = store.snapshot().await.expect("a view");
    snapshot.statement(None, 10_000).await.expect("lines")
}

async fn a_statement_is_rebuilt_the_same(server: Arc<Server>) {
    let (_, key) = account(&server, "name=Shop&fee_basis_points=100").await;
    let (payee, _) = account(&server, "name=Payee").await;
    for n in 0..12 {
        let charge =
            post(&server, &key, "/v1/payment_intents", &format!("amount={}&{CHARGE}", 1_000 + n)).await;
        if n % 3 == 0 {
            let intent = charge["id"].as_str().expect("id");
            post(&server, &key, "/v1/refunds", &format!("payment_intent={intent}&amount=100")).await;
            post(&server, &key, "/v1/transfers", &format!("amount=50&currency=eur&destination={payee}"))
                .await;
        }
    }
    list(&server, &key, "").await;
    let store = server.test.store.as_ref();
    let before = lines(store).await;
    assert_eq!(before.len(), 12 + 4 + 4 + 4);
    let head = store.head().await.expect("head");
    let soon = Timestamp::now().plus_ms(60_000);
    assert!(store.journal_prune(head, soon).await.expect("pruned") > 0);
    store.cursor_reset(READER, 0).await.expect("reset");
    // The reader notices when it next has something to write.
    post(&server, &key, "/v1/payment_intents", &format!("amount=2000&{CHARGE}")).await;
    eventually("the reader has come to the head", async || {
        let head = store.head().await.expect("head");
        store.cursor_get(READER).await.is_ok_and(|cursor| cursor >= head)
    })
    .await;
    let after = lines(store).await;
    assert_eq!(after.len(), before.len() + 1);
    for line in &before {
        assert!(after.contains(line), "{line:?}");
    }
}

async fn a_page_and_a_file_show_the_balance_after_each_line(server: Arc<Server>) {
    let cookie = server.sign_in("shop@example.org").await;
    server.post("/v1/payment_intents", &format!("amount=1250&{CHARGE}")).await;
    server.post("/v1/topups", "amount=500&currency=eur&payment_method=pm_card_visa").await;
    let (status, page) = server.page("/wallets/eur", &cookie).await;
    assert_eq!(status, 200);
    for shown in ["+5.00", "+12.50", ">17.50<", ">12.50<", "Export CSV"] {
        assert!(page.contains(shown), "{shown} in {page}");
    }
    assert!(!page.contains("is behind"), "{page}");
    let (status, file) = server.page("/wallets/eur.csv", &cookie).await;
    let rows: Vec<&str> = file.trim_start_matches('\u{feff}').lines().collect();
    assert_eq!((status, rows.len()), (200, 3), "{file}");
    assert!(rows[0].starts_with("id,created,type,source,gross_minor"), "{file}");
    assert!(rows[1].contains(",topup,") && rows[1].contains(",1750,17.50,"), "{file}");
    assert!(rows[2].contains(",charge,") && rows[2].contains(",1250,12.50,"), "{file}");
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_and_cursor_are_written_together_or_not_at_all() {
    for test in both().await {
        let store = test.store.as_ref();
        let (ours, theirs) = (InstanceId::generate(), InstanceId::generate());
        let (ttl, nothing) = (std::time::Duration::from_secs(60), Projected::default());
        store.lease_take(READER, ours, Timestamp::now(), ttl).await.expect("taken");
        assert!(store.project(READER, ours, 0, 5, &nothing).await.expect("written"), "{}", test.name);
        let kept = store.project(READER, theirs, 5, 7, &nothing).await.expect("answered");
        assert!(!kept, "{}: another's lease", test.name);
        let kept = store.project(READER, ours, 4, 7, &nothing).await.expect("answered");
        assert!(!kept, "{}: from elsewhere", test.name);
        assert_eq!(store.cursor_get(READER).await.expect("read"), 5, "{}", test.name);
        test.remove().await;
    }
}

/// What was answered by one instance is in the list of another at once, and the list is never behind.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_created_is_listed_at_once_on_three_instances() {
    on(Kind::Real, async |stack| {
        stack.set("instances", 3);
        stack.set("simulator.latency_median_ms", 5);
        let (status, text) = stack.run(&["migrate"], "").await;
        assert!(status.success(), "migrate: {text}");
        let key = stack.api_key().await;
        let servers = [stack.serve().await, stack.serve().await, stack.serve().await];
        let client = reqwest::Client::new();
        for n in 0..30_usize {
            let (here, there) = (&servers[n % 3].url, &servers[(n + 1 + n / 3 % 2) % 3].url);
            let form = format!("amount={}&{CHARGE}", 1_000 + n);
            let made = client
                .post(format!("{here}/v1/payment_intents"))
                .bearer_auth(&key)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form)
                .send()
                .await
                .expect("sent");
            let made: Value = made.json().await.expect("an object");
            assert_eq!(made["status"], "succeeded", "{made}");
            let list = client
                .get(format!("{there}/v1/balance_transactions?limit=1"))
                .bearer_auth(&key)
                .send()
                .await
                .expect("sent");
            assert!(list.headers().get("paystorm-behind").is_none(), "{n}: {:?}", list.headers());
            let list: Value = list.json().await.expect("an object");
            assert_eq!(list["data"][0]["source"], made["latest_charge"], "{n}: {list}");
        }
        for server in servers {
            server.stop().await;
        }
        stack.verify(&[], true).await;
    })
    .await;
}
