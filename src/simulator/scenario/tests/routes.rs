//! Which acquirer takes a payment, and what it makes of it.

use super::{charge, scenario, world};
use crate::domain::bank_account::BankAccount;
use crate::domain::command::{AuthorizationResponse as Response, FollowUpResponse};
use crate::domain::currency::Currency;
use crate::domain::decline::DeclineReason as Why;
use crate::domain::event::TechnicalError;
use crate::domain::ids::AccountId;
use crate::domain::money::Money;
use crate::domain::payment::FollowUp;
use crate::domain::submission::Kind;
use crate::simulator::tests::following;
use crate::simulator::{Authorization, Question, Reply, SimulatorSettings, World};

const AMEX_AND_TWO: &str = "[[acquirer]]\nname = \"amex\"\nroute = { brand = \"amex\" }\n\
                            [[acquirer]]\nname = \"large\"\nroute = { amount_minor = { min = 10000 } }\n\
                            [[acquirer]]\nname = \"one\"\n[[acquirer]]\nname = \"two\"\n";

fn of_amount(minor: i64) -> Question<'static, Authorization> {
    Question { amount: Money::new(minor, Currency::EUR), payment_minor: minor, ..charge("visa") }
}

fn payout() -> Question<'static, Authorization> {
    Question { kind: Kind::Payout { bank: BankAccount::Closed }, instrument: None, ..charge("visa") }
}

#[test]
fn the_first_route_that_holds_takes_it_all() {
    let world = world(AMEX_AND_TWO);
    for draw_key in 0..100 {
        let name =
            |asked: Question<'static, Authorization>| world.route(&Question { draw_key, ..asked }).name();
        assert_eq!(name(charge("amex")), "amex");
        assert_eq!(name(of_amount(10_000)), "large");
        assert!(["one", "two"].contains(&name(of_amount(9_999))));
    }
}

#[test]
fn a_route_by_each_condition() {
    for (route, taken, left) in [
        (
            "currency = \"eur\"",
            charge("visa"),
            Question { amount: Money::new(1_250, "usd".parse().unwrap()), ..charge("visa") },
        ),
        ("country = [\"DE\", \"FR\"]", charge("de"), charge("it")),
        ("brand = [\"visa\", \"jcb\"]", charge("jcb"), charge("mastercard")),
        ("kind = \"topup\"", Question { kind: Kind::TopUp, ..charge("visa") }, charge("visa")),
        ("kind = \"payout\"", payout(), charge("visa")),
        ("amount_minor = 500", of_amount(500), of_amount(501)),
    ] {
        let world = world(&format!("[[acquirer]]\nname = \"a\"\nroute = {{ {route} }}"));
        assert_eq!(world.route(&taken).name(), "a", "{route}");
        assert_ne!(world.route(&left).name(), "a", "{route}");
    }
}

#[test]
fn whoever_authorized_a_payment_answers_all_that_follows() {
    let world = world(AMEX_AND_TWO);
    for draw_key in 0..200 {
        let authorized = Question { draw_key, ..of_amount(9_000 + 10 * i64::try_from(draw_key).unwrap()) };
        let name = world.route(&authorized).name();
        // A part of a large amount is small, but the same payment's.
        let mut capture = following(&authorized, FollowUp::Capture { amount_minor: 5 });
        capture.amount.amount_minor = 5;
        assert_eq!(world.route(&capture).name(), name);
        assert_eq!(world.route(&Question { attempt: 3, ..authorized }).name(), name);
    }
}

#[test]
fn what_no_acquirer_takes_goes_to_those_of_the_settings() {
    let world = world("[[acquirer]]\nname = \"a\"\noutcomes = [{ share = 1, decline = \"lost_card\" }]");
    assert_eq!(world.authorize(&charge("visa")).response, Response::Declined(Why::LostCard));
    assert_eq!(world.route(&payout()).name(), "bank");
    assert!(matches!(world.authorize(&payout()).response, Response::Pending { .. }));
    let transfer = Question {
        kind: Kind::Transfer { payee: AccountId::from_bytes([2; 16]) },
        instrument: None,
        ..charge("visa")
    };
    assert_eq!(world.route(&transfer).name(), "internal");
}

