//! The embedded broker: a bounded queue in this process. It may depend on the port and the domain; it does no I/O and
//! starts no tasks. Nothing survives the process, so the application redrives open operations from the store at start.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;

use super::lanes::LaneQueue;
use super::settings::BrokerSettings;
use super::{
    AckSink, BroadcastEvent, BroadcastReceiver, Broker, BrokerError, BrokerHealth, Delivery, DeliveryMarks,
    Depth, Held, LastDelivered, Settlement, WorkMessage,
};
use crate::domain::submission::Lane;

/// A message waiting in the queue.
#[derive(Debug)]
struct Waiting {
    message: WorkMessage,
    redelivered: bool,
}

/// The queue, as a delivery sees it.
#[derive(Debug)]
struct Queue(LaneQueue<Waiting>);

impl AckSink for Queue {
    fn settle(&self, _tag: u64, message: &WorkMessage, outcome: Settlement) {
        match outcome {
            // Room or not: the message was in the queue before, and as many as are in flight can come back.
            Settlement::Requeue => {
                let waiting = Waiting { message: message.clone(), redelivered: true };
                self.0.push_now(message.lane, [waiting]);
            }
            Settlement::Ack | Settlement::Reject => {}
        }
    }
}

/// The embedded adapter.
#[derive(Debug)]
pub struct EmbeddedBroker {
    queue: Arc<Queue>,
    held: Held,
    marks: DeliveryMarks,
    broadcast: broadcast::Sender<BroadcastEvent>,
    health: watch::Sender<BrokerHealth>,
    lost: watch::Sender<u64>,
    closed: CancellationToken,
}

impl EmbeddedBroker {
    /// An empty queue of the size the settings say.
    ///
    /// # Errors
    /// [`BrokerError::Settings`].
    pub fn new(settings: &BrokerSettings) -> Result<Self, BrokerError> {
        settings.validate().map_err(BrokerError::Settings)?;
        Ok(Self {
            queue: Arc::new(Queue(LaneQueue::new(settings.queue_capacity))),
            held: Held::default(),
            marks: DeliveryMarks::default(),
            broadcast: broadcast::Sender::new(1),
            health: watch::Sender::new(BrokerHealth::Up),
            lost: watch::Sender::new(0),
            closed: CancellationToken::new(),
        })
    }
}

#[async_trait]
impl Broker for EmbeddedBroker {
    async fn publish(&self, messages: &[WorkMessage]) -> Result<(), BrokerError> {
        // Interactive first, so that within a batch nobody waits for room in the bulk lane.
        for lane in [Lane::Interactive, Lane::Bulk] {
            for message in messages.iter().filter(|message| message.lane == lane) {
                let waiting = Waiting { message: message.clone(), redelivered: false };
                self.queue.0.push(lane, waiting).await.map_err(|_| BrokerError::Closed)?;
            }
        }
        Ok(())
    }

    async fn receive(&self, max: usize) -> Result<Vec<Delivery>, BrokerError> {
        let taken = self.queue.0.pop(max).await.map_err(|_| BrokerError::Closed)?;
        let deliver = |waiting: Waiting| {
            let sink: Arc<dyn AckSink> = self.queue.clone();
            Delivery::new(waiting.message, waiting.redelivered, 0, sink, self.held.clone())
        };
        let deliveries: Vec<Delivery> = taken.into_iter().map(deliver).collect();
        self.marks.note(&deliveries);
        Ok(deliveries)
    }

    fn is_durable(&self) -> bool {
        false
    }

    async fn pause(&self) {
        self.queue.0.set_paused(true);
    }

    async fn resume(&self) {
        self.queue.0.set_paused(false);
    }

    async fn depth(&self) -> Result<Depth, BrokerError> {
        let (interactive, bulk) = self.queue.0.len();
        let count = |items: usize| u64::try_from(items).unwrap_or(u64::MAX);
        Ok(Depth { interactive: count(interactive), bulk: count(bulk), in_flight: self.held.count() })
    }

    /// There is no other instance to notify.
    async fn broadcast_publish(&self, _body: Bytes) {}

    fn broadcast_subscribe(&self) -> BroadcastReceiver {
        BroadcastReceiver::new(self.broadcast.subscribe(), self.closed.clone())
    }

    fn health(&self) -> watch::Receiver<BrokerHealth> {
        self.health.subscribe()
    }

    fn topology_lost(&self) -> watch::Receiver<u64> {
        self.lost.subscribe()
    }

    fn last_delivered(&self) -> LastDelivered {
        self.marks.get()
    }

    async fn close(&self, _deadline: Duration) {
        self.closed.cancel();
        drop(self.queue.0.close());
    }
}
