//! Disputes, early fraud warnings, and refunds that wait or come back: by card, by test helper, and as SDKs read them. Each test
//! ends with an audit of the store.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::binary::eventually;
use crate::support::server::{Server, on_both_stacks};

on_both_stacks!(
    cards_are_disputed_and_evidence_wins,
    a_dispute_owes_what_the_wallet_lacks_and_is_repaid_first,
    any_charge_is_disputed_by_hand,
    wrong_requests_name_what_is_wrong,
    disputes_follow_a_test_clock,
    refunds_wait_and_come_back,
    the_page_disputes_and_answers,
    sockets_dispute_as_well,
);

async fn charge(server: &Server, card: &str, amount: i64) -> Value {
    let form = format!("amount={amount}&currency=eur&confirm=true&payment_method=pm_card_{card}");
    let (status, intent) = server.post("/v1/payment_intents", &form).await;
    assert_eq!((status, intent["status"].as_str()), (200, Some("succeeded")), "{intent}");
    intent
}

/// The one object of this list, once it is there.
async fn the_one(server: &Server, path: &str) -> Value {
    eventually(path, async || !server.get(path).await.1["data"].as_array().expect("a list").is_empty()).await;
    let (_, list) = server.get(path).await;
    assert_eq!(list["data"].as_array().map(Vec::len), Some(1), "{list}");
    list["data"][0].clone()
}

async fn dispute_of(server: &Server, intent: &Value) -> Value {
    the_one(server, &format!("/v1/disputes?payment_intent={}", intent["id"].as_str().expect("an id"))).await
}

async fn balance(server: &Server) -> (i64, i64) {
    let (_, balance) = server.get("/v1/balance").await;
    let of =
        |what: &Value| what.as_array().expect("a list").iter().find(|it| it["currency"] == "eur").cloned();
    let amount = |it: Option<Value>| it.and_then(|it| it["amount"].as_i64()).unwrap_or(0);
    (amount(of(&balance["available"])), amount(of(&balance["paystorm"]["owed"])))
}

async fn types(server: &Server, pattern: &str) -> Vec<String> {
    let (_, events) = server.get(&format!("/v1/events?type={pattern}&limit=100")).await;
    let events = events["data"].as_array().expect("a list");
    events.iter().rev().map(|event| event["type"].as_str().expect("a type").to_owned()).collect()
}

