//! Assembles the web server from the pipeline's parts. Part of the composition root.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web;
use anyhow::Context;
use prometheus::Registry;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::adapters::any_embedded;
use super::demo::Prepared;
use super::pipeline::{Parts, Pipeline};
use crate::accounts::{AccountRules, Accounts};
use crate::background::Group;
use crate::clock::Wall;
use crate::config::{self, Settings};
use crate::domain::text::fold;
use crate::experiments::Experiments;
use crate::intake::{self, Intake, Rules};
use crate::runs::{self, Runs};
use crate::scenarios::Scenarios;
use crate::store::Store;
use crate::web::demo::Demo;
use crate::web::requests::{self, LogWriter, RequestLog};
use crate::web::state::{self, Operators, WebMetrics, WebState};
use crate::web::ws::budget::Budget;
use crate::web::{base_url, listen, origins, own_addresses};
use crate::worker::AcquirerMetrics;

/// A running web server.
pub(super) struct Server {
    pub address: SocketAddr,
    /// Writes the log of requests.
    pub log: Group,
    /// Load runs, which report before the server stops.
    pub runs: Runs,
    pub handle: ServerHandle,
    pub task: JoinHandle<std::io::Result<()>>,
}

/// What a web server is made of.
pub(super) struct WebParts<'a> {
    pub settings: &'a Settings,
    pub store: &'a Arc<dyn Store>,
    pub parts: &'a Parts,
    pub pipeline: &'a Pipeline,
    pub wall: &'a Wall,
    pub stopping: &'a CancellationToken,
}

impl WebParts<'_> {
    /// Listens and serves.
    ///
    /// # Errors
    /// If it cannot listen there, or something that it needs is missing in the store.
    pub async fn listen(&self, demo: Option<&Prepared>) -> anyhow::Result<Server> {
        let Self { settings, pipeline, wall, .. } = *self;
        let wanted = settings.server.bind_address().context("server.bind is not an address")?;
        let listener =
            std::net::TcpListener::bind(wanted).with_context(|| format!("cannot listen on {wanted}"))?;
        let address = listener.local_addr()?;
        let mut state = self.state(address).await?;
        state.demo = demo.map(|demo| Demo::new(demo.viewer(), &demo.token, Arc::clone(&demo.looked)));
        let log = Group::new(&pipeline.tasks);
        if settings.requests.log {
            let (kept, calls) = RequestLog::new(&settings.requests, wall.clone());
            state.requests = Some(Arc::clone(&kept));
            let (store, keep) = (Arc::clone(self.store), settings.requests);
            log.repeat("request_log", requests::SCHEDULE, move || {
                LogWriter::new(Arc::clone(&kept), calls.clone(), Arc::clone(&store), keep)
            });
        }
        let runs = state.runs.clone();
        let server = listen::serve(listener, web::Data::new(state))?;
        let handle = server.handle();
        Ok(Server { address, log, runs, handle, task: tokio::spawn(server) })
    }

    async fn state(&self, address: SocketAddr) -> anyhow::Result<WebState> {
        let Self { settings, parts, pipeline, wall, stopping, .. } = *self;
        let registry = Registry::new();
        pipeline.counters.register(&registry)?;
        registry.register(Box::new(AcquirerMetrics::new(parts.worlds.clone(), wall.clone())?))?;
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
            Arc::clone(self.store),
            Arc::clone(&parts.directory),
            account_rules,
            wall.clone(),
        )?;
        let (accounts, intake) = (Arc::new(accounts), self.intake().await?);
        let scenarios = Scenarios::new(
            Arc::clone(self.store),
            settings.simulator.clone(),
            parts.worlds.clone(),
            wall.clone(),
        );
        let experiments = Experiments::new(
            intake.clone(),
            scenarios.clone(),
            Arc::clone(&accounts),
            Arc::clone(self.store),
            // They put load on the server as well.
            settings.server.experiments && settings.load.pages,
            stopping.clone(),
        );
        Ok(WebState {
            wall: wall.clone(),
            intake,
            experiments,
            tasks: pipeline.tasks.clone(),
            store: Arc::clone(self.store),
            search: Arc::clone(&parts.search),
            hub: Arc::clone(&parts.hub),
            runs: self.runs(address, &scenarios, &accounts)?,
            scenarios,
            accounts,
            origins: origins(&settings.server, &addresses),
            addresses,
            base_url: base_url(&settings.server, address),
            settings: settings.server.clone(),
            demo: None,
            broker: Arc::clone(&parts.broker),
            switch: Arc::clone(&pipeline.switch),
            operators: operators(settings, address),
            comparing: Semaphore::new(1),
            previews: Arc::new(Semaphore::new(state::PREVIEWS_MAX)),
            watching: Arc::new(Semaphore::new(state::WATCHING_MAX)),
            requests: None,
            effective_settings: config::show::to_toml(settings)
                .context("the settings cannot be shown")?
                .into(),
            metrics: WebMetrics::register(&registry)?,
            registry: settings.telemetry.metrics.then_some(registry),
            metrics_for: settings.telemetry.metrics_for,
            metrics_token: (!token.is_empty()).then(|| blake3::hash(token.expose().as_bytes())),
            imports: Arc::new(tokio::sync::Semaphore::new(state::IMPORTS_MAX)),
            sockets: Budget::new(settings.server.socket_memory_bytes),
            shutdown: stopping.clone(),
        })
    }

    /// Load runs, which reach this server from within.
    fn runs(
        &self,
        address: SocketAddr,
        scenarios: &Scenarios,
        accounts: &Arc<Accounts>,
    ) -> anyhow::Result<Runs> {
        let Self { settings, wall, stopping, .. } = *self;
        let directory = match settings.load.directory.as_str() {
            "" => any_embedded(settings).then(|| settings.data_dir.join("load")),
            directory => Some(directory.into()),
        };
        let shown = directory.as_ref().map_or_else(String::new, |directory| directory.display().to_string());
        let ground = runs::Ground {
            settings: settings.load.clone(),
            directory,
            own: within(address)?,
            accounts: Arc::clone(accounts),
            scenarios: scenarios.clone(),
            wall: wall.clone(),
            stopping: stopping.clone(),
        };
        Runs::open(ground).with_context(|| format!("load.directory: {shown} cannot be used"))
    }

    /// The intake that takes every caller's requests.
    ///
    /// # Errors
    /// If the store does not answer.
    pub async fn intake(&self) -> anyhow::Result<Intake> {
        let Self { settings, parts, pipeline, wall, .. } = *self;
        let fingerprint_key = intake::fingerprint_key(self.store.as_ref()).await?;
        Ok(Intake::new(
            Rules::new(fingerprint_key, settings.server.refuse_card_numbers),
            wall.clone(),
            pipeline.engine.clone(),
            Arc::clone(self.store),
            Arc::clone(&parts.directory),
            Arc::clone(&parts.hub),
        ))
    }
}

/// The address under which this process reaches its own server.
fn within(address: SocketAddr) -> anyhow::Result<Url> {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let own = SocketAddr::new(ip, address.port());
    Url::parse(&format!("http://{own}")).context("the server's own address cannot be read")
}

/// On loopback anyone who is signed in operates the installation: no other machine can reach it, unless through a proxy
/// on this one.
fn operators(settings: &Settings, address: SocketAddr) -> Operators {
    if address.ip().is_loopback() && settings.server.sign_of_proxy().is_none() {
        return Operators::Everyone;
    }
    Operators::Named(settings.accounts.operators.iter().map(|email| fold(email.trim())).collect())
}
