//! Charges over a whole server on both stacks: one for each attempt, found by id, listed in order, shown on the page.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::server::{Answer, Server, on_both_stacks};

on_both_stacks!(
    a_second_attempt_is_a_second_charge,
    a_technical_retry_keeps_its_charge,
    a_challenge_that_nobody_answered_has_no_charge,
    lists_go_through_first_and_later_charges_in_order,
);

const DECLINED: &str = "amount=1250&currency=eur&confirm=true&payment_method=pm_card_chargeDeclined";

fn id(object: &Value) -> String {
    object["id"].as_str().expect("an id").to_owned()
}

async fn post(server: &Server, path: &str, form: &str) -> Answer {
    server.send("POST", path, form, &[]).await
}

/// The ids of a page, and whether there are more.
async fn page(server: &Server, path: &str) -> (Vec<String>, bool) {
    let (status, body) = server.get(path).await;
    assert_eq!(status, 200, "{path}: {body}");
    let ids = body["data"].as_array().expect("a list").iter().map(id).collect();
    (ids, body["has_more"].as_bool().expect("a boolean"))
}

/// A payment that was declined with one card and paid with another.
async fn paid_at_second(server: &Server) -> (Value, Value) {
    let declined = post(server, "/v1/payment_intents", DECLINED).await;
    assert_eq!(declined.status, 402, "{declined:?}");
    let intent = declined.body["error"]["payment_intent"].clone();
    let confirm = format!("/v1/payment_intents/{}/confirm", id(&intent));
    let paid = post(server, &confirm, "payment_method=pm_card_mastercard").await;
    assert_eq!((paid.status, paid.text("/status")), (200, "succeeded"), "{paid:?}");
    (intent, paid.body)
}

async fn a_second_attempt_is_a_second_charge(server: Arc<Server>) {
    let (declined, paid) = paid_at_second(&server).await;
    let first = declined["latest_charge"].as_str().expect("a charge").to_owned();
    assert_eq!(declined["last_payment_error"]["charge"], declined["latest_charge"]);
    assert_eq!(first.trim_start_matches("ch_"), id(&paid).trim_start_matches("pi_"), "derived");
    let second = paid["latest_charge"].as_str().expect("a charge").to_owned();
    assert_ne!(first, second);
    let (status, failed) = server.get(&format!("/v1/charges/{first}")).await;
    assert_eq!((status, failed["object"].as_str()), (200, Some("charge")), "{failed}");
    assert_eq!((failed["status"].as_str(), &failed["paid"]), (Some("failed"), &json!(false)));
    assert_eq!(failed["failure_code"], "card_declined");
    assert_eq!(failed["outcome"]["network_status"], "declined_by_network");
    assert_eq!(failed["outcome"]["reason"], "generic_decline");
    assert_eq!(failed["payment_method_details"]["card"]["last4"], "0002");
    assert_eq!((&failed["amount"], &failed["amount_captured"]), (&json!(1250), &json!(0)));
    let (_, succeeded) = server.get(&format!("/v1/charges/{second}?expand[]=payment_intent")).await;
    assert_eq!((succeeded["status"].as_str(), &succeeded["captured"]), (Some("succeeded"), &json!(true)));
    assert_eq!(succeeded["failure_code"], json!(null));
    assert_eq!(succeeded["payment_method_details"]["card"]["brand"], "mastercard");
    assert_ne!(succeeded["payment_method"], failed["payment_method"], "another payment method");
    assert_eq!(succeeded["payment_method"], paid["payment_method"]);
    assert_eq!(succeeded["payment_intent"]["latest_charge"], json!(second), "expanded");

    let (ids, more) = page(&server, &format!("/v1/charges?payment_intent={}", id(&paid))).await;
    assert_eq!((ids, more), (vec![second.clone(), first.clone()], false));
    // There is one payment, so both lists hold the same, however they are narrowed.
    let created = succeeded["created"].as_i64().expect("a time");
    for narrowed in [
        "limit=1".to_owned(),
        format!("starting_after={second}"),
        format!("ending_before={first}"),
        format!("created={created}"),
        format!("created[gt]={created}"),
        format!("created[lte]={created}"),
    ] {
        let of_payment = page(&server, &format!("/v1/charges?payment_intent={}&{narrowed}", id(&paid))).await;
        assert_eq!(of_payment, page(&server, &format!("/v1/charges?{narrowed}")).await, "{narrowed}");
    }
    let (listed, _) = page(&server, "/v1/charges?expand[]=data.payment_intent").await;
    assert_eq!(listed, [second.clone(), first.clone()]);

    let nothing = post(&server, "/v1/refunds", &format!("charge={first}")).await;
    assert_eq!((nothing.status, nothing.text("/error/param")), (400, "charge"), "{nothing:?}");
    let refund = post(&server, "/v1/refunds", &format!("charge={second}&amount=250&expand[]=charge")).await;
    assert_eq!((refund.status, refund.text("/charge/id")), (200, second.as_str()), "{refund:?}");
    assert_eq!(refund.body["charge"]["amount_refunded"], 250);
    for (charge, count) in [(&first, 0), (&second, 1)] {
        assert_eq!(page(&server, &format!("/v1/refunds?charge={charge}")).await.0.len(), count, "{charge}");
    }
    let session = server.sign_in("shop@example.org").await;
    let (_, shown) = server.page(&format!("/payments/{}", id(&paid)), &session).await;
    for words in ["Attempts", "declined: ", "Mastercard •••• 4444", first.as_str(), second.as_str()] {
        assert!(shown.contains(words), "{words}");
    }
    for wrong in ["ch_nope", &second.replace("ch_", "re_"), "ch_0000000000000000000000"] {
        assert_eq!(server.get(&format!("/v1/charges/{wrong}")).await.0, 404, "{wrong}");
    }
    let foreign = server.send_as(&server.other_key, "GET", &format!("/v1/charges/{second}"), "", &[]).await;
    assert_eq!(foreign.status, 404, "{foreign:?}");
}

