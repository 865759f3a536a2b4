//! MySQL 8 as a store, through diesel-async.
//!
//! One connection runs the ordered line; a pool serves everything else. The line's session gives up quickly
//! (`wait_timeout`, `innodb_lock_wait_timeout`), so that a frozen process cannot hold the head lock of all others.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::{AsyncConnection, AsyncMysqlConnection, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use tokio::runtime::Handle;
use tokio::sync::Mutex;

use super::settings::{Access, StoreSettings};
use super::{BatchKeys, DecideBatch};
use crate::outage::Outage;

type Conn = AsyncMysqlConnection;

mod line {
    super::super::line::keyed_queries!(super::Conn, diesel_async::RunQueryDsl);
    super::super::line::line_queries!(super::Conn);
}
use line::{execute_rows, head, payment_get};
super::queries::shared_queries!(Conn);
super::schema_state::schema_queries!(Conn, diesel::mysql::Mysql, MIGRATIONS);

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/mysql");
/// An idle line longer than this is probed, well before the server's `wait_timeout` ends its session.
const LINE_KEEPALIVE: Duration = Duration::from_secs(3);
const LINE_SESSION: &str = "SET SESSION transaction_isolation='READ-COMMITTED', wait_timeout=10, \
                            innodb_lock_wait_timeout=5, sql_mode='STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'";
const POOL_SESSION: &str = "SET SESSION transaction_isolation='READ-COMMITTED', \
                            innodb_lock_wait_timeout=5, sql_mode='STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'";

/// For whoever must not change anything.
const READ_ONLY_SESSION: &str = "SET SESSION transaction_isolation='READ-COMMITTED', transaction_read_only=1";
/// What the server says of a database that it does not have (error 1049).
const UNKNOWN_DATABASE: &str = "Unknown database";
/// How often views of one moment are tried for while others commit.
const ONE_MOMENT_ATTEMPTS: usize = 200;

/// MySQL as a store.
pub struct MySqlStore {
    url: String,
    line: Arc<Mutex<Line>>,
    pool: Pool<Conn>,
    outage: Outage,
    aside: super::SetAside,
}

/// The connection of the ordered line. None: lost, to be opened again at the next batch.
struct Line {
    conn: Option<Conn>,
    used_at: Instant,
}

/// A consistent view for the auditor.
pub struct MySqlSnapshot {
    conn: Conn,
}

impl MySqlStore {
    /// Prepares the pool and creates the database if it is missing. Does not migrate.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the server cannot be reached or refuses the user.
    pub async fn open(settings: &StoreSettings) -> StoreResult<Self> {
        create_database(&settings.url).await?;
        Self::with(settings, POOL_SESSION)
    }

    /// Opens the database if the server has it, and it has tables. Creates nothing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the server cannot be reached or refuses the user.
    pub async fn open_existing(settings: &StoreSettings, access: Access) -> StoreResult<Option<Self>> {
        database_name(&settings.url)?;
        let mut conn = match connect(&settings.url, "DO 1").await {
            Ok(conn) => conn,
            Err(error) if error.to_string().contains(UNKNOWN_DATABASE) => return Ok(None),
            Err(error) => return Err(error),
        };
        let query = "SELECT CAST(count(*) AS SIGNED) AS value FROM information_schema.tables \
                     WHERE table_schema = DATABASE() AND table_name = '__diesel_schema_migrations'";
        let tables: NumberRow = diesel::sql_query(query).get_result(&mut conn).await?;
        if tables.value == 0 {
            return Ok(None);
        }
        let session = match access {
            Access::ReadWrite => POOL_SESSION,
            Access::ReadOnly => READ_ONLY_SESSION,
        };
        Self::with(settings, session).map(Some)
    }

    fn with(settings: &StoreSettings, session: &'static str) -> StoreResult<Self> {
        let url = settings.url.clone();
        let mut config = ManagerConfig::default();
        config.recycling_method = RecyclingMethod::Verified;
        // A connection belongs to the runtime that it was opened on. Those of the web server's threads end before the
        // readers of the journal do, so that connections are opened here, whoever asks for them.
        let runtime = Handle::current();
        config.custom_setup = Box::new(move |url| {
            let opening = runtime.spawn(connect_pooled(url.to_owned(), session));
            Box::pin(async move {
                opening.await.map_err(|error| diesel::ConnectionError::BadConnection(error.to_string()))?
            })
        });
        let manager = AsyncDieselConnectionManager::<Conn>::new_with_config(&url, config);
        let timeout = Some(Duration::from_millis(settings.acquire_timeout_ms));
        let pool = Pool::builder(manager)
            .max_size(settings.read_connections.max(2).try_into().unwrap_or(8))
            .wait_timeout(timeout)
            .create_timeout(timeout)
            .recycle_timeout(timeout)
            .runtime(deadpool::Runtime::Tokio1)
            .build()
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let line = Arc::new(Mutex::new(Line { conn: None, used_at: Instant::now() }));
        tokio::spawn(keep_alive(Arc::downgrade(&line)));
        Ok(Self { url, line, pool, outage: Outage::new("the store"), aside: super::SetAside::default() })
    }