async fn cards_are_disputed_and_evidence_wins(server: Arc<Server>) {
    let intent = charge(&server, "createDisputeProductNotReceived", 2_000).await;
    charge(&server, "visa", 5_000).await;
    let dispute = dispute_of(&server, &intent).await;
    let id = dispute["id"].as_str().expect("an id").to_owned();
    assert!(id.starts_with("du_"));
    for (member, value) in [
        ("object", json!("dispute")),
        ("amount", json!(2_000)),
        ("currency", json!("eur")),
        ("reason", json!("product_not_received")),
        ("status", json!("needs_response")),
        ("charge", intent["latest_charge"].clone()),
        ("payment_intent", intent["id"].clone()),
        ("is_charge_refundable", json!(false)),
        ("livemode", json!(false)),
        ("metadata", json!({})),
    ] {
        assert_eq!(dispute[member], value, "{member}");
    }
    assert_eq!(dispute["evidence"]["uncategorized_text"], Value::Null);
    assert_eq!(dispute["evidence_details"]["submission_count"], 0);
    let taken = &dispute["balance_transactions"][0];
    assert_eq!(
        (&taken["amount"], &taken["fee"], &taken["net"]),
        (&json!(-2_000), &json!(1_500), &json!(-3_500))
    );
    assert_eq!((&taken["type"], &taken["reporting_category"]), (&json!("adjustment"), &json!("dispute")));
    assert_eq!(
        (balance(&server).await, dispute["payment_method_details"]["card"]["brand"].as_str()),
        ((3_500, 0), Some("visa"))
    );
    let path = format!("/v1/disputes/{id}");
    assert_eq!(server.get(&path).await.1, dispute);
    let charged = format!("/v1/charges/{}", intent["latest_charge"].as_str().expect("an id"));
    assert_eq!(server.get(&charged).await.1["disputed"], true);

    // Staged first, then submitted: the same key again is answered as before.
    let staged =
        server.send("POST", &path, "evidence[customer_name]=Ann&metadata[a]=1&submit=false", &[]).await;
    assert_eq!((staged.status, staged.text("/status")), (200, "needs_response"), "{staged:?}");
    assert_eq!(staged.body["evidence_details"]["has_evidence"], true);
    let form = "evidence[uncategorized_text]=winning_evidence";
    let key = [("idempotency-key", "evidence")];
    let won = server.send("POST", &path, form, &key).await;
    assert_eq!((won.status, won.text("/status")), (200, "won"), "{won:?}");
    assert_eq!((won.text("/evidence/customer_name"), &won.body["metadata"]["a"]), ("Ann", &json!("1")));
    let again = server.send("POST", &path, form, &key).await;
    assert_eq!((again.replayed, &again.body), (true, &won.body));
    assert_eq!(balance(&server).await, (5_500, 0), "the fee stays");
    let lines = won.body["balance_transactions"].as_array().expect("a list");
    assert_eq!(lines.len(), 2, "{lines:?}");
    let line =
        server.get(&format!("/v1/balance_transactions/{}", lines[1]["id"].as_str().expect("an id"))).await.1;
    assert_eq!((&line["net"], &line["source"]), (&json!(2_000), &json!(id)));
    let expected = [
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.updated",
        "charge.dispute.updated",
        "charge.dispute.closed",
        "charge.dispute.funds_reinstated",
    ];
    assert_eq!(types(&server, "charge.dispute.*").await, expected);
    let (_, closed) = server.get("/v1/events?type=charge.dispute.closed").await;
    assert_eq!(closed["data"][0]["data"]["object"]["status"], "won");
    assert_eq!(closed["data"][0]["request"]["id"], won.request, "the request that brought the evidence");
    let (_, updated) = server.get("/v1/events?type=charge.dispute.updated").await;
    let first = &updated["data"][1]["data"];
    assert_eq!(first["object"]["evidence"]["customer_name"], "Ann");
    assert_eq!(first["previous_attributes"]["evidence_details"]["has_evidence"], false);
    let refused = server.send("POST", &path, "evidence[customer_name]=Bob", &[]).await;
    assert_eq!(refused.error(), (400, "invalid_request_error", "dispute_closed", ""));
    assert_eq!(server.send_as(&server.other_key, "GET", &path, "", &[]).await.status, 404);
}

async fn a_dispute_owes_what_the_wallet_lacks_and_is_repaid_first(server: Arc<Server>) {
    let intent = charge(&server, "visa", 2_000).await;
    server.post("/v1/payouts", "amount=1500&currency=eur").await;
    let path =
        format!("/v1/test_helpers/charges/{}/dispute", intent["latest_charge"].as_str().expect("an id"));
    let (status, dispute) = server.post(&path, "reason=duplicate").await;
    assert_eq!((status, dispute["reason"].as_str()), (200, Some("duplicate")), "{dispute}");
    assert_eq!(balance(&server).await, (0, 3_000), "3,500 less the 500 that were left");
    charge(&server, "visa", 1_000).await;
    assert_eq!(balance(&server).await, (0, 2_000));
    let close = format!("/v1/disputes/{}", dispute["id"].as_str().expect("an id"));
    let (_, won) = server.post(&close, "evidence[uncategorized_text]=winning_evidence").await;
    assert_eq!((won["status"].as_str(), balance(&server).await), (Some("won"), (0, 0)));
    charge(&server, "visa", 700).await;
    assert_eq!(balance(&server).await, (700, 0));
}

