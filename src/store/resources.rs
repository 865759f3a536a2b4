//! Plain resources: customers, clocks and others that are kept as they are, without a history.

use async_trait::async_trait;
use diesel::prelude::*;

use super::aside;
use super::columns::{account_id, damaged, decode, encode, signed, subject, unsigned, version_column};
use super::error::StoreError;
use super::found::Found;
use super::multi_row::{Cell, INSERT, Statement};
use super::snapshot::AuditResource;
use super::{StoreResult, schema};
use crate::domain::ids::{AccountId, ClockId};
use crate::domain::resource::{Body, Resource};
use crate::domain::subject::{Subject, SubjectKind};
use crate::domain::time::Timestamp;

/// Which of an owner's resources to list. Deleted ones are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResourceFilter {
    /// Only this kind.
    pub kind: SubjectKind,
    /// Only what follows this clock; resources on other clocks are hidden from plain lists.
    pub clock: ClockId,
    /// Only what is older than this one.
    pub before: Option<Subject>,
    /// Only what is newer than this one; the page is then the oldest of those, still newest first.
    pub after: Option<Subject>,
    /// Created at or after, by its clock.
    pub created_from: Option<Timestamp>,
    /// Created before.
    pub created_to: Option<Timestamp>,
    /// At most so many.
    pub limit: u32,
}

/// How far the time in an id may be from the time at which its resource was created, in milliseconds.
const IDS_APART_MS: i64 = 120_000;

impl ResourceFilter {
    /// The keys between which everything lies that was created in these times. Ids hold wall-clock time, so only resources on the
    /// wall clock can be bounded.
    pub(super) fn id_bounds(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        if self.clock != ClockId::WALL || (self.created_from.is_none() && self.created_to.is_none()) {
            return None;
        }
        let key = |ms: i64| {
            let bits = u128::from(u64::try_from(ms).unwrap_or(0)) << 80;
            Subject::new(self.kind, bits.to_be_bytes()).to_key().to_vec()
        };
        let from = self.created_from.map_or(0, |from| from.millis().saturating_sub(IDS_APART_MS));
        let to = self.created_to.map_or_else(
            || vec![self.kind.code().saturating_add(1)],
            |to| key(to.millis().saturating_add(IDS_APART_MS)),
        );
        Some((key(from), to))
    }
}

/// Plain resources by id.
#[async_trait]
pub trait Resources: Send + Sync + 'static {
    /// A resource, deleted or not.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] also if it exists and cannot be read.
    async fn resource_get(&self, subject: Subject) -> StoreResult<Option<Resource>>;
}

/// Pages of plain resources.
#[async_trait]
pub trait ResourceLists: Send + Sync + 'static {
    /// A page of an owner's resources of one kind by id, newest first unless the filter says otherwise. Those that cannot be
    /// read are left out and noted.
    async fn resource_list(&self, owner: AccountId, filter: &ResourceFilter) -> StoreResult<Vec<Resource>>;
}

pub(super) static RESOURCE_UPSERT: Statement = Statement {
    sqlite_verb: INSERT,
    head: "resource (subject,owner,clock,created_at,version,deleted,seq,body) VALUES ",
    columns: 8,
    mysql_tail: " ON DUPLICATE KEY UPDATE version=VALUES(version),deleted=VALUES(deleted),seq=VALUES(seq),body=VALUES(body)",
    sqlite_tail: " ON CONFLICT(subject) DO UPDATE SET version=excluded.version,deleted=excluded.deleted,seq=excluded.seq,body=excluded.body",
};

pub(super) fn push_resource(cells: &mut Vec<Cell>, resource: &Resource, seq: u64) -> Result<(), StoreError> {
    cells.extend([
        Cell::key(&resource.subject.to_key()),
        Cell::key(resource.owner.as_bytes()),
        Cell::key(resource.clock.as_bytes()),
        Cell::Big(resource.created.micros()),
        Cell::Int(version_column(resource.version)),
        Cell::Small(i16::from(resource.body.is_none())),
        Cell::Big(signed(seq)),
        Cell::Bytes(resource.body.as_ref().map_or_else(|| Ok(Vec::new()), encode)?),
    ]);
    Ok(())
}

#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::resource)]
pub(super) struct ResourceRow {
    subject: Vec<u8>,
    owner: Vec<u8>,
    clock: Vec<u8>,
    created_at: i64,
    version: i32,
    deleted: i16,
    seq: i64,
    body: Vec<u8>,
}

