//! `/v1/events`, on both stacks.

use std::sync::Arc;

use paystorm::domain::announcement::Announcement;
use paystorm::domain::ids::AccountId;
use paystorm::domain::statement::READER;
use paystorm::domain::time::Timestamp;
use paystorm::store::Store;
use serde_json::{Value, json};

use crate::support::binary::eventually;
use crate::support::server::{Server, on_both_stacks};

on_both_stacks!(
    events_show_their_objects_as_they_were,
    events_are_narrowed_and_paged,
    lean_accounts_have_no_events,
    events_are_rebuilt_the_same,
    events_name_the_requests_that_they_came_from,
    what_happens_by_itself_was_asked_by_nobody,
    changes_of_customers_and_clocks_have_events,
    events_of_resources_outlive_a_rebuild,
);

const CHARGE: &str = "currency=eur&confirm=true&payment_method=pm_card_visa";

async fn post(server: &Server, path: &str, form: &str) -> Value {
    let answer = server.send("POST", path, form, &[]).await;
    assert!(matches!(answer.status, 200 | 402), "{path}: {answer:?}");
    answer.body
}

async fn list(server: &Server, query: &str) -> Vec<Value> {
    let answer = server.send("GET", &format!("/v1/events{query}"), "", &[]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(!answer.behind, "{answer:?}");
    answer.body["data"].as_array().cloned().expect("a list")
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["type"].as_str()).collect()
}

async fn events_show_their_objects_as_they_were(server: Arc<Server>) {
    let intent = post(&server, "/v1/payment_intents", &format!("amount=1250&{CHARGE}")).await;
    let id = intent["id"].as_str().expect("id");
    let refund = post(&server, "/v1/refunds", &format!("payment_intent={id}&amount=250")).await;
    let events = list(&server, "").await;
    assert_eq!(
        types(&events),
        [
            "refund.updated",
            "refund.created",
            "charge.refunded",
            "payment_intent.succeeded",
            "charge.succeeded",
            "payment_intent.created",
        ]
    );
    let [updated, created, refunded, succeeded, charged, began] = events.as_slice() else { panic!("six") };
    assert_eq!(updated["data"]["object"]["status"], "succeeded");
    assert_eq!(updated["data"]["previous_attributes"], json!({"status": "pending"}));
    assert_eq!(
        (&created["data"]["object"]["id"], &created["data"]["object"]["status"]),
        (&refund["id"], &json!("pending"))
    );
    assert_eq!(refunded["data"]["object"]["amount_refunded"], 250);
    assert_eq!(refunded["data"]["previous_attributes"]["amount_refunded"], 0);
    assert_eq!(
        (&charged["data"]["object"]["object"], &charged["data"]["object"]["amount_refunded"]),
        (&json!("charge"), &json!(0))
    );
    assert_eq!(succeeded["data"]["object"]["status"], "succeeded");
    assert_eq!(began["data"]["object"]["status"], "processing");
    assert_eq!(began["data"]["object"]["amount_received"], 0);
    // One by its id, and its exact members.
    let one = server.send("GET", &format!("/v1/events/{}", began["id"].as_str().expect("id")), "", &[]).await;
    assert_eq!(&one.body, began);
    let members: Vec<&String> = began.as_object().expect("an object").keys().collect();
    assert_eq!(
        members,
        ["id", "object", "api_version", "created", "data", "livemode", "pending_webhooks", "request", "type"]
    );
    let foreign = server
        .send_as(
            &server.other_key,
            "GET",
            &format!("/v1/events/{}", began["id"].as_str().expect("id")),
            "",
            &[],
        )
        .await;
    assert_eq!(foreign.error().0, 404, "{foreign:?}");
    // Every other way.
    post(
        &server,
        "/v1/payment_intents",
        "amount=1250&currency=eur&confirm=true&payment_method=pm_card_visa_chargeDeclined",
    )
    .await;
    assert_eq!(
        types(&list(&server, "?limit=3").await),
        ["payment_intent.payment_failed", "charge.failed", "payment_intent.created"]
    );
    let held =
        post(&server, "/v1/payment_intents", &format!("amount=2000&capture_method=manual&{CHARGE}")).await;
    assert_eq!(
        types(&list(&server, "?limit=2").await),
        ["payment_intent.amount_capturable_updated", "charge.succeeded"]
    );
    post(&server, &format!("/v1/payment_intents/{}/capture", held["id"].as_str().expect("id")), "").await;
    assert_eq!(types(&list(&server, "?limit=2").await), ["payment_intent.succeeded", "charge.captured"]);
    post(&server, "/v1/topups", "amount=500&currency=eur&payment_method=pm_card_visa").await;
    assert_eq!(types(&list(&server, "?limit=2").await), ["topup.succeeded", "topup.created"]);
    let payee = post(&server, "/v1/test_helpers/accounts", "name=Payee").await;
    let to = format!("amount=100&currency=eur&destination={}", payee["id"].as_str().expect("id"));
    post(&server, "/v1/transfers", &to).await;
    assert_eq!(types(&list(&server, "?limit=1").await), ["transfer.created"]);
    let asked = post(
        &server,
        "/v1/payment_intents",
        "amount=1250&currency=eur&confirm=true&payment_method=pm_card_threeDSecure2Required",
    )
    .await;
    assert_eq!(types(&list(&server, "?limit=1").await), ["payment_intent.requires_action"]);
    post(&server, &format!("/v1/payment_intents/{}/cancel", asked["id"].as_str().expect("id")), "").await;
    assert_eq!(types(&list(&server, "?limit=1").await), ["payment_intent.canceled"]);
}

