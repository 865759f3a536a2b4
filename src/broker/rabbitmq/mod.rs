//! The broker on RabbitMQ. It may depend on the port, the domain, `background` and lapin.
//!
//! Two connections, each with a supervisor of its own (`supervisor`): one publishes (`publisher`), one consumes (`consumer`, one
//! `channel` at a time). `ack_window` decides which acknowledgements are sent and in which order; names, queues and their arguments
//! are in `topology`. docs/broker.md says what happens when something fails.

mod ack_window;
mod broadcast;
mod channel;
mod codec;
mod consumer;
mod health;
mod pipeline;
mod probe;
mod publisher;
mod supervisor;
mod topology;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use lapin::Connection;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::broadcast::Broadcast;
use self::health::{HealthBoard, Link, LinkState};
use self::publisher::PublishSession;
use self::supervisor::ServerUri;
use self::topology::TopologyNames;
use super::lanes::LaneQueue;
use super::settings::BrokerSettings;
use super::{
    BroadcastReceiver, Broker, BrokerError, BrokerHealth, Delivery, DeliveryMarks, Depth, Held,
    LastDelivered, LossKeeper, WorkMessage,
};
use crate::background::Tasks;
use crate::clock::Wall;
use crate::domain::ids::InstanceId;
use crate::setting::InvalidSetting;

/// The names of the supervisors among the tasks of the process.
const PUBLISH_TASK: &str = "rabbitmq_publish";
const CONSUME_TASK: &str = "rabbitmq_consume";

/// What both connections and the port share.
#[derive(Debug)]
struct Shared {
    settings: BrokerSettings,
    uri: ServerUri,
    names: TopologyNames,
    instance: InstanceId,
    health: HealthBoard,
    lost: watch::Sender<u64>,
    /// Notified before a work queue is made where one is missing.
    keeper: Option<Arc<dyn LossKeeper>>,
    closing: CancellationToken,
    /// Held while the topology is declared.
    declaring: tokio::sync::Mutex<()>,
    /// Held while a batch is published.
    publishing: tokio::sync::Mutex<()>,
    publish_session: Mutex<Option<Arc<PublishSession>>>,
    /// Something was not accepted: the queues have to be checked.
    repair: Notify,
    /// Whether deliveries are to be taken, and how many channels take them.
    wanted: watch::Sender<bool>,
    consuming: watch::Sender<usize>,
    consume_connection: Mutex<Option<Arc<Connection>>>,
    /// Deliveries that no worker holds yet; bounded by the prefetch.
    inbox: LaneQueue<Delivery>,
    held: Held,
    broadcast: Broadcast,
    broadcast_rounds: AtomicU64,
    wall: Wall,
}

/// The RabbitMQ adapter.
#[derive(Debug)]
pub struct RabbitMqBroker {
    shared: Arc<Shared>,
    marks: DeliveryMarks,
    tasks: TaskTracker,
}

impl RabbitMqBroker {
    /// Starts connecting in the background and returns at once: [`Broker::health`] shows a server that is unavailable.
    /// Needs a running tokio runtime.
    ///
    /// # Errors
    /// [`BrokerError::Settings`].
    pub fn start(settings: BrokerSettings, instance: InstanceId, wall: Wall) -> Result<Self, BrokerError> {
        let tasks = Tasks::new(wall.clone());
        Self::start_kept(settings, instance, wall, None, &tasks)
    }

