//! SIGTERM under load: a good end within the deadline, sockets closed with a code, and the next start picks everything up.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::binary::{Draw, Kind, lasting_port, on};
use crate::support::socket::Socket;

/// The default of `server.shutdown_ms`.
const DEADLINE: Duration = Duration::from_secs(10);

async fn stopped_and_started_again(kind: Kind) {
    let mut draw = Draw::new("shutdown");
    on(kind, async |stack| {
        stack.set("simulator.latency_median_ms", 1_500);
        let port = lasting_port(&mut draw);
        let mut server = stack.serve_at(port).await;
        let key = stack.api_key().await;
        let mut load = stack.load(&server.url, &key, 300, 5, &[]);
        load.wait_acknowledged(400).await;
        let mut socket = Socket::open(&server.url, &key).await;
        socket.ask(json!({"type": "subscribe", "id": 1, "topic": "payments"})).await;

        let began = Instant::now();
        server.terminate();
        let closed = socket.closed().await;
        let took = server.stopped(began).await;
        let unfinished = stack.unfinished().await;
        println!("{kind:?} stopped in {took:?} with {unfinished} unfinished, sockets closed with {closed:?}");
        assert!(took < DEADLINE, "took {took:?}");
        let code = closed.map(|frame| u16::from(frame.code));
        assert!(matches!(code, Some(1_001 | 1_012)), "closed with {code:?}");
        assert!(unfinished > 0, "a stop does not wait for acquirers");

        server = stack.serve_at(port).await;
        let (_, acks) = load.finish_clean().await;
        server.stop().await;
        println!("{}", stack.verify(&[&acks], true).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_under_load_ends_well_embedded() {
    stopped_and_started_again(Kind::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_under_load_ends_well_real() {
    stopped_and_started_again(Kind::Real).await;
}
