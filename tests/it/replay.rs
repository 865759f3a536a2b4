//! Replay: how a payment ends follows from its scenario and its draw key. How much is asked at once, a kill -9 in between, and which
//! parts the server stands on change nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use paystorm::domain::payment::Payment;
use serde_json::Value;

use crate::support::binary::{Draw, Kind, lasting_port, on};

/// Several acquirers, all kinds of errors and outcomes, rules that draw and rules that count attempts. No capacity, breaker or
/// failover: those depend on what happens at the same time.
const SCENARIO: &str = r#"
name = "Replay"
seed = 11

[[acquirer]]
name = "one"
weight = 2
latency = { median_ms = 5, sigma = 0.8, max_ms = 60 }
timeout_ms = 40
errors = [{ share = 0.1, kind = "refused" }, { share = 0.1, kind = "malformed" }]
outcomes = [{ share = 0.2, decline = "insufficient_funds" }, { share = 0.05, decline = "lost_card" }]

[[acquirer]]
name = "two"
latency = { uniform_ms = [1, 20] }
errors = [{ share = 0.3, kind = "timeout" }]
outcomes = [{ share = 0.5, decline = "fraudulent" }]

[[rule]]
match = { amount_minor = { max = 2000 } }
share = 0.5
sequence = ["error:timeout", "error:refused", "decline:stolen_card"]

[[rule]]
match = { attempt = { min = 3 } }
share = 0.5
outcome = "approved"
"#;

/// The same world with routes, a breaker and a capacity in play. One in ten payments goes to an acquirer whose breaker opens now and
/// then, for as short as it can.
const IN_PLAY: &str = r#"
name = "Replay"
seed = 12

[[acquirer]]
name = "shaky"
weight = 0.1
latency = { uniform_ms = [1, 5] }
errors = [{ share = 0.2, kind = "refused" }]
breaker = { errors = 1, of = 3, open_ms = 100 }

[[acquirer]]
name = "steady"
latency = { uniform_ms = [1, 20] }
errors = [{ share = 0.05, kind = "timeout" }]
outcomes = [{ share = 0.2, decline = "insufficient_funds" }]
capacity_per_s = 2000
"#;

/// How attempts fail whose acquirer was not asked: breakers and queues go by what else is going on.
const NOT_ASKED: [&str; 2] = ["BreakerOpen", "QueueFull"];

/// How each payment ended, by draw key: status, decline, and how its attempts failed.
type Outcomes = BTreeMap<u64, String>;

fn outcome(payment: &Payment) -> String {
    let state = payment.state();
    let attempts: Vec<String> = payment
        .history()
        .iter()
        .map(|recorded| format!("{:?}", recorded.event))
        .filter_map(|event| Some(event.split_once("cause: ")?.1.split([' ', ',', '}']).next()?.to_owned()))
        .collect();
    format!("{} {:?} {attempts:?}", state.status.as_str(), state.decline)
}

/// Sends this many payments a second for so many seconds.
struct Run {
    rate: u32,
    seconds: u32,
}

impl Run {
    /// The outcomes with so many operations at the acquirers at once.
    async fn outcomes(&self, scenario: &str, kind: Kind, at_once: u32, killed: bool) -> Outcomes {
        let mut draw = Draw::new("replay");
        let mut outcomes = Outcomes::new();
        on(kind, async |stack| {
            stack.set("worker.in_flight_max", at_once);
            stack.set("engine.retry_delays_ms", "50,50,50");
            let port = lasting_port(&mut draw);
            let mut server = stack.serve_at(port).await;
            let key = stack.api_key().await;
            let put = reqwest::Client::new()
                .post(format!("{}/v1/test_helpers/scenario", server.url))
                .bearer_auth(&key)
                .form(&[("file", scenario)])
                .send();
            let put: Value = put.await.expect("an answer").json().await.expect("JSON");
            assert_eq!(put["name"], "Replay", "{put}");
            let arguments = ["--mix", "charge=1", "--seed", "3", "--drain", "7200s"];
            let mut load = stack.load(&server.url, &key, self.rate, self.seconds, &arguments);
            if killed {
                load.wait_acknowledged(usize::try_from(self.rate).expect("few")).await;
                tokio::time::sleep(Duration::from_millis(draw.below(300))).await;
                server.kill();
                server = stack.serve_at(port).await;
            }
            load.finish_clean().await;
            server.stop().await;
            stack.verify(&[], true).await;
            let mut note =
                |payment: &Payment| outcomes.insert(payment.submission().draw_key, outcome(payment));
            stack.each_payment(|payment| drop(note(payment))).await;
        })
        .await;
        outcomes
    }

