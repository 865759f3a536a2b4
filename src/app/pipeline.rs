//! The pipeline: the sequencer, its readers, the timers and the workers, started together and stopped in order.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::accounts::Directory;
use crate::background::{Group, Tasks};
use crate::broker::Broker;
use crate::clock::Wall;
use crate::config::Settings;
use crate::domain::ids::{AccountId, InstanceId};
use crate::domain::payment::Payment;
use crate::domain::submission::Lane;
use crate::engine::gate::{self, Gate, GateWatch};
use crate::engine::keys::{self, KeyPruner};
use crate::engine::set_aside::{self, AsideKeeper};
use crate::engine::timers::{self, Timers};
use crate::engine::worker_pause::{self, SwitchFollower};
use crate::engine::writer::Writer;
use crate::engine::{Counters, Engine, WorkSwitch, Workers, batcher};
use crate::readers::broadcast::{self, HeadPublisher};
use crate::readers::dispatch::Dispatch;
use crate::readers::follower::{Follower, Reader};
use crate::readers::index::{Index, IndexListener, Indexed};
use crate::readers::live::LiveHub;
use crate::readers::live_reader::LiveReader;
use crate::readers::open_work::OpenWork;
use crate::readers::prune::{self, JournalPruner};
use crate::readers::ring::Ring;
use crate::readers::statement::Statement;
use crate::readers::{dispatch, index, open_work, statement};
use crate::search::{AccountNames, SearchIndex};
use crate::store::PipelineStore;
use crate::worker::{PaymentLookup, ProgressListener, Worker, Worlds};

/// The open parts that a pipeline runs on.
#[derive(Clone)]
pub struct Parts {
    /// Where everything is kept.
    pub store: Arc<dyn PipelineStore>,
    /// The work queue.
    pub broker: Arc<dyn Broker>,
    /// The search index.
    pub search: Arc<dyn SearchIndex>,
    /// Names of accounts.
    pub directory: Arc<Directory>,
    /// Live updates.
    pub hub: Arc<LiveHub>,
    /// The outside world, which workers ask.
    pub worlds: Worlds,
}

/// A running pipeline.
pub struct Pipeline {
    /// Commands go in here.
    pub engine: Engine,
    /// What it has done.
    pub counters: Arc<Counters>,
    /// Pauses and resumes the workers.
    pub switch: Arc<WorkSwitch>,
    /// Its background tasks and their state.
    pub tasks: Tasks,
    parts: Parts,
    sequencer: JoinHandle<()>,
    workers: Group,
    readers: Group,
    ring: Arc<Ring>,
}

impl Pipeline {
    /// Starts everything the roles ask for.
    ///
    /// # Errors
    /// If the store cannot be asked for the journal's head.
    pub async fn start(settings: &Settings, parts: Parts, instance: InstanceId) -> anyhow::Result<Self> {
        let wall = Wall::system();
        Self::start_at(settings, parts, instance, wall.clone(), Tasks::new(wall)).await
    }

    /// The same on another wall clock, with its tasks listed in `tasks`.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_at(
        settings: &Settings,
        parts: Parts,
        instance: InstanceId,
        wall: Wall,
        tasks: Tasks,
    ) -> anyhow::Result<Self> {
        let counters = Arc::new(Counters::new()?);
        let broker = Arc::clone(&parts.broker);
        let workers = Arc::new(BrokerWorkers { broker, employed: settings.roles.worker });
        if !settings.roles.worker {
            // Otherwise the broker would deliver work to a process without workers.
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
        .listed(&tasks);
        let task = writer.task().clone();
        let sequencer = batcher::run(lanes, writer, settings.engine.batch_max);
        let sequencer = spawn_sequencer(task.watch(sequencer), &*parts.store);
        let (workers, readers) = (Group::new(&tasks), Group::new(&tasks));
        let start = Start { settings, parts: &parts, wall, instance, counters: &counters, ring: &ring };
        start.readers(&readers);
        start.gate(&readers, gate);
        start.workers(&workers, &engine);
        let followed = Arc::clone(&switch);
        workers.repeat("switch", worker_pause::SCHEDULE, move || SwitchFollower(Arc::clone(&followed)));
        Ok(Self { engine, counters, switch, tasks, parts, sequencer, workers, readers, ring })
    }

    /// The journal's head as far as this process knows it.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.ring.head()
    }

    /// The outside world that its workers ask.
    #[must_use]
    pub const fn worlds(&self) -> &Worlds {
        &self.parts.worlds
    }

    /// Where live updates go.
    #[must_use]
    pub const fn hub(&self) -> &Arc<LiveHub> {
        &self.parts.hub
    }

    /// Stops in order: workers and timers, then the sequencer once every caller has its answer, then the readers once
    /// they have read what it wrote, then the parts. What does not stop in time is picked up at the next start.
    pub async fn stop(self, deadline: Instant) {
        // Each may take its share of what is left, so that one that hangs leaves time for those after it.
        let share = |parts_left: u32| deadline.saturating_duration_since(Instant::now()) / parts_left;
        self.workers.stop("workers", share(5)).await;
        drop(self.engine);
        if tokio::time::timeout(share(4), self.sequencer).await.is_err() {
            tracing::warn!("the sequencer did not stop in time");
        }
        self.readers.stop("readers", share(2)).await;
        self.parts.broker.close(share(2)).await;
        if tokio::time::timeout(share(1), self.parts.search.close()).await.is_err() {
            tracing::warn!("the search index did not close in time");
        }
    }
}

