//! The settings themselves. Every key stands in `config/default.toml` with the same value and a comment; a test
//! compares the two.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::broker::settings::{BrokerKind, BrokerSettings};
use crate::domain::account::{AccountTerms, FeePlan};
use crate::domain::country::Country;
use crate::domain::currency::Currency;
use crate::engine::EngineSettings;
use crate::search::{SearchKind, SearchSettings};
use crate::simulator::SimulatorSettings;
use crate::store::{StoreKind, StoreSettings};
use crate::worker::WorkerSettings;

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
            telemetry: TelemetrySettings::default(),
        }
    }
}

/// Section `[server]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSettings {
    /// `ADDRESS:PORT` to listen on; port 0 takes a free one.
    pub bind: String,
    /// The address people type, if it is not `bind` (behind a proxy); no path.
    pub public_url: String,
    /// Mark cookies `Secure`, and name them so that only this host can set them. Needs TLS in front.
    pub secure_cookies: bool,
    /// Addresses of proxies whose `Forwarded` and `X-Forwarded-For` are believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Further origins whose pages may open the WebSocket and send forms.
    pub allowed_origins: Vec<String>,
    /// Threads that serve connections; 0 takes one per core.
    pub threads: usize,
    /// Connections that may be open at once.
    pub connections_max: usize,
    /// How long the head of a request may keep the server waiting, from the beginning of the connection or the end of the answer
    /// before it, in milliseconds.
    pub head_wait_ms: u64,
    /// Largest request body, in bytes.
    pub body_max_bytes: usize,
    /// How long the body of a request may keep the server waiting in all, in milliseconds, besides a second for each 32 KiB.
    pub body_wait_ms: u64,
    /// Largest WebSocket frame other than a batch, in bytes.
    pub frame_max_bytes: usize,
    /// Largest `payment.submit_batch` frame, in bytes.
    pub batch_frame_max_bytes: usize,
    /// What may wait for its outcome on WebSockets, all of them together, in bytes.
    pub socket_memory_bytes: usize,
    /// Refuse text in which a card number stands.
    pub refuse_card_numbers: bool,
    /// How often the server pings a WebSocket, in milliseconds.
    pub ping_ms: u64,
    /// A WebSocket from which nothing was heard for so long is closed, in milliseconds.
    pub silence_ms: u64,
    /// How long `/v1` waits for a payment's outcome before it answers `processing`, in milliseconds.
    pub outcome_wait_ms: u64,
    /// How long a stop may take before what is left is dropped (and picked up at the next start), in milliseconds.
    pub shutdown_ms: u64,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            bind: "127.0.0.1:8080".to_owned(),
            public_url: String::new(),
            secure_cookies: false,
            trusted_proxies: Vec::new(),
            allowed_origins: Vec::new(),
            threads: 0,
            connections_max: 10_000,
            head_wait_ms: 10_000,
            body_max_bytes: 1_048_576,
            body_wait_ms: 30_000,
            frame_max_bytes: 16_384,
            batch_frame_max_bytes: 1_048_576,
            socket_memory_bytes: 64 << 20,
            refuse_card_numbers: true,
            ping_ms: 20_000,
            silence_ms: 60_000,
            outcome_wait_ms: 10_000,
            shutdown_ms: 10_000,
        }
    }
}

impl Settings {
    /// Whether the demo account is offered.
    #[must_use]
    pub fn demo_is_on(&self) -> bool {
        self.demo.enabled && self.roles.web && self.demo_obstacle().is_none()
    }

    /// Why there can be no demo account, in words that follow its name: whoever can reach it can use it, so only this
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
            ("store", self.store.kind != StoreKind::Embedded),
            ("broker", self.broker.kind != BrokerKind::Embedded),
            ("search", self.search.kind != SearchKind::Embedded),
        ];
        let (part, _) = real.into_iter().find(|(_, real)| *real)?;
        Some(format!("needs embedded parts, but {part}.kind is not"))
    }
}

impl ServerSettings {
    /// The first setting that only makes sense with a proxy in front, if any is set: then a peer on loopback may be
    /// anyone.
    #[must_use]
    pub fn sign_of_proxy(&self) -> Option<&'static str> {
        let signs = [
            ("public_url", !self.public_url.is_empty()),
            ("trusted_proxies", !self.trusted_proxies.is_empty()),
            ("allowed_origins", !self.allowed_origins.is_empty()),
            ("secure_cookies", self.secure_cookies),
        ];
        signs.into_iter().find_map(|(key, set)| set.then_some(key))
    }

    /// The socket address to listen on; `None` unless `bind` is an IP address (or `localhost`) and a port.
    #[must_use]
    pub fn bind_address(&self) -> Option<SocketAddr> {
        match self.bind.strip_prefix("localhost:") {
            Some(port) => {
                port.parse().ok().map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port))
            }
            None => self.bind.parse().ok(),
        }
    }
}

/// Section `[roles]`: which parts of the work this process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RoleSettings {
    /// Pages, API and WebSocket.
    pub web: bool,
    /// Asks acquirers.
    pub worker: bool,
    /// Keeps the search index up to date.
    pub indexer: bool,
    /// Delivers webhooks.
    pub webhooks: bool,
}

impl Default for RoleSettings {
    fn default() -> Self {
        Self { web: true, worker: true, indexer: true, webhooks: true }
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
    /// What is kept back of each charge of an account created from now on, in hundredths of a percent of the charge …
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
    /// Makes a ready-made account, prints an address that signs in to it once, and lets any `sk_test_…` key act for it.
    /// Only where [`Settings::demo_is_on`].
    pub enabled: bool,
    /// Lets the first look at it make some thirty payments, where the store is empty.
    pub payments: bool,
    /// Half of the answers to the demo's payments come faster than this, in milliseconds.
    pub latency_median_ms: f64,
}

impl Default for DemoSettings {
    fn default() -> Self {
        Self { enabled: true, payments: true, latency_median_ms: 600.0 }
    }
}

/// Section `[requests]`: the log of calls to the API that people see on the Requests page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RequestSettings {
    /// Whether calls are logged.
    pub log: bool,
    /// Calls logged in a second at most, whoever makes them; the rest are counted.
    pub per_second: u32,
    /// The newest calls that are kept of each account.
    pub keep: u32,
    /// How long calls are kept, in days.
    pub keep_days: u32,
}

impl Default for RequestSettings {
    fn default() -> Self {
        Self { log: true, per_second: 50, keep: 5_000, keep_days: 7 }
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
    pub metrics_token: String,
}

/// Who may read `/metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MetricsFor {
    /// Whoever reaches the server.
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
            metrics_token: String::new(),
        }
    }
}
