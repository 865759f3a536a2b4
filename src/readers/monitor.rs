//! Keeps [`SystemState`] (pushed when it changes) and [`SystemSample`] (while someone watches) up to date.
//!
//! May depend on the ports, `background` and the hub. Decides nothing: anyone who wants to know looks at the hub.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::live::LiveHub;
use super::system::{QueueSample, ReaderSample, SystemSample, SystemState};
use super::{CURSORS, open_work};
use crate::background::{Group, Next, Schedule, Step, StepError, Tasks};
use crate::broker::{Broker, BrokerHealth};
use crate::clock::Wall;
use crate::domain::time::Timestamp;
use crate::search::{Filling, SearchHealth, SearchIndex};
use crate::store::{PipelineStore, StoreResult, StoreTrouble};

/// How often the store is pinged and the clock compared with the journal's head.
const PING_EVERY: Duration = Duration::from_secs(1);
/// A store that takes longer than this counts as not answering.
const PING_WITHIN: Duration = Duration::from_secs(2);
/// How far the clock may be behind the journal's head, in microseconds.
const BEHIND_MAX_US: u64 = 2_000_000;
/// How often the index is probed, since nobody else may be using it.
const PROBE_EVERY: Duration = Duration::from_secs(2);
/// How often the tasks are checked. Parts report their own changes.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often the queues are sampled while someone watches.
const SAMPLE_EVERY: Duration = Duration::from_millis(500);

/// Counts what waits where.
///
/// # Errors
/// The store's. A broker that is away is no error.
pub async fn sample(
    store: &dyn PipelineStore,
    broker: &dyn Broker,
    now: Timestamp,
) -> StoreResult<SystemSample> {
    let depth = broker.depth().await.ok();
    let open = open_work::count(store).await?;
    let queue = QueueSample {
        interactive: depth.map(|depth| depth.interactive),
        bulk: depth.map(|depth| depth.bulk),
        in_flight: depth.map(|depth| depth.in_flight),
        open: open.payments,
        oldest_us: open.oldest.map_or(0, |since| now.micros_since(since)),
    };
    // The cursors first: a head that is read later is never behind them.
    let cursors = store.cursor_list().await?;
    let head = store.head().await?;
    let mut readers = BTreeMap::new();
    for (name, cursor) in cursors {
        // The other rows are leases, whose holders read nothing.
        // The cursor of open work stays before whatever is open: that is no lag.
        if !CURSORS.contains(&name.as_str()) || name == open_work::NAME {
            continue;
        }
        let batches = head.saturating_sub(cursor);
        let first = if batches == 0 { None } else { store.journal_time(cursor).await? };
        let lag_us = first.map_or(0, |at| now.micros_since(at));
        readers.insert(name, ReaderSample { cursor, batches, lag_us });
    }
    Ok(SystemSample { queue, readers })
}

/// What the monitoring tasks need.
#[derive(Clone)]
pub struct Monitor {
    /// Compared with the time of the journal's head.
    pub wall: Wall,
    /// Pinged, and asked how much waits.
    pub store: Arc<dyn PipelineStore>,
    /// Asked for its health, and how much waits.
    pub broker: Arc<dyn Broker>,
    /// Asked for its health.
    pub search: Arc<dyn SearchIndex>,
    /// Since when the workers are paused; `None` while they work.
    pub paused: watch::Receiver<Option<Timestamp>>,
    /// Asked whether the tasks run.
    pub tasks: Tasks,
    /// Publishes what was found.
    pub hub: Arc<LiveHub>,
}

impl Monitor {
    /// Starts the monitoring tasks. They only read, and may be dropped midway.
    pub fn start(self, group: &Group) {
        let monitor = self.clone();
        let every = |interval| Schedule::every(interval).interruptible();
        group.repeat("watch_parts", every(LOOK_EVERY), move || PartsWatch::new(&monitor));
        let monitor = self.clone();
        group.repeat("watch_store", every(PING_EVERY), move || StoreWatch(monitor.clone()));
        let search = Arc::clone(&self.search);
        group.repeat("watch_search", every(PROBE_EVERY), move || SearchProbe(Arc::clone(&search)));
        let sampling = Schedule::on_signal(SAMPLE_EVERY).interruptible();
        group.repeat("watch_queue", sampling, move || QueueSampler(self.clone()));
    }
}

/// Forwards the health of the parts as they report it, and whether the tasks run.
struct PartsWatch {
    paused: watch::Receiver<Option<Timestamp>>,
    broker: watch::Receiver<BrokerHealth>,
    search: watch::Receiver<SearchHealth>,
    filling: watch::Receiver<Option<Filling>>,
    tasks: Tasks,
    hub: Arc<LiveHub>,
}

