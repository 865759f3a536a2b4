//! The settings structs. Every key is in `config/default.toml` with the same value and a comment; a test compares the
//! two.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tracing_subscriber::filter::Targets;

use super::server::ServerSettings;
use crate::broker::settings::BrokerSettings;
use crate::domain::account::{AccountTerms, FeePlan, PAYOUT_DELAY_DAYS_MAX};
use crate::domain::country::Country;
use crate::domain::currency::Currency;
use crate::engine::EngineSettings;
use crate::runs::LoadSettings;
use crate::search::SearchSettings;
use crate::setting::{InvalidSetting, Secret, at_least, at_most, between};
use crate::simulator::SimulatorSettings;
use crate::store::StoreSettings;
use crate::worker::WorkerSettings;

/// The longest token for `/metrics`.
const METRICS_TOKEN_MAX_BYTES: usize = 256;

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where embedded parts keep their files.
    pub data_dir: PathBuf,
    /// How many processes like this one are meant to run together.
    pub instances: u32,
    /// Section `[server]`.
    pub server: ServerSettings,
    /// Section `[roles]`.
    pub roles: RoleSettings,
    /// Section `[accounts]`.
    pub accounts: AccountSettings,
    /// Section `[demo]`.
    pub demo: DemoSettings,
    /// Section `[requests]`.
    pub requests: RequestSettings,
    /// Section `[store]`.
    pub store: StoreSettings,
    /// Section `[broker]`.
    pub broker: BrokerSettings,
    /// Section `[search]`.
    pub search: SearchSettings,
    /// Section `[engine]`.
    pub engine: EngineSettings,
    /// Section `[worker]`.
    pub worker: WorkerSettings,
    /// Section `[simulator]`.
    pub simulator: SimulatorSettings,
    /// Section `[load]`.
    pub load: LoadSettings,
    /// Section `[telemetry]`.
    pub telemetry: TelemetrySettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("data"),
            instances: 1,
            server: ServerSettings::default(),
            roles: RoleSettings::default(),
            accounts: AccountSettings::default(),
            demo: DemoSettings::default(),
            requests: RequestSettings::default(),
            store: StoreSettings::default(),
            broker: BrokerSettings::default(),
            search: SearchSettings::default(),
            engine: EngineSettings::default(),
            worker: WorkerSettings::default(),
            simulator: SimulatorSettings::default(),
            load: LoadSettings::default(),
            telemetry: TelemetrySettings::default(),
        }
    }
}

impl Settings {
    /// Whether the demo account is offered.
    #[must_use]
    pub fn demo_is_on(&self) -> bool {
        self.demo.enabled && self.roles.web && self.demo_obstacle().is_none()
    }

    /// Why there can be no demo account, in words that follow its name: anyone who can reach it can use it, so only this
    /// machine may, and a proxy in front would make strangers look like this machine.
    pub(super) fn demo_obstacle(&self) -> Option<String> {
        let server = &self.server;
        if !server.bind_address().is_some_and(|bind| bind.ip().is_loopback()) {
            return Some(format!("is for this machine only, but server.bind is {}", server.bind));
        }
        if let Some(key) = server.sign_of_proxy() {
            return Some(format!("is for this machine only, but server.{key} is set"));
        }
        let real = [
            ("store", !self.store.kind.is_embedded()),
            ("broker", !self.broker.kind.is_embedded()),
            ("search", !self.search.kind.is_embedded()),
        ];
        let (part, _) = real.into_iter().find(|(_, real)| *real)?;
        Some(format!("needs embedded parts, but {part}.kind is not"))
    }
}

/// Section `[roles]`: which parts of the work this process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoleSettings {
    /// Pages, API and WebSocket.
    pub web: bool,
    /// Takes work from the queue and asks acquirers.
    pub worker: bool,
    /// Keeps the search index up to date.
    pub indexer: bool,
    /// Delivers webhooks. There are none yet, so this role does nothing.
    pub webhooks: bool,
}

impl Default for RoleSettings {
    fn default() -> Self {
        Self { web: true, worker: true, indexer: true, webhooks: true }
    }
}

impl RoleSettings {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// If this process would have nothing to do.
    pub fn validate(self) -> Result<(), InvalidSetting> {
        let Self { web, worker, indexer, webhooks } = self;
        if web || worker || indexer {
            return Ok(());
        }
        let problem = if webhooks {
            "every role but roles.webhooks is off, and there are no webhooks to deliver yet; this process would do nothing"
        } else {
            "every role is off; this process would do nothing"
        };
        Err(InvalidSetting::new("web", problem))
    }
}

