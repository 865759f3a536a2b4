//! `verify` names what is wrong: corruptions planted one by one with SQL in both stores, and documents in the index.

use std::sync::Arc;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use diesel_async::{AsyncConnection, AsyncMysqlConnection, SimpleAsyncConnection};
use paystorm::audit::{AuditOptions, IndexSide, Name, Report, audit};
use paystorm::clock::Wall;
use paystorm::domain::command::{Action, AuthorizationResponse as Response};
use paystorm::domain::ids::{AccountId, InstanceId, RefundId};
use paystorm::domain::payment::Payment;
use paystorm::domain::submission::Kind;
use paystorm::domain::time::Timestamp;
use paystorm::readers::{dispatch, index, open_work};
use paystorm::search::embedded::EmbeddedIndex;
use paystorm::search::{PaymentDocument, SearchIndex, SearchSettings};
use paystorm::store::{Store, StoreKind};

use crate::support::commands::{self, answer, at, keyed, one, operate, submit, write_down_open_work};
use crate::support::stores::{TestStore, both};

const TABLES: [&str; 12] = [
    "payment",
    "due",
    "open_work",
    "parked",
    "part",
    "receipt",
    "movement",
    "wallet",
    "journal",
    "idempotency",
    "reader",
    "account",
];

/// Runs SQL beside the store, as somebody with a console would.
pub async fn sql(test: &TestStore, statements: &str) {
    match test.settings.kind {
        StoreKind::Embedded => {
            let path = test.dir.path().join("paystorm.sqlite3");
            let mut conn = SqliteConnection::establish(&path.to_string_lossy()).expect("the file opens");
            conn.batch_execute("PRAGMA busy_timeout=5000").expect("a pragma");
            conn.batch_execute(statements).unwrap_or_else(|error| panic!("{statements}: {error}"));
        }
        StoreKind::Mysql => {
            let mut conn =
                AsyncMysqlConnection::establish(test.settings.url.expose()).await.expect("MySQL answers");
            for statement in statements.split(';').filter(|statement| !statement.trim().is_empty()) {
                conn.batch_execute(statement).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
            }
        }
    }
}

/// A payment's id in hexadecimal as the key of a subject.
fn subject(payment: &str) -> String {
    payment.replacen("x'", "x'01", 1)
}

/// A few payments that rest, one of each kind of ledger effect; the first is a charge with a key and a refund.
async fn fill(store: &dyn Store) -> Vec<Payment> {
    let (owner, payee) = (AccountId::generate(), AccountId::generate());
    for id in [owner, payee] {
        assert!(
            store
                .account_insert(&commands::account(id, "Somebody", Timestamp::now()))
                .await
                .expect("inserted")
        );
    }
    let approve = async |payment: Payment| one(store, answer(&payment, Response::Approved), at(5)).await;
    let charge = approve(one(store, keyed(owner, "order-1"), at(0)).await).await;
    let refund = Action::Refund { refund: RefundId::generate(), amount_minor: Some(40), detail: None };
    let charge = approve(one(store, operate(&charge, refund), at(6)).await).await;
    let topup = approve(one(store, submit(owner, Kind::TopUp, 500), at(7)).await).await;
    let sent = approve(one(store, submit(owner, Kind::Transfer { payee }, 70), at(8)).await).await;
    vec![charge, topup, sent]
}

