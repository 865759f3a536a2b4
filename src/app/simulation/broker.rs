//! A work queue that delays, reorders, duplicates and loses what it has not confirmed, and that may outlive the process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::Sabotage;
use super::chance::Chance;
use crate::broker::embedded::EmbeddedBroker;
use crate::broker::settings::BrokerSettings;
use crate::broker::{
    AckSink, BroadcastReceiver, Broker, BrokerError, BrokerHealth, Delivery, DeliveryMarks, Depth, Held,
    LastDelivered, Settlement, WorkMessage,
};
use crate::domain::submission::Lane;
use crate::domain::time::Timestamp;

/// What the broker holds; outlives a simulated process where the broker is durable.
#[derive(Default)]
pub struct Queue {
    waiting: Vec<(WorkMessage, bool)>,
    unacked: BTreeMap<u64, WorkMessage>,
    tags: u64,
}

impl Queue {
    /// The process died: what it held is delivered again, or gone with the queue.
    pub fn crash(&mut self, durable: bool) {
        let held = std::mem::take(&mut self.unacked).into_values();
        self.waiting.extend(held.map(|message| (message, true)));
        if !durable {
            self.waiting.clear();
        }
    }
}

/// Receives the workers' acknowledgements.
struct Sink {
    queue: Arc<Mutex<Queue>>,
    chance: Chance,
    wake: Arc<Notify>,
}

impl AckSink for Sink {
    fn settle(&self, tag: u64, _message: &WorkMessage, outcome: Settlement) {
        let mut queue = self.queue.lock();
        let Some(message) = queue.unacked.remove(&tag) else {
            return;
        };
        // An acknowledgement may be lost with its connection.
        let forgotten = match outcome {
            Settlement::Ack | Settlement::Reject => !self.chance.breaks(50),
            Settlement::Requeue => false,
        };
        if !forgotten {
            queue.waiting.push((message, true));
            self.wake.notify_one();
        }
    }
}

/// The broker's health. A channel wakes its receivers in an order that cannot be repeated, so each listener has a channel
/// of its own and they are notified in the order in which they subscribed.
struct Health {
    now: BrokerHealth,
    listeners: Vec<watch::Sender<BrokerHealth>>,
}

impl Health {
    fn subscribe(&mut self) -> watch::Receiver<BrokerHealth> {
        self.listeners.retain(|listener| !listener.is_closed());
        let (listener, receiver) = watch::channel(self.now.clone());
        self.listeners.push(listener);
        receiver
    }

    fn set(&mut self, now: BrokerHealth) {
        self.now = now;
        for listener in &self.listeners {
            listener.send_replace(self.now.clone());
        }
    }
}

pub struct SimBroker {
    durable: bool,
    sink: Arc<Sink>,
    chance: Chance,
    sabotage: Sabotage,
    held: Held,
    marks: DeliveryMarks,
    lost: watch::Sender<u64>,
    health: Mutex<Health>,
    /// Only for its silent broadcast: readers ask the store for the head anyway.
    broadcast: EmbeddedBroker,
}

impl SimBroker {
    /// One process's connection to the queue. `wake` is shared by all of them.
    pub fn new(
        queue: Arc<Mutex<Queue>>,
        wake: Arc<Notify>,
        durable: bool,
        chance: Chance,
        sabotage: Sabotage,
    ) -> Self {
        let sink = Arc::new(Sink { queue, chance: chance.clone(), wake });
        Self {
            durable,
            sink,
            chance,
            sabotage,
            held: Held::default(),
            marks: DeliveryMarks::default(),
            lost: watch::Sender::new(0),
            health: Mutex::new(Health { now: BrokerHealth::Up, listeners: Vec::new() }),
            broadcast: EmbeddedBroker::new(&BrokerSettings::default()).expect("settings that work"),
        }
    }

    /// Takes no messages for a while, as a broker short of memory does.
    pub async fn block(self: Arc<Self>, time: Duration) {
        let (since, cause) = (Timestamp::default(), "simulated".to_owned());
        self.health.lock().set(BrokerHealth::Blocked { since, cause });
        tokio::time::sleep(time).await;
        self.health.lock().set(BrokerHealth::Up);
    }

