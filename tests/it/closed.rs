//! An account that closes while money is under way to it, on both stores: the sequencer sees it in its own transaction, whichever
//! instance closed it and however recently, and nothing reaches it any more.

use std::sync::Arc;

use paystorm::audit::AuditOptions;
use paystorm::domain::account::AccountTerms;
use paystorm::domain::command::AuthorizationResponse as Response;
use paystorm::domain::decline::DeclineReason;
use paystorm::domain::ids::AccountId;
use paystorm::domain::payment::Payment;
use paystorm::domain::status::Status;
use paystorm::domain::submission::Kind;
use paystorm::engine::EngineError;
use paystorm::readers::open_work;
use paystorm::store::{NewAccount, Store};
use serde_json::Value;

use crate::support::binary::eventually;
use crate::support::commands::{self, answer, at, decide, one, submit};
use crate::support::server::{Server, on_both_stacks};
use crate::support::stores;

on_both_stacks!(what_is_sent_to_an_account_that_closes_comes_back);

async fn account(store: &dyn Store) -> AccountId {
    let id = AccountId::generate();
    assert!(store.account_insert(&commands::account(id, "Somebody", at(0))).await.expect("inserted"));
    id
}

async fn balance(store: &dyn Store, owner: AccountId) -> i64 {
    let wallets = store.wallet_list(owner).await.expect("wallets");
    wallets.iter().map(|wallet| wallet.holdings.balance_minor).sum()
}

