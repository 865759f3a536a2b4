//! The embedded store: SQLite in the data directory, write-ahead log, `synchronous=FULL`.
//!
//! One connection writes, behind a fair lock; a small pool reads. The line's transactions run on the thread that asks for
//! them, all others on threads that may block. Nothing else may open the file for writing while the
//! process runs (the instance lease sees to it). Lists of payments by owner are written later than the payments
//! (`unlisted`, `owner_payments`).

mod checkpoint;
mod owner_payments;
mod unlisted;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, SqliteConnection};
use diesel_async::SimpleAsyncConnection;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use tokio::sync::{Mutex, OwnedMutexGuard};

use self::checkpoint::Checkpoints;
use self::unlisted::Unlisted;
use super::at_once::at_once;
use super::connect::{Conn, connect};
use super::facts::FactsCache;
use super::files::Files;
use super::form::Found;
use super::implement::{Held, Limits, held};
use super::place::Place;
use super::readers::{ReadPool, Reader, connect_reader, until_free};
use super::settings::{Access, StoreSettings};
use super::stall::Stall;
use super::{BatchKeys, BatchWrite, DecideBatch, Head, Loaded, OwnerPayment, Projected, batch, trouble};
use crate::outage::Outage;

/// The queries of the line, run where they stand.
mod line {
    super::super::line::keyed_queries!(
        diesel::SqliteConnection,
        super::super::at_once::RunAtOnce,
        ROWS_MAX_SQLITE
    );
    super::super::line::line_queries!(diesel::SqliteConnection);
}
mod keyed {
    super::super::line::keyed_queries!(super::Conn, diesel_async::RunQueryDsl, ROWS_MAX_SQLITE);
}
/// Where an owner's payments stand in their order, as far as they are written.
use super::schema::owner_payment as by_owner;
use keyed::{detail_get, execute_rows, payment_get, read_terms, resource_rows};
super::queries::shared_queries!(Conn);
super::form::form_queries!(Conn);

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
/// A file up to this size is gone through when it is opened; a larger one would hold the start up too long.
const CHECKED_BYTES_MAX: u64 = 256 << 20;

/// The file in the data directory.
const FILE: &str = "paystorm.sqlite3";
/// The size of its pages, and of those in its log.
const PAGE_BYTES: i64 = 8_192;
/// How often views of one moment are tried for while others commit.
const ONE_MOMENT_ATTEMPTS: usize = 200;

/// SQLite as a store.
pub struct SqliteStore {
    /// What connections open: a path, or a URI that says how.
    url: String,
    writer: Arc<Mutex<Conn>>,
    /// The writer's.
    place: Place,
    readers: Arc<ReadPool>,
    files: Arc<Files>,
    /// Where this process writes.
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
    /// Opens (and creates) the database in `data_dir`, without migrating it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the file cannot be opened or the settings durability rests on do not hold, and
    /// [`StoreError::OtherForm`] if another version of the program wrote it.
    pub async fn open(data_dir: &Path, settings: &StoreSettings) -> StoreResult<Self> {
        let path = data_dir.join(FILE);
        if path.exists() {
            look(&path).await?;
        }
        let url = path.to_string_lossy().into_owned();
        let place = Place::default();
        let conn = trouble::explain(&path, connect(&url, &place).await)?;
        Self::with(&path, url, conn, place, settings, Access::ReadWrite).await
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
        let Some((mut url, mut conn, place)) = look(&path).await? else {
            return Ok(None);
        };
        if access == Access::ReadWrite {
            drop(conn);
            url = existing_url(&path, access);
            conn = trouble::explain(&path, connect(&url, &place).await)?;
        }
        Self::with(&path, url, conn, place, settings, access).await.map(Some)
    }

    fn admit(&self, found: Found) -> StoreResult<bool> {
        admit(self.files.path(), found)
    }

