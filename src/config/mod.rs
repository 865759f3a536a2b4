//! Typed settings: where they come from, what is wrong with them, and how they are shown.
//!
//! Layers, each over the one before: the built-in `config/default.toml`, a file, environment variables
//! `PAYSTORM__SECTION__KEY`, flags. The `config` crate merges them and keeps where each value came from. May depend on the
//! settings structs of the other modules and on nothing else of them; reads one file and nothing more. An unknown key, a bad
//! value or a contradiction is an error that names the key, where it was set, and what is expected.
//!
//! - [`settings`], `server`: the structs, and what their types cannot say.
//! - `layer`: one source of values; `schema`: the known keys; `origins`: where each value came from.
//! - `check`: settings that contradict each other.
//! - [`show`]: the effective settings, secrets masked.

mod check;
mod error;
mod layer;
mod origins;
mod schema;
mod server;
pub mod settings;
pub mod show;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use serde::Deserialize as _;
use toml::Table;

pub use error::ConfigError;
pub use origins::Origins;
pub use server::ServerSettings;
pub use settings::{
    AccountSettings, DemoSettings, LogFormat, MetricsFor, RequestSettings, RoleSettings, Settings,
    TelemetrySettings,
};

use layer::Layer;
use origins::BUILT_IN;
use schema::Schema;

/// The built-in, commented settings.
const DEFAULTS: &str = include_str!("../../config/default.toml");

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

/// The settings in force.
#[derive(Debug)]
pub struct Loaded {
    /// Their values.
    pub settings: Settings,
    /// Where each value came from.
    pub origins: Origins,
}

/// Reads the settings of this process: the file the flags name, and the environment.
///
/// # Errors
/// [`ConfigError`] names the key, its origin, and what is expected.
pub fn load(flags: &Flags) -> Result<Loaded, ConfigError> {
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
) -> Result<Loaded, ConfigError> {
    let file = match &flags.config {
        Some(path) => Some((read(path)?, path.display().to_string())),
        None => None,
    };
    let data_dir = flags.data_dir.as_ref().map(|dir| dir.to_string_lossy().into_owned());
    let flags = [("data_dir", "--data-dir", data_dir), ("server.bind", "--bind", flags.bind.clone())];
    let given =
        flags.into_iter().filter_map(|(key, flag, text)| Some((key.to_owned(), flag.to_owned(), text?)));
    merge(file, environment, given)
}

fn read(path: &Path) -> Result<String, ConfigError> {
    let problem = |error| format!("cannot read {}: {error}", path.display());
    std::fs::read_to_string(path).map_err(|error| ConfigError::of_source("--config", problem(error)))
}

/// Lays the layers over each other: a file as text and name, the environment, flags as key, flag and text.
fn merge(
    file: Option<(String, String)>,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: impl IntoIterator<Item = (String, String, String)>,
) -> Result<Loaded, ConfigError> {
    let defaults: Table = toml::from_str(DEFAULTS).map_err(|error| unreadable(error.message()))?;
    let schema = Schema::of(&defaults);
    let mut layers = ::config::Config::builder().add_source(Layer::built_in(&defaults));
    if let Some((text, name)) = file {
        layers = layers.add_source(Layer::from_toml(&text, &name, &schema)?);
    }
    layers = layers.add_source(Layer::from_environment(environment, &schema)?);
    layers = layers.add_source(Layer::from_texts(flags, &schema)?);
    let merged = layers.build().map_err(unreadable)?;
    let origins = Origins::of_merged(&merged).map_err(unreadable)?;
    // The types are read from TOML, which is stricter than the crate: "yes" is no boolean and 1.5 no whole number.
    let values: Table = merged.try_deserialize().map_err(unreadable)?;
    let settings = Settings::deserialize(values).map_err(|error| unreadable(error.message()))?;
    check::check(&settings, &origins).map_err(|invalid| {
        let origin = origins.of(&invalid.key).to_owned();
        ConfigError::of_setting(invalid, origin)
    })?;
    Ok(Loaded { settings, origins })
}

/// Each layer was checked before, so only the built-in defaults can be at fault.
fn unreadable(error: impl std::fmt::Display) -> ConfigError {
    ConfigError::of_source(BUILT_IN, error.to_string())
}
