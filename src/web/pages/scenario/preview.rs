//! What a scenario would do, beside the editor: its mistakes, or outcomes and latencies of plain payments as plots. Views are pure;
//! [`panel`] draws on a thread of its own, a few at a time.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;

use super::super::format;
use super::super::plot::{self, HEIGHT, Layer, Plot, Scale, Table, WIDTH};
use super::super::search_view::decline_words;
use super::strip::{Strip, strip};
use crate::scenarios::preview::{DRAWS, Spread};
use crate::scenarios::{PlannedWindow, Preview, Scenarios, planned};
use crate::web::api::scenarios::{Mistake, mistakes};
use crate::web::error::ApiError;
use crate::web::state::WebState;

/// Acquirers that get a plot; the table has all of them.
const PLOTS_MAX: usize = 4;
/// How long a preview waits for others before it is refused.
const PERMIT_WITHIN: Duration = Duration::from_secs(2);

/// An outcome and its share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutcomeLine {
    /// The class that colours it, and the name of its icon.
    pub class: &'static str,
    /// The outcome in words.
    pub words: String,
    /// Its share of the payments, in words.
    pub share: String,
    /// The length of its bar, of a thousand.
    pub length: u32,
}

/// An acquirer that was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcquirerLine {
    /// Its name.
    pub name: String,
    /// Its share of the payments, in words.
    pub share: String,
    /// The 50th, 90th and 99th percentile of its latency.
    pub within: [String; 3],
}

/// What was drawn from a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawn {
    /// The outcomes, most frequent first.
    pub outcomes: Vec<OutcomeLine>,
    /// The latencies of the acquirers that are asked most.
    pub plots: Vec<Plot>,
    /// All acquirers that were asked.
    pub acquirers: Vec<AcquirerLine>,
    /// The windows of time; `None` if there are none.
    pub strip: Option<Strip>,
}

/// What stands beside the editor.
#[derive(Debug, Clone, PartialEq, Template)]
#[template(path = "parts/scenario_preview.html")]
pub struct Panel {
    /// The result in a sentence.
    pub said: String,
    /// The mistakes in the file, in its order.
    pub mistakes: Vec<Mistake>,
    /// What a file without mistakes does.
    pub drawn: Option<Drawn>,
    /// Whether a script is there that puts the cursor where a mistake is.
    pub live: bool,
}

impl Panel {
    /// A sentence alone.
    #[must_use]
    pub fn saying(text: impl Into<String>) -> Self {
        Self { said: text.into(), mistakes: Vec::new(), drawn: None, live: false }
    }

    /// The mistakes in a file.
    #[must_use]
    pub fn wrong(mistakes: Vec<Mistake>) -> Self {
        let said = match mistakes.len() {
            1 => "1 mistake".to_owned(),
            count => format!("{count} mistakes"),
        };
        Self { mistakes, ..Self::saying(said) }
    }

    /// What a file with so many acquirers and rules, and these windows, does.
    #[must_use]
    pub fn of(acquirers: usize, rules: usize, windows: &[PlannedWindow], preview: &Preview) -> Self {
        let counted = |count: usize, one: &str| match count {
            1 => format!("1 {one}"),
            count => format!("{} {one}s", format::grouped(u64::try_from(count).unwrap_or(u64::MAX))),
        };
        let said = format!("No mistakes: {}, {}", counted(acquirers, "acquirer"), counted(rules, "rule"));
        let said = match windows.len() {
            0 => said,
            count => format!("{said}, {}", counted(count, "window")),
        };
        let asked = preview.acquirers.iter();
        Self {
            drawn: Some(Drawn {
                outcomes: preview.outcomes.iter().map(|(name, share)| outcome_line(name, *share)).collect(),
                plots: asked.clone().take(PLOTS_MAX).map(|one| histogram(one, &preview.bins_ms)).collect(),
                acquirers: asked.map(acquirer_line).collect(),
                strip: strip(windows),
            }),
            ..Self::saying(said)
        }
    }
}

fn outcome_line(name: &str, share: f64) -> OutcomeLine {
    let (class, words) = match name {
        "approved" => ("succeeded", "Approved".to_owned()),
        "3-D Secure" => ("requires_action", "Needs 3-D Secure".to_owned()),
        "timeout" => ("failed", "Timeout".to_owned()),
        "refused" => ("failed", "Connection refused".to_owned()),
        "malformed" => ("failed", "Malformed answer".to_owned()),
        code => ("declined", format!("Declined: {}", decline_words(code))),
    };
    OutcomeLine { class, words, share: percent(share), length: (share * 1_000.0).ceil() as u32 }
}

fn acquirer_line(spread: &Spread) -> AcquirerLine {
    AcquirerLine {
        name: spread.acquirer.clone(),
        share: percent(spread.share),
        within: [spread.p50_ms, spread.p90_ms, spread.p99_ms].map(milliseconds),
    }
}

/// A share as `37.5%`.
fn percent(share: f64) -> String {
    let hundred = share * 100.0;
    if hundred > 0.0 && hundred < 0.1 {
        return "<0.1%".to_owned();
    }
    let text = format!("{hundred:.1}");
    format!("{}%", text.strip_suffix(".0").unwrap_or(&text))
}

fn milliseconds(ms: f64) -> String {
    format::duration((ms * 1_000.0).round() as u64)
}

