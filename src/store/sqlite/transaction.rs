//! A batch's transaction on SQLite, in steps that each run on the thread of the connection.

use diesel::SqliteConnection;
use diesel::connection::SimpleConnection;

use super::blocking_dsl::blocking;
use super::connect::Conn;
use super::unlisted::Unlisted;
use super::{owner_payments, sequenced};
use crate::domain::ids::BatchId;
use crate::domain::time::Timestamp;
use crate::store::facts::FactsCache;
use crate::store::{BatchKeys, BatchWrite, Head, Loaded, StoreError, StoreResult};

/// Runs a step of a transaction; what fails is rolled back.
pub(super) async fn step<T: Send + 'static>(
    conn: &mut Conn,
    step: impl FnOnce(&mut SqliteConnection) -> StoreResult<T> + Send + 'static,
) -> StoreResult<T> {
    let guarded = move |conn: &mut SqliteConnection| Ok(step(conn).inspect_err(|_| roll_back(conn)));
    conn.0.spawn_blocking(guarded).await?
}

/// Opens the transaction, takes the head and loads.
pub(super) fn begin(
    conn: &mut SqliteConnection,
    wall: Timestamp,
    keys: &BatchKeys,
    facts: &FactsCache,
) -> StoreResult<(Head, Loaded)> {
    conn.batch_execute("BEGIN IMMEDIATE")?;
    blocking(async {
        let head = sequenced::head_take(conn, wall).await?;
        Ok((head, sequenced::load(conn, head, keys, facts).await?))
    })
}

/// Finds out what is in no list yet, unless that is known.
pub(super) fn look_through(conn: &mut SqliteConnection, unlisted: &Unlisted) -> StoreResult<()> {
    if !unlisted.is_known() {
        let (mark, found) = owner_payments::unlisted(conn)?;
        unlisted.begin(mark, found);
    }
    Ok(())
}

/// Writes and commits, and returns the position taken. With nothing to write it rolls back and takes none: zero.
pub(super) fn finish(
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
    blocking(sequenced::write(conn, seq, batch, &write, journal))?;
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

pub(super) fn roll_back(conn: &mut SqliteConnection) {
    // Some errors have already rolled back; then there is nothing to do and SQLite says so.
    if let Err(error) = conn.batch_execute("ROLLBACK") {
        tracing::debug!(error = %error, "nothing to roll back");
    }
}