async fn events_are_narrowed_and_paged(server: Arc<Server>) {
    for n in 0..4 {
        post(&server, "/v1/payment_intents", &format!("amount={}&{CHARGE}", 1_000 + n)).await;
    }
    let all = list(&server, "?limit=100").await;
    assert_eq!(all.len(), 12);
    let ids = |events: &[Value]| -> Vec<String> {
        events.iter().filter_map(|event| event["id"].as_str()).map(str::to_owned).collect()
    };
    let all_ids = ids(&all);
    let mut seen = Vec::new();
    let mut query = "?limit=5".to_owned();
    loop {
        let page = list(&server, &query).await;
        let Some(last) = ids(&page).pop() else { break };
        seen.extend(ids(&page));
        query = format!("?limit=5&starting_after={last}");
    }
    assert_eq!(seen, all_ids);
    assert_eq!(ids(&list(&server, &format!("?limit=3&ending_before={}", all_ids[7])).await), all_ids[4..7]);
    assert_eq!(list(&server, "?type=charge.succeeded").await.len(), 4);
    assert_eq!(list(&server, "?type=charge.*").await.len(), 4);
    assert_eq!(list(&server, "?types[]=charge.succeeded&types[]=payment_intent.created").await.len(), 8);
    assert!(list(&server, "?type=customer.created").await.is_empty(), "there is no customer");
    let created = all[0]["created"].as_i64().expect("created");
    assert!(list(&server, &format!("?created[gt]={created}")).await.is_empty());
    for (query, param) in [
        ("type=a&types[]=b", "types"),
        ("delivery_success=true", "delivery_success"),
        ("starting_after=evt_1", "starting_after"),
        ("colour=red", "colour"),
        ("type=charge.paid", "type"),
        ("type=charge", "type"),
        ("type=invoice.*", "type"),
        ("types[]=charge.succeeded&types[]=invoice.paid", "types"),
    ] {
        let refused = server.send("GET", &format!("/v1/events?{query}"), "", &[]).await;
        assert_eq!((refused.error().0, refused.error().3), (400, param), "{refused:?}");
    }
    let refused = server.send("GET", "/v1/events?type=invoice.paid", "", &[]).await;
    assert_eq!(refused.text("/error/code"), "parameter_invalid_enum", "{refused:?}");
    assert!(refused.text("/error/message").contains("payment_intent.created, "), "{refused:?}");
}

async fn lean_accounts_have_no_events(server: Arc<Server>) {
    let store = server.test.store.as_ref();
    let made = post(&server, "/v1/test_helpers/accounts", "name=Lean&lean=true").await;
    let key = made["secret_key"].as_str().expect("a key");
    let charge = format!("amount=1000&{CHARGE}");
    assert_eq!(server.send_as(key, "POST", "/v1/payment_intents", &charge, &[]).await.status, 200);
    let events = server.send_as(key, "GET", "/v1/events", "", &[]).await;
    assert_eq!(events.body["data"], json!([]), "{events:?}");
    let mut kept = store.snapshot().await.expect("a view");
    assert_eq!(kept.sources(None, 10).await.expect("sources"), [], "nor are their requests kept");
}