impl PartsWatch {
    fn new(monitor: &Monitor) -> Self {
        Self {
            paused: monitor.paused.clone(),
            broker: monitor.broker.health(),
            search: monitor.search.health(),
            filling: monitor.search.filling(),
            tasks: monitor.tasks.clone(),
            hub: Arc::clone(&monitor.hub),
        }
    }
}

#[async_trait]
impl Step for PartsWatch {
    async fn run(&mut self) -> Result<Next, StepError> {
        let paused_since = *self.paused.borrow_and_update();
        let (broker_up, broker_blocked) = match *self.broker.borrow_and_update() {
            BrokerHealth::Up => (true, false),
            BrokerHealth::Blocked { .. } => (false, true),
            BrokerHealth::Down { .. } => (false, false),
        };
        let search_filling = self.filling.borrow_and_update().is_some();
        let (search_up, search_behind) = match *self.search.borrow_and_update() {
            SearchHealth::Up => (!search_filling, false),
            SearchHealth::Down { answers, .. } => (false, answers && !search_filling),
        };
        let tasks = self.tasks.dead().is_empty();
        self.hub.system_change(|state| {
            *state = SystemState {
                paused_since,
                broker: broker_up,
                search: search_up,
                broker_blocked,
                search_filling,
                search_behind,
                tasks,
                ..*state
            };
        });
        Ok(Next::Scheduled)
    }

    async fn signalled(&mut self) {
        tokio::select! {
            () = changed(&mut self.paused) => {}
            () = changed(&mut self.broker) => {}
            () = changed(&mut self.search) => {}
            () = changed(&mut self.filling) => {}
        }
    }
}

/// Returns when the value changes; never once its sender is gone.
async fn changed<T: Sync>(receiver: &mut watch::Receiver<T>) {
    if receiver.changed().await.is_err() {
        std::future::pending().await
    }
}

/// What keeps the store from taking payments: that it does not answer, or how its last writes failed.
pub async fn store_trouble(store: &dyn PipelineStore) -> Option<StoreTrouble> {
    let answers = matches!(tokio::time::timeout(PING_WITHIN, store.ping()).await, Ok(Ok(())));
    store.trouble().or((!answers).then_some(StoreTrouble::Away))
}

/// Pings the store, and compares the clock with the journal's head.
struct StoreWatch(Monitor);

#[async_trait]
impl Step for StoreWatch {
    async fn run(&mut self) -> Result<Next, StepError> {
        let trouble = store_trouble(self.0.store.as_ref()).await;
        self.0.hub.system_change(|state| {
            state.store = trouble.is_none();
            state.store_trouble = trouble.unwrap_or_default();
        });
        if trouble != Some(StoreTrouble::Away) {
            self.compare_clocks().await?;
        }
        Ok(Next::Scheduled)
    }
}

impl StoreWatch {
    /// Time only moves forward along the journal: a process whose clock is late decides at the time of the others.
    async fn compare_clocks(&self) -> StoreResult<()> {
        let Monitor { wall, store, hub, .. } = &self.0;
        // In this order: a batch between the two reads must not make a clock seem late.
        let head_wall = store.head_wall().await?;
        let behind_us = head_wall.micros_since(wall.now());
        let behind = behind_us > BEHIND_MAX_US;
        if behind && !hub.system().borrow().clock_behind {
            tracing::warn!(
                behind_us,
                "this server's clock is behind the journal: it is late, or another server's is early"
            );
        }
        hub.system_change(|state| state.clock_behind = behind);
        Ok(())
    }
}

/// Probes the index, which updates its own health from the outcome.
struct SearchProbe(Arc<dyn SearchIndex>);

#[async_trait]
impl Step for SearchProbe {
    async fn run(&mut self) -> Result<Next, StepError> {
        self.0.count().await.map_err(|error| StepError::new(true, &error))?;
        Ok(Next::Scheduled)
    }
}

/// Counts what waits while someone watches.
struct QueueSampler(Monitor);

#[async_trait]
impl Step for QueueSampler {
    async fn run(&mut self) -> Result<Next, StepError> {
        let Monitor { wall, store, broker, hub, .. } = &self.0;
        hub.sampled(sample(store.as_ref(), broker.as_ref(), wall.now()).await?);
        Ok(Next::Scheduled)
    }

    async fn signalled(&mut self) {
        self.0.hub.stats_watched().await;
    }
}
