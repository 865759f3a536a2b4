//! The report of a run: what is in it, as JSON, and its verdict in a sentence.
//!
//! `latencies`: how latencies are summed up. `text`: a few lines for people. `page`: a page of its own.

mod latencies;
mod page;
mod text;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[cfg(test)]
pub use self::latencies::Share;
pub use self::latencies::{Latencies, Shares};
use super::figures::{ms, per_s, thousands};
use super::numbers::approximate;
use super::series::Point;
use super::stopwatch::Pause;

/// A run keeps up as long as what is under way does not grow by more than this share of what is offered.
const GROWTH_MAX: f64 = 0.02;
/// Less than this is no sign of growth, in seconds of what is offered.
const GROWTH_MIN_S: f64 = 0.25;
/// Points that stand for a moment.
const AROUND: usize = 3;

/// The result of a run. Counts are of work whose intended start lies in the measured window, unless they say otherwise.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// The result in a sentence.
    pub verdict: String,
    /// The run's name.
    pub run: String,
    /// The server.
    pub target: String,
    /// `ws` or `http`.
    pub transport: String,
    /// How payments arrived, in words.
    pub arrivals: String,
    /// The scenario that the run brought along, with its revision on the server.
    pub scenario: Option<String>,
    /// What the schedule held per second; with `max`, what was sent per second.
    pub offered_per_s: f64,
    /// Whether that was as much as the server took, instead of a schedule.
    pub unlimited: bool,
    /// Acknowledged within the window, per second.
    pub accepted_per_s: f64,
    /// Come to rest within the window, per second.
    pub completed_per_s: f64,
    /// The measured window, in seconds.
    pub duration_s: f64,
    /// The time before it, in seconds.
    pub warmup_s: f64,
    /// How long after its end the last piece of work came to rest, in seconds.
    pub drain_s: f64,
    /// Sent at least once.
    pub sent: u64,
    /// Acknowledged by the server.
    pub accepted: u64,
    /// Come to rest, whatever the outcome.
    pub completed: u64,
    /// Refused or broken.
    pub errors: u64,
    /// Sent, and never answered, even after resending.
    pub unknown: u64,
    /// Acknowledged, and not seen at rest by the end.
    pub unsettled: u64,
    /// Acknowledged, warm-up included, and not seen at rest by the end.
    pub open: u64,
    /// Unanswered or open when the measurement began.
    pub open_at_start: u64,
    /// Whether somebody stopped it before its end.
    pub stopped: bool,
    /// In the schedule, and never sent.
    pub skipped: u64,
    /// Sent more than 10 ms after their intended start.
    pub late: u64,
    /// Refunds replaced by charges, because there was nothing left to refund.
    pub substituted: u64,
    /// Cardholders that 3-D Secure asked.
    pub challenges: u64,
    /// Connections that were lost and made again, over the whole run.
    pub reconnects: u64,
    /// Sent again after a lost connection, over the whole run.
    pub resent: u64,
    /// From the intended start to the acknowledgement.
    pub accept_ms: Latencies,
    /// From the intended start to rest, without the time that cardholders took.
    pub settle_ms: Latencies,
    /// What the acquirers took of it, as the server measured: payments that settled at their first attempt.
    pub acquirer_ms: Latencies,
    /// What is left of it without the acquirers: the way there and back, the queue, the server. Of the same payments, and of transfers.
    pub overhead_ms: Latencies,
    /// What was accepted, by kind.
    pub kinds: BTreeMap<String, u64>,
    /// What payments came to rest as.
    pub outcomes: BTreeMap<String, u64>,
    /// Why payments were declined or failed.
    pub causes: BTreeMap<String, u64>,
    /// Errors by code, over the whole run.
    pub errors_by_code: BTreeMap<String, u64>,
    /// The first of them, in words.
    pub first_error: Option<String>,
    /// Acknowledged, warm-up included.
    pub accepted_all: u64,
    /// Come to rest, warm-up included.
    pub ended_all: u64,
    /// What was found when the server was asked again for what it had acknowledged.
    pub audit: Option<Audit>,
    /// What became of the run's own accounts, if they were to be closed.
    pub wallets: Option<Closed>,
    /// Thresholds that were met, with what was measured.
    pub failures: Vec<String>,
    /// Processor time this generator used over the whole run, in seconds.
    pub generator_cpu_s: f64,
    /// How many took how long until they were accepted.
    pub accept_distribution: Shares,
    /// How many took how long until they settled.
    pub settle_distribution: Shares,
    /// How many took the acquirers how long.
    pub acquirer_distribution: Shares,
    /// The whole run over time, warm-up, pauses and drain included.
    pub series: Vec<Point>,
    /// When the run began, in microseconds since 1970.
    pub started_us: i64,
    /// When the scenario that it brought along came into force, in microseconds since 1970.
    pub scenario_us: Option<i64>,
    /// When it was paused. Pauses are no part of `duration_s`.
    pub pauses: Vec<Pause>,
    /// Times in which something outside was different, such as the windows of a scenario, as far as they are known.
    pub faults: Vec<Stretch>,
    /// Whether the generator was part of the server's own process.
    pub in_process: bool,
    /// What could not be put back after the run.
    pub trouble: Vec<String>,
}

