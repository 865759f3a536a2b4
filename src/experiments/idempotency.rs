//! One payment asked for a hundred times at once, with the same idempotency key and without any.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::task::JoinSet;

use super::customers::since;
use super::run::{Figure, Findings, Line, Plot, Point, Run};
use super::stage::{AMOUNT_MINOR, Shop, Stage};
use crate::domain::ids::PaymentId;
use crate::domain::status::Status;

/// What is done, in words.
pub const INTRO: &str = "One charge of €12.50 is sent a hundred times at the same moment, as an impatient client or a flaky network \
    does: first each time with the same idempotency key, then without one.";
/// About how long it takes, in seconds.
pub const LASTS_S: u32 = 5;

const CALLS: u32 = 100;
const WAIT: Duration = Duration::from_secs(10);
const SAMPLED_EVERY: Duration = Duration::from_millis(50);
const ACQUIRER: &str = "acquirer";

const SCENARIO: &str = r#"name = "Experiment: idempotency"
seed = 42

[[acquirer]]
name = "acquirer"
latency = { median_ms = 500, sigma = 0.4, max_ms = 2000 }
"#;

/// What is drawn.
#[must_use]
pub fn plots() -> Vec<Plot> {
    let two = |with, without| {
        vec![Line::new(with, "Same key", "succeeded"), Line::new(without, "No key", "failed").dashed()]
    };
    let plot = |title, series| Plot { title, unit: "", log: false, whole: true, end_s: 2, series };
    vec![
        plot("Requests answered", two("answered_same", "answered_none")),
        plot("Payments made", two("payments_same", "payments_none")),
    ]
}

/// The answers of one arm.
#[derive(Debug, Default)]
struct Answers {
    /// How often each payment was answered, and whether it had succeeded. Requests that were answered with no payment are left out.
    by_payment: BTreeMap<(PaymentId, bool), u32>,
}

impl Answers {
    fn all(&self) -> u32 {
        self.by_payment.values().sum()
    }

    fn payments(&self) -> usize {
        self.by_payment.keys().map(|(id, _)| id).collect::<BTreeSet<_>>().len()
    }
}

/// What was seen of one arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen {
    /// Answers with a payment.
    answers: u32,
    /// Different payments among them.
    payments: usize,
    /// Different answers.
    different: usize,
    /// Operations at the acquirer.
    asked: u64,
    /// What the wallet holds afterwards.
    balance_minor: i64,
}

/// `€1,250.00`
fn euros(minor: i64) -> String {
    let (whole, cents) = (minor.div_euclid(100), minor.rem_euclid(100));
    let digits = whole.to_string();
    let mut grouped = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("€{grouped}.{cents:02}")
}

fn times(count: u64, one: &str, many: &str) -> String {
    match count {
        1 => one.to_owned(),
        _ => format!("{count} {many}"),
    }
}

fn findings(same: &Seen, none: &Seen) -> Findings {
    let what = |seen: &Seen| {
        let payments = u64::try_from(seen.payments).unwrap_or(u64::MAX);
        format!(
            "made {}, asked the acquirer {} and put {} into the wallet",
            times(payments, "one payment", "payments"),
            times(seen.asked, "once", "times"),
            euros(seen.balance_minor)
        )
    };
    let alike = match same.different {
        1 => format!("all {} answers were the same", same.answers),
        different => format!("the {} answers were of {different} kinds", same.answers),
    };
    let row =
        |label, figure: &dyn Fn(&Seen) -> String| Figure { label, values: [figure(same), figure(none)] };
    Findings {
        sentences: [
            format!("With one idempotency key {CALLS} requests at once {}; {alike}.", what(same)),
            format!(
                "Without a key the same {CALLS} requests {}, for a charge of {}.",
                what(none),
                euros(AMOUNT_MINOR)
            ),
        ],
        figures: vec![
            row("Requests answered", &|seen| seen.answers.to_string()),
            row("Payments", &|seen| seen.payments.to_string()),
            row("Different answers", &|seen| seen.different.to_string()),
            row("Operations at the acquirer", &|seen| seen.asked.to_string()),
            row("Credited to the wallet", &|seen| euros(seen.balance_minor)),
        ],
    }
}

