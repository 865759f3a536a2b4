//! Scenarios that accounts put in force for themselves while payments run.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::server::{Answer, Server, on_both_stacks};

on_both_stacks!(
    an_account_puts_scenarios_in_force_for_itself_alone,
    a_scenario_answers_payments_that_wait_for_their_next_attempt,
    scenarios_with_mistakes_change_nothing_and_say_where_they_are,
    throw_away_accounts_are_under_the_scenario_of_whoever_created_them,
    a_breaker_that_opens_and_closes_is_shown_by_page_and_api,
);

const SCENARIO: &str = "/v1/test_helpers/scenario";
const PAY: &str = "amount=1051&currency=eur&payment_method=pm_card_visa&confirm=true";

fn by_amount(code: &str) -> String {
    format!(
        "name = \"By amount: {code}\"\n[[rule]]\nmatch = {{ amount_minor = 1051 }}\ndecline = \"{code}\"\n"
    )
}

/// Puts a file in force.
async fn put(server: &Server, key: &str, file: &str) -> Answer {
    server.send_as(key, "POST", SCENARIO, &json!({ "file": file }).to_string(), &[]).await
}

/// How a payment with this key ends.
async fn outcome(server: &Server, key: &str, headers: &[(&str, &str)]) -> String {
    let paid = server.send_as(key, "POST", "/v1/payment_intents", PAY, headers).await;
    match paid.status {
        200 => paid.text("/status").to_owned(),
        402 => paid.text("/error/decline_code").to_owned(),
        other => panic!("{other}: {}", paid.body),
    }
}

async fn an_account_puts_scenarios_in_force_for_itself_alone(server: Arc<Server>) {
    let (own, other) = (server.key.as_str(), server.other_key.as_str());
    let (status, none) = server.get(SCENARIO).await;
    assert_eq!(
        (status, &none["object"], &none["revision"]),
        (200, &json!("test_helpers.scenario"), &Value::Null)
    );
    for (number, code) in [(1, "lost_card"), (2, "stolen_card")] {
        let file = by_amount(code);
        let set = put(&server, own, &file).await;
        assert_eq!(
            (set.status, &set.body["revision"], &set.body["rules"]),
            (200, &json!(number), &json!(1)),
            "{set:?}"
        );
        assert_eq!(outcome(&server, own, &[]).await, code);
        assert_eq!(outcome(&server, other, &[]).await, "succeeded");
        let (_, in_force) = server.get(SCENARIO).await;
        assert_eq!((in_force["file"].as_str(), &in_force["name"]), (Some(file.as_str()), &set.body["name"]));
    }
    let cleared = server.send("DELETE", SCENARIO, "", &[]).await;
    assert_eq!(
        (cleared.status, &cleared.body["revision"], &cleared.body["file"]),
        (200, &json!(3), &Value::Null)
    );
    assert_eq!(outcome(&server, own, &[]).await, "succeeded");
    // All that was in force stays, latest first, for the account alone.
    let (_, list) = server.get("/v1/test_helpers/scenario/revisions?limit=2").await;
    let numbers = |list: &Value| -> Vec<u64> {
        list["data"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|revision| revision["revision"].as_u64())
            .collect()
    };
    assert_eq!((numbers(&list), &list["has_more"]), (vec![3, 2], &json!(true)), "{list}");
    let (_, list) = server.get("/v1/test_helpers/scenario/revisions?starting_after=2").await;
    assert_eq!((numbers(&list), &list["has_more"]), (vec![1], &json!(false)), "{list}");
    let (status, first) = server.get("/v1/test_helpers/scenario/revisions/1").await;
    assert_eq!((status, first["file"].as_str()), (200, Some(by_amount("lost_card").as_str())));
    for path in ["/v1/test_helpers/scenario/revisions/1", "/v1/test_helpers/scenario/revisions/x"] {
        let foreign = server.send_as(other, "GET", path, "", &[]).await;
        assert_eq!(foreign.error(), (404, "invalid_request_error", "resource_missing", "id"), "{path}");
    }
}

