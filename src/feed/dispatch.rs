//! Dispatch: puts the work that batches opened into the broker's queues, and redrives from the store what a queue that
//! does not outlive the process, or was lost, cannot know of. One reader per lane.
//!
//! The loss of a queue is noticed by whichever process makes it anew, and made good by the one that dispatches. So losses are
//! counted by the broker and compared with the count that was noted here; a noted loss is a word in the store, and stands until
//! some dispatch has said that it is made good. Nothing depends on who listened when, and a crash half way only repeats the redrive.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::batch::Batch;
use super::follower::{Reader, ReaderError};
use super::page::Page;
use crate::broker::{Broker, BrokerError, BrokerHealth, WorkMessage};
use crate::domain::ids::BatchId;
use crate::domain::payment::{Operation, Payment, WorkKey};
use crate::domain::submission::Lane;
use crate::domain::time::Timestamp;
use crate::engine::Counters;
use crate::engine::writer::Clock;
use crate::store::Store;

/// The names of the cursors and leases, one reader per lane: a full queue in one must not hold up the other.
pub const NAMES: [&str; 2] = ["dispatch_interactive", "dispatch_bulk"];
/// Messages per publish; a barrier follows each.
const PUBLISH_MAX: usize = 512;
/// Payments read at once by a redrive, and about how many bytes they may hold.
const REDRIVE_PAGE: Page = Page { rows_max: 512, bytes_max: 4 << 20 };
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
        clock: Clock,
        counters: Arc<Counters>,
    ) -> Self {
        let lost = broker.topology_lost();
        let belt_at = clock();
        Self {
            lane,
            store,
            broker,
            clock,
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
            self.counters.messages.add(chunk.len());
        }
        Ok(())
    }

    fn message(&self, key: WorkKey) -> WorkMessage {
        WorkMessage { key, lane: self.lane, dispatched_at: (self.clock)(), traceparent: None }
    }

    /// Publishes all open work that was opened at or before `upto` and fits `wanted`; of what was opened later, the journal
    /// tells. By keyset, so bounded in memory.
    async fn redrive(&self, upto: u64, wanted: impl Fn(&Operation) -> bool) -> Result<usize, ReaderError> {
        let mut after = (0, None);
        let mut count = 0;
        let mut rows = REDRIVE_PAGE.first();
        loop {
            let page = self.store.work_open(after, rows).await?;
            rows = REDRIVE_PAGE.next(page.iter().map(|open| open.payment.memory_bytes()));
            let Some(last) = page.last() else {
                break;
            };
            after = (last.seq, Some(last.payment.id()));
            let messages: Vec<WorkMessage> = page
                .iter()
                .filter(|open| open.lane() == self.lane && open.seq <= upto)
                .filter(|open| !self.store.aside().holds(open.payment.id()))
                .flat_map(|open| self.messages(&open.payment, &wanted))
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
        Ok(count)
    }

    /// Messages for those of a payment's queued operations that fit `wanted`.
    fn messages(
        &self,
        payment: &Payment,
        wanted: impl Fn(&Operation) -> bool,
    ) -> impl Iterator<Item = WorkMessage> {
        payment
            .queued_operations()
            .filter(move |operation| wanted(operation))
            .map(|operation| self.message(payment.work_of(operation)))
    }

    /// Leaves word in the store of losses that this process has found.
    async fn note_losses(&mut self) -> Result<(), ReaderError> {
        let lost = *self.lost.borrow();
        if lost != self.noted {
            // Any value that was never there before.
            let word = BatchId::generate();
            self.store.installation_set(self.names().0, word.as_bytes()).await?;
            self.noted = lost;
        }
        Ok(())
    }

    /// Redrives until no loss is left that was not made good: the queue may be lost again meanwhile.
    async fn make_losses_good(&mut self) -> Result<(), ReaderError> {
        loop {
            self.note_losses().await?;
            let (noted, made_good) = self.names();
            let word = self.store.installation_get(noted).await?;
            if word == self.made_good {
                return Ok(());
            }
            self.redrive(self.position, |_| true).await?;
            if let Some(word) = &word {
                self.store.installation_set(made_good, word).await?;
            }
            self.made_good = word;
        }
    }

    /// Under which names the installation keeps the last loss, and the last that was made good.
    const fn names(&self) -> (&'static str, &'static str) {
        match self.lane {
            Lane::Interactive => ("interactive_queue_lost", "interactive_queue_redriven"),
            Lane::Bulk => ("bulk_queue_lost", "bulk_queue_redriven"),
        }
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
        // Since when this attempt waits, not since when the payment was last touched: it may be touched for ever.
        let lost = |operation: &Operation| passed.micros_since(operation.queued_at) > belt_us;
        self.counters.belted.add(self.redrive(self.position, lost).await?);
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
            self.made_good = self.store.installation_get(self.names().1).await?;
            // Before anything is published, or it would be published twice.
            self.make_losses_good().await?;
        } else if !self.redriven {
            // The queue of the last process is gone; the store knows what was in it.
            self.redrive(head, |_| true).await?;
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
            self.redrive(self.position, |_| true).await.inspect_err(|_| self.position = before)?;
        }
        Ok(())
    }

    async fn tick(&mut self) -> Result<(), ReaderError> {
        if self.broker.is_durable() {
            self.make_losses_good().await?;
        }
        self.belt().await
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
