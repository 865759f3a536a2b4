//! The stored form: MessagePack of submissions and histories reads back, and does not change unnoticed.

use proptest::prelude::*;

use crate::domain::aftermath::Follows;
use crate::domain::bank_account::BankAccount;
use crate::domain::card::{Card, YearMonth};
use crate::domain::credit::Credit;
use crate::domain::currency::Currency;
use crate::domain::decline::DeclineReason;
use crate::domain::dispute::{DisputeOutcome, DisputeReason, DisputeStage};
use crate::domain::event::{CancelReason, Event, Recorded, TechnicalError};
use crate::domain::ids::{AccountId, ChargeId, ClockId, CustomerId, DisputeId, PaymentId, RefundId};
use crate::domain::instrument::Instrument;
use crate::domain::money::Money;
use crate::domain::scenario_revision::ScenarioRevision;
use crate::domain::submission::{CaptureMethod, Kind, Lane, Submission};
use crate::domain::time::Timestamp;

fn card() -> Instrument {
    Card::from_token("pm_card_visa", &[7; 32], YearMonth { year: 2026, month: 1 }).unwrap().into()
}

/// One event of every kind.
pub(super) fn events(at: i64, amount_minor: i64, n: u16) -> Vec<Event> {
    let at = Timestamp::from_micros(at);
    let (refund, dispute) = (RefundId::from_bytes([9; 16]), DisputeId::from_bytes([7; 16]));
    let (cause, reason) = (TechnicalError::Malformed, DeclineReason::InsufficientFunds);
    let cancel = CancelReason::RequestedByCustomer;
    vec![
        Event::Created { instrument: Some(card()), confirmed: true, reserved: false },
        Event::Created { instrument: Some(Instrument::Wallet), confirmed: true, reserved: true },
        Event::Confirmed {
            instrument: Instrument::Bank(BankAccount::Valid),
            charge: ChargeId::from_bytes([8; 16]),
        },
        Event::Started { at },
        Event::ActionRequired {},
        Event::ActionCompleted {},
        Event::Authorized { amount_minor, capture_before: at },
        Event::SUCCEEDED,
        Event::declined(reason),
        Event::Pending { settles_at: at },
        Event::RetryScheduled { due_at: at, cause },
        Event::Requeued {},
        Event::failed(cause),
        Event::Replayed { reserved: true },
        Event::CancelRequested { reason: cancel },
        Event::canceled(cancel),
        Event::CaptureQueued { amount_minor },
        Event::captured(amount_minor),
        Event::Succeeded {
            credit: Credit {
                fee_minor: 66,
                repaid_minor: amount_minor,
                available_at: Some(at),
                payee_at: Some(at),
            },
        },
        Event::Declined { reason, repaid_minor: 1 },
        Event::Available {},
        Event::CaptureDeclined { reason },
        Event::VoidQueued { reason: cancel },
        Event::Voided {},
        Event::RefundQueued { refund, amount_minor, detail: None },
        Event::refund_succeeded(refund),
        Event::refund_failed(refund, reason),
        Event::OperationRetryScheduled { operation: n, due_at: at, cause },
        Event::OperationRequeued { operation: n },
        Event::OperationParked { operation: n, cause },
        Event::OperationReplayed { operation: n },
        Event::Amended { amount_minor: Some(amount_minor), terms: None },
        Event::Amended { amount_minor: None, terms: Some(7) },
        Event::RefundSucceeded { refund, fails_at: Some(at) },
        Event::RefundPending { refund, settles_at: at, fails: false },
        Event::RefundPending { refund, settles_at: at, fails: true },
        Event::Foreseen { at, follows: None },
        Event::Foreseen { at, follows: Some(Follows::FraudWarning) },
        Event::Foreseen { at, follows: Some(Follows::Dispute(DisputeReason::ProductNotReceived)) },
        Event::DisputeOpened {
            dispute,
            reason: DisputeReason::ProductNotReceived,
            stage: DisputeStage::Chargeback,
            amount_minor,
            fee_minor: 1_500,
            due_by: at,
            ends_at: at,
            owed_minor: 0,
        },
        Event::DisputeNoted { dispute, detail: 7, submitted_until: Some(at) },
        Event::DisputeEscalated { dispute, amount_minor, fee_minor: 1_500, due_by: at, owed_minor: 1 },
        Event::dispute_closed(dispute, DisputeOutcome::Won),
        Event::DisputeClosed { dispute, outcome: DisputeOutcome::InquiryClosed, repaid_minor: 1 },
        Event::FraudWarned { warning: dispute.warning() },
    ]
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Charge),
        Just(Kind::TopUp),
        any::<[u8; 16]>().prop_map(|payee| Kind::Transfer { payee: AccountId::from_bytes(payee) }),
        prop::sample::select(BankAccount::ALL.map(|(bank, _)| bank).to_vec())
            .prop_map(|bank| Kind::Payout { bank }),
    ]
}