pub(super) async fn perform(stage: &Stage, run: &Arc<Run>) -> anyhow::Result<Findings> {
    let same =
        arm(stage, run, "Idempotency: same key", Some("order-4711"), ["answered_same", "payments_same"])
            .await?;
    let none = arm(stage, run, "Idempotency: no key", None, ["answered_none", "payments_none"]).await?;
    Ok(findings(&same, &none))
}

async fn arm(
    stage: &Stage,
    run: &Run,
    name: &str,
    key: Option<&'static str>,
    lines: [&'static str; 2],
) -> anyhow::Result<Seen> {
    let shop = stage.open(run.owner, name, SCENARIO).await?;
    let answers = Arc::new(Mutex::new(Answers::default()));
    let began = Instant::now();
    let mut calls = JoinSet::new();
    for call in 0..CALLS {
        // With a key all are the same request, the draw among it.
        let draw_key = if key.is_some() { 0 } else { call };
        calls.spawn(send(stage.clone(), shop, draw_key, key, Arc::clone(&answers)));
    }
    let point = |t: f64| {
        let answers = answers.lock();
        let payments = u32::try_from(answers.payments()).unwrap_or(u32::MAX);
        let [answered, made] = lines;
        let values = vec![(answered, Some(f64::from(answers.all()))), (made, Some(f64::from(payments)))];
        run.point(Point { t, values });
    };
    let mut ticks = tokio::time::interval(SAMPLED_EVERY);
    loop {
        tokio::select! {
            _ = ticks.tick() => point(since(began)),
            ended = calls.join_next() => if ended.is_none() { break },
        }
    }
    point(since(began));
    let seen = seen(stage, shop, &answers).await;
    stage.close(shop);
    seen
}

async fn send(
    stage: Stage,
    shop: Shop,
    draw_key: u32,
    key: Option<&'static str>,
    answers: Arc<Mutex<Answers>>,
) {
    if let Ok(outcome) = stage.pay(shop, draw_key, key, WAIT).await {
        let succeeded = outcome.payment.state().status == Status::Succeeded;
        *answers.lock().by_payment.entry((outcome.payment.id(), succeeded)).or_default() += 1;
    }
}

async fn seen(stage: &Stage, shop: Shop, answers: &Mutex<Answers>) -> anyhow::Result<Seen> {
    let asked =
        stage.acquirer(shop, ACQUIRER).await?.map_or(0, |state| state.total.answered + state.total.failed);
    let wallets = stage.store.wallet_list(shop.account).await?;
    let answers = answers.lock();
    Ok(Seen {
        answers: answers.all(),
        payments: answers.payments(),
        different: answers.by_payment.len(),
        asked,
        balance_minor: wallets.iter().map(|wallet| wallet.holdings.balance_minor).sum(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenarios::Scenarios;

    #[test]
    fn the_scenario_has_no_mistakes() {
        assert!(Scenarios::read(SCENARIO).is_ok());
    }

    #[test]
    fn the_verdict_has_the_numbers_of_the_run() {
        let same = Seen { answers: 100, payments: 1, different: 1, asked: 1, balance_minor: 1_250 };
        let none = Seen { answers: 100, payments: 100, different: 100, asked: 100, balance_minor: 125_000 };
        let Findings { sentences, figures } = findings(&same, &none);
        assert_eq!(
            sentences[0],
            "With one idempotency key 100 requests at once made one payment, asked the acquirer once and put €12.50 into the \
             wallet; all 100 answers were the same."
        );
        assert_eq!(
            sentences[1],
            "Without a key the same 100 requests made 100 payments, asked the acquirer 100 times and put €1,250.00 into the \
             wallet, for a charge of €12.50."
        );
        assert_eq!(figures[4].values, ["€12.50", "€1,250.00"]);
        let odd = Seen { answers: 98, different: 2, ..same };
        assert!(findings(&odd, &none).sentences[0].ends_with("the 98 answers were of 2 kinds."));
        assert_eq!([euros(5), euros(123_456_789)], ["€0.05", "€1,234,567.89"]);
    }
}
