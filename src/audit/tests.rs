//! A sound world passes; each corruption, planted alone, is named.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

use async_trait::async_trait;

use super::index::Current;
use super::index_view::IndexView;
use super::*;
use crate::domain::account::AccountFacts;
use crate::domain::card::{Card, YearMonth};
use crate::domain::command::{
    Action, AuthorizationAnswer, AuthorizationResponse as Response, FollowUpAnswer, OperatePayment,
    SubmitPayment,
};
use crate::domain::context::{Context, Events, Policy};
use crate::domain::currency::Currency;
use crate::domain::decide;
use crate::domain::event::{Event, Recorded};
use crate::domain::ids::{AccountId, BatchId, ClockId, PartId, PaymentId, RefundId};
use crate::domain::ledger::{Holdings, LedgerAccount, effects};
use crate::domain::money::Money;
use crate::domain::payment::{Payment, WorkKey};
use crate::domain::subject::Subject;
use crate::domain::submission::{CaptureMethod, Kind, Lane, Submission};
use crate::domain::time::Timestamp;
use crate::domain::wallet::WalletId;
use crate::engine::journal::{JournalEntry, encode};
use crate::search::{DocKey, PaymentDocument, ScannedDocument};
use crate::store::{
    AccountHead, AnswerWrite, AuditPayment, AuditResource, CustomerPaymentRecord, IdempotencyRecord,
    JournalRecord, MovementRecord, PartRecord, ReceiptRecord, StoreResult, TableCounts, WalletRecord,
};
use world::{World, audit_world, only, options, planted};

mod documents;
mod order;
mod world;

#[tokio::test]
async fn a_sound_world_passes_and_is_counted() {
    let (world, _) = World::sound();
    for page in [1, 2, 1_000] {
        let report = audit_world(&world, &AuditOptions { page, ..options() }, None).await;
        assert!(report.passed(), "{report}");
        assert_eq!(
            report.summary(),
            "verified: 4 payments, 2 parts, 7 movements, 2 wallets, 10 journal rows (13 events, head 10), 4 idempotency keys, 3 accounts, 5 documents"
        );
    }
}

#[tokio::test]
async fn an_empty_world_passes() {
    assert!(audit_world(&World::default(), &options(), None).await.passed());
}

#[tokio::test]
async fn a_lost_movement_is_named() {
    let (counts, text) = planted(|world, [charge, ..]| {
        world.movements.retain(|m| !(m.payment == charge && m.version == 3));
        let wallet = world.wallets.values_mut().next().unwrap();
        wallet.holdings.balance_minor -= 1_000;
    })
    .await;
    assert_eq!(counts[&Name::LostMovement], 1);
    assert!(
        text.contains("lost movement: payment pi_")
            && text.contains("version 3: €10.00 EUR from acquirer to wallet:"),
        "{text}"
    );
}

#[tokio::test]
async fn a_doubled_effect_is_named() {
    let (counts, _) = planted(|world, [charge, ..]| {
        let twice = MovementRecord { version: 9, ..*world.movement(charge, 3) };
        world.movements.push(twice);
        world.wallets.values_mut().next().unwrap().holdings.balance_minor += 1_000;
    })
    .await;
    assert_eq!(counts, only(Name::DoubledEffect));
}

#[tokio::test]
async fn altered_and_unexplained_movements_are_named() {
    let (counts, _) = planted(|world, [charge, ..]| {
        world.movement(charge, 3).movement.amount_minor += 1;
        world.wallets.values_mut().next().unwrap().holdings.balance_minor += 1;
    })
    .await;
    assert_eq!(counts, only(Name::AlteredAmount));
    let (counts, _) =
        planted(|world, [charge, ..]| world.movement(charge, 3).movement.debit = LedgerAccount::Bank).await;
    assert_eq!(counts, only(Name::AlteredMovement));
    let (counts, _) = planted(|world, [charge, ..]| {
        let mut more = MovementRecord { version: 9, ..*world.movement(charge, 3) };
        more.movement.amount_minor = 5;
        world.movements.push(more);
        world.wallets.values_mut().next().unwrap().holdings.balance_minor += 5;
    })
    .await;
    assert_eq!(counts, only(Name::UnexplainedMovement));
    let (counts, text) = planted(|world, [charge, ..]| {
        let mut orphan =
            MovementRecord { payment: PaymentId::from_bytes([0xff; 16]), ..*world.movement(charge, 3) };
        (orphan.movement.debit, orphan.movement.credit) = (LedgerAccount::Acquirer, LedgerAccount::Bank);
        world.movements.push(orphan);
    })
    .await;
    assert_eq!(counts, only(Name::OrphanMovement), "{text}");
}

