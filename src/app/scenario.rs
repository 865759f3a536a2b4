//! Scenario files: read from disk for the simulator, which does no I/O, and checked for whoever writes them.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};

use crate::scenarios::SCHEMA;
use crate::simulator::scenario::FILE_BYTES_MAX;
use crate::simulator::{Scenario, ScenarioErrors, SimulatorSettings};

/// A file is read so far, which is enough to see that it is too large.
const READ_BYTES_MAX: u64 = FILE_BYTES_MAX as u64 + 1;

/// The scenario that the settings name; `None` if they name none.
///
/// # Errors
/// If the file cannot be read, or has mistakes, all of them.
pub fn open(settings: &SimulatorSettings) -> anyhow::Result<Option<Scenario>> {
    let path = &settings.scenario;
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    match read(path).context("simulator.scenario")? {
        Ok(scenario) => {
            let Scenario { name, .. } = &scenario;
            tracing::info!(scenario.name = %name, scenario.file = %path.display(), "a scenario is in force");
            Ok(Some(scenario))
        }
        Err(errors) => {
            bail!("simulator.scenario: {} cannot be used\n{}", path.display(), in_file(&errors, path))
        }
    }
}

/// Prints what is wrong with these files, or what is in them. The exit code is 1 if anything is wrong, also if one of them cannot be
/// read.
#[must_use]
pub fn check(files: &[PathBuf]) -> ExitCode {
    let mut all_right = true;
    for path in files {
        let line = match read(path) {
            Ok(Ok(scenario)) => {
                println!("{}: {}", path.display(), summary(&scenario));
                continue;
            }
            Ok(Err(errors)) => in_file(&errors, path),
            Err(error) => format!("{error:#}"),
        };
        all_right = false;
        println!("{line}");
    }
    if all_right { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

/// Prints the JSON schema of scenario files.
#[must_use]
pub fn print_schema() -> ExitCode {
    print!("{SCHEMA}");
    ExitCode::SUCCESS
}

fn read(path: &Path) -> anyhow::Result<Result<Scenario, ScenarioErrors>> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(READ_BYTES_MAX).read_to_end(&mut bytes));
    read.with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Scenario::parse(&bytes))
}

fn in_file(errors: &ScenarioErrors, path: &Path) -> String {
    errors.in_file(&path.display().to_string())
}

/// `Happy day, 1 acquirer, 2 rules, 0 windows`.
fn summary(scenario: &Scenario) -> String {
    let counted = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    };
    let parts = [
        (scenario.acquirers.len(), "acquirer"),
        (scenario.rules.len(), "rule"),
        (scenario.windows.len(), "window"),
    ];
    let parts = parts.map(|(count, what)| counted(count, what));
    format!("{}, {}", scenario.name, parts.join(", "))
}
