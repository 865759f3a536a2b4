//! What every handler holds.

use std::sync::Arc;

use prometheus::{IntCounterVec, IntGauge, Opts, Registry};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::api::objects::Presenter;
use super::demo::Demo;
use super::error::ApiError;
use super::intake::Rules;
use super::requests::RequestLog;
use super::ws::budget::Budget;
use crate::accounts::Accounts;
use crate::broker::{Broker, BrokerHealth};
use crate::clock::Wall;
use crate::config::{MetricsFor, ServerSettings};
use crate::domain::ids::{AccountId, PaymentId};
use crate::domain::text::fold;
use crate::engine::{Engine, Vitals, WorkSwitch};
use crate::feed::live::LiveHub;
use crate::search::SearchIndex;
use crate::store::Store;

/// The name under which the installation keeps the key of card fingerprints.
pub const FINGERPRINT_KEY_NAME: &str = "fingerprint_key";

/// How many CSV imports a process runs at once.
pub const IMPORTS_MAX: usize = 2;

/// Who operates the installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operators {
    /// Whoever is signed in: nobody else's computer can reach it.
    Everyone,
    /// Those with these e-mail addresses, folded.
    Named(Vec<String>),
}

/// What `app` puts together for the web.
pub struct WebState {
    /// What time it is.
    pub wall: Wall,
    /// The ordered line.
    pub engine: Engine,
    /// Whether the tasks of this process are alive.
    pub vitals: Vitals,
    /// The store, for reading.
    pub store: Arc<dyn Store>,
    /// The search index.
    pub search: Arc<dyn SearchIndex>,
    /// Live updates.
    pub hub: Arc<LiveHub>,
    /// People and keys.
    pub accounts: Arc<Accounts>,
    /// The settings of the server.
    pub settings: ServerSettings,
    /// How this server is called; see [`super::settings::addresses`].
    pub addresses: Vec<String>,
    /// The exact origins browsers may come from; see [`super::settings::origins`].
    pub origins: Vec<String>,
    /// The address under which browsers reach this server; see [`super::settings::base_url`].
    pub base_url: String,
    /// What holds for everything that is read here.
    pub rules: Rules,
    /// The demo account, where there is one.
    pub demo: Option<Demo>,
    /// The broker, to be asked how it is and how much waits.
    pub broker: Arc<dyn Broker>,
    /// Pauses and resumes the workers.
    pub switch: Arc<WorkSwitch>,
    /// Who may press the switch and see the settings.
    pub operators: Operators,
    /// The settings in force as TOML, secrets masked.
    pub effective_settings: Arc<str>,
    /// Held while someone compares bursts on the page that explains.
    pub comparing: Semaphore,
    /// The log of calls to `/v1`; `None` if it is switched off.
    pub requests: Option<Arc<RequestLog>>,
    /// Where all metrics are registered; `None` if `/metrics` is switched off.
    pub registry: Option<Registry>,
    /// Who may read them.
    pub metrics_for: MetricsFor,
    /// The hash of the token that their readers send; `None` if they need none.
    pub metrics_token: Option<blake3::Hash>,
    /// The web's own metrics.
    pub metrics: WebMetrics,
    /// Room for CSV imports, so that they are few at a time.
    pub imports: Arc<tokio::sync::Semaphore>,
    /// What may wait for its outcome on WebSockets.
    pub sockets: Budget,
    /// Cancelled when the server goes down; sockets close with 1001.
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

/// The web's metrics.
#[derive(Debug, Clone)]
pub struct WebMetrics {
    /// Requests by class of status.
    pub requests: IntCounterVec,
    /// Open sockets.
    pub sockets: IntGauge,
}

impl WebMetrics {
    /// Makes and registers them.
    ///
    /// # Errors
    /// They are registered there already.
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

/// Reads the installation's secret, made at the first start: the key of card fingerprints, from which others are derived.
///
/// # Errors
/// The store's, or no randomness.
pub async fn fingerprint_key(store: &dyn Store) -> Result<[u8; 32], crate::accounts::AccountError> {
    let fresh = crate::accounts::token::random_bytes::<32>()?;
    let kept = store.installation_set_once(FINGERPRINT_KEY_NAME, &fresh).await?;
    let damaged =
        |_| crate::store::StoreError::Damaged("the fingerprint key does not have 32 bytes".to_owned());
    Ok(<[u8; 32]>::try_from(kept.as_slice()).map_err(damaged)?)
}

impl WebState {
    /// What rendering the dialect's objects needs to know.
    #[must_use]
    pub fn presenter(&self) -> Presenter<'_> {
        Presenter {
            secret_key: &self.rules.fingerprint_key,
            base_url: &self.base_url,
            directory: self.accounts.directory(),
        }
    }

    /// Whether the broker can be used, as last seen.
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

    /// The payment with this id as its owner may see it.
    ///
    /// # Errors
    /// 404 where there is none, or it is someone else's.
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

    /// The owner's payment intent that a parameter of this name names.
    ///
    /// # Errors
    /// 404 if there is none.
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
