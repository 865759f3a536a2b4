//! MySQL 8 as a store, through diesel-async.
//!
//! One connection runs the sequencer's batches (`session`); a pool serves everything else (`pool`). A server's errors are
//! classified by their codes (`codes`). The database itself may be missing (`database`).

mod codes;
mod database;
mod pool;
mod session;

use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use diesel_async::{AsyncConnection, AsyncMysqlConnection, SimpleAsyncConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use self::pool::{Borrowed, Connections};
use self::session::SequencerClient;
use super::erased::Erasing;
use super::form::{Found, Purpose};
use super::held::{Limits, held};
use super::settings::{Access, StoreSettings};
use super::{OwnerPayment, Projected, batch};
use crate::outage::Outage;
use crate::setting::SecretUrl;

type Conn = Erasing<AsyncMysqlConnection>;

/// The queries of a batch.
mod sequenced {
    super::super::keyed::keyed_queries!(super::Conn, diesel_async::RunQueryDsl, ROWS_MAX_MYSQL);
    super::super::load::load_queries!(super::Conn);
    super::super::write::write_queries!(super::Conn);
}
use sequenced::{detail_get, execute_rows, payment_get, read_terms, resource_rows};
/// The lists of payments by owner: the server keeps an index for them.
mod by_owner {
    pub(super) use super::super::schema::payment::{id as payment, kind, owner, table};
}
super::adapter::adapter!(Conn, MySqlStore, MySqlSnapshot);
super::form::form_queries!(Conn);

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/mysql");
/// Migrations may wait for the locks of running instances longer than anything else may.
const MIGRATION_SESSION: &str = "SET SESSION transaction_isolation='READ-COMMITTED', innodb_lock_wait_timeout=30, \
                                 sql_mode='STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'";
/// A server that takes fewer bytes at once than this may refuse what the intake admits.
const PACKET_MIN: u64 = 4 << 20;
/// How many times views of one moment are tried for while others commit.
const ONE_MOMENT_ATTEMPTS: usize = 200;

/// MySQL as a store.
pub struct MySqlStore {
    url: SecretUrl,
    sequencer: SequencerClient,
    connections: Connections,
    limits: Limits,
    outage: Outage,
    aside: super::SetAside,
}

/// A consistent view for the auditor.
pub struct MySqlSnapshot {
    conn: Conn,
}

impl MySqlSnapshot {
    /// The server keeps lists of payments by owner itself.
    async fn listed_below(&mut self) -> StoreResult<Option<PaymentId>> {
        Ok(None)
    }

    async fn listed(
        &mut self,
        _after: Option<(AccountId, PaymentId)>,
        _limit: u32,
    ) -> StoreResult<Vec<OwnerPayment>> {
        Ok(Vec::new())
    }
}

impl MySqlStore {
    /// A batch waits for the server and holds up no thread.
    const BLOCKS_CALLER: bool = false;

    /// Prepares the pool and creates the database if it is missing. Does not migrate.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the server cannot be reached or refuses the user, and [`StoreError::OtherForm`] if
    /// another version of the program made the tables.
    pub async fn open(settings: &StoreSettings) -> StoreResult<Self> {
        database::create(settings.url.expose()).await?;
        look(settings.url.expose(), Purpose::Migrate).await?;
        Self::with(settings, Access::ReadWrite)
    }

    /// Opens the database if the server has it, and it has tables. Creates nothing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the server cannot be reached or refuses the user, and [`StoreError::OtherForm`] if
    /// another version of the program made the tables.
    pub async fn open_existing(settings: &StoreSettings, access: Access) -> StoreResult<Option<Self>> {
        let url = settings.url.expose();
        database::parse(url)?;
        if database::exists(url).await? && look(url, access.into()).await? {
            Self::with(settings, access).map(Some)
        } else {
            Ok(None)
        }
    }

    fn admit(&self, found: Found) -> StoreResult<bool> {
        admit(self.url.expose(), Purpose::AsItIs, found)
    }

    fn with(settings: &StoreSettings, access: Access) -> StoreResult<Self> {
        let url = settings.url.clone();
        let connections = Connections::new(settings, access)?;
        let limits = Limits::new(settings.answer_within_ms);
        let sequencer = SequencerClient::new(url.clone(), connections.clone(), limits.caller);
        Ok(Self {
            url,
            sequencer,
            connections,
            limits,
            outage: Outage::new("the store"),
            aside: super::SetAside::default(),
        })
    }

    async fn reader(&self) -> StoreResult<Borrowed> {
        self.connections.borrow().await
    }

    async fn writer(&self) -> StoreResult<Borrowed> {
        self.connections.borrow().await
    }

    async fn run_batch(
        &self,
        batch: BatchId,
        wall: Timestamp,
        keys: &BatchKeys,
        decide: DecideBatch<'_>,
    ) -> StoreResult<u64> {
        self.sequencer.run(batch, wall, keys, decide).await
    }

    async fn close_account(&self, id: AccountId, now: Timestamp) -> StoreResult<u64> {
        let keys = BatchKeys { accounts: vec![id], ..BatchKeys::default() };
        let mut close = |head: Head, loaded: Loaded| batch::closing(id, head, &loaded);
        self.run_batch(BatchId::generate(), now, &keys, &mut close).await
    }

    async fn run_projection(
        &self,
        reader: &str,
        holder: InstanceId,
        places: (u64, u64),
        projected: &Projected,
    ) -> StoreResult<bool> {
        held!(self, writer, background, conn => async {
            conn.batch_execute("START TRANSACTION").await?;
            let kept = sequenced::project(conn, reader, holder, places, projected).await;
            conn.batch_execute(if kept.is_ok() { "COMMIT" } else { "ROLLBACK" }).await?;
            kept
        })
    }

    /// The sequencer waits for nothing here that has no limit of its own.
    const fn is_stalled(&self) -> bool {
        false
    }

    async fn settle_commit(&self, seq: u64, batch: BatchId) -> StoreResult<bool> {
        self.sequencer.settle(seq, batch).await
    }

    /// Every payment is in its owner's list at once.
    async fn unlisted(
        &self,
        _owner: AccountId,
    ) -> StoreResult<impl Fn(&PaymentFilter, Option<PaymentId>, usize) -> Vec<PaymentId> + Sync + use<>> {
        Ok(|_: &PaymentFilter, _, _| Vec::new())
    }

    async fn run_migrations(&self) -> StoreResult<Vec<String>> {
        let conn = connect(self.url.expose(), MIGRATION_SESSION).await?;
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
             CAST(@@GLOBAL.log_bin AS CHAR) AS log_bin, CAST(@@GLOBAL.max_allowed_packet AS CHAR) AS packet",
        );
        let row: DurabilityRow = query.get_result(&mut *conn).await?;
        let durable = row.flush_log == "1";
        let warning = if !durable {
            Some(format!(
                "innodb_flush_log_at_trx_commit is {}: commits may be lost when the server's machine crashes",
                row.flush_log
            ))
        } else if row.packet.parse().is_ok_and(|bytes: u64| bytes < PACKET_MIN) {
            Some(format!(
                "max_allowed_packet is {}: large payments may be refused; set 4M or more",
                row.packet
            ))
        } else {
            None
        };
        let settings = vec![
            ("innodb_flush_log_at_trx_commit".to_owned(), row.flush_log),
            ("innodb_doublewrite".to_owned(), row.doublewrite),
            ("sync_binlog".to_owned(), row.sync_binlog),
            ("log_bin".to_owned(), row.log_bin),
            ("max_allowed_packet".to_owned(), row.packet),
        ];
        Ok(super::Durability { settings, durable, warning })
    }

    /// Views of one moment: of the same head and the same journal. What is written outside the sequencer (accounts, leases, the
    /// index's cursor) may differ by as long as it took to begin them.
    async fn open_snapshots(&self, count: usize) -> StoreResult<Vec<MySqlSnapshot>> {
        let session = "SET SESSION transaction_isolation='REPEATABLE-READ'";
        let mut conns = Vec::with_capacity(count);
        for _ in 0..count {
            conns.push(connect(self.url.expose(), session).await?);
        }
        for _ in 0..ONE_MOMENT_ATTEMPTS {
            // All at once, so that there is little time for another batch.
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

/// Begins a view, ending the one before. Returns the head that it sees, and where the journal begins.
async fn begin_view(conn: &mut Conn) -> StoreResult<(u64, Option<i64>)> {
    conn.batch_execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY").await?;
    let first = {
        use schema::journal::dsl;
        dsl::journal.order(dsl::seq.asc()).select(dsl::seq).first(conn).await.optional()?
    };
    Ok((head(conn).await?, first))
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
    #[diesel(sql_type = diesel::sql_types::Text)]
    packet: String,
}

async fn connect(url: &str, session: &str) -> StoreResult<Conn> {
    let connecting = tokio::time::timeout(database::CONNECT_WITHIN, Conn::establish(url)).await;
    let mut conn = connecting
        .map_err(|_| database::no_answer())?
        .map_err(|error| StoreError::Unavailable(error.to_string()))?;
    conn.batch_execute(session).await?;
    Ok(conn)
}

/// Whether something was ever stored in the database of the URL.
async fn look(url: &str, purpose: Purpose) -> StoreResult<bool> {
    let mut conn = connect(url, "DO 1").await?;
    let query = "SELECT CAST(count(*) AS SIGNED) AS value FROM information_schema.tables \
                 WHERE table_schema = DATABASE() AND table_name = '__diesel_schema_migrations'";
    let tables: NumberRow = diesel::sql_query(query).get_result(&mut conn).await?;
    let found = match tables.value {
        0 => Found::Nothing,
        _ => stored_form(&mut conn).await?,
    };
    admit(url, purpose, found)
}

fn admit(url: &str, purpose: Purpose, found: Found) -> StoreResult<bool> {
    let (_, name) = database::parse(url)?;
    found.admit(purpose, &format!("the MySQL database {name}"), "an empty database")
}
