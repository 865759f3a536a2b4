//! Scenarios of accounts: which is in force, and all that ever were. Putting one in force takes a position in the journal, which is
//! its revision.

use async_trait::async_trait;

use super::StoreResult;
use super::columns::{account_id, damaged, fixed, unsigned};
use super::error::StoreError;
use crate::domain::ids::AccountId;
use crate::domain::scenario_revision::ScenarioRevision;
use crate::domain::time::Timestamp;

/// A scenario file to put in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewScenario {
    /// The BLAKE3 hash of its bytes.
    pub hash: [u8; 32],
    /// What it calls itself; at most 100 characters.
    pub name: String,
    /// The file, which somebody has read without mistakes.
    pub body: Vec<u8>,
}

impl NewScenario {
    /// This file, which calls itself so.
    #[must_use]
    pub fn of(name: &str, file: &[u8]) -> Self {
        Self { hash: *blake3::hash(file).as_bytes(), name: name.to_owned(), body: file.to_vec() }
    }
}

/// A change of the scenario of an account and of those it created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScenarioWrite {
    /// The account.
    pub account: AccountId,
    /// The file; `None` for the world of the settings.
    pub file: Option<NewScenario>,
}

/// A scenario that an account put in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionRecord {
    /// Its name.
    pub revision: ScenarioRevision,
    /// Whose it is.
    pub account: AccountId,
    /// Counts the account's own from 1.
    pub number: u32,
    /// The hash of its file; `None` for the world of the settings.
    pub file: Option<[u8; 32]>,
    /// What its file calls itself.
    pub name: Option<String>,
    /// Since when it was in force, by the wall clock.
    pub at: Timestamp,
}

/// Reads revisions by name. What the workers need.
#[async_trait]
pub trait ScenarioLookup: Send + Sync + 'static {
    /// These revisions; unknown ones are left out.
    async fn scenario_revisions(&self, revisions: &[ScenarioRevision]) -> StoreResult<Vec<RevisionRecord>>;

    /// The bytes of the file with this hash.
    async fn scenario_file(&self, hash: &[u8; 32]) -> StoreResult<Option<Vec<u8>>>;
}

/// Puts scenarios in force, and lists them.
#[async_trait]
pub trait Scenarios: Send + Sync + 'static {
    /// Puts a scenario in force for an account and for those it created, from this position in the journal on. Returns its
    /// revision; `None`, with nothing changed, if the account does not exist or is closed.
    async fn scenario_set(
        &self,
        account: AccountId,
        file: Option<NewScenario>,
        now: Timestamp,
    ) -> StoreResult<Option<ScenarioRevision>>;

    /// The revisions of an account with numbers below this one, latest first.
    async fn scenario_list(
        &self,
        account: AccountId,
        below: Option<u32>,
        limit: u32,
    ) -> StoreResult<Vec<RevisionRecord>>;
}

/// The columns of a revision, in the order of the table, and the name of its file.
pub(super) type RevisionRow = ((i64, Vec<u8>, i32, Option<Vec<u8>>, i64), Option<String>);

pub(super) fn revision(
    ((revision, account, number, file, at), name): RevisionRow,
) -> Result<RevisionRecord, StoreError> {
    Ok(RevisionRecord {
        revision: ScenarioRevision::at(unsigned(revision))
            .ok_or_else(|| damaged("scenario_revision.revision"))?,
        account: account_id(&account)?,
        number: u32::try_from(number).map_err(|_| damaged("scenario_revision.number"))?,
        file: file.map(|hash| fixed(&hash, "scenario_revision.file")).transpose()?,
        name,
        at: Timestamp::from_micros(at),
    })
}