#[tokio::test]
async fn balances_are_checked() {
    let first = |world: &mut World| world.wallets.keys().next().cloned().unwrap();
    let (counts, text) = planted(|world, _| {
        let key = first(world);
        world.wallets.get_mut(&key).unwrap().holdings.balance_minor += 1;
    })
    .await;
    assert_eq!(counts, only(Name::WrongBalance));
    assert!(text.contains("is stored, its movements sum to 350"), "{text}");
    let (counts, _) = planted(|world, _| {
        let key = first(world);
        world.wallets.remove(&key);
    })
    .await;
    assert_eq!(counts, only(Name::MissingWallet));
    let (counts, _) = planted(|world, _| {
        let key = first(world);
        world.wallets.get_mut(&key).unwrap().holdings.balance_minor = -1;
    })
    .await;
    assert_eq!(counts, BTreeMap::from([(Name::WrongBalance, 1), (Name::NegativeBalance, 1)]));
}

#[tokio::test]
async fn columns_are_compared_with_the_history() {
    type Corruption = fn(&mut AuditPayment);
    let cases: [(&str, Corruption); 10] = [
        ("owner is", |row| row.owner = AccountId::from_bytes([9; 16])),
        ("status is", |row| row.status += 1),
        ("kind is", |row| row.kind += 1),
        ("amount is", |row| row.amount_minor += 1),
        ("currency is", |row| row.currency = "USD".to_owned()),
        ("version is", |row| row.version += 1),
        ("due is", |row| row.due = vec![(ClockId::WALL, Timestamp::from_micros(1))]),
        ("due is", |row| row.busy = Some(ClockId::from_bytes([7; 16]))),
        ("row of open work", |row| row.has_open_work = !row.has_open_work),
        ("parked is", |row| row.parked = Some(row.owner)),
    ];
    for (words, corrupt) in cases {
        let (counts, text) = planted(|world, [charge, ..]| corrupt(world.row(charge))).await;
        // A key is compared with the column that says whose the payment is.
        let expected = match words {
            "owner is" => BTreeMap::from([(Name::WrongColumn, 1), (Name::DanglingKey, 1)]),
            _ => only(Name::WrongColumn),
        };
        assert_eq!(counts, expected, "{words}: {text}");
        assert!(text.contains(words), "{text}");
    }
}

#[tokio::test]
async fn an_illegal_history_is_named() {
    let (counts, _) =
        planted(|world, [charge, ..]| world.row(charge).folded = Err("event x is not legal".to_owned()))
            .await;
    assert!(counts.contains_key(&Name::IllegalHistory));
    // Legal by status, but a refund is answered twice.
    let (counts, text) = planted(|world, [charge, ..]| {
        let payment = world.payment(charge);
        let answered = payment
            .history()
            .iter()
            .find(|r| matches!(r.event, Event::RefundSucceeded { .. }))
            .unwrap()
            .event;
        world.record(charge, None, &vec![answered]);
        world.cursors[0].1 = world.head;
    })
    .await;
    assert!(counts.contains_key(&Name::IllegalHistory), "{text}");
    assert!(text.contains("of a refund that was already answered"), "{text}");
}

#[tokio::test]
async fn money_in_transit_is_what_open_work_holds() {
    let (counts, text) = planted(|world, [_, _, open, _]| {
        // The reservation of an open transfer never left the wallet.
        world.movements.retain(|m| m.payment != open);
        world.wallets.values_mut().next().unwrap().holdings.balance_minor += 50;
    })
    .await;
    assert_eq!(counts, BTreeMap::from([(Name::LostMovement, 1), (Name::WrongInTransit, 1)]), "{text}");
    assert!(text.contains("EUR: 100 are booked, open payments and refunds hold 150"), "{text}");
}

