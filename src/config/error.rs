//! What is wrong with the settings.

/// A setting that cannot be used. Shown as `origin: key: problem`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The key, with dots; empty where no single key is at fault.
    pub key: String,
    /// Where it was set: `file:line`, the environment variable, the flag, or `built-in defaults`.
    pub origin: String,
    /// What is wrong and what is expected.
    pub problem: String,
}

impl ConfigError {
    pub(super) fn new(key: impl Into<String>, origin: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { key: key.into(), origin: origin.into(), problem: problem.into() }
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
