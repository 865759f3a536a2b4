//! Both stores, real and empty, for tests that must hold on each.

use std::sync::Arc;

use diesel_async::{AsyncConnection, AsyncMysqlConnection, SimpleAsyncConnection};
use paystorm::domain::ids::InstanceId;
use paystorm::store::mysql::MySqlStore;
use paystorm::store::sqlite::SqliteStore;
use paystorm::store::{Store, StoreKind, StoreSettings, Upkeep as _};

/// A store with what it lives in; both go away together.
pub struct TestStore {
    /// The name of the adapter, for messages.
    pub name: &'static str,
    /// The store, migrated and empty.
    pub store: Arc<dyn Store>,
    /// The settings that open it again.
    pub settings: StoreSettings,
    /// The data directory of the embedded store.
    pub dir: tempfile::TempDir,
    database: Option<(String, String)>,
}

/// Where MySQL is; tests of real adapters fail without it.
pub fn mysql_url() -> String {
    std::env::var("PAYSTORM_TEST_MYSQL_URL")
        .unwrap_or_else(|_| panic!("PAYSTORM_TEST_MYSQL_URL is not set: run scripts/services.sh up and eval \"$(scripts/services.sh env)\""))
}

/// The settings of a store that gives nothing up because the machine is busy.
fn patient() -> StoreSettings {
    StoreSettings { acquire_timeout_ms: 30_000, answer_within_ms: 30_000, ..StoreSettings::default() }
}

/// An empty embedded store.
pub async fn sqlite() -> TestStore {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let settings = patient();
    let store = SqliteStore::open(dir.path(), &settings).await.expect("SQLite opens");
    store.migrate().await.expect("SQLite migrates");
    TestStore { name: "sqlite", store: Arc::new(store), settings, dir, database: None }
}

/// An empty database on the real server.
pub async fn mysql() -> TestStore {
    let server = mysql_url();
    let name = format!("paystorm_test_{}", InstanceId::generate().to_string().trim_start_matches("inst_"));
    let url = format!("{}/{name}", server.trim_end_matches('/'));
    let settings = StoreSettings { kind: StoreKind::Mysql, url: url.into(), ..patient() };
    let store = MySqlStore::open(&settings).await.expect("MySQL opens");
    store.migrate().await.expect("MySQL migrates");
    let dir = tempfile::tempdir().expect("a temporary directory");
    TestStore { name: "mysql", store: Arc::new(store), settings, dir, database: Some((server, name)) }
}

/// Both, one after the other.
pub async fn both() -> Vec<TestStore> {
    vec![sqlite().await, mysql().await]
}

impl TestStore {
    /// The same database opened as another process does, with the time limits that users have.
    pub async fn opened_as_users_do(&self) -> Arc<dyn Store> {
        let defaults = StoreSettings::default();
        let settings = StoreSettings { kind: self.settings.kind, url: self.settings.url.clone(), ..defaults };
        Arc::new(MySqlStore::open(&settings).await.expect("MySQL opens"))
    }

    /// Removes what the test made on a real server.
    pub async fn remove(self) {
        if let Some((server, name)) = self.database {
            let mut conn = AsyncMysqlConnection::establish(&server).await.expect("MySQL answers");
            conn.batch_execute(&format!("DROP DATABASE `{name}`")).await.expect("the database is dropped");
        }
    }
}
