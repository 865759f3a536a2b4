//! Tests of a payment's page, for every status that looks different.

use super::super::samples::{self, START, ada, names, viewer};
use super::*;
use crate::domain::account::AccountFacts;
use crate::domain::command::{Action, Complaint, OperatePayment, Raised};
use crate::domain::context::{Context, Policy};
use crate::domain::dispute::{DisputeOutcome, DisputeReason, DisputeStage};
use crate::domain::event::{CancelReason, Event, Recorded};
use crate::domain::ids::{ClockId, DisputeId, RefundId};
use crate::domain::ledger::Holdings;
use crate::domain::operate::operate;
use crate::domain::submission::Submission;
use crate::domain::tests::operations::{kinds, places};
use crate::intake::Verb;

fn view(payment: &Payment) -> PaymentView {
    PaymentView::of(
        payment,
        &samples::movements(payment),
        &names(),
        viewer(),
        Now::by_wall(START.plus_ms(2_000)),
    )
}

/// The readable text of the page, without markup.
fn digest(view: &PaymentView) -> String {
    let captured = view.captured.as_ref().map_or(String::new(), |captured| format!("{captured} of "));
    let (amount, badges) = (&view.amount, view.badges.join(", "));
    let mut text = format!("{captured}{amount} | {} | {badges}\n{}\n", view.status.word, view.sentence);
    let journey = view.journey.as_ref().expect("own");
    let stages = journey
        .stages
        .iter()
        .map(|stage| format!("{} {} [{}]", stage.label, stage.took, stage.state.as_str()));
    text += &format!("journey: {}\n", stages.collect::<Vec<_>>().join(" → "));
    text += &format!("         {}\n", journey.besides);
    for item in &view.timeline {
        text += &format!("  {:>9} {}\n", item.offset, item.text);
    }
    for open in &view.open {
        text += &format!("open: {} #{} attempt {}: {}\n", open.name, open.number, open.attempt, open.phase);
    }
    if let Some(ledger) = &view.ledger {
        for line in &ledger.lines {
            text += &format!("  {:<26}{:>10}{:>10}  {}\n", line.account, line.debit, line.credit, line.cause);
        }
        text += &format!("  {:<26}{:>10}{:>10}\n", "total", ledger.total_debit, ledger.total_credit);
    }
    for action in &view.actions {
        let why = action.disabled.as_deref().unwrap_or("yes");
        let amount = action.amount.as_ref().map_or(String::new(), |amount| format!(" {}", amount.value));
        text += &format!("{}{amount}: {why}\n", action.label);
    }
    text
}

#[test]
fn every_status_reads_well() {
    let digests =
        samples::all().into_iter().map(|(name, payment)| format!("== {name}\n{}", digest(&view(&payment))));
    insta::assert_snapshot!(digests.collect::<Vec<_>>().join("\n"));
}

#[test]
fn offered_actions_are_those_the_domain_admits() {
    let sampled = samples::all().into_iter().map(|(name, payment)| (name, payment, START));
    let everywhere = kinds().into_iter().flat_map(places).map(|(name, life)| (name, life.payment, life.now));
    for (name, payment, now) in sampled.chain(everywhere) {
        for form in actions::actions(&payment, now) {
            let admitted = changes(&payment, now, &form);
            let kind = payment.submission().kind.as_str();
            assert_eq!(form.disabled.is_none(), admitted, "{} of a {name} {kind}", form.label);
            let asks_amount = admitted && form.verb.takes_amount();
            assert_eq!(form.amount.is_some(), asks_amount, "{} of a {name} {kind}", form.label);
        }
    }
}

/// Whether the domain lets the action of this form change the payment.
fn changes(payment: &Payment, now: Timestamp, form: &ActionForm) -> bool {
    let action = match form.verb {
        Verb::Capture => Action::Capture { amount_minor: None },
        Verb::Refund => Action::Refund { refund: RefundId::generate(), amount_minor: None, detail: None },
        Verb::Cancel => Action::Cancel { reason: CancelReason::Abandoned },
        Verb::CompleteAction => Action::CompleteAction { passed: form.passed == Some(true) },
        Verb::Replay => Action::Replay,
        Verb::Confirm | Verb::CloseDispute | Verb::SucceedRefund | Verb::FailRefund => {
            panic!("no button of the payment does this")
        }
        Verb::Dispute => Action::Dispute(Complaint {
            dispute: DisputeId::generate(),
            raised: Raised::Dispute,
            reason: DisputeReason::Fraudulent,
            amount_minor: None,
        }),
    };
    let policy = Policy::default();
    let held = Holdings { balance_minor: i64::MAX, ..Holdings::default() };
    let account = |_| AccountFacts::default();
    let context = Context {
        now,
        wall: now,
        policy: &policy,
        wallet: &|_| held,
        account: &account,
        time_of: &|_| now,
        resource: &|_| None,
    };
    let (id, actor) = (payment.id(), payment.owner());
    operate(&context, payment, &OperatePayment { payment: id, actor, action, idempotency: None })
        .is_ok_and(|events| !events.is_empty())
}

