//! Conditions on cardholders and on what is paid with.

use super::{charge, world};
use crate::domain::command::AuthorizationResponse as Response;
use crate::domain::decline::DeclineReason;
use crate::domain::holder::Holder;
use crate::simulator::{Authorization, Question};

fn is_declined(conditions: &str, question: &Question<'_, Authorization>) -> bool {
    let world = world(&format!("[[rule]]\n{conditions}\ndecline = \"lost_card\"\n"));
    world.authorize(question).response == Response::Declined(DeclineReason::LostCard)
}

#[test]
fn a_holder_is_matched_by_name_and_email() {
    let (holder, email) = (Some("Ada Lovelace"), Some("ada@example.org"));
    let ada = Question { holder, email, ..charge("visa") };
    for (conditions, matches) in [
        ("match = { holder = \"ada lovelace\" }", true),
        ("match = { holder = \"ADA*\" }", true),
        ("match = { holder = \"Ada\" }", false),
        ("match = { holder = [\"Bob\", \"Ada*\"] }", true),
        ("match = { email = \"ADA@example.org\" }", true),
        ("match = { email = \"ada@*\" }", true),
        ("match = { email = \"bob@*\" }", false),
        ("match = { holder = \"Ada*\", email = \"bob@*\" }", false),
        ("not = { holder = \"Ada*\" }", false),
        ("not = { email = \"bob@*\" }", true),
    ] {
        assert_eq!(is_declined(conditions, &ada), matches, "{conditions}");
    }
}

#[test]
fn what_is_not_known_never_matches() {
    let nobody = charge("visa");
    assert!(!is_declined("match = { holder = \"*\" }", &nobody));
    assert!(!is_declined("match = { email = \"*\" }", &nobody));
    assert!(is_declined("not = { holder = \"*\" }", &nobody));
}

#[test]
fn the_address_of_the_billing_details_comes_before_that_for_a_receipt() {
    let receipt = Question { email: Some("receipt@example.org"), ..charge("visa") };
    let holder = |email: Option<&str>| Holder { name: None, email: email.map(str::to_owned) };
    assert_eq!(receipt.of_holder(None).email, Some("receipt@example.org"));
    assert_eq!(receipt.of_holder(Some(&holder(None))).email, Some("receipt@example.org"));
    assert_eq!(receipt.of_holder(Some(&holder(Some("a@b.c")))).email, Some("a@b.c"));
}

#[test]
fn a_world_says_whether_it_asks_for_holders() {
    for (text, asks) in [
        ("", false),
        ("[[rule]]\nmatch = { cents = 5, method = \"card\" }\ndelay_ms = 5\n", false),
        ("[[rule]]\nmatch = { holder = \"A\" }\ndelay_ms = 5\n", true),
        ("[[rule]]\nnot = { email = \"a@b.c\" }\ndelay_ms = 5\n", true),
        ("[[window]]\nfrom = \"1s\"\nfor = \"1s\"\nmatch = { email = \"a@b.c\" }\ndelay_ms = 5\n", true),
        ("packs = [\"cents\", \"amounts\", \"magic-cards\"]", false),
        ("packs = [\"holder-names\"]", true),
    ] {
        assert_eq!(world(text).asks_for_holder(), asks, "{text}");
    }
}

#[test]
fn what_is_paid_with_is_matched() {
    assert!(is_declined("match = { method = \"card\" }", &charge("visa")));
    assert!(is_declined("match = { method = [\"bank_account\", \"card\"] }", &charge("visa")));
    assert!(!is_declined("match = { method = \"bank_account\" }", &charge("visa")));
    assert!(!is_declined("match = { method = \"card\" }", &Question { instrument: None, ..charge("visa") }));
}
