//! Dispatches work: publishes what batches opened to the broker's queues, with one reader per lane, and redrives from the
//! store what is missing in a queue that was lost or does not outlive the process.
//!
//! Any process may notice a lost queue, by recreating it, but only the dispatching one redrives it. So a loss is noted in
//! the store, and stands until a dispatcher has recorded its redrive. The broker notes it before it creates the queue
//! ([`NotedLosses`]); losses that it could not note that way it counts, and the count is compared here. Nothing depends
//! on who was listening when, and a crash at any point only repeats the redrive.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::batch::Batch;
use super::follower::{Reader, ReaderError};
use super::open_work::end_of;
use super::open_work::search::Search;
use crate::broker::{Broker, BrokerError, BrokerHealth, LossKeeper, WorkMessage};
use crate::clock::Wall;
use crate::domain::ids::BatchId;
use crate::domain::payment::WorkKey;
use crate::domain::submission::Lane;
use crate::domain::time::Timestamp;
use crate::engine::counters::{Counters, add};
use crate::store::{PipelineStore, StoreResult};

/// The names of the cursors and leases, one reader per lane: a full queue in one must not hold up the other.
pub const NAMES: [&str; 2] = ["dispatch_interactive", "dispatch_bulk"];
/// Messages per publish; a barrier follows each.
const PUBLISH_MAX: usize = 512;
/// Work that is still open, and was dispatched this long before the last delivered message, counts as lost.
const LOST_AFTER: Duration = Duration::from_secs(60);
/// How often the redrive sweep runs.
const SWEEP_EVERY: Duration = Duration::from_secs(30);

/// Notes lost work queues in the store, where the dispatching process finds them.
pub struct NotedLosses(pub Arc<dyn PipelineStore>);

impl fmt::Debug for NotedLosses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotedLosses").finish_non_exhaustive()
    }
}

#[async_trait]
impl LossKeeper for NotedLosses {
    async fn queue_missing(&self) -> Result<(), String> {
        for lane in [Lane::Interactive, Lane::Bulk] {
            note_loss(self.0.as_ref(), lane)
                .await
                .map_err(|error| format!("noting a lost queue: {error}"))?;
        }
        Ok(())
    }
}

/// Notes a loss, as a value that was never used before.
async fn note_loss(store: &dyn PipelineStore, lane: Lane) -> StoreResult<()> {
    store.installation_set(loss_keys(lane).0, BatchId::generate().as_bytes()).await
}

/// The installation keys of the last noted loss, and of the last one that was redriven.
const fn loss_keys(lane: Lane) -> (&'static str, &'static str) {
    match lane {
        Lane::Interactive => ("interactive_queue_lost", "interactive_queue_redriven"),
        Lane::Bulk => ("bulk_queue_lost", "bulk_queue_redriven"),
    }
}

/// The reader that dispatches the work of one lane.
pub struct Dispatch {
    lane: Lane,
    store: Arc<dyn PipelineStore>,
    broker: Arc<dyn Broker>,
    wall: Wall,
    counters: Arc<Counters>,
    lost: watch::Receiver<u64>,
    /// How many of the losses that the broker counts are noted in the store; 0 at the start, whatever it has counted by
    /// then.
    noted: u64,
    /// The noted loss that was redriven last.
    made_good: Option<Vec<u8>>,
    position: u64,
    /// Whether a queue that lives in this process has been filled with what the last process left. From then on it holds
    /// everything published up to `position`, whatever else fails.
    redriven: bool,
    swept_at: Timestamp,
}

impl Dispatch {
    /// A dispatcher of this lane.
    #[must_use]
    pub fn new(
        lane: Lane,
        store: Arc<dyn PipelineStore>,
        broker: Arc<dyn Broker>,
        wall: Wall,
        counters: Arc<Counters>,
    ) -> Self {
        let lost = broker.topology_lost();
        let swept_at = wall.now();
        Self {
            lane,
            store,
            broker,
            wall,
            counters,
            lost,
            noted: 0,
            made_good: None,
            position: 0,
            redriven: false,
            swept_at,
        }
    }

    async fn publish(&self, messages: &[WorkMessage]) -> Result<(), ReaderError> {
        for chunk in messages.chunks(PUBLISH_MAX) {
            self.broker.publish(chunk).await?;
            add(&self.counters.messages, chunk.len());
        }
        Ok(())
    }

    fn message(&self, key: WorkKey) -> WorkMessage {
        WorkMessage { key, lane: self.lane, dispatched_at: self.wall.now(), traceparent: None }
    }

    /// Publishes all open work that was queued before a moment; the journal has what came later. Bounded in memory.
    async fn redrive(&self, before: Timestamp) -> Result<usize, ReaderError> {
        let store = self.store.as_ref();
        let mut search = Search::begin(store, self.lane, before).await?;
        let mut count = 0;
        while let Some(found) = search.next(store).await? {
            let sound = found.iter().filter(|found| !store.aside().holds(found.payment));
            let messages: Vec<WorkMessage> =
                sound.flat_map(|found| found.work.iter().map(|key| self.message(*key))).collect();
            count += messages.len();
            self.publish(&messages).await?;
        }
        if count > 0 {
            tracing::info!(operations = count, "open operations were redriven from the store");
        }
        Ok(count)
    }

