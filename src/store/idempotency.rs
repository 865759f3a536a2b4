//! Idempotency keys, and the answers kept for some of them.

use std::sync::Arc;

use async_trait::async_trait;
use diesel::prelude::*;

use super::columns::{account_id, fixed, subject, version_column};
use super::error::StoreError;
use super::multi_row::{Cell, INSERT_OR_ROLLBACK, Statement};
use super::{StoreResult, schema};
use crate::domain::ids::AccountId;
use crate::domain::subject::Subject;
use crate::domain::time::Timestamp;

/// A remembered idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdempotencyRecord {
    /// The client's key, reduced to 32 bytes.
    pub key: [u8; 32],
    /// The account that used it.
    pub owner: AccountId,
    /// Hash of the parameters it was used with.
    pub request: [u8; 16],
    /// What the request created or changed.
    pub subject: Subject,
    /// The subject's version right afterwards.
    pub version: u32,
    /// Names the answer that is stored for it (see [`AnswerWrite`]). A payment's has none: it is folded from the history.
    pub answer: Option<u64>,
    /// When the batch was decided that used it.
    pub at: Timestamp,
}

impl IdempotencyRecord {
    /// A short hash of everything but the time, which the journal's row has too. With it the journal vouches for the row.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.key).update(self.owner.as_bytes()).update(&self.request);
        hasher.update(&self.subject.to_key()).update(&self.version.to_le_bytes());
        hasher.update(&self.answer.unwrap_or(0).to_le_bytes());
        let mut short = [0_u8; 8];
        short.copy_from_slice(hasher.finalize().as_bytes().split_at(8).0);
        u64::from_le_bytes(short)
    }
}

/// The answer to a change of a resource, stored for its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerWrite {
    /// The client's key, reduced to 32 bytes.
    pub key: [u8; 32],
    /// The account that used the key.
    pub owner: AccountId,
    /// What was answered, byte for byte.
    pub body: Arc<[u8]>,
}

impl AnswerWrite {
    /// The name of an answer: a hash of its bytes, so that an altered row is noticed.
    #[must_use]
    pub fn name(body: &[u8]) -> u64 {
        blake3::hash(body).as_bytes().iter().take(8).fold(0, |name: u64, byte| (name << 8) | u64::from(*byte))
    }
}

/// The outcome of deleting a page of old idempotency keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pruned {
    /// The last key looked at, with its owner; `None` after the last one there is.
    pub next: Option<Vec<u8>>,
    /// How many rows were deleted.
    pub deleted: u64,
}

/// Idempotency keys and stored answers.
#[async_trait]
pub trait Idempotency: Send + Sync + 'static {
    /// The record of this owner's key, if it was used.
    async fn idempotency_get(
        &self,
        key: &[u8; 32],
        owner: AccountId,
    ) -> StoreResult<Option<IdempotencyRecord>>;

    /// Goes through at most `limit` idempotency keys after `after`, in order, and deletes those written before `before`.
    async fn idempotency_prune(&self, after: &[u8], before: Timestamp, limit: u32) -> StoreResult<Pruned>;

    /// The answer stored for this owner's key.
    async fn answer_get(&self, key: &[u8; 32], owner: AccountId) -> StoreResult<Option<Vec<u8>>>;
}

pub(super) static IDEMPOTENCY_INSERT: Statement = Statement {
    sqlite_verb: INSERT_OR_ROLLBACK,
    head: "idempotency (k,owner,request,subject,version,answer,at) VALUES ",
    columns: 7,
    mysql_tail: "",
    sqlite_tail: "",
};

pub(super) static ANSWER_INSERT: Statement = Statement {
    sqlite_verb: INSERT_OR_ROLLBACK,
    head: "answer (k,owner,body) VALUES ",
    columns: 3,
    mysql_tail: "",
    sqlite_tail: "",
};

pub(super) fn push_idempotency(cells: &mut Vec<Cell>, record: &IdempotencyRecord) {
    cells.extend([
        Cell::key(&record.key),
        Cell::key(record.owner.as_bytes()),
        Cell::key(&record.request),
        Cell::key(&record.subject.to_key()),
        Cell::Int(version_column(record.version)),
        Cell::MaybeBig(record.answer.map(u64::cast_signed)),
        Cell::Big(record.at.micros()),
    ]);
}

pub(super) fn push_answer(cells: &mut Vec<Cell>, answer: &AnswerWrite) {
    cells.extend([
        Cell::key(&answer.key),
        Cell::key(answer.owner.as_bytes()),
        Cell::Bytes(answer.body.to_vec()),
    ]);
}

pub(super) fn answer((key, owner, body): (Vec<u8>, Vec<u8>, Vec<u8>)) -> Result<AnswerWrite, StoreError> {
    Ok(AnswerWrite { key: fixed(&key, "answer.k")?, owner: account_id(&owner)?, body: body.into() })
}

