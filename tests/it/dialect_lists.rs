//! Lists as SDKs page through them: both ways, by time, by what they belong to; what can be expanded; and members that programs
//! look at without asking.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::server::{Server, on_both_stacks};

on_both_stacks!(
    every_list_is_paged_both_ways_and_narrowed_by_time,
    what_narrows_no_list_here_is_said,
    refunds_show_what_they_belong_to,
    errors_and_objects_have_what_programs_look_at,
);

const CHARGE: &str = "amount=1250&currency=eur&confirm=true&payment_method=pm_card_visa";

async fn made(server: &Server, path: &str, form: &str) -> Value {
    let answer = server.send("POST", path, form, &[]).await;
    assert_eq!(answer.status, 200, "{path} {form}: {answer:?}");
    answer.body
}

fn id(object: &Value) -> String {
    object["id"].as_str().expect("an id").to_owned()
}

/// The ids of a page, and whether there are more.
async fn page(server: &Server, path: &str) -> (Vec<String>, bool) {
    let (status, body) = server.get(path).await;
    assert_eq!(status, 200, "{path}: {body}");
    let ids = body["data"].as_array().expect("a list").iter().map(id).collect();
    (ids, body["has_more"].as_bool().expect("a boolean"))
}

async fn every_list_is_paged_both_ways_and_narrowed_by_time(server: Arc<Server>) {
    let account = id(&made(&server, "/v1/test_helpers/accounts", "name=Ben").await);
    made(&server, "/v1/topups", "amount=99000&currency=eur&source=pm_card_visa").await;
    let mut refunded = String::new();
    for _ in 0..5 {
        made(&server, "/v1/topups", "amount=1250&currency=eur&source=pm_card_visa").await;
        made(&server, "/v1/transfers", &format!("amount=100&currency=eur&destination={account}")).await;
        made(&server, "/v1/payouts", "amount=100&currency=eur").await;
        let intent = id(&made(&server, "/v1/payment_intents", CHARGE).await);
        if refunded.is_empty() {
            refunded = intent.clone();
        }
        made(&server, "/v1/refunds", &format!("payment_intent={intent}&amount=100")).await;
        made(&server, "/v1/refunds", &format!("payment_intent={refunded}&amount=50")).await;
    }
    for list in [
        "/v1/payment_intents?",
        "/v1/refunds?",
        &format!("/v1/refunds?payment_intent={refunded}&"),
        "/v1/topups?",
        "/v1/transfers?",
        "/v1/payouts?",
    ] {
        let (all, more) = page(&server, &format!("{list}limit=100")).await;
        assert!(all.len() >= 5 && !more, "{list} {all:?}");
        let (mut forwards, mut last) = (Vec::new(), None);
        loop {
            let cursor = last.map_or(String::new(), |id| format!("&starting_after={id}"));
            let (ids, more) = page(&server, &format!("{list}limit=2{cursor}")).await;
            last = ids.last().cloned();
            forwards.extend(ids);
            if !more {
                break;
            }
        }
        assert_eq!(forwards, all, "{list}");
        // As SDKs do it: the page before, from its end to its beginning.
        let mut first = all.last().cloned().expect("some");
        let mut backwards = vec![first.clone()];
        loop {
            let (mut ids, more) = page(&server, &format!("{list}limit=2&ending_before={first}")).await;
            first = ids.first().cloned().unwrap_or(first);
            ids.reverse();
            backwards.extend(ids);
            if !more {
                break;
            }
        }
        backwards.reverse();
        assert_eq!(backwards, all, "{list}");
        let both = format!("{list}starting_after={first}&ending_before={first}");
        let both = server.send("GET", &both, "", &[]).await;
        assert_eq!(both.text("/error/code"), "parameters_exclusive", "{list}");
        narrowed(&server, list, all.len()).await;
    }
}

/// A list is asked for by the `created` that it shows.
async fn narrowed(server: &Server, list: &str, count: usize) {
    let (_, body) = server.get(&format!("{list}limit=100")).await;
    let created = |one: &Value| one["created"].as_i64().expect("a time");
    let times: Vec<i64> = body["data"].as_array().expect("a list").iter().map(created).collect();
    let (newest, oldest) = (times[0], times[count - 1]);
    for at in [oldest, newest] {
        let there = |test: &dyn Fn(i64) -> bool| times.iter().filter(|time| test(**time)).count();
        for (bounds, expected) in [
            (format!("created={at}"), there(&|time| time == at)),
            (format!("created[gte]={at}"), there(&|time| time >= at)),
            (format!("created[gt]={at}"), there(&|time| time > at)),
            (format!("created[lte]={at}"), there(&|time| time <= at)),
            (format!("created[lt]={at}"), there(&|time| time < at)),
            (format!("created[gte]={at}&created[lte]={at}"), there(&|time| time == at)),
            (format!("created={at}&created[gt]={at}"), 0),
        ] {
            let (ids, more) = page(server, &format!("{list}limit=100&{bounds}")).await;
            assert_eq!((ids.len(), more), (expected, false), "{list}{bounds} of {times:?}");
        }
    }
    for wrong in ["created=soon", "created[gt]=", "created[since]=1", "limit=0", "colour=red"] {
        let answer = server.send("GET", &format!("{list}{wrong}"), "", &[]).await;
        assert_eq!(answer.status, 400, "{list}{wrong}: {answer:?}");
    }
}

