//! A whole server: built from settings, asked for its address, run until stopped. Tests call exactly what `main` calls.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web;
use anyhow::Context;
use prometheus::Registry;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::adapters::{self, DirectoryLock};
use super::demo::{self, Invitation, Prepared};
use super::pipeline::{Parts, Pipeline};
use crate::accounts::{AccountRules, Accounts, Directory};
use crate::clock::Wall;
use crate::config::{self, Settings};
use crate::domain::ids::InstanceId;
use crate::domain::text::fold;
use crate::feed::live::LiveHub;
use crate::feed::monitor::Monitor;
use crate::outage::{Outage, Way};
use crate::store::{Lease, Store, StoreKind, StoreResult};
use crate::web::demo::Demo;
use crate::web::intake::Rules;
use crate::web::requests::{self, RequestLog};
use crate::web::state::{self, Operators, WebMetrics, WebState};
use crate::web::ws::budget::Budget;
use crate::web::{base_url, listen, origins, own_addresses};

/// Under which an embedded store keeps the name of its one instance.
const INSTANCE_NAME: &str = "instance";
/// Taken by a process with any embedded part on a store that others could share.
const INSTANCE_LEASE: &str = "instance";
const INSTANCE_LEASE_TTL: Duration = Duration::from_secs(15);
const INSTANCE_LEASE_RENEW: Duration = Duration::from_secs(5);

/// How long writing what is left of the log of requests may take at the end.
const LOG_ENDS_WITHIN: Duration = Duration::from_secs(1);

/// A running server.
pub struct App {
    pipeline: Pipeline,
    server: Option<Server>,
    /// Tells the demo's story, the first time.
    story: Option<JoinHandle<()>>,
    invitation: Option<Invitation>,
    /// Cancelled when the server goes down.
    stopping: CancellationToken,
    deadline: Duration,
    lease: Option<JoinHandle<()>>,
    _lock: Option<DirectoryLock>,
}

struct Server {
    address: SocketAddr,
    /// Writes the log of requests.
    log: Option<JoinHandle<()>>,
    handle: ServerHandle,
    task: JoinHandle<std::io::Result<()>>,
}

impl App {
    /// Opens the parts, starts the pipeline and listens.
    ///
    /// # Errors
    /// Whatever keeps the server from serving, in words for the person who started it.
    pub async fn build(settings: Settings) -> anyhow::Result<Self> {
        Self::build_at(settings, Wall::system()).await
    }

    /// The same by another wall clock, as on a machine whose clock is wrong.
    ///
    /// # Errors
    /// As [`Self::build`].
    pub async fn build_at(settings: Settings, wall: Wall) -> anyhow::Result<Self> {
        let lock = match adapters::any_embedded(&settings) {
            true => Some(adapters::lock_directory(&settings.data_dir)?),
            false => None,
        };
        let stopping = CancellationToken::new();
        let store = adapters::store(&settings).await?;
        let instance = instance(&settings, store.as_ref()).await?;
        let lease = hold_instance_lease(&settings, &store, instance, &wall, &stopping).await?;
        let demo = demo::prepare(&settings, &store, &wall).await?;
        let directory = Arc::new(Directory::new(Arc::clone(&store)));
        let parts = Parts {
            worlds: demo.as_ref().map(|demo| demo.worlds(&settings)).unwrap_or_default(),
            broker: adapters::broker(&settings, instance, &store, &wall)?,
            search: adapters::search(&settings, &wall).await?,
            hub: LiveHub::new(Arc::clone(&directory), wall.clone()),
            directory,
            store,
        };
        let pipeline = Pipeline::start_at(&settings, parts.clone(), instance, wall.clone()).await?;
        let monitor = Monitor {
            wall: wall.clone(),
            store: Arc::clone(&parts.store),
            broker: Arc::clone(&parts.broker),
            search: Arc::clone(&parts.search),
            paused: pipeline.switch.watch(),
            vitals: pipeline.vitals.clone(),
            hub: Arc::clone(&parts.hub),
        };
        let server = match settings.roles.web {
            true => Some(listen(&settings, &parts, &pipeline, &wall, &stopping, demo.as_ref()).await?),
            false => None,
        };
        let (watched, stop) = (pipeline.vitals.task("monitor"), stopping.clone());
        tokio::spawn(watched.keep(stopping.clone(), move || monitor.clone().run(stop.clone())));
        let invitation = server
            .as_ref()
            .zip(demo.as_ref())
            .map(|(server, demo)| Invitation::new(server.address, &demo.token));
        let story = match demo.and_then(Prepared::into_story) {
            Some((story, looked)) => Some(tokio::spawn(story.tell(demo::Stage {
                looked,
                wall,
                engine: pipeline.engine.clone(),
                rules: rules(&settings, &parts).await?,
                store: parts.store,
                stopping: stopping.clone(),
            }))),
            None => None,
        };
        let deadline = Duration::from_millis(settings.server.shutdown_ms);
        Ok(Self { pipeline, server, story, invitation, stopping, deadline, lease, _lock: lock })
    }

