//! Logs. Started once, by the composition root; depends on the settings alone.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::{LogFormat, TelemetrySettings};

/// Starts logging to standard error. A second call in the same process (tests) changes nothing.
///
/// # Errors
/// If the level in the settings cannot be read.
pub fn start_logging(settings: &TelemetrySettings) -> anyhow::Result<()> {
    let filter = filter(&settings.log_level)?;
    let logs = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Colours are for people at a terminal; in a file or a journal they are noise.
    let logs = logs.with_ansi(std::io::stderr().is_terminal());
    let started = match settings.log_format {
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
        LogFormat::Text => logs.with_target(false).try_init(),
    };
    if let Err(error) = started {
        tracing::debug!(error = %error, "logging was already started");
    }
    Ok(())
}

/// What is logged. The HTTP library logs an error when a client sends something other than HTTP. Our own code logs what concerns us,
/// so the library is silent unless the settings name it.
fn filter(level: &str) -> anyhow::Result<EnvFilter> {
    let filter = EnvFilter::try_new(level)?;
    Ok(if level.contains(HTTP) { filter } else { filter.add_directive(format!("{HTTP}=off").parse()?) })
}

/// The module of the HTTP library.
const HTTP: &str = "actix_http";
