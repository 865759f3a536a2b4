//! Tests the live reader on a store whose reads fail: nothing is skipped, and what is truly gone is reported.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tokio_util::sync::CancellationToken;

use super::Sabotage;
use super::chance::Chance;
use super::store::{Data, SimStore};
use crate::accounts::Directory;
use crate::clock::Wall;
use crate::domain::event::{Event, Recorded};
use crate::domain::ids::{AccountId, BatchId, InstanceId, PaymentId};
use crate::domain::submission::Lane;
use crate::domain::time::Timestamp;
use crate::engine::journal::{self, JournalEntry};
use crate::readers::Batch;
use crate::readers::follower::{Follower, Reader, ReaderError};
use crate::readers::live::{LiveHub, Subscriber, Topic};
use crate::readers::live_reader::LiveReader;
use crate::readers::ring::Ring;
use crate::store::{JournalRecord, PipelineStore};

const BATCHES: u64 = 200;
const NOW: Timestamp = Timestamp::from_micros(1_769_817_600_000_000);

fn owner() -> AccountId {
    AccountId::from_bytes([1; 16])
}

/// A batch that another instance committed: one new payment.
fn record(seq: u64) -> JournalRecord {
    let at = NOW.plus_ms(seq);
    let event = Event::Created { instrument: None, confirmed: false, reserved: false };
    let entry = JournalEntry {
        payment: PaymentId::from_bytes(u128::from(seq).to_be_bytes()),
        owner: owner(),
        payee: None,
        lane: Lane::Interactive,
        run: None,
        first_version: 1,
        events: vec![Recorded::on_wall(at, event)],
        work: Vec::new(),
        keys: Vec::new(),
        open: None,
    };
    let body = journal::encode(&[&entry], &[]).expect("encoded");
    JournalRecord { seq, batch: BatchId::from_bytes(u128::from(seq).to_be_bytes()), at, body }
}

/// A planted defect: a live reader that continues from the current head whenever a read failed.
struct Jumping {
    store: Arc<dyn PipelineStore>,
    hub: Arc<LiveHub>,
    reader: LiveReader,
}

#[async_trait]
impl Reader for Jumping {
    fn name(&self) -> &'static str {
        self.reader.name()
    }

    async fn begin(&mut self, _stored: u64, head: u64) -> Result<u64, ReaderError> {
        self.reader = LiveReader::new(self.store.clone(), self.hub.clone());
        self.reader.begin(head, head).await
    }

    async fn apply(&mut self, batches: &[Arc<Batch>]) -> Result<(), ReaderError> {
        self.reader.apply(batches).await
    }

    fn safe(&self) -> u64 {
        self.reader.safe()
    }
}

/// Commits batches, all but `gone`, while a live reader follows, one that jumps if `jumping`; returns how many payments it
/// published, and a subscriber of the hub that watched.
async fn follow(seed: u64, gone: &BTreeSet<u64>, jumping: bool) -> (u64, Subscriber) {
    let chance = Chance::new(seed);
    let data = Arc::new(Mutex::new(Data::default()));
    let store: Arc<dyn PipelineStore> = Arc::new(SimStore::new(data.clone(), chance.clone(), Sabotage::None));
    let hub = LiveHub::new(Arc::new(Directory::new(store.clone())), Wall::new(|| NOW));
    let watcher = hub.subscriber();
    assert!(watcher.subscribe(Topic::Payments(owner()), 0).is_some());
    let ring = Arc::new(Ring::new(1, 0));
    let wall = Wall::new(|| NOW);
    let instance = InstanceId::from_bytes([1; 16]);
    let follower = Follower::private(store.clone(), ring.clone(), wall, instance);
    let stop = CancellationToken::new();
    let reader = LiveReader::new(store.clone(), hub.clone());
    let reader: Box<dyn Reader> =
        if jumping { Box::new(Jumping { store, hub: hub.clone(), reader }) } else { Box::new(reader) };
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
    (hub.stats().now(NOW).total.accepted, watcher)
}

fn paused<T>(run: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().expect("a runtime").block_on(run)
}

fn sees_resync(watcher: &Subscriber) -> bool {
    std::iter::repeat_with(|| watcher.take())
        .take_while(|frames| !frames.is_empty())
        .flatten()
        .any(|frame| frame.contains(r#""type":"resync""#))
}

#[test]
fn what_is_committed_while_reads_fail_is_published_afterwards() {
    for seed in 0..100 {
        let (published, watcher) = paused(follow(seed, &BTreeSet::new(), false));
        assert_eq!(published, BATCHES, "seed {seed}");
        assert!(!sees_resync(&watcher), "seed {seed}: nothing was missed");
    }
}

#[test]
fn a_reader_that_jumps_over_what_it_could_not_read_is_seen() {
    let lost = |seed: &u64| paused(follow(*seed, &BTreeSet::new(), true)).0 < BATCHES;
    assert!((0..100).any(|seed| lost(&seed)), "nobody saw it in 100 worlds");
}

#[test]
fn a_watcher_learns_of_what_is_gone() {
    let gone = BTreeSet::from([1, 50, 51]);
    for seed in 0..10 {
        let (published, watcher) = paused(follow(seed, &gone, false));
        assert_eq!(published, BATCHES - 3, "seed {seed}");
        assert!(sees_resync(&watcher), "seed {seed}");
    }
}
