//! What is drawn follows what is described: Kolmogorov–Smirnov for times, chi-squared for shares. The same test refuses a law that
//! is one percentage point off.

use super::{charge, scenario, world};
use crate::domain::command::AuthorizationResponse as Response;
use crate::domain::decline::DeclineReason as Why;
use crate::domain::event::TechnicalError;
use crate::simulator::draw::{DrawKey, Draws};
use crate::simulator::tests::{kolmogorov_smirnov, normal_cdf};
use crate::simulator::{Authorization, Question, World};

/// Latencies drawn for each law.
const TIMES: u64 = 1_000_000;
/// Questions asked for each set of shares.
const ANSWERS: u64 = 200_000;

/// √n·D stays below this for the right law, but for one sample in 100,000 (Kolmogorov's distribution).
const KS_BOUND: f64 = 2.47;
/// The same for chi-squared with 1, 2, 3, … degrees of freedom.
const CHI_SQUARED_BOUNDS: [f64; 5] = [19.511, 23.026, 25.902, 28.473, 30.856];

/// Latencies of this law, in milliseconds.
fn times(law: &str) -> Vec<f64> {
    let scenario = scenario(&format!("[[acquirer]]\nname = \"a\"\nlatency = {law}"));
    let latency = scenario.acquirers[0].latency.clone().unwrap();
    let draws = Draws::new(42, 1);
    let drawn = |draw_key| {
        let key = DrawKey { acquirer: "a", draw_key, operation: "authorize", number: 1, attempt: 1 };
        latency.draw_us(&draws.draw(&key)) as f64 / 1_000.0
    };
    (0..TIMES).map(drawn).collect()
}

/// Asserts that a sample follows one distribution function, and that it would be seen not to follow another.
fn assert_times(sample: Vec<f64>, law: impl Fn(f64) -> f64, one_point_off: impl Fn(f64) -> f64) {
    let distance = kolmogorov_smirnov(sample.clone(), law);
    assert!(distance < KS_BOUND, "the law is not followed: {distance}");
    let distance = kolmogorov_smirnov(sample, one_point_off);
    assert!(distance > KS_BOUND, "one point off passes: {distance}");
}

fn chi_squared(counts: &[u64], shares: &[f64]) -> f64 {
    let total = counts.iter().sum::<u64>() as f64;
    let term = |(count, share): (&u64, &f64)| (*count as f64 - total * share).powi(2) / (total * share);
    counts.iter().zip(shares).map(term).sum()
}

/// Asserts that counts follow these shares, and that they would be seen not to follow the same with a percentage point more for the
/// first and less for the last.
pub(super) fn assert_shares(counts: &[u64], shares: &[f64]) {
    assert_eq!(counts.len(), shares.len());
    let bound = CHI_SQUARED_BOUNDS[counts.len() - 2];
    let distance = chi_squared(counts, shares);
    assert!(distance < bound, "{counts:?} do not follow {shares:?}: {distance}");
    let mut off = shares.to_vec();
    off[0] += 0.01;
    *off.last_mut().unwrap() -= 0.01;
    let distance = chi_squared(counts, &off);
    assert!(distance > bound, "{counts:?} pass for {off:?}: {distance}");
}

