//! The pipeline: the ordered line, its readers, the timers and the workers, started together and stopped in order.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accounts::Directory;
use crate::broker::{Broker, FeedEvent};
use crate::clock::Wall;
use crate::config::Settings;
use crate::domain::ids::{AccountId, InstanceId};
use crate::domain::payment::Payment;
use crate::domain::submission::Lane;
use crate::engine::gate::Gate;
use crate::engine::keys::KeyPruner;
use crate::engine::timers::Timers;
use crate::engine::writer::Writer;
use crate::engine::{Counters, Engine, Vitals, WorkSwitch, Workers, batcher};
use crate::feed::dispatch::Dispatch;
use crate::feed::follower::{self, Follower, Reader};
use crate::feed::index::{Index, IndexListener, Indexed};
use crate::feed::live::LiveHub;
use crate::feed::live_reader::LiveReader;
use crate::feed::open_work::OpenWork;
use crate::feed::ring::Ring;
use crate::feed::statement::Statement;
use crate::feed::{CURSORS, dispatch, index, open_work, statement};
use crate::search::{Names, SearchIndex};
use crate::simulator::{Simulator, SimulatorSettings};
use crate::store::{Store, aside};
use crate::worker::{PaymentLookup, ProgressListener, Worker};

const PRUNE_EVERY: Duration = Duration::from_secs(60);

/// The open parts that a pipeline runs on.
#[derive(Clone)]
pub struct Parts {
    /// Where everything is kept.
    pub store: Arc<dyn Store>,
    /// The work queue.
    pub broker: Arc<dyn Broker>,
    /// The search index.
    pub search: Arc<dyn SearchIndex>,
    /// Names of accounts.
    pub directory: Arc<Directory>,
    /// Live updates.
    pub hub: Arc<LiveHub>,
    /// Accounts whose outside world differs from that of the settings.
    pub worlds: Vec<(AccountId, SimulatorSettings)>,
}

/// A running pipeline.
pub struct Pipeline {
    /// Commands go in here.
    pub engine: Engine,
    /// What it has done.
    pub counters: Arc<Counters>,
    /// Pauses and resumes the workers.
    pub switch: Arc<WorkSwitch>,
    /// Whether its tasks are alive.
    pub vitals: Vitals,
    parts: Parts,
    line: JoinHandle<()>,
    workers: Group,
    readers: Group,
    ring: Arc<Ring>,
}

/// Tasks that stop together.
struct Group {
    stop: CancellationToken,
    tasks: TaskTracker,
    vitals: Vitals,
}

impl Group {
    fn new(vitals: &Vitals) -> Self {
        Self { stop: CancellationToken::new(), tasks: TaskTracker::new(), vitals: vitals.clone() }
    }

    /// Starts a task, and starts it again whenever it panics.
    fn spawn<Task>(
        &self,
        name: &'static str,
        mut task: impl FnMut(CancellationToken) -> Task + Send + 'static,
    ) where
        Task: Future<Output = ()> + Send + 'static,
    {
        let stop = self.stop.clone();
        let kept = self.vitals.task(name).keep(self.stop.clone(), move || task(stop.clone()));
        self.tasks.spawn(kept);
    }

    async fn stop(&self, name: &str, deadline: Duration) {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(deadline, self.tasks.wait()).await.is_err() {
            tracing::warn!(group = name, "did not stop in time; what it had is picked up at the next start");
        }
    }
}

impl Pipeline {
    /// Starts everything the roles ask for.
    ///
    /// # Errors
    /// If the store cannot be asked where the line stands.
    pub async fn start(settings: &Settings, parts: Parts, instance: InstanceId) -> anyhow::Result<Self> {
        Self::start_at(settings, parts, instance, Wall::system()).await
    }

