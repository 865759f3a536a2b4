//! Settings of the broker: plain data, read by the configuration, handed to the adapters. No I/O.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};

use super::BrokerError;

/// Which adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BrokerKind {
    /// A bounded queue in this process; one instance only.
    #[default]
    Embedded,
    /// RabbitMQ 3.10 or later.
    RabbitMq,
}

/// An address that may hold a password: shown and serialised without it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct BrokerUrl(String);

impl BrokerUrl {
    /// The address as it was set, password included. Not for logs.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for BrokerUrl {
    fn from(url: String) -> Self {
        Self(url)
    }
}

impl fmt::Display for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(mut url) = url::Url::parse(&self.0) else { return f.write_str("(not an address)") };
        if url.password().is_some() && url.set_password(Some("***")).is_err() {
            return f.write_str("(hidden)");
        }
        f.write_str(url.as_str())
    }
}

impl fmt::Debug for BrokerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for BrokerUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
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
    pub url: BrokerUrl,
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
    /// RabbitMQ: messages an instance's feed queue and its readers may hold; older ones are dropped and show as a gap.
    pub feed_capacity: u32,
}

impl Default for BrokerSettings {
    fn default() -> Self {
        Self {
            kind: BrokerKind::default(),
            queue_capacity: 65_536,
            url: BrokerUrl("amqp://guest:guest@127.0.0.1:5672/%2f".to_owned()),
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
    /// [`BrokerError::Settings`] with the name of the setting and what is wrong with it.
    pub fn validate(&self) -> Result<(), BrokerError> {
        let refuse = |text: &str| Err(BrokerError::Settings(text.to_owned()));
        if self.queue_capacity == 0 {
            return refuse("queue_capacity must be at least 1");
        }
        if self.kind == BrokerKind::Embedded {
            return Ok(());
        }
        if self.prefix.is_empty() || self.prefix.len() > 60 || !self.prefix.is_ascii() {
            return refuse("prefix must be 1 to 60 ASCII characters");
        }
        if self.channels == 0 || self.channels > 64 {
            return refuse("channels must be between 1 and 64");
        }
        if self.prefetch < u32::from(self.channels) || self.prefetch_per_channel() == u16::MAX {
            return refuse("prefetch must be at least `channels` and less than 65535 per channel");
        }
        if self.backoff_min_ms == 0 || self.backoff_max_ms < self.backoff_min_ms {
            return refuse("backoff_min_ms must be at least 1 and not above backoff_max_ms");
        }
        let positive =
            [self.confirm_timeout_ms, self.connect_timeout_ms, self.watchdog_ms, self.ack_delay_ms];
        if positive.contains(&0) || self.ack_batch == 0 || self.feed_capacity == 0 || self.heartbeat_s == 0 {
            return refuse(
                "timeouts, heartbeat, ack_batch, ack_delay_ms and feed_capacity must be at least 1",
            );
        }
        Ok(())
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
        let settings =
            BrokerSettings { url: "amqp://me:hush@host:1/%2f".to_owned().into(), ..Default::default() };
        let shown = format!("{settings:?} {}", toml::to_string(&settings).unwrap());
        assert!(!shown.contains("hush") && shown.contains("***"), "{shown}");
        assert_eq!(settings.url.expose(), "amqp://me:hush@host:1/%2f");
    }

    #[test]
    fn nonsense_is_refused() {
        let base = BrokerSettings { kind: BrokerKind::RabbitMq, ..Default::default() };
        for bad in [
            BrokerSettings { channels: 0, ..base.clone() },
            BrokerSettings { prefetch: 2, ..base.clone() },
            BrokerSettings { prefetch: 10_000_000, ..base.clone() },
            BrokerSettings { prefix: String::new(), ..base.clone() },
            BrokerSettings { backoff_max_ms: 1, ..base.clone() },
            BrokerSettings { confirm_timeout_ms: 0, ..base },
        ] {
            assert!(matches!(bad.validate(), Err(BrokerError::Settings(_))), "{bad:?}");
        }
    }
}
