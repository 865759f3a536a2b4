//! What is wrong with the settings, and who set it.

use crate::setting::InvalidSetting;

/// A setting that cannot be used. Shown as `origin: key: problem`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The key, with dots; empty where no single key is at fault.
    pub key: String,
    /// What is wrong and what is expected.
    pub problem: String,
    /// Where it was set: `file:line`, the environment variable, the flag, or `built-in defaults`.
    pub origin: String,
}

impl ConfigError {
    /// An error about a source as a whole, such as a file that cannot be read.
    pub(super) fn of_source(origin: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { key: String::new(), problem: problem.into(), origin: origin.into() }
    }

    /// An error about one setting.
    pub(super) fn of_setting(invalid: InvalidSetting, origin: impl Into<String>) -> Self {
        let InvalidSetting { key, problem } = invalid;
        Self { key, problem, origin: origin.into() }
    }
}

impl std::error::Error for ConfigError {}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.key.as_str() {
            "" => write!(f, "{}: {}", self.origin, self.problem),
            key => write!(f, "{}: {key}: {}", self.origin, self.problem),
        }
    }
}
