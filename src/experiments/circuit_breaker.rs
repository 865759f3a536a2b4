//! The same outage of an acquirer twice: with a circuit breaker in front of it, and without. Another acquirer stands in either way.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::customers::{Crowd, Retry, come, since};
use super::run::{Band, Figure, Findings, Line, Plot, Point, Run};
use super::stage::{Shop, Stage};
use super::tally::{Came, Tally, seconds};
use crate::scenarios::Position;

/// What is done, in words.
pub const INTRO: &str = "Twenty customers a second pay through the acquirer north, and each leaves after a second without an answer. \
    After four seconds north stops answering for ten: an attempt there is given up after 1.5 s and goes to south. In one shop a \
    circuit breaker keeps payments away from north once half of the last ten attempts failed; in the other there is none.";
/// How long it takes, in seconds.
pub const LASTS_S: u32 = 24;

const PER_S: u32 = 20;
const OUTAGE_FROM_S: f64 = 4.0;
const OUTAGE_TO_S: f64 = 14.0;
const PATIENCE: Duration = Duration::from_secs(1);
/// For so long all must be well for it to count as recovered.
const HOLD_S: f64 = 1.5;
const SAMPLED_EVERY: Duration = Duration::from_millis(250);
const NORTH: &str = "north";
const BREAKER: &str = "breaker = { errors = 0.5, of = 10, open_ms = 2000, probes = 2 }\n";

/// The scenario, with these lines about north.
fn scenario(breaker: &str) -> String {
    format!(
        r#"name = "Experiment: circuit breaker"
seed = 42
failover = true

[[acquirer]]
name = "north"
latency = {{ median_ms = 120, sigma = 0.3, max_ms = 600 }}
timeout_ms = 1500
{breaker}
[[acquirer]]
name = "south"
weight = 0.001
latency = {{ median_ms = 180, sigma = 0.3, max_ms = 800 }}

[[window]]
name = "outage"
from = "4s"
for = "10s"
acquirer = "north"
errors = [{{ share = 1, kind = "timeout" }}]
"#
    )
}

/// What is drawn.
#[must_use]
pub fn plots() -> Vec<Plot> {
    let two = |with, without| {
        vec![Line::new(with, "With breaker", "succeeded"), Line::new(without, "Without breaker", "failed")]
    };
    let plot = |title, unit, whole, series| Plot { title, unit, log: false, whole, end_s: LASTS_S, series };
    vec![
        plot("Time to an answer, half of the customers", "ms", false, two("took_with", "took_without")),
        plot("Customers who left without an answer", "/s", true, two("lost_with", "lost_without")),
    ]
}

/// What was seen of one shop.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Seen {
    in_outage: Came,
    /// Seconds from the beginning of the outage until customers were served as before.
    recovered_s: Option<f64>,
    /// Seconds from the beginning of the outage until the breaker opened, and from its end until it closed for good.
    opened_s: Option<f64>,
    closed_s: Option<f64>,
}

impl Seen {
    fn of(tally: &Tally, breaker: &Watched) -> Self {
        let end_s = f64::from(LASTS_S) - PATIENCE.as_secs_f64();
        Self {
            in_outage: tally.who_came(OUTAGE_FROM_S, OUTAGE_TO_S),
            recovered_s: tally.recovered_at(OUTAGE_FROM_S, end_s, HOLD_S).map(|at| at - OUTAGE_FROM_S),
            opened_s: breaker.opened.map(|at| at - OUTAGE_FROM_S),
            closed_s: breaker.closed.map(|at| (at - OUTAGE_TO_S).max(0.0)),
        }
    }

    const fn lost(&self) -> usize {
        self.in_outage.all - self.in_outage.served
    }

    fn recovery(&self) -> String {
        match self.recovered_s {
            Some(after) => format!("were served as before {} after it began", seconds(after)),
            None => "were not served as before until the end".to_owned(),
        }
    }
}

fn findings(with: &Seen, without: &Seen) -> Findings {
    let opened = match with.opened_s {
        Some(after) => format!("the breaker opened {} into the outage", seconds(after)),
        None => "the breaker did not open".to_owned(),
    };
    let lost =
        |seen: &Seen| format!("{} of {} customers left without an answer", seen.lost(), seen.in_outage.all);
    let median =
        |seen: &Seen| seen.in_outage.median_ms.map_or_else(|| "–".to_owned(), |ms| format!("{ms:.0} ms"));
    let row =
        |label, figure: &dyn Fn(&Seen) -> String| Figure { label, values: [figure(with), figure(without)] };
    let some = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), seconds);
    Findings {
        sentences: [
            format!("With a circuit breaker {}: {opened}, and customers {}.", lost(with), with.recovery()),
            format!(
                "Without one {}, since each had to wait for north to time out before south was asked, and customers {}.",
                lost(without),
                without.recovery()
            ),
        ],
        figures: vec![
            row("Left without an answer in the outage", &|seen| {
                format!("{} of {}", seen.lost(), seen.in_outage.all)
            }),
            row("Half had an answer or left within", &median),
            row("Served as before, after the outage began", &|seen| some(seen.recovered_s)),
            row("Breaker opened, after the outage began", &|seen| some(seen.opened_s)),
            row("Breaker closed, after the outage ended", &|seen| some(seen.closed_s)),
        ],
    }
}

