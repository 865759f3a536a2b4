//! Searches the highest rate that holds a stated objective: by doubling until a rate does not hold, then by bisection. Each rate is
//! a short run of its own, judged after its backlog has drained; a backlog that does not drain ends the search, since what came
//! after it would be measured on top of it.

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use super::args::{LoadArgs, Rate};
use super::control::Control;
use super::figures::per_s;
use super::found::{Found, Step};
use super::ground::Ground;
use super::interrupts::Interrupts;
use super::numbers::approximate;
use super::report::Report;
use super::runner::measure_on;
use super::search::Search;
use super::threshold::Threshold;

/// Rates tried in one search.
const STEPS_MAX: usize = 40;
/// The highest rate that is tried.
const RATE_MAX: f64 = 1_000_000.0;
/// By how much what completes may lag behind what is offered.
const LAG_MAX: f64 = 0.02;

/// The rates that are known to hold and not to hold.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Bracket {
    holds: Option<f64>,
    fails: Option<f64>,
}

impl Bracket {
    /// The next rate to try, one of these; `None` if there is none, or the two are as close as `precision`, a share of the higher one.
    fn next(&self, first: f64, rates: &RangeInclusive<f64>, precision: f64) -> Option<f64> {
        let (lowest, highest) = (*rates.start(), *rates.end());
        match (self.holds, self.fails) {
            (None, None) => Some(first.min(highest)),
            (Some(holds), None) => (holds < highest).then(|| (holds * 2.0).min(highest)),
            (None, Some(fails)) => Some(fails / 2.0).filter(|rate| *rate >= lowest),
            (Some(holds), Some(fails)) => {
                (fails - holds > precision * fails).then(|| round((holds + fails) / 2.0))
            }
        }
    }

    fn note(&mut self, rate: f64, holds: bool) {
        if holds {
            self.holds = Some(self.holds.map_or(rate, |known| known.max(rate)));
        } else {
            self.fails = Some(self.fails.map_or(rate, |known| known.min(rate)));
        }
    }
}

/// A rate as people write it.
fn round(rate: f64) -> f64 {
    if rate >= 20.0 { rate.round() } else { (rate * 10.0).round() / 10.0 }
}

/// Why a step does not hold; `None` if it does.
fn broken(report: &Report, objectives: &[Threshold]) -> Option<String> {
    if report.stopped {
        return Some("it was stopped".to_owned());
    }
    if let Some(audit) = report.audit.as_ref().filter(|audit| audit.missing + audit.different > 0) {
        return Some(format!("{} of {} were not found again", audit.missing + audit.different, audit.asked));
    }
    if !report.is_complete() {
        let left = report.open.max(report.accepted.saturating_sub(report.completed));
        return Some(format!("{left} had not come to rest when waiting for them ended"));
    }
    if report.skipped > 0 || report.unknown > 0 {
        return Some(format!("{} were never sent, {} never answered", report.skipped, report.unknown));
    }
    let offered = report.offered_per_s * report.duration_s;
    let behind = offered - report.completed_per_s * report.duration_s;
    // What is open at both ends differs by chance, by about the square root of it.
    let chance = 3.0 * approximate(report.open_at_start.max(1)).sqrt();
    if behind > LAG_MAX * offered + chance {
        let share = behind / offered * 100.0;
        return Some(format!(
            "{} completed: {share:.1}% behind what was offered",
            per_s(report.completed_per_s)
        ));
    }
    objectives.iter().find_map(|objective| objective.missed(report))
}

/// The flags of a step at this rate.
fn step_args(args: &LoadArgs, rate: f64, warmup: Duration) -> LoadArgs {
    LoadArgs {
        rate: Some(Rate::PerSecond(rate)),
        shape: None,
        duration: Some(args.search.step),
        warmup,
        // Each step is short; all of them together ask for enough.
        audit: args.audit.min(100),
        ..args.clone()
    }
}

/// How long the next step warms up, so that it begins to be measured once its queues are as full as they get.
fn next_warmup(report: &Report, step: Duration) -> Duration {
    let twice_s = report.settle_ms.p99 / 500.0;
    Duration::from_secs_f64(twice_s.clamp(0.0, 3_600.0)).clamp(step / 4, step)
}

/// Why the search ends after this step, if it does.
fn ended(report: &Report, interrupts: &Interrupts, args: &LoadArgs, rate: f64) -> Option<String> {
    if interrupts.any {
        return Some("it was stopped before it was as exact as asked".to_owned());
    }
    (report.open > 0).then(|| {
        let (rate, drain_s) = (per_s(rate), args.drain.as_secs_f64());
        format!("the backlog of {rate} did not drain within {drain_s:.0} s, so that nothing could be measured after it")
    })
}

/// Searches the highest rate that holds the objectives.
///
/// # Errors
/// If the search could not start, or a run of it could not.
pub async fn find_capacity(args: &LoadArgs) -> anyhow::Result<Found> {
    let ground = Ground::prepare(args).await?;
    search_on(&ground, args, &mut Interrupts::receive()?, &Control::default()).await
}

/// The same within a program, steered and watched by `control`.
///
/// # Errors
/// As [`find_capacity`], and if it was stopped before it began.
pub async fn find_capacity_with(args: &LoadArgs, control: &Control) -> anyhow::Result<Found> {
    let mut interrupts = control.interrupts();
    let ground = control.prepared(args, &mut interrupts).await?;
    search_on(&ground, args, &mut interrupts, control).await
}

