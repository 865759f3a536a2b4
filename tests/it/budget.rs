//! The design's budget, counted and not timed: rows, messages and documents of a card payment over its whole life, and
//! commits per payment in a flood.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use paystorm::accounts::Directory;
use paystorm::app::pipeline::{Parts, Pipeline};
use paystorm::broker::embedded::EmbeddedBroker;
use paystorm::clock::Wall;
use paystorm::config::Settings;
use paystorm::domain::command::AuthorizationResponse as Response;
use paystorm::domain::ids::{AccountId, ClockId, InstanceId};
use paystorm::domain::time::Timestamp;
use paystorm::engine::{Engine, EngineError};
use paystorm::readers::live::LiveHub;
use paystorm::readers::open_work;
use paystorm::search::embedded::EmbeddedIndex;
use paystorm::store::sqlite::SqliteStore;
use paystorm::store::{StoreSettings, Upkeep as _};
use paystorm::worker::Worlds;

use crate::support::commands::{answer, at, decide, keyed};
use crate::support::stores::{TestStore, both, sqlite};

/// Written by the embedded store for a card payment with a random key, its submission and its answer, in batches of 256.
const BYTES_MAX: u64 = 1_800;
/// The same where each payment is of another of 10,000 owners, in no order: their wallets are on many pages, their lists are
/// written later.
const BYTES_MAX_OWNERS: u64 = 1_800;

async fn pipeline(test: &TestStore) -> (Pipeline, Parts) {
    let mut settings = Settings::default();
    settings.simulator.latency_median_ms = 0.0;
    settings.engine.answer_within_ms = 60_000;
    settings.search.path = test.dir.path().join("search");
    let store = Arc::clone(&test.store);
    let directory = Arc::new(Directory::new(store.clone()));
    let parts = Parts {
        store,
        broker: Arc::new(EmbeddedBroker::new(&settings.broker).expect("a broker")),
        search: Arc::new(EmbeddedIndex::open(&settings.search, Wall::system()).await.expect("an index")),
        hub: LiveHub::new(Arc::clone(&directory), Wall::system()),
        directory,
        worlds: Worlds::new(&settings.simulator, Wall::system().now()),
    };
    let pipeline =
        Pipeline::start(&settings, parts.clone(), InstanceId::generate()).await.expect("it starts");
    (pipeline, parts)
}

/// Submits as fast as the intake takes it, and waits until everything is committed and settled.
async fn flood(engine: &Engine, parts: &Parts, count: usize) {
    let owner = AccountId::generate();
    let mut replies = Vec::with_capacity(count);
    for n in 0..count {
        replies.push(loop {
            match engine.submit(keyed(owner, &format!("flood-{n:08}"))) {
                Ok(reply) => break reply,
                Err(EngineError::Busy) => tokio::time::sleep(Duration::from_millis(5)).await,
                Err(error) => panic!("{error}"),
            }
        });
    }
    for reply in replies {
        reply.outcome().await.expect("admitted");
    }
    while open_work::count(parts.store.as_ref()).await.expect("counted").payments > 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_payment_keeps_to_its_budget() {
    const COUNT: usize = 100;
    for test in both().await {
        let (pipeline, parts) = pipeline(&test).await;
        flood(&pipeline.engine, &parts, COUNT).await;
        while parts.search.count().await.expect("counted") < COUNT as u64 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let counters = &pipeline.counters;
        let count = COUNT as u64;
        assert_eq!(counters.payments.get(), count);
        assert_eq!(counters.commands.get(), 2 * count, "one submission and one answer each");
        let rows = counters.rows.get();
        assert!(rows > 4 * count && rows <= 5 * count, "{}: {rows} rows for {count} payments", test.name);
        assert_eq!(counters.messages.get(), count, "one work message each");
        // A payment that the first build of the index finds in the store already is not written again.
        assert!(counters.documents.get() <= count, "{} document writes", counters.documents.get());
        let counts = test.store.snapshot().await.expect("snapshot").counts().await.expect("counts");
        assert_eq!((counts.payments, counts.movements, counts.idempotency), (count, count, count));
        assert_eq!(
            test.store.payment_next_due(ClockId::WALL, Timestamp::default()).await.expect("read"),
            None
        );
        pipeline.stop(Instant::now() + Duration::from_secs(20)).await;
        test.remove().await;
    }
}

/// Bytes a card payment with a random key, its submission and its answer. Counted in SQLite's log, which has a frame for each page
/// that a commit changed; batches are of a fixed size, so that the numbers are the same on every machine.
async fn written_for(owners: usize) -> u64 {
    const BATCH: usize = 256;
    const BATCHES: usize = 16;
    let dir = tempfile::tempdir().expect("a temporary directory");
    let settings = StoreSettings { checkpoint_pages: 1 << 30, ..StoreSettings::default() };
    let store = SqliteStore::open(dir.path(), &settings).await.expect("opens");
    store.migrate().await.expect("migrates");
    let log = || std::fs::metadata(dir.path().join("paystorm.sqlite3-wal")).map_or(0, |file| file.len());
    let owners: Vec<AccountId> = (0..owners).map(|_| AccountId::generate()).collect();
    let before = log();
    for batch in 0..BATCHES {
        // In no order: neighbours in a batch are far apart among all.
        let owner = |n: usize| owners[(batch * BATCH + n) * 7_919 % owners.len()];
        let charges: Vec<_> = (0..BATCH).map(|n| keyed(owner(n), &format!("{batch}-{n}"))).collect();
        let now = at(u64::try_from(batch).expect("small"));
        let (_, made) = decide(&store, &charges, now).await.expect("committed");
        let made = made.changes.iter().map(|(_, payment)| answer(payment, Response::Approved));
        decide(&store, &made.collect::<Vec<_>>(), now).await.expect("committed");
    }
    (log() - before) / u64::try_from(BATCH * BATCHES).expect("small")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_payment_touches_few_pages() {
    for (owners, bytes_max) in [(1, BYTES_MAX), (10_000, BYTES_MAX_OWNERS)] {
        let bytes = written_for(owners).await;
        println!("{bytes} bytes a payment of {owners} owners");
        assert!(bytes <= bytes_max, "{bytes} bytes a payment of {owners} owners");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_shares_its_commits() {
    const COUNT: usize = 20_000;
    let test = sqlite().await;
    let (pipeline, parts) = pipeline(&test).await;
    flood(&pipeline.engine, &parts, COUNT).await;
    let counters = &pipeline.counters;
    let (commits, rows) = (counters.commits.get(), counters.rows.get());
    println!("{commits} commits and {rows} rows for {COUNT} payments");
    assert_eq!(counters.payments.get(), COUNT as u64);
    assert!(commits * 100 <= 2 * COUNT as u64, "{commits} commits for {COUNT} payments");
    assert!(rows <= 5 * COUNT as u64, "{rows} rows for {COUNT} payments");
    assert_eq!(counters.messages.get(), COUNT as u64);
    pipeline.stop(Instant::now() + Duration::from_secs(30)).await;
    test.remove().await;
}
