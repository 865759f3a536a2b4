//! What goes wrong in a store is sorted by whether trying again may help, and every column holds what the intake admits.

use std::time::{Duration, Instant};

use diesel_async::{AsyncConnection, AsyncMysqlConnection, SimpleAsyncConnection};
use paystorm::domain::account::AccountTerms;
use paystorm::domain::command::{AuthorizationResponse as Response, PaymentCommand};
use paystorm::domain::ids::{AccountId, ApiKeyId, ImportId, RequestId};
use paystorm::domain::submission::Kind;
use paystorm::domain::time::Timestamp;
use paystorm::store::{
    ImportRecord, ImportRow, ImportState, NewAccount, NewApiKey, NewSession, RequestRecord, RowFault,
    StoreError,
};

use crate::support::commands::{answer, at, decide, one, submission, submit};
use crate::support::stores::{both, mysql};

/// Longer than any limit that is tested here, on the busiest machine.
const GUARD: Duration = Duration::from_secs(60);

fn long(chars: usize) -> String {
    "🦀".repeat(chars)
}

/// As much free text as the intake admits.
pub fn largest(owner: AccountId) -> PaymentCommand {
    let mut charge = submission(owner, Kind::Charge, 1_250);
    charge.submission.description = Some(long(1_000));
    charge.submission.metadata = (0..50).map(|n| (format!("{}{n:02}", long(38)), long(500))).collect();
    charge.submission.run = Some(long(64));
    PaymentCommand::Submit(Box::new(charge))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_payment_is_kept() {
    for test in both().await {
        let store = test.store.as_ref();
        let owner = AccountId::generate();
        // More of them than one statement takes.
        let commands: Vec<PaymentCommand> = (0..24).map(|_| largest(owner)).collect();
        let (seq, decided) = decide(store, &commands, at(0)).await.expect("committed");
        assert_eq!(seq, 1, "{}", test.name);
        let first = decided.changes.first().map(|(_, payment)| payment).expect("a payment");
        let found = store.payment_get(&[first.id()]).await.expect("read");
        assert_eq!(found.first(), Some(first.as_ref()), "{}", test.name);
        one(store, answer(first, Response::Approved), at(1)).await;
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_column_holds_what_the_edge_lets_through() {
    let now = Timestamp::now();
    for test in both().await {
        let store = test.store.as_ref();
        let account = AccountId::generate();
        // A name of 100 characters, and the number of the last of 10,000 throw-away accounts.
        let name = format!("{} 10000", long(100));
        let email = Some(format!("{}@example.org", "x".repeat(242)));
        let password_hash = Some("h".repeat(255));
        let new = NewAccount {
            id: account,
            email,
            name,
            password_hash,
            parent: None,
            scenario: None,
            terms: AccountTerms::default(),
            created_at: now,
        };
        assert!(store.account_insert(&new).await.expect("kept"), "{}", test.name);
        let key = NewApiKey {
            id: ApiKeyId::generate(),
            account,
            secret_hash: [1; 32],
            last4: "abcd".to_owned(),
            name: long(100),
            created_at: now,
        };
        store.api_key_insert(&key).await.expect("kept");
        let session = NewSession {
            id: paystorm::domain::ids::SessionId::generate(),
            account,
            token_hash: [2; 32],
            created_at: now,
            expires_at: now.plus_ms(1_000),
            user_agent: long(200),
        };
        store.session_insert(&session).await.expect("kept");
        let call = RequestRecord {
            id: RequestId::generate(),
            account,
            key: None,
            at: now,
            method: "M".repeat(16),
            path: long(255),
            status: 200,
            latency_us: 1,
            missed: 0,
            request: Some(long(1_024)),
            response: Some(long(1_024)),
        };
        store.request_insert(&[call]).await.expect("kept");
        let import = ImportRecord {
            id: ImportId::generate(),
            owner: account,
            name: long(60),
            state: ImportState::Stopped,
            created_at: now,
            updated_at: now,
            rows_read: 1,
            rows_accepted: 0,
            rows_known: 0,
            rows_refused: 1,
            cause: Some(long(500)),
        };
        assert!(store.import_insert(&import).await.expect("kept"), "{}", test.name);
        let fault = RowFault { column: long(120), message: long(500) };
        let row = ImportRow { line: 2, key: long(120), outcome: Err(fault) };
        store.import_save(&import, &[row]).await.expect("kept");
        test.remove().await;
    }
}

/// On MySQL, 1406 has no kind of its own: it was taken for a server that is away.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_column_does_not_hold_is_refused_and_not_tried_again() {
    let test = mysql().await;
    let store = test.store.as_ref();
    let refused =
        |error: StoreError| matches!(&error, StoreError::Refused(cause) if cause.contains("(1406)"));
    let mut charge = submission(AccountId::generate(), Kind::Charge, 5);
    // More than 16 MiB.
    charge.submission.description = Some(long(4_500_000));
    let fine = submit(AccountId::generate(), Kind::Charge, 6);
    let batch = [fine.clone(), PaymentCommand::Submit(Box::new(charge))];
    assert!(refused(decide(store, &batch, at(0)).await.expect_err("too long")), "the sequencer");
    assert_eq!(store.head().await.expect("head"), 0, "nothing of it was written");
    one(store, fine, at(1)).await;
    assert!(refused(store.installation_set("name", &[7; 300]).await.expect_err("too long")), "the pool");
    let import = ImportRecord {
        id: ImportId::generate(),
        owner: AccountId::generate(),
        name: long(61),
        state: ImportState::Finished,
        created_at: at(0),
        updated_at: at(0),
        rows_read: 0,
        rows_accepted: 0,
        rows_known: 0,
        rows_refused: 0,
        cause: None,
    };
    assert!(refused(store.import_insert(&import).await.expect_err("too long")), "not an id that is taken");
    let name = long(200);
    let account = NewAccount {
        id: import.owner,
        email: None,
        name,
        password_hash: None,
        parent: None,
        scenario: None,
        terms: AccountTerms::default(),
        created_at: at(0),
    };
    assert!(
        refused(store.account_insert(&account).await.expect_err("too long")),
        "not an address that is taken"
    );
    test.remove().await;
}

/// A statement larger than the server takes is the statement's fault, although the connection ends over it.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_larger_than_the_server_takes_is_refused() {
    let test = mysql().await;
    let store = test.store.as_ref();
    let mut charge = submission(AccountId::generate(), Kind::Charge, 5);
    charge.submission.description = Some("x".repeat(80 << 20));
    let error =
        decide(store, &[PaymentCommand::Submit(Box::new(charge))], at(0)).await.expect_err("too large");
    assert!(matches!(error, StoreError::Refused(_)), "{error}");
    one(store, submit(AccountId::generate(), Kind::Charge, 6), at(1)).await;
    test.remove().await;
}

/// A lock passes.
#[tokio::test(flavor = "multi_thread")]
async fn what_passes_is_unavailable() {
    let test = mysql().await;
    let store = test.opened_as_users_do().await;
    let charge = || submit(AccountId::generate(), Kind::Charge, 5);
    one(store.as_ref(), charge(), at(0)).await;
    let mut holder =
        AsyncMysqlConnection::establish(test.settings.url.expose()).await.expect("MySQL answers");
    holder.batch_execute("BEGIN; UPDATE head SET seq = seq WHERE shard = 0").await.expect("held");
    let began = Instant::now();
    let error = decide(store.as_ref(), &[charge()], at(1)).await.expect_err("held by another");
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
    println!("a head held by another was given up after {:?}", began.elapsed());
    assert!(began.elapsed() < GUARD);
    holder.batch_execute("ROLLBACK").await.expect("let go");
    one(store.as_ref(), charge(), at(2)).await;
    drop(holder);
    test.remove().await;
}
