//! The log of calls to the API: who sees what, masked, bounded, and honest about what it left out.

use std::sync::Arc;
use std::time::Duration;

use paystorm::store::RequestFilter;
use serde_json::json;
use tokio::time::timeout;

use crate::support::server::{Server, Stack, on_both_stacks, with};
use crate::support::socket::Socket;

on_both_stacks!(calls_are_logged_masked_for_their_owner, a_reader_of_the_log_is_notified_of_their_own_calls);

/// Waits until the page contains this.
async fn page_with(server: &Server, cookie: &str, path: &str, text: &str) -> String {
    for _ in 0..600 {
        let (status, page) = server.page(path, cookie).await;
        assert_eq!(status, 200, "{page}");
        if page.contains(text) {
            return page;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{path} never contained {text}");
}

async fn request_id(server: &Server, path: &str, key: &str, form: &str) -> String {
    let request = server.http.post(format!("{}{path}", server.url)).bearer_auth(key);
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(form.to_owned());
    let response = request.send().await.expect("an answer");
    response.headers()["request-id"].to_str().expect("text").to_owned()
}

async fn calls_are_logged_masked_for_their_owner(server: Arc<Server>) {
    let form = "amount=1250&currency=eur&confirm=true&card[number]=4242424242424242&card[exp_month]=12\
                &card[exp_year]=2040&card[cvc]=987";
    let charge = request_id(&server, "/v1/payment_intents", &server.key, form).await;
    // Text with a card number is refused, and the rejection is logged without it.
    let form = "amount=1250&currency=eur&description=my+card+4242+4242+4242+4242";
    let refused = request_id(&server, "/v1/payment_intents", &server.key, form).await;
    assert!(charge.starts_with("req_") && charge.len() == 26, "{charge}");
    let json = r#"{"amount":5,"currency":"eur","card":{"number":"4242424242424241","exp_month":1,"exp_year":2040,"cvc":"987"}}"#;
    assert_eq!(server.post("/v1/payment_intents", json).await.0, 402);
    assert_eq!(server.post("/v1/payment_intents", "{\"card\":{\"number\":\"4242424242424242\"").await.0, 400);
    assert_eq!(server.get("/v1/payment_intents?limit=3").await.0, 200);
    let made = server.post("/v1/test_helpers/accounts", "name=tests").await.1;
    let secret = made["secret_key"].as_str().expect("a key").to_owned();
    server.send_as(&server.other_key, "GET", "/v1/balance", "", &[]).await;
    server.send_as("sk_test_nobody", "GET", "/v1/account", "", &[]).await;

    let shop = server.sign_in("shop@example.org").await;
    let eve = server.sign_in("eve@example.org").await;
    let list = page_with(&server, &shop, "/requests", "/v1/test_helpers/accounts").await;
    assert!(list.contains(&format!("/requests/{charge}")) && list.contains(">402<"), "{list}");
    assert!(!list.contains("/v1/balance") && !list.contains("/v1/account<"), "{list}");
    let list = page_with(&server, &eve, "/requests", "/v1/balance").await;
    assert!(!list.contains("payment_intents"), "{list}");

    let detail = page_with(&server, &shop, &format!("/requests/{charge}"), "card[number]=***").await;
    assert!(detail.contains("card[cvc]=***"), "{detail}");
    assert!(
        detail.contains("&#34;amount&#34;: 1250") || detail.contains("&quot;amount&quot;: 1250"),
        "{detail}"
    );
    let masked = page_with(&server, &shop, &format!("/requests/{refused}"), "description=my card ***").await;
    assert!(masked.contains("card_number_in_text"), "{masked}");
    assert_eq!(server.page(&format!("/requests/{charge}"), &eve).await.0, 404);
    let (status, _) = server.page(&format!("/requests?path={charge}"), &shop).await;
    assert_eq!(status, 303, "an id leads to its page");
    for (query, fits, hidden) in [
        ("status=4", ">402<", ">200<"),
        ("method=GET", "/v1/payment_intents", "test_helpers"),
        ("path=test_helpers", "test_helpers", "payment_intents<"),
    ] {
        let page = page_with(&server, &shop, &format!("/requests?{query}"), fits).await;
        assert!(!page.contains(hidden), "{query}: {page}");
    }

    // Nothing secret reached the store, whatever the page shows.
    let account = server.get("/v1/account").await.1;
    let account = account["id"].as_str().expect("an id").parse().expect("an account");
    let store = &server.test.store;
    let filter = RequestFilter { limit: 100, ..RequestFilter::default() };
    let records = store.request_list(account, &filter).await.expect("listed");
    assert!(records.len() >= 5, "{records:?}");
    for record in records {
        let kept = store.request_get(account, record.id).await.expect("read").expect("there");
        // Not its times and ids: any three digits may stand in them.
        let text = format!("{} {:?} {:?}", kept.path, kept.request, kept.response);
        let secret = secret.trim_start_matches("sk_test_");
        for forbidden in ["42424242", "4242 4242", "4242+4242", "=987", "\"987", ":987", secret, "Bearer"] {
            assert!(!text.contains(forbidden), "{forbidden} in {text}");
        }
        assert!(!text.contains("_secret_") || text.contains("_secret_***"), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_much_is_counted_and_old_calls_go() {
    let few = |settings: &mut paystorm::config::Settings| settings.requests.per_second = 1;
    with(Stack::Embedded, few, |server| async move {
        // At once: however slow the machine, they do not each have a second to themselves.
        let calls = futures_util::future::join_all((0..100).map(|_| server.get("/v1/balance")));
        assert!(calls.await.iter().all(|(status, _)| *status == 200));
        let shop = server.sign_in("shop@example.org").await;
        let page = page_with(&server, &shop, "/requests", "not logged between").await;
        assert!(page.contains("too many at once"), "{page}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_can_be_switched_off() {
    let off = |settings: &mut paystorm::config::Settings| settings.requests.log = false;
    with(Stack::Embedded, off, |server| async move {
        assert_eq!(server.get("/v1/balance").await.0, 200);
        let shop = server.sign_in("shop@example.org").await;
        let (_, page) = server.page("/requests", &shop).await;
        assert!(page.contains("<code>requests.log</code> is off"), "{page}");
    })
    .await;
}
async fn a_reader_of_the_log_is_notified_of_their_own_calls(server: Arc<Server>) {
    let mut shop = Socket::open(&server.url, &server.key).await;
    let mut eve = Socket::open(&server.url, &server.other_key).await;
    let watch = json!({"type": "subscribe", "id": 1, "topic": "requests"});
    let subscription = shop.ask(watch.clone()).await["subscription"].clone();
    eve.ask(watch).await;
    assert_eq!(server.get("/v1/balance").await.0, 200);
    assert_eq!(shop.next("requests").await["subscription"], subscription);
    let sign_in = server.sign_in("shop@example.org").await;
    let (_, page) = server.page("/requests", &sign_in).await;
    assert!(page.contains("/v1/balance"), "shown after it was written: {page}");
    // Written in the same rounds: whatever there was to be shown has been.
    assert!(
        timeout(Duration::from_millis(700), eve.next("requests")).await.is_err(),
        "of someone else's call"
    );
    server.send_as(&server.other_key, "GET", "/v1/balance", "", &[]).await;
    eve.next("requests").await;
}
