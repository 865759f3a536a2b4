//! The work queue between dispatch and the workers, and the broadcast between instances: the port.
//!
//! It may depend on the domain only. Adapters live in [`embedded`] and [`rabbitmq`]; nothing but the composition root
//! names them. A message carries ids, never amounts, names or card data: what it means is read from the store.
//!
//! What every adapter promises:
//!
//! - **At least once.** What [`Broker::publish`] answered `Ok` for is delivered until somebody acknowledges it, as far as
//!   [`Broker::is_durable`] goes. A message may come twice; an attempt that is already answered is a no-op for its reader.
//! - **Nothing is acknowledged twice, or by accident.** [`Delivery::ack`] consumes the delivery; one that is dropped unsettled
//!   goes back to the queue.
//! - **Two lanes.** A flood on [`Lane::Bulk`] never holds up [`Lane::Interactive`], nor the other way round.
//! - **Bounded.** Queues, prefetch, broadcast and buffers all have a limit.

mod broadcast;
pub mod embedded;
mod lanes;
pub mod rabbitmq;
pub mod settings;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;

use crate::domain::payment::WorkKey;
use crate::domain::submission::Lane;
use crate::domain::time::Timestamp;
use crate::setting::InvalidSetting;

pub use broadcast::{BroadcastEvent, BroadcastReceiver};

/// One unit of work on the wire: ids only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkMessage {
    /// Which attempt of which operation.
    pub key: WorkKey,
    /// Which queue it travels in.
    pub lane: Lane,
    /// When dispatch handed it to the broker.
    pub dispatched_at: Timestamp,
    /// W3C trace context of the request that caused it; travels in the headers.
    pub traceparent: Option<String>,
}

/// What becomes of a delivered message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settlement {
    /// Done: the queue forgets it.
    Ack,
    /// Not done: the queue delivers it again.
    Requeue,
    /// It can never be done: it goes to the dead-letter queue.
    Reject,
}

/// Receives a worker's outcome for a delivery, on behalf of an adapter. Must not block.
pub(crate) trait AckSink: Send + Sync {
    /// Notes the outcome of the delivery with this tag; a tag that is no longer known is ignored.
    fn settle(&self, tag: u64, message: &WorkMessage, outcome: Settlement);
}

/// A message in the hands of this process. Dropping it without [`Delivery::ack`] gives it back to the queue, so that a worker
/// that panics or is cancelled loses nothing.
pub struct Delivery {
    /// What is to be done.
    pub message: WorkMessage,
    /// Whether the broker has delivered it before, to anyone.
    pub redelivered: bool,
    tag: u64,
    sink: Option<Arc<dyn AckSink>>,
    held: Held,
}

impl Delivery {
    pub(crate) fn new(
        message: WorkMessage,
        redelivered: bool,
        tag: u64,
        sink: Arc<dyn AckSink>,
        held: Held,
    ) -> Self {
        held.0.fetch_add(1, Ordering::Relaxed);
        Self { message, redelivered, tag, sink: Some(sink), held }
    }

    /// Done with it. Never blocks; after a reconnect it does nothing, because the broker has already taken the message back.
    pub fn ack(mut self) {
        self.settle(Settlement::Ack);
    }

    /// Gives it back, to be delivered again, and soon: this is no way to wait for something. Never blocks.
    pub fn requeue(mut self) {
        self.settle(Settlement::Requeue);
    }

    fn settle(&mut self, outcome: Settlement) {
        if let Some(sink) = self.sink.take() {
            sink.settle(self.tag, &self.message, outcome);
        }
    }

    pub(crate) fn is_from(&self, sink: &Arc<impl AckSink>) -> bool {
        self.sink.as_ref().is_some_and(|own| std::ptr::addr_eq(Arc::as_ptr(own), Arc::as_ptr(sink)))
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.settle(Settlement::Requeue);
        self.held.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("message", &self.message)
            .field("redelivered", &self.redelivered)
            .finish_non_exhaustive()
    }
}

/// Counts the deliveries that are alive.
#[derive(Debug, Clone, Default)]
pub(crate) struct Held(Arc<AtomicU64>);

impl Held {
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How much is waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Depth {
    /// Messages of the interactive lane that no worker holds yet.
    pub interactive: u64,
    /// Messages of the bulk lane that no worker holds yet.
    pub bulk: u64,
    /// Messages that this process's workers have received and not settled.
    pub in_flight: u64,
}

/// The `dispatched_at` of the youngest message delivered for the first time, per lane. Queues are first in, first out, so what was
/// dispatched well before it and is still open has been lost on the way: the redrive sweep sends it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LastDelivered {
    /// On the interactive lane; `None` until something was delivered.
    pub interactive: Option<Timestamp>,
    /// On the bulk lane.
    pub bulk: Option<Timestamp>,
}

/// Whether the broker can be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerHealth {
    /// Publishing and consuming work.
    Up,
    /// Not connected, or only half: the supervisor is trying.
    Down {
        /// Since when.
        since: Timestamp,
        /// Why, for people. Holds no credentials.
        cause: String,
    },
    /// The broker refuses messages because it is short of memory or disk; consuming goes on.
    Blocked {
        /// Since when.
        since: Timestamp,
        /// What the broker said.
        cause: String,
    },
}

