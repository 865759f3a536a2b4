//! Settings of the broker: plain data, read by the configuration, handed to the adapters. No I/O.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::setting::{InvalidSetting, SecretUrl, at_least, between};

/// The broker's adapters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BrokerKind {
    /// A bounded queue in this process; one instance only.
    #[default]
    Embedded,
    /// RabbitMQ 3.10 or later.
    RabbitMq,
}

impl BrokerKind {
    /// Whether it lives in this process and its data directory, which no other process shares.
    #[must_use]
    pub const fn is_embedded(self) -> bool {
        match self {
            Self::Embedded => true,
            Self::RabbitMq => false,
        }
    }
}

/// The section `[broker]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BrokerSettings {
    /// Which adapter: `embedded` or `rabbitmq`.
    pub kind: BrokerKind,
    /// Embedded: messages that may wait in each lane before publishing has to wait.
    pub queue_capacity: usize,
    /// RabbitMQ: its address, `amqp://user:password@host:5672/%2f` or `amqps://…`; `%2f` is the virtual host `/`.
    pub url: SecretUrl,
    /// RabbitMQ: every exchange and queue is named `<prefix>.<name>`, so that two systems can share a virtual host.
    pub prefix: String,
    /// RabbitMQ: messages that may be in flight per lane. At least rate × latency, or the acquirer's latency limits the rate.
    pub prefetch: u32,
    /// RabbitMQ: channels per lane over which the prefetch is spread.
    pub channels: u16,
    /// RabbitMQ: how long a batch may stay unconfirmed before its fate counts as unknown, in milliseconds.
    pub confirm_timeout_ms: u64,
    /// RabbitMQ: heartbeat in seconds; a server that says nothing for twice as long is gone.
    pub heartbeat_s: u16,
    /// RabbitMQ: how long connecting, or any single request on a connection, may take, in milliseconds.
    pub connect_timeout_ms: u64,
    /// RabbitMQ: the first pause before connecting again, in milliseconds; doubles from there, with jitter.
    pub backoff_min_ms: u64,
    /// RabbitMQ: the longest pause before connecting again, in milliseconds.
    pub backoff_max_ms: u64,
    /// RabbitMQ: how often idle connections and the queues' existence are checked, in milliseconds.
    pub watchdog_ms: u64,
    /// RabbitMQ: acknowledgements are sent when so many are gathered on a channel …
    pub ack_batch: usize,
    /// RabbitMQ: … or after so many milliseconds.
    pub ack_delay_ms: u64,
    /// RabbitMQ: a settled message held up behind an unsettled one is acknowledged by itself after so many milliseconds.
    pub ack_straggler_ms: u64,
    /// RabbitMQ: messages an instance's broadcast queue and its readers may hold; older ones are dropped and show as a gap.
    pub feed_capacity: u32,
}

impl Default for BrokerSettings {
    fn default() -> Self {
        Self {
            kind: BrokerKind::default(),
            queue_capacity: 65_536,
            url: "amqp://guest:guest@127.0.0.1:5672/%2f".into(),
            prefix: "paystorm".to_owned(),
            prefetch: 4_096,
            channels: 4,
            confirm_timeout_ms: 10_000,
            heartbeat_s: 10,
            connect_timeout_ms: 10_000,
            backoff_min_ms: 1_000,
            backoff_max_ms: 60_000,
            watchdog_ms: 5_000,
            ack_batch: 64,
            ack_delay_ms: 5,
            ack_straggler_ms: 50,
            feed_capacity: 1_024,
        }
    }
}

