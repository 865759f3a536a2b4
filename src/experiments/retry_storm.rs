//! A short brown-out of an acquirer, with customers who ask again at once and with customers who back off with jitter.
//!
//! An acquirer that serves in turn does work for people who have left already. Retries at once keep it busy with such work after the
//! cause is gone; how many attempts there are for each customer decides whether it ever gets out. The parameters are narrow: with
//! twenty-five customers a second it does not get out with backoff either.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::customers::{Crowd, Retry, come, since};
use super::run::{Band, Figure, Findings, Line, Plot, Point, Run};
use super::stage::{Shop, Stage};
use super::tally::{Tally, seconds};

/// What is done, in words.
pub const INTRO: &str = "Twenty customers a second pay through an acquirer that can take eighty. After three seconds it browns out for \
    four: it takes eight a second. A customer who waits longer than a second asks again, up to eight times; in one shop at once, in \
    the other after a random pause whose limit doubles each time (exponential backoff with full jitter).";
/// How long it takes, in seconds.
pub const LASTS_S: u32 = 22;

const PER_S: u32 = 20;
const CAPACITY_PER_S: u32 = 80;
const BROWN_OUT_FROM_S: f64 = 3.0;
const BROWN_OUT_TO_S: f64 = 7.0;
const PATIENCE: Duration = Duration::from_secs(1);
const ATTEMPTS_MAX: u32 = 8;
/// For so long all must be well for it to count as recovered.
const HOLD_S: f64 = 1.5;
const SAMPLED_EVERY: Duration = Duration::from_millis(250);
const ACQUIRER: &str = "acquirer";

const SCENARIO: &str = r#"name = "Experiment: retry storm"
seed = 42

[[acquirer]]
name = "acquirer"
latency = { fixed_ms = 50 }
capacity_per_s = 80
queue_max = 400

[[window]]
name = "brown-out"
from = "3s"
for = "4s"
acquirer = "acquirer"
capacity_per_s = 8
"#;

/// What is drawn.
#[must_use]
pub fn plots() -> Vec<Plot> {
    let two = |now, later| {
        vec![Line::new(now, "Retry at once", "failed"), Line::new(later, "Backoff and jitter", "succeeded")]
    };
    let plot = |title, unit, series| Plot { title, unit, log: false, whole: true, end_s: LASTS_S, series };
    let mut attempts = two("attempts_now", "attempts_later");
    attempts.push(Line::new("capacity", "Capacity", "muted").dashed());
    let mut completed = two("served_now", "served_later");
    completed.push(Line::new("offered", "New customers", "muted").dashed());
    vec![
        plot("Attempts at the acquirer", "/s", attempts),
        plot("Payments completed in time", "/s", completed),
        plot("Waiting at the acquirer", "", two("waiting_now", "waiting_later")),
    ]
}

/// What was seen of one shop.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Seen {
    attempts: usize,
    peak_per_s: f64,
    /// Those who came after the brown-out and had time to be served.
    came_after: usize,
    served_after: usize,
    /// Seconds from the end of the brown-out.
    recovered_s: Option<f64>,
}

impl Seen {
    fn of(tally: &Tally) -> Self {
        let end_s = f64::from(LASTS_S) - PATIENCE.as_secs_f64();
        let after = tally.who_came(BROWN_OUT_TO_S, end_s);
        let recovered = tally.recovered_at(BROWN_OUT_TO_S, end_s, HOLD_S);
        Self {
            attempts: tally.attempts(),
            peak_per_s: tally.peak_per_s(),
            came_after: after.all,
            served_after: after.served,
            recovered_s: recovered.map(|at| at - BROWN_OUT_TO_S),
        }
    }

    fn recovery(&self) -> String {
        match self.recovered_s {
            Some(after) if after < 0.1 => "it had recovered as soon as the brown-out was over".to_owned(),
            Some(after) => format!("it had recovered {} after the brown-out", seconds(after)),
            None => {
                let watched = f64::from(LASTS_S) - BROWN_OUT_TO_S;
                format!("it had still not recovered {} after the brown-out", seconds(watched))
            }
        }
    }
}

fn findings(now: &Seen, later: &Seen) -> Findings {
    let served = |seen: &Seen| {
        format!("{} of the {} customers who came after it were served", seen.served_after, seen.came_after)
    };
    let row =
        |label, figure: &dyn Fn(&Seen) -> String| Figure { label, values: [figure(now), figure(later)] };
    Findings {
        sentences: [
            format!(
                "Retrying at once turned {PER_S} customers a second into up to {:.0} attempts a second, at an acquirer that takes \
                 {CAPACITY_PER_S}: {}, and {}.",
                now.peak_per_s,
                now.recovery(),
                served(now)
            ),
            format!(
                "With exponential backoff and full jitter there were never more than {:.0} attempts a second: {}, and {}.",
                later.peak_per_s,
                later.recovery(),
                served(later)
            ),
        ],
        figures: vec![
            row("Most attempts in a second", &|seen| format!("{:.0}", seen.peak_per_s)),
            row("Attempts", &|seen| seen.attempts.to_string()),
            row("Served after the brown-out", &|seen| {
                format!("{} of {}", seen.served_after, seen.came_after)
            }),
            row("Recovered after", &|seen| seen.recovered_s.map_or_else(|| "not at all".to_owned(), seconds)),
        ],
    }
}

