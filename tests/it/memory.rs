//! A server's memory is bounded in bytes, not in numbers: payments a hundred times as large cost it little more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use paystorm::domain::ids::PaymentId;
use tokio::sync::Semaphore;

use crate::support::binary::{Kind, eventually, on};

/// Requests under way at once.
const AT_ONCE: usize = 32;
/// Keys of the metadata, the most that there may be; with the longest values they hold 25 kB.
const KEYS: usize = 50;

/// What large payments may cost in all, however many: they fill what is bounded (the store's page cache of 64 MiB, the batches
/// kept for readers, what waits for the index) sooner than small ones do. Holding on to each would cost 270 MiB in this test.
const MORE_MAX_KIB: u64 = 160 << 10;

/// What became of the payments sent, and the most memory that the server ever had.
struct Outcome {
    accepted: u64,
    refused: u64,
    peak_kib: u64,
}

/// The most resident memory that a process has had, as Linux counts it.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("Linux");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
    peak.trim().trim_end_matches("kB").trim().parse().expect("a number")
}

/// Sends payments with values of so many characters in their metadata to a new server, and waits until they rest.
async fn send(kind: Kind, payments: usize, value_chars: usize) -> Outcome {
    let outcome = Arc::new((AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0)));
    let counts = Arc::clone(&outcome);
    on(kind, async move |stack| {
        // So that few payments fill it.
        stack.set("engine.feed_memory_bytes", 16 << 20);
        let key = stack.api_key().await;
        let server = stack.serve().await;
        let value = "x".repeat(value_chars);
        let metadata: String =
            (0..KEYS).map(|n| format!("&metadata[key_{n}]={value}")).filter(|_| value_chars > 0).collect();
        let body =
            Arc::new(format!("amount=1250&currency=eur&confirm=true&payment_method=pm_card_visa{metadata}"));
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        let mut sending = tokio::task::JoinSet::new();
        for _ in 0..payments {
            let slot = Arc::clone(&slots).acquire_owned().await.expect("open");
            let request = http
                .post(format!("{}/v1/payment_intents", server.url))
                .bearer_auth(&key)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(body.as_bytes().to_vec());
            let counts = Arc::clone(&counts);
            sending.spawn(async move {
                let status = request.send().await.expect("an answer").status().as_u16();
                drop(slot);
                match status {
                    200 => counts.0.fetch_add(1, Ordering::Relaxed),
                    429 | 503 => counts.1.fetch_add(1, Ordering::Relaxed),
                    _ => panic!("answered with {status}"),
                };
            });
            while sending.try_join_next().is_some() {}
        }
        sending.join_all().await;
        eventually("all come to rest", async || stack.unfinished().await == 0).await;
        counts.2.store(peak_kib(server.pid()), Ordering::Relaxed);
        server.stop().await;
        let store = stack.store().await;
        assert!(store.payment_scan(None::<PaymentId>, 1).await.expect("read").len() == 1);
    })
    .await;
    let (accepted, refused, peak_kib) = (&outcome.0, &outcome.1, &outcome.2);
    Outcome {
        accepted: accepted.load(Ordering::Relaxed),
        refused: refused.load(Ordering::Relaxed),
        peak_kib: peak_kib.load(Ordering::Relaxed),
    }
}

async fn compare(kind: Kind, payments: usize) {
    let small = send(kind, payments, 0).await;
    let large = send(kind, payments, 500).await;
    println!(
        "{kind:?}, {payments} payments: at most {} KiB; with 25 kB of metadata each {} KiB, {} accepted, {} refused",
        small.peak_kib, large.peak_kib, large.accepted, large.refused
    );
    assert!(small.accepted > 0 && large.accepted > 0);
    let more_kib = large.peak_kib.saturating_sub(small.peak_kib);
    assert!(
        2 * more_kib <= small.peak_kib || more_kib <= MORE_MAX_KIB,
        "{} KiB without metadata, {} KiB with it",
        small.peak_kib,
        large.peak_kib
    );
}

/// How many payments: as many as fill everything that is bounded.
fn payments() -> usize {
    std::env::var("PAYSTORM_TEST_MEMORY_PAYMENTS").map_or(4_000, |count| count.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn large_payments_cost_little_more_memory_than_small_ones_embedded() {
    compare(Kind::Embedded, payments()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_payments_cost_little_more_memory_than_small_ones_real() {
    compare(Kind::Real, payments()).await;
}
