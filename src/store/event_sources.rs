//! Sources of events: which request caused an event, and the states of a plain resource before and after, since it has no history.
//! Stored beside the events, and written once, by the sequencer.

use diesel::prelude::*;

use super::columns::{account_id, damaged, version_column};
use super::error::StoreError;
use super::multi_row::{Cell, INSERT_OR_ROLLBACK, Statement};
use super::schema;
use crate::domain::ids::{AccountId, RequestId};
use crate::domain::origin::Origin;
use crate::domain::resource::States;
use crate::domain::subject as domain;
use crate::domain::subject::Subject;
use crate::domain::time::Timestamp;

/// The key of a source: its owner, when it happened by its clock, the subject, and the first version that came of it.
pub type SourcePlace = (AccountId, Timestamp, Subject, u32);

/// What caused some events of one subject. Kept as long as events of that time are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSource {
    /// The account that the events are for.
    pub owner: AccountId,
    /// When it happened, by the subject's clock.
    pub at: Timestamp,
    /// What it happened to.
    pub subject: Subject,
    /// The first version that came of it.
    pub version: u32,
    /// When it happened, by the wall clock.
    pub wall: Timestamp,
    /// The request that asked for it; none if it happened by itself or came from elsewhere.
    pub origin: Option<Origin>,
    /// The states before and after, for a plain resource.
    pub states: Option<States>,
}

impl EventSource {
    /// The key under which it is stored.
    #[must_use]
    pub const fn place(&self) -> SourcePlace {
        (self.owner, self.at, self.subject, self.version)
    }
}

pub(super) static SOURCE_INSERT: Statement = Statement {
    sqlite_verb: INSERT_OR_ROLLBACK,
    head: "event_source (owner,at,subject,version,wall,request,idempotency_key,states) VALUES ",
    columns: 8,
    mysql_tail: "",
    sqlite_tail: "",
};

pub(super) fn push_source(cells: &mut Vec<Cell>, source: &EventSource) {
    let origin = source.origin.as_ref();
    let key = origin.and_then(|origin| origin.key.as_ref());
    cells.extend([
        Cell::key(source.owner.as_bytes()),
        Cell::Big(source.at.micros()),
        Cell::key(&source.subject.to_key()),
        Cell::Int(version_column(source.version)),
        Cell::Big(source.wall.micros()),
        Cell::MaybeBytes(origin.map(|origin| origin.request.as_bytes().to_vec())),
        Cell::MaybeText(key.map(ToString::to_string)),
        Cell::MaybeBytes(source.states.as_ref().map(States::to_bytes)),
    ]);
}

#[derive(Queryable, Selectable, Debug)]
#[diesel(table_name = schema::event_source)]
pub(super) struct SourceRow {
    owner: Vec<u8>,
    at: i64,
    subject: Vec<u8>,
    version: i32,
    wall: i64,
    request: Option<Vec<u8>>,
    idempotency_key: Option<String>,
    states: Option<Vec<u8>>,
}

impl SourceRow {
    pub(super) fn decode(self) -> Result<EventSource, StoreError> {
        let request =
            |bytes: Vec<u8>| RequestId::from_slice(&bytes).ok_or_else(|| damaged("event_source.request"));
        let states =
            |bytes: Vec<u8>| States::from_bytes(&bytes).ok_or_else(|| damaged("event_source.states"));
        let subject = domain::Subject::from_key(&self.subject);
        let key = self.idempotency_key.map(String::into_boxed_str);
        Ok(EventSource {
            owner: account_id(&self.owner)?,
            at: Timestamp::from_micros(self.at),
            subject: subject.ok_or_else(|| damaged("event_source.subject"))?,
            version: u32::try_from(self.version).unwrap_or(0),
            wall: Timestamp::from_micros(self.wall),
            origin: self.request.map(request).transpose()?.map(|request| Origin { request, key }),
            states: self.states.map(states).transpose()?,
        })
    }
}

macro_rules! event_sources_store {
    ($Conn:ty, $Store:ty) => {
        /// Sources asked for in one statement.
        const SOURCES_AT_ONCE: usize = 64;

        async fn source_get(conn: &mut $Conn, places: &[SourcePlace]) -> StoreResult<Vec<EventSource>> {
            use schema::event_source::dsl;
            let mut sources = Vec::new();
            for chunk in places.chunks(SOURCES_AT_ONCE) {
                let mut query = dsl::event_source.into_boxed();
                for (owner, at, subject, version) in chunk {
                    let place = dsl::owner
                        .eq(owner.as_bytes().to_vec())
                        .and(dsl::at.eq(at.micros()))
                        .and(dsl::subject.eq(subject.to_key().to_vec()))
                        .and(dsl::version.eq(columns::version_column(*version)));
                    query = query.or_filter(place);
                }
                let found: Vec<event_sources::SourceRow> =
                    query.select(event_sources::SourceRow::as_select()).load(conn).await?;
                for row in found {
                    sources.push(row.decode()?);
                }
            }
            Ok(sources)
        }
    };
}
pub(in crate::store) use event_sources_store;