impl BrokerSettings {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        at_least("queue_capacity", self.queue_capacity, 1)?;
        match self.kind {
            BrokerKind::Embedded => Ok(()),
            BrokerKind::RabbitMq => self.validate_rabbitmq(),
        }
    }

    fn validate_rabbitmq(&self) -> Result<(), InvalidSetting> {
        let url = self.url.parse();
        if !url.is_some_and(|url| matches!(url.scheme(), "amqp" | "amqps") && url.has_host()) {
            return Err(InvalidSetting::new("url", "expected amqp://user:password@host:port/vhost"));
        }
        if self.prefix.is_empty() || self.prefix.len() > 60 || !self.prefix.is_ascii() {
            return Err(InvalidSetting::new("prefix", "must be 1 to 60 ASCII characters"));
        }
        between("channels", self.channels, 1, 64)?;
        if self.prefetch < u32::from(self.channels) || self.prefetch_per_channel() == u16::MAX {
            let problem = "must be at least broker.channels, and less than 65535 per channel";
            return Err(InvalidSetting::new("prefetch", problem));
        }
        at_least("backoff_min_ms", self.backoff_min_ms, 1)?;
        if self.backoff_max_ms < self.backoff_min_ms {
            return Err(InvalidSetting::new("backoff_max_ms", "must not be below broker.backoff_min_ms"));
        }
        at_least("confirm_timeout_ms", self.confirm_timeout_ms, 1)?;
        at_least("heartbeat_s", self.heartbeat_s, 1)?;
        at_least("connect_timeout_ms", self.connect_timeout_ms, 1)?;
        at_least("watchdog_ms", self.watchdog_ms, 1)?;
        at_least("ack_batch", self.ack_batch, 1)?;
        at_least("ack_delay_ms", self.ack_delay_ms, 1)?;
        at_least("feed_capacity", self.feed_capacity, 1)
    }

    /// The share of the prefetch that one channel gets; `u16::MAX` stands for too much.
    #[must_use]
    pub fn prefetch_per_channel(&self) -> u16 {
        u16::try_from(self.prefetch.div_ceil(u32::from(self.channels.max(1)))).unwrap_or(u16::MAX)
    }

    pub(crate) const fn confirm_timeout(&self) -> Duration {
        Duration::from_millis(self.confirm_timeout_ms)
    }

    pub(crate) const fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms)
    }

    pub(crate) const fn watchdog(&self) -> Duration {
        Duration::from_millis(self.watchdog_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_for_both_kinds() {
        BrokerSettings::default().validate().unwrap();
        BrokerSettings { kind: BrokerKind::RabbitMq, ..Default::default() }.validate().unwrap();
    }

    #[test]
    fn unknown_keys_are_refused_and_the_rest_defaults() {
        let settings: BrokerSettings = toml::from_str("kind = \"rabbitmq\"\nprefetch = 100").unwrap();
        assert_eq!((settings.kind, settings.prefetch, settings.channels), (BrokerKind::RabbitMq, 100, 4));
        assert!(toml::from_str::<BrokerSettings>("prefetchh = 1").is_err());
    }

    #[test]
    fn the_password_is_never_shown() {
        let settings = BrokerSettings { url: "amqp://me:hush@host:1/%2f".into(), ..Default::default() };
        let shown = format!("{settings:?} {}", toml::to_string(&settings).unwrap());
        assert!(!shown.contains("hush") && shown.contains("***"), "{shown}");
        assert_eq!(settings.url.expose(), "amqp://me:hush@host:1/%2f");
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        let base = BrokerSettings { kind: BrokerKind::RabbitMq, ..Default::default() };
        for (key, bad) in [
            ("url", BrokerSettings { url: "http://host".into(), ..base.clone() }),
            ("channels", BrokerSettings { channels: 0, ..base.clone() }),
            ("prefetch", BrokerSettings { prefetch: 2, ..base.clone() }),
            ("prefetch", BrokerSettings { prefetch: 10_000_000, ..base.clone() }),
            ("prefix", BrokerSettings { prefix: String::new(), ..base.clone() }),
            ("backoff_max_ms", BrokerSettings { backoff_max_ms: 1, ..base.clone() }),
            ("heartbeat_s", BrokerSettings { heartbeat_s: 0, ..base.clone() }),
            ("confirm_timeout_ms", BrokerSettings { confirm_timeout_ms: 0, ..base }),
        ] {
            assert_eq!(bad.validate().unwrap_err().key, key, "{bad:?}");
        }
    }
}
