//! The demo account: who gets in, whose keys are whose, and a story that is told once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use paystorm::config::Settings;
use paystorm::domain::status::Status;
use paystorm::store::Store;

use crate::support::binary::{self, Kind, on};
use crate::support::server::{PASSWORD, Server, Stack, cookie_of, with};

/// Payments in config/demo.toml.
const PAYMENTS: usize = 27;

fn demo(settings: &mut Settings) {
    settings.demo.enabled = true;
    settings.demo.payments = false;
    settings.demo.latency_median_ms = 0.0;
}

fn token(server: &Server) -> (String, String) {
    let invitation = server.invitation.as_ref().expect("the demo is on");
    let (address, token) = invitation.sign_in.expose().split_once("?t=").expect("a token");
    assert_eq!(address, format!("{}/start", server.url));
    assert!(token.len() >= 43, "{token}");
    (format!("/start?t={token}"), token.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_printed_address_signs_in_once_and_on_this_machine_only() {
    with(Stack::Embedded, demo, signs_in_once).await;
}

async fn signs_in_once(server: Arc<Server>) {
    let (path, token) = token(&server);
    let fields = [("t", token.as_str())];
    let origin = ("origin", server.url.as_str());
    // Fetched as often as anyone likes, by whatever follows links.
    for _ in 0..3 {
        let (status, page) = server.page(&path, "").await;
        assert!(status == 200 && page.contains("data-start") && page.contains("Corner Coffee"), "{page}");
    }
    // Through a proxy, by another name, from another site, with another token: nothing.
    for header in
        [("x-forwarded-for", "127.0.0.1"), ("host", "evil.example"), ("origin", "https://evil.example")]
    {
        let response = server.post_form("/start", "", &[header], &fields).await;
        assert!(matches!(response.status().as_u16(), 403 | 404), "{header:?}");
        assert!(cookie_of(&response).is_empty(), "{header:?}");
    }
    let wrong = server.post_form("/start", "", &[origin], &[("t", "made-up")]).await;
    assert!(cookie_of(&wrong).is_empty());
    assert_eq!(server.page("/start?t=made-up", "").await.0, 410);

    let response = server.post_form("/start", "", &[origin], &fields).await;
    assert_eq!(response.status(), 303);
    let session = cookie_of(&response).split(';').next().unwrap_or_default().to_owned();
    let (status, home) = server.page("/", &session).await;
    assert!(status == 200 && home.contains("Corner Coffee") && home.contains("data-demo-badge"));
    // Again: someone else learns that it is spent, they themselves are let through.
    let again = server.post_form("/start", "", &[origin], &fields).await;
    assert!(cookie_of(&again).is_empty());
    assert_eq!(server.page(&path, "").await.0, 410);
    assert_eq!(server.page(&path, &session).await.0, 303);

    // The badge hides, in this browser, and nothing else does.
    let csrf = server.csrf(&session).await;
    let referer = format!("{}/wallets?x=1", server.url);
    let headers = [origin, ("referer", referer.as_str())];
    let hidden = server.post_form("/demo/hide", &session, &headers, &[("csrf", &csrf)]).await;
    let to = hidden.headers().get("location").and_then(|to| to.to_str().ok());
    assert_eq!((hidden.status().as_u16(), to), (303, Some("/wallets?x=1")));
    let both = format!("{session}; {}", cookie_of(&hidden).split(';').next().unwrap_or_default());
    let (status, home) = server.page("/", &both).await;
    assert!(status == 200 && !home.contains("data-demo-badge"));

    // There is no password, so none fits.
    for password in [PASSWORD, ""] {
        let fields = [("email", "corner.coffee@demo.example"), ("password", password)];
        assert_eq!(server.post_form("/sign-in", "", &[origin], &fields).await.status(), 401);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_of_nobody_are_the_demos_and_others_stay_their_own() {
    with(Stack::Embedded, demo, keys).await;
}

async fn keys(server: Arc<Server>) {
    let whose = async |key: &str, headers: &[(&str, &str)]| {
        let answer = server.send_as(key, "GET", "/v1/account", "", headers).await;
        (answer.status, answer.text("/display_name").to_owned())
    };
    let corner_coffee = (200, "Corner Coffee".to_owned());
    assert_eq!(whose("sk_test_demo", &[]).await, corner_coffee);
    assert_eq!(whose("sk_test_anything", &[("host", "localhost:1")]).await, corner_coffee);
    assert_eq!(whose(&server.key, &[]).await, (200, "shop".to_owned()));
    for key in ["demo", "sk_live_demo", "sk_test_"] {
        assert_eq!(whose(key, &[]).await.0, 401, "{key}");
    }
    for header in [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1"), ("host", "evil.example")]
    {
        assert_eq!(whose("sk_test_demo", &[header]).await.0, 401, "{header:?}");
        assert_eq!(whose(&server.key, &[header]).await.0, 200, "a key of its own needs no such thing");
    }
    // The line that the start prints, as it stands.
    let curl = &server.invitation.as_ref().expect("the demo is on").curl;
    let output = std::process::Command::new("sh").args(["-c", &format!("{curl} -s")]).output().expect("curl");
    let body: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!((body["status"].as_str(), body["amount"].as_i64()), (Some("succeeded"), Some(1250)), "{body}");
    // A key that was revoked is nobody's, not the demo's.
    let made = server.send("POST", "/v1/test_helpers/accounts", "name=Till", &[]).await;
    let (till, secret) = (made.text("/id").to_owned(), made.text("/secret_key").to_owned());
    assert_eq!(whose(&secret, &[]).await, (200, "Till".to_owned()));
    let deleted = server.send("DELETE", &format!("/v1/test_helpers/accounts/{till}"), "", &[]).await;
    assert_eq!(deleted.status, 200);
    assert_eq!(whose(&secret, &[]).await.0, 401);
    // A socket with such a key is the demo's as well.
    let mut socket = crate::support::socket::Socket::open(&server.url, "sk_test_demo").await;
    let payment = serde_json::json!({"kind": "topup", "amount": 100, "currency": "eur", "payment_method": "pm_card_visa"});
    let ack = socket.ask(serde_json::json!({"type": "payment.submit", "id": 1, "payment": payment})).await;
    assert_eq!(ack["payment"]["to"], "Corner Coffee", "{ack}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_no_demo_where_it_is_off() {
    let off = |settings: &mut Settings| settings.demo.enabled = false;
    with(Stack::Embedded, off, |server| async move {
        assert!(server.invitation.is_none());
        assert_eq!(server.send_as("sk_test_demo", "GET", "/v1/account", "", &[]).await.status, 401);
        assert_eq!(server.page("/start?t=x", "").await.0, 404);
    })
    .await;
}

/// Payments by account, with their statuses.
async fn payments(store: &dyn Store) -> BTreeMap<String, Vec<Status>> {
    let mut found: BTreeMap<String, Vec<Status>> = BTreeMap::new();
    for payment in store.payment_scan(None, 1_000).await.expect("payments") {
        found.entry(payment.owner().to_string()).or_default().push(payment.state().status);
    }
    found
}

async fn story_done(store: &dyn Store) -> bool {
    store.installation_get("demo.told").await.expect("read").is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_survives_a_crash_and_is_told_once() {
    on(Kind::Embedded, async |stack| {
        stack.set("demo.enabled", true);
        stack.set("demo.latency_median_ms", 100);
        stack.set("engine.retry_delays_ms", "100,200");
        let look = async |url: &str| {
            let request = reqwest::Client::new().get(format!("{url}/v1/account")).bearer_auth("sk_test_demo");
            assert_eq!(request.send().await.expect("an answer").status().as_u16(), 200);
        };
        let mut server = stack.serve().await;
        let store = stack.store().await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(payments(store.as_ref()).await.is_empty(), "nobody has looked yet");
        look(&server.url).await;
        let count = async || payments(store.as_ref()).await.values().map(Vec::len).sum::<usize>();
        binary::eventually("five payments", async || count().await >= 5).await;
        server.kill();
        assert!(count().await < PAYMENTS && !story_done(store.as_ref()).await);

        let server = stack.serve().await;
        look(&server.url).await;
        binary::eventually("the story is told", async || story_done(store.as_ref()).await).await;
        let at_rest = async || {
            let all = payments(store.as_ref()).await;
            all.values().flatten().all(|status| status.is_at_rest())
        };
        binary::eventually("everything rests", at_rest).await;
        let first = payments(store.as_ref()).await;
        let mut sizes: Vec<usize> = first.values().map(Vec::len).collect();
        sizes.sort_unstable();
        assert_eq!(sizes, [2, 2, 2, 2, 19], "each payment is there once");
        let all: Vec<Status> = first.values().flatten().copied().collect();
        let of = |status: Status| all.iter().filter(|one| **one == status).count();
        let rest = (of(Status::Declined), of(Status::Failed), of(Status::RequiresCapture));
        assert_eq!((rest, of(Status::Succeeded)), ((2, 1, 1), PAYMENTS - 4));
        let refunds = store.payment_scan(None, 1_000).await.expect("payments");
        let refunded: Vec<i64> =
            refunds.iter().map(|one| one.refunded_minor()).filter(|minor| *minor > 0).collect();
        assert_eq!(refunded, [370]);
        // Nothing was dated back, and no two were made at the same time.
        let times: BTreeSet<i64> = refunds.iter().map(|one| one.created_at().micros()).collect();
        assert_eq!(times.len(), PAYMENTS);
        server.stop().await;

        let server = stack.serve().await;
        binary::eventually("the invitation is printed", async || server.printed().contains("/start?t="))
            .await;
        look(&server.url).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        server.stop().await;
        assert_eq!(payments(store.as_ref()).await, first);
        stack.verify(&[], false).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_with_payments_is_left_alone_and_off_means_out() {
    on(Kind::Embedded, async |stack| {
        stack.set("demo.enabled", false);
        let server = stack.serve().await;
        assert!(!server.printed().contains("/start"));
        let key = stack.api_key().await;
        let charge = async |url: &str, key: &str| {
            let form = "amount=1250&currency=eur&payment_method=pm_card_visa&confirm=true";
            let request = reqwest::Client::new().post(format!("{url}/v1/payment_intents")).bearer_auth(key);
            let request = request.header("content-type", "application/x-www-form-urlencoded").body(form);
            request.send().await.expect("an answer").status().as_u16()
        };
        assert_eq!((charge(&server.url, &key).await, charge(&server.url, "sk_test_demo").await), (200, 401));
        server.stop().await;

        stack.set("demo.enabled", true);
        let server = stack.serve().await;
        assert_eq!(charge(&server.url, "sk_test_demo").await, 200);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let found = payments(stack.store().await.as_ref()).await;
        assert_eq!(found.values().map(Vec::len).collect::<Vec<_>>(), [1, 1], "no story on top of payments");
        let printed = server.printed();
        let address =
            printed.lines().find(|line| line.contains("/start?t=")).expect("an address").trim().to_owned();
        let (origin, token) = address.split_once("/start?t=").expect("a token");
        let http =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        let form =
            http.post(format!("{origin}/start")).header("content-type", "application/x-www-form-urlencoded");
        let begun = form.body(format!("t={token}")).send().await.expect("an answer");
        let cookie = cookie_of(&begun).split(';').next().unwrap_or_default().to_owned();
        let home = async |url: &str| {
            let response =
                http.get(format!("{url}/")).header("cookie", &cookie).send().await.expect("an answer");
            response.status().as_u16()
        };
        assert_eq!(home(&server.url).await, 200);
        server.stop().await;

        // The session outlives a start, but not the demo.
        let server = stack.serve().await;
        assert_eq!(home(&server.url).await, 200);
        server.stop().await;
        stack.set("demo.enabled", false);
        let server = stack.serve().await;
        assert_eq!(home(&server.url).await, 303);
        assert_eq!(charge(&server.url, "sk_test_demo").await, 401);
        server.stop().await;
    })
    .await;
}
