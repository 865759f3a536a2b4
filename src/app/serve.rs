//! A whole server: built from settings, asked for its address, run until stopped. Tests call exactly what `main` calls.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::adapters::{self, DirectoryLock};
use super::demo::{self, Invitation, Prepared};
use super::pipeline::{Parts, Pipeline};
use super::web_server::{Server, WebParts};
use super::{instance_lease, scenario};
use crate::accounts::Directory;
use crate::background::{Group, Tasks};
use crate::clock::Wall;
use crate::config::Settings;
use crate::domain::ids::InstanceId;
use crate::domain::time::Timestamp;
use crate::readers::live::LiveHub;
use crate::readers::monitor::Monitor;
use crate::simulator::Scenario;
use crate::store::Store;
use crate::worker::Worlds;

/// The key under which an embedded store keeps the id of its only instance.
const INSTANCE_NAME: &str = "instance";

/// How long writing the rest of the request log may take at shutdown.
const LOG_ENDS_WITHIN: Duration = Duration::from_secs(1);
/// How long load runs may take to report at shutdown.
const RUNS_END_WITHIN: Duration = Duration::from_secs(5);
/// How long stopping the monitor and releasing the lease may each take.
const OTHERS_END_WITHIN: Duration = Duration::from_secs(1);

/// A running server.
pub struct App {
    pipeline: Pipeline,
    server: Option<Server>,
    /// Tells the demo's story, the first time.
    story: Option<JoinHandle<()>>,
    invitation: Option<Invitation>,
    /// Cancelled when the server shuts down.
    stopping: CancellationToken,
    deadline: Duration,
    /// Watches the parts.
    monitor: Group,
    /// Renews the lease of the store, where one is needed.
    lease: Group,
    _lock: Option<DirectoryLock>,
}

impl App {
    /// Opens the parts, starts the pipeline and listens.
    ///
    /// # Errors
    /// Whatever keeps the server from serving, in words for the person who started it.
    pub async fn build(settings: Settings) -> anyhow::Result<Self> {
        Self::build_at(settings, Wall::system()).await
    }

    /// The same on another wall clock, as on a machine whose clock is wrong.
    ///
    /// # Errors
    /// As [`Self::build`].
    pub async fn build_at(settings: Settings, wall: Wall) -> anyhow::Result<Self> {
        let scenario = scenario::open(&settings.simulator)?;
        let lock = match adapters::any_embedded(&settings) {
            true => Some(adapters::lock_directory(&settings.data_dir)?),
            false => None,
        };
        let stopping = CancellationToken::new();
        let store = adapters::store(&settings).await?;
        let instance = instance(&settings, store.as_ref()).await?;
        let tasks = Tasks::new(wall.clone());
        let lease = Group::new(&tasks);
        if !settings.store.kind.is_embedded() && adapters::any_embedded(&settings) {
            instance_lease::hold(&lease, &store, instance, &wall).await?;
        }
        let demo = demo::prepare(&settings, &store, &wall).await?;
        let directory = Arc::new(Directory::new(store.clone()));
        let parts = Parts {
            worlds: worlds(&settings, scenario.as_ref(), demo.as_ref(), wall.now()),
            broker: adapters::broker(&settings, instance, &store, &wall, &tasks)?,
            search: adapters::search(&settings, &wall).await?,
            hub: LiveHub::new(Arc::clone(&directory), wall.clone()),
            directory,
            store: store.clone(),
        };
        let pipeline =
            Pipeline::start_at(&settings, parts.clone(), instance, wall.clone(), tasks.clone()).await?;
        let watching = Monitor {
            wall: wall.clone(),
            store: Arc::clone(&parts.store),
            broker: Arc::clone(&parts.broker),
            search: Arc::clone(&parts.search),
            paused: pipeline.switch.watch(),
            tasks: tasks.clone(),
            hub: Arc::clone(&parts.hub),
        };
        let web = WebParts {
            settings: &settings,
            store: &store,
            parts: &parts,
            pipeline: &pipeline,
            wall: &wall,
            stopping: &stopping,
        };
        let server = match settings.roles.web {
            true => Some(web.listen(demo.as_ref()).await?),
            false => None,
        };
        let monitor = Group::new(&tasks);
        watching.start(&monitor);
        let invitation = server
            .as_ref()
            .zip(demo.as_ref())
            .map(|(server, demo)| Invitation::new(server.address, &demo.token));
        let story = match demo.and_then(Prepared::into_story) {
            Some((story, looked)) => Some(tokio::spawn(story.tell(demo::Stage {
                looked,
                intake: web.intake().await?,
                store: Arc::clone(&store),
                stopping: stopping.clone(),
            }))),
            None => None,
        };
        let deadline = Duration::from_millis(settings.server.shutdown_ms);
        Ok(Self { pipeline, server, story, invitation, stopping, deadline, monitor, lease, _lock: lock })
    }

