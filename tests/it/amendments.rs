//! `POST /v1/payment_intents/{id}`: a payment's details change, earlier answers do not; also after a kill.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::support::binary::{Draw, Kind, lasting_port, on};
use crate::support::server::{Answer, Server, on_both_stacks};

on_both_stacks!(
    intents_are_updated_and_everything_shows_it,
    what_may_change_depends_on_the_status,
    the_limit_of_updates_stands_in_nobodys_way,
    first_answers_stay_what_they_were,
);

const CHARGE: &str = "amount=500&currency=eur&confirm=true&payment_method=pm_card_visa";

async fn made(server: &Server, form: &str) -> Value {
    let answer = server.send("POST", "/v1/payment_intents", form, &[]).await;
    assert_eq!(answer.status, 200, "{form}: {answer:?}");
    answer.body
}

fn path(intent: &Value) -> String {
    format!("/v1/payment_intents/{}", intent["id"].as_str().expect("an id"))
}

async fn update(server: &Server, intent: &Value, form: &str) -> Answer {
    server.send("POST", &path(intent), form, &[]).await
}

async fn intents_are_updated_and_everything_shows_it(server: Arc<Server>) {
    let (_, ann) = server.post("/v1/customers", "name=Ann").await;
    let intent =
        made(&server, "amount=500&currency=eur&description=before&metadata[a]=1&metadata[b]=2").await;
    let form = format!(
        "amount=700&description=after&metadata[a]=&metadata[c]=3&receipt_email=ann@example.org&customer={}\
         &shipping[name]=Ann&shipping[address][city]=Berlin&statement_descriptor=COFFEE&statement_descriptor_suffix=ANN",
        ann["id"].as_str().expect("an id")
    );
    let updated = update(&server, &intent, &form).await;
    assert_eq!(updated.status, 200, "{updated:?}");
    let expected = json!({
        "amount": 700, "description": "after", "metadata": {"b": "2", "c": "3"}, "receipt_email": "ann@example.org",
        "customer": ann["id"], "statement_descriptor": "COFFEE", "statement_descriptor_suffix": "ANN"
    });
    let shows = |object: &Value| {
        for (name, value) in expected.as_object().expect("an object") {
            assert_eq!(&object[name], value, "{name}");
        }
        assert_eq!(object["shipping"]["address"]["city"], "Berlin");
    };
    shows(&updated.body);
    shows(&server.get(&path(&intent)).await.1);
    shows(&server.get("/v1/payment_intents").await.1["data"][0]);
    let of_ann = format!("/v1/payment_intents?customer={}", ann["id"].as_str().expect("an id"));
    shows(&server.get(&of_ann).await.1["data"][0]);
    let confirmed = server
        .send(
            "POST",
            &format!("{}/confirm", path(&intent)),
            "payment_method=pm_card_visa&expand[]=latest_charge",
            &[],
        )
        .await;
    assert_eq!(
        (confirmed.status, confirmed.body["amount_received"].as_i64()),
        (200, Some(700)),
        "{confirmed:?}"
    );
    assert_eq!(confirmed.body["latest_charge"]["description"], "after");
    assert_eq!(confirmed.body["latest_charge"]["shipping"]["name"], "Ann");
    // What happened shows the payment as it was then.
    for (kind, description, amount) in
        [("payment_intent.created", "before", 500), ("payment_intent.succeeded", "after", 700)]
    {
        let events = server.get(&format!("/v1/events?type={kind}")).await.1;
        let object = &events["data"][0]["data"]["object"];
        assert_eq!(
            (&object["id"], &object["description"], object["amount"].as_i64()),
            (&intent["id"], &json!(description), Some(amount)),
            "{kind}: {events}"
        );
    }
    // Afterwards words still change, and empty values unset.
    let later = update(&server, &intent, "description=&metadata[d]=4&receipt_email=").await;
    assert_eq!(
        (later.status, &later.body["description"], &later.body["receipt_email"]),
        (200, &Value::Null, &Value::Null)
    );
    assert_eq!(later.body["metadata"], json!({"b": "2", "c": "3", "d": "4"}));
    let session = server.sign_in("shop@example.org").await;
    let (_, page) =
        server.page(&format!("/payments/{}", intent["id"].as_str().expect("an id")), &session).await;
    assert!(page.contains("d = 4") && page.contains("Updated"), "{page}");
    // The index follows.
    let found = async || {
        let (_, body) = server.get("/v1/payment_intents/search?query=metadata%5B%22d%22%5D%3A%224%22").await;
        body["data"].as_array().is_some_and(|data| data.len() == 1)
    };
    for _ in 0..600 {
        if found().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the update is not found");
}

async fn what_may_change_depends_on_the_status(server: Arc<Server>) {
    let paid = made(&server, CHARGE).await;
    for (form, param) in [("amount=700", "amount"), ("statement_descriptor=TEA", "statement_descriptor")] {
        let refused = update(&server, &paid, form).await;
        assert_eq!(refused.error(), (400, "invalid_request_error", "payment_intent_unexpected_state", param));
        assert!(refused.text("/error/message").contains("has a status of succeeded"), "{refused:?}");
    }
    let waiting = made(&server, "amount=500&currency=eur").await;
    for (form, code, param) in [
        ("amount=1", "amount_too_small", "amount"),
        ("amount=x", "parameter_invalid_integer", "amount"),
        ("customer=cus_0000000000000000000000", "resource_missing", "customer"),
        ("receipt_email=nobody", "email_invalid", "receipt_email"),
        ("statement_descriptor=12345", "parameter_invalid_string", "statement_descriptor"),
        (
            "statement_descriptor=a+descriptor+that+is+too+long",
            "parameter_invalid_string",
            "statement_descriptor",
        ),
        ("description=4242424242424242", "card_number_in_text", "description"),
        ("description=a%0Ab", "parameter_invalid_string", "description"),
        ("currency=usd", "parameter_not_offered", "currency"),
        ("colour=red", "parameter_unknown", "colour"),
    ] {
        let refused = update(&server, &waiting, form).await;
        assert_eq!(refused.error(), (400, "invalid_request_error", code, param), "{form}: {refused:?}");
    }
    // A payment follows the clock that it was created with.
    let (_, clock) = server.post("/v1/test_helpers/test_clocks", "frozen_time=1900000000").await;
    let form = format!("name=Later&test_clock={}", clock["id"].as_str().expect("an id"));
    let (_, later) = server.post("/v1/customers", &form).await;
    let form = format!("customer={}", later["id"].as_str().expect("an id"));
    let refused = update(&server, &waiting, &form).await;
    let expected = (400, "invalid_request_error", "payment_intent_unexpected_state", "customer");
    assert_eq!(refused.error(), expected, "{refused:?}");
    assert_eq!(server.get(&path(&waiting)).await.1["paystorm"]["version"], 1, "nothing was changed");
    let (_, topup) = server.post("/v1/topups", "amount=1250&currency=eur&source=pm_card_visa").await;
    let as_intent = topup["id"].as_str().expect("an id").replace("tu_", "pi_");
    for id in [as_intent.as_str(), "pi_0000000000000000000000"] {
        let refused = server.send("POST", &format!("/v1/payment_intents/{id}"), "description=x", &[]).await;
        assert_eq!((refused.status, refused.text("/error/code")), (404, "resource_missing"), "{id}");
    }
}

async fn the_limit_of_updates_stands_in_nobodys_way(server: Arc<Server>) {
    let intent = made(&server, &format!("{CHARGE}&capture_method=manual")).await;
    for n in 0..100 {
        assert_eq!(update(&server, &intent, &format!("metadata[n]={n}")).await.status, 200, "{n}");
    }
    let refused = update(&server, &intent, "metadata[n]=more").await;
    assert_eq!(
        (refused.status, refused.text("/error/code")),
        (400, "payment_intent_update_limit"),
        "{refused:?}"
    );
    assert_eq!(server.send("POST", &format!("{}/capture", path(&intent)), "", &[]).await.status, 200);
    let (status, refund) = server
        .post("/v1/refunds", &format!("payment_intent={}", intent["id"].as_str().expect("an id")))
        .await;
    assert_eq!((status, &refund["status"]), (200, &json!("succeeded")));
    assert_eq!(server.get(&path(&intent)).await.1["metadata"]["n"], "99");
}

/// Sends a request as it is and returns the body as it is.
async fn raw(url: &str, secret: &str, path: &str, form: &str, key: &str) -> (u16, bool, Vec<u8>) {
    let request =
        reqwest::Client::builder().no_proxy().build().expect("a client").post(format!("{url}{path}"));
    let request = request.bearer_auth(secret).header("content-type", "application/x-www-form-urlencoded");
    let answer = request.header("idempotency-key", key).body(form.to_owned()).send().await.expect("sent");
    let replayed = answer.headers().contains_key("idempotent-replayed");
    (answer.status().as_u16(), replayed, answer.bytes().await.expect("a body").to_vec())
}

/// A customer and a payment, each made, changed twice and asked for again: what is answered then.
async fn story(url: &str, secret: &str) -> Vec<(String, String, String, Vec<u8>)> {
    let mut recorded = Vec::new();
    let mut send = async |path: String, form: &str, key: &str| {
        let (status, replayed, body) = raw(url, secret, &path, form, key).await;
        assert_eq!((status, replayed), (200, false), "{path} {form}: {}", String::from_utf8_lossy(&body));
        let id =
            serde_json::from_slice::<Value>(&body).expect("JSON")["id"].as_str().expect("an id").to_owned();
        recorded.push((path, form.to_owned(), key.to_owned(), body));
        id
    };
    let ann = send("/v1/customers".to_owned(), "name=Ann&metadata[a]=1", "customer").await;
    let form = format!("{CHARGE}&description=first&metadata[a]=1&customer={ann}");
    let intent = send("/v1/payment_intents".to_owned(), &form, "intent").await;
    for n in 1..3 {
        send(format!("/v1/customers/{ann}"), &format!("name=Ann {n}"), &format!("rename-{n}")).await;
        let form = format!("description=text {n}&metadata[b]={n}&expand[]=latest_charge");
        send(format!("/v1/payment_intents/{intent}"), &form, &format!("update-{n}")).await;
    }
    send("/v1/refunds".to_owned(), &format!("payment_intent={intent}&amount=100"), "refund").await;
    recorded
}

async fn repeated(url: &str, secret: &str, recorded: &[(String, String, String, Vec<u8>)]) {
    for (path, form, key, body) in recorded {
        let (status, replayed, again) = raw(url, secret, path, form, key).await;
        assert_eq!((status, replayed), (200, true), "{path} {key}");
        assert_eq!(String::from_utf8_lossy(&again), String::from_utf8_lossy(body), "{path} {key}");
    }
}

async fn first_answers_stay_what_they_were(server: Arc<Server>) {
    let recorded = story(&server.url, &server.key).await;
    repeated(&server.url, &server.key, &recorded).await;
    let (path, _, key, _) = &recorded[2];
    let (status, _, _) = raw(&server.url, &server.key, path, "name=Other", key).await;
    assert_eq!(status, 400, "another request under the key");
}

async fn killed_in_between(kind: Kind) {
    let mut draw = Draw::new("amendments");
    on(kind, async |stack| {
        let port = lasting_port(&mut draw);
        let mut server = stack.serve_at(port).await;
        let secret = stack.api_key().await;
        let recorded = story(&server.url, &secret).await;
        server.kill();
        let server = stack.serve_at(port).await;
        repeated(&server.url, &secret, &recorded).await;
        // The next server's index reader waits for the lease of the one that was killed; `verify` waits for it, where the
        // index is not the process's own.
        if kind == Kind::Real {
            println!("{}", stack.verify(&[], true).await);
        }
        server.stop().await;
        if kind == Kind::Embedded {
            println!("{}", stack.verify(&[], true).await);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn first_answers_outlive_a_kill_embedded() {
    killed_in_between(Kind::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn first_answers_outlive_a_kill_real() {
    killed_in_between(Kind::Real).await;
}
