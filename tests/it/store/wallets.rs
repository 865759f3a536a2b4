//! Movements of a wallet, and transfers as those see them who received them.

use paystorm::domain::command::{Action, Outcome};
use paystorm::domain::currency::Currency;
use paystorm::domain::ids::{AccountId, PaymentId, RefundId};
use paystorm::domain::ledger::{LedgerAccount, WalletId};
use paystorm::domain::payment::Payment;
use paystorm::domain::submission::{BankAccount, Kind};
use paystorm::store::{MovementPlace, MovementRecord, PaymentFilter, Store};

use crate::making::{answer, at, one, operate, submit};
use crate::stores::both;

async fn approved(store: &dyn Store, owner: AccountId, kind: Kind, minor: i64, ms: u64) -> Payment {
    let payment = one(store, submit(owner, kind, minor), at(ms)).await;
    one(store, answer(&payment, Outcome::Approved), at(ms + 1)).await
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
        let charges = PaymentFilter { kinds: vec![Kind::Charge.to_code()], ..all.clone() };
        assert_eq!(list(ben, &charges).await, [own.id()], "{}", test.name);
        let not_received = PaymentFilter { received: false, ..all.clone() };
        assert_eq!(list(ben, &not_received).await, [own.id()], "{}", test.name);
        // The sender has each once, whoever received it.
        assert_eq!(list(ada, &all).await[..3], [again.id(), queued.id(), to_ben.id()], "{}", test.name);
        assert!(list(AccountId::generate(), &all).await.is_empty(), "{}", test.name);
        test.remove().await;
    }
}

/// All movements of a wallet, a page of two at a time.
async fn walk(store: &dyn Store, wallet: WalletId) -> Vec<MovementRecord> {
    let (mut found, mut before) = (Vec::new(), None);
    loop {
        let page = store.wallet_movements(wallet, before, 2).await.expect("read");
        let Some(last) = page.movements.last() else { return found };
        before = Some(MovementPlace { at: last.at, payment: last.payment, version: last.version });
        found.extend(page.movements);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wallet_lists_its_movements_newest_first() {
    for test in both().await {
        let store = test.store.as_ref();
        let (ada, ben) = (AccountId::generate(), AccountId::generate());
        let wallet = |owner| WalletId { owner, currency: Currency::EUR };
        let topup = approved(store, ada, Kind::TopUp, 1_000, 0).await;
        // Two that move money in the same moment.
        let both_at = approved(store, ada, Kind::Charge, 20, 10).await;
        let same = approved(store, ada, Kind::Charge, 30, 10).await;
        let transfer = approved(store, ada, Kind::Transfer { payee: ben }, 40, 20).await;
        let payout = one(store, submit(ada, Kind::Payout { bank: BankAccount::Valid }, 50), at(30)).await;
        let refund = Action::Refund { refund: RefundId::generate(), amount_minor: Some(5) };
        let refunded = one(store, operate(&same, refund), at(40)).await;
        let found = walk(store, wallet(ada)).await;
        let seen: Vec<_> = found.iter().map(|movement| (movement.payment, movement.amount_minor)).collect();
        let wanted = [
            (refunded.id(), 5),
            (payout.id(), 50),
            (transfer.id(), 40),
            (same.id(), 30),
            (both_at.id(), 20),
            (topup.id(), 1_000),
        ];
        assert_eq!(seen, wanted, "{}", test.name);
        let page = store.wallet_movements(wallet(ada), None, 100).await.expect("read");
        let account = LedgerAccount::Wallet(wallet(ada));
        let change = |movement: &MovementRecord| match movement.credit == account {
            true => movement.amount_minor,
            false => -movement.amount_minor,
        };
        assert_eq!(page.balance_minor, page.movements.iter().map(change).sum::<i64>(), "{}", test.name);
        let received = walk(store, wallet(ben)).await;
        assert_eq!(received.len(), 1, "{}", test.name);
        assert_eq!(received[0].payment, transfer.id(), "{}", test.name);
        let yen = WalletId { owner: ada, currency: "JPY".parse().expect("a currency") };
        assert!(walk(store, yen).await.is_empty(), "{}", test.name);
        test.remove().await;
    }
}