    /// Publishes all open work that was opened at or before a position in the journal.
    async fn redrive_upto(&self, seq: u64) -> Result<(), ReaderError> {
        let before = end_of(self.store.as_ref(), seq).await?;
        self.redrive(before).await.map(drop)
    }

    /// Notes in the store the losses that this process has found.
    async fn note_losses(&mut self) -> Result<(), ReaderError> {
        let lost = *self.lost.borrow();
        if lost != self.noted {
            note_loss(self.store.as_ref(), self.lane).await?;
            self.noted = lost;
        }
        Ok(())
    }

    /// Redrives until no noted loss is left: the queue may be lost again during a redrive.
    async fn make_losses_good(&mut self) -> Result<(), ReaderError> {
        loop {
            self.note_losses().await?;
            let (noted, made_good) = loss_keys(self.lane);
            let loss = self.store.installation_get(noted).await?;
            if loss == self.made_good {
                return Ok(());
            }
            self.redrive_upto(self.position).await?;
            if let Some(loss) = &loss {
                self.store.installation_set(made_good, loss).await?;
            }
            self.made_good = loss;
        }
    }

    /// Republishes work that is still open although it was opened well before the last delivered message, or although the
    /// queue is empty: a queue may be lost, and then the process that should have refilled it.
    async fn sweep(&mut self) -> Result<(), ReaderError> {
        let now = self.wall.now();
        let every = u64::try_from(SWEEP_EVERY.as_micros()).unwrap_or(u64::MAX);
        // A clock that was set back must not suspend the sweep until it catches up.
        if now >= self.swept_at && now.micros_since(self.swept_at) < every {
            return Ok(());
        }
        self.swept_at = now;
        let delivered = self.broker.last_delivered();
        let mark = match self.lane {
            Lane::Interactive => delivered.interactive,
            Lane::Bulk => delivered.bulk,
        };
        let Some(passed) = (if self.is_drained().await { Some(now) } else { mark }) else {
            return Ok(());
        };
        let lost_after_us = i64::try_from(LOST_AFTER.as_micros()).unwrap_or(i64::MAX);
        // By when this attempt was queued, not when the payment was last touched: it may be touched indefinitely. Work
        // that this reader has yet to read from the journal is not lost.
        let lost = Timestamp::from_micros(passed.micros().saturating_sub(lost_after_us));
        let read_until = end_of(self.store.as_ref(), self.position).await?;
        add(&self.counters.redriven, self.redrive(lost.min(read_until)).await?);
        Ok(())
    }

    /// Whether this lane's queue is empty and this process has nothing in flight.
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
        match error {
            // The adapter has already noted these.
            BrokerError::Down(_)
            | BrokerError::Blocked(_)
            | BrokerError::NotAccepted { .. }
            | BrokerError::Unconfirmed(_)
            | BrokerError::Closed => Self::Expected(error.to_string()),
            BrokerError::Settings(_) => Self::Broken(error.to_string()),
        }
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
        if self.broker.is_durable() {
            self.position = stored;
            self.made_good = self.store.installation_get(loss_keys(self.lane).1).await?;
            // Before anything is published, or it would be published twice.
            self.make_losses_good().await?;
        } else if !self.redriven {
            // The queue of the last process is gone; the store knows what was in it.
            self.redrive_upto(head).await?;
            (self.redriven, self.position) = (true, head);
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
        let before = self.position;
        self.position = batches.last().map_or(before, |batch| batch.seq);
        let whole = (before + 1..).zip(batches).all(|(seq, batch)| batch.seq == seq);
        if !whole {
            // A row of the journal could not be read; the payments show what it opened.
            self.redrive_upto(self.position).await.inspect_err(|_| self.position = before)?;
        }
        Ok(())
    }

    async fn pass_over(&mut self, upto: u64) -> Result<(), ReaderError> {
        self.redrive_upto(upto).await?;
        self.position = upto;
        Ok(())
    }

    async fn tick(&mut self) -> Result<(), ReaderError> {
        if self.broker.is_durable() {
            self.make_losses_good().await?;
        }
        self.sweep().await
    }

    async fn stand_by(&mut self) -> Result<(), ReaderError> {
        // The dispatching process fills the queue that this one recreated.
        self.note_losses().await
    }

    async fn recovers(&self) {
        let mut health = self.broker.health();
        if *health.borrow_and_update() == BrokerHealth::Up {
            // It failed for another reason.
            return std::future::pending().await;
        }
        // A broker that is gone for good reports no more changes.
        if health.wait_for(|health| *health == BrokerHealth::Up).await.is_err() {
            std::future::pending().await
        }
    }

    fn safe(&self) -> u64 {
        self.position
    }
}
