//! Leases: which of several instances does what only one of them may do.

use std::time::Duration;

use async_trait::async_trait;

use super::StoreResult;
use crate::domain::ids::InstanceId;
use crate::domain::time::Timestamp;

/// The outcome of asking for a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseOutcome {
    /// This instance has it.
    Held {
        /// When it ends, unless it is renewed.
        until: Timestamp,
    },
    /// Another instance has it.
    Taken {
        /// The instance that has it.
        holder: InstanceId,
        /// When it ends, unless it is renewed.
        until: Timestamp,
    },
}

/// Takes, renews and gives back named leases.
#[async_trait]
pub trait Leases: Send + Sync + 'static {
    /// Takes or renews a lease that ends `ttl` after `now`.
    async fn lease_take(
        &self,
        name: &str,
        holder: InstanceId,
        now: Timestamp,
        ttl: Duration,
    ) -> StoreResult<LeaseOutcome>;

    /// When a lease ends or has ended; zero if it was given back or never taken.
    async fn lease_end(&self, name: &str) -> StoreResult<Timestamp>;

    /// Gives a lease back, so that another need not wait for its end.
    async fn lease_release(&self, name: &str, holder: InstanceId) -> StoreResult<()>;
}

macro_rules! leases_store {
    ($Conn:ty, $Store:ty) => {
        async fn lease_take(
            conn: &mut $Conn,
            name: &str,
            holder: InstanceId,
            now: Timestamp,
            until: Timestamp,
        ) -> StoreResult<LeaseOutcome> {
            use schema::reader::dsl;
            reader_ensure(conn, name).await?;
            let us = holder.as_bytes().to_vec();
            // One that ends later than any taken now was taken while a clock was ahead: it would be blocked for as long, held by
            // nobody.
            let latest = until.micros().saturating_add(until.micros().saturating_sub(now.micros()));
            let free = dsl::holder
                .is_null()
                .or(dsl::holder.eq(us.clone()))
                .or(dsl::lease_until.lt(now.micros()))
                .or(dsl::lease_until.gt(latest));
            let taken = diesel::update(dsl::reader.filter(dsl::name.eq(name)).filter(free))
                .set((dsl::holder.eq(us), dsl::lease_until.eq(until.micros())))
                .execute(conn)
                .await?;
            if taken == 1 {
                return Ok(LeaseOutcome::Held { until });
            }
            let (other, until): (Option<Vec<u8>>, i64) =
                dsl::reader.find(name).select((dsl::holder, dsl::lease_until)).get_result(conn).await?;
            let holder = other.as_deref().and_then(InstanceId::from_slice).unwrap_or(holder);
            Ok(LeaseOutcome::Taken { holder, until: Timestamp::from_micros(until) })
        }

        async fn lease_end(conn: &mut $Conn, name: &str) -> StoreResult<Timestamp> {
            use schema::reader::dsl;
            let found: Option<i64> =
                dsl::reader.find(name).select(dsl::lease_until).get_result(conn).await.optional()?;
            Ok(Timestamp::from_micros(found.unwrap_or(0)))
        }

        async fn lease_release(conn: &mut $Conn, name: &str, holder: InstanceId) -> StoreResult<()> {
            use schema::reader::dsl;
            let owned =
                dsl::reader.filter(dsl::name.eq(name).and(dsl::holder.eq(holder.as_bytes().to_vec())));
            diesel::update(owned)
                .set((dsl::holder.eq(None::<Vec<u8>>), dsl::lease_until.eq(0_i64)))
                .execute(conn)
                .await?;
            Ok(())
        }

        #[async_trait::async_trait]
        impl $crate::store::Leases for $Store {
            async fn lease_take(
                &self,
                name: &str,
                holder: InstanceId,
                now: Timestamp,
                ttl: std::time::Duration,
            ) -> StoreResult<LeaseOutcome> {
                let until = now.plus_ms(u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX));
                held!(self, writer, background, conn => lease_take(conn, name, holder, now, until))
            }

            async fn lease_end(&self, name: &str) -> StoreResult<Timestamp> {
                held!(self, reader, background, conn => lease_end(conn, name))
            }

            async fn lease_release(&self, name: &str, holder: InstanceId) -> StoreResult<()> {
                held!(self, writer, background, conn => lease_release(conn, name, holder))
            }
        }
    };
}
pub(in crate::store) use leases_store;
