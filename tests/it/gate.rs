//! Full accounts are refused while what is written for them falls behind, and for no other reason.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use paystorm::accounts::Directory;
use paystorm::app::pipeline::{Parts, Pipeline};
use paystorm::broker::embedded::EmbeddedBroker;
use paystorm::clock::Wall;
use paystorm::config::Settings;
use paystorm::domain::ids::{AccountId, InstanceId};
use paystorm::domain::statement::READER;
use paystorm::engine::EngineError;
use paystorm::readers::live::LiveHub;
use paystorm::search::embedded::EmbeddedIndex;
use paystorm::worker::Worlds;
use tokio::time::Instant;

use crate::support::binary::eventually;
use crate::support::commands::keyed;
use crate::support::stores::{TestStore, both};

/// A process on this store, with or without the reader that writes statements.
async fn start(test: &TestStore, indexer: bool) -> (Pipeline, tempfile::TempDir) {
    let index = tempfile::tempdir().expect("a temporary directory");
    let mut settings = Settings::default();
    settings.simulator.latency_median_ms = 0.0;
    settings.engine.answer_within_ms = 60_000;
    settings.engine.statement_lag_max_s = 1;
    settings.roles.indexer = indexer;
    settings.search.path = index.path().to_owned();
    let directory = Arc::new(Directory::new(test.store.clone()));
    let parts = Parts {
        store: test.store.clone(),
        broker: Arc::new(EmbeddedBroker::new(&settings.broker).expect("a broker")),
        search: Arc::new(EmbeddedIndex::open(&settings.search, Wall::system()).await.expect("an index")),
        hub: LiveHub::new(Arc::clone(&directory), Wall::system()),
        directory,
        worlds: Worlds::new(&settings.simulator, Wall::system().now()),
    };
    let pipeline = Pipeline::start(&settings, parts, InstanceId::generate()).await.expect("it starts");
    (pipeline, index)
}

async fn stop(pipeline: Pipeline) {
    pipeline.stop(Instant::now() + Duration::from_secs(60)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_too_little_refuses_and_who_is_only_late_does_not() {
    for test in both().await {
        let owner = AccountId::generate();
        let (pipeline, _index) = start(&test, false).await;
        let pay = |n: u32| pipeline.engine.execute(keyed(owner, &format!("gate-{n}")));
        // A few batches that nobody has written statements of, and never will: old, and no reason.
        for n in 0..5 {
            pay(n).await.expect("admitted");
        }
        tokio::time::sleep(Duration::from_secs(4)).await;
        pay(5).await.expect("a small backlog refuses nobody, however old it is");
        // More and more of them.
        let n = AtomicU32::new(6);
        let refused = async || match pay(n.fetch_add(1, Ordering::Relaxed)).await {
            Ok(_) => false,
            Err(EngineError::Busy) => true,
            Err(error) => panic!("{}: {error}", test.name),
        };
        eventually("it is refused", refused).await;
        let (cursor, head) = (test.store.cursor_get(READER).await, test.store.head().await);
        let (cursor, head) = (cursor.expect("read"), head.expect("read"));
        assert!(head - cursor > 32, "{}: {cursor} of {head}", test.name);
        // A reader that catches up opens the gate again.
        let (other, _other_index) = start(&test, true).await;
        let admitted = async || pay(n.fetch_add(1, Ordering::Relaxed)).await.is_ok();
        eventually("it is admitted", admitted).await;
        stop(pipeline).await;
        stop(other).await;
        test.remove().await;
    }
}
