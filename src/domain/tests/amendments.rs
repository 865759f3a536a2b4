//! Amendments: which are allowed when, the terms at each version, and that they never block other commands.

use std::sync::Arc;

use proptest::prelude::*;

use super::life::{AMOUNT_MINOR, Life, card};
use crate::domain::amendment::{AMENDMENTS_MAX, PaymentPatch};
use crate::domain::command::{Action, AuthorizationResponse as Response};
use crate::domain::decline::DeclineReason;
use crate::domain::event::CancelReason;
use crate::domain::ids::{ChargeId, RefundId};
use crate::domain::instrument::{Instrument, Presented};
use crate::domain::metadata::MetadataPatch;
use crate::domain::payment::Payment;
use crate::domain::status::Status;
use crate::domain::submission::{CaptureMethod, Kind};
use crate::domain::terms::Terms;

fn described(text: &str) -> PaymentPatch {
    PaymentPatch { description: Some(Some(text.to_owned())), ..PaymentPatch::default() }
}

fn amount(minor: i64) -> PaymentPatch {
    PaymentPatch { amount_minor: Some(minor), ..PaymentPatch::default() }
}

fn pair(key: &str, value: &str) -> PaymentPatch {
    let pairs = vec![(key.to_owned(), value.to_owned())];
    PaymentPatch { metadata: MetadataPatch { clear: false, pairs }, ..PaymentPatch::default() }
}

fn confirm(instrument: Option<Instrument>) -> Action {
    let charge = ChargeId::from_bytes([3; 16]);
    Action::Confirm { instrument, presented: Presented::default(), charge }
}

#[test]
fn descriptions_change_at_any_time_and_amounts_before_confirmation() {
    let waiting = Life::new(Kind::Charge, CaptureMethod::Manual, false, false, 0);
    let queued = Life::charge(CaptureMethod::Manual);
    let mut challenged = queued.clone();
    challenged.answer(Response::ActionRequired);
    let mut held = queued.clone();
    held.answer(Response::Approved);
    let mut declined = queued.clone();
    declined.answer(Response::Declined(DeclineReason::LostCard));
    let mut canceled = waiting.clone();
    canceled.act(Action::Cancel { reason: CancelReason::Abandoned }).expect("canceled");
    for (life, may) in [
        (waiting, true),
        (queued, false),
        (challenged, true),
        (held, false),
        (declined, true),
        (canceled, false),
    ] {
        let mut life = life;
        let status = life.payment.state().status;
        assert_eq!(life.amend(described("new")), Ok(true), "{status:?}");
        assert_eq!(life.amend(described("new")), Ok(false), "{status:?}: nothing changes");
        assert_eq!((life.payment.description(), life.payment.state().status), (Some("new"), status));
        match life.amend(amount(777)) {
            Ok(changed) => assert!(may && changed && life.payment.amount().amount_minor == 777, "{status:?}"),
            Err(rejection) => {
                assert!(!may, "{status:?}");
                assert_eq!(rejection.code, "payment_intent_unexpected_state");
                assert_eq!(rejection.param.as_deref(), Some("amount"));
            }
        }
        assert_eq!(life.payment.refolded().as_ref(), Ok(&life.payment), "{status:?}");
    }
}

#[test]
fn the_amount_taken_is_the_amended_one() {
    let mut life = Life::new(Kind::Charge, CaptureMethod::Automatic, true, false, 0);
    life.amend(amount(555)).expect("admitted");
    assert!(life.amend(amount(0)).is_err() && life.amend(amount(1)).is_err(), "below what can be charged");
    life.act(confirm(None)).expect("goes");
    life.answer(Response::Approved);
    assert_eq!(life.payment.state().received_minor, 555);
    assert_eq!(life.payment.submitted().amount.amount_minor, AMOUNT_MINOR, "as it was first asked for");
    assert_eq!(life.payment.at_version(1).expect("a version").amount().amount_minor, AMOUNT_MINOR);
}

#[test]
fn a_charge_has_the_amount_that_its_issuer_was_asked_for() {
    let mut life = Life::charge(CaptureMethod::Automatic);
    life.answer(Response::ActionRequired);
    life.amend(amount(555)).expect("admitted while the cardholder is asked");
    life.act(Action::CompleteAction { passed: true }).expect("goes");
    life.answer(Response::Declined(DeclineReason::LostCard));
    life.amend(amount(444)).expect("admitted after a decline");
    let amounts = |life: &Life| {
        life.payment.charges().map(|charge| (charge.amount_minor, charge.captured_minor)).collect::<Vec<_>>()
    };
    assert_eq!(amounts(&life), [(555, 0)], "what was declined stays what it was");
    life.act(confirm(Some(card()))).expect("goes");
    life.answer(Response::Approved);
    assert_eq!(amounts(&life), [(555, 0), (444, 444)]);
}

