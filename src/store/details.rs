//! Details of payments, refunds and disputes: what is too big or too rare for a payment's history.

use async_trait::async_trait;

use super::StoreResult;
use super::columns::fixed;
use super::error::StoreError;
use super::multi_row::{Cell, INSERT_OR_ROLLBACK, Statement};
use crate::domain::ids::{DisputeId, PartId, RefundId};
use crate::domain::terms::Terms;

/// What is stored beside a payment or a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetailRecord {
    /// The id of the payment or refund.
    pub subject: [u8; 16],
    /// Which of its details: a version of the payment, or a hash of the contents.
    pub id: u64,
    /// The contents, in the form in which they were stored.
    pub body: Vec<u8>,
}

impl DetailRecord {
    /// The terms of an amendment; `None` for other details, or if they cannot be read.
    #[must_use]
    pub fn terms(&self) -> Option<Terms> {
        Terms::from_bytes(&self.body)
    }

    /// The version of the payment that it belongs to; `None` if it is named by its contents.
    #[must_use]
    pub fn version(&self) -> Option<u32> {
        u32::try_from(self.id).ok()
    }

    /// The name of an attempt's detail: a hash of its contents, so that a repeated request finds its own. Zero names nothing.
    #[must_use]
    pub fn name_of_attempt(body: &[u8]) -> u64 {
        name(&blake3::hash(body))
    }

    /// The name of a refund's detail: a hash of its contents and the refund, so that it means nothing under another refund.
    #[must_use]
    pub fn name_of_refund(refund: RefundId, body: &[u8]) -> u64 {
        Self::name_of_part(refund.into(), body)
    }

    /// The name of a dispute's detail, made like a refund's.
    #[must_use]
    pub fn name_of_dispute(dispute: DisputeId, body: &[u8]) -> u64 {
        Self::name_of_part(dispute.into(), body)
    }

    fn name_of_part(part: PartId, body: &[u8]) -> u64 {
        let mut hasher = blake3::Hasher::new();
        name(&hasher.update(part.as_bytes()).update(body).finalize())
    }
}

/// Set in every name that is a hash of contents, so that none is a version.
const BY_CONTENTS: u64 = 1 << 63;

fn name(hash: &blake3::Hash) -> u64 {
    hash.as_bytes().iter().take(8).fold(0, |id: u64, byte| (id << 8) | u64::from(*byte)) | BY_CONTENTS
}

/// Details of payments and refunds.
#[async_trait]
pub trait Details: Send + Sync + 'static {
    /// Stores a detail of an attempt or a refund. One that is already there stays.
    async fn detail_put(&self, subject: [u8; 16], id: u64, body: &[u8]) -> StoreResult<()>;

    /// The details under these subjects and names, in no particular order; unknown ones are left out.
    async fn detail_get(&self, keys: &[([u8; 16], u64)]) -> StoreResult<Vec<DetailRecord>>;
}

pub(super) static DETAIL_INSERT: Statement = Statement {
    sqlite_verb: INSERT_OR_ROLLBACK,
    head: "detail (subject,id,body) VALUES ",
    columns: 3,
    mysql_tail: "",
    sqlite_tail: "",
};

pub(super) fn push_detail(cells: &mut Vec<Cell>, detail: &DetailRecord) {
    cells.extend([
        Cell::key(&detail.subject),
        Cell::Big(detail.id.cast_signed()),
        Cell::Bytes(detail.body.clone()),
    ]);
}

/// A detail as stored: subject, id, body.
pub(super) type DetailRow = (Vec<u8>, i64, Vec<u8>);

pub(super) fn detail((subject, id, body): DetailRow) -> Result<DetailRecord, StoreError> {
    Ok(DetailRecord { subject: fixed(&subject, "detail.subject")?, id: id.cast_unsigned(), body })
}

macro_rules! details_store {
    ($Conn:ty, $Store:ty) => {
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

        #[async_trait::async_trait]
        impl $crate::store::Details for $Store {
            async fn detail_put(&self, subject: [u8; 16], id: u64, body: &[u8]) -> StoreResult<()> {
                held!(self, writer, caller, conn => detail_put(conn, subject, id, body))
            }

            async fn detail_get(
                &self,
                keys: &[([u8; 16], u64)],
            ) -> StoreResult<Vec<$crate::store::DetailRecord>> {
                held!(self, reader, caller, conn => detail_get(conn, keys))
            }
        }
    };
}
pub(in crate::store) use details_store;
