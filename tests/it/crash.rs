//! kill -9 at random moments with hundreds of operations in flight: what was acknowledged is there, comes to rest, and is
//! there once.

use std::time::Duration;

use crate::support::binary::{Draw, Kind, counted, lasting_port, on};

/// Payments in flight at a kill, at least.
const IN_FLIGHT_MIN: usize = 200;
const RATE: u32 = 300;
/// Half of all answers take longer than this, so that about `RATE` × 1.5 payments are on their way at any time.
const LATENCY_MS: u32 = 1_500;

async fn killed_and_started_again(kind: Kind, rounds: u32) {
    let mut draw = Draw::new("crash");
    on(kind, async |stack| {
        stack.set("simulator.latency_median_ms", LATENCY_MS);
        // Some are on their way whenever it is killed.
        stack.set("store.checkpoint_pages", 200);
        let port = lasting_port(&mut draw);
        let mut server = stack.serve_at(port).await;
        let key = stack.api_key().await;
        let mut all_acks = Vec::new();
        for round in 1..=rounds {
            let mut load = stack.load(&server.url, &key, RATE, 4, &[]);
            load.wait_acknowledged(2 * IN_FLIGHT_MIN).await;
            tokio::time::sleep(Duration::from_millis(draw.below(2_000))).await;
            server.kill();
            let in_flight = stack.unfinished().await;
            println!(
                "{kind:?} {round}: killed with {in_flight} in flight, {} acknowledged",
                load.acknowledged()
            );
            assert!(in_flight >= IN_FLIGHT_MIN, "only {in_flight} were in flight");

            server = stack.serve_at(port).await;
            let (report, acks) = load.finish_clean().await;
            assert!(report["reconnects"].as_u64() > Some(0), "the load did not notice: {report:#}");
            all_acks.push(acks);
            server.stop().await;
            let acks: Vec<_> = all_acks.iter().map(AsRef::as_ref).collect();
            let summary = stack.verify(&acks, true).await;
            println!("{kind:?} {round}: {summary}");
            // Everything sent was acknowledged, and what was sent twice for want of an answer exists once.
            assert_eq!(counted(&summary, "payments"), counted(&summary, "acknowledged"), "{summary}");
            server = stack.serve_at(port).await;
        }
        server.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_by_a_crash_embedded() {
    killed_and_started_again(Kind::Embedded, 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_by_a_crash_real() {
    killed_and_started_again(Kind::Real, 5).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "too long for CI: scripts/soak.sh"]
async fn soak_crash_embedded() {
    killed_and_started_again(Kind::Embedded, 50).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "too long for CI: scripts/soak.sh"]
async fn soak_crash_real() {
    killed_and_started_again(Kind::Real, 50).await;
}
