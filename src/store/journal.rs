//! The journal: one row for each batch, in the order in which they were committed.

use async_trait::async_trait;
use diesel::prelude::*;

use super::columns::{damaged, unsigned};
use super::error::StoreError;
use super::multi_row::{INSERT_OR_ROLLBACK, Statement};
use super::{StoreResult, schema};
use crate::domain::ids::BatchId;
use crate::domain::time::Timestamp;

/// A row of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalRecord {
    /// Its position, without gaps from one row to the next.
    pub seq: u64,
    /// Names the batch, to settle a commit whose outcome is not known.
    pub batch: BatchId,
    /// When the batch was decided, by the wall clock.
    pub at: Timestamp,
    /// The encoded events; see `engine::journal`.
    pub body: Vec<u8>,
}

/// Reads and prunes the journal.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// Journal rows after `after`, in order, at most `limit`.
    async fn journal_read(&self, after: u64, limit: u32) -> StoreResult<Vec<JournalRecord>>;

    /// When the first batch after `after` was decided; `None` if there is none.
    async fn journal_time(&self, after: u64) -> StoreResult<Option<Timestamp>>;

    /// Deletes journal rows at or below `seq` written before `before`; returns how many.
    async fn journal_prune(&self, seq: u64, before: Timestamp) -> StoreResult<u64>;
}

pub(super) static JOURNAL_INSERT: Statement = Statement {
    sqlite_verb: INSERT_OR_ROLLBACK,
    head: "journal (seq,batch_id,at,body) VALUES ",
    columns: 4,
    mysql_tail: "",
    sqlite_tail: "",
};

#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::journal)]
pub(super) struct JournalRow {
    seq: i64,
    batch_id: Vec<u8>,
    at: i64,
    body: Vec<u8>,
}

impl JournalRow {
    pub(super) fn decode(self) -> Result<JournalRecord, StoreError> {
        Ok(JournalRecord {
            seq: unsigned(self.seq),
            batch: BatchId::from_slice(&self.batch_id).ok_or_else(|| damaged("journal.batch_id"))?,
            at: Timestamp::from_micros(self.at),
            body: self.body,
        })
    }
}

macro_rules! journal_store {
    ($Conn:ty, $Store:ty) => {
        async fn journal_read(conn: &mut $Conn, after: u64, limit: u32) -> StoreResult<Vec<JournalRecord>> {
            use schema::journal::dsl;
            let found: Vec<journal::JournalRow> = dsl::journal
                .filter(dsl::seq.gt(signed(after)))
                .order(dsl::seq.asc())
                .limit(i64::from(limit))
                .select(journal::JournalRow::as_select())
                .load(conn)
                .await?;
            found.into_iter().map(journal::JournalRow::decode).collect()
        }

        async fn journal_time(conn: &mut $Conn, after: u64) -> StoreResult<Option<Timestamp>> {
            use schema::journal::dsl;
            let found: Option<i64> = dsl::journal
                .filter(dsl::seq.gt(signed(after)))
                .order(dsl::seq.asc())
                .select(dsl::at)
                .first(conn)
                .await
                .optional()?;
            Ok(found.map(Timestamp::from_micros))
        }

        async fn journal_prune(conn: &mut $Conn, seq: u64, before: Timestamp) -> StoreResult<u64> {
            use schema::journal::dsl;
            let deleted = diesel::delete(
                dsl::journal.filter(dsl::seq.le(signed(seq)).and(dsl::at.lt(before.micros()))),
            )
            .execute(conn)
            .await?;
            Ok(deleted.try_into().unwrap_or(u64::MAX))
        }

        #[async_trait::async_trait]
        impl $crate::store::Journal for $Store {
            async fn journal_read(&self, after: u64, limit: u32) -> StoreResult<Vec<JournalRecord>> {
                held!(self, reader, background, conn => journal_read(conn, after, limit))
            }

            async fn journal_time(&self, after: u64) -> StoreResult<Option<Timestamp>> {
                held!(self, reader, background, conn => journal_time(conn, after))
            }

            async fn journal_prune(&self, seq: u64, before: Timestamp) -> StoreResult<u64> {
                held!(self, writer, background, conn => journal_prune(conn, seq, before))
            }
        }
    };
}
pub(in crate::store) use journal_store;
