//! Test clocks: which have to be watched, and which payments they wait for. The clocks themselves are plain resources.

use async_trait::async_trait;

use super::StoreResult;
use super::columns::damaged;
use super::error::StoreError;
use super::multi_row::{INSERT, Statement};
use crate::domain::ids::{ClockId, PaymentId};
use crate::domain::resource::Resource;
use crate::domain::time::Timestamp;

/// A clock that has to be watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwakeClock {
    /// The clock, deleted or not.
    pub resource: Resource,
    /// Whether its account is closed: then the clock counts as deleted.
    pub closed: bool,
}

/// Watched test clocks, and the payments they wait for.
#[async_trait]
pub trait Clocks: Send + Sync + 'static {
    /// Clocks that have to be watched, in the order of their ids.
    async fn clock_awake(&self, after: ClockId, limit: u32) -> StoreResult<Vec<AwakeClock>>;

    /// Payments that a clock waits for before it advances: their work is in the queue, or is tried again.
    async fn clock_busy(&self, clock: ClockId, limit: u32) -> StoreResult<Vec<PaymentId>>;

    /// Stops watching a clock that is gone, unless something is still due on it. Nothing new ever will be. `true` if it was
    /// stopped.
    async fn clock_rest(&self, clock: ClockId) -> StoreResult<bool>;

    /// Clocks created before a time and not deleted, the oldest first.
    async fn clock_made_before(&self, before: Timestamp, limit: u32) -> StoreResult<Vec<Resource>>;
}

pub(super) static BUSY_UPSERT: Statement = Statement {
    sqlite_verb: INSERT,
    head: "clock_busy (payment,clock) VALUES ",
    columns: 2,
    mysql_tail: " ON DUPLICATE KEY UPDATE clock=VALUES(clock)",
    sqlite_tail: " ON CONFLICT(payment) DO UPDATE SET clock=excluded.clock",
};

pub(super) static AWAKE_UPSERT: Statement = Statement {
    sqlite_verb: INSERT,
    head: "clock_awake (clock) VALUES ",
    columns: 1,
    mysql_tail: " ON DUPLICATE KEY UPDATE clock=VALUES(clock)",
    sqlite_tail: " ON CONFLICT(clock) DO NOTHING",
};

pub(super) fn clock_key(clock: ClockId) -> Vec<u8> {
    clock.as_bytes().to_vec()
}

pub(super) fn clock_id(key: &[u8]) -> Result<ClockId, StoreError> {
    ClockId::from_slice(key).ok_or_else(|| damaged("clock"))
}

macro_rules! clocks_store {
    ($Conn:ty, $Store:ty) => {
        async fn clock_awake(
            conn: &mut $Conn,
            after: ClockId,
            limit: u32,
        ) -> StoreResult<found::Found<AwakeClock>> {
            use schema::clock_awake::dsl;
            let page: Vec<Vec<u8>> = dsl::clock_awake
                .filter(dsl::clock.gt(clocks::clock_key(after)))
                .order(dsl::clock.asc())
                .limit(i64::from(limit))
                .select(dsl::clock)
                .load(conn)
                .await?;
            let mut found = found::Found::default();
            for chunk in page.chunks(KeyIn::<()>::MAX) {
                let ids = chunk.iter().filter_map(|key| ClockId::from_slice(key));
                let subjects: Vec<_> = ids.map($crate::domain::subject::Subject::from).collect();
                let mut resources = found::Found::default();
                resource_rows(conn, &subjects).await?.iter().for_each(|row| resources.push_resource(row));
                let owners = resources.rows.iter().map(|one: &Resource| one.owner.as_bytes().to_vec());
                let closed: Vec<Vec<u8>> = schema::account::table
                    .filter(schema::account::id.eq_any(owners.collect::<Vec<_>>()))
                    .filter(schema::account::closed_at.is_not_null())
                    .select(schema::account::id)
                    .load(conn)
                    .await?;
                found.damaged.extend(resources.damaged);
                found.rows.extend(resources.rows.into_iter().map(|resource| {
                    let closed = closed.iter().any(|id| id == resource.owner.as_bytes());
                    AwakeClock { resource, closed }
                }));
            }
            found.rows.sort_unstable_by_key(|clock| clock.resource.subject);
            Ok(found)
        }

        async fn clock_busy(conn: &mut $Conn, clock: ClockId, limit: u32) -> StoreResult<Vec<PaymentId>> {
            use schema::clock_busy::dsl;
            let found: Vec<Vec<u8>> = dsl::clock_busy
                .filter(dsl::clock.eq(clocks::clock_key(clock)))
                .order(dsl::payment.asc())
                .limit(i64::from(limit))
                .select(dsl::payment)
                .load(conn)
                .await?;
            Ok(found.iter().filter_map(|id| PaymentId::from_slice(id)).collect())
        }

        async fn clock_rest(conn: &mut $Conn, clock: ClockId) -> StoreResult<bool> {
            use schema::{clock_awake, due};
            let key = clocks::clock_key(clock);
            let left = due::table.filter(due::clock.eq(key.clone())).select(due::subject);
            // Nothing new ever becomes due on it, so this still holds when its row is deleted.
            if left.first::<Vec<u8>>(conn).await.optional()?.is_some() {
                return Ok(false);
            }
            Ok(diesel::delete(clock_awake::table.find(key)).execute(conn).await? > 0)
        }

        async fn clock_made_before(
            conn: &mut $Conn,
            before: Timestamp,
            limit: u32,
        ) -> StoreResult<found::Found<Resource>> {
            use schema::resource::dsl;
            let kind = $crate::domain::subject::SubjectKind::Clock;
            let last = $crate::domain::subject::Subject::new(kind, floor(before));
            let found: Vec<resources::ResourceRow> = dsl::resource
                .filter(dsl::subject.ge(vec![kind.code()]))
                .filter(dsl::subject.lt(last.to_key().to_vec()))
                .filter(dsl::deleted.eq(0))
                .order(dsl::subject.asc())
                .limit(i64::from(limit))
                .select(resources::ResourceRow::as_select())
                .load(conn)
                .await?;
            let mut resources = found::Found::default();
            found.iter().for_each(|row| resources.push_resource(row));
            Ok(resources)
        }

        #[async_trait::async_trait]
        impl $crate::store::Clocks for $Store {
            async fn clock_awake(
                &self,
                after: ClockId,
                limit: u32,
            ) -> StoreResult<Vec<$crate::store::AwakeClock>> {
                held!(self, reader, background, conn => clock_awake(conn, after, limit)).map(|found| found.sort_out(&self.aside))
            }

            async fn clock_busy(&self, clock: ClockId, limit: u32) -> StoreResult<Vec<PaymentId>> {
                held!(self, reader, background, conn => clock_busy(conn, clock, limit))
            }

            async fn clock_rest(&self, clock: ClockId) -> StoreResult<bool> {
                held!(self, writer, background, conn => clock_rest(conn, clock))
            }

            async fn clock_made_before(
                &self,
                before: Timestamp,
                limit: u32,
            ) -> StoreResult<Vec<$crate::domain::resource::Resource>> {
                held!(self, reader, background, conn => clock_made_before(conn, before, limit)).map(|found| found.sort_out(&self.aside))
            }
        }
    };
}
pub(in crate::store) use clocks_store;