    /// The same by another wall clock.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_at(
        settings: &Settings,
        parts: Parts,
        instance: InstanceId,
        wall: Wall,
    ) -> anyhow::Result<Self> {
        let counters = Arc::new(Counters::new()?);
        let vitals = Vitals::new(wall.clone());
        let broker = Arc::clone(&parts.broker);
        let workers = Arc::new(BrokerWorkers { broker, employed: settings.roles.worker });
        if !settings.roles.worker {
            // Or the broker would hand work to a process in which nobody takes it up.
            workers.pause().await;
        }
        let switch = WorkSwitch::open(Arc::clone(&parts.store), workers).await?;
        let ring = Arc::new(Ring::new(settings.engine.feed_memory_bytes, parts.store.head().await?));
        let (engine, lanes) = batcher::lanes(&settings.engine);
        let directory = Arc::clone(&parts.directory);
        let is_lean = move |id| directory.cached(id).is_some_and(|profile| profile.lean);
        let gate = Arc::new(Gate::new(Arc::new(is_lean)));
        let engine = engine.behind(Arc::clone(&gate));
        let writer = Writer::new(
            Arc::clone(&parts.store),
            settings.engine.policy(),
            wall.clone(),
            ring.clone(),
            Arc::clone(&counters),
        )
        .watched(&vitals);
        let dies = writer.vital().clone();
        let line = batcher::run(lanes, writer, settings.engine.batch_max);
        let line = spawn_line(dies.watch(line), &*parts.store);
        let (workers, readers) = (Group::new(&vitals), Group::new(&vitals));
        let start = Start { settings, parts: &parts, wall, instance, counters: &counters, ring: &ring };
        start.readers(&readers);
        start.gate(&readers, gate);
        start.workers(&workers, &engine);
        let followed = Arc::clone(&switch);
        workers.spawn("switch", move |stop| Arc::clone(&followed).follow(stop));
        Ok(Self { engine, counters, switch, vitals, parts, line, workers, readers, ring })
    }

    /// The head of the line as far as this process knows it.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.ring.head()
    }

    /// Where live updates go.
    #[must_use]
    pub const fn hub(&self) -> &Arc<LiveHub> {
        &self.parts.hub
    }

    /// Stops in order: workers and timers, then the line once every caller has its answer, then the readers once they
    /// have read what the line wrote, then the parts. What does not stop in time is picked up at the next start.
    pub async fn stop(self, deadline: Instant) {
        // Each may take its share of what is left, so that one that hangs leaves time for those after it.
        let share = |parts_left: u32| deadline.saturating_duration_since(Instant::now()) / parts_left;
        self.workers.stop("workers", share(5)).await;
        drop(self.engine);
        if tokio::time::timeout(share(4), self.line).await.is_err() {
            tracing::warn!("the line did not stop in time");
        }
        self.readers.stop("readers", share(2)).await;
        self.parts.broker.close(share(2)).await;
        if tokio::time::timeout(share(1), self.parts.search.close()).await.is_err() {
            tracing::warn!("the search index did not close in time");
        }
    }
}

/// Starts the line, on a thread of its own where the store wants that.
fn spawn_line(line: impl Future<Output = ()> + Send + 'static, store: &dyn Store) -> JoinHandle<()> {
    if store.line_blocks() {
        let runtime = Handle::current();
        tokio::task::spawn_blocking(move || runtime.block_on(line))
    } else {
        tokio::spawn(line)
    }
}

/// What starting a task needs.
struct Start<'a> {
    settings: &'a Settings,
    parts: &'a Parts,
    wall: Wall,
    instance: InstanceId,
    counters: &'a Arc<Counters>,
    ring: &'a Arc<Ring>,
}

impl Start<'_> {
    fn readers(&self, group: &Group) {
        let Parts { store, broker, search, directory, hub, .. } = self.parts.clone();
        let (live, shown) = (Arc::clone(&store), hub.clone());
        self.reader(group, "live", false, move || {
            Box::new(LiveReader::new(Arc::clone(&live), shown.clone()))
        });
        for (lane, name) in [Lane::Interactive, Lane::Bulk].into_iter().zip(dispatch::NAMES) {
            let (wall, counters) = (self.wall.clone(), Arc::clone(self.counters));
            let (store, broker) = (Arc::clone(&store), Arc::clone(&broker));
            let dispatch = move || {
                Dispatch::new(lane, Arc::clone(&store), Arc::clone(&broker), wall.clone(), counters.clone())
            };
            self.reader(group, name, true, move || Box::new(dispatch()));
        }
        let (kept, instance) = (Arc::clone(&store), self.instance);
        self.reader(group, open_work::NAME, true, move || {
            Box::new(OpenWork::new(Arc::clone(&kept), instance))
        });
        if self.settings.roles.indexer {
            let names = Arc::new(DirectoryNames(directory));
            let listener = Arc::new(HubListener(hub));
            let (indexed, counters) = (Arc::clone(&store), Arc::clone(self.counters));
            let index = move || {
                let (search, names, listener) = (search.clone(), names.clone(), listener.clone());
                Index::new(Arc::clone(&indexed), search, names, listener, Arc::clone(&counters))
            };
            self.reader(group, index::NAME, true, move || Box::new(index()));
            let (kept, instance, wall) = (Arc::clone(&store), self.instance, self.wall.clone());
            let events_max = self.settings.engine.events_per_account_max;
            self.reader(group, statement::NAME, true, move || {
                Box::new(Statement::new(Arc::clone(&kept), instance, wall.clone(), events_max))
            });
        }
        if broker.is_durable() {
            let (ring, told) = (Arc::clone(self.ring), Arc::clone(&broker));
            group.spawn("tell", move |stop| tell_others(Arc::clone(&ring), Arc::clone(&told), stop));
            let ring = Arc::clone(self.ring);
            group.spawn("hear", move |stop| hear_others(Arc::clone(&ring), Arc::clone(&broker), stop));
        }
        let (kept, wall) = (Arc::clone(&store), self.wall.clone());
        group.spawn("aside", move |stop| aside::keep(Arc::clone(&kept), wall.clone(), stop));
        let (pruned, wall, instance) = (Arc::clone(&store), self.wall.clone(), self.instance);
        let retention_s = self.settings.engine.idempotency_retention_s;
        group.spawn("keys", move |stop| {
            KeyPruner::new(Arc::clone(&pruned), wall.clone(), instance, retention_s).run(stop)
        });
        let (wall, retention_s) = (self.wall.clone(), self.settings.engine.journal_retention_s);
        group.spawn("prune", move |stop| prune(Arc::clone(&store), wall.clone(), retention_s, stop));
    }

    /// Watches how far statements are behind.
    fn gate(&self, group: &Group, gate: Arc<Gate>) {
        let store = Arc::clone(&self.parts.store);
        let lag_max = Duration::from_secs(self.settings.engine.statement_lag_max_s);
        group.spawn("gate", move |stop| Arc::clone(&gate).watch(Arc::clone(&store), lag_max, stop));
    }

    fn workers(&self, group: &Group, engine: &Engine) {
        if !self.settings.roles.worker {
            return;
        }
        let Parts { store, broker, hub, worlds, .. } = self.parts.clone();
        let (timed, asked, wall) = (Arc::clone(&store), engine.clone(), self.wall.clone());
        let (instance, ring) = (self.instance, Arc::clone(self.ring));
        group.spawn("timers", move |stop| {
            let wall = wall.clone();
            Timers::new(Arc::clone(&timed), asked.clone(), wall, instance, ring.for_timers()).run(stop)
        });
        let (wall, ring, engine) = (self.wall.clone(), Arc::clone(self.ring), engine.clone());
        let (simulator, worker) = (self.settings.simulator.clone(), self.settings.worker.clone());
        group.spawn("worker", move |stop| {
            let worker = Worker::new(
                Arc::clone(&broker),
                PaymentLookup::new(Arc::clone(&store), ring.clone()),
                engine.clone(),
                Simulator::new(&simulator).with_accounts(&worlds),
                Arc::new(HubListener(hub.clone())),
                wall.clone(),
                worker.clone(),
            );
            worker.run(stop)
        });
    }

    /// Starts a reader of the journal, and another one of its kind whenever it panics.
    fn reader(
        &self,
        group: &Group,
        name: &'static str,
        leased: bool,
        reader: impl Fn() -> Box<dyn Reader> + Send + 'static,
    ) {
        let (store, ring, wall) = (Arc::clone(&self.parts.store), Arc::clone(self.ring), self.wall.clone());
        let (instance, make) = (self.instance, if leased { Follower::leased } else { Follower::private });
        group.spawn(name, move |stop| {
            let follower = make(Arc::clone(&store), Arc::clone(&ring), wall.clone(), instance);
            follower.run(reader(), stop)
        });
    }
}

