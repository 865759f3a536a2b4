//! Runs diesel's queries on the calling thread: the methods of diesel-async's `RunQueryDsl` that a batch's queries use, on a plain
//! SQLite connection, with futures that are ready when made. The caller must be on a thread that may block.

use std::future::{Future, Ready, ready};

use diesel::dsl::Limit;
use diesel::query_dsl::methods::{ExecuteDsl, LimitDsl, LoadQuery};
use diesel::result::QueryResult;
use diesel::{RunQueryDsl, SqliteConnection};
use futures_util::FutureExt;

use crate::store::{StoreError, StoreResult};

/// `execute`, `first` and `load`, blocking the caller.
pub trait RunBlocking: Sized {
    /// Runs a statement; returns the number of rows it touched.
    fn execute(self, conn: &mut SqliteConnection) -> Ready<QueryResult<usize>>
    where
        Self: RunQueryDsl<SqliteConnection> + ExecuteDsl<SqliteConnection>,
    {
        ready(RunQueryDsl::execute(self, conn))
    }

    /// The first row.
    fn first<'query, U>(self, conn: &mut SqliteConnection) -> Ready<QueryResult<U>>
    where
        Self: RunQueryDsl<SqliteConnection> + LimitDsl,
        Limit<Self>: LoadQuery<'query, SqliteConnection, U>,
    {
        ready(RunQueryDsl::first(self, conn))
    }

    /// All rows.
    fn load<'query, U>(self, conn: &mut SqliteConnection) -> Ready<QueryResult<Vec<U>>>
    where
        Self: RunQueryDsl<SqliteConnection> + LoadQuery<'query, SqliteConnection, U>,
    {
        ready(RunQueryDsl::load(self, conn))
    }
}

impl<Q> RunBlocking for Q {}

/// The outcome of a step made of such queries alone.
///
/// # Errors
/// The step's; or [`StoreError::Refused`] if it waited for something else, which is a defect.
pub fn blocking<T>(step: impl Future<Output = StoreResult<T>>) -> StoreResult<T> {
    step.now_or_never()
        .unwrap_or_else(|| Err(StoreError::Refused("a step on SQLite waited for something".to_owned())))
}