impl ResourceRow {
    /// The subject that its key names.
    pub(super) fn key(&self) -> Option<Subject> {
        Subject::from_key(&self.subject)
    }

    pub(super) fn decode(&self) -> Result<Resource, StoreError> {
        let subject = subject(&self.subject, "resource.subject")?;
        let body: Option<Body> = match (self.deleted, self.body.as_slice()) {
            (0, body) => Some(decode(body, "resource.body")?),
            (1, []) => None,
            (_, _) => return Err(damaged("resource.deleted")),
        };
        if body.as_ref().is_some_and(|body| body.kind() != subject.kind()) {
            return Err(StoreError::Damaged(format!("resource {subject} is of another kind")));
        }
        Ok(Resource {
            subject,
            owner: account_id(&self.owner)?,
            version: u32::try_from(self.version).unwrap_or(0),
            clock: ClockId::from_slice(&self.clock).ok_or_else(|| damaged("resource.clock"))?,
            created: Timestamp::from_micros(self.created_at),
            body,
        })
    }

    pub(super) fn audited(&self) -> Result<AuditResource, StoreError> {
        Ok(AuditResource { resource: self.decode()?, seq: unsigned(self.seq), awake: false })
    }
}

impl Found<Resource> {
    /// Adds this row's resource, or notes that it cannot be read.
    pub(super) fn push_resource(&mut self, row: &ResourceRow) {
        match row.decode() {
            Ok(resource) => self.rows.push(resource),
            Err(error) => self.damage(aside::Subject::row("resource", &row.subject), error.to_string()),
        }
    }
}

macro_rules! resources_store {
    ($Conn:ty, $Store:ty) => {
        async fn resource_list(
            conn: &mut $Conn,
            owner: AccountId,
            filter: &ResourceFilter,
        ) -> StoreResult<found::Found<Resource>> {
            use schema::resource::dsl;
            let (first, last) = (vec![filter.kind.code()], vec![filter.kind.code().saturating_add(1)]);
            let mut query = dsl::resource
                .filter(dsl::owner.eq(owner.as_bytes().to_vec()))
                .filter(dsl::clock.eq(filter.clock.as_bytes().to_vec()))
                .filter(dsl::deleted.eq(0))
                .filter(dsl::subject.gt(filter.after.map_or(first, |after| after.to_key().to_vec())))
                .filter(dsl::subject.lt(filter.before.map_or(last, |before| before.to_key().to_vec())))
                .into_boxed();
            if let Some(from) = filter.created_from {
                query = query.filter(dsl::created_at.ge(from.micros()));
            }
            if let Some(to) = filter.created_to {
                query = query.filter(dsl::created_at.lt(to.micros()));
            }
            if let Some((from, to)) = filter.id_bounds() {
                query = query.filter(dsl::subject.ge(from)).filter(dsl::subject.lt(to));
            }
            query = match filter.after {
                Some(_) => query.order(dsl::subject.asc()),
                None => query.order(dsl::subject.desc()),
            };
            let found: Vec<resources::ResourceRow> = query
                .limit(i64::from(filter.limit))
                .select(resources::ResourceRow::as_select())
                .load(conn)
                .await?;
            let mut resources = found::Found::default();
            found.iter().for_each(|row| resources.push_resource(row));
            if filter.after.is_some() {
                resources.rows.reverse();
            }
            Ok(resources)
        }

        #[async_trait::async_trait]
        impl $crate::store::Resources for $Store {
            async fn resource_get(
                &self,
                subject: $crate::domain::subject::Subject,
            ) -> StoreResult<Option<$crate::domain::resource::Resource>> {
                let found = held!(self, reader, caller, conn => resource_rows(conn, &[subject]))?;
                found.into_iter().next().map(|row| row.decode()).transpose()
            }
        }

        #[async_trait::async_trait]
        impl $crate::store::ResourceLists for $Store {
            async fn resource_list(
                &self,
                owner: AccountId,
                filter: &$crate::store::ResourceFilter,
            ) -> StoreResult<Vec<$crate::domain::resource::Resource>> {
                held!(self, reader, caller, conn => resource_list(conn, owner, filter)).map(|found| found.sort_out(&self.aside))
            }
        }
    };
}
pub(in crate::store) use resources_store;