    /// The address it listens on; `None` with the web role off.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.server.as_ref().map(|server| server.address)
    }

    /// What to print about the demo account for the person who started the server; `None` if there is none.
    #[must_use]
    pub const fn invitation(&self) -> Option<&Invitation> {
        self.invitation.as_ref()
    }

    /// The running pipeline.
    #[must_use]
    pub const fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Serves until the token is cancelled (or the listener fails), then stops in order: no new connections, sockets
    /// notified, requests finished; workers; the sequencer; readers; broker and index.
    ///
    /// # Errors
    /// If the listener failed.
    pub async fn run_until(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let outcome = match self.server.as_mut() {
            Some(server) => tokio::select! {
                () = stop.cancelled() => Ok(()),
                ended = &mut server.task => ended
                    .context("the listener panicked")
                    .and_then(|served| served.context("the listener failed")),
            },
            None => {
                stop.cancelled().await;
                Ok(())
            }
        };
        tracing::info!("stopping");
        let deadline = Instant::now() + self.deadline;
        self.stopping.cancel();
        if let Some(server) = self.server {
            server.runs.end(RUNS_END_WITHIN).await;
            server.handle.stop(true).await;
            server.log.stop("log of requests", LOG_ENDS_WITHIN).await;
        }
        if let Some(story) = self.story {
            // It keeps the sequencer running, and ends once `stopping` is cancelled.
            let _ = tokio::time::timeout_at(deadline, story).await;
        }
        self.monitor.stop("monitor", OTHERS_END_WITHIN).await;
        self.pipeline.stop(deadline).await;
        // Last, when nothing here uses the store any more.
        self.lease.stop("lease of the store", OTHERS_END_WITHIN).await;
        tracing::info!("stopped");
        outcome
    }
}

/// The outside world since this time: that of the scenario for everyone, else that of the settings, in which the demo's people have
/// their own.
fn worlds(
    settings: &Settings,
    scenario: Option<&Scenario>,
    demo: Option<&Prepared>,
    since: Timestamp,
) -> Worlds {
    match scenario {
        Some(scenario) => Worlds::with_scenario(&settings.simulator, scenario, since),
        None => {
            let own = demo.map(|demo| demo.worlds(settings)).unwrap_or_default();
            Worlds::new(&settings.simulator, since).with_accounts(&own)
        }
    }
}

/// This process's id among the instances. An embedded store has only one, and a permanent id lets a restart take over the
/// leases of a killed process at once.
async fn instance(settings: &Settings, store: &dyn Store) -> anyhow::Result<InstanceId> {
    let fresh = InstanceId::generate();
    if !settings.store.kind.is_embedded() {
        return Ok(fresh);
    }
    let kept = store.installation_set_once(INSTANCE_NAME, fresh.as_bytes()).await?;
    InstanceId::from_slice(&kept).context("the name of this installation does not have 16 bytes")
}
