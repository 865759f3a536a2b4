//! Lines of statements. Part of [`super::shared_queries`].

macro_rules! statement_queries {
    ($Conn:ty) => {
        use $crate::domain::statement::{LinePlace, StatementLine};
        use $crate::domain::wallet::WalletId;
        use $crate::store::records::StatementFilter;

        async fn statement_put(conn: &mut $Conn, lines: &[StatementLine]) -> StoreResult<()> {
            let cells: Vec<Cell> = lines.iter().flat_map(rows::line_cells).collect();
            execute_rows(conn, &rows::STATEMENT_UPSERT, &cells).await
        }

        async fn statement_list(
            conn: &mut $Conn,
            wallet: WalletId,
            filter: &StatementFilter,
        ) -> StoreResult<Vec<StatementLine>> {
            use schema::statement_line::dsl;
            let backwards = filter.after.is_some();
            let mut query = dsl::statement_line.filter(dsl::wallet.eq(wallet.to_key().to_vec())).into_boxed();
            if let Some(LinePlace { seq, place }) = filter.before {
                let (seq, place) = (signed(seq), rows::version_column(place));
                query = query.filter(dsl::seq.le(seq)).filter(dsl::seq.lt(seq).or(dsl::place.lt(place)));
            }
            if let Some(LinePlace { seq, place }) = filter.after {
                let (seq, place) = (signed(seq), rows::version_column(place));
                query = query.filter(dsl::seq.ge(seq)).filter(dsl::seq.gt(seq).or(dsl::place.gt(place)));
            }
            if !filter.kinds.is_empty() {
                query = query.filter(dsl::kind.eq_any(filter.kinds.iter().map(|kind| kind.to_code())));
            }
            if let Some(from) = filter.created_from {
                query = query.filter(dsl::at.ge(from.micros()));
            }
            if let Some(to) = filter.created_to {
                query = query.filter(dsl::at.lt(to.micros()));
            }
            let query = match backwards {
                true => query.order((dsl::seq.asc(), dsl::place.asc())),
                false => query.order((dsl::seq.desc(), dsl::place.desc())),
            };
            let found: Vec<rows::LineRow> =
                query.limit(i64::from(filter.limit)).select(rows::LineRow::as_select()).load(conn).await?;
            let mut lines = found.iter().map(rows::LineRow::decode).collect::<StoreResult<Vec<_>>>()?;
            if backwards {
                lines.reverse();
            }
            Ok(lines)
        }

        async fn statement_wallets(
            conn: &mut $Conn,
            after: Option<WalletId>,
            limit: u32,
        ) -> StoreResult<Vec<WalletId>> {
            use schema::statement_line::dsl;
            let mut wallets = Vec::new();
            let mut after = after.map_or_else(Vec::new, |wallet| wallet.to_key().to_vec());
            while wallets.len() < usize::try_from(limit).unwrap_or(usize::MAX) {
                // One step of the key for each wallet, however many lines it has.
                let next: Option<Vec<u8>> = dsl::statement_line
                    .filter(dsl::wallet.gt(after))
                    .order(dsl::wallet.asc())
                    .select(dsl::wallet)
                    .first(conn)
                    .await
                    .optional()?;
                let Some(next) = next else { break };
                wallets.push(rows::wallet_id(&next)?);
                after = next;
            }
            Ok(wallets)
        }

        async fn statement_delete(conn: &mut $Conn, wallet: WalletId, upto: u64) -> StoreResult<u64> {
            use schema::statement_line::dsl;
            let lines = dsl::statement_line
                .filter(dsl::wallet.eq(wallet.to_key().to_vec()))
                .filter(dsl::seq.le(signed(upto)));
            let deleted = diesel::delete(lines).execute(conn).await?;
            Ok(deleted.try_into().unwrap_or(u64::MAX))
        }

        async fn audit_statement(
            conn: &mut $Conn,
            after: Option<(WalletId, LinePlace)>,
            limit: u32,
        ) -> StoreResult<Vec<StatementLine>> {
            use schema::statement_line::dsl;
            let (wallet, seq, place) = after.map_or_else(
                || (Vec::new(), 0, 0),
                |(wallet, at)| (wallet.to_key().to_vec(), signed(at.seq), rows::version_column(at.place)),
            );
            let further = dsl::seq.gt(seq).or(dsl::seq.eq(seq).and(dsl::place.gt(place)));
            let found: Vec<rows::LineRow> = dsl::statement_line
                .filter(dsl::wallet.ge(wallet.clone()))
                .filter(dsl::wallet.gt(wallet).or(further))
                .order((dsl::wallet.asc(), dsl::seq.asc(), dsl::place.asc()))
                .limit(i64::from(limit))
                .select(rows::LineRow::as_select())
                .load(conn)
                .await?;
            found.iter().map(rows::LineRow::decode).collect()
        }
    };
}
pub(in crate::store) use statement_queries;
