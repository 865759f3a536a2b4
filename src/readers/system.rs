//! The state of the installation, for people: whether its parts answer and its workers work, and how much waits where.
//! Types only; `monitor` keeps them up to date.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::domain::time::Timestamp;
use crate::store::StoreTrouble;

/// The state of the parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SystemState {
    /// Since when the workers are paused; `None` while they work.
    pub paused_since: Option<Timestamp>,
    /// Whether the store answers.
    pub store: bool,
    /// Whether the broker can be used.
    pub broker: bool,
    /// Whether the search index answers.
    pub search: bool,
    /// What is wrong with the store, if anything is.
    pub store_trouble: StoreTrouble,
    /// Whether the broker is reachable but takes no messages, if it cannot be used.
    pub broker_blocked: bool,
    /// Whether the index has yet to be filled, if it does not answer.
    pub search_filling: bool,
    /// Whether every background task of this process runs.
    pub tasks: bool,
    /// Whether the clock of this process is far behind the journal's head: late, or another process's is early.
    pub clock_behind: bool,
    /// Whether the index, if it is down, still answers and only takes no writes.
    pub search_behind: bool,
}

impl Default for SystemState {
    /// All is well until something else is known.
    fn default() -> Self {
        Self {
            paused_since: None,
            store: true,
            broker: true,
            search: true,
            store_trouble: StoreTrouble::default(),
            broker_blocked: false,
            search_filling: false,
            tasks: true,
            clock_behind: false,
            search_behind: false,
        }
    }
}

/// What waits for the workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct QueueSample {
    /// Messages of the interactive lane that no worker holds, as the broker counts them; `None` while it is away.
    pub interactive: Option<u64>,
    /// The same of the bulk lane.
    pub bulk: Option<u64>,
    /// Operations that this process's workers have begun and not settled.
    pub in_flight: Option<u64>,
    /// Payments with work that belongs in the queue, as the store counts them.
    pub open: u64,
    /// How long the oldest of them has been waiting, in microseconds; zero if there are none.
    pub oldest_us: u64,
}

/// How far a reader of the journal is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ReaderSample {
    /// Its position in the journal.
    pub cursor: u64,
    /// Batches behind the head.
    pub batches: u64,
    /// The age of the first of those batches, in microseconds; zero if there are none.
    pub lag_us: u64,
}

/// What waits where.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SystemSample {
    /// For the workers.
    pub queue: QueueSample,
    /// For the readers of the journal, by the names of their cursors.
    pub readers: BTreeMap<String, ReaderSample>,
}
