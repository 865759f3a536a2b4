//! Every column of every table, altered in one row of a store that holds something everywhere: `verify` names it, or it is said
//! here why nothing can. A column that is not in the list fails the test.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use diesel::sql_types::Text;
use diesel::{Connection, RunQueryDsl, SqliteConnection};
use diesel_async::{AsyncConnection, AsyncMysqlConnection};
use paystorm::audit::{AuditOptions, Name, Report, audit};
use paystorm::clock::Wall;
use paystorm::domain::account::AccountTerms;
use paystorm::domain::amendment::{AmendPayment, PaymentPatch};
use paystorm::domain::clock::{Clock, ClockPatch, Rate};
use paystorm::domain::command::{
    Action, AuthorizationResponse as Response, IdempotencyKey, OperatePayment, PaymentCommand, SystemCommand,
};
use paystorm::domain::customer::Customer;
use paystorm::domain::event::TechnicalError;
use paystorm::domain::idempotency::{KeySecret, RequestKey};
use paystorm::domain::ids::{
    AccountId, ApiKeyId, ClockId, CustomerId, ImportId, InstanceId, PaymentId, RefundId, RequestId, SessionId,
};
use paystorm::domain::instrument::Presented;
use paystorm::domain::origin::Origin;
use paystorm::domain::payment::Payment;
use paystorm::domain::resource::{Body, Change, Patch};
use paystorm::domain::subject;
use paystorm::domain::submission::{CaptureMethod, Kind};
use paystorm::domain::time::Timestamp;
use paystorm::readers::follower::Reader as _;
use paystorm::readers::statement::Statement;
use paystorm::readers::{dispatch, index, statement};
use paystorm::store::{
    AsideChanges, AsideReason, AsideRecord, DetailRecord, ImportRecord, ImportRow, ImportState, NewAccount,
    NewApiKey, NewScenario, NewSession, RequestRecord, RowFault, Store, StoreKind, Subject,
};

use crate::corruption::sql;
use crate::support::commands::{
    answer, at, change, customer, decide, one, operate, renamed, submission, submit, write_down_open_work,
};
use crate::support::stores::{TestStore, both};

const SECRET: &str = "fingerprint_key";

