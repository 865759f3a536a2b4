//! The shipped scenarios, and those in the documentation, are right and do what they say.

use std::path::PathBuf;

use super::charge;
use crate::domain::command::AuthorizationResponse as Response;
use crate::domain::decline::DeclineReason as Why;
use crate::domain::event::TechnicalError;
use crate::domain::money::Money;
use crate::domain::time::Timestamp;
use crate::simulator::scenario::Scenario;
use crate::simulator::{Question, Reply, SimulatorSettings, World};

const PAGE: &str = include_str!("../../../../docs/scenarios.md");

fn parsed(text: &str) -> Scenario {
    Scenario::parse(text.as_bytes()).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

/// The answers of a shipped scenario to so many charges of €12.50 on a card that succeeds.
fn answers(name: &str, count: u64) -> Vec<Reply<Response>> {
    answers_after(name, count, 0)
}

/// The same so many seconds after the scenario came into force.
fn answers_after(name: &str, count: u64, seconds: i64) -> Vec<Reply<Response>> {
    let queued_at = Timestamp::from_micros(seconds * 1_000_000);
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/scenarios").join(name);
    let scenario = parsed(&std::fs::read_to_string(path).unwrap());
    let world = World::with_scenario(&SimulatorSettings::default(), &scenario);
    (0..count).map(|draw_key| world.authorize(&Question { draw_key, queued_at, ..charge("visa") })).collect()
}

/// How many in a hundred of them are so.
fn percent(answers: &[Reply<Response>], so: impl Fn(&Reply<Response>) -> bool) -> f64 {
    100.0 * answers.iter().filter(|&reply| so(reply)).count() as f64 / answers.len() as f64
}

#[test]
fn all_shipped_scenarios_are_right() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/scenarios");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let scenario = parsed(&std::fs::read_to_string(&path).unwrap());
        assert!(!scenario.description.is_empty(), "{}", path.display());
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(PAGE.contains(&name), "{name} is not in docs/scenarios.md");
        names.push(name);
    }
    names.sort();
    let shipped = [
        "black-friday.toml",
        "flaky-network.toml",
        "fraud-attack.toml",
        "happy-day.toml",
        "issuer-outage.toml",
        "slow-acquirer.toml",
    ];
    assert_eq!(names, shipped);
}

#[test]
fn the_examples_in_the_documentation_are_right() {
    let blocks: Vec<&str> = PAGE
        .split("```toml\n")
        .skip(1)
        .map(|rest| rest.split_once("```").expect("a block that ends").0)
        .collect();
    assert!(blocks.len() >= 8, "{}", blocks.len());
    for block in blocks {
        // Parts of a scenario stand without its name.
        let whole =
            if block.starts_with("name = ") { block.to_owned() } else { format!("name = \"part\"\n{block}") };
        parsed(&whole);
    }
}

#[test]
fn a_happy_day_approves_nearly_everything_in_time() {
    let answers = answers("happy-day.toml", 20_000);
    let approved = percent(&answers, |reply| reply.response == Response::Approved);
    assert!((96.0..98.0).contains(&approved), "{approved}");
    let failed = percent(&answers, |reply| matches!(reply.response, Response::TechnicalFailure(_)));
    assert!(failed == 0.0, "{failed}");
    assert!(answers.iter().all(|reply| reply.latency_us <= 3_000_000));
}

#[test]
fn a_slow_acquirer_times_out_now_and_then() {
    let answers = answers("slow-acquirer.toml", 20_000);
    let timeout = Response::TechnicalFailure(TechnicalError::Timeout);
    let timed_out = percent(&answers, |reply| reply.response == timeout);
    assert!((2.0..15.0).contains(&timed_out), "{timed_out}");
    assert!(answers.iter().all(|reply| reply.latency_us <= 5_000_000));
    let slow = percent(&answers, |reply| reply.latency_us > 1_000_000);
    assert!(slow > 40.0, "{slow}");
}

#[test]
fn a_flaky_network_breaks_in_every_way() {
    let answers = answers("flaky-network.toml", 20_000);
    for cause in [TechnicalError::Timeout, TechnicalError::Unavailable, TechnicalError::Malformed] {
        let failed = percent(&answers, |reply| reply.response == Response::TechnicalFailure(cause));
        assert!((1.0..15.0).contains(&failed), "{cause:?} {failed}");
    }
}

#[test]
fn a_fraud_attack_is_of_small_amounts() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("config/scenarios/fraud-attack.toml");
    let scenario = parsed(&std::fs::read_to_string(path).unwrap());
    let world = World::with_scenario(&SimulatorSettings::default(), &scenario);
    let refused = |minor: i64| {
        let count = (0..5_000).filter(|draw_key| {
            let amount = Money::new(minor, charge("visa").amount.currency);
            let asked = Question { amount, payment_minor: minor, draw_key: *draw_key, ..charge("visa") };
            let response = world.authorize(&asked).response;
            matches!(response, Response::Declined(Why::Fraudulent | Why::CardVelocityExceeded))
        });
        count.count() as f64 / 50.0
    };
    assert!(refused(100) > 80.0, "{}", refused(100));
    assert!(refused(5_000) < 1.0, "{}", refused(5_000));
}

#[test]
fn in_an_issuer_outage_nearly_everything_fails_and_before_and_after_nothing() {
    let failed = |seconds| {
        let answers = answers_after("issuer-outage.toml", 20_000, seconds);
        percent(&answers, |reply| matches!(reply.response, Response::TechnicalFailure(_)))
    };
    assert!([20, 39].iter().all(|seconds| failed(*seconds) >= 99.0));
    assert!([0, 19, 40, 100].iter().all(|seconds| failed(*seconds) <= 1.0));
}

#[test]
fn on_black_friday_answers_slow_down_and_declines_treble() {
    let at = |seconds| {
        let answers = answers_after("black-friday.toml", 20_000, seconds);
        let slow = percent(&answers, |reply| reply.latency_us > 500_000);
        (slow, percent(&answers, |reply| matches!(reply.response, Response::Declined(_))))
    };
    let ((calm, few), (rising, still_few), (rush, many)) = (at(0), at(25), at(50));
    assert!(calm < 5.0 && (15.0..60.0).contains(&rising) && rush > 60.0, "{calm} {rising} {rush}");
    assert!((2.0..4.0).contains(&few) && (2.0..4.0).contains(&still_few), "{few} {still_few}");
    assert!((8.0..10.0).contains(&many), "{many}");
}