#[test]
fn the_memory_of_amendments_is_counted() {
    let mut life = Life::charge(CaptureMethod::Automatic);
    let before = life.payment.memory_bytes();
    life.amend(amount(777)).unwrap_err();
    life.answer(Response::ActionRequired);
    life.amend(amount(777)).expect("admitted");
    let with_amount = life.payment.memory_bytes();
    assert!(with_amount > before);
    life.amend(described(&"x".repeat(400))).expect("admitted");
    assert!(life.payment.memory_bytes() >= with_amount + 800, "in the terms and in what is asked for by now");
}

#[test]
fn the_hundred_and_first_amendment_is_refused_and_the_payment_goes_on() {
    let mut life = Life::charge(CaptureMethod::Manual);
    life.answer(Response::Approved);
    for n in 0..AMENDMENTS_MAX {
        assert_eq!(life.amend(pair("n", &n.to_string())), Ok(true));
    }
    let rejection = life.amend(pair("n", "one more")).expect_err("too many");
    assert_eq!(rejection.code, "payment_intent_update_limit");
    assert!(rejection.message.contains("100 times"), "{rejection}");
    assert_eq!(life.amend(pair("n", "99")), Ok(false), "what changes nothing is none");
    let mut other = life.clone();
    other.act(Action::Cancel { reason: CancelReason::Abandoned }).expect("canceled");
    other.answer(Response::Approved);
    assert_eq!(other.payment.state().status, Status::Canceled);
    life.act(Action::Capture { amount_minor: None }).expect("captured");
    life.answer(Response::Approved);
    let refund = RefundId::from_bytes([4; 16]);
    life.act(Action::Refund { refund, amount_minor: None, detail: None }).expect("refunded");
    life.answer(Response::Approved);
    assert_eq!(life.payment.refundable_minor(), 0);
}

#[test]
fn metadata_is_patched_as_a_map() {
    let mut life = Life::new(Kind::Charge, CaptureMethod::Automatic, true, false, 0);
    for (key, value) in [("a", "1"), ("b", "2"), ("a", "3"), ("b", "")] {
        life.amend(pair(key, value)).expect("admitted");
    }
    assert_eq!(life.payment.metadata(), [("a".to_owned(), "3".to_owned())]);
    let many = (0..50).map(|n| (format!("k{n}"), "v".to_owned())).collect();
    let patch = MetadataPatch { clear: false, pairs: many };
    let patch = PaymentPatch { metadata: patch, ..PaymentPatch::default() };
    assert_eq!(life.amend(patch).expect_err("51 keys").code, "metadata_invalid");
}

proptest! {
    /// Whatever is amended: each version has the terms of its time, once its row is read, and the stored form reads back.
    #[test]
    fn each_version_has_the_terms_of_its_time(steps in prop::collection::vec((0..3_u8, 0..4_u8, 1_i64..9), 1..30)) {
        let mut life = Life::new(Kind::Charge, CaptureMethod::Automatic, true, false, 0);
        let mut versions: Vec<(u32, Terms, i64)> = vec![(1, life.payment.terms(), life.payment.amount().amount_minor)];
        for (what, text, minor) in steps {
            let patch = match what {
                0 => described(&text.to_string()),
                1 => pair(&text.to_string(), &minor.to_string()),
                _ => amount(minor * 100),
            };
            if life.amend(patch).expect("admitted") {
                let payment = &life.payment;
                versions.push((payment.version(), payment.terms(), payment.amount().amount_minor));
            }
        }
        for (version, terms, minor) in &versions {
            let mut then: Payment = life.payment.at_version(*version).expect("a version");
            if let Some((wanted, name)) = then.unread_terms() {
                let row = versions.iter().find(|(version, ..)| *version == wanted).map(|(_, terms, _)| terms);
                let row = row.expect("a row");
                prop_assert_eq!(name, Terms::fingerprint(&row.to_bytes()));
                prop_assert_eq!(Terms::from_bytes(&row.to_bytes()), Some(row.clone()));
                then.read_terms(wanted, Arc::new(row.clone()));
            }
            prop_assert_eq!(&then.terms(), terms);
            prop_assert_eq!(then.amount().amount_minor, *minor);
        }
        prop_assert_eq!(life.payment.refolded(), Ok(life.payment.clone()));
    }
}
