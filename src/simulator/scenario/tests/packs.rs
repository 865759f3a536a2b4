//! Rule packs do what they say, behind the rules of the file.

use super::{charge, scenario, world};
use crate::domain::command::{AuthorizationResponse as Response, FollowUpResponse};
use crate::domain::currency::Currency;
use crate::domain::decline::DeclineReason as Why;
use crate::domain::event::TechnicalError as Broken;
use crate::domain::money::Money;
use crate::domain::payment::FollowUp;
use crate::simulator::scenario::{Pack, Scenario};
use crate::simulator::tests::following;
use crate::simulator::{Authorization, Question, World};

const DECLINED: fn(Why) -> Response = Response::Declined;
const FAILED: fn(Broken) -> Response = Response::TechnicalFailure;

fn of(amount_minor: i64, currency: Currency) -> Question<'static, Authorization> {
    Question { amount: Money::new(amount_minor, currency), payment_minor: amount_minor, ..charge("visa") }
}

fn answer(world: &World, amount_minor: i64) -> Response {
    world.authorize(&of(amount_minor, Currency::EUR)).response
}

#[test]
fn every_pack_is_a_scenario_with_nothing_but_rules() {
    for pack in Pack::ALL {
        let read = Scenario::parse(pack.file().as_bytes()).unwrap_or_else(|errors| panic!("{errors}"));
        assert!(read.acquirers.is_empty() && read.windows.is_empty() && read.packs.is_empty());
        assert!(read.seed.is_none() && !read.failover && !read.description.is_empty());
        assert_eq!(read.rules.is_empty(), pack == Pack::MagicCards);
        assert_eq!(Pack::named(pack.name()), Some(pack));
        // What comes of it by its name is what is in the file.
        let by_name = scenario(&format!("packs = [\"{}\"]", pack.name()));
        assert!(by_name.rules.is_empty() && by_name.packs == [pack]);
        assert_eq!(by_name.rules, scenario("").rules.with_packs([read.rules.own()]));
    }
    assert_eq!(Pack::named("cent"), None);
}

#[test]
fn amounts_decide() {
    let world = world("packs = [\"amounts\"]");
    for (amount_minor, response) in [
        (1, Response::Approved),
        (199_999, Response::Approved),
        (200_000, DECLINED(Why::GenericDecline)),
        (200_100, DECLINED(Why::InsufficientFunds)),
        (200_399, DECLINED(Why::CardVelocityExceeded)),
        (200_450, DECLINED(Why::ExpiredCard)),
        (201_001, DECLINED(Why::IncorrectCvc)),
        (201_200, DECLINED(Why::LostCard)),
        (201_300, DECLINED(Why::StolenCard)),
        (201_400, DECLINED(Why::Fraudulent)),
        (299_999, DECLINED(Why::GenericDecline)),
        (300_000, FAILED(Broken::Unavailable)),
        (300_100, Response::Approved),
        (500_100, DECLINED(Why::ProcessingError)),
        (500_101, Response::Approved),
    ] {
        assert_eq!(answer(&world, amount_minor), response, "{amount_minor}");
    }
    assert!(matches!(answer(&world, 400_100), Response::ApprovedThen(_)));
    let capture = following(&of(400_100, Currency::EUR), FollowUp::Capture { amount_minor: 400_100 });
    assert_eq!(world.follow_up(&capture).response, FollowUpResponse::Declined(Why::ProcessingError));
}

