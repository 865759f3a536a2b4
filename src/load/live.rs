//! How a run is doing, for whoever watches it from within the process.

use std::collections::BTreeMap;

use serde::Serialize;

use super::report::Latencies;
use super::series::Point;
use super::stopwatch::Pause;

/// What a run is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Its accounts are created and filled.
    #[default]
    Preparing,
    /// It sends, and measures nothing yet.
    WarmingUp,
    /// It sends and measures.
    Measuring,
    /// Nothing is due until somebody lets it go on.
    Paused,
    /// Nothing more is sent; what is open is waited for.
    Draining,
    /// The server is asked again for what it acknowledged.
    Checking,
}

/// How a run is doing. Counts include the warm-up; latencies and outcomes are of what is measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Live {
    /// What it is at.
    pub phase: Phase,
    /// Its name, which its payments carry.
    pub run: String,
    /// How payments arrive, in words.
    pub arrivals: String,
    /// When it began, in microseconds since 1970.
    pub started_us: i64,
    /// When the scenario that it brought along came into force, in microseconds since 1970.
    pub scenario_us: Option<i64>,
    /// How far its schedule has come, in seconds.
    pub run_s: f64,
    /// How long its schedule is, warm-up included.
    pub length_s: f64,
    /// Since its start, pauses included, in seconds; the series counts in this time.
    pub real_s: f64,
    /// Its warm-up, in seconds of the schedule's time.
    pub warmup_s: f64,
    /// How long what is open is waited for at most, once nothing more is sent.
    pub drain_left_s: Option<f64>,
    /// Its pauses.
    pub pauses: Vec<Pause>,
    /// Sent.
    pub sent: u64,
    /// Acknowledged.
    pub accepted: u64,
    /// Come to rest.
    pub completed: u64,
    /// Refused.
    pub errors: u64,
    /// Unanswered or open.
    pub open: u64,
    /// Sent late.
    pub late: u64,
    /// Never sent.
    pub skipped: u64,
    /// Until accepted.
    pub accept_ms: Latencies,
    /// Until settled.
    pub settle_ms: Latencies,
    /// What payments came to rest as.
    pub outcomes: BTreeMap<String, u64>,
    /// The first refusal in words.
    pub first_error: Option<String>,
    /// How long a point of the series is, in seconds.
    pub width_s: u64,
    /// How many points were left out at the beginning.
    pub skipped_points: usize,
    /// The series, of which the last point is not over.
    pub points: Vec<Point>,
}
