//! The live reader on a store whose reads fail: nothing is jumped over, and what is truly gone is told.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::Sabotage;
use super::chance::Chance;
use super::store::{Data, SimStore};
use crate::accounts::Directory;
use crate::domain::event::{Event, Recorded};
use crate::domain::ids::{AccountId, BatchId, InstanceId, PaymentId};
use crate::domain::submission::Lane;
use crate::domain::time::Timestamp;
use crate::engine::journal::{self, JournalEntry};
use crate::feed::follower::Follower;
use crate::feed::live::{LiveHub, Reader, Topic};
use crate::feed::live_reader::LiveReader;
use crate::feed::ring::Ring;
use crate::store::{JournalRecord, Store};

const BATCHES: u64 = 200;

fn owner() -> AccountId {
    AccountId::from_bytes([1; 16])
}

/// A batch that another instance committed: one new payment.
fn record(seq: u64) -> JournalRecord {
    let at = Timestamp::from_micros(1_769_817_600_000_000).plus_ms(seq);
    let event = Event::Created { card: None, confirmed: false, reserved: false };
    let entry = JournalEntry {
        payment: PaymentId::from_bytes(u128::from(seq).to_be_bytes()),
        owner: owner(),
        payee: None,
        lane: Lane::Interactive,
        run: None,
        first_version: 1,
        events: vec![Recorded { at, event }],
        work: Vec::new(),
        keys: Vec::new(),
    };
    let body = journal::encode(&[&entry]).expect("encoded");
    JournalRecord { seq, batch: BatchId::from_bytes(u128::from(seq).to_be_bytes()), at, body }
}

/// Commits batches, all but `gone`, while a live reader follows; returns how many payments it published, and a reader of
/// the hub that watched.
async fn follow(seed: u64, gone: &BTreeSet<u64>) -> (u64, Reader) {
    let chance = Chance::new(seed);
    let data = Arc::new(Mutex::new(Data::default()));
    let store: Arc<dyn Store> = Arc::new(SimStore::new(data.clone(), chance.clone(), Sabotage::None));
    let hub = LiveHub::new(Arc::new(Directory::new(store.clone())));
    let watcher = hub.reader();
    assert!(watcher.subscribe(Topic::Payments(owner()), 0).is_some());
    let ring = Arc::new(Ring::new(1, 0));
    let clock = Arc::new(|| Timestamp::from_micros(1_769_817_600_000_000));
    let instance = InstanceId::from_bytes([1; 16]);
    let follower = Follower::private(store.clone(), ring.clone(), clock, instance);
    let stop = CancellationToken::new();
    let reader = Box::new(LiveReader::new(store, hub.clone()));
    let following = tokio::spawn(follower.run(reader, stop.clone()));
    for seq in 1..=BATCHES {
        {
            let mut data = data.lock();
            data.head = seq;
            if !gone.contains(&seq) {
                data.journal.insert(seq, record(seq));
            }
        }
        if chance.percent(50) {
            ring.note_head(seq);
        }
        chance.delay().await;
    }
    chance.calm();
    // Longer than any pause after a failure.
    tokio::time::sleep(Duration::from_secs(30)).await;
    stop.cancel();
    following.await.expect("it stops");
    (hub.stats().now(Timestamp::now()).total.accepted, watcher)
}

fn paused<T>(run: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().expect("a runtime").block_on(run)
}

fn told_to_read_again(watcher: &Reader) -> bool {
    std::iter::repeat_with(|| watcher.take())
        .take_while(|frames| !frames.is_empty())
        .flatten()
        .any(|frame| frame.contains(r#""type":"resync""#))
}

#[test]
fn what_is_committed_while_reads_fail_is_published_afterwards() {
    for seed in 0..100 {
        let (published, watcher) = paused(follow(seed, &BTreeSet::new()));
        assert_eq!(published, BATCHES, "seed {seed}");
        assert!(!told_to_read_again(&watcher), "seed {seed}: nothing was missed");
    }
}

#[test]
fn who_watches_is_told_of_what_is_gone() {
    let gone = BTreeSet::from([1, 50, 51]);
    for seed in 0..10 {
        let (published, watcher) = paused(follow(seed, &gone));
        assert_eq!(published, BATCHES - 3, "seed {seed}");
        assert!(told_to_read_again(&watcher), "seed {seed}");
    }
}
