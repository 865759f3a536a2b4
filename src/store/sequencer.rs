//! The port of the sequencer: runs one batch after the other, each in a transaction that takes the head of the journal.
//!
//! What a batch reads and writes is in `batch`, the statements that do it in `load` and `write`.

use async_trait::async_trait;

use super::StoreResult;
use super::batch::{BatchKeys, BatchWrite, Head, Loaded};
use crate::domain::ids::BatchId;
use crate::domain::time::Timestamp;

/// Decides a batch between its reads and its writes. Called at most once per attempt; pure.
pub type DecideBatch<'a> = &'a mut (dyn FnMut(Head, Loaded) -> BatchWrite + Send);

/// Batches in one total order.
#[async_trait]
pub trait Sequencer: Send + Sync + 'static {
    /// Runs one batch in a transaction: takes the head lock, loads what `keys` name, lets `decide` turn it into writes, and
    /// commits. Returns the batch's position in the journal, or 0 if there was nothing to write. `wall` is the clock of this
    /// process.
    ///
    /// # Errors
    /// [`StoreError::CommitUnknown`](super::StoreError::CommitUnknown) if the outcome of the commit is not known; settle it with
    /// [`Self::batch_committed`]. Anything else means that nothing was written.
    async fn commit_batch(
        &self,
        batch: BatchId,
        wall: Timestamp,
        keys: &BatchKeys,
        decide: DecideBatch<'_>,
    ) -> StoreResult<u64>;

    /// Whether [`Self::commit_batch`] blocks the thread it is polled on; then the sequencer needs a thread of its own.
    fn blocks_caller(&self) -> bool;

    /// Whether the batch at `seq` is the one named.
    async fn batch_committed(&self, seq: u64, batch: BatchId) -> StoreResult<bool>;

    /// The last position taken in the journal.
    async fn head(&self) -> StoreResult<u64>;

    /// The wall-clock time of the last batch; long ago in a new store.
    async fn head_wall(&self) -> StoreResult<Timestamp>;
}

macro_rules! sequencer_store {
    ($Conn:ty, $Store:ty) => {
        async fn head(conn: &mut $Conn) -> StoreResult<u64> {
            use schema::head::dsl;
            let seq: Option<i64> =
                dsl::head.filter(dsl::shard.eq(0)).select(dsl::seq).get_result(conn).await.optional()?;
            seq.map(unsigned).ok_or_else(|| columns::damaged("head.seq"))
        }

        async fn head_wall(conn: &mut $Conn) -> StoreResult<Timestamp> {
            use schema::head::dsl;
            let wall: Option<i64> =
                dsl::head.filter(dsl::shard.eq(0)).select(dsl::wall).get_result(conn).await.optional()?;
            wall.map(Timestamp::from_micros).ok_or_else(|| columns::damaged("head.wall"))
        }

        async fn batch_committed(conn: &mut $Conn, seq: u64, batch: BatchId) -> StoreResult<bool> {
            use schema::journal::dsl;
            let found: Option<Vec<u8>> =
                dsl::journal.find(signed(seq)).select(dsl::batch_id).get_result(conn).await.optional()?;
            Ok(found.is_some_and(|bytes| bytes == batch.as_bytes()))
        }

        #[async_trait::async_trait]
        impl $crate::store::Sequencer for $Store {
            async fn commit_batch(
                &self,
                batch: BatchId,
                wall: Timestamp,
                keys: &BatchKeys,
                decide: DecideBatch<'_>,
            ) -> StoreResult<u64> {
                let deciding = self.run_batch(batch, wall, keys, decide);
                $crate::store::held::watched(&self.outage, $crate::outage::Way::Write, deciding).await
            }

            fn blocks_caller(&self) -> bool {
                Self::BLOCKS_CALLER
            }

            async fn batch_committed(&self, seq: u64, batch: BatchId) -> StoreResult<bool> {
                let looking = self.settle_commit(seq, batch);
                $crate::store::held::watched(&self.outage, $crate::outage::Way::Write, looking).await
            }

            async fn head(&self) -> StoreResult<u64> {
                held!(self, reader, background, conn => head(conn))
            }

            async fn head_wall(&self) -> StoreResult<Timestamp> {
                held!(self, reader, background, conn => head_wall(conn))
            }
        }
    };
}
pub(in crate::store) use sequencer_store;
