//! Settings of the simulated outside world.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::latency::{LONGEST_MS, Latency, MS_MAX, SIGMA_MAX};
use crate::setting::{InvalidSetting, between};

/// Section `[simulator]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SimulatorSettings {
    /// What all draws start from. The same seed gives the same answers to the same questions.
    pub seed: u64,
    /// Half of an acquirer's answers come faster than this, in milliseconds; 0 answers at once.
    pub latency_median_ms: f64,
    /// Standard deviation of the logarithm of the latency; 0 makes every answer take the median.
    pub latency_sigma: f64,
    /// The longest an answer may take, in milliseconds.
    pub latency_max_ms: f64,
    /// Share of attempts that break technically, 0 to 1, where the card does not decide by itself.
    pub technical_error_rate: f64,
    /// How long after its acceptance a payout arrives at the bank, in milliseconds.
    pub payout_settle_ms: u64,
    /// The file of the scenario in force, relative to where the program was started; empty if there is none.
    pub scenario: PathBuf,
}

impl Default for SimulatorSettings {
    fn default() -> Self {
        Self {
            seed: 42,
            latency_median_ms: 120.0,
            latency_sigma: 0.5,
            latency_max_ms: LONGEST_MS,
            technical_error_rate: 0.0,
            payout_settle_ms: 2_000,
            scenario: PathBuf::new(),
        }
    }
}

impl SimulatorSettings {
    /// The latency law these settings describe.
    #[must_use]
    pub fn latency(&self) -> Latency {
        Latency::log_normal(self.latency_median_ms, self.latency_sigma, self.latency_max_ms)
    }

    /// Checks what the types cannot.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        between("latency_median_ms", self.latency_median_ms, 0.0, MS_MAX)?;
        between("latency_sigma", self.latency_sigma, 0.0, SIGMA_MAX)?;
        between("latency_max_ms", self.latency_max_ms, 0.0, MS_MAX)?;
        between("technical_error_rate", self.technical_error_rate, 0.0, 1.0)?;
        if self.latency_max_ms < self.latency_median_ms {
            return Err(InvalidSetting::new("latency_max_ms", "must not be below latency_median_ms"));
        }
        Ok(())
    }
}