async fn any_charge_is_disputed_by_hand(server: Arc<Server>) {
    charge(&server, "visa", 9_000).await;
    let intent = charge(&server, "visa", 1_000).await;
    let path = format!("/v1/test_helpers/payment_intents/{}/dispute", intent["id"].as_str().expect("an id"));
    let key = [("idempotency-key", "one")];
    let first = server.send("POST", &path, "amount=400&reason=general", &key).await;
    assert_eq!((first.status, &first.body["amount"]), (200, &json!(400)), "{first:?}");
    let again = server.send("POST", &path, "amount=400&reason=general", &key).await;
    assert_eq!((again.replayed, &again.body), (true, &first.body));
    let other = server.send("POST", &path, "amount=401&reason=general", &key).await;
    assert_eq!((other.status, other.text("/error/type")), (400, "idempotency_error"));
    let (_, inquiry) = server.post(&path, "type=inquiry&amount=100").await;
    assert_eq!(
        (&inquiry["status"], &inquiry["is_charge_refundable"]),
        (&json!("warning_needs_response"), &json!(true))
    );
    let (_, rest) = server.post(&path, "expand[]=charge").await;
    assert_eq!((&rest["amount"], &rest["charge"]["disputed"]), (&json!(500), &json!(true)));
    let (status, warning) = server.post(&path, "type=early_fraud_warning").await;
    assert_eq!((status, &warning["object"]), (200, &json!("radar.early_fraud_warning")), "{warning}");
    let warnings =
        format!("/v1/radar/early_fraud_warnings?charge={}", intent["latest_charge"].as_str().expect("an id"));
    assert_eq!(the_one(&server, &warnings).await, warning);
    let of_intent = format!("/v1/disputes?payment_intent={}", intent["id"].as_str().expect("an id"));
    let (_, page) = server.get(&format!("{of_intent}&limit=2")).await;
    assert_eq!((page["data"][0]["id"].clone(), page["has_more"].clone()), (rest["id"].clone(), json!(true)));
    let last = page["data"][1]["id"].as_str().expect("an id");
    let (_, page) = server.get(&format!("/v1/disputes?limit=2&starting_after={last}")).await;
    assert_eq!(page["data"].as_array().map(Vec::len), Some(1), "{page}");
    assert_eq!(
        (&page["data"][0], &page["has_more"]),
        (&server.get(&format!("/v1/disputes/{}", first.text("/id"))).await.1, &json!(false))
    );
    // Given up, and lost.
    let close = format!("/v1/disputes/{}/close", rest["id"].as_str().expect("an id"));
    assert_eq!(server.post(&close, "").await.1["status"], "lost");
    let close = format!("/v1/disputes/{}/close", inquiry["id"].as_str().expect("an id"));
    assert_eq!(server.post(&close, "").await.1["status"], "warning_closed");
    let (status, refused) = server
        .post("/v1/refunds", &format!("payment_intent={}&amount=1", intent["id"].as_str().expect("an id")))
        .await;
    assert_eq!((status, &refused["error"]["code"]), (400, &json!("charge_disputed")));
}

async fn wrong_requests_name_what_is_wrong(server: Arc<Server>) {
    let intent = charge(&server, "visa", 1_000).await;
    let raise = format!("/v1/test_helpers/payment_intents/{}/dispute", intent["id"].as_str().expect("an id"));
    let (_, dispute) = server.post(&raise, "amount=300").await;
    let update = format!("/v1/disputes/{}", dispute["id"].as_str().expect("an id"));
    let long = format!("evidence[uncategorized_text]={}", "x".repeat(150_001));
    for (path, form, code, param) in [
        (raise.as_str(), "reason=dislike", "parameter_invalid_enum", "reason"),
        (&raise, "type=threat", "parameter_invalid_enum", "type"),
        (&raise, "amount=0", "parameter_invalid_integer", "amount"),
        (&raise, "amount=701", "amount_too_large", "amount"),
        (&update, "evidence[receipt]=file_1", "parameter_not_offered", "evidence[receipt]"),
        (&update, "evidence[colour]=red", "parameter_unknown", "evidence[colour]"),
        (&update, "submit=perhaps", "parameter_invalid_boolean", "submit"),
        (&update, &long, "evidence_too_long", "evidence"),
        (
            &update,
            "evidence[customer_name]=4242424242424242",
            "card_number_in_text",
            "evidence[customer_name]",
        ),
        (
            "/v1/test_helpers/refunds/re_0000000000000000000000/fail",
            "failure_reason=tired",
            "parameter_invalid_enum",
            "failure_reason",
        ),
    ] {
        let answer = server.send("POST", path, form, &[]).await;
        let shown: String = form.chars().take(60).collect();
        assert_eq!(answer.error(), (400, "invalid_request_error", code, param), "{shown}");
    }
    for path in [
        "/v1/disputes/du_1",
        "/v1/disputes/du_1/close",
        "/v1/test_helpers/charges/ch_1/dispute",
        "/v1/test_helpers/refunds/re_1/fail",
    ] {
        let answer = server.send("POST", path, "", &[]).await;
        assert_eq!((answer.status, answer.text("/error/code")), (404, "resource_missing"), "{path}");
    }
    // Metadata alone submits nothing.
    let (_, noted) = server.post(&update, "metadata[order]=7").await;
    assert_eq!((&noted["metadata"]["order"], &noted["status"]), (&json!("7"), &json!("needs_response")));
    let (_, unset) = server.post(&update, "metadata=").await;
    assert_eq!(unset["metadata"], json!({}));
}

