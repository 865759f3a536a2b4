//! Disputes, warnings and refunds that come back: what opens them, what they take, and how they end.

use super::life::{AMOUNT_MINOR, Life};
use crate::domain::command::{
    Action, Answered, AuthorizationResponse as Response, Complaint, Raised, Verdict,
};
use crate::domain::consequences::{DISPUTED_AFTER_MS, REFUND_AFTER_MS};
use crate::domain::decline::DeclineReason;
use crate::domain::dispute::{
    DisputeReason, DisputeStage, DisputeStatus, INQUIRY_MS, RESPONSE_MS, REVIEW_MS,
};
use crate::domain::event::Event;
use crate::domain::ids::{DisputeId, RefundId};
use crate::domain::ledger::{Holdings, LedgerAccount, effects};
use crate::domain::payment::RefundStatus;
use crate::domain::submission::CaptureMethod;

fn id(n: u8) -> DisputeId {
    DisputeId::from_bytes([n; 16])
}

fn complaint(n: u8, raised: Raised, amount_minor: Option<i64>) -> Action {
    Action::Dispute(Complaint { dispute: id(n), raised, reason: DisputeReason::Duplicate, amount_minor })
}

fn answer(life: &Life, n: u8, verdict: Option<Verdict>) -> Action {
    let base = life.payment.dispute(id(n)).map_or(0, |dispute| dispute.detail);
    Action::AnswerDispute(Answered {
        dispute: id(n),
        base,
        detail: base + 1,
        evidence: true,
        submit: true,
        verdict,
    })
}

fn paid() -> Life {
    let mut life = Life::charge(CaptureMethod::Automatic);
    life.answer(Response::Approved);
    life
}

fn refund(n: u8, amount_minor: Option<i64>) -> Action {
    Action::Refund { refund: RefundId::from_bytes([n; 16]), amount_minor, detail: None }
}

fn status(life: &Life, n: usize) -> DisputeStatus {
    life.payment.state().disputes[n].status
}

fn code(refused: Result<(), crate::domain::rejection::Rejection>) -> &'static str {
    refused.expect_err("refused").code
}

#[test]
fn a_dispute_takes_amount_and_fee_and_owes_what_the_wallet_lacks() {
    for (balance_minor, owed_minor) in [(i64::MAX, 0), (2_500, 0), (1_200, 1_300), (400, 2_100), (0, 2_500)] {
        let mut life = paid();
        life.held = Holdings { balance_minor, ..Holdings::default() };
        let before = life.payment.clone();
        life.act(complaint(1, Raised::Dispute, None)).expect("admitted");
        let event = life.payment.history().last().expect("an event").event;
        let Event::DisputeOpened { owed_minor: owed, amount_minor, fee_minor, .. } = event else {
            panic!("{event:?}")
        };
        assert_eq!((owed, amount_minor, fee_minor), (owed_minor, AMOUNT_MINOR, 1_500));
        let effects = effects(&before, &event);
        let own = life.payment.submission().own_wallet();
        let sum = |account| effects.iter().map(|movement| movement.change_of(account)).sum::<i64>();
        assert_eq!(sum(LedgerAccount::Acquirer), AMOUNT_MINOR, "the issuer has all of it");
        assert_eq!(sum(LedgerAccount::Fees), 1_500);
        assert_eq!(sum(LedgerAccount::Receivable(own)), -owed_minor);
        assert_eq!(sum(LedgerAccount::Wallet(own)), owed_minor - 2_500);
    }
}

#[test]
fn evidence_that_names_its_outcome_decides() {
    for (verdict, ends, back) in
        [(Verdict::Wins, DisputeStatus::Won, AMOUNT_MINOR), (Verdict::Loses, DisputeStatus::Lost, 0)]
    {
        let mut life = paid();
        life.act(complaint(1, Raised::Dispute, None)).expect("admitted");
        life.held = Holdings { balance_minor: 0, owed_minor: 300, ..Holdings::default() };
        life.act(answer(&life.clone(), 1, Some(verdict))).expect("admitted");
        assert_eq!(status(&life, 0), ends);
        let last = life.payment.history().last().expect("an event").event;
        let before = life.payment.at_version(life.payment.version() - 1).expect("it was");
        let own = life.payment.submission().own_wallet();
        let sum = |account| effects(&before, &last).iter().map(|it| it.change_of(account)).sum::<i64>();
        let repaid = back.min(300);
        assert_eq!(sum(LedgerAccount::Wallet(own)), back - repaid, "what is owed is repaid first");
        assert_eq!(sum(LedgerAccount::Receivable(own)), repaid);
        assert_eq!(sum(LedgerAccount::Fees), 0, "the fee stays");
        let again = life.act(answer(&life.clone(), 1, Some(verdict)));
        assert_eq!(code(again), "dispute_closed");
        assert_eq!(code(life.act(Action::CloseDispute { dispute: id(1) })), "dispute_closed");
    }
}

