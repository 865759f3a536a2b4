//! CSV imports and their rows. Part of [`super::shared_queries`].

macro_rules! imports_queries {
    ($Conn:ty) => {
        async fn import_insert(conn: &mut $Conn, import: &ImportRecord) -> StoreResult<bool> {
            use schema::import::dsl;
            let inserted = diesel::insert_into(dsl::import)
                .values((
                    dsl::id.eq(import.id.as_bytes().to_vec()),
                    dsl::owner.eq(import.owner.as_bytes().to_vec()),
                    dsl::name.eq(import.name.as_str()),
                    dsl::state.eq(import.state.to_code()),
                    dsl::created_at.eq(import.created_at.micros()),
                    dsl::updated_at.eq(import.updated_at.micros()),
                    dsl::rows_read.eq(signed(import.rows_read)),
                    dsl::rows_accepted.eq(signed(import.rows_accepted)),
                    dsl::rows_known.eq(signed(import.rows_known)),
                    dsl::rows_refused.eq(signed(import.rows_refused)),
                    dsl::cause.eq(import.cause.as_deref()),
                ))
                .execute(conn)
                .await;
            $crate::store::error::inserted(inserted)
        }

        async fn import_save(
            conn: &mut $Conn,
            import: &ImportRecord,
            new_rows: &[ImportRow],
        ) -> StoreResult<()> {
            use schema::import::dsl;
            let mut cells = Vec::with_capacity(new_rows.len() * 6);
            new_rows.iter().for_each(|row| rows::push_import_row(&mut cells, import.id, row));
            execute_rows(conn, &rows::IMPORT_ROW_INSERT, &cells).await?;
            diesel::update(dsl::import.find(import.id.as_bytes().to_vec()))
                .set((
                    dsl::state.eq(import.state.to_code()),
                    dsl::updated_at.eq(import.updated_at.micros()),
                    dsl::rows_read.eq(signed(import.rows_read)),
                    dsl::rows_accepted.eq(signed(import.rows_accepted)),
                    dsl::rows_known.eq(signed(import.rows_known)),
                    dsl::rows_refused.eq(signed(import.rows_refused)),
                    dsl::cause.eq(import.cause.as_deref()),
                ))
                .execute(conn)
                .await?;
            Ok(())
        }

        async fn import_get(
            conn: &mut $Conn,
            owner: AccountId,
            id: ImportId,
        ) -> StoreResult<Option<ImportRecord>> {
            use schema::import::dsl;
            let found: Option<rows::ImportTableRow> = dsl::import
                .find(id.as_bytes().to_vec())
                .filter(dsl::owner.eq(owner.as_bytes().to_vec()))
                .select(rows::ImportTableRow::as_select())
                .get_result(conn)
                .await
                .optional()?;
            found.map(rows::ImportTableRow::decode).transpose()
        }

        async fn import_list(
            conn: &mut $Conn,
            owner: AccountId,
            limit: u32,
        ) -> StoreResult<Vec<ImportRecord>> {
            use schema::import::dsl;
            let found: Vec<rows::ImportTableRow> = dsl::import
                .filter(dsl::owner.eq(owner.as_bytes().to_vec()))
                .order(dsl::id.desc())
                .limit(i64::from(limit))
                .select(rows::ImportTableRow::as_select())
                .load(conn)
                .await?;
            found.into_iter().map(rows::ImportTableRow::decode).collect()
        }

        async fn import_rows(
            conn: &mut $Conn,
            import: ImportId,
            after_line: u64,
            refused_only: bool,
            limit: u32,
        ) -> StoreResult<Vec<ImportRow>> {
            use schema::import_row::dsl;
            let mut query = dsl::import_row
                .filter(dsl::import.eq(import.as_bytes().to_vec()))
                .filter(dsl::line.gt(signed(after_line)))
                .into_boxed();
            if refused_only {
                query = query.filter(dsl::payment.is_null());
            }
            let found: Vec<rows::ImportRowRow> = query
                .order(dsl::line.asc())
                .limit(i64::from(limit))
                .select(rows::ImportRowRow::as_select())
                .load(conn)
                .await?;
            found.into_iter().map(rows::ImportRowRow::decode).collect()
        }
    };
}
pub(in crate::store) use imports_queries;
