//! The guided experiments: started, watched, ended with findings; bounded, private, and forbidden by a setting.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::server::{Server, Stack, on_both_stacks, with};

on_both_stacks!(
    a_key_makes_one_payment_of_a_hundred_requests,
    load_experiments_end_with_findings_and_are_bounded,
    strangers_start_and_see_nothing,
);

/// Starts an experiment; where its state is.
async fn start(server: &Server, session: &str, slug: &str) -> String {
    let response = post(server, session, slug).await;
    let to =
        response.headers().get("location").and_then(|to| to.to_str().ok()).unwrap_or_default().to_owned();
    assert_eq!(response.status().as_u16(), 303, "{slug}");
    let (page, id) = to.split_once("?run=").unwrap_or_else(|| panic!("{to}"));
    format!("{page}/runs/{id}")
}

async fn post(server: &Server, session: &str, slug: &str) -> reqwest::Response {
    let csrf = server.csrf(session).await;
    let headers = [("origin", server.url.as_str())];
    server.post_form(&format!("/how-it-works/{slug}"), session, &headers, &[("csrf", &csrf)]).await
}

async fn state(server: &Server, session: &str, path: &str) -> Value {
    let (status, text) = server.page(path, session).await;
    assert_eq!(status, 200, "{path}: {text}");
    serde_json::from_str(&text).expect("JSON")
}

/// How it stands once it has ended.
async fn ended(server: &Server, session: &str, path: &str) -> Value {
    let waiting = tokio::time::timeout(Duration::from_secs(180), async {
        loop {
            let state = state(server, session, path).await;
            if state["running"] == false {
                return state;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    let state = waiting.await.unwrap_or_else(|_| panic!("{path} does not end"));
    assert_eq!(state["failed"], Value::Null, "{state}");
    state
}

fn sentence(state: &Value, number: usize) -> &str {
    state["findings"]["sentences"][number].as_str().unwrap_or_else(|| panic!("{state}"))
}

async fn a_key_makes_one_payment_of_a_hundred_requests(server: Arc<Server>) {
    let session = server.sign_in("shop@example.org").await;
    let (status, before) = server.page("/how-it-works/idempotency", &session).await;
    assert!(status == 200 && before.contains("Run the experiment") && !before.contains("What was seen"));
    let path = start(&server, &session, "idempotency").await;
    let state = ended(&server, &session, &path).await;
    let first = "With one idempotency key 100 requests at once made one payment, asked the acquirer once and put €12.50 into the wallet";
    assert!(sentence(&state, 0).starts_with(first), "{state}");
    assert!(sentence(&state, 1).starts_with("Without a key the same 100 requests made "), "{state}");
    let payments = &state["findings"]["figures"][1]["values"];
    assert!(
        payments[0] == "1" && payments[1].as_str().and_then(|text| text.parse().ok()) > Some(50),
        "{state}"
    );
    // The page says the same, without scripts, and the account's own payments are untouched.
    let (_, page) = server.page("/how-it-works/idempotency", &session).await;
    assert!(page.contains(first) && page.contains("Run it again"), "{page}");
    let (_, own) = server.get("/v1/payment_intents").await;
    assert_eq!(own["data"], json!([]));
}

async fn load_experiments_end_with_findings_and_are_bounded(server: Arc<Server>) {
    let session = server.sign_in("shop@example.org").await;
    let storm = start(&server, &session, "retry-storm").await;
    let breaker = start(&server, &session, "circuit-breaker").await;
    let refused = post(&server, &session, "idempotency").await;
    assert_eq!(refused.status().as_u16(), 429);
    assert!(refused.text().await.expect("text").contains("2 experiments are running"));
    let (_, page) = server.page("/how-it-works/retry-storm", &session).await;
    assert!(page.contains("http-equiv=\"refresh\"") && page.contains("data-live-plot"), "{page}");
    let ended = tokio::join!(ended(&server, &session, &storm), ended(&server, &session, &breaker));
    for (state, begins, band) in [
        (
            &ended.0,
            ["Retrying at once turned 20 customers a second into up to ", "With exponential backoff"],
            "Brown-out",
        ),
        (&ended.1, ["With a circuit breaker ", "Without one "], "North does not answer"),
    ] {
        assert!(state["points"].as_array().map(Vec::len) > Some(20), "{state}");
        assert_eq!(state["bands"][0]["label"], band);
        for (number, begin) in begins.into_iter().enumerate() {
            assert!(sentence(state, number).starts_with(begin), "{state}");
        }
    }
    // Only the points that are new.
    let next = ended.0["next"].as_u64().expect("a number");
    let nothing = state(&server, &session, &format!("{storm}?from={next}")).await;
    assert_eq!((&nothing["points"], nothing["next"].as_u64()), (&json!([]), Some(next)));
}

async fn strangers_start_and_see_nothing(server: Arc<Server>) {
    let (shop, eve) = (server.sign_in("shop@example.org").await, server.sign_in("eve@example.org").await);
    let path = start(&server, &shop, "idempotency").await;
    assert_eq!(server.page(&path, &eve).await.0, 404);
    let (_, page) = server.page("/how-it-works/idempotency", &eve).await;
    assert!(!page.contains("What was seen"), "{page}");
    for (path, status) in [
        ("/how-it-works/gravity", 404),
        ("/how-it-works/idempotency/runs/77", 404),
        ("/how-it-works/idempotency/runs/x", 404),
        ("/how-it-works/retry-storm/runs/1", 404),
        ("/how-it-works", 303),
    ] {
        assert_eq!(server.page(path, &shop).await.0, status, "{path}");
    }
    let unsigned = server.post_form("/how-it-works/idempotency", &shop, &[], &[]).await;
    assert_eq!(unsigned.status().as_u16(), 403, "a form from elsewhere");
    ended(&server, &shop, &path).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_setting_forbids_experiments() {
    let forbid = |settings: &mut paystorm::config::Settings| settings.server.experiments = false;
    with(Stack::Embedded, forbid, async |server: Arc<Server>| {
        let session = server.sign_in("shop@example.org").await;
        let (_, page) = server.page("/how-it-works/retry-storm", &session).await;
        assert!(page.contains("Experiments are switched off") && !page.contains("Run the experiment"));
        assert_eq!(post(&server, &session, "retry-storm").await.status().as_u16(), 403);
    })
    .await;
}
