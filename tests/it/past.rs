//! The index knows which store it mirrors and which past: after the store was emptied, exchanged or put back to an earlier day, what
//! never was there goes by itself when the index's reader begins. With both adapters.

use std::path::Path;
use std::sync::Arc;

use paystorm::domain::ids::{AccountId, PaymentId};
use paystorm::engine::Counters;
use paystorm::feed::follower::Reader;
use paystorm::feed::index::{Index, IndexListener, Indexed};
use paystorm::search::{Query, SearchIndex, SearchRequest};
use paystorm::store::sqlite::SqliteStore;
use paystorm::store::{Store, StoreSettings};

use super::engine::{charge, engine_on};
use super::search::subject::Subject;

struct Nobody;

impl IndexListener for Nobody {
    fn indexed(&self, _payments: &[Indexed]) {}
}

async fn open(dir: &Path) -> Arc<dyn Store> {
    let store = SqliteStore::open(dir, &StoreSettings::default()).await.expect("SQLite opens");
    store.migrate().await.expect("SQLite migrates");
    Arc::new(store)
}

async fn pay(store: &Arc<dyn Store>, owner: AccountId) -> PaymentId {
    let (engine, _, line) = engine_on(store);
    let id = engine.execute(charge(owner, 100, None)).await.expect("admitted").payment.id();
    drop(engine);
    line.await.expect("the line ends");
    id
}

/// The index's reader begins, reads what is there, and ends in good order.
async fn read(store: &Arc<dyn Store>, index: &Arc<dyn SearchIndex>, stored: u64) {
    let counters = Arc::new(Counters::default());
    let mut reader =
        Index::new(Arc::clone(store), Arc::clone(index), Arc::new(()), Arc::new(Nobody), counters);
    let head = store.head().await.expect("a head");
    reader.begin(stored, head).await.expect("begins");
    reader.finish().await.expect("ends");
    index.refresh().await.expect("refreshed");
}

async fn found(index: &dyn SearchIndex, owner: AccountId) -> Vec<PaymentId> {
    let page = index.find(&SearchRequest::new(owner, Query::everything())).await.expect("an answer");
    page.hits.iter().map(|hit| hit.payment).collect()
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        std::fs::copy(entry.path(), to.join(entry.file_name())).expect("copied");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn documents_of_another_store_or_another_past_go_by_themselves() {
    for subject in [Subject::embedded().await, Subject::elasticsearch().await] {
        let index = Arc::clone(&subject.index);
        let owner = AccountId::generate();
        let (first, backup, second) = (dir(), dir(), dir());

        let store = open(first.path()).await;
        let kept = pay(&store, owner).await;
        read(&store, &index, 0).await;
        assert_eq!(found(&*index, owner).await, [kept]);
        drop(store);
        copy(first.path(), backup.path());

        // A payment that the index has, and the backup has not.
        let store = open(first.path()).await;
        let lost = pay(&store, owner).await;
        let position = store.head().await.expect("a head");
        paystorm::feed::index::catch_up(store.as_ref(), index.as_ref(), &(), 1).await.expect("caught up");
        read(&store, &index, position).await;
        assert_eq!(found(&*index, owner).await, [lost, kept]);
        drop(store);
        let store = open(backup.path()).await;
        read(&store, &index, 1).await;
        assert_eq!(found(&*index, owner).await, [kept], "the store was put back to an earlier day");

        // The line goes on from there and passes the place that the index had come to.
        let other = pay(&store, owner).await;
        let later = pay(&store, owner).await;
        read(&store, &index, 1).await;
        paystorm::feed::index::catch_up(store.as_ref(), index.as_ref(), &(), 1).await.expect("caught up");
        index.refresh().await.expect("refreshed");
        assert_eq!(found(&*index, owner).await, [later, other, kept]);
        drop(store);

        let store = open(second.path()).await;
        read(&store, &index, 0).await;
        assert_eq!(found(&*index, owner).await, [], "an empty store has no payments");
        assert!(!index.needs_rebuild());
        subject.remove().await;
    }
}

fn dir() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}
