//! A store that another version of the program wrote is refused by every command that would open it, and stays as it was.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use diesel::sql_types::Text;
use diesel_async::{AsyncConnection, AsyncMysqlConnection, RunQueryDsl};
use paystorm::domain::ids::AccountId;
use paystorm::domain::submission::Kind;
use paystorm::store::form::{FORM, OLDEST};
use paystorm::store::mysql::MySqlStore;
use paystorm::store::sqlite::SqliteStore;
use paystorm::store::{Access, Store, StoreError, StoreKind, StoreSettings};

use crate::corruption::sql;
use crate::support::binary::program;
use crate::support::commands::{at, one, submit};
use crate::support::stores::{TestStore, both};

const COMMANDS: [&[&str]; 6] = [
    &["serve"],
    &["migrate"],
    &["verify"],
    &["reindex"],
    &["user", "add", "ada@example.org"],
    &["user", "api-key", "ada@example.org"],
];

/// What is done to a store to make it one of another version, and what must be said of it.
fn other_forms() -> Vec<(String, String)> {
    let number = |form: u32| format!("UPDATE installation SET value='{form}' WHERE name='stored_form'");
    let earlier = "DELETE FROM installation WHERE name='stored_form'; DROP TABLE head; \
                   CREATE TABLE head (shard SMALLINT NOT NULL PRIMARY KEY, seq BIGINT NOT NULL); \
                   INSERT INTO head (shard, seq) VALUES (0, 1); \
                   INSERT INTO __diesel_schema_migrations (version) VALUES ('0003'), ('0004'), ('0008'), ('0012')";
    vec![
        (number(OLDEST - 1), format!("written in stored form {}, by an older paystorm", OLDEST - 1)),
        (number(FORM + 1), format!("written in stored form {}, by a newer paystorm", FORM + 1)),
        (earlier.to_owned(), "written by an older paystorm, before stored forms had numbers".to_owned()),
    ]
}

/// Everything in the directory but what a look leaves behind: a lock, and the index of SQLite's log.
fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = std::fs::read_dir(dir).expect("a directory").map(|entry| entry.expect("an entry").path());
    let kept = |path: &PathBuf| !path.ends_with("paystorm.lock") && !path.ends_with("paystorm.sqlite3-shm");
    entries.filter(kept).map(|path| (path.clone(), std::fs::read(path).expect("a file"))).collect()
}

#[derive(diesel::QueryableByName)]
struct Line {
    #[diesel(sql_type = Text)]
    line: String,
}

/// The tables, the migrations and the named values of a database.
async fn tables(url: &str) -> Vec<String> {
    let mut conn = AsyncMysqlConnection::establish(url).await.expect("MySQL answers");
    let query = "SELECT CONCAT(table_name, ' ', column_name) AS line FROM information_schema.columns WHERE table_schema=DATABASE() \
                 UNION ALL SELECT version FROM __diesel_schema_migrations \
                 UNION ALL SELECT CONCAT(name, ' ', HEX(value)) FROM installation";
    let mut lines: Vec<Line> = diesel::sql_query(query).load(&mut conn).await.expect("read");
    lines.sort_by(|one, other| one.line.cmp(&other.line));
    lines.into_iter().map(|line| line.line).collect()
}

/// The data directory as a process that was killed leaves it, its log not yet in the file.
fn left_behind(test: &TestStore) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for name in ["paystorm.sqlite3", "paystorm.sqlite3-wal"] {
        let from = test.dir.path().join(name);
        if from.exists() {
            std::fs::copy(from, dir.path().join(name)).expect("copied");
        }
    }
    dir
}