    async fn reader(&self) -> StoreResult<Object<Conn>> {
        self.pool.get().await.map_err(|error| StoreError::Unavailable(error.to_string()))
    }

    async fn writer(&self) -> StoreResult<Object<Conn>> {
        self.reader().await
    }

    async fn line_transaction(
        &self,
        batch: BatchId,
        keys: &BatchKeys,
        decide: DecideBatch<'_>,
    ) -> StoreResult<u64> {
        let mut line = self.line.lock().await;
        let mut conn = match line.conn.take() {
            Some(conn) => conn,
            None => connect(&self.url, LINE_SESSION).await?,
        };
        let outcome = transaction(&mut conn, batch, keys, decide).await;
        // After an error whose effect on the session is unknown, the connection is dropped with its transaction.
        let usable = match &outcome {
            Ok(_) => true,
            Err(StoreError::Refused(_) | StoreError::Damaged(_)) => {
                conn.batch_execute("ROLLBACK").await.is_ok()
            }
            Err(StoreError::Unavailable(_) | StoreError::CommitUnknown { .. }) => false,
        };
        if usable {
            line.conn = Some(conn);
            line.used_at = Instant::now();
        }
        outcome
    }

    /// Waits until the transaction that may still be committing on the server has ended: it holds the head.
    async fn line_quiet(&self) -> StoreResult<()> {
        let mut conn = self.writer().await?;
        conn.batch_execute("UPDATE head SET seq = seq WHERE shard = 0").await?;
        Ok(())
    }

    async fn run_migrations(&self) -> StoreResult<Vec<String>> {
        let conn = connect(&self.url, POOL_SESSION).await?;
        tokio::task::spawn_blocking(move || {
            let mut conn = AsyncConnectionWrapper::<Conn>::from(conn);
            // Several instances may start at once; MySQL commits each DDL statement by itself.
            diesel::connection::SimpleConnection::batch_execute(
                &mut conn,
                "DO GET_LOCK('paystorm_migrate', 120)",
            )?;
            let applied = conn
                .run_pending_migrations(MIGRATIONS)
                .map_err(|error| StoreError::Refused(error.to_string()))?;
            let applied = applied.iter().map(ToString::to_string).collect();
            diesel::connection::SimpleConnection::batch_execute(
                &mut conn,
                "DO RELEASE_LOCK('paystorm_migrate')",
            )?;
            Ok(applied)
        })
        .await
        .map_err(|error| StoreError::Unavailable(error.to_string()))?
    }

    async fn read_durability(&self) -> StoreResult<super::Durability> {
        let mut conn = self.reader().await?;
        let query = diesel::sql_query(
            "SELECT CAST(@@GLOBAL.innodb_flush_log_at_trx_commit AS CHAR) AS flush_log, \
             CAST(@@GLOBAL.innodb_doublewrite AS CHAR) AS doublewrite, CAST(@@GLOBAL.sync_binlog AS CHAR) AS sync_binlog, \
             CAST(@@GLOBAL.log_bin AS CHAR) AS log_bin",
        );
        let row: DurabilityRow = query.get_result(&mut *conn).await?;
        let durable = row.flush_log == "1";
        let warning = (!durable).then(|| {
            format!(
                "innodb_flush_log_at_trx_commit is {}: commits may be lost when the server's machine crashes",
                row.flush_log
            )
        });
        let settings = vec![
            ("innodb_flush_log_at_trx_commit".to_owned(), row.flush_log),
            ("innodb_doublewrite".to_owned(), row.doublewrite),
            ("sync_binlog".to_owned(), row.sync_binlog),
            ("log_bin".to_owned(), row.log_bin),
        ];
        Ok(super::Durability { settings, durable, warning })
    }