async fn search_on(
    ground: &Ground,
    args: &LoadArgs,
    interrupts: &mut Interrupts,
    control: &Control,
) -> anyhow::Result<Found> {
    let mut found = Found {
        run: ground.run.clone(),
        target: args.target.to_string(),
        objectives: args.search.objective.iter().map(ToString::to_string).collect(),
        step_s: args.search.step.as_secs_f64(),
        ..Found::default()
    };
    let bracket = search(args, ground, interrupts, control, &mut found).await;
    let trouble = ground.restore(args).await;
    trouble.iter().for_each(|problem| interrupts.say(problem));
    found.trouble = trouble;
    let bracket = bracket?;
    (found.holds_per_s, found.fails_per_s) = (bracket.holds, bracket.fails);
    found.wallets = interrupts.unless(ground.close(args)).await.flatten();
    found.judge();
    Ok(found)
}

/// Tries one rate after another, and notes each.
async fn search(
    args: &LoadArgs,
    ground: &Ground,
    interrupts: &mut Interrupts,
    control: &Control,
    found: &mut Found,
) -> anyhow::Result<Bracket> {
    let Search { step, from, limit, precision, objective, highest, .. } = &args.search;
    let (mut bracket, mut warmup, began) = (Bracket::default(), *step / 4, Instant::now());
    let precision = approximate(*precision) / 100.0;
    let highest = highest.unwrap_or(RATE_MAX);
    // One payment a step.
    let rates = 1.0 / step.as_secs_f64()..=highest;
    while let Some(rate) = bracket.next(*from, &rates, precision) {
        let number = found.steps.len() + 1;
        if number > STEPS_MAX || began.elapsed() >= *limit {
            let (steps, seconds) = (found.steps.len(), began.elapsed().as_secs());
            found.ended =
                Some(format!("{steps} steps in {seconds} s were not enough to be as exact as asked"));
            break;
        }
        let (run, label) = (format!("{}.{number}", ground.run), format!("step {number}, {}: ", per_s(rate)));
        let report =
            measure_on(ground, &step_args(args, rate, warmup), &run, &label, interrupts, control).await?;
        let tried = Step::of(rate, &report, broken(&report, objective));
        if !args.no_progress {
            eprintln!("{}", tried.line());
        }
        bracket.note(rate, tried.holds);
        found.steps.push(tried);
        (found.holds_per_s, found.fails_per_s) = (bracket.holds, bracket.fails);
        control.found(found);
        warmup = next_warmup(&report, *step);
        found.ended = ended(&report, interrupts, args, rate);
        if found.ended.is_some() {
            break;
        }
    }
    if found.ended.is_none() && bracket.fails.is_none() && bracket.holds.is_some_and(|holds| holds >= highest)
    {
        found.ended = Some(format!("{} is the highest rate that may be tried", per_s(highest)));
    }
    Ok(bracket)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::load::report::Audit;

    fn objectives() -> Vec<Threshold> {
        vec!["settle.p99<500ms".parse().unwrap(), "errors<1".parse().unwrap()]
    }

    fn good() -> Report {
        let mut report = Report {
            offered_per_s: 200.0,
            completed_per_s: 199.0,
            duration_s: 10.0,
            open_at_start: 10,
            ..Report::default()
        };
        report.settle_ms.p99 = 480.0;
        report
    }

    #[test]
    fn a_step_holds_only_if_everything_does() {
        assert_eq!(broken(&good(), &objectives()), None);
        let mut slow = good();
        slow.settle_ms.p99 = 500.0;
        for (report, said) in [
            (slow, "settle.p99<500ms: it is 500"),
            (Report { errors: 1, ..good() }, "errors<1: it is 1"),
            (Report { completed_per_s: 190.0, ..good() }, "190/s completed: 5.0% behind"),
            (Report { open: 7, ..good() }, "7 had not come to rest"),
            (Report { skipped: 3, ..good() }, "3 were never sent"),
            (Report { audit: Some(Audit { asked: 9, missing: 2, ..Audit::default() }), ..good() }, "2 of 9"),
            (Report { stopped: true, ..good() }, "stopped"),
        ] {
            let why = broken(&report, &objectives()).expect(said);
            assert!(why.contains(said), "{said}: {why}");
        }
    }

    proptest! {
        #[test]
        fn the_search_closes_in_on_any_capacity_within_its_bound(capacity in 0.5..900_000.0_f64, first in 1.0..5_000.0_f64) {
            let (mut bracket, mut steps) = (Bracket::default(), 0);
            while let Some(rate) = bracket.next(first, &(0.1..=RATE_MAX), 0.02) {
                bracket.note(rate, rate <= capacity);
                steps += 1;
                prop_assert!(steps <= STEPS_MAX, "{:?}", bracket);
            }
            let (holds, fails) = (bracket.holds.unwrap(), bracket.fails.unwrap_or(f64::INFINITY));
            prop_assert!(holds <= capacity && capacity < fails, "{:?}", bracket);
            // Rates below 20 are rounded to tenths.
            prop_assert!(fails - holds <= 0.02 * fails + 0.1);
        }
    }
}
