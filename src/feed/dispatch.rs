//! Dispatch: puts the work that batches opened into the broker's queues, and redrives from the store what a queue that
//! does not outlive the process, or was lost, cannot know of. One reader per lane.
//!
//! The loss of a queue is noticed by whichever process makes it anew, and made good by the one that dispatches. So a loss is a
//! word in the store, which stands until some dispatch has said that it is made good. The broker leaves it before it makes the queue
//! ([`NotedLosses`]); what it could not tell of that way it counts, and the count is compared here. Nothing depends on who listened
//! when, and a crash, wherever, only repeats the redrive.

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
use crate::store::{Store, StoreResult};

/// The names of the cursors and leases, one reader per lane: a full queue in one must not hold up the other.
pub const NAMES: [&str; 2] = ["dispatch_interactive", "dispatch_bulk"];
/// Messages per publish; a barrier follows each.
const PUBLISH_MAX: usize = 512;
/// Work dispatched so long before the last message delivered, and still open, has been lost on the way.
const BELT_AFTER: Duration = Duration::from_secs(60);
/// How often the redrive sweep looks.
const BELT_EVERY: Duration = Duration::from_secs(30);

/// Keeps the losses of work queues in the store, where whoever dispatches finds them.
pub struct NotedLosses(pub Arc<dyn Store>);

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

/// Leaves word of a loss: any value that was never there before.
async fn note_loss(store: &dyn Store, lane: Lane) -> StoreResult<()> {
    store.installation_set(names_of(lane).0, BatchId::generate().as_bytes()).await
}

/// Under which names the installation keeps the last loss, and the last that was made good.
const fn names_of(lane: Lane) -> (&'static str, &'static str) {
    match lane {
        Lane::Interactive => ("interactive_queue_lost", "interactive_queue_redriven"),
        Lane::Bulk => ("bulk_queue_lost", "bulk_queue_redriven"),
    }
}

/// The dispatching reader.
pub struct Dispatch {
    lane: Lane,
    store: Arc<dyn Store>,
    broker: Arc<dyn Broker>,
    wall: Wall,
    counters: Arc<Counters>,
    lost: watch::Receiver<u64>,
    /// How many losses have been noted in the store. None at the start, whatever had happened by then.
    noted: u64,
    /// The noted loss that was made good last.
    made_good: Option<Vec<u8>>,
    position: u64,
    /// Whether a queue that lives in this process has been given what the last process left. From then on it holds what
    /// was published up to `position`, whatever else fails.
    redriven: bool,
    belt_at: Timestamp,
}

impl Dispatch {
    /// A dispatching reader.
    #[must_use]
    pub fn new(
        lane: Lane,
        store: Arc<dyn Store>,
        broker: Arc<dyn Broker>,
        wall: Wall,
        counters: Arc<Counters>,
    ) -> Self {
        let lost = broker.topology_lost();
        let belt_at = wall.now();
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
            belt_at,
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

    /// Publishes all that came into the queue before a moment; of what came later, the journal tells. Bounded in memory.
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

    /// Publishes all that was opened at or before a place.
    async fn redrive_upto(&self, place: u64) -> Result<(), ReaderError> {
        let before = end_of(self.store.as_ref(), place).await?;
        self.redrive(before).await.map(drop)
    }

    /// Leaves word in the store of losses that this process has found.
    async fn note_losses(&mut self) -> Result<(), ReaderError> {
        let lost = *self.lost.borrow();
        if lost != self.noted {
            note_loss(self.store.as_ref(), self.lane).await?;
            self.noted = lost;
        }
        Ok(())
    }

    /// Redrives until no loss is left that was not made good: the queue may be lost again meanwhile.
    async fn make_losses_good(&mut self) -> Result<(), ReaderError> {
        loop {
            self.note_losses().await?;
            let (noted, made_good) = names_of(self.lane);
            let word = self.store.installation_get(noted).await?;
            if word == self.made_good {
                return Ok(());
            }
            self.redrive_upto(self.position).await?;
            if let Some(word) = &word {
                self.store.installation_set(made_good, word).await?;
            }
            self.made_good = word;
        }
    }

    /// Sends again what is still open though it was opened well before the last message that was delivered, or though the
    /// queue has nothing any more: a queue may be lost, and then the process that should have filled it again.
    async fn sweep(&mut self) -> Result<(), ReaderError> {
        let now = self.wall.now();
        let every = u64::try_from(BELT_EVERY.as_micros()).unwrap_or(u64::MAX);
        // A clock that was put back must not keep it from looking until it is again as late as it was.
        if now >= self.belt_at && now.micros_since(self.belt_at) < every {
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
        let belt_us = i64::try_from(BELT_AFTER.as_micros()).unwrap_or(i64::MAX);
        // Since when this attempt waits, not since when the payment was last touched: it may be touched for ever. What the
        // journal is still to tell is not lost.
        let lost = Timestamp::from_micros(passed.micros().saturating_sub(belt_us));
        let told = end_of(self.store.as_ref(), self.position).await?;
        add(&self.counters.redriven, self.redrive(lost.min(told)).await?);
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
        match error {
            // The adapter has noted these.
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
            self.made_good = self.store.installation_get(names_of(self.lane).1).await?;
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
            // A row of the journal could not be read; what it opened stands with the payments.
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
        // The queue that this process made anew is filled by the one that dispatches.
        self.note_losses().await
    }

    async fn recovers(&self) {
        let mut health = self.broker.health();
        if *health.borrow_and_update() == BrokerHealth::Up {
            // It failed for another reason than that.
            return std::future::pending().await;
        }
        // A broker that is gone for good tells of no more changes.
        if health.wait_for(|health| *health == BrokerHealth::Up).await.is_err() {
            std::future::pending().await
        }
    }

    fn safe(&self) -> u64 {
        self.position
    }
}
