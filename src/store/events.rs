//! Events of accounts: what each account is notified of.

use async_trait::async_trait;
use diesel::prelude::*;

use super::columns::{account_id, damaged, version_column};
use super::error::StoreError;
use super::event_sources::{EventSource, SourcePlace};
use super::multi_row::{Cell, INSERT, Statement};
use super::{StoreResult, schema};
use crate::domain::announcement::{Announcement, AnnouncementId};
use crate::domain::announcement_kind::AnnouncementKind;
use crate::domain::ids::AccountId;
use crate::domain::subject as domain;
use crate::domain::time::Timestamp;

/// An announcement's place among its account's: when it happened, and its id.
pub type AnnouncementPlace = (Timestamp, AnnouncementId);

/// Which of an account's announcements to list.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Only those before this place.
    pub before: Option<AnnouncementPlace>,
    /// Only those after this place; the page is then the oldest of those, still newest first.
    pub after: Option<AnnouncementPlace>,
    /// Only the one with this id.
    pub of: Option<AnnouncementId>,
    /// Only these kinds; all if there is no list.
    pub kinds: Option<Vec<AnnouncementKind>>,
    /// Happened at or after.
    pub created_from: Option<Timestamp>,
    /// Happened before.
    pub created_to: Option<Timestamp>,
    /// At most so many.
    pub limit: u32,
}

/// Events of accounts, as the projection and its upkeep need them.
#[async_trait]
pub trait Events: Send + Sync + 'static {
    /// Writes announcements of accounts; what is there already stays.
    async fn event_put(&self, events: &[(AccountId, Announcement)]) -> StoreResult<()>;

    /// Accounts that have announcements, in the order of their ids.
    async fn event_owners(&self, after: Option<AccountId>, limit: u32) -> StoreResult<Vec<AccountId>>;

    /// Deletes an account's announcements from before `before` by their clock and before `wall_before` by the wall clock, and then
    /// their sources, so that no announcement that is left lacks its source. Returns the number of rows deleted.
    async fn event_delete(
        &self,
        owner: AccountId,
        before: Timestamp,
        wall_before: Timestamp,
    ) -> StoreResult<u64>;

    /// Deletes an account's announcements of payments, which can be derived from their histories again; returns how many.
    async fn event_clear(&self, owner: AccountId) -> StoreResult<u64>;

    /// When, by the wall clock, the announcement happened that has `kept` newer ones; `None` if there are not so many.
    async fn event_surplus(&self, owner: AccountId, kept: u32) -> StoreResult<Option<Timestamp>>;
}

/// Pages of events, and their sources.
#[async_trait]
pub trait EventLists: Send + Sync + 'static {
    /// An account's announcements, newest first.
    async fn event_list(&self, owner: AccountId, filter: &EventFilter) -> StoreResult<Vec<Announcement>>;

    /// The sources with these keys, in no particular order; unknown ones are left out.
    async fn source_get(&self, places: &[SourcePlace]) -> StoreResult<Vec<EventSource>>;
}

pub(super) static EVENT_UPSERT: Statement = Statement {
    sqlite_verb: INSERT,
    head: "account_event (owner,at,subject,version,n,kind,wall) VALUES ",
    columns: 7,
    mysql_tail: " ON DUPLICATE KEY UPDATE kind=VALUES(kind)",
    sqlite_tail: " ON CONFLICT(owner,at,subject,version,n) DO UPDATE SET kind=excluded.kind",
};

pub(super) fn event_cells((owner, event): &(AccountId, Announcement)) -> [Cell; 7] {
    [
        Cell::key(owner.as_bytes()),
        Cell::Big(event.at.micros()),
        Cell::key(&event.id.subject.to_key()),
        Cell::Int(version_column(event.id.version)),
        Cell::Small(i16::from(event.id.n)),
        Cell::Small(event.kind.to_code()),
        Cell::Big(event.wall.micros()),
    ]
}

#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::account_event)]
pub(super) struct EventRow {
    owner: Vec<u8>,
    at: i64,
    subject: Vec<u8>,
    version: i32,
    n: i16,
    kind: i16,
    wall: i64,
}

