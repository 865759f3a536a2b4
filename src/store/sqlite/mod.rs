//! The embedded store: SQLite in the data directory, write-ahead log, `synchronous=FULL`.
//!
//! One connection writes, behind a fair lock; a small pool reads. Batches run on the thread that asks for them, everything else on
//! threads that may block. Nothing else may open the file for writing while the process runs (the instance lease ensures it). Lists
//! of payments by owner are written later than the payments (`unlisted`, `owner_payments`).

mod blocking_dsl;
mod checkpoint;
mod connect;
mod executor;
mod files;
mod open;
mod owner_payments;
mod read_pool;
mod stall;
mod transaction;
mod unlisted;
use self::blocking_dsl::blocking;
use self::checkpoint::Checkpoints;
use self::connect::{Conn, connect};
use self::executor::Executor;
use self::files::Files;
use self::open::{FILE, PAGE_BYTES, admit, check, existing_url, look};
use self::read_pool::{Borrowed, ReadPool, connect_reader, until_free};
use self::stall::Stall;
use self::transaction::{begin, finish, look_through, step};
use self::unlisted::Unlisted;
use super::facts::FactsCache;
use super::form::{Found, Purpose};
use super::held::{Held, Limits, held};
use super::settings::{Access, StoreSettings};
use super::{OwnerPayment, Projected, batch, trouble};
use crate::outage::Outage;
use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use diesel_async::SimpleAsyncConnection;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, OwnedMutexGuard};
/// The queries of a batch, run on the calling thread.
mod sequenced {
    super::super::keyed::keyed_queries!(
        diesel::SqliteConnection,
        super::blocking_dsl::RunBlocking,
        ROWS_MAX_SQLITE
    );
    super::super::load::load_queries!(diesel::SqliteConnection);
    super::super::write::write_queries!(diesel::SqliteConnection);
}
mod keyed {
    super::super::keyed::keyed_queries!(super::Conn, diesel_async::RunQueryDsl, ROWS_MAX_SQLITE);
}
/// The lists of payments by owner, as far as they are written.
use super::schema::owner_payment as by_owner;
use keyed::{detail_get, execute_rows, payment_get, read_terms, resource_rows};
super::adapter::adapter!(Conn, SqliteStore, SqliteSnapshot);
super::form::form_queries!(Conn);
const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
/// How many times views of one moment are tried for while others commit.
const ONE_MOMENT_ATTEMPTS: usize = 200;
/// SQLite as a store.
pub struct SqliteStore {
    /// What connections open: a path, or a URI that says how.
    url: String,
    writer: Arc<Mutex<Conn>>,
    /// Where the writer works.
    executor: Executor,
    readers: Arc<ReadPool>,
    files: Arc<Files>,
    /// Only if this process writes.
    checkpoints: Option<Checkpoints>,
    facts: Arc<FactsCache>,
    unlisted: Arc<Unlisted>,
    limits: Limits,
    outage: Outage,
    stall: Stall,
    aside: super::SetAside,
}
/// A consistent view for the auditor.
pub struct SqliteSnapshot {
    conn: Conn,
}
impl SqliteSnapshot {
    async fn listed_below(&mut self) -> StoreResult<Option<PaymentId>> {
        step(&mut self.conn, owner_payments::mark).await
    }

    async fn listed(
        &mut self,
        after: Option<(AccountId, PaymentId)>,
        limit: u32,
    ) -> StoreResult<Vec<OwnerPayment>> {
        step(&mut self.conn, move |conn| owner_payments::listed(conn, after, limit)).await
    }
}
impl SqliteStore {
    /// A batch runs on the thread that polls it.
    const BLOCKS_CALLER: bool = true;