/// How often the answers of the world fall into each category.
pub(super) fn counts<const N: usize>(
    world: &World,
    category: impl Fn(&World, &Question<'_, Authorization>) -> usize,
) -> [u64; N] {
    let template = charge("visa");
    let mut counts = [0; N];
    for draw_key in 0..ANSWERS {
        counts[category(world, &Question { draw_key, ..template })] += 1;
    }
    counts
}

#[test]
fn a_fixed_latency_is_fixed() {
    assert!(times("{ fixed_ms = 7.5 }").iter().all(|ms| ms.to_bits() == 7.5_f64.to_bits()));
}

#[test]
fn uniform_latencies_follow_their_law() {
    let law = |from: f64| move |ms: f64| ((ms - from) / 60.0).clamp(0.0, 1.0);
    // A hundredth of the width is one point everywhere.
    assert_times(times("{ uniform_ms = [20, 80] }"), law(20.0), law(20.6));
}

#[test]
fn lognormal_latencies_follow_their_law() {
    let law = |median: f64| move |ms: f64| normal_cdf((ms / median).ln() / 0.5);
    // At the median the density of ln t is 0.798: 0.01253 more make one point less.
    let off = 120.0 * 0.012_53_f64.exp();
    assert_times(times("{ median_ms = 120, sigma = 0.5, max_ms = 600000 }"), law(120.0), law(off));
}

#[test]
fn latencies_by_percentiles_follow_them() {
    let law = |median: f64| {
        let points = [(10.0, 0.0), (50.0, median), (200.0, 0.9), (800.0, 0.99), (2_000.0, 1.0)];
        move |ms: f64| {
            let at = points.partition_point(|(point, _)| *point <= ms).clamp(1, points.len() - 1);
            let ((from, below), (to, above)) = (points[at - 1], points[at]);
            (below + (above - below) * (ms - from) / (to - from)).clamp(0.0, 1.0)
        }
    };
    let sample = times("{ percentiles_ms = { min = 10, p50 = 50, p90 = 200, p99 = 800, max = 2000 } }");
    assert_times(sample, law(0.5), law(0.51));
}

#[test]
fn lognormal_latencies_have_a_longest() {
    let sample = times("{ median_ms = 100, sigma = 1, max_ms = 150 }");
    assert!(sample.iter().all(|ms| *ms <= 150.0));
    assert!(sample.iter().any(|ms| ms.to_bits() == 150.0_f64.to_bits()));
}

#[test]
fn outcomes_come_in_their_shares() {
    let world = world(
        "[[acquirer]]\nname = \"a\"\noutcomes = [\n\
         { share = 0.05, decline = \"insufficient_funds\" },\n\
         { share = 0.03, decline = \"expired_card\" },\n\
         { share = 0.02, decline = \"generic_decline\" },\n\
         { share = 0.9, outcome = \"approved\" },\n]",
    );
    let counts: [u64; 4] = counts(&world, |world, asked| match world.authorize(asked).response {
        Response::Declined(Why::InsufficientFunds) => 0,
        Response::Declined(Why::ExpiredCard) => 1,
        Response::Declined(Why::GenericDecline) => 2,
        Response::Approved => 3,
        other => panic!("{other:?}"),
    });
    assert_shares(&counts, &[0.05, 0.03, 0.02, 0.9]);
}

#[test]
fn errors_come_in_their_shares_and_outcomes_share_the_rest() {
    let world = world(
        "[[acquirer]]\nname = \"a\"\n\
         errors = [\n{ share = 0.05, kind = \"timeout\" },\n{ share = 0.03, kind = \"refused\" },\n\
         { share = 0.02, kind = \"malformed\" },\n]\n\
         outcomes = [{ share = 0.2, decline = \"lost_card\" }]",
    );
    let counts: [u64; 5] = counts(&world, |world, asked| match world.authorize(asked).response {
        Response::TechnicalFailure(TechnicalError::Timeout) => 0,
        Response::TechnicalFailure(TechnicalError::Unavailable) => 1,
        Response::TechnicalFailure(TechnicalError::Malformed) => 2,
        Response::Declined(Why::LostCard) => 3,
        Response::Approved => 4,
        other => panic!("{other:?}"),
    });
    assert_shares(&counts, &[0.05, 0.03, 0.02, 0.9 * 0.2, 0.9 * 0.8]);
}

#[test]
fn acquirers_of_one_route_share_by_weight() {
    let world = world(
        "[[acquirer]]\nname = \"amex\"\nroute = { brand = \"amex\" }\n\
         [[acquirer]]\nname = \"big\"\nweight = 7\n\
         [[acquirer]]\nname = \"small\"\nweight = 2\n\
         [[acquirer]]\nname = \"tiny\"",
    );
    let counts: [u64; 3] = counts(&world, |world, asked| match world.route(asked).name() {
        "big" => 0,
        "small" => 1,
        "tiny" => 2,
        other => panic!("{other}"),
    });
    assert_shares(&counts, &[0.7, 0.2, 0.1]);
}

#[test]
fn shares_of_rules_are_of_what_the_rules_before_leave() {
    let world = world(
        "[[acquirer]]\nname = \"a\"\nlatency = { fixed_ms = 0 }\n\
         [[rule]]\nshare = 0.3\ndelay_ms = 1\n\
         [[rule]]\nshare = 0.5\ndelay_ms = 2\n\
         [[rule]]\nshare = 0.2\ndelay_ms = 3",
    );
    let counts: [u64; 4] = counts(&world, |world, asked| match world.authorize(asked).latency_us {
        1_000 => 0,
        2_000 => 1,
        3_000 => 2,
        _ => 3,
    });
    assert_shares(&counts, &[0.3, 0.35, 0.35 * 0.2, 0.35 * 0.8]);
}

#[test]
fn a_sequence_applies_to_all_attempts_of_its_share() {
    let world = world(
        "[[acquirer]]\nname = \"a\"\n\
         [[rule]]\nshare = 0.25\nsequence = [\"error:refused\", \"error:malformed\", \"approved\"]",
    );
    let counts: [u64; 2] = counts(&world, |world, asked| {
        let attempt = |attempt| world.authorize(&Question { attempt, ..*asked }).response;
        match [attempt(1), attempt(2), attempt(3)] {
            [
                Response::TechnicalFailure(TechnicalError::Unavailable),
                Response::TechnicalFailure(TechnicalError::Malformed),
                Response::Approved,
            ] => 0,
            [Response::Approved, Response::Approved, Response::Approved] => 1,
            other => panic!("{other:?}"),
        }
    });
    assert_shares(&counts, &[0.25, 0.75]);
}

#[test]
fn a_rule_without_a_sequence_is_drawn_for_each_attempt() {
    let world = world("[[acquirer]]\nname = \"a\"\n[[rule]]\nshare = 0.5\nerror = \"timeout\"");
    let counts: [u64; 4] = counts(&world, |world, asked| {
        let failed = |attempt| {
            let response = world.authorize(&Question { attempt, ..*asked }).response;
            usize::from(response != Response::Approved)
        };
        2 * failed(1) + failed(2)
    });
    assert_shares(&counts, &[0.25, 0.25, 0.25, 0.25]);
}

#[test]
fn what_takes_longer_than_the_timeout_is_one() {
    let world = world("[[acquirer]]\nname = \"a\"\nlatency = { uniform_ms = [0, 100] }\ntimeout_ms = 60");
    let counts: [u64; 2] = counts(&world, |world, asked| {
        let reply = world.authorize(asked);
        match reply.response {
            Response::TechnicalFailure(TechnicalError::Timeout) => {
                assert_eq!(reply.latency_us, 60_000);
                0
            }
            _ => {
                assert!(reply.latency_us <= 60_000, "{reply:?}");
                1
            }
        }
    });
    assert_shares(&counts, &[0.4, 0.6]);
}
