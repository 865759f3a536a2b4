//! How a connection to an embedded store is opened.

use diesel::{Connection, SqliteConnection};
use diesel_async::SimpleAsyncConnection;
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;

use super::place::Place;
use super::{StoreError, StoreResult};

pub(super) type Conn = SyncConnectionWrapper<SqliteConnection, Place>;

/// How long SQLite waits for another process that has the file locked.
const BUSY_TIMEOUT_MS: u32 = 5_000;

/// Opens a connection that works in `place`.
pub(super) async fn connect(url: &str, place: &Place) -> StoreResult<Conn> {
    let url = url.to_owned();
    let opened = tokio::task::spawn_blocking(move || SqliteConnection::establish(&url))
        .await
        .map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let plain = opened.map_err(|error| StoreError::Unavailable(error.to_string()))?;
    let mut conn = Conn::with_runtime(plain, place.clone());
    conn.batch_execute(&format!("PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")).await?;
    Ok(conn)
}
