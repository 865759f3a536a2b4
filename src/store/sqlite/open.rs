//! Finds the database in a data directory, and checks that it may be used before anything is done with it.

use std::path::{Path, PathBuf};

use diesel_async::RunQueryDsl;

use super::connect::{Conn, connect};
use super::executor::Executor;
use super::{PragmaNumber, pragma_text, stored_form};
use crate::store::form::{Found, Purpose};
use crate::store::settings::Access;
use crate::store::{StoreError, StoreResult, trouble};

/// A file up to this size is checked whole when it is opened; a larger one would hold the start up too long.
pub(super) const CHECKED_BYTES_MAX: u64 = 256 << 20;

/// The file in the data directory.
pub(super) const FILE: &str = "paystorm.sqlite3";

/// The size of its pages, and of those in its log, in bytes.
pub(super) const PAGE_BYTES: i64 = 8_192;

/// Checks the whole file if that takes only a moment: it is better to find a damaged page before the first payment. In a larger
/// file it is found when it is first touched.
pub(super) async fn check(path: &Path, conn: &mut Conn) -> StoreResult<()> {
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
pub(super) async fn look(path: &Path, purpose: Purpose) -> StoreResult<Option<(String, Conn, Executor)>> {
    let (mut url, executor) = (existing_url(path, Access::ReadOnly), Executor::default());
    let mut looked = look_in(&url, &executor).await;
    if looked.is_err() && !log_of(path).exists() {
        // Reading creates a log beside the file, which fails where nothing may be written. But then nobody else writes either.
        url.push_str("&immutable=1");
        looked = look_in(&url, &executor).await;
    }
    let (found, conn) = trouble::explain(path, looked)?;
    Ok(admit(path, purpose, found)?.then_some((url, conn, executor)))
}

pub(super) async fn look_in(url: &str, executor: &Executor) -> StoreResult<(Found, Conn)> {
    let mut conn = connect(url, executor).await?;
    let found = match has_tables(&mut conn).await? {
        true => stored_form(&mut conn).await?,
        false => Found::Nothing,
    };
    Ok((found, conn))
}

pub(super) fn admit(path: &Path, purpose: Purpose, found: Found) -> StoreResult<bool> {
    found.admit(purpose, &path.display().to_string(), "an empty data directory")
}

/// Where SQLite keeps the log of this file.
pub(super) fn log_of(path: &Path) -> PathBuf {
    path.with_file_name(format!("{FILE}-wal"))
}

/// The URL of a database that exists. Without a log beside it nobody has it open, and then a connection that may write leaves
/// nothing behind when it is closed, whereas one that may not would leave an empty log.
pub(super) fn existing_url(path: &Path, access: Access) -> String {
    let mode = match access {
        Access::ReadOnly if log_of(path).exists() => "ro",
        Access::ReadOnly | Access::ReadWrite => "rw",
    };
    let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    format!("file:{path}?mode={mode}")
}

/// Whether tables were ever made in it. A file of another kind is an error.
pub(super) async fn has_tables(conn: &mut Conn) -> StoreResult<bool> {
    let query = diesel::sql_query(
        "SELECT count(*) AS value FROM sqlite_master WHERE type = 'table' AND name = '__diesel_schema_migrations'",
    );
    let row: PragmaNumber = query.get_result(conn).await?;
    Ok(row.value > 0)
}
