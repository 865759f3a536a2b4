//! What the types cannot say: ranges, addresses, and settings that contradict each other.

use url::Url;

use super::origins::Origins;
use super::{ConfigError, Settings};
use crate::broker::settings::BrokerKind;
use crate::domain::account::{FeePlan, PAYOUT_DELAY_DAYS_MAX};
use crate::search::SearchKind;
use crate::store::StoreKind;

/// With more retries than this, a payment's history could not hold a few operations.
const RETRIES_MAX: usize = 100;
/// An hour: where the line was at each look is kept for that long.
const STATEMENT_LAG_MAX_S: u64 = 3_600;

/// Checks settings that are well-formed one by one.
///
/// # Errors
/// The first contradiction found, with the key to change and where it was set.
pub fn check(settings: &Settings, origins: &Origins) -> Result<(), ConfigError> {
    let checker = Checker { settings, origins };
    checker.server()?;
    checker.accounts_and_logs()?;
    checker.demo()?;
    checker.parts()?;
    checker.roles()?;
    checker.instances()
}

struct Checker<'a> {
    settings: &'a Settings,
    origins: &'a Origins,
}

type Checked = Result<(), ConfigError>;

impl Checker<'_> {
    fn refuse(&self, key: &str, problem: impl Into<String>) -> Checked {
        Err(ConfigError::new(key, self.origins.of(key), problem))
    }

    /// A sentence of a section's own check, which opens with the name of the key.
    fn refuse_named(&self, section: &str, sentence: &str) -> Checked {
        let words = |word: &&str| self.settings_has(section, word.trim_start_matches(&format!("{section}.")));
        let named = sentence.split([' ', ':', ',']).find(words);
        let Some(word) = named else { return self.refuse(section, sentence) };
        let key = format!("{section}.{}", word.trim_start_matches(&format!("{section}.")));
        let (_, problem) = sentence.split_once(word).unwrap_or(("", sentence));
        self.refuse(&key, problem.trim_start_matches([' ', ':']))
    }

    fn settings_has(&self, section: &str, key: &str) -> bool {
        let table = toml::Table::try_from(self.settings).unwrap_or_default();
        table.get(section).and_then(|inner| inner.get(key)).is_some()
    }

    fn engine(&self) -> Checked {
        let engine = &self.settings.engine;
        self.at_least("engine.intake_capacity", engine.intake_capacity as u64, 1)?;
        self.at_least("engine.intake_memory_bytes", engine.intake_memory_bytes as u64, 1 << 20)?;
        self.at_least("engine.answer_within_ms", engine.answer_within_ms, 1)?;
        self.at_least("engine.answer_capacity", engine.answer_capacity as u64, 1)?;
        self.at_least("engine.events_per_account_max", engine.events_per_account_max.into(), 100)?;
        self.at_least("engine.statement_lag_max_s", engine.statement_lag_max_s, 1)?;
        if engine.statement_lag_max_s > STATEMENT_LAG_MAX_S {
            let problem =
                format!("must be at most {STATEMENT_LAG_MAX_S}, not {}", engine.statement_lag_max_s);
            return self.refuse("engine.statement_lag_max_s", problem);
        }
        self.at_least("engine.batch_max", engine.batch_max as u64, 1)?;
        self.at_least("engine.authorization_ttl_s", engine.authorization_ttl_s, 1)?;
        // What callers may rely on.
        self.at_least("engine.idempotency_retention_s", engine.idempotency_retention_s, 24 * 3_600)?;
        let retries = engine.retry_delays_ms.len();
        if retries > RETRIES_MAX {
            let problem = format!("must have at most {RETRIES_MAX} delays, not {retries}");
            return self.refuse("engine.retry_delays_ms", problem);
        }
        Ok(())
    }

    fn at_least(&self, key: &str, value: u64, min: u64) -> Checked {
        if value >= min { Ok(()) } else { self.refuse(key, format!("must be at least {min}, not {value}")) }
    }

    fn server(&self) -> Checked {
        let server = &self.settings.server;
        if server.bind_address().is_none() {
            return self.refuse(
                "server.bind",
                format!("expected ADDRESS:PORT such as 127.0.0.1:8080, not {:?}", server.bind),
            );
        }
        if !server.public_url.is_empty() && !is_origin(&server.public_url) {
            let problem =
                format!("expected https://host or http://host, without a path, not {:?}", server.public_url);
            return self.refuse("server.public_url", problem);
        }
        if server.secure_cookies && server.public_url.starts_with("http://") {
            return self.refuse(
                "server.secure_cookies",
                "browsers drop secure cookies on the http:// of server.public_url",
            );
        }
        if let Some(origin) = server.allowed_origins.iter().find(|origin| !is_origin(origin)) {
            let problem = format!("expected origins such as https://shop.example, not {origin:?}");
            return self.refuse("server.allowed_origins", problem);
        }
        self.at_least("server.connections_max", server.connections_max as u64, 1)?;
        self.at_least("server.head_wait_ms", server.head_wait_ms, 1)?;
        self.at_least("server.body_max_bytes", server.body_max_bytes as u64, 1_024)?;
        self.at_least("server.body_wait_ms", server.body_wait_ms, 1)?;
        self.at_least("server.frame_max_bytes", server.frame_max_bytes as u64, 1_024)?;
        self.at_least("server.ping_ms", server.ping_ms, 1)?;
        self.at_least("server.silence_ms", server.silence_ms, server.ping_ms)?;
        self.at_least(
            "server.batch_frame_max_bytes",
            server.batch_frame_max_bytes as u64,
            server.frame_max_bytes as u64,
        )?;
        // The longest message and what its results take up have room.
        let longest = (server.batch_frame_max_bytes as u64).saturating_add(1 << 20);
        self.at_least("server.socket_memory_bytes", server.socket_memory_bytes as u64, longest)
    }

    fn accounts_and_logs(&self) -> Checked {
        let accounts = &self.settings.accounts;
        self.at_least("accounts.session_hours", accounts.session_hours.into(), 1)?;
        self.at_least("accounts.login_attempts", accounts.login_attempts.into(), 1)?;
        let share = accounts.fee_basis_points;
        if share > FeePlan::BASIS_POINTS_MAX {
            let problem = format!("must be at most {}, not {share}", FeePlan::BASIS_POINTS_MAX);
            return self.refuse("accounts.fee_basis_points", problem);
        }
        let fixed = accounts.fee_fixed_minor;
        if !(0..=FeePlan::FIXED_MINOR_MAX).contains(&fixed) {
            let problem = format!("must be between 0 and {}, not {fixed}", FeePlan::FIXED_MINOR_MAX);
            return self.refuse("accounts.fee_fixed_minor", problem);
        }
        let days = accounts.payout_delay_days;
        if days > PAYOUT_DELAY_DAYS_MAX {
            let problem = format!("must be at most {PAYOUT_DELAY_DAYS_MAX}, not {days}");
            return self.refuse("accounts.payout_delay_days", problem);
        }
        let requests = &self.settings.requests;
        self.at_least("requests.per_second", requests.per_second.into(), 1)?;
        self.at_least("requests.keep", requests.keep.into(), 1)?;
        self.at_least("requests.keep_days", requests.keep_days.into(), 1)?;
        let level = &self.settings.telemetry.log_level;
        if level.trim().is_empty() || level.parse::<tracing_subscriber::filter::Targets>().is_err() {
            let problem =
                format!("expected error, warn, info, debug or trace, or levels by module, not {level:?}");
            return self.refuse("telemetry.log_level", problem);
        }
        let token = &self.settings.telemetry.metrics_token;
        if !token.chars().all(|c| c.is_ascii_graphic()) || token.len() > 256 {
            let problem = "expected at most 256 printable ASCII characters without spaces";
            return self.refuse("telemetry.metrics_token", problem);
        }
        if self.settings.data_dir.as_os_str().is_empty() {
            return self.refuse("data_dir", "must name a directory");
        }
        Ok(())
    }

    /// Where it was not asked for by name, the demo is just off where it cannot be.
    fn demo(&self) -> Checked {
        let demo = &self.settings.demo;
        if !(0.0..=600_000.0).contains(&demo.latency_median_ms) {
            let problem = format!("must be between 0 and 600000, not {}", demo.latency_median_ms);
            return self.refuse("demo.latency_median_ms", problem);
        }
        match self.settings.demo_obstacle() {
            Some(obstacle) if demo.enabled && self.origins.is_set("demo.enabled") => {
                self.refuse("demo.enabled", format!("the demo account {obstacle}"))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Each part by itself.
    fn parts(&self) -> Checked {
        let Settings { store, broker, search, simulator, .. } = self.settings;
        if store.kind == StoreKind::Mysql {
            if store.url.is_empty() {
                return self.refuse(
                    "store.url",
                    "store.kind is mysql, which needs mysql://user:password@host:port/database",
                );
            }
            if !Url::parse(&store.url)
                .is_ok_and(|url| url.scheme() == "mysql" && url.path().len() > 1 && url.has_host())
            {
                return self.refuse("store.url", "expected mysql://user:password@host:port/database");
            }
        }
        self.at_least("store.read_connections", store.read_connections.into(), 1)?;
        self.at_least("store.acquire_timeout_ms", store.acquire_timeout_ms, 1)?;
        self.at_least("store.answer_within_ms", store.answer_within_ms, 1)?;
        if broker.kind == BrokerKind::RabbitMq {
            let url = Url::parse(broker.url.expose());
            if !url.is_ok_and(|url| matches!(url.scheme(), "amqp" | "amqps") && url.has_host()) {
                return self.refuse("broker.url", "expected amqp://user:password@host:port/vhost");
            }
        }
        if search.kind == SearchKind::Elasticsearch {
            let url = Url::parse(&search.url);
            if !url.is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
                return self.refuse("search.url", "expected http://host:port or https://host:port");
            }
        }
        self.engine()?;
        broker.validate().or_else(|error| self.refuse_named("broker", &error.to_string()))?;
        search.validate().or_else(|problem| self.refuse_named("search", &problem))?;
        simulator.validate().or_else(|(key, problem)| self.refuse(&format!("simulator.{key}"), problem))
    }

    fn roles(&self) -> Checked {
        let Settings { roles, store, broker, .. } = self.settings;
        if !(roles.web || roles.worker || roles.indexer || roles.webhooks) {
            return self.refuse("roles.web", "every role is off; this process would do nothing");
        }
        let split =
            [("roles.web", roles.web), ("roles.worker", roles.worker)].into_iter().find(|(_, on)| !on);
        let Some((key, _)) = split else { return Ok(()) };
        let embedded = match (store.kind, broker.kind) {
            (StoreKind::Embedded, _) => "store.kind",
            (StoreKind::Mysql, BrokerKind::Embedded) => "broker.kind",
            (StoreKind::Mysql, BrokerKind::RabbitMq) => return Ok(()),
        };
        let problem =
            format!("cannot be off while {embedded} is embedded: no other process can take it over");
        self.refuse(key, problem)
    }

    fn instances(&self) -> Checked {
        let Settings { instances, store, broker, search, .. } = self.settings;
        self.at_least("instances", u64::from(*instances), 1)?;
        let embedded = [
            ("store.kind", store.kind == StoreKind::Embedded, "mysql"),
            ("broker.kind", broker.kind == BrokerKind::Embedded, "rabbitmq"),
            ("search.kind", search.kind == SearchKind::Embedded, "elasticsearch"),
        ];
        match embedded.into_iter().find(|(_, embedded, _)| *embedded && *instances > 1) {
            Some((key, _, instead)) => {
                let problem =
                    format!("{instances} instances cannot share an embedded part; set {key} to {instead}");
                self.refuse("instances", problem)
            }
            None => Ok(()),
        }
    }
}

/// Whether this is `scheme://host[:port]` and nothing more.
fn is_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.origin().ascii_serialization() == text.trim_end_matches('/').to_ascii_lowercase()
    })
}
