//! Which requests asked for what: written by the sequencer with the changes, found by place, deleted as events are.

use paystorm::domain::command::{Action, Asked, AuthorizationResponse as Response, PaymentCommand};
use paystorm::domain::ids::{AccountId, RefundId, RequestId};
use paystorm::domain::origin::Origin;
use paystorm::domain::submission::Kind;
use paystorm::domain::time::Timestamp;
use paystorm::store::{EventSource, Store};

use crate::support::commands::{answer, at, decide, keyed, one, operate, submit};
use crate::support::stores::both;

fn asked(command: PaymentCommand, key: Option<&str>) -> Asked {
    let origin = Origin { request: RequestId::generate(), key: key.map(Box::from) };
    command.asked_by(Some(Box::new(origin)))
}

async fn all(store: &dyn Store) -> Vec<EventSource> {
    store.snapshot().await.expect("a view").sources(None, 100).await.expect("sources")
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_kept_under_the_first_version_that_came_of_them() {
    for test in both().await {
        let store = test.store.as_ref();
        let owner = AccountId::generate();
        let made = asked(keyed(owner, "one"), Some("one"));
        let (_, decided) = decide(store, std::slice::from_ref(&made), at(0)).await.expect("committed");
        let payment = decided.changes[0].1.clone();
        // Under its key again, and one that changes nothing: nothing came of either.
        let cancel = Action::Cancel { reason: paystorm::domain::event::CancelReason::Duplicate };
        let first = asked(operate(&payment, cancel), None);
        let batch =
            [asked(keyed(owner, "one"), Some("one")), first.clone(), asked(operate(&payment, cancel), None)];
        decide(store, &batch, at(1)).await.expect("committed");
        let found = all(store).await;
        let versions: Vec<_> = found.iter().map(|one| (one.version, one.origin.as_ref())).collect();
        let wanted = [(1, made.origin.as_deref()), (2, first.origin.as_deref())];
        assert_eq!(versions, wanted, "{}", test.name);
        assert!(found.iter().all(|one| one.owner == owner && one.subject == payment.id().into()));
        assert_eq!((found[0].at, found[0].wall), (payment.created_at(), payment.history()[0].wall));
        // By their places, and none where there is none.
        let nowhere = (owner, at(7), payment.id().into(), 1);
        let mut read = store.source_get(&[found[1].place(), nowhere, found[0].place()]).await.expect("read");
        read.sort_unstable_by_key(EventSource::place);
        assert_eq!(read, found, "{}", test.name);
        // Old by the wall clock and by its own.
        let later = Timestamp::from_micros(i64::MAX);
        assert_eq!(store.event_delete(AccountId::generate(), later, later).await.expect("none"), 0);
        assert_eq!(store.event_delete(owner, found[1].at, later).await.expect("deleted"), 1, "{}", test.name);
        assert_eq!(store.event_delete(owner, later, found[1].wall).await.expect("deleted"), 0);
        assert_eq!(all(store).await, found[1..], "{}", test.name);
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_two_refunds_in_a_batch_has_its_request() {
    for test in both().await {
        let store = test.store.as_ref();
        let charge = one(store, submit(AccountId::generate(), Kind::Charge, 300), at(0)).await;
        let charge = one(store, answer(&charge, Response::Approved), at(1)).await;
        let refund =
            |n| Action::Refund { refund: RefundId::from_bytes([n; 16]), amount_minor: Some(1), detail: None };
        let batch = [1, 2].map(|n| asked(operate(&charge, refund(n)), None));
        decide(store, &batch, at(2)).await.expect("committed");
        let found = all(store).await;
        let requests: Vec<_> =
            found.iter().map(|one| (one.version, one.origin.as_ref().map(|it| it.request))).collect();
        let version = charge.version();
        let wanted = [1, 2].map(|n| {
            let origin = batch[usize::try_from(n - 1).expect("small")].origin.as_ref().expect("one");
            (version + n, Some(origin.request))
        });
        assert_eq!(requests, wanted, "{}", test.name);
        test.remove().await;
    }
}
