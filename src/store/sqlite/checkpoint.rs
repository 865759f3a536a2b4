//! Makes checkpoints beside the commits. A connection of its own copies SQLite's write-ahead log into the database while batches go
//! on being committed. Only the last of it is copied with the writer held, so that the log starts from its beginning again.
//!
//! If this does not keep up, or a reader's old view is in its way, SQLite's own checkpoint within a commit bounds the log.

use std::sync::{Arc, Weak};
use std::time::Duration;

use diesel_async::RunQueryDsl as _;
use tokio::sync::{Mutex, Notify};
use tokio::task::AbortHandle;

use super::connect::{Conn, connect};
use super::executor::Executor;
use super::files::Files;
use super::open::{PAGE_BYTES, existing_url};
use crate::store::{Access, StoreResult};

/// How often the log is looked at while something is written.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// How many times to copy what was written during the last copy.
const ROUNDS: usize = 3;
/// With the writer held, at most one in so many of the pages that make a checkpoint due is copied.
const REST: i64 = 16;

/// Copies the log when it has grown. Ends when dropped.
pub(super) struct Checkpoints {
    stirred: Arc<Notify>,
    task: AbortHandle,
}

impl Checkpoints {
    /// Begins to copy the log of a database, which `writer` alone writes, whenever it has so many pages.
    pub(super) fn begin(writer: &Arc<Mutex<Conn>>, files: Arc<Files>, pages: u32) -> Self {
        let stirred = Arc::new(Notify::new());
        let keeper = Keeper { writer: Arc::downgrade(writer), files, due: i64::from(pages), conn: None };
        let task = tokio::spawn(keeper.run(Arc::clone(&stirred))).abort_handle();
        Self { stirred, task }
    }