/// What becomes of an alteration.
enum Case {
    /// `verify` fails.
    Named,
    /// Nothing can be read in order without it, and opening says so.
    Refused,
    /// It cannot know, and this is why that misleads nobody about money, or why nothing could show it.
    Unseen(&'static str),
}

use Case::{Named, Refused, Unseen};

const BATCH: &str = "a random number, compared only while a commit is in doubt";
const TOKEN: &str = "a hash of a secret that only its holder has";
const WORDS: &str = "a person's own words, kept once";
const LOG: &str = "a log of calls, kept once and for a while";
const TERMS: &str = "what is decided from now on follows it, and what was decided is in the histories";
const REQUEST: &str = "shown with an event, kept once; nothing is decided by it";
const NO_TRACE: &str = "kept once; nothing else shows it";

/// Every column there is, by table and name, and what to put there. A statement may say more than one thing: `{row}` stands for
/// the row that is altered.
const COLUMNS: &[(&str, &str, &str, Case)] = &[
    ("head", "shard", "shard + 1", Refused),
    ("head", "seq", "seq + 1", Named),
    ("head", "wall", "0", Named),
    ("head", "settings_seq", "seq + 1", Named),
    ("journal", "seq", "seq + 1000", Named),
    ("journal", "batch_id", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Unseen(BATCH)),
    ("journal", "at", "at + 7", Named),
    ("journal", "body", "x'00'", Named),
    (
        "reader",
        "name",
        "'nobody'",
        Unseen("the reader begins at the first row that is kept, and does nothing twice"),
    ),
    ("reader", "position", "position + 1000", Named),
    ("reader", "holder", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Unseen("a lease ends by itself")),
    ("reader", "lease_until", "9000000000000000", Named),
    ("payment", "id", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("payment", "owner", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("payment", "kind", "kind + 1", Named),
    ("payment", "status", "status + 1", Named),
    ("payment", "amount", "amount + 1", Named),
    ("payment", "currency", "'USD'", Named),
    ("payment", "version", "version + 1", Named),
    ("payment", "submission", "(SELECT submission FROM keep_payment ORDER BY id DESC LIMIT 1)", Named),
    ("payment", "history", "(SELECT history FROM keep_payment ORDER BY id DESC LIMIT 1)", Named),
    ("owner_payment", "owner", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("owner_payment", "payment", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("owner_payment", "kind", "kind + 1", Named),
    ("due", "subject", "x'01eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("due", "clock", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("due", "due_at", "due_at + 1", Named),
    ("clock_busy", "payment", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("clock_busy", "clock", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("clock_awake", "clock", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("open_work", "payment", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("parked", "payment", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("parked", "owner", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("part", "id", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("part", "owner", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("part", "created", "created+1", Named),
    ("part", "payment", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("part", "kind", "3-kind", Named),
    ("movement", "payment", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("movement", "version", "version + 20", Named),
    ("movement", "n", "n + 1", Named),
    ("movement", "debit", "x'62616e6b'", Named),
    ("movement", "credit", "x'62616e6b'", Named),
    ("movement", "amount", "amount + 1", Named),
    ("movement", "currency", "'USD'", Named),
    ("movement", "seq", "seq + 1", Named),
    ("movement", "place", "place + 1", Named),
    ("receipt", "payee", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("receipt", "payment", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("wallet", "id", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("wallet", "balance", "balance + 1", Named),
    ("wallet", "owed", "owed + 1", Named),
    ("wallet", "pending", "pending + 1", Named),
    ("statement_line", "wallet", "(SELECT MAX(wallet) FROM keep_statement_line)", Named),
    ("statement_line", "seq", "seq + 100", Named),
    ("statement_line", "place", "place + 1", Named),
    ("statement_line", "payment", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("statement_line", "version", "version + 1", Named),
    ("statement_line", "side", "3 - side", Named),
    ("statement_line", "kind", "kind + 1", Named),
    ("statement_line", "gross", "gross + 1", Named),
    ("statement_line", "fee", "fee + 1", Named),
    ("statement_line", "balance", "balance + 1", Named),
    ("statement_line", "at", "at + 1", Named),
    ("statement_line", "available_at", "available_at + 1", Named),
    ("statement_line", "part", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("account_event", "owner", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("account_event", "at", "at + 1", Named),
    ("account_event", "subject", "(SELECT MAX(subject) FROM keep_account_event)", Named),
    ("account_event", "version", "version + 1", Named),
    ("account_event", "n", "n + 5", Named),
    ("account_event", "kind", "kind + 1", Named),
    ("account_event", "wall", "wall + 1", Named),
    ("event_source", "owner", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("event_source", "at", "at + 1", Named),
    ("event_source", "subject", "x'02eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("event_source", "version", "version + 20", Named),
    ("event_source", "wall", "wall + 1", Named),
    ("event_source", "request", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Unseen(REQUEST)),
    ("event_source", "idempotency_key", "'other'", Unseen(REQUEST)),
    (
        "event_source",
        "states",
        "(SELECT states FROM keep_event_source WHERE states IS NOT NULL ORDER BY subject DESC LIMIT 1)",
        Named,
    ),
    ("idempotency", "k", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("idempotency", "owner", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("idempotency", "request", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("idempotency", "subject", "(SELECT MAX(subject) FROM keep_idempotency)", Named),
    ("idempotency", "version", "version + 1", Named),
    ("idempotency", "answer", "5", Named),
    ("idempotency", "at", "at + 1", Named),
    ("answer", "k", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("answer", "owner", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("answer", "body", "x'7b7d'", Named),
    ("resource", "subject", "x'02eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("resource", "owner", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("resource", "clock", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("resource", "created_at", "created_at + 1", Named),
    ("resource", "version", "version + 1", Named),
    ("resource", "deleted", "1", Named),
    ("resource", "seq", "seq + 1", Named),
    ("resource", "body", "(SELECT body FROM keep_resource ORDER BY subject DESC LIMIT 1)", Named),
    ("customer_payment", "customer", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("customer_payment", "payment", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("account", "id", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("account", "email", "'other@example.org'", Unseen(NO_TRACE)),
    ("account", "name", "'Somebody else'", Unseen(WORDS)),
    ("account", "password_hash", "'$other$'", Unseen(TOKEN)),
    ("account", "parent", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("account", "clock", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("account", "created_at", "created_at - 86400000000", Named),
    ("account", "closed_at", "created_at + 1", Named),
    ("account", "fee_basis_points", "fee_basis_points + 1", Unseen(TERMS)),
    ("account", "fee_fixed", "fee_fixed + 1", Unseen(TERMS)),
    ("account", "country", "'FR'", Unseen(TERMS)),
    ("account", "currency", "'USD'", Unseen(TERMS)),
    ("account", "payout_delay_days", "payout_delay_days + 1", Unseen(TERMS)),
    ("account", "lean", "1 - lean", Named),
    ("account", "scenario", "scenario + 1", Named),
    ("scenario_file", "hash", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("scenario_file", "name", "'other'", Unseen("the file says it too, and nothing is decided by it")),
    ("scenario_file", "body", "x'7b7d'", Named),
    ("scenario_revision", "revision", "revision + 1000", Named),
    ("scenario_revision", "account", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("scenario_revision", "number", "number + 1", Named),
    (
        "scenario_revision",
        "file",
        "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'",
        Named,
    ),
    ("scenario_revision", "at", "at + 1", Named),
    ("session", "id", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Unseen("only a name to end it by")),
    ("session", "account", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    (
        "session",
        "token_hash",
        "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'",
        Unseen(TOKEN),
    ),
    ("session", "created_at", "expires_at + 1", Named),
    ("session", "expires_at", "created_at - 1", Named),
    ("session", "user_agent", "'other'", Unseen(WORDS)),
    ("session", "seen_at", "expires_at + 1", Named),
    ("account_mark", "account", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("account_mark", "name", "'other'", Unseen("hides a hint, or shows it once more")),
    ("account_mark", "at", "at + 1", Unseen("never shown")),
    ("api_key", "id", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("api_key", "account", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    (
        "api_key",
        "secret_hash",
        "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'",
        Unseen(TOKEN),
    ),
    ("api_key", "last4", "'zzzz'", Unseen("four characters of a secret that only its holder has")),
    ("api_key", "name", "'other'", Unseen(WORDS)),
    ("api_key", "created_at", "created_at + 86400000000", Unseen(NO_TRACE)),
    ("api_key", "revoked_at", "created_at - 1", Named),
    ("request_log", "id", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Unseen(LOG)),
    ("request_log", "account", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("request_log", "api_key", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("request_log", "at", "at + 1", Unseen(LOG)),
    ("request_log", "method", "'PUT'", Unseen(LOG)),
    ("request_log", "path", "'/other'", Unseen(LOG)),
    ("request_log", "status", "500", Unseen(LOG)),
    ("request_log", "latency_us", "latency_us + 1", Unseen(LOG)),
    ("request_log", "missed", "missed + 1", Unseen(LOG)),
    ("request_log", "request", "'other'", Unseen(LOG)),
    ("request_log", "response", "'other'", Unseen(LOG)),
    ("import", "id", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("import", "owner", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("import", "name", "'other'", Unseen(WORDS)),
    ("import", "state", "3", Named),
    ("import", "created_at", "updated_at + 1", Named),
    ("import", "updated_at", "created_at - 1", Named),
    ("import", "rows_read", "rows_read + 1", Named),
    ("import", "rows_accepted", "rows_accepted + 1", Named),
    ("import", "rows_known", "rows_known + 1", Named),
    ("import", "rows_refused", "rows_refused + 1", Named),
    ("import", "cause", "'other'", Named),
    ("import_row", "import", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("import_row", "line", "line + 100", Unseen("a place in a file that is not kept")),
    ("import_row", "row_key", "'other'", Unseen("a word from a file that is not kept")),
    ("import_row", "payment", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("import_row", "column_name", "'other'", Named),
    ("import_row", "message", "'other'", Named),
    ("detail", "subject", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("detail", "id", "id + 1", Named),
    ("detail", "body", "x'7b7d'", Named),
    ("installation", "name", "'other'", Named),
    ("installation", "value", "x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee'", Named),
    ("set_aside", "subject", "'payment row 00'", Unseen("a server takes back what it can read")),
    ("set_aside", "reason", "2", Unseen("nothing is to be done about it")),
    ("set_aside", "cause", "'other'", Unseen("what cannot be read is named by itself")),
    ("set_aside", "first_at", "first_at + 1", Unseen("shown until it is repaired")),
    ("set_aside", "last_at", "last_at + 1", Unseen("shown until it is repaired")),
];

/// Which row of a table is altered, and whether it is missed when it is deleted.
const ROWS: &[(&str, &str, Case)] = &[
    ("head", "1=1", Refused),
    ("journal", "seq=3", Named),
    ("reader", "name='index'", Unseen("the reader begins at the first row that is kept")),
    ("payment", "id={first}", Named),
    ("owner_payment", "payment={first}", Named),
    ("due", "1=1", Named),
    ("clock_busy", "1=1", Named),
    ("clock_awake", "1=1", Named),
    ("open_work", "payment=(SELECT MIN(payment) FROM keep_open_work)", Named),
    ("parked", "1=1", Named),
    ("part", "id=(SELECT MIN(id) FROM keep_part)", Named),
    ("movement", "payment={first} AND version=3", Named),
    ("receipt", "1=1", Named),
    ("wallet", "id=(SELECT MIN(id) FROM keep_wallet)", Named),
    ("statement_line", "payment={first} AND version=3", Named),
    ("account_event", "subject={subject} AND version=3 AND n=0", Named),
    (
        "event_source",
        "version=1 AND subject=(SELECT MIN(subject) FROM keep_event_source WHERE states IS NOT NULL)",
        Named,
    ),
    ("idempotency", "subject={subject} AND version=1", Named),
    ("answer", "1=1", Named),
    ("resource", "subject=(SELECT MIN(subject) FROM keep_resource)", Named),
    ("customer_payment", "payment=(SELECT MIN(payment) FROM keep_customer_payment)", Named),
    ("account", "id={owner}", Named),
    ("scenario_file", "1=1", Named),
    ("scenario_revision", "1=1", Named),
    ("session", "1=1", Unseen("its holder signs in again")),
    ("account_mark", "1=1", Unseen("shows a hint once more")),
    ("api_key", "1=1", Named),
    ("request_log", "1=1", Unseen(LOG)),
    ("import", "1=1", Named),
    ("import_row", "payment IS NOT NULL", Named),
    ("detail", "subject={first}", Named),
    ("installation", "name='fingerprint_key'", Named),
    ("set_aside", "1=1", Unseen("a server sets it aside again if it must")),
];

fn hex(bytes: &[u8]) -> String {
    format!("x'{}'", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// The first payment, with a key, a detail and refunds, and its owner.
struct Filled {
    first: PaymentId,
    /// The last one.
    last: PaymentId,
    owner: AccountId,
}

/// Something in every table.
async fn fill(shared: &Arc<dyn Store>) -> Filled {
    let store = shared.as_ref();
    let (owner, payee) = (AccountId::generate(), AccountId::generate());
    for (id, parent) in [(owner, None), (payee, Some(owner))] {
        let email = parent.is_none().then(|| "ann@example.org".to_owned());
        let password_hash = email.as_ref().map(|_| "$argon2id$".to_owned());
        let account = NewAccount {
            id,
            email,
            name: "Ann".to_owned(),
            password_hash,
            parent,
            scenario: None,
            terms: AccountTerms::default(),
            created_at: Timestamp::now(),
        };
        assert!(store.account_insert(&account).await.expect("inserted"));
    }
    store.installation_set_once(SECRET, &[7; 32]).await.expect("set");
    let key = |name: &str| {
        let name = RequestKey::Text(name.to_owned());
        Some(IdempotencyKey::new(&name, b"the same", &KeySecret::derive(&[7; 32])))
    };
    let approve = async |payment: Payment| one(store, answer(&payment, Response::Approved), at(5)).await;
    // A charge with the details of its attempt.
    let mut command = submission(owner, Kind::Charge, 1_000);
    let body = br#"{"return_url":"https://shop.example"}"#.to_vec();
    let name = DetailRecord::name_of_attempt(&body);
    let first = command.submission.id;
    store.detail_put(*first.as_bytes(), name, &body).await.expect("put");
    command.instrument =
        command.instrument.map(|card| card.presented_again(Presented::default().naming(name)));
    command.idempotency = key("order-1");
    let origin = Origin { request: RequestId::generate(), key: Some("order-1".into()) };
    let asked = PaymentCommand::Submit(Box::new(command)).asked_by(Some(Box::new(origin)));
    let (_, decided) = decide(store, &[asked], at(0)).await.expect("committed");
    approve(Payment::clone(&decided.changes[0].1)).await;
    // A refund with a reason, and one without.
    let refund = RefundId::generate();
    let body = br#"{"reason":"duplicate"}"#.to_vec();
    let detail = DetailRecord::name_of_refund(refund, &body);
    store.detail_put(*refund.as_bytes(), detail, &body).await.expect("put");
    let action = Action::Refund { refund, amount_minor: Some(40), detail: Some(detail) };
    let command = OperatePayment { payment: first, actor: owner, action, idempotency: key("refund-1") };
    let charge = approve(one(store, PaymentCommand::Operate(command), at(6)).await).await;
    let action = Action::Refund { refund: RefundId::generate(), amount_minor: Some(50), detail: Some(0) };
    let charge = approve(one(store, operate(&charge, action), at(7)).await).await;
    assert_eq!(charge.state().refunds.len(), 2);
    approve(one(store, submit(owner, Kind::TopUp, 500), at(8)).await).await;
    unfinished(store, owner).await;
    let sent = one(store, submit(owner, Kind::Transfer { payee }, 70), at(300_000)).await;
    let sent = one(store, answer(&sent, Response::Approved), at(300_001)).await;
    // A customer who was renamed under a key, with a payment, and one who was deleted.
    let (ann, made) = customer(owner, "Ann", Some("customer-1"));
    let (ben, other) = customer(owner, "Ben", None);
    let rename = change(owner, ann.into(), renamed("Anna"), None);
    let delete = change(owner, ben.into(), Change::Delete, None);
    for command in [made, other, rename, delete] {
        let (_, decided) = decide(store, &[command], at(300_002)).await.expect("committed");
        assert!(decided.resources.iter().all(Result::is_ok), "{decided:?}");
    }
    let (_, made) = customer(owner, "Cleo", None);
    decide(store, &[made], at(300_003)).await.expect("committed");
    let mut command = submission(owner, Kind::Charge, 1_100);
    command.submission.customer = Some(ann);
    let charge = one(store, PaymentCommand::Submit(Box::new(command)), at(300_004)).await;
    one(store, answer(&charge, Response::Approved), at(300_005)).await;
    // It is amended, twice.
    for (n, text) in [(6, "first"), (7, "second")] {
        let patch = PaymentPatch { description: Some(Some(text.to_owned())), ..PaymentPatch::default() };
        let amend = AmendPayment { payment: charge.id(), actor: owner, patch, idempotency: None };
        one(store, PaymentCommand::Amend(Box::new(amend)), at(300_000 + n)).await;
    }
    by_a_clock(store, owner).await;
    people(store, owner).await;
    let scenario = NewScenario::of("a day", b"name = \"a day\"\n");
    store.scenario_set(owner, Some(scenario), at(300_008)).await.expect("set").expect("the account is open");
    let charge = one(store, submit(owner, Kind::Charge, 1_300), at(300_009)).await;
    one(store, answer(&charge, Response::Approved), at(300_010)).await;
    readers(shared).await;
    import(store, owner, sent.id()).await;
    let record = AsideRecord {
        subject: Subject::Payment(first),
        reason: AsideReason::Unreadable,
        cause: "it could not be read".to_owned(),
        first_at: at(1),
        last_at: at(2),
    };
    store.aside_save(&AsideChanges { save: vec![record], remove: Vec::new() }).await.expect("saved");
    Filled { first, last: sent.id(), owner }
}

/// A payment with work in the queue, one that waits for a person, and one that will lapse.
async fn unfinished(store: &dyn Store, owner: AccountId) {
    one(store, submit(owner, Kind::TopUp, 60), at(9)).await;
    let broken = Response::TechnicalFailure(TechnicalError::Timeout);
    let mut parked = one(store, submit(owner, Kind::TopUp, 61), at(10)).await;
    while !parked.is_parked() {
        parked = one(store, answer(&parked, broken), parked.due_at().unwrap_or(at(11))).await;
        if let Some(due) = parked.due_at() {
            parked = one(store, SystemCommand::TimerDue(parked.id()), due).await;
        }
    }
    let mut held = submission(owner, Kind::Charge, 62);
    held.submission.capture = CaptureMethod::Manual;
    let held = one(store, PaymentCommand::Submit(Box::new(held)), at(12)).await;
    one(store, answer(&held, Response::Approved), at(13)).await;
}

/// A clock that runs, and a charge that it waits for.
async fn by_a_clock(store: &dyn Store, owner: AccountId) {
    let (clock, customer) = (ClockId::generate(), CustomerId::generate());
    let body = Body::Clock(Clock::frozen(None, at(300_006), at(0)));
    let made = Change::Create { clock: ClockId::WALL, body: Box::new(body) };
    let runs = Change::Update(Patch::Clock(ClockPatch::SetRate(Rate::Times(60))));
    let body = Body::Customer(Customer::default());
    let whose = Change::Create { clock, body: Box::new(body) };
    for (subject, wanted) in [(clock.into(), made), (clock.into(), runs), (customer.into(), whose)] {
        let command = change(owner, subject, wanted, None);
        let (_, decided) = decide(store, &[command], at(300_006)).await.expect("committed");
        assert!(decided.resources.iter().all(Result::is_ok), "{decided:?}");
    }
    let mut command = submission(owner, Kind::Charge, 1_200);
    command.submission.customer = Some(customer);
    let charge = one(store, PaymentCommand::Submit(Box::new(command)), at(300_007)).await;
    assert_eq!(charge.clock(), clock);
}

async fn people(store: &dyn Store, owner: AccountId) {
    let session = NewSession {
        id: SessionId::generate(),
        account: owner,
        token_hash: [1; 32],
        created_at: at(0),
        expires_at: at(9_000),
        user_agent: "till".to_owned(),
    };
    store.session_insert(&session).await.expect("inserted");
    let key = NewApiKey {
        id: ApiKeyId::generate(),
        account: owner,
        secret_hash: [2; 32],
        last4: "abcd".to_owned(),
        name: "till".to_owned(),
        created_at: at(0),
    };
    store.api_key_insert(&key).await.expect("inserted");
    store.account_flag_set(owner, "seen", at(1)).await.expect("set");
    let call = RequestRecord {
        id: RequestId::generate(),
        account: owner,
        key: Some(key.id),
        at: at(3),
        method: "POST".to_owned(),
        path: "/v1/payment_intents".to_owned(),
        status: 200,
        latency_us: 5,
        missed: 0,
        request: Some("{}".to_owned()),
        response: Some("{}".to_owned()),
    };
    store.request_insert(&[call]).await.expect("inserted");
}

async fn readers(store: &Arc<dyn Store>) {
    let head = store.head().await.expect("a head");
    for reader in dispatch::NAMES.into_iter().chain([index::NAME]) {
        store.cursor_reset(reader, head).await.expect("moved");
    }
    write_down_open_work(store).await;
    let ttl = std::time::Duration::from_secs(60);
    store.lease_take(index::NAME, InstanceId::generate(), Timestamp::now(), ttl).await.expect("taken");
    let instance = InstanceId::generate();
    store.lease_take(statement::NAME, instance, Timestamp::now(), ttl).await.expect("taken");
    let mut statements = Statement::new(store.clone(), instance, Wall::new(|| at(300_010)), 10_000);
    assert_eq!(statements.begin(0, head).await.expect("made"), head);
}

async fn import(store: &dyn Store, owner: AccountId, payment: PaymentId) {
    let mut import = ImportRecord {
        id: ImportId::generate(),
        owner,
        name: "payroll".to_owned(),
        state: ImportState::Running,
        created_at: at(0),
        updated_at: at(0),
        rows_read: 0,
        rows_accepted: 0,
        rows_known: 0,
        rows_refused: 0,
        cause: None,
    };
    assert!(store.import_insert(&import).await.expect("inserted"));
    let fault = RowFault { column: "amount".to_owned(), message: "wrong".to_owned() };
    let rows = [Ok(payment), Err(fault)].into_iter().zip(2..);
    let rows: Vec<ImportRow> =
        rows.map(|(outcome, line)| ImportRow { line, key: format!("row-{line}"), outcome }).collect();
    import.state = ImportState::Finished;
    (import.rows_read, import.rows_accepted, import.rows_refused) = (2, 1, 1);
    import.updated_at = at(9);
    store.import_save(&import, &rows).await.expect("saved");
}

#[derive(diesel::QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    place: String,
}

/// The embedded store alone has this table.
const ONLY_SQLITE: &str = "owner_payment";

fn has(test: &TestStore, table: &str) -> bool {
    table != ONLY_SQLITE || test.settings.kind == StoreKind::Embedded
}

fn tables_of(test: &TestStore) -> Vec<&'static str> {
    ROWS.iter().map(|(table, ..)| *table).filter(|table| has(test, table)).collect()
}

/// Lists payments by owner, as far as the first of the last: what would be done of a great many.
async fn list_by_owner(test: &TestStore, filled: &Filled) {
    if has(test, ONLY_SQLITE) {
        let mark = hex(filled.last.as_bytes());
        let list = "INSERT INTO owner_payment SELECT owner,id,kind FROM payment";
        sql(test, &format!("{list}; INSERT INTO installation VALUES ('owner_payments_below',{mark})")).await;
    }
}

/// Every column that the store has, as `table.column`.
async fn columns(test: &TestStore) -> BTreeSet<String> {
    let found: Vec<Column> = match test.settings.kind {
        StoreKind::Embedded => {
            let path = test.dir.path().join("paystorm.sqlite3");
            let mut conn = SqliteConnection::establish(&path.to_string_lossy()).expect("the file opens");
            let query = "SELECT m.name || '.' || c.name AS place FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type='table'";
            diesel::sql_query(query).load(&mut conn).expect("read")
        }
        StoreKind::Mysql => {
            let mut conn =
                AsyncMysqlConnection::establish(test.settings.url.expose()).await.expect("MySQL answers");
            let query = "SELECT CONCAT(table_name, '.', column_name) AS place FROM information_schema.columns WHERE table_schema=DATABASE()";
            diesel_async::RunQueryDsl::load(diesel::sql_query(query), &mut conn).await.expect("read")
        }
    };
    let ours = |place: &String| !place.starts_with("__diesel") && !place.starts_with("sqlite_");
    found.into_iter().map(|column| column.place).filter(ours).collect()
}

async fn look(test: &TestStore) -> Report {
    look_since(test, Timestamp::default()).await
}

/// With idempotency rows from then on.
async fn look_since(test: &TestStore, keys_since: Timestamp) -> Report {
    let mut snapshot = test.store.snapshot().await.expect("snapshot");
    let options = AuditOptions {
        keys_since,
        page: 2,
        accounts: true,
        secret: Some(SECRET.to_owned()),
        now: Some(Timestamp::now()),
        ..AuditOptions::default()
    };
    audit(snapshot.as_mut(), None, None, &options).await.expect("an audit comes to its end")
}

/// Alters, looks, and puts back what was there.
async fn check(test: &TestStore, tables: &[&str], statement: &str, case: &Case, wrong: &mut Vec<String>) {
    sql(test, statement).await;
    let opened = test.store.snapshot().await.map(drop);
    let report = if opened.is_ok() { look(test).await } else { Report::default() };
    match (case, report.passed()) {
        (Refused, true) if opened.is_err() => {}
        (Refused, _) => wrong.push(format!("{}: opened: {statement}", test.name)),
        (Named, false) | (Unseen(_), true) => {}
        (Named, true) => wrong.push(format!("{}: not named: {statement}", test.name)),
        (Unseen(why), false) => wrong.push(format!("{}: {why}, and yet {statement}: {report}", test.name)),
    }
    let repair: Vec<String> = tables
        .iter()
        .map(|table| format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM keep_{table}"))
        .collect();
    sql(test, &repair.join(";")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_column_is_checked_or_it_is_said_why_not() {
    for test in both().await {
        let columns_here = || COLUMNS.iter().filter(|(table, ..)| has(&test, table));
        let listed: BTreeSet<String> =
            columns_here().map(|(table, column, ..)| format!("{table}.{column}")).collect();
        assert_eq!(columns(&test).await, listed, "{}: a column without its case here", test.name);
        let filled = fill(&test.store).await;
        list_by_owner(&test, &filled).await;
        let tables = tables_of(&test);
        assert_eq!(
            tables.iter().copied().collect::<BTreeSet<_>>(),
            columns_here().map(|(table, ..)| *table).collect()
        );
        let keep: Vec<String> = tables
            .iter()
            .map(|table| format!("CREATE TABLE keep_{table} AS SELECT * FROM {table}"))
            .collect();
        sql(&test, &keep.join(";")).await;
        let sound = look(&test).await;
        assert!(sound.passed(), "{}: {sound}", test.name);
        assert!(sound.to_string().contains("nothing is wrong with it any more"), "{sound}");
        let row = |table: &str| {
            let (_, row, _) = ROWS.iter().find(|(known, ..)| *known == table).expect("its row");
            let row = row.replace("{first}", &hex(filled.first.as_bytes()));
            let row = row.replace("{subject}", &hex(&subject::Subject::from(filled.first).to_key()));
            row.replace("{owner}", &hex(filled.owner.as_bytes()))
        };
        let mut wrong = Vec::new();
        for (table, column, value, case) in columns_here() {
            let which = match (*table, *column) {
                // These are about the row that was refused, or the account that was made.
                ("import_row", "column_name" | "message") => "payment IS NOT NULL".to_owned(),
                ("account", "parent") => format!("id<>{}", hex(filled.owner.as_bytes())),
                _ => row(table),
            };
            let statement = format!("UPDATE {table} SET {column}={value} WHERE {which}");
            check(&test, &tables, &statement, case, &mut wrong).await;
        }
        for (table, _, case) in ROWS.iter().filter(|(table, ..)| has(&test, table)) {
            let statement = format!("DELETE FROM {table} WHERE {}", row(table));
            check(&test, &tables, &statement, case, &mut wrong).await;
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        test.remove().await;
    }
}

/// Rows put in twice under another key, and the data of two people exchanged.
fn exchanges(filled: &Filled) -> Vec<(Name, String)> {
    let first = hex(filled.first.as_bytes());
    let other = "(SELECT MAX(id) FROM keep_payment)";
    let exchanged = |table: &str, column: &str, one: &str, two: &str| {
        format!(
            "UPDATE {table} SET {column}=CASE WHEN {one} THEN (SELECT {column} FROM keep_{table} WHERE {two}) ELSE \
             (SELECT {column} FROM keep_{table} WHERE {one}) END WHERE {one} OR {two}"
        )
    };
    let payee = "(SELECT payee FROM keep_receipt)";
    vec![
        (Name::IllegalHistory, exchanged("payment", "submission", &format!("id={first}"), &format!("id={other}"))),
        (Name::WrongColumn, exchanged("payment", "history", &format!("id={first}"), &format!("id={other}"))),
        (Name::AlteredDetail, format!("UPDATE detail SET body=x'7b7d' WHERE subject<>{first}")),
        (Name::MissingDetail, format!("UPDATE detail SET subject={other} WHERE subject={first}")),
        (Name::DanglingDetail, "INSERT INTO detail (subject,id,body) VALUES (x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee',5,x'7b7d')".to_owned()),
        (
            Name::DanglingDetail,
            "INSERT INTO detail (subject,id,body) SELECT MAX(id),0,x'7b7d' FROM keep_part".to_owned(),
        ),
        (
            Name::MissingDetail,
            format!("UPDATE detail SET subject=(SELECT MAX(id) FROM keep_part) WHERE subject<>{first}"),
        ),
        (Name::WrongColumn, format!("UPDATE payment SET owner={payee} WHERE id={first}")),
        (Name::DanglingPart, format!("UPDATE part SET owner={payee}")),
        (Name::DanglingReceipt, format!("UPDATE receipt SET payee={}", hex(filled.owner.as_bytes()))),
        (Name::DanglingKey, format!("UPDATE idempotency SET owner={payee}")),
        (Name::AlteredDetail, "UPDATE detail SET body=x'97c090c0c0c0c0c0' WHERE id BETWEEN 1 AND 1000".to_owned()),
        (Name::MissingDetail, "DELETE FROM detail WHERE id BETWEEN 1 AND 1000".to_owned()),
        (Name::DanglingDetail, "UPDATE detail SET id=1 WHERE id=(SELECT MAX(k.id) FROM keep_detail k)".to_owned()),
        (Name::WrongResource, "UPDATE resource SET version=version-1".to_owned()),
        (Name::WrongAnswer, format!("UPDATE answer SET owner={payee}")),
        (Name::WrongCustomerPayment, format!("UPDATE customer_payment SET payment={first}")),
        (
            Name::WrongJournalEntry,
            "INSERT INTO journal (seq,batch_id,at,body) SELECT seq+1,batch_id,at,body FROM keep_journal WHERE seq=(SELECT MAX(seq) FROM keep_journal); \
             UPDATE head SET seq=seq+1"
                .to_owned(),
        ),
        (
            Name::ExtraKey,
            format!(
                "INSERT INTO idempotency (k,owner,request,subject,version,answer,at) SELECT \
                 x'eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee',owner,request,subject,version,answer,at \
                 FROM keep_idempotency WHERE version=1 AND subject={}",
                hex(&subject::Subject::from(filled.first).to_key())
            ),
        ),
        (
            Name::WrongBalance,
            format!("INSERT INTO wallet (id,balance,owed,pending) SELECT {},0,0,0", {
                let wallet = paystorm::domain::wallet::WalletId {
                    owner: filled.owner,
                    currency: "USD".parse().expect("a currency"),
                };
                hex(&wallet.to_key())
            }),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_put_in_twice_or_exchanged_is_named() {
    for test in both().await {
        let filled = fill(&test.store).await;
        let tables = tables_of(&test);
        let keep: Vec<String> = tables
            .iter()
            .map(|table| format!("CREATE TABLE keep_{table} AS SELECT * FROM {table}"))
            .collect();
        sql(&test, &keep.join(";")).await;
        for (name, statement) in exchanges(&filled) {
            sql(&test, &statement).await;
            let report = look(&test).await;
            assert!(
                report.counts().contains_key(&name),
                "{}: {statement}: {name:?}, but\n{report}",
                test.name
            );
            let repair: BTreeMap<&str, String> = tables
                .iter()
                .map(|table| {
                    (*table, format!("DELETE FROM {table}; INSERT INTO {table} SELECT * FROM keep_{table}"))
                })
                .collect();
            sql(&test, &repair.into_values().collect::<Vec<_>>().join(";")).await;
        }
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_that_was_used_for_long_is_sound() {
    for test in both().await {
        let filled = fill(&test.store).await;
        let store = &test.store;
        // Of several instances, one dead.
        let now = Timestamp::now();
        for (lease, at) in [("instance", now), ("timers", now), ("something_new", at(1))] {
            let ttl = std::time::Duration::from_secs(15);
            store.lease_take(lease, InstanceId::generate(), at, ttl).await.expect("taken");
        }
        // A request that was refused leaves its detail, and nothing else does.
        let body = br#"{"return_url":"https://shop.example/refused"}"#;
        let nobody = *PaymentId::generate().as_bytes();
        store.detail_put(nobody, DetailRecord::name_of_attempt(body), body).await.expect("put");
        assert!(store.account_close(filled.owner, now).await.expect("closed"));
        let report = look(&test).await;
        assert!(report.passed(), "{}: {report}", test.name);
        assert!(report.to_string().contains("note: 1 details are left over"), "{report}");
        // Half of the journal, then half of the keys, then all of both.
        let head = store.head().await.expect("a head");
        for (seq, before) in [(head / 2, at(0)), (head / 2, at(6)), (head, at(1_000_000))] {
            store.journal_prune(seq, at(1_000_000)).await.expect("pruned");
            store.idempotency_prune(&[], before, 1_000).await.expect("pruned");
            let report = look_since(&test, before).await;
            assert!(report.passed(), "{}: {report}", test.name);
        }
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_no_journal_vouches_for_are_held_to_the_time_of_their_payment() {
    for test in both().await {
        let filled = fill(&test.store).await;
        let head = test.store.head().await.expect("a head");
        test.store.journal_prune(head, at(1_000_000)).await.expect("pruned");
        let sound = look(&test).await;
        assert!(sound.passed(), "{}: {sound}", test.name);
        let other = hex(&subject::Subject::from(filled.last).to_key());
        for change in [format!("subject={other}"), "at=at+100000000".to_owned()] {
            sql(&test, "CREATE TABLE keep AS SELECT * FROM idempotency").await;
            sql(&test, &format!("UPDATE idempotency SET {change}")).await;
            let report = look(&test).await;
            assert!(report.counts().contains_key(&Name::DanglingKey), "{}: {change}: {report}", test.name);
            sql(
                &test,
                "DELETE FROM idempotency; INSERT INTO idempotency SELECT * FROM keep; DROP TABLE keep",
            )
            .await;
        }
        test.remove().await;
    }
}