async fn a_technical_retry_keeps_its_charge(server: Arc<Server>) {
    let form = "amount=1250&currency=eur&confirm=true&payment_method=pm_card_paystorm_technicalErrorTwice";
    let answer = post(&server, "/v1/payment_intents", form).await;
    let intent = id(&answer.body);
    let deadline = Instant::now() + Duration::from_secs(60);
    while server.get(&format!("/v1/payment_intents/{intent}")).await.1["status"] != "succeeded" {
        assert!(Instant::now() < deadline, "{answer:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let (ids, _) = page(&server, &format!("/v1/charges?payment_intent={intent}")).await;
    assert_eq!(ids, [intent.replace("pi_", "ch_")]);
}

async fn a_challenge_that_nobody_answered_has_no_charge(server: Arc<Server>) {
    let secure = DECLINED.replace("chargeDeclined", "authenticationRequired");
    let waiting = post(&server, "/v1/payment_intents", &secure).await;
    assert_eq!(waiting.text("/status"), "requires_action", "{waiting:?}");
    let intent = id(&waiting.body);
    assert_eq!(waiting.body["latest_charge"], json!(null));
    let own = format!("/v1/charges?payment_intent={intent}");
    assert!(page(&server, &own).await.0.is_empty());
    let derived = intent.replace("pi_", "ch_");
    assert_eq!(server.get(&format!("/v1/charges/{derived}")).await.0, 404);
    let canceled = post(&server, &format!("/v1/payment_intents/{intent}/cancel"), "").await;
    assert_eq!(canceled.body["latest_charge"], json!(null), "{canceled:?}");
    assert!(page(&server, "/v1/charges").await.0.is_empty());

    // One that is answered has the charge of its attempt; after a decline, a challenge leaves that of before.
    let (declined, _) = paid_at_second(&server).await;
    let answered = post(&server, "/v1/payment_intents", &secure).await;
    let helper = format!("/v1/test_helpers/payment_intents/{}/authenticate", id(&answered.body));
    let done = post(&server, &helper, "").await;
    assert_eq!(done.text("/latest_charge"), id(&answered.body).replace("pi_", "ch_"), "{done:?}");
    let again = post(&server, "/v1/payment_intents", DECLINED).await;
    let intent = id(&again.body["error"]["payment_intent"]);
    let confirm = format!("/v1/payment_intents/{intent}/confirm");
    let waiting = post(&server, &confirm, "payment_method=pm_card_authenticationRequired").await;
    assert_eq!(waiting.text("/status"), "requires_action", "{waiting:?}");
    assert_eq!(waiting.text("/latest_charge"), intent.replace("pi_", "ch_"), "the one declined");
    assert_ne!(waiting.body["latest_charge"], declined["latest_charge"]);
}

async fn lists_go_through_first_and_later_charges_in_order(server: Arc<Server>) {
    let mut wanted = Vec::new();
    for n in 0..4 {
        // Attempts that come to nothing lie in between.
        post(&server, "/v1/payment_intents", "amount=900&currency=eur").await;
        let (declined, paid) = paid_at_second(&server).await;
        wanted.extend([&declined, &paid].map(|one| one["latest_charge"].as_str().expect("one").to_owned()));
        if n % 2 == 0 {
            let late = post(&server, "/v1/payment_intents", "amount=900&currency=eur").await;
            let confirm = format!("/v1/payment_intents/{}/confirm", id(&late.body));
            let paid = post(&server, &confirm, "payment_method=pm_card_visa").await;
            let charge = paid.text("/latest_charge").to_owned();
            assert_ne!(charge.trim_start_matches("ch_"), id(&paid.body).trim_start_matches("pi_"));
            wanted.push(charge);
        }
    }
    wanted.sort();
    wanted.reverse();
    let (all, more) = page(&server, "/v1/charges?limit=100").await;
    assert_eq!((&all, more), (&wanted, false));
    for limit in [1, 2, 3, 7] {
        let (mut forwards, mut cursor) = (Vec::new(), String::new());
        loop {
            let (ids, more) = page(&server, &format!("/v1/charges?limit={limit}{cursor}")).await;
            cursor = ids.last().map_or(String::new(), |last| format!("&starting_after={last}"));
            forwards.extend(ids);
            if !more {
                break;
            }
        }
        assert_eq!(forwards, wanted, "{limit}");
        let mut first = wanted.last().expect("some").clone();
        let mut backwards = vec![first.clone()];
        loop {
            let path = format!("/v1/charges?limit={limit}&ending_before={first}");
            let (mut ids, more) = page(&server, &path).await;
            first = ids.first().cloned().unwrap_or(first);
            ids.reverse();
            backwards.extend(ids);
            if !more {
                break;
            }
        }
        backwards.reverse();
        assert_eq!(backwards, wanted, "{limit}");
    }
    let (_, body) = server.get("/v1/charges?limit=100").await;
    let times: Vec<i64> =
        body["data"].as_array().expect("a list").iter().filter_map(|one| one["created"].as_i64()).collect();
    for at in [times[0], times[times.len() - 1]] {
        let (ids, _) = page(&server, &format!("/v1/charges?limit=100&created={at}")).await;
        assert_eq!(ids.len(), times.iter().filter(|time| **time == at).count());
        let (ids, _) = page(&server, &format!("/v1/charges?limit=100&created[gt]={at}")).await;
        assert_eq!(ids.len(), times.iter().filter(|time| **time > at).count());
    }
    for (wrong, param) in [
        ("starting_after=ch_0000000000000000000000", "starting_after"),
        ("customer=cus_1", "customer"),
        ("expand[]=data.customer", "expand"),
    ] {
        let refused = server.send("GET", &format!("/v1/charges?{wrong}"), "", &[]).await;
        assert_eq!((refused.status, refused.text("/error/param")), (400, param), "{refused:?}");
    }
}
