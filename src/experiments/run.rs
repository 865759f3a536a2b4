//! What is known of an experiment: points so far, what is set off, and what came of it. Bounded in memory.

use std::time::Instant;

use parking_lot::Mutex;
use serde::Serialize;

use super::Kind;
use crate::domain::ids::AccountId;

/// Points that are kept: more than the longest experiment has.
const POINTS_MAX: usize = 1_000;

/// A line of a plot.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Line {
    /// The name of its values in points.
    pub key: &'static str,
    /// What it shows.
    pub label: &'static str,
    /// The name of its colour.
    pub tone: &'static str,
    /// Whether it is dashed.
    pub dashed: bool,
}

impl Line {
    /// A line in this colour.
    #[must_use]
    pub const fn new(key: &'static str, label: &'static str, tone: &'static str) -> Self {
        Self { key, label, tone, dashed: false }
    }

    /// The same, dashed.
    #[must_use]
    pub const fn dashed(self) -> Self {
        Self { dashed: true, ..self }
    }
}

/// A plot, as scripts draw it.
#[derive(Debug, Clone, Serialize)]
pub struct Plot {
    /// What it shows.
    pub title: &'static str,
    /// The unit of its values.
    pub unit: &'static str,
    /// Whether every power of ten takes as much room.
    pub log: bool,
    /// Whether values are counts.
    pub whole: bool,
    /// Where the axis of time ends at least, in seconds.
    pub end_s: u32,
    /// Its lines.
    pub series: Vec<Line>,
}

/// A stretch of time that is set off in all plots.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Band {
    /// Where it begins, in seconds.
    pub from_s: f64,
    /// Where it ends, in seconds.
    pub to_s: f64,
    /// What it is.
    pub label: &'static str,
}

/// Values at a time.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// In seconds since the beginning.
    pub t: f64,
    /// By the keys of lines; a gap where there is no value.
    pub values: Vec<(&'static str, Option<f64>)>,
}

impl Serialize for Point {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            std::iter::once(("t", Some(rounded(self.t))))
                .chain(self.values.iter().map(|(key, value)| (*key, value.map(rounded)))),
        )
    }
}

/// To a thousandth: more says nothing here.
fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

/// A line of the table of figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Figure {
    /// What it counts.
    pub label: &'static str,
    /// The figure of each arm, in words.
    pub values: [String; 2],
}

/// What came of an experiment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// What was seen, a sentence about each arm.
    pub sentences: [String; 2],
    /// Figures of both arms.
    pub figures: Vec<Figure>,
}

/// How an experiment ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// As planned.
    Done(Findings),
    /// Early, in words.
    Failed(String),
}

/// An experiment that was started.
#[derive(Debug)]
pub struct Run {
    /// Counts those of this process.
    pub id: u64,
    /// Which experiment.
    pub kind: Kind,
    /// Who started it.
    pub owner: AccountId,
    began: Instant,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    points: Vec<Point>,
    bands: Vec<Band>,
    outcome: Option<Outcome>,
}

/// An experiment as it stands.
#[derive(Debug, Clone)]
pub struct View {
    /// Points after those that are known already.
    pub points: Vec<Point>,
    /// How many there are with those.
    pub next: usize,
    /// What is set off.
    pub bands: Vec<Band>,
    /// How long it has gone on, in seconds; no longer than it should.
    pub elapsed_s: u32,
    /// How it ended; `None` while it runs.
    pub outcome: Option<Outcome>,
}

impl Run {
    pub(super) fn new(id: u64, kind: Kind, owner: AccountId) -> Self {
        Self { id, kind, owner, began: Instant::now(), known: Mutex::default() }
    }

    pub(super) fn point(&self, point: Point) {
        let mut known = self.known.lock();
        if known.points.len() < POINTS_MAX {
            known.points.push(point);
        }
    }

    pub(super) fn band(&self, band: Band) {
        self.known.lock().bands.push(band);
    }

    pub(super) fn end(&self, outcome: Outcome) {
        self.known.lock().outcome = Some(outcome);
    }

    /// How it stands, with the points from this one on.
    #[must_use]
    pub fn view(&self, from: usize) -> View {
        let known = self.known.lock();
        let elapsed = u32::try_from(self.began.elapsed().as_secs()).unwrap_or(u32::MAX);
        View {
            points: known.points.get(from..).unwrap_or_default().to_vec(),
            next: known.points.len(),
            bands: known.bands.clone(),
            elapsed_s: elapsed.min(self.kind.lasts_s()),
            outcome: known.outcome.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_kept_within_bounds_and_handed_out_once() {
        let run = Run::new(1, Kind::RetryStorm, AccountId::generate());
        for n in 0..2 * POINTS_MAX as u32 {
            run.point(Point { t: f64::from(n) / 4.0, values: vec![("a", Some(1.0 / 3.0)), ("b", None)] });
        }
        let view = run.view(POINTS_MAX - 1);
        assert_eq!((view.points.len(), view.next, view.outcome), (1, POINTS_MAX, None));
        assert!(run.view(POINTS_MAX).points.is_empty() && run.view(usize::MAX).points.is_empty());
        let text = serde_json::to_string(&view.points).expect("JSON");
        assert_eq!(text, r#"[{"t":249.75,"a":0.333,"b":null}]"#);
    }
}
