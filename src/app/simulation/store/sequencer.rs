//! The sequencer and the journal, with commits whose outcome is unknown, and the readers' cursors and leases.

use std::time::Duration;

use async_trait::async_trait;

use super::super::Sabotage;
use super::SimStore;
use crate::domain::ids::{BatchId, InstanceId};
use crate::domain::time::Timestamp;
use crate::store::{
    BatchKeys, Cursors, DecideBatch, Head, Journal, JournalRecord, LeaseOutcome, Leases, Projected,
    Sequencer, StoreError, StoreResult,
};

#[async_trait]
impl Sequencer for SimStore {
    async fn commit_batch(
        &self,
        batch: BatchId,
        wall: Timestamp,
        keys: &BatchKeys,
        decide: DecideBatch<'_>,
    ) -> StoreResult<u64> {
        let _commit = self.commit_lock.lock().await;
        self.reach().await?;
        let (head, loaded) = {
            let mut data = self.data.lock();
            let head = Head { seq: data.head + 1, wall: wall.max(data.wall.next()), settings_seq: 0 };
            let taken_for = match self.sabotage {
                Sabotage::StaleMemory => keys.known.as_ref().map_or(head.seq, |known| known.holds_at()),
                _ => head.seq,
            };
            let loaded = data.load(taken_for, keys);
            if self.sabotage == Sabotage::None {
                data.compare(&loaded);
            }
            (head, loaded)
        };
        let seq = head.seq;
        let mut write = decide(head, loaded);
        let Some(body) = write.journal.take() else {
            return Ok(0);
        };
        if self.sabotage == Sabotage::ForgottenOperation
            && write.inserts.is_empty()
            && write.updates.is_empty()
        {
            return Ok(0);
        }
        self.spoil(&mut write);
        // A crash here: nothing was written, and nobody was answered.
        self.reach().await?;
        if self.chance.breaks(10) {
            return Err(StoreError::Refused("simulated".to_owned()));
        }
        let unknown = StoreError::CommitUnknown { seq, cause: "simulated".to_owned() };
        let (happens, reported) = match self.chance.breaks(40) {
            true => (self.chance.percent(50), false),
            false => (!(self.sabotage == Sabotage::AckBeforeCommit && self.chance.percent(5)), true),
        };
        if happens {
            let mut data = self.data.lock();
            data.keep(seq, batch, &write, body)?;
            if self.sabotage == Sabotage::JournalHole && self.chance.percent(20) {
                data.journal.remove(&seq);
            }
        }
        // A crash here: all was written, and nobody was answered.
        self.chance.delay().await;
        if reported { Ok(seq) } else { Err(unknown) }
    }

    fn blocks_caller(&self) -> bool {
        false
    }

    async fn batch_committed(&self, seq: u64, batch: BatchId) -> StoreResult<bool> {
        if self.sabotage == Sabotage::UnsettledCommit {
            return Ok(false);
        }
        self.read(|data| data.journal.get(&seq).is_some_and(|row| row.batch == batch)).await
    }

    async fn head(&self) -> StoreResult<u64> {
        self.read(|data| data.head).await
    }

    async fn head_wall(&self) -> StoreResult<Timestamp> {
        self.read(|data| data.wall).await
    }
}

#[async_trait]
impl Journal for SimStore {
    async fn journal_read(&self, after: u64, limit: u32) -> StoreResult<Vec<JournalRecord>> {
        let limit = limit.min(1 + u32::try_from(self.chance.below(8)).unwrap_or(0));
        self.read(|data| {
            data.journal.range(after + 1..).map(|(_, row)| row.clone()).take(limit as usize).collect()
        })
        .await
    }

    async fn journal_time(&self, after: u64) -> StoreResult<Option<Timestamp>> {
        self.read(|data| data.journal.range(after + 1..).next().map(|(_, row)| row.at)).await
    }

    async fn journal_prune(&self, seq: u64, before: Timestamp) -> StoreResult<u64> {
        self.reach().await?;
        let mut data = self.data.lock();
        let rows = data.journal.len();
        data.journal.retain(|place, row| *place > seq || row.at >= before);
        Ok((rows - data.journal.len()) as u64)
    }
}

#[async_trait]
impl Cursors for SimStore {
    async fn cursor_get(&self, reader: &str) -> StoreResult<u64> {
        self.read(|data| data.readers.get(reader).map_or(0, |reader| reader.position)).await
    }

    async fn cursor_set(&self, reader: &str, holder: InstanceId, seq: u64) -> StoreResult<bool> {
        self.reach().await?;
        let mut data = self.data.lock();
        let owned = data.readers.get_mut(reader).filter(|reader| reader.holder == Some(holder));
        Ok(owned.map(|reader| reader.position = seq).is_some())
    }

    async fn cursor_reset(&self, reader: &str, seq: u64) -> StoreResult<()> {
        self.data.lock().readers.entry(reader.to_owned()).or_default().position = seq;
        Ok(())
    }

    async fn cursor_list(&self) -> StoreResult<Vec<(String, u64)>> {
        self.read(|data| data.readers.iter().map(|(name, reader)| (name.clone(), reader.position)).collect())
            .await
    }

    async fn project(
        &self,
        reader: &str,
        holder: InstanceId,
        from: u64,
        upto: u64,
        made: &Projected,
    ) -> StoreResult<bool> {
        self.reach().await?;
        let unknown = self.chance.breaks(10);
        if unknown && self.chance.percent(50) {
            return Err(StoreError::Unavailable("simulated".to_owned()));
        }
        let mut made = made.clone();
        if self.sabotage == Sabotage::ForgottenWork {
            made.open_work.put.clear();
        }
        let kept = self.data.lock().append(reader, holder, (from, upto), &made);
        // Written, and nobody was answered.
        if unknown { Err(StoreError::Unavailable("simulated".to_owned())) } else { Ok(kept) }
    }
}

#[async_trait]
impl Leases for SimStore {
    async fn lease_take(
        &self,
        name: &str,
        holder: InstanceId,
        now: Timestamp,
        ttl: Duration,
    ) -> StoreResult<LeaseOutcome> {
        self.reach().await?;
        let mut data = self.data.lock();
        let reader = data.readers.entry(name.to_owned()).or_default();
        let until = now.plus_ms(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
        match reader.holder {
            Some(other) if other != holder && reader.until >= now => {
                Ok(LeaseOutcome::Taken { holder: other, until: reader.until })
            }
            Some(_) | None => {
                (reader.holder, reader.until) = (Some(holder), until);
                Ok(LeaseOutcome::Held { until })
            }
        }
    }

    async fn lease_end(&self, name: &str) -> StoreResult<Timestamp> {
        Ok(self.data.lock().readers.get(name).map_or_else(Timestamp::default, |reader| reader.until))
    }

    async fn lease_release(&self, name: &str, holder: InstanceId) -> StoreResult<()> {
        self.reach().await?;
        let mut data = self.data.lock();
        if let Some(reader) = data.readers.get_mut(name).filter(|reader| reader.holder == Some(holder)) {
            (reader.holder, reader.until) = (None, Timestamp::default());
        }
        Ok(())
    }
}
