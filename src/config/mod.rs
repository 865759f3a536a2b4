//! Typed settings: where they come from, what is wrong with them, and how they are shown.
//!
//! Layers, each over the one before: the built-in `config/default.toml`, a file, environment variables
//! `PAYSTORM__SECTION__KEY`, flags. May depend on the settings structs of the other modules and on nothing else of
//! them; reads one file and nothing more. An unknown key, a bad value or a contradiction is an error that names the
//! key, where it was set, and what is expected.
//!
//! - [`settings`]: the structs.
//! - [`layers`]: merging; `origins`: where each value came from.
//! - [`check`]: what the types cannot say, contradictions among them.
//! - [`show`]: the effective settings with secrets masked.

pub mod check;
mod error;
pub mod layers;
mod origins;
pub mod settings;
pub mod show;
mod source;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

pub use error::ConfigError;
pub use settings::{
    AccountSettings, DemoSettings, LogFormat, MetricsFor, RequestSettings, RoleSettings, ServerSettings,
    Settings, TelemetrySettings,
};

use layers::Layers;

/// What the command line says about settings.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// `--config`.
    pub config: Option<PathBuf>,
    /// `--data-dir`.
    pub data_dir: Option<PathBuf>,
    /// `--bind`.
    pub bind: Option<String>,
}

/// Reads the settings of this process: the file the flags name, and the environment.
///
/// # Errors
/// [`ConfigError`] names the key, its origin, and what is expected.
pub fn load(flags: &Flags) -> Result<Settings, ConfigError> {
    // A name or value that is not UTF-8 cannot be one of ours; `to_string_lossy` lets the check say so.
    let environment = std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()));
    load_from(flags, environment)
}

/// Reads the settings from these flags and this environment.
///
/// # Errors
/// As [`load`].
pub fn load_from(
    flags: &Flags,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Settings, ConfigError> {
    let mut layers = Layers::defaults()?;
    if let Some(path) = &flags.config {
        layers.add_toml(&read(path)?, &path.display().to_string())?;
    }
    layers.add_environment(environment)?;
    if let Some(dir) = &flags.data_dir {
        layers.add_flag("data_dir", "--data-dir", &dir.to_string_lossy())?;
    }
    if let Some(bind) = &flags.bind {
        layers.add_flag("server.bind", "--bind", bind)?;
    }
    layers.finish()
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path)
        .map_err(|error| ConfigError::new("", "--config", format!("cannot read {}: {error}", path.display())))
}