#[tokio::test]
async fn parts_match_histories() {
    let lost = planted(|world, _| world.parts.pop_first().map_or((), drop)).await;
    assert_eq!(lost.0.keys().copied().collect::<Vec<_>>(), [Name::MissingPart], "{}", lost.1);
    let moved = planted(|world, ids| {
        world.parts.values_mut().take(1).for_each(|row| row.payment = ids[1]);
    });
    let (counts, _) = moved.await;
    assert_eq!(counts.keys().copied().collect::<Vec<_>>(), [Name::MissingPart, Name::DanglingPart]);
}

#[tokio::test]
async fn receipts_match_histories() {
    let lost = planted(|world, _| world.receipts.pop_first().map_or((), drop)).await;
    assert_eq!(lost.0.keys().copied().collect::<Vec<_>>(), [Name::MissingReceipt], "{}", lost.1);
    let planted_one = planted(|world, ids| {
        let payee = AccountId::from_bytes([0xee; 16]);
        world.receipts.insert(ReceiptRecord { payee, payment: ids[1] });
    });
    assert_eq!(planted_one.await.0, only(Name::DanglingReceipt));
}

#[tokio::test]
async fn idempotency_rows_point_at_versions_that_were() {
    let (counts, _) =
        planted(|world, _| world.idempotency[1].subject = PaymentId::from_bytes([0xee; 16]).into()).await;
    // It is none of those that the journal vouches for either.
    let expected = BTreeMap::from([(Name::DanglingKey, 1), (Name::MissingKey, 1)]);
    assert_eq!(counts, expected);
    let (counts, _) = planted(|world, _| world.idempotency[3].version = 40).await;
    assert_eq!(counts, expected);
}

#[tokio::test]
async fn idempotency_rows_are_there_and_are_their_owners() {
    let (counts, text) = planted(|world, _| world.idempotency.truncate(3)).await;
    assert_eq!(counts, only(Name::MissingKey), "{text}");
    let (counts, _) = planted(|world, _| world.idempotency[2].request = [0xee; 16]).await;
    let expected = BTreeMap::from([(Name::MissingKey, 1), (Name::ExtraKey, 1)]);
    assert_eq!(counts, expected);
    let (counts, _) =
        planted(|world, _| world.idempotency[2].at = Timestamp::from_micros(world.now_us + 5)).await;
    assert_eq!(counts, only(Name::MissingKey));
    let (counts, text) =
        planted(|world, [.., declined]| world.idempotency[0].subject = declined.into()).await;
    assert_eq!(counts, BTreeMap::from([(Name::MissingKey, 1), (Name::DanglingKey, 1)]), "{text}");
    assert!(text.contains("is of acct_"), "{text}");
    // What may have been deleted is not missed.
    let (mut world, _) = World::sound();
    world.idempotency.remove(0);
    let later = world.journal[1].at;
    let report = audit_world(&world, &AuditOptions { keys_since: later, ..options() }, None).await;
    assert!(report.passed(), "{report}");
    world.journal.drain(..1);
    assert!(audit_world(&world, &options(), None).await.passed());
}

#[tokio::test]
async fn a_movement_stands_where_its_event_was_decided() {
    let (counts, text) = planted(|world, [charge, ..]| world.movement(charge, 3).seq += 1).await;
    assert_eq!(counts, only(Name::AlteredPlace), "{text}");
    let (counts, text) = planted(|world, [charge, ..]| world.movement(charge, 3).place += 1).await;
    assert_eq!(counts, only(Name::AlteredPlace), "{text}");
}

#[tokio::test]
async fn what_is_owed_and_what_is_pending_is_checked() {
    let (counts, _) =
        planted(|world, _| world.wallets.values_mut().next().unwrap().holdings.owed_minor = 7).await;
    assert_eq!(counts, only(Name::WrongOwed));
    let (counts, _) =
        planted(|world, _| world.wallets.values_mut().next().unwrap().holdings.pending_minor = 7).await;
    assert_eq!(counts, only(Name::WrongPending));
}

