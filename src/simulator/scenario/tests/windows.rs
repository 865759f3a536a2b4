//! Windows: when they are, what they change, and that nothing else changes.

use proptest::prelude::*;

use super::laws::{assert_shares, counts};
use super::{charge, world};
use crate::domain::command::AuthorizationResponse as Response;
use crate::domain::decline::DeclineReason as Why;
use crate::domain::event::TechnicalError;
use crate::domain::time::Timestamp;
use crate::simulator::scenario::Span;
use crate::simulator::{Authorization, Question, World};

/// One acquirer with some of everything.
const ACQUIRER: &str = "[[acquirer]]\nname = \"a\"\nlatency = { uniform_ms = [10, 90] }\ntimeout_ms = 80\n\
                        errors = [{ share = 0.1, kind = \"refused\" }]\n\
                        outcomes = [{ share = 0.2, decline = \"lost_card\" }]\n";

/// A charge whose attempt entered the queue when the scenario had been in force for so long.
fn after(ms: i64, draw_key: u64) -> Question<'static, Authorization> {
    let in_force_since = Timestamp::from_micros(1_700_000_000_000_000);
    let queued_at = Timestamp::from_micros(in_force_since.micros() + ms * 1_000);
    Question { in_force_since, queued_at, draw_key, ..charge("visa") }
}

fn latency_ms(world: &World, ms: i64) -> u64 {
    world.authorize(&after(ms, 1)).latency_us / 1_000
}

/// One acquirer that takes 100 ms, with this window from 10 s to 20 s.
fn at_ten(window: &str) -> World {
    world(&format!(
        "[[acquirer]]\nname = \"a\"\nlatency = {{ fixed_ms = 100 }}\n\
         [[window]]\nfrom = \"10s\"\nfor = \"10s\"\n{window}"
    ))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_time_is_in_a_window_if_some_recurrence_of_it_is_there(
        from_us in 0..50_u64,
        for_us in 1..30_u64,
        pause_us in prop::option::of(0..30_u64),
        at_us in 0..400_u64,
    ) {
        let every_us = pause_us.map(|pause_us| for_us + pause_us);
        let passed = Span { from_us, for_us, every_us }.passed(at_us);
        // In other words: look at each recurrence.
        let starts = (0..400_u64).map_while(|n| match (n, every_us) {
            (0, _) => Some(from_us),
            (n, Some(every_us)) => Some(from_us + n * every_us),
            (_, None) => None,
        });
        let held = starts.filter(|start| (*start..start + for_us).contains(&at_us)).last();
        prop_assert_eq!(passed.is_some(), held.is_some());
        if let Some((passed, start)) = passed.zip(held) {
            prop_assert!((passed - (at_us - start) as f64 / for_us as f64).abs() < 1e-12);
        }
    }

    #[test]
    fn outside_of_its_windows_a_scenario_is_as_without_them(draw_key in any::<u64>(), ms in 0..100_000_i64) {
        let windows = "[[window]]\nfrom = \"20s\"\nfor = \"5s\"\nevery = \"30s\"\nlatency_factor = 3\n\
                       errors = [{ share = 1, kind = \"timeout\" }]\n\
                       [[window]]\nfrom = \"0s\"\nfor = \"100s\"\ndelay_ms = 900\nmatch = { currency = \"jpy\" }\n";
        let (plain, timed) = (world(ACQUIRER), world(&format!("{ACQUIRER}{windows}")));
        let asked = after(ms, draw_key);
        let inside = ms >= 20_000 && (ms - 20_000) % 30_000 < 5_000;
        if inside {
            prop_assert_eq!(timed.authorize(&asked).response, Response::TechnicalFailure(TechnicalError::Timeout));
        } else {
            prop_assert_eq!(timed.authorize(&asked), plain.authorize(&asked));
        }
    }
}

#[test]
fn the_beginning_is_within_and_the_end_is_not() {
    let world = at_ten("delay_ms = 7");
    let latencies = [9_999, 10_000, 19_999, 20_000, 40_000].map(|ms| latency_ms(&world, ms));
    assert_eq!(latencies, [100, 107, 107, 100, 100]);
    // What was in the queue before the scenario came into force is taken for its beginning.
    assert_eq!(latency_ms(&world, -5_000), 100);
}

#[test]
fn a_factor_is_in_force_at_once_or_grows_from_one() {
    let at_once = at_ten("latency_factor = 5");
    assert_eq!([10_000, 15_000, 19_999].map(|ms| latency_ms(&at_once, ms)), [500, 500, 500]);
    let growing = at_ten("latency_factor = 5\nramp = true");
    assert_eq!([10_000, 12_500, 15_000, 17_500].map(|ms| latency_ms(&growing, ms)), [100, 200, 300, 400]);
    let falling = at_ten("latency_factor = 0\nramp = true");
    assert_eq!([10_000, 15_000, 19_000].map(|ms| latency_ms(&falling, ms)), [100, 50, 10]);
}

