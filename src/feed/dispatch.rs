//! Dispatch: puts the work that batches opened into the broker's queues, and redrives from the store what a queue that
//! does not outlive the process, or was lost, cannot know of. One reader per lane.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::batch::Batch;
use super::follower::{Reader, ReaderError};
use crate::broker::{Broker, BrokerError, WorkMessage};
use crate::domain::payment::{Payment, WorkKey};
use crate::domain::submission::Lane;
use crate::domain::time::Timestamp;
use crate::engine::Counters;
use crate::engine::writer::Clock;
use crate::store::Store;

/// The names of the cursors and leases, one reader per lane: a full queue in one must not hold up the other.
pub const NAMES: [&str; 2] = ["dispatch_interactive", "dispatch_bulk"];
/// Messages per publish; a barrier follows each.
const PUBLISH_MAX: usize = 512;
const REDRIVE_PAGE: u32 = 512;
/// Work dispatched so long before the last message delivered, and still open, has been lost on the way.
const BELT_AFTER: Duration = Duration::from_secs(60);
/// How often the belt looks.
const BELT_EVERY: Duration = Duration::from_secs(30);

/// The dispatching reader.
pub struct Dispatch {
    lane: Lane,
    store: Arc<dyn Store>,
    broker: Arc<dyn Broker>,
    clock: Clock,
    counters: Arc<Counters>,
    lost: watch::Receiver<u64>,
    position: u64,
    belt_at: Timestamp,
}

impl Dispatch {
    /// A dispatching reader.
    #[must_use]
    pub fn new(
        lane: Lane,
        store: Arc<dyn Store>,
        broker: Arc<dyn Broker>,
        clock: Clock,
        counters: Arc<Counters>,
    ) -> Self {
        let lost = broker.topology_lost();
        let belt_at = clock();
        Self { lane, store, broker, clock, counters, lost, position: 0, belt_at }
    }

    async fn publish(&self, messages: &[WorkMessage]) -> Result<(), ReaderError> {
        for chunk in messages.chunks(PUBLISH_MAX) {
            self.broker.publish(chunk).await?;
            self.counters.messages.add(chunk.len());
        }
        Ok(())
    }

    fn message(&self, key: WorkKey) -> WorkMessage {
        WorkMessage { key, lane: self.lane, dispatched_at: (self.clock)(), traceparent: None }
    }

    /// Publishes all open work that was opened at or before `upto` and fits `wanted`. By keyset, so bounded in memory.
    async fn redrive(&self, upto: u64, wanted: impl Fn(&Payment) -> bool) -> Result<u64, ReaderError> {
        let mut after = (0, None);
        let mut count = 0;
        loop {
            let page = self.store.work_open(after, REDRIVE_PAGE).await?;
            let Some(last) = page.last() else {
                break;
            };
            after = (last.seq, Some(last.payment.id()));
            let messages: Vec<WorkMessage> = page
                .iter()
                .filter(|open| open.lane() == self.lane && open.seq <= upto && wanted(&open.payment))
                .flat_map(|open| open.payment.queued_work().map(|key| self.message(key)))
                .collect();
            count += messages.len();
            self.publish(&messages).await?;
            if after.0 > upto {
                break;
            }
        }
        if count > 0 {
            tracing::info!(operations = count, "open operations were redriven from the store");
        }
        Ok(u64::try_from(count).unwrap_or(u64::MAX))
    }

    /// Sends again what is still open though it was opened well before the last message that was delivered, or though the
    /// queue has nothing any more: a queue may be lost, and then the process that should have filled it again.
    async fn belt(&mut self) -> Result<(), ReaderError> {
        let now = (self.clock)();
        if now.micros_since(self.belt_at) < u64::try_from(BELT_EVERY.as_micros()).unwrap_or(u64::MAX) {
            return Ok(());
        }
        self.belt_at = now;
        let delivered = self.broker.last_delivered();
        let mark = match self.lane {
            Lane::Interactive => delivered.interactive,
            Lane::Bulk => delivered.bulk,
        };
        let Some(passed) = (if self.is_drained().await { Some(now) } else { mark }) else {
            return Ok(());
        };
        let belt_us = u64::try_from(BELT_AFTER.as_micros()).unwrap_or(u64::MAX);
        let lost = |payment: &Payment| passed.micros_since(payment.state().updated_at) > belt_us;
        self.redrive(self.position, lost).await?;
        Ok(())
    }

    /// Whether nothing waits in this lane's queue and this process works on nothing.
    async fn is_drained(&self) -> bool {
        let Ok(depth) = self.broker.depth().await else {
            return false;
        };
        let waiting = match self.lane {
            Lane::Interactive => depth.interactive,
            Lane::Bulk => depth.bulk,
        };
        waiting == 0 && depth.in_flight == 0
    }
}

impl From<BrokerError> for ReaderError {
    fn from(error: BrokerError) -> Self {
        Self(error.to_string())
    }
}

#[async_trait]
impl Reader for Dispatch {
    fn name(&self) -> &'static str {
        match self.lane {
            Lane::Interactive => NAMES[0],
            Lane::Bulk => NAMES[1],
        }
    }

    async fn begin(&mut self, stored: u64, head: u64) -> Result<u64, ReaderError> {
        self.position = stored;
        if !self.broker.is_durable() {
            // The queue of the last process is gone; the store knows what was in it.
            self.redrive(head, |_| true).await?;
            self.position = head;
        }
        Ok(self.position)
    }

    async fn apply(&mut self, batches: &[Arc<Batch>]) -> Result<(), ReaderError> {
        let entries = batches.iter().flat_map(|batch| &batch.entries);
        let messages: Vec<WorkMessage> = entries
            .filter(|entry| entry.lane == self.lane)
            .flat_map(|entry| entry.work.iter().map(|key| self.message(*key)))
            .collect();
        self.publish(&messages).await?;
        self.position = batches.last().map_or(self.position, |batch| batch.seq);
        Ok(())
    }

    async fn tick(&mut self) -> Result<(), ReaderError> {
        if self.broker.is_durable() {
            if self.lost.has_changed().unwrap_or(false) {
                self.redrive(self.position, |_| true).await?;
                self.lost.mark_unchanged();
            }
            self.belt().await?;
        }
        Ok(())
    }

    fn safe(&self) -> u64 {
        self.position
    }
}
