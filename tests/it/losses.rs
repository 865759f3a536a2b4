//! The work queue is lost: before dispatch listens, while it redrives, between two processes, and right before a crash. What was
//! open is redriven each time, by whichever process dispatches.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use paystorm::background::Tasks;
use paystorm::broker::embedded::EmbeddedBroker;
use paystorm::broker::rabbitmq::RabbitMqBroker;
use paystorm::broker::settings::BrokerSettings;
use paystorm::broker::{
    BroadcastReceiver, Broker, BrokerError, BrokerHealth, Delivery, Depth, LastDelivered, LossKeeper,
    WorkMessage,
};
use paystorm::clock::Wall;
use paystorm::domain::ids::{AccountId, InstanceId};
use paystorm::domain::submission::Lane;
use paystorm::readers::dispatch::{Dispatch, NotedLosses};
use paystorm::readers::follower::Reader;
use paystorm::store::Store;
use tokio::sync::watch;

use super::broker::rig::{Adapter, Rig, take, wait_until_up};
use super::engine::{charge, engine_on};
use crate::support::commands::counters;
use crate::support::stores;

/// A durable broker that takes everything, counts it, and loses its queue on request.
struct Losing {
    published: AtomicU64,
    /// Loses the queue in the middle of so many batches to come.
    loses_while_publishing: AtomicU64,
    lost: watch::Sender<u64>,
    health: watch::Sender<BrokerHealth>,
    inner: EmbeddedBroker,
}

impl Losing {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            published: AtomicU64::new(0),
            loses_while_publishing: AtomicU64::new(0),
            lost: watch::Sender::new(0),
            health: watch::Sender::new(BrokerHealth::Up),
            inner: EmbeddedBroker::new(&BrokerSettings::default()).expect("settings that work"),
        })
    }

    fn lose(&self) {
        self.lost.send_modify(|lost| *lost += 1);
    }

    /// How many messages were published since it was asked last.
    fn published(&self) -> u64 {
        self.published.swap(0, Ordering::Relaxed)
    }
}

#[async_trait]
impl Broker for Losing {
    async fn publish(&self, messages: &[WorkMessage]) -> Result<(), BrokerError> {
        self.published.fetch_add(messages.len() as u64, Ordering::Relaxed);
        let left = self.loses_while_publishing.load(Ordering::Relaxed);
        if left > 0 && !messages.is_empty() {
            self.loses_while_publishing.store(left - 1, Ordering::Relaxed);
            self.lose();
        }
        Ok(())
    }

    async fn receive(&self, max: usize) -> Result<Vec<Delivery>, BrokerError> {
        self.inner.receive(max).await
    }

    fn is_durable(&self) -> bool {
        true
    }

    async fn pause(&self) {}

    async fn resume(&self) {}

    async fn depth(&self) -> Result<Depth, BrokerError> {
        Ok(Depth { interactive: 1, bulk: 1, in_flight: 0 })
    }

    async fn broadcast_publish(&self, _body: Bytes) {}

    fn broadcast_subscribe(&self) -> BroadcastReceiver {
        self.inner.broadcast_subscribe()
    }

    fn health(&self) -> watch::Receiver<BrokerHealth> {
        self.health.subscribe()
    }

    fn topology_lost(&self) -> watch::Receiver<u64> {
        self.lost.subscribe()
    }

    fn last_delivered(&self) -> LastDelivered {
        LastDelivered::default()
    }

    async fn close(&self, _deadline: Duration) {}
}

const OPEN: u64 = 3;

/// A store with some open payments, all in the interactive lane.
async fn with_open_work() -> stores::TestStore {
    let test = stores::sqlite().await;
    let (engine, _, task) = engine_on(&test.store);
    for _ in 0..OPEN {
        engine.execute(charge(AccountId::generate(), 100, None)).await.expect("admitted");
    }
    drop(engine);
    task.await.expect("the sequencer ends");
    test
}

/// Dispatch of a process with this broker, before it has the lease.
fn without_lease(store: &Arc<dyn Store>, broker: &Arc<Losing>) -> Dispatch {
    let (store, broker) = (Arc::clone(store), Arc::clone(broker) as Arc<dyn Broker>);
    Dispatch::new(Lane::Interactive, store, broker, Wall::system(), counters())
}

/// Dispatch of a process with this broker, which has published everything there is.
async fn dispatch(store: &Arc<dyn Store>, broker: &Arc<Losing>) -> Dispatch {
    let head = store.head().await.expect("a head");
    let mut dispatch = without_lease(store, broker);
    assert_eq!(dispatch.begin(head, head).await.expect("begins"), head);
    dispatch
}