#[test]
fn a_payee_sees_the_payment_but_no_actions() {
    let (_, transfer) = samples::all().into_iter().find(|(name, _)| *name == "transfer").expect("sample");
    let view =
        PaymentView::of(&transfer, &samples::movements(&transfer), &names(), ada(), Now::by_wall(START));
    assert!(view.actions.is_empty() && view.timeline.is_empty() && view.journey.is_none());
    assert!(!view.facts.iter().any(|fact| matches!(fact.label, "Description" | "Metadata")));
    assert_eq!(view.ledger.expect("moved").lines.len(), 2);
    assert_eq!((view.from.as_str(), view.to.as_str()), ("Corner Coffee", "Ada"));
}

#[test]
fn a_sentence_says_no_more_than_what_happened() {
    use crate::domain::decline::DeclineReason;
    use crate::domain::event::TechnicalError;
    let started = (512_300, Event::Started { at: samples::at_us(1_400) });
    let texts = |kind: Kind, number: &str, events: &[(i64, Event)]| {
        let events: Vec<(i64, Event)> = std::iter::once(started).chain(events.iter().copied()).collect();
        let view = view(&samples::payment(1, kind, samples::eur(1_250), number, &events));
        let last = view.timeline.last().map(|item| item.text.clone()).unwrap_or_default();
        (view.sentence.to_string(), last)
    };
    let (visa, ok) = ("4242424242424242", (600_000, Event::SUCCEEDED));
    let [one, two] = [8, 9].map(|n| RefundId::from_bytes([n; 16]));
    let refund = |us, refund, amount_minor| (us, Event::RefundQueued { refund, amount_minor, detail: None });
    let on_its_way = [ok, refund(700_000, one, 1_250)];
    let (text, _) = texts(Kind::Charge, visa, &on_its_way);
    assert!(text.ends_with(" All of it is on its way back."), "{text}");
    let both =
        [ok, refund(700_000, one, 500), (800_000, Event::refund_succeeded(one)), refund(900_000, two, 250)];
    let (text, _) = texts(Kind::Charge, visa, &both);
    assert!(
        text.ends_with(" €5.00 EUR of it has been refunded. €2.50 EUR of it is on its way back."),
        "{text}"
    );
    let parked = (950_000, Event::OperationParked { operation: 3, cause: TechnicalError::Timeout });
    let (text, _) = texts(Kind::Charge, visa, &[&both[..], &[parked]].concat());
    assert!(text.ends_with(" €2.50 EUR of it is parked on its way back."), "{text}");
    // The bank was not asked.
    let declined = |reason| (700_000, Event::declined(reason));
    let broke = texts(Kind::Charge, "4000008400001280", &[declined(DeclineReason::ProcessingError)]);
    let failed = [(600_000, Event::ActionRequired {}), declined(DeclineReason::AuthenticationFailure)];
    for (text, last) in [broke, texts(Kind::Charge, "4000002760003184", &failed)] {
        assert!(text.starts_with("3-D Secure") && last.starts_with("3-D Secure"), "{text} {last}");
    }
    let by_the_bank = texts(Kind::Charge, "4000000000000119", &[declined(DeclineReason::ProcessingError)]);
    assert_eq!(by_the_bank.0, "The bank declined: processing error.");
    // A technical failure returns the money it had taken.
    let payout = Kind::Payout { bank: crate::domain::bank_account::BankAccount::Valid };
    let (text, _) = texts(payout, visa, &[(700_000, Event::failed(TechnicalError::Timeout))]);
    assert!(text.contains("The money is back in the wallet"), "{text}");
}

/// The same history on a test clock that shows these times in turn, and then stays at the last.
fn on_clock(payment: &Payment, shown: &[Timestamp]) -> Payment {
    let clock = ClockId::from_bytes([5; 16]);
    let submission = Submission { clock, ..Submission::clone(payment.submission()) };
    let at = |n: usize| *shown.get(n).or(shown.last()).expect("a time");
    let mut history = payment.history().iter().enumerate();
    let mut next = || history.next().map(|(n, recorded)| Recorded { at: at(n), ..*recorded });
    let created = next().expect("a history");
    let mut clocked = Payment::open(std::sync::Arc::new(submission), created).expect("opens");
    while let Some(recorded) = next() {
        clocked.apply(recorded).expect("legal");
    }
    clocked
}

