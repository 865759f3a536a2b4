//! The sequencer: all of a batch or nothing of it, and a position in the journal only for what was written.

use std::sync::Arc;

use paystorm::domain::command::{AuthorizationResponse as Response, PaymentCommand};
use paystorm::domain::ids::{AccountId, BatchId};
use paystorm::domain::ledger::Holdings;
use paystorm::domain::submission::Kind;
use paystorm::domain::wallet::WalletId;
use paystorm::engine::journal;
use paystorm::store::{BatchKeys, BatchWrite, Head, Known, Loaded, Store, StoreError};

use crate::support::commands::{Command, answer, at, decide, keyed, one, sorted, submit};
use crate::support::stores::both;

/// As many as no single statement takes, and no multiple of any padding.
const MANY: usize = 1_500;

#[tokio::test(flavor = "multi_thread")]
async fn a_large_batch_is_written_and_read_back() {
    for test in both().await {
        let store = test.store.as_ref();
        let owners: Vec<AccountId> = (0..MANY).map(|_| AccountId::generate()).collect();
        let commands: Vec<PaymentCommand> =
            owners.iter().enumerate().map(|(n, owner)| keyed(*owner, &format!("key-{n:06}"))).collect();
        let (seq, decided) = decide(store, &commands, at(0)).await.expect("committed");
        assert_eq!((seq, decided.changes.len()), (1, MANY), "{}", test.name);
        let answers: Vec<_> =
            decided.changes.iter().map(|(_, payment)| answer(payment, Response::Approved)).collect();
        let (seq, answered) = decide(store, &answers, at(1)).await.expect("committed");
        assert_eq!(seq, 2, "{}", test.name);
        let ids: Vec<_> = commands.iter().map(PaymentCommand::payment).collect();
        let mut stored = store.payment_get(&ids).await.expect("read");
        stored.sort_unstable_by_key(|payment| payment.id());
        let mut wanted: Vec<_> =
            answered.changes.iter().map(|(_, payment)| payment.as_ref().clone()).collect();
        wanted.sort_unstable_by_key(|payment| payment.id());
        assert_eq!(stored, wanted, "{}", test.name);
        let counts = store.snapshot().await.expect("snapshot").counts().await.expect("counts");
        let rows = [counts.payments, counts.movements, counts.wallets, counts.idempotency];
        assert_eq!((rows, counts.journal), ([MANY as u64; 4], 2), "{}", test.name);
        // The keys are all recognised, and nothing is written for them.
        let (seq, replayed) = decide(store, &commands, at(2)).await.expect("committed");
        assert_eq!(seq, 0, "{}", test.name);
        assert!(replayed.payments.iter().all(|decision| decision.as_ref().is_ok_and(|done| done.replayed)));
        assert_eq!(store.head().await.expect("head"), 2, "{}", test.name);
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn balances_follow_from_batch_to_batch() {
    for test in both().await {
        let store = test.store.as_ref();
        let owner = AccountId::generate();
        for (n, amount_minor) in [(0, 300), (1, 45)] {
            let charge = one(store, submit(owner, Kind::Charge, amount_minor), at(n)).await;
            one(store, answer(&charge, Response::Approved), at(n)).await;
        }
        let payee = AccountId::generate();
        let sent = one(store, submit(owner, Kind::Transfer { payee }, 100), at(3)).await;
        one(store, answer(&sent, Response::Approved), at(4)).await;
        let held = |records: Vec<paystorm::store::WalletRecord>| {
            records.iter().map(|record| record.holdings.balance_minor).collect::<Vec<_>>()
        };
        assert_eq!(held(store.wallet_list(owner).await.expect("wallets")), [245], "{}", test.name);
        assert_eq!(held(store.wallet_list(payee).await.expect("wallets")), [100], "{}", test.name);
        let moved = store.movement_list(&[sent.id()]).await.expect("movements");
        let versions: Vec<_> = moved.iter().map(|row| (row.version, row.movement.amount_minor)).collect();
        assert_eq!(versions, [(1, 100), (3, 100)], "{}", test.name);
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_journal_nothing_is_written_and_no_place_is_taken() {
    for test in both().await {
        let store = test.store.as_ref();
        let mut seen = 0;
        let mut nothing = |head: Head, _| {
            seen = head.seq;
            BatchWrite { wallets: vec![], ..BatchWrite::default() }
        };
        let outcome =
            store.commit_batch(BatchId::generate(), at(9), &BatchKeys::default(), &mut nothing).await;
        assert_eq!(outcome.expect("no error"), 0, "{}", test.name);
        assert_eq!((seen, store.head().await.expect("head")), (1, 0), "{}", test.name);
        assert!(store.journal_read(0, 10).await.expect("read").is_empty(), "{}", test.name);
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn time_never_goes_back_along_the_journal() {
    for test in both().await {
        let store = test.store.as_ref();
        let mut walls = Vec::new();
        // The clock of another instance is behind, and one batch comes to nothing.
        for (own, written) in [(5, true), (3, true), (9, false), (4, true), (8, true)] {
            let mut run = |head: Head, _| {
                walls.push((head.wall, head.settings_seq));
                let journal = written.then(|| journal::encode(&[], &[]).expect("encoded"));
                BatchWrite { journal, at: head.wall, ..BatchWrite::default() }
            };
            let taken =
                store.commit_batch(BatchId::generate(), at(own), &BatchKeys::default(), &mut run).await;
            taken.expect("committed");
        }
        let (next, after) = (at(5).next(), at(5).next().next());
        assert_eq!(walls, [at(5), next, at(9), after, at(8)].map(|wall| (wall, 0)), "{}", test.name);
        let times: Vec<_> = store.journal_read(0, 9).await.expect("read").iter().map(|row| row.at).collect();
        assert_eq!(times, [at(5), next, after, at(8)], "{}", test.name);
        assert_eq!(store.head_wall().await.expect("read"), at(8), "{}", test.name);
        test.remove().await;
    }
}

/// The balance that the next batch finds in this wallet, if it believes that the batch at `after` left another there.
async fn found(store: &dyn Store, wallet: WalletId, after: u64) -> Option<i64> {
    let mut known = Known::default();
    let other = Holdings { balance_minor: 777, ..Holdings::default() };
    known.committed(after, std::iter::empty(), &[(wallet, other)]);
    let keys = BatchKeys { wallets: vec![wallet], known: Some(Arc::new(known)), ..BatchKeys::default() };
    let mut found = None;
    let mut nothing = |_head: Head, loaded: Loaded| {
        found = loaded.wallets.get(&wallet).map(|held| held.balance_minor);
        BatchWrite::default()
    };
    store.commit_batch(BatchId::generate(), at(9), &keys, &mut nothing).await.expect("no error");
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_holds_right_after_its_batch_and_at_no_other_place() {
    for test in both().await {
        let store = test.store.as_ref();
        let owner = AccountId::generate();
        let charge = one(store, submit(owner, Kind::Charge, 300), at(0)).await;
        let wallet = one(store, answer(&charge, Response::Approved), at(1)).await.submission().own_wallet();
        assert_eq!(store.head().await.expect("head"), 2, "{}", test.name);
        assert_eq!(found(store, wallet, 2).await, Some(777), "{}: it is not read again", test.name);
        assert_eq!(found(store, wallet, 1).await, Some(300), "{}", test.name);
        assert_eq!(found(store, wallet, 3).await, Some(300), "{}: of a line that was put back", test.name);
        one(store, submit(owner, Kind::Charge, 5), at(2)).await;
        assert_eq!(found(store, wallet, 2).await, Some(300), "{}: somebody else has written", test.name);
        test.remove().await;
    }
}

/// Decides `fresh` and `again` as if the store knew neither, which only a lost lookup could bring about.
async fn force(
    store: &dyn Store,
    first: &PaymentCommand,
    second: &PaymentCommand,
) -> Result<u64, StoreError> {
    let policy = paystorm::domain::context::Policy::default();
    let commands = [first, second].map(|command| Command::from(command.clone()));
    let commands = sorted(&commands);
    let mut run = |_head: Head, _loaded| {
        let loaded = paystorm::store::Loaded::default();
        paystorm::engine::decide_batch::decide_batch(&commands, loaded, &policy, at(9)).write
    };
    store.commit_batch(BatchId::generate(), at(9), &BatchKeys::default(), &mut run).await
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicates_are_refused_and_the_whole_batch_is_rolled_back() {
    for test in both().await {
        let store = test.store.as_ref();
        let owner = AccountId::generate();
        let known = keyed(owner, "known");
        one(store, known.clone(), at(0)).await;
        let same_id = match &known {
            PaymentCommand::Submit(submit) => {
                let submit =
                    paystorm::domain::command::SubmitPayment { idempotency: None, ..*submit.clone() };
                PaymentCommand::Submit(Box::new(submit))
            }
            PaymentCommand::Operate(_) | PaymentCommand::Amend(_) => {
                unreachable!("a submission")
            }
        };
        for duplicate in [same_id, keyed(owner, "known")] {
            let fresh = submit(owner, Kind::Charge, 7);
            let error = force(store, &fresh, &duplicate).await.expect_err("a duplicate");
            assert!(
                matches!(error, StoreError::Refused(_)) && !error.is_transient(),
                "{}: {error}",
                test.name
            );
            let found = store.payment_get(&[fresh.payment()]).await.expect("read");
            assert!(found.is_empty(), "{}", test.name);
            assert_eq!(store.head().await.expect("head"), 1, "{}", test.name);
        }
        // The sequencer goes on.
        one(store, submit(owner, Kind::Charge, 8), at(1)).await;
        assert_eq!(store.head().await.expect("head"), 2, "{}", test.name);
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_journal_is_read_in_order_and_pruned_by_place_and_time() {
    for test in both().await {
        let store = test.store.as_ref();
        for n in 0..6 {
            one(store, submit(AccountId::generate(), Kind::Charge, 5), at(n * 1_000)).await;
        }
        let rows = store.journal_read(0, 10).await.expect("read");
        assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6], "{}", test.name);
        let some = store.journal_read(2, 3).await.expect("read");
        assert_eq!(some, rows[2..5], "{}", test.name);
        for row in &rows {
            assert!(store.batch_committed(row.seq, row.batch).await.expect("looked up"), "{}", test.name);
            assert!(!store.batch_committed(row.seq, BatchId::generate()).await.expect("looked up"));
            assert!(!store.batch_committed(row.seq + 10, row.batch).await.expect("looked up"));
        }
        // Rows 1 to 3 are old enough, but only two have been read by all.
        assert_eq!(store.journal_prune(2, at(3_000)).await.expect("pruned"), 2, "{}", test.name);
        assert_eq!(store.journal_prune(6, at(3_000)).await.expect("pruned"), 1, "{}", test.name);
        let left = store.journal_read(0, 10).await.expect("read");
        assert_eq!(left, rows[3..], "{}", test.name);
        assert_eq!(store.head().await.expect("head"), 6, "{}", test.name);
        test.remove().await;
    }
}
