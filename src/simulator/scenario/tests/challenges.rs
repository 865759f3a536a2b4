//! 3-D Secure by share and by rule: nobody is challenged twice, and whatever else is asked for comes after it.

use super::{charge, world};
use crate::domain::command::{AuthorizationResponse as Response, FollowUpResponse};
use crate::domain::decline::DeclineReason as Why;
use crate::domain::instrument::{Instrument, Presented, PresentedCard};
use crate::domain::payment::FollowUp;
use crate::simulator::tests::following;
use crate::simulator::{Authorization, Question, World};

/// The questions of so many payments, before or after 3-D Secure.
fn charges(count: u64, authenticated: bool) -> impl Iterator<Item = Question<'static, Authorization>> {
    let number = if authenticated { 2 } else { 1 };
    let operation = Authorization { authenticated };
    (0..count).map(move |draw_key| Question { draw_key, number, operation, ..charge("visa") })
}

fn percent(world: &World, authenticated: bool, response: Response) -> f64 {
    let hits = charges(20_000, authenticated).filter(|charge| world.authorize(charge).response == response);
    hits.count() as f64 / 200.0
}

#[test]
fn a_rule_challenges_its_share_and_leaves_the_rest_to_what_comes_after() {
    let world = world(
        "[[rule]]\nshare = 0.2\noutcome = \"action_required\"\n[[rule]]\nshare = 0.5\ndecline = \"lost_card\"\n",
    );
    let challenged = percent(&world, false, Response::ActionRequired);
    assert!((19.0..21.0).contains(&challenged), "{challenged}");
    let declined = percent(&world, false, Response::Declined(Why::LostCard));
    assert!((39.0..41.0).contains(&declined), "half of the rest: {declined}");
    assert!(percent(&world, true, Response::ActionRequired) == 0.0, "once is enough");
    let declined = percent(&world, true, Response::Declined(Why::LostCard));
    assert!((49.0..51.0).contains(&declined), "half of all who authenticated: {declined}");
}

#[test]
fn an_acquirer_challenges_its_share() {
    let world = world(
        "[[acquirer]]\nname = \"a\"\noutcomes = [{ share = 0.3, outcome = \"action_required\" }, { share = 0.1, decline = \"lost_card\" }]\n",
    );
    let challenged = percent(&world, false, Response::ActionRequired);
    assert!((29.0..31.0).contains(&challenged), "{challenged}");
    assert!(percent(&world, true, Response::ActionRequired) == 0.0);
    let approved = percent(&world, true, Response::Approved);
    assert!((89.0..91.0).contains(&approved), "{approved}");
}

#[test]
fn a_payment_may_ask_for_a_challenge_and_is_asked_once() {
    let metadata = [("paystorm_outcome".to_owned(), "action_required".to_owned())];
    let world = world("[[rule]]\ndecline = \"lost_card\"\n");
    let answer = |authenticated| {
        let operation = Authorization { authenticated };
        world.authorize(&Question { metadata: &metadata, operation, ..charge("visa") }).response
    };
    assert_eq!(answer(false), Response::ActionRequired);
    assert_eq!(answer(true), Response::Declined(Why::LostCard), "then the rest of the scenario decides");
}

#[test]
fn nobody_is_challenged_who_is_not_there() {
    let world = world("[[rule]]\noutcome = \"action_required\"\n");
    let mut question = charge("visa");
    let Some(Instrument::Card(PresentedCard { card, presented })) = question.instrument else { panic!() };
    for flag in [Presented::OFF_SESSION, Presented::NO_ACTION] {
        let presented = presented.with(flag);
        question.instrument = Some(Instrument::Card(PresentedCard { card, presented }));
        assert_eq!(world.authorize(&question).response, Response::Declined(Why::AuthenticationRequired));
    }
    let capture = following(&charge("visa"), FollowUp::Capture { amount_minor: 1 });
    assert_eq!(world.follow_up(&capture).response, FollowUpResponse::Approved);
}

#[test]
fn a_sequence_may_end_in_a_challenge() {
    let world = world("[[rule]]\nsequence = [\"error:timeout\", \"action_required\"]\n");
    let attempt = |attempt, authenticated| {
        let operation = Authorization { authenticated };
        world.authorize(&Question { attempt, operation, ..charge("visa") }).response
    };
    assert!(matches!(attempt(1, false), Response::TechnicalFailure(_)));
    assert_eq!(attempt(2, false), Response::ActionRequired);
    assert_eq!(attempt(1, true), Response::Approved);
}
