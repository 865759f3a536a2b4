//! Parts of payments that have ids of their own: a row says which payment's history has the part, so that it is found by its id and
//! listed in order.

use async_trait::async_trait;
use diesel::prelude::*;

use super::columns::{account_id, damaged};
use super::error::StoreError;
use super::multi_row::{Cell, INSERT_OR_ROLLBACK, Statement};
use super::{StoreResult, schema};
use crate::domain::ids::{AccountId, PartId, PaymentId};
use crate::domain::time::Timestamp;

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PartKind {
    /// The charge of a later attempt; that of the first has its payment's id and no row.
    Charge,
    /// A refund.
    Refund,
    /// A dispute.
    Dispute,
    /// A reversal of a transfer.
    Reversal,
    /// An early fraud warning.
    FraudWarning,
}

impl PartKind {
    /// The number stored in the database. Never renumbered.
    #[must_use]
    pub const fn to_code(self) -> i16 {
        match self {
            Self::Charge => 1,
            Self::Refund => 2,
            Self::Dispute => 3,
            Self::Reversal => 4,
            Self::FraudWarning => 5,
        }
    }

    /// The kind stored under this number.
    #[must_use]
    pub fn from_code(code: i16) -> Option<Self> {
        [Self::Charge, Self::Refund, Self::Dispute, Self::Reversal, Self::FraudWarning]
            .into_iter()
            .find(|kind| kind.to_code() == code)
    }

    /// The prefix under which the dialect shows its ids.
    #[must_use]
    pub const fn id_prefix(self) -> &'static str {
        match self {
            Self::Charge => "ch_",
            Self::Refund => "re_",
            Self::Dispute => "du_",
            Self::Reversal => "trr_",
            Self::FraudWarning => "issfr_",
        }
    }
}

/// The row of a part: where to find the rest of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartRecord {
    /// Unique among parts of all kinds.
    pub id: PartId,
    /// The owner of the payment.
    pub owner: AccountId,
    /// When it was admitted.
    pub created: Timestamp,
    /// The payment whose history has it.
    pub payment: PaymentId,
    /// What it is.
    pub kind: PartKind,
}

/// Which of an owner's parts of one kind to list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PartFilter {
    /// Only parts older than this one.
    pub before: Option<PartId>,
    /// Only parts newer than this one; the page is then the oldest of those, still newest first.
    pub after: Option<PartId>,
    /// Created at or after.
    pub created_from: Option<Timestamp>,
    /// Created before.
    pub created_to: Option<Timestamp>,
    /// At most so many.
    pub limit: u32,
}

impl PartFilter {
    /// How far the time in an id may be from the time at which its part was admitted, in milliseconds: an id is made earlier.
    /// Bounds on ids are wider than bounds on time by so much.
    pub const ID_TOLERANCE_MS: u64 = 120_000;

    /// Whether a part is within all bounds but the limit.
    #[must_use]
    pub fn takes(&self, id: PartId, created: Timestamp) -> bool {
        self.before.is_none_or(|before| id < before)
            && self.after.is_none_or(|after| id > after)
            && self.is_in_time(created)
    }

    /// Whether there are bounds of time.
    #[must_use]
    pub const fn is_in_times(&self) -> bool {
        self.created_from.is_some() || self.created_to.is_some()
    }

    /// Whether something created then is within the bounds of time.
    #[must_use]
    pub fn is_in_time(&self, created: Timestamp) -> bool {
        self.created_from.is_none_or(|from| created >= from) && self.created_to.is_none_or(|to| created < to)
    }
}

/// Parts of payments by id and in lists.
#[async_trait]
pub trait Parts: Send + Sync + 'static {
    /// The row of a part, whatever its kind.
    async fn part_get(&self, id: PartId) -> StoreResult<Option<PartRecord>>;

    /// An owner's parts of one kind, newest first.
    async fn part_list(
        &self,
        owner: AccountId,
        kind: PartKind,
        filter: &PartFilter,
    ) -> StoreResult<Vec<PartRecord>>;
}

pub(super) static PART_INSERT: Statement = Statement {
    sqlite_verb: INSERT_OR_ROLLBACK,
    head: "part (id,owner,created,payment,kind) VALUES ",
    columns: 5,
    mysql_tail: "",
    sqlite_tail: "",
};

pub(super) fn push_part(cells: &mut Vec<Cell>, part: &PartRecord) {
    cells.extend([
        Cell::key(part.id.as_bytes()),
        Cell::key(part.owner.as_bytes()),
        Cell::Big(part.created.micros()),
        Cell::key(part.payment.as_bytes()),
        Cell::Small(part.kind.to_code()),
    ]);
}

#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::part)]
pub(super) struct PartRow {
    id: Vec<u8>,
    owner: Vec<u8>,
    created: i64,
    payment: Vec<u8>,
    kind: i16,
}