/// The workers of this process, as the switch moves them: what they take is what the broker hands out.
struct BrokerWorkers {
    broker: Arc<dyn Broker>,
    /// Whether there are any.
    employed: bool,
}

#[async_trait]
impl Workers for BrokerWorkers {
    async fn pause(&self) {
        self.broker.pause().await;
    }

    async fn resume(&self) {
        if self.employed {
            self.broker.resume().await;
        }
    }
}

/// Shows the hub what workers and the index have done.
struct HubListener(Arc<LiveHub>);

impl ProgressListener for HubListener {
    fn progress(&self, payment: &Payment, attempt: u16) {
        self.0.progress(payment, attempt);
    }
}

impl IndexListener for HubListener {
    fn indexed(&self, payments: &[Indexed]) {
        self.0.indexed(payments);
    }
}

/// Names of accounts for the index, as far as they are in memory.
struct DirectoryNames(Arc<Directory>);

impl Names for DirectoryNames {
    fn name_of(&self, account: AccountId) -> Option<Arc<str>> {
        self.0.name_of(account)
    }
}

/// Tells the other instances how far the line has come: one message per commit, or fewer when commits outrun it.
async fn tell_others(ring: Arc<Ring>, broker: Arc<dyn Broker>, stop: CancellationToken) {
    let mut told = ring.head();
    loop {
        let seq = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            seq = ring.head_past(told) => seq,
        };
        told = seq;
        broker.feed_publish(Bytes::copy_from_slice(&seq.to_be_bytes())).await;
    }
}

/// Hears how far the line has come elsewhere. After a gap nothing is lost: readers ask the store for the head as well.
async fn hear_others(ring: Arc<Ring>, broker: Arc<dyn Broker>, stop: CancellationToken) {
    let mut feed = broker.feed_subscribe();
    loop {
        let event = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            event = feed.recv() => event,
        };
        match event {
            Some(FeedEvent::Message { body, .. }) => {
                if let Ok(seq) = <[u8; 8]>::try_from(body.as_ref()) {
                    ring.note_head(u64::from_be_bytes(seq));
                }
            }
            Some(FeedEvent::Gap) => {}
            None => return,
        }
    }
}

async fn prune(store: Arc<dyn Store>, wall: Wall, retention_s: u64, stop: CancellationToken) {
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PRUNE_EVERY) => {}
        }
        match follower::prune(store.as_ref(), &CURSORS, wall.now(), retention_s).await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "journal rows past retention were deleted"),
            Err(error) if error.is_transient() => {
                tracing::debug!(error = %error, "the journal could not be pruned")
            }
            Err(error) => tracing::warn!(error = %error, "the journal could not be pruned"),
        }
    }
}