/// A time of a run that is set off in its plots.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Stretch {
    /// Where it begins, in seconds since the start of the run.
    pub from_s: f64,
    /// Where it ends.
    pub to_s: f64,
    /// What it is.
    pub label: String,
}

/// What was found when the server was asked again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Audit {
    /// Acknowledged payments and refunds that were asked for.
    pub asked: u64,
    /// There, with the amount that was sent and the outcome that was seen.
    pub found: u64,
    /// Not there.
    pub missing: u64,
    /// There, but with another amount or outcome.
    pub different: u64,
    /// The server did not answer.
    pub unanswered: u64,
    /// A few of what was not found, in words.
    pub examples: Vec<String>,
}

/// What became of the run's own accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Closed {
    /// Accounts of the run.
    pub of: u64,
    /// Closed.
    pub closed: u64,
    /// Why the first of the others is not.
    pub error: Option<String>,
}

impl Report {
    /// Whether everything that was accepted has come to rest, and what was asked for again was there.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let found = self.audit.as_ref().is_none_or(|audit| audit.missing + audit.different == 0);
        self.accepted == self.completed && self.open == 0 && found
    }

    /// Whether it passed: it is complete and no threshold was met.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.is_complete() && self.failures.is_empty()
    }

    /// Where the measured time begins and ends, in seconds since the start of the run, pauses included.
    #[must_use]
    pub fn measured_s(&self) -> (f64, f64) {
        let real_s = |run_s: f64| {
            let put_off = |off_s: f64, pause: &Pause| match pause.start_s - off_s < run_s {
                true => off_s + pause.length_s,
                false => off_s,
            };
            run_s + self.pauses.iter().fold(0.0, put_off)
        };
        (real_s(self.warmup_s), real_s(self.warmup_s + self.duration_s))
    }

    /// Whether what completed kept up with what was offered: whether what was under way did not grow from the middle of the measured
    /// time to its end, measured in seconds of what was offered then, so that a rate that grows is no sign of it.
    #[must_use]
    pub fn kept_up(&self) -> bool {
        let (start_s, end_s) = self.measured_s();
        let paused = |point: &Point| {
            let over = |pause: &&Pause| {
                point.start_s < pause.start_s + pause.length_s
                    && point.start_s + point.length_s > pause.start_s
            };
            self.pauses.iter().any(|pause| over(&pause))
        };
        let within = |point: &&Point| {
            point.start_s >= start_s && point.start_s + point.length_s <= end_s + 0.01 && !paused(point)
        };
        let points: Vec<&Point> = self.series.iter().filter(within).collect();
        if self.unlimited || points.len() < 2 * AROUND {
            return self.unlimited || self.drain_s <= 1.0 + self.settle_ms.p50 / 500.0;
        }
        let under_way_s = |around: &[&Point]| {
            let sum = |number: fn(&Point) -> f64| around.iter().map(|point| number(point)).sum::<f64>();
            sum(|point| approximate(point.in_flight)) / sum(|point| point.offered_per_s).max(1.0)
        };
        let middle = points.get(points.len() / 2 - 1..).unwrap_or_default();
        let middle = under_way_s(middle.get(..AROUND).unwrap_or_default());
        let end = under_way_s(points.get(points.len() - AROUND..).unwrap_or_default());
        end - middle <= (GROWTH_MAX * self.duration_s / 2.0).max(GROWTH_MIN_S)
    }

    /// Fills in the verdict, from everything else.
    pub fn judge(&mut self) {
        self.verdict = self.sentence();
    }

    fn sentence(&self) -> String {
        let (offered, completed) = (per_s(self.offered_per_s), per_s(self.completed_per_s));
        if let Some(audit) = self.audit.as_ref().filter(|audit| audit.missing + audit.different > 0) {
            let wrong = audit.missing + audit.different;
            return format!(
                "Lost: {wrong} of {} acknowledged payments were not found again as they were acknowledged.",
                audit.asked
            );
        }
        if !self.is_complete() {
            let Self { accepted_all, ended_all, open, .. } = self;
            return format!(
                "Incomplete: of {} acknowledged, {} came to rest; {} were still open at the end.",
                thousands(*accepted_all),
                thousands(*ended_all),
                thousands(*open)
            );
        }
        if let Some(first) = self.failures.first() {
            let more = match self.failures.len() {
                1 => String::new(),
                count => format!(", and {} more", count - 1),
            };
            return format!("Failed: {first}{more}.");
        }
        let latency = if self.settle_ms.count == 0 {
            String::new()
        } else {
            format!(
                "; half settled within {}, 99 in 100 within {}",
                ms(self.settle_ms.p50),
                ms(self.settle_ms.p99)
            )
        };
        let errors = match self.errors {
            0 => "no errors".to_owned(),
            errors => {
                let share = approximate(errors) / approximate(self.sent.max(1)) * 100.0;
                format!("{} refused ({share:.1}%)", thousands(errors))
            }
        };
        let seconds = format!("{:.1} s", self.duration_s);
        let when = if self.stopped { ", until it was stopped" } else { "" };
        if self.unlimited {
            format!(
                "{completed} completed over {seconds}{when}, as fast as the server took them{latency}; {errors}."
            )
        } else if self.kept_up() {
            format!(
                "Kept up: {offered} offered and {completed} completed over {seconds}{when}{latency}; {errors}."
            )
        } else {
            let drained = format!("the last came to rest {:.1} s after the end", self.drain_s);
            format!(
                "Fell behind: {offered} offered and {completed} completed over {seconds}{when}; {drained}{latency}; {errors}."
            )
        }
    }

    /// As JSON, for `--json`.
    ///
    /// # Errors
    /// The serialiser's; none is known.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self).map(|text| text + "\n")
    }

    /// As a few lines for people.
    #[must_use]
    pub fn to_text(&self) -> String {
        text::of(self)
    }

    /// As a page of its own, for `--html`.
    ///
    /// # Errors
    /// The template's; none is known.
    pub fn to_html(&self) -> Result<String, askama::Error> {
        page::of(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run of this many seconds at this many a second, with so much under way at each.
    fn report(seconds: u32, offered: f64, in_flight: impl Fn(f64) -> f64) -> Report {
        let point = |at: u32| Point {
            start_s: at.into(),
            length_s: 1.0,
            offered_per_s: offered,
            accepted_per_s: offered,
            completed_per_s: offered,
            in_flight: in_flight(at.into()) as u64,
            ..Point::default()
        };
        let duration_s = seconds.into();
        Report {
            offered_per_s: offered,
            duration_s,
            series: (0..seconds).map(point).collect(),
            ..Report::default()
        }
    }

    #[test]
    fn a_run_falls_behind_if_what_is_under_way_keeps_growing() {
        assert!(report(60, 200.0, |_| 200.0).kept_up(), "a second of latency");
        assert!(
            report(10, 200.0, |at| (at * 200.0).min(400.0)).kept_up(),
            "two seconds of latency, without a warm-up"
        );
        assert!(!report(60, 400.0, |at| at * 200.0).kept_up(), "half of it is done");
        assert!(!report(30, 210.0, |at| at * 10.0).kept_up(), "five in a hundred are left");
        assert!(
            report(60, 400.0, |at| if (20.0..30.0).contains(&at) { 5_000.0 } else { 40.0 }).kept_up(),
            "an outage that is over"
        );
        let short = Report { drain_s: 9.0, ..report(2, 50.0, |_| 1.0) };
        assert!(!short.kept_up() && Report { drain_s: 0.2, ..short }.kept_up());
    }

    #[test]
    fn the_verdict_names_what_matters_most() {
        let verdict = |mut report: Report| {
            report.judge();
            report.verdict
        };
        let good = Report {
            sent: 100,
            accepted: 100,
            completed: 100,
            accepted_all: 110,
            ended_all: 110,
            ..report(10, 10.0, |_| 1.0)
        };
        assert!(verdict(good.clone()).starts_with("Kept up: 10/s offered"), "{}", verdict(good.clone()));
        let slow = Report { drain_s: 30.0, ..report(30, 400.0, |at| at * 200.0) };
        assert!(verdict(slow).starts_with("Fell behind: 400/s offered"));
        let failed =
            Report { failures: vec!["errors>0: it is 3".to_owned(), "x".to_owned()], ..good.clone() };
        assert_eq!(verdict(failed), "Failed: errors>0: it is 3, and 1 more.");
        let open = Report { open: 4, ended_all: 106, ..good.clone() };
        assert_eq!(
            verdict(open),
            "Incomplete: of 110 acknowledged, 106 came to rest; 4 were still open at the end."
        );
        let lost = Audit { asked: 50, found: 48, missing: 2, ..Audit::default() };
        assert!(verdict(Report { audit: Some(lost), ..good }).starts_with("Lost: 2 of 50"));
    }
}
