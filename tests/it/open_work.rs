//! Open work is found in the table and in the journal beyond its cursor: all of it, once, and up to any position.

use std::collections::BTreeMap;
use std::sync::Arc;

use paystorm::domain::command::{Action, AuthorizationResponse as Response, PaymentCommand};
use paystorm::domain::event::CancelReason;
use paystorm::domain::ids::{AccountId, PaymentId, RefundId};
use paystorm::domain::payment::{Payment, WorkKey};
use paystorm::domain::submission::{Kind, Lane};
use paystorm::readers::open_work::search::Search;
use paystorm::readers::open_work::{self, end_of};
use paystorm::store::Store;

use crate::corruption::sql;
use crate::support::binary::eventually;
use crate::support::commands::{
    Command, answer, at, decide, follow_open_work, one, operate, submit, write_down_open_work,
};
use crate::support::stores::{TestStore, both};

/// What a redrive up to a position publishes, in order.
async fn found(store: &dyn Store, place: u64) -> Vec<WorkKey> {
    let before = end_of(store, place).await.expect("read");
    let mut search = Search::begin(store, Lane::Bulk, before).await.expect("it begins");
    let mut all = Vec::new();
    while let Some(page) = search.next(store).await.expect("it goes on") {
        all.extend(page.into_iter().flat_map(|found| found.work));
    }
    all.sort_unstable_by_key(|work| (work.payment, work.operation, work.attempt));
    all
}

/// Decides about payments and remembers at which position each attempt came into the queue.
struct Recorder<'a> {
    store: &'a Arc<dyn Store>,
    opened: BTreeMap<(PaymentId, u16, u16), u64>,
    batches: u64,
}

impl Recorder<'_> {
    async fn decide(&mut self, command: impl Into<Command>) -> Payment {
        self.batches += 1;
        let payment = one(self.store.as_ref(), command, at(self.batches)).await;
        let queued: Vec<_> =
            payment.queued_work().map(|work| (work.payment, work.operation, work.attempt)).collect();
        self.opened.retain(|key, _| key.0 != payment.id() || queued.contains(key));
        for key in queued {
            self.opened.entry(key).or_insert(self.batches);
        }
        payment
    }

    /// Checks that a redrive up to each position finds what was opened by then, and nothing twice.
    async fn check(&self, what: &str) {
        for place in 0..=self.batches {
            let found = found(self.store.as_ref(), place).await;
            let found: Vec<_> =
                found.iter().map(|work| (work.payment, work.operation, work.attempt)).collect();
            let upto = self.opened.iter().filter(|(_, opened)| **opened <= place);
            assert_eq!(found, upto.map(|(key, _)| *key).collect::<Vec<_>>(), "{what}: up to {place}");
        }
        let payments: std::collections::BTreeSet<_> = self.opened.keys().map(|key| key.0).collect();
        let counted = open_work::count(self.store.as_ref()).await.expect("counted");
        assert_eq!(counted.payments, payments.len() as u64, "{what}");
        assert_eq!(counted.oldest.is_some(), !payments.is_empty(), "{what}");
    }
}