async fn topped_up(store: &dyn Store, owner: AccountId) -> Payment {
    let queued = one(store, submit(owner, Kind::TopUp, 1_000), at(1)).await;
    one(store, answer(&queued, Response::Approved), at(2)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_line_pays_no_account_that_is_closed() {
    for test in stores::both().await {
        let store = test.store.as_ref();
        let (sender, payee, merchant) = (account(store).await, account(store).await, account(store).await);
        topped_up(store, sender).await;
        let sent = one(store, submit(sender, Kind::Transfer { payee }, 400), at(3)).await;
        let charged = one(store, submit(merchant, Kind::Charge, 700), at(3)).await;
        assert_eq!(balance(store, sender).await, 600);
        for id in [payee, merchant] {
            assert!(store.account_close(id, at(4)).await.expect("closed"));
        }
        let sent = one(store, answer(&sent, Response::Approved), at(5)).await;
        let state = sent.state();
        assert_eq!((state.status, state.decline), (Status::Declined, Some(DeclineReason::AccountClosed)));
        let mut charged = one(store, answer(&charged, Response::Approved), at(5)).await;
        if charged.queued_work().next().is_some() {
            charged = one(store, answer(&charged, Response::Approved), at(6)).await;
        }
        assert_eq!(charged.state().status, Status::Canceled, "{}", test.name);
        assert_eq!((balance(store, payee).await, balance(store, merchant).await), (0, 0), "{}", test.name);
        assert_eq!(balance(store, sender).await, 1_000, "{}", test.name);
        // Nor is anything new begun for it, or by it.
        let commands = [
            submit(sender, Kind::Transfer { payee }, 100),
            submit(merchant, Kind::Charge, 100),
            submit(sender, Kind::TopUp, 100),
        ];
        let (_, decided) = decide(store, &commands, at(7)).await.expect("committed");
        let codes: Vec<_> = decided
            .payments
            .iter()
            .map(|decision| match decision {
                Ok(_) => "admitted",
                Err(EngineError::Refused(rejection)) => rejection.code,
                Err(error) => panic!("{error}"),
            })
            .collect();
        assert_eq!(codes, ["resource_missing", "account_closed", "admitted"], "{}", test.name);
        test.remove().await;
    }
}

/// What an instance remembers of an account, or that there was none, does not outlive its closing by another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_instance_remembers_is_dropped_when_another_closes_the_account() {
    let test = stores::mysql().await;
    let (one_instance, other) = (test.store.as_ref(), test.opened_as_users_do().await);
    let ids = [account(one_instance).await, account(one_instance).await, AccountId::generate()];
    let codes = async |store: &dyn Store, n: u64| {
        let commands = ids.map(|id| submit(id, Kind::TopUp, 100));
        let (_, decided) = decide(store, &commands, at(n)).await.expect("committed");
        decided.payments.iter().map(Result::is_ok).collect::<Vec<_>>()
    };
    for store in [one_instance, other.as_ref()] {
        assert_eq!(codes(store, 1).await, [true; 3]);
        assert_eq!(codes(store, 2).await, [true; 3], "remembered");
    }
    let (name, created_at) = ("Somebody".to_owned(), at(0));
    let late = NewAccount {
        id: ids[2],
        email: None,
        name,
        password_hash: None,
        parent: None,
        scenario: None,
        terms: AccountTerms::default(),
        created_at,
    };
    assert!(other.account_insert(&late).await.expect("inserted"));
    for (n, closed) in [(1, [true, false, true]), (2, [true, false, false]), (0, [false; 3])] {
        let before = other.head().await.expect("a head");
        let closer = if n == 2 { one_instance } else { other.as_ref() };
        assert!(closer.account_close(ids[n], at(5)).await.expect("closed"));
        assert!(!closer.account_close(ids[n], at(5)).await.expect("closed already"));
        assert_eq!(other.head().await.expect("a head"), before + 1, "one position in the journal");
        for store in [one_instance, other.as_ref()] {
            assert_eq!(codes(store, 6).await, closed, "account {n}");
        }
    }
    let mut snapshot = one_instance.snapshot().await.expect("a snapshot");
    let audited = paystorm::audit::audit(snapshot.as_mut(), None, None, &AuditOptions::default()).await;
    let report = audited.expect("an audit");
    assert!(report.passed(), "{report}");
    drop(snapshot);
    test.remove().await;
}

/// The same through the whole server: the payee closes while the workers are paused.
async fn what_is_sent_to_an_account_that_closes_comes_back(server: Arc<Server>) {
    let (_, made) = server.post("/v1/test_helpers/accounts", "name=Till").await;
    let text = |object: &Value, name: &str| object[name].as_str().expect("a text").to_owned();
    let (child, child_key) = (text(&made, "id"), text(&made, "secret_key"));
    let (status, body) = server.post("/v1/topups", "amount=1000&currency=eur&source=pm_card_visa").await;
    assert_eq!(status, 200, "{body}");
    let store = server.test.store.as_ref();
    let wallet = async || {
        let (_, balance) = server.get("/v1/balance").await;
        balance["available"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|one| one["amount"].as_i64())
            .sum::<i64>()
    };
    eventually("the wallet is filled", async || wallet().await == 1_000).await;
    let session = server.sign_in("shop@example.org").await;
    let csrf = server.csrf(&session).await;
    let turn = async |path: &str| {
        let headers = [("origin", server.url.as_str())];
        let response = server.post_form(path, &session, &headers, &[("csrf", csrf.as_str())]).await;
        assert_eq!(response.status(), 303);
    };
    turn("/system/pause").await;
    let at_once = [("prefer", "respond-async")];
    let transfer = format!("amount=400&currency=eur&destination={child}");
    let sent = server.send("POST", "/v1/transfers", &transfer, &at_once).await;
    assert!(matches!(sent.status, 200 | 202), "{sent:?}");
    let charge = "amount=700&currency=eur&payment_method=pm_card_visa&confirm=true";
    let charged = server.send_as(&child_key, "POST", "/v1/payment_intents", charge, &at_once).await;
    assert!(matches!(charged.status, 200 | 202), "{charged:?}");
    let path = format!("/v1/test_helpers/accounts/{child}");
    assert_eq!(server.send("DELETE", &path, "", &[]).await.status, 200);
    turn("/system/resume").await;
    eventually("the money is back", async || wallet().await == 1_000).await;
    eventually("nothing is under way", async || {
        open_work::count(store).await.is_ok_and(|open| open.payments == 0)
    })
    .await;
    assert_eq!(balance(store, child.parse().expect("an id")).await, 0);
    let sent = store.payment_one(sent.text("/id").parse().expect("an id")).await.expect("read");
    assert_eq!(sent.expect("it is there").state().decline, Some(DeclineReason::AccountClosed));
    let again = server.send("POST", "/v1/transfers", &transfer, &[]).await;
    assert_eq!(again.error(), (400, "invalid_request_error", "resource_missing", "destination"), "{again:?}");
}
