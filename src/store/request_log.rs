//! The log of API requests, which their owners look through.

use async_trait::async_trait;
use diesel::prelude::*;

use super::columns::{account_id, damaged, signed, unsigned};
use super::error::StoreError;
use super::multi_row::{Cell, INSERT, Statement};
use super::{StoreResult, schema};
use crate::domain::ids::{AccountId, ApiKeyId, RequestId};
use crate::domain::time::Timestamp;

/// A call of the API as it is kept: masked, and bounded. Also stands for calls that were not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRecord {
    /// Its id, as sent back in `Request-Id`.
    pub id: RequestId,
    /// The account whose key made it.
    pub account: AccountId,
    /// The key; none for a demo key.
    pub key: Option<ApiKeyId>,
    /// When it arrived; for calls that were not kept, when the first of them did.
    pub at: Timestamp,
    /// The HTTP method.
    pub method: String,
    /// The path, at most 255 characters.
    pub path: String,
    /// The HTTP status.
    pub status: u16,
    /// How long it took; for calls that were not kept, from the first to the last of them. Microseconds.
    pub latency_us: u64,
    /// How many calls that were not kept it stands for; zero for a call that was kept.
    pub missed: u64,
    /// The parameters, masked, or why they were not kept. Not read by lists.
    pub request: Option<String>,
    /// The answer's body, masked, or why it was not kept. Not read by lists.
    pub response: Option<String>,
}

/// Which of an account's calls to list.
#[derive(Debug, Clone, Default)]
pub struct RequestFilter {
    /// Only this method.
    pub method: Option<String>,
    /// Only statuses of this class: 2, 4, 5.
    pub status_class: Option<u16>,
    /// Only calls with this key.
    pub key: Option<ApiKeyId>,
    /// Only paths that contain this.
    pub path: Option<String>,
    /// Only calls older than this one.
    pub before: Option<RequestId>,
    /// At most so many.
    pub limit: u32,
}

/// Adds, lists and deletes logged API calls.
#[async_trait]
pub trait RequestLog: Send + Sync + 'static {
    /// Adds calls, whose bodies must be masked already.
    async fn request_insert(&self, requests: &[RequestRecord]) -> StoreResult<()>;

    /// A page of an account's calls, newest first, without their bodies.
    async fn request_list(
        &self,
        account: AccountId,
        filter: &RequestFilter,
    ) -> StoreResult<Vec<RequestRecord>>;

    /// One call of this account, with its bodies.
    async fn request_get(&self, account: AccountId, id: RequestId) -> StoreResult<Option<RequestRecord>>;

    /// Deletes all but the newest `keep` calls of an account; returns how many.
    async fn request_prune(&self, account: AccountId, keep: u32) -> StoreResult<u64>;

    /// Deletes calls of all accounts made before `before`, at most `limit` of them; returns how many.
    async fn request_expire(&self, before: Timestamp, limit: u32) -> StoreResult<u64>;
}

pub(super) static REQUEST_INSERT: Statement = Statement {
    sqlite_verb: INSERT,
    head: "request_log (id,account,api_key,at,method,path,status,latency_us,missed,request,response) VALUES ",
    columns: 11,
    mysql_tail: "",
    sqlite_tail: "",
};

/// A call of the API, without its bodies: what a list shows.
#[derive(Queryable, Selectable)]
#[diesel(table_name = schema::request_log)]
pub(super) struct RequestRow {
    id: Vec<u8>,
    account: Vec<u8>,
    api_key: Option<Vec<u8>>,
    at: i64,
    method: String,
    path: String,
    status: i16,
    latency_us: i64,
    missed: i64,
}

impl RequestRow {
    pub(super) fn decode(
        self,
        request: Option<String>,
        response: Option<String>,
    ) -> Result<RequestRecord, StoreError> {
        Ok(RequestRecord {
            id: RequestId::from_slice(&self.id).ok_or_else(|| damaged("request_log.id"))?,
            account: account_id(&self.account)?,
            key: self.api_key.as_deref().and_then(ApiKeyId::from_slice),
            at: Timestamp::from_micros(self.at),
            method: self.method,
            path: self.path,
            status: u16::try_from(self.status).unwrap_or(0),
            latency_us: unsigned(self.latency_us),
            missed: unsigned(self.missed),
            request,
            response,
        })
    }
}

pub(super) fn request_cells(record: &RequestRecord) -> [Cell; 11] {
    [
        Cell::key(record.id.as_bytes()),
        Cell::key(record.account.as_bytes()),
        Cell::MaybeBytes(record.key.map(|key| key.as_bytes().to_vec())),
        Cell::Big(record.at.micros()),
        Cell::Text(record.method.clone()),
        Cell::Text(record.path.clone()),
        Cell::Small(i16::try_from(record.status).unwrap_or(0)),
        Cell::Big(signed(record.latency_us)),
        Cell::Big(signed(record.missed)),
        Cell::MaybeText(record.request.clone()),
        Cell::MaybeText(record.response.clone()),
    ]
}

macro_rules! request_log_store {
    ($Conn:ty, $Store:ty) => {
        async fn request_insert(conn: &mut $Conn, requests: &[RequestRecord]) -> StoreResult<()> {
            let cells: Vec<Cell> = requests.iter().flat_map(request_log::request_cells).collect();
            execute_rows(conn, &request_log::REQUEST_INSERT, &cells).await
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
            let found: Vec<request_log::RequestRow> = query
                .order(dsl::id.desc())
                .limit(i64::from(filter.limit))
                .select(request_log::RequestRow::as_select())
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
            let found: Option<(request_log::RequestRow, Option<String>, Option<String>)> = dsl::request_log
                .filter(dsl::id.eq(id.as_bytes().to_vec()))
                .filter(dsl::account.eq(account.as_bytes().to_vec()))
                .select((request_log::RequestRow::as_select(), dsl::request, dsl::response))
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

        #[async_trait::async_trait]
        impl $crate::store::RequestLog for $Store {
            async fn request_insert(&self, requests: &[RequestRecord]) -> StoreResult<()> {
                held!(self, writer, background, conn => request_insert(conn, requests))
            }

            async fn request_list(
                &self,
                account: AccountId,
                filter: &RequestFilter,
            ) -> StoreResult<Vec<RequestRecord>> {
                held!(self, reader, caller, conn => request_list(conn, account, filter))
            }

            async fn request_get(
                &self,
                account: AccountId,
                id: RequestId,
            ) -> StoreResult<Option<RequestRecord>> {
                held!(self, reader, caller, conn => request_get(conn, account, id))
            }

            async fn request_prune(&self, account: AccountId, keep: u32) -> StoreResult<u64> {
                held!(self, writer, background, conn => request_prune(conn, account, keep))
            }

            async fn request_expire(&self, before: Timestamp, limit: u32) -> StoreResult<u64> {
                held!(self, writer, background, conn => request_expire(conn, before, limit))
            }
        }
    };
}
pub(in crate::store) use request_log_store;
