//! The pool of connections that read an embedded store: a few, opened when first needed, each lent to one caller at a time.
//!
//! A caller may leave before its query has ended. Nothing ends the query then, since SQLite works on a thread of its own. Its
//! connection and its place in the pool are kept until it is free, so that callers who leave never add up to more than the pool.

use std::sync::Arc;
use std::time::Duration;

use diesel_async::SimpleAsyncConnection;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connect::{Conn, connect};
use super::executor::Executor;
use crate::store::held::Held;
use crate::store::{StoreError, StoreResult};

/// Read-only connections.
pub(super) struct ReadPool {
    url: String,
    idle: parking_lot::Mutex<Vec<Conn>>,
    permits: Arc<Semaphore>,
    acquire_timeout: Duration,
    /// A connection does its work on the runtime that it was opened on. Those of the web server's threads end before the readers of
    /// the journal do, so connections are opened on this one and nowhere else.
    runtime: Handle,
}

/// A borrowed connection; goes back to the pool when dropped, or as soon as it is free.
pub(super) struct Borrowed {
    conn: Option<Conn>,
    pool: Arc<ReadPool>,
    permit: Option<OwnedSemaphorePermit>,
    /// Whether its last query has ended, which is known only where it was answered.
    free: bool,
}

impl ReadPool {
    /// At most `size` connections to `url`, each of which a caller waits for no longer than `acquire_timeout`.
    pub(super) fn new(url: String, size: usize, acquire_timeout: Duration) -> Self {
        Self {
            url,
            idle: parking_lot::Mutex::new(Vec::new()),
            permits: Arc::new(Semaphore::new(size.max(1))),
            acquire_timeout,
            runtime: Handle::current(),
        }
    }

    /// Borrows a connection.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if none is free in time, or none can be opened.
    pub(super) async fn acquire(self: &Arc<Self>) -> StoreResult<Borrowed> {
        let permits = Arc::clone(&self.permits);
        let permit = tokio::time::timeout(self.acquire_timeout, permits.acquire_owned())
            .await
            .map_err(|_| StoreError::Unavailable("all connections for reading are busy".to_owned()))?
            .map_err(|_| StoreError::Unavailable("the store is closed".to_owned()))?;
        let idle = self.idle.lock().pop();
        let conn = match idle {
            Some(conn) => conn,
            None => {
                let opening = self.runtime.spawn(connect_reader(self.url.clone()));
                opening.await.map_err(|error| StoreError::Unavailable(error.to_string()))??
            }
        };
        Ok(Borrowed { conn: Some(conn), pool: Arc::clone(self), permit: Some(permit), free: false })
    }
}

/// Opens a connection that only reads.
pub(super) async fn connect_reader(url: String) -> StoreResult<Conn> {
    let mut conn = connect(&url, &Executor::default()).await?;
    conn.batch_execute(
        "PRAGMA query_only=ON; PRAGMA cell_size_check=ON; PRAGMA cache_size=-8192; PRAGMA temp_store=MEMORY;",
    )
    .await?;
    Ok(conn)
}

/// Returns once the connection has ended what it was last asked for; `false` if it cannot be used again.
pub(super) async fn until_free(conn: &mut Conn) -> bool {
    conn.0.spawn_blocking(|_| Ok(())).await.is_ok()
}

impl Held for Borrowed {
    async fn settle<T: Send>(mut self, outcome: StoreResult<T>) -> StoreResult<T> {
        self.free = !outcome.as_ref().is_err_and(StoreError::is_left_open);
        outcome
    }
}

impl std::ops::Deref for Borrowed {
    type Target = Conn;
    #[expect(clippy::expect_used, reason = "the connection is only taken out in drop")]
    fn deref(&self) -> &Conn {
        self.conn.as_ref().expect("present until dropped")
    }
}

impl std::ops::DerefMut for Borrowed {
    #[expect(clippy::expect_used, reason = "the connection is only taken out in drop")]
    fn deref_mut(&mut self) -> &mut Conn {
        self.conn.as_mut().expect("present until dropped")
    }
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        let Some(mut conn) = self.conn.take() else { return };
        if self.free {
            self.pool.idle.lock().push(conn);
            return;
        }
        let (pool, permit) = (Arc::clone(&self.pool), self.permit.take());
        self.pool.runtime.spawn(async move {
            if until_free(&mut conn).await {
                pool.idle.lock().push(conn);
            }
            drop(permit);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const HANG: Duration = Duration::from_secs(60);

    fn pool(dir: &tempfile::TempDir, size: usize) -> Arc<ReadPool> {
        let url = dir.path().join("file.sqlite3").to_string_lossy().into_owned();
        Arc::new(ReadPool::new(url, size, Duration::from_millis(200)))
    }

    /// Begins a query that ends when the result is dropped, and leaves.
    async fn leave_busy(pool: &Arc<ReadPool>) -> mpsc::Sender<()> {
        let (end, ended) = mpsc::channel::<()>();
        let (begin, begun) = tokio::sync::oneshot::channel();
        let mut reader = pool.acquire().await.expect("a connection");
        let caller = tokio::spawn(async move {
            let query = reader.0.spawn_blocking(move |_| {
                begin.send(()).expect("told that it has begun");
                ended.recv().ok();
                Ok(())
            });
            query.await.expect("never answered");
        });
        begun.await.expect("begun");
        caller.abort();
        assert!(caller.await.expect_err("aborted").is_cancelled());
        end
    }

    #[tokio::test]
    async fn what_nobody_waits_for_keeps_its_place_until_it_has_ended() {
        let dir = tempfile::tempdir().expect("a directory");
        let pool = pool(&dir, 2);
        let ends = [leave_busy(&pool).await, leave_busy(&pool).await];
        for _ in 0..3 {
            let refused = pool.acquire().await.err().map(|error| error.to_string());
            assert!(refused.is_some_and(|cause| cause.contains("busy")), "both places are taken");
        }
        assert!(pool.idle.lock().is_empty());
        drop(ends);
        let both = Arc::clone(&pool.permits).acquire_many_owned(2);
        let both = tokio::time::timeout(HANG, both).await.expect("given back").expect("open");
        assert_eq!(pool.idle.lock().len(), 2, "the connections serve again");
        drop(both);
        let reader = pool.acquire().await.expect("a connection");
        reader.settle(Ok(())).await.expect("answered");
        assert_eq!((pool.idle.lock().len(), pool.permits.available_permits()), (2, 2), "given back at once");
    }
}