async fn stored(store: &dyn Store) -> Vec<(AccountId, Announcement)> {
    let mut snapshot = store.snapshot().await.expect("a view");
    snapshot.events(None, 10_000).await.expect("events")
}

async fn events_are_rebuilt_the_same(server: Arc<Server>) {
    for n in 0..8 {
        let charge = post(&server, "/v1/payment_intents", &format!("amount={}&{CHARGE}", 1_000 + n)).await;
        let id = charge["id"].as_str().expect("id");
        post(&server, "/v1/refunds", &format!("payment_intent={id}&amount=100")).await;
    }
    let shown = list(&server, "?limit=100").await;
    let store = server.test.store.as_ref();
    let before = stored(store).await;
    assert_eq!(before.len(), 8 * 6);
    let head = store.head().await.expect("head");
    assert!(store.journal_prune(head, Timestamp::now().plus_ms(60_000)).await.expect("pruned") > 0);
    store.cursor_reset(READER, 0).await.expect("reset");
    post(&server, "/v1/topups", "amount=500&currency=eur&payment_method=pm_card_visa").await;
    eventually("the reader has come to the head", async || {
        let head = store.head().await.expect("head");
        store.cursor_get(READER).await.is_ok_and(|cursor| cursor >= head)
    })
    .await;
    let after = stored(store).await;
    assert_eq!(after.len(), before.len() + 2);
    assert!(before.iter().all(|event| after.contains(event)));
    // With the same requests.
    assert_eq!(list(&server, "?limit=100").await[2..], shown);
}

/// Each event's type, with the request and the key that it came from.
fn asked(events: &[Value]) -> Vec<(&str, Option<&str>, Option<&str>)> {
    assert!(
        events.iter().all(|event| event.pointer("/request/idempotency_key").is_some()),
        "both members are always there"
    );
    events
        .iter()
        .map(|event| {
            let of = |name: &str| event["request"][name].as_str();
            (event["type"].as_str().unwrap_or_default(), of("id"), of("idempotency_key"))
        })
        .collect()
}