async fn a_scenario_answers_payments_that_wait_for_their_next_attempt(server: Arc<Server>) {
    let broken =
        "name = \"Outage\"\n[[acquirer]]\nname = \"a\"\nerrors = [{ share = 1.0, kind = \"refused\" }]\n";
    assert_eq!(put(&server, &server.key, broken).await.status, 200);
    let paid = server.send("POST", "/v1/payment_intents", PAY, &[("prefer", "respond-async")]).await;
    assert_eq!(paid.text("/status"), "processing", "{paid:?}");
    let path = format!("/v1/payment_intents/{}", paid.text("/id"));
    // The first attempt failed: the second is about to come.
    let waits = async || server.get(&path).await.1["paystorm"]["status"] == "queued";
    assert!(waits().await);
    assert_eq!(put(&server, &server.key, "name = \"A day\"\n").await.status, 200);
    let ended = tokio::time::timeout(std::time::Duration::from_secs(60), async {
        loop {
            let (_, payment) = server.get(&path).await;
            match payment["status"].as_str() {
                Some("processing") => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
                _ => return payment,
            }
        }
    });
    let payment = ended.await.expect("it ends");
    assert_eq!(payment["status"], "succeeded", "{payment}");
}

async fn scenarios_with_mistakes_change_nothing_and_say_where_they_are(server: Arc<Server>) {
    let good = by_amount("lost_card");
    assert_eq!(put(&server, &server.key, &good).await.status, 200);
    let mistake = "name = \"x\"\n[[rule]]\nshrae = 1\ndelay_ms = 5\n";
    for (file, code, said) in [
        (
            mistake,
            "scenario_invalid",
            "scenario:3:1: rule[1].shrae: there is no such key; did you mean share?",
        ),
        ("name = ", "scenario_invalid", "scenario:1:"),
        ("name = \"x\"\n# 4111 1111 1111 1111\n", "card_number_refused", "Line 2 holds a card number"),
    ] {
        let refused = put(&server, &server.key, file).await;
        assert_eq!(refused.error(), (400, "invalid_request_error", code, "file"), "{refused:?}");
        assert!(refused.text("/error/message").contains(said), "{refused:?}");
        assert!(!refused.body.to_string().contains("4111"), "{refused:?}");
    }
    let missing = server.send("POST", SCENARIO, "", &[]).await;
    assert_eq!(missing.error(), (400, "invalid_request_error", "parameter_missing", "file"));
    let (_, in_force) = server.get(SCENARIO).await;
    assert_eq!((&in_force["revision"], in_force["file"].as_str()), (&json!(1), Some(good.as_str())));
    let check = async |file: &str| {
        server
            .send("POST", "/v1/test_helpers/scenario/check", &json!({ "file": file }).to_string(), &[])
            .await
            .body
    };
    assert_eq!(check(&good).await["valid"], json!(true));
    let checked = check(mistake).await;
    let (first, message) = (&checked["mistakes"][0], "there is no such key; did you mean share?");
    assert_eq!(checked["valid"], json!(false));
    assert_eq!(*first, json!({ "line": 3, "column": 1, "field": "rule[1].shrae", "message": message }));
}

async fn throw_away_accounts_are_under_the_scenario_of_whoever_created_them(server: Arc<Server>) {
    let made = async || {
        let made = server.send("POST", "/v1/test_helpers/accounts", "", &[]).await;
        made.text("/secret_key").to_owned()
    };
    let before = made().await;
    assert_eq!(put(&server, &server.key, &by_amount("lost_card")).await.status, 200);
    let after = made().await;
    for child in [&before, &after] {
        assert_eq!(outcome(&server, child, &[]).await, "lost_card");
    }
    assert_eq!(put(&server, &before, &by_amount("stolen_card")).await.status, 200);
    assert_eq!(outcome(&server, &before, &[]).await, "stolen_card");
    assert_eq!(outcome(&server, &after, &[]).await, "lost_card");
    assert_eq!(server.send("DELETE", SCENARIO, "", &[]).await.status, 200);
    for child in [&before, &after] {
        assert_eq!(outcome(&server, child, &[]).await, "succeeded");
    }
}