    /// The same, with a [`LossKeeper`], and listed among these tasks.
    ///
    /// # Errors
    /// [`BrokerError::Settings`].
    pub fn start_kept(
        settings: BrokerSettings,
        instance: InstanceId,
        wall: Wall,
        keeper: Option<Arc<dyn LossKeeper>>,
        listed: &Tasks,
    ) -> Result<Self, BrokerError> {
        settings.validate().map_err(BrokerError::Settings)?;
        let (heartbeat, limit) = (settings.heartbeat_s, settings.connect_timeout_ms);
        let uri = ServerUri::parse(settings.url.expose(), heartbeat, limit)
            .map_err(|cause| BrokerError::Settings(InvalidSetting::new("url", cause)))?;
        let feed_capacity = usize::try_from(settings.feed_capacity).unwrap_or(usize::MAX);
        let shared = Arc::new(Shared {
            names: TopologyNames::new(&settings.prefix),
            uri,
            instance,
            health: HealthBoard::new(wall.now()),
            wall,
            lost: watch::Sender::new(0),
            keeper,
            closing: CancellationToken::new(),
            declaring: tokio::sync::Mutex::new(()),
            publishing: tokio::sync::Mutex::new(()),
            publish_session: Mutex::new(None),
            repair: Notify::new(),
            wanted: watch::Sender::new(true),
            consuming: watch::Sender::new(0),
            consume_connection: Mutex::new(None),
            inbox: LaneQueue::new(usize::try_from(settings.prefetch).unwrap_or(usize::MAX)),
            held: Held::default(),
            broadcast: Broadcast::new(instance, feed_capacity),
            broadcast_rounds: AtomicU64::new(0),
            settings,
        });
        let tasks = TaskTracker::new();
        let (closing, kept) = (&shared.closing, shared.clone());
        let publish = move || supervisor::supervise(kept.clone(), Link::Publish, publisher::session);
        tasks.spawn(listed.register(PUBLISH_TASK).keep(closing.clone(), publish));
        let kept = shared.clone();
        let consume = move || supervisor::supervise(kept.clone(), Link::Consume, consumer::session);
        tasks.spawn(listed.register(CONSUME_TASK).keep(closing.clone(), consume));
        tasks.close();
        Ok(Self { shared, marks: DeliveryMarks::default(), tasks })
    }
}

#[async_trait]
impl Broker for RabbitMqBroker {
    async fn publish(&self, messages: &[WorkMessage]) -> Result<(), BrokerError> {
        publisher::publish(&self.shared, messages).await
    }

    async fn receive(&self, max: usize) -> Result<Vec<Delivery>, BrokerError> {
        let deliveries = self.shared.inbox.pop(max).await.map_err(|_| BrokerError::Closed)?;
        self.marks.note(&deliveries);
        Ok(deliveries)
    }

    fn is_durable(&self) -> bool {
        true
    }

    async fn pause(&self) {
        self.shared.wanted.send_replace(false);
        let mut consuming = self.shared.consuming.subscribe();
        let all_stopped = consuming.wait_for(|count| *count == 0);
        // Past this, the connection is as good as gone, and its messages are back in the queue with it.
        let _ = timeout(self.shared.settings.connect_timeout(), all_stopped).await;
    }

    async fn resume(&self) {
        self.shared.wanted.send_replace(true);
    }

    async fn depth(&self) -> Result<Depth, BrokerError> {
        if self.shared.closing.is_cancelled() {
            return Err(BrokerError::Closed);
        }
        let connection = self.shared.consume_connection.lock().clone();
        let connection = connection.ok_or_else(|| BrokerError::Down("connecting".to_owned()))?;
        let limit = self.shared.settings.connect_timeout();
        let ready = topology::ready(&connection, &self.shared.names, limit).await;
        let ready = ready.map_err(BrokerError::Down)?;
        let (interactive, bulk) =
            ready.ok_or_else(|| BrokerError::Down("a work queue is missing".to_owned()))?;
        let (inbox_interactive, inbox_bulk) = self.shared.inbox.len();
        let count = |items: usize| u64::try_from(items).unwrap_or(u64::MAX);
        Ok(Depth {
            interactive: u64::from(interactive) + count(inbox_interactive),
            bulk: u64::from(bulk) + count(inbox_bulk),
            in_flight: self.shared.held.count().saturating_sub(count(inbox_interactive + inbox_bulk)),
        })
    }

    async fn broadcast_publish(&self, body: Bytes) {
        let connected = self.shared.health.link(Link::Publish) == LinkState::Up;
        self.shared.broadcast.send(&body, connected);
    }

    fn broadcast_subscribe(&self) -> BroadcastReceiver {
        self.shared.broadcast.subscribe(self.shared.closing.clone())
    }

    fn health(&self) -> watch::Receiver<BrokerHealth> {
        self.shared.health.subscribe()
    }

    fn topology_lost(&self) -> watch::Receiver<u64> {
        self.shared.lost.subscribe()
    }

    fn last_delivered(&self) -> LastDelivered {
        self.marks.get()
    }

    async fn close(&self, deadline: Duration) {
        self.shared.closing.cancel();
        drop(self.shared.inbox.close());
        if timeout(deadline, self.tasks.wait()).await.is_err() {
            tracing::warn!("RabbitMQ connections did not close in time");
        }
    }
}

impl Drop for RabbitMqBroker {
    fn drop(&mut self) {
        // Without close(), the tasks end by themselves.
        self.shared.closing.cancel();
    }
}
