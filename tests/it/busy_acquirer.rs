//! An acquirer with more to do than it can leaves room for the others: at most half of what may be under way waits for its turn.

use serde_json::json;

use crate::support::binary::{Kind, eventually, on};
use crate::support::socket::Socket;

/// Large payments go to an acquirer that takes one in ten seconds.
const SCENARIO: &str = r#"
name = "Busy"
[[acquirer]]
name = "busy"
route = { amount_minor = { min = 5000 } }
latency = { fixed_ms = 1 }
capacity_per_s = 0.1
queue_max = 1000

[[acquirer]]
name = "free"
latency = { fixed_ms = 1 }
"#;
const UNDER_WAY_MAX: u32 = 8;
const LARGE: usize = 40;

async fn small_ones_pass(kind: Kind) {
    on(kind, async |stack| {
        stack.set("worker.in_flight_max", UNDER_WAY_MAX);
        // What was refused stays refused for the length of this test.
        stack.set("engine.retry_delays_ms", "600000");
        let server = stack.serve().await;
        let key = stack.api_key().await;
        let http = reqwest::Client::new();
        let scenario = format!("{}/v1/test_helpers/scenario", server.url);
        let put = http.post(scenario).bearer_auth(&key).form(&[("file", SCENARIO)]).send().await;
        assert_eq!(put.expect("an answer").status(), 200);

        let mut socket = Socket::open(&server.url, &key).await;
        let charge = |amount: u32| json!({"kind": "charge", "amount": amount, "currency": "eur", "payment_method": "pm_card_visa"});
        let large = vec![charge(5_000); LARGE];
        socket.ask(json!({"type": "payment.submit_batch", "id": 1, "payments": large})).await;
        let small = vec![charge(100); 20];
        let ack = socket.ask(json!({"type": "payment.submit_batch", "id": 2, "payments": small})).await;
        let last = ack["results"][19]["payment"]["id"].as_str().expect("an id").to_owned();
        eventually("the last small one succeeds", async || {
            let url = format!("{}/v1/payment_intents/{last}", server.url);
            let intent = http.get(url).bearer_auth(&key).send().await.expect("an answer");
            intent.json::<serde_json::Value>().await.expect("JSON")["status"] == "succeeded"
        })
        .await;
        server.stop().await;
        // Had the large ones taken all places, the small ones would have come after them, minutes later.
        let open = stack.unfinished().await;
        assert!(open > LARGE / 2, "{open} are open");
        stack.verify(&[], false).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_acquirer_leaves_room_for_the_others_embedded() {
    small_ones_pass(Kind::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_acquirer_leaves_room_for_the_others_real() {
    small_ones_pass(Kind::Real).await;
}