const BREAKING: &str = "name = \"Breaking\"\n[[acquirer]]\nname = \"north & co\"\nlatency = { fixed_ms = 0 }\ncapacity_per_s = 500\nbreaker = { errors = 0.5, of = 4, open_ms = 4000, probes = 1 }\n";

async fn a_breaker_that_opens_and_closes_is_shown_by_page_and_api(server: Arc<Server>) {
    const ACQUIRERS: &str = "/v1/test_helpers/scenario/acquirers";
    let session = server.sign_in("shop@example.org").await;
    let page = async || {
        let (whole, part) =
            (server.page("/scenario", &session).await, server.page("/scenario/acquirers", &session).await);
        assert_eq!((whole.0, part.0), (200, 200));
        assert!(!part.1.contains("<html"), "only the part: {}", part.1);
        part.1
    };
    let (status, none) = server.get(ACQUIRERS).await;
    assert_eq!((status, &none["acquirers"], &none["scope"]), (200, &json!([]), &json!("process")));
    assert!(!page().await.contains("Acquirers now"));
    assert_eq!(put(&server, &server.key, BREAKING).await.status, 200);
    let first = async || {
        let (_, all) = server.get(ACQUIRERS).await;
        all["acquirers"][0].clone()
    };
    let acquirer = first().await;
    assert_eq!(
        (&acquirer["name"], &acquirer["breaker"]["state"], &acquirer["queue"]["waiting"]),
        (&json!("north & co"), &json!("closed"), &json!(0)),
        "{acquirer}"
    );
    assert!(page().await.contains("Closed, 0% errors"));
    // Each fails at its first attempt.
    for _ in 0..4 {
        let fails = [("prefer", "respond-async"), ("paystorm-outcome", "error:refused,approved")];
        server.send("POST", "/v1/payment_intents", PAY, &fails).await;
    }
    let until = async |state: &str| {
        let seen = tokio::time::timeout(std::time::Duration::from_secs(60), async {
            loop {
                let acquirer = first().await;
                if acquirer["breaker"]["state"] == state {
                    return acquirer;
                }
                // A probe closes it again, once it may be asked.
                if state == "closed" {
                    server.send("POST", "/v1/payment_intents", PAY, &[("prefer", "respond-async")]).await;
                }
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        });
        seen.await.unwrap_or_else(|_| panic!("never {state}"))
    };
    let open = until("open").await;
    assert!(open["breaker"]["open_until"].as_i64() >= open["breaker"]["since"].as_i64(), "{open}");
    assert!(open["last_minute"]["failed"].as_u64() >= Some(2), "{open}");
    let shown = page().await;
    assert!(shown.contains("breaker open") && shown.contains("north &#38; co"), "{shown}");
    let closed = until("closed").await;
    assert_eq!(closed["breaker"]["open_until"], Value::Null);
    assert!(closed["total"]["kept_away"].as_u64() >= Some(1), "{closed}");
    assert!(page().await.contains("breaker closed"));
    let foreign = server.send_as(&server.other_key, "GET", ACQUIRERS, "", &[]).await;
    assert_eq!(foreign.body["acquirers"], json!([]), "{foreign:?}");
    // Operators see figures, and no name that an account chose.
    let (_, metrics) = server.page("/metrics", "").await;
    assert!(metrics.contains("paystorm_acquirer_breakers{position=\"closed\"} 1"), "{metrics}");
    assert!(!metrics.contains("north & co"), "{metrics}");
}