    /// The address it listens on; none with the web role off.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.server.as_ref().map(|server| server.address)
    }

    /// What to tell the person who started it about the demo account; none where there is none.
    #[must_use]
    pub const fn invitation(&self) -> Option<&Invitation> {
        self.invitation.as_ref()
    }

    /// What the pipeline has done.
    #[must_use]
    pub const fn pipeline(&self) -> &Pipeline {
        &self.pipeline
    }

    /// Serves until the token is cancelled (or the listener fails), then stops in order: no new connections, sockets
    /// told, requests finished; workers; the line; readers; broker and index.
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
            server.handle.stop(true).await;
            if let Some(log) = server.log
                && tokio::time::timeout(LOG_ENDS_WITHIN, log).await.is_err()
            {
                tracing::warn!("the last requests could not be logged in time");
            }
        }
        if let Some(story) = self.story {
            // It holds on to the line, and ends at the word.
            let _ = tokio::time::timeout_at(deadline, story).await;
        }
        self.pipeline.stop(deadline).await;
        if let Some(lease) = self.lease {
            lease.abort();
        }
        tracing::info!("stopped");
        outcome
    }
}

/// Who this process is to the others. On an embedded store there are none, and one name for life lets a restart take up
/// the leases of a process that was killed at once.
async fn instance(settings: &Settings, store: &dyn Store) -> anyhow::Result<InstanceId> {
    let fresh = InstanceId::generate();
    if settings.store.kind != StoreKind::Embedded {
        return Ok(fresh);
    }
    let kept = store.installation_set_once(INSTANCE_NAME, fresh.as_bytes()).await?;
    InstanceId::from_slice(&kept).context("the name of this installation does not have 16 bytes")
}

async fn listen(
    settings: &Settings,
    parts: &Parts,
    pipeline: &Pipeline,
    wall: &Wall,
    stopping: &CancellationToken,
    demo: Option<&Prepared>,
) -> anyhow::Result<Server> {
    let wanted = settings.server.bind_address().context("server.bind is not an address")?;
    let listener =
        std::net::TcpListener::bind(wanted).with_context(|| format!("cannot listen on {wanted}"))?;
    let address = listener.local_addr()?;
    let mut state = web_state(settings, parts, pipeline, wall, stopping, address).await?;
    state.demo = demo.map(|demo| Demo::new(demo.viewer(), &demo.token, Arc::clone(&demo.looked)));
    let log = settings.requests.log.then(|| {
        let (log, calls) = RequestLog::new(&settings.requests, wall.clone());
        state.requests = Some(Arc::clone(&log));
        let store = Arc::clone(&parts.store);
        let writing = requests::write(log, calls, store, settings.requests, stopping.clone());
        tokio::spawn(pipeline.vitals.task("request_log").watch(writing))
    });
    let server = listen::serve(listener, web::Data::new(state))?;
    let handle = server.handle();
    Ok(Server { address, log, handle, task: tokio::spawn(server) })
}

