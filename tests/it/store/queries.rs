//! Lists by keyset, what is due, what is open, and a snapshot that stands still.

use std::time::Duration;

use paystorm::domain::command::{Action, AuthorizationResponse as Response, PaymentCommand};
use paystorm::domain::decline::DeclineReason;
use paystorm::domain::event::TechnicalError;
use paystorm::domain::ids::{AccountId, ChargeId, ClockId, InstanceId, PartId, PaymentId, RefundId};
use paystorm::domain::instrument::Presented;
use paystorm::domain::payment::Payment;
use paystorm::domain::payment_kind::PaymentKind;
use paystorm::domain::submission::Kind;
use paystorm::domain::time::Timestamp;
use paystorm::store::{
    Beside, ChargeFilter, PartFilter, PartKind, PartRecord, PaymentFilter, Projected, charge_list,
};

use crate::support::commands::{answer, at, decide, one, operate, submission, submit};
use crate::support::stores::both;

fn ids(payments: &[Payment]) -> Vec<PaymentId> {
    payments.iter().map(Payment::id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_paged_in_both_directions_and_filtered() {
    for test in both().await {
        let store = test.store.as_ref();
        let (owner, stranger) = (AccountId::generate(), AccountId::generate());
        let mut made = Vec::new();
        for n in 0..7 {
            let kind = if n % 3 == 0 { Kind::TopUp } else { Kind::Charge };
            let now = at(u64::try_from(n).expect("small"));
            made.push(one(store, submit(owner, kind, 10 + n), now).await.id());
            one(store, submit(stranger, Kind::Charge, 1), now).await;
        }
        made.reverse();
        let list =
            async |filter: PaymentFilter| ids(&store.payment_list(owner, &filter).await.expect("listed"));
        let page = PaymentFilter { limit: 3, ..PaymentFilter::default() };
        assert_eq!(list(page.clone()).await, made[..3], "{}: newest first", test.name);
        let older = PaymentFilter { before: Some(made[2]), ..page.clone() };
        assert_eq!(list(older).await, made[3..6], "{}: further back", test.name);
        let newer = PaymentFilter { after: Some(made[5]), ..page.clone() };
        assert_eq!(list(newer).await, made[2..5], "{}: the page before, newest first", test.name);
        let all = PaymentFilter { limit: 100, ..page };
        let topups: Vec<_> =
            made.iter().copied().rev().step_by(3).collect::<Vec<_>>().into_iter().rev().collect();
        let kinds = vec![PaymentKind::TopUp];
        assert_eq!(list(PaymentFilter { kinds, ..all.clone() }).await, topups, "{}", test.name);
        let stored = store.payment_get(&[made[2]]).await.expect("read");
        let created = stored[0].created_at();
        let from = PaymentFilter { created_from: Some(created), ..all.clone() };
        assert_eq!(list(from).await, made[..=2], "{}: from", test.name);
        let to = PaymentFilter { created_to: Some(created), ..all.clone() };
        assert_eq!(list(to).await, made[3..], "{}: to", test.name);
        assert_eq!(list(all.clone()).await, made, "{}", test.name);
        // Its id waited for the sequencer: what counts is when it was created.
        let late = one(store, submit(owner, Kind::Charge, 99), at(60_000)).await.id();
        let from = PaymentFilter { created_from: Some(at(60_000)), ..all.clone() };
        assert_eq!(list(from).await, [late], "{}: created later than its id says", test.name);
        let to = PaymentFilter { created_to: Some(at(60_000)), limit: 3, ..all.clone() };
        assert_eq!(list(to).await, made[..3], "{}: a page is filled up past it", test.name);
        let scanned = store.payment_scan(Some(made[6]), 3).await.expect("scanned");
        assert_eq!(scanned.len(), 3, "{}", test.name);
        assert!(scanned.is_sorted_by_key(Payment::id) && scanned[0].id() > made[6], "{}", test.name);
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_comes_in_the_order_of_its_time() {
    for test in both().await {
        let store = test.store.as_ref();
        let owner = AccountId::generate();
        let mut waiting = Vec::new();
        for now in [3_000, 1_000, 2_000] {
            let charge = one(store, submit(owner, Kind::Charge, 5), at(0)).await;
            let broken = Response::TechnicalFailure(TechnicalError::Timeout);
            waiting.push(one(store, answer(&charge, broken), at(now)).await);
        }
        let due = |ms, limit| store.payment_due(ClockId::WALL, at(ms), limit);
        assert_eq!(
            store.payment_next_due(ClockId::WALL, at(0)).await.expect("read"),
            Some(at(2_000)),
            "{}",
            test.name
        );
        assert!(due(1_999, 10).await.expect("read").is_empty(), "{}", test.name);
        let order =
            [(1, 2_000), (2, 3_000), (0, 4_000)].map(|(n, ms): (usize, u64)| (waiting[n].id(), at(ms)));
        assert_eq!(due(9_000, 10).await.expect("read"), order, "{}", test.name);
        assert_eq!(due(3_000, 10).await.expect("read"), order[..2], "{}", test.name);
        assert_eq!(due(9_000, 1).await.expect("read"), order[..1], "{}", test.name);
        for payment in &waiting {
            let requeued =
                one(store, paystorm::domain::command::SystemCommand::TimerDue(payment.id()), at(9_000)).await;
            // The one retry there is breaks as well.
            one(store, answer(&requeued, Response::TechnicalFailure(TechnicalError::Timeout)), at(9_001))
                .await;
        }
        assert_eq!(store.payment_next_due(ClockId::WALL, at(0)).await.expect("read"), None, "{}", test.name);
        let parked = store.payment_parked(owner, 2).await.expect("read");
        assert_eq!(ids(&parked), [waiting[2].id(), waiting[1].id()], "{}: newest first", test.name);
        let replayed = one(store, operate(&parked[0], Action::Replay), at(9_002)).await;
        assert!(!replayed.is_parked());
        assert_eq!(store.payment_parked(owner, 9).await.expect("read").len(), 2, "{}", test.name);
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_open_work_are_written_with_their_cursor_or_not_at_all() {
    for test in both().await {
        let store = test.store.as_ref();
        let owner = AccountId::generate();
        let batch: Vec<_> = (0..5).map(|_| submit(owner, Kind::Charge, 5)).collect();
        crate::support::commands::decide(store, &batch, at(0)).await.expect("committed");
        let ids: Vec<PaymentId> = batch.iter().map(PaymentCommand::payment).collect();
        let (ours, other) = (InstanceId::generate(), InstanceId::generate());
        let ttl = Duration::from_secs(60);
        store.lease_take("open_work", ours, at(0), ttl).await.expect("taken");
        let project = async |holder, from, upto, put: &[PaymentId], remove: &[PaymentId]| {
            let open_work = Beside { put: put.to_vec(), remove: remove.to_vec() };
            let made = Projected { open_work, ..Projected::default() };
            store.project("open_work", holder, from, upto, &made).await.expect("asked")
        };
        let rows = async || {
            let (mut after, mut found) = (None, Vec::new());
            loop {
                let page = store.work_open(after, 2).await.expect("read");
                let Some(last) = page.last() else { break };
                after = Some(last.id());
                found.extend(page.iter().map(Payment::id));
            }
            assert_eq!(store.work_open_count().await.expect("counted"), found.len() as u64);
            found
        };
        assert!(!project(other, 0, 1, &ids, &[]).await, "{}: another has the lease", test.name);
        assert!(!project(ours, 1, 2, &ids, &[]).await, "{}: the cursor stands elsewhere", test.name);
        assert!(rows().await.is_empty(), "{}", test.name);
        assert!(project(ours, 0, 1, &ids[..4], &[]).await, "{}", test.name);
        assert_eq!(rows().await, ids[..4], "{}", test.name);
        // Where the cursor stays, and what is there or gone already.
        assert!(project(ours, 1, 1, &ids[3..], &ids[..1]).await, "{}", test.name);
        assert_eq!(rows().await, ids[1..], "{}", test.name);
        assert!(project(ours, 1, 2, &[], &ids).await, "{}", test.name);
        assert!(rows().await.is_empty(), "{}", test.name);
        assert_eq!(store.cursor_get("open_work").await.expect("read"), 2, "{}", test.name);
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_found_by_id_and_listed_by_owner_and_kind() {
    for test in both().await {
        let store = test.store.as_ref();
        let owner = AccountId::generate();
        let charge = one(store, submit(owner, Kind::Charge, 50), at(0)).await;
        let lost = Response::Declined(DeclineReason::LostCard);
        let charge = one(store, answer(&charge, lost), at(1)).await;
        let now = Timestamp::now();
        let second = ChargeId::generate();
        let instrument = charge.state().instrument;
        let confirm = Action::Confirm { instrument, presented: Presented::default(), charge: second };
        let charge = one(store, operate(&charge, confirm), now).await;
        let charge = one(store, answer(&charge, Response::Approved), now.next()).await;
        let made = [RefundId::generate(), RefundId::generate()];
        for (n, refund) in (1..).zip(made) {
            let action = Action::Refund { refund, amount_minor: Some(5), detail: None };
            one(store, operate(&charge, action), now.plus_ms(n)).await;
        }
        let record =
            |id: PartId, kind, created| PartRecord { id, owner, created, payment: charge.id(), kind };
        let charged = record(second.into(), PartKind::Charge, now);
        let refunds = [1, 2].map(|n: u64| {
            record(made[usize::try_from(n).unwrap() - 1].into(), PartKind::Refund, now.plus_ms(n))
        });
        let [first, later] = refunds;
        for part in [charged, first, later] {
            assert_eq!(store.part_get(part.id).await.expect("read"), Some(part), "{}", test.name);
        }
        assert_eq!(store.part_get(PartId::generate()).await.expect("read"), None, "{}", test.name);
        let all = PartFilter { limit: 9, ..PartFilter::default() };
        assert_eq!(
            store.part_list(owner, PartKind::Charge, &all).await.expect("read"),
            [charged],
            "{}: the first charge has its payment's id and no row",
            test.name
        );
        for (filter, expected) in [
            (all, vec![later, first]),
            (PartFilter { before: Some(later.id), ..all }, vec![first]),
            (PartFilter { after: Some(first.id), ..all }, vec![later]),
            (PartFilter { after: Some(later.id), ..all }, vec![]),
            (PartFilter { created_from: Some(first.created), ..all }, vec![later, first]),
            (PartFilter { created_from: Some(later.created), ..all }, vec![later]),
            (PartFilter { created_to: Some(first.created), ..all }, vec![]),
            (PartFilter { created_to: Some(later.created), ..all }, vec![first]),
            (PartFilter { limit: 1, ..all }, vec![later]),
        ] {
            let list = store.part_list(owner, PartKind::Refund, &filter).await.expect("read");
            assert_eq!(list, expected, "{} {filter:?}", test.name);
            assert!(expected.iter().all(|part| filter.takes(part.id, part.created)), "{filter:?}");
        }
        let nobody = AccountId::generate();
        assert!(store.part_list(nobody, PartKind::Refund, &all).await.expect("read").is_empty());
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_does_not_see_what_came_after_it() {
    for test in both().await {
        let store = test.store.as_ref();
        let owner = AccountId::generate();
        let first = one(store, submit(owner, Kind::Charge, 5), at(0)).await;
        let mut snapshot = store.snapshot().await.expect("snapshot");
        one(store, answer(&first, Response::Approved), at(1)).await;
        one(store, submit(owner, Kind::Charge, 6), at(2)).await;
        assert_eq!(snapshot.head().await.expect("head"), 1, "{}", test.name);
        let rows = snapshot.payments(None, 10).await.expect("read");
        assert_eq!(rows.len(), 1, "{}", test.name);
        assert_eq!(rows[0].folded.as_ref().map(Payment::version), Ok(1), "{}", test.name);
        assert!(snapshot.movements(None, 10).await.expect("read").is_empty(), "{}", test.name);
        assert!(snapshot.wallets(None, 10).await.expect("read").is_empty(), "{}", test.name);
        assert_eq!(snapshot.journal(0, 10).await.expect("read").len(), 1, "{}", test.name);
        drop(snapshot);
        let mut later = store.snapshot().await.expect("snapshot");
        assert_eq!(later.payments(None, 10).await.expect("read").len(), 2, "{}", test.name);
        // A table that a snapshot reads cannot be dropped.
        drop(later);
        test.remove().await;
    }
}

/// An id whose first 48 bits, its millisecond, are the same as those of the others.
fn at_one_millisecond(n: u128) -> [u8; 16] {
    let millis = 1_796_000_000_000_u128 << 80;
    // Spread, so that the order of making is not that of ids.
    let spread = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) & ((1 << 62) - 1);
    (millis | 0x7000 << 64 | 0x8000_0000_0000_0000 | spread).to_be_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_charges_of_one_millisecond_are_paged_without_loss() {
    const PAYMENTS: u128 = 1_000;
    for test in both().await {
        let store = test.store.as_ref();
        let owner = AccountId::generate();
        let submits: Vec<PaymentCommand> = (0..PAYMENTS)
            .map(|n| {
                let mut submit = submission(owner, Kind::Charge, 50);
                submit.submission.id = PaymentId::from_bytes(at_one_millisecond(n));
                // Every fifth waits for its first attempt indefinitely.
                submit.confirm = n % 5 != 0;
                PaymentCommand::Submit(Box::new(submit))
            })
            .collect();
        let (_, made) = decide(store, &submits, at(0)).await.expect("committed");
        let payments: Vec<_> = made.changes.iter().map(|(_, payment)| Payment::clone(payment)).collect();
        let waiting = |payment: &&Payment| payment.queued_work().next().is_some();
        let lost = Response::Declined(DeclineReason::LostCard);
        let answers: Vec<_> = payments.iter().filter(waiting).map(|payment| answer(payment, lost)).collect();
        let (_, declined) = decide(store, &answers, at(1)).await.expect("committed");
        let mut wanted: Vec<ChargeId> =
            declined.changes.iter().map(|(entry, _)| ChargeId::of_payment(entry.payment)).collect();
        // Every second one is tried again.
        let again: Vec<_> = declined.changes.iter().step_by(2).collect();
        let confirm = |(n, (_, payment)): (u128, &&(_, std::sync::Arc<Payment>))| {
            let charge = ChargeId::from_bytes(at_one_millisecond(PAYMENTS + n));
            let instrument = payment.state().instrument;
            operate(payment, Action::Confirm { instrument, presented: Presented::default(), charge })
        };
        let confirms: Vec<_> = (0..).zip(&again).map(confirm).collect();
        let (_, confirmed) = decide(store, &confirms, at(2)).await.expect("committed");
        // All but some are answered: those have no charge yet.
        let answers: Vec<_> = confirmed
            .changes
            .iter()
            .skip(7)
            .map(|(_, payment)| answer(payment, Response::Approved))
            .collect();
        let (_, paid) = decide(store, &answers, at(3)).await.expect("committed");
        wanted.extend(
            paid.changes
                .iter()
                .filter_map(|(_, payment)| payment.charges().next_back().map(|charge| charge.id)),
        );
        wanted.sort_unstable();
        assert_eq!(wanted.len(), 800 + 400 - 7);
        for limit in [50, 333] {
            let all = ChargeFilter { limit, ..ChargeFilter::default() };
            let (mut forwards, mut filter) = (Vec::new(), all);
            loop {
                let page = charge_list(store, owner, filter).await.expect("read");
                assert!(page.iter().all(|one| filter.takes(one)), "{filter:?}");
                forwards.extend(page.iter().map(|one| one.charge));
                let Some(last) = page.last() else { break };
                filter.before = Some(last.charge);
            }
            forwards.reverse();
            assert_eq!(forwards, wanted, "{} {limit}", test.name);
            let (mut backwards, mut filter) = (Vec::new(), all);
            filter.after = Some(ChargeId::from_bytes([0; 16]));
            loop {
                let page = charge_list(store, owner, filter).await.expect("read");
                backwards.extend(page.iter().rev().map(|one| one.charge));
                let Some(first) = page.first() else { break };
                filter.after = Some(first.charge);
            }
            assert_eq!(backwards, wanted, "{} {limit}", test.name);
        }
        test.remove().await;
    }
}