    /// Views of one moment: of the same head, that is, and of the same journal. What stands outside the line (accounts,
    /// leases, the index's cursor) may differ by as long as it took to begin them.
    async fn open_snapshots(&self, count: usize) -> StoreResult<Vec<MySqlSnapshot>> {
        let session = "SET SESSION transaction_isolation='REPEATABLE-READ'";
        let mut conns = Vec::with_capacity(count);
        for _ in 0..count {
            conns.push(connect(&self.url, session).await?);
        }
        for _ in 0..ONE_MOMENT_ATTEMPTS {
            // At once, so that the line has little time to move on.
            let begun = conns.iter_mut().map(begin_view);
            let moments = futures_util::future::try_join_all(begun).await?;
            if moments.windows(2).all(|pair| matches!(pair, [one, next] if one == next)) {
                return Ok(conns.into_iter().map(|conn| MySqlSnapshot { conn }).collect());
            }
        }
        conns.truncate(1);
        Ok(conns.into_iter().map(|conn| MySqlSnapshot { conn }).collect())
    }
}

/// Begins a view, ending the one before; the head that it sees, and where the journal begins.
async fn begin_view(conn: &mut Conn) -> StoreResult<(u64, Option<i64>)> {
    conn.batch_execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await?;
    let first = {
        use schema::journal::dsl;
        dsl::journal.order(dsl::seq.asc()).select(dsl::seq).first(conn).await.optional()?
    };
    Ok((head(conn).await?, first))
}

async fn transaction(
    conn: &mut Conn,
    batch: BatchId,
    keys: &BatchKeys,
    decide: DecideBatch<'_>,
) -> StoreResult<u64> {
    conn.batch_execute("BEGIN").await?;
    let seq = line::head_take(conn).await?;
    let mut write = decide(seq, line::load(conn, keys).await?);
    let Some(journal) = write.journal.take() else {
        conn.batch_execute("ROLLBACK").await?;
        return Ok(0);
    };
    line::write(conn, seq, batch, &write, journal).await?;
    match conn.batch_execute("COMMIT").await {
        Ok(()) => Ok(seq),
        Err(error) => Err(StoreError::CommitUnknown { seq, cause: error.to_string() }),
    }
}

#[derive(diesel::QueryableByName)]
struct NumberRow {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    value: i64,
}

#[derive(diesel::QueryableByName)]
struct DurabilityRow {
    #[diesel(sql_type = diesel::sql_types::Text)]
    flush_log: String,
    #[diesel(sql_type = diesel::sql_types::Text)]
    doublewrite: String,
    #[diesel(sql_type = diesel::sql_types::Text)]
    sync_binlog: String,
    #[diesel(sql_type = diesel::sql_types::Text)]
    log_bin: String,
}

async fn connect(url: &str, session: &str) -> StoreResult<Conn> {
    let connecting = tokio::time::timeout(Duration::from_secs(5), Conn::establish(url)).await;
    let mut conn = connecting
        .map_err(|_| StoreError::Unavailable("MySQL did not answer within 5 s".to_owned()))?
        .map_err(|error| StoreError::Unavailable(error.to_string()))?;
    conn.batch_execute(session).await?;
    Ok(conn)
}

async fn connect_pooled(url: String, session: &str) -> diesel::ConnectionResult<Conn> {
    let mut conn = Conn::establish(&url).await?;
    let setup = conn.batch_execute(session).await;
    setup.map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
    Ok(conn)
}

/// The server, and the database that the URL names on it.
fn database_name(url: &str) -> StoreResult<(url::Url, String)> {
    let server = url::Url::parse(url).map_err(|error| StoreError::Refused(format!("store.url: {error}")))?;
    let name = server.path().trim_start_matches('/').to_owned();
    let plain = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    if !plain {
        return Err(StoreError::Refused(
            "store.url must name a database of letters, digits, _ and -".to_owned(),
        ));
    }
    Ok((server, name))
}

/// Creates the database of the URL if the server does not have it.
async fn create_database(url: &str) -> StoreResult<()> {
    let (mut server, name) = database_name(url)?;
    if connect(url, "DO 1").await.is_ok() {
        return Ok(());
    }
    server.set_path("/");
    let mut conn = connect(server.as_str(), "DO 1").await?;
    conn.batch_execute(&format!("CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb4")).await?;
    Ok(())
}

/// Probes the line's connection while it is idle, so that the server's short `wait_timeout` does not end it.
async fn keep_alive(line: Weak<Mutex<Line>>) {
    loop {
        tokio::time::sleep(LINE_KEEPALIVE).await;
        let Some(line) = line.upgrade() else {
            return;
        };
        let Ok(mut line) = line.try_lock() else {
            continue;
        };
        if line.used_at.elapsed() >= LINE_KEEPALIVE
            && let Some(mut conn) = line.conn.take()
            && conn.batch_execute("DO 1").await.is_ok()
        {
            line.conn = Some(conn);
        }
    }
}

super::implement::implement_store!(MySqlStore, MySqlSnapshot, line_blocks = false);