/// What is merely touched stays where it was opened: a redrive up to a position, and the journal from there, miss nothing.
#[tokio::test(flavor = "multi_thread")]
async fn open_work_is_found_up_to_any_place_whatever_else_the_payment_is_asked_for() {
    // Written down after each of these steps, or never.
    for written in [vec![], vec![1], vec![2, 5], vec![4, 9], (0..20).collect()] {
        for test in both().await {
            let mut recorder = Recorder { store: &test.store, opened: BTreeMap::new(), batches: 0 };
            let owner = AccountId::generate();
            let mut charge = recorder.decide(submit(owner, Kind::Charge, 50)).await;
            let other = recorder.decide(submit(owner, Kind::Charge, 60)).await;
            let cancel = |payment: &Payment| {
                operate(payment, Action::Cancel { reason: CancelReason::RequestedByCustomer })
            };
            let refund = |payment: &Payment| {
                let refund = RefundId::generate();
                operate(payment, Action::Refund { refund, amount_minor: Some(5), detail: None })
            };
            let other = recorder.decide(cancel(&other)).await;
            for step in 0..10 {
                charge = match step {
                    // The approval, three refunds, and what they come to.
                    0 | 4 | 5 | 7 => recorder.decide(answer(&charge, Response::Approved)).await,
                    1 | 2 | 3 | 6 | 8 => recorder.decide(refund(&charge)).await,
                    _ => {
                        recorder.decide(answer(&other, Response::Approved)).await;
                        charge
                    }
                };
                if written.contains(&step) {
                    write_down_open_work(&test.store).await;
                    let rows = test.store.work_open_count().await.expect("counted");
                    assert_eq!(rows, open_work::count(test.store.as_ref()).await.expect("counted").payments);
                }
                recorder.check(&format!("{}, written after {written:?}, step {step}", test.name)).await;
            }
            test.remove().await;
        }
    }
}

/// Three charges. The second is answered; the last is opened with the row that is torn or gone.
async fn torn(test: &TestStore, written: bool) -> Vec<WorkKey> {
    let store = test.store.as_ref();
    let owner = AccountId::generate();
    let charges: Vec<PaymentCommand> = (0..2).map(|_| submit(owner, Kind::Charge, 5)).collect();
    let (_, made) = decide(store, &charges, at(1)).await.expect("committed");
    if written {
        write_down_open_work(&test.store).await;
    }
    let answered = answer(&made.changes[1].1, Response::Approved);
    let (_, last) = decide(store, &[Command::from(answered), submit(owner, Kind::Charge, 6).into()], at(2))
        .await
        .expect("committed");
    one(store, submit(owner, Kind::TopUp, 7), at(3)).await;
    let mut open: Vec<WorkKey> = made.changes[0].1.queued_work().collect();
    open.extend(last.changes.iter().flat_map(|(_, payment)| payment.queued_work()));
    open.sort_unstable_by_key(|work| work.payment);
    open
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_journal_cannot_be_read_the_payments_tell() {
    for damage in ["UPDATE journal SET body=x'00' WHERE seq=2", "DELETE FROM journal WHERE seq=2"] {
        for written in [false, true] {
            for test in both().await {
                let open = torn(&test, written).await;
                sql(&test, damage).await;
                let what = format!("{} {damage} {written}", test.name);
                let store = test.store.as_ref();
                let upto = found(store, 2).await;
                assert_eq!(upto, open, "{what}");
                assert_eq!(found(store, 3).await.len(), open.len() + 1, "{what}");
                // The rows are rebuilt, and the cursor is past what is lost.
                let (stop, task) = follow_open_work(&test.store).await;
                eventually("the cursor is past it", async || {
                    store.cursor_get(open_work::NAME).await.expect("read") == 3
                })
                .await;
                stop.cancel();
                task.await.expect("it stops");
                assert_eq!(store.work_open_count().await.expect("counted"), 3, "{what}");
                assert_eq!(found(store, 3).await.len(), 3, "{what}");
                let rows = store.work_open(None, 9).await.expect("read");
                assert!(rows.iter().all(|payment| payment.queued_work().next().is_some()), "{what}");
                test.remove().await;
            }
        }
    }
}

/// A reader whose cursor is before what was pruned rebuilds its rows.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_was_cut_off_begins_with_the_payments() {
    for test in both().await {
        let store = test.store.as_ref();
        let open = torn(&test, false).await;
        store.journal_prune(2, at(1_000_000)).await.expect("pruned");
        assert_eq!(found(store, 3).await.len(), open.len() + 1, "{}", test.name);
        write_down_open_work(&test.store).await;
        assert_eq!(store.work_open_count().await.expect("counted"), 3, "{}", test.name);
        test.remove().await;
    }
}
