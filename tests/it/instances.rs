//! Two servers on one real stack: what is submitted at one is seen at the other, and either may die.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::binary::{Draw, Kind, Stack, eventually, lasting_port, on};
use crate::support::socket::Socket;

async fn prepare(stack: &Stack, latency_ms: u32) {
    stack.set("instances", 2);
    stack.set("simulator.latency_median_ms", latency_ms);
    // Both migrate at their first start; here so that the key can be made before.
    let (status, text) = stack.run(&["migrate"], "").await;
    assert!(status.success(), "migrate: {text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_at_one_instance_is_seen_live_at_the_other() {
    on(Kind::Real, async |stack| {
        // Slow enough that the other instance reads the payment before it settles, on a busy machine too.
        prepare(&stack, 2_000).await;
        let key = stack.api_key().await;
        let (one, other) = (stack.serve().await, stack.serve().await);
        for (here, there) in [(&one, &other), (&other, &one)] {
            let mut watching = Socket::open(&there.url, &key).await;
            watching.ask(json!({"type": "subscribe", "id": 1, "topic": "payments"})).await;
            let mut paying = Socket::open(&here.url, &key).await;
            let payment = json!({"kind": "charge", "amount": 1250, "currency": "eur", "payment_method": "pm_card_visa"});
            let ack = paying.ask(json!({"type": "payment.submit", "id": 2, "payment": payment})).await;
            let id = ack["payment"]["id"].as_str().expect("an id").to_owned();
            let mut seen = Vec::new();
            while seen.last().map(String::as_str) != Some("succeeded") {
                let frame = watching.next("payment.updated").await;
                let rows = frame["rows"].as_array().cloned().unwrap_or_default();
                let own = rows.iter().filter(|row| row["id"] == Value::String(id.clone()));
                seen.extend(own.filter_map(|row| row["status"].as_str()).map(str::to_owned));
            }
            println!("{id} submitted at {}, seen at {}: {seen:?}", here.url, there.url);
            assert_eq!(seen.first().map(String::as_str), Some("queued"), "seen before it settled: {seen:?}");
        }
        one.stop().await;
        other.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_waits_in_the_queue_for_an_instance_that_works() {
    const PAYMENTS: u64 = 200;
    on(Kind::Real, async |stack| {
        prepare(&stack, 20).await;
        let key = stack.api_key().await;
        stack.set("roles.worker", false);
        let front = stack.serve().await;
        let mut paying = Socket::open(&front.url, &key).await;
        let payment =
            json!({"kind": "charge", "amount": 1250, "currency": "eur", "payment_method": "pm_card_visa"});
        let payments = vec![payment; usize::try_from(PAYMENTS).expect("few")];
        paying.ask(json!({"type": "payment.submit_batch", "id": 1, "payments": payments})).await;
        // The server's own counts are some seconds old.
        eventually("RabbitMQ counts them", async || stack.messages().await == PAYMENTS).await;
        eventually("they are written down", async || {
            stack.mysql_number("SELECT COUNT(*) FROM open_work") == PAYMENTS
        })
        .await;

        stack.set("roles.worker", true);
        let back = stack.serve().await;
        eventually("all come to rest", async || stack.unfinished().await == 0).await;
        assert_eq!(stack.mysql_number("SELECT COUNT(*) FROM payment"), PAYMENTS);
        eventually("Elasticsearch counts them", async || stack.documents().await == PAYMENTS).await;
        eventually("the queue is empty", async || stack.messages().await == 0).await;
        front.stop().await;
        back.stop().await;
        stack.verify(&[], true).await;
    })
    .await;
}

/// Payments in flight when an instance is killed, at least.
const IN_FLIGHT_MIN: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn either_instance_may_die_and_nothing_is_lost() {
    let mut draw = Draw::new("instances");
    on(Kind::Real, async |stack| {
        prepare(&stack, 1_500).await;
        let key = stack.api_key().await;
        let port = lasting_port(&mut draw);
        let (mut front, mut other) = (stack.serve_at(port).await, stack.serve().await);
        let mut all_acks = Vec::new();
        for front_dies in [false, true, false, true] {
            let mut load = stack.load(&front.url, &key, 300, 4, &[]);
            load.wait_acknowledged(2 * IN_FLIGHT_MIN).await;
            tokio::time::sleep(Duration::from_millis(draw.below(1_500))).await;
            if front_dies {
                front.kill();
            } else {
                other.kill();
            }
            let in_flight = stack.unfinished().await;
            println!(
                "killed {} with {in_flight} in flight",
                if front_dies { "the front" } else { "the other" }
            );
            assert!(in_flight >= IN_FLIGHT_MIN, "only {in_flight} were in flight");
            if front_dies {
                // The load knows this address only.
                front = stack.serve_at(port).await;
            }
            // The survivor does alone what the dead one had taken up.
            let (_, acks) = load.finish_clean().await;
            all_acks.push(acks);
            let acks: Vec<_> = all_acks.iter().map(AsRef::as_ref).collect();
            println!("{}", stack.verify(&acks, true).await);
            if !front_dies {
                other = stack.serve().await;
            }
        }
        front.stop().await;
        other.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scenario_put_in_force_at_one_instance_answers_at_the_other_from_then_on() {
    on(Kind::Real, async |stack| {
        prepare(&stack, 0).await;
        let key = stack.api_key().await;
        let (one, other) = (stack.serve().await, stack.serve().await);
        let http = reqwest::Client::new();
        let post = async |url: &str, path: &str, form: &[(&str, &str)]| {
            let sent = http.post(format!("{url}{path}")).bearer_auth(&key).form(form).send().await;
            sent.expect("an answer").json::<Value>().await.expect("JSON")
        };
        let codes = ["lost_card", "stolen_card", "insufficient_funds", "fraudulent"];
        for (round, code) in codes.into_iter().cycle().take(24).enumerate() {
            let (here, there) = if round % 2 == 0 { (&one, &other) } else { (&other, &one) };
            let file = format!("name = \"x\"\n[[rule]]\ndecline = \"{code}\"\n");
            let put = post(&here.url, "/v1/test_helpers/scenario", &[("file", file.as_str())]).await;
            assert_eq!(put["revision"], json!(round + 1), "{put}");
            let card = [
                ("amount", "700"),
                ("currency", "eur"),
                ("payment_method", "pm_card_visa"),
                ("confirm", "true"),
            ];
            for server in [there, here] {
                let paid = post(&server.url, "/v1/payment_intents", &card).await;
                assert_eq!(paid["error"]["decline_code"], json!(code), "round {round}: {paid}");
            }
        }
        one.stop().await;
        other.stop().await;
        stack.verify(&[], true).await;
    })
    .await;
}
