//! An outage by a scenario: inside its window nearly every attempt fails technically, outside nearly none; the circuit breaker
//! opens and closes, and everything comes to rest.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use paystorm::domain::event::Event;
use paystorm::domain::payment::Payment;
use paystorm::domain::scenario_revision::ScenarioRevision;
use paystorm::domain::time::Timestamp;

use crate::support::binary::{Kind, Stack, on};

/// A shorter outage than the example's, for CI.
const SHORT: &str = r#"
name = "Short outage"
seed = 42

[[acquirer]]
name = "northbank"
latency = { uniform_ms = [5, 20] }
timeout_ms = 200
breaker = { errors = 0.5, of = 20, open_ms = 300, probes = 3 }

[[window]]
from = "2s"
for = "3s"
errors = [{ share = 0.7, kind = "refused" }, { share = 0.295, kind = "timeout" }]
"#;

/// An outage, in microseconds since its scenario came into force.
struct Outage {
    file: PathBuf,
    from_us: u64,
    until_us: u64,
    /// How long after it the breaker may still keep attempts away.
    edge_us: u64,
    rate: u32,
    seconds: u32,
}

/// Attempts, and those among them that failed technically.
#[derive(Debug, Default)]
struct Attempts {
    all: u64,
    failed: u64,
}

impl Attempts {
    fn count(&mut self, failed: bool) {
        self.all += 1;
        self.failed += u64::from(failed);
    }

    #[allow(clippy::cast_precision_loss, reason = "counts of a test")]
    fn share(&self) -> f64 {
        self.failed as f64 / self.all as f64
    }
}

/// The attempts of a payment: when each entered the queue, under which scenario, and whether it failed technically.
fn attempts(payment: &Payment) -> Vec<(Timestamp, Option<ScenarioRevision>, bool)> {
    let (mut queued, mut attempts) = (None, Vec::new());
    for recorded in payment.history() {
        let failed = match recorded.event {
            Event::Created { confirmed: true, .. } | Event::Confirmed { .. } | Event::Requeued {} => {
                queued = Some((recorded.wall, recorded.scenario));
                continue;
            }
            Event::RetryScheduled { .. } | Event::Failed { .. } => true,
            Event::Authorized { .. } | Event::Succeeded { .. } | Event::Declined { .. } => false,
            _ => continue,
        };
        let (at, scenario) = queued.take().expect("what is answered was queued");
        attempts.push((at, scenario, failed));
    }
    attempts
}

impl Outage {
    /// The attempts queued inside the outage, and those outside.
    async fn shares(&self, stack: &Stack) -> (Attempts, Attempts) {
        let mut all = Vec::new();
        stack.each_payment(|payment| all.extend(attempts(payment))).await;
        let revisions: BTreeSet<_> = all.iter().filter_map(|(_, scenario, _)| *scenario).collect();
        let revisions: Vec<_> = revisions.into_iter().collect();
        let known = stack.store().await.scenario_revisions(&revisions).await.expect("read");
        let since: BTreeMap<_, _> = known.into_iter().map(|record| (record.revision, record.at)).collect();
        let (mut inside, mut outside) = (Attempts::default(), Attempts::default());
        for (queued, scenario, failed) in all {
            let Some(since) = scenario.and_then(|revision| since.get(&revision)) else { continue };
            let into_us = queued.micros_since(*since);
            if (self.from_us..self.until_us).contains(&into_us) {
                inside.count(failed);
            } else if into_us < self.from_us || into_us >= self.until_us + self.edge_us {
                outside.count(failed);
            }
        }
        (inside, outside)
    }

    async fn is_seen(&self, kind: Kind) {
        on(kind, async |stack| {
            let server = stack.serve().await;
            let key = stack.api_key().await;
            let file = self.file.to_str().expect("a plain path");
            let further = ["--scenario", file, "--mix", "charge=1", "--drain", "120s"];
            let load = stack.load(&server.url, &key, self.rate, self.seconds, &further);
            let (report, acks) = load.finish_clean().await;
            assert_eq!(report["ended_all"], self.rate * self.seconds, "{report:#}");
            let logged = server.logged();
            server.stop().await;
            for turn in ["opens", "lets probes through", "closes"] {
                assert!(logged.contains(&format!("the breaker of an acquirer {turn}")), "{turn}: {logged}");
            }
            stack.verify(&[&acks], true).await;

            let (inside, outside) = self.shares(&stack).await;
            println!("{kind:?}: inside {inside:?}, outside {outside:?}");
            assert!(inside.all > 50 && outside.all > 50, "{inside:?} {outside:?}");
            assert!(inside.share() >= 0.99, "{inside:?}");
            assert!(outside.share() <= 0.01, "{outside:?}");
        })
        .await;
    }
}

async fn a_short_outage(kind: Kind) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("outage.toml");
    std::fs::write(&file, SHORT).expect("a file");
    Outage { file, from_us: 2_000_000, until_us: 5_000_000, edge_us: 3_000_000, rate: 50, seconds: 10 }
        .is_seen(kind)
        .await;
}

async fn the_example(kind: Kind) {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/scenarios/issuer-outage.toml");
    Outage { file, from_us: 20_000_000, until_us: 40_000_000, edge_us: 5_000_000, rate: 500, seconds: 60 }
        .is_seen(kind)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_fail_inside_an_outage_and_nowhere_else_embedded() {
    a_short_outage(Kind::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_fail_inside_an_outage_and_nowhere_else_real() {
    a_short_outage(Kind::Real).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "too long for CI: scripts/soak.sh"]
async fn soak_issuer_outage_embedded() {
    the_example(Kind::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "too long for CI: scripts/soak.sh"]
async fn soak_issuer_outage_real() {
    the_example(Kind::Real).await;
}