/// How an acquirer's latencies are spread: a bar for each interval, and a line at each percentile.
fn histogram(spread: &Spread, bins_ms: &[f64]) -> Plot {
    let total = f64::from(spread.counts.iter().sum::<u32>().max(1));
    let shares: Vec<f64> = spread.counts.iter().map(|count| 100.0 * f64::from(*count) / total).collect();
    let scale = Scale::up_to(shares.iter().copied().fold(0.0, f64::max));
    let longest = bins_ms.last().copied().unwrap_or(0.0);
    let bars = plot::bars(scale, &vec![0.0; shares.len()], &shares);
    let mut layers =
        vec![Layer { label: "answers".to_owned(), class: "answers", icon: false, line: false, path: bars }];
    let percentiles = [("p50", spread.p50_ms), ("p90", spread.p90_ms), ("p99", spread.p99_ms)];
    for (class, ms) in percentiles {
        let x = f64::from(WIDTH) * if longest > 0.0 { ms / longest } else { 0.0 };
        let path = format!("M{x:.1} 0v{HEIGHT}");
        layers.push(Layer { label: class.to_owned(), class, icon: false, line: true, path });
    }
    let words = percentiles.map(|(name, ms)| format!("{name} {}", milliseconds(ms))).join(" · ");
    let row = |(end, share): (&f64, &f64)| vec![milliseconds(*end), percent(*share / 100.0)];
    Plot {
        name: "latency",
        title: spread.acquirer.clone(),
        summary: format!("{} of payments · {words}", percent(spread.share)),
        layers,
        ticks: plot::ticks(scale, |value| percent(value / 100.0)),
        from: "0 ms".to_owned(),
        until: milliseconds(longest),
        table: Table {
            header: vec!["Up to".to_owned(), "Answers".to_owned()],
            rows: bins_ms.iter().zip(&shares).map(row).collect(),
        },
    }
}

/// How many payments are drawn, in words.
#[must_use]
pub fn draws() -> String {
    format::grouped(DRAWS.into())
}

/// Reads a file and draws from it.
///
/// # Errors
/// 429 if too many are drawn just now.
pub async fn panel(state: &WebState, text: String) -> Result<Panel, ApiError> {
    if text.trim().is_empty() {
        return Ok(Panel::saying("Write a scenario or load an example to see what it would do."));
    }
    let scenarios = state.scenarios.clone();
    let drawn = aside(state, move || -> Result<Panel, ApiError> {
        match Scenarios::read(&text) {
            Ok(scenario) => {
                let preview = scenarios.preview(&scenario);
                let windows = planned(&scenario);
                Ok(Panel::of(scenario.acquirers.len(), scenario.rules.len(), &windows, &preview))
            }
            Err(problem) => Ok(Panel::wrong(mistakes(problem)?)),
        }
    });
    drawn.await?
}

/// Runs work that takes long on a thread that may block, a few at a time.
///
/// # Errors
/// 429 if too much is run just now.
pub async fn aside<T: Send + 'static>(
    state: &WebState,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ApiError> {
    let permit = tokio::time::timeout(PERMIT_WITHIN, Arc::clone(&state.previews).acquire_owned()).await;
    let Ok(Ok(permit)) = permit else {
        return Err(ApiError::busy("Too many previews at once. Try again in a moment."));
    };
    let done = tokio::task::spawn_blocking(move || {
        // Held until the work ends, also where the caller has gone.
        let _permit = permit;
        work()
    });
    done.await.map_err(|_| ApiError::internal())
}

/// The same for a page that is shown in any case.
pub async fn panel_or_words(state: &WebState, text: String) -> Panel {
    panel(state, text).await.unwrap_or_else(|error| Panel::saying(error.message))
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn outcomes_and_latencies_are_said_in_words() {
        let panel = Panel::of(1, 0, &[], &samples::preview());
        assert_eq!(panel.said, "No mistakes: 1 acquirer, 0 rules");
        let drawn = panel.drawn.expect("drawn");
        let outcomes = drawn.outcomes.iter().map(|line| format!("{} {}", line.words, line.share));
        assert_eq!(
            outcomes.collect::<Vec<_>>(),
            ["Approved 90%", "Declined: insufficient funds 6%", "Timeout 3.9%", "Needs 3-D Secure <0.1%"]
        );
        let [first, _] = drawn.plots.as_slice() else { panic!("{:?}", drawn.plots) };
        assert_eq!(first.summary, "70% of payments · p50 180 ms · p90 412 ms · p99 1.45 s");
        assert_eq!((first.until.as_str(), first.table.rows.len()), ("2.00 s", 40));
        assert!(first.layers.iter().all(|layer| !layer.path.is_empty() && !layer.path.contains("NaN")));
        assert_eq!(drawn.acquirers.len(), 2);
    }

    #[test]
    fn acquirers_that_take_no_time_are_drawn() {
        let spread = Spread {
            acquirer: "a".to_owned(),
            share: 1.0,
            counts: vec![4_000, 0],
            p50_ms: 0.0,
            p90_ms: 0.0,
            p99_ms: 0.0,
        };
        let plot = histogram(&spread, &[0.0, 0.0]);
        assert!(plot.layers.iter().all(|layer| !layer.path.contains("NaN")), "{plot:?}");
        assert_eq!(plot.until, "0.00 ms");
    }
}
