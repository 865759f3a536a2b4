//! API keys, found by the hash of their secret. They are revoked, never deleted.

use async_trait::async_trait;
use diesel::prelude::*;

use super::columns::{account_id, damaged};
use super::error::StoreError;
use super::{StoreResult, schema};
use crate::domain::ids::{AccountId, ApiKeyId};
use crate::domain::time::Timestamp;

/// An API key to add. The secret itself is never stored.
#[derive(Debug, Clone)]
pub struct NewApiKey {
    /// Set by the caller.
    pub id: ApiKeyId,
    /// The account that requests with this key act for.
    pub account: AccountId,
    /// BLAKE3 hash of the secret.
    pub secret_hash: [u8; 32],
    /// The last four characters of the secret, to recognise it by.
    pub last4: String,
    /// The name its owner gave it.
    pub name: String,
    /// When it was created.
    pub created_at: Timestamp,
}

/// An API key as stored.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// The primary key.
    pub id: ApiKeyId,
    /// The account that requests with this key act for.
    pub account: AccountId,
    /// The last four characters of the secret.
    pub last4: String,
    /// The name its owner gave it.
    pub name: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was revoked; none while it is valid.
    pub revoked_at: Option<Timestamp>,
}

/// Adds, finds, lists and revokes API keys.
#[async_trait]
pub trait ApiKeys: Send + Sync + 'static {
    /// Adds an API key.
    async fn api_key_insert(&self, key: &NewApiKey) -> StoreResult<()>;

    /// The key with this secret hash, revoked or not.
    async fn api_key_get(&self, secret_hash: &[u8; 32]) -> StoreResult<Option<ApiKey>>;

    /// The keys of an account, newest first, at most 1,000, revoked ones included.
    async fn api_key_list(&self, account: AccountId) -> StoreResult<Vec<ApiKey>>;

    /// Revokes a key of this account; `false` if there was none to revoke.
    async fn api_key_revoke(&self, account: AccountId, id: ApiKeyId, now: Timestamp) -> StoreResult<bool>;
}

#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::api_key)]
pub(super) struct ApiKeyRow {
    id: Vec<u8>,
    account: Vec<u8>,
    last4: String,
    name: String,
    created_at: i64,
    revoked_at: Option<i64>,
}

impl ApiKeyRow {
    pub(super) fn decode(self) -> Result<ApiKey, StoreError> {
        Ok(ApiKey {
            id: ApiKeyId::from_slice(&self.id).ok_or_else(|| damaged("api_key.id"))?,
            account: account_id(&self.account)?,
            last4: self.last4,
            name: self.name,
            created_at: Timestamp::from_micros(self.created_at),
            revoked_at: self.revoked_at.map(Timestamp::from_micros),
        })
    }
}

macro_rules! api_keys_store {
    ($Conn:ty, $Store:ty) => {
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
            let found: Option<api_keys::ApiKeyRow> = dsl::api_key
                .filter(dsl::secret_hash.eq(secret_hash.to_vec()))
                .select(api_keys::ApiKeyRow::as_select())
                .get_result(conn)
                .await
                .optional()?;
            found.map(api_keys::ApiKeyRow::decode).transpose()
        }

        async fn api_key_list(conn: &mut $Conn, account: AccountId) -> StoreResult<Vec<ApiKey>> {
            use schema::api_key::dsl;
            let found: Vec<api_keys::ApiKeyRow> = dsl::api_key
                .filter(dsl::account.eq(account.as_bytes().to_vec()))
                .order(dsl::id.desc())
                .limit(1_000)
                .select(api_keys::ApiKeyRow::as_select())
                .load(conn)
                .await?;
            found.into_iter().map(api_keys::ApiKeyRow::decode).collect()
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

        #[async_trait::async_trait]
        impl $crate::store::ApiKeys for $Store {
            async fn api_key_insert(&self, key: &NewApiKey) -> StoreResult<()> {
                held!(self, writer, caller, conn => api_key_insert(conn, key))
            }

            async fn api_key_get(&self, secret_hash: &[u8; 32]) -> StoreResult<Option<ApiKey>> {
                held!(self, reader, caller, conn => api_key_get(conn, secret_hash))
            }

            async fn api_key_list(&self, account: AccountId) -> StoreResult<Vec<ApiKey>> {
                held!(self, reader, caller, conn => api_key_list(conn, account))
            }

            async fn api_key_revoke(
                &self,
                account: AccountId,
                id: ApiKeyId,
                now: Timestamp,
            ) -> StoreResult<bool> {
                held!(self, writer, caller, conn => api_key_revoke(conn, account, id, now))
            }
        }
    };
}
pub(in crate::store) use api_keys_store;
