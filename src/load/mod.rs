//! Load runs against a server, from outside it: an honest stopwatch.
//!
//! Depends on `domain` for ids and statuses only; talks to the server over WebSocket and HTTP like any client. It must
//! not know the server's internals, and must stay cheap: it often shares the machine with what it measures.
//!
//! - `shape`, `profile`: how the rate changes over a run. `schedule`: arrivals fixed in advance; latency counts from the intended start.
//! - `plan`: what each arrival is, drawn from seed and index.
//! - `shared`, `ws`, `http`: connections that send what is due, and send again what was lost.
//! - `tracker`: what became of it. `report`: what that amounts to. `threshold`: whether it is good enough.
//! - `duration`: durations as people write them. `runner`: a run from end to end.

mod args;
mod duration;
mod http;
mod numbers;
mod plan;
mod profile;
mod report;
mod runner;
mod schedule;
mod setup;
mod shape;
mod shared;
mod threshold;
mod tracker;
mod wire;
mod ws;

#[cfg(test)]
mod tests;

use std::process::ExitCode;

use anyhow::Context as _;

pub use args::{LoadArgs, Mix, Rate, Transport};
pub use report::{Latencies, Report};
pub use runner::measure;
pub use threshold::Threshold;

/// Runs a load run: prints its report and writes it as JSON if asked. The exit code is 1 if a threshold was met, or if
/// not everything that was accepted came to rest.
///
/// # Errors
/// If the run could not start, or its report could not be written.
pub async fn run(args: LoadArgs) -> anyhow::Result<ExitCode> {
    let report = measure(&args).await?;
    print!("{}", report.to_text());
    if let Some(path) = &args.json {
        std::fs::write(path, report.to_json()?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let failed: Vec<String> = args.fail_if.iter().filter_map(|threshold| threshold.failed(&report)).collect();
    failed.iter().for_each(|failure| println!("failed: {failure}"));
    Ok(if failed.is_empty() && report.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