/// Starts the sequencer, on a thread of its own if the store blocks its caller.
fn spawn_sequencer(
    sequencer: impl Future<Output = ()> + Send + 'static,
    store: &dyn PipelineStore,
) -> JoinHandle<()> {
    if store.blocks_caller() {
        let runtime = Handle::current();
        tokio::task::spawn_blocking(move || runtime.block_on(sequencer))
    } else {
        tokio::spawn(sequencer)
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
            let (ring, to) = (Arc::clone(self.ring), Arc::clone(&broker));
            group.repeat("head_publisher", broadcast::SCHEDULE, move || {
                HeadPublisher::new(Arc::clone(&ring), Arc::clone(&to))
            });
            let ring = Arc::clone(self.ring);
            group.spawn("head_follower", move |running| {
                broadcast::follow_heads(Arc::clone(&ring), Arc::clone(&broker), running.stop)
            });
        }
        self.housekeeping(group);
    }

    /// Starts the tasks that keep the store tidy.
    fn housekeeping(&self, group: &Group) {
        let (store, wall) = (Arc::clone(&self.parts.store), self.wall.clone());
        group
            .repeat("aside", set_aside::SCHEDULE, move || AsideKeeper::new(Arc::clone(&store), wall.clone()));
        let (store, wall, instance) = (Arc::clone(&self.parts.store), self.wall.clone(), self.instance);
        let retention_s = self.settings.engine.idempotency_retention_s;
        group.repeat("keys", keys::SCHEDULE, move || {
            KeyPruner::new(Arc::clone(&store), wall.clone(), instance, retention_s)
        });
        let (store, wall) = (Arc::clone(&self.parts.store), self.wall.clone());
        let retention_s = self.settings.engine.journal_retention_s;
        group.repeat("prune", prune::SCHEDULE, move || JournalPruner {
            store: Arc::clone(&store),
            wall: wall.clone(),
            retention_s,
        });
    }

    /// Watches how far statements are behind.
    fn gate(&self, group: &Group, gate: Arc<Gate>) {
        let store = Arc::clone(&self.parts.store);
        let lag_max = Duration::from_secs(self.settings.engine.statement_lag_max_s);
        group.repeat("gate", gate::SCHEDULE, move || {
            GateWatch::new(Arc::clone(&gate), Arc::clone(&store), lag_max)
        });
    }

    fn workers(&self, group: &Group, engine: &Engine) {
        if !self.settings.roles.worker {
            return;
        }
        let Parts { store, broker, hub, worlds, .. } = self.parts.clone();
        let (timed, asked, wall) = (Arc::clone(&store), engine.clone(), self.wall.clone());
        let (instance, ring) = (self.instance, Arc::clone(self.ring));
        group.repeat("timers", timers::SCHEDULE, move || {
            Timers::new(Arc::clone(&timed), asked.clone(), wall.clone(), instance, ring.for_timers())
        });
        let (wall, ring, engine) = (self.wall.clone(), Arc::clone(self.ring), engine.clone());
        let worker = self.settings.worker.clone();
        group.spawn("worker", move |running| {
            let worker = Worker::new(
                Arc::clone(&broker),
                PaymentLookup::new(Arc::clone(&store), ring.clone()),
                engine.clone(),
                worlds.clone(),
                Arc::new(HubListener(hub.clone())),
                wall.clone(),
                worker.clone(),
            );
            worker.run(running.stop)
        });
    }

    /// Starts a reader of the journal, and a new one whenever it panics.
    fn reader(
        &self,
        group: &Group,
        name: &'static str,
        leased: bool,
        reader: impl Fn() -> Box<dyn Reader> + Send + 'static,
    ) {
        let (store, ring, wall) = (Arc::clone(&self.parts.store), Arc::clone(self.ring), self.wall.clone());
        let (instance, make) = (self.instance, if leased { Follower::leased } else { Follower::private });
        group.spawn(name, move |running| {
            let follower = make(Arc::clone(&store), Arc::clone(&ring), wall.clone(), instance);
            follower.reporting_to(running.task).run(reader(), running.stop)
        });
    }
}

/// The workers of this process, as the switch controls them: they take what the broker hands out.
struct BrokerWorkers {
    broker: Arc<dyn Broker>,
    /// Whether this process has workers.
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

impl AccountNames for DirectoryNames {
    fn name_of(&self, account: AccountId) -> Option<Arc<str>> {
        self.0.name_of(account)
    }
}
