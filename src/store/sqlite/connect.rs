//! Opens connections to an embedded store.

use diesel::{Connection, SqliteConnection};
use diesel_async::SimpleAsyncConnection;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;

use super::executor::Executor;
use crate::store::erased::Erasing;
use crate::store::{StoreError, StoreResult};

/// A connection that works where its [`Executor`] says.
pub(super) type Conn = Erasing<Plain>;

type Plain = SyncConnectionWrapper<SqliteConnection, Executor>;

/// How long SQLite waits for another process that has the file locked.
const BUSY_TIMEOUT_MS: u32 = 5_000;

/// Opens a connection that runs on `executor`.
pub(super) async fn connect(url: &str, executor: &Executor) -> StoreResult<Conn> {
    let url = url.to_owned();
    let opened = tokio::task::spawn_blocking(move || SqliteConnection::establish(&url))
        .await
        .map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let plain = opened.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let mut conn = Erasing(Plain::with_runtime(plain, executor.clone()));
    conn.batch_execute(&format!("PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")).await?;
    Ok(conn)
}