#[test]
fn cents_are_response_codes() {
    let world = world("packs = [\"cents\"]");
    for (cents, response) in [
        (0, Response::Approved),
        (1, DECLINED(Why::GenericDecline)),
        (2, Response::Approved),
        (3, DECLINED(Why::ProcessingError)),
        (4, DECLINED(Why::GenericDecline)),
        (5, DECLINED(Why::GenericDecline)),
        (12, DECLINED(Why::ProcessingError)),
        (13, DECLINED(Why::ProcessingError)),
        (14, DECLINED(Why::ProcessingError)),
        (30, DECLINED(Why::ProcessingError)),
        (41, DECLINED(Why::LostCard)),
        (43, DECLINED(Why::StolenCard)),
        (51, DECLINED(Why::InsufficientFunds)),
        (54, DECLINED(Why::ExpiredCard)),
        (55, DECLINED(Why::IncorrectCvc)),
        (57, DECLINED(Why::GenericDecline)),
        (61, DECLINED(Why::CardVelocityExceeded)),
        (65, DECLINED(Why::CardVelocityExceeded)),
        (68, FAILED(Broken::Timeout)),
        (69, FAILED(Broken::Timeout)),
        (91, FAILED(Broken::Unavailable)),
        (94, Response::Approved),
        (96, FAILED(Broken::Malformed)),
        (99, Response::Approved),
    ] {
        assert_eq!(answer(&world, 1_000 + cents), response, "{cents}");
    }
    assert!(world.authorize(&of(1_094, Currency::EUR)).stray.is_some(), "it comes twice");
    // Of three decimals the first two count, of none the last two digits.
    for (amount_minor, code) in [(10_510, "kwd"), (1_051, "jpy")] {
        let question = of(amount_minor, code.parse().unwrap());
        assert_eq!(world.authorize(&question).response, DECLINED(Why::InsufficientFunds), "{code}");
    }
}

#[test]
fn names_of_holders_decide() {
    let world = world("packs = [\"holder-names\"]");
    let of = |holder| world.authorize(&Question { holder, ..charge("visa") });
    for (name, response) in [
        ("APPROVED", Response::Approved),
        ("DECLINED", DECLINED(Why::GenericDecline)),
        ("declined", DECLINED(Why::GenericDecline)),
        ("REFERRAL", DECLINED(Why::GenericDecline)),
        ("ERROR", FAILED(Broken::Malformed)),
        ("BLOCK_CARD", DECLINED(Why::StolenCard)),
        ("CARD_EXPIRED", DECLINED(Why::ExpiredCard)),
        ("INVALID_AMOUNT", DECLINED(Why::ProcessingError)),
        ("INVALID_CARD_NUMBER", DECLINED(Why::ProcessingError)),
        ("ISSUER_UNAVAILABLE", FAILED(Broken::Unavailable)),
        ("NOT_ENOUGH_BALANCE", DECLINED(Why::InsufficientFunds)),
        ("ACQUIRER_FRAUD", DECLINED(Why::Fraudulent)),
        ("CANCELLED", DECLINED(Why::GenericDecline)),
        ("Ada Declined", Response::Approved),
    ] {
        assert_eq!(of(Some(name)).response, response, "{name}");
    }
    assert_eq!(of(None).response, Response::Approved);
    let pending = of(Some("PENDING"));
    assert_eq!((pending.response, pending.latency_us), (Response::Approved, 10_000_000));
}

#[test]
fn the_rules_of_the_file_come_first_then_packs_in_their_order() {
    let own = "[[rule]]\nmatch = { amount_minor = 1051 }\ndecline = \"lost_card\"\n";
    let both = world(&format!("packs = [\"cents\", \"amounts\"]\n{own}"));
    assert_eq!(answer(&both, 1_051), DECLINED(Why::LostCard));
    assert_eq!(answer(&both, 1_151), DECLINED(Why::InsufficientFunds));
    assert_eq!(answer(&both, 200_041), DECLINED(Why::LostCard), "cents stand first");
    assert_eq!(answer(&world("packs = [\"amounts\", \"cents\"]"), 200_041), DECLINED(Why::GenericDecline));
}

#[test]
fn cards_that_decide_by_themselves_do_so_whatever_packs_say() {
    for packs in ["", "packs = [\"magic-cards\"]", "packs = [\"cents\", \"amounts\"]"] {
        let question =
            Question { amount: Money::new(1_051, Currency::EUR), ..charge("visa_chargeDeclinedLostCard") };
        assert_eq!(world(packs).authorize(&question).response, DECLINED(Why::LostCard), "{packs}");
    }
}
