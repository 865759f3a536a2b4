//! Plain resources: changed by the sequencer, read one by one and in lists, and the answers kept for their changes.

use paystorm::domain::ids::{AccountId, ClockId, CustomerId};
use paystorm::domain::resource::{Body, Change, ChangeResource, Resource};
use paystorm::domain::subject::{Subject, SubjectKind};
use paystorm::domain::submission::Kind;
use paystorm::domain::time::Timestamp;
use paystorm::engine::EngineError;
use paystorm::engine::decide_batch::{ChangeAnswer, DecidedChange};
use paystorm::store::{PaymentFilter, ResourceFilter, Store, StoreError};

use crate::corruption::sql;
use crate::support::commands::{Command, at, change, customer, decide, renamed, submission};
use crate::support::stores::both;

const EVERY: ResourceFilter = ResourceFilter {
    kind: SubjectKind::Customer,
    clock: ClockId::WALL,
    before: None,
    after: None,
    created_from: None,
    created_to: None,
    limit: 100,
};

fn name(resource: &Resource) -> String {
    match &resource.body {
        Some(Body::Customer(customer)) => customer.name.clone().unwrap_or_default(),
        Some(Body::Clock(clock)) => clock.name.clone().unwrap_or_default(),
        None => "deleted".to_owned(),
    }
}

async fn list(store: &dyn Store, owner: AccountId, filter: ResourceFilter) -> Vec<String> {
    store.resource_list(owner, &filter).await.expect("listed").iter().map(name).collect()
}

