//! Two processes' stores on one MySQL: one order, no holes, no deadlocks, and a key makes one payment.

use std::collections::HashSet;
use std::sync::Arc;

use paystorm::domain::ids::AccountId;
use paystorm::store::Store;
use paystorm::store::mysql::MySqlStore;

use crate::support::commands::{at, decide, keyed};
use crate::support::stores::mysql;

const BATCHES: usize = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_writers_make_one_line_and_a_raced_key_one_payment() {
    let test = mysql().await;
    let owner = AccountId::generate();
    let other: Arc<dyn Store> = Arc::new(MySqlStore::open(&test.settings).await.expect("MySQL opens"));
    let writers = [Arc::clone(&test.store), other].map(|store| {
        tokio::spawn(async move {
            let mut committed = Vec::new();
            for n in 0..BATCHES {
                // Each key is used by both, in batches that overlap, in opposite orders.
                let mut batch: Vec<_> =
                    (n..n + 8).map(|key| keyed(owner, &format!("raced-{key:04}"))).collect();
                if n % 2 == 0 {
                    batch.reverse();
                }
                let (seq, decided) = decide(store.as_ref(), &batch, at(0)).await.expect("committed");
                committed.push((seq, decided));
            }
            committed
        })
    });
    let (mut places, mut made) = (Vec::new(), HashSet::new());
    for writer in writers {
        for (seq, decided) in writer.await.expect("no panic") {
            places.extend((seq > 0).then_some(seq));
            made.extend(decided.payments.into_iter().map(|decision| decision.expect("admitted").id));
        }
    }
    places.sort_unstable();
    let head = test.store.head().await.expect("head");
    assert_eq!(places, (1..=head).collect::<Vec<_>>(), "every place is taken once");
    let journal = test.store.journal_read(0, 1_000).await.expect("read");
    assert_eq!(journal.iter().map(|row| row.seq).collect::<Vec<_>>(), places);
    let keys = BATCHES + 7;
    assert_eq!(made.len(), keys, "one payment a key, whichever process asks");
    let counts = test.store.snapshot().await.expect("snapshot").counts().await.expect("counts");
    assert_eq!((counts.payments, counts.idempotency), (keys as u64, keys as u64));
    test.remove().await;
}
