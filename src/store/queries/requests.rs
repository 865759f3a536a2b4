//! The log of calls, and what an installation keeps under a name. Part of [`super::shared_queries`].

macro_rules! requests_queries {
    ($Conn:ty) => {
        async fn request_insert(conn: &mut $Conn, requests: &[RequestRecord]) -> StoreResult<()> {
            let cells: Vec<Cell> = requests.iter().flat_map(rows::request_cells).collect();
            execute_rows(conn, &rows::REQUEST_INSERT, &cells).await
        }

        async fn request_list(
            conn: &mut $Conn,
            account: AccountId,
            filter: &RequestFilter,
        ) -> StoreResult<Vec<RequestRecord>> {
            use diesel::{EscapeExpressionMethods as _, TextExpressionMethods as _};
            use schema::request_log::dsl;
            let mut query =
                dsl::request_log.filter(dsl::account.eq(account.as_bytes().to_vec())).into_boxed();
            if let Some(method) = &filter.method {
                query = query.filter(dsl::method.eq(method.clone()));
            }
            if let Some(class) = filter.status_class {
                let from = i16::try_from(class.saturating_mul(100)).unwrap_or(i16::MAX);
                query = query.filter(dsl::status.ge(from)).filter(dsl::status.lt(from.saturating_add(100)));
            }
            if let Some(key) = filter.key {
                query = query.filter(dsl::api_key.eq(key.as_bytes().to_vec()));
            }
            if let Some(part) = &filter.path {
                let part = part.replace('!', "!!").replace('%', "!%").replace('_', "!_");
                query = query.filter(dsl::path.like(format!("%{part}%")).escape('!'));
            }
            if let Some(before) = filter.before {
                query = query.filter(dsl::id.lt(before.as_bytes().to_vec()));
            }
            let found: Vec<rows::RequestRow> = query
                .order(dsl::id.desc())
                .limit(i64::from(filter.limit))
                .select(rows::RequestRow::as_select())
                .load(conn)
                .await?;
            found.into_iter().map(|row| row.decode(None, None)).collect()
        }

        async fn request_get(
            conn: &mut $Conn,
            account: AccountId,
            id: RequestId,
        ) -> StoreResult<Option<RequestRecord>> {
            use schema::request_log::dsl;
            let found: Option<(rows::RequestRow, Option<String>, Option<String>)> = dsl::request_log
                .filter(dsl::id.eq(id.as_bytes().to_vec()))
                .filter(dsl::account.eq(account.as_bytes().to_vec()))
                .select((rows::RequestRow::as_select(), dsl::request, dsl::response))
                .get_result(conn)
                .await
                .optional()?;
            found.map(|(row, request, response)| row.decode(request, response)).transpose()
        }

        async fn request_prune(conn: &mut $Conn, account: AccountId, keep: u32) -> StoreResult<u64> {
            use schema::request_log::dsl;
            let account = account.as_bytes().to_vec();
            let newest_gone: Option<Vec<u8>> = dsl::request_log
                .filter(dsl::account.eq(account.clone()))
                .order(dsl::id.desc())
                .offset(i64::from(keep))
                .limit(1)
                .select(dsl::id)
                .first(conn)
                .await
                .optional()?;
            let Some(id) = newest_gone else {
                return Ok(0);
            };
            let gone = dsl::request_log.filter(dsl::account.eq(account)).filter(dsl::id.le(id));
            let deleted = diesel::delete(gone).execute(conn).await?;
            Ok(deleted.try_into().unwrap_or(u64::MAX))
        }

        async fn request_expire(conn: &mut $Conn, before: Timestamp, limit: u32) -> StoreResult<u64> {
            use schema::request_log::dsl;
            // Ids are time-ordered, so a time is a bound on ids, and the rows to go are the first.
            let floor = floor(before).to_vec();
            let last: Option<Vec<u8>> = dsl::request_log
                .filter(dsl::id.lt(floor.clone()))
                .order(dsl::id.asc())
                .offset(i64::from(limit))
                .limit(1)
                .select(dsl::id)
                .first(conn)
                .await
                .optional()?;
            let gone = dsl::request_log.filter(dsl::id.lt(last.unwrap_or(floor)));
            let deleted = diesel::delete(gone).execute(conn).await?;
            Ok(deleted.try_into().unwrap_or(u64::MAX))
        }

        async fn installation_get(conn: &mut $Conn, name: &str) -> StoreResult<Option<Vec<u8>>> {
            use schema::installation::dsl;
            Ok(dsl::installation.find(name).select(dsl::value).get_result(conn).await.optional()?)
        }

        async fn installation_set_once(conn: &mut $Conn, name: &str, value: &[u8]) -> StoreResult<Vec<u8>> {
            use schema::installation::dsl;
            diesel::insert_or_ignore_into(dsl::installation)
                .values((dsl::name.eq(name), dsl::value.eq(value.to_vec())))
                .execute(conn)
                .await?;
            Ok(dsl::installation.find(name).select(dsl::value).get_result(conn).await?)
        }

        async fn installation_set(conn: &mut $Conn, name: &str, value: &[u8]) -> StoreResult<()> {
            let row = [Cell::Text(name.to_owned()), Cell::Bytes(value.to_vec())];
            execute_rows(conn, &rows::INSTALLATION_UPSERT, &row).await
        }
    };
}
pub(in crate::store) use requests_queries;