impl PartRow {
    pub(super) fn decode(&self) -> Result<PartRecord, StoreError> {
        Ok(PartRecord {
            id: PartId::from_slice(&self.id).ok_or_else(|| damaged("part.id"))?,
            owner: account_id(&self.owner)?,
            created: Timestamp::from_micros(self.created),
            payment: PaymentId::from_slice(&self.payment).ok_or_else(|| damaged("part.payment"))?,
            kind: PartKind::from_code(self.kind).ok_or_else(|| damaged("part.kind"))?,
        })
    }
}

macro_rules! parts_store {
    ($Conn:ty, $Store:ty) => {
        async fn part_get(conn: &mut $Conn, id: PartId) -> StoreResult<Option<PartRecord>> {
            use schema::part::dsl;
            let found: Option<parts::PartRow> = dsl::part
                .find(id.as_bytes().to_vec())
                .select(parts::PartRow::as_select())
                .get_result(conn)
                .await
                .optional()?;
            found.map(|row| row.decode()).transpose()
        }

        async fn part_list(
            conn: &mut $Conn,
            owner: AccountId,
            kind: PartKind,
            filter: &PartFilter,
        ) -> StoreResult<Vec<PartRecord>> {
            let mut found = part_rows(conn, owner, kind, filter, false).await?;
            if filter.is_in_times() && has_test_clocks(conn, owner).await? {
                found.extend(part_rows(conn, owner, kind, filter, true).await?);
            }
            in_page(&mut found, filter.limit, filter.after.is_some(), |part| part.id);
            Ok(found)
        }

        /// Parts of an owner, the first of them in the filter's direction. Ids are nearly in wall-clock order, so bounds on them
        /// spare reading most of what is not asked for. Times on test clocks say nothing about ids: then all parts are searched, up
        /// to a limit.
        async fn part_rows(
            conn: &mut $Conn,
            owner: AccountId,
            kind: PartKind,
            filter: &PartFilter,
            by_test_clocks: bool,
        ) -> StoreResult<Vec<PartRecord>> {
            use schema::part::dsl;
            let looked_at = payment_filter::LOOKED_AT_MAX;
            let limit = if by_test_clocks { looked_at } else { i64::from(filter.limit) };
            let (mut found, mut past): (Vec<PartRecord>, Option<Vec<u8>>) = (Vec::new(), None);
            for _ in 0..FILLED_UP_MAX {
                let mut query = dsl::part
                    .filter(dsl::owner.eq(owner.as_bytes().to_vec()))
                    .filter(dsl::kind.eq(kind.to_code()))
                    .into_boxed();
                if let Some(before) = filter.before {
                    query = query.filter(dsl::id.lt(before.as_bytes().to_vec()));
                }
                if let Some(after) = filter.after {
                    query = query.filter(dsl::id.gt(after.as_bytes().to_vec()));
                }
                if let Some(from) = filter.created_from.filter(|_| !by_test_clocks) {
                    let least = floor(from.minus_ms(PartFilter::ID_TOLERANCE_MS));
                    query = query.filter(dsl::id.ge(least.to_vec())).filter(dsl::created.ge(from.micros()));
                }
                if let Some(to) = filter.created_to.filter(|_| !by_test_clocks) {
                    let least = floor(to.plus_ms(PartFilter::ID_TOLERANCE_MS));
                    query = query.filter(dsl::id.lt(least.to_vec())).filter(dsl::created.lt(to.micros()));
                }
                query = match (past, filter.after) {
                    (Some(past), Some(_)) => query.filter(dsl::id.gt(past)),
                    (Some(past), None) => query.filter(dsl::id.lt(past)),
                    (None, _) => query,
                };
                query = match filter.after {
                    Some(_) => query.order(dsl::id.asc()),
                    None => query.order(dsl::id.desc()),
                };
                let page: Vec<parts::PartRow> =
                    query.limit(limit).select(parts::PartRow::as_select()).load(conn).await?;
                let read = page.iter().map(parts::PartRow::decode).collect::<StoreResult<Vec<_>>>()?;
                past = read.last().map(|part| part.id.as_bytes().to_vec());
                found.extend(read.into_iter().filter(|part| filter.is_in_time(part.created)));
                if is_last(&page, limit) || still_wanted(filter.limit, found.len()) == 0 {
                    break;
                }
            }
            Ok(found)
        }

        #[async_trait::async_trait]
        impl $crate::store::Parts for $Store {
            async fn part_get(&self, id: PartId) -> StoreResult<Option<PartRecord>> {
                held!(self, reader, caller, conn => part_get(conn, id))
            }

            async fn part_list(
                &self,
                owner: AccountId,
                kind: PartKind,
                filter: &PartFilter,
            ) -> StoreResult<Vec<PartRecord>> {
                held!(self, reader, caller, conn => part_list(conn, owner, kind, filter))
            }
        }
    };
}
pub(in crate::store) use parts_store;