async fn look(store: &Arc<dyn Store>) -> Report {
    let mut snapshot = store.snapshot().await.expect("snapshot");
    let options = AuditOptions { at_rest: true, page: 2, accounts: true, ..AuditOptions::default() };
    audit(snapshot.as_mut(), None, None, &options).await.expect("an audit comes to its end")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is done to the store, and what `verify` must call it.
fn corruptions(payments: &[Payment]) -> Vec<(Name, String)> {
    let payment = format!("x'{}'", hex(payments[0].id().as_bytes()));
    let topup = format!("x'{}'", hex(payments[1].id().as_bytes()));
    let wallet = format!("x'{}'", hex(&payments[0].submission().own_wallet().to_key()));
    let nobody = format!("x'{}'", "ee".repeat(16));
    let due = format!("x'01{}'", hex(payments[0].id().as_bytes()));
    let doubled = "INSERT INTO movement SELECT payment, version+50, n, debit, credit, amount, currency, seq, place FROM movement";
    let columns = "(payment,version,n,debit,credit,amount,currency,seq,place)";
    let outside = format!("x'{}', x'{}'", hex(b"acquirer"), hex(b"bank"));
    vec![
        (Name::LostMovement, format!("DELETE FROM movement WHERE payment={topup}")),
        (Name::DoubledEffect, format!("{doubled} WHERE payment={topup}")),
        (Name::AlteredAmount, format!("UPDATE movement SET amount=amount+1 WHERE payment={topup}")),
        (
            Name::AlteredMovement,
            format!("UPDATE movement SET debit=x'{}' WHERE payment={topup}", hex(b"bank")),
        ),
        (
            Name::UnexplainedMovement,
            format!("INSERT INTO movement {columns} VALUES ({topup}, 90, 0, {outside}, 5, 'EUR', 1, 0)"),
        ),
        (
            Name::OrphanMovement,
            format!("INSERT INTO movement {columns} VALUES ({nobody}, 1, 0, {outside}, 5, 'EUR', 1, 0)"),
        ),
        (Name::WrongBalance, format!("UPDATE wallet SET balance=balance+1 WHERE id={wallet}")),
        (Name::NegativeBalance, format!("UPDATE wallet SET balance=-1 WHERE id={wallet}")),
        (Name::MissingWallet, format!("DELETE FROM wallet WHERE id={wallet}")),
        (Name::WrongInTransit, format!("DELETE FROM movement WHERE payment={payment} AND version=5")),
        (Name::JournalHole, "DELETE FROM journal WHERE seq=2".to_owned()),
        (Name::JournalHole, "DELETE FROM journal WHERE seq=(SELECT seq FROM head)".to_owned()),
        (Name::DamagedJournal, "UPDATE journal SET body=x'00' WHERE seq=3".to_owned()),
        (
            Name::WrongJournalEntry,
            "UPDATE journal SET body=(SELECT body FROM keep_journal WHERE seq=1) WHERE seq=2".to_owned(),
        ),
        (
            Name::WrongCursor,
            "INSERT INTO reader (name,position,lease_until) VALUES ('index',999,0)".to_owned(),
        ),
        (Name::IllegalHistory, format!("UPDATE payment SET history=x'92c0' WHERE id={payment}")),
        (Name::IllegalHistory, format!("UPDATE payment SET history=x'90' WHERE id={payment}")),
        (Name::WrongColumn, format!("UPDATE payment SET status=10 WHERE id={payment}")),
        (
            Name::WrongColumn,
            format!("INSERT INTO due (subject,clock,due_at) SELECT {due}, x'{}', 1", "00".repeat(16)),
        ),
        (
            Name::ImpossibleRow,
            format!("INSERT INTO due (subject,clock,due_at) SELECT {due}, x'{}', 1", "01".repeat(16)),
        ),
        (Name::WrongColumn, format!("INSERT INTO open_work (payment) VALUES ({topup})")),
        (Name::ImpossibleRow, format!("INSERT INTO open_work (payment) VALUES ({nobody})")),
        (Name::WrongColumn, format!("INSERT INTO parked (payment,owner) VALUES ({topup},{nobody})")),
        (Name::ImpossibleRow, format!("INSERT INTO parked (payment,owner) VALUES ({nobody},{nobody})")),
        (Name::MissingPart, "DELETE FROM part".to_owned()),
        (Name::DanglingPart, format!("UPDATE part SET payment={topup}")),
        (Name::MissingReceipt, "DELETE FROM receipt".to_owned()),
        (Name::DanglingReceipt, format!("UPDATE receipt SET payment={topup}")),
        (Name::DanglingReceipt, format!("UPDATE receipt SET payee={nobody}")),
        (Name::DanglingKey, format!("UPDATE idempotency SET subject={}", subject(&nobody))),
        (Name::DanglingKey, "UPDATE idempotency SET version=99".to_owned()),
        (Name::DanglingKey, format!("UPDATE idempotency SET owner={nobody}")),
        (Name::MissingKey, "DELETE FROM idempotency".to_owned()),
        (Name::MissingKey, format!("UPDATE idempotency SET request={nobody}")),
        (Name::MissingKey, format!("UPDATE idempotency SET subject={}", subject(&topup))),
        (Name::AlteredPlace, format!("UPDATE movement SET seq=seq+1 WHERE payment={topup}")),
        (Name::AlteredPlace, format!("UPDATE movement SET place=place+1 WHERE payment={topup}")),
        (Name::WrongOwed, format!("UPDATE wallet SET owed=owed+1 WHERE id={wallet}")),
        (Name::WrongPending, format!("UPDATE wallet SET pending=pending+1 WHERE id={wallet}")),
        (Name::MissingAccount, "DELETE FROM account WHERE id=(SELECT payee FROM receipt)".to_owned()),
        (
            Name::OutOfOrder,
            "UPDATE journal SET seq=100 WHERE seq=1; UPDATE journal SET seq=1 WHERE seq=2; UPDATE journal SET seq=2 WHERE seq=100"
                .to_owned(),
        ),
        // The transfer goes out first, and all sums are right in the end.
        (
            Name::NegativeBalance,
            "UPDATE journal SET seq=seq+100; UPDATE journal SET seq=seq-106 WHERE seq>=107; \
             UPDATE journal SET seq=seq-98 WHERE seq>=101"
                .to_owned(),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_corruption_of_the_store_is_named() {
    for test in both().await {
        let payments = fill(test.store.as_ref()).await;
        let sound = look(&test.store).await;
        assert!(sound.passed(), "{}: {sound}", test.name);
        let keep = TABLES.map(|table| format!("CREATE TABLE keep_{table} AS SELECT * FROM {table}"));
        sql(&test, &keep.join(";")).await;
        let repair = TABLES
            .map(|table| format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM keep_{table}"));
        for (name, corruption) in corruptions(&payments) {
            sql(&test, &corruption).await;
            let report = look(&test.store).await;
            let named = report.counts().contains_key(&name);
            assert!(named, "{}: {corruption}: not named {:?}, but\n{report}", test.name, name);
            assert!(report.summary().contains("FAILED"), "{}", test.name);
            sql(&test, &repair.join(";")).await;
            let repaired = look(&test.store).await;
            assert!(repaired.passed(), "{}: after {corruption}: {repaired}", test.name);
        }
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn open_work_that_is_written_down_wrongly_is_named() {
    for test in both().await {
        let payments = fill(test.store.as_ref()).await;
        let (rests, owner) = (hex(payments[0].id().as_bytes()), payments[0].owner());
        let open = one(test.store.as_ref(), submit(owner, Kind::TopUp, 5), at(9)).await;
        let look = async || {
            let mut snapshot = test.store.snapshot().await.expect("snapshot");
            let audited = audit(snapshot.as_mut(), None, None, &AuditOptions::default()).await;
            audited.expect("an audit comes to its end")
        };
        // The journal shows it, then its row does, and then the journal shows another one.
        assert!(look().await.passed(), "{}: {}", test.name, look().await);
        write_down_open_work(&test.store).await;
        assert!(look().await.passed(), "{}: {}", test.name, look().await);
        let later = one(test.store.as_ref(), submit(owner, Kind::TopUp, 6), at(10)).await;
        assert!(look().await.passed(), "{}: {}", test.name, look().await);
        let [open, later] = [open, later].map(|payment| hex(payment.id().as_bytes()));
        let row = |id: &str| format!("INSERT INTO open_work (payment) VALUES (x'{id}')");
        let gone = |id: &str| format!("DELETE FROM open_work WHERE payment=x'{id}'");
        let cursor = |by: &str| format!("UPDATE reader SET position=position{by} WHERE name='open_work'");
        for (change, back, words) in [
            (gone(&open), row(&open), "has no row of open work"),
            (row(&rests), gone(&rests), "nothing waited at row"),
            (row(&later), gone(&later), "nothing waited at row"),
            (cursor("+1"), cursor("-1"), "has no row of open work"),
            (cursor("-1"), cursor("+1"), "nothing waited at row"),
        ] {
            sql(&test, &change).await;
            let report = look().await;
            let names: Vec<_> = report.counts().keys().collect();
            assert_eq!(names, [&Name::WrongColumn], "{}: {change}: {report}", test.name);
            assert!(report.to_string().contains(words), "{change}: {report}");
            sql(&test, &back).await;
        }
        assert!(look().await.passed(), "{}: {}", test.name, look().await);
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pruned_journal_is_sound_whatever_leases_were_taken() {
    for test in both().await {
        fill(test.store.as_ref()).await;
        let (store, head) = (&test.store, test.store.head().await.expect("a head"));
        for reader in dispatch::NAMES.into_iter().chain([index::NAME, open_work::NAME]) {
            store.cursor_reset(reader, head).await.expect("moved");
        }
        // Their rows are in the table of readers, and have no position in the journal.
        for lease in ["timers", "instance", "something_new"] {
            let ttl = Duration::from_secs(60);
            store.lease_take(lease, InstanceId::generate(), at(9), ttl).await.expect("taken");
        }
        let pruned = store.journal_prune(head - 2, at(1_000_000)).await.expect("pruned");
        assert_eq!(pruned, head - 2, "{}", test.name);
        let report = look(store).await;
        assert!(report.passed(), "{}: {report}", test.name);
        store.cursor_reset(index::NAME, head - 4).await.expect("moved");
        let report = look(store).await;
        assert_eq!(
            report.counts().keys().collect::<Vec<_>>(),
            [&Name::WrongCursor],
            "{}: {report}",
            test.name
        );
        test.remove().await;
    }
}

async fn look_with(store: &Arc<dyn Store>, index: &Arc<dyn SearchIndex>) -> Report {
    index.commit(0).await.expect("committed");
    let mut snapshot = store.snapshot().await.expect("snapshot");
    let options = AuditOptions { at_rest: true, index_lag: Duration::ZERO, ..AuditOptions::default() };
    let mut view = Arc::clone(index);
    let side = IndexSide { view: &mut view, current: store };
    audit(snapshot.as_mut(), Some(side), None, &options).await.expect("an audit comes to its end")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_corruption_of_the_index_is_named() {
    let documents = |payment: &Payment| PaymentDocument::of(payment, &());
    let test = crate::support::stores::sqlite().await;
    let payments = fill(test.store.as_ref()).await;
    let stale = payments[1].at_version(1).expect("it had a first version");
    let stranger =
        one(crate::support::stores::sqlite().await.store.as_ref(), keyed(AccountId::generate(), "k"), at(0))
            .await;
    for (name, planted) in [
        (Name::MissingDocument, vec![&payments[0], &payments[2]]),
        (Name::StaleDocument, vec![&payments[0], &stale, &payments[2]]),
        (Name::ExtraDocument, vec![&payments[0], &payments[1], &payments[2], &stranger]),
    ] {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let settings = SearchSettings { path: dir.path().to_path_buf(), ..SearchSettings::default() };
        let index: Arc<dyn SearchIndex> =
            Arc::new(EmbeddedIndex::open(&settings, Wall::system()).await.expect("the index opens"));
        let planted: Vec<_> = planted.into_iter().flat_map(documents).collect();
        index.apply(&planted).await.expect("applied");
        let report = look_with(&test.store, &index).await;
        assert_eq!(report.counts().keys().collect::<Vec<_>>(), [&name], "{report}");
        if name != Name::ExtraDocument {
            index.apply(&payments.iter().flat_map(documents).collect::<Vec<_>>()).await.expect("applied");
            let repaired = look_with(&test.store, &index).await;
            assert!(repaired.passed(), "{repaired}");
        }
        index.close().await;
    }
    test.remove().await;
}
