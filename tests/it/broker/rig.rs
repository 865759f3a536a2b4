//! Opens brokers for tests, gives each test names of its own, and removes them at the end, whatever the test did.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use lapin::options::{ExchangeDeleteOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::{Connection, ConnectionProperties};
use parking_lot::Mutex;
use paystorm::broker::embedded::EmbeddedBroker;
use paystorm::broker::rabbitmq::RabbitMqBroker;
use paystorm::broker::settings::{BrokerKind, BrokerSettings};
use paystorm::broker::{Broker, BrokerHealth, Delivery, WorkMessage};
use paystorm::clock::Wall;
use paystorm::domain::ids::{InstanceId, PaymentId};
use paystorm::domain::payment::WorkKey;
use paystorm::domain::submission::Lane;
use paystorm::domain::time::Timestamp;
use tokio::time::timeout;

/// Which adapter a test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adapter {
    Embedded,
    RabbitMq,
}

/// What a test opens brokers with.
#[derive(Clone)]
pub struct Rig {
    pub settings: BrokerSettings,
    opened: Arc<Mutex<Vec<Arc<dyn Broker>>>>,
}

/// A setting of the environment that the tests cannot do without.
pub fn required(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: start the services with `scripts/services.sh up`, then `eval \"$(scripts/services.sh env)\"`")
    })
}

impl Rig {
    /// Runs a test and cleans up after it.
    pub async fn run<F: Future<Output = ()>>(adapter: Adapter, test: impl FnOnce(Self) -> F) {
        Self::run_with(adapter, |_| {}, test).await;
    }

    /// Runs a test with some settings changed.
    pub async fn run_with<F: Future<Output = ()>>(
        adapter: Adapter,
        change: impl FnOnce(&mut BrokerSettings),
        test: impl FnOnce(Self) -> F,
    ) {
        // Shown with the test that failed, by the test harness.
        let _ = tracing_subscriber::fmt().with_test_writer().with_max_level(tracing::Level::INFO).try_init();
        let mut settings = BrokerSettings {
            backoff_min_ms: 100,
            backoff_max_ms: 1_000,
            watchdog_ms: 1_000,
            ..BrokerSettings::default()
        };
        if adapter == Adapter::RabbitMq {
            settings.kind = BrokerKind::RabbitMq;
            settings.url = required("PAYSTORM_TEST_AMQP_URL").into();
            settings.prefix = format!("test-{}", InstanceId::generate());
        }
        change(&mut settings);
        let rig = Self { settings, opened: Arc::default() };
        let result = AssertUnwindSafe(test(rig.clone())).catch_unwind().await;
        let opened = std::mem::take(&mut *rig.opened.lock());
        for broker in opened {
            broker.close(Duration::from_secs(5)).await;
        }
        if adapter == Adapter::RabbitMq {
            rig.remove_everything().await;
        }
        if let Err(panic) = result {
            resume_unwind(panic);
        }
    }

    /// A broker that works.
    pub async fn open(&self) -> Arc<dyn Broker> {
        self.open_as(InstanceId::generate()).await
    }

    /// A broker that works, with a known instance id.
    pub async fn open_as(&self, instance: InstanceId) -> Arc<dyn Broker> {
        let broker: Arc<dyn Broker> = match self.settings.kind {
            BrokerKind::Embedded => Arc::new(EmbeddedBroker::new(&self.settings).unwrap()),
            BrokerKind::RabbitMq => {
                Arc::new(RabbitMqBroker::start(self.settings.clone(), instance, Wall::system()).unwrap())
            }
        };
        self.opened.lock().push(broker.clone());
        wait_until_up(&*broker).await;
        broker
    }

    /// A connection of the test's own.
    pub async fn connect(&self) -> Connection {
        Connection::connect(self.settings.url.expose(), ConnectionProperties::default()).await.unwrap()
    }

    /// The full name of a queue or an exchange.
    pub fn name(&self, name: &str) -> String {
        format!("{}.{name}", self.settings.prefix)
    }

    /// What the server itself says is ready in a queue.
    pub async fn ready(&self, queue: &str) -> u32 {
        let channel = self.connect().await.create_channel().await.unwrap();
        let options = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let name = self.name(queue).into();
        channel.queue_declare(name, options, Default::default()).await.unwrap().message_count()
    }

    /// Deletes a queue under everybody's feet.
    pub async fn delete_queue(&self, queue: &str) {
        let channel = self.connect().await.create_channel().await.unwrap();
        channel.queue_delete(self.name(queue).into(), QueueDeleteOptions::default()).await.unwrap();
    }

    async fn remove_everything(&self) {
        let channel = self.connect().await.create_channel().await.unwrap();
        for queue in ["interactive", "bulk", "dead"] {
            let _ = channel.queue_delete(self.name(queue).into(), QueueDeleteOptions::default()).await;
        }
        for exchange in ["work", "dead", "readers"] {
            let options = ExchangeDeleteOptions::default();
            let _ = channel.exchange_delete(self.name(exchange).into(), options).await;
        }
    }
}

/// Waits until the broker says that it is up.
pub async fn wait_until_up(broker: &dyn Broker) {
    let mut health = broker.health();
    let up = health.wait_for(|health| *health == BrokerHealth::Up);
    if timeout(Duration::from_secs(20), up).await.is_err() {
        panic!("not up within 20 s: {:?}", *broker.health().borrow());
    }
}

/// A message about payment number `n`.
pub fn message(lane: Lane, n: u32, dispatched_at: Timestamp) -> WorkMessage {
    let payment = PaymentId::from_bytes(u128::from(n).to_be_bytes());
    let key = WorkKey { payment, operation: 1, attempt: 1 };
    WorkMessage { key, lane, dispatched_at, traceparent: None }
}

/// Messages about payments of these numbers, dispatched a millisecond apart.
pub fn messages(lane: Lane, numbers: Range<u32>) -> Vec<WorkMessage> {
    numbers.map(|n| message(lane, n, Timestamp::from_micros(1_000_000 + i64::from(n) * 1_000))).collect()
}

/// Receives exactly so many.
pub async fn take(broker: &dyn Broker, count: usize) -> Vec<Delivery> {
    let mut all = Vec::new();
    while all.len() < count {
        match timeout(Duration::from_secs(60), broker.receive(count - all.len())).await {
            Ok(got) => all.extend(got.unwrap()),
            Err(_) => panic!("only {} of {count} messages came", all.len()),
        }
    }
    all
}

/// Tries until it holds; says what did not.
pub async fn eventually<F: Future<Output = bool>>(what: &str, limit: Duration, mut holds: impl FnMut() -> F) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < limit, "not within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
