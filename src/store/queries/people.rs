//! Accounts, sessions and keys. Part of [`super::shared_queries`].

macro_rules! people_queries {
    ($Conn:ty) => {
        async fn account_insert_many(conn: &mut $Conn, accounts: &[NewAccount]) -> StoreResult<()> {
            let cells: Vec<Cell> = accounts.iter().flat_map(rows::account_cells).collect();
            execute_rows(conn, &rows::ACCOUNT_INSERT, &cells).await
        }

        async fn account_insert(conn: &mut $Conn, account: &NewAccount) -> StoreResult<bool> {
            let cells = rows::account_cells(account);
            let Some(row) = rows::ACCOUNT_INSERT.chunks(&cells, 1).next() else {
                return Ok(false);
            };
            $crate::store::error::inserted(row.execute(conn).await)
        }

        async fn account_by_email(conn: &mut $Conn, email: &str) -> StoreResult<Option<Account>> {
            use schema::account::dsl;
            let found: Option<rows::AccountRow> = dsl::account
                .filter(dsl::email.eq(email))
                .select(rows::AccountRow::as_select())
                .get_result(conn)
                .await
                .optional()?;
            found.map(rows::AccountRow::decode).transpose()
        }

        async fn account_get(conn: &mut $Conn, ids: &[AccountId]) -> StoreResult<Vec<Account>> {
            use schema::account::dsl;
            let mut accounts = Vec::with_capacity(ids.len());
            for chunk in ids.chunks(KeyIn::<()>::MAX) {
                let found: Vec<rows::AccountRow> = dsl::account
                    .filter(KeyIn::new(dsl::id, chunk.iter().map(|id| id.as_bytes().to_vec())))
                    .select(rows::AccountRow::as_select())
                    .load(conn)
                    .await?;
                for row in found {
                    accounts.push(row.decode()?);
                }
            }
            Ok(accounts)
        }

        async fn account_children(
            conn: &mut $Conn,
            parent: AccountId,
            after: Option<AccountId>,
            limit: u32,
        ) -> StoreResult<Vec<Account>> {
            use schema::account::dsl;
            let after = after.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
            let found: Vec<rows::AccountRow> = dsl::account
                .filter(dsl::parent.eq(parent.as_bytes().to_vec()))
                .filter(dsl::id.gt(after))
                .filter(dsl::closed_at.is_null())
                .order(dsl::id.asc())
                .limit(i64::from(limit))
                .select(rows::AccountRow::as_select())
                .load(conn)
                .await?;
            found.into_iter().map(rows::AccountRow::decode).collect()
        }

        async fn account_set_password(conn: &mut $Conn, id: AccountId, hash: &str) -> StoreResult<()> {
            use schema::account::dsl;
            diesel::update(dsl::account.find(id.as_bytes().to_vec()))
                .set(dsl::password_hash.eq(hash))
                .execute(conn)
                .await?;
            Ok(())
        }

        async fn mark_set(
            conn: &mut $Conn,
            account: AccountId,
            name: &str,
            now: Timestamp,
        ) -> StoreResult<()> {
            use schema::account_mark::dsl;
            diesel::insert_or_ignore_into(dsl::account_mark)
                .values((
                    dsl::account.eq(account.as_bytes().to_vec()),
                    dsl::name.eq(name),
                    dsl::at.eq(now.micros()),
                ))
                .execute(conn)
                .await?;
            Ok(())
        }

        async fn mark_delete(conn: &mut $Conn, account: AccountId, name: &str) -> StoreResult<()> {
            use schema::account_mark::dsl;
            diesel::delete(dsl::account_mark.find((account.as_bytes().to_vec(), name))).execute(conn).await?;
            Ok(())
        }

        async fn mark_list(conn: &mut $Conn, account: AccountId) -> StoreResult<Vec<(String, Timestamp)>> {
            use schema::account_mark::dsl;
            let found: Vec<(String, i64)> = dsl::account_mark
                .filter(dsl::account.eq(account.as_bytes().to_vec()))
                .order(dsl::name.asc())
                .limit(100)
                .select((dsl::name, dsl::at))
                .load(conn)
                .await?;
            Ok(found.into_iter().map(|(name, at)| (name, Timestamp::from_micros(at))).collect())
        }

        async fn session_insert(conn: &mut $Conn, session: &NewSession) -> StoreResult<()> {
            use schema::session::dsl;
            diesel::insert_into(dsl::session)
                .values((
                    dsl::id.eq(session.id.as_bytes().to_vec()),
                    dsl::account.eq(session.account.as_bytes().to_vec()),
                    dsl::token_hash.eq(session.token_hash.to_vec()),
                    dsl::created_at.eq(session.created_at.micros()),
                    dsl::expires_at.eq(session.expires_at.micros()),
                    dsl::user_agent.eq(session.user_agent.as_str()),
                    dsl::seen_at.eq(session.created_at.micros()),
                ))
                .execute(conn)
                .await?;
            Ok(())
        }

        async fn session_get(
            conn: &mut $Conn,
            token_hash: &[u8; 32],
            now: Timestamp,
        ) -> StoreResult<Option<Session>> {
            use schema::session::dsl;
            let found: Option<rows::SessionRow> = dsl::session
                .filter(dsl::token_hash.eq(token_hash.to_vec()))
                .filter(dsl::expires_at.gt(now.micros()))
                .select(rows::SessionRow::as_select())
                .get_result(conn)
                .await
                .optional()?;
            found.map(rows::SessionRow::decode).transpose()
        }

        async fn session_seen(conn: &mut $Conn, id: SessionId, now: Timestamp) -> StoreResult<()> {
            use schema::session::dsl;
            diesel::update(dsl::session.find(id.as_bytes().to_vec()))
                .set(dsl::seen_at.eq(now.micros()))
                .execute(conn)
                .await?;
            Ok(())
        }

        async fn session_list(conn: &mut $Conn, account: AccountId) -> StoreResult<Vec<Session>> {
            use schema::session::dsl;
            let found: Vec<rows::SessionRow> = dsl::session
                .filter(dsl::account.eq(account.as_bytes().to_vec()))
                .order(dsl::id.desc())
                .limit(1_000)
                .select(rows::SessionRow::as_select())
                .load(conn)
                .await?;
            found.into_iter().map(rows::SessionRow::decode).collect()
        }

        async fn session_delete(conn: &mut $Conn, account: AccountId, id: SessionId) -> StoreResult<bool> {
            use schema::session::dsl;
            let mine = dsl::session
                .filter(dsl::id.eq(id.as_bytes().to_vec()).and(dsl::account.eq(account.as_bytes().to_vec())));
            Ok(diesel::delete(mine).execute(conn).await? == 1)
        }

        async fn api_key_insert(conn: &mut $Conn, key: &NewApiKey) -> StoreResult<()> {
            use schema::api_key::dsl;
            diesel::insert_into(dsl::api_key)
                .values((
                    dsl::id.eq(key.id.as_bytes().to_vec()),
                    dsl::account.eq(key.account.as_bytes().to_vec()),
                    dsl::secret_hash.eq(key.secret_hash.to_vec()),
                    dsl::last4.eq(key.last4.as_str()),
                    dsl::name.eq(key.name.as_str()),
                    dsl::created_at.eq(key.created_at.micros()),
                ))
                .execute(conn)
                .await?;
            Ok(())
        }

        async fn api_key_get(conn: &mut $Conn, secret_hash: &[u8; 32]) -> StoreResult<Option<ApiKey>> {
            use schema::api_key::dsl;
            let found: Option<rows::ApiKeyRow> = dsl::api_key
                .filter(dsl::secret_hash.eq(secret_hash.to_vec()))
                .select(rows::ApiKeyRow::as_select())
                .get_result(conn)
                .await
                .optional()?;
            found.map(rows::ApiKeyRow::decode).transpose()
        }

        async fn api_key_list(conn: &mut $Conn, account: AccountId) -> StoreResult<Vec<ApiKey>> {
            use schema::api_key::dsl;
            let found: Vec<rows::ApiKeyRow> = dsl::api_key
                .filter(dsl::account.eq(account.as_bytes().to_vec()))
                .order(dsl::id.desc())
                .limit(1_000)
                .select(rows::ApiKeyRow::as_select())
                .load(conn)
                .await?;
            found.into_iter().map(rows::ApiKeyRow::decode).collect()
        }

        async fn api_key_revoke(
            conn: &mut $Conn,
            account: AccountId,
            id: ApiKeyId,
            now: Timestamp,
        ) -> StoreResult<bool> {
            use schema::api_key::dsl;
            let mine = dsl::api_key
                .filter(dsl::id.eq(id.as_bytes().to_vec()).and(dsl::account.eq(account.as_bytes().to_vec())))
                .filter(dsl::revoked_at.is_null());
            Ok(diesel::update(mine).set(dsl::revoked_at.eq(now.micros())).execute(conn).await? == 1)
        }
    };
}
pub(in crate::store) use people_queries;