/// When the breaker was first seen open, and last seen to have closed.
#[derive(Debug, Clone, Copy, Default)]
struct Watched {
    opened: Option<f64>,
    closed: Option<f64>,
}

impl Watched {
    fn see(&mut self, position: Position, t: f64) {
        match position {
            Position::Open | Position::HalfOpen => {
                self.opened.get_or_insert(t);
                self.closed = None;
            }
            Position::Closed => {
                if self.opened.is_some() {
                    self.closed.get_or_insert(t);
                }
            }
        }
    }
}

pub(super) async fn perform(stage: &Stage, run: &Arc<Run>) -> anyhow::Result<Findings> {
    let with = stage.open(run.owner, "Outage with breaker", &scenario(BREAKER)).await?;
    let without = stage.open(run.owner, "Outage without breaker", &scenario("")).await?;
    run.band(Band { from_s: OUTAGE_FROM_S, to_s: OUTAGE_TO_S, label: "North does not answer" });
    let tallies = [Arc::default(), Arc::default()];
    let crowd = Crowd { per_s: PER_S, lasts_s: LASTS_S, patience: PATIENCE, retry: Retry::No };
    let (_, _, watched) = tokio::join!(
        come(stage, with, crowd, &tallies[0]),
        come(stage, without, crowd, &tallies[1]),
        watch(stage, run, [with, without], &tallies),
    );
    stage.close(with);
    stage.close(without);
    let breaker = watched?;
    let [with, without] = &tallies;
    let (with, without) = (Seen::of(&with.lock(), &breaker), Seen::of(&without.lock(), &Watched::default()));
    Ok(findings(&with, &without))
}

async fn watch(
    stage: &Stage,
    run: &Run,
    shops: [Shop; 2],
    tallies: &[Arc<Mutex<Tally>>; 2],
) -> anyhow::Result<Watched> {
    let mut ticks = tokio::time::interval(SAMPLED_EVERY);
    let [with, without] = shops;
    let mut breaker = Watched::default();
    loop {
        ticks.tick().await;
        let t = since(without.opened);
        if t >= f64::from(LASTS_S) {
            return Ok(breaker);
        }
        let north = stage.acquirer(with, NORTH).await?.and_then(|state| state.breaker);
        if let Some(state) = north {
            breaker.see(state.position, since(with.opened));
        }
        let keys = [["took_with", "lost_with"], ["took_without", "lost_without"]];
        let mut values = Vec::with_capacity(4);
        for ((shop, tally), [took, lost]) in shops.iter().zip(tallies).zip(keys) {
            let (tally, at) = (tally.lock(), since(shop.opened));
            values.push((took, tally.median_ms(at)));
            values.push((lost, Some(tally.left_per_s(false, at))));
        }
        run.point(Point { t, values });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenarios::Scenarios;

    #[test]
    fn both_scenarios_are_the_same_but_for_the_breaker() {
        let read = |breaker| Scenarios::read(&scenario(breaker)).expect("no mistakes");
        let (with, without) = (read(BREAKER), read(""));
        assert_eq!((with.acquirers.len(), with.windows.len(), with.seed), (2, 1, without.seed));
        assert!(with.failover && without.failover);
        assert!(with.acquirers[0].breaker.is_some() && without.acquirers[0].breaker.is_none());
    }

    #[test]
    fn the_verdict_has_the_numbers_of_the_run() {
        let came = |served, ms| Came { all: 200, served, median_ms: Some(ms) };
        let with = Seen {
            in_outage: came(152, 190.0),
            recovered_s: Some(2.15),
            opened_s: Some(2.0),
            closed_s: Some(1.6),
        };
        let without =
            Seen { in_outage: came(0, 1_000.0), recovered_s: Some(10.0), opened_s: None, closed_s: None };
        let Findings { sentences, figures } = findings(&with, &without);
        assert_eq!(
            sentences[0],
            "With a circuit breaker 48 of 200 customers left without an answer: the breaker opened 2.0 s into the outage, and \
             customers were served as before 2.1 s after it began."
        );
        assert_eq!(
            sentences[1],
            "Without one 200 of 200 customers left without an answer, since each had to wait for north to time out before south \
             was asked, and customers were served as before 10.0 s after it began."
        );
        assert_eq!(figures[1].values, ["190 ms", "1000 ms"]);
        assert_eq!((figures[3].values[1].as_str(), figures[4].values[0].as_str()), ("–", "1.6 s"));
    }

    #[test]
    fn a_breaker_that_opened_again_has_not_closed() {
        let mut watched = Watched::default();
        for (position, t) in [
            (Position::Closed, 1.0),
            (Position::Open, 6.0),
            (Position::HalfOpen, 8.0),
            (Position::Closed, 9.0),
            (Position::Open, 10.0),
            (Position::Closed, 15.5),
            (Position::Closed, 20.0),
        ] {
            watched.see(position, t);
        }
        assert_eq!((watched.opened, watched.closed), (Some(6.0), Some(15.5)));
    }
}