fn run(test: &TestStore, dir: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(program());
    // What `user add` asks for.
    let password = test.dir.path().join("password");
    std::fs::write(&password, "a long enough password\n").expect("written");
    command.stdin(Stdio::from(std::fs::File::open(password).expect("readable")));
    command.args(arguments).arg("--data-dir").arg(dir).env_remove("RUST_LOG");
    if test.settings.kind == StoreKind::Mysql {
        command.env("PAYSTORM__STORE__KIND", "mysql").env("PAYSTORM__STORE__URL", test.settings.url.expose());
    }
    let output = command.output().expect("the program runs");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_another_version_is_refused_and_stays_as_it_was() {
    for test in both().await {
        one(test.store.as_ref(), submit(AccountId::generate(), Kind::Charge, 100), at(0)).await;
        for (change, said) in other_forms() {
            sql(&test, &change).await;
            let dir = left_behind(&test);
            let stored = async || match test.settings.kind {
                StoreKind::Embedded => Vec::new(),
                StoreKind::Mysql => tables(test.settings.url.expose()).await,
            };
            let before = (files(dir.path()), stored().await);
            for arguments in COMMANDS {
                let (code, error) = run(&test, dir.path(), arguments);
                assert!(
                    code == Some(2) && error.contains(&said),
                    "{} {arguments:?}: {code:?} {error}",
                    test.name
                );
                for word in
                    [format!("this one needs stored form {FORM}"), "Start with an empty da".to_owned()]
                {
                    assert!(error.contains(&word), "{} {arguments:?}: {error}", test.name);
                }
                assert!((files(dir.path()), stored().await) == before, "{} {arguments:?}", test.name);
            }
        }
        test.remove().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_does_not_use_tables_that_another_made_in_between() {
    for test in both().await {
        let (change, said) = other_forms().remove(1);
        sql(&test, &change).await;
        let error = test.store.migrate().await.expect_err("it is of another version now");
        assert!(
            matches!(&error, StoreError::OtherForm(text) if text.contains(&said)),
            "{}: {error}",
            test.name
        );
        for access in [Access::ReadOnly, Access::ReadWrite] {
            let refused = match test.settings.kind {
                StoreKind::Embedded => {
                    SqliteStore::open_existing(test.dir.path(), &test.settings, access).await.map(|_| ())
                }
                StoreKind::Mysql => MySqlStore::open_existing(&test.settings, access).await.map(|_| ()),
            };
            assert!(matches!(refused, Err(StoreError::OtherForm(_))), "{}: {refused:?}", test.name);
        }
        test.remove().await;
    }
}

/// What `down.sql` of the migrations after the first undoes, latest first.
const UNDO: [(StoreKind, &str); 2] = [
    (StoreKind::Embedded, include_str!("../../migrations/sqlite/0002_scenarios/down.sql")),
    (StoreKind::Mysql, include_str!("../../migrations/mysql/0002_scenarios/down.sql")),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_the_oldest_form_is_migrated_with_all_that_is_in_it() {
    for test in both().await {
        let owner = AccountId::generate();
        let store = test.store.as_ref();
        let account = crate::support::commands::account(owner, "Ann", at(0));
        assert!(store.account_insert(&account).await.expect("inserted"));
        one(store, submit(owner, Kind::TopUp, 100), at(0)).await;
        for (_, undo) in UNDO.into_iter().filter(|(kind, _)| *kind == test.settings.kind) {
            sql(&test, undo).await;
        }
        sql(&test, "DELETE FROM __diesel_schema_migrations WHERE version = '0002'").await;
        let dir = left_behind(&test);
        let (code, error) = run(&test, dir.path(), &["verify"]);
        assert!(code == Some(2) && error.contains("`paystorm migrate`"), "{}: {code:?} {error}", test.name);
        for (arguments, expected) in [(["migrate"], 0), (["migrate"], 0)] {
            let (code, error) = run(&test, dir.path(), &arguments);
            assert_eq!(code, Some(expected), "{} {arguments:?}: {error}", test.name);
        }
        let open = StoreSettings {
            kind: test.settings.kind,
            url: test.settings.url.clone(),
            ..StoreSettings::default()
        };
        let migrated: Box<dyn Store> = match test.settings.kind {
            StoreKind::Embedded => Box::new(SqliteStore::open(dir.path(), &open).await.expect("opens")),
            StoreKind::Mysql => Box::new(MySqlStore::open(&open).await.expect("opens")),
        };
        assert!(migrated.migrate().await.expect("up to date").is_empty(), "{}", test.name);
        let kept = migrated.account_get(&[owner]).await.expect("read");
        assert_eq!(
            kept.as_slice().first().map(|kept| (kept.id, kept.scenario)),
            Some((owner, None)),
            "{}",
            test.name
        );
        assert_eq!(migrated.payment_scan(None, 10).await.expect("read").len(), 1, "{}", test.name);
        drop(migrated);
        test.remove().await;
    }
}