macro_rules! scenarios_store {
    ($Conn:ty, $Store:ty) => {
        async fn scenario_revisions(
            conn: &mut $Conn,
            revisions: &[ScenarioRevision],
        ) -> StoreResult<Vec<RevisionRecord>> {
            use diesel::NullableExpressionMethods;
            use schema::scenario_revision::dsl;
            let names: Vec<i64> = revisions.iter().map(|revision| signed(revision.seq())).collect();
            let mut records = Vec::with_capacity(names.len());
            for chunk in names.chunks(KeyIn::<()>::MAX) {
                let files = schema::scenario_file::table.on(schema::scenario_file::hash.nullable().eq(dsl::file));
                let found: Vec<scenarios::RevisionRow> = dsl::scenario_revision
                    .left_join(files)
                    .filter(dsl::revision.eq_any(chunk))
                    .select((schema::scenario_revision::all_columns, schema::scenario_file::name.nullable()))
                    .load(conn)
                    .await?;
                for row in found {
                    records.push(scenarios::revision(row)?);
                }
            }
            Ok(records)
        }

        async fn scenario_file(conn: &mut $Conn, hash: &[u8; 32]) -> StoreResult<Option<Vec<u8>>> {
            use schema::scenario_file::dsl;
            Ok(dsl::scenario_file.find(hash.to_vec()).select(dsl::body).get_result(conn).await.optional()?)
        }

        async fn scenario_list(
            conn: &mut $Conn,
            account: AccountId,
            below: Option<u32>,
            limit: u32,
        ) -> StoreResult<Vec<RevisionRecord>> {
            use diesel::NullableExpressionMethods;
            use schema::scenario_revision::dsl;
            let below = below.map_or(i32::MAX, columns::version_column);
            let files = schema::scenario_file::table.on(schema::scenario_file::hash.nullable().eq(dsl::file));
            let found: Vec<scenarios::RevisionRow> = dsl::scenario_revision
                .left_join(files)
                .filter(dsl::account.eq(account.as_bytes().to_vec()))
                .filter(dsl::number.lt(below))
                .order(dsl::number.desc())
                .limit(i64::from(limit))
                .select((schema::scenario_revision::all_columns, schema::scenario_file::name.nullable()))
                .load(conn)
                .await?;
            found.into_iter().map(scenarios::revision).collect()
        }

        #[async_trait::async_trait]
        impl $crate::store::ScenarioLookup for $Store {
            async fn scenario_revisions(
                &self,
                revisions: &[ScenarioRevision],
            ) -> StoreResult<Vec<RevisionRecord>> {
                held!(self, reader, background, conn => scenario_revisions(conn, revisions))
            }

            async fn scenario_file(&self, hash: &[u8; 32]) -> StoreResult<Option<Vec<u8>>> {
                held!(self, reader, background, conn => scenario_file(conn, hash))
            }
        }

        #[async_trait::async_trait]
        impl $crate::store::Scenarios for $Store {
            async fn scenario_set(
                &self,
                account: AccountId,
                file: Option<NewScenario>,
                now: Timestamp,
            ) -> StoreResult<Option<ScenarioRevision>> {
                let keys = BatchKeys { accounts: vec![account], ..BatchKeys::default() };
                let mut file = Some(file);
                let mut put = |head: Head, loaded: Loaded| {
                    $crate::store::BatchWrite::of_scenario(account, file.take().flatten(), head, &loaded)
                };
                let putting = self.run_batch(BatchId::generate(), now, &keys, &mut put);
                let put = $crate::store::held::watched(&self.outage, $crate::outage::Way::Write, putting).await;
                match put {
                    Ok(seq) => Ok(ScenarioRevision::at(seq)),
                    Err(StoreError::CommitUnknown { cause, .. }) => Err(StoreError::Unanswered(cause)),
                    Err(error) => Err(error),
                }
            }

            async fn scenario_list(
                &self,
                account: AccountId,
                below: Option<u32>,
                limit: u32,
            ) -> StoreResult<Vec<RevisionRecord>> {
                held!(self, reader, caller, conn => scenario_list(conn, account, below, limit))
            }
        }
    };
}
pub(in crate::store) use scenarios_store;
