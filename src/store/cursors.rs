//! The cursors of the journal's readers, and what projections write as they advance theirs.

use async_trait::async_trait;

use super::StoreResult;
use super::batch::Beside;
use crate::domain::announcement::Announcement;
use crate::domain::ids::{AccountId, InstanceId, PaymentId};
use crate::domain::statement::StatementLine;

/// What a projection derived from some batches.
#[derive(Debug, Clone, Default)]
pub struct Projected {
    /// Statement lines.
    pub lines: Vec<StatementLine>,
    /// Announcements, each with the account that receives it.
    pub events: Vec<(AccountId, Announcement)>,
    /// Payments whose work has been queued for a while, and those that no longer have any.
    pub open_work: Beside<PaymentId>,
}

impl Projected {
    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.events.is_empty() && self.open_work.is_empty()
    }
}

/// How far each reader of the journal has got.
#[async_trait]
pub trait Cursors: Send + Sync + 'static {
    /// A reader's position; zero if it has read nothing yet.
    async fn cursor_get(&self, reader: &str) -> StoreResult<u64>;

    /// Moves a reader forward. Refused (`false`) if `holder` has lost its lease.
    async fn cursor_set(&self, reader: &str, holder: InstanceId, seq: u64) -> StoreResult<bool>;

    /// Sets a reader's cursor to `seq`, forward or back, no matter who holds its lease (reindexing, redriving).
    async fn cursor_reset(&self, reader: &str, seq: u64) -> StoreResult<()>;

    /// Every reader's name and cursor.
    async fn cursor_list(&self) -> StoreResult<Vec<(String, u64)>>;

    /// Moves a projection's cursor from `from` to `upto` and writes what it derived, in one transaction. Refused (`false`), with
    /// nothing written, if `holder` has lost its lease or the cursor is not at `from`.
    async fn project(
        &self,
        reader: &str,
        holder: InstanceId,
        from: u64,
        upto: u64,
        projected: &Projected,
    ) -> StoreResult<bool>;
}

macro_rules! cursors_store {
    ($Conn:ty, $Store:ty) => {
        async fn cursor_get(conn: &mut $Conn, name: &str) -> StoreResult<u64> {
            use schema::reader::dsl;
            let found: Option<i64> =
                dsl::reader.find(name).select(dsl::position).get_result(conn).await.optional()?;
            Ok(unsigned(found.unwrap_or(0)))
        }

        async fn cursor_set(conn: &mut $Conn, name: &str, holder: InstanceId, seq: u64) -> StoreResult<bool> {
            use schema::reader::dsl;
            let owned =
                dsl::reader.filter(dsl::name.eq(name).and(dsl::holder.eq(holder.as_bytes().to_vec())));
            let changed = diesel::update(owned).set(dsl::position.eq(signed(seq))).execute(conn).await?;
            Ok(changed == 1)
        }

        async fn cursor_reset(conn: &mut $Conn, name: &str, seq: u64) -> StoreResult<()> {
            use schema::reader::dsl;
            reader_ensure(conn, name).await?;
            diesel::update(dsl::reader.find(name)).set(dsl::position.eq(signed(seq))).execute(conn).await?;
            Ok(())
        }

        async fn cursor_list(conn: &mut $Conn) -> StoreResult<Vec<(String, u64)>> {
            use schema::reader::dsl;
            let found: Vec<(String, i64)> =
                dsl::reader.order(dsl::name.asc()).select((dsl::name, dsl::position)).load(conn).await?;
            Ok(found.into_iter().map(|(name, seq)| (name, unsigned(seq))).collect())
        }

        async fn reader_ensure(conn: &mut $Conn, name: &str) -> StoreResult<()> {
            use schema::reader::dsl;
            diesel::insert_or_ignore_into(dsl::reader)
                .values((dsl::name.eq(name), dsl::position.eq(0_i64), dsl::lease_until.eq(0_i64)))
                .execute(conn)
                .await?;
            Ok(())
        }

        #[async_trait::async_trait]
        impl $crate::store::Cursors for $Store {
            async fn cursor_get(&self, reader: &str) -> StoreResult<u64> {
                held!(self, reader, background, conn => cursor_get(conn, reader))
            }

            async fn cursor_set(&self, reader: &str, holder: InstanceId, seq: u64) -> StoreResult<bool> {
                held!(self, writer, background, conn => cursor_set(conn, reader, holder, seq))
            }

            async fn cursor_reset(&self, reader: &str, seq: u64) -> StoreResult<()> {
                held!(self, writer, background, conn => cursor_reset(conn, reader, seq))
            }

            async fn cursor_list(&self) -> StoreResult<Vec<(String, u64)>> {
                held!(self, reader, background, conn => cursor_list(conn))
            }

            async fn project(
                &self,
                reader: &str,
                holder: InstanceId,
                from: u64,
                upto: u64,
                projected: &$crate::store::Projected,
            ) -> StoreResult<bool> {
                let projecting = self.run_projection(reader, holder, (from, upto), projected);
                $crate::store::held::watched(&self.outage, $crate::outage::Way::Write, projecting).await
            }
        }
    };
}
pub(in crate::store) use cursors_store;