pub(super) async fn perform(stage: &Stage, run: &Arc<Run>) -> anyhow::Result<Findings> {
    let now = stage.open(run.owner, "Retry storm: at once", SCENARIO).await?;
    let later = stage.open(run.owner, "Retry storm: backoff", SCENARIO).await?;
    run.band(Band { from_s: BROWN_OUT_FROM_S, to_s: BROWN_OUT_TO_S, label: "Brown-out" });
    let tallies = [Arc::default(), Arc::default()];
    let crowd = |retry| Crowd { per_s: PER_S, lasts_s: LASTS_S, patience: PATIENCE, retry };
    let (base, cap) = (Duration::from_secs(1), Duration::from_secs(8));
    let backoff = Retry::Backoff { attempts_max: ATTEMPTS_MAX, base, cap };
    let shops = [now, later];
    let (_, _, watched) = tokio::join!(
        come(stage, now, crowd(Retry::AtOnce { attempts_max: ATTEMPTS_MAX }), &tallies[0]),
        come(stage, later, crowd(backoff), &tallies[1]),
        watch(stage, run, shops, &tallies),
    );
    shops.into_iter().for_each(|shop| stage.close(shop));
    watched?;
    let [now, later] = tallies.map(|tally| Seen::of(&tally.lock()));
    Ok(findings(&now, &later))
}

async fn watch(
    stage: &Stage,
    run: &Run,
    shops: [Shop; 2],
    tallies: &[Arc<Mutex<Tally>>; 2],
) -> anyhow::Result<()> {
    let mut ticks = tokio::time::interval(SAMPLED_EVERY);
    loop {
        ticks.tick().await;
        let t = since(shops[1].opened);
        if t >= f64::from(LASTS_S) {
            return Ok(());
        }
        let in_brown_out = (BROWN_OUT_FROM_S..BROWN_OUT_TO_S).contains(&t);
        let mut values = vec![
            ("offered", Some(f64::from(PER_S))),
            ("capacity", Some(if in_brown_out { 8.0 } else { f64::from(CAPACITY_PER_S) })),
        ];
        let keys = [
            ["attempts_now", "served_now", "waiting_now"],
            ["attempts_later", "served_later", "waiting_later"],
        ];
        for ((shop, tally), [attempts, served, waiting]) in shops.iter().zip(tallies).zip(keys) {
            let queue = stage.acquirer(*shop, ACQUIRER).await?.and_then(|state| state.queue);
            let waits = queue.map(|queue| f64::from(u32::try_from(queue.waiting).unwrap_or(u32::MAX)));
            let (tally, at) = (tally.lock(), since(shop.opened));
            values.push((attempts, Some(tally.attempts_per_s(at))));
            values.push((served, Some(tally.left_per_s(true, at))));
            values.push((waiting, waits));
        }
        run.point(Point { t, values });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenarios::Scenarios;

    #[test]
    fn the_scenario_is_as_the_words_say() {
        let scenario = Scenarios::read(SCENARIO).expect("no mistakes");
        assert_eq!((scenario.acquirers.len(), scenario.windows.len()), (1, 1));
        assert!(SCENARIO.contains(&format!("capacity_per_s = {CAPACITY_PER_S}\n")));
        assert!(SCENARIO.contains(&format!("from = \"{BROWN_OUT_FROM_S}s\"")));
    }

    #[test]
    fn the_verdict_has_the_numbers_of_the_run() {
        let storm =
            Seen { attempts: 2_700, peak_per_s: 160.0, came_after: 280, served_after: 3, recovered_s: None };
        let calm = Seen {
            attempts: 560,
            peak_per_s: 47.4,
            came_after: 280,
            served_after: 280,
            recovered_s: Some(1.24),
        };
        let Findings { sentences, figures } = findings(&storm, &calm);
        assert_eq!(
            sentences[0],
            "Retrying at once turned 20 customers a second into up to 160 attempts a second, at an acquirer that takes 80: it had \
             still not recovered 15.0 s after the brown-out, and 3 of the 280 customers who came after it were served."
        );
        assert_eq!(
            sentences[1],
            "With exponential backoff and full jitter there were never more than 47 attempts a second: it had recovered 1.2 s after \
             the brown-out, and 280 of the 280 customers who came after it were served."
        );
        assert_eq!(figures[3].values, ["not at all", "1.2 s"]);
        let sooner = findings(&storm, &Seen { recovered_s: Some(0.02), ..calm });
        assert!(
            sooner.sentences[1].contains("it had recovered as soon as the brown-out was over, and 280 of")
        );
        // A storm that did not form is not made up.
        assert!(findings(&calm, &calm).sentences[0].contains("it had recovered 1.2 s after"));
    }
}