/// However far the clock is from real time.
#[test]
fn a_payment_on_a_test_clock_shows_its_times() {
    let begun = samples::at_us(5 * 366 * 86_400_000_000);
    let lapses = begun.plus_ms(7 * 86_400_000);
    let held = Event::Authorized { amount_minor: 1_250, capture_before: lapses };
    let expired = Event::Canceled { reason: CancelReason::Expired, repaid_minor: 0 };
    let started = Event::Started { at: samples::at_us(1_400) };
    let events = [(512_300, started), (512_300, held), (30_000_000, expired)];
    let payment = samples::payment(1, Kind::Charge, samples::eur(1_250), "4242424242424242", &events);
    let payment = on_clock(&payment, &[begun, begun, begun, lapses]);
    let now = Now { wall: START.plus_ms(31_000), clock: Some(lapses.plus_ms(86_400_000)) };
    let view = PaymentView::of(&payment, &[], &names(), viewer(), now);
    let offsets: Vec<&str> = view.timeline.iter().map(|item| item.offset.as_str()).collect();
    assert_eq!(offsets, ["+0 s", "+0 s", "+0 s", "+7 d 0 h"]);
    assert_eq!(view.timeline[3].at_full, format::absolute(lapses));
    let fact = |label| view.facts.iter().find(|fact| fact.label == label).map(|fact| fact.value.as_str());
    assert_eq!(fact("Created"), Some(format::absolute(begun).as_str()));
    assert_eq!(fact("Real time"), Some(format::absolute(payment.asked_at()).as_str()));
}

/// No countdown in real seconds runs to a time on a test clock; retries run in real time.
#[test]
fn countdowns_follow_the_wall_clock() {
    let sample =
        |name: &str| samples::all().into_iter().find(|(other, _)| *other == name).expect("a sample").1;
    let far = Timestamp::default();
    let see = |payment: &Payment, now| {
        let view = PaymentView::of(payment, &[], &names(), viewer(), now);
        let (words, ms) = view.sentence.due.expect("a moment");
        (words, ms.is_some(), view.open.first().is_some_and(|open| open.due_ms.is_some()))
    };
    let now = Now { wall: START.plus_ms(600), clock: Some(far) };
    let (words, counted, open) = see(&on_clock(&sample("retrying"), &[far]), now);
    assert!(words.ends_with(" s") && counted && open, "{words}");
    // Due on its clock a day after it began.
    let now = Now { wall: START.plus_ms(400 * 86_400_000), clock: Some(START) };
    assert_eq!(see(&on_clock(&sample("payout"), &[START]), now), ("in 1 d".to_owned(), false, false));
    assert_eq!(see(&sample("payout"), Now::by_wall(START)), ("in 1 d".to_owned(), true, true));
}

#[test]
fn a_disputed_payment_tells_what_was_taken_and_what_is_owed() {
    let dispute = DisputeId::from_bytes([9; 16]);
    let opened = Event::DisputeOpened {
        dispute,
        reason: DisputeReason::Duplicate,
        stage: DisputeStage::Chargeback,
        amount_minor: 1_250,
        fee_minor: 1_500,
        due_by: START.plus_ms(14 * 86_400_000),
        ends_at: START.plus_ms(14 * 86_400_000),
        owed_minor: 2_000,
    };
    let events = [
        (512_300, Event::Started { at: samples::at_us(1_400) }),
        (512_300, Event::SUCCEEDED),
        (60_000_000, opened),
    ];
    let of = |events: &[(i64, Event)]| {
        view(&samples::payment(1, Kind::Charge, samples::eur(1_250), "4242424242424242", events))
    };
    let open = of(&events);
    let last = |view: &PaymentView| view.timeline.last().expect("a line").text.clone();
    assert_eq!(
        last(&open),
        "Disputed: charged twice. €12.50 EUR and a fee of €15.00 EUR taken; €20.00 EUR of it are owed"
    );
    let [line] = open.disputes.as_slice() else { panic!("{:?}", open.disputes) };
    assert_eq!(
        (line.amount.as_str(), line.about.as_str(), line.due.as_str(), line.forms.len()),
        ("€12.50 EUR", "charged twice: needs an answer", "answer by 15 Jan 2026", 3)
    );
    let ledger = open.ledger.expect("moved");
    let debts = ledger.lines.iter().filter(|line| line.account == "Corner Coffee's EUR debt");
    assert_eq!(debts.map(|line| line.debit.as_str()).collect::<Vec<_>>(), ["5.00", "15.00"]);
    assert_eq!(open.badges, ["disputed"]);
    let closed = Event::DisputeClosed { dispute, outcome: DisputeOutcome::Won, repaid_minor: 1_250 };
    let won = of(&[&events[..], &[(90_000_000, closed)]].concat());
    assert_eq!(last(&won), "Dispute won: €12.50 EUR came back");
    assert_eq!((won.disputes[0].forms.len(), won.disputes[0].due.as_str()), (0, ""));
}