#[tokio::test]
async fn a_queue_lost_before_dispatch_listens_is_redriven() {
    let test = with_open_work().await;
    let broker = Losing::new();
    broker.lose();
    let mut dispatch = dispatch(&test.store, &broker).await;
    dispatch.tick().await.expect("redrives");
    assert_eq!(broker.published(), OPEN);
    dispatch.tick().await.expect("has nothing to do");
    assert_eq!(broker.published(), 0, "a loss is made good once");
}

#[tokio::test]
async fn a_queue_lost_while_it_is_redriven_is_redriven_again() {
    let test = with_open_work().await;
    let broker = Losing::new();
    let mut dispatch = dispatch(&test.store, &broker).await;
    broker.loses_while_publishing.store(2, Ordering::Relaxed);
    broker.lose();
    dispatch.tick().await.expect("redrives");
    assert_eq!(broker.published(), 3 * OPEN);
    broker.lose();
    broker.lose();
    dispatch.tick().await.expect("redrives");
    assert_eq!(broker.published(), OPEN, "once for all that were lost by then");
}

#[tokio::test]
async fn a_queue_that_another_process_made_again_is_redriven_by_the_one_that_dispatches() {
    let test = with_open_work().await;
    let (one, other) = (Losing::new(), Losing::new());
    let mut dispatching = dispatch(&test.store, &one).await;
    let mut standing_by = dispatch(&test.store, &other).await;
    dispatching.tick().await.expect("has nothing to do");
    assert_eq!(one.published(), 0);
    other.lose();
    standing_by.stand_by().await.expect("leaves word");
    dispatching.tick().await.expect("redrives");
    assert_eq!((one.published(), other.published()), (OPEN, 0));
    // It is made good for every process, whichever dispatches next.
    assert_eq!(standing_by.begin(OPEN, OPEN).await.expect("takes over"), OPEN);
    standing_by.tick().await.expect("has nothing to do");
    assert_eq!(other.published(), 0);
}

#[tokio::test]
async fn a_crash_before_the_redrive_forgets_no_loss() {
    let test = with_open_work().await;
    let broker = Losing::new();
    broker.lose();
    let mut dies = without_lease(&test.store, &broker);
    dies.stand_by().await.expect("leaves word");
    drop(dies);
    // The next process finds the queue there and counts no loss of its own.
    let broker = Losing::new();
    let mut next = dispatch(&test.store, &broker).await;
    next.tick().await.expect("redrives");
    assert_eq!(broker.published(), OPEN);
}

/// A process that is killed at the moment at which it would note that the queue is missing: it never comes back from there.
#[derive(Debug)]
struct Killed;

#[async_trait]
impl LossKeeper for Killed {
    async fn queue_missing(&self) -> Result<(), String> {
        std::future::pending().await
    }
}

/// A kill between making a queue again and anything that this process would have done about it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_right_after_a_queue_was_made_again_is_made_good_by_the_next_process() {
    Rig::run(Adapter::RabbitMq, async |rig: Rig| {
        let test = with_open_work().await;
        let start = |keeper: Arc<dyn LossKeeper>| {
            let broker = RabbitMqBroker::start_kept(
                rig.settings.clone(),
                InstanceId::generate(),
                Wall::system(),
                Some(keeper),
                &Tasks::new(Wall::system()),
            );
            Arc::new(broker.expect("settings that work"))
        };
        let noted = || Arc::new(NotedLosses(test.store.clone()));
        // Killed before the loss is noted: there is no queue that the next one could take for a whole one.
        let dies = start(Arc::new(Killed));
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_ne!(*dies.health().borrow(), BrokerHealth::Up);
        dies.close(Duration::from_secs(5)).await;
        // Killed after: its queue is there and empty, and no reader of its ever ran.
        let dies = start(noted());
        wait_until_up(&*dies).await;
        assert_eq!(rig.ready("interactive").await, 0);
        dies.close(Duration::from_secs(5)).await;
        let next = start(noted());
        wait_until_up(&*next).await;
        assert_eq!(*next.topology_lost().borrow(), 0, "it finds the queue there");
        let (store, broker) = (Arc::clone(&test.store), Arc::clone(&next) as Arc<dyn Broker>);
        let (clock, counters) = (Wall::system(), counters());
        let mut dispatch = Dispatch::new(Lane::Interactive, store, broker, clock, Arc::clone(&counters));
        let head = test.store.head().await.expect("a head");
        dispatch.begin(head, head).await.expect("begins");
        dispatch.tick().await.expect("has nothing to do");
        assert_eq!(counters.messages.get(), OPEN, "what was open is in the queue, once");
        take(&*next, usize::try_from(OPEN).expect("few")).await.into_iter().for_each(Delivery::ack);
        next.close(Duration::from_secs(5)).await;
    })
    .await;
}