#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::idempotency)]
pub(super) struct IdempotencyRow {
    k: Vec<u8>,
    owner: Vec<u8>,
    request: Vec<u8>,
    subject: Vec<u8>,
    version: i32,
    answer: Option<i64>,
    at: i64,
}

impl IdempotencyRow {
    pub(super) fn decode(&self) -> Result<IdempotencyRecord, StoreError> {
        Ok(IdempotencyRecord {
            key: fixed(&self.k, "idempotency.k")?,
            owner: account_id(&self.owner)?,
            request: fixed(&self.request, "idempotency.request")?,
            subject: subject(&self.subject, "idempotency.subject")?,
            version: u32::try_from(self.version).unwrap_or(0),
            answer: self.answer.map(i64::cast_unsigned),
            at: Timestamp::from_micros(self.at),
        })
    }
}

macro_rules! idempotency_store {
    ($Conn:ty, $Store:ty) => {
        async fn idempotency_get(
            conn: &mut $Conn,
            key: &[u8; 32],
            owner: AccountId,
        ) -> StoreResult<Option<IdempotencyRecord>> {
            use schema::idempotency::dsl;
            let found: Option<idempotency::IdempotencyRow> = dsl::idempotency
                .find((key.to_vec(), owner.as_bytes().to_vec()))
                .select(idempotency::IdempotencyRow::as_select())
                .get_result(conn)
                .await
                .optional()?;
            found.map(|row| row.decode()).transpose()
        }

        /// The length of a key in the table, without its owner.
        const KEY_BYTES: usize = 32;

        async fn idempotency_prune(
            conn: &mut $Conn,
            after: &[u8],
            before: Timestamp,
            limit: u32,
        ) -> StoreResult<Pruned> {
            use schema::idempotency::dsl;
            let (key, owner) = after.split_at_checked(KEY_BYTES).unwrap_or((after, &[]));
            let page: Vec<(Vec<u8>, Vec<u8>, i64)> = dsl::idempotency
                .filter(dsl::k.ge(key.to_vec()))
                .filter(dsl::k.gt(key.to_vec()).or(dsl::owner.gt(owner.to_vec())))
                .order((dsl::k.asc(), dsl::owner.asc()))
                .limit(i64::from(limit))
                .select((dsl::k, dsl::owner, dsl::at))
                .load(conn)
                .await?;
            let next = page.last().map(|(key, owner, _)| [key.as_slice(), owner.as_slice()].concat());
            let old: Vec<Vec<u8>> =
                page.into_iter().filter(|(_, _, at)| *at < before.micros()).map(|(key, _, _)| key).collect();
            let mut deleted = 0;
            if !old.is_empty() {
                answers_forget(conn, &old, before).await?;
                let gone = dsl::idempotency.filter(dsl::k.eq_any(old)).filter(dsl::at.lt(before.micros()));
                deleted = diesel::delete(gone).execute(conn).await?;
            }
            Ok(Pruned { next, deleted: deleted.try_into().unwrap_or(u64::MAX) })
        }

        /// Deletes the answers stored for those of these keys that are about to be deleted.
        async fn answers_forget(conn: &mut $Conn, keys: &[Vec<u8>], before: Timestamp) -> StoreResult<()> {
            use schema::{answer, idempotency};
            let old = idempotency::table
                .filter(idempotency::k.eq_any(keys.to_vec()))
                .filter(idempotency::at.lt(before.micros()))
                .filter(idempotency::answer.is_not_null())
                .select((idempotency::k, idempotency::owner));
            let old: Vec<(Vec<u8>, Vec<u8>)> = old.load(conn).await?;
            for (key, owner) in old {
                diesel::delete(answer::table.find((key, owner))).execute(conn).await?;
            }
            Ok(())
        }

        async fn answer_get(
            conn: &mut $Conn,
            key: &[u8; 32],
            owner: AccountId,
        ) -> StoreResult<Option<Vec<u8>>> {
            use schema::answer::dsl;
            let place = (key.to_vec(), owner.as_bytes().to_vec());
            Ok(dsl::answer.find(place).select(dsl::body).get_result(conn).await.optional()?)
        }

        #[async_trait::async_trait]
        impl $crate::store::Idempotency for $Store {
            async fn idempotency_get(
                &self,
                key: &[u8; 32],
                owner: AccountId,
            ) -> StoreResult<Option<IdempotencyRecord>> {
                held!(self, reader, caller, conn => idempotency_get(conn, key, owner))
            }

            async fn idempotency_prune(
                &self,
                after: &[u8],
                before: Timestamp,
                limit: u32,
            ) -> StoreResult<Pruned> {
                held!(self, writer, background, conn => idempotency_prune(conn, after, before, limit))
            }

            async fn answer_get(&self, key: &[u8; 32], owner: AccountId) -> StoreResult<Option<Vec<u8>>> {
                held!(self, reader, caller, conn => answer_get(conn, key, owner))
            }
        }
    };
}
pub(in crate::store) use idempotency_store;
