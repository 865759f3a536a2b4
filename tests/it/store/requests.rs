//! The log of requests and the installation's values.

use paystorm::domain::ids::{AccountId, ApiKeyId, RequestId};
use paystorm::store::{RequestFilter, RequestRecord, Store};

use crate::support::commands::at;
use crate::support::stores::both;

fn record(account: AccountId, key: Option<ApiKeyId>, method: &str, path: &str, status: u16) -> RequestRecord {
    RequestRecord {
        id: RequestId::generate(),
        account,
        key,
        at: at(0),
        method: method.to_owned(),
        path: path.to_owned(),
        status,
        latency_us: 1_250,
        missed: 0,
        request: Some("amount=1250\ncard[number]=***".to_owned()),
        response: Some("{\"name\":\"Žofie ☕\"}".to_owned()),
    }
}

async fn ids(store: &dyn Store, account: AccountId, filter: RequestFilter) -> Vec<RequestId> {
    let filter = RequestFilter { limit: if filter.limit == 0 { 100 } else { filter.limit }, ..filter };
    let found = store.request_list(account, &filter).await.expect("listed");
    assert!(found.iter().all(|record| record.account == account && record.response.is_none()));
    found.iter().map(|record| record.id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_listed_by_what_they_are_and_only_to_their_owner() {
    for test in both().await {
        let store = test.store.as_ref();
        let (owner, stranger) = (AccountId::generate(), AccountId::generate());
        let key = ApiKeyId::generate();
        let mut made = vec![
            record(owner, Some(key), "POST", "/v1/refunds", 200),
            record(owner, None, "GET", "/v1/refunds/re_1%2", 404),
            record(owner, Some(key), "POST", "/v1/payment_intents", 402),
            RequestRecord {
                missed: 1_204,
                latency_us: 9_000_000,
                request: None,
                response: None,
                ..record(owner, None, "", "", 0)
            },
            record(owner, None, "DELETE", "/v1/x_y", 503),
        ];
        let theirs = record(stranger, Some(key), "POST", "/v1/refunds", 200);
        store.request_insert(&made).await.expect("inserted");
        store.request_insert(std::slice::from_ref(&theirs)).await.expect("inserted");
        store.request_insert(&[]).await.expect("nothing to insert");
        made.reverse();
        let all: Vec<RequestId> = made.iter().map(|record| record.id).collect();
        let any = RequestFilter::default;
        assert_eq!(ids(store, owner, any()).await, all, "{}: newest first", test.name);
        let older = RequestFilter { before: Some(all[1]), limit: 2, ..any() };
        assert_eq!(ids(store, owner, older).await, all[2..4], "{}", test.name);
        let posts = RequestFilter { method: Some("POST".to_owned()), ..any() };
        assert_eq!(ids(store, owner, posts).await, [all[2], all[4]], "{}", test.name);
        let refused = RequestFilter { status_class: Some(4), ..any() };
        assert_eq!(ids(store, owner, refused).await, [all[2], all[3]], "{}", test.name);
        let of_key = RequestFilter { key: Some(key), status_class: Some(2), ..any() };
        assert_eq!(ids(store, owner, of_key).await, [all[4]], "{}", test.name);
        for (part, wanted) in [("refunds", &all[3..5]), ("1%", &all[3..4]), ("x_", &all[..1]), ("_x", &[])] {
            let filter = RequestFilter { path: Some(part.to_owned()), ..any() };
            assert_eq!(ids(store, owner, filter).await, wanted, "{}: {part} is no pattern", test.name);
        }
        for record in &made {
            let got = store.request_get(owner, record.id).await.expect("read");
            assert_eq!(got.as_ref(), Some(record), "{}", test.name);
            assert_eq!(store.request_get(stranger, record.id).await.expect("read"), None, "{}", test.name);
        }
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_requests_go_by_number_and_by_age() {
    for test in both().await {
        let store = test.store.as_ref();
        let (owner, stranger) = (AccountId::generate(), AccountId::generate());
        let made: Vec<RequestRecord> =
            (0..20).map(|_| record(owner, None, "GET", "/v1/balance", 200)).collect();
        store.request_insert(&made).await.expect("inserted");
        store.request_insert(&[record(stranger, None, "GET", "/v1/balance", 200)]).await.expect("inserted");
        assert_eq!(store.request_prune(owner, 20).await.expect("pruned"), 0, "{}", test.name);
        assert_eq!(store.request_prune(owner, 8).await.expect("pruned"), 12, "{}", test.name);
        let left = ids(store, owner, RequestFilter::default()).await;
        let newest: Vec<RequestId> = made[12..].iter().rev().map(|record| record.id).collect();
        assert_eq!(left, newest, "{}", test.name);
        let now = paystorm::domain::time::Timestamp::now();
        assert_eq!(store.request_expire(at(0), 100).await.expect("expired"), 0, "{}", test.name);
        let soon = now.plus_ms(60_000);
        assert_eq!(store.request_expire(soon, 5).await.expect("expired"), 5, "{}: at most", test.name);
        assert_eq!(store.request_expire(soon, 100).await.expect("expired"), 4, "{}", test.name);
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_the_installation_is_set_again_and_again() {
    for test in both().await {
        let store = test.store.as_ref();
        assert_eq!(store.installation_get("switch").await.expect("read"), None, "{}", test.name);
        for value in [b"one".as_slice(), b"", b"another, longer one"] {
            store.installation_set("switch", value).await.expect("set");
            let got = store.installation_get("switch").await.expect("read");
            assert_eq!(got.as_deref(), Some(value), "{}", test.name);
        }
        let once = store.installation_set_once("switch", b"too late").await.expect("kept");
        assert_eq!(once, b"another, longer one", "{}", test.name);
        test.remove().await;
    }
}
