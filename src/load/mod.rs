//! Load runs against a server, from outside it: an honest stopwatch.
//!
//! Depends on `domain` for ids and statuses only; talks to the server over WebSocket and HTTP like any client. It must
//! not know the server's internals, and must stay cheap: it often shares the machine with what it measures.
//!
//! - `args`: the flags. `shape`, `profile`: how the rate changes over a run. `mix`, `amounts`, `weighted`: what is sent.
//! - `schedule`: arrivals fixed in advance; latency counts from the intended start. `stopwatch`: the run's times, and its pauses.
//! - `plan`: what each arrival is, drawn from seed and index. `work`, `request`: what is sent for it.
//! - `ground`, `setup`, `fill`: the accounts of a run; `scenario`: the world outside.
//! - `shared`, `ws`, `http`, `wire`: connections that send what is due, and send again what was lost.
//! - `tracker`, `series`, `buckets`, `sample`: what became of it. `audit`: whether the server still says so.
//! - `runner`: a run from end to end. `course`: one under way. `progress`: the line in the terminal. `interrupts`: signals that end it.
//! - `control`, `live`: how a run within a program is steered and watched.
//! - `search`, `capacity`, `found`: the highest rate that holds an objective.
//! - `report`, `plot`, `sheet`, `figures`: what that amounts to. `threshold`: whether it is good enough.

mod amounts;
mod args;
mod audit;
mod buckets;
mod capacity;
mod control;
mod course;
mod figures;
mod fill;
mod found;
mod ground;
mod http;
mod interrupts;
mod live;
mod mix;
mod numbers;
mod plan;
mod plot;
mod profile;
mod progress;
mod report;
mod request;
mod runner;
mod sample;
mod scenario;
mod schedule;
mod search;
mod series;
mod setup;
mod shape;
mod shared;
mod sheet;
mod stopwatch;
mod threshold;
mod tracker;
mod weighted;
mod wire;
mod work;
mod ws;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;

pub use amounts::Amounts;
pub use args::{LoadArgs, Offer, Rate, Transport, parse_target};
pub use capacity::{find_capacity, find_capacity_with};
pub use control::Control;
pub use figures::{ms, per_s, short, thousands};
pub use found::{Found, Step};
pub use live::{Live, Phase};
pub use mix::{Mix, parse_cards, parse_currencies};
pub use report::{Audit, Latencies, Report, Stretch};
pub use runner::{measure, measure_with};
pub use series::Point;
pub use shape::Shape;
pub use stopwatch::Pause;
pub use threshold::Threshold;

/// Runs a load run, or searches the capacity: prints the report and writes it as JSON and as a page if asked. The exit code is 1 if
/// a threshold was met, if not everything that was accepted came to rest and was found again, or if no rate was found that holds.
///
/// # Errors
/// If the run could not start, or its report could not be written.
pub async fn run(args: LoadArgs) -> anyhow::Result<ExitCode> {
    if args.search.find_capacity {
        let found = find_capacity(&args).await?;
        print!("{}", found.to_text());
        write(args.json.as_deref(), || Ok(found.to_json()?))?;
        write(args.html.as_deref(), || Ok(found.to_html()?))?;
        return Ok(if found.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    let report = measure(&args).await?;
    print!("{}", report.to_text());
    write(args.json.as_deref(), || Ok(report.to_json()?))?;
    write(args.html.as_deref(), || Ok(report.to_html()?))?;
    Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn write(path: Option<&Path>, text: impl FnOnce() -> anyhow::Result<String>) -> anyhow::Result<()> {
    let Some(path) = path else { return Ok(()) };
    std::fs::write(path, text()?).with_context(|| format!("cannot write {}", path.display()))
}