    /// Opens (and creates) the database in `data_dir`, without migrating it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the file cannot be opened or the settings durability rests on do not hold, and
    /// [`StoreError::OtherForm`] if another version of the program wrote it.
    pub async fn open(data_dir: &Path, settings: &StoreSettings) -> StoreResult<Self> {
        let path = data_dir.join(FILE);
        if path.exists() {
            look(&path, Purpose::Migrate).await?;
        }
        let url = path.to_string_lossy().into_owned();
        let executor = Executor::default();
        let conn = trouble::explain(&path, connect(&url, &executor).await)?;
        // Later connections open what is there: if the file was moved meanwhile, none makes a new one in its place.
        let url = existing_url(&path, Access::ReadWrite);
        Self::with(&path, url, conn, executor, settings, Access::ReadWrite).await
    }

    /// Opens the database in `data_dir` if there is one. Creates nothing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the file cannot be opened, and [`StoreError::OtherForm`] if another version of the program
    /// wrote it.
    pub async fn open_existing(
        data_dir: &Path,
        settings: &StoreSettings,
        access: Access,
    ) -> StoreResult<Option<Self>> {
        let path = data_dir.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let Some((mut url, mut conn, executor)) = look(&path, access.into()).await? else {
            return Ok(None);
        };
        if access == Access::ReadWrite {
            drop(conn);
            url = existing_url(&path, access);
            conn = trouble::explain(&path, connect(&url, &executor).await)?;
        }
        Self::with(&path, url, conn, executor, settings, access).await.map(Some)
    }

    fn admit(&self, found: Found) -> StoreResult<bool> {
        admit(self.files.path(), Purpose::AsItIs, found)
    }

    async fn with(
        path: &Path,
        url: String,
        mut conn: Conn,
        executor: Executor,
        settings: &StoreSettings,
        access: Access,
    ) -> StoreResult<Self> {
        // Within a commit only if it could not be done outside.
        let pages = i32::try_from(settings.checkpoint_pages.saturating_mul(2)).unwrap_or(i32::MAX);
        let pragmas = match access {
            // The page size only takes effect on a file that is still empty, before the log is switched on.
            Access::ReadWrite => format!(
                "PRAGMA page_size={PAGE_BYTES}; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint={pages};
                 PRAGMA cache_size=-65536; PRAGMA temp_store=MEMORY; PRAGMA foreign_keys=ON;
                 PRAGMA cell_size_check=ON;"
            ),
            Access::ReadOnly => "PRAGMA query_only=ON; PRAGMA cell_size_check=ON;".to_owned(),
        };
        trouble::explain(path, conn.batch_execute(&pragmas).await.map_err(StoreError::from))?;
        check(path, &mut conn).await?;
        let size = settings.read_connections.try_into().unwrap_or(8);
        let readers = ReadPool::new(url.clone(), size, Duration::from_millis(settings.acquire_timeout_ms));
        let limits = Limits::new(settings.answer_within_ms);
        let outage = Outage::new("the store").with_advice(trouble::advice(path));
        let aside = super::SetAside::default();
        let (writer, stall, files) =
            (Arc::new(Mutex::new(conn)), Stall::default(), Arc::new(Files::of(path)));
        let checkpoints = (access == Access::ReadWrite)
            .then(|| Checkpoints::begin(&writer, Arc::clone(&files), settings.checkpoint_pages));
        let (readers, facts, unlisted) = (Arc::new(readers), Arc::default(), Arc::default());
        Ok(Self {
            url,
            writer,
            executor,
            readers,
            files,
            checkpoints,
            facts,
            unlisted,
            limits,
            outage,
            stall,
            aside,
        })
    }

    async fn reader(&self) -> StoreResult<Borrowed> {
        // A connection that is opened now would make a new file.
        self.files.check()?;
        self.readers.acquire().await
    }

    /// Checks that the files are those that were opened, and wakes the checkpoints, since something is about to be written.
    fn may_write(&self) -> StoreResult<()> {
        self.files.check()?;
        if let Some(checkpoints) = &self.checkpoints {
            checkpoints.stir();
        }
        Ok(())
    }

