//! Section `[load]` of the settings: what runs may be started, and how many reports are kept.

use serde::{Deserialize, Serialize};

use crate::setting::{InvalidSetting, at_least, between};

/// Section `[load]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoadSettings {
    /// Whether load runs may be started from pages and over the API.
    pub pages: bool,
    /// Where reports are kept, one directory for each instance. Empty is `load` within `data_dir` where a part is embedded, else in
    /// memory alone.
    pub directory: String,
    /// Runs at once, of all accounts.
    pub runs_max: u32,
    /// The highest rate of a run, per second; 0 sets no bound, and allows `max`.
    pub rate_max: u32,
    /// The longest run, and the longest search, in seconds.
    pub duration_max_s: u32,
    /// The most accounts that a run may create.
    pub wallets_max: u32,
    /// Reports kept of each account.
    pub reports_max: u32,
    /// Reports kept of all accounts, in bytes.
    pub reports_max_bytes: u64,
}

impl Default for LoadSettings {
    fn default() -> Self {
        Self {
            pages: true,
            directory: String::new(),
            runs_max: 2,
            rate_max: 20_000,
            duration_max_s: 3_600,
            wallets_max: 1_000,
            reports_max: 50,
            reports_max_bytes: 64 * 1_024 * 1_024,
        }
    }
}

impl LoadSettings {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// The first setting that cannot be used.
    pub fn validate(&self) -> Result<(), InvalidSetting> {
        between("runs_max", self.runs_max, 1, 16)?;
        at_least("duration_max_s", self.duration_max_s, 1)?;
        between("wallets_max", self.wallets_max, 1, 10_000)?;
        between("reports_max", self.reports_max, 1, 10_000)?;
        between("reports_max_bytes", self.reports_max_bytes, 1_048_576, 16 * 1_024 * 1_024 * 1_024)
    }
}
