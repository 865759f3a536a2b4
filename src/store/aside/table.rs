//! The table of what is set aside, and its port.

use async_trait::async_trait;
use diesel::prelude::*;

use super::{AsideChanges, AsideReason, AsideRecord, SetAside, Subject};
use crate::domain::time::Timestamp;
use crate::store::multi_row::{Cell, INSERT, Statement};
use crate::store::{StoreResult, schema};

pub(in crate::store) static SET_ASIDE_UPSERT: Statement = Statement {
    sqlite_verb: INSERT,
    head: "set_aside (subject,reason,cause,first_at,last_at) VALUES ",
    columns: 5,
    mysql_tail: " ON DUPLICATE KEY UPDATE reason=VALUES(reason),cause=VALUES(cause),last_at=VALUES(last_at)",
    sqlite_tail: " ON CONFLICT(subject) DO UPDATE SET reason=excluded.reason,cause=excluded.cause,last_at=excluded.last_at",
};

#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::set_aside)]
pub(in crate::store) struct SetAsideRow {
    subject: String,
    reason: i16,
    cause: String,
    first_at: i64,
    last_at: i64,
}

impl SetAsideRow {
    pub(in crate::store) fn decode(self) -> AsideRecord {
        AsideRecord {
            subject: Subject::from_key(&self.subject),
            reason: AsideReason::from_code(self.reason),
            cause: self.cause,
            first_at: Timestamp::from_micros(self.first_at),
            last_at: Timestamp::from_micros(self.last_at),
        }
    }
}

pub(in crate::store) fn push_aside(cells: &mut Vec<Cell>, record: &AsideRecord) {
    cells.extend([
        Cell::Text(record.subject.to_key()),
        Cell::Small(record.reason.to_code()),
        Cell::Text(record.cause.clone()),
        Cell::Big(record.first_at.micros()),
        Cell::Big(record.last_at.micros()),
    ]);
}

/// What is set aside: known to this process, and written for all instances.
#[async_trait]
pub trait AsideRecords: Send + Sync + 'static {
    /// What is set aside, as this process knows it.
    fn aside(&self) -> &SetAside;

    /// What any instance has set aside, the latest first.
    async fn aside_list(&self, limit: u32) -> StoreResult<Vec<AsideRecord>>;

    /// Writes what [`SetAside::changes`] returned.
    async fn aside_save(&self, changes: &AsideChanges) -> StoreResult<()>;
}

macro_rules! aside_store {
    ($Conn:ty, $Store:ty) => {
        async fn aside_list(conn: &mut $Conn, limit: u32) -> StoreResult<Vec<AsideRecord>> {
            use schema::set_aside::dsl;
            let found: Vec<aside_table::SetAsideRow> = dsl::set_aside
                .order(dsl::last_at.desc())
                .limit(i64::from(limit))
                .select(aside_table::SetAsideRow::as_select())
                .load(conn)
                .await?;
            Ok(found.into_iter().map(aside_table::SetAsideRow::decode).collect())
        }

        async fn aside_save(conn: &mut $Conn, changes: &AsideChanges) -> StoreResult<()> {
            use schema::set_aside::dsl;
            let gone: Vec<String> = changes.remove.iter().map(Subject::to_key).collect();
            for chunk in gone.chunks(KeyIn::<()>::MAX) {
                diesel::delete(dsl::set_aside.filter(dsl::subject.eq_any(chunk.to_vec())))
                    .execute(conn)
                    .await?;
            }
            let mut cells = Vec::with_capacity(changes.save.len() * 5);
            changes.save.iter().for_each(|record| aside_table::push_aside(&mut cells, record));
            execute_rows(conn, &aside_table::SET_ASIDE_UPSERT, &cells).await
        }

        #[async_trait::async_trait]
        impl $crate::store::AsideRecords for $Store {
            fn aside(&self) -> &$crate::store::SetAside {
                &self.aside
            }

            async fn aside_list(&self, limit: u32) -> StoreResult<Vec<AsideRecord>> {
                held!(self, reader, background, conn => aside_list(conn, limit))
            }

            async fn aside_save(&self, changes: &AsideChanges) -> StoreResult<()> {
                held!(self, writer, background, conn => aside_save(conn, changes))
            }
        }
    };
}
pub(in crate::store) use aside_store;