/// Why a broker could not do what was asked. After any error from [`Broker::publish`] the fate of the messages is unknown:
/// send them again, duplicates are harmless.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokerError {
    /// No connection at the moment.
    #[error("the broker cannot be reached: {0}")]
    Down(String),
    /// The broker is short of memory or disk and takes no messages.
    #[error("the broker takes no messages: {0}")]
    Blocked(String),
    /// Messages had no queue to go to, or the broker refused them; the queues are being checked.
    #[error("the broker did not take {count} of {total} messages")]
    NotAccepted {
        /// How many, at least.
        count: usize,
        /// Of how many in the batch.
        total: usize,
    },
    /// The broker did not confirm in time, or the connection ended before it did.
    #[error("the broker did not confirm: {0}")]
    Unconfirmed(String),
    /// [`Broker::close`] was called.
    #[error("the broker is closed")]
    Closed,
    /// The settings cannot work, whatever the broker does.
    #[error("broker.{0}")]
    Settings(InvalidSetting),
}

/// Records durably that the contents of a work queue were lost.
#[async_trait]
pub trait LossKeeper: fmt::Debug + Send + Sync + 'static {
    /// A work queue is missing; it is created only once this has returned `Ok`. Anyone who finds an empty queue can therefore rely
    /// on its loss being recorded, even if the process that created it was killed a moment later.
    ///
    /// # Errors
    /// Why it could not be recorded, for the log; it is called again soon.
    async fn queue_missing(&self) -> Result<(), String>;
}

/// The port.
#[async_trait]
pub trait Broker: Send + Sync + 'static {
    /// Hands over all messages; they are delivered roughly, but not exactly, in this order. `Ok` only when every one is durably
    /// accepted. Waits for room (embedded) or for confirms (RabbitMQ), and fails at once while the broker is down or blocked.
    /// Do not cancel it without need: that leaves the fate of the messages unknown, and RabbitMQ has to reconnect.
    ///
    /// # Errors
    /// Any [`BrokerError`]; the caller sends the whole batch again.
    async fn publish(&self, messages: &[WorkMessage]) -> Result<(), BrokerError>;

    /// Waits for at least one delivery and returns those at hand, up to `max`. Fair between lanes. Safe to cancel, and to call
    /// from several tasks. While the broker is down or paused it waits.
    ///
    /// # Errors
    /// [`BrokerError::Closed`] once [`Broker::close`] was called.
    async fn receive(&self, max: usize) -> Result<Vec<Delivery>, BrokerError>;

    /// Whether the queue survives this process. If not, the application redrives open operations from the store at start.
    fn is_durable(&self) -> bool;

    /// Stops taking deliveries; returns once the messages that no worker holds are back in the queue, where they count as waiting
    /// and others can take them. What workers hold stays theirs to settle.
    async fn pause(&self);

    /// Starts taking deliveries again.
    async fn resume(&self);

    /// How much is waiting.
    ///
    /// # Errors
    /// [`BrokerError::Down`] or [`BrokerError::Closed`].
    async fn depth(&self) -> Result<Depth, BrokerError>;

    /// Sends one transient message to every instance, this one included. Best effort: dropped while the broker is down or slow.
    /// A receiver that misses a message gets [`BroadcastEvent::Gap`] when the next one comes.
    async fn broadcast_publish(&self, body: Bytes);

    /// A new reader of the broadcast, from now on. Bounded: one that falls behind gets [`BroadcastEvent::Gap`].
    fn broadcast_subscribe(&self) -> BroadcastReceiver;

    /// Whether the broker can be used, now and in future.
    fn health(&self) -> watch::Receiver<BrokerHealth>;

    /// Counts how often a work queue was found missing and was created empty without a [`LossKeeper`] recording it. Each change
    /// asks the application to redrive open operations from the store. Creating the queues for the first time counts too.
    fn topology_lost(&self) -> watch::Receiver<u64>;

    /// How far delivery has come.
    fn last_delivered(&self) -> LastDelivered;

    /// Stops taking work, sends what was acknowledged, gives back the rest and disconnects, within the deadline. Acknowledge
    /// before closing; what is acknowledged later is delivered again to somebody.
    async fn close(&self, deadline: Duration);
}

/// [`LastDelivered`], shared between tasks.
#[derive(Debug, Default)]
pub(crate) struct DeliveryMarks {
    interactive_micros: AtomicU64,
    bulk_micros: AtomicU64,
}

impl DeliveryMarks {
    /// Notes what a worker got. A redelivered message says nothing about how far the queue has come.
    pub(crate) fn note(&self, deliveries: &[Delivery]) {
        for delivery in deliveries.iter().filter(|delivery| !delivery.redelivered) {
            let mark = match delivery.message.lane {
                Lane::Interactive => &self.interactive_micros,
                Lane::Bulk => &self.bulk_micros,
            };
            let micros = u64::try_from(delivery.message.dispatched_at.micros()).unwrap_or(0);
            mark.fetch_max(micros, Ordering::Relaxed);
        }
    }

    pub(crate) fn get(&self) -> LastDelivered {
        let read = |mark: &AtomicU64| match mark.load(Ordering::Relaxed) {
            0 => None,
            micros => Some(Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))),
        };
        LastDelivered { interactive: read(&self.interactive_micros), bulk: read(&self.bulk_micros) }
    }
}
