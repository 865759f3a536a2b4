//! Settings of the store.

use serde::{Deserialize, Serialize};

use crate::setting::{InvalidSetting, SecretUrl, at_least};

/// The kind of database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// SQLite in the data directory.
    Embedded,
    /// MySQL 8.
    Mysql,
}

impl StoreKind {
    /// Whether it lives in this process and its data directory, which no other process shares.
    #[must_use]
    pub const fn is_embedded(self) -> bool {
        match self {
            Self::Embedded => true,
            Self::Mysql => false,
        }
    }
}

/// What may be changed in a store that exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing in it is changed.
    ReadOnly,
    /// Rows may be changed, and tables migrated.
    ReadWrite,
}

/// Section `[store]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreSettings {
    /// SQLite or MySQL.
    pub kind: StoreKind,
    /// `mysql://user:password@host:port/database`; only with kind `mysql`.
    pub url: SecretUrl,
    /// Connections for reading.
    pub read_connections: u32,
    /// How long a query may wait for a connection, in milliseconds.
    pub acquire_timeout_ms: u64,
    /// How long a query that a caller waits for may take in all, in milliseconds; past that the caller is answered that the store
    /// is not available.
    pub answer_within_ms: u64,
    /// SQLite: pages in the write-ahead log that make a checkpoint due. It runs beside the commits; at twice as many it runs within
    /// one.
    pub checkpoint_pages: u32,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            kind: StoreKind::Embedded,
            url: SecretUrl::default(),
            read_connections: 8,
            acquire_timeout_ms: 2_000,
            answer_within_ms: 1_500,
            checkpoint_pages: 16_000,
        }
    }
}

impl StoreSettings {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        match self.kind {
            StoreKind::Embedded => {}
            StoreKind::Mysql => self.validate_url()?,
        }
        at_least("read_connections", self.read_connections, 1)?;
        at_least("acquire_timeout_ms", self.acquire_timeout_ms, 1)?;
        at_least("answer_within_ms", self.answer_within_ms, 1)
    }

    fn validate_url(&self) -> Result<(), InvalidSetting> {
        if self.url.is_empty() {
            let problem = "store.kind is mysql, which needs mysql://user:password@host:port/database";
            return Err(InvalidSetting::new("url", problem));
        }
        let url = self.url.parse();
        if !url.is_some_and(|url| url.scheme() == "mysql" && url.path().len() > 1 && url.has_host()) {
            return Err(InvalidSetting::new("url", "expected mysql://user:password@host:port/database"));
        }
        Ok(())
    }
}