fn submission() -> impl Strategy<Value = Submission> {
    let ids = (any::<[u8; 16]>(), any::<[u8; 16]>(), kind());
    let money = (any::<i64>(), prop::sample::select(Currency::all()));
    let text = (
        prop::option::of(".{0,40}"),
        prop::collection::vec((".{0,10}", ".{0,10}"), 0..4),
        prop::option::of("[a-z]{0,8}"),
        prop::option::of(any::<[u8; 16]>().prop_map(CustomerId::from_bytes)),
    );
    (ids, money, any::<bool>(), any::<bool>(), any::<u64>(), text).prop_map(
        |((id, owner, kind), (amount_minor, currency), manual, bulk, draw_key, text)| Submission {
            id: PaymentId::from_bytes(id),
            owner: AccountId::from_bytes(owner),
            kind,
            amount: Money::new(amount_minor, currency),
            capture: if manual { CaptureMethod::Manual } else { CaptureMethod::Automatic },
            lane: if bulk { Lane::Bulk } else { Lane::Interactive },
            draw_key,
            description: text.0,
            metadata: text.1,
            run: text.2,
            customer: text.3,
            clock: ClockId::WALL,
        },
    )
}

proptest! {
    #[test]
    fn a_submission_reads_back(submission in submission()) {
        let bytes = rmp_serde::to_vec(&submission).unwrap();
        prop_assert_eq!(rmp_serde::from_slice::<Submission>(&bytes).unwrap(), submission);
    }

    #[test]
    fn a_history_reads_back(at: i64, wall: i64, amount: i64, n: u16, scenario: u64) {
        let scenario = ScenarioRevision::at(scenario);
        let history: Vec<Recorded> = events(at, amount, n)
            .into_iter()
            .map(|event| {
                let (at, wall) = (Timestamp::from_micros(at), Timestamp::from_micros(wall));
                Recorded { at, wall, event, scenario }
            })
            .collect();
        let bytes = rmp_serde::to_vec(&history).unwrap();
        prop_assert_eq!(rmp_serde::from_slice::<Vec<Recorded>>(&bytes).unwrap(), history);
    }

    #[test]
    fn damaged_bytes_are_an_error_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = rmp_serde::from_slice::<Vec<Recorded>>(&bytes);
        let _ = rmp_serde::from_slice::<Submission>(&bytes);
    }
}

/// Read from the source, so that a new kind of event asks for a sample here and for a row in the table of statuses.
pub(super) fn kinds_of_events() -> usize {
    let source = include_str!("../event.rs");
    let variants = source.split("pub enum Event {").nth(1).and_then(|rest| rest.split("\n}\n").next());
    variants.expect("the enum").matches("#[serde(rename = \"").count()
}

#[test]
fn every_kind_of_event_has_a_sample() {
    let sampled: std::collections::HashSet<_> = events(0, 1, 1).iter().map(std::mem::discriminant).collect();
    assert_eq!(sampled.len(), kinds_of_events());
}

#[test]
fn events_stay_small() {
    assert!(size_of::<Recorded>() <= 112, "histories are copied: {}", size_of::<Recorded>());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Databases hold these bytes. If this fails, rows stored by earlier versions may no longer be readable: change the code,
/// not the snapshot, unless a migration comes with it.
#[test]
fn the_stored_bytes_are_pinned() {
    let at = Timestamp::from_micros(1_769_817_600_123_456);
    let lines = events(1_769_817_600_123_456, 1_250, 3)
        .into_iter()
        .map(|event| {
            let bytes = rmp_serde::to_vec(&[Recorded::on_wall(at, event)]).unwrap();
            format!("{}: {}", event.name(), hex(&bytes))
        })
        .collect::<Vec<_>>();
    insta::assert_snapshot!("stored_events", lines.join("\n"));
    let kinds = [
        Kind::Charge,
        Kind::TopUp,
        Kind::Transfer { payee: AccountId::from_bytes([2; 16]) },
        Kind::Payout { bank: BankAccount::Closed },
    ];
    let lines = kinds.map(|kind| {
        let submission = Submission {
            id: PaymentId::from_bytes([1; 16]),
            owner: AccountId::from_bytes([3; 16]),
            kind,
            amount: Money::new(1_250, Currency::EUR),
            capture: CaptureMethod::Manual,
            lane: Lane::Bulk,
            draw_key: 42,
            description: Some("coffee".to_owned()),
            metadata: vec![("order".to_owned(), "42".to_owned())],
            run: None,
            customer: None,
            clock: ClockId::WALL,
        };
        format!("{}: {}", kind.as_str(), hex(&rmp_serde::to_vec(&submission).unwrap()))
    });
    insta::assert_snapshot!("stored_submissions", lines.join("\n"));
}