async fn events_name_the_requests_that_they_came_from(server: Arc<Server>) {
    let key = "stripe-node-retry-677a3112-fbad-4804-ba61-cef1cc13d155";
    let form = format!("amount=1250&{CHARGE}");
    let charged = server.send("POST", "/v1/payment_intents", &form, &[("idempotency-key", key)]).await;
    assert_eq!(charged.status, 200, "{charged:?}");
    let id = charged.text("/id");
    let by =
        |answer: &'_ crate::support::server::Answer, key: Option<&'static str>| (answer.request.clone(), key);
    let refund = format!("payment_intent={id}&amount=250");
    // Sent again it does nothing, and is not what any event came from.
    let again = server.send("POST", "/v1/payment_intents", &form, &[("idempotency-key", key)]).await;
    assert!(again.replayed && again.request != charged.request);
    let card = [("idempotency-key", "refund of 4242424242424242")];
    let refunded = server.send("POST", "/v1/refunds", &refund, &card).await;
    assert_eq!(refunded.status, 200, "{refunded:?}");
    let (charged, refunded) = (by(&charged, Some(key)), by(&refunded, None));
    let wanted = |kind: &'static str, of: &'_ (String, Option<&'static str>)| (kind, of.0.clone(), of.1);
    let events = list(&server, "").await;
    let found: Vec<_> = asked(&events)
        .into_iter()
        .map(|(kind, request, key)| {
            (kind.to_owned(), request.unwrap_or_default().to_owned(), key.map(str::to_owned))
        })
        .collect();
    let wanted = [
        wanted("refund.updated", &refunded),
        wanted("refund.created", &refunded),
        wanted("charge.refunded", &refunded),
        wanted("payment_intent.succeeded", &charged),
        wanted("charge.succeeded", &charged),
        wanted("payment_intent.created", &charged),
    ];
    let wanted = wanted.map(|(kind, request, key)| (kind.to_owned(), request, key.map(str::to_owned)));
    assert_eq!(found, wanted);
    // One by its id has the same.
    let one =
        server.send("GET", &format!("/v1/events/{}", events[0]["id"].as_str().expect("id")), "", &[]).await;
    assert_eq!(one.body["request"], events[0]["request"]);
    // Each request for itself.
    let held = server
        .send("POST", "/v1/payment_intents", &format!("amount=900&capture_method=manual&{CHARGE}"), &[])
        .await;
    let captured =
        server.send("POST", &format!("/v1/payment_intents/{}/capture", held.text("/id")), "", &[]).await;
    let requests: Vec<String> = asked(&list(&server, "?limit=5").await)
        .into_iter()
        .map(|(_, request, _)| request.unwrap_or_default().to_owned())
        .collect();
    let (held, captured) = (held.request, captured.request);
    assert_eq!(requests, [captured.clone(), captured, held.clone(), held.clone(), held]);
    let raw = server.test.store.snapshot().await.expect("a view").sources(None, 100).await.expect("sources");
    assert_eq!(raw.len(), 4);
}

async fn what_happens_by_itself_was_asked_by_nobody(server: Arc<Server>) {
    let clock = server.send("POST", "/v1/test_helpers/test_clocks", "frozen_time=1900000000", &[]).await;
    let whose = format!("test_clock={}", clock.text("/id"));
    let customer = server.send("POST", "/v1/customers", &whose, &[]).await;
    let form = format!("amount=900&capture_method=manual&customer={}&{CHARGE}", customer.text("/id"));
    let held = server.send("POST", "/v1/payment_intents", &form, &[]).await;
    assert_eq!(held.text("/status"), "requires_capture", "{held:?}");
    let advance = format!("/v1/test_helpers/test_clocks/{}/advance", clock.text("/id"));
    let advanced = server.send("POST", &advance, "frozen_time=1900700000", &[]).await;
    assert_eq!(advanced.status, 200, "{advanced:?}");
    eventually("the authorization has lapsed", async || {
        let intent = server.send("GET", &format!("/v1/payment_intents/{}", held.text("/id")), "", &[]).await;
        intent.text("/status") == "canceled"
    })
    .await;
    let events = list(&server, "?types[]=charge.expired&types[]=payment_intent.canceled").await;
    assert_eq!(asked(&events), [("payment_intent.canceled", None, None), ("charge.expired", None, None)]);
    let events = list(&server, "?types[]=charge.succeeded").await;
    assert_eq!(asked(&events), [("charge.succeeded", Some(held.request.as_str()), None)]);
}

async fn changes_of_customers_and_clocks_have_events(server: Arc<Server>) {
    let key = [("idempotency-key", "customer-1")];
    let made = server.send("POST", "/v1/customers", "name=Ada&metadata[plan]=free", &key).await;
    let again = server.send("POST", "/v1/customers", "name=Ada&metadata[plan]=free", &key).await;
    assert!(again.replayed);
    let path = format!("/v1/customers/{}", made.text("/id"));
    let changed = server.send("POST", &path, "name=Ada L.", &[]).await;
    assert_eq!(server.send("POST", &path, "name=Ada L.", &[]).await.status, 200, "it changes nothing");
    let deleted = server.send("DELETE", &path, "", &[]).await;
    let events = list(&server, "?type=customer.*").await;
    let requests = [&deleted, &changed, &made].map(|answer| answer.request.as_str());
    assert_eq!(
        asked(&events),
        [
            ("customer.deleted", Some(requests[0]), None),
            ("customer.updated", Some(requests[1]), None),
            ("customer.created", Some(requests[2]), Some("customer-1")),
        ]
    );
    assert_eq!(events[2]["data"], json!({"object": made.body}));
    let updated = json!({"object": changed.body, "previous_attributes": {"name": "Ada"}});
    assert_eq!(events[1]["data"], updated);
    assert_eq!(events[0]["data"], json!({"object": changed.body}), "it is shown as it was");
    for event in &events {
        let id = event["id"].as_str().expect("id");
        let one = server.send("GET", &format!("/v1/events/{id}"), "", &[]).await;
        assert_eq!(&one.body, event);
        let foreign = server.send_as(&server.other_key, "GET", &format!("/v1/events/{id}"), "", &[]).await;
        assert_eq!(foreign.error().0, 404, "{foreign:?}");
    }
    // Between payments, in the order of time.
    post(&server, "/v1/payment_intents", &format!("amount=1250&{CHARGE}")).await;
    post(&server, "/v1/customers", "name=Ben").await;
    let all = list(&server, "?limit=3").await;
    assert_eq!(types(&all), ["customer.created", "payment_intent.succeeded", "charge.succeeded"]);
    let after = format!("?limit=1&starting_after={}", all[0]["id"].as_str().expect("id"));
    assert_eq!(list(&server, &after).await, all[1..2]);
    // A clock's advance has an event at its beginning, with the request that asked for it, and at its end, which comes by itself.
    let clock = server.send("POST", "/v1/test_helpers/test_clocks", "frozen_time=1900000000", &[]).await;
    let path = format!("/v1/test_helpers/test_clocks/{}", clock.text("/id"));
    server.send("POST", &path, "speed=0", &[]).await;
    let advanced = server.send("POST", &format!("{path}/advance"), "frozen_time=1900000100", &[]).await;
    eventually("it has arrived", async || {
        server.send("GET", &path, "", &[]).await.text("/status") == "ready"
    })
    .await;
    let gone = server.send("DELETE", &path, "", &[]).await;
    let events = list(&server, "?type=test_helpers.test_clock.*").await;
    assert_eq!(
        asked(&events),
        [
            ("test_helpers.test_clock.deleted", Some(gone.request.as_str()), None),
            ("test_helpers.test_clock.ready", None, None),
            ("test_helpers.test_clock.advancing", Some(advanced.request.as_str()), None),
            ("test_helpers.test_clock.created", Some(clock.request.as_str()), None),
        ]
    );
    let of = |event: &Value| {
        let object = &event["data"]["object"];
        (object["object"].clone(), object["status"].clone(), object["frozen_time"].clone())
    };
    let shown = |status: &str, time: i64| (json!("test_helpers.test_clock"), json!(status), json!(time));
    assert_eq!(of(&events[0]), shown("ready", 1_900_000_100));
    assert_eq!(of(&events[1]), shown("ready", 1_900_000_100));
    assert_eq!(of(&events[2]), shown("advancing", 1_900_000_000));
    assert_eq!(of(&events[3]), shown("ready", 1_900_000_000));
    // Lean accounts have no events.
    let lean = post(&server, "/v1/test_helpers/accounts", "name=Lean&lean=true").await;
    let lean = lean["secret_key"].as_str().expect("a key");
    assert_eq!(server.send_as(lean, "POST", "/v1/customers", "name=Cleo", &[]).await.status, 200);
    assert_eq!(server.send_as(lean, "GET", "/v1/events", "", &[]).await.body["data"], json!([]));
}

async fn events_of_resources_outlive_a_rebuild(server: Arc<Server>) {
    let made = post(&server, "/v1/customers", "name=Ada").await;
    post(&server, &format!("/v1/customers/{}", made["id"].as_str().expect("id")), "name=Ben").await;
    post(&server, "/v1/payment_intents", &format!("amount=1250&{CHARGE}")).await;
    let before = list(&server, "").await;
    assert_eq!(before.len(), 5);
    let store = server.test.store.as_ref();
    let head = store.head().await.expect("head");
    assert!(store.journal_prune(head, Timestamp::now().plus_ms(60_000)).await.expect("pruned") > 0);
    store.cursor_reset(READER, 0).await.expect("reset");
    post(&server, "/v1/customers", "name=Cleo").await;
    eventually("the reader has come to the head", async || {
        let head = store.head().await.expect("head");
        store.cursor_get(READER).await.is_ok_and(|cursor| cursor >= head)
    })
    .await;
    assert_eq!(list(&server, "").await[1..], before);
    // What is old goes with what is kept beside it, whatever it is about.
    let owner = stored(store).await[0].0;
    let later = Timestamp::from_micros(i64::MAX);
    let sources = store.snapshot().await.expect("a view").sources(None, 100).await.expect("sources");
    let beside = sources.iter().filter(|source| source.owner == owner).count() as u64;
    assert!(beside >= 4);
    assert_eq!(store.event_delete(owner, later, later).await.expect("deleted"), 6 + beside);
    assert!(list(&server, "").await.is_empty());
}
