//! Scenarios of accounts: in force from a position in the journal on, and never forgotten.

use paystorm::domain::account::AccountTerms;
use paystorm::domain::ids::AccountId;
use paystorm::domain::payment::Payment;
use paystorm::domain::scenario_revision::ScenarioRevision;
use paystorm::domain::submission::Kind;
use paystorm::store::{NewAccount, NewScenario, Store};

use crate::support::commands::{account, at, one, submit};
use crate::support::stores::both;

async fn put(store: &dyn Store, account: AccountId, text: Option<&str>, s: u64) -> Option<ScenarioRevision> {
    let file = text.map(|text| NewScenario::of(text, text.as_bytes()));
    store.scenario_set(account, file, at(s)).await.expect("the store answers")
}

fn scenario_of(payment: &Payment) -> Option<ScenarioRevision> {
    payment.operations().next().expect("it is queued").scenario
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scenario_answers_what_is_queued_after_it_was_put_in_force() {
    for test in both().await {
        let store = test.store.as_ref();
        let (ann, bob) = (AccountId::generate(), AccountId::generate());
        let child = NewAccount { parent: Some(ann), ..account(AccountId::generate(), "child", at(0)) };
        for one in [account(ann, "Ann", at(0)), account(bob, "Bob", at(0)), child.clone()] {
            assert!(store.account_insert(&one).await.expect("inserted"));
        }
        let pay = async |owner: AccountId, s: u64| {
            scenario_of(&one(store, submit(owner, Kind::Charge, 100), at(s)).await)
        };
        assert_eq!(pay(ann, 1).await, None, "{}", test.name);
        let first = put(store, ann, Some("one"), 2).await.expect("a revision");
        assert_eq!(first.seq(), store.head().await.expect("read"), "it is a position in the journal");
        for (owner, expected) in [(ann, Some(first)), (child.id, Some(first)), (bob, None)] {
            assert_eq!(pay(owner, 3).await, expected, "{}", test.name);
        }
        // The clock of the caller is behind; the journal decides.
        let second = put(store, ann, Some("two"), 1).await.expect("a revision");
        assert!(second > first);
        assert_eq!(pay(ann, 3).await, Some(second), "{}", test.name);
        let own = put(store, child.id, Some("one"), 4).await.expect("a revision");
        assert_eq!((pay(child.id, 5).await, pay(ann, 5).await), (Some(own), Some(second)), "{}", test.name);
        let none = put(store, ann, None, 6).await.expect("a revision");
        assert_eq!((pay(ann, 7).await, pay(child.id, 7).await), (None, None), "{}", test.name);

        let records = store.scenario_revisions(&[second, none, own]).await.expect("read");
        assert_eq!(records.len(), 3, "{}", test.name);
        let list = store.scenario_list(ann, None, 10).await.expect("read");
        let numbers: Vec<_> = list.iter().map(|record| (record.number, record.revision)).collect();
        assert_eq!(numbers, [(3, none), (2, second), (1, first)], "{}", test.name);
        assert!(list.windows(2).all(|pair| pair[0].at > pair[1].at), "the times of their batches: {list:?}");
        let page = store.scenario_list(ann, Some(2), 10).await.expect("read");
        assert_eq!(page.len(), 1, "{}", test.name);
        let names: Vec<_> = list.iter().map(|record| record.name.as_deref()).collect();
        assert_eq!(names, [None, Some("two"), Some("one")], "{}", test.name);
        let hash = list[2].file.expect("a file");
        assert_eq!(store.scenario_file(&hash).await.expect("read").as_deref(), Some(b"one".as_slice()));
        assert_eq!(
            store.scenario_list(child.id, None, 9).await.expect("read")[0].file,
            Some(hash),
            "stored once"
        );
        assert_eq!(list[0].file, None);
        assert_eq!(store.scenario_file(&[9; 32]).await.expect("read"), None);
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_open_account_is_given_a_scenario() {
    for test in both().await {
        let store = test.store.as_ref();
        let ann = AccountId::generate();
        assert_eq!(put(store, ann, Some("one"), 1).await, None, "{}", test.name);
        assert!(store.account_insert(&account(ann, "Ann", at(0))).await.expect("inserted"));
        let revision = put(store, ann, Some("one"), 1).await;
        // Throw-away accounts begin under what holds for whoever creates them.
        let terms = AccountTerms::default();
        let late = NewAccount {
            parent: Some(ann),
            scenario: revision,
            terms,
            ..account(AccountId::generate(), "child", at(1))
        };
        store.account_insert_many(std::slice::from_ref(&late)).await.expect("inserted");
        let queued = one(store, submit(late.id, Kind::Charge, 100), at(2)).await;
        assert_eq!(scenario_of(&queued), revision, "{}", test.name);
        assert!(store.account_close(ann, at(3)).await.expect("closed"));
        assert_eq!(put(store, ann, Some("two"), 4).await, None, "{}", test.name);
        assert_eq!(store.scenario_list(ann, None, 10).await.expect("read").len(), 1, "{}", test.name);
        test.remove().await;
    }
}
