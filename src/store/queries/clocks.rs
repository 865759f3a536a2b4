//! Test clocks: which have to be looked after, and what they wait for. Part of [`super::shared_queries`].

macro_rules! clocks_queries {
    ($Conn:ty) => {
        async fn clock_awake(
            conn: &mut $Conn,
            after: ClockId,
            limit: u32,
        ) -> StoreResult<rows::Found<AwakeClock>> {
            use schema::clock_awake::dsl;
            let page: Vec<Vec<u8>> = dsl::clock_awake
                .filter(dsl::clock.gt(rows::clock_key(after)))
                .order(dsl::clock.asc())
                .limit(i64::from(limit))
                .select(dsl::clock)
                .load(conn)
                .await?;
            let mut found = rows::Found::default();
            for chunk in page.chunks(KeyIn::<()>::MAX) {
                let ids = chunk.iter().filter_map(|key| ClockId::from_slice(key));
                let subjects: Vec<_> = ids.map($crate::domain::subject::Subject::from).collect();
                let mut resources = rows::Found::default();
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
                .filter(dsl::clock.eq(rows::clock_key(clock)))
                .order(dsl::payment.asc())
                .limit(i64::from(limit))
                .select(dsl::payment)
                .load(conn)
                .await?;
            Ok(found.iter().filter_map(|id| PaymentId::from_slice(id)).collect())
        }

        async fn clock_rest(conn: &mut $Conn, clock: ClockId) -> StoreResult<bool> {
            use schema::{clock_awake, due};
            let key = rows::clock_key(clock);
            let left = due::table.filter(due::clock.eq(key.clone())).select(due::subject);
            // Nothing new is ever due on it, so that what was looked at stays so.
            if left.first::<Vec<u8>>(conn).await.optional()?.is_some() {
                return Ok(false);
            }
            Ok(diesel::delete(clock_awake::table.find(key)).execute(conn).await? > 0)
        }

        async fn clock_made_before(
            conn: &mut $Conn,
            before: Timestamp,
            limit: u32,
        ) -> StoreResult<rows::Found<Resource>> {
            use schema::resource::dsl;
            let kind = $crate::domain::subject::SubjectKind::Clock;
            let last = $crate::domain::subject::Subject::new(kind, floor(before));
            let found: Vec<rows::ResourceRow> = dsl::resource
                .filter(dsl::subject.ge(vec![kind.code()]))
                .filter(dsl::subject.lt(last.to_key().to_vec()))
                .filter(dsl::deleted.eq(0))
                .order(dsl::subject.asc())
                .limit(i64::from(limit))
                .select(rows::ResourceRow::as_select())
                .load(conn)
                .await?;
            let mut resources = rows::Found::default();
            found.iter().for_each(|row| resources.push_resource(row));
            Ok(resources)
        }
    };
}
pub(in crate::store) use clocks_queries;