#[test]
fn an_acquirer_of_payouts_accepts_declines_and_fails() {
    let of = |text: &str| {
        let acquirer =
            "[[acquirer]]\nname = \"bank\"\nlatency = { fixed_ms = 5 }\nroute = { kind = \"payout\" }";
        world(&format!("{acquirer}\n{text}")).authorize(&payout())
    };
    let accepted = Response::Pending { settles_after_ms: SimulatorSettings::default().payout_settle_ms };
    assert_eq!(of(""), Reply::once(5_000, accepted));
    let declined = of("outcomes = [{ share = 1, decline = \"account_closed\" }]");
    assert_eq!(declined.response, Response::Declined(Why::AccountClosed));
    let failed = of("errors = [{ share = 1, kind = \"refused\" }]");
    assert_eq!(failed.response, Response::TechnicalFailure(TechnicalError::Unavailable));
}

#[test]
fn outcomes_are_of_authorizations_and_errors_of_everything() {
    let capture = following(&charge("visa"), FollowUp::Capture { amount_minor: 5 });
    let declining = world("[[acquirer]]\nname = \"a\"\noutcomes = [{ share = 1, decline = \"lost_card\" }]");
    assert_eq!(declining.follow_up(&capture).response, FollowUpResponse::Approved);
    let failing = world("[[acquirer]]\nname = \"a\"\nerrors = [{ share = 1, kind = \"malformed\" }]");
    let malformed = FollowUpResponse::TechnicalFailure(TechnicalError::Malformed);
    assert_eq!(failing.follow_up(&capture).response, malformed);
}

#[test]
fn magic_cards_decide_before_outcomes_errors_and_timeouts() {
    let world = world(
        "[[acquirer]]\nname = \"a\"\nlatency = { fixed_ms = 80 }\ntimeout_ms = 50\n\
         errors = [{ share = 1, kind = \"refused\" }]",
    );
    let declined = Response::Declined(Why::InsufficientFunds);
    let reply = world.authorize(&charge("chargeDeclinedInsufficientFunds"));
    assert_eq!(reply, Reply::once(50_000, declined));
    assert_eq!(world.authorize(&charge("authenticationRequired")).response, Response::ActionRequired);
    // The issuer is not asked.
    assert_eq!(world.authorize(&charge("chargeDeclinedFraudulent")).latency_us, 0);
    // A card without a behaviour of its own.
    let timeout = Response::TechnicalFailure(TechnicalError::Timeout);
    assert_eq!(world.authorize(&charge("visa")), Reply::once(50_000, timeout));
}

#[test]
fn a_timeout_takes_as_long_as_is_waited() {
    let of = |text: &str| {
        world(&format!("[[acquirer]]\nname = \"a\"\nlatency = {{ fixed_ms = 10 }}\n{text}"))
            .authorize(&charge("visa"))
    };
    let errors = "errors = [{ share = 1, kind = \"timeout\" }]";
    let response = Response::TechnicalFailure(TechnicalError::Timeout);
    assert_eq!(of(errors), Reply::once(10_000, response));
    assert_eq!(of(&format!("timeout_ms = 300\n{errors}")), Reply::once(300_000, response));
    assert_eq!(of("timeout_ms = 300").response, Response::Approved);
}

#[test]
fn the_seed_is_the_scenarios_else_that_of_the_settings() {
    let text = "[[acquirer]]\nname = \"a\"\nlatency = { uniform_ms = [0, 1000] }";
    let latency = |text: &str, seed| {
        let settings = SimulatorSettings { seed, ..SimulatorSettings::default() };
        World::with_scenario(&settings, &scenario(text)).authorize(&charge("visa")).latency_us
    };
    assert_ne!(latency(text, 1), latency(text, 2));
    let seeded = format!("seed = 1\n{text}");
    assert_eq!(latency(&seeded, 2), latency(text, 1));
    assert_eq!(latency(&seeded, 3), latency(text, 1));
}

#[test]
fn a_scenario_with_nothing_in_it_changes_nothing() {
    let settings = SimulatorSettings { technical_error_rate: 0.3, ..SimulatorSettings::default() };
    let (plain, empty) = (World::new(&settings), World::with_scenario(&settings, &scenario("")));
    for draw_key in 0..1_000 {
        let asked = Question { draw_key, ..charge("visa") };
        assert_eq!(plain.authorize(&asked), empty.authorize(&asked));
        let capture = following(&asked, FollowUp::Capture { amount_minor: 5 });
        assert_eq!(plain.follow_up(&capture), empty.follow_up(&capture));
    }
}