    /// Someone deletes the queue; this process recreates it, empty, and reports that.
    pub fn lose_queue(&self) {
        let mut queue = self.sink.queue.lock();
        queue.waiting.clear();
        queue.unacked.clear();
        drop(queue);
        self.lost.send_modify(|lost| *lost += 1);
    }

    fn put(&self, message: &WorkMessage) {
        let mut queue = self.sink.queue.lock();
        queue.waiting.push((message.clone(), false));
        if self.chance.breaks(50) {
            queue.waiting.push((message.clone(), false));
        }
        drop(queue);
        self.sink.wake.notify_one();
    }

    /// Some of what waits, in any order.
    fn take(&self, max: usize) -> Vec<Delivery> {
        let mut queue = self.sink.queue.lock();
        let mut taken = Vec::new();
        while !queue.waiting.is_empty() && taken.len() < max && !(taken.len() > 1 && self.chance.percent(20))
        {
            let at = if self.chance.percent(50) { 0 } else { self.chance.index(queue.waiting.len()) };
            let (message, redelivered) = queue.waiting.remove(at);
            queue.tags += 1;
            let tag = queue.tags;
            queue.unacked.insert(tag, message.clone());
            taken.push(Delivery::new(message, redelivered, tag, self.sink.clone(), self.held.clone()));
        }
        drop(queue);
        self.marks.note(&taken);
        taken
    }
}

#[async_trait]
impl Broker for SimBroker {
    async fn publish(&self, messages: &[WorkMessage]) -> Result<(), BrokerError> {
        self.chance.delay().await;
        if let BrokerHealth::Blocked { cause, .. } = &self.health.lock().now {
            return Err(BrokerError::Blocked(cause.clone()));
        }
        if self.chance.breaks(20) {
            return Err(BrokerError::Down("simulated".to_owned()));
        }
        let unconfirmed = self.chance.breaks(20);
        for message in messages {
            // Unconfirmed means that some arrived and some did not; a defect would be to lose a confirmed one.
            let lost = (unconfirmed && self.chance.percent(50))
                || (self.sabotage == Sabotage::LostMessage && self.chance.percent(10));
            if !lost {
                self.put(message);
            }
        }
        self.chance.delay().await;
        if unconfirmed { Err(BrokerError::Unconfirmed("simulated".to_owned())) } else { Ok(()) }
    }

    async fn receive(&self, max: usize) -> Result<Vec<Delivery>, BrokerError> {
        loop {
            if self.chance.percent(30) {
                tokio::time::sleep(Duration::from_millis(1 + self.chance.below(20))).await;
            }
            let taken = self.take(max);
            if !taken.is_empty() {
                return Ok(taken);
            }
            self.sink.wake.notified().await;
        }
    }

    fn is_durable(&self) -> bool {
        self.durable
    }

    async fn pause(&self) {}

    async fn resume(&self) {}

    async fn depth(&self) -> Result<Depth, BrokerError> {
        let queue = self.sink.queue.lock();
        let count = |lane| {
            let waiting = queue.waiting.iter().filter(|(message, _)| message.lane == lane).count();
            u64::try_from(waiting).unwrap_or(u64::MAX)
        };
        Ok(Depth {
            interactive: count(Lane::Interactive),
            bulk: count(Lane::Bulk),
            in_flight: u64::try_from(queue.unacked.len()).unwrap_or(u64::MAX),
        })
    }

    async fn broadcast_publish(&self, _body: Bytes) {}

    fn broadcast_subscribe(&self) -> BroadcastReceiver {
        self.broadcast.broadcast_subscribe()
    }

    fn health(&self) -> watch::Receiver<BrokerHealth> {
        self.health.lock().subscribe()
    }

    fn topology_lost(&self) -> watch::Receiver<u64> {
        self.lost.subscribe()
    }

    fn last_delivered(&self) -> LastDelivered {
        self.marks.get()
    }

    async fn close(&self, _deadline: Duration) {}
}