async fn what_narrows_no_list_here_is_said(server: Arc<Server>) {
    for (list, param) in [
        ("/v1/payment_intents", "customer_account"),
        ("/v1/topups", "amount"),
        ("/v1/topups", "status"),
        ("/v1/transfers", "destination"),
        ("/v1/transfers", "transfer_group"),
        ("/v1/payouts", "arrival_date"),
        ("/v1/payouts", "destination"),
        ("/v1/payouts", "status"),
    ] {
        for asked in [format!("{param}=1"), format!("{param}[gte]=1")] {
            let answer = server.send("GET", &format!("{list}?{asked}"), "", &[]).await;
            let expected = (400, "invalid_request_error", "parameter_not_offered", param);
            assert_eq!(answer.error(), expected, "{list} {asked}");
        }
    }
    let topup = made(&server, "/v1/topups", "amount=1250&currency=eur&source=pm_card_visa").await;
    let intent = made(&server, "/v1/payment_intents", CHARGE).await;
    let refund = made(&server, "/v1/refunds", &format!("payment_intent={}", id(&intent))).await;
    let topup = format!("/v1/topups/{}", id(&topup));
    let refund = format!("/v1/refunds/{}", id(&refund));
    for path in ["/v1/topups", "/v1/transfers", "/v1/payouts", "/v1/refunds", &topup, &refund] {
        let answer = server.send("GET", &format!("{path}?expand[]=balance_transaction"), "", &[]).await;
        assert_eq!(answer.text("/error/code"), "property_not_expandable", "{path}: {answer:?}");
        let answer = server.send("GET", &format!("{path}?colour=red"), "", &[]).await;
        assert_eq!(answer.text("/error/code"), "parameter_unknown", "{path}: {answer:?}");
    }
}

async fn refunds_show_what_they_belong_to(server: Arc<Server>) {
    let billing = "payment_method_data[type]=card&payment_method_data[card][token]=tok_visa\
                   &payment_method_data[billing_details][name]=Ada";
    let form = format!("amount=1250&currency=eur&confirm=true&{billing}");
    let intent = made(&server, "/v1/payment_intents", &form).await;
    let asked = format!("payment_intent={}&expand[]=payment_intent&expand[]=charge", id(&intent));
    let refund = made(&server, "/v1/refunds", &asked).await;
    let (_, read) =
        server.get(&format!("/v1/refunds/{}?expand[]=payment_intent&expand[]=charge", id(&refund))).await;
    let (_, list) = server.get("/v1/refunds?expand[]=data.payment_intent&expand[]=data.charge").await;
    for shown in [&refund, &read, &list["data"][0]] {
        assert_eq!(shown["payment_intent"]["id"], intent["id"], "{shown}");
        assert_eq!(shown["charge"]["id"], intent["latest_charge"], "{shown}");
        assert_eq!(shown["charge"]["amount_refunded"], 1250, "{shown}");
        assert_eq!(shown["charge"]["billing_details"]["name"], "Ada", "{shown}");
    }
    let (_, plain) = server.get(&format!("/v1/refunds/{}", id(&refund))).await;
    assert_eq!((&plain["payment_intent"], &plain["charge"]), (&intent["id"], &intent["latest_charge"]));
}

async fn errors_and_objects_have_what_programs_look_at(server: Arc<Server>) {
    let declined = CHARGE.replace("pm_card_visa", "pm_card_chargeDeclined");
    let answer = server.send("POST", "/v1/payment_intents", &declined, &[]).await;
    assert_eq!(
        (answer.status, answer.text("/error/payment_method/card/last4")),
        (402, answer.text("/error/payment_intent/last_payment_error/payment_method/card/last4")),
        "{answer:?}"
    );
    assert!(answer.text("/error/payment_method/id").starts_with("pm_"), "{answer:?}");

    let intent = made(&server, "/v1/payment_intents", &format!("{CHARGE}&expand[]=latest_charge")).await;
    let refund = made(&server, "/v1/refunds", &format!("payment_intent={}&amount=1", id(&intent))).await;
    let topup = made(&server, "/v1/topups", "amount=1250&currency=eur&source=pm_card_visa").await;
    let payout = made(&server, "/v1/payouts", "amount=100&currency=eur").await;
    for (object, members) in [
        (&intent, &["customer", "automatic_payment_methods", "review", "transfer_group"][..]),
        (&intent["latest_charge"], &["failure_balance_transaction", "receipt_url", "customer", "shipping"]),
        (&refund, &["receipt_number", "reason"]),
        (&topup, &["balance_transaction", "statement_descriptor", "failure_code"]),
        (&payout, &["balance_transaction", "statement_descriptor", "reversed_by"]),
    ] {
        for member in members {
            assert_eq!(object.get(member), Some(&json!(null)), "{member} of {object}");
        }
    }
    // Whatever is found in the end, the answer says how much.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    loop {
        let path = "/v1/payment_intents/search?query=amount:1250&limit=1&expand[]=total_count";
        let (status, found) = server.get(path).await;
        if status == 200 && found["total_count"] == 2 {
            assert_eq!((found["data"].as_array().map(Vec::len), &found["has_more"]), (Some(1), &json!(true)));
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{found}");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}
