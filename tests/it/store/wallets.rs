//! Movements of a wallet, and transfers as their payees see them.

use paystorm::domain::bank_account::BankAccount;
use paystorm::domain::command::AuthorizationResponse as Response;
use paystorm::domain::currency::Currency;
use paystorm::domain::ids::{AccountId, PaymentId};
use paystorm::domain::ledger::LedgerAccount;
use paystorm::domain::payment::Payment;
use paystorm::domain::payment_kind::PaymentKind;
use paystorm::domain::submission::Kind;
use paystorm::domain::wallet::WalletId;
use paystorm::store::{PaymentFilter, Store};

use crate::support::commands::{answer, at, one, submit};
use crate::support::stores::both;

async fn approved(store: &dyn Store, owner: AccountId, kind: Kind, minor: i64, ms: u64) -> Payment {
    let payment = one(store, submit(owner, kind, minor), at(ms)).await;
    one(store, answer(&payment, Response::Approved), at(ms + 1)).await
}

fn ids(payments: &[Payment]) -> Vec<PaymentId> {
    payments.iter().map(Payment::id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn payees_find_what_they_received() {
    for test in both().await {
        let store = test.store.as_ref();
        let (ada, ben) = (AccountId::generate(), AccountId::generate());
        approved(store, ada, Kind::TopUp, 1_000, 0).await;
        let to_ben = approved(store, ada, Kind::Transfer { payee: ben }, 10, 10).await;
        let own = approved(store, ben, Kind::Charge, 5, 20).await;
        let queued = one(store, submit(ada, Kind::Transfer { payee: ben }, 12), at(40)).await;
        let again = approved(store, ada, Kind::Transfer { payee: ben }, 13, 50).await;
        let all = PaymentFilter { received: true, limit: 10, ..PaymentFilter::default() };
        let list = async |owner, filter: &PaymentFilter| {
            ids(&store.payment_list(owner, filter).await.expect("listed"))
        };
        assert_eq!(list(ben, &all).await, [again.id(), own.id(), to_ben.id()], "{}", test.name);
        let one_only = PaymentFilter { limit: 1, ..all.clone() };
        let older = PaymentFilter { before: Some(again.id()), ..one_only.clone() };
        assert_eq!(list(ben, &older).await, [own.id()], "{}", test.name);
        let newer = PaymentFilter { after: Some(to_ben.id()), ..one_only };
        assert_eq!(list(ben, &newer).await, [own.id()], "{}: the next newer one", test.name);
        let charges = PaymentFilter { kinds: vec![PaymentKind::Charge], ..all.clone() };
        assert_eq!(list(ben, &charges).await, [own.id()], "{}", test.name);
        let not_received = PaymentFilter { received: false, ..all.clone() };
        assert_eq!(list(ben, &not_received).await, [own.id()], "{}", test.name);
        // The sender has each once, whoever received it.
        assert_eq!(list(ada, &all).await[..3], [again.id(), queued.id(), to_ben.id()], "{}", test.name);
        assert!(list(AccountId::generate(), &all).await.is_empty(), "{}", test.name);
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn movements_of_many_payments_are_read_at_once() {
    for test in both().await {
        let store = test.store.as_ref();
        let (ada, ben) = (AccountId::generate(), AccountId::generate());
        let topup = approved(store, ada, Kind::TopUp, 1_000, 0).await;
        let transfer = approved(store, ada, Kind::Transfer { payee: ben }, 40, 20).await;
        let payout = one(store, submit(ada, Kind::Payout { bank: BankAccount::Valid }, 50), at(30)).await;
        let all = [topup.id(), transfer.id(), payout.id()];
        let found = store.movement_list(&all).await.expect("read");
        let seen: Vec<_> =
            found.iter().map(|record| (record.payment, record.movement.amount_minor)).collect();
        let [first, second, third] = all;
        assert_eq!(seen, [(first, 1_000), (second, 40), (second, 40), (third, 50)], "{}", test.name);
        let wallet = LedgerAccount::Wallet(WalletId { owner: ben, currency: Currency::EUR });
        assert_eq!(
            found.iter().filter(|record| record.movement.credit == wallet).count(),
            1,
            "{}",
            test.name
        );
        // Their positions in the journal: each batch made one.
        let places: Vec<_> = found.iter().map(|record| (record.seq, record.n, record.place)).collect();
        assert_eq!(places, [(2, 0, 0), (3, 0, 0), (4, 0, 0), (5, 0, 0)], "{}", test.name);
        assert!(store.movement_list(&[PaymentId::generate()]).await.expect("read").is_empty());
        test.remove().await;
    }
}
