//! Payments whose work has been in the queue for a while.

use async_trait::async_trait;

use super::StoreResult;
use super::multi_row::{INSERT, Statement};
use crate::domain::ids::PaymentId;
use crate::domain::payment::Payment;

/// Payments whose open work has a row.
#[async_trait]
pub trait OpenWork: Send + Sync + 'static {
    /// Payments whose open work has a row, in the order of their ids, after `after`. An empty page is the end. Other open work is
    /// in the journal, beyond the cursor of the reader that writes these rows.
    async fn work_open(&self, after: Option<PaymentId>, limit: u32) -> StoreResult<Vec<Payment>>;

    /// How many payments have such a row.
    async fn work_open_count(&self) -> StoreResult<u64>;
}

pub(super) static OPEN_WORK_UPSERT: Statement = Statement {
    sqlite_verb: INSERT,
    head: "open_work (payment) VALUES ",
    columns: 1,
    mysql_tail: " ON DUPLICATE KEY UPDATE payment=VALUES(payment)",
    sqlite_tail: " ON CONFLICT(payment) DO NOTHING",
};

macro_rules! open_work_store {
    ($Conn:ty, $Store:ty) => {
        async fn work_open(
            conn: &mut $Conn,
            after: Option<PaymentId>,
            limit: u32,
        ) -> StoreResult<found::Found<Payment>> {
            use schema::{open_work, payment};
            let mut found = found::Found::default();
            let mut after = after.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
            loop {
                let page: Vec<payments::PaymentRow> = open_work::table
                    .inner_join(payment::table.on(payment::id.eq(open_work::payment)))
                    .filter(open_work::payment.gt(after))
                    .order(open_work::payment.asc())
                    .limit(i64::from(limit))
                    .select(payments::PaymentRow::as_select())
                    .load(conn)
                    .await?;
                found.add(payments_of(conn, &page).await?);
                match page.last() {
                    Some(last) if found.rows.is_empty() => after = last.id.clone(),
                    Some(_) | None => return Ok(found),
                }
            }
        }

        async fn work_open_count(conn: &mut $Conn) -> StoreResult<u64> {
            let count: i64 = schema::open_work::table.count().get_result(conn).await?;
            Ok(unsigned(count))
        }

        #[async_trait::async_trait]
        impl $crate::store::OpenWork for $Store {
            async fn work_open(&self, after: Option<PaymentId>, limit: u32) -> StoreResult<Vec<Payment>> {
                held!(self, reader, background, conn => work_open(conn, after, limit)).map(|found| found.sort_out(&self.aside))
            }

            async fn work_open_count(&self) -> StoreResult<u64> {
                held!(self, reader, background, conn => work_open_count(conn))
            }
        }
    };
}
pub(in crate::store) use open_work_store;
