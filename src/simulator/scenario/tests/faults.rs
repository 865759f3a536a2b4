//! Late and duplicate answers, and outcomes that a payment asks for itself.

use super::{charge, world};
use crate::domain::command::{AuthorizationResponse as Response, FollowUpResponse};
use crate::domain::decline::DeclineReason as Why;
use crate::domain::event::TechnicalError;
use crate::domain::forced::FORCED_KEY;
use crate::domain::payment::FollowUp;
use crate::simulator::tests::following;
use crate::simulator::{Authorization, Question, Reply, Stray, World};

const TIMEOUT: Response = Response::TechnicalFailure(TechnicalError::Timeout);

fn acquirer(more: &str) -> World {
    world(&format!("[[acquirer]]\nname = \"a\"\nlatency = {{ fixed_ms = 20 }}\n{more}"))
}

fn faulty(kind: &str, more: &str) -> World {
    acquirer(&format!("errors = [{{ share = 1, kind = \"{kind}\" }}]\n{more}"))
}

#[test]
fn a_late_answer_is_a_timeout_and_comes_all_the_same() {
    let stray = |response| Some(Stray { after_us: 20_000, response });
    let of = |more: &str| faulty("late", more).authorize(&charge("visa"));
    assert_eq!(of(""), Reply { latency_us: 20_000, response: TIMEOUT, stray: stray(Response::Approved) });
    let declined = "timeout_ms = 300\noutcomes = [{ share = 1, decline = \"lost_card\" }]";
    let declines = stray(Response::Declined(Why::LostCard));
    assert_eq!(of(declined), Reply { latency_us: 300_000, response: TIMEOUT, stray: declines });
    let capture = following(&charge("visa"), FollowUp::Void);
    let reply = faulty("late", "").follow_up(&capture);
    assert_eq!(reply.stray.map(|stray| stray.response), Some(FollowUpResponse::Approved));
}

#[test]
fn a_duplicate_answer_is_the_real_one_twice() {
    let of = |more: &str| faulty("duplicate", more).authorize(&charge("visa"));
    let twice =
        |response| Reply { latency_us: 20_000, response, stray: Some(Stray { after_us: 20_000, response }) };
    assert_eq!(of(""), twice(Response::Approved));
    let declined = of("outcomes = [{ share = 1, decline = \"lost_card\" }]");
    assert_eq!(declined, twice(Response::Declined(Why::LostCard)));
    assert_eq!(of("timeout_ms = 10"), Reply::once(10_000, TIMEOUT), "nobody waited for the first");
}

#[test]
fn rules_make_answers_late_and_duplicate() {
    let late = acquirer("[[rule]]\nsequence = [\"error:late\", \"error:duplicate\"]");
    let of = |attempt| late.authorize(&Question { attempt, ..charge("visa") });
    assert_eq!((of(1).response, of(1).stray.is_some()), (TIMEOUT, true));
    assert_eq!((of(2).response, of(2).stray.is_some()), (Response::Approved, true));
    let twice =
        acquirer("[[rule]]\nmatch = { card = \"pm_card_chargeDeclinedLostCard\" }\nerror = \"duplicate\"");
    let reply = twice.authorize(&charge("chargeDeclinedLostCard"));
    let response = Response::Declined(Why::LostCard);
    assert_eq!((reply.response, reply.stray.map(|stray| stray.response)), (response, Some(response)));
}

#[test]
fn what_strays_before_a_failover_comes_after_its_end() {
    let of = |ms: u32| {
        world(&format!(
            "failover = true\n[[acquirer]]\nname = \"late\"\nroute = {{ brand = \"visa\" }}\n\
             latency = {{ fixed_ms = 20 }}\nerrors = [{{ share = 1, kind = \"late\" }}]\n\
             [[acquirer]]\nname = \"next\"\nlatency = {{ fixed_ms = {ms} }}"
        ))
        .authorize(&charge("visa"))
    };
    let stray = |after_us| Some(Stray { after_us, response: Response::Approved });
    assert_eq!(of(5), Reply { latency_us: 25_000, response: Response::Approved, stray: stray(15_000) });
    assert_eq!(of(50), Reply { latency_us: 70_000, response: Response::Approved, stray: stray(0) });
}

/// What a world answers a question whose payment asks for an outcome.
fn forced(world: &World, outcome: &str, asked: Question<'static, Authorization>) -> Reply<Response> {
    let metadata = [("order".to_owned(), "7".to_owned()), (FORCED_KEY.to_owned(), outcome.to_owned())];
    world.authorize(&Question { metadata: &metadata, ..asked })
}

#[test]
fn what_a_payment_asks_for_comes_before_cards_and_rules() {
    let world = acquirer("[[rule]]\ndelay_ms = 3\ndecline = \"stolen_card\"");
    let declined = |reason| Reply::once(23_000, Response::Declined(reason));
    assert_eq!(world.authorize(&charge("visa")), declined(Why::StolenCard));
    assert_eq!(forced(&world, "approved", charge("visa")), Reply::once(23_000, Response::Approved));
    assert_eq!(forced(&world, "decline:expired_card", charge("visa")), declined(Why::ExpiredCard));
    for token in ["chargeDeclined", "chargeDeclinedFraudulent", "authenticationRequired"] {
        assert_eq!(forced(&world, "approved", charge(token)).response, Response::Approved, "{token}");
    }
    assert_eq!(forced(&world, "what?", charge("visa")), declined(Why::StolenCard), "asks for nothing");
    let late = forced(&world, "error:late", charge("chargeDeclined"));
    let real = Response::Declined(Why::GenericDecline);
    assert_eq!((late.response, late.stray.map(|stray| stray.response)), (TIMEOUT, Some(real)));
}

#[test]
fn what_a_payment_asks_for_goes_by_attempts() {
    let world = acquirer("");
    let of = |attempt| {
        forced(&world, "error:timeout,error:malformed,approved", Question { attempt, ..charge("visa") })
            .response
    };
    assert_eq!(of(1), TIMEOUT);
    assert_eq!(of(2), Response::TechnicalFailure(TechnicalError::Malformed));
    assert_eq!([of(3), of(9)], [Response::Approved; 2]);
}