#[test]
fn each_thing_can_be_changed() {
    for (window, latency_ms, response) in [
        ("delay_ms = 50", 150, Response::Approved),
        ("latency = { fixed_ms = 9 }", 9, Response::Approved),
        ("timeout_ms = 30", 30, Response::TechnicalFailure(TechnicalError::Timeout)),
        ("outcomes = [{ share = 1, decline = \"lost_card\" }]", 100, Response::Declined(Why::LostCard)),
        (
            "errors = [{ share = 1, kind = \"refused\" }]",
            100,
            Response::TechnicalFailure(TechnicalError::Unavailable),
        ),
        ("latency_factor = 2\ndelay_ms = 1", 201, Response::Approved),
    ] {
        let reply = at_ten(window).authorize(&after(10_000, 1));
        assert_eq!((reply.latency_us / 1_000, reply.response), (latency_ms, response), "{window}");
    }
}

#[test]
fn of_two_windows_the_later_in_the_file_counts_for_what_both_change() {
    let world =
        at_ten("delay_ms = 50\nlatency_factor = 2\n[[window]]\nfrom = \"15s\"\nfor = \"10s\"\ndelay_ms = 1");
    assert_eq!([12_000, 15_000, 20_000, 25_000].map(|ms| latency_ms(&world, ms)), [250, 201, 101, 100]);
}

#[test]
fn a_window_is_about_the_acquirers_and_questions_that_it_names() {
    let two = "[[acquirer]]\nname = \"amex\"\nroute = { brand = \"amex\" }\nlatency = { fixed_ms = 1 }\n\
               [[acquirer]]\nname = \"rest\"\nlatency = { fixed_ms = 1 }\n";
    let at = |window: &str, token: &str| {
        let window = format!("[[window]]\nfrom = \"0s\"\nfor = \"1h\"\ndelay_ms = 6\n{window}");
        let asked = Question { instrument: charge(token).instrument, ..after(0, 1) };
        world(&format!("{two}{window}")).authorize(&asked).latency_us / 1_000
    };
    assert_eq!([at("", "visa"), at("", "amex")], [7, 7]);
    assert_eq!([at("acquirer = \"amex\"", "visa"), at("acquirer = \"amex\"", "amex")], [1, 7]);
    assert_eq!(at("acquirer = [\"rest\", \"amex\"]", "visa"), 7);
    let germans = "match = { country = \"DE\" }";
    assert_eq!([at(germans, "visa"), at(germans, "de")], [1, 7]);
    let others = "not = { country = \"DE\" }";
    assert_eq!([at(others, "visa"), at(others, "de")], [7, 1]);
    // That of the settings too, where the scenario has none.
    let window = "[[window]]\nfrom = \"0s\"\nfor = \"1h\"\ndelay_ms = 6\n";
    assert_eq!(world(window).authorize(&after(0, 1)).latency_us, 6_000);
}

#[test]
fn in_an_outage_nearly_every_attempt_fails_and_outside_nearly_none() {
    let world = world(
        "[[acquirer]]\nname = \"a\"\nerrors = [{ share = 0.005, kind = \"malformed\" }]\n\
         [[window]]\nfrom = \"20s\"\nfor = \"20s\"\n\
         errors = [{ share = 0.7, kind = \"refused\" }, { share = 0.295, kind = \"timeout\" }]",
    );
    let failed = |ms: i64| {
        let failed = (0..20_000).filter(|draw_key| {
            matches!(world.authorize(&after(ms, *draw_key)).response, Response::TechnicalFailure(_))
        });
        failed.count() as f64 / 20_000.0
    };
    assert!([20_000, 30_000, 39_999].iter().all(|ms| failed(*ms) >= 0.99));
    assert!([0, 19_999, 40_000].iter().all(|ms| failed(*ms) <= 0.01));
}

#[test]
fn shares_in_a_window_are_its_own() {
    let world = world(&format!(
        "{ACQUIRER}[[window]]\nfrom = \"10s\"\nfor = \"10s\"\nlatency = {{ fixed_ms = 1 }}\n\
         errors = [{{ share = 0.3, kind = \"malformed\" }}]\n\
         outcomes = [{{ share = 0.5, decline = \"stolen_card\" }}]"
    ));
    let counts: [u64; 3] =
        counts(&world, |world, asked| match world.authorize(&after(10_000, asked.draw_key)).response {
            Response::TechnicalFailure(TechnicalError::Malformed) => 0,
            Response::Declined(Why::StolenCard) => 1,
            Response::Approved => 2,
            other => panic!("{other:?}"),
        });
    assert_shares(&counts, &[0.3, 0.35, 0.35]);
}