#[test]
fn other_evidence_is_reviewed_and_lost() {
    let mut life = paid();
    let opened = life.now;
    life.act(complaint(1, Raised::Dispute, None)).expect("admitted");
    assert_eq!(life.payment.due_at(), Some(opened.plus_ms(RESPONSE_MS)));
    life.act(answer(&life.clone(), 1, None)).expect("admitted");
    assert_eq!(status(&life, 0), DisputeStatus::UnderReview);
    assert_eq!(code(life.act(answer(&life.clone(), 1, None))), "dispute_evidence_submitted");
    assert_eq!(life.payment.due_at(), Some(opened.plus_ms(REVIEW_MS)));
    assert!(life.wait());
    assert_eq!((status(&life, 0), life.payment.due_at()), (DisputeStatus::Lost, None));
}

#[test]
fn a_dispute_that_nobody_answers_is_lost_at_its_deadline() {
    let mut life = paid();
    life.act(complaint(1, Raised::Dispute, Some(400))).expect("admitted");
    life.act(complaint(2, Raised::Dispute, None)).expect("admitted");
    assert_eq!(life.payment.state().disputes[1].amount_minor, AMOUNT_MINOR - 400);
    assert_eq!(code(life.act(complaint(3, Raised::Dispute, None))), "charge_disputed");
    assert_eq!(code(life.act(refund(1, Some(1)))), "charge_disputed");
    assert!(life.wait());
    assert_eq!((status(&life, 0), status(&life, 1)), (DisputeStatus::Lost, DisputeStatus::Lost));
    assert_eq!(code(life.act(refund(1, Some(1)))), "charge_disputed");
}

#[test]
fn a_change_based_on_something_else_is_refused() {
    let mut life = paid();
    life.act(complaint(1, Raised::Dispute, None)).expect("admitted");
    let stale =
        Answered { dispute: id(1), base: 7, detail: 8, evidence: false, submit: false, verdict: None };
    assert_eq!(code(life.act(Action::AnswerDispute(stale))), "lock_timeout");
    // Metadata may change whenever.
    life.act(Action::CloseDispute { dispute: id(1) }).expect("admitted");
    life.act(Action::AnswerDispute(Answered { base: 0, ..stale })).expect("admitted");
    assert_eq!(life.payment.state().disputes[0].detail, 8);
}

#[test]
fn an_inquiry_takes_nothing_and_closes_or_escalates() {
    let mut life = paid();
    life.act(complaint(1, Raised::Inquiry, None)).expect("admitted");
    assert_eq!(status(&life, 0), DisputeStatus::WarningNeedsResponse);
    assert_eq!(life.payment.due_at(), Some(life.now.plus_ms(INQUIRY_MS)));
    assert!(effects(&life.payment, &life.payment.history().last().expect("an event").event).is_empty());
    let mut closed = life.clone();
    assert!(closed.wait());
    assert_eq!(status(&closed, 0), DisputeStatus::WarningClosed);
    let mut answered = life.clone();
    answered.act(answer(&life, 1, Some(Verdict::Wins))).expect("admitted");
    assert_eq!(status(&answered, 0), DisputeStatus::WarningClosed);
    // What was refunded meanwhile is not taken again.
    life.act(refund(1, Some(600))).expect("an inquiry stops no refund");
    life.act(answer(&life.clone(), 1, Some(Verdict::Escalates))).expect("admitted");
    let dispute = life.payment.state().disputes[0];
    assert_eq!((dispute.stage, dispute.status), (DisputeStage::Chargeback, DisputeStatus::NeedsResponse));
    assert_eq!((dispute.amount_minor, dispute.fee_minor), (400, 1_500));
    assert_eq!(dispute.due_by, life.now.plus_ms(RESPONSE_MS));
}

#[test]
fn a_warning_is_only_a_fact() {
    let mut life = paid();
    life.act(complaint(1, Raised::FraudWarning, None)).expect("admitted");
    assert!(life.payment.warning(id(1).warning()).is_some());
    assert_eq!((life.payment.state().disputes.len(), life.payment.due_at()), (0, None));
    life.act(refund(1, None)).expect("admitted");
}

#[test]
fn only_what_is_left_of_a_charge_that_succeeded_is_disputed() {
    let mut life = Life::charge(CaptureMethod::Manual);
    let early = code(life.act(complaint(1, Raised::Dispute, None)));
    assert_eq!(early, "payment_intent_unexpected_state");
    let mut life = paid();
    life.act(refund(1, Some(600))).expect("admitted");
    assert_eq!(code(life.act(complaint(1, Raised::Dispute, Some(401)))), "amount_too_large");
    assert_eq!(code(life.act(complaint(1, Raised::Dispute, Some(0)))), "parameter_invalid_integer");
    life.act(refund(2, None)).expect("admitted");
    assert_eq!(code(life.act(complaint(1, Raised::Dispute, None))), "charge_already_refunded");
}

