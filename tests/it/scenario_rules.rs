//! What rules and packs bring about on a running server: by cardholder, 3-D Secure, what follows the money, refunds; and the files
//! that are the same for everyone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::server::{Server, Stack, on_both_stacks, with};

on_both_stacks!(
    an_account_is_answered_by_the_names_of_cardholders,
    rules_bring_about_what_follows_approvals,
    a_rule_asks_for_3d_secure_once,
);

const INTENTS: &str = "/v1/payment_intents";

async fn put(server: &Server, file: &str) {
    let body = json!({ "file": format!("name = \"t\"\n{file}") }).to_string();
    let set = server.send_as(&server.key, "POST", "/v1/test_helpers/scenario", &body, &[]).await;
    assert_eq!(set.status, 200, "{set:?}");
}

/// A charge of 20.00 EUR: its status, or the code of its decline.
async fn charge(server: &Server, more: &str) -> (String, Value) {
    let form = format!("amount=2000&currency=eur&payment_method=pm_card_visa&confirm=true&{more}");
    let answer = server.send("POST", INTENTS, &form, &[]).await;
    match answer.status {
        200 => (answer.text("/status").to_owned(), answer.body),
        402 => {
            (answer.text("/error/decline_code").to_owned(), answer.body["error"]["payment_intent"].clone())
        }
        other => panic!("{other}: {}", answer.body),
    }
}

/// Looks again and again until a resource is so.
async fn until(server: &Server, path: &str, so: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let (_, found) = server.get(path).await;
        if so(&found) {
            return found;
        }
        assert!(Instant::now() < deadline, "{path}: {found}");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

async fn an_account_is_answered_by_the_names_of_cardholders(server: Arc<Server>) {
    put(
        &server,
        "packs = [\"holder-names\"]\n[[rule]]\nmatch = { email = \"fraud@*\" }\ndecline = \"fraudulent\"\n",
    )
    .await;
    // A card that is named by its token brings no details; one by its number does.
    let by = async |name: &str, email: &str| {
        let billing = "payment_method_data[billing_details]";
        let form = format!(
            "amount=2000&currency=eur&confirm=true&payment_method_data[type]=card\
             &payment_method_data[card][number]=4242424242424242&payment_method_data[card][exp_month]=12\
             &payment_method_data[card][exp_year]=2040&{billing}[name]={name}&{billing}[email]={email}"
        );
        let answer = server.send("POST", INTENTS, &form, &[]).await;
        match answer.status {
            200 => answer.text("/status").to_owned(),
            402 => answer.text("/error/decline_code").to_owned(),
            other => panic!("{other}: {}", answer.body),
        }
    };
    assert_eq!(by("Ada", "ada@example.org").await, "succeeded");
    assert_eq!(by("not_enough_balance", "ada@example.org").await, "insufficient_funds");
    assert_eq!(by("Ada", "Fraud@example.org").await, "fraudulent");
    assert_eq!(by("DECLINED", "").await, "generic_decline");
    assert_eq!(charge(&server, "").await.0, "succeeded", "nobody is known by that");
}

async fn rules_bring_about_what_follows_approvals(server: Arc<Server>) {
    put(
        &server,
        "[[rule]]\nmatch = { metadata = { then = \"dispute\" } , operation = \"authorize\" }\n\
         then = { dispute = \"product_unacceptable\", after = \"50ms\" }\n\
         [[rule]]\nmatch = { metadata = { then = \"failure\" } }\n\
         then = { late_failure = \"insufficient_funds\", after = \"50ms\" }\n\
         [[rule]]\nmatch = { operation = \"refund\", amount_minor = 500 }\n\
         then = { refund = \"pending_then_fails\", after = \"300ms\" }\n",
    )
    .await;
    let (_, plain) = charge(&server, "").await;
    let refund = format!("payment_intent={}&amount=500", plain["id"].as_str().expect("an id"));
    let refund = server.send("POST", "/v1/refunds", &refund, &[]).await;
    assert_eq!((refund.status, refund.text("/status")), (200, "pending"), "{refund:?}");
    until(&server, &format!("/v1/refunds/{}", refund.text("/id")), |refund| refund["status"] == "failed")
        .await;

    let (status, disputed) = charge(&server, "metadata[then]=dispute").await;
    assert_eq!(status, "succeeded");
    let path = format!("/v1/disputes?payment_intent={}", disputed["id"].as_str().expect("an id"));
    let list = until(&server, &path, |list| !list["data"][0].is_null()).await;
    let dispute = |list: &Value| (list["data"][0]["reason"].clone(), list["data"][0]["status"].clone());
    assert_eq!(dispute(&list), (json!("product_unacceptable"), json!("needs_response")), "{list}");

    let (_, failed) = charge(&server, "metadata[then]=failure").await;
    let path = format!("/v1/disputes?payment_intent={}", failed["id"].as_str().expect("an id"));
    let list = until(&server, &path, |list| list["data"][0]["status"] == "lost").await;
    assert_eq!(dispute(&list).0, json!("insufficient_funds"));
}

async fn a_rule_asks_for_3d_secure_once(server: Arc<Server>) {
    put(
        &server,
        "[[rule]]\noutcome = \"action_required\"\n[[rule]]\nmatch = { amount_minor = 2000 }\ndecline = \"lost_card\"\n",
    )
    .await;
    let (status, asked) = charge(&server, "").await;
    assert_eq!(status, "requires_action");
    let id = asked["id"].as_str().expect("an id");
    let path = format!("/v1/test_helpers/payment_intents/{id}/authenticate");
    let answer = server.send("POST", &path, "", &[]).await;
    assert!([200, 402].contains(&answer.status), "{answer:?}");
    let done =
        until(&server, &format!("{INTENTS}/{id}"), |payment| payment["status"] == "requires_payment_method")
            .await;
    assert_eq!(done["last_payment_error"]["decline_code"], "lost_card", "{done}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schema_and_packs_are_served() {
    with(
        Stack::Embedded,
        |_| {},
        |server| async move {
            let (status, schema) = server.page("/scenario.schema.json", "").await;
            let schema: Value = serde_json::from_str(&schema).expect("JSON");
            assert_eq!((status, &schema["title"]), (200, &json!("Paystorm scenario")));
            let (status, list) = server.get("/v1/test_helpers/scenario/packs").await;
            let packs = list["data"].as_array().expect("a list");
            let names: Vec<&str> = packs.iter().filter_map(|pack| pack["name"].as_str()).collect();
            assert_eq!((status, names), (200, vec!["amounts", "cents", "holder-names", "magic-cards"]));
            assert!(packs.iter().all(|pack| pack["object"] == "test_helpers.scenario_pack"), "{list}");
            for pack in packs {
                let name = pack["name"].as_str().expect("a name");
                let (status, file) = server.page(&format!("/scenario/packs/{name}.toml"), "").await;
                assert_eq!((status, Some(file.as_str())), (200, pack["file"].as_str()), "{name}");
            }
            assert_eq!(server.page("/scenario/packs/gifts.toml", "").await.0, 404);
        },
    )
    .await;
}
