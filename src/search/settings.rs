//! Settings of the search index. Plain data; depends on nothing.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

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

/// The `[search]` section.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SearchSettings {
    /// Which adapter to use.
    pub kind: SearchKind,
    /// Embedded: the directory of the index. Relative to the data directory.
    pub path: PathBuf,
    /// Embedded: what the writer may hold in memory before it writes a segment, in MiB; 16–1,024.
    pub memory_mb: u32,
    /// Elasticsearch: its address.
    pub url: String,
    /// Elasticsearch: user name, where it asks for one.
    pub username: Option<String>,
    /// Elasticsearch: password. A secret.
    pub password: Option<String>,
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
            url: "http://127.0.0.1:9200".to_owned(),
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
    /// What is wrong with the values, as one sentence that names the setting.
    ///
    /// # Errors
    /// The sentence.
    pub fn validate(&self) -> Result<(), String> {
        if !(16..=1_024).contains(&self.memory_mb) {
            return Err("search.memory_mb must be between 16 and 1024".to_owned());
        }
        if !(100..=60_000).contains(&self.refresh_ms) {
            return Err("search.refresh_ms must be between 100 and 60000".to_owned());
        }
        if !(100..=300_000).contains(&self.request_timeout_ms) {
            return Err("search.request_timeout_ms must be between 100 and 300000".to_owned());
        }
        if self.shards == 0 {
            return Err("search.shards must be at least 1".to_owned());
        }
        let letter =
            |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        let starts_well = self.prefix.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        if !starts_well || self.prefix.len() > 100 || !self.prefix.bytes().all(letter) {
            return Err(
                "search.prefix must start with a letter and hold lower-case letters, digits, - and _"
                    .to_owned(),
            );
        }
        if self.kind == SearchKind::Elasticsearch {
            let url = url::Url::parse(&self.url).map_err(|error| format!("search.url: {error}"))?;
            if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
                return Err("search.url must be an http or https address".to_owned());
            }
            if url.password().is_some() || !url.username().is_empty() {
                return Err(
                    "search.url must not hold a password: use search.username and search.password".to_owned()
                );
            }
        }
        Ok(())
    }
}

impl fmt::Debug for SearchSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SearchSettings")
            .field("kind", &self.kind)
            .field("path", &self.path)
            .field("memory_mb", &self.memory_mb)
            .field("url", &self.url)
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| "***"))
            .field("prefix", &self.prefix)
            .field("shards", &self.shards)
            .field("replicas", &self.replicas)
            .field("refresh_ms", &self.refresh_ms)
            .field("request_timeout_ms", &self.request_timeout_ms)
            .finish()
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
            settings.validate().unwrap_err()
        };
        assert!(wrong(|s| s.memory_mb = 1).contains("search.memory_mb"));
        assert!(wrong(|s| s.prefix = "A*".to_owned()).contains("search.prefix"));
        assert!(wrong(|s| s.url = "elastic".to_owned()).contains("search.url"));
        assert!(toml::from_str::<SearchSettings>("kin = 'embedded'").is_err());
    }

    #[test]
    fn the_password_is_not_shown() {
        let settings = SearchSettings { password: Some("hunter2".to_owned()), ..SearchSettings::default() };
        assert!(!format!("{settings:?}").contains("hunter2"));
    }
}