async fn disputes_follow_a_test_clock(server: Arc<Server>) {
    charge(&server, "visa", 9_000).await;
    let (_, clock) = server.post("/v1/test_helpers/test_clocks", "frozen_time=1767225600").await;
    let clock = clock["id"].as_str().expect("an id").to_owned();
    let (_, customer) = server.post("/v1/customers", &format!("test_clock={clock}")).await;
    let form = format!(
        "amount=1000&currency=eur&confirm=true&payment_method=pm_card_createDispute&customer={}",
        customer["id"].as_str().expect("an id")
    );
    let (_, intent) = server.post("/v1/payment_intents", &form).await;
    let advance = async |seconds: i64| {
        let path = format!("/v1/test_helpers/test_clocks/{clock}");
        server.post(&format!("{path}/advance"), &format!("frozen_time={}", 1_767_225_600 + seconds)).await;
        eventually("the clock arrives", async || server.get(&path).await.1["status"] == "ready").await;
    };
    advance(60).await;
    let dispute = dispute_of(&server, &intent).await;
    let due = dispute["evidence_details"]["due_by"].as_i64().expect("a time");
    assert_eq!((dispute["created"].as_i64(), due), (Some(1_767_225_601), 1_767_225_601 + 14 * 86_400));
    advance(15 * 86_400).await;
    assert_eq!(dispute_of(&server, &intent).await["status"], "lost");
}

async fn refunds_wait_and_come_back(server: Arc<Server>) {
    charge(&server, "visa", 5_000).await;
    let slow = charge(&server, "pendingRefund", 1_000).await;
    let fails = charge(&server, "refundFail", 1_000).await;
    let refund = async |intent: &Value| {
        let form = format!("payment_intent={}", intent["id"].as_str().expect("an id"));
        let (status, refund) = server.post("/v1/refunds", &form).await;
        assert_eq!(status, 200, "{refund}");
        refund
    };
    let (slow, fails) = (refund(&slow).await, refund(&fails).await);
    assert_eq!((&slow["status"], &fails["status"]), (&json!("pending"), &json!("succeeded")));
    assert_eq!(balance(&server).await, (5_000, 0));
    let status = async |refund: &Value| {
        let (_, now) = server.get(&format!("/v1/refunds/{}", refund["id"].as_str().expect("an id"))).await;
        (now["status"].as_str().map(str::to_owned), now["failure_reason"].as_str().map(str::to_owned))
    };
    let is = |status: &str, why: Option<&str>| (Some(status.to_owned()), why.map(str::to_owned));
    eventually("both end", async || {
        status(&slow).await == is("succeeded", None)
            && status(&fails).await == is("failed", Some("expired_or_canceled_card"))
    })
    .await;
    assert_eq!(balance(&server).await, (6_000, 0), "what came back is in the wallet");
    // By hand, at any time.
    let helper = |refund: &Value, what: &str| {
        format!("/v1/test_helpers/refunds/{}/{what}", refund["id"].as_str().expect("an id"))
    };
    let (code, failed) = server.post(&helper(&slow, "fail"), "failure_reason=lost_or_stolen_card").await;
    assert_eq!((code, &failed["failure_reason"]), (200, &json!("lost_or_stolen_card")), "{failed}");
    assert_eq!(balance(&server).await, (7_000, 0));
    let refused = server.send("POST", &helper(&slow, "succeed"), "", &[]).await;
    assert_eq!(refused.error(), (400, "invalid_request_error", "refund_unexpected_state", ""));
    tokio::time::sleep(Duration::from_millis(50)).await;
    let expected = ["charge.refund.updated", "charge.refund.updated"];
    assert_eq!(types(&server, "charge.refund.*").await, expected, "only what came back from the card");
}