fn answer_of(decision: &Result<DecidedChange, EngineError>) -> String {
    match &decision.as_ref().expect("admitted").answer {
        ChangeAnswer::Known(Some(answer)) => String::from_utf8(answer.to_vec()).expect("text"),
        other => format!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn resources_are_made_changed_listed_and_deleted() {
    for test in both().await {
        let store = test.store.as_ref();
        let (owner, other) = (AccountId::generate(), AccountId::generate());
        let mut ids = Vec::new();
        for n in 0..5_u64 {
            let (id, command) = customer(owner, &format!("c{n}"), None);
            decide(store, &[command], Timestamp::now()).await.expect("committed");
            ids.push(Subject::from(id));
            // Ids are in order by the millisecond.
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        let (_, foreign) = customer(other, "foreign", None);
        decide(store, &[foreign], Timestamp::now()).await.expect("committed");
        assert_eq!(list(store, owner, EVERY).await, ["c4", "c3", "c2", "c1", "c0"], "{}", test.name);
        let two = ResourceFilter { limit: 2, ..EVERY };
        assert_eq!(list(store, owner, ResourceFilter { before: Some(ids[3]), ..two }).await, ["c2", "c1"]);
        assert_eq!(list(store, owner, ResourceFilter { after: Some(ids[1]), ..two }).await, ["c3", "c2"]);
        // By time, to the microsecond.
        let found = store.resource_get(ids[2]).await.expect("read").expect("there");
        let exact = ResourceFilter {
            created_from: Some(found.created),
            created_to: Some(found.created.next()),
            ..EVERY
        };
        assert_eq!(list(store, owner, exact).await, ["c2"], "{}", test.name);
        let none = ResourceFilter { created_from: Some(found.created.plus_ms(999_000)), ..EVERY };
        assert!(list(store, owner, none).await.is_empty(), "{}", test.name);
        let elsewhere = ResourceFilter { clock: ClockId::from_bytes([1; 16]), ..EVERY };
        assert!(list(store, owner, elsewhere).await.is_empty(), "{}", test.name);
        let batch = [
            change(owner, ids[1], renamed("once"), None),
            change(owner, ids[1], renamed("twice"), None),
            change(owner, ids[4], Change::Delete, None),
            change(other, ids[0], renamed("stolen"), None),
            change(owner, ids[4], renamed("too late"), None),
        ];
        let (_, decided) = decide(store, &batch, at(9)).await.expect("committed");
        let refused: Vec<bool> = decided.resources.iter().map(Result::is_err).collect();
        assert_eq!(refused, [false, false, false, true, true], "{}: {decided:?}", test.name);
        assert_eq!(list(store, owner, EVERY).await, ["c3", "c2", "twice", "c0"], "{}", test.name);
        let twice = store.resource_get(ids[1]).await.expect("read").expect("there");
        assert_eq!((twice.version, twice.owner), (3, owner), "{}", test.name);
        let gone = store.resource_get(ids[4]).await.expect("read").expect("its row stays");
        assert_eq!((gone.version, gone.body), (2, None), "{}", test.name);
        // What changes nothing takes no position in the journal.
        let (seq, decided) =
            decide(store, &[change(owner, ids[1], renamed("twice"), None)], at(10)).await.unwrap();
        assert_eq!((seq, decided.resources[0].as_ref().expect("admitted").version), (0, 3), "{}", test.name);
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_kept_as_they_were_given() {
    for test in both().await {
        let store = test.store.as_ref();
        let owner = AccountId::generate();
        let (id, made) = customer(owner, "Ann", Some("make"));
        // The edge makes a new id each time.
        let again = || ChangeResource { subject: CustomerId::generate().into(), ..made.clone() };
        let (_, decided) = decide(store, &[made.clone(), again()], at(0)).await.expect("committed");
        let first = answer_of(&decided.resources[0]);
        assert!(first.contains("Ann"), "{first}");
        assert_eq!(answer_of(&decided.resources[1]), first, "{}: within the batch", test.name);
        decide(store, &[change(owner, id.into(), renamed("Anna"), Some("rename"))], at(1)).await.unwrap();
        decide(store, &[change(owner, id.into(), Change::Delete, None)], at(2)).await.expect("committed");
        let (seq, decided) = decide(store, &[again()], at(3)).await.expect("committed");
        assert_eq!(seq, 0, "{}: nothing was done again", test.name);
        let replayed = decided.resources[0].as_ref().expect("admitted");
        assert!(replayed.replayed && replayed.subject == Subject::from(id), "{replayed:?}");
        let ChangeAnswer::Stored(key, by) = replayed.answer else { panic!("{replayed:?}") };
        let kept = store.answer_get(&key, by).await.expect("read").expect("kept");
        assert_eq!(String::from_utf8(kept).expect("text"), first, "{}: byte for byte", test.name);
        // The answer goes with its key.
        store.idempotency_prune(&[], at(1), 100).await.expect("pruned");
        assert_eq!(store.answer_get(&key, by).await.expect("read"), None, "{}", test.name);
        assert!(store.idempotency_get(&key, by).await.expect("read").is_none(), "{}", test.name);
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn payments_name_customers_of_their_owner() {
    for test in both().await {
        let store = test.store.as_ref();
        let (owner, other) = (AccountId::generate(), AccountId::generate());
        let (ann, made) = customer(owner, "Ann", None);
        let (foreign, theirs) = customer(other, "Foreign", None);
        let of = |customer| {
            let mut command = submission(owner, Kind::Charge, 100);
            command.submission.customer = Some(customer);
            paystorm::domain::command::PaymentCommand::Submit(Box::new(command))
        };
        // Made and named in one batch.
        let changes = [made, theirs].map(Command::from);
        let payments = [ann, foreign, CustomerId::generate(), ann].map(|customer| of(customer).into());
        let batch: Vec<Command> = changes.into_iter().chain(payments).collect();
        let (_, decided) = decide(store, &batch, at(0)).await.expect("committed");
        assert!(decided.resources.iter().all(Result::is_ok), "{}: {decided:?}", test.name);
        let refused: Vec<bool> = decided.payments.iter().map(Result::is_err).collect();
        assert_eq!(refused, [false, true, true, false], "{}: {decided:?}", test.name);
        let Err(EngineError::Refused(rejection)) = &decided.payments[1] else { panic!("{decided:?}") };
        assert_eq!((rejection.code, rejection.param.as_deref()), ("resource_missing", Some("customer")));
        let filter = PaymentFilter { limit: 1, ..PaymentFilter::default() };
        let newest = store.customer_payments(ann, &filter).await.expect("listed");
        let older = PaymentFilter { before: Some(newest[0].id()), ..filter.clone() };
        let older = store.customer_payments(ann, &older).await.expect("listed");
        let mut ids = [newest[0].id(), older[0].id()];
        ids.sort_unstable();
        let mut wanted: Vec<_> = decided.changes.iter().map(|(entry, _)| entry.payment).collect();
        wanted.sort_unstable();
        assert_eq!(ids.as_slice(), wanted, "{}", test.name);
        assert!(store.customer_payments(foreign, &filter).await.expect("listed").is_empty());
        decide(store, &[change(owner, ann.into(), Change::Delete, None)], at(1)).await.expect("committed");
        let (_, decided) = decide(store, &[of(ann)], at(2)).await.expect("committed");
        assert!(decided.payments[0].is_err(), "{}: a deleted one is charged no more", test.name);
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_cannot_be_read_holds_up_none_of_the_others() {
    for test in both().await {
        let store = test.store.as_ref();
        let owner = AccountId::generate();
        let (torn, first) = customer(owner, "torn", None);
        let (well, second) = customer(owner, "well", None);
        decide(store, &[first, second], at(0)).await.expect("committed");
        let key: String = Subject::from(torn).to_key().iter().map(|byte| format!("{byte:02x}")).collect();
        sql(&test, &format!("UPDATE resource SET body=x'c1' WHERE subject=x'{key}'")).await;
        let found = store.resource_get(torn.into()).await;
        assert!(matches!(found, Err(StoreError::Damaged(_))), "{}: {found:?}", test.name);
        assert_eq!(list(store, owner, EVERY).await, ["well"], "{}", test.name);
        assert_eq!(store.aside().len(), 1, "{}: it is noted", test.name);
        let batch =
            [change(owner, torn.into(), renamed("x"), None), change(owner, well.into(), renamed("y"), None)];
        let (_, decided) = decide(store, &batch, at(1)).await.expect("committed");
        assert!(matches!(decided.resources[0], Err(EngineError::Damaged(_))), "{decided:?}");
        assert!(decided.resources[1].is_ok(), "{decided:?}");
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_loads_no_more_of_them_than_it_can_hold() {
    for test in both().await {
        let store = test.store.as_ref();
        let owner = AccountId::generate();
        let ids: Vec<CustomerId> = (0..150).map(|_| CustomerId::generate()).collect();
        for chunk in ids.chunks(25) {
            let large = |id: &CustomerId| {
                let pairs = (0..50).map(|n| (format!("k{n}"), "x".repeat(2_000))).collect();
                let body = paystorm::domain::customer::Customer { metadata: pairs, ..Default::default() };
                let create = Change::Create { clock: ClockId::WALL, body: Box::new(Body::Customer(body)) };
                change(owner, (*id).into(), create, None)
            };
            decide(store, &chunk.iter().map(large).collect::<Vec<_>>(), at(0)).await.expect("committed");
        }
        let mut keys = paystorm::store::BatchKeys::default();
        keys.resources.extend(ids.iter().map(|id| Subject::from(*id)));
        keys.resources.sort_unstable();
        let (mut loaded, mut left_out) = (0, 0);
        let mut look = |_: paystorm::store::Head, found: paystorm::store::Loaded| {
            (loaded, left_out) = (found.resources.len(), found.left_out.len());
            paystorm::store::BatchWrite::default()
        };
        let batch = paystorm::domain::ids::BatchId::generate();
        store.commit_batch(batch, at(1), &keys, &mut look).await.expect("looked");
        assert_eq!(loaded + left_out, ids.len(), "{}", test.name);
        assert!((40..100).contains(&loaded), "{}: {loaded} of 100 kB in 4 MiB", test.name);
        test.remove().await;
    }
}
