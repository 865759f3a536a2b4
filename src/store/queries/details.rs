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
    };
}
pub(in crate::store) use details_queries;
