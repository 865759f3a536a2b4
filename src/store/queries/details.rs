//! What is kept beside payments and refunds. Part of [`super::shared_queries`].

macro_rules! details_queries {
    ($Conn:ty) => {
        async fn detail_put(conn: &mut $Conn, subject: [u8; 16], id: u64, body: &[u8]) -> StoreResult<()> {
            use schema::detail::dsl;
            diesel::insert_or_ignore_into(dsl::detail)
                .values((
                    dsl::subject.eq(subject.to_vec()),
                    dsl::id.eq(id.cast_signed()),
                    dsl::body.eq(body.to_vec()),
                ))
                .execute(conn)
                .await?;
            Ok(())
        }

        async fn detail_get(conn: &mut $Conn, subjects: &[[u8; 16]]) -> StoreResult<Vec<DetailRecord>> {
            use schema::detail::dsl;
            let mut details = Vec::new();
            for chunk in subjects.chunks(KeyIn::<()>::MAX) {
                let found: Vec<rows::DetailRow> = dsl::detail
                    .filter(KeyIn::new(dsl::subject, chunk.iter().map(|subject| subject.to_vec())))
                    .load(conn)
                    .await?;
                for row in found {
                    details.push(rows::detail(row)?);
                }
            }
            Ok(details)
        }
    };
}
pub(in crate::store) use details_queries;