/// Section `[accounts]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccountSettings {
    /// Whether anyone who reaches the server may register.
    pub registration: bool,
    /// How long a browser stays signed in, in hours.
    pub session_hours: u32,
    /// Failed sign-ins per account and address in 15 minutes before further ones are refused.
    pub login_attempts: u32,
    /// The country of an account created from now on, two capital letters of ISO 3166-1.
    pub country: Country,
    /// Its default currency, three letters of ISO 4217.
    pub default_currency: Currency,
    /// The fee on each charge of an account created from now on, in hundredths of a percent of the charge …
    pub fee_basis_points: u16,
    /// … and in minor units of its currency.
    pub fee_fixed_minor: i64,
    /// How many days the charges of an account created from now on take to become available.
    pub payout_delay_days: u16,
    /// E-mail addresses of those who may pause the workers and see the settings. On loopback everyone signed in may.
    pub operators: Vec<String>,
}

impl Default for AccountSettings {
    fn default() -> Self {
        Self {
            registration: true,
            session_hours: 336,
            login_attempts: 5,
            country: AccountTerms::default().country,
            default_currency: AccountTerms::default().currency,
            fee_basis_points: 0,
            fee_fixed_minor: 0,
            payout_delay_days: 0,
            operators: Vec::new(),
        }
    }
}

impl AccountSettings {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        at_least("session_hours", self.session_hours, 1)?;
        at_least("login_attempts", self.login_attempts, 1)?;
        at_most("fee_basis_points", self.fee_basis_points, FeePlan::BASIS_POINTS_MAX)?;
        between("fee_fixed_minor", self.fee_fixed_minor, 0, FeePlan::FIXED_MINOR_MAX)?;
        at_most("payout_delay_days", self.payout_delay_days, PAYOUT_DELAY_DAYS_MAX)
    }

    /// What accounts are created with.
    #[must_use]
    pub fn terms(&self) -> AccountTerms {
        let fee = FeePlan { basis_points: self.fee_basis_points, fixed_minor: self.fee_fixed_minor };
        AccountTerms {
            country: self.country,
            currency: self.default_currency,
            fee,
            payout_delay_days: self.payout_delay_days,
            lean: false,
        }
    }
}

/// Section `[demo]`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DemoSettings {
    /// Creates a ready-made account, prints an address that signs in to it once, and lets any `sk_test_…` key act for it.
    /// Only where [`Settings::demo_is_on`].
    pub enabled: bool,
    /// Makes some thirty payments once someone first looks, if the store is empty.
    pub payments: bool,
    /// Half of the answers to the demo's payments come faster than this, in milliseconds.
    pub latency_median_ms: f64,
}

impl Default for DemoSettings {
    fn default() -> Self {
        Self { enabled: true, payments: true, latency_median_ms: 600.0 }
    }
}

impl DemoSettings {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        between("latency_median_ms", self.latency_median_ms, 0.0, 600_000.0)
    }
}

/// Section `[requests]`: the log of calls to the API that people see on the Requests page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RequestSettings {
    /// Whether calls are logged.
    pub log: bool,
    /// Calls logged per second at most, from all accounts together; the rest are counted.
    pub per_second: u32,
    /// How many of the newest calls are kept per account.
    pub keep: u32,
    /// How long calls are kept, in days.
    pub keep_days: u32,
}

impl Default for RequestSettings {
    fn default() -> Self {
        Self { log: true, per_second: 50, keep: 5_000, keep_days: 7 }
    }
}

impl RequestSettings {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        at_least("per_second", self.per_second, 1)?;
        at_least("keep", self.keep, 1)?;
        at_least("keep_days", self.keep_days, 1)
    }
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Section `[telemetry]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetrySettings {
    /// The form of log lines.
    pub log_format: LogFormat,
    /// What is logged: a level (`error`, `warn`, `info`, `debug`, `trace`), or levels by module
    /// (`info,paystorm::engine=debug`).
    pub log_level: String,
    /// Serve `/metrics`.
    pub metrics: bool,
    /// Who may read `/metrics`.
    pub metrics_for: MetricsFor,
    /// What readers of `/metrics` must send as `Authorization: Bearer …`; empty asks for nothing.
    pub metrics_token: Secret,
}

/// Who may read `/metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MetricsFor {
    /// Anyone who reaches the server.
    Everyone,
    /// This machine alone, and not through a proxy on it.
    Loopback,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        Self {
            log_format: LogFormat::Text,
            log_level: "info,lapin=off".to_owned(),
            metrics: true,
            metrics_for: MetricsFor::Everyone,
            metrics_token: Secret::default(),
        }
    }
}

impl TelemetrySettings {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        let level = &self.log_level;
        if level.trim().is_empty() || level.parse::<Targets>().is_err() {
            let problem =
                format!("expected error, warn, info, debug or trace, or levels by module, not {level:?}");
            return Err(InvalidSetting::new("log_level", problem));
        }
        let token = self.metrics_token.expose();
        if !token.chars().all(|c| c.is_ascii_graphic()) || token.len() > METRICS_TOKEN_MAX_BYTES {
            let problem = format!(
                "expected at most {METRICS_TOKEN_MAX_BYTES} printable ASCII characters without spaces"
            );
            return Err(InvalidSetting::new("metrics_token", problem));
        }
        Ok(())
    }
}
