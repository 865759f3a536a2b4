//! Timers of payments: a row for each payment and clock on which something is due.

use async_trait::async_trait;

use super::StoreResult;
use super::multi_row::{INSERT, Statement};
use crate::domain::ids::{ClockId, PaymentId};
use crate::domain::subject as domain;
use crate::domain::time::Timestamp;

/// Payments with something due on a clock.
#[async_trait]
pub trait DuePayments: Send + Sync + 'static {
    /// Payments with something due on a clock at or before `upto`, earliest first, each with when.
    async fn payment_due(
        &self,
        clock: ClockId,
        upto: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<(PaymentId, Timestamp)>>;

    /// The earliest time after `after` at which something is due on a clock.
    async fn payment_next_due(&self, clock: ClockId, after: Timestamp) -> StoreResult<Option<Timestamp>>;
}

pub(super) static DUE_UPSERT: Statement = Statement {
    sqlite_verb: INSERT,
    head: "due (subject,clock,due_at) VALUES ",
    columns: 3,
    mysql_tail: " ON DUPLICATE KEY UPDATE due_at=VALUES(due_at)",
    sqlite_tail: " ON CONFLICT(subject,clock) DO UPDATE SET due_at=excluded.due_at",
};

pub(super) fn due_key(payment: PaymentId) -> Vec<u8> {
    domain::Subject::from(payment).to_key().to_vec()
}

/// The payment that a key of `due` names; `None` if it names something else.
pub(super) fn due_payment(key: &[u8]) -> Option<PaymentId> {
    domain::Subject::from_key(key).and_then(|subject| subject.payment())
}

macro_rules! due_store {
    ($Conn:ty, $Store:ty) => {
        async fn payment_due(
            conn: &mut $Conn,
            clock: ClockId,
            upto: Timestamp,
            limit: u32,
        ) -> StoreResult<Vec<(PaymentId, Timestamp)>> {
            use schema::due::dsl;
            let found: Vec<(Vec<u8>, i64)> = dsl::due
                .filter(dsl::clock.eq(clocks::clock_key(clock)).and(dsl::due_at.le(upto.micros())))
                .order((dsl::due_at.asc(), dsl::subject.asc()))
                .limit(i64::from(limit))
                .select((dsl::subject, dsl::due_at))
                .load(conn)
                .await?;
            // A key that names no payment cannot be acted on; `verify` reports such a row.
            let due =
                |(key, at): &(Vec<u8>, i64)| Some((due::due_payment(key)?, Timestamp::from_micros(*at)));
            Ok(found.iter().filter_map(due).collect())
        }

        async fn payment_next_due(
            conn: &mut $Conn,
            clock: ClockId,
            after: Timestamp,
        ) -> StoreResult<Option<Timestamp>> {
            use schema::due::dsl;
            let found: Option<i64> = dsl::due
                .filter(dsl::clock.eq(clocks::clock_key(clock)).and(dsl::due_at.gt(after.micros())))
                .order(dsl::due_at.asc())
                .select(dsl::due_at)
                .first(conn)
                .await
                .optional()?;
            Ok(found.map(Timestamp::from_micros))
        }

        #[async_trait::async_trait]
        impl $crate::store::DuePayments for $Store {
            async fn payment_due(
                &self,
                clock: ClockId,
                upto: Timestamp,
                limit: u32,
            ) -> StoreResult<Vec<(PaymentId, Timestamp)>> {
                held!(self, reader, background, conn => payment_due(conn, clock, upto, limit))
            }

            async fn payment_next_due(
                &self,
                clock: ClockId,
                after: Timestamp,
            ) -> StoreResult<Option<Timestamp>> {
                held!(self, reader, background, conn => payment_next_due(conn, clock, after))
            }
        }
    };
}
pub(in crate::store) use due_store;
