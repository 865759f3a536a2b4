//! Cursors and leases.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use paystorm::clock::Wall;
use paystorm::domain::ids::InstanceId;
use paystorm::readers::Batch;
use paystorm::readers::follower::{Follower, Reader, ReaderError};
use paystorm::readers::ring::Ring;
use paystorm::store::{LeaseOutcome, Store};
use tokio_util::sync::CancellationToken;

use crate::support::binary::eventually;
use crate::support::commands::at;
use crate::support::stores::both;

const TTL: Duration = Duration::from_secs(6);

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_held_by_one_at_a_time() {
    for test in both().await {
        let store = test.store.as_ref();
        let (one, two) = (InstanceId::generate(), InstanceId::generate());
        let take = |holder, ms| store.lease_take("index", holder, at(ms), TTL);
        assert_eq!(
            take(one, 0).await.expect("asked"),
            LeaseOutcome::Held { until: at(6_000) },
            "{}",
            test.name
        );
        let taken = LeaseOutcome::Taken { holder: one, until: at(6_000) };
        assert_eq!(take(two, 5_000).await.expect("asked"), taken, "{}", test.name);
        // Renewed, also at the same moment.
        assert_eq!(
            take(one, 0).await.expect("asked"),
            LeaseOutcome::Held { until: at(6_000) },
            "{}",
            test.name
        );
        assert_eq!(
            take(one, 4_000).await.expect("asked"),
            LeaseOutcome::Held { until: at(10_000) },
            "{}",
            test.name
        );
        let taken = LeaseOutcome::Taken { holder: one, until: at(10_000) };
        assert_eq!(take(two, 7_000).await.expect("asked"), taken, "{}", test.name);
        // Expired.
        assert_eq!(
            take(two, 10_001).await.expect("asked"),
            LeaseOutcome::Held { until: at(16_001) },
            "{}",
            test.name
        );
        assert!(
            matches!(take(one, 10_002).await.expect("asked"), LeaseOutcome::Taken { .. }),
            "{}",
            test.name
        );
        // Only its holder can give it back.
        store.lease_release("index", one).await.expect("nothing to release");
        assert!(
            matches!(take(one, 10_003).await.expect("asked"), LeaseOutcome::Taken { .. }),
            "{}",
            test.name
        );
        store.lease_release("index", two).await.expect("released");
        assert_eq!(
            take(one, 10_004).await.expect("asked"),
            LeaseOutcome::Held { until: at(16_004) },
            "{}",
            test.name
        );
        // Another lease is another's.
        let other = store.lease_take("timers", two, at(0), TTL).await.expect("asked");
        assert_eq!(other, LeaseOutcome::Held { until: at(6_000) }, "{}", test.name);
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_moves_only_for_the_holder_of_its_lease() {
    for test in both().await {
        let store = test.store.as_ref();
        let (one, two) = (InstanceId::generate(), InstanceId::generate());
        assert_eq!(store.cursor_get("index").await.expect("read"), 0, "{}", test.name);
        assert!(!store.cursor_set("index", one, 5).await.expect("refused"), "{}", test.name);
        store.lease_take("index", one, at(0), TTL).await.expect("taken");
        assert!(store.cursor_set("index", one, 5).await.expect("moved"), "{}", test.name);
        // Set to what it is: still moved, not refused.
        assert!(store.cursor_set("index", one, 5).await.expect("moved"), "{}", test.name);
        assert!(!store.cursor_set("index", two, 9).await.expect("refused"), "{}", test.name);
        store.lease_take("index", two, at(7_000), TTL).await.expect("taken over");
        assert!(!store.cursor_set("index", one, 6).await.expect("refused"), "{}", test.name);
        assert_eq!(store.cursor_get("index").await.expect("read"), 5, "the next holder goes on there");
        store.cursor_reset("index", 2).await.expect("reset");
        store.cursor_reset("other", 3).await.expect("reset");
        let cursors = store.cursor_list().await.expect("read");
        assert_eq!(cursors, [("index".to_owned(), 2), ("other".to_owned(), 3)], "{}", test.name);
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_was_taken_while_a_clock_was_ahead_is_not_waited_for() {
    for test in both().await {
        let (store, one, two) = (test.store.as_ref(), InstanceId::generate(), InstanceId::generate());
        let take = |holder, ms| store.lease_take("index", holder, at(ms), TTL);
        // By a process that was killed an hour later than it is.
        assert!(
            matches!(take(one, 3_610_000).await.expect("taken"), LeaseOutcome::Held { .. }),
            "{}",
            test.name
        );
        assert!(
            matches!(take(two, 10_000).await.expect("taken"), LeaseOutcome::Held { .. }),
            "{}",
            test.name
        );
        // Clocks that differ by less than a lease lasts are no reason.
        assert!(
            matches!(take(one, 9_000).await.expect("asked"), LeaseOutcome::Taken { .. }),
            "{}",
            test.name
        );
        test.remove().await;
    }
}

/// A reader that writes without a pause while it begins, as one that rebuilds everything does.
struct Busy {
    store: Arc<dyn Store>,
    began: Arc<AtomicU32>,
    ready: Arc<AtomicU32>,
}

/// Longer than a lease is left alone.
const BEGINS_FOR: Duration = Duration::from_secs(5);

#[async_trait]
impl Reader for Busy {
    fn name(&self) -> &'static str {
        "index"
    }

    async fn begin(&mut self, stored: u64, _head: u64) -> Result<u64, ReaderError> {
        self.began.fetch_add(1, Ordering::Relaxed);
        let began = Instant::now();
        while began.elapsed() < BEGINS_FOR {
            self.store.cursor_reset("another", 1).await?;
        }
        self.ready.fetch_add(1, Ordering::Relaxed);
        Ok(stored)
    }

    async fn apply(&mut self, _batches: &[Arc<Batch>]) -> Result<(), ReaderError> {
        Ok(())
    }

    fn safe(&self) -> u64 {
        0
    }
}

/// An embedded store has one connection for writing. A reader that waits for it, or has it, while its lease is renewed on the same
/// connection must go on, or the two wait for each other, and the sequencer for both.
#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_renewed_while_its_reader_begins_without_stopping_it() {
    for test in both().await {
        let (began, ready) = (Arc::<AtomicU32>::default(), Arc::<AtomicU32>::default());
        let reader = Busy { store: Arc::clone(&test.store), began: began.clone(), ready: ready.clone() };
        let ring = Arc::new(Ring::new(1 << 10, 0));
        let (one, two) = (InstanceId::generate(), InstanceId::generate());
        let follower = Follower::leased(test.store.clone(), ring, Wall::system(), one);
        let stop = CancellationToken::new();
        let running = tokio::spawn(follower.run(Box::new(reader), stop.clone()));
        eventually("it has begun", async || ready.load(Ordering::Relaxed) > 0).await;
        assert_eq!(began.load(Ordering::Relaxed), 1, "{}: at the first attempt", test.name);
        let taken = test.store.lease_take("index", two, Wall::system().now(), TTL).await.expect("asked");
        assert!(
            matches!(taken, LeaseOutcome::Taken { holder, .. } if holder == one),
            "{}: {taken:?}",
            test.name
        );
        stop.cancel();
        running.await.expect("it ends");
        test.remove().await;
    }
}
