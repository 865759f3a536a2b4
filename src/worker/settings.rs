//! Settings of the worker.

use serde::{Deserialize, Serialize};

/// Section `[worker]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkerSettings {
    /// Operations that may be with the acquirer at once. Rate × latency must fit into it. At most half of them may wait for their
    /// turn at acquirers with a capacity.
    pub in_flight_max: usize,
    /// The most messages taken from the broker at once.
    pub receive_max: usize,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self { in_flight_max: 4_096, receive_max: 512 }
    }
}
