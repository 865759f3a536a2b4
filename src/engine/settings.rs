//! Settings of the engine.

use serde::{Deserialize, Serialize};

use crate::setting::{InvalidSetting, at_least, at_most};

/// With more retries than this, a payment's history would have no room for a few operations.
const RETRIES_MAX: usize = 100;
/// The journal's head at each look is kept for an hour at most.
const STATEMENT_LAG_MAX_S: u64 = 3_600;
/// What callers may rely on: a day.
const IDEMPOTENCY_RETENTION_MIN_S: u64 = 24 * 3_600;

/// Section `[engine]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineSettings {
    /// Submissions and operations that may wait for the writer; past that they are refused with 503.
    pub intake_capacity: usize,
    /// How many bytes of them may wait, as large ones would fill the memory before they are many.
    pub intake_memory_bytes: usize,
    /// How long a caller waits for the commit, in milliseconds; past that it is answered 503, and whether it may have been done.
    pub answer_within_ms: u64,
    /// Answers and timers that may wait for the writer; past that the worker waits.
    pub answer_capacity: usize,
    /// The most commands decided in one transaction.
    pub batch_max: usize,
    /// Delays before the retries of a technical error, in milliseconds; their number is the number of retries.
    pub retry_delays_ms: Vec<u64>,
    /// How long an authorisation waits for its capture, in seconds.
    pub authorization_ttl_s: u64,
    /// How long the journal is kept behind the slowest reader, in seconds.
    pub journal_retention_s: u64,
    /// How long an idempotency key is known, in seconds; at least a day.
    pub idempotency_retention_s: u64,
    /// How many bytes of committed batches, and of payments with open work, are kept in memory for this process's own
    /// readers and workers: half for each.
    pub feed_memory_bytes: usize,
    /// How long writing statements and events may take for what there is to write before new payments of full accounts are refused
    /// (429), in seconds.
    pub statement_lag_max_s: u64,
    /// Events that are kept of one account; of more than that the oldest are deleted.
    pub events_per_account_max: u32,
}

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            intake_capacity: 16_384,
            intake_memory_bytes: 64 << 20,
            answer_within_ms: 2_000,
            answer_capacity: 8_192,
            batch_max: 1_024,
            retry_delays_ms: vec![1_000, 5_000, 25_000],
            authorization_ttl_s: 7 * 24 * 3_600,
            journal_retention_s: 24 * 3_600,
            idempotency_retention_s: 30 * 24 * 3_600,
            feed_memory_bytes: 64 << 20,
            statement_lag_max_s: 30,
            events_per_account_max: 10_000,
        }
    }
}

impl EngineSettings {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        at_least("intake_capacity", self.intake_capacity, 1)?;
        at_least("intake_memory_bytes", self.intake_memory_bytes, 1 << 20)?;
        at_least("answer_within_ms", self.answer_within_ms, 1)?;
        at_least("answer_capacity", self.answer_capacity, 1)?;
        at_least("events_per_account_max", self.events_per_account_max, 100)?;
        at_least("statement_lag_max_s", self.statement_lag_max_s, 1)?;
        at_most("statement_lag_max_s", self.statement_lag_max_s, STATEMENT_LAG_MAX_S)?;
        at_least("batch_max", self.batch_max, 1)?;
        at_least("authorization_ttl_s", self.authorization_ttl_s, 1)?;
        at_least("idempotency_retention_s", self.idempotency_retention_s, IDEMPOTENCY_RETENTION_MIN_S)?;
        let retries = self.retry_delays_ms.len();
        if retries > RETRIES_MAX {
            let problem = format!("must have at most {RETRIES_MAX} delays, not {retries}");
            return Err(InvalidSetting::new("retry_delays_ms", problem));
        }
        Ok(())
    }

    /// The part that decisions depend on.
    #[must_use]
    pub fn policy(&self) -> crate::domain::context::Policy {
        crate::domain::context::Policy {
            retry_delays_ms: self.retry_delays_ms.clone(),
            authorization_ttl_ms: self.authorization_ttl_s.saturating_mul(1_000),
        }
    }
}