    async fn writer(&self) -> StoreResult<OwnedMutexGuard<Conn>> {
        self.may_write()?;
        Ok(Arc::clone(&self.writer).lock_owned().await)
    }

    async fn run_batch(
        &self,
        batch: BatchId,
        wall: Timestamp,
        keys: &BatchKeys,
        decide: DecideBatch<'_>,
    ) -> StoreResult<u64> {
        self.may_write()?;
        let _busy = self.stall.begin();
        let mut conn = self.writer.lock().await;
        let _here = self.executor.stay();
        let (keys, facts, unlisted) = (keys.clone(), Arc::clone(&self.facts), Arc::clone(&self.unlisted));
        let (head, loaded) = step(&mut conn, move |conn| begin(conn, wall, &keys, &facts)).await?;
        let write = decide(head, loaded);
        step(&mut conn, move |conn| finish(conn, head.seq, batch, write, &unlisted)).await
    }

    /// Closes an account in one step, on a thread that may block.
    async fn close_account(&self, id: AccountId, now: Timestamp) -> StoreResult<u64> {
        let keys = BatchKeys { accounts: vec![id], ..BatchKeys::default() };
        let (facts, unlisted) = (Arc::clone(&self.facts), Arc::clone(&self.unlisted));
        let close = move |conn: &mut SqliteConnection| {
            let (head, loaded) = begin(conn, now, &keys, &facts)?;
            finish(conn, head.seq, BatchId::generate(), batch::closing(id, head, &loaded), &unlisted)
        };
        held!(self, writer, caller, conn => step(conn, close))
    }

    async fn run_projection(
        &self,
        reader: &str,
        holder: InstanceId,
        places: (u64, u64),
        projected: &Projected,
    ) -> StoreResult<bool> {
        self.may_write()?;
        let mut conn = self.writer.lock().await;
        let (reader, projected) = (reader.to_owned(), projected.clone());
        step(&mut conn, move |conn| {
            conn.batch_execute("BEGIN IMMEDIATE")?;
            let kept = blocking(sequenced::project(conn, &reader, holder, places, &projected))?;
            conn.batch_execute("COMMIT")?;
            Ok(kept)
        })
        .await
    }

    /// Longer than twice as long as a caller waits.
    fn is_stalled(&self) -> bool {
        self.stall.lasts(self.limits.caller * 2)
    }

    /// Nothing is in flight once the writer is free: SQLite ends a transaction before it says so.
    async fn settle_commit(&self, seq: u64, batch: BatchId) -> StoreResult<bool> {
        drop(self.writer.lock().await);
        let committed = held!(self, reader, caller, conn => batch_committed(conn, seq, batch))?;
        self.unlisted.settle(committed);
        Ok(committed)
    }

