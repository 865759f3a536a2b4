//! The index knows which store it mirrors and which past: after the store was emptied, exchanged or put back to an earlier day, what
//! never was there disappears when the index's reader begins. With both adapters.

use std::path::Path;
use std::sync::Arc;

use paystorm::clock::Wall;
use paystorm::domain::ids::{AccountId, InstanceId, PaymentId};
use paystorm::readers::follower::{Follower, Reader};
use paystorm::readers::index::{Index, IndexListener, Indexed};
use paystorm::readers::ring::Ring;
use paystorm::search::{Query, SearchIndex, SearchRequest};
use paystorm::store::sqlite::SqliteStore;
use paystorm::store::{Store, StoreSettings, Upkeep as _};
use tokio_util::sync::CancellationToken;

use super::corruption::sql;
use super::engine::{charge, engine_on};
use super::search::subject::Subject;
use crate::support::binary::eventually;
use crate::support::commands::counters;
use crate::support::stores;

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
    let (engine, _, task) = engine_on(store);
    let id = engine.execute(charge(owner, 100, None)).await.expect("admitted").payment.id();
    drop(engine);
    task.await.expect("the sequencer ends");
    id
}

/// The index's reader begins, reads what is there, and ends in good order.
async fn read(store: &Arc<dyn Store>, index: &Arc<dyn SearchIndex>, stored: u64) {
    let counters = counters();
    let mut reader = Index::new(store.clone(), Arc::clone(index), Arc::new(()), Arc::new(Nobody), counters);
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
        paystorm::readers::index::catch_up(store.as_ref(), index.as_ref(), &(), 1).await.expect("caught up");
        read(&store, &index, position).await;
        assert_eq!(found(&*index, owner).await, [lost, kept]);
        drop(store);
        let store = open(backup.path()).await;
        read(&store, &index, 1).await;
        assert_eq!(found(&*index, owner).await, [kept], "the store was put back to an earlier day");

        // The sequencer goes on from there and passes the position that the index had reached.
        let other = pay(&store, owner).await;
        let later = pay(&store, owner).await;
        read(&store, &index, 1).await;
        paystorm::readers::index::catch_up(store.as_ref(), index.as_ref(), &(), 1).await.expect("caught up");
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

/// Rows of the journal are torn, one among others and the last one: what they changed is found all the same, and nothing is rebuilt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_torn_rows_of_the_journal_changed_is_found_without_a_rebuild() {
    for subject in [Subject::embedded().await, Subject::elasticsearch().await] {
        let index = Arc::clone(&subject.index);
        let owner = AccountId::generate();
        let test = stores::sqlite().await;
        let mut made = Vec::new();
        for _ in 0..2 {
            made.push(pay(&test.store, owner).await);
        }
        read(&test.store, &index, 0).await;
        for _ in 0..4 {
            made.push(pay(&test.store, owner).await);
        }
        made.reverse();
        assert_eq!(test.store.head().await.expect("a head"), 6);
        sql(&test, "UPDATE journal SET body=x'00' WHERE seq IN (3,6)").await;
        let generations = subject.names().await;
        let ring = Arc::new(Ring::new(1 << 20, 6));
        let follower = Follower::leased(test.store.clone(), ring, Wall::system(), InstanceId::generate());
        let reader =
            Index::new(test.store.clone(), Arc::clone(&index), Arc::new(()), Arc::new(Nobody), counters());
        test.store.cursor_reset("index", 2).await.expect("put back");
        let stop = CancellationToken::new();
        let running = tokio::spawn(follower.run(Box::new(reader), stop.clone()));
        eventually("all of them are found", async || found(&*index, owner).await == made).await;
        let cursor = async || test.store.cursor_get("index").await.expect("a cursor");
        eventually("the reader has made it good", async || cursor().await == 6).await;
        stop.cancel();
        running.await.expect("it ends");
        assert_eq!(subject.names().await, generations, "nothing was rebuilt");
        // By hand, beside a server, as well.
        paystorm::readers::index::catch_up(test.store.as_ref(), index.as_ref(), &(), 2)
            .await
            .expect("caught up");
        subject.remove().await;
    }
}
