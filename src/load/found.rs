//! What a search for the capacity found: the curve, and the sentence that sums it up.

use std::fmt::Write as _;

use askama::Template;
use serde::{Deserialize, Serialize};

use super::figures::{ms, per_s, short};
use super::plot::{Line, Plot};
use super::report::{Closed, Report};
use super::sheet::{Figure, Sheet};

/// A rate that was tried.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Step {
    /// Offered, per second.
    pub rate: f64,
    /// Accepted, per second.
    pub accepted_per_s: f64,
    /// Completed, per second.
    pub completed_per_s: f64,
    /// Half settled within so many milliseconds.
    pub settle_p50_ms: f64,
    /// All but one in a hundred settled within so many.
    pub settle_p99_ms: f64,
    /// Until accepted, for all but one in a hundred.
    pub accept_p99_ms: f64,
    /// Refused.
    pub errors: u64,
    /// How long after its end the last payment came to rest, in seconds.
    pub drain_s: f64,
    /// Whether it holds what was asked for.
    pub holds: bool,
    /// Why not.
    pub why: Option<String>,
}

impl Step {
    /// The step of this report, and why it does not hold.
    #[must_use]
    pub fn of(rate: f64, report: &Report, why: Option<String>) -> Self {
        Self {
            rate,
            accepted_per_s: report.accepted_per_s,
            completed_per_s: report.completed_per_s,
            settle_p50_ms: report.settle_ms.p50,
            settle_p99_ms: report.settle_ms.p99,
            accept_p99_ms: report.accept_ms.p99,
            errors: report.errors,
            drain_s: report.drain_s,
            holds: why.is_none(),
            why,
        }
    }

    /// The step in a line.
    #[must_use]
    pub fn line(&self) -> String {
        let verdict =
            self.why.as_ref().map_or_else(|| "holds".to_owned(), |why| format!("does not hold: {why}"));
        let (rate, completed) = (per_s(self.rate), per_s(self.completed_per_s));
        let (p50, p99) = (ms(self.settle_p50_ms), ms(self.settle_p99_ms));
        format!("{rate:>10}  completed {completed:>10}  p50 {p50:>9}  p99 {p99:>9}  {verdict}")
    }
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Found {
    /// The result in a sentence.
    pub verdict: String,
    /// The run's name; each step has it with its number.
    pub run: String,
    /// The server.
    pub target: String,
    /// What had to hold.
    pub objectives: Vec<String>,
    /// How long each rate was measured, in seconds.
    pub step_s: f64,
    /// The highest rate that held, per second.
    pub holds_per_s: Option<f64>,
    /// The lowest that did not.
    pub fails_per_s: Option<f64>,
    /// Why the search ended early.
    pub ended: Option<String>,
    /// The rates that were tried, in the order in which they were.
    pub steps: Vec<Step>,
    /// What became of the run's own accounts, if they were to be closed.
    pub wallets: Option<Closed>,
    /// What could not be put back after the search.
    pub trouble: Vec<String>,
}

#[derive(Template)]
#[template(path = "load/capacity.html")]
struct CapacityPage<'a> {
    page: Sheet,
    found: &'a Found,
    objective: String,
    step: String,
    plots: Vec<Figure>,
    rows: Vec<(bool, Vec<String>)>,
}

impl Found {
    /// Fills in the verdict, from everything else.
    pub fn judge(&mut self) {
        let objective = self.objectives.join(" and ");
        let early = self.ended.as_ref().map_or_else(String::new, |ended| format!(" ({ended})"));
        self.verdict = match (self.holds_per_s.map(per_s), self.fails_per_s.map(per_s)) {
            (Some(holds), Some(fails)) => format!("{objective}: {holds} hold, {fails} do not{early}."),
            (Some(holds), None) => {
                format!("{objective}: {holds} hold; no rate was found that does not{early}.")
            }
            (None, Some(fails)) => {
                format!("{objective}: {fails} do not hold; no rate was found that does{early}.")
            }
            (None, None) => format!("{objective}: nothing was found{early}."),
        };
    }

    /// Whether a rate was found that holds.
    #[must_use]
    pub const fn passed(&self) -> bool {
        self.holds_per_s.is_some()
    }

