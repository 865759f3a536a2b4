//! A write outside the line that was sent and not answered may have been done: every entrance says so, and none says it of what was
//! never sent.

use std::sync::Arc;

use crate::server::PASSWORD;
use crate::stores::{self, TestStore};
use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, SqliteConnection};
use paystorm::accounts::{AccountError, Accounts};
use paystorm::domain::ids::AccountId;
use paystorm::domain::time::Timestamp;
use paystorm::store::{NewAccount, Store, StoreError, StoreSettings};

/// Keeps everybody else from writing to the file while it lives.
pub struct Locked(SqliteConnection);

impl Locked {
    pub fn on(test: &TestStore) -> Self {
        let path = test.dir.path().join("paystorm.sqlite3");
        let mut conn = SqliteConnection::establish(&path.to_string_lossy()).expect("the file opens");
        conn.batch_execute("PRAGMA busy_timeout=60000; BEGIN IMMEDIATE").expect("the lock");
        Self(conn)
    }

    pub fn release(mut self) {
        self.0.batch_execute("ROLLBACK").expect("let go");
    }
}

fn account(id: AccountId) -> NewAccount {
    let created_at = Timestamp::now();
    NewAccount { id, email: None, name: "Somebody".to_owned(), password_hash: None, parent: None, created_at }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_lock_that_is_waited_for_is_no_certain_refusal() {
    let test = stores::mysql().await;
    let settings = StoreSettings { answer_within_ms: 300, ..test.settings.clone() };
    let store = paystorm::store::mysql::MySqlStore::open(&settings).await.expect("MySQL opens");
    let id = AccountId::generate();
    assert!(store.account_insert(&account(id)).await.expect("inserted"));
    use diesel_async::{AsyncConnection as _, SimpleAsyncConnection as _};
    let mut other =
        diesel_async::AsyncMysqlConnection::establish(&test.settings.url).await.expect("MySQL answers");
    other.batch_execute("BEGIN; UPDATE account SET name='Other'").await.expect("the rows are locked");
    let outcome = store.account_set_password(id, "hash").await;
    assert!(matches!(outcome, Err(StoreError::Unanswered(_))), "{outcome:?}");
    other.batch_execute("ROLLBACK").await.expect("let go");
    drop(store);
    test.remove().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_follows_a_write_says_that_it_was_done() {
    let test = stores::sqlite().await;
    let accounts = Accounts::new(Arc::clone(&test.store)).expect("hashing works");
    let id = accounts.register("ada@example.org", PASSWORD, "").await.expect("registered");
    let begun = accounts.session_begin(id, "").await.expect("a session");
    let session = accounts.session(&begun.token).await.expect("read").expect("it lives");
    // The password is changed, and then nobody can say which other sessions there are.
    crate::corruption::sql(&test, "ALTER TABLE session RENAME TO gone").await;
    let new = "another password of some length";
    let outcome = accounts.change_password(&session, "127.0.0.1", PASSWORD, new).await;
    assert!(matches!(outcome, Err(AccountError::Store(_))), "{outcome:?}");
    let lost = AccountError::Store(StoreError::Unavailable("lost".to_owned())).after_write();
    assert!(matches!(lost, AccountError::Store(StoreError::Unanswered(_))));
}
