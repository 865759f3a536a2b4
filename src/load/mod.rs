//! Load runs against a server, from outside it.

mod args;
mod report;
mod threshold;

pub use args::{LoadArgs, Mix, Rate, Transport};
pub use report::{Latencies, Report};
pub use threshold::Threshold;

/// Runs a load run.
///
/// # Errors
/// If the target cannot be reached.
pub async fn run(_args: LoadArgs) -> anyhow::Result<std::process::ExitCode> {
    anyhow::bail!("not built yet")
}
