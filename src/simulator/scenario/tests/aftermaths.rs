//! What follows approvals: only approvals, only where a rule says so, and without changing any draw.

use proptest::prelude::*;

use super::{charge, scenario, world};
use crate::domain::aftermath::{Aftermath, Follows, Later, RefundCourse};
use crate::domain::command::{AuthorizationResponse as Response, FollowUpResponse};
use crate::domain::decline::DeclineReason;
use crate::domain::dispute::DisputeReason;
use crate::domain::ids::RefundId;
use crate::domain::payment::FollowUp;
use crate::simulator::scenario::Scenario;
use crate::simulator::tests::following;
use crate::simulator::{Question, SimulatorSettings, World};

const DISPUTED: Later = Later::Money(Follows::Dispute(DisputeReason::ProductNotReceived));

fn then(later: Later, after_ms: u64) -> Aftermath {
    Aftermath { later, after_ms }
}

#[test]
fn an_approval_is_followed_by_what_its_rule_says() {
    let money = |follows| Later::Money(follows);
    for (text, expected) in [
        ("{ dispute = \"product_not_received\", after = \"2h\" }", then(DISPUTED, 7_200_000)),
        ("{ dispute = \"product_not_received\" }", then(DISPUTED, 1_000)),
        ("{ inquiry = \"general\" }", then(money(Follows::Inquiry(DisputeReason::General)), 1_000)),
        ("{ early_fraud_warning = true, after = \"1m\" }", then(money(Follows::FraudWarning), 60_000)),
        (
            "{ late_failure = \"insufficient_funds\", after = \"1h\" }",
            then(money(Follows::Failure(DisputeReason::InsufficientFunds)), 3_600_000),
        ),
    ] {
        let world = world(&format!("[[rule]]\nthen = {text}\n"));
        assert_eq!(world.authorize(&charge("visa")).response, Response::ApprovedThen(expected), "{text}");
        let capture = following(&charge("visa"), FollowUp::Capture { amount_minor: 1 });
        assert_eq!(world.follow_up(&capture).response, FollowUpResponse::ApprovedThen(expected));
    }
    for (text, course) in [
        ("{ refund = \"pending\" }", RefundCourse::Arrives),
        ("{ refund = \"pending_then_fails\" }", RefundCourse::Fails),
        ("{ refund = \"comes_back\" }", RefundCourse::ComesBack),
    ] {
        let world = world(&format!("[[rule]]\nmatch = {{ operation = \"refund\" }}\nthen = {text}\n"));
        let refund = FollowUp::Refund { refund: RefundId::from_bytes([1; 16]), amount_minor: 1 };
        let response = world.follow_up(&following(&charge("visa"), refund)).response;
        assert_eq!(response, FollowUpResponse::ApprovedThen(then(Later::Refund(course), 5_000)));
        assert_eq!(world.authorize(&charge("visa")).response, Response::Approved);
    }
}

#[test]
fn nothing_follows_what_is_not_approved() {
    let rule = "[[rule]]\nshare = 0.5\nthen = { dispute = \"product_not_received\" }\n";
    let acquirer = "[[acquirer]]\nname = \"a\"\noutcomes = [{ share = 0.4, decline = \"lost_card\" }]\n";
    let world = world(&format!("{acquirer}{rule}"));
    let responses: Vec<Response> = (0..20_000)
        .map(|draw_key| world.authorize(&Question { draw_key, ..charge("visa") }).response)
        .collect();
    let percent =
        |wanted: Response| responses.iter().filter(|response| **response == wanted).count() as f64 / 200.0;
    let declined = percent(Response::Declined(DeclineReason::LostCard));
    assert!((39.0..41.0).contains(&declined), "{declined}");
    let disputed = percent(Response::ApprovedThen(then(DISPUTED, 1_000)));
    assert!((29.0..31.0).contains(&disputed), "{disputed}");
}

#[test]
fn it_goes_with_an_answer_and_a_delay() {
    let world = world(
        "[[rule]]\ndelay_ms = 5\nsequence = [\"error:timeout\", \"approved\"]\nthen = { dispute = \"product_not_received\" }\n",
    );
    let attempt = |attempt| world.authorize(&Question { attempt, ..charge("visa") });
    assert!(matches!(attempt(1).response, Response::TechnicalFailure(_)));
    assert_eq!(attempt(2).response, Response::ApprovedThen(then(DISPUTED, 1_000)));
    assert_eq!(attempt(2).latency_us, 5_000);
}

/// A scenario with shares of everything.
const SHARES: &str = "[[acquirer]]\nname = \"a\"\nlatency = { uniform_ms = [1, 900] }\ntimeout_ms = 800\n\
    errors = [{ share = 0.2, kind = \"refused\" }, { share = 0.1, kind = \"late\" }]\n\
    outcomes = [{ share = 0.3, decline = \"lost_card\" }, { share = 0.1, outcome = \"action_required\" }]\n";
const DRAWING: &str = "[[rule]]\nshare = 0.4\ndecline = \"expired_card\"\n";

proptest! {
    #[test]
    fn a_rule_that_does_not_match_changes_no_draw(draw_key: u64, attempt in 1_u16..5, authenticated: bool, which in 0_usize..5) {
        let unmatched = [
            "[[rule]]\nmatch = { holder = \"Nobody\" }\nshare = 0.5\ndecline = \"stolen_card\"\n",
            "[[rule]]\nmatch = { cents = 99 }\nshare = 0.5\noutcome = \"action_required\"\n",
            "[[rule]]\nmatch = { operation = \"refund\" }\nshare = 0.5\nthen = { refund = \"pending\" }\n",
            "[[rule]]\nmatch = { email = \"x@*\" }\nshare = 0.5\nthen = { dispute = \"general\" }\n",
            "[[rule]]\nmatch = { method = \"bank_account\" }\nshare = 0.5\nsequence = [\"error:timeout\", \"approved\"]\n",
        ];
        let question = Question {
            draw_key,
            attempt,
            operation: crate::simulator::Authorization { authenticated },
            ..charge("visa")
        };
        let of = |text: &str| World::with_scenario(&SimulatorSettings::default(), &scenario(text)).authorize(&question);
        let expected = of(&format!("{SHARES}{DRAWING}"));
        prop_assert_eq!(of(&format!("{SHARES}{}{DRAWING}", unmatched[which])), expected);
        let packs = "packs = [\"amounts\", \"cents\", \"holder-names\", \"magic-cards\"]\n";
        prop_assert_eq!(of(&format!("{packs}{SHARES}{DRAWING}")), expected, "12.50 is no code");
    }
}

#[test]
fn a_scenario_is_read_in_the_same_way_each_time() {
    let text = "name = \"t\"\npacks = [\"cents\"]\n[[rule]]\nthen = { dispute = \"general\" }\n";
    let (one, other) = (Scenario::parse(text.as_bytes()).unwrap(), Scenario::parse(text.as_bytes()).unwrap());
    assert_eq!(one.rules, other.rules);
}