async fn web_state(
    settings: &Settings,
    parts: &Parts,
    pipeline: &Pipeline,
    wall: &Wall,
    stopping: &CancellationToken,
    address: SocketAddr,
) -> anyhow::Result<WebState> {
    let registry = Registry::new();
    pipeline.counters.register(&registry)?;
    let account_rules = AccountRules {
        registration: settings.accounts.registration,
        session_ttl: Duration::from_secs(u64::from(settings.accounts.session_hours) * 3_600),
        login_attempts: settings.accounts.login_attempts,
        terms: settings.accounts.terms(),
        refuse_card_numbers: settings.server.refuse_card_numbers,
    };
    let token = &settings.telemetry.metrics_token;
    let addresses = own_addresses(&settings.server, address);
    let accounts = Accounts::with_rules(
        Arc::clone(&parts.store),
        Arc::clone(&parts.directory),
        account_rules,
        wall.clone(),
    )?;
    Ok(WebState {
        wall: wall.clone(),
        engine: pipeline.engine.clone(),
        vitals: pipeline.vitals.clone(),
        store: Arc::clone(&parts.store),
        search: Arc::clone(&parts.search),
        hub: Arc::clone(&parts.hub),
        accounts: Arc::new(accounts),
        origins: origins(&settings.server, &addresses),
        addresses,
        base_url: base_url(&settings.server, address),
        settings: settings.server.clone(),
        rules: rules(settings, parts).await?,
        demo: None,
        broker: Arc::clone(&parts.broker),
        switch: Arc::clone(&pipeline.switch),
        operators: operators(settings, address),
        comparing: Semaphore::new(1),
        requests: None,
        effective_settings: config::show::to_toml(settings).context("the settings cannot be shown")?.into(),
        metrics: WebMetrics::register(&registry)?,
        registry: settings.telemetry.metrics.then_some(registry),
        metrics_for: settings.telemetry.metrics_for,
        metrics_token: (!token.is_empty()).then(|| blake3::hash(token.as_bytes())),
        imports: Arc::new(tokio::sync::Semaphore::new(state::IMPORTS_MAX)),
        sockets: Budget::new(settings.server.socket_memory_bytes),
        shutdown: stopping.clone(),
    })
}

async fn rules(settings: &Settings, parts: &Parts) -> anyhow::Result<Rules> {
    let fingerprint_key = state::fingerprint_key(parts.store.as_ref()).await?;
    Ok(Rules::new(fingerprint_key, settings.server.refuse_card_numbers))
}

/// On loopback whoever is signed in operates the installation: nobody else's computer can reach it, unless a proxy on this
/// one lets it.
fn operators(settings: &Settings, address: SocketAddr) -> Operators {
    if address.ip().is_loopback() && settings.server.sign_of_proxy().is_none() {
        return Operators::Everyone;
    }
    Operators::Named(settings.accounts.operators.iter().map(|email| fold(email.trim())).collect())
}

/// On a store that others can reach, a process with an embedded part must be the only one: it holds a lease.
async fn hold_instance_lease(
    settings: &Settings,
    store: &Arc<dyn Store>,
    instance: InstanceId,
    wall: &Wall,
    stopping: &CancellationToken,
) -> anyhow::Result<Option<JoinHandle<()>>> {
    if settings.store.kind == StoreKind::Embedded || !adapters::any_embedded(settings) {
        return Ok(None);
    }
    let lease = store.lease_take(INSTANCE_LEASE, instance, wall.now(), INSTANCE_LEASE_TTL).await?;
    if let Lease::Taken { holder, .. } = lease {
        anyhow::bail!(
            "another paystorm ({holder}) runs on this store with an embedded broker or index: only one may. \
             Stop it (its lease ends within 15 s), or set broker.kind and search.kind to real services"
        );
    }
    let (store, wall, stopping) = (Arc::clone(store), wall.clone(), stopping.clone());
    Ok(Some(tokio::spawn(async move {
        let shared = Outage::new("the lease of this store");
        while !stopping.is_cancelled() {
            tokio::time::sleep(INSTANCE_LEASE_RENEW).await;
            let renewed = store.lease_take(INSTANCE_LEASE, instance, wall.now(), INSTANCE_LEASE_TTL).await;
            note_lease(&shared, &renewed);
        }
    })))
}

/// Tells the log when another process took the store over, and when it gave it back. That the store is away, its adapter logs.
fn note_lease(shared: &Outage, renewed: &StoreResult<Lease>) {
    match renewed {
        Ok(Lease::Held { .. }) => shared.over(),
        Ok(Lease::Taken { holder, .. }) => {
            shared.failed(Way::Write, &format_args!("another process, {holder}, took it: stop one of them"));
        }
        Err(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;
    use crate::store::StoreError;

    #[test]
    fn a_lease_that_another_process_has_is_one_outage_until_it_is_ours_again() {
        let shared = Outage::new("the lease of this store");
        let until = Timestamp::from_micros(1);
        let taken = || Ok(Lease::Taken { holder: InstanceId::generate(), until });
        for _ in 0..3 {
            note_lease(&shared, &taken());
            assert!(shared.failing(Way::Write).is_some_and(|cause| cause.contains("stop one of them")));
        }
        note_lease(&shared, &Err(StoreError::Unavailable("away".to_owned())));
        assert!(shared.failing(Way::Write).is_some(), "that the store is away says nothing of it");
        note_lease(&shared, &Ok(Lease::Held { until }));
        assert_eq!(shared.failing(Way::Write), None);
    }
}
