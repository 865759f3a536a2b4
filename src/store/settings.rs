//! Settings of the store.

use serde::{Deserialize, Serialize};

/// Which store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StoreKind {
    /// SQLite in the data directory.
    Embedded,
    /// MySQL 8.
    Mysql,
}

/// What opening a store that is there already may lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing in it is changed.
    ReadOnly,
    /// Rows are changed, and tables brought up to date.
    ReadWrite,
}

/// Section `[store]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreSettings {
    /// Which store.
    pub kind: StoreKind,
    /// `mysql://user:password@host:port/database`; only with kind `mysql`.
    pub url: String,
    /// Connections for reading.
    pub read_connections: u32,
    /// How long a query may wait for a connection, in milliseconds.
    pub acquire_timeout_ms: u64,
    /// How long a query that a caller waits for may take in all, in milliseconds; past that the caller is told that the store is
    /// not available.
    pub answer_within_ms: u64,
    /// SQLite: pages in the write-ahead log that make a checkpoint due. It is made beside the commits, and at twice as many within one.
    pub checkpoint_pages: u32,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            kind: StoreKind::Embedded,
            url: String::new(),
            read_connections: 8,
            acquire_timeout_ms: 2_000,
            answer_within_ms: 1_500,
            checkpoint_pages: 16_000,
        }
    }
}
