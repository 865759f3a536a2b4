//! An account that closes while money is under way to it, on both stores: the line sees it in its own transaction, whoever
//! closed it and however lately, and nothing reaches it any more.

use paystorm::domain::command::Outcome;
use paystorm::domain::decline::DeclineReason;
use paystorm::domain::ids::AccountId;
use paystorm::domain::payment::Payment;
use paystorm::domain::status::Status;
use paystorm::domain::submission::Kind;
use paystorm::engine::EngineError;
use paystorm::store::{NewAccount, Store};

use crate::making::{answer, at, decide, one, submit};
use crate::stores;

async fn account(store: &dyn Store) -> AccountId {
    let id = AccountId::generate();
    let (name, created_at) = ("Somebody".to_owned(), at(0));
    let account = NewAccount { id, email: None, name, password_hash: None, parent: None, created_at };
    assert!(store.account_insert(&account).await.expect("inserted"));
    id
}

async fn balance(store: &dyn Store, owner: AccountId) -> i64 {
    let wallets = store.wallet_list(owner).await.expect("wallets");
    wallets.iter().map(|wallet| wallet.balance_minor).sum()
}

async fn topped_up(store: &dyn Store, owner: AccountId) -> Payment {
    let queued = one(store, submit(owner, Kind::TopUp, 1_000), at(1)).await;
    one(store, answer(&queued, Outcome::Approved), at(2)).await
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
        let sent = one(store, answer(&sent, Outcome::Approved), at(5)).await;
        let state = sent.state();
        assert_eq!((state.status, state.decline), (Status::Declined, Some(DeclineReason::AccountClosed)));
        let mut charged = one(store, answer(&charged, Outcome::Approved), at(5)).await;
        if charged.queued_work().next().is_some() {
            charged = one(store, answer(&charged, Outcome::Approved), at(6)).await;
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
            .decisions
            .iter()
            .map(|decision| match decision {
                Ok(_) => "admitted",
                Err(EngineError::Refused(refusal)) => refusal.code,
                Err(error) => panic!("{error}"),
            })
            .collect();
        assert_eq!(codes, ["resource_missing", "account_closed", "admitted"], "{}", test.name);
        test.remove().await;
    }
}
