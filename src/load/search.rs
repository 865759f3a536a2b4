//! Flags of the search for the capacity.

use std::time::Duration;

use clap::Args;

use super::shape;
use super::threshold::Threshold;
use crate::setting::duration::parse_duration;

/// Flags of the search for the capacity.
#[derive(Debug, Clone, Args)]
pub struct Search {
    /// Search the highest rate that holds the objectives, in short steps, instead of one run.
    #[arg(long, requires = "objective", conflicts_with_all = ["rate", "shape", "duration", "warmup"])]
    pub find_capacity: bool,
    /// What has to hold, such as 'settle.p99<500ms' or 'errors<1'. May be given several times.
    #[arg(long, value_name = "THRESHOLD", requires = "find_capacity")]
    pub objective: Vec<Threshold>,
    /// How long each rate is measured.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = parse_step)]
    pub step: Duration,
    /// The first rate that is tried, per second.
    #[arg(long, value_name = "N", default_value = "50", value_parser = parse_from)]
    pub from: f64,
    /// How exact the answer has to be, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=50))]
    pub precision: u64,
    /// No step begins after this time.
    #[arg(long, value_name = "DURATION", default_value = "20m", value_parser = parse_duration)]
    pub limit: Duration,
    /// No rate above this is tried, per second, in runs within a program.
    #[arg(skip)]
    pub highest: Option<f64>,
}

impl Default for Search {
    fn default() -> Self {
        Self {
            find_capacity: false,
            objective: Vec::new(),
            step: Duration::from_secs(10),
            from: 50.0,
            precision: 2,
            limit: Duration::from_secs(20 * 60),
            highest: None,
        }
    }
}

fn parse_step(text: &str) -> Result<Duration, String> {
    let step = parse_duration(text)?;
    if step < Duration::from_millis(500) { Err("a step takes at least 500ms".to_owned()) } else { Ok(step) }
}

fn parse_from(text: &str) -> Result<f64, String> {
    shape::rate(text)
        .filter(|rate| *rate > 0.0)
        .ok_or_else(|| "the first rate is a number per second".to_owned())
}