    async fn replay(&self, kinds: &[Kind]) {
        let mut first: Option<Outcomes> = None;
        for kind in kinds {
            for (at_once, killed) in [(16, false), (1, true)] {
                let outcomes = self.outcomes(SCENARIO, *kind, at_once, killed).await;
                let expected = usize::try_from(self.rate * self.seconds).expect("few");
                assert_eq!(outcomes.len(), expected, "{kind:?}, {at_once} at once");
                let first = first.get_or_insert_with(|| outcomes.clone());
                let other: Vec<_> =
                    outcomes.iter().filter(|(key, ended)| first.get(key) != Some(*ended)).collect();
                assert!(
                    other.is_empty(),
                    "{kind:?}, {at_once} at once: {} ended otherwise: {other:?}",
                    other.len()
                );
            }
        }
        // The scenario does what it says, so that the comparison compares something.
        let ended: std::collections::BTreeSet<_> = first.expect("a run").into_values().collect();
        for part in
            ["succeeded None []", "InsufficientFunds", "StolenCard", "Timeout", "Unavailable", "Malformed"]
        {
            assert!(ended.iter().any(|ended| ended.contains(part)), "{part}: {ended:?}");
        }
    }

    /// Runs it twice with breaker and capacity in play. All but those that met one of them, in either run, must end the same; returns
    /// how many did meet one, and how many there are.
    async fn compare_in_play(&self) -> (usize, usize) {
        let one = self.outcomes(IN_PLAY, Kind::Embedded, 4_096, false).await;
        let other = self.outcomes(IN_PLAY, Kind::Embedded, 2_048, false).await;
        let expected = usize::try_from(self.rate * self.seconds).expect("few");
        assert_eq!((one.len(), other.len()), (expected, expected));
        let met = |ended: &String| NOT_ASKED.iter().any(|cause| ended.contains(cause));
        let excluded: std::collections::BTreeSet<u64> =
            one.iter().chain(&other).filter(|(_, ended)| met(ended)).map(|(key, _)| *key).collect();
        println!("{} of {} are excluded:", excluded.len(), one.len());
        for key in &excluded {
            println!("  {key}: {:?} and {:?}", one.get(key), other.get(key));
        }
        let differ: Vec<_> = one
            .iter()
            .filter(|(key, ended)| !excluded.contains(key) && other.get(key) != Some(*ended))
            .collect();
        assert!(differ.is_empty(), "{} others ended otherwise: {differ:?}", differ.len());
        (excluded.len(), one.len())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scenario_is_replayed_whatever_happens_meanwhile() {
    Run { rate: 200, seconds: 4 }.replay(&[Kind::Embedded, Kind::Real]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_breaker_and_capacity_in_play_those_that_met_them_are_named() {
    Run { rate: 400, seconds: 8 }.compare_in_play().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "how many meet an open breaker depends on how fast the machine is: scripts/soak.sh"]
async fn soak_replay_with_breaker_and_capacity_excludes_few() {
    let (excluded, all) = Run { rate: 400, seconds: 8 }.compare_in_play().await;
    assert!(excluded * 100 < all, "{excluded} of {all}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "too long for CI: scripts/soak.sh"]
async fn soak_replay_embedded() {
    Run { rate: 1_000, seconds: 100 }.replay(&[Kind::Embedded]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "too long for CI: scripts/soak.sh"]
async fn soak_replay_real() {
    Run { rate: 1_000, seconds: 100 }.replay(&[Kind::Real]).await;
}