impl EventRow {
    pub(super) fn decode(&self) -> Result<(AccountId, Announcement), StoreError> {
        let id = AnnouncementId {
            subject: domain::Subject::from_key(&self.subject)
                .ok_or_else(|| damaged("account_event.subject"))?,
            version: u32::try_from(self.version).unwrap_or(0),
            n: u8::try_from(self.n).map_err(|_| damaged("account_event.n"))?,
        };
        let kind = AnnouncementKind::from_code(self.kind).ok_or_else(|| damaged("account_event.kind"))?;
        let (at, wall) = (Timestamp::from_micros(self.at), Timestamp::from_micros(self.wall));
        Ok((account_id(&self.owner)?, Announcement { at, id, kind, wall }))
    }
}

macro_rules! events_store {
    ($Conn:ty, $Store:ty) => {
        async fn event_put(conn: &mut $Conn, events: &[(AccountId, Announcement)]) -> StoreResult<()> {
            let cells: Vec<Cell> = events.iter().flat_map(events::event_cells).collect();
            execute_rows(conn, &events::EVENT_UPSERT, &cells).await
        }

        async fn event_list(
            conn: &mut $Conn,
            owner: AccountId,
            filter: &EventFilter,
        ) -> StoreResult<Vec<Announcement>> {
            use schema::account_event::dsl;
            let backwards = filter.after.is_some();
            let mut query = dsl::account_event.filter(dsl::owner.eq(owner.as_bytes().to_vec())).into_boxed();
            if let Some((at, id)) = filter.before {
                let (at, subject) = (at.micros(), id.subject.to_key().to_vec());
                let (version, n) = (columns::version_column(id.version), i16::from(id.n));
                let within = dsl::version.lt(version).or(dsl::version.eq(version).and(dsl::n.lt(n)));
                let within = dsl::subject.lt(subject.clone()).or(dsl::subject.eq(subject).and(within));
                query = query.filter(dsl::at.le(at)).filter(dsl::at.lt(at).or(within));
            }
            if let Some((at, id)) = filter.after {
                let (at, subject) = (at.micros(), id.subject.to_key().to_vec());
                let (version, n) = (columns::version_column(id.version), i16::from(id.n));
                let within = dsl::version.gt(version).or(dsl::version.eq(version).and(dsl::n.gt(n)));
                let within = dsl::subject.gt(subject.clone()).or(dsl::subject.eq(subject).and(within));
                query = query.filter(dsl::at.ge(at)).filter(dsl::at.gt(at).or(within));
            }
            if let Some(kinds) = &filter.kinds {
                let codes: Vec<i16> = kinds.iter().map(|kind| kind.to_code()).collect();
                query = query.filter(dsl::kind.eq_any(codes));
            }
            if let Some(id) = filter.of {
                let subject = id.subject.to_key().to_vec();
                let (version, n) = (columns::version_column(id.version), i16::from(id.n));
                query =
                    query.filter(dsl::subject.eq(subject).and(dsl::version.eq(version)).and(dsl::n.eq(n)));
            }
            if let Some(from) = filter.created_from {
                query = query.filter(dsl::at.ge(from.micros()));
            }
            if let Some(to) = filter.created_to {
                query = query.filter(dsl::at.lt(to.micros()));
            }
            let query = match backwards {
                true => query.order((dsl::at.asc(), dsl::subject.asc(), dsl::version.asc(), dsl::n.asc())),
                false => {
                    query.order((dsl::at.desc(), dsl::subject.desc(), dsl::version.desc(), dsl::n.desc()))
                }
            };
            let found: Vec<events::EventRow> =
                query.limit(i64::from(filter.limit)).select(events::EventRow::as_select()).load(conn).await?;
            let events = found.iter().map(|row| Ok(row.decode()?.1));
            let mut events = events.collect::<StoreResult<Vec<_>>>()?;
            if backwards {
                events.reverse();
            }
            Ok(events)
        }

        async fn event_owners(
            conn: &mut $Conn,
            after: Option<AccountId>,
            limit: u32,
        ) -> StoreResult<Vec<AccountId>> {
            use schema::account_event::dsl;
            let mut owners = Vec::new();
            let mut after = after.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
            while owners.len() < usize::try_from(limit).unwrap_or(usize::MAX) {
                // One step of the index for each account, however many announcements it has.
                let next: Option<Vec<u8>> = dsl::account_event
                    .filter(dsl::owner.gt(after))
                    .order(dsl::owner.asc())
                    .select(dsl::owner)
                    .first(conn)
                    .await
                    .optional()?;
                let Some(next) = next else { break };
                owners.push(columns::account_id(&next)?);
                after = next;
            }
            Ok(owners)
        }

        async fn event_delete(
            conn: &mut $Conn,
            owner: AccountId,
            before: Timestamp,
            wall_before: Timestamp,
        ) -> StoreResult<u64> {
            use schema::{account_event, event_source};
            let (before, wall_before) = (before.micros(), wall_before.micros());
            let old = account_event::table
                .filter(account_event::owner.eq(owner.as_bytes().to_vec()))
                .filter(account_event::at.lt(before))
                .filter(account_event::wall.lt(wall_before));
            let deleted = diesel::delete(old).execute(conn).await?;
            let beside = event_source::table
                .filter(event_source::owner.eq(owner.as_bytes().to_vec()))
                .filter(event_source::at.lt(before))
                .filter(event_source::wall.lt(wall_before));
            let deleted = deleted + diesel::delete(beside).execute(conn).await?;
            Ok(deleted.try_into().unwrap_or(u64::MAX))
        }

        async fn event_clear(conn: &mut $Conn, owner: AccountId) -> StoreResult<u64> {
            use schema::account_event::dsl;
            let others = vec![SubjectKind::Payment.code().saturating_add(1)];
            let derived = dsl::account_event
                .filter(dsl::owner.eq(owner.as_bytes().to_vec()))
                .filter(dsl::subject.lt(others));
            let deleted = diesel::delete(derived).execute(conn).await?;
            Ok(deleted.try_into().unwrap_or(u64::MAX))
        }

        async fn event_surplus(
            conn: &mut $Conn,
            owner: AccountId,
            kept: u32,
        ) -> StoreResult<Option<Timestamp>> {
            use schema::account_event::dsl;
            let found: Option<i64> = dsl::account_event
                .filter(dsl::owner.eq(owner.as_bytes().to_vec()))
                .order(dsl::wall.desc())
                .offset(i64::from(kept))
                .select(dsl::wall)
                .first(conn)
                .await
                .optional()?;
            Ok(found.map(Timestamp::from_micros))
        }

        #[async_trait::async_trait]
        impl $crate::store::Events for $Store {
            async fn event_put(&self, events: &[(AccountId, Announcement)]) -> StoreResult<()> {
                held!(self, writer, background, conn => event_put(conn, events))
            }

            async fn event_owners(
                &self,
                after: Option<AccountId>,
                limit: u32,
            ) -> StoreResult<Vec<AccountId>> {
                held!(self, reader, background, conn => event_owners(conn, after, limit))
            }

            async fn event_delete(
                &self,
                owner: AccountId,
                before: Timestamp,
                wall_before: Timestamp,
            ) -> StoreResult<u64> {
                held!(self, writer, background, conn => event_delete(conn, owner, before, wall_before))
            }

            async fn event_clear(&self, owner: AccountId) -> StoreResult<u64> {
                held!(self, writer, background, conn => event_clear(conn, owner))
            }

            async fn event_surplus(&self, owner: AccountId, kept: u32) -> StoreResult<Option<Timestamp>> {
                held!(self, reader, background, conn => event_surplus(conn, owner, kept))
            }
        }

        #[async_trait::async_trait]
        impl $crate::store::EventLists for $Store {
            async fn event_list(
                &self,
                owner: AccountId,
                filter: &EventFilter,
            ) -> StoreResult<Vec<Announcement>> {
                held!(self, reader, caller, conn => event_list(conn, owner, filter))
            }

            async fn source_get(&self, places: &[SourcePlace]) -> StoreResult<Vec<EventSource>> {
                held!(self, reader, caller, conn => source_get(conn, places))
            }
        }
    };
}
pub(in crate::store) use events_store;