/// What is disputed, how it stands, and what was taken.
type Opened = (DisputeReason, DisputeStatus, i64);

#[test]
fn published_cards_are_disputed_a_moment_later() {
    let cases: [(&str, &[Opened]); 5] = [
        ("createDispute", &[(DisputeReason::Fraudulent, DisputeStatus::NeedsResponse, 1_000)]),
        (
            "createDisputeProductNotReceived",
            &[(DisputeReason::ProductNotReceived, DisputeStatus::NeedsResponse, 1_000)],
        ),
        ("createDisputeInquiry", &[(DisputeReason::General, DisputeStatus::WarningNeedsResponse, 1_000)]),
        (
            "createMultipleDisputes",
            &[
                (DisputeReason::Fraudulent, DisputeStatus::NeedsResponse, 500),
                (DisputeReason::Fraudulent, DisputeStatus::NeedsResponse, 500),
            ],
        ),
        ("createIssuerFraudRecord", &[]),
    ];
    for (token, wanted) in cases {
        let mut life = Life::paid_with(&format!("pm_card_{token}"));
        assert!(life.payment.state().disputes.is_empty(), "not in the same answer");
        assert_eq!(life.payment.due_at(), Some(life.now.plus_ms(DISPUTED_AFTER_MS)));
        assert!(life.wait());
        let disputes = life.payment.state().disputes.iter();
        let found: Vec<_> = disputes.map(|it| (it.reason, it.status, it.amount_minor)).collect();
        assert_eq!(found, wanted, "{token}");
        assert_eq!(life.payment.state().warnings.len(), usize::from(wanted.is_empty()));
        assert_eq!(life.payment.consequence_at(), None, "once");
    }
}

#[test]
fn a_charge_that_was_refunded_in_time_is_not_disputed() {
    let mut life = Life::paid_with("pm_card_createDispute");
    life.act(refund(1, None)).expect("admitted");
    assert_eq!(life.payment.due_at(), None);
}

#[test]
fn a_slow_refund_is_pending_and_then_arrives() {
    let mut life = Life::paid_with("pm_card_pendingRefund");
    life.act(refund(1, None)).expect("admitted");
    life.answer(Response::Approved);
    assert_eq!(life.payment.state().refunds[0].status, RefundStatus::Pending);
    assert_eq!(life.payment.due_at(), Some(life.now.plus_ms(REFUND_AFTER_MS)));
    assert!(life.wait());
    assert_eq!(life.payment.state().refunds[0].status, RefundStatus::Succeeded);
    assert_eq!(life.payment.operations().count(), 0);
}

#[test]
fn a_refund_comes_back_from_the_card() {
    let mut life = Life::paid_with("pm_card_refundFail");
    life.act(refund(1, Some(700))).expect("admitted");
    life.answer(Response::Approved);
    assert_eq!(life.payment.state().refunds[0].status, RefundStatus::Succeeded);
    let before = life.payment.clone();
    assert!(life.wait());
    assert_eq!(life.payment.state().refunds[0].status, RefundStatus::Failed(DeclineReason::ExpiredCard));
    let effects = effects(&before, &life.payment.history().last().expect("an event").event);
    let [movement] = effects.as_slice() else { panic!("{effects:?}") };
    assert_eq!((movement.debit, movement.amount_minor), (LedgerAccount::Acquirer, 700));
    assert_eq!(life.payment.refundable_minor(), AMOUNT_MINOR);
}

#[test]
fn a_refund_is_ended_by_hand_as_far_as_it_can_be() {
    let end = |failed| Action::EndRefund { refund: RefundId::from_bytes([1; 16]), failed };
    let mut life = paid();
    assert_eq!(code(life.act(end(None))), "resource_missing");
    life.act(refund(1, None)).expect("admitted");
    let work = life.payment.queued_work().next().expect("queued");
    life.act(end(None)).expect("a pending refund arrives");
    assert_eq!(code(life.act(end(None))), "refund_unexpected_state");
    life.answer_to(work, Response::Declined(DeclineReason::LostCard));
    assert_eq!(life.payment.state().refunds[0].status, RefundStatus::Succeeded, "the answer came too late");
    life.act(end(Some(DeclineReason::LostCard))).expect("and may still fail");
    assert_eq!(code(life.act(end(Some(DeclineReason::LostCard)))), "refund_unexpected_state");
}
