//! Measurements, run by hand: `cargo test --release --test it search::rates -- --ignored --nocapture --test-threads=1`.

use std::time::Instant;

use paystorm::domain::decline::DeclineReason;
use paystorm::search::{HistogramSpec, PaymentDocument, Query, ScannedDocument, SearchRequest};

use super::fixtures::{DAY, account, charge};
use super::subject::Subject;

const DOCUMENTS: u64 = 100_000;
const BATCH: usize = 512;

fn load() -> Vec<PaymentDocument> {
    (1..=DOCUMENTS)
        .flat_map(|n| {
            let draft = charge(
                n,
                account(u8::try_from(n % 10).unwrap()),
                i64::try_from(n % 10_000).unwrap() + 50,
                "eur",
            )
            .created(DAY + i64::try_from(n).unwrap() * 10_007)
            .description(&format!("Order {n} of coffee and cake"))
            .metadata("order", &format!("ORD-{n}"))
            .run("spring");
            let draft = if n % 9 == 0 { draft.declined(DeclineReason::GenericDecline) } else { draft };
            PaymentDocument::of(&draft.build(), &())
        })
        .collect()
}

async fn measure(subject: &Subject, name: &str) {
    let documents = load();
    let count = f64::from(u32::try_from(documents.len()).unwrap());
    let start = Instant::now();
    let mut committed = Instant::now();
    for (at, batch) in documents.chunks(BATCH).enumerate() {
        subject.index.apply(batch).await.unwrap();
        if committed.elapsed().as_millis() > 400 {
            subject.index.commit(u64::try_from(at).unwrap()).await.unwrap();
            committed = Instant::now();
        }
    }
    subject.index.refresh().await.unwrap();
    let seconds = start.elapsed().as_secs_f64();
    println!("{name}: {:.0} documents/s", count / seconds);
    // The same again: nothing is newer.
    let start = Instant::now();
    for batch in documents.chunks(BATCH) {
        subject.index.apply(batch).await.unwrap();
    }
    println!("{name}: {:.0} stale documents/s", count / start.elapsed().as_secs_f64());
    for query in [
        "",
        "coffee status:declined",
        "description~offe",
        "metadata[\"order\"]~777",
        "\"order 4711\"",
        "amount>5000",
    ] {
        let histogram =
            Some(HistogramSpec { from_micros: DAY, until_micros: DAY + 1_000_000_000, buckets: 60 });
        let plain = SearchRequest::new(account(1), Query::parse(query).unwrap());
        let full = SearchRequest { facets: true, sums: true, histogram, ..plain.clone() };
        for (kind, request) in [("hits", plain), ("all", full)] {
            subject.index.search(&request).await.unwrap();
            let start = Instant::now();
            let mut total = 0;
            for _ in 0..10 {
                total = subject.index.search(&request).await.unwrap().total.value;
            }
            println!(
                "{name}: {query:?} {kind}: {:.1} ms, {total} found",
                start.elapsed().as_secs_f64() * 100.0
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn embedded() {
    let subject = Subject::embedded().await;
    measure(&subject, "embedded").await;
    subject.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn elasticsearch() {
    let subject = Subject::elasticsearch().await;
    measure(&subject, "elasticsearch").await;
    subject.remove().await;
}

/// What the documents themselves cost, without an index.
#[test]
#[ignore = "a measurement"]
fn digests() {
    let documents = load();
    let start = Instant::now();
    let sum = documents.iter().fold(0, |sum: u64, document| sum ^ ScannedDocument::of(document).fields);
    let micros = start.elapsed().as_secs_f64() * 1e6 / f64::from(u32::try_from(documents.len()).unwrap());
    println!("digest: {micros:.2} µs a document ({sum:x})");
}
