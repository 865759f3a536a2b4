//! Sessions of people who have signed in.

use async_trait::async_trait;
use diesel::prelude::*;

use super::columns::{account_id, damaged};
use super::error::StoreError;
use super::{StoreResult, schema};
use crate::domain::ids::{AccountId, SessionId};
use crate::domain::time::Timestamp;

/// A session to add. The token itself is never stored.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Set by the caller.
    pub id: SessionId,
    /// The account that is signed in.
    pub account: AccountId,
    /// BLAKE3 hash of the token.
    pub token_hash: [u8; 32],
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The browser, as it names itself, shortened.
    pub user_agent: String,
}

/// A session as stored.
#[derive(Debug, Clone)]
pub struct Session {
    /// The primary key.
    pub id: SessionId,
    /// The account that is signed in.
    pub account: AccountId,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// The browser, as it names itself, shortened.
    pub user_agent: String,
    /// When it was last used, to the minute.
    pub seen_at: Timestamp,
}

/// Adds, finds, lists and ends sessions.
#[async_trait]
pub trait Sessions: Send + Sync + 'static {
    /// Adds a session.
    async fn session_insert(&self, session: &NewSession) -> StoreResult<()>;

    /// The session with this token hash that has not expired at `now`.
    async fn session_get(&self, token_hash: &[u8; 32], now: Timestamp) -> StoreResult<Option<Session>>;

    /// Sets when a session was last used.
    async fn session_seen(&self, id: SessionId, now: Timestamp) -> StoreResult<()>;

    /// The sessions of an account, newest first, at most 1,000, expired ones included.
    async fn session_list(&self, account: AccountId) -> StoreResult<Vec<Session>>;

    /// Ends a session of this account; `false` if there was none.
    async fn session_delete(&self, account: AccountId, id: SessionId) -> StoreResult<bool>;
}

#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::session)]
pub(super) struct SessionRow {
    id: Vec<u8>,
    account: Vec<u8>,
    created_at: i64,
    expires_at: i64,
    user_agent: String,
    seen_at: i64,
}

impl SessionRow {
    pub(super) fn decode(self) -> Result<Session, StoreError> {
        Ok(Session {
            id: SessionId::from_slice(&self.id).ok_or_else(|| damaged("session.id"))?,
            account: account_id(&self.account)?,
            created_at: Timestamp::from_micros(self.created_at),
            expires_at: Timestamp::from_micros(self.expires_at),
            user_agent: self.user_agent,
            // Rows from before this was stored count as seen when they began.
            seen_at: Timestamp::from_micros(self.seen_at.max(self.created_at)),
        })
    }
}

macro_rules! sessions_store {
    ($Conn:ty, $Store:ty) => {
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
            let found: Option<sessions::SessionRow> = dsl::session
                .filter(dsl::token_hash.eq(token_hash.to_vec()))
                .filter(dsl::expires_at.gt(now.micros()))
                .select(sessions::SessionRow::as_select())
                .get_result(conn)
                .await
                .optional()?;
            found.map(sessions::SessionRow::decode).transpose()
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
            let found: Vec<sessions::SessionRow> = dsl::session
                .filter(dsl::account.eq(account.as_bytes().to_vec()))
                .order(dsl::id.desc())
                .limit(1_000)
                .select(sessions::SessionRow::as_select())
                .load(conn)
                .await?;
            found.into_iter().map(sessions::SessionRow::decode).collect()
        }

        async fn session_delete(conn: &mut $Conn, account: AccountId, id: SessionId) -> StoreResult<bool> {
            use schema::session::dsl;
            let mine = dsl::session
                .filter(dsl::id.eq(id.as_bytes().to_vec()).and(dsl::account.eq(account.as_bytes().to_vec())));
            Ok(diesel::delete(mine).execute(conn).await? == 1)
        }

        #[async_trait::async_trait]
        impl $crate::store::Sessions for $Store {
            async fn session_insert(&self, session: &NewSession) -> StoreResult<()> {
                held!(self, writer, caller, conn => session_insert(conn, session))
            }

            async fn session_get(
                &self,
                token_hash: &[u8; 32],
                now: Timestamp,
            ) -> StoreResult<Option<Session>> {
                held!(self, reader, caller, conn => session_get(conn, token_hash, now))
            }

            async fn session_seen(&self, id: SessionId, now: Timestamp) -> StoreResult<()> {
                held!(self, writer, caller, conn => session_seen(conn, id, now))
            }

            async fn session_list(&self, account: AccountId) -> StoreResult<Vec<Session>> {
                held!(self, reader, caller, conn => session_list(conn, account))
            }

            async fn session_delete(&self, account: AccountId, id: SessionId) -> StoreResult<bool> {
                held!(self, writer, caller, conn => session_delete(conn, account, id))
            }
        }
    };
}
pub(in crate::store) use sessions_store;