    async fn with(
        path: &Path,
        url: String,
        mut conn: Conn,
        place: Place,
        settings: &StoreSettings,
        access: Access,
    ) -> StoreResult<Self> {
        // Within a commit only where it could not be done outside.
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
            place,
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

    async fn reader(&self) -> StoreResult<Reader> {
        // A connection that is opened now would make a new file.
        self.files.check()?;
        self.readers.acquire().await
    }

    /// Whether the files are those that were opened. Something is about to be written, which the log is looked after for.
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

    async fn line_transaction(
        &self,
        batch: BatchId,
        wall: Timestamp,
        keys: &BatchKeys,
        decide: DecideBatch<'_>,
    ) -> StoreResult<u64> {
        self.may_write()?;
        let _busy = self.stall.begin();
        let mut conn = self.writer.lock().await;
        let _here = self.place.stay();
        let (keys, facts, unlisted) = (keys.clone(), Arc::clone(&self.facts), Arc::clone(&self.unlisted));
        let (head, loaded) = step(&mut conn, move |conn| begin(conn, wall, &keys, &facts)).await?;
        let write = decide(head, loaded);
        step(&mut conn, move |conn| finish(conn, head.seq, batch, write, &unlisted)).await
    }

    /// Closes an account in one step, on a thread that may block.
    async fn line_close(&self, id: AccountId, now: Timestamp) -> StoreResult<u64> {
        let keys = BatchKeys { accounts: vec![id], ..BatchKeys::default() };
        let (facts, unlisted) = (Arc::clone(&self.facts), Arc::clone(&self.unlisted));
        let close = move |conn: &mut SqliteConnection| {
            let (head, loaded) = begin(conn, now, &keys, &facts)?;
            finish(conn, head.seq, BatchId::generate(), batch::closing(id, head, &loaded), &unlisted)
        };
        held!(self, writer, caller, conn => step(conn, close))
    }

    async fn project_at(
        &self,
        reader: &str,
        holder: InstanceId,
        places: (u64, u64),
        made: &Projected,
    ) -> StoreResult<bool> {
        self.may_write()?;
        let mut conn = self.writer.lock().await;
        let (reader, made) = (reader.to_owned(), made.clone());
        step(&mut conn, move |conn| {
            conn.batch_execute("BEGIN IMMEDIATE")?;
            let kept = at_once(line::project(conn, &reader, holder, places, &made))?;
            conn.batch_execute("COMMIT")?;
            Ok(kept)
        })
        .await
    }

    /// Past what a caller waits, and as long again.
    fn line_stalls(&self) -> bool {
        self.stall.lasts(self.limits.caller * 2)
    }

    /// Nothing is in flight once the writer is free: SQLite ends a transaction before it says so.
    async fn line_settle(&self, seq: u64, batch: BatchId) -> StoreResult<bool> {
        drop(self.writer.lock().await);
        let committed = held!(self, reader, caller, conn => batch_committed(conn, seq, batch))?;
        self.unlisted.settle(committed);
        Ok(committed)
    }

    /// What is in no list yet of an owner's payments: the first in the filter's direction past one of them, so many at most.
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
        // The writer waits meanwhile, so that no batch sees half a schema.
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

    /// Views of one moment. SQLite says on a further connection whether anybody has committed while they were begun; then
    /// they are begun anew, and after many attempts one has to do.
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

/// Goes through the whole file where that takes a moment: a page that is damaged is better known before the first payment. In a larger
/// one it is met when it is first touched.
async fn check(path: &Path, conn: &mut Conn) -> StoreResult<()> {
    if std::fs::metadata(path).map_or(0, |file| file.len()) > CHECKED_BYTES_MAX {
        return Ok(());
    }
    let found = pragma_text(conn, "quick_check").await;
    let found = trouble::explain(path, found)?;
    match found.as_str() {
        "ok" => Ok(()),
        fault => {
            let advice = trouble::advice(path);
            Err(StoreError::Damaged(format!("{}: {}. {advice}", path.display(), fault.replace('\n', " "))))
        }
    }
}

/// Opens a database that is there, for reading; `None` if nothing was ever stored in it.
async fn look(path: &Path) -> StoreResult<Option<(String, Conn, Place)>> {
    let (mut url, place) = (existing_url(path, Access::ReadOnly), Place::default());
    let mut looked = look_in(&url, &place).await;
    if looked.is_err() && !log_of(path).exists() {
        // Reading begins a log beside the file, which cannot be where nothing may be written. And then nobody writes.
        url.push_str("&immutable=1");
        looked = look_in(&url, &place).await;
    }
    let (found, conn) = trouble::explain(path, looked)?;
    Ok(admit(path, found)?.then_some((url, conn, place)))
}

async fn look_in(url: &str, place: &Place) -> StoreResult<(Found, Conn)> {
    let mut conn = connect(url, place).await?;
    let found = match has_tables(&mut conn).await? {
        true => stored_form(&mut conn).await?,
        false => Found::Nothing,
    };
    Ok((found, conn))
}

fn admit(path: &Path, found: Found) -> StoreResult<bool> {
    found.admit(&path.display().to_string(), "an empty data directory")
}

/// Where SQLite keeps the log of this file.
fn log_of(path: &Path) -> std::path::PathBuf {
    path.with_file_name(format!("{FILE}-wal"))
}

/// The address of a database that is there. Without a log beside it nobody has it open, and then a connection that may write
/// leaves nothing behind when it is closed, whereas one that may not would leave an empty log.
fn existing_url(path: &Path, access: Access) -> String {
    let mode = match access {
        Access::ReadOnly if log_of(path).exists() => "ro",
        Access::ReadOnly | Access::ReadWrite => "rw",
    };
    let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    format!("file:{path}?mode={mode}")
}

/// Whether tables were ever made in it. A file of another kind is an error.
async fn has_tables(conn: &mut Conn) -> StoreResult<bool> {
    let query = diesel::sql_query(
        "SELECT count(*) AS value FROM sqlite_master WHERE type = 'table' AND name = '__diesel_schema_migrations'",
    );
    let row: PragmaNumber = query.get_result(conn).await?;
    Ok(row.value > 0)
}

/// Changes whenever another connection, of whichever process, has committed.
async fn data_version(conn: &mut Conn) -> StoreResult<i64> {
    let row: PragmaNumber =
        diesel::sql_query("SELECT data_version AS value FROM pragma_data_version").get_result(conn).await?;
    Ok(row.value)
}

/// Runs a step of a transaction; what fails is rolled back.
async fn step<T: Send + 'static>(
    conn: &mut Conn,
    step: impl FnOnce(&mut SqliteConnection) -> StoreResult<T> + Send + 'static,
) -> StoreResult<T> {
    let guarded = move |conn: &mut SqliteConnection| Ok(step(conn).inspect_err(|_| roll_back(conn)));
    conn.spawn_blocking(guarded).await?
}

/// Opens the transaction, takes the head and loads.
fn begin(
    conn: &mut SqliteConnection,
    wall: Timestamp,
    keys: &BatchKeys,
    facts: &FactsCache,
) -> StoreResult<(Head, Loaded)> {
    conn.batch_execute("BEGIN IMMEDIATE")?;
    at_once(async {
        let head = line::head_take(conn, wall).await?;
        Ok((head, line::load(conn, head, keys, facts).await?))
    })
}

/// Finds out what is in no list yet, unless that is known.
fn look_through(conn: &mut SqliteConnection, unlisted: &Unlisted) -> StoreResult<()> {
    if !unlisted.is_known() {
        let (mark, found) = owner_payments::unlisted(conn)?;
        unlisted.begin(mark, found);
    }
    Ok(())
}

/// Writes and commits, or rolls back where there is nothing to write (and then no place is taken: zero).
fn finish(
    conn: &mut SqliteConnection,
    seq: u64,
    batch: BatchId,
    mut write: BatchWrite,
    unlisted: &Unlisted,
) -> StoreResult<u64> {
    let Some(journal) = write.journal.take() else {
        roll_back(conn);
        return Ok(0);
    };
    look_through(conn, unlisted)?;
    at_once(line::write(conn, seq, batch, &write, journal))?;
    let listing = unlisted.step(&write.inserts);
    owner_payments::write(conn, &listing)?;
    match conn.batch_execute("COMMIT") {
        Ok(()) => {
            unlisted.committed(listing);
            Ok(seq)
        }
        Err(error) => {
            unlisted.in_doubt(listing);
            Err(StoreError::CommitUnknown { seq, cause: error.to_string() })
        }
    }
}

fn roll_back(conn: &mut SqliteConnection) {
    // Some errors have already rolled back; then there is nothing to do and SQLite says so.
    if let Err(error) = conn.batch_execute("ROLLBACK") {
        tracing::debug!(error = %error, "nothing to roll back");
    }
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
    /// There is one only, so that it is kept from others until it is free.
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

super::implement::implement_store!(SqliteStore, SqliteSnapshot, line_blocks = true);
