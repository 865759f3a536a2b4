//! Lends every call of an adapter a connection, for reading or for writing, within a time limit. How each call ends is reported to
//! the adapter's [`Outage`], so that no caller needs to log that the store is away.

use std::future::Future;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::{StoreError, StoreResult, trouble};
use crate::outage::{Outage, Way};

/// The cause given when our own time limit ended the wait.
pub(super) const NO_ANSWER_IN_TIME: &str = "no answer in time";

/// As many rows as a store writes well within a caller's time limit. More may take longer.
pub(super) const ROWS_IN_TIME: usize = 512;

/// How long calls may take in all, from asking for a connection to the last row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// While a caller waits.
    pub caller: Duration,
    /// In the background: long enough for a large deletion, short enough that a lost server is noticed.
    pub background: Duration,
}

impl Limits {
    pub(super) fn new(caller_ms: u64) -> Self {
        Self { caller: Duration::from_millis(caller_ms), background: Duration::from_secs(30) }
    }
}

/// A connection on loan.
pub(super) trait Held: Sized + Send {
    /// Gives the connection back after use if it can be used again. If it is dropped instead, an answer may still be on its way,
    /// which its next user must not mistake for its own.
    fn settle<T: Send>(self, outcome: StoreResult<T>) -> impl Future<Output = StoreResult<T>> + Send {
        async { outcome }
    }
}

/// The outcome of `work`, if there is one by `until`.
///
/// # Errors
/// Those of `work`, and [`StoreError::Unavailable`] past that time.
pub(super) fn by<'work, T: 'work>(
    until: Instant,
    work: impl Future<Output = StoreResult<T>> + Send + 'work,
) -> impl Future<Output = StoreResult<T>> {
    by_boxed(until, Box::pin(work))
}

/// The same for all work with this outcome, so it is compiled once for all of it.
async fn by_boxed<T>(until: Instant, work: BoxFuture<'_, StoreResult<T>>) -> StoreResult<T> {
    let late = || StoreError::Unavailable(NO_ANSWER_IN_TIME.to_owned());
    tokio::time::timeout_at(until, work).await.unwrap_or_else(|_| Err(late()))
}

/// Runs an operation and notes whether the store was there for it.
pub(super) fn watched<'work, T: 'work>(
    outage: &'work Outage,
    way: Way,
    operation: impl Future<Output = StoreResult<T>> + Send + 'work,
) -> impl Future<Output = StoreResult<T>> {
    watched_boxed(outage, way, Box::pin(operation))
}

/// As [`by_boxed`].
async fn watched_boxed<T>(
    outage: &Outage,
    way: Way,
    operation: BoxFuture<'_, StoreResult<T>>,
) -> StoreResult<T> {
    let result = operation.await;
    match &result {
        Err(error) if trouble::is_of_file(error) => outage.damaged(error),
        Err(error) if error.is_transient() => outage.failed(way, error),
        // Refused or damaged: the store did answer.
        Ok(_) | Err(_) => outage.worked(way),
    }
    result
}

/// Borrows a connection from the store and uses it, all within one of its [`Limits`].
macro_rules! held {
    ($store:expr, reader, $limit:ident, $conn:ident => $call:expr) => {
        held!($store, reader, Read, $limit, std::convert::identity, $conn => $call)
    };
    ($store:expr, writer, $limit:ident, $conn:ident => $call:expr) => {
        held!($store, writer, Write, $limit, $crate::store::StoreError::of_sent, $conn => $call)
    };
    ($store:expr, $borrow:ident, $way:ident, $limit:ident, $of_sent:expr, $conn:ident => $call:expr) => {{
        use $crate::store::held::{Held as _, by, watched};
        let used = async {
            let until = tokio::time::Instant::now() + $store.limits.$limit;
            let mut held = by(until, $store.$borrow()).await?;
            let $conn = &mut *held;
            let outcome = by(until, $call).await.map_err($of_sent);
            held.settle(outcome).await
        };
        watched(&$store.outage, $crate::outage::Way::$way, used).await
    }};
}
pub(super) use held;
