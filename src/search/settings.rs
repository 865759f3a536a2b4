//! Settings of the search index: plain data, read by the configuration, handed to the adapters. No I/O.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::setting::{InvalidSetting, Secret, SecretUrl, at_least, between};

/// Which adapter serves the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchKind {
    /// tantivy, in a directory of this process alone.
    #[default]
    Embedded,
    /// An Elasticsearch 8 server.
    Elasticsearch,
}

impl SearchKind {
    /// Whether it lives in this process and its data directory, which no other process shares.
    #[must_use]
    pub const fn is_embedded(self) -> bool {
        match self {
            Self::Embedded => true,
            Self::Elasticsearch => false,
        }
    }
}

/// Section `[search]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SearchSettings {
    /// Which adapter to use.
    pub kind: SearchKind,
    /// Embedded: the directory of the index. Relative to the data directory.
    pub path: PathBuf,
    /// Embedded: what the writer may hold in memory before it writes a segment, in MiB; 16–1,024.
    pub memory_mb: u32,
    /// Elasticsearch: its address.
    pub url: SecretUrl,
    /// Elasticsearch: user name, where it asks for one.
    pub username: Option<Secret>,
    /// Elasticsearch: password, where it asks for one.
    pub password: Option<Secret>,
    /// Elasticsearch: what the names of indices and the alias start with.
    pub prefix: String,
    /// Elasticsearch: shards of a new index.
    pub shards: u16,
    /// Elasticsearch: copies of each shard besides the first.
    pub replicas: u16,
    /// How long a change may take to become searchable, in milliseconds; 100–60,000. Embedded: how often to commit while
    /// there is work. Elasticsearch: its `refresh_interval`.
    pub refresh_ms: u64,
    /// Elasticsearch: how long one request may take, in milliseconds; 100–300,000.
    pub request_timeout_ms: u64,
}

impl Default for SearchSettings {
    fn default() -> Self {
        Self {
            kind: SearchKind::Embedded,
            path: PathBuf::from("search"),
            memory_mb: 64,
            url: "http://127.0.0.1:9200".into(),
            username: None,
            password: None,
            prefix: "paystorm".to_owned(),
            shards: 1,
            replicas: 0,
            refresh_ms: 500,
            request_timeout_ms: 10_000,
        }
    }
}

impl SearchSettings {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        between("memory_mb", self.memory_mb, 16, 1_024)?;
        between("refresh_ms", self.refresh_ms, 100, 60_000)?;
        between("request_timeout_ms", self.request_timeout_ms, 100, 300_000)?;
        at_least("shards", self.shards, 1)?;
        let allowed =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        let starts_well = self.prefix.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        if !starts_well || self.prefix.len() > 100 || !self.prefix.bytes().all(allowed) {
            let problem = "must start with a letter and hold at most 100 lower-case letters, digits, - and _";
            return Err(InvalidSetting::new("prefix", problem));
        }
        match self.kind {
            SearchKind::Embedded => Ok(()),
            SearchKind::Elasticsearch => self.validate_url(),
        }
    }

    fn validate_url(&self) -> Result<(), InvalidSetting> {
        let url = self.url.parse().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let Some(url) = url else {
            return Err(InvalidSetting::new("url", "expected http://host:port or https://host:port"));
        };
        if url.password().is_some() || !url.username().is_empty() {
            let problem = "must not hold a password: use search.username and search.password";
            return Err(InvalidSetting::new("url", problem));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_valid_and_mistakes_are_named() {
        assert_eq!(SearchSettings::default().validate(), Ok(()));
        let wrong = |change: fn(&mut SearchSettings)| {
            let mut settings =
                SearchSettings { kind: SearchKind::Elasticsearch, ..SearchSettings::default() };
            change(&mut settings);
            settings.validate().unwrap_err().key
        };
        assert_eq!(wrong(|s| s.memory_mb = 1), "memory_mb");
        assert_eq!(wrong(|s| s.prefix = "A*".to_owned()), "prefix");
        assert_eq!(wrong(|s| s.url = "elastic".into()), "url");
        assert_eq!(wrong(|s| s.url = "http://me:hush@host:9200".into()), "url");
        assert!(toml::from_str::<SearchSettings>("kin = 'embedded'").is_err());
    }
}