    /// Notes that something is about to be written.
    pub(super) fn stir(&self) {
        self.stirred.notify_one();
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Keeper {
    writer: Weak<Mutex<Conn>>,
    files: Arc<Files>,
    /// How many pages that are not copied yet make a checkpoint due.
    due: i64,
    /// Opened once the log has grown so long.
    conn: Option<Conn>,
}

/// What SQLite says of the log (<https://sqlite.org/pragma.html#pragma_wal_checkpoint>). Both are -1 where there is none.
#[derive(diesel::QueryableByName)]
struct Log {
    /// Pages in it.
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    log: i64,
    /// Those of them that are in the database too.
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    checkpointed: i64,
}

impl Log {
    const fn to_copy(&self) -> i64 {
        self.log.saturating_sub(self.checkpointed)
    }
}

impl Keeper {
    async fn run(mut self, stirred: Arc<Notify>) {
        loop {
            stirred.notified().await;
            if let Err(error) = self.look().await {
                tracing::debug!(error = %error, "the write-ahead log could not be copied beside the commits");
                self.conn = None;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn look(&mut self) -> StoreResult<()> {
        self.files.check()?;
        if i64::try_from(self.files.log_bytes()).unwrap_or(i64::MAX) / PAGE_BYTES < self.due {
            return Ok(());
        }
        let conn = match &mut self.conn {
            Some(conn) => conn,
            none => {
                let url = existing_url(self.files.path(), Access::ReadWrite);
                none.insert(connect(&url, &Executor::default()).await?)
            }
        };
        if checkpoint(conn, "NOOP").await?.to_copy() < self.due {
            return Ok(());
        }
        for _ in 0..ROUNDS {
            checkpoint(conn, "PASSIVE").await?;
            if checkpoint(conn, "NOOP").await?.to_copy() > self.due / REST {
                continue;
            }
            if let Some(writer) = self.writer.upgrade() {
                checkpoint(&mut *writer.lock().await, "PASSIVE").await?;
            }
            break;
        }
        Ok(())
    }
}

/// A checkpoint that waits for nobody, or a look at the log alone (`NOOP`).
async fn checkpoint(conn: &mut Conn, mode: &str) -> StoreResult<Log> {
    Ok(diesel::sql_query(format!("PRAGMA wal_checkpoint({mode})")).get_result(conn).await?)
}

#[cfg(test)]
mod tests {
    use diesel_async::SimpleAsyncConnection as _;

    use super::*;

    const HANG: Duration = Duration::from_secs(60);
    const DUE: u32 = 64;

    struct Written {
        _dir: tempfile::TempDir,
        url: String,
        writer: Arc<Mutex<Conn>>,
        checkpoints: Checkpoints,
    }

    impl Written {
        /// A database that is never copied within a commit.
        async fn new() -> Self {
            let dir = tempfile::tempdir().expect("a directory");
            let path = dir.path().join("file.sqlite3");
            let url = path.to_string_lossy().into_owned();
            let mut conn = connect(&url, &Executor::default()).await.expect("opened");
            let begin = format!(
                "PRAGMA page_size={PAGE_BYTES}; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;
                 CREATE TABLE page (n INTEGER PRIMARY KEY, body BLOB NOT NULL);"
            );
            conn.batch_execute(&begin).await.expect("made");
            let writer = Arc::new(Mutex::new(conn));
            let checkpoints = Checkpoints::begin(&writer, Arc::new(Files::of(&path)), DUE);
            Self { _dir: dir, url, writer, checkpoints }
        }

        /// Writes rows that fill a page each, one per commit.
        async fn write(&self, rows: u32) {
            for _ in 0..rows {
                let mut conn = self.writer.lock().await;
                let row = format!("INSERT INTO page (body) VALUES (randomblob({PAGE_BYTES}))");
                conn.batch_execute(&row).await.expect("written");
                drop(conn);
                self.checkpoints.stir();
            }
        }

        /// Writes rows that fill a page each, in one commit: nobody can copy some of them before the others.
        async fn write_at_once(&self, rows: u32) {
            let row = format!("INSERT INTO page (body) VALUES (randomblob({PAGE_BYTES}));");
            let commit = format!("BEGIN; {} COMMIT", row.repeat(rows as usize));
            self.writer.lock().await.batch_execute(&commit).await.expect("written");
            self.checkpoints.stir();
        }

        async fn log(&self) -> Log {
            checkpoint(&mut *self.writer.lock().await, "NOOP").await.expect("looked")
        }

        async fn until(&self, reached: impl Fn(Log) -> bool) {
            let looked = async {
                while !reached(self.log().await) {
                    self.checkpoints.stir();
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::time::timeout(HANG, looked).await.expect("copied so far");
        }

        async fn copied(&self) {
            self.until(|log| log.to_copy() == 0).await;
        }
    }

    #[derive(diesel::QueryableByName)]
    struct Count {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        rows: i64,
    }

    async fn rows(conn: &mut Conn) -> i64 {
        let count: Count =
            diesel::sql_query("SELECT count(*) AS rows FROM page").get_result(conn).await.expect("read");
        count.rows
    }

    #[tokio::test]
    async fn a_log_that_has_grown_is_copied_and_starts_over() {
        let database = Written::new().await;
        database.write(DUE / 4).await;
        tokio::time::sleep(LOOK_EVERY * 2).await;
        assert_eq!(database.log().await.checkpointed, 0, "it is short yet");
        database.write_at_once(2 * DUE).await;
        database.copied().await;
        assert!(database.log().await.log >= i64::from(DUE));
        database.write(1).await;
        assert!(database.log().await.log < 8, "it started over");
        assert_eq!(rows(&mut *database.writer.lock().await).await, i64::from(DUE / 4 + 2 * DUE + 1));
    }

    #[tokio::test]
    async fn an_old_view_stays_as_it_was_and_the_log_is_copied_afterwards() {
        let database = Written::new().await;
        database.write(10).await;
        let mut view = connect(&database.url, &Executor::default()).await.expect("opened");
        view.batch_execute("BEGIN DEFERRED").await.expect("begun");
        assert_eq!(rows(&mut view).await, 10);
        let seen = database.log().await.log;
        database.write(2 * DUE).await;
        // As far as the view goes …
        database.until(|log| log.checkpointed >= seen).await;
        tokio::time::sleep(LOOK_EVERY * 2).await;
        assert_eq!(database.log().await.checkpointed, seen, "… and no further");
        assert_eq!(rows(&mut view).await, 10);
        view.batch_execute("ROLLBACK").await.expect("ended");
        database.copied().await;
        assert_eq!(rows(&mut view).await, i64::from(10 + 2 * DUE));
    }
}
