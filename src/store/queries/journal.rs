//! The journal and the readers of it. Part of [`super::shared_queries`].

macro_rules! journal_queries {
    ($Conn:ty) => {
        /// The last place taken in the line.
        async fn head(conn: &mut $Conn) -> StoreResult<u64> {
            use schema::head::dsl;
            let seq: Option<i64> =
                dsl::head.filter(dsl::shard.eq(0)).select(dsl::seq).get_result(conn).await.optional()?;
            seq.map(unsigned).ok_or_else(|| rows::damaged("head.seq"))
        }

        async fn head_wall(conn: &mut $Conn) -> StoreResult<Timestamp> {
            use schema::head::dsl;
            let wall: Option<i64> =
                dsl::head.filter(dsl::shard.eq(0)).select(dsl::wall).get_result(conn).await.optional()?;
            wall.map(Timestamp::from_micros).ok_or_else(|| rows::damaged("head.wall"))
        }

        async fn batch_committed(conn: &mut $Conn, seq: u64, batch: BatchId) -> StoreResult<bool> {
            use schema::journal::dsl;
            let found: Option<Vec<u8>> =
                dsl::journal.find(signed(seq)).select(dsl::batch_id).get_result(conn).await.optional()?;
            Ok(found.is_some_and(|bytes| bytes == batch.as_bytes()))
        }

        async fn journal_read(conn: &mut $Conn, after: u64, limit: u32) -> StoreResult<Vec<JournalRecord>> {
            use schema::journal::dsl;
            let found: Vec<rows::JournalRow> = dsl::journal
                .filter(dsl::seq.gt(signed(after)))
                .order(dsl::seq.asc())
                .limit(i64::from(limit))
                .select(rows::JournalRow::as_select())
                .load(conn)
                .await?;
            found.into_iter().map(rows::JournalRow::decode).collect()
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

        async fn lease_take(
            conn: &mut $Conn,
            name: &str,
            holder: InstanceId,
            now: Timestamp,
            until: Timestamp,
        ) -> StoreResult<Lease> {
            use schema::reader::dsl;
            reader_ensure(conn, name).await?;
            let us = holder.as_bytes().to_vec();
            // One that ends later than any that is taken now was taken when a clock was ahead: it would be held by nobody for as long.
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
                return Ok(Lease::Held { until });
            }
            let (other, until): (Option<Vec<u8>>, i64) =
                dsl::reader.find(name).select((dsl::holder, dsl::lease_until)).get_result(conn).await?;
            let holder = other.as_deref().and_then(InstanceId::from_slice).unwrap_or(holder);
            Ok(Lease::Taken { holder, until: Timestamp::from_micros(until) })
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
    };
}
pub(in crate::store) use journal_queries;
