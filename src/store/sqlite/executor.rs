//! Chooses the thread on which a SQLite connection works. Waking another thread and being woken by it costs more than most
//! statements do, so batches run on the sequencer's own thread.

use std::error::Error;
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use diesel_async::sync_connection_wrapper::SpawnBlocking;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, TryFutureExt};

/// Where a connection works: on a thread that may block or, while someone [stays](Self::stay), on the calling thread.
#[derive(Debug, Clone, Default)]
pub struct Executor {
    here: Arc<AtomicBool>,
}

/// Ends the stay when dropped.
pub struct Stay<'a>(&'a AtomicBool);

impl Executor {
    /// Makes the connection work on the calling thread until the result is dropped. The caller holds the connection for that long.
    pub fn stay(&self) -> Stay<'_> {
        self.here.store(true, Ordering::Relaxed);
        Stay(&self.here)
    }
}

impl Drop for Stay<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl SpawnBlocking for Executor {
    fn spawn_blocking<'a, R: Send + 'static>(
        &mut self,
        task: impl FnOnce() -> R + Send + 'static,
    ) -> BoxFuture<'a, Result<R, Box<dyn Error + Send + Sync + 'static>>> {
        if self.here.load(Ordering::Relaxed) {
            return ready(Ok(task())).boxed();
        }
        tokio::task::spawn_blocking(task).map_err(Into::into).boxed()
    }

    fn get_runtime() -> Self {
        Self::default()
    }
}