async fn the_page_disputes_and_answers(server: Arc<Server>) {
    charge(&server, "visa", 5_000).await;
    let intent = charge(&server, "visa", 1_000).await;
    let id = intent["id"].as_str().expect("an id");
    let session = server.sign_in("shop@example.org").await;
    let csrf = server.csrf(&session).await;
    let press = async |operation: &str, fields: &[(&str, &str)]| {
        let key = format!("press {operation}");
        let fields = [fields, &[("csrf", csrf.as_str()), ("idempotency_key", key.as_str())]].concat();
        let path = format!("/payments/{id}/{operation}");
        let response = server.post_form(&path, &session, &[("origin", &server.url)], &fields).await;
        assert_eq!(response.status(), 303, "{operation}");
        server.page(&format!("/payments/{id}"), &session).await.1
    };
    let page = press(
        "dispute",
        &[("amount", "4"), ("currency", "eur"), ("reason", "duplicate"), ("type", "dispute")],
    )
    .await;
    for wanted in ["Disputed: charged twice.", "Win it", "Lose it", "Give it up", "answer by"] {
        assert!(page.contains(wanted), "{wanted} is not on {page}");
    }
    let dispute = dispute_of(&server, &intent).await;
    let dispute = dispute["id"].as_str().expect("an id");
    let page = press("answer_dispute", &[("dispute", dispute), ("evidence", "winning_evidence")]).await;
    assert!(page.contains("Dispute won") && !page.contains("Win it"), "{page}");
    let (_, refund) = server.post("/v1/refunds", &format!("payment_intent={id}&amount=100")).await;
    let page = press("fail_refund", &[("refund", refund["id"].as_str().expect("an id"))]).await;
    assert!(page.contains("came back: expired card"), "{page}");
}

async fn sockets_dispute_as_well(server: Arc<Server>) {
    use futures_util::{SinkExt as _, StreamExt as _};
    use tokio_tungstenite::tungstenite::Message;
    charge(&server, "visa", 5_000).await;
    let intent = charge(&server, "visa", 1_000).await;
    let bearer = format!("Bearer {}", server.key);
    let request = server.upgrade(&[("authorization", bearer.as_str())]);
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await.expect("a socket");
    let mut ask = async |message: Value| {
        socket.send(Message::text(message.to_string())).await.expect("sent");
        loop {
            let frame = socket.next().await.expect("an answer").expect("an answer");
            if let Message::Text(text) = frame {
                break serde_json::from_str::<Value>(&text).expect("JSON");
            }
        }
    };
    let operation = |operation: &str, more: Value| {
        let mut message =
            json!({"type": "operation.submit", "payment_id": intent["id"], "operation": operation});
        message.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        message
    };
    let ack =
        ask(operation("dispute", json!({"dispute_type": "inquiry", "reason": "general", "amount": 300})))
            .await;
    assert_eq!(ack["type"], "ack", "{ack}");
    let inquiry = dispute_of(&server, &intent).await;
    assert_eq!((&inquiry["status"], &inquiry["amount"]), (&json!("warning_needs_response"), &json!(300)));
    let ack = ask(operation("close_dispute", json!({"dispute": inquiry["id"]}))).await;
    assert_eq!(ack["type"], "ack", "{ack}");
    assert_eq!(dispute_of(&server, &intent).await["status"], "warning_closed");
    let refused = ask(operation("close_dispute", json!({}))).await;
    assert_eq!(
        (&refused["type"], &refused["error"]["param"]),
        (&json!("error"), &json!("dispute")),
        "{refused}"
    );
}