    /// The steps by their rates.
    fn curve(&self) -> Vec<&Step> {
        let mut steps: Vec<&Step> = self.steps.iter().collect();
        steps.sort_by(|one, other| one.rate.total_cmp(&other.rate));
        steps
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
        let mut text = format!("run {}  {}, {} s a step\n", self.run, self.target, short(self.step_s));
        for step in self.curve() {
            text += &step.line();
            text.push('\n');
        }
        if let Some(wallets) = &self.wallets {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "wallets   closed {} of {}", wallets.closed, wallets.of);
        }
        text + &self.verdict + "\n"
    }

    /// As a page of its own, for `--html`.
    ///
    /// # Errors
    /// The template's; none is known.
    pub fn to_html(&self) -> Result<String, askama::Error> {
        let steps = self.curve();
        let end = steps.last().map_or(1.0, |step| step.rate) * 1.05;
        let line = |class, label, number: fn(&Step) -> f64| {
            let points = steps.iter().map(|step| (step.rate, Some(number(step)))).collect();
            Line { class, label, points }
        };
        let plot = |title, unit, log, lines| {
            Figure::of(&Plot { title, unit, x_unit: "/s offered", x_end: end, log, lines, bands: Vec::new() })
        };
        let cells = |step: &&Step| {
            let verdict = step.why.clone().unwrap_or_else(|| "holds".to_owned());
            let latencies = [step.settle_p50_ms, step.settle_p99_ms, step.accept_p99_ms].map(short);
            let [p50, p99, accept] = latencies;
            let (rate, completed, drain) =
                (per_s(step.rate), per_s(step.completed_per_s), short(step.drain_s));
            (step.holds, vec![rate, completed, p50, p99, accept, drain, verdict])
        };
        let page = CapacityPage {
            page: Sheet::default(),
            found: self,
            objective: self.objectives.join(" and "),
            step: short(self.step_s),
            plots: vec![
                plot(
                    "Settle latency by rate",
                    "ms",
                    true,
                    vec![
                        line("p50", "p50", |step| step.settle_p50_ms),
                        line("p99", "p99", |step| step.settle_p99_ms),
                    ],
                ),
                plot(
                    "Completed by rate",
                    "/s",
                    false,
                    vec![
                        line("offered", "Offered", |step| step.rate),
                        line("completed", "Completed", |step| step.completed_per_s),
                    ],
                ),
            ],
            rows: steps.iter().map(cells).collect(),
        };
        page.render()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> Found {
        let step = |rate: f64, why: Option<&str>| Step {
            rate,
            completed_per_s: rate,
            settle_p50_ms: 12.0,
            settle_p99_ms: rate,
            holds: why.is_none(),
            why: why.map(str::to_owned),
            ..Step::default()
        };
        let mut found = Found {
            run: "r".to_owned(),
            objectives: vec!["settle.p99<500ms".to_owned()],
            step_s: 10.0,
            holds_per_s: Some(200.0),
            fails_per_s: Some(400.0),
            steps: vec![step(100.0, None), step(400.0, Some("<late>")), step(200.0, None)],
            ..Found::default()
        };
        found.judge();
        found
    }

    #[test]
    fn the_curve_is_in_the_order_of_rates_and_ends_with_the_sentence() {
        let text = found().to_text();
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].trim().starts_with("100/s") && lines[2].trim().starts_with("200/s"), "{text}");
        assert!(lines[3].contains("does not hold: <late>"), "{text}");
        assert_eq!(lines[4], "settle.p99<500ms: 200/s hold, 400/s do not.");
        let none = Found { holds_per_s: None, ended: Some("it was stopped".to_owned()), ..found() };
        assert!(!none.passed());
    }

    #[test]
    fn the_page_has_the_curve_and_escapes_what_it_shows() {
        let html = found().to_html().unwrap();
        for words in ["200/s hold, 400/s do not.", "Settle latency by rate", "&#60;late&#62;", "400/s"] {
            assert!(html.contains(words), "{words}: {html}");
        }
        assert!(!html.contains("<late>") && !html.contains("<script"));
    }
}
