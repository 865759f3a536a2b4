//! A write outside the sequencer that was sent and not answered may have been done: every entrance says so, and none says it of what was
//! never sent.

use std::sync::Arc;

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, SqliteConnection};
use paystorm::accounts::{AccountError, Accounts};
use paystorm::clock::Wall;
use paystorm::domain::ids::AccountId;
use paystorm::domain::time::Timestamp;
use paystorm::store::sqlite::SqliteStore;
use paystorm::store::{Accounts as _, NewAccount, Store, StoreError, StoreSettings};
use serde_json::Value;

use crate::support::binary::eventually;
use crate::support::commands;
use crate::support::server::{PASSWORD, Server, Stack, with};
use crate::support::stores::{self, TestStore};

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
    commands::account(id, "Somebody", Timestamp::now())
}

/// The same file, opened by someone with little patience.
async fn impatient(test: &TestStore) -> Arc<dyn Store> {
    let settings = StoreSettings { answer_within_ms: 300, ..StoreSettings::default() };
    Arc::new(SqliteStore::open(test.dir.path(), &settings).await.expect("SQLite opens"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_was_sent_and_not_answered_may_be_done_later() {
    let test = stores::sqlite().await;
    let store = impatient(&test).await;
    let (sent, waiting) = (account(AccountId::generate()), account(AccountId::generate()));
    let locked = Locked::on(&test);
    let outcome = store.account_insert(&sent).await;
    assert!(matches!(outcome, Err(StoreError::Unanswered(_))), "{outcome:?}");
    // The connection is still busy with the first: this one is never sent, or answered truthfully as well.
    let outcome = store.account_insert(&waiting).await;
    let truthful = matches!(outcome, Err(StoreError::Unanswered(_) | StoreError::Unavailable(_)));
    assert!(truthful, "{outcome:?}");
    locked.release();
    let there = async |id| store.account_get(&[id]).await.is_ok_and(|found| !found.is_empty());
    eventually("what may have been done is done", async || there(sent.id).await).await;
    if matches!(outcome, Err(StoreError::Unavailable(_))) {
        assert!(!there(waiting.id).await, "of this it was said that nothing was changed");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_lock_that_is_waited_for_is_no_certain_refusal() {
    let test = stores::mysql().await;
    let settings = StoreSettings { answer_within_ms: 300, ..test.settings.clone() };
    let store = paystorm::store::mysql::MySqlStore::open(&settings).await.expect("MySQL opens");
    let id = AccountId::generate();
    assert!(store.account_insert(&account(id)).await.expect("inserted"));
    use diesel_async::{AsyncConnection as _, SimpleAsyncConnection as _};
    let mut other = diesel_async::AsyncMysqlConnection::establish(test.settings.url.expose())
        .await
        .expect("MySQL answers");
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
    let accounts = Accounts::new(Arc::clone(&test.store), Wall::system()).expect("hashing works");
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

/// The status, what the header says, and the body.
async fn read(response: reqwest::Response) -> (u16, Option<String>, String) {
    let header = response.headers().get("paystorm-maybe-done").and_then(|value| value.to_str().ok());
    let header = header.map(str::to_owned);
    (response.status().as_u16(), header, response.text().await.expect("text"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_and_pages_say_that_it_may_have_been_done() {
    let impatient = |settings: &mut paystorm::config::Settings| {
        settings.store.answer_within_ms = 1_500;
        settings.engine.answer_within_ms = 1_500;
    };
    with(Stack::Embedded, impatient, async |server: Arc<Server>| {
        let session = server.sign_in("shop@example.org").await;
        let csrf = server.csrf(&session).await;
        let post = async |path: &str, body: &str| {
            let request = server.http.post(format!("{}{path}", server.url)).bearer_auth(&server.key);
            let request = request.header("content-type", "application/x-www-form-urlencoded");
            read(request.body(body.to_owned()).send().await.expect("an answer")).await
        };
        let (status, _, body) = post("/v1/test_helpers/accounts", "name=Maybe").await;
        assert_eq!(status, 200, "{body}");
        let made: Value = serde_json::from_str(&body).expect("JSON");
        let one = format!("{}/v1/test_helpers/accounts/{}", server.url, made["id"].as_str().expect("an id"));
        let locked = Locked::on(&server.test);
        let close = server.http.delete(one).bearer_auth(&server.key).send().await.expect("an answer");
        let (status, header, body) = read(close).await;
        locked.release();
        assert_eq!((status, header.as_deref()), (503, Some("true")), "{body}");
        let body: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(body["error"]["maybe_done"], true, "{body}");
        let message = body["error"]["message"].as_str().expect("a message");
        assert!(message.contains("may or may not have been done"), "{message}");
        let closed = async || {
            let list = server.http.get(format!("{}/v1/test_helpers/accounts", server.url));
            let list = list.bearer_auth(&server.key).send().await.expect("an answer");
            let list: Value = list.json().await.expect("JSON");
            list["data"].as_array().is_some_and(Vec::is_empty)
        };
        eventually("what may have been done is done", closed).await;
        // A page, in words.
        let locked = Locked::on(&server.test);
        let fields = [("csrf", csrf.as_str()), ("name", "maybe")];
        let response = server.post_form("/keys", &session, &[("origin", &server.url)], &fields).await;
        let (status, header, page) = read(response).await;
        locked.release();
        assert_eq!(status, 503, "{page}");
        let says = page.contains("may or may not have been done");
        assert_eq!(header.as_deref(), Some(if says { "true" } else { "false" }), "{page}");
        // The sequencer answers in the same way: it has taken this one up, or not.
        let locked = Locked::on(&server.test);
        let (status, header, body) =
            post("/v1/payment_intents", "amount=100&currency=eur&payment_method=pm_card_visa").await;
        locked.release();
        let body: Value = serde_json::from_str(&body).expect("JSON");
        assert_eq!(status, 503, "{body}");
        assert_eq!(header.as_deref(), Some(body["error"]["maybe_done"].to_string().as_str()), "{body}");
    })
    .await;
}