#[tokio::test]
async fn owners_and_payees_have_accounts() {
    let (counts, text) =
        planted(|world, _| assert!(world.accounts.remove(&AccountId::from_bytes([2; 16])))).await;
    // It received a transfer, and has a wallet.
    assert_eq!(counts, BTreeMap::from([(Name::MissingAccount, 2)]), "{text}");
    assert!(text.contains("the payee of payment"), "{text}");
    let (counts, _) =
        planted(|world, _| assert!(world.accounts.remove(&AccountId::from_bytes([3; 16])))).await;
    assert_eq!(counts, BTreeMap::from([(Name::MissingAccount, 2)]));
}

#[tokio::test]
async fn open_operations_are_forbidden_at_rest_only() {
    let (mut world, [charge, _, open, _]) = World::sound();
    let at_rest = AuditOptions { at_rest: true, ..options() };
    let report = audit_world(&world, &at_rest, None).await;
    assert_eq!(report.counts(), &BTreeMap::from([(Name::OpenOperation, 2)]), "{report}");
    world.answer(open, Response::Approved);
    world.answer(charge, Response::Approved);
    world.cursors[0].1 = world.head;
    assert!(audit_world(&world, &at_rest, None).await.passed());
}

#[tokio::test]
async fn acknowledged_payments_exist_and_rest() {
    let (world, [charge, transfer, open, declined]) = World::sound();
    let file = |lines: &str| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(lines.as_bytes()).unwrap();
        let acks = AckFile::open(file.path()).unwrap();
        // Later lines are not read.
        file.write_all(b"nonsense\n").unwrap();
        acks
    };
    let good = format!("{charge}\n{}\n{declined}\n", transfer.with_prefix("tr_"));
    let report = audit_world(&world, &options(), Some(file(&good))).await;
    assert!(report.passed(), "{report}");
    assert!(report.summary().ends_with("3 acknowledged"), "{report}");
    let complete = format!(
        "{charge} charge 1000 eur\n{charge} charge 1000 eur succeeded\n{charge} refund 200 eur\n{declined} topup 70 eur declined\n"
    );
    let report = audit_world(&world, &options(), Some(file(&complete))).await;
    assert!(report.passed(), "{report}");
    assert!(report.summary().ends_with("1 acknowledged"), "{report}");
    for altered in [
        format!("{charge} transfer 1000 eur"),
        format!("{charge} charge 1001 eur"),
        format!("{charge} charge 1000 usd"),
        format!("{charge} refund 201 eur"),
        format!("{charge} charge 1000 eur canceled"),
        format!("{declined} topup 70 eur succeeded"),
        format!("{transfer} transfer 300 eur declined"),
    ] {
        let report = audit_world(&world, &options(), Some(file(&format!("{altered}\n")))).await;
        assert_eq!(report.counts(), &only(Name::AlteredAcknowledged), "{altered}: {report}");
    }
    for unreadable in [
        "{charge} charge",
        "{charge} charge x eur",
        "{charge} charge 1 eur soon",
        "{charge} charge 1 eur succeeded x",
    ] {
        let line = unreadable.replace("{charge}", &charge.to_string());
        let report = audit_world(&world, &options(), Some(file(&format!("{line}\n")))).await;
        assert_eq!(report.counts(), &only(Name::UnreadableAck), "{line}: {report}");
    }
    let lost = PaymentId::from_bytes([5; 16]);
    let bad = format!("{lost}\n{open}\nhello\n{charge}\npi_half");
    let report = audit_world(&world, &options(), Some(file(&bad))).await;
    let expected = [(Name::LostAcknowledged, 1), (Name::UnfinishedAcknowledged, 1), (Name::UnreadableAck, 1)];
    assert_eq!(report.counts(), &BTreeMap::from(expected), "{report}");
}

#[test]
fn long_lists_are_cut() {
    let mut report = Report::default();
    (0..50).for_each(|n| report.violation(Name::LostMovement, format!("number {n}")));
    let text = report.to_string();
    assert!(
        text.contains("number 19")
            && !text.contains("number 20")
            && text.contains("lost movement: … and 30 more"),
        "{text}"
    );
    assert!(text.lines().last().unwrap().starts_with("FAILED, 50 violations: 0 payments"));
}