    /// Finds payments of an owner that are in no list yet: the first in the filter's direction past a given one, up to a limit.
    async fn unlisted<'a>(
        &'a self,
        owner: AccountId,
    ) -> StoreResult<impl Fn(&PaymentFilter, Option<PaymentId>, usize) -> Vec<PaymentId> + Sync + 'a> {
        if !self.unlisted.is_known() {
            let unlisted = Arc::clone(&self.unlisted);
            held!(self, writer, background, conn => step(conn, move |conn| look_through(conn, &unlisted)))?;
        }
        Ok(move |filter: &PaymentFilter, past, limit| self.unlisted.page(owner, filter, past, limit))
    }

    async fn run_migrations(&self) -> StoreResult<Vec<String>> {
        // The writer is held, so that no batch sees half a schema.
        let _writer = self.writer.lock().await;
        let url = self.url.clone();
        tokio::task::spawn_blocking(move || {
            let mut conn =
                SqliteConnection::establish(&url).map_err(|e| StoreError::Unavailable(e.to_string()))?;
            let applied =
                conn.run_pending_migrations(MIGRATIONS).map_err(|e| StoreError::Refused(e.to_string()))?;
            Ok(applied.iter().map(ToString::to_string).collect())
        })
        .await
        .map_err(|error| StoreError::Unavailable(error.to_string()))?
    }

    async fn read_durability(&self) -> StoreResult<super::Durability> {
        let mut conn = self.writer.lock().await;
        let mut settings = Vec::new();
        for name in ["synchronous", "page_size"] {
            settings.push((name.to_owned(), pragma_number(&mut conn, name).await?.to_string()));
        }
        settings.push(("journal_mode".to_owned(), pragma_text(&mut conn, "journal_mode").await?));
        let value =
            |name: &str| settings.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        // 2 is FULL, 3 is EXTRA (https://sqlite.org/pragma.html#pragma_synchronous).
        let durable = matches!(value("synchronous"), Some("2" | "3")) && value("journal_mode") == Some("wal");
        let warning = (!durable).then(|| "SQLite does not flush every commit".to_owned());
        Ok(super::Durability { settings, durable, warning })
    }

    /// Views of one moment. A further connection shows whether anybody has committed while they were begun; then they are begun
    /// again. After many attempts a single view has to do.
    async fn open_snapshots(&self, count: usize) -> StoreResult<Vec<SqliteSnapshot>> {
        let mut watch = connect_reader(self.url.clone()).await?;
        let mut conns = Vec::with_capacity(count);
        for _ in 0..count {
            conns.push(connect_reader(self.url.clone()).await?);
        }
        for _ in 0..ONE_MOMENT_ATTEMPTS {
            let before = data_version(&mut watch).await?;
            for conn in &mut conns {
                conn.batch_execute("BEGIN DEFERRED").await?;
                // The first read pins the moment.
                head(conn).await?;
            }
            if conns.len() == 1 || data_version(&mut watch).await? == before {
                return Ok(conns.into_iter().map(|conn| SqliteSnapshot { conn }).collect());
            }
            for conn in &mut conns {
                conn.batch_execute("ROLLBACK").await?;
            }
        }
        conns.truncate(1);
        for conn in &mut conns {
            conn.batch_execute("BEGIN DEFERRED").await?;
            head(conn).await?;
        }
        Ok(conns.into_iter().map(|conn| SqliteSnapshot { conn }).collect())
    }
}
/// Changes whenever another connection, of any process, has committed.
async fn data_version(conn: &mut Conn) -> StoreResult<i64> {
    let row: PragmaNumber =
        diesel::sql_query("SELECT data_version AS value FROM pragma_data_version").get_result(conn).await?;
    Ok(row.value)
}
#[derive(diesel::QueryableByName)]
struct PragmaNumber {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    value: i64,
}
#[derive(diesel::QueryableByName)]
struct PragmaText {
    #[diesel(sql_type = diesel::sql_types::Text)]
    value: String,
}
async fn pragma_number(conn: &mut Conn, name: &str) -> StoreResult<i64> {
    let query = diesel::sql_query(format!("SELECT {name} AS value FROM pragma_{name}"));
    let row: PragmaNumber = query.get_result(conn).await?;
    Ok(row.value)
}
async fn pragma_text(conn: &mut Conn, name: &str) -> StoreResult<String> {
    let query = diesel::sql_query(format!("SELECT {name} AS value FROM pragma_{name}"));
    let row: PragmaText = query.get_result(conn).await?;
    Ok(row.value)
}
impl Held for OwnedMutexGuard<Conn> {
    /// There is only one, so it is kept from others until it is free.
    async fn settle<T: Send>(mut self, outcome: StoreResult<T>) -> StoreResult<T> {
        if outcome.as_ref().is_err_and(StoreError::is_left_open) {
            tokio::spawn(async move {
                let ok = until_free(&mut self).await;
                tracing::debug!(ok, "a write that nobody waited for any more has ended");
            });
        }
        outcome
    }
}
