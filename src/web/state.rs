//! The state that every handler shares.

use std::sync::Arc;

use prometheus::{IntCounterVec, IntGauge, Opts, Registry};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::api::objects::Presenter;
use super::demo::Demo;
use super::error::ApiError;
use super::requests::RequestLog;
use super::ws::budget::Budget;
use crate::accounts::Accounts;
use crate::background::Tasks;
use crate::broker::{Broker, BrokerHealth};
use crate::clock::Wall;
use crate::config::{MetricsFor, ServerSettings};
use crate::domain::ids::{AccountId, PaymentId};
use crate::domain::text::fold;
use crate::engine::WorkSwitch;
use crate::experiments::Experiments;
use crate::intake::Intake;
use crate::readers::live::LiveHub;
use crate::runs::Runs;
use crate::scenarios::Scenarios;
use crate::search::SearchIndex;
use crate::store::Store;

/// The most CSV imports that a process runs at once.
pub const IMPORTS_MAX: usize = 2;

/// The most previews of scenarios that a process draws at once.
pub const PREVIEWS_MAX: usize = 2;

/// The most live views of load runs that a process serves at once.
pub const WATCHING_MAX: usize = 64;

/// The accounts that operate the installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operators {
    /// Anyone who is signed in, where no other computer can reach the server.
    Everyone,
    /// The accounts with these e-mail addresses, case-folded.
    Named(Vec<String>),
}

/// Everything the web needs, built by `app`.
pub struct WebState {
    /// The wall clock.
    pub wall: Wall,
    /// Takes everything that callers ask for.
    pub intake: Intake,
    /// The background tasks of this process, and whether they run.
    pub tasks: Tasks,
    /// For reading; payments and plain resources are changed through [`Self::intake`].
    pub store: Arc<dyn Store>,
    /// Finds payments.
    pub search: Arc<dyn SearchIndex>,
    /// Sends live updates to sockets, and outcomes to waiting requests.
    pub hub: Arc<LiveHub>,
    /// The scenarios of accounts.
    pub scenarios: Scenarios,
    /// Load runs.
    pub runs: Runs,
    /// Accounts, sessions and API keys.
    pub accounts: Arc<Accounts>,
    /// The section `server` of the settings.
    pub settings: ServerSettings,
    /// This server's own addresses; see [`super::settings::addresses`].
    pub addresses: Vec<String>,
    /// The exact origins browsers may come from; see [`super::settings::origins`].
    pub origins: Vec<String>,
    /// The address under which browsers reach this server; see [`super::settings::base_url`].
    pub base_url: String,
    /// `None` if the installation has no demo account.
    pub demo: Option<Demo>,
    /// For its health and the number of waiting messages.
    pub broker: Arc<dyn Broker>,
    /// Pauses and resumes the workers.
    pub switch: Arc<WorkSwitch>,
    /// May use the switch and see the settings.
    pub operators: Operators,
    /// The settings in force, as TOML with secrets masked.
    pub effective_settings: Arc<str>,
    /// The guided experiments of the page "How it works".
    pub experiments: Experiments,
    /// Held while someone compares bursts on the page "How it works".
    pub comparing: Semaphore,
    /// A permit for each preview of a scenario that may be drawn; see [`PREVIEWS_MAX`].
    pub previews: Arc<Semaphore>,
    /// Logs calls to `/v1`; `None` if switched off.
    pub requests: Option<Arc<RequestLog>>,
    /// All metrics; `None` if `/metrics` is switched off.
    pub registry: Option<Registry>,
    /// Who may read the metrics.
    pub metrics_for: MetricsFor,
    /// The hash of the token for reading the metrics; `None` if none is needed.
    pub metrics_token: Option<blake3::Hash>,
    /// The web's own metrics.
    pub metrics: WebMetrics,
    /// A permit for each live view of a load run that may be open; see [`WATCHING_MAX`].
    pub watching: Arc<Semaphore>,
    /// A permit for each CSV import that may run; see [`IMPORTS_MAX`].
    pub imports: Arc<tokio::sync::Semaphore>,
    /// Bounds the memory of commands that wait on WebSockets.
    pub sockets: Budget,
    /// Cancelled when the server stops; sockets then close with 1001.
    pub shutdown: CancellationToken,
}

impl std::fmt::Debug for WebState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebState")
            .field("settings", &self.settings)
            .field("origins", &self.origins)
            .finish_non_exhaustive()
    }
}

/// The web's own metrics.
#[derive(Debug, Clone)]
pub struct WebMetrics {
    /// Answered requests, by status class.
    pub requests: IntCounterVec,
    /// Open WebSockets.
    pub sockets: IntGauge,
}

impl WebMetrics {
    /// Creates and registers them.
    ///
    /// # Errors
    /// They are already registered there.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let requests =
            Opts::new("paystorm_http_requests_total", "HTTP requests answered, by class of status.");
        let requests = IntCounterVec::new(requests, &["class"])?;
        let sockets = IntGauge::new("paystorm_websockets", "Open WebSockets.")?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(sockets.clone()))?;
        Ok(Self { requests, sockets })
    }
}

impl WebState {
    /// For rendering the dialect's objects.
    #[must_use]
    pub fn presenter(&self) -> Presenter<'_> {
        Presenter {
            secret_key: &self.intake.rules.fingerprint_key,
            base_url: &self.base_url,
            directory: self.accounts.directory(),
        }
    }

    /// Whether the broker was usable when last checked.
    #[must_use]
    pub fn broker_is_up(&self) -> bool {
        matches!(*self.broker.health().borrow(), BrokerHealth::Up)
    }

    /// Whether this account operates the installation.
    ///
    /// # Errors
    /// The store's.
    pub async fn is_operator(&self, account: AccountId) -> Result<bool, ApiError> {
        match &self.operators {
            Operators::Everyone => Ok(true),
            Operators::Named(emails) if emails.is_empty() => Ok(false),
            Operators::Named(emails) => {
                let account = self.accounts.account(account).await?;
                Ok(account
                    .and_then(|account| account.email)
                    .is_some_and(|email| emails.contains(&fold(&email))))
            }
        }
    }

    /// The owner's payment with this id. The error names `resource` and `shown`, the id as the caller wrote it.
    ///
    /// # Errors
    /// 404 if there is none, or it belongs to another account.
    pub async fn own_payment(
        &self,
        owner: AccountId,
        id: PaymentId,
        resource: &str,
        shown: &str,
    ) -> Result<crate::domain::payment::Payment, ApiError> {
        let found = self.store.payment_one(id).await?;
        found.filter(|payment| payment.owner() == owner).ok_or_else(|| ApiError::not_found(resource, shown))
    }

    /// The owner's payment intent with this id, which the parameter `param` names.
    ///
    /// # Errors
    /// 404 if there is none, or it belongs to another account.
    pub async fn named_intent(
        &self,
        owner: AccountId,
        id: PaymentId,
        param: &'static str,
    ) -> Result<crate::domain::payment::Payment, ApiError> {
        let found = self.store.payment_one(id).await?.filter(|payment| payment.owner() == owner);
        found.ok_or_else(|| ApiError::not_found("payment_intent", &id.to_string()).with_param(param))
    }
}
