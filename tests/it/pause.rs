//! The switch of the workers: while they are paused, intake goes on and the queue grows; resumed, they drain it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::browser::Browser;
use crate::support::binary::{Kind, Server, Stack, eventually, on};
use crate::support::socket::Socket;

const COUNT: usize = 500;
const BANNER: &str = "Workers are paused. Payments are accepted and wait in the queue.";

async fn submit(socket: &mut Socket) -> Duration {
    let payment =
        json!({"kind": "charge", "amount": 100, "currency": "eur", "payment_method": "pm_card_visa"});
    let payments: Vec<Value> = vec![payment; COUNT];
    let began = Instant::now();
    let ack = socket.ask(json!({"type": "payment.submit_batch", "id": 1, "payments": payments})).await;
    let took = began.elapsed();
    let results = ack["results"].as_array().expect("results");
    assert!(results.len() == COUNT && results.iter().all(|result| result["payment"]["status"] == "queued"));
    took
}

/// Waits for statistics that fit.
async fn stats(socket: &mut Socket, what: &str, fits: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let frame = socket.next("stats").await;
        if fits(&frame) {
            return frame;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{what}: last seen {frame}");
    }
}

fn depth(frame: &Value) -> Option<u64> {
    Some(frame["queue"]["interactive"].as_u64()? + frame["queue"]["bulk"].as_u64()?)
}

/// Waits for the message that the workers are paused, or are not. Other changes may come before it.
async fn shown(watching: &mut Socket, paused: bool) {
    while watching.next("system").await["paused"] != paused {}
}

async fn lesson(stack: &Stack, at: &Server, elsewhere: &Server) {
    let key = stack.api_key().await;
    let (browser, other) = (Browser::sign_in(at).await, Browser::sign_in(elsewhere).await);
    let mut watching = Socket::open(&elsewhere.url, &key).await;
    watching.ask(json!({"type": "subscribe", "id": 1, "topic": "system"})).await;
    assert_eq!(watching.next("system").await["paused"], false);

    browser.turn("/system/pause").await;
    // Pushed without asking, at every instance.
    shown(&mut watching, true).await;
    for page in [browser.page("/").await, other.page("/wallets").await] {
        assert!(page.contains(BANNER), "{page}");
    }

    let mut paying = Socket::open(&at.url, &key).await;
    paying.ask(json!({"type": "subscribe", "id": 2, "topic": "stats"})).await;
    let took = submit(&mut paying).await;
    let full = |frame: &Value| depth(frame) == Some(COUNT as u64);
    let frame = stats(&mut paying, "the queue holds all of them", full).await;
    println!("{COUNT} accepted in {took:?} while paused: {}", frame["queue"]);
    // Much longer than the workers need when they work.
    let later = |frame: &Value| frame["queue"]["oldest_us"].as_u64() >= Some(3_000_000);
    let frame = stats(&mut paying, "the oldest waits for three seconds", later).await;
    assert!(full(&frame), "the queue still holds all of them: {frame}");
    assert_eq!((&frame["queue"]["in_flight"], &frame["queue"]["open"]), (&json!(0), &json!(COUNT)));
    assert_eq!(stack.unfinished().await, COUNT);

    other.turn("/system/resume").await;
    shown(&mut watching, false).await;
    let drained = eventually("all of them settle", async || stack.unfinished().await == 0).await;
    println!("drained within {drained:?}");
    stats(&mut paying, "the queue is empty", |frame| depth(frame) == Some(0)).await;
    // Each instance notices it by itself, and the other one's workers may have emptied the queue alone.
    eventually("the banner goes", async || !browser.page("/").await.contains(BANNER)).await;
    println!("{}", stack.verify(&[], true).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_workers_leave_the_queue_alone_embedded() {
    on(Kind::Embedded, async |stack| {
        stack.set("simulator.latency_median_ms", 20);
        let server = stack.serve().await;
        lesson(&stack, &server, &server).await;
        server.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_workers_leave_the_queue_alone_on_two_instances() {
    on(Kind::Real, async |stack| {
        stack.set("simulator.latency_median_ms", 20);
        stack.set("instances", 2);
        let (status, text) = stack.run(&["migrate"], "").await;
        assert!(status.success(), "migrate: {text}");
        let (one, other) = (stack.serve().await, stack.serve().await);
        lesson(&stack, &one, &other).await;
        one.stop().await;
        other.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_outlives_the_process() {
    for kind in [Kind::Embedded, Kind::Real] {
        on(kind, async |stack| {
            let server = stack.serve().await;
            let key = stack.api_key().await;
            Browser::sign_in(&server).await.turn("/system/pause").await;
            submit(&mut Socket::open(&server.url, &key).await).await;
            server.stop().await;

            let server = stack.serve().await;
            let browser = Browser::sign_in(&server).await;
            eventually("the banner stands", async || browser.page("/").await.contains(BANNER)).await;
            tokio::time::sleep(Duration::from_secs(2)).await;
            assert_eq!(stack.unfinished().await, COUNT, "{kind:?}");
            browser.turn("/system/resume").await;
            eventually("all of them settle", async || stack.unfinished().await == 0).await;
            println!("{kind:?}: {}", stack.verify(&[], true).await);
            server.stop().await;
        })
        .await;
    }
}
